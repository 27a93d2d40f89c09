/* The parsers of posture/, and the probe on a folder that plays the machine. */
#include "unit/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "probes/posture/machine.h"
#include "probes/posture/packet_filter.h"
#include "unit/probes/runner.h"

extern const struct probe_ops probe_posture_host;

/* ---- packet filter --------------------------------------------------------------- */

#define RULESET(items) "{\"nftables\":[{\"metainfo\":{\"version\":\"1\"}}" items "]}"
#define CHAIN(family, name, more)                                                 \
	",{\"chain\":{\"family\":\"" family "\",\"table\":\"t\",\"name\":\"" name \
	"\"" more "}}"
#define HOOK(policy) \
	",\"type\":\"filter\",\"hook\":\"input\",\"prio\":0,\"policy\":\"" policy "\""
#define RULE(family, chain, expr)                                                  \
	",{\"rule\":{\"family\":\"" family "\",\"table\":\"t\",\"chain\":\"" chain \
	"\",\"expr\":[" expr "]}}"
#define PORT(right)                                                              \
	"{\"match\":{\"op\":\"==\",\"left\":{\"payload\":{\"protocol\":\"tcp\"," \
	"\"field\":"                                                             \
	"\"dport\"}},\"right\":" right "}}"

static const struct {
	const char *what, *json, *text;
	bool hooked, refuses4, refuses6;
} filters[] = {
	{ "nothing", RULESET(""), "no filter chain on input", false, false, false },
	{ "accept by default", RULESET(CHAIN("inet", "in", HOOK("accept"))),
	    "what no rule names is let in", true, false, false },
	{ "drop by default", RULESET(CHAIN("inet", "in", HOOK("drop"))),
	    "inet t in: what no rule names is refused (IPv4 and IPv6); lets nothing in",
	    true, true, true },
	{ "IPv4 alone", RULESET(CHAIN("ip", "in", HOOK("drop"))),
	    "ip t in: what no rule names is refused (IPv4 only); lets nothing in", true,
	    true, false },
	{ "an accept for all before the policy",
	    RULESET(CHAIN("inet", "in", HOOK("drop"))
		    RULE("inet", "in", "{\"accept\":null}")),
	    "what no rule names is let in", true, false, false },
	{ "a drop for all at the end",
	    RULESET(CHAIN("inet", "in", HOOK("accept"))
		    RULE("inet", "in", PORT("22") ",{\"counter\":{}},{\"accept\":null}")
			RULE("inet", "in", "{\"counter\":{}},{\"drop\":null}")),
	    "inet t in: what no rule names is refused (IPv4 and IPv6); lets in tcp 22",
	    true, true, true },
	{ "a drop that only looks as if for all",
	    RULESET(CHAIN("inet", "in", HOOK("accept"))
		    RULE("inet", "in", "{\"limit\":{\"rate\":1}},{\"drop\":null}")),
	    "what no rule names is let in", true, false, false },
	{ "a chain that rejects, jumped to",
	    RULESET(CHAIN("inet", "in", HOOK("accept")) CHAIN("inet", "sub", "")
		    RULE("inet", "in", "{\"jump\":{\"target\":\"sub\"}}")
			RULE("inet", "sub", "{\"reject\":null}")),
	    "inet t in: what no rule names is refused (IPv4 and IPv6); lets nothing in",
	    true, true, true },
	{ "return comes back to the policy",
	    RULESET(CHAIN("inet", "in", HOOK("drop")) CHAIN("inet", "sub", "") RULE(
		"inet", "in", "{\"jump\":{\"target\":\"sub\"}}") RULE("inet", "sub",
		"{\"return\":null}") RULE("inet", "sub", "{\"accept\":null}")),
	    "inet t in: what no rule names is refused (IPv4 and IPv6); lets nothing in",
	    true, true, true },
	{ "another table's chain of the same name",
	    RULESET(
		CHAIN("inet", "in", HOOK("accept")) RULE("ip", "in", "{\"drop\":null}")),
	    "what no rule names is let in", true, false, false },
	{ "output is no matter",
	    RULESET(CHAIN("inet", "out",
		",\"type\":\"filter\",\"hook\":\"output\",\"prio\":0,\"policy\":"
		"\"drop\"")),
	    "no filter chain on input", false, false, false },
};

