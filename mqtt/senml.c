#include "mqtt/senml.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"
#include "mqtt/senml_record.h"

enum { NAME_MAX_BYTES = 255, UNIT_MAX_BYTES = 64, VERSION_MAX = 10, ARENA_BLOCK = 8192 };

/* Seconds whose nanoseconds fit in int64. */
#define TIME_MAX_S 9.0e9

const struct senml_label senml_labels[SENML_FIELD_COUNT] = {
	[SENML_BN] = { "bn", -2 },
	[SENML_BT] = { "bt", -3 },
	[SENML_BU] = { "bu", -4 },
	[SENML_BV] = { "bv", -5 },
	[SENML_BS] = { "bs", -6 },
	[SENML_BVER] = { "bver", -1 },
	[SENML_N] = { "n", 0 },
	[SENML_U] = { "u", 1 },
	[SENML_V] = { "v", 2 },
	[SENML_VS] = { "vs", 3 },
	[SENML_VB] = { "vb", 4 },
	[SENML_S] = { "s", 5 },
	[SENML_T] = { "t", 6 },
	[SENML_UT] = { "ut", 7 },
	[SENML_VD] = { "vd", 8 },
};

#define BIT(field) (1u << (field))

enum {
	BASE_FIELDS = BIT(SENML_BN) | BIT(SENML_BT) | BIT(SENML_BU) | BIT(SENML_BV) |
		      BIT(SENML_BS) | BIT(SENML_BVER),
	VALUE_FIELDS = BIT(SENML_V) | BIT(SENML_VS) | BIT(SENML_VB),
	TEXT_FIELDS = BIT(SENML_BN) | BIT(SENML_BU) | BIT(SENML_N) | BIT(SENML_U) |
		      BIT(SENML_VS) | BIT(SENML_VD)
};

/* --- raw records ------------------------------------------------------------------- */

enum senml_field senml_field_by_json(const char *label, size_t len)
{
	size_t f = 0;

	while (
	    f < SENML_FIELD_COUNT && (strlen(senml_labels[f].json) != len ||
					 memcmp(senml_labels[f].json, label, len) != 0))
		f++;
	return (enum senml_field)f;
}

enum senml_field senml_field_by_cbor(int64_t label)
{
	size_t f = 0;

	while (f < SENML_FIELD_COUNT && senml_labels[f].cbor != label)
		f++;
	return (enum senml_field)f;
}

bool senml_label_binding(const char *label, size_t len)
{
	return len > 0 && label[len - 1] == '_';
}

static bool is_number(const struct senml_value *v)
{
	return v->kind == SENML_WHOLE || v->kind == SENML_REAL;
}

static double as_double(const struct senml_value *v)
{
	return v->kind == SENML_WHOLE ? (double)v->whole : v->real;
}

static bool kind_fits(enum senml_field field, const struct senml_value *v)
{
	if (TEXT_FIELDS & BIT(field))
		return v->kind == SENML_TEXT;
	if (field == SENML_VB)
		return v->kind == SENML_FLAG;
	if (field == SENML_BVER)
		return v->kind == SENML_WHOLE;
	return is_number(v);
}

ht_err senml_raw_put(struct senml_raw *raw, enum senml_field field,
    const struct senml_value *value, struct ht_fault *fault)
{
	const char *label = senml_labels[field].json;

	if (raw->has & BIT(field))
		return ht_fault_set(fault, HT_MALFORMED, "'%s' is there twice", label);
	if (!kind_fits(field, value))
		return ht_fault_set(
		    fault, HT_MALFORMED, "'%s' has a value of the wrong kind", label);
	raw->has |= BIT(field);
	raw->at[field] = *value;
	return HT_OK;
}

/* --- the arena -----------------------------------------------------------------------
 */

struct block {
	struct block *next;
	size_t used, cap;
	char bytes[];
};

static char *arena_alloc(struct senml_pack *pack, size_t len)
{
	struct block *b = pack->arena;

	if (!b || b->cap - b->used < len) {
		size_t cap = len > ARENA_BLOCK ? len : ARENA_BLOCK;

		b = malloc(sizeof(*b) + cap);
		if (!b)
			return NULL;
		*b = (struct block){ .next = pack->arena, .cap = cap };
		pack->arena = b;
	}
	char *at = b->bytes + b->used;
	b->used += len;
	return at;
}

