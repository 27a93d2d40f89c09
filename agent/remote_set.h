/* What the server's command `probe` may set. The server may ask for measurements; it must
 * not learn by them what lies in this machine's files, nor have a secret sent elsewhere
 * than its owner wrote. A person at the machine is free (options_probe alone). Pure. */
#ifndef HT_AGENT_REMOTE_SET_H
#define HT_AGENT_REMOTE_SET_H

#include "agent/options.h"
#include "mqtt/control.h"

/* HT_DENIED, and the fault says which option and why. Whether the probe and its options
 * exist is options_probe's to say. */
HT_MUST_CHECK ht_err remote_set_check(const struct options *o, const char *name,
    const struct control_pair *set, size_t n, struct ht_fault *fault);

#endif
