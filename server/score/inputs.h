/* Reads what one agency's indicators need out of the facts, computes them, and tells
 * every input in JSON (the `explain` of an index value). */
#ifndef HT_SERVER_SCORE_INPUTS_H
#define HT_SERVER_SCORE_INPUTS_H

#include <stdint.h>

#include "base/err.h"
#include "base/name.h"
#include "server/score/definition.h"
#include "server/score/indicators.h"
#include "server/store/db.h"

#define INPUTS_EVIDENCE_MAX 64  /* journal ids cited by one value */
#define INPUTS_LISTED_MAX   800 /* inputs told of one value */

struct json_object;

/* The times that count; see score.c. */
struct inputs_time {
	int64_t now_ms;    /* headcounts and declarations hold as of this */
	int64_t window_ms; /* windows end here: a step of an hour */
};

struct inputs_agency {
	char id[HT_ID_MAX + 1], parent[HT_ID_MAX + 1]; /* parent "" at the top */
	bool there, in_scope, grouping, has_agent;
	struct headcount_input headcount;
};

struct inputs_value {
	struct indicator_value v;
	struct json_object *inputs; /* list, owned */
	int64_t evidence[INPUTS_EVIDENCE_MAX];
	size_t n_evidence;
	int64_t evidence_cut, inputs_cut; /* how often one found no room */
	struct json_object *scrap;        /* the last one that found none, owned */
	/* IND_WAN: */
	struct wan_conclusion wan;
	int64_t wan_as_of_ms;
	struct json_object *wan_links; /* list, owned: each link's answer and evidence */
};

/* The agency's row, or out->there false. */
HT_MUST_CHECK ht_err inputs_agency(struct db *db, const struct definition *d,
    const char *agency, const struct inputs_time *t, struct inputs_agency *out);

/* All four values of it. Free each with inputs_fini, also after a failure. */
HT_MUST_CHECK ht_err inputs_compute(struct db *db, const struct definition *d,
    const struct catalogue *c, const struct inputs_agency *a, const struct inputs_time *t,
    struct inputs_value out[static IND_COUNT]);
void inputs_fini(struct inputs_value *v); /* accepts a zeroed one */

/* A number as JSON: whole ones without a fraction, NULL for NaN. */
struct json_object *inputs_number(double v);

#endif