static void test_packet_filters(void **state)
{
	for (size_t i = 0; i < HT_COUNT(filters); i++) {
		struct packet_filter f;
		struct ht_buf text;

		print_message("%s\n", filters[i].what);
		assert_ok(
		    packet_filter_parse(filters[i].json, strlen(filters[i].json), &f));
		assert_int_equal(f.hooked, filters[i].hooked);
		assert_int_equal(f.refuses4, filters[i].refuses4);
		assert_int_equal(f.refuses6, filters[i].refuses6);
		ht_buf_init(&text, 4096);
		packet_filter_describe(&f, &text);
		assert_string_equal(ht_buf_text(&text), filters[i].text);
		ht_buf_fini(&text);
	}
}

static char *file_text(const char *path)
{
	FILE *f = fopen(path, "rb");
	char *text = calloc(1, 1 << 20);

	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 20) - 1, f) > 0);
	fclose(f);
	return text;
}

static void test_real_ruleset(void **state)
{
	char *json = file_text("data/posture/drop.json");
	struct packet_filter f;
	struct ht_buf text;

	assert_ok(packet_filter_parse(json, strlen(json), &f));
	ht_buf_init(&text, 4096);
	packet_filter_describe(&f, &text);
	assert_string_equal(ht_buf_text(&text),
	    "inet filter input: what no rule names is refused (IPv4 and IPv6); lets in "
	    "tcp 22, "
	    "tcp 8080, tcp 9000-9010, tcp 80, tcp 443, udp 161 (limited), tcp 1000-1005, "
	    "tcp 1883; "
	    "1 rules may let in more without naming a port");
	ht_buf_fini(&text);
	free(json);
}

static void test_bad_rulesets(void **state)
{
	static const char round[] = RULESET(CHAIN("inet", "in", HOOK("drop"))
		RULE("inet", "in", "{\"jump\":{\"target\":\"in\"}}"));
	static const char *const malformed[] = { "", "{", "[]", "null",
		"{\"nftables\":{}}", "{\"nftables\":7}" };
	struct packet_filter f;

	for (size_t i = 0; i < HT_COUNT(malformed); i++)
		assert_int_equal(
		    packet_filter_parse(malformed[i], strlen(malformed[i]), &f),
		    HT_MALFORMED);
	assert_int_equal(packet_filter_parse(round, strlen(round), &f), HT_TOOLARGE);
	assert_int_equal(
	    packet_filter_parse(round, PACKET_FILTER_BYTES_MAX + 1, &f), HT_TOOLARGE);
}

/* ---- small texts ----------------------------------------------------------------- */

static const char listeners[] = "tcp 0.0.0.0 22 0 812 sshd\n"
				"tcp6 :: 22 0 812 sshd\n"
				"tcp 127.0.0.1 631 0 1 cupsd\n"
				"tcp6 ::1 631 0 1 cupsd\n"
				"tcp6 ::ffff:127.0.0.1 8080 0 1 java\n"
				"tcp 192.168.10.5 443 33 77 nginx: worker\n"
				"udp 0.0.0.0 161 0 5 snmpd\n"
				"udp 0.0.0.0 40001 0 5 firefox\n"
				"tcp 0.0.0.0 50000 0 0 -\n"
				"nonsense\n"
				"sctp 0.0.0.0 9 0 0 x\n"
				"tcp 0.0.0.0 99999 0 0 x\n";

static void test_listeners(void **state)
{
	struct machine_listeners l;
	char text[256];

	machine_listeners_parse(listeners, strlen(listeners), &l);
	machine_listeners_describe(&l, text, sizeof(text));
	assert_string_equal(
	    text, "tcp 22 sshd, tcp 443 nginx:, udp 161 snmpd, tcp 50000 -");
	machine_listeners_describe(&l, text, 48);
	assert_string_equal(text, "tcp 22 sshd and 3 more");
	machine_listeners_parse("", 0, &l);
	assert_int_equal(l.n, 0);
}

