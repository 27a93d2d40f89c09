/* The probe snmp.fleet over scripted devices on the loopback, all at the same time. */
#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/yaml.h"
#include "unit/probes/runner.h"
#include "unit/probes/snmp_field.h"

extern const struct probe_ops probe_snmp_fleet;

enum { YAML_MAX = 8192 };
#define IF   "1.3.6.1.2.1.2.2.1"
#define IF_X "1.3.6.1.2.1.31.1.1.1"

/* How a device is broken, and what is told of it. */
static const struct way {
	const char *id;
	enum peer_fault fault;
	const char *where;
	size_t limit;
	const char *status, *reason; /* NULL: none */
	bool whole;                  /* all rows come none the less */
} ways[] = {
	{ "good-1", PEER_GOOD, NULL, 0, "ok", NULL, true },
	{ "backwards", PEER_BACKWARDS, IF, 0, "partial", "ifTable: names do not increase",
	    false },
	{ "endless", PEER_ENDLESS, IF ".2", 0, "partial",
	    "ifTable: no end after 10000 rows", false },
	{ "wrong-types", PEER_WRONG_TYPE, IF, 0, "partial",
	    "ifTable: has cells that are not understood", false },
	{ "good-2", PEER_GOOD, NULL, 0, "ok", NULL, true },
	{ "cut", PEER_CUT, NULL, 7, "ok", NULL, true },
	{ "cut-1", PEER_CUT, NULL, 1, "ok", NULL, true },
	{ "too-big", PEER_TOO_BIG, NULL, 12, "ok", NULL, true },
	{ "truncated", PEER_TRUNCATED, NULL, 20, "ok", NULL, true },
	{ "lossy", PEER_LOSSY, NULL, 9, "ok", NULL, true },
	{ "hangs", PEER_HANGS, IF_X, 0, "partial", "ifXTable: no answer", true },
	{ "refuses", PEER_GEN_ERR, IF_X, 0, "partial",
	    "ifXTable: a single cell is refused", true },
	{ "silent", PEER_SILENT, NULL, 0, "timeout", "no answer to 1 requests", false },
	{ "good-3", PEER_GOOD, NULL, 0, "ok", NULL, true },
};

static void put(char *yaml, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put(char *yaml, const char *format, ...)
{
	size_t len = strlen(yaml);
	va_list args;

	va_start(args, format);
	vsnprintf(yaml + len, YAML_MAX - len, format, args);
	va_end(args);
}

static size_t polls(const struct runner *r, const char *id)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_readings; i++)
		n += r->readings[i].metric == HT_M_SNMP_STATUS &&
		     strcmp(r->readings[i].instance, id) == 0;
	return n;
}

/* Each is named with its reason; the good ones are polled in their time. */
static void test_broken_devices_disturb_nobody(void **state)
{
	struct runner *r = runner_new();
	struct field_device devices[HT_COUNT(ways)];
	char yaml[YAML_MAX] = "{interval: 300ms, wait: 50ms, retries: 0, at_once: 4, "
			      "credentials: [{name: all}], devices: [";

	for (size_t i = 0; i < HT_COUNT(ways); i++) {
		field_open(
		    &devices[i], &r->loop, ways[i].fault, ways[i].where, ways[i].limit);
		put(yaml, "{id: %s, address: 127.0.0.1, port: %u},", ways[i].id,
		    devices[i].port);
	}
	put(yaml, "]}");
	assert_true(runner_run(r, &probe_snmp_fleet, "fleet", yaml, 1500 * HT_NS_PER_MS));
	assert_true(r->done);
	for (size_t i = 0; i < HT_COUNT(ways); i++) {
		const struct way *w = &ways[i];
		const struct runner_reading *reason =
		    runner_find(r, HT_M_SNMP_REASON, w->id);

		assert_string_equal(runner_string(r, HT_M_SNMP_STATUS, w->id), w->status);
		if (w->reason) {
			assert_non_null(reason);
			assert_non_null(strstr(reason->string, w->reason));
		} else {
			assert_null(reason);
		}
		if (w->whole)
			assert_true(runner_number(r, HT_M_SNMP_INTERFACES, w->id) == 6);
		field_close(&devices[i]);
	}
	assert_true(polls(r, "good-1") >= 3); /* of four times */
	assert_true(polls(r, "good-2") >= 3);
	assert_true(polls(r, "good-3") >= 3);
	runner_free(r);
}

