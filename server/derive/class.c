#include "server/derive/class.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

enum { TEXT_MAX = 255 };

static const char *const class_names[] = {
	[CLASS_COMPUTER] = "computer",
	[CLASS_SERVER] = "server",
	[CLASS_PRINTER] = "printer",
	[CLASS_PHONE] = "phone",
	[CLASS_MOBILE] = "mobile",
	[CLASS_CAMERA] = "camera",
	[CLASS_NETWORK] = "network",
	[CLASS_STORAGE] = "storage",
	[CLASS_UPS] = "ups",
	[CLASS_IOT] = "iot",
	[CLASS_UNKNOWN] = "unknown",
	NULL,
};

enum rule_on {
	ON_GATEWAY,
	ON_HOST,
	ON_HOST_SERVER,
	ON_RANDOM_MAC,
	ON_HOSTNAME,
	ON_DHCP_CLASS,
	ON_DHCP_PARAMETERS,
	ON_VENDOR,
};
static const char *const on_names[] = {
	"gateway",
	"host",
	"host_server",
	"random_mac",
	"hostname",
	"dhcp_class",
	"dhcp_parameters",
	"vendor",
	NULL,
};
static const char *const on_help[] = {
	"it is the subnet's gateway",
	"an agent runs on it",
	"nobody works at it",
	"its MAC is a random one",
	"host name",
	"DHCP class",
	"DHCP parameters",
	"vendor",
};

struct rule {
	char *id;
	int on;
	struct ht_strings match; /* any of these globs; none for facts that are yes/no */
	int class;
	double confidence;
};

struct local_prefix {
	char *mac, *vendor;
};

struct class_rules {
	struct rules_options {
		char *version, *effective_from;
		double least;
		struct ht_list local, rules;
		struct ht_strings generic;
	} o;
};

static const struct ht_option local_rows[] = {
	{ "mac", HT_OPT_STRING, offsetof(struct local_prefix, mac), .min = 8, .max = 8,
	    .required = true, .help = "first three bytes, aa:bb:cc" },
	{ "vendor", HT_OPT_STRING, offsetof(struct local_prefix, vendor), .min = 1,
	    .max = 80, .required = true, .help = "who uses them" },
};
static const struct ht_options local_options =
    HT_OPTIONS(struct local_prefix, local_rows);

static const struct ht_option rule_rows[] = {
	{ "id", HT_OPT_STRING, offsetof(struct rule, id), .min = 1, .max = 60,
	    .required = true, .help = "name of the rule" },
	{ "on", HT_OPT_ENUM, offsetof(struct rule, on), .names = on_names,
	    .required = true, .help = "the fact it looks at" },
	{ "match", HT_OPT_STRINGS, offsetof(struct rule, match), .max = 200,
	    .help = "patterns with * and ?, upper and lower case alike" },
	{ "class", HT_OPT_ENUM, offsetof(struct rule, class), .names = class_names,
	    .required = true, .help = "what it speaks for" },
	{ "confidence", HT_OPT_NUMBER, offsetof(struct rule, confidence), .min = 0,
	    .max = 1, .required = true, .help = "how sure it is, 0 to 1" },
};
static const struct ht_options rule_options = HT_OPTIONS(struct rule, rule_rows);

static const struct ht_option rules_rows[] = {
	{ "version", HT_OPT_STRING, offsetof(struct rules_options, version), .min = 1,
	    .max = 40, .required = true, .help = "a new one with each change" },
	{ "effective_from", HT_OPT_STRING, offsetof(struct rules_options, effective_from),
	    .required = true, .help = "date" },
	{ "least_confidence", HT_OPT_NUMBER, offsetof(struct rules_options, least),
	    .min = 0, .max = 1, .def = "0.5", .help = "a class below it is unknown" },
	{ "local_prefixes", HT_OPT_LIST, offsetof(struct rules_options, local),
	    .sub = &local_options,
	    .help = "locally administered MACs that are not random" },
	{ "generic_hostnames", HT_OPT_STRINGS, offsetof(struct rules_options, generic),
	    .max = 500, .help = "names that identify nothing, patterns" },
	{ "rules", HT_OPT_LIST, offsetof(struct rules_options, rules), .max = 2000,
	    .sub = &rule_options, .required = true, .help = "one fact, one class each" },
};
static const struct ht_options rules_options =
    HT_OPTIONS(struct rules_options, rules_rows);

