#include <stdlib.h>

#include "server/derive/oui.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct oui *o = NULL;
	struct ht_mac m = { { 0x00, 0x80, 0x77, 1, 2, 3 } };

	if (oui_parse((const char *)data, size, &o))
		return 0;
	if (oui_find(o, &m) && !oui_count(o))
		abort();
	oui_free(o);
	return 0;
}
