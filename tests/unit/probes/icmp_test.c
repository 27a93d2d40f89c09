/* The probe on a real kernel, in a network of its own whose only host is ourselves. */
#include "unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hist.h"
#include "probes/wan/ping/icmp_packet.h"
#include "unit/probes/runner.h"
#include "unit/probes/sandbox.h"
#include "unit/probes/stall.h"

extern const struct probe_ops probe_icmp;

#define ID       "office-wan"
#define DEADLINE (8 * HT_NS_PER_S)

/* Whether this kernel, which is also the target, answers pings. */
static void set_answers(bool answers)
{
	int fd = open("/proc/sys/net/ipv4/icmp_echo_ignore_all", O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, answers ? "0" : "1", 1), 1);
	close(fd);
}

static void assert_no_rtt(const struct runner *r)
{
	assert_null(runner_find(r, HT_M_ICMP_RTT_MIN, NULL));
	assert_null(runner_find(r, HT_M_ICMP_RTT_AVG, NULL));
	assert_null(runner_find(r, HT_M_ICMP_RTT_MAX, NULL));
	assert_null(runner_find(r, HT_M_ICMP_JITTER, NULL));
}

static void assert_answered(const struct runner *r, const char *target, double count)
{
	double min = runner_number(r, HT_M_ICMP_RTT_MIN, ID);
	double avg = runner_number(r, HT_M_ICMP_RTT_AVG, ID);
	double max = runner_number(r, HT_M_ICMP_RTT_MAX, ID);

	assert_true(r->done);
	assert_string_equal(runner_string(r, HT_M_ICMP_STATUS, ID), "ok");
	assert_string_equal(runner_string(r, HT_M_ICMP_TARGET, ID), target);
	assert_true(runner_number(r, HT_M_ICMP_SENT, ID) == count);
	assert_true(runner_number(r, HT_M_ICMP_RECEIVED, ID) == count);
	assert_true(runner_number(r, HT_M_ICMP_LOSS, ID) == 0);
	assert_true(runner_number(r, HT_M_ICMP_DUPLICATES, ID) == 0);
	assert_null(runner_find(r, HT_M_ICMP_REASON, ID));
	assert_true(runner_number(r, HT_M_ICMP_RTT_P50, ID) >= min);
	assert_true(runner_number(r, HT_M_ICMP_RTT_P95, ID) <= max);
	struct ht_hist h;
	const char *text = runner_string(r, HT_M_ICMP_RTT_HISTOGRAM, ID);
	assert_ok(ht_hist_decode(text, strlen(text), &h));
	assert_true((double)ht_hist_count(&h) == count);
	assert_true(min > 0 && min <= avg && avg <= max && max < 2);
	assert_true(runner_number(r, HT_M_ICMP_JITTER, ID) >= 0);
}

static void test_answering_targets(void **state)
{
	struct runner *r = runner_new();

	assert_true(runner_run(
	    r, &probe_icmp, ID, "{target: 127.0.0.1, spacing: 10ms}", DEADLINE));
	assert_answered(r, "127.0.0.1", 5);
	assert_int_equal(r->asked[PROBE_ICMP4_SOCKET], 1);
	assert_true(runner_run(r, &probe_icmp, ID,
	    "{target: '::1', spacing: 10ms, count: 3, size: 1400}", DEADLINE));
	assert_answered(r, "::1", 3);
	assert_true(runner_run(r, &probe_icmp, ID,
	    "{target: localhost, family: ipv4, spacing: 10ms}", DEADLINE));
	assert_answered(r, "127.0.0.1", 5);
	runner_free(r);
}

/* The same on a datagram socket, which Debian's kernel denies to everyone at first. */
static void test_datagram_socket(void **state)
{
	struct runner *r = runner_new();
	int fd = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY | O_CLOEXEC);

	assert_int_equal(write(fd, "0 0", 3), 3);
	assert_true(runner_run(
	    r, &probe_icmp, ID, "{target: 127.0.0.1, spacing: 10ms}", DEADLINE));
	assert_answered(r, "127.0.0.1", 5);
	assert_false(r->raw);
	assert_true(
	    runner_run(r, &probe_icmp, ID, "{target: '::1', spacing: 10ms}", DEADLINE));
	assert_answered(r, "::1", 5);
	assert_false(r->raw);
	assert_int_equal(pwrite(fd, "1 0", 3, 0), 3);
	close(fd);
	runner_free(r);
}

