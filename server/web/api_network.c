#include <stdio.h>
#include <string.h>

#include "server/web/api.h"
#include "server/web/sql.h"
#include "server/web/value.h"

#define DAY_MS INT64_C(86400000)

static int64_t column_time(const struct db_rows *rows, int column)
{
	return db_is_null(rows, column) ? INT64_MIN : db_int(rows, column);
}

static void column_int(
    struct emit *e, const char *key, const struct db_rows *rows, int column)
{
	emit_int_or_null(e, key, db_is_null(rows, column), db_int(rows, column));
}

/* Columns of WEB_SQL_LINKS. */
enum {
	L_ID,
	L_AGENCY,
	L_ROLE,
	L_KIND,
	L_LINE,
	L_PROVIDER,
	L_CON_DOWN,
	L_CON_UP,
	L_ROUTER,
	L_PARENTS,
	L_JOURNAL,
	L_STATE,
	L_REASON,
	L_SINCE,
	L_MEASURED,
	L_LOSS,
	L_RTT,
	L_NEG_DOWN,
	L_NEG_UP,
	L_USED_DOWN,
	L_USED_UP,
	L_AGENT,
	L_EVIDENCE,
	L_AGENCY_NAME,
	L_WHY,
	L_MEASURED_DOWN,
	L_MEASURED_UP,
	L_P95_DOWN,
	L_P95_UP,
	L_FINDINGS
};

static void link_rate(
    struct emit *e, const char *key, const struct db_rows *rows, int down, int up)
{
	emit_object(e, key);
	emit_double(e, "down", db_double(rows, down));
	emit_double(e, "up", db_double(rows, up));
	emit_text(e, "unit", "bit/s");
	emit_end_object(e);
}

static void link_series(struct emit *e, const struct db_rows *rows)
{
	static const char *const quantities[] = { "rtt_avg", "loss" };
	char name[HT_NAME_MAX];

	emit_object(e, "series");
	for (size_t i = 0; i < HT_COUNT(quantities); i++) {
		snprintf(
		    name, sizeof(name), "icmp/%s/%s", db_text(rows, L_ID), quantities[i]);
		emit_text(e, quantities[i], name);
	}
	emit_end_object(e);
}

/* The fields of one link, inside an object. */
static void link_fields(struct emit *e, const struct db_rows *rows)
{
	static const struct {
		const char *key;
		int column;
	} texts[] = {
		{ "id", L_ID },
		{ "agency", L_AGENCY },
		{ "agency_name", L_AGENCY_NAME },
		{ "role", L_ROLE },
		{ "kind", L_KIND },
		{ "line_type", L_LINE },
		{ "provider", L_PROVIDER },
		{ "router_address", L_ROUTER },
		{ "parents", L_PARENTS },
		{ "agent", L_AGENT },
		{ "why", L_WHY },
	};

	for (size_t i = 0; i < HT_COUNT(texts); i++)
		emit_text(e, texts[i].key, db_text(rows, texts[i].column));
	emit_text(
	    e, "state", db_is_null(rows, L_STATE) ? "UNKNOWN" : db_text(rows, L_STATE));
	emit_text(e, "reason",
	    db_is_null(rows, L_STATE) ? "no agent measures this link: give it a router "
					"address and a vantage, or an agent of its own"
				      : db_text(rows, L_REASON));
	emit_time(e, "since", column_time(rows, L_SINCE));
	emit_time(e, "measured", column_time(rows, L_MEASURED));
	emit_double(e, "loss", db_double(rows, L_LOSS));
	emit_double(e, "rtt_s", db_double(rows, L_RTT));
	link_rate(e, "contracted", rows, L_CON_DOWN, L_CON_UP);
	link_rate(e, "negotiated", rows, L_NEG_DOWN, L_NEG_UP);
	link_rate(e, "used", rows, L_USED_DOWN, L_USED_UP);
	link_rate(e, "throughput", rows, L_MEASURED_DOWN, L_MEASURED_UP);
	link_rate(e, "used_p95", rows, L_P95_DOWN, L_P95_UP);
	if (db_is_null(rows, L_FINDINGS)) {
		emit_list(e, "findings");
		emit_end_list(e);
	} else {
		emit_stored(e, "findings", db_text(rows, L_FINDINGS));
	}
	link_series(e, rows);
	emit_int(e, "registry_evidence", db_int(rows, L_JOURNAL));
	if (db_is_null(rows, L_STATE)) {
		emit_list(e, "evidence");
		emit_end_list(e);
	} else {
		emit_stored(e, "evidence", db_text(rows, L_EVIDENCE));
	}
}