const char *class_name(enum device_class c)
{
	return class_names[c];
}

bool class_find(const char *name, enum device_class *out)
{
	for (int i = 0; i < CLASS_COUNT; i++) {
		if (strcmp(name, class_names[i]) == 0) {
			*out = (enum device_class)i;
			return true;
		}
	}
	return false;
}

bool class_glob(const char *pattern, const char *text)
{
	const char *star = NULL, *mark = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			mark = text;
		} else if (*pattern == '?' ||
			   (*pattern && tolower((unsigned char)*pattern) ==
					    tolower((unsigned char)*text))) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++mark;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

static bool matches_any(const struct ht_strings *globs, const char *text)
{
	if (!text || strlen(text) > TEXT_MAX)
		return false;
	for (size_t i = 0; i < globs->n; i++) {
		if (class_glob(globs->at[i], text))
			return true;
	}
	return false;
}

static bool is_flag(int on)
{
	return on <= ON_RANDOM_MAC;
}

/* What a table cannot say. */
static ht_err check(
    const struct rules_options *o, const struct ht_node *root, struct ht_fault *fault)
{
	const struct rule *rules = o->rules.at;
	int64_t at_ms;

	if (ht_rfc3339_parse(o->effective_from, &at_ms))
		return ht_node_fault(ht_node_get(root, "effective_from"), fault,
		    "'%.40s' is no date; write 2018-01-01", o->effective_from);
	for (size_t i = 0; i < o->rules.n; i++) {
		const struct ht_node *node = o->rules.nodes[i];
		if (!is_flag(rules[i].on) && !rules[i].match.n)
			return ht_node_fault(node, fault,
			    "rule '%s' looks at %s but has no 'match'; add patterns",
			    rules[i].id, on_names[rules[i].on]);
		if (is_flag(rules[i].on) && rules[i].match.n)
			return ht_node_fault(node, fault,
			    "rule '%s' looks at a yes/no fact; remove 'match'",
			    rules[i].id);
		if (rules[i].class == CLASS_UNKNOWN)
			return ht_node_fault(node, fault,
			    "rule '%s' speaks for 'unknown'; that is what is left "
			    "when no rule is sure; remove the rule",
			    rules[i].id);
		for (size_t k = 0; k < i; k++) {
			if (strcmp(rules[k].id, rules[i].id) == 0)
				return ht_node_fault(node, fault,
				    "a rule '%s' stands above already; give this one "
				    "another id",
				    rules[i].id);
		}
	}
	const struct local_prefix *local = o->local.at;
	for (size_t i = 0; i < o->local.n; i++) {
		struct ht_mac m;
		char text[HT_MAC_TEXT];
		snprintf(text, sizeof(text), "%.8s:00:00:00", local[i].mac);
		if (ht_mac_parse(text, &m) || !ht_mac_is_local(&m))
			return ht_node_fault(o->local.nodes[i], fault,
			    "'%s' is no locally administered prefix; "
			    "write one such as 52:54:00",
			    local[i].mac);
	}
	return HT_OK;
}

static ht_err from_yaml(
    struct ht_yaml *y, struct class_rules **out, struct ht_fault *fault)
{
	struct class_rules *r = calloc(1, sizeof(*r));

	if (!r)
		return HT_NOMEM;
	ht_err err = ht_options_load(&rules_options, NULL, y->root, &r->o, fault);
	if (!err)
		err = check(&r->o, y->root, fault);
	if (err)
		class_rules_free(r);
	else
		*out = r;
	return err;
}

ht_err class_rules_load(
    const char *file, struct class_rules **out, struct ht_fault *fault)
{
	struct ht_yaml y = { 0 };
	ht_err err = ht_yaml_load(file, &y, fault);

	if (!err)
		err = from_yaml(&y, out, fault);
	ht_yaml_fini(&y);
	return err;
}

ht_err class_rules_parse(const char *file, const void *bytes, size_t len,
    struct class_rules **out, struct ht_fault *fault)
{
	struct ht_yaml y = { 0 };
	ht_err err = ht_yaml_parse(file, bytes, len, &y, fault);

