#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/snmp/identity.h"

enum { ROWS = 8, ETHERNET = 6, GIGABIT = 117, PPP = 23 };

struct iface {
	uint32_t index;
	const char *name, *alias, *phys, *descr;
	uint32_t type;
	const char *id; /* that it must have; NULL: the row ends the list */
};

static void match(
    struct identity *k, const struct iface *list, struct identity_match *out)
{
	struct identity_row rows[ROWS];
	size_t n = 0;

	for (; list[n].id; n++)
		rows[n] = (struct identity_row){ list[n].index, list[n].type,
			{ list[n].name, list[n].alias, list[n].phys, list[n].descr } };
	assert_ok(identity_match(k, rows, n, true, IDENTITY_ID_MAX, out));
	for (size_t i = 0; i < n; i++)
		assert_string_equal(out[i].id, list[i].id);
}

/* The memory goes through its bytes between two polls, as it does for real. */
static void restart(struct identity *k)
{
	struct ht_buf b;

	ht_buf_init(&b, 1 << 20);
	identity_encode(k, &b);
	assert_ok(ht_buf_err(&b));
	identity_fini(k);
	struct ht_reader r = ht_reader_of(b.data, b.len);
	assert_ok(identity_decode(k, &r));
	assert_int_equal(ht_reader_left(&r), 0);
	ht_buf_fini(&b);
}

struct story {
	const char *name;
	struct iface before[ROWS], after[ROWS];
};

