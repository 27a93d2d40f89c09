/* Addresses: IPv4/IPv6 with an optional prefix length (RFC 4632, RFC 4291) and
 * 48-bit MACs. Plain values, no I/O: resolving a name is the loop's business. */
#ifndef HT_BASE_ADDR_H
#define HT_BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct ht_addr {
	uint8_t family;    /* AF_INET or AF_INET6 */
	uint8_t prefix;    /* 0..32 or 0..128; full length for a host */
	uint8_t bytes[16]; /* network order; IPv4 uses the first four */
};

struct ht_mac {
	uint8_t b[6];
};

#define HT_ADDR_TEXT 64 /* bytes that any address, prefix and NUL fit in */
#define HT_MAC_TEXT  18 /* "aa:bb:cc:dd:ee:ff" and NUL */

/* "10.0.0.1", "10.0.0.0/24", "fe80::1". A prefix keeps its host bits. HT_MALFORMED. */
HT_MUST_CHECK ht_err ht_addr_parse(const char *text, struct ht_addr *out);

/* Writes "10.0.0.1", or "10.0.0.0/24" when the prefix is not the full length. */
void ht_addr_format(const struct ht_addr *a, char out[static HT_ADDR_TEXT]);

bool ht_addr_equal(const struct ht_addr *a, const struct ht_addr *b);

/* Whether `host` lies in the network `net`; false across families. */
bool ht_addr_within(const struct ht_addr *net, const struct ht_addr *host);

/* Host addresses in an IPv4 network without network and broadcast address (RFC 3021:
 * both of a /31, one of a /32); 0 for IPv6. */
uint32_t ht_addr_v4_hosts(const struct ht_addr *net);

/* The i-th of those (0 ≤ i < ht_addr_v4_hosts), in host order. */
uint32_t ht_addr_v4_host(const struct ht_addr *net, uint32_t i);

struct ht_addr ht_addr_from_v4(uint32_t host_order);
uint32_t ht_addr_v4(const struct ht_addr *a); /* host order; a->family is AF_INET */

/* Fill a socket address; `out_len` gets its length. */
void ht_addr_sockaddr(const struct ht_addr *a, uint16_t port,
    struct sockaddr_storage *out, socklen_t *out_len);

/* "aa:bb:…", "aa-bb-…" or "aabb.ccdd.eeff", any case. HT_MALFORMED. */
HT_MUST_CHECK ht_err ht_mac_parse(const char *text, struct ht_mac *out);
void ht_mac_format(const struct ht_mac *m, char out[static HT_MAC_TEXT]);

/* IEEE 802: group bit, and the U/L bit that random MACs set. */
bool ht_mac_is_group(const struct ht_mac *m);
bool ht_mac_is_local(const struct ht_mac *m);
bool ht_mac_is_zero(const struct ht_mac *m);

#endif
