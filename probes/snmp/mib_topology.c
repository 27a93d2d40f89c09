#include "probes/snmp/mib_topology.h"

#include <string.h>

enum {
	STACK_STATUS,
	LAG_OF_PORT,
	ADDR_INDEX,
	ADDR_MASK,
	ADDRESS_INDEX,
	ADDRESS_PREFIX,
	INET_INDEX,
	INET_TYPE,
	INET_METRIC,
	CIDR_INDEX,
	CIDR_TYPE,
	CIDR_METRIC,
	ROUTE_INDEX,
	ROUTE_METRIC,
	ROUTE_GATEWAY,
};

#define OID(...)                                       \
	.oid = (const session_subid[]){ __VA_ARGS__ }, \
	.oid_len = sizeof((session_subid[]){ __VA_ARGS__ }) / sizeof(session_subid)
#define IP 1, 3, 6, 1, 2, 1, 4

/* Names end where the default routes are: 0.0.0.0/0 is their first part. */
const struct mib_column mib_topology_columns[MIB_TOPOLOGY_COLUMNS] = {
	/* ifStackStatus.<upper>.<lower>, RFC 2863 */
	{ .what = STACK_STATUS, OID(1, 3, 6, 1, 2, 1, 31, 1, 2, 1, 3) },
	/* dot3adAggPortAttachedAggID.<port>, IEEE 802.3ad */
	{ .what = LAG_OF_PORT, OID(1, 2, 840, 10006, 300, 43, 1, 2, 1, 1, 13) },
	/* ipAddrTable, RFC 1213 */
	{ .what = ADDR_INDEX, OID(IP, 20, 1, 2) },
	{ .what = ADDR_MASK, OID(IP, 20, 1, 3) },
	/* ipAddressTable, RFC 4293: ipAddressIfIndex, ipAddressPrefix */
	{ .what = ADDRESS_INDEX, OID(IP, 34, 1, 3) },
	{ .what = ADDRESS_PREFIX, OID(IP, 34, 1, 5) },
	/* inetCidrRouteTable, RFC 4292: …IfIndex, …Type, …Metric1 of ipv4(1) 0.0.0.0/0 */
	{ .what = INET_INDEX, OID(IP, 24, 7, 1, 7, 1, 4, 0, 0, 0, 0, 0) },
	{ .what = INET_TYPE, OID(IP, 24, 7, 1, 8, 1, 4, 0, 0, 0, 0, 0) },
	{ .what = INET_METRIC, OID(IP, 24, 7, 1, 12, 1, 4, 0, 0, 0, 0, 0) },
	/* ipCidrRouteTable, RFC 2096: …IfIndex, …Type, …Metric1 of 0.0.0.0 0.0.0.0 */
	{ .what = CIDR_INDEX, OID(IP, 24, 4, 1, 5, 0, 0, 0, 0, 0, 0, 0, 0) },
	{ .what = CIDR_TYPE, OID(IP, 24, 4, 1, 6, 0, 0, 0, 0, 0, 0, 0, 0) },
	{ .what = CIDR_METRIC, OID(IP, 24, 4, 1, 11, 0, 0, 0, 0, 0, 0, 0, 0) },
	/* ipRouteTable, RFC 1213: its index is the destination alone, so the last 0 of it
	 * is what follows: ipRouteIfIndex, ipRouteMetric1, ipRouteNextHop */
	{ .what = ROUTE_INDEX, OID(IP, 21, 1, 2, 0, 0, 0) },
	{ .what = ROUTE_METRIC, OID(IP, 21, 1, 3, 0, 0, 0) },
	{ .what = ROUTE_GATEWAY, OID(IP, 21, 1, 7, 0, 0, 0) },
};

/* ── Values ───────────────────────────────────────────────────────────────────────── */

/* An ifIndex, or 0. */
static uint32_t index_of(const struct session_value *v)
{
	if (v->type == SESSION_INTEGER && v->integer > 0 && v->integer <= INT32_MAX)
		return (uint32_t)v->integer;
	if (v->type == SESSION_UNSIGNED && v->number <= UINT32_MAX)
		return (uint32_t)v->number;
	return 0;
}

static uint32_t subid(const struct session_oid *o, size_t at)
{
	return at < o->n && o->at[at] <= UINT32_MAX ? (uint32_t)o->at[at] : 0;
}

static bool put_bytes(struct ht_addr *out, const session_subid *at, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (at[i] > UINT8_MAX)
			return false;
		out->bytes[i] = (uint8_t)at[i];
	}
	out->family = len == 4 ? AF_INET : AF_INET6;
	out->prefix = (uint8_t)(len * 8);
	return true;
}

/* An InetAddress in an index (RFC 4001): its length, then its bytes; the zone of a scoped
 * one is left out. Subids used, 0 when it is none. */
static size_t inet_address(const session_subid *at, size_t n, struct ht_addr *out)
{
	size_t len = n ? at[0] : 0;

	if (!len || len > 20 || len + 1 > n)
		return 0;
	if ((len == 4 || len == 8) && put_bytes(out, at + 1, 4))
		return len + 1;
	if ((len == 16 || len == 20) && put_bytes(out, at + 1, 16))
		return len + 1;
	return 0;
}

/* Bits of a mask; -1 when it has holes. */
static int mask_bits(const uint8_t *bytes, size_t len)
{
	int bits = 0;
	bool ended = false;

	for (size_t i = 0; i < len * 8; i++) {
		bool one = bytes[i / 8] >> (7 - i % 8) & 1;

		if (one && ended)
			return -1;
		ended |= !one;
		bits += one;
	}
	return bits;
}

