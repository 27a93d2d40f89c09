#include "unit/test.h"

#include <float.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt/jtext.h"

static struct json_object *parse(const char *text)
{
	struct json_object *v = NULL;

	assert_ok(jtext_parse(text, strlen(text), 8, &v, NULL));
	return v;
}

static void test_whole_numbers_are_exact(void **state)
{
	static const struct {
		const char *text;
		uint64_t value;
	} cases[] = {
		{ "0", 0 },
		{ "9223372036854775807", INT64_MAX },
		{ "9223372036854775808", UINT64_C(1) << 63 },
		{ "18446744073709551615", UINT64_MAX },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct json_object *v = parse(cases[i].text);
		uint64_t got;

		assert_true(jtext_uint64(v, &got));
		assert_true(got == cases[i].value);
		json_object_put(v);
	}
}

static void test_no_whole_number_here(void **state)
{
	static const char *const texts[] = { "-1", "1.0", "1e3", "\"1\"", "true",
		"null" };

	for (size_t i = 0; i < HT_COUNT(texts); i++) {
		struct json_object *v = parse(texts[i]);
		uint64_t got;

		assert_false(jtext_uint64(v, &got));
		json_object_put(v);
	}
}

static void test_strictness(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"[",
		"[1,]",
		"{\"a\":1,}",
		"[1] x",
		"[1][2]",
		"01",
		"'a'",
		"nul",
		"tru",
		"18446744073709551616",
		"-9223372036854775809",
		"\"\xff\"",
		"\"a",
		"/* c */ 1",
		"[1 2]",
		"[[[[[[[[[1]]]]]]]]]",
		"+1",
		".5",
		"{a:1}",
		"TRUE",
		"\"\xc0\x80\"",
	};
	struct ht_fault fault;

	for (size_t i = 0; i < HT_COUNT(bad); i++) {
		struct json_object *v = NULL;

		if (jtext_parse(bad[i], strlen(bad[i]), 8, &v, &fault) != HT_MALFORMED)
			fail_msg("accepted: %s", bad[i]);
		assert_null(v);
		assert_non_null(strstr(fault.text, "byte "));
	}
}

static void test_bytes_behind_the_end(void **state)
{
	struct json_object *v = NULL;

	assert_int_equal(jtext_parse("[1]\0", 4, 8, &v, NULL), HT_MALFORMED);
	assert_int_equal(jtext_parse("1\0", 2, 8, &v, NULL), HT_MALFORMED);
	assert_ok(jtext_parse("[1] \r\n\t", 7, 8, &v, NULL));
	json_object_put(v);
}

static void test_not_finite_is_no_number(void **state)
{
	static const char *const texts[] = { "NaN", "Infinity", "-Infinity", "1e999",
		"-1e999" };

	for (size_t i = 0; i < HT_COUNT(texts); i++) {
		struct json_object *v = NULL;
		double d;

		if (jtext_parse(texts[i], strlen(texts[i]), 8, &v, NULL) != HT_OK)
			continue; /* refused even earlier */
		assert_false(jtext_double(v, &d));
		json_object_put(v);
	}
}

static void test_text_with_nul_is_no_text(void **state)
{
	struct json_object *v = parse("\"a\\u0000b\"");
	const char *text;
	size_t len;

	assert_false(jtext_string(v, &text, &len));
	json_object_put(v);
}

static void test_doubles_are_exact(void **state)
{
	static const double values[] = { 0.0, -0.0, 0.1, 1.0 / 3, 5.0, 1e300, DBL_MIN,
		DBL_MAX, DBL_TRUE_MIN, 9007199254740993.0, -123456.789, 1519887600.123,
		1e15, 1e17 };

	for (size_t i = 0; i < HT_COUNT(values); i++) {
		char text[JTEXT_DOUBLE_MAX];
		struct json_object *v;
		uint64_t whole;
		double got;

		jtext_double_format(values[i], text);
		v = parse(text);
		assert_true(jtext_double(v, &got));
		assert_memory_equal(&got, &values[i], sizeof(got));
		assert_false(jtext_uint64(v, &whole));
		json_object_put(v);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_numbers_are_exact),
		cmocka_unit_test(test_no_whole_number_here),
		cmocka_unit_test(test_strictness),
		cmocka_unit_test(test_bytes_behind_the_end),
		cmocka_unit_test(test_not_finite_is_no_number),
		cmocka_unit_test(test_text_with_nul_is_no_text),
		cmocka_unit_test(test_doubles_are_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
