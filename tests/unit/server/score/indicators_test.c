#include "unit/test.h"

#include <math.h>
#include <string.h>

#include "server/score/indicators.h"

static struct definition *definition;

static int load(void **state)
{
	struct ht_fault fault = { 0 };

	if (definition_load("../server/score/definitions/vn-ict-index-2016.yaml",
		&definition, &fault))
		fail_msg("%s", fault.text);
	return 0;
}

static int unload(void **state)
{
	definition_free(definition);
	return 0;
}

static void near(const char *what, double got, double want)
{
	if (isnan(want) ? !isnan(got) : !(fabs(got - want) < 1e-9))
		fail_msg("%s: got %g, want %g", what, got, want);
}

#define SERVANTS(n)       \
	{                 \
		true, (n) \
	}
#define NOBODY           \
	{                \
		false, 0 \
	}

static void test_computers(void **state)
{
	static const struct {
		const char *what;
		struct computers_input in;
		enum value_status status;
		double value, low, high, coverage;
		const char *reason;
	} cases[] = {
		{ "all known", { SERVANTS(20), true, 39, 41, 3, 0.9, 100, 100 },
		    VALUE_KNOWN, 41 / 20., 39 / 20., 44 / 20., 1, "" },
		{ "more than one each is not capped",
		    { SERVANTS(2), true, 5, 5, 0, 0.9, 1, 1 }, VALUE_KNOWN, 2.5, 2.5, 2.5,
		    1, "" },
		{ "none found", { SERVANTS(20), true, 0, 0, 0, 0, 100, 100 }, VALUE_KNOWN,
		    0, 0, 0, 1, "" },
		{ "thin coverage", { SERVANTS(20), true, 10, 10, 0, 0.9, 100, 79 },
		    VALUE_PARTIAL, 0.5, 0.5, 0.5, 0.79, "79 %" },
		{ "just enough", { SERVANTS(20), true, 10, 10, 0, 0.9, 100, 80 },
		    VALUE_KNOWN, 0.5, 0.5, 0.5, 0.8, "" },
		{ "no scan", { SERVANTS(20), true, 1, 1, 0, 0.9, 0, 0 }, VALUE_UNKNOWN,
		    NAN, NAN, NAN, 0, "scanned no subnet" },
		{ "scan asked nobody", { SERVANTS(20), true, 0, 0, 0, 0, 100, 0 },
		    VALUE_UNKNOWN, NAN, NAN, NAN, 0, "ask no address" },
		{ "no agent", { SERVANTS(20), false, 0, 0, 0, 0, 0, 0 }, VALUE_UNKNOWN,
		    NAN, NAN, NAN, 0, "no agent" },
		{ "no headcount", { NOBODY, true, 10, 10, 0, 0.9, 100, 100 },
		    VALUE_UNKNOWN, NAN, NAN, NAN, 1, "not known" },
		{ "headcount of 0", { SERVANTS(0), true, 10, 10, 0, 0.9, 100, 100 },
		    VALUE_UNKNOWN, NAN, NAN, NAN, 1, "is 0" },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct indicator_value v;
		indicator_computers(definition, &cases[i].in, &v);
		if (v.status != cases[i].status)
			fail_msg("%s: %s, %s", cases[i].what, value_status_name(v.status),
			    v.reason);
		near(cases[i].what, v.value, cases[i].value);
		near(cases[i].what, v.low, cases[i].low);
		near(cases[i].what, v.high, cases[i].high);
		near(cases[i].what, v.coverage, cases[i].coverage);
		if (cases[i].reason[0] ? !strstr(v.reason, cases[i].reason) || !v.cure[0]
				       : v.reason[0])
			fail_msg("%s: '%s' / '%s'", cases[i].what, v.reason, v.cure);
	}
}