static uint64_t row_of(uint64_t table, const struct session_oid *index)
{
	uint64_t h = UINT64_C(14695981039346656037) ^ table; /* FNV-1a, by parts */

	for (size_t i = 0; i < index->n; i++)
		h = (h ^ index->at[i]) * UINT64_C(1099511628211);
	return h;
}

/* ── Tables ───────────────────────────────────────────────────────────────────────── */

static void take_stack(
    struct topology *t, const struct session_oid *index, const struct session_value *v)
{
	enum { ACTIVE = 1 };

	if (index->n == 2 && v->type == SESSION_INTEGER && v->integer == ACTIVE)
		topology_put_stack(t, subid(index, 0), subid(index, 1));
}

static void take_address(struct topology *t, int what, const struct ht_addr *addr,
    const struct session_value *v)
{
	static const uint8_t none[16];
	struct topology_address *a;
	int bits = -1;

	if (memcmp(addr->bytes, none, addr->family == AF_INET ? 4 : 16) == 0 ||
	    !(a = topology_address(t, addr)))
		return;
	if (what == ADDR_INDEX || what == ADDRESS_INDEX) {
		a->index = index_of(v) ? index_of(v) : a->index;
		return;
	}
	if (what == ADDR_MASK && v->type == SESSION_OCTETS && v->len == 4)
		bits = mask_bits(v->bytes, 4);
	else if (what == ADDRESS_PREFIX && v->type == SESSION_OID && v->oid.n > 2 &&
		 v->oid.at[v->oid.n - 1] <= (addr->family == AF_INET ? 32 : 128))
		bits =
		    (int)
			v->oid.at[v->oid.n - 1]; /* names a row of ipAddressPrefixTable */
	if (bits > 0)
		a->addr.prefix = (uint8_t)bits;
}

static void take_addr_row(struct topology *t, int what, const struct session_oid *index,
    const struct session_value *v)
{
	struct ht_addr addr = { 0 };

	if (index->n == 4 && put_bytes(&addr, index->at, 4))
		take_address(t, what, &addr, v);
}

static void take_address_row(struct topology *t, int what,
    const struct session_oid *index, const struct session_value *v)
{
	struct ht_addr addr = { 0 };

	if (index->n > 2 && inet_address(index->at + 1, index->n - 1, &addr))
		take_address(t, what, &addr, v);
}

/* …Type: other(1), reject(2), local(3), remote(4), blackhole(5) */
static void take_route(struct topology_route *r, int what, const struct session_value *v)
{
	enum { REJECT = 2, BLACKHOLE = 5 };

	if (what == INET_INDEX || what == CIDR_INDEX || what == ROUTE_INDEX)
		r->index = index_of(v);
	else if (v->type != SESSION_INTEGER)
		return;
	else if (what == INET_TYPE || what == CIDR_TYPE)
		r->refused = v->integer == REJECT || v->integer == BLACKHOLE;
	else
		r->metric = v->integer;
}

/* What follows 0.0.0.0/0: the policy (an OID with its length), the next hop's type and
 * the next hop. */
static void take_inet_route(struct topology *t, int what, const struct session_oid *index,
    const struct session_value *v)
{
	struct topology_route *r = topology_route(t, row_of(INET_INDEX, index));
	size_t policy = index->n ? index->at[0] : 0;

	if (!r)
		return;
	take_route(r, what, v);
	if (policy < index->n && index->n - policy > 2)
		(void)inet_address(
		    index->at + policy + 2, index->n - policy - 2, &r->gateway);
}

/* What follows 0.0.0.0 0.0.0.0: type of service, next hop. */
static void take_cidr_route(struct topology *t, int what, const struct session_oid *index,
    const struct session_value *v)
{
	struct topology_route *r = topology_route(t, row_of(CIDR_INDEX, index));

	if (!r)
		return;
	take_route(r, what, v);
	if (index->n == 5)
		(void)put_bytes(&r->gateway, index->at + 1, 4);
}

static void take_old_route(struct topology *t, int what, const struct session_oid *index,
    const struct session_value *v)
{
	struct topology_route *r;

	if (index->n != 1 || index->at[0] != 0 ||
	    !(r = topology_route(t, row_of(ROUTE_INDEX, index))))
		return;
	if (what != ROUTE_GATEWAY) {
		take_route(r, what, v);
	} else if (v->type == SESSION_OCTETS && v->len == 4) {
		r->gateway = (struct ht_addr){ .family = AF_INET, .prefix = 32 };
		memcpy(r->gateway.bytes, v->bytes, 4);
	}
}

bool mib_topology_cell(struct table *table, const struct mib_column *c,
    const struct session_oid *index, const struct session_value *v, int64_t at_ns)
{
	struct topology *t = &table->topology;

	(void)at_ns;
	if (c->what == STACK_STATUS)
		take_stack(t, index, v);
	else if (c->what == LAG_OF_PORT && index->n == 1)
		topology_put_stack(t, index_of(v), subid(index, 0));
	else if (c->what == ADDR_INDEX || c->what == ADDR_MASK)
		take_addr_row(t, c->what, index, v);
	else if (c->what == ADDRESS_INDEX || c->what == ADDRESS_PREFIX)
		take_address_row(t, c->what, index, v);
	else if (c->what >= INET_INDEX && c->what <= INET_METRIC)
		take_inet_route(t, c->what, index, v);
	else if (c->what >= CIDR_INDEX && c->what <= CIDR_METRIC)
		take_cidr_route(t, c->what, index, v);
	else if (c->what >= ROUTE_INDEX)
		take_old_route(t, c->what, index, v);
	return true;
}
