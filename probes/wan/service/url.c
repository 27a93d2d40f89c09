#include "probes/wan/service/url.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A part as curl says it, into `out`. False when there is none or it does not fit. */
static bool part(CURLU *u, CURLUPart what, unsigned flags, char *out, size_t cap)
{
	char *text = NULL;
	bool good = curl_url_get(u, what, &text, flags) == CURLUE_OK && text &&
		    strlen(text) < cap;

	if (good)
		memcpy(out, text, strlen(text) + 1);
	curl_free(text);
	return good;
}

static bool ascii(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text >= 0x80 || (unsigned char)*text <= 0x20)
			return false;
	}
	return true;
}

static bool read_host(CURLU *u, struct url *out)
{
	char host[sizeof(out->host) + 2];

	if (!part(u, CURLUPART_HOST, 0, host, sizeof(host)) || !host[0])
		return false;
	size_t len = strlen(host);
	bool v6 = host[0] == '[' && len > 2;

	if (!ascii(host) || len - (v6 ? 2 : 0) >= sizeof(out->host))
		return false;
	for (size_t i = 0; i + (v6 ? 2 : 0) < len; i++)
		out->host[i] = (char)tolower((unsigned char)host[i + v6]);
	out->host[len - (v6 ? 2 : 0)] = '\0';
	return true;
}

static ht_err read_parts(CURLU *u, struct url *out)
{
	char scheme[16], port[8], *user = NULL;

	if (!part(u, CURLUPART_SCHEME, 0, scheme, sizeof(scheme)))
		return HT_UNSUPPORTED;
	out->https = strcmp(scheme, "https") == 0;
	if (!out->https && strcmp(scheme, "http") != 0)
		return HT_UNSUPPORTED;
	out->has_user = !curl_url_get(u, CURLUPART_USER, &user, 0);
	curl_free(user);
	if (!read_host(u, out) ||
	    !part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT, port, sizeof(port)))
		return HT_MALFORMED;
	out->port = (uint16_t)strtoul(port, NULL, 10);
	return out->port ? HT_OK : HT_MALFORMED;
}

static bool without(CURLU *u, const CURLUPart *parts, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++) {
		if (curl_url_set(u, parts[i], NULL, 0))
			return false;
	}
	return part(u, CURLUPART_URL, 0, out, URL_MAX + 1);
}

ht_err url_parse(const char *text, struct url *out)
{
	static const CURLUPart secret[] = { CURLUPART_USER, CURLUPART_PASSWORD,
		CURLUPART_OPTIONS, CURLUPART_FRAGMENT };
	static const CURLUPart query[] = { CURLUPART_QUERY };
	struct url url = { .port = 0 };

	if (strlen(text) > URL_MAX)
		return HT_TOOLARGE;
	CURLU *u = curl_url();

	if (!u)
		return HT_NOMEM;
	CURLUcode code = curl_url_set(u, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
	ht_err err = code ? HT_MALFORMED : read_parts(u, &url);

	if (!err && (!without(u, secret, HT_COUNT(secret), url.text) ||
			!without(u, query, HT_COUNT(query), url.shown)))
		err = HT_TOOLARGE;
	curl_url_cleanup(u);
	if (!err)
		*out = url;
	return err;
}

bool url_same_origin(const struct url *a, const struct url *b)
{
	return a->https == b->https && a->port == b->port &&
	       strcmp(a->host, b->host) == 0;
}
