#include "unit/test.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "server/derive/dating.h"

#define NOW      INT64_C(1519887600000) /* 2018: only its distance to others counts … */
#define RECEIVED (NOW + INT64_C(100000000000)) /* … and this lies in 2021 */
#define S(n)     ((n)*HT_NS_PER_S)
#define HOUR     INT64_C(3600000)

static struct dating_pack live(void)
{
	return (struct dating_pack){ .received_ms = RECEIVED, .live = true };
}

/* Sealed 2 s before it came, on a boot that began 1,000 s ago. */
static struct dating_pack anchored(void)
{
	struct dating_pack p = live();

	p.has_mono = true;
	p.mono_ns = S(998);
	p.anchor = (struct dating_anchor){ true, RECEIVED - 1000000, RECEIVED, S(1000),
		INT64_MIN };
	return p;
}

static struct dating_time one(const struct dating_pack *p, double t)
{
	struct dating_time out;

	dating_records(p, &t, 1, &out);
	return out;
}

static void synchronised_edges_are_believed(void **state)
{
	struct dating_pack p = anchored(), shell = live();
	struct dating_time t = one(&p, (double)(RECEIVED - 5000) / 1000);

	assert_int_equal(t.at_ms, RECEIVED - 5000);
	assert_int_equal(t.uncertainty_ms, 0);
	assert_false(t.rebased);
	t = one(&shell, (double)(RECEIVED - 20 * HOUR) / 1000); /* a backlog's time */
	assert_int_equal(t.at_ms, RECEIVED - 20 * HOUR);
	assert_false(t.rebased);
	t = one(&shell, (double)(RECEIVED + DATING_SKEW_MS) / 1000); /* just within */
	assert_false(t.rebased);
}

static void relative_times_count_from_the_sealing(void **state)
{
	struct dating_pack p = anchored();
	struct dating_time t = one(&p, -3.5);

	assert_int_equal(t.at_ms, RECEIVED - 2000 - 3500);
	assert_true(t.rebased);
	assert_int_equal(t.uncertainty_ms, DATING_DELAY_MS);
	t = one(&p, 0);
	assert_int_equal(t.at_ms, RECEIVED - 2000);
}

/* An agent may count back as far as it likes: nothing lands before there were edges. */
static void nothing_is_older_than_2020(void **state)
{
	const double far[] = { -1.7e9, -1e10, -1e300 };
	struct dating_pack p = live();

	for (size_t i = 0; i < HT_COUNT(far); i++) {
		struct dating_time t = one(&p, far[i]);

		assert_int_equal(t.at_ms, RECEIVED);
		assert_true(t.rebased);
		assert_true(t.uncertainty_ms >= 86400 * 1000);
	}
	p = anchored();
	assert_int_equal(one(&p, -1.7e9).at_ms, RECEIVED - 2000);
	p.mono_ns = -S(2000000000); /* nor by a clock that shows nonsense */
	assert_int_equal(one(&p, 0).at_ms, RECEIVED);
}

static void a_clock_from_1970_is_recognised(void **state)
{
	struct dating_pack p = anchored();
	double t[3] = { 100.0, 160.0, 130.0 };
	struct dating_time out[3];

	dating_records(&p, t, 3, out);
	assert_int_equal(out[1].at_ms, RECEIVED - 2000);  /* the newest on the sealing */
	assert_int_equal(out[0].at_ms, RECEIVED - 62000); /* spacing kept */
	assert_int_equal(out[2].at_ms, RECEIVED - 32000);
	for (int i = 0; i < 3; i++) {
		assert_true(out[i].rebased);
		assert_true(out[i].uncertainty_ms >= DATING_UNDATED_MS);
	}
}

static void before_2020_and_the_future_are_wrong(void **state)
{
	static const int64_t wrong[] = { DATING_YEAR_2020_MS - 1000,
		RECEIVED + DATING_SKEW_MS + 1000, INT64_C(4000000000000) };
	struct dating_pack packs[] = { anchored(), live() };

	for (size_t i = 0; i < HT_COUNT(wrong); i++) {
		for (size_t k = 0; k < HT_COUNT(packs); k++) {
			struct dating_time t = one(&packs[k], (double)wrong[i] / 1000);

			assert_true(t.rebased);
			assert_true(t.at_ms <= RECEIVED && t.at_ms >= RECEIVED - 2000);
		}
	}
}

