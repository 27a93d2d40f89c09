#include "server/score/definition.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/name.h"

#define DAY_NS  (24 * 3600 * HT_NS_PER_S)
#define HOUR_MS INT64_C(3600000)

/* ── the tables ──────────────────────────────────────────────────────────────────── */

static const char *const status_names[] = { "provisional", "official", NULL };
static const char *const method_names[] = { "none", "z-score", "min-max", "max", NULL };
static const char *const combine_names[] = { "any", "all", NULL };

/* The four that are computed, and that a definition must therefore list. */
static const char *const computed_ids[] = { "computers", "bandwidth", "wan", "security" };

#define NAME(f) offsetof(struct definition_name, f)
static const struct ht_option name_rows[] = {
	{ "vi", HT_OPT_STRING, NAME(vi), .min = 1, .max = 300, .required = true,
	    .help = "Vietnamese" },
	{ "en", HT_OPT_STRING, NAME(en), .min = 1, .max = 300, .required = true,
	    .help = "English" },
};
static const struct ht_options name_options =
    HT_OPTIONS(struct definition_name, name_rows);

#define IND(f) offsetof(struct definition_indicator, f)
static const struct ht_option indicator_rows[] = {
	{ "id", HT_OPT_STRING, IND(id), .min = 1, .max = 60, .required = true,
	    .help = "id" },
	{ "vi", HT_OPT_STRING, IND(vi), .min = 1, .max = 300, .required = true,
	    .help = "Vietnamese name" },
	{ "en", HT_OPT_STRING, IND(en), .min = 1, .max = 300, .required = true,
	    .help = "English name" },
	{ "computed", HT_OPT_BOOL, IND(computed), .def = "no",
	    .help = "computed from measurements" },
};
static const struct ht_options indicator_options =
    HT_OPTIONS(struct definition_indicator, indicator_rows);

#define GRP(f) offsetof(struct definition_group, f)
static const struct ht_option group_rows[] = {
	{ "id", HT_OPT_STRING, GRP(id), .min = 1, .max = 60, .required = true,
	    .help = "id" },
	{ "weight", HT_OPT_NUMBER, GRP(weight), .min = 0, .max = 1000, .def = "1",
	    .help = "among its siblings" },
	{ "name", HT_OPT_SECTION, GRP(name), .sub = &name_options, .required = true,
	    .help = "its name" },
	{ "indicators", HT_OPT_LIST, GRP(indicators), .min = 1, .max = 200,
	    .sub = &indicator_options, .required = true, .help = "its indicators" },
};
static const struct ht_options group_options =
    HT_OPTIONS(struct definition_group, group_rows);

#define IDX(f) offsetof(struct definition_index, f)
static const struct ht_option index_rows[] = {
	{ "id", HT_OPT_STRING, IDX(id), .min = 1, .max = 60, .required = true,
	    .help = "id" },
	{ "weight", HT_OPT_NUMBER, IDX(weight), .min = 0, .max = 1000, .def = "1",
	    .help = "among its siblings" },
	{ "name", HT_OPT_SECTION, IDX(name), .sub = &name_options, .required = true,
	    .help = "its name" },
	{ "groups", HT_OPT_LIST, IDX(groups), .min = 1, .max = 50, .sub = &group_options,
	    .required = true, .help = "its groups" },
};
static const struct ht_options index_options =
    HT_OPTIONS(struct definition_index, index_rows);

#define SCO(f) offsetof(struct definition_scope, f)
static const struct ht_option scope_rows[] = {
	{ "levels", HT_OPT_STRINGS, SCO(levels), .min = 1, .max = 3, .required = true,
	    .help = "province, district, commune" },
	{ "except_kinds", HT_OPT_STRINGS, SCO(except_kinds), .max = 50,
	    .help = "kinds that are not counted" },
};
static const struct ht_options scope_options =
    HT_OPTIONS(struct definition_scope, scope_rows);