/* Two texts, one behind the other, with a NUL. */
static const char *arena_join(
    struct senml_pack *pack, const char *a, size_t a_len, const char *b, size_t b_len)
{
	char *at = arena_alloc(pack, a_len + b_len + 1);

	if (!at)
		return NULL;
	memcpy(at, a, a_len);
	memcpy(at + a_len, b, b_len);
	at[a_len + b_len] = '\0';
	return at;
}

void senml_pack_fini(struct senml_pack *pack)
{
	for (struct block *b = pack->arena, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	free(pack->records);
	*pack = (struct senml_pack){ 0 };
}

/* --- resolving -----------------------------------------------------------------------
 */

static ht_err bad(const struct senml_resolver *r, ht_err err, const char *what)
{
	return ht_fault_set(r->fault, err, "record %zu: %s", r->seen, what);
}

static ht_err no_memory(const struct senml_resolver *r)
{
	return ht_fault_set(r->fault, HT_NOMEM, "out of memory");
}

/* RFC 8428, 4.5.1. */
static bool name_byte(char c, bool first)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		return true;
	return !first && c && strchr("-:./_", c);
}

static bool name_valid(const char *name, size_t len, bool whole)
{
	for (size_t i = 0; i < len; i++) {
		if (!name_byte(name[i], whole && i == 0))
			return false;
	}
	return len <= NAME_MAX_BYTES;
}

static bool unit_valid(const char *unit, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (unit[i] <= ' ' || unit[i] > '~')
			return false;
	}
	return len > 0 && len <= UNIT_MAX_BYTES;
}

static bool text_valid(const char *text, size_t len)
{
	return !memchr(text, '\0', len) && ht_utf8_valid(text, len);
}

static ht_err resolve_base(struct senml_resolver *r, const struct senml_raw *raw)
{
	const struct senml_value *v = raw->at;

	if ((raw->has & BIT(SENML_BVER)) &&
	    (v[SENML_BVER].whole == 0 || v[SENML_BVER].whole > VERSION_MAX))
		return bad(
		    r, HT_UNSUPPORTED, "a version (bver) that is not known; 10 is");
	if (raw->has & BIT(SENML_BN)) {
		if (!name_valid(v[SENML_BN].text, v[SENML_BN].len, true))
			return bad(r, HT_MALFORMED,
			    "base name is too long or has a byte that no name may have");
		r->base_name =
		    arena_join(r->pack, v[SENML_BN].text, v[SENML_BN].len, "", 0);
		if (!r->base_name)
			return no_memory(r);
	}
	if (raw->has & BIT(SENML_BU)) {
		if (!unit_valid(v[SENML_BU].text, v[SENML_BU].len))
			return bad(r, HT_MALFORMED,
			    "base unit is not 1 to 64 printable ASCII letters");
		r->base_unit =
		    arena_join(r->pack, v[SENML_BU].text, v[SENML_BU].len, "", 0);
		if (!r->base_unit)
			return no_memory(r);
	}
	if (raw->has & BIT(SENML_BT))
		r->base_time_s = as_double(&v[SENML_BT]);
	if (raw->has & BIT(SENML_BV))
		r->base_value = v[SENML_BV];
	return HT_OK;
}

static ht_err resolve_name(
    struct senml_resolver *r, const struct senml_raw *raw, struct senml_record *out)
{
	bool own = raw->has & BIT(SENML_N);
	const char *name = own ? raw->at[SENML_N].text : "";
	size_t len = own ? raw->at[SENML_N].len : 0, base_len = strlen(r->base_name);

	if (base_len + len == 0)
		return bad(r, HT_MALFORMED, "it has no name");
	if (base_len + len > NAME_MAX_BYTES || !name_valid(name, len, base_len == 0))
		return bad(r, HT_MALFORMED,
		    "its name is too long or has a byte that no name may have");
	out->name = arena_join(r->pack, r->base_name, base_len, name, len);
	return out->name ? HT_OK : no_memory(r);
}