/* Unknown is not zero: nothing received, no round-trip times. */
static void test_silent_target(void **state)
{
	struct runner *r = runner_new();

	set_answers(false);
	assert_true(runner_run(r, &probe_icmp, ID,
	    "{target: 127.0.0.1, spacing: 10ms, wait: 200ms}", DEADLINE));
	assert_true(r->done);
	assert_string_equal(runner_string(r, HT_M_ICMP_STATUS, ID), "timeout");
	assert_true(runner_number(r, HT_M_ICMP_SENT, ID) == 5);
	assert_true(runner_number(r, HT_M_ICMP_RECEIVED, ID) == 0);
	assert_true(runner_number(r, HT_M_ICMP_LOSS, ID) == 1);
	assert_no_rtt(r);
	set_answers(true);
	runner_free(r);
}

static bool ping_seen(void *arg)
{
	char byte;

	return recv(*(int *)arg, &byte, 1, MSG_DONTWAIT) > 0;
}

/* The reply lies in the socket while we stand still for longer than it is waited for. */
static void test_a_stall_is_no_loss(void **state)
{
	skip_when_emulated("no receive times of 64 bits");
	struct runner *r = runner_new();
	struct stall s;
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);

	assert_true(fd >= 0);
	stall_start(&s, &r->loop, 120, ping_seen, &fd);
	assert_true(runner_run(
	    r, &probe_icmp, ID, "{target: 127.0.0.1, count: 1, wait: 60ms}", DEADLINE));
	stall_end(&s, &r->loop);
	assert_string_equal(runner_string(r, HT_M_ICMP_STATUS, ID), "ok");
	assert_float_equal(runner_number(r, HT_M_ICMP_LOSS, ID), 0, 0);
	assert_true(runner_number(r, HT_M_ICMP_RTT_MAX, ID) < 0.06);
	runner_free(r);
	close(fd);
}

/* The deadline comes before the pings' time is over: it reports, and invents no loss. */
static void test_deadline_cuts_the_round(void **state)
{
	struct runner *r = runner_new();

	set_answers(false);
	assert_true(runner_run(r, &probe_icmp, ID, "{target: 127.0.0.1, spacing: 300ms}",
	    900 * HT_NS_PER_MS));
	assert_true(r->done);
	assert_string_equal(runner_string(r, HT_M_ICMP_STATUS, ID), "timeout");
	assert_null(runner_find(r, HT_M_ICMP_LOSS, NULL));
	set_answers(true);
	runner_free(r);
}

/* An interval of two seconds with the usual wait of two: a dead target is a loss still.
 */
static void test_deadline_of_the_wait(void **state)
{
	struct runner *r = runner_new();

	set_answers(false);
	assert_true(runner_run(r, &probe_icmp, ID,
	    "{target: 127.0.0.1, count: 3, spacing: 10ms, wait: 1s}",
	    900 * HT_NS_PER_MS));
	assert_string_equal(runner_string(r, HT_M_ICMP_STATUS, ID), "timeout");
	assert_float_equal(runner_number(r, HT_M_ICMP_SENT, ID), 3, 0);
	assert_float_equal(runner_number(r, HT_M_ICMP_LOSS, ID), 1, 0);
	set_answers(true);
	runner_free(r);
}

static void test_troubles_are_readings(void **state)
{
	struct runner *r = runner_new();

	assert_true(runner_run(
	    r, &probe_icmp, ID, "{target: 192.0.2.1, spacing: 10ms}", DEADLINE));
	assert_string_equal(runner_string(r, HT_M_ICMP_STATUS, ID), "unreachable");
	assert_no_rtt(r);
	assert_true(runner_run(r, &probe_icmp, ID, "{target: '2001:db8::1'}", DEADLINE));
	assert_string_equal(runner_string(r, HT_M_ICMP_STATUS, ID), "unreachable");
	runner_grant_err(r, PROBE_ICMP4_SOCKET, HT_DENIED);
	assert_true(runner_run(r, &probe_icmp, ID, "{target: 127.0.0.1}", DEADLINE));
	assert_string_equal(runner_string(r, HT_M_ICMP_STATUS, ID), "denied");
	assert_null(runner_find(r, HT_M_ICMP_SENT, NULL));
	runner_grant_err(r, PROBE_ICMP4_SOCKET, HT_IO);
	assert_true(runner_run(r, &probe_icmp, ID, "{target: 127.0.0.1}", DEADLINE));
	assert_string_equal(runner_string(r, HT_M_ICMP_STATUS, ID), "error");
	runner_free(r);
}

struct ticker {
	uv_timer_t timer;
	uint64_t last_ns, longest_ns, n;
};

static void on_tick(uv_timer_t *timer)
{
	struct ticker *t = timer->data;
	uint64_t now = uv_hrtime();

	if (t->last_ns && now - t->last_ns > t->longest_ns)
		t->longest_ns = now - t->last_ns;
	t->last_ns = now;
	t->n++;
}

