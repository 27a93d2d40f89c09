#include "unit/test.h"

#include <string.h>

#include "probes/lan/seen.h"

static struct ht_mac mac_of(uint32_t n)
{
	return (struct ht_mac){ { 2, 0, (uint8_t)(n >> 24), (uint8_t)(n >> 16),
	    (uint8_t)(n >> 8), (uint8_t)n } };
}

static void test_told_once_and_again_when_new(void **state)
{
	struct ht_mac a = mac_of(1), b = mac_of(2);
	struct seen s;

	assert_ok(seen_init(&s, 16));
	assert_true(seen_put(&s, &a, 0, 0));
	assert_false(seen_put(&s, &a, 0, 0));
	assert_true(seen_put(&s, &a, 10, 0));
	assert_false(seen_put(&s, &a, 10, 0));
	assert_false(seen_put(&s, &a, 0, 0));
	assert_true(seen_put(&s, &a, 10, 99));
	assert_false(seen_put(&s, &a, 10, 99));
	assert_true(seen_put(&s, &b, 10, 0));
	assert_int_equal(s.n, 2);
	assert_int_equal(s.refused, 0);
	seen_fini(&s);
	seen_fini(&s);
}

static void test_ceilings(void **state)
{
	struct ht_mac router = mac_of(0xffffff);
	struct seen s;
	size_t news = 0;

	assert_ok(seen_init(&s, 100));
	for (uint32_t ip = 1; ip <= 254; ip++) /* answers for everyone */
		news += seen_put(&s, &router, ip, 0);
	assert_int_equal(news, SEEN_IPS_MAX);
	assert_int_equal(s.refused, 254 - SEEN_IPS_MAX);
	for (uint32_t digest = 1; digest <= 100; digest++) /* a new name each time */
		news += seen_put(&s, &router, 1, digest);
	assert_int_equal(news, SEEN_NEWS_MAX);
	for (uint32_t n = 0; n < 99; n++)
		assert_true(seen_put(&s, (struct ht_mac[]){ mac_of(n) }, 0, 0));
	uint64_t before = s.refused;
	struct ht_mac late = mac_of(1000);
	assert_false(seen_put(&s, &late, 0, 0));
	assert_int_equal(s.refused, before + 1);
	for (uint32_t n = 0; n < 99; n++) /* those that are in stay known */
		assert_false(seen_put(&s, (struct ht_mac[]){ mac_of(n) }, 0, 0));
	seen_fini(&s);
	assert_int_equal(seen_init(&s, 0), HT_RANGE);
	assert_int_equal(seen_init(&s, 16385), HT_RANGE);
}

static void test_full_size(void **state)
{
	struct seen s;

	assert_ok(seen_init(&s, 16384));
	for (uint32_t n = 0; n < 16384; n++) {
		struct ht_mac m = mac_of(n * 2654435761u);

		assert_true(seen_put(&s, &m, n, 0));
	}
	assert_int_equal(s.n, 16384);
	seen_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_told_once_and_again_when_new),
		cmocka_unit_test(test_ceilings),
		cmocka_unit_test(test_full_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
