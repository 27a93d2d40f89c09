/* Connected to the WAN: reachable, and over the right path. */
#include "unit/test.h"

#include <math.h>
#include <string.h>

#include "server/derive/wan_connected.h"

static const struct wan_rules rules = { 0.5, false, 0.9, 0.7, 0.5 };
static const struct wan_rules strict = { 0.5, true, 0.9, 0.7, 0.5 };

static void is(const char *what, const struct wan_conclusion *c, enum wan_answer answer,
    double confidence, const char *reason, const char *cure)
{
	if (c->answer != answer || fabs(c->confidence - confidence) > 1e-9 ||
	    !strstr(c->reason, reason) || !strstr(c->cure, cure) ||
	    (!cure[0] && c->cure[0]))
		fail_msg("%s: %s %.2f '%s' '%s'", what, wan_answer_name(c->answer),
		    c->confidence, c->reason, c->cure);
}

static void test_link(void **state)
{
	static const struct {
		const char *what;
		struct wan_link l;
		enum wan_answer answer;
		double confidence;
		const char *reason, *cure;
	} cases[] = {
		{ "up, over the WAN",
		    { .id = "a",
			.now = WAN_UP,
			.path = WAN_PATH_RIGHT,
			.network = "province-wan",
			.path_reason = "hop 2 is 10.9.0.1" },
		    WAN_ANSWER_YES, 0.9,
		    "link a answers, over province-wan: hop 2 is 10.9.0.1", "" },
		{ "up, over the Internet",
		    { .id = "a",
			.now = WAN_UP,
			.path = WAN_PATH_WRONG,
			.network = "internet" },
		    WAN_ANSWER_NO, 0.9, "answers, but its traffic runs over internet",
		    "route the office" },
		{ "up, over the other network that counts",
		    { .id = "a",
			.now = WAN_UP,
			.path = WAN_PATH_OTHER,
			.network = "government-wan",
			.kind = "province-wan" },
		    WAN_ANSWER_YES, 0.7,
		    "over government-wan though it is registered as province-wan",
		    "registry" },
		{ "up, never traced", { .id = "a", .now = WAN_UP }, WAN_ANSWER_YES, 0.7,
		    "answers, but its path was never traced", "trace the path" },
		{ "up, traced long ago",
		    { .id = "a", .now = WAN_UP, .path = WAN_PATH_OLD }, WAN_ANSWER_YES,
		    0.7, "not traced lately", "no longer comes" },
		{ "up, unknown hops",
		    { .id = "a",
			.now = WAN_UP,
			.path = WAN_PATH_UNKNOWN,
			.path_reason = "hop 2 is silent" },
		    WAN_ANSWER_YES, 0.7,
		    "no rule knows the hops of its path: hop 2 is silent", "rules" },
		{ "down", { .id = "a", .now = WAN_DOWN, .path = WAN_PATH_RIGHT },
		    WAN_ANSWER_NO, 0.45, "does not answer, and only 0 % of the period",
		    "" },
		{ "down now, there for most of the period",
		    { .id = "a",
			.now = WAN_DOWN,
			.rounds = 100,
			.answered = 60,
			.known_share = 1,
			.path = WAN_PATH_RIGHT },
		    WAN_ANSWER_YES, 0.9,
		    "there for 60.0 % of the period (100 % of it is known)", "" },
		{ "the same, but less is known",
		    { .id = "a",
			.now = WAN_DOWN,
			.rounds = 100,
			.answered = 60,
			.known_share = 0.8,
			.path = WAN_PATH_RIGHT },
		    WAN_ANSWER_YES, 0.72, "(80 % of it is known)", "" },
		{ "three pings, then silence",
		    { .id = "a",
			.rounds = 3,
			.answered = 3,
			.known_share = 1 / 24.0,
			.path = WAN_PATH_RIGHT },
		    WAN_ANSWER_UNKNOWN, 0, "only 4 % of the period is known", "ping" },
		{ "a short outage, then silence",
		    { .id = "a", .has_share = true, .known_share = 0.004 },
		    WAN_ANSWER_UNKNOWN, 0, "only 0 % of the period is known", "ping" },
		{ "down now, and a day of it known",
		    { .id = "a",
			.now = WAN_DOWN,
			.rounds = 100,
			.answered = 10,
			.known_share = 1 },
		    WAN_ANSWER_NO, 0.9, "10.0 % of the period only", "" },
		{ "pings are filtered, an inside address answers",
		    { .id = "a",
			.now = WAN_DOWN,
			.inside = true,
			.path = WAN_PATH_RIGHT },
		    WAN_ANSWER_YES, 0.9, "an inside address answers over link a", "" },
		{ "as of a day in the past",
		    { .id = "a",
			.now = WAN_NOT_MEASURED,
			.has_share = true,
			.up_share = 0.97,
			.known_share = 1,
			.path = WAN_PATH_RIGHT },
		    WAN_ANSWER_YES, 0.9, "97.0 %", "" },
		{ "as of a day in the past, dead",
		    { .id = "a",
			.now = WAN_NOT_MEASURED,
			.has_share = true,
			.up_share = 0,
			.known_share = 1 },
		    WAN_ANSWER_NO, 0.9, "0.0 % of the period only", "" },
		{ "not measured", { .id = "a", .path = WAN_PATH_RIGHT },
		    WAN_ANSWER_UNKNOWN, 0, "nothing has measured link a", "ping" },
		/* A known wrong path says nothing while nobody reaches anything. */
		{ "not measured, wrong path", { .id = "a", .path = WAN_PATH_WRONG },
		    WAN_ANSWER_UNKNOWN, 0, "nothing has measured", "ping" },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct wan_conclusion c;

		wan_connected_link(&rules, &cases[i].l, &c);
		is(cases[i].what, &c, cases[i].answer, cases[i].confidence,
		    cases[i].reason, cases[i].cure);
	}
}

