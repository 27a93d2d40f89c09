/* This machine's interfaces as the kernel tells them by rtnetlink (rtnetlink(7)): dumps
 * of links, addresses and routes become the same struct table that a device's SNMP tables
 * become. Pure: bytes in, rows out, nothing is sent or read here.
 *
 * Of routes only the default ones of the main table are kept. A dump of routes begins
 * with those (the kernel walks its trie from 0/0), so a reader may stop early on a
 * machine that knows the whole Internet. */
#ifndef HT_PROBES_WAN_NETLINK_H
#define HT_PROBES_WAN_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "probes/snmp/table.h"

enum netlink_dump {
	NETLINK_LINKS,
	NETLINK_ADDRESSES,
	NETLINK_ROUTES4,
	NETLINK_ROUTES6,
	NETLINK_DUMPS
};

enum { NETLINK_REQUEST_MAX = 64 };

/* What to send for a dump; its length. */
size_t netlink_request(
    enum netlink_dump dump, uint32_t seq, uint8_t out[static NETLINK_REQUEST_MAX]);

struct netlink_progress {
	bool done; /* the dump has ended */
	bool torn; /* things changed while it was made: it may be half old, half new */
};

/* One datagram of the answer to `seq`; messages of another are passed over. `p` is set,
 * never cleared.
 *   errors  HT_MALFORMED (lengths that cannot be), HT_FULL (more interfaces than `t`
 *           holds; the others are there), HT_NOMEM, HT_DENIED, HT_IO (the kernel refused)
 */
HT_MUST_CHECK ht_err netlink_parse(const void *bytes, size_t len, uint32_t seq,
    int64_t at_ns, struct table *t, struct netlink_progress *p);

#endif
