/* Giving up root for good. Used by the agent and by its monitor right after the fork,
 * single-threaded. Also without root: then only no_new_privs is set and capabilities
 * that were inherited are given up. */
#ifndef HT_AGENT_RIGHTS_H
#define HT_AGENT_RIGHTS_H

#include <stddef.h>
#include <sys/capability.h>

#include "base/err.h"

/* Become `user` if we are root (NULL or "": stay who we are), keep only the `n` listed
 * capabilities (0 for none), set no_new_privs. In a namespace that maps only one user
 * there is no one else to become: the user stays, the capabilities go all the same.
 *   errors  HT_CONFIG (no such user), HT_DENIED; the process must then end */
HT_MUST_CHECK ht_err rights_drop(
    const char *user, const cap_value_t *keep, size_t n, struct ht_fault *fault);

#endif
