#include "server/store/db.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#define DB_TABLES_MAX     32
#define DB_STATEMENTS_MAX 64
#define DB_SAVEPOINTS_MAX 4
#define DB_BUSY_MS        5000

struct db_rows {
	struct db *db;
	sqlite3_stmt *stmt;
	const char *room;
	int id;
	bool running;
	ht_err err; /* of start; told by the first next */
};

struct db_table {
	const struct db_sql *sql;
	struct db_rows *rows; /* sql->n of them */
};

struct db {
	sqlite3 *handle;
	struct db_table tables[DB_TABLES_MAX];
	size_t n_tables;
	struct db_rows failed; /* what start returns when memory is out */
	int depth;             /* of savepoints */
	const char *watched;   /* table, or NULL */
	void (*changed)(void *arg);
	void *changed_arg;
	bool hit; /* rows of it were inserted, not yet told */
	char error[512];
};

enum {
	SQL_BEGIN,
	SQL_BEGIN_READ,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_SAVE,
	SQL_RELEASE = SQL_SAVE + DB_SAVEPOINTS_MAX,
	SQL_ROLLBACK_TO = SQL_RELEASE + DB_SAVEPOINTS_MAX,
	SQL_COUNT = SQL_ROLLBACK_TO + DB_SAVEPOINTS_MAX
};

static const char *const sql[SQL_COUNT] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_BEGIN_READ] = "BEGIN",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_SAVE] = "SAVEPOINT s0",
	"SAVEPOINT s1",
	"SAVEPOINT s2",
	"SAVEPOINT s3",
	[SQL_RELEASE] = "RELEASE s0",
	"RELEASE s1",
	"RELEASE s2",
	"RELEASE s3",
	[SQL_ROLLBACK_TO] = "ROLLBACK TO s0",
	"ROLLBACK TO s1",
	"ROLLBACK TO s2",
	"ROLLBACK TO s3",
};

static const struct db_sql own = { "db", sql, SQL_COUNT };

static ht_err map_code(sqlite3 *handle, int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return HT_OK;
	case SQLITE_NOMEM:
		return HT_NOMEM;
	case SQLITE_FULL:
		return HT_FULL;
	case SQLITE_CONSTRAINT:
		return HT_CONFLICT;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return HT_CORRUPT;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return HT_AGAIN;
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return HT_DENIED;
	case SQLITE_TOOBIG:
		return HT_TOOLARGE;
	case SQLITE_INTERRUPT:
		return HT_TIMEOUT;
	case SQLITE_ERROR:
	case SQLITE_MISUSE:
	case SQLITE_RANGE:
		return HT_INVALID;
	default: /* IOERR, CANTOPEN, PROTOCOL: a full disk may show as these too */
		return handle && sqlite3_system_errno(handle) == ENOSPC ? HT_FULL : HT_IO;
	}
}

static ht_err fail(struct db *db, const char *room, int id, int code)
{
	ht_err err = map_code(db->handle, code);

	snprintf(db->error, sizeof(db->error), "%s statement %d: %s", room, id,
	    sqlite3_errmsg(db->handle));
	return err;
}

static ht_err pragmas(struct db *db, bool read_only)
{
	ht_err err = db_script(db, "PRAGMA foreign_keys = ON");

	if (!err && !read_only)
		err =
		    db_script(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
				  " PRAGMA cache_size = -32768");
	return err;
}

ht_err db_open(const char *file, bool read_only, struct db **out, struct ht_fault *fault)
{
	int flags =
	    read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
	struct db *db = calloc(1, sizeof(*db));
	ht_err err;

	if (!db)
		return ht_fault_set(fault, HT_NOMEM, "%s: out of memory", file);
	db->failed = (struct db_rows){ .db = db, .room = "db", .err = HT_NOMEM };
	int code = sqlite3_open_v2(file, &db->handle, flags | SQLITE_OPEN_NOMUTEX, NULL);
	if (code == SQLITE_OK) {
		sqlite3_extended_result_codes(db->handle, 1);
		sqlite3_busy_timeout(db->handle, DB_BUSY_MS);
		err = pragmas(db, read_only);
	} else {
		err = fail(db, "open", 0, code);
	}
	if (err) {
		ht_fault_set(fault, err,
		    "%s: cannot open the database (%s); check that the folder exists, "
		    "has space and is writable",
		    file, db->error);
		db_close(db);
		return err;
	}
	*out = db;
	return HT_OK;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	for (size_t i = 0; i < db->n_tables; i++) {
		for (size_t k = 0; k < db->tables[i].sql->n; k++)
			sqlite3_finalize(db->tables[i].rows[k].stmt);
		free(db->tables[i].rows);
	}
	sqlite3_close(db->handle);
	free(db);
}

