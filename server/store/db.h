/* One SQLite connection with named statements. A room's SQL stands in one file of its
 * own (`<room>/sql.c`): a const table indexed by an enum, prepared once a connection.
 * Placeholders are $1, $2 … in the order of first use (checked when prepared).
 *
 * A connection belongs to one thread. The writer thread owns the only one that writes;
 * readers open theirs read-only. */
#ifndef HT_SERVER_STORE_DB_H
#define HT_SERVER_STORE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct db;
struct db_rows; /* a running statement; lives inside its struct db */

struct db_sql {
	const char *room;       /* for messages */
	const char *const *sql; /* indexed by the room's enum */
	size_t n;               /* at most 64 */
};

/* WAL, synchronous=FULL for the writer, foreign keys on, 5 s busy timeout. Does not
 * migrate (see migrate.h). The fault names the file and the cure. */
HT_MUST_CHECK ht_err db_open(
    const char *file, bool read_only, struct db **out, struct ht_fault *fault);
void db_close(struct db *db); /* accepts NULL */

/* Start statement `id` of `table` with arguments named by one letter each:
 *   i int64_t    d double    s const char * (NULL is SQL NULL)
 *   b const void *, size_t   n (no argument) SQL NULL
 *   I int64_t or SQL NULL when it is INT64_MIN    D double or SQL NULL when NaN
 * Text and blobs are borrowed until db_done. Never NULL: errors show at db_next. */
struct db_rows *db_start(
    struct db *db, const struct db_sql *table, int id, const char *types, ...);

/* HT_OK: a row is there. HT_NOTFOUND: no more. HT_CONFLICT: a constraint (unique, check)
 * refused it. HT_FULL: the disk is full. HT_CORRUPT, HT_IO … db_error() has the text. */
ht_err db_next(struct db_rows *rows);

bool db_is_null(const struct db_rows *rows, int column);
int64_t db_int(const struct db_rows *rows, int column);   /* 0 for NULL */
double db_double(const struct db_rows *rows, int column); /* NaN for NULL */
const char *db_text(
    const struct db_rows *rows, int column); /* NULL for NULL; until db_next */
const void *db_blob(const struct db_rows *rows, int column, size_t *out_len);
int db_columns(const struct db_rows *rows);

/* End it (accepts NULL); the statement is ready for its next start. Statements do not
 * nest with themselves: starting one that is running asserts. */
void db_done(struct db_rows *rows);

/* start, one next, done. HT_OK when it ran, with or without a row. */
HT_MUST_CHECK ht_err db_exec(
    struct db *db, const struct db_sql *table, int id, const char *types, ...);

int64_t db_last_id(const struct db *db);   /* rowid of the last insert */
int db_changes(const struct db *db);       /* rows touched by the last statement */
const char *db_error(const struct db *db); /* the last error's text, for the log */

HT_MUST_CHECK ht_err db_begin(struct db *db); /* BEGIN IMMEDIATE */
HT_MUST_CHECK ht_err db_begin_read(
    struct db *db); /* BEGIN: one snapshot for several reads */
HT_MUST_CHECK ht_err db_commit(struct db *db);
void db_rollback(struct db *db);
HT_MUST_CHECK ht_err db_savepoint(struct db *db); /* inside a transaction; nests 4 deep */
HT_MUST_CHECK ht_err db_release(struct db *db);   /* the innermost */
void db_rollback_to(struct db *db);               /* the innermost, and release it */

/* Have `changed` called on this connection's thread after each commit that inserted rows
 * into `table` (one watch a connection; NULL ends it). It must not use the connection. */
void db_watch(struct db *db, const char *table, void (*changed)(void *arg), void *arg);

/* Run fixed text of several statements without arguments or rows: migrations only. */
HT_MUST_CHECK ht_err db_script(struct db *db, const char *sql);

#endif