static ht_err resolve_unit(
    struct senml_resolver *r, const struct senml_raw *raw, struct senml_record *out)
{
	const struct senml_value *u = &raw->at[SENML_U];

	if (!(raw->has & BIT(SENML_U))) {
		out->unit = r->base_unit;
		return HT_OK;
	}
	if (!unit_valid(u->text, u->len))
		return bad(
		    r, HT_MALFORMED, "its unit is not 1 to 64 printable ASCII letters");
	out->unit = arena_join(r->pack, u->text, u->len, "", 0);
	return out->unit ? HT_OK : no_memory(r);
}

static ht_err resolve_time(
    struct senml_resolver *r, const struct senml_raw *raw, struct senml_record *out)
{
	double own = raw->has & BIT(SENML_T) ? as_double(&raw->at[SENML_T]) : 0;

	out->time_s = r->base_time_s + own;
	if (!(fabs(out->time_s) <= TIME_MAX_S))
		return bad(
		    r, HT_MALFORMED, "its time is more than 9e9 seconds from 1970");
	return HT_OK;
}

/* Base value + value: whole numbers stay whole while they fit. */
static ht_err resolve_number(
    struct senml_resolver *r, const struct senml_value *v, struct senml_record *out)
{
	const struct senml_value *base = &r->base_value;

	if (v->kind == SENML_WHOLE && base->kind == SENML_WHOLE &&
	    !__builtin_add_overflow(v->whole, base->whole, &out->counter)) {
		out->kind = HT_COUNTER;
		return HT_OK;
	}
	out->kind = HT_NUMBER;
	out->number = as_double(v);
	if (base->kind != SENML_WHOLE || base->whole != 0)
		out->number += as_double(base);
	return isfinite(out->number) ? HT_OK
				     : bad(r, HT_MALFORMED, "its number is not finite");
}

static ht_err resolve_value(
    struct senml_resolver *r, const struct senml_raw *raw, struct senml_record *out)
{
	const struct senml_value *v = raw->at;

	switch (raw->has & VALUE_FIELDS) {
	case BIT(SENML_V):
		return resolve_number(r, &v[SENML_V], out);
	case BIT(SENML_VB):
		out->kind = HT_BOOL;
		out->boolean = v[SENML_VB].flag;
		return HT_OK;
	case BIT(SENML_VS):
		if (!text_valid(v[SENML_VS].text, v[SENML_VS].len))
			return bad(
			    r, HT_MALFORMED, "its text is not UTF-8 or has a NUL in it");
		out->kind = HT_STRING;
		out->string =
		    arena_join(r->pack, v[SENML_VS].text, v[SENML_VS].len, "", 0);
		return out->string ? HT_OK : no_memory(r);
	case 0:
		if (raw->has & (BIT(SENML_S) | BIT(SENML_BS)))
			return bad(r, HT_UNSUPPORTED, "it has a sum but no value");
		return bad(r, HT_MALFORMED, "it has no value");
	default:
		return bad(r, HT_MALFORMED, "it has more than one value");
	}
}

static ht_err pack_append(struct senml_resolver *r, const struct senml_record *record)
{
	struct senml_pack *pack = r->pack;

	if (pack->n == SENML_RECORDS_MAX)
		return bad(r, HT_TOOLARGE, "more than 4096 records in a pack");
	if (pack->n == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 16;
		struct senml_record *records =
		    realloc(pack->records, cap * sizeof(*records));

		if (!records)
			return no_memory(r);
		pack->records = records;
		r->cap = cap;
	}
	pack->records[pack->n++] = *record;
	return HT_OK;
}

ht_err senml_resolve(struct senml_resolver *r, const struct senml_raw *raw)
{
	struct senml_record out = { 0 };
	ht_err err;

	r->seen++;
	if (raw->has & BIT(SENML_VD))
		return bad(r, HT_UNSUPPORTED, "data values (vd) are not known here");
	err = resolve_base(r, raw);
	/* A record of base fields alone only sets them for those behind it. */
	if (err || (raw->has && !(raw->has & ~(unsigned)BASE_FIELDS)))
		return err;
	err = resolve_name(r, raw, &out);
	if (!err)
		err = resolve_unit(r, raw, &out);
	if (!err)
		err = resolve_time(r, raw, &out);
	if (!err)
		err = resolve_value(r, raw, &out);
	if (!err)
		err = pack_append(r, &out);
	return err;
}

