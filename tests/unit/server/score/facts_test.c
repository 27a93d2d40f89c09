/* The pure cores under the folds links and machines: rates, link states, classes, vendors
 * and the fusion of cards. Tables of cases. */
#include "unit/test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "server/derive/class.h"
#include "server/derive/fuse.h"
#include "server/derive/linkstate.h"
#include "server/derive/oui.h"
#include "server/derive/rate.h"

#define RULES "../server/derive/rules/device-classes.yaml"

/* ── rates ───────────────────────────────────────────────────────────────────────── */

static void test_rates(void **state)
{
	const double up = 1000, unknown = NAN;
	static const uint64_t top32 = UINT32_MAX;
	const struct {
		const char *what;
		struct rate_poll a, b;
		enum rate_verdict verdict;
		double bps;
	} cases[] = {
		{ "plain", { 0, 1000, 64, up, 0, 1e9 },
		    { 10000, 11000, 64, up + 10, 0, 1e9 }, RATE_OK, 8000 },
		{ "idle", { 0, 5, 64, up, 0, 1e9 }, { 10000, 5, 64, up + 10, 0, 1e9 },
		    RATE_OK, 0 },
		{ "above 2^63", { 0, UINT64_MAX - 1000, 64, up, 0, 1e9 },
		    { 10000, UINT64_MAX, 64, up + 10, 0, 1e9 }, RATE_OK, 800 },
		{ "32-bit wrap", { 0, top32 - 999, 32, up, 0, 1e7 },
		    { 10000, 1000, 32, up + 10, 0, 1e7 }, RATE_WRAPPED, 1600 },
		{ "smaller, restarted", { 0, top32 - 999, 32, up, 0, 1e7 },
		    { 10000, 1000, 32, 4, 0, 1e7 }, RATE_RESTARTED, 0 },
		{ "greater, restarted", { 0, 1000, 64, up, 0, 1e9 },
		    { 10000, 2000, 64, 4, 0, 1e9 }, RATE_RESTARTED, 0 },
		{ "uptime's own wrap", { 0, 1000, 64, 42949670, 0, 1e9 },
		    { 10000, 2000, 64, 7.04, 0, 1e9 }, RATE_OK, 800 },
		{ "smaller, no uptime", { 0, 5000, 32, unknown, 0, 1e7 },
		    { 10000, 1000, 32, unknown, 0, 1e7 }, RATE_WENT_BACK, 0 },
		{ "64 bits went back", { 0, 5000, 64, up, 0, 1e9 },
		    { 10000, 1000, 64, up + 10, 0, 1e9 }, RATE_WENT_BACK, 0 },
		{ "counters began anew", { 0, 1000, 64, up, 0, 1e9 },
		    { 10000, 2000, 64, up + 10, 1005, 1e9 }, RATE_DISCONTINUITY, 0 },
		{ "more than the line", { 0, 0, 64, up, 0, 1e6 },
		    { 10000, 10000000, 64, up + 10, 0, 1e6 }, RATE_OVERSPEED, 0 },
		{ "wrapped, but more than the line", { 0, 3000000000, 32, up, 0, 1e7 },
		    { 10000, 2900000000, 32, up + 10, 0, 1e7 }, RATE_OVERSPEED, 0 },
		{ "two wraps possible", { 0, 1000, 32, up, 0, 1e9 },
		    { 60000, 2000, 32, up + 60, 0, 1e9 }, RATE_MANY_WRAPS, 0 },
		{ "width changed", { 0, 1000, 32, up, 0, 1e9 },
		    { 10000, 2000, 64, up + 10, 0, 1e9 }, RATE_OTHER_WIDTH, 0 },
		{ "same time", { 5, 1000, 64, up, 0, 1e9 }, { 5, 2000, 64, up, 0, 1e9 },
		    RATE_SAME_TIME, 0 },
		{ "hours apart", { 0, 1000, 64, up, 0, 1e9 },
		    { 7200000, 2000, 64, up + 7200, 0, 1e9 }, RATE_TOO_FAR, 0 },
		{ "up for less than the polls are apart, nothing known of before",
		    { 0, 1000, 32, unknown, unknown, 1e7 },
		    { 60000, 2000, 32, 45, unknown, 1e7 }, RATE_RESTARTED, 0 },
		{ "two restarts, uptime greater than before",
		    { 0, 4000000000, 32, 20, 0, 1e7 }, { 60000, 1000, 32, 45, 0, 1e7 },
		    RATE_RESTARTED, 0 },
		{ "the agent's uptime began anew, the counters did not",
		    { 0, 1000, 64, 86400, 0, 1e9 }, { 60000, 2000, 64, 30, 0, 1e9 },
		    RATE_RESTARTED, 0 },
		{ "uptime's wrap, and a restart in it", { 0, 1000, 64, 42949670, 0, 1e9 },
		    { 600000, 2000, 64, 300, 0, 1e9 }, RATE_RESTARTED, 0 },
		{ "an uptime that lags", { 0, 1000, 64, 5000, 0, 1e9 },
		    { 60000, 8500, 64, 5048, 0, 1e9 }, RATE_OK, 1000 },
		{ "a discontinuity that always is now", { 0, 1000, 64, 5000, 5000, 1e9 },
		    { 10000, 2000, 64, 5010, 5010, 1e9 }, RATE_OK, 800 },
		{ "smaller, no speed, nothing would tell of a reset",
		    { 0, top32 - 999, 32, up, unknown, unknown },
		    { 10000, 1000, 32, up + 10, unknown, unknown }, RATE_WENT_BACK, 0 },
		{ "smaller, no speed, no reset was told",
		    { 0, top32 - 999, 32, up, 7, unknown },
		    { 10000, 1000, 32, up + 10, 7, unknown }, RATE_WRAPPED, 1600 },
		{ "64 bits that have 32", { 0, top32 - 999, 64, up, 0, 1e7 },
		    { 10000, 1000, 64, up + 10, 0, 1e7 }, RATE_WENT_BACK, 0 },
		{ "speed not known", { 0, 0, 64, up, unknown, unknown },
		    { 1000, 1000, 64, up + 1, unknown, unknown }, RATE_OK, 8000 },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		double bps = -1;
		enum rate_verdict v = rate_between(&cases[i].a, &cases[i].b, &bps);
		if (v != cases[i].verdict)
			fail_msg("%s: %s", cases[i].what, rate_reason(v));
		if (v > RATE_WRAPPED ? bps != -1 : fabs(bps - cases[i].bps) > 1e-6)
			fail_msg("%s: %g bit/s", cases[i].what, bps);
	}
}

