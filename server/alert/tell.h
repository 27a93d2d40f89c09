/* Telling: what is due of incidents becomes rows of the outbox, in the fold's
 * transaction. One row a channel and kind, under a key that exists once:
 * '<incident>/<channel>/<kind>/<n>'. Their commit wakes the sender (sender.h). */
#ifndef HT_SERVER_ALERT_TELL_H
#define HT_SERVER_ALERT_TELL_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/alert/incident.h"

/* Fill the outbox for all that is due by `now_ms`. *out_told is set when something was.
 */
HT_MUST_CHECK ht_err tell_due(
    struct db *db, const struct rules *rules, int64_t now_ms, bool *out_told);

/* After a refold: what was due by `live_ms` was told then, or never will be. */
HT_MUST_CHECK ht_err tell_nothing(
    struct db *db, const struct rules *rules, int64_t live_ms);

/* Lower *due_ms to when something is due next. */
HT_MUST_CHECK ht_err tell_next(struct db *db, int64_t *due_ms);

/* The JSON of outbox.facts, with Vietnamese first; NULL when memory is out. `kind` is of
 * the outbox. */
struct json_object *tell_facts(struct db *db, const struct rules *rules,
    const struct incident *i, const char *kind, int64_t now_ms);

#endif