ht_err senml_decode(enum senml_format format, const void *bytes, size_t len,
    struct senml_pack *out, struct ht_fault *fault)
{
	struct senml_pack pack = { 0 };
	struct senml_resolver r = {
		.pack = &pack,
		.fault = fault,
		.base_name = "",
		.base_value = { .kind = SENML_WHOLE },
	};
	ht_err err;

	if (len > SENML_PACK_MAX)
		return ht_fault_set(fault, HT_TOOLARGE,
		    "%zu bytes; a pack has at most %d", len, SENML_PACK_MAX);
	err = format == SENML_CBOR ? senml_cbor_read(bytes, len, &r)
				   : senml_json_read(bytes, len, &r);
	if (!err && pack.n == 0)
		err = ht_fault_set(fault, HT_MALFORMED, "no record in the pack");
	if (err)
		senml_pack_fini(&pack);
	else
		*out = pack;
	return err;
}

bool senml_number(const struct senml_record *r, double *out)
{
	if (r->kind == HT_NUMBER)
		*out = r->number;
	else if (r->kind == HT_COUNTER)
		*out = (double)r->counter;
	else
		return false;
	return true;
}

/* --- encoding --------------------------------------------------------------------------
 */

struct senml_encoder {
	enum senml_format format;
	char *base_name;
	size_t base_len;
	struct ht_buf body; /* the records, without the pack's head and tail */
	size_t n;
	double base_time_s; /* in force for the next record */
	/* The last record's name up to its last "/", and how much of it the base name in
	 * force holds beside base_name: all or nothing. */
	char prefix[NAME_MAX_BYTES + 1];
	size_t prefix_len, grouped;
};

ht_err senml_encoder_new(
    enum senml_format format, const char *base_name, struct senml_encoder **out)
{
	struct senml_encoder *e;

	if (!name_valid(base_name, strlen(base_name), true))
		return HT_INVALID;
	e = calloc(1, sizeof(*e));
	if (!e)
		return HT_NOMEM;
	e->format = format;
	e->base_len = strlen(base_name);
	/* Room for the record that turns out to be too much. */
	ht_buf_init(&e->body, 2 * SENML_PACK_MAX);
	e->base_name = strdup(base_name);
	if (!e->base_name) {
		senml_encoder_free(e);
		return HT_NOMEM;
	}
	*out = e;
	return HT_OK;
}

void senml_encoder_free(struct senml_encoder *e)
{
	if (!e)
		return;
	ht_buf_fini(&e->body);
	free(e->base_name);
	free(e);
}

static bool record_valid(const struct senml_encoder *e, const struct senml_record *r)
{
	size_t len = r->name ? strlen(r->name) : 0;

	if (e->base_len + len == 0 || e->base_len + len > NAME_MAX_BYTES ||
	    (len && !name_valid(r->name, len, e->base_len == 0)))
		return false;
	if (r->unit && !unit_valid(r->unit, strlen(r->unit)))
		return false;
	if (!(fabs(r->time_s) <= TIME_MAX_S))
		return false;
	if (r->kind == HT_NUMBER)
		return isfinite(r->number);
	if (r->kind == HT_STRING)
		return r->string && ht_utf8_valid(r->string, strlen(r->string));
	return r->kind == HT_COUNTER || r->kind == HT_BOOL;
}

/* Bytes around `n` records. */
static size_t frame_bytes(const struct senml_encoder *e, size_t n)
{
	uint8_t head[SENML_HEAD_MAX];

	return e->format == SENML_CBOR ? senml_cbor_head(n, head) : 2;
}

/* Bytes of a name up to its last "/". */
static size_t prefix_len(const char *name)
{
	const char *slash = name ? strrchr(name, '/') : NULL;

	return slash ? (size_t)(slash - name) + 1 : 0;
}

/* How much of the record's name its base name is to hold. A second record of one thing
 * (reach/<link>/sent, reach/<link>/received) shows that more may follow: from then on the
 * base name says what they have in common, and each changes it that is of another. */
