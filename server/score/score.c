#include "server/score/score.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/derive/facts_sql.h"
#include "server/derive/folds.h"
#include "server/derive/machines.h"
#include "server/derive/payload.h"
#include "server/derive/share.h"
#include "server/score/indicators.h"
#include "server/score/inputs.h"
#include "server/score/sql.h"

enum {
	DUE_MAX =
	    32, /* agencies computed by time alone in one settling: bounds a slice */
	DEPTH_MAX = 16,          /* levels above an agency; more is a circle */
	LISTED_MAX = 500,        /* agencies below that an explanation lists */
	EXPLAIN_MAX = 256 << 10, /* bytes of that list: an entry has 300 at most */
};

#define HOUR_MS INT64_C(3600000)

static struct definition *definition;
static struct catalogue *catalogue;

/* ── start ───────────────────────────────────────────────────────────────────────── */

ht_err score_start(struct ht_fault *fault)
{
	struct definition *d = NULL;
	struct catalogue *c = NULL;
	char path[PATH_MAX];
	ht_err err = share_path(SHARE_DEFINITION, path);

	if (!err)
		err = definition_load(path, &d, fault);
	if (!err)
		err = share_path(SHARE_CATALOGUE, path);
	if (!err)
		err = catalogue_load(path, &c, fault);
	if (!err && strcmp(d->security.catalogue, c->id) != 0)
		err = ht_fault_set(fault, HT_CONFIG,
		    "%s: the definition wants catalogue '%s', but this is '%s'; "
		    "name it there",
		    path, d->security.catalogue, c->id);
	if (!err)
		err = machines_start(fault);
	if (err) {
		definition_free(d);
		catalogue_free(c);
		return err;
	}
	definition_free(definition);
	catalogue_free(catalogue);
	definition = d;
	catalogue = c;
	return HT_OK;
}

const struct definition *score_definition(void)
{
	return definition;
}

const struct catalogue *score_catalogue(void)
{
	return catalogue;
}

static ht_err ready(void)
{
	struct ht_fault fault = { 0 };

	if (definition)
		return HT_OK;
	ht_err err = score_start(&fault);
	if (err)
		ht_log_error("score.start", "fault=\"%s\"", fault.text);
	return err;
}

static void copy(char *out, size_t cap, const char *text)
{
	snprintf(out, cap, "%s", text ? text : "");
}

static const char *or_null(const char *text)
{
	return text[0] ? text : NULL;
}

/* ── time ────────────────────────────────────────────────────────────────────────── */

/* An agency's windows move in steps of an hour, each agency at its own minute. What is
 * computed is thus a matter of the facts and the hour, not of when a slice ended. */
static int64_t step_of(const char *agency, int64_t now_ms)
{
	uint32_t h = 2166136261u;

	for (const char *at = agency; *at; at++)
		h = (h ^ (uint8_t)*at) * 16777619u;
	int64_t offset = h % HOUR_MS, since = now_ms - offset;
	return since < 0 ? 0 : offset + since - since % HOUR_MS;
}

/* ── writing ─────────────────────────────────────────────────────────────────────── */

