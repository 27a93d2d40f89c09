#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/yaml.h"

static struct ht_yaml parse(const char *text)
{
	struct ht_yaml y = { 0 };
	struct ht_fault fault = { 0 };

	if (ht_yaml_parse("t.yaml", text, strlen(text), &y, &fault) != HT_OK)
		fail_msg("%s", fault.text);
	return y;
}

static void test_a_tree_with_places(void **state)
{
	struct ht_yaml y = parse("# comment\nsite:\n  subnets: [10.0.0.0/8, \"010\"]\n  "
				 "empty:\nlist:\n- a: 1\n");
	struct ht_node *site = ht_node_get(y.root, "site"),
		       *subnets = ht_node_get(site, "subnets");

	assert_int_equal(y.root->kind, HT_NODE_MAP);
	assert_int_equal(subnets->kind, HT_NODE_LIST);
	assert_int_equal(subnets->n, 2);
	assert_string_equal(subnets->items[0]->text, "10.0.0.0/8");
	assert_false(subnets->items[0]->quoted);
	assert_true(subnets->items[1]->quoted);
	assert_int_equal(subnets->items[1]->line, 3);
	assert_int_equal(subnets->items[1]->column, 25);
	assert_int_equal(ht_node_get(site, "empty")->kind, HT_NODE_NULL);
	assert_null(ht_node_get(site, "absent"));
	assert_null(ht_node_get(subnets, "a"));
	assert_null(ht_node_get(NULL, "a"));
	ht_yaml_fini(&y);
	ht_yaml_fini(&y);
}

static void test_nothing_is_null(void **state)
{
	static const char *const texts[] = { "", "# only a comment\n", "---\n", "~",
		"null" };

	for (size_t i = 0; i < HT_COUNT(texts); i++) {
		struct ht_yaml y = parse(texts[i]);

		assert_int_equal(y.root->kind, HT_NODE_NULL);
		ht_yaml_fini(&y);
	}
}

static void test_faults_name_the_place(void **state)
{
	static const struct {
		const char *text, *place;
	} cases[] = {
		{ "a: 1\nb: 2\na: 3\n",
		    "t.yaml:3:1: key 'a' is here twice (first on line 1)" },
		{ "a: &x 1\n", "t.yaml:1:4: anchors" },
		{ "a: &x [1]\n", "t.yaml:1:4: anchors" },
		{ "a: &x {b: 1}\n", "t.yaml:1:4: anchors" },
		{ "a: !!str 1\n", "t.yaml:1:4: anchors" },
		{ "a: !mine {}\n", "t.yaml:1:4: anchors" },
		{ "a: *x\n", "t.yaml:1:4: anchors" },
		{ "a: 1\n---\nb: 2\n", "t.yaml:2:1: a second document" },
		{ "? [a]\n: 1\n", "t.yaml:1:3: a key must be a word" },
		{ "a:\n\t- 1\n", "t.yaml:2:1: not valid YAML" },
		{ "a: [1\n", "t.yaml:2:1: not valid YAML" },
		{ "a: \"\\0\"\n", "t.yaml:1:4: a NUL byte" },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct ht_yaml y = { 0 };
		struct ht_fault fault = { 0 };

		assert_int_equal(ht_yaml_parse("t.yaml", cases[i].text,
				     strlen(cases[i].text), &y, &fault),
		    HT_CONFIG);
		if (strncmp(fault.text, cases[i].place, strlen(cases[i].place)) != 0)
			fail_msg("got '%s' for %s", fault.text, cases[i].text);
		assert_null(y.root);
	}
}

static void test_bounds(void **state)
{
	struct ht_yaml y = { 0 };
	struct ht_fault fault;
	struct ht_buf b;

	ht_buf_init(&b, 8 << 20);
	for (int i = 0; i < 100000; i++)
		ht_buf_puts(&b, "[");
	assert_int_equal(ht_yaml_parse("t", b.data, b.len, &y, &fault), HT_CONFIG);
	assert_non_null(strstr(fault.text, "deeper than 32"));
	ht_buf_reset(&b);
	for (int i = 0; i < 10001; i++)
		ht_buf_printf(&b, "k%d: 1\n", i);
	assert_int_equal(ht_yaml_parse("t", b.data, b.len, &y, &fault), HT_CONFIG);
	assert_non_null(strstr(fault.text, "10000 keys"));
	ht_buf_reset(&b);
	for (int i = 0; i < 200001; i++)
		ht_buf_puts(&b, "- 1\n");
	assert_int_equal(ht_yaml_parse("t", b.data, b.len, &y, &fault), HT_CONFIG);
	assert_non_null(strstr(fault.text, "200000 values"));
	while (b.len <= 4 << 20)
		ht_buf_puts(
		    &b, "#######################################################\n");
	assert_int_equal(ht_yaml_parse("t", b.data, b.len, &y, &fault), HT_CONFIG);
	assert_non_null(strstr(fault.text, "4 MiB"));
	ht_buf_fini(&b);
}

static void test_overlay_merges_maps_and_replaces_the_rest(void **state)
{
	struct ht_yaml base = parse("a: {x: 1, y: 2}\nb: [1, 2]\nc: keep\n");
	struct ht_yaml over = parse("a: {y: 3, z: 4}\nb: [9]\nd: new\n");
	char *name = over.file;

	assert_ok(ht_yaml_overlay(&base, &over));
	struct ht_node *a = ht_node_get(base.root, "a");
	assert_string_equal(ht_node_get(a, "x")->text, "1");
	assert_string_equal(ht_node_get(a, "y")->text, "3");
	assert_string_equal(ht_node_get(a, "z")->text, "4");
	assert_int_equal(ht_node_get(base.root, "b")->n, 1);
	assert_string_equal(ht_node_get(base.root, "c")->text, "keep");
	assert_string_equal(ht_node_get(base.root, "d")->text, "new");
	assert_ptr_equal(ht_node_get(base.root, "d")->file, name);
	ht_yaml_fini(&base);
	ht_yaml_fini(&over);
}

static void test_files(void **state)
{
	char path[] = "/tmp/hatang-yaml-XXXXXX";
	struct ht_yaml y = { 0 };
	struct ht_fault fault;
	int fd = mkstemp(path);
	FILE *f = fdopen(fd, "w");

	assert_non_null(f);
	fputs("a: 1\n", f);
	fclose(f);
	assert_ok(ht_yaml_load(path, &y, &fault));
	assert_string_equal(y.root->file, path);
	ht_yaml_fini(&y);
	remove(path);
	assert_int_equal(ht_yaml_load(path, &y, &fault), HT_NOTFOUND);
	assert_non_null(strstr(fault.text, path));
	assert_int_equal(ht_yaml_load("/tmp", &y, &fault), HT_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_tree_with_places),
		cmocka_unit_test(test_nothing_is_null),
		cmocka_unit_test(test_faults_name_the_place),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_overlay_merges_maps_and_replaces_the_rest),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
