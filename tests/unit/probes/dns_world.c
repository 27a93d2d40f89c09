#include "unit/test.h"

#include "unit/probes/dns_world.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ZONES = 8, STRANGE = 200 };

struct zone {
	ldns_rdf *origin;
	ldns_rr_list *records; /* signed */
	ldns_rr *key;          /* NULL: unsigned */
	bool signed_zone;
};

struct dns_world {
	struct zone zones[ZONES];
	size_t n;
	int64_t now_s;
};

static ldns_rdf *name_of(const char *text)
{
	ldns_rdf *name = ldns_dname_new_frm_str(text);

	assert_non_null(name);
	return name;
}

static bool within(const ldns_rdf *name, const ldns_rdf *zone)
{
	return ldns_dname_label_count(zone) == 0 || ldns_dname_compare(name, zone) == 0 ||
	       ldns_dname_is_subdomain(name, zone);
}

static void add_text(ldns_dnssec_zone *z, const char *line)
{
	ldns_rr *rr = NULL;

	assert_int_equal(ldns_rr_new_frm_str(&rr, line, 300, NULL, NULL), LDNS_STATUS_OK);
	assert_int_equal(ldns_dnssec_zone_add_rr(z, rr), LDNS_STATUS_OK);
}

static void add_lines(ldns_dnssec_zone *z, const char *text)
{
	char *copy = strdup(text), *rest = copy, *line;

	while ((line = strsep(&rest, "\n"))) {
		if (*line)
			add_text(z, line);
	}
	free(copy);
}

static ldns_key *make_key(const struct dns_world_zone *spec, int64_t now_s)
{
	ldns_key *key = ldns_key_new_frm_algorithm(LDNS_SIGN_ECDSAP256SHA256, 256);
	bool usual = !spec->begins_s && !spec->ends_s;

	assert_non_null(key);
	ldns_key_set_pubkey_owner(key, name_of(spec->origin));
	ldns_key_set_flags(key, LDNS_KEY_ZONE_KEY | LDNS_KEY_SEP_KEY);
	ldns_key_set_inception(key, (uint32_t)(now_s + (usual ? -3600 : spec->begins_s)));
	ldns_key_set_expiration(key, (uint32_t)(now_s + (usual ? 86400 : spec->ends_s)));
	ldns_rr *rr = ldns_key2rr(key);

	ldns_key_set_keytag(key, ldns_calc_keytag(rr));
	ldns_rr_free(rr);
	return key;
}

/* NS, and DS of what was signed, of the zones made before that lie right below. */
static void delegate(struct dns_world *w, ldns_dnssec_zone *z, const ldns_rdf *origin,
    const struct dns_world_zone *specs)
{
	for (size_t i = 0; i < w->n; i++) {
		struct zone *child = &w->zones[i];
		char line[512];

		if (!within(child->origin, origin) ||
		    ldns_dname_label_count(child->origin) !=
			ldns_dname_label_count(origin) + 1)
			continue;
		snprintf(line, sizeof(line), "%s 300 IN NS ns.invalid.", specs[i].origin);
		add_text(z, line);
		if (!child->key)
			continue;
		ldns_rr *ds = ldns_key_rr2ds(child->key, LDNS_SHA256);

		if (specs[i].foreign_ds)
			ldns_rdf_data(ldns_rr_rdf(ds, 3))[0] ^= 1;
		if (specs[i].strange_algorithm)
			ldns_rdf_data(ldns_rr_rdf(ds, 1))[0] = STRANGE;
		assert_int_equal(ldns_dnssec_zone_add_rr(z, ds), LDNS_STATUS_OK);
	}
}

static void sign(ldns_dnssec_zone *z, const struct dns_world_zone *spec, ldns_key *key)
{
	ldns_rr_list *new_rrs = ldns_rr_list_new();
	ldns_key_list *keys = ldns_key_list_new();
	uint8_t salt[] = { 0xca, 0xfe };
	ldns_status status;

	ldns_key_list_push_key(keys, key);
	assert_int_equal(ldns_dnssec_zone_add_rr(z, ldns_key2rr(key)), LDNS_STATUS_OK);
	if (spec->signing == WORLD_NSEC)
		status = ldns_dnssec_zone_sign(
		    z, new_rrs, keys, ldns_dnssec_default_replace_signatures, NULL);
	else
		status = ldns_dnssec_zone_sign_nsec3(z, new_rrs, keys,
		    ldns_dnssec_default_replace_signatures, NULL, 1,
		    spec->signing == WORLD_OPT_OUT, spec->iterations, sizeof(salt), salt);
	assert_int_equal(status, LDNS_STATUS_OK);
	ldns_rr_list_free(new_rrs);
	LDNS_FREE(keys->_keys);
	LDNS_FREE(keys);
}

