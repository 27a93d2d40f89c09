/* The probe `reach` on a real kernel, in a network of its own whose only host is
 * ourselves. What it decides is tested in tests/unit/base/reach_test.c; here, that it
 * counts what is really an answer and nothing else. */
#include "unit/test.h"

#include <errno.h>
#include <fcntl.h>
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

extern const struct probe_ops probe_reach;

#define ID "core"

static void set_answers(bool answers)
{
	int fd = open("/proc/sys/net/ipv4/icmp_echo_ignore_all", O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, answers ? "0" : "1", 1), 1);
	close(fd);
}

static const struct runner_reading *last_of(const struct runner *r, enum ht_metric m)
{
	for (size_t i = r->n_readings; i > 0; i--) {
		if (r->readings[i - 1].metric == m)
			return &r->readings[i - 1];
	}
	fail_msg("no reading of metric %d", (int)m);
	return NULL;
}

static double sum_of(const struct runner *r, enum ht_metric m)
{
	double sum = 0;

	for (size_t i = 0; i < r->n_readings; i++)
		sum += r->readings[i].metric == m ? r->readings[i].number : 0;
	return sum;
}

static void assert_answered(const struct runner *r, const char *id, double least)
{
	const char *text = runner_string(r, HT_M_REACH_RTT_HISTOGRAM, id);
	double received = runner_number(r, HT_M_REACH_RECEIVED, id);
	struct ht_hist h;

	assert_string_equal(runner_string(r, HT_M_REACH_STATE, id), "up");
	assert_true(received >= least);
	assert_true(runner_number(r, HT_M_REACH_SENT, id) == received);
	assert_ok(ht_hist_decode(text, strlen(text), &h));
	assert_true((double)ht_hist_count(&h) == received);
	double avg = runner_number(r, HT_M_REACH_RTT_AVG, id);
	assert_true(avg > 0 && avg < 1);
}

static void answers_of_both_families(struct runner *r, size_t nth)
{
	assert_true(runner_run(r, &probe_reach, ID,
	    "{targets: [{id: a, address: 127.0.0.1}, {id: b, address: 127.0.0.2, "
	    "parents: "
	    "[a, elsewhere]},"
	    " {id: c, address: '::1'}], target: [127.0.0.3], self: [127.0.0.4]}",
	    2500 * HT_NS_PER_MS));
	assert_answered(r, "a", 2);
	assert_answered(r, "b", 2);
	assert_answered(r, "c", 2);
	assert_answered(r, "127.0.0.3", 2);
	assert_int_equal(runner_count(r, HT_M_REACH_STATE), 4); /* self is not told */
	assert_false(runner_find(r, HT_M_REACH_BLIND, ID)->boolean);
	assert_int_equal(r->asked[PROBE_ICMP4_SOCKET], nth);
	assert_int_equal(r->asked[PROBE_ICMP6_SOCKET], nth);
}

static void test_answers(void **state)
{
	struct runner *r = runner_new();
	int fd = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY | O_CLOEXEC);

	answers_of_both_families(r, 1); /* on raw sockets */
	assert_int_equal(write(fd, "0 0", 3), 3);
	answers_of_both_families(r, 2); /* on datagram sockets */
	assert_int_equal(pwrite(fd, "1 0", 3, 0), 3);
	close(fd);
	runner_free(r);
}

/* ---- a kernel that is silent, and a stranger who answers in its place ---- */

struct forger {
	uv_poll_t poll;
	int fd, out; /* reads requests; says what comes from a certain host */
	size_t requests;
	void (*answer)(
	    struct forger *f, uint8_t *packet, size_t len, struct sockaddr_in to);
};

static void say(
    struct forger *f, const uint8_t *packet, size_t len, const struct sockaddr_in *to)
{
	assert_int_equal(
	    sendto(f->out, packet, len, 0, (const struct sockaddr *)to, sizeof(*to)),
	    len);
}

static void seal(uint8_t *packet, size_t len)
{
	packet[0] = 0;
	packet[2] = packet[3] = 0;
	uint16_t sum = icmp_packet_checksum(packet, len);

	packet[2] = (uint8_t)(sum >> 8);
	packet[3] = (uint8_t)sum;
}

