/* Indexes and cells of ipNetToMediaTable and ipNetToPhysicalTable. */
#include "unit/test.h"

#include <limits.h>
#include <string.h>

#include "probes/snmp/neighbours.h"

static const uint8_t card[] = { 0x3c, 0x52, 0x82, 0, 0, 1 };

static struct session_value octets(const void *bytes, size_t len)
{
	return (
	    struct session_value){ .type = SESSION_OCTETS, .bytes = bytes, .len = len };
}

static struct session_value number(int64_t n)
{
	return (struct session_value){ .type = SESSION_INTEGER, .integer = n };
}

static bool media(struct neighbours *n, enum neighbours_what what, session_subid last,
    struct session_value v)
{
	const session_subid parts[] = { 3, 10, 1, 2, last };
	const struct session_oid index = { parts, 5 };

	return neighbours_media_cell(n, what, &index, &v, 77);
}

static void test_rows_of_two_columns(void **state)
{
	struct neighbours n = { 0 };
	char text[HT_ADDR_TEXT];

	/* a column at a time, and then the other */
	for (session_subid i = 1; i <= 100; i++)
		assert_true(media(&n, NEIGHBOURS_MAC, i, octets(card, 6)));
	for (session_subid i = 1; i <= 100; i++)
		assert_true(media(&n, NEIGHBOURS_TYPE, i, number(i == 7 ? 2 : 3)));
	assert_int_equal(n.n, 100);
	ht_addr_format(&n.at[41].addr, text);
	assert_string_equal(text, "10.1.2.42");
	assert_int_equal(n.at[41].interface, 3);
	assert_int_equal(n.at[41].at_ns, 77);
	assert_true(neighbour_is_card(&n.at[41]));
	assert_false(neighbour_is_card(&n.at[6])); /* type invalid */
	neighbours_fini(&n);
}

static void test_what_is_no_card(void **state)
{
	static const uint8_t zero[6], group[] = { 1, 0, 0x5e, 0, 0, 1 };
	struct neighbours n = { 0 };

	assert_true(media(&n, NEIGHBOURS_MAC, 1, octets(zero, 6)));
	assert_true(media(&n, NEIGHBOURS_MAC, 2, octets(group, 6)));
	assert_true(media(&n, NEIGHBOURS_MAC, 3, octets(card, 5)));
	assert_true(media(&n, NEIGHBOURS_MAC, 4, octets(card, 0)));
	assert_false(media(&n, NEIGHBOURS_MAC, 5, number(1)));
	assert_false(media(&n, NEIGHBOURS_TYPE, 6, octets(card, 6)));
	for (size_t i = 0; i < n.n; i++)
		assert_false(neighbour_is_card(&n.at[i]));
	neighbours_fini(&n);
}

static bool physical(
    struct neighbours *n, const session_subid *parts, size_t count, int64_t state)
{
	const struct session_oid index = { parts, count };
	struct session_value mac = octets(card, 6), s = number(state);

	return neighbours_physical_cell(n, NEIGHBOURS_MAC, &index, &mac, 1) &&
	       neighbours_physical_cell(n, NEIGHBOURS_STATE, &index, &s, 1);
}

static void test_both_families(void **state)
{
	const session_subid v4[] = { 1, 1, 4, 10, 0, 0, 1 };
	const session_subid v6[] = { 1, 2, 16, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 9 };
	const session_subid v6z[] = { 1, 4, 20, 0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 1, 0, 0, 0, 2 };
	struct neighbours n = { 0 };
	char text[HT_ADDR_TEXT];

	assert_true(physical(&n, v4, HT_COUNT(v4), 1));
	assert_true(physical(&n, v6, HT_COUNT(v6), 2));
	assert_true(physical(&n, v6z, HT_COUNT(v6z), 7)); /* incomplete */
	assert_int_equal(n.n, 3);
	ht_addr_format(&n.at[1].addr, text);
	assert_string_equal(text, "2001:db8::9");
	ht_addr_format(&n.at[2].addr, text);
	assert_string_equal(text, "fe80::1");
	assert_true(neighbour_is_card(&n.at[0]));
	assert_true(neighbour_is_card(&n.at[1]));
	assert_false(neighbour_is_card(&n.at[2]));
	neighbours_fini(&n);
}

static void test_broken_indexes(void **state)
{
	static const session_subid rows[][7] = {
		{ 1, 1, 5, 10, 0, 0, 1 }, /* its length is not what follows */
		{ 1, 1, 3, 10, 0, 0, 1 },
		{ 1, 2, 4, 10, 0, 0, 1 },   /* IPv6 of four bytes */
		{ 1, 16, 4, 10, 0, 0, 1 },  /* a name */
		{ 1, 1, 4, 10, 0, 256, 1 }, /* no byte */
	};
	struct neighbours n = { 0 };

	for (size_t i = 0; i < HT_COUNT(rows); i++)
		assert_false(physical(&n, rows[i], 7, 1));
	for (size_t len = 0; len < 7; len++)
		assert_false(physical(&n, rows[0], len, 1));
	/* where an OID's part can be more than SNMP allows, it may not be */
	session_subid large[] = { (session_subid)UINT32_MAX + 1, 1, 4, 10, 0, 0, 1 };

	if (large[0])
		assert_false(physical(&n, large, 7, 1));
	assert_int_equal(n.n, 0);
	neighbours_fini(&n);
}

static void test_ceiling(void **state)
{
	struct neighbours n = { 0 };
	struct session_value v = octets(card, 6);
	size_t kept = 0;

	for (session_subid i = 0; i < NEIGHBOURS_MAX + 5; i++) {
		const session_subid parts[] = { i, 10, 0, 0, 1 };
		const struct session_oid index = { parts, 5 };

		kept += neighbours_media_cell(&n, NEIGHBOURS_MAC, &index, &v, 1);
	}
	assert_int_equal(kept, n.n);
	assert_true(n.n >= NEIGHBOURS_MAX && n.n < NEIGHBOURS_MAX * 2);
	neighbours_fini(&n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_of_two_columns),
		cmocka_unit_test(test_what_is_no_card),
		cmocka_unit_test(test_both_families),
		cmocka_unit_test(test_broken_indexes),
		cmocka_unit_test(test_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
