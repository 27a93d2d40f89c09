/* The probe on a real kernel, in a network of its own whose only host is ourselves: one
 * hop. Paths of several hops are in tests/e2e/test_path.py, cases of the cores in
 * trace_test.c and path_rules_test.c. */
#include "unit/test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit/probes/runner.h"
#include "unit/probes/sandbox.h"

extern const struct probe_ops probe_path;

#define ID       "office-wan"
#define DEADLINE (8 * HT_NS_PER_S)

static const char *text(const struct runner *r, enum ht_metric m)
{
	return runner_string(r, m, ID);
}

static void put(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, value, strlen(value)), strlen(value));
	close(fd);
}

static size_t open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void test_each_method(void **state)
{
	static const struct {
		const char *yaml, *method, *target;
	} table[] = {
		{ "{target: 127.0.0.1}", "icmp", "127.0.0.1" },
		{ "{target: '::1'}", "icmp", "::1" },
		{ "{target: 127.0.0.1, method: udp}", "udp/33434", "127.0.0.1" },
		{ "{target: '::1', method: udp, port: 4000}", "udp/4000", "::1" },
		{ "{target: 127.0.0.1, method: tcp}", "tcp/443", "127.0.0.1" },
		{ "{target: '::1', method: tcp, port: 9}", "tcp/9", "::1" },
		{ "{target: localhost, family: ipv4, method: udp}", "udp/33434",
		    "127.0.0.1" },
	};
	struct runner *r = runner_new();
	size_t files = 0;

	for (size_t i = 0; i < HT_COUNT(table); i++) {
		assert_true(runner_run(r, &probe_path, ID, table[i].yaml, DEADLINE));
		assert_true(r->done);
		assert_string_equal(text(r, HT_M_PATH_STATUS), "ok");
		assert_string_equal(text(r, HT_M_PATH_METHOD), table[i].method);
		assert_string_equal(text(r, HT_M_PATH_TARGET), table[i].target);
		assert_string_equal(text(r, HT_M_PATH_TRACE), table[i].target);
		assert_string_equal(text(r, HT_M_PATH_NETWORK), "unknown");
		assert_true(runner_number(r, HT_M_PATH_HOPS, ID) == 1);
		if (i == 0)
			files = open_files(); /* the loop's own are open by now */
	}
	assert_int_equal(open_files(), files);
	assert_int_equal(
	    r->asked[PROBE_ICMP4_SOCKET], 1); /* udp and tcp ask for nothing */
	assert_int_equal(r->asked[PROBE_ICMP6_SOCKET], 1);
	runner_free(r);
}

static int bound(int type, uint16_t port)
{
	const struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* Somebody serves the port: he is sent no byte, and is rid of us at once. */
static void test_tcp_service(void **state)
{
	struct runner *r = runner_new();
	int listener = bound(SOCK_STREAM, 4430), peer;
	char byte;

	assert_int_equal(listen(listener, 8), 0);
	assert_true(runner_run(r, &probe_path, ID,
	    "{target: 127.0.0.1, method: tcp, port: 4430}", DEADLINE));
	assert_string_equal(text(r, HT_M_PATH_STATUS), "ok");
	for (int i = 0; i < 2; i++) { /* per_hop */
		peer = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
		assert_true(peer >= 0);
		assert_int_equal(recv(peer, &byte, 1, 0), -1);
		assert_int_equal(errno, ECONNRESET);
		close(peer);
	}
	assert_int_equal(accept4(listener, NULL, NULL, SOCK_NONBLOCK), -1);
	close(listener);
	runner_free(r);
}

static void on_datagram(uv_poll_t *poll, int status, int events)
{
	int fd = *(int *)poll->data;
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	char bytes[64];

	while (recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &len) > 0)
		assert_int_equal(sendto(fd, "?", 1, 0, (struct sockaddr *)&from, len), 1);
}

/* A service that answers datagrams was reached; one that takes them and is silent says
 * nothing, and nothing is told of hops. */
static void test_udp_service(void **state)
{
	static const char yaml[] =
	    "{target: 127.0.0.1, method: udp, port: 4431, wait: 50ms, per_hop: 1}";
	struct runner *r = runner_new();
	int service = bound(SOCK_DGRAM, 4431);
	uv_poll_t poll;

	assert_true(runner_run(r, &probe_path, ID, yaml, DEADLINE));
	assert_string_equal(text(r, HT_M_PATH_STATUS), "timeout");
	assert_string_equal(text(r, HT_M_PATH_TRACE), "* * * * *");
	assert_null(runner_find(r, HT_M_PATH_HOPS, NULL));
	assert_non_null(strstr(text(r, HT_M_PATH_REASON), "5 silent hops in a row"));
	uv_poll_init(&r->loop, &poll, service);
	poll.data = &service;
	uv_poll_start(&poll, UV_READABLE, on_datagram);
	assert_true(runner_run(r, &probe_path, ID, yaml, DEADLINE));
	uv_close((uv_handle_t *)&poll, NULL);
	assert_string_equal(text(r, HT_M_PATH_STATUS), "ok");
	close(service);
	runner_free(r);
}

