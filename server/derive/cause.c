#include "server/derive/cause.h"

#include <stdio.h>
#include <string.h>

#include "base/reading.h"

#define SLACK_MS     INT64_C(10000) /* both clocks' error and the core's way to a verdict */
#define RUN_SLACK_MS INT64_C(90000) /* an idle agent tells something each minute */
#define GAP_LEAST_MS                                                      \
	INT64_C(20000) /* a shorter restart of the agent explains nothing \
			*/
#define BOOT_SLACK_MS INT64_C(5000)

/* Silence of one place during the outage: from its first episode's start to its last
 * episode's end. */
struct silence {
	bool known, lost;
	int64_t start_ms, start_u, end_ms, end_u; /* NEVER: not told */
	int64_t journal[2];
	size_t n_journal;
};

struct view {
	const struct cause_facts *f;
	struct silence at[CAUSE_PLACES];
	bool recorded; /* the edge ran meanwhile, or told of it */
	bool alive;    /* one process ran through all of it */
	bool reboot;   /* another boot id after a gap in which the outage began */
	bool restart;  /* the same, of the process alone */
	bool router_restarted, router_ran;
};

static int64_t half(int64_t low, int64_t high)
{
	return low + (high - low) / 2;
}

/* ── episodes ── */

static bool overlaps(
    const struct cause_facts *f, int64_t from_ms, int64_t to_ms, int64_t u)
{
	int64_t slack = SLACK_MS + f->start_uncertainty_ms + u;

	return (f->end_ms == CAUSE_OPEN || from_ms <= f->end_ms + slack) &&
	       (to_ms == CAUSE_OPEN || to_ms >= f->start_ms - slack);
}

static void silence_begin(struct silence *s, const struct cause_change *down)
{
	int64_t lost = down->lost_ms == CAUSE_NEVER ? down->at_ms : down->lost_ms;
	int64_t low = down->answered_ms == CAUSE_NEVER || down->answered_ms > lost
			  ? lost
			  : down->answered_ms;

	s->lost = true;
	s->start_ms = half(low, lost);
	s->start_u = (lost - low + 1) / 2 + down->uncertainty_ms;
	s->journal[s->n_journal++] = down->journal_id;
}

/* The first answered ping came back: the line was whole since some time after the ping
 * before it was sent. Pings go each second. */
static void silence_end(struct silence *s, const struct cause_change *up)
{
	enum { PING_MS = 1000 };
	int64_t at = up->answered_ms == CAUSE_NEVER ? up->at_ms : up->answered_ms;

	s->end_ms = at - PING_MS / 2;
	s->end_u = PING_MS / 2 + up->uncertainty_ms;
	s->journal[1] = up->journal_id;
	s->n_journal = 2;
}

static void silence_of(
    const struct cause_facts *f, enum cause_place place, struct silence *out)
{
	const struct cause_change *down = NULL;

	*out = (struct silence){ .start_ms = CAUSE_NEVER, .end_ms = CAUSE_NEVER };
	for (size_t i = 0; i < f->n_changes; i++) {
		const struct cause_change *c = &f->changes[i];

		if (c->place != place)
			continue;
		out->known = out->known || f->end_ms == CAUSE_OPEN ||
			     c->at_ms <= f->end_ms + SLACK_MS;
		if (c->down && !down)
			down = c;
		if (c->down || !down)
			continue;
		if (overlaps(f,
			down->lost_ms == CAUSE_NEVER ? down->at_ms : down->lost_ms,
			c->at_ms, c->uncertainty_ms)) {
			if (!out->lost)
				silence_begin(out, down);
			silence_end(out, c);
		}
		down = NULL;
	}
	if (!down ||
	    !overlaps(f, down->lost_ms == CAUSE_NEVER ? down->at_ms : down->lost_ms,
		CAUSE_OPEN, down->uncertainty_ms))
		return;
	if (!out->lost)
		silence_begin(out, down);
	out->end_ms = CAUSE_NEVER;
}

/* ── lives of the agent ── */

