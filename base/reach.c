#include "base/reach.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/agenda.h"
#include "base/clock.h"
#include "base/pings.h"
#include "base/state.h"

#define CACHE_LINE    64
#define MINUTE_NS     (60 * HT_NS_PER_S)
#define PHASE_STEP_NS (10 * HT_NS_PER_MS) /* targets share wake-ups, 100 a second */
#define LEAP_NS       HT_NS_PER_S
#define SUSPECT_AFTER 2
#define MUTE_AFTER    3 /* pings in a row that could not be sent */
/* Others have answered so lately that we are not cut off. Less than a verdict takes. */
#define OTHERS_NS (3 * HT_REACH_EVERY_NS / 2)
/* A burst's pings are at least this long under way in turn, however slow the link. */
#define SPREAD_MIN_NS (300 * HT_NS_PER_MS)
/* A shared parent is not asked more often than this, whoever suspects what. */
#define PARENT_GAP_NS (50 * HT_NS_PER_MS)
#define CONFIRM_NS    (250 * HT_NS_PER_MS) /* between the pings that confirm a rise */
#define RECHECK_NS    (20 * HT_NS_PER_MS)  /* while a verdict waits for parents */
#define BUDGET_NS     (10 * HT_NS_PER_MS)  /* until a burst without budget tries again */
#define BURST_SHORT   5 /* enough for a child of dead parents when budget is short */
#define TOKENS_NS     (50 * HT_NS_PER_MS) /* of budget that may be saved up */

/* clang-format off */
static const struct ht_state states[] = {
	[HT_REACH_UNKNOWN] = { "unknown", HT_TO(HT_REACH_UP) | HT_TO(HT_REACH_SUSPECT) |
				HT_TO(HT_REACH_DOWN) | HT_TO(HT_REACH_UNKNOWN) },
	[HT_REACH_UP]      = { "up", HT_TO(HT_REACH_SUSPECT) | HT_TO(HT_REACH_DOWN) |
				HT_TO(HT_REACH_UNKNOWN) },
	[HT_REACH_SUSPECT] = { "suspect", HT_TO(HT_REACH_UP) | HT_TO(HT_REACH_DOWN) |
				HT_TO(HT_REACH_UNKNOWN) },
	[HT_REACH_DOWN]    = { "down", HT_TO(HT_REACH_UP) | HT_TO(HT_REACH_UNKNOWN) },
};
/* clang-format on */

enum burst_state {
	BURST_NONE,
	BURST_RUNNING, /* pings are sent, or the last ones waited for */
	BURST_SILENT,  /* over without an answer: a verdict is due */
};

struct burst {
	enum burst_state state;
	int64_t from_ns; /* what is answered of pings sent since ends it */
	int64_t at_ns;   /* of the next ping; when all are sent: of its end */
	int64_t gap_ns, wait_ns;
	unsigned n;   /* sent */
	bool starved; /* the budget made it wait */
};

struct minute {
	uint32_t sent, received;
	int64_t sum_ns;
};

/* A few hundred bytes for each of tens of thousands: what every ping and answer touches
 * stands together at the beginning. */
struct target {
	enum ht_reach_state state, told;
	bool self, is_parent;
	bool mute;       /* nothing can be sent to it */
	unsigned unsent; /* in a row */
	unsigned streak; /* steady pings overdue since the last answer */
	unsigned rise;   /* answers in a row while DOWN */
	unsigned confirms;
	uint32_t answered_seq;                  /* the newest that was answered */
	int64_t answered_ns, lost_ns, risen_ns; /* sendings; NEVER */
	int64_t steady_ns, minute_ns;
	struct minute minute;
	struct burst burst;
	struct ht_pings pings;
	uint16_t rtt[HT_HIST_BUCKETS]; /* of the minute, which has few pings */
	int64_t confirm_ns, recheck_ns;
	uint32_t visited; /* by the suspicion of this number */
	uint32_t first_parent, n_parents;
};

