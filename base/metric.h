/* The one table of what hatang measures: each quantity's name, unit and kind, written
 * once. On the wire a reading is called <family>/<instance>/<quantity> (RFC 8428 names);
 * numbers carry measurements, strings and booleans carry evidence. Units are base units
 * of the IANA SenML registry (s, bit/s, "/" for a ratio, count); NULL for evidence.
 * Counters are unsigned integers, exact to 2^64-1. */
#ifndef HT_BASE_METRIC_H
#define HT_BASE_METRIC_H

#include <stdbool.h>
#include <stddef.h>

enum ht_kind { HT_NUMBER, HT_COUNTER, HT_STRING, HT_BOOL };

/* clang-format off */
enum ht_metric {
	/* selftest/<instance>: proves that nothing is lost */
	HT_M_SELFTEST_COUNT,
	/* icmp/<target id>: one round of pings */
	HT_M_ICMP_STATUS, HT_M_ICMP_TARGET, HT_M_ICMP_SENT, HT_M_ICMP_RECEIVED, HT_M_ICMP_LOSS,
	HT_M_ICMP_RTT_MIN, HT_M_ICMP_RTT_AVG, HT_M_ICMP_RTT_MAX, HT_M_ICMP_RTT_P50,
	HT_M_ICMP_RTT_P95, HT_M_ICMP_RTT_HISTOGRAM, HT_M_ICMP_DUPLICATES, HT_M_ICMP_PAYLOAD,
	HT_M_ICMP_PATH_MTU, HT_M_ICMP_REASON, HT_M_ICMP_JITTER,
	/* tcp/<target id>: one connection opened and closed */
	HT_M_TCP_STATUS, HT_M_TCP_TARGET, HT_M_TCP_CONNECT,
	/* dns/<probe id>: one question to one resolver */
	HT_M_DNS_STATUS, HT_M_DNS_SERVER, HT_M_DNS_NAME, HT_M_DNS_RCODE, HT_M_DNS_ANSWERS,
	HT_M_DNS_CORRECT, HT_M_DNS_TIME, HT_M_DNS_DNSSEC, HT_M_DNS_REASON,
	/* http/<probe id>: one request, its phases, and what TLS said */
	HT_M_HTTP_STATUS, HT_M_HTTP_URL, HT_M_HTTP_ADDRESS, HT_M_HTTP_CODE, HT_M_HTTP_RESOLVE,
	HT_M_HTTP_CONNECT, HT_M_HTTP_TLS, HT_M_HTTP_FIRST_BYTE, HT_M_HTTP_TOTAL, HT_M_HTTP_BYTES,
	HT_M_HTTP_MATCHED, HT_M_HTTP_TLS_VERSION, HT_M_HTTP_TLS_CIPHER, HT_M_HTTP_CERT_SUBJECT,
	HT_M_HTTP_CERT_ISSUER, HT_M_HTTP_CERT_EXPIRES_IN, HT_M_HTTP_CERT_VERIFIED,
	HT_M_HTTP_REASON,
	/* path/<link>: the way to an inside address, and whose network it runs over */
	HT_M_PATH_STATUS, HT_M_PATH_TARGET, HT_M_PATH_METHOD, HT_M_PATH_HOPS, HT_M_PATH_TRACE,
	HT_M_PATH_NETWORK, HT_M_PATH_REASON,
	/* throughput/<link>: one test of the rate a link really carries */
	HT_M_THROUGHPUT_STATUS, HT_M_THROUGHPUT_ENDPOINT, HT_M_THROUGHPUT_DOWN,
	HT_M_THROUGHPUT_DOWN_LOW, HT_M_THROUGHPUT_DOWN_HIGH, HT_M_THROUGHPUT_UP,
	HT_M_THROUGHPUT_UP_LOW, HT_M_THROUGHPUT_UP_HIGH, HT_M_THROUGHPUT_STREAMS,
	HT_M_THROUGHPUT_BYTES,
	/* reach/<link>: transitions; and the pings of each minute (base/reach.h, base/hist.h) */
	HT_M_REACH_STATE, HT_M_REACH_UNANSWERED_FOR, HT_M_REACH_ANSWERED_AGO,
	HT_M_REACH_SENT, HT_M_REACH_RECEIVED, HT_M_REACH_RTT_AVG, HT_M_REACH_RTT_HISTOGRAM,
	/* reach/<probe id>: whether the vantage itself sees anything */
	HT_M_REACH_BLIND, HT_M_REACH_BLIND_REASON, HT_M_REACH_UNSENT, HT_M_REACH_DROPPED,
	HT_M_REACH_IGNORED, HT_M_REACH_TROUBLE,
	/* snmp/<device id>: the device itself (SNMPv2-MIB) */
	HT_M_SNMP_STATUS, HT_M_SNMP_REASON, HT_M_SNMP_TARGET, HT_M_SNMP_UPTIME, HT_M_SNMP_SYS_NAME,
	HT_M_SNMP_SYS_DESCR, HT_M_SNMP_SYS_OBJECT_ID, HT_M_SNMP_INTERFACES, HT_M_SNMP_ROUND_TRIPS,
	HT_M_SNMP_LINK_INTERFACE_WHY, HT_M_SNMP_LINK_INTERFACE_CONFIDENCE,
	HT_M_SNMP_LINK_INTERFACE,
	/* if/<device id>:<interface id>: IF-MIB ifTable and ifXTable */
	HT_M_IF_INDEX, HT_M_IF_NAME, HT_M_IF_ALIAS, HT_M_IF_DESCR, HT_M_IF_TYPE, HT_M_IF_PHYS_ADDRESS,
	HT_M_IF_ADMIN_STATUS, HT_M_IF_OPER_STATUS, HT_M_IF_SPEED, HT_M_IF_IN_OCTETS,
	HT_M_IF_OUT_OCTETS, HT_M_IF_IN_ERRORS, HT_M_IF_OUT_ERRORS, HT_M_IF_IN_DISCARDS,
	HT_M_IF_OUT_DISCARDS, HT_M_IF_COUNTER_BITS, HT_M_IF_LOWER, HT_M_IF_ADDRESSES,
	HT_M_IF_DEFAULT_ROUTE, HT_M_IF_IDENTITY, HT_M_IF_DISCONTINUITY,
	/* lan/<interface or subnet id>: one scan or one window of listening */
	HT_M_LAN_STATUS, HT_M_LAN_SUBNET, HT_M_LAN_TARGETS, HT_M_LAN_PROBED, HT_M_LAN_ANSWERED,
	HT_M_LAN_FRAMES, HT_M_LAN_DROPPED, HT_M_LAN_MALFORMED,
	/* mac/<aa:bb:cc:dd:ee:ff>: one sighting of a network interface card */
	HT_M_MAC_SEEN_BY, HT_M_MAC_SUBNET, HT_M_MAC_IPV4, HT_M_MAC_IPV6, HT_M_MAC_HOSTNAME,
	HT_M_MAC_DHCP_CLASS, HT_M_MAC_DHCP_PARAMETERS, HT_M_MAC_DHCP_CLIENT_ID, HT_M_MAC_GATEWAY,
	/* posture/<check id>: one check's answer with what was seen */
	HT_M_POSTURE_ANSWER, HT_M_POSTURE_EVIDENCE, HT_M_POSTURE_COUNT,
	/* host/<machine id>: the machine the agent runs on */
	HT_M_HOST_HOSTNAME, HT_M_HOST_OS, HT_M_HOST_MACS, HT_M_HOST_IS_SERVER,
	/* agent/<part>: the agent on itself */
	HT_M_AGENT_VERSION, HT_M_AGENT_PROPOSAL, HT_M_AGENT_CONFIG_HASH, HT_M_AGENT_GAP,
	HT_M_AGENT_CLOCK, HT_M_AGENT_DROPPED, HT_M_AGENT_QUEUED, HT_M_AGENT_OLDEST,
	HT_M_AGENT_PROBE_STATUS, HT_M_AGENT_PROBE_SKIPPED, HT_M_AGENT_MEMORY,
	HT_M_AGENT_SPOOL,
	HT_METRIC_COUNT
};
/* clang-format on */

struct ht_metric_info {
	const char *family, *quantity;
	const char *unit; /* NULL for HT_STRING and HT_BOOL */
	enum ht_kind kind;
	const char *help; /* one line, English */
};

/* The row of a metric; `m` must be one of the enum. */
const struct ht_metric_info *ht_metric_info(enum ht_metric m);

/* Look a name's family and quantity up. False when the table has no such row: readings
 * of newer or foreign agents are kept, but no fold knows them. */
bool ht_metric_find(const char *family, size_t family_len, const char *quantity,
    size_t quantity_len, enum ht_metric *out);

#endif