static void on_request(uv_poll_t *poll, int status, int events)
{
	struct forger *f = poll->data;
	uint8_t bytes[ICMP_PACKET_MAX + 60];
	struct sockaddr_in to;
	ssize_t n;

	while ((n = recv(f->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 28) {
		if (bytes[20] != 8)
			continue;
		f->requests++;
		to = (struct sockaddr_in){ .sin_family = AF_INET };
		memcpy(&to.sin_addr, bytes + 12, 4);
		f->answer(f, bytes + 20, (size_t)n - 20, to);
	}
}

static struct runner *forged_from(struct forger *f, uint32_t source,
    void (*answer)(struct forger *, uint8_t *, size_t, struct sockaddr_in),
    int64_t timeout_ns)
{
	struct runner *r = runner_new();
	const struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(source) };

	*f = (struct forger){ .answer = answer,
		.fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP),
		.out = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP) };
	assert_true(f->fd >= 0 && f->out >= 0);
	assert_int_equal(bind(f->out, (const struct sockaddr *)&at, sizeof(at)), 0);
	set_answers(false);
	uv_poll_init(&r->loop, &f->poll, f->fd);
	f->poll.data = f;
	uv_poll_start(&f->poll, UV_READABLE, on_request);
	assert_true(runner_run(
	    r, &probe_reach, ID, "{targets: [{id: a, address: 127.0.0.1}]}", timeout_ns));
	uv_close((uv_handle_t *)&f->poll, NULL);
	set_answers(true);
	close(f->fd);
	close(f->out);
	return r;
}

static struct runner *forged(struct forger *f,
    void (*answer)(struct forger *, uint8_t *, size_t, struct sockaddr_in),
    int64_t timeout_ns)
{
	return forged_from(f, INADDR_LOOPBACK, answer, timeout_ns);
}

static void wrong_secret(
    struct forger *f, uint8_t *packet, size_t len, struct sockaddr_in to)
{
	static const size_t places[] = { ICMP_HEAD, ICMP_HEAD + 2, ICMP_HEAD + 7, 7, 6 };

	/* target, secret, sequence: each alone makes it a stranger's */
	for (size_t i = 0; i < HT_COUNT(places); i++) {
		packet[places[i]] ^= 0x40;
		seal(packet, len);
		say(f, packet, len, &to);
		packet[places[i]] ^= 0x40;
	}
	packet[2] ^= 1; /* the sum */
	say(f, packet, len, &to);
	seal(packet, len);
	for (size_t cut = 4; cut < ICMP_HEAD + ICMP_COOKIE; cut += 3) {
		seal(packet, cut < 8 ? 8 : cut);
		say(f, packet, cut, &to); /* truncated */
	}
	seal(packet, len);
	uint8_t large[ICMP_PACKET_MAX] = { 0 };

	memcpy(large, packet, len);
	seal(large, sizeof(large));
	say(f, large, sizeof(large), &to);
}

static void test_strangers_do_not_answer(void **state)
{
	struct forger f;
	struct runner *r = forged(&f, wrong_secret, 4200 * HT_NS_PER_MS);

	assert_true(f.requests > 20);
	assert_string_equal(runner_string(r, HT_M_REACH_STATE, "a"), "down");
	assert_int_equal(runner_count(r, HT_M_REACH_STATE), 1);
	assert_true(runner_number(r, HT_M_REACH_RECEIVED, "a") == 0);
	assert_null(runner_find(r, HT_M_REACH_RTT_AVG, NULL));
	assert_null(runner_find(r, HT_M_REACH_ANSWERED_AGO, NULL));
	assert_true(runner_number(r, HT_M_REACH_UNANSWERED_FOR, "a") > 2);
	/* three places of the secret, twice the sequence, the sum, the size: of each */
	assert_true(sum_of(r, HT_M_REACH_IGNORED) >= 5 * (double)f.requests);
	assert_non_null(strstr(last_of(r, HT_M_REACH_TROUBLE)->string, " forged"));
	runner_free(r);
}

static void three_times(
    struct forger *f, uint8_t *packet, size_t len, struct sockaddr_in to)
{
	seal(packet, len);
	for (int i = 0; i < 3; i++)
		say(f, packet, len, &to);
}

