#include "unit/test.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/options.h"
#include "agent/propose.h"

/* A machine made of interfaces, addresses and routes. */
static struct local_if *add_if(struct local *l, const char *name, const char *driver)
{
	struct local_if *f = &l->ifs[l->n_ifs++];

	snprintf(f->name, sizeof(f->name), "%s", name);
	snprintf(f->driver, sizeof(f->driver), "%s", driver);
	f->up = f->ether = true;
	return f;
}

static void add_addr(struct local *l, const char *text)
{
	struct local_addr *a = &l->addrs[l->n_addrs++];

	a->interface = l->n_ifs - 1;
	assert_ok(ht_addr_parse(text, &a->addr));
}

static void add_gateway(struct local *l, const char *interface, const char *text)
{
	struct local_gateway *g = &l->gateways[l->n_gateways++];

	snprintf(g->interface, sizeof(g->interface), "%s", interface);
	if (text)
		assert_ok(ht_addr_parse(text, &g->addr));
}

static void add_loopback(struct local *l)
{
	struct local_if *f = add_if(l, "lo", "");

	f->loopback = true;
	f->ether = false;
	add_addr(l, "127.0.0.1/8");
}

/* The proposal as the agent's own reader takes it, beside the keys that only a machine
 * can have. Fails the test when check-config would refuse it. */
static struct options *accepted(
    const struct local *l, const struct propose_hints *hints, char *yaml, size_t cap)
{
	struct ht_fault fault = { 0 };
	struct options *o = NULL;
	struct ht_buf out;
	char whole[2 * PROPOSE_BYTES_MAX];

	ht_buf_init(&out, PROPOSE_BYTES_MAX);
	assert_ok(propose_yaml(l, hints, &out));
	snprintf(yaml, cap, "%s", ht_buf_text(&out));
	ht_buf_fini(&out);
	int n = snprintf(whole, sizeof(whole), "agent: { id: x }\n%s", yaml);
	ht_err err = options_parse("proposal", whole, (size_t)n, &o, &fault);
	if (err)
		print_error("%s\n%s\n", fault.text, yaml);
	assert_ok(err);
	return o;
}

static bool has_probe(const struct options *o, const char *id)
{
	for (size_t i = 0; i < o->n_probes; i++) {
		if (strcmp(o->probes[i].id, id) == 0)
			return true;
	}
	return false;
}

static void test_an_office(void **state)
{
	static struct local l;
	char yaml[PROPOSE_BYTES_MAX];

	add_loopback(&l);
	add_if(&l, "eth0", "e1000e");
	add_addr(&l, "192.168.10.5/24");
	add_addr(&l, "192.168.10.6/24");
	add_addr(&l, "10.20.0.1/16");
	add_addr(&l, "fd00::5/64");
	add_if(&l, "docker0", "bridge");
	add_addr(&l, "172.17.0.1/16");
	add_if(&l, "wg0", "wireguard")->ether = false;
	add_addr(&l, "10.99.0.2/24");
	add_if(&l, "eth1", "e1000e");
	add_addr(&l, "100.70.1.9/29");
	add_if(&l, "eth2", "e1000e");
	add_addr(&l, "10.0.0.1/8");
	add_if(&l, "eth3", "e1000e")->up = false;
	add_addr(&l, "192.168.77.1/24");
	add_gateway(&l, "eth0", "192.168.10.1");
	add_gateway(&l, "eth0", "fe80::1");
	struct options *o = accepted(
	    &l, &(struct propose_hints){ .hostname = "may\n1: x" }, yaml, sizeof(yaml));

	assert_int_equal(o->site.subnets.n, 2);
	assert_string_equal(o->site.subnets.at[0], "192.168.10.0/24");
	assert_string_equal(o->site.subnets.at[1], "10.20.0.0/16");
	assert_int_equal(o->site.interfaces.n, 1);
	assert_string_equal(o->site.interfaces.at[0], "eth0");
	assert_int_equal(o->site.packets_per_s, 50);
	assert_true(has_probe(o, "gateway"));
	assert_true(has_probe(o, "lan"));
	assert_true(has_probe(o, "lan-passive"));
	assert_true(has_probe(o, "host"));
	assert_true(has_probe(o, "path"));
	assert_int_equal(o->n_probes, 5);
	options_free(o);
	assert_non_null(strstr(yaml, "target: 192.168.10.1 }"));
	assert_null(strstr(yaml, "link.local")); /* a host among others is no router */
	assert_non_null(strstr(yaml, "172.17.0.0/16  docker0: containers"));
	assert_non_null(strstr(yaml, "10.99.0.0/24  wg0: a tunnel"));
	assert_non_null(strstr(yaml, "100.70.1.8/29  eth1: no private network"));
	assert_non_null(strstr(yaml, "10.0.0.0/8  eth2: larger than a /16"));
	assert_non_null(strstr(yaml, "192.168.77.0/24  eth3: the interface is down"));
	assert_non_null(strstr(yaml, "The IPv6 gateway is fe80::1"));
}

