/* What of an answer is to be judged: the sets that lead from the question by CNAMEs to
 * its end, or to the absence of that. Pure. */
#ifndef HT_PROBES_WAN_DNS_LINKS_H
#define HT_PROBES_WAN_DNS_LINKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct ldns_struct_pkt;
struct ldns_struct_rdf;
struct ldns_struct_rr;

#define DNS_LINKS_MAX 16 /* CNAMEs, and the last set */

struct dns_link {
	struct ldns_struct_rdf *owner;
	uint16_t type;
	bool absent; /* there is no such set */
	/* whose zone's keys judge it: what its signature names, else its owner */
	struct ldns_struct_rdf *target;
};

struct dns_links {
	struct dns_link at[DNS_LINKS_MAX];
	size_t n;
};

/* `out` is zeroed before, and freed with dns_links_fini also after an error.
 * HT_MALFORMED: CNAMEs without end; HT_UNSUPPORTED: a CNAME made from a DNAME; HT_NOMEM.
 */
HT_MUST_CHECK ht_err dns_links_find(const struct ldns_struct_pkt *pkt,
    const struct ldns_struct_rdf *name, uint16_t type, struct dns_links *out);
void dns_links_fini(struct dns_links *links);

/* Whether the answer section has such a set. */
bool dns_has_set(const struct ldns_struct_pkt *pkt, const struct ldns_struct_rdf *owner,
    uint16_t type);
/* NSEC or NSEC3. */
bool dns_is_proof(const struct ldns_struct_rr *rr);

#endif
