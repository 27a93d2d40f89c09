#include "unit/test.h"

#include <math.h>

#include "server/web/bucket.h"

static struct buckets b;

static void test_points_fall_into_place(void **state)
{
	(void)state;
	assert_ok(buckets_init(&b, 1000, 2000, 4));
	assert_int_equal(b.step_ms, 250);
	buckets_put(&b, 1000, 2);
	buckets_put(&b, 1249, 4);
	buckets_put(&b, 1750, -1);
	buckets_put(&b, 999, 100);
	buckets_put(&b, 2000, 100);
	buckets_put(&b, 1300, NAN);
	assert_int_equal(b.at[0].n, 2);
	assert_true(b.at[0].min == 2 && b.at[0].max == 4 && b.at[0].sum == 6);
	assert_int_equal(b.at[1].n, 0);
	assert_int_equal(b.at[2].n, 0);
	assert_true(b.at[3].n == 1 && b.at[3].min == -1);
}

static void test_ranges(void **state)
{
	(void)state;
	assert_int_equal(buckets_init(&b, 5, 5, 1), HT_RANGE);
	assert_int_equal(buckets_init(&b, 5, 4, 1), HT_RANGE);
	assert_int_equal(buckets_init(&b, 0, 1, 0), HT_RANGE);
	assert_int_equal(buckets_init(&b, 0, 1, BUCKETS_MAX + 1), HT_RANGE);
	/* More buckets than milliseconds: none is lost, none divides by zero. */
	assert_ok(buckets_init(&b, 0, 3, 10));
	buckets_put(&b, 2, 1);
	assert_int_equal(b.at[2].n, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_points_fall_into_place),
		cmocka_unit_test(test_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