/* It has told thousands of rows; now it lets us wait for the next, with all of them. */
static void wait_when_large(struct field_device *d)
{
	if (d->peer.fault == PEER_ENDLESS && d->peer.told > 3000)
		d->peer.fault = PEER_SILENT;
}

/* Endless tables of several devices at the same time find an end together, which is said;
 * a good device among them is read as ever. */
static void test_endless_tables_share_their_room(void **state)
{
	enum { ENDLESS = 20 };
	struct runner *r = runner_new();
	struct field_device devices[ENDLESS + 1];
	size_t told = 0;
	char yaml[YAML_MAX] = "{interval: 500ms, wait: 5s, at_once: 21, "
			      "credentials: [{name: all}], devices: [";

	for (size_t i = 0; i <= ENDLESS; i++) {
		field_open(&devices[i], &r->loop, i < ENDLESS ? PEER_ENDLESS : PEER_GOOD,
		    IF ".2", 0);
		devices[i].asked = wait_when_large;
		put(yaml, "{id: d%zu, address: 127.0.0.1, port: %u},", i,
		    devices[i].port);
	}
	put(yaml, "]}");
	assert_true(runner_run(r, &probe_snmp_fleet, "fleet", yaml, 1500 * HT_NS_PER_MS));
	for (size_t i = 0; i < r->n_readings; i++)
		told += r->readings[i].metric == HT_M_SNMP_REASON &&
			strstr(r->readings[i].string, "no room: interrupted") != NULL;
	assert_true(told > 0);
	assert_string_equal(runner_string(r, HT_M_SNMP_STATUS, "d20"), "ok");
	for (size_t i = 0; i <= ENDLESS; i++)
		field_close(&devices[i]);
	runner_free(r);
}

/* Kept for the next poll is only what leaves the others half of the room. */
static void test_large_interrupted_polls_are_not_all_kept(void **state)
{
	enum { SLOW = 10 };
	struct runner *r = runner_new();
	struct field_device devices[SLOW];
	size_t kept = 0, not_kept = 0;
	char yaml[YAML_MAX] = "{interval: 5s, deadline: 1100ms, wait: 5s, at_once: 10, "
			      "credentials: [{name: all}], devices: [";

	for (size_t i = 0; i < SLOW; i++) {
		field_open(&devices[i], &r->loop, PEER_ENDLESS, IF ".2", 0);
		devices[i].asked = wait_when_large;
		put(yaml, "{id: d%zu, address: 127.0.0.1, port: %u},", i,
		    devices[i].port);
	}
	put(yaml, "]}");
	assert_true(runner_run(r, &probe_snmp_fleet, "fleet", yaml, 1900 * HT_NS_PER_MS));
	for (size_t i = 0; i < r->n_readings; i++) {
		if (r->readings[i].metric != HT_M_SNMP_REASON)
			continue;
		kept += strstr(r->readings[i].string, "goes on where it stopped") != NULL;
		not_kept += strstr(r->readings[i].string, "no room to keep") != NULL;
	}
	assert_true(kept > 0 && not_kept > 0);
	for (size_t i = 0; i < SLOW; i++)
		field_close(&devices[i]);
	runner_free(r);
}

static void test_slow_device_goes_on_where_it_stopped(void **state)
{
	struct runner *r = runner_new();
	struct field_device slow;
	char yaml[YAML_MAX] = "";

	/* every large answer is lost, and each loss costs 300 ms */
	field_open(&slow, &r->loop, PEER_LOSSY, NULL, 5);
	put(yaml,
	    "{interval: 300ms, deadline: 500ms, wait: 300ms, retries: 0, credentials: "
	    "[{name: all}], devices: [{id: slow, address: 127.0.0.1, port: %u}]}",
	    slow.port);
	assert_true(runner_run(r, &probe_snmp_fleet, "fleet", yaml, 1700 * HT_NS_PER_MS));
	field_close(&slow);
	assert_non_null(strstr(
	    runner_string(r, HT_M_SNMP_REASON, "slow"), "goes on where it stopped"));
	const struct runner_reading *last = NULL;

	for (size_t i = 0; i < r->n_readings && !last; i++) {
		if (r->readings[i].metric == HT_M_SNMP_STATUS &&
		    strcmp(r->readings[i].string, "ok") == 0)
			last = &r->readings[i];
	}
	assert_non_null(last); /* whole in the end */
	assert_true(runner_number(r, HT_M_SNMP_INTERFACES, "slow") == 6);
	runner_free(r);
}