static const char updates[] =
    "Inst base-files [12.4] (12.5 Debian:12.5/stable [amd64])\n"
    "Inst libssl3 [3.0.9-1] (3.0.9-2 Debian-Security:12/stable-security [amd64]) []\n"
    "Conf libssl3 (3.0.9-2 Debian-Security:12/stable-security [amd64])\n"
    "Inst both [1] (2 Debian:12.5/stable, Debian-Security:12/stable-security [amd64])\n"
    "Inst apt-security-tool [1] (2 Debian:12.5/stable [amd64])\n"
    "Remv old [1]\n";

static void test_updates(void **state)
{
	struct machine_updates u;

	machine_updates_parse(updates, strlen(updates), &u);
	assert_int_equal(u.pending, 4);
	assert_int_equal(u.security, 2);
	assert_string_equal(u.first, "libssl3");
}

static void test_apt_conf(void **state)
{
	static const char flat[] = "// APT::Periodic::Unattended-Upgrade \"9\";\n"
				   "APT::Periodic::Unattended-Upgrade \"0\";\n"
				   "# no\n/* APT::Periodic::Unattended-Upgrade \"8\"; */"
				   "apt::periodic::unattended-upgrade \"1\";\n";
	static const char nested[] =
	    "APT { Periodic { Update-Package-Lists \"7\"; Verbose \"0\" }\n"
	    " Other \"x\"; };\nAPT::Periodic { Unattended-Upgrade \"2\"; };\n";
	char value[8] = "none";

	assert_true(machine_apt_value(flat, strlen(flat),
	    "APT::Periodic::Unattended-Upgrade", value, sizeof(value)));
	assert_string_equal(value, "1");
	assert_true(machine_apt_value(nested, strlen(nested),
	    "APT::Periodic::Update-Package-Lists", value, sizeof(value)));
	assert_string_equal(value, "7");
	assert_true(machine_apt_value(nested, strlen(nested),
	    "APT::Periodic::Unattended-Upgrade", value, sizeof(value)));
	assert_string_equal(value, "2");
	assert_true(machine_apt_value(
	    nested, strlen(nested), "APT::Other", value, sizeof(value)));
	assert_string_equal(value, "x");
	assert_false(
	    machine_apt_value(nested, strlen(nested), "Other", value, sizeof(value)));
}

static void test_os_name(void **state)
{
	char name[64];

	assert_true(
	    machine_os_name("ID=x\nPRETTY_NAME=\"Debian 12\"\n", 29, name, sizeof(name)));
	assert_string_equal(name, "Debian 12");
	assert_true(machine_os_name("PRETTY_NAME=Alpine", 18, name, sizeof(name)));
	assert_string_equal(name, "Alpine");
	assert_false(machine_os_name("NAME=x\n", 7, name, sizeof(name)));
}

/* ---- the probe ------------------------------------------------------------------- */

struct machine {
	char root[64];
	char options[96];
};

static void put(const struct machine *m, const char *path, const char *text)
{
	char full[512];

	snprintf(full, sizeof(full), "%s%s", m->root, path);
	for (char *p = full + strlen(m->root) + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		mkdir(full, 0700);
		*p = '/';
	}
	FILE *f = fopen(full, "wb");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void aged(const struct machine *m, const char *path, time_t days)
{
	struct timespec at[2] = { { .tv_sec = time(NULL) - days * 86400 },
		{ .tv_sec = time(NULL) - days * 86400 } };
	char full[512];

	snprintf(full, sizeof(full), "%s%s", m->root, path);
	assert_int_equal(utimensat(AT_FDCWD, full, at, 0), 0);
}

static void machine_init(struct machine *m)
{
	snprintf(m->root, sizeof(m->root), "/tmp/hatang-posture-XXXXXX");
	assert_non_null(mkdtemp(m->root));
	snprintf(m->options, sizeof(m->options), "root: %s", m->root);
}

static void machine_fini(struct machine *m)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", m->root);
	assert_int_equal(system(command), 0);
}

#define ANSWER(check, want) \
	assert_string_equal(runner_string(r, HT_M_POSTURE_ANSWER, check), want)

static void run_host(struct runner *r, const struct machine *m)
{
	assert_true(
	    runner_run(r, &probe_posture_host, "host", m->options, 10 * HT_NS_PER_S));
	assert_true(r->done);
}

