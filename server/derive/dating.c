#include "server/derive/dating.h"

#include <math.h>

#include "base/clock.h"
#include "mqtt/senml.h"

#define DRIFT_PPM 100
#define WRONG_SPAN_MS                                                    \
	(INT64_C(86400) * 1000) /* wrong times further apart have jumped \
				 */
#define RELATIVE_MAX_S 1e10     /* keeps arithmetic in range */

static int64_t max64(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t ms_of(int64_t ns)
{
	return ns / HT_NS_PER_MS;
}

bool dating_sight(const struct dating_anchor *have, int64_t clock_ns, int64_t received_ms,
    struct dating_anchor *out)
{
	struct dating_anchor a = {
		.known = true,
		.offset_ms = received_ms - ms_of(clock_ns),
		.at_ms = received_ms,
		.mono_ns = clock_ns,
		.floor_ms = INT64_MIN,
	};

	if (!have->known) {
		*out = a;
		return true;
	}
	if (a.offset_ms >= have->offset_ms &&
	    received_ms - have->at_ms < DATING_WINDOW_MS)
		return false;
	/* What was sealed before this moment was dated by the old offset. */
	a.floor_ms = max64(have->floor_ms, have->offset_ms + ms_of(clock_ns));
	if (a.offset_ms >= have->offset_ms)
		a.floor_ms = have->floor_ms;
	*out = a;
	return true;
}

/* The moment when the boot's clock showed `mono_ms`. */
static int64_t by_anchor(const struct dating_anchor *a, int64_t mono_ms)
{
	int64_t at = a->offset_ms + mono_ms;

	return mono_ms > ms_of(a->mono_ns) ? max64(at, a->floor_ms) : at;
}

static int64_t distance(int64_t a, int64_t b)
{
	return a > b ? a - b : b - a;
}

static struct dating_time between(int64_t low_ms, int64_t high_ms)
{
	/* Bounds that contradict each other (a clock was set): as wide as the
	 * contradiction. */
	return (struct dating_time){
		.at_ms = low_ms + (high_ms - low_ms) / 2,
		.uncertainty_ms = (distance(high_ms, low_ms) + 1) / 2,
		.rebased = true,
	};
}

struct dating_time dating_sealed(const struct dating_pack *p)
{
	int64_t mono_ms = p->has_mono ? ms_of(p->mono_ns) : 0;

	if (p->has_mono && p->anchor.known) {
		int64_t at = by_anchor(&p->anchor, mono_ms);

		return (struct dating_time){
			.at_ms = at,
			.uncertainty_ms =
			    DATING_DELAY_MS +
			    distance(at, p->anchor.at_ms) * DRIFT_PPM / 1000000,
			.rebased = true,
		};
	}
	if (p->bounded) /* the boot began after low, so this came mono later */
		return between(p->low_ms + mono_ms, p->high_ms);
	if (!p->live)
		return between(
		    p->received_ms - DATING_SPOOL_MS + mono_ms, p->received_ms);
	return (struct dating_time){ p->received_ms, DATING_UNDATED_MS, true };
}

static bool absolute(double t)
{
	return t >= SENML_ABSOLUTE_S;
}

static int64_t absolute_ms(double t)
{
	return t < 1e12 ? (int64_t)llround(t * 1000.0) : INT64_C(1000000000000000);
}

/* Could a synchronised clock have shown this when the record was taken? */
static bool believable(const struct dating_pack *p, double t)
{
	int64_t ms = absolute_ms(t);

	return absolute(t) && ms >= DATING_YEAR_2020_MS &&
	       ms <= p->received_ms + DATING_SKEW_MS;
}

/* The newest believable time, if any. */
static bool newest_believable(
    const struct dating_pack *p, const double *t, size_t n, int64_t *out)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		if (!believable(p, t[i]))
			continue;
		*out = any ? max64(*out, absolute_ms(t[i])) : absolute_ms(t[i]);
		any = true;
	}
	return any;
}

/* A backlog of a boot that was never seen cannot be from after the boot that followed,
 * nor from long before what was seen last: an edge does not keep that. */
static bool outside(const struct dating_pack *p, int64_t ms)
{
	return p->bounded && !p->live &&
	       (ms > p->high_ms + DATING_SKEW_MS || ms < p->low_ms - DATING_SPOOL_MS);
}

