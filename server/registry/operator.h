/* Edits by people. Each appends one operator row to the journal: who, when, effective
 * from, and the data. The registry's tables change when fold_registry folds the row,
 * which writer_call() does before it returns. All run in the writer thread, inside its
 * transaction; one that fails has appended nothing.
 *
 * Common errors: HT_INVALID (a field; or the registry does not allow it: unknown agency,
 * cycle …) and HT_NOTFOUND, with a fault for the person: what, and the cure. */
#ifndef HT_SERVER_REGISTRY_OPERATOR_H
#define HT_SERVER_REGISTRY_OPERATOR_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "server/registry/verb.h"
#include "server/store/db.h"

struct operator_by {
	const char *actor; /* account name */
	int64_t now_ms;
	int64_t effective_ms; /* VERB_UNSET: now. Not in the future: what is folded holds
				 now */
};

HT_MUST_CHECK ht_err operator_agency_put(struct db *db, const struct operator_by *by,
    const struct verb_agency *agency, struct ht_fault *fault);
/* Refused while agencies below it, links or agents stand in the registry. */
HT_MUST_CHECK ht_err operator_agency_remove(
    struct db *db, const struct operator_by *by, const char *id, struct ht_fault *fault);
HT_MUST_CHECK ht_err operator_headcount_put(struct db *db, const struct operator_by *by,
    const struct verb_headcount *headcount, struct ht_fault *fault);
HT_MUST_CHECK ht_err operator_link_put(struct db *db, const struct operator_by *by,
    const struct verb_link *link, struct ht_fault *fault);
HT_MUST_CHECK ht_err operator_link_remove(
    struct db *db, const struct operator_by *by, const char *id, struct ht_fault *fault);
HT_MUST_CHECK ht_err operator_agent_put(struct db *db, const struct operator_by *by,
    const struct verb_agent *agent, struct ht_fault *fault);
HT_MUST_CHECK ht_err operator_approve_config(struct db *db, const struct operator_by *by,
    const struct verb_config *config, struct ht_fault *fault);
HT_MUST_CHECK ht_err operator_declaration_put(struct db *db, const struct operator_by *by,
    const struct verb_declaration *declaration, struct ht_fault *fault);
HT_MUST_CHECK ht_err operator_declaration_remove(struct db *db,
    const struct operator_by *by, const struct verb_declaration *declaration,
    struct ht_fault *fault);
HT_MUST_CHECK ht_err operator_machine_correct(struct db *db, const struct operator_by *by,
    const struct verb_correction *correction, struct ht_fault *fault);

/* A window may lie in the past; one with a known id replaces it. Its subject must stand
 * in the registry, and it lasts a year at most. */
HT_MUST_CHECK ht_err operator_maintenance_put(struct db *db, const struct operator_by *by,
    const struct verb_maintenance *maintenance, struct ht_fault *fault);
HT_MUST_CHECK ht_err operator_maintenance_remove(
    struct db *db, const struct operator_by *by, const char *id, struct ht_fault *fault);
HT_MUST_CHECK ht_err operator_outage_note(struct db *db, const struct operator_by *by,
    const struct verb_note *note, struct ht_fault *fault);

/* Revoke an agent: its row, and all its certificates. Then broker_sync_poke(), which
 * kicks its session, writes the revocation list and has the broker read it. */
HT_MUST_CHECK ht_err operator_revoke(struct db *db, const struct operator_by *by,
    const struct verb_revoke *revoke, struct ht_fault *fault);

/* Any of the above from the body of a request: {"effective_from":…, "data":{…}}. The
 * effective date of the body wins over `by`. Also HT_MALFORMED, HT_TOOLARGE. Not for
 * agent.enroll and agent.claim: HT_DENIED. */
HT_MUST_CHECK ht_err operator_json(struct db *db, const struct operator_by *by,
    enum verb_id verb, const void *body, size_t len, struct ht_fault *fault);

/* Append without asking the registry (the caller has: import, enrolment, claims); fields
 * are checked. `agent` goes into the row's own column and may be NULL. */
HT_MUST_CHECK ht_err operator_append(struct db *db, const struct operator_by *by,
    enum verb_id verb, const void *data, const char *agent, struct ht_fault *fault);

/* Append a row that no fold reads, for the audit ("token.create"); `data` is a JSON
 * object as text, without secrets. */
HT_MUST_CHECK ht_err operator_audit(
    struct db *db, const struct operator_by *by, const char *kind, const char *data);

/* Which level may stand below which: "commune" below "district" and "province" (Vietnam
 * has abolished its districts), "district" below "province", and departments below
 * others of their own level, but no commune below a commune. */
bool operator_level_below(const char *level, const char *parent_level);

#endif
