/* fold_links: the states of links, outages, agencies and what is wrong with them, from
 * agents' packs, presence and what people entered (links.h). Time comes from rows: a row
 * first lets happen what time alone does, so that slices of any size give the same. */
#include "server/derive/links.h"

#include <string.h>

#include "server/derive/facts_sql.h"
#include "server/derive/folds.h"
#include "server/derive/link_sql.h"
#include "server/derive/payload.h"
#include "server/registry/parents.h"

#define HOUR_MS       INT64_C(3600000)
#define KEEP_HOURS_MS (8 * 24 * HOUR_MS)
#define AWAY_MS       INT64_C(15000)  /* a start after a shorter hole hides nothing */
#define SPARE_MS      INT64_C(180000) /* for agents to come back after one */
#define TICKS_MAX     200000          /* a row makes us look at so many links at most */

/* ── time ────────────────────────────────────────────────────────────────────────── */

static ht_err tick(const struct link_turn *t)
{
	ht_err err = agent_due(t);

	for (int n = 0; n < TICKS_MAX && !err; n++) {
		char link[HT_INSTANCE_MAX + 1] = "";
		struct db_rows *r =
		    db_start(t->db, &link_sql, LINK_SQL_DUE, "i", t->now_ms);

		err = db_next(r);
		if (!err)
			text_copy(link, sizeof(link), db_text(r, 0));
		db_done(r);
		if (!err)
			err = link_evaluate(t, link);
	}
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* The server was away: what it heard before says nothing of now. */
static ht_err awake_again(struct link_turn *t, int64_t last_ms)
{
	t->away_ms = last_ms;
	t->awake_ms = t->now_ms;
	ht_err err = db_exec(t->db, &link_sql, LINK_SQL_MARK_HEARD, "i", t->now_ms);

	return err ? err
		   : db_exec(t->db, &link_sql, LINK_SQL_AGENTS_SPARE, "i",
			 t->now_ms + SPARE_MS);
}

static ht_err wake(struct link_turn *t, const struct journal_row *row)
{
	struct db_rows *r = db_start(t->db, &link_sql, LINK_SQL_AWAKE_GET, "");
	ht_err err = db_next(r);
	int64_t last_ms = err ? t->now_ms : db_int(r, 1);
	bool start = row->source == JOURNAL_SERVER && strcmp(row->kind, "start") == 0;

	t->awake_ms = t->away_ms = err ? t->now_ms : db_int(r, 0);
	db_done(r);
	if (err && err != HT_NOTFOUND)
		return err;
	err = HT_OK;
	if (start && t->now_ms - last_ms > AWAY_MS)
		err = awake_again(t, last_ms);
	return err ? err
		   : db_exec(t->db, &link_sql, LINK_SQL_AWAKE_PUT, "ii", t->awake_ms,
			 t->now_ms);
}

/* ── what people enter ───────────────────────────────────────────────────────────── */

struct edge {
	const struct link_turn *t;
	const char *child;
};

static ht_err put_edge(void *arg, const char *id)
{
	struct edge *e = arg;

	return db_exec(e->t->db, &link_sql, LINK_SQL_PARENT_PUT, "ss", id, e->child);
}

static ht_err put_edges(const struct link_turn *t, const char *link)
{
	struct edge e = { t, link };
	char parents[PARENTS_MAX + 1];
	struct ht_fault fault = { 0 };
	ht_err err = db_exec(t->db, &link_sql, LINK_SQL_PARENTS_CLEAR, "s", link);

	if (err)
		return err;
	struct db_rows *r = db_start(t->db, &link_sql, LINK_SQL_LINK, "s", link);
	err = db_next(r);
	text_copy(parents, sizeof(parents), err ? NULL : db_text(r, 3));
	db_done(r);
	if (err || !parents[0])
		return err == HT_NOTFOUND ? HT_OK : err;
	err = parents_walk(parents, put_edge, &e, &fault);
	return err == HT_MALFORMED ? HT_OK : err;
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static ht_err apply_operator(const struct link_turn *t, const struct fold_input *in)
{
	const struct journal_row *row = in->row;
	char id[HT_INSTANCE_MAX + 1];
	ht_err err;

	if (!payload_text(row, "id", id, sizeof(id)))
		return HT_OK;
	if (begins(row->kind, "maintenance."))
		return db_exec(
		    t->db, &link_sql, LINK_SQL_MARK_MAINTENANCE, "is", t->now_ms, id);
	if (strcmp(row->kind, "agent.revoke") == 0 ||
	    strcmp(row->kind, "agent.remove") == 0)
		return agent_end(t, id);
	if (begins(row->kind, "agent."))
		return db_exec(
		    t->db, &link_sql, LINK_SQL_MARK_AGENT, "is", t->now_ms, id);
	if (!begins(row->kind, "link."))
		return HT_OK;
	err = put_edges(t, id);
	return err ? err : link_evaluate(t, id);
}

/* ── rows ────────────────────────────────────────────────────────────────────────── */

static ht_err apply_row(const struct link_turn *t, const struct fold_input *in)
{
	const struct journal_row *row = in->row;
	ht_err err;

	if (row->source == JOURNAL_OPERATOR)
		return apply_operator(t, in);
	if (row->agent && strcmp(row->kind, "presence") == 0)
		return agent_presence(t, in);
	if (row->source != JOURNAL_AGENT || strcmp(row->kind, "data") != 0)
		return HT_OK;
	err = agent_heard(t, in);
	if (!err && in->n_records)
		err = link_pack_apply(t, in);
	return err;
}

static ht_err links_apply(struct db *db, const struct fold_input *in)
{
	struct link_turn t = {
		.db = db, .now_ms = in->row->received_ms, .row_id = in->row->id
	};
	ht_err err = wake(&t, in->row);

	if (!err)
		err = tick(&t);
	if (!err)
		err = apply_row(&t, in);
	return err ? err : tick(&t);
}

static ht_err links_reset(struct db *db)
{
	static const enum facts_statement all[] = { FACTS_LINK_FACT_RESET,
		FACTS_LINK_VIEW_RESET, FACTS_LINK_HOUR_RESET };
	static const char *const others[] = { "on-backup", "agent-silent",
		"vantage-blind" };
	ht_err err = HT_OK;

	for (size_t i = 0; i < HT_COUNT(all) && !err; i++)
		err = db_exec(db, &facts_sql, all[i], "");
	for (int i = LINK_SQL_RESET_FIRST; i <= LINK_SQL_RESET_LAST && !err; i++)
		err = db_exec(db, &link_sql, i, "");
	if (!err)
		err = problem_reset(db, link_problem_kinds, link_problem_kinds_len);
	return err ? err : problem_reset(db, others, HT_COUNT(others));
}

/* Nothing is decided here (see above); only when the next row is needed. */
static ht_err links_settle(struct db *db, struct fold_settle *s)
{
	struct db_rows *r = db_start(db, &link_sql, LINK_SQL_NEXT_DUE, "");
	ht_err err = db_next(r);

	if (!err && !db_is_null(r, 0))
		s->due_ms = db_int(r, 0);
	db_done(r);
	return err ? err
		   : db_exec(db, &facts_sql, FACTS_LINK_HOURS_PRUNE, "i",
			 s->now_ms - KEEP_HOURS_MS);
}

const struct fold fold_links = {
	.name = "links",
	.version = 2,
	.sources = 1u << JOURNAL_AGENT | 1u << JOURNAL_OPERATOR | 1u << JOURNAL_SERVER,
	.apply = links_apply,
	.reset = links_reset,
	.settle = links_settle,
};
