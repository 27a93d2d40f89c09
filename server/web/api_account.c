#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "server/store/writer.h"
#include "server/web/account_sql.h"
#include "server/web/api.h"
#include "server/web/value.h"

/* One write, with what it needs and its fault. */
struct account_write {
	struct request *rq;
	struct account_new new;
	const char *name, *password;
	struct ht_fault fault;
	char token[ACCOUNT_TOKEN_TEXT], csrf[ACCOUNT_TOKEN_TEXT];
	int64_t expires_ms;
	uint8_t hash[32];
};

/* Accounts with a scope manage nobody: an admin of one agency must not make himself an
 * admin of all. */
static bool account_may(struct request *rq, struct reply *re)
{
	if (!http_scope(rq))
		return true;
	http_denied(
	    re, "your account is for one agency: an admin of the whole must do this");
	return false;
}

void accounts_list(struct request *rq, struct reply *re)
{
	struct page p;
	ht_err err;

	if (!account_may(rq, re))
		return;
	page_begin(&p, rq, re);
	struct db_rows *rows = db_start(
	    rq->db, &account_sql, ACCOUNT_SQL_LIST, "si", page_after(rq), p.limit + 1);
	while (!(err = db_next(rows)) && page_item(&p, db_text(rows, 0))) {
		emit_object(&p.e, NULL);
		emit_text(&p.e, "account", db_text(rows, 0));
		emit_text(&p.e, "role", db_text(rows, 1));
		emit_text(&p.e, "agency", db_text(rows, 2));
		emit_time(&p.e, "created", db_int(rows, 3));
		emit_time(
		    &p.e, "disabled", db_is_null(rows, 4) ? INT64_MIN : db_int(rows, 4));
		emit_end_object(&p.e);
	}
	db_done(rows);
	page_end(&p);
	page_finish(&p);
	if (err && err != HT_NOTFOUND)
		http_failed(re, err, "listing accounts");
}

static ht_err account_write_put(struct db *db, void *arg)
{
	struct account_write *w = arg;

	return account_put(db, w->rq->who.name, &w->new, w->rq->now_ms, &w->fault);
}

void accounts_create(struct request *rq, struct reply *re)
{
	struct account_write w = {
		.rq = rq,
		.new = { param_text(&rq->fields, "account"),
		    param_text(&rq->fields, "password"), param_text(&rq->fields, "role"),
		    param_text(&rq->fields, "agency") },
	};

	if (!account_may(rq, re))
		return;
	ht_err err = writer_call(rq->writer, account_write_put, &w);
	if (err) {
		http_from_err(re, err, &w.fault);
		return;
	}
	struct emit e;
	re->status = 201;
	emit_init(&e, &re->body);
	emit_object(&e, NULL);
	emit_text(&e, "account", w.new.name);
	emit_text(&e, "role", w.new.role);
	emit_text(&e, "agency", w.new.agency);
	emit_end_object(&e);
}

static ht_err account_write_password(struct db *db, void *arg)
{
	struct account_write *w = arg;

	return account_set_password(
	    db, w->rq->who.name, w->name, w->password, w->rq->now_ms, &w->fault);
}

/* Everybody may change the own password, giving the present one; an unscoped admin
 * anybody's. */
void accounts_password(struct request *rq, struct reply *re)
{
	const char *present = param_text(&rq->fields, "present");
	struct account_write w = { .rq = rq,
		.name = rq->args.at[0],
		.password = param_text(&rq->fields, "password") };
	bool own = strcmp(w.name, rq->who.name) == 0;
	struct account_who who;

	if (!own && (rq->who.role < ROUTE_ADMIN || http_scope(rq))) {
		http_denied(
		    re, "only an admin may change another account's password: ask one");
		return;
	}
	if (own && (!present || account_check(rq->db, w.name, present, &who))) {
		http_denied(re, "the present password is wrong: give it as \"present\"");
		return;
	}
	ht_err err = writer_call(rq->writer, account_write_password, &w);
	if (err)
		http_from_err(re, err, &w.fault);
	else
		re->status = 204;
}

static ht_err account_write_disable(struct db *db, void *arg)
{
	struct account_write *w = arg;

	return account_disable(db, w->rq->who.name, w->name, w->rq->now_ms, &w->fault);
}

