/* SenML in CBOR (RFC 8428, 6) over libcbor's streaming decoder, which looks at one item
 * at a time and allocates nothing: a header that promises 2^64 items costs nothing. */
#include <cbor.h>
#include <math.h>
#include <string.h>

#include "mqtt/senml_record.h"

enum { DEPTH_MAX = 16, ITEM_MAX_BYTES = 9 };

#define INDEFINITE UINT64_MAX

enum item_kind {
	ITEM_UINT,
	ITEM_NEGATIVE,
	ITEM_FLOAT,
	ITEM_BOOL,
	ITEM_TEXT,
	ITEM_BYTES,
	ITEM_ARRAY,
	ITEM_MAP,
	ITEM_TAG,
	ITEM_SIMPLE,
	ITEM_BREAK,
	ITEM_CHUNKED, /* a text or byte string in pieces */
};

struct item {
	enum item_kind kind;
	uint64_t number; /* value, or count of a collection; negative: -1 - number */
	double real;
	bool flag;
	const char *text;
	size_t len;
};

struct cursor {
	const uint8_t *start, *at;
	size_t left;
	struct ht_fault *fault;
};

/* --- libcbor's callbacks: each notes what the item was
 * ---------------------------------- */

static void note(void *arg, enum item_kind kind, uint64_t number)
{
	struct item *it = arg;

	it->kind = kind;
	it->number = number;
}

static void note_real(void *arg, double v)
{
	struct item *it = arg;

	it->kind = ITEM_FLOAT;
	it->real = v;
}

/* What libcbor counts in; it matters on 32 bits. */
#if CBOR_MAJOR_VERSION == 0 && CBOR_MINOR_VERSION < 9
typedef size_t library_count;
#else
typedef uint64_t library_count;
#endif

static void note_string(void *arg, enum item_kind kind, cbor_data bytes, size_t len)
{
	struct item *it = arg;

	it->kind = kind;
	it->text = (const char *)bytes;
	it->len = len;
}

static void on_uint8(void *a, uint8_t v)
{
	note(a, ITEM_UINT, v);
}
static void on_uint16(void *a, uint16_t v)
{
	note(a, ITEM_UINT, v);
}
static void on_uint32(void *a, uint32_t v)
{
	note(a, ITEM_UINT, v);
}
static void on_uint64(void *a, uint64_t v)
{
	note(a, ITEM_UINT, v);
}
static void on_neg8(void *a, uint8_t v)
{
	note(a, ITEM_NEGATIVE, v);
}
static void on_neg16(void *a, uint16_t v)
{
	note(a, ITEM_NEGATIVE, v);
}
static void on_neg32(void *a, uint32_t v)
{
	note(a, ITEM_NEGATIVE, v);
}
static void on_neg64(void *a, uint64_t v)
{
	note(a, ITEM_NEGATIVE, v);
}
static void on_chunked(void *a)
{
	note(a, ITEM_CHUNKED, 0);
}
static void on_bytes(void *a, cbor_data p, library_count len)
{
	note_string(a, ITEM_BYTES, p, len);
}
static void on_text(void *a, cbor_data p, library_count len)
{
	note_string(a, ITEM_TEXT, p, len);
}
static void on_array_open(void *a)
{
	note(a, ITEM_ARRAY, INDEFINITE);
}
static void on_array(void *a, library_count n)
{
	note(a, ITEM_ARRAY, n);
}
static void on_map_open(void *a)
{
	note(a, ITEM_MAP, INDEFINITE);
}
static void on_map(void *a, library_count n)
{
	note(a, ITEM_MAP, n);
}
static void on_tag(void *a, uint64_t v)
{
	note(a, ITEM_TAG, v);
}
static void on_float(void *a, float v)
{
	note_real(a, v);
}
static void on_double(void *a, double v)
{
	note_real(a, v);
}
static void on_simple(void *a)
{
	note(a, ITEM_SIMPLE, 0);
}
static void on_break(void *a)
{
	note(a, ITEM_BREAK, 0);
}

