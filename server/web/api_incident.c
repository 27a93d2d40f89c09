/* Incidents: what people are told of, to whom they concern, what was sent, and why. An
 * account with an agency sees the incidents that touch it, and of them its own part. */
#include <stdio.h>
#include <string.h>

#include "server/alert/incident.h"
#include "server/store/writer.h"
#include "server/web/api.h"
#include "server/web/context.h"
#include "server/web/incident.h"
#include "server/web/outage_sql.h"
#include "server/web/value.h"

enum { AFFECTED_MAX = 24 }; /* names in a list; the incident itself has all */

/* Columns of INCIDENT_COLUMNS. */
enum {
	I_ID,
	I_RULE,
	I_SEVERITY,
	I_GROUP,
	I_SUBJECT,
	I_OPENED,
	I_CLOSED,
	I_ANNOUNCE,
	I_ANNOUNCED,
	I_ACKED,
	I_ACKED_BY,
	I_LEVEL,
	I_ESCALATE,
	I_JOURNAL,
	I_RULES_HASH
};

/* Columns of MEMBER_COLUMNS. */
enum {
	M_ID,
	M_KIND,
	M_SUBJECT,
	M_AGENCY,
	M_AGENCY_NAME,
	M_PROVIDER,
	M_ROOT,
	M_OPENED,
	M_CLOSED,
	M_REASON,
	M_FACTS,
	M_JOINED,
	M_LEFT,
	M_OUTAGE,
	M_CAUSE,
	M_CAUSE_REASON,
	M_OPENED_JOURNAL,
	M_CLOSED_JOURNAL
};

static void member_put(struct emit *e, const char *key, const struct db_rows *rows)
{
	static const struct {
		const char *key;
		int column;
	} texts[] = {
		{ "id", M_ID },
		{ "kind", M_KIND },
		{ "subject", M_SUBJECT },
		{ "agency", M_AGENCY },
		{ "agency_name", M_AGENCY_NAME },
		{ "provider", M_PROVIDER },
		{ "root", M_ROOT },
		{ "reason", M_REASON },
		{ "outage", M_OUTAGE },
		{ "cause", M_CAUSE },
		{ "cause_reason", M_CAUSE_REASON },
	};

	emit_object(e, key);
	for (size_t i = 0; i < HT_COUNT(texts); i++)
		emit_text(e, texts[i].key, db_text(rows, texts[i].column));
	emit_time(e, "opened", value_time(rows, M_OPENED));
	emit_time(e, "closed", value_time(rows, M_CLOSED));
	emit_time(e, "joined", value_time(rows, M_JOINED));
	emit_time(e, "left", value_time(rows, M_LEFT));
	emit_stored(e, "facts", db_text(rows, M_FACTS));
	emit_list(e, "evidence");
	emit_int(e, NULL, db_int(rows, M_OPENED_JOURNAL));
	if (!db_is_null(rows, M_CLOSED_JOURNAL))
		emit_int(e, NULL, db_int(rows, M_CLOSED_JOURNAL));
	emit_end_list(e);
	emit_end_object(e);
}

