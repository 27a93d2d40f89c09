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

/* All addresses of a name, in the order to try them (RFC 6724), with `port`; n ≤
 * RESOLVE_ADDRESSES. `list` is borrowed until the answer returns; the rest as above. */
#define RESOLVE_ADDRESSES 8
struct resolve_address {
	struct sockaddr_storage at;
	socklen_t len;
};
typedef void (*resolve_answer_all)(
    void *arg, ht_err err, const struct resolve_address *list, size_t n);
HT_MUST_CHECK ht_err resolve_start_all(uv_loop_t *loop, const char *target, int family,
    uint16_t port, resolve_answer_all answer, void *arg, struct resolve **out);

/* Address and port: "10.0.0.1:443", "[fe80::1]:443". */
#define RESOLVE_TEXT (HT_ADDR_TEXT + 8)
void resolve_format_port(const struct sockaddr *addr, char out[static RESOLVE_TEXT]);

/* The address alone, as text. */
void resolve_format(const struct sockaddr *addr, char out[static HT_ADDR_TEXT]);

#endif
