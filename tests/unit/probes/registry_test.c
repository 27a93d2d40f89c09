#include "unit/test.h"

#include <string.h>

#include "base/name.h"
#include "probes/probe.h"

/* What probe.h demands of every row. */
static void test_rows_are_complete(void **state)
{
	for (size_t i = 0; i < probe_registry_len; i++) {
		const struct probe_ops *ops = probe_registry[i];

		assert_non_null(ops);
		assert_true(ht_id_valid(ops->name, HT_ID_MAX));
		assert_non_null(ops->help);
		assert_true(ops->n_metrics > 0);
		assert_non_null(ops->start);
		assert_non_null(ops->cancel);
		for (size_t m = 0; m < ops->n_metrics; m++)
			assert_true(ops->metrics[m] < HT_METRIC_COUNT);
	}
}

static void test_names_are_found_and_unique(void **state)
{
	for (size_t i = 0; i < probe_registry_len; i++)
		assert_ptr_equal(probe_find(probe_registry[i]->name), probe_registry[i]);
	assert_null(probe_find("no-such-probe"));
	assert_null(probe_nearest("quite-another-word"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_are_complete),
		cmocka_unit_test(test_names_are_found_and_unique),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
