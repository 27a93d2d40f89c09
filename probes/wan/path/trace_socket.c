#include "probes/wan/path/trace_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "probes/wan/ping/icmp_socket.h"
#include "probes/wan/path/trace_queue.h"

enum { REPORTS_A_TURN = 64 };

/* ---- answers ---- */

void trace_socket_report(struct trace_socket *s, uint16_t no, const struct ht_addr *from,
    uint8_t type, uint8_t code, int64_t at_ns)
{
	struct trace_answer a = { .no = no, .from = *from, .at_ns = at_ns };
	enum trace_error e = trace_error_of(s->family, type, code);

	if (e == TRACE_ERROR_OTHER)
		return;
	if (e == TRACE_ERROR_EXCEEDED) {
		a.kind = TRACE_EXCEEDED;
	} else if (ht_addr_equal(from, &s->target)) {
		a.kind = TRACE_ARRIVED; /* whatever the target does not want */
	} else {
		a.kind = TRACE_REFUSED;
		a.words = trace_error_words(s->family, code);
	}
	s->events.answer(s->events.arg, &a);
}

void trace_socket_arrived(struct trace_socket *s, uint16_t no, int64_t at_ns)
{
	s->events.answer(s->events.arg,
	    &(struct trace_answer){
		.kind = TRACE_ARRIVED, .no = no, .from = s->target, .at_ns = at_ns });
}

static void take_report(struct trace_socket *s, const struct trace_report *e)
{
	uint16_t no = TRACE_NO_ANY;
	ht_err err = s->method == TRACE_ICMP
			 ? trace_quote_echo(&s->secret, e->quote, e->len, &no)
			 : trace_quote_datagram(&s->secret, e->quote, e->len, &no);

	if (err == HT_DENIED)
		s->events.forged(s->events.arg);
	else if (!err || err == HT_NOTFOUND)
		trace_socket_report(s, no, &e->from, e->type, e->code, e->at_ns);
}

/* An echo reply, or a datagram of whoever serves that port. */
static void take_reply(
    struct trace_socket *s, const uint8_t *bytes, size_t len, int64_t at_ns)
{
	const struct trace_secret *k = &s->secret;
	struct icmp_echo e;

	if (s->method == TRACE_UDP) {
		trace_socket_arrived(s, TRACE_NO_ANY, at_ns);
		return;
	}
	if (icmp_packet_parse(s->family, s->raw && s->family == ICMP_V4, bytes, len, &e))
		return;
	if (s->raw && e.id != k->id)
		return; /* another pinger's */
	if (e.cookie != k->cookie)
		s->events.forged(s->events.arg);
	else
		trace_socket_arrived(s, (uint16_t)(e.seq - k->base), at_ns);
}

static bool take_packet(struct trace_socket *s)
{
	uint8_t bytes[512];
	union {
		struct cmsghdr align;
		char bytes[256];
	} control;
	struct iovec iov = { bytes, sizeof(bytes) };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	ssize_t n = recvmsg(s->fd, &m, MSG_DONTWAIT);

	if (n < 0) /* an error that waited is on the queue too */
		return errno != EAGAIN && errno != EWOULDBLOCK;
	take_reply(s, bytes, (size_t)n, trace_queue_mono_ns(icmp_socket_stamp_ns(&m)));
	return true;
}

static bool take_error(struct trace_socket *s)
{
	struct trace_report e;
	enum trace_took took = trace_queue_take(s->fd, s->family, &e);

	if (took == TRACE_TOOK_REPORT)
		take_report(s, &e);
	return took != TRACE_TOOK_NONE;
}

void trace_socket_drain(struct trace_socket *s)
{
	if (s->method == TRACE_TCP) {
		trace_tcp_drain(s);
		return;
	}
	for (int i = 0; i < REPORTS_A_TURN && take_error(s); i++)
		;
	for (int i = 0; i < REPORTS_A_TURN && take_packet(s); i++)
		;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct trace_socket *s = poll->data;

	(void)events;
	trace_socket_drain(s);
	/* libuv stops polling on EPOLLERR, by which the kernel tells of the queue. */
	if (status < 0)
		uv_poll_start(&s->poll, UV_READABLE, on_poll);
	s->events.turn(s->events.arg);
}

/* ---- sending ---- */

