/* Cells of the tables that say how interfaces lie in the network, as devices send them.
 */
#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/snmp/mib_topology.h"

enum { PARTS = 64 };

/* "20.1.2.10.0.0.1" below 1.3.6.1.2.1.4, or a whole name with a dot before it. */
static size_t parse(const char *text, session_subid out[static PARTS])
{
	static const session_subid ip[] = { 1, 3, 6, 1, 2, 1, 4 };
	size_t n = 0;
	char *end;

	if (*text != '.') {
		memcpy(out, ip, sizeof(ip));
		n = HT_COUNT(ip);
	} else {
		text++;
	}
	for (; *text && n < PARTS; text = *end ? end + 1 : end)
		out[n++] = strtoul(text, &end, 10);
	return n;
}

/* As the walk would: to the column whose name begins it, if any. */
static bool put(struct table *t, const char *name, const struct session_value *v)
{
	session_subid oid[PARTS];
	size_t n = parse(name, oid);

	for (size_t i = 0; i < MIB_TOPOLOGY_COLUMNS; i++) {
		const struct mib_column *c = &mib_topology_columns[i];

		if (n <= c->oid_len ||
		    memcmp(c->oid, oid, c->oid_len * sizeof(oid[0])) != 0)
			continue;
		const struct session_oid index = { oid + c->oid_len, n - c->oid_len };
		assert_true(mib_topology_cell(t, c, &index, v, 1));
		return true;
	}
	return false;
}

static void put_int(struct table *t, const char *name, int64_t number)
{
	const struct session_value v = { .type = SESSION_INTEGER, .integer = number };

	(void)put(t, name, &v);
}

static void put_oid(struct table *t, const char *name, const char *value)
{
	session_subid oid[PARTS];
	const struct session_value v = { .type = SESSION_OID,
		.oid = { oid, parse(value, oid) } };

	(void)put(t, name, &v);
}

static void put_ip(struct table *t, const char *name, const char *bytes)
{
	const struct session_value v = {
		.type = SESSION_OCTETS, .bytes = (const uint8_t *)bytes, .len = 4
	};

	(void)put(t, name, &v);
}

static void assert_address(
    const struct table *t, size_t i, uint32_t index, const char *expect)
{
	char text[HT_ADDR_TEXT];

	assert_true(i < t->topology.n_addresses);
	ht_addr_format(&t->topology.addresses[i].addr, text);
	assert_string_equal(text, expect);
	assert_int_equal(t->topology.addresses[i].index, index);
}

static void test_addresses_of_both_tables(void **state)
{
	struct table t;

	table_init(&t, 10);
	put_int(&t, "20.1.2.10.0.0.1", 3);
	put_ip(&t, "20.1.3.10.0.0.1", "\xff\xff\xff\x00");
	put_int(&t, "20.1.2.10.0.1.1", 4);
	put_ip(&t, "20.1.3.10.0.1.1", "\xff\x00\xff\x00"); /* a mask with a hole */
	put_int(&t, "20.1.2.0.0.0.0", 9);
	put_int(&t, "20.1.2.10.0.0", 9);
	put_int(&t, "20.1.2.10.0.0.999", 9);
	put_int(&t, "34.1.3.1.4.10.0.0.1", 3); /* the same again */
	put_int(&t, "34.1.3.2.16.253.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1", 5);
	put_oid(&t, "34.1.5.2.16.253.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1",
	    "32.1.5.5.2.16.253.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.64");
	put_int(&t, "34.1.3.4.20.254.128.0.0.0.0.0.0.0.0.0.0.0.0.0.2.0.0.0.7", 7);
	put_oid(&t, "34.1.5.1.4.10.0.1.1", ".0.0"); /* zeroDotZero: not known */
	put_int(&t, "34.1.3.1.200.1.1", 7);
	assert_int_equal(t.topology.n_addresses, 4);
	assert_address(&t, 0, 3, "10.0.0.1/24");
	assert_address(&t, 1, 4, "10.0.1.1");
	assert_address(&t, 2, 5, "fd00::1/64");
	assert_address(&t, 3, 7, "fe80::2");
	table_fini(&t);
}

static void test_stacks(void **state)
{
	struct table t;
	size_t n;

	table_init(&t, 10);
	put_int(&t, ".1.3.6.1.2.1.31.1.2.1.3.10.1", 1);
	put_int(&t, ".1.3.6.1.2.1.31.1.2.1.3.10.2", 1);
	put_int(&t, ".1.3.6.1.2.1.31.1.2.1.3.10.3", 2); /* notInService */
	put_int(&t, ".1.3.6.1.2.1.31.1.2.1.3.0.10", 1);
	put_int(&t, ".1.3.6.1.2.1.31.1.2.1.3.1.0", 1);
	put_int(&t, ".1.3.6.1.2.1.31.1.2.1.3.1", 1);
	put_int(&t, ".1.2.840.10006.300.43.1.2.1.1.13.5", 20); /* port 5 is of LAG 20 */
	put_int(&t, ".1.2.840.10006.300.43.1.2.1.1.13.6", 0);  /* of none */
	topology_settle(&t.topology);
	assert_int_equal(t.topology.n_stacks, 3);
	assert_int_equal(topology_lowers(&t.topology, 10, &n)->lower, 1);
	assert_int_equal(n, 2);
	assert_int_equal(topology_lowers(&t.topology, 20, &n)->lower, 5);
	assert_null(topology_lowers(&t.topology, 1, &n));
	assert_int_equal(n, 0);
	table_fini(&t);
}

