/* The points of one series in one hour, packed: times as delta of deltas, whole numbers
 * exact as differences, other numbers exact as the bytes in which they differ from the
 * one before. Points are in order of time, one a millisecond.
 *
 *   u8 version (1) · u8 kind (0 doubles, 1 counters) · varint n · n points
 *   point: varint (zigzag(delta of delta of at_ms) << 1 | rebased), then
 *     counter: varint zigzag(value - previous), modulo 2^64
 *     double:  u8 (leading zero bytes << 4 | trailing zero bytes) of value XOR previous,
 *              then the bytes between, high first; 0x80 when nothing differs
 * The first point's time is relative to the block's hour. */
#ifndef HT_SERVER_DERIVE_BLOCK_H
#define HT_SERVER_DERIVE_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define BLOCK_HOUR_MS    INT64_C(3600000)
#define BLOCK_POINTS_MAX 7200 /* two a second; more are refused */
#define BLOCK_BYTES_MAX  (BLOCK_POINTS_MAX * 20 + 16)

enum block_kind { BLOCK_DOUBLES, BLOCK_COUNTERS };

struct block_point {
	int64_t at_ms;
	bool rebased; /* dated by the server */
	union {
		double number;
		uint64_t counter;
	};
};

struct block {
	int64_t hour_ms;
	enum block_kind kind;
	struct block_point *points; /* n, ascending; owned */
	size_t n, cap;
};

/* An empty block of the hour that holds at_ms. */
void block_init(struct block *b, enum block_kind kind, int64_t at_ms);
void block_fini(struct block *b); /* accepts a zeroed one */

/* HT_MALFORMED for bytes that do not follow the format exactly; `out` as after init. */
HT_MUST_CHECK ht_err block_decode(
    int64_t hour_ms, const void *bytes, size_t len, struct block *out);

/* Put a point in its place. A point at the same millisecond is replaced. HT_RANGE:
 * another hour. HT_FULL, HT_NOMEM: unchanged. */
HT_MUST_CHECK ht_err block_put(struct block *b, const struct block_point *p);

/* Counters become doubles, for a series that turns out to be of both. */
void block_to_doubles(struct block *b);

/* Append to `out` (whose max must allow BLOCK_BYTES_MAX). */
HT_MUST_CHECK ht_err block_encode(const struct block *b, struct ht_buf *out);

/* A point's value as a double. */
double block_number(const struct block *b, size_t i);

int64_t block_hour(int64_t at_ms);

#endif