static void test_only_tables_that_are_wanted(void **state)
{
	struct runner *r = runner_new();
	struct field_device a, b, c;
	char yaml[YAML_MAX] = "";
	const struct ht_addr net = { .family = AF_INET, .prefix = 30, .bytes = { 10 } };

	field_open(&a, &r->loop, PEER_GOOD, NULL, 0);
	field_open(&b, &r->loop, PEER_GOOD, NULL, 0);
	field_open(&c, &r->loop, PEER_GOOD, NULL, 0);
	put(yaml,
	    "{arp: yes, credentials: [{name: no, match: 10.0.0.0/8}, {name: yes}], "
	    "devices: ["
	    "{id: a, address: 127.0.0.1, port: %u, tables: [ifTable]},"
	    "{id: b, address: 127.0.0.1, port: %u, skip: [ifTable, ipNetToMediaTable]},"
	    "{id: c, address: 127.0.0.1, port: %u, credentials: yes}]}",
	    a.port, b.port, c.port);
	r->site.subnets = &net;
	r->site.n_subnets = 1;
	assert_true(runner_run(r, &probe_snmp_fleet, "fleet", yaml, 500 * HT_NS_PER_MS));
	field_close(&a);
	field_close(&b);
	field_close(&c);
	assert_non_null(runner_find(r, HT_M_IF_DESCR, "a:if1"));
	assert_null(runner_find(r, HT_M_IF_NAME, "a:if1"));
	assert_non_null(runner_find(r, HT_M_IF_NAME, "b:Gi0-0-1"));
	assert_null(runner_find(r, HT_M_IF_DESCR, "b:Gi0-0-1"));
	assert_non_null(runner_find(r, HT_M_IF_DESCR, "c:Gi0-0-1"));
	/* of five neighbours of c alone those in 10.0.0.0/30 are told: three */
	assert_int_equal(runner_count(r, HT_M_MAC_SEEN_BY), 3);
	assert_string_equal(
	    runner_string(r, HT_M_MAC_IPV4, "3c:52:82:01:00:01"), "10.0.0.2");
	assert_string_equal(
	    runner_string(r, HT_M_MAC_SEEN_BY, "3c:52:82:01:00:01"), "snmp-arp");
	runner_free(r);
}

static size_t told(const struct runner *r, enum ht_metric m, const char *instance)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_readings; i++)
		n += r->readings[i].metric == m &&
		     strcmp(r->readings[i].instance, instance) == 0;
	return n;
}

/* Somebody gives the first interface another alias, as soon as its first one was told. */
static void rename_once(struct field_device *d)
{
	const struct runner *r = d->arg;
	struct peer_oid alias;

	if (polls(r, "x") == 0)
		return;
	peer_oid_set(&alias, IF_X ".18.1");
	for (size_t i = 0; i < d->peer.n; i++) {
		struct peer_cell *c = &d->peer.cells[i];

		if (c->name.n == alias.n &&
		    memcmp(c->name.id, alias.id, alias.n * sizeof(alias.id[0])) == 0)
			c->bytes[c->len - 1] = '7'; /* of "to office 1" */
	}
}

static void test_evidence_is_told_when_it_changes(void **state)
{
	struct runner *r = runner_new();
	struct field_device d;
	char yaml[YAML_MAX] = "";

	field_open(&d, &r->loop, PEER_GOOD, NULL, 0);
	d.asked = rename_once;
	d.arg = r;
	put(yaml,
	    "{interval: 100ms, credentials: [{name: all}], devices: [{id: x, address: "
	    "127.0.0.1, port: %u}]}",
	    d.port);
	assert_true(runner_run(r, &probe_snmp_fleet, "fleet", yaml, 900 * HT_NS_PER_MS));
	field_close(&d);
	assert_true(polls(r, "x") >= 3);
	assert_int_equal(told(r, HT_M_IF_ALIAS, "x:Gi0-0-1"), 2);
	assert_int_equal(told(r, HT_M_SNMP_SYS_NAME, "x"), 2);
	assert_string_equal(runner_string(r, HT_M_IF_ALIAS, "x:Gi0-0-1"), "to office 1");
	/* what is measured is told each time */
	assert_int_equal(told(r, HT_M_IF_IN_OCTETS, "x:Gi0-0-1"), polls(r, "x"));
	assert_int_equal(told(r, HT_M_IF_OPER_STATUS, "x:Gi0-0-1"), polls(r, "x"));
	runner_free(r);
}

