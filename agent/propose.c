#include "agent/propose.h"

#include <getopt.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/name.h"

#define NETWORKS_MAX  32
#define PACKETS_PER_S 50

/* One directly attached IPv4 network. */
struct network {
	struct ht_addr net, own;
	const struct local_if *interface;
	const char *left_out; /* why it is not proposed, or NULL */
};

struct proposal {
	const struct local *local;
	const struct propose_hints *hints;
	struct network networks[NETWORKS_MAX];
	size_t n_networks;
	const struct local_gateway *gateway4, *gateway6;
	const char *wan; /* interface of the default route, or NULL */
};

/* ---- choosing -------------------------------------------------------------------- */

/* RFC 1918; and what RFC 5737 and 2544 keep for documentation and tests, which is no one
 * else's either. The carriers' own (RFC 6598) is not the office's. */
static bool private_v4(const struct ht_addr *a)
{
	static const struct {
		uint32_t net, mask;
	} ours[] = {
		{ 0x0a000000, 0xff000000 }, /* 10.0.0.0/8 */
		{ 0xac100000, 0xfff00000 }, /* 172.16.0.0/12 */
		{ 0xc0a80000, 0xffff0000 }, /* 192.168.0.0/16 */
		{ 0xc0000200, 0xffffff00 }, /* 192.0.2.0/24 */
		{ 0xc6336400, 0xffffff00 }, /* 198.51.100.0/24 */
		{ 0xcb007100, 0xffffff00 }, /* 203.0.113.0/24 */
		{ 0xc6120000, 0xfffe0000 }, /* 198.18.0.0/15 */
	};

	for (size_t i = 0; i < HT_COUNT(ours); i++) {
		if ((ht_addr_v4(a) & ours[i].mask) == ours[i].net)
			return true;
	}
	return false;
}

/* Interfaces that programs make for containers, virtual machines and tunnels. Plain
 * bridges and veth pairs may be the office's network, so names decide. */
static const char *made_by_program(const struct local_if *f)
{
	static const struct {
		const char *prefix, *why;
	} names[] = {
		{ "docker", "containers" },
		{ "br-", "containers" },
		{ "veth", "containers" },
		{ "podman", "containers" },
		{ "cni", "containers" },
		{ "flannel", "containers" },
		{ "cali", "containers" },
		{ "lxc", "containers" },
		{ "lxdbr", "containers" },
		{ "incusbr", "containers" },
		{ "virbr", "virtual machines" },
		{ "vmnet", "virtual machines" },
		{ "vboxnet", "virtual machines" },
		{ "tailscale", "a tunnel" },
		{ "zt", "a tunnel" },
		{ "wg", "a tunnel" },
	};
	static const char *const tunnels[] = { "tun", "wireguard", "ipip", "gre", "sit" };

	for (size_t i = 0; i < HT_COUNT(names); i++) {
		if (strncmp(f->name, names[i].prefix, strlen(names[i].prefix)) == 0)
			return names[i].why;
	}
	for (size_t i = 0; i < HT_COUNT(tunnels); i++) {
		if (strcmp(f->driver, tunnels[i]) == 0)
			return "a tunnel";
	}
	return NULL;
}

/* Names go into YAML as they are. */
static bool plain_name(const char *name)
{
	return name[0] &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789._-@")] == '\0' &&
	       name[0] != '-' && name[0] != '@' && name[0] != '.';
}

static const char *why_not(const struct proposal *p, const struct network *n)
{
	const char *made = made_by_program(n->interface);

	if (!n->interface->up)
		return "the interface is down";
	if (made)
		return made;
	if (!n->interface->ether)
		return "the interface does not speak Ethernet";
	if (!plain_name(n->interface->name))
		return "the interface's name is unusual: write it by hand";
	if (!private_v4(&n->own))
		return "no private network (RFC 1918): is it the office's own?";
	if (n->own.prefix < 16)
		return "larger than a /16: declare the parts that are used";
	if (n->own.prefix >= 30 && p->wan && strcmp(n->interface->name, p->wan) == 0)
		return "the line to the router";
	return NULL;
}

static bool known(const struct proposal *p, const struct ht_addr *net)
{
	for (size_t i = 0; i < p->n_networks; i++) {
		if (ht_addr_equal(&p->networks[i].net, net))
			return true;
	}
	return false;
}

