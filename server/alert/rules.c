#include "server/alert/rules.h"

#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/name.h"
#include "server/alert/channel.h"
#include "server/derive/share.h"

#define FILE_MAX_BYTES (1024 * 1024)
#define DAY_NS         (86400 * HT_NS_PER_S)
#define DAY_S          INT64_C(86400)
#define ZONE_MAX_S     (14 * 3600)
#define LOOK_AHEAD     400 /* days until the next office day, at most */

/* ── the tables ──────────────────────────────────────────────────────────────────── */

static const char *const severities[] = { "info", "warning", "critical", NULL };
static const char *const group_names[] = { "parent", "provider", "district", NULL };
static const char *const day_names[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun",
	NULL };
static const char *const roles[] = { "primary", "backup", NULL };
static const char *const link_kinds[] = { "province-wan", "government-wan", "internet",
	NULL };

/* Kinds of problems that folds write (migration 0003); a later kind is a line here. */
static const char *const problem_kinds[] = { "link-down", "link-unreachable",
	"link-degraded", "link-unstable", "link-unpingable", "on-backup", "agent-silent",
	"vantage-blind", "certificate-expiry", "disk-ceiling", "queue-growing",
	"peer-silent", "link-below-contract", "link-saturated", "link-contradiction",
	NULL };

static const struct {
	const char *name;
	int64_t east_s;
} zones[] = {
	{ "Asia/Ho_Chi_Minh", 7 * 3600 },
	{ "Asia/Bangkok", 7 * 3600 },
	{ "UTC", 0 },
};

/* clang-format off */
#define HRS(f) offsetof(struct rules_hours, f)
static const struct ht_option hours_rows[] = {
	{ "id", HT_OPT_STRING, HRS(id), .min = 1, .max = RULES_ID_MAX, .required = true, .help = "its name, for `hours` of a rule" },
	{ "days", HT_OPT_STRINGS, HRS(day_names), .min = 1, .max = 7, .required = true, .help = "mon, tue, wed, thu, fri, sat, sun" },
	{ "from", HT_OPT_STRING, HRS(from_text), .min = 5, .max = 5, .required = true, .help = "time of day, \"07:30\"" },
	{ "to", HT_OPT_STRING, HRS(to_text), .min = 5, .max = 5, .required = true, .help = "time of day, \"17:00\"; \"24:00\": midnight" },
	{ "except", HT_OPT_STRINGS, HRS(except_names), .max = 200, .help = "days off, 2026-01-01" },
};
static const struct ht_options hours_table = HT_OPTIONS(struct rules_hours, hours_rows);

#define GRP(f) offsetof(struct rules_group, f)
static const struct ht_option group_rows[] = {
	{ "by", HT_OPT_ENUM, GRP(by), .names = group_names, .required = true, .help = "parent, provider or district" },
	{ "window", HT_OPT_DURATION, GRP(window_ns), .min = HT_NS_PER_S, .max = DAY_NS, .def = "60s", .help = "provider, district: they began within so much" },
	{ "members", HT_OPT_INT, GRP(members), .min = 2, .max = 10000, .def = "5", .help = "provider, district: so many at least" },
	{ "share", HT_OPT_INT, GRP(share), .min = 0, .max = 100, .def = "5", .help = "provider, district: and so many per cent of its links" },
};
static const struct ht_options group_table = HT_OPTIONS(struct rules_group, group_rows);

#define STP(f) offsetof(struct rules_step, f)
static const struct ht_option step_rows[] = {
	{ "after", HT_OPT_DURATION, STP(after_ns), .min = HT_NS_PER_S, .max = 30 * DAY_NS, .required = true, .help = "after the announcement, or the step before" },
	{ "route", HT_OPT_STRINGS, STP(route_names), .max = RULES_CHANNELS_MAX, .help = "channels; default: all" },
};
static const struct ht_options step_table = HT_OPTIONS(struct rules_step, step_rows);

