/* A histogram of durations with logarithmic buckets: each octave from 32 us to 33.6 s is
 * split into eight equal parts, so that a bucket is at most 12.5 % wide; one bucket takes
 * what is below, one what is above. Histograms of any targets and minutes merge by
 * adding. Plain value without pointers; zeroed is empty.
 *
 * As text (evidence on the wire): "l8", then ",<bucket>:<count>" for each bucket that is
 * not empty, buckets ascending, decimal without leading zeros. "l8,24:3,25:57" are three
 * durations of 240 to 256 us and 57 of 256 to 288 us. An empty one is "l8". */
#ifndef HT_BASE_HIST_H
#define HT_BASE_HIST_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
	HT_HIST_PARTS = 8,      /* of an octave */
	HT_HIST_OCTAVE_MIN = 5, /* 2^5 us = 32 us */
	HT_HIST_OCTAVE_MAX = 24,
	HT_HIST_BUCKETS =
	    (HT_HIST_OCTAVE_MAX - HT_HIST_OCTAVE_MIN + 1) * HT_HIST_PARTS + 2,
	HT_HIST_TEXT = 3 + HT_HIST_BUCKETS * 15, /* bytes that any fits in, with NUL */
};

struct ht_hist {
	uint32_t counts[HT_HIST_BUCKETS]; /* they stick at UINT32_MAX */
};

/* Count one duration; what is not above 0 counts as the shortest. */
void ht_hist_add(struct ht_hist *h, int64_t duration_ns);

/* The bucket that a duration falls into, 0..HT_HIST_BUCKETS-1. */
size_t ht_hist_bucket(int64_t duration_ns);

void ht_hist_merge(struct ht_hist *into, const struct ht_hist *from);

uint64_t ht_hist_count(const struct ht_hist *h);

/* Where bucket i begins; it ends where the next begins. i may be HT_HIST_BUCKETS: then
 * INT64_MAX. */
int64_t ht_hist_begins_ns(size_t i);

/* The duration that a share q (0..1) of the counted ones do not exceed, as the middle of
 * its bucket; -1 when empty. The last bucket has no middle: its beginning. */
int64_t ht_hist_quantile_ns(const struct ht_hist *h, double q);

/* Writes the text and a NUL; returns its length. */
size_t ht_hist_encode(const struct ht_hist *h, char out[static HT_HIST_TEXT]);

/* Reads exactly what encode writes: nothing else has the same bytes.
 *   errors  HT_MALFORMED, HT_UNSUPPORTED (other buckets than ours), HT_RANGE */
HT_MUST_CHECK ht_err ht_hist_decode(const char *text, size_t len, struct ht_hist *out);

#endif
