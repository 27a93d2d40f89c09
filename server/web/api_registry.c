/* What writes to the registry. The rules are the registry's (server/registry); here a
 * request becomes its call, and the answer a reply. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/log.h"
#include "server/registry/clone.h"
#include "server/registry/enroll.h"
#include "server/registry/import.h"
#include "server/registry/operator.h"
#include "server/registry/token.h"
#include "server/store/writer.h"
#include "server/web/api.h"
#include "server/web/context.h"
#include "server/web/sql.h"
#include "server/web/value.h"

/* One write on its way through the writer thread. */
struct edit {
	struct request *rq;
	struct operator_by by;
	struct ht_fault fault;
	union {
		struct verb_agent agent;
		struct verb_config config;
		struct verb_revoke revoke;
		struct verb_claim claim;
		struct verb_correction correction;
		struct verb_declaration declaration;
		struct token_request token;
		struct import_options import;
	};
	struct import_report report;
	char token_text[TOKEN_LEN + 1];
};

static void edit_init(struct edit *edit, struct request *rq)
{
	*edit = (struct edit){
		.rq = rq,
		.by = { .actor = rq->who.name,
		    .now_ms = rq->now_ms,
		    .effective_ms = VERB_UNSET },
	};
}

/* Tell the server that the registry changed: broker lists, configurations to send. */
static void edit_tell(struct request *rq)
{
	const struct web_options *o = &web_context(rq->web)->options;

	if (o->changed)
		o->changed(o->changed_arg);
}

static void edit_run(
    struct edit *edit, ht_err (*fn)(struct db *db, void *arg), struct reply *re)
{
	ht_err err = writer_call(edit->rq->writer, fn, edit);

	if (err) {
		http_from_err(re, err, &edit->fault);
		return;
	}
	edit_tell(edit->rq);
	re->status = 204;
}

/* Whether the agent is there and in scope, and its agency; else the reply says so. */
static bool edit_agent_of(
    struct request *rq, struct reply *re, char agency[static HT_ID_MAX + 1])
{
	struct db_rows *rows =
	    db_start(rq->db, &web_sql, WEB_SQL_AGENT_AGENCY, "s", rq->args.at[0]);
	bool there = db_next(rows) == HT_OK;

	agency[0] = '\0';
	if (there)
		snprintf(agency, HT_ID_MAX + 1, "%s", db_text(rows, 0));
	db_done(rows);
	if (there && http_sees(rq, agency))
		return true;
	http_not_found(re, "agent", rq->args.at[0]);
	return false;
}

static bool edit_agent(struct request *rq, struct reply *re)
{
	char agency[HT_ID_MAX + 1];

	return edit_agent_of(rq, re, agency);
}

static bool edit_agency(struct request *rq, struct reply *re, const char *agency)
{
	if (http_sees(rq, agency))
		return true;
	http_not_found(re, "agency", agency);
	return false;
}

/* ── agents ── */

static ht_err edit_vantage(struct db *db, void *arg)
{
	struct edit *edit = arg;

	return operator_agent_put(db, &edit->by, &edit->agent, &edit->fault);
}

void agents_put(struct request *rq, struct reply *re)
{
	char agency[HT_ID_MAX + 1];
	struct edit edit;

	if (!edit_agent_of(rq, re, agency))
		return;
	if (http_scope(rq)) {
		http_denied(re,
		    "a vantage speaks for other agencies' links: an account for all "
		    "agencies must say so");
		return;
	}
	edit_init(&edit, rq);
	edit.agent = (struct verb_agent){ rq->args.at[0], agency,
		param_number(&rq->fields, "vantage", 0) != 0 };
	edit_run(&edit, edit_vantage, re);
}

/* ── links ── */

static ht_err edit_link_remove(struct db *db, void *arg)
{
	struct edit *edit = arg;

	return operator_link_remove(db, &edit->by, edit->rq->args.at[0], &edit->fault);
}

void links_remove(struct request *rq, struct reply *re)
{
	struct edit edit;

	if (http_scope(rq)) {
		http_denied(re,
		    "links may be parents of other agencies' links: an account for all "
		    "agencies must remove them");
		return;
	}
	edit_init(&edit, rq);
	edit_run(&edit, edit_link_remove, re);
}

static ht_err edit_approve(struct db *db, void *arg)
{
	struct edit *edit = arg;

	return operator_approve_config(db, &edit->by, &edit->config, &edit->fault);
}

void agents_approve(struct request *rq, struct reply *re)
{
	struct edit edit;

	if (!edit_agent(rq, re))
		return;
	edit_init(&edit, rq);
	edit.config =
	    (struct verb_config){ rq->args.at[0], param_text(&rq->fields, "config") };
	edit_run(&edit, edit_approve, re);
}

