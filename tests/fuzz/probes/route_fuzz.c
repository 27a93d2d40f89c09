#include <stdint.h>
#include <stdlib.h>

#include "probes/lan/local.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct local l;

	l.n_gateways = 0;
	local_routes4((const char *)data, size, &l);
	local_routes6((const char *)data, size, &l);
	if (l.n_gateways > LOCAL_GATEWAYS_MAX)
		abort();
	return 0;
}
