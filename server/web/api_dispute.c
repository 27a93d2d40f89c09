/* What an admin does with one outage: the dispute pack as JSON and as a page, and the
 * carrier's ticket number with a note. */
#include "server/derive/availability.h"
#include "server/registry/operator.h"
#include "server/store/writer.h"
#include "server/web/api.h"
#include "server/web/context.h"
#include "server/web/dispute.h"
#include "server/web/ledger_sql.h"

#include <stdio.h>
#include <string.h>

enum { VIETNAM_MIN = 420 };

/* The page has its style within it, and nothing else. */
static const char policy[] = "default-src 'none'; style-src 'unsafe-inline'; "
			     "base-uri 'none'; form-action 'none'; "
			     "frame-ancestors 'none'";

static void clock_emit(struct emit *e, const char *key, const struct dispute_clock *c)
{
	const struct {
		const char *at, *u;
		int64_t ms, u_ms;
	} ends[] = {
		{ "start", "start_uncertainty_s", c->start_ms, c->start_u_ms },
		{ "end", "end_uncertainty_s", c->end_ms, c->end_u_ms },
	};

	if (c->start_ms == DISPUTE_NONE && c->end_ms == DISPUTE_NONE) {
		emit_null(e, key);
		return;
	}
	emit_object(e, key);
	if (c->agent)
		emit_text(e, "agent", c->agent);
	for (size_t i = 0; i < HT_COUNT(ends); i++) {
		emit_time(e, ends[i].at, ends[i].ms);
		if (ends[i].u_ms == DISPUTE_NONE)
			emit_null(e, ends[i].u);
		else
			emit_double(e, ends[i].u, (double)ends[i].u_ms / 1000);
	}
	emit_end_object(e);
}

static void about_emit(struct emit *e, const struct dispute *d)
{
	const struct {
		const char *key, *value;
	} texts[] = {
		{ "outage", d->id },
		{ "agency", d->agency },
		{ "agency_name", d->agency_name },
		{ "state", d->state },
		{ "root", d->root },
		{ "cause", d->cause },
		{ "cause_reason", d->cause_reason },
		{ "ticket", d->ticket },
		{ "note", d->note },
	};

	for (size_t i = 0; i < HT_COUNT(texts); i++)
		emit_text(e, texts[i].key, texts[i].value);
	emit_object(e, "contract");
	emit_text(e, "link", d->link);
	emit_text(e, "carrier", d->provider);
	emit_text(e, "kind", d->kind);
	emit_text(e, "role", d->role);
	emit_text(e, "line_type", d->line_type);
	emit_text(e, "router_address", d->router);
	emit_int_or_null(e, "down_bps", d->down_bps == DISPUTE_NONE, d->down_bps);
	emit_int_or_null(e, "up_bps", d->up_bps == DISPUTE_NONE, d->up_bps);
	emit_end_object(e);
}

static void counted_emit(struct emit *e, const struct dispute *d)
{
	int64_t end = d->end_ms == DISPUTE_NONE ? d->generated_ms : d->end_ms;

	emit_object(e, "clocks");
	clock_emit(e, "estimate", &d->estimate);
	clock_emit(e, "edge", &d->edge);
	emit_end_object(e);
	emit_object(e, "counted");
	emit_time(e, "start", d->start_ms);
	emit_time(e, "end", d->end_ms);
	emit_double(e, "duration_s", (double)(end - d->start_ms) / 1000);
	emit_double(e, "maintenance_s", (double)d->maintenance_ms / 1000);
	emit_end_object(e);
	emit_list(e, "maintenance");
	for (size_t i = 0; i < d->n_windows; i++) {
		const struct dispute_window *w = &d->windows[i];

		emit_object(e, NULL);
		emit_text(e, "id", w->id);
		emit_text(e, "scope", w->scope);
		emit_time(e, "from", w->from_ms);
		emit_time(e, "to", w->to_ms);
		emit_double(e, "overlap_s", (double)w->overlap_ms / 1000);
		emit_text(e, "reason", w->reason);
		emit_text(e, "actor", w->actor);
		emit_time(e, "entered", w->entered_ms);
		emit_end_object(e);
	}
	emit_end_list(e);
}

