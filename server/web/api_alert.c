/* Why somebody was or was not told, and what waits in the outbox. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/option.h"
#include "server/alert/channel.h"
#include "server/alert/outbox.h"
#include "server/alert/sender.h"
#include "server/web/api.h"
#include "server/web/context.h"
#include "server/web/incident.h"
#include "server/web/outage_sql.h"
#include "server/web/value.h"

enum { PROBLEMS_MAX = 50 };

/* What is asked about: an incident, or a link, agent or agency; an outage is its link
 * while it lasted. */
struct explain {
	char subject[ROUTE_ARG_MAX + 1];
	int64_t from_ms, to_ms;
};

static void explain_read(struct request *rq, struct explain *out)
{
	const char *id = rq->args.at[0];
	struct db_rows *rows =
	    db_start(rq->db, &web_outage_sql, OUTAGE_SQL_ONE, "ss", id, http_scope(rq));

	*out = (struct explain){ .from_ms = INT64_MIN, .to_ms = INT64_MAX };
	snprintf(out->subject, sizeof(out->subject), "%s", id);
	if (db_next(rows) == HT_OK) {
		snprintf(out->subject, sizeof(out->subject), "%s", db_text(rows, 1));
		out->from_ms = db_int(rows, 7);
		if (!db_is_null(rows, 9))
			out->to_ms = db_int(rows, 9);
	}
	db_done(rows);
}

