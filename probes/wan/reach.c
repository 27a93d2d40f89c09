/* reach: which links answer, second by second. Sockets and readings around the pure core
 * of base/reach.h, which decides all. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/name.h"
#include "base/reach.h"
#include "probes/probe.h"
#include "probes/wan/echo.h"

enum { TARGETS_MAX = 20000, SELF_MAX = 16, FAMILIES = 2, PINGS_A_TURN = 3 };

#define COOKIE_BITS    40 /* of a cookie that are secret; the rest is the target */
#define END_MARGIN_NS  (200 * HT_NS_PER_MS) /* to report before we are cancelled */
#define DRAIN_AGAIN_NS (50 * HT_NS_PER_MS)

struct reach_item {
	char *id, *address;
	struct ht_strings parents;
};

struct reach_options {
	struct ht_list targets; /* struct reach_item */
	struct ht_strings target, self;
	int64_t burst_rate;
};

#define ITEM(f) offsetof(struct reach_item, f)
static const struct ht_option item_rows[] = {
	{ "id", HT_OPT_STRING, ITEM(id), .min = 1, .max = HT_INSTANCE_MAX,
	    .required = true, .help = "the link's id in the registry, or <link>:<role>" },
	{ "address", HT_OPT_STRING, ITEM(address), .min = 1, .max = HT_ADDR_TEXT,
	    .required = true, .help = "IPv4 or IPv6 address to ping" },
	{ "parents", HT_OPT_STRINGS, ITEM(parents), .max = HT_REACH_PARENTS_MAX,
	    .help = "targets that it is reached through; one that is not in the list is "
		    "passed over" },
};
static const struct ht_options item_table = HT_OPTIONS(struct reach_item, item_rows);

#define OPT(f) offsetof(struct reach_options, f)
static const struct ht_option option_rows[] = {
	{ "targets", HT_OPT_LIST, OPT(targets), .max = TARGETS_MAX, .sub = &item_table,
	    .help = "whom to ping, once a second" },
	{ "target", HT_OPT_STRINGS, OPT(target), .max = TARGETS_MAX,
	    .help = "more addresses to ping, each under its own name" },
	{ "self", HT_OPT_STRINGS, OPT(self), .max = SELF_MAX,
	    .help = "own gateway and independent addresses: while none of them answers, "
		    "nothing is said of the targets" },
	{ "burst_rate", HT_OPT_INT, OPT(burst_rate), .min = 100, .max = 100000,
	    .def = "10000",
	    .help = "pings a second of all suspicions together, at most" },
};
static const struct ht_options reach_option_table =
    HT_OPTIONS(struct reach_options, option_rows);

static const enum ht_metric reach_metrics[] = { HT_M_REACH_STATE,
	HT_M_REACH_UNANSWERED_FOR, HT_M_REACH_ANSWERED_AGO, HT_M_REACH_SENT,
	HT_M_REACH_RECEIVED, HT_M_REACH_RTT_MIN, HT_M_REACH_RTT_AVG, HT_M_REACH_RTT_MAX,
	HT_M_REACH_RTT_HISTOGRAM, HT_M_REACH_BLIND, HT_M_REACH_BLIND_REASON };

struct target {
	char id[HT_INSTANCE_MAX + 1];
	union echo_address address;
	enum icmp_family family;
	uint64_t cookie; /* its index, and a secret */
};

/* A ping that could not leave; the core hears of it after its tick. */
struct unsent {
	uint32_t target;
	uint16_t seq;
};

struct reach_run {
	const struct probe_host *host;
	struct target *targets;
	size_t n, n_self;
	struct ht_reach *core;
	struct echo echo[FAMILIES];
	bool open[FAMILIES], asked[FAMILIES];
	ht_err refused[FAMILIES]; /* why there is no socket */
	size_t n_waiting;         /* sockets that the monitor was asked for */
	struct unsent *unsent;    /* of this turn, PINGS_A_TURN a target */
	size_t n_unsent;
	int send_errno; /* of the last ping that could not leave */
	uint16_t ident;
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

static void on_change(void *arg, uint32_t target, const struct ht_reach_change *c)
{
	struct reach_run *r = arg;
	const char *id = r->targets[target].id;

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
	const char *id = r->targets[target].id;
	char histogram[HT_HIST_TEXT];

	emit_seconds(r, id, HT_M_REACH_SENT, m->at_ns, m->sent);
	emit_seconds(r, id, HT_M_REACH_RECEIVED, m->at_ns, m->received);
	if (m->received == 0)
		return;
	emit_seconds(r, id, HT_M_REACH_RTT_MIN, m->at_ns, seconds(m->rtt_min_ns));
	emit_seconds(r, id, HT_M_REACH_RTT_AVG, m->at_ns,
	    seconds(m->rtt_sum_ns) / (double)m->received);
	emit_seconds(r, id, HT_M_REACH_RTT_MAX, m->at_ns, seconds(m->rtt_max_ns));
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
		    r->n_self, sent ? "" : "; the last failure to send: ",
		    sent ? "" : strerror(r->send_errno));
	else
		snprintf(out, cap, "no ping can be sent: %s", strerror(r->send_errno));
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
}

