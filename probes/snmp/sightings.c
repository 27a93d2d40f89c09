#include "probes/snmp/sightings.h"

static const struct ht_addr *subnet_of(
    const struct probe_site *site, const struct ht_addr *addr)
{
	for (size_t i = 0; i < site->n_subnets; i++) {
		if (ht_addr_within(&site->subnets[i], addr))
			return &site->subnets[i];
	}
	return NULL;
}

static void emit_one(const struct probe_host *host, const struct neighbour *n,
    const struct ht_addr *subnet)
{
	char id[HT_MAC_TEXT], text[HT_ADDR_TEXT];
	struct ht_reading r = { .instance = id, .at_ns = n->at_ns };

	ht_mac_format(&n->mac, id);
	r.metric = HT_M_MAC_SEEN_BY;
	r.string = "snmp-arp";
	host->emit(host, &r);
	ht_addr_format(&n->addr, text);
	r.metric = n->addr.family == AF_INET ? HT_M_MAC_IPV4 : HT_M_MAC_IPV6;
	r.string = text;
	host->emit(host, &r);
	if (!subnet)
		return;
	ht_addr_format(subnet, text);
	r.metric = HT_M_MAC_SUBNET;
	host->emit(host, &r);
}

void sightings_emit(const struct probe_host *host, const struct neighbours *n)
{
	const struct probe_site *site = host->site;
	bool declared = site && site->n_subnets;

	for (size_t i = 0; i < n->n; i++) {
		const struct neighbour *e = &n->at[i];
		const struct ht_addr *subnet =
		    declared ? subnet_of(site, &e->addr) : NULL;

		if (neighbour_is_card(e) && (subnet || !declared))
			emit_one(host, e, subnet);
	}
}
