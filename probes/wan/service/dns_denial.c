#include "probes/wan/service/dns_denial.h"

#include <ctype.h>
#include <ldns/ldns.h>
#include <string.h>

#include "base/reader.h"
#include "probes/wan/service/dns_rrset.h"

enum { HASH_TEXT = 32, NSEC3_SHA1 = 1, OPT_OUT = 1 };
enum { NSEC3_FIELDS = 5 }; /* and the bitmap, unless it is empty */

/* ── type bitmaps, RFC 4034 section 4.1.2 ────────────────────────────────────────── */

static bool has_type(const ldns_rdf *bitmap, uint16_t type)
{
	struct ht_reader r =
	    bitmap ? ht_reader_of(ldns_rdf_data(bitmap), ldns_rdf_size(bitmap))
		   : ht_reader_of(NULL, 0);

	while (ht_reader_left(&r)) {
		uint8_t window = ht_reader_u8(&r), len = ht_reader_u8(&r);
		const uint8_t *bits = ht_reader_bytes(&r, len);
		uint8_t low = type & 0xff;

		if (bits && window == type >> 8)
			return low / 8 < len && (bits[low / 8] & 0x80 >> low % 8);
	}
	return false;
}

/* What the record of the very name says. */
static enum dns_denial by_match(const ldns_rdf *bitmap, bool apex_of_root, uint16_t type)
{
	bool ns = has_type(bitmap, LDNS_RR_TYPE_NS);
	bool soa = has_type(bitmap, LDNS_RR_TYPE_SOA);

	if (has_type(bitmap, type) || has_type(bitmap, LDNS_RR_TYPE_CNAME))
		return DNS_DENIES_NOTHING;
	if (type == LDNS_RR_TYPE_DS) {
		if (soa && !apex_of_root)
			return DNS_DENIES_NOTHING; /* the child's own, RFC 6840 4.1 */
		return ns && !soa ? DNS_DENIES_DS : DNS_DENIES_TYPE;
	}
	/* of a delegation the parent may deny DS alone */
	return ns && !soa ? DNS_DENIES_NOTHING : DNS_DENIES_TYPE;
}

/* Below a delegation or a DNAME its record says nothing of names, RFC 6840 4.1. */
static bool ends_there(const ldns_rdf *bitmap)
{
	return has_type(bitmap, LDNS_RR_TYPE_DNAME) ||
	       (has_type(bitmap, LDNS_RR_TYPE_NS) && !has_type(bitmap, LDNS_RR_TYPE_SOA));
}

/* "*." and the last `labels` of `name`; owned. */
static ldns_rdf *wildcard_at(const ldns_rdf *name, size_t labels)
{
	ldns_rdf *star = ldns_dname_new_frm_str("*"), *base = dns_suffix(name, labels);
	bool good = star && base && ldns_dname_cat(star, base) == LDNS_STATUS_OK;

	ldns_rdf_deep_free(base);
	if (good)
		return star;
	ldns_rdf_deep_free(star);
	return NULL;
}

/* ── NSEC ────────────────────────────────────────────────────────────────────────── */

static const ldns_rdf *nsec_next(const ldns_rr *nsec)
{
	return ldns_rr_rd_count(nsec) >= 1 ? ldns_rr_rdf(nsec, 0) : NULL;
}

static const ldns_rdf *nsec_bitmap(const ldns_rr *nsec)
{
	return ldns_rr_rd_count(nsec) >= 2 ? ldns_rr_rdf(nsec, 1) : NULL;
}

static bool is_nsec(const ldns_rr *rr)
{
	return ldns_rr_get_type(rr) == LDNS_RR_TYPE_NSEC && nsec_next(rr);
}

static const ldns_rr *nsec_of(const ldns_rr_list *proofs, const ldns_rdf *name)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(proofs); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(proofs, i);

		if (is_nsec(rr) && dns_same(ldns_rr_owner(rr), name))
			return rr;
	}
	return NULL;
}

/* Whether `name` lies in the gap after the record's owner. */
static bool nsec_covers(const ldns_rr *nsec, const ldns_rdf *zone, const ldns_rdf *name)
{
	const ldns_rdf *owner = ldns_rr_owner(nsec), *next = nsec_next(nsec);
	bool last = dns_same(next, zone); /* it leads back to the beginning */

	if (ldns_dname_compare(owner, name) >= 0 ||
	    (dns_within(name, owner) && ends_there(nsec_bitmap(nsec))))
		return false;
	return last || ldns_dname_compare(name, next) < 0;
}

static const ldns_rr *nsec_covering(
    const ldns_rr_list *proofs, const ldns_rdf *zone, const ldns_rdf *name)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(proofs); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(proofs, i);

		if (is_nsec(rr) && nsec_covers(rr, zone, name))
			return rr;
	}
	return NULL;
}