static void on_bool(void *a, bool v)
{
	note(a, ITEM_BOOL, 0);
	((struct item *)a)->flag = v;
}

static const struct cbor_callbacks callbacks = {
	.uint8 = on_uint8,
	.uint16 = on_uint16,
	.uint32 = on_uint32,
	.uint64 = on_uint64,
	.negint8 = on_neg8,
	.negint16 = on_neg16,
	.negint32 = on_neg32,
	.negint64 = on_neg64,
	.byte_string_start = on_chunked,
	.byte_string = on_bytes,
	.string_start = on_chunked,
	.string = on_text,
	.indef_array_start = on_array_open,
	.array_start = on_array,
	.indef_map_start = on_map_open,
	.map_start = on_map,
	.tag = on_tag,
	.float2 = on_float,
	.float4 = on_float,
	.float8 = on_double,
	.undefined = on_simple,
	.null = on_simple,
	.boolean = on_bool,
	.indef_break = on_break,
};

/* --- reading
 * ----------------------------------------------------------------------------- */

static ht_err bad(const struct cursor *c, const uint8_t *at, ht_err err, const char *what)
{
	return ht_fault_set(c->fault, err, "byte %zu: %s", (size_t)(at - c->start), what);
}

static ht_err next(struct cursor *c, struct item *out)
{
	if (c->left == 0)
		return bad(c, c->at, HT_MALFORMED, "the bytes end too early");
	struct cbor_decoder_result r =
	    cbor_stream_decode(c->at, c->left, &callbacks, out);
	if (r.status == CBOR_DECODER_NEDATA)
		return bad(c, c->at, HT_MALFORMED, "the bytes end too early");
	if (r.status != CBOR_DECODER_FINISHED)
		return bad(c, c->at, HT_MALFORMED, "not CBOR");
	c->at += r.read;
	c->left -= r.read;
	return HT_OK;
}

/* The next element of a collection that had `*left` to come; `*end` when there is none.
 */
static ht_err next_of(struct cursor *c, uint64_t *left, struct item *out, bool *end)
{
	ht_err err;

	*end = *left == 0;
	if (*end)
		return HT_OK;
	err = next(c, out);
	if (err)
		return err;
	if (out->kind == ITEM_BREAK) {
		if (*left != INDEFINITE)
			return bad(c, c->at - 1, HT_MALFORMED,
			    "an end mark where a value must be");
		*end = true;
		return HT_OK;
	}
	if (*left != INDEFINITE)
		(*left)--;
	return HT_OK;
}

static ht_err skip_rest(struct cursor *c, const struct item *it, int depth);

static ht_err skip(struct cursor *c, int depth)
{
	struct item it;
	ht_err err = next(c, &it);

	if (!err && it.kind == ITEM_BREAK)
		err =
		    bad(c, c->at - 1, HT_MALFORMED, "an end mark where a value must be");
	return err ? err : skip_rest(c, &it, depth);
}

/* What belongs to an item that has been read. */
static ht_err skip_rest(struct cursor *c, const struct item *it, int depth)
{
	uint64_t left = it->kind == ITEM_CHUNKED ? INDEFINITE : it->number;
	struct item inner;
	bool end = false;
	ht_err err = HT_OK;

	if (depth > DEPTH_MAX)
		return bad(c, c->at, HT_MALFORMED, "nested too deeply");
	if (it->kind == ITEM_TAG)
		return skip(c, depth + 1);
	if (it->kind != ITEM_ARRAY && it->kind != ITEM_MAP && it->kind != ITEM_CHUNKED)
		return HT_OK;
	while (!err) {
		err = next_of(c, &left, &inner, &end);
		if (err || end)
			break;
		err = skip_rest(c, &inner, depth + 1);
		if (!err && it->kind == ITEM_MAP)
			err = skip(c, depth + 1);
	}
	return err;
}

