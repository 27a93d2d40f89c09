/* The far end of tests: a small HTTP server of its own, on threads of its own.
 *
 *   GET /down?bytes=N    N bytes that cannot be compressed
 *   PUT /up              takes a body and answers {"bytes":N}, what came of it
 *
 * Both only with a pass ("Authorization: Bearer <token>") that was made for a slot: it
 * ends with the slot, and carries so many bytes, both ways together, on all connections
 * together. 403 for another token, 413 for more bytes than it has left, 429 for more than
 * 40 connections; a connection on which it runs dry, or out of time, is closed, and so is
 * one that shows no pass within ten seconds, whatever it sends (guests.h). */
#ifndef HT_SERVER_THROUGHPUT_ENDPOINT_H
#define HT_SERVER_THROUGHPUT_ENDPOINT_H

#include <stdint.h>

#include "base/err.h"

enum { ENDPOINT_TOKEN_HEX = 64, ENDPOINT_PASSES_MAX = 64 };

struct endpoint;

struct endpoint_options {
	const char *address;
	uint16_t port;                    /* 0: the kernel chooses */
	const char *cert_file, *key_file; /* NULL: HTTP without TLS */
	int64_t grace_ns; /* how long a connection may do without a pass; 0: 10 s */
};

HT_MUST_CHECK ht_err endpoint_start(
    const struct endpoint_options *o, struct endpoint **out, struct ht_fault *fault);
void endpoint_stop(struct endpoint *e); /* accepts NULL; joins its threads */
uint16_t endpoint_port(const struct endpoint *e);

/* A pass for a slot until `until_ns` (ht_mono_ns). Any thread. HT_FULL. */
HT_MUST_CHECK ht_err endpoint_allow(struct endpoint *e, int64_t slot, int64_t bytes,
    int64_t until_ns, char out_token[static ENDPOINT_TOKEN_HEX + 1]);

/* The slot's pass is void from now on. What it carried; -1: there was none. */
int64_t endpoint_end(struct endpoint *e, int64_t slot);

#endif