/* ---- the server's list ---- */

static void put_list(struct ht_targets *list, const char *text)
{
	ht_targets_fini(list);
	assert_ok(ht_targets_parse(text, strlen(text), list, NULL));
}

struct step {
	struct runner *r;
	struct ht_targets list;
	uv_timer_t timer;
	bool ok;
};

static void on_step(uv_timer_t *timer)
{
	struct step *s = timer->data;

	if (polls(s->r, "link-a") == 0 || polls(s->r, "link-b") == 0)
		return;
	uv_timer_stop(timer);
	put_list(&s->list, HT_TARGETS_HEAD "target link-a 127.0.0.1\n"
					   "target link-c 127.0.0.3\n");
	s->ok = runner_relist(s->r) == HT_OK;
}

static void test_the_servers_list_and_another(void **state)
{
	struct runner *r = runner_new();
	struct field_device a;
	struct step s = { .r = r };
	char yaml[YAML_MAX] = "";

	field_open(&a, &r->loop, PEER_GOOD, NULL, 0);
	put(yaml,
	    "{port: %u, interval: 400ms, wait: 50ms, retries: 0, credentials: "
	    "[{name: some, match: [127.0.0.1, 127.0.0.2]}]}",
	    a.port);
	put_list(&s.list, HT_TARGETS_HEAD "target link-a 127.0.0.1\n"
					  "target link-a:far 127.0.0.1\n"
					  "target link-b 127.0.0.2\n");
	r->site.targets = &s.list;
	uv_timer_init(&r->loop, &s.timer);
	s.timer.data = &s;
	uv_timer_start(&s.timer, on_step, 10, 10);
	assert_true(runner_run(r, &probe_snmp_fleet, "fleet", yaml, 900 * HT_NS_PER_MS));
	uv_close((uv_handle_t *)&s.timer, NULL);
	uv_run(&r->loop, UV_RUN_NOWAIT);
	assert_true(s.ok);
	assert_string_equal(runner_string(r, HT_M_SNMP_STATUS, "link-a"), "ok");
	assert_string_equal(runner_string(r, HT_M_SNMP_STATUS, "link-b"), "timeout");
	assert_string_equal(runner_string(r, HT_M_SNMP_STATUS, "link-c"), "error");
	assert_string_equal(runner_string(r, HT_M_SNMP_REASON, "link-c"),
	    "no credentials match its address");
	assert_null(runner_find(r, HT_M_SNMP_STATUS, "link-a:far"));
	/* another list does not ask it anew */
	assert_true(polls(r, "link-a") <= 3);
	field_close(&a);
	ht_targets_fini(&s.list);
	runner_free(r);
}

static void test_cancel_at_any_time(void **state)
{
	struct runner *r = runner_new();
	struct field_device a, b;
	char yaml[YAML_MAX] = "";

	field_open(&a, &r->loop, PEER_GOOD, NULL, 0);
	field_open(&b, &r->loop, PEER_SILENT, NULL, 0);
	put(yaml,
	    "{packets_per_s: 1, wait: 50ms, credentials: [{name: all}], devices: ["
	    "{id: a, address: 127.0.0.1, port: %u}, {id: b, address: 127.0.0.1, port: "
	    "%u}]}",
	    a.port, b.port);
	for (int turns = 0; turns < 12; turns++) {
		assert_true(runner_start(
		    r, &probe_snmp_fleet, "fleet", yaml, 250 * HT_NS_PER_MS));
		for (int i = 0; i < turns; i++)
			uv_run(&r->loop, UV_RUN_NOWAIT);
		runner_cancel(r);
	}
	field_close(&a);
	field_close(&b);
	runner_free(r);
}

/* ---- the configuration ---- */

