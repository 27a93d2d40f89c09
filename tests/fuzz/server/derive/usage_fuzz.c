#include <stdlib.h>
#include <string.h>

#include "server/derive/usage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* An hour that can be read is written back as the same bytes, and takes more. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t bytes[USAGE_BYTES_MAX];
	struct usage_hour h;

	if (usage_decode(data, size, &h))
		return 0;
	if (usage_encode(&h, bytes) != size || memcmp(bytes, data, size) != 0)
		abort();
	usage_add(&h, 0, -1000, USAGE_HOUR_MS + 1000, 1e15, 1);
	for (int i = 0; i < USAGE_SLOTS; i++) {
		if (h.slots[i].ms != USAGE_SLOT_MS ||
		    usage_slot_bps(&h.slots[i], true) < 0)
			abort();
	}
	return 0;
}
