#include "probes/wan/local/lives.h"

#include <stdlib.h>
#include <string.h>

void lives_fini(struct lives *l)
{
	free(l->at);
	*l = (struct lives){ 0 };
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct life *)a)->name, ((const struct life *)b)->name);
}

static bool name_of(const struct table_row *r, struct life *out)
{
	const char *name = r->texts[TABLE_NAME];

	if (!name || strlen(name) > LIVES_NAME_MAX)
		return false;
	*out = (struct life){ .index = (uint32_t)r->index };
	memcpy(out->name, name, strlen(name));
	return true;
}

static uint32_t since(
    const struct lives *l, const struct life *now, bool known_boot, uint32_t now_ticks)
{
	const struct life *before =
	    l->n ? bsearch(now, l->at, l->n, sizeof(*l->at), by_name) : NULL;

	if (!known_boot)
		return 0;
	return before && before->index == now->index ? before->since_ticks : now_ticks;
}

ht_err lives_update(struct lives *l, struct table *t, uint64_t boot, uint32_t now_ticks)
{
	struct lives next = { .boot = boot, .at = calloc(t->n + 1, sizeof(*next.at)) };
	bool known_boot = l->boot == boot;

	if (!next.at)
		return HT_NOMEM;
	for (size_t i = 0; i < t->n && next.n < LIVES_MAX; i++) {
		struct life *e = &next.at[next.n];

		if (!name_of(&t->rows[i], e))
			continue;
		e->since_ticks = since(l, e, known_boot, now_ticks);
		table_put_number(&t->rows[i], TABLE_DISCONTINUITY, e->since_ticks);
		next.n++;
	}
	qsort(next.at, next.n, sizeof(*next.at), by_name);
	lives_fini(l);
	*l = next;
	return HT_OK;
}

/* ── Memory ───────────────────────────────────────────────────────────────────────── */

/* version · boot · { length of the name · name · index · since } */
enum { VERSION = 1 };

static void put_u32(struct ht_buf *b, uint32_t v)
{
	const uint8_t bytes[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16),
		(uint8_t)(v >> 8), (uint8_t)v };

	ht_buf_put(b, bytes, sizeof(bytes));
}

void lives_encode(const struct lives *l, struct ht_buf *out)
{
	uint8_t byte = VERSION;

	ht_buf_put(out, &byte, 1);
	put_u32(out, (uint32_t)(l->boot >> 32));
	put_u32(out, (uint32_t)l->boot);
	for (size_t i = 0; i < l->n; i++) {
		byte = (uint8_t)strlen(l->at[i].name);
		ht_buf_put(out, &byte, 1);
		ht_buf_put(out, l->at[i].name, byte);
		put_u32(out, l->at[i].index);
		put_u32(out, l->at[i].since_ticks);
	}
}

static void get_life(struct ht_reader *r, struct life *out)
{
	uint8_t len = ht_reader_u8(r);
	const uint8_t *name = ht_reader_bytes(r, len);

	if (!name || len == 0 || len > LIVES_NAME_MAX || memchr(name, 0, len)) {
		r->bad = true;
		return;
	}
	memcpy(out->name, name, len);
	out->index = ht_reader_u32(r);
	out->since_ticks = ht_reader_u32(r);
}

ht_err lives_decode(struct lives *l, const void *bytes, size_t len)
{
	struct ht_reader r = ht_reader_of(bytes, len);
	struct lives new = { 0 };
	bool version = ht_reader_u8(&r) == VERSION;

	*l = (struct lives){ 0 };
	new.boot = (uint64_t)ht_reader_u32(&r) << 32;
	new.boot |= ht_reader_u32(&r);
	if (r.bad || !version)
		return HT_MALFORMED;
	new.at = calloc(LIVES_MAX, sizeof(*new.at));
	if (!new.at)
		return HT_NOMEM;
	while (ht_reader_left(&r) && new.n < LIVES_MAX)
		get_life(&r, &new.at[new.n++]);
	for (size_t i = 1; i < new.n && !r.bad; i++)
		r.bad = by_name(&new.at[i - 1], &new.at[i]) >= 0;
	if (r.bad || ht_reader_left(&r)) {
		lives_fini(&new);
		return HT_MALFORMED;
	}
	*l = new;
	return HT_OK;
}
