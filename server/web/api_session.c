#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "server/store/writer.h"
#include "server/web/api.h"
#include "server/web/context.h"

static const char *const role_names[] = { "none", "viewer", "operator", "admin" };

static void session_put(struct reply *re, const struct account_who *who, bool with_csrf)
{
	struct emit e;

	emit_init(&e, &re->body);
	emit_object(&e, NULL);
	emit_text(&e, "account", who->name);
	emit_text(&e, "role", role_names[who->role]);
	emit_text(&e, "agency", who->agency[0] ? who->agency : NULL);
	emit_time(&e, "expires", who->expires_ms);
	if (with_csrf)
		emit_text(&e, "csrf", who->csrf);
	emit_end_object(&e);
}

void session_me(struct request *rq, struct reply *re)
{
	session_put(re, &rq->who, rq->who.kind == ACCOUNT_SESSION);
}

/* Seconds to wait, by account and by address, whichever is longer. */
static int session_wait_s(struct request *rq, const char *name)
{
	struct web_context *c = web_context(rq->web);

	pthread_mutex_lock(&c->throttle_lock);
	int by_name = throttle_wait_s(&c->throttle, "login", name, rq->now_ms);
	int by_peer = throttle_wait_s(&c->throttle, "peer", rq->peer, rq->now_ms);
	pthread_mutex_unlock(&c->throttle_lock);
	return by_name > by_peer ? by_name : by_peer;
}

static void session_note(struct request *rq, const char *name, bool passed)
{
	struct web_context *c = web_context(rq->web);

	pthread_mutex_lock(&c->throttle_lock);
	if (passed) {
		throttle_passed(&c->throttle, "login", name);
		throttle_passed(&c->throttle, "peer", rq->peer);
	} else {
		throttle_failed(&c->throttle, "login", name, rq->now_ms);
		throttle_failed(&c->throttle, "peer", rq->peer, rq->now_ms);
	}
	pthread_mutex_unlock(&c->throttle_lock);
}

struct session_new {
	struct account_who *who;
	int64_t now_ms;
	char token[ACCOUNT_TOKEN_TEXT];
};

static ht_err session_write(struct db *db, void *arg)
{
	struct session_new *s = arg;

	return account_token_new(db, s->who, ACCOUNT_SESSION, NULL, s->who->expires_ms,
	    s->now_ms, s->token, s->who->csrf);
}

void session_login(struct request *rq, struct reply *re)
{
	const char *name = param_text(&rq->fields, "account");
	struct account_who who;
	int wait_s = session_wait_s(rq, name);

	if (wait_s > 0) {
		re->retry_after_s = wait_s;
		http_problem(re, 429, "too-many-logins", "Too many failed logins",
		    "wait %d seconds, then try again with the right password", wait_s);
		return;
	}
	ht_err err =
	    account_check(rq->db, name, param_text(&rq->fields, "password"), &who);
	if (err == HT_DENIED) {
		session_note(rq, name, false);
		ht_log_warn("web.login_failed", "account=%s peer=%s", name, rq->peer);
		http_problem(re, 403, "wrong-login", "Wrong account or password",
		    "no account of that name has that password: check both, or ask an "
		    "admin for a new password");
		return;
	}
	struct session_new s = { .who = &who, .now_ms = rq->now_ms };
	if (!err) {
		who.kind = ACCOUNT_SESSION;
		who.expires_ms = rq->now_ms + ACCOUNT_SESSION_MS;
		err = writer_call(rq->writer, session_write, &s);
	}
	if (err) {
		http_failed(re, err, "logging in");
		return;
	}
	session_note(rq, name, true);
	ht_log_info("web.login", "account=%s peer=%s", who.name, rq->peer);
	snprintf(re->cookie, sizeof(re->cookie),
	    "hatang_session=%s; Path=/; Max-Age=%lld; HttpOnly; SameSite=Strict%s",
	    s.token, (long long)(ACCOUNT_SESSION_MS / 1000),
	    web_context(rq->web)->tls ? "; Secure" : "");
	session_put(re, &who, true);
}

static ht_err session_drop(struct db *db, void *arg)
{
	return account_token_end(db, arg);
}

void session_logout(struct request *rq, struct reply *re)
{
	if (rq->who.kind == ACCOUNT_SESSION) {
		ht_err err = writer_call(rq->writer, session_drop, rq->who.token_hash);

		if (err) {
			http_failed(re, err, "logging out");
			return;
		}
	}
	snprintf(re->cookie, sizeof(re->cookie),
	    "hatang_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
	re->status = 204;
}
