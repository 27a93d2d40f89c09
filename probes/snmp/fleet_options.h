/* What the configuration says of a fleet: its devices, or that the server's list is to be
 * polled; which credentials open which device; which tables are read. */
#ifndef HT_PROBES_SNMP_FLEET_OPTIONS_H
#define HT_PROBES_SNMP_FLEET_OPTIONS_H

#include "base/option.h"
#include "base/targets.h"
#include "probes/snmp/credentials.h"

enum { FLEET_DEVICES_MAX = 20000, FLEET_CREDENTIALS_MAX = 64, FLEET_AT_ONCE_MAX = 4096 };

struct fleet_credentials {
	char *name;
	struct ht_strings match; /* networks; none: any address */
	struct credentials_options secrets;
};

struct fleet_item {
	char *id, *address, *credentials, *link_interface;
	int64_t port; /* 0: the fleet's */
	struct ht_strings tables, skip;
};

struct fleet_options {
	struct ht_list devices;     /* struct fleet_item */
	struct ht_list credentials; /* struct fleet_credentials */
	struct ht_strings tables, skip;
	int64_t port, interval_ns, deadline_ns, wait_ns, retries, at_once, back_off_ns,
	    repeat_ns, packets_per_s;
	bool arp;
};

extern const struct ht_options fleet_options;

HT_MUST_CHECK ht_err fleet_check(
    const void *options, const struct ht_node *node, struct ht_fault *fault);

/* One device as it is to be polled; texts are borrowed from the options or the list. */
struct fleet_target {
	const char *id;
	struct ht_addr addr;
	uint16_t port;
	size_t credentials; /* a row of the options; their number when none fits */
	uint32_t tables;    /* MIB_BIT()s */
	const char *link_interface;
};

/* Devices of the options, else those of the server's list (NULL: there is none) that are
 * links themselves. Sorted by id. HT_NOMEM; free *out. */
HT_MUST_CHECK ht_err fleet_targets(const struct fleet_options *o,
    const struct ht_targets *list, struct fleet_target **out, size_t *out_n);

#endif
