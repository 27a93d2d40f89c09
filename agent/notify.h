/* Telling the service manager: the datagram protocol of sd_notify(3), without its
 * library (which would cost the agent's small memory more than these lines). */
#ifndef HT_AGENT_NOTIFY_H
#define HT_AGENT_NOTIFY_H

/* Send "READY=1" or the like; nothing without NOTIFY_SOCKET. */
void notify(const char *state);

#endif