static ht_err read_value(struct cursor *c, struct senml_value *out)
{
	const uint8_t *at = c->at;
	struct item it;
	ht_err err = next(c, &it);

	if (err)
		return err;
	*out = (struct senml_value){ .kind = SENML_OTHER };
	switch (it.kind) {
	case ITEM_UINT:
		*out = (struct senml_value){ .kind = SENML_WHOLE, .whole = it.number };
		return HT_OK;
	case ITEM_NEGATIVE:
		*out = (struct senml_value){ .kind = SENML_REAL,
			.real = -1.0 - (double)it.number };
		return HT_OK;
	case ITEM_FLOAT:
		if (!isfinite(it.real))
			return bad(c, at, HT_MALFORMED, "a number that is not finite");
		*out = (struct senml_value){ .kind = SENML_REAL, .real = it.real };
		return HT_OK;
	case ITEM_BOOL:
		*out = (struct senml_value){ .kind = SENML_FLAG, .flag = it.flag };
		return HT_OK;
	case ITEM_TEXT:
		*out = (struct senml_value){
			.kind = SENML_TEXT, .text = it.text, .len = it.len
		};
		return HT_OK;
	case ITEM_TAG:
		return bad(
		    c, at, HT_UNSUPPORTED, "a tagged value; write numbers plainly");
	case ITEM_CHUNKED:
		return bad(
		    c, at, HT_UNSUPPORTED, "a text in pieces; write its length first");
	case ITEM_BREAK:
		return bad(c, at, HT_MALFORMED, "an end mark where a value must be");
	default:
		return skip_rest(c, &it, 2);
	}
}

/* A label is an integer, or the text of RFC 8428's table 1 or of an extension. */
static ht_err read_label(
    struct cursor *c, const uint8_t *at, const struct item *it, enum senml_field *out)
{
	switch (it->kind) {
	case ITEM_UINT:
		*out = it->number > INT32_MAX ? SENML_FIELD_COUNT
					      : senml_field_by_cbor((int64_t)it->number);
		return HT_OK;
	case ITEM_NEGATIVE:
		*out = it->number > INT32_MAX
			   ? SENML_FIELD_COUNT
			   : senml_field_by_cbor(-1 - (int64_t)it->number);
		return HT_OK;
	case ITEM_TEXT:
		*out = senml_field_by_json(it->text, it->len);
		if (*out == SENML_FIELD_COUNT && senml_label_binding(it->text, it->len))
			return bad(c, at, HT_UNSUPPORTED,
			    "a field that must be understood and is not");
		return HT_OK;
	default:
		return bad(c, at, HT_MALFORMED, "a label must be an integer or a text");
	}
}

static ht_err read_record(struct cursor *c, const struct item *map, struct senml_raw *out)
{
	uint64_t left = map->number;
	ht_err err;

	for (;;) {
		const uint8_t *at = c->at;
		struct senml_value value;
		enum senml_field field = SENML_FIELD_COUNT;
		struct item label;
		bool end;

		err = next_of(c, &left, &label, &end);
		if (err || end)
			return err;
		err = read_label(c, at, &label, &field);
		if (err)
			return err;
		if (field == SENML_FIELD_COUNT) {
			err = skip(c, 2);
		} else {
			err = read_value(c, &value);
			if (!err)
				err = senml_raw_put(out, field, &value, c->fault);
		}
		if (err)
			return err;
	}
}

ht_err senml_cbor_read(const void *bytes, size_t len, struct senml_resolver *r)
{
	struct cursor c = { .start = bytes, .at = bytes, .left = len, .fault = r->fault };
	struct item it;
	ht_err err = next(&c, &it);

	if (!err && it.kind != ITEM_ARRAY)
		return bad(&c, c.start, HT_MALFORMED, "a pack must be an array");
	uint64_t left = err ? 0 : it.number;
	while (!err) {
		const uint8_t *at = c.at;
		struct senml_raw raw = { 0 };
		bool end;

		err = next_of(&c, &left, &it, &end);
		if (err || end)
			break;
		if (it.kind != ITEM_MAP)
			return bad(&c, at, HT_MALFORMED, "a record must be a map");
		err = read_record(&c, &it, &raw);
		if (!err)
			err = senml_resolve(r, &raw);
	}
	if (!err && c.left)
		return bad(&c, c.at, HT_MALFORMED, "more bytes behind the end");
	return err;
}

