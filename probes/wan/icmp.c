/* icmp: one round of pings to one target. */
#include <errno.h>
#include <time.h> /* linux/errqueue.h wants it first */
#include <linux/errqueue.h>
#include <math.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "probes/probe.h"
#include "probes/wan/icmp_packet.h"
#include "probes/wan/icmp_socket.h"
#include "probes/wan/resolve.h"

enum { COUNT_MAX = 100, PACKETS_A_TURN = 64 };
#define DEADLINE_MARGIN_NS    (100 * HT_NS_PER_MS) /* to report before we are cancelled */
#define KERNEL_CLOCK_SLACK_NS (HT_NS_PER_MS)

struct icmp_options {
	char *target;
	int64_t count, spacing_ns, timeout_ns, size;
	int family;
};

enum { FAMILY_ANY, FAMILY_4, FAMILY_6 };
static const char *const family_names[] = { "any", "ipv4", "ipv6", NULL };

#define OPT(f) offsetof(struct icmp_options, f)
static const struct ht_option option_rows[] = {
	{ "target", HT_OPT_STRING, OPT(target), .min = 1, .max = 253, .required = true,
	    .help = "address or name to ping" },
	{ "count", HT_OPT_INT, OPT(count), .min = 1, .max = COUNT_MAX, .def = "5",
	    .help = "pings in a round" },
	{ "spacing", HT_OPT_DURATION, OPT(spacing_ns), .min = 10 * HT_NS_PER_MS,
	    .max = 10 * HT_NS_PER_S, .def = "200ms", .help = "time between two pings" },
	{ "wait", HT_OPT_DURATION, OPT(timeout_ns), .min = 10 * HT_NS_PER_MS,
	    .max = 60 * HT_NS_PER_S, .def = "2s",
	    .help = "how long a reply is waited for" },
	{ "size", HT_OPT_INT, OPT(size), .min = ICMP_COOKIE, .max = ICMP_PAYLOAD_MAX,
	    .def = "56", .help = "bytes of payload in a ping" },
	{ "family", HT_OPT_ENUM, OPT(family), .def = "any", .names = family_names,
	    .help = "which addresses of a name to use" },
};
static const struct ht_options icmp_option_table =
    HT_OPTIONS(struct icmp_options, option_rows);

static const enum ht_metric icmp_metrics[] = { HT_M_ICMP_STATUS, HT_M_ICMP_TARGET,
	HT_M_ICMP_SENT, HT_M_ICMP_RECEIVED, HT_M_ICMP_LOSS, HT_M_ICMP_RTT_MIN,
	HT_M_ICMP_RTT_AVG, HT_M_ICMP_RTT_MAX, HT_M_ICMP_JITTER };

struct ping {
	bool sent, answered;
	int64_t mono_ns, wall_ns; /* when it was sent */
	int64_t rtt_ns;
};

struct icmp_run {
	const struct icmp_options *o;
	const struct probe_host *host;
	struct resolve *resolve;
	struct sockaddr_storage to;
	enum icmp_family family;
	int fd;
	bool raw, finished, opened;
	uv_poll_t poll;
	uv_timer_t pace, end;
	int open_handles;
	void (*closed)(void *arg);
	void *closed_arg;
	uint16_t id;
	uint64_t cookie;
	size_t n_sent; /* pings tried, also those that the kernel refused */
	size_t n_answered;
	const char *trouble; /* status if nothing is received; NULL: timeout */
	char target[HT_ADDR_TEXT];
	int64_t started_ns;
	struct ping pings[COUNT_MAX];
};

/* ---- results ---- */

static void emit_number(const struct icmp_run *r, enum ht_metric m, double v)
{
	r->host->emit(r->host, &(struct ht_reading){ .metric = m,
				   .instance = r->host->instance,
				   .at_ns = r->started_ns,
				   .number = v });
}

static void emit_string(const struct icmp_run *r, enum ht_metric m, const char *v)
{
	r->host->emit(r->host, &(struct ht_reading){ .metric = m,
				   .instance = r->host->instance,
				   .at_ns = r->started_ns,
				   .string = v });
}

