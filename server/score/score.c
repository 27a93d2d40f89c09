#include "server/score/score.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/derive/bandwidth.h"
#include "server/derive/facts_sql.h"
#include "server/derive/folds.h"
#include "server/derive/machines.h"
#include "server/derive/payload.h"
#include "server/derive/share.h"
#include "server/score/indicators.h"
#include "server/score/inputs.h"
#include "server/score/sql.h"

enum {
	DEPTH_MAX = 16,         /* levels above an agency; more is a circle */
	LISTED_MAX = 64,        /* agencies below that an explanation lists */
	EXPLAIN_MAX = 64 << 10, /* bytes of that list: an entry has 400 at most */
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
	if (!err)
		err = bandwidth_start(fault);
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
	if (v->inputs_cut)
		json_object_object_add(
		    explain, "inputs_not_listed", json_object_new_int64(v->inputs_cut));
	if (v->evidence_cut)
		json_object_object_add(explain, "evidence_not_listed",
		    json_object_new_int64(v->evidence_cut));
	ht_err err = value_put(db, which, a->id, 1, &v->v, v->evidence, v->n_evidence,
	    plain(explain), computed_ms);
	if (!err)
		err = sum_put(db, which, a->id, 1, &sum);
	json_object_put(explain);
	return err;
}

static ht_err wan_put(struct db *db, const struct inputs_agency *a,
    const struct inputs_value *v, int64_t computed_ms)
{
	if (!v->wan_links) /* it only groups others */
		return db_exec(db, &score_sql, SCORE_WAN_DELETE, "s", a->id);
	return db_exec(db, &score_sql, SCORE_WAN_PUT, "sssdssisi", definition->id, a->id,
	    wan_answer_name(v->wan.answer), v->wan.confidence, v->wan.reason, v->wan.cure,
	    v->wan_as_of_ms, plain(v->wan_links), computed_ms);
}

static ht_err own_compute(
    struct db *db, const struct inputs_agency *a, const struct inputs_time *t)
{
	struct inputs_value values[IND_COUNT] = { { .inputs = NULL } };
	ht_err err = inputs_compute(db, definition, catalogue, a, t, values);

	for (int i = 0; i < IND_COUNT; i++) {
		if (!err)
			err = own_put(db, (enum indicator)i, a, &values[i], t->now_ms);
		if (!err && i == IND_WAN)
			err = wan_put(db, a, &values[i], t->now_ms);
		inputs_fini(&values[i]);
	}
	return err;
}

/* ── an agency with all below it ─────────────────────────────────────────────────── */

/* Text and not a tree of objects: it is told anew at every change. Ids need no
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

/* One node: what it is alone and what is below it, of all indicators at once. */
struct node {
	struct indicator_sum total[IND_COUNT];
	struct ht_buf list[IND_COUNT]; /* the parts, told */
	int64_t n_below[IND_COUNT];
};

