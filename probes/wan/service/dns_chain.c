#include "probes/wan/service/dns_chain.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "probes/wan/service/dns_denial.h"
#include "probes/wan/service/dns_links.h"
#include "probes/wan/service/dns_rrset.h"
#include "probes/wan/service/dns_wire.h"

enum {
	ZONES_MAX = 32, /* that are looked at for one answer */
	QUESTIONS_MAX = 40,
	CHECKS_MAX = 64, /* signatures tried */
	SET_MAX = 64,    /* records of a set */
	KEYS_MAX = 16,
	SIGS_MAX = 8,
	PROOFS_MAX = 16,
	TRIED_MAX = 32, /* records that might be proofs */
	WHY_MAX = 256,
	NAME_SHOWN = 128,
};

struct zone {
	ldns_rdf *name;
	ldns_rr_list *keys; /* NULL: it is insecure, and all below */
};

/* Where the way down stands:
 *
 *   BEGIN ──► (anchor's DNSKEY) ──► DOWN ──► (DS, then DNSKEY) ──► DOWN … ──► link judged
 *                                                                        └──► BEGIN, next
 */
enum place { BEGIN, DOWN };

struct dns_chain {
	struct dns_anchors *anchors;
	ldns_pkt *pkt;
	struct dns_budget budget;
	struct dns_links links;
	size_t link; /* the one that is looked at */
	struct zone zones[ZONES_MAX];
	size_t n_zones;
	enum place place;
	size_t zone;       /* the secure zone that we stand in */
	ldns_rdf *reached; /* the last name on the way that is known to be of it */
	bool bottom;       /* no zone begins below `reached` */
	bool asking;
	ldns_rdf *ask_name;
	uint16_t ask_type;
	ldns_rr_list *trusted; /* DS or anchors, for the DNSKEY that is asked */
	unsigned questions;
	bool decided;
	enum dns_security verdict;
	char why[WHY_MAX];
};

/* ── verdicts ────────────────────────────────────────────────────────────────────── */

static void decide(struct dns_chain *c, enum dns_security verdict, const ldns_rdf *name,
    const char *what, const char *why)
{
	char text[NAME_SHOWN];

	if (verdict == DNS_BOGUS && !c->budget.checks) {
		verdict = DNS_INDETERMINATE; /* the right one may be among the rest */
		why = "more signatures than are worth the time";
	}
	dns_name_text(name, text, sizeof(text));
	snprintf(c->why, sizeof(c->why), "%s%s%s%s%.80s", text, *what ? " " : "", what,
	    *why ? ": " : "", why);
	c->verdict = verdict;
	c->decided = true;
	c->asking = false;
}

static void no_memory(struct dns_chain *c)
{
	snprintf(c->why, sizeof(c->why), "out of memory");
	c->verdict = DNS_INDETERMINATE;
	c->decided = true;
	c->asking = false;
}

/* One link is done with; secure when nothing is said. */
static void next_link(struct dns_chain *c)
{
	c->link++;
	c->place = BEGIN;
	c->bottom = false;
	if (c->link < c->links.n)
		return;
	c->decided = true; /* c->verdict has the weakest of them */
}

static void insecure_link(struct dns_chain *c, const ldns_rdf *name, const char *what)
{
	char text[NAME_SHOWN];

	dns_name_text(name, text, sizeof(text));
	if (c->verdict == DNS_SECURE)
		snprintf(c->why, sizeof(c->why), "%s %s", text, what);
	c->verdict = DNS_INSECURE;
	next_link(c);
}

/* ── zones ───────────────────────────────────────────────────────────────────────── */

/* Takes `keys`; NULL for an insecure zone. */
static bool add_zone(struct dns_chain *c, const ldns_rdf *name, ldns_rr_list *take_keys)
{
	ldns_rdf *copy = c->n_zones < ZONES_MAX ? ldns_rdf_clone(name) : NULL;

	if (!copy) {
		ldns_rr_list_deep_free(take_keys);
		decide(c, DNS_INDETERMINATE, name, "",
		    "there are more zones above it than are looked at");
		return false;
	}
	c->zones[c->n_zones++] = (struct zone){ copy, take_keys };
	return true;
}