#define MAT(f) offsetof(struct rules_match, f)
static const struct ht_option match_rows[] = {
	{ "agencies", HT_OPT_STRINGS, MAT(agencies), .max = 1000, .help = "ids of agencies: they and those below" },
	{ "districts", HT_OPT_STRINGS, MAT(districts), .max = 1000, .help = "ids of districts" },
	{ "providers", HT_OPT_STRINGS, MAT(providers), .max = 100, .help = "carriers" },
	{ "roles", HT_OPT_STRINGS, MAT(roles), .max = 2, .help = "primary, backup" },
	{ "link_kinds", HT_OPT_STRINGS, MAT(link_kinds), .max = 3, .help = "province-wan, government-wan, internet" },
};
static const struct ht_options match_table = HT_OPTIONS(struct rules_match, match_rows);

#define LIM(f) offsetof(struct rules_limit, f)
static const struct ht_option limit_rows[] = {
	{ "messages", HT_OPT_INT, LIM(messages), .min = 1, .max = 100000, .def = "60", .help = "announcements of this rule" },
	{ "per", HT_OPT_DURATION, LIM(per_ns), .min = HT_NS_PER_S, .max = DAY_NS, .def = "10m", .help = "within so much" },
};
static const struct ht_options limit_table = HT_OPTIONS(struct rules_limit, limit_rows);

#define RUL(f) offsetof(struct rules_rule, f)
static const struct ht_option rule_rows[] = {
	{ "id", HT_OPT_STRING, RUL(id), .min = 1, .max = RULES_ID_MAX, .required = true, .help = "its name; part of an incident's id" },
	{ "kinds", HT_OPT_STRINGS, RUL(kinds), .min = 1, .max = 32, .required = true, .help = "kinds of problems" },
	{ "severity", HT_OPT_ENUM, RUL(severity), .names = severities, .def = "warning", .help = "info, warning or critical" },
	{ "hold", HT_OPT_DURATION, RUL(hold_ns), .max = 30 * DAY_NS, .def = "0s", .help = "tell only what lasts so long" },
	{ "gather", HT_OPT_DURATION, RUL(gather_ns), .max = 3600 * HT_NS_PER_S, .def = "1s", .help = "wait for the others when several of one group begin at once" },
	{ "update", HT_OPT_DURATION, RUL(update_ns), .max = 3600 * HT_NS_PER_S, .def = "5s", .help = "later members together after so much, where a message can be edited" },
	{ "digest", HT_OPT_DURATION, RUL(digest_ns), .min = HT_NS_PER_S, .max = DAY_NS, .def = "60s", .help = "the same where it cannot: one digest" },
	{ "hours", HT_OPT_STRING, RUL(hours_id), .min = 1, .max = RULES_ID_MAX, .def = "always", .help = "a calendar of `hours`, or always" },
	{ "match", HT_OPT_SECTION, RUL(match), .sub = &match_table, .help = "only these; what is not said matches all" },
	{ "group", HT_OPT_LIST, RUL(groups), .max = 3, .sub = &group_table, .help = "what belongs together" },
	{ "route", HT_OPT_STRINGS, RUL(route_names), .max = RULES_CHANNELS_MAX, .help = "channels; default: all; none: recorded only" },
	{ "escalate", HT_OPT_LIST, RUL(steps), .max = 10, .sub = &step_table, .help = "who is told next, until it is acknowledged" },
	{ "repeat", HT_OPT_DURATION, RUL(repeat_ns), .max = 30 * DAY_NS, .def = "0s", .help = "remind after the last step, until acknowledged; 0s: never" },
	{ "limit", HT_OPT_SECTION, RUL(limit), .sub = &limit_table, .help = "the most announcements" },
};
static const struct ht_options rule_table = HT_OPTIONS(struct rules_rule, rule_rows);

