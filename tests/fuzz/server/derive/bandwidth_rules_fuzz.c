#include <stdlib.h>

#include "server/derive/bandwidth_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is refused says why; what is taken judges without going over its ends. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bandwidth_facts f = { .way = { { 1e7, 1e6, 5e6, 4e6, 6e6, 2e7, 3e7 },
					 { 1e6, 1e5, 1e7, 1e6, 2e7, 2e6, 3e6 } },
		.used_coverage = 1,
		.tested = true,
		.now_ms = INT64_C(4000000000000) };
	struct bandwidth_rules *r = NULL;
	struct bandwidth_verdict v;
	struct ht_fault fault = { 0 };

	if (bandwidth_rules_parse("f", data, size, &r, &fault)) {
		if (!fault.text[0])
			abort();
		return 0;
	}
	bandwidth_check(r, &f, &v);
	if (v.n > BANDWIDTH_FINDINGS_MAX)
		abort();
	bandwidth_rules_free(r);
	return 0;
}
