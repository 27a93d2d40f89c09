#include "unit/test.h"

#include <string.h>

#include "mqtt/senml.h"

static struct senml_pack decode(const char *text)
{
	struct senml_pack pack = { 0 };
	struct ht_fault fault = { 0 };

	if (senml_decode(SENML_JSON, text, strlen(text), &pack, &fault) != HT_OK)
		fail_msg("%s: %s", text, fault.text);
	return pack;
}

/* RFC 8428, 5.1.2 and 5.1.3, shortened. */
static void test_base_fields_are_resolved(void **state)
{
	struct senml_pack p = decode(
	    "[{\"bn\":\"urn:dev:ow:10e2073a0108006:\",\"bt\":1.276020076001e+09,\"bu\":"
	    "\"A\","
	    "\"bver\":5,\"n\":\"voltage\",\"u\":\"V\",\"v\":120.1},"
	    "{\"n\":\"current\",\"t\":-5,\"v\":1.2},{\"n\":\"current\",\"v\":1.7}]");

	assert_int_equal(p.n, 3);
	assert_string_equal(p.records[0].name, "urn:dev:ow:10e2073a0108006:voltage");
	assert_string_equal(p.records[0].unit, "V");
	assert_true(p.records[0].time_s == 1276020076.001);
	assert_string_equal(p.records[1].unit, "A");
	assert_true(p.records[1].time_s == 1276020076.001 - 5);
	assert_true(p.records[2].number == 1.7);
	senml_pack_fini(&p);
}

static void test_base_fields_can_change_midway(void **state)
{
	struct senml_pack p =
	    decode("[{\"bn\":\"a/\"},{\"n\":\"x\",\"v\":1},{\"bn\":\"b/\",\"bt\":7,"
		   "\"n\":\"x\",\"v\":2},{\"n\":\"y\",\"vb\":false}]");

	assert_int_equal(p.n, 3);
	assert_string_equal(p.records[0].name, "a/x");
	assert_string_equal(p.records[1].name, "b/x");
	assert_true(p.records[0].time_s == 0);
	assert_true(p.records[2].time_s == 7);
	senml_pack_fini(&p);
}

static void test_base_value_is_added(void **state)
{
	struct senml_pack p =
	    decode("[{\"n\":\"a\",\"bv\":18446744073709551610,\"v\":5},"
		   "{\"n\":\"a\",\"v\":6},{\"n\":\"a\",\"bv\":0.5,\"v\":1}]");

	assert_int_equal(p.records[0].kind, HT_COUNTER);
	assert_true(p.records[0].counter == UINT64_MAX);
	assert_int_equal(p.records[1].kind, HT_NUMBER); /* it would pass 2^64-1 */
	assert_true(p.records[1].number == 18446744073709551616.0);
	assert_true(p.records[2].number == 1.5);
	senml_pack_fini(&p);
}

static void test_kinds_of_numbers(void **state)
{
	struct senml_pack p = decode(
	    "[{\"n\":\"a\",\"v\":18446744073709551615},{\"n\":\"a\",\"v\":1e3},"
	    "{\"n\":\"a\",\"v\":-5},{\"n\":\"a\",\"v\":1.5E-3},{\"n\":\"a\",\"v\":2.0}]");

	assert_int_equal(p.records[0].kind, HT_COUNTER);
	assert_true(p.records[0].counter == UINT64_MAX);
	assert_int_equal(p.records[1].kind, HT_NUMBER);
	assert_true(p.records[1].number == 1000);
	assert_int_equal(p.records[2].kind, HT_NUMBER);
	assert_true(p.records[2].number == -5);
	assert_true(p.records[3].number == 0.0015);
	assert_int_equal(p.records[4].kind, HT_NUMBER);
	senml_pack_fini(&p);
}

static void test_unknown_fields_are_skipped(void **state)
{
	struct senml_pack p = decode(
	    "[{\"n\":\"a\",\"v\":1,\"colour\":{\"deep\":[1,2]},\"ut\":60,\"s\":3}]");

	assert_int_equal(p.n, 1);
	senml_pack_fini(&p);
}