/* A device that answers from a cache: twice nothing would be twice too much after it. */
static void test_counters_that_stand_still(void **state)
{
	assert_true(rate_stands_still(60000, 5, 5, 7, 7));
	assert_false(rate_stands_still(60000, 5, 6, 7, 7));
	assert_false(rate_stands_still(60000, 5, 5, 7, 8));
	assert_false(rate_stands_still(RATE_STILL_MS, 5, 5, 7, 7)); /* it is idle */
}

/* ── link states ─────────────────────────────────────────────────────────────────── */

#define NONE LINKSTATE_NEVER
#define NOW  INT64_C(1519862400000)
#define SEC  INT64_C(1000)

static struct link_view pinged(
    const char *agent, int64_t ago_s, const char *status, double received, int failed)
{
	return (struct link_view){ .agent = agent,
		.ping_ms = NOW - ago_s * SEC,
		.ping_status = status,
		.sent = 5,
		.received = received,
		.loss = 1 - received / 5,
		.rtt_s = 0.01,
		.failed = failed,
		.answered_ms = received > 0 ? NOW - ago_s * SEC : NONE,
		.ping_interval_ms = 60 * SEC,
		.poll_ms = NONE };
}

static struct link_view polled(
    const char *agent, int64_t ago_s, const char *status, const char *oper)
{
	return (struct link_view){ .agent = agent,
		.ping_ms = NONE,
		.answered_ms = NONE,
		.received = NAN,
		.loss = NAN,
		.poll_ms = NOW - ago_s * SEC,
		.poll_status = status,
		.oper = oper,
		.poll_interval_ms = 60 * SEC };
}

static struct link_view with(struct link_view v, enum link_presence presence)
{
	v.presence = presence;
	v.presence_ms = NOW - 30 * SEC;
	return v;
}

static struct link_view answered_before(struct link_view v)
{
	v.answered_ms = v.ping_ms - 60 * SEC;
	return v;
}

static struct link_view both(struct link_view ping, const char *oper)
{
	ping.poll_ms = ping.ping_ms;
	ping.poll_status = "ok";
	ping.oper = oper;
	ping.poll_interval_ms = 60 * SEC;
	return ping;
}