static ht_err edit_revoke(struct db *db, void *arg)
{
	struct edit *edit = arg;

	return operator_revoke(db, &edit->by, &edit->revoke, &edit->fault);
}

void agents_revoke(struct request *rq, struct reply *re)
{
	struct edit edit;

	if (!edit_agent(rq, re))
		return;
	edit_init(&edit, rq);
	edit.revoke =
	    (struct verb_revoke){ rq->args.at[0], param_text(&rq->fields, "reason") };
	edit_run(&edit, edit_revoke, re);
}

static ht_err edit_claim(struct db *db, void *arg)
{
	struct edit *edit = arg;

	return clone_decide(
	    db, &edit->by, edit->claim.id, edit->claim.fingerprint, &edit->fault);
}

void agents_claim(struct request *rq, struct reply *re)
{
	struct edit edit;

	if (!edit_agent(rq, re))
		return;
	edit_init(&edit, rq);
	edit.claim =
	    (struct verb_claim){ rq->args.at[0], param_text(&rq->fields, "fingerprint") };
	edit_run(&edit, edit_claim, re);
}

/* ── machines and posture ── */

static ht_err edit_correct(struct db *db, void *arg)
{
	struct edit *edit = arg;

	return operator_machine_correct(db, &edit->by, &edit->correction, &edit->fault);
}

void machines_correct(struct request *rq, struct reply *re)
{
	const char *agency = rq->args.at[0], *machine = rq->args.at[1];
	struct edit edit;

	if (!edit_agency(rq, re, agency))
		return;
	struct db_rows *rows =
	    db_start(rq->db, &web_sql, WEB_SQL_MACHINE_FIND, "ss", agency, machine);
	bool there = db_next(rows) == HT_OK;
	db_done(rows);
	if (!there) {
		http_not_found(re, "machine", machine);
		return;
	}
	edit_init(&edit, rq);
	edit.correction = (struct verb_correction){ agency, machine,
		param_text(&rq->fields, "class"), param_text(&rq->fields, "same_as") };
	edit_run(&edit, edit_correct, re);
}

static ht_err edit_declare(struct db *db, void *arg)
{
	struct edit *edit = arg;

	return operator_declaration_put(db, &edit->by, &edit->declaration, &edit->fault);
}

void posture_declare(struct request *rq, struct reply *re)
{
	struct edit edit;

	if (!edit_agency(rq, re, rq->args.at[0]))
		return;
	edit_init(&edit, rq);
	edit.declaration = (struct verb_declaration){
		.agency = rq->args.at[0],
		.solution = rq->args.at[1],
		.answer = param_text(&rq->fields, "answer"),
		.document = param_text(&rq->fields, "document"),
		.signer = param_text(&rq->fields, "signer"),
		.declared_ms = param_number(&rq->fields, "declared", rq->now_ms),
		.expires_ms = param_number(&rq->fields, "expires", VERB_UNSET),
	};
	edit_run(&edit, edit_declare, re);
}

/* ── agencies by CSV ── */

static ht_err edit_import(struct db *db, void *arg)
{
	struct edit *edit = arg;

	return import_csv(db, &edit->by, &edit->import, edit->rq->body,
	    edit->rq->body_len, &edit->report);
}

void agencies_import(struct request *rq, struct reply *re)
{
	struct edit edit;
	ht_err err;

	if (http_scope(rq)) {
		http_denied(re, "your account is for one agency: an admin of the whole "
				"imports agencies");
		return;
	}
	edit_init(&edit, rq);
	edit.import.dry_run = param_number(&rq->query, "dry_run", 0);
	edit.import.skip_bad = param_number(&rq->query, "skip_bad", 0);
	err = edit.import.dry_run ? edit_import(rq->db, &edit)
				  : writer_call(rq->writer, edit_import, &edit);
	if (err && err != HT_INVALID) {
		http_failed(re, err, "importing agencies");
	} else if (import_report_json(&edit.report, &re->body)) {
		http_failed(re, HT_NOMEM, "reporting the import");
	} else {
		/* Bad rows are an answer, not a problem document: the report names each.
		 */
		re->status = err == HT_INVALID ? 422 : 200;
		if (edit.report.applied)
			edit_tell(rq);
	}
	import_report_fini(&edit.report);
}

/* ── enrolment ── */

