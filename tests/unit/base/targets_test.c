#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/targets.h"

static ht_err parse(const char *text, struct ht_targets *out, struct ht_fault *fault)
{
	return ht_targets_parse(text, strlen(text), out, fault);
}

static void whole_list_is_read_and_written_again(void **state)
{
	static const char text[] = HT_TARGETS_HEAD "self gateway\n"
						   "self 10.0.0.1\n"
						   "target a 10.0.1.1\n"
						   "target b 2001:db8::1 a\n"
						   "target b:dns resolver\n"
						   "target c 10.0.1.3 a b\n";
	struct ht_targets t;
	struct ht_buf b;

	assert_ok(parse(text, &t, NULL));
	assert_int_equal(t.n, 4);
	assert_int_equal(t.n_self, 2);
	assert_int_equal(t.self[0].place, HT_PLACE_GATEWAY);
	assert_int_equal(t.self[1].place, HT_PLACE_ADDRESS);
	assert_int_equal(t.at[1].where.addr.family, AF_INET6);
	assert_int_equal(t.at[2].where.place, HT_PLACE_RESOLVER);
	assert_string_equal(t.at[3].id, "c");
	assert_int_equal(t.at[3].n_parents, 2);
	assert_int_equal(t.at[3].parents[0], 0);
	assert_int_equal(t.at[3].parents[1], 1);
	assert_int_equal(ht_targets_find(&t, "b:dns"), 2);
	assert_int_equal(ht_targets_find(&t, "bb"), t.n);

	ht_buf_init(&b, 4096);
	ht_targets_format(&t, &b);
	assert_string_equal(ht_buf_text(&b), text);
	ht_buf_fini(&b);
	ht_targets_fini(&t);
}

static void what_is_wrong_is_refused_with_its_line(void **state)
{
	static const struct {
		const char *lines, *says;
	} cases[] = {
		{ "target a 10.0.0.1", "line 2" },                      /* no end */
		{ "target b 10.0.0.1\ntarget a 10.0.0.2\n", "line 3" }, /* order */
		{ "target a 10.0.0.1\ntarget a 10.0.0.2\n", "line 3" }, /* twice */
		{ "target a 10.0.0.1 \n", "parents" },
		{ "target a 10.0.0.1 b a\n", "ascending" },
		{ "target a 10.0.0.1 b\n", "\"b\" is no target" },
		{ "target a 10.0.0.1 a\n", "its own parent" },
		{ "target a\n", "line 2" },
		{ "target  10.0.0.1\n", "line 2" },
		{ "target a 010.0.0.1\n", "address" },
		{ "target a 10.0.0.0/24\n", "address" },
		{ "target a 2001:DB8::1\n", "address" }, /* one way to write it */
		{ "target a router\n", "address" },
		{ "target a 224.0.0.1\n", "address" },
		{ "target a 255.255.255.255\n", "address" },
		{ "target a 0.0.0.0\n", "address" },
		{ "target a ff02::1\n", "address" },
		{ "target a ::\n", "address" },
		{ "target -a 10.0.0.1\n", "line 2" },
		{ "target a/b 10.0.0.1\n", "line 2" },
		{ "target a 10.0.0.1\nself gateway\n", "line 3" },
		{ "self\n", "line 2" },
		{ "self gateway 10.0.0.1\n", "line 2" },
		{ "\n", "line 2" },
		{ "tarGet a 10.0.0.1\n", "line 2" },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct ht_targets t = { .n = 77 };
		struct ht_fault fault = { 0 };
		char text[512];

		snprintf(text, sizeof(text), "%s%s", HT_TARGETS_HEAD, cases[i].lines);
		assert_int_equal(parse(text, &t, &fault), HT_MALFORMED);
		assert_non_null(strstr(fault.text, cases[i].says));
		assert_int_equal(t.n, 77);
	}
	struct ht_targets t;
	assert_int_equal(parse("", &t, NULL), HT_MALFORMED);
	assert_int_equal(parse("hatang-targets 2\n", &t, NULL), HT_MALFORMED);
	assert_int_equal(
	    ht_targets_parse(HT_TARGETS_HEAD "\0", sizeof(HT_TARGETS_HEAD), &t, NULL),
	    HT_MALFORMED);
	assert_ok(parse(HT_TARGETS_HEAD, &t, NULL));
	assert_int_equal(t.n + t.n_self, 0);
	ht_targets_fini(&t);
}

static void put_lines(struct ht_buf *b, size_t n)
{
	ht_buf_puts(b, HT_TARGETS_HEAD);
	for (size_t i = 0; i < n; i++)
		ht_buf_printf(b, "target link-%06zu 10.%zu.%zu.1%s\n", i, i / 256 % 256,
		    i % 256, i ? " link-000000" : "");
}

static void ceilings_hold(void **state)
{
	struct ht_targets t;
	struct ht_buf b;

	ht_buf_init(&b, 2 * HT_TARGETS_BYTES_MAX);
	put_lines(&b, HT_TARGETS_MAX);
	assert_ok(ht_targets_parse(ht_buf_text(&b), b.len, &t, NULL));
	assert_int_equal(t.n, HT_TARGETS_MAX);
	assert_int_equal(t.at[HT_TARGETS_MAX - 1].parents[0], 0);
	ht_targets_fini(&t);
	ht_buf_puts(&b, "target z 10.0.0.1\n");
	assert_int_equal(ht_targets_parse(ht_buf_text(&b), b.len, &t, NULL), HT_TOOLARGE);

	ht_buf_reset(&b);
	ht_buf_puts(&b, HT_TARGETS_HEAD);
	for (size_t i = 0; i <= HT_TARGETS_SELF_MAX; i++)
		ht_buf_puts(&b, "self gateway\n");
	assert_int_equal(ht_targets_parse(ht_buf_text(&b), b.len, &t, NULL), HT_TOOLARGE);

	for (size_t n = HT_TARGET_PARENTS_MAX; n <= HT_TARGET_PARENTS_MAX + 1; n++) {
		ht_buf_reset(&b);
		ht_buf_puts(&b, HT_TARGETS_HEAD);
		for (size_t i = 0; i < n; i++)
			ht_buf_printf(&b, "target p%02zu 10.0.0.1\n", i);
		ht_buf_puts(&b, "target z 10.0.0.2");
		for (size_t i = 0; i < n; i++)
			ht_buf_printf(&b, " p%02zu", i);
		ht_buf_puts(&b, "\n");
		ht_err err = ht_targets_parse(ht_buf_text(&b), b.len, &t, NULL);
		assert_int_equal(err, n > HT_TARGET_PARENTS_MAX ? HT_TOOLARGE : HT_OK);
		if (!err)
			ht_targets_fini(&t);
	}
	ht_buf_fini(&b);
	char *huge = calloc(1, HT_TARGETS_BYTES_MAX + 1);
	assert_int_equal(
	    ht_targets_parse(huge, HT_TARGETS_BYTES_MAX + 1, &t, NULL), HT_TOOLARGE);
	free(huge);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_list_is_read_and_written_again),
		cmocka_unit_test(what_is_wrong_is_refused_with_its_line),
		cmocka_unit_test(ceilings_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
