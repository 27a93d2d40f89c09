/* The verb `run`: the server as a whole, from start to goodbye. */
#ifndef HT_SERVER_SERVE_H
#define HT_SERVER_SERVE_H

#include "server/options.h"

/* Runs until TERM or INT; HUP reloads `config_file`. Takes over the options' content.
 * An exit code of HT_EXIT_*. */
int serve(const char *config_file, struct options *options);

/* Hold the state folder for ourselves; two servers on one database would fight. Negative
 * with a fault when somebody has it. The lock lasts until the process ends. */
int serve_lock(const struct options *o, struct ht_fault *fault);

#endif