struct top {
	int64_t version;
	char *zone;
	struct ht_list hours, rules;
};
#define TOP(f) offsetof(struct top, f)
static const struct ht_option top_rows[] = {
	{ "version", HT_OPT_INT, TOP(version), .min = 1, .max = 1, .required = true, .help = "of this format: 1" },
	{ "time_zone", HT_OPT_STRING, TOP(zone), .min = 1, .max = 40, .def = "Asia/Ho_Chi_Minh", .help = "of `hours`: +07:00, Asia/Ho_Chi_Minh or UTC" },
	{ "hours", HT_OPT_LIST, TOP(hours), .max = 16, .sub = &hours_table, .help = "calendars" },
	{ "rules", HT_OPT_LIST, TOP(rules), .min = 1, .max = RULES_MAX, .sub = &rule_table, .required = true, .help = "the first that matches has it" },
};
static const struct ht_options top_table = HT_OPTIONS(struct top, top_rows);
/* clang-format on */

struct parsed {
	struct ht_yaml yaml;
	struct top top;
};

/* ── words ───────────────────────────────────────────────────────────────────────── */

/* Where a mistake is: the item of the list `key`, or the map itself. */
static const struct ht_node *item_node(
    const struct ht_node *map, const char *key, size_t i)
{
	const struct ht_node *v = ht_node_get(map, key);

	if (v && v->kind == HT_NODE_LIST && i < v->n)
		return v->items[i];
	return v ? v : map;
}

static int word_index(const char *const *words, const char *text)
{
	for (int i = 0; words[i]; i++) {
		if (strcmp(words[i], text) == 0)
			return i;
	}
	return -1;
}

static int distance(const char *a, const char *b)
{
	enum { MAX = 48 };
	size_t n = strlen(b);
	int row[MAX + 1];

	if (n > MAX || strlen(a) > MAX)
		return MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = (int)j;
	for (size_t i = 1; a[i - 1]; i++) {
		int diagonal = row[0];

		row[0] = (int)i;
		for (size_t j = 1; j <= n; j++) {
			int change = diagonal + (a[i - 1] != b[j - 1]);
			int skip = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;

			diagonal = row[j];
			row[j] = change < skip ? change : skip;
		}
	}
	return row[n];
}

/* "… did you mean `x`?" or the list of what there is. */
static ht_err no_such(const struct ht_node *at, struct ht_fault *fault, const char *what,
    const char *text, const char *const *words, size_t n)
{
	char list[300] = "";
	size_t len = 0, best = n;
	int least = 3;

	for (size_t i = 0; i < n; i++) {
		int d = distance(text, words[i]);

		if (d < least) {
			least = d;
			best = i;
		}
		if (len < sizeof(list) - 1)
			len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
			    i ? ", " : "", words[i]);
	}
	if (best < n)
		return ht_node_fault(at, fault, "there is no %s `%s`: did you mean `%s`?",
		    what, text, words[best]);
	return ht_node_fault(at, fault, "there is no %s `%s`: %s%s", what, text,
	    n ? "take one of " : "none is configured; enter it in the channels file",
	    list);
}

static ht_err check_words(const struct ht_node *map, const char *key,
    const struct ht_strings *s, const char *what, const char *const *words,
    struct ht_fault *fault)
{
	size_t n = 0;

	while (words[n])
		n++;
	for (size_t i = 0; i < s->n; i++) {
		if (word_index(words, s->at[i]) < 0)
			return no_such(
			    item_node(map, key, i), fault, what, s->at[i], words, n);
	}
	return HT_OK;
}

/* ── calendars ───────────────────────────────────────────────────────────────────── */

static bool digits(const char *text, const char *pattern)
{
	for (; *pattern; pattern++, text++) {
		bool digit = *text >= '0' && *text <= '9';

		if (*pattern == '9' ? !digit : *text != *pattern)
			return false;
	}
	return *text == '\0';
}

static int two(const char *text)
{
	return (text[0] - '0') * 10 + (text[1] - '0');
}

