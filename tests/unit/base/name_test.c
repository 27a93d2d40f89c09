#include "unit/test.h"

#include <string.h>

#include "base/name.h"

static void test_ids(void **state)
{
	static const char *const good[] = { "a", "0", "bat-xat-1", "Gi0.1:2_3", "A.b" };
	static const char *const bad[] = { "", "-a", ".a", "_a", ":a", "@server", "a/b",
		"a b", "à", "a+" };
	char long_id[HT_ID_MAX + 2];

	for (size_t i = 0; i < HT_COUNT(good); i++)
		assert_true(ht_id_valid(good[i], HT_ID_MAX));
	for (size_t i = 0; i < HT_COUNT(bad); i++)
		assert_false(ht_id_valid(bad[i], HT_ID_MAX));
	memset(long_id, 'a', sizeof(long_id));
	long_id[HT_ID_MAX + 1] = '\0';
	assert_false(ht_id_valid(long_id, HT_ID_MAX));
	long_id[HT_ID_MAX] = '\0';
	assert_true(ht_id_valid(long_id, HT_ID_MAX));
}

static void test_any_text_becomes_an_id(void **state)
{
	static const struct {
		const char *from, *to;
	} cases[] = {
		{ "eth0", "eth0" },
		{ "Gi0/0/1", "Gi0-0-1" },
		{ "", "x" },
		{ "///", "x" },
		{ "--a", "a" },
		{ "WAN – VNPT", "WAN-----VNPT" },
		{ "0123456789abcdef", "0123456789abcde" },
	};
	char out[16];

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		ht_id_from(cases[i].from, out, sizeof(out));
		assert_string_equal(out, cases[i].to);
		assert_true(ht_id_valid(out, sizeof(out)));
	}
}

static void test_names_of_all_metrics_round_trip(void **state)
{
	for (int m = 0; m < HT_METRIC_COUNT; m++) {
		char text[HT_NAME_MAX + 1];
		struct ht_name n;
		enum ht_metric found;

		assert_ok(ht_name_format(
		    (enum ht_metric)m, "aa:bb:cc:dd:ee:ff", text, sizeof(text)));
		assert_ok(ht_name_parse(text, strlen(text), &n));
		assert_int_equal(n.instance_len, 17);
		assert_true(ht_metric_find(
		    n.family, n.family_len, n.quantity, n.quantity_len, &found));
		assert_int_equal(found, m);
	}
}

static void test_name_bounds(void **state)
{
	char instance[HT_INSTANCE_MAX + 2], text[HT_NAME_MAX + 2], tiny[8];
	struct ht_name n;

	assert_int_equal(
	    ht_name_format(HT_M_ICMP_LOSS, "a", tiny, sizeof(tiny)), HT_TOOLARGE);
	memset(instance, 'i', sizeof(instance));
	instance[HT_INSTANCE_MAX] = '\0';
	assert_ok(ht_name_format(HT_M_ICMP_LOSS, instance, text, sizeof(text)));
	assert_ok(ht_name_parse(text, strlen(text), &n));
	instance[HT_INSTANCE_MAX] = 'i';
	instance[HT_INSTANCE_MAX + 1] = '\0';
	assert_ok(ht_name_format(HT_M_ICMP_LOSS, instance, text, sizeof(text)));
	assert_int_equal(ht_name_parse(text, strlen(text), &n), HT_MALFORMED);
}

static void test_bad_names(void **state)
{
	static const char *const bad[] = { "", "a", "a/b", "a/b/", "/b/c", "a//c",
		"a/b/c/d", "a/b/-c", "a/b c/d", "a/b/c ", "-a/b/c" };
	struct ht_name n;

	for (size_t i = 0; i < HT_COUNT(bad); i++)
		assert_int_equal(ht_name_parse(bad[i], strlen(bad[i]), &n), HT_MALFORMED);
	assert_int_equal(ht_name_parse("a/b\0/c", 6, &n), HT_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_any_text_becomes_an_id),
		cmocka_unit_test(test_names_of_all_metrics_round_trip),
		cmocka_unit_test(test_name_bounds),
		cmocka_unit_test(test_bad_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