#define NOR(f) offsetof(struct definition_normalisation, f)
static const struct ht_option normalisation_rows[] = {
	{ "method", HT_OPT_ENUM, NOR(method), .names = method_names, .def = "none",
	    .help = "inside a group" },
	{ "status", HT_OPT_ENUM, NOR(status), .names = status_names, .def = "provisional",
	    .help = "how sure it is" },
	{ "reference_set", HT_OPT_STRING, NOR(reference_set), .max = 100, .def = "",
	    .help = "named set of all peers' values" },
	{ "when_all_equal", HT_OPT_NUMBER, NOR(when_all_equal), .min = 0, .max = 1,
	    .def = "0.5", .help = "the value when max = min" },
};
static const struct ht_options normalisation_options =
    HT_OPTIONS(struct definition_normalisation, normalisation_rows);

#define COM(f) offsetof(struct definition_computers, f)
static const struct ht_option computers_rows[] = {
	{ "window", HT_OPT_DURATION, COM(window_ns), .min = 3600 * HT_NS_PER_S,
	    .max = 400 * DAY_NS, .def = "30d",
	    .help = "a machine counts when it was seen in it" },
	{ "random_window", HT_OPT_DURATION, COM(random_window_ns),
	    .min = 3600 * HT_NS_PER_S, .max = 400 * DAY_NS, .def = "1d",
	    .help = "the same for random MACs without a name" },
	{ "sure_confidence", HT_OPT_NUMBER, COM(sure_confidence), .min = 0, .max = 1,
	    .def = "0.7", .help = "for the lower bound" },
	{ "enough_coverage", HT_OPT_NUMBER, COM(enough_coverage), .min = 0, .max = 1,
	    .def = "0.8", .help = "below it the value is partial" },
};
static const struct ht_options computers_options =
    HT_OPTIONS(struct definition_computers, computers_rows);

#define FAC(f) offsetof(struct definition_factor, f)
static const struct ht_option factor_rows[] = {
	{ "line_type", HT_OPT_STRING, FAC(line_type), .min = 1, .max = 60,
	    .required = true, .help = "as in the registry" },
	{ "factor", HT_OPT_NUMBER, FAC(factor), .min = 0, .max = 1000, .required = true,
	    .help = "conversion factor" },
};
static const struct ht_options factor_options =
    HT_OPTIONS(struct definition_factor, factor_rows);

#define BAN(f) offsetof(struct definition_bandwidth, f)
static const struct ht_option bandwidth_rows[] = {
	{ "kinds", HT_OPT_STRINGS, BAN(kinds), .min = 1, .max = 10, .required = true,
	    .help = "kinds of links that count" },
	{ "roles", HT_OPT_STRINGS, BAN(roles), .min = 1, .max = 10, .required = true,
	    .help = "roles of links that count" },
	{ "factors", HT_OPT_LIST, BAN(factors), .max = 50, .sub = &factor_options,
	    .help = "by line type" },
	{ "confidence_declared", HT_OPT_NUMBER, BAN(confidence_declared), .min = 0,
	    .max = 1, .def = "0.5", .help = "a contract alone" },
	{ "confidence_agrees", HT_OPT_NUMBER, BAN(confidence_agrees), .min = 0, .max = 1,
	    .def = "0.8", .help = "the interface agrees" },
	{ "confidence_contradicts", HT_OPT_NUMBER, BAN(confidence_contradicts), .min = 0,
	    .max = 1, .def = "0.3", .help = "something says that it is less" },
	{ "confidence_measured", HT_OPT_NUMBER, BAN(confidence_measured), .min = 0,
	    .max = 1, .def = "0.9", .help = "a throughput test agrees" },
	{ "measured_max_age", HT_OPT_DURATION, BAN(measured_max_age_ns), .min = DAY_NS,
	    .max = 3650 * DAY_NS, .def = "90d",
	    .help = "an older throughput test agrees with nothing" },
};
static const struct ht_options bandwidth_options =
    HT_OPTIONS(struct definition_bandwidth, bandwidth_rows);

