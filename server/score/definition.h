/* An index definition and its posture catalogue: the tree of indicators, weights, scope
 * and the figures that the four formulas need, all of it data (files in definitions/
 * and catalogues/). Read-only after loading; may be shared between threads. */
#ifndef HT_SERVER_SCORE_DEFINITION_H
#define HT_SERVER_SCORE_DEFINITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/option.h"

struct definition_name {
	char *vi, *en;
};

struct definition_indicator {
	char *id, *vi, *en;
	bool computed; /* from measurements, by this software */
};

struct definition_group {
	char *id;
	double weight;
	struct definition_name name;
	struct ht_list indicators; /* struct definition_indicator */
};

struct definition_index {
	char *id;
	double weight;
	struct definition_name name;
	struct ht_list groups; /* struct definition_group */
};

struct definition_scope {
	struct ht_strings levels, except_kinds;
};

enum definition_method {
	NORMALISE_NONE,
	NORMALISE_Z_SCORE,
	NORMALISE_MIN_MAX,
	NORMALISE_MAX
};

struct definition_normalisation {
	int method, status;
	char *reference_set; /* "" : none named, so nothing is normalised */
	double when_all_equal;
};

struct definition_computers {
	int64_t window_ns, random_window_ns;
	double sure_confidence, enough_coverage;
};

struct definition_factor {
	char *line_type;
	double factor;
};

struct definition_bandwidth {
	struct ht_strings kinds, roles;
	struct ht_list factors; /* struct definition_factor */
	double confidence_declared, confidence_agrees, confidence_contradicts,
	    confidence_measured;
	int64_t measured_max_age_ns;
};

struct definition_wan {
	struct ht_strings kinds;
	int64_t window_ns;
	double min_availability, min_known;
	bool accept_declared, require_path;
	double confidence_measured, confidence_declared, confidence_no_path;
	int64_t path_max_age_ns, inside_max_age_ns;
	char *reference_date; /* NULL: now */
};

struct definition_security {
	char *catalogue;
	double confidence_measured, confidence_declared, confidence_contradicted;
};

struct definition {
	char *id, *version, *effective_from,
	    *effective_to; /* effective_to: NULL for open */
	struct definition_name title;
	int status; /* 0 provisional, 1 official */
	struct definition_scope scope;
	struct definition_normalisation normalisation;
	struct ht_list indices; /* struct definition_index */
	struct definition_computers computers;
	struct definition_bandwidth bandwidth;
	struct definition_wan wan;
	struct definition_security security;
};

/* Read and check one. A mistake is HT_CONFIG with "file:line:column: what, and the cure".
 */
HT_MUST_CHECK ht_err definition_load(
    const char *file, struct definition **out, struct ht_fault *fault);
HT_MUST_CHECK ht_err definition_parse(const char *file, const void *bytes, size_t len,
    struct definition **out, struct ht_fault *fault);
void definition_free(struct definition *d); /* accepts NULL */

/* The indicator's row, or NULL. */
const struct definition_indicator *definition_find(
    const struct definition *d, const char *indicator);

/* Whether an agency of this level and kind is counted. */
bool definition_counts(const struct definition *d, const char *level, const char *kind);

/* The factor of a line type; 1 for one that the table does not list, or NULL. */
double definition_factor(const struct definition *d, const char *line_type);

bool definition_lists(const struct ht_strings *words, const char *word);

enum definition_combine { COMBINE_ANY, COMBINE_ALL };

struct catalogue_check {
	char *id;
	int64_t max_age_ns; /* an older finding is not observable */
};

struct catalogue_solution {
	char *id, *group;
	struct definition_name name;
	int combine;
	double weight;
	struct ht_list checks; /* struct catalogue_check; none: can only be declared */
};

struct catalogue {
	char *id, *version, *effective_from;
	int status;
	struct ht_list solutions; /* struct catalogue_solution */
};

HT_MUST_CHECK ht_err catalogue_load(
    const char *file, struct catalogue **out, struct ht_fault *fault);
HT_MUST_CHECK ht_err catalogue_parse(const char *file, const void *bytes, size_t len,
    struct catalogue **out, struct ht_fault *fault);
void catalogue_free(struct catalogue *c); /* accepts NULL */

#endif
