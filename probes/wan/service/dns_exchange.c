#include "probes/wan/service/dns_exchange.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"

enum { MESSAGES_A_TURN = 64 };

struct dns_socket {
	uv_poll_t poll;
	struct dns_exchange *exchange;
	int fd;
};

static void on_socket_closed(uv_handle_t *h)
{
	struct dns_socket *s = h->data;
	struct dns_exchange *e = s->exchange;

	free(s);
	if (--e->open_handles == 0 && e->closed)
		e->closed(e->closed_arg);
}

static void drop_socket(struct dns_exchange *e)
{
	struct dns_socket *s = e->socket;

	if (!s)
		return;
	e->socket = NULL;
	uv_poll_stop(&s->poll);
	close(s->fd);
	uv_close((uv_handle_t *)&s->poll, on_socket_closed);
}

static void finish(struct dns_exchange *e, enum dns_end end)
{
	const uint8_t *bytes = e->tcp ? e->answer + 2 : e->answer;
	struct dns_exchanged x = {
		.end = end,
		.time_ns = ht_mono_ns() - e->asked_ns,
		.tcp = e->tcp,
		.strays = e->strays,
	};

	if (end == DNS_ANSWERED) {
		x.bytes = bytes;
		x.len = e->tcp ? e->got - 2 : e->got;
	}
	uv_timer_stop(&e->timer);
	drop_socket(e);
	e->done(e->arg, &x);
}

static enum dns_end end_of(int err_no)
{
	switch (err_no) {
	case ECONNREFUSED:
		return DNS_REFUSED;
	case ETIMEDOUT:
		return DNS_TIMEOUT;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EHOSTDOWN:
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
	case EINVAL: /* a link-local address without its interface */
		return DNS_UNREACHABLE;
	case EPERM:
	case EACCES:
		return DNS_DENIED;
	case ECONNRESET:
	case EPIPE:
		return DNS_CLOSED;
	default:
		return DNS_ERROR;
	}
}

/* ── sockets ─────────────────────────────────────────────────────────────────────── */

/* 0 or an errno; connected, or connecting. */
static int open_socket(struct dns_exchange *e, int type, int events, uv_poll_cb on_events)
{
	struct dns_socket *s = calloc(1, sizeof(*s));

	if (!s)
		return ENOMEM;
	s->exchange = e;
	s->fd = socket(e->server.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err_no = s->fd < 0 ? errno : -uv_poll_init(e->loop, &s->poll, s->fd);

	if (err_no) {
		if (s->fd >= 0)
			close(s->fd);
		free(s);
		return err_no;
	}
	s->poll.data = s;
	e->open_handles++;
	e->socket = s;
	if (connect(s->fd, (const struct sockaddr *)&e->server, e->server_len) &&
	    errno != EINPROGRESS)
		return errno;
	return -uv_poll_start(&s->poll, events, on_events);
}

static void on_time(uv_timer_t *timer);

static void arm(struct dns_exchange *e, int64_t at_ns)
{
	int64_t ms = (at_ns - ht_mono_ns() + HT_NS_PER_MS - 1) / HT_NS_PER_MS;

	uv_update_time(e->loop);
	uv_timer_start(&e->timer, on_time, ms > 0 ? (uint64_t)ms : 0, 0);
}

/* ── TCP ─────────────────────────────────────────────────────────────────────────── */

/* False when it is over. */
static bool send_rest(struct dns_exchange *e)
{
	const uint8_t *at = e->query + e->sent;
	size_t len = 2 + e->query_len - e->sent;
	ssize_t n = len ? send(e->socket->fd, at, len, MSG_NOSIGNAL) : 0;

	if (n < 0 && errno != EAGAIN) {
		finish(e, end_of(errno));
		return false;
	}
	e->sent += n > 0 ? (size_t)n : 0;
	return true;
}

/* Length, 0 while it is not known. */
static size_t announced(const struct dns_exchange *e)
{
	return e->got < 2 ? 0 : (size_t)(e->answer[0] << 8 | e->answer[1]);
}

static void read_some(struct dns_exchange *e)
{
	size_t want = e->got < 2 ? 2 : 2 + announced(e);
	ssize_t n = recv(e->socket->fd, e->answer + e->got, want - e->got, 0);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		finish(e, n < 0 ? end_of(errno) : DNS_CLOSED);
		return;
	}
	e->got += (size_t)n;
	size_t len = announced(e);

	if (len > DNS_ANSWER_MAX) {
		finish(e, DNS_TOO_LARGE);
	} else if (e->got >= 2 && e->got == 2 + len) {
		if (dns_wire_answers(e->query + 2, e->query_len, e->answer + 2, len)) {
			finish(e, DNS_ANSWERED);
			return;
		}
		e->strays++;
		e->got = 0; /* another may follow on the same connection */
	}
}

static void on_tcp(uv_poll_t *poll, int status, int events)
{
	struct dns_socket *s = poll->data;
	struct dns_exchange *e = s->exchange;
	int err_no = 0;
	socklen_t len = sizeof(err_no);

	getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &err_no, &len);
	if (err_no || status < 0) {
		finish(e, end_of(err_no ? err_no : -status));
		return;
	}
	if ((events & UV_WRITABLE) && e->sent < 2 + e->query_len) {
		if (send_rest(e) && e->sent == 2 + e->query_len)
			uv_poll_start(&s->poll, UV_READABLE, on_tcp);
		return;
	}
	if (events & UV_READABLE)
		read_some(e);
}

static void ask_by_tcp(struct dns_exchange *e)
{
	drop_socket(e);
	e->tcp = true;
	e->got = e->sent = 0;
	arm(e, e->until_ns);
	int err_no = open_socket(e, SOCK_STREAM, UV_WRITABLE, on_tcp);

	if (err_no)
		finish(e, end_of(err_no));
}

