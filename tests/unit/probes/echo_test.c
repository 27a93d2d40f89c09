/* Two agents' sockets on one machine: neither is shown what the other's pings bring back,
 * by the kernel itself. In a network of its own. */
#include "unit/test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "probes/wan/ping/echo.h"
#include "probes/wan/ping/icmp_socket.h"
#include "unit/probes/sandbox.h"

enum { PINGS = 100, PATIENCE_MS = 5000 };

struct pinger {
	struct echo echo;
	size_t replies, sent, unsent, foreign;
	int64_t sent_ns[PINGS], last_rtt_ns;
	int err_no;
	bool closed;
};

static void on_reply(void *arg, const struct icmp_echo *e, const union echo_address *from,
    int64_t at_ns, int64_t now_ns)
{
	struct pinger *p = arg;

	assert_true(at_ns <= now_ns);
	p->replies++;
	if (e->cookie != (uint64_t)(uintptr_t)p || e->seq >= PINGS) {
		p->foreign++;
		return;
	}
	p->last_rtt_ns = at_ns - p->sent_ns[e->seq];
	if (from->any.sa_family == AF_INET)
		assert_int_equal(ntohl(from->v4.sin_addr.s_addr), INADDR_LOOPBACK);
}

static void on_sent(void *arg, uint32_t target, uint16_t seq, int64_t at_ns)
{
	struct pinger *p = arg;

	assert_true(at_ns <= ht_mono_ns());
	assert_int_equal(target, seq + 7u);
	p->sent_ns[seq] = at_ns;
	p->sent++;
}

static void on_unsent(void *arg, uint32_t target, uint16_t seq, int err_no)
{
	struct pinger *p = arg;

	p->unsent++;
	p->err_no = err_no;
}

static void on_readable(void *arg)
{
}

static int open_raw(enum icmp_family family)
{
	return family == ICMP_V4
		   ? socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP)
		   : socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
}

static int open_datagram(enum icmp_family family)
{
	return family == ICMP_V4
		   ? socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP)
		   : socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMPV6);
}

/* Debian's kernel denies them to everyone at first, in each network. */
static bool allow_datagrams(void)
{
	int fd = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, "0 0", 3) == 3;

	if (fd >= 0)
		close(fd);
	return good;
}

static void open_as(
    struct pinger *p, uv_loop_t *loop, int fd, bool raw, enum icmp_family family)
{
	const struct echo_events events = { p, on_reply, on_sent, on_unsent,
		on_readable };

	*p = (struct pinger){ 0 };
	assert_true(fd >= 0);
	assert_ok(echo_open_take(&p->echo, loop, fd, raw, family, &events));
}

static void open_on(struct pinger *p, uv_loop_t *loop, int fd, enum icmp_family family)
{
	open_as(p, loop, fd, true, family);
}

static void on_closed(void *arg)
{
	struct pinger *p = arg;

	p->closed = true;
}

static void close_both(struct pinger *a, struct pinger *b, uv_loop_t *loop)
{
	echo_close(&a->echo, on_closed);
	echo_close(&b->echo, on_closed);
	while (!a->closed || !b->closed)
		uv_run(loop, UV_RUN_ONCE);
}

static void ping(struct pinger *p, const union echo_address *to, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct echo_request q = { .target = (uint32_t)i + 7,
			.seq = (uint16_t)i,
			.cookie = (uint64_t)(uintptr_t)p,
			.to = to };

		echo_put(&p->echo, &q);
	}
	echo_flush(&p->echo);
}

/* A busy kernel brings what came over the loopback a moment later. Whether any drain
 * noticed that the kernel dropped some. */
static bool receive(struct pinger *p, size_t n)
{
	struct pollfd fd = { p->echo.fd, POLLIN, 0 };
	bool dropped = false;

	while (p->replies + p->echo.counters.dropped < n && poll(&fd, 1, PATIENCE_MS) > 0)
		dropped |= echo_drain(&p->echo);
	return dropped;
}

static uint32_t waiting(const struct pinger *p)
{
	struct icmp_socket_queue q;

	assert_true(icmp_socket_queue(p->echo.fd, &q));
	return q.bytes;
}

static union echo_address loopback(enum icmp_family family)
{
	union echo_address a = { .v6 = { .sin6_family = AF_INET6,
				     .sin6_addr = IN6ADDR_LOOPBACK_INIT } };

	if (family == ICMP_V4)
		a = (union echo_address){ .v4 = { .sin_family = AF_INET,
					      .sin_addr.s_addr =
						  htonl(INADDR_LOOPBACK) } };
	return a;
}

