/* Whether the chain of signatures is judged as RFC 4035 and RFC 5155 say: a few zones,
 * signed for this test, and every way to spoil them. No network. */
#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "probes/wan/service/dns_chain.h"
#include "unit/probes/dns_world.h"

#define NOW 1700000000
enum {
	A = 1,
	NS = 2,
	CNAME = 5,
	SOA = 6,
	MX = 15,
	AAAA = 28,
	DS = 43,
	NSEC = 47,
	DNSKEY = 48,
	NSEC3 = 50
};

#define RECORDS(zone)                                     \
	"www." zone " 300 IN A 192.0.2.1\n"               \
	"www." zone " 300 IN A 192.0.2.2\n"               \
	"*.wild." zone " 300 IN A 192.0.2.3\n"            \
	"a.b." zone " 300 IN A 192.0.2.4\n"               \
	"here." zone " 300 IN CNAME www.unsigned.test.\n" \
	"there." zone " 300 IN CNAME www.three.test.\n"

static const struct dns_world_zone usual[] = {
	{ "unsigned.test.", RECORDS("unsigned.test."), WORLD_UNSIGNED },
	{ "three.test.", RECORDS("three.test."), WORLD_NSEC3, .iterations = 1 },
	{ "one.test.", RECORDS("one.test."), WORLD_NSEC },
	{ "test.", "", WORLD_NSEC },
	{ ".", "", WORLD_NSEC },
};

static struct dns_world *world(const struct dns_world_zone *zones, size_t n)
{
	return dns_world_new(zones, n, NOW);
}

/* The verdict, with all questions answered by the world. */
static enum dns_security judge_by(const struct dns_world *w, const char *anchor_zone,
    const char *name, uint16_t type, char why[static 256], unsigned *questions)
{
	static uint8_t bytes[65536];
	char *anchor = dns_world_anchor(w, anchor_zone), ask[DNS_NAME_TEXT];
	struct dns_anchors *anchors;
	struct dns_chain *c;
	uint16_t ask_type;
	const char *text;

	assert_ok(dns_anchors_parse(anchor, &anchors, NULL));
	size_t len = dns_world_answer(w, name, type, 7, bytes, sizeof(bytes));

	assert_ok(dns_chain_new(anchors, name, type, bytes, len, NOW, &c));
	*questions = 0;
	while (dns_chain_next(c, ask, &ask_type)) {
		++*questions;
		len = dns_world_answer(w, ask, ask_type, 7, bytes, sizeof(bytes));
		dns_chain_take(c, bytes, len);
	}
	enum dns_security s = dns_chain_verdict(c, &text);

	snprintf(why, 256, "%s", text);
	dns_chain_free(c);
	free(anchor);
	return s;
}

static void assert_verdict(const struct dns_world *w, const char *name, uint16_t type,
    enum dns_security want, const char *says)
{
	char why[256];
	unsigned questions;
	enum dns_security s = judge_by(w, ".", name, type, why, &questions);

	if (s != want || !strstr(why, says))
		print_error("%s %u: %s (%s)\n", name, type, dns_security_name(s), why);
	assert_int_equal(s, want);
	assert_non_null(strstr(why, says));
	assert_true((s == DNS_SECURE) == (why[0] == '\0'));
	assert_true(questions <= 20);
}

static void test_what_is_signed_is_secure(void **state)
{
	static const struct {
		const char *name;
		uint16_t type;
	} cases[] = {
		{ "www.one.test.", A },
		{ "www.three.test.", A },
		{ "WWW.One.Test.", A },
		{ "one.test.", SOA },
		{ "one.test.", DNSKEY },
		{ "one.test.", DS },
		{ "test.", NS },
		{ ".", SOA },
		{ "x.wild.one.test.", A },
		{ "x.wild.three.test.", A },
		{ "*.wild.one.test.", A },
		{ "there.one.test.", A },
		/* what is not there, provably */
		{ "www.one.test.", MX },
		{ "www.three.test.", MX },
		{ "no.one.test.", A },
		{ "no.three.test.", A },
		{ "b.one.test.", A },
		{ "b.three.test.", A },
		{ "x.wild.one.test.", MX },
		{ "x.wild.three.test.", MX },
		{ "no.such.tld.", A },
		{ "zzz.", A },
		{ "deep.er.no.one.test.", A },
		{ "deep.er.no.three.test.", A },
		{ "unsigned.test.", DS },
		{ "there.one.test.", MX },
	};
	struct dns_world *w = world(usual, HT_COUNT(usual));

	for (size_t i = 0; i < HT_COUNT(cases); i++)
		assert_verdict(w, cases[i].name, cases[i].type, DNS_SECURE, "");
	dns_world_free(w);
}

