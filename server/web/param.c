#include "server/web/param.h"

#include <assert.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/name.h"
#include "base/option.h"

#define PARAM_JSON_DEPTH 8

static int param_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

ht_err param_unescape(const char *in, size_t len, bool plus, char *out, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		char c = in[i];

		if (c == '%') {
			int high = len - i > 2 ? param_hex(in[i + 1]) : -1;
			int low = high >= 0 ? param_hex(in[i + 2]) : -1;

			if (low < 0)
				return HT_MALFORMED;
			c = (char)(high << 4 | low);
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		if (c == '\0')
			return HT_MALFORMED;
		if (n + 1 >= cap)
			return HT_TOOLARGE;
		out[n++] = c;
	}
	out[n] = '\0';
	return HT_OK;
}

static const struct param *param_find(
    const struct param *table, size_t n, const char *name, size_t *out_at)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(table[i].name, name) == 0) {
			*out_at = i;
			return &table[i];
		}
	}
	return NULL;
}

static ht_err param_unknown(
    const struct param *table, size_t n, const char *name, struct ht_fault *fault)
{
	char known[256] = "";
	size_t at = 0;

	for (size_t i = 0; i < n && at + 1 < sizeof(known); i++) {
		int put = snprintf(
		    known + at, sizeof(known) - at, "%s%s", i ? ", " : "", table[i].name);

		at += put > 0 ? (size_t)put : 0;
	}
	return ht_fault_set(fault, HT_INVALID,
	    "unknown parameter \"%.60s\": known here: %s", name, n ? known : "none");
}

static bool param_text_fits(const char *text, size_t max)
{
	size_t len = strlen(text);

	if (len < 1 || len > max)
		return false;
	for (const char *p = text; *p; p++)
		if (((unsigned char)*p < 0x20 && !strchr("\n\t\r", *p)) || *p == 0x7f)
			return false;
	return true;
}

static ht_err param_set_word(const struct param *p, const char *text,
    struct param_value *v, struct ht_fault *fault)
{
	char known[256] = "";
	size_t at = 0;

	for (int i = 0; p->words[i]; i++) {
		if (strcmp(p->words[i], text) == 0) {
			v->number = i;
			return HT_OK;
		}
		int put = snprintf(
		    known + at, sizeof(known) - at, "%s%s", i ? ", " : "", p->words[i]);
		at += put > 0 && at + (size_t)put < sizeof(known) ? (size_t)put : 0;
	}
	return ht_fault_set(fault, HT_INVALID,
	    "parameter \"%s\" is \"%.60s\": use one of %s", p->name, text, known);
}

/* Check a text by the row's type and keep it. */
static ht_err param_set_text(const struct param *p, const char *text,
    struct param_value *v, struct ht_fault *fault)
{
	size_t max = p->max ? (size_t)p->max : 256;

	switch (p->type) {
	case PARAM_TEXT:
		if (!param_text_fits(text, max))
			return ht_fault_set(fault, HT_INVALID,
			    "parameter \"%s\" must be 1 to %zu bytes of text without "
			    "control characters",
			    p->name, max);
		break;
	case PARAM_ID:
		if (!ht_id_valid(text, HT_INSTANCE_MAX))
			return ht_fault_set(fault, HT_INVALID,
			    "parameter \"%s\" is no id: use letters, digits and . _ : -",
			    p->name);
		break;
	case PARAM_WORD: {
		ht_err err = param_set_word(p, text, v, fault);

		if (err)
			return err;
		break;
	}
	case PARAM_INT:
		if (ht_int_parse(text, &v->number) || v->number < p->min ||
		    v->number > p->max)
			return ht_fault_set(fault, HT_INVALID,
			    "parameter \"%s\" must be a whole number from %lld to %lld",
			    p->name, (long long)p->min, (long long)p->max);
		v->given = true;
		return HT_OK;
	case PARAM_TIME:
		if (ht_rfc3339_parse(text, &v->number))
			return ht_fault_set(fault, HT_INVALID,
			    "parameter \"%s\" must be a time as in RFC 3339, like "
			    "2018-03-01T07:00:00Z",
			    p->name);
		v->given = true;
		return HT_OK;
	case PARAM_BOOL:
		if (strcmp(text, "true") && strcmp(text, "false") && strcmp(text, "1") &&
		    strcmp(text, "0"))
			return ht_fault_set(fault, HT_INVALID,
			    "parameter \"%s\" must be true or false", p->name);
		v->number = text[0] == 't' || text[0] == '1';
		v->given = true;
		return HT_OK;
	}
	v->text = strdup(text);
	if (!v->text)
		return HT_NOMEM;
	v->given = true;
	return HT_OK;
}

static ht_err param_required(const struct param_set *set, struct ht_fault *fault)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->table[i].required && !set->values[i].given)
			return ht_fault_set(fault, HT_INVALID,
			    "parameter \"%s\" is missing: give it", set->table[i].name);
	return HT_OK;
}

static ht_err param_query_pair(
    struct param_set *set, const char *pair, size_t len, struct ht_fault *fault)
{
	const char *eq = memchr(pair, '=', len);
	size_t key_len = eq ? (size_t)(eq - pair) : len, at;
	char key[64], value[PARAM_QUERY_MAX];

