/* tcp: one connection opened and closed. The addresses of a name are tried one after the
 * other, each with its share of the time that is left, until one answers; no two sockets
 * are ever open, and nothing is sent. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "probes/lan/tell.h"
#include "probes/probe.h"
#include "probes/wan/resolve.h"

#define DEADLINE_MARGIN_NS (100 * HT_NS_PER_MS) /* to report before we are cancelled */

struct tcp_options {
	char *target;
	int64_t port, wait_ns;
	int family, close;
};

enum { FAMILY_ANY, FAMILY_4, FAMILY_6 };
static const char *const family_names[] = { "any", "ipv4", "ipv6", NULL };
enum { CLOSE_CLEAN, CLOSE_RESET };
static const char *const close_names[] = { "clean", "reset", NULL };

#define OPT(f) offsetof(struct tcp_options, f)
static const struct ht_option option_rows[] = {
	{ "target", HT_OPT_STRING, OPT(target), .min = 1, .max = 253, .required = true,
	    .help = "address or name to connect to" },
	{ "port", HT_OPT_INT, OPT(port), .min = 1, .max = 65535, .required = true,
	    .help = "TCP port to connect to" },
	{ "wait", HT_OPT_DURATION, OPT(wait_ns), .min = 10 * HT_NS_PER_MS,
	    .max = 60 * HT_NS_PER_S, .def = "5s",
	    .help = "how long a connection is waited for, all addresses together" },
	{ "family", HT_OPT_ENUM, OPT(family), .def = "any", .names = family_names,
	    .help = "which addresses of a name to use" },
	{ "close", HT_OPT_ENUM, OPT(close), .def = "clean", .names = close_names,
	    .help =
		"clean: by FIN, as others do; reset: by RST, which leaves no state at "
		"either end but may be logged there" },
};
static const struct ht_options tcp_option_table =
    HT_OPTIONS(struct tcp_options, option_rows);

static const enum ht_metric tcp_metrics[] = { HT_M_TCP_STATUS, HT_M_TCP_TARGET,
	HT_M_TCP_CONNECT };

/* What became of one address; of several that failed the highest is told: who refused
 * has at least answered. */
enum outcome { NONE, FAILED, UNREACHABLE, DENIED, TIMED_OUT, REFUSED, CONNECTED };
static const char *const statuses[] = {
	[NONE] = "unresolved",
	[FAILED] = "error",
	[UNREACHABLE] = "unreachable",
	[DENIED] = "denied",
	[TIMED_OUT] = "timeout",
	[REFUSED] = "refused",
	[CONNECTED] = "ok",
};

struct attempt {
	uv_poll_t poll;
	int fd; /* -1: closed */
};

struct tcp_run {
	const struct tcp_options *o;
	const struct probe_host *host;
	struct resolve *resolve;
	struct resolve_address addresses[RESOLVE_ADDRESSES];
	struct attempt attempts[RESOLVE_ADDRESSES];
	size_t n, tried; /* the current one is tried - 1 */
	uv_timer_t timer;
	int64_t until_ns, started_ns, attempt_ns;
	enum outcome outcome;
	size_t told; /* index of the address that the outcome is of */
	double connect_s;
	bool finished;
	size_t open_handles;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void on_closed(uv_handle_t *h)
{
	struct tcp_run *r = h->data;

	if (--r->open_handles == 0 && r->closed)
		r->closed(r->closed_arg);
}

static void finish(struct tcp_run *r)
{
	const struct teller t = { r->host, r->host->instance, r->started_ns };
	char target[RESOLVE_TEXT];

	if (r->finished)
		return;
	r->finished = true;
	uv_timer_stop(&r->timer);
	if (r->outcome != NONE && r->n) {
		const struct resolve_address *a = &r->addresses[r->told];

		resolve_format_port((const struct sockaddr *)&a->at, target);
		tell_string(&t, HT_M_TCP_TARGET, target);
	}
	if (r->outcome == CONNECTED)
		tell_number(&t, HT_M_TCP_CONNECT, r->connect_s);
	tell_string(&t, HT_M_TCP_STATUS, statuses[r->outcome]);
	r->host->done(r->host);
}

/* ── one address ─────────────────────────────────────────────────────────────────── */

static enum outcome outcome_of(int err_no)
{
	switch (err_no) {
	case 0:
		return CONNECTED;
	case ECONNREFUSED:
	case ECONNRESET:
		return REFUSED;
	case ETIMEDOUT:
		return TIMED_OUT;
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EHOSTDOWN:
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
	case ENOPROTOOPT: /* by ICMP */
	case EPROTO:
		return UNREACHABLE;
	case EPERM:
	case EACCES:
		return DENIED;
	default:
		return FAILED;
	}
}

/* The kernel measured the SYN's round trip itself, which a busy loop cannot lengthen;
 * when the SYN had to be sent again, only our own clock knows the whole. */
static double connect_time(const struct tcp_run *r, int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);
	double own = (double)(ht_mono_ns() - r->attempt_ns) / HT_NS_PER_S;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) || info.tcpi_total_retrans)
		return own;
	double kernel = info.tcpi_rtt / 1e6;

	return kernel > 0 && kernel < own ? kernel : own;
}

static void drop(struct tcp_run *r, struct attempt *a)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (a->fd < 0)
		return;
	uv_poll_stop(&a->poll);
	uv_close((uv_handle_t *)&a->poll, on_closed);
	if (r->o->close == CLOSE_RESET)
		setsockopt(a->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(a->fd);
	a->fd = -1;
}

static void try_next(struct tcp_run *r);

