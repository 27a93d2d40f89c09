/* The outbox: messages to people, as rows (migration 0003). Rules append them in the
 * transaction of what they tell; the sender takes those that are due and marks what
 * became of them. A row stays pending until somebody's machine has taken the message, so
 * a kill at any moment sends it again, with the same key. All on the writer's thread. */
#ifndef HT_SERVER_ALERT_OUTBOX_H
#define HT_SERVER_ALERT_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "server/alert/channel.h"
#include "server/store/db.h"

#define OUTBOX_CLAIM_MAX 64 /* rows of one claim */

/* One that is due; texts are malloc'ed, freed by outbox_row_fini. */
struct outbox_row {
	int64_t id, created_ms;
	int attempts;
	char *key, *incident, *kind, *facts;
	char *announce_key; /* of the incident's first message there, or NULL */
	const struct channel *channel;
};
void outbox_row_fini(struct outbox_row *row);

struct outbox_claim {
	const struct channels *channels; /* in */
	int64_t now_ms;                  /* in */
	bool hurry;                      /* in: try again at once what failed before */
	size_t want[CHANNELS_MAX]; /* in: rows of channels->at[i], those on the way too */
	const int64_t *busy;       /* in: ids that are on the way: not claimed again */
	size_t n_busy;
	struct outbox_row rows[OUTBOX_CLAIM_MAX]; /* out */
	size_t n;
	int64_t next_ms; /* out: when the next is due; 0: none */
	int dropped;     /* out */
};

/* Drop what has no channel any more and what newer messages overtook; then read what is
 * due. On failure no rows are left behind. */
HT_MUST_CHECK ht_err outbox_claim(struct db *db, struct outbox_claim *c);

/* What became of one attempt. */
struct outbox_mark {
	int64_t id, now_ms, due_ms; /* due: of the next attempt */
	const char *state;          /* "pending", "sent", "failed" */
	const char *error;          /* NULL: none */
	const char *channel; /* that works again: its others need not wait; or NULL */
};
HT_MUST_CHECK ht_err outbox_mark(struct db *db, const struct outbox_mark *m);

/* When to try again after `attempts` failures (1 …): 1 s doubling to 5 min, of which a
 * random part between the half and the whole; `random` is any number. Pure. */
int64_t outbox_backoff_ms(int attempts, uint32_t random);

/* When a message of that kind is given up, in ms after it was made. Pure. */
int64_t outbox_patience_ms(const char *kind);

/* A message to prove `channel`; `key` receives its key. */
#define OUTBOX_KEY_MAX 320
HT_MUST_CHECK ht_err outbox_put_test(struct db *db, const char *channel, int64_t now_ms,
    uint64_t random, char key[static OUTBOX_KEY_MAX]);

#endif