static void test_link_states(void **state)
{
	const struct {
		const char *what;
		struct link_view views[2];
		size_t n;
		enum link_state state;
		const char *reason;
	} cases[] = {
		{ "no view", { { 0 } }, 0, LINK_UNKNOWN, "never measured" },
		{ "answered", { pinged("a", 10, "ok", 5, 0) }, 1, LINK_UP, "answered" },
		{ "little loss", { pinged("a", 10, "ok", 4.5, 0) }, 1, LINK_UP,
		    "answered" },
		{ "loss of 20 %", { pinged("a", 10, "ok", 4, 0) }, 1, LINK_DEGRADED,
		    "20 %" },
		{ "two rounds silent", { pinged("a", 10, "timeout", 0, 2) }, 1, LINK_DOWN,
		    "2 rounds" },
		{ "unreachable twice", { pinged("a", 10, "unreachable", 0, 2) }, 1,
		    LINK_DOWN, "2 rounds" },
		{ "first round silent", { pinged("a", 10, "timeout", 0, 1) }, 1,
		    LINK_UNKNOWN, "first round" },
		{ "silent after an answer",
		    { answered_before(pinged("a", 10, "timeout", 0, 1)) }, 1,
		    LINK_DEGRADED, "next one" },
		{ "could not ping", { pinged("a", 10, "denied", 0, 9) }, 1, LINK_UNKNOWN,
		    "denied" },
		{ "stale", { pinged("a", 200, "ok", 5, 0) }, 1, LINK_UNKNOWN,
		    "not measured since" },
		{ "just not stale", { pinged("a", 180, "ok", 5, 0) }, 1, LINK_UP,
		    "answered" },
		{ "agent lost",
		    { with(pinged("a", 10, "timeout", 0, 5), LINK_AGENT_LOST) }, 1,
		    LINK_UNKNOWN, "cut off" },
		{ "agent switched off",
		    { with(pinged("a", 10, "ok", 5, 0), LINK_AGENT_OFFLINE) }, 1,
		    LINK_UNKNOWN, "switched off" },
		{ "agent lost, vantage silent",
		    { with(pinged("a", 10, "ok", 5, 0), LINK_AGENT_LOST),
			pinged("core", 10, "timeout", 0, 3) },
		    2, LINK_DOWN, "core" },
		{ "agent lost, vantage answered",
		    { with(pinged("a", 10, "ok", 5, 0), LINK_AGENT_LOST),
			pinged("core", 10, "ok", 5, 0) },
		    2, LINK_UP, "core" },
		{ "they disagree",
		    { pinged("a", 10, "ok", 5, 0), pinged("core", 10, "timeout", 0, 3) },
		    2, LINK_UP, "though agent core" },
		{ "interface down", { both(pinged("core", 10, "ok", 5, 0), "down") }, 1,
		    LINK_DOWN, "interface is down" },
		{ "interface up, no reply",
		    { both(pinged("core", 10, "timeout", 0, 4), "up") }, 1, LINK_DOWN,
		    "4 rounds" },
		{ "SNMP alone", { polled("core", 10, "ok", "up") }, 1, LINK_UP, "SNMP" },
		{ "SNMP alone, interface down",
		    { polled("core", 10, "ok", "lowerLayerDown") }, 1, LINK_DOWN,
		    "lowerLayerDown" },
		{ "SNMP silent", { polled("core", 10, "timeout", NULL) }, 1, LINK_UNKNOWN,
		    "timeout" },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct link_verdict v;
		linkstate_judge(cases[i].views, cases[i].n, NOW, &linkstate_defaults, &v);
		if (v.state != cases[i].state || !strstr(v.reason, cases[i].reason))
			fail_msg("%s: %s, %s", cases[i].what, link_state_name(v.state),
			    v.reason);
	}
}

static void test_link_due(void **state)
{
	struct link_view v = pinged("a", 10, "ok", 5, 0);
	struct link_verdict verdict;

	linkstate_judge(&v, 1, NOW, &linkstate_defaults, &verdict);
	assert_int_equal(verdict.due_ms, v.ping_ms + 180 * SEC + 1);
	linkstate_judge(&v, 1, verdict.due_ms, &linkstate_defaults, &verdict);
	assert_int_equal(verdict.state, LINK_UNKNOWN);
	assert_int_equal(verdict.since_ms, v.ping_ms + 180 * SEC + 1);
	assert_true(verdict.due_ms == INT64_MAX);

	assert_int_equal(linkstate_interval(0, NONE, 5), 0);
	assert_int_equal(linkstate_interval(0, 1000, 61000), 60000);
	assert_int_equal(linkstate_interval(60000, 0, 3600000), 120000); /* a hole */
	assert_int_equal(linkstate_interval(60000, 0, 30000), 30000);
	assert_int_equal(linkstate_interval(60000, 10, 10), 60000);
}

