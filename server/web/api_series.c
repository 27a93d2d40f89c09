#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/derive/block.h"
#include "server/web/api.h"
#include "server/web/bucket.h"
#include "server/web/sql.h"

#define SERIES_DEFAULT_MS INT64_C(86400000)
#define SERIES_POINTS     300

static bool series_seen(struct request *rq, const char *agent, const char *name)
{
	char agency[HT_ID_MAX + 1] = "", link[HT_INSTANCE_MAX + 1] = "";
	struct ht_name parts;

	if (!http_scope(rq))
		return true;
	struct db_rows *rows =
	    db_start(rq->db, &web_sql, WEB_SQL_AGENT_AGENCY, "s", agent);
	if (db_next(rows) == HT_OK)
		snprintf(agency, sizeof(agency), "%s", db_text(rows, 0));
	db_done(rows);
	if (agency[0] && http_sees(rq, agency))
		return true;
	/* A vantage's series about a link of the account's own agencies. */
	if (ht_name_parse(name, strlen(name), &parts) ||
	    parts.instance_len > HT_INSTANCE_MAX)
		return false;
	memcpy(link, parts.instance, parts.instance_len);
	agency[0] = '\0';
	rows = db_start(rq->db, &web_sql, WEB_SQL_LINK_AGENCY, "s", link);
	if (db_next(rows) == HT_OK)
		snprintf(agency, sizeof(agency), "%s", db_text(rows, 0));
	db_done(rows);
	return agency[0] && http_sees(rq, agency);
}

static ht_err series_fill(
    struct request *rq, int64_t series, int64_t from_ms, int64_t to_ms, struct buckets *b)
{
	ht_err err;
	struct db_rows *rows = db_start(
	    rq->db, &web_sql, WEB_SQL_BLOCKS, "iii", series, block_hour(from_ms), to_ms);

	while (!(err = db_next(rows))) {
		struct block block = { 0 };
		size_t len;
		const void *bytes = db_blob(rows, 5, &len);

		err = block_decode(db_int(rows, 0), bytes, len, &block);
		for (size_t i = 0; !err && i < block.n; i++)
			if (block.points[i].at_ms < to_ms)
				buckets_put(
				    b, block.points[i].at_ms, block_number(&block, i));
		block_fini(&block);
		if (err)
			break;
	}
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static void series_column(struct emit *e, const char *key, const struct buckets *b,
    double (*value)(const struct bucket *k))
{
	emit_list(e, key);
	for (size_t i = 0; i < b->n; i++)
		emit_double(e, NULL, b->at[i].n ? value(&b->at[i]) : NAN);
	emit_end_list(e);
}

static double series_min(const struct bucket *k)
{
	return k->min;
}

static double series_mean(const struct bucket *k)
{
	return k->sum / (double)k->n;
}

static double series_max(const struct bucket *k)
{
	return k->max;
}

static void series_put(struct reply *re, const char *agent, const char *name,
    const char *unit, const struct buckets *b)
{
	struct emit e;
	size_t filled = 0;

	for (size_t i = 0; i < b->n; i++)
		filled += b->at[i].n > 0;
	emit_init(&e, &re->body);
	emit_object(&e, NULL);
	emit_text(&e, "agent", agent);
	emit_text(&e, "name", name);
	emit_text(&e, "unit", unit);
	emit_time(&e, "from", b->from_ms);
	emit_double(&e, "step_s", (double)b->step_ms / 1000);
	emit_double(&e, "coverage", (double)filled / (double)b->n);
	emit_list(&e, "t");
	for (size_t i = 0; i < b->n; i++)
		emit_double(
		    &e, NULL, (double)(b->from_ms + (int64_t)i * b->step_ms) / 1000);
	emit_end_list(&e);
	series_column(&e, "min", b, series_min);
	series_column(&e, "mean", b, series_mean);
	series_column(&e, "max", b, series_max);
	emit_end_object(&e);
}

void series_show(struct request *rq, struct reply *re)
{
	const char *agent = param_text(&rq->query, "agent"),
		   *name = param_text(&rq->query, "name");
	int64_t to_ms = param_number(&rq->query, "to", rq->now_ms);
	int64_t from_ms = param_number(&rq->query, "from", to_ms - SERIES_DEFAULT_MS);
	size_t points = (size_t)param_number(&rq->query, "points", SERIES_POINTS);
	char unit[32] = "";
	int64_t id = 0;
	struct buckets *b = malloc(sizeof(*b));

	if (!b || buckets_init(b, from_ms, to_ms, points)) {
		free(b);
		http_invalid(re, "\"from\" must be before \"to\": give an earlier time");
		return;
	}
	struct db_rows *rows =
	    db_start(rq->db, &web_sql, WEB_SQL_SERIES, "ss", agent, name);
	ht_err err = series_seen(rq, agent, name) ? db_next(rows) : HT_NOTFOUND;
	if (!err) {
		id = db_int(rows, 0);
		snprintf(
		    unit, sizeof(unit), "%s", db_text(rows, 1) ? db_text(rows, 1) : "");
	}
	db_done(rows);
	if (!err)
		err = series_fill(rq, id, from_ms, to_ms, b);
	if (!err)
		series_put(re, agent, name, unit[0] ? unit : NULL, b);
	else if (err == HT_NOTFOUND)
		http_problem(re, 404, "not-found", "Not found",
		    "agent \"%s\" has no numeric series \"%.150s\" that you may see: GET "
		    "/api/v1/latest lists names",
		    agent, name);
	else
		http_failed(re, err, "reading the series");
	free(b);
}
