/* Accounting, worked by hand. Times are hours from T0 = 2026-11-01T00:00 in Vietnam;
 * the month has 720. */
#include "unit/test.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "server/derive/availability.h"

#define T0   INT64_C(1793466000000) /* 2026-10-31T17:00:00Z */
#define H(h) (T0 + (int64_t)((h)*3600000.0))
#define OPEN AVAILABILITY_OPEN

/* A DOWN outage as estimated and, with `e`, as the edge wrote it down. */
#define DOWN(a, b)                             \
	{                                      \
		H(a), b, H(a), b, false, false \
	}
#define EDGE(a, b, c, d)                             \
	{                                            \
		H(a), H(b), H(c), H(d), false, false \
	}

struct scenario {
	const char *name;
	struct availability_span spans[6];
	struct availability_outage outages[4];
	struct availability_window windows[4];
	double now_h;
	/* in hours */
	double up, degraded, down, unreachable, unknown, maintenance;
	int outages_n, ended;
	double repair;
};

/* clang-format off */
static const struct scenario scenarios[] = {
	{ "up all month", { { H(-5), OPEN, LINK_UP } }, { { 0 } }, { { 0 } }, 1000,
	    720, 0, 0, 0, 0, 0, 0, 0, 0 },
	{ "nothing measured", { { 0 } }, { { 0 } }, { { 0 } }, 1000, 0, 0, 0, 0, 720, 0, 0, 0, 0 },
	{ "the month is not over", { { H(-5), OPEN, LINK_UP } }, { { 0 } }, { { 0 } }, 10,
	    10, 0, 0, 0, 0, 0, 0, 0, 0 },
	{ "the month has not begun", { { H(-5), OPEN, LINK_UP } }, { { 0 } }, { { 0 } }, -1,
	    0, 0, 0, 0, 0, 0, 0, 0, 0 },
	{ "one outage", { { H(-5), H(10), LINK_UP }, { H(10), H(12), LINK_DOWN }, { H(12), OPEN, LINK_DEGRADED } },
	    { DOWN(10, H(12)) }, { { 0 } }, 1000, 10, 708, 2, 0, 0, 0, 1, 1, 2 },
	{ "it lasts", { { H(-5), H(10), LINK_UP }, { H(10), OPEN, LINK_DOWN } },
	    { DOWN(10, OPEN) }, { { 0 } }, 15, 10, 0, 5, 0, 0, 0, 1, 0, 0 },
	{ "it began in the month before", { { H(-5), H(-2), LINK_UP }, { H(-2), H(3), LINK_DOWN }, { H(3), OPEN, LINK_UP } },
	    { DOWN(-2, H(3)) }, { { 0 } }, 1000, 717, 0, 3, 0, 0, 0, 0, 1, 5 },
	{ "it ends in the month after", { { H(-5), H(718), LINK_UP }, { H(718), H(725), LINK_DOWN }, { H(725), OPEN, LINK_UP } },
	    { DOWN(718, H(725)) }, { { 0 } }, 1000, 718, 0, 2, 0, 0, 0, 1, 0, 0 },
	{ "the edge's times are shorter: the rest was up",
	    { { H(-5), H(10), LINK_UP }, { H(10), H(14), LINK_DOWN }, { H(14), OPEN, LINK_UP } },
	    { EDGE(10, 14, 11, 13) }, { { 0 } }, 1000, 718, 0, 2, 0, 0, 0, 1, 1, 2 },
	{ "the edge's times are longer", { { H(-5), H(10), LINK_UP }, { H(10), H(14), LINK_DOWN }, { H(14), OPEN, LINK_UP } },
	    { EDGE(10, 14, 9, 15) }, { { 0 } }, 1000, 714, 0, 6, 0, 0, 0, 1, 1, 6 },
	{ "the correction moves it into the month before", { { H(-5), H(1), LINK_UP }, { H(1), H(2), LINK_DOWN }, { H(2), OPEN, LINK_UP } },
	    { EDGE(1, 2, -1, 2) }, { { 0 } }, 1000, 718, 0, 2, 0, 0, 0, 0, 1, 3 },
	{ "down, but no outage was opened", { { H(-5), H(10), LINK_UP }, { H(10), H(14), LINK_DOWN }, { H(14), OPEN, LINK_UP } },
	    { { 0 } }, { { 0 } }, 1000, 716, 0, 4, 0, 0, 0, 0, 0, 0 },
	{ "maintenance entered afterwards covers half", { { H(-5), H(10), LINK_UP }, { H(10), H(14), LINK_DOWN }, { H(14), OPEN, LINK_UP } },
	    { DOWN(10, H(14)) }, { { H(8), H(12) } }, 1000, 714, 0, 2, 0, 0, 4, 1, 1, 2 },
	{ "overlapping windows count once", { { H(-5), H(10), LINK_UP }, { H(10), H(20), LINK_DOWN }, { H(20), OPEN, LINK_UP } },
	    { DOWN(10, H(20)) }, { { H(12), H(15) }, { H(11), H(13) }, { H(14), H(16) }, { H(18), H(18.5) } }, 1000,
	    710, 0, 4.5, 0, 0, 5.5, 1, 1, 4.5 },
	{ "wholly in maintenance: no outage", { { H(-5), H(10), LINK_UP }, { H(10), H(12), LINK_MAINTENANCE }, { H(12), OPEN, LINK_UP } },
	    { DOWN(10, H(12)) }, { { H(9), H(13) } }, 1000, 716, 0, 0, 0, 0, 4, 0, 0, 0 },
	{ "a window was removed: its time was not judged", { { H(-5), H(10), LINK_UP }, { H(10), H(12), LINK_MAINTENANCE }, { H(12), OPEN, LINK_UP } },
	    { { 0 } }, { { 0 } }, 1000, 718, 0, 0, 0, 2, 0, 0, 0, 0 },
	{ "a window across the end of the month", { { H(-5), OPEN, LINK_UP } }, { { 0 } }, { { H(715), H(730) } }, 1000,
	    715, 0, 0, 0, 0, 5, 0, 0, 0 },
	{ "behind a dead parent", { { H(-5), H(10), LINK_UP }, { H(10), H(14), LINK_UNREACHABLE }, { H(14), OPEN, LINK_UP } },
	    { { H(10), H(14), H(10), H(14), true, false } }, { { 0 } }, 1000, 716, 0, 0, 4, 0, 0, 0, 0, 0 },
	{ "the server's side", { { H(-5), H(10), LINK_UP }, { H(10), H(14), LINK_DOWN }, { H(14), OPEN, LINK_UP } },
	    { { H(10), H(14), H(10), H(14), false, true } }, { { 0 } }, 1000, 716, 0, 0, 0, 4, 0, 0, 0, 0 },
	{ "unknown holes between", { { H(-5), H(100), LINK_UP }, { H(100), H(200), LINK_UNKNOWN }, { H(300), OPEN, LINK_UP } },
	    { { 0 } }, { { 0 } }, 1000, 520, 0, 0, 0, 200, 0, 0, 0, 0 },
	{ "two outages whose corrections touch", { { H(-5), H(10), LINK_UP }, { H(10), H(12), LINK_DOWN }, { H(12), H(13), LINK_UP },
	    { H(13), H(15), LINK_DOWN }, { H(15), OPEN, LINK_UP } },
	    { EDGE(10, 12, 10, 13), EDGE(13, 15, 12.5, 15) }, { { 0 } }, 1000, 715, 0, 5, 0, 0, 0, 2, 2, 5.5 },
};
/* clang-format on */