static void test_an_unsigned_zone_is_insecure(void **state)
{
	static const struct dns_world_zone opt_out[] = {
		{ "unsigned.test.", RECORDS("unsigned.test."), WORLD_UNSIGNED },
		{ "test.", "", WORLD_OPT_OUT, .iterations = 0 },
		{ ".", "", WORLD_NSEC },
	};
	struct dns_world *w = world(usual, HT_COUNT(usual));

	assert_verdict(w, "www.unsigned.test.", A, DNS_INSECURE, "without keys");
	assert_verdict(w, "no.unsigned.test.", A, DNS_INSECURE, "unsigned.test.");
	assert_verdict(w, "here.one.test.", A, DNS_INSECURE, "unsigned.test.");
	dns_world_free(w);
	w = world(opt_out, HT_COUNT(opt_out));
	assert_verdict(w, "www.unsigned.test.", A, DNS_INSECURE, "unsigned.test.");
	assert_verdict(w, "perhaps.test.", A, DNS_INSECURE, "opt-out");
	dns_world_free(w);
}

static void test_what_is_not_known_here_is_insecure(void **state)
{
	static const struct dns_world_zone zones[] = {
		{ "strange.test.", RECORDS("strange.test."), WORLD_NSEC,
		    .strange_algorithm = true },
		{ "busy.test.", RECORDS("busy.test."), WORLD_NSEC3, .iterations = 500 },
		{ "test.", "", WORLD_NSEC },
		{ ".", "", WORLD_NSEC },
	};
	struct dns_world *w = world(zones, HT_COUNT(zones));

	assert_verdict(w, "www.strange.test.", A, DNS_INSECURE, "strange.test.");
	assert_verdict(w, "www.busy.test.", A, DNS_SECURE, "");
	assert_verdict(w, "no.busy.test.", A, DNS_INSECURE, "hashes more often");
	dns_world_free(w);
}

/* Each case spoils one thing. */
static void test_what_was_spoiled_is_bogus(void **state)
{
	static const struct {
		const char *drop;
		uint16_t type, sigs; /* of drop: records, or signatures over a type */
		const char *add, *name;
		uint16_t asked;
		const char *says;
	} cases[] = {
		{ "www.one.test.", 0, A, NULL, "www.one.test.", A, "no signature" },
		{ "www.three.test.", 0, A, NULL, "www.three.test.", A, "no signature" },
		{ NULL, 0, 0, "www.one.test. 300 IN A 203.0.113.66", "www.one.test.", A,
		    "does not hold" },
		{ NULL, 0, 0, "no.one.test. 300 IN A 203.0.113.66", "no.one.test.", A,
		    "no signature" },
		{ "here.one.test.", 0, CNAME, NULL, "here.one.test.", A, "no signature" },
		{ "www.one.test.", NSEC, 0, NULL, "www.one.test.", MX, "not proven" },
		{ "www.one.test.", 0, NSEC, NULL, "www.one.test.", MX, "not proven" },
		{ "one.test.", 0, DNSKEY, NULL, "www.one.test.", A, "keys" },
		{ "one.test.", DNSKEY, 0, NULL, "www.one.test.", A, "shows no keys" },
		{ "one.test.", DS, 0, NULL, "www.one.test.", A, "not proven" },
		{ "one.test.", 0, DS, NULL, "www.one.test.", A, "DS" },
		{ "unsigned.test.", 0, NSEC, NULL, "www.unsigned.test.", A,
		    "not proven" },
		{ "unsigned.test.", NSEC, 0, NULL, "www.unsigned.test.", A,
		    "not proven" },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct dns_world *w = world(usual, HT_COUNT(usual));

		if (cases[i].drop && cases[i].sigs)
			dns_world_drop_sigs(w, cases[i].drop, cases[i].sigs);
		else if (cases[i].drop)
			dns_world_drop(w, cases[i].drop, cases[i].type);
		if (cases[i].add)
			dns_world_add(w, cases[i].add);
		assert_verdict(
		    w, cases[i].name, cases[i].asked, DNS_BOGUS, cases[i].says);
		dns_world_free(w);
	}
}

