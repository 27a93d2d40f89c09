/* Five-minute means: how rates are spread, kept and counted over a window. */
#include "unit/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/derive/usage.h"

#define FILE_NAME "../server/derive/rules/calendar-vn.yaml"
#define MINUTE    INT64_C(60000)
#define HOUR      (60 * MINUTE)
#define DAY       (24 * HOUR)
#define MONDAY    INT64_C(1763312400000) /* 2025-11-17 00:00 in Viet Nam */

static struct calendar *calendar;

static int setup(void **state)
{
	struct ht_fault fault = { 0 };

	return calendar_load(FILE_NAME, &calendar, &fault) ? -1 : 0;
}

static int teardown(void **state)
{
	calendar_free(calendar);
	return 0;
}

static void near(double got, double want)
{
	if (!(fabs(got - want) <= 1e-6 * fmax(1, fabs(want))))
		fail_msg("got %.12g, want %.12g", got, want);
}

static void round_trip(const struct usage_hour *h)
{
	uint8_t bytes[USAGE_BYTES_MAX + 1];
	struct usage_hour back;
	size_t len = usage_encode(h, bytes);

	assert_ok(usage_decode(bytes, len, &back));
	assert_memory_equal(h, &back, sizeof(back));
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(usage_decode(bytes, cut, &back), HT_MALFORMED);
	bytes[len] = 0;
	assert_int_equal(usage_decode(bytes, len + 1, &back), HT_MALFORMED);
}

static void test_spread(void **state)
{
	struct usage_hour h = { 0 };

	/* Polls at 00:04 and 00:09: a minute of the first slot, four of the second. */
	usage_add(&h, 0, 4 * MINUTE, 9 * MINUTE, 10e6, 1e6);
	assert_int_equal(h.slots[0].ms, MINUTE);
	assert_int_equal(h.slots[1].ms, 4 * MINUTE);
	near(usage_slot_bps(&h.slots[0], false), 10e6);
	near(usage_slot_bps(&h.slots[1], true), 1e6);
	assert_false(usage_slot_counts(&h.slots[0]));
	assert_true(usage_slot_counts(&h.slots[1]));
	/* Minute polls are averaged up. */
	struct usage_hour m = { 0 };
	for (int i = 0; i < 5; i++)
		usage_add(&m, 0, i * MINUTE, (i + 1) * MINUTE, i * 1e6, 0);
	near(usage_slot_bps(&m.slots[0], false), 2e6);
	assert_int_equal(m.slots[0].ms, USAGE_SLOT_MS);
	/* What was counted is not counted again (a refold, a backlog over live polls). */
	usage_add(&m, 0, 0, 5 * MINUTE, 100e6, 100e6);
	near(usage_slot_bps(&m.slots[0], false), 2e6);
	/* An interval over the hour's end leaves the rest to the next. */
	usage_add(&m, 0, 58 * MINUTE, 62 * MINUTE, 7e6, 7e6);
	assert_int_equal(m.slots[11].ms, 2 * MINUTE);
	round_trip(&h);
	round_trip(&m);
}

static void test_bytes(void **state)
{
	struct usage_hour h = { 0 }, back;
	uint8_t bytes[USAGE_BYTES_MAX];

	round_trip(&h);
	for (int i = 0; i < USAGE_SLOTS; i++)
		usage_add(
		    &h, 0, i * USAGE_SLOT_MS, (i + 1) * USAGE_SLOT_MS, 12.3e6, 2.1e6);
	size_t len = usage_encode(&h, bytes);
	assert_in_range(len, 20, 12 * 9 + 4); /* the promise of the storage */
	for (int i = 0; i < USAGE_SLOTS; i++)
		h.slots[i] =
		    (struct usage_slot){ 1, (uint64_t)1 << 53, (uint64_t)1 << 53 };
	for (int g = 0; g < USAGE_GAPS; g++)
		h.gaps[g] = UINT32_MAX;
	assert_true(usage_encode(&h, bytes) <= USAGE_BYTES_MAX);
	round_trip(&h);
	static const uint8_t bad[][8] = {
		{ 2, 0, 0, 0 },        /* another version */
		{ 1, 0, 16, 0 },       /* a thirteenth slot */
		{ 1, 0, 0, 1, 99, 1 }, /* a gap there is not */
		{ 1, 0, 0, 1, 3, 0 },  /* that happened never */
		{ 1, 0, 0, 0x80, 0 },  /* not the shortest number */
	};
	static const size_t lens[] = { 4, 4, 6, 6, 5 };
	for (size_t i = 0; i < HT_COUNT(bad); i++)
		assert_int_equal(usage_decode(bad[i], lens[i], &back), HT_MALFORMED);
}

/* A day whose load is told by `at`. */
static void fill(struct usage_window *w, int64_t day_ms, double (*at)(int hour, int slot))
{
	for (int hour = 0; hour < 24; hour++) {
		struct usage_hour h = { 0 };
		int64_t from = day_ms + hour * HOUR;

		for (int s = 0; s < USAGE_SLOTS; s++)
			usage_add(&h, from, from + s * USAGE_SLOT_MS,
			    from + (s + 1) * USAGE_SLOT_MS, at(hour, s),
			    at(hour, s) / 10);
		assert_ok(usage_window_hour(w, from, &h));
	}
}

static double office_load(int hour, int slot)
{
	return hour == 3 ? 50e6 : hour == 9 ? 8e6 : hour >= 8 && hour < 17 ? 4e6 : 1e6;
}

