#include "probes/wan/throughput/grant.h"

#include <string.h>

#define BYTES_MAX   (INT64_C(1) << 40)
#define SECONDS_MAX 3600
#define WAIT_MAX    86400

static const char *field(const struct probe_answer *a, const char *key)
{
	for (size_t i = 0; i < a->n_fields; i++) {
		if (strcmp(a->fields[i].key, key) == 0)
			return a->fields[i].value;
	}
	return "";
}

static bool of(const char *text, const char *letters, size_t max)
{
	size_t len = strlen(text);

	return len >= 1 && len <= max && strspn(text, letters) == len;
}

static bool number(
    const struct probe_answer *a, const char *key, int64_t min, int64_t max, int64_t *out)
{
	int64_t n;

	if (ht_int_parse(field(a, key), &n) || n < min || n > max)
		return false;
	*out = n;
	return true;
}

bool grant_url_fits(const char *url)
{
	size_t scheme = strncmp(url, "https://", 8) == 0  ? 8
			: strncmp(url, "http://", 7) == 0 ? 7
							  : 0;
	size_t len = strlen(url);

	if (!scheme || len > GRANT_URL_MAX || strcspn(url + scheme, "/?#") == 0)
		return false;
	for (size_t i = scheme; i < len; i++) {
		if (url[i] <= ' ' || url[i] > '~' || url[i] == '@')
			return false;
	}
	return true;
}

ht_err grant_read(const struct probe_answer *a, struct grant *out)
{
	struct grant g = { 0 };
	const char *slot = field(a, "slot"), *token = field(a, "token"),
		   *url = field(a, "url");

	if (!of(slot, "0123456789", GRANT_SLOT_MAX) ||
	    !number(a, "bytes", 1, BYTES_MAX, &g.bytes) ||
	    !number(a, "seconds", 1, SECONDS_MAX, &g.seconds))
		return HT_MALFORMED;
	memcpy(g.slot, slot, strlen(slot) + 1);
	if (token[0]) {
		if (!of(token, "0123456789abcdef", GRANT_TOKEN_MAX) ||
		    !grant_url_fits(url) || strpbrk(url, "?#"))
			return HT_MALFORMED;
		memcpy(g.token, token, strlen(token) + 1);
		memcpy(g.url, url, strlen(url) + 1);
	}
	*out = g;
	return HT_OK;
}

int64_t grant_wait_s(const struct probe_answer *a)
{
	int64_t wait = 0;

	return number(a, "wait", 1, WAIT_MAX, &wait) ? wait : 0;
}

int64_t grant_now_ms(const struct probe_answer *a)
{
	int64_t now;

	return number(a, "now", 1, INT64_C(253402300799999), &now) ? now : INT64_MIN;
}
