/* Scripted SNMP devices on the loopback, answering from the test's own loop. */
#ifndef HT_TESTS_UNIT_PROBES_SNMP_FIELD_H
#define HT_TESTS_UNIT_PROBES_SNMP_FIELD_H

#include <uv.h>

#include "unit/probes/snmp_peer.h"

struct field_device {
	struct peer peer;
	uv_poll_t poll;
	int fd;
	unsigned port; /* on 127.0.0.1 */
	/* After so many requests `then` is the fault; 0: never. */
	uint64_t after;
	enum peer_fault then;
	void (*asked)(struct field_device *d);    /* before each answer; may be NULL */
	void (*answered)(struct field_device *d); /* after it; may be NULL */
	void *arg;
};

/* A router of a few interfaces that has this fault below `where` (NULL: everywhere). */
void field_open(struct field_device *d, uv_loop_t *loop, enum peer_fault fault,
    const char *where, size_t limit);
void field_close(struct field_device *d);

#endif
