#include "base/name.h"

#include <stdio.h>
#include <string.h>

static bool alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool id_byte(char c)
{
	return alnum(c) || c == '.' || c == '_' || c == ':' || c == '-';
}

static bool part_valid(const char *text, size_t len, size_t max)
{
	if (len == 0 || len > max || !alnum(text[0]))
		return false;
	for (size_t i = 1; i < len; i++) {
		if (!id_byte(text[i]))
			return false;
	}
	return true;
}

bool ht_id_valid(const char *id, size_t max)
{
	return part_valid(id, strlen(id), max);
}

void ht_id_from(const char *text, char *out, size_t cap)
{
	size_t n = 0;

	for (; *text && n + 1 < cap; text++) {
		if (n == 0 && !alnum(*text))
			continue;
		out[n++] = id_byte(*text) ? *text : '-';
	}
	if (n == 0 && cap > 1)
		out[n++] = 'x';
	out[n] = '\0';
}

ht_err ht_name_format(enum ht_metric m, const char *instance, char *out, size_t cap)
{
	const struct ht_metric_info *info = ht_metric_info(m);
	int n = snprintf(out, cap, "%s/%s/%s", info->family, instance, info->quantity);

	return n < 0 || (size_t)n >= cap ? HT_TOOLARGE : HT_OK;
}

ht_err ht_name_parse(const char *text, size_t len, struct ht_name *out)
{
	const char *end = text + len;
	const char *a = memchr(text, '/', len);
	const char *b = a ? memchr(a + 1, '/', (size_t)(end - a - 1)) : NULL;

	if (!b)
		return HT_MALFORMED;
	struct ht_name n = {
		.family = text,
		.family_len = (size_t)(a - text),
		.instance = a + 1,
		.instance_len = (size_t)(b - a - 1),
		.quantity = b + 1,
		.quantity_len = (size_t)(end - b - 1),
	};
	if (!part_valid(n.family, n.family_len, 32) ||
	    !part_valid(n.instance, n.instance_len, HT_INSTANCE_MAX) ||
	    !part_valid(n.quantity, n.quantity_len, 32))
		return HT_MALFORMED;
	*out = n;
	return HT_OK;
}