static struct db_table *table_of(struct db *db, const struct db_sql *table)
{
	for (size_t i = 0; i < db->n_tables; i++) {
		if (db->tables[i].sql == table)
			return &db->tables[i];
	}
	assert(db->n_tables < DB_TABLES_MAX && table->n <= DB_STATEMENTS_MAX);
	struct db_rows *rows = calloc(table->n, sizeof(*rows));
	if (!rows)
		return NULL;
	db->tables[db->n_tables] = (struct db_table){ table, rows };
	return &db->tables[db->n_tables++];
}

/* SQLite numbers $n by first appearance, PostgreSQL by its number: they must agree. */
static ht_err check_names(struct db_rows *r)
{
	int n = sqlite3_bind_parameter_count(r->stmt);

	for (int i = 1; i <= n; i++) {
		const char *name = sqlite3_bind_parameter_name(r->stmt, i);
		char want[16];

		snprintf(want, sizeof(want), "$%d", i);
		if (!name || strcmp(name, want) != 0) {
			snprintf(r->db->error, sizeof(r->db->error),
			    "%s statement %d: placeholder %d is %s, not %s", r->room,
			    r->id, i, name ? name : "unnamed", want);
			return HT_INVALID;
		}
	}
	return HT_OK;
}

static ht_err prepare(struct db_rows *r, const char *text)
{
	const char *tail = NULL;

	if (!text) {
		snprintf(r->db->error, sizeof(r->db->error),
		    "%s statement %d: has no text", r->room, r->id);
		return HT_INVALID;
	}
	int code = sqlite3_prepare_v3(
	    r->db->handle, text, -1, SQLITE_PREPARE_PERSISTENT, &r->stmt, &tail);
	if (code != SQLITE_OK)
		return fail(r->db, r->room, r->id, code);
	ht_err err = check_names(r);
	if (!err && tail && *tail) {
		snprintf(r->db->error, sizeof(r->db->error),
		    "%s statement %d: more than one statement", r->room, r->id);
		err = HT_INVALID;
	}
	if (err) {
		sqlite3_finalize(r->stmt);
		r->stmt = NULL;
	}
	return err;
}

static int bind_null(sqlite3_stmt *s, int i)
{
	return sqlite3_bind_null(s, i);
}

static int bind_int(sqlite3_stmt *s, int i, int64_t v, bool null)
{
	return null ? bind_null(s, i) : sqlite3_bind_int64(s, i, v);
}

static int bind_double(sqlite3_stmt *s, int i, double v, bool null)
{
	return null ? bind_null(s, i) : sqlite3_bind_double(s, i, v);
}

static int bind_blob(sqlite3_stmt *s, int i, const void *bytes, size_t len)
{
	return sqlite3_bind_blob64(s, i, len ? bytes : "", len, SQLITE_STATIC);
}