/* ---- pings ---- */

static void on_unsent(void *arg, uint32_t target, uint16_t seq, int err_no)
{
	struct reach_run *r = arg;

	r->send_errno = err_no;
	if (r->n_unsent < r->n * PINGS_A_TURN)
		r->unsent[r->n_unsent++] =
		    (struct unsent){ .target = target, .seq = seq };
}

static void on_send(void *arg, uint32_t target, uint16_t seq)
{
	struct reach_run *r = arg;
	const struct target *t = &r->targets[target];
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
		ht_reach_unsent(r->core, r->unsent[i].target, r->unsent[i].seq, now);
	r->n_unsent = 0;
}

static bool same_address(const union echo_address *a, const union echo_address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr)) == 0;
}

/* Who answers must know the secret, and be the one who was asked. */
static void on_reply(
    void *arg, const struct icmp_echo *e, const union echo_address *from, int64_t at_ns)
{
	struct reach_run *r = arg;
	uint64_t index = e->cookie >> COOKIE_BITS;

	if (index >= r->n || r->targets[index].cookie != e->cookie ||
	    !same_address(from, &r->targets[index].address))
		return;
	ht_reach_answer(r->core, (uint32_t)index, e->seq, at_ns, ht_mono_ns());
}

static void drain(struct reach_run *r)
{
	for (int f = 0; f < FAMILIES; f++) {
		if (r->open[f])
			echo_drain(&r->echo[f]);
	}
}

static void on_timer(uv_timer_t *timer);

static void arm(struct reach_run *r, int64_t now)
{
	int64_t at = ht_reach_next_ns(r->core);
	int64_t end = r->host->deadline_ns - END_MARGIN_NS;

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
	if (r->core)
		ht_reach_flush(r->core, ht_mono_ns());
	r->host->done(r->host);
}

