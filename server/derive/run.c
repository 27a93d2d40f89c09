#include "server/derive/run.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/derive/anchor.h"
#include "server/derive/sql.h"

#define SCAN_ROWS 256

/* Of a slice's time rows have so many parts of four; the rest is for settling. */
#define ROW_PARTS 3

/* A fold that catches up is waited for at an edit of the registry when it is as near. */
#define NEAR_ROWS 4096

/* Whose turn it is. */
enum turn { TURN_FIRST, TURN_BULK, TURN_LATE, TURNS };

/* One slice's work. */
struct run {
	struct db *db;
	const struct fold *const *folds;
	size_t n;
	int64_t cursor[RUN_FOLDS_MAX], from[RUN_FOLDS_MAX];
	enum turn of[RUN_FOLDS_MAX];
	enum turn turn;
	int64_t now_ms;   /* received_ms of the newest row folded in this turn */
	int64_t until_ns; /* of the whole slice */
	bool rows_left;   /* time was up before the rows */
	bool more;        /* some fold has not settled all */
	int64_t due_ms;   /* of the fold that waits least; INT64_MAX: none does */
};

/* A decoded and dated pack, or nothing. */
struct pack {
	struct senml_pack senml;
	struct fold_record *records;
	size_t n;
	char agency[HT_ID_MAX + 1];
	bool has_agency;
};

const struct writer_folds writer_folds = { .slice = run_slice };

/* ── cursors ─────────────────────────────────────────────────────────────────────── */

static ht_err cursor_put(struct db *db, const struct fold *f, int64_t id)
{
	return db_exec(
	    db, &derive_sql, DERIVE_CURSOR_PUT, "sii", f->name, (int64_t)f->version, id);
}

static ht_err begin_anew(struct run *run, size_t i)
{
	ht_err err = run->folds[i]->reset(run->db);

	run->cursor[i] = 0;
	if (!err)
		err = cursor_put(run->db, run->folds[i], 0);
	return err;
}

/* Whether a fold goes with one of those that begin anew (of the list before it). */
static bool follows(const struct fold *const *list, size_t i, const bool *anew)
{
	for (size_t k = 0; k < i; k++) {
		if (anew[k] && list[i]->follows &&
		    strcmp(list[i]->follows, list[k]->name) == 0)
			return true;
	}
	return false;
}

static ht_err cursors_load(struct run *run)
{
	struct db_rows *r = db_start(run->db, &derive_sql, DERIVE_CURSORS, "");
	bool anew[RUN_FOLDS_MAX];
	ht_err err;

	for (size_t i = 0; i < run->n; i++)
		run->cursor[i] = -1;
	while (!(err = db_next(r))) {
		for (size_t i = 0; i < run->n; i++) {
			const struct fold *f = run->folds[i];

			if (strcmp(f->name, db_text(r, 0)) == 0 &&
			    db_int(r, 1) == f->version)
				run->cursor[i] = db_int(r, 2);
		}
	}
	db_done(r);
	if (err != HT_NOTFOUND)
		return err;
	err = HT_OK;
	for (size_t i = 0; i < run->n && !err; i++) {
		anew[i] = run->cursor[i] < 0 || follows(run->folds, i, anew);
		if (anew[i])
			err = begin_anew(run, i);
	}
	memcpy(run->from, run->cursor, sizeof(run->from));
	return err;
}

static ht_err cursors_save(struct run *run)
{
	ht_err err = HT_OK;

	for (size_t i = 0; i < run->n && !err; i++) {
		if (run->cursor[i] != run->from[i])
			err = cursor_put(run->db, run->folds[i], run->cursor[i]);
	}
	return err;
}

/* INT64_MAX: there is none of that turn. */
static int64_t slowest(const struct run *run, enum turn turn)
{
	int64_t low = INT64_MAX;

	for (size_t i = 0; i < run->n; i++) {
		if (run->of[i] == turn && run->cursor[i] < low)
			low = run->cursor[i];
	}
	return low;
}

/* Who may, and is behind the others of its kind, comes last until it has met them. */
static void turns_load(struct run *run)
{
	int64_t front[2] = { 0, 0 };

	for (size_t i = 0; i < run->n; i++) {
		bool bulk = run->folds[i]->bulk;

		if (run->cursor[i] > front[bulk])
			front[bulk] = run->cursor[i];
	}
	for (size_t i = 0; i < run->n; i++) {
		const struct fold *f = run->folds[i];
		bool late = f->alone && run->cursor[i] < front[f->bulk];

		run->of[i] = late ? TURN_LATE : f->bulk ? TURN_BULK : TURN_FIRST;
	}
}

/* The row where a turn ends: bulk folds stay behind the first ones, and who catches up
 * behind those of its kind. */