void tokens_list(struct request *rq, struct reply *re)
{
	struct page p;
	ht_err err;

	page_begin(&p, rq, re);
	struct db_rows *rows = db_start(rq->db, &web_sql, WEB_SQL_ENROLL_TOKENS, "ssi",
	    page_after(rq), http_scope(rq), p.limit + 1);
	while (!(err = db_next(rows)) && page_item(&p, db_text(rows, 0))) {
		bool used = !db_is_null(rows, 6);

		emit_object(&p.e, NULL);
		emit_text(&p.e, "id", db_text(rows, 0));
		emit_text(&p.e, "agency", db_text(rows, 1));
		emit_text(&p.e, "agent", db_text(rows, 2));
		emit_text(&p.e, "created_by", db_text(rows, 3));
		emit_time(&p.e, "created", db_int(rows, 4));
		emit_time(&p.e, "expires", db_int(rows, 5));
		emit_time(&p.e, "used", used ? db_int(rows, 6) : INT64_MIN);
		emit_text(&p.e, "state",
		    used                            ? "used"
		    : db_int(rows, 5) <= rq->now_ms ? "expired"
						    : "open");
		emit_end_object(&p.e);
	}
	db_done(rows);
	page_end(&p);
	page_finish(&p);
	if (err && err != HT_NOTFOUND)
		http_failed(re, err, "listing tokens");
}

static ht_err edit_token(struct db *db, void *arg)
{
	struct edit *edit = arg;
	const struct enroll_context *enroll = web_context(edit->rq->web)->options.enroll;

	return token_create(db, &edit->by, &edit->token, ca_hash(enroll->ca),
	    edit->token_text, &edit->fault);
}

static bool edit_has_ca(struct request *rq, struct reply *re)
{
	if (web_context(rq->web)->options.enroll)
		return true;
	http_problem(re, 503, "no-ca", "No certificate authority",
	    "this server runs without its certificate authority: start it by "
	    "\"hatang-server run\"");
	return false;
}

void tokens_create(struct request *rq, struct reply *re)
{
	struct edit edit;
	struct emit e;

	if (!edit_has_ca(rq, re) ||
	    !edit_agency(rq, re, param_text(&rq->fields, "agency")))
		return;
	edit_init(&edit, rq);
	edit.token = (struct token_request){ param_text(&rq->fields, "agency"),
		param_text(&rq->fields, "agent"),
		param_number(&rq->fields, "valid_s", 86400) };
	edit_run(&edit, edit_token, re);
	if (re->status != 204)
		return;
	re->status = 201;
	emit_init(&e, &re->body);
	emit_object(&e, NULL);
	emit_text(&e, "token", edit.token_text);
	emit_text_n(&e, "id", edit.token_text, TOKEN_ID_HEX);
	emit_text(&e, "agency", edit.token.agency);
	emit_time(&e, "expires", rq->now_ms + edit.token.ttl_s * 1000);
	emit_end_object(&e);
	sodium_memzero(edit.token_text, sizeof(edit.token_text));
}

struct enrolment {
	struct request *rq;
	struct enroll_answer answer;
};

static ht_err edit_enroll(struct db *db, void *arg)
{
	struct enrolment *n = arg;

	return enroll_handle(db, web_context(n->rq->web)->options.enroll, n->rq->body,
	    n->rq->body_len, n->rq->now_ms, &n->answer);
}

/* Nobody logs in to enrol: the token is the right. Guessing is slowed by address. */
void enroll_post(struct request *rq, struct reply *re)
{
	struct web_context *c = web_context(rq->web);
	struct enrolment n = { .rq = rq };

	if (!edit_has_ca(rq, re))
		return;
	pthread_mutex_lock(&c->throttle_lock);
	int wait_s = throttle_wait_s(&c->throttle, "enroll", rq->peer, rq->now_ms);
	pthread_mutex_unlock(&c->throttle_lock);
	if (wait_s > 0) {
		re->retry_after_s = wait_s;
		http_problem(re, 429, "too-many-enrolments", "Too many failed enrolments",
		    "wait %d seconds, then try again with a valid token", wait_s);
		return;
	}
	ht_err err = writer_call(rq->writer, edit_enroll, &n);
	if (!n.answer.body) {
		http_failed(re, err ? err : HT_NOMEM, "enrolling");
		return;
	}
	if (err) {
		pthread_mutex_lock(&c->throttle_lock);
		throttle_failed(&c->throttle, "enroll", rq->peer, rq->now_ms);
		pthread_mutex_unlock(&c->throttle_lock);
		re->content_type = "application/problem+json";
	} else {
		edit_tell(rq);
	}
	re->status = n.answer.status;
	ht_buf_puts(&re->body, n.answer.body);
	free(n.answer.body);
}

void ca_show(struct request *rq, struct reply *re)
{
	if (!edit_has_ca(rq, re))
		return;
	re->content_type = "application/x-pem-file";
	ht_buf_puts(&re->body, ca_pem(web_context(rq->web)->options.enroll->ca));
}