static void test_bandwidth(void **state)
{
	static const struct {
		const char *what;
		struct headcount_input headcount;
		struct bandwidth_link_input links[2];
		size_t n;
		enum value_status status;
		enum value_source source;
		double value, low, confidence;
	} cases[] = {
		{ "declared alone", SERVANTS(10), { { "a", 20e6, NAN, 1 } }, 1,
		    VALUE_KNOWN, SOURCE_DECLARED, 2e6, NAN, 0.5 },
		{ "the interface agrees", SERVANTS(10), { { "a", 20e6, 100e6, 1 } }, 1,
		    VALUE_KNOWN, SOURCE_MIXED, 2e6, NAN, 0.8 },
		{ "it contradicts", SERVANTS(10), { { "a", 20e6, 10e6, 1 } }, 1,
		    VALUE_KNOWN, SOURCE_MIXED, 2e6, 1e6, 0.3 },
		{ "a test agrees", SERVANTS(10),
		    { { "a", 20e6, 100e6, 1, true, 19e6, false } }, 1, VALUE_KNOWN,
		    SOURCE_MIXED, 2e6, NAN, 0.9 },
		{ "a test contradicts", SERVANTS(10),
		    { { "a", 20e6, 100e6, 1, true, 8e6, true } }, 1, VALUE_KNOWN,
		    SOURCE_MIXED, 2e6, 0.8e6, 0.3 },
		{ "the least of what contradicts", SERVANTS(10),
		    { { "a", 20e6, 10e6, 1, true, 12e6, true } }, 1, VALUE_KNOWN,
		    SOURCE_MIXED, 2e6, 1e6, 0.3 },
		{ "more is used than contracted", SERVANTS(10),
		    { { "a", 20e6, 100e6, 1, false, 0, true } }, 1, VALUE_KNOWN,
		    SOURCE_MIXED, 2e6, NAN, 0.3 },
		{ "two links, a factor", SERVANTS(10),
		    { { "a", 20e6, NAN, 1 }, { "b", 10e6, NAN, 0.5 } }, 2, VALUE_KNOWN,
		    SOURCE_DECLARED, 2.5e6, NAN, 0.5 },
		{ "one rate missing", SERVANTS(10),
		    { { "a", 20e6, NAN, 1 }, { "b", NAN, NAN, 1 } }, 2, VALUE_PARTIAL,
		    SOURCE_DECLARED, 2e6, NAN, 0.5 },
		{ "no rate", SERVANTS(10), { { "a", NAN, 1e9, 1 } }, 1, VALUE_UNKNOWN,
		    SOURCE_NONE, NAN, NAN, 0 },
		{ "no link", SERVANTS(10), { { 0 } }, 0, VALUE_UNKNOWN, SOURCE_NONE, NAN,
		    NAN, 0 },
		{ "no headcount", NOBODY, { { "a", 20e6, NAN, 1 } }, 1, VALUE_UNKNOWN,
		    SOURCE_DECLARED, NAN, NAN, 0.5 },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct bandwidth_input in = { cases[i].headcount, cases[i].links,
			cases[i].n };
		struct indicator_value v;
		indicator_bandwidth(definition, &in, &v);
		if (v.status != cases[i].status || v.source != cases[i].source)
			fail_msg("%s: %s", cases[i].what, v.reason);
		near(cases[i].what, v.value, cases[i].value);
		near(cases[i].what, v.low, cases[i].low);
		near(cases[i].what, v.confidence, cases[i].confidence);
		assert_true((v.status == VALUE_KNOWN) == !v.cure[0]);
	}
}

