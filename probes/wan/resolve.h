/* A target that is an address or a name, turned into a socket address without blocking.
 * Numeric addresses never touch the resolver. Names go through uv_getaddrinfo; a lookup
 * that hangs on a dead server is left to end by itself and holds no memory of its
 * starter. */
#ifndef HT_PROBES_WAN_RESOLVE_H
#define HT_PROBES_WAN_RESOLVE_H

#include <sys/socket.h>
#include <uv.h>

#include "base/addr.h"
#include "base/err.h"

struct resolve; /* one lookup under way */

/* `family` is AF_UNSPEC, AF_INET or AF_INET6. The answer comes once, from the loop (for a
 * name) or from inside the call (for an address); err is HT_OK, HT_NOTFOUND or HT_IO.
 * *out is NULL when it was answered inside. */
HT_MUST_CHECK ht_err resolve_start(uv_loop_t *loop, const char *target, int family,
    void (*answer)(void *arg, ht_err err, const struct sockaddr *addr), void *arg,
    struct resolve **out);

/* No answer comes any more. NULL is fine; not after the answer came. */
void resolve_cancel(struct resolve *r);

/* The address alone, as text. */
void resolve_format(const struct sockaddr *addr, char out[static HT_ADDR_TEXT]);

#endif
