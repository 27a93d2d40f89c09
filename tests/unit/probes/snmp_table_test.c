#include "unit/test.h"

#include <stdio.h>
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

static void typed(
    struct table *t, uint64_t index, const char *name, uint64_t type, const char *mac)
{
	put(t, index, name);
	struct table_row *r = table_row(t, index);
	table_put_number(r, TABLE_TYPE, type);
	table_put_number(r, TABLE_OPER, 1);
	assert_ok(
	    table_put_text(r, TABLE_PHYS, (const uint8_t *)mac, mac ? strlen(mac) : 0));
}

static void assert_lowers(const struct table *t, uint32_t upper, const char *expect)
{
	char got[64] = "";
	size_t n;
	const struct topology_stack *s = topology_lowers(&t->topology, upper, &n);

	for (size_t i = 0; i < n; i++)
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%u ", s[i].lower);
	assert_string_equal(got, expect);
}

/* What devices do not say of themselves, their names do; what they say comes first. */
static void test_names_say_what_runs_on_what(void **state)
{
	struct table t;

	table_init(&t, 20);
	typed(&t, 1, "Gi0/1", 6, "A");
	typed(&t, 2, "Gi0/1.100", 135, "A");
	typed(&t, 3, "Gi0/1.200", 135, "A");
	typed(&t, 4, "v1.2.3", 6, NULL); /* a dot alone says nothing */
	typed(&t, 5, "Gi0/1.", 6, NULL);
	typed(&t, 10, "bond0", 6, "B");
	typed(&t, 11, "eth0", 6, "B");
	typed(&t, 12, "eth1", 6, "B");
	typed(&t, 13, "eth0.5", 6, "B");
	typed(&t, 14, "br0", 6, "B");
	typed(&t, 15, "eth2", 6, "C");
	topology_put_stack(&t.topology, 3, 15);
	topology_put_stack(&t.topology, 3, 15);
	topology_put_stack(&t.topology, 0, 15);
	table_settle(&t);
	assert_lowers(&t, 1, "");
	assert_lowers(&t, 2, "1 ");
	assert_lowers(&t, 3, "15 ");
	assert_lowers(&t, 4, "");
	assert_lowers(&t, 5, "");
	assert_lowers(&t, 10, "11 12 ");
	assert_lowers(&t, 13, "11 ");
	assert_lowers(&t, 14, "");
	assert_true(topology_is_lower(&t.topology, 11));
	assert_false(topology_is_lower(&t.topology, 10));
	table_fini(&t);
}

static void put_numbered(
    struct table *t, uint64_t first, uint32_t n, const char *name, bool one_address)
{
	char text[32], mac[16];

	for (uint32_t i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "%s%u", name, i);
		snprintf(mac, sizeof(mac), "M%u", one_address ? 0 : i);
		typed(t, first + i, text, 6, mac);
	}
}

/* So many that each with each would take until the time of this program is over. */
static void test_many_bonds(void **state)
{
	enum { MANY = 80000 };

	for (int one_address = 0; one_address < 2; one_address++) {
		struct table t;

		table_init(&t, 2 * MANY);
		put_numbered(&t, 1, MANY, "bond", one_address);
		put_numbered(&t, MANY + 1, MANY, "eth", one_address);
		table_settle(&t);
		assert_int_equal(t.topology.n_stacks, TOPOLOGY_STACKS_MAX);
		assert_int_equal(t.topology.stacks[0].upper, 1);
		assert_int_equal(t.topology.stacks[0].lower, MANY + 1);
		table_fini(&t);
	}
}

static const struct speed_case {
	const char *name;
	uint64_t type;
	int64_t high, low; /* -1: no such cell */
	double expect;
} speeds[] = {
	{ "gigabit", 6, 1000, 1000000000, 1e9 },
	{ "ten gigabit", 6, 10000, UINT32_MAX, 10e9 },
	{ "only ifHighSpeed", 6, 100, -1, 100e6 },
	{ "only ifSpeed", 6, -1, 100000000, 100e6 },
	{ "a slow line rounds to 0", 22, 0, 256000, 256e3 },
	{ "1.544 Mbit/s rounds to 2", 22, 2, 1544000, 1544e3 },
	{ "neither", 6, 0, 0, 0 },
	{ "more than ifSpeed can say, and nothing else", 6, -1, UINT32_MAX, 0 },
	{ "ifHighSpeed in bits a second", 6, 1000000000, 1000000000, 1e9 },
	{ "ifSpeed in Mbit/s", 6, -1, 1000, 0 },
	{ "a tunnel's default is of no line", 131, 0, 9000, 0 },
	{ "they disagree: the wider is meant", 6, 10000, 10000000, 10e9 },
};