/* The deepest known zone that encloses `name`, or NULL. */
static const struct zone *zone_above(const struct dns_chain *c, const ldns_rdf *name)
{
	const struct zone *best = NULL;

	for (size_t i = 0; i < c->n_zones; i++) {
		const struct zone *z = &c->zones[i];

		if (dns_within(name, z->name) &&
		    (!best || dns_labels(z->name) > dns_labels(best->name)))
			best = z;
	}
	return best;
}

static bool stand_at(struct dns_chain *c, const ldns_rdf *name)
{
	ldns_rdf *copy = ldns_rdf_clone(name);

	if (!copy) {
		no_memory(c);
		return false;
	}
	ldns_rdf_deep_free(c->reached);
	c->reached = copy;
	return true;
}

/* Takes `name`. */
static void ask_for(struct dns_chain *c, ldns_rdf *take_name, uint16_t type)
{
	ldns_rdf_deep_free(c->ask_name);
	c->ask_name = take_name;
	if (!take_name) {
		no_memory(c);
	} else if (c->questions++ == QUESTIONS_MAX) {
		decide(c, DNS_INDETERMINATE, take_name, "",
		    "more questions than are asked for one answer");
	} else {
		c->ask_type = type;
		c->asking = true;
	}
}

/* Takes `trusted`. */
static void ask_for_keys(
    struct dns_chain *c, const ldns_rdf *zone, ldns_rr_list *take_trusted)
{
	ldns_rr_list_deep_free(c->trusted);
	c->trusted = take_trusted;
	if (take_trusted)
		ask_for(c, ldns_rdf_clone(zone), LDNS_RR_TYPE_DNSKEY);
	else
		no_memory(c);
}

/* ── signatures of a section ─────────────────────────────────────────────────────── */

/* Checks the set at `owner` in `section` against the zone that we stand in. */
static enum dns_check check_in(struct dns_chain *c, const ldns_rr_list *section,
    const ldns_rdf *owner, uint16_t type, size_t *out_labels, const char **why)
{
	const struct zone *z = &c->zones[c->zone];
	ldns_rr_list *set = dns_rrset(section, owner, type, 0, SET_MAX);
	ldns_rr_list *sigs =
	    dns_rrset(section, owner, LDNS_RR_TYPE_RRSIG, type, SIGS_MAX);
	enum dns_check out = DNS_CHECK_BAD;

	*why = "it is not there";
	if (set && sigs && ldns_rr_list_rr_count(set))
		out = dns_check_set(
		    &c->budget, set, sigs, z->name, z->keys, out_labels, why);
	ldns_rr_list_deep_free(set);
	ldns_rr_list_deep_free(sigs);
	return out;
}

/* Whether the name that was signed is `owner` itself, and not a wildcard above it:
 * whoever is between may give a wildcard's records to any name, where they prove nothing
 * (RFC 4035 section 5.3.4, RFC 6840 section 4). A literal "*" is not counted when
 * signing. */
static bool signed_itself(const ldns_rdf *owner, size_t signed_labels)
{
	const uint8_t *first = ldns_rdf_data(owner);
	bool star = first[0] == 1 && first[1] == '*';

	return signed_labels + star >= dns_labels(owner);
}

/* check_in, of what no wildcard may stand for: proofs, keys, delegations. */
static enum dns_check check_itself(struct dns_chain *c, const ldns_rr_list *section,
    const ldns_rdf *owner, uint16_t type, const char **why)
{
	size_t labels = 0;
	enum dns_check check = check_in(c, section, owner, type, &labels, why);

	if (check != DNS_CHECK_GOOD || signed_itself(owner, labels))
		return check;
	*why = "it is a wildcard's under another name";
	return DNS_CHECK_BAD;
}

