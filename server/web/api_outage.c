/* Outages and the states of links through time, as the folds left them. The estimate
 * (seen from the core) and the correction (written down at the edge) are both told. */
#include <stdio.h>

#include "server/web/api.h"
#include "server/web/outage_sql.h"
#include "server/web/sql.h"
#include "server/web/value.h"

#define DAY_MS    INT64_C(86400000)
#define RANGE_MAX (400 * DAY_MS) /* a year of reports and a month of slack */

enum { SPANS_MAX = 2000, OUTAGES_MAX = 500, TIMELINE_SPANS_MAX = 400 };

/* Columns of OUTAGE_COLUMNS. */
enum {
	O_ID,
	O_LINK,
	O_AGENCY,
	O_AGENCY_NAME,
	O_PROVIDER,
	O_STATE,
	O_ROOT,
	O_START,
	O_START_U,
	O_END,
	O_END_U,
	O_EDGE_AGENT,
	O_EDGE_START,
	O_EDGE_START_U,
	O_EDGE_END,
	O_EDGE_END_U,
	O_CAUSE,
	O_CAUSE_REASON,
	O_EVIDENCE,
	O_OPENED,
	O_CLOSED,
	O_TICKET,
	O_NOTE,
	O_NOTE_JOURNAL,
	O_BEHIND
};

static void outage_clock(struct emit *e, const struct db_rows *rows, int start,
    int start_u, int end, int end_u)
{
	emit_time(e, "start", value_time(rows, start));
	value_seconds(e, "start_uncertainty_s", rows, start_u);
	emit_time(e, "end", value_time(rows, end));
	value_seconds(e, "end_uncertainty_s", rows, end_u);
}

/* Start and end as they count: the edge's where it wrote them down. */
static void outage_times(struct emit *e, const struct db_rows *rows, int64_t now_ms)
{
	bool edge_start = !db_is_null(rows, O_EDGE_START),
	     edge_end = !db_is_null(rows, O_EDGE_END);
	int64_t start = value_time(rows, edge_start ? O_EDGE_START : O_START);
	int64_t end = value_time(rows, edge_end ? O_EDGE_END : O_END);

	emit_time(e, "start", start);
	emit_time(e, "end", end);
	emit_double(
	    e, "duration_s", (double)((end == INT64_MIN ? now_ms : end) - start) / 1000);
	emit_bool(e, "corrected", edge_start || edge_end);
	emit_object(e, "estimate");
	outage_clock(e, rows, O_START, O_START_U, O_END, O_END_U);
	emit_end_object(e);
	if (!edge_start && !edge_end) {
		emit_null(e, "edge");
		return;
	}
	emit_object(e, "edge");
	emit_text(e, "agent", db_text(rows, O_EDGE_AGENT));
	outage_clock(e, rows, O_EDGE_START, O_EDGE_START_U, O_EDGE_END, O_EDGE_END_U);
	emit_end_object(e);
}

/* The fields of one outage, inside an object. */
static void outage_fields(struct emit *e, const struct db_rows *rows, int64_t now_ms)
{
	static const struct {
		const char *key;
		int column;
	} texts[] = {
		{ "id", O_ID },
		{ "link", O_LINK },
		{ "agency", O_AGENCY },
		{ "agency_name", O_AGENCY_NAME },
		{ "provider", O_PROVIDER },
		{ "state", O_STATE },
		{ "root", O_ROOT },
		{ "cause", O_CAUSE },
		{ "cause_reason", O_CAUSE_REASON },
		{ "ticket", O_TICKET },
		{ "note", O_NOTE },
	};

	for (size_t i = 0; i < HT_COUNT(texts); i++)
		emit_text(e, texts[i].key, db_text(rows, texts[i].column));
	emit_bool(e, "open", db_is_null(rows, O_END));
	outage_times(e, rows, now_ms);
	emit_int(e, "behind", db_int(rows, O_BEHIND));
	emit_stored(e, "evidence", db_text(rows, O_EVIDENCE));
	emit_int(e, "opened_evidence", db_int(rows, O_OPENED));
	emit_int_or_null(
	    e, "closed_evidence", db_is_null(rows, O_CLOSED), db_int(rows, O_CLOSED));
	emit_int_or_null(e, "note_evidence", db_is_null(rows, O_NOTE_JOURNAL),
	    db_int(rows, O_NOTE_JOURNAL));
}

