/* The server's own health as problems: certificates that run out, the disk, the queue.
 * Once a minute the server appends what it sees (health_append); fold_health opens and
 * closes by two thresholds each, so that a value at the edge does not flap. */
#ifndef HT_SERVER_ALERT_HEALTH_H
#define HT_SERVER_ALERT_HEALTH_H

#include <stdint.h>

#include "base/err.h"
#include "server/store/db.h"

#define HEALTH_EVERY_MS   60000
#define HEALTH_CERT_DAYS  14   /* renewal is at two thirds of a certificate's life */
#define HEALTH_DISK_LOW   0.10 /* free share of the disk that opens, and closes */
#define HEALTH_DISK_FINE  0.15
#define HEALTH_QUEUE_LONG 100000 /* rows that folds or commits are behind by */
#define HEALTH_QUEUE_FINE 20000

struct health_seen {
	double disk_free;   /* 0 to 1; NaN: unknown */
	int64_t queue_rows; /* that wait for their commit or their folds */
};

/* Append a server row `health`. For writer_call and writer_post. */
HT_MUST_CHECK ht_err health_append(
    struct db *db, const struct health_seen *seen, int64_t now_ms);

#endif
