#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/snmp/iftype.h"
#include "probes/snmp/uplink.h"

enum { ROWS = 6, UP = IFOPER_UP, DOWN = IFOPER_DOWN };

struct iface {
	const char *name, *alias, *address; /* with prefix */
	bool route;
	uint64_t oper;
	uint64_t type;
};

struct device {
	struct table t;
	const char *ids[ROWS];
};

static void device_of(struct device *d, const struct iface *list)
{
	table_init(&d->t, ROWS);
	for (uint32_t i = 0; i < ROWS && list[i].name; i++) {
		struct table_row *r = table_row(&d->t, i + 1);
		const char *alias = list[i].alias ? list[i].alias : "";
		struct ht_addr a;

		assert_ok(table_put_text(
		    r, TABLE_NAME, (const uint8_t *)list[i].name, strlen(list[i].name)));
		assert_ok(table_put_text(
		    r, TABLE_ALIAS, (const uint8_t *)alias, strlen(alias)));
		table_put_number(r, TABLE_OPER, list[i].oper ? list[i].oper : UP);
		table_put_number(
		    r, TABLE_TYPE, list[i].type ? list[i].type : IFTYPE_ETHERNET);
		if (list[i].address) {
			assert_ok(ht_addr_parse(list[i].address, &a));
			struct topology_address *e = topology_address(&d->t.topology, &a);
			e->index = i + 1;
			e->addr.prefix = a.prefix;
		}
		if (list[i].route)
			topology_route(&d->t.topology, i)->index = i + 1;
		d->ids[i] = list[i].name;
	}
	table_settle(&d->t);
}

static const char *chosen(const struct device *d, const struct uplink *u)
{
	return u->row ? d->ids[u->row - d->t.rows] : NULL;
}

static struct uplink choose(const struct iface *list, const struct uplink_hints *h,
    struct uplink_memory *m, const char *expect)
{
	struct device d;
	struct uplink u;

	device_of(&d, list);
	uplink_choose(&d.t, d.ids, h, m, &u);
	const char *got = chosen(&d, &u);
	if (expect ? !got || strcmp(got, expect) != 0 : got != NULL)
		print_error("%s instead of %s: %s\n", got ? got : "none",
		    expect ? expect : "none", u.why);
	assert_true(expect ? got && strcmp(got, expect) == 0 : !got);
	u.row = NULL;
	table_fini(&d.t);
	return u;
}

static const struct {
	const char *name;
	struct iface list[ROWS];
	const char *expect; /* NULL: none */
	double least, most; /* confidence */
	const char *why;    /* a part of the sentence */
} cases[] = {
	{ "the default route", { { "a" }, { "b", .route = true } }, "b", 0.8, 0.8,
	    "default route" },
	{ "route and alias together",
	    { { "a", "LAN" }, { "b", "WAN - VNPT 50M", .route = true } }, "b", 0.92, 0.92,
	    "alias" },
	{ "two routes", { { "a", .route = true }, { "b", .route = true } }, NULL, 0, 0,
	    "a and b may both" },
	{ "two routes, one has words",
	    { { "a", .route = true }, { "b", "Kênh truyền Viettel", .route = true } },
	    "b", 0.9, 1, "" },
	{ "two with words", { { "a", "WAN 1" }, { "b", "WAN 2" } }, NULL, 0, 0,
	    "link_interface" },
	{ "one of them is down", { { "a", "WAN 1" }, { "b", "WAN 2", .oper = DOWN } },
	    "a", 0.76, 0.76, "alias" },
	{ "words in Vietnamese",
	    { { "a", "Mạng nội bộ" }, { "b", "Đường truyền số liệu" } }, "b", 0.6, 0.6,
	    "" },
	{ "the polled address",
	    { { "a", NULL, "10.9.0.2/30" }, { "b", NULL, "10.1.1.1/24" } }, "a", 0.6, 0.6,
	    "polled address" },
	{ "nothing", { { "a" }, { "b" } }, NULL, 0, 0, "nothing tells" },
	{ "only one is up and has an address",
	    { { "a", NULL, "10.1.1.1/24" }, { "b", NULL, NULL, .oper = DOWN } }, "a", 0.4,
	    0.4, "only one" },
	{ "loopbacks carry nothing",
	    { { "lo", "WAN", "10.9.0.2/32", .route = true, .type = IFTYPE_LOOPBACK } },
	    NULL, 0, 0, "nothing tells" },
	{ "the sub-interface that the route leaves by, not its port",
	    { { "Gi0/0", "WAN" }, { "Gi0/0.35", NULL, "10.9.0.2/30", .route = true } },
	    "Gi0/0.35", 0.9, 1, "default route" },
	{ "the dialer over a port",
	    { { "Gi0/0", "to VNPT modem" },
		{ "Dialer1", .route = true, .type = IFTYPE_PPP } },
	    "Dialer1", 0.8, 0.9, "name" },
	{ "a port that says LAN but has the route",
	    { { "a", "LAN", .route = true }, { "b" } }, NULL, 0, 0, "link_interface" },
};

