/* Readings out of what was read of a device. */
#ifndef HT_PROBES_SNMP_REPORT_H
#define HT_PROBES_SNMP_REPORT_H

#include "probes/probe.h"
#include "probes/snmp/table.h"

/* What report_poll may emit, for the metrics of a probe. */
#define REPORT_METRICS                                                               \
	HT_M_SNMP_STATUS, HT_M_SNMP_REASON, HT_M_SNMP_TARGET, HT_M_SNMP_UPTIME,      \
	    HT_M_SNMP_SYS_NAME, HT_M_SNMP_SYS_DESCR, HT_M_SNMP_SYS_OBJECT_ID,        \
	    HT_M_SNMP_INTERFACES, HT_M_SNMP_ROUND_TRIPS, HT_M_SNMP_LINK_INTERFACE,   \
	    HT_M_SNMP_LINK_INTERFACE_WHY, HT_M_SNMP_LINK_INTERFACE_CONFIDENCE,       \
	    HT_M_IF_INDEX, HT_M_IF_NAME, HT_M_IF_ALIAS, HT_M_IF_DESCR, HT_M_IF_TYPE, \
	    HT_M_IF_PHYS_ADDRESS, HT_M_IF_ADMIN_STATUS, HT_M_IF_OPER_STATUS,         \
	    HT_M_IF_SPEED, HT_M_IF_IN_OCTETS, HT_M_IF_OUT_OCTETS, HT_M_IF_IN_ERRORS, \
	    HT_M_IF_OUT_ERRORS, HT_M_IF_IN_DISCARDS, HT_M_IF_OUT_DISCARDS,           \
	    HT_M_IF_COUNTER_BITS, HT_M_IF_LOWER, HT_M_IF_ADDRESSES,                  \
	    HT_M_IF_DEFAULT_ROUTE, HT_M_IF_IDENTITY, HT_M_IF_DISCONTINUITY

/* What was told of a device: names, types, addresses hardly change, and are most of the
 * bytes. Zeroed at first. */
struct report_memory {
	uint64_t evidence; /* a hash of it */
	int64_t told_ns;   /* 0: never */
};

struct report {
	const struct probe_host *host;
	const char *device; /* the instance of its readings */
	const char *key;    /* of its memory among the probe's; NULL: the probe's own */
	const char *target; /* its address, or NULL */
	const char *status;
	const char *reason;         /* NULL or "": nothing is wrong */
	const unsigned *requests;   /* NULL: nothing was sent */
	const char *link_interface; /* as configured (uplink.h), or NULL */
	/* Evidence is told when it changed and after repeat_ns; NULL: always. */
	struct report_memory *memory;
	int64_t repeat_ns;
};

/* Emit all of a poll, with what the device's memory (known.h) makes of it. `t` is settled
 * and its rows get their instances. */
void report_poll(const struct report *r, struct table *t);

#endif
