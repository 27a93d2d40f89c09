/* GET /links/{link}/bandwidth: the four figures side by side, a month day by day, and the
 * months before. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "server/derive/availability.h"
#include "server/derive/bandwidth.h"
#include "server/web/api.h"
#include "server/web/sql.h"
#include "server/web/value.h"

#define DAY_MS INT64_C(86400000)

static double share(int64_t part, int64_t whole)
{
	return whole > 0 ? (double)part / (double)whole : NAN;
}

static void way_put(struct emit *e, const char *key, const struct usage_way *w)
{
	emit_object(e, key);
	emit_double(e, "p95", w->p95);
	emit_double(e, "mean", w->mean);
	emit_double(e, "peak", w->peak);
	emit_double(e, "office_p95", w->office_p95);
	emit_double(e, "office_mean", w->office_mean);
	emit_double(e, "busy_hour_mean", w->busy);
	emit_int_or_null(e, "busy_hour", w->busy_hour < 0, w->busy_hour);
	emit_end_object(e);
}

static void figures_put(struct emit *e, const struct usage_figures *f)
{
	emit_time(e, "from", f->from_ms);
	emit_time(e, "to", f->to_ms);
	emit_int(e, "declared", f->declared);
	emit_int(e, "observed", f->observed);
	emit_double(e, "coverage", share(f->observed, f->declared));
	emit_double(e, "office_coverage", share(f->office_observed, f->office_declared));
	way_put(e, "down", &f->down);
	way_put(e, "up", &f->up);
}

/* ── days ── */

static ht_err day_put(
    struct request *rq, struct emit *e, const char *link, int64_t from_ms, int64_t to_ms)
{
	struct usage_figures f;
	struct calendar_day day;
	ht_err err = bandwidth_figures(rq->db, link, from_ms, to_ms, &f);

	if (err)
		return err;
	calendar_day_of(bandwidth_calendar(), from_ms, &day);
	emit_object(e, NULL);
	emit_text(e, "kind", calendar_kind_name(day.kind));
	emit_bool(e, "works", day.works);
	emit_bool(e, "provisional", day.provisional);
	emit_text(e, "name_vi", day.vi);
	emit_text(e, "name_en", day.en);
	figures_put(e, &f);
	emit_end_object(e);
	return HT_OK;
}

static ht_err days_put(
    struct request *rq, struct emit *e, const char *link, int64_t from_ms, int64_t to_ms)
{
	ht_err err = HT_OK;

	emit_list(e, "days");
	for (int64_t at = from_ms; at < to_ms && at < rq->now_ms && !err; at += DAY_MS)
		err = day_put(rq, e, link, at, at + DAY_MS);
	emit_end_list(e);
	return err;
}

/* ── months ── */

static void month_name(struct emit *e, int64_t from_ms)
{
	char month[8];

	availability_month_of(
	    from_ms, (int)(calendar_offset_ms(bandwidth_calendar()) / 60000), month);
	emit_text(e, "month", month);
}

static struct usage_way way_of(const struct db_rows *rows, int column)
{
	return (struct usage_way){ .p95 = db_double(rows, column),
		.mean = db_double(rows, column + 1),
		.peak = db_double(rows, column + 2),
		.office_p95 = db_double(rows, column + 3),
		.office_mean = db_double(rows, column + 4),
		.busy = db_double(rows, column + 5),
		.busy_hour =
		    db_is_null(rows, column + 6) ? -1 : (int)db_int(rows, column + 6) };
}

/* Those that are closed; *out_next_ms: where the open ones begin, INT64_MIN when none is
 * closed. */
static ht_err months_closed(
    struct request *rq, struct emit *e, const char *link, int64_t *out_next_ms)
{
	struct db_rows *rows =
	    db_start(rq->db, &web_sql, WEB_SQL_BANDWIDTH_MONTHS, "s", link);
	ht_err err;