/* Interarrival jitter, RFC 3550 section 6.4.1, over the replies in order of sending. */
static double jitter_s(const struct icmp_run *r)
{
	double jitter = 0;
	int64_t last = -1;

	for (size_t i = 0; i < r->n_sent; i++) {
		if (!r->pings[i].answered)
			continue;
		if (last >= 0)
			jitter +=
			    (fabs((double)(r->pings[i].rtt_ns - last)) - jitter) / 16;
		last = r->pings[i].rtt_ns;
	}
	return jitter / HT_NS_PER_S;
}

static void emit_rtt(const struct icmp_run *r)
{
	int64_t min = INT64_MAX, max = 0;
	double sum = 0;

	for (size_t i = 0; i < r->n_sent; i++) {
		const struct ping *p = &r->pings[i];

		if (!p->answered)
			continue;
		min = p->rtt_ns < min ? p->rtt_ns : min;
		max = p->rtt_ns > max ? p->rtt_ns : max;
		sum += (double)p->rtt_ns;
	}
	emit_number(r, HT_M_ICMP_RTT_MIN, (double)min / HT_NS_PER_S);
	emit_number(r, HT_M_ICMP_RTT_AVG, sum / (double)r->n_answered / HT_NS_PER_S);
	emit_number(r, HT_M_ICMP_RTT_MAX, (double)max / HT_NS_PER_S);
	if (r->n_answered > 1)
		emit_number(r, HT_M_ICMP_JITTER, jitter_s(r));
}

/* Pings that were sent and are decided: answered, or their time is over. A round cut
 * short by the deadline leaves some undecided, which are not counted as lost: those that
 * were waited for less than half their time. (An interval of two seconds with the usual
 * wait of two must still see a death.) */
static size_t decided(const struct icmp_run *r)
{
	int64_t now = ht_mono_ns();
	size_t n = 0;

	for (size_t i = 0; i < r->n_sent; i++) {
		const struct ping *p = &r->pings[i];

		n += p->sent && (p->answered || r->trouble ||
				    now - p->mono_ns >= r->o->timeout_ns / 2);
	}
	return n;
}

static void finish(struct icmp_run *r)
{
	size_t sent = decided(r);

	if (r->finished)
		return;
	r->finished = true;
	if (r->opened) {
		uv_poll_stop(&r->poll);
		uv_timer_stop(&r->pace);
	}
	uv_timer_stop(&r->end);
	if (r->target[0])
		emit_string(r, HT_M_ICMP_TARGET, r->target);
	if (sent) {
		emit_number(r, HT_M_ICMP_SENT, (double)sent);
		emit_number(r, HT_M_ICMP_RECEIVED, (double)r->n_answered);
		emit_number(
		    r, HT_M_ICMP_LOSS, (double)(sent - r->n_answered) / (double)sent);
	}
	if (r->n_answered)
		emit_rtt(r);
	emit_string(r, HT_M_ICMP_STATUS,
	    r->n_answered ? "ok"
	    : r->trouble  ? r->trouble
			  : "timeout");
	r->host->done(r->host);
}

static void finish_with(struct icmp_run *r, const char *trouble)
{
	r->trouble = trouble;
	finish(r);
}

/* ---- the round ---- */

/* What an errno of sending, connecting or an ICMP error means as a status. */
static const char *status_of(int err_no)
{
	switch (err_no) {
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EHOSTDOWN:
	case ECONNREFUSED:
	case EADDRNOTAVAIL:
		return "unreachable";
	case EPERM:
	case EACCES:
		return "denied";
	default:
		return "error";
	}
}

/* Between the kernel's receive stamp and our sending, unless the wall clock was moved
 * meanwhile: then by our own clock. */
static int64_t rtt_of(const struct ping *p, int64_t kernel_wall_ns)
{
	int64_t own = ht_mono_ns() - p->mono_ns;
	int64_t kernel = kernel_wall_ns - p->wall_ns;

	if (kernel_wall_ns && kernel >= 0 && kernel <= own + KERNEL_CLOCK_SLACK_NS)
		return kernel;
	return own;
}

static void take_reply(
    struct icmp_run *r, const uint8_t *bytes, size_t len, int64_t kernel_ns)
{
	struct icmp_echo e;

	if (icmp_packet_parse(r->family, r->raw && r->family == ICMP_V4, bytes, len, &e))
		return;
	if (e.cookie != r->cookie || (r->raw && e.id != r->id) || e.seq >= r->n_sent)
		return; /* forged, or of another pinger */
	struct ping *p = &r->pings[e.seq];