static void test_a_wildcard_must_prove_that_it_may(void **state)
{
	static const char *const zones[] = { "one", "three" };

	for (size_t i = 0; i < 2; i++) {
		struct dns_world *w = world(usual, HT_COUNT(usual));
		char name[64];

		/* without any proofs */
		static const char *const owners[] = { "one.test.", "www.one.test.",
			"*.wild.one.test.", "a.b.one.test.", "here.one.test.",
			"there.one.test.", "wild.one.test.", "b.one.test." };

		for (size_t k = 0; k < HT_COUNT(owners); k++)
			dns_world_drop(w, owners[k], NSEC);
		snprintf(name, sizeof(name), "x.wild.%s.test.", zones[i]);
		if (i == 0)
			assert_verdict(w, name, A, DNS_BOGUS, "wildcard");
		else
			assert_verdict(w, name, A, DNS_SECURE, "");
		dns_world_free(w);
	}
}

/* A wildcard's NSEC, whose signature holds under any name beside it, must not say what
 * such a name has. */
static void test_a_wildcards_proof_under_another_name(void **state)
{
	static const struct dns_world_zone zones[] = {
		{ "one.test.",
		    "*.wild.one.test. 300 IN A 192.0.2.3\n"
		    "real.wild.one.test. 300 IN MX 10 mail.one.test.\n"
		    "*.alias.one.test. 300 IN CNAME other.one.test.\n"
		    "other.one.test. 300 IN A 192.0.2.4\n",
		    WORLD_NSEC },
		{ "test.", "", WORLD_NSEC },
		{ ".", "", WORLD_NSEC },
	};
	struct dns_world *w = world(zones, HT_COUNT(zones));

	assert_verdict(w, "real.wild.one.test.", MX, DNS_SECURE, "");
	assert_verdict(w, "x.wild.one.test.", MX, DNS_SECURE, "");
	assert_verdict(w, "*.wild.one.test.", MX, DNS_SECURE, "");
	assert_verdict(w, "x.alias.one.test.", A, DNS_SECURE, "");
	dns_world_drop(w, "real.wild.one.test.", 0);
	dns_world_rename(w, "*.wild.one.test.", NSEC, "real.wild.one.test.");
	assert_verdict(w, "real.wild.one.test.", MX, DNS_BOGUS, "not proven");
	dns_world_free(w);
}

/* Nor may a wildcard's DS begin a zone wherever somebody wants one. */
static void test_a_wildcards_delegation(void **state)
{
	static const struct dns_world_zone zones[] = {
		{ "fake.w.test.", RECORDS("fake.w.test."), WORLD_NSEC },
		{ "test.",
		    "*.w.test. 300 IN DS 12345 200 2 "
		    "0000000000000000000000000000000000000000000000000000000000000000\n",
		    WORLD_NSEC },
		{ ".", "", WORLD_NSEC },
	};
	struct dns_world *w = world(zones, HT_COUNT(zones));

	dns_world_drop(w, "fake.w.test.", DS);
	dns_world_rename(w, "*.w.test.", DS, "fake.w.test.");
	assert_verdict(w, "www.fake.w.test.", A, DNS_BOGUS, "wildcard");
	dns_world_free(w);
}

static void test_time_and_keys(void **state)
{
	static const struct {
		struct dns_world_zone zone;
		const char *says;
	} cases[] = {
		{ { "one.test.", RECORDS("one.test."), WORLD_NSEC, .begins_s = -7200,
		      .ends_s = -3600 },
		    "expired" },
		{ { "one.test.", RECORDS("one.test."), WORLD_NSEC, .begins_s = 3600,
		      .ends_s = 7200 },
		    "not valid yet" },
		{ { "one.test.", RECORDS("one.test."), WORLD_NSEC, .foreign_ds = true },
		    "no key that the zone above" },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct dns_world_zone zones[] = { cases[i].zone,
			{ "test.", "", WORLD_NSEC }, { ".", "", WORLD_NSEC } };
		struct dns_world *w = world(zones, 3);

		assert_verdict(w, "www.one.test.", A, DNS_BOGUS, cases[i].says);
		dns_world_free(w);
	}
}

/* Nothing is known of what a server without DNSSEC says; once a zone was seen to be
 * signed, signatures that are missing are missing. */
