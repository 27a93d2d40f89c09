/* What the agent says of itself each minute, and when its clock is set or jumps. */
#ifndef HT_AGENT_HEALTH_H
#define HT_AGENT_HEALTH_H

#include "agent/agent.h"

#define HEALTH_EVERY_NS (60 * HT_NS_PER_S)

/* Emit the readings. */
void health_report(struct agent *a);

/* Compare the wall clock with the monotonic one; called each second. */
void health_clock(struct agent *a);

/* Private dirty memory of a process in bytes, 0 when it cannot be read. */
int64_t health_private_dirty(pid_t pid);

#endif