static void test_path_required(void **state)
{
	const struct wan_link traced = { .id = "a",
		.now = WAN_UP,
		.path = WAN_PATH_RIGHT },
			      not = { .id = "a", .now = WAN_UP };
	struct wan_conclusion c;

	wan_connected_link(&strict, &traced, &c);
	is("traced", &c, WAN_ANSWER_YES, 0.9, "answers", "");
	wan_connected_link(&strict, &not, &c);
	is("not traced", &c, WAN_ANSWER_UNKNOWN, 0, "never traced", "trace");
	assert_true(c.reachable);
}

/* What probes say is long at times: it is cut between letters. */
static void test_long_reason(void **state)
{
	for (size_t pad = 0; pad < 4; pad++) {
		char reason[600] = "";
		struct wan_link l = { .id = "a",
			.now = WAN_UP,
			.path = WAN_PATH_RIGHT,
			.network = "province-wan",
			.path_reason = reason };
		struct wan_conclusion c;

		memset(reason, 'x', pad);
		while (strlen(reason) < 590)
			strncat(reason, "ế", sizeof(reason) - strlen(reason) - 1);
		wan_connected_link(&rules, &l, &c);
		size_t n = strlen(c.reason);
		assert_in_range(n, WAN_TEXT_MAX - 4, WAN_TEXT_MAX - 1);
		assert_memory_equal(c.reason + n - 3, "ế", 3);
	}
}

static void test_agency(void **state)
{
	const struct wan_link up = { .id = "up", .now = WAN_UP },
			      sure = { .id = "sure",
				      .now = WAN_UP,
				      .path = WAN_PATH_RIGHT },
			      wrong = { .id = "wrong",
				      .now = WAN_UP,
				      .path = WAN_PATH_WRONG },
			      down = { .id = "down", .now = WAN_DOWN },
			      dark = { .id = "dark" };
	const struct {
		const char *what;
		struct wan_link links[3];
		size_t n, registered;
		enum wan_answer answer;
		double confidence;
		const char *reason;
	} cases[] = {
		{ "the surer yes tells", { up, sure, down }, 3, 3, WAN_ANSWER_YES, 0.9,
		    "link sure" },
		{ "yes beats no", { wrong, up }, 2, 2, WAN_ANSWER_YES, 0.7, "link up" },
		{ "unknown beats no", { down, dark }, 2, 2, WAN_ANSWER_UNKNOWN, 0,
		    "link dark" },
		{ "all no", { down, wrong }, 2, 2, WAN_ANSWER_NO, 0.9, "link wrong" },
		{ "the Internet alone", { { 0 } }, 0, 1, WAN_ANSWER_NO, 0,
		    "none of its links" },
		{ "no link", { { 0 } }, 0, 0, WAN_ANSWER_UNKNOWN, 0, "no link" },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct wan_conclusion c;

		wan_connected_agency(
		    &rules, cases[i].links, cases[i].n, cases[i].registered, &c);
		if (c.answer != cases[i].answer ||
		    fabs(c.confidence - cases[i].confidence) > 1e-9 ||
		    !strstr(c.reason, cases[i].reason))
			fail_msg("%s: %s %.2f %s", cases[i].what,
			    wan_answer_name(c.answer), c.confidence, c.reason);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_path_required),
		cmocka_unit_test(test_long_reason),
		cmocka_unit_test(test_agency),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
