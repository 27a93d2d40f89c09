/* GET /links/{link}/smoke: percentiles of a link's round trips through time. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hist.h"
#include "server/derive/smoke.h"
#include "server/web/api.h"
#include "server/web/sql.h"
#include "server/web/value.h"

#define DEFAULT_MS INT64_C(86400000)

static const struct {
	const char *key;
	double q;
} quantiles[] = { { "p5", 0.05 }, { "p25", 0.25 }, { "p50", 0.5 }, { "p75", 0.75 },
	{ "p95", 0.95 } };

static void smoke_part(struct emit *e, const struct db_rows *rows)
{
	int64_t sent = db_int(rows, 1), received = db_int(rows, 2);
	const char *text = db_text(rows, 3);
	struct ht_hist h = { 0 };

	emit_object(e, NULL);
	emit_time(e, "at", db_int(rows, 0));
	emit_int(e, "sent", sent);
	emit_int(e, "received", received);
	emit_double(
	    e, "loss", sent > 0 ? fmax(0, 1 - (double)received / (double)sent) : NAN);
	if (ht_hist_decode(text, strlen(text), &h))
		h = (struct ht_hist){ { 0 } };
	for (size_t i = 0; i < HT_COUNT(quantiles); i++) {
		int64_t ns = ht_hist_quantile_ns(&h, quantiles[i].q);

		emit_double(e, quantiles[i].key, ns < 0 ? NAN : (double)ns / 1e9);
	}
	emit_end_object(e);
}

/* Who measured the link in that time, most pings first. "" for nobody. */
static ht_err smoke_agents(struct request *rq, struct emit *e, const char *link,
    int64_t from_ms, int64_t to_ms, char chosen[static HT_ID_MAX + 1])
{
	const char *asked = param_text(&rq->query, "agent");
	struct db_rows *rows =
	    db_start(rq->db, &web_sql, WEB_SQL_SMOKE_AGENTS, "sii", link, from_ms, to_ms);
	ht_err err;

	snprintf(chosen, HT_ID_MAX + 1, "%s", asked ? asked : "");
	emit_list(e, "agents");
	while (!(err = db_next(rows))) {
		emit_text(e, NULL, db_text(rows, 0));
		if (!chosen[0])
			snprintf(chosen, HT_ID_MAX + 1, "%s", db_text(rows, 0));
	}
	emit_end_list(e);
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err smoke_parts(struct request *rq, struct emit *e, const char *link,
    const char *agent, int64_t from_ms, int64_t to_ms)
{
	struct db_rows *rows = db_start(
	    rq->db, &web_sql, WEB_SQL_SMOKE, "ssii", link, agent, from_ms, to_ms);
	ht_err err;

	emit_list(e, "parts");
	while (!(err = db_next(rows)))
		smoke_part(e, rows);
	emit_end_list(e);
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static bool may_see(struct request *rq, const char *link)
{
	struct db_rows *rows =
	    db_start(rq->db, &web_sql, WEB_SQL_BANDWIDTH, "ss", link, http_scope(rq));
	bool may = db_next(rows) == HT_OK;

	db_done(rows);
	return may;
}

void links_smoke(struct request *rq, struct reply *re)
{
	const char *link = rq->args.at[0];
	int64_t to_ms = param_number(&rq->query, "to", rq->now_ms);
	int64_t from_ms = param_number(&rq->query, "from", to_ms - DEFAULT_MS);
	char agent[HT_ID_MAX + 1];
	struct emit e;

	if (from_ms >= to_ms) {
		http_invalid(re, "\"from\" must be before \"to\": give an earlier time");
		return;
	}
	if (!may_see(rq, link)) {
		http_not_found(re, "link", link);
		return;
	}
	emit_init(&e, &re->body);
	emit_object(&e, NULL);
	emit_text(&e, "link", link);
	emit_time(&e, "from", from_ms);
	emit_time(&e, "to", to_ms);
	emit_double(&e, "step_s", (double)SMOKE_PART_MS / 1000);
	ht_err err = smoke_agents(rq, &e, link, from_ms, to_ms, agent);
	emit_text(&e, "agent", agent[0] ? agent : NULL);
	if (!err)
		err = smoke_parts(rq, &e, link, agent, from_ms, to_ms);
	emit_end_object(&e);
	if (err)
		http_failed(re, err, "reading the link's round trips");
}