/* The NSEC and NSEC3 records of a message that the zone we stand in has signed; owned. */
static ldns_rr_list *proofs_in(struct dns_chain *c, const ldns_pkt *pkt)
{
	const ldns_rr_list *section = ldns_pkt_authority(pkt);
	ldns_rr_list *out = ldns_rr_list_new();
	const char *why;
	size_t tried = 0;

	for (size_t i = 0; out && i < ldns_rr_list_rr_count(section); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(section, i);

		if (!dns_is_proof(rr) || tried++ >= TRIED_MAX ||
		    ldns_rr_list_rr_count(out) == PROOFS_MAX ||
		    check_itself(c, section, ldns_rr_owner(rr),
			(uint16_t)ldns_rr_get_type(rr), &why) != DNS_CHECK_GOOD)
			continue;
		ldns_rr *copy = ldns_rr_clone(rr);

		if (copy && !ldns_rr_list_push_rr(out, copy))
			ldns_rr_free(copy);
	}
	return out;
}

/* ── judging a link ──────────────────────────────────────────────────────────────── */

/* A set that a wildcard gave must come with the proof that no closer name is there. */
static bool expanded_well(
    struct dns_chain *c, const ldns_pkt *pkt, const ldns_rdf *owner, size_t signed_labels)
{
	const struct zone *z = &c->zones[c->zone];

	if (signed_itself(owner, signed_labels))
		return true;
	ldns_rr_list *proofs = proofs_in(c, pkt);
	bool good = proofs && dns_denial_of_closer(proofs, z->name, owner, signed_labels);

	ldns_rr_list_deep_free(proofs);
	return good;
}

static void judge_set(struct dns_chain *c, const struct dns_link *l)
{
	size_t labels = 0;
	const char *why;

	switch (check_in(c, ldns_pkt_answer(c->pkt), l->owner, l->type, &labels, &why)) {
	case DNS_CHECK_SPENT:
		decide(c, DNS_INDETERMINATE, l->owner, "", why);
		break;
	case DNS_CHECK_BAD:
		decide(c, DNS_BOGUS, l->owner, "", why);
		break;
	case DNS_CHECK_GOOD:
		if (expanded_well(c, c->pkt, l->owner, labels))
			next_link(c);
		else
			decide(c, DNS_BOGUS, l->owner,
			    "comes from a wildcard without proof that it may", "");
		break;
	}
}

static void judge_absence(struct dns_chain *c, const struct dns_link *l)
{
	const struct zone *z = &c->zones[c->zone];
	bool no_name = ldns_pkt_get_rcode(c->pkt) == LDNS_RCODE_NXDOMAIN;
	ldns_rr_list *proofs = proofs_in(c, c->pkt);
	enum dns_denial d = proofs ? dns_denial_of(proofs, z->name, l->owner, l->type)
				   : DNS_DENIES_NOTHING;

	ldns_rr_list_deep_free(proofs);
	if (d == DNS_DENIES_NAME || (!no_name && d == DNS_DENIES_TYPE))
		next_link(c);
	else if (d == DNS_DENIES_PERHAPS)
		insecure_link(c, l->owner, "may be of an unsigned zone (opt-out)");
	else if (d == DNS_DENIES_DS && !no_name && l->type == LDNS_RR_TYPE_DS)
		next_link(c);
	else if (d == DNS_DENIES_UNMEASURED)
		insecure_link(c, z->name, "hashes more often than is worth the time");
	else
		decide(c, DNS_BOGUS, l->owner, "is not proven to be absent", "");
}

/* No zone begins between where we stand and the link: it is this zone's. */
static void judge_link(struct dns_chain *c)
{
	const struct dns_link *l = &c->links.at[c->link];

	if (!dns_same(l->target, c->zones[c->zone].name) && !l->absent &&
	    !dns_same(l->target, l->owner))
		decide(c, DNS_BOGUS, l->target, "signed it, but is no zone", "");
	else if (l->absent)
		judge_absence(c, l);
	else
		judge_set(c, l);
}

