#include "probes/wan/ping/echo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "probes/wan/ping/icmp_socket.h"

enum {
	OUT_BATCH = 32, /* packets in one call: between two readings of the clock */
	IN_BATCH = 64,
	/* more than a socket's buffer holds: who floods us cannot hold the loop */
	BATCHES_A_TURN = 512,
};

/* An older stamp, or one of the future: somebody moved the wall clock. */
#define STAMP_AGE_MAX_NS (5 * HT_NS_PER_S)

struct outbox {
	uint8_t bytes[OUT_BATCH][ECHO_PACKET];
	struct iovec iov[OUT_BATCH];
	struct mmsghdr out[OUT_BATCH];
	struct {
		uint32_t target;
		uint16_t seq;
	} whose[OUT_BATCH];
};

struct inbox {
	uint8_t bytes[IN_BATCH][ECHO_REPLY_MAX];
	char control[IN_BATCH][CMSG_SPACE(sizeof(struct timespec))];
	union echo_address from[IN_BATCH];
	struct iovec iov[IN_BATCH];
	struct mmsghdr in[IN_BATCH];
};

struct echo_box {
	struct outbox out;
	struct inbox in;
};

/* On raw IPv4 sockets the sender stands in the packet's own header. */
static bool has_ip_header(const struct echo *e)
{
	return e->raw && e->family == ICMP_V4;
}

/* ---- sending ---- */

static void outbox_init(struct outbox *b, enum icmp_family family)
{
	for (size_t i = 0; i < OUT_BATCH; i++) {
		b->iov[i] = (struct iovec){ b->bytes[i], ECHO_PACKET };
		b->out[i].msg_hdr = (struct msghdr){
			.msg_namelen = family == ICMP_V4 ? sizeof(struct sockaddr_in)
							 : sizeof(struct sockaddr_in6),
			.msg_iov = &b->iov[i],
			.msg_iovlen = 1,
		};
	}
}

/* The kernel takes a batch one after the other: so much for when each left. */
static void tell_sent(struct echo *e, size_t from, size_t n, int64_t t0, int64_t t1)
{
	for (size_t i = 0; i < n; i++)
		e->events.sent(e->events.arg, e->box->out.whose[from + i].target,
		    e->box->out.whose[from + i].seq,
		    t0 + (t1 - t0) * (int64_t)i / (int64_t)n);
}

static void tell_unsent(struct echo *e, size_t i, int err_no)
{
	e->events.unsent(
	    e->events.arg, e->box->out.whose[i].target, e->box->out.whose[i].seq, err_no);
}

/* No room on our side, whoever it is for. */
static bool is_full(int err_no)
{
	return err_no == EAGAIN || err_no == EWOULDBLOCK || err_no == ENOBUFS ||
	       err_no == ENOMEM;
}

