#include "probes/wan/path/trace_packet.h"

#include <string.h>

#include "base/reader.h"

enum {
	CHECK_AT = 2,                         /* in an ICMP packet */
	NUMBER_AT = ICMP_COOKIE,              /* in a datagram's payload */
	MADE_UP_AT = ICMP_HEAD + ICMP_COOKIE, /* in an echo: holds the checksum still */
};

static void put16(uint8_t *at, uint16_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

void trace_packet_echo(
    const struct trace_secret *s, uint16_t no, uint8_t out[static TRACE_ECHO])
{
	const struct icmp_echo e = {
		.id = s->id, .seq = (uint16_t)(s->base + no), .cookie = s->cookie
	};
	uint8_t packet[ICMP_PACKET_MAX];

	icmp_packet_write(s->family, &e, TRACE_PAYLOAD, packet);
	memcpy(out, packet, TRACE_ECHO);
	/* What is missing to a sum of 0xffff with the checksum that we want; the kernel
	 * then computes that very checksum. (For IPv6, whose sum covers addresses, it
	 * computes another, but always the same.) */
	put16(out + CHECK_AT, s->check);
	put16(out + MADE_UP_AT, 0);
	put16(out + MADE_UP_AT, icmp_packet_checksum(out, TRACE_ECHO));
	if (s->family == ICMP_V6)
		put16(out + CHECK_AT, 0);
}

void trace_packet_datagram(
    const struct trace_secret *s, uint16_t no, uint8_t out[static TRACE_PAYLOAD])
{
	memset(out, 0, TRACE_PAYLOAD);
	for (size_t i = 0; i < ICMP_COOKIE; i++)
		out[i] = (uint8_t)(s->cookie >> (56 - 8 * i));
	put16(out + NUMBER_AT, no);
}

/* ---- quotes ---- */

/* Whether the rest is nothing but the padding of RFC 4884. */
static bool padding(const struct ht_reader *r, size_t most)
{
	size_t left = ht_reader_left(r);

	for (size_t i = 0; i < left && i < most; i++) {
		if (r->at[i] != 0)
			return false;
	}
	return true;
}

static uint64_t read_cookie(struct ht_reader *r)
{
	uint64_t high = ht_reader_u32(r);

	return high << 32 | ht_reader_u32(r);
}

ht_err trace_quote_echo(
    const struct trace_secret *s, const void *bytes, size_t len, uint16_t *out_no)
{
	struct ht_reader r = ht_reader_of(bytes, len);
	uint8_t type = ht_reader_u8(&r), code = ht_reader_u8(&r);
	uint16_t check = ht_reader_u16(&r), id = ht_reader_u16(&r);
	uint16_t no = (uint16_t)(ht_reader_u16(&r) - s->base);

	if (r.bad)
		return HT_MALFORMED;
	if (type != (s->family == ICMP_V4 ? 8 : 128) || code != 0 || id != s->id)
		return HT_UNSUPPORTED;
	if (ht_reader_left(&r) < ICMP_COOKIE || padding(&r, TRACE_PAYLOAD)) {
		/* The header alone: its checksum is the secret. */
		if (s->family != ICMP_V4 || check != s->check)
			return HT_DENIED;
	} else if (read_cookie(&r) != s->cookie) {
		return HT_DENIED;
	}
	*out_no = no;
	return HT_OK;
}

ht_err trace_quote_datagram(
    const struct trace_secret *s, const void *bytes, size_t len, uint16_t *out_no)
{
	struct ht_reader r = ht_reader_of(bytes, len);

	if (padding(&r, TRACE_PAYLOAD))
		return HT_NOTFOUND;
	uint64_t cookie = read_cookie(&r);
	uint16_t no = ht_reader_u16(&r);

	if (r.bad || cookie != s->cookie)
		return HT_DENIED;
	*out_no = no;
	return HT_OK;
}

/* ---- errors ---- */

enum trace_error trace_error_of(enum icmp_family family, uint8_t type, uint8_t code)
{
	bool v4 = family == ICMP_V4;

	if (type == (v4 ? 11 : 3))
		return code == 0 ? TRACE_ERROR_EXCEEDED : TRACE_ERROR_OTHER;
	return type == (v4 ? 3 : 1) ? TRACE_ERROR_UNREACHABLE : TRACE_ERROR_OTHER;
}

const char *trace_error_words(enum icmp_family family, uint8_t code)
{
	static const char *const v4[] = { /* RFC 792, RFC 1812 section 5.2.7.1 */
		"network unreachable", "host unreachable", "protocol unreachable",
		"port unreachable", "packet too big", "source route failed",
		"network unknown", "host unknown", "host isolated", "network prohibited",
		"host prohibited", "network unreachable for this service",
		"host unreachable for this service", "administratively prohibited"
	};
	static const char *const v6[] = { /* RFC 4443 section 3.1 */
		"no route", "administratively prohibited",
		"beyond the scope of the source", "address unreachable",
		"port unreachable", "source address refused", "route rejected"
	};
	size_t n = family == ICMP_V4 ? HT_COUNT(v4) : HT_COUNT(v6);

	if (code >= n)
		return "unreachable";
	return family == ICMP_V4 ? v4[code] : v6[code];
}
