#include "server/web/bucket.h"

#include <math.h>

ht_err buckets_init(struct buckets *b, int64_t from_ms, int64_t to_ms, size_t n)
{
	if (to_ms <= from_ms || n < 1 || n > BUCKETS_MAX)
		return HT_RANGE;
	b->from_ms = from_ms;
	b->step_ms = (to_ms - from_ms + (int64_t)n - 1) / (int64_t)n;
	b->n = n;
	for (size_t i = 0; i < n; i++)
		b->at[i] = (struct bucket){ .min = INFINITY, .max = -INFINITY };
	return HT_OK;
}

void buckets_put(struct buckets *b, int64_t at_ms, double value)
{
	if (at_ms < b->from_ms || !isfinite(value))
		return;
	int64_t i = (at_ms - b->from_ms) / b->step_ms;
	if (i >= (int64_t)b->n)
		return;
	struct bucket *k = &b->at[i];
	k->min = fmin(k->min, value);
	k->max = fmax(k->max, value);
	k->sum += value;
	k->n++;
}