/* A name server that says nothing: the lookup hangs, the loop does not. */
static void test_dead_name_server(void **state)
{
	struct runner *r = runner_new();
	struct ticker t = { 0 };
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons(53),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int silent = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(silent, (struct sockaddr *)&at, sizeof(at)), 0);
	if (!sandbox_cover("/etc/resolv.conf",
		"nameserver 127.0.0.1\noptions timeout:1 attempts:2\n"))
		skip();
	uv_timer_init(&r->loop, &t.timer);
	t.timer.data = &t;
	uv_timer_start(&t.timer, on_tick, 0, 10);
	int64_t before = ht_mono_ns();
	assert_true(
	    runner_run(r, &probe_icmp, ID, "{target: router.example.net}", HT_NS_PER_S));
	assert_true(
	    ht_mono_ns() - before < 3 * HT_NS_PER_S); /* and cancel waits for nothing */
	uv_close((uv_handle_t *)&t.timer, NULL);
	assert_true(r->done);
	assert_string_equal(runner_string(r, HT_M_ICMP_STATUS, ID), "unresolved");
	assert_int_equal(r->n_readings, 2); /* no figures */
	assert_string_equal(runner_string(r, HT_M_ICMP_REASON, ID),
	    "no name server has answered for the target's name in time");
	assert_true(t.n > 20);
	assert_true(t.longest_ns < 500000000);
	runner_free(r);
	close(silent);
}

/* ---- replies that are not the target's ---- */

struct forger {
	uv_poll_t poll;
	int fd;
	int other; /* says it in another host's name; 0: fd does */
	size_t requests, kept_len;
	uint8_t kept[ICMP_PACKET_MAX]; /* a request to be answered later */
};

static void reply(
    const struct forger *f, const uint8_t *request, size_t len, unsigned flip)
{
	const struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	uint8_t packet[ICMP_PACKET_MAX];

	memcpy(packet, request, len);
	packet[0] = 0;
	packet[2] = packet[3] = 0;
	packet[ICMP_HEAD] ^= (uint8_t)flip; /* in the cookie */
	uint16_t sum = icmp_packet_checksum(packet, len);

	packet[2] = (uint8_t)(sum >> 8);
	packet[3] = (uint8_t)sum;
	assert_int_equal(sendto(f->other ? f->other : f->fd, packet, len, 0,
			     (const struct sockaddr *)&to, sizeof(to)),
	    len);
}

/* Answers the first request twice, the others with a wrong cookie only. */
static void on_request(uv_poll_t *poll, int status, int events)
{
	struct forger *f = poll->data;
	uint8_t bytes[ICMP_PACKET_MAX + 60];
	ssize_t n;

	while ((n = recv(f->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 28) {
		if (bytes[20] != 8)
			continue;
		bool first = f->requests++ == 0;

		reply(f, bytes + 20, (size_t)n - 20, first ? 0 : 1);
		if (first)
			reply(f, bytes + 20, (size_t)n - 20, 0);
	}
}

static void test_forged_and_duplicate_replies(void **state)
{
	struct runner *r = runner_new();
	struct forger f = { .fd =
				socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP) };

	assert_true(f.fd >= 0);
	set_answers(false);
	uv_poll_init(&r->loop, &f.poll, f.fd);
	f.poll.data = &f;
	uv_poll_start(&f.poll, UV_READABLE, on_request);
	assert_true(runner_run(r, &probe_icmp, ID,
	    "{target: 127.0.0.1, spacing: 20ms, wait: 300ms, count: 4}", DEADLINE));
	uv_close((uv_handle_t *)&f.poll, NULL);
	assert_int_equal(f.requests, 4);
	assert_true(runner_number(r, HT_M_ICMP_RECEIVED, ID) == 1);
	assert_true(runner_number(r, HT_M_ICMP_LOSS, ID) == 0.75);
	assert_null(runner_find(r, HT_M_ICMP_JITTER, NULL)); /* one reply has none */
	assert_true(runner_number(r, HT_M_ICMP_DUPLICATES, ID) == 1);
	assert_string_equal(runner_string(r, HT_M_ICMP_REASON, ID),
	    "1 replies that came twice, 3 forged replies");
	set_answers(true);
	runner_free(r);
	close(f.fd);
}

/* Truncated, with a wrong sum, and a moment late: each a reason, none an answer. */
static void on_request_spoil(uv_poll_t *poll, int status, int events)
{
	struct forger *f = poll->data;
	uint8_t bytes[ICMP_PACKET_MAX + 60];
	ssize_t n;

	while ((n = recv(f->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 28) {
		if (bytes[20] != 8)
			continue;
		if (f->requests++ == 0) { /* when the next request comes it is late */
			memcpy(f->kept, bytes + 20, (size_t)n - 20);
			f->kept_len = (size_t)n - 20;
			continue;
		}
		reply(f, f->kept, f->kept_len, 0);
		reply(f, bytes + 20, ICMP_HEAD + 4, 0);
		if (f->requests == 2)
			reply(f, bytes + 20, (size_t)n - 20 - 8, 0);
	}
}

static void test_spoilt_replies(void **state)
{
	struct runner *r = runner_new();
	struct forger f = { .fd =
				socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP) };

	assert_true(f.fd >= 0);
	set_answers(false);
	uv_poll_init(&r->loop, &f.poll, f.fd);
	f.poll.data = &f;
	uv_poll_start(&f.poll, UV_READABLE, on_request_spoil);
	assert_true(runner_run(r, &probe_icmp, ID,
	    "{target: 127.0.0.1, spacing: 200ms, wait: 100ms, count: 3}", DEADLINE));
	uv_close((uv_handle_t *)&f.poll, NULL);
	assert_true(runner_number(r, HT_M_ICMP_SENT, ID) == 3);
	assert_true(runner_number(r, HT_M_ICMP_RECEIVED, ID) == 1);
	assert_string_equal(runner_string(r, HT_M_ICMP_REASON, ID),
	    "2 late replies, 2 truncated or malformed replies, 1 replies that bring less "
	    "than was sent");
	set_answers(true);
	runner_free(r);
	close(f.fd);
}

/* Right in all but who sends it: the kernel keeps it from us. */
static void test_replies_of_another_host(void **state)
{
	const struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 8) };
	struct runner *r = runner_new();
	struct forger f = { .fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP),
		.other = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP) };

	assert_true(f.fd >= 0 && f.other > 0);
	assert_int_equal(bind(f.other, (const struct sockaddr *)&at, sizeof(at)), 0);
	set_answers(false);
	uv_poll_init(&r->loop, &f.poll, f.fd);
	f.poll.data = &f;
	uv_poll_start(&f.poll, UV_READABLE, on_request);
	assert_true(runner_run(r, &probe_icmp, ID,
	    "{target: 127.0.0.1, spacing: 20ms, wait: 200ms, count: 2}", DEADLINE));
	uv_close((uv_handle_t *)&f.poll, NULL);
	assert_int_equal(f.requests, 2);
	assert_string_equal(runner_string(r, HT_M_ICMP_STATUS, ID), "timeout");
	assert_true(runner_number(r, HT_M_ICMP_LOSS, ID) == 1);
	set_answers(true);
	runner_free(r);
	close(f.other);
	close(f.fd);
}

