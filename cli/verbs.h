/* The verbs of `hatang`: one file each, one row each in main.c. argv[0] is the verb's
 * name; the result is the exit code (HT_EXIT_*). */
#ifndef HT_CLI_VERBS_H
#define HT_CLI_VERBS_H

int agency_main(int argc, char **argv);
int alert_main(int argc, char **argv);
int agents_main(int argc, char **argv);
int decode_main(int argc, char **argv);
int index_main(int argc, char **argv);
int links_main(int argc, char **argv);
int lists_main(int argc, char **argv); /* machines, gaps */
int login_main(int argc, char **argv);
int maintenance_main(int argc, char **argv);
int outages_main(int argc, char **argv);
int posture_main(int argc, char **argv);
int token_main(int argc, char **argv);

#endif
