/* The rate between two polls of an octet counter (RFC 2863). A wrap is told from a reset
 * by the device's uptime and ifCounterDiscontinuityTime; whatever is doubtful is a gap
 * with its reason, never a spike and never a zero. Pure. */
#ifndef HT_SERVER_DERIVE_RATE_H
#define HT_SERVER_DERIVE_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate_poll {
	int64_t at_ms;
	uint64_t octets;
	int bits;               /* 32 or 64 */
	double uptime_s;        /* sysUpTime of the same poll; NaN: not known */
	double discontinuity_s; /* ifCounterDiscontinuityTime; NaN: not known */
	double speed_bps;       /* line speed; NaN or 0: not known */
	int64_t index;          /* ifIndex; -1: not known. A new one alone is no reset */
};

enum rate_verdict {
	RATE_OK,            /* out is set */
	RATE_WRAPPED,       /* out is set; a 32-bit counter passed zero once */
	RATE_SAME_TIME,     /* the clock did not move on: no rate */
	RATE_OTHER_WIDTH,   /* 32-bit before, 64-bit now, or the other way */
	RATE_RESTARTED,     /* the device restarted between the polls */
	RATE_DISCONTINUITY, /* the interface says its counters began anew */
	RATE_WENT_BACK,     /* smaller than before, and not to be explained by a wrap */
	RATE_MANY_WRAPS,    /* so long between the polls that it may have wrapped twice */
	RATE_OVERSPEED,     /* more than the line can carry */
	RATE_TOO_FAR, /* over an hour between the polls: a mean that hides too much */
};

#define RATE_TOO_FAR_MS  INT64_C(3600000)
#define RATE_SPEED_SLACK 1.05 /* clocks and caching at the device */

/* Bits a second from `a` to the later `b`. `out_bps` is touched only for RATE_OK and
 * RATE_WRAPPED. */
enum rate_verdict rate_between(
    const struct rate_poll *a, const struct rate_poll *b, double *out_bps);

/* Neither counter has moved, for a short time: the device may have answered from a cache,
 * as many do for seconds. Then keep the earlier poll for the next comparison, which gives
 * the mean over both; else the next one would carry twice what was carried. An idle line
 * is only known to be that after RATE_STILL_MS. */
#define RATE_STILL_MS INT64_C(150000)
bool rate_stands_still(int64_t apart_ms, uint64_t in_before, uint64_t in_now,
    uint64_t out_before, uint64_t out_now);

/* One sentence without a full stop. */
const char *rate_reason(enum rate_verdict v);

#endif
