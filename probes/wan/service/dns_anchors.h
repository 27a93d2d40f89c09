/* Trust anchors (RFC 4033 section 2): the keys that somebody trusts beforehand, those of
 * the root as a rule. Pure. */
#ifndef HT_PROBES_WAN_DNS_ANCHORS_H
#define HT_PROBES_WAN_DNS_ANCHORS_H

#include "base/err.h"

struct ldns_struct_rdf;
struct ldns_struct_rr_list;
struct dns_anchors;

/* DS and DNSKEY records, one a line, as in a zone file; ';' begins a comment.
 * HT_MALFORMED (the fault names the line), HT_NOTFOUND when there is none, HT_NOMEM. */
HT_MUST_CHECK ht_err dns_anchors_parse(
    const char *text, struct dns_anchors **out, struct ht_fault *fault);
void dns_anchors_free(struct dns_anchors *a);

/* The deepest owner of an anchor that encloses `name`, borrowed; NULL: none. */
const struct ldns_struct_rdf *dns_anchor_above(
    const struct dns_anchors *a, const struct ldns_struct_rdf *name);

/* Copies of the anchors of `owner`, the caller's; NULL without memory. */
struct ldns_struct_rr_list *dns_anchors_of(
    const struct dns_anchors *a, const struct ldns_struct_rdf *owner);

#endif
