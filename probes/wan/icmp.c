/* icmp: one round of pings to one target, and, when asked, the MTU of the path to it. */
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "probes/probe.h"
#include "probes/wan/icmp_packet.h"
#include "probes/wan/icmp_socket.h"
#include "probes/wan/pmtu.h"
#include "probes/wan/resolve.h"
#include "probes/wan/round.h"

enum {
	SEARCH_MAX = 9000,
	COUNT_MAX = 200,
	PACKETS_A_TURN = 64,
	IP_HEAD_V4 = 20,
	IP_HEAD_V6 = 40
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
	struct sockaddr_storage to;
	enum icmp_family family;
	int fd;
	bool raw, finished, opened;
	bool searching; /* the round is over, the path's MTU is looked for */
	uv_poll_t poll;
	uv_timer_t pace, end; /* of the next ping; of the whole run */
	int open_handles;
	void (*closed)(void *arg);
	void *closed_arg;
	uint16_t id;
	const char *trouble; /* status if nothing is received; NULL: timeout */
	uint32_t router_mtu; /* what a router said fits, of a ping that was too large */
	char target[HT_ADDR_TEXT];
	int64_t started_ns;
	struct round round;
	struct pmtu pmtu;
	uint16_t search_seq; /* of the packet under way */
	struct round_ping pings[COUNT_MAX];
};

static size_t overhead(const struct icmp_run *r)
{
	return ICMP_HEAD + (r->family == ICMP_V4 ? IP_HEAD_V4 : IP_HEAD_V6);
}

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

static void emit_reason(const struct icmp_run *r)
{
	char text[ROUND_REASON_MAX + 128];
	size_t len;

	round_reason(&r->round, text);
	len = strlen(text);
	if (r->router_mtu)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "%sa router says that at most %" PRIu32 " bytes fit", len ? ", " : "",
		    r->router_mtu);
	if (r->searching && !pmtu_result(&r->pmtu))
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "%sno path MTU found with %u packets", len ? ", " : "",
		    r->pmtu.packets);
	if (len)
		emit_string(r, HT_M_ICMP_REASON, text);
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
	if (r->target[0])
		emit_string(r, HT_M_ICMP_TARGET, r->target);
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

static void finish_with(struct icmp_run *r, const char *trouble)
{
	r->trouble = trouble;
	finish(r);
}

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
	case EMSGSIZE:
		return "too-large";
	default:
		return "error";
	}
}

/* ---- sending ---- */

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

