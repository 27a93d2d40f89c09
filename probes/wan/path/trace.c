#include "probes/wan/path/trace.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { LOOP_REPEATS = 2, NAMED_MAX = 2 };

void trace_init(struct trace *t, const struct trace_plan *plan, int64_t now)
{
	assert(plan->ttl_max >= 1 && plan->ttl_max <= TRACE_TTL_MAX);
	assert(plan->per_hop >= 1 && plan->per_hop <= TRACE_PER_HOP_MAX);
	assert(plan->window >= 1 && plan->window <= TRACE_WINDOW_MAX);
	*t = (struct trace){ .plan = *plan,
		.base = 1,
		.last = plan->ttl_max,
		.next_ns = plan->begin_ns > now ? plan->begin_ns : now };
}

static struct trace_hop *hop_of(struct trace *t, uint16_t no)
{
	return &t->hops[no / t->plan.per_hop];
}

static uint8_t ttl_of(const struct trace *t, uint16_t no)
{
	return (uint8_t)(no / t->plan.per_hop + 1);
}

static bool decided(const struct trace *t, uint8_t ttl)
{
	return t->hops[ttl - 1].n_decided == t->plan.per_hop;
}

/* The packet of that hop that waits for its answer, or TRACE_NO_ANY; a hop has at most
 * one. */
static uint16_t waiting(const struct trace *t, uint8_t ttl)
{
	const struct trace_hop *h = &t->hops[ttl - 1];

	return h->n_sent > h->n_decided
		   ? (uint16_t)((ttl - 1) * t->plan.per_hop + h->n_sent - 1)
		   : TRACE_NO_ANY;
}

static uint8_t window_end(const struct trace *t)
{
	int end = t->base + t->plan.window - 1;

	return (uint8_t)(end < t->last ? end : t->last);
}

/* ---- when to stop ---- */

/* Silent hops in a row before `base`, unless somebody behind them has answered. */
static size_t silent_run(const struct trace *t)
{
	size_t run = 0;

	for (size_t i = t->base - 1u; i < t->last; i++) {
		if (t->hops[i].n)
			return 0;
	}
	for (size_t i = t->base - 1u; i > 0 && t->hops[i - 1].n == 0; i--)
		run++;
	return run;
}

/* Whether this hop's router has answered before, with another one between. */
static bool seen_before(const struct trace *t, size_t i)
{
	bool other = false;

	for (size_t k = i; k-- > 0;) {
		if (t->hops[k].n == 0)
			continue;
		if (!ht_addr_equal(&t->hops[k].from[0], &t->hops[i].from[0]))
			other = true;
		else if (other)
			return true;
	}
	return false;
}

/* A router that answers for two hops in a row is odd, not a loop; one repeat may be a
 * route that changed under way. */
static bool loops(const struct trace *t)
{
	size_t n = 0;

	for (size_t i = 0; i + 1 < t->base; i++)
		n += t->hops[i].n && seen_before(t, i);
	return n >= LOOP_REPEATS;
}

static enum trace_end end_of(const struct trace *t, int64_t now)
{
	if (t->base > t->last) {
		if (t->arrived == t->last)
			return TRACE_REACHED;
		return t->refused == t->last ? TRACE_UNREACHABLE : TRACE_TTL_OUT;
	}
	if (now >= t->plan.deadline_ns)
		return TRACE_DEADLINE;
	if (!t->arrived && !t->refused && silent_run(t) >= t->plan.silent_max)
		return TRACE_SILENT;
	return !t->arrived && loops(t) ? TRACE_LOOP : TRACE_RUNNING;
}

static void judge(struct trace *t, int64_t now)
{
	while (t->base <= t->last && decided(t, t->base))
		t->base++;
	if (t->end == TRACE_RUNNING)
		t->end = end_of(t, now);
}

/* ---- sending ---- */

