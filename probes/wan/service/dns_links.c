#include "probes/wan/service/dns_links.h"

#include <ldns/ldns.h>

#include "probes/wan/service/dns_rrset.h"

bool dns_has_set(const ldns_pkt *pkt, const ldns_rdf *owner, uint16_t type)
{
	ldns_rr_list *set = dns_rrset(ldns_pkt_answer(pkt), owner, type, 0, 1);
	bool has = set && ldns_rr_list_rr_count(set);

	ldns_rr_list_deep_free(set);
	return has;
}

bool dns_is_proof(const ldns_rr *rr)
{
	return ldns_rr_get_type(rr) == LDNS_RR_TYPE_NSEC ||
	       ldns_rr_get_type(rr) == LDNS_RR_TYPE_NSEC3;
}

/* The zone that says it signed the set, or NULL; borrowed from the message. */
static const ldns_rdf *signer_of(
    const ldns_rr_list *section, const ldns_rdf *owner, uint16_t type)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(section); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(section, i);
		const ldns_rdf *signer =
		    ldns_rr_get_type(rr) == LDNS_RR_TYPE_RRSIG ? dns_signer(rr) : NULL;

		if (signer && dns_same(ldns_rr_owner(rr), owner) &&
		    ldns_rdf2rr_type(ldns_rr_rdf(rr, 0)) == (ldns_rr_type)type &&
		    dns_within(owner, signer))
			return signer;
	}
	return NULL;
}

/* The zone whose proofs of absence came, if it encloses `owner`. */
static const ldns_rdf *signer_of_proofs(const ldns_pkt *pkt, const ldns_rdf *owner)
{
	const ldns_rr_list *section = ldns_pkt_authority(pkt);

	for (size_t i = 0; i < ldns_rr_list_rr_count(section); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(section, i);
		const ldns_rdf *signer = dns_is_proof(rr)
					     ? signer_of(section, ldns_rr_owner(rr),
						   (uint16_t)ldns_rr_get_type(rr))
					     : NULL;

		if (signer && dns_within(owner, signer))
			return signer;
	}
	return NULL;
}

static ht_err add_link(struct dns_links *links, const ldns_pkt *pkt,
    const ldns_rdf *owner, uint16_t type, bool absent)
{
	const ldns_rdf *signer = absent ? signer_of_proofs(pkt, owner)
					: signer_of(ldns_pkt_answer(pkt), owner, type);

	if (links->n == DNS_LINKS_MAX)
		return HT_MALFORMED; /* CNAMEs without end */
	struct dns_link *l = &links->at[links->n++];

	*l = (struct dns_link){ .owner = ldns_rdf_clone(owner),
		.type = type,
		.absent = absent,
		.target = ldns_rdf_clone(signer ? signer : owner) };
	return l->owner && l->target ? HT_OK : HT_NOMEM;
}

/* Where the CNAME at `owner` leads, or NULL; borrowed. */
static const ldns_rdf *cname_at(const ldns_pkt *pkt, const ldns_rdf *owner)
{
	const ldns_rr_list *section = ldns_pkt_answer(pkt);

	for (size_t i = 0; i < ldns_rr_list_rr_count(section); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(section, i);

		if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_CNAME &&
		    ldns_rr_rd_count(rr) == 1 && dns_same(ldns_rr_owner(rr), owner))
			return ldns_rr_rdf(rr, 0);
	}
	return NULL;
}

/* A CNAME made from a DNAME has no signature of its own (RFC 6672 section 5.3.1). */
static bool under_dname(const ldns_pkt *pkt, const ldns_rdf *owner)
{
	const ldns_rr_list *section = ldns_pkt_answer(pkt);

	for (size_t i = 0; i < ldns_rr_list_rr_count(section); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(section, i);

		if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_DNAME &&
		    dns_within(owner, ldns_rr_owner(rr)) &&
		    !dns_same(owner, ldns_rr_owner(rr)))
			return true;
	}
	return false;
}

ht_err dns_links_find(
    const ldns_pkt *pkt, const ldns_rdf *name, uint16_t type, struct dns_links *out)
{
	const ldns_rdf *at = name, *next;

	for (;;) {
		if (dns_has_set(pkt, at, type))
			return add_link(out, pkt, at, type, false);
		next = cname_at(pkt, at);
		if (!next)
			return add_link(out, pkt, at, type, true);
		if (under_dname(pkt, at))
			return HT_UNSUPPORTED;
		ht_err err = add_link(out, pkt, at, LDNS_RR_TYPE_CNAME, false);

		if (err)
			return err;
		at = next;
	}
}

void dns_links_fini(struct dns_links *links)
{
	for (size_t i = 0; i < links->n; i++) {
		ldns_rdf_deep_free(links->at[i].owner);
		ldns_rdf_deep_free(links->at[i].target);
	}
	*links = (struct dns_links){ 0 };
}
