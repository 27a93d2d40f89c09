#include "unit/test.h"

#include <string.h>

#include "probes/lan/local.h"

static const char routes4[] =
    "Iface\tDestination\tGateway "
    "\tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    "eth1\t00000000\t010AA8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
    "ppp0\t00000000\t00000000\t0001\t0\t0\t50\t00000000\t0\t0\t0\n"
    "eth0\t00000000\t0102000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
    "eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    "garbage\n"
    "eth9\t00000000\tzz\n";

static const char routes6[] =
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
    "fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n"
    "fd000000000000000000000000000000 40 00000000000000000000000000000000 00 "
    "00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth0\n"
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
    "00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n";

static void test_default_routes(void **state)
{
	static struct local l;
	char text[HT_ADDR_TEXT];

	local_routes4(routes4, sizeof(routes4) - 1, &l);
	local_routes6(routes6, sizeof(routes6) - 1, &l);
	assert_int_equal(l.n_gateways, 4);
	ht_addr_format(&local_gateway(&l, AF_INET, NULL)->addr, text);
	assert_string_equal(text, "10.0.2.1");
	ht_addr_format(&local_gateway(&l, AF_INET, "eth1")->addr, text);
	assert_string_equal(text, "192.168.10.1");
	assert_null(local_gateway(&l, AF_INET, "ppp0")); /* a route without gateway */
	assert_string_equal(local_gateway(&l, AF_UNSPEC, NULL)->interface, "ppp0");
	ht_addr_format(&local_gateway(&l, AF_INET6, NULL)->addr, text);
	assert_string_equal(text, "fe80::1");
}

static void test_many_routes_are_refused(void **state)
{
	static struct local l;

	for (size_t i = 0; i < 10; i++)
		local_routes4(routes4, sizeof(routes4) - 1, &l);
	assert_int_equal(l.n_gateways, LOCAL_GATEWAYS_MAX);
	assert_int_equal(l.refused, 30 - LOCAL_GATEWAYS_MAX);
}

static void test_attached_part(void **state)
{
	static const struct {
		const char *declared, *own, *part;
	} rows[] = {
		{ "192.168.10.0/24", "192.168.10.5/24", "192.168.10.0/24" },
		{ "192.168.10.77/24", "192.168.10.5/24", "192.168.10.0/24" },
		{ "192.168.0.0/16", "192.168.10.5/24", "192.168.10.0/24" },
		{ "192.168.10.128/25", "192.168.10.5/24", "192.168.10.128/25" },
		{ "192.168.10.7/32", "192.168.10.5/24", "192.168.10.7" },
		{ "192.168.10.4/31", "192.168.10.5/31", "192.168.10.4/31" },
		{ "192.168.11.0/24", "192.168.10.5/24", NULL },
		{ "fd00::/64", "fd00::5/64", NULL },
		{ "192.168.10.0/24", "fd00::5/64", NULL },
	};

	for (size_t i = 0; i < HT_COUNT(rows); i++) {
		struct ht_addr declared, own, part;
		char text[HT_ADDR_TEXT];

		assert_ok(ht_addr_parse(rows[i].declared, &declared));
		assert_ok(ht_addr_parse(rows[i].own, &own));
		bool found = local_attached_part(&declared, &own, &part);
		assert_int_equal(found, rows[i].part != NULL);
		if (!found)
			continue;
		ht_addr_format(&part, text);
		assert_string_equal(text, rows[i].part);
	}
}

static void test_this_machine(void **state)
{
	static struct local l;

	assert_ok(local_read(&l));
	const struct local_if *lo = local_find(&l, "lo");
	assert_non_null(lo);
	assert_true(lo->loopback);
	assert_false(lo->ether);
	assert_null(local_find(&l, "no-such-one"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_routes),
		cmocka_unit_test(test_many_routes_are_refused),
		cmocka_unit_test(test_attached_part),
		cmocka_unit_test(test_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
