#include <stdlib.h>
#include <string.h>

#include "server/derive/presence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct presence p;

	if (!presence_parse(data, size, &p) &&
	    (strlen(p.session) != PROPS_HEX_LEN || strlen(p.boot) != HT_BOOT_ID_LEN ||
		p.mono_ns < 0))
		abort();
	return 0;
}
