#include "unit/test.h"

#include "server/throughput/slots.h"

#include <math.h>
#include <string.h>

#define MB INT64_C(1000000)

/* ── what links share ─────────────────────────────────────────────────────────────── */

#define LINK(id_, agency_, router_, ...)                                                 \
	{                                                                                \
		.id = (id_), .agency = (agency_), .router = (router_),                   \
		.ancestors = (const char *const[]){ __VA_ARGS__, "" },                   \
		.n_ancestors = HT_COUNT(((const char *const[]){ __VA_ARGS__, "" })) - 1, \
	}
#define NONE "-"

static void test_sharing(void **state)
{
	static const char *const wide[] = { "core" };
	const struct {
		struct slots_link a, b;
		const char *why; /* NULL: nothing */
	} cases[] = {
		{ LINK("x", "ax", "10.1.0.1", NONE), LINK("x", "ax", "10.1.0.1", NONE),
		    "the link x" },
		/* Siblings, cousins, parent and child, grandparent. */
		{ LINK("x", "ax", "10.1.0.1", "hub"), LINK("y", "ay", "10.1.0.2", "hub"),
		    "the link hub" },
		{ LINK("x", "ax", NULL, "hub-1", "ring"),
		    LINK("y", "ay", NULL, "hub-2", "ring"), "the link ring" },
		{ LINK("x", "ax", NULL, "hub"), LINK("hub", "ah", NULL, "core"),
		    "the link hub" },
		{ LINK("ring", "ar", NULL, "core"), LINK("x", "ax", NULL, "hub", "ring"),
		    "the link ring" },
		/* What is wide enough for all is no reason, unless it is measured. */
		{ LINK("x", "ax", NULL, "core"), LINK("y", "ay", NULL, "core"), NULL },
		{ LINK("core", "ac", NULL, NONE), LINK("y", "ay", NULL, "core"), NULL },
		{ LINK("core", "ac", NULL, NONE), LINK("core", "ac", NULL, NONE),
		    "the link core" },
		/* One router, one agency. */
		{ LINK("x", "ax", "10.1.0.1", "h1"), LINK("y", "ay", "10.1.0.1", "h2"),
		    "the router 10.1.0.1" },
		{ LINK("x", "ax", NULL, "h1"), LINK("x-2", "ax", NULL, "h2"),
		    "the agency ax" },
		{ LINK("x", "ax", "10.1.0.1", "h1"), LINK("y", "ay", "10.1.0.11", "h2"),
		    NULL },
		/* Not knowing a router is not having the same one. */
		{ LINK("x", "ax", NULL, "h1"), LINK("y", "ay", NULL, "h2"), NULL },
	};
	char why[SLOTS_WHY_MAX];

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		for (int turned = 0; turned < 2; turned++) {
			const struct slots_link *a = turned ? &cases[i].b : &cases[i].a;
			const struct slots_link *b = turned ? &cases[i].a : &cases[i].b;
			struct slots_link x = *a, y = *b;

			if (strcmp(x.ancestors[0], NONE) == 0)
				x.n_ancestors = 0;
			if (strcmp(y.ancestors[0], NONE) == 0)
				y.n_ancestors = 0;
			if (slots_shared(&x, &y, wide, 1, why) != !!cases[i].why)
				fail_msg("case %zu", i);
			if (cases[i].why)
				assert_string_equal(why, cases[i].why);
		}
	}
}

/* ── hours ────────────────────────────────────────────────────────────────────────── */

static int wait_at(const struct slots_hours *h, int hour, int minute)
{
	return slots_hours_wait(
	    h, INT64_C(1519862400000) + (hour * 60 + minute) * INT64_C(60000) + 59999);
}

static void test_hours(void **state)
{
	struct slots_hours h = { 0 };

	assert_int_equal(wait_at(&h, 10, 0), 0);
	assert_ok(slots_hours_add(&h, "17:30-07:00"));
	assert_ok(slots_hours_add(&h, "12:00-13:00"));
	assert_int_equal(wait_at(&h, 17, 30), 0);
	assert_int_equal(wait_at(&h, 0, 0), 0);
	assert_int_equal(wait_at(&h, 6, 59), 0);
	assert_int_equal(wait_at(&h, 7, 0), 300);
	assert_int_equal(wait_at(&h, 12, 30), 0);
	assert_int_equal(wait_at(&h, 13, 0), 270);
	assert_int_equal(wait_at(&h, 17, 29), 1);
	h.n = 0;
	assert_ok(slots_hours_add(&h, "00:00-24:00"));
	for (int hour = 0; hour < 24; hour++)
		assert_int_equal(wait_at(&h, hour, 7), 0);
}