static void add_network(struct proposal *p, const struct local_addr *a)
{
	struct network n = { .own = a->addr, .interface = &p->local->ifs[a->interface] };

	if (a->addr.family != AF_INET || n.interface->loopback ||
	    p->n_networks == NETWORKS_MAX)
		return;
	/* Cuts the host bits off: the whole of its own network. */
	if (!local_attached_part(&a->addr, &a->addr, &n.net) || known(p, &n.net))
		return;
	n.left_out = why_not(p, &n);
	p->networks[p->n_networks++] = n;
}

static void look(
    const struct local *local, const struct propose_hints *hints, struct proposal *p)
{
	*p = (struct proposal){ .local = local, .hints = hints };
	p->gateway4 = local_gateway(local, AF_INET, NULL);
	p->gateway6 = local_gateway(local, AF_INET6, NULL);
	const struct local_gateway *line = local_gateway(local, AF_UNSPEC, NULL);
	if (p->gateway4)
		p->wan = p->gateway4->interface;
	else if (line)
		p->wan = line->interface;
	else if (p->gateway6)
		p->wan = p->gateway6->interface;
	for (size_t i = 0; i < local->n_addrs; i++)
		add_network(p, &local->addrs[i]);
}

/* ---- YAML ------------------------------------------------------------------------ */

static size_t count(const struct proposal *p, bool left_out)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_networks; i++)
		n += (p->networks[i].left_out != NULL) == left_out;
	return n;
}

/* An address without its prefix. */
static void host_text(const struct ht_addr *a, char out[static HT_ADDR_TEXT])
{
	struct ht_addr host = *a;

	host.prefix = a->family == AF_INET ? 32 : 128;
	ht_addr_format(&host, out);
}

static void put_subnets(const struct proposal *p, struct ht_buf *out)
{
	char net[HT_ADDR_TEXT], own[HT_ADDR_TEXT];

	ht_buf_puts(
	    out, "  # The office's own networks. No packet ever leaves for others.\n");
	ht_buf_puts(
	    out, count(p, false) ? "  subnets:\n" : "  subnets: []  # none was found\n");
	for (size_t i = 0; i < p->n_networks; i++) {
		const struct network *n = &p->networks[i];

		if (n->left_out)
			continue;
		local_subnet_text(&n->net, net);
		host_text(&n->own, own);
		ht_buf_printf(out, "    - %s  # %s, our address is %s\n", net,
		    n->interface->name, own);
	}
	if (count(p, true))
		ht_buf_puts(out, "  # Left out:\n");
	for (size_t i = 0; i < p->n_networks; i++) {
		const struct network *n = &p->networks[i];

		if (!n->left_out)
			continue;
		local_subnet_text(&n->net, net);
		ht_buf_printf(out, "  #   %s  %s: %s\n", net,
		    plain_name(n->interface->name) ? n->interface->name : "?",
		    n->left_out);
	}
}

static bool listed_before(const struct proposal *p, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (!p->networks[i].left_out &&
		    p->networks[i].interface == p->networks[at].interface)
			return true;
	}
	return false;
}

static void put_interfaces(const struct proposal *p, struct ht_buf *out)
{
	const char *comma = "";

	ht_buf_puts(out,
	    "  # Interfaces that are listened on (ARP and DHCP, never promiscuous).\n");
	ht_buf_puts(out, "  interfaces: [");
	for (size_t i = 0; i < p->n_networks; i++) {
		if (p->networks[i].left_out || listed_before(p, i))
			continue;
		ht_buf_printf(out, "%s%s", comma, p->networks[i].interface->name);
		comma = ", ";
	}
	ht_buf_puts(out, "]\n");
	ht_buf_printf(out, "  packets_per_s: %d\n", PACKETS_PER_S);
}

static void put_gateways(const struct proposal *p, struct ht_buf *out)
{
	char text[HT_ADDR_TEXT];

	if (!p->wan)
		ht_buf_puts(out,
		    "  # There is no default route: no gateway, no WAN interface.\n");
	else
		ht_buf_printf(
		    out, "  # The way out is %s.\n", plain_name(p->wan) ? p->wan : "?");
	if (p->gateway4) {
		ht_addr_format(&p->gateway4->addr, text);
		ht_buf_printf(out,
		    "  - { probe: icmp, id: gateway, every: 60s, target: %s }\n", text);
	}
	if (p->gateway6) {
		ht_addr_format(&p->gateway6->addr, text);
		ht_buf_printf(out, "  # The IPv6 gateway is %s.\n", text);
	}
}