static const char *check(const char *yaml)
{
	static struct ht_fault fault;
	const struct ht_options *table = probe_snmp_fleet.options;
	struct ht_yaml y = { 0 };
	void *options = calloc(1, table->size);

	fault.text[0] = '\0';
	assert_ok(ht_yaml_parse("agent.yaml", yaml, strlen(yaml), &y, &fault));
	if (ht_options_load(table, NULL, y.root, options, &fault) == HT_OK) {
		(void)!probe_snmp_fleet.check(options, y.root, &fault);
		ht_options_fini(table, options);
	}
	free(options);
	ht_yaml_fini(&y);
	return fault.text;
}

static void test_configuration(void **state)
{
	static const struct {
		const char *yaml, *fault;
	} cases[] = {
		{ "{}", "credentials is missing" },
		{ "{credentials: [{name: a}]}", "" },
		{ "{credentials: [{name: a, match: 10.0.0.0/33}]}", "no network" },
		{ "{credentials: [{name: a, version: '3'}]}", "user is missing" },
		{ "{credentials: [{name: a, community: public}]}",
		    "unknown key 'community'" },
		{ "{credentials: [{name: a}], devices: [{id: x y, address: 10.0.0.1}]}",
		    "is no id" },
		{ "{credentials: [{name: a}], devices: [{id: x, address: router}]}",
		    "is no address" },
		{ "{credentials: [{name: a}], devices: [{id: x, address: 10.0.0.1}, "
		  "{id: x, address: 10.0.0.2}]}",
		    "two devices" },
		{ "{credentials: [{name: a}], devices: [{id: x, address: 10.0.0.1, "
		  "credentials: b}]}",
		    "no credentials called \"b\"" },
		{ "{credentials: [{name: a}], skip: [ifTabel]}",
		    "there are ifXTable, ifTable" },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		const char *said = check(cases[i].yaml);

		if (cases[i].fault[0])
			assert_non_null(strstr(said, cases[i].fault));
		else
			assert_string_equal(said, "");
	}
}

/* A file that others may read is refused with its name and the cure; a credential of
 * systemd is found by its name alone. */
static void test_secrets(void **state)
{
	char folder[] = "/tmp/hatang-credentials-XXXXXX", file[64], yaml[256];

	assert_non_null(mkdtemp(folder));
	snprintf(file, sizeof(file), "%s/offices", folder);
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	fputs("s3cret\n", f);
	fclose(f);
	assert_int_equal(chmod(file, 0644), 0);
	snprintf(
	    yaml, sizeof(yaml), "{credentials: [{name: a, community_file: %s}]}", file);
	assert_non_null(strstr(check(yaml), file));
	assert_non_null(strstr(check(yaml), "chmod 600"));
	assert_non_null(strstr(check(yaml), "agent.yaml:1:"));
	assert_int_equal(chmod(file, 0400), 0);
	assert_string_equal(check(yaml), "");
	setenv("CREDENTIALS_DIRECTORY", folder, 1);

	struct runner *r = runner_new();
	struct field_device d;

	field_open(&d, &r->loop, PEER_GOOD, NULL, 0);
	d.peer.community = "s3cret";
	snprintf(yaml, sizeof(yaml),
	    "{credentials: [{name: a, community_file: offices}], devices: [{id: x, "
	    "address: 127.0.0.1, port: %u}]}",
	    d.port);
	assert_string_equal(check(yaml), "");
	assert_true(runner_run(r, &probe_snmp_fleet, "fleet", yaml, 350 * HT_NS_PER_MS));
	assert_string_equal(runner_string(r, HT_M_SNMP_STATUS, "x"), "ok");
	unsetenv("CREDENTIALS_DIRECTORY");
	field_close(&d);
	runner_free(r);
	unlink(file);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_broken_devices_disturb_nobody),
		cmocka_unit_test(test_endless_tables_share_their_room),
		cmocka_unit_test(test_large_interrupted_polls_are_not_all_kept),
		cmocka_unit_test(test_slow_device_goes_on_where_it_stopped),
		cmocka_unit_test(test_only_tables_that_are_wanted),
		cmocka_unit_test(test_evidence_is_told_when_it_changes),
		cmocka_unit_test(test_the_servers_list_and_another),
		cmocka_unit_test(test_cancel_at_any_time),
		cmocka_unit_test(test_configuration),
		cmocka_unit_test(test_secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
