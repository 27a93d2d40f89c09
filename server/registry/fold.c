#include "server/registry/fold.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "server/registry/sql.h"
#include "server/registry/verb.h"

/* One parsed row on its way into the tables. */
struct said {
	const union verb_data *data;
	const struct journal_row *row;
	int64_t effective_ms;
};

static ht_err fold_agency(struct db *db, const struct said *s)
{
	const struct verb_agency *a = &s->data->agency;

	return db_exec(db, &registry_sql, SQL_AGENCY_PUT, "sssssDDi", a->id, a->name,
	    a->level, a->kind, a->parent, a->latitude, a->longitude, s->row->id);
}

static ht_err fold_agency_remove(struct db *db, const struct said *s)
{
	ht_err err =
	    db_exec(db, &registry_sql, SQL_HEADCOUNT_REMOVE, "s", s->data->thing.id);

	return err ? err
		   : db_exec(
			 db, &registry_sql, SQL_AGENCY_REMOVE, "s", s->data->thing.id);
}

static ht_err fold_headcount(struct db *db, const struct said *s)
{
	const struct verb_headcount *h = &s->data->headcount;

	return db_exec(db, &registry_sql, SQL_HEADCOUNT_PUT, "siii", h->agency,
	    h->as_of_ms, h->servants, s->row->id);
}

static ht_err fold_link(struct db *db, const struct said *s)
{
	const struct verb_link *l = &s->data->link;

	return db_exec(db, &registry_sql, SQL_LINK_PUT, "ssssssIIssi", l->id, l->agency,
	    l->role, l->kind, l->line_type, l->provider, l->contracted_down_bps,
	    l->contracted_up_bps, l->router_address, l->parents, s->row->id);
}

static ht_err fold_link_remove(struct db *db, const struct said *s)
{
	return db_exec(db, &registry_sql, SQL_LINK_REMOVE, "s", s->data->thing.id);
}

static ht_err fold_agent(struct db *db, const struct said *s)
{
	const struct verb_agent *a = &s->data->agent;

	return db_exec(db, &registry_sql, SQL_AGENT_PUT, "ssii", a->id, a->agency,
	    (int64_t)a->vantage, s->row->id);
}

static ht_err fold_enroll(struct db *db, const struct said *s)
{
	const struct verb_enroll *e = &s->data->enroll;

	return db_exec(db, &registry_sql, SQL_AGENT_ENROLL, "ssisi", e->id, e->agency,
	    s->row->received_ms, e->fingerprint, s->row->id);
}

static ht_err fold_config(struct db *db, const struct said *s)
{
	const struct verb_config *c = &s->data->config;
	unsigned char digest[crypto_hash_sha256_BYTES];
	char hash[2 * sizeof(digest) + 1];

	crypto_hash_sha256(digest, (const unsigned char *)c->config, strlen(c->config));
	sodium_bin2hex(hash, sizeof(hash), digest, sizeof(digest));
	return db_exec(db, &registry_sql, SQL_AGENT_CONFIG, "ssis", c->config, hash,
	    s->row->id, c->id);
}

static ht_err fold_revoke(struct db *db, const struct said *s)
{
	return db_exec(db, &registry_sql, SQL_AGENT_REVOKE, "iis", s->row->received_ms,
	    s->row->id, s->data->revoke.id);
}

static ht_err fold_claim(struct db *db, const struct said *s)
{
	return db_exec(db, &registry_sql, SQL_AGENT_CLAIM, "sis",
	    s->data->claim.fingerprint, s->row->id, s->data->claim.id);
}

static ht_err fold_declaration(struct db *db, const struct said *s)
{
	const struct verb_declaration *d = &s->data->declaration;
	int64_t declared_ms =
	    d->declared_ms == VERB_UNSET ? s->effective_ms : d->declared_ms;

	return db_exec(db, &registry_sql, SQL_DECLARATION_PUT, "sssssiIi", d->agency,
	    d->solution, d->answer, d->document, d->signer, declared_ms, d->expires_ms,
	    s->row->id);
}