/* All records of a zone, by its text: ldns keeps them in a tree. */
static ldns_rr_list *flatten(const ldns_dnssec_zone *z)
{
	ldns_rr_list *out = ldns_rr_list_new();
	char *text = NULL, *rest, *line;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ldns_dnssec_zone_print(f, z);
	fclose(f);
	rest = text;
	while ((line = strsep(&rest, "\n"))) {
		ldns_rr *rr = NULL;

		if (*line && *line != ';' &&
		    ldns_rr_new_frm_str(&rr, line, 300, NULL, NULL) == LDNS_STATUS_OK)
			ldns_rr_list_push_rr(out, rr);
	}
	free(text);
	return out;
}

static void make_zone(struct dns_world *w, const struct dns_world_zone *specs, size_t i)
{
	const struct dns_world_zone *spec = &specs[i];
	struct zone *zone = &w->zones[i];
	ldns_dnssec_zone *z = ldns_dnssec_zone_new();
	char line[512];

	assert_non_null(z);
	zone->origin = name_of(spec->origin);
	snprintf(line, sizeof(line),
	    "%s 300 IN SOA ns.invalid. admin.invalid. 1 3600 600 86400 300",
	    spec->origin);
	add_text(z, line);
	snprintf(line, sizeof(line), "%s 300 IN NS ns.invalid.", spec->origin);
	add_text(z, line);
	add_lines(z, spec->records);
	delegate(w, z, zone->origin, specs);
	if (spec->signing != WORLD_UNSIGNED) {
		ldns_key *key = make_key(spec, w->now_s);

		ldns_dnssec_zone_mark_glue(z);
		sign(z, spec, key);
		zone->key = ldns_key2rr(key);
		ldns_key_deep_free(key);
	}
	zone->records = flatten(z);
	ldns_dnssec_zone_deep_free(z);
	w->n++;
}

struct dns_world *dns_world_new(
    const struct dns_world_zone *zones, size_t n, int64_t now_s)
{
	struct dns_world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_true(n <= ZONES);
	w->now_s = now_s;
	for (size_t i = 0; i < n; i++)
		make_zone(w, zones, i);
	return w;
}

void dns_world_free(struct dns_world *w)
{
	for (size_t i = 0; i < w->n; i++) {
		ldns_rdf_deep_free(w->zones[i].origin);
		ldns_rr_list_deep_free(w->zones[i].records);
		ldns_rr_free(w->zones[i].key);
	}
	free(w);
}

char *dns_world_anchor(const struct dns_world *w, const char *zone)
{
	ldns_rdf *origin = name_of(zone);
	char *out = NULL;

	for (size_t i = 0; i < w->n; i++) {
		if (ldns_dname_compare(w->zones[i].origin, origin) == 0 &&
		    w->zones[i].key)
			out = ldns_rr2str(w->zones[i].key);
	}
	ldns_rdf_deep_free(origin);
	assert_non_null(out);
	return out;
}

/* ── answers ─────────────────────────────────────────────────────────────────────── */

/* The zone that answers: the deepest one, for DS the one above. */
static const struct zone *zone_for(
    const struct dns_world *w, const ldns_rdf *name, uint16_t type)
{
	const struct zone *best = NULL;

	for (size_t i = 0; i < w->n; i++) {
		const struct zone *z = &w->zones[i];
		bool apex = ldns_dname_compare(name, z->origin) == 0;

		if (!within(name, z->origin) ||
		    (apex && type == LDNS_RR_TYPE_DS && ldns_dname_label_count(name)))
			continue;
		if (!best || ldns_dname_label_count(z->origin) >
				 ldns_dname_label_count(best->origin))
			best = z;
	}
	return best;
}