static ht_err read_clock(const struct ht_node *map, const char *key, const char *text,
    int64_t *out_s, struct ht_fault *fault)
{
	bool good = digits(text, "99:99");
	int h = good ? two(text) : 0, m = good ? two(text + 3) : 0;

	if (!good || m > 59 || h > 24 || (h == 24 && m))
		return ht_node_fault(item_node(map, key, 0), fault,
		    "`%s` is no time of day: write it as \"07:30\"", text);
	*out_s = h * 3600 + m * 60;
	return HT_OK;
}

static ht_err read_zone(
    const struct ht_node *root, const char *text, int64_t *out_s, struct ht_fault *fault)
{
	for (size_t i = 0; i < HT_COUNT(zones); i++) {
		if (strcmp(zones[i].name, text) == 0) {
			*out_s = zones[i].east_s;
			return HT_OK;
		}
	}
	if ((text[0] == '+' || text[0] == '-') && digits(text + 1, "99:99")) {
		int64_t s = two(text + 1) * 3600 + two(text + 4) * 60;

		if (s <= ZONE_MAX_S && two(text + 4) < 60) {
			*out_s = text[0] == '-' ? -s : s;
			return HT_OK;
		}
	}
	return ht_node_fault(item_node(root, "time_zone", 0), fault,
	    "`%s` is no zone we know: write the offset, as \"+07:00\"", text);
}

static int by_day(const void *a, const void *b)
{
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

	return x < y ? -1 : x > y;
}

static ht_err read_days_off(
    struct rules_hours *h, const struct ht_node *map, struct ht_fault *fault)
{
	h->except = calloc(h->except_names.n ? h->except_names.n : 1, sizeof(*h->except));
	if (!h->except)
		return HT_NOMEM;
	for (size_t i = 0; i < h->except_names.n; i++) {
		int64_t at_ms;

		if (!digits(h->except_names.at[i], "9999-99-99") ||
		    ht_rfc3339_parse(h->except_names.at[i], &at_ms))
			return ht_node_fault(item_node(map, "except", i), fault,
			    "`%s` is no day: write it as 2026-01-01",
			    h->except_names.at[i]);
		h->except[i] = (int32_t)(at_ms / (DAY_S * 1000));
	}
	qsort(h->except, h->except_names.n, sizeof(*h->except), by_day);
	return HT_OK;
}

static ht_err read_hours(
    struct rules_hours *h, const struct ht_node *map, struct ht_fault *fault)
{
	ht_err err = check_words(map, "days", &h->day_names, "day", day_names, fault);

	for (size_t i = 0; i < h->day_names.n && !err; i++)
		h->days |= 1u << word_index(day_names, h->day_names.at[i]);
	if (!err)
		err = read_clock(map, "from", h->from_text, &h->from_s, fault);
	if (!err)
		err = read_clock(map, "to", h->to_text, &h->to_s, fault);
	if (!err && h->from_s >= h->to_s)
		err = ht_node_fault(item_node(map, "to", 0), fault,
		    "`to` is not after `from`: hours that pass midnight are two "
		    "calendars");
	if (!err)
		err = read_days_off(h, map, fault);
	return err;
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a >= 0 ? a / b : -((-a + b - 1) / b);
}

