#include "probes/wan/service/dns_rrset.h"

#include <ctype.h>
#include <ldns/ldns.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "probes/wan/clean.h"

enum { KEY_BYTES_MAX = 1100, RRSIG_FIELDS = 9, DNSKEY_FIELDS = 4, DS_FIELDS = 4 };
enum { FLAG_ZONE = 0x0100, FLAG_REVOKED = 0x0080, PROTOCOL = 3 };

/* ── names ───────────────────────────────────────────────────────────────────────── */

size_t dns_labels(const ldns_rdf *name)
{
	const uint8_t *p = ldns_rdf_data(name);
	size_t n = 0;

	for (; *p; p += 1 + *p)
		n++;
	return n;
}

static const uint8_t *tail(const ldns_rdf *name, size_t n)
{
	const uint8_t *p = ldns_rdf_data(name);

	for (size_t have = dns_labels(name); have > n; have--)
		p += 1 + *p;
	return p;
}

/* Lengths of labels are below 64, so that lower-casing them changes nothing. */
static bool same_wire(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	if (a_len != b_len)
		return false;
	for (size_t i = 0; i < a_len; i++) {
		if (tolower(a[i]) != tolower(b[i]))
			return false;
	}
	return true;
}

static size_t tail_len(const ldns_rdf *name, const uint8_t *at)
{
	return ldns_rdf_size(name) - (size_t)(at - ldns_rdf_data(name));
}

bool dns_same(const ldns_rdf *a, const ldns_rdf *b)
{
	return same_wire(
	    ldns_rdf_data(a), ldns_rdf_size(a), ldns_rdf_data(b), ldns_rdf_size(b));
}

bool dns_within(const ldns_rdf *name, const ldns_rdf *zone)
{
	const uint8_t *at = tail(name, dns_labels(zone));

	return same_wire(
	    at, tail_len(name, at), ldns_rdf_data(zone), ldns_rdf_size(zone));
}

ldns_rdf *dns_suffix(const ldns_rdf *name, size_t n)
{
	const uint8_t *at = tail(name, n);

	return ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, tail_len(name, at), at);
}

void dns_name_text(const ldns_rdf *name, char *out, size_t cap)
{
	char *text = ldns_rdf2str(name);

	clean_copy(text ? text : "?", text ? strlen(text) : 1, out, cap);
	LDNS_FREE(text);
}

/* ── sets ────────────────────────────────────────────────────────────────────────── */

static bool covers(const ldns_rr *sig, uint16_t type)
{
	return ldns_rr_rd_count(sig) == RRSIG_FIELDS &&
	       ldns_rdf2rr_type(ldns_rr_rdf(sig, 0)) == (ldns_rr_type)type;
}

ldns_rr_list *dns_rrset(const ldns_rr_list *section, const ldns_rdf *owner, uint16_t type,
    uint16_t covered, size_t max)
{
	ldns_rr_list *out = ldns_rr_list_new();

	for (size_t i = 0; out && i < ldns_rr_list_rr_count(section); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(section, i);

		if (ldns_rr_list_rr_count(out) == max)
			break;
		if (ldns_rr_get_type(rr) != (ldns_rr_type)type ||
		    ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN ||
		    !dns_same(ldns_rr_owner(rr), owner) ||
		    (type == LDNS_RR_TYPE_RRSIG && !covers(rr, covered)))
			continue;
		ldns_rr *copy = ldns_rr_clone(rr);

		if (!copy || !ldns_rr_list_push_rr(out, copy)) {
			ldns_rr_free(copy);
			ldns_rr_list_deep_free(out);
			out = NULL;
		}
	}
	return out;
}

/* ── signatures ──────────────────────────────────────────────────────────────────── */

const ldns_rdf *dns_signer(const ldns_rr *sig)
{
	return ldns_rr_rd_count(sig) == RRSIG_FIELDS ? ldns_rr_rdf(sig, 7) : NULL;
}

