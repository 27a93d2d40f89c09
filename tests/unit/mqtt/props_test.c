#include "unit/test.h"

#include <stdio.h>
#include <string.h>

#include "mqtt/props.h"

static void collect(void *arg, const char *name, const char *value)
{
	char *out = arg;
	size_t n = strlen(out);

	snprintf(out + n, 512 - n, "%s=%s\n", name, value);
}

static void test_all_round_trip(void **state)
{
	static const char *const given[][2] = {
		{ "epoch", "0123456789abcdef" },
		{ "seq", "9223372036854775807" },
		{ "boot", "01234567-89ab-cdef-0123-456789abcdef" },
		{ "session", "ffffffffffffffff" },
		{ "mono", "12345.678" },
		{ "sent_mono", "9000000000.999999999" },
	};
	struct props p = { 0 };
	char want[512] = "", got[512] = "";

	for (size_t i = 0; i < HT_COUNT(given); i++) {
		assert_ok(props_set(&p, given[i][0], given[i][1]));
		collect(want, given[i][0], given[i][1]);
	}
	assert_int_equal(p.seq, INT64_MAX);
	assert_int_equal(p.mono_ns, INT64_C(12345678000000));
	props_each(&p, collect, got);
	assert_string_equal(got, want);
}

static void test_absent_ones_are_not_written(void **state)
{
	struct props p = { 0 };
	char got[512] = "";

	assert_ok(props_set(&p, "seq", "7"));
	assert_ok(props_set(&p, "colour", "blue"));
	assert_int_equal(p.has, PROPS_SEQ);
	props_each(&p, collect, got);
	assert_string_equal(got, "seq=7\n");
}

static void test_seconds_keep_milliseconds(void **state)
{
	static const struct {
		const char *given, *written;
	} cases[] = {
		{ "0", "0.000" },
		{ "1.5", "1.500" },
		{ "2.25", "2.250" },
		{ "3.0001", "3.0001" },
		{ "4.000000001", "4.000000001" },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct props p = { 0 };
		char got[512] = "", want[64];

		assert_ok(props_set(&p, "mono", cases[i].given));
		props_each(&p, collect, got);
		snprintf(want, sizeof(want), "mono=%s\n", cases[i].written);
		assert_string_equal(got, want);
	}
}

static void test_bad_values_are_refused(void **state)
{
	static const char *const bad[][2] = {
		{ "epoch", "" },
		{ "epoch", "0123456789abcde" },
		{ "epoch", "0123456789abcdef0" },
		{ "epoch", "0123456789ABCDEF" },
		{ "epoch", "0123456789abcdeg" },
		{ "seq", "" },
		{ "seq", "0" },
		{ "seq", "-1" },
		{ "seq", "+1" },
		{ "seq", "01" },
		{ "seq", "9223372036854775808" },
		{ "seq", "99999999999999999999" },
		{ "seq", "1 " },
		{ "seq", "1.0" },
		{ "boot", "01234567-89ab-cdef-0123-456789abcde" },
		{ "boot", "01234567089ab-cdef-0123-456789abcdef" },
		{ "session", "x" },
		{ "mono", "" },
		{ "mono", "." },
		{ "mono", "1." },
		{ "mono", ".5" },
		{ "mono", "-1" },
		{ "mono", "1e3" },
		{ "mono", "nan" },
		{ "mono", "9000000001" },
		{ "mono", "99999999999" },
		{ "mono", "1.0000000001" },
		{ "sent_mono", "1.0 " },
	};

	for (size_t i = 0; i < HT_COUNT(bad); i++) {
		struct props p = { 0 };

		assert_int_equal(props_set(&p, bad[i][0], bad[i][1]), HT_MALFORMED);
		assert_int_equal(p.has, 0);
	}
}

static void test_one_name_twice_is_refused(void **state)
{
	struct props p = { 0 };

	assert_ok(props_set(&p, "seq", "7"));
	assert_int_equal(props_set(&p, "seq", "8"), HT_MALFORMED);
	assert_int_equal(p.seq, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_round_trip),
		cmocka_unit_test(test_absent_ones_are_not_written),
		cmocka_unit_test(test_seconds_keep_milliseconds),
		cmocka_unit_test(test_bad_values_are_refused),
		cmocka_unit_test(test_one_name_twice_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
