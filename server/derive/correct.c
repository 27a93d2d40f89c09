#include "server/derive/correct.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/derive/cause.h"
#include "server/derive/correct_sql.h"

#define SERVER   "@server"
#define DAY_MS   INT64_C(86400000)
#define KEEP_MS  (60 * DAY_MS) /* an edge keeps a month at most */
#define SLACK_MS INT64_C(120000)
#define POLL_MS \
	INT64_C(1800000) /* polls so long after an outage say that the router ran */
#define AROUND_MS    INT64_C(30000)
#define RESTART_MS   INT64_C(30000)             /* starts told nearer than this are one */
#define TIMETICKS_MS (INT64_C(4294967296) * 10) /* sysUpTime begins anew there */

enum { CHANGES_MAX = 256, RUNS_MAX = 64, OUTAGE_ID_MAX = 127 };

static void copy(char *out, size_t cap, const char *text)
{
	snprintf(out, cap, "%s", text ? text : "");
}

static int64_t int_or(const struct db_rows *r, int column, int64_t none)
{
	return db_is_null(r, column) ? none : db_int(r, column);
}

/* ── judging ── */

struct judged {
	char id[OUTAGE_ID_MAX + 1], link[HT_INSTANCE_MAX + 1], agency[HT_ID_MAX + 1];
	char agent[HT_ID_MAX + 1]; /* at the edge, "" for none */
	struct cause_facts facts;
	struct cause_change changes[CHANGES_MAX];
	struct cause_run runs[RUNS_MAX];
	char words[RUNS_MAX][2][HT_INSTANCE_MAX + 1]; /* boots and sessions */
	/* what the outage says now */
	char cause[16], reason[CAUSE_REASON_MAX], edge_agent[HT_ID_MAX + 1];
	int64_t start_ms, start_u, end_ms, end_u;
};

static ht_err outage_get(struct db *db, struct judged *j)
{
	struct db_rows *r = db_start(db, &correct_sql, CORRECT_OUTAGE, "s", j->id);
	ht_err err = db_next(r);

	if (!err) {
		copy(j->link, sizeof(j->link), db_text(r, 0));
		copy(j->agency, sizeof(j->agency), db_text(r, 1));
		j->facts = (struct cause_facts){
			.unreachable = strcmp(db_text(r, 2), "UNREACHABLE") == 0,
			.start_ms = db_int(r, 3),
			.start_uncertainty_ms = db_int(r, 4),
			.end_ms = int_or(r, 5, CAUSE_OPEN),
			.other_way = db_int(r, 13) > 1,
			.router_start_ms = CAUSE_NEVER,
			.changes = j->changes,
			.runs = j->runs,
		};
		copy(j->cause, sizeof(j->cause), db_text(r, 6));
		copy(j->reason, sizeof(j->reason), db_text(r, 7));
		j->start_ms = int_or(r, 8, CAUSE_NEVER);
		j->start_u = db_int(r, 9);
		j->end_ms = int_or(r, 10, CAUSE_NEVER);
		j->end_u = db_int(r, 11);
		copy(j->edge_agent, sizeof(j->edge_agent), db_text(r, 12));
	}
	db_done(r);
	return err;
}

/* Until when records may tell something of it. */
static int64_t until(const struct cause_facts *f)
{
	return f->end_ms == CAUSE_OPEN ? INT64_MAX : f->end_ms + SLACK_MS;
}