#define WAN(f) offsetof(struct definition_wan, f)
static const struct ht_option wan_rows[] = {
	{ "kinds", HT_OPT_STRINGS, WAN(kinds), .min = 1, .max = 10, .required = true,
	    .help = "kinds of links that count" },
	{ "window", HT_OPT_DURATION, WAN(window_ns), .min = 3600 * HT_NS_PER_S,
	    .max = 7 * DAY_NS, .def = "24h", .help = "in which availability is taken" },
	{ "min_availability", HT_OPT_NUMBER, WAN(min_availability), .min = 0, .max = 1,
	    .def = "0.5", .help = "share of rounds answered" },
	{ "min_known", HT_OPT_NUMBER, WAN(min_known), .min = 0, .max = 1, .def = "0.5",
	    .help = "share of the window that must be known for it to tell anything" },
	{ "accept_declared", HT_OPT_BOOL, WAN(accept_declared), .def = "no",
	    .help = "a link that nothing measures counts" },
	{ "confidence_measured", HT_OPT_NUMBER, WAN(confidence_measured), .min = 0,
	    .max = 1, .def = "0.9", .help = "of an answer" },
	{ "confidence_declared", HT_OPT_NUMBER, WAN(confidence_declared), .min = 0,
	    .max = 1, .def = "0.5", .help = "of an answer" },
	{ "confidence_no_path", HT_OPT_NUMBER, WAN(confidence_no_path), .min = 0,
	    .max = 1, .def = "0.7", .help = "reachable, over an unknown path" },
	{ "require_path", HT_OPT_BOOL, WAN(require_path), .def = "no",
	    .help = "without a known path the answer is unknown" },
	{ "path_max_age", HT_OPT_DURATION, WAN(path_max_age_ns),
	    .min = 3600 * HT_NS_PER_S, .max = 400 * DAY_NS, .def = "7d",
	    .help = "an older trace says nothing" },
	{ "inside_max_age", HT_OPT_DURATION, WAN(inside_max_age_ns),
	    .min = 60 * HT_NS_PER_S, .max = 400 * DAY_NS, .def = "1h",
	    .help = "an inside address that answered longer ago says nothing" },
	{ "reference_date", HT_OPT_STRING, WAN(reference_date),
	    .help = "the answer as of the end of this day; absent: now" },
};
static const struct ht_options wan_options = HT_OPTIONS(struct definition_wan, wan_rows);

#define SEC(f) offsetof(struct definition_security, f)
static const struct ht_option security_rows[] = {
	{ "catalogue", HT_OPT_STRING, SEC(catalogue), .min = 1, .max = 60,
	    .required = true, .help = "id of the catalogue" },
	{ "confidence_measured", HT_OPT_NUMBER, SEC(confidence_measured), .min = 0,
	    .max = 1, .def = "0.9", .help = "of an answer" },
	{ "confidence_declared", HT_OPT_NUMBER, SEC(confidence_declared), .min = 0,
	    .max = 1, .def = "0.5", .help = "of an answer" },
	{ "confidence_contradicted", HT_OPT_NUMBER, SEC(confidence_contradicted),
	    .min = 0, .max = 1, .def = "0.4", .help = "of an answer" },
};
static const struct ht_options security_options =
    HT_OPTIONS(struct definition_security, security_rows);

#define DEF(f) offsetof(struct definition, f)
static const struct ht_option definition_rows[] = {
	{ "definition", HT_OPT_STRING, DEF(id), .min = 1, .max = 60, .required = true,
	    .help = "id" },
	{ "version", HT_OPT_STRING, DEF(version), .min = 1, .max = 40, .required = true,
	    .help = "a new one with each change" },
	{ "title", HT_OPT_SECTION, DEF(title), .sub = &name_options, .required = true,
	    .help = "its name" },
	{ "effective_from", HT_OPT_STRING, DEF(effective_from), .required = true,
	    .help = "date" },
	{ "effective_to", HT_OPT_STRING, DEF(effective_to),
	    .help = "date; absent: open" },
	{ "status", HT_OPT_ENUM, DEF(status), .names = status_names, .def = "provisional",
	    .help = "how sure it is" },
	{ "scope", HT_OPT_SECTION, DEF(scope), .sub = &scope_options, .required = true,
	    .help = "agencies that are counted" },
	{ "normalisation", HT_OPT_SECTION, DEF(normalisation),
	    .sub = &normalisation_options, .help = "inside a group" },
	{ "indices", HT_OPT_LIST, DEF(indices), .min = 1, .max = 20,
	    .sub = &index_options, .required = true, .help = "the tree" },
	{ "computers", HT_OPT_SECTION, DEF(computers), .sub = &computers_options,
	    .required = true, .help = "formula" },
	{ "bandwidth", HT_OPT_SECTION, DEF(bandwidth), .sub = &bandwidth_options,
	    .required = true, .help = "formula" },
	{ "wan", HT_OPT_SECTION, DEF(wan), .sub = &wan_options, .required = true,
	    .help = "formula" },
	{ "security", HT_OPT_SECTION, DEF(security), .sub = &security_options,
	    .required = true, .help = "formula" },
};
static const struct ht_options definition_options =
    HT_OPTIONS(struct definition, definition_rows);