static uint8_t number8(const ldns_rr *rr, size_t field)
{
	return ldns_rdf2native_int8(ldns_rr_rdf(rr, field));
}

static uint16_t number16(const ldns_rr *rr, size_t field)
{
	return ldns_rdf2native_int16(ldns_rr_rdf(rr, field));
}

static const char *reason_of(ldns_status status)
{
	static const struct {
		ldns_status status;
		const char *why;
	} rows[] = {
		{ LDNS_STATUS_CRYPTO_SIG_EXPIRED, "its signature has expired" },
		{ LDNS_STATUS_CRYPTO_SIG_NOT_INCEPTED, "its signature is not valid yet" },
		{ LDNS_STATUS_CRYPTO_EXPIRATION_BEFORE_INCEPTION,
		    "its signature ends before it begins" },
		{ LDNS_STATUS_CRYPTO_UNKNOWN_ALGO,
		    "its signature's algorithm is unknown" },
	};

	for (size_t i = 0; i < HT_COUNT(rows); i++) {
		if (rows[i].status == status)
			return rows[i].why;
	}
	return "its signature does not hold";
}

static ldns_status check_with(
    const ldns_rr_list *set, const ldns_rr *sig, const ldns_rr *key, int64_t now_s)
{
	ldns_rr_list *one = ldns_rr_list_new(), *good = ldns_rr_list_new();
	ldns_rr *copy = ldns_rr_clone(key);
	ldns_status status = LDNS_STATUS_MEM_ERR;

	if (one && good && copy && ldns_rr_list_push_rr(one, copy))
		status =
		    ldns_verify_rrsig_keylist_time(set, sig, one, (time_t)now_s, good);
	ldns_rr_free(copy);
	ldns_rr_list_free(one);
	ldns_rr_list_free(good);
	return status;
}

/* Whether it can be the signature at all, before any costly work. */
static bool plausible(const ldns_rr *sig, const ldns_rr_list *set, const ldns_rdf *zone)
{
	const ldns_rdf *owner = ldns_rr_owner(ldns_rr_list_rr(set, 0));
	const ldns_rdf *signer = dns_signer(sig);

	return signer && dns_same(signer, zone) && dns_within(owner, zone) &&
	       number8(sig, 2) <= dns_labels(owner);
}

enum dns_check dns_check_set(struct dns_budget *b, const ldns_rr_list *set,
    const ldns_rr_list *sigs, const ldns_rdf *zone, const ldns_rr_list *keys,
    size_t *out_labels, const char **why)
{
	*why = ldns_rr_list_rr_count(sigs) ? "no key of its zone made its signature"
					   : "it has no signature";
	for (size_t i = 0; i < ldns_rr_list_rr_count(sigs); i++) {
		const ldns_rr *sig = ldns_rr_list_rr(sigs, i);

		if (!plausible(sig, set, zone))
			continue;
		for (size_t k = 0; k < ldns_rr_list_rr_count(keys); k++) {
			const ldns_rr *key = ldns_rr_list_rr(keys, k);

			if (ldns_calc_keytag(key) != number16(sig, 6) ||
			    number8(key, 2) != number8(sig, 1))
				continue;
			if (!b->checks--) {
				b->checks = 0;
				*why = "more signatures than are worth the time";
				return DNS_CHECK_SPENT;
			}
			ldns_status status = check_with(set, sig, key, b->now_s);

			if (status == LDNS_STATUS_OK) {
				if (out_labels)
					*out_labels = number8(sig, 2);
				return DNS_CHECK_GOOD;
			}
			*why = reason_of(status);
		}
	}
	return DNS_CHECK_BAD;
}

/* ── keys ────────────────────────────────────────────────────────────────────────── */

static bool usable(const ldns_rr *key)
{
	uint16_t flags;

	if (ldns_rr_get_type(key) != LDNS_RR_TYPE_DNSKEY ||
	    ldns_rr_rd_count(key) != DNSKEY_FIELDS ||
	    ldns_rdf_size(ldns_rr_rdf(key, 3)) > KEY_BYTES_MAX)
		return false;
	flags = number16(key, 0);
	return (flags & FLAG_ZONE) && !(flags & FLAG_REVOKED) &&
	       number8(key, 1) == PROTOCOL;
}