struct cells {
	const char *name;
	int64_t number;
};

static const struct {
	const char *name;
	struct cells cells[8];
	uint32_t leaves[3]; /* 0 ends */
} routes[] = {
	{ "inetCidrRouteTable, as snmpd has it",
	    { { "24.7.1.7.1.4.0.0.0.0.0.2.0.0.1.4.192.168.0.1", 2 },
		{ "24.7.1.12.1.4.0.0.0.0.0.2.0.0.1.4.192.168.0.1", 100 } },
	    { 2 } },
	{ "the same with a policy of one part",
	    { { "24.7.1.7.1.4.0.0.0.0.0.1.0.1.4.192.168.0.1", 2 } }, { 2 } },
	{ "the better metric, of either order",
	    { { "24.7.1.7.1.4.0.0.0.0.0.2.0.0.1.4.10.0.0.9", 4 },
		{ "24.7.1.7.1.4.0.0.0.0.0.2.0.0.1.4.10.1.0.9", 5 },
		{ "24.7.1.12.1.4.0.0.0.0.0.2.0.0.1.4.10.0.0.9", 200 },
		{ "24.7.1.12.1.4.0.0.0.0.0.2.0.0.1.4.10.1.0.9", 10 } },
	    { 5 } },
	{ "equal metrics: both",
	    { { "24.4.1.5.0.0.0.0.0.0.0.0.0.10.0.0.9", 4 },
		{ "24.4.1.5.0.0.0.0.0.0.0.0.0.10.1.0.9", 5 },
		{ "24.4.1.11.0.0.0.0.0.0.0.0.0.10.0.0.9", 1 },
		{ "24.4.1.11.0.0.0.0.0.0.0.0.0.10.1.0.9", 1 } },
	    { 4, 5 } },
	{ "a reject route leads nowhere",
	    { { "24.4.1.5.0.0.0.0.0.0.0.0.0.0.0.0.0", 9 },
		{ "24.4.1.6.0.0.0.0.0.0.0.0.0.0.0.0.0", 2 } },
	    { 0 } },
	{ "without ifIndex: where the gateway is",
	    { { "24.4.1.5.0.0.0.0.0.0.0.0.0.10.1.0.9", 0 } }, { 5 } },
	{ "… which may be nowhere", { { "24.4.1.5.0.0.0.0.0.0.0.0.0.10.9.0.9", 0 } },
	    { 0 } },
	{ "the oldest table", { { "21.1.2.0.0.0.0", 65539 }, { "21.1.3.0.0.0.0", 1 } },
	    { 65539 } },
	{ "its other rows are none",
	    { { "21.1.2.0.0.0.7", 3 }, { "21.1.2.10.0.0.0", 3 } }, { 0 } },
	{ "other destinations are none",
	    { { "24.4.1.5.10.0.0.0.255.0.0.0.0.10.0.0.9", 4 },
		{ "24.7.1.7.1.4.10.0.0.0.8.2.0.0.1.4.10.0.0.9", 4 } },
	    { 0 } },
	{ "half a name, and wrong numbers",
	    { { "24.7.1.7.1.4.0.0.0.0.0.200", 4 }, { "24.7.1.7.1.4.0.0.0.0.0.2", -1 },
		{ "24.4.1.5.0.0.0.0.0.0.0.0.0", -7 } },
	    { 4 } },
};

static void test_default_routes(void **state)
{
	for (size_t i = 0; i < HT_COUNT(routes); i++) {
		struct table t;
		size_t n = 0;

		print_message("  %s\n", routes[i].name);
		table_init(&t, 10);
		put_int(&t, "20.1.2.10.0.0.1", 4);
		put_ip(&t, "20.1.3.10.0.0.1", "\xff\xff\x00\x00");
		put_int(&t, "20.1.2.10.1.0.1", 5);
		put_ip(&t, "20.1.3.10.1.0.1", "\xff\xff\xff\x00");
		for (size_t k = 0; k < 8 && routes[i].cells[k].name; k++)
			put_int(&t, routes[i].cells[k].name, routes[i].cells[k].number);
		topology_settle(&t.topology);
		for (; n < 3 && routes[i].leaves[n]; n++)
			assert_true(
			    topology_default_route(&t.topology, routes[i].leaves[n]));
		assert_int_equal(t.topology.n_routes, n);
		table_fini(&t);
	}
}

/* A table that never ends costs what its ceiling costs. */
static void test_ceilings(void **state)
{
	struct table t;
	char name[64];

	table_init(&t, 10);
	for (uint32_t i = 1; i <= 3000; i++) {
		snprintf(name, sizeof(name), "20.1.2.10.0.%u.%u", i / 250, i % 250 + 1);
		put_int(&t, name, 1);
		snprintf(name, sizeof(name), "24.4.1.5.0.0.0.0.0.0.0.0.0.10.0.%u.%u",
		    i / 250, i % 250 + 1);
		put_int(&t, name, 1);
		for (uint32_t k = 1; k <= 5; k++)
			topology_put_stack(&t.topology, i, 10000 + k);
	}
	assert_int_equal(t.topology.n_addresses, TOPOLOGY_ADDRESSES_MAX);
	assert_int_equal(t.topology.n_routes, TOPOLOGY_ROUTES_MAX);
	assert_int_equal(t.topology.n_stacks, TOPOLOGY_STACKS_MAX);
	topology_settle(&t.topology);
	table_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses_of_both_tables),
		cmocka_unit_test(test_stacks),
		cmocka_unit_test(test_default_routes),
		cmocka_unit_test(test_ceilings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
