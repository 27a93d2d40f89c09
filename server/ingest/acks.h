/* Sequence numbers of one epoch that are committed and not yet told, as ranges. */
#ifndef HT_SERVER_INGEST_ACKS_H
#define HT_SERVER_INGEST_ACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "mqtt/control.h"

#define ACKS_RANGES_MAX 256

struct acks {
	char epoch[PROPS_HEX_LEN + 1];
	bool new_epoch; /* a conflict was found: ask for one */
	struct control_range ranges[ACKS_RANGES_MAX]; /* ascending, with holes between */
	size_t n;
};

void acks_init(struct acks *a, const char *epoch);

/* HT_FULL: unchanged; tell what is there, or let the agent send it again. */
HT_MUST_CHECK ht_err acks_add(struct acks *a, int64_t seq);

/* Append the message. HT_INVALID: not an epoch, or numbers below 1. */
HT_MUST_CHECK ht_err acks_encode(const struct acks *a, struct ht_buf *out);

#endif
