/* Links in messages that acknowledge one incident without a login: the id, when it
 * expires, and a keyed hash of both (HMAC-SHA-256 under a key of this database). Such a
 * token lets its holder do nothing else. */
#ifndef HT_SERVER_ALERT_ACKLINK_H
#define HT_SERVER_ALERT_ACKLINK_H

#include <stdint.h>

#include "base/err.h"
#include "server/alert/incident.h"
#include "server/store/db.h"

#define ACKLINK_TTL_MS   (INT64_C(7) * 86400 * 1000)
#define ACKLINK_PATH_MAX (INCIDENT_ID_MAX + 128)

/* "/ack/<token>", token = <incident>~<expiry ms>~<64 hex>. For the writer thread: the
 * first call makes the key. */
HT_MUST_CHECK ht_err acklink_path(struct db *db, const char *incident, int64_t now_ms,
    char out[static ACKLINK_PATH_MAX]);

/* The incident of a token, from any connection. HT_MALFORMED, HT_DENIED (not ours),
 * HT_TIMEOUT (expired). */
HT_MUST_CHECK ht_err acklink_check(struct db *db, const char *token, int64_t now_ms,
    char out_incident[static INCIDENT_ID_MAX + 1]);

#endif
