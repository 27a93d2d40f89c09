/* Causes and corrected times, one scenario a row: each cause with a near miss. The outage
 * is 1000 s to 1600 s; changes and runs are written in seconds. */
#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/derive/cause.h"

#define START 1000
#define END   1600

/* "F-": the far end went silent; F, G, D, I: far end, gateway, DNS, Internet. */
struct change {
	const char *what;
	int at_s;
};
struct run {
	const char *boot, *session;
	int first_s, last_s;
};

struct scenario {
	const char *name;
	enum cause cause;
	bool corrected;
	struct change changes[10];
	struct run runs[3];
	int router_start_s, router_told_s; /* 0: never told */
	bool unreachable, other_way, oper_down, blind, server_gap, open;
};

#define KNOWN                                     \
	{ "F+", 10 }, { "G+", 10 }, { "D+", 10 }, \
	{                                         \
		"I+", 10                          \
	}
#define CUT                                                                             \
	{ "F-", 1001 }, { "I-", 1001 }, { "D-", 1001 }, { "F+", 1601 }, { "I+", 1601 }, \
	{                                                                               \
		"D+", 1601                                                              \
	}
#define STEADY                              \
	{                                   \
		{                           \
			"b1", "s1", 0, 2000 \
		}                           \
	}

/* clang-format off */
static const struct scenario scenarios[] = {
	{ "the line was cut", CAUSE_WAN_LINK, true, { KNOWN, CUT }, STEADY },
	{ "it is still cut: no end", CAUSE_WAN_LINK, true, { KNOWN, { "F-", 1001 } }, STEADY, .open = true,
	    .other_way = true },
	{ "the router says so, nobody inside", CAUSE_WAN_LINK, false, { { 0 } }, { { 0 } }, .oper_down = true },
	{ "not: nobody measures the gateway", CAUSE_UNKNOWN, true,
	    { { "F+", 10 }, { "F-", 1001 }, { "F+", 1601 } }, STEADY },
	{ "not: that silence was an hour before", CAUSE_FAR_END, false,
	    { KNOWN, { "F-", 100 }, { "F+", 200 } }, STEADY },
	{ "the far end alone was silent", CAUSE_FAR_END, true,
	    { KNOWN, { "F-", 1001 }, { "F+", 1601 } }, STEADY },
	{ "not the far end: the Internet came by another link", CAUSE_WAN_LINK, true,
	    { KNOWN, { "F-", 1001 }, { "F+", 1601 } }, STEADY, .other_way = true },
	{ "inside saw nothing", CAUSE_FAR_END, false, { KNOWN }, STEADY },
	{ "the router restarted", CAUSE_ROUTER, true,
	    { KNOWN, { "G-", 1001 }, { "F-", 1001 }, { "G+", 1550 }, { "F+", 1601 } }, STEADY, 1500, 1700 },
	{ "the gateway was silent", CAUSE_ROUTER, true,
	    { KNOWN, { "G-", 1001 }, { "F-", 1001 }, { "G+", 1550 }, { "F+", 1601 } }, STEADY },
	{ "router restarted, nobody inside", CAUSE_ROUTER, false, { { 0 } }, { { 0 } }, 1500, 1700 },
	{ "not the router: it restarted long before", CAUSE_WAN_LINK, true, { KNOWN, CUT }, STEADY, 500, 1700 },
	{ "the router ran and did not answer inside", CAUSE_LAN, true,
	    { KNOWN, { "G-", 1001 }, { "F-", 1001 }, { "G+", 1550 }, { "F+", 1601 } }, STEADY, 500, 1700 },
	{ "not the LAN: not told since", CAUSE_ROUTER, true,
	    { KNOWN, { "G-", 1001 }, { "F-", 1001 }, { "G+", 1550 }, { "F+", 1601 } }, STEADY, 500, 900 },
	{ "the power went", CAUSE_POWER, false, { KNOWN, { "F+", 1602 } },
	    { { "b1", "s1", 0, 985 }, { "b2", "s2", 1590, 2000 } } },
	{ "the power went, the router with it", CAUSE_POWER, false, { KNOWN, { "F+", 1602 } },
	    { { "b1", "s1", 0, 985 }, { "b2", "s2", 1590, 2000 } }, 1580, 1700 },
	{ "not the power: the router ran", CAUSE_AGENT, false, { KNOWN, { "F+", 1602 } },
	    { { "b1", "s1", 0, 985 }, { "b2", "s2", 1590, 2000 } }, 500, 1700 },
	{ "not the power: it was off since the day before", CAUSE_UNKNOWN, false, { KNOWN },
	    { { "b1", "s1", 0, 500 }, { "b2", "s2", 1700, 2000 } } },
	{ "not the power: the link was dead before it", CAUSE_WAN_LINK, true,
	    { KNOWN, { "F-", 1001 }, { "I-", 1001 }, { "D-", 1001 }, { "F+", 1601 } },
	    { { "b1", "s1", 0, 1300 }, { "b2", "s2", 1400, 2000 } } },
	{ "the agent restarted", CAUSE_AGENT, false, { KNOWN },
	    { { "b1", "s1", 0, 985 }, { "b1", "s2", 1590, 2000 } } },
	{ "not the agent: it restarted at once", CAUSE_UNKNOWN, false, { KNOWN },
	    { { "b1", "s1", 0, 995 }, { "b1", "s2", 1005, 2000 } } },
	{ "the vantage was blind", CAUSE_SERVER, false, { KNOWN }, STEADY, .blind = true },
	{ "the server was stopped, nobody inside", CAUSE_SERVER, false, { { 0 } }, { { 0 } }, .server_gap = true },
	{ "not the server: the line was cut as well", CAUSE_WAN_LINK, true, { KNOWN, CUT }, STEADY, .blind = true },
	{ "behind a dead parent", CAUSE_PARENT, true, { KNOWN, CUT }, STEADY, .unreachable = true },
	{ "nobody inside", CAUSE_UNKNOWN, false, { { 0 } }, { { 0 } } },
};
/* clang-format on */