static void give_up_old(struct trace *t, int64_t now)
{
	for (uint8_t ttl = t->base; ttl <= window_end(t); ttl++) {
		uint16_t no = waiting(t, ttl);

		if (no == TRACE_NO_ANY || now - t->tries[no].sent_ns < t->plan.wait_ns)
			continue;
		t->tries[no].state = TRACE_TRY_LOST;
		t->hops[ttl - 1].n_decided++;
	}
}

static bool wants(const struct trace *t, uint8_t ttl)
{
	const struct trace_hop *h = &t->hops[ttl - 1];

	return h->n_sent == h->n_decided && h->n_sent < t->plan.per_hop;
}

bool trace_next(struct trace *t, int64_t now, struct trace_probe *out)
{
	give_up_old(t, now);
	judge(t, now);
	if (t->end != TRACE_RUNNING || now < t->next_ns)
		return false;
	for (uint8_t ttl = t->base; ttl <= window_end(t); ttl++) {
		struct trace_hop *h = &t->hops[ttl - 1];

		if (!wants(t, ttl))
			continue;
		out->ttl = ttl;
		out->no = (uint16_t)((ttl - 1) * t->plan.per_hop + h->n_sent++);
		t->tries[out->no] =
		    (struct trace_try){ .sent_ns = now, .state = TRACE_TRY_WAITS };
		t->next_ns = now + t->plan.gap_ns;
		return true;
	}
	return false;
}

void trace_unsent(struct trace *t, uint16_t no, int err_no)
{
	struct trace_try *w = &t->tries[no];

	if (w->state != TRACE_TRY_WAITS)
		return;
	w->state = TRACE_TRY_LOST;
	hop_of(t, no)->n_decided++;
	if (err_no == EAGAIN || err_no == ENOBUFS || t->end != TRACE_RUNNING)
		return; /* a full queue: that packet is lost, the next may pass */
	t->err_no = err_no;
	t->end = TRACE_UNSENDABLE;
}

int64_t trace_wake_ns(const struct trace *t)
{
	int64_t wake = t->plan.deadline_ns;

	for (uint8_t ttl = t->base; ttl <= window_end(t); ttl++) {
		uint16_t no = waiting(t, ttl);
		int64_t at = no == TRACE_NO_ANY ? t->next_ns
						: t->tries[no].sent_ns + t->plan.wait_ns;

		if ((no != TRACE_NO_ANY || wants(t, ttl)) && at < wake)
			wake = at;
	}
	return wake;
}

/* ---- answers ---- */

/* Whose answer it is when it does not say: the only one that is waited for. */
static uint16_t only_waiting(const struct trace *t)
{
	uint16_t found = TRACE_NO_ANY;

	for (uint8_t ttl = t->base; ttl <= window_end(t); ttl++) {
		uint16_t no = waiting(t, ttl);

		if (no != TRACE_NO_ANY && found != TRACE_NO_ANY)
			return TRACE_NO_ANY;
		if (no != TRACE_NO_ANY)
			found = no;
	}
	return found;
}

static void end_at(struct trace *t, uint8_t ttl, const struct trace_answer *a)
{
	if (a->kind == TRACE_ARRIVED && (!t->arrived || ttl < t->arrived))
		t->arrived = ttl;
	if (a->kind == TRACE_REFUSED && (!t->refused || ttl < t->refused)) {
		t->refused = ttl;
		t->refused_by = a->from;
		t->refused_words = a->words;
	}
	if (ttl < t->last)
		t->last = ttl;
}

