#include "tests/lab/topology.h"

#include <string.h>

#include "base/clock.h"
#include "base/name.h"

const char *const topology_levels[] = { "province", "district", "commune", NULL };
const char *const topology_kinds[] = { "province-wan", "government-wan", "internet",
	NULL };
const char *const topology_line_types[] = { "leased-line", "ftth", "xdsl", "wireless",
	"satellite", "other", NULL };

#define RATE_MIN 64000
#define RATE_MAX INT64_C(1000000000)

#define AT(f) offsetof(struct topology_machines, f)
#define COUNT(key_, help_)                                                      \
	{                                                                       \
		.key = #key_, .type = HT_OPT_INT, .offset = AT(key_), .min = 0, \
		.max = TOPOLOGY_MACHINES_MAX, .def = "0", .help = help_         \
	}
static const struct ht_option machine_rows[] = {
	COUNT(computers, "PCs and laptops of the staff"),
	COUNT(servers, "servers"),
	COUNT(printers, "network printers"),
	COUNT(phones, "desk phones"),
	COUNT(mobiles, "private mobiles with random MACs"),
	COUNT(cameras, "cameras"),
};
static const struct ht_options machine_options =
    HT_OPTIONS(struct topology_machines, machine_rows);
#undef AT

#define AT(f) offsetof(struct topology_link, f)
#define RATE(key_, field, ...)                                                          \
	{                                                                               \
		.key = key_, .type = HT_OPT_RATE, .offset = AT(field), .min = RATE_MIN, \
		.max = RATE_MAX, __VA_ARGS__                                            \
	}
static const struct ht_option link_rows[] = {
	{ .key = "id",
	    .type = HT_OPT_STRING,
	    .offset = AT(id),
	    .min = 1,
	    .max = HT_ID_MAX,
	    .help = "the link's id; by default <site>-wan" },
	{ .key = "kind",
	    .type = HT_OPT_ENUM,
	    .offset = AT(kind),
	    .names = topology_kinds,
	    .def = "province-wan",
	    .help = "what the link is part of" },
	{ .key = "line_type",
	    .type = HT_OPT_ENUM,
	    .offset = AT(line_type),
	    .names = topology_line_types,
	    .def = "ftth",
	    .help = "how it is carried" },
	{ .key = "provider",
	    .type = HT_OPT_STRING,
	    .offset = AT(provider),
	    .def = "VNPT",
	    .help = "who carries it" },
	RATE("down", down_bps, .required = true,
	    .help = "rate towards the office, set by tbf"),
	RATE("up", up_bps, .required = true, .help = "rate from the office, set by tbf"),
	RATE("contracted_down", contracted_down_bps,
	    .help = "as contracted; by default as down"),
	RATE("contracted_up", contracted_up_bps,
	    .help = "as contracted; by default as up"),
};
static const struct ht_options link_options = HT_OPTIONS(struct topology_link, link_rows);
#undef AT

#define AT(f) offsetof(struct topology_site, f)
static const struct ht_option site_rows[] = {
	{ .key = "id",
	    .type = HT_OPT_STRING,
	    .offset = AT(id),
	    .min = 1,
	    .max = 32,
	    .required = true,
	    .help = "the agency's id" },
	{ .key = "name",
	    .type = HT_OPT_STRING,
	    .offset = AT(name),
	    .min = 1,
	    .max = 200,
	    .required = true,
	    .help = "the agency's name" },
	{ .key = "level",
	    .type = HT_OPT_ENUM,
	    .offset = AT(level),
	    .names = topology_levels,
	    .def = "commune",
	    .help = "its level" },
	{ .key = "parent",
	    .type = HT_OPT_STRING,
	    .offset = AT(parent),
	    .help = "the site its line runs to; by default the core" },
	{ .key = "servants",
	    .type = HT_OPT_INT,
	    .offset = AT(servants),
	    .min = -1,
	    .max = 100000,
	    .def = "-1",
	    .help = "civil servants; left out: nobody has told the system" },
	{ .key = "subnet",
	    .type = HT_OPT_STRING,
	    .offset = AT(subnet),
	    .required = true,
	    .help = "the office's IPv4 network, such as 192.168.10.0/24" },
	{ .key = "machines",
	    .type = HT_OPT_SECTION,
	    .offset = AT(machines),
	    .sub = &machine_options,
	    .help = "what stands in the office" },
	{ .key = "link",
	    .type = HT_OPT_SECTION,
	    .offset = AT(link),
	    .sub = &link_options,
	    .required = true,
	    .help = "its line to the parent" },
	{ .key = "agent",
	    .type = HT_OPT_BOOL,
	    .offset = AT(agent),
	    .def = "yes",
	    .help = "a hatang-agent stands in the office" },
	{ .key = "firewall",
	    .type = HT_OPT_BOOL,
	    .offset = AT(firewall),
	    .def = "no",
	    .help = "the agent's machine has a packet filter that drops by default" },
	{ .key = "snmp",
	    .type = HT_OPT_BOOL,
	    .offset = AT(snmp),
	    .def = "yes",
	    .help = "the office's router answers SNMP" },
};
static const struct ht_options site_options = HT_OPTIONS(struct topology_site, site_rows);
#undef AT