#define CHK(f) offsetof(struct catalogue_check, f)
static const struct ht_option check_rows[] = {
	{ "id", HT_OPT_STRING, CHK(id), .min = 1, .max = HT_INSTANCE_MAX,
	    .required = true, .help = "check id of a posture probe" },
	{ "max_age", HT_OPT_DURATION, CHK(max_age_ns), .min = 60 * HT_NS_PER_S,
	    .max = 400 * DAY_NS, .def = "7d", .help = "older is not observable" },
};
static const struct ht_options check_options =
    HT_OPTIONS(struct catalogue_check, check_rows);

#define SOL(f) offsetof(struct catalogue_solution, f)
static const struct ht_option solution_rows[] = {
	{ "id", HT_OPT_STRING, SOL(id), .min = 1, .max = 60, .required = true,
	    .help = "id, as in declarations" },
	{ "group", HT_OPT_STRING, SOL(group), .min = 1, .max = 60, .required = true,
	    .help = "heading" },
	{ "name", HT_OPT_SECTION, SOL(name), .sub = &name_options, .required = true,
	    .help = "its name" },
	{ "combine", HT_OPT_ENUM, SOL(combine), .names = combine_names, .def = "any",
	    .help = "several agents' answers" },
	{ "weight", HT_OPT_NUMBER, SOL(weight), .min = 0, .max = 1000, .def = "1",
	    .help = "in the mean" },
	{ "checks", HT_OPT_LIST, SOL(checks), .max = 50, .sub = &check_options,
	    .help = "that give evidence" },
};
static const struct ht_options solution_options =
    HT_OPTIONS(struct catalogue_solution, solution_rows);

#define CAT(f) offsetof(struct catalogue, f)
static const struct ht_option catalogue_rows[] = {
	{ "catalogue", HT_OPT_STRING, CAT(id), .min = 1, .max = 60, .required = true,
	    .help = "id" },
	{ "version", HT_OPT_STRING, CAT(version), .min = 1, .max = 40, .required = true,
	    .help = "a new one with each change" },
	{ "effective_from", HT_OPT_STRING, CAT(effective_from), .required = true,
	    .help = "date" },
	{ "status", HT_OPT_ENUM, CAT(status), .names = status_names, .def = "provisional",
	    .help = "how sure it is" },
	{ "solutions", HT_OPT_LIST, CAT(solutions), .min = 1, .max = 63,
	    .sub = &solution_options, .required = true,
	    .help = "what an agency may have" },
};
static const struct ht_options catalogue_options =
    HT_OPTIONS(struct catalogue, catalogue_rows);

/* ── what tables cannot say ──────────────────────────────────────────────────────── */

static ht_err check_date(
    const struct ht_node *root, const char *key, const char *text, struct ht_fault *fault)
{
	int64_t at_ms;

	if (!text || ht_rfc3339_parse(text, &at_ms) == HT_OK)
		return HT_OK;
	return ht_node_fault(
	    ht_node_get(root, key), fault, "'%.40s' is no date; write 2018-01-01", text);
}

static bool one_of(const char *word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (words[i] && strcmp(word, words[i]) == 0)
			return true;
	}
	return false;
}

static ht_err check_words(const struct ht_node *root, const char *section,
    const char *key, const struct ht_strings *words, const char *const *allowed, size_t n,
    struct ht_fault *fault)
{
	for (size_t i = 0; i < words->n; i++) {
		if (!one_of(words->at[i], allowed, n))
			return ht_node_fault(ht_node_get(ht_node_get(root, section), key),
			    fault,
			    "'%.60s' is unknown here; the first allowed word is '%s'",
			    words->at[i], allowed[0]);
	}
	return HT_OK;
}

