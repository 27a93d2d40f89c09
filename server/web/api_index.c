#include <stdio.h>
#include <string.h>

#include "server/web/api.h"
#include "server/web/sql.h"
#include "server/web/value.h"

void index_list(struct request *rq, struct reply *re)
{
	char definition[97];
	struct page p;
	ht_err err;

	value_definition(rq, param_text(&rq->query, "definition"), definition);
	page_begin(&p, rq, re);
	/* The cursor is a scope, whose indicators stay on one page: read past the limit
	 * and stop at the first row of another scope. */
	struct db_rows *rows = db_start(rq->db, &web_sql, WEB_SQL_INDEX_LIST, "sssissi",
	    definition, param_text(&rq->query, "scope"),
	    param_text(&rq->query, "indicator"), param_number(&rq->query, "own", 0),
	    page_after(rq), http_scope(rq), (int64_t)(64 * (p.limit + 1)));
	char scope[192] = "";
	while (!(err = db_next(rows))) {
		if (strcmp(scope, db_text(rows, 2)) != 0 &&
		    !page_item(&p, db_text(rows, 2)))
			break;
		snprintf(scope, sizeof(scope), "%s", db_text(rows, 2));
		value_index(&p.e, NULL, rows, false);
	}
	db_done(rows);
	page_end(&p);
	emit_text(&p.e, "definition", definition);
	page_finish(&p);
	if (err && err != HT_NOTFOUND)
		http_failed(re, err, "reading the index");
}

static ht_err index_evidence(struct request *rq, struct emit *e, const char *list)
{
	struct db_rows *rows =
	    db_start(rq->db, &web_sql, WEB_SQL_EVIDENCE_ROWS, "si", list, (int64_t)200);
	ht_err err;

	emit_list(e, "evidence_rows");
	while (!(err = db_next(rows))) {
		emit_object(e, NULL);
		emit_int(e, "id", db_int(rows, 0));
		emit_text(e, "source", db_text(rows, 1));
		emit_text(e, "kind", db_text(rows, 2));
		emit_text(e, "agent", db_text(rows, 3));
		emit_time(e, "received", db_int(rows, 4));
		emit_text(e, "actor", db_text(rows, 5));
		emit_int(e, "bytes", db_int(rows, 6));
		emit_end_object(e);
	}
	emit_end_list(e);
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

void index_explain(struct request *rq, struct reply *re)
{
	const char *scope = rq->args.at[0], *indicator = rq->args.at[1];
	char definition[97];
	struct emit e;

	value_definition(rq, param_text(&rq->query, "definition"), definition);
	struct db_rows *rows =
	    db_start(rq->db, &web_sql, WEB_SQL_INDEX_ONE, "sssis", definition, scope,
		indicator, param_number(&rq->query, "own", 0), http_scope(rq));
	ht_err err = db_next(rows);
	if (!err) {
		emit_init(&e, &re->body);
		emit_object(&e, NULL);
		value_index(&e, "value", rows, true);
		err = index_evidence(rq, &e, db_text(rows, 18));
		emit_end_object(&e);
	}
	db_done(rows);
	if (err == HT_NOTFOUND)
		http_problem(re, 404, "not-found", "Not found",
		    "indicator \"%s\" of \"%s\" was not computed or is not yours to see: "
		    "GET /api/v1/index lists what there is",
		    indicator, scope);
	else if (err)
		http_failed(re, err, "explaining the value");
}
