/* Rules and paths as an admin writes them: each case is a path, the rules as YAML, and
 * what must come out. */
#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/wan/path/path_networks.h"

struct list_options {
	struct ht_list networks;
};
static const struct ht_option list_rows[] = {
	{ "networks", HT_OPT_LIST, offsetof(struct list_options, networks),
	    .max = PATH_NETWORKS_MAX, .sub = &path_network_table, .help = "rules" },
};
static const struct ht_options list_table = HT_OPTIONS(struct list_options, list_rows);

static ht_err load(
    const char *rules, struct ht_yaml *y, struct list_options *o, struct ht_fault *fault)
{
	char text[2048];

	snprintf(text, sizeof(text), "networks:\n%s", rules);
	assert_ok(ht_yaml_parse("rules.yaml", text, strlen(text), y, fault));
	ht_err err = ht_options_load(&list_table, NULL, y->root, o, fault);

	return err ? err : path_networks_check(&o->networks, fault);
}

/* ---- verdicts ---- */

static const char province[] =
    "  - { network: province-wan, prefixes: [10.1.0.0/16, "
    "fd01::/16], hops: [10.7.0.1] }\n"
    "  - { network: government-wan, prefixes: [10.2.0.0/16], "
    "not_hops: [10.2.9.9] }\n"
    "  - { network: internet, hops: [100.64.0.1, 10.1.255.1] }\n";
static const char tunnel[] =
    "  - { network: province-wan, tunnel: yes, hops: [10.1.255.1], prefixes: "
    "[10.3.0.0/16] }\n"
    "  - { network: province-wan, prefixes: [10.1.0.0/16] }\n";