static ht_err check_vocabulary(
    const struct definition *d, const struct ht_node *root, struct ht_fault *fault)
{
	static const char *const levels[] = { "province", "district", "commune" };
	static const char *const kinds[] = { "province-wan", "government-wan",
		"internet" };
	static const char *const roles[] = { "primary", "backup" };
	const struct {
		const char *section, *key;
		const struct ht_strings *words;
		const char *const *allowed;
		size_t n;
	} rows[] = {
		{ "scope", "levels", &d->scope.levels, levels, HT_COUNT(levels) },
		{ "bandwidth", "kinds", &d->bandwidth.kinds, kinds, HT_COUNT(kinds) },
		{ "bandwidth", "roles", &d->bandwidth.roles, roles, HT_COUNT(roles) },
		{ "wan", "kinds", &d->wan.kinds, kinds, HT_COUNT(kinds) },
	};

	for (size_t i = 0; i < HT_COUNT(rows); i++) {
		ht_err err = check_words(root, rows[i].section, rows[i].key,
		    rows[i].words, rows[i].allowed, rows[i].n, fault);
		if (err)
			return err;
	}
	return HT_OK;
}

/* Every id once; the four are there, and only they are computed. */
static ht_err check_indicators(
    const struct definition *d, const struct ht_node *root, struct ht_fault *fault)
{
	const struct definition_index *indices = d->indices.at;

	for (size_t i = 0; i < d->indices.n; i++) {
		const struct definition_group *groups = indices[i].groups.at;
		for (size_t g = 0; g < indices[i].groups.n; g++) {
			const struct definition_indicator *rows = groups[g].indicators.at;
			for (size_t k = 0; k < groups[g].indicators.n; k++) {
				const struct ht_node *node =
				    groups[g].indicators.nodes[k];
				if (definition_find(d, rows[k].id) != &rows[k])
					return ht_node_fault(node, fault,
					    "an indicator '%s' stands above already; "
					    "give this one another id",
					    rows[k].id);
				if (rows[k].computed && !one_of(rows[k].id, computed_ids,
							    HT_COUNT(computed_ids)))
					return ht_node_fault(node, fault,
					    "nothing computes '%s'; write computed: no",
					    rows[k].id);
			}
		}
	}
	for (size_t i = 0; i < HT_COUNT(computed_ids); i++) {
		const struct definition_indicator *row =
		    definition_find(d, computed_ids[i]);
		if (!row || !row->computed)
			return ht_node_fault(ht_node_get(root, "indices"), fault,
			    "no indicator '%s' with "
			    "computed: yes; add it to a group",
			    computed_ids[i]);
	}
	return HT_OK;
}

static ht_err check_definition(
    const struct definition *d, const struct ht_node *root, struct ht_fault *fault)
{
	if (!ht_id_valid(d->id, 60))
		return ht_node_fault(ht_node_get(root, "definition"), fault,
		    "'%.60s' is no id; use letters, "
		    "digits, '.', '_', ':' and '-'",
		    d->id);
	ht_err err = check_date(root, "effective_from", d->effective_from, fault);
	if (!err)
		err = check_date(root, "effective_to", d->effective_to, fault);
	if (!err)
		err = check_date(ht_node_get(root, "wan"), "reference_date",
		    d->wan.reference_date, fault);
	if (!err)
		err = check_vocabulary(d, root, fault);
	if (!err)
		err = check_indicators(d, root, fault);
	return err;
}

static ht_err check_catalogue(
    const struct catalogue *c, const struct ht_node *root, struct ht_fault *fault)
{
	const struct catalogue_solution *rows = c->solutions.at;

	for (size_t i = 0; i < c->solutions.n; i++) {
		for (size_t k = 0; k < i; k++) {
			if (strcmp(rows[i].id, rows[k].id) == 0)
				return ht_node_fault(c->solutions.nodes[i], fault,
				    "a solution '%s' stands above "
				    "already; give this one another id",
				    rows[i].id);
		}
	}
	return check_date(root, "effective_from", c->effective_from, fault);
}