/* 0, or the errno. A waiting ICMP error of an earlier ping fails the first try. */
static int send_packet(const struct icmp_run *r, uint16_t seq, size_t payload)
{
	uint8_t packet[ICMP_PACKET_MAX];
	const struct icmp_echo e = { .id = r->id, .seq = seq, .cookie = r->round.cookie };
	size_t len = icmp_packet_write(r->family, &e, payload, packet);

	for (int tries = 0; tries < 2; tries++) {
		if (send(r->fd, packet, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
			return 0;
	}
	return errno;
}

/* ---- the path's MTU ---- */

static void search_on(struct icmp_run *r);
static void on_end(uv_timer_t *timer);

static void on_search_silence(uv_timer_t *timer)
{
	struct icmp_run *r = timer->data;

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

/* Our own interface refuses what is larger than it: so far nothing has left. */
static void take_local_error(struct icmp_run *r)
{
	uint8_t quote[ICMP_PACKET_MAX];
	struct icmp_socket_packet p;
	uint32_t mtu = 0;

	while (icmp_socket_error(r->fd, quote, sizeof(quote), &p)) {
		if (p.local && p.mtu)
			mtu = p.mtu;
	}
	pmtu_refused(&r->pmtu, mtu, true);
}

/* Send the next packet of the search; or the run is over. */
static void search_on(struct icmp_run *r)
{
	uint32_t size;

	while (!r->finished && (size = pmtu_next(&r->pmtu)) != 0) {
		int err_no = send_packet(r, ++r->search_seq, size - overhead(r));

		if (err_no == 0) {
			arm(r, &r->pace, on_search_silence, search_wait_ns(r));
			return;
		}
		if (err_no != EMSGSIZE)
			break;
		take_local_error(r);
	}
	finish(r);
}

static void search(struct icmp_run *r)
{
	bool v4 = r->family == ICMP_V4;

	r->searching = true;
	r->search_seq = (uint16_t)r->o->count;
	pmtu_init(&r->pmtu, v4 ? PMTU_LEAST_V4 : PMTU_LEAST_V6, SEARCH_MAX);
	icmp_socket_whole(r->fd, r->family);
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

static void take_reply(
    struct icmp_run *r, const uint8_t *bytes, const struct icmp_socket_packet *p)
{
	struct icmp_echo e;
	bool header = r->raw && r->family == ICMP_V4;

	if (p->truncated || icmp_packet_parse(r->family, header, bytes, p->len, &e)) {
		round_malformed(&r->round);
		return;
	}
	if (r->raw && e.id != r->id)
		return; /* another pinger's, from before the filter */
	if (r->searching && e.seq == r->search_seq && e.cookie == r->round.cookie)
		search_passed(r);
	else if (!r->searching || e.seq <= r->o->count)
		(void)round_take(&r->round, &e, p->stamp_ns, ht_mono_ns());
}

/* An ICMP error about one of our packets; the kernel matched it to this socket, but a
 * stranger can write one too. */
static void take_error(
    struct icmp_run *r, const uint8_t *quote, const struct icmp_socket_packet *p)
{
	struct icmp_echo e;

	if (p->local || p->err_no == 0)
		return;
	if (icmp_packet_parse_quote(r->family, quote, p->len, &e) ||
	    (r->raw && e.id != r->id) ||
	    (e.payload >= ICMP_COOKIE && e.cookie != r->round.cookie)) {
		r->round.n_forged++;
		return;
	}
	if (r->searching) {
		if (e.seq != r->search_seq || p->err_no != EMSGSIZE)
			return;
		pmtu_refused(&r->pmtu, p->mtu, false);
		search_on(r);
		return;
	}
	r->trouble = status_of(p->err_no);
	r->router_mtu = p->mtu;
}

static void on_readable(uv_poll_t *poll, int error, int events)
{
	struct icmp_run *r = poll->data;
	uint8_t bytes[ICMP_PACKET_MAX + 128];
	struct icmp_socket_packet p;

	if (error < 0) /* an ICMP error waits; libuv has stopped */
		uv_poll_start(poll, UV_READABLE, on_readable);
	for (int i = 0; i < PACKETS_A_TURN && !r->finished; i++) {
		if (!icmp_socket_receive(r->fd, bytes, sizeof(bytes), &p))
			break;
		take_reply(r, bytes, &p);
	}
	for (int i = 0; i < PACKETS_A_TURN && !r->finished; i++) {
		if (!icmp_socket_error(r->fd, bytes, sizeof(bytes), &p))
			break;
		take_error(r, bytes, &p);
	}
	if (r->round.n_answered == (size_t)r->o->count)
		round_over(r);
}

static void on_end(uv_timer_t *timer)
{
	struct icmp_run *r = timer->data;

	if (r->searching)
		finish(r);
	else
		round_over(r);
}

static void on_pace(uv_timer_t *timer)
{
	struct icmp_run *r = timer->data;
	uint16_t seq = round_send(&r->round, ht_mono_ns(), icmp_socket_wall_ns());
	int err_no = send_packet(r, seq, (size_t)r->o->size);

	if (err_no) { /* tried, and lost */
		r->trouble = status_of(err_no);
		round_refused(&r->round);
	}
	if (r->round.n_sent < (size_t)r->o->count)
		return;
	uv_timer_stop(&r->pace);
	arm(r, &r->end, on_end, r->o->timeout_ns);
}

/* ---- the way to the round: address, socket ---- */

static int set_up_socket(struct icmp_run *r)
{
	const int on = 1;
	bool v4 = r->family == ICMP_V4;

	icmp_socket_prepare(r->fd, r->family, r->raw);
	icmp_socket_filter(r->fd, r->family, r->raw,
	    &(struct icmp_socket_match){ .by_id = r->raw, .id = r->id });
	if (r->o->df)
		icmp_socket_whole(r->fd, r->family);
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
	arm(r, &r->end, on_end, (r->o->count - 1) * r->o->spacing_ns + r->o->timeout_ns);
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
	uint8_t seed[sizeof(r->round.cookie) + sizeof(r->id)];

	r->o = options;
	r->host = host;
	r->fd = -1;
	r->started_ns = ht_mono_ns();
	r->round.wait_ns = r->o->timeout_ns;
	r->round.payload = (size_t)r->o->size;
	r->round.pings = r->pings;
	if (getrandom(seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		return HT_AGAIN;
	memcpy(&r->round.cookie, seed, sizeof(r->round.cookie));
	memcpy(&r->id, seed + sizeof(r->round.cookie), sizeof(r->id));
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
	.help = "a round of pings: loss, round-trip times, jitter; and the path's MTU",
	.metrics = icmp_metrics,
	.n_metrics = HT_COUNT(icmp_metrics),
	.options = &icmp_option_table,
	.run_size = sizeof(struct icmp_run),
	.start = icmp_start,
	.cancel = icmp_cancel,
};
