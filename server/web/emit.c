#include "server/web/emit.h"

#include <assert.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"

void emit_init(struct emit *e, struct ht_buf *out)
{
	*e = (struct emit){ .out = out };
}

static void emit_escape(struct ht_buf *out, uint8_t c)
{
	static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	for (const char *s = shorts; *s; s += 2) {
		if ((uint8_t)s[0] == c) {
			ht_buf_put(out, (const char[]){ '\\', s[1] }, 2);
			return;
		}
	}
	ht_buf_printf(out, "\\u%04x", c);
}

static bool emit_is_plain(uint8_t c)
{
	return c >= 0x20 && c != '"' && c != '\\' && c != 0x7f;
}

static void emit_quoted(struct ht_buf *out, const char *text, size_t len)
{
	const uint8_t *p = (const uint8_t *)text, *end = p + len;

	ht_buf_put(out, "\"", 1);
	while (p < end) {
		size_t n = ht_utf8_len(p, (size_t)(end - p));

		if (n == 0) {
			ht_buf_puts(out, "\xef\xbf\xbd");
			p++;
		} else if (n == 1 && !emit_is_plain(*p)) {
			emit_escape(out, *p++);
		} else {
			ht_buf_put(out, p, n);
			p += n;
		}
	}
	ht_buf_put(out, "\"", 1);
}

/* What stands before any value: a comma where one is due, and the key. */
static void emit_lead(struct emit *e, const char *key)
{
	uint32_t bit = UINT32_C(1) << e->depth;

	if (e->more & bit)
		ht_buf_put(e->out, ",", 1);
	e->more |= bit;
	if (key) {
		emit_quoted(e->out, key, strlen(key));
		ht_buf_put(e->out, ":", 1);
	}
}

static void emit_begin(struct emit *e, const char *key, const char *bracket)
{
	emit_lead(e, key);
	ht_buf_puts(e->out, bracket);
	assert(e->depth + 1 < EMIT_DEPTH);
	e->depth++;
	e->more &= ~(UINT32_C(1) << e->depth);
}

static void emit_end(struct emit *e, const char *bracket)
{
	assert(e->depth > 0);
	e->depth--;
	ht_buf_puts(e->out, bracket);
}

void emit_object(struct emit *e, const char *key)
{
	emit_begin(e, key, "{");
}

void emit_list(struct emit *e, const char *key)
{
	emit_begin(e, key, "[");
}

void emit_end_object(struct emit *e)
{
	emit_end(e, "}");
}

void emit_end_list(struct emit *e)
{
	emit_end(e, "]");
}

void emit_text_n(struct emit *e, const char *key, const char *text, size_t len)
{
	emit_lead(e, key);
	emit_quoted(e->out, text, len);
}

void emit_text(struct emit *e, const char *key, const char *text)
{
	if (text)
		emit_text_n(e, key, text, strlen(text));
	else
		emit_null(e, key);
}

void emit_int(struct emit *e, const char *key, int64_t value)
{
	emit_lead(e, key);
	ht_buf_printf(e->out, "%lld", (long long)value);
}

void emit_int_or_null(struct emit *e, const char *key, bool is_null, int64_t value)
{
	if (is_null)
		emit_null(e, key);
	else
		emit_int(e, key, value);
}

void emit_uint(struct emit *e, const char *key, uint64_t value)
{
	emit_lead(e, key);
	ht_buf_printf(e->out, "%llu", (unsigned long long)value);
}

void emit_double(struct emit *e, const char *key, double value)
{
	char text[40];

	if (!isfinite(value)) {
		emit_null(e, key);
		return;
	}
	emit_lead(e, key);
	/* The shortest of the two that reads back the same. */
	snprintf(text, sizeof(text), "%.15g", value);
	if (strtod(text, NULL) != value)
		snprintf(text, sizeof(text), "%.17g", value);
	ht_buf_puts(e->out, text);
}

void emit_bool(struct emit *e, const char *key, bool value)
{
	emit_lead(e, key);
	ht_buf_puts(e->out, value ? "true" : "false");
}

void emit_null(struct emit *e, const char *key)
{
	emit_lead(e, key);
	ht_buf_puts(e->out, "null");
}

void emit_hex(struct emit *e, const char *key, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	emit_lead(e, key);
	ht_buf_put(e->out, "\"", 1);
	for (size_t i = 0; i < len; i++)
		ht_buf_printf(e->out, "%02x", p[i]);
	ht_buf_put(e->out, "\"", 1);
}

void emit_time(struct emit *e, const char *key, int64_t unix_ms)
{
	char text[HT_RFC3339_LEN + 1];

	if (unix_ms == INT64_MIN) {
		emit_null(e, key);
		return;
	}
	ht_rfc3339(unix_ms, text);
	emit_text(e, key, text);
}

void emit_stored(struct emit *e, const char *key, const char *json)
{
	struct json_object *value = json ? json_tokener_parse(json) : NULL;

	if (!value) {
		emit_null(e, key);
		return;
	}
	emit_lead(e, key);
	ht_buf_puts(e->out, json_object_to_json_string_ext(value,
				JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(value);
}
