/* Retention: the journal keeps agents' and the server's rows for a time or a size, and
 * people's rows for ever. Rows that a result cites are copied into `evidence` before they
 * go; a row that some fold has not seen never goes. */
#ifndef HT_SERVER_STORE_KEEP_H
#define HT_SERVER_STORE_KEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "server/store/db.h"

#define KEEP_SLICE    500           /* rows at a time */
#define KEEP_LEAST_MS (3600 * 1000) /* what is younger stays, however full it is */

struct keep_result {
	int64_t deleted, copied;
	bool more; /* there may be more to delete */
};

/* One slice, inside the caller's transaction. */
HT_MUST_CHECK ht_err keep_slice(struct db *db, int64_t now_ms, int64_t keep_ms,
    int64_t keep_bytes, struct keep_result *out);

#endif
