/* The packets of a traceroute, and what ICMP errors quote of them; pure codec. All
 * packets of one trace are one flow to every router that balances load: same addresses,
 * protocol, ports or ICMP id, and the same ICMP checksum (Paris traceroute: a sequence
 * number is made up for by two bytes of payload). Errors come from the kernel's error
 * queue, which has stripped the quoted IP header (and UDP's); what it leaves is hostile:
 * a quote counts when it carries our secret. Routers quote at least eight bytes (RFC
 * 792), most of IPv4 and all of IPv6 more (RFC 1812, RFC 4443); RFC 4884 pads with zeros
 * and appends extensions, which are passed over. */
#ifndef HT_PROBES_WAN_TRACE_PACKET_H
#define HT_PROBES_WAN_TRACE_PACKET_H

#include "probes/wan/ping/icmp_packet.h"

enum {
	TRACE_PAYLOAD = 32, /* bytes behind the UDP or ICMP header */
	TRACE_ECHO = ICMP_HEAD + TRACE_PAYLOAD,
};

struct trace_secret {
	enum icmp_family family;
	uint16_t id;    /* of the ICMP socket */
	uint16_t check; /* ICMPv4: the checksum of every packet; not 0 nor 0xffff */
	uint16_t base;  /* ICMP sequence number of packet 0 */
	uint64_t cookie;
};

/* Packet `no` of the trace as an ICMP echo request, and as the payload of a datagram. */
void trace_packet_echo(
    const struct trace_secret *s, uint16_t no, uint8_t out[static TRACE_ECHO]);
void trace_packet_datagram(
    const struct trace_secret *s, uint16_t no, uint8_t out[static TRACE_PAYLOAD]);

/* Which packet a quote is about. `bytes` begin with the quoted ICMP header.
 *   errors  HT_MALFORMED: too short to tell; HT_UNSUPPORTED: of another pinger;
 *           HT_DENIED: forged */
HT_MUST_CHECK ht_err trace_quote_echo(
    const struct trace_secret *s, const void *bytes, size_t len, uint16_t *out_no);

/* The same; `bytes` begin behind the quoted UDP header.
 *   errors  HT_NOTFOUND: nothing of the payload is quoted, so that only the kernel's
 *           match of addresses and ports says that it is ours; HT_DENIED: forged */
HT_MUST_CHECK ht_err trace_quote_datagram(
    const struct trace_secret *s, const void *bytes, size_t len, uint16_t *out_no);

/* What an ICMP error says of a packet. */
enum trace_error { TRACE_ERROR_OTHER, TRACE_ERROR_EXCEEDED, TRACE_ERROR_UNREACHABLE };
enum trace_error trace_error_of(enum icmp_family family, uint8_t type, uint8_t code);

/* "host unreachable", "administratively prohibited" … of an error that is
 * TRACE_ERROR_UNREACHABLE. Never NULL. */
const char *trace_error_words(enum icmp_family family, uint8_t code);

#endif
