/* SenML in JSON (RFC 8428, 5) by json-c. */
#include <json-c/json.h>
#include <math.h>
#include <string.h>

#include "mqtt/jtext.h"
#include "mqtt/senml_record.h"

enum { DEPTH_MAX = 16, PLAIN = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE };

static ht_err bad(const struct senml_resolver *r, ht_err err, const char *what)
{
	return ht_fault_set(r->fault, err, "record %zu: %s", r->seen + 1, what);
}

static ht_err read_value(
    const struct senml_resolver *r, struct json_object *v, struct senml_value *out)
{
	*out = (struct senml_value){ .kind = SENML_OTHER };
	switch (json_object_get_type(v)) {
	case json_type_boolean:
		*out = (struct senml_value){ .kind = SENML_FLAG,
			.flag = json_object_get_boolean(v) };
		return HT_OK;
	case json_type_string:
		out->kind = SENML_TEXT;
		return jtext_string(v, &out->text, &out->len)
			   ? HT_OK
			   : bad(r, HT_MALFORMED, "a text has a NUL in it");
	case json_type_int:
		out->kind = SENML_WHOLE;
		if (jtext_uint64(v, &out->whole))
			return HT_OK;
		/* fallthrough */
	case json_type_double:
		out->kind = SENML_REAL;
		return jtext_double(v, &out->real)
			   ? HT_OK
			   : bad(r, HT_MALFORMED, "a number is not finite");
	default:
		return HT_OK;
	}
}

static ht_err read_field(const struct senml_resolver *r, const char *label,
    struct json_object *v, struct senml_raw *out)
{
	enum senml_field field = senml_field_by_json(label, strlen(label));
	struct senml_value value;
	ht_err err;

	if (field == SENML_FIELD_COUNT)
		return !senml_label_binding(label, strlen(label))
			   ? HT_OK
			   : bad(r, HT_UNSUPPORTED,
				 "a field that must be understood and is not");
	err = read_value(r, v, &value);
	return err ? err : senml_raw_put(out, field, &value, r->fault);
}

static ht_err read_record(
    const struct senml_resolver *r, struct json_object *record, struct senml_raw *out)
{
	if (!json_object_is_type(record, json_type_object))
		return bad(r, HT_MALFORMED, "a record must be an object");
	json_object_object_foreach(record, label, v)
	{
		ht_err err = read_field(r, label, v, out);

		if (err)
			return err;
	}
	return HT_OK;
}

ht_err senml_json_read(const void *bytes, size_t len, struct senml_resolver *r)
{
	struct json_object *pack = NULL;
	ht_err err = jtext_parse(bytes, len, DEPTH_MAX, &pack, r->fault);

	if (!err && !json_object_is_type(pack, json_type_array))
		err = ht_fault_set(
		    r->fault, HT_MALFORMED, "byte 0: a pack must be an array");
	for (size_t i = 0; !err && i < json_object_array_length(pack); i++) {
		struct senml_raw raw = { 0 };

		err = read_record(r, json_object_array_get_idx(pack, i), &raw);
		if (!err)
			err = senml_resolve(r, &raw);
	}
	json_object_put(pack);
	return err;
}

/* --- writing
 * ---------------------------------------------------------------------------- */

static void put_label(struct ht_buf *b, enum senml_field field)
{
	char last = b->len ? (char)b->data[b->len - 1] : '\0';

	ht_buf_printf(b, "%s\"%s\":", last == '{' ? "" : ",", senml_labels[field].json);
}

static void put_text(struct ht_buf *b, enum senml_field field, const char *text)
{
	struct json_object *v = json_object_new_string(text);

	put_label(b, field);
	if (v)
		ht_buf_puts(b, json_object_to_json_string_ext(v, PLAIN));
	else if (!b->err)
		b->err = HT_NOMEM;
	json_object_put(v);
}

static void put_double(struct ht_buf *b, enum senml_field field, double v)
{
	char text[JTEXT_DOUBLE_MAX];

	jtext_double_format(v, text);
	put_label(b, field);
	ht_buf_puts(b, text);
}

void senml_json_write(struct ht_buf *b, const struct senml_record *r,
    const char *base_name, const double *base_time_s)
{
	ht_buf_puts(b, "{");
	if (base_name)
		put_text(b, SENML_BN, base_name);
	if (base_time_s)
		put_double(b, SENML_BT, *base_time_s);
	if (r->name && *r->name)
		put_text(b, SENML_N, r->name);
	if (r->unit)
		put_text(b, SENML_U, r->unit);
	switch (r->kind) {
	case HT_NUMBER:
		put_double(b, SENML_V, r->number);
		break;
	case HT_COUNTER:
		put_label(b, SENML_V);
		ht_buf_printf(b, "%llu", (unsigned long long)r->counter);
		break;
	case HT_STRING:
		put_text(b, SENML_VS, r->string);
		break;
	case HT_BOOL:
		put_label(b, SENML_VB);
		ht_buf_puts(b, r->boolean ? "true" : "false");
		break;
	}
	ht_buf_puts(b, "}");
}