static void test_refusals(void **state)
{
	static const struct {
		ht_err err;
		const char *text;
	} cases[] = {
		{ HT_MALFORMED, "" },
		{ HT_MALFORMED, "{}" },
		{ HT_MALFORMED, "[]" },
		{ HT_MALFORMED, "[1]" },
		{ HT_MALFORMED, "[{}]" },
		{ HT_MALFORMED, "[null]" },
		{ HT_MALFORMED, "[{\"bn\":\"a\"}]" },
		{ HT_MALFORMED, "[{\"n\":\"a\"}]" },
		{ HT_MALFORMED, "[{\"v\":1}]" },
		{ HT_MALFORMED, "[{\"n\":\"\",\"v\":1}]" },
		{ HT_MALFORMED, "[{\"n\":\"/a\",\"v\":1}]" },
		{ HT_MALFORMED, "[{\"n\":\"a b\",\"v\":1}]" },
		{ HT_MALFORMED, "[{\"n\":\"\xc3\xa0\",\"v\":1}]" },
		{ HT_MALFORMED, "[{\"n\":\"a\\u0000\",\"v\":1}]" },
		{ HT_MALFORMED, "[{\"bn\":\"-\",\"n\":\"a\",\"v\":1}]" },
		{ HT_MALFORMED, "[{\"n\":1,\"v\":1}]" },
		{ HT_MALFORMED, "[{\"n\":\"a\",\"v\":\"1\"}]" },
		{ HT_MALFORMED, "[{\"n\":\"a\",\"v\":null}]" },
		{ HT_MALFORMED, "[{\"n\":\"a\",\"vb\":1}]" },
		{ HT_MALFORMED, "[{\"n\":\"a\",\"vs\":true}]" },
		{ HT_MALFORMED, "[{\"n\":\"a\",\"v\":1,\"vs\":\"x\"}]" },
		{ HT_MALFORMED, "[{\"n\":\"a\",\"v\":NaN}]" },
		{ HT_MALFORMED, "[{\"n\":\"a\",\"v\":-Infinity}]" },
		{ HT_MALFORMED, "[{\"n\":\"a\",\"v\":1e999}]" },
		{ HT_MALFORMED, "[{\"n\":\"a\",\"v\":18446744073709551616}]" },
		{ HT_MALFORMED, "[{\"n\":\"a\",\"v\":1,\"t\":1e11}]" },
		{ HT_MALFORMED, "[{\"n\":\"a\",\"v\":1,\"u\":\"\"}]" },
		{ HT_MALFORMED, "[{\"n\":\"a\",\"v\":1e308,\"bv\":1e308}]" },
		{ HT_MALFORMED, "[{\"n\":\"a\",\"v\":1}] [" },
		{ HT_MALFORMED, "[{\"n\":\"a\",\"v\":1}" },
		{ HT_UNSUPPORTED, "[{\"n\":\"a\",\"v\":1,\"new_\":1}]" },
		{ HT_UNSUPPORTED, "[{\"n\":\"a\",\"v\":1,\"bver\":11}]" },
		{ HT_UNSUPPORTED, "[{\"n\":\"a\",\"vd\":\"aGk\"}]" },
		{ HT_UNSUPPORTED, "[{\"n\":\"a\",\"s\":1}]" },
	};
	struct senml_pack pack = { .n = 77 };

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct ht_fault fault = { 0 };
		ht_err err = senml_decode(
		    SENML_JSON, cases[i].text, strlen(cases[i].text), &pack, &fault);

		if (err != cases[i].err)
			fail_msg("%s: got %s", cases[i].text, ht_err_name(err));
		assert_true(fault.text[0] != '\0');
		assert_int_equal(pack.n, 77); /* untouched */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base_fields_are_resolved),
		cmocka_unit_test(test_base_fields_can_change_midway),
		cmocka_unit_test(test_base_value_is_added),
		cmocka_unit_test(test_kinds_of_numbers),
		cmocka_unit_test(test_unknown_fields_are_skipped),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
