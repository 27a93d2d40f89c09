/* One ICMP socket for thousands of targets: requests leave in batches (sendmmsg), replies
 * come in batches (recvmmsg), nothing is allocated for a ping. The socket is not
 * connected and asks for no ICMP errors: a router that says "unreachable" is silence, as
 * a router that says nothing. The owner knows its pings by (target, seq) and verifies who
 * answers. */
#ifndef HT_PROBES_WAN_ECHO_H
#define HT_PROBES_WAN_ECHO_H

#include <netinet/in.h>
#include <uv.h>

#include "probes/wan/icmp_packet.h"

enum {
	ECHO_BATCH = 64,   /* packets in one call */
	ECHO_PAYLOAD = 16, /* bytes in a ping */
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
	/* A well-formed reply, whoever sent it. `at_ns`: when the kernel received it. */
	void (*reply)(void *arg, const struct icmp_echo *e,
	    const union echo_address *from, int64_t at_ns);
	void (*unsent)(void *arg, uint32_t target, uint16_t seq, int err_no);
	/* The socket can be read; call echo_drain. */
	void (*readable)(void *arg);
};

struct echo {
	int fd;
	bool raw;
	enum icmp_family family;
	uint16_t id;
	uv_poll_t poll;
	struct echo_events events;
	struct echo_request waiting[ECHO_BATCH];
	size_t n_waiting;
	void (*closed)(void *arg);
};

/* Takes the descriptor, also on failure. */
HT_MUST_CHECK ht_err echo_open_take(struct echo *e, uv_loop_t *loop, int fd, bool raw,
    enum icmp_family family, uint16_t id, const struct echo_events *events);

/* Queue one request; a full batch leaves at once. */
void echo_put(struct echo *e, const struct echo_request *q);

/* Send what is queued. `unsent` is called for what could not leave. */
void echo_flush(struct echo *e);

/* Read what has arrived, up to a few batches: more comes with the next turn. */
void echo_drain(struct echo *e);

/* Once; closed(events.arg) comes from the loop. */
void echo_close(struct echo *e, void (*closed)(void *arg));

#endif
