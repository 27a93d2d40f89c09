/* Whether a question gets a slot, and the slot's row: one transaction of the writer, so
 * two questions at once cannot both be granted. */
#ifndef HT_SERVER_THROUGHPUT_DECIDE_H
#define HT_SERVER_THROUGHPUT_DECIDE_H

#include "server/throughput/lookup.h"

#define DECIDE_SLACK_MS \
	3000 /* beyond the seconds asked for: the answer's way and the end's */

/* Who waits; the writer thread's. */
struct decide_waiting {
	struct lookup_waiting at[LOOKUP_WAITING_MAX];
	size_t n;
};

struct decision {
	/* what is asked, when and by whom */
	char agent[HT_ID_MAX + 1];
	struct ask ask;
	int64_t now_ms;
	/* what became of it */
	struct slots_verdict verdict;
	bool
	    repeated; /* the question was granted before: granted says whether it lasts */
	int64_t slot, expires_ms;
	int64_t replaced[LOOKUP_LIVE_MAX];
	size_t n_replaced;
};

/* Inside a transaction. `x` comes zeroed but for what is asked. */
HT_MUST_CHECK ht_err decide(struct db *db, const struct slots_rules *rules,
    struct decide_waiting *waiting, struct decision *x);

#endif
