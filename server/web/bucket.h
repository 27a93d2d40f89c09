/* Downsampling: points of a series into equal buckets of time, each with its least, mean
 * and greatest value. A bucket without a point is a gap, never zero. Pure. */
#ifndef HT_SERVER_WEB_BUCKET_H
#define HT_SERVER_WEB_BUCKET_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define BUCKETS_MAX 2000

struct bucket {
	double min, max, sum;
	int64_t n;
};

struct buckets {
	int64_t from_ms, step_ms;
	size_t n;
	struct bucket at[BUCKETS_MAX];
};

/* n buckets over [from, to); the step is a whole number of ms, so the last may reach
 * beyond `to`. HT_RANGE when the range is empty or n is not 1..BUCKETS_MAX. */
HT_MUST_CHECK ht_err buckets_init(
    struct buckets *b, int64_t from_ms, int64_t to_ms, size_t n);
void buckets_put(struct buckets *b, int64_t at_ms, double value); /* outside: ignored */

#endif