#define COUNT(list) count_of(list, HT_COUNT(list), sizeof(*(list)))

/* How many rows are filled: the rest is zero. */
static size_t count_of(const void *rows, size_t n, size_t size)
{
	static const char zero[64];
	size_t i = 0;

	while (i < n && memcmp((const char *)rows + i * size, zero, size) != 0)
		i++;
	return i;
}

static void hours(const char *name, const char *what, int64_t ms, double want)
{
	if (ms != (int64_t)llround(want * 3600000))
		fail_msg(
		    "%s: %s is %.4f h, not %.4f", name, what, (double)ms / 3600000, want);
}

static void each_is_counted(void **state)
{
	(void)state;
	for (size_t i = 0; i < HT_COUNT(scenarios); i++) {
		const struct scenario *s = &scenarios[i];
		struct availability_sums sums = { 0 };

		assert_ok(availability_count(s->spans, COUNT(s->spans), s->outages,
		    COUNT(s->outages), s->windows, COUNT(s->windows), H(0), H(720),
		    H(s->now_h), &sums));
		hours(s->name, "up", sums.up_ms, s->up);
		hours(s->name, "degraded", sums.degraded_ms, s->degraded);
		hours(s->name, "down", sums.down_ms, s->down);
		hours(s->name, "unreachable", sums.unreachable_ms, s->unreachable);
		hours(s->name, "unknown", sums.unknown_ms, s->unknown);
		hours(s->name, "maintenance", sums.maintenance_ms, s->maintenance);
		hours(s->name, "repair", sums.ended_repair_ms, s->repair);
		if (sums.outages != s->outages_n || sums.ended != s->ended)
			fail_msg("%s: %d outages, %d ended", s->name, (int)sums.outages,
			    (int)sums.ended);
	}
}

