#include "server/derive/block.h"

#include <stdlib.h>
#include <string.h>

#include "base/reader.h"

#define VERSION         1
#define VARINT_MAX      10
#define NOTHING_DIFFERS 0x80

/* ── numbers ─────────────────────────────────────────────────────────────────────── */

static uint64_t zigzag(int64_t v)
{
	return ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);
}

static int64_t unzigzag(uint64_t v)
{
	uint64_t u = (v >> 1) ^ (v & 1 ? UINT64_MAX : 0);
	int64_t out;

	memcpy(&out, &u, sizeof(out));
	return out;
}

static void put_varint(struct ht_buf *out, uint64_t v)
{
	uint8_t bytes[VARINT_MAX];
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		bytes[n++] = (uint8_t)(v | 0x80);
	bytes[n++] = (uint8_t)v;
	ht_buf_put(out, bytes, n);
}

/* The shortest form only, so that a block has one encoding. */
static uint64_t get_varint(struct ht_reader *r)
{
	uint64_t v = 0;

	for (int shift = 0; shift < 64; shift += 7) {
		uint8_t b = ht_reader_u8(r);

		if (shift == 63 && b > 1)
			break;
		v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80)) {
			if (b == 0 && shift > 0)
				break;
			return v;
		}
	}
	r->bad = true;
	return 0;
}

static uint64_t bits_of(double d)
{
	uint64_t u;

	memcpy(&u, &d, sizeof(u));
	return u;
}

static double double_of(uint64_t u)
{
	double d;

	memcpy(&d, &u, sizeof(d));
	return d;
}

static void put_double(struct ht_buf *out, uint64_t before, uint64_t now)
{
	uint64_t x = before ^ now;
	uint8_t bytes[8], head;
	int lead = 0, trail = 0;

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(x >> (56 - 8 * i));
	while (lead < 8 && bytes[lead] == 0)
		lead++;
	while (lead < 8 && bytes[7 - trail] == 0)
		trail++;
	head = lead == 8 ? NOTHING_DIFFERS : (uint8_t)(lead << 4 | trail);
	ht_buf_put(out, &head, 1);
	ht_buf_put(out, bytes + lead, lead == 8 ? 0 : (size_t)(8 - lead - trail));
}

static uint64_t get_double(struct ht_reader *r, uint64_t before)
{
	uint8_t head = ht_reader_u8(r);
	int lead = head >> 4, trail = head & 15, n = 8 - lead - trail;
	uint64_t x = 0;

	if (head == NOTHING_DIFFERS)
		return before;
	if (lead > 7 || n < 1) {
		r->bad = true;
		return 0;
	}
	const uint8_t *bytes = ht_reader_bytes(r, (size_t)n);
	if (!bytes || bytes[0] == 0 || bytes[n - 1] == 0) {
		r->bad = true;
		return 0;
	}
	for (int i = 0; i < n; i++)
		x = x << 8 | bytes[i];
	return before ^ x << 8 * trail;
}

/* ── blocks ──────────────────────────────────────────────────────────────────────── */

int64_t block_hour(int64_t at_ms)
{
	int64_t rest = at_ms % BLOCK_HOUR_MS;

	return at_ms - (rest < 0 ? rest + BLOCK_HOUR_MS : rest);
}

void block_init(struct block *b, enum block_kind kind, int64_t at_ms)
{
	*b = (struct block){ .hour_ms = block_hour(at_ms), .kind = kind };
}

void block_fini(struct block *b)
{
	free(b->points);
	b->points = NULL;
	b->n = b->cap = 0;
}

static ht_err grow(struct block *b)
{
	size_t cap = b->cap ? b->cap * 2 : 64;
	struct block_point *points;

	if (b->n < b->cap)
		return HT_OK;
	if (b->n >= BLOCK_POINTS_MAX)
		return HT_FULL;
	points = realloc(b->points, cap * sizeof(*points));
	if (!points)
		return HT_NOMEM;
	b->points = points;
	b->cap = cap;
	return HT_OK;
}

