/* Any bytes as a channels file: refused with a place, or whole. */
#include <assert.h>
#include <string.h>

#include "server/alert/channel.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const struct channels *c = NULL;
	struct ht_fault fault = { 0 };

	if (channels_parse("f", 0600, bytes, len, &c, &fault))
		assert(strncmp(fault.text, "f:", 2) == 0);
	channels_release(c);
	return 0;
}
