#include "probes/wan/path/path_networks.h"

#include <stdlib.h>

#define ITEM(f) offsetof(struct path_network_item, f)
static const struct ht_option rows[] = {
	{ "network", HT_OPT_ENUM, ITEM(network), .names = path_network_names,
	    .required = true, .help = "whose network this rule tells" },
	{ "prefixes", HT_OPT_STRINGS, ITEM(prefixes), .max = PATH_ADDRS_MAX,
	    .help = "a hop in one of these shows this network, unless silent hops stand "
		    "before it" },
	{ "hops", HT_OPT_STRINGS, ITEM(hops), .max = PATH_ADDRS_MAX,
	    .help = "addresses of routers that only this network leads to; one of them "
		    "decides" },
	{ "not_hops", HT_OPT_STRINGS, ITEM(not_hops), .max = PATH_ADDRS_MAX,
	    .help = "addresses that make this rule void when one is on the path" },
	{ "tunnel", HT_OPT_BOOL, ITEM(tunnel), .def = "no",
	    .help = "this network also counts when it is reached by a tunnel over the "
		    "Internet" },
};
const struct ht_options path_network_table = HT_OPTIONS(struct path_network_item, rows);

/* ---- checks ---- */

static bool host(const char *text, struct ht_addr *out)
{
	return ht_addr_parse(text, out) == HT_OK &&
	       out->prefix == (out->family == AF_INET ? 32 : 128);
}

/* The network of a prefix: its host bits cleared. */
static struct ht_addr network_of(struct ht_addr a)
{
	size_t len = a.family == AF_INET ? 4 : 16;

	for (size_t i = 0; i < len; i++) {
		int bits = a.prefix - (int)i * 8;

		if (bits < 8)
			a.bytes[i] &= (uint8_t)(bits <= 0 ? 0 : 0xff << (8 - bits));
	}
	return a;
}

/* The node of a list's value, for the place of a fault. */
static const struct ht_node *node_of(
    const struct ht_node *rule, const char *key, size_t i)
{
	const struct ht_node *list = ht_node_get(rule, key);

	if (!list)
		return rule;
	return list->kind == HT_NODE_LIST && i < list->n ? list->items[i] : list;
}

static ht_err check_hosts(const struct ht_strings *texts, const char *key,
    const struct ht_node *rule, struct ht_fault *fault)
{
	struct ht_addr a;

	for (size_t i = 0; i < texts->n; i++) {
		if (!host(texts->at[i], &a))
			return ht_node_fault(node_of(rule, key, i), fault,
			    "\"%s\" is no address of a router: write it as 10.0.0.1 or "
			    "2001:db8::1, networks go to `prefixes`",
			    texts->at[i]);
	}
	return HT_OK;
}

static ht_err check_prefixes(
    const struct ht_strings *texts, const struct ht_node *rule, struct ht_fault *fault)
{
	struct ht_addr a;
	char text[HT_ADDR_TEXT];

	for (size_t i = 0; i < texts->n; i++) {
		const struct ht_node *node = node_of(rule, "prefixes", i);

		if (ht_addr_parse(texts->at[i], &a))
			return ht_node_fault(node, fault,
			    "\"%s\" is no prefix: write it as 10.20.0.0/16 or "
			    "2001:db8::/32",
			    texts->at[i]);
		if (a.prefix == 0)
			return ht_node_fault(node, fault,
			    "\"%s\" contains every address and tells nothing; name the "
			    "networks themselves",
			    texts->at[i]);
		struct ht_addr net = network_of(a);

		if (!ht_addr_equal(&net, &a)) {
			ht_addr_format(&net, text);
			return ht_node_fault(node, fault,
			    "\"%s\" has bits behind its prefix length; did you mean %s?",
			    texts->at[i], text);
		}
	}
	return HT_OK;
}