struct ht_reach {
	struct target *targets;
	uint32_t *parents; /* of all targets, one after the other */
	uint32_t *selfs;   /* the self-check targets */
	size_t n, n_self, n_mute;
	int64_t answered_ns;     /* when any target answered last */
	struct ht_agenda agenda; /* targets, and last of all the minute of the sight */
	struct ht_reach_host host;
	enum ht_reach_sight sight;
	int64_t sight_ns; /* when it is told again */
	uint32_t visit;
	int64_t burst_rate, tokens, tokens_ns; /* tokens in units of 1/s·ns */
	struct ht_reach_counters counters;
};

static uint32_t index_of(const struct ht_reach *r, const struct target *t)
{
	return (uint32_t)(t - r->targets);
}

static struct target *parent(const struct ht_reach *r, const struct target *t, size_t i)
{
	return &r->targets[r->parents[t->first_parent + i]];
}

static void enter(struct target *t, enum ht_reach_state next)
{
	assert(states[t->state].next & HT_TO(next));
	t->state = next;
}

bool ht_reach_blind(const struct ht_reach *r)
{
	return r->sight == HT_REACH_SELF_SILENT || r->sight == HT_REACH_UNSENDABLE;
}

/* ── When a target is due ─────────────────────────────────────────────────────────── */

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t target_due_ns(const struct target *t)
{
	int64_t due = earlier(t->steady_ns, ht_pings_next_ns(&t->pings));

	if (!t->self)
		due = earlier(due, t->minute_ns);
	if (t->burst.state == BURST_RUNNING)
		due = earlier(due, t->burst.at_ns);
	if (t->burst.state == BURST_SILENT)
		due = earlier(due, t->recheck_ns);
	if (t->confirms)
		due = earlier(due, t->confirm_ns);
	return due;
}

static void plan(struct ht_reach *r, const struct target *t)
{
	ht_agenda_set(&r->agenda, index_of(r, t), target_due_ns(t));
}

/* ── Telling ──────────────────────────────────────────────────────────────────────── */

static void tell(struct ht_reach *r, struct target *t, bool urgent, int64_t now)
{
	const struct ht_reach_change c = {
		.state = t->state,
		.urgent = urgent,
		.at_ns = now,
		.lost_ns = t->lost_ns,
		.answered_ns = t->state == HT_REACH_UP ? t->risen_ns : t->answered_ns,
	};

	t->told = t->state;
	if (!t->self)
		r->host.change(r->host.arg, index_of(r, t), &c);
}

static void tell_minute(struct ht_reach *r, struct target *t, int64_t now)
{
	struct minute *m = &t->minute;
	struct ht_hist rtt;
	const struct ht_reach_minute out = {
		.at_ns = now,
		.sent = m->sent,
		.received = m->received,
		.rtt_sum_ns = m->sum_ns,
		.rtt = &rtt,
	};

	if (!m->sent)
		return;
	for (size_t i = 0; i < HT_HIST_BUCKETS; i++)
		rtt.counts[i] = t->rtt[i];
	if (!t->self)
		r->host.minute(r->host.arg, index_of(r, t), &out);
	*m = (struct minute){ 0 };
	memset(t->rtt, 0, sizeof(t->rtt));
}

static void tell_sight(struct ht_reach *r, int64_t now)
{
	if (r->sight == HT_REACH_SIGHT_UNKNOWN)
		return;
	r->sight_ns = now + MINUTE_NS;
	ht_agenda_set(&r->agenda, r->n, r->sight_ns);
	r->host.sight(r->host.arg, r->sight, now);
}

/* ── Sending ──────────────────────────────────────────────────────────────────────── */

static void send_ping(struct ht_reach *r, struct target *t, bool steady, int64_t now)
{
	uint32_t seq = ht_pings_send(&t->pings, now, steady);

	r->counters.sent++;
	r->counters.burst += !steady;
	r->host.send(r->host.arg, index_of(r, t), (uint16_t)seq);
}