void outages_list(struct request *rq, struct reply *re)
{
	struct time_cursor c;
	struct page p;
	ht_err err;

	if (!time_cursor_read(rq, &c)) {
		http_invalid(
		    re, "\"after\" is no cursor of this list: take it from \"next\"");
		return;
	}
	page_begin(&p, rq, re);
	struct db_rows *rows = db_start(rq->db, &web_outage_sql, OUTAGE_SQL_LIST,
	    "isssssiiisi", c.at_ms, c.id, param_text(&rq->query, "link"),
	    param_text(&rq->query, "agency"), param_text(&rq->query, "provider"),
	    param_text(&rq->query, "cause"), param_number(&rq->query, "open", -1),
	    param_number(&rq->query, "from", INT64_MIN),
	    param_number(&rq->query, "to", INT64_MAX), http_scope(rq), p.limit + 1);
	while (!(err = db_next(rows)) &&
	       page_item_at(&p, db_int(rows, O_START), db_text(rows, O_ID))) {
		emit_object(&p.e, NULL);
		outage_fields(&p.e, rows, rq->now_ms);
		emit_end_object(&p.e);
	}
	db_done(rows);
	page_end(&p);
	page_finish(&p);
	if (err && err != HT_NOTFOUND)
		http_failed(re, err, "listing outages");
}

