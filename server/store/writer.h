/* The writer thread: the one write connection. It takes messages from the loop and calls
 * from API threads; commits at most 50 ms or 256 messages in one transaction; then tells
 * the loop what is committed (so that it is acknowledged); then folds in slices of at
 * most 20 ms. Bounded: 4,096 messages wait at most, then the loop stops reading. */
#ifndef HT_SERVER_STORE_WRITER_H
#define HT_SERVER_STORE_WRITER_H

#include <uv.h>

#include "base/err.h"
#include "server/store/db.h"
#include "server/store/journal.h"

struct writer;

/* What became of a message, told on the loop thread after its transaction committed (or
 * failed, then err is set and it must not be acknowledged). */
struct writer_result {
	ht_err err;		/* HT_OK, HT_EXISTS (resend), HT_CONFLICT, or a failure */
	const struct journal_row *row;	/* as submitted; payload is gone */
};

/* Submit a row from the loop thread; everything is copied. HT_FULL: try later. */
HT_MUST_CHECK ht_err writer_submit(struct writer *w, const struct journal_row *row,
    void (*done)(void *arg, const struct writer_result *result), void *arg);

/* Run `fn(db, arg)` on the writer thread inside a transaction of its own and wait for it:
 * for API threads and start-up, never from the loop. A result other than HT_OK rolls
 * back. Folds of the rows it appended have run before this returns (read your writes). */
HT_MUST_CHECK ht_err writer_call(struct writer *w, ht_err (*fn)(struct db *db, void *arg), void *arg);

/* The same from the loop thread, without waiting; `done` runs on the loop. */
HT_MUST_CHECK ht_err writer_post(struct writer *w, ht_err (*fn)(struct db *db, void *arg),
    void (*done)(void *arg, ht_err err), void *arg);

HT_MUST_CHECK ht_err writer_start(uv_loop_t *loop, const char *file, struct writer **out,
    struct ht_fault *fault);
/* Commits what waits, folds no further, joins the thread. */
void writer_stop(struct writer *w);

#endif