static void send_steady(struct ht_reach *r, struct target *t, int64_t now)
{
	send_ping(r, t, true, now);
	/* Slots that a busy loop missed are left out, not made up for. */
	t->steady_ns +=
	    ((now - t->steady_ns) / HT_REACH_EVERY_NS + 1) * HT_REACH_EVERY_NS;
}

/* ── Bursts ───────────────────────────────────────────────────────────────────────── */

static int64_t last_sent_ns(const struct target *t)
{
	return t->pings.next ? t->pings.sent_ns[(t->pings.next - 1) % HT_PINGS_WINDOW]
			     : HT_REACH_NEVER;
}

static void burst_begin(struct ht_reach *r, struct target *t, int64_t now)
{
	int64_t wait = ht_pings_wait_ns(&t->pings);
	int64_t spread = HT_REACH_BURST_NS - wait;
	int64_t last = last_sent_ns(t);

	if (spread < SPREAD_MIN_NS)
		spread = SPREAD_MIN_NS;
	t->burst = (struct burst){ .state = BURST_RUNNING,
		.from_ns = now,
		.at_ns = now,
		.gap_ns = spread / (HT_REACH_BURST - 1),
		.wait_ns = wait };
	if ((t->self || t->is_parent) && last != HT_REACH_NEVER &&
	    now < last + PARENT_GAP_NS)
		t->burst.at_ns = last + PARENT_GAP_NS;
	plan(r, t);
}

/* It takes part in a suspicion of now: unless it does already, or is dead. */
static void burst_join(struct ht_reach *r, struct target *t, int64_t now)
{
	if (t->burst.state == BURST_NONE && t->state != HT_REACH_DOWN && !t->mute)
		burst_begin(r, t, now);
}

static void burst_join_parents(struct ht_reach *r, struct target *t, int64_t now)
{
	for (size_t i = 0; i < t->n_parents; i++) {
		struct target *p = parent(r, t, i);

		if (p->visited == r->visit)
			continue;
		p->visited = r->visit;
		burst_join(r, p, now);
		burst_join_parents(r, p, now);
	}
}

static bool take_token(struct ht_reach *r, int64_t now)
{
	int64_t most = r->burst_rate * TOKENS_NS;
	int64_t passed = earlier(now - r->tokens_ns, TOKENS_NS);

	r->tokens = earlier(r->tokens + passed * r->burst_rate, most);
	r->tokens_ns = now;
	if (r->tokens < HT_NS_PER_S)
		return false;
	r->tokens -= HT_NS_PER_S;
	return true;
}

static bool parents_dead(const struct ht_reach *r, const struct target *t)
{
	for (size_t i = 0; i < t->n_parents; i++) {
		if (parent(r, t, i)->state != HT_REACH_DOWN)
			return false;
	}
	return t->n_parents > 0;
}

static void burst_send(struct ht_reach *r, struct target *t, int64_t now)
{
	struct burst *b = &t->burst;
	bool spared = t->self || t->is_parent;

	if (b->starved && b->n >= BURST_SHORT && parents_dead(r, t)) {
		b->n = HT_REACH_BURST;
		b->at_ns = last_sent_ns(t) + b->wait_ns;
		return;
	}
	if (!spared && !take_token(r, now)) {
		b->starved = true;
		b->at_ns = now + BUDGET_NS;
		return;
	}
	send_ping(r, t, false, now);
	b->n++;
	if (b->n == HT_REACH_BURST)
		b->at_ns = now + b->wait_ns;
	else if (b->at_ns + b->gap_ns > now + b->gap_ns / 2)
		b->at_ns += b->gap_ns;
	else /* late: no two pings at once for it */
		b->at_ns = now + b->gap_ns / 2;
}

static bool burst_over(const struct burst *b, int64_t now)
{
	return b->state == BURST_RUNNING && b->n >= HT_REACH_BURST && b->at_ns <= now;
}

/* ── Blindness ────────────────────────────────────────────────────────────────────── */