static bool works(const struct rules_hours *h, int64_t day)
{
	int32_t key = (int32_t)day;
	int64_t weekday = ((day + 3) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */

	return (h->days >> weekday & 1u) &&
	       !bsearch(&key, h->except, h->except_names.n, sizeof(key), by_day);
}

int64_t rules_next_open_ms(
    const struct rules *r, const struct rules_rule *rule, int64_t at_ms)
{
	const struct rules_hours *h = rule->hours;

	if (!h)
		return at_ms;
	int64_t local_ms = at_ms + r->zone_s * 1000;
	int64_t day = floor_div(local_ms, DAY_S * 1000);
	int64_t in_day_ms = local_ms - day * DAY_S * 1000;

	if (works(h, day) && in_day_ms < h->to_s * 1000) {
		if (in_day_ms >= h->from_s * 1000)
			return at_ms;
		return at_ms + h->from_s * 1000 - in_day_ms;
	}
	for (int64_t ahead = 1; ahead <= LOOK_AHEAD; ahead++) {
		if (works(h, day + ahead))
			return ((day + ahead) * DAY_S + h->from_s - r->zone_s) * 1000;
	}
	return at_ms + LOOK_AHEAD * DAY_S * 1000; /* days off all year */
}

/* ── rules ───────────────────────────────────────────────────────────────────────── */

int rules_channel_index(const struct rules *r, const char *name)
{
	for (size_t i = 0; i < r->n_channels; i++) {
		if (strcmp(r->channels[i].name, name) == 0)
			return (int)i;
	}
	return -1;
}

static ht_err read_route(const struct rules *r, const struct ht_node *map,
    const struct ht_strings *names, struct rules_route *out, struct ht_fault *fault)
{
	const char *words[RULES_CHANNELS_MAX];

	if (names->n == 1 && strcmp(names->at[0], "none") == 0)
		return HT_OK;
	if (names->n == 0 || (names->n == 1 && strcmp(names->at[0], "all") == 0)) {
		for (size_t i = 0; i < r->n_channels; i++)
			out->at[out->n++] = (uint8_t)i;
		return HT_OK;
	}
	for (size_t i = 0; i < r->n_channels; i++)
		words[i] = r->channels[i].name;
	for (size_t i = 0; i < names->n; i++) {
		int at = rules_channel_index(r, names->at[i]);

		if (at < 0)
			return no_such(item_node(map, "route", i), fault, "channel",
			    names->at[i], words, r->n_channels);
		for (size_t k = 0; k < out->n; k++) {
			if (out->at[k] == at)
				return ht_node_fault(item_node(map, "route", i), fault,
				    "channel `%s` is named twice: name it once",
				    names->at[i]);
		}
		out->at[out->n++] = (uint8_t)at;
	}
	return HT_OK;
}

static ht_err read_calendar(const struct rules *r, struct rules_rule *rule,
    const struct ht_node *map, struct ht_fault *fault)
{
	const struct rules_hours *h = r->hours.at;
	const char *words[17] = { "always" };

	if (strcmp(rule->hours_id, "always") == 0)
		return HT_OK;
	for (size_t i = 0; i < r->hours.n; i++) {
		words[i + 1] = h[i].id;
		if (strcmp(h[i].id, rule->hours_id) == 0)
			rule->hours = &h[i];
	}
	return rule->hours ? HT_OK
			   : no_such(item_node(map, "hours", 0), fault, "calendar",
				 rule->hours_id, words, r->hours.n + 1);
}

static ht_err read_groups(
    const struct rules_rule *rule, const struct ht_node *map, struct ht_fault *fault)
{
	const struct rules_group *g = rule->groups.at;

	for (size_t i = 0; i < rule->groups.n; i++) {
		for (size_t k = 0; k < i; k++) {
			if (g[i].by == g[k].by)
				return ht_node_fault(rule->groups.nodes[i], fault,
				    "grouped by %s twice: keep one",
				    group_names[g[i].by]);
		}
	}
	return HT_OK;
}

static ht_err read_rule(struct rules *r, struct rules_rule *rule,
    const struct ht_node *map, struct ht_fault *fault)
{
	const struct ht_node *match = ht_node_get(map, "match");
	struct rules_step *steps = rule->steps.at;
	ht_err err =
	    check_words(map, "kinds", &rule->kinds, "kind", problem_kinds, fault);

	if (!ht_id_valid(rule->id, RULES_ID_MAX))
		err = ht_node_fault(item_node(map, "id", 0), fault,
		    "`%s` is no id: letters, digits, '.', '_', ':' and '-'", rule->id);
	if (!err)
		err =
		    check_words(match, "roles", &rule->match.roles, "role", roles, fault);
	if (!err)
		err = check_words(match, "link_kinds", &rule->match.link_kinds,
		    "kind of link", link_kinds, fault);
	if (!err)
		err = read_calendar(r, rule, map, fault);
	if (!err)
		err = read_groups(rule, map, fault);
	if (!err)
		err = read_route(r, map, &rule->route_names, &rule->route, fault);
	for (size_t i = 0; i < rule->steps.n && !err; i++)
		err = read_route(r, rule->steps.nodes[i], &steps[i].route_names,
		    &steps[i].route, fault);
	return err;
}

static ht_err unique_ids(
    const struct ht_list *list, size_t size, const char *what, struct ht_fault *fault)
{
	const char *items = list->at; /* each begins with its id */

	for (size_t i = 0; i < list->n; i++) {
		const char *a = *(char *const *)(const void *)(items + i * size);

		for (size_t k = 0; k < i; k++) {
			if (strcmp(a, *(char *const *)(const void *)(items + k * size)) ==
			    0)
				return ht_node_fault(item_node(list->nodes[i], "id", 0),
				    fault,
				    "%s `%s` stands on line %d already: choose another "
				    "id",
				    what, a, list->nodes[k]->line);
		}
	}
	return HT_OK;
}

static ht_err read_all(
    struct rules *r, const struct ht_node *root, struct ht_fault *fault)
{
	struct rules_hours *hours = r->hours.at;
	struct rules_rule *rules = r->rules.at;
	struct parsed *p = r->priv;
	ht_err err = read_zone(root, p->top.zone, &r->zone_s, fault);

	if (!err)
		err = unique_ids(&r->hours, sizeof(*hours), "calendar", fault);
	if (!err)
		err = unique_ids(&r->rules, sizeof(*rules), "rule", fault);
	for (size_t i = 0; i < r->hours.n && !err; i++)
		err = read_hours(&hours[i], r->hours.nodes[i], fault);
	for (size_t i = 0; i < r->rules.n && !err; i++)
		err = read_rule(r, &rules[i], r->rules.nodes[i], fault);
	return err;
}

static ht_err copy_channels(struct rules *r, const struct rules_channel *channels,
    size_t n, struct ht_fault *fault)
{
	if (n > RULES_CHANNELS_MAX)
		return ht_fault_set(fault, HT_CONFIG,
		    "more than %d channels: alert rules take no more",
		    RULES_CHANNELS_MAX);
	for (size_t i = 0; i < n; i++) {
		r->channels[i].name = strdup(channels[i].name);
		r->channels[i].can_edit = channels[i].can_edit;
		if (!r->channels[i].name)
			return HT_NOMEM;
		r->n_channels++;
	}
	return HT_OK;
}

static ht_err hash(const void *bytes, size_t len, char out[static RULES_HASH_HEX + 1])
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (!EVP_Digest(bytes, len, sum, &n, EVP_sha256(), NULL))
		return HT_NOMEM;
	for (unsigned i = 0; i < n && 2 * i < RULES_HASH_HEX; i++)
		snprintf(out + (size_t)2 * i, 3, "%02x", sum[i]);
	return HT_OK;
}

