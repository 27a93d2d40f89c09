/* The hours that a row of polls writes into. An hour knows the first and the last row
 * that it stands on: folded again, it is begun anew when all of them are kept, and else
 * stays and takes only what it does not hold yet. */
#ifndef HT_SERVER_DERIVE_BANDWIDTH_HOUR_H
#define HT_SERVER_DERIVE_BANDWIDTH_HOUR_H

#include "server/derive/usage.h"
#include "server/store/db.h"
#include "server/store/journal.h"

struct bandwidth_hour {
	struct db *db;
	const char *link, *agent;
	int64_t row_id;
	int64_t from_id; /* the row of the earlier poll: to be set before each use */

	/* own */
	int64_t hour_ms; /* INT64_MIN: none */
	struct usage_hour h;
	int64_t first_id, last_id;
	int64_t closed_ms; /* months before it are over */
};

HT_MUST_CHECK ht_err bandwidth_hour_init(struct bandwidth_hour *t, struct db *db,
    const char *link, const struct journal_row *row);
/* In the order of time. What lies in a month that is over is left out. */
HT_MUST_CHECK ht_err bandwidth_hour_gap(struct bandwidth_hour *t, int64_t at_ms, int gap);
HT_MUST_CHECK ht_err bandwidth_hour_spread(struct bandwidth_hour *t, int64_t from_ms,
    int64_t to_ms, const double down_up_bps[static 2]);
HT_MUST_CHECK ht_err bandwidth_hour_save(struct bandwidth_hour *t); /* at the end */

#endif
