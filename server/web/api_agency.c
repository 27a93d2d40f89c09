#include "server/web/api.h"
#include "server/web/sql.h"
#include "server/web/value.h"

/* Columns of AGENCY_COLUMNS. */
enum {
	A_ID,
	A_NAME,
	A_LEVEL,
	A_KIND,
	A_PARENT,
	A_LATITUDE,
	A_LONGITUDE,
	A_JOURNAL,
	A_SERVANTS,
	A_AS_OF,
	A_HEADCOUNT_JOURNAL,
	A_STATE,
	A_LINKS,
	A_LINKS_UP,
	A_AGENTS,
	A_AGENTS_ONLINE,
	A_CHILDREN,
	A_ON_BACKUP,
	A_STATE_SINCE,
	A_STATE_REASON
};

/* `on_backup` is null while nothing is known of the links. */
static void agency_state(struct emit *e, const struct db_rows *rows)
{
	emit_text(e, "state", db_text(rows, A_STATE));
	if (db_is_null(rows, A_ON_BACKUP))
		emit_null(e, "on_backup");
	else
		emit_bool(e, "on_backup", db_int(rows, A_ON_BACKUP));
	emit_time(e, "state_since",
	    db_is_null(rows, A_STATE_SINCE) ? INT64_MIN : db_int(rows, A_STATE_SINCE));
	emit_text(e, "state_reason", db_text(rows, A_STATE_REASON));
}

static void agency_fields(struct emit *e, const struct db_rows *rows)
{
	emit_text(e, "id", db_text(rows, A_ID));
	emit_text(e, "name", db_text(rows, A_NAME));
	emit_text(e, "level", db_text(rows, A_LEVEL));
	emit_text(e, "kind", db_text(rows, A_KIND));
	emit_text(e, "parent", db_text(rows, A_PARENT));
	emit_double(e, "latitude", db_double(rows, A_LATITUDE));
	emit_double(e, "longitude", db_double(rows, A_LONGITUDE));
	emit_int_or_null(
	    e, "servants", db_is_null(rows, A_SERVANTS), db_int(rows, A_SERVANTS));
	emit_time(e, "servants_as_of",
	    db_is_null(rows, A_AS_OF) ? INT64_MIN : db_int(rows, A_AS_OF));
	agency_state(e, rows);
	emit_object(e, "links");
	emit_int(e, "total", db_int(rows, A_LINKS));
	emit_int(e, "up", db_int(rows, A_LINKS_UP));
	emit_end_object(e);
	emit_object(e, "agents");
	emit_int(e, "total", db_int(rows, A_AGENTS));
	emit_int(e, "online", db_int(rows, A_AGENTS_ONLINE));
	emit_end_object(e);
	emit_int(e, "children", db_int(rows, A_CHILDREN));
	emit_list(e, "evidence");
	emit_int(e, NULL, db_int(rows, A_JOURNAL));
	if (!db_is_null(rows, A_HEADCOUNT_JOURNAL))
		emit_int(e, NULL, db_int(rows, A_HEADCOUNT_JOURNAL));
	emit_end_list(e);
}

void agencies_list(struct request *rq, struct reply *re)
{
	bool values = param_number(&rq->query, "values", 0);
	struct page p;
	ht_err err, bad = HT_OK;

	page_begin(&p, rq, re);
	struct db_rows *rows =
	    db_start(rq->db, &web_sql, WEB_SQL_AGENCIES, "sssssi", page_after(rq),
		param_text(&rq->query, "parent"), param_text(&rq->query, "level"),
		param_text(&rq->query, "search"), http_scope(rq), p.limit + 1);
	while (!bad && !(err = db_next(rows)) && page_item(&p, db_text(rows, A_ID))) {
		emit_object(&p.e, NULL);
		agency_fields(&p.e, rows);
		if (values)
			bad =
			    value_index_of(rq, &p.e, "index", db_text(rows, A_ID), false);
		emit_end_object(&p.e);
	}
	db_done(rows);
	page_end(&p);
	page_finish(&p);
	if (bad || (err && err != HT_NOTFOUND))
		http_failed(re, bad ? bad : err, "listing agencies");
}

static ht_err agency_headcounts(struct request *rq, struct emit *e)
{
	struct db_rows *rows =
	    db_start(rq->db, &web_sql, WEB_SQL_HEADCOUNTS, "s", rq->args.at[0]);
	ht_err err;

	emit_list(e, "headcounts");
	while (!(err = db_next(rows))) {
		emit_object(e, NULL);
		emit_time(e, "as_of", db_int(rows, 0));
		emit_int(e, "servants", db_int(rows, 1));
		emit_int(e, "evidence", db_int(rows, 2));
		emit_end_object(e);
	}
	emit_end_list(e);
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* Whether it is connected to the WAN, and why; null while nothing was concluded. */
static ht_err agency_wan(struct request *rq, struct emit *e, const char *id)
{
	char definition[97];

	value_definition(rq, NULL, definition);
	struct db_rows *rows =
	    db_start(rq->db, &web_sql, WEB_SQL_AGENCY_WAN, "ss", id, definition);
	ht_err err = db_next(rows);

	if (err) {
		emit_null(e, "wan");
	} else {
		emit_object(e, "wan");
		emit_text(e, "answer", db_text(rows, 0));
		emit_double(e, "confidence", db_double(rows, 1));
		emit_text(e, "reason", db_text(rows, 2));
		emit_text(e, "cure", db_text(rows, 3));
		emit_time(e, "as_of", db_int(rows, 4));
		emit_stored(e, "links", db_text(rows, 5));
		emit_time(e, "computed", db_int(rows, 6));
		emit_end_object(e);
	}
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

void agencies_show(struct request *rq, struct reply *re)
{
	const char *id = rq->args.at[0];
	struct emit e;
	struct db_rows *rows =
	    db_start(rq->db, &web_sql, WEB_SQL_AGENCY, "ss", id, http_scope(rq));
	ht_err err = db_next(rows);

	if (err) {
		db_done(rows);
		if (err == HT_NOTFOUND)
			http_not_found(re, "agency", id);
		else
			http_failed(re, err, "reading the agency");
		return;
	}
	emit_init(&e, &re->body);
	emit_object(&e, NULL);
	agency_fields(&e, rows);
	db_done(rows);
	err = agency_headcounts(rq, &e);
	if (!err)
		err = agency_wan(rq, &e, id);
	if (!err)
		err = value_index_of(rq, &e, "index_own", id, true);
	if (!err)
		err = value_index_of(rq, &e, "index", id, false);
	emit_end_object(&e);
	if (err)
		http_failed(re, err, "reading the agency");
}

/* Everything that is seen, with only what a tree needs. */
void agencies_tree(struct request *rq, struct reply *re)
{
	struct emit e;
	ht_err err;
	struct db_rows *rows = db_start(rq->db, &web_sql, WEB_SQL_AGENCIES, "snnnsi", "",
	    http_scope(rq), (int64_t)50000);

	emit_init(&e, &re->body);
	emit_object(&e, NULL);
	emit_list(&e, "items");
	while (!(err = db_next(rows))) {
		emit_object(&e, NULL);
		emit_text(&e, "id", db_text(rows, A_ID));
		emit_text(&e, "name", db_text(rows, A_NAME));
		emit_text(&e, "level", db_text(rows, A_LEVEL));
		emit_text(&e, "parent", db_text(rows, A_PARENT));
		agency_state(&e, rows);
		emit_end_object(&e);
	}
	emit_end_list(&e);
	emit_end_object(&e);
	db_done(rows);
	if (err != HT_NOTFOUND)
		http_failed(re, err, "reading the tree of agencies");
}