/* ── UDP ─────────────────────────────────────────────────────────────────────────── */

static void send_question(struct dns_exchange *e)
{
	ssize_t n = -1;

	/* an ICMP error of an earlier one fails the first try */
	for (int tries = 0; n < 0 && tries < 2; tries++)
		n = send(e->socket->fd, e->query + 2, e->query_len, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN)
		finish(e, end_of(errno));
}

/* One message; false when there is none, or all is over. */
static bool take_one(struct dns_exchange *e)
{
	ssize_t n = recv(e->socket->fd, e->answer, DNS_ANSWER_MAX, MSG_TRUNC);

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			finish(e, end_of(errno));
		return false;
	}
	if (n > DNS_ANSWER_MAX ||
	    !dns_wire_answers(e->query + 2, e->query_len, e->answer, (size_t)n)) {
		e->strays++;
		return true;
	}
	e->got = (size_t)n;
	if (dns_wire_truncated(e->answer, e->got))
		ask_by_tcp(e);
	else
		finish(e, DNS_ANSWERED);
	return false;
}

static void on_udp(uv_poll_t *poll, int status, int events)
{
	struct dns_socket *s = poll->data;
	struct dns_exchange *e = s->exchange;

	(void)events;
	for (int i = 0; i < MESSAGES_A_TURN && take_one(e); i++)
		;
	/* libuv stops watching at an error, of which the socket knows more */
	if (status < 0 && e->socket == s)
		uv_poll_start(&s->poll, UV_READABLE, on_udp);
}

/* libuv runs timers before it reads sockets: when we stood still, what came meanwhile
 * lies in the socket, and is no timeout. True: that was the end, or of this socket. */
static bool read_first(struct dns_exchange *e)
{
	struct dns_socket *s = e->socket;

	for (int i = 0; i < MESSAGES_A_TURN && e->socket == s; i++) {
		bool asked = !e->tcp || e->sent == 2 + e->query_len;
		struct pollfd p = { .fd = s->fd, .events = asked ? POLLIN : POLLOUT };

		if (poll(&p, 1, 0) <= 0)
			break;
		if (e->tcp)
			on_tcp(&s->poll, 0, asked ? UV_READABLE : UV_WRITABLE);
		else
			(void)take_one(e);
	}
	return e->socket != s;
}

/* Nothing came: ask again, or that was all. */
static void on_time(uv_timer_t *timer)
{
	struct dns_exchange *e = timer->data;
	int64_t now = ht_mono_ns();

	if (read_first(e))
		return;
	if (e->tcp || now >= e->until_ns) {
		finish(e, DNS_TIMEOUT);
		return;
	}
	arm(e, now + e->again_ns < e->until_ns ? now + e->again_ns : e->until_ns);
	send_question(e);
}

ht_err dns_exchange_ask(struct dns_exchange *e, const uint8_t *query, size_t len,
    int64_t wait_ns, int tries, dns_exchange_done done, void *arg)
{
	if (e->socket || len < DNS_HEADER || len > DNS_QUESTION_MAX)
		return HT_INVALID;
	memcpy(e->query + 2, query, len);
	if (getrandom(e->query + 2, 2, GRND_NONBLOCK) != 2)
		return HT_AGAIN;
	e->query[0] = (uint8_t)(len >> 8);
	e->query[1] = (uint8_t)len;
	e->query_len = len;
	e->tcp = false;
	e->strays = 0;
	e->got = 0;
	e->done = done;
	e->arg = arg;
	e->asked_ns = ht_mono_ns();
	e->until_ns = e->asked_ns + wait_ns;
	e->again_ns = wait_ns / (tries > 0 ? tries : 1);
	arm(e, e->asked_ns + e->again_ns);
	int err_no = open_socket(e, SOCK_DGRAM, UV_READABLE, on_udp);

	if (err_no)
		finish(e, end_of(err_no));
	else
		send_question(e);
	return HT_OK;
}

/* ── life ────────────────────────────────────────────────────────────────────────── */

ht_err dns_exchange_init(struct dns_exchange *e, uv_loop_t *loop,
    const struct sockaddr_storage *server, socklen_t server_len)
{
	*e = (struct dns_exchange){
		.loop = loop, .server = *server, .server_len = server_len
	};
	e->answer = malloc(2 + DNS_ANSWER_MAX);
	if (!e->answer)
		return HT_NOMEM;
	uv_timer_init(loop, &e->timer);
	e->timer.data = e;
	e->open_handles = 1;
	return HT_OK;
}

static void on_timer_closed(uv_handle_t *h)
{
	struct dns_exchange *e = h->data;

	if (--e->open_handles == 0)
		e->closed(e->closed_arg);
}

void dns_exchange_close(struct dns_exchange *e, void (*closed)(void *arg), void *arg)
{
	e->closed = closed;
	e->closed_arg = arg;
	drop_socket(e);
	free(e->answer);
	e->answer = NULL;
	uv_close((uv_handle_t *)&e->timer, on_timer_closed);
}

const char *dns_end_name(enum dns_end end)
{
	static const char *const names[] = {
		[DNS_ANSWERED] = "ok",
		[DNS_TIMEOUT] = "timeout",
		[DNS_REFUSED] = "refused",
		[DNS_UNREACHABLE] = "unreachable",
		[DNS_DENIED] = "denied",
		[DNS_TOO_LARGE] = "malformed",
		[DNS_CLOSED] = "closed",
		[DNS_ERROR] = "error",
	};

	return names[end];
}
