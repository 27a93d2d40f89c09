/* What the server may ask on `cmd`: a configuration that was approved, a probe run now,
 * a proposal. Every command that can be read is answered on `reply`. */
#ifndef HT_AGENT_COMMAND_H
#define HT_AGENT_COMMAND_H

#include <stddef.h>

struct agent;

/* Untrusted bytes of one message. */
void command_run(struct agent *a, const void *bytes, size_t len);

/* End a probe that a command started; its reply is not sent. */
void command_cancel(struct agent *a);

#endif
