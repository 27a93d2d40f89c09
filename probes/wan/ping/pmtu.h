/* The search for a path's MTU by packets that may not be fragmented (RFC 4821's way:
 * what comes back is believed, what routers say is a hint). Pure: the owner sends one
 * packet of the size that is asked for, waits, and says what became of it.
 *
 * A router that says "too large, N fits" gives the next size to try, and the answer when
 * N passes. Where routers say nothing (black holes) the size is halved in: silence counts
 * only after PMTU_TRIES packets, for it may be plain loss. At most PMTU_PACKETS leave. */
#ifndef HT_PROBES_WAN_PMTU_H
#define HT_PROBES_WAN_PMTU_H

#include <stdbool.h>
#include <stdint.h>

enum {
	PMTU_TRIES = 3,
	PMTU_PACKETS = 48,
	PMTU_LEAST_V4 = 68, /* RFC 791, RFC 8200: every link carries so much */
	PMTU_LEAST_V6 = 1280,
};

struct pmtu {
	uint32_t low, high; /* the largest that passes lies in low..high */
	uint32_t size;      /* of the packet under way */
	uint32_t hint;      /* what a router, or our own interface, says fits; 0: none */
	unsigned tries;     /* of that size, in vain */
	unsigned packets;
	bool hinted;   /* that packet's size was a hint */
	bool measured; /* one has passed: low is not only the standard's word */
};

/* Sizes are those of whole IP packets. `high`: the largest that can be sent. */
void pmtu_init(struct pmtu *p, uint32_t least, uint32_t high);

/* The size of the next packet; 0 when the search is over. */
uint32_t pmtu_next(struct pmtu *p);

/* What became of it: it came back; nothing came; it is said to be too large, and `mtu`
 * to fit (0: not said). `local`: our own interface said so, and no packet left. */
void pmtu_passed(struct pmtu *p);
void pmtu_silent(struct pmtu *p);
void pmtu_refused(struct pmtu *p, uint32_t mtu, bool local);

/* The path's MTU; 0 when the search is not over, or was over in vain. */
uint32_t pmtu_result(const struct pmtu *p);

#endif