/* A link that flaps: its two months add up to the whole, whatever the border cuts. */
static void months_add_up(void **state)
{
	struct availability_span spans[400];
	struct availability_outage outages[200];
	struct availability_sums one = { 0 }, two = { 0 }, both = { 0 };
	size_t n = 0, m = 0;

	(void)state;
	for (int i = 0; i < 200; i++) {
		int64_t at = T0 + i * INT64_C(26280000), dead = at + 18360000,
			next = at + 26280000;

		spans[n++] = (struct availability_span){ at, dead, LINK_UP };
		spans[n++] = (struct availability_span){ dead, next, LINK_DOWN };
		outages[m++] = (struct availability_outage){ dead, next, dead - 360000,
			next - 360000, false, false };
	}
	struct availability_window w = { H(700), H(740) };
	assert_ok(
	    availability_count(spans, n, outages, m, &w, 1, H(0), H(720), H(2000), &one));
	assert_ok(availability_count(
	    spans, n, outages, m, &w, 1, H(720), H(1440), H(2000), &two));
	assert_ok(availability_count(
	    spans, n, outages, m, &w, 1, H(0), H(1440), H(2000), &both));
	availability_add(&one, &two);
	one.links = 1;
	assert_memory_equal(&one, &both, sizeof(one));
	assert_int_equal(
	    both.up_ms + both.down_ms + both.maintenance_ms, 1440 * 3600000ll);
	assert_int_equal(both.maintenance_ms, 40 * 3600000ll);
}

static void figures(void **state)
{
	struct availability_sums s = { .up_ms = 900000,
		.degraded_ms = 50000,
		.down_ms = 50000,
		.unreachable_ms = 1000000,
		.unknown_ms = 2000000,
		.maintenance_ms = 7777,
		.outages = 5,
		.ended = 4,
		.ended_repair_ms = 40000 };
	struct availability_sums none = { 0 };

	(void)state;
	assert_true(fabs(availability_share(&s) - 0.95) < 1e-12);
	assert_true(fabs(availability_service(&s) - 0.475) < 1e-12);
	assert_true(fabs(availability_coverage(&s) - 0.5) < 1e-12);
	assert_true(fabs(availability_mttr_s(&s) - 10) < 1e-9);
	assert_true(fabs(availability_mtbf_s(&s) - 190) < 1e-9);
	assert_true(
	    isnan(availability_share(&none)) && isnan(availability_mttr_s(&none)));
	assert_true(isnan(availability_mtbf_s(&none)));
}

static void months_begin_in_their_zone(void **state)
{
	static const struct {
		const char *month;
		int offset;
		const char *from, *to;
	} rows[] = {
		{ "2026-11", 420, "2026-10-31T17:00:00.000Z",
		    "2026-11-30T17:00:00.000Z" },
		{ "2026-12", 420, "2026-11-30T17:00:00.000Z",
		    "2026-12-31T17:00:00.000Z" },
		{ "2028-02", 0, "2028-02-01T00:00:00.000Z", "2028-03-01T00:00:00.000Z" },
		{ "2100-02", 0, "2100-02-01T00:00:00.000Z", "2100-03-01T00:00:00.000Z" },
		{ "2026-01", -300, "2026-01-01T05:00:00.000Z",
		    "2026-02-01T05:00:00.000Z" },
	};
	static const char *const bad[] = { "", "2026", "2026-13", "2026-00", "1999-12",
		"2026-1", "26-11", "2026-11-01", "2026/11", "202a-11" };
	int64_t from, to, want;
	char month[8];

	(void)state;
	for (size_t i = 0; i < HT_COUNT(rows); i++) {
		assert_ok(availability_month(rows[i].month, rows[i].offset, &from, &to));
		assert_ok(ht_rfc3339_parse(rows[i].from, &want));
		assert_int_equal(from, want);
		assert_ok(ht_rfc3339_parse(rows[i].to, &want));
		assert_int_equal(to, want);
		availability_month_of(from, rows[i].offset, month);
		assert_string_equal(month, rows[i].month);
		availability_month_of(to - 1, rows[i].offset, month);
		assert_string_equal(month, rows[i].month);
	}
	for (size_t i = 0; i < HT_COUNT(bad); i++)
		assert_true(availability_month(bad[i], 420, &from, &to) != HT_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_counted),
		cmocka_unit_test(months_add_up),
		cmocka_unit_test(figures),
		cmocka_unit_test(months_begin_in_their_zone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
