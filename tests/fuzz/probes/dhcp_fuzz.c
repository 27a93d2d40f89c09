#include <stdint.h>
#include <stdlib.h>

#include "probes/lan/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame_dhcp d;
	char text[256];

	if (frame_dhcp_parse(data, size, &d) != HT_OK)
		return 0;
	if (ht_mac_is_group(&d.client))
		abort();
	frame_option_text(&d.hostname, text, sizeof(text));
	return 0;
}
