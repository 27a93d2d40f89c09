/* What identity.h tells people, and what it keeps between two polls. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/name.h"
#include "probes/snmp/identity.h"

/* ── Words ────────────────────────────────────────────────────────────────────────── */

static size_t list(char *out, size_t cap, unsigned bits)
{
	static const char *const words[] = { "ifName", "ifAlias", "ifPhysAddress",
		"ifDescr", "ifIndex" };
	size_t at = 0;

	for (size_t i = 0; i < HT_COUNT(words) && at < cap; i++) {
		if (bits & IDENTITY_BIT(i))
			at += (size_t)snprintf(
			    out + at, cap - at, "%s%s", at ? ", " : "", words[i]);
	}
	return at;
}

bool identity_why(const struct identity_match *m, char out[static IDENTITY_WHY_MAX])
{
	char same[64] = "nothing", other[64] = "";

	if (m->verdict == IDENTITY_SAME || m->verdict == IDENTITY_BEYOND)
		return false;
	if (m->verdict == IDENTITY_NEW) {
		snprintf(out, IDENTITY_WHY_MAX,
		    "new: like none that was known of this device");
	} else if (m->verdict == IDENTITY_AMBIGUOUS) {
		snprintf(out, IDENTITY_WHY_MAX,
		    "new: several known ones are as like it as each other, so none is "
		    "taken for it");
	} else {
		list(same, sizeof(same), m->same);
		if (!list(other, sizeof(other), m->other))
			snprintf(out, IDENTITY_WHY_MAX, "back: as before in %s", same);
		else if (m->other & IDENTITY_INDEX)
			snprintf(out, IDENTITY_WHY_MAX,
			    "the same: as before in %s; other %s, ifIndex was %u", same,
			    other, m->index_before);
		else
			snprintf(out, IDENTITY_WHY_MAX,
			    "the same: as before in %s; other %s", same, other);
	}
	return true;
}

/* ── Memory ───────────────────────────────────────────────────────────────────────── */

/* version · n · { flags · id · index · type · marks that are there }; the other version
 * says that there were more rows than are remembered. */
enum { VERSION = 1, VERSION_BEYOND = 2, FLAG_GONE = 0x80 };

static void put_u8(struct ht_buf *b, uint8_t v)
{
	ht_buf_put(b, &v, 1);
}

static void put_varint(struct ht_buf *b, uint32_t v)
{
	for (; v >= 0x80; v >>= 7)
		put_u8(b, (uint8_t)(v | 0x80));
	put_u8(b, (uint8_t)v);
}

static void put_u32(struct ht_buf *b, uint32_t v)
{
	const uint8_t bytes[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16),
		(uint8_t)(v >> 8), (uint8_t)v };

	ht_buf_put(b, bytes, sizeof(bytes));
}

static uint32_t get_varint(struct ht_reader *r)
{
	uint32_t v = 0;

	for (unsigned shift = 0; shift < 35; shift += 7) {
		uint8_t byte = ht_reader_u8(r);

		v |= (uint32_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	r->bad = true;
	return 0;
}

void identity_encode(const struct identity *k, struct ht_buf *out)
{
	put_u8(out, k->beyond ? VERSION_BEYOND : VERSION);
	put_varint(out, (uint32_t)k->n);
	for (size_t i = 0; i < k->n; i++) {
		const struct identity_known *e = &k->known[i];
		uint8_t flags = e->gone ? FLAG_GONE : 0;

		for (size_t t = 0; t < IDENTITY_TEXTS; t++)
			flags |= e->marks[t] ? (uint8_t)IDENTITY_BIT(t) : 0;
		put_u8(out, flags);
		put_u8(out, (uint8_t)strlen(e->id));
		ht_buf_put(out, e->id, strlen(e->id));
		put_varint(out, e->index);
		put_varint(out, e->type);
		for (size_t t = 0; t < IDENTITY_TEXTS; t++) {
			if (e->marks[t])
				put_u32(out, e->marks[t]);
		}
	}
}

static void get_known(struct ht_reader *r, struct identity_known *out)
{
	uint8_t flags = ht_reader_u8(r), len = ht_reader_u8(r);
	const uint8_t *id = ht_reader_bytes(r, len);

	if (!id || len == 0 || len > IDENTITY_ID_MAX) {
		r->bad = true;
		return;
	}
	memcpy(out->id, id, len);
	if (!ht_id_valid(out->id, IDENTITY_ID_MAX))
		r->bad = true;
	out->gone = flags & FLAG_GONE;
	out->index = get_varint(r);
	out->type = get_varint(r);
	for (size_t t = 0; t < IDENTITY_TEXTS; t++)
		out->marks[t] = flags & IDENTITY_BIT(t) ? ht_reader_u32(r) : 0;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Two of one id would make two interfaces one. */
static bool ids_differ(const struct identity *k)
{
	const char **ids = calloc(k->n + 1, sizeof(char *));
	bool ok = ids != NULL;

	for (size_t i = 0; i < k->n && ok; i++)
		ids[i] = k->known[i].id;
	if (ok)
		qsort(ids, k->n, sizeof(char *), by_id);
	for (size_t i = 1; i < k->n && ok; i++)
		ok = strcmp(ids[i - 1], ids[i]) != 0;
	free(ids);
	return ok;
}

ht_err identity_decode(struct identity *k, struct ht_reader *r)
{
	struct identity new = { 0 };

	*k = (struct identity){ 0 };
	uint8_t version = ht_reader_u8(r);

	if (version != VERSION && version != VERSION_BEYOND)
		return HT_MALFORMED;
	new.beyond = version == VERSION_BEYOND;
	new.n = get_varint(r);
	if (r->bad || new.n > IDENTITY_MAX + IDENTITY_GONE_MAX)
		return HT_MALFORMED;
	new.known = calloc(new.n + 1, sizeof(*new.known));
	if (!new.known)
		return HT_NOMEM;
	for (size_t i = 0; i < new.n && !r->bad; i++)
		get_known(r, &new.known[i]);
	if (r->bad || !ids_differ(&new)) {
		identity_fini(&new);
		return HT_MALFORMED;
	}
	*k = new;
	return HT_OK;
}