	if (!p->sent || p->answered)
		return; /* a duplicate */
	int64_t rtt = rtt_of(p, kernel_ns);

	if (rtt > r->o->timeout_ns)
		return; /* late: lost already */
	p->answered = true;
	p->rtt_ns = rtt;
	r->n_answered++;
}

/* An ICMP error about one of our pings; the kernel matched it to this socket. */
static void take_error(struct icmp_run *r, struct msghdr *m)
{
	struct sock_extended_err e;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		bool error = (c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR) ||
			     (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVERR);

		if (!error || c->cmsg_len < CMSG_LEN(sizeof(e)))
			continue;
		memcpy(&e, CMSG_DATA(c), sizeof(e));
		r->trouble = status_of((int)e.ee_errno);
	}
}

/* One packet or error of the socket; false when there is none. */
static bool take_one(struct icmp_run *r, int flags)
{
	uint8_t bytes[ICMP_PACKET_MAX + 128];
	union {
		struct cmsghdr align;
		char bytes[512];
	} control;
	struct iovec iov = { bytes, sizeof(bytes) };
	struct msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes) };
	ssize_t n = recvmsg(r->fd, &m, MSG_DONTWAIT | flags);

	if (n < 0) /* an error that waited is on the queue too */
		return errno != EAGAIN && errno != EWOULDBLOCK;
	if (flags & MSG_ERRQUEUE)
		take_error(r, &m);
	else if (!(m.msg_flags & MSG_TRUNC))
		take_reply(r, bytes, (size_t)n, icmp_socket_stamp_ns(&m));
	return true;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct icmp_run *r = poll->data;

	(void)status;
	(void)events;
	for (int i = 0; i < PACKETS_A_TURN && take_one(r, 0); i++)
		;
	for (int i = 0; i < PACKETS_A_TURN && take_one(r, MSG_ERRQUEUE); i++)
		;
	if (r->n_answered == (size_t)r->o->count)
		finish(r);
}

static void on_end(uv_timer_t *timer)
{
	finish(timer->data);
}

/* Wait for the last replies, but not beyond the deadline. */
static void arm_end(struct icmp_run *r, int64_t wait_ns)
{
	int64_t left = r->host->deadline_ns - DEADLINE_MARGIN_NS - ht_mono_ns();

	if (wait_ns > left)
		wait_ns = left > 0 ? left : 0;
	uv_timer_start(
	    &r->end, on_end, (uint64_t)((wait_ns + HT_NS_PER_MS - 1) / HT_NS_PER_MS), 0);
}

