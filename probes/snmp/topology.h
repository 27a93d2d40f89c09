/* How the interfaces of a device lie in the network: what runs on top of what, which
 * addresses they have, by which the default route leaves. Filled cell by cell while a
 * device is read, settled once at the end. Plain memory, bounded: what exceeds the
 * ceilings is left out. */
#ifndef HT_PROBES_SNMP_TOPOLOGY_H
#define HT_PROBES_SNMP_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

enum {
	TOPOLOGY_STACKS_MAX = 8192,
	TOPOLOGY_ADDRESSES_MAX = 1024,
	TOPOLOGY_ROUTES_MAX = 32, /* default routes */
};

struct topology_stack {
	uint32_t upper, lower; /* ifIndex */
};

struct topology_address {
	struct ht_addr addr; /* prefix: full length when it is not known */
	uint32_t index;      /* ifIndex; 0: not known */
};

struct topology_route {
	uint64_t row;           /* which row of its table */
	struct ht_addr gateway; /* family AF_UNSPEC: not known */
	uint32_t index;         /* ifIndex; 0: not known */
	int64_t metric;         /* -1: not known */
	bool refused;           /* leads nowhere: reject, blackhole */
};

struct topology {
	struct topology_stack *stacks; /* settled: by upper, lower, each once */
	size_t n_stacks, cap_stacks;
	struct topology_address *addresses;
	size_t n_addresses, cap_addresses;
	struct topology_route routes[TOPOLOGY_ROUTES_MAX];
	size_t n_routes;
};

void topology_fini(struct topology *t); /* accepts a zeroed one */

/* `upper` runs on top of `lower`. False when there is no room for it, nor for another. */
bool topology_put_stack(struct topology *t, uint32_t upper, uint32_t lower);

/* The entry of an address or route, made when it is new; NULL when full or out of memory.
 * Holds until the next of its kind. */
struct topology_address *topology_address(struct topology *t, const struct ht_addr *addr);
struct topology_route *topology_route(struct topology *t, uint64_t row);

/* The first of the stacks of an upper one, in settled order; `out_n` how many. */
const struct topology_stack *topology_lowers(
    const struct topology *t, uint32_t upper, size_t *out_n);

/* Whether it carries another interface. */
bool topology_is_lower(const struct topology *t, uint32_t index);

/* Once all is there: stacks in order; routes without ifIndex get that of the interface on
 * whose network their gateway lies; only the best routes are kept: those that lead
 * somewhere, with the least metric of their family. */
void topology_settle(struct topology *t);

/* After topology_settle. */
bool topology_default_route(const struct topology *t, uint32_t index);

#endif
