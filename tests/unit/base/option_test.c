#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/option.h"

struct item {
	char *name;
	int64_t every_ns;
};

static const struct ht_option item_rows[] = {
	{ "name", HT_OPT_STRING, offsetof(struct item, name), .min = 1, .max = 8,
	    .required = true, .help = "its name" },
	{ "every", HT_OPT_DURATION, offsetof(struct item, every_ns), .min = HT_NS_PER_S,
	    .max = 3600 * HT_NS_PER_S, .def = "30s", .help = "how often" },
};
static const struct ht_options item_options = HT_OPTIONS(struct item, item_rows);

struct all {
	bool flag;
	int64_t count, wait_ns, size, rate;
	double share;
	char *text;
	int choice;
	struct ht_strings words;
	struct ht_list items;
	struct ht_node *node;
};

static const char *const choices[] = { "red", "green", NULL };

#define AT(f) offsetof(struct all, f)
static const struct ht_option rows[] = {
	{ "flag", HT_OPT_BOOL, AT(flag), .def = "no", .help = "h" },
	{ "count", HT_OPT_INT, AT(count), .min = 1, .max = 100, .def = "5",
	    .help = "how many" },
	{ "wait", HT_OPT_DURATION, AT(wait_ns), .min = HT_NS_PER_MS,
	    .max = 60 * HT_NS_PER_S, .def = "200ms", .help = "h" },
	{ "size", HT_OPT_BYTES, AT(size), .def = "64K", .help = "h" },
	{ "rate", HT_OPT_RATE, AT(rate), .def = "10M", .help = "h" },
	{ "share", HT_OPT_NUMBER, AT(share), .min = 0, .max = 1, .def = "0.5",
	    .help = "h" },
	{ "text", HT_OPT_STRING, AT(text), .help = "h" },
	{ "choice", HT_OPT_ENUM, AT(choice), .names = choices, .def = "red",
	    .help = "h" },
	{ "words", HT_OPT_STRINGS, AT(words), .min = 0, .max = 2, .help = "h" },
	{ "items", HT_OPT_LIST, AT(items), .sub = &item_options, .help = "h" },
	{ "node", HT_OPT_NODE, AT(node), .help = "h" },
};
static const struct ht_options options = HT_OPTIONS(struct all, rows);

static ht_err load(
    const char *text, struct ht_yaml *y, struct all *out, struct ht_fault *fault)
{
	assert_ok(ht_yaml_parse("t.yaml", text, strlen(text), y, fault));
	return ht_options_load(&options, NULL, y->root, out, fault);
}

static void test_defaults(void **state)
{
	struct ht_yaml y = { 0 };
	struct ht_fault fault;
	struct all a;

	assert_ok(load("", &y, &a, &fault));
	assert_false(a.flag);
	assert_int_equal(a.count, 5);
	assert_int_equal(a.wait_ns, 200 * HT_NS_PER_MS);
	assert_int_equal(a.size, 65536);
	assert_int_equal(a.rate, 10000000);
	assert_true(a.share == 0.5);
	assert_null(a.text);
	assert_int_equal(a.words.n + a.items.n, 0);
	ht_options_fini(&options, &a);
	ht_yaml_fini(&y);
}

static void test_values(void **state)
{
	struct ht_yaml y = { 0 };
	struct ht_fault fault = { 0 };
	struct all a;

	if (load("flag: on\ncount: 100\nwait: 1m\nsize: 2G\nrate: 1G\nshare: 1e-1\ntext: "
		 "5s\n"
		 "choice: green\nwords: one\nitems:\n- {name: a, every: 1h}\n- name: "
		 "b\nnode: [1]\n",
		&y, &a, &fault))
		fail_msg("%s", fault.text);
	assert_true(a.flag);
	assert_int_equal(a.count, 100);
	assert_int_equal(a.wait_ns, 60 * HT_NS_PER_S);
	assert_int_equal(a.size, INT64_C(2) << 30);
	assert_int_equal(a.rate, 1000000000);
	assert_true(a.share == 0.1);
	assert_string_equal(a.text, "5s");
	assert_int_equal(a.choice, 1);
	assert_string_equal(a.words.at[0], "one");
	assert_int_equal(a.items.n, 2);
	assert_int_equal(((struct item *)a.items.at)[0].every_ns, 3600 * HT_NS_PER_S);
	assert_int_equal(((struct item *)a.items.at)[1].every_ns, 30 * HT_NS_PER_S);
	assert_int_equal(a.items.nodes[1]->line, 12);
	assert_int_equal(a.node->kind, HT_NODE_LIST);
	ht_options_fini(&options, &a);
	ht_options_fini(&options, &a);
	ht_yaml_fini(&y);
}

