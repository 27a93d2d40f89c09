/* ICMP errors from a socket's error queue (IP_RECVERR, IPV6_RECVERR): what any user may
 * read, without a raw socket. The kernel has matched the error to the socket by
 * addresses, ports and, for TCP, the sequence number. */
#ifndef HT_PROBES_WAN_TRACE_QUEUE_H
#define HT_PROBES_WAN_TRACE_QUEUE_H

#include <sys/socket.h>

#include "base/addr.h"
#include "probes/wan/ping/icmp_packet.h"

enum { TRACE_QUOTE_MAX = 576 };

struct trace_report {
	struct ht_addr from; /* the router that says it */
	uint8_t type, code;
	int64_t at_ns; /* when it arrived; ht_mono_ns() clock */
	uint8_t
	    quote[TRACE_QUOTE_MAX]; /* behind the IP header (and UDP's) of our packet */
	size_t len;
};

/* Ask for errors and receive times; and, for IPv6, leave the flow label 0: a random one
 * would make each packet a flow of its own. False: errno tells. */
bool trace_queue_prepare(int fd, enum icmp_family family);

enum trace_took { TRACE_TOOK_NONE, TRACE_TOOK_REPORT, TRACE_TOOK_OTHER };

/* The next error that waits. TRACE_TOOK_OTHER: one that is no ICMP error. */
enum trace_took trace_queue_take(
    int fd, enum icmp_family family, struct trace_report *out);

/* A receive time (0: unknown) on the monotonic clock. */
int64_t trace_queue_mono_ns(int64_t stamp_wall_ns);

bool trace_queue_addr(const struct sockaddr *sa, struct ht_addr *out);

#endif
