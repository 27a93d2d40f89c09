#include "unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static void test_rfc3339_both_ways(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ 1, "1970-01-01T00:00:00.001Z" },
		{ INT64_C(1519887600123), "2018-03-01T07:00:00.123Z" },
		{ INT64_C(951782399999), "2000-02-28T23:59:59.999Z" },
		{ INT64_C(951782400000), "2000-02-29T00:00:00.000Z" },
		{ INT64_C(253402300799999), "9999-12-31T23:59:59.999Z" },
	};
	char out[HT_RFC3339_LEN + 1];
	int64_t ms;

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		ht_rfc3339(cases[i].ms, out);
		assert_string_equal(out, cases[i].text);
		assert_ok(ht_rfc3339_parse(cases[i].text, &ms));
		assert_int_equal(ms, cases[i].ms);
	}
}

static void test_rfc3339_other_forms(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {
		{ INT64_C(1519887600000), "2018-03-01T14:00:00+07:00" },
		{ INT64_C(1519887600000), "2018-03-01 02:30:00-04:30" },
		{ INT64_C(1519887600100), "2018-03-01t07:00:00.1z" },
		{ INT64_C(1519887600123), "2018-03-01T07:00:00.123999Z" },
		{ INT64_C(1519862400000), "2018-03-01" },
		{ INT64_C(915148800000), "1998-12-31T23:59:60Z" }, /* a leap second */
	};
	int64_t ms;

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		assert_ok(ht_rfc3339_parse(cases[i].text, &ms));
		assert_int_equal(ms, cases[i].ms);
	}
}

static void test_rfc3339_refusals(void **state)
{
	static const struct {
		ht_err err;
		const char *text;
	} cases[] = {
		{ HT_MALFORMED, "" },
		{ HT_MALFORMED, "2018" },
		{ HT_MALFORMED, "2018-3-1" },
		{ HT_MALFORMED, "2018-03-01T07:00:00" },
		{ HT_MALFORMED, "2018-03-01T07:00Z" },
		{ HT_MALFORMED, "2018-03-01T07:00:00.Z" },
		{ HT_MALFORMED, "2018-03-01T07:00:00+0700" },
		{ HT_MALFORMED, "2018-03-01T07:00:00+24:00" },
		{ HT_MALFORMED, "2018-03-01x" },
		{ HT_MALFORMED, "2018-03-01T07:00:00Z " },
		{ HT_RANGE, "2018-02-29" },
		{ HT_RANGE, "2018-13-01" },
		{ HT_RANGE, "2018-00-01" },
		{ HT_RANGE, "2018-01-00" },
		{ HT_RANGE, "2018-01-32" },
		{ HT_RANGE, "1969-12-31" },
		{ HT_RANGE, "2018-01-01T24:00:00Z" },
		{ HT_RANGE, "2018-01-01T00:60:00Z" },
		{ HT_RANGE, "2018-01-01T00:00:61Z" },
	};
	int64_t ms = 77;

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		if (ht_rfc3339_parse(cases[i].text, &ms) != cases[i].err)
			fail_msg("%s", cases[i].text);
	}
	assert_int_equal(ms, 77);
}

static void test_times_out_of_the_calendar_do_not_overflow(void **state)
{
	char out[HT_RFC3339_LEN + 1];

	ht_rfc3339(INT64_MAX, out);
	assert_int_equal(strlen(out), HT_RFC3339_LEN);
	ht_rfc3339(INT64_MIN, out);
	assert_int_equal(strlen(out), HT_RFC3339_LEN);
	ht_rfc3339(-1, out);
	assert_string_equal(out, "1969-12-31T23:59:59.999Z");
}

static void test_the_monotonic_clock_does_not_go_back(void **state)
{
	int64_t last = ht_mono_ns();

	for (int i = 0; i < 1000; i++) {
		int64_t now = ht_mono_ns();

		assert_true(now >= last);
		last = now;
	}
}

static void test_overrides(void **state)
{
	char kernel[HT_BOOT_ID_LEN + 1], boot[HT_BOOT_ID_LEN + 1];

	unsetenv("HATANG_BOOT_ID");
	assert_ok(ht_boot_id(kernel));
	assert_int_equal(strlen(kernel), HT_BOOT_ID_LEN);
	setenv("HATANG_BOOT_ID", "01234567-89ab-cdef-0123-456789abcdef", 1);
	assert_ok(ht_boot_id(boot));
	assert_string_equal(boot, "01234567-89ab-cdef-0123-456789abcdef");
	/* Nothing that the wire would refuse. */
	setenv("HATANG_BOOT_ID", "01234567-89AB-cdef-0123-456789abcdef", 1);
	assert_ok(ht_boot_id(boot));
	assert_string_equal(boot, kernel);
	unsetenv("HATANG_BOOT_ID");
	setenv("HATANG_CLOCK", "free", 1);
	assert_false(ht_clock_synchronised());
	setenv("HATANG_CLOCK", "synchronised", 1);
	assert_true(ht_clock_synchronised());
	unsetenv("HATANG_CLOCK");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc3339_both_ways),
		cmocka_unit_test(test_rfc3339_other_forms),
		cmocka_unit_test(test_rfc3339_refusals),
		cmocka_unit_test(test_times_out_of_the_calendar_do_not_overflow),
		cmocka_unit_test(test_the_monotonic_clock_does_not_go_back),
		cmocka_unit_test(test_overrides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