/* Labels that two names share at their end. */
static size_t shared(const ldns_rdf *a, const ldns_rdf *b)
{
	size_t n = dns_labels(a) < dns_labels(b) ? dns_labels(a) : dns_labels(b);

	for (; n; n--) {
		ldns_rdf *end = dns_suffix(b, n);
		bool same = end && dns_within(a, end);

		ldns_rdf_deep_free(end);
		if (same)
			break;
	}
	return n;
}

static enum dns_denial by_nsec(
    const ldns_rr_list *proofs, const ldns_rdf *zone, const ldns_rdf *name, uint16_t type)
{
	const ldns_rr *match = nsec_of(proofs, name);

	if (match)
		return by_match(nsec_bitmap(match), dns_labels(name) == 0, type);
	const ldns_rr *cover = nsec_covering(proofs, zone, name);

	if (!cover)
		return DNS_DENIES_NOTHING;
	if (dns_within(nsec_next(cover), name))
		return DNS_DENIES_TYPE; /* it has names below it, and nothing itself */
	size_t before = shared(name, ldns_rr_owner(cover));
	size_t after = shared(name, nsec_next(cover));
	ldns_rdf *star = wildcard_at(name, before > after ? before : after);
	enum dns_denial out = DNS_DENIES_NOTHING;

	if (star && (match = nsec_of(proofs, star)))
		out = by_match(nsec_bitmap(match), false, type);
	else if (star && nsec_covering(proofs, zone, star))
		out = DNS_DENIES_NAME;
	ldns_rdf_deep_free(star);
	return out;
}

/* ── NSEC3 ───────────────────────────────────────────────────────────────────────── */

/* The order of hashes is that of their base32hex text. */
struct hash {
	char text[HASH_TEXT + 1];
};

static bool is_nsec3(const ldns_rr *rr)
{
	return ldns_rr_get_type(rr) == LDNS_RR_TYPE_NSEC3 &&
	       ldns_rr_rd_count(rr) >= NSEC3_FIELDS &&
	       ldns_rdf2native_int8(ldns_rr_rdf(rr, 0)) == NSEC3_SHA1 &&
	       ldns_rdf_size(ldns_rr_rdf(rr, 3)) >= 1 &&
	       ldns_rdf_data(ldns_rr_rdf(rr, 3))[0] + 1u ==
		   ldns_rdf_size(ldns_rr_rdf(rr, 3));
}

static bool owner_hash(const ldns_rdf *owner, struct hash *out)
{
	const uint8_t *p = ldns_rdf_data(owner);

	if (p[0] != HASH_TEXT)
		return false;
	for (size_t i = 0; i < HASH_TEXT; i++)
		out->text[i] = (char)tolower(p[1 + i]);
	out->text[HASH_TEXT] = '\0';
	return true;
}

static bool next_hash(const ldns_rr *rr, struct hash *out)
{
	const ldns_rdf *next = ldns_rr_rdf(rr, 4);
	char text[64];

	if (ldns_rdf_size(next) != 21 || ldns_rdf_data(next)[0] != 20 ||
	    ldns_b32_ntop_extended_hex(ldns_rdf_data(next) + 1, 20, text, sizeof(text)) <
		HASH_TEXT)
		return false;
	for (size_t i = 0; i < HASH_TEXT; i++)
		out->text[i] = (char)tolower((unsigned char)text[i]);
	out->text[HASH_TEXT] = '\0';
	return true;
}

/* The hashed name as the zone of `like` hashes. */
static bool name_hash(const ldns_rr *like, const ldns_rdf *name, struct hash *out)
{
	const uint8_t *salt = ldns_rdf_data(ldns_rr_rdf(like, 3));
	ldns_rdf *hashed = ldns_nsec3_hash_name(name, NSEC3_SHA1,
	    ldns_rdf2native_int16(ldns_rr_rdf(like, 2)), salt[0], salt + 1);
	bool good = hashed && owner_hash(hashed, out);

	ldns_rdf_deep_free(hashed);
	return good;
}

static bool same_hashing(const ldns_rr *a, const ldns_rr *b)
{
	const ldns_rdf *x = ldns_rr_rdf(a, 3), *y = ldns_rr_rdf(b, 3);

	return ldns_rdf2native_int16(ldns_rr_rdf(a, 2)) ==
		   ldns_rdf2native_int16(ldns_rr_rdf(b, 2)) &&
	       ldns_rdf_size(x) == ldns_rdf_size(y) &&
	       memcmp(ldns_rdf_data(x), ldns_rdf_data(y), ldns_rdf_size(x)) == 0;
}

struct nsec3s {
	const ldns_rr_list *proofs;
	const ldns_rdf *zone;
	const ldns_rr *like; /* whose hashing all share; others are passed over */
};

static bool counts(const struct nsec3s *s, const ldns_rr *rr)
{
	return is_nsec3(rr) && same_hashing(rr, s->like) &&
	       dns_labels(ldns_rr_owner(rr)) == dns_labels(s->zone) + 1;
}