static void test_only_loopback(void **state)
{
	static struct local l;
	char yaml[PROPOSE_BYTES_MAX];

	add_loopback(&l);
	struct options *o =
	    accepted(&l, &(struct propose_hints){ 0 }, yaml, sizeof(yaml));
	assert_int_equal(o->site.subnets.n, 0);
	assert_int_equal(o->site.interfaces.n, 0);
	assert_int_equal(o->n_probes, 1);
	assert_true(has_probe(o, "host"));
	options_free(o);
	assert_non_null(strstr(yaml, "subnets: []  # none was found"));
	assert_non_null(strstr(yaml, "There is no default route"));
}

static void test_a_ppp_line(void **state)
{
	static struct local l;
	char yaml[PROPOSE_BYTES_MAX];

	add_loopback(&l);
	add_if(&l, "lan0", "bridge");
	add_addr(&l, "192.168.1.1/24");
	add_if(&l, "ppp0", "")->ether = false;
	add_addr(&l, "100.70.1.2/32");
	add_gateway(&l, "ppp0", NULL);
	struct options *o = accepted(&l,
	    &(struct propose_hints){ .wan_target = "10.0.0.1", .wan_id = "bat-xat-wan" },
	    yaml, sizeof(yaml));
	assert_int_equal(o->site.subnets.n, 1);
	assert_true(has_probe(o, "bat-xat-wan"));
	assert_true(has_probe(o, "path"));
	assert_non_null(o->path_probe); /* to what the server's list says */
	assert_false(has_probe(o, "gateway"));
	options_free(o);
	assert_non_null(strstr(yaml, "The way out is ppp0."));
	assert_non_null(
	    strstr(yaml, "  - { probe: link.local, id: bat-xat-wan, every: 60s, "
			 "link_interface: ppp0 }"));
}

static void test_the_line_to_the_router_is_no_office(void **state)
{
	static struct local l;
	char yaml[PROPOSE_BYTES_MAX];

	add_if(&l, "eth0", "e1000e");
	add_addr(&l, "10.255.0.2/30");
	add_if(&l, "eth1", "e1000e");
	add_addr(&l, "192.168.1.1/24");
	add_gateway(&l, "eth0", "10.255.0.1");
	struct options *o =
	    accepted(&l, &(struct propose_hints){ 0 }, yaml, sizeof(yaml));
	assert_int_equal(o->site.subnets.n, 1);
	assert_string_equal(o->site.subnets.at[0], "192.168.1.0/24");
	options_free(o);
	/* whose link it is, nobody has said yet */
	assert_non_null(strstr(yaml, "  # - { probe: link.local, id: wan, "));
}

