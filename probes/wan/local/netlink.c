#include "probes/wan/local/netlink.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if_arp.h>
#include <string.h>

#include "probes/snmp/iftype.h"

enum { NEST_MAX = 64 }; /* no attribute that is read here has a higher type */

/* Attributes of one message by their type; the last of a kind counts. */
struct attrs {
	const uint8_t *at[NEST_MAX];
	size_t len[NEST_MAX];
};

/* ── Requests ─────────────────────────────────────────────────────────────────────── */

size_t netlink_request(
    enum netlink_dump dump, uint32_t seq, uint8_t out[static NETLINK_REQUEST_MAX])
{
	static const uint16_t types[NETLINK_DUMPS] = { RTM_GETLINK, RTM_GETADDR,
		RTM_GETROUTE, RTM_GETROUTE };
	struct nlmsghdr head = { .nlmsg_type = types[dump],
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		.nlmsg_seq = seq };
	struct ifinfomsg link = { .ifi_family = AF_UNSPEC };
	struct ifaddrmsg addr = { .ifa_family = AF_UNSPEC };
	struct rtmsg route = {
		.rtm_family = dump == NETLINK_ROUTES6 ? AF_INET6 : AF_INET,
		.rtm_table = RT_TABLE_MAIN,
	};
	const void *body = dump == NETLINK_LINKS       ? (const void *)&link
			   : dump == NETLINK_ADDRESSES ? (const void *)&addr
						       : (const void *)&route;
	size_t len = dump == NETLINK_LINKS       ? sizeof(link)
		     : dump == NETLINK_ADDRESSES ? sizeof(addr)
						 : sizeof(route);

	head.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + len);
	memcpy(out, &head, sizeof(head));
	memcpy(out + NLMSG_HDRLEN, body, len);
	return head.nlmsg_len;
}

/* ── Reading ──────────────────────────────────────────────────────────────────────── */

/* Attributes that are too long end the list; a nest of another kind is passed over. */
static void read_attrs(const uint8_t *at, size_t len, struct attrs *out)
{
	struct rtattr a;

	memset(out, 0, sizeof(*out));
	while (len >= sizeof(a)) {
		memcpy(&a, at, sizeof(a));
		if (a.rta_len < sizeof(a) || a.rta_len > len)
			return;
		unsigned type = a.rta_type & NLA_TYPE_MASK;

		if (type < NEST_MAX) {
			out->at[type] = at + sizeof(a);
			out->len[type] = a.rta_len - sizeof(a);
		}
		size_t step = RTA_ALIGN(a.rta_len);
		if (step > len)
			return;
		at += step;
		len -= step;
	}
}

static uint32_t get_u32(const struct attrs *a, unsigned type)
{
	uint32_t v = 0;

	if (type < NEST_MAX && a->at[type] && a->len[type] >= sizeof(v))
		memcpy(&v, a->at[type], sizeof(v));
	return v;
}

static uint8_t get_u8(const struct attrs *a, unsigned type)
{
	return a->at[type] && a->len[type] ? a->at[type][0] : 0;
}

static bool text_is(const struct attrs *a, unsigned type, const char *text)
{
	size_t len = a->at[type] ? strnlen((const char *)a->at[type], a->len[type]) : 0;

	return a->at[type] && len == strlen(text) && memcmp(a->at[type], text, len) == 0;
}

static ht_err put_text(
    struct table_row *r, enum table_text n, const struct attrs *a, unsigned type)
{
	if (!a->at[type])
		return HT_OK;
	size_t len = n == TABLE_PHYS ? a->len[type]
				     : strnlen((const char *)a->at[type], a->len[type]);

	return table_put_text(r, n, a->at[type], len);
}

/* ── Links ────────────────────────────────────────────────────────────────────────── */

/* Linux says what a link is by its hardware type and, of virtual ones, its kind. */
static uint32_t type_of(uint16_t hardware, const struct attrs *info)
{
	static const struct {
		const char *kind;
		uint32_t type;
	} kinds[] = { { "vlan", IFTYPE_L2VLAN }, { "bond", IFTYPE_LAG },
		{ "team", IFTYPE_LAG }, { "bridge", IFTYPE_BRIDGE },
		{ "wireguard", IFTYPE_TUNNEL }, { "tun", IFTYPE_TUNNEL },
		{ "gre", IFTYPE_TUNNEL }, { "ipip", IFTYPE_TUNNEL },
		{ "sit", IFTYPE_TUNNEL }, { "vti", IFTYPE_TUNNEL },
		{ "xfrm", IFTYPE_TUNNEL }, { "vxlan", IFTYPE_TUNNEL },
		{ "dummy", IFTYPE_LOOPBACK } };

	for (size_t i = 0; i < HT_COUNT(kinds); i++) {
		if (text_is(info, IFLA_INFO_KIND, kinds[i].kind))
			return kinds[i].type;
	}
	return hardware == ARPHRD_ETHER      ? IFTYPE_ETHERNET
	       : hardware == ARPHRD_PPP      ? IFTYPE_PPP
	       : hardware == ARPHRD_LOOPBACK ? IFTYPE_LOOPBACK
	       : hardware == ARPHRD_TUNNEL || hardware == ARPHRD_TUNNEL6 ||
		       hardware == ARPHRD_SIT || hardware == ARPHRD_IPGRE ||
		       hardware == ARPHRD_NONE
		   ? IFTYPE_TUNNEL
		   : IFTYPE_PROP_VIRTUAL;
}