static void on_timer(uv_timer_t *timer)
{
	struct reach_run *r = timer->data;
	int64_t now = ht_mono_ns(), before;

	r->armed_ns = INT64_MIN;
	if (r->over)
		return;
	/* What arrived while we were late is no loss; nor while we were reading. */
	do {
		before = now;
		drain(r);
		now = ht_mono_ns();
	} while (now - before > DRAIN_AGAIN_NS);
	ht_reach_tick(r->core, now);
	send_all(r, now);
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

/* ---- the plan ---- */

static void put_address(struct target *t, const struct ht_addr *a)
{
	struct sockaddr_storage at;
	socklen_t len;

	ht_addr_sockaddr(a, 0, &at, &len);
	memcpy(&t->address, &at, len);
	t->family = a->family == AF_INET ? ICMP_V4 : ICMP_V6;
}

static ht_err set_address(struct target *t, const char *text)
{
	struct ht_addr a;
	ht_err err = ht_addr_parse(text, &a);

	if (!err && a.prefix != (a.family == AF_INET ? 32 : 128))
		err = HT_INVALID;
	if (!err)
		put_address(t, &a);
	return err;
}

static int by_id(const void *a, const void *b)
{
	return strcmp((*(const struct reach_item *const *)a)->id,
	    (*(const struct reach_item *const *)b)->id);
}

/* Items ordered by id, so that parents are found quickly. */
struct order {
	const struct reach_item *items, **sorted;
	size_t n;
};

static ht_err order_init(struct order *o, const struct ht_list *list)
{
	*o = (struct order){ .items = list->at, .n = list->n };
	o->sorted = calloc(o->n ? o->n : 1, sizeof(*o->sorted));
	if (!o->sorted)
		return HT_NOMEM;
	for (size_t i = 0; i < o->n; i++)
		o->sorted[i] = &o->items[i];
	qsort(o->sorted, o->n, sizeof(*o->sorted), by_id);
	return HT_OK;
}

static bool order_find(const struct order *o, char *id, uint32_t *out)
{
	const struct reach_item key = { .id = id }, *at = &key;
	const struct reach_item **found =
	    bsearch(&at, o->sorted, o->n, sizeof(*o->sorted), by_id);

	if (found)
		*out = (uint32_t)(*found - o->items);
	return found != NULL;
}

/* The server's list, when the configuration names nobody to ping; else an empty one. */
static const struct ht_targets *list_of(
    const struct reach_run *r, const struct reach_options *o)
{
	static const struct ht_targets none;
	const struct ht_targets *list = r->host->site ? r->host->site->targets : NULL;

	return list && o->targets.n + o->target.n == 0 ? list : &none;
}

/* What the core is told: targets of the configuration, more addresses, targets of the
 * server's list, then the self-check. */
struct plan {
	struct ht_reach_target *targets;
	uint32_t *parents;
	size_t n;
};

static ht_err plan_init(
    struct plan *p, const struct reach_options *o, const struct ht_targets *list)
{
	size_t n_self = o->self.n + list->n_self;
	struct order order = { 0 };
	size_t at = 0;

	p->n = o->targets.n + o->target.n + list->n + n_self;
	p->targets = calloc(p->n ? p->n : 1, sizeof(*p->targets));
	p->parents = calloc(o->targets.n * HT_REACH_PARENTS_MAX + 1, sizeof(*p->parents));
	ht_err err =
	    p->targets && p->parents ? order_init(&order, &o->targets) : HT_NOMEM;
	for (size_t i = 0; !err && i < o->targets.n; i++) {
		const struct ht_strings *names = &order.items[i].parents;
		struct ht_reach_target *t = &p->targets[i];

		t->parents = p->parents + at;
		for (size_t k = 0; k < names->n; k++)
			t->n_parents += order_find(
			    &order, names->at[k], &p->parents[at + t->n_parents]);
		at += t->n_parents;
	}
	/* The list stands first: it is there only when the configuration lists nobody. */
	for (size_t i = 0; !err && i < list->n; i++)
		p->targets[i] = (struct ht_reach_target){ .parents = list->at[i].parents,
			.n_parents = list->at[i].n_parents };
	for (size_t i = p->n - n_self; !err && i < p->n; i++)
		p->targets[i].self = true;
	free(order.sorted);
	return err;
}

static void plan_fini(struct plan *p)
{
	free(p->targets);
	free(p->parents);
}

static ht_err fill_targets(
    struct reach_run *r, const struct reach_options *o, const struct ht_targets *list)
{
	const struct reach_item *items = o->targets.at;
	size_t n = 0;
	ht_err err = HT_OK;

	for (size_t i = 0; !err && i < o->targets.n; i++, n++) {
		snprintf(r->targets[n].id, sizeof(r->targets[n].id), "%s", items[i].id);
		err = set_address(&r->targets[n], items[i].address);
	}
	for (size_t i = 0; !err && i < o->target.n; i++, n++) {
		ht_id_from(o->target.at[i], r->targets[n].id, sizeof(r->targets[n].id));
		err = set_address(&r->targets[n], o->target.at[i]);
	}
	for (size_t i = 0; i < list->n; i++, n++) {
		snprintf(
		    r->targets[n].id, sizeof(r->targets[n].id), "%s", list->at[i].id);
		put_address(&r->targets[n], &list->at[i].where.addr);
	}
	for (size_t i = 0; !err && i < o->self.n; i++, n++)
		err = set_address(&r->targets[n], o->self.at[i]);
	for (size_t i = 0; i < list->n_self; i++, n++)
		put_address(&r->targets[n], &list->self[i].addr);
	return err;
}

static ht_err draw_secrets(struct reach_run *r)
{
	const uint64_t mask = (UINT64_C(1) << COOKIE_BITS) - 1;

	if (getrandom(&r->ident, sizeof(r->ident), GRND_NONBLOCK) != sizeof(r->ident))
		return HT_AGAIN;
	for (size_t i = 0; i < r->n; i++) {
		uint64_t secret;

		if (getrandom(&secret, sizeof(secret), GRND_NONBLOCK) != sizeof(secret))
			return HT_AGAIN;
		r->targets[i].cookie = (uint64_t)i << COOKIE_BITS | (secret & mask);
	}
	return HT_OK;
}

static ht_err reach_check(
    const void *options, const struct ht_node *node, struct ht_fault *fault)
{
	static const struct ht_targets none;
	const struct ht_reach_host nobody = { 0 };
	const struct reach_options *o = options;
	const struct reach_item *items = o->targets.at;
	struct order order = { 0 };
	struct plan plan = { 0 };
	struct ht_reach *core = NULL;
	struct target t;

	for (size_t i = 0; i < o->targets.n; i++) {
		if (!ht_id_valid(items[i].id, HT_INSTANCE_MAX))
			return ht_node_fault(o->targets.nodes[i], fault,
			    "\"%s\" is no id: letters, digits and . _ : - only",
			    items[i].id);
		if (set_address(&t, items[i].address))
			return ht_node_fault(o->targets.nodes[i], fault,
			    "\"%s\" is no address; names are not looked up: write it as "
			    "10.0.0.1 or 2001:db8::1",
			    items[i].address);
	}
	for (size_t i = 0; i < o->target.n + o->self.n; i++) {
		const char *text =
		    i < o->target.n ? o->target.at[i] : o->self.at[i - o->target.n];
		if (set_address(&t, text))
			return ht_node_fault(node, fault,
			    "\"%s\" is no address; names are not looked up: write it as "
			    "10.0.0.1 or 2001:db8::1",
			    text);
	}
	ht_err err = order_init(&order, &o->targets);
	for (size_t i = 1; !err && i < order.n; i++) {
		if (strcmp(order.sorted[i - 1]->id, order.sorted[i]->id) == 0)
			err = ht_node_fault(node, fault,
			    "two targets are called \"%s\"; each needs an id of its own",
			    order.sorted[i]->id);
	}
	free(order.sorted);
	if (!err)
		err = plan_init(&plan, o, &none);
	if (!err)
		err =
		    ht_reach_new(plan.targets, plan.n, o->burst_rate, &nobody, 0, &core);
	if (err == HT_INVALID)
		err = ht_node_fault(node, fault,
		    "a target is its own parent by some way; let `parents` lead to the "
		    "core only");
	ht_reach_free(core);
	plan_fini(&plan);
	return err;
}

/* ---- start and end ---- */

static void begin(struct reach_run *r)
{
	uv_timer_start(&r->timer, on_timer, 0, 0);
}

static void on_socket(
    struct reach_run *r, enum icmp_family f, const struct probe_grant *g)
{
	const struct echo_events events = { r, on_reply, on_unsent, on_readable };
	ht_err err = g->err;

	if (!err)
		err = echo_open_take(
		    &r->echo[f], r->host->loop, g->fd, g->raw, f, r->ident, &events);
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
	free(r->targets);
	free(r->unsent);
	r->core = NULL;
	r->targets = NULL;
	r->unsent = NULL;
}

static ht_err prepare(struct reach_run *r, const struct reach_options *o)
{
	const struct ht_reach_host host = { r, on_send, on_change, on_minute, on_sight };
	struct plan plan = { 0 };
	const struct ht_targets *list = list_of(r, o);
	ht_err err = plan_init(&plan, o, list);

	r->n = plan.n;
	r->n_self = o->self.n + list->n_self;
	r->targets = calloc(r->n ? r->n : 1, sizeof(*r->targets));
	r->unsent = calloc(r->n * PINGS_A_TURN + 1, sizeof(*r->unsent));
	if (!err && (!r->targets || !r->unsent))
		err = HT_NOMEM;
	if (!err)
		err = fill_targets(r, o, list);
	if (!err)
		err = draw_secrets(r);
	if (!err)
		err = ht_reach_new(
		    plan.targets, plan.n, o->burst_rate, &host, ht_mono_ns(), &r->core);
	plan_fini(&plan);
	return err;
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

	for (size_t i = 0; i < r->n; i++)
		wanted[r->targets[i].family] = true;
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

/* For each target of the new list its place in the old one. Both ascend by id; the
 * self-check stands at the end of both and is known by its addresses. */
static void find_old(
    const struct reach_run *r, const struct reach_run *old, uint32_t *was)
{
	size_t n = r->n - r->n_self, n_old = old->n - old->n_self, k = 0;

	for (size_t i = 0; i < r->n; i++)
		was[i] = HT_REACH_NEW;
	for (size_t i = 0; i < n; i++) {
		while (k < n_old && strcmp(old->targets[k].id, r->targets[i].id) < 0)
			k++;
		if (k < n_old && strcmp(old->targets[k].id, r->targets[i].id) == 0 &&
		    same_address(&old->targets[k].address, &r->targets[i].address))
			was[i] = (uint32_t)k;
	}
	for (size_t i = n; i < r->n; i++) {
		for (k = n_old; k < old->n; k++) {
			if (same_address(
				&old->targets[k].address, &r->targets[i].address))
				was[i] = (uint32_t)k;
		}
	}
}

static ht_err reach_retarget(void *run, const void *options)
{
	struct reach_run *r = run, old;
	int64_t now = ht_mono_ns();
	uint32_t *was = NULL;

	if (r->over || list_of(r, options)->n == 0)
		return HT_INVALID;
	drain(r); /* the last answers to the old list */
	send_all(r, now);
	old = *r;
	r->core = NULL;
	r->targets = NULL;
	r->unsent = NULL;
	ht_err err = prepare(r, options);
	if (!err)
		was = calloc(r->n, sizeof(*was));
	if (!err && !was)
		err = HT_NOMEM;
	if (err) {
		release(r);
		*r = old;
		return err;
	}
	find_old(r, &old, was);
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
	.check = reach_check,
};