static int64_t ms(int s)
{
	return INT64_C(1795000000000) + (int64_t)s * 1000;
}

static size_t read_changes(const struct scenario *s, struct cause_change *out)
{
	static const char places[] = "FGDI";
	size_t n = 0;

	for (size_t i = 0; i < HT_COUNT(s->changes) && s->changes[i].what; i++) {
		int64_t at = ms(s->changes[i].at_s);
		bool down = s->changes[i].what[1] == '-';

		/* Told 2.5 s after the first lost ping; 2 s after the first answer. */
		out[n++] = (struct cause_change){
			.place = (enum cause_place)(
			    strchr(places, s->changes[i].what[0]) - places),
			.down = down,
			.at_ms = at + 2500,
			.lost_ms = down ? at : CAUSE_NEVER,
			.answered_ms = down ? at - 1000 : at,
			.journal_id = (int64_t)i + 1,
		};
	}
	return n;
}

static void play(const struct scenario *s, struct cause_verdict *out)
{
	struct cause_change changes[10];
	struct cause_run runs[3];
	size_t n_runs = 0;

	for (size_t i = 0; i < HT_COUNT(s->runs) && s->runs[i].boot; i++)
		runs[n_runs++] = (struct cause_run){ s->runs[i].boot, s->runs[i].session,
			ms(s->runs[i].first_s), ms(s->runs[i].last_s), 90 };
	struct cause_facts f = {
		.start_ms = ms(START),
		.start_uncertainty_ms = 1000,
		.end_ms = s->open ? CAUSE_OPEN : ms(END),
		.unreachable = s->unreachable,
		.other_way = s->other_way,
		.changes = changes,
		.n_changes = read_changes(s, changes),
		.runs = runs,
		.n_runs = n_runs,
		.router_start_ms = s->router_told_s ? ms(s->router_start_s) : CAUSE_NEVER,
		.router_told_ms = ms(s->router_told_s),
		.oper_down = s->oper_down,
		.blind = s->blind,
		.server_gap = s->server_gap,
	};
	cause_judge(&f, out);
}

static void every_scenario_has_its_cause(void **state)
{
	unsigned seen = 0;

	(void)state;
	for (size_t i = 0; i < HT_COUNT(scenarios); i++) {
		const struct scenario *s = &scenarios[i];
		struct cause_verdict v;

		play(s, &v);
		if (v.cause != s->cause)
			fail_msg("%s: %s (%s), not %s", s->name, cause_name(v.cause),
			    v.reason, cause_name(s->cause));
		if ((v.start_ms != CAUSE_NEVER) != s->corrected)
			fail_msg("%s: corrected %d", s->name, v.start_ms != CAUSE_NEVER);
		assert_true(
		    strlen(v.reason) > 20 && v.reason[strlen(v.reason) - 1] == '.');
		seen |= 1u << v.cause;
	}
	assert_int_equal(seen, (1u << (CAUSE_PARENT + 1)) - 1);
}