/* ── loading ─────────────────────────────────────────────────────────────────────── */

static ht_err definition_from(
    const struct ht_yaml *y, struct definition **out, struct ht_fault *fault)
{
	struct definition *d = calloc(1, sizeof(*d));

	if (!d)
		return HT_NOMEM;
	ht_err err = ht_options_load(&definition_options, NULL, y->root, d, fault);
	if (!err)
		err = check_definition(d, y->root, fault);
	if (err)
		definition_free(d);
	else
		*out = d;
	return err;
}

ht_err definition_load(const char *file, struct definition **out, struct ht_fault *fault)
{
	struct ht_yaml y = { 0 };
	ht_err err = ht_yaml_load(file, &y, fault);

	if (!err)
		err = definition_from(&y, out, fault);
	ht_yaml_fini(&y);
	return err;
}

ht_err definition_parse(const char *file, const void *bytes, size_t len,
    struct definition **out, struct ht_fault *fault)
{
	struct ht_yaml y = { 0 };
	ht_err err = ht_yaml_parse(file, bytes, len, &y, fault);

	if (!err)
		err = definition_from(&y, out, fault);
	ht_yaml_fini(&y);
	return err;
}

void definition_free(struct definition *d)
{
	if (!d)
		return;
	ht_options_fini(&definition_options, d);
	free(d);
}

static ht_err catalogue_from(
    const struct ht_yaml *y, struct catalogue **out, struct ht_fault *fault)
{
	struct catalogue *c = calloc(1, sizeof(*c));

	if (!c)
		return HT_NOMEM;
	ht_err err = ht_options_load(&catalogue_options, NULL, y->root, c, fault);
	if (!err)
		err = check_catalogue(c, y->root, fault);
	if (err)
		catalogue_free(c);
	else
		*out = c;
	return err;
}

ht_err catalogue_load(const char *file, struct catalogue **out, struct ht_fault *fault)
{
	struct ht_yaml y = { 0 };
	ht_err err = ht_yaml_load(file, &y, fault);

	if (!err)
		err = catalogue_from(&y, out, fault);
	ht_yaml_fini(&y);
	return err;
}

ht_err catalogue_parse(const char *file, const void *bytes, size_t len,
    struct catalogue **out, struct ht_fault *fault)
{
	struct ht_yaml y = { 0 };
	ht_err err = ht_yaml_parse(file, bytes, len, &y, fault);

	if (!err)
		err = catalogue_from(&y, out, fault);
	ht_yaml_fini(&y);
	return err;
}

void catalogue_free(struct catalogue *c)
{
	if (!c)
		return;
	ht_options_fini(&catalogue_options, c);
	free(c);
}

/* ── asking ──────────────────────────────────────────────────────────────────────── */

const struct definition_indicator *definition_find(
    const struct definition *d, const char *indicator)
{
	const struct definition_index *indices = d->indices.at;

	for (size_t i = 0; i < d->indices.n; i++) {
		const struct definition_group *groups = indices[i].groups.at;
		for (size_t g = 0; g < indices[i].groups.n; g++) {
			const struct definition_indicator *rows = groups[g].indicators.at;
			for (size_t k = 0; k < groups[g].indicators.n; k++) {
				if (strcmp(rows[k].id, indicator) == 0)
					return &rows[k];
			}
		}
	}
	return NULL;
}

bool definition_lists(const struct ht_strings *words, const char *word)
{
	for (size_t i = 0; word && i < words->n; i++) {
		if (strcmp(words->at[i], word) == 0)
			return true;
	}
	return false;
}

bool definition_counts(const struct definition *d, const char *level, const char *kind)
{
	return definition_lists(&d->scope.levels, level) &&
	       !definition_lists(&d->scope.except_kinds, kind);
}

double definition_factor(const struct definition *d, const char *line_type)
{
	const struct definition_factor *rows = d->bandwidth.factors.at;

	for (size_t i = 0; line_type && i < d->bandwidth.factors.n; i++) {
		if (strcmp(rows[i].line_type, line_type) == 0)
			return rows[i].factor;
	}
	return 1;
}