	if (param_unescape(pair, key_len, true, key, sizeof(key)) ||
	    param_unescape(
		eq ? eq + 1 : "", eq ? len - key_len - 1 : 0, true, value, sizeof(value)))
		return ht_fault_set(fault, HT_INVALID,
		    "the query string has a bad escape or an overlong name: use %%XX "
		    "with two hex digits");

	const struct param *p = param_find(set->table, set->n, key, &at);
	if (!p)
		return param_unknown(set->table, set->n, key, fault);
	if (set->values[at].given)
		return ht_fault_set(fault, HT_INVALID,
		    "parameter \"%s\" is given twice: give it once", key);
	return param_set_text(p, value, &set->values[at], fault);
}

ht_err param_query(const struct param *table, size_t n, const char *query, size_t len,
    struct param_set *out, struct ht_fault *fault)
{
	struct param_set set = { .table = table, .n = n };
	ht_err err = HT_OK;

	assert(n <= PARAM_MAX);
	if (len > PARAM_QUERY_MAX)
		return ht_fault_set(fault, HT_INVALID,
		    "the query string is longer than %d bytes: shorten it",
		    PARAM_QUERY_MAX);
	for (const char *at = query, *end = query + len; !err && at < end;) {
		const char *amp = memchr(at, '&', (size_t)(end - at));
		size_t pair = amp ? (size_t)(amp - at) : (size_t)(end - at);

		if (pair > 0)
			err = param_query_pair(&set, at, pair, fault);
		at += pair + 1;
	}
	if (!err)
		err = param_required(&set, fault);
	if (err)
		param_set_fini(&set);
	else
		*out = set;
	return err;
}

static ht_err param_json_value(struct param_set *set, const char *key,
    struct json_object *value, struct ht_fault *fault)
{
	size_t at;
	const struct param *p = param_find(set->table, set->n, key, &at);

	if (!p)
		return param_unknown(set->table, set->n, key, fault);
	if (json_object_is_type(value, json_type_null)) {
		if (p->nullable)
			return HT_OK;
		return ht_fault_set(fault, HT_INVALID,
		    "parameter \"%s\" is null: give a value or leave it out", key);
	}
	enum json_type want = p->type == PARAM_INT    ? json_type_int
			      : p->type == PARAM_BOOL ? json_type_boolean
						      : json_type_string;
	if (!json_object_is_type(value, want))
		return ht_fault_set(fault, HT_INVALID,
		    "parameter \"%s\" must be a JSON %s", key, json_type_to_name(want));
	if (want == json_type_string && strlen(json_object_get_string(value)) !=
					    (size_t)json_object_get_string_len(value))
		return ht_fault_set(fault, HT_INVALID,
		    "parameter \"%s\" has a NUL byte in it: remove it", key);
	return param_set_text(p, json_object_get_string(value), &set->values[at], fault);
}

ht_err param_json(const struct param *table, size_t n, const void *bytes, size_t len,
    struct param_set *out, struct ht_fault *fault)
{
	struct param_set set = { .table = table, .n = n };
	ht_err err = HT_OK;

	assert(n <= PARAM_MAX);
	struct json_tokener *tok = json_tokener_new_ex(PARAM_JSON_DEPTH);
	if (!tok || len > INT32_MAX) {
		json_tokener_free(tok);
		return tok ? HT_TOOLARGE : HT_NOMEM;
	}
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	struct json_object *body =
	    len ? json_tokener_parse_ex(tok, bytes, (int)len) : NULL;
	enum json_tokener_error why =
	    len ? json_tokener_get_error(tok) : json_tokener_continue;
	size_t end = json_tokener_get_parse_end(tok);

	/* A trailing newline is fine, anything else behind the object is not. */
	while (body && end < len && strchr(" \t\r\n", ((const char *)bytes)[end]) &&
	       ((const char *)bytes)[end])
		end++;
	if (why == json_tokener_continue && len)
		err = ht_fault_set(fault, HT_INVALID,
		    "the body ends inside a JSON value: send a whole object");
	else if (why != json_tokener_success)
		err = ht_fault_set(fault, HT_INVALID,
		    "the body is no JSON (%s at byte %zu): send one object",
		    len ? json_tokener_error_desc(why) : "empty", end);
	else if (!json_object_is_type(body, json_type_object) || end != len)
		err = ht_fault_set(fault, HT_INVALID,
		    "the body must be one JSON object and nothing else");
	if (!err) {
		json_object_object_foreach(body, key, value)
		{
			if (!err)
				err = param_json_value(&set, key, value, fault);
		}
	}
	if (!err)
		err = param_required(&set, fault);
	json_object_put(body);
	json_tokener_free(tok);
	if (err)
		param_set_fini(&set);
	else
		*out = set;
	return err;
}

void param_set_fini(struct param_set *set)
{
	for (size_t i = 0; i < PARAM_MAX; i++)
		free(set->values[i].text);
	*set = (struct param_set){ 0 };
}

static const struct param_value *param_value(
    const struct param_set *set, const char *name)
{
	size_t at = 0;
	const struct param *p = param_find(set->table, set->n, name, &at);

	assert(p);
	(void)p;
	return &set->values[at];
}

const char *param_text(const struct param_set *set, const char *name)
{
	return param_value(set, name)->text;
}

int64_t param_number(const struct param_set *set, const char *name, int64_t otherwise)
{
	const struct param_value *v = param_value(set, name);

	return v->given ? v->number : otherwise;
}

bool param_given(const struct param_set *set, const char *name)
{
	return param_value(set, name)->given;
}
