/* Who a router knows by address and MAC: rows of ipNetToMediaTable (RFC 1213) and of
 * ipNetToPhysicalTable (RFC 4293). Plain memory, no I/O. */
#ifndef HT_PROBES_SNMP_NEIGHBOURS_H
#define HT_PROBES_SNMP_NEIGHBOURS_H

#include "base/addr.h"
#include "probes/snmp/session.h"

enum { NEIGHBOURS_MAX = 10000 };

struct neighbour {
	struct ht_addr addr;
	struct ht_mac mac;
	uint32_t interface; /* ifIndex */
	bool has_mac, invalid;
	int64_t at_ns;
};

struct neighbours {
	struct neighbour *at;
	size_t n, cap;
	size_t last; /* where the one before was */
};

void neighbours_fini(struct neighbours *n); /* accepts a zeroed one */

/* What a cell is of. */
enum neighbours_what { NEIGHBOURS_MAC, NEIGHBOURS_TYPE, NEIGHBOURS_STATE };

/* Indexes: ifIndex and four parts of an IPv4 address; or ifIndex, InetAddressType, length
 * and so many parts (RFC 4001). Pure; false: not understood, or no room. */
bool neighbours_media_cell(struct neighbours *n, enum neighbours_what what,
    const struct session_oid *index, const struct session_value *v, int64_t at_ns);
bool neighbours_physical_cell(struct neighbours *n, enum neighbours_what what,
    const struct session_oid *index, const struct session_value *v, int64_t at_ns);

/* Whether it is another machine's card that was there: no entry of its own, no half one.
 */
bool neighbour_is_card(const struct neighbour *n);

#endif