/* The office's networks are attached, and the way out is another interface: what leaves
 * the office leaves through this machine. */
static bool is_router(const struct proposal *p)
{
	size_t attached = 0;

	for (size_t i = 0; i < p->n_networks; i++) {
		if (p->networks[i].left_out)
			continue;
		attached++;
		if (p->wan && strcmp(p->networks[i].interface->name, p->wan) == 0)
			return false;
	}
	return attached && p->wan && plain_name(p->wan);
}

/* Approving it confirms which interface carries the link. */
static void put_own_line(const struct proposal *p, struct ht_buf *out)
{
	const char *id = p->hints->wan_id;

	ht_buf_printf(out,
	    "  # This machine is the office's router: what its WAN interface carries.\n"
	    "  %s- { probe: link.local, id: %s, every: 60s, link_interface: %s }\n",
	    id ? "" : "# ", id ? id : "wan", p->wan);
}

static void put_wan(const struct proposal *p, struct ht_buf *out)
{
	const char *target = p->hints->wan_target, *id = p->hints->wan_id;

	ht_buf_puts(out,
	    "  # The WAN link: its id is the link's id in the registry, its target\n"
	    "  # an address at the other end.\n");
	ht_buf_printf(out, "  %s- { probe: icmp, id: %s, every: 60s, target: %s }\n",
	    target ? "" : "# ", id ? id : "wan", target ? target : "ADDRESS");
	if (!p->wan)
		return;
	if (is_router(p))
		put_own_line(p, out);
	ht_buf_puts(out,
	    "  # Whose network the way to its far end is. Add `networks`, which hops\n"
	    "  # belong to which; `hatang-agent probe path --target ADDRESS` shows "
	    "them.\n"
	    "  - { probe: path, every: 15m, timeout: 5m }\n");
}

static void put_probes(const struct proposal *p, struct ht_buf *out)
{
	ht_buf_puts(out, "probes:\n");
	put_gateways(p, out);
	put_wan(p, out);
	if (count(p, false)) {
		ht_buf_puts(out,
		    "  # Which machines are there.\n"
		    "  - { probe: lan.arp, id: lan, every: 10m }\n"
		    "  - { probe: lan.passive, id: lan-passive, every: 5m }\n");
	} else {
		ht_buf_puts(out, "  # No network of the office is attached: machines are "
				 "not counted.\n");
	}
	ht_buf_puts(out,
	    "  # What protects this machine.\n"
	    "  - { probe: posture.host, id: host, every: 1h, timeout: 2m }\n");
}

ht_err propose_yaml(
    const struct local *local, const struct propose_hints *hints, struct ht_buf *out)
{
	struct proposal p;
	char host[HT_ID_MAX];

	look(local, hints, &p);
	ht_id_from(
	    hints->hostname ? hints->hostname : "this machine", host, sizeof(host));
	ht_buf_printf(out,
	    "# Proposed by hatang-agent %s on %s from what it saw there.\n"
	    "# Read it, correct it, approve it on the server.\n",
	    HATANG_VERSION, host);
	ht_buf_puts(out, "site:\n");
	put_subnets(&p, out);
	put_interfaces(&p, out);
	put_probes(&p, out);
	return ht_buf_err(out);
}

/* ---- JSON ------------------------------------------------------------------------ */

static void add_text(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, text ? json_object_new_string(text) : NULL);
}

static struct json_object *networks_json(const struct proposal *p, bool left_out)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < p->n_networks; i++) {
		const struct network *n = &p->networks[i];
		char text[HT_ADDR_TEXT];

		if ((n->left_out != NULL) != left_out)
			continue;
		struct json_object *row = json_object_new_object();
		local_subnet_text(&n->net, text);
		add_text(row, "subnet", text);
		host_text(&n->own, text);
		add_text(row, "address", text);
		add_text(row, "interface", n->interface->name);
		if (left_out)
			add_text(row, "why", n->left_out);
		json_object_array_add(list, row);
	}
	return list;
}