static const ldns_rr *nsec3_of(const struct nsec3s *s, const ldns_rdf *name)
{
	struct hash want, have;

	if (!name_hash(s->like, name, &want))
		return NULL;
	for (size_t i = 0; i < ldns_rr_list_rr_count(s->proofs); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(s->proofs, i);

		if (counts(s, rr) && owner_hash(ldns_rr_owner(rr), &have) &&
		    strcmp(want.text, have.text) == 0)
			return rr;
	}
	return NULL;
}

static const ldns_rr *nsec3_covering(const struct nsec3s *s, const ldns_rdf *name)
{
	struct hash want, from, to;

	if (!name_hash(s->like, name, &want))
		return NULL;
	for (size_t i = 0; i < ldns_rr_list_rr_count(s->proofs); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(s->proofs, i);

		if (!counts(s, rr) || !owner_hash(ldns_rr_owner(rr), &from) ||
		    !next_hash(rr, &to))
			continue;
		bool after = strcmp(from.text, want.text) < 0;
		bool before = strcmp(want.text, to.text) < 0;
		bool wraps = strcmp(from.text, to.text) >= 0;

		if (wraps ? after || before : after && before)
			return rr;
	}
	return NULL;
}

static const ldns_rdf *nsec3_bitmap(const ldns_rr *rr)
{
	return ldns_rr_rd_count(rr) > NSEC3_FIELDS ? ldns_rr_rdf(rr, 5) : NULL;
}

static bool opt_out(const ldns_rr *rr)
{
	return ldns_rdf2native_int8(ldns_rr_rdf(rr, 1)) & OPT_OUT;
}

/* The record that shows no name to be closer than `labels` of `name`'s, or NULL. */
static const ldns_rr *covering_closer(
    const struct nsec3s *s, const ldns_rdf *name, size_t labels)
{
	ldns_rdf *closer = dns_suffix(name, labels + 1);
	const ldns_rr *rr = closer ? nsec3_covering(s, closer) : NULL;

	ldns_rdf_deep_free(closer);
	return rr;
}

/* Labels of the closest name above `name` that is proven to be there; -1: none. */
static int closest(const struct nsec3s *s, const ldns_rdf *name)
{
	for (size_t n = dns_labels(name); n-- > dns_labels(s->zone);) {
		ldns_rdf *above = dns_suffix(name, n);
		const ldns_rr *rr = above ? nsec3_of(s, above) : NULL;

		ldns_rdf_deep_free(above);
		if (rr)
			return ends_there(nsec3_bitmap(rr)) ? -1 : (int)n;
	}
	return -1;
}

static enum dns_denial by_nsec3(
    const struct nsec3s *s, const ldns_rdf *name, uint16_t type)
{
	const ldns_rr *match = nsec3_of(s, name), *cover;

	if (match)
		return by_match(nsec3_bitmap(match), dns_labels(name) == 0, type);
	int labels = closest(s, name);

	if (labels < 0 || !(cover = covering_closer(s, name, (size_t)labels)))
		return DNS_DENIES_NOTHING;
	if (opt_out(cover))
		return DNS_DENIES_PERHAPS;
	ldns_rdf *star = wildcard_at(name, (size_t)labels);
	enum dns_denial out = DNS_DENIES_NOTHING;

	if (star && (match = nsec3_of(s, star)))
		out = by_match(nsec3_bitmap(match), false, type);
	else if (star && nsec3_covering(s, star))
		out = DNS_DENIES_NAME;
	ldns_rdf_deep_free(star);
	return out;
}

/* ── both ────────────────────────────────────────────────────────────────────────── */

/* The first NSEC3 record, or NULL. */
static const ldns_rr *first_nsec3(const ldns_rr_list *proofs)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(proofs); i++) {
		if (is_nsec3(ldns_rr_list_rr(proofs, i)))
			return ldns_rr_list_rr(proofs, i);
	}
	return NULL;
}

static bool too_costly(const ldns_rr *nsec3)
{
	return ldns_rdf2native_int16(ldns_rr_rdf(nsec3, 2)) > DNS_NSEC3_ITERATIONS_MAX;
}

enum dns_denial dns_denial_of(
    const ldns_rr_list *proofs, const ldns_rdf *zone, const ldns_rdf *name, uint16_t type)
{
	const struct nsec3s s = { proofs, zone, first_nsec3(proofs) };

	if (!s.like)
		return by_nsec(proofs, zone, name, type);
	return too_costly(s.like) ? DNS_DENIES_UNMEASURED : by_nsec3(&s, name, type);
}

bool dns_denial_of_closer(
    const ldns_rr_list *proofs, const ldns_rdf *zone, const ldns_rdf *name, size_t labels)
{
	const struct nsec3s s = { proofs, zone, first_nsec3(proofs) };

	if (labels >= dns_labels(name))
		return false;
	if (!s.like)
		return nsec_covering(proofs, zone, name) != NULL;
	return !too_costly(s.like) && covering_closer(&s, name, labels) != NULL;
}
