#include "probes/wan/throughput/rate_estimate.h"

#include <math.h>

#define NS            1e9
#define BIN_NS        INT64_C(100000000)
#define BINS_MAX      64
#define T_95          2.262   /* Student's t, 97.5 %, RATE_BATCHES - 1 degrees */
#define LAG_LEAST     (-0.25) /* of ten batches alone it is not known better */
#define LAG_MOST      0.8
#define HALVES_MOST   0.1
#define SEGMENT_BITS  (1448 * 8.0)
#define SEGMENTS_FULL 10.0 /* a stream that has so many on its way is not starved */
#define GAIN_LEAST    1.1

static void thin(struct rate_trace *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->n; i += 2)
		t->at[kept++] = t->at[i];
	t->step_ns = 2 * (t->step_ns ? t->step_ns
				     : (t->at[kept - 1].at_ns - t->at[0].at_ns) /
					   (int64_t)(t->n - 1));
	t->n = kept;
}

void rate_put(struct rate_trace *t, int64_t at_ns, uint64_t bytes)
{
	const struct rate_sample *last = t->n ? &t->at[t->n - 1] : NULL;

	if (last && (at_ns <= last->at_ns || at_ns - last->at_ns < t->step_ns ||
			bytes < last->bytes))
		return;
	if (t->n == RATE_SAMPLES_MAX)
		thin(t);
	t->at[t->n++] = (struct rate_sample){ at_ns, bytes };
}

int64_t rate_quiet_ns(const struct rate_trace *t)
{
	size_t i = t->n;

	while (i > 1 && t->at[i - 2].bytes == t->at[t->n - 1].bytes)
		i--;
	return t->n ? t->at[t->n - 1].at_ns - t->at[i - 1].at_ns : 0;
}

/* Bytes by a time, on the line between two samples. `*hint` only grows. */
static double bytes_at(const struct rate_trace *t, double at_ns, size_t *hint)
{
	while (*hint + 2 < t->n && (double)t->at[*hint + 1].at_ns < at_ns)
		(*hint)++;
	const struct rate_sample *a = &t->at[*hint], *b = &t->at[*hint + 1];
	double part = (at_ns - (double)a->at_ns) / (double)(b->at_ns - a->at_ns);

	return (double)a->bytes + part * (double)(b->bytes - a->bytes);
}

/* The trace from `from_ns` on in n parts of the same length, each in bit/s. */
static void parts(const struct rate_trace *t, double from_ns, size_t n, double *out)
{
	double to_ns = (double)t->at[t->n - 1].at_ns,
	       width = (to_ns - from_ns) / (double)n;
	size_t hint = 0;
	double before = bytes_at(t, from_ns, &hint);

	for (size_t i = 0; i < n; i++) {
		double now = bytes_at(t, from_ns + width * (double)(i + 1), &hint);

		out[i] = (now - before) * 8 / (width / NS);
		before = now;
	}
}

/* MSER: the cut d ≤ n/2 with the least variance(d … n) / (n - d). One pass from the end,
 * with running sums of squares (Welford). */
static size_t best_cut(const double *bins, size_t n)
{
	double mean = 0, squares = 0, least = INFINITY;
	size_t best = n / 2;

	for (size_t k = 1; k <= n; k++) {
		double x = bins[n - k], delta = x - mean;

		mean += delta / (double)k;
		squares += delta * (x - mean);
		if (n - k > n / 2 || k < 2)
			continue;
		double error = squares / ((double)k * (double)k);
		/* Of equal ones the earlier cut: it keeps more. */
		if (error <= least) {
			least = error;
			best = n - k;
		}
	}
	return best;
}

static double mean_of(const double *x, size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += x[i];
	return n ? sum / (double)n : 0;
}

/* A cut in the very middle says that another, later one might be better yet; or chance.
 */
static bool settled(const double *bins, size_t n, size_t cut)
{
	double before = mean_of(bins, cut), after = mean_of(bins + cut, n - cut);

	return cut < n / 2 || fabs(before - after) <= HALVES_MOST * after;
}

struct scatter {
	double deviation, lag;
};

/* Weight of the i-th of n parts: the parabola 6 t (1 - t), 1 in the mean. */
static double weight(size_t i, size_t n)
{
	double t = ((double)i + 0.5) / (double)n;

	return 6 * t * (1 - t);
}

static double weighted_mean(const double *x, size_t n)
{
	double sum = 0, weights = 0;

	for (size_t i = 0; i < n; i++) {
		sum += weight(i, n) * x[i];
		weights += weight(i, n);
	}
	return sum / weights;
}

/* Deviation of that mean, as a share of one part's. */
static double weighted_error(size_t n)
{
	double squares = 0, weights = 0;

	for (size_t i = 0; i < n; i++) {
		squares += weight(i, n) * weight(i, n);
		weights += weight(i, n);
	}
	return sqrt(squares) / weights;
}

static struct scatter scatter_of(const double *x, size_t n)
{
	struct scatter s = { 0 };
	double squares = 0, products = 0, mean = mean_of(x, n);

	for (size_t i = 0; i < n; i++) {
		squares += (x[i] - mean) * (x[i] - mean);
		if (i)
			products += (x[i] - mean) * (x[i - 1] - mean);
	}
	s.deviation = sqrt(squares / (double)(n - 1));
	s.lag = squares > 0 ? products / squares : 0;
	return s;
}

bool rate_estimate(const struct rate_trace *t, struct rate_estimate *out)
{
	double bins[BINS_MAX], batches[RATE_BATCHES];

	if (t->n < 2)
		return false;
	int64_t from_ns = t->at[0].at_ns, span_ns = t->at[t->n - 1].at_ns - from_ns;
	if (span_ns < RATE_STEADY_LEAST_NS)
		return false;
	size_t n = span_ns / BIN_NS < BINS_MAX ? (size_t)(span_ns / BIN_NS) : BINS_MAX;
	parts(t, (double)from_ns, n, bins);
	size_t cut = best_cut(bins, n);
	double begin = (double)from_ns + (double)span_ns * (double)cut / (double)n;
	struct rate_estimate e = { .discarded_ns = (int64_t)begin - from_ns,
		.settled = settled(bins, n, cut) };

	e.steady_ns = span_ns - e.discarded_ns;
	if (e.steady_ns < RATE_STEADY_LEAST_NS)
		return false;
	parts(t, begin, n, bins);
	e.bps = weighted_mean(bins, n);
	parts(t, begin, RATE_BATCHES, batches);
	struct scatter s = scatter_of(batches, RATE_BATCHES);
	double lag = fmin(fmax(s.lag, LAG_LEAST), LAG_MOST);
	double half = T_95 * s.deviation * weighted_error(RATE_BATCHES) *
		      sqrt((1 + lag) / (1 - lag));
	e.low = fmax(0, e.bps - half);
	e.high = e.bps + half;
	*out = e;
	return true;
}

bool rate_enough(const struct rate_estimate *e, double precision)
{
	return e->settled && e->steady_ns >= RATE_STEADY_GOOD_NS && e->bps > 0 &&
	       (e->high - e->bps) <= precision * e->bps;
}

int rate_streams(int streams, int most, double bps, double before_bps, double rtt_s)
{
	double on_the_way = bps * rtt_s / SEGMENT_BITS / streams;

	if (streams >= most || on_the_way < SEGMENTS_FULL ||
	    (before_bps > 0 && bps < before_bps * GAIN_LEAST))
		return streams;
	return streams * 2 < most ? streams * 2 : most;
}
