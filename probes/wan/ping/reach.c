/* reach: which links answer, second by second. Sockets and readings around the pure core
 * of base/reach.h, which decides all. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "probes/wan/ping/reach_list.h"

enum {
	FAMILIES = 2,
	COALESCE_FROM = 100,
	UNSENT_MAX = HT_REACH_STEP * HT_REACH_STEP_PINGS,
};

#define END_MARGIN_NS  (200 * HT_NS_PER_MS) /* to report before we are cancelled */
#define DRAIN_AGAIN_NS (50 * HT_NS_PER_MS)
/* So many targets let a tick come about every 10 ms: it reads what has arrived, and no
 * wake-up is spent on single replies. Their times are the kernel's. */
#define COALESCE_NS (10 * HT_NS_PER_MS)
#define TURN_NS     (20 * HT_NS_PER_MS) /* of the loop, at a time */

static const enum ht_metric reach_metrics[] = { HT_M_REACH_STATE,
	HT_M_REACH_UNANSWERED_FOR, HT_M_REACH_ANSWERED_AGO, HT_M_REACH_SENT,
	HT_M_REACH_RECEIVED, HT_M_REACH_RTT_AVG, HT_M_REACH_RTT_HISTOGRAM,
	HT_M_REACH_BLIND, HT_M_REACH_BLIND_REASON, HT_M_REACH_UNSENT, HT_M_REACH_DROPPED,
	HT_M_REACH_IGNORED, HT_M_REACH_TROUBLE };

/* A ping that could not leave; the core hears of it after its tick. */
struct unsent {
	uint32_t target;
	uint16_t seq;
	int err_no;
};

/* What went wrong with pings, on our side or a stranger's. */
struct tally {
	uint64_t unsent, dropped;         /* our own: they prove nothing */
	uint64_t late, forged, malformed; /* replies that count for nothing */
	uint64_t leaps;                   /* times that this process stood still */
};

struct reach_run {
	const struct probe_host *host;
	struct reach_list list;
	struct ht_reach *core;
	struct echo echo[FAMILIES];
	bool open[FAMILIES], asked[FAMILIES];
	ht_err refused[FAMILIES];         /* why there is no socket */
	size_t n_waiting;                 /* sockets that the monitor was asked for */
	struct unsent unsent[UNSENT_MAX]; /* of this tick */
	size_t n_unsent;
	int send_errno;         /* of the last ping that could not leave, while blind */
	int unsent_errno;       /* of the last at all */
	struct tally now, told; /* since the start */
	uv_timer_t timer;
	int64_t armed_ns;
	bool over;
	size_t n_closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- readings ---- */

static void emit(struct reach_run *r, const struct ht_reading *reading)
{
	r->host->emit(r->host, reading);
}

static void emit_seconds(
    struct reach_run *r, const char *id, enum ht_metric m, int64_t at_ns, double seconds)
{
	emit(r, &(struct ht_reading){
		    .metric = m, .instance = id, .at_ns = at_ns, .number = seconds });
}

static double seconds(int64_t ns)
{
	return (double)ns / HT_NS_PER_S;
}

/* With the seven digits of a float: four bytes on the wire instead of eight. */
static double round_trip_s(int64_t ns)
{
	return (double)(float)seconds(ns);
}

static void on_change(void *arg, uint32_t target, const struct ht_reach_change *c)
{
	struct reach_run *r = arg;
	const char *id = r->list.at[target].id;

	emit(r, &(struct ht_reading){ .metric = HT_M_REACH_STATE,
		    .instance = id,
		    .at_ns = c->at_ns,
		    .urgent = c->urgent,
		    .string = ht_reach_state_name(c->state) });
	if (c->lost_ns != HT_REACH_NEVER)
		emit_seconds(r, id, HT_M_REACH_UNANSWERED_FOR, c->at_ns,
		    seconds(c->at_ns - c->lost_ns));
	if (c->answered_ns != HT_REACH_NEVER)
		emit_seconds(r, id, HT_M_REACH_ANSWERED_AGO, c->at_ns,
		    seconds(c->at_ns - c->answered_ns));
}

static void on_minute(void *arg, uint32_t target, const struct ht_reach_minute *m)
{
	struct reach_run *r = arg;
	const char *id = r->list.at[target].id;
	char histogram[HT_HIST_TEXT];

	emit_seconds(r, id, HT_M_REACH_SENT, m->at_ns, m->sent);
	emit_seconds(r, id, HT_M_REACH_RECEIVED, m->at_ns, m->received);
	if (m->received == 0)
		return;
	emit_seconds(r, id, HT_M_REACH_RTT_AVG, m->at_ns,
	    round_trip_s(m->rtt_sum_ns / m->received));
	ht_hist_encode(m->rtt, histogram);
	emit(r, &(struct ht_reading){ .metric = HT_M_REACH_RTT_HISTOGRAM,
		    .instance = id,
		    .at_ns = m->at_ns,
		    .string = histogram });
}

static void sight_reason(
    const struct reach_run *r, enum ht_reach_sight sight, char *out, size_t cap)
{
	bool sent = r->send_errno == 0;

	if (sight == HT_REACH_SIGHTED)
		snprintf(out, cap, "the self-check targets answer");
	else if (sight == HT_REACH_UNCHECKED)
		snprintf(out, cap,
		    "there are no self-check targets: own trouble cannot be told from "
		    "that of links");
	else if (sight == HT_REACH_SELF_SILENT)
		snprintf(out, cap, "none of the %zu self-check targets answers%s%s",
		    r->list.n_self, sent ? "" : "; the last failure to send: ",
		    sent ? "" : strerror(r->send_errno));
	else
		snprintf(out, cap, "no ping can be sent: %s", strerror(r->send_errno));
}

static void emit_count(
    struct reach_run *r, enum ht_metric m, int64_t at_ns, uint64_t count)
{
	emit_seconds(r, r->host->instance, m, at_ns, (double)count);
}

static struct tally tally(const struct reach_run *r)
{
	const struct ht_reach_counters *c = ht_reach_counters(r->core);
	struct tally t = r->now;

