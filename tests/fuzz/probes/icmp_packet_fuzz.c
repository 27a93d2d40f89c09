#include <stdlib.h>

#include "probes/wan/ping/icmp_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* The first byte chooses the family, whether an IPv4 header comes first, and whether it
 * is a reply or what an ICMP error quotes of a request. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct icmp_echo e;

	if (len == 0)
		return 0;
	enum icmp_family family = bytes[0] & 1 ? ICMP_V6 : ICMP_V4;

	if (bytes[0] & 4) {
		if (icmp_packet_parse_quote(family, bytes + 1, len - 1, &e) == HT_OK &&
		    (len - 1 < ICMP_HEAD || e.payload > len - 1 - ICMP_HEAD))
			abort();
		return 0;
	}
	if (icmp_packet_parse(family, bytes[0] & 2, bytes + 1, len - 1, &e) == HT_OK &&
	    (len - 1 < ICMP_HEAD + ICMP_COOKIE || e.payload > len - 1 - ICMP_HEAD))
		abort();
	return 0;
}