static const struct ht_addr polled = { AF_INET, 32, { 10, 9, 0, 2 } };

static void test_evidence(void **state)
{
	const struct uplink_hints h = { .target = &polled };

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct uplink_memory m = { 0 };

		print_message("  %s\n", cases[i].name);
		struct uplink u = choose(cases[i].list, &h, &m, cases[i].expect);
		assert_true(u.confidence >= cases[i].least - 0.001);
		assert_true(u.confidence <= cases[i].most + 0.001);
		assert_non_null(strstr(u.why, cases[i].why));
	}
}

/* The agent in the office polls its router by the address on its own side. */
static void test_polled_from_inside_is_the_other_side(void **state)
{
	static const struct iface list[] = { { "a", NULL, "10.9.0.2/24" },
		{ "b", "WAN", "10.1.1.1/24" }, { 0 } };
	struct uplink_memory m = { 0 };

	choose(
	    list, &(struct uplink_hints){ .target = &polled, .inside = true }, &m, "b");
}

static void test_configured_is_confirmed(void **state)
{
	static const struct iface list[] = { { "Gi0/0", "WAN", .route = true },
		{ "Gi0/1", "kho bạc" }, { "twin", "x" }, { "twin", "x" }, { 0 } };
	static const struct iface renamed[] = { { "Gi0/0", "WAN", .route = true },
		{ 0 } };
	struct uplink_memory m = { 0 };
	struct uplink u;

	u = choose(list, &(struct uplink_hints){ .configured = "Gi0/1" }, &m, "Gi0/1");
	assert_true(u.confidence == 1);
	u = choose(list, &(struct uplink_hints){ .configured = "kho bạc" }, &m, "Gi0/1");
	u = choose(list, &(struct uplink_hints){ .configured = "twin" }, &m, NULL);
	assert_non_null(strstr(u.why, "several"));
	u = choose(list, &(struct uplink_hints){ .configured = "Gi9/9" }, &m, NULL);
	assert_non_null(strstr(u.why, "no interface of this device"));
	/* the id stays with an interface that its device renames */
	snprintf(m.id, sizeof(m.id), "Gi0/0");
	m.configured = 0;
	u = choose(list, &(struct uplink_hints){ .configured = "WAN" }, &m, "Gi0/0");
	struct iface other[] = { { "Gi0/0", "changed" }, { 0 } };
	u = choose(other, &(struct uplink_hints){ .configured = "WAN" }, &m, "Gi0/0");
	assert_true(u.confidence == 0.9);
	assert_non_null(strstr(u.why, "configured as WAN"));
	/* and what was confirmed stays learned when the word is taken out */
	u = choose(renamed, &(struct uplink_hints){ 0 }, &m, "Gi0/0");
	assert_true(u.confidence == 1);
}

static const struct iface normal[] = { { "wan1", "WAN", "10.9.0.2/30", .route = true },
	{ "wan2", "4G backup", "10.8.0.2/30" }, { "lan", NULL, "10.1.1.1/24" }, { 0 } };
static const struct iface failover[] = { { "wan1", "WAN", "10.9.0.2/30", .oper = DOWN },
	{ "wan2", "4G Internet backup", "10.8.0.2/30", .route = true },
	{ "lan", NULL, "10.1.1.1/24" }, { 0 } };
static const struct iface moved[] = { { "wan1", NULL, "10.9.0.2/30" },
	{ "wan2", "WAN", "10.8.0.2/30", .route = true }, { "lan", NULL, "10.1.1.1/24" },
	{ 0 } };
static const struct iface without[] = { { "lan", NULL, "10.1.1.1/24" },
	{ "wan2", "WAN", "10.8.0.2/30", .route = true }, { 0 } };

/* While the line is down, the way round it does not become the line. */
static void test_a_failover_changes_nothing(void **state)
{
	const struct uplink_hints h = { 0 };
	struct uplink_memory m = { 0 };

	choose(normal, &h, &m, "wan1");
	for (int i = 0; i < 3 * UPLINK_CONTRARY_POLLS; i++) {
		struct uplink u = choose(failover, &h, &m, "wan1");

		assert_true(u.confidence < 0.5);
		assert_non_null(strstr(u.why, "confirm"));
	}
	assert_true(choose(normal, &h, &m, "wan1").confidence > 0.9);
}