static void test_wan(void **state)
{
	static const struct {
		const char *what;
		struct wan_link links[2];
		size_t n, registered;
		enum value_status status;
		enum value_source source;
		double value;
	} cases[] = {
		{ "up", { { "a", WAN_UP, 0, 0 } }, 1, 1, VALUE_KNOWN, SOURCE_MEASURED,
		    1 },
		{ "down", { { "a", WAN_DOWN, 0, 0 } }, 1, 1, VALUE_KNOWN, SOURCE_MEASURED,
		    0 },
		{ "down now, up most of the day",
		    { { "a", WAN_DOWN, 100, 60, .known_share = 1 } }, 1, 1, VALUE_KNOWN,
		    SOURCE_MEASURED, 1 },
		{ "exactly half", { { "a", WAN_DOWN, 100, 50, .known_share = 1 } }, 1, 1,
		    VALUE_KNOWN, SOURCE_MEASURED, 1 },
		{ "down most of the day",
		    { { "a", WAN_DOWN, 100, 49, .known_share = 1 } }, 1, 1, VALUE_KNOWN,
		    SOURCE_MEASURED, 0 },
		{ "unknown now, up most of the day",
		    { { "a", WAN_NOT_MEASURED, 100, 90, .known_share = 1 } }, 1, 1,
		    VALUE_KNOWN, SOURCE_MEASURED, 1 },
		{ "unknown now, three pings ago", { { "a", WAN_NOT_MEASURED, 3, 3 } }, 1,
		    1, VALUE_UNKNOWN, SOURCE_NONE, NAN },
		{ "either counts, once", { { "a", WAN_UP, 0, 0 }, { "b", WAN_UP, 0, 0 } },
		    2, 2, VALUE_KNOWN, SOURCE_MEASURED, 1 },
		{ "one down, one up", { { "a", WAN_DOWN, 0, 0 }, { "b", WAN_UP, 0, 0 } },
		    2, 2, VALUE_KNOWN, SOURCE_MEASURED, 1 },
		{ "one down, one unknown",
		    { { "a", WAN_DOWN, 0, 0 }, { "b", WAN_NOT_MEASURED, 0, 0 } }, 2, 2,
		    VALUE_UNKNOWN, SOURCE_NONE, NAN },
		{ "declared only", { { "a", WAN_NOT_MEASURED, 0, 0 } }, 1, 1,
		    VALUE_UNKNOWN, SOURCE_NONE, NAN },
		{ "other links only", { { 0 } }, 0, 2, VALUE_KNOWN, SOURCE_DECLARED, 0 },
		{ "no link at all", { { 0 } }, 0, 0, VALUE_UNKNOWN, SOURCE_NONE, NAN },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct wan_input in = { cases[i].links, cases[i].n, cases[i].registered };
		struct indicator_value v;
		indicator_wan(definition, &in, &v);
		if (v.status != cases[i].status || v.source != cases[i].source)
			fail_msg("%s: %s", cases[i].what, v.reason);
		near(cases[i].what, v.value, cases[i].value);
	}
}

static void test_security(void **state)
{
	static const struct security_solution rows[] = {
		{ "a", 1, ANSWER_YES, ANSWER_NONE, false }, /* measured */
		{ "b", 1, ANSWER_NO, ANSWER_YES,
		    false }, /* contradicted: measured wins */
		{ "c", 2, ANSWER_NONE, ANSWER_YES, false }, /* declared, weighs two */
		{ "d", 1, ANSWER_NONE, ANSWER_NONE, true }, /* expired */
		{ "e", 1, ANSWER_NONE, ANSWER_NONE, false },
	};
	struct security_input in = { rows, HT_COUNT(rows), true };
	struct indicator_value v;

	indicator_security(definition, &in, &v);
	assert_int_equal(v.status, VALUE_PARTIAL);
	assert_int_equal(v.source, SOURCE_MIXED);
	near("yes", v.numerator, 3);
	near("answered", v.denominator, 4);
	near("value", v.value, 0.75);
	near("coverage", v.coverage, 4 / 6.);
	near("confidence", v.confidence, (0.9 + 0.4 + 2 * 0.5) / 4 * 4 / 6);
	assert_non_null(strstr(v.reason, "2 of 5"));
	assert_non_null(strstr(v.reason, "expired"));

	in.n = 2;
	indicator_security(definition, &in, &v);
	assert_int_equal(v.status, VALUE_KNOWN);
	near("value", v.value, 0.5);
	in.solutions = rows + 3;
	indicator_security(definition, &in, &v);
	assert_int_equal(v.status, VALUE_UNKNOWN);
}