static void test_bare_machine_is_not_observable(void **state)
{
	struct runner *r = runner_new();
	struct machine m;

	machine_init(&m);
	runner_grant_err(r, PROBE_PACKET_FILTER, HT_UNSUPPORTED);
	run_host(r, &m);
	ANSWER("packet-filter", "not-observable");
	assert_string_equal(runner_string(r, HT_M_POSTURE_EVIDENCE, "packet-filter"),
	    "nft is not on this machine");
	ANSWER("security-updates", "not-observable");
	ANSWER("listening-services", "not-observable");
	ANSWER("auto-updates", "not-observable");
	ANSWER("anti-malware", "not-observable");
	ANSWER("reboot-pending", "not-observable");
	ANSWER("backup", "not-observable");
	assert_null(runner_find(r, HT_M_POSTURE_COUNT, NULL));
	assert_null(runner_find(r, HT_M_HOST_OS, NULL));
	runner_free(r);
	machine_fini(&m);
}

static void test_kept_machine(void **state)
{
	static const char lists[] =
	    "/var/lib/apt/lists/deb_debian-security_main_Packages.lz4";
	struct runner *r = runner_new();
	struct machine m;

	machine_init(&m);
	put(&m, "/etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12\"\n");
	put(&m, "/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
	put(&m, lists, "");
	put(&m, "/etc/apt/apt.conf.d/20auto-upgrades",
	    "APT::Periodic::Update-Package-Lists "
	    "\"1\";\nAPT::Periodic::Unattended-Upgrade \"1\";\n");
	put(&m, "/usr/bin/unattended-upgrade", "");
	put(&m, "/proc/1/comm", "systemd\n");
	put(&m, "/proc/77/comm", "clamd\n");
	put(&m, "/usr/share/xsessions/gnome.desktop", "");
	runner_grant_bytes(r, PROBE_PACKET_FILTER, filters[2].json);
	runner_grant_bytes(r, PROBE_LISTENERS, listeners);
	runner_grant_bytes(r, PROBE_PENDING_UPDATES, updates);
	run_host(r, &m);
	ANSWER("packet-filter", "yes");
	ANSWER("listening-services", "yes");
	assert_true(runner_number(r, HT_M_POSTURE_COUNT, "listening-services") == 4);
	ANSWER("security-updates", "no");
	assert_true(runner_number(r, HT_M_POSTURE_COUNT, "security-updates") == 2);
	ANSWER("auto-updates", "yes");
	ANSWER("anti-malware", "yes");
	ANSWER("reboot-pending", "no");
	assert_string_equal(runner_string(r, HT_M_HOST_OS, NULL), "Debian GNU/Linux 12");
	assert_false(runner_find(r, HT_M_HOST_IS_SERVER, NULL)->boolean);

	/* nft sees nothing: a "no", unless the old iptables holds tables. */
	runner_grant_bytes(r, PROBE_PACKET_FILTER, filters[0].json);
	put(&m, "/proc/net/ip_tables_names", "");
	run_host(r, &m);
	ANSWER("packet-filter", "no");
	put(&m, "/proc/net/ip_tables_names", "filter\n");
	run_host(r, &m);
	ANSWER("packet-filter", "not-observable");

	put(&m, "/run/reboot-required", "");
	runner_grant_bytes(
	    r, PROBE_PENDING_UPDATES, "Inst x [1] (2 Debian:12.5/stable [amd64])\n");
	run_host(r, &m);
	ANSWER("security-updates", "yes");
	ANSWER("reboot-pending", "yes");

	/* Old lists know of nothing: that is not "none". */
	aged(&m, "/var/lib/apt/lists", 8);
	run_host(r, &m);
	ANSWER("security-updates", "not-observable");
	assert_string_equal(runner_string(r, HT_M_POSTURE_EVIDENCE, "security-updates"),
	    "the package lists are 8 days old");
	assert_null(runner_find(r, HT_M_POSTURE_COUNT, "security-updates"));
	runner_free(r);
	machine_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packet_filters),
		cmocka_unit_test(test_real_ruleset),
		cmocka_unit_test(test_bad_rulesets),
		cmocka_unit_test(test_listeners),
		cmocka_unit_test(test_updates),
		cmocka_unit_test(test_apt_conf),
		cmocka_unit_test(test_os_name),
		cmocka_unit_test(test_bare_machine_is_not_observable),
		cmocka_unit_test(test_kept_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