	t.unsent = c->unsent;
	t.late = c->ignored;
	t.leaps = c->leaps;
	for (int f = 0; f < FAMILIES; f++) {
		if (!r->open[f])
			continue;
		t.dropped += r->echo[f].counters.dropped;
		t.malformed += r->echo[f].counters.malformed;
	}
	return t;
}

/* What has gone wrong since it was told last. */
static void tell_trouble(struct reach_run *r, int64_t at_ns)
{
	struct tally all = tally(r), *was = &r->told;
	const struct tally d = { .unsent = all.unsent - was->unsent,
		.dropped = all.dropped - was->dropped,
		.late = all.late - was->late,
		.forged = all.forged - was->forged,
		.malformed = all.malformed - was->malformed,
		.leaps = all.leaps - was->leaps };
	uint64_t ignored = d.late + d.forged + d.malformed;
	char text[400];

	r->told = all;
	emit_count(r, HT_M_REACH_UNSENT, at_ns, d.unsent);
	emit_count(r, HT_M_REACH_DROPPED, at_ns, d.dropped);
	emit_count(r, HT_M_REACH_IGNORED, at_ns, ignored);
	if (d.unsent + d.dropped + ignored + d.leaps == 0)
		return;
	snprintf(text, sizeof(text),
	    "%" PRIu64 " pings not sent%s%s; %" PRIu64
	    " replies dropped by this machine before they were read; ignored: %" PRIu64
	    " late or twice, %" PRIu64 " forged, %" PRIu64
	    " truncated or malformed; this process stood still %" PRIu64 " times",
	    d.unsent, d.unsent ? ": " : "", d.unsent ? strerror(r->unsent_errno) : "",
	    d.dropped, d.late, d.forged, d.malformed, d.leaps);
	emit(r, &(struct ht_reading){ .metric = HT_M_REACH_TROUBLE,
		    .instance = r->host->instance,
		    .at_ns = at_ns,
		    .string = text });
}

static void on_sight(void *arg, enum ht_reach_sight sight, int64_t at_ns)
{
	struct reach_run *r = arg;
	bool blind = sight == HT_REACH_SELF_SILENT || sight == HT_REACH_UNSENDABLE;
	char reason[256];

	if (!blind)
		r->send_errno = 0;
	sight_reason(r, sight, reason, sizeof(reason));
	emit(r, &(struct ht_reading){ .metric = HT_M_REACH_BLIND,
		    .instance = r->host->instance,
		    .at_ns = at_ns,
		    .urgent = true,
		    .boolean = blind });
	emit(r, &(struct ht_reading){ .metric = HT_M_REACH_BLIND_REASON,
		    .instance = r->host->instance,
		    .at_ns = at_ns,
		    .string = reason });
	tell_trouble(r, at_ns);
}

/* ---- pings ---- */

static void on_unsent(void *arg, uint32_t target, uint16_t seq, int err_no)
{
	struct reach_run *r = arg;

	r->send_errno = r->unsent_errno = err_no;
	if (r->n_unsent < UNSENT_MAX)
		r->unsent[r->n_unsent++] =
		    (struct unsent){ .target = target, .seq = seq, .err_no = err_no };
}

/* The kernel knows no way to that one, or its router says so. */
static bool is_routing(int err_no)
{
	return err_no == ENETUNREACH || err_no == EHOSTUNREACH || err_no == EHOSTDOWN;
}

static void tell_unsent(struct ht_reach *core, const struct unsent *u, int64_t now)
{
	if (is_routing(u->err_no))
		ht_reach_unroutable(core, u->target, u->seq, now);
	else
		ht_reach_unsent(core, u->target, u->seq, now);
}

static void on_send(void *arg, uint32_t target, uint16_t seq)
{
	struct reach_run *r = arg;
	const struct reach_target *t = &r->list.at[target];
	const struct echo_request q = {
		.target = target, .seq = seq, .cookie = t->cookie, .to = &t->address
	};

	if (r->open[t->family])
		echo_put(&r->echo[t->family], &q);
	else
		on_unsent(r, target, seq,
		    r->refused[t->family] == HT_DENIED ? EACCES : EPROTONOSUPPORT);
}

static void send_all(struct reach_run *r, int64_t now)
{
	for (int f = 0; f < FAMILIES; f++) {
		if (r->open[f])
			echo_flush(&r->echo[f]);
	}
	for (size_t i = 0; i < r->n_unsent; i++)
		tell_unsent(r->core, &r->unsent[i], now);
	r->n_unsent = 0;
}

/* Who answers must know the secret, and be the one who was asked. */
static void on_reply(void *arg, const struct icmp_echo *e, const union echo_address *from,
    int64_t at_ns, int64_t now_ns)
{
	struct reach_run *r = arg;
	const struct reach_target *t = reach_list_find(&r->list, e->cookie);

	if (!t || !reach_same_address(from, &t->address)) {
		r->now.forged++;
		return;
	}
	ht_reach_answer(r->core, (uint32_t)(t - r->list.at), e->seq, at_ns, now_ns);
}

static void on_sent(void *arg, uint32_t target, uint16_t seq, int64_t at_ns)
{
	struct reach_run *r = arg;

	ht_reach_sent(r->core, target, seq, at_ns);
}

static void drain(struct reach_run *r)
{
	bool lost = false;

	for (int f = 0; f < FAMILIES; f++) {
		if (r->open[f])
			lost |= echo_drain(&r->echo[f]);
	}
	if (lost)
		ht_reach_deaf(r->core, ht_mono_ns());
}

static bool coalesces(const struct reach_run *r)
{
	return r->list.n >= COALESCE_FROM;
}

static void on_timer(uv_timer_t *timer);

static void arm(struct reach_run *r, int64_t now)
{
	int64_t at = ht_reach_next_ns(r->core);
	int64_t end = r->host->deadline_ns - END_MARGIN_NS;

	if (coalesces(r) && at > now + COALESCE_NS)
		at = now + COALESCE_NS;
	if (at > end)
		at = end;
	if (at == r->armed_ns)
		return;
	r->armed_ns = at;
	uv_update_time(r->host->loop);
	uv_timer_start(&r->timer, on_timer,
	    at > now ? (uint64_t)((at - now + HT_NS_PER_MS - 1) / HT_NS_PER_MS) : 0, 0);
}

static void finish(struct reach_run *r)
{
	if (r->over)
		return;
	r->over = true;
	uv_timer_stop(&r->timer);
	if (r->core) {
		ht_reach_flush(r->core, ht_mono_ns());
		tell_trouble(r, ht_mono_ns());
	}
	r->host->done(r->host);
}

/* What arrived while we were late is no loss; nor while we were reading. */
static int64_t read_all(struct reach_run *r)
{
	int64_t now = ht_mono_ns(), before;

	do {
		before = now;
		drain(r);
		now = ht_mono_ns();
	} while (now - before > DRAIN_AGAIN_NS);
	return now;
}

static void on_timer(uv_timer_t *timer)
{
	struct reach_run *r = timer->data;
	int64_t began = ht_mono_ns(), now = began;

	r->armed_ns = INT64_MIN;
	if (r->over)
		return;
	/* In steps, so that what a step's pings bring back is read while the processor
	 * still has it at hand. On a machine that is too slow there is always more:
	 * others have their turn too. */
	for (bool more = true; more && now - began < TURN_NS;) {
		now = read_all(r);
		more = ht_reach_tick(r->core, now);
		send_all(r, now);
	}
	if (now >= r->host->deadline_ns - END_MARGIN_NS)
		finish(r);
	else
		arm(r, now);
}

static void on_readable(void *arg)
{
	struct reach_run *r = arg;

	if (r->over)
		return;
	drain(r);
	arm(r, ht_mono_ns());
}

/* ---- start and end ---- */

static void begin(struct reach_run *r)
{
	for (int f = 0; f < FAMILIES; f++) {
		if (r->open[f])
			echo_watch(&r->echo[f], !coalesces(r));
	}
	uv_timer_start(&r->timer, on_timer, 0, 0);
}

static void on_socket(
    struct reach_run *r, enum icmp_family f, const struct probe_grant *g)
{
	const struct echo_events events = { r, on_reply, on_sent, on_unsent,
		on_readable };
	ht_err err = g->err;