static const struct story stories[] = {
	{ "seen first", { { 0 } },
	    { { 1, "Gi0/0/1", NULL, NULL, NULL, 0, "Gi0-0-1" },
		{ 2, "port", NULL, NULL, NULL, 0, "port.2" },
		{ 3, "port", NULL, NULL, NULL, 0, "port.3" },
		{ 4, NULL, NULL, NULL, NULL, 0, "if4" },
		{ 6, "", NULL, NULL, NULL, 0, "if6" } } },
	{ "nothing changed",
	    { { 1, "Gi0/0", "WAN", "02:01", NULL, ETHERNET, "Gi0-0" },
		{ 2, "Gi0/1", NULL, "02:02", NULL, ETHERNET, "Gi0-1" } },
	    { { 1, "Gi0/0", "WAN", "02:01", NULL, ETHERNET, "Gi0-0" },
		{ 2, "Gi0/1", NULL, "02:02", NULL, ETHERNET, "Gi0-1" } } },
	{ "two swapped their index",
	    { { 1, "Gi0/0", NULL, "02:01", NULL, ETHERNET, "Gi0-0" },
		{ 2, "Gi0/1", NULL, "02:02", NULL, ETHERNET, "Gi0-1" } },
	    { { 1, "Gi0/1", NULL, "02:02", NULL, ETHERNET, "Gi0-1" },
		{ 2, "Gi0/0", NULL, "02:01", NULL, ETHERNET, "Gi0-0" } } },
	{ "all dealt anew, onto each other's places",
	    { { 1, "a", NULL, NULL, NULL, 0, "a" }, { 2, "b", NULL, NULL, NULL, 0, "b" },
		{ 3, "c", NULL, NULL, NULL, 0, "c" } },
	    { { 2, "a", NULL, NULL, NULL, 0, "a" }, { 3, "b", NULL, NULL, NULL, 0, "b" },
		{ 4, "c", NULL, NULL, NULL, 0, "c" } } },
	{ "a firmware renames: alias and address stay",
	    { { 1, "ge0", "WAN VNPT 50M", "02:01", NULL, GIGABIT, "ge0" },
		{ 2, "ge1", "LAN", "02:02", NULL, GIGABIT, "ge1" } },
	    { { 11, "GigabitEthernet0/0", "WAN VNPT 50M", "02:01", NULL, ETHERNET,
		  "ge0" },
		{ 12, "GigabitEthernet0/1", "LAN", "02:02", NULL, ETHERNET, "ge1" } } },
	{ "a firmware renames, without aliases, in place",
	    { { 1, "fe0", NULL, "02:01", NULL, ETHERNET, "fe0" },
		{ 2, "fe1", NULL, "02:02", NULL, ETHERNET, "fe1" } },
	    { { 1, "eth0", NULL, "02:01", NULL, ETHERNET, "fe0" },
		{ 2, "eth1", NULL, "02:02", NULL, ETHERNET, "fe1" } } },
	{ "the address alone, under another name elsewhere, is a card that moved",
	    { { 1, "Gi1/1", NULL, "02:01", NULL, ETHERNET, "Gi1-1" } },
	    { { 9, "Gi2/1", NULL, "02:01", NULL, ETHERNET, "Gi2-1" } } },
	{ "a card was replaced: the place keeps its name",
	    { { 1, "Gi1/1", "WAN", "02:01", NULL, ETHERNET, "Gi1-1" } },
	    { { 5, "Gi1/1", "WAN", "02:99", NULL, ETHERNET, "Gi1-1" } } },
	{ "… also without an alias, elsewhere",
	    { { 1, "Gi1/1", NULL, "02:01", NULL, ETHERNET, "Gi1-1" } },
	    { { 5, "Gi1/1", NULL, "02:99", NULL, ETHERNET, "Gi1-1" } } },
	{ "a module goes: the others stay",
	    { { 1, "Gi1/1", NULL, "02:01", NULL, ETHERNET, "Gi1-1" },
		{ 2, "Gi2/1", NULL, "02:02", NULL, ETHERNET, "Gi2-1" },
		{ 3, "Gi3/1", NULL, "02:03", NULL, ETHERNET, "Gi3-1" } },
	    { { 1, "Gi1/1", NULL, "02:01", NULL, ETHERNET, "Gi1-1" },
		{ 2, "Gi3/1", NULL, "02:03", NULL, ETHERNET, "Gi3-1" } } },
	{ "names that all are the same: the index tells, while it is the same",
	    { { 1, "port", NULL, NULL, NULL, ETHERNET, "port.1" },
		{ 2, "port", NULL, NULL, NULL, ETHERNET, "port.2" } },
	    { { 1, "port", NULL, NULL, NULL, ETHERNET, "port.1" },
		{ 2, "port", NULL, NULL, NULL, ETHERNET, "port.2" } } },
	{ "… and when it is not, nobody can: both are new",
	    { { 1, "port", NULL, NULL, NULL, ETHERNET, "port.1" },
		{ 2, "port", NULL, NULL, NULL, ETHERNET, "port.2" } },
	    { { 11, "port", NULL, NULL, NULL, ETHERNET, "port.11" },
		{ 12, "port", NULL, NULL, NULL, ETHERNET, "port.12" } } },
	{ "… but for their addresses",
	    { { 1, "port", NULL, "02:01", NULL, ETHERNET, "port.1" },
		{ 2, "port", NULL, "02:02", NULL, ETHERNET, "port.2" },
		{ 3, "port", NULL, "02:03", NULL, ETHERNET, "port.3" } },
	    { { 1, "port", NULL, "02:02", NULL, ETHERNET, "port.2" },
		{ 2, "port", NULL, "02:03", NULL, ETHERNET, "port.3" } } },
	{ "sub-interfaces share their port's address",
	    { { 1, "Gi0/1", NULL, "02:01", NULL, ETHERNET, "Gi0-1" },
		{ 2, "Gi0/1.100", NULL, "02:01", NULL, 135, "Gi0-1.100" },
		{ 3, "Gi0/1.200", NULL, "02:01", NULL, 135, "Gi0-1.200" } },
	    { { 1, "Gi0/1", NULL, "02:01", NULL, ETHERNET, "Gi0-1" },
		{ 7, "Gi0/1.200", NULL, "02:01", NULL, 135, "Gi0-1.200" },
		{ 8, "Gi0/1.300", NULL, "02:01", NULL, 135, "Gi0-1.300" } } },
	{ "sub-interfaces are renamed and keep their aliases",
	    { { 2, "Gi0/1.100", "So TTTT", "02:01", NULL, 135, "Gi0-1.100" },
		{ 3, "Gi0/1.200", "So Y te", "02:01", NULL, 135, "Gi0-1.200" } },
	    { { 5, "Gig0/0/1.200", "So Y te", "02:01", NULL, 135, "Gi0-1.200" },
		{ 6, "Gig0/0/1.100", "So TTTT", "02:01", NULL, 135, "Gi0-1.100" } } },
	{ "an alias moves with the cable: interfaces stay where they are",
	    { { 1, "Gi0/0", "WAN", "02:01", NULL, ETHERNET, "Gi0-0" },
		{ 2, "Gi0/1", "LAN", "02:02", NULL, ETHERNET, "Gi0-1" } },
	    { { 1, "Gi0/0", "LAN", "02:01", NULL, ETHERNET, "Gi0-0" },
		{ 2, "Gi0/1", "WAN", "02:02", NULL, ETHERNET, "Gi0-1" } } },
	{ "aliases that all are the same prove little",
	    { { 1, "a", "unused", NULL, NULL, ETHERNET, "a" },
		{ 2, "b", "unused", NULL, NULL, ETHERNET, "b" } },
	    { { 3, "c", "unused", NULL, NULL, ETHERNET, "c" },
		{ 4, "d", "unused", NULL, NULL, ETHERNET, "d" } } },
	{ "no names: the description is one",
	    { { 1, NULL, NULL, NULL, "eth0", 0, "if1" },
		{ 2, NULL, NULL, NULL, "eth1", 0, "if2" } },
	    { { 1, NULL, NULL, NULL, "eth1", 0, "if2" },
		{ 2, NULL, NULL, NULL, "eth0", 0, "if1" } } },
	{ "nothing but an index is that index",
	    { { 1, NULL, NULL, NULL, NULL, 0, "if1" },
		{ 2, NULL, NULL, "00:00:00:00:00:00", NULL, 0, "if2" } },
	    { { 1, NULL, NULL, NULL, NULL, 0, "if1" },
		{ 3, NULL, NULL, NULL, NULL, 0, "if3" } } },
	{ "a poll that lost the names is the same device",
	    { { 1, "Gi0/0", "WAN", "02:01", NULL, ETHERNET, "Gi0-0" },
		{ 2, "Gi0/1", NULL, "02:02", NULL, ETHERNET, "Gi0-1" } },
	    { { 1, NULL, NULL, NULL, NULL, ETHERNET, "Gi0-0" },
		{ 2, NULL, NULL, "02:02", NULL, 0, "Gi0-1" } } },
	{ "names and addresses swapped, index with the address: the hardware",
	    { { 1, "eth0", NULL, "02:01", NULL, ETHERNET, "eth0" },
		{ 2, "eth1", NULL, "02:02", NULL, ETHERNET, "eth1" } },
	    { { 1, "eth1", NULL, "02:01", NULL, ETHERNET, "eth0" },
		{ 2, "eth0", NULL, "02:02", NULL, ETHERNET, "eth1" } } },
	{ "names and addresses swapped, and nothing decides: new ones",
	    { { 1, "eth0", NULL, "02:01", NULL, ETHERNET, "eth0" },
		{ 2, "eth1", NULL, "02:02", NULL, ETHERNET, "eth1" } },
	    { { 3, "eth1", NULL, "02:01", NULL, ETHERNET, "eth1.3" },
		{ 4, "eth0", NULL, "02:02", NULL, ETHERNET, "eth0.4" } } },
	{ "another device at the address",
	    { { 1, "Gi0/0", NULL, "02:01", NULL, ETHERNET, "Gi0-0" } },
	    { { 1, "ether1", NULL, "06:01", NULL, ETHERNET, "ether1" } } },
	{ "a new one wants the id of one that was renamed",
	    { { 1, "eth0", "WAN", "02:01", NULL, ETHERNET, "eth0" } },
	    { { 1, "wan", "WAN", "02:01", NULL, ETHERNET, "eth0" },
		{ 2, "eth0", NULL, "02:02", NULL, ETHERNET, "eth0.2" } } },
	{ "letters that an id cannot hold",
	    { { 1, "cổng 1", NULL, NULL, NULL, 0, "c---ng-1.1" },
		{ 2, "cộng 1", NULL, NULL, NULL, 0, "c---ng-1.2" } },
	    { { 4, "cộng 1", NULL, NULL, NULL, 0, "c---ng-1.2" } } },
};