/* What one rule alone can have wrong. */
static ht_err check_rule(
    const struct path_network_item *r, const struct ht_node *node, struct ht_fault *fault)
{
	ht_err err = HT_OK;

	if (r->prefixes.n + r->hops.n == 0)
		return ht_node_fault(node, fault,
		    "this rule lists neither `prefixes` nor `hops`, so that it never "
		    "decides; add one or leave the rule out");
	if (r->tunnel && r->network + 1 == PATH_INTERNET)
		return ht_node_fault(node_of(node, "tunnel", 0), fault,
		    "`tunnel` says that another network counts although the Internet was "
		    "crossed; leave it out of a rule of the internet");
	err = check_prefixes(&r->prefixes, node, fault);
	if (!err)
		err = check_hosts(&r->hops, "hops", node, fault);
	if (!err)
		err = check_hosts(&r->not_hops, "not_hops", node, fault);
	return err;
}

/* Whether an earlier rule of another network takes all that text `i` of rule `later`
 * could: then the later one never sees it. The rules are well formed here. */
static bool taken(const struct ht_strings *earlier, const char *text, bool within)
{
	struct ht_addr a, b;

	if (ht_addr_parse(text, &a))
		return false;
	for (size_t i = 0; i < earlier->n; i++) {
		if (ht_addr_parse(earlier->at[i], &b))
			continue;
		if (ht_addr_equal(&a, &b) ||
		    (within && b.prefix <= a.prefix && ht_addr_within(&b, &a)))
			return true;
	}
	return false;
}

static ht_err check_pair(const struct path_network_item *earlier, size_t n_earlier,
    const struct path_network_item *later, const struct ht_node *node,
    struct ht_fault *fault)
{
	if (earlier->network == later->network)
		return HT_OK;
	for (size_t i = 0; i < later->hops.n; i++) {
		if (taken(&earlier->hops, later->hops.at[i], false))
			return ht_node_fault(node_of(node, "hops", i), fault,
			    "%s is a named hop of rule %zu too, of another network; a "
			    "router that both share tells nothing: take it out of both",
			    later->hops.at[i], n_earlier);
	}
	for (size_t i = 0; i < later->prefixes.n; i++) {
		if (taken(&earlier->prefixes, later->prefixes.at[i], true))
			return ht_node_fault(node_of(node, "prefixes", i), fault,
			    "rule %zu, of another network, contains all of %s and comes "
			    "first; put the narrower rule before it",
			    n_earlier, later->prefixes.at[i]);
	}
	return HT_OK;
}

ht_err path_networks_check(const struct ht_list *networks, struct ht_fault *fault)
{
	const struct path_network_item *items = networks->at;

	for (size_t i = 0; i < networks->n; i++) {
		ht_err err = check_rule(&items[i], networks->nodes[i], fault);

		for (size_t k = 0; !err && k < i; k++)
			err = check_pair(
			    &items[k], k + 1, &items[i], networks->nodes[i], fault);
		if (err)
			return err;
	}
	return HT_OK;
}

/* ---- building ---- */

static ht_err build_addrs(const struct ht_strings *texts, struct path_addrs *out)
{
	if (texts->n == 0)
		return HT_OK;
	out->at = calloc(texts->n, sizeof(*out->at));
	if (!out->at)
		return HT_NOMEM;
	for (size_t i = 0; i < texts->n; i++) {
		if (ht_addr_parse(texts->at[i], &out->at[i]))
			return HT_INVALID;
	}
	out->n = texts->n;
	return HT_OK;
}

ht_err path_networks_build(const struct ht_list *networks, struct path_rule **out)
{
	const struct path_network_item *items = networks->at;
	size_t n = networks->n;
	struct path_rule *rules = calloc(n ? n : 1, sizeof(*rules));
	ht_err err = rules ? HT_OK : HT_NOMEM;

	for (size_t i = 0; !err && i < n; i++) {
		rules[i].network = (enum path_network)(items[i].network + 1);
		rules[i].tunnel = items[i].tunnel;
		err = build_addrs(&items[i].prefixes, &rules[i].prefixes);
		if (!err)
			err = build_addrs(&items[i].hops, &rules[i].hops);
		if (!err)
			err = build_addrs(&items[i].not_hops, &rules[i].not_hops);
	}
	if (!err)
		*out = rules;
	else
		path_networks_free(rules, n);
	return err;
}

void path_networks_free(struct path_rule *rules, size_t n)
{
	if (!rules)
		return;
	for (size_t i = 0; i < n; i++) {
		free(rules[i].prefixes.at);
		free(rules[i].hops.at);
		free(rules[i].not_hops.at);
	}
	free(rules);
}