static void read_runs(struct view *v)
{
	const struct cause_facts *f = v->f;
	const struct cause_run *before = NULL;

	for (size_t i = 0; i < f->n_runs; i++) {
		const struct cause_run *r = &f->runs[i];
		bool in =
		    r->last_ms >= f->start_ms - SLACK_MS &&
		    (f->end_ms == CAUSE_OPEN || r->first_ms <= f->end_ms + SLACK_MS);
		int64_t gap_ms = before ? r->first_ms - before->last_ms : 0;
		bool began_in_gap =
		    before &&
		    f->start_ms + f->start_uncertainty_ms + SLACK_MS >= before->last_ms &&
		    f->start_ms - RUN_SLACK_MS <= before->last_ms + RUN_SLACK_MS &&
		    f->start_ms <= r->first_ms;
		bool new_boot = before && strcmp(before->boot, r->boot) != 0;

		v->recorded = v->recorded || in;
		if (r->first_ms <= f->start_ms && f->end_ms != CAUSE_OPEN &&
		    r->last_ms >= f->end_ms - RUN_SLACK_MS)
			v->alive = true;
		if (began_in_gap && new_boot)
			v->reboot = true;
		else if (began_in_gap && gap_ms >= GAP_LEAST_MS)
			v->restart = true;
		if (!before || r->last_ms > before->last_ms)
			before = r;
	}
}

static void read_router(struct view *v)
{
	const struct cause_facts *f = v->f;

	if (f->router_start_ms == CAUSE_NEVER)
		return;
	v->router_restarted =
	    f->router_start_ms >= f->start_ms - SLACK_MS - f->start_uncertainty_ms &&
	    (f->end_ms == CAUSE_OPEN || f->router_start_ms <= f->end_ms + SLACK_MS);
	v->router_ran = f->router_start_ms < f->start_ms - SLACK_MS - BOOT_SLACK_MS &&
			f->end_ms != CAUSE_OPEN && f->router_told_ms >= f->end_ms;
}

static void view_of(const struct cause_facts *f, struct view *v)
{
	*v = (struct view){ .f = f };
	for (size_t i = 0; i < CAUSE_PLACES; i++) {
		silence_of(f, (enum cause_place)i, &v->at[i]);
		v->recorded = v->recorded || v->at[i].lost;
	}
	read_runs(v);
	read_router(v);
}

/* ── rules ── */

static bool lost(const struct view *v, enum cause_place p)
{
	return v->at[p].lost;
}

static bool answered(const struct view *v, enum cause_place p)
{
	return v->at[p].known && !v->at[p].lost;
}

static bool is_parent(const struct view *v)
{
	return v->f->unreachable;
}

static bool is_server(const struct view *v)
{
	return (v->f->blind || v->f->server_gap) && !lost(v, CAUSE_FAR) &&
	       !lost(v, CAUSE_GATEWAY) && !v->reboot && !v->router_restarted &&
	       (answered(v, CAUSE_FAR) || !v->recorded);
}

static bool is_power(const struct view *v)
{
	return v->reboot && !v->router_ran && !lost(v, CAUSE_FAR) &&
	       !lost(v, CAUSE_GATEWAY);
}

static bool is_router_restart(const struct view *v)
{
	return v->router_restarted && !v->reboot;
}

static bool is_lan(const struct view *v)
{
	return lost(v, CAUSE_GATEWAY) && v->router_ran;
}

static bool is_router_silent(const struct view *v)
{
	return lost(v, CAUSE_GATEWAY);
}

static bool is_line_down(const struct view *v)
{
	return v->f->oper_down && (lost(v, CAUSE_FAR) || !v->recorded);
}

static bool is_far_end(const struct view *v)
{
	return lost(v, CAUSE_FAR) && !v->f->other_way &&
	       (answered(v, CAUSE_INTERNET) || answered(v, CAUSE_DNS));
}

static bool is_wan(const struct view *v)
{
	return lost(v, CAUSE_FAR) && answered(v, CAUSE_GATEWAY);
}

static bool is_agent_restart(const struct view *v)
{
	return (v->reboot && v->router_ran) || (v->restart && !lost(v, CAUSE_FAR));
}

static bool is_core_side(const struct view *v)
{
	return answered(v, CAUSE_FAR) && v->alive;
}

static bool is_half_known(const struct view *v)
{
	return lost(v, CAUSE_FAR);
}

static bool is_unrecorded(const struct view *v)
{
	return !v->recorded;
}

static bool always(const struct view *v)
{
	(void)v;
	return true;
}

