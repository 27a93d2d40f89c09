/* Maintenance windows: listed, entered (also afterwards), changed and removed. Each edit
 * is an operator row; what was removed stays, with who and when, for the audit. */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/registry/operator.h"
#include "server/store/writer.h"
#include "server/web/api.h"
#include "server/web/ledger_sql.h"
#include "server/web/sql.h"
#include "server/web/value.h"

/* Columns of LEDGER_SQL_MAINTENANCE_LIST. */
enum {
	M_ID,
	M_SCOPE,
	M_SUBJECT,
	M_FROM,
	M_TO,
	M_REASON,
	M_ACTOR,
	M_ENTERED,
	M_REMOVED,
	M_JOURNAL,
	M_AGENCY,
	M_AGENCY_NAME
};

#define CURSOR_MAX 160

static void window_put(struct emit *e, const struct db_rows *rows, int64_t now_ms)
{
	int64_t from_ms = db_int(rows, M_FROM), to_ms = db_int(rows, M_TO);
	bool removed = !db_is_null(rows, M_REMOVED);
	const char *subject = db_text(rows, M_SUBJECT);

	emit_object(e, NULL);
	emit_text(e, "id", db_text(rows, M_ID));
	emit_text(e, "scope", db_text(rows, M_SCOPE));
	emit_text(e, "subject", subject[0] ? subject : NULL);
	emit_text(e, "agency", db_text(rows, M_AGENCY));
	emit_text(e, "agency_name", db_text(rows, M_AGENCY_NAME));
	emit_time(e, "from", from_ms);
	emit_time(e, "to", to_ms);
	emit_text(e, "reason", db_text(rows, M_REASON));
	emit_text(e, "actor", db_text(rows, M_ACTOR));
	emit_time(e, "entered", db_int(rows, M_ENTERED));
	emit_bool(e, "afterwards", db_int(rows, M_ENTERED) > from_ms);
	emit_time(e, "removed", removed ? db_int(rows, M_REMOVED) : INT64_MIN);
	emit_text(e, "state",
	    removed            ? "removed"
	    : now_ms < from_ms ? "planned"
	    : now_ms < to_ms   ? "running"
			       : "over");
	emit_int(e, "evidence", db_int(rows, M_JOURNAL));
	emit_end_object(e);
}

/* "after" is "<from_ms>/<id>" of the last item; newest windows come first. */
static bool cursor_read(const char *after, int64_t *out_ms, const char **out_id)
{
	char *end;

	*out_ms = INT64_MAX;
	*out_id = "";
	if (!after[0])
		return true;
	*out_ms = strtoll(after, &end, 10);
	*out_id = end + 1;
	return end != after && *end == '/';
}

void maintenance_list(struct request *rq, struct reply *re)
{
	char cursor[CURSOR_MAX];
	const char *after_id;
	int64_t after_ms;
	struct page p;
	ht_err err;

	if (!cursor_read(page_after(rq), &after_ms, &after_id)) {
		http_invalid(
		    re, "parameter \"after\" must be \"next\" of the page before");
		return;
	}
	page_begin(&p, rq, re);
	struct db_rows *rows = db_start(rq->db, &ledger_sql, LEDGER_SQL_MAINTENANCE_LIST,
	    "isIIisi", after_ms, after_id, param_number(&rq->query, "from", INT64_MIN),
	    param_number(&rq->query, "to", INT64_MIN),
	    param_number(&rq->query, "removed", 0), http_scope(rq), p.limit + 1);
	while (!(err = db_next(rows))) {
		snprintf(cursor, sizeof(cursor), "%lld/%s",
		    (long long)db_int(rows, M_FROM), db_text(rows, M_ID));
		if (!page_item(&p, cursor))
			break;
		window_put(&p.e, rows, rq->now_ms);
	}
	db_done(rows);
	page_end(&p);
	page_finish(&p);
	if (err && err != HT_NOTFOUND)
		http_failed(re, err, "listing maintenance");
}

/* ── edits ── */

struct window_edit {
	struct operator_by by;
	struct ht_fault fault;
	struct verb_maintenance window;
	const char *id;
};

/* Whether the account may say something of this scope and subject. */
static bool window_allowed(
    struct request *rq, struct reply *re, const char *scope, const char *agency)
{
	if (!http_scope(rq) || (agency && http_sees(rq, agency)))
		return true;
	if (strcmp(scope, "provider") == 0 || strcmp(scope, "all") == 0)
		http_denied(re, "this window touches other agencies: an account for all "
				"agencies must enter or remove it");
	else
		http_denied(re, "that is not of your agency: your account may enter "
				"maintenance for its own links and agencies only");
	return false;
}

