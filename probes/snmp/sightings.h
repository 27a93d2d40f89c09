/* Sightings mac/<mac> out of what a router knows of its neighbours. A router keeps an
 * entry for minutes or hours after a machine has gone: `seen_by` says that it is such. */
#ifndef HT_PROBES_SNMP_SIGHTINGS_H
#define HT_PROBES_SNMP_SIGHTINGS_H

#include "probes/probe.h"
#include "probes/snmp/neighbours.h"

#define SIGHTINGS_METRICS HT_M_MAC_SEEN_BY, HT_M_MAC_SUBNET, HT_M_MAC_IPV4, HT_M_MAC_IPV6

/* Only addresses inside the site's declared subnets, when it declares any. */
void sightings_emit(const struct probe_host *host, const struct neighbours *n);

#endif
