#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/targets.h"
#include "server/registry/targets.h"

#define LINK(id_, agency_, role_, kind_, router, parents_)                  \
	{                                                                   \
		.id = id_, .agency = agency_, .role = role_, .kind = kind_, \
		.router_address = router, .parents = parents_               \
	}

static const char *const self[] = { "gateway", "10.0.0.1", "10.0.0.1", "nonsense" };
static const struct targets_places places = { .far_end = "server",
	.gateway = "gateway",
	.dns = "10.0.0.53",
	.internet = "",
	.self = self,
	.n_self = HT_COUNT(self) };

static void vantage_is(const struct targets_link *links, size_t n, const char *lines)
{
	struct targets_count count;
	struct ht_targets t;
	struct ht_buf b;

	ht_buf_init(&b, HT_TARGETS_BYTES_MAX);
	assert_ok(targets_vantage(links, n, &places, &b, &count));
	assert_memory_equal(b.data, HT_TARGETS_HEAD, strlen(HT_TARGETS_HEAD));
	assert_string_equal(ht_buf_text(&b) + strlen(HT_TARGETS_HEAD), lines);
	/* What the server writes, the agent takes. */
	assert_ok(ht_targets_parse(ht_buf_text(&b), b.len, &t, NULL));
	assert_int_equal(t.n, count.targets);
	ht_targets_fini(&t);
	ht_buf_fini(&b);
}

static void vantage_pings_every_link_with_an_address(void **state)
{
	static const struct targets_link links[] = {
		LINK("a", "x", "primary", "province-wan", "10.1.0.1", NULL),
		LINK("b", "x", "backup", "internet", NULL, NULL),
		LINK("c", "y", "primary", "province-wan", "2001:DB8::0001", NULL),
		LINK("d", "y", "primary", "province-wan", "224.0.0.5", NULL),
	};

	vantage_is(links, 4,
	    "self gateway\nself 10.0.0.1\ntarget a 10.1.0.1\ntarget c 2001:db8::1\n");
	vantage_is(NULL, 0, ""); /* nothing to see, nothing to check */
	vantage_is(&links[1], 1, "");
}

static void parents_are_flattened_and_pass_through(void **state)
{
	static const struct targets_link links[] = {
		LINK("core", "x", "primary", "province-wan", "10.1.0.1", NULL),
		LINK("hub", "x", "primary", "province-wan", NULL, "core"),
		LINK("leaf-1", "x", "primary", "province-wan", "10.1.0.3",
		    "radio AND (hub OR core) AND gone"),
		LINK("leaf-2", "x", "primary", "province-wan", "10.1.0.4", "hub"),
		LINK("leaf-3", "x", "primary", "province-wan", "10.1.0.5", "ring-1"),
		LINK("radio", "x", "primary", "province-wan", "10.1.0.6", "leaf-2"),
		/* The registry allows no circle; a broken one ends all the same. */
		LINK("ring-1", "x", "primary", "province-wan", NULL, "ring-2 OR leaf-3"),
		LINK("ring-2", "x", "primary", "province-wan", NULL, "ring-1 OR core"),
	};

	vantage_is(links, HT_COUNT(links),
	    "self gateway\nself 10.0.0.1\n"
	    "target core 10.1.0.1\n"
	    "target leaf-1 10.1.0.3 core radio\n"
	    "target leaf-2 10.1.0.4 core\n"
	    "target leaf-3 10.1.0.5 core\n"
	    "target radio 10.1.0.6 leaf-2\n");
}

static void too_many_parents_are_cut_and_counted(void **state)
{
	static struct targets_link links[HT_TARGET_PARENTS_MAX + 3];
	static char ids[HT_COUNT(links)][8], parents[512];
	struct targets_count count;
	struct ht_targets t;
	struct ht_buf b;
	size_t n = HT_COUNT(links);

	for (size_t i = 0; i < n; i++) {
		if (i + 1 < n)
			snprintf(ids[i], sizeof(ids[i]), "p%02zu", i);
		else
			ids[i][0] = 'z';
		links[i] = (struct targets_link)LINK(
		    ids[i], "x", "primary", "province-wan", "10.1.0.1", NULL);
		if (i + 1 < n)
			snprintf(parents + strlen(parents),
			    sizeof(parents) - strlen(parents), "%s%s", i ? " AND " : "",
			    ids[i]);
	}
	links[n - 1].parents = parents;
	ht_buf_init(&b, HT_TARGETS_BYTES_MAX);
	assert_ok(targets_vantage(links, n, &places, &b, &count));
	assert_int_equal(count.parents, 2);
	assert_ok(ht_targets_parse(ht_buf_text(&b), b.len, &t, NULL));
	assert_int_equal(t.at[n - 1].n_parents, HT_TARGET_PARENTS_MAX);
	ht_targets_fini(&t);
	ht_buf_fini(&b);
}

static void office_has_the_roles_of_its_own_link(void **state)
{
	static const struct targets_link links[] = {
		LINK("a", "x", "backup", "province-wan", "10.1.0.1", NULL),
		LINK("b", "x", "primary", "internet", "10.1.0.2", NULL),
		LINK("c", "x", "primary", "province-wan", NULL, NULL),
		LINK("d", "x", "primary", "government-wan", NULL, NULL),
		LINK("e", "y", "backup", "internet", NULL, NULL),
	};
	static const struct {
		struct targets_places places;
		const char *lines;
	} cases[] = {
		{ { "server", "gateway", "", "", NULL, 0 },
		    "target c server c:gateway\ntarget c:gateway gateway\n" },
		{ { "10.0.0.1", "gateway", "resolver", "203.0.113.1", NULL, 0 },
		    "target c 10.0.0.1 c:gateway\ntarget c:dns resolver\n"
		    "target c:gateway gateway\ntarget c:internet 203.0.113.1 "
		    "c:gateway\n" },
		{ { "10.0.0.1", "", NULL, NULL, NULL, 0 }, "target c 10.0.0.1\n" },
		{ { NULL, NULL, NULL, NULL, NULL, 0 }, "" },
	};
	const struct targets_link *link =
	    targets_office_link(links, HT_COUNT(links), "x");

	assert_string_equal(link->id, "c");
	assert_string_equal(targets_office_link(links, HT_COUNT(links), "y")->id, "e");
	assert_null(targets_office_link(links, HT_COUNT(links), "z"));
	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct targets_count count;
		struct ht_targets t;
		struct ht_buf b;

		ht_buf_init(&b, 4096);
		assert_ok(targets_office(link, &cases[i].places, &b, &count));
		assert_string_equal(
		    ht_buf_text(&b) + strlen(HT_TARGETS_HEAD), cases[i].lines);
		assert_ok(ht_targets_parse(ht_buf_text(&b), b.len, &t, NULL));
		assert_int_equal(t.n, count.targets);
		ht_targets_fini(&t);
		ht_buf_reset(&b);
		assert_ok(targets_office(NULL, &cases[i].places, &b, &count));
		assert_string_equal(ht_buf_text(&b), HT_TARGETS_HEAD);
		ht_buf_fini(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vantage_pings_every_link_with_an_address),
		cmocka_unit_test(parents_are_flattened_and_pass_through),
		cmocka_unit_test(too_many_parents_are_cut_and_counted),
		cmocka_unit_test(office_has_the_roles_of_its_own_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
