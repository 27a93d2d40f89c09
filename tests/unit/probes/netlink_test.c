/* rtnetlink's messages, as the kernel sends them and as it never would; and since when
 * interfaces live. */
#include "unit/test.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <net/if_arp.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "probes/snmp/iftype.h"
#include "probes/wan/local/lives.h"
#include "probes/wan/local/netlink.h"

enum { SEQ = 7 };

struct datagram {
	uint8_t bytes[4096];
	size_t len, message; /* where the one under way begins */
};

static void put(struct datagram *d, const void *bytes, size_t len)
{
	assert_true(d->len + len + 4 <= sizeof(d->bytes));
	if (len)
		memcpy(d->bytes + d->len, bytes, len);
	d->len += NLMSG_ALIGN(len);
	uint32_t whole = (uint32_t)(d->len - d->message);
	memcpy(d->bytes + d->message, &whole, sizeof(whole));
}

static void begin(
    struct datagram *d, uint16_t type, uint16_t flags, const void *body, size_t len)
{
	const struct nlmsghdr h = {
		.nlmsg_type = type, .nlmsg_flags = flags, .nlmsg_seq = SEQ
	};

	d->message = d->len;
	put(d, &h, sizeof(h));
	put(d, body, len);
}

static void attr(struct datagram *d, uint16_t type, const void *bytes, size_t len)
{
	const struct rtattr a = { (uint16_t)(sizeof(a) + len), type };

	put(d, &a, sizeof(a));
	put(d, bytes, len);
}

static void attr_u32(struct datagram *d, uint16_t type, uint32_t v)
{
	attr(d, type, &v, sizeof(v));
}

static void done(struct datagram *d, int32_t code)
{
	begin(d, NLMSG_DONE, 0, &code, sizeof(code));
}

static void link_(struct datagram *d, int index, uint16_t hardware, unsigned flags,
    const char *name, const char *kind)
{
	const struct ifinfomsg m = {
		.ifi_type = hardware, .ifi_index = index, .ifi_flags = flags
	};

	begin(d, RTM_NEWLINK, NLM_F_MULTI, &m, sizeof(m));
	attr(d, IFLA_IFNAME, name, strlen(name) + 1);
	if (kind) {
		uint8_t nest[64] = { 0 };
		const struct rtattr a = { (uint16_t)(sizeof(a) + strlen(kind) + 1),
			IFLA_INFO_KIND };

		memcpy(nest, &a, sizeof(a));
		memcpy(nest + sizeof(a), kind, strlen(kind));
		attr(d, IFLA_LINKINFO, nest, NLMSG_ALIGN(a.rta_len));
	}
}

static ht_err parse(const struct datagram *d, struct table *t, struct netlink_progress *p)
{
	/* from the heap, exactly: what reads behind it is found out */
	uint8_t *copy = malloc(d->len ? d->len : 1);

	memcpy(copy, d->bytes, d->len);
	ht_err err = netlink_parse(copy, d->len, SEQ, 1, t, p);
	free(copy);
	return err;
}

static void test_links(void **state)
{
	struct rtnl_link_stats64 stats = {
		.rx_bytes = UINT64_MAX, .tx_bytes = 5, .rx_errors = 6, .tx_dropped = 7
	};
	struct datagram d = { 0 };
	struct netlink_progress p = { 0 };
	struct table t;
	uint8_t state_up = 6;

	link_(&d, 2, ARPHRD_ETHER, IFF_UP | IFF_RUNNING, "eth0", NULL);
	attr(&d, IFLA_ADDRESS, "\x02\0\0\0\0\x01", 6);
	attr(&d, IFLA_IFALIAS, "WAN", 4);
	attr(&d, IFLA_OPERSTATE, &state_up, 1);
	attr(&d, IFLA_STATS64, &stats, sizeof(stats));
	link_(&d, 3, ARPHRD_ETHER, IFF_UP, "eth0.35", "vlan");
	attr_u32(&d, IFLA_LINK, 2);
	link_(&d, 4, ARPHRD_PPP, IFF_UP | IFF_RUNNING, "ppp0", NULL);
	link_(&d, 5, ARPHRD_ETHER, 0, "bond0", "bond");
	link_(&d, 6, ARPHRD_ETHER, 0, "eth1", NULL);
	attr_u32(&d, IFLA_MASTER, 5);
	link_(&d, 7, ARPHRD_ETHER, 0, "veth0", "veth");
	attr_u32(&d, IFLA_LINK, 6);
	link_(&d, 8, ARPHRD_NONE, 0, "wg0", "wireguard");
	done(&d, 0);
	table_init(&t, 10);
	assert_ok(parse(&d, &t, &p));
	assert_true(p.done && !p.torn);
	assert_int_equal(t.n, 7);
	assert_string_equal(t.rows[0].texts[TABLE_PHYS], "02:00:00:00:00:01");
	assert_string_equal(t.rows[0].texts[TABLE_ALIAS], "WAN");
	assert_true(t.rows[0].numbers[TABLE_HC_IN_OCTETS] == UINT64_MAX);
	assert_int_equal(t.rows[0].numbers[TABLE_HC_OUT_OCTETS], 5);
	assert_int_equal(t.rows[0].numbers[TABLE_IN_ERRORS], 6);
	assert_int_equal(t.rows[0].numbers[TABLE_OUT_DISCARDS], 7);
	assert_int_equal(t.rows[0].numbers[TABLE_OPER], IFOPER_UP);
	assert_int_equal(table_type(&t.rows[1]), IFTYPE_L2VLAN);
	assert_int_equal(table_type(&t.rows[2]), IFTYPE_PPP);
	assert_int_equal(
	    t.rows[2].numbers[TABLE_OPER], IFOPER_UP);           /* it has no carrier */
	assert_false(table_has(&t.rows[2], TABLE_HC_IN_OCTETS)); /* unknown is not zero */
	assert_int_equal(table_type(&t.rows[6]), IFTYPE_TUNNEL);
	table_settle(&t);
	assert_int_equal(t.topology.n_stacks, 2);
	assert_int_equal(t.topology.stacks[0].upper, 3);
	assert_int_equal(t.topology.stacks[0].lower, 2);
	assert_int_equal(t.topology.stacks[1].upper, 5);
	assert_int_equal(t.topology.stacks[1].lower, 6);
	table_fini(&t);
}