/* What was known of a target is not known any more. */
static void forget(struct ht_reach *r, struct target *t)
{
	if (t->state != HT_REACH_DOWN)
		t->lost_ns = HT_REACH_NEVER;
	enter(t, HT_REACH_UNKNOWN);
	t->told = HT_REACH_UNKNOWN;
	t->burst.state = BURST_NONE;
	t->streak = t->rise = t->confirms = 0;
	ht_pings_void_all(&t->pings);
	plan(r, t);
}

static void set_sight(struct ht_reach *r, enum ht_reach_sight sight, int64_t now)
{
	bool was_blind = ht_reach_blind(r);

	if (r->sight == sight)
		return;
	r->sight = sight;
	tell_sight(r, now);
	if (was_blind == ht_reach_blind(r))
		return;
	for (size_t i = 0; i < r->n; i++) {
		if (!r->targets[i].self)
			forget(r, &r->targets[i]);
	}
}

static bool all_self_down(const struct ht_reach *r)
{
	for (size_t i = 0; i < r->n_self; i++) {
		if (r->targets[r->selfs[i]].state != HT_REACH_DOWN)
			return false;
	}
	return r->n_self > 0;
}

/* After any change that may concern our own sight. */
static void check_sight(struct ht_reach *r, int64_t now)
{
	if (all_self_down(r))
		set_sight(r, HT_REACH_SELF_SILENT, now);
	else if (!r->n_self && r->n && r->n_mute == r->n)
		set_sight(r, HT_REACH_UNSENDABLE, now);
	else if (!r->n_self)
		set_sight(r, HT_REACH_UNCHECKED, now);
}

/* ── Verdicts ─────────────────────────────────────────────────────────────────────── */

static bool settle(struct ht_reach *r, struct target *t, int64_t now);

/* Whether `other` has answered for certain since, or is dead for certain: then it says
 * nothing against a verdict. Else it is asked, and the verdict waits. */
static bool settled_since(
    struct ht_reach *r, struct target *other, int64_t since, int64_t now)
{
	if (other->mute || other->state == HT_REACH_DOWN || other->answered_ns >= since)
		return true;
	if (burst_over(&other->burst, now))
		other->burst.state = BURST_SILENT;
	if (other->burst.state == BURST_SILENT)
		return settle(r, other, now);
	burst_join(r, other, now);
	return false;
}

/* Some self-check target has answered since. */
static bool sighted_since(struct ht_reach *r, int64_t since, int64_t now)
{
	bool sighted = r->n_self == 0;

	for (size_t i = 0; i < r->n_self && !sighted; i++) {
		struct target *s = &r->targets[r->selfs[i]];

		if (settled_since(r, s, since, now))
			sighted = s->answered_ns >= since;
	}
	return sighted && !ht_reach_blind(r);
}

/* The target has been silent through its burst: DOWN, if that holds against its parents
 * and our own sight. False: not yet. */
static bool settle(struct ht_reach *r, struct target *t, int64_t now)
{
	bool sure = true;

	t->recheck_ns = now + RECHECK_NS;
	for (size_t i = 0; i < t->n_parents && !t->self; i++)
		sure = settled_since(r, parent(r, t, i), t->burst.from_ns, now) && sure;
	if (!t->self)
		sure = sighted_since(r, t->burst.from_ns, now) && sure;
	if (!sure) {
		if (t->burst.state == BURST_SILENT) /* we may be blind by now */
			plan(r, t);
		return false;
	}
	enter(t, HT_REACH_DOWN);
	t->burst.state = BURST_NONE;
	t->rise = t->confirms = 0;
	tell(r, t, true, now);
	plan(r, t);
	if (t->self)
		check_sight(r, now);
	return true;
}

static void suspect(struct ht_reach *r, struct target *t, int64_t now)
{
	bool known = t->told == HT_REACH_UP;

	enter(t, HT_REACH_SUSPECT);
	if (known)
		tell(r, t, false, now);
	r->visit++;
	burst_join(r, t, now);
	burst_join_parents(r, t, now);
	for (size_t i = 0; i < r->n_self; i++)
		burst_join(r, &r->targets[r->selfs[i]], now);
}

