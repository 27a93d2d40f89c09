/* Secrets in files: the first line of a file that belongs to its owner alone (0600 or
 * less). A relative name is a systemd credential when there are some
 * ($CREDENTIALS_DIRECTORY). Blocking, small. */
#ifndef HT_BASE_SECRET_H
#define HT_BASE_SECRET_H

#include "base/err.h"

/* Open all credentials of systemd, to be read after rights are dropped: they belong to
 * root. Those of an earlier call are let go. */
void ht_secret_hold(void);

/* Whether it could be read later. HT_NOTFOUND, HT_DENIED (others may read it, or we may
 * not), HT_TOOLARGE; the fault names the cure. */
HT_MUST_CHECK ht_err ht_secret_check(const char *file, struct ht_fault *fault);

/* A malloc'ed text without its end of line; ends with ht_secret_free. As above, and
 * HT_IO, HT_NOMEM. */
HT_MUST_CHECK ht_err ht_secret_read(const char *file, char **out, struct ht_fault *fault);

/* Wipes it first. NULL is fine. */
void ht_secret_free(char *secret);

#endif
