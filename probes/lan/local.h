/* This machine's own place in its networks: interfaces, their addresses, and the default
 * gateways. One snapshot, a plain value; local_read asks the kernel (no packet is sent,
 * nothing blocks), the route parsers are pure. Used by the LAN and posture probes and by
 * the agent's proposal. */
#ifndef HT_PROBES_LAN_LOCAL_H
#define HT_PROBES_LAN_LOCAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

#define LOCAL_NAME_MAX     16 /* IFNAMSIZ */
#define LOCAL_IFS_MAX      64
#define LOCAL_ADDRS_MAX    128
#define LOCAL_GATEWAYS_MAX 8

struct local_if {
	char name[LOCAL_NAME_MAX];
	char driver[32];   /* as ethtool says: "e1000e", "veth", "bridge"; "" unknown */
	struct ht_mac mac; /* zero when it has none */
	bool ether;        /* speaks Ethernet frames */
	bool up, loopback;
	bool hardware; /* sits on a bus of this machine */
};

struct local_addr {
	size_t interface;    /* index into ifs */
	struct ht_addr addr; /* with the network's prefix */
};

struct local_gateway {
	char interface[LOCAL_NAME_MAX];
	struct ht_addr
	    addr; /* host; family AF_UNSPEC for a route without gateway (ppp) */
	uint32_t metric;
};

struct local {
	struct local_if ifs[LOCAL_IFS_MAX];
	size_t n_ifs;
	struct local_addr addrs[LOCAL_ADDRS_MAX];
	size_t n_addrs;
	struct local_gateway gateways[LOCAL_GATEWAYS_MAX]; /* best of each family first */
	size_t n_gateways;
	size_t refused; /* what did not fit */
};

/* HT_IO. A missing route table is no error: then there is no gateway. */
HT_MUST_CHECK ht_err local_read(struct local *out);

/* Add the default routes of /proc/net/route or /proc/net/ipv6_route. Lines of another
 * form are passed over. */
void local_routes4(const char *text, size_t len, struct local *out);
void local_routes6(const char *text, size_t len, struct local *out);

/* NULL when there is none. */
const struct local_if *local_find(const struct local *l, const char *name);

/* The best default gateway of a family, on one interface or (NULL) on any; or NULL. */
const struct local_gateway *local_gateway(
    const struct local *l, int family, const char *interface);

/* The part of the IPv4 network `declared` that lies on our own address's network; false
 * when they are apart. Host bits of `out_net` are zero. */
bool local_attached_part(
    const struct ht_addr *declared, const struct ht_addr *own, struct ht_addr *out_net);

/* Whether some part of `declared` is attached to an interface. */
bool local_attached(
    const struct local *l, const char *interface, const struct ht_addr *declared);

/* Whether an interface (an index into ifs) has an IPv4 address. */
bool local_addressed(const struct local *l, size_t interface);

/* "192.168.10.0/24", host bits cut off. */
void local_subnet_text(const struct ht_addr *net, char out[static HT_ADDR_TEXT]);

#endif