/* The largest snapshot there can be fits into one reading and stays valid. */
static void test_a_crowd_of_interfaces(void **state)
{
	static struct local l;
	char yaml[PROPOSE_BYTES_MAX];

	for (size_t i = 0; i < LOCAL_IFS_MAX; i++) {
		char name[16], addr[32];

		snprintf(name, sizeof(name), "interface%05zu", i);
		snprintf(addr, sizeof(addr), "192.168.%zu.254/24", i + 100);
		add_if(&l, name, "e1000e")->up = i % 2;
		add_addr(&l, addr);
	}
	struct options *o =
	    accepted(&l, &(struct propose_hints){ 0 }, yaml, sizeof(yaml));
	assert_int_equal(o->site.subnets.n, 16);
	options_free(o);
}

static void test_odd_names_do_not_reach_the_yaml(void **state)
{
	static struct local l;
	char yaml[PROPOSE_BYTES_MAX];

	add_if(&l, "a]\"#{", "e1000e");
	add_addr(&l, "192.168.1.1/24");
	add_gateway(&l, "a]\"#{", "192.168.1.2");
	struct options *o =
	    accepted(&l, &(struct propose_hints){ 0 }, yaml, sizeof(yaml));
	assert_int_equal(o->site.subnets.n, 0);
	options_free(o);
	assert_null(strstr(yaml, "a]"));
}

static void test_json(void **state)
{
	static struct local l;
	struct propose_hints hints = { 0 };
	struct ht_buf out;

	add_if(&l, "eth0", "e1000e");
	add_addr(&l, "192.168.10.5/24");
	add_gateway(&l, "eth0", "192.168.10.1");
	ht_buf_init(&out, 4 * PROPOSE_BYTES_MAX);
	assert_ok(propose_json(&l, &hints, &out));
	struct json_object *o = json_tokener_parse(ht_buf_text(&out));
	assert_non_null(o);
	assert_string_equal(
	    json_object_get_string(json_object_object_get(o, "gateway")), "192.168.10.1");
	assert_null(json_object_object_get(o, "gateway6"));
	assert_string_equal(
	    json_object_get_string(json_object_object_get(o, "wan_interface")), "eth0");
	struct json_object *subnets = json_object_object_get(o, "subnets");
	assert_int_equal(json_object_array_length(subnets), 1);
	struct json_object *first = json_object_array_get_idx(subnets, 0);
	assert_string_equal(
	    json_object_get_string(json_object_object_get(first, "subnet")),
	    "192.168.10.0/24");
	assert_non_null(
	    strstr(json_object_get_string(json_object_object_get(o, "yaml")), "lan.arp"));
	json_object_put(o);
	ht_buf_fini(&out);
}

static void test_this_machine(void **state)
{
	struct ht_buf out;

	ht_buf_init(&out, PROPOSE_BYTES_MAX);
	assert_ok(propose_build(&out));
	assert_non_null(strstr(ht_buf_text(&out), "\nsite:\n"));
	assert_non_null(strstr(ht_buf_text(&out), "posture.host"));
	ht_buf_fini(&out);
}

static void test_usage(void **state)
{
	char *bad_address[] = { "propose", "--wan-target", "x y", NULL };
	char *bad_id[] = { "propose", "--wan-id", "a b", NULL };
	char *unknown[] = { "propose", "--frobnicate", NULL };

	assert_int_equal(propose_main(3, bad_address), HT_EXIT_USAGE);
	assert_int_equal(propose_main(3, bad_id), HT_EXIT_USAGE);
	assert_int_equal(propose_main(2, unknown), HT_EXIT_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_office),
		cmocka_unit_test(test_only_loopback),
		cmocka_unit_test(test_a_ppp_line),
		cmocka_unit_test(test_the_line_to_the_router_is_no_office),
		cmocka_unit_test(test_a_crowd_of_interfaces),
		cmocka_unit_test(test_odd_names_do_not_reach_the_yaml),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_this_machine),
		cmocka_unit_test(test_usage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
