/* icmp: one round of pings to one target, and, when asked, the MTU of the path to it. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "probes/probe.h"
#include "probes/wan/ping/icmp_peer.h"
#include "probes/wan/ping/icmp_socket.h"
#include "probes/wan/ping/pmtu.h"
#include "probes/wan/resolve.h"
#include "probes/wan/ping/round.h"

enum {
	SEARCH_MAX = 9000,
	COUNT_MAX = 200,
	PACKETS_A_TURN = 64,
	PACKETS_AT_END = 1024, /* more than a socket holds of small ones */
	REASON_MAX = 1024,
};
#define DEADLINE_MARGIN_NS (100 * HT_NS_PER_MS) /* to report before we are cancelled */
#define SEARCH_SLACK_NS \
	(100 * HT_NS_PER_MS) /* beside four times the longest round trip */

struct icmp_options {
	char *target;
	int64_t count, spacing_ns, timeout_ns, size;
	int family;
	bool df, path_mtu;
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
	{ "df", HT_OPT_BOOL, OPT(df), .def = "false",
	    .help = "pings may not be fragmented: one that is too large for the path is "
		    "lost" },
	{ "path_mtu", HT_OPT_BOOL, OPT(path_mtu), .def = "false",
	    .help = "after the round, search for the largest packet that passes whole "
		    "(at most 48 packets, one at a time)" },
	{ "family", HT_OPT_ENUM, OPT(family), .def = "any", .names = family_names,
	    .help = "which addresses of a name to use" },
};
static const struct ht_options icmp_option_table =
    HT_OPTIONS(struct icmp_options, option_rows);

static const enum ht_metric icmp_metrics[] = { HT_M_ICMP_STATUS, HT_M_ICMP_TARGET,
	HT_M_ICMP_SENT, HT_M_ICMP_RECEIVED, HT_M_ICMP_LOSS, HT_M_ICMP_RTT_MIN,
	HT_M_ICMP_RTT_AVG, HT_M_ICMP_RTT_MAX, HT_M_ICMP_RTT_P50, HT_M_ICMP_RTT_P95,
	HT_M_ICMP_RTT_HISTOGRAM, HT_M_ICMP_DUPLICATES, HT_M_ICMP_PAYLOAD,
	HT_M_ICMP_PATH_MTU, HT_M_ICMP_REASON, HT_M_ICMP_JITTER };

