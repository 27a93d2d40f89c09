#include "probes/snmp/fleet_options.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/name.h"
#include "probes/snmp/mib.h"

#define CREDENTIALS(f) offsetof(struct fleet_credentials, f)
static const struct ht_option credentials_rows[] = {
	{ "name", HT_OPT_STRING, CREDENTIALS(name), .min = 1, .max = 64, .required = true,
	    .help = "by which devices name them" },
	{ "match", HT_OPT_STRINGS, CREDENTIALS(match), .max = 64,
	    .help = "networks of the devices they open; all without. The first that "
		    "match are taken" },
	CREDENTIALS_OPTIONS(CREDENTIALS(secrets)),
};
static const struct ht_options credentials_table =
    HT_OPTIONS(struct fleet_credentials, credentials_rows);

#define ITEM(f) offsetof(struct fleet_item, f)
static const struct ht_option item_rows[] = {
	{ "id", HT_OPT_STRING, ITEM(id), .min = 1, .max = 64, .required = true,
	    .help = "the link's id in the registry" },
	{ "address", HT_OPT_STRING, ITEM(address), .min = 1, .max = HT_ADDR_TEXT,
	    .required = true, .help = "IPv4 or IPv6 address of the device" },
	{ "port", HT_OPT_INT, ITEM(port), .min = 0, .max = 65535, .def = "0",
	    .help = "UDP port; 0: the fleet's" },
	{ "credentials", HT_OPT_STRING, ITEM(credentials), .min = 1, .max = 64,
	    .help = "name of those that open it; else the first that match" },
	{ "link_interface", HT_OPT_STRING, ITEM(link_interface), .min = 1, .max = 255,
	    .help = "ifName of the interface that carries the link" },
	{ "tables", HT_OPT_STRINGS, ITEM(tables), .max = MIB_COUNT,
	    .help = "read these alone" },
	{ "skip", HT_OPT_STRINGS, ITEM(skip), .max = MIB_COUNT,
	    .help = "do not read these: the device cannot bear it" },
};
static const struct ht_options item_table = HT_OPTIONS(struct fleet_item, item_rows);

#define OPT(f) offsetof(struct fleet_options, f)
static const struct ht_option option_rows[] = {
	{ "devices", HT_OPT_LIST, OPT(devices), .max = FLEET_DEVICES_MAX,
	    .sub = &item_table,
	    .help = "whom to poll; without, the links of the server's list" },
	{ "credentials", HT_OPT_LIST, OPT(credentials), .max = FLEET_CREDENTIALS_MAX,
	    .sub = &credentials_table, .help = "what opens the devices" },
	{ "tables", HT_OPT_STRINGS, OPT(tables), .max = MIB_COUNT,
	    .help = "read these alone, of each device" },
	{ "skip", HT_OPT_STRINGS, OPT(skip), .max = MIB_COUNT,
	    .help = "do not read these" },
	{ "arp", HT_OPT_BOOL, OPT(arp), .def = "no",
	    .help = "also tell which machines the devices know; the server counts them "
		    "for this agent's own agency" },
	{ "port", HT_OPT_INT, OPT(port), .min = 1, .max = 65535, .def = "161",
	    .help = "UDP port" },
	{ "interval", HT_OPT_DURATION, OPT(interval_ns), .min = HT_NS_PER_S / 10,
	    .max = 86400 * HT_NS_PER_S, .def = "60s",
	    .help = "how often each device is polled" },
	{ "deadline", HT_OPT_DURATION, OPT(deadline_ns), .min = HT_NS_PER_S / 2,
	    .max = 3600 * HT_NS_PER_S, .def = "20s",
	    .help = "of one poll; a slow device goes on later where it stopped" },
	{ "wait", HT_OPT_DURATION, OPT(wait_ns), .min = 50 * HT_NS_PER_MS,
	    .max = 60 * HT_NS_PER_S, .def = "2s",
	    .help = "how long an answer is waited for" },
	{ "retries", HT_OPT_INT, OPT(retries), .min = 0, .max = 10, .def = "2",
	    .help = "how often a lost request is sent again" },
	{ "at_once", HT_OPT_INT, OPT(at_once), .min = 1, .max = FLEET_AT_ONCE_MAX,
	    .def = "512", .help = "devices that are polled at the same time" },
	{ "back_off", HT_OPT_DURATION, OPT(back_off_ns), .min = HT_NS_PER_S,
	    .max = 86400 * HT_NS_PER_S, .def = "15m",
	    .help = "a silent device is asked ever more rarely, down to this" },
	{ "repeat", HT_OPT_DURATION, OPT(repeat_ns), .min = 0, .max = 86400 * HT_NS_PER_S,
	    .def = "1h",
	    .help =
		"names, types and addresses are told when they change, and again after "
		"so long; 0s: with each poll" },
	{ "packets_per_s", HT_OPT_INT, OPT(packets_per_s), .min = 1, .max = 1000000,
	    .def = "10000", .help = "requests a second to all devices together" },
};
const struct ht_options fleet_options = HT_OPTIONS(struct fleet_options, option_rows);