/* ── What pings become ────────────────────────────────────────────────────────────── */

static void set_mute(struct ht_reach *r, struct target *t, bool mute, int64_t now)
{
	if (!mute)
		t->unsent = 0;
	if (t->mute == mute)
		return;
	t->mute = mute;
	r->n_mute += mute ? 1 : (size_t)-1;
	if (mute)
		forget(r, t);
	check_sight(r, now);
}

static void on_overdue(
    struct ht_reach *r, struct target *t, const struct ht_ping *p, int64_t now)
{
	set_mute(r, t, false, now); /* it was sent */
	if (ht_reach_blind(r) && !t->self)
		return;
	if (t->lost_ns == HT_REACH_NEVER)
		t->lost_ns = p->sent_ns;
	t->rise = t->confirms = 0;
	t->streak += p->steady;
	if (t->streak >= SUSPECT_AFTER &&
	    (t->state == HT_REACH_UP || t->state == HT_REACH_UNKNOWN))
		suspect(r, t, now);
}

static void count_answer(struct target *t, int64_t rtt_ns)
{
	struct minute *m = &t->minute;

	if (rtt_ns < 0)
		rtt_ns = 0;
	m->sent++;
	m->received++;
	m->sum_ns += rtt_ns;
	uint16_t *bucket = &t->rtt[ht_hist_bucket(rtt_ns)];
	*bucket += *bucket < UINT16_MAX;
}

static void rise(struct ht_reach *r, struct target *t, int64_t now)
{
	bool first = t->told == HT_REACH_UNKNOWN, dead = t->told == HT_REACH_DOWN;

	enter(t, HT_REACH_UP);
	t->rise = t->confirms = 0;
	if (first || t->told != HT_REACH_UP)
		tell(r, t, first || dead, now);
	if (t->self)
		set_sight(r, HT_REACH_SIGHTED, now);
}

/* An answer counts towards the end of an outage. */
static void on_dead_answer(struct ht_reach *r, struct target *t, int64_t now)
{
	if (t->rise++ == 0) {
		t->confirms = HT_REACH_RISE - 1;
		t->confirm_ns = now + CONFIRM_NS;
	}
	if (t->rise >= HT_REACH_RISE)
		rise(r, t, now);
}

/* The answer of `p` undoes what its silence had done. */
static void take_answer(
    struct ht_reach *r, struct target *t, const struct ht_ping *p, int64_t now)
{
	if ((int32_t)(p->seq - t->answered_seq) > 0)
		t->answered_seq = p->seq;
	if (p->sent_ns > t->answered_ns)
		t->answered_ns = p->sent_ns;
	if (ht_reach_blind(r) && !t->self)
		return;
	if (t->state == HT_REACH_SUSPECT || p->sent_ns >= t->burst.from_ns)
		t->burst.state = BURST_NONE;
	if (t->state != HT_REACH_UP && t->rise == 0)
		t->risen_ns = p->sent_ns;
	if (t->state == HT_REACH_DOWN)
		on_dead_answer(r, t, now);
	else if (t->state != HT_REACH_UP)
		rise(r, t, now);
	if (t->state == HT_REACH_DOWN)
		return;
	t->lost_ns = HT_REACH_NEVER;
	t->streak = ht_pings_overdue_after(&t->pings, t->answered_seq, &t->lost_ns);
}

void ht_reach_answer(
    struct ht_reach *r, uint32_t target, uint16_t seq, int64_t at_ns, int64_t now_ns)
{
	struct target *t = &r->targets[target];
	struct ht_ping p;

	if (!ht_pings_answer(&t->pings, seq, at_ns, &p)) {
		r->counters.ignored++;
		return;
	}
	r->counters.answered++;
	r->answered_ns = now_ns;
	/* Received before it was asked: the wall clock, by which the kernel stamps, was
	 * set meanwhile. Our own clock says how long it took at most. */
	count_answer(t, (at_ns < p.sent_ns ? now_ns : at_ns) - p.sent_ns);
	set_mute(r, t, false, now_ns);
	take_answer(r, t, &p, now_ns);
	plan(r, t);
}