static void test_figures(void **state)
{
	struct usage_window *w;
	struct usage_figures f;

	assert_ok(usage_window_new(calendar, MONDAY, MONDAY + 7 * DAY, &w));
	for (int day = 0; day < 7; day++)
		fill(w, MONDAY + day * DAY, office_load);
	usage_window_figures(w, &f);
	assert_int_equal(f.declared, 7 * 288);
	assert_int_equal(f.observed, 7 * 288);
	assert_int_equal(f.office_declared, 5 * 114); /* 07:30 to 17:00 on five days */
	assert_int_equal(f.office_observed, 5 * 114);
	/* The backup at 3 at night is 4.2 % of the time: it does not make the bill; the
	 * busy hour is one of the office all the same. */
	near(f.down.p95, 8e6);
	near(f.down.peak, 50e6);
	assert_int_equal(f.down.busy_hour, 9);
	near(f.down.busy, 8e6);
	near(f.up.busy, 0.8e6);
	near(f.down.office_p95, 8e6);
	near(f.down.office_mean, (8e6 * 12 + 4e6 * 96 + 1e6 * 6) / 114);
	usage_window_free(w);
}

/* Time before 1970 is time as well. */
static void test_before_1970(void **state)
{
	struct usage_window *w;
	struct usage_figures f;
	int64_t midnight = -5 * DAY - 7 * HOUR; /* 1969-12-27, a Saturday, there */

	assert_int_equal(usage_hour_of(-1), -HOUR);
	assert_int_equal(usage_hour_of(-HOUR), -HOUR);
	assert_int_equal(usage_hour_of(HOUR + 1), HOUR);
	assert_ok(usage_window_new(calendar, midnight, midnight + 4 * DAY, &w));
	for (int day = 0; day < 4; day++)
		fill(w, midnight + day * DAY, office_load);
	usage_window_figures(w, &f);
	assert_int_equal(f.observed, 4 * 288);
	assert_int_equal(f.down.busy_hour, 9);
	near(f.down.busy, 8e6);
	usage_window_free(w);
}

/* What is declared is what slot by slot would be found to be office work. */
static void test_declared(void **state)
{
	for (int64_t shift = 0; shift < 40; shift++) {
		int64_t from = MONDAY + shift * 7 * HOUR + shift * 13 * MINUTE,
			to = from + (shift * 11 + 1) * HOUR, office = 0;
		struct usage_window *w;
		struct usage_figures f;

		for (int64_t at = from; at + USAGE_SLOT_MS <= to; at += USAGE_SLOT_MS)
			office += calendar_office_at(calendar, at) &&
				  calendar_office_at(calendar, at + USAGE_SLOT_MS - 1);
		assert_ok(usage_window_new(calendar, from, to, &w));
		usage_window_figures(w, &f);
		assert_int_equal(f.declared, (to - from) / USAGE_SLOT_MS);
		assert_int_equal(f.office_declared, office);
		usage_window_free(w);
	}
}

static double steady(int hour, int slot)
{
	return 2e6;
}

/* Nothing observed is not nothing used; holidays are no office hours. */
static void test_holes_and_holidays(void **state)
{
	const int64_t tet = INT64_C(1771174800000); /* 2026-02-16 00:00 */
	struct usage_window *w;
	struct usage_figures f;

	assert_ok(usage_window_new(calendar, tet, tet + 7 * DAY, &w));
	usage_window_figures(w, &f);
	assert_int_equal(f.observed, 0);
	assert_int_equal(f.office_declared, 0);
	assert_true(isnan(f.down.p95) && isnan(f.down.mean) && isnan(f.up.busy));
	assert_int_equal(f.down.busy_hour, -1);
	usage_window_free(w);

	assert_ok(usage_window_new(calendar, tet, tet + 2 * DAY, &w));
	fill(w, tet + DAY, steady);
	usage_window_figures(w, &f);
	assert_int_equal(f.observed, 288);
	assert_int_equal(f.declared, 576);
	near(f.down.mean, 2e6);
	assert_true(isnan(f.down.office_mean));
	usage_window_free(w);
	assert_int_equal(usage_window_new(calendar, 0, 500 * DAY, &w), HT_RANGE);
}

/* Two agents polled the same hour: each slot is told by who saw most of it. */
static void test_who_tells(void **state)
{
	struct usage_hour a = { 0 }, b = { 0 };
	struct usage_window *w;
	struct usage_figures f;

	usage_add(&a, MONDAY, MONDAY, MONDAY + 5 * MINUTE, 1e6, 1e6);
	usage_add(&a, MONDAY, MONDAY + 5 * MINUTE, MONDAY + 9 * MINUTE, 1e6, 1e6);
	usage_add(&b, MONDAY, MONDAY, MONDAY + 10 * MINUTE, 3e6, 3e6);
	assert_ok(usage_window_new(calendar, MONDAY, MONDAY + HOUR, &w));
	assert_ok(usage_window_hour(w, MONDAY, &a));
	assert_ok(usage_window_hour(w, MONDAY, &b));
	assert_int_equal(usage_window_hour(w, MONDAY - HOUR, &b), HT_INVALID);
	usage_window_figures(w, &f);
	assert_int_equal(f.observed, 2);
	near(f.down.mean, 2e6); /* a's first, b's second */
	usage_window_free(w);
}

static void test_percentile(void **state)
{
	double v[100];

	for (int i = 0; i < 100; i++)
		v[i] = (i * 37) % 100 + 1;
	near(usage_percentile(v, 100, 0.95), 95);
	near(usage_percentile(v, 1, 0.95), 1);
	near(usage_percentile(v, 20, 0.95), 19);
	assert_true(isnan(usage_percentile(v, 0, 0.95)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_figures),
		cmocka_unit_test(test_before_1970),
		cmocka_unit_test(test_declared),
		cmocka_unit_test(test_holes_and_holidays),
		cmocka_unit_test(test_who_tells),
		cmocka_unit_test(test_percentile),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
