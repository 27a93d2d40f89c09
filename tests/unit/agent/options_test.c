/* Configuration as people write it, and what they are told when it is wrong. */
#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/options.h"
#include "base/clock.h"

static const char good[] =
    "agent: { id: bat-xat-1, state_dir: /tmp/none }\n"
    "mqtt: { host: broker, ports: [8883, 443], ca: ca.pem, cert: c.pem, key: k.pem }\n"
    "spool: { max_bytes: 10M, max_age: 7d }\n"
    "site: { subnets: [192.168.10.0/24], interfaces: [eth0] }\n"
    "probes:\n"
    "  - { probe: selftest, id: st, every: 50ms, count: 3 }\n"
    "  - { probe: selftest }\n";

static void test_good(void **state)
{
	struct options *o = NULL;
	struct ht_fault fault = { 0 };

	assert_ok(options_parse("a.yaml", good, strlen(good), &o, &fault));
	assert_string_equal(o->agent.id, "bat-xat-1");
	assert_int_equal(o->ports[0], 8883);
	assert_int_equal(o->ports[1], 443);
	assert_int_equal(o->ports[2], 0);
	assert_int_equal(o->spool.max_bytes, 10 << 20);
	assert_int_equal(o->probe_site.n_subnets, 1);
	assert_int_equal(o->probe_site.packets_per_s, 50);
	assert_int_equal(o->n_probes, 2);
	assert_string_equal(o->probes[0].id, "st");
	assert_int_equal(o->probes[0].every_ns, 50 * HT_NS_PER_MS);
	assert_int_equal(o->probes[0].timeout_ns, 50 * HT_NS_PER_MS);
	assert_string_equal(o->probes[1].id, "selftest");
	assert_int_equal(o->probes[1].every_ns, 60 * HT_NS_PER_S);
	options_free(o);
}

static void test_faults(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "agent: { id: a }\nmqt: { host: b }\n", "a.yaml:2:1: " },
		{ "agent: { id: a }\nmqt: { host: b }\n", "mqtt" },
		{ "agent: { }\n", "id" },
		{ "agent: { id: '../x' }\n", "a.yaml:1:" },
		{ "agent: { id: a }\nmqtt: { ports: [70000] }\n", "70000" },
		{ "agent: { id: a }\nsite: { subnets: [10.0.0.0/99] }\n", "10.0.0.0/99" },
		{ "agent: { id: a }\nprobes: { probe: icmp }\n", "list" },
		{ "agent: { id: a }\nprobes:\n  - { probe: selftets }\n",
		    "a.yaml:3:14: " },
		{ "agent: { id: a }\nprobes:\n  - { probe: selftets }\n", "selftest" },
		{ "agent: { id: a }\nprobes:\n  - { id: x }\n", "probe" },
		{ "agent: { id: a }\nprobes:\n  - { probe: selftest, every: 10ms }\n",
		    "a.yaml:3:" },
		{ "agent: { id: a }\nprobes:\n  - { probe: selftest, evry: 1s }\n",
		    "every" },
		{ "agent: { id: a }\nprobes:\n  - { probe: selftest, count: 010 }\n",
		    "a.yaml:3:" },
		{ "agent: { id: a }\nprobes:\n  - { probe: selftest }\n  - { probe: "
		  "selftest }\n",
		    "a.yaml:4:" },
		{ "agent: { id: a }\nprobes:\n  - { probe: selftest, id: 'a/b' }\n",
		    "a/b" },
		{ "agent: [\n", "a.yaml:" },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct options *o = NULL;
		struct ht_fault fault = { 0 };
		assert_int_equal(options_parse("a.yaml", cases[i].text,
				     strlen(cases[i].text), &o, &fault),
		    HT_CONFIG);
		assert_null(o);
		if (!strstr(fault.text, cases[i].says))
			fail_msg("case %zu: \"%s\" does not say \"%s\"", i, fault.text,
			    cases[i].says);
	}
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_layers(void **state)
{
	char dir[] = "/tmp/hatang-options-XXXXXX", text[512], path[64], cmd[64];
	struct options *o = NULL;
	struct ht_fault fault = { 0 };

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/agent.d", dir);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/agent.yaml", dir);
	snprintf(text, sizeof(text),
	    "agent: { id: a, state_dir: %s }\nspool: { max_age: 1d }\n"
	    "probes:\n  - { probe: selftest, id: old }\n",
	    dir);
	write_file(dir, "agent.yaml", text);
	write_file(dir, "agent.d/10-spool.yaml", "spool: { max_bytes: 2M }\n");
	write_file(dir, "agent.d/20-spool.yaml", "spool: { max_bytes: 3M }\n");
	write_file(dir, "agent.d/notes.txt", "not: [yaml");

	assert_ok(options_load(path, NULL, 0, &o, &fault));
	assert_int_equal(o->spool.max_bytes, 3 << 20);
	assert_int_equal(o->spool.max_age_ns, 86400 * HT_NS_PER_S);
	assert_string_equal(o->probes[0].id, "old");
	assert_string_equal(o->approved_hash, "");
	options_free(o);

	write_file(dir, "approved.yaml",
	    "site: { subnets: [10.1.0.0/16] }\nprobes:\n  - { probe: selftest, id: new "
	    "}\n");
	assert_ok(options_load(path, NULL, 0, &o, &fault));
	assert_int_equal(o->n_probes, 1);
	assert_string_equal(o->probes[0].id, "new");
	assert_int_equal(o->probe_site.n_subnets, 1);
	assert_int_equal(strlen(o->approved_hash), 64);
	options_free(o);

	/* The server may not say whom to trust. */
	static const char bad[] = "probes: []\nmqtt: { host: evil }\n";
	o = NULL;
	assert_int_equal(options_load(path, bad, strlen(bad), &o, &fault), HT_CONFIG);
	assert_non_null(strstr(fault.text, "approved.yaml:2:1: "));
	assert_null(o);
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	assert_int_equal(system(cmd), 0);
}

static void test_by_hand(void **state)
{
	struct options *o = NULL;
	struct runner_probe p;
	struct ht_fault fault = { 0 };
	char *set[] = { "count=7" }, *wrong[] = { "cuont=7" };

	assert_ok(options_none(&o, &fault));
	assert_ok(options_probe(o, "selftest", set, 1, &p, &fault));
	assert_string_equal(p.id, "selftest");
	assert_int_equal(*(int64_t *)p.options, 7);
	options_free(o);
	assert_ok(options_none(&o, &fault));
	assert_int_equal(options_probe(o, "selftest", wrong, 1, &p, &fault), HT_CONFIG);
	assert_non_null(strstr(fault.text, "count"));
	assert_int_equal(options_probe(o, "selftset", NULL, 0, &p, &fault), HT_CONFIG);
	assert_non_null(strstr(fault.text, "selftest"));
	options_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_layers),
		cmocka_unit_test(test_by_hand),
	};

	return cmocka_run_group_tests_name("agent/options", tests, NULL, NULL);
}