void ht_reach_sent(struct ht_reach *r, uint32_t target, uint16_t seq, int64_t at_ns)
{
	ht_pings_sent(&r->targets[target].pings, seq, at_ns);
}

/* What was not sent is neither answered nor lost. */
static void take_unsent(
    struct ht_reach *r, struct target *t, uint16_t seq, int64_t now_ns)
{
	struct ht_ping p;

	if (!ht_pings_void(&t->pings, seq, &p))
		return;
	if (!p.steady && t->burst.state == BURST_RUNNING && t->burst.n > 0) {
		t->burst.n--; /* it does not count as silence */
		t->burst.at_ns = now_ns + t->burst.gap_ns;
	}
	if (++t->unsent >= MUTE_AFTER)
		set_mute(r, t, true, now_ns);
	plan(r, t);
}

void ht_reach_unsent(struct ht_reach *r, uint32_t target, uint16_t seq, int64_t now_ns)
{
	struct target *t = &r->targets[target];

	r->counters.unsent++;
	if (t->self) /* our own trouble: as bad as no answer */
		return;
	take_unsent(r, t, seq, now_ns);
}

void ht_reach_unroutable(
    struct ht_reach *r, uint32_t target, uint16_t seq, int64_t now_ns)
{
	struct target *t = &r->targets[target];
	bool others =
	    r->answered_ns != HT_REACH_NEVER && now_ns - r->answered_ns < OTHERS_NS;

	r->counters.unsent++;
	/* It stays open, and will be overdue. */
	if (!r->n_self && !others)
		take_unsent(r, t, seq, now_ns);
}

/* ── The passing of time ──────────────────────────────────────────────────────────── */

static void work_burst(struct ht_reach *r, struct target *t, int64_t now)
{
	struct burst *b = &t->burst;

	if (b->state == BURST_RUNNING && b->at_ns <= now && b->n < HT_REACH_BURST)
		burst_send(r, t, now);
	if (burst_over(b, now)) {
		b->state = BURST_SILENT;
		t->recheck_ns = now;
	}
	if (b->state == BURST_SILENT && t->recheck_ns <= now)
		(void)settle(r, t, now);
}

static void work(struct ht_reach *r, struct target *t, int64_t now)
{
	struct ht_ping p;

	while (ht_pings_take_overdue(&t->pings, now, &p))
		on_overdue(r, t, &p, now);
	while (ht_pings_take_lost(&t->pings, now))
		t->minute.sent += t->self || !ht_reach_blind(r);
	if (t->steady_ns <= now)
		send_steady(r, t, now);
	work_burst(r, t, now);
	if (t->confirms && t->confirm_ns <= now) {
		t->confirms--;
		t->confirm_ns = now + CONFIRM_NS;
		send_ping(r, t, false, now);
	}
	if (!t->self && t->minute_ns <= now) {
		tell_minute(r, t, now);
		t->minute_ns += ((now - t->minute_ns) / MINUTE_NS + 1) * MINUTE_NS;
	}
	plan(r, t);
}

/* Spread over `span`, in steps that let targets share wake-ups. */
static int64_t phase_ns(const struct ht_reach *r, size_t i, int64_t span)
{
	int64_t at = span / (int64_t)r->n * (int64_t)i;

	return at - at % PHASE_STEP_NS;
}

/* Answers may have been missed, so nothing that is under way proves anything. What was
 * suspected is asked again. */
static void disregard(struct ht_reach *r, struct target *t, int64_t now)
{
	ht_pings_void_all(&t->pings);
	t->streak = t->rise = t->confirms = 0;
	if (t->state == HT_REACH_UP || t->state == HT_REACH_UNKNOWN)
		t->lost_ns = HT_REACH_NEVER;
	if (t->burst.state != BURST_NONE)
		burst_begin(r, t, now);
	plan(r, t);
}