/* ── classes ─────────────────────────────────────────────────────────────────────── */

static struct class_rules *load_rules(void)
{
	struct class_rules *r = NULL;
	struct ht_fault fault = { 0 };

	if (class_rules_load(RULES, &r, &fault))
		fail_msg("%s", fault.text);
	return r;
}

static void test_globs(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool match;
	} cases[] = {
		{ "MSFT *", "MSFT 5.0", true },
		{ "msft *", "MSFT 5.0", true },
		{ "MSFT *", "MSFT5", false },
		{ "*", "", true },
		{ "", "", true },
		{ "", "a", false },
		{ "?", "", false },
		{ "HP??????", "HP12AB34", true },
		{ "HP??????", "HP12AB345", false },
		{ "*a*b*c", "xxaxxbxxc", true },
		{ "*a*b*c", "xxaxxbxx", false },
		{ "**", "abc", true },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		if (class_glob(cases[i].pattern, cases[i].text) != cases[i].match)
			fail_msg("'%s' on '%s'", cases[i].pattern, cases[i].text);
	}
}

static void test_classes(void **state)
{
	struct class_rules *r = load_rules();
	static const struct {
		struct class_facts facts;
		enum device_class class;
		double at_least;
	} cases[] = {
		{ { .dhcp_class = "MSFT 5.0" }, CLASS_COMPUTER, 0.9 },
		{ { .dhcp_class = "MSFT 5.0",
		      .vendor = "Dell Inc.",
		      .hostname = "PC-001" },
		    CLASS_COMPUTER, 0.95 },
		{ { .dhcp_class = "android-dhcp-9", .random_mac = true }, CLASS_MOBILE,
		    0.9 },
		{ { .random_mac = true }, CLASS_UNKNOWN, 0 },
		{ { .vendor = "Brother industries, LTD." }, CLASS_PRINTER, 0.8 },
		{ { .vendor = "Hangzhou Hikvision Digital Technology Co.,Ltd." },
		    CLASS_CAMERA, 0.8 },
		{ { .vendor = "XIAMEN YEALINK NETWORK TECHNOLOGY CO.,LTD" }, CLASS_PHONE,
		    0.8 },
		{ { .vendor = "Hewlett Packard", .hostname = "srv-01" }, CLASS_SERVER,
		    0.5 },
		{ { .vendor = "Intel Corporate" }, CLASS_UNKNOWN, 0 },
		{ { .gateway = true, .vendor = "Cisco Systems, Inc" }, CLASS_NETWORK,
		    0.95 },
		{ { .host = true }, CLASS_COMPUTER, 0.7 },
		{ { .host = true, .host_server = true }, CLASS_SERVER, 0.5 },
		{ { .vendor = "Synology Incorporated" }, CLASS_STORAGE, 0.8 },
		{ { 0 }, CLASS_UNKNOWN, 0 },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct class_verdict v;
		class_judge(r, &cases[i].facts, 1, &v);
		if (v.class != cases[i].class || v.confidence < cases[i].at_least)
			fail_msg("case %zu: %s %g: %s", i, class_name(v.class),
			    v.confidence, v.why);
		assert_true(v.why[0] != '\0');
	}
	class_rules_free(r);
}