static void own_replies_only(enum icmp_family family, bool raw)
{
	int (*open_socket)(enum icmp_family) = raw ? open_raw : open_datagram;
	const union echo_address to = loopback(family);
	struct pinger a, b;
	uv_loop_t loop;

	uv_loop_init(&loop);
	open_as(&a, &loop, open_socket(family), raw, family);
	open_as(&b, &loop, open_socket(family), raw, family);
	ping(&b, &to, PINGS);
	assert_int_equal(b.sent, PINGS);
	assert_false(receive(&b, PINGS));
	assert_int_equal(waiting(&a), 0); /* it did not even cost A memory */
	ping(&a, &to, 10);
	assert_false(receive(&a, 10));
	assert_int_equal(waiting(&b), 0);
	assert_int_equal(a.replies, 10);
	assert_int_equal(b.replies, PINGS);
	assert_int_equal(a.foreign + b.foreign, 0);
	assert_int_equal(a.echo.counters.malformed + b.echo.counters.malformed, 0);
	assert_true(llabs(b.last_rtt_ns) < HT_NS_PER_S);
	close_both(&a, &b, &loop);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_own_replies_only(void **state)
{
	own_replies_only(ICMP_V4, true);
	own_replies_only(ICMP_V6, true);
}

/* Sockets that need no right, where the administrator allows them. */
static void test_datagram_sockets(void **state)
{
	if (!allow_datagrams()) {
		print_message("SKIPPED: ping_group_range cannot be set here\n");
		skip();
	}
	own_replies_only(ICMP_V4, false);
	own_replies_only(ICMP_V6, false);
}

/* What arrived between the opening of a socket and its filter is nobody's. */
static void test_what_came_before_the_filter(void **state)
{
	const union echo_address to = loopback(ICMP_V4);
	struct pinger a, b;
	uv_loop_t loop;
	int early = open_raw(ICMP_V4);

	uv_loop_init(&loop);
	open_on(&b, &loop, open_raw(ICMP_V4), ICMP_V4);
	ping(&b, &to, PINGS);
	open_on(&a, &loop, early, ICMP_V4);
	assert_int_equal(waiting(&a), 0);
	assert_false(echo_drain(&a.echo));
	assert_int_equal(a.replies, 0);
	assert_int_equal(a.echo.counters.dropped, 0);
	close_both(&a, &b, &loop);
	assert_int_equal(uv_loop_close(&loop), 0);
}

/* One that cannot leave does not keep the others of its batch. */
static void test_unsent_alone(void **state)
{
	const union echo_address to = loopback(ICMP_V4);
	union echo_address nowhere = to;
	struct pinger a, b;
	uv_loop_t loop;

	nowhere.v4.sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1: no route */
	uv_loop_init(&loop);
	open_on(&a, &loop, open_raw(ICMP_V4), ICMP_V4);
	open_on(&b, &loop, open_raw(ICMP_V4), ICMP_V4);
	for (uint16_t i = 0; i < 10; i++) {
		const struct echo_request q = { .target = i + 7u,
			.seq = i,
			.cookie = (uint64_t)(uintptr_t)&a,
			.to = i == 4 ? &nowhere : &to };

		echo_put(&a.echo, &q);
	}
	echo_flush(&a.echo);
	assert_int_equal(a.sent, 9);
	assert_int_equal(a.unsent, 1);
	assert_int_equal(a.err_no, ENETUNREACH);
	(void)receive(&a, 9);
	assert_int_equal(a.replies, 9);
	close_both(&a, &b, &loop);
	assert_int_equal(uv_loop_close(&loop), 0);
}

/* Too small a buffer: the kernel drops replies, and it is noticed, once. */
static void test_overflow_is_noticed(void **state)
{
	const union echo_address to = loopback(ICMP_V4);
	const int little = 1;
	struct pinger a, b;
	uv_loop_t loop;

	uv_loop_init(&loop);
	open_on(&a, &loop, open_raw(ICMP_V4), ICMP_V4);
	open_on(&b, &loop, open_raw(ICMP_V4), ICMP_V4);
	setsockopt(a.echo.fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little));
	ping(&a, &to, 2);
	assert_false(receive(&a, 2));
	ping(&a, &to, PINGS);
	assert_true(receive(&a, PINGS + 2));
	/* kernels differ: some count each twice */
	assert_true(a.replies + a.echo.counters.dropped >= PINGS + 2);
	assert_false(echo_drain(&a.echo));
	close_both(&a, &b, &loop);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_replies_only),
		cmocka_unit_test(test_datagram_sockets),
		cmocka_unit_test(test_what_came_before_the_filter),
		cmocka_unit_test(test_unsent_alone),
		cmocka_unit_test(test_overflow_is_noticed),
	};

	if (!sandbox_enter())
		return SANDBOX_NONE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
