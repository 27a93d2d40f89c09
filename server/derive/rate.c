#include "server/derive/rate.h"

#include <math.h>
#include <stdbool.h>

#define WRAP_32        4294967296.0
#define UPTIME_WRAP_S  42949672.96 /* sysUpTime: 32 bits of centiseconds, 497 days */
#define UPTIME_SLACK_S 15.0        /* agents answer late, clocks differ */
#define UPTIME_JUST_S  2.0

static const char *const reasons[] = {
	[RATE_OK] = "",
	[RATE_WRAPPED] = "the 32-bit counter passed zero",
	[RATE_SAME_TIME] = "the two polls have the same time",
	[RATE_OTHER_WIDTH] = "the counter changed between 32 and 64 bits",
	[RATE_RESTARTED] = "the device restarted between the polls",
	[RATE_DISCONTINUITY] = "the interface's counters began anew",
	[RATE_WENT_BACK] = "the counter went back, and nothing tells a wrap from a reset",
	[RATE_MANY_WRAPS] =
	    "the 32-bit counter may have passed zero more than once; poll more often",
	[RATE_OVERSPEED] = "the difference is more than the line can carry",
	[RATE_TOO_FAR] = "the polls are more than an hour apart",
};

const char *rate_reason(enum rate_verdict v)
{
	return reasons[v];
}

static bool wrapped_uptime(double expected_s, double uptime_s, double slack_s)
{
	return expected_s >= UPTIME_WRAP_S - slack_s &&
	       fabs(uptime_s - (expected_s - UPTIME_WRAP_S)) <= slack_s;
}

/* Whoever is up for less time than the polls are apart has begun in between; else uptime
 * should have grown by that time, but for its own wrap. */
static bool restarted(const struct rate_poll *a, const struct rate_poll *b, double dt_s)
{
	double expected = a->uptime_s + dt_s, slack = UPTIME_SLACK_S + dt_s / 20;

	if (isnan(b->uptime_s) || wrapped_uptime(expected, b->uptime_s, slack))
		return false; /* NaN is never wrapped */
	return b->uptime_s < dt_s - UPTIME_JUST_S || b->uptime_s < expected - slack;
}

/* Some agents give the uptime of the moment, every time. */
static bool is_just_uptime(const struct rate_poll *p)
{
	return fabs(p->discontinuity_s - p->uptime_s) < UPTIME_JUST_S;
}

static bool began_anew(const struct rate_poll *a, const struct rate_poll *b)
{
	return !isnan(a->discontinuity_s) && !isnan(b->discontinuity_s) &&
	       fabs(a->discontinuity_s - b->discontinuity_s) >= 0.01 &&
	       !(is_just_uptime(a) && is_just_uptime(b));
}

/* A 32-bit counter that is smaller now has wrapped when the device has run through, and
 * when something would have told of a reset: a speed that the difference must keep to, or
 * a time of discontinuity that is the same. */
static enum rate_verdict difference(
    const struct rate_poll *a, const struct rate_poll *b, double dt_s, double *out)
{
	bool speed = b->speed_bps > 0, ran = !isnan(a->uptime_s) && !isnan(b->uptime_s);

	if (b->bits == 32 && speed && dt_s * b->speed_bps / 8 >= WRAP_32)
		return RATE_MANY_WRAPS;
	if (b->octets >= a->octets) {
		*out = (double)(b->octets - a->octets);
		return RATE_OK;
	}
	bool told = !isnan(a->discontinuity_s) && !isnan(b->discontinuity_s);
	if (b->bits != 32 || !ran || !(speed || told))
		return RATE_WENT_BACK;
	*out = WRAP_32 - (double)a->octets + (double)b->octets;
	return *out >= 0 ? RATE_WRAPPED : RATE_WENT_BACK;
}

bool rate_stands_still(int64_t apart_ms, uint64_t in_before, uint64_t in_now,
    uint64_t out_before, uint64_t out_now)
{
	return apart_ms < RATE_STILL_MS && in_before == in_now && out_before == out_now;
}

enum rate_verdict rate_between(
    const struct rate_poll *a, const struct rate_poll *b, double *out_bps)
{
	double dt_s = (double)(b->at_ms - a->at_ms) / 1000, octets = 0;

	if (b->at_ms <= a->at_ms)
		return RATE_SAME_TIME;
	if (b->at_ms - a->at_ms > RATE_TOO_FAR_MS)
		return RATE_TOO_FAR;
	if (a->bits != b->bits)
		return RATE_OTHER_WIDTH;
	if (restarted(a, b, dt_s))
		return RATE_RESTARTED;
	if (began_anew(a, b))
		return RATE_DISCONTINUITY;
	enum rate_verdict v = difference(a, b, dt_s, &octets);
	if (v > RATE_WRAPPED)
		return v;
	double bps = octets * 8 / dt_s;
	if (b->speed_bps > 0 && bps > b->speed_bps * RATE_SPEED_SLACK)
		return RATE_OVERSPEED;
	*out_bps = bps;
	return v;
}