/* ── the way down ────────────────────────────────────────────────────────────────── */

static void begin(struct dns_chain *c)
{
	const struct dns_link *l = &c->links.at[c->link];
	const struct zone *z = zone_above(c, l->target);
	const ldns_rdf *anchor = z ? NULL : dns_anchor_above(c->anchors, l->target);

	if (z && !z->keys) {
		insecure_link(c, z->name, "is delegated without keys");
	} else if (z) {
		c->zone = (size_t)(z - c->zones);
		c->place = DOWN;
		c->bottom = false;
		(void)stand_at(c, z->name);
	} else if (anchor) {
		ask_for_keys(c, anchor, dns_anchors_of(c->anchors, anchor));
	} else {
		decide(
		    c, DNS_INDETERMINATE, l->target, "has no trust anchor above it", "");
	}
}

static void down(struct dns_chain *c)
{
	const struct dns_link *l = &c->links.at[c->link];

	if (c->bottom || dns_same(c->reached, l->target))
		judge_link(c);
	else
		ask_for(c, dns_suffix(l->target, dns_labels(c->reached) + 1),
		    LDNS_RR_TYPE_DS);
}

static void advance(struct dns_chain *c)
{
	while (!c->decided && !c->asking) {
		if (c->place == BEGIN)
			begin(c);
		else
			down(c);
	}
}

/* Whether `set` is to be believed: one of its keys is trusted already (`entry`), and has
 * signed it. Decides when not. */
static bool keys_hold(struct dns_chain *c, const ldns_rr_list *set,
    const ldns_rr_list *sigs, const ldns_rr_list *entry)
{
	const char *why;
	size_t labels = 0;
	bool at_anchor = !zone_above(c, c->ask_name);

	/* Nothing but a server that knows no DNSSEC has been met so far (RFC 4035 4.3).
	 */
	if (at_anchor && (!ldns_rr_list_rr_count(set) || !ldns_rr_list_rr_count(sigs)))
		decide(c, DNS_INDETERMINATE, c->ask_name,
		    "keys: the server hands out no signatures", "");
	else if (!ldns_rr_list_rr_count(set))
		decide(c, DNS_BOGUS, c->ask_name, "shows no keys", "");
	else if (ldns_rr_list_rr_count(set) > KEYS_MAX)
		decide(c, DNS_INDETERMINATE, c->ask_name,
		    "has more keys than are looked at", "");
	else if (!ldns_rr_list_rr_count(entry))
		decide(c, DNS_BOGUS, c->ask_name,
		    "has no key that the zone above, or the trust anchor, names", "");
	else if (dns_check_set(&c->budget, set, sigs, c->ask_name, entry, &labels,
		     &why) != DNS_CHECK_GOOD)
		decide(c, DNS_BOGUS, c->ask_name, "keys", why);
	else if (!signed_itself(c->ask_name, labels))
		decide(c, DNS_BOGUS, c->ask_name, "keys",
		    "they are a wildcard's under another name");
	return !c->decided;
}

static void take_keys(struct dns_chain *c, const ldns_pkt *pkt)
{
	const ldns_rr_list *section = ldns_pkt_answer(pkt);
	ldns_rr_list *set =
	    dns_rrset(section, c->ask_name, LDNS_RR_TYPE_DNSKEY, 0, KEYS_MAX + 1);
	ldns_rr_list *sigs = dns_rrset(
	    section, c->ask_name, LDNS_RR_TYPE_RRSIG, LDNS_RR_TYPE_DNSKEY, SIGS_MAX);
	ldns_rr_list *keys = set ? dns_zone_keys(set) : NULL;
	ldns_rr_list *entry = keys ? dns_keys_trusted(keys, c->trusted) : NULL;

	if (!entry || !sigs) {
		no_memory(c);
	} else if (keys_hold(c, set, sigs, entry)) {
		if (add_zone(c, c->ask_name, keys))
			c->place = BEGIN;
		keys = NULL; /* taken, either way */
	}
	ldns_rr_list_deep_free(set);
	ldns_rr_list_deep_free(sigs);
	ldns_rr_list_deep_free(keys);
	ldns_rr_list_deep_free(entry);
}