static void add_gateway(
    struct json_object *o, const char *key, const struct local_gateway *g)
{
	char text[HT_ADDR_TEXT];

	if (g)
		ht_addr_format(&g->addr, text);
	add_text(o, key, g ? text : NULL);
}

ht_err propose_json(
    const struct local *local, const struct propose_hints *hints, struct ht_buf *out)
{
	struct proposal p;
	struct ht_buf yaml;

	ht_buf_init(&yaml, PROPOSE_BYTES_MAX);
	ht_err err = propose_yaml(local, hints, &yaml);
	if (!err) {
		struct json_object *o = json_object_new_object();

		look(local, hints, &p);
		add_gateway(o, "gateway", p.gateway4);
		add_gateway(o, "gateway6", p.gateway6);
		add_text(o, "wan_interface", p.wan);
		json_object_object_add(o, "subnets", networks_json(&p, false));
		json_object_object_add(o, "left_out", networks_json(&p, true));
		add_text(o, "yaml", ht_buf_text(&yaml));
		ht_buf_puts(out,
		    json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE));
		json_object_put(o);
		err = ht_buf_err(out);
	}
	ht_buf_fini(&yaml);
	return err;
}

/* ---- this machine ---------------------------------------------------------------- */

static ht_err write_machine(bool json, struct propose_hints *hints, struct ht_buf *out)
{
	struct local *local = malloc(sizeof(*local));
	char name[256];
	ht_err err = local ? local_read(local) : HT_NOMEM;

	if (gethostname(name, sizeof(name)) == 0) {
		name[sizeof(name) - 1] = '\0';
		hints->hostname = name;
	}
	if (!err)
		err = json ? propose_json(local, hints, out)
			   : propose_yaml(local, hints, out);
	hints->hostname = NULL;
	free(local);
	return err;
}

ht_err propose_build(struct ht_buf *out)
{
	struct propose_hints hints = { .hostname = NULL };

	return write_machine(false, &hints, out);
}

static const char usage[] =
    "usage: hatang-agent propose [--json] [--wan-target ADDRESS] [--wan-id ID]\n"
    "Looks at this machine's interfaces, addresses and default gateway and prints the\n"
    "sections `site` and `probes` of a configuration. Sends nothing, changes nothing.\n"
    "  --json                 print one JSON object, the YAML in it as \"yaml\"\n"
    "  --wan-target ADDRESS   address at the other end of the WAN link, to be pinged\n"
    "  --wan-id ID            the WAN link's id in the registry\n";

static bool hints_valid(const struct propose_hints *hints)
{
	struct ht_addr a;

	if (hints->wan_target && ht_addr_parse(hints->wan_target, &a) != HT_OK) {
		fprintf(stderr, "--wan-target %s: not an address, as 10.0.0.1\n",
		    hints->wan_target);
		return false;
	}
	if (hints->wan_id && !ht_id_valid(hints->wan_id, HT_ID_MAX)) {
		fprintf(stderr, "--wan-id %s: not an id; letters, digits, . _ : -\n",
		    hints->wan_id);
		return false;
	}
	return true;
}

int propose_main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "wan-target", required_argument, NULL, 't' },
		{ "wan-id", required_argument, NULL, 'i' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct propose_hints hints = { .hostname = NULL };
	struct ht_buf out;
	bool json = false;
	int c;

	optind = 0; /* the program has read options before us */
	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (c) {
		case 'j':
			json = true;
			break;
		case 't':
			hints.wan_target = optarg;
			break;
		case 'i':
			hints.wan_id = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return HT_EXIT_OK;
		default:
			fputs(usage, stderr);
			return HT_EXIT_USAGE;
		}
	}
	if (optind < argc || !hints_valid(&hints)) {
		fputs(usage, stderr);
		return HT_EXIT_USAGE;
	}
	ht_buf_init(&out, 8 * PROPOSE_BYTES_MAX);
	ht_err err = write_machine(json, &hints, &out);
	if (err)
		fprintf(stderr, "propose: %s\n", ht_err_name(err));
	else
		printf("%s%s", ht_buf_text(&out), json ? "\n" : "");
	ht_buf_fini(&out);
	return err ? HT_EXIT_FAILURE : HT_EXIT_OK;
}
