#include "probes/wan/service/dns_anchors.h"

#include <ldns/ldns.h>
#include <stdlib.h>
#include <string.h>

#include "probes/wan/service/dns_rrset.h"

enum { ANCHORS_MAX = 64 };

struct dns_anchors {
	ldns_rr_list *records; /* DS and DNSKEY */
};

static ht_err read_anchor(struct dns_anchors *a, const char *line)
{
	ldns_rr *rr = NULL;
	ldns_rr_type type;

	if (ldns_rr_new_frm_str(&rr, line, 0, NULL, NULL) != LDNS_STATUS_OK)
		return HT_MALFORMED;
	type = ldns_rr_get_type(rr);
	if ((type == LDNS_RR_TYPE_DS || type == LDNS_RR_TYPE_DNSKEY) &&
	    ldns_rr_list_rr_count(a->records) < ANCHORS_MAX &&
	    ldns_rr_list_push_rr(a->records, rr))
		return HT_OK;
	ldns_rr_free(rr);
	return HT_MALFORMED;
}

static ht_err read_anchors(
    struct dns_anchors *a, const char *text, struct ht_fault *fault)
{
	char line[4096];

	for (unsigned number = 1; *text; number++) {
		size_t len = strcspn(text, "\n"), used = strcspn(text, ";\n");

		if (strspn(text, " \t\r") < used) {
			if (used >= sizeof(line))
				return ht_fault_set(fault, HT_MALFORMED,
				    "trust anchors: line %u is too long", number);
			memcpy(line, text, used);
			line[used] = '\0';
			if (read_anchor(a, line))
				return ht_fault_set(fault, HT_MALFORMED,
				    "trust anchors: line %u is no DS or DNSKEY record",
				    number);
		}
		text += len;
		text += *text == '\n';
	}
	return ldns_rr_list_rr_count(a->records)
		   ? HT_OK
		   : ht_fault_set(fault, HT_NOTFOUND, "there is no trust anchor");
}

ht_err dns_anchors_parse(
    const char *text, struct dns_anchors **out, struct ht_fault *fault)
{
	struct dns_anchors *a = calloc(1, sizeof(*a));

	if (!a)
		return HT_NOMEM;
	a->records = ldns_rr_list_new();
	ht_err err = a->records ? read_anchors(a, text, fault) : HT_NOMEM;

	if (err)
		dns_anchors_free(a);
	else
		*out = a;
	return err;
}

void dns_anchors_free(struct dns_anchors *a)
{
	if (a)
		ldns_rr_list_deep_free(a->records);
	free(a);
}

/* The deepest owner of an anchor that encloses `name`, borrowed; NULL: none. */
const ldns_rdf *dns_anchor_above(const struct dns_anchors *a, const ldns_rdf *name)
{
	const ldns_rdf *best = NULL;

	for (size_t i = 0; i < ldns_rr_list_rr_count(a->records); i++) {
		const ldns_rdf *owner = ldns_rr_owner(ldns_rr_list_rr(a->records, i));

		if (dns_within(name, owner) &&
		    (!best || dns_labels(owner) > dns_labels(best)))
			best = owner;
	}
	return best;
}

ldns_rr_list *dns_anchors_of(const struct dns_anchors *a, const ldns_rdf *owner)
{
	ldns_rr_list *out = ldns_rr_list_new();

	for (size_t i = 0; out && i < ldns_rr_list_rr_count(a->records); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(a->records, i);
		ldns_rr *copy =
		    dns_same(ldns_rr_owner(rr), owner) ? ldns_rr_clone(rr) : NULL;

		if (copy && !ldns_rr_list_push_rr(out, copy))
			ldns_rr_free(copy);
	}
	return out;
}
