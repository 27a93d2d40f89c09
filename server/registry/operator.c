#include "server/registry/operator.h"

#include <stdio.h>
#include <string.h>

#include "base/name.h"
#include "server/registry/parents.h"
#include "server/registry/sql.h"
#include "server/store/journal.h"

enum { TREE_DEPTH_MAX = 64, CLOCK_SLACK_MS = 300000 };

#define MAINTENANCE_LONGEST_MS (INT64_C(366) * 86400 * 1000)

/* ── appending ────────────────────────────────────────────────────────────────────── */

static ht_err append_row(struct db *db, const struct operator_by *by, const char *kind,
    const char *agent, const struct ht_buf *payload)
{
	struct journal_row row = {
		.source = JOURNAL_OPERATOR,
		.kind = kind,
		.agent = agent,
		.content_type = "application/json",
		.received_ms = by->now_ms,
		.actor = by->actor,
		.payload = ht_buf_text(payload),
		.len = payload->len,
	};

	return journal_append(db, &row);
}

ht_err operator_append(struct db *db, const struct operator_by *by, enum verb_id verb,
    const void *data, const char *agent, struct ht_fault *fault)
{
	int64_t effective_ms =
	    by->effective_ms == VERB_UNSET ? by->now_ms : by->effective_ms;
	struct ht_buf payload;

	if (effective_ms > by->now_ms + CLOCK_SLACK_MS)
		return ht_fault_set(fault, HT_INVALID,
		    "effective_from lies in the future: enter it when the day has come");
	ht_err err = verb_check(verb, data, fault);
	if (err)
		return err;
	ht_buf_init(&payload, VERB_PAYLOAD_MAX);
	err = verb_encode(verb, data, effective_ms, &payload);
	if (!err)
		err = append_row(db, by, verb_name(verb), agent, &payload);
	else
		(void)ht_fault_set(fault, err, "the row does not fit the journal");
	ht_buf_fini(&payload);
	return err;
}

ht_err operator_audit(
    struct db *db, const struct operator_by *by, const char *kind, const char *data)
{
	struct ht_buf payload;

	ht_buf_init(&payload, VERB_PAYLOAD_MAX);
	ht_buf_printf(&payload, "{\"data\":%s}", data);
	ht_err err = ht_buf_err(&payload);
	if (!err)
		err = append_row(db, by, kind, NULL, &payload);
	ht_buf_fini(&payload);
	return err;
}

/* ── what the registry allows ─────────────────────────────────────────────────────── */

bool operator_level_below(const char *level, const char *parent_level)
{
	bool province = strcmp(parent_level, "province") == 0;
	bool district = strcmp(parent_level, "district") == 0;

	return province || (district && strcmp(level, "province") != 0);
}

/* Level and parent of an agency; `level` holds 16, `parent` HT_ID_MAX+1 bytes. */
static ht_err agency_get(struct db *db, const char *id, char *level, char *parent)
{
	struct db_rows *rows = db_start(db, &registry_sql, SQL_AGENCY_GET, "s", id);
	ht_err err = db_next(rows);

	if (!err) {
		const char *up = db_text(rows, 1);
		snprintf(level, 16, "%s", db_text(rows, 0));
		snprintf(parent, HT_ID_MAX + 1, "%s", up ? up : "");
	}
	db_done(rows);
	return err;
}

static ht_err need_agency(struct db *db, const char *id, struct ht_fault *fault)
{
	char level[16], parent[HT_ID_MAX + 1];
	ht_err err = agency_get(db, id, level, parent);

	if (err == HT_NOTFOUND)
		return ht_fault_set(
		    fault, HT_INVALID, "there is no agency \"%s\": enter it first", id);
	return err;
}

static ht_err need_row(struct db *db, int statement, const char *what, const char *id,
    struct ht_fault *fault)
{
	struct db_rows *rows = db_start(db, &registry_sql, statement, "s", id);
	ht_err err = db_next(rows);

	db_done(rows);
	if (err == HT_NOTFOUND)
		(void)ht_fault_set(fault, err, "there is no %s \"%s\"", what, id);
	return err;
}