#define AT(f) offsetof(struct topology, f)
static const struct ht_option rows[] = {
	{ .key = "name",
	    .type = HT_OPT_STRING,
	    .offset = AT(name),
	    .min = 1,
	    .max = 64,
	    .required = true,
	    .help = "the lab's name" },
	{ .key = "servants",
	    .type = HT_OPT_INT,
	    .offset = AT(servants),
	    .min = 1,
	    .max = 100000,
	    .def = "20",
	    .help = "civil servants of the province's own office" },
	{ .key = "every",
	    .type = HT_OPT_DURATION,
	    .offset = AT(every_ns),
	    .min = HT_NS_PER_S,
	    .max = 60 * HT_NS_PER_S,
	    .def = "10s",
	    .help = "how often a link is pinged; SNMP is asked half as often" },
	{ .key = "targets",
	    .type = HT_OPT_INT,
	    .offset = AT(targets),
	    .min = 0,
	    .max = 20000,
	    .def = "0",
	    .help = "further links in the registry that only answer pings" },
	{ .key = "sites",
	    .type = HT_OPT_LIST,
	    .offset = AT(sites),
	    .sub = &site_options,
	    .min = 1,
	    .max = TOPOLOGY_SITES_MAX,
	    .required = true,
	    .help = "the offices" },
};
#undef AT
const struct ht_options topology_options = HT_OPTIONS(struct topology, rows);

static struct topology_site *site_at(const struct topology *t, size_t i)
{
	return (struct topology_site *)t->sites.at + i;
}

static int64_t machines_of(const struct topology_site *s)
{
	const struct topology_machines *m = &s->machines;

	return m->computers + m->servers + m->printers + m->phones + m->mobiles +
	       m->cameras;
}

static struct topology_site *find(const struct topology *t, const char *id, size_t before)
{
	for (size_t i = 0; i < before; i++) {
		if (strcmp(site_at(t, i)->id, id) == 0)
			return site_at(t, i);
	}
	return NULL;
}

static const struct ht_node *place(const struct topology *t, size_t i, const char *key)
{
	const struct ht_node *node = ht_node_get(t->sites.nodes[i], key);

	return node ? node : t->sites.nodes[i];
}

static ht_err check_subnet(const struct topology *t, size_t i, struct ht_fault *fault)
{
	const struct topology_site *s = site_at(t, i);
	const struct ht_node *node = place(t, i, "subnet");
	static const struct ht_addr reserved = {
		.family = AF_INET, .prefix = 8, .bytes = { 10 }
	};
	struct ht_addr mine, other;

	if (ht_addr_parse(s->subnet, &mine) || mine.family != AF_INET ||
	    mine.prefix > 30 || mine.prefix < 16)
		return ht_node_fault(node, fault,
		    "'subnet' must be an IPv4 network from /16 to /30, such as "
		    "192.168.10.0/24");
	if (ht_addr_within(&reserved, &mine))
		return ht_node_fault(node, fault,
		    "10.0.0.0/8 is the lab's own backbone; use 172.16.0.0/12 or "
		    "192.168.0.0/16");
	/* router and agent take an address each */
	if (machines_of(s) + 2 > (int64_t)ht_addr_v4_hosts(&mine))
		return ht_node_fault(node, fault,
		    "%lld machines, a router and an agent do not fit in %s; take a "
		    "larger network",
		    (long long)machines_of(s), s->subnet);
	for (size_t k = 0; k < i; k++) {
		if (ht_addr_parse(site_at(t, k)->subnet, &other))
			continue;
		if (ht_addr_within(&other, &mine) || ht_addr_within(&mine, &other))
			return ht_node_fault(node, fault,
			    "overlaps the network of site '%s' (%s)", site_at(t, k)->id,
			    site_at(t, k)->subnet);
	}
	return HT_OK;
}

static ht_err check_site(const struct topology *t, size_t i, struct ht_fault *fault)
{
	const struct topology_site *s = site_at(t, i), *up;

	if (!ht_id_valid(s->id, 32) || strcmp(s->id, "core") == 0)
		return ht_node_fault(place(t, i, "id"), fault,
		    "'id' must be letters, digits and . _ : -, and not 'core'");
	if (find(t, s->id, i))
		return ht_node_fault(
		    place(t, i, "id"), fault, "site '%s' is here twice", s->id);
	if (machines_of(s) > TOPOLOGY_MACHINES_MAX)
		return ht_node_fault(place(t, i, "machines"), fault,
		    "more than %d machines", TOPOLOGY_MACHINES_MAX);
	if (s->level == TOPOLOGY_PROVINCE)
		return ht_node_fault(place(t, i, "level"), fault,
		    "the province is the core itself; a site is a district or a commune");
	if (s->parent) {
		up = find(t, s->parent, i);
		if (!up)
			return ht_node_fault(place(t, i, "parent"), fault,
			    "no site '%s' above this one; list parents first", s->parent);
		if (up->level >= s->level)
			return ht_node_fault(place(t, i, "parent"), fault,
			    "a %s cannot stand under the %s '%s'",
			    topology_levels[s->level], topology_levels[up->level],
			    up->id);
	}
	return check_subnet(t, i, fault);
}

ht_err topology_load(
    const char *file, struct ht_yaml *yaml, struct topology *out, struct ht_fault *fault)
{
	ht_err err = ht_yaml_load(file, yaml, fault);

	if (err)
		return err;
	err = ht_options_load(&topology_options, NULL, yaml->root, out, fault);
	for (size_t i = 0; !err && i < out->sites.n; i++)
		err = check_site(out, i, fault);
	if (err) {
		ht_options_fini(&topology_options, out);
		ht_yaml_fini(yaml);
	}
	return err;
}