static const struct {
	const char *rules, *path, *network, *reason;
} cases[] = {
	{ province, "192.168.1.1 10.1.0.2 10.9.0.1", "province-wan",
	    "hop 2, 10.1.0.2, is in 10.1.0.0/16 of rule 1, province-wan" },
	/* A named hop decides alone, silent hops or not; a prefix does not. */
	{ province, "192.168.1.1 * * 10.7.0.1 *", "province-wan",
	    "hop 4, 10.7.0.1, is a named hop of rule 1, province-wan" },
	{ province, "192.168.1.1 * 10.1.0.2", "unknown",
	    "hop 2 is silent before hop 3, 10.1.0.2, which is in 10.1.0.0/16 of rule 1 "
	    "(province-wan): if only that network leads to 10.1.0.2, name it under "
	    "`hops`" },
	{ province, "* 10.1.0.2", "province-wan",
	    "hop 2, 10.1.0.2, is in 10.1.0.0/16 of rule 1, province-wan" },
	{ province, "192.168.1.1 10.1.0.2 * 10.2.0.1", "province-wan",
	    "hop 2, 10.1.0.2, is in 10.1.0.0/16 of rule 1, province-wan" },
	/* The first rule in the list, not the first hop. */
	{ province, "192.168.1.1 10.2.0.1 10.1.0.2", "province-wan",
	    "hop 3, 10.1.0.2, is in 10.1.0.0/16 of rule 1, province-wan" },
	{ province, "192.168.1.1 10.2.0.1 10.9.0.1", "government-wan",
	    "hop 2, 10.2.0.1, is in 10.2.0.0/16 of rule 2, government-wan" },
	/* Void by a hop that must not be there; another rule may still decide. */
	{ province, "192.168.1.1 10.2.0.1 10.2.9.9", "unknown",
	    "hop 3, 10.2.9.9, is one of the not_hops of rule 2, government-wan" },
	{ province, "192.168.1.1 10.2.9.9 10.7.0.1", "province-wan",
	    "hop 3, 10.7.0.1, is a named hop of rule 1, province-wan" },
	/* The Internet wins, by a listed edge, a public hop, a tunnel's far end. */
	{ province, "192.168.1.1 100.64.0.1 10.1.0.2", "internet",
	    "hop 2, 100.64.0.1, is a named hop of rule 3, internet" },
	{ province, "192.168.1.1 100.64.0.9 9.9.9.9 10.1.0.2 10.7.0.1", "internet",
	    "hop 3, 9.9.9.9, is a public address that no rule lists: the Internet" },
	{ province, "192.168.1.1 10.1.255.1", "internet",
	    "hop 2, 10.1.255.1, is a named hop of rule 3, internet" },
	/* The own router stands before every line, also when a prefix contains it, and
	 * also when the line's own address is a public one. */
	{ province, "10.1.44.1 * *", "unknown",
	    "none of the 1 hops that answered is in a rule of `networks`, and private "
	    "addresses alone prove nothing: name the hops that only one network has" },
	{ province, "9.9.9.1 10.7.0.1", "province-wan",
	    "hop 2, 10.7.0.1, is a named hop of rule 1, province-wan" },
	{ province, "172.16.1.1 172.16.2.1 10.1.0.2", "province-wan",
	    "hop 3, 10.1.0.2, is in 10.1.0.0/16 of rule 1, province-wan" },
	/* Private, shared, documentation, link-local: nothing. */
	{ province, "192.168.1.1 172.31.0.1 100.64.7.7 192.0.2.1 169.254.1.1", "unknown",
	    NULL },
	{ province, "* * * * *", "unknown", "no hop answered" },
	{ province, "", "unknown", "no hop answered" },
	/* Both of two balanced ways count. */
	{ province, "192.168.1.1 10.1.0.2,9.9.9.9", "internet",
	    "hop 2, 9.9.9.9, is a public address that no rule lists: the Internet" },
	/* The target is no evidence (10.1.0.99). */
	{ province, "192.168.1.1 10.9.0.1 10.1.0.99", "unknown", NULL },
	/* IPv6 */
	{ province, "fe80::1 fd01::2 fd09::1", "province-wan",
	    "hop 2, fd01::2, is in fd01::/16 of rule 1, province-wan" },
	{ province, "2a00:1::1 2a00:2::1 fd01::2", "internet",
	    "hop 2, 2a00:2::1, is a public address that no rule lists: the Internet" },
	{ province, "fe80::1 2001:db8::1 fc00::1", "unknown", NULL },
	/* A province that lets its tunnel count. */
	{ tunnel, "192.168.1.1 100.64.0.1 9.9.9.9 10.1.255.1", "province-wan",
	    "hop 4, 10.1.255.1, is a named hop of rule 1, province-wan, by a tunnel over "
	    "the Internet" },
	{ tunnel, "192.168.1.1 10.1.255.1", "province-wan",
	    "hop 2, 10.1.255.1, is a named hop of rule 1, province-wan" },
	{ tunnel, "192.168.1.1 * 10.3.0.1", "province-wan",
	    "hop 3, 10.3.0.1, is in 10.3.0.0/16 of rule 1, province-wan" },
	/* … but not what lies before the Internet, nor a rule without `tunnel`. */
	{ tunnel, "192.168.1.1 10.1.255.1 9.9.9.9", "internet", NULL },
	{ tunnel, "192.168.1.1 9.9.9.9 10.1.0.2", "internet", NULL },
	{ "  []\n", "192.168.1.1 9.9.9.9", "unknown",
	    "there are no rules: list under `networks` which hops belong to which "
	    "network" },
};

static struct path_way read_path(
    const char *text, struct path_hop hops[64], struct ht_addr *pool)
{
	struct path_way way = { .hops = hops };
	size_t used = 0;
	char copy[512], *rest = copy, *word;

	snprintf(copy, sizeof(copy), "%s", text);
	while ((word = strsep(&rest, " ")) && *word) {
		struct path_hop *h = &hops[way.n++];
		char *one;

		*h = (struct path_hop){ .from = &pool[used] };
		while (strcmp(word, "*") != 0 && (one = strsep(&word, ",")) && one) {
			assert_ok(ht_addr_parse(one, &pool[used++]));
			h->n++;
			if (!word)
				break;
		}
	}
	return way;
}