/* There is a DS set: the next zone has keys, unless we cannot use them. */
static void take_delegation(struct dns_chain *c, const ldns_pkt *pkt)
{
	const char *why;
	enum dns_check check =
	    check_itself(c, ldns_pkt_answer(pkt), c->ask_name, LDNS_RR_TYPE_DS, &why);

	if (check != DNS_CHECK_GOOD) {
		decide(c, check == DNS_CHECK_SPENT ? DNS_INDETERMINATE : DNS_BOGUS,
		    c->ask_name, "DS", why);
		return;
	}
	ldns_rr_list *ds =
	    dns_rrset(ldns_pkt_answer(pkt), c->ask_name, LDNS_RR_TYPE_DS, 0, KEYS_MAX);

	if (ds && !dns_ds_supported(ds)) {
		ldns_rr_list_deep_free(ds);
		if (add_zone(c, c->ask_name, NULL))
			c->place = BEGIN;
		return;
	}
	ask_for_keys(c, c->ask_name, ds);
}

static void take_no_delegation(struct dns_chain *c, const ldns_pkt *pkt)
{
	const struct zone *z = &c->zones[c->zone];
	ldns_rr_list *proofs = proofs_in(c, pkt);
	enum dns_denial d =
	    proofs ? dns_denial_of(proofs, z->name, c->ask_name, LDNS_RR_TYPE_DS)
		   : DNS_DENIES_NOTHING;

	ldns_rr_list_deep_free(proofs);
	switch (d) {
	case DNS_DENIES_NOTHING:
		decide(c, DNS_BOGUS, c->ask_name,
		    "is not proven to be delegated without keys", "");
		break;
	case DNS_DENIES_DS:
	case DNS_DENIES_PERHAPS:
	case DNS_DENIES_UNMEASURED:
		if (add_zone(c, c->ask_name, NULL))
			c->place = BEGIN;
		break;
	case DNS_DENIES_NAME:
		c->bottom = true;
		break;
	case DNS_DENIES_TYPE:
		(void)stand_at(c, c->ask_name);
		break;
	}
}

/* No zone begins at an alias. */
static void take_alias(struct dns_chain *c, const ldns_pkt *pkt)
{
	const char *why;
	size_t labels = 0;

	if (check_in(c, ldns_pkt_answer(pkt), c->ask_name, LDNS_RR_TYPE_CNAME, &labels,
		&why) != DNS_CHECK_GOOD)
		decide(c, DNS_BOGUS, c->ask_name, "CNAME", why);
	else if (!expanded_well(c, pkt, c->ask_name, labels))
		decide(c, DNS_BOGUS, c->ask_name, "CNAME",
		    "it comes from a wildcard without proof that it may");
	else
		(void)stand_at(c, c->ask_name);
}

static void take_ds(struct dns_chain *c, const ldns_pkt *pkt)
{
	if (dns_has_set(pkt, c->ask_name, LDNS_RR_TYPE_DS)) {
		take_delegation(c, pkt);
	} else if (dns_has_set(pkt, c->ask_name, LDNS_RR_TYPE_CNAME)) {
		take_alias(c, pkt);
	} else {
		take_no_delegation(c, pkt);
	}
}