static void link_agency(struct db *db, const char *link, char out[static HT_ID_MAX + 1])
{
	struct db_rows *rows = db_start(db, &web_sql, WEB_SQL_LINK_AGENCY, "s", link);

	out[0] = '\0';
	if (!db_next(rows))
		snprintf(out, HT_ID_MAX + 1, "%s", db_text(rows, 0));
	db_done(rows);
}

/* The agency that a window is about, "" for none or several. */
static void window_agency(struct request *rq, const char *scope, const char *subject,
    char out[static HT_ID_MAX + 1])
{
	out[0] = '\0';
	if (subject && strcmp(scope, "agency") == 0)
		snprintf(out, HT_ID_MAX + 1, "%s", subject);
	else if (subject && strcmp(scope, "link") == 0)
		link_agency(rq->db, subject, out);
}

/* The window that stands there already: whoever may not remove it may not replace it. */
static ht_err window_agency_now(struct request *rq, const char *id, char scope[static 16],
    char agency[static HT_ID_MAX + 1])
{
	struct db_rows *rows =
	    db_start(rq->db, &ledger_sql, LEDGER_SQL_MAINTENANCE_ONE, "s", id);
	ht_err err = db_next(rows);

	if (!err) {
		const char *of = db_text(rows, 1);
		snprintf(scope, 16, "%s", db_text(rows, 0));
		snprintf(agency, HT_ID_MAX + 1, "%s", of ? of : "");
	}
	db_done(rows);
	return err;
}

static bool window_mine(struct request *rq, struct reply *re, const char *id, bool must)
{
	char scope[16], agency[HT_ID_MAX + 1];
	ht_err err = window_agency_now(rq, id, scope, agency);

	if (!err)
		return window_allowed(rq, re, scope, agency[0] ? agency : NULL);
	if (err == HT_NOTFOUND && !must)
		return true;
	if (err == HT_NOTFOUND)
		http_not_found(re, "maintenance", id);
	else
		http_failed(re, err, "looking for the maintenance");
	return false;
}

static ht_err window_write(struct db *db, void *arg)
{
	struct window_edit *edit = arg;

	return operator_maintenance_put(db, &edit->by, &edit->window, &edit->fault);
}

/* "m20261123T220103-1f3a9c": by time, and not to be guessed twice. */
static void window_id(int64_t now_ms, char out[static 32])
{
	char time[HT_RFC3339_LEN + 1];

	ht_rfc3339(now_ms, time);
	snprintf(out, 32, "m%.4s%.2s%.2sT%.2s%.2s%.2s-%06x", time, time + 5, time + 8,
	    time + 11, time + 14, time + 17, randombytes_uniform(1u << 24));
}

void maintenance_put(struct request *rq, struct reply *re)
{
	const char *scope = param_text(&rq->fields, "scope"),
		   *subject = param_text(&rq->fields, "subject"),
		   *id = param_text(&rq->fields, "id");
	char agency[HT_ID_MAX + 1], made[32];
	struct emit e;

	window_agency(rq, scope, subject, agency);
	if (!window_allowed(rq, re, scope, agency[0] ? agency : NULL) ||
	    (id && !window_mine(rq, re, id, false)))
		return;
	window_id(rq->now_ms, made);
	struct window_edit edit = {
		.by = { rq->who.name, rq->now_ms, VERB_UNSET },
		.window = { id ? id : made, scope, subject,
		    param_number(&rq->fields, "from", 0),
		    param_number(&rq->fields, "to", 0),
		    param_text(&rq->fields, "reason") },
	};
	ht_err err = writer_call(rq->writer, window_write, &edit);
	if (err) {
		http_from_err(re, err, &edit.fault);
		return;
	}
	re->status = 201;
	emit_init(&e, &re->body);
	emit_object(&e, NULL);
	emit_text(&e, "id", edit.window.id);
	emit_end_object(&e);
}

static ht_err window_remove(struct db *db, void *arg)
{
	struct window_edit *edit = arg;

	return operator_maintenance_remove(db, &edit->by, edit->id, &edit->fault);
}

void maintenance_remove(struct request *rq, struct reply *re)
{
	struct window_edit edit = {
		.by = { rq->who.name, rq->now_ms, VERB_UNSET },
		.id = rq->args.at[0],
	};

	if (!window_mine(rq, re, edit.id, true))
		return;
	ht_err err = writer_call(rq->writer, window_remove, &edit);
	if (err)
		http_from_err(re, err, &edit.fault);
	else
		re->status = 204;
}