/* A pack whose sealing is known well and whose newest time is far from it was stamped by
 * a clock that was wrong, however sure the edge was. */
static bool clock_wrong(const struct dating_pack *p, const struct dating_time *sealed,
    const double *t, size_t n)
{
	int64_t newest;

	if (!newest_believable(p, t, n, &newest))
		return false;
	if (p->anchor.known && p->has_mono)
		return distance(newest, sealed->at_ms) >
		       DATING_SKEW_MS + sealed->uncertainty_ms;
	return outside(p, newest);
}

static struct dating_time relative(
    const struct dating_pack *p, const struct dating_time *sealed, double t)
{
	struct dating_time out = *sealed;
	int64_t back_ms = (int64_t)llround(fmin(-t, RELATIVE_MAX_S) * 1000.0);

	out.at_ms -= back_ms;
	/* Ahead of the floor order is kept by the sealing alone; behind it, by the
	 * record's own clock. */
	if (p->anchor.known && p->has_mono && back_ms)
		out.at_ms = by_anchor(&p->anchor, ms_of(p->mono_ns) - back_ms);
	return out;
}

struct wrong {
	int64_t newest_ms; /* of the wrong times */
	int64_t target_ms; /* where that falls */
	bool any;
};

static bool is_wrong(const struct dating_pack *p, double t, bool all)
{
	if (!isfinite(t))
		return true;
	if (t <= 0)
		return false;
	return all || !believable(p, t);
}

static struct wrong find_wrong(const struct dating_pack *p,
    const struct dating_time *sealed, const double *t, size_t n, bool all)
{
	struct wrong w = { .target_ms = min64(sealed->at_ms, p->received_ms) };

	for (size_t i = 0; i < n; i++) {
		if (is_wrong(p, t[i], all)) {
			int64_t ms = isfinite(t[i]) ? absolute_ms(t[i]) : 0;

			w.newest_ms = w.any ? max64(w.newest_ms, ms) : ms;
			w.any = true;
		} else if (t[i] > 0) {
			/* The clock was set in the middle of the pack: they came before
			 * that. */
			w.target_ms = min64(w.target_ms, absolute_ms(t[i]));
		}
	}
	return w;
}

static struct dating_time moved(
    const struct wrong *w, const struct dating_time *sealed, double t)
{
	int64_t back = isfinite(t) ? w->newest_ms - absolute_ms(t) : INT64_MAX;
	bool jumped = back > WRONG_SPAN_MS;

	return (struct dating_time){
		.at_ms = jumped ? w->target_ms : w->target_ms - back,
		.uncertainty_ms =
		    sealed->uncertainty_ms + (jumped ? WRONG_SPAN_MS : DATING_UNDATED_MS),
		.rebased = true,
	};
}

/* No edge is older than 2020: what counts further back says nothing of its time but that
 * it came before the sealing, or, when that is no better, before the arrival. */
static struct dating_time undatable(
    const struct dating_pack *p, const struct dating_time *sealed)
{
	return (struct dating_time){
		.at_ms =
		    sealed->at_ms < DATING_YEAR_2020_MS ? p->received_ms : sealed->at_ms,
		.uncertainty_ms = sealed->uncertainty_ms + WRONG_SPAN_MS,
		.rebased = true,
	};
}

void dating_records(
    const struct dating_pack *p, const double *t, size_t n, struct dating_time *out)
{
	struct dating_time sealed = dating_sealed(p);
	bool all = clock_wrong(p, &sealed, t, n);
	struct wrong w = find_wrong(p, &sealed, t, n, all);

	for (size_t i = 0; i < n; i++) {
		if (is_wrong(p, t[i], all))
			out[i] = moved(&w, &sealed, t[i]);
		else if (t[i] <= 0)
			out[i] = relative(p, &sealed, t[i]);
		else
			out[i] = (struct dating_time){ .at_ms = absolute_ms(t[i]) };
		if (out[i].at_ms < DATING_YEAR_2020_MS)
			out[i] = undatable(p, &sealed);
		/* Nothing was measured after it was received. */
		if (out[i].rebased)
			out[i].at_ms = min64(out[i].at_ms, p->received_ms);
	}
}