static ht_err explain_decisions(struct request *rq, struct emit *e, const char *problem)
{
	struct db_rows *rows =
	    db_start(rq->db, &web_outage_sql, EXPLAIN_SQL_DECISIONS, "s", problem);
	ht_err err;

	emit_list(e, "decisions");
	while (!(err = db_next(rows))) {
		emit_object(e, NULL);
		emit_time(e, "at", db_int(rows, 0));
		emit_text(e, "decision", db_text(rows, 1));
		emit_text(e, "reason", db_text(rows, 2));
		emit_text(e, "incident", db_text(rows, 3));
		emit_end_object(e);
	}
	emit_end_list(e);
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err explain_problem(
    struct request *rq, struct emit *e, const struct db_rows *rows)
{
	static const char *const keys[] = { "id", "kind", "subject", "agency" };

	emit_object(e, NULL);
	for (size_t i = 0; i < HT_COUNT(keys); i++)
		emit_text(e, keys[i], db_text(rows, (int)i));
	emit_time(e, "opened", db_int(rows, 4));
	emit_time(e, "closed", value_time(rows, 5));
	emit_text(e, "reason", db_text(rows, 6));
	emit_text(e, "incident", db_text(rows, 7));
	ht_err err = explain_decisions(rq, e, db_text(rows, 0));
	emit_end_object(e);
	return err;
}

/* Newest first; *out_n: how many. */
static ht_err explain_problems(
    struct request *rq, struct emit *e, const struct explain *x, int *out_n)
{
	struct db_rows *rows =
	    db_start(rq->db, &web_outage_sql, EXPLAIN_SQL_PROBLEMS, "siisi", x->subject,
		x->to_ms, x->from_ms, http_scope(rq), (int64_t)PROBLEMS_MAX);
	ht_err err, bad = HT_OK;

	*out_n = 0;
	emit_list(e, "problems");
	while (!bad && !(err = db_next(rows))) {
		bad = explain_problem(rq, e, rows);
		(*out_n)++;
	}
	emit_end_list(e);
	db_done(rows);
	return bad ? bad : err == HT_NOTFOUND ? HT_OK : err;
}

void alerts_explain(struct request *rq, struct reply *re)
{
	struct explain x;
	struct emit e;
	bool incident;
	int n = 0;

	explain_read(rq, &x);
	emit_init(&e, &re->body);
	emit_object(&e, NULL);
	emit_text(&e, "id", rq->args.at[0]);
	emit_text(&e, "about", x.subject);
	ht_err err = incident_explain(rq, &e, "incident", rq->args.at[0], &incident);
	if (!err)
		err = explain_problems(rq, &e, &x, &n);
	emit_end_object(&e);
	if (err)
		http_failed(re, err, "explaining");
	else if (n == 0 && !incident)
		http_problem(re, 404, "not-found", "Nothing to explain",
		    "nothing was ever wrong with \"%s\" that you may see: name an "
		    "incident, "
		    "an outage, a link, an agent or an agency",
		    rq->args.at[0]);
}

/* The outbox as it is: for who sees everything. */
void messages_list(struct request *rq, struct reply *re)
{
	static const struct {
		const char *key;
		int column;
	} texts[] = { { "key", 1 }, { "incident", 2 }, { "channel", 3 }, { "kind", 4 },
		{ "state", 5 }, { "last_error", 10 } };
	int64_t before = INT64_MAX;
	char cursor[24];
	struct page p;
	ht_err err;

	if (http_scope(rq)) {
		http_denied(re,
		    "messages name agencies outside your scope: an account for "
		    "all agencies may list them");
		return;
	}
	if (page_after(rq)[0] && ht_int_parse(page_after(rq), &before)) {
		http_invalid(
		    re, "\"after\" is no cursor of this list: take it from \"next\"");
		return;
	}
	page_begin(&p, rq, re);
	struct db_rows *rows = db_start(rq->db, &web_outage_sql, MESSAGE_SQL_LIST,
	    "issssi", before, param_text(&rq->query, "key"),
	    param_text(&rq->query, "channel"), param_text(&rq->query, "state"),
	    param_text(&rq->query, "incident"), p.limit + 1);
	while (!(err = db_next(rows))) {
		snprintf(cursor, sizeof(cursor), "%lld", (long long)db_int(rows, 0));
		if (!page_item(&p, cursor))
			break;
		emit_object(&p.e, NULL);
		for (size_t i = 0; i < HT_COUNT(texts); i++)
			emit_text(&p.e, texts[i].key, db_text(rows, texts[i].column));
		emit_time(&p.e, "created", db_int(rows, 6));
		emit_time(&p.e, "due", db_int(rows, 7));
		emit_int(&p.e, "attempts", db_int(rows, 8));
		emit_time(&p.e, "sent", value_time(rows, 9));
		emit_end_object(&p.e);
	}
	db_done(rows);
	page_end(&p);
	page_finish(&p);
	if (err && err != HT_NOTFOUND)
		http_failed(re, err, "listing messages");
}

struct test_put {
	const char *channels[CHANNELS_MAX];
	char keys[CHANNELS_MAX][OUTBOX_KEY_MAX];
	size_t n;
	int64_t now_ms;
};

static ht_err test_put_fn(struct db *db, void *arg)
{
	struct test_put *t = arg;
	ht_err err = HT_OK;

	for (size_t i = 0; i < t->n && !err; i++)
		err = outbox_put_test(
		    db, t->channels[i], t->now_ms, randombytes_random(), t->keys[i]);
	return err;
}

static void tests_emit(struct reply *re, const struct test_put *t)
{
	struct emit e;

	emit_init(&e, &re->body);
	emit_object(&e, NULL);
	emit_list(&e, "messages");
	for (size_t i = 0; i < t->n; i++) {
		emit_object(&e, NULL);
		emit_text(&e, "channel", t->channels[i]);
		emit_text(&e, "key", t->keys[i]);
		emit_end_object(&e);
	}
	emit_end_list(&e);
	emit_end_object(&e);
}

/* A message by one channel or by each; what becomes of it stands in the outbox. */
void alerts_test(struct request *rq, struct reply *re)
{
	struct sender *sender = web_context(rq->web)->options.sender;
	const struct channels *channels = sender ? sender_channels(sender) : NULL;
	const char *name = param_text(&rq->fields, "channel");
	struct test_put t = { .now_ms = ht_wall_ms() };

	for (size_t i = 0; channels && i < channels->n; i++) {
		if (!name || strcmp(name, channels->at[i].id) == 0)
			t.channels[t.n++] = channels->at[i].id;
	}
	if (http_scope(rq)) {
		http_denied(re, "channels tell people of all agencies: an account for "
				"all agencies may test them");
	} else if (t.n == 0) {
		http_problem(re, 404, "not-found", "No such channel",
		    "the channels file (alerts.channels in server.yaml) has %s%s%s",
		    name ? "no channel `" : "none", name ? name : "", name ? "`" : "");
	} else {
		ht_err err = writer_call(rq->writer, test_put_fn, &t);
		if (err)
			http_from_err(re, err, NULL);
		else
			tests_emit(re, &t);
	}
	channels_release(channels);
}
