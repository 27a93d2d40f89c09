#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/option.h"
#include "mqtt/senml.h"
#include "server/web/api.h"
#include "server/web/sql.h"

/* Columns of WEB_SQL_JOURNAL_ROW and WEB_SQL_EVIDENCE_COPY. */
enum {
	J_ID,
	J_SOURCE,
	J_KIND,
	J_AGENT,
	J_LANE,
	J_EPOCH,
	J_SEQ,
	J_BOOT,
	J_SESSION,
	J_MONO,
	J_SENT_MONO,
	J_TYPE,
	J_RECEIVED,
	J_ACTOR,
	J_RULES,
	J_PAYLOAD
};

enum evidence_sight { EVIDENCE_NONE, EVIDENCE_LINKS, EVIDENCE_ALL };

/* What a scoped account may see of a row: all of its own agents' rows and of operator
 * rows about its agencies; of a vantage agent's, the records about its own links. */
static enum evidence_sight evidence_sight(struct request *rq, const struct db_rows *row)
{
	enum evidence_sight sight = EVIDENCE_NONE;
	const char *agent = db_text(row, J_AGENT);
	char agency[HT_ID_MAX + 1];
	struct db_rows *rows;

	if (!http_scope(rq))
		return EVIDENCE_ALL;
	rows = agent ? db_start(rq->db, &web_sql, WEB_SQL_AGENT_AGENCY, "s", agent)
		     : db_start(rq->db, &web_sql, WEB_SQL_JOURNAL_IN_REGISTRY, "i",
			   db_int(row, J_ID));
	while (sight == EVIDENCE_NONE && db_next(rows) == HT_OK) {
		snprintf(agency, sizeof(agency), "%s", db_text(rows, 0));
		if (http_sees(rq, agency))
			sight = EVIDENCE_ALL;
	}
	db_done(rows);
	return sight == EVIDENCE_NONE && agent ? EVIDENCE_LINKS : sight;
}

/* Whether a record "<agent>/<family>/<instance>/<quantity>" is about a link in scope. */
static bool evidence_of_own_link(struct request *rq, const char *agent, const char *name)
{
	size_t lead = strlen(agent) + 1, len = strlen(name);
	struct ht_name parts;
	char link[HT_INSTANCE_MAX + 1], agency[HT_ID_MAX + 1] = "";

	if (len <= lead || ht_name_parse(name + lead, len - lead, &parts) ||
	    parts.instance_len > HT_INSTANCE_MAX)
		return false;
	memcpy(link, parts.instance, parts.instance_len);
	link[parts.instance_len] = '\0';
	struct db_rows *rows = db_start(rq->db, &web_sql, WEB_SQL_LINK_AGENCY, "s", link);
	bool found = db_next(rows) == HT_OK;
	if (found)
		snprintf(agency, sizeof(agency), "%s", db_text(rows, 0));
	db_done(rows);
	return found && http_sees(rq, agency);
}

static void evidence_record(
    struct emit *e, const char *agent, const struct senml_record *r)
{
	size_t lead = agent ? strlen(agent) : 0;
	bool own = agent && strncmp(r->name, agent, lead) == 0 && r->name[lead] == '/';

	emit_object(e, NULL);
	emit_text(e, "name", own ? r->name + lead + 1 : r->name);
	emit_text(e, "unit", r->unit);
	emit_double(e, "time", r->time_s);
	switch (r->kind) {
	case HT_NUMBER:
		emit_double(e, "value", r->number);
		break;
	case HT_COUNTER:
		emit_uint(e, "value", r->counter);
		break;
	case HT_STRING:
		emit_text(e, "value", r->string);
		break;
	case HT_BOOL:
		emit_bool(e, "value", r->boolean);
		break;
	}
	emit_end_object(e);
}

static void evidence_pack(struct request *rq, struct emit *e, const struct db_rows *row,
    enum senml_format format, enum evidence_sight sight)
{
	struct senml_pack pack = { 0 };
	struct ht_fault fault = { 0 };
	size_t len, hidden = 0;
	const void *bytes = db_blob(row, J_PAYLOAD, &len);
	const char *agent = db_text(row, J_AGENT);