static void test_bad_hours(void **state)
{
	static const char *const texts[] = { "", "7-8", "07:00", "07:00-", "07:00-07:00",
		"24:00-07:00", "25:00-07:00", "07:60-08:00", "07:00-08:00 ",
		"07:00–08:00", "07.00-08.00" };
	struct slots_hours h = { 0 };

	for (size_t i = 0; i < HT_COUNT(texts); i++) {
		if (slots_hours_add(&h, texts[i]) != HT_MALFORMED)
			fail_msg("accepted: %s", texts[i]);
	}
	for (int i = 0; i < SLOTS_HOURS_MAX; i++)
		assert_ok(slots_hours_add(&h, "01:00-02:00"));
	assert_int_equal(slots_hours_add(&h, "01:00-02:00"), HT_FULL);
}

/* ── the verdict ──────────────────────────────────────────────────────────────────── */

static struct slots_rules rules;
static struct slots_ask ask;
static struct slots_verdict verdict;

static int setup(void **state)
{
	rules = (struct slots_rules){ .endpoint = true,
		.max_concurrent = 3,
		.endpoint_bps = 300 * MB,
		.busy_share = 0.2,
		.day_bytes = 100 * MB,
		.month_bytes = 1000 * MB,
		.day_tests = 48,
		.utc_offset_min = 420 };
	ask = (struct slots_ask){ .link = { .id = "x",
				      .agency = "ax",
				      .down_bps = 50 * MB,
				      .up_bps = 10 * MB },
		.endpoint = true,
		.bytes = 60 * MB,
		.now_ms = INT64_C(1519862400000), /* 2018-03-01 00:00 UTC, 07:00 there */
		.state = "UP",
		.used_ms = 1000,
		.used_down = 1 * MB,
		.used_up = NAN };
	return 0;
}

static void judge(const struct slots_live *live, size_t n)
{
	slots_judge(&rules, &ask, live, n, &verdict);
}

static void refused(const char *part, int64_t wait_s)
{
	assert_false(verdict.granted);
	if (!strstr(verdict.why, part))
		fail_msg("\"%s\" has no \"%s\"", verdict.why, part);
	assert_int_equal(verdict.wait_s, wait_s);
}

static void test_granted(void **state)
{
	judge(NULL, 0);
	assert_true(verdict.granted);
	assert_int_equal(verdict.bytes, 60 * MB);
	/* Nothing known of the link is no reason against it. */
	ask.state = NULL;
	ask.used_ms = INT64_MAX;
	ask.used_down = NAN;
	ask.link.down_bps = ask.link.up_bps = 0;
	judge(NULL, 0);
	assert_true(verdict.granted);
	ask.state = "UNKNOWN";
	judge(NULL, 0);
	assert_true(verdict.granted);
	ask.state = "DEGRADED";
	judge(NULL, 0);
	assert_true(verdict.granted);
}

static void test_state(void **state)
{
	ask.state = "DOWN";
	judge(NULL, 0);
	refused("the link is down", 0);
	ask.state = "UNREACHABLE";
	judge(NULL, 0);
	refused("hangs on", 0);
	ask.state = "MAINTENANCE";
	judge(NULL, 0);
	refused("under maintenance", 0);
}

static void test_busy(void **state)
{
	ask.used_down = 10 * MB;
	judge(NULL, 0);
	assert_true(verdict.granted); /* not more than 20 % */
	ask.used_down = 11 * MB;
	judge(NULL, 0);
	refused("office traffic: 11.0 Mbit/s down, more than 20 % of its 50.0", 0);
	ask.used_down = 0;
	ask.used_up = 3 * MB;
	judge(NULL, 0);
	refused("3.0 Mbit/s up", 0);
	/* Old news. */
	ask.used_ms = SLOTS_USED_MS + 1;
	judge(NULL, 0);
	assert_true(verdict.granted);
}

static void test_hour(void **state)
{
	assert_ok(slots_hours_add(&rules.hours, "17:30-07:00"));
	judge(NULL, 0); /* 07:00 in Lào Cai */
	refused("begin at 17:30", 630 * 60);
	ask.now_ms -= 1;
	judge(NULL, 0);
	assert_true(verdict.granted);
}

