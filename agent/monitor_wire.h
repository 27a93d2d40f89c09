/* What the agent and its monitor say to each other, over SOCK_SEQPACKET: one message, one
 * packet. Pure codec; both sides treat the other's bytes as untrusted. */
#ifndef HT_AGENT_MONITOR_WIRE_H
#define HT_AGENT_MONITOR_WIRE_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/monitor.h"
#include "base/err.h"

enum {
	MONITOR_MESSAGE_MAX = 32 << 10, /* bytes of a message */
	MONITOR_ANSWER_HEAD = 9,        /* bytes before an answer's payload */
	MONITOR_REQUEST_MAX = 9 + MONITOR_INTERFACES_MAX * IFNAMSIZ,
};

enum monitor_verb { MONITOR_ASK = 1, MONITOR_FENCE = 2 };

/* A set of interface names, each valid and NUL-terminated. */
struct monitor_names {
	char at[MONITOR_INTERFACES_MAX][IFNAMSIZ];
	size_t n;
};

struct monitor_request {
	enum monitor_verb verb;
	uint32_t id;                /* of the ask, chosen by the agent */
	enum probe_privilege what;  /* MONITOR_ASK */
	struct monitor_names names; /* MONITOR_ASK: none or one */
};

enum monitor_answer_kind {
	MONITOR_DATA = 1, /* a piece of the bytes */
	MONITOR_END = 2,  /* the outcome; a descriptor may come with it */
};

struct monitor_answer {
	enum monitor_answer_kind kind;
	uint32_t id;
	ht_err err;           /* MONITOR_END */
	bool raw;             /* MONITOR_END: the socket is SOCK_RAW */
	const uint8_t *bytes; /* MONITOR_DATA: borrowed from the message */
	size_t len;
};

/* Linux's rule (dev_valid_name), without ':'. */
bool monitor_name_valid(const char *name);
bool monitor_names_has(const struct monitor_names *names, const char *name);
/* HT_INVALID (no interface name), HT_FULL; a name that is there already is HT_OK. */
HT_MUST_CHECK ht_err monitor_names_put(struct monitor_names *names, const char *name);

/* Write a request; returns its length. */
size_t monitor_request_write(
    const struct monitor_request *q, uint8_t out[static MONITOR_REQUEST_MAX]);
/* HT_MALFORMED, HT_UNSUPPORTED (an unknown verb or privilege; out->id is set then). */
HT_MUST_CHECK ht_err monitor_request_parse(
    const void *bytes, size_t len, struct monitor_request *out);

void monitor_answer_write(
    const struct monitor_answer *a, uint8_t out[static MONITOR_ANSWER_HEAD]);
HT_MUST_CHECK ht_err monitor_answer_parse(
    const void *bytes, size_t len, struct monitor_answer *out);

#endif
