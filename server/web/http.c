#include "server/web/http.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/log.h"
#include "server/web/sql.h"

void http_problem(struct reply *re, int status, const char *slug, const char *title,
    const char *fmt, ...)
{
	char detail[700], type[96];
	struct emit e;
	va_list args;

	va_start(args, fmt);
	vsnprintf(detail, sizeof(detail), fmt, args);
	va_end(args);
	snprintf(type, sizeof(type), "urn:hatang:problem:%s", slug);
	ht_buf_reset(&re->body);
	re->status = status;
	re->content_type = "application/problem+json";
	re->file = NULL;
	re->stream = false;
	re->may_cache = false;
	re->etag = NULL;
	re->policy = NULL;
	emit_init(&e, &re->body);
	emit_object(&e, NULL);
	emit_text(&e, "type", type);
	emit_text(&e, "title", title);
	emit_int(&e, "status", status);
	emit_text(&e, "detail", detail);
	emit_end_object(&e);
}

void http_not_found(struct reply *re, const char *what, const char *id)
{
	http_problem(re, 404, "not-found", "Not found",
	    "there is no %s \"%s\" that you may see: look in the list for the right id",
	    what, id);
}

void http_invalid(struct reply *re, const char *sentence)
{
	http_problem(re, 400, "invalid", "The request is not valid", "%s", sentence);
}

void http_denied(struct reply *re, const char *sentence)
{
	http_problem(re, 403, "denied", "Not permitted", "%s", sentence);
}

void http_failed(struct reply *re, ht_err err, const char *what)
{
	ht_log_error("web.failed", "what=\"%s\" error=%s", what, ht_err_name(err));
	if (err == HT_FULL)
		http_problem(re, 507, "full", "No room",
		    "%s: the store is full: make room on the server's disk", what);
	else if (err == HT_AGAIN || err == HT_TIMEOUT || err == HT_CLOSED)
		http_problem(re, 503, "busy", "Busy",
		    "%s: the server is busy: try again in a few seconds", what);
	else
		http_problem(re, 500, "failed", "The server failed",
		    "%s failed (%s): the server's log has the cause", what,
		    ht_err_name(err));
}

void http_from_err(struct reply *re, ht_err err, const struct ht_fault *fault)
{
	static const struct {
		ht_err err;
		int status;
		const char *slug, *title;
	} rows[] = {
		{ HT_INVALID, 400, "invalid", "The request is not valid" },
		{ HT_MALFORMED, 400, "malformed", "The content cannot be read" },
		{ HT_RANGE, 400, "range", "A value is out of range" },
		{ HT_CONFIG, 400, "configuration", "The configuration is not valid" },
		{ HT_UNSUPPORTED, 400, "unsupported", "Not supported" },
		{ HT_TOOLARGE, 413, "too-large", "Too large" },
		{ HT_DENIED, 403, "denied", "Not permitted" },
		{ HT_NOTFOUND, 404, "not-found", "Not found" },
		{ HT_EXISTS, 409, "exists", "It is there already" },
		{ HT_CONFLICT, 409, "conflict", "It contradicts what is there" },
	};

	for (size_t i = 0; i < HT_COUNT(rows); i++) {
		if (rows[i].err == err) {
			http_problem(re, rows[i].status, rows[i].slug, rows[i].title,
			    "%s", fault && fault->text[0] ? fault->text : rows[i].title);
			return;
		}
	}
	http_failed(re, err, fault && fault->text[0] ? fault->text : "writing");
}

const char *http_scope(const struct request *rq)
{
	return rq->who.agency[0] ? rq->who.agency : NULL;
}

bool http_sees(struct request *rq, const char *agency)
{
	const char *scope = http_scope(rq);

	if (!scope)
		return true;
	if (!agency)
		return false;
	struct db_rows *rows =
	    db_start(rq->db, &web_sql, WEB_SQL_AGENCY_BELOW, "ss", scope, agency);
	bool sees = db_next(rows) == HT_OK;
	db_done(rows);
	return sees;
}
