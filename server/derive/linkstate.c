#include "server/derive/linkstate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"

const struct linkstate_rules linkstate_defaults = {
	.degraded_loss = 0.2,
	.down_rounds = 2,
	.stale_intervals = 3,
	.default_interval_ms = 300 * HT_MS_PER_S,
	.stale_least_ms = 90 * HT_MS_PER_S,
	.stale_most_ms = 3 * 3600 * HT_MS_PER_S,
	.race_ms = 15 * HT_MS_PER_S,
	.hold_ms = 10 * HT_MS_PER_S,
	.flow_margin_ms = 10 * HT_MS_PER_S,
	.flow_ms = 180 * HT_MS_PER_S,
	.flap_high = 5,
	.flap_low = 1.5,
	.flap_half_ms = 300 * HT_MS_PER_S,
};

static const char *const names[] = {
	[LINK_UP] = "UP",
	[LINK_DEGRADED] = "DEGRADED",
	[LINK_DOWN] = "DOWN",
	[LINK_UNREACHABLE] = "UNREACHABLE",
	[LINK_UNKNOWN] = "UNKNOWN",
	[LINK_MAINTENANCE] = "MAINTENANCE",
};

const char *link_state_name(enum link_state s)
{
	return names[s];
}

bool link_state_find(const char *name, enum link_state *out)
{
	for (size_t i = 0; i < HT_COUNT(names); i++) {
		if (strcmp(names[i], name) == 0) {
			*out = (enum link_state)i;
			return true;
		}
	}
	return false;
}

bool link_ping_measured(const char *status)
{
	return status && (strcmp(status, "ok") == 0 || strcmp(status, "timeout") == 0 ||
			     strcmp(status, "unreachable") == 0);
}

int64_t linkstate_interval(int64_t known_ms, int64_t previous_ms, int64_t next_ms)
{
	if (previous_ms == LINKSTATE_NEVER || next_ms <= previous_ms)
		return known_ms;
	int64_t seen = next_ms - previous_ms;
	return known_ms > 0 && seen > 2 * known_ms ? 2 * known_ms : seen;
}

#define REACH_INTERVAL_MS (60 * HT_MS_PER_S) /* it sums up each minute */
#define PING_MS           HT_MS_PER_S

/* ── one view ────────────────────────────────────────────────────────────────────── */

struct look {
	const struct link_view *v;
	const struct linkstate_rules *r;
	int64_t now_ms;
	bool reach, ping, poll; /* fresh */
	int64_t reach_until;
	int64_t ping_until, poll_until; /* fresh until; LINKSTATE_NEVER: never measured */
};

static int64_t fresh_until(
    const struct linkstate_rules *r, int64_t at_ms, int64_t interval_ms)
{
	if (at_ms == LINKSTATE_NEVER)
		return LINKSTATE_NEVER;
	int64_t stale =
	    r->stale_intervals * (interval_ms > 0 ? interval_ms : r->default_interval_ms);
	if (stale < r->stale_least_ms)
		stale = r->stale_least_ms;
	return at_ms + (stale > r->stale_most_ms ? r->stale_most_ms : stale);
}

static bool is_any(const char *word, const char *const *of)
{
	for (; word && *of; of++) {
		if (strcmp(word, *of) == 0)
			return true;
	}
	return false;
}

static bool never(const struct look *l)
{
	return l->v->ping_ms == LINKSTATE_NEVER && l->v->poll_ms == LINKSTATE_NEVER &&
	       l->v->heard_ms == LINKSTATE_NEVER;
}

static bool unheard(const struct look *l)
{
	return l->v->unheard;
}

static bool blind(const struct look *l)
{
	return l->v->blind;
}

static bool reach_up(const struct look *l)
{
	return l->reach && l->v->reach == LINK_REACH_UP;
}

static bool reach_down(const struct look *l)
{
	return l->reach && l->v->reach == LINK_REACH_DOWN;
}

static bool in_doubt(const struct look *l)
{
	return reach_down(l) && l->v->in_doubt;
}