/* The parent must be there, of a level above, and not below the agency itself. */
static ht_err check_agency(struct db *db, const void *data, struct ht_fault *fault)
{
	const struct verb_agency *a = data;
	char level[16], at[HT_ID_MAX + 1], above[HT_ID_MAX + 1];

	if (!a->parent)
		return HT_OK;
	ht_err err = need_agency(db, a->parent, fault);
	if (!err)
		err = agency_get(db, a->parent, level, above);
	if (err)
		return err;
	if (!operator_level_below(a->level, level))
		return ht_fault_set(fault, HT_INVALID,
		    "a %s cannot stand below the %s \"%s\"", a->level, level, a->parent);
	snprintf(at, sizeof(at), "%s", a->parent);
	for (int depth = 0; at[0]; depth++) {
		if (strcmp(at, a->id) == 0 || depth > TREE_DEPTH_MAX)
			return ht_fault_set(fault, HT_INVALID,
			    "parent \"%s\" stands below \"%s\" itself: choose another",
			    a->parent, a->id);
		err = agency_get(db, at, level, above);
		if (err)
			return err == HT_NOTFOUND ? HT_OK : err;
		snprintf(at, sizeof(at), "%s", above);
	}
	return HT_OK;
}

static ht_err check_agency_remove(struct db *db, const void *data, struct ht_fault *fault)
{
	const struct verb_thing *thing = data;
	ht_err err = need_row(db, SQL_AGENCY_GET, "agency", thing->id, fault);

	if (err)
		return err;
	struct db_rows *rows =
	    db_start(db, &registry_sql, SQL_AGENCY_IN_USE, "s", thing->id);
	err = db_next(rows);
	if (!err && db_text(rows, 0))
		err = ht_fault_set(fault, HT_INVALID,
		    "\"%s\" still has %s: remove or move that first", thing->id,
		    db_text(rows, 0));
	db_done(rows);
	return err;
}

static ht_err check_headcount(struct db *db, const void *data, struct ht_fault *fault)
{
	return need_agency(db, ((const struct verb_headcount *)data)->agency, fault);
}

struct parent_check {
	struct db *db;
	const struct verb_link *link;
	struct ht_fault *fault;
};

static ht_err check_parent_link(void *arg, const char *id)
{
	struct parent_check *c = arg;

	if (strcmp(id, c->link->id) == 0)
		return ht_fault_set(
		    c->fault, HT_INVALID, "link \"%s\" cannot be its own parent", id);
	ht_err err = need_row(c->db, SQL_LINK_EXISTS, "link", id, c->fault);
	return err == HT_NOTFOUND ? HT_INVALID : err;
}

static ht_err check_link(struct db *db, const void *data, struct ht_fault *fault)
{
	const struct verb_link *link = data;
	struct parent_check c = { db, link, fault };
	ht_err err = need_agency(db, link->agency, fault);

	if (!err && link->parents)
		err = parents_walk(link->parents, check_parent_link, &c, fault);
	return err == HT_MALFORMED ? HT_INVALID : err;
}

static ht_err check_link_remove(struct db *db, const void *data, struct ht_fault *fault)
{
	return need_row(
	    db, SQL_LINK_EXISTS, "link", ((const struct verb_thing *)data)->id, fault);
}

static ht_err check_agent(struct db *db, const void *data, struct ht_fault *fault)
{
	return need_agency(db, ((const struct verb_agent *)data)->agency, fault);
}

static ht_err check_config(struct db *db, const void *data, struct ht_fault *fault)
{
	return need_row(
	    db, SQL_AGENT_GET, "agent", ((const struct verb_config *)data)->id, fault);
}

static ht_err check_revoke(struct db *db, const void *data, struct ht_fault *fault)
{
	return need_row(
	    db, SQL_AGENT_GET, "agent", ((const struct verb_revoke *)data)->id, fault);
}

static ht_err check_declaration(struct db *db, const void *data, struct ht_fault *fault)
{
	return need_agency(db, ((const struct verb_declaration *)data)->agency, fault);
}

static ht_err check_correction(struct db *db, const void *data, struct ht_fault *fault)
{
	const struct verb_correction *c = data;

	if (!c->class && !c->same_as)
		return ht_fault_set(fault, HT_INVALID, "say class, same_as, or both");
	return need_agency(db, c->agency, fault);
}