/* Set and signatures of `owner` into a section, told as `as`'s. */
static size_t put(ldns_pkt *p, ldns_pkt_section section, const struct zone *z,
    const ldns_rdf *owner, const ldns_rdf *as, uint16_t type)
{
	size_t n = 0;

	for (size_t i = 0; i < ldns_rr_list_rr_count(z->records); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(z->records, i);
		ldns_rr_type have = ldns_rr_get_type(rr);
		bool sig = have == LDNS_RR_TYPE_RRSIG &&
			   ldns_rdf2rr_type(ldns_rr_rrsig_typecovered(rr)) == type;

		if (ldns_dname_compare(ldns_rr_owner(rr), owner) != 0 ||
		    (have != type && !sig))
			continue;
		ldns_rr *copy = ldns_rr_clone(rr);

		ldns_rdf_deep_free(ldns_rr_owner(copy));
		ldns_rr_set_owner(copy, ldns_rdf_clone(as));
		ldns_pkt_push_rr(p, section, copy);
		n += have == type;
	}
	return n;
}

static bool exists(const struct zone *z, const ldns_rdf *name)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(z->records); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(z->records, i);

		if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_NSEC3 &&
		    within(ldns_rr_owner(rr), name))
			return true;
	}
	return false;
}

/* All proofs of the zone: it has but a few. */
static void put_proofs(ldns_pkt *p, const struct zone *z)
{
	static const uint16_t types[] = { LDNS_RR_TYPE_NSEC, LDNS_RR_TYPE_NSEC3 };

	for (size_t i = 0; i < ldns_rr_list_rr_count(z->records); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(z->records, i);

		for (size_t t = 0; t < 2; t++) {
			if (ldns_rr_get_type(rr) == types[t])
				put(p, LDNS_SECTION_AUTHORITY, z, ldns_rr_owner(rr),
				    ldns_rr_owner(rr), types[t]);
		}
	}
}

/* The CNAME of `name`, followed; NULL: there is none. Owned. */
static ldns_rdf *cname_target(const struct zone *z, const ldns_rdf *name)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(z->records); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(z->records, i);

		if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_CNAME &&
		    ldns_dname_compare(ldns_rr_owner(rr), name) == 0)
			return ldns_rdf_clone(ldns_rr_rdf(rr, 0));
	}
	return NULL;
}

/* From the wildcard beside `name`; *out_there: there is one, whatever its types. */
static bool put_wildcard(ldns_pkt *p, const struct zone *z, const ldns_rdf *name,
    uint16_t type, bool *out_there)
{
	ldns_rdf *star = name_of("*"), *above = ldns_dname_left_chop(name);
	bool good;

	assert_int_equal(ldns_dname_cat(star, above), LDNS_STATUS_OK);
	good = put(p, LDNS_SECTION_ANSWER, z, star, name, type) > 0;
	if (good)
		put_proofs(p, z);
	*out_there = exists(z, star);
	ldns_rdf_deep_free(above);
	ldns_rdf_deep_free(star);
	return good;
}

/* The same of an alias; its target, owned, or NULL. */
static ldns_rdf *put_wildcard_alias(
    ldns_pkt *p, const struct zone *z, const ldns_rdf *name)
{
	ldns_rdf *star = name_of("*"), *above = ldns_dname_left_chop(name), *next;
	bool there;

	assert_int_equal(ldns_dname_cat(star, above), LDNS_STATUS_OK);
	if ((next = cname_target(z, star)))
		put_wildcard(p, z, name, LDNS_RR_TYPE_CNAME, &there);
	ldns_rdf_deep_free(above);
	ldns_rdf_deep_free(star);
	return next;
}

static void fill(
    ldns_pkt *p, const struct dns_world *w, const ldns_rdf *name, uint16_t type)
{
	const struct zone *z = zone_for(w, name, type);
	ldns_rdf *next;

	if (put(p, LDNS_SECTION_ANSWER, z, name, name, type))
		return;
	if ((next = cname_target(z, name))) {
		put(p, LDNS_SECTION_ANSWER, z, name, name, LDNS_RR_TYPE_CNAME);
		fill(p, w, next, type);
		ldns_rdf_deep_free(next);
		return;
	}
	bool there = exists(z, name);

	if (!there && ldns_dname_label_count(name) &&
	    put_wildcard(p, z, name, type, &there))
		return;
	if (!exists(z, name) && ldns_dname_label_count(name) &&
	    (next = put_wildcard_alias(p, z, name))) {
		fill(p, w, next, type);
		ldns_rdf_deep_free(next);
		return;
	}
	if (!there)
		ldns_pkt_set_rcode(p, LDNS_RCODE_NXDOMAIN);
	put(p, LDNS_SECTION_AUTHORITY, z, z->origin, z->origin, LDNS_RR_TYPE_SOA);
	put_proofs(p, z);
}