ht_err rules_parse(const char *file, const void *bytes, size_t len,
    const struct rules_channel *channels, size_t n, struct rules **out,
    struct ht_fault *fault)
{
	struct rules *r = calloc(1, sizeof(*r));
	struct parsed *p = calloc(1, sizeof(*p));

	if (!r || !p) {
		free(r);
		free(p);
		return HT_NOMEM;
	}
	r->priv = p;
	r->file = strdup(file);
	ht_err err = r->file ? hash(bytes, len, r->hash) : HT_NOMEM;
	if (!err)
		err = copy_channels(r, channels, n, fault);
	if (!err)
		err = ht_yaml_parse(file, bytes, len, &p->yaml, fault);
	if (!err)
		err = ht_options_load(&top_table, NULL, p->yaml.root, &p->top, fault);
	if (!err) {
		r->hours = p->top.hours;
		r->rules = p->top.rules;
		err = read_all(r, p->yaml.root, fault);
	}
	if (!err)
		*out = r;
	else
		rules_free(r);
	return err;
}

ht_err rules_load(const char *file, const struct rules_channel *channels, size_t n,
    struct rules **out, struct ht_fault *fault)
{
	char *bytes = NULL;
	size_t len = 0;
	ht_err err = ht_file_read(file, FILE_MAX_BYTES, &bytes, &len, fault);