static void link_put(struct emit *e, const struct db_rows *rows)
{
	emit_object(e, NULL);
	link_fields(e, rows);
	emit_end_object(e);
}

/* What is concluded of the link about the WAN; null for a kind that does not count. */
static ht_err link_wan(struct request *rq, struct emit *e, const char *id)
{
	char definition[97];

	value_definition(rq, NULL, definition);
	struct db_rows *rows =
	    db_start(rq->db, &web_sql, WEB_SQL_LINK_WAN, "ss", id, definition);
	ht_err err = db_next(rows);

	if (err)
		emit_null(e, "wan");
	else
		emit_stored(e, "wan", db_text(rows, 0));
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

void links_list(struct request *rq, struct reply *re)
{
	struct page p;
	ht_err err;

	page_begin(&p, rq, re);
	struct db_rows *rows = db_start(rq->db, &web_sql, WEB_SQL_LINKS, "snsssi",
	    page_after(rq), param_text(&rq->query, "agency"),
	    param_text(&rq->query, "state"), http_scope(rq), p.limit + 1);
	while (!(err = db_next(rows)) && page_item(&p, db_text(rows, L_ID)))
		link_put(&p.e, rows);
	db_done(rows);
	page_end(&p);
	page_finish(&p);
	if (err && err != HT_NOTFOUND)
		http_failed(re, err, "listing links");
}

void links_show(struct request *rq, struct reply *re)
{
	const char *id = rq->args.at[0];
	struct emit e;
	struct db_rows *rows = db_start(rq->db, &web_sql, WEB_SQL_LINKS, "ssnnsi", "", id,
	    http_scope(rq), (int64_t)1);
	ht_err err = db_next(rows);

	emit_init(&e, &re->body);
	emit_object(&e, NULL);
	if (!err)
		link_fields(&e, rows);
	db_done(rows);
	if (!err)
		err = link_wan(rq, &e, id);
	emit_end_object(&e);
	if (err == HT_NOTFOUND)
		http_not_found(re, "link", id);
	else if (err)
		http_failed(re, err, "reading the link");
}

/* ── machines ── */

static ht_err machine_classes(
    struct request *rq, struct emit *e, const char *agency, int64_t since_ms)
{
	struct db_rows *rows =
	    db_start(rq->db, &web_sql, WEB_SQL_MACHINE_CLASSES, "si", agency, since_ms);
	ht_err err;

	emit_list(e, "classes");
	while (!(err = db_next(rows))) {
		emit_object(e, NULL);
		emit_text(e, "class", db_text(rows, 0));
		emit_int(e, "machines", db_int(rows, 1));
		emit_int(e, "random_mac", db_int(rows, 2));
		emit_end_object(e);
	}
	emit_end_list(e);
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err machine_coverage(
    struct request *rq, struct emit *e, const char *agency, int64_t since_ms)
{
	struct db_rows *rows =
	    db_start(rq->db, &web_sql, WEB_SQL_LAN_COVERAGE, "si", agency, since_ms);
	ht_err err;

	emit_list(e, "subnets");
	while (!(err = db_next(rows))) {
		emit_object(e, NULL);
		emit_text(e, "subnet", db_text(rows, 0));
		emit_int(e, "targets", db_int(rows, 1));
		emit_int(e, "probed", db_int(rows, 2));
		emit_time(e, "last_hour", db_int(rows, 3));
		emit_int(e, "hours", db_int(rows, 4));
		emit_end_object(e);
	}
	emit_end_list(e);
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err machine_nics(
    struct request *rq, struct emit *e, const char *agency, const char *machine)
{
	struct db_rows *rows =
	    db_start(rq->db, &web_sql, WEB_SQL_MACHINE_NICS, "ss", agency, machine);
	ht_err err;

	emit_list(e, "nics");
	while (!(err = db_next(rows))) {
		emit_object(e, NULL);
		emit_text(e, "mac", db_text(rows, 0));
		emit_text(e, "ipv4", db_text(rows, 1));
		emit_text(e, "seen_by", db_text(rows, 2));
		emit_time(e, "first", db_int(rows, 3));
		emit_time(e, "last", db_int(rows, 4));
		emit_end_object(e);
	}
	emit_end_list(e);
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err machine_put(
    struct request *rq, struct emit *e, const char *agency, const struct db_rows *rows)
{
	emit_object(e, NULL);
	emit_text(e, "id", db_text(rows, 0));
	emit_text(e, "class", db_text(rows, 1));
	emit_double(e, "confidence", db_double(rows, 2));
	emit_bool(e, "random_mac", db_int(rows, 3));
	emit_text(e, "hostname", db_text(rows, 4));
	emit_text(e, "vendor", db_text(rows, 5));
	emit_time(e, "first", db_int(rows, 6));
	emit_time(e, "last", db_int(rows, 7));
	emit_text(e, "why", db_text(rows, 8));
	emit_stored(e, "evidence", db_text(rows, 9));
	if (db_is_null(rows, 12)) {
		emit_null(e, "correction");
	} else {
		emit_object(e, "correction");
		emit_text(e, "class", db_text(rows, 10));
		emit_text(e, "same_as", db_text(rows, 11));
		emit_int(e, "evidence", db_int(rows, 12));
		emit_end_object(e);
	}
	ht_err err = machine_nics(rq, e, agency, db_text(rows, 0));
	emit_end_object(e);
	return err;
}

void machines_list(struct request *rq, struct reply *re)
{
	const char *agency = param_text(&rq->query, "agency");
	int64_t since_ms = rq->now_ms - param_number(&rq->query, "days", 30) * DAY_MS;
	struct page p;
	ht_err err, bad = HT_OK;

	if (!http_sees(rq, agency)) {
		http_not_found(re, "agency", agency);
		return;
	}
	page_begin(&p, rq, re);
	struct db_rows *rows =
	    db_start(rq->db, &web_sql, WEB_SQL_MACHINES, "sssii", agency, page_after(rq),
		param_text(&rq->query, "class"), since_ms, p.limit + 1);
	while (!bad && !(err = db_next(rows)) && page_item(&p, db_text(rows, 0)))
		bad = machine_put(rq, &p.e, agency, rows);
	db_done(rows);
	page_end(&p);
	if (!bad && (!err || err == HT_NOTFOUND))
		bad = machine_classes(rq, &p.e, agency, since_ms);
	if (!bad)
		bad = machine_coverage(rq, &p.e, agency, since_ms);
	page_finish(&p);
	if (bad || (err && err != HT_NOTFOUND))
		http_failed(re, bad ? bad : err, "listing machines");
}

/* ── posture ── */

static ht_err posture_findings(struct request *rq, struct emit *e, const char *agency)
{
	struct db_rows *rows = db_start(rq->db, &web_sql, WEB_SQL_FINDINGS, "s", agency);
	ht_err err;

	emit_list(e, "findings");
	while (!(err = db_next(rows))) {
		emit_object(e, NULL);
		emit_text(e, "agent", db_text(rows, 0));
		emit_text(e, "check", db_text(rows, 1));
		emit_text(e, "answer", db_text(rows, 2));
		emit_text(e, "seen", db_text(rows, 3));
		column_int(e, "count", rows, 4);
		emit_time(e, "at", db_int(rows, 5));
		emit_int(e, "evidence", db_int(rows, 6));
		emit_end_object(e);
	}
	emit_end_list(e);
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err posture_declarations(struct request *rq, struct emit *e, const char *agency)
{
	struct db_rows *rows =
	    db_start(rq->db, &web_sql, WEB_SQL_DECLARATIONS, "s", agency);
	ht_err err;

	emit_list(e, "declarations");
	while (!(err = db_next(rows))) {
		bool expired = !db_is_null(rows, 5) && db_int(rows, 5) <= rq->now_ms;

		emit_object(e, NULL);
		emit_text(e, "solution", db_text(rows, 0));
		emit_text(e, "answer", db_text(rows, 1));
		emit_text(e, "document", db_text(rows, 2));
		emit_text(e, "signer", db_text(rows, 3));
		emit_time(e, "declared", db_int(rows, 4));
		emit_time(e, "expires", column_time(rows, 5));
		emit_bool(e, "expired", expired);
		emit_int(e, "evidence", db_int(rows, 6));
		emit_end_object(e);
	}
	emit_end_list(e);
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

void posture_list(struct request *rq, struct reply *re)
{
	const char *agency = param_text(&rq->query, "agency");
	struct emit e;

	if (!http_sees(rq, agency)) {
		http_not_found(re, "agency", agency);
		return;
	}
	emit_init(&e, &re->body);
	emit_object(&e, NULL);
	emit_text(&e, "agency", agency);
	ht_err err = posture_findings(rq, &e, agency);
	if (!err)
		err = posture_declarations(rq, &e, agency);
	emit_end_object(&e);
	if (err)
		http_failed(re, err, "reading the posture");
}
