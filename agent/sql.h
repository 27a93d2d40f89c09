/* The spool's schema and every SQL statement of the agent: texts in one table, indexed
 * by enum, prepared once a connection. The connection belongs to one thread (the
 * worker's); `queue show` opens one of its own. Nothing else in agent/ writes SQL. */
#ifndef HT_AGENT_SQL_H
#define HT_AGENT_SQL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum sql_stmt {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_STATE_PUT,
	SQL_STATE_GET,
	SQL_STATE_SET,
	SQL_PACK_PUT,
	SQL_PACK_SUM,
	SQL_PACK_OLDEST,
	SQL_PACK_DROP,
	SQL_PACK_FETCH,
	SQL_PACK_ACK,
	SQL_GAP_EXTEND,
	SQL_GAP_PUT,
	SQL_GAP_CARRY,
	SQL_GAP_UNCARRY,
	SQL_GAP_FORGET,
	SQL_GAP_WAITING,
	SQL_GAP_COUNT,
	SQL_MEMORY_PUT,
	SQL_MEMORY_FORGET,
	SQL_MEMORY_ALL,
	SQL_STMT_COUNT
};

struct sql {
	sqlite3 *db;
	sqlite3_stmt *stmt[SQL_STMT_COUNT];
};

/* Open (and create, unless `read_only`) the file, set the pragmas, bring the schema up
 * to date, prepare. HT_CORRUPT, HT_FULL, HT_IO, HT_NOMEM, HT_UNSUPPORTED (made by a
 * newer program). On failure `s` is closed. */
HT_MUST_CHECK ht_err sql_open(
    struct sql *s, const char *path, bool read_only, struct ht_fault *fault);
void sql_close(struct sql *s); /* accepts a zeroed or half-open one */

/* Read every page and index: HT_CORRUPT when something is wrong. */
HT_MUST_CHECK ht_err sql_check(struct sql *s);

/* What can still be read of a broken file, which nobody has open: all is untrusted.
 * State: the epoch, and the number that would have come next. HT_CORRUPT. */
HT_MUST_CHECK ht_err sql_state_of(
    const char *path, char *epoch, size_t cap, int64_t *out_next_seq);
/* Numbers that lay in it: of packs, by epoch (reason NULL), and gaps. Whether the packs
 * could be read to their end. */
typedef void (*sql_range_fn)(
    void *arg, const char *epoch, int64_t first, int64_t last, const char *reason);
bool sql_ranges_of(const char *path, sql_range_fn range, void *arg);

/* The most pages the file may ever have. */
HT_MUST_CHECK ht_err sql_limit_pages(struct sql *s, int64_t pages);

/* Whether a commit waits for the disk; it does after sql_open. */
HT_MUST_CHECK ht_err sql_sync(struct sql *s, bool full);

/* Give some free pages back to the file system. */
HT_MUST_CHECK ht_err sql_shrink(struct sql *s);

/* The statement, reset and unbound. */
sqlite3_stmt *sql_get(struct sql *s, enum sql_stmt which);

/* Step a statement that yields no rows to its end, and reset it. */
HT_MUST_CHECK ht_err sql_run(sqlite3_stmt *stmt);

/* One step: HT_OK with *out_row telling whether there is a row. At the end and on
 * error the statement is reset. */
HT_MUST_CHECK ht_err sql_step(sqlite3_stmt *stmt, bool *out_row);

/* Map a result code of SQLite. */
ht_err sql_err(int code);

#endif