static int64_t turn_end(const struct run *run)
{
	int64_t first = slowest(run, TURN_FIRST), bulk = slowest(run, TURN_BULK);

	if (run->turn == TURN_FIRST)
		return INT64_MAX;
	for (size_t i = 0; run->turn == TURN_LATE && i < run->n; i++) {
		if (run->of[i] == TURN_LATE && run->folds[i]->bulk && bulk < first)
			return bulk;
	}
	return first;
}

/* ── a pack ──────────────────────────────────────────────────────────────────────── */

static bool kind_fits(const struct ht_metric_info *info, enum ht_kind kind)
{
	return info->kind == kind || (info->kind == HT_NUMBER && kind == HT_COUNTER);
}

/* The record's name without the agent's prefix; false for a name that is not its own. */
static bool name_record(const char *agent, struct fold_record *rec)
{
	size_t len = strlen(agent);
	const char *name = rec->senml->name;

	if (strncmp(name, agent, len) != 0 || name[len] != '/')
		return false;
	name += len + 1;
	if (ht_name_parse(name, strlen(name), &rec->name))
		return false;
	memcpy(rec->instance, rec->name.instance, rec->name.instance_len);
	rec->instance[rec->name.instance_len] = '\0';
	rec->known = ht_metric_find(rec->name.family, rec->name.family_len,
			 rec->name.quantity, rec->name.quantity_len, &rec->metric) &&
		     kind_fits(ht_metric_info(rec->metric), rec->senml->kind);
	return true;
}

static void pack_fini(struct pack *p)
{
	senml_pack_fini(&p->senml);
	free(p->records);
}

static ht_err date_all(struct db *db, const struct journal_row *row, struct pack *p)
{
	size_t n = p->n ? p->n : 1;
	double *t = calloc(n, sizeof(*t));
	struct dating_time *at = calloc(n, sizeof(*at));
	struct dating_pack known;
	ht_err err = t && at ? anchor_pack(db, row, &known) : HT_NOMEM;

	if (!err) {
		for (size_t i = 0; i < p->n; i++)
			t[i] = p->records[i].senml->time_s;
		dating_records(&known, t, p->n, at);
		for (size_t i = 0; i < p->n; i++) {
			p->records[i].at_ms = at[i].at_ms;
			p->records[i].uncertainty_ms = at[i].uncertainty_ms;
			p->records[i].rebased = at[i].rebased;
		}
	}
	free(t);
	free(at);
	return err;
}