static void test_combine(void **state)
{
	static const enum answer mixed[] = { ANSWER_NO, ANSWER_YES },
				 all[] = { ANSWER_YES, ANSWER_YES };

	assert_int_equal(indicator_combine(COMBINE_ANY, mixed, 2), ANSWER_YES);
	assert_int_equal(indicator_combine(COMBINE_ALL, mixed, 2), ANSWER_NO);
	assert_int_equal(indicator_combine(COMBINE_ALL, all, 2), ANSWER_YES);
	assert_int_equal(indicator_combine(COMBINE_ANY, mixed, 1), ANSWER_NO);
	assert_int_equal(indicator_combine(COMBINE_ALL, NULL, 0), ANSWER_NONE);
}

/* A sum: missing agencies lower the coverage and never the value. */
static void test_sums(void **state)
{
	struct indicator_sum a = { .n = 0 }, b = { .n = 0 };
	struct headcount_input twenty = SERVANTS(20), ten = SERVANTS(10), nobody = NOBODY;
	struct computers_input known = { twenty, true, 9, 10, 2, 1, 100, 100 };
	struct computers_input missing = { ten, false, 0, 0, 0, 0, 0, 0 };
	struct computers_input uncounted = { nobody, true, 5, 5, 0, 1, 100, 100 };
	struct indicator_value v;

	indicator_sum_value(IND_COMPUTERS, &a, &v);
	assert_int_equal(v.status, VALUE_UNKNOWN);
	indicator_computers(definition, &known, &v);
	indicator_sum_add(IND_COMPUTERS, &a, &v, &twenty);
	indicator_sum_value(IND_COMPUTERS, &a, &v);
	assert_int_equal(v.status, VALUE_KNOWN);
	near("value", v.value, 0.5);
	near("low", v.low, 9 / 20.);
	near("high", v.high, 12 / 20.);
	near("coverage", v.coverage, 1);

	indicator_computers(definition, &missing, &v);
	indicator_sum_add(IND_COMPUTERS, &b, &v, &ten);
	indicator_sum_merge(&a, &b);
	indicator_sum_value(IND_COMPUTERS, &a, &v);
	assert_int_equal(v.status, VALUE_PARTIAL);
	near("value", v.value, 0.5);
	near("coverage", v.coverage, 20 / 30.);

	indicator_computers(definition, &uncounted, &v);
	indicator_sum_add(IND_COMPUTERS, &a, &v, &nobody);
	indicator_sum_value(IND_COMPUTERS, &a, &v);
	near("value", v.value, 0.5);
	near("coverage", v.coverage, 20 / 30. * 2 / 3.);
	assert_non_null(strstr(v.reason, "1 of 3"));
	assert_non_null(strstr(v.reason, "1 without a number"));
	assert_non_null(strstr(v.reason, "1 not measured"));
}

/* The order in which a tree is summed does not matter. */
static void test_sums_merge(void **state)
{
	struct indicator_sum one = { .n = 0 }, left = { .n = 0 }, right = { .n = 0 };

	for (int i = 0; i < 100; i++) {
		struct headcount_input h = { i % 7 != 0, 10 + i };
		struct wan_link l = { "l", (enum wan_now)(i % 3), 0, 0 };
		struct wan_input in = { &l, 1, 1 };
		struct indicator_value v;
		indicator_wan(definition, &in, &v);
		indicator_sum_add(IND_WAN, &one, &v, &h);
		indicator_sum_add(IND_WAN, i % 2 ? &left : &right, &v, &h);
	}
	indicator_sum_merge(&left, &right);
	struct indicator_value a, b;
	indicator_sum_value(IND_WAN, &one, &a);
	indicator_sum_value(IND_WAN, &left, &b);
	near("value", b.value, a.value);
	near("coverage", b.coverage, a.coverage);
	near("confidence", b.confidence, a.confidence);
	near("numerator", a.numerator, 33);
	near("denominator", a.denominator, 66);
	near("coverage", a.coverage, 0.66);
	near("low", a.low, 0.33);
	near("high", a.high, 0.67);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_computers),
		cmocka_unit_test(test_bandwidth),
		cmocka_unit_test(test_wan),
		cmocka_unit_test(test_security),
		cmocka_unit_test(test_combine),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_sums_merge),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
