/* Any rules, judged on facts that are hard for patterns. */
#include <stdlib.h>

#include "server/derive/class.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct class_facts facts[] = {
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "MSFT 5.0", "1,3,6",
		    "Dell Inc.", true, true, true, true },
		{ "", "", "", "", false, false, false, false },
		{ 0 },
	};
	struct class_rules *r = NULL;
	struct ht_fault fault = { 0 };

	if (class_rules_parse("f", data, size, &r, &fault)) {
		if (!fault.text[0])
			abort();
		return 0;
	}
	for (size_t n = 0; n <= HT_COUNT(facts); n++) {
		struct class_verdict v;
		class_judge(r, facts, n, &v);
		if (!(v.confidence >= 0 && v.confidence <= 1) || !v.why[0])
			abort();
	}
	class_generic_hostname(r, "localhost");
	class_rules_free(r);
	return 0;
}