static void test_stories(void **state)
{
	struct identity_match out[ROWS];

	for (size_t i = 0; i < HT_COUNT(stories); i++) {
		struct identity k = { 0 };

		print_message("  %s\n", stories[i].name);
		match(&k, stories[i].before, out);
		restart(&k);
		match(&k, stories[i].after, out);
		identity_fini(&k);
	}
}

/* What is the same again and again is no reason to write. */
static void test_memory_rests(void **state)
{
	for (size_t i = 0; i < HT_COUNT(stories); i++) {
		struct identity k = { 0 };
		struct identity_match out[ROWS];
		struct ht_buf a, b;

		match(&k, stories[i].before, out);
		match(&k, stories[i].after, out);
		ht_buf_init(&a, 1 << 16);
		ht_buf_init(&b, 1 << 16);
		identity_encode(&k, &a);
		match(&k, stories[i].after, out);
		identity_encode(&k, &b);
		assert_int_equal(a.len, b.len);
		assert_memory_equal(a.data, b.data, a.len);
		for (size_t n = 0; stories[i].after[n].id; n++)
			assert_int_equal(out[n].verdict, IDENTITY_SAME);
		ht_buf_fini(&a);
		ht_buf_fini(&b);
		identity_fini(&k);
	}
}

static void test_what_comes_back_is_the_same(void **state)
{
	static const struct iface all[] = { { 1, "lo", NULL, NULL, NULL, 24, "lo" },
		{ 7, "ppp0", NULL, NULL, NULL, PPP, "ppp0" }, { 0 } };
	static const struct iface without[] = { { 1, "lo", NULL, NULL, NULL, 24, "lo" },
		{ 0 } };
	static const struct iface again[] = { { 1, "lo", NULL, NULL, NULL, 24, "lo" },
		{ 12, "ppp0", NULL, NULL, NULL, PPP, "ppp0" }, { 0 } };
	struct identity k = { 0 };
	struct identity_match out[ROWS];
	char why[IDENTITY_WHY_MAX];

	match(&k, all, out);
	match(&k, without, out);
	restart(&k);
	match(&k, without, out);
	match(&k, again, out);
	assert_int_equal(out[1].verdict, IDENTITY_CHANGED);
	assert_true(identity_why(&out[1], why));
	assert_string_equal(
	    why, "the same: as before in ifName; other ifIndex, ifIndex was 7");
	match(&k, again, out);
	assert_false(identity_why(&out[1], why));
	identity_fini(&k);
}

