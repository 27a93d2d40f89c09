/* Alert rules: those in force, and scenarios that try rules. A replay never sends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/alert/channel.h"
#include "server/alert/replay.h"
#include "server/alert/rules.h"
#include "server/alert/sender.h"
#include "server/store/writer.h"
#include "server/web/api.h"
#include "server/web/context.h"

/* ── in force ── */

static void names_put(struct emit *e, const char *key, const struct ht_strings *names)
{
	emit_list(e, key);
	for (size_t i = 0; i < names->n; i++)
		emit_text(e, NULL, names->at[i]);
	emit_end_list(e);
}

static void rule_put(struct emit *e, const struct rules_rule *r)
{
	emit_object(e, NULL);
	emit_text(e, "id", r->id);
	names_put(e, "kinds", &r->kinds);
	emit_text(e, "severity", rules_severity_name(r->severity));
	emit_double(e, "hold_s", (double)r->hold_ns / 1e9);
	emit_text(e, "hours", r->hours_id);
	names_put(e, "route", &r->route_names);
	emit_list(e, "escalate_s");
	for (size_t i = 0; i < r->steps.n; i++)
		emit_double(e, NULL,
		    (double)((const struct rules_step *)r->steps.at)[i].after_ns / 1e9);
	emit_end_list(e);
	emit_double(e, "repeat_s", (double)r->repeat_ns / 1e9);
	emit_end_object(e);
}

/* On the writer thread, which alone swaps them. */
static ht_err rules_put(struct db *db, void *arg)
{
	struct emit *e = arg;
	const struct rules *rules = rules_in_force();

	(void)db;
	emit_object(e, NULL);
	emit_text(e, "file", rules ? rules->file : NULL);
	emit_text(e, "hash", rules ? rules->hash : NULL);
	emit_list(e, "rules");
	for (size_t i = 0; rules && i < rules->rules.n; i++)
		rule_put(e, &((const struct rules_rule *)rules->rules.at)[i]);
	emit_end_list(e);
	emit_end_object(e);
	return HT_OK;
}

void rules_show(struct request *rq, struct reply *re)
{
	struct emit e;

	emit_init(&e, &re->body);
	ht_err err = writer_call(rq->writer, rules_put, &e);
	if (err)
		http_failed(re, err, "reading the rules");
}

/* ── replay ── */

struct replay {
	struct ht_buf report;
	struct ht_fault fault;
	bool passed;
};

static void replay_put(struct reply *re, struct replay *r)
{
	struct emit e;

	emit_init(&e, &re->body);
	emit_object(&e, NULL);
	emit_text_n(&e, "report", ht_buf_text(&r->report), r->report.len);
	emit_bool(&e, "passed", r->passed);
	emit_end_object(&e);
}

static const char *replay_shipped(struct request *rq, char out[static 4096])
{
	const char *share = web_context(rq->web)->options.share_dir;

	snprintf(out, 4096, "%s/%s", share ? share : "", RULES_SHIPPED);
	return share ? out : NULL;
}

static ht_err replay_script(struct request *rq, const char *text, struct replay *r)
{
	char shipped[4096];

	return replay_scenario("scenario", text, strlen(text),
	    replay_shipped(rq, shipped), &r->report, &r->passed, &r->fault);
}

/* ── replay of the stored history ── */

/* On the writer thread: the file of the rules in force; the caller frees. */
static ht_err file_in_force(struct db *db, void *arg)
{
	const struct rules *rules = rules_in_force();
	char **out = arg;

	(void)db;
	*out = rules ? strdup(rules->file) : NULL;
	return !rules ? HT_NOTFOUND : *out ? HT_OK : HT_NOMEM;
}

/* The rules of the request, else those in force, held against the channels there are. */
static ht_err history_rules(struct request *rq, const struct channels *channels,
    struct rules **out, struct ht_fault *fault)
{
	const char *text = param_text(&rq->fields, "rules"),
		   *file = param_text(&rq->fields, "file");
	char *in_force = NULL;
	ht_err err;

	if (text)
		return rules_read(
		    file ? file : "rules", text, strlen(text), channels, out, fault);
	err = writer_call(rq->writer, file_in_force, &in_force);
	if (err == HT_NOTFOUND)
		(void)ht_fault_set(
		    fault, err, "no rules are in force: send some as \"rules\"");
	if (!err)
		err = rules_open(in_force, channels, out, fault);
	free(in_force);
	return err;
}

static void told_put(void *arg, const struct replay_told *m)
{
	struct emit *e = arg;

	emit_object(e, NULL);
	emit_time(e, "at", m->at_ms);
	emit_text(e, "channel", m->channel);
	emit_text(e, "kind", m->kind);
	emit_text(e, "subject", m->subject);
	emit_int_or_null(e, "n_affected", m->n_affected < 0, m->n_affected);
	emit_text(e, "title", m->title);
	emit_end_object(e);
}

static ht_err history_put(struct request *rq, struct reply *re,
    const struct channels *channels, const struct rules *rules, struct ht_fault *fault)
{
	struct emit e;

	emit_init(&e, &re->body);
	emit_object(&e, NULL);
	emit_text(&e, "rules", rules->file);
	emit_uint(&e, "channels", channels->n);
	emit_list(&e, "messages");
	ht_err err = replay_history(rq->db, rules, param_number(&rq->fields, "from", 0),
	    param_number(&rq->fields, "to", rq->now_ms), told_put, &e, fault);
	emit_end_list(&e);
	emit_end_object(&e);
	return err;
}

static void replay_stored(struct request *rq, struct reply *re)
{
	struct sender *sender = web_context(rq->web)->options.sender;
	const struct channels *channels =
	    sender ? sender_channels(sender) : channels_none();
	struct ht_fault fault = { 0 };
	struct rules *rules = NULL;
	ht_err err = channels ? history_rules(rq, channels, &rules, &fault) : HT_NOMEM;

	if (!err)
		err = history_put(rq, re, channels, rules, &fault);
	if (err)
		http_from_err(re, err, &fault);
	rules_free(rules);
	channels_release(channels);
}

static void replay_scripted(struct request *rq, struct reply *re)
{
	const char *scenario = param_text(&rq->fields, "scenario");
	struct replay r = { 0 };

	ht_buf_init(&r.report, REPLAY_REPORT_MAX);
	ht_err err = replay_script(rq, scenario, &r);
	if (err)
		http_from_err(re, err, &r.fault);
	else
		replay_put(re, &r);
	ht_buf_fini(&r.report);
}

void alerts_replay(struct request *rq, struct reply *re)
{
	bool scripted = param_given(&rq->fields, "scenario");

	if (scripted == param_given(&rq->fields, "from"))
		http_invalid(re, "give either \"scenario\", or \"from\" for the history");
	else if (scripted)
		replay_scripted(rq, re);
	else if (http_scope(rq))
		http_denied(re,
		    "the history names agencies outside your scope: an account for all "
		    "agencies may replay it");
	else
		replay_stored(rq, re);
}
