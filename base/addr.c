#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static uint8_t full_prefix(uint8_t family)
{
	return family == AF_INET ? 32 : 128;
}

static bool prefix_parse(const char *text, uint8_t max, uint8_t *out)
{
	unsigned v = 0;

	if (!*text || strlen(text) > 3)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		v = v * 10 + (unsigned)(*text - '0');
	}
	if (v > max)
		return false;
	*out = (uint8_t)v;
	return true;
}

ht_err ht_addr_parse(const char *text, struct ht_addr *out)
{
	struct ht_addr a = { 0 };
	char host[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);

	if (len == 0 || len >= sizeof(host))
		return HT_MALFORMED;
	memcpy(host, text, len);
	host[len] = '\0';
	if (inet_pton(AF_INET, host, a.bytes) == 1)
		a.family = AF_INET;
	else if (inet_pton(AF_INET6, host, a.bytes) == 1)
		a.family = AF_INET6;
	else
		return HT_MALFORMED;
	a.prefix = full_prefix(a.family);
	if (slash && !prefix_parse(slash + 1, a.prefix, &a.prefix))
		return HT_MALFORMED;
	*out = a;
	return HT_OK;
}

/* Routers tell hundreds of these at a time: a tenth of what inet_ntop takes. */
static void format_v4_host(const uint8_t bytes[4], char *out)
{
	for (int i = 0; i < 4; i++) {
		uint8_t b = bytes[i];

		if (b >= 100)
			*out++ = (char)('0' + b / 100);
		if (b >= 10)
			*out++ = (char)('0' + b / 10 % 10);
		*out++ = (char)('0' + b % 10);
		*out++ = i < 3 ? '.' : '\0';
	}
}

void ht_addr_format(const struct ht_addr *a, char out[static HT_ADDR_TEXT])
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (a->family == AF_INET && a->prefix == 32) {
		format_v4_host(a->bytes, out);
		return;
	}
	inet_ntop(a->family, a->bytes, host, sizeof(host));
	if (a->prefix == full_prefix(a->family))
		snprintf(out, HT_ADDR_TEXT, "%s", host);
	else
		snprintf(out, HT_ADDR_TEXT, "%s/%u", host, a->prefix);
}

bool ht_addr_equal(const struct ht_addr *a, const struct ht_addr *b)
{
	return a->family == b->family && a->prefix == b->prefix &&
	       memcmp(a->bytes, b->bytes, a->family == AF_INET ? 4 : 16) == 0;
}

bool ht_addr_within(const struct ht_addr *net, const struct ht_addr *host)
{
	size_t whole = net->prefix / 8;
	unsigned rest = net->prefix % 8;

	if (net->family != host->family || memcmp(net->bytes, host->bytes, whole) != 0)
		return false;
	if (!rest)
		return true;
	uint8_t mask = (uint8_t)(0xff << (8 - rest));
	return (net->bytes[whole] & mask) == (host->bytes[whole] & mask);
}

uint32_t ht_addr_v4(const struct ht_addr *a)
{
	return (uint32_t)a->bytes[0] << 24 | (uint32_t)a->bytes[1] << 16 |
	       (uint32_t)a->bytes[2] << 8 | a->bytes[3];
}

struct ht_addr ht_addr_from_v4(uint32_t host_order)
{
	return (struct ht_addr){
		.family = AF_INET,
		.prefix = 32,
		.bytes = { (uint8_t)(host_order >> 24), (uint8_t)(host_order >> 16),
		    (uint8_t)(host_order >> 8), (uint8_t)host_order },
	};
}

uint32_t ht_addr_v4_hosts(const struct ht_addr *net)
{
	if (net->family != AF_INET)
		return 0;
	if (net->prefix >= 31)
		return net->prefix == 31 ? 2 : 1;
	if (net->prefix == 0)
		return UINT32_MAX - 1;
	return (UINT32_C(1) << (32 - net->prefix)) - 2;
}

uint32_t ht_addr_v4_host(const struct ht_addr *net, uint32_t i)
{
	uint32_t mask = net->prefix ? UINT32_MAX << (32 - net->prefix) : 0;
	uint32_t base = ht_addr_v4(net) & mask;

	return base + i + (net->prefix >= 31 ? 0 : 1);
}

void ht_addr_sockaddr(const struct ht_addr *a, uint16_t port,
    struct sockaddr_storage *out, socklen_t *out_len)
{
	memset(out, 0, sizeof(*out));
	if (a->family == AF_INET) {
		struct sockaddr_in sin = { .sin_family = AF_INET,
			.sin_port = htons(port) };

		memcpy(&sin.sin_addr, a->bytes, 4);
		memcpy(out, &sin, sizeof(sin));
		*out_len = sizeof(sin);
	} else {
		struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6,
			.sin6_port = htons(port) };

		memcpy(&sin6.sin6_addr, a->bytes, 16);
		memcpy(out, &sin6, sizeof(sin6));
		*out_len = sizeof(sin6);
	}
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

ht_err ht_mac_parse(const char *text, struct ht_mac *out)
{
	struct ht_mac m;
	char sep = text[0] && text[1] ? text[2] : '\0';
	size_t every = sep == ':' || sep == '-' ? 1 : 2;
	const char *at = text;

	if (every == 2)
		sep = '.';
	for (size_t i = 0; i < sizeof(m.b); i++) {
		if (i && i % every == 0 && *at++ != sep)
			return HT_MALFORMED;
		int hi = hex(at[0]), lo = hi < 0 ? -1 : hex(at[1]);
		if (lo < 0)
			return HT_MALFORMED;
		m.b[i] = (uint8_t)(hi << 4 | lo);
		at += 2;
	}
	if (*at)
		return HT_MALFORMED;
	*out = m;
	return HT_OK;
}

void ht_mac_format(const struct ht_mac *m, char out[static HT_MAC_TEXT])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < sizeof(m->b); i++) {
		out[3 * i] = digits[m->b[i] >> 4];
		out[3 * i + 1] = digits[m->b[i] & 15];
		out[3 * i + 2] = ':';
	}
	out[HT_MAC_TEXT - 1] = '\0';
}

bool ht_mac_is_group(const struct ht_mac *m)
{
	return m->b[0] & 1;
}

bool ht_mac_is_local(const struct ht_mac *m)
{
	return m->b[0] & 2;
}

bool ht_mac_is_zero(const struct ht_mac *m)
{
	static const struct ht_mac zero;

	return memcmp(m, &zero, sizeof(zero)) == 0;
}