/* IF_OPER_* of linux/if.h as ifOperStatus. Drivers without carrier (ppp, tun) say
 * "unknown" for ever: then up and running is up. */
static uint64_t oper_of(uint8_t state, unsigned flags)
{
	static const uint8_t states[] = { 4, 6, 2, 7, 3, 5, 1 };

	if (state == 0 || state >= HT_COUNT(states))
		return (flags & IFF_UP) && (flags & IFF_RUNNING) ? 1 : 2;
	return states[state];
}

static void put_counters(struct table_row *r, const uint8_t *at, size_t len)
{
	static const struct {
		size_t offset;
		enum table_number what;
	} counters[] = {
		{ offsetof(struct rtnl_link_stats64, rx_bytes), TABLE_HC_IN_OCTETS },
		{ offsetof(struct rtnl_link_stats64, tx_bytes), TABLE_HC_OUT_OCTETS },
		{ offsetof(struct rtnl_link_stats64, rx_errors), TABLE_IN_ERRORS },
		{ offsetof(struct rtnl_link_stats64, tx_errors), TABLE_OUT_ERRORS },
		{ offsetof(struct rtnl_link_stats64, rx_dropped), TABLE_IN_DISCARDS },
		{ offsetof(struct rtnl_link_stats64, tx_dropped), TABLE_OUT_DISCARDS },
	};
	uint64_t v;

	for (size_t i = 0; i < HT_COUNT(counters); i++) {
		if (!at || counters[i].offset + sizeof(v) > len)
			continue;
		memcpy(&v, at + counters[i].offset, sizeof(v));
		table_put_number(r, counters[i].what, v);
	}
}

/* A link below, but not a veth's other end, which IFLA_LINK names as well. */
static void put_stacks(
    struct table *t, uint32_t index, const struct attrs *a, const struct attrs *info)
{
	if (a->at[IFLA_LINK] && !a->at[IFLA_LINK_NETNSID] &&
	    !text_is(info, IFLA_INFO_KIND, "veth"))
		topology_put_stack(&t->topology, index, get_u32(a, IFLA_LINK));
	topology_put_stack(&t->topology, get_u32(a, IFLA_MASTER), index);
}

static ht_err take_link(struct table *t, const uint8_t *body, size_t len, int64_t at_ns)
{
	struct ifinfomsg m;
	struct attrs a, info;

	if (len < sizeof(m))
		return HT_MALFORMED;
	memcpy(&m, body, sizeof(m));
	if (m.ifi_index <= 0)
		return HT_MALFORMED;
	size_t head = NLMSG_ALIGN(sizeof(m));
	read_attrs(body + head, len > head ? len - head : 0, &a);
	read_attrs(
	    a.at[IFLA_LINKINFO], a.at[IFLA_LINKINFO] ? a.len[IFLA_LINKINFO] : 0, &info);
	struct table_row *r = table_row(t, (uint32_t)m.ifi_index);
	if (!r)
		return t->n >= t->max ? HT_FULL : HT_NOMEM;
	r->at_ns = at_ns;
	ht_err err = put_text(r, TABLE_NAME, &a, IFLA_IFNAME);
	if (!err)
		err = put_text(r, TABLE_ALIAS, &a, IFLA_IFALIAS);
	if (!err && m.ifi_type == ARPHRD_ETHER)
		err = put_text(r, TABLE_PHYS, &a, IFLA_ADDRESS);
	table_put_number(r, TABLE_TYPE, type_of(m.ifi_type, &info));
	table_put_number(r, TABLE_ADMIN, m.ifi_flags & IFF_UP ? 1 : 2);
	table_put_number(r, TABLE_OPER, oper_of(get_u8(&a, IFLA_OPERSTATE), m.ifi_flags));
	put_counters(r, a.at[IFLA_STATS64], a.len[IFLA_STATS64]);
	put_stacks(t, (uint32_t)m.ifi_index, &a, &info);
	return err;
}

/* ── Addresses and routes ─────────────────────────────────────────────────────────── */

static bool get_addr(
    const struct attrs *a, unsigned type, int family, struct ht_addr *out)
{
	size_t len = family == AF_INET ? 4 : 16;

	if ((family != AF_INET && family != AF_INET6) || !a->at[type] ||
	    a->len[type] < len)
		return false;
	*out =
	    (struct ht_addr){ .family = (uint8_t)family, .prefix = (uint8_t)(len * 8) };
	memcpy(out->bytes, a->at[type], len);
	return true;
}