static void test_budget(void **state)
{
	ask.day_spent = 70 * MB;
	judge(NULL, 0);
	assert_true(verdict.granted);
	assert_int_equal(verdict.bytes, 30 * MB);
	ask.month_spent = 990 * MB;
	judge(NULL, 0);
	assert_int_equal(verdict.bytes, 10 * MB);
	ask.month_spent = 1001 * MB;
	judge(NULL, 0);
	refused("used up: 1001.0 of 1000.0 MB this month", 0);
	ask.day_spent = 100 * MB;
	ask.month_spent = 100 * MB;
	judge(NULL, 0);
	refused("this day", 0);
	ask.day_spent = 0;
	ask.day_tests = 47;
	judge(NULL, 0);
	assert_true(verdict.granted);
	ask.day_tests = 48;
	judge(NULL, 0);
	refused("tested 48 times this day", 0);
}

static void test_uplink(void **state)
{
	static const char *const hub[] = { "hub" };
	struct slots_live live[] = {
		{ .link = { .id = "y",
		      .agency = "ay",
		      .ancestors = hub,
		      .n_ancestors = 1 },
		    .agent = "ay-1",
		    .expires_ms = ask.now_ms + 20000 },
	};

	judge(live, 1);
	assert_true(verdict.granted);
	ask.link.ancestors = hub;
	ask.link.n_ancestors = 1;
	judge(live, 1);
	refused("a test of y by ay-1 is under way and shares the link hub", 5);
	/* An agent that died keeps nobody out for ever. */
	live[0].expires_ms = ask.now_ms;
	judge(live, 1);
	assert_true(verdict.granted);
	/* Who has waited longer goes first; it is no load on the endpoint. */
	live[0].expires_ms = INT64_MAX;
	live[0].waiting = live[0].endpoint = true;
	judge(live, 1);
	refused("a test of y by ay-1 has waited longer and shares the link hub", 5);
	ask.link.n_ancestors = 0;
	rules.max_concurrent = 1;
	judge(live, 1);
	assert_true(verdict.granted);
}

static void test_crowd(void **state)
{
	ask.crowded = true;
	judge(NULL, 0);
	refused("0 tests are under way, as many as are compared", 5);
}

static void test_capacity(void **state)
{
	struct slots_live live[3];

	for (int i = 0; i < 3; i++)
		live[i] = (struct slots_live){
			.link = { .id = "y", .agency = "ay", .down_bps = 100 * MB },
			.agent = "a",
			.expires_ms = ask.now_ms + 20000,
			.endpoint = true
		};
	judge(live, 2); /* 50 + 200 ≤ 300 */
	assert_true(verdict.granted);
	judge(live, 3);
	refused("the endpoint is full: 3 tests", 5);
	live[0].link.down_bps = 160 * MB;
	judge(live, 2); /* 50 + 260 */
	refused("the endpoint is full", 5);
	/* A link of unknown rate may bring a third. */
	ask.link.down_bps = ask.link.up_bps = 0;
	live[0].link.down_bps = 100 * MB;
	judge(live, 2);
	assert_true(verdict.granted);
	live[0].link.down_bps = 101 * MB;
	judge(live, 2);
	refused("full", 5);
	/* Tests against other places are no load here. */
	live[0].endpoint = false;
	judge(live, 3);
	assert_true(verdict.granted);
	ask.endpoint = false;
	live[0].endpoint = true;
	judge(live, 3);
	assert_true(verdict.granted);
	/* A link that is faster than the endpoint is measured when nobody else is. */
	ask.endpoint = true;
	ask.link.down_bps = 1000 * MB;
	judge(live, 0);
	assert_true(verdict.granted);
	rules.endpoint = false;
	judge(live, 0);
	refused("throughput.port", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sharing),
		cmocka_unit_test(test_hours),
		cmocka_unit_test(test_bad_hours),
		cmocka_unit_test_setup(test_granted, setup),
		cmocka_unit_test_setup(test_state, setup),
		cmocka_unit_test_setup(test_busy, setup),
		cmocka_unit_test_setup(test_hour, setup),
		cmocka_unit_test_setup(test_budget, setup),
		cmocka_unit_test_setup(test_uplink, setup),
		cmocka_unit_test_setup(test_crowd, setup),
		cmocka_unit_test_setup(test_capacity, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