static void settle(struct tcp_run *r, int err_no)
{
	struct attempt *a = &r->attempts[r->tried - 1];
	enum outcome outcome = outcome_of(err_no);

	if (outcome == CONNECTED)
		r->connect_s = connect_time(r, a->fd);
	drop(r, a);
	if (outcome > r->outcome) {
		r->outcome = outcome;
		r->told = r->tried - 1;
	}
	if (outcome == CONNECTED || r->tried == r->n || ht_mono_ns() >= r->until_ns)
		finish(r);
	else
		try_next(r);
}

static void on_writable(uv_poll_t *poll, int status, int events)
{
	struct tcp_run *r = poll->data;
	const struct attempt *a = &r->attempts[r->tried - 1];
	int err_no = 0;
	socklen_t len = sizeof(err_no);

	(void)events;
	/* libuv says EBADF for any error; the socket knows which */
	if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &err_no, &len))
		err_no = errno;
	if (!err_no && status < 0)
		err_no = -status;
	settle(r, err_no);
}

/* libuv runs timers before it looks at sockets: when we stood still, a connection that
 * was made meanwhile is no timeout. */
static void on_attempt_time(struct tcp_run *r)
{
	struct attempt *a = &r->attempts[r->tried - 1];
	struct pollfd p = { .fd = a->fd, .events = POLLOUT };

	if (poll(&p, 1, 0) > 0)
		on_writable(&a->poll, 0, UV_WRITABLE);
	else
		settle(r, ETIMEDOUT);
}

static void on_time(uv_timer_t *timer)
{
	struct tcp_run *r = timer->data;

	if (r->tried) {
		on_attempt_time(r);
		return;
	}
	resolve_cancel(r->resolve); /* the name server is silent */
	r->resolve = NULL;
	finish(r);
}

static void arm(struct tcp_run *r, int64_t wait_ns)
{
	int64_t ms = (wait_ns + HT_NS_PER_MS - 1) / HT_NS_PER_MS;

	uv_update_time(r->host->loop);
	uv_timer_start(&r->timer, on_time, ms > 0 ? (uint64_t)ms : 0, 0);
}

/* 0, or the errno of what failed at once. */
static int open_attempt(
    struct tcp_run *r, struct attempt *a, const struct resolve_address *to)
{
	int fd = socket(to->at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return errno;
	int rc = uv_poll_init(r->host->loop, &a->poll, fd);

	if (rc) {
		close(fd);
		return -rc;
	}
	a->fd = fd;
	a->poll.data = r;
	r->open_handles++;
	r->attempt_ns = ht_mono_ns();
	if (connect(fd, (const struct sockaddr *)&to->at, to->len) &&
	    errno != EINPROGRESS)
		return errno;
	return -uv_poll_start(&a->poll, UV_WRITABLE, on_writable);
}

static void try_next(struct tcp_run *r)
{
	size_t i = r->tried++;
	int64_t left = r->until_ns - ht_mono_ns();

	arm(r, left / (int64_t)(r->n - i));
	int err_no = open_attempt(r, &r->attempts[i], &r->addresses[i]);

	if (err_no)
		settle(r, err_no);
}

/* ── the run ─────────────────────────────────────────────────────────────────────── */

static void on_addresses(
    void *arg, ht_err err, const struct resolve_address *list, size_t n)
{
	struct tcp_run *r = arg;

	r->resolve = NULL;
	if (err) {
		finish(r);
		return;
	}
	memcpy(r->addresses, list, n * sizeof(*list));
	r->n = n;
	try_next(r);
}

static ht_err tcp_start(void *run, const void *options, const struct probe_host *host)
{
	static const int families[] = {
		[FAMILY_ANY] = AF_UNSPEC, [FAMILY_4] = AF_INET, [FAMILY_6] = AF_INET6
	};
	struct tcp_run *r = run;

	r->o = options;
	r->host = host;
	r->started_ns = ht_mono_ns();
	r->until_ns = r->started_ns + r->o->wait_ns;
	if (r->until_ns > host->deadline_ns - DEADLINE_MARGIN_NS)
		r->until_ns = host->deadline_ns - DEADLINE_MARGIN_NS;
	for (size_t i = 0; i < RESOLVE_ADDRESSES; i++)
		r->attempts[i].fd = -1;
	uv_timer_init(host->loop, &r->timer);
	r->timer.data = r;
	r->open_handles = 1;
	arm(r, r->until_ns - r->started_ns);
	ht_err err = resolve_start_all(host->loop, r->o->target, families[r->o->family],
	    (uint16_t)r->o->port, on_addresses, r, &r->resolve);

	if (err) { /* no memory for a lookup */
		r->outcome = FAILED;
		finish(r);
	}
	return HT_OK;
}

static void tcp_cancel(void *run, void (*closed)(void *arg), void *arg)
{
	struct tcp_run *r = run;

	if (r->closed)
		return;
	r->finished = true;
	r->closed = closed;
	r->closed_arg = arg;
	resolve_cancel(r->resolve);
	r->resolve = NULL;
	for (size_t i = 0; i < r->tried; i++)
		drop(r, &r->attempts[i]);
	uv_close((uv_handle_t *)&r->timer, on_closed);
}

extern const struct probe_ops probe_tcp;
const struct probe_ops probe_tcp = {
	.name = "tcp",
	.help = "a connection opened and closed: whether a service is there, and how far",
	.metrics = tcp_metrics,
	.n_metrics = HT_COUNT(tcp_metrics),
	.options = &tcp_option_table,
	.run_size = sizeof(struct tcp_run),
	.start = tcp_start,
	.cancel = tcp_cancel,
};
