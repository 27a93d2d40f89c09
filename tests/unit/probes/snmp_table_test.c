#include "unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "probes/snmp/table.h"

static void put(struct table *t, uint64_t index, const char *name)
{
	struct table_row *r = table_row(t, index);

	assert_non_null(r);
	if (name)
		assert_ok(
		    table_put_text(r, TABLE_NAME, (const uint8_t *)name, strlen(name)));
}

static void test_rows_stay_in_order_and_bounded(void **state)
{
	struct table t;

	table_init(&t, 20);
	for (uint64_t i = 20; i > 0; i--)
		assert_non_null(table_row(&t, i * 3));
	assert_null(table_row(&t, 1));
	assert_non_null(table_row(&t, 60));
	for (size_t i = 0; i < t.n; i++)
		assert_int_equal(t.rows[i].index, (i + 1) * 3);
	table_put_number(&t.rows[0], TABLE_OPER, 1);
	assert_true(table_lacks(&t, TABLE_OPER));
	table_fini(&t);
}

static void test_instances_are_unique(void **state)
{
	struct table t;

	table_init(&t, 10);
	put(&t, 1, "Gi0/0/1");
	put(&t, 2, "port");
	put(&t, 3, "port");
	put(&t, 4, NULL);
	put(&t, 5, "port");
	put(&t, 6, "");
	table_name_rows(&t, "bat-xat");
	assert_string_equal(t.rows[0].instance, "bat-xat:Gi0-0-1");
	assert_string_equal(t.rows[1].instance, "bat-xat:port.2");
	assert_string_equal(t.rows[2].instance, "bat-xat:port.3");
	assert_string_equal(t.rows[3].instance, "bat-xat:if4");
	assert_string_equal(t.rows[4].instance, "bat-xat:port.5");
	assert_string_equal(t.rows[5].instance, "bat-xat:if6");
	table_fini(&t);
}

/* The longest device, names that differ only behind the cut, the largest indexes. */
static void test_long_instances_fit_and_differ(void **state)
{
	static const char device[] =
	    "a123456789b123456789c123456789d123456789e123456789f123456789g123";
	struct table t;

	table_init(&t, 4);
	put(&t, 4294967294, "a-name-longer-than-any-instance-can-be-one");
	put(&t, 4294967295, "a-name-longer-than-any-instance-can-be-two");
	table_name_rows(&t, device);
	assert_string_not_equal(t.rows[0].instance, t.rows[1].instance);
	for (size_t i = 0; i < 2; i++) {
		assert_true(strlen(t.rows[i].instance) <= HT_INSTANCE_MAX);
		assert_non_null(
		    strstr(t.rows[i].instance, i ? ".4294967295" : ".4294967294"));
	}
	table_fini(&t);
}

static void test_text_is_made_clean(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "WAN \xe2\x80\x93 VNPT", "WAN \xe2\x80\x93 VNPT" },
		{ "tab\there\n", "tab here" },
		{ "latin \xe9t\xe9", "latin ?t?" },
		{ "cut \xe2\x80", "cut ??" },
		{ "over\xc0\xaflong", "over??long" },
		{ "surrogate \xed\xa0\x80", "surrogate ???" },
	};
	struct table_row r = { 0 };

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		assert_ok(table_put_text(
		    &r, TABLE_DESCR, (const uint8_t *)cases[i].in, strlen(cases[i].in)));
		assert_string_equal(r.texts[TABLE_DESCR], cases[i].out);
	}
	assert_ok(table_put_text(&r, TABLE_DESCR, (const uint8_t *)"\0\0", 2));
	assert_null(r.texts[TABLE_DESCR]);
	assert_ok(table_put_text(&r, TABLE_PHYS, (const uint8_t *)"\x02\0\xff", 3));
	assert_string_equal(r.texts[TABLE_PHYS], "02:00:ff");
	free(r.texts[TABLE_PHYS]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_stay_in_order_and_bounded),
		cmocka_unit_test(test_instances_are_unique),
		cmocka_unit_test(test_long_instances_fit_and_differ),
		cmocka_unit_test(test_text_is_made_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