static const char *plain(struct json_object *o)
{
	return json_object_to_json_string_ext(
	    o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

static ht_err value_put(struct db *db, enum indicator which, const char *scope, int own,
    const struct indicator_value *v, const int64_t *evidence, size_t n_evidence,
    const char *explain, int64_t computed_ms)
{
	const struct indicator_info *info = &indicator_info[which];
	char ids[INPUTS_EVIDENCE_MAX * 21 + 4];
	size_t len = (size_t)snprintf(ids, sizeof(ids), "[");

	for (size_t i = 0; i < n_evidence && i < INPUTS_EVIDENCE_MAX; i++)
		len += (size_t)snprintf(ids + len, sizeof(ids) - len, "%s%" PRId64,
		    i ? "," : "", evidence[i]);
	snprintf(ids + len, sizeof(ids) - len, "]");
	return db_exec(db, &score_sql, SCORE_VALUE_PUT, "sssisDsDDDsDsddsssssi",
	    definition->id, info->id, scope, (int64_t)own, value_status_name(v->status),
	    v->value, info->unit, v->low, v->high, v->numerator, info->numerator_unit,
	    v->denominator, info->denominator_unit, v->coverage, v->confidence,
	    value_source_name(v->source), v->reason, v->cure, ids, explain, computed_ms);
}

static ht_err sum_put(struct db *db, enum indicator which, const char *agency, int own,
    const struct indicator_sum *s)
{
	return db_exec(db, &score_sql, SCORE_SUM_PUT, "sssiiiiiiidddddddddii",
	    definition->id, agency, indicator_info[which].id, (int64_t)own, s->n,
	    s->n_known, s->n_partial, s->n_no_headcount, s->n_not_measured,
	    s->n_headcount, s->servants, s->servants_covered, s->numerator,
	    s->denominator, s->low, s->high, s->coverage, s->confidence, s->weight,
	    s->sources, s->computed_ms);
}

static void sum_read(const struct db_rows *r, struct indicator_sum *s)
{
	*s = (struct indicator_sum){ db_int(r, 0), db_int(r, 1), db_int(r, 2),
		db_int(r, 3), db_int(r, 4), db_int(r, 5), db_double(r, 6),
		db_double(r, 7), db_double(r, 8), db_double(r, 9), db_double(r, 10),
		db_double(r, 11), db_double(r, 12), db_double(r, 13), db_double(r, 14),
		db_int(r, 15), db_int(r, 16) };
}

static struct json_object *explain_head(enum indicator which)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(
	    o, "formula", json_object_new_string(indicator_info[which].formula));
	json_object_object_add(
	    o, "definition_version", json_object_new_string(definition->version));
	json_object_object_add(
	    o, "provisional", json_object_new_boolean(definition->status == 0));
	return o;
}

/* ── one agency alone ────────────────────────────────────────────────────────────── */

static ht_err own_put(struct db *db, enum indicator which, const struct inputs_agency *a,
    struct inputs_value *v, int64_t computed_ms)
{
	struct indicator_sum sum = { .computed_ms = computed_ms };
	struct json_object *explain = explain_head(which);

	if (a->in_scope && !a->grouping)
		indicator_sum_add(which, &sum, &v->v, &a->headcount);
	json_object_object_add(
	    explain, "counted_above", json_object_new_boolean(sum.n > 0));
	json_object_object_add(explain, "inputs", json_object_get(v->inputs));
	ht_err err = value_put(db, which, a->id, 1, &v->v, v->evidence, v->n_evidence,
	    plain(explain), computed_ms);
	if (!err)
		err = sum_put(db, which, a->id, 1, &sum);
	json_object_put(explain);
	return err;
}

static ht_err own_compute(
    struct db *db, const struct inputs_agency *a, const struct inputs_time *t)
{
	struct inputs_value values[IND_COUNT] = { { .inputs = NULL } };
	ht_err err = inputs_compute(db, definition, catalogue, a, t, values);

	for (int i = 0; i < IND_COUNT; i++) {
		if (!err)
			err = own_put(db, (enum indicator)i, a, &values[i], t->now_ms);
		inputs_fini(&values[i]);
	}
	return err;
}

/* ── an agency with all below it ─────────────────────────────────────────────────── */

/* Text and not a tree of objects: a province lists hundreds, at every change. Ids need no
 * escaping. */
static void tell_number(struct ht_buf *b, const char *key, double v)
{
	if (isnan(v))
		ht_buf_printf(b, ",\"%s\":null", key);
	else
		ht_buf_printf(b, ",\"%s\":%.12g", key, v);
}

static void tell_below(struct ht_buf *b, const char *agency, enum indicator which,
    const struct indicator_sum *s)
{
	struct indicator_value v;

	indicator_sum_value(which, s, &v);
	ht_buf_printf(b,
	    "%s{\"agency\":\"%s\",\"status\":\"%s\",\"agencies\":%" PRId64
	    ",\"known\":%" PRId64,
	    b->len ? "," : "", agency, value_status_name(v.status), s->n, s->n_known);
	tell_number(b, "value", v.value);
	tell_number(b, "numerator", v.numerator);
	tell_number(b, "denominator", v.denominator);
	tell_number(b, "coverage", v.coverage);
	ht_buf_puts(b, "}");
}

/* The explanation of a sum: the head's object, opened again to take the list. */
static ht_err explain_total(enum indicator which, const struct indicator_sum *total,
    int64_t not_listed, struct ht_buf *list, struct ht_buf *out)
{
	struct json_object *head = explain_head(which);
	const char *text = plain(head);

	ht_buf_put(out, text, strlen(text) - 1);
	ht_buf_printf(out, ",\"agencies\":%" PRId64 ",\"known\":%" PRId64 ",\"below\":[",
	    total->n, total->n_known);
	ht_buf_put(out, list->data, list->len);
	ht_buf_puts(out, "]");
	if (not_listed > 0)
		ht_buf_printf(out, ",\"not_listed\":%" PRId64, not_listed);
	ht_buf_puts(out, "}");
	json_object_put(head);
	return ht_buf_err(list) ? ht_buf_err(list) : ht_buf_err(out);
}

static ht_err own_sum(
    struct db *db, const char *agency, enum indicator which, struct indicator_sum *out)
{
	struct db_rows *r = db_start(db, &score_sql, SCORE_SUM_OWN, "sss", definition->id,
	    agency, indicator_info[which].id);
	ht_err err = db_next(r);

	*out = (struct indicator_sum){ .n = 0 };
	if (!err)
		sum_read(r, out);
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* Sum up what is below; `list` gets the parts. */
static ht_err sum_below(struct db *db, const char *agency, enum indicator which,
    struct indicator_sum *total, int64_t *n_below, struct ht_buf *list)
{
	struct indicator_sum below;
	struct db_rows *r = db_start(db, &score_sql, SCORE_SUMS_BELOW, "sss",
	    definition->id, indicator_info[which].id, agency);
	ht_err err;

	while (!(err = db_next(r))) {
		sum_read(r, &below);
		indicator_sum_merge(total, &below);
		if (below.n && (*n_below)++ < LISTED_MAX)
			tell_below(list, db_text(r, 17), which, &below);
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err total_compute(struct db *db, const char *agency, enum indicator which)
{
	struct indicator_sum total;
	struct indicator_value v;
	struct ht_buf list, explain;
	int64_t n_below = 0;
	ht_err err = own_sum(db, agency, which, &total);

	ht_buf_init(&list, EXPLAIN_MAX);
	ht_buf_init(&explain, EXPLAIN_MAX + 1024);
	if (!err && total.n)
		tell_below(&list, agency, which, &total);
	if (!err)
		err = sum_below(db, agency, which, &total, &n_below, &list);
	if (!err)
		err = explain_total(which, &total, n_below - LISTED_MAX, &list, &explain);
	indicator_sum_value(which, &total, &v);
	if (!err)
		err = value_put(db, which, agency, 0, &v, NULL, 0, ht_buf_text(&explain),
		    total.computed_ms);
	if (!err)
		err = sum_put(db, which, agency, 0, &total);
	ht_buf_fini(&list);
	ht_buf_fini(&explain);
	return err;
}

/* ── what to compute, lowest first ───────────────────────────────────────────────── */

struct todo {
	char id[HT_ID_MAX + 1];
	int depth;
};

struct todos {
	struct todo *at;
	size_t n, cap;
};

static ht_err todo_add(struct todos *t, const char *id, int depth)
{
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 64;
		struct todo *more = realloc(t->at, cap * sizeof(*more));
		if (!more)
			return HT_NOMEM;
		t->at = more;
		t->cap = cap;
	}
	copy(t->at[t->n].id, sizeof(t->at[t->n].id), id);
	t->at[t->n++].depth = depth;
	return HT_OK;
}

static ht_err parent_of(struct db *db, const char *agency, char out[static HT_ID_MAX + 1])
{
	struct db_rows *r = db_start(db, &score_sql, SCORE_PARENT, "s", agency);
	ht_err err = db_next(r);

	copy(out, HT_ID_MAX + 1, err ? NULL : db_text(r, 0));
	db_done(r);
	return err;
}

/* The agency and all above it; nothing for one that is not in the registry. */
static ht_err todo_path(struct db *db, struct todos *t, const char *agency)
{
	char path[DEPTH_MAX][HT_ID_MAX + 1], above[HT_ID_MAX + 1];
	int n = 0;
	ht_err err = HT_OK;

	copy(above, sizeof(above), agency);
	while (above[0] && n < DEPTH_MAX) {
		char id[HT_ID_MAX + 1];
		copy(id, sizeof(id), above);
		err = parent_of(db, id, above);
		if (err)
			break;
		copy(path[n++], sizeof(path[0]), id);
	}
	if (err && err != HT_NOTFOUND)
		return err;
	err = HT_OK;
	for (int i = 0; i < n && !err; i++)
		err = todo_add(t, path[i], n - i);
	return err;
}

static int deepest_first(const void *a, const void *b)
{
	const struct todo *x = a, *y = b;

	return x->depth != y->depth ? y->depth - x->depth : strcmp(x->id, y->id);
}

static ht_err totals(struct db *db, struct todos *t)
{
	ht_err err = HT_OK;

	if (t->n)
		qsort(t->at, t->n, sizeof(*t->at), deepest_first);
	for (size_t i = 0; i < t->n && !err; i++) {
		if (i && deepest_first(&t->at[i - 1], &t->at[i]) == 0)
			continue;
		for (int k = 0; k < IND_COUNT && !err; k++)
			err = total_compute(db, t->at[i].id, (enum indicator)k);
	}
	return err;
}

/* ── an agency that is dirty or due ──────────────────────────────────────────────── */

static ht_err scope_before(
    struct db *db, const char *agency, bool *there, char parent[static HT_ID_MAX + 1])
{
	struct db_rows *r = db_start(db, &score_sql, SCORE_SCOPE_GET, "s", agency);
	ht_err err = db_next(r);

	*there = err == HT_OK;
	copy(parent, HT_ID_MAX + 1, err ? NULL : db_text(r, 0));
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err forget(struct db *db, const char *agency)
{
	ht_err err =
	    db_exec(db, &score_sql, SCORE_VALUES_DELETE, "ss", definition->id, agency);

	if (!err)
		err = db_exec(
		    db, &score_sql, SCORE_SUMS_DELETE, "ss", definition->id, agency);
	if (!err)
		err = db_exec(db, &score_sql, SCORE_SCOPE_DELETE, "s", agency);
	return err;
}

/* An agency that came, went or moved changes what those above it are. */
static ht_err kin_changed(
    struct db *db, struct todos *t, const char *before, const char *after, int64_t at_ms)
{
	const char *const kin[] = { before, after };
	ht_err err = HT_OK;

	for (size_t i = 0; i < HT_COUNT(kin) && !err; i++) {
		if (!kin[i][0])
			continue;
		err = facts_index_dirty(db, kin[i], at_ms);
		if (!err)
			err = todo_path(db, t, kin[i]);
	}
	return err;
}

static ht_err compute(
    struct db *db, const char *agency, int64_t at_ms, int64_t now_ms, struct todos *t)
{
	struct inputs_time time = { .window_ms = step_of(agency, now_ms) };
	struct inputs_agency a;
	char before[HT_ID_MAX + 1];
	bool there;

	time.now_ms = at_ms > time.window_ms ? at_ms : time.window_ms;
	ht_err err = inputs_agency(db, definition, agency, &time, &a);
	if (!err)
		err = scope_before(db, agency, &there, before);
	if (err)
		return err;
	if (!a.there) {
		err = forget(db, agency);
		return err || !there ? err : kin_changed(db, t, before, "", at_ms);
	}
	err = own_compute(db, &a, &time);
	if (!err)
		err = db_exec(db, &score_sql, SCORE_SCOPE_PUT, "ssii", agency,
		    or_null(a.parent), time.now_ms, time.window_ms + HOUR_MS);
	if (!err)
		err = todo_path(db, t, agency);
	if (!err && (!there || strcmp(before, a.parent) != 0))
		err = kin_changed(db, t, before, a.parent, at_ms);
	return err;
}

/* The first agency a statement yields. HT_NOTFOUND: none. */
static ht_err next_agency(
    struct db_rows *r, char agency[static HT_ID_MAX + 1], int64_t *at_ms)
{
	ht_err err = db_next(r);

	if (!err) {
		copy(agency, HT_ID_MAX + 1, db_text(r, 0));
		*at_ms = db_columns(r) > 1 ? db_int(r, 1) : 0;
	}
	db_done(r);
	return err;
}

static ht_err compute_dirty(struct db *db, int64_t now_ms, struct todos *t)
{
	char agency[HT_ID_MAX + 1];
	int64_t at_ms;
	ht_err err;

	while (!(err = next_agency(
		     db_start(db, &score_sql, SCORE_DIRTY_NEXT, ""), agency, &at_ms))) {
		err = db_exec(db, &score_sql, SCORE_DIRTY_CLEAR, "s", agency);
		if (!err)
			err = compute(db, agency, at_ms, now_ms, t);
		if (err)
			break;
	}
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err compute_due(struct db *db, int64_t now_ms, struct todos *t)
{
	char agency[HT_ID_MAX + 1];
	int64_t at_ms;
	ht_err err = HT_OK;

	for (int i = 0; i < DUE_MAX && !err; i++) {
		err = next_agency(db_start(db, &score_sql, SCORE_DUE_NEXT, "i", now_ms),
		    agency, &at_ms);
		if (!err)
			err = compute(db, agency, 0, now_ms, t);
	}
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* ── the fold ────────────────────────────────────────────────────────────────────── */

static ht_err dirty_agent(struct db *db, const char *agent, int64_t at_ms)
{
	char agency[HT_ID_MAX + 1];
	int64_t unused;
	ht_err err = next_agency(
	    db_start(db, &score_sql, SCORE_AGENT_AGENCY, "s", agent), agency, &unused);

	if (err)
		return err == HT_NOTFOUND ? HT_OK : err;
	return facts_index_dirty(db, agency, at_ms);
}

static ht_err score_apply(struct db *db, const struct fold_input *in)
{
	const struct journal_row *row = in->row;
	char id[HT_ID_MAX + 1];

	if (payload_text(row, "agency", id, sizeof(id)))
		return facts_index_dirty(db, id, row->received_ms);
	if (!payload_text(row, "id", id, sizeof(id)))
		return HT_OK;
	if (strncmp(row->kind, "agency.", 7) == 0)
		return facts_index_dirty(db, id, row->received_ms);
	if (strncmp(row->kind, "agent.", 6) == 0)
		return dirty_agent(db, id, row->received_ms);
	return HT_OK; /* link.remove: fold_links knows whose it was */
}

static ht_err score_reset(struct db *db)
{
	static const enum score_statement all[] = { SCORE_RESET_VALUES, SCORE_RESET_SUMS,
		SCORE_RESET_SCOPES, SCORE_DIRTY_ALL };
	ht_err err = HT_OK;

	for (size_t i = 0; i < HT_COUNT(all) && !err; i++)
		err = db_exec(db, &score_sql, all[i], "");
	return err;
}

static ht_err score_settle(struct db *db, int64_t now_ms)
{
	struct todos t = { .n = 0 };
	ht_err err = ready();

	if (!err)
		err = compute_dirty(db, now_ms, &t);
	if (!err)
		err = compute_due(db, now_ms, &t);
	if (!err)
		err = totals(db, &t);
	free(t.at);
	return err;
}

const struct fold fold_score = {
	.name = "score",
	.version = 1,
	.sources = 1u << JOURNAL_OPERATOR, /* it settles after any row */
	.apply = score_apply,
	.reset = score_reset,
	.settle = score_settle,
};

/* ── explaining ──────────────────────────────────────────────────────────────────── */

static void put_text(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, text ? json_object_new_string(text) : NULL);
}

static void put_json(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, text ? json_tokener_parse(text) : NULL);
}

static struct json_object *value_json(const struct db_rows *r)
{
	static const char *const numbers[] = { "low", "high" };
	struct json_object *o = json_object_new_object();
	char at[HT_RFC3339_LEN + 1];

	json_object_object_add(o, "own", json_object_new_boolean(db_int(r, 0) != 0));
	put_text(o, "status", db_text(r, 1));
	json_object_object_add(o, "value", inputs_number(db_double(r, 2)));
	put_text(o, "unit", db_text(r, 3));
	for (int i = 0; i < 2; i++)
		json_object_object_add(o, numbers[i], inputs_number(db_double(r, 4 + i)));
	json_object_object_add(o, "numerator", inputs_number(db_double(r, 6)));
	put_text(o, "numerator_unit", db_text(r, 7));
	json_object_object_add(o, "denominator", inputs_number(db_double(r, 8)));
	put_text(o, "denominator_unit", db_text(r, 9));
	json_object_object_add(o, "coverage", inputs_number(db_double(r, 10)));
	json_object_object_add(o, "confidence", inputs_number(db_double(r, 11)));
	put_text(o, "source", db_text(r, 12));
	put_text(o, "reason", db_text(r, 13));
	put_text(o, "cure", db_text(r, 14));
	put_json(o, "evidence", db_text(r, 15));
	put_json(o, "explain", db_text(r, 16));
	ht_rfc3339(db_int(r, 17), at);
	put_text(o, "computed", at);
	return o;
}

static struct json_object *head_json(
    const char *definition_id, const char *indicator, const char *scope)
{
	static const char *const methods[] = { "none", "z-score", "min-max", "max" };
	struct json_object *o = json_object_new_object();

	put_text(o, "definition", definition_id);
	put_text(o, "indicator", indicator);
	put_text(o, "scope", scope);
	if (!definition || strcmp(definition->id, definition_id) != 0)
		return o;
	const struct definition_indicator *row = definition_find(definition, indicator);
	struct json_object *name = json_object_new_object();
	put_text(name, "vi", row ? row->vi : NULL);
	put_text(name, "en", row ? row->en : NULL);
	json_object_object_add(o, "name", name);
	json_object_object_add(
	    o, "provisional", json_object_new_boolean(definition->status == 0));
	put_text(o, "normalisation", methods[definition->normalisation.method]);
	put_text(o, "reference_set", or_null(definition->normalisation.reference_set));
	return o;
}

ht_err score_explain_json(struct db *db, const char *definition_id, const char *indicator,
    const char *scope, struct ht_buf *out)
{
	struct json_object *o = head_json(definition_id, indicator, scope),
			   *values = json_object_new_array();
	struct db_rows *r = db_start(
	    db, &score_sql, SCORE_EXPLAIN, "sss", definition_id, indicator, scope);
	size_t n = 0;
	ht_err err;

	for (; !(err = db_next(r)); n++)
		json_object_array_add(values, value_json(r));
	db_done(r);
	json_object_object_add(o, "values", values);
	if (err == HT_NOTFOUND && n > 0) {
		ht_buf_puts(out, plain(o));
		err = ht_buf_err(out);
	}
	json_object_put(o);
	return err;
}