void echo_flush(struct echo *e)
{
	size_t n = e->n_waiting, at = 0;
	int64_t t0 = n ? ht_mono_ns() : 0;

	e->n_waiting = 0;
	while (at < n) {
		int sent = sendmmsg(e->fd, e->box->out.out + at, (unsigned)(n - at),
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		int err_no = errno;
		int64_t t1 = ht_mono_ns();

		if (sent > 0) {
			tell_sent(e, at, (size_t)sent, t0, t1);
			at += (size_t)sent;
		} else if (err_no != EINTR) {
			/* The first of the rest is refused; those behind may pass, unless
			 * there is no room. */
			size_t end = is_full(err_no) ? n : at + 1;

			while (at < end)
				tell_unsent(e, at++, err_no);
		}
		t0 = t1;
	}
}

void echo_put(struct echo *e, const struct echo_request *q)
{
	struct outbox *b = &e->box->out;
	size_t i = e->n_waiting++;
	const struct icmp_echo echo = {
		.id = e->id, .seq = q->seq, .cookie = q->cookie, .tag = e->tag
	};

	icmp_packet_write(e->family, &echo, ECHO_PAYLOAD, b->bytes[i]);
	b->out[i].msg_hdr.msg_name = (void *)(uintptr_t)q->to;
	b->whose[i].target = q->target;
	b->whose[i].seq = q->seq;
	if (e->n_waiting == OUT_BATCH)
		echo_flush(e);
}

/* ---- receiving ---- */

static void prepare(struct echo *e, size_t i)
{
	struct inbox *b = &e->box->in;
	bool named = !has_ip_header(e);

	b->in[i].msg_hdr = (struct msghdr){
		.msg_name = named ? &b->from[i] : NULL,
		.msg_namelen = named ? sizeof(b->from[i]) : 0,
		.msg_iov = &b->iov[i],
		.msg_iovlen = 1,
		.msg_control = b->control[i],
		.msg_controllen = sizeof(b->control[i]),
	};
}

static void inbox_init(struct echo *e)
{
	struct inbox *b = &e->box->in;

	for (size_t i = 0; i < IN_BATCH; i++) {
		b->iov[i] = (struct iovec){ b->bytes[i], ECHO_REPLY_MAX };
		b->from[i].any.sa_family = AF_INET;
		prepare(e, i);
	}
}

/* Returns when the kernel received it, Unix nanoseconds, or 0. */
static int64_t take_reply(struct echo *e, size_t i, int64_t mono_ns, int64_t wall_ns)
{
	struct inbox *b = &e->box->in;
	struct msghdr *m = &b->in[i].msg_hdr;
	int64_t stamp = icmp_socket_stamp_ns(m);
	int64_t age = stamp ? wall_ns - stamp : 0;
	struct icmp_echo echo;

	if (m->msg_flags & MSG_TRUNC || icmp_packet_parse(e->family, has_ip_header(e),
					    b->bytes[i], b->in[i].msg_len, &echo)) {
		e->counters.malformed++;
		return stamp;
	}
	if (e->raw && echo.id != e->id)
		return stamp; /* another pinger's, from before the filter */
	if (age < 0 || age > STAMP_AGE_MAX_NS)
		age = 0;
	if (has_ip_header(e)) /* parsed: it is whole; RFC 791: the source */
		memcpy(&b->from[i].v4.sin_addr, b->bytes[i] + 12, 4);
	e->events.reply(e->events.arg, &echo, &b->from[i], mono_ns - age, mono_ns);
	return stamp;
}

/* Reads a batch; true when there may be more that arrived before `until_ns` (Unix). */
static bool drain_batch(struct echo *e, int64_t until_ns)
{
	int n = recvmmsg(e->fd, e->box->in.in, IN_BATCH, MSG_DONTWAIT, NULL);
	int64_t mono = ht_mono_ns(), wall = icmp_socket_wall_ns(), stamp = 0;

	for (int i = 0; i < n; i++) {
		stamp = take_reply(e, (size_t)i, mono, wall);
		prepare(e, (size_t)i);
	}
	return n == IN_BATCH && stamp <= until_ns;
}

/* Whether the kernel has dropped replies for want of room. Its count alone does not say
 * so: a stranger's IPv6 packet with a bad checksum is counted too. But a queue that was
 * full is still so when it is drained next. */
static bool overflowed(struct echo *e)
{
	struct icmp_socket_queue q;

	if (!icmp_socket_queue(e->fd, &q))
		return false;
	uint32_t more = q.drops - e->drops;
	bool full = q.bytes >= q.room / 2;
	bool lost = more && (full || e->was_full);

	e->drops = q.drops;
	e->was_full = full;
	e->counters.dropped += lost ? more : 0;
	return lost;
}

bool echo_drain(struct echo *e)
{
	int64_t now = icmp_socket_wall_ns();
	bool lost = overflowed(e);

	for (int i = 0; i < BATCHES_A_TURN && drain_batch(e, now); i++)
		;
	return lost;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct echo *e = poll->data;

	if (status < 0) /* libuv has stopped it: reading takes the error away */
		echo_watch(e, true);
	e->events.readable(e->events.arg);
}

void echo_watch(struct echo *e, bool on)
{
	if (on)
		uv_poll_start(&e->poll, UV_READABLE, on_poll);
	else
		uv_poll_stop(&e->poll);
}

/* ---- life ---- */

/* What came before the filter was there is nobody's: nothing was sent yet. */
static void discard(const struct echo *e)
{
	uint8_t byte;

	for (int i = 0; i < BATCHES_A_TURN * IN_BATCH; i++) {
		if (recv(e->fd, &byte, sizeof(byte), MSG_DONTWAIT) < 0)
			return;
	}
}

static ht_err draw(struct echo *e)
{
	uint8_t seed[sizeof(e->id) + sizeof(e->tag)];

	if (getrandom(seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		return HT_AGAIN;
	memcpy(&e->id, seed, sizeof(e->id));
	memcpy(&e->tag, seed + sizeof(e->id), sizeof(e->tag));
	return HT_OK;
}

ht_err echo_open_take(struct echo *e, uv_loop_t *loop, int fd, bool raw,
    enum icmp_family family, const struct echo_events *events)
{
	*e = (struct echo){ .fd = fd, .raw = raw, .family = family, .events = *events };
	e->box = calloc(1, sizeof(*e->box));
	ht_err err = e->box ? draw(e) : HT_NOMEM;
	if (!err) {
		int rc = uv_poll_init(loop, &e->poll, fd);

		err = rc ? ht_err_errno(-rc) : HT_OK;
	}
	if (err) {
		free(e->box);
		close(fd);
		return err;
	}
	e->poll.data = e;
	outbox_init(&e->box->out, family);
	inbox_init(e);
	icmp_socket_prepare(fd, family, raw);
	/* None is too large for any path, and the kernel draws no id for fragments. */
	icmp_socket_whole(fd, family);
	icmp_socket_filter(fd, family, raw,
	    &(struct icmp_socket_match){
		.by_id = raw, .id = e->id, .by_tag = true, .tag = e->tag });
	discard(e);
	(void)overflowed(e);
	e->counters = (struct echo_counters){ 0 };
	return HT_OK;
}

static void on_closed(uv_handle_t *handle)
{
	struct echo *e = handle->data;

	close(e->fd);
	free(e->box);
	e->closed(e->events.arg);
}

void echo_close(struct echo *e, void (*closed)(void *arg))
{
	e->closed = closed;
	uv_close((uv_handle_t *)&e->poll, on_closed);
}
