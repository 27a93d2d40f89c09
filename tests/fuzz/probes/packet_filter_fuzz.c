#include <stdint.h>
#include <stdlib.h>

#include "probes/posture/packet_filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct packet_filter f;
	struct ht_buf text;

	if (packet_filter_parse((const char *)data, size, &f) != HT_OK)
		return 0;
	if (f.n_ports > PACKET_FILTER_PORTS_MAX ||
	    ((f.refuses4 || f.refuses6) && !f.hooked))
		abort();
	ht_buf_init(&text, 8192);
	packet_filter_describe(&f, &text);
	if (ht_buf_err(&text) != HT_OK)
		abort();
	ht_buf_fini(&text);
	return 0;
}