	*out_next_ms = INT64_MIN;
	while (!(err = db_next(rows))) {
		struct usage_figures f = { .from_ms = db_int(rows, 0),
			.to_ms = db_int(rows, 1),
			.declared = db_int(rows, 2),
			.observed = db_int(rows, 3),
			.office_declared = db_int(rows, 4),
			.office_observed = db_int(rows, 5),
			.down = way_of(rows, 6),
			.up = way_of(rows, 13) };

		*out_next_ms = f.to_ms;
		emit_object(e, NULL);
		month_name(e, f.from_ms);
		figures_put(e, &f);
		emit_end_object(e);
	}
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err months_open(
    struct request *rq, struct emit *e, const char *link, int64_t next_ms)
{
	int64_t first_ms = INT64_MIN, from_ms, to_ms;
	struct db_rows *rows =
	    db_start(rq->db, &web_sql, WEB_SQL_BANDWIDTH_FIRST, "s", link);
	ht_err err = db_next(rows);

	if (!err && !db_is_null(rows, 0))
		first_ms = db_int(rows, 0);
	db_done(rows);
	if (first_ms == INT64_MIN)
		return err == HT_NOTFOUND ? HT_OK : err;
	calendar_month_of(bandwidth_calendar(), first_ms > next_ms ? first_ms : next_ms,
	    &from_ms, &to_ms);
	while (!err && from_ms < rq->now_ms) {
		struct usage_figures f;

		err = bandwidth_figures(
		    rq->db, link, from_ms, to_ms < rq->now_ms ? to_ms : rq->now_ms, &f);
		if (err)
			break;
		emit_object(e, NULL);
		month_name(e, from_ms);
		figures_put(e, &f);
		emit_end_object(e);
		calendar_month_of(bandwidth_calendar(), to_ms, &from_ms, &to_ms);
	}
	return err;
}

static ht_err months_put(struct request *rq, struct emit *e, const char *link)
{
	int64_t next_ms;
	ht_err err;

	emit_list(e, "months");
	err = months_closed(rq, e, link, &next_ms);
	if (!err)
		err = months_open(rq, e, link, next_ms);
	emit_end_list(e);
	return err;
}

/* ── the reply ── */

static bool month_asked(
    struct request *rq, struct reply *re, char month[static 8], int64_t range[static 2])
{
	const char *asked = param_text(&rq->query, "month");
	int offset_min = (int)(calendar_offset_ms(bandwidth_calendar()) / 60000);

	availability_month_of(rq->now_ms, offset_min, month);
	if (asked)
		snprintf(month, 8, "%s", asked);
	if (!availability_month(month, offset_min, &range[0], &range[1]))
		return true;
	http_invalid(re, "parameter \"month\" must be a month such as 2026-11");
	return false;
}

static ht_err all_put(struct request *rq, struct emit *e, const char *id,
    const char *month, const int64_t range[static 2])
{
	struct db_rows *rows =
	    db_start(rq->db, &web_sql, WEB_SQL_BANDWIDTH, "ss", id, http_scope(rq));
	ht_err err = db_next(rows);

	if (err) {
		db_done(rows);
		return err;
	}
	emit_object(e, NULL);
	emit_text(e, "link", id);
	emit_text(e, "agency", db_text(rows, 0));
	if (db_is_null(rows, 1))
		emit_null(e, "figures"); /* the fold has not come to it yet */
	else
		emit_stored(e, "figures", db_text(rows, 1));
	db_done(rows);
	emit_text(e, "month", month);
	err = days_put(rq, e, id, range[0], range[1]);
	if (!err)
		err = months_put(rq, e, id);
	emit_end_object(e);
	return err;
}

void links_bandwidth(struct request *rq, struct reply *re)
{
	const char *id = rq->args.at[0];
	int64_t range[2];
	char month[8];
	struct emit e;

	if (!bandwidth_calendar()) {
		http_failed(re, HT_CONFIG, "reading the calendar");
		return;
	}
	if (!month_asked(rq, re, month, range))
		return;
	emit_init(&e, &re->body);
	ht_err err = all_put(rq, &e, id, month, range);
	if (err == HT_NOTFOUND)
		http_not_found(re, "link", id);
	else if (err)
		http_failed(re, err, "reading the link's bandwidth");
}