/* The member that explains the others. */
static ht_err incident_root(struct request *rq, struct emit *e, const char *id)
{
	struct db_rows *rows = db_start(
	    rq->db, &web_outage_sql, INCIDENT_SQL_ROOT, "ss", id, http_scope(rq));
	ht_err err = db_next(rows);

	if (!err)
		member_put(e, "problem", rows);
	else
		emit_null(e, "problem");
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* Who is affected: agencies by the time they joined. */
static ht_err incident_affected(
    struct request *rq, struct emit *e, const char *id, int64_t max)
{
	struct db_rows *rows = db_start(
	    rq->db, &web_outage_sql, INCIDENT_SQL_AGENCIES, "ss", id, http_scope(rq));
	int64_t n = 0, open = 0;
	ht_err err;

	emit_list(e, "affected");
	while (!(err = db_next(rows))) {
		open += db_int(rows, 4) > 0;
		if (n++ >= max)
			continue;
		emit_object(e, NULL);
		emit_text(e, "id", db_text(rows, 0));
		emit_text(e, "name", db_text(rows, 1));
		emit_time(e, "since", db_int(rows, 2));
		emit_int(e, "problems", db_int(rows, 3));
		emit_int(e, "open", db_int(rows, 4));
		emit_end_object(e);
	}
	emit_end_list(e);
	db_done(rows);
	emit_int(e, "n_affected", n);
	emit_int(e, "n_open", open);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* As the last message named it. It may name other agencies: not for a narrower scope. */
static void incident_title(struct request *rq, struct emit *e, const char *id)
{
	if (http_scope(rq)) {
		emit_null(e, "title");
		return;
	}
	struct db_rows *rows =
	    db_start(rq->db, &web_outage_sql, INCIDENT_SQL_TITLE, "s", id);
	if (db_next(rows) == HT_OK && db_text(rows, 0)) {
		emit_object(e, "title");
		emit_text(e, "vi", db_text(rows, 0));
		emit_text(e, "en", db_text(rows, 1));
		emit_end_object(e);
	} else {
		emit_null(e, "title");
	}
	db_done(rows);
}

/* The fields of one incident, inside an object; `rows` stands on its row. */
static ht_err incident_fields(
    struct request *rq, struct emit *e, const struct db_rows *rows, int64_t max)
{
	static const struct {
		const char *key;
		int column;
	} texts[] = {
		{ "id", I_ID },
		{ "rule", I_RULE },
		{ "severity", I_SEVERITY },
		{ "group_by", I_GROUP },
		{ "subject", I_SUBJECT },
		{ "acked_by", I_ACKED_BY },
		{ "rules_hash", I_RULES_HASH },
	}, times[] = {
		{ "opened", I_OPENED },
		{ "closed", I_CLOSED },
		{ "announce", I_ANNOUNCE },
		{ "announced", I_ANNOUNCED },
		{ "acked", I_ACKED },
		{ "escalate", I_ESCALATE },
	};
	const char *id = db_text(rows, I_ID);
	int64_t end = db_is_null(rows, I_CLOSED) ? rq->now_ms : db_int(rows, I_CLOSED);

	for (size_t i = 0; i < HT_COUNT(texts); i++)
		emit_text(e, texts[i].key, db_text(rows, texts[i].column));
	for (size_t i = 0; i < HT_COUNT(times); i++)
		emit_time(e, times[i].key, value_time(rows, times[i].column));
	emit_bool(e, "open", db_is_null(rows, I_CLOSED));
	emit_double(e, "duration_s", (double)(end - db_int(rows, I_OPENED)) / 1000);
	emit_int(e, "level", db_int(rows, I_LEVEL));
	emit_int(e, "evidence", db_int(rows, I_JOURNAL));
	incident_title(rq, e, id);
	ht_err err = incident_root(rq, e, id);
	if (!err)
		err = incident_affected(rq, e, id, max);
	return err;
}

void incidents_list(struct request *rq, struct reply *re)
{
	struct time_cursor c;
	struct page p;
	ht_err err, bad = HT_OK;

	if (!time_cursor_read(rq, &c)) {
		http_invalid(
		    re, "\"after\" is no cursor of this list: take it from \"next\"");
		return;
	}
	page_begin(&p, rq, re);
	struct db_rows *rows = db_start(rq->db, &web_outage_sql, INCIDENT_SQL_LIST,
	    "isiissiissi", c.at_ms, c.id, param_number(&rq->query, "open", -1),
	    param_number(&rq->query, "acked", -1), param_text(&rq->query, "severity"),
	    param_text(&rq->query, "rule"), param_number(&rq->query, "from", INT64_MIN),
	    param_number(&rq->query, "to", INT64_MAX), param_text(&rq->query, "agency"),
	    http_scope(rq), p.limit + 1);
	while (!bad && !(err = db_next(rows)) &&
	       page_item_at(&p, db_int(rows, I_OPENED), db_text(rows, I_ID))) {
		emit_object(&p.e, NULL);
		bad = incident_fields(rq, &p.e, rows, AFFECTED_MAX);
		emit_end_object(&p.e);
	}
	db_done(rows);
	page_end(&p);
	page_finish(&p);
	if (bad || (err && err != HT_NOTFOUND))
		http_failed(re, bad ? bad : err, "listing incidents");
}

static ht_err incident_members(struct request *rq, struct emit *e, const char *id)
{
	struct db_rows *rows = db_start(
	    rq->db, &web_outage_sql, INCIDENT_SQL_MEMBERS, "ss", id, http_scope(rq));
	ht_err err;

	emit_list(e, "members");
	while (!(err = db_next(rows)))
		member_put(e, NULL, rows);
	emit_end_list(e);
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* What was sent: by which channel, when, how it went. Addresses stay in the channels'
 * file; what a mail server answered is for who sees everything and may do something. */
static ht_err incident_messages(struct request *rq, struct emit *e, const char *id)
{
	struct db_rows *rows =
	    db_start(rq->db, &web_outage_sql, INCIDENT_SQL_MESSAGES, "s", id);
	bool errors = !http_scope(rq) && rq->who.role >= ROUTE_OPERATOR;
	ht_err err;

	emit_list(e, "messages");
	while (!(err = db_next(rows))) {
		emit_object(e, NULL);
		emit_text(e, "channel", db_text(rows, 0));
		emit_text(e, "kind", db_text(rows, 1));
		emit_text(e, "state", db_text(rows, 2));
		emit_time(e, "created", db_int(rows, 3));
		emit_time(e, "due", db_int(rows, 4));
		emit_int(e, "attempts", db_int(rows, 5));
		emit_time(e, "sent", value_time(rows, 6));
		if (errors)
			emit_text(e, "last_error", db_text(rows, 7));
		emit_end_object(e);
	}
	emit_end_list(e);
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err incident_decisions(struct request *rq, struct emit *e, const char *id)
{
	struct db_rows *rows = db_start(
	    rq->db, &web_outage_sql, INCIDENT_SQL_DECISIONS, "ss", id, http_scope(rq));
	ht_err err;

	emit_list(e, "decisions");
	while (!(err = db_next(rows))) {
		emit_object(e, NULL);
		emit_time(e, "at", db_int(rows, 0));
		emit_text(e, "decision", db_text(rows, 1));
		emit_text(e, "reason", db_text(rows, 2));
		emit_text(e, "problem", db_text(rows, 3));
		emit_end_object(e);
	}
	emit_end_list(e);
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static struct db_rows *incident_find(struct request *rq, const char *id)
{
	return db_start(
	    rq->db, &web_outage_sql, INCIDENT_SQL_ONE, "ss", id, http_scope(rq));
}

ht_err incident_explain(
    struct request *rq, struct emit *e, const char *key, const char *id, bool *out_there)
{
	static ht_err (*const parts[])(struct request *, struct emit *,
	    const char *) = { incident_members, incident_messages, incident_decisions };
	struct db_rows *rows = incident_find(rq, id);
	ht_err err = db_next(rows);

	*out_there = !err;
	if (err) {
		db_done(rows);
		if (key)
			emit_null(e, key);
		return err == HT_NOTFOUND ? HT_OK : err;
	}
	emit_object(e, key);
	err = incident_fields(rq, e, rows, HTTP_PAGE_MAX);
	db_done(rows);
	for (size_t i = 0; !err && i < HT_COUNT(parts); i++)
		err = parts[i](rq, e, id);
	emit_end_object(e);
	return err;
}

void incidents_show(struct request *rq, struct reply *re)
{
	const char *id = rq->args.at[0];
	struct emit e;
	bool there;

	emit_init(&e, &re->body);
	ht_err err = incident_explain(rq, &e, NULL, id, &there);
	if (err)
		http_failed(re, err, "reading the incident");
	else if (!there)
		http_not_found(re, "incident", id);
}

/* ── acknowledging ── */

struct ack {
	const char *id, *actor, *note;
	int64_t now_ms;
	struct ht_fault fault;
};

static ht_err ack_append(struct db *db, void *arg)
{
	struct ack *a = arg;

	return incident_ack(db, a->id, a->actor, a->note, a->now_ms, &a->fault);
}

/* An acknowledgement ends the escalation for everybody: whoever gives it must see all. */
static bool ack_sees_all(struct request *rq, const char *id)
{
	struct db_rows *rows = db_start(
	    rq->db, &web_outage_sql, INCIDENT_SQL_OUTSIDE, "ss", id, http_scope(rq));
	bool all = db_next(rows) == HT_OK && db_int(rows, 0) == 0;

	db_done(rows);
	return all;
}

void incidents_ack(struct request *rq, struct reply *re)
{
	struct ack a = { .id = rq->args.at[0],
		.actor = rq->who.name,
		.note = param_text(&rq->fields, "note"),
		.now_ms = rq->now_ms };
	struct db_rows *rows = incident_find(rq, a.id);
	bool there = db_next(rows) == HT_OK;
	bool closed = there && !db_is_null(rows, I_CLOSED),
	     acked = there && !db_is_null(rows, I_ACKED);

	db_done(rows);
	if (!there) {
		http_not_found(re, "incident", a.id);
		return;
	}
	if (!ack_sees_all(rq, a.id)) {
		http_denied(re, "it also concerns agencies outside your scope: an "
				"account that sees them must acknowledge it");
		return;
	}
	if (closed) {
		http_problem(re, 409, "closed", "The incident is over",
		    "incident \"%s\" is closed: there is nothing to acknowledge", a.id);
		return;
	}
	re->status = 204;
	if (acked)
		return; /* said already: a second tap changes nothing */
	ht_err err = writer_call(rq->writer, ack_append, &a);
	if (err && err != HT_EXISTS)
		http_from_err(re, err, &a.fault);
}
