#include "probes/wan/service/dns_wire.h"

#include <ctype.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/reader.h"

enum { QR = 0x8000, OPCODE = 0x7800, TC = 0x0200, RCODE = 0x000f };
enum { NOERROR = 0, NXDOMAIN = 3 };

/* Bytes of the question that begins at `r`: an uncompressed name, type, class. */
static size_t question_len(struct ht_reader r)
{
	size_t len = 0;
	uint8_t label;

	do {
		label = ht_reader_u8(&r);
		if (label > 63)
			return 0; /* compressed, or no label */
		ht_reader_skip(&r, label);
		len += 1u + label;
	} while (label && !r.bad);
	ht_reader_skip(&r, 4);
	return r.bad || len > 255 ? 0 : len + 4;
}

/* Lengths of labels are below 64, so that lower-casing them changes nothing. */
static bool same_question(const uint8_t *a, const uint8_t *b, size_t len)
{
	for (size_t i = 0; i + 4 < len; i++) {
		if (tolower(a[i]) != tolower(b[i]))
			return false;
	}
	return memcmp(a + len - 4, b + len - 4, 4) == 0;
}

bool dns_wire_answers(
    const uint8_t *query, size_t query_len, const uint8_t *answer, size_t len)
{
	struct ht_reader q = ht_reader_of(query, query_len);
	struct ht_reader a = ht_reader_of(answer, len);
	uint16_t id = ht_reader_u16(&q), query_flags = ht_reader_u16(&q);

	ht_reader_skip(&q, DNS_HEADER - 4);
	if (ht_reader_u16(&a) != id)
		return false;
	uint16_t flags = ht_reader_u16(&a), questions = ht_reader_u16(&a);
	uint16_t rcode = flags & RCODE;

	ht_reader_skip(&a, DNS_HEADER - 6);
	if (a.bad || !(flags & QR) || ((flags ^ query_flags) & OPCODE))
		return false;
	if (questions == 0)
		return rcode != NOERROR && rcode != NXDOMAIN;
	size_t want = question_len(q), got = question_len(a);

	return questions == 1 && want && want == got && same_question(q.at, a.at, want);
}

bool dns_wire_truncated(const uint8_t *answer, size_t len)
{
	struct ht_reader r = ht_reader_of(answer, len);

	ht_reader_skip(&r, 2);
	return (ht_reader_u16(&r) & TC) != 0;
}

/* ── servers ─────────────────────────────────────────────────────────────────────── */

/* Digits alone, 1..65535; 0 when it is none. */
static uint16_t port_of(const char *text)
{
	unsigned long port = 0;

	if (!*text || strlen(text) > 5)
		return 0;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return 0;
		port = port * 10 + (unsigned long)(*text - '0');
	}
	return port <= 65535 ? (uint16_t)port : 0;
}

ht_err dns_server_parse(
    const char *text, struct sockaddr_storage *out, socklen_t *out_len)
{
	char host[HT_ADDR_TEXT];
	const char *end = text[0] == '[' ? strchr(text, ']') : strchr(text, ':');
	const char *from = text[0] == '[' ? text + 1 : text;
	uint16_t port = 53;
	struct ht_addr addr;

	if (text[0] == '[' && !end)
		return HT_MALFORMED;
	if (!end || (text[0] != '[' && strchr(end + 1, ':')))
		end = text + strlen(text); /* no port, or a bare IPv6 address */
	const char *rest = *end == ']' ? end + 1 : end;

	if (*rest && (*rest != ':' || !(port = port_of(rest + 1))))
		return HT_MALFORMED;
	if ((size_t)(end - from) >= sizeof(host))
		return HT_MALFORMED;
	memcpy(host, from, (size_t)(end - from));
	host[end - from] = '\0';
	if (strchr(host, '/') || ht_addr_parse(host, &addr))
		return HT_MALFORMED;
	ht_addr_sockaddr(&addr, port, out, out_len);
	return HT_OK;
}

/* "10.0.0.1" or "fe80::1%eth0". */
static bool read_server(
    const char *text, size_t len, struct sockaddr_storage *out, socklen_t *out_len)
{
	char host[HT_ADDR_TEXT];
	struct ht_addr addr;

	if (len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	char *zone = strchr(host, '%');

	if (zone)
		*zone++ = '\0';
	if (strchr(host, '/') || ht_addr_parse(host, &addr))
		return false;
	ht_addr_sockaddr(&addr, 53, out, out_len);
	if (zone && addr.family == AF_INET6)
		((struct sockaddr_in6 *)out)->sin6_scope_id = if_nametoindex(zone);
	return true;
}

/* The value of a line "nameserver VALUE", or NULL. */
static const char *name_server(const char *line)
{
	static const char key[] = "nameserver";
	size_t blank;

	if (strncmp(line, key, sizeof(key) - 1) != 0)
		return NULL;
	line += sizeof(key) - 1;
	blank = strspn(line, " \t");
	return blank ? line + blank : NULL;
}

void dns_server_from_resolv_conf(
    const char *text, struct sockaddr_storage *out, socklen_t *out_len)
{
	const struct ht_addr here = ht_addr_from_v4(INADDR_LOOPBACK);

	while (*text) {
		const char *value = name_server(text);

		if (value &&
		    read_server(value, strcspn(value, " \t\r\n#;"), out, out_len))
			return;
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	ht_addr_sockaddr(&here, 53, out, out_len);
}
