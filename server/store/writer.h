/* The writer thread: the one write connection. It takes messages from the loop and calls
 * from API threads; commits at most 50 ms or 256 messages in one transaction; then tells
 * the loop what is committed (so that it is acknowledged); then folds in slices of at
 * most 20 ms. Bounded: 4,096 messages wait at most, then the loop stops reading.
 *
 * Folds take time from rows alone: when one says that time by itself changes something,
 * the writer appends the server's row `beat` at that time, at most every 100 ms. */
#ifndef HT_SERVER_STORE_WRITER_H
#define HT_SERVER_STORE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "server/store/db.h"
#include "server/store/journal.h"

struct writer;

/* What became of a message, told on the loop thread after its transaction committed (or
 * failed, then err is set and it must not be acknowledged). */
struct writer_result {
	ht_err err; /* HT_OK, HT_EXISTS (resend), HT_CONFLICT, or a failure */
	const struct journal_row *row; /* as submitted; payload is gone */
};

/* Submit a row from the loop thread; everything is copied. HT_FULL: try later. */
HT_MUST_CHECK ht_err writer_submit(struct writer *w, const struct journal_row *row,
    void (*done)(void *arg, const struct writer_result *result), void *arg);

/* The same for what must not be folded: a clone's row (journal_aside) and garbage
 * (journal_garbage). `row` is NULL in a result of garbage. */
HT_MUST_CHECK ht_err writer_submit_aside(struct writer *w, const struct journal_row *row,
    const char *fingerprint, void (*done)(void *arg, const struct writer_result *result),
    void *arg);
HT_MUST_CHECK ht_err writer_submit_garbage(struct writer *w,
    const struct journal_garbage *g,
    void (*done)(void *arg, const struct writer_result *result), void *arg);

/* Run `fn(db, arg)` on the writer thread inside a transaction of its own and wait for it:
 * for API threads and start-up, never from the loop. A result other than HT_OK rolls
 * back. Folds of the rows it appended have run before this returns (read your writes). */
HT_MUST_CHECK ht_err writer_call(
    struct writer *w, ht_err (*fn)(struct db *db, void *arg), void *arg);

/* The same from the loop thread, without waiting; `done` runs on the loop. */
HT_MUST_CHECK ht_err writer_post(struct writer *w, ht_err (*fn)(struct db *db, void *arg),
    void (*done)(void *arg, ht_err err), void *arg);

HT_MUST_CHECK ht_err writer_start(
    uv_loop_t *loop, const char *file, struct writer **out, struct ht_fault *fault);
/* Commits what waits (once: what the disk refuses stays unacknowledged), folds no
 * further, joins the thread, tells what is still untold. NULL is allowed. Call it on the
 * loop thread; the loop must run once more to free the rest. */
void writer_stop(struct writer *w);

/* How the writer is doing. Any thread. */
struct writer_stats {
	size_t queued, queued_bytes;                /* rows that wait for their commit */
	uint64_t committed;                         /* rows, since start */
	uint64_t resent, conflicts, aside, garbage; /* of them */
	uint64_t refused;                           /* submits answered HT_FULL */
	uint64_t transactions, failures;
	int64_t last_commit_ms; /* Unix; 0: none yet */
	int64_t last_commit_took_us;
	int64_t failing_since_ms; /* 0: commits work */
	ht_err last_err;          /* of the failure that lasts, or HT_OK */
	char last_error[256];
	int64_t fold_lag_rows; /* journal rows that the slowest fold has not seen */
	int64_t fold_lag_ms;   /* age of the oldest of them when last looked */
	uint64_t fold_failures;
};
void writer_stats(struct writer *w, struct writer_stats *out);

/* The folds as the writer sees them; server/derive/run.c defines the one there is. */
struct writer_fold_state {
	bool more; /* some fold has not seen all rows, or not settled all */
	int64_t lag_rows;
	int64_t oldest_ms; /* received_ms of the first of them; 0: none */
	int64_t due_ms;    /* Unix: time alone changes something then; 0: never */
};
struct writer_folds {
	/* Inside the caller's transaction: fold for at most `budget_ns`, then tell what
	 * is left. */
	ht_err (*slice)(struct db *db, int64_t budget_ns, struct writer_fold_state *out);
};
extern const struct writer_folds writer_folds;

#endif