size_t dns_world_answer(const struct dns_world *w, const char *name, uint16_t type,
    uint16_t id, uint8_t *out, size_t cap)
{
	ldns_rdf *owner = name_of(name);
	ldns_pkt *p =
	    ldns_pkt_query_new(ldns_rdf_clone(owner), type, LDNS_RR_CLASS_IN, LDNS_RD);
	uint8_t *wire;
	size_t len;

	assert_non_null(p);
	ldns_pkt_set_id(p, id);
	ldns_pkt_set_qr(p, true);
	ldns_pkt_set_ra(p, true);
	fill(p, w, owner, type);
	assert_int_equal(ldns_pkt2wire(&wire, p, &len), LDNS_STATUS_OK);
	assert_true(len <= cap);
	memcpy(out, wire, len);
	LDNS_FREE(wire);
	ldns_pkt_free(p);
	ldns_rdf_deep_free(owner);
	return len;
}

size_t dns_world_reply(
    const struct dns_world *w, const uint8_t *query, size_t len, uint8_t *out, size_t cap)
{
	ldns_pkt *q = NULL;
	size_t n = 0;

	if (ldns_wire2pkt(&q, query, len) != LDNS_STATUS_OK)
		return 0;
	const ldns_rr *question = ldns_rr_list_rr(ldns_pkt_question(q), 0);
	char *name = ldns_rdf2str(ldns_rr_owner(question));

	n = dns_world_answer(
	    w, name, (uint16_t)ldns_rr_get_type(question), ldns_pkt_id(q), out, cap);
	LDNS_FREE(name);
	ldns_pkt_free(q);
	return n;
}

/* ── spoiling ────────────────────────────────────────────────────────────────────── */

static void drop_where(
    struct dns_world *w, const char *owner, uint16_t type, uint16_t covered)
{
	ldns_rdf *name = name_of(owner);

	for (size_t i = 0; i < w->n; i++) {
		ldns_rr_list *kept = ldns_rr_list_new(), *all = w->zones[i].records;

		for (size_t k = 0; k < ldns_rr_list_rr_count(all); k++) {
			ldns_rr *rr = ldns_rr_list_rr(all, k);
			ldns_rr_type have = ldns_rr_get_type(rr);
			bool hit = ldns_dname_compare(ldns_rr_owner(rr), name) == 0 &&
				   (!type || have == type);

			if (hit && covered)
				hit = ldns_rdf2rr_type(ldns_rr_rrsig_typecovered(rr)) ==
				      covered;
			if (hit)
				ldns_rr_free(rr);
			else
				ldns_rr_list_push_rr(kept, rr);
		}
		ldns_rr_list_free(all);
		w->zones[i].records = kept;
	}
	ldns_rdf_deep_free(name);
}

void dns_world_drop(struct dns_world *w, const char *owner, uint16_t type)
{
	drop_where(w, owner, type, 0);
}

void dns_world_drop_sigs(struct dns_world *w, const char *owner, uint16_t covered)
{
	drop_where(w, owner, LDNS_RR_TYPE_RRSIG, covered);
}

void dns_world_add(struct dns_world *w, const char *record)
{
	ldns_rr *rr = NULL;

	assert_int_equal(
	    ldns_rr_new_frm_str(&rr, record, 300, NULL, NULL), LDNS_STATUS_OK);
	const struct zone *z =
	    zone_for(w, ldns_rr_owner(rr), (uint16_t)ldns_rr_get_type(rr));

	ldns_rr_list_push_rr(z->records, rr);
}

static bool is_of(const ldns_rr *rr, const ldns_rdf *owner, ldns_rr_type type)
{
	if (ldns_dname_compare(ldns_rr_owner(rr), owner) != 0)
		return false;
	return ldns_rr_get_type(rr) == type ||
	       (ldns_rr_get_type(rr) == LDNS_RR_TYPE_RRSIG &&
		   ldns_rdf2rr_type(ldns_rr_rrsig_typecovered(rr)) == type);
}

void dns_world_rename(
    struct dns_world *w, const char *owner, uint16_t type, const char *as)
{
	ldns_rdf *from = name_of(owner);

	for (size_t i = 0; i < w->n; i++) {
		for (size_t k = 0; k < ldns_rr_list_rr_count(w->zones[i].records); k++) {
			ldns_rr *rr = ldns_rr_list_rr(w->zones[i].records, k);

			if (!is_of(rr, from, type))
				continue;
			ldns_rdf_deep_free(ldns_rr_owner(rr));
			ldns_rr_set_owner(rr, name_of(as));
		}
	}
	ldns_rdf_deep_free(from);
}
