#include "server/derive/path_span.h"

#include <string.h>

#include "server/derive/path_sql.h"

#define DAY_MS  (INT64_C(24) * 3600 * 1000)
#define KEEP_MS (800 * DAY_MS) /* two years and more */

struct span {
	bool there;
	int64_t from_ms, last_ms, journal_id;
	struct path_trace newest; /* its link and time are not used */
};

struct turn {
	struct db *db;
	const char *link, *agent;
	bool unknown; /* which of the two kinds of spans */
};

/* ── rows ────────────────────────────────────────────────────────────────────────── */

static ht_err span_get(const struct turn *u, int statement, int64_t at_ms, struct span *s)
{
	struct db_rows *r = db_start(u->db, &path_sql, statement, "ssii", u->link,
	    u->agent, (int64_t)u->unknown, at_ms);
	ht_err err = db_next(r);

	*s = (struct span){ .there = !err };
	if (!err) {
		struct path_trace *t = &s->newest;

		s->from_ms = db_int(r, 0);
		s->last_ms = db_int(r, 1);
		text_copy(t->network, sizeof(t->network), db_text(r, 2));
		t->reached = db_int(r, 3) != 0;
		text_copy(t->target, sizeof(t->target), db_text(r, 4));
		text_copy(t->reason, sizeof(t->reason), db_text(r, 5));
		text_copy(t->hops, sizeof(t->hops), db_text(r, 6));
		s->journal_id = db_int(r, 7);
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err span_store(
    const struct turn *u, const struct span *s, int64_t from_ms, int64_t last_ms)
{
	const struct path_trace *t = &s->newest;

	if (from_ms > last_ms)
		return HT_OK; /* nothing is left of it */
	return db_exec(u->db, &path_sql, PATH_SQL_PUT, "ssiisisssi", u->link, u->agent,
	    from_ms, last_ms, t->network, (int64_t)t->reached, text_or_null(t->target),
	    t->reason, text_or_null(t->hops), s->journal_id);
}

static ht_err span_remove(const struct turn *u, const struct span *s)
{
	return db_exec(
	    u->db, &path_sql, PATH_SQL_REMOVE, "ssi", u->link, u->agent, s->from_ms);
}

static ht_err day_is_full(const struct turn *u, int64_t at_ms, bool *out)
{
	int64_t day_ms = at_ms - at_ms % DAY_MS;
	struct db_rows *r = db_start(u->db, &path_sql, PATH_SQL_COUNT, "ssii", u->link,
	    u->agent, day_ms, day_ms + DAY_MS);
	ht_err err = db_next(r);

	*out = !err && db_int(r, 0) >= PATH_SPANS_A_DAY;
	db_done(r);
	return err;
}

static bool same(const struct span *a, const struct span *b)
{
	return a->there && b->there && a->newest.reached == b->newest.reached &&
	       strcmp(a->newest.network, b->newest.network) == 0;
}

/* ── where it belongs ────────────────────────────────────────────────────────────── */

/* Within `s`, that says otherwise. What lies between two late ones that say the same was
 * bridged as well: nobody looked then. */
static ht_err split(const struct turn *u, const struct span *s, const struct span *now)
{
	int64_t at_ms = now->from_ms;
	struct span before;
	bool full;
	ht_err err = day_is_full(u, at_ms, &full);

	if (!err)
		err = span_get(u, PATH_SQL_BEFORE, s->from_ms - 1, &before);
	bool goes_on = !err && same(&before, now) && before.last_ms + 1 == s->from_ms;
	if (err || (full && !goes_on))
		return err;
	err = span_remove(u, s);
	if (!err && goes_on)
		err = span_store(u, now, before.from_ms, at_ms);
	if (!err && !goes_on)
		err = span_store(u, s, s->from_ms, at_ms - 1);
	if (!err && !goes_on)
		err = span_store(u, now, at_ms, at_ms);
	return err ? err : span_store(u, s, at_ms + 1, s->last_ms);
}

static ht_err begin(const struct turn *u, const struct span *before,
    const struct span *after, const struct span *now, int64_t received_ms)
{
	int64_t at_ms = now->from_ms;
	bool full;
	ht_err err = day_is_full(u, at_ms, &full);

	if (err || (full && after->there))
		return err;
	if (full && before->there && before->from_ms / DAY_MS == at_ms / DAY_MS)
		err = span_remove(u, before);
	if (!err)
		err = db_exec(u->db, &path_sql, PATH_SQL_PRUNE, "ssi", u->link, u->agent,
		    received_ms - KEEP_MS);
	return err ? err : span_store(u, now, at_ms, at_ms);
}

ht_err path_span_put(
    struct db *db, const struct fold_input *in, const struct path_trace *t)
{
	struct turn u = { db, t->link, in->row->agent,
		strcmp(t->network, "unknown") == 0 };
	struct span now = { true, t->at_ms, t->at_ms, in->row->id, *t }, before, after;
	int64_t at_ms = t->at_ms;
	ht_err err = span_get(&u, PATH_SQL_BEFORE, at_ms, &before);

	if (!err)
		err = span_get(&u, PATH_SQL_AFTER, at_ms, &after);
	if (err)
		return err;
	bool extends = same(&before, &now) && at_ms - before.last_ms <= PATH_APART_MS,
	     joins = same(&after, &now) && after.from_ms - at_ms <= PATH_APART_MS;
	if (before.there && at_ms <= before.last_ms && !same(&before, &now))
		return split(&u, &before, &now);
	if (extends && at_ms < before.last_ms)
		return HT_OK; /* a backlog: it is known */
	if (joins)
		err = span_remove(&u, &after);
	if (err)
		return err;
	if (joins)
		return span_store(
		    &u, &after, extends ? before.from_ms : at_ms, after.last_ms);
	if (extends)
		return span_store(&u, &now, before.from_ms, at_ms);
	return begin(&u, &before, &after, &now, in->row->received_ms);
}