/* Those that this outage explains. */
static ht_err outage_behind(struct request *rq, struct emit *e, const char *id)
{
	struct db_rows *rows = db_start(
	    rq->db, &web_outage_sql, OUTAGE_SQL_BEHIND, "ss", id, http_scope(rq));
	ht_err err;

	emit_list(e, "behind_it");
	while (!(err = db_next(rows))) {
		emit_object(e, NULL);
		emit_text(e, "id", db_text(rows, 0));
		emit_text(e, "link", db_text(rows, 1));
		emit_text(e, "agency", db_text(rows, 2));
		emit_text(e, "agency_name", db_text(rows, 3));
		emit_time(e, "start", db_int(rows, 4));
		emit_time(e, "end", value_time(rows, 5));
		emit_end_object(e);
	}
	emit_end_list(e);
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

void outages_show(struct request *rq, struct reply *re)
{
	const char *id = rq->args.at[0];
	struct emit e;
	struct db_rows *rows =
	    db_start(rq->db, &web_outage_sql, OUTAGE_SQL_ONE, "ss", id, http_scope(rq));
	ht_err err = db_next(rows);

	emit_init(&e, &re->body);
	if (!err) {
		emit_object(&e, NULL);
		outage_fields(&e, rows, rq->now_ms);
	}
	db_done(rows);
	if (err == HT_NOTFOUND) {
		http_not_found(re, "outage", id);
		return;
	}
	if (!err)
		err = outage_behind(rq, &e, id);
	if (!err)
		emit_end_object(&e);
	else
		http_failed(re, err, "reading the outage");
}

/* ── timelines ── */

struct range {
	int64_t from_ms, to_ms;
};

/* from and to of the query; by default the last day. False: the reply says what is wrong.
 */
static bool range_read(struct request *rq, struct reply *re, struct range *out)
{
	out->to_ms = param_number(&rq->query, "to", rq->now_ms);
	out->from_ms = param_number(&rq->query, "from", out->to_ms - DAY_MS);
	if (out->from_ms >= out->to_ms)
		http_invalid(re, "\"from\" must lie before \"to\"");
	else if (out->to_ms - out->from_ms > RANGE_MAX)
		http_invalid(re, "at most 400 days at once: ask for less");
	else
		return true;
	return false;
}

/* `full` also says why; *out_truncated when there were more than `max`. */
static ht_err timeline_spans(struct request *rq, struct emit *e, const char *link,
    const struct range *r, int64_t max, bool full, bool *out_truncated)
{
	struct db_rows *rows = db_start(rq->db, &web_outage_sql, OUTAGE_SQL_SPANS, "siii",
	    link, r->from_ms, r->to_ms, max + 1);
	int64_t n = 0;
	ht_err err;

	emit_list(e, "spans");
	while (!(err = db_next(rows)) && n++ < max) {
		emit_object(e, NULL);
		emit_time(e, "from", db_int(rows, 0));
		emit_time(e, "to", value_time(rows, 1));
		emit_text(e, "state", db_text(rows, 2));
		emit_text(e, "why", db_text(rows, 3));
		if (full) {
			emit_text(e, "reason", db_text(rows, 4));
			emit_text(e, "agent", db_text(rows, 5));
			emit_int(e, "evidence", db_int(rows, 6));
		}
		emit_end_object(e);
	}
	emit_end_list(e);
	db_done(rows);
	*out_truncated |= n > max;
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err timeline_outages(struct request *rq, struct emit *e, const char *link,
    const struct range *r, int64_t max, bool *out_truncated)
{
	struct db_rows *rows = db_start(rq->db, &web_outage_sql, OUTAGE_SQL_OF_LINK,
	    "siii", link, r->from_ms, r->to_ms, max + 1);
	int64_t n = 0;
	ht_err err;

	emit_list(e, "outages");
	while (!(err = db_next(rows)) && n++ < max) {
		emit_object(e, NULL);
		outage_fields(e, rows, rq->now_ms);
		emit_end_object(e);
	}
	emit_end_list(e);
	db_done(rows);
	*out_truncated |= n > max;
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err timeline_maintenance(
    struct request *rq, struct emit *e, const char *link, const struct range *r)
{
	struct db_rows *rows = db_start(rq->db, &web_outage_sql, OUTAGE_SQL_MAINTENANCE,
	    "sii", link, r->from_ms, r->to_ms);
	ht_err err;

	emit_list(e, "maintenance");
	while (!(err = db_next(rows))) {
		emit_object(e, NULL);
		emit_text(e, "id", db_text(rows, 0));
		emit_text(e, "scope", db_text(rows, 1));
		emit_time(e, "from", db_int(rows, 2));
		emit_time(e, "to", db_int(rows, 3));
		emit_text(e, "reason", db_text(rows, 4));
		emit_text(e, "actor", db_text(rows, 5));
		emit_time(e, "entered", db_int(rows, 6));
		emit_end_object(e);
	}
	emit_end_list(e);
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static bool timeline_sees(struct request *rq, const char *link)
{
	struct db_rows *rows = db_start(rq->db, &web_sql, WEB_SQL_LINK_AGENCY, "s", link);
	bool sees = db_next(rows) == HT_OK && http_sees(rq, db_text(rows, 0));

	db_done(rows);
	return sees;
}

void links_timeline(struct request *rq, struct reply *re)
{
	const char *link = rq->args.at[0];
	bool truncated = false;
	struct range r;
	struct emit e;

	if (!timeline_sees(rq, link)) {
		http_not_found(re, "link", link);
		return;
	}
	if (!range_read(rq, re, &r))
		return;
	emit_init(&e, &re->body);
	emit_object(&e, NULL);
	emit_text(&e, "link", link);
	emit_time(&e, "from", r.from_ms);
	emit_time(&e, "to", r.to_ms);
	ht_err err = timeline_spans(rq, &e, link, &r, SPANS_MAX, true, &truncated);
	if (!err)
		err = timeline_outages(rq, &e, link, &r, OUTAGES_MAX, &truncated);
	if (!err)
		err = timeline_maintenance(rq, &e, link, &r);
	emit_bool(&e, "truncated", truncated);
	emit_end_object(&e);
	if (err)
		http_failed(re, err, "reading the timeline");
}

/* Of many links at once, for a page of bars. */
void timelines_list(struct request *rq, struct reply *re)
{
	ht_err err, bad = HT_OK;
	struct range r;
	struct page p;

	if (!range_read(rq, re, &r))
		return;
	page_begin(&p, rq, re);
	struct db_rows *rows = db_start(rq->db, &web_outage_sql, OUTAGE_SQL_LINKS,
	    "sssiiisi", page_after(rq), param_text(&rq->query, "agency"),
	    param_text(&rq->query, "provider"), param_number(&rq->query, "troubled", 0),
	    r.from_ms, r.to_ms, http_scope(rq), p.limit + 1);
	while (!bad && !(err = db_next(rows)) && page_item(&p, db_text(rows, 0))) {
		static const char *const keys[] = { "link", "agency", "agency_name",
			"role", "provider", "agency_parent" };
		bool truncated = false;

		emit_object(&p.e, NULL);
		for (size_t i = 0; i < HT_COUNT(keys); i++)
			emit_text(&p.e, keys[i], db_text(rows, (int)i));
		bad = timeline_spans(
		    rq, &p.e, p.last, &r, TIMELINE_SPANS_MAX, false, &truncated);
		if (!bad)
			bad = timeline_outages(
			    rq, &p.e, p.last, &r, TIMELINE_SPANS_MAX, &truncated);
		emit_bool(&p.e, "truncated", truncated);
		emit_end_object(&p.e);
	}
	db_done(rows);
	page_end(&p);
	emit_time(&p.e, "from", r.from_ms);
	emit_time(&p.e, "to", r.to_ms);
	page_finish(&p);
	if (bad || (err && err != HT_NOTFOUND))
		http_failed(re, bad ? bad : err, "reading timelines");
}
