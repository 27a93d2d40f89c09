#include "unit/test.h"

#include <string.h>

#include "base/metric.h"
#include "base/name.h"

static void test_every_row_is_filled(void **state)
{
	for (int m = 0; m < HT_METRIC_COUNT; m++) {
		const struct ht_metric_info *i = ht_metric_info((enum ht_metric)m);

		if (!i->family || !i->quantity || !i->help)
			fail_msg("row %d is not filled", m);
		assert_true(ht_id_valid(i->family, 32) && ht_id_valid(i->quantity, 32));
		assert_true(strlen(i->help) > 0 && !strchr(i->help, '\n'));
	}
}

static void test_numbers_and_only_numbers_have_a_unit(void **state)
{
	static const char *const units[] = { "s", "bit/s", "/", "count", "B", "Cel",
		"W" };

	for (int m = 0; m < HT_METRIC_COUNT; m++) {
		const struct ht_metric_info *i = ht_metric_info((enum ht_metric)m);
		bool number = i->kind == HT_NUMBER || i->kind == HT_COUNTER,
		     known = false;

		if (number != (i->unit != NULL))
			fail_msg("%s/%s", i->family, i->quantity);
		for (size_t u = 0; number && u < HT_COUNT(units); u++)
			known |= strcmp(units[u], i->unit) == 0;
		if (number && !known)
			fail_msg("%s/%s: '%s' is no base unit of the SenML registry",
			    i->family, i->quantity, i->unit);
	}
}

static void test_names_are_unique(void **state)
{
	for (int a = 0; a < HT_METRIC_COUNT; a++) {
		const struct ht_metric_info *i = ht_metric_info((enum ht_metric)a);

		for (int b = 0; b < a; b++) {
			const struct ht_metric_info *k =
			    ht_metric_info((enum ht_metric)b);

			if (strcmp(i->family, k->family) == 0 &&
			    strcmp(i->quantity, k->quantity) == 0)
				fail_msg("%s/%s is there twice", i->family, i->quantity);
		}
	}
}

static void test_find_takes_whole_words(void **state)
{
	enum ht_metric m = HT_METRIC_COUNT;

	assert_true(ht_metric_find("icmpx", 4, "lossless", 4, &m));
	assert_int_equal(m, HT_M_ICMP_LOSS);
	assert_false(ht_metric_find("icm", 3, "loss", 4, &m));
	assert_false(ht_metric_find("icmp", 4, "los", 3, &m));
	assert_false(ht_metric_find("", 0, "", 0, &m));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row_is_filled),
		cmocka_unit_test(test_numbers_and_only_numbers_have_a_unit),
		cmocka_unit_test(test_names_are_unique),
		cmocka_unit_test(test_find_takes_whole_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
