/* What every user of the monitor's ICMP sockets needs: settings, a filter in the kernel,
 * receive times, and what the kernel had no room for. */
#ifndef HT_PROBES_WAN_ICMP_SOCKET_H
#define HT_PROBES_WAN_ICMP_SOCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "probes/wan/ping/icmp_packet.h"

/* Only echo replies arrive, with the kernel's receive time. */
void icmp_socket_prepare(int fd, enum icmp_family family, bool raw);

/* Every packet leaves with "don't fragment" and at its own size, whatever the kernel
 * believes of the path: what is too large comes back or vanishes. */
void icmp_socket_whole(int fd, enum icmp_family family);

/* What the kernel lets through; all else is dropped before it takes memory or wakes
 * anybody. A raw socket sees the replies to everybody's pings otherwise. */
struct icmp_socket_match {
	bool by_id; /* raw sockets: the kernel chooses the id of the others */
	uint16_t id;
	bool by_tag; /* bytes of the payload behind the cookie (ICMP_TAG) */
	uint32_t tag;
};

/* What has arrived before is still in the queue. */
void icmp_socket_filter(
    int fd, enum icmp_family family, bool raw, const struct icmp_socket_match *match);

/* When the kernel received a message, Unix nanoseconds; 0: it did not say. */
int64_t icmp_socket_stamp_ns(struct msghdr *m);

/* Unix time now, nanoseconds: the clock of those stamps. */
int64_t icmp_socket_wall_ns(void);

/* One packet, or one ICMP error about a packet of ours, of a socket with IP_RECVERR. */
struct icmp_socket_packet {
	size_t len;
	bool truncated;
	int64_t stamp_ns; /* Unix; 0: not said */
	/* of an error: */
	int err_no;
	bool local;   /* our own kernel's, not a router's */
	uint32_t mtu; /* that would fit; 0: not said */
};

/* False when there is none. With an error, the bytes are what it quotes of our packet. */
bool icmp_socket_receive(int fd, void *bytes, size_t cap, struct icmp_socket_packet *out);
bool icmp_socket_error(int fd, void *bytes, size_t cap, struct icmp_socket_packet *out);

struct icmp_socket_queue {
	uint32_t bytes, room; /* that wait; that may wait */
	uint32_t drops;       /* since the socket was made, for want of room or for other
				 reasons */
};

/* False when the kernel does not say (before Linux 4.12). */
bool icmp_socket_queue(int fd, struct icmp_socket_queue *out);

#endif