/* ---- the server's list ---- */

enum { LINKS = 20 };

/* Links l00 … l19, each an address of ourselves, and something that is no link. */
static void make_list(struct ht_targets *list)
{
	char text[2048] = HT_TARGETS_HEAD, line[64];

	for (int i = 0; i < LINKS; i++) {
		snprintf(line, sizeof(line), "target l%02d 127.0.1.%d\n", i, i + 1);
		strncat(text, line, sizeof(text) - strlen(text) - 1);
	}
	strncat(text, "target l99:gateway 127.0.0.1\n", sizeof(text) - strlen(text) - 1);
	assert_ok(ht_targets_parse(text, strlen(text), list, NULL));
}

/* The link of the i-th reading that says a status. */
static const char *nth_status(const struct runner *r, size_t n)
{
	for (size_t i = 0; i < r->n_readings; i++) {
		if (r->readings[i].metric == HT_M_PATH_STATUS && n-- == 0)
			return r->readings[i].instance;
	}
	return NULL;
}

static void test_every_link_of_the_list(void **state)
{
	static const char *const yaml[] = { "{per_hop: 1}", "{method: udp, per_hop: 1}",
		"{method: tcp, per_hop: 1}" };
	struct runner *r = runner_new();
	struct ht_targets list;
	char id[HT_INSTANCE_MAX], address[32];

	make_list(&list);
	r->site.targets = &list;
	for (size_t k = 0; k < HT_COUNT(yaml); k++) {
		int64_t before = ht_mono_ns();

		assert_true(runner_run(r, &probe_path, ID, yaml[k], DEADLINE));
		assert_true(r->done);
		/* a packet each, eight at once, 40 ms apart: also between two links */
		assert_true(ht_mono_ns() - before >= 80 * HT_NS_PER_MS);
		assert_int_equal(runner_count(r, HT_M_PATH_STATUS), LINKS);
		for (int i = 0; i < LINKS; i++) {
			snprintf(id, sizeof(id), "l%02d", i);
			snprintf(address, sizeof(address), "127.0.1.%d", i + 1);
			assert_string_equal(runner_string(r, HT_M_PATH_STATUS, id), "ok");
			assert_string_equal(
			    runner_string(r, HT_M_PATH_TRACE, id), address);
			assert_string_equal(
			    runner_string(r, HT_M_PATH_TARGET, id), address);
		}
	}
	ht_targets_fini(&list);
	runner_free(r);
}

/* One run does not finish: those that it began first are told, however far they came;
 * the others come first in the next. */
static void test_list_goes_on_where_it_stood(void **state)
{
	static const char yaml[] = "{wait: 10s, per_hop: 1}";
	struct runner *r = runner_new();
	struct ht_targets list;

	make_list(&list);
	r->site.targets = &list;
	put("/proc/sys/net/ipv4/icmp_echo_ignore_all", "1");
	for (int k = 0; k < 3; k++) {
		static const char *const first[] = { "l00", "l08", "l16" };
		static const char *const last[] = { "l07", "l15", "l03" };
		size_t n;

		assert_true(runner_run(r, &probe_path, ID, yaml, 300 * HT_NS_PER_MS));
		assert_true(r->done);
		n = runner_count(r, HT_M_PATH_STATUS);
		assert_int_equal(n, 8);
		assert_non_null(runner_find(r, HT_M_PATH_STATUS, first[k]));
		assert_non_null(runner_find(r, HT_M_PATH_STATUS, last[k]));
		assert_string_equal(
		    runner_string(r, HT_M_PATH_STATUS, nth_status(r, 0)), "timeout");
	}
	put("/proc/sys/net/ipv4/icmp_echo_ignore_all", "0");
	/* All done in one run: the next begins with the first again. */
	assert_true(runner_run(r, &probe_path, ID, "{per_hop: 1}", DEADLINE));
	assert_int_equal(runner_count(r, HT_M_PATH_STATUS), LINKS);
	assert_true(runner_run(r, &probe_path, ID, "{per_hop: 1}", DEADLINE));
	assert_int_equal(runner_count(r, HT_M_PATH_STATUS), LINKS);
	ht_targets_fini(&list);
	runner_free(r);
}