static ht_err check_maintenance_subject(
    struct db *db, const struct verb_maintenance *m, struct ht_fault *fault)
{
	static const struct {
		const char *scope;
		int statement;
	} rows[] = {
		{ "link", SQL_LINK_EXISTS },
		{ "agency", SQL_AGENCY_GET },
		{ "provider", SQL_PROVIDER_EXISTS },
	};

	if (strcmp(m->scope, "all") == 0)
		return !m->subject ? HT_OK
				   : ht_fault_set(fault, HT_INVALID,
					 "scope all takes no subject: leave it out");
	if (!m->subject)
		return ht_fault_set(
		    fault, HT_INVALID, "subject is missing: say which %s", m->scope);
	for (size_t i = 0; i < HT_COUNT(rows); i++) {
		if (strcmp(rows[i].scope, m->scope) != 0)
			continue;
		ht_err err = need_row(db, rows[i].statement, m->scope, m->subject, fault);
		return err == HT_NOTFOUND ? HT_INVALID : err;
	}
	return HT_OK;
}

/* A window may lie in the past: it is then counted anew, and who entered it when is
 * kept. */
static ht_err check_maintenance(struct db *db, const void *data, struct ht_fault *fault)
{
	const struct verb_maintenance *m = data;

	if (m->to_ms <= m->from_ms)
		return ht_fault_set(fault, HT_INVALID,
		    "the window ends before it begins: \"to\" must be later than "
		    "\"from\"");
	if (m->to_ms - m->from_ms > MAINTENANCE_LONGEST_MS)
		return ht_fault_set(fault, HT_INVALID,
		    "the window is longer than a year: is a date mistyped?");
	return check_maintenance_subject(db, m, fault);
}

static ht_err check_maintenance_remove(
    struct db *db, const void *data, struct ht_fault *fault)
{
	const char *id = ((const struct verb_thing *)data)->id;
	struct db_rows *rows = db_start(db, &registry_sql, SQL_MAINTENANCE_GET, "s", id);
	ht_err err = db_next(rows);
	bool removed = !err && !db_is_null(rows, 0);

	db_done(rows);
	if (err == HT_NOTFOUND || removed)
		return ht_fault_set(fault, HT_NOTFOUND,
		    removed ? "maintenance \"%s\" was removed already"
			    : "there is no maintenance \"%s\"",
		    id);
	return err;
}

static ht_err check_note(struct db *db, const void *data, struct ht_fault *fault)
{
	return need_row(
	    db, SQL_OUTAGE_EXISTS, "outage", ((const struct verb_note *)data)->id, fault);
}

/* NULL: not for people to say directly. */
static ht_err (*const checks[VERB_COUNT])(
    struct db *db, const void *data, struct ht_fault *fault) = {
	[VERB_AGENCY_PUT] = check_agency,
	[VERB_AGENCY_REMOVE] = check_agency_remove,
	[VERB_HEADCOUNT_PUT] = check_headcount,
	[VERB_LINK_PUT] = check_link,
	[VERB_LINK_REMOVE] = check_link_remove,
	[VERB_AGENT_PUT] = check_agent,
	[VERB_AGENT_APPROVE_CONFIG] = check_config,
	[VERB_AGENT_REVOKE] = check_revoke,
	[VERB_DECLARATION_PUT] = check_declaration,
	[VERB_DECLARATION_REMOVE] = check_declaration,
	[VERB_MACHINE_CORRECT] = check_correction,
	[VERB_MAINTENANCE_PUT] = check_maintenance,
	[VERB_MAINTENANCE_REMOVE] = check_maintenance_remove,
	[VERB_OUTAGE_NOTE] = check_note,
};

/* ── the edits ────────────────────────────────────────────────────────────────────── */

static const char *agent_of(enum verb_id verb, const void *data)
{
	switch (verb) {
	case VERB_AGENT_PUT:
		return ((const struct verb_agent *)data)->id;
	case VERB_AGENT_APPROVE_CONFIG:
		return ((const struct verb_config *)data)->id;
	case VERB_AGENT_REVOKE:
		return ((const struct verb_revoke *)data)->id;
	default:
		return NULL;
	}
}

