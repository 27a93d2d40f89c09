/* The endpoint's connections, and which of them have shown no pass yet: those are its
 * guests. A guest has some seconds, whatever it sends, and there is room for so many of
 * one address and of all: for a newcomer the oldest goes, so that who holds connections
 * open keeps nobody out who has a pass. A connection whose pass is over goes too.
 *
 * Going is shutdown(2): whoever serves the socket sees its end, closes it and says
 * guests_leave(). Any thread. */
#ifndef HT_SERVER_THROUGHPUT_GUESTS_H
#define HT_SERVER_THROUGHPUT_GUESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

/* Two tests with 16 streams each that begin behind one NAT in one instant. */
enum { GUESTS_OF_ADDRESS = 32, GUESTS_MAX = 96 };

struct guests;
struct guest;

/* `grace_ns`: how long a connection may do without a pass. `watch`: a thread sweeps every
 * half second (every grace, if that is less); else guests_sweep is the caller's. */
HT_MUST_CHECK ht_err guests_start(int64_t grace_ns, bool watch, struct guests **out);
void guests_stop(struct guests *g); /* accepts NULL; frees those that are still in */

/* A connection was accepted: its socket stays open until guests_leave. `from` may be
 * NULL; addresses of IPv6 are told apart by their /64. NULL (it is shut at once): no
 * memory. */
struct guest *guests_enter(
    struct guests *g, int fd, const struct sockaddr *from, int64_t now_ns);
void guests_leave(struct guests *g, struct guest *x); /* accepts NULL */

/* It has shown a pass that is good until then; its request has ended. Accept NULL. */
void guests_passed(struct guests *g, struct guest *x, int64_t until_ns);
void guests_again(struct guests *g, struct guest *x, int64_t now_ns);

void guests_sweep(struct guests *g, int64_t now_ns);

#endif
