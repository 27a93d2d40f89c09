#include <stdlib.h>

#include "server/derive/calendar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is refused says why; what is taken answers for any time. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct calendar *c = NULL;
	struct ht_fault fault = { 0 };

	if (calendar_parse("f", data, size, &c, &fault)) {
		if (!fault.text[0])
			abort();
		return 0;
	}
	for (int64_t at = -INT64_C(86400000000); at < INT64_C(4102444800000);
	     at += INT64_C(40000000000)) {
		struct calendar_day d;
		int64_t from, to;

		calendar_day_of(c, at, &d);
		calendar_month_of(c, at, &from, &to);
		if (at < d.from_ms || at >= d.to_ms || at < from || at >= to ||
		    d.open_ms >= d.close_ms)
			abort();
	}
	calendar_free(c);
	return 0;
}