static void test_no_target_at_all(void **state)
{
	struct runner *r = runner_new();

	assert_true(runner_run(r, &probe_path, ID, "{}", DEADLINE));
	assert_true(r->done);
	assert_string_equal(text(r, HT_M_PATH_STATUS), "error");
	assert_non_null(strstr(text(r, HT_M_PATH_REASON), "no `target` is named"));
	runner_free(r);
}

static void test_deadline(void **state)
{
	struct runner *r = runner_new();

	put("/proc/sys/net/ipv4/icmp_echo_ignore_all", "1");
	assert_true(runner_run(
	    r, &probe_path, ID, "{target: 127.0.0.1, wait: 5s}", 400 * HT_NS_PER_MS));
	assert_true(r->done);
	assert_string_equal(text(r, HT_M_PATH_STATUS), "timeout");
	assert_null(runner_find(r, HT_M_PATH_TRACE, NULL)); /* no hop is decided */
	assert_non_null(
	    strstr(text(r, HT_M_PATH_REASON), "was cut by the probe's timeout at hop 1"));
	put("/proc/sys/net/ipv4/icmp_echo_ignore_all", "0");
	runner_free(r);
}

static void test_troubles_are_readings(void **state)
{
	struct runner *r = runner_new();

	for (size_t i = 0; i < 3; i++) {
		static const char *const yaml[] = { "{target: 192.0.2.1}",
			"{target: '2001:db8::1', method: udp}",
			"{target: 192.0.2.1, method: tcp}" };

		assert_true(runner_run(r, &probe_path, ID, yaml[i], DEADLINE));
		assert_string_equal(text(r, HT_M_PATH_STATUS), "unreachable");
		assert_string_equal(text(r, HT_M_PATH_NETWORK), "unknown");
		assert_non_null(strstr(text(r, HT_M_PATH_REASON), strerror(ENETUNREACH)));
		assert_null(runner_find(r, HT_M_PATH_TRACE, NULL));
	}
	runner_grant_err(r, PROBE_ICMP4_SOCKET, HT_DENIED);
	assert_true(runner_run(r, &probe_path, ID, "{target: 127.0.0.1}", DEADLINE));
	assert_string_equal(text(r, HT_M_PATH_STATUS), "denied");
	assert_non_null(strstr(text(r, HT_M_PATH_REASON), "udp and tcp need no rights"));
	runner_grant_err(r, PROBE_ICMP4_SOCKET, HT_IO);
	assert_true(runner_run(r, &probe_path, ID, "{target: 127.0.0.1}", DEADLINE));
	assert_string_equal(text(r, HT_M_PATH_STATUS), "error");
	runner_free(r);
}

static void test_dead_name_server(void **state)
{
	struct runner *r = runner_new();
	int silent = bound(SOCK_DGRAM, 53);

	if (!sandbox_cover("/etc/resolv.conf",
		"nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"))
		skip();
	assert_true(runner_run(
	    r, &probe_path, ID, "{target: core.example.net}", 400 * HT_NS_PER_MS));
	assert_true(r->done);
	assert_string_equal(text(r, HT_M_PATH_STATUS), "unresolved");
	assert_string_equal(text(r, HT_M_PATH_REASON), "no name server answered in time");
	assert_null(runner_find(r, HT_M_PATH_TARGET, NULL));
	runner_free(r);
	close(silent);
}

static void test_cancel_in_every_step(void **state)
{
	static const char *const yaml[] = { "{target: 127.0.0.1}",
		"{target: localhost, method: udp}", "{target: 127.0.0.1, method: tcp}",
		"{target: 192.0.2.1}", "{}", "{method: tcp}" };
	struct runner *r = runner_new();
	struct ht_targets list;
	size_t files = 0;

	make_list(&list);
	r->site.targets = &list;
	for (size_t i = 0; i < HT_COUNT(yaml); i++) {
		for (size_t turns = 0; turns < 6; turns++) {
			assert_true(runner_start(r, &probe_path, ID, yaml[i], DEADLINE));
			for (size_t t = 0; t < turns && !r->done; t++)
				uv_run(&r->loop, UV_RUN_NOWAIT);
			runner_cancel(r);
			if (!files)
				files = open_files();
		}
	}
	assert_int_equal(open_files(), files);
	ht_targets_fini(&list);
	runner_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_method),
		cmocka_unit_test(test_tcp_service),
		cmocka_unit_test(test_udp_service),
		cmocka_unit_test(test_every_link_of_the_list),
		cmocka_unit_test(test_list_goes_on_where_it_stood),
		cmocka_unit_test(test_no_target_at_all),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_troubles_are_readings),
		cmocka_unit_test(test_cancel_in_every_step),
		cmocka_unit_test(test_dead_name_server),
	};

	if (!sandbox_enter())
		return SANDBOX_NONE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
