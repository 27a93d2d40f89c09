/* The probe on a real kernel, in a network of its own. */
#include "unit/test.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit/probes/runner.h"
#include "unit/probes/sandbox.h"
#include "unit/probes/stall.h"
#include "unit/probes/stub_server.h"
#include "unit/probes/witness.h"

extern const struct probe_ops probe_tcp;

#define ID       "portal"
#define DEADLINE (8 * HT_NS_PER_S)

static size_t open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* TCP sockets of this network in a state, as /proc/net/tcp writes it. */
static size_t sockets_in(const char *state)
{
	FILE *f = fopen("/proc/net/tcp", "re");
	char line[512], st[8];
	size_t n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		n += sscanf(line, "%*s %*s %*s %7s", st) == 1 && strcmp(st, state) == 0;
	fclose(f);
	return n;
}
#define SYN_SENT    "02"
#define ESTABLISHED "01"

static void run(struct runner *r, const char *target, uint16_t port, const char *more)
{
	char yaml[256];

	snprintf(yaml, sizeof(yaml), "{target: '%s', port: %u%s}", target, port, more);
	assert_true(runner_run(r, &probe_tcp, ID, yaml, DEADLINE));
	assert_true(r->done);
}

/* The same where no other thread opens files. */
static void run_counted(
    struct runner *r, const char *target, uint16_t port, const char *more)
{
	size_t before = open_files();

	run(r, target, port, more);
	assert_int_equal(open_files(), before);
}

static void assert_failed(const struct runner *r, const char *status, const char *target)
{
	assert_string_equal(runner_string(r, HT_M_TCP_STATUS, ID), status);
	assert_null(runner_find(r, HT_M_TCP_CONNECT, NULL));
	if (target)
		assert_string_equal(runner_string(r, HT_M_TCP_TARGET, ID), target);
	else
		assert_null(runner_find(r, HT_M_TCP_TARGET, NULL));
}

/* A listener whose queue is full: the kernel drops further SYNs. */
struct hole {
	int listener, waiting[2];
	uint16_t port;
};

static void hole_open(struct hole *h)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t len = sizeof(at);

	inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
	h->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(h->listener, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(h->listener, 0), 0);
	getsockname(h->listener, (struct sockaddr *)&at, &len);
	h->port = ntohs(at.sin_port);
	for (size_t i = 0; i < 2; i++) {
		h->waiting[i] =
		    socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		(void)connect(h->waiting[i], (struct sockaddr *)&at, len);
	}
}

static void hole_close(struct hole *h)
{
	close(h->waiting[0]);
	close(h->waiting[1]);
	close(h->listener);
}

static void serve_until_closed(struct stub *s, int fd, void *arg)
{
	char byte;
	ssize_t *out = arg;

	*out = recv(fd, &byte, 1, 0); /* 0: FIN; -1: reset */
}

static void test_a_service_is_there(void **state)
{
	struct runner *r = runner_new();
	ssize_t clean = 9, reset = 9;
	struct stub *s = stub_start("127.0.0.1", NULL, serve_until_closed, &clean);
	char want[64];

	run(r, "127.0.0.1", stub_port(s), "");
	stub_free(s);
	snprintf(want, sizeof(want), "127.0.0.1:%u",
	    stub_port(s = stub_start("127.0.0.1", NULL, serve_until_closed, &reset)));
	assert_string_equal(runner_string(r, HT_M_TCP_STATUS, ID), "ok");
	assert_true(runner_number(r, HT_M_TCP_CONNECT, ID) > 0);
	assert_true(runner_number(r, HT_M_TCP_CONNECT, ID) < 1);
	run(r, "127.0.0.1", stub_port(s), ", close: reset");
	stub_free(s);
	assert_string_equal(runner_string(r, HT_M_TCP_TARGET, ID), want);
	assert_string_equal(runner_string(r, HT_M_TCP_STATUS, ID), "ok");
	assert_int_equal(sockets_in(ESTABLISHED), 0);
	runner_free(r);
	assert_int_equal(clean, 0);
	assert_int_equal(reset, -1);
}

static void test_each_failure_has_its_name(void **state)
{
	struct runner *r = runner_new();

	run_counted(r, "127.0.0.1", 9, "");
	assert_failed(r, "refused", "127.0.0.1:9");
	run_counted(r, "192.0.2.1", 9, ""); /* no route leads there */
	assert_failed(r, "unreachable", "192.0.2.1:9");
	run_counted(r, "::1", 9, "");
	assert_failed(r, "refused", "[::1]:9");
	run_counted(r, "127.0.0.1", 9, ", family: ipv6");
	assert_failed(r, "unresolved", NULL);
	/* Whether the C library goes on asking in libuv's pool is its affair: musl does.
	 */
	assert_true(runner_run(r, &probe_tcp, ID,
	    "{target: no-such-name.invalid, port: 9, wait: 300ms}", DEADLINE));
	assert_failed(r, "unresolved", NULL);
	runner_free(r);
}

