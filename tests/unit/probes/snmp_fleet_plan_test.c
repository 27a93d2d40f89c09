/* Who is polled when: hours in no time. */
#include "unit/test.h"

#include <stdlib.h>

#include "base/clock.h"
#include "probes/snmp/fleet_plan.h"

#define S HT_NS_PER_S

static const struct fleet_plan_config usual = { .every_ns = 60 * S,
	.spread_ns = 60 * S,
	.back_off_max_ns = 900 * S,
	.at_once = 8,
	.aside_at_once = 2,
	.seed = 7 };

static struct fleet_plan *make(const struct fleet_plan_config *c, size_t n)
{
	struct fleet_plan *p = NULL;

	assert_ok(fleet_plan_new(c, n, 0, &p));
	return p;
}

static size_t take(struct fleet_plan *p, int64_t now)
{
	size_t i = SIZE_MAX;

	assert_true(fleet_plan_take(p, now, &i));
	return i;
}

static void test_phases_are_spread_and_kept(void **state)
{
	struct fleet_plan *p = make(&usual, 4);
	size_t i;

	for (int64_t round = 0; round < 3; round++) {
		for (size_t k = 0; k < 4; k++) {
			int64_t at = (60 * round + 15 * (int64_t)k) * S;

			assert_int_equal(fleet_plan_next_ns(p), at);
			assert_false(fleet_plan_take(p, at - 1, &i));
			assert_int_equal(take(p, at), k);
			fleet_plan_ended(p, k, FLEET_ANSWERED, at + 3 * S);
		}
	}
	assert_int_equal(fleet_plan_latest_ns(p), 0);
	fleet_plan_free(p);
}

static void test_missed_times_are_not_made_up_for(void **state)
{
	struct fleet_plan *p = make(&usual, 1);
	size_t i;

	take(p, 0);
	fleet_plan_ended(p, 0, FLEET_ANSWERED, 150 * S);
	assert_false(fleet_plan_take(p, 179 * S, &i));
	take(p, 180 * S);
	fleet_plan_free(p);
}

static void test_silence_is_asked_ever_more_rarely(void **state)
{
	struct fleet_plan *p = make(&usual, 1);
	int64_t now = 0, wait[12];

	for (int k = 0; k < 12; k++) {
		take(p, now);
		now += 4 * S;
		fleet_plan_ended(p, 0, FLEET_SILENT, now);
		wait[k] = fleet_plan_due_ns(p, 0) - now;
		assert_int_equal(fleet_plan_silences(p, 0), k + 1);
		now = fleet_plan_due_ns(p, 0);
	}
	for (int k = 0; k < 4; k++) { /* 60, 120, 240, 480 s, an eighth more or less */
		assert_true(wait[k] >= (60 * S << k) / 8 * 7);
		assert_true(wait[k] <= (60 * S << k) / 8 * 9);
	}
	for (int k = 4; k < 12; k++)
		assert_true(wait[k] >= 787 * S && wait[k] <= 1013 * S);
	assert_true(wait[8] != wait[9]); /* jitter */
	take(p, now);
	fleet_plan_ended(p, 0, FLEET_ANSWERED, now + S);
	assert_int_equal(fleet_plan_silences(p, 0), 0);
	assert_true(fleet_plan_due_ns(p, 0) - now <= 60 * S);
	fleet_plan_free(p);
}

/* Half of the fleet dies: the living keep every one of their times. */
static void test_the_dead_delay_nobody(void **state)
{
	enum { N = 40, DEAD_FOR = 20 };
	struct fleet_plan *p = make(&usual, N);
	int64_t ends[N] = { 0 };
	bool dead_first = false;
	size_t dead_now = 0, i;

	for (int64_t now = 0; now < 7200 * S; now += S / 4) {
		for (size_t k = 0; k < N; k++) {
			if (!ends[k] || ends[k] > now)
				continue;
			ends[k] = 0;
			dead_now -= k % 2;
			fleet_plan_ended(
			    p, k, k % 2 ? FLEET_SILENT : FLEET_ANSWERED, now);
		}
		while (fleet_plan_take(p, now, &i)) {
			ends[i] = now + (i % 2 ? DEAD_FOR * S : S / 2);
			dead_now += i % 2;
			dead_first |= now > 120 * S && dead_now > 2;
		}
	}
	assert_false(dead_first); /* they keep to their two places */
	assert_true(fleet_plan_latest_ns(p) < 1 * S);
	fleet_plan_free(p);
}

static void test_slow_ones_go_on_soon_and_aside(void **state)
{
	struct fleet_plan *p = make(&usual, 4);
	size_t i;

	for (size_t k = 0; k < 4; k++) {
		take(p, 15 * (int64_t)k * S);
		fleet_plan_ended(p, k, FLEET_UNFINISHED, 59 * S);
	}
	assert_false(fleet_plan_take(p, 60 * S, &i));
	take(p, 67 * S);
	take(p, 67 * S);
	assert_false(fleet_plan_take(p, 80 * S, &i)); /* two places for such */
	assert_int_equal(fleet_plan_next_ns(p), INT64_MAX);
	assert_int_equal(fleet_plan_running(p), 2);
	fleet_plan_free(p);
}

static void test_another_list_forgets_nothing(void **state)
{
	struct fleet_plan *old = make(&usual, 3), *p = make(&usual, 3);
	/* 0 is new; 1 was 2 (silent); 2 was 0 (under way) */
	const uint32_t was[] = { FLEET_NEW, 2, 0 };
	size_t i;

	assert_int_equal(take(old, 0), 0);
	assert_int_equal(take(old, 20 * S), 1);
	assert_int_equal(take(old, 40 * S), 2);
	fleet_plan_ended(old, 2, FLEET_SILENT, 44 * S);
	fleet_plan_inherit(p, old, was);
	fleet_plan_free(old);
	assert_int_equal(fleet_plan_running(p), 1);
	assert_int_equal(fleet_plan_silences(p, 1), 1);
	assert_int_equal(take(p, 44 * S), 0);
	assert_false(fleet_plan_take(p, 44 * S, &i));
	fleet_plan_ended(p, 2, FLEET_ANSWERED, 45 * S);
	assert_int_equal(take(p, 60 * S), 2);
	fleet_plan_free(p);
}

static void test_nobody_and_one_place(void **state)
{
	struct fleet_plan_config one = usual;
	struct fleet_plan *p = make(&usual, 0);
	size_t i;

	assert_int_equal(fleet_plan_next_ns(p), INT64_MAX);
	assert_false(fleet_plan_take(p, 0, &i));
	fleet_plan_free(p);
	one.at_once = one.aside_at_once = 1;
	p = make(&one, 2);
	take(p, 30 * S);
	assert_false(fleet_plan_take(p, 30 * S, &i));
	fleet_plan_ended(p, 0, FLEET_SILENT, 34 * S);
	assert_int_equal(take(p, 34 * S), 1);
	assert_int_equal(fleet_plan_latest_ns(p), 30 * S);
	fleet_plan_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_phases_are_spread_and_kept),
		cmocka_unit_test(test_missed_times_are_not_made_up_for),
		cmocka_unit_test(test_silence_is_asked_ever_more_rarely),
		cmocka_unit_test(test_the_dead_delay_nobody),
		cmocka_unit_test(test_slow_ones_go_on_soon_and_aside),
		cmocka_unit_test(test_another_list_forgets_nothing),
		cmocka_unit_test(test_nobody_and_one_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