/* What a poll did not reach is not gone: its index still counts. */
/* A tunnel or a modem that gets an address of its own each time. */
static void test_what_comes_back_with_another_address(void **state)
{
	static const struct iface with[] = { { 1, "lo", NULL, NULL, NULL, 24, "lo" },
		{ 7, "wwan0", NULL, "06:01", NULL, ETHERNET, "wwan0" }, { 0 } };
	static const struct iface without[] = { { 1, "lo", NULL, NULL, NULL, 24, "lo" },
		{ 0 } };
	static const struct iface again[] = { { 1, "lo", NULL, NULL, NULL, 24, "lo" },
		{ 9, "wwan0", NULL, "06:02", NULL, ETHERNET, "wwan0" }, { 0 } };
	struct identity k = { 0 };
	struct identity_match out[ROWS];

	match(&k, with, out);
	match(&k, without, out);
	match(&k, again, out);
	identity_fini(&k);
}

static void test_a_part_of_the_table(void **state)
{
	static const struct identity_row rows[] = { { 1, 0, { NULL } },
		{ 2, 0, { NULL } } };
	struct identity_match out[2];

	for (int whole = 0; whole < 2; whole++) {
		struct identity k = { 0 };

		assert_ok(identity_match(&k, rows, 2, true, IDENTITY_ID_MAX, out));
		assert_ok(identity_match(&k, rows, 1, whole, IDENTITY_ID_MAX, out));
		restart(&k);
		assert_int_equal(k.n, 2);
		assert_ok(identity_match(&k, rows, 2, true, IDENTITY_ID_MAX, out));
		assert_string_equal(out[1].id, whole ? "if2.2" : "if2");
		identity_fini(&k);
	}
}

static void test_reasons(void **state)
{
	char why[IDENTITY_WHY_MAX];
	struct identity_match m = { .verdict = IDENTITY_AMBIGUOUS };

	assert_true(identity_why(&m, why));
	assert_non_null(strstr(why, "several"));
	m.verdict = IDENTITY_NEW;
	assert_true(identity_why(&m, why));
	m = (struct identity_match){ .verdict = IDENTITY_CHANGED,
		.same = IDENTITY_BIT(IDENTITY_ALIAS) | IDENTITY_BIT(IDENTITY_PHYS) |
			IDENTITY_INDEX,
		.other = IDENTITY_BIT(IDENTITY_NAME) };
	assert_true(identity_why(&m, why));
	assert_string_equal(
	    why, "the same: as before in ifAlias, ifPhysAddress, ifIndex; other ifName");
}

/* PPP servers make and drop interfaces all day. */
static void test_gone_ones_are_bounded(void **state)
{
	struct identity k = { 0 };
	char name[16];

	for (uint32_t i = 0; i < 1000; i++) {
		const struct identity_row row = { i + 1, PPP, { name } };
		struct identity_match out;

		snprintf(name, sizeof(name), "ppp%u", i);
		assert_ok(identity_match(&k, &row, 1, true, IDENTITY_ID_MAX, &out));
		assert_true(k.n <= 1 + IDENTITY_GONE_MAX);
	}
	assert_string_equal(k.known[1].id, "ppp998"); /* the newest are kept */
	identity_fini(&k);
}

