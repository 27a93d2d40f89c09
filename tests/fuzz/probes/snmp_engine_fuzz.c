#include <stdlib.h>

#include "probes/snmp/engine.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct engine_id e;

	if (engine_report_parse(bytes, len, 0x01020304, &e) == HT_OK &&
	    (e.len < ENGINE_ID_MIN || e.len > ENGINE_ID_MAX))
		abort();
	return 0;
}