static void route(struct datagram *d, uint8_t dst_len, uint8_t type, uint32_t table,
    uint32_t out, uint32_t metric)
{
	const struct rtmsg m = { .rtm_family = AF_INET,
		.rtm_dst_len = dst_len,
		.rtm_type = type,
		.rtm_table = RT_TABLE_UNSPEC };

	begin(d, RTM_NEWROUTE, NLM_F_MULTI, &m, sizeof(m));
	attr_u32(d, RTA_TABLE, table);
	attr_u32(d, RTA_PRIORITY, metric);
	if (out)
		attr_u32(d, RTA_OIF, out);
}

static void test_default_routes(void **state)
{
	const struct rtnexthop hops[2] = { { sizeof(hops[0]), 0, 0, 11 },
		{ sizeof(hops[0]), 0, 0, 12 } };
	struct datagram d = { 0 };
	struct netlink_progress p = { 0 };
	struct table t;

	table_init(&t, 10);
	route(&d, 0, RTN_UNICAST, RT_TABLE_MAIN, 4, 100);
	attr(&d, RTA_GATEWAY, "\x0a\0\0\x01", 4);
	route(&d, 0, RTN_UNICAST, RT_TABLE_MAIN, 5, 50); /* ppp0: no gateway */
	route(&d, 0, RTN_UNICAST, 100, 6, 0);            /* of a policy */
	route(&d, 8, RTN_UNICAST, RT_TABLE_MAIN, 7, 0);
	route(&d, 0, RTN_BLACKHOLE, RT_TABLE_MAIN, 8, 0);
	assert_ok(parse(&d, &t, &p));
	assert_false(p.done);
	topology_settle(&t.topology);
	assert_int_equal(t.topology.n_routes, 1);
	assert_true(topology_default_route(&t.topology, 5)); /* the better metric */
	d = (struct datagram){ 0 };
	table_fini(&t);
	route(&d, 0, RTN_UNICAST, RT_TABLE_MAIN, 0, 0);
	attr(&d, RTA_MULTIPATH, hops, sizeof(hops));
	done(&d, 0);
	assert_ok(parse(&d, &t, &p));
	topology_settle(&t.topology);
	assert_true(topology_default_route(&t.topology, 11) &&
		    topology_default_route(&t.topology, 12));
	table_fini(&t);
}

static void test_addresses(void **state)
{
	const struct ifaddrmsg four = { AF_INET, 24, 0, 0, 2 },
			       six = { AF_INET6, 64, 0, 0, 3 },
			       other = { AF_INET, 200, 0, 0, 4 };
	struct datagram d = { 0 };
	struct netlink_progress p = { 0 };
	struct table t;
	char text[HT_ADDR_TEXT];

	begin(&d, RTM_NEWADDR, NLM_F_MULTI, &four, sizeof(four));
	attr(&d, IFA_ADDRESS, "\x64\x40\0\x01", 4); /* the far end */
	attr(&d, IFA_LOCAL, "\x64\x40\x03\x09", 4);
	begin(&d, RTM_NEWADDR, NLM_F_MULTI, &six, sizeof(six));
	attr(&d, IFA_ADDRESS, "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x02", 16);
	begin(&d, RTM_NEWADDR, NLM_F_MULTI, &other, sizeof(other));
	attr(&d, IFA_LOCAL, "\x0a\0\0", 3); /* cut */
	table_init(&t, 10);
	assert_ok(parse(&d, &t, &p));
	assert_int_equal(t.topology.n_addresses, 2);
	ht_addr_format(&t.topology.addresses[0].addr, text);
	assert_string_equal(text, "100.64.3.9/24");
	ht_addr_format(&t.topology.addresses[1].addr, text);
	assert_string_equal(text, "fd00::2/64");
	assert_int_equal(t.topology.addresses[1].index, 3);
	table_fini(&t);
}