static void test_silence_is_a_timeout_and_leaves_nothing(void **state)
{
	struct runner *r = runner_new();
	struct witness w;
	struct hole h;
	char want[64];

	hole_open(&h);
	size_t before = sockets_in(SYN_SENT);

	witness_start(&w, &r->loop);
	run_counted(r, "127.0.0.1", h.port, ", wait: 200ms");
	witness_end(&w, &r->loop, 3);
	snprintf(want, sizeof(want), "127.0.0.1:%u", h.port);
	assert_failed(r, "timeout", want);
	assert_int_equal(sockets_in(SYN_SENT), before);
	hole_close(&h);
	runner_free(r);
}

static void test_a_deadline_shortens_the_wait(void **state)
{
	struct runner *r = runner_new();
	struct hole h;
	char yaml[128];

	hole_open(&h);
	snprintf(yaml, sizeof(yaml), "{target: 127.0.0.1, port: %u, wait: 60s}", h.port);
	assert_true(runner_run(r, &probe_tcp, ID, yaml, 400 * HT_NS_PER_MS));
	assert_true(r->done); /* it told before it was cancelled */
	assert_string_equal(runner_string(r, HT_M_TCP_STATUS, ID), "timeout");
	hole_close(&h);
	runner_free(r);
}

static void test_cancel_under_way_closes_all(void **state)
{
	struct runner *r = runner_new();
	struct hole h;
	char yaml[128];

	hole_open(&h);
	size_t files = open_files(), half = sockets_in(SYN_SENT);

	snprintf(yaml, sizeof(yaml), "{target: 127.0.0.1, port: %u}", h.port);
	assert_true(runner_start(r, &probe_tcp, ID, yaml, DEADLINE));
	uv_run(&r->loop, UV_RUN_NOWAIT);
	assert_int_equal(sockets_in(SYN_SENT), half + 1);
	runner_cancel(r);
	assert_false(r->done);
	assert_int_equal(open_files(), files);
	assert_int_equal(sockets_in(SYN_SENT), half);
	hole_close(&h);
	runner_free(r);
}

static void test_all_addresses_of_a_name_are_tried(void **state)
{
	struct runner *r = runner_new();
	ssize_t end;
	struct stub *s = stub_start("127.0.0.1", NULL, serve_until_closed, &end);
	uint16_t port = stub_port(s);
	char want[64];

	snprintf(want, sizeof(want), "127.0.0.1:%u", port);
	run(r, "both.test", port, ""); /* ::1 refuses, or comes last */
	assert_string_equal(runner_string(r, HT_M_TCP_STATUS, ID), "ok");
	assert_string_equal(runner_string(r, HT_M_TCP_TARGET, ID), want);
	run(r, "both.test", port, ", family: ipv6");
	assert_string_equal(runner_string(r, HT_M_TCP_STATUS, ID), "refused");
	stub_free(s);
	/* the one that is nearest to an answer is told */
	run(r, "lost.test", port, "");
	assert_failed(r, "refused", want);
	runner_free(r);
}

static bool connection_seen(void *arg)
{
	int fd = accept4(*(int *)arg, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* The connection is made while we stand still for longer than it is waited for. */
static void test_a_stall_is_no_timeout(void **state)
{
	skip_when_emulated("no TCP_INFO");
	struct runner *r = runner_new();
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct stall s;

	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	getsockname(fd, (struct sockaddr *)&at, &len);
	stall_start(&s, &r->loop, 120, connection_seen, &fd);
	run(r, "127.0.0.1", ntohs(at.sin_port), ", wait: 60ms");
	stall_end(&s, &r->loop);
	assert_string_equal(runner_string(r, HT_M_TCP_STATUS, ID), "ok");
	assert_true(runner_number(r, HT_M_TCP_CONNECT, ID) < 0.06);
	runner_free(r);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_stall_is_no_timeout),
		cmocka_unit_test(test_a_service_is_there),
		cmocka_unit_test(test_each_failure_has_its_name),
		cmocka_unit_test(test_silence_is_a_timeout_and_leaves_nothing),
		cmocka_unit_test(test_a_deadline_shortens_the_wait),
		cmocka_unit_test(test_cancel_under_way_closes_all),
		cmocka_unit_test(test_all_addresses_of_a_name_are_tried),
	};

	if (!sandbox_enter() ||
	    !sandbox_cover("/etc/hosts", "127.0.0.1 localhost\n::1 both.test\n"
					 "127.0.0.1 both.test\n192.0.2.1 lost.test\n"
					 "127.0.0.1 lost.test\n") ||
	    !sandbox_cover("/etc/resolv.conf", "nameserver 127.0.0.1\n"))
		return SANDBOX_NONE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
