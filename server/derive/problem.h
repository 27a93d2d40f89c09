/* Problems: episodes of something wrong, the only thing that alert rules read (tables
 * `problem` and `problem_change`, migration 0003). Whoever detects something wrong writes
 * it here, from the `apply` of a fold: one problem of a kind and subject is open at a
 * time, its id is '<kind>/<subject>/<journal id that opened it>', and times come from
 * rows, so a refold gives the same.
 *
 * A kind belongs to one fold, which removes it in its reset (problem_reset). */
#ifndef HT_SERVER_DERIVE_PROBLEM_H
#define HT_SERVER_DERIVE_PROBLEM_H

#include <stdbool.h>

#include "base/name.h"
#include "server/store/db.h"

#define PROBLEM_KIND_MAX   40
#define PROBLEM_ID_MAX     (PROBLEM_KIND_MAX + HT_INSTANCE_MAX + 40)
#define PROBLEM_REASON_MAX 300

/* All is borrowed. */
struct problem {
	const char *kind, *subject;
	const char *agency, *provider; /* what it may be grouped by; NULL: nothing */
	const char *root;              /* id of the problem that explains it, or NULL */
	int64_t at_ms; /* Unix: when it began; the earliest time may lie before the row */
	const char *reason; /* one sentence, English */
	const char *facts;  /* a JSON object; NULL: {} */
};

/* Open it, or bring the one that is open up to date; `out_id` may be NULL. A change is
 * written when it opens, or when root, agency, provider, reason or facts differ. */
HT_MUST_CHECK ht_err problem_open(struct db *db, const struct problem *p,
    int64_t journal_id, char out_id[PROBLEM_ID_MAX + 1]);

/* The same for one that is open. HT_NOTFOUND: none is. at_ms: of the change. */
HT_MUST_CHECK ht_err problem_update(
    struct db *db, const struct problem *p, int64_t journal_id);

/* Close it; without an open one nothing happens. `reason` is how it ended; NULL: what was
 * said last stays. */
HT_MUST_CHECK ht_err problem_close(struct db *db, const char *kind, const char *subject,
    int64_t at_ms, int64_t journal_id, const char *reason);

/* The id of the open one. HT_NOTFOUND: none is. */
HT_MUST_CHECK ht_err problem_find(struct db *db, const char *kind, const char *subject,
    char out_id[static PROBLEM_ID_MAX + 1]);

/* Remove the problems of these kinds and their changes, as far as rows are kept from
 * which they can be made again. */
HT_MUST_CHECK ht_err problem_reset(struct db *db, const char *const *kinds, size_t n);

#endif
