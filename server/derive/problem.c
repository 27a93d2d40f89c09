#include "server/derive/problem.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/derive/problem_sql.h"

static ht_err change(
    struct db *db, const char *id, const char *what, int64_t at_ms, int64_t journal_id)
{
	return db_exec(
	    db, &problem_sql, PROBLEM_CHANGE, "ssii", id, what, at_ms, journal_id);
}

static const char *facts_of(const struct problem *p)
{
	return p->facts ? p->facts : "{}";
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* A row may open, close and open again: the second time its number is added. */
static ht_err new_id(struct db *db, const struct problem *p, int64_t journal_id,
    char out[static PROBLEM_ID_MAX + 1])
{
	struct db_rows *r = db_start(
	    db, &problem_sql, PROBLEM_COUNT_ID, "ssi", p->kind, p->subject, journal_id);
	ht_err err = db_next(r);
	int64_t before = err ? 0 : db_int(r, 0);

	db_done(r);
	if (err)
		return err;
	int len = snprintf(
	    out, PROBLEM_ID_MAX + 1, "%s/%s/%" PRId64, p->kind, p->subject, journal_id);
	if (before > 0 && len > 0 && len < PROBLEM_ID_MAX)
		len += snprintf(out + len, (size_t)(PROBLEM_ID_MAX + 1 - len),
		    ".%" PRId64, before + 1);
	return len > PROBLEM_ID_MAX ? HT_TOOLARGE : HT_OK;
}

/* The open problem, and whether it already says what `p` does (NULL: not asked). */
static ht_err find(struct db *db, const char *kind, const char *subject,
    const struct problem *p, char id[static PROBLEM_ID_MAX + 1], bool *out_same)
{
	struct db_rows *r = db_start(db, &problem_sql, PROBLEM_FIND, "ss", kind, subject);
	ht_err err = db_next(r);

	if (!err) {
		snprintf(id, PROBLEM_ID_MAX + 1, "%s", db_text(r, 0));
		if (p)
			*out_same = same(db_text(r, 1), p->agency) &&
				    same(db_text(r, 2), p->provider) &&
				    same(db_text(r, 3), p->root) &&
				    same(db_text(r, 4), p->reason) &&
				    same(db_text(r, 5), facts_of(p));
	}
	db_done(r);
	return err;
}

ht_err problem_find(struct db *db, const char *kind, const char *subject,
    char out_id[static PROBLEM_ID_MAX + 1])
{
	return find(db, kind, subject, NULL, out_id, NULL);
}

static ht_err update(
    struct db *db, const struct problem *p, const char *id, int64_t journal_id)
{
	ht_err err = db_exec(db, &problem_sql, PROBLEM_UPDATE, "ssssss", p->agency,
	    p->provider, p->root, p->reason, facts_of(p), id);

	return err ? err : change(db, id, "update", p->at_ms, journal_id);
}

static ht_err put(
    struct db *db, const struct problem *p, const char *id, int64_t journal_id)
{
	ht_err err = db_exec(db, &problem_sql, PROBLEM_PUT, "ssssssissi", id, p->kind,
	    p->subject, p->agency, p->provider, p->root, p->at_ms, p->reason, facts_of(p),
	    journal_id);

	return err ? err : change(db, id, "open", p->at_ms, journal_id);
}

ht_err problem_open(struct db *db, const struct problem *p, int64_t journal_id,
    char out_id[PROBLEM_ID_MAX + 1])
{
	char id[PROBLEM_ID_MAX + 1];
	bool unchanged = false;
	ht_err err = find(db, p->kind, p->subject, p, id, &unchanged);

	if (!err && !unchanged)
		err = update(db, p, id, journal_id);
	if (err == HT_NOTFOUND) {
		err = new_id(db, p, journal_id, id);
		if (!err)
			err = put(db, p, id, journal_id);
	}
	if (!err && out_id)
		memcpy(out_id, id, sizeof(id));
	return err;
}

ht_err problem_update(struct db *db, const struct problem *p, int64_t journal_id)
{
	char id[PROBLEM_ID_MAX + 1];
	bool unchanged = false;
	ht_err err = find(db, p->kind, p->subject, p, id, &unchanged);

	return err || unchanged ? err : update(db, p, id, journal_id);
}

ht_err problem_close(struct db *db, const char *kind, const char *subject, int64_t at_ms,
    int64_t journal_id, const char *reason)
{
	char id[PROBLEM_ID_MAX + 1];
	ht_err err = find(db, kind, subject, NULL, id, NULL);

	if (err)
		return err == HT_NOTFOUND ? HT_OK : err;
	err = db_exec(
	    db, &problem_sql, PROBLEM_CLOSE, "iiss", at_ms, journal_id, reason, id);
	return err ? err : change(db, id, "close", at_ms, journal_id);
}

ht_err problem_reset(struct db *db, const char *const *kinds, size_t n)
{
	ht_err err = HT_OK;

	for (size_t i = 0; i < n && !err; i++) {
		err = db_exec(db, &problem_sql, PROBLEM_RESET_CHANGES, "s", kinds[i]);
		if (!err)
			err = db_exec(db, &problem_sql, PROBLEM_RESET, "s", kinds[i]);
	}
	return err;
}