static ht_err fold_declaration_remove(struct db *db, const struct said *s)
{
	return db_exec(db, &registry_sql, SQL_DECLARATION_REMOVE, "ss",
	    s->data->declaration.agency, s->data->declaration.solution);
}

static ht_err fold_correction(struct db *db, const struct said *s)
{
	const struct verb_correction *c = &s->data->correction;

	return db_exec(db, &registry_sql, SQL_CORRECTION_PUT, "ssssi", c->agency,
	    c->machine, c->class, c->same_as, s->row->id);
}

static ht_err fold_maintenance(struct db *db, const struct said *s)
{
	const struct verb_maintenance *m = &s->data->maintenance;

	return db_exec(db, &registry_sql, SQL_MAINTENANCE_PUT, "sssiissii", m->id,
	    m->scope, m->subject, m->from_ms, m->to_ms, m->reason, s->row->actor,
	    s->row->received_ms, s->row->id);
}

static ht_err fold_maintenance_remove(struct db *db, const struct said *s)
{
	return db_exec(db, &registry_sql, SQL_MAINTENANCE_REMOVE, "iis",
	    s->row->received_ms, s->row->id, s->data->thing.id);
}

static ht_err fold_note(struct db *db, const struct said *s)
{
	const struct verb_note *n = &s->data->note;

	return db_exec(db, &registry_sql, SQL_NOTE_PUT, "sssi", n->id, n->ticket, n->note,
	    s->row->id);
}

static ht_err (*const appliers[VERB_COUNT])(struct db *db, const struct said *said) = {
	[VERB_AGENCY_PUT] = fold_agency,
	[VERB_AGENCY_REMOVE] = fold_agency_remove,
	[VERB_HEADCOUNT_PUT] = fold_headcount,
	[VERB_LINK_PUT] = fold_link,
	[VERB_LINK_REMOVE] = fold_link_remove,
	[VERB_AGENT_PUT] = fold_agent,
	[VERB_AGENT_ENROLL] = fold_enroll,
	[VERB_AGENT_APPROVE_CONFIG] = fold_config,
	[VERB_AGENT_REVOKE] = fold_revoke,
	[VERB_AGENT_CLAIM] = fold_claim,
	[VERB_DECLARATION_PUT] = fold_declaration,
	[VERB_DECLARATION_REMOVE] = fold_declaration_remove,
	[VERB_MACHINE_CORRECT] = fold_correction,
	[VERB_MAINTENANCE_PUT] = fold_maintenance,
	[VERB_MAINTENANCE_REMOVE] = fold_maintenance_remove,
	[VERB_OUTAGE_NOTE] = fold_note,
};

static ht_err fold_apply(struct db *db, const struct fold_input *in)
{
	struct verb_parsed parsed;
	struct ht_fault fault = { 0 };
	enum verb_id verb;

	if (verb_find(in->row->kind, &verb))
		return HT_OK; /* another room's verb */
	ht_err err = verb_decode(verb, in->row->payload, in->row->len, &parsed, &fault);
	if (err == HT_NOMEM)
		return err;
	if (err) {
		ht_log_warn("registry.bad_row", "journal_id=%lld verb=%s fault=\"%s\"",
		    (long long)in->row->id, in->row->kind, fault.text);
		return HT_OK;
	}
	struct said said = { &parsed.data, in->row, parsed.effective_ms };
	if (said.effective_ms == VERB_UNSET)
		said.effective_ms = in->row->received_ms;
	err = appliers[verb](db, &said);
	verb_parsed_fini(&parsed);
	return err;
}

static ht_err fold_reset(struct db *db)
{
	ht_err err = HT_OK;

	for (int id = SQL_RESET_AGENCY; !err && id <= SQL_RESET_NOTE; id++)
		err = db_exec(db, &registry_sql, id, "");
	return err;
}

const struct fold fold_registry = {
	.name = "registry",
	.version = 1,
	.sources = 1 << JOURNAL_OPERATOR,
	.apply = fold_apply,
	.reset = fold_reset,
};