static void record_emit(struct emit *e, const struct dispute *d)
{
	emit_list(e, "edge_record");
	for (size_t i = 0; i < d->n_changes; i++) {
		const struct dispute_change *c = &d->changes[i];

		emit_object(e, NULL);
		emit_text(e, "target", c->subject);
		emit_text(e, "state", c->state);
		emit_time(e, "at", c->at_ms);
		emit_double(e, "uncertainty_s", (double)c->uncertainty_ms / 1000);
		emit_int(e, "evidence", c->journal_id);
		emit_end_object(e);
	}
	emit_end_list(e);
	emit_list(e, "evidence");
	for (size_t i = 0; i < d->n_rows; i++) {
		const struct dispute_row *r = &d->rows[i];

		emit_object(e, NULL);
		emit_int(e, "row", r->journal_id);
		emit_text(e, "agent", r->agent);
		emit_text(e, "kind", r->kind);
		emit_time(e, "received", r->received_ms);
		emit_int(e, "bytes", (int64_t)r->bytes);
		emit_hex(e, "sha256", r->hash, sizeof(r->hash));
		emit_end_object(e);
	}
	emit_end_list(e);
}

static void graphs_emit(struct emit *e, const struct dispute *d)
{
	emit_list(e, "graphs");
	for (size_t i = 0; i < d->n_graphs; i++) {
		const struct dispute_graph *g = &d->graphs[i];

		emit_object(e, NULL);
		emit_text(e, "agent", g->agent);
		emit_text(e, "name", g->name);
		emit_text(e, "from", g->edge ? "office" : "core");
		emit_text(e, "quantity", g->loss ? "loss" : "rtt");
		emit_text(e, "unit", g->loss ? "/" : "s");
		emit_time(e, "begin", g->buckets->from_ms);
		emit_double(e, "step_s", (double)g->buckets->step_ms / 1000);
		emit_list(e, "mean");
		for (size_t k = 0; k < g->buckets->n; k++) {
			const struct bucket *b = &g->buckets->at[k];
			if (b->n)
				emit_double(e, NULL, b->sum / (double)b->n);
			else
				emit_null(e, NULL);
		}
		emit_end_list(e);
		emit_end_object(e);
	}
	emit_end_list(e);
	emit_list(e, "rules");
	for (size_t i = 0; i < AVAILABILITY_RULES; i++) {
		emit_object(e, NULL);
		emit_text(e, "vi", availability_rules[i].vi);
		emit_text(e, "en", availability_rules[i].en);
		emit_end_object(e);
	}
	emit_end_list(e);
}

static void dispute_json(const struct dispute *d, struct ht_buf *out)
{
	struct emit e;

	emit_init(&e, out);
	emit_object(&e, NULL);
	emit_time(&e, "generated", d->generated_ms);
	emit_int(&e, "utc_offset_minutes", d->offset_min);
	about_emit(&e, d);
	counted_emit(&e, d);
	record_emit(&e, d);
	graphs_emit(&e, d);
	emit_end_object(&e);
}

void outages_dispute(struct request *rq, struct reply *re)
{
	const int64_t *offset = web_context(rq->web)->options.utc_offset_min;
	const char *format = param_text(&rq->query, "format");
	struct dispute *d = NULL;
	ht_err err =
	    dispute_gather(rq, rq->args.at[0], offset ? (int)*offset : VIETNAM_MIN, &d);

	if (err == HT_NOTFOUND) {
		http_not_found(re, "outage", rq->args.at[0]);
	} else if (err) {
		http_failed(re, err, "gathering the dispute pack");
	} else if (format && strcmp(format, "html") == 0) {
		re->content_type = "text/html; charset=utf-8";
		re->policy = policy;
		dispute_html(d, &re->body);
	} else {
		dispute_json(d, &re->body);
	}
	dispute_free(d);
}

/* ── ticket and note ── */

struct note_edit {
	struct operator_by by;
	struct verb_note note;
	struct ht_fault fault;
};

static ht_err note_write(struct db *db, void *arg)
{
	struct note_edit *edit = arg;

	return operator_outage_note(db, &edit->by, &edit->note, &edit->fault);
}

void outages_note(struct request *rq, struct reply *re)
{
	const char *id = rq->args.at[0];
	struct db_rows *rows = db_start(
	    rq->db, &ledger_sql, LEDGER_SQL_OUTAGE_SEEN, "ss", id, http_scope(rq));
	bool there = db_next(rows) == HT_OK;

	db_done(rows);
	if (!there) {
		http_not_found(re, "outage", id);
		return;
	}
	struct note_edit edit = {
		.by = { rq->who.name, rq->now_ms, VERB_UNSET },
		.note = { id, param_text(&rq->fields, "ticket"),
		    param_text(&rq->fields, "note") },
	};
	ht_err err = writer_call(rq->writer, note_write, &edit);
	if (err)
		http_from_err(re, err, &edit.fault);
	else
		re->status = 204;
}