	if (!err)
		err = rules_parse(file, bytes, len, channels, n, out, fault);
	free(bytes);
	return err;
}

static size_t of_channels(
    const struct channels *channels, struct rules_channel out[static RULES_CHANNELS_MAX])
{
	size_t n = channels->n < RULES_CHANNELS_MAX ? channels->n : RULES_CHANNELS_MAX;

	for (size_t i = 0; i < n; i++)
		out[i] = (struct rules_channel){ channels->at[i].id,
			channels->at[i].can_edit };
	return n;
}

ht_err rules_read(const char *file, const void *bytes, size_t len,
    const struct channels *channels, struct rules **out, struct ht_fault *fault)
{
	struct rules_channel at[RULES_CHANNELS_MAX];
	size_t n = of_channels(channels, at);

	return rules_parse(file, bytes, len, at, n, out, fault);
}

ht_err rules_open(const char *file, const struct channels *channels, struct rules **out,
    struct ht_fault *fault)
{
	struct rules_channel at[RULES_CHANNELS_MAX];
	char shipped[PATH_MAX];
	size_t n = of_channels(channels, at);
	ht_err err = file ? HT_OK : share_path(RULES_SHIPPED, shipped);
	if (!err)
		err = rules_load(file ? file : shipped, at, n, out, fault);
	return err;
}

void rules_free(struct rules *r)
{
	if (!r)
		return;
	struct parsed *p = r->priv;
	struct rules_hours *hours = r->hours.at;

	for (size_t i = 0; i < r->hours.n; i++)
		free(hours[i].except);
	for (size_t i = 0; i < r->n_channels; i++)
		free((char *)r->channels[i].name);
	ht_options_fini(&top_table, &p->top);
	ht_yaml_fini(&p->yaml);
	free(p);
	free(r->file);
	free(r);
}

/* ── matching ────────────────────────────────────────────────────────────────────── */

static bool holds(const struct ht_strings *list, const char *text)
{
	if (list->n == 0)
		return true;
	for (size_t i = 0; text && i < list->n; i++) {
		if (strcmp(list->at[i], text) == 0)
			return true;
	}
	return false;
}

static bool holds_agency(const struct ht_strings *list, const struct rules_subject *s)
{
	if (list->n == 0)
		return true;
	for (size_t i = 0; i < s->n_agencies; i++) {
		if (holds(list, s->agencies[i]))
			return true;
	}
	return false;
}

const struct rules_rule *rules_find(
    const struct rules *r, const struct rules_subject *subject)
{
	const struct rules_rule *rule = r->rules.at;

	for (size_t i = 0; i < r->rules.n; i++, rule++) {
		const struct rules_match *m = &rule->match;

		if (holds(&rule->kinds, subject->kind) &&
		    holds_agency(&m->agencies, subject) &&
		    holds(&m->districts, subject->district) &&
		    holds(&m->providers, subject->provider) &&
		    holds(&m->roles, subject->role) &&
		    holds(&m->link_kinds, subject->link_kind))
			return rule;
	}
	return NULL;
}

const struct rules_rule *rules_by_id(const struct rules *r, const char *id)
{
	const struct rules_rule *rule = r->rules.at;

	for (size_t i = 0; i < r->rules.n; i++) {
		if (strcmp(rule[i].id, id) == 0)
			return &rule[i];
	}
	return NULL;
}

const char *rules_severity_name(enum rules_severity s)
{
	return severities[s];
}

/* ── in force ────────────────────────────────────────────────────────────────────── */

static _Atomic(const struct rules *) in_force;
static _Thread_local const struct rules *here;

void rules_use(const struct rules *r)
{
	atomic_store(&in_force, r);
}

void rules_use_here(const struct rules *r)
{
	here = r;
}

const struct rules *rules_in_force(void)
{
	return here ? here : atomic_load(&in_force);
}
