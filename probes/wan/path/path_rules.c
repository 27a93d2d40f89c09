#include "probes/wan/path/path_rules.h"

#include <stdio.h>
#include <string.h>

#define NO_RULE SIZE_MAX

const char *const path_network_names[] = { "province-wan", "government-wan", "internet",
	NULL };

const char *path_network_name(enum path_network n)
{
	return n == PATH_UNKNOWN ? "unknown" : path_network_names[n - 1];
}

/* RFC 6890 and its registries: private, shared, link-local, documentation and the like.
 * For IPv6 only 2000::/3 is public, without documentation, ORCHID and benchmarks. */
bool path_addr_public(const struct ht_addr *a)
{
	static const char *const set_aside[] = { "0.0.0.0/8", "10.0.0.0/8",
		"100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3", "::/3", "4000::/2",
		"8000::/1", "2001::/23", "2001:db8::/32", "3fff::/20" };
	struct ht_addr net;

	for (size_t i = 0; i < HT_COUNT(set_aside); i++) {
		if (ht_addr_parse(set_aside[i], &net) == HT_OK && ht_addr_within(&net, a))
			return false;
	}
	return true;
}

/* ---- where a hop belongs ---- */

/* How an address became evidence. */
struct evidence {
	size_t rule; /* NO_RULE: a public address of none */
	size_t ttl;
	const struct ht_addr *addr;
	const struct ht_addr *prefix; /* that contains it; NULL: it is named */
};

static const struct ht_addr *find(
    const struct path_addrs *list, const struct ht_addr *a, bool within)
{
	for (size_t i = 0; i < list->n; i++) {
		if (within ? ht_addr_within(&list->at[i], a)
			   : ht_addr_equal(&list->at[i], a))
			return &list->at[i];
	}
	return NULL;
}

/* A router of the office itself: its address says nothing of the line behind it. */
static bool own_router(
    const struct path_rules *rules, size_t ttl, const struct ht_addr *a)
{
	bool declared = false;

	for (size_t i = 0; i < rules->n_own; i++) {
		declared |= rules->own[i].family == a->family;
		if (ht_addr_within(&rules->own[i], a))
			return true;
	}
	return ttl == 1 && !declared;
}

/* Whether the address says anything; if so, where it belongs. */
static bool belongs(const struct path_rules *rules, size_t ttl, const struct ht_addr *a,
    struct evidence *out)
{
	*out = (struct evidence){ .rule = NO_RULE, .ttl = ttl, .addr = a };
	for (size_t i = 0; i < rules->n; i++) {
		if (find(&rules->at[i].hops, a, false)) {
			out->rule = i;
			return true;
		}
	}
	if (own_router(rules, ttl, a))
		return false;
	for (size_t i = 0; i < rules->n; i++) {
		out->prefix = find(&rules->at[i].prefixes, a, true);
		if (out->prefix) {
			out->rule = i;
			return true;
		}
	}
	return path_addr_public(a);
}

static bool of_internet(const struct path_rules *rules, const struct evidence *e)
{
	return e->rule == NO_RULE || rules->at[e->rule].network == PATH_INTERNET;
}

/* The n-th address of the path that says anything, the target's own left out. */
struct cursor {
	const struct path_rules *rules;
	const struct path_way *way;
	size_t hop, which;
};

static bool next_evidence(struct cursor *c, struct evidence *out)
{
	for (; c->hop < c->way->n; c->hop++, c->which = 0) {
		const struct path_hop *h = &c->way->hops[c->hop];

		while (c->which < h->n) {
			const struct ht_addr *a = &h->from[c->which++];

			if (!ht_addr_equal(a, c->way->target) &&
			    belongs(c->rules, c->hop + 1, a, out))
				return true;
		}
	}
	return false;
}

/* ---- the Internet ---- */

static bool last_internet(
    const struct path_rules *rules, const struct path_way *way, struct evidence *out)
{
	struct cursor c = { rules, way, 0, 0 };
	struct evidence e;
	bool found = false;

	while (next_evidence(&c, &e)) {
		if (of_internet(rules, &e)) {
			*out = e;
			found = true;
		}
	}
	return found;
}

/* ---- one rule ---- */

static const struct ht_addr *excluded(
    const struct path_rule *rule, const struct path_way *way, size_t *out_ttl)
{
	for (size_t i = 0; i < way->n; i++) {
		for (size_t k = 0; k < way->hops[i].n; k++) {
			const struct ht_addr *a = &way->hops[i].from[k];

			if (find(&rule->not_hops, a, false)) {
				*out_ttl = i + 1;
				return a;
			}
		}
	}
	return NULL;
}

/* The first silent hop before `ttl`, the first hop passed over; 0: none. */
static size_t silent_before(const struct path_way *way, size_t ttl)
{
	for (size_t i = 1; i + 1 < ttl; i++) {
		if (way->hops[i].n == 0)
			return i + 1;
	}
	return 0;
}

