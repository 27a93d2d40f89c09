/* Alert rules: what is refused, where, with which cure; matching; calendars. */
#include "tests/unit/test.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "server/alert/group.h"
#include "server/alert/rules.h"

static const struct rules_channel channels[] = { { "mail", false }, { "chat", true } };

static struct rules *good(const char *text)
{
	struct ht_fault fault = { 0 };
	struct rules *r = NULL;

	if (rules_parse("r.yaml", text, strlen(text), channels, 2, &r, &fault))
		fail_msg("%s", fault.text);
	return r;
}

static void bad(const char *text, const char *place, const char *cure)
{
	struct ht_fault fault = { 0 };
	struct rules *r = NULL;

	assert_int_equal(
	    rules_parse("r.yaml", text, strlen(text), channels, 2, &r, &fault),
	    HT_CONFIG);
	assert_null(r);
	if (strncmp(fault.text, place, strlen(place)) != 0 || !strstr(fault.text, cure))
		fail_msg("%s", fault.text);
}

#define RULE "version: 1\nrules:\n  - { id: a, kinds: [link-down]"

static void test_refused(void **state)
{
	bad(RULE ", route: [mial] }\n", "r.yaml:3:", "did you mean `mail`?");
	bad(RULE ", route: [pager] }\n", "r.yaml:3:", "mail, chat");
	bad("version: 1\nrules:\n  - { id: a, kinds: [link-donw] }\n",
	    "r.yaml:3:22:", "`link-down`?");
	bad(RULE ", hours: offce }\n", "r.yaml:3:", "calendar `offce`");
	bad(RULE ", hold: 5 }\n", "r.yaml:3:", "unit");
	bad(RULE ", sevrity: info }\n", "r.yaml:3:", "severity");
	bad(RULE " }\n  - { id: a, kinds: [link-down] }\n", "r.yaml:4:", "line 3");
	bad("version: 2\nrules: []\n", "r.yaml:1:", "");
	bad("version: 1\ntime_zone: Hanoi\nrules:\n  - { id: a, kinds: [link-down] }\n",
	    "r.yaml:2:", "+07:00");
	bad("version: 1\nhours: [{ id: o, days: [mon], from: \"17:00\", to: \"08:00\" "
	    "}]\n"
	    "rules:\n  - { id: a, kinds: [link-down] }\n",
	    "r.yaml:2:", "two calendars");
}

static void test_match(void **state)
{
	struct rules *r =
	    good("version: 1\nrules:\n"
		 "  - { id: b, kinds: [link-down], match: { roles: [backup] }, route: "
		 "[mail] }\n"
		 "  - { id: p, kinds: [link-down], match: { agencies: [sa-pa] } }\n"
		 "  - { id: none, kinds: [link-down], route: [none] }\n");
	static const char *const above[] = { "ta-phin", "sa-pa" };
	struct rules_subject s = { "link-down", above, 2, NULL, NULL, "primary", NULL };

	assert_string_equal(rules_find(r, &s)->id, "p");
	assert_int_equal(rules_find(r, &s)->route.n, 2);
	s.role = "backup";
	assert_string_equal(rules_find(r, &s)->id, "b");
	assert_int_equal(rules_find(r, &s)->route.n, 1);
	s.role = NULL;
	s.n_agencies = 1;
	assert_string_equal(rules_find(r, &s)->id, "none");
	assert_int_equal(rules_find(r, &s)->route.n, 0);
	s.kind = "on-backup";
	assert_null(rules_find(r, &s));
	rules_free(r);
}

static int64_t at(const char *text)
{
	int64_t ms;

	assert_ok(ht_rfc3339_parse(text, &ms));
	return ms;
}

static void test_hours(void **state)
{
	static const struct {
		const char *asked, *open;
	} cases[] = {
		{ "2026-03-02T10:00:00+07:00", "2026-03-02T10:00:00+07:00" },
		{ "2026-03-02T06:00:00+07:00", "2026-03-02T07:30:00+07:00" },
		{ "2026-03-02T17:00:00+07:00", "2026-03-03T07:30:00+07:00" },
		{ "2026-03-06T23:00:00+07:00", "2026-03-10T07:30:00+07:00" },
	};
	struct rules *r = good("version: 1\nhours:\n"
			       "  - { id: o, days: [mon, tue, wed, thu, fri], from: "
			       "\"07:30\", to: \"17:00\","
			       " except: [2026-03-09] }\n"
			       "rules:\n  - { id: a, kinds: [link-down], hours: o }\n");
	const struct rules_rule *rule = rules_by_id(r, "a");

	for (size_t i = 0; i < HT_COUNT(cases); i++)
		assert_int_equal(
		    rules_next_open_ms(r, rule, at(cases[i].asked)), at(cases[i].open));
	rules_free(r);
}

static void test_groups(void **state)
{
	struct rules_group g = { .members = 5, .share = 10 };
	struct group_candidate told = { "b", 2000, true }, old = { "a", 1000, false };

	assert_true(group_is_common(&g, 5, 50));
	assert_false(group_is_common(&g, 5, 51));
	assert_false(group_is_common(&g, 4, 4));
	assert_true(group_is_better(&told, &old));
	told.announced = false;
	assert_false(group_is_better(&told, &old));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_match),
		cmocka_unit_test(test_hours),
		cmocka_unit_test(test_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