void trace_answer(struct trace *t, const struct trace_answer *a)
{
	uint16_t no = a->no == TRACE_NO_ANY ? only_waiting(t) : a->no;

	if (no == TRACE_NO_ANY) {
		t->ignored.ambiguous++;
		return;
	}
	if (no >= t->plan.ttl_max * t->plan.per_hop ||
	    t->tries[no].state == TRACE_TRY_NEW ||
	    a->from.family != t->plan.target.family) {
		t->ignored.forged++; /* about a packet that never was */
		return;
	}
	struct trace_try *w = &t->tries[no];
	struct trace_hop *h = hop_of(t, no);

	if (w->state == TRACE_TRY_ANSWERED) {
		t->ignored.duplicate++;
		return;
	}
	if (w->state == TRACE_TRY_LOST || a->at_ns - w->sent_ns > t->plan.wait_ns) {
		t->ignored.late++;
		return;
	}
	w->state = TRACE_TRY_ANSWERED;
	h->n_decided++;
	/* Our own kernel speaks when the next hop does not answer ARP: no hop. */
	if (!ht_addr_equal(&a->from, &t->plan.self) || a->kind == TRACE_ARRIVED) {
		h->from[h->n] = a->from;
		h->rtt_ns[h->n++] = a->at_ns > w->sent_ns ? a->at_ns - w->sent_ns : 0;
	}
	if (a->kind != TRACE_EXCEEDED)
		end_at(t, ttl_of(t, no), a);
}

/* ---- what came out ---- */

size_t trace_reach(const struct trace *t)
{
	size_t n = t->last;

	while (n > 0 && t->hops[n - 1].n == 0)
		n--;
	return n;
}

size_t trace_n_hops(const struct trace *t)
{
	size_t reach = trace_reach(t), known = t->base - 1u;

	return reach > known ? reach : known;
}

static bool named_before(const struct trace_hop *h, size_t i)
{
	for (size_t k = 0; k < i; k++) {
		if (ht_addr_equal(&h->from[k], &h->from[i]))
			return true;
	}
	return false;
}

static size_t put_hop(const struct trace_hop *h, char *out)
{
	size_t len = 0, named = 0;

	for (size_t i = 0; i < h->n && named < NAMED_MAX; i++) {
		if (named_before(h, i))
			continue;
		if (named++)
			out[len++] = ',';
		ht_addr_format(&h->from[i], out + len);
		len += strlen(out + len);
	}
	if (h->n == 0)
		out[len++] = '*';
	return len;
}

void trace_text(const struct trace *t, char out[static TRACE_TEXT])
{
	/* A hop takes no more than this, so that all fit. */
	_Static_assert(TRACE_TTL_MAX * NAMED_MAX * HT_ADDR_TEXT <= TRACE_TEXT, "");
	size_t len = 0, n = trace_n_hops(t);

	for (size_t i = 0; i < n; i++) {
		if (i)
			out[len++] = ' ';
		len += put_hop(&t->hops[i], out + len);
	}
	out[len] = '\0';
}

void trace_end_words(const struct trace *t, char *out, size_t cap)
{
	char from[HT_ADDR_TEXT];

	switch (t->end) {
	case TRACE_UNREACHABLE:
		ht_addr_format(&t->refused_by, from);
		if (ht_addr_equal(&t->refused_by, &t->plan.self))
			snprintf(out, cap,
			    "ended here: the next router does not answer (%s)",
			    t->refused_words);
		else
			snprintf(out, cap, "was refused by %s at hop %u: %s", from,
			    t->refused, t->refused_words);
		break;
	case TRACE_SILENT:
		snprintf(out, cap, "was given up after %u silent hops in a row",
		    t->plan.silent_max);
		break;
	case TRACE_TTL_OUT:
		snprintf(
		    out, cap, "ended after %u hops without the target", t->plan.ttl_max);
		break;
	case TRACE_LOOP:
		snprintf(out, cap, "goes in circles: the same routers answer again");
		break;
	case TRACE_DEADLINE:
		snprintf(out, cap, "was cut by the probe's timeout at hop %u", t->base);
		break;
	case TRACE_UNSENDABLE:
		snprintf(out, cap, "could not be sent: %s", strerror(t->err_no));
		break;
	case TRACE_REACHED:
		snprintf(out, cap, "came to the target in %u hops", t->arrived);
		break;
	case TRACE_RUNNING:
		snprintf(out, cap, "is under way");
		break;
	}
}
