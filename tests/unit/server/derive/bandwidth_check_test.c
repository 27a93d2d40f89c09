/* What contradicts what, by the shipped thresholds. */
#include "unit/test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "server/derive/bandwidth_check.h"

#define FILE_NAME "../server/derive/rules/bandwidth.yaml"
#define DAY       INT64_C(86400000)
#define NO        NAN

static struct bandwidth_rules *rules;

static int setup(void **state)
{
	struct ht_fault fault = { 0 };

	if (bandwidth_rules_load(FILE_NAME, &rules, &fault)) {
		print_error("%s\n", fault.text);
		return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	bandwidth_rules_free(rules);
	return 0;
}

/* contracted, negotiated, measured with its interval, used p95, used busy hour; in
 * Mbit/s. `says` are the kinds of findings, in order. */
static void test_findings(void **state)
{
	static const struct {
		const char *what;
		struct bandwidth_four down, up;
		double coverage;
		const char *says;
	} cases[] = {
		{ "nothing known", { NO, NO, NO, NO, NO, NO, NO },
		    { NO, NO, NO, NO, NO, NO, NO }, 0, "" },
		{ "all agree", { 20, 100, 18.9, 18.5, 19.1, 9, 12 },
		    { 20, 100, 18.8, 18.4, 19, 2, 3 }, 0.9, "" },
		{ "less than paid for", { 50, 100, 21, 20, 22, NO, NO },
		    { 50, 100, 47, 46, 48, NO, NO }, 0,
		    "measured-below-contract(down) " },
		{ "less, but the interval reaches up", { 50, 100, 36, 30, 41, NO, NO },
		    { 50, 100, NO, NO, NO, NO, NO }, 0, "" },
		{ "no interval: the value alone", { 50, NO, 30, NO, NO, NO, NO },
		    { 50, NO, NO, NO, NO, NO, NO }, 0, "measured-below-contract(down) " },
		{ "payload of a full line is no lack", { 10, 10, 9.56, 9.5, 9.6, NO, NO },
		    { 10, 10, 9.5, 9.4, 9.6, NO, NO }, 0, "" },
		{ "the wrong interface", { 50, 10, 47, 46, 48, NO, NO },
		    { 50, 10, NO, NO, NO, NO, NO }, 0,
		    "measured-above-speed(down) negotiated-below-contract(down) "
		    "negotiated-below-contract(up) " },
		{ "full", { 20, 100, NO, NO, NO, 19, 20 }, { 20, 100, NO, NO, NO, 3, 4 },
		    0.9, "saturated(down) " },
		{ "full, but hardly watched", { 20, 100, NO, NO, NO, 19, 20 },
		    { 20, 100, NO, NO, NO, 3, 4 }, 0.2, "" },
		{ "more than contracted", { 20, 100, NO, NO, NO, 35, 40 },
		    { 20, 100, NO, NO, NO, 3, 4 }, 0.9, "used-above-contract(down) " },
		{ "more than the interface can", { NO, 10, NO, NO, NO, 35, 40 },
		    { NO, 10, NO, NO, NO, 3, 4 }, 0.9, "used-above-speed(down) " },
		{ "directions swapped", { 50, 100, 9.4, 9, 9.6, NO, NO },
		    { 10, 100, 47, 46, 48, NO, NO }, 0, "swapped(both) " },
		{ "each fits its own contract as well", { 100, 100, 80, 79, 81, NO, NO },
		    { 71, 100, 79, 78, 80, NO, NO }, 0, "" },
		{ "symmetric: nothing to swap", { 50, 100, 47, 46, 48, NO, NO },
		    { 50, 100, 47, 46, 48, NO, NO }, 0, "" },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct bandwidth_facts f = { .way = { cases[i].down, cases[i].up },
			.used_coverage = cases[i].coverage };
		struct bandwidth_verdict v;
		char said[400] = "";

		for (int w = 0; w < BANDWIDTH_WAYS; w++) {
			double *mbit = (double *)&f.way[w];
			for (size_t k = 0; k < sizeof(f.way[w]) / sizeof(double); k++)
				mbit[k] *= 1e6;
		}
		bandwidth_check(rules, &f, &v);
		for (size_t k = 0; k < v.n; k++) {
			const struct bandwidth_finding *x = &v.findings[k];

			snprintf(said + strlen(said), sizeof(said) - strlen(said),
			    "%s(%s) ", bandwidth_finding_name(x->kind),
			    x->both ? "both" : bandwidth_way_name(x->way));
			assert_true(x->text[0] && x->cure[0]);
		}
		if (strcmp(said, cases[i].says) != 0)
			fail_msg("%s: %s", cases[i].what, said);
	}
}

static void test_sentences(void **state)
{
	struct bandwidth_facts f = {
		.way = { { 50e6, NO, 21.04e6, 20e6, 22e6, NO, NO },
		    { NO, NO, NO, NO, NO, NO, NO } },
		.tested = true,
		.tested_ms = 0,
		.now_ms = 45 * DAY,
	};
	struct bandwidth_verdict v;

	bandwidth_check(rules, &f, &v);
	assert_int_equal(v.n, 2);
	assert_string_equal(v.findings[0].text,
	    "down: 21 Mbit/s were measured of the 50 Mbit/s contracted");
	assert_true(v.contradicted[BANDWIDTH_DOWN] && !v.contradicted[BANDWIDTH_UP]);
	assert_string_equal(
	    v.findings[1].text, "no throughput test has succeeded for 45 days");
	assert_null(bandwidth_finding_problem(v.findings[1].kind));
	assert_string_equal(
	    bandwidth_finding_problem(v.findings[0].kind), "link-below-contract");
	f.now_ms = 30 * DAY;
	bandwidth_check(rules, &f, &v);
	assert_int_equal(v.n, 1);
}

static void test_rules_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "version: a\neffective_from: soon\n", "f:2:17: 'soon' is no date" },
		{ "version: a\neffective_from: 2018-01-01\nsaturated: 9\n", "f:3:12:" },
		{ "version: a\neffective_from: 2018-01-01\nsaturatd: 0.9\n",
		    "saturated" },
		{ "version: a\neffective_from: 2018-01-01\ncalendar: ../x\n",
		    "leave the folder out" },
		{ "effective_from: 2018-01-01\n", "version" },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct bandwidth_rules *r = NULL;
		struct ht_fault fault = { 0 };

		assert_int_equal(bandwidth_rules_parse("f", cases[i].text,
				     strlen(cases[i].text), &r, &fault),
		    HT_CONFIG);
		if (!strstr(fault.text, cases[i].says))
			fail_msg("case %zu: %s", i, fault.text);
	}
}

static void test_rates_as_text(void **state)
{
	static const struct {
		double bps;
		const char *text;
	} cases[] = { { 0, "0 bit/s" }, { 999.4, "999 bit/s" }, { 999.6, "1 kbit/s" },
		{ 12345678, "12.3 Mbit/s" }, { 1e9, "1 Gbit/s" },
		{ 1e15, "1e+03 Tbit/s" } };

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		char text[24];

		bandwidth_text(cases[i].bps, text);
		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_findings),
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_rules_refused),
		cmocka_unit_test(test_rates_as_text),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