/* ---- tables by name ---- */

static uint32_t bits_named(const char *name)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < MIB_COUNT; i++) {
		if (strcmp(mib_tables[i].name, name) == 0)
			bits |= MIB_BIT(i);
	}
	return bits;
}

static uint32_t bits_of(const struct ht_strings *names)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < names->n; i++)
		bits |= bits_named(names->at[i]);
	return bits;
}

static uint32_t all_tables(const struct fleet_options *o)
{
	uint32_t all = MIB_BIT(MIB_COUNT) - 1;

	if (!o->arp)
		all &= ~(uint32_t)MIB_SIGHTINGS;
	if (o->tables.n)
		all &= bits_of(&o->tables);
	return all & ~bits_of(&o->skip);
}

static uint32_t item_tables(const struct fleet_options *o, const struct fleet_item *item)
{
	uint32_t bits = all_tables(o);

	if (item->tables.n)
		bits &= bits_of(&item->tables);
	return bits & ~bits_of(&item->skip);
}

/* ---- checking ---- */

static ht_err check_tables(const struct ht_strings *names, const char *key,
    const struct ht_node *node, struct ht_fault *fault)
{
	const struct ht_node *at = ht_node_get(node, key);
	char known[256] = "";
	size_t len = 0;

	for (size_t i = 0; i < MIB_COUNT; i++) {
		if (i && strcmp(mib_tables[i].name, mib_tables[i - 1].name) == 0)
			continue;
		len += (size_t)snprintf(known + len, sizeof(known) - len, "%s%s",
		    len ? ", " : "", mib_tables[i].name);
		if (len >= sizeof(known))
			break;
	}
	for (size_t i = 0; i < names->n; i++) {
		if (!bits_named(names->at[i]))
			return ht_node_fault(at ? at : node, fault,
			    "no table \"%s\" is read here; there are %s", names->at[i],
			    known);
	}
	return HT_OK;
}

static ht_err parse_host(const char *text, struct ht_addr *out)
{
	struct ht_addr a;
	ht_err err = ht_addr_parse(text, &a);

	if (!err && a.prefix != (a.family == AF_INET ? 32 : 128))
		err = HT_INVALID;
	if (!err)
		*out = a;
	return err;
}

static ht_err check_credentials(
    const struct fleet_credentials *c, const struct ht_node *node, struct ht_fault *fault)
{
	struct ht_addr net;

	for (size_t i = 0; i < c->match.n; i++) {
		if (ht_addr_parse(c->match.at[i], &net))
			return ht_node_fault(node, fault,
			    "match: \"%s\" is no network; write it as 10.20.0.0/16",
			    c->match.at[i]);
	}
	return credentials_check(&c->secrets, node, fault);
}

static size_t find_credentials(const struct fleet_options *o, const char *name)
{
	const struct fleet_credentials *rows = o->credentials.at;
	size_t i = 0;

	while (i < o->credentials.n && strcmp(rows[i].name, name) != 0)
		i++;
	return i;
}

static ht_err check_item(const struct fleet_options *o, const struct fleet_item *item,
    const struct ht_node *node, struct ht_fault *fault)
{
	struct ht_addr addr;

	if (!ht_id_valid(item->id, HT_INSTANCE_MAX))
		return ht_node_fault(node, fault,
		    "\"%s\" is no id: letters, digits and . _ : - only", item->id);
	if (parse_host(item->address, &addr))
		return ht_node_fault(node, fault,
		    "\"%s\" is no address; names are not looked up: write it as 10.0.0.1 "
		    "or 2001:db8::1",
		    item->address);
	if (item->credentials &&
	    find_credentials(o, item->credentials) == o->credentials.n)
		return ht_node_fault(node, fault,
		    "there are no credentials called \"%s\"", item->credentials);
	ht_err err = check_tables(&item->tables, "tables", node, fault);

	return err ? err : check_tables(&item->skip, "skip", node, fault);
}

