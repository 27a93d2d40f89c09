/* A bounded cursor over untrusted bytes with a sticky error: a bad read yields zero
 * and makes all later reads no-ops, so a parser checks `bad` once, at its end.
 * Multi-byte integers are big-endian (network order) unless named _le. */
#ifndef HT_BASE_READER_H
#define HT_BASE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ht_reader {
	const uint8_t *at, *end; /* borrowed */
	bool bad;
};

static inline struct ht_reader ht_reader_of(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	return (struct ht_reader){ .at = p, .end = p ? p + len : p };
}

static inline size_t ht_reader_left(const struct ht_reader *r)
{
	return r->bad ? 0 : (size_t)(r->end - r->at);
}

/* The next n bytes, borrowed from the input, or NULL. */
static inline const uint8_t *ht_reader_bytes(struct ht_reader *r, size_t n)
{
	if (r->bad || (size_t)(r->end - r->at) < n) {
		r->bad = true; /* stays bad: check once, at the end */
		return NULL;
	}
	const uint8_t *p = r->at;
	r->at += n;
	return p;
}

static inline void ht_reader_skip(struct ht_reader *r, size_t n)
{
	(void)ht_reader_bytes(r, n);
}

static inline uint8_t ht_reader_u8(struct ht_reader *r)
{
	const uint8_t *p = ht_reader_bytes(r, 1);

	return p ? p[0] : 0;
}

static inline uint16_t ht_reader_u16(struct ht_reader *r)
{
	const uint8_t *p = ht_reader_bytes(r, 2);

	return p ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

static inline uint32_t ht_reader_u32(struct ht_reader *r)
{
	const uint8_t *p = ht_reader_bytes(r, 4);

	return p ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
		       p[3]
		 : 0;
}

/* A reader over the next n bytes; bad (and empty) when there are fewer. */
static inline struct ht_reader ht_reader_sub(struct ht_reader *r, size_t n)
{
	const uint8_t *p = ht_reader_bytes(r, n);

	return p ? (struct ht_reader){ .at = p, .end = p + n }
		 : (struct ht_reader){ .bad = true };
}

#endif
