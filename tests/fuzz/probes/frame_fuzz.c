#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "probes/lan/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Text that leaves us is clean, whatever came in. */
static void check_text(const struct frame_option *o)
{
	char text[64], list[FRAME_LIST_TEXT], hex[FRAME_HEX_TEXT];

	frame_option_text(o, text, sizeof(text));
	frame_option_list(o, list);
	frame_option_hex(o, hex);
	if (strlen(text) >= sizeof(text) || strlen(hex) != 2u * o->len)
		abort();
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame f;

	if (frame_parse(data, size, &f) != HT_OK)
		return 0;
	if (f.n_vlans > FRAME_VLANS_MAX)
		abort();
	if (f.kind == FRAME_ARP &&
	    (ht_mac_is_zero(&f.arp.sender_mac) || ht_mac_is_group(&f.arp.sender_mac)))
		abort();
	if (f.kind == FRAME_DHCP) {
		check_text(&f.dhcp.hostname);
		check_text(&f.dhcp.vendor_class);
		check_text(&f.dhcp.parameters);
		check_text(&f.dhcp.client_id);
	}
	return 0;
}