static void test_duplicates_count_once(void **state)
{
	struct forger f;
	struct runner *r = forged(&f, three_times, 2500 * HT_NS_PER_MS);

	assert_string_equal(runner_string(r, HT_M_REACH_STATE, "a"), "up");
	assert_true(runner_number(r, HT_M_REACH_RECEIVED, "a") == (double)f.requests);
	assert_true(runner_number(r, HT_M_REACH_SENT, "a") == (double)f.requests);
	assert_true(sum_of(r, HT_M_REACH_IGNORED) == 2 * (double)f.requests);
	runner_free(r);
}

/* All is right about it but who sends it. */
static void test_another_host_does_not_answer(void **state)
{
	struct forger f;
	struct runner *r =
	    forged_from(&f, INADDR_LOOPBACK + 8, three_times, 1400 * HT_NS_PER_MS);

	assert_true(f.requests > 0);
	assert_null(runner_find(r, HT_M_REACH_STATE, "a"));
	assert_true(sum_of(r, HT_M_REACH_IGNORED) == 3 * (double)f.requests);
	runner_free(r);
}

/* ---- own trouble ---- */

static void test_own_trouble_is_blindness(void **state)
{
	struct runner *r = runner_new();

	assert_true(runner_run(r, &probe_reach, ID,
	    "{targets: [{id: a, address: 192.0.2.1}]}", 3 * HT_NS_PER_S));
	assert_true(last_of(r, HT_M_REACH_BLIND)->boolean);
	assert_non_null(
	    strstr(last_of(r, HT_M_REACH_BLIND_REASON)->string, "no ping can be sent: "));
	assert_non_null(
	    strstr(last_of(r, HT_M_REACH_BLIND_REASON)->string, strerror(ENETUNREACH)));
	assert_true(sum_of(r, HT_M_REACH_UNSENT) > 0);
	assert_non_null(strstr(last_of(r, HT_M_REACH_TROUBLE)->string, "not sent: "));
	assert_null(runner_find(r, HT_M_REACH_STATE, NULL));
	runner_grant_err(r, PROBE_ICMP4_SOCKET, HT_DENIED);
	assert_true(runner_run(r, &probe_reach, ID,
	    "{targets: [{id: a, address: 127.0.0.1}]}", 3 * HT_NS_PER_S));
	assert_string_equal(last_of(r, HT_M_REACH_BLIND_REASON)->string,
	    "no ping can be sent: Permission denied");
	assert_null(runner_find(r, HT_M_REACH_STATE, NULL));
	runner_free(r);
}

/* While another answers, a target that no way leads to is down, and the reason is told.
 */
static void test_no_way_to_one(void **state)
{
	struct runner *r = runner_new();

	assert_true(runner_run(r, &probe_reach, ID,
	    "{targets: [{id: a, address: 192.0.2.1}, {id: b, address: 127.0.0.1}]}",
	    6 * HT_NS_PER_S));
	assert_string_equal(runner_string(r, HT_M_REACH_STATE, "b"), "up");
	assert_string_equal(runner_string(r, HT_M_REACH_STATE, "a"), "down");
	assert_false(last_of(r, HT_M_REACH_BLIND)->boolean);
	assert_non_null(
	    strstr(last_of(r, HT_M_REACH_TROUBLE)->string, strerror(ENETUNREACH)));
	runner_free(r);
}

/* A socket whose buffer holds but a few of the replies that come at a time. */
static int open_deaf(void *arg, const char *name)
{
	const int little = 1;
	int fd = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMP);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
	return fd;
}

static char *many_targets(size_t n)
{
	size_t cap = n * 20 + 32, len;
	char *yaml = malloc(cap);

	assert_non_null(yaml);
	len = (size_t)snprintf(yaml, cap, "{target: [");
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(
		    yaml + len, cap - len, "127.2.%zu.%zu,", i / 250, i % 250 + 1);
	snprintf(yaml + len, cap - len, "]}");
	return yaml;
}

/* Most replies are lost on our side: that is told, and no ping is counted as lost. (That
 * nobody is down for it: tests/unit/base/reach_test.c.) */