static void judge(
    const char *rules, const char *path, const char *own, struct path_verdict *out)
{
	struct path_hop hops[64];
	struct ht_addr pool[64], target, subnet;
	struct ht_yaml y = { 0 };
	struct ht_fault fault = { 0 };
	struct list_options o = { 0 };
	struct path_rule *built;

	if (load(rules, &y, &o, &fault))
		fail_msg("%s", fault.text);
	assert_ok(path_networks_build(&o.networks, &built));
	assert_ok(ht_addr_parse("10.1.0.99", &target));
	if (own)
		assert_ok(ht_addr_parse(own, &subnet));
	const struct path_rules r = {
		.at = built, .n = o.networks.n, .own = &subnet, .n_own = own ? 1 : 0
	};
	struct path_way way = read_path(path, hops, pool);

	way.target = &target;
	path_rules_judge(&r, &way, out);
	path_networks_free(built, o.networks.n);
	ht_options_fini(&list_table, &o);
	ht_yaml_fini(&y);
}

static void test_cases(void **state)
{
	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct path_verdict v;

		judge(cases[i].rules, cases[i].path, NULL, &v);
		if (strcmp(path_network_name(v.network), cases[i].network) != 0 ||
		    (cases[i].reason && strcmp(v.reason, cases[i].reason) != 0))
			fail_msg("\"%s\" is %s: %s", cases[i].path,
			    path_network_name(v.network), v.reason);
		assert_true(v.reason[0] != '\0');
	}
}

/* Declared subnets say which routers are the office's own, however many there are; with
 * them, the first hop may be the line's. */
static void test_own_subnets(void **state)
{
	struct path_verdict v;

	judge(province, "10.1.44.1 10.1.44.254 10.9.0.1", "10.1.44.0/24", &v);
	assert_int_equal(v.network, PATH_UNKNOWN);
	judge(province, "10.1.0.2 10.9.0.1", "10.1.44.0/24", &v);
	assert_int_equal(v.network, PATH_PROVINCE_WAN);
	judge(province, "10.1.44.1 10.1.44.254 10.9.0.1", "10.1.0.0/30", &v);
	assert_int_equal(v.network, PATH_PROVINCE_WAN);
	judge(
	    province, "fd01::1 fd09::1", "10.1.44.0/24", &v); /* none of IPv6 declared */
	assert_int_equal(v.network, PATH_UNKNOWN);
}

static void test_public_addresses(void **state)
{
	static const struct {
		const char *text;
		bool public;
	} table[] = { { "8.8.8.8", true }, { "10.0.0.1", false },
		{ "100.63.255.255", true }, { "100.64.0.0", false },
		{ "100.128.0.0", true }, { "172.15.0.1", true }, { "172.16.0.1", false },
		{ "172.32.0.1", true }, { "192.168.255.1", false },
		{ "203.0.113.1", false }, { "224.0.0.1", false },
		{ "255.255.255.255", false }, { "0.1.2.3", false }, { "::1", false },
		{ "fe80::1", false }, { "fd00::1", false }, { "2001:db8::1", false },
		{ "2001:1000::1", true }, { "2a00::1", true }, { "3fff::1", false },
		{ "64:ff9b::1", false }, { "ff02::1", false }, { "4000::1", false } };

	for (size_t i = 0; i < HT_COUNT(table); i++) {
		struct ht_addr a;

		assert_ok(ht_addr_parse(table[i].text, &a));
		if (path_addr_public(&a) != table[i].public)
			fail_msg("%s", table[i].text);
	}
}

/* ---- mistakes ---- */

