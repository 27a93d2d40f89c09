/* Is an answer secure (RFC 4033 section 5, RFC 4035 sections 4.3 and 5, RFC 5155)?
 * Follows the chain of DS and DNSKEY records from a trust anchor down to the zones that
 * signed the answer, and checks signatures by ldns. Pure: it says what to ask next and is
 * given the answers, so that it neither blocks nor reads a clock; and bounded, whatever
 * it is given: questions, keys, signatures checked (CVE-2023-50387), hash iterations
 * (RFC 9276). All questions are to be asked with DO and CD. */
#ifndef HT_PROBES_WAN_DNS_CHAIN_H
#define HT_PROBES_WAN_DNS_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "probes/wan/service/dns_anchors.h"

#define DNS_NAME_TEXT 1024 /* a name in presentation format, NUL included */

enum dns_security { DNS_SECURE, DNS_INSECURE, DNS_BOGUS, DNS_INDETERMINATE };

struct dns_chain;

/* Judge `bytes`, an answer to `name` and `type`. Takes `anchors`, also when it fails.
 * HT_MALFORMED, HT_NOMEM. */
HT_MUST_CHECK ht_err dns_chain_new(struct dns_anchors *anchors, const char *name,
    uint16_t type, const uint8_t *bytes, size_t len, int64_t now_unix_s,
    struct dns_chain **out);
void dns_chain_free(struct dns_chain *c);

/* What to ask next; false when it is decided. */
bool dns_chain_next(
    const struct dns_chain *c, char out_name[static DNS_NAME_TEXT], uint16_t *out_type);
/* The answer to that; or that none came, and why. */
void dns_chain_take(struct dns_chain *c, const uint8_t *bytes, size_t len);
void dns_chain_fail(struct dns_chain *c, const char *why);

/* One sentence in *out_why, borrowed; "" when secure. Not before it is decided. */
enum dns_security dns_chain_verdict(const struct dns_chain *c, const char **out_why);

const char *dns_security_name(enum dns_security s);

#endif