/* The process stood still. */
static void leap(struct ht_reach *r, int64_t now)
{
	r->counters.leaps++;
	for (size_t i = 0; i < r->n; i++) {
		r->targets[i].steady_ns = now + phase_ns(r, i, HT_REACH_EVERY_NS);
		disregard(r, &r->targets[i], now);
	}
}

void ht_reach_deaf(struct ht_reach *r, int64_t now_ns)
{
	r->counters.deaf++;
	for (size_t i = 0; i < r->n; i++)
		disregard(r, &r->targets[i], now_ns);
}

/* The target that probably comes next: its memory is on the way while this one's is
 * worked on. */
static void expect(const struct ht_reach *r, uint32_t thing)
{
	if (thing >= r->n)
		return;
	const char *at = (const char *)&r->targets[thing];
	for (size_t i = 0; i < offsetof(struct target, pings.sent_ns); i += CACHE_LINE)
		__builtin_prefetch(at + i, 1);
}

bool ht_reach_tick(struct ht_reach *r, int64_t now_ns)
{
	uint32_t thing, after;
	int left = HT_REACH_STEP;

	if (r->sight == HT_REACH_SIGHT_UNKNOWN)
		check_sight(r, now_ns);
	if (ht_agenda_first_ns(&r->agenda) < now_ns - LEAP_NS)
		leap(r, now_ns);
	while (ht_agenda_due(&r->agenda, now_ns, &thing, &after)) {
		if (left-- == 0)
			return true;
		expect(r, after);
		if (thing == r->n)
			tell_sight(r, now_ns);
		else
			work(r, &r->targets[thing], now_ns);
	}
	return false;
}

int64_t ht_reach_next_ns(const struct ht_reach *r)
{
	return ht_agenda_first_ns(&r->agenda);
}

void ht_reach_flush(struct ht_reach *r, int64_t now_ns)
{
	for (size_t i = 0; i < r->n; i++)
		tell_minute(r, &r->targets[i], now_ns);
}

/* ── Life ─────────────────────────────────────────────────────────────────────────── */

enum { DEPTH_MAX = 32 };

/* Whether all ways up from here end within DEPTH_MAX parents: then there is no cycle. */
static bool ends(const struct ht_reach *r, const struct target *t, int depth)
{
	for (size_t i = 0; i < t->n_parents; i++) {
		struct target *p = parent(r, t, i);

		if (p->visited == r->visit)
			continue;
		if (depth == 0 || !ends(r, p, depth - 1))
			return false;
		p->visited = r->visit;
	}
	return true;
}

static ht_err check_parents(struct ht_reach *r)
{
	/* One visit for all: what is known to end need not be walked again. */
	r->visit++;
	for (size_t i = 0; i < r->n; i++) {
		if (!ends(r, &r->targets[i], DEPTH_MAX))
			return HT_INVALID;
		r->targets[i].visited = r->visit;
	}
	return HT_OK;
}

static ht_err copy_parents(struct ht_reach *r, const struct ht_reach_target *in)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		if (in[i].n_parents > HT_REACH_PARENTS_MAX)
			return HT_INVALID;
		n += in[i].n_parents;
	}
	r->parents = calloc(n ? n : 1, sizeof(*r->parents));
	if (!r->parents)
		return HT_NOMEM;
	n = 0;
	for (size_t i = 0; i < r->n; i++) {
		struct target *t = &r->targets[i];

		t->first_parent = (uint32_t)n;
		t->n_parents = (uint32_t)in[i].n_parents;
		for (size_t k = 0; k < in[i].n_parents; k++) {
			uint32_t at = in[i].parents[k];
			if (at >= r->n || in[at].self || in[i].self)
				return HT_INVALID;
			r->targets[at].is_parent = true;
			r->parents[n++] = at;
		}
	}
	return check_parents(r);
}