static void test_speeds(void **state)
{
	for (size_t i = 0; i < HT_COUNT(speeds); i++) {
		const struct speed_case *c = &speeds[i];
		struct table t;

		table_init(&t, 4);
		typed(&t, 1, "x", c->type, NULL);
		if (c->high >= 0)
			table_put_number(&t.rows[0], TABLE_HIGH_SPEED, (uint64_t)c->high);
		if (c->low >= 0)
			table_put_number(&t.rows[0], TABLE_SPEED, (uint64_t)c->low);
		table_settle(&t);
		if (t.rows[0].speed != c->expect)
			print_error("%s\n", c->name);
		assert_true(t.rows[0].speed == c->expect);
		table_fini(&t);
	}
}

/* A LAG is what its members that are up are together; a tunnel what its port is. */
static void test_speed_of_what_is_below(void **state)
{
	struct table t;

	table_init(&t, 20);
	typed(&t, 1, "Gi1", 6, NULL);
	typed(&t, 2, "Gi2", 6, NULL);
	typed(&t, 3, "Gi3", 6, NULL);
	for (size_t i = 0; i < 3; i++)
		table_put_number(&t.rows[i], TABLE_HIGH_SPEED, 1000);
	table_put_number(table_row(&t, 3), TABLE_OPER, 2);
	typed(&t, 10, "Po1", 161, NULL);
	typed(&t, 11, "Po1.7", 135, NULL);
	typed(&t, 12, "Vlan7", 53, NULL);
	typed(&t, 13, "Tu0", 131, NULL);
	typed(&t, 20, "a", 1, NULL);
	typed(&t, 21, "b", 1, NULL);
	for (uint32_t i = 1; i <= 3; i++) {
		topology_put_stack(&t.topology, 10, i);
		topology_put_stack(&t.topology, 12, i);
	}
	topology_put_stack(&t.topology, 13, 11);
	topology_put_stack(&t.topology, 20, 21); /* on top of each other */
	topology_put_stack(&t.topology, 21, 20);
	table_settle(&t);
	assert_true(table_find(&t, 10)->speed == 2e9);
	assert_true(table_find(&t, 11)->speed == 2e9);
	assert_true(table_find(&t, 12)->speed == 0); /* a bridge */
	assert_true(table_find(&t, 13)->speed == 2e9);
	assert_true(table_find(&t, 20)->speed == 0);
	table_fini(&t);
}

/* LAGs that a device says run each on each: the port below all of them is no one's line,
 * and to find that out takes no longer than to read it. */
static void test_lags_that_run_on_each_other(void **state)
{
	enum { LAGS = 90, PORT = 1000, ABOVE = 2000 };
	struct table t;

	table_init(&t, LAGS + 3);
	for (uint32_t i = 1; i <= LAGS; i++) {
		typed(&t, i, NULL, 161, NULL);
		topology_put_stack(&t.topology, i, PORT);
		for (uint32_t k = 1; k <= LAGS; k++)
			topology_put_stack(&t.topology, i, k);
	}
	typed(&t, PORT, NULL, 6, NULL);
	table_put_number(table_row(&t, PORT), TABLE_HIGH_SPEED, 1000);
	typed(&t, ABOVE, NULL, 161, NULL);
	typed(&t, ABOVE + 1, NULL, 161, NULL);
	topology_put_stack(&t.topology, ABOVE, 1);
	topology_put_stack(&t.topology, ABOVE + 1, PORT);
	table_settle(&t);
	for (uint32_t i = 1; i <= LAGS; i++)
		assert_true(table_find(&t, i)->speed == 0);
	assert_true(table_find(&t, ABOVE)->speed == 0);
	assert_true(table_find(&t, ABOVE + 1)->speed == 1e9);
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
		cmocka_unit_test(test_names_say_what_runs_on_what),
		cmocka_unit_test(test_many_bonds),
		cmocka_unit_test(test_speeds),
		cmocka_unit_test(test_speed_of_what_is_below),
		cmocka_unit_test(test_lags_that_run_on_each_other),
		cmocka_unit_test(test_text_is_made_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