struct icmp_run {
	const struct icmp_options *o;
	const struct probe_host *host;
	struct resolve *resolve;
	struct icmp_peer peer;
	bool finished, opened;
	bool searching; /* the round is over, the path's MTU is looked for */
	uv_poll_t poll;
	uv_timer_t pace, end; /* of the next ping; of the whole run */
	int open_handles;
	void (*closed)(void *arg);
	void *closed_arg;
	const char *trouble; /* status if nothing is received; NULL: timeout */
	const char *why;     /* there was no round, a sentence */
	uint32_t router_mtu; /* what a router said fits, of a ping that was too large */
	int64_t started_ns;
	struct round round;
	struct pmtu pmtu;
	uint16_t search_seq; /* of the packet under way */
	struct round_ping pings[COUNT_MAX];
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

static void emit_times(const struct icmp_run *r)
{
	char histogram[HT_HIST_TEXT];
	struct round_times t;

	round_times(&r->round, &t);
	emit_number(r, HT_M_ICMP_RTT_MIN, (double)t.min_ns / HT_NS_PER_S);
	emit_number(r, HT_M_ICMP_RTT_AVG, (double)t.avg_ns / HT_NS_PER_S);
	emit_number(r, HT_M_ICMP_RTT_MAX, (double)t.max_ns / HT_NS_PER_S);
	emit_number(r, HT_M_ICMP_RTT_P50, (double)t.p50_ns / HT_NS_PER_S);
	emit_number(r, HT_M_ICMP_RTT_P95, (double)t.p95_ns / HT_NS_PER_S);
	ht_hist_encode(&t.hist, histogram);
	emit_string(r, HT_M_ICMP_RTT_HISTOGRAM, histogram);
	if (r->round.n_answered > 1)
		emit_number(r, HT_M_ICMP_JITTER, r->round.jitter_ns / HT_NS_PER_S);
}

static void emit_counts(const struct icmp_run *r, size_t sent)
{
	size_t received = r->round.n_answered;

	emit_number(r, HT_M_ICMP_SENT, (double)sent);
	emit_number(r, HT_M_ICMP_RECEIVED, (double)received);
	emit_number(r, HT_M_ICMP_LOSS, (double)(sent - received) / (double)sent);
	emit_number(r, HT_M_ICMP_DUPLICATES, (double)r->round.n_duplicate);
	emit_number(r, HT_M_ICMP_PAYLOAD, (double)r->o->size);
}

static void HT_PRINTF(2, 3) add_reason(struct ht_buf *b, const char *fmt, ...)
{
	char text[ROUND_REASON_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (text[0])
		ht_buf_printf(b, "%s%s", b->len ? ", " : "", text);
}

static void emit_reason(const struct icmp_run *r)
{
	char text[ROUND_REASON_MAX];
	struct ht_buf b;

	ht_buf_init(&b, REASON_MAX);
	round_reason(&r->round, text);
	add_reason(&b, "%s", r->why ? r->why : "");
	add_reason(&b, "%s", text);
	if (r->router_mtu)
		add_reason(&b, "a router says that at most %" PRIu32 " bytes fit",
		    r->router_mtu);
	if (r->searching && !pmtu_result(&r->pmtu))
		add_reason(&b, "no path MTU found with %u packets", r->pmtu.packets);
	if (b.len && !ht_buf_err(&b))
		emit_string(r, HT_M_ICMP_REASON, (const char *)b.data);
	ht_buf_fini(&b);
}

static const char *status(const struct icmp_run *r)
{
	if (r->round.n_answered)
		return "ok";
	if (r->trouble)
		return r->trouble;
	return "timeout";
}

static void finish(struct icmp_run *r)
{
	size_t sent = round_decided(&r->round, ht_mono_ns(), r->trouble != NULL);

	if (r->finished)
		return;
	r->finished = true;
	if (r->opened) {
		uv_poll_stop(&r->poll);
		uv_timer_stop(&r->pace);
	}
	uv_timer_stop(&r->end);
	if (r->peer.text[0])
		emit_string(r, HT_M_ICMP_TARGET, r->peer.text);
	if (sent)
		emit_counts(r, sent);
	if (r->round.n_answered)
		emit_times(r);
	if (pmtu_result(&r->pmtu))
		emit_number(r, HT_M_ICMP_PATH_MTU, pmtu_result(&r->pmtu));
	emit_reason(r);
	emit_string(r, HT_M_ICMP_STATUS, status(r));
	r->host->done(r->host);
}

static void finish_with(struct icmp_run *r, const char *trouble, const char *why)
{
	r->trouble = trouble;
	r->why = why;
	finish(r);
}

/* ---- time ---- */

/* Wait for the last replies, but not beyond the deadline. */
static void arm(
    const struct icmp_run *r, uv_timer_t *timer, uv_timer_cb then, int64_t wait_ns)
{
	int64_t left = r->host->deadline_ns - DEADLINE_MARGIN_NS - ht_mono_ns();

	if (wait_ns > left)
		wait_ns = left > 0 ? left : 0;
	uv_update_time(r->host->loop);
	uv_timer_start(
	    timer, then, (uint64_t)((wait_ns + HT_NS_PER_MS - 1) / HT_NS_PER_MS), 0);
}

/* ---- the path's MTU ---- */

static void search_on(struct icmp_run *r);
static void on_end(uv_timer_t *timer);
static void drain(struct icmp_run *r, int most);

static void on_search_silence(uv_timer_t *timer)
{
	struct icmp_run *r = timer->data;
	uint16_t seq = r->search_seq;

	drain(r, PACKETS_AT_END);
	if (r->finished || r->search_seq != seq)
		return;
	pmtu_silent(&r->pmtu);
	search_on(r);
}

static int64_t search_wait_ns(const struct icmp_run *r)
{
	struct round_times t;

	round_times(&r->round, &t);
	int64_t wait = 4 * t.max_ns + SEARCH_SLACK_NS;

	return wait < r->o->timeout_ns ? wait : r->o->timeout_ns;
}

/* Send the next packet of the search; or the run is over. */
static void search_on(struct icmp_run *r)
{
	uint32_t size;

	while (!r->finished && (size = pmtu_next(&r->pmtu)) != 0) {
		int err_no = icmp_peer_send(
		    &r->peer, ++r->search_seq, size - icmp_peer_overhead(&r->peer));

		if (err_no == 0) {
			arm(r, &r->pace, on_search_silence, search_wait_ns(r));
			return;
		}
		if (err_no != EMSGSIZE)
			break;
		pmtu_refused(&r->pmtu, icmp_peer_interface_mtu(&r->peer), true);
	}
	finish(r);
}

static void search(struct icmp_run *r)
{
	bool v4 = r->peer.family == ICMP_V4;

	r->searching = true;
	r->search_seq = (uint16_t)r->o->count;
	pmtu_init(&r->pmtu, v4 ? PMTU_LEAST_V4 : PMTU_LEAST_V6, SEARCH_MAX);
	icmp_socket_whole(r->peer.fd, r->peer.family);
	arm(r, &r->end, on_end, INT64_MAX);
	search_on(r);
}

static void search_passed(struct icmp_run *r)
{
	pmtu_passed(&r->pmtu);
	search_on(r);
}

/* ---- the round ---- */

/* All pings are decided. */
static void round_over(struct icmp_run *r)
{
	if (r->finished || r->searching)
		return;
	uv_timer_stop(&r->pace);
	if (r->o->path_mtu && r->round.n_answered)
		search(r);
	else
		finish(r);
}

static void take_reply(struct icmp_run *r, const struct icmp_event *e)
{
	if (r->searching && e->echo.seq == r->search_seq &&
	    e->echo.cookie == r->peer.cookie)
		search_passed(r);
	else if (!r->searching || e->echo.seq <= r->o->count)
		(void)round_take(&r->round, &e->echo, e->stamp_ns, ht_mono_ns());
}

static void take_error(struct icmp_run *r, const struct icmp_event *e)
{
	if (!r->searching) {
		r->trouble = icmp_peer_status(e->err_no);
		r->router_mtu = e->mtu;
	} else if (e->echo.seq == r->search_seq && e->err_no == EMSGSIZE) {
		pmtu_refused(&r->pmtu, e->mtu, false);
		search_on(r);
	}
}

static void take(struct icmp_run *r, const struct icmp_event *e)
{
	switch (e->kind) {
	case ICMP_EVENT_REPLY:
		take_reply(r, e);
		break;
	case ICMP_EVENT_ERROR:
		take_error(r, e);
		break;
	case ICMP_EVENT_FORGED:
		round_forged(&r->round);
		break;
	case ICMP_EVENT_MALFORMED:
		round_malformed(&r->round);
		break;
	case ICMP_EVENT_OTHER:
		break;
	}
}

static void drain(struct icmp_run *r, int most)
{
	struct icmp_event e;

	for (int i = 0; i < most && !r->finished; i++) {
		if (!icmp_peer_next(&r->peer, &e))
			break;
		take(r, &e);
	}
}

static void on_readable(uv_poll_t *poll, int error, int events)
{
	struct icmp_run *r = poll->data;

	if (error < 0) /* an ICMP error waits; libuv has stopped */
		uv_poll_start(poll, UV_READABLE, on_readable);
	drain(r, PACKETS_A_TURN);
	if (r->round.n_answered == (size_t)r->o->count)
		round_over(r);
}

/* libuv runs timers before it reads sockets: when we stood still, the replies that came
 * meanwhile are no losses. */
static void on_end(uv_timer_t *timer)
{
	struct icmp_run *r = timer->data;

	if (r->opened)
		drain(r, PACKETS_AT_END);
	if (r->searching)
		finish(r);
	else
		round_over(r);
}

static void on_pace(uv_timer_t *timer)
{
	struct icmp_run *r = timer->data;
	uint16_t seq = round_send(&r->round, ht_mono_ns(), icmp_socket_wall_ns());
	int err_no = icmp_peer_send(&r->peer, seq, (size_t)r->o->size);

	if (err_no) { /* tried, and lost */
		r->trouble = icmp_peer_status(err_no);
		round_refused(&r->round);
	}
	if (r->round.n_sent < (size_t)r->o->count)
		return;
	uv_timer_stop(&r->pace);
	arm(r, &r->end, on_end, r->o->timeout_ns);
}

/* ---- the way to the round: address, socket ---- */

static void begin_round(struct icmp_run *r)
{
	int rc = uv_poll_init(r->host->loop, &r->poll, r->peer.fd);

	if (rc) {
		finish_with(r, "error", uv_strerror(rc));
		return;
	}
	uv_timer_init(r->host->loop, &r->pace);
	r->opened = true;
	r->poll.data = r->pace.data = r;
	r->started_ns = ht_mono_ns();
	uv_poll_start(&r->poll, UV_READABLE, on_readable);
	arm(r, &r->end, on_end, (r->o->count - 1) * r->o->spacing_ns + r->o->timeout_ns);
	uv_timer_start(&r->pace, on_pace, 0, (uint64_t)(r->o->spacing_ns / HT_NS_PER_MS));
}

static void on_socket(void *arg, const struct probe_grant *grant)
{
	struct icmp_run *r = arg;
	bool denied = grant->err == HT_DENIED;
	int err_no;

	if (grant->err) {
		finish_with(r, denied ? "denied" : "error",
		    denied ? "no right to open an ICMP socket"
			   : "no ICMP socket could be opened");
		return;
	}
	err_no = icmp_peer_open(&r->peer, grant->fd, grant->raw, r->o->df);
	if (err_no)
		finish_with(
		    r, icmp_peer_status(err_no), "this machine has no way to the target");
	else
		begin_round(r);
}

static void on_address(void *arg, ht_err err, const struct sockaddr *addr)
{
	struct icmp_run *r = arg;

	r->resolve = NULL;
	if (err) {
		finish_with(r, "unresolved",
		    "the target's name has no address of the family that is asked for");
		return;
	}
	bool v4 = addr->sa_family == AF_INET;

	icmp_peer_address(&r->peer, addr);
	err = r->host->ask(
	    r->host, v4 ? PROBE_ICMP4_SOCKET : PROBE_ICMP6_SOCKET, NULL, on_socket, r);
	if (err)
		finish_with(r, "error", "the monitor takes no more requests");
}

/* The name server is silent. */
static void on_unresolved(uv_timer_t *timer)
{
	finish_with(timer->data, "unresolved",
	    "no name server has answered for the target's name in time");
}

static ht_err icmp_start(void *run, const void *options, const struct probe_host *host)
{
	static const int families[] = {
		[FAMILY_ANY] = AF_UNSPEC, [FAMILY_4] = AF_INET, [FAMILY_6] = AF_INET6
	};
	struct icmp_run *r = run;
	r->o = options;
	r->host = host;
	r->started_ns = ht_mono_ns();
	r->round.wait_ns = r->o->timeout_ns;
	r->round.payload = (size_t)r->o->size;
	r->round.pings = r->pings;
	ht_err err = icmp_peer_init(&r->peer);
	if (err)
		return err;
	r->round.cookie = r->peer.cookie;
	uv_timer_init(host->loop, &r->end);
	r->end.data = r;
	int64_t left = host->deadline_ns - DEADLINE_MARGIN_NS - r->started_ns;
	uv_timer_start(
	    &r->end, on_unresolved, left > 0 ? (uint64_t)(left / HT_NS_PER_MS) : 0, 0);
	err = resolve_start(
	    host->loop, r->o->target, families[r->o->family], on_address, r, &r->resolve);

	if (err) /* no memory for a lookup: as good as no answer */
		finish_with(r, "error", "no memory to look the target's name up");
	return HT_OK;
}

static void on_closed(uv_handle_t *h)
{
	struct icmp_run *r = h->data;

	if (--r->open_handles)
		return;
	if (r->peer.fd >= 0)
		close(r->peer.fd);
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
	.help = "a round of pings: loss, round-trip times, jitter; and the path's MTU",
	.metrics = icmp_metrics,
	.n_metrics = HT_COUNT(icmp_metrics),
	.options = &icmp_option_table,
	.run_size = sizeof(struct icmp_run),
	.start = icmp_start,
	.cancel = icmp_cancel,
};
