#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/option.h"
#include "server/web/api.h"
#include "server/web/sql.h"
#include "server/web/value.h"

/* Columns of WEB_SQL_AGENTS. */
enum {
	G_ID,
	G_AGENCY,
	G_VANTAGE,
	G_ENROLLED,
	G_FINGERPRINT,
	G_REVOKED,
	G_APPROVED_HASH,
	G_APPROVED,
	G_STATE,
	G_SESSION,
	G_BOOT,
	G_SEEN_FINGERPRINT,
	G_VERSION,
	G_CLOCK,
	G_CONFIG_HASH,
	G_SINCE,
	G_LAST,
	G_AGENCY_NAME,
	G_GAPS,
	G_GAP_PACKS,
	G_ASIDE,
	G_QUEUED,
	G_CERT_UNTIL,
	G_OS,
	G_TARGETS,
	G_TARGETS_HASH,
	G_TARGETS_RUNNING,
	G_TARGETS_REFUSED,
	G_TARGETS_REFUSED_AT
};

static int64_t column_time(const struct db_rows *rows, int column)
{
	return db_is_null(rows, column) ? INT64_MIN : db_int(rows, column);
}

/* What the agent proposes and nobody approved yet. */
static ht_err agent_proposal(
    struct request *rq, struct emit *e, const struct db_rows *agent, bool full)
{
	const char *approved = db_text(agent, G_APPROVED);
	struct db_rows *rows = db_start(
	    rq->db, &web_sql, WEB_SQL_AGENT_PROPOSALS, "s", db_text(agent, G_ID));
	ht_err err = db_next(rows);
	const char *text = err ? NULL : db_text(rows, 0);

