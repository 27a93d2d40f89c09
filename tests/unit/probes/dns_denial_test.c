/* What proofs of absence prove, and what they only seem to (RFC 6840 section 4). The
 * records stand here as text; their signatures are another test's (dns_chain_test.c). */
#include "unit/test.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probes/wan/service/dns_denial.h"
#include "probes/wan/service/dns_rrset.h"

enum { A = 1, NS = 2, MX = 15, DS = 43 };

static ldns_rdf *name_of(const char *text)
{
	ldns_rdf *name = ldns_dname_new_frm_str(text);

	assert_non_null(name);
	return name;
}

static ldns_rr_list *records(const char *text)
{
	char *copy = strdup(text), *rest = copy, *line;
	ldns_rr_list *out = ldns_rr_list_new();

	while ((line = strsep(&rest, "|"))) {
		ldns_rr *rr = NULL;

		assert_int_equal(ldns_rr_new_frm_str(&rr, line, 300, NULL, NULL), 0);
		ldns_rr_list_push_rr(out, rr);
	}
	free(copy);
	return out;
}

static enum dns_denial denial(const char *text, const char *name, uint16_t type)
{
	ldns_rr_list *list = records(text);
	ldns_rdf *zone = name_of("test."), *owner = name_of(name);
	enum dns_denial d = dns_denial_of(list, zone, owner, type);

	ldns_rdf_deep_free(zone);
	ldns_rdf_deep_free(owner);
	ldns_rr_list_deep_free(list);
	return d;
}

#define APEX "test. NSEC b.test. SOA NS RRSIG NSEC"

static void test_nsec(void **state)
{
	static const struct {
		const char *records, *name;
		uint16_t type;
		enum dns_denial want;
	} cases[] = {
		/* the name's own record */
		{ "b.test. NSEC d.test. A RRSIG NSEC", "b.test.", MX, DNS_DENIES_TYPE },
		{ "b.test. NSEC d.test. A RRSIG NSEC", "B.Test.", A, DNS_DENIES_NOTHING },
		{ "b.test. NSEC d.test. CNAME RRSIG NSEC", "b.test.", A,
		    DNS_DENIES_NOTHING },
		/* delegations: the parent denies DS alone, the child all but DS */
		{ "b.test. NSEC d.test. NS RRSIG NSEC", "b.test.", DS, DNS_DENIES_DS },
		{ "b.test. NSEC d.test. NS DS RRSIG NSEC", "b.test.", DS,
		    DNS_DENIES_NOTHING },
		{ "b.test. NSEC d.test. NS RRSIG NSEC", "b.test.", A,
		    DNS_DENIES_NOTHING },
		{ "b.test. NSEC x.b.test. SOA NS RRSIG NSEC", "b.test.", DS,
		    DNS_DENIES_NOTHING },
		{ "b.test. NSEC d.test. A RRSIG NSEC", "b.test.", DS, DNS_DENIES_TYPE },
		/* no such name, and no wildcard in its place */
		{ "b.test. NSEC d.test. A|" APEX, "c.test.", A, DNS_DENIES_NAME },
		{ "b.test. NSEC d.test. A", "c.test.", A, DNS_DENIES_NOTHING },
		{ "b.test. NSEC d.test. A|" APEX, "c.test.", DS, DNS_DENIES_NAME },
		{ "z.test. NSEC test. A|" APEX, "zz.test.", A, DNS_DENIES_NAME },
		{ "b.test. NSEC d.test. A|" APEX, "e.test.", A, DNS_DENIES_NOTHING },
		{ "b.test. NSEC d.test. A|" APEX, "a.test.", A, DNS_DENIES_NAME },
		/* a wildcard is there, with or without the type */
		{ "b.test. NSEC d.test. A|*.test. NSEC b.test. MX", "c.test.", A,
		    DNS_DENIES_TYPE },
		{ "b.test. NSEC d.test. A|*.test. NSEC b.test. A", "c.test.", A,
		    DNS_DENIES_NOTHING },
		/* names below it, nothing itself */
		{ "b.test. NSEC x.c.test. A", "c.test.", A, DNS_DENIES_TYPE },
		{ "b.test. NSEC x.c.test. A", "c.test.", DS, DNS_DENIES_TYPE },
		/* from above a delegation or a DNAME nothing below is denied */
		{ "b.test. NSEC d.test. NS RRSIG NSEC|" APEX, "www.b.test.", A,
		    DNS_DENIES_NOTHING },
		{ "b.test. NSEC d.test. DNAME RRSIG NSEC|" APEX, "www.b.test.", A,
		    DNS_DENIES_NOTHING },
		/* one gap holds the name and its wildcard */
		{ "b.test. NSEC d.test. A RRSIG NSEC", "www.b.test.", A,
		    DNS_DENIES_NAME },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		enum dns_denial d =
		    denial(cases[i].records, cases[i].name, cases[i].type);

		if (d != cases[i].want)
			print_error("case %zu: %d\n", i, d);
		assert_int_equal(d, cases[i].want);
	}
}

