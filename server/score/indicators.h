/* The four infrastructure indicators of one agency, and their sums over many: pure cores.
 * Inputs are plain structs, outputs say what is known, how much of it, how sure, from
 * where, why not, and what would help. What was not measured is unknown, never 0. */
#ifndef HT_SERVER_SCORE_INDICATORS_H
#define HT_SERVER_SCORE_INDICATORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/derive/wan_connected.h"
#include "server/score/definition.h"

#define INDICATOR_TEXT_MAX 320

enum indicator { IND_COMPUTERS, IND_BANDWIDTH, IND_WAN, IND_SECURITY };
#define IND_COUNT (IND_SECURITY + 1)

struct indicator_info {
	const char *id; /* as in definitions and SQL */
	const char *unit, *numerator_unit, *denominator_unit;
	bool
	    by_servants; /* the denominator is civil servants; else agencies or answers */
	const char *formula; /* one line, English */
};
extern const struct indicator_info indicator_info[IND_COUNT];
bool indicator_find(const char *id, enum indicator *out);

enum value_status { VALUE_KNOWN, VALUE_PARTIAL, VALUE_UNKNOWN };
enum value_source { SOURCE_MEASURED, SOURCE_DECLARED, SOURCE_MIXED, SOURCE_NONE };
enum value_cause { CAUSE_NONE, CAUSE_NO_HEADCOUNT, CAUSE_NOT_MEASURED };
const char *value_status_name(enum value_status s);
const char *value_source_name(enum value_source s);

struct indicator_value {
	enum value_status status;
	enum value_source source;
	enum value_cause cause;  /* of VALUE_UNKNOWN */
	double value, low, high; /* NaN: not known, or no interval */
	double numerator,
	    denominator; /* NaN: not known; a numerator may be known alone */
	double numerator_low, numerator_high;                      /* NaN: no interval */
	double coverage, confidence;                               /* 0 to 1 */
	char reason[INDICATOR_TEXT_MAX], cure[INDICATOR_TEXT_MAX]; /* "" when known */
};

/* Civil servants as of now. */
struct headcount_input {
	bool known;
	int64_t servants;
};

struct computers_input {
	struct headcount_input headcount;
	bool has_agent;            /* an agent is enrolled in the agency */
	int64_t sure;              /* computers at or above the sure confidence */
	int64_t likely;            /* all computers, the sure ones too */
	int64_t maybe;             /* machines of unknown class that may be one */
	double class_confidence;   /* mean over the likely ones */
	double declared, observed; /* address × hours; declared 0: no scan at all */
};
void indicator_computers(const struct definition *d, const struct computers_input *in,
    struct indicator_value *out);

struct bandwidth_link_input {
	const char *id;
	double contracted_bps; /* NaN: not entered */
	double negotiated_bps; /* NaN: not measured */
	double factor;
	bool measured;       /* a throughput test told measured_bps, not too long ago */
	double measured_bps; /* TCP payload */
	bool contradicted;   /* what is known of it contradicts the contract */
};
struct bandwidth_input {
	struct headcount_input headcount;
	const struct bandwidth_link_input *links; /* those that count */
	size_t n;
};
void indicator_bandwidth(const struct definition *d, const struct bandwidth_input *in,
    struct indicator_value *out);

struct wan_input {
	const struct wan_link *links; /* those of a kind that counts */
	size_t n;
	size_t n_registered; /* links of any kind */
};
struct wan_rules indicator_wan_rules(const struct definition *d);
/* By server/derive/wan_connected.h. */
void indicator_wan(
    const struct definition *d, const struct wan_input *in, struct indicator_value *out);

enum answer { ANSWER_NONE, ANSWER_NO, ANSWER_YES };
struct security_solution {
	const char *id;
	double weight;
	enum answer measured; /* ANSWER_NONE: not observable, too old, never looked */
	enum answer declared; /* ANSWER_NONE: nobody did, or it has expired */
	bool expired;         /* a declaration there was */
};
struct security_input {
	const struct security_solution *solutions;
	size_t n;
	bool has_agent;
};
/* The answer that counts: measured beats declared. */
enum answer indicator_answer(const struct security_solution *s);
void indicator_security(const struct definition *d, const struct security_input *in,
    struct indicator_value *out);

/* Put several agents' findings of one solution together. `answers` holds yes and no only.
 */
enum answer indicator_combine(
    enum definition_combine how, const enum answer *answers, size_t n);

/* An agency that only groups others: nothing to measure. */
void indicator_grouping(struct indicator_value *out);

/* ── sums ────────────────────────────────────────────────────────────────────────── */

struct indicator_sum {
	int64_t n, n_known, n_partial, n_no_headcount, n_not_measured, n_headcount;
	double servants, servants_covered;
	double numerator, denominator, low, high;
	double coverage, confidence, weight;
	int64_t sources;     /* 1 << enum value_source */
	int64_t computed_ms; /* the newest */
};

/* Count one agency's value in. */
void indicator_sum_add(enum indicator which, struct indicator_sum *sum,
    const struct indicator_value *v, const struct headcount_input *headcount);
void indicator_sum_merge(struct indicator_sum *into, const struct indicator_sum *from);

/* The value of the sum: numerator and denominator cover what is known, the coverage says
 * how much of all that is. An agency that is missing never counts as 0. */
void indicator_sum_value(
    enum indicator which, const struct indicator_sum *sum, struct indicator_value *out);

#endif
