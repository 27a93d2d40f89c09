/* Columns of several MIBs that are read in one walk, each from where it matters: of route
 * tables, which may hold the whole Internet, only the default routes. Pure handlers. */
#ifndef HT_PROBES_SNMP_MIB_TOPOLOGY_H
#define HT_PROBES_SNMP_MIB_TOPOLOGY_H

#include "probes/snmp/mib.h"

enum { MIB_TOPOLOGY_COLUMNS = 15 };
extern const struct mib_column mib_topology_columns[MIB_TOPOLOGY_COLUMNS];

/* mib_table's cell. What is not understood is passed over: a device may well be right
 * about its interfaces and wrong about its routes. */
bool mib_topology_cell(struct table *t, const struct mib_column *c,
    const struct session_oid *index, const struct session_value *v, int64_t at_ns);

#endif