static void test_faults_name_place_and_cure(void **state)
{
	static const struct {
		const char *text, *fault;
	} cases[] = {
		{ "cuont: 7", "t.yaml:1:1: unknown key 'cuont'; did you mean 'count'?" },
		{ "\nzebra: 7", "t.yaml:2:1: unknown key 'zebra'; remove it" },
		{ "count: 101",
		    "t.yaml:1:8: 'count' is 101, but must be between 1 and 100" },
		{ "count: 010", "t.yaml:1:8: 'count' must be a whole number" },
		{ "count: 5s", "t.yaml:1:8: 'count' must be" },
		{ "count: [5]", "t.yaml:1:8: 'count' must be" },
		{ "count: 99999999999999999999", "t.yaml:1:8: 'count' is too large" },
		{ "wait: 5", "t.yaml:1:7: 'wait' must be a number with its unit" },
		{ "wait: 2m",
		    "t.yaml:1:7: 'wait' is 2m, but must be between 1ms and 1m" },
		{ "size: 9999999T", "t.yaml:1:7: 'size' is too large" },
		{ "flag: maybe", "t.yaml:1:7: 'flag' must be yes or no" },
		{ "share: nan", "t.yaml:1:8: 'share' must be" },
		{ "share: 0x1", "t.yaml:1:8: 'share' must be" },
		{ "share: \" 1\"", "t.yaml:1:8: 'share' must be" },
		{ "share: 1.5",
		    "t.yaml:1:8: 'share' is 1.5, but must be between 0 and 1" },
		{ "choice: blue", "t.yaml:1:9: 'choice' must be one of red, green" },
		{ "words: [a, b, c]", "t.yaml:1:8: 'words' has 3 items" },
		{ "words: [[a]]", "t.yaml:1:9: item of 'words'" },
		{ "items: {name: a}", "t.yaml:1:8: 'items' must be a list" },
		{ "items:\n- every: 5s", "t.yaml:2:3: 'name' is missing" },
		{ "items:\n- name: abcdefghi", "t.yaml:2:9: 'name' has 9 bytes" },
		{ "- 1", "t.yaml:1:1: keys are expected" },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		static const struct all zero;
		struct ht_yaml y = { 0 };
		struct ht_fault fault = { 0 };
		struct all a;

		assert_int_equal(load(cases[i].text, &y, &a, &fault), HT_CONFIG);
		if (strncmp(fault.text, cases[i].fault, strlen(cases[i].fault)) != 0)
			fail_msg("got '%s' for %s", fault.text, cases[i].text);
		assert_memory_equal(&a, &zero, sizeof(a));
		ht_yaml_fini(&y);
	}
}

struct outer {
	struct item inner;
};
static const struct ht_option outer_rows[] = {
	{ "inner", HT_OPT_SECTION, offsetof(struct outer, inner), .sub = &item_options,
	    .help = "h" },
};
static const struct ht_options outer_options = HT_OPTIONS(struct outer, outer_rows);

static void test_a_section_that_is_missing(void **state)
{
	struct ht_yaml y = { 0 };
	struct ht_fault fault = { 0 };
	struct outer o;

	assert_ok(ht_yaml_parse("t.yaml", "{}", 2, &y, &fault));
	assert_int_equal(
	    ht_options_load(&outer_options, NULL, y.root, &o, &fault), HT_CONFIG);
	assert_string_equal(
	    fault.text, "t.yaml:1:1: section 'inner': 'name' is missing (its name)");
	ht_yaml_fini(&y);
}