static void a_sure_clock_far_from_the_anchor_is_wrong(void **state)
{
	struct dating_pack p = anchored();
	double t[2] = { (double)(RECEIVED - 3 * HOUR - 10000) / 1000,
		(double)(RECEIVED - 3 * HOUR) / 1000 };
	struct dating_time out[2];

	dating_records(&p, t, 2, out);
	assert_true(out[0].rebased && out[1].rebased);
	assert_int_equal(out[1].at_ms, RECEIVED - 2000);
	assert_int_equal(out[0].at_ms, RECEIVED - 12000);
}

static void a_clock_set_within_a_pack_keeps_order(void **state)
{
	struct dating_pack p = anchored();
	double t[4] = { 50.0, 60.0, (double)(RECEIVED - 9000) / 1000,
		(double)(RECEIVED - 3000) / 1000 };
	struct dating_time out[4];

	dating_records(&p, t, 4, out);
	assert_true(out[0].rebased && out[1].rebased);
	assert_false(out[2].rebased);
	assert_int_equal(out[1].at_ms, RECEIVED - 9000);
	assert_int_equal(out[0].at_ms, RECEIVED - 19000);
	assert_int_equal(out[3].at_ms, RECEIVED - 3000);
}

static void wrong_times_that_jumped_lose_their_spacing(void **state)
{
	struct dating_pack p = anchored();
	double t[3] = { 10.0, 4e9, NAN };
	struct dating_time out[3];

	dating_records(&p, t, 3, out);
	assert_int_equal(out[0].at_ms, RECEIVED - 2000);
	assert_int_equal(out[1].at_ms, RECEIVED - 2000);
	assert_int_equal(out[2].at_ms, RECEIVED - 2000);
	assert_true(out[0].uncertainty_ms >= 86400000);
}

static void nothing_is_later_than_its_arrival(void **state)
{
	struct dating_pack p = anchored();

	p.mono_ns = S(5000); /* "sealed" long after it came */
	assert_int_equal(one(&p, 0).at_ms, RECEIVED);
	assert_int_equal(one(&p, -1e300).rebased, true);
}

static void an_unanchored_boot_gets_an_interval(void **state)
{
	struct dating_pack p = live();

	p.live = false;
	p.has_mono = true;
	p.mono_ns = S(600);
	p.bounded = true;
	p.low_ms = RECEIVED - 10 * HOUR;
	p.high_ms = RECEIVED - 2 * HOUR;
	struct dating_time t = one(&p, 0);
	/* It began after low, so this was sealed after low + 600 s. */
	assert_int_equal(t.at_ms - t.uncertainty_ms, p.low_ms + 600000);
	assert_int_equal(t.at_ms + t.uncertainty_ms, p.high_ms);
	assert_true(t.rebased);
	/* The order within the boot is kept. */
	p.mono_ns = S(660);
	assert_true(one(&p, 0).at_ms > t.at_ms);
	/* Bounds that contradict each other stay an interval. */
	p.low_ms = p.high_ms + HOUR;
	t = one(&p, 0);
	assert_true(t.uncertainty_ms >= HOUR / 2);
}

static void a_sure_clock_outside_its_interval_is_wrong(void **state)
{
	struct dating_pack p = { .received_ms = RECEIVED,
		.has_mono = true,
		.mono_ns = S(600),
		.bounded = true,
		.low_ms = RECEIVED - 10 * HOUR,
		.high_ms = RECEIVED - 2 * HOUR };
	int64_t wrong[] = { p.low_ms - DATING_SPOOL_MS - 1000, RECEIVED - HOUR };
	int64_t right[] = { p.low_ms + HOUR, p.low_ms - HOUR, p.high_ms };

	for (size_t i = 0; i < HT_COUNT(wrong); i++) {
		struct dating_time t = one(&p, (double)wrong[i] / 1000);

		assert_true(t.rebased);
		assert_true(t.at_ms - t.uncertainty_ms <= p.low_ms + 600000);
		assert_true(t.at_ms + t.uncertainty_ms >= p.high_ms);
	}
	for (size_t i = 0; i < HT_COUNT(right); i++)
		assert_false(one(&p, (double)right[i] / 1000).rebased);
	/* What comes at once is of a boot that runs. */
	p.live = true;
	assert_false(one(&p, (double)wrong[1] / 1000).rebased);
}

