/* What an agent says of slots: what is taken keeps to its limits. */
#include <stdlib.h>
#include <string.h>

#include "server/throughput/ask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ask a;

	if (ask_read(data, size, &a) || a.kind == ASK_OTHER)
		return 0;
	if (strlen(a.outcome) > ASK_OUTCOME_MAX || a.bytes < 0 || a.bytes > ASK_BYTES_MAX)
		abort();
	if (a.kind == ASK_SLOT && (!ht_id_valid(a.link, HT_ID_MAX) || a.bytes < 1 ||
				      a.seconds < 1 || a.seconds > ASK_SECONDS_MAX))
		abort();
	if (a.kind == ASK_SLOT_END && a.slot < 1)
		abort();
	return 0;
}
