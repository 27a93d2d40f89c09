/* One link judged: its views, what it hangs on, data that flows, maintenance, flaps. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "server/derive/facts_sql.h"
#include "server/derive/link_sql.h"
#include "server/derive/links.h"
#include "server/registry/parents.h"

#define NEVER INT64_MIN

/* ── rows ────────────────────────────────────────────────────────────────────────── */

struct fact {
	bool there;
	enum link_state state;
	int64_t since_ms, since_journal, down_bps, up_bps, due_ms;
	char agency[HT_ID_MAX + 1], reason[LINKSTATE_REASON_MAX];
};

static ht_err fact_get(struct db *db, const char *link, struct fact *out)
{
	struct db_rows *r = db_start(db, &facts_sql, FACTS_LINK_FACT_GET, "s", link);
	ht_err err = db_next(r);

	*out = (struct fact){ .since_ms = INT64_MIN,
		.down_bps = INT64_MIN,
		.up_bps = INT64_MIN,
		.due_ms = INT64_MIN };
	if (!err && link_state_find(db_text(r, 0), &out->state)) {
		out->there = true;
		out->since_ms = int_or(r, 1, INT64_MIN);
		out->since_journal = db_int(r, 2);
		out->down_bps = int_or(r, 3, INT64_MIN);
		out->up_bps = int_or(r, 4, INT64_MIN);
		text_copy(out->agency, sizeof(out->agency), db_text(r, 5));
		text_copy(out->reason, sizeof(out->reason), db_text(r, 6));
		out->due_ms = int_or(r, 7, INT64_MIN);
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

struct owner {
	char agency[HT_ID_MAX + 1], provider[256], role[16], parents[PARENTS_MAX + 1];
};

static ht_err owner_get(struct db *db, const char *link, struct owner *out)
{
	struct db_rows *r = db_start(db, &link_sql, LINK_SQL_LINK, "s", link);
	ht_err err = db_next(r);

	if (!err) {
		text_copy(out->agency, sizeof(out->agency), db_text(r, 0));
		text_copy(out->provider, sizeof(out->provider), db_text(r, 1));
		text_copy(out->role, sizeof(out->role), db_text(r, 2));
		text_copy(out->parents, sizeof(out->parents), db_text(r, 3));
	}
	db_done(r);
	return err;
}

ht_err link_memory_get(struct db *db, const char *link, struct link_memory *out)
{
	struct db_rows *r = db_start(db, &link_sql, LINK_SQL_MEMORY_GET, "s", link);
	ht_err err = db_next(r);

	*out = (struct link_memory){ .own = LINK_UNKNOWN,
		.state = LINK_UNKNOWN,
		.down_ms = NEVER,
		.hold_ms = NEVER,
		.due_ms = NEVER };
	if (!err) {
		out->there = true;
		text_copy(out->agency, sizeof(out->agency), db_text(r, 0));
		text_copy(out->provider, sizeof(out->provider), db_text(r, 1));
		text_copy(out->role, sizeof(out->role), db_text(r, 2));
		(void)link_state_find(db_text(r, 3), &out->own);
		(void)link_state_find(db_text(r, 4), &out->state);
		out->muted = db_int(r, 5) != 0;
		text_copy(out->root, sizeof(out->root), db_text(r, 6));
		text_copy(out->root_problem, sizeof(out->root_problem), db_text(r, 7));
		out->down_ms = int_or(r, 8, NEVER);
		out->hold_ms = int_or(r, 9, NEVER);
		out->flap.score = db_double(r, 10);
		out->flap.at_ms = db_int(r, 11);
		out->flap.unstable = db_int(r, 12) != 0;
		out->problems = (int)db_int(r, 13);
		out->due_ms = int_or(r, 14, NEVER);
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err memory_put(struct db *db, const char *link, const struct link_memory *m)
{
	return db_exec(db, &link_sql, LINK_SQL_MEMORY_PUT, "ssssssissIIdiiiI", link,
	    m->agency, text_or_null(m->provider), m->role, link_state_name(m->own),
	    link_state_name(m->state), (int64_t)m->muted, text_or_null(m->root),
	    text_or_null(m->root_problem), m->down_ms, m->hold_ms, m->flap.score,
	    m->flap.at_ms, (int64_t)m->flap.unstable, (int64_t)m->problems, m->due_ms);
}

/* ── what it hangs on ────────────────────────────────────────────────────────────── */

struct upward {
	struct db *db;
	const char *link;
	ht_err err;
	bool found; /* a dead parent whose root is another link */
	char root[HT_INSTANCE_MAX + 1];
	int64_t root_down_ms;
};

static bool parent_lives(void *arg, const char *id)
{
	struct upward *up = arg;
	struct link_memory m;
	ht_err err = link_memory_get(up->db, id, &m);

	if (err)
		up->err = err;
	if (err || !m.there || !link_dead(m.state))
		return true;
	const char *root = m.state == LINK_UNREACHABLE && m.root[0] ? m.root : id;
	if (strcmp(root, up->link) == 0 || strcmp(id, up->link) == 0)
		return true; /* a circle explains nothing */
	if (!up->found) {
		up->found = true;
		text_copy(up->root, sizeof(up->root), root);
		up->root_down_ms = m.down_ms;
	}
	return false;
}

static ht_err look_up(
    struct db *db, const char *link, const char *parents, struct upward *out, bool *dead)
{
	bool alive = true;

	*out = (struct upward){ .db = db, .link = link, .root_down_ms = NEVER };
	*dead = false;
	if (!parents[0])
		return HT_OK;
	/* A text that cannot be read explains nothing; the registry refuses new ones. */
	if (!parents_alive(parents, parent_lives, out, &alive))
		*dead = !alive && out->found;
	return out->err;
}

/* ── maintenance ─────────────────────────────────────────────────────────────────── */

static void sooner(int64_t at_ms, int64_t *due_ms)
{
	if (at_ms < *due_ms)
		*due_ms = at_ms;
}

static ht_err window(const struct link_turn *t, const char *link, const struct owner *o,
    bool *inside, int64_t *due_ms, char reason[static LINKSTATE_REASON_MAX])
{
	const char *provider = text_or_null(o->provider);
	struct db_rows *r = db_start(t->db, &link_sql, LINK_SQL_WINDOW, "sssi", link,
	    o->agency, provider, t->now_ms);
	ht_err err = db_next(r);

	*inside = !err;
	if (!err) {
		sooner(db_int(r, 0), due_ms);
		snprintf(
		    reason, LINKSTATE_REASON_MAX, "maintenance: %.200s", db_text(r, 1));
	}
	db_done(r);
	if (err && err != HT_NOTFOUND)
		return err;
	r = db_start(t->db, &link_sql, LINK_SQL_WINDOW_NEXT, "sssi", link, o->agency,
	    provider, t->now_ms);
	err = db_next(r);
	if (!err && !db_is_null(r, 0))
		sooner(db_int(r, 0), due_ms);
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* ── data that flows ─────────────────────────────────────────────────────────────── */

static ht_err flow_of(const struct link_turn *t, const char *link, const struct owner *o,
    const struct views *v, int64_t *out)
{
	struct db_rows *r =
	    db_start(t->db, &link_sql, LINK_SQL_FLOW, "ss", o->agency, link);
	ht_err err = db_next(r);

	*out = err ? NEVER : int_or(r, 0, NEVER);
	db_done(r);
	/* Its router answers a vantage by SNMP: that came over the link, too. */
	for (size_t i = 0; i < v->n && !err; i++) {
		const struct link_view *w = &v->at[i];

		if (w->vantage && w->poll_status && w->poll_ms > *out &&
		    (strcmp(w->poll_status, "ok") == 0 ||
			strcmp(w->poll_status, "partial") == 0))
			*out = w->poll_ms;
	}
	return err;
}

/* ── the fact ────────────────────────────────────────────────────────────────────── */

/* The newest view that knows the interface's speed, and the newest that knows a rate. */
static void rates_of(
    const struct views *v, int64_t *speed_bps, double *down_bps, double *up_bps)
{
	int64_t at = LINKSTATE_NEVER;

	*speed_bps = INT64_MIN;
	*down_bps = *up_bps = NAN;
	for (size_t i = 0; i < v->n; i++) {
		if (v->at[i].poll_ms == LINKSTATE_NEVER || v->at[i].poll_ms <= at)
			continue;
		at = v->at[i].poll_ms;
		double bps = v->text[i].speed_bps;
		*speed_bps = bps > 0 && bps < 1e15 ? (int64_t)bps : INT64_MIN;
		*down_bps = v->text[i].used_down_bps;
		*up_bps = v->text[i].used_up_bps;
	}
}

static void measured(const struct views *v, const struct link_verdict *verdict,
    double *loss, double *rtt_s)
{
	const struct link_view *by = verdict->by;

	*loss = *rtt_s = NAN;
	if (!by || verdict->state == LINK_UNKNOWN)
		return;
	bool reach = by->heard_ms != LINKSTATE_NEVER && by->heard_ms >= by->ping_ms;
	*loss = reach ? v->text[by - v->at].reach_loss : by->loss;
	*rtt_s = reach ? v->text[by - v->at].reach_rtt_s : by->rtt_s;
}

static ht_err fact_put(const struct link_turn *t, const struct link_news *n,
    const struct views *v, const struct fact *old)
{
	const struct link_verdict *verdict = n->verdict;
	const struct view_text *by = verdict->by ? &v->text[verdict->by - v->at] : NULL;
	bool same = old->there && old->state == n->shown,
	     known = by && verdict->state != LINK_UNKNOWN;
	int64_t speed_bps, since_ms = old->since_ms, since_journal = old->since_journal;
	double down_bps, up_bps, loss, rtt_s;
	char evidence[64];

	rates_of(v, &speed_bps, &down_bps, &up_bps);
	measured(v, verdict, &loss, &rtt_s);
	if (!same) {
		since_ms = n->at_ms;
		since_journal =
		    by && by->journal && verdict->by->presence == LINK_AGENT_HERE
			? by->journal
			: t->row_id;
	}
	if (by && by->journal && by->journal != since_journal)
		snprintf(evidence, sizeof(evidence), "[%" PRId64 ",%" PRId64 "]",
		    since_journal, by->journal);
	else
		snprintf(evidence, sizeof(evidence), "[%" PRId64 "]", since_journal);
	ht_err err = db_exec(t->db, &facts_sql, FACTS_LINK_FACT_PUT, "sssIIDDIIDDsssiI",
	    n->link, link_state_name(n->shown), n->reason, since_ms, verdict->measured_ms,
	    loss, rtt_s, speed_bps, speed_bps, known ? down_bps : NAN,
	    known ? up_bps : NAN, by ? by->agent : NULL, evidence, n->now->agency,
	    since_journal, NEVER);
	if (err || (same && old->down_bps == speed_bps &&
		       strcmp(old->agency, n->now->agency) == 0))
		return err;
	err = facts_index_dirty(t->db, n->now->agency, same ? t->now_ms : n->at_ms);
	if (!err && old->agency[0] && strcmp(old->agency, n->now->agency) != 0)
		err = facts_index_dirty(t->db, old->agency, t->now_ms);
	return err;
}

/* ── all of it ───────────────────────────────────────────────────────────────────── */

static bool counts_as_flap(enum link_state a, enum link_state b)
{
	bool up_a = a == LINK_UP || a == LINK_DEGRADED,
	     up_b = b == LINK_UP || b == LINK_DEGRADED;

	return (up_a && b == LINK_DOWN) || (a == LINK_DOWN && up_b);
}

/* Those who hang on it, and its agency, must look again. */
static ht_err tell_others(const struct link_turn *t, const char *link,
    const struct link_memory *old, const struct link_memory *now)
{
	int roots = LINK_PROBLEM_DOWN | LINK_PROBLEM_UNSTABLE;
	bool state = !old->there || old->state != now->state ||
		     old->muted != now->muted || strcmp(old->role, now->role) != 0 ||
		     strcmp(old->agency, now->agency) != 0;
	bool above = link_dead(old->state) != link_dead(now->state) ||
		     strcmp(old->root, now->root) != 0 || old->muted != now->muted ||
		     (old->problems & roots) != (now->problems & roots);
	ht_err err = HT_OK;

	if (above)
		err = db_exec(
		    t->db, &link_sql, LINK_SQL_MARK_CHILDREN, "is", t->now_ms, link);
	if (!err && (state || old->problems != now->problems))
		err = agency_evaluate(t, now->agency);
	if (!err && old->there && strcmp(old->agency, now->agency) != 0)
		err = agency_evaluate(t, old->agency);
	return err;
}

static ht_err is_muted(const struct link_turn *t, struct link_memory *m, bool inside)
{
	struct link_memory root = { 0 };
	ht_err err = HT_OK;

	if (m->state == LINK_UNREACHABLE && m->root[0])
		err = link_memory_get(t->db, m->root, &root);
	m->muted = inside || root.muted;
	return err;
}

struct judging {
	struct views views;
	struct link_verdict verdict;
	struct link_settled settled;
	struct upward up;
	bool inside;
	int64_t due_ms;
	char reason[LINKSTATE_REASON_MAX], window[LINKSTATE_REASON_MAX];
};

static ht_err judge(const struct link_turn *t, const char *link, const struct owner *o,
    const struct link_memory *old, struct judging *j)
{
	struct view_time when = { t->db, t->awake_ms, t->away_ms };
	struct link_case c = { .root_down_ms = NEVER, .flow_ms = NEVER };
	ht_err err = views_get(&when, link, &j->views);

	if (err)
		return err;
	linkstate_judge(
	    j->views.at, j->views.n, t->now_ms, &linkstate_defaults, &j->verdict);
	err = look_up(t->db, link, o->parents, &j->up, &c.parents_dead);
	/* Data says nothing against an office that sees its far end dead from inside. */
	if (!err && j->verdict.state == LINK_DOWN && j->verdict.by->vantage)
		err = flow_of(t, link, o, &j->views, &c.flow_ms);
	if (err)
		return err;
	c.own = j->verdict.state;
	c.why = j->verdict.why;
	c.down_ms = j->verdict.at_ms;
	c.root_down_ms = j->up.root_down_ms;
	c.was_unreachable = old->state == LINK_UNREACHABLE;
	c.hold_ms = old->hold_ms;
	c.now_ms = t->now_ms;
	linkstate_settle(&c, &linkstate_defaults, &j->settled);
	j->due_ms = j->verdict.due_ms;
	sooner(j->settled.due_ms, &j->due_ms);
	return window(t, link, o, &j->inside, &j->due_ms, j->window);
}

static void remember(const struct link_turn *t, const struct owner *o, struct judging *j,
    const struct link_memory *old, struct link_memory *m)
{
	*m = *old;
	m->there = true;
	text_copy(m->agency, sizeof(m->agency), o->agency);
	text_copy(m->provider, sizeof(m->provider), o->provider);
	text_copy(m->role, sizeof(m->role), o->role);
	m->own = j->verdict.state;
	m->state = j->settled.state;
	m->hold_ms = j->settled.hold_ms;
	if (m->state != LINK_UNREACHABLE)
		m->root[0] = '\0';
	else if (j->up.found)
		text_copy(m->root, sizeof(m->root), j->up.root);
	if (!link_dead(m->state))
		m->down_ms = NEVER;
	else if (!link_dead(old->state) || m->down_ms == NEVER)
		m->down_ms = m->own == LINK_DOWN ? j->verdict.at_ms : t->now_ms;
	if (counts_as_flap(old->state, m->state))
		linkstate_flap(&m->flap, t->now_ms, &linkstate_defaults);
	sooner(linkstate_calm(&m->flap, t->now_ms, &linkstate_defaults), &j->due_ms);
	m->due_ms = j->due_ms == INT64_MAX  ? NEVER
		    : j->due_ms > t->now_ms ? j->due_ms
					    : t->now_ms + 1;
}

static const char *say(struct judging *j, const struct link_memory *m)
{
	if (j->inside)
		return j->window;
	if (!j->settled.reason)
		return j->verdict.reason;
	const char *hole = strstr(j->settled.reason, "%s");
	snprintf(j->reason, sizeof(j->reason), "%.*s%s",
	    hole ? (int)(hole - j->settled.reason) : (int)strlen(j->settled.reason),
	    j->settled.reason, hole ? m->root : "");
	return j->reason;
}

static ht_err evaluate(const struct link_turn *t, const char *link, const struct owner *o)
{
	struct link_memory old, m;
	struct judging j = { 0 };
	struct fact fact;
	ht_err err = link_memory_get(t->db, link, &old);

	if (!err)
		err = fact_get(t->db, link, &fact);
	if (!err)
		err = judge(t, link, o, &old, &j);
	if (err)
		return err;
	remember(t, o, &j, &old, &m);
	err = is_muted(t, &m, j.inside);
	struct link_news n = { .link = link,
		.old = &old,
		.now = &m,
		.shown = j.inside ? LINK_MAINTENANCE : m.state,
		.why = j.inside        ? "maintenance"
		       : j.settled.why ? j.settled.why
				       : j.verdict.why,
		.reason = say(&j, &m),
		.agent = j.verdict.by ? j.verdict.by->agent : NULL,
		.verdict = &j.verdict,
		.blind_ms = j.verdict.by && j.verdict.by->blind ? j.verdict.by->blind_ms
								: NEVER };
	if (!err)
		err = link_record(t, &n);
	if (!err)
		err = fact_put(t, &n, &j.views, &fact);
	if (!err)
		err = memory_put(t->db, link, &m);
	return err ? err : tell_others(t, link, &old, &m);
}

ht_err link_evaluate(const struct link_turn *t, const char *link)
{
	struct owner o;
	ht_err err = owner_get(t->db, link, &o);

	return err == HT_NOTFOUND ? link_end(t, link) : err ? err : evaluate(t, link, &o);
}
