#include "unit/test.h"

#include <string.h>

#include "server/web/throttle.h"

static struct throttle t;

static int setup(void **state)
{
	static const uint8_t secret[16] = "0123456789abcdef";

	(void)state;
	throttle_init(&t, secret);
	return 0;
}

static void test_delay_grows_and_ends(void **state)
{
	int64_t now = 1000000;
	int before = 0;

	(void)state;
	for (int i = 0; i < THROTTLE_FREE; i++) {
		assert_int_equal(throttle_wait_s(&t, "login", "admin", now), 0);
		throttle_failed(&t, "login", "admin", now);
	}
	for (int i = 0; i < 20; i++) {
		int wait = throttle_wait_s(&t, "login", "admin", now);

		assert_true(wait > before || wait == THROTTLE_MAX_S);
		before = wait;
		assert_int_equal(
		    throttle_wait_s(&t, "login", "admin", now + (int64_t)wait * 1000), 0);
		throttle_failed(&t, "login", "admin", now);
	}
	assert_int_equal(before, THROTTLE_MAX_S);
	assert_int_equal(
	    throttle_wait_s(&t, "login", "admin", now + THROTTLE_KEEP_MS + 1), 0);
}

static void test_keys_are_apart(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		throttle_failed(&t, "login", "a", 1);
	assert_true(throttle_wait_s(&t, "login", "a", 1) > 0);
	assert_int_equal(throttle_wait_s(&t, "login", "b", 1), 0);
	assert_int_equal(throttle_wait_s(&t, "peer", "a", 1), 0);
}

static void test_passing_clears(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		throttle_failed(&t, "login", "a", 1);
	throttle_passed(&t, "login", "a");
	assert_int_equal(throttle_wait_s(&t, "login", "a", 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_delay_grows_and_ends, setup),
		cmocka_unit_test_setup(test_keys_are_apart, setup),
		cmocka_unit_test_setup(test_passing_clears, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