static void test_own_loss_is_told(void **state)
{
	struct runner *r = runner_new();
	char *yaml = many_targets(1000);

	runner_grant_fd(r, PROBE_ICMP4_SOCKET, open_deaf, NULL, true);
	assert_true(runner_run(r, &probe_reach, ID, yaml, 1400 * HT_NS_PER_MS));
	assert_true(sum_of(r, HT_M_REACH_DROPPED) > 100);
	for (size_t i = 0; i < r->n_readings; i++) {
		if (r->readings[i].metric == HT_M_REACH_STATE)
			assert_string_equal(r->readings[i].string, "up");
	}
	assert_true(sum_of(r, HT_M_REACH_SENT) == sum_of(r, HT_M_REACH_RECEIVED));
	assert_non_null(
	    strstr(last_of(r, HT_M_REACH_TROUBLE)->string, "dropped by this machine"));
	free(yaml);
	runner_free(r);
}

/* Every target every second, none lost by ourselves. */
static void test_twenty_thousand(void **state)
{
	const size_t n = 20000;
	struct runner *r = runner_new();
	char *yaml = many_targets(n);

	int64_t began = ht_mono_ns();

	assert_true(runner_start(r, &probe_reach, ID, yaml, 60 * HT_NS_PER_S));
	while (!r->done && (runner_count(r, HT_M_REACH_STATE) < n ||
			       ht_mono_ns() < began + 2200 * HT_NS_PER_MS))
		uv_run(&r->loop, UV_RUN_ONCE);
	r->host.deadline_ns = ht_mono_ns(); /* it ends, and tells its minute */
	while (!r->done)
		uv_run(&r->loop, UV_RUN_ONCE);
	size_t most = (size_t)((ht_mono_ns() - began) / HT_NS_PER_S) + 2;
	runner_cancel(r);
	assert_int_equal(runner_count(r, HT_M_REACH_STATE), n);
	unsigned *pings = calloc(n, sizeof(*pings));
	assert_non_null(pings);
	for (size_t i = 0; i < r->n_readings; i++) {
		const struct runner_reading *one = &r->readings[i];
		unsigned hundreds, rest;

		if (one->metric == HT_M_REACH_STATE)
			assert_string_equal(one->string, "up");
		if (one->metric != HT_M_REACH_SENT)
			continue;
		assert_int_equal(
		    sscanf(one->instance, "127.2.%u.%u", &hundreds, &rest), 2);
		pings[hundreds * 250 + rest - 1] += (unsigned)one->number;
	}
	for (size_t i = 0; i < n; i++)
		assert_in_range(pings[i], 1, most);
	free(pings);
	assert_true(sum_of(r, HT_M_REACH_SENT) == sum_of(r, HT_M_REACH_RECEIVED));
	assert_true(sum_of(r, HT_M_REACH_DROPPED) + sum_of(r, HT_M_REACH_UNSENT) == 0);
	free(yaml);
	runner_free(r);
}

static void test_cancel_in_every_step(void **state)
{
	struct runner *r = runner_new();

	for (size_t turns = 0; turns < 8; turns++) {
		assert_true(runner_start(r, &probe_reach, ID,
		    "{targets: [{id: a, address: 127.0.0.1}, {id: b, address: '::1'}]}",
		    INT64_C(1) << 62));
		for (size_t t = 0; t < turns && !r->done; t++)
			uv_run(&r->loop, UV_RUN_NOWAIT);
		runner_cancel(r);
	}
	runner_free(r);
}

static void test_none_at_all(void **state)
{
	struct runner *r = runner_new();

	assert_true(runner_run(r, &probe_reach, ID, "", 500 * HT_NS_PER_MS));
	assert_int_equal(runner_count(r, HT_M_REACH_STATE), 0);
	assert_false(runner_find(r, HT_M_REACH_BLIND, ID)->boolean);
	runner_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_strangers_do_not_answer),
		cmocka_unit_test(test_duplicates_count_once),
		cmocka_unit_test(test_another_host_does_not_answer),
		cmocka_unit_test(test_own_trouble_is_blindness),
		cmocka_unit_test(test_no_way_to_one),
		cmocka_unit_test(test_own_loss_is_told),
		cmocka_unit_test(test_twenty_thousand),
		cmocka_unit_test(test_cancel_in_every_step),
		cmocka_unit_test(test_none_at_all),
	};

	if (!sandbox_enter())
		return SANDBOX_NONE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
