/* What is remembered of one device between two polls: which interface is which, and
 * which one carries the link. Lies in the memory of the probe that polls the device. */
#ifndef HT_PROBES_SNMP_KNOWN_H
#define HT_PROBES_SNMP_KNOWN_H

#include "probes/probe.h"
#include "probes/snmp/identity.h"
#include "probes/snmp/uplink.h"

struct known {
	struct identity identity;
	struct uplink_memory uplink;
};

/* `key`: of the device, among those that the probe watches; NULL: it is the only one. A
 * memory that cannot be read is none. */
void known_recall(struct known *k, const struct probe_host *host, const char *key);

/* Nothing is written when nothing changed. What cannot be kept is the same as lost: the
 * next poll begins from what was kept last. */
void known_remember(
    const struct known *k, const struct probe_host *host, const char *key);

void known_fini(struct known *k);

/* Pure: from bytes of any origin, to bytes. */
void known_decode(struct known *k, const void *bytes, size_t len);
void known_encode(const struct known *k, struct ht_buf *out);

#endif
