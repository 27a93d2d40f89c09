#include <stdint.h>
#include <stdlib.h>

#include "probes/lan/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ht_mac src = { { 2, 0x10, 0, 0, 0, 0x0a } };
	struct frame_arp a;

	if (frame_arp_parse(data, size, &src, &a) == HT_OK &&
	    (ht_mac_is_zero(&a.sender_mac) || ht_mac_is_group(&a.sender_mac)))
		abort();
	return 0;
}