/* --- writing
 * ------------------------------------------------------------------------------- */

static void put_label(struct ht_buf *b, enum senml_field field)
{
	uint8_t bytes[ITEM_MAX_BYTES];
	int label = senml_labels[field].cbor;
	size_t n = label < 0
		       ? cbor_encode_negint((uint64_t)(-1 - label), bytes, sizeof(bytes))
		       : cbor_encode_uint((uint64_t)label, bytes, sizeof(bytes));

	ht_buf_put(b, bytes, n);
}

static void put_text(struct ht_buf *b, enum senml_field field, const char *text)
{
	uint8_t bytes[ITEM_MAX_BYTES];
	size_t len = strlen(text);

	put_label(b, field);
	ht_buf_put(b, bytes, cbor_encode_string_start(len, bytes, sizeof(bytes)));
	ht_buf_put(b, text, len);
}

static void put_uint(struct ht_buf *b, enum senml_field field, uint64_t v)
{
	uint8_t bytes[ITEM_MAX_BYTES];

	put_label(b, field);
	ht_buf_put(b, bytes, cbor_encode_uint(v, bytes, sizeof(bytes)));
}

/* Whether a half float holds it: whole numbers up to 2,048, most of what is counted. */
static bool is_small(double v)
{
	return v >= -2048 && v <= 2048 && v == (double)(int)v && !(v == 0 && signbit(v));
}

/* The shortest float that holds the value; never an integer, so that the kind stays. */
static void put_float(struct ht_buf *b, enum senml_field field, double v)
{
	uint8_t bytes[ITEM_MAX_BYTES];

	put_label(b, field);
	if (is_small(v))
		ht_buf_put(b, bytes, cbor_encode_half((float)v, bytes, sizeof(bytes)));
	else if (fabs(v) <= 3.4028234663852886e38 && (double)(float)v == v)
		ht_buf_put(b, bytes, cbor_encode_single((float)v, bytes, sizeof(bytes)));
	else
		ht_buf_put(b, bytes, cbor_encode_double(v, bytes, sizeof(bytes)));
}

static void put_bool(struct ht_buf *b, enum senml_field field, bool v)
{
	uint8_t bytes[ITEM_MAX_BYTES];

	put_label(b, field);
	ht_buf_put(b, bytes, cbor_encode_bool(v, bytes, sizeof(bytes)));
}

void senml_cbor_write(struct ht_buf *b, const struct senml_record *r,
    const char *base_name, const double *base_time_s)
{
	size_t fields =
	    1 + !!base_name + !!base_time_s + (r->name && *r->name) + !!r->unit;
	uint8_t bytes[ITEM_MAX_BYTES];

	ht_buf_put(b, bytes, cbor_encode_map_start(fields, bytes, sizeof(bytes)));
	if (base_name)
		put_text(b, SENML_BN, base_name);
	if (base_time_s)
		put_float(b, SENML_BT, *base_time_s);
	if (r->name && *r->name)
		put_text(b, SENML_N, r->name);
	if (r->unit)
		put_text(b, SENML_U, r->unit);
	switch (r->kind) {
	case HT_NUMBER:
		put_float(b, SENML_V, r->number);
		break;
	case HT_COUNTER:
		put_uint(b, SENML_V, r->counter);
		break;
	case HT_STRING:
		put_text(b, SENML_VS, r->string);
		break;
	case HT_BOOL:
		put_bool(b, SENML_VB, r->boolean);
		break;
	}
}

size_t senml_cbor_head(size_t n, uint8_t out[static SENML_HEAD_MAX])
{
	return cbor_encode_array_start(n, out, SENML_HEAD_MAX);
}