static void send_ping(struct icmp_run *r)
{
	uint8_t packet[ICMP_PACKET_MAX];
	struct icmp_echo e = {
		.id = r->id, .seq = (uint16_t)r->n_sent, .cookie = r->cookie
	};
	size_t len = icmp_packet_write(r->family, &e, (size_t)r->o->size, packet);
	struct ping *p = &r->pings[r->n_sent++];
	ssize_t n = -1;

	/* A waiting ICMP error of an earlier ping fails the first try. */
	for (int tries = 0; n < 0 && tries < 2; tries++) {
		p->mono_ns = ht_mono_ns();
		p->wall_ns = icmp_socket_wall_ns();
		n = send(r->fd, packet, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	p->sent = true; /* a refused one was tried, and is lost */
	if (n < 0)
		r->trouble = status_of(errno);
}

static void on_pace(uv_timer_t *timer)
{
	struct icmp_run *r = timer->data;

	send_ping(r);
	if (r->n_sent < (size_t)r->o->count)
		return;
	uv_timer_stop(&r->pace);
	arm_end(r, r->o->timeout_ns);
}

/* ---- the way to the round: address, socket ---- */

static int set_up_socket(struct icmp_run *r)
{
	const int on = 1;
	bool v4 = r->family == ICMP_V4;

	icmp_socket_prepare(r->fd, r->family, r->raw);
	if (v4)
		(void)setsockopt(r->fd, SOL_IP, IP_RECVERR, &on, sizeof(on));
	else
		(void)setsockopt(r->fd, SOL_IPV6, IPV6_RECVERR, &on, sizeof(on));
	/* connected: replies of other hosts never reach us */
	return connect(r->fd, (struct sockaddr *)&r->to,
	    v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
}

static void begin_round(struct icmp_run *r)
{
	int rc = uv_poll_init(r->host->loop, &r->poll, r->fd);

	if (rc) {
		finish_with(r, "error");
		return;
	}
	uv_timer_init(r->host->loop, &r->pace);
	r->opened = true;
	r->poll.data = r->pace.data = r;
	r->started_ns = ht_mono_ns();
	uv_poll_start(&r->poll, UV_READABLE, on_readable);
	arm_end(r, (r->o->count - 1) * r->o->spacing_ns + r->o->timeout_ns);
	uv_update_time(r->host->loop);
	uv_timer_start(&r->pace, on_pace, 0, (uint64_t)(r->o->spacing_ns / HT_NS_PER_MS));
}

static void on_socket(void *arg, const struct probe_grant *grant)
{
	struct icmp_run *r = arg;

	r->fd = grant->fd;
	r->raw = grant->raw;
	if (grant->err)
		finish_with(r, grant->err == HT_DENIED ? "denied" : "error");
	else if (set_up_socket(r))
		finish_with(r, status_of(errno));
	else
		begin_round(r);
}

static void on_address(void *arg, ht_err err, const struct sockaddr *addr)
{
	struct icmp_run *r = arg;

	r->resolve = NULL;
	if (err) {
		finish_with(r, "unresolved");
		return;
	}
	bool v4 = addr->sa_family == AF_INET;

	memcpy(
	    &r->to, addr, v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
	resolve_format(addr, r->target);
	r->family = v4 ? ICMP_V4 : ICMP_V6;
	err = r->host->ask(
	    r->host, v4 ? PROBE_ICMP4_SOCKET : PROBE_ICMP6_SOCKET, NULL, on_socket, r);
	if (err)
		finish_with(r, "error");
}

/* The name server is silent. */
static void on_unresolved(uv_timer_t *timer)
{
	finish_with(timer->data, "unresolved");
}

static ht_err icmp_start(void *run, const void *options, const struct probe_host *host)
{
	static const int families[] = {
		[FAMILY_ANY] = AF_UNSPEC, [FAMILY_4] = AF_INET, [FAMILY_6] = AF_INET6
	};
	struct icmp_run *r = run;
	uint8_t seed[sizeof(r->cookie) + sizeof(r->id)];

	r->o = options;
	r->host = host;
	r->fd = -1;
	r->started_ns = ht_mono_ns();
	if (getrandom(seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		return HT_AGAIN;
	memcpy(&r->cookie, seed, sizeof(r->cookie));
	memcpy(&r->id, seed + sizeof(r->cookie), sizeof(r->id));
	uv_timer_init(host->loop, &r->end);
	r->end.data = r;
	int64_t left = host->deadline_ns - DEADLINE_MARGIN_NS - r->started_ns;
	uv_timer_start(
	    &r->end, on_unresolved, left > 0 ? (uint64_t)(left / HT_NS_PER_MS) : 0, 0);
	ht_err err = resolve_start(
	    host->loop, r->o->target, families[r->o->family], on_address, r, &r->resolve);

	if (err) /* no memory for a lookup: as good as no answer */
		finish_with(r, "error");
	return HT_OK;
}

static void on_closed(uv_handle_t *h)
{
	struct icmp_run *r = h->data;

	if (--r->open_handles)
		return;
	if (r->fd >= 0)
		close(r->fd);
	r->closed(r->closed_arg);
}

static void icmp_cancel(void *run, void (*closed)(void *arg), void *arg)
{
	struct icmp_run *r = run;

	if (r->closed)
		return;
	r->finished = true;
	r->closed = closed;
	r->closed_arg = arg;
	r->host->forget(r->host, r);
	resolve_cancel(r->resolve);
	r->resolve = NULL;
	r->open_handles = r->opened ? 3 : 1;
	uv_close((uv_handle_t *)&r->end, on_closed);
	if (r->opened) {
		uv_close((uv_handle_t *)&r->poll, on_closed);
		uv_close((uv_handle_t *)&r->pace, on_closed);
	}
}

const struct probe_ops probe_icmp = {
	.name = "icmp",
	.help = "a round of pings: loss, round-trip times and jitter",
	.metrics = icmp_metrics,
	.n_metrics = HT_COUNT(icmp_metrics),
	.options = &icmp_option_table,
	.run_size = sizeof(struct icmp_run),
	.start = icmp_start,
	.cancel = icmp_cancel,
};
