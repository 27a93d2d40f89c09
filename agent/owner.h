/* Who owns the state folder. */
#ifndef HT_AGENT_OWNER_H
#define HT_AGENT_OWNER_H

#include "base/err.h"

/* As root: give the folder and the files in it to `user`, so that the agent can write
 * them when its rights are dropped. Nothing without root or with an empty user.
 * HT_CONFIG (no such user), HT_IO. */
HT_MUST_CHECK ht_err owner_give(
    const char *folder, const char *user, struct ht_fault *fault);

#endif