static bool core_up(const struct look *l)
{
	return l->v->vantage && reach_up(l) && !l->v->lossy;
}

static bool core_lossy(const struct look *l)
{
	return l->v->vantage && reach_up(l);
}

static bool core_down(const struct look *l)
{
	return l->v->vantage && reach_down(l);
}

static bool edge_up(const struct look *l)
{
	return reach_up(l) && !l->v->lossy;
}

static bool cut_off(const struct look *l)
{
	return l->v->presence != LINK_AGENT_HERE;
}

static bool stale(const struct look *l)
{
	return !l->ping && !l->poll && !l->reach;
}

static bool interface_down(const struct look *l)
{
	static const char *const down[] = { "down", "lowerLayerDown", "notPresent",
		NULL };

	/* What answers after the poll is back, whatever the device said then. */
	if (reach_up(l) && l->v->reach_ms > l->v->poll_ms)
		return false;
	return l->poll && l->v->poll_status && strcmp(l->v->poll_status, "ok") == 0 &&
	       is_any(l->v->oper, down);
}

static bool answered(const struct look *l)
{
	return l->ping && l->v->received > 0;
}

static bool answered_well(const struct look *l)
{
	/* A loss of one in five is 0.19999… to some. */
	return answered(l) && !(l->v->loss >= l->r->degraded_loss - 1e-9);
}

static bool silent(const struct look *l)
{
	return l->ping && link_ping_measured(l->v->ping_status) && l->v->failed > 0;
}

static bool silent_long(const struct look *l)
{
	return silent(l) && l->v->failed >= l->r->down_rounds;
}

static bool silent_after_answer(const struct look *l)
{
	return silent(l) && l->v->answered_ms != LINKSTATE_NEVER;
}

static bool polled(const struct look *l)
{
	static const char *const good[] = { "ok", "partial", NULL };

	return l->poll && !l->ping && is_any(l->v->poll_status, good);
}

static bool ping_failed(const struct look *l)
{
	return l->ping;
}

static bool poll_failed(const struct look *l)
{
	return l->poll;
}

enum detail {
	D_NONE,
	D_AGENT,
	D_SINCE,
	D_OPER,
	D_LOSS,
	D_FAILED,
	D_PING_STATUS,
	D_POLL_STATUS
};

/* The first rule that applies makes the statement. Strength: the device's own word on its
 * interface, then replies, then their absence, then nothing. */
static const struct rule {
	bool (*applies)(const struct look *l);
	enum link_state state;
	int strength;
	enum detail detail;
	const char *why, *reason;
} rules[] = {
	{ never, LINK_UNKNOWN, 0, D_NONE, "never", "never measured" },
	{ cut_off, LINK_UNKNOWN, 2, D_AGENT, "agent-away",
	    "the agent that measures it is %s, and says nothing about the link" },
	{ blind, LINK_UNKNOWN, 3, D_NONE, "vantage-blind",
	    "the agent that measures it sees nothing at all" },
	{ unheard, LINK_UNKNOWN, 1, D_NONE, "server-away",
	    "the server was away, and has not heard of it since" },
	{ stale, LINK_UNKNOWN, 1, D_SINCE, "stale", "not measured since %s" },
	{ interface_down, LINK_DOWN, 14, D_OPER, "interface-down",
	    "its device says that the interface is %s" },
	{ core_up, LINK_UP, 12, D_NONE, "answers", "it answers pings" },
	{ core_lossy, LINK_DEGRADED, 12, D_NONE, "lossy",
	    "pings are lost, minute after minute" },
	{ in_doubt, LINK_UNKNOWN, 3, D_NONE, "vantage-blind",
	    "it did not answer while the agent saw nothing at all" },
	{ core_down, LINK_DOWN, 11, D_NONE, "no-reply",
	    "no ping of a burst of twenty was answered" },
	{ edge_up, LINK_UP, 8, D_NONE, "answers", "it answers pings" },
	{ reach_up, LINK_DEGRADED, 7, D_NONE, "lossy",
	    "pings are lost, minute after minute" },
	{ reach_down, LINK_DOWN, 6, D_NONE, "no-reply",
	    "no ping of a burst of twenty was answered" },
	{ answered_well, LINK_UP, 8, D_NONE, "answers",
	    "the newest round of pings was answered" },
	{ answered, LINK_DEGRADED, 7, D_LOSS, "lossy",
	    "%s of the newest round of pings was lost" },
	{ silent_long, LINK_DOWN, 6, D_FAILED, "no-reply",
	    "%s rounds of pings in a row got no reply" },
	{ silent_after_answer, LINK_DEGRADED, 5, D_NONE, "first-silence",
	    "the newest round of pings got no reply; the next one decides" },
	{ silent, LINK_UNKNOWN, 4, D_NONE, "first-silence",
	    "the first round of pings got no reply; one alone decides nothing" },
	{ polled, LINK_UP, 7, D_NONE, "polled", "its device answers by SNMP" },
	{ ping_failed, LINK_UNKNOWN, 3, D_PING_STATUS, "not-pinged",
	    "it could not be pinged: %s" },
	{ poll_failed, LINK_UNKNOWN, 3, D_POLL_STATUS, "not-polled",
	    "it was not pinged, and SNMP said %s" },
};