ht_err block_put(struct block *b, const struct block_point *p)
{
	size_t i = b->n;

	if (block_hour(p->at_ms) != b->hour_ms)
		return HT_RANGE;
	while (i > 0 && b->points[i - 1].at_ms > p->at_ms)
		i--;
	if (i > 0 && b->points[i - 1].at_ms == p->at_ms) {
		b->points[i - 1] = *p;
		return HT_OK;
	}
	if (b->n >= BLOCK_POINTS_MAX)
		return HT_FULL;
	ht_err err = grow(b);
	if (err)
		return err;
	memmove(b->points + i + 1, b->points + i, (b->n - i) * sizeof(*p));
	b->points[i] = *p;
	b->n++;
	return HT_OK;
}

void block_to_doubles(struct block *b)
{
	for (size_t i = 0; i < b->n; i++)
		b->points[i].number = block_number(b, i);
	b->kind = BLOCK_DOUBLES;
}

double block_number(const struct block *b, size_t i)
{
	return b->kind == BLOCK_COUNTERS ? (double)b->points[i].counter
					 : b->points[i].number;
}

ht_err block_encode(const struct block *b, struct ht_buf *out)
{
	uint8_t head[2] = { VERSION, (uint8_t)b->kind };
	int64_t at = b->hour_ms, delta = 0;
	uint64_t before = 0;

	ht_buf_put(out, head, sizeof(head));
	put_varint(out, b->n);
	for (size_t i = 0; i < b->n; i++) {
		const struct block_point *p = &b->points[i];
		int64_t d = p->at_ms - at;

		put_varint(out, zigzag(d - delta) << 1 | p->rebased);
		delta = d;
		at = p->at_ms;
		if (b->kind == BLOCK_COUNTERS) {
			put_varint(out, zigzag((int64_t)(p->counter - before)));
			before = p->counter;
		} else {
			put_double(out, before, bits_of(p->number));
			before = bits_of(p->number);
		}
	}
	return ht_buf_err(out);
}

/* Times stay inside the hour and ascend, so no sum can overflow. */
static bool get_time(struct ht_reader *r, const struct block *b, int64_t *at,
    int64_t *delta, bool *rebased)
{
	uint64_t v = get_varint(r);
	int64_t dd = unzigzag(v >> 1);

	if (r->bad || dd > 2 * BLOCK_HOUR_MS || dd < -2 * BLOCK_HOUR_MS)
		return false;
	*rebased = v & 1;
	*delta += dd;
	*at += *delta;
	return *delta >= (b->n ? 1 : 0) && *at < b->hour_ms + BLOCK_HOUR_MS;
}

static ht_err get_points(struct ht_reader *r, struct block *b, uint64_t n)
{
	int64_t at = b->hour_ms, delta = 0;
	uint64_t before = 0;

	for (uint64_t i = 0; i < n; i++) {
		struct block_point p;
		ht_err err = grow(b);

		if (err)
			return err == HT_FULL ? HT_MALFORMED : err;
		if (!get_time(r, b, &at, &delta, &p.rebased))
			return HT_MALFORMED;
		p.at_ms = at;
		if (b->kind == BLOCK_COUNTERS) {
			before += (uint64_t)unzigzag(get_varint(r));
			p.counter = before;
		} else {
			before = get_double(r, before);
			p.number = double_of(before);
		}
		if (r->bad)
			return HT_MALFORMED;
		b->points[b->n++] = p;
	}
	return r->at == r->end ? HT_OK : HT_MALFORMED;
}

ht_err block_decode(int64_t hour_ms, const void *bytes, size_t len, struct block *out)
{
	struct ht_reader r = ht_reader_of(bytes, len);
	uint8_t version = ht_reader_u8(&r), kind = ht_reader_u8(&r);
	uint64_t n = get_varint(&r);
	struct block b;

	block_init(&b, (enum block_kind)kind, hour_ms);
	if (r.bad || version != VERSION || kind > BLOCK_COUNTERS || n > BLOCK_POINTS_MAX)
		return HT_MALFORMED;
	ht_err err = get_points(&r, &b, n);
	if (err) {
		block_fini(&b);
		return err;
	}
	*out = b;
	return HT_OK;
}
