/* How fast a path carries TCP payload, from how many bytes had arrived by when. Pure.
 *
 *   Ramp-up   What is discarded is chosen by the marginal standard error rule (MSER,
 *             White 1997): of all cuts in the first half, the one after which the mean
 *             of the rest is known best. That drops slow start, and the burst that a
 *             token bucket lets through first. When the best cut is the half itself,
 *             and the halves differ by more than a tenth, it has not settled.
 *   Mean      Of the rest, weighted by a parabola over time, which is the slope of the
 * line of least squares through bytes by time. What arrived but waits for a hole in its
 * stream to be filled is not counted yet; such bytes slide over the ends, which weigh
 * nothing. A stall counts: users wait through it too. Interval  Batch means: ten batches
 * in a row, Student's t of their scatter, widened (or narrowed) by their lag-1
 * correlation as for an AR(1) process. */
#ifndef HT_PROBES_WAN_RATE_ESTIMATE_H
#define HT_PROBES_WAN_RATE_ESTIMATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RATE_SAMPLES_MAX = 1024, RATE_BATCHES = 10 };
#define RATE_STEADY_LEAST_NS INT64_C(1000000000) /* an estimate needs so much */
#define RATE_STEADY_GOOD_NS  INT64_C(2000000000) /* and a good one so much */

/* Bytes that had arrived by a time: ascending in both. A full trace keeps every second
 * sample and from then on takes samples half as often. */
struct rate_trace {
	struct rate_sample {
		int64_t at_ns;
		uint64_t bytes;
	} at[RATE_SAMPLES_MAX];
	size_t n;
	int64_t step_ns; /* between two samples, at least; 0: all */
};

/* A sample that comes earlier than a step after the last, or goes back in time or bytes,
 * is left out. */
void rate_put(struct rate_trace *t, int64_t at_ns, uint64_t bytes);

struct rate_estimate {
	double bps;       /* bit/s */
	double low, high; /* 95 % interval; low ≥ 0 */
	int64_t discarded_ns, steady_ns;
	bool settled;
};

/* False while the trace is too short for one (RATE_STEADY_LEAST_NS after the cut). */
bool rate_estimate(const struct rate_trace *t, struct rate_estimate *out);

/* Time since bytes last arrived, as of the newest sample; 0 for an empty trace. */
int64_t rate_quiet_ns(const struct rate_trace *t);

/* Whether to stop: the rate has settled, for long enough, and half the interval is at
 * most `precision` (a share) of it. */
bool rate_enough(const struct rate_estimate *e, double precision);

/* How many connections to have from now on. More are worth a try while each carries at
 * least ten segments a round trip (else a further one would only lose packets), and as
 * long as the last step brought a tenth more. `before_bps`: rate with the streams of the
 * step before, 0 when there was none. */
int rate_streams(int streams, int most, double bps, double before_bps, double rtt_s);

#endif