static ht_err edit(struct db *db, const struct operator_by *by, enum verb_id verb,
    const void *data, struct ht_fault *fault)
{
	ht_err err = verb_check(verb, data, fault);

	if (!err)
		err = checks[verb](db, data, fault);
	if (!err)
		err = operator_append(db, by, verb, data, agent_of(verb, data), fault);
	if (!err && verb == VERB_AGENT_REVOKE) {
		const struct verb_revoke *r = data;
		err = db_exec(db, &registry_sql, SQL_CERT_REVOKE, "iss", by->now_ms,
		    r->reason, r->id);
	}
	return err;
}

ht_err operator_json(struct db *db, const struct operator_by *by, enum verb_id verb,
    const void *body, size_t len, struct ht_fault *fault)
{
	struct operator_by from = *by;
	struct verb_parsed parsed;

	if (!checks[verb])
		return ht_fault_set(
		    fault, HT_DENIED, "%s cannot be entered directly", verb_name(verb));
	ht_err err = verb_decode(verb, body, len, &parsed, fault);
	if (err)
		return err;
	if (parsed.effective_ms != VERB_UNSET)
		from.effective_ms = parsed.effective_ms;
	err = edit(db, &from, verb, &parsed.data, fault);
	verb_parsed_fini(&parsed);
	return err;
}

ht_err operator_agency_put(struct db *db, const struct operator_by *by,
    const struct verb_agency *agency, struct ht_fault *fault)
{
	return edit(db, by, VERB_AGENCY_PUT, agency, fault);
}

ht_err operator_agency_remove(
    struct db *db, const struct operator_by *by, const char *id, struct ht_fault *fault)
{
	return edit(db, by, VERB_AGENCY_REMOVE, &(struct verb_thing){ id }, fault);
}

ht_err operator_headcount_put(struct db *db, const struct operator_by *by,
    const struct verb_headcount *headcount, struct ht_fault *fault)
{
	return edit(db, by, VERB_HEADCOUNT_PUT, headcount, fault);
}

ht_err operator_link_put(struct db *db, const struct operator_by *by,
    const struct verb_link *link, struct ht_fault *fault)
{
	return edit(db, by, VERB_LINK_PUT, link, fault);
}

ht_err operator_link_remove(
    struct db *db, const struct operator_by *by, const char *id, struct ht_fault *fault)
{
	return edit(db, by, VERB_LINK_REMOVE, &(struct verb_thing){ id }, fault);
}

ht_err operator_agent_put(struct db *db, const struct operator_by *by,
    const struct verb_agent *agent, struct ht_fault *fault)
{
	return edit(db, by, VERB_AGENT_PUT, agent, fault);
}

ht_err operator_approve_config(struct db *db, const struct operator_by *by,
    const struct verb_config *config, struct ht_fault *fault)
{
	return edit(db, by, VERB_AGENT_APPROVE_CONFIG, config, fault);
}

ht_err operator_declaration_put(struct db *db, const struct operator_by *by,
    const struct verb_declaration *declaration, struct ht_fault *fault)
{
	return edit(db, by, VERB_DECLARATION_PUT, declaration, fault);
}

ht_err operator_declaration_remove(struct db *db, const struct operator_by *by,
    const struct verb_declaration *declaration, struct ht_fault *fault)
{
	return edit(db, by, VERB_DECLARATION_REMOVE, declaration, fault);
}

ht_err operator_machine_correct(struct db *db, const struct operator_by *by,
    const struct verb_correction *correction, struct ht_fault *fault)
{
	return edit(db, by, VERB_MACHINE_CORRECT, correction, fault);
}

ht_err operator_revoke(struct db *db, const struct operator_by *by,
    const struct verb_revoke *revoke, struct ht_fault *fault)
{
	return edit(db, by, VERB_AGENT_REVOKE, revoke, fault);
}

ht_err operator_maintenance_put(struct db *db, const struct operator_by *by,
    const struct verb_maintenance *maintenance, struct ht_fault *fault)
{
	return edit(db, by, VERB_MAINTENANCE_PUT, maintenance, fault);
}

ht_err operator_maintenance_remove(
    struct db *db, const struct operator_by *by, const char *id, struct ht_fault *fault)
{
	return edit(db, by, VERB_MAINTENANCE_REMOVE, &(struct verb_thing){ id }, fault);
}

ht_err operator_outage_note(struct db *db, const struct operator_by *by,
    const struct verb_note *note, struct ht_fault *fault)
{
	return edit(db, by, VERB_OUTAGE_NOTE, note, fault);
}
