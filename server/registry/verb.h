/* What a person can say about the registry: one verb a kind of edit, its data as a plain
 * struct, and one const field table a verb that checks, writes and reads its JSON. An
 * operator row of the journal holds
 *     {"effective_from":"2018-03-01T00:00:00.000Z","data":{…the fields…}}
 * What is not said is NULL, VERB_UNSET or NaN, and absent from the JSON. */
#ifndef HT_SERVER_REGISTRY_VERB_H
#define HT_SERVER_REGISTRY_VERB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define VERB_UNSET        INT64_MIN
#define VERB_PAYLOAD_MAX  (256 * 1024) /* bytes of one payload */
#define VERB_TEXT_MAX     512          /* bytes of a name or a remark */
#define VERB_LONG_ID_MAX  96           /* bytes of an outage's id */
#define VERB_CONFIG_MAX   65536        /* bytes of an approved configuration */
#define VERB_SERVANTS_MAX 10000000
#define VERB_BPS_MAX      INT64_C(10000000000000)
#define VERB_TIME_MAX_MS  INT64_C(253402300799999) /* the end of 9999 */

enum verb_id {
	VERB_AGENCY_PUT,
	VERB_AGENCY_REMOVE,
	VERB_HEADCOUNT_PUT,
	VERB_LINK_PUT,
	VERB_LINK_REMOVE,
	VERB_AGENT_PUT,
	VERB_AGENT_ENROLL,
	VERB_AGENT_APPROVE_CONFIG,
	VERB_AGENT_REVOKE,
	VERB_AGENT_CLAIM,
	VERB_DECLARATION_PUT,
	VERB_DECLARATION_REMOVE,
	VERB_MACHINE_CORRECT,
	VERB_MAINTENANCE_PUT,
	VERB_MAINTENANCE_REMOVE,
	VERB_OUTAGE_NOTE,
	VERB_COUNT
};

/* Words that the fields may hold. */
extern const char *const verb_levels[];     /* province, district, commune, NULL */
extern const char *const verb_roles[];      /* primary, backup */
extern const char *const verb_kinds[];      /* province-wan, government-wan, internet */
extern const char *const verb_line_types[]; /* leased-line, ftth … other */
extern const char *const verb_maintenance_scopes[]; /* link, agency, provider, all */

/* Strings are borrowed; "id" and other names of things are ids (base/name.h). */
struct verb_agency { /* agency.put: the whole of it, not a change */
	const char *id, *name, *level;
	const char *kind; /* NULL: "agency" */
	const char *parent;
	double latitude, longitude;
};
struct verb_thing { /* agency.remove, link.remove */
	const char *id;
};
struct verb_headcount { /* headcount.put */
	const char *agency;
	int64_t as_of_ms, servants;
};
struct verb_link { /* link.put: the whole of it */
	const char *id, *agency, *role, *kind, *line_type, *provider;
	int64_t contracted_down_bps, contracted_up_bps;
	const char *router_address;
	const char *parents; /* see parents.h */
};
struct verb_agent { /* agent.put */
	const char *id, *agency;
	bool vantage;
};
struct verb_enroll { /* agent.enroll: written by enroll.c, never by a person */
	const char *id, *agency, *fingerprint, *serial, *token;
};
struct verb_config { /* agent.approve_config: sections `site` and `probes` alone */
	const char *id, *config;
};
struct verb_revoke { /* agent.revoke: use operator_revoke(), which also revokes
		      * the certificates */
	const char *id, *reason;
};
struct verb_claim { /* agent.claim: use clone_decide() */
	const char *id, *fingerprint;
};
struct verb_declaration { /* declaration.put, declaration.remove (agency, solution) */
	const char *agency, *solution, *answer, *document, *signer;
	int64_t declared_ms, expires_ms;
};
struct verb_correction { /* machine.correct */
	const char *agency, *machine, *class, *same_as;
};

struct verb_maintenance { /* maintenance.put: the whole of it; also for what is over */
	const char *id, *scope;
	const char *subject; /* link, agency or provider; NULL for all */
	int64_t from_ms, to_ms;
	const char *reason;
};
struct verb_note { /* outage.note: the whole of it; neither: it is cleared */
	const char *id, *ticket, *note;
};

union verb_data {
	struct verb_agency agency;
	struct verb_thing thing;
	struct verb_headcount headcount;
	struct verb_link link;
	struct verb_agent agent;
	struct verb_enroll enroll;
	struct verb_config config;
	struct verb_revoke revoke;
	struct verb_claim claim;
	struct verb_declaration declaration;
	struct verb_correction correction;
	struct verb_maintenance maintenance;
	struct verb_note note;
};

const char *verb_name(enum verb_id verb); /* "agency.put" */

/* HT_NOTFOUND. */
HT_MUST_CHECK ht_err verb_find(const char *name, enum verb_id *out);

/* Check the struct of `verb` field by field: HT_INVALID with a fault that names the
 * field, what is wrong and the cure. */
HT_MUST_CHECK ht_err verb_check(
    enum verb_id verb, const void *data, struct ht_fault *fault);

/* Append the payload to `out`. */
HT_MUST_CHECK ht_err verb_encode(
    enum verb_id verb, const void *data, int64_t effective_ms, struct ht_buf *out);

struct verb_parsed {
	union verb_data data; /* strings live in `tree` */
	int64_t effective_ms; /* VERB_UNSET when not said */
	void *tree;           /* private */
};

/* Read and check a payload. HT_MALFORMED (no JSON, a wrong type), HT_INVALID (a field's
 * value; an unknown field), HT_TOOLARGE, HT_NOMEM. */
HT_MUST_CHECK ht_err verb_decode(enum verb_id verb, const void *bytes, size_t len,
    struct verb_parsed *out, struct ht_fault *fault);
void verb_parsed_fini(struct verb_parsed *parsed); /* accepts a zeroed one */

#endif