static size_t group_of(const struct senml_encoder *e, const struct senml_record *r)
{
	size_t len = prefix_len(r->name);
	bool same = len == e->prefix_len && memcmp(r->name, e->prefix, len) == 0;

	return e->n && (same || e->grouped) ? len : 0;
}

/* The base name that the record must bring, or NULL when the one in force is right. */
static const char *base_of(const struct senml_encoder *e, const struct senml_record *r,
    size_t grouped, char out[static NAME_MAX_BYTES + 1])
{
	if (e->n == 0)
		return e->base_len ? e->base_name : NULL;
	if (grouped == e->grouped &&
	    (!grouped || memcmp(r->name, e->prefix, grouped) == 0))
		return NULL;
	memcpy(out, e->base_name, e->base_len);
	memcpy(out + e->base_len, r->name ? r->name : "", grouped);
	out[e->base_len + grouped] = '\0';
	return out;
}

ht_err senml_encoder_put(struct senml_encoder *e, const struct senml_record *in)
{
	char base[NAME_MAX_BYTES + 1];
	struct senml_record record = *in, *r = &record;
	size_t before = e->body.len;
	/* Readings of one moment share its time: exact, unlike a difference of doubles.
	 */
	const double *base_time = r->time_s != e->base_time_s ? &r->time_s : NULL;
	ht_err err;

	if (!record_valid(e, in))
		return HT_INVALID;
	if (e->n == SENML_RECORDS_MAX)
		return HT_FULL;
	size_t grouped = group_of(e, in);
	const char *base_name = base_of(e, in, grouped, base);
	r->name = in->name ? in->name + grouped : NULL;
	if (e->format == SENML_CBOR) {
		senml_cbor_write(&e->body, r, base_name, base_time);
	} else {
		if (e->n)
			ht_buf_puts(&e->body, ",");
		senml_json_write(&e->body, r, base_name, base_time);
	}
	err = ht_buf_err(&e->body);
	if (err == HT_TOOLARGE ||
	    (!err && e->body.len + frame_bytes(e, e->n + 1) > SENML_PACK_MAX))
		err = HT_FULL;
	if (err) {
		e->body.len = before;
		e->body.err = HT_OK;
		return err;
	}
	e->n++;
	e->base_time_s = r->time_s;
	e->prefix_len = prefix_len(in->name);
	memcpy(e->prefix, in->name ? in->name : "", e->prefix_len);
	e->grouped = grouped;
	return HT_OK;
}

size_t senml_encoder_count(const struct senml_encoder *e)
{
	return e->n;
}

size_t senml_encoder_bytes(const struct senml_encoder *e)
{
	return e->n ? e->body.len + frame_bytes(e, e->n) : 0;
}

ht_err senml_encoder_end(struct senml_encoder *e, struct ht_buf *out)
{
	uint8_t head[SENML_HEAD_MAX];

	if (e->n == 0)
		return HT_INVALID;
	if (e->format == SENML_CBOR)
		ht_buf_put(out, head, senml_cbor_head(e->n, head));
	else
		ht_buf_puts(out, "[");
	ht_buf_put(out, e->body.data, e->body.len);
	if (e->format == SENML_JSON)
		ht_buf_puts(out, "]");
	if (ht_buf_err(out))
		return ht_buf_err(out);
	ht_buf_reset(&e->body);
	e->n = 0;
	e->base_time_s = 0;
	e->prefix_len = e->grouped = 0;
	return HT_OK;
}

/* --- content types
 * ----------------------------------------------------------------------- */

static const char *const content_types[] = {
	[SENML_CBOR] = SENML_CBOR_TYPE,
	[SENML_JSON] = SENML_JSON_TYPE,
};

/* The media type without parameters, in any case (RFC 9110, 8.3.1). */
ht_err senml_format_parse(const char *content_type, enum senml_format *out)
{
	size_t len = strcspn(content_type, "; \t");

	for (size_t i = 0; i < HT_COUNT(content_types); i++) {
		if (strlen(content_types[i]) == len &&
		    strncasecmp(content_types[i], content_type, len) == 0) {
			*out = (enum senml_format)i;
			return HT_OK;
		}
	}
	return HT_UNSUPPORTED;
}

const char *senml_content_type(enum senml_format format)
{
	return content_types[format];
}
