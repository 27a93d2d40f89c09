/* The order of one ARP scan of one subnet: which address is asked next, which are asked
 * again, where the next run goes on, and how fast. Pure: `now` is an argument, nothing is
 * sent here. Addresses go in chunks, each chunk up to `tries` times (those that answered
 * are left out), so that a run cut short has whole chunks behind it. */
#ifndef HT_PROBES_LAN_SWEEP_H
#define HT_PROBES_LAN_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

#define SWEEP_PREFIX_MIN 16                 /* larger subnets are refused */
#define SWEEP_RETRY_NS   INT64_C(500000000) /* at least so long between two tries */

struct sweep {
	struct ht_addr net; /* IPv4; only addresses in it are ever handed out */
	uint32_t n_hosts;
	uint32_t begin; /* the host that this run began with */
	uint32_t chunk, chunk_at, cursor;
	unsigned tries, try;
	int64_t try_began_ns, hold_ns;
	uint32_t asked, answered; /* distinct addresses */
	uint8_t *bits;            /* by host: it answered (or is ours) */
};

enum sweep_step { SWEEP_ASK, SWEEP_WAIT, SWEEP_END };

/* `begin` may be any number (a remembered place of another time); chunk and tries ≥ 1.
 *   errors  HT_UNSUPPORTED (not IPv4), HT_TOOLARGE, HT_NOMEM */
HT_MUST_CHECK ht_err sweep_init(struct sweep *s, const struct ht_addr *net,
    uint32_t begin, uint32_t chunk, unsigned tries);
void sweep_fini(struct sweep *s); /* accepts a zeroed one */

/* SWEEP_ASK: `out_ip` (host order) is to be asked now. SWEEP_WAIT: not before hold_ns.
 * SWEEP_END: everything was asked. */
enum sweep_step sweep_next(struct sweep *s, int64_t now, uint32_t *out_ip);

/* An address answered, or is our own (then it is not asked). False when it is not one of
 * the sweep's. */
bool sweep_answer(struct sweep *s, uint32_t ip);

/* Where the next run begins: 0 after a whole round. */
uint32_t sweep_resume(const struct sweep *s);

/* The rate of a sender: at most `per_s` packets in any second, in bursts of at most ten
 * milliseconds' worth. */
struct pace {
	int64_t next_ns; /* when the next packet is due */
};

bool pace_take(struct pace *p, int64_t now, int64_t per_s);

/* Nanoseconds until pace_take may succeed; 0 when it does now. */
int64_t pace_wait(const struct pace *p, int64_t now, int64_t per_s);

#endif
