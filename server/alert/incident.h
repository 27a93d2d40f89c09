/* Incidents: what people are told of, folded from problem changes (fold_alert, the last
 * of all folds). Problems of one cause are one incident: what hangs on a dead parent,
 * what a carrier or a district lost at once, the episodes of one unstable link.
 *
 * Two stages in one transaction. The fold decides what belongs to what, from rows alone,
 * so that a refold gives the same. Telling (tell.h) then fills the outbox for what is
 * due, and only when no rows wait: what began and ended in a backlog pages nobody. */
#ifndef HT_SERVER_ALERT_INCIDENT_H
#define HT_SERVER_ALERT_INCIDENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/name.h"
#include "server/alert/rules.h"
#include "server/derive/problem.h"
#include "server/store/db.h"

#define INCIDENT_ID_MAX   (RULES_ID_MAX + 48)
#define INCIDENT_NONE_MS  INT64_MIN
#define INCIDENT_NOTE_MAX 500

enum incident_group {
	INCIDENT_PROBLEM,
	INCIDENT_PARENT,
	INCIDENT_PROVIDER,
	INCIDENT_DISTRICT
};

/* A row of `incident`; empty text and INCIDENT_NONE_MS are NULL. */
struct incident {
	char id[INCIDENT_ID_MAX + 1];
	char rule[RULES_ID_MAX + 1];
	char severity[16];
	enum incident_group group_by;
	char subject[HT_INSTANCE_MAX + 1];
	int64_t opened_ms, closed_ms, announce_ms, announced_ms;
	int64_t acked_ms;
	char acked_by[HT_ID_MAX + 1];
	int64_t level, escalate_ms;
	int64_t journal_id;
	char kind[PROBLEM_KIND_MAX + 1];
	char root[PROBLEM_ID_MAX + 1];
	char agency[HT_ID_MAX + 1], district[HT_ID_MAX + 1], provider[128];
	char merged[INCIDENT_ID_MAX + 1];
	int64_t update_ms, digest_ms, n_told, due_ms;
	char rules_hash[RULES_HASH_HEX + 1];
};

HT_MUST_CHECK ht_err incident_get(struct db *db, const char *id, struct incident *out);
/* Also sets due_ms of an open one from its other times. */
HT_MUST_CHECK ht_err incident_put(struct db *db, struct incident *i);

/* Why; NULL: no incident, or no problem. */
HT_MUST_CHECK ht_err incident_decide(struct db *db, const char *incident,
    const char *problem, int64_t at_ms, const char *decision, const char *fmt, ...)
    HT_PRINTF(6, 7);

/* A person has it: append the operator row `incident.ack`; no further escalation. For
 * writer_call. HT_NOTFOUND, HT_EXISTS (acknowledged already), HT_CLOSED (it is over),
 * HT_INVALID, with a fault. */
HT_MUST_CHECK ht_err incident_ack(struct db *db, const char *id, const char *actor,
    const char *note, int64_t now_ms, struct ht_fault *fault);

#endif
