#include "unit/test.h"

#include <string.h>

#include "base/clock.h"
#include "base/hist.h"

static void test_buckets_cover_all(void **state)
{
	for (size_t i = 0; i < HT_HIST_BUCKETS; i++) {
		struct ht_hist h = { 0 };

		assert_true(ht_hist_begins_ns(i) < ht_hist_begins_ns(i + 1));
		ht_hist_add(&h, ht_hist_begins_ns(i));
		assert_int_equal(h.counts[i], 1);
		if (i + 1 < HT_HIST_BUCKETS) {
			ht_hist_add(&h, ht_hist_begins_ns(i + 1) - 1);
			assert_int_equal(h.counts[i], 2);
		}
		/* at most 12.5 % wide, but for the two ends */
		if (i > 0 && i + 1 < HT_HIST_BUCKETS)
			assert_true(
			    (ht_hist_begins_ns(i + 1) - ht_hist_begins_ns(i)) * 8 <=
			    ht_hist_begins_ns(i));
	}
	assert_int_equal(ht_hist_begins_ns(1), 32 * HT_NS_PER_US);
	assert_int_equal(
	    ht_hist_begins_ns(HT_HIST_BUCKETS - 1), (1 << 25) * HT_NS_PER_US);
}

static void test_extremes(void **state)
{
	struct ht_hist h = { 0 };

	ht_hist_add(&h, -5);
	ht_hist_add(&h, 0);
	ht_hist_add(&h, INT64_MAX);
	assert_int_equal(h.counts[0], 2);
	assert_int_equal(h.counts[HT_HIST_BUCKETS - 1], 1);
	h.counts[7] = UINT32_MAX - 1;
	ht_hist_merge(&h, &h);
	assert_int_equal(h.counts[7], UINT32_MAX); /* it sticks */
	assert_int_equal(h.counts[0], 4);
}

static void test_quantiles(void **state)
{
	struct ht_hist h = { 0 };

	assert_int_equal(ht_hist_quantile_ns(&h, 0.5), -1);
	for (int64_t ms = 1; ms <= 1000; ms++)
		ht_hist_add(&h, ms * HT_NS_PER_MS);
	for (int i = 1; i <= 10; i++) {
		double q = i / 10.0;
		double got = (double)ht_hist_quantile_ns(&h, q) / HT_NS_PER_MS;

		assert_true(got > q * 1000 * 0.93 && got < q * 1000 * 1.07);
	}
	assert_true(ht_hist_quantile_ns(&h, 0) < 2 * HT_NS_PER_MS);
	assert_int_equal(ht_hist_count(&h), 1000);
}

static void test_text(void **state)
{
	struct ht_hist h = { 0 }, again;
	char text[HT_HIST_TEXT];

	assert_int_equal(ht_hist_encode(&h, text), 2);
	assert_string_equal(text, "l8");
	for (int i = 0; i < 60; i++)
		ht_hist_add(&h, i < 3 ? 250 * HT_NS_PER_US : 260 * HT_NS_PER_US);
	assert_int_equal(ht_hist_encode(&h, text), strlen("l8,24:3,25:57"));
	assert_string_equal(text, "l8,24:3,25:57");
	assert_ok(ht_hist_decode(text, strlen(text), &again));
	assert_memory_equal(&h, &again, sizeof(h));
	memset(&h, 0xff, sizeof(h));
	size_t len = ht_hist_encode(&h, text);
	assert_int_equal(strlen(text), len);
	assert_ok(ht_hist_decode(text, len, &again));
	assert_memory_equal(&h, &again, sizeof(h));
}

static void test_refuses_other_texts(void **state)
{
	static const struct {
		const char *text;
		ht_err err;
	} cases[] = {
		{ "", HT_MALFORMED },
		{ "l", HT_MALFORMED },
		{ "x8", HT_MALFORMED },
		{ "l9", HT_UNSUPPORTED },
		{ "l8,", HT_MALFORMED },
		{ "l8,1", HT_MALFORMED },
		{ "l8,1:", HT_MALFORMED },
		{ "l8,1:0", HT_MALFORMED },
		{ "l8,01:1", HT_MALFORMED },
		{ "l8,1:01", HT_MALFORMED },
		{ "l8,1:1,", HT_MALFORMED },
		{ "l8,1:1;", HT_MALFORMED },
		{ "l8 ,1:1", HT_MALFORMED },
		{ "l8,-1:1", HT_MALFORMED },
		{ "l8,1:1,1:1", HT_RANGE },
		{ "l8,2:1,1:1", HT_RANGE },
		{ "l8,162:1", HT_RANGE },
		{ "l8,1:4294967296", HT_MALFORMED },
		{ "l8,1:99999999999999999999", HT_MALFORMED },
	};
	struct ht_hist h = { .counts = { 42 } };

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		assert_int_equal(ht_hist_decode(cases[i].text, strlen(cases[i].text), &h),
		    cases[i].err);
		assert_int_equal(h.counts[0], 42); /* untouched */
	}
	assert_int_equal(ht_hist_decode("l8,1:1\0", 7, &h), HT_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buckets_cover_all),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_refuses_other_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
