/* The verbs of hatang-agent, one function each; main.c has the table. Each returns an
 * exit code (base/err.h); `probe --nagios` answers 0, 1, 2 or 3. argv[0] is the verb. */
#ifndef HT_AGENT_VERB_H
#define HT_AGENT_VERB_H

int verb_run(int argc, char **argv);
int verb_check_config(int argc, char **argv);
int verb_probe(int argc, char **argv);
int verb_metrics(int argc, char **argv);
int verb_queue(int argc, char **argv);
int verb_status(int argc, char **argv);

#endif