static int64_t newest(const struct link_view *v)
{
	int64_t at = v->ping_ms > v->poll_ms ? v->ping_ms : v->poll_ms;

	return v->heard_ms > at ? v->heard_ms : at;
}

static const struct rule *statement(const struct look *l)
{
	for (size_t i = 0; i < HT_COUNT(rules); i++) {
		if (rules[i].applies(l))
			return &rules[i];
	}
	return &rules[0];
}

static void explain(
    const struct look *l, const struct rule *rule, char out[static LINKSTATE_REASON_MAX])
{
	char text[64] = "";

	switch (rule->detail) {
	case D_NONE:
		break;
	case D_AGENT:
		snprintf(text, sizeof(text), "%s",
		    l->v->presence == LINK_AGENT_LOST ? "cut off" : "switched off");
		break;
	case D_SINCE:
		ht_rfc3339(newest(l->v), text);
		break;
	case D_OPER:
		snprintf(text, sizeof(text), "%.30s", l->v->oper);
		break;
	case D_LOSS:
		snprintf(text, sizeof(text), "%.0f %%", l->v->loss * 100);
		break;
	case D_FAILED:
		snprintf(text, sizeof(text), "%d", l->v->failed);
		break;
	case D_PING_STATUS:
		snprintf(text, sizeof(text), "%.30s",
		    l->v->ping_status ? l->v->ping_status : "error");
		break;
	case D_POLL_STATUS:
		snprintf(text, sizeof(text), "%.30s",
		    l->v->poll_status ? l->v->poll_status : "error");
		break;
	}
	const char *hole = strstr(rule->reason, "%s");
	int before = hole ? (int)(hole - rule->reason) : (int)strlen(rule->reason);
	snprintf(out, LINKSTATE_REASON_MAX, "%.*s%s%s (agent %.64s)", before,
	    rule->reason, text, hole ? hole + 2 : "", l->v->agent);
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static struct look look_at(
    const struct link_view *v, const struct linkstate_rules *r, int64_t now_ms)
{
	struct look l = { .v = v, .r = r, .now_ms = now_ms };

	l.ping_until = fresh_until(r, v->ping_ms, v->ping_interval_ms);
	l.poll_until = fresh_until(r, v->poll_ms, v->poll_interval_ms);
	l.reach_until = fresh_until(r, v->heard_ms, REACH_INTERVAL_MS);
	l.reach = l.reach_until != LINKSTATE_NEVER && now_ms <= l.reach_until;
	l.ping = l.ping_until != LINKSTATE_NEVER && now_ms <= l.ping_until;
	l.poll = l.poll_until != LINKSTATE_NEVER && now_ms <= l.poll_until;
	return l;
}

static void unknown_since(
    const struct look *l, const struct rule *rule, struct link_verdict *out)
{
	if (rule->applies == stale)
		out->since_ms =
		    later(l->reach_until, later(l->ping_until, l->poll_until)) + 1;
	else if (rule->applies == cut_off)
		out->since_ms = l->v->presence_ms;
	else if (rule->applies == blind)
		out->since_ms = l->v->blind_ms;
	else if (rule->applies == unheard)
		out->since_ms = l->v->away_ms;
}

/* Between two times, the middle; without the first, the second and a wide guess. */
static void between(int64_t a, int64_t b, int64_t guess_ms, struct link_verdict *out)
{
	bool known = a != LINKSTATE_NEVER && a <= b;

	out->at_ms = known ? a + (b - a) / 2 : b;
	out->uncertainty_ms = known ? (b - a + 1) / 2 : guess_ms;
}

static int64_t interval_or(int64_t interval_ms, const struct linkstate_rules *r)
{
	return interval_ms > 0 ? interval_ms : r->default_interval_ms;
}

/* When what the rule states began, as its view knows it. */
static void dated(const struct look *l, const struct rule *rule, struct link_verdict *out)
{
	const struct link_view *v = l->v;
	int64_t interval_ms = interval_or(v->ping_interval_ms, l->r);

	if (rule->state == LINK_UNKNOWN) {
		out->at_ms = out->since_ms;
		out->uncertainty_ms = 0;
	} else if (rule->applies == interface_down || rule->applies == polled) {
		interval_ms = interval_or(v->poll_interval_ms, l->r);
		between(v->poll_ms - interval_ms, v->poll_ms, interval_ms, out);
	} else if (l->reach && v->reach == LINK_REACH_DOWN) {
		int64_t lost = v->lost_ms != LINKSTATE_NEVER ? v->lost_ms : v->reach_ms;
		between(v->reach_answered_ms, lost, REACH_INTERVAL_MS, out);
	} else if (l->reach && v->reach == LINK_REACH_UP) {
		out->at_ms = v->reach_ms;
		out->uncertainty_ms = PING_MS;
	} else {
		int64_t first =
		    v->ping_ms - (v->failed > 1 ? v->failed - 1 : 0) * interval_ms;
		between(v->failed ? v->answered_ms : first - interval_ms, first,
		    interval_ms, out);
	}
}

static void soonest(int64_t until, bool fresh, int64_t *due_ms)
{
	if (fresh && until < *due_ms)
		*due_ms = until + 1;
}

void linkstate_judge(const struct link_view *views, size_t n, int64_t now_ms,
    const struct linkstate_rules *r, struct link_verdict *out)
{
	struct link_verdict best = { .state = LINK_UNKNOWN,
		.measured_ms = LINKSTATE_NEVER,
		.due_ms = INT64_MAX,
		.since_ms = LINKSTATE_NEVER,
		.at_ms = LINKSTATE_NEVER,
		.why = "never",
		.reason = "never measured" };
	const struct rule *won = NULL;
	const struct link_view *denied = NULL;

	for (size_t i = 0; i < n; i++) {
		struct look l = look_at(&views[i], r, now_ms);
		const struct rule *rule = statement(&l);
		if (!cut_off(&l)) {
			soonest(l.reach_until, l.reach, &best.due_ms);
			soonest(l.ping_until, l.ping, &best.due_ms);
			soonest(l.poll_until, l.poll, &best.due_ms);
		}
		if (rule->state == LINK_DOWN)
			denied = &views[i];
		if (won && (rule->strength < won->strength ||
			       (rule->strength == won->strength &&
				   newest(&views[i]) <= best.measured_ms)))
			continue;
		won = rule;
		best.state = rule->state;
		best.by = &views[i];
		best.measured_ms = newest(&views[i]);
		best.since_ms = LINKSTATE_NEVER;
		unknown_since(&l, rule, &best);
		best.why = rule->why;
		dated(&l, rule, &best);
		explain(&l, rule, best.reason);
	}
	if (won && denied && denied != best.by &&
	    (best.state == LINK_UP || best.state == LINK_DEGRADED)) {
		size_t len = strlen(best.reason);
		snprintf(best.reason + len, sizeof(best.reason) - len,
		    ", though agent %.64s gets no reply", denied->agent);
	}
	*out = best;
}

/* ── what it hangs on ────────────────────────────────────────────────────────────── */

static bool gone(const struct link_case *c)
{
	return c->own == LINK_DOWN ||
	       (c->own == LINK_UNKNOWN && strcmp(c->why, "agent-away") == 0);
}

static bool flows(const struct link_case *c, const struct linkstate_rules *r)
{
	return c->own == LINK_DOWN && strcmp(c->why, "interface-down") != 0 &&
	       c->flow_ms != LINKSTATE_NEVER &&
	       c->flow_ms >= c->down_ms + r->flow_margin_ms &&
	       c->now_ms <= c->flow_ms + r->flow_ms;
}

static bool root_died(const struct link_case *c, const struct linkstate_rules *r)
{
	return gone(c) && c->parents_dead &&
	       (c->own != LINK_DOWN || c->root_down_ms <= c->down_ms + r->race_ms);
}

/* The root is back, or died long after; the child may yet answer. */
static bool held(const struct link_case *c, const struct linkstate_rules *r)
{
	return c->own == LINK_DOWN && c->was_unreachable &&
	       (c->hold_ms == LINKSTATE_NEVER || c->now_ms < c->hold_ms);
}

/* The first that applies; if none does, the state is as judged. */
static const struct settle_rule {
	bool (*applies)(const struct link_case *c, const struct linkstate_rules *r);
	enum link_state state;
	const char *why, *reason;
} settle_rules[] = {
	{ flows, LINK_UP, "data-flows",
	    "it does not answer pings, but data comes over it" },
	{ root_died, LINK_UNREACHABLE, "parent-dead", "what it hangs on is dead: %s" },
	{ held, LINK_UNREACHABLE, "parent-back",
	    "what it hangs on is back; it has a moment to answer" },
};

void linkstate_settle(
    const struct link_case *c, const struct linkstate_rules *r, struct link_settled *out)
{
	const struct settle_rule *rule = NULL;

	for (size_t i = 0; i < HT_COUNT(settle_rules) && !rule; i++) {
		if (settle_rules[i].applies(c, r))
			rule = &settle_rules[i];
	}
	*out = (struct link_settled){ .state = rule ? rule->state : c->own,
		.why = rule ? rule->why : NULL,
		.reason = rule ? rule->reason : NULL,
		.hold_ms = LINKSTATE_NEVER,
		.due_ms = INT64_MAX };
	if (rule && rule->applies == flows)
		out->due_ms = c->flow_ms + r->flow_ms + 1;
	if (rule && rule->applies == held)
		out->due_ms = out->hold_ms =
		    c->hold_ms != LINKSTATE_NEVER ? c->hold_ms : c->now_ms + r->hold_ms;
}

/* ── flaps ───────────────────────────────────────────────────────────────────────── */

static double score_at(
    const struct link_flap *f, int64_t now_ms, const struct linkstate_rules *r)
{
	int64_t age_ms = now_ms > f->at_ms ? now_ms - f->at_ms : 0;

	return f->score * exp2(-(double)age_ms / (double)r->flap_half_ms);
}

void linkstate_flap(struct link_flap *f, int64_t now_ms, const struct linkstate_rules *r)
{
	f->score = score_at(f, now_ms, r) + 1;
	f->at_ms = now_ms;
	if (f->score >= r->flap_high)
		f->unstable = true;
}

int64_t linkstate_calm(
    struct link_flap *f, int64_t now_ms, const struct linkstate_rules *r)
{
	if (!f->unstable)
		return INT64_MAX;
	if (score_at(f, now_ms, r) <= r->flap_low) {
		f->unstable = false;
		return INT64_MAX;
	}
	double halves = log2(f->score / r->flap_low);
	return f->at_ms + (int64_t)ceil(halves * (double)r->flap_half_ms) + 1;
}
