/* Since when each of this machine's interfaces lives: a ppp0 that was deleted and made
 * anew has another ifindex, and counters that began at zero. What RFC 2863 calls
 * ifCounterDiscontinuityTime, which Linux does not keep. Pure; remembered between two
 * looks, for one boot of the machine. */
#ifndef HT_PROBES_WAN_LIVES_H
#define HT_PROBES_WAN_LIVES_H

#include "base/buf.h"
#include "base/reader.h"
#include "probes/snmp/table.h"

enum { LIVES_MAX = 1024, LIVES_NAME_MAX = 15 };

struct life {
	char name[LIVES_NAME_MAX + 1];
	uint32_t index;
	uint32_t
	    since_ticks; /* hundredths of a second of the machine's uptime; 0: boot */
};

struct lives {
	uint64_t boot;   /* hash of the boot id; 0: nothing is known */
	struct life *at; /* by name */
	size_t n;
};

void lives_fini(struct lives *l); /* accepts a zeroed one */

/* Give each row its TABLE_DISCONTINUITY and take the rows for the next time. What is new
 * in a boot that is known, or has another index, lives since `now_ticks`.
 *   errors  HT_NOMEM: `l` as before, the rows have none */
HT_MUST_CHECK ht_err lives_update(
    struct lives *l, struct table *t, uint64_t boot, uint32_t now_ticks);

void lives_encode(const struct lives *l, struct ht_buf *out);
/* Bytes of any origin; what is malformed is nothing known, and HT_MALFORMED. */
HT_MUST_CHECK ht_err lives_decode(struct lives *l, const void *bytes, size_t len);

#endif
