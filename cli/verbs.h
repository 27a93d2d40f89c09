/* The verbs of `hatang`: one file each, one row each in main.c. argv[0] is the verb's
 * name; the result is the exit code (HT_EXIT_*). */
#ifndef HT_CLI_VERBS_H
#define HT_CLI_VERBS_H

int decode_main(int argc, char **argv);

#endif
