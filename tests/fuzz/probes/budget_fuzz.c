/* What a probe remembers of its budget: what is taken is written again as the same bytes,
 * and no clock makes it give back what was spent within a month. */
#include <stdlib.h>
#include <string.h>

#include "probes/wan/throughput/budget.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct budget b, again;
	uint8_t bytes[BUDGET_BYTES], bytes2[BUDGET_BYTES];

	budget_load(&b, data, size);
	size_t len = budget_save(&b, bytes);
	budget_load(&again, bytes, len);
	if (budget_save(&again, bytes2) != len || memcmp(bytes, bytes2, len) != 0)
		abort();
	int64_t spent = b.month_bytes;
	budget_clock(&b, BUDGET_UNKNOWN, "another boot", 0);
	if (b.month_bytes != spent || budget_left(&b, INT64_MAX, INT64_MAX) < 0)
		abort();
	budget_spend(&b, INT64_MAX);
	if (budget_left(&b, INT64_MAX, INT64_MAX) != 0)
		abort();
	return 0;
}