void accounts_disable(struct request *rq, struct reply *re)
{
	struct account_write w = { .rq = rq, .name = rq->args.at[0] };

	if (!account_may(rq, re))
		return;
	ht_err err = writer_call(rq->writer, account_write_disable, &w);
	if (err)
		http_from_err(re, err, &w.fault);
	else
		re->status = 204;
}

void api_tokens_list(struct request *rq, struct reply *re)
{
	bool all = rq->who.role == ROUTE_ADMIN && !http_scope(rq);
	struct page p;
	ht_err err;

	page_begin(&p, rq, re);
	struct db_rows *rows = db_start(rq->db, &account_sql, ACCOUNT_SQL_TOKEN_LIST,
	    "si", all ? NULL : rq->who.name, p.limit);
	while (!(err = db_next(rows)) && page_item(&p, "")) {
		size_t len;
		const void *hash = db_blob(rows, 0, &len);

		emit_object(&p.e, NULL);
		emit_hex(&p.e, "id", hash, len);
		emit_text(&p.e, "account", db_text(rows, 1));
		emit_text(&p.e, "label", db_text(rows, 2));
		emit_time(&p.e, "created", db_int(rows, 3));
		emit_time(
		    &p.e, "expires", db_is_null(rows, 4) ? INT64_MIN : db_int(rows, 4));
		emit_time(
		    &p.e, "last_used", db_is_null(rows, 5) ? INT64_MIN : db_int(rows, 5));
		emit_end_object(&p.e);
	}
	db_done(rows);
	page_end(&p);
	page_finish(&p);
	if (err && err != HT_NOTFOUND)
		http_failed(re, err, "listing API tokens");
}

static ht_err account_write_token(struct db *db, void *arg)
{
	struct account_write *w = arg;

	return account_token_new(db, &w->rq->who, ACCOUNT_API,
	    param_text(&w->rq->fields, "label"), w->expires_ms, w->rq->now_ms, w->token,
	    w->csrf);
}

void api_tokens_create(struct request *rq, struct reply *re)
{
	struct account_write w = { .rq = rq,
		.expires_ms = param_number(&rq->fields, "expires", INT64_MIN) };
	struct emit e;
	ht_err err = HT_OK;

	if (w.expires_ms != INT64_MIN && w.expires_ms <= rq->now_ms) {
		http_invalid(re,
		    "\"expires\" lies in the past: give a later time, or leave it out");
		return;
	}
	err = writer_call(rq->writer, account_write_token, &w);
	if (err == HT_FULL) {
		http_problem(re, 409, "too-many-tokens", "Too many tokens",
		    "your account has as many sessions and tokens as it may: end some "
		    "first");
		return;
	}
	if (err) {
		http_failed(re, err, "making an API token");
		return;
	}
	re->status = 201;
	emit_init(&e, &re->body);
	emit_object(&e, NULL);
	emit_text(&e, "token", w.token);
	emit_time(&e, "expires", w.expires_ms);
	emit_end_object(&e);
	sodium_memzero(w.token, sizeof(w.token));
}

static ht_err account_write_end(struct db *db, void *arg)
{
	struct account_write *w = arg;
	bool all = w->rq->who.role == ROUTE_ADMIN && !http_scope(w->rq);
	bool found = false;
	ht_err err;

	/* Only what the account may list. */
	struct db_rows *rows = db_start(db, &account_sql, ACCOUNT_SQL_TOKEN_LIST, "si",
	    all ? NULL : w->rq->who.name, (int64_t)100000);
	while (!found && !(err = db_next(rows))) {
		size_t len;
		const void *hash = db_blob(rows, 0, &len);

		found = len == sizeof(w->hash) && memcmp(hash, w->hash, len) == 0;
	}
	db_done(rows);
	return found ? account_token_end(db, w->hash)
		     : ht_fault_set(&w->fault, HT_NOTFOUND,
			   "there is no such API token: list them for their ids");
}

void api_tokens_end(struct request *rq, struct reply *re)
{
	struct account_write w = { .rq = rq };
	size_t len;

	if (sodium_hex2bin(w.hash, sizeof(w.hash), rq->args.at[0], strlen(rq->args.at[0]),
		NULL, &len, NULL) ||
	    len != sizeof(w.hash)) {
		http_invalid(re, "the token's id must be 64 hexadecimal digits: list "
				 "them for their ids");
		return;
	}
	ht_err err = writer_call(rq->writer, account_write_end, &w);
	if (err)
		http_from_err(re, err, &w.fault);
	else
		re->status = 204;
}
