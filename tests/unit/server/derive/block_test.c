#include "unit/test.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/derive/block.h"

#define HOUR_AT INT64_C(1519887600000)

static void same(const struct block *a, const struct block *b)
{
	assert_int_equal(a->n, b->n);
	assert_int_equal(a->kind, b->kind);
	for (size_t i = 0; i < a->n; i++) {
		assert_int_equal(a->points[i].at_ms, b->points[i].at_ms);
		assert_int_equal(a->points[i].rebased, b->points[i].rebased);
		/* Bit for bit, NaN and -0 too. */
		assert_memory_equal(&a->points[i].counter, &b->points[i].counter, 8);
	}
}

static size_t round_trip(const struct block *b)
{
	struct block back = { 0 };
	struct ht_buf bytes;

	ht_buf_init(&bytes, BLOCK_BYTES_MAX);
	assert_ok(block_encode(b, &bytes));
	assert_ok(block_decode(b->hour_ms, bytes.data, bytes.len, &back));
	same(b, &back);
	/* Neither cut short nor with something behind it. */
	struct block bad = { 0 };
	for (size_t len = 0; len < bytes.len; len++)
		assert_int_equal(
		    block_decode(b->hour_ms, bytes.data, len, &bad), HT_MALFORMED);
	ht_buf_put(&bytes, "x", 1);
	assert_int_equal(
	    block_decode(b->hour_ms, bytes.data, bytes.len, &bad), HT_MALFORMED);
	size_t len = bytes.len - 1;
	block_fini(&back);
	ht_buf_fini(&bytes);
	return len;
}

static void put(struct block *b, int64_t offset_ms, double v)
{
	struct block_point p = { .at_ms = HOUR_AT + offset_ms, .number = v };

	assert_ok(block_put(b, &p));
}

static void doubles_are_exact(void **state)
{
	static const double values[] = { 0, -0.0, 1, 0.1, -1e300, DBL_MIN, DBL_TRUE_MIN,
		DBL_MAX, 5, 5, INFINITY, 1.0 / 3 };
	struct block b;

	block_init(&b, BLOCK_DOUBLES, HOUR_AT + 5);
	for (size_t i = 0; i < HT_COUNT(values); i++)
		put(&b, (int64_t)(i * i * 1000), values[i]);
	round_trip(&b);
	block_fini(&b);
}

static void counters_are_exact_to_the_last_bit(void **state)
{
	static const uint64_t values[] = { 0, UINT64_MAX, 1, UINT64_MAX - 1,
		UINT64_C(1) << 63, 42, 43 };
	struct block b;

	block_init(&b, BLOCK_COUNTERS, HOUR_AT);
	for (size_t i = 0; i < HT_COUNT(values); i++) {
		struct block_point p = { .at_ms = HOUR_AT + (int64_t)i,
			.rebased = i & 1,
			.counter = values[i] };

		assert_ok(block_put(&b, &p));
	}
	round_trip(&b);
	block_to_doubles(&b);
	assert_true(b.points[5].number == 42.0);
	round_trip(&b);
	block_fini(&b);
}

static void a_steady_minute_series_is_small(void **state)
{
	struct block b;

	block_init(&b, BLOCK_COUNTERS, HOUR_AT);
	for (int i = 0; i < 60; i++) {
		struct block_point p = { .at_ms = HOUR_AT + i * 60000,
			.counter = 1000000u + (uint64_t)i * 90 };

		assert_ok(block_put(&b, &p));
	}
	assert_true(round_trip(&b) <= 60 * 4);
	block_fini(&b);
}

static void order_of_arrival_does_not_matter(void **state)
{
	unsigned seed = 7;
	struct block b, straight;

	block_init(&b, BLOCK_DOUBLES, HOUR_AT);
	block_init(&straight, BLOCK_DOUBLES, HOUR_AT);
	for (int i = 0; i < 500; i++) {
		put(&b, rand_r(&seed) % 1000 * 3600, i);
	}
	for (size_t i = 0; i < b.n; i++) {
		assert_true(i == 0 || b.points[i - 1].at_ms < b.points[i].at_ms);
		assert_ok(block_put(&straight, &b.points[i]));
	}
	same(&b, &straight);
	round_trip(&b);
	block_fini(&b);
	block_fini(&straight);
}

static void the_same_moment_is_replaced(void **state)
{
	struct block b;

	block_init(&b, BLOCK_DOUBLES, HOUR_AT);
	put(&b, 5, 1);
	put(&b, 5, 2);
	assert_int_equal(b.n, 1);
	assert_true(b.points[0].number == 2);
	block_fini(&b);
}

static void another_hour_and_too_many_are_refused(void **state)
{
	struct block_point p = { .at_ms = HOUR_AT + BLOCK_HOUR_MS };
	struct block b;

	block_init(&b, BLOCK_DOUBLES, HOUR_AT);
	assert_int_equal(block_put(&b, &p), HT_RANGE);
	for (int i = 0; i < BLOCK_POINTS_MAX; i++)
		put(&b, i, i * 0.1);
	p.at_ms = HOUR_AT + BLOCK_POINTS_MAX;
	assert_int_equal(block_put(&b, &p), HT_FULL);
	assert_int_equal(b.n, BLOCK_POINTS_MAX);
	put(&b, 3, 9); /* replacing still works */
	struct ht_buf bytes;
	ht_buf_init(&bytes, BLOCK_BYTES_MAX);
	assert_ok(block_encode(&b, &bytes));
	ht_buf_fini(&bytes);
	block_fini(&b);
}

static void hours_before_1970_begin_right(void **state)
{
	assert_int_equal(block_hour(-1), -BLOCK_HOUR_MS);
	assert_int_equal(block_hour(0), 0);
	assert_int_equal(block_hour(BLOCK_HOUR_MS), BLOCK_HOUR_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(doubles_are_exact),
		cmocka_unit_test(counters_are_exact_to_the_last_bit),
		cmocka_unit_test(a_steady_minute_series_is_small),
		cmocka_unit_test(order_of_arrival_does_not_matter),
		cmocka_unit_test(the_same_moment_is_replaced),
		cmocka_unit_test(another_hour_and_too_many_are_refused),
		cmocka_unit_test(hours_before_1970_begin_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
