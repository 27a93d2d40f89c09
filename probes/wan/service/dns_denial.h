/* What NSEC (RFC 4034 section 4, RFC 4035 section 5.4, RFC 6840) and NSEC3 records (RFC
 * 5155 section 8) prove to be absent. Pure; the records' signatures are checked before.
 */
#ifndef HT_PROBES_WAN_DNS_DENIAL_H
#define HT_PROBES_WAN_DNS_DENIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ldns_struct_rdf;
struct ldns_struct_rr_list;

enum dns_denial {
	DNS_DENIES_NOTHING,
	DNS_DENIES_NAME,       /* there is no such name */
	DNS_DENIES_TYPE,       /* the name has neither that type nor a CNAME */
	DNS_DENIES_DS,         /* an unsigned zone begins there */
	DNS_DENIES_PERHAPS,    /* an unsigned zone may begin there (opt-out) */
	DNS_DENIES_UNMEASURED, /* more hash iterations than are worth the time */
};

#define DNS_NSEC3_ITERATIONS_MAX 150 /* RFC 9276 section 3.2 leaves it to us */

/* `proofs` are NSEC and NSEC3 records of `zone`; `name` lies within it. */
enum dns_denial dns_denial_of(const struct ldns_struct_rr_list *proofs,
    const struct ldns_struct_rdf *zone, const struct ldns_struct_rdf *name,
    uint16_t type);

/* Whether no name is closer to `name` than its last `labels` labels: what an answer made
 * from a wildcard there has to prove. */
bool dns_denial_of_closer(const struct ldns_struct_rr_list *proofs,
    const struct ldns_struct_rdf *zone, const struct ldns_struct_rdf *name,
    size_t labels);

#endif
