/* The folds' engine: reads the journal in order, decodes and dates an agent's pack once,
 * gives it to every fold that has not seen it, and writes results and cursors in the
 * caller's transaction. Stateless between slices: what it knows is in the database. */
#ifndef HT_SERVER_DERIVE_RUN_H
#define HT_SERVER_DERIVE_RUN_H

#include "base/err.h"
#include "server/derive/fold.h"
#include "server/store/db.h"
#include "server/store/writer.h"

/* One slice, inside the caller's transaction: at least one row when there is one, then on
 * until `budget_ns` have passed. A fold that is new or has another version is reset
 * first. */
HT_MUST_CHECK ht_err run_slice(
    struct db *db, int64_t budget_ns, struct writer_fold_state *out);

/* The same with other folds, for tests. At most RUN_FOLDS_MAX. */
#define RUN_FOLDS_MAX 32
HT_MUST_CHECK ht_err run_slice_of(struct db *db, const struct fold *const *list, size_t n,
    int64_t budget_ns, struct writer_fold_state *out);

/* Slices, each in a transaction of its own, until every fold has seen every row. */
HT_MUST_CHECK ht_err run_to_end(struct db *db);

/* Forget what `name` derived (NULL: what all did), in a transaction of its own;
 * run_to_end derives it anew. HT_NOTFOUND: no such fold. */
HT_MUST_CHECK ht_err run_forget(struct db *db, const char *name);

#endif