/* What the rule can show behind hop `after`; a named hop before any prefix. */
static bool shown(const struct path_rules *rules, size_t rule, const struct path_way *way,
    size_t after, struct evidence *out)
{
	struct cursor c = { rules, way, 0, 0 };
	struct evidence e;
	bool found = false;

	while (next_evidence(&c, &e)) {
		if (e.rule != rule || e.ttl <= after || (found && e.prefix))
			continue;
		*out = e;
		found = true;
		if (!e.prefix)
			return true;
	}
	return found;
}

/* ---- reasons ---- */

static void say_rule(const struct path_rules *rules, const struct evidence *e,
    const char *more, struct path_verdict *out)
{
	char addr[HT_ADDR_TEXT], prefix[HT_ADDR_TEXT];

	out->network = rules->at[e->rule].network;
	ht_addr_format(e->addr, addr);
	if (e->prefix)
		ht_addr_format(e->prefix, prefix);
	snprintf(out->reason, sizeof(out->reason),
	    "hop %zu, %s, is %s%s of rule %zu, %s%s", e->ttl, addr,
	    e->prefix ? "in " : "a named hop", e->prefix ? prefix : "", e->rule + 1,
	    path_network_name(out->network), more);
}

static void say_internet(
    const struct path_rules *rules, const struct evidence *e, struct path_verdict *out)
{
	char addr[HT_ADDR_TEXT];

	if (e->rule != NO_RULE) {
		say_rule(rules, e, "", out);
		return;
	}
	ht_addr_format(e->addr, addr);
	out->network = PATH_INTERNET;
	snprintf(out->reason, sizeof(out->reason),
	    "hop %zu, %s, is a public address that no rule lists: the Internet", e->ttl,
	    addr);
}

static void say_hidden(const struct path_rules *rules, const struct evidence *e,
    size_t silent, struct path_verdict *out)
{
	char addr[HT_ADDR_TEXT], prefix[HT_ADDR_TEXT];

	ht_addr_format(e->addr, addr);
	ht_addr_format(e->prefix, prefix);
	snprintf(out->reason, sizeof(out->reason),
	    "hop %zu is silent before hop %zu, %s, which is in %s of rule %zu (%s): if "
	    "only "
	    "that network leads to %s, name it under `hops`",
	    silent, e->ttl, addr, prefix, e->rule + 1,
	    path_network_name(rules->at[e->rule].network), addr);
}

static void say_excluded(const struct path_rules *rules, size_t rule, size_t ttl,
    const struct ht_addr *a, struct path_verdict *out)
{
	char addr[HT_ADDR_TEXT];

	ht_addr_format(a, addr);
	snprintf(out->reason, sizeof(out->reason),
	    "hop %zu, %s, is one of the not_hops of rule %zu, %s", ttl, addr, rule + 1,
	    path_network_name(rules->at[rule].network));
}

static void say_nothing(const struct path_way *way, struct path_verdict *out)
{
	size_t n = 0;

	for (size_t i = 0; i < way->n; i++)
		n += way->hops[i].n > 0;
	if (n == 0)
		snprintf(out->reason, sizeof(out->reason), "no hop answered");
	else
		snprintf(out->reason, sizeof(out->reason),
		    "none of the %zu hops that answered is in a rule of `networks`, and "
		    "private addresses alone prove nothing: name the hops that only one "
		    "network has",
		    n);
}

/* ---- the verdict ---- */

/* Tries one rule; false leaves in `out` what stood in its way, if anything did. */
static bool try_rule(const struct path_rules *rules, size_t i, const struct path_way *way,
    const struct evidence *internet, struct path_verdict *out)
{
	const struct path_rule *rule = &rules->at[i];
	struct evidence e;
	size_t ttl, silent;

	if (rule->network == PATH_INTERNET || (internet && !rule->tunnel) ||
	    !shown(rules, i, way, internet ? internet->ttl : 0, &e))
		return false;
	const struct ht_addr *bad = excluded(rule, way, &ttl);

	if (bad) {
		say_excluded(rules, i, ttl, bad, out);
		return false;
	}
	silent = e.prefix && !rule->tunnel ? silent_before(way, e.ttl) : 0;
	if (silent) {
		say_hidden(rules, &e, silent, out);
		return false;
	}
	say_rule(rules, &e, internet ? ", by a tunnel over the Internet" : "", out);
	return true;
}

void path_rules_judge(
    const struct path_rules *rules, const struct path_way *way, struct path_verdict *out)
{
	struct evidence internet;

	*out = (struct path_verdict){ .network = PATH_UNKNOWN };
	if (rules->n == 0) {
		snprintf(out->reason, sizeof(out->reason),
		    "there are no rules: list under `networks` which hops belong to "
		    "which "
		    "network");
		return;
	}
	bool outside = last_internet(rules, way, &internet);

	for (size_t i = 0; i < rules->n; i++) {
		if (try_rule(rules, i, way, outside ? &internet : NULL, out))
			return;
	}
	if (outside)
		say_internet(rules, &internet, out);
	else if (!out->reason[0])
		say_nothing(way, out);
}
