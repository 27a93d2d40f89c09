/* How much of a link is used, as carriers bill it: five-minute means, kept by the hour,
 * from which the 95th percentile, the busy hour and the mean of office hours follow.
 * Rates between polls of any spacing are spread over the slots that they cover; an hour
 * is a sum, so hours of the same link and agent merge, and a time that was counted once
 * is not counted again. Pure.
 *
 * An hour as bytes: 1 (version); a little-endian mask of 12 bits, the slots that hold
 * something; for each of those three LEB128 numbers: milliseconds that lack in the slot,
 * kilobits down, kilobits up; then the number of kinds of gaps, and for each its kind
 * (enum usage_gap) and how often, both LEB128. */
#ifndef HT_SERVER_DERIVE_USAGE_H
#define HT_SERVER_DERIVE_USAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "server/derive/calendar.h"
#include "server/derive/rate.h"

#define USAGE_HOUR_MS INT64_C(3600000)
#define USAGE_SLOT_MS INT64_C(300000)
/* Polls that are further apart give no five-minute means: an average over longer hides
 * the peaks that the percentile is about. */
#define USAGE_APART_MS INT64_C(960000)

/* The hour that holds a time, also one before 1970. */
int64_t usage_hour_of(int64_t at_ms);

enum { USAGE_SLOTS = 12, USAGE_BYTES_MAX = 512 };

/* Why there is no rate: the verdicts of rate.h, and our own. */
enum usage_gap {
	USAGE_GAP_APART = RATE_TOO_FAR + 1, /* polls too far apart */
	USAGE_GAP_INTERFACE,                /* another interface carries the link now */
	USAGE_GAPS
};
const char *usage_gap_reason(int gap); /* one sentence without a full stop */

struct usage_slot {
	uint32_t ms;                 /* observed, at most USAGE_SLOT_MS */
	uint64_t down_kbit, up_kbit; /* that went through in them */
};

struct usage_hour {
	struct usage_slot slots[USAGE_SLOTS];
	uint32_t gaps[USAGE_GAPS];
};

/* The part of [from_ms, to_ms) that lies in the hour at `hour_ms`, at these rates in
 * bit/s (0 to 1e15). What a slot has no room for any more is left out: it was counted. */
void usage_add(struct usage_hour *h, int64_t hour_ms, int64_t from_ms, int64_t to_ms,
    double down_bps, double up_bps);

bool usage_slot_counts(const struct usage_slot *s); /* at least half was observed */
double usage_slot_bps(const struct usage_slot *s, bool up);

/* Returns the length. */
size_t usage_encode(const struct usage_hour *h, uint8_t out[static USAGE_BYTES_MAX]);
/* HT_MALFORMED for anything that encode does not write. */
HT_MUST_CHECK ht_err usage_decode(const void *bytes, size_t len, struct usage_hour *out);

/* ── a window of hours ───────────────────────────────────────────────────────────── */

/* One direction. NaN: nothing observed. */
struct usage_way {
	double p95, mean, peak;         /* of five-minute means, bit/s */
	double office_p95, office_mean; /* of those in office hours */
	double busy;                    /* mean of the busiest clock hour of the office */
	int busy_hour;                  /* 0..23 local time; -1 */
};

struct usage_figures {
	int64_t from_ms, to_ms;
	int64_t declared, observed;               /* slots of five minutes */
	int64_t office_declared, office_observed; /* those in office hours */
	int64_t provisional; /* of them on days that no decision is known for */
	struct usage_way down, up;
	uint64_t gaps[USAGE_GAPS];
};

struct usage_window;

/* Of [from_ms, to_ms), at most 400 days, whole slots. The calendar is borrowed. */
HT_MUST_CHECK ht_err usage_window_new(
    const struct calendar *c, int64_t from_ms, int64_t to_ms, struct usage_window **out);
/* Hours in the order of time; of several agents' hours of one time each slot is taken
 * from who observed most of it, the first of equals. HT_NOMEM. */
HT_MUST_CHECK ht_err usage_window_hour(
    struct usage_window *w, int64_t hour_ms, const struct usage_hour *h);
/* Ends the window: no more hours after it. */
void usage_window_figures(struct usage_window *w, struct usage_figures *out);
void usage_window_free(struct usage_window *w); /* accepts NULL */

/* The value that a share q of the n values does not exceed (nearest rank); sorts them.
 * NaN for none. */
double usage_percentile(double *values, size_t n, double q);

#endif