static void test_strong_and_lasting_evidence_moves_it(void **state)
{
	const struct uplink_hints h = { 0 };
	struct uplink_memory m = { 0 };

	choose(normal, &h, &m, "wan1");
	for (int i = 0; i < UPLINK_CONTRARY_POLLS - 1; i++)
		choose(moved, &h, &m, "wan1");
	choose(normal, &h, &m, "wan1"); /* not in a row */
	for (int i = 0; i < UPLINK_CONTRARY_POLLS - 1; i++)
		choose(moved, &h, &m, "wan1");
	choose(moved, &h, &m, "wan2");
	choose(moved, &h, &m, "wan2");
}

static void test_one_that_is_gone_is_not_replaced_at_once(void **state)
{
	const struct uplink_hints h = { 0 };
	struct uplink_memory m = { 0 };

	choose(normal, &h, &m, "wan1");
	for (int i = 0; i < UPLINK_CONTRARY_POLLS - 1; i++) {
		struct uplink u = choose(without, &h, &m, NULL);

		assert_non_null(strstr(u.why, "wan1, is not there"));
	}
	choose(without, &h, &m, "wan2");
}

static void test_little_is_not_learned(void **state)
{
	static const struct iface one[] = { { "a", NULL, "10.1.1.1/24" }, { 0 } };
	static const struct iface more[] = { { "a", NULL, "10.1.1.1/24" },
		{ "b", "WAN", "10.2.1.1/24" }, { 0 } };
	struct uplink_memory m = { 0 };

	choose(one, &(struct uplink_hints){ 0 }, &m, "a");
	choose(more, &(struct uplink_hints){ 0 }, &m, "b");
}

static const struct {
	const char *text;
	int says;
} words[] = {
	{ "WAN", 1 },
	{ "wan1", 1 },
	{ "*** WAN_VNPT ***", 1 },
	{ "TSLCD cấp 2", 1 },
	{ "Truyền số liệu chuyên dùng", 1 },
	{ "TRUYỀN SỐ LIỆU", 1 },
	{ "truye\xcc\x82\xcc\x80n so\xcc\x82\xcc\x81 lie\xcc\xa3\xcc\x82u", 1 },
	{ "Đường truyền FPT", 1 },
	{ "Internet-Viettel", 1 },
	{ "to ISP", 1 },
	{ "LAN", -1 },
	{ "Mạng nội bộ", -1 },
	{ "br-lan", -1 },
	{ "Máy chủ", -1 },
	{ "Camera tầng 2", -1 },
	{ "khách", -1 },
	{ "vlan10", 0 },
	{ "Taiwan", 0 },
	{ "swan", 0 },
	{ "", 0 },
	{ "\xff\xfe", 0 },
	{ "LAN to WAN", 0 },
	{ "phòng họp", 0 },
	{ "\xe1\xbb", 0 },
	{ "wan\xe1", 0 },
};

static void test_words(void **state)
{
	for (size_t i = 0; i < HT_COUNT(words) - 1; i++) {
		if (uplink_words(words[i].text) != words[i].says)
			print_error("%s\n", words[i].text);
		assert_int_equal(uplink_words(words[i].text), words[i].says);
	}
	(void)uplink_words(words[HT_COUNT(words) - 1].text);
	assert_int_equal(uplink_words(NULL), 0);
}

static void test_memory(void **state)
{
	struct uplink_memory m = { "ppp0", 92, 3, 0x01020304 }, back;
	struct ht_buf b;

	ht_buf_init(&b, 100);
	uplink_encode(&m, &b);
	struct ht_reader r = ht_reader_of(b.data, b.len);
	assert_ok(uplink_decode(&back, &r));
	assert_string_equal(back.id, m.id);
	assert_int_equal(back.confidence, m.confidence);
	assert_int_equal(back.contrary, m.contrary);
	assert_int_equal(back.configured, m.configured);
	for (size_t len = 0; len < b.len; len++) {
		r = ht_reader_of(b.data, len);
		assert_int_equal(uplink_decode(&back, &r), HT_MALFORMED);
		assert_string_equal(back.id, "");
	}
	ht_buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_evidence),
		cmocka_unit_test(test_polled_from_inside_is_the_other_side),
		cmocka_unit_test(test_configured_is_confirmed),
		cmocka_unit_test(test_a_failover_changes_nothing),
		cmocka_unit_test(test_strong_and_lasting_evidence_moves_it),
		cmocka_unit_test(test_one_that_is_gone_is_not_replaced_at_once),
		cmocka_unit_test(test_little_is_not_learned),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
