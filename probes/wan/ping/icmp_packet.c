#include "probes/wan/ping/icmp_packet.h"

#include <assert.h>

#include "base/reader.h"

enum {
	V4_REQUEST = 8,
	V4_REPLY = 0,
	V6_REQUEST = 128,
	V6_REPLY = 129,
	PROTOCOL_ICMP = 1
};

uint16_t icmp_packet_checksum(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	if (len % 2)
		sum += (uint32_t)(p[len - 1] << 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put16(uint8_t *at, uint16_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void put32(uint8_t *at, uint32_t v)
{
	put16(at, (uint16_t)(v >> 16));
	put16(at + 2, (uint16_t)v);
}

size_t icmp_packet_write(
    enum icmp_family family, const struct icmp_echo *echo, size_t payload, uint8_t *out)
{
	size_t len = ICMP_HEAD + payload;

	assert(payload >= ICMP_COOKIE && payload <= ICMP_PAYLOAD_MAX);
	out[0] = family == ICMP_V4 ? V4_REQUEST : V6_REQUEST;
	out[1] = 0;
	put16(out + 2, 0);
	put16(out + 4, echo->id);
	put16(out + 6, echo->seq);
	put32(out + ICMP_HEAD, (uint32_t)(echo->cookie >> 32));
	put32(out + ICMP_HEAD + 4, (uint32_t)echo->cookie);
	size_t at = ICMP_HEAD + ICMP_COOKIE;
	if (payload >= ICMP_COOKIE + ICMP_TAG) {
		put32(out + at, echo->tag);
		at += ICMP_TAG;
	}
	for (; at < len; at++)
		out[at] = (uint8_t)at;
	if (family == ICMP_V4)
		put16(out + 2, icmp_packet_checksum(out, len));
	return len;
}

/* Leaves in `r` what the IPv4 header says is its payload. */
static ht_err skip_ip(struct ht_reader *r)
{
	size_t packet = ht_reader_left(r);
	uint8_t first = ht_reader_u8(r);
	size_t head = (size_t)(first & 0x0f) * 4;

	ht_reader_skip(r, 1);
	size_t total = ht_reader_u16(r);
	ht_reader_skip(r, 5);
	uint8_t protocol = ht_reader_u8(r);

	if (r->bad || first >> 4 != 4 || head < 20 || total < head || total > packet)
		return HT_MALFORMED;
	if (protocol != PROTOCOL_ICMP)
		return HT_UNSUPPORTED;
	ht_reader_skip(r, head - 10);
	*r = ht_reader_sub(r, total - head);
	return r->bad ? HT_MALFORMED : HT_OK;
}

ht_err icmp_packet_parse(enum icmp_family family, bool ip_header, const void *bytes,
    size_t len, struct icmp_echo *out)
{
	struct ht_reader r = ht_reader_of(bytes, len);
	ht_err err = ip_header ? skip_ip(&r) : HT_OK;
	struct icmp_echo e = { 0 };

	if (err)
		return err;
	const uint8_t *at = r.at;
	size_t left = ht_reader_left(&r);
	uint8_t type = ht_reader_u8(&r), code = ht_reader_u8(&r);

	ht_reader_skip(&r, 2);
	e.id = ht_reader_u16(&r);
	e.seq = ht_reader_u16(&r);
	if (r.bad)
		return HT_MALFORMED;
	if (type != (family == ICMP_V4 ? V4_REPLY : V6_REPLY) || code != 0)
		return HT_UNSUPPORTED;
	e.payload = ht_reader_left(&r);
	e.cookie = (uint64_t)ht_reader_u32(&r) << 32;
	e.cookie |= ht_reader_u32(&r);
	if (r.bad)
		return HT_MALFORMED;
	if (family == ICMP_V4 && icmp_packet_checksum(at, left) != 0)
		return HT_CORRUPT;
	*out = e;
	return HT_OK;
}

ht_err icmp_packet_parse_quote(
    enum icmp_family family, const void *bytes, size_t len, struct icmp_echo *out)
{
	struct ht_reader r = ht_reader_of(bytes, len);
	struct icmp_echo e = { 0 };
	uint8_t type = ht_reader_u8(&r), code = ht_reader_u8(&r);

	ht_reader_skip(&r, 2);
	e.id = ht_reader_u16(&r);
	e.seq = ht_reader_u16(&r);
	if (r.bad)
		return HT_MALFORMED;
	if (type != (family == ICMP_V4 ? V4_REQUEST : V6_REQUEST) || code != 0)
		return HT_UNSUPPORTED;
	e.payload = ht_reader_left(&r);
	if (e.payload >= ICMP_COOKIE) {
		e.cookie = (uint64_t)ht_reader_u32(&r) << 32;
		e.cookie |= ht_reader_u32(&r);
	}
	*out = e;
	return HT_OK;
}