	if (!err)
		err =
		    echo_open_take(&r->echo[f], r->host->loop, g->fd, g->raw, f, &events);
	r->open[f] = !err;
	r->refused[f] = err;
	if (--r->n_waiting == 0)
		begin(r);
}

static void on_socket4(void *arg, const struct probe_grant *grant)
{
	on_socket(arg, ICMP_V4, grant);
}

static void on_socket6(void *arg, const struct probe_grant *grant)
{
	on_socket(arg, ICMP_V6, grant);
}

static void release(struct reach_run *r)
{
	ht_reach_free(r->core);
	reach_list_fini(&r->list);
	r->core = NULL;
}

static ht_err prepare(struct reach_run *r, const struct reach_options *o)
{
	const struct ht_reach_host host = { r, on_send, on_change, on_minute, on_sight };

	return reach_list_new(o, reach_list_server(o, r->host->site), &host, ht_mono_ns(),
	    &r->list, &r->core);
}

/* A family without a socket: its pings cannot leave, which is all there is to say. */
static void ask_sockets(struct reach_run *r)
{
	static const enum probe_privilege what[] = {
		[ICMP_V4] = PROBE_ICMP4_SOCKET, [ICMP_V6] = PROBE_ICMP6_SOCKET
	};
	static void (*const answer[])(void *, const struct probe_grant *) = {
		[ICMP_V4] = on_socket4, [ICMP_V6] = on_socket6
	};
	bool wanted[FAMILIES] = { false };

	for (size_t i = 0; i < r->list.n; i++)
		wanted[r->list.at[i].family] = true;
	for (int f = 0; f < FAMILIES; f++) {
		if (!wanted[f] || r->asked[f])
			continue;
		r->refused[f] = r->host->ask(r->host, what[f], NULL, answer[f], r);
		r->asked[f] = !r->refused[f];
		r->n_waiting += r->asked[f];
	}
	if (r->n_waiting == 0)
		begin(r);
}

static ht_err reach_start(void *run, const void *options, const struct probe_host *host)
{
	struct reach_run *r = run;

	r->host = host;
	r->armed_ns = INT64_MIN;
	ht_err err = prepare(r, options);
	if (err) {
		release(r);
		return err;
	}
	uv_timer_init(host->loop, &r->timer);
	r->timer.data = r;
	ask_sockets(r);
	return HT_OK;
}

static ht_err reach_retarget(void *run, const void *options)
{
	struct reach_run *r = run, old;
	int64_t now = ht_mono_ns();
	uint32_t *was = NULL;

	if (r->over || reach_list_server(options, r->host->site)->n == 0)
		return HT_INVALID;
	drain(r); /* the last answers to the old list */
	send_all(r, now);
	old = *r;
	r->core = NULL;
	r->list = (struct reach_list){ 0 };
	ht_err err = prepare(r, options);
	if (!err)
		was = calloc(r->list.n, sizeof(*was));
	if (!err && !was)
		err = HT_NOMEM;
	if (err) {
		release(r);
		*r = old;
		return err;
	}
	reach_list_match(&r->list, &old.list, was);
	ht_reach_inherit(r->core, old.core, was, now);
	free(was);
	release(&old);
	r->armed_ns = INT64_MIN;
	ask_sockets(r);
	return HT_OK;
}

static void closed_one(void *arg)
{
	struct reach_run *r = arg;

	if (--r->n_closing > 0)
		return;
	release(r);
	r->closed(r->closed_arg);
}

static void on_timer_closed(uv_handle_t *handle)
{
	closed_one(handle->data);
}

static void reach_cancel(void *run, void (*closed)(void *arg), void *arg)
{
	struct reach_run *r = run;

	if (r->closed)
		return;
	if (!r->over && r->core)
		ht_reach_flush(r->core, ht_mono_ns());
	r->over = true;
	r->closed = closed;
	r->closed_arg = arg;
	r->host->forget(r->host, r);
	r->n_closing = 1;
	uv_close((uv_handle_t *)&r->timer, on_timer_closed);
	for (int f = 0; f < FAMILIES; f++) {
		r->n_closing += r->open[f];
		if (r->open[f])
			echo_close(&r->echo[f], closed_one);
	}
}

const struct probe_ops probe_reach = {
	.name = "reach",
	.help = "which targets answer, second by second: up, suspect, down",
	.metrics = reach_metrics,
	.n_metrics = HT_COUNT(reach_metrics),
	.options = &reach_option_table,
	.run_size = sizeof(struct reach_run),
	.continuous = true,
	.endless = true,
	.start = reach_start,
	.cancel = reach_cancel,
	.retarget = reach_retarget,
	.check = reach_options_check,
};