void dns_chain_take(struct dns_chain *c, const uint8_t *bytes, size_t len)
{
	ldns_pkt *pkt = NULL;

	if (!c->asking)
		return;
	if (len > DNS_ANSWER_MAX || ldns_wire2pkt(&pkt, bytes, len) != LDNS_STATUS_OK) {
		dns_chain_fail(c, "malformed");
		return;
	}
	ldns_pkt_rcode rcode = ldns_pkt_get_rcode(pkt);

	c->asking = false;
	if (rcode != LDNS_RCODE_NOERROR && rcode != LDNS_RCODE_NXDOMAIN)
		dns_chain_fail(c, "the server fails");
	else if (c->ask_type == LDNS_RR_TYPE_DNSKEY)
		take_keys(c, pkt);
	else
		take_ds(c, pkt);
	ldns_pkt_free(pkt);
	advance(c);
}

void dns_chain_fail(struct dns_chain *c, const char *why)
{
	char type[16];

	if (c->decided)
		return;
	snprintf(type, sizeof(type), "%s?",
	    c->ask_type == LDNS_RR_TYPE_DNSKEY ? "DNSKEY" : "DS");
	decide(c, DNS_INDETERMINATE, c->ask_name, type, why);
}

/* ── life ────────────────────────────────────────────────────────────────────────── */

ht_err dns_chain_new(struct dns_anchors *anchors, const char *name, uint16_t type,
    const uint8_t *bytes, size_t len, int64_t now_unix_s, struct dns_chain **out)
{
	struct dns_chain *c = calloc(1, sizeof(*c));
	ldns_rdf *owner = ldns_dname_new_frm_str(name);
	ht_err err = HT_OK;

	if (!c || !owner) {
		dns_anchors_free(anchors);
		ldns_rdf_deep_free(owner);
		free(c);
		return HT_NOMEM;
	}
	c->anchors = anchors;
	c->budget = (struct dns_budget){ CHECKS_MAX, now_unix_s };
	if (len > DNS_ANSWER_MAX || ldns_wire2pkt(&c->pkt, bytes, len) != LDNS_STATUS_OK)
		err = HT_MALFORMED;
	else if (ldns_pkt_get_rcode(c->pkt) != LDNS_RCODE_NOERROR &&
		 ldns_pkt_get_rcode(c->pkt) != LDNS_RCODE_NXDOMAIN)
		decide(c, DNS_INDETERMINATE, owner, "", "the server fails");
	else
		err = dns_links_find(c->pkt, owner, type, &c->links);
	if (err == HT_UNSUPPORTED) {
		decide(c, DNS_INDETERMINATE, owner,
		    "is renamed by a DNAME, which is not judged here", "");
		err = HT_OK;
	}
	ldns_rdf_deep_free(owner);
	if (err) {
		dns_chain_free(c);
		return err;
	}
	advance(c);
	*out = c;
	return HT_OK;
}

void dns_chain_free(struct dns_chain *c)
{
	if (!c)
		return;
	dns_links_fini(&c->links);
	for (size_t i = 0; i < c->n_zones; i++) {
		ldns_rdf_deep_free(c->zones[i].name);
		ldns_rr_list_deep_free(c->zones[i].keys);
	}
	ldns_rdf_deep_free(c->reached);
	ldns_rdf_deep_free(c->ask_name);
	ldns_rr_list_deep_free(c->trusted);
	ldns_pkt_free(c->pkt);
	dns_anchors_free(c->anchors);
	free(c);
}

bool dns_chain_next(
    const struct dns_chain *c, char out_name[static DNS_NAME_TEXT], uint16_t *out_type)
{
	if (!c->asking)
		return false;
	dns_name_text(c->ask_name, out_name, DNS_NAME_TEXT);
	*out_type = c->ask_type;
	return true;
}

enum dns_security dns_chain_verdict(const struct dns_chain *c, const char **out_why)
{
	*out_why = c->why;
	return c->verdict;
}

const char *dns_security_name(enum dns_security s)
{
	static const char *const names[] = {
		[DNS_SECURE] = "secure",
		[DNS_INSECURE] = "insecure",
		[DNS_BOGUS] = "bogus",
		[DNS_INDETERMINATE] = "indeterminate",
	};

	return names[s];
}
