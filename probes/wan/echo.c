#include "probes/wan/echo.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "probes/wan/icmp_socket.h"

#define BATCHES_A_TURN 16
/* An older stamp, or one of the future: somebody moved the wall clock. */
#define STAMP_AGE_MAX_NS (5 * HT_NS_PER_S)

static socklen_t address_len(const struct echo *e)
{
	return e->family == ICMP_V4 ? sizeof(struct sockaddr_in)
				    : sizeof(struct sockaddr_in6);
}

/* ---- sending ---- */

static void write_batch(struct echo *e, uint8_t bytes[ECHO_BATCH][ECHO_PACKET],
    struct iovec *iov, struct mmsghdr *out)
{
	uint8_t packet[ICMP_PACKET_MAX];

	for (size_t i = 0; i < e->n_waiting; i++) {
		const struct echo_request *q = &e->waiting[i];
		const struct icmp_echo echo = {
			.id = e->id, .seq = q->seq, .cookie = q->cookie
		};
		size_t len = icmp_packet_write(e->family, &echo, ECHO_PAYLOAD, packet);

		memcpy(bytes[i], packet, len);
		iov[i] = (struct iovec){ bytes[i], len };
		out[i] = (struct mmsghdr){ .msg_hdr = {
					       .msg_name = (void *)(uintptr_t)q->to,
					       .msg_namelen = address_len(e),
					       .msg_iov = &iov[i],
					       .msg_iovlen = 1,
					   } };
	}
}

void echo_flush(struct echo *e)
{
	uint8_t bytes[ECHO_BATCH][ECHO_PACKET];
	struct iovec iov[ECHO_BATCH];
	struct mmsghdr out[ECHO_BATCH];
	size_t n = e->n_waiting, at = 0;

	write_batch(e, bytes, iov, out);
	e->n_waiting = 0;
	while (at < n) {
		int sent = sendmmsg(
		    e->fd, out + at, (unsigned)(n - at), MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent > 0) {
			at += (size_t)sent;
		} else if (errno != EINTR) {
			/* The first of the rest is refused; those behind may pass. */
			e->events.unsent(e->events.arg, e->waiting[at].target,
			    e->waiting[at].seq, errno);
			at++;
		}
	}
}

void echo_put(struct echo *e, const struct echo_request *q)
{
	e->waiting[e->n_waiting++] = *q;
	if (e->n_waiting == ECHO_BATCH)
		echo_flush(e);
}

/* ---- receiving ---- */

struct inbox {
	uint8_t bytes[ECHO_BATCH][ECHO_REPLY_MAX];
	char control[ECHO_BATCH][CMSG_SPACE(sizeof(struct timespec))];
	union echo_address from[ECHO_BATCH];
	struct iovec iov[ECHO_BATCH];
	struct mmsghdr in[ECHO_BATCH];
};

static void inbox_prepare(struct inbox *b)
{
	for (size_t i = 0; i < ECHO_BATCH; i++) {
		b->iov[i] = (struct iovec){ b->bytes[i], ECHO_REPLY_MAX };
		b->in[i] = (struct mmsghdr){ .msg_hdr = {
						 .msg_name = &b->from[i],
						 .msg_namelen = sizeof(b->from[i]),
						 .msg_iov = &b->iov[i],
						 .msg_iovlen = 1,
						 .msg_control = b->control[i],
						 .msg_controllen = sizeof(b->control[i]),
					     } };
	}
}

static void take_reply(
    struct echo *e, struct inbox *b, size_t i, int64_t mono_ns, int64_t wall_ns)
{
	struct msghdr *m = &b->in[i].msg_hdr;
	int64_t stamp = icmp_socket_stamp_ns(m);
	int64_t age = stamp ? wall_ns - stamp : 0;
	struct icmp_echo echo;

	if (m->msg_flags & MSG_TRUNC)
		return;
	if (icmp_packet_parse(e->family, e->raw && e->family == ICMP_V4, b->bytes[i],
		b->in[i].msg_len, &echo))
		return;
	if (e->raw && echo.id != e->id)
		return; /* another pinger's */
	if (age < 0 || age > STAMP_AGE_MAX_NS)
		age = 0;
	e->events.reply(e->events.arg, &echo, &b->from[i], mono_ns - age);
}

static int drain_batch(struct echo *e, struct inbox *b)
{
	inbox_prepare(b);
	int n = recvmmsg(e->fd, b->in, ECHO_BATCH, MSG_DONTWAIT, NULL);
	int64_t mono = ht_mono_ns(), wall = icmp_socket_wall_ns();

	for (int i = 0; i < n; i++)
		take_reply(e, b, (size_t)i, mono, wall);
	return n;
}

void echo_drain(struct echo *e)
{
	struct inbox b;

	for (int i = 0; i < BATCHES_A_TURN; i++) {
		if (drain_batch(e, &b) < ECHO_BATCH)
			return;
	}
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct echo *e = poll->data;

	(void)status;
	(void)events;
	e->events.readable(e->events.arg);
}

/* ---- life ---- */

ht_err echo_open_take(struct echo *e, uv_loop_t *loop, int fd, bool raw,
    enum icmp_family family, uint16_t id, const struct echo_events *events)
{
	e->fd = fd;
	e->raw = raw;
	e->family = family;
	e->id = id;
	e->events = *events;
	e->n_waiting = 0;
	icmp_socket_prepare(fd, family, raw);
	int rc = uv_poll_init(loop, &e->poll, fd);
	if (rc) {
		close(fd);
		return ht_err_errno(-rc);
	}
	e->poll.data = e;
	uv_poll_start(&e->poll, UV_READABLE, on_poll);
	return HT_OK;
}

static void on_closed(uv_handle_t *handle)
{
	struct echo *e = handle->data;

	close(e->fd);
	e->closed(e->events.arg);
}

void echo_close(struct echo *e, void (*closed)(void *arg))
{
	e->closed = closed;
	uv_close((uv_handle_t *)&e->poll, on_closed);
}