static void target_init(struct ht_reach *r, size_t i, bool self, int64_t now)
{
	struct target *t = &r->targets[i];

	t->self = self;
	if (self)
		r->selfs[r->n_self++] = (uint32_t)i;
	t->answered_seq = UINT32_MAX; /* the one before the first */
	t->answered_ns = t->lost_ns = t->risen_ns = HT_REACH_NEVER;
	t->steady_ns = now + phase_ns(r, i, HT_REACH_EVERY_NS);
	t->minute_ns = now + phase_ns(r, i, MINUTE_NS);
	plan(r, t);
}

ht_err ht_reach_new(const struct ht_reach_target *targets, size_t n, int64_t burst_rate,
    const struct ht_reach_host *host, int64_t now_ns, struct ht_reach **out)
{
	struct ht_reach *r = calloc(1, sizeof(*r));

	if (!r)
		return HT_NOMEM;
	r->n = n;
	r->host = *host;
	r->burst_rate = burst_rate;
	r->answered_ns = HT_REACH_NEVER;
	r->tokens_ns = now_ns;
	r->targets = calloc(n ? n : 1, sizeof(*r->targets));
	r->selfs = calloc(n ? n : 1, sizeof(*r->selfs));
	ht_err err = r->targets && r->selfs ? HT_OK : HT_NOMEM;
	if (!err)
		err = ht_agenda_init(&r->agenda, n + 1);
	if (!err)
		err = copy_parents(r, targets);
	if (err) {
		ht_reach_free(r);
		return err;
	}
	for (size_t i = 0; i < n; i++)
		target_init(r, i, targets[i].self, now_ns);
	*out = r;
	return HT_OK;
}

static void inherit(
    struct ht_reach *r, struct target *t, const struct target *was, int64_t now)
{
	t->pings = was->pings;
	ht_pings_void_all(&t->pings);
	t->state = was->state;
	t->told = was->told;
	t->answered_seq = was->answered_seq;
	t->answered_ns = was->answered_ns;
	t->lost_ns = was->lost_ns;
	t->risen_ns = was->risen_ns;
	t->minute = was->minute;
	memcpy(t->rtt, was->rtt, sizeof(t->rtt));
	t->minute_ns = was->minute_ns;
	t->steady_ns = was->steady_ns;
	/* As after a leap: what was counted towards a change is counted anew. */
	if (t->state == HT_REACH_UP || t->state == HT_REACH_UNKNOWN)
		t->lost_ns = HT_REACH_NEVER;
	if (was->burst.state != BURST_NONE)
		burst_begin(r, t, now);
	plan(r, t);
}

void ht_reach_inherit(
    struct ht_reach *r, const struct ht_reach *from, const uint32_t *was, int64_t now_ns)
{
	for (size_t i = 0; i < r->n; i++) {
		if (was[i] != HT_REACH_NEW &&
		    r->targets[i].self == from->targets[was[i]].self)
			inherit(r, &r->targets[i], &from->targets[was[i]], now_ns);
	}
	/* The check itself is the same: so is what it found. */
	if (from->sight != HT_REACH_SIGHT_UNKNOWN &&
	    (r->n_self > 0) == (from->n_self > 0) &&
	    (from->sight != HT_REACH_SELF_SILENT || all_self_down(r))) {
		r->sight = from->sight;
		r->sight_ns = from->sight_ns;
		ht_agenda_set(&r->agenda, r->n, r->sight_ns);
	}
	r->counters = from->counters;
}

void ht_reach_free(struct ht_reach *r)
{
	if (!r)
		return;
	ht_agenda_fini(&r->agenda);
	free(r->targets);
	free(r->parents);
	free(r->selfs);
	free(r);
}

enum ht_reach_state ht_reach_state(const struct ht_reach *r, uint32_t target)
{
	return r->targets[target].state;
}

const char *ht_reach_state_name(enum ht_reach_state state)
{
	return states[state].name;
}

const struct ht_reach_counters *ht_reach_counters(const struct ht_reach *r)
{
	return &r->counters;
}
