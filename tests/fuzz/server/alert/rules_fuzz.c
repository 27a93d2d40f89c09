/* Any bytes as alert rules: refused with a reason, or whole, and every problem finds a
 * rule or none. */
#include <assert.h>

#include "server/alert/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const struct rules_channel channels[] = { { "chat", true },
		{ "sms", false } };
	static const char *const above[] = { "d1", "p1" };
	static const struct rules_subject subject = { "link-down", above, 2, "d1", "VNPT",
		"primary", "province-wan" };
	struct ht_fault fault = { 0 };
	struct rules *r = NULL;

	if (rules_parse("f", bytes, len, channels, 2, &r, &fault)) {
		assert(fault.text[0]);
	} else {
		const struct rules_rule *rule = rules_find(r, &subject);

		assert(!rule || rules_by_id(r, rule->id) == rule);
	}
	rules_free(r);
	return 0;
}