	if (!err)
		err = from_yaml(&y, out, fault);
	ht_yaml_fini(&y);
	return err;
}

void class_rules_free(struct class_rules *r)
{
	if (!r)
		return;
	ht_options_fini(&rules_options, &r->o);
	free(r);
}

const char *class_rules_version(const struct class_rules *r)
{
	return r->o.version;
}

const char *class_local_vendor(const struct class_rules *r, const struct ht_mac *mac)
{
	const struct local_prefix *local = r->o.local.at;
	char text[HT_MAC_TEXT];

	ht_mac_format(mac, text);
	for (size_t i = 0; i < r->o.local.n; i++) {
		if (strncasecmp(local[i].mac, text, 8) == 0)
			return local[i].vendor;
	}
	return NULL;
}

bool class_generic_hostname(const struct class_rules *r, const char *hostname)
{
	return !hostname || !hostname[0] || matches_any(&r->o.generic, hostname);
}

static const char *fact_text(const struct class_facts *f, int on)
{
	switch (on) {
	case ON_HOSTNAME:
		return f->hostname;
	case ON_DHCP_CLASS:
		return f->dhcp_class;
	case ON_DHCP_PARAMETERS:
		return f->dhcp_parameters;
	default:
		return f->vendor;
	}
}

static bool fires(const struct rule *rule, const struct class_facts *f)
{
	switch (rule->on) {
	case ON_GATEWAY:
		return f->gateway;
	case ON_HOST:
		return f->host;
	case ON_HOST_SERVER:
		return f->host_server;
	case ON_RANDOM_MAC:
		return f->random_mac;
	default:
		return matches_any(&rule->match, fact_text(f, rule->on));
	}
}

static void tell(
    struct class_verdict *v, const struct rule *rule, const struct class_facts *f)
{
	size_t n = strlen(v->why);
	const char *text = is_flag(rule->on) ? NULL : fact_text(f, rule->on);

	if (n + 1 < sizeof(v->why))
		snprintf(v->why + n, sizeof(v->why) - n, "%s%s%s%.48s%s", n ? ", " : "",
		    on_help[rule->on], text ? " \"" : "", text ? text : "",
		    text ? "\"" : "");
}

/* Index of the greatest; the first of equals. */
static int greatest(const double score[static CLASS_COUNT], int except)
{
	int best = -1;

	for (int c = 0; c < CLASS_UNKNOWN; c++) {
		if (c != except && (best < 0 || score[c] > score[best]))
			best = c;
	}
	return best;
}

void class_judge(const struct class_rules *r, const struct class_facts *facts, size_t n,
    struct class_verdict *out)
{
	const struct rule *rules = r->o.rules.at;
	double doubt[CLASS_COUNT], score[CLASS_COUNT];

	for (int c = 0; c < CLASS_COUNT; c++)
		doubt[c] = 1;
	for (size_t i = 0; i < r->o.rules.n; i++) {
		for (size_t k = 0; k < n; k++) {
			if (fires(&rules[i], &facts[k])) {
				doubt[rules[i].class] *= 1 - rules[i].confidence;
				break;
			}
		}
	}
	for (int c = 0; c < CLASS_COUNT; c++)
		score[c] = 1 - doubt[c];

	int best = greatest(score, -1), second = greatest(score, best);
	struct class_verdict v = { .class = (enum device_class)best };
	/* What speaks for another class takes away as much as it is sure. */
	v.confidence = score[best] * (1 - score[second] / 2);
	if (score[best] <= 0 || v.confidence < r->o.least) {
		v.class = CLASS_UNKNOWN;
		v.confidence = 0;
	}
	for (size_t i = 0; i < r->o.rules.n; i++) {
		if (v.class != CLASS_UNKNOWN && rules[i].class != (int)v.class)
			continue;
		for (size_t k = 0; k < n; k++) {
			if (fires(&rules[i], &facts[k])) {
				tell(&v, &rules[i], &facts[k]);
				break;
			}
		}
	}
	if (!v.why[0])
		snprintf(v.why, sizeof(v.why), "no rule knows it");
	*out = v;
}