static const struct {
	const char *rules, *fault;
} mistakes[] = {
	{ "  - { network: province-wan }\n",
	    "rules.yaml:2:5: this rule lists neither `prefixes` nor `hops`, so that it "
	    "never decides; add one or leave the rule out" },
	{ "  - { network: province, hops: [10.0.0.1] }\n", "rules.yaml:2:16: " },
	{ "  - { hops: [10.0.0.1] }\n", "rules.yaml:2:5: " },
	{ "  - { network: internet, hop: [10.0.0.1] }\n",
	    "rules.yaml:2:26: unknown key 'hop'; did you mean 'hops'?" },
	{ "  - network: province-wan\n    hops: [10.0.0.1, 10.0.0.0/24]\n",
	    "rules.yaml:3:22: \"10.0.0.0/24\" is no address of a router: write it as "
	    "10.0.0.1 or 2001:db8::1, networks go to `prefixes`" },
	{ "  - { network: province-wan, hops: [10.0.0.1], not_hops: [core] }\n",
	    "rules.yaml:2:59: \"core\" is no address of a router" },
	{ "  - { network: province-wan, prefixes: 10.20.1.0/16 }\n",
	    "rules.yaml:2:40: \"10.20.1.0/16\" has bits behind its prefix length; did "
	    "you "
	    "mean 10.20.0.0/16?" },
	{ "  - { network: province-wan, prefixes: ['fd00:1::1/32'] }\n",
	    "rules.yaml:2:41: \"fd00:1::1/32\" has bits behind its prefix length; did "
	    "you "
	    "mean fd00:1::/32?" },
	{ "  - { network: province-wan, prefixes: [10.20.0.0/33] }\n",
	    "rules.yaml:2:41: \"10.20.0.0/33\" is no prefix" },
	{ "  - { network: internet, prefixes: [0.0.0.0/0] }\n",
	    "rules.yaml:2:37: \"0.0.0.0/0\" contains every address" },
	{ "  - { network: internet, hops: [10.0.0.1], tunnel: yes }\n",
	    "rules.yaml:2:52: `tunnel` says that another network counts" },
	{ "  - { network: province-wan, hops: [10.0.0.1] }\n"
	  "  - { network: internet, hops: [10.0.0.2, 10.0.0.1] }\n",
	    "rules.yaml:3:43: 10.0.0.1 is a named hop of rule 1 too, of another "
	    "network" },
	{ "  - { network: province-wan, prefixes: [10.0.0.0/8] }\n"
	  "  - { network: government-wan, prefixes: [10.9.0.0/16] }\n",
	    "rules.yaml:3:43: rule 1, of another network, contains all of 10.9.0.0/16 "
	    "and "
	    "comes first; put the narrower rule before it" },
};

static void test_mistakes_name_line_and_cure(void **state)
{
	for (size_t i = 0; i < HT_COUNT(mistakes); i++) {
		struct ht_yaml y = { 0 };
		struct ht_fault fault = { 0 };
		struct list_options o = { 0 };

		assert_int_equal(load(mistakes[i].rules, &y, &o, &fault), HT_CONFIG);
		if (strncmp(fault.text, mistakes[i].fault, strlen(mistakes[i].fault)) !=
		    0)
			fail_msg("%s", fault.text);
		ht_options_fini(&list_table, &o);
		ht_yaml_fini(&y);
	}
}

/* Two rules of one network may overlap, and the narrower may stand first. */
static void test_what_is_no_mistake(void **state)
{
	static const char *const fine[] = {
		"  - { network: province-wan, prefixes: [10.0.0.0/8] }\n"
		"  - { network: province-wan, prefixes: [10.9.0.0/16] }\n",
		"  - { network: internet, prefixes: [10.9.0.0/16] }\n"
		"  - { network: province-wan, prefixes: [10.0.0.0/8] }\n",
		"  - { network: province-wan, prefixes: [10.0.0.0/8] }\n"
		"  - { network: internet, hops: [10.9.0.1] }\n",
		"  []\n",
	};

	for (size_t i = 0; i < HT_COUNT(fine); i++) {
		struct ht_yaml y = { 0 };
		struct ht_fault fault = { 0 };
		struct list_options o = { 0 };

		if (load(fine[i], &y, &o, &fault))
			fail_msg("%s", fault.text);
		ht_options_fini(&list_table, &o);
		ht_yaml_fini(&y);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_own_subnets),
		cmocka_unit_test(test_public_addresses),
		cmocka_unit_test(test_mistakes_name_line_and_cure),
		cmocka_unit_test(test_what_is_no_mistake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
