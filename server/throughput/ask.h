/* What an agent says of slots, read from its message: pure. */
#ifndef HT_SERVER_THROUGHPUT_ASK_H
#define HT_SERVER_THROUGHPUT_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/name.h"
#include "mqtt/control.h"

#define ASK_BYTES_MAX   (INT64_C(1) << 40)
#define ASK_SECONDS_MAX 300
#define ASK_OUTCOME_MAX 200

enum ask_kind { ASK_OTHER, ASK_SLOT, ASK_SLOT_END };

struct ask {
	enum ask_kind kind;
	char id[CONTROL_ID_MAX + 1];
	/* ASK_SLOT */
	char link[HT_ID_MAX + 1];
	bool endpoint; /* against the server's own, not another URL */
	int64_t seconds;
	/* ASK_SLOT: that it may cost; ASK_SLOT_END: that it cost */
	int64_t bytes;
	/* ASK_SLOT_END */
	int64_t slot;
	char outcome[ASK_OUTCOME_MAX + 1];
};

/* ASK_OTHER: a message about something else. HT_MALFORMED: about slots, but not as the
 * protocol says; kind and id tell then what to answer. */
HT_MUST_CHECK ht_err ask_read(const void *json, size_t len, struct ask *out);

#endif