static bool push_copy(ldns_rr_list *list, const ldns_rr *rr)
{
	ldns_rr *copy = ldns_rr_clone(rr);

	if (copy && ldns_rr_list_push_rr(list, copy))
		return true;
	ldns_rr_free(copy);
	return false;
}

ldns_rr_list *dns_zone_keys(const ldns_rr_list *dnskeys)
{
	ldns_rr_list *out = ldns_rr_list_new();

	for (size_t i = 0; out && i < ldns_rr_list_rr_count(dnskeys); i++) {
		const ldns_rr *key = ldns_rr_list_rr(dnskeys, i);

		if (usable(key) && !push_copy(out, key)) {
			ldns_rr_list_deep_free(out);
			out = NULL;
		}
	}
	return out;
}

static bool algorithm_known(uint8_t algorithm)
{
	static const uint8_t known[] = { LDNS_RSASHA1, LDNS_RSASHA1_NSEC3, LDNS_RSASHA256,
		LDNS_RSASHA512, LDNS_ECDSAP256SHA256, LDNS_ECDSAP384SHA384, LDNS_ED25519,
		LDNS_ED448 };

	return memchr(known, algorithm, sizeof(known)) != NULL;
}

static bool digest_known(uint8_t digest)
{
	return digest == LDNS_SHA1 || digest == LDNS_SHA256 || digest == LDNS_SHA384;
}

static bool ds_known(const ldns_rr *ds)
{
	return ldns_rr_rd_count(ds) == DS_FIELDS && algorithm_known(number8(ds, 1)) &&
	       digest_known(number8(ds, 2));
}

bool dns_ds_supported(const ldns_rr_list *ds)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(ds); i++) {
		if (ds_known(ldns_rr_list_rr(ds, i)))
			return true;
	}
	return false;
}

static bool same_rdf(const ldns_rdf *a, const ldns_rdf *b)
{
	return ldns_rdf_size(a) == ldns_rdf_size(b) &&
	       memcmp(ldns_rdf_data(a), ldns_rdf_data(b), ldns_rdf_size(a)) == 0;
}

static bool stands_for(const ldns_rr *trusted, const ldns_rr *key)
{
	if (ldns_rr_get_type(trusted) == LDNS_RR_TYPE_DNSKEY)
		return usable(trusted) && number8(trusted, 2) == number8(key, 2) &&
		       same_rdf(ldns_rr_rdf(trusted, 3), ldns_rr_rdf(key, 3));
	if (!ds_known(trusted) || number16(trusted, 0) != ldns_calc_keytag(key) ||
	    number8(trusted, 1) != number8(key, 2))
		return false;
	ldns_rr *ds = ldns_key_rr2ds(key, (ldns_hash)number8(trusted, 2));
	bool same = ds && ldns_rr_rd_count(ds) == DS_FIELDS &&
		    same_rdf(ldns_rr_rdf(ds, 3), ldns_rr_rdf(trusted, 3));

	ldns_rr_free(ds);
	return same;
}

ldns_rr_list *dns_keys_trusted(const ldns_rr_list *keys, const ldns_rr_list *trusted)
{
	ldns_rr_list *out = ldns_rr_list_new();

	for (size_t i = 0; out && i < ldns_rr_list_rr_count(keys); i++) {
		const ldns_rr *key = ldns_rr_list_rr(keys, i);
		bool found = false;

		for (size_t k = 0; !found && k < ldns_rr_list_rr_count(trusted); k++)
			found = stands_for(ldns_rr_list_rr(trusted, k), key);
		if (found && !push_copy(out, key)) {
			ldns_rr_list_deep_free(out);
			out = NULL;
		}
	}
	return out;
}