/* One NSEC3 record of `name`, or of what its hash is moved by; and the hash after. */
static void put_nsec3(char *out, size_t cap, const char *name, unsigned flags,
    unsigned iterations, const char *types)
{
	ldns_rdf *owner = name_of(name);
	ldns_rdf *hashed = ldns_nsec3_hash_name(owner, 1, (uint16_t)iterations, 0, NULL);
	char *text = ldns_rdf2str(hashed), *bare = strdup(text);

	bare[32] = '\0';
	snprintf(out, cap, "%stest. NSEC3 1 %u %u - %s %s", text, flags, iterations, bare,
	    types); /* its own hash again: everything else lies in its gap */
	free(bare);
	LDNS_FREE(text);
	ldns_rdf_deep_free(hashed);
	ldns_rdf_deep_free(owner);
}

static void test_nsec3(void **state)
{
	static const struct {
		const char *owner, *types;
		unsigned flags, iterations;
		const char *name;
		uint16_t type;
		enum dns_denial want;
	} cases[] = {
		{ "b.test.", "A RRSIG", 0, 0, "b.test.", MX, DNS_DENIES_TYPE },
		{ "b.test.", "A RRSIG", 0, 0, "b.test.", A, DNS_DENIES_NOTHING },
		{ "b.test.", "NS", 0, 0, "b.test.", DS, DNS_DENIES_DS },
		{ "b.test.", "NS", 0, 0, "b.test.", A, DNS_DENIES_NOTHING },
		{ "b.test.", "NS SOA", 0, 0, "b.test.", DS, DNS_DENIES_NOTHING },
		/* the apex is the closest name; its gap holds all others */
		{ "test.", "NS SOA RRSIG", 0, 0, "c.test.", A, DNS_DENIES_NAME },
		{ "test.", "NS SOA RRSIG", 0, 10, "x.y.c.test.", A, DNS_DENIES_NAME },
		{ "test.", "NS SOA RRSIG", 1, 0, "c.test.", DS, DNS_DENIES_PERHAPS },
		{ "test.", "NS SOA RRSIG", 0, 151, "c.test.", A, DNS_DENIES_UNMEASURED },
		/* no closest name, or one below which nothing is denied */
		{ "b.test.", "A", 0, 0, "c.test.", A, DNS_DENIES_NOTHING },
		{ "b.test.", "NS", 0, 0, "www.b.test.", A, DNS_DENIES_NOTHING },
		{ "b.test.", "DNAME", 0, 0, "www.b.test.", A, DNS_DENIES_NOTHING },
		{ "test.", "NS SOA DNAME", 0, 0, "c.test.", A, DNS_DENIES_NOTHING },
	};
	char text[256];

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		put_nsec3(text, sizeof(text), cases[i].owner, cases[i].flags,
		    cases[i].iterations, cases[i].types);
		enum dns_denial d = denial(text, cases[i].name, cases[i].type);

		if (d != cases[i].want)
			print_error("case %zu: %d\n", i, d);
		assert_int_equal(d, cases[i].want);
	}
}

static void test_names(void **state)
{
	ldns_rdf *www = name_of("WWW.one.test."), *one = name_of("one.TEST.");
	ldns_rdf *ne = name_of("ne.test."), *root = name_of(".");
	ldns_rdf *tail = dns_suffix(www, 2);

	assert_int_equal(dns_labels(www), 3);
	assert_int_equal(dns_labels(root), 0);
	assert_true(dns_same(tail, one));
	assert_true(
	    dns_within(www, one) && dns_within(one, one) && dns_within(www, root));
	assert_false(dns_within(one, www) || dns_within(one, ne)); /* no half labels */
	ldns_rdf_deep_free(tail);
	ldns_rdf_deep_free(www);
	ldns_rdf_deep_free(one);
	ldns_rdf_deep_free(ne);
	ldns_rdf_deep_free(root);
}

/* A signature whose key is there costs one of the budget; then it is over. */
static void test_the_budget_ends(void **state)
{
	ldns_rr_list *set = records("www.test. 300 IN A 192.0.2.1");
	ldns_rr_list *keys = records(
	    "test. 300 IN DNSKEY 257 3 13 HmkRrWBIKUGAhDrGk3XXaG1LIjTlNoBLn7OlzgTTtZ430re"
	    "+I0xtdjc4BSKs9YZCgSHjx/ha5b5upMTMHUv1ag==");
	char text[256];
	const char *why;
	struct dns_budget b = { 2, 1700000000 };
	ldns_rdf *zone = name_of("test.");

	snprintf(text, sizeof(text),
	    "www.test. 300 IN RRSIG A 13 2 300 20350101000000 20200101000000 %u test. "
	    "HmkRrWBIKUGAhDrGk3XXaG1LIjTlNoBLn7OlzgTTtZ430re+I0xtdjc4BSKs9YZCgSHjx/"
	    "ha5b5upMTMHUv1ag==",
	    ldns_calc_keytag(ldns_rr_list_rr(keys, 0)));
	ldns_rr_list *sigs = records(text);

	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    dns_check_set(&b, set, sigs, zone, keys, NULL, &why), DNS_CHECK_BAD);
	assert_string_equal(why, "its signature does not hold");
	for (int i = 0; i < 2; i++)
		assert_int_equal(dns_check_set(&b, set, sigs, zone, keys, NULL, &why),
		    DNS_CHECK_SPENT);
	ldns_rdf_deep_free(zone);
	ldns_rr_list_deep_free(sigs);
	ldns_rr_list_deep_free(set);
	ldns_rr_list_deep_free(keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nsec),
		cmocka_unit_test(test_nsec3),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_the_budget_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