static ht_err bind_all(struct db_rows *r, const char *types, va_list ap)
{
	size_t n = strlen(types);
	int code = SQLITE_OK;

	if ((int)n != sqlite3_bind_parameter_count(r->stmt)) {
		snprintf(r->db->error, sizeof(r->db->error),
		    "%s statement %d: %zu arguments for %d placeholders", r->room, r->id,
		    n, sqlite3_bind_parameter_count(r->stmt));
		return HT_INVALID;
	}
	for (int i = 1; i <= (int)n && code == SQLITE_OK; i++) {
		int64_t v;
		double d;
		const void *p;

		switch (types[i - 1]) {
		case 'i':
			code = bind_int(r->stmt, i, va_arg(ap, int64_t), false);
			break;
		case 'I':
			v = va_arg(ap, int64_t);
			code = bind_int(r->stmt, i, v, v == INT64_MIN);
			break;
		case 'd':
			code = bind_double(r->stmt, i, va_arg(ap, double), false);
			break;
		case 'D':
			d = va_arg(ap, double);
			code = bind_double(r->stmt, i, d, isnan(d));
			break;
		case 's':
			code = sqlite3_bind_text(
			    r->stmt, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
			break;
		case 'b':
			p = va_arg(ap, const void *);
			code = bind_blob(r->stmt, i, p, va_arg(ap, size_t));
			break;
		case 'n':
			code = bind_null(r->stmt, i);
			break;
		default:
			assert(!"db: unknown argument type");
		}
	}
	return code == SQLITE_OK ? HT_OK : fail(r->db, r->room, r->id, code);
}

static struct db_rows *start(
    struct db *db, const struct db_sql *table, int id, const char *types, va_list ap)
{
	struct db_table *t = table_of(db, table);

	assert(id >= 0 && (size_t)id < table->n);
	if (!t)
		return &db->failed;
	struct db_rows *r = &t->rows[id];
	assert(!r->running);
	r->db = db;
	r->room = table->room;
	r->id = id;
	r->running = true;
	r->err = r->stmt ? HT_OK : prepare(r, table->sql[id]);
	if (!r->err)
		r->err = bind_all(r, types, ap);
	return r;
}

struct db_rows *db_start(
    struct db *db, const struct db_sql *table, int id, const char *types, ...)
{
	va_list ap;

	va_start(ap, types);
	struct db_rows *r = start(db, table, id, types, ap);
	va_end(ap);
	return r;
}

ht_err db_next(struct db_rows *rows)
{
	if (rows->err)
		return rows->err;
	int code = sqlite3_step(rows->stmt);
	if (code == SQLITE_ROW)
		return HT_OK;
	rows->err = code == SQLITE_DONE ? HT_NOTFOUND
					: fail(rows->db, rows->room, rows->id, code);
	return rows->err;
}

bool db_is_null(const struct db_rows *rows, int column)
{
	return sqlite3_column_type(rows->stmt, column) == SQLITE_NULL;
}

int64_t db_int(const struct db_rows *rows, int column)
{
	return sqlite3_column_int64(rows->stmt, column);
}

double db_double(const struct db_rows *rows, int column)
{
	return db_is_null(rows, column) ? (double)NAN
					: sqlite3_column_double(rows->stmt, column);
}

const char *db_text(const struct db_rows *rows, int column)
{
	return (const char *)sqlite3_column_text(rows->stmt, column);
}

const void *db_blob(const struct db_rows *rows, int column, size_t *out_len)
{
	const void *p = sqlite3_column_blob(rows->stmt, column);

	*out_len = (size_t)sqlite3_column_bytes(rows->stmt, column);
	return p ? p : (db_is_null(rows, column) ? NULL : "");
}

int db_columns(const struct db_rows *rows)
{
	return sqlite3_column_count(rows->stmt);
}

void db_done(struct db_rows *rows)
{
	if (!rows)
		return;
	if (rows->stmt) {
		sqlite3_reset(rows->stmt);
		sqlite3_clear_bindings(rows->stmt);
	}
	rows->running = false;
}

static ht_err finish(struct db_rows *rows)
{
	ht_err err = db_next(rows);

	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

ht_err db_exec(struct db *db, const struct db_sql *table, int id, const char *types, ...)
{
	va_list ap;

	va_start(ap, types);
	struct db_rows *r = start(db, table, id, types, ap);
	va_end(ap);
	return finish(r);
}

int64_t db_last_id(const struct db *db)
{
	return sqlite3_last_insert_rowid(db->handle);
}

int db_changes(const struct db *db)
{
	return sqlite3_changes(db->handle);
}

const char *db_error(const struct db *db)
{
	return db->error;
}

ht_err db_begin(struct db *db)
{
	db->depth = 0;
	return db_exec(db, &own, SQL_BEGIN, "");
}

ht_err db_begin_read(struct db *db)
{
	db->depth = 0;
	return db_exec(db, &own, SQL_BEGIN_READ, "");
}

static void on_update(
    void *arg, int op, const char *schema, const char *table, sqlite3_int64 row)
{
	struct db *db = arg;

	if (op == SQLITE_INSERT && strcmp(table, db->watched) == 0)
		db->hit = true;
}

void db_watch(struct db *db, const char *table, void (*changed)(void *arg), void *arg)
{
	db->watched = table;
	db->changed = changed;
	db->changed_arg = arg;
	db->hit = false;
	sqlite3_update_hook(db->handle, table ? on_update : NULL, db);
}

ht_err db_commit(struct db *db)
{
	ht_err err = db_exec(db, &own, SQL_COMMIT, "");

	if (!err && db->hit) {
		db->hit = false;
		db->changed(db->changed_arg);
	}
	return err;
}

void db_rollback(struct db *db)
{
	db->depth = 0;
	db->hit = false;
	/* A full disk may have rolled back by itself already. */
	if (!sqlite3_get_autocommit(db->handle)) {
		ht_err err = db_exec(db, &own, SQL_ROLLBACK, "");
		(void)err;
	}
}

ht_err db_savepoint(struct db *db)
{
	assert(db->depth < DB_SAVEPOINTS_MAX);
	ht_err err = db_exec(db, &own, SQL_SAVE + db->depth, "");
	if (!err)
		db->depth++;
	return err;
}

ht_err db_release(struct db *db)
{
	assert(db->depth > 0);
	ht_err err = db_exec(db, &own, SQL_RELEASE + db->depth - 1, "");
	if (!err)
		db->depth--;
	return err;
}

void db_rollback_to(struct db *db)
{
	assert(db->depth > 0);
	db->depth--;
	if (sqlite3_get_autocommit(db->handle))
		return; /* the whole transaction is gone: commit will fail */
	ht_err err = db_exec(db, &own, SQL_ROLLBACK_TO + db->depth, "");
	if (!err)
		err = db_exec(db, &own, SQL_RELEASE + db->depth, "");
	(void)err;
}

ht_err db_script(struct db *db, const char *text)
{
	int code = sqlite3_exec(db->handle, text, NULL, NULL, NULL);

	return code == SQLITE_OK ? HT_OK : fail(db, "script", 0, code);
}
