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
	    HT_M_IF_INDEX, HT_M_IF_NAME, HT_M_IF_ALIAS, HT_M_IF_DESCR, HT_M_IF_TYPE, \
	    HT_M_IF_PHYS_ADDRESS, HT_M_IF_ADMIN_STATUS, HT_M_IF_OPER_STATUS,         \
	    HT_M_IF_SPEED, HT_M_IF_IN_OCTETS, HT_M_IF_OUT_OCTETS, HT_M_IF_IN_ERRORS, \
	    HT_M_IF_OUT_ERRORS, HT_M_IF_IN_DISCARDS, HT_M_IF_OUT_DISCARDS,           \
	    HT_M_IF_COUNTER_BITS, HT_M_IF_DISCONTINUITY

struct report {
	const struct probe_host *host;
	const char *device; /* the instance of its readings */
	const char *target; /* its address, or NULL */
	const char *status;
	const char *reason;         /* NULL or "": nothing is wrong */
	const unsigned *requests;   /* NULL: nothing was sent */
	const char *link_interface; /* ifName of the one that carries the link, or NULL */
};

/* Emit all of a poll. The rows of `t` get their instances. */
void report_poll(const struct report *r, struct table *t);

#endif
