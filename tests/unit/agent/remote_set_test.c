/* What a command from afar may set: not what lets secrets off the machine. */
#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/remote_set.h"

static char secret[] = "/tmp/hatang-remote-set-XXXXXX";

static struct options *configured(void)
{
	char text[1024];
	struct options *o = NULL;
	struct ht_fault fault = { 0 };

	snprintf(text, sizeof(text),
	    "agent: { id: a }\n"
	    "probes:\n"
	    "  - { probe: http, id: open, url: 'https://open.example/' }\n"
	    "  - { probe: http, id: portal, url: 'https://portal.example/', "
	    "basic_file: %s }\n"
	    "  - { probe: snmp.interfaces, id: router, target: 192.0.2.1, "
	    "community_file: %s }\n"
	    "  - { probe: snmp.fleet, id: all, credentials: "
	    "[{ name: x, community_file: %s }], "
	    "devices: [{ id: r, address: 192.0.2.1, credentials: x }] }\n",
	    secret, secret, secret);
	if (options_parse("t", text, strlen(text), &o, &fault))
		fail_msg("%s", fault.text);
	return o;
}

static void test_what_may_be_set(void **state)
{
	static const struct {
		const char *name, *key, *value, *says; /* says NULL: allowed */
	} cases[] = {
		{ "icmp", "target", "192.0.2.1", NULL },
		{ "icmp", "count", "20", NULL },
		{ "icmp", "timeout", "20s", NULL },
		{ "http", "url", "https://elsewhere.example", NULL },
		{ "open", "url", "https://elsewhere.example", NULL },
		{ "tcp", "port", "443", NULL },
		{ "nothing", "port", "443", NULL }, /* options_probe's to refuse */
		/* files of this machine */
		{ "http", "basic_file", "/etc/hatang/x", "basic_file: names a file" },
		{ "open", "bearer_file", "/etc/hatang/x", "bearer_file: names a file" },
		{ "open", "ca_file", "/etc/shadow", "ca_file: names a file" },
		{ "dns", "anchors", "/etc/shadow", "anchors: names a file" },
		{ "throughput", "ca", "/etc/shadow", "ca: names a file" },
		{ "posture.host", "root", "/home", "root: names a file" },
		{ "snmp.interfaces", "auth_file", "/x", "auth_file: names a file" },
		{ "snmp.fleet", "credentials", "[{ name: x, community_file: /x }]",
		    "credentials: lists" },
		{ "reach", "targets", "[{ id: x }]", "targets: lists" },
		/* in another's clothes */
		{ "http", "url", "https://x\nbasic_file: /x", "url: a key" },
		{ "http", "url",
		    "https://x\xe2\x80\xa8"
		    "basic_file: /x",
		    "url: a key" },
		{ "http", "url: x, basic_file", "/x", "a key" },
		{ "http", "\"basic_file\"", "/x", "a key" },
		/* a probe that holds a secret */
		{ "portal", "url", "https://evil.example", "url: this probe holds" },
		{ "portal", "verify", "no", "verify: this probe holds" },
		{ "portal", "redirect_hosts", "evil.example",
		    "redirect_hosts: this probe holds" },
		{ "portal", "family", "ipv6", "family: this probe holds" },
		{ "portal", "redirects", "0", NULL },
		{ "portal", "timeout", "20s", NULL },
		{ "router", "target", "203.0.113.1", "target: this probe holds" },
		{ "router", "port", "1161", "port: this probe holds" },
		{ "router", "version", "3", "version: this probe holds" },
		{ "all", "tables", "if", "tables: this probe holds" },
	};
	struct options *o = configured();

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct control_pair set = { 0 };
		struct ht_fault fault = { 0 };

		snprintf(set.key, sizeof(set.key), "%s", cases[i].key);
		snprintf(set.value, sizeof(set.value), "%s", cases[i].value);
		ht_err err = remote_set_check(o, cases[i].name, &set, 1, &fault);
		bool good = cases[i].says
				? err == HT_DENIED && strstr(fault.text, cases[i].says)
				: err == HT_OK;
		if (!good)
			print_error("%s %s: %s \"%s\"\n", cases[i].name, cases[i].key,
			    ht_err_name(err), fault.text);
		assert_true(good);
	}
	options_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_what_may_be_set) };
	int fd = mkstemp(secret);

	if (fd < 0 || write(fd, "user:password\n", 14) != 14)
		return 1;
	close(fd);
	int failed = cmocka_run_group_tests_name("agent/remote_set", tests, NULL, NULL);

	unlink(secret);
	return failed;
}
