#include "mqtt/jtext.h"

#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

static bool only_space(const char *at, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!strchr(" \t\r\n", at[i]) || !at[i])
			return false;
	}
	return true;
}

/* Digits of a whole number against the largest one allowed, as text. */
static bool digits_fit(const char *digits, size_t len, const char *largest)
{
	size_t most = strlen(largest);

	return len < most || (len == most && memcmp(digits, largest, len) <= 0);
}

/* json-c takes a whole number that is too large for the largest there is, in silence.
 * The text is known to be JSON here: only strings and numbers need telling apart.
 * Returns the offset of such a number, or `len`. */
static size_t too_large_number(const char *text, size_t len)
{
	const char *at = text, *end = text + len;

	while (at < end) {
		if (*at == '"') {
			for (at++; at < end && *at != '"'; at++)
				at += *at == '\\';
			at++;
			continue;
		}
		bool minus = *at == '-';
		const char *digits = at + minus, *last = digits;

		while (last < end && *last >= '0' && *last <= '9')
			last++;
		at = last > digits ? last : at + 1;
		if (last == digits)
			continue;
		if (last < end && memchr(".eE", *last, 3)) {
			while (at < end && *at && strchr("0123456789.eE+-", *at))
				at++;
			continue;
		}
		if (!digits_fit(digits, (size_t)(last - digits),
			minus ? "9223372036854775808" : "18446744073709551615"))
			return (size_t)(digits - text);
	}
	return len;
}

ht_err jtext_parse(const void *bytes, size_t len, int depth_max, struct json_object **out,
    struct ht_fault *fault)
{
	enum json_tokener_error error;
	struct json_tokener *tok;
	struct json_object *v;

	if (len == 0 || len > INT32_MAX)
		return ht_fault_set(fault, HT_MALFORMED, "byte 0: nothing to read");
	/* json-c's own check lets overlong forms pass. */
	if (!ht_utf8_valid(bytes, len))
		return ht_fault_set(fault, HT_MALFORMED, "byte 0: the text is not UTF-8");
	tok = json_tokener_new_ex(depth_max);
	if (!tok)
		return ht_fault_set(fault, HT_NOMEM, "out of memory");
	json_tokener_set_flags(
	    tok, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
	v = json_tokener_parse_ex(tok, bytes, (int)len);
	error = json_tokener_get_error(tok);
	size_t end = json_tokener_get_parse_end(tok);
	/* A number at the very end is complete only when something follows it. */
	if (error == json_tokener_continue) {
		v = json_tokener_parse_ex(tok, " ", 1);
		error = json_tokener_get_error(tok);
		end = len;
	}
	json_tokener_free(tok);
	if (error == json_tokener_success && end < len &&
	    !only_space((const char *)bytes + end, len - end)) {
		json_object_put(v);
		return ht_fault_set(
		    fault, HT_MALFORMED, "byte %zu: more text behind the end", end);
	}
	if (error != json_tokener_success)
		return ht_fault_set(fault, HT_MALFORMED, "byte %zu: %s", end,
		    error == json_tokener_continue ? "the text ends too early"
						   : json_tokener_error_desc(error));
	end = too_large_number(bytes, len);
	if (end < len) {
		json_object_put(v);
		return ht_fault_set(fault, HT_MALFORMED,
		    "byte %zu: a whole number needs more than 64 bits", end);
	}
	*out = v;
	return HT_OK;
}

bool jtext_string(struct json_object *v, const char **out, size_t *out_len)
{
	if (!json_object_is_type(v, json_type_string))
		return false;
	const char *text = json_object_get_string(v);
	size_t len = (size_t)json_object_get_string_len(v);
	if (memchr(text, '\0', len))
		return false;
	*out = text;
	*out_len = len;
	return true;
}

bool jtext_double(struct json_object *v, double *out)
{
	double d;

	if (json_object_is_type(v, json_type_int)) {
		int64_t i = json_object_get_int64(v);

		d = i < 0 ? (double)i : (double)json_object_get_uint64(v);
	} else if (json_object_is_type(v, json_type_double)) {
		d = json_object_get_double(v);
	} else {
		return false;
	}
	if (!isfinite(d))
		return false;
	*out = d;
	return true;
}

bool jtext_uint64(struct json_object *v, uint64_t *out)
{
	if (!json_object_is_type(v, json_type_int) || json_object_get_int64(v) < 0)
		return false;
	*out = json_object_get_uint64(v);
	return true;
}

void jtext_double_format(double v, char out[static JTEXT_DOUBLE_MAX])
{
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(out, JTEXT_DOUBLE_MAX, "%.*g", digits, v);
		if (strtod(out, NULL) == v)
			break;
	}
	if (!strpbrk(out, ".e")) {
		size_t n = strlen(out);

		memcpy(out + n, ".0", 3);
	}
}