static void test_two_tables_read_one_map(void **state)
{
	static const char text[] = "name: a\ncount: 7\n";
	struct ht_yaml y = { 0 };
	struct ht_fault fault = { 0 };
	struct item it;

	assert_ok(ht_yaml_parse("t.yaml", text, strlen(text), &y, &fault));
	assert_int_equal(
	    ht_options_load(&item_options, NULL, y.root, &it, &fault), HT_CONFIG);
	assert_ok(ht_options_load(&item_options, &options, y.root, &it, &fault));
	assert_string_equal(it.name, "a");
	ht_options_fini(&item_options, &it);
	ht_yaml_fini(&y);
}

static void test_set_from_a_command_line(void **state)
{
	struct ht_yaml y = { 0 };
	struct ht_fault fault = { 0 };
	struct all a;

	assert_ok(load("text: old\nwords: [a, b]\n", &y, &a, &fault));
	assert_ok(ht_options_set(&options, &a, "count", "20", &fault));
	assert_ok(ht_options_set(&options, &a, "text", "new", &fault));
	assert_ok(ht_options_set(&options, &a, "words", "c", &fault));
	assert_int_equal(a.count, 20);
	assert_string_equal(a.text, "new");
	assert_int_equal(a.words.n, 1);
	assert_int_equal(ht_options_set(&options, &a, "count", "0", &fault), HT_CONFIG);
	assert_string_equal(fault.text, "count: is 0, but must be between 1 and 100");
	assert_int_equal(a.count, 20);
	assert_int_equal(ht_options_set(&options, &a, "coun", "1", &fault), HT_CONFIG);
	assert_string_equal(fault.text, "unknown key 'coun'; did you mean 'count'?");
	assert_int_equal(ht_options_set(&options, &a, "items", "1", &fault), HT_CONFIG);
	ht_options_fini(&options, &a);
	ht_yaml_fini(&y);
}

static void test_help_names_every_key_with_its_range(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ht_options_print(&options, f);
	fclose(f);
	for (size_t i = 0; i < HT_COUNT(rows); i++)
		assert_non_null(strstr(text, rows[i].key));
	assert_non_null(strstr(text, "1..100, default 5"));
	assert_non_null(strstr(text, "1ms..1m, default 200ms"));
	assert_non_null(strstr(text, "(red|green)"));
	free(text);
}

static void test_scaled_texts(void **state)
{
	static const struct {
		const char *text;
		ht_err err;
		int64_t ns;
	} durations[] = {
		{ "0s", HT_OK, 0 },
		{ "1ns", HT_OK, 1 },
		{ "7d", HT_OK, 7 * 86400 * HT_NS_PER_S },
		{ "5", HT_MALFORMED, 0 },
		{ "", HT_MALFORMED, 0 },
		{ "s", HT_MALFORMED, 0 },
		{ "5 s", HT_MALFORMED, 0 },
		{ "+5s", HT_MALFORMED, 0 },
		{ "1.5s", HT_MALFORMED, 0 },
		{ "05s", HT_MALFORMED, 0 },
		{ "999999999d", HT_RANGE, 0 },
	};
	int64_t v;

	for (size_t i = 0; i < HT_COUNT(durations); i++) {
		assert_int_equal(
		    ht_duration_parse(durations[i].text, &v), durations[i].err);
		if (!durations[i].err)
			assert_int_equal(v, durations[i].ns);
	}
	assert_ok(ht_int_parse("-9223372036854775808", &v));
	assert_true(v == INT64_MIN);
	assert_int_equal(ht_int_parse("9223372036854775808", &v), HT_RANGE);
	assert_ok(ht_bytes_parse("3K", &v));
	assert_int_equal(v, 3072);
	assert_int_equal(ht_bytes_parse("3k", &v), HT_MALFORMED);
	assert_ok(ht_rate_parse("3k", &v));
	assert_int_equal(v, 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_faults_name_place_and_cure),
		cmocka_unit_test(test_a_section_that_is_missing),
		cmocka_unit_test(test_two_tables_read_one_map),
		cmocka_unit_test(test_set_from_a_command_line),
		cmocka_unit_test(test_help_names_every_key_with_its_range),
		cmocka_unit_test(test_scaled_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