static ht_err find_agency(struct db *db, const char *agent, struct pack *p)
{
	struct db_rows *r = db_start(db, &derive_sql, DERIVE_AGENCY, "s", agent);
	ht_err err = db_next(r);

	if (!err) {
		const char *text = db_text(r, 0);
		size_t len = text ? strlen(text) : sizeof(p->agency);

		p->has_agency = len < sizeof(p->agency);
		if (p->has_agency)
			memcpy(p->agency, text, len + 1);
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* What cannot be decoded (ingest lets none in, but rules may have grown stricter since)
 * has no records. */
static ht_err decode(struct db *db, const struct journal_row *row, struct pack *p)
{
	enum senml_format format;

	if (row->source != JOURNAL_AGENT || strcmp(row->kind, "data") != 0)
		return HT_OK;
	if (senml_format_parse(row->content_type ? row->content_type : "", &format))
		return HT_OK;
	ht_err err = senml_decode(format, row->payload, row->len, &p->senml, NULL);
	if (err)
		return err == HT_NOMEM ? err : HT_OK;
	p->records = calloc(p->senml.n ? p->senml.n : 1, sizeof(*p->records));
	if (!p->records)
		return HT_NOMEM;
	for (size_t i = 0; i < p->senml.n; i++) {
		p->records[p->n].senml = &p->senml.records[i];
		if (name_record(row->agent, &p->records[p->n]))
			p->n++;
	}
	return date_all(db, row, p);
}

/* ── one row ─────────────────────────────────────────────────────────────────────── */

static bool stops(ht_err err)
{
	switch (err) {
	case HT_NOMEM:
	case HT_FULL:
	case HT_IO:
	case HT_CORRUPT:
	case HT_AGAIN:
	case HT_DENIED:
		return true;
	default:
		return false;
	}
}

/* Call the fold inside a savepoint; what it refuses is undone and skipped. in: NULL to
 * settle. */
static ht_err guarded(struct run *run, const struct fold *f, const struct fold_input *in)
{
	ht_err err = db_savepoint(run->db);

	if (err)
		return err;
	struct fold_settle s = {
		.now_ms = run->now_ms,
		.until_ns = run->until_ns,
		.behind = run->rows_left,
		.due_ms = INT64_MAX,
	};
	err = in ? f->apply(run->db, in) : f->settle(run->db, &s);
	if (!err) {
		run->more |= s.more;
		if (s.due_ms < run->due_ms && run->turn != TURN_LATE)
			run->due_ms = s.due_ms;
		return db_release(run->db);
	}
	db_rollback_to(run->db);
	if (stops(err))
		return err;
	ht_log_warn("fold.skipped", "fold=%s row=%lld err=%s text=\"%s\"", f->name,
	    in ? (long long)in->row->id : -1LL, ht_err_name(err), db_error(run->db));
	return HT_OK;
}

static bool wants(const struct run *run, size_t i, const struct journal_row *row)
{
	return run->of[i] == run->turn && run->cursor[i] < row->id &&
	       run->folds[i]->sources & 1u << row->source;
}

/* All folds in one savepoint, for nearly always nobody refuses; if one does, the row is
 * begun anew with a savepoint for each, so that the others keep what they made of it. */
static ht_err apply_all(struct run *run, const struct fold_input *in)
{
	ht_err err = db_savepoint(run->db);

	if (err)
		return err;
	for (size_t i = 0; i < run->n && !err; i++) {
		if (wants(run, i, in->row))
			err = run->folds[i]->apply(run->db, in);
	}
	if (!err)
		return db_release(run->db);
	db_rollback_to(run->db);
	if (stops(err))
		return err;
	err = HT_OK;
	for (size_t i = 0; i < run->n && !err; i++) {
		if (wants(run, i, in->row))
			err = guarded(run, run->folds[i], in);
	}
	return err;
}

static ht_err fold_row(struct run *run, const struct journal_row *row)
{
	struct pack pack = { 0 };
	bool wanted = false;
	ht_err err = HT_OK;

	for (size_t i = 0; i < run->n; i++)
		wanted |= wants(run, i, row);
	if (wanted && row->agent)
		err = find_agency(run->db, row->agent, &pack);
	if (wanted && !err)
		err = decode(run->db, row, &pack);
	struct fold_input in = {
		.row = row,
		.records = pack.records,
		.n_records = pack.n,
		.agency = pack.has_agency ? pack.agency : NULL,
	};
	if (wanted && !err)
		err = apply_all(run, &in);
	for (size_t i = 0; i < run->n && !err; i++) {
		if (run->of[i] == run->turn && run->cursor[i] < row->id)
			run->cursor[i] = row->id;
	}
	pack_fini(&pack);
	if (row->received_ms > run->now_ms)
		run->now_ms = row->received_ms;
	return err;
}

/* ── a slice ─────────────────────────────────────────────────────────────────────── */

/* What an operator's row of these kinds says is of no matter to bulk folds. */
static bool moves_registry(const struct journal_row *row)
{
	static const char *const others[] = { "maintenance.", "incident.", "outage." };

	if (row->source != JOURNAL_OPERATOR)
		return false;
	for (size_t i = 0; i < HT_COUNT(others); i++) {
		if (strncmp(row->kind, others[i], strlen(others[i])) == 0)
			return false;
	}
	return true;
}

static ht_err edits_between(struct run *run, int64_t from, int64_t to, int64_t *out)
{
	struct db_rows *r =
	    db_start(run->db, &derive_sql, DERIVE_EDITS_BETWEEN, "ii", from, to);
	ht_err err = db_next(r);

	*out = err ? 0 : db_int(r, 0);
	db_done(r);
	return err;
}

/* Folds that come later must not meet a registry that is newer than their row: the first
 * ones wait for them before a row that changes it. Where they have such a row behind them
 * already (they are folded anew), waiting would help nobody. */
static ht_err must_wait(struct run *run, const struct journal_row *row, bool *out)
{
	int64_t here = slowest(run, TURN_FIRST);
	ht_err err = HT_OK;

	*out = false;
	if (run->turn != TURN_FIRST || !moves_registry(row))
		return HT_OK;
	for (enum turn t = TURN_BULK; t < TURNS && !err && !*out; t++) {
		int64_t behind = slowest(run, t), edits = 1;

		if (behind < here && (t == TURN_BULK || here - behind <= NEAR_ROWS))
			err = edits_between(run, behind, here, &edits);
		*out = !err && edits == 0;
	}
	return err;
}

static ht_err fold_rows(struct run *run, int64_t until_ns)
{
	int64_t last = turn_end(run);
	bool time_left = true, rows_left = true, wait = false;
	ht_err err = HT_OK;

	while (time_left && rows_left && !wait && !err) {
		struct db_rows *r =
		    journal_scan(run->db, slowest(run, run->turn), SCAN_ROWS);

		rows_left = false;
		while (time_left && !err && !(err = db_next(r))) {
			struct journal_row row;

			rows_left = true;
			journal_read(r, &row);
			err = must_wait(run, &row, &wait);
			wait |= row.id > last;
			if (err || wait)
				break;
			err = fold_row(run, &row);
			time_left = ht_mono_ns() < until_ns;
		}
		db_done(r);
		if (err == HT_NOTFOUND)
			err = HT_OK;
	}
	run->rows_left |= rows_left;
	return err;
}

static ht_err one_int(
    struct db *db, int statement, int64_t arg, bool has_arg, int64_t *out)
{
	struct db_rows *r = has_arg ? db_start(db, &derive_sql, statement, "i", arg)
				    : db_start(db, &derive_sql, statement, "");
	ht_err err = db_next(r);

	*out = err ? 0 : db_int(r, 0);
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* A slice without rows goes on with what the ones before left. */
static ht_err settle(struct run *run)
{
	ht_err err = HT_OK;

	if (!run->now_ms)
		err = one_int(run->db, DERIVE_JOURNAL_AT, slowest(run, run->turn), true,
		    &run->now_ms);
	for (size_t i = 0; i < run->n && !err; i++) {
		if (run->of[i] == run->turn && run->folds[i]->settle && run->now_ms)
			err = guarded(run, run->folds[i], NULL);
	}
	return err;
}

/* Rows, then settling. */
static ht_err take_turn(struct run *run, enum turn turn, int64_t rows_until_ns)
{
	ht_err err;

	if (slowest(run, turn) == INT64_MAX)
		return HT_OK;
	run->turn = turn;
	run->now_ms = 0;
	err = fold_rows(run, rows_until_ns);
	return err ? err : settle(run);
}

static ht_err what_is_left(const struct run *run, struct writer_fold_state *out)
{
	struct writer_fold_state s = { .more = run->more };
	int64_t low = INT64_MAX, end;
	ht_err err = one_int(run->db, DERIVE_JOURNAL_END, 0, false, &end);

	/* Nobody waits for who catches up. Once it has met the others it goes with them,
	 * and has a due time: that is another slice. */
	for (size_t i = 0; i < run->n; i++) {
		bool late = run->of[i] == TURN_LATE;

		s.more |= late;
		low = !late && run->cursor[i] < low ? run->cursor[i] : low;
	}
	if (run->due_ms != INT64_MAX)
		s.due_ms = run->due_ms;

	if (!err && low < end) {
		s.more = true;
		s.lag_rows = end - low;
		err = one_int(run->db, DERIVE_JOURNAL_AFTER, low, true, &s.oldest_ms);
	}
	if (!err)
		*out = s;
	return err;
}

ht_err run_slice_of(struct db *db, const struct fold *const *list, size_t n,
    int64_t budget_ns, struct writer_fold_state *out)
{
	struct run run = { .db = db, .folds = list, .n = n, .due_ms = INT64_MAX };
	int64_t from_ns = ht_mono_ns(),
		rows_until_ns = from_ns + budget_ns / 4 * ROW_PARTS;

	assert(n <= RUN_FOLDS_MAX);
	run.until_ns = from_ns + budget_ns;
	if (n == 0) {
		*out = (struct writer_fold_state){ 0 };
		return HT_OK;
	}
	ht_err err = cursors_load(&run);
	if (!err)
		turns_load(&run);
	for (enum turn t = TURN_FIRST; t < TURNS && !err; t++)
		err = take_turn(&run, t, rows_until_ns);
	if (!err)
		err = cursors_save(&run);
	if (!err)
		err = what_is_left(&run, out);
	return err;
}

ht_err run_slice(struct db *db, int64_t budget_ns, struct writer_fold_state *out)
{
	return run_slice_of(db, folds, folds_len, budget_ns, out);
}

ht_err run_to_end(struct db *db)
{
	struct writer_fold_state state = { .more = true };
	ht_err err = HT_OK;

	while (!err && state.more) {
		err = db_begin(db);
		if (err)
			break;
		err = run_slice(db, HT_NS_PER_S, &state);
		if (!err)
			err = db_commit(db);
		if (err)
			db_rollback(db);
	}
	return err;
}

ht_err run_forget(struct db *db, const char *name)
{
	bool found = name == NULL, anew[RUN_FOLDS_MAX];
	ht_err err = db_begin(db);

	if (err)
		return err;
	for (size_t i = 0; i < folds_len && !err; i++) {
		anew[i] =
		    !name || strcmp(name, folds[i]->name) == 0 || follows(folds, i, anew);
		if (!anew[i])
			continue;
		found = true;
		err = folds[i]->reset(db);
		if (!err)
			err = cursor_put(db, folds[i], 0);
	}
	if (!err && !found)
		err = HT_NOTFOUND;
	if (!err)
		err = db_commit(db);
	if (err)
		db_rollback(db);
	return err;
}
