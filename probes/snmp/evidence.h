/* What hardly changes of a device (names, types, addresses), as one number: whether it is
 * what was told before. Pure. */
#ifndef HT_PROBES_SNMP_EVIDENCE_H
#define HT_PROBES_SNMP_EVIDENCE_H

#include "probes/snmp/table.h"

/* Of all that report.c tells as evidence; `t` is settled. */
uint64_t evidence_hash(const struct table *t);

#endif
