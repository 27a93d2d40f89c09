/* Part of identity.h: what a new interface is called on its device. */
#ifndef HT_PROBES_SNMP_IDENTITY_IDS_H
#define HT_PROBES_SNMP_IDENTITY_IDS_H

#include "probes/snmp/identity.h"

/* Give an id to the rows that have none in `out`: that of ifName, else if<ifIndex>; with
 * the ifIndex behind it when other new rows want the same, or when a known interface (the
 * gone ones keep theirs) has it. HT_NOMEM. */
HT_MUST_CHECK ht_err identity_ids(const struct identity *k,
    const struct identity_row *rows, size_t n, size_t id_max, struct identity_match *out);

#endif
