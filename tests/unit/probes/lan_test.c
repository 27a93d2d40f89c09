/* What lan.arp and lan.passive say when nothing can be measured, and their promises on
 * starting and ending. Real frames are in tests/e2e/test_lan.py. */
#include "unit/test.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit/probes/runner.h"

extern const struct probe_ops probe_lan_arp;
extern const struct probe_ops probe_lan_passive;

static void assert_status(const struct runner *r, const char *instance, const char *begin)
{
	const char *status = runner_string(r, HT_M_LAN_STATUS, instance);

	if (strncmp(status, begin, strlen(begin)) != 0)
		print_error("status is \"%s\"\n", status);
	assert_int_equal(strncmp(status, begin, strlen(begin)), 0);
}

static void test_nothing_declared(void **state)
{
	struct runner *r = runner_new();

	assert_true(runner_run(r, &probe_lan_arp, "lan", "", 5 * HT_NS_PER_S));
	assert_true(r->done);
	assert_status(r, "lan", "no-subnet:");
	assert_true(runner_run(r, &probe_lan_passive, "lan", "", 5 * HT_NS_PER_S));
	assert_true(r->done);
	assert_status(r, "lan", "no-interface:");
	assert_int_equal(r->asked[PROBE_CAPTURE], 0);
	runner_free(r);
}

static void test_subnets_that_cannot_be_scanned(void **state)
{
	struct runner *r = runner_new();
	struct ht_addr subnets[2];
	static const char *const interfaces[] = { "lo" };

	assert_ok(
	    ht_addr_parse("127.0.0.0/24", &subnets[0])); /* attached, not Ethernet */
	assert_ok(ht_addr_parse("fd00:1::/64", &subnets[1]));
	r->site.subnets = subnets;
	r->site.n_subnets = 2;
	r->site.interfaces = interfaces;
	r->site.n_interfaces = 1;
	assert_true(runner_run(r, &probe_lan_arp, "lan", "", 5 * HT_NS_PER_S));
	assert_true(r->done);
	assert_status(r, "127.0.0.0-24", "not-attached:");
	assert_true(runner_number(r, HT_M_LAN_TARGETS, "127.0.0.0-24") == 254);
	assert_status(r, "fd00:1::-64", "unsupported:");
	assert_null(runner_find(r, HT_M_LAN_PROBED, NULL)); /* not measured is not zero */
	assert_int_equal(r->asked[PROBE_CAPTURE], 0);
	runner_free(r);
}

static int no_packet_socket(void *arg, const char *name)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

static void test_passive_without_a_capture(void **state)
{
	static const struct {
		ht_err err;
		const char *status;
	} rows[] = {
		{ HT_DENIED, "denied:" },
		{ HT_NOTFOUND, "no-interface:" },
		{ HT_CLOSED, "error:" },
	};
	static const char *const interfaces[] = { "eth0", "eth1" };
	struct runner *r = runner_new();

	r->site.interfaces = interfaces;
	r->site.n_interfaces = 2;
	for (size_t i = 0; i < HT_COUNT(rows); i++) {
		runner_grant_err(r, PROBE_CAPTURE, rows[i].err);
		assert_true(
		    runner_run(r, &probe_lan_passive, "lan", "", 60 * HT_NS_PER_S));
		assert_true(r->done); /* at once, not at the end of the window */
		assert_status(r, "eth0", rows[i].status);
		assert_status(r, "eth1", rows[i].status);
		assert_null(runner_find(r, HT_M_LAN_FRAMES, NULL));
	}
	runner_grant_fd(r, PROBE_CAPTURE, no_packet_socket, NULL, false);
	assert_true(runner_run(r, &probe_lan_passive, "lan", "", 60 * HT_NS_PER_S));
	assert_true(r->done);
	assert_status(r, "eth0", "unsupported:");
	runner_free(r);
}

/* Cancelled before the monitor answers: no call comes after it (the runner asserts). */
static void test_cancel_while_asking(void **state)
{
	static const char *const interfaces[] = { "eth0" };
	struct runner *r = runner_new();

	r->site.interfaces = interfaces;
	r->site.n_interfaces = 1;
	runner_grant_err(r, PROBE_CAPTURE, HT_DENIED);
	assert_true(runner_start(r, &probe_lan_passive, "lan", "", 60 * HT_NS_PER_S));
	assert_int_equal(r->asked[PROBE_CAPTURE], 1);
	runner_cancel(r);
	assert_false(r->done);
	assert_int_equal(r->n_readings, 0);
	runner_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_declared),
		cmocka_unit_test(test_subnets_that_cannot_be_scanned),
		cmocka_unit_test(test_passive_without_a_capture),
		cmocka_unit_test(test_cancel_while_asking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
