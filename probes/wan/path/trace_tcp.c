/* The method tcp of trace_socket.h. Each packet is the SYN of a connect() of its own, all
 * from one port: so there is one at a time, and the kernel knows by the sequence number
 * which one an ICMP error is about. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "probes/wan/path/trace_queue.h"
#include "probes/wan/path/trace_socket.h"

struct trace_tcp_try {
	uv_poll_t poll;
	struct trace_socket *socket;
	int fd;
	uint16_t no;
	bool refused; /* connect() said so at once */
	bool told;
};

static int new_socket(const struct trace_socket *s)
{
	const int on = 1;
	int fd = socket(s->to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	return fd;
}

/* Bound, never connected: nobody else gets the port while we change sockets. */
int trace_tcp_hold_port(struct trace_socket *s)
{
	socklen_t len = s->len;

	if (s->family == ICMP_V4)
		((struct sockaddr_in *)&s->self)->sin_port = 0;
	else
		((struct sockaddr_in6 *)&s->self)->sin6_port = 0;
	s->fd = new_socket(s);
	if (s->fd < 0 || bind(s->fd, (const struct sockaddr *)&s->self, s->len) ||
	    getsockname(s->fd, (struct sockaddr *)&s->self, &len))
		return errno;
	return 0;
}

static int set_up(const struct trace_socket *s, int fd, int ttl)
{
	const struct linger reset = { .l_onoff = 1 };
	const int one = 1;
	bool v4 = s->family == ICMP_V4;

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	(void)setsockopt(fd, SOL_TCP, TCP_SYNCNT, &one, sizeof(one));
	if (!trace_queue_prepare(fd, s->family) ||
	    setsockopt(fd, v4 ? SOL_IP : SOL_IPV6, v4 ? IP_TTL : IPV6_UNICAST_HOPS, &ttl,
		sizeof(ttl)) ||
	    bind(fd, (const struct sockaddr *)&s->self, s->len))
		return errno;
	return 0;
}

/* ---- answers ---- */

static bool take_errors(struct trace_tcp_try *t)
{
	struct trace_socket *s = t->socket;
	struct trace_report e;
	enum trace_took took;

	while (!t->told &&
	       (took = trace_queue_take(t->fd, s->family, &e)) != TRACE_TOOK_NONE) {
		if (took != TRACE_TOOK_REPORT)
			continue;
		t->told = true;
		trace_socket_report(s, t->no, &e.from, e.type, e.code, e.at_ns);
	}
	return t->told;
}

/* The target took the connection, or refused it: it was reached. */
static void take_outcome(struct trace_tcp_try *t)
{
	int err_no = 0;
	socklen_t len = sizeof(err_no);

	if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &err_no, &len))
		return;
	if (err_no == 0 && !t->refused) {
		struct sockaddr_storage peer;
		socklen_t peer_len = sizeof(peer);

		if (getpeername(t->fd, (struct sockaddr *)&peer, &peer_len))
			return; /* under way still, or failed */
	} else if (err_no != ECONNREFUSED && !t->refused) {
		return;
	}
	t->told = true;
	trace_socket_arrived(t->socket, t->no, ht_mono_ns());
}

void trace_tcp_drain(struct trace_socket *s)
{
	struct trace_tcp_try *t = s->tcp;

	if (t && !t->told && !take_errors(t))
		take_outcome(t);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct trace_tcp_try *t = poll->data;
	struct trace_socket *s = t->socket;

	(void)status;
	(void)events;
	trace_tcp_drain(s);
	/* It says nothing more; and an error that is not taken would wake us for ever. */
	uv_poll_stop(poll);
	s->events.turn(s->events.arg);
}

/* ---- sending ---- */

static void on_closed(uv_handle_t *handle)
{
	struct trace_tcp_try *t = handle->data;
	struct trace_socket *s = t->socket;

	free(t);
	trace_socket_handle_closed(s);
}

void trace_tcp_drop(struct trace_socket *s)
{
	struct trace_tcp_try *t = s->tcp;

	s->tcp = NULL;
	if (!t)
		return;
	uv_close((uv_handle_t *)&t->poll, on_closed);
	close(t->fd);
}

static int begin(struct trace_tcp_try *t, const struct trace_probe *p)
{
	struct trace_socket *s = t->socket;
	int err_no = set_up(s, t->fd, p->ttl);

	if (err_no)
		return err_no;
	if (connect(t->fd, (const struct sockaddr *)&s->to, s->len) == 0)
		return 0;
	t->refused = errno == ECONNREFUSED;
	return t->refused || errno == EINPROGRESS ? 0 : errno;
}

int trace_tcp_send(struct trace_socket *s, const struct trace_probe *p)
{
	trace_tcp_drop(s);
	struct trace_tcp_try *t = calloc(1, sizeof(*t));

	if (!t)
		return ENOBUFS;
	t->socket = s;
	t->no = p->no;
	t->poll.data = t;
	t->fd = new_socket(s);
	int err_no = t->fd < 0 ? errno : begin(t, p);

	if (!err_no)
		err_no = -uv_poll_init(s->loop, &t->poll, t->fd);
	if (err_no) {
		if (t->fd >= 0)
			close(t->fd);
		free(t);
		return err_no;
	}
	s->tcp = t;
	s->n_open++;
	uv_poll_start(&t->poll, UV_READABLE | UV_WRITABLE, on_poll);
	return 0;
}