/* A cut at any phase: the true time lies inside what is told, and that within a ping. */
static void the_cut_lies_where_it_says(void **state)
{
	(void)state;
	for (int phase = 0; phase < 1000; phase += 7) {
		int64_t cut = ms(START) + phase, back = ms(END) + phase * 3 % 1000;
		int64_t lost = (cut / 1000 + 1) * 1000, again = (back / 1000 + 1) * 1000;
		struct cause_change changes[] = {
			{ CAUSE_GATEWAY, false, ms(0), CAUSE_NEVER, ms(0), 0, 1 },
			{ CAUSE_FAR, true, lost + 2500, lost, lost - 1000, 0, 2 },
			{ CAUSE_FAR, false, again + 2010, CAUSE_NEVER, again, 0, 3 },
		};
		struct cause_run run = { "b", "s", ms(0), ms(3000), 1 };
		struct cause_facts f = { .start_ms = cut + 900,
			.start_uncertainty_ms = 1000,
			.end_ms = back + 3000,
			.changes = changes,
			.n_changes = 3,
			.runs = &run,
			.n_runs = 1,
			.router_start_ms = CAUSE_NEVER };
		struct cause_verdict v;

		cause_judge(&f, &v);
		assert_int_equal(v.cause, CAUSE_WAN_LINK);
		assert_true(llabs(v.start_ms - cut) <= v.start_uncertainty_ms);
		assert_true(llabs(v.end_ms - back) <= v.end_uncertainty_ms);
		assert_true(v.start_uncertainty_ms <= 500 && v.end_uncertainty_ms <= 500);
		assert_int_equal(v.n_journal, 2);
		assert_int_equal(v.journal[0], 2);
		assert_int_equal(v.journal[1], 3);
		/* Dated by the server: its doubt is told with it. */
		changes[1].uncertainty_ms = changes[2].uncertainty_ms = 800;
		cause_judge(&f, &v);
		assert_int_equal(v.start_uncertainty_ms, 1300);
	}
}

static void two_silences_in_one_outage_are_one(void **state)
{
	struct cause_change changes[] = {
		{ CAUSE_GATEWAY, false, ms(0), CAUSE_NEVER, ms(0), 0, 1 },
		{ CAUSE_FAR, true, ms(1003), ms(1001), ms(1000), 0, 2 },
		{ CAUSE_FAR, false, ms(1203), CAUSE_NEVER, ms(1201), 0, 3 },
		{ CAUSE_FAR, true, ms(1305), ms(1303), ms(1302), 0, 4 },
		{ CAUSE_FAR, false, ms(1603), CAUSE_NEVER, ms(1601), 0, 5 },
	};
	struct cause_facts f = { .start_ms = ms(START),
		.end_ms = ms(END),
		.changes = changes,
		.n_changes = HT_COUNT(changes),
		.router_start_ms = CAUSE_NEVER };
	struct cause_verdict v;

	(void)state;
	cause_judge(&f, &v);
	assert_int_equal(v.start_ms, ms(1000) + 500);
	assert_int_equal(v.end_ms, ms(1601) - 500);
	assert_int_equal(v.journal[0], 2);
	assert_int_equal(v.journal[1], 5);
}

/* The power goes while the line is dead: when the line came back, nobody was there. */
static void back_while_nobody_ran_is_an_interval(void **state)
{
	struct cause_change changes[] = {
		{ CAUSE_GATEWAY, false, ms(0), CAUSE_NEVER, ms(0), 0, 1 },
		{ CAUSE_FAR, true, ms(1003), ms(1001), ms(1000), 0, 2 },
		{ CAUSE_FAR, false, ms(1603), CAUSE_NEVER, ms(1601), 0, 3 },
	};
	struct cause_run runs[] = { { "b1", "s1", ms(0), ms(1200), 2 },
		{ "b2", "s2", ms(1600), ms(3000), 3 } };
	struct cause_facts f = { .start_ms = ms(START),
		.end_ms = ms(END),
		.changes = changes,
		.n_changes = HT_COUNT(changes),
		.runs = runs,
		.n_runs = 2,
		.router_start_ms = CAUSE_NEVER };
	struct cause_verdict v;

	(void)state;
	cause_judge(&f, &v);
	assert_int_equal(v.end_ms - v.end_uncertainty_ms, ms(1200));
	assert_int_equal(v.end_ms + v.end_uncertainty_ms, ms(1601));
	/* It ran a minute before it was answered: it knows the moment. */
	runs[1].first_ms = ms(1540);
	cause_judge(&f, &v);
	assert_int_equal(v.end_ms, ms(1601) - 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_scenario_has_its_cause),
		cmocka_unit_test(the_cut_lies_where_it_says),
		cmocka_unit_test(two_silences_in_one_outage_are_one),
		cmocka_unit_test(back_while_nobody_ran_is_an_interval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