static void what_says_nothing_is_vague(void **state)
{
	struct dating_pack p = live();

	assert_int_equal(one(&p, 0).at_ms, RECEIVED);
	assert_int_equal(one(&p, 0).uncertainty_ms, DATING_UNDATED_MS);
	p.live = false;
	assert_int_equal(one(&p, 0).uncertainty_ms, DATING_SPOOL_MS / 2);
}

static void the_least_offset_is_the_anchor(void **state)
{
	struct dating_anchor none = { 0 }, a, b;

	assert_true(dating_sight(&none, S(100), RECEIVED, &a));
	assert_int_equal(a.offset_ms, RECEIVED - 100000);
	/* Later on the way: no better. */
	assert_false(dating_sight(&a, S(110), RECEIVED + 12000, &b));
	/* Sooner: better, and nothing newer is dated before what the old one gave. */
	assert_true(dating_sight(&a, S(120), RECEIVED + 19000, &b));
	assert_int_equal(b.offset_ms, RECEIVED - 101000);
	assert_int_equal(b.floor_ms, RECEIVED + 20000);
	/* Clocks drift: after a day it is taken anew, whatever it says. */
	assert_true(dating_sight(&b, S(86500), RECEIVED + DATING_WINDOW_MS + 90000, &a));
	assert_true(a.offset_ms > b.offset_ms);
}

/* Packs of one boot in order of sealing, each sent with another delay: dated in order. */
static void order_within_a_boot_is_kept(void **state)
{
	unsigned seed = 1;

	for (int round = 0; round < 200; round++) {
		struct dating_anchor anchor = { 0 }, next;
		int64_t last = INT64_MIN;

		for (int i = 1; i <= 50; i++) {
			int64_t delay = rand_r(&seed) % 5000;
			struct dating_pack p = live();

			p.has_mono = true;
			p.mono_ns = S(i * 10);
			p.received_ms = RECEIVED + i * 10000 + delay;
			if (dating_sight(&anchor, p.mono_ns, p.received_ms, &next))
				anchor = next;
			p.anchor = anchor;
			double t[2] = { -2.0, 0 };
			struct dating_time out[2];
			dating_records(&p, t, 2, out);
			assert_true(out[0].at_ms >= last);
			assert_true(out[1].at_ms >= out[0].at_ms);
			assert_true(out[1].at_ms <= p.received_ms);
			last = out[1].at_ms;
		}
	}
}

static void drift_widens_the_uncertainty(void **state)
{
	struct dating_pack p = anchored();

	p.anchor.at_ms = RECEIVED - 10 * 24 * HOUR;
	assert_int_equal(
	    one(&p, 0).uncertainty_ms, DATING_DELAY_MS + (10 * 24 * HOUR - 2000) / 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(synchronised_edges_are_believed),
		cmocka_unit_test(relative_times_count_from_the_sealing),
		cmocka_unit_test(nothing_is_older_than_2020),
		cmocka_unit_test(a_clock_from_1970_is_recognised),
		cmocka_unit_test(before_2020_and_the_future_are_wrong),
		cmocka_unit_test(a_sure_clock_far_from_the_anchor_is_wrong),
		cmocka_unit_test(a_clock_set_within_a_pack_keeps_order),
		cmocka_unit_test(wrong_times_that_jumped_lose_their_spacing),
		cmocka_unit_test(nothing_is_later_than_its_arrival),
		cmocka_unit_test(an_unanchored_boot_gets_an_interval),
		cmocka_unit_test(a_sure_clock_outside_its_interval_is_wrong),
		cmocka_unit_test(what_says_nothing_is_vague),
		cmocka_unit_test(the_least_offset_is_the_anchor),
		cmocka_unit_test(order_within_a_boot_is_kept),
		cmocka_unit_test(drift_widens_the_uncertainty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