static const struct {
	enum cause cause;
	bool (*holds)(const struct view *v);
	const char *reason;
} rules[] = {
	{ CAUSE_PARENT, is_parent,
	    "A link that this one depends on was down, so it could not be reached." },
	{ CAUSE_SERVER, is_server,
	    "The measuring side was blind or stopped when it began, and nothing says "
	    "that "
	    "the link itself was dead." },
	{ CAUSE_POWER, is_power,
	    "The machine inside fell silent with the link and came back with a new boot "
	    "id: the power was gone, or the machine was switched off." },
	{ CAUSE_ROUTER, is_router_restart,
	    "The router's uptime began anew within the outage." },
	{ CAUSE_LAN, is_lan,
	    "The gateway did not answer inside although the router ran all the time: the "
	    "fault lay between them in the local network." },
	{ CAUSE_ROUTER, is_router_silent,
	    "The gateway stopped answering inside as well: router or modem." },
	{ CAUSE_WAN_LINK, is_line_down,
	    "The router reported the line's interface down." },
	{ CAUSE_FAR_END, is_far_end,
	    "From inside the far end did not answer while what lies beyond it did: the "
	    "line carried traffic." },
	{ CAUSE_WAN_LINK, is_wan,
	    "From inside the gateway answered and the far end of the line did not." },
	{ CAUSE_AGENT, is_agent_restart,
	    "The agent or its machine started again, and nothing else says that the link "
	    "was dead." },
	{ CAUSE_FAR_END, is_core_side,
	    "From inside the far end answered all the time: the fault lay between it and "
	    "the core." },
	{ CAUSE_UNKNOWN, is_half_known,
	    "From inside the far end did not answer, but nobody measures the gateway "
	    "there." },
	{ CAUSE_UNKNOWN, is_unrecorded,
	    "There is no record from inside: no agent, or it has not reported yet." },
	{ CAUSE_UNKNOWN, always, "What was recorded inside does not name a cause." },
};

static void correct(const struct silence *s, struct cause_verdict *out)
{
	out->start_ms = s->start_ms;
	out->start_uncertainty_ms = s->start_u;
	out->end_ms = s->end_ms;
	out->end_uncertainty_ms = s->end_u;
	for (size_t i = 0; i < s->n_journal; i++)
		out->journal[out->n_journal++] = s->journal[i];
}

/* Up at the start of a process says only that the way came back while none ran. */
static void doubt_end(const struct cause_facts *f, struct cause_verdict *v)
{
	for (size_t i = 1; i < f->n_runs && v->end_ms != CAUSE_NEVER; i++) {
		int64_t first = f->runs[i].first_ms, last = f->runs[i - 1].last_ms;
		int64_t low = last > v->start_ms ? last : v->start_ms;

		if (first <= v->start_ms || first <= last ||
		    first > v->end_ms + BOOT_SLACK_MS ||
		    first < v->end_ms - BOOT_SLACK_MS)
			continue;
		int64_t high = v->end_ms + v->end_uncertainty_ms;
		v->end_ms = half(low, high);
		v->end_uncertainty_ms = high - v->end_ms;
		return;
	}
}

void cause_judge(const struct cause_facts *f, struct cause_verdict *out)
{
	struct view v;
	size_t i = 0;

	view_of(f, &v);
	while (!rules[i].holds(&v))
		i++;
	*out = (struct cause_verdict){
		.cause = rules[i].cause, .start_ms = CAUSE_NEVER, .end_ms = CAUSE_NEVER
	};
	snprintf(out->reason, sizeof(out->reason), "%s", rules[i].reason);
	if (v.at[CAUSE_FAR].lost)
		correct(&v.at[CAUSE_FAR], out);
	else if (v.at[CAUSE_GATEWAY].lost)
		correct(&v.at[CAUSE_GATEWAY], out);
	doubt_end(f, out);
}

const char *cause_name(enum cause c)
{
	static const char *const names[] = {
		[CAUSE_UNKNOWN] = "unknown",
		[CAUSE_WAN_LINK] = "wan-link",
		[CAUSE_ROUTER] = "router",
		[CAUSE_POWER] = "power",
		[CAUSE_LAN] = "lan",
		[CAUSE_AGENT] = "agent",
		[CAUSE_FAR_END] = "far-end",
		[CAUSE_SERVER] = "server",
		[CAUSE_PARENT] = "parent",
	};

	return names[c];
}