/* A core switch with more than is remembered: all have an id, unique and stable. */
static void test_huge_devices(void **state)
{
	enum { MANY = IDENTITY_MAX + 500 };
	struct identity k = { 0 };
	struct identity_row *rows = calloc(MANY, sizeof(*rows));
	struct identity_match *a = calloc(MANY, sizeof(*a)),
			      *b = calloc(MANY, sizeof(*b));
	char(*names)[24] = calloc(MANY, sizeof(*names));
	struct ht_buf bytes;

	assert_true(rows && a && b && names);
	for (uint32_t i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof(names[i]), "%s%u", i % 3 ? "Gi" : "dup",
		    i % 3 ? i : 0);
		rows[i] = (struct identity_row){ i + 1, ETHERNET, { names[i], "x" } };
	}
	assert_ok(identity_match(&k, rows, MANY, true, IDENTITY_ID_MAX, a));
	restart(&k);
	assert_ok(identity_match(&k, rows, MANY, true, IDENTITY_ID_MAX, b));
	for (size_t i = 0; i < MANY; i++) {
		char why[IDENTITY_WHY_MAX];

		assert_string_equal(a[i].id, b[i].id);
		assert_false(identity_why(&b[i], why)); /* nor those beyond */
	}
	assert_true(k.beyond);
	/* all onto other places: the names decide */
	for (uint32_t i = 0; i < MANY; i++)
		rows[i].index = MANY - i;
	assert_ok(identity_match(&k, rows, MANY, true, IDENTITY_ID_MAX, b));
	for (size_t i = 0; i < IDENTITY_MAX; i++) {
		if (i % 3)
			assert_string_equal(a[i].id, b[i].id);
	}
	ht_buf_init(&bytes, 128 * 1024);
	identity_encode(&k, &bytes);
	assert_ok(ht_buf_err(&bytes));
	ht_buf_fini(&bytes);
	free(names);
	free(rows);
	free(a);
	free(b);
	identity_fini(&k);
}

static void test_long_names_differ(void **state)
{
	static const struct iface list[] = {
		{ 4294967295, "abcdefghijklmnopqrstuvwxyz0123456789-a", NULL, NULL, NULL,
		    0, "abcdefghijklmnopqrst.4294967295" },
		{ 3, "abcdefghijklmnopqrstuvwxyz0123456789-b", NULL, NULL, NULL, 0,
		    "abcdefghijklmnopqrstuvwxyz012.3" },
		{ 0 }
	};
	struct identity k = { 0 };
	struct identity_match out[ROWS];

	match(&k, list, out);
	restart(&k);
	match(&k, list, out);
	identity_fini(&k);
}

static void test_broken_memories_are_none(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} broken[] = {
		{ "", 0 },
		{ "\x03\x00", 2 },
		{ "\x01", 1 },
		{ "\x01\xff\xff\xff\xff\x0f", 6 }, /* as many as that */
		{ "\x01\x01\x00\x02"
		  "a",
		    5 },                            /* cut */
		{ "\x01\x01\x00\x00\x01\x01", 6 },  /* no id */
		{ "\x01\x01\x00\x01/\x01\x01", 7 }, /* no letter of an id */
		{ "\x01\x02\x00\x01"
		  "a\x01\x01\x00\x01"
		  "a\x02\x01",
		    12 }, /* one id twice */
		{ "\x01\x01\x01\x01"
		  "a\x01\x01\x00\x00",
		    9 }, /* half a mark */
		{ "\x01\x01\x00\x01"
		  "a\xff\xff\xff\xff\xff\x01\x01",
		    12 },
	};

	for (size_t i = 0; i < HT_COUNT(broken); i++) {
		struct ht_reader r = ht_reader_of(broken[i].bytes, broken[i].len);
		struct identity k = { 0 };

		assert_int_equal(identity_decode(&k, &r), HT_MALFORMED);
		assert_int_equal(k.n, 0);
		assert_null(k.known);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stories),
		cmocka_unit_test(test_memory_rests),
		cmocka_unit_test(test_what_comes_back_is_the_same),
		cmocka_unit_test(test_what_comes_back_with_another_address),
		cmocka_unit_test(test_a_part_of_the_table),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_gone_ones_are_bounded),
		cmocka_unit_test(test_huge_devices),
		cmocka_unit_test(test_long_names_differ),
		cmocka_unit_test(test_broken_memories_are_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