/* The loopback's own MTU is 65,536: the search ends at its ceiling, with one packet. */
static void test_path_mtu(void **state)
{
	struct runner *r = runner_new();

	assert_true(runner_run(r, &probe_icmp, ID,
	    "{target: 127.0.0.1, spacing: 10ms, path_mtu: true}", DEADLINE));
	assert_true(runner_number(r, HT_M_ICMP_PATH_MTU, ID) == 9000);
	assert_true(runner_number(r, HT_M_ICMP_SENT, ID) == 5);
	assert_true(runner_run(r, &probe_icmp, ID,
	    "{target: '::1', spacing: 10ms, path_mtu: true, df: true}", DEADLINE));
	assert_true(runner_number(r, HT_M_ICMP_PATH_MTU, ID) == 9000);
	runner_free(r);
}

static void test_cancel_in_every_step(void **state)
{
	static const char *const targets[] = {
		"{target: 127.0.0.1, spacing: 10ms, count: 1, path_mtu: true}",
		"{target: localhost}", "{target: 192.0.2.1}"
	};
	struct runner *r = runner_new();

	for (size_t i = 0; i < HT_COUNT(targets); i++) {
		for (size_t turns = 0; turns < 4; turns++) {
			assert_true(
			    runner_start(r, &probe_icmp, ID, targets[i], DEADLINE));
			for (size_t t = 0; t < turns && !r->done; t++)
				uv_run(&r->loop, UV_RUN_NOWAIT);
			runner_cancel(r);
		}
	}
	runner_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answering_targets),
		cmocka_unit_test(test_datagram_socket),
		cmocka_unit_test(test_silent_target),
		cmocka_unit_test(test_a_stall_is_no_loss),
		cmocka_unit_test(test_deadline_cuts_the_round),
		cmocka_unit_test(test_deadline_of_the_wait),
		cmocka_unit_test(test_troubles_are_readings),
		cmocka_unit_test(test_forged_and_duplicate_replies),
		cmocka_unit_test(test_spoilt_replies),
		cmocka_unit_test(test_replies_of_another_host),
		cmocka_unit_test(test_path_mtu),
		cmocka_unit_test(test_cancel_in_every_step),
		cmocka_unit_test(test_dead_name_server),
	};

	if (!sandbox_enter())
		return SANDBOX_NONE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
