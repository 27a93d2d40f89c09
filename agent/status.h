/* The status socket: <state_dir>/status.sock answers each connection with one line of
 * JSON and closes it. Works without any server; readable by the agent's user and root. */
#ifndef HT_AGENT_STATUS_H
#define HT_AGENT_STATUS_H

#include "agent/agent.h"

#define STATUS_SOCKET "status.sock"

/* Listen. HT_IO with a fault: the agent goes on without. */
HT_MUST_CHECK ht_err status_open(
    struct agent *a, struct status_server **out, struct ht_fault *fault);
void status_close(struct status_server *s); /* accepts NULL; freed from the loop */

/* The verb: ask the running agent. `json` prints the line as it is. */
int status_print(const char *state_dir, bool json);

#endif
