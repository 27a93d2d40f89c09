/* Looking after a database: is it whole, does the journal explain every sequence number,
 * backup and restore. */
#ifndef HT_SERVER_STORE_CHECK_H
#define HT_SERVER_STORE_CHECK_H

#include <stdint.h>

#include "base/err.h"
#include "server/store/db.h"

struct check_hole {
	const char *agent, *epoch; /* until the callback returns */
	int64_t first_seq, last_seq;
};

struct check_report {
	int64_t problems; /* integrity errors, and cursors beyond the journal's end */
	int64_t
	    holes; /* runs of numbers that nothing explains; packs in flight are such */
	int64_t rows, conflicts, clones, garbage, gaps;
};

struct check_events {
	void *arg;
	void (*problem)(void *arg, const char *text);
	void (*hole)(void *arg, const struct check_hole *hole);
};

/* Reads all of the database. Errors: of reading it; what is found is in the report. */
HT_MUST_CHECK ht_err check_database(
    struct db *db, const struct check_events *events, struct check_report *out);

/* A whole copy in a new file, while others go on writing. HT_EXISTS. */
HT_MUST_CHECK ht_err check_backup(struct db *db, const char *to, struct ht_fault *fault);

/* Put the backup `from` in the place of `file`, which is kept as <file>.before-restore.
 * The backup is checked first; nobody else may use `file` now. */
HT_MUST_CHECK ht_err check_restore(
    const char *from, const char *file, struct ht_fault *fault);

#endif
