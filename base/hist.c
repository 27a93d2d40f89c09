#include "base/hist.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define LAYOUT "l8"

enum { LAYOUT_LEN = sizeof(LAYOUT) - 1, BELOW = 0, ABOVE = HT_HIST_BUCKETS - 1 };

size_t ht_hist_bucket(int64_t duration_ns)
{
	uint64_t us =
	    duration_ns > 0 ? (uint64_t)duration_ns / (uint64_t)HT_NS_PER_US : 0;

	if (us >> HT_HIST_OCTAVE_MIN == 0)
		return BELOW;
	if (us >> (HT_HIST_OCTAVE_MAX + 1) != 0)
		return ABOVE;
	int octave = 63 - __builtin_clzll(us);
	/* the three bits behind the leading one */
	size_t part = (us >> (octave - 3)) & (HT_HIST_PARTS - 1);

	return 1 + (size_t)(octave - HT_HIST_OCTAVE_MIN) * HT_HIST_PARTS + part;
}

static void count(uint32_t *at, uint32_t n)
{
	*at = UINT32_MAX - *at < n ? UINT32_MAX : *at + n;
}

void ht_hist_add(struct ht_hist *h, int64_t duration_ns)
{
	count(&h->counts[ht_hist_bucket(duration_ns)], 1);
}

void ht_hist_merge(struct ht_hist *into, const struct ht_hist *from)
{
	for (size_t i = 0; i < HT_HIST_BUCKETS; i++)
		count(&into->counts[i], from->counts[i]);
}

uint64_t ht_hist_count(const struct ht_hist *h)
{
	uint64_t n = 0;

	for (size_t i = 0; i < HT_HIST_BUCKETS; i++)
		n += h->counts[i];
	return n;
}

int64_t ht_hist_begins_ns(size_t i)
{
	if (i == BELOW)
		return 0;
	if (i >= HT_HIST_BUCKETS)
		return INT64_MAX;
	size_t octave = HT_HIST_OCTAVE_MIN + (i - 1) / HT_HIST_PARTS;
	int64_t us = (int64_t)(HT_HIST_PARTS + (i - 1) % HT_HIST_PARTS) << (octave - 3);

	return us * HT_NS_PER_US;
}

int64_t ht_hist_quantile_ns(const struct ht_hist *h, double q)
{
	uint64_t all = ht_hist_count(h), passed = 0;
	size_t i = 0;

	if (all == 0)
		return -1;
	/* the rank that is meant, 1..all, so that q = 0 is the shortest */
	double rank = q * (double)all;
	uint64_t wanted = rank < 1 ? 1 : rank > (double)all ? all : (uint64_t)rank;

	wanted += (double)wanted < rank && wanted < all;
	while (passed + h->counts[i] < wanted)
		passed += h->counts[i++];
	if (i == ABOVE)
		return ht_hist_begins_ns(i);
	return (ht_hist_begins_ns(i) + ht_hist_begins_ns(i + 1)) / 2;
}

size_t ht_hist_encode(const struct ht_hist *h, char out[static HT_HIST_TEXT])
{
	size_t len = LAYOUT_LEN;

	memcpy(out, LAYOUT, LAYOUT_LEN + 1);
	for (size_t i = 0; i < HT_HIST_BUCKETS; i++) {
		if (h->counts[i])
			len += (size_t)snprintf(out + len, HT_HIST_TEXT - len,
			    ",%zu:%" PRIu32, i, h->counts[i]);
	}
	return len;
}

/* A decimal without leading zeros and up to `max`; false when there is none. */
static bool take_number(const char **at, const char *end, uint64_t max, uint64_t *out)
{
	const char *from = *at;
	uint64_t n = 0;

	for (; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
		n = n * 10 + (uint64_t)(**at - '0');
		if (n > max)
			return false;
	}
	*out = n;
	return *at > from && (*from != '0' || *at == from + 1);
}

static bool take_letter(const char **at, const char *end, char letter)
{
	if (*at == end || **at != letter)
		return false;
	(*at)++;
	return true;
}

ht_err ht_hist_decode(const char *text, size_t len, struct ht_hist *out)
{
	struct ht_hist h = { 0 };
	const char *at = text, *end = text + len;
	uint64_t least = 0, bucket, n;

	if (len < 2 || *at != 'l')
		return HT_MALFORMED;
	if (memcmp(at, LAYOUT, LAYOUT_LEN) != 0)
		return HT_UNSUPPORTED;
	for (at += LAYOUT_LEN; at < end; least = bucket + 1) {
		if (!take_letter(&at, end, ',') ||
		    !take_number(&at, end, UINT32_MAX, &bucket) ||
		    !take_letter(&at, end, ':') ||
		    !take_number(&at, end, UINT32_MAX, &n) || n == 0)
			return HT_MALFORMED;
		if (bucket < least || bucket >= HT_HIST_BUCKETS)
			return HT_RANGE;
		h.counts[bucket] = (uint32_t)n;
	}
	*out = h;
	return HT_OK;
}