static void test_rules_refused(void **state)
{
	static const struct {
		const char *yaml, *says;
	} cases[] = {
		{ "version: \"1\"\neffective_from: 2018-01-01\nrules:\n  - { id: a, on: "
		  "hostname, class: computer, confidence: 0.5 }\n",
		    "t:4:5: rule 'a'" },
		{ "version: \"1\"\neffective_from: 2018-01-01\nrules:\n  - { id: a, on: "
		  "gateway, match: [x], class: network, confidence: 0.5 }\n",
		    "remove 'match'" },
		{ "version: \"1\"\neffective_from: 2018-01-01\nrules:\n  - { id: a, on: "
		  "gateway, class: toaster, confidence: 0.5 }\n",
		    "t:4:" },
		{ "version: \"1\"\neffective_from: 2018-01-01\nrules:\n  - { id: a, on: "
		  "gateway, class: unknown, confidence: 0.5 }\n",
		    "remove the rule" },
		{ "version: \"1\"\neffective_from: someday\nrules:\n  - { id: a, on: "
		  "gateway, class: network, confidence: 0.5 }\n",
		    "t:2:17: 'someday' is no date" },
		{ "version: \"1\"\neffective_from: 2018-01-01\nrules:\n  - { id: a, on: "
		  "gateway, class: network, confidence: 1.5 }\n",
		    "between 0 and 1" },
		{ "version: \"1\"\neffective_from: 2018-01-01\nlocal_prefixes:\n  - { "
		  "mac: \"00:11:22\", vendor: x }\nrules:\n  - { id: a, on: gateway, "
		  "class: network, confidence: 1 }\n",
		    "t:4:5: '00:11:22'" },
		{ "version: \"1\"\neffective_from: 2018-01-01\nruels: []\n", "rules" },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct class_rules *r = NULL;
		struct ht_fault fault = { 0 };
		assert_int_equal(class_rules_parse("t", cases[i].yaml,
				     strlen(cases[i].yaml), &r, &fault),
		    HT_CONFIG);
		if (!strstr(fault.text, cases[i].says))
			fail_msg("case %zu: %s", i, fault.text);
		assert_null(r);
	}
}

static void test_vendors(void **state)
{
	static const char text[] = "OUI/MA-L   Organization\n\n"
				   "00-80-77   (hex)\t\tBrother industries, LTD.\n"
				   "008077     (base 16)\t\tBrother industries, LTD.\r\n"
				   "\t\t\t\tNagoya\n"
				   "F8B156     (base 16)\t\tDell Inc.\n"
				   "XYZ000     (base 16)\t\tNobody\n"
				   "000000     (base 16)\t\t";
	struct oui *o = NULL;
	struct ht_mac m;

	assert_ok(oui_parse(text, sizeof(text) - 1, &o));
	assert_int_equal(oui_count(o), 2);
	assert_ok(ht_mac_parse("f8:b1:56:01:02:03", &m));
	assert_string_equal(oui_find(o, &m), "Dell Inc.");
	assert_ok(ht_mac_parse("00:80:77:01:02:03", &m));
	assert_string_equal(oui_find(o, &m), "Brother industries, LTD.");
	assert_ok(ht_mac_parse("fa:b1:56:01:02:03", &m)); /* locally administered */
	assert_null(oui_find(o, &m));
	assert_null(oui_find(NULL, &m));
	oui_free(o);
}

/* ── fusion ──────────────────────────────────────────────────────────────────────── */

static const char vendors_text[] = "F8B156     (base 16)\t\tDell Inc.\n"
				   "A0A8CD     (base 16)\t\tIntel Corporate\n";

static struct fuse_nic nic(
    const char *mac, const char *hostname, const char *client_id, int64_t first_ms)
{
	struct fuse_nic n = { .hostname = hostname,
		.dhcp_client_id = client_id,
		.first_ms = first_ms,
		.last_ms = first_ms + 10 };

	snprintf(n.mac, sizeof(n.mac), "%s", mac);
	return n;
}

static size_t fused(struct fuse_input *in, struct fuse_result *out)
{
	assert_ok(fuse_machines(in, out));
	return out->n;
}

