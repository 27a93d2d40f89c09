/* The memory of a device: what is understood is written back as it is understood. */
#include <stdlib.h>
#include <string.h>

#include "probes/snmp/known.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct known k, again;
	struct ht_buf a, b;

	known_decode(&k, bytes, len);
	ht_buf_init(&a, PROBE_MEMORY_MAX);
	ht_buf_init(&b, PROBE_MEMORY_MAX);
	known_encode(&k, &a);
	if (ht_buf_err(&a))
		abort();
	known_decode(&again, a.data, a.len);
	known_encode(&again, &b);
	if (again.identity.n != k.identity.n || a.len != b.len ||
	    memcmp(a.data, b.data, a.len) != 0)
		abort();
	known_fini(&k);
	known_fini(&again);
	ht_buf_fini(&a);
	ht_buf_fini(&b);
	return 0;
}