static int send_datagram(struct trace_socket *s, const struct trace_probe *p)
{
	uint8_t bytes[TRACE_ECHO];
	const int ttl = p->ttl;
	bool v4 = s->family == ICMP_V4;
	union {
		struct cmsghdr head;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .head = { .cmsg_level = v4 ? SOL_IP : SOL_IPV6,
			  .cmsg_type = v4 ? IP_TTL : IPV6_HOPLIMIT,
			  .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct iovec iov = { bytes,
		s->method == TRACE_ICMP ? TRACE_ECHO : TRACE_PAYLOAD };
	const struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };

	memcpy(CMSG_DATA(&control.head), &ttl, sizeof(ttl));
	if (s->method == TRACE_ICMP)
		trace_packet_echo(&s->secret, p->no, bytes);
	else
		trace_packet_datagram(&s->secret, p->no, bytes);
	/* An ICMP error of an earlier packet that waits fails the first try. */
	for (int tries = 0; tries < 2; tries++) {
		if (sendmsg(s->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return 0;
	}
	return errno;
}

int trace_socket_send(struct trace_socket *s, const struct trace_probe *p)
{
	return s->method == TRACE_TCP ? trace_tcp_send(s, p) : send_datagram(s, p);
}

/* ---- life ---- */

/* Our address towards the target, by a socket that sends nothing. */
static int find_source(struct trace_socket *s)
{
	int fd = socket(s->to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(s->self);
	int err_no = 0;

	if (fd < 0)
		return errno;
	if (connect(fd, (const struct sockaddr *)&s->to, s->len) ||
	    getsockname(fd, (struct sockaddr *)&s->self, &len))
		err_no = errno;
	close(fd);
	if (!err_no && !trace_queue_addr((const struct sockaddr *)&s->self, &s->source))
		err_no = EAFNOSUPPORT;
	return err_no;
}

static int draw_secret(struct trace_secret *k)
{
	uint16_t drawn[3];

	if (getrandom(&k->cookie, sizeof(k->cookie), GRND_NONBLOCK) !=
		sizeof(k->cookie) ||
	    getrandom(drawn, sizeof(drawn), GRND_NONBLOCK) != sizeof(drawn))
		return EAGAIN;
	k->id = drawn[0];
	k->base = drawn[1];
	k->check = (uint16_t)(drawn[2] % 0xfffe + 1);
	return 0;
}

/* A datagram ICMP socket has the id that the kernel chose, as its port. */
static int learn_id(struct trace_socket *s)
{
	struct sockaddr_in6 at;
	socklen_t len = sizeof(at);

	if (s->raw)
		return 0;
	if (getsockname(s->fd, (struct sockaddr *)&at, &len))
		return errno;
	s->secret.id = ntohs(at.sin6_port); /* where sin_port is too */
	return 0;
}

static int open_datagrams(struct trace_socket *s)
{
	if (s->method == TRACE_UDP)
		s->fd =
		    socket(s->to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return errno;
	if (s->method == TRACE_ICMP)
		icmp_socket_prepare(s->fd, s->family, s->raw);
	if (!trace_queue_prepare(s->fd, s->family) ||
	    connect(s->fd, (const struct sockaddr *)&s->to, s->len))
		return errno;
	int err_no = s->method == TRACE_ICMP ? learn_id(s) : 0;

	if (err_no)
		return err_no;
	err_no = -uv_poll_init(s->loop, &s->poll, s->fd);
	if (err_no)
		return err_no;
	s->polling = true;
	s->n_open++;
	s->poll.data = s;
	return -uv_poll_start(&s->poll, UV_READABLE, on_poll);
}

ht_err trace_socket_open_take(struct trace_socket *s, uv_loop_t *loop,
    enum trace_method method, const struct sockaddr *to, int fd, bool raw,
    const struct trace_events *events)
{
	bool v4 = to->sa_family == AF_INET;

	*s = (struct trace_socket){ .loop = loop,
		.method = method,
		.family = v4 ? ICMP_V4 : ICMP_V6,
		.len = v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6),
		.secret = { .family = v4 ? ICMP_V4 : ICMP_V6 },
		.events = *events,
		.fd = fd,
		.raw = raw };
	memcpy(&s->to, to, s->len);
	int err_no =
	    trace_queue_addr(to, &s->target) ? draw_secret(&s->secret) : EAFNOSUPPORT;

	if (!err_no)
		err_no = find_source(s);
	if (!err_no)
		err_no = method == TRACE_TCP ? trace_tcp_hold_port(s) : open_datagrams(s);
	errno = err_no;
	return err_no ? HT_IO : HT_OK;
}

void trace_socket_handle_closed(struct trace_socket *s)
{
	if (--s->n_open == 0 && s->closing)
		s->closed(s->events.arg);
}

static void on_closed(uv_handle_t *handle)
{
	trace_socket_handle_closed(handle->data);
}

void trace_socket_close(struct trace_socket *s, void (*closed)(void *arg))
{
	s->closing = true;
	s->closed = closed;
	trace_tcp_drop(s);
	if (s->polling)
		uv_close((uv_handle_t *)&s->poll, on_closed);
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	if (s->n_open == 0)
		closed(s->events.arg);
}
