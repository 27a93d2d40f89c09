/* One ICMP socket for thousands of targets: requests leave in batches (sendmmsg), replies
 * come in batches (recvmmsg), nothing is allocated for a ping. The kernel's filter lets
 * only replies to this socket's own pings pass (icmp_socket.h). The socket is not
 * connected and asks for no ICMP errors: a router that says "unreachable" is silence, as
 * a router that says nothing. The owner knows its pings by (target, seq) and verifies who
 * answers. */
#ifndef HT_PROBES_WAN_ECHO_H
#define HT_PROBES_WAN_ECHO_H

#include <netinet/in.h>
#include <uv.h>

#include "probes/wan/ping/icmp_packet.h"

enum {
	ECHO_PAYLOAD = ICMP_COOKIE + ICMP_TAG, /* bytes in a ping */
	ECHO_PACKET = ICMP_HEAD + ECHO_PAYLOAD,
	ECHO_REPLY_MAX = 60 + ECHO_PACKET, /* with the longest IPv4 header */
};

union echo_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct echo_request {
	uint32_t target;
	uint16_t seq;
	uint64_t cookie;
	const union echo_address *to; /* borrowed until echo_flush */
};

struct echo_events {
	void *arg;
	/* A well-formed reply, whoever sent it. `at_ns`: when the kernel received it;
	 * `now_ns`: the present. */
	void (*reply)(void *arg, const struct icmp_echo *e,
	    const union echo_address *from, int64_t at_ns, int64_t now_ns);
	/* When a ping left, to a few microseconds. */
	void (*sent)(void *arg, uint32_t target, uint16_t seq, int64_t at_ns);
	void (*unsent)(void *arg, uint32_t target, uint16_t seq, int err_no);
	/* The socket can be read (echo_watch); call echo_drain. */
	void (*readable)(void *arg);
};

struct echo_counters {
	uint64_t dropped;   /* replies that the kernel had no room for: our own loss */
	uint64_t malformed; /* truncated, or of another making */
};

struct echo {
	int fd;
	bool raw;
	enum icmp_family family;
	uint16_t id;
	uint32_t tag; /* drawn at random: no other socket has it */
	uv_poll_t poll;
	struct echo_events events;
	struct echo_box *box; /* buffers of the batches */
	size_t n_waiting;
	uint32_t drops; /* of the socket, as the kernel counts them */
	bool was_full;  /* when it was drained last */
	struct echo_counters counters;
	void (*closed)(void *arg);
};

/* Takes the descriptor, also on failure. */
HT_MUST_CHECK ht_err echo_open_take(struct echo *e, uv_loop_t *loop, int fd, bool raw,
    enum icmp_family family, const struct echo_events *events);

/* Whether `readable` is called. An owner that drains often anyway saves the wake-ups. */
void echo_watch(struct echo *e, bool on);

/* Queue one request; a full batch leaves at once. */
void echo_put(struct echo *e, const struct echo_request *q);

/* Send what is queued. `unsent` is called for what could not leave. */
void echo_flush(struct echo *e);

/* Read what has arrived by now. True when the kernel has dropped replies since the last
 * time, for want of room: whose, nobody knows. */
bool echo_drain(struct echo *e);

/* Once; closed(events.arg) comes from the loop. */
void echo_close(struct echo *e, void (*closed)(void *arg));

#endif
