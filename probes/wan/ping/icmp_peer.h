/* One target over one of the monitor's ICMP sockets, which is connected to it: echo
 * requests go out, and what comes in is sorted: replies, ICMP errors about our requests,
 * and what only looks like them. Nothing blocks. */
#ifndef HT_PROBES_WAN_ICMP_PEER_H
#define HT_PROBES_WAN_ICMP_PEER_H

#include "base/addr.h"
#include "probes/wan/ping/icmp_packet.h"

struct icmp_peer {
	int fd; /* the owner's */
	bool raw;
	enum icmp_family family;
	uint16_t id;
	uint64_t cookie; /* a secret, in each request */
	struct sockaddr_storage to;
	char text[HT_ADDR_TEXT]; /* the target's address; "" while there is none */
};

/* Draw the secrets. HT_AGAIN: no randomness yet. */
HT_MUST_CHECK ht_err icmp_peer_init(struct icmp_peer *p);

/* Who it is; before the socket is there. */
void icmp_peer_address(struct icmp_peer *p, const struct sockaddr *to);

/* The socket is there: set it up and connect it. 0, or the errno. `whole`: packets are
 * never fragmented. */
int icmp_peer_open(struct icmp_peer *p, int fd, bool raw, bool whole);

/* Bytes of a packet beside its payload, IP header included. */
size_t icmp_peer_overhead(const struct icmp_peer *p);

/* 0, or the errno. */
int icmp_peer_send(const struct icmp_peer *p, uint16_t seq, size_t payload);

enum icmp_event_kind {
	ICMP_EVENT_REPLY,     /* of our socket; seq and cookie are as they came */
	ICMP_EVENT_ERROR,     /* about one of our requests; err_no, mtu */
	ICMP_EVENT_FORGED,    /* an error about a request that we never sent */
	ICMP_EVENT_MALFORMED, /* truncated, damaged, or no reply at all */
	ICMP_EVENT_OTHER,     /* to be passed over */
};

struct icmp_event {
	enum icmp_event_kind kind;
	struct icmp_echo echo;
	int64_t stamp_ns; /* when the kernel received it, Unix; 0: not said */
	int err_no;
	uint32_t mtu; /* EMSGSIZE: what is said to fit; 0: not said */
	bool local;   /* our own interface says so */
};

/* The next one that waits; false when there is none. */
bool icmp_peer_next(const struct icmp_peer *p, struct icmp_event *out);

/* After EMSGSIZE of a send: what our own interface takes, or 0. Passes over all errors
 * that wait. */
uint32_t icmp_peer_interface_mtu(const struct icmp_peer *p);

/* What an errno of sending, connecting or an ICMP error means as a status. */
const char *icmp_peer_status(int err_no);

#endif
