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

/* ── one view ────────────────────────────────────────────────────────────────────── */

struct look {
	const struct link_view *v;
	const struct linkstate_rules *r;
	int64_t now_ms;
	bool ping, poll;                /* fresh */
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
	return l->v->ping_ms == LINKSTATE_NEVER && l->v->poll_ms == LINKSTATE_NEVER;
}

static bool cut_off(const struct look *l)
{
	return l->v->presence != LINK_AGENT_HERE;
}

static bool stale(const struct look *l)
{
	return !l->ping && !l->poll;
}

static bool interface_down(const struct look *l)
{
	static const char *const down[] = { "down", "lowerLayerDown", "notPresent",
		NULL };

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
	const char *reason;
} rules[] = {
	{ never, LINK_UNKNOWN, 0, D_NONE, "never measured" },
	{ cut_off, LINK_UNKNOWN, 2, D_AGENT,
	    "the agent that measures it is %s, and says nothing about the link" },
	{ stale, LINK_UNKNOWN, 1, D_SINCE, "not measured since %s" },
	{ interface_down, LINK_DOWN, 9, D_OPER,
	    "its device says that the interface is %s" },
	{ answered_well, LINK_UP, 8, D_NONE, "the newest round of pings was answered" },
	{ answered, LINK_DEGRADED, 7, D_LOSS,
	    "%s of the newest round of pings was lost" },
	{ silent_long, LINK_DOWN, 6, D_FAILED,
	    "%s rounds of pings in a row got no reply" },
	{ silent_after_answer, LINK_DEGRADED, 5, D_NONE,
	    "the newest round of pings got no reply; the next one decides" },
	{ silent, LINK_UNKNOWN, 4, D_NONE,
	    "the first round of pings got no reply; one alone decides nothing" },
	{ polled, LINK_UP, 7, D_NONE, "its device answers by SNMP" },
	{ ping_failed, LINK_UNKNOWN, 3, D_PING_STATUS, "it could not be pinged: %s" },
	{ poll_failed, LINK_UNKNOWN, 3, D_POLL_STATUS,
	    "it was not pinged, and SNMP said %s" },
};

static int64_t newest(const struct link_view *v)
{
	return v->ping_ms > v->poll_ms ? v->ping_ms : v->poll_ms;
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
	l.ping = l.ping_until != LINKSTATE_NEVER && now_ms <= l.ping_until;
	l.poll = l.poll_until != LINKSTATE_NEVER && now_ms <= l.poll_until;
	return l;
}

static void unknown_since(
    const struct look *l, const struct rule *rule, struct link_verdict *out)
{
	if (rule->applies == stale)
		out->since_ms = later(l->ping_until, l->poll_until) + 1;
	else if (rule->applies == cut_off)
		out->since_ms = l->v->presence_ms;
}

void linkstate_judge(const struct link_view *views, size_t n, int64_t now_ms,
    const struct linkstate_rules *r, struct link_verdict *out)
{
	struct link_verdict best = { .state = LINK_UNKNOWN,
		.measured_ms = LINKSTATE_NEVER,
		.due_ms = INT64_MAX,
		.since_ms = LINKSTATE_NEVER,
		.reason = "never measured" };
	const struct rule *won = NULL;
	const struct link_view *denied = NULL;

	for (size_t i = 0; i < n; i++) {
		struct look l = look_at(&views[i], r, now_ms);
		const struct rule *rule = statement(&l);
		if (!cut_off(&l)) {
			if (l.ping && l.ping_until < best.due_ms)
				best.due_ms = l.ping_until + 1;
			if (l.poll && l.poll_until < best.due_ms)
				best.due_ms = l.poll_until + 1;
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
