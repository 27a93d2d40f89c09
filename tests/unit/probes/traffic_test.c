#include "unit/test.h"

#include "probes/wan/throughput/traffic.h"

#include <stdio.h>
#include <string.h>

#define HEAD                                                                             \
	"Inter-|   Receive                                                |  Transmit\n" \
	" face |bytes    packets errs drop fifo frame compressed multicast|bytes    "    \
	"packets errs drop fifo colls carrier compressed\n"
#define S INT64_C(1000000000)

static void test_busiest(void **state)
{
	struct traffic a, b;

	traffic_read(HEAD "    lo: 9000000 1 0 0 0 0 0 0 9000000 1 0 0 0 0 0 0\n"
			  "  eth0:1000 1 0 0 0 0 0 0 2000 1 0 0 0 0 0 0\n"
			  "br0: 5 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0\n",
	    &a);
	assert_int_equal(a.n, 2);
	assert_string_equal(a.at[0].name, "eth0");
	assert_true(a.at[0].in == 1000 && a.at[0].out == 2000);
	/* One appeared, one counter began anew, the loopback is nobody's uplink. */
	traffic_read(HEAD "    lo: 999000000 1 0 0 0 0 0 0 999000000 1 0 0 0 0 0 0\n"
			  "  wg0: 7777777 1 0 0 0 0 0 0 7777777 1 0 0 0 0 0 0\n"
			  "  eth0: 501000 1 0 0 0 0 0 0 1252000 1 0 0 0 0 0 0\n"
			  "br0: 500005 1 0 0 0 0 0 0 3 1 0 0 0 0 0 0\n",
	    &b);
	assert_true(traffic_between(&a, &b, 2 * S) == 1250000 * 8 / 2);
	assert_true(traffic_between(&a, &b, 0) == 0);
	assert_true(traffic_between(&b, &b, S) == 0);
}

static void test_garbage(void **state)
{
	struct traffic t;
	char many[8192] = "";

	traffic_read("", &t);
	assert_int_equal(t.n, 0);
	traffic_read("no such file\n\n:::\n eth0: x\n eth0: 1 2 3\n", &t);
	assert_int_equal(t.n, 0);
	for (int i = 0; i < 100; i++)
		snprintf(many + strlen(many), sizeof(many) - strlen(many),
		    "e%d: 1 0 0 0 0 0 0 0 2 0 0 0 0 0 0 0\n", i);
	traffic_read(many, &t);
	assert_int_equal(t.n, TRAFFIC_INTERFACES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_busiest),
		cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
