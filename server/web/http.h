/* What a handler sees: a parsed request and an empty reply. Both belong to the caller
 * (web.c) and live for one exchange; no header of the HTTP library is needed. */
#ifndef HT_SERVER_WEB_HTTP_H
#define HT_SERVER_WEB_HTTP_H

#include "base/buf.h"
#include "server/store/db.h"
#include "server/web/account.h"
#include "server/web/emit.h"
#include "server/web/param.h"
#include "server/web/route.h"

#define HTTP_REPLY_MAX (32 * 1024 * 1024) /* bytes of one reply */
#define HTTP_PAGE_MAX  1000               /* items of one page */
#define HTTP_PAGE      100

struct web;
struct writer;

struct request {
	const struct route *route;
	struct route_args args;
	struct param_set query, fields;
	const uint8_t *body; /* borrowed */
	size_t body_len;
	struct account_who who; /* role ROUTE_PUBLIC when nobody is logged in */
	const char *peer;       /* address as text */
	bool peer_is_loopback;
	const char *if_none_match; /* or NULL */
	struct db *db;             /* this thread's, read-only, inside one snapshot */
	struct writer *writer;     /* NULL in read-only tests */
	struct web *web;
	int64_t now_ms;
};

struct reply {
	int status;
	const char *content_type; /* static text */
	struct ht_buf body;
	const void *file; /* bytes sent instead of the body; live as long as the web */
	size_t file_len;
	const char *etag;   /* or NULL */
	char cookie[160];   /* Set-Cookie, or "" */
	char location[160]; /* Location, or "" */
	const char
	    *policy; /* Content-Security-Policy instead of the dashboard's; static */
	int retry_after_s; /* 0: none */
	bool stream;       /* hand the connection to events.c */
	bool may_cache;    /* static files; API replies never */
};

/* Answer with an RFC 9457 problem document. `slug` names the kind ("not-found"), detail
 * is one sentence with the place and the cure. Replaces what the reply held. */
void http_problem(struct reply *re, int status, const char *slug, const char *title,
    const char *fmt, ...) HT_PRINTF(5, 6);

/* The common ones. */
void http_not_found(struct reply *re, const char *what, const char *id);
void http_invalid(struct reply *re, const char *sentence);
void http_denied(struct reply *re, const char *sentence);
void http_failed(
    struct reply *re, ht_err err, const char *what); /* logs; 500, 503, 507 */

/* Problem for what a writing function of another room returned. */
void http_from_err(struct reply *re, ht_err err, const struct ht_fault *fault);

/* The account's scope as SQL takes it: an agency id, or NULL for everything. */
const char *http_scope(const struct request *rq);

/* Whether the account may see this agency (NULL: only who sees everything). */
bool http_sees(struct request *rq, const char *agency);

#endif