/* IFA_ADDRESS is the far end of a line from point to point, then IFA_LOCAL is ours. */
static ht_err take_address(struct table *t, const uint8_t *body, size_t len)
{
	struct ifaddrmsg m;
	struct attrs a;
	struct ht_addr addr;

	if (len < sizeof(m))
		return HT_MALFORMED;
	memcpy(&m, body, sizeof(m));
	size_t head = NLMSG_ALIGN(sizeof(m));
	read_attrs(body + head, len > head ? len - head : 0, &a);
	if (!get_addr(&a, IFA_LOCAL, m.ifa_family, &addr) &&
	    !get_addr(&a, IFA_ADDRESS, m.ifa_family, &addr))
		return HT_OK;
	struct topology_address *e = topology_address(&t->topology, &addr);
	if (e) {
		e->index = m.ifa_index;
		if (m.ifa_prefixlen && m.ifa_prefixlen <= addr.prefix)
			e->addr.prefix = m.ifa_prefixlen;
	}
	return HT_OK;
}

static void put_route(struct table *t, const struct topology_route *like, uint32_t index)
{
	struct topology_route *r =
	    index ? topology_route(&t->topology, t->topology.n_routes) : NULL;

	if (r) {
		uint64_t row = r->row;

		*r = *like;
		r->row = row;
		r->index = index;
	}
}

/* A route over several lines names its next hops in a list. */
static void put_hops(
    struct table *t, const struct topology_route *like, const uint8_t *at, size_t len)
{
	struct rtnexthop hop;

	while (len >= sizeof(hop)) {
		memcpy(&hop, at, sizeof(hop));
		if (hop.rtnh_len < sizeof(hop) || hop.rtnh_len > len)
			return;
		put_route(t, like, hop.rtnh_ifindex > 0 ? (uint32_t)hop.rtnh_ifindex : 0);
		size_t step = RTNH_ALIGN(hop.rtnh_len);
		if (step > len)
			return;
		at += step;
		len -= step;
	}
}

static ht_err take_route(struct table *t, const uint8_t *body, size_t len)
{
	struct rtmsg m;
	struct attrs a;

	if (len < sizeof(m))
		return HT_MALFORMED;
	memcpy(&m, body, sizeof(m));
	size_t head = NLMSG_ALIGN(sizeof(m));
	read_attrs(body + head, len > head ? len - head : 0, &a);
	uint32_t table = a.at[RTA_TABLE] ? get_u32(&a, RTA_TABLE) : m.rtm_table;
	if (m.rtm_dst_len || table != RT_TABLE_MAIN || m.rtm_type != RTN_UNICAST ||
	    (m.rtm_flags & RTM_F_CLONED))
		return HT_OK;
	/* without a gateway (ppp) it is the network 0/0 itself */
	struct topology_route like = { .gateway = { .family = m.rtm_family },
		.metric = get_u32(&a, RTA_PRIORITY) };
	(void)get_addr(&a, RTA_GATEWAY, m.rtm_family, &like.gateway);
	if (a.at[RTA_MULTIPATH])
		put_hops(t, &like, a.at[RTA_MULTIPATH], a.len[RTA_MULTIPATH]);
	else
		put_route(t, &like, get_u32(&a, RTA_OIF));
	return HT_OK;
}

/* ── Datagrams ────────────────────────────────────────────────────────────────────── */

/* NLMSG_ERROR, and NLMSG_DONE when a dump was refused: -errno comes first. */
static ht_err refusal(const uint8_t *body, size_t len)
{
	int32_t code = 0;

	if (len >= sizeof(code))
		memcpy(&code, body, sizeof(code));
	if (code == 0)
		return HT_OK;
	return code == -EPERM || code == -EACCES ? HT_DENIED : HT_IO;
}

static ht_err take_message(
    struct table *t, uint16_t type, const uint8_t *body, size_t len, int64_t at_ns)
{
	switch (type) {
	case RTM_NEWLINK:
		return take_link(t, body, len, at_ns);
	case RTM_NEWADDR:
		return take_address(t, body, len);
	case RTM_NEWROUTE:
		return take_route(t, body, len);
	case NLMSG_ERROR:
	case NLMSG_DONE:
		return refusal(body, len);
	default:
		return HT_OK;
	}
}

ht_err netlink_parse(const void *bytes, size_t len, uint32_t seq, int64_t at_ns,
    struct table *t, struct netlink_progress *p)
{
	const uint8_t *at = bytes;
	ht_err first = HT_OK;

	while (len >= sizeof(struct nlmsghdr) && !p->done) {
		struct nlmsghdr h;

		memcpy(&h, at, sizeof(h));
		if (h.nlmsg_len < NLMSG_HDRLEN || h.nlmsg_len > len)
			return HT_MALFORMED;
		if (h.nlmsg_seq == seq) {
			ht_err err = take_message(t, h.nlmsg_type, at + NLMSG_HDRLEN,
			    h.nlmsg_len - NLMSG_HDRLEN, at_ns);

			first = first ? first : err;
			p->torn |= h.nlmsg_flags & NLM_F_DUMP_INTR;
			p->done |=
			    h.nlmsg_type == NLMSG_DONE || h.nlmsg_type == NLMSG_ERROR;
		}
		size_t step = NLMSG_ALIGN((size_t)h.nlmsg_len);

		step = step < len ? step : len;
		at += step;
		len -= step;
	}
	return first;
}
