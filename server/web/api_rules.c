/* Alert rules: those in force, and scenarios that try rules. A replay never sends. */
#include <stdio.h>
#include <string.h>

#include "server/alert/replay.h"
#include "server/alert/rules.h"
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

void alerts_replay(struct request *rq, struct reply *re)
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
