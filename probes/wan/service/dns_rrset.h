/* Sets of records and their signatures (RFC 4034, RFC 4035 section 5.3), by ldns, whose
 * types are only named here. Owned lists are freed with ldns_rr_list_deep_free. */
#ifndef HT_PROBES_WAN_DNS_RRSET_H
#define HT_PROBES_WAN_DNS_RRSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ldns_struct_rdf;
struct ldns_struct_rr;
struct ldns_struct_rr_list;

/* Names in wire format, as ldns keeps them: labels without the root's, how long, what its
 * last `n` labels are; compared without regard to case. */
size_t dns_labels(const struct ldns_struct_rdf *name);
bool dns_same(const struct ldns_struct_rdf *a, const struct ldns_struct_rdf *b);
bool dns_within(const struct ldns_struct_rdf *name, const struct ldns_struct_rdf *zone);
/* The last `n` ≤ dns_labels(name) labels; owned by the caller, or NULL. */
struct ldns_struct_rdf *dns_suffix(const struct ldns_struct_rdf *name, size_t n);
/* Presentation format for people and questions, cut to fit. */
void dns_name_text(const struct ldns_struct_rdf *name, char *out, size_t cap);

/* The records of one owner and type; for RRSIG, `covered` is the type they cover. Copies,
 * at most `max` of them; an empty list when there are none, NULL without memory. */
struct ldns_struct_rr_list *dns_rrset(const struct ldns_struct_rr_list *section,
    const struct ldns_struct_rdf *owner, uint16_t type, uint16_t covered, size_t max);

/* Signatures that may still be checked: each costs the time of one public-key operation.
 */
struct dns_budget {
	unsigned checks;
	int64_t now_s; /* Unix time */
};

enum dns_check { DNS_CHECK_GOOD, DNS_CHECK_BAD, DNS_CHECK_SPENT };

/* Whether one of `sigs`, made by `zone`, holds over `set` with one of `keys`. `why` gets
 * the reason, `out_labels` (may be NULL) the labels of the name that was signed: fewer
 * than the owner's mean a wildcard. */
enum dns_check dns_check_set(struct dns_budget *b, const struct ldns_struct_rr_list *set,
    const struct ldns_struct_rr_list *sigs, const struct ldns_struct_rdf *zone,
    const struct ldns_struct_rr_list *keys, size_t *out_labels, const char **why);

/* The keys of a zone that may sign its records: not revoked, of a sane size. Copies. */
struct ldns_struct_rr_list *dns_zone_keys(const struct ldns_struct_rr_list *dnskeys);
/* Of `keys`, those that `trusted` (DS and DNSKEY records) stands for. Copies. */
struct ldns_struct_rr_list *dns_keys_trusted(
    const struct ldns_struct_rr_list *keys, const struct ldns_struct_rr_list *trusted);
/* Whether any of these DS records is of an algorithm and digest that is known here. */
bool dns_ds_supported(const struct ldns_struct_rr_list *ds);

/* The zone that says it signed `sig`, or NULL; borrowed. */
const struct ldns_struct_rdf *dns_signer(const struct ldns_struct_rr *sig);

#endif
