/* The passes of an endpoint: what each still carries, and until when. Any thread. */
#ifndef HT_SERVER_THROUGHPUT_PASSES_H
#define HT_SERVER_THROUGHPUT_PASSES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "server/throughput/endpoint.h"

enum {
	PASS_TOKEN_BYTES = ENDPOINT_TOKEN_HEX / 2,
	PASS_CONNECTIONS = 40 /* 16 streams, 16 of before that end, and some */
};

struct pass {
	uint8_t token[PASS_TOKEN_BYTES];
	int64_t slot, bytes, until_ns;
	_Atomic int64_t used;
	atomic_bool ended;
	size_t refs; /* under the table's lock: the table's own, and connections' */
};

struct passes {
	pthread_mutex_t lock;
	struct pass *at[ENDPOINT_PASSES_MAX];
};

void passes_init(struct passes *all);
void passes_fini(struct passes *all);

/* As endpoint_allow() and endpoint_end(). */
HT_MUST_CHECK ht_err passes_allow(struct passes *all, int64_t slot, int64_t bytes,
    int64_t until_ns, char out_token[static ENDPOINT_TOKEN_HEX + 1]);
int64_t passes_end(struct passes *all, int64_t slot);

/* NULL: there is none, or its time is over. Else one reference, to be dropped. */
struct pass *passes_find(struct passes *all, const uint8_t token[PASS_TOKEN_BYTES]);
void passes_drop(struct passes *all, struct pass *p);
bool passes_crowded(struct passes *all, const struct pass *p); /* too many references */

int64_t pass_left(const struct pass *p);
size_t pass_take(struct pass *p, size_t want); /* how many of those it still carries */
void pass_refund(struct pass *p, int64_t bytes);

#endif
