#include <stdlib.h>
#include <string.h>

#include "agent/monitor_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* What parses as a request writes back to the same bytes; answers only must not crash. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct monitor_request q;
	struct monitor_answer a;
	uint8_t back[MONITOR_REQUEST_MAX];

	if (monitor_request_parse(bytes, len, &q) == HT_OK) {
		for (size_t i = 0; i < q.names.n; i++) {
			if (!monitor_name_valid(q.names.at[i]))
				abort();
		}
		size_t n = monitor_request_write(&q, back);

		/* a name given twice is kept once */
		if (n > len || (n == len && memcmp(back, bytes, n) != 0))
			abort();
	}
	if (monitor_answer_parse(bytes, len, &a) == HT_OK && a.len &&
	    a.bytes + a.len != bytes + len)
		abort();
	return 0;
}