	if (!text || !text[0] || (approved && strcmp(approved, text) == 0)) {
		emit_null(e, "proposal");
	} else {
		emit_object(e, "proposal");
		emit_time(e, "at", db_int(rows, 1));
		emit_int(e, "evidence", db_int(rows, 2));
		emit_bool(e, "first", !approved);
		if (full)
			emit_text(e, "config", text);
		emit_end_object(e);
	}
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* Why the agent does not take what was approved, as it said itself. */
static ht_err agent_refusal(struct request *rq, struct emit *e, const char *id,
    const char *approved, bool in_force)
{
	struct db_rows *rows;

	if (!approved || in_force) {
		emit_null(e, "config_refused");
		return HT_OK;
	}
	rows = db_start(rq->db, &web_sql, WEB_SQL_AGENT_REFUSAL, "ss", id, approved);
	ht_err err = db_next(rows);
	if (err) {
		emit_null(e, "config_refused");
	} else {
		emit_object(e, "config_refused");
		emit_text(e, "error", db_text(rows, 0));
		emit_time(e, "at", db_int(rows, 1));
		emit_int(e, "evidence", db_int(rows, 2));
		emit_end_object(e);
	}
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static void agent_presence(struct emit *e, const struct db_rows *rows)
{
	if (db_is_null(rows, G_STATE)) {
		emit_null(e, "presence");
		return;
	}
	emit_object(e, "presence");
	emit_text(e, "state", db_text(rows, G_STATE));
	emit_time(e, "since", db_int(rows, G_SINCE));
	emit_time(e, "last", db_int(rows, G_LAST));
	emit_text(e, "session", db_text(rows, G_SESSION));
	emit_text(e, "boot", db_text(rows, G_BOOT));
	emit_text(e, "fingerprint", db_text(rows, G_SEEN_FINGERPRINT));
	emit_text(e, "version", db_text(rows, G_VERSION));
	emit_text(e, "clock", db_text(rows, G_CLOCK));
	emit_text(e, "config_hash", db_text(rows, G_CONFIG_HASH));
	emit_end_object(e);
}

/* What it is told to ping, and whether it does. */
static void agent_targets(struct emit *e, const struct db_rows *rows)
{
	const char *hash = db_text(rows, G_TARGETS_HASH),
		   *refused = db_text(rows, G_TARGETS_REFUSED);

	if (!hash) {
		emit_null(e, "targets");
		return;
	}
	bool in_force = strcmp(hash, db_text(rows, G_TARGETS_RUNNING)) == 0;
	emit_object(e, "targets");
	emit_int(e, "count", db_int(rows, G_TARGETS));
	emit_text(e, "hash", hash);
	emit_text(e, "state", in_force ? "in-force" : refused ? "refused" : "waiting");
	emit_text(e, "refused", in_force ? NULL : refused);
	emit_time(e, "refused_at",
	    in_force ? INT64_MIN : column_time(rows, G_TARGETS_REFUSED_AT));
	emit_end_object(e);
}

static ht_err agent_put(
    struct request *rq, struct emit *e, const struct db_rows *rows, bool full)
{
	const char *approved = db_text(rows, G_APPROVED_HASH),
		   *running = db_text(rows, G_CONFIG_HASH);

	emit_object(e, NULL);
	emit_text(e, "id", db_text(rows, G_ID));
	emit_text(e, "agency", db_text(rows, G_AGENCY));
	emit_text(e, "agency_name", db_text(rows, G_AGENCY_NAME));
	emit_bool(e, "vantage", db_int(rows, G_VANTAGE));
	emit_time(e, "enrolled", column_time(rows, G_ENROLLED));
	emit_time(e, "revoked", column_time(rows, G_REVOKED));
	emit_time(e, "certificate_until", column_time(rows, G_CERT_UNTIL));
	emit_text(e, "fingerprint", db_text(rows, G_FINGERPRINT));
	emit_text(e, "os", db_text(rows, G_OS));
	emit_text(e, "approved_hash", approved);
	bool in_force = approved && running && strcmp(approved, running) == 0;
	emit_bool(e, "config_in_force", in_force);
	ht_err refused = agent_refusal(rq, e, db_text(rows, G_ID), approved, in_force);
	if (full)
		emit_text(e, "approved_config", db_text(rows, G_APPROVED));
	agent_presence(e, rows);
	agent_targets(e, rows);
	emit_object(e, "gaps");
	emit_int(e, "ranges", db_int(rows, G_GAPS));
	emit_int(e, "packs", db_int(rows, G_GAP_PACKS));
	emit_end_object(e);
	emit_int(e, "aside", db_int(rows, G_ASIDE));
	emit_double(e, "queued", db_double(rows, G_QUEUED));
	ht_err err = agent_proposal(rq, e, rows, full);
	emit_end_object(e);
	return err ? err : refused;
}

void agents_list(struct request *rq, struct reply *re)
{
	struct page p;
	ht_err err, bad = HT_OK;

	page_begin(&p, rq, re);
	struct db_rows *rows =
	    db_start(rq->db, &web_sql, WEB_SQL_AGENTS, "snssi", page_after(rq),
		param_text(&rq->query, "agency"), http_scope(rq), p.limit + 1);
	while (!bad && !(err = db_next(rows)) && page_item(&p, db_text(rows, G_ID)))
		bad = agent_put(rq, &p.e, rows, false);
	db_done(rows);
	page_end(&p);
	page_finish(&p);
	if (bad || (err && err != HT_NOTFOUND))
		http_failed(re, bad ? bad : err, "listing agents");
}

void agents_show(struct request *rq, struct reply *re)
{
	const char *id = rq->args.at[0];
	struct emit e;
	struct db_rows *rows = db_start(rq->db, &web_sql, WEB_SQL_AGENTS, "ssnsi", "", id,
	    http_scope(rq), (int64_t)1);
	ht_err err = db_next(rows);
	bool found = !err;

	emit_init(&e, &re->body);
	if (found)
		err = agent_put(rq, &e, rows, true);
	db_done(rows);
	if (!found && err == HT_NOTFOUND)
		http_not_found(re, "agent", id);
	else if (err)
		http_failed(re, err, "reading the agent");
}

void clones_list(struct request *rq, struct reply *re)
{
	struct page p;
	ht_err err;

	page_begin(&p, rq, re);
	struct db_rows *rows = db_start(rq->db, &web_sql, WEB_SQL_CLONES, "ssi",
	    param_text(&rq->query, "agent"), http_scope(rq), p.limit);
	while (!(err = db_next(rows)) && page_item(&p, "")) {
		emit_object(&p.e, NULL);
		emit_text(&p.e, "agent", db_text(rows, 0));
		emit_text(&p.e, "fingerprint", db_text(rows, 1));
		emit_text(&p.e, "reason", db_text(rows, 2));
		emit_int(&p.e, "packs", db_int(rows, 3));
		emit_time(&p.e, "first", db_int(rows, 4));
		emit_time(&p.e, "last", db_int(rows, 5));
		emit_text(&p.e, "agency", db_text(rows, 6));
		emit_text(&p.e, "owner_fingerprint", db_text(rows, 7));
		emit_end_object(&p.e);
	}
	db_done(rows);
	page_end(&p);
	page_finish(&p);
	if (err && err != HT_NOTFOUND)
		http_failed(re, err, "listing clones");
}

/* ── latest ── */

static void latest_value(struct emit *e, const struct db_rows *rows)
{
	const char *kind = db_text(rows, 1);

	if (strcmp(kind, "number") == 0)
		emit_double(e, "value", db_double(rows, 2));
	else if (strcmp(kind, "counter") == 0)
		emit_text(e, "value", db_text(rows, 3)); /* text: exact to 2^64-1 */
	else if (strcmp(kind, "string") == 0)
		emit_text(e, "value", db_text(rows, 4));
	else
		emit_bool(e, "value", db_int(rows, 5));
}

static bool agent_seen(struct request *rq, const char *agent)
{
	char agency[HT_ID_MAX + 1] = "";

	if (!http_scope(rq))
		return true;
	struct db_rows *rows =
	    db_start(rq->db, &web_sql, WEB_SQL_AGENT_AGENCY, "s", agent);
	if (db_next(rows) == HT_OK)
		snprintf(agency, sizeof(agency), "%s", db_text(rows, 0));
	db_done(rows);
	return agency[0] && http_sees(rq, agency);
}

void latest_list(struct request *rq, struct reply *re)
{
	const char *agent = param_text(&rq->query, "agent");
	struct page p;
	ht_err err;

	if (!agent_seen(rq, agent)) {
		http_not_found(re, "agent", agent);
		return;
	}
	page_begin(&p, rq, re);
	struct db_rows *rows = db_start(rq->db, &web_sql, WEB_SQL_LATEST, "sssi", agent,
	    page_after(rq), param_text(&rq->query, "prefix"), p.limit + 1);
	while (!(err = db_next(rows)) && page_item(&p, db_text(rows, 0))) {
		emit_object(&p.e, NULL);
		emit_text(&p.e, "name", db_text(rows, 0));
		emit_text(&p.e, "kind", db_text(rows, 1));
		latest_value(&p.e, rows);
		emit_text(&p.e, "unit", db_text(rows, 6));
		emit_time(&p.e, "at", db_int(rows, 7));
		emit_double(&p.e, "uncertainty_s", (double)db_int(rows, 8) / 1000);
		emit_bool(&p.e, "rebased", db_int(rows, 9));
		emit_int(&p.e, "evidence", db_int(rows, 10));
		emit_end_object(&p.e);
	}
	db_done(rows);
	page_end(&p);
	page_finish(&p);
	if (err && err != HT_NOTFOUND)
		http_failed(re, err, "reading the latest values");
}

/* ── gaps and garbage ── */

/* A gap's cursor: "<agent>,<epoch>,<first_seq>". */
struct gap_cursor {
	char text[192];
	const char *agent, *epoch;
	int64_t first_seq;
};

static bool gap_cursor_read(const char *after, struct gap_cursor *c)
{
	c->agent = c->epoch = "";
	c->first_seq = 0;
	snprintf(c->text, sizeof(c->text), "%s", after);
	if (!after[0])
		return true;
	char *epoch = strchr(c->text, ',');
	char *seq = epoch ? strchr(epoch + 1, ',') : NULL;
	if (!seq)
		return false;
	*epoch++ = '\0';
	*seq++ = '\0';
	c->agent = c->text;
	c->epoch = epoch;
	return ht_int_parse(seq, &c->first_seq) == HT_OK;
}

void gaps_list(struct request *rq, struct reply *re)
{
	struct gap_cursor c;
	struct page p;
	char cursor[192];
	ht_err err;

	if (!gap_cursor_read(page_after(rq), &c)) {
		http_invalid(
		    re, "\"after\" is no cursor of this list: take it from \"next\"");
		return;
	}
	page_begin(&p, rq, re);
	struct db_rows *rows = db_start(rq->db, &web_sql, WEB_SQL_GAPS, "ssissi", c.agent,
	    c.epoch, c.first_seq, param_text(&rq->query, "agent"), http_scope(rq),
	    p.limit + 1);
	while (!(err = db_next(rows))) {
		snprintf(cursor, sizeof(cursor), "%s,%s,%lld", db_text(rows, 0),
		    db_text(rows, 1), (long long)db_int(rows, 2));
		if (!page_item(&p, cursor))
			break;
		emit_object(&p.e, NULL);
		emit_text(&p.e, "agent", db_text(rows, 0));
		emit_text(&p.e, "epoch", db_text(rows, 1));
		emit_int(&p.e, "first_seq", db_int(rows, 2));
		emit_int(&p.e, "last_seq", db_int(rows, 3));
		emit_text(&p.e, "reason", db_text(rows, 4));
		emit_time(&p.e, "reported", db_int(rows, 5));
		emit_int(&p.e, "evidence", db_int(rows, 6));
		emit_end_object(&p.e);
	}
	db_done(rows);
	page_end(&p);
	page_finish(&p);
	if (err && err != HT_NOTFOUND)
		http_failed(re, err, "listing gaps");
}

static ht_err garbage_counts(struct request *rq, struct emit *e)
{
	struct db_rows *rows = db_start(rq->db, &web_sql, WEB_SQL_GARBAGE_COUNTS, "");
	ht_err err;

	emit_list(e, "counts");
	while (!(err = db_next(rows))) {
		emit_object(e, NULL);
		emit_text(e, "agent", db_text(rows, 0)[0] ? db_text(rows, 0) : NULL);
		emit_text(e, "reason", db_text(rows, 1));
		emit_int(e, "n", db_int(rows, 2));
		emit_time(e, "last", db_int(rows, 3));
		emit_end_object(e);
	}
	emit_end_list(e);
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

void garbage_list(struct request *rq, struct reply *re)
{
	int64_t before = INT64_MAX;
	char cursor[24];
	struct page p;
	ht_err err;

	if (http_scope(rq)) {
		http_denied(re, "garbage belongs to no agency: an account that sees "
				"everything may read it");
		return;
	}
	if (page_after(rq)[0] && ht_int_parse(page_after(rq), &before)) {
		http_invalid(
		    re, "\"after\" is no cursor of this list: take it from \"next\"");
		return;
	}
	page_begin(&p, rq, re);
	struct db_rows *rows =
	    db_start(rq->db, &web_sql, WEB_SQL_GARBAGE, "ii", before, p.limit + 1);
	while (!(err = db_next(rows))) {
		size_t len;
		const void *sample = db_blob(rows, 6, &len);

		snprintf(cursor, sizeof(cursor), "%lld", (long long)db_int(rows, 0));
		if (!page_item(&p, cursor))
			break;
		emit_object(&p.e, NULL);
		emit_int(&p.e, "id", db_int(rows, 0));
		emit_time(&p.e, "received", db_int(rows, 1));
		emit_text(&p.e, "topic", db_text(rows, 2));
		emit_text(&p.e, "agent", db_text(rows, 3));
		emit_text(&p.e, "reason", db_text(rows, 4));
		emit_int(&p.e, "bytes", db_int(rows, 5));
		emit_hex(&p.e, "sample", sample, len);
		emit_end_object(&p.e);
	}
	db_done(rows);
	page_end(&p);
	ht_err bad = garbage_counts(rq, &p.e);
	page_finish(&p);
	if (bad || (err && err != HT_NOTFOUND))
		http_failed(re, bad ? bad : err, "listing garbage");
}
