#include <stdlib.h>
#include <string.h>

#include "probes/wan/path/trace_packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* The first byte chooses the family. A quote of an echo that counts holds our id and,
 * where it has one, our cookie. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct trace_secret s = { .id = 0x1234,
		.check = 0xbeef,
		.base = 0xfff0,
		.cookie = UINT64_C(0x6162636465666768) };
	uint8_t sent[TRACE_ECHO];
	uint16_t no;

	if (len == 0)
		return 0;
	s.family = bytes[0] & 1 ? ICMP_V6 : ICMP_V4;
	bytes++;
	len--;
	if (trace_quote_echo(&s, bytes, len, &no) == HT_OK) {
		trace_packet_echo(&s, no, sent);
		if (len < ICMP_HEAD || memcmp(bytes + 4, sent + 4, 4) != 0)
			abort();
	}
	if (trace_quote_datagram(&s, bytes, len, &no) == HT_OK &&
	    (len < 10 || memcmp(bytes, "abcdefgh", 8) != 0))
		abort();
	if (len >= 2)
		(void)trace_error_words(s.family, bytes[1]);
	return 0;
}
