/* One round of pings and what came of it: pure, times are arguments. A ping is answered
 * once, within its wait; everything else that looks like a reply is counted by what is
 * wrong with it, so that the round can say so. */
#ifndef HT_PROBES_WAN_ROUND_H
#define HT_PROBES_WAN_ROUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hist.h"
#include "probes/wan/ping/icmp_packet.h"

enum { ROUND_PINGS_MAX = 1000 };

struct round_ping {
	bool answered;
	int64_t mono_ns, wall_ns; /* when it was sent */
	int64_t rtt_ns;
};

struct round {
	uint64_t cookie; /* a secret of this round */
	int64_t wait_ns; /* how long a reply is waited for */
	size_t payload;
	struct round_ping *pings; /* the owner's, as many as will be sent */
	size_t n_sent;            /* tried, also those that the kernel refused */
	size_t n_refused;         /* of them */
	size_t n_answered;
	size_t n_duplicate, n_late, n_forged, n_malformed; /* replies that do not count */
	size_t n_short; /* answered, but the reply brought less than was sent */
	int64_t last_rtt_ns;
	double jitter_ns; /* RFC 3550, 6.4.1, over replies in order of arrival */
};

/* The next ping leaves now; returns its sequence number. `refused`: it did not. */
uint16_t round_send(struct round *r, int64_t mono_ns, int64_t wall_ns);
void round_refused(struct round *r);

/* A reply to a ping of this round, or so it says. `kernel_ns`: when the kernel received
 * it (Unix), 0 when it did not say; `now_ns`: the present, our own clock. True when it
 * answers a ping. */
bool round_take(
    struct round *r, const struct icmp_echo *e, int64_t kernel_ns, int64_t now_ns);

/* An ICMP error about a ping that was never sent. */
void round_forged(struct round *r);

/* Bytes that are no echo reply at all. */
void round_malformed(struct round *r);

/* Pings that are decided: answered, or waited for at least half their time (`all`: all).
 * A round that is cut short leaves some undecided, which are not lost. */
size_t round_decided(const struct round *r, int64_t now_ns, bool all);

struct round_times {
	int64_t min_ns, avg_ns, max_ns, p50_ns, p95_ns;
	struct ht_hist hist;
};

/* Of the answered; only when there is one. Percentiles are measured values (nearest
 * rank). */
void round_times(const struct round *r, struct round_times *out);

/* "1 replies that came twice, 2 late replies": what was wrong, or "" when nothing was. */
#define ROUND_REASON_MAX 256
void round_reason(const struct round *r, char out[static ROUND_REASON_MAX]);

#endif