static void test_fusion(void **state)
{
	struct class_rules *rules = load_rules();
	struct oui *oui = NULL;
	assert_ok(oui_parse(vendors_text, sizeof(vendors_text) - 1, &oui));
	const struct {
		const char *what;
		struct fuse_nic nics[4];
		size_t n, machines;
	} cases[] = {
		{ "two strangers",
		    { nic("f8:b1:56:00:00:01", NULL, NULL, 1),
			nic("f8:b1:56:00:00:02", NULL, NULL, 2) },
		    2, 2 },
		{ "cable and Wi-Fi of a laptop",
		    { nic("f8:b1:56:00:00:01", "LAP-NAM", NULL, 1),
			nic("a0:a8:cd:00:00:02", "lap-nam", NULL, 2) },
		    2, 1 },
		{ "two clones of one image",
		    { nic("f8:b1:56:00:00:01", "LAP-NAM", NULL, 1),
			nic("f8:b1:56:00:00:02", "LAP-NAM", NULL, 2) },
		    2, 2 },
		{ "three with one name",
		    { nic("f8:b1:56:00:00:01", "LAP-NAM", NULL, 1),
			nic("a0:a8:cd:00:00:02", "LAP-NAM", NULL, 2),
			nic("f8:b1:56:00:00:03", "LAP-NAM", NULL, 2) },
		    3, 3 },
		{ "generic name",
		    { nic("f8:b1:56:00:00:01", "ADMIN-PC", NULL, 1),
			nic("a0:a8:cd:00:00:02", "ADMIN-PC", NULL, 2) },
		    2, 2 },
		{ "its random face",
		    { nic("f8:b1:56:00:00:01", "LAP-NAM", NULL, 1),
			nic("da:00:00:00:00:02", "LAP-NAM", NULL, 2),
			nic("da:00:00:00:00:03", "LAP-NAM", NULL, 3) },
		    3, 1 },
		{ "random ones of clones",
		    { nic("f8:b1:56:00:00:01", "LAP-NAM", NULL, 1),
			nic("f8:b1:56:00:00:02", "LAP-NAM", NULL, 2),
			nic("da:00:00:00:00:03", "LAP-NAM", NULL, 3) },
		    3, 3 },
		{ "one client identifier",
		    { nic("f8:b1:56:00:00:01", NULL, "ff000102030405060708", 1),
			nic("f8:b1:56:00:00:02", NULL, "FF000102030405060708", 2) },
		    2, 1 },
		{ "client identifier made of a MAC",
		    { nic("f8:b1:56:00:00:01", NULL, "01f8b156000001", 1),
			nic("f8:b1:56:00:00:02", NULL, "01f8b156000001", 2) },
		    2, 2 },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct fuse_input in = { .nics = cases[i].nics,
			.n_nics = cases[i].n,
			.rules = rules,
			.oui = oui };
		struct fuse_result out;
		if (fused(&in, &out) != cases[i].machines)
			fail_msg("%s: %zu machines", cases[i].what, out.n);
		fuse_fini(&out);
	}
	oui_free(oui);
	class_rules_free(rules);
}

static void test_fusion_of_hosts_and_corrections(void **state)
{
	struct class_rules *rules = load_rules();
	struct fuse_nic nics[] = { nic("f8:b1:56:00:00:02", NULL, NULL, 20),
		nic("f8:b1:56:00:00:01", NULL, NULL, 10),
		nic("f8:b1:56:00:00:03", NULL, NULL, 5) };
	struct fuse_host host = { .id = "m-1",
		.hostname = "srv-1",
		.macs = "f8:b1:56:00:00:01,f8:b1:56:00:00:02",
		.server = true,
		.first_ms = 1,
		.last_ms = 99 };
	struct fuse_correction said = { "f8:b1:56:00:00:03", "camera", NULL };
	struct fuse_input in = { nics, 3, &host, 1, &said, 1, rules, NULL };
	struct fuse_result out;

	assert_int_equal(fused(&in, &out), 2);
	/* Named by its first seen card, wherever that stands. */
	assert_string_equal(out.machines[0].id, "f8:b1:56:00:00:01");
	assert_int_equal(out.machine_of[0], 0);
	assert_int_equal(out.machine_of[1], 0);
	assert_int_equal(out.machines[0].class, CLASS_SERVER);
	assert_string_equal(out.machines[0].hostname, "srv-1");
	assert_int_equal(out.machines[0].last_ms, 99);
	assert_int_equal(out.machines[1].class, CLASS_CAMERA);
	assert_true(out.machines[1].confidence == 1);
	fuse_fini(&out);

	said = (struct fuse_correction){ "f8:b1:56:00:00:03", NULL, "f8:b1:56:00:00:02" };
	assert_int_equal(fused(&in, &out), 1);
	fuse_fini(&out);

	host.macs = NULL; /* a host without cards is a machine all the same */
	in.n_nics = 0;
	assert_int_equal(fused(&in, &out), 1);
	assert_string_equal(out.machines[0].id, "m-1");
	fuse_fini(&out);
	class_rules_free(rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_counters_that_stand_still),
		cmocka_unit_test(test_link_states),
		cmocka_unit_test(test_link_due),
		cmocka_unit_test(test_globs),
		cmocka_unit_test(test_classes),
		cmocka_unit_test(test_rules_refused),
		cmocka_unit_test(test_vendors),
		cmocka_unit_test(test_fusion),
		cmocka_unit_test(test_fusion_of_hosts_and_corrections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
