/* Who is heard of, and who sees: presence, live packs, silence, blindness. A silent agent
 * is a problem of the agent; what its link is, others say. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "server/derive/link_sql.h"
#include "server/derive/links.h"
#include "server/derive/presence.h"

#define NEVER INT64_MIN

#define SILENT_LEAST_MS     (180 * HT_MS_PER_S)
#define SILENT_MOST_MS      (3 * 3600 * HT_MS_PER_S)
#define SILENT_INTERVALS    3
#define INTERVAL_DEFAULT_MS (300 * HT_MS_PER_S)
#define BLIND_FRESH_MS      (180 * HT_MS_PER_S)

struct live {
	bool there;
	char agency[HT_ID_MAX + 1], state[16], session[PROPS_HEX_LEN + 1];
	int64_t since_ms, heard_ms, interval_ms, due_ms;
};

static ht_err live_get(struct db *db, const char *agent, struct live *out)
{
	struct db_rows *r = db_start(db, &link_sql, LINK_SQL_AGENT_GET, "s", agent);
	ht_err err = db_next(r);

	*out = (struct live){ .state = "none", .heard_ms = NEVER, .due_ms = NEVER };
	if (!err) {
		out->there = true;
		text_copy(out->agency, sizeof(out->agency), db_text(r, 0));
		text_copy(out->state, sizeof(out->state), db_text(r, 1));
		text_copy(out->session, sizeof(out->session), db_text(r, 2));
		out->since_ms = db_int(r, 3);
		out->heard_ms = int_or(r, 4, NEVER);
		out->interval_ms = db_int(r, 5);
		out->due_ms = int_or(r, 6, NEVER);
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err live_put(struct db *db, const char *agent, const struct live *l)
{
	return db_exec(db, &link_sql, LINK_SQL_AGENT_PUT, "ssssiIiI", agent, l->agency,
	    l->state, text_or_null(l->session), l->since_ms, l->heard_ms, l->interval_ms,
	    l->due_ms);
}

static int64_t silent_from(const struct live *l, int64_t from_ms)
{
	int64_t wait_ms = SILENT_INTERVALS *
			  (l->interval_ms > 0 ? l->interval_ms : INTERVAL_DEFAULT_MS);

	if (wait_ms < SILENT_LEAST_MS)
		wait_ms = SILENT_LEAST_MS;
	return from_ms + (wait_ms > SILENT_MOST_MS ? SILENT_MOST_MS : wait_ms);
}

static bool waited_for(const struct live *l)
{
	return strcmp(l->state, "online") == 0;
}

/* Only when all links of its agency are dead do they explain that it is silent. */
static ht_err explained_by(
    const struct link_turn *t, const char *agency, char root[PROBLEM_ID_MAX + 1])
{
	char link[HT_INSTANCE_MAX + 1] = "";
	struct db_rows *r =
	    db_start(t->db, &link_sql, LINK_SQL_AGENCY_LINKS, "s", agency);
	bool all_dead = true;
	ht_err err;

	root[0] = '\0';
	while (!(err = db_next(r))) {
		enum link_state state = LINK_UNKNOWN;

		(void)link_state_find(db_text(r, 2), &state);
		all_dead &= link_dead(state);
		if (!link[0])
			text_copy(link, sizeof(link), db_text(r, 0));
	}
	db_done(r);
	if (err != HT_NOTFOUND)
		return err;
	for (size_t i = 0;
	     i < link_problem_kinds_len && all_dead && link[0] && err == HT_NOTFOUND; i++)
		err = problem_find(t->db, link_problem_kinds[i], link, root);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err silent(const struct link_turn *t, const char *agent, const struct live *l,
    const char *reason)
{
	char root[PROBLEM_ID_MAX + 1], facts[HT_ID_MAX + 120] = "{}",
							 heard[HT_RFC3339_LEN + 1];
	ht_err err = explained_by(t, l->agency, root);

	if (l->heard_ms != NEVER) {
		ht_rfc3339(l->heard_ms, heard);
		snprintf(facts, sizeof(facts), "{\"agent\":\"%s\",\"heard\":\"%s\"}",
		    agent, heard);
	}
	struct problem p = { .kind = "agent-silent",
		.subject = agent,
		.agency = l->agency,
		.root = text_or_null(root),
		.at_ms = t->now_ms,
		.reason = reason,
		.facts = facts };
	return err ? err : problem_open(t->db, &p, t->row_id, NULL);
}

/* ── rows ────────────────────────────────────────────────────────────────────────── */

/* A pack of the live lane. What it brings late says nothing of now. */
ht_err agent_heard(const struct link_turn *t, const struct fold_input *in)
{
	const char *agent = in->row->agent;
	struct live l;

	if (in->row->lane == JOURNAL_HIST || !in->agency)
		return HT_OK;
	ht_err err = live_get(t->db, agent, &l);
	if (err)
		return err;
	if (l.heard_ms != NEVER)
		l.interval_ms = linkstate_interval(l.interval_ms, l.heard_ms, t->now_ms);
	text_copy(l.agency, sizeof(l.agency), in->agency);
	if (!l.there)
		l.since_ms = t->now_ms;
	l.heard_ms = t->now_ms;
	l.due_ms = waited_for(&l) ? silent_from(&l, t->now_ms) : NEVER;
	err = live_put(t->db, agent, &l);
	if (!err && strcmp(l.state, "lost") != 0)
		err = problem_close(
		    t->db, "agent-silent", agent, t->now_ms, t->row_id, NULL);
	/* It may be the sign that a link which does not answer pings lives. */
	return err ? err
		   : db_exec(t->db, &link_sql, LINK_SQL_MARK_AGENCY_DOWN, "is", t->now_ms,
			 in->agency);
}

static ht_err presence_problem(
    const struct link_turn *t, const char *agent, const struct live *l)
{
	if (strcmp(l->state, "lost") == 0)
		return silent(t, agent, l, "its connection broke without a farewell");
	return problem_close(t->db, "agent-silent", agent, t->now_ms, t->row_id, NULL);
}

ht_err agent_presence(const struct link_turn *t, const struct fold_input *in)
{
	const struct journal_row *row = in->row;
	struct presence p;
	struct live l;

	if (!in->agency || presence_parse(row->payload, row->len, &p))
		return HT_OK;
	ht_err err = live_get(t->db, row->agent, &l);
	bool same_session = strcmp(l.session, p.session) == 0;
	if (err || (p.state == PRESENCE_LOST && l.session[0] && !same_session))
		return err; /* an old session's will */
	if (strcmp(l.state, presence_state_name(p.state)) != 0 || !same_session)
		l.since_ms = t->now_ms;
	text_copy(l.agency, sizeof(l.agency), in->agency);
	text_copy(l.state, sizeof(l.state), presence_state_name(p.state));
	text_copy(l.session, sizeof(l.session), p.session);
	l.due_ms = waited_for(&l) ? silent_from(&l, t->now_ms) : NEVER;
	err = live_put(t->db, row->agent, &l);
	if (!err)
		err = presence_problem(t, row->agent, &l);
	return err ? err
		   : db_exec(t->db, &link_sql, LINK_SQL_MARK_AGENT, "is", t->now_ms,
			 row->agent);
}

ht_err agent_due(const struct link_turn *t)
{
	ht_err err = HT_OK;

	while (!err) {
		char agent[HT_ID_MAX + 1] = "";
		struct live l;
		struct db_rows *r =
		    db_start(t->db, &link_sql, LINK_SQL_AGENT_DUE, "i", t->now_ms);

		err = db_next(r);
		if (!err)
			text_copy(agent, sizeof(agent), db_text(r, 0));
		db_done(r);
		if (!err)
			err = live_get(t->db, agent, &l);
		if (err)
			break;
		l.due_ms = NEVER;
		err = live_put(t->db, agent, &l);
		if (!err)
			err = silent(t, agent, &l, "it is online, but sends nothing");
	}
	return err == HT_NOTFOUND ? HT_OK : err;
}

ht_err agent_end(const struct link_turn *t, const char *agent)
{
	static const char *const kinds[] = { "agent-silent", "vantage-blind" };
	ht_err err = db_exec(t->db, &link_sql, LINK_SQL_AGENT_REMOVE, "s", agent);

	for (size_t i = 0; i < HT_COUNT(kinds) && !err; i++)
		err = problem_close(t->db, kinds[i], agent, t->now_ms, t->row_id,
		    "the agent left the registry");
	return err;
}

/* ── blindness ───────────────────────────────────────────────────────────────────── */

static ht_err is_vantage(struct db *db, const char *agent, bool *out)
{
	struct db_rows *r = db_start(db, &link_sql, LINK_SQL_IS_VANTAGE, "s", agent);
	ht_err err = db_next(r);

	*out = !err && db_int(r, 0) != 0;
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err blind_problem(const struct link_turn *t, const struct fold_input *in,
    bool is_blind, int64_t at_ms, const char *reason)
{
	const char *agent = in->row->agent;
	bool vantage;
	ht_err err = is_vantage(t->db, agent, &vantage);

	if (err || !is_blind)
		return err ? err
			   : problem_close(
				 t->db, "vantage-blind", agent, at_ms, t->row_id, NULL);
	if (!vantage || at_ms < t->now_ms - BLIND_FRESH_MS)
		return HT_OK; /* an office's own gateway is the link's affair */
	struct problem p = { .kind = "vantage-blind",
		.subject = agent,
		.agency = in->agency,
		.at_ms = at_ms,
		.reason = reason };
	return problem_open(t->db, &p, t->row_id, NULL);
}

ht_err agent_blind(const struct link_turn *t, const struct fold_input *in, bool is_blind,
    int64_t at_ms, const char *reason)
{
	const char *agent = in->row->agent;
	struct db_rows *r = db_start(t->db, &link_sql, LINK_SQL_VANTAGE_GET, "s", agent);
	ht_err err = db_next(r);
	bool there = !err, was = there && db_int(r, 0) != 0;
	bool older = there && at_ms < db_int(r, 1);

	db_done(r);
	if (err && err != HT_NOTFOUND)
		return err;
	if (older || (there && was == is_blind))
		return HT_OK;
	if (!reason)
		reason = is_blind ? "it sees none of its own targets" : "it sees";
	err = db_exec(t->db, &link_sql, LINK_SQL_VANTAGE_PUT, "siisi", agent,
	    (int64_t)is_blind, at_ms, reason, t->row_id);
	if (!err)
		err = blind_problem(t, in, is_blind, at_ms, reason);
	return err ? err
		   : db_exec(
			 t->db, &link_sql, LINK_SQL_MARK_AGENT, "is", t->now_ms, agent);
}