static void test_a_server_that_knows_no_dnssec(void **state)
{
	struct dns_world *w = world(usual, HT_COUNT(usual));

	dns_world_drop_sigs(w, ".", DNSKEY);
	assert_verdict(
	    w, "www.one.test.", A, DNS_INDETERMINATE, "hands out no signatures");
	dns_world_drop(w, ".", DNSKEY);
	assert_verdict(
	    w, "www.one.test.", A, DNS_INDETERMINATE, "hands out no signatures");
	dns_world_free(w);
}

/* An anchor further down is enough, and one elsewhere is not. */
static void test_anchors(void **state)
{
	struct dns_world *w = world(usual, HT_COUNT(usual));
	struct ht_fault fault = { 0 };
	struct dns_anchors *anchors;
	char why[256];
	unsigned questions;

	assert_int_equal(
	    judge_by(w, "one.test.", "www.one.test.", A, why, &questions), DNS_SECURE);
	assert_int_equal(questions, 1);
	assert_int_equal(judge_by(w, "one.test.", "www.three.test.", A, why, &questions),
	    DNS_INDETERMINATE);
	assert_non_null(strstr(why, "no trust anchor"));
	assert_int_equal(questions, 0);
	dns_world_free(w);
	assert_int_equal(dns_anchors_parse("; none\n\n", &anchors, &fault), HT_NOTFOUND);
	assert_int_equal(
	    dns_anchors_parse("\n. IN A 127.0.0.1\n", &anchors, &fault), HT_MALFORMED);
	assert_non_null(strstr(fault.text, "line 2"));
	assert_ok(
	    dns_anchors_parse(". 172800 IN DS 20326 8 2 "
			      "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104"
			      "237C7F8EC8D ; root\n",
		&anchors, &fault));
	dns_anchors_free(anchors);
}

/* What the package dns-root-data brings. */
static void test_the_roots_keys_of_this_system(void **state)
{
	static const char file[] = "/usr/share/dns/root.key";
	struct dns_anchors *anchors;
	char *text;
	size_t len;

	if (ht_file_read(file, 65536, &text, &len, NULL)) {
		print_message("SKIPPED: %s is not there (dns-root-data)\n", file);
		skip();
	}
	assert_ok(dns_anchors_parse(text, &anchors, NULL));
	dns_anchors_free(anchors);
	free(text);
}

static void test_a_server_that_fails_leaves_it_open(void **state)
{
	static uint8_t bytes[65536];
	struct dns_world *w = world(usual, HT_COUNT(usual));
	char *anchor = dns_world_anchor(w, "."), name[DNS_NAME_TEXT];

	for (unsigned after = 0; after < 4; after++) {
		for (int way = 0; way < 3; way++) {
			struct dns_anchors *anchors;
			struct dns_chain *c;
			const char *why;
			uint16_t type;

			assert_ok(dns_anchors_parse(anchor, &anchors, NULL));
			size_t len = dns_world_answer(
			    w, "www.one.test.", A, 7, bytes, sizeof(bytes));

			assert_ok(dns_chain_new(
			    anchors, "www.one.test.", A, bytes, len, NOW, &c));
			for (unsigned i = 0; i <= after; i++) {
				assert_true(dns_chain_next(c, name, &type));
				len = dns_world_answer(
				    w, name, type, 7, bytes, sizeof(bytes));
				if (i == after && way == 1)
					bytes[3] |= 2; /* SERVFAIL */
				if (i == after && way == 2)
					len /= 2;
				if (i == after && way == 0)
					dns_chain_fail(c, "timeout");
				else
					dns_chain_take(c, bytes, len);
			}
			assert_false(dns_chain_next(c, name, &type));
			assert_int_equal(dns_chain_verdict(c, &why), DNS_INDETERMINATE);
			assert_true(why[0] != '\0');
			dns_chain_free(c);
		}
	}
	free(anchor);
	dns_world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_signed_is_secure),
		cmocka_unit_test(test_an_unsigned_zone_is_insecure),
		cmocka_unit_test(test_what_is_not_known_here_is_insecure),
		cmocka_unit_test(test_what_was_spoiled_is_bogus),
		cmocka_unit_test(test_a_wildcard_must_prove_that_it_may),
		cmocka_unit_test(test_a_wildcards_proof_under_another_name),
		cmocka_unit_test(test_a_wildcards_delegation),
		cmocka_unit_test(test_time_and_keys),
		cmocka_unit_test(test_a_server_that_knows_no_dnssec),
		cmocka_unit_test(test_anchors),
		cmocka_unit_test(test_the_roots_keys_of_this_system),
		cmocka_unit_test(test_a_server_that_fails_leaves_it_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
