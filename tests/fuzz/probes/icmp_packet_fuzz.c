#include <stdlib.h>

#include "probes/wan/icmp_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* The first byte chooses the family and whether an IPv4 header comes first. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct icmp_echo e;

	if (len == 0)
		return 0;
	enum icmp_family family = bytes[0] & 1 ? ICMP_V6 : ICMP_V4;

	if (icmp_packet_parse(family, bytes[0] & 2, bytes + 1, len - 1, &e) == HT_OK &&
	    len - 1 < ICMP_HEAD + ICMP_COOKIE)
		abort();
	return 0;
}
