/* ICMP echo packets (RFC 792, RFC 4443), pure codec. The payload begins with a random
 * cookie, so that forged, foreign and late replies are told from ours; behind it stands,
 * where there is room, a tag by which the kernel can sort them (icmp_socket.h). */
#ifndef HT_PROBES_WAN_ICMP_PACKET_H
#define HT_PROBES_WAN_ICMP_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
	ICMP_HEAD = 8,   /* bytes of the ICMP header */
	ICMP_COOKIE = 8, /* bytes of payload that are ours to check */
	ICMP_TAG = 4,
	ICMP_PAYLOAD_MAX = 8972, /* 9,000 bytes of IPv4 */
	ICMP_PACKET_MAX = ICMP_HEAD + ICMP_PAYLOAD_MAX,
};

enum icmp_family { ICMP_V4, ICMP_V6 };

struct icmp_echo {
	uint16_t id, seq; /* the kernel overwrites id on datagram sockets */
	uint64_t cookie;
	uint32_t tag;   /* written only */
	size_t payload; /* bytes that came; read only */
};

/* Write an echo request of `payload` bytes, ICMP_COOKIE..ICMP_PAYLOAD_MAX, into a buffer
 * of ICMP_HEAD more; returns its length. The checksum is filled in for IPv4; the kernel
 * does it for IPv6, whose sum covers addresses. */
size_t icmp_packet_write(
    enum icmp_family family, const struct icmp_echo *echo, size_t payload, uint8_t *out);

/* Read an echo reply. `ip_header`: an IPv4 header comes first (raw sockets).
 *   errors  HT_MALFORMED, HT_UNSUPPORTED (another type of message), HT_CORRUPT (checksum)
 */
HT_MUST_CHECK ht_err icmp_packet_parse(enum icmp_family family, bool ip_header,
    const void *bytes, size_t len, struct icmp_echo *out);

/* What an ICMP error quotes of the packet that it is about: an echo request, from its
 * ICMP header on. Routers may quote as little as the header (RFC 792): the cookie is 0
 * then, as is the payload.
 *   errors  HT_MALFORMED, HT_UNSUPPORTED (no echo request) */
HT_MUST_CHECK ht_err icmp_packet_parse_quote(
    enum icmp_family family, const void *bytes, size_t len, struct icmp_echo *out);

/* The Internet checksum (RFC 1071) in host order; 0 over a packet that holds its own. */
uint16_t icmp_packet_checksum(const void *bytes, size_t len);

#endif
