/* The scheduler without any clock: `now` is what the test says. */
#include "unit/test.h"

#include <stdio.h>

#include "agent/schedule.h"
#include "base/clock.h"

#define S HT_NS_PER_S

static struct schedule_job job(const char *id, int64_t every, int64_t timeout)
{
	return (
	    struct schedule_job){ .id = id, .every_ns = every, .timeout_ns = timeout };
}

/* Step at `now` and expect exactly these acts. */
static void expect_run(struct schedule *s, int64_t now, size_t which)
{
	size_t i = 99;

	assert_int_equal(schedule_step(s, now, &i), SCHEDULE_RUN);
	assert_int_equal(i, which);
}

static void expect_none(struct schedule *s, int64_t now)
{
	size_t i = 99;

	assert_int_equal(schedule_step(s, now, &i), SCHEDULE_NONE);
}

static void test_grid(void **state)
{
	struct schedule_job j[1] = { job("a", 60 * S, 10 * S) };
	struct schedule s;

	schedule_start(&s, j, 1, "agent", 1000 * S);
	int64_t first = schedule_next_ns(&s);
	assert_true(first >= 1000 * S && first < 1003 * S);
	expect_none(&s, first - 1);
	for (int k = 0; k < 5; k++) {
		int64_t now = first + k * 60 * S;
		assert_int_equal(schedule_next_ns(&s), now);
		expect_run(&s, now, 0);
		expect_none(&s, now + S);
		schedule_ended(&s, 0, now + 2 * S, true);
	}
	assert_int_equal(j[0].runs, 5);
	assert_int_equal(j[0].skipped, 0);
}

static void test_spread(void **state)
{
	struct schedule_job j[20];
	char ids[20][8];
	struct schedule s;
	int64_t lo = INT64_MAX, hi = 0;

	for (int i = 0; i < 20; i++) {
		snprintf(ids[i], sizeof(ids[i]), "p%d", i);
		j[i] = job(ids[i], 60 * S, S);
	}
	schedule_start(&s, j, 20, "agent", 0);
	for (int i = 0; i < 20; i++) {
		lo = j[i].next_ns < lo ? j[i].next_ns : lo;
		hi = j[i].next_ns > hi ? j[i].next_ns : hi;
	}
	assert_true(hi - lo > S);
	int64_t here = j[0].next_ns;
	schedule_start(&s, j, 20, "another agent", 0);
	assert_true(here != j[0].next_ns);
}

static void test_deadline(void **state)
{
	struct schedule_job j[1] = { job("a", 60 * S, 10 * S) };
	struct schedule s;
	size_t i;

	schedule_start(&s, j, 1, "agent", 0);
	int64_t t = schedule_next_ns(&s);
	expect_run(&s, t, 0);
	assert_int_equal(schedule_next_ns(&s), t + 10 * S);
	assert_int_equal(schedule_step(&s, t + 10 * S, &i), SCHEDULE_CANCEL);
	expect_none(&s, t + 11 * S); /* asked once; it is not closed yet */
	schedule_ended(&s, 0, t + 12 * S, false);
	assert_int_equal(j[0].timeouts, 1);
	assert_int_equal(schedule_next_ns(&s), t + 60 * S);
}

static void test_no_overlap(void **state)
{
	struct schedule_job j[1] = { job("a", 10 * S, 100 * S) };
	struct schedule s;

	schedule_start(&s, j, 1, "agent", 0);
	int64_t t = schedule_next_ns(&s);
	expect_run(&s, t, 0);
	for (int k = 1; k <= 34; k++)
		expect_none(&s, t + k * S);
	assert_int_equal(j[0].skipped, 3);
	schedule_ended(&s, 0, t + 35 * S, true);
	assert_int_equal(schedule_next_ns(&s), t + 40 * S); /* the grid stays */
	expect_run(&s, t + 40 * S, 0);
}

static void test_suspend(void **state)
{
	struct schedule_job j[1] = { job("a", 10 * S, 5 * S) };
	struct schedule s;

	schedule_start(&s, j, 1, "agent", 0);
	int64_t t = schedule_next_ns(&s);
	/* The lid was closed for an hour: one run, not 360. */
	expect_run(&s, t + 3600 * S, 0);
	schedule_ended(&s, 0, t + 3601 * S, true);
	expect_none(&s, t + 3601 * S);
	assert_int_equal(j[0].runs, 1);
	assert_int_equal(j[0].skipped, 360);
	assert_int_equal(schedule_next_ns(&s), t + 3610 * S);
}