static ht_err agent_get(struct db *db, struct judged *j)
{
	struct db_rows *r = db_start(db, &correct_sql, CORRECT_EDGE_AGENT, "ssi",
	    j->agency, j->link, j->facts.start_ms);
	ht_err err = db_next(r);

	copy(j->agent, sizeof(j->agent), err ? "" : db_text(r, 0));
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static bool place_of(const char *suffix, enum cause_place *out)
{
	static const char *const names[CAUSE_PLACES] = { "", ":gateway", ":dns",
		":internet" };

	for (size_t i = 0; i < CAUSE_PLACES; i++) {
		if (suffix && strcmp(names[i], suffix) == 0) {
			*out = (enum cause_place)i;
			return true;
		}
	}
	return false;
}

static ht_err changes_get(struct db *db, struct judged *j)
{
	struct db_rows *r = db_start(db, &correct_sql, CORRECT_CHANGES, "ssii", j->link,
	    j->agent, until(&j->facts), (int64_t)CHANGES_MAX);
	size_t at = CHANGES_MAX; /* newest first: filled from the end */
	enum cause_place place;
	ht_err err;

	while (at && !(err = db_next(r))) {
		if (!place_of(db_text(r, 0), &place))
			continue;
		j->changes[--at] = (struct cause_change){
			.place = place,
			.down = strcmp(db_text(r, 1), "down") == 0,
			.at_ms = db_int(r, 2),
			.lost_ms = int_or(r, 3, CAUSE_NEVER),
			.answered_ms = int_or(r, 4, CAUSE_NEVER),
			.uncertainty_ms = db_int(r, 5),
			.journal_id = db_int(r, 6),
		};
	}
	db_done(r);
	j->facts.changes = j->changes + at;
	j->facts.n_changes = CHANGES_MAX - at;
	return at && err != HT_NOTFOUND ? err : HT_OK;
}

static ht_err runs_get(struct db *db, struct judged *j)
{
	struct db_rows *r = db_start(db, &correct_sql, CORRECT_RUNS, "sii", j->agent,
	    until(&j->facts), (int64_t)RUNS_MAX);
	size_t at = RUNS_MAX;
	ht_err err;

	while (at && !(err = db_next(r))) {
		at--;
		copy(j->words[at][0], sizeof(j->words[at][0]), db_text(r, 0));
		copy(j->words[at][1], sizeof(j->words[at][1]), db_text(r, 1));
		j->runs[at] = (struct cause_run){ j->words[at][0], j->words[at][1],
			db_int(r, 2), db_int(r, 3), db_int(r, 4) };
	}
	db_done(r);
	j->facts.runs = j->runs + at;
	j->facts.n_runs = RUNS_MAX - at;
	return at && err != HT_NOTFOUND ? err : HT_OK;
}

static ht_err router_get(struct db *db, struct judged *j)
{
	struct db_rows *r =
	    db_start(db, &correct_sql, CORRECT_ROUTER, "si", j->link, until(&j->facts));
	ht_err err = db_next(r);

	if (!err) {
		j->facts.router_start_ms = db_int(r, 0);
		j->facts.router_told_ms = db_int(r, 1);
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err found(struct db_rows *r, bool *out)
{
	ht_err err = db_next(r);

	*out = !err;
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err facts_get(struct db *db, struct judged *j)
{
	struct cause_facts *f = &j->facts;
	ht_err err = agent_get(db, j);

	if (!err && j->agent[0])
		err = changes_get(db, j);
	if (!err && j->agent[0])
		err = runs_get(db, j);
	if (!err)
		err = router_get(db, j);
	if (!err)
		err = found(db_start(db, &correct_sql, CORRECT_OPER_DOWN, "sii", j->link,
				f->start_ms - SLACK_MS, until(f)),
		    &f->oper_down);
	if (!err)
		err = found(db_start(db, &correct_sql, CORRECT_BLIND, "ii",
				f->start_ms + AROUND_MS, f->start_ms - AROUND_MS),
		    &f->blind);
	if (!err)
		err = found(db_start(db, &correct_sql, CORRECT_STOPPED, "ii",
				f->start_ms + AROUND_MS, f->start_ms - AROUND_MS),
		    &f->server_gap);
	return err;
}

static bool same(const struct judged *j, const struct cause_verdict *v, const char *agent)
{
	return strcmp(j->cause, cause_name(v->cause)) == 0 &&
	       strcmp(j->reason, v->reason) == 0 &&
	       strcmp(j->edge_agent, agent ? agent : "") == 0 &&
	       j->start_ms == v->start_ms && j->end_ms == v->end_ms &&
	       (v->start_ms == CAUSE_NEVER || j->start_u == v->start_uncertainty_ms) &&
	       (v->end_ms == CAUSE_NEVER || j->end_u == v->end_uncertainty_ms);
}

static ht_err verdict_put(
    struct db *db, const struct judged *j, const struct cause_verdict *v)
{
	bool start = v->start_ms != CAUSE_NEVER, end = v->end_ms != CAUSE_NEVER;
	const char *agent = start ? j->agent : NULL;

	if (same(j, v, agent))
		return HT_OK;
	ht_err err = db_exec(db, &correct_sql, CORRECT_SET, "sssIIIIs",
	    cause_name(v->cause), v->reason, agent, v->start_ms,
	    start ? v->start_uncertainty_ms : CAUSE_NEVER, v->end_ms,
	    end ? v->end_uncertainty_ms : CAUSE_NEVER, j->id);
	if (!err)
		err = db_exec(db, &correct_sql, CORRECT_EVIDENCE_CLEAR, "s", j->id);
	for (size_t i = 0; i < v->n_journal && !err; i++)
		err = db_exec(
		    db, &correct_sql, CORRECT_EVIDENCE_PUT, "si", j->id, v->journal[i]);
	return err;
}

static ht_err judge(struct db *db, const char *id)
{
	struct judged *j = calloc(1, sizeof(*j));
	struct cause_verdict verdict;

	if (!j)
		return HT_NOMEM;
	copy(j->id, sizeof(j->id), id);
	ht_err err = outage_get(db, j);
	if (!err)
		err = facts_get(db, j);
	if (!err) {
		cause_judge(&j->facts, &verdict);
		err = verdict_put(db, j, &verdict);
	}
	free(j);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* Judge the outages that a statement lists (at most a thousand), after it has ended. */
static ht_err judge_all(struct db *db, struct db_rows *r)
{
	char(*ids)[OUTAGE_ID_MAX + 1] = NULL;
	size_t n = 0, cap = 0;
	ht_err err;

	while (!(err = db_next(r))) {
		if (n == cap) {
			size_t more = cap ? cap * 2 : 8;
			void *bigger = realloc(ids, more * sizeof(*ids));
			if (!bigger) {
				err = HT_NOMEM;
				break;
			}
			ids = bigger;
			cap = more;
		}
		copy(ids[n++], sizeof(*ids), db_text(r, 0));
	}
	db_done(r);
	err = err == HT_NOTFOUND ? HT_OK : err;
	for (size_t i = 0; i < n && !err; i++)
		err = judge(db, ids[i]);
	free(ids);
	return err;
}

/* ── what rows tell ── */

struct event {
	const char *agent, *subject, *kind, *value;
	int64_t at_ms, lost_ms, answered_ms, uncertainty_ms, journal_id;
};

static ht_err event_put(struct db *db, const struct event *e)
{
	return db_exec(db, &correct_sql, CORRECT_EVENT_PUT, "sssisIIii", e->agent,
	    e->subject, e->kind, e->at_ms, e->value, e->lost_ms, e->answered_ms,
	    e->uncertainty_ms, e->journal_id);
}

/* The value told last before `at_ms`, and when; "" for none. */
static ht_err event_last(
    struct db *db, const struct event *e, char value[static 32], int64_t *out_at_ms)
{
	struct db_rows *r = db_start(db, &correct_sql, CORRECT_EVENT_LAST, "sssi",
	    e->agent, e->subject, e->kind, e->at_ms);
	ht_err err = db_next(r);

	copy(value, 32, err ? "" : db_text(r, 0));
	*out_at_ms = err ? CAUSE_NEVER : db_int(r, 1);
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* A value that is told again and again: only a change is kept. */
static ht_err event_change(struct db *db, const struct event *e, bool *out_changed)
{
	char value[32];
	int64_t at_ms;
	ht_err err = event_last(db, e, value, &at_ms);

	*out_changed = !err && strncmp(value, e->value, sizeof(value) - 1) != 0;
	return *out_changed ? event_put(db, e) : err;
}

/* A duration of the same transition, as a time; NEVER when it is not told. */
static int64_t ago(
    const struct fold_input *in, const struct fold_record *of, enum ht_metric metric)
{
	double s;

	for (size_t i = 0; i < in->n_records; i++) {
		const struct fold_record *r = &in->records[i];

		if (r->known && r->metric == metric && r->at_ms == of->at_ms &&
		    strcmp(r->instance, of->instance) == 0 &&
		    senml_number(r->senml, &s) && s >= 0 && s < 1e9)
			return of->at_ms - (int64_t)llround(s * 1000);
	}
	return CAUSE_NEVER;
}

/* Suspicions are refuted or confirmed: neither is a silence of its own. */
static ht_err tell_reach(
    struct db *db, const struct fold_input *in, const struct fold_record *r)
{
	const char *state = r->senml->string;

	if (strcmp(state, "up") != 0 && strcmp(state, "down") != 0)
		return HT_OK;
	return event_put(db, &(struct event){
				 .agent = in->row->agent,
				 .subject = r->instance,
				 .kind = "reach",
				 .value = state,
				 .at_ms = r->at_ms,
				 .lost_ms = ago(in, r, HT_M_REACH_UNANSWERED_FOR),
				 .answered_ms = ago(in, r, HT_M_REACH_ANSWERED_AGO),
				 .uncertainty_ms = r->uncertainty_ms,
				 .journal_id = in->row->id,
			     });
}

static ht_err judge_around(struct db *db, int64_t at_ms)
{
	return judge_all(db, db_start(db, &correct_sql, CORRECT_OUTAGES_AROUND, "iis",
				 at_ms - SLACK_MS, at_ms + SLACK_MS, ""));
}

static ht_err judge_link(
    struct db *db, const char *link, int64_t at_ms, int64_t before_ms)
{
	return judge_all(db, db_start(db, &correct_sql, CORRECT_OUTAGES_OF_LINK, "sii",
				 link, at_ms - before_ms, at_ms + SLACK_MS));
}

static ht_err tell_blind(
    struct db *db, const struct fold_input *in, const struct fold_record *r)
{
	struct event e = {
		.agent = in->row->agent,
		.subject = "@blind",
		.kind = "blind",
		.value = r->senml->boolean ? "down" : "up",
		.at_ms = r->at_ms,
		.lost_ms = CAUSE_NEVER,
		.answered_ms = CAUSE_NEVER,
		.uncertainty_ms = r->uncertainty_ms,
		.journal_id = in->row->id,
	};
	bool changed;
	ht_err err = event_change(db, &e, &changed);

	return err || !changed ? err : judge_around(db, r->at_ms);
}

static ht_err tell_oper(
    struct db *db, const struct fold_input *in, const struct fold_record *r)
{
	struct event e = {
		.agent = in->row->agent,
		.subject = r->instance,
		.kind = "oper",
		.value = r->senml->string,
		.at_ms = r->at_ms,
		.lost_ms = CAUSE_NEVER,
		.answered_ms = CAUSE_NEVER,
		.uncertainty_ms = r->uncertainty_ms,
		.journal_id = in->row->id,
	};
	char link[HT_INSTANCE_MAX + 1];
	bool changed;
	ht_err err = event_change(db, &e, &changed);

	copy(link, sizeof(link), r->instance);
	char *colon = strrchr(link, ':');
	if (colon)
		*colon = '\0';
	return err || !changed ? err : judge_link(db, link, r->at_ms, SLACK_MS);
}

/* When the router started, by its uptime; the same start told again only says that it
 * still runs. The counter itself begins anew after 497 days: no start. */
static ht_err tell_router(
    struct db *db, const struct fold_input *in, const struct fold_record *r)
{
	double uptime_s;
	char value[32];
	int64_t before_ms;

	if (!senml_number(r->senml, &uptime_s) || !(uptime_s >= 0 && uptime_s < 1e9))
		return HT_OK;
	struct event e = {
		.agent = in->row->agent,
		.subject = r->instance,
		.kind = "router",
		.value = "",
		.at_ms = r->at_ms,
		.lost_ms = CAUSE_NEVER,
		.answered_ms = r->at_ms,
		.uncertainty_ms = r->uncertainty_ms,
		.journal_id = in->row->id,
	};
	ht_err err = event_last(db, &e, value, &before_ms);
	if (err)
		return err;
	e.at_ms = r->at_ms - (int64_t)llround(uptime_s * 1000);
	if (before_ms != CAUSE_NEVER &&
	    (llabs(e.at_ms - before_ms) <= RESTART_MS ||
		llabs(e.at_ms - before_ms - TIMETICKS_MS) <= RESTART_MS))
		err = db_exec(db, &correct_sql, CORRECT_ROUTER_TOLD, "issi", r->at_ms,
		    e.agent, e.subject, before_ms);
	else
		err = event_put(db, &e);
	return err ? err : judge_link(db, r->instance, r->at_ms, POLL_MS);
}

static ht_err tell(
    struct db *db, const struct fold_input *in, const struct fold_record *r, bool edge)
{
	if (!r->known)
		return HT_OK;
	switch (r->metric) {
	case HT_M_REACH_STATE:
		return edge ? tell_reach(db, in, r) : HT_OK;
	case HT_M_REACH_BLIND:
		return tell_blind(db, in, r);
	case HT_M_IF_OPER_STATUS:
		return tell_oper(db, in, r);
	case HT_M_SNMP_UPTIME:
		return tell_router(db, in, r);
	default:
		return HT_OK;
	}
}

/* ── rows ── */

static ht_err is_edge(struct db *db, const struct fold_input *in, bool *out)
{
	struct db_rows *r =
	    db_start(db, &correct_sql, CORRECT_IS_VANTAGE, "s", in->row->agent);
	ht_err err = db_next(r);

	*out = !err && in->agency && db_int(r, 0) == 0;
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* The pack of an edge: a piece of its process's life, and news for every outage of that
 * time in its agency. */
static ht_err edge_told(struct db *db, const struct fold_input *in)
{
	const struct journal_row *row = in->row;
	int64_t first_ms = INT64_MAX, last_ms = INT64_MIN;

	for (size_t i = 0; i < in->n_records; i++) {
		int64_t at_ms = in->records[i].at_ms;
		first_ms = at_ms < first_ms ? at_ms : first_ms;
		last_ms = at_ms > last_ms ? at_ms : last_ms;
	}
	ht_err err = db_exec(db, &correct_sql, CORRECT_RUN_PUT, "sssiii", row->agent,
	    row->props.boot, row->props.session, first_ms, last_ms, row->id);
	if (!err)
		err = judge_all(
		    db, db_start(db, &correct_sql, CORRECT_OUTAGES_OF_AGENCY, "sii",
			    in->agency, first_ms - SLACK_MS, last_ms + SLACK_MS));
	return err;
}

static ht_err apply_pack(struct db *db, const struct fold_input *in)
{
	bool edge;
	ht_err err = is_edge(db, in, &edge);

	for (size_t i = 0; i < in->n_records && !err; i++)
		err = tell(db, in, &in->records[i], edge);
	return err || !edge ? err : edge_told(db, in);
}

static ht_err server_last(struct db *db, int64_t *out_ms)
{
	struct db_rows *r = db_start(db, &correct_sql, CORRECT_RUN_LAST, "s", SERVER);
	ht_err err = db_next(r);

	*out_ms = err ? CAUSE_NEVER : db_int(r, 0);
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* The server's own rows tell when it ran; once a day what is old is removed. */
static ht_err apply_server(struct db *db, const struct journal_row *row)
{
	int64_t last_ms;
	ht_err err = server_last(db, &last_ms);

	if (!err && last_ms != CAUSE_NEVER && strcmp(row->kind, "start") == 0)
		err = event_put(
		    db, &(struct event){ SERVER, "", "stopped", "", row->received_ms,
			    last_ms, CAUSE_NEVER, 0, row->id });
	if (!err)
		err = db_exec(db, &correct_sql, CORRECT_RUN_PUT, "sssiii", SERVER, "", "",
		    row->received_ms, row->received_ms, row->id);
	if (err || last_ms == CAUSE_NEVER ||
	    row->received_ms / DAY_MS == last_ms / DAY_MS)
		return err;
	err = db_exec(
	    db, &correct_sql, CORRECT_PRUNE_EVENTS, "i", row->received_ms - KEEP_MS);
	return err ? err
		   : db_exec(db, &correct_sql, CORRECT_PRUNE_RUNS, "i",
			 row->received_ms - KEEP_MS);
}

static ht_err correct_apply(struct db *db, const struct fold_input *in)
{
	ht_err err = HT_OK;

	if (in->n_records)
		err = apply_pack(db, in);
	else if (in->row->source == JOURNAL_SERVER)
		err = apply_server(db, in->row);
	/* What fold_links opened or closed by this row. */
	return err ? err
		   : judge_all(db, db_start(db, &correct_sql, CORRECT_OUTAGES_OF_ROW, "i",
				       in->row->id));
}

static ht_err correct_reset(struct db *db)
{
	static const enum correct_statement all[] = { CORRECT_RESET_EVENTS,
		CORRECT_RESET_RUNS, CORRECT_RESET_EVIDENCE };
	ht_err err = HT_OK;

	for (size_t i = 0; i < HT_COUNT(all) && !err; i++)
		err = db_exec(db, &correct_sql, all[i], "");
	return err;
}

const struct fold fold_correct = {
	.name = "correct",
	.version = 1,
	.sources = 1u << JOURNAL_AGENT | 1u << JOURNAL_OPERATOR | 1u << JOURNAL_SERVER,
	.apply = correct_apply,
	.reset = correct_reset,
	.follows = "links",
};