static void test_what_ends_a_dump(void **state)
{
	struct datagram d = { 0 };
	struct netlink_progress p = { 0 };
	struct table t;
	int32_t code = -EPERM;

	table_init(&t, 1);
	begin(&d, NLMSG_ERROR, 0, &code, sizeof(code));
	assert_int_equal(parse(&d, &t, &p), HT_DENIED);
	assert_true(p.done);
	/* torn; more than fits; another's answer */
	d = (struct datagram){ 0 };
	p = (struct netlink_progress){ 0 };
	link_(&d, 1, ARPHRD_ETHER, 0, "a", NULL);
	link_(&d, 2, ARPHRD_ETHER, 0, "b", NULL);
	begin(&d, NLMSG_DONE, NLM_F_DUMP_INTR, &(int32_t){ 0 }, 4);
	assert_int_equal(parse(&d, &t, &p), HT_FULL);
	assert_int_equal(t.n, 1);
	assert_true(p.done && p.torn);
	p = (struct netlink_progress){ 0 };
	assert_ok(netlink_parse(d.bytes, d.len, SEQ + 1, 1, &t, &p));
	assert_false(p.done);
	table_fini(&t);
}

/* Every message cut at every place, and lengths that lie. */
static void test_malformed(void **state)
{
	struct datagram d = { 0 };
	struct table t;
	uint32_t lengths[] = { 0, 15, UINT32_MAX, 4096 };

	link_(&d, 2, ARPHRD_ETHER, IFF_UP, "eth0", "vlan");
	attr_u32(&d, IFLA_LINK, 3);
	for (size_t len = 0; len < d.len; len++) {
		struct datagram cut = { .len = len };
		struct netlink_progress p = { 0 };
		uint32_t whole = (uint32_t)len;

		table_init(&t, 10);
		memcpy(cut.bytes, d.bytes, len);
		(void)parse(&cut, &t, &p);
		if (len >= sizeof(struct nlmsghdr)) {
			memcpy(cut.bytes, &whole, sizeof(whole)); /* cut, and says so */
			(void)parse(&cut, &t, &p);
		}
		table_fini(&t);
	}
	for (size_t i = 0; i < HT_COUNT(lengths); i++) {
		struct netlink_progress p = { 0 };

		memcpy(d.bytes, &lengths[i], sizeof(lengths[i]));
		table_init(&t, 10);
		assert_int_equal(parse(&d, &t, &p), HT_MALFORMED);
		table_fini(&t);
	}
}

/* ── Lives ────────────────────────────────────────────────────────────────────────── */

static void look(
    struct lives *l, uint64_t boot, uint32_t now, uint32_t index, int64_t since)
{
	struct table t;
	struct ht_buf b;

	table_init(&t, 4);
	if (index) {
		struct table_row *r = table_row(&t, index);

		assert_ok(table_put_text(r, TABLE_NAME, (const uint8_t *)"ppp0", 4));
	}
	assert_ok(lives_update(l, &t, boot, now));
	if (index)
		assert_int_equal(t.rows[0].numbers[TABLE_DISCONTINUITY], since);
	table_fini(&t);
	ht_buf_init(&b, 4096); /* through its bytes, as between two runs */
	lives_encode(l, &b);
	lives_fini(l);
	assert_ok(lives_decode(l, b.data, b.len));
	for (size_t len = 0; len < b.len; len++) {
		struct lives cut;

		/* whole entries may be missing, half ones not */
		if (lives_decode(&cut, b.data, len) == HT_OK)
			assert_true(len == 9);
		lives_fini(&cut);
	}
	ht_buf_fini(&b);
}

static void test_lives(void **state)
{
	struct lives l = { 0 };

	look(&l, 1, 100, 7, 0); /* nothing is known of this boot: as old as it */
	look(&l, 1, 200, 7, 0);
	look(&l, 1, 300, 9, 300); /* another one of that name */
	look(&l, 1, 400, 9, 300);
	look(&l, 1, 500, 0, 0);
	look(&l, 1, 600, 9, 600); /* it was gone */
	look(&l, 2, 50, 7, 0);    /* another boot */
	look(&l, 2, 60, 7, 0);
	lives_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_default_routes),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_what_ends_a_dump),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_lives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