	if (senml_decode(format, bytes, len, &pack, &fault)) {
		emit_text(e, "undecodable", fault.text);
		return;
	}
	emit_list(e, "records");
	for (size_t i = 0; i < pack.n; i++) {
		if (sight == EVIDENCE_ALL ||
		    evidence_of_own_link(rq, agent ? agent : "", pack.records[i].name))
			evidence_record(e, agent, &pack.records[i]);
		else
			hidden++;
	}
	emit_end_list(e);
	emit_uint(e, "hidden", hidden);
	senml_pack_fini(&pack);
}

static void evidence_json(struct emit *e, const struct db_rows *row)
{
	size_t len;
	const char *bytes = db_blob(row, J_PAYLOAD, &len);
	struct ht_buf text;

	ht_buf_init(&text, 1 << 20);
	ht_buf_put(&text, bytes, len);
	if (!ht_buf_err(&text))
		emit_stored(e, "content", ht_buf_text(&text));
	ht_buf_fini(&text);
}

static void evidence_put(struct request *rq, struct reply *re, const struct db_rows *row,
    enum evidence_sight sight, bool kept_copy)
{
	static const struct {
		const char *key;
		int column;
	} texts[] = {
		{ "source", J_SOURCE },
		{ "kind", J_KIND },
		{ "agent", J_AGENT },
		{ "lane", J_LANE },
		{ "epoch", J_EPOCH },
		{ "boot", J_BOOT },
		{ "session", J_SESSION },
		{ "content_type", J_TYPE },
		{ "actor", J_ACTOR },
		{ "rules_hash", J_RULES },
	};
	const char *type = db_text(row, J_TYPE);
	enum senml_format format;
	struct emit e;
	size_t len;

	(void)db_blob(row, J_PAYLOAD, &len);
	emit_init(&e, &re->body);
	emit_object(&e, NULL);
	emit_int(&e, "id", db_int(row, J_ID));
	for (size_t i = 0; i < HT_COUNT(texts); i++)
		emit_text(&e, texts[i].key, db_text(row, texts[i].column));
	emit_int_or_null(&e, "seq", db_is_null(row, J_SEQ), db_int(row, J_SEQ));
	emit_double(&e, "mono",
	    db_is_null(row, J_MONO) ? NAN : (double)db_int(row, J_MONO) / 1e9);
	emit_double(&e, "sent_mono",
	    db_is_null(row, J_SENT_MONO) ? NAN : (double)db_int(row, J_SENT_MONO) / 1e9);
	emit_time(&e, "received", db_int(row, J_RECEIVED));
	emit_int(&e, "bytes", (int64_t)len);
	emit_bool(&e, "kept_copy", kept_copy);
	if (type && senml_format_parse(type, &format) == HT_OK)
		evidence_pack(rq, &e, row, format, sight);
	else if (sight == EVIDENCE_ALL)
		evidence_json(&e, row);
	emit_end_object(&e);
}

void evidence_show(struct request *rq, struct reply *re)
{
	int64_t id;
	bool kept_copy = false;

	if (ht_int_parse(rq->args.at[0], &id) || id < 1) {
		http_invalid(re,
		    "the evidence's id must be a journal id, a whole number from 1 up");
		return;
	}
	struct db_rows *row = db_start(rq->db, &web_sql, WEB_SQL_JOURNAL_ROW, "i", id);
	ht_err err = db_next(row);
	if (err == HT_NOTFOUND) {
		db_done(row);
		kept_copy = true;
		row = db_start(rq->db, &web_sql, WEB_SQL_EVIDENCE_COPY, "i", id);
		err = db_next(row);
	}
	enum evidence_sight sight = err ? EVIDENCE_NONE : evidence_sight(rq, row);
	if (err && err != HT_NOTFOUND)
		http_failed(re, err, "reading the journal");
	else if (sight == EVIDENCE_NONE)
		http_not_found(re, "journal row", rq->args.at[0]);
	else
		evidence_put(rq, re, row, sight, kept_copy);
	db_done(row);
}