static ht_err check_unique(
    const struct fleet_options *o, const struct ht_node *node, struct ht_fault *fault)
{
	struct fleet_target *targets = NULL;
	size_t n = 0;
	ht_err err = fleet_targets(o, NULL, &targets, &n);

	for (size_t i = 1; !err && i < n; i++) {
		if (strcmp(targets[i - 1].id, targets[i].id) == 0)
			err = ht_node_fault(node, fault,
			    "two devices are called \"%s\"; each needs an id of its own",
			    targets[i].id);
	}
	free(targets);
	return err;
}

ht_err fleet_check(
    const void *options, const struct ht_node *node, struct ht_fault *fault)
{
	const struct fleet_options *o = options;
	const struct fleet_credentials *rows = o->credentials.at;
	const struct fleet_item *items = o->devices.at;
	ht_err err = check_tables(&o->tables, "tables", node, fault);

	if (!err)
		err = check_tables(&o->skip, "skip", node, fault);
	if (!err && o->credentials.n == 0)
		return ht_node_fault(node, fault,
		    "credentials is missing: what opens the devices, e.g. credentials: "
		    "[{name: offices, community_file: …}]");
	for (size_t i = 0; !err && i < o->credentials.n; i++)
		err = check_credentials(&rows[i], o->credentials.nodes[i], fault);
	for (size_t i = 0; !err && i < o->devices.n; i++)
		err = check_item(o, &items[i], o->devices.nodes[i], fault);
	return err ? err : check_unique(o, node, fault);
}

/* ---- who is polled ---- */

static size_t match_credentials(const struct fleet_options *o, const struct ht_addr *addr)
{
	const struct fleet_credentials *rows = o->credentials.at;
	struct ht_addr net;

	for (size_t i = 0; i < o->credentials.n; i++) {
		const struct ht_strings *match = &rows[i].match;

		if (match->n == 0)
			return i;
		for (size_t k = 0; k < match->n; k++) {
			if (ht_addr_parse(match->at[k], &net) == HT_OK &&
			    ht_addr_within(&net, addr))
				return i;
		}
	}
	return o->credentials.n;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(
	    ((const struct fleet_target *)a)->id, ((const struct fleet_target *)b)->id);
}

static ht_err put_item(const struct fleet_options *o, const struct fleet_item *item,
    struct fleet_target *out)
{
	*out = (struct fleet_target){ .id = item->id,
		.port = (uint16_t)(item->port ? item->port : o->port),
		.tables = item_tables(o, item),
		.link_interface = item->link_interface };
	ht_err err = parse_host(item->address, &out->addr);

	if (!err)
		out->credentials = item->credentials
				       ? find_credentials(o, item->credentials)
				       : match_credentials(o, &out->addr);
	return err;
}

/* <link>:<role> is something else of that link, not its router. */
static bool is_link(const struct ht_target *t)
{
	return t->where.place == HT_PLACE_ADDRESS && !strchr(t->id, ':');
}

ht_err fleet_targets(const struct fleet_options *o, const struct ht_targets *list,
    struct fleet_target **out, size_t *out_n)
{
	static const struct ht_targets none;
	const struct fleet_item *items = o->devices.at;
	const struct ht_targets *l = o->devices.n == 0 && list ? list : &none;
	struct fleet_target *targets = calloc(o->devices.n + l->n + 1, sizeof(*targets));
	size_t n = 0;
	ht_err err = targets ? HT_OK : HT_NOMEM;

	for (size_t i = 0; !err && i < o->devices.n; i++)
		err = put_item(o, &items[i], &targets[n++]);
	for (size_t i = 0; !err && i < l->n; i++) {
		const struct ht_addr *addr = &l->at[i].where.addr;

		if (is_link(&l->at[i]))
			targets[n++] = (struct fleet_target){ .id = l->at[i].id,
				.addr = *addr,
				.port = (uint16_t)o->port,
				.credentials = match_credentials(o, addr),
				.tables = all_tables(o) };
	}
	if (err) {
		free(targets);
		return err;
	}
	qsort(targets, n, sizeof(*targets), by_id);
	*out = targets;
	*out_n = n;
	return HT_OK;
}