static void test_retries(void **state)
{
	struct schedule_job j[1] = { job("a", 60 * S, 5 * S) };
	struct schedule s;

	j[0].retries = 2;
	schedule_start(&s, j, 1, "agent", 0);
	int64_t t = schedule_next_ns(&s);
	for (int k = 0; k < 3; k++) {
		expect_run(&s, schedule_next_ns(&s), 0);
		assert_true(schedule_next_ns(&s) < t + 30 * S);
		schedule_ended(&s, 0, t + (k * 2 + 1) * S, false);
	}
	assert_int_equal(schedule_next_ns(&s), t + 60 * S); /* three were enough */
	expect_run(&s, t + 60 * S, 0);
	schedule_ended(&s, 0, t + 61 * S, false);
	assert_true(schedule_next_ns(&s) < t + 70 * S); /* and a fresh count */
}

static void test_continuous(void **state)
{
	struct schedule_job j[1] = { job("a", 60 * S, 60 * S) };
	struct schedule s;
	size_t i;

	j[0].continuous = true;
	schedule_start(&s, j, 1, "agent", 0);
	int64_t t = schedule_next_ns(&s);
	for (int k = 0; k < 4; k++) {
		expect_run(&s, t + k * 60 * S, 0);
		assert_int_equal(
		    schedule_step(&s, t + (k + 1) * 60 * S, &i), SCHEDULE_CANCEL);
		schedule_ended(&s, 0, t + (k + 1) * 60 * S, true);
	}
	assert_int_equal(j[0].skipped, 0);
	assert_int_equal(j[0].runs, 4);
}

static void test_concurrency(void **state)
{
	struct schedule_job j[SCHEDULE_RUNNING_MAX + 2];
	struct schedule s;
	size_t i;
	int runs = 0;

	for (size_t k = 0; k < HT_COUNT(j); k++)
		j[k] = job("same", 600 * S, 300 * S);
	schedule_start(&s, j, HT_COUNT(j), "agent", 0);
	while (schedule_step(&s, 10 * S, &i) == SCHEDULE_RUN)
		runs++;
	assert_int_equal(runs, SCHEDULE_RUNNING_MAX);
	schedule_ended(&s, 3, 11 * S, true);
	assert_int_equal(schedule_step(&s, 11 * S, &i), SCHEDULE_RUN);
	expect_none(&s, 11 * S);
}

static void test_soon(void **state)
{
	struct schedule_job j[1] = { job("a", 600 * S, 5 * S) };
	struct schedule s;

	schedule_start(&s, j, 1, "agent", 0);
	int64_t t = schedule_next_ns(&s);
	expect_run(&s, t, 0);
	schedule_soon(&s, 0, t + S); /* it runs already */
	schedule_ended(&s, 0, t + 2 * S, true);
	schedule_soon(&s, 0, t + 50 * S);
	expect_run(&s, t + 50 * S, 0);
	schedule_ended(&s, 0, t + 51 * S, true);
	assert_int_equal(schedule_next_ns(&s), t + 600 * S);
}

/* A run without end begins once, and is asked for nothing more for a year. */
static void test_endless(void **state)
{
	struct schedule_job j[1] = { job("a", S, SCHEDULE_ENDLESS) };
	struct schedule s;

	j[0].continuous = true;
	schedule_start(&s, j, 1, "agent", 0);
	expect_run(&s, schedule_next_ns(&s), 0);
	assert_int_equal(schedule_next_ns(&s), INT64_MAX);
	expect_none(&s, 365 * 86400 * S);
	assert_int_equal(j[0].skipped, 0);
	/* it could not go on: it begins again a second later */
	schedule_ended(&s, 0, 365 * 86400 * S, false);
	expect_run(&s, 365 * 86400 * S + S, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grid),
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_no_overlap),
		cmocka_unit_test(test_suspend),
		cmocka_unit_test(test_retries),
		cmocka_unit_test(test_continuous),
		cmocka_unit_test(test_concurrency),
		cmocka_unit_test(test_soon),
		cmocka_unit_test(test_endless),
	};

	return cmocka_run_group_tests_name("agent/schedule", tests, NULL, NULL);
}