/* In the order of ids: sums of fractions depend on the order. */
static ht_err read_parts(struct db_rows *r, bool own, struct node *n)
{
	struct indicator_sum part;
	enum indicator which;
	ht_err err;

	while (!(err = db_next(r))) {
		if (!indicator_find(db_text(r, 18), &which))
			continue;
		sum_read(r, &part);
		if (own)
			n->total[which] = part;
		else
			indicator_sum_merge(&n->total[which], &part);
		if (part.n && (own || n->n_below[which]++ < LISTED_MAX))
			tell_below(&n->list[which], db_text(r, 17), which, &part);
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err read_node(struct db *db, const char *agency, struct node *n)
{
	ht_err err = read_parts(
	    db_start(db, &score_sql, SCORE_SUMS_OWN, "ss", definition->id, agency), true,
	    n);

	if (!err)
		err = read_parts(db_start(db, &score_sql, SCORE_SUMS_BELOW, "ss",
				     definition->id, agency),
		    false, n);
	return err;
}

/* An agency with nobody below it is its own sum: its own reason says more. */
static ht_err own_reason(struct db *db, const char *agency, enum indicator which,
    const struct node *n, struct indicator_value *v)
{
	if (n->total[which].n != 1 || n->n_below[which])
		return HT_OK;
	struct db_rows *r = db_start(db, &score_sql, SCORE_OWN_REASON, "sss",
	    definition->id, indicator_info[which].id, agency);
	ht_err err = db_next(r);

	if (!err) {
		snprintf(v->reason, sizeof(v->reason), "%s", db_text(r, 0));
		snprintf(v->cure, sizeof(v->cure), "%s", db_text(r, 1));
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err total_put(
    struct db *db, const char *agency, enum indicator which, struct node *n)
{
	struct indicator_value v;
	struct ht_buf explain;

	ht_buf_init(&explain, EXPLAIN_MAX + 1024);
	ht_err err = explain_total(which, &n->total[which],
	    n->n_below[which] - LISTED_MAX, &n->list[which], &explain);
	indicator_sum_value(which, &n->total[which], &v);
	if (!err)
		err = own_reason(db, agency, which, n, &v);
	if (!err)
		err = value_put(db, which, agency, 0, &v, NULL, 0, ht_buf_text(&explain),
		    n->total[which].computed_ms);
	if (!err)
		err = sum_put(db, which, agency, 0, &n->total[which]);
	ht_buf_fini(&explain);
	return err;
}

static ht_err total_compute(struct db *db, const char *agency)
{
	struct node n = { .n_below = { 0 } };

	for (int k = 0; k < IND_COUNT; k++)
		ht_buf_init(&n.list[k], EXPLAIN_MAX);
	ht_err err = read_node(db, agency, &n);
	for (int k = 0; k < IND_COUNT; k++) {
		if (!err)
			err = total_put(db, agency, (enum indicator)k, &n);
		ht_buf_fini(&n.list[k]);
	}
	return err;
}

/* ── sums that must be made anew ─────────────────────────────────────────────────── */

static ht_err parent_of(struct db *db, const char *agency, char out[static HT_ID_MAX + 1])
{
	struct db_rows *r = db_start(db, &score_sql, SCORE_PARENT, "s", agency);
	ht_err err = db_next(r);

	copy(out, HT_ID_MAX + 1, err ? NULL : db_text(r, 0));
	db_done(r);
	return err;
}

/* Mark the agency and all above it. Whoever is marked has all above marked: an agency
 * that moves marks both its old parent and its new one. */
static ht_err mark_path(struct db *db, const char *agency)
{
	char id[HT_ID_MAX + 1], above[HT_ID_MAX + 1];
	ht_err err = HT_OK;

	copy(above, sizeof(above), agency);
	for (int n = 0; above[0] && n < DEPTH_MAX && !err; n++) {
		copy(id, sizeof(id), above);
		err = parent_of(db, id, above);
		if (err)
			break;
		err = db_exec(db, &score_sql, SCORE_TOTAL_MARK, "s", id);
		if (!err && !db_changes(db))
			break;
	}
	return err == HT_NOTFOUND ? HT_OK : err;
}

struct todo {
	char id[HT_ID_MAX + 1], parent[HT_ID_MAX + 1];
	int depth;
};

struct todos {
	struct todo *at;
	size_t n, cap;
};

static ht_err todo_add(struct todos *t, const char *id, const char *parent)
{
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 64;
		struct todo *more = realloc(t->at, cap * sizeof(*more));
		if (!more)
			return HT_NOMEM;
		t->at = more;
		t->cap = cap;
	}
	struct todo *todo = &t->at[t->n++];
	copy(todo->id, sizeof(todo->id), id);
	copy(todo->parent, sizeof(todo->parent), parent);
	todo->depth = 0;
	return HT_OK;
}

/* All that are marked and still in the registry, in the order of ids. */
static ht_err todo_load(struct db *db, struct todos *t)
{
	struct db_rows *r = db_start(db, &score_sql, SCORE_TOTAL_MARKED, "");
	ht_err err = HT_OK;

	while (!err && !(err = db_next(r)))
		err = todo_add(t, db_text(r, 0), db_text(r, 1));
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static int by_id(const void *key, const void *todo)
{
	return strcmp(key, ((const struct todo *)todo)->id);
}

static int deepest_first(const void *a, const void *b)
{
	const struct todo *x = a, *y = b;

	return x->depth != y->depth ? y->depth - x->depth : strcmp(x->id, y->id);
}

static void todo_sort(struct todos *t)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct todo *up = &t->at[i];
		while (up && up->parent[0] && t->at[i].depth < DEPTH_MAX) {
			t->at[i].depth++;
			up = bsearch(up->parent, t->at, t->n, sizeof(*up), by_id);
		}
	}
	if (t->n)
		qsort(t->at, t->n, sizeof(*t->at), deepest_first);
}

/* Lowest first. What time does not suffice for stays marked; done is done, for whatever
 * is above it is marked still. */
static ht_err totals(struct db *db, struct fold_settle *s)
{
	struct todos t = { .n = 0 };
	ht_err err = todo_load(db, &t);

	todo_sort(&t);
	for (size_t i = 0; i < t.n && !err; i++) {
		if (i && ht_mono_ns() >= s->until_ns) {
			s->more = true;
			break;
		}
		err = total_compute(db, t.at[i].id);
		if (!err)
			err =
			    db_exec(db, &score_sql, SCORE_TOTAL_UNMARK, "s", t.at[i].id);
	}
	if (!err && !s->more) /* those that left the registry */
		err = db_exec(db, &score_sql, SCORE_TOTAL_CLEAR, "");
	free(t.at);
	return err;
}

/* ── an agency that is dirty or due ──────────────────────────────────────────────── */

/* What an agency was when it was last computed. */
struct before {
	bool there;
	char parent[HT_ID_MAX + 1];
	int64_t computed_ms;
};

static ht_err scope_before(struct db *db, const char *agency, struct before *out)
{
	struct db_rows *r = db_start(db, &score_sql, SCORE_SCOPE_GET, "s", agency);
	ht_err err = db_next(r);

	*out = (struct before){ .there = err == HT_OK };
	copy(out->parent, sizeof(out->parent), err ? NULL : db_text(r, 0));
	out->computed_ms = err ? 0 : db_int(r, 1);
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
		err = db_exec(db, &score_sql, SCORE_WAN_DELETE, "s", agency);
	if (!err)
		err = db_exec(db, &score_sql, SCORE_SCOPE_DELETE, "s", agency);
	return err;
}

/* An agency that came, went or moved changes what those above it are. */
static ht_err kin_changed(struct db *db, const char *before, const char *after)
{
	const char *const kin[] = { before, after };
	ht_err err = HT_OK;

	for (size_t i = 0; i < HT_COUNT(kin) && !err; i++) {
		if (!kin[i][0])
			continue;
		err = facts_index_dirty(db, kin[i], 0);
		if (!err)
			err = mark_path(db, kin[i]);
	}
	return err;
}

/* Its time never goes back: it is the newest of all that made us look and of its window,
 * in whatever order and however often we looked. */
static int64_t time_of(
    const struct before *before, int64_t at_ms, const struct inputs_time *t)
{
	int64_t now_ms = at_ms > t->window_ms ? at_ms : t->window_ms;

	return now_ms > before->computed_ms ? now_ms : before->computed_ms;
}

static ht_err compute(struct db *db, const char *agency, int64_t at_ms, int64_t now_ms)
{
	struct inputs_time time = { .window_ms = step_of(agency, now_ms) };
	struct inputs_agency a;
	struct before before;
	ht_err err = scope_before(db, agency, &before);

	time.now_ms = time_of(&before, at_ms, &time);
	if (!err)
		err = inputs_agency(db, definition, agency, &time, &a);
	if (err)
		return err;
	if (!a.there) {
		err = forget(db, agency);
		return err || !before.there ? err : kin_changed(db, before.parent, "");
	}
	err = own_compute(db, &a, &time);
	if (!err)
		err = db_exec(db, &score_sql, SCORE_SCOPE_PUT, "ssii", agency,
		    or_null(a.parent), time.now_ms, time.window_ms + HOUR_MS);
	if (!err)
		err = mark_path(db, agency);
	if (!err && (!before.there || strcmp(before.parent, a.parent) != 0))
		err = kin_changed(db, before.parent, a.parent);
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

/* Go round the dirty ones, from behind the last one on: when time never suffices for all,
 * none is passed over for ever. Only the order depends on it; the writer thread's. */
static char round_at[HT_ID_MAX + 1];

static ht_err next_dirty(struct db *db, char agency[static HT_ID_MAX + 1], int64_t *at_ms)
{
	ht_err err = next_agency(
	    db_start(db, &score_sql, SCORE_DIRTY_NEXT, "s", round_at), agency, at_ms);

	if (err == HT_NOTFOUND && round_at[0])
		err = next_agency(
		    db_start(db, &score_sql, SCORE_DIRTY_NEXT, "s", ""), agency, at_ms);
	if (!err)
		copy(round_at, sizeof(round_at), agency);
	return err;
}

static ht_err compute_dirty(struct db *db, struct fold_settle *s)
{
	char agency[HT_ID_MAX + 1];
	int64_t at_ms;
	ht_err err;

	for (int n = 0; !(err = next_dirty(db, agency, &at_ms)); n++) {
		if (n && ht_mono_ns() >= s->until_ns) {
			s->more = true;
			break;
		}
		err = db_exec(db, &score_sql, SCORE_DIRTY_CLEAR, "s", agency);
		if (!err)
			err = compute(db, agency, at_ms, s->now_ms);
		if (err)
			break;
	}
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err compute_due(struct db *db, struct fold_settle *s)
{
	char agency[HT_ID_MAX + 1];
	int64_t at_ms;
	ht_err err;

	for (int n = 0;
	     !(err = next_agency(db_start(db, &score_sql, SCORE_DUE_NEXT, "i", s->now_ms),
		   agency, &at_ms));
	     n++) {
		if (n && ht_mono_ns() >= s->until_ns) {
			s->more = true;
			break;
		}
		err = compute(db, agency, 0, s->now_ms);
		if (err)
			break;
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

/* An agency comes, moves or goes: those above it are told at once. By the time it is
 * computed it may have moved on, and nobody would know where it was meanwhile. */
static ht_err agency_moved(struct db *db, const struct journal_row *row, const char *id)
{
	char parent[HT_ID_MAX + 1] = "";
	struct before before;
	ht_err err = scope_before(db, id, &before);

	if (strcmp(row->kind, "agency.put") == 0 &&
	    !payload_text(row, "parent", parent, sizeof(parent)))
		parent[0] = '\0';
	if (!err && (!before.there || strcmp(before.parent, parent) != 0))
		err = kin_changed(db, before.parent, parent);
	if (!err)
		err =
		    db_exec(db, &score_sql, SCORE_SCOPE_MOVE, "ss", id, or_null(parent));
	return err ? err : facts_index_dirty(db, id, row->received_ms);
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
		return agency_moved(db, row, id);
	if (strncmp(row->kind, "agent.", 6) == 0)
		return dirty_agent(db, id, row->received_ms);
	return HT_OK; /* link.remove: fold_links knows whose it was */
}

static ht_err score_reset(struct db *db)
{
	static const enum score_statement all[] = { SCORE_RESET_VALUES, SCORE_RESET_SUMS,
		SCORE_RESET_SCOPES, SCORE_RESET_WAN, SCORE_TOTAL_CLEAR, SCORE_DIRTY_ALL };
	ht_err err = HT_OK;

	for (size_t i = 0; i < HT_COUNT(all) && !err; i++)
		err = db_exec(db, &score_sql, all[i], "");
	return err;
}

/* Sums wait while there is more to sum up, but no longer than this. */
#define TOTALS_WAIT_NS HT_NS_PER_S

static ht_err score_settle(struct db *db, struct fold_settle *s)
{
	static int64_t summed_ns; /* when, not what: the writer thread's */
	ht_err err = ready();

	if (!err)
		err = compute_dirty(db, s);
	if (!err && !s->more)
		err = compute_due(db, s);
	if (err)
		return err;
	if ((s->more || s->behind) && ht_mono_ns() - summed_ns < TOTALS_WAIT_NS) {
		s->more = true;
		return HT_OK;
	}
	bool more = s->more;
	s->more = false;
	err = totals(db, s);
	s->more |= more;
	summed_ns = ht_mono_ns();
	return err;
}

const struct fold fold_score = {
	.name = "score",
	.version = 1,
	.sources = 1u << JOURNAL_OPERATOR, /* it settles after any row */
	.apply = score_apply,
	.reset = score_reset,
	.settle = score_settle,
	.bulk = true,
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
