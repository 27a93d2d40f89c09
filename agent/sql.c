#include "agent/sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Numbered, never edited once shipped; user_version tells which have run. */
static const char *const migrations[] = {
	/* 1 */
	"CREATE TABLE state ("
	" one INTEGER PRIMARY KEY CHECK (one = 1),"
	" epoch TEXT NOT NULL,"
	" fingerprint TEXT NOT NULL,"
	" next_seq INTEGER NOT NULL,"
	" dropped INTEGER NOT NULL);"
	/* id orders packs of all epochs; wall_ms is NULL when the clock was free. */
	"CREATE TABLE pack ("
	" id INTEGER PRIMARY KEY,"
	" epoch TEXT NOT NULL,"
	" seq INTEGER NOT NULL,"
	" boot TEXT NOT NULL,"
	" session TEXT NOT NULL,"
	" mono_ns INTEGER NOT NULL,"
	" wall_ms INTEGER,"
	" format INTEGER NOT NULL,"
	" payload BLOB NOT NULL,"
	" UNIQUE (epoch, seq));"
	/* carrier: the pack that tells the server; NULL while nobody does. */
	"CREATE TABLE gap ("
	" id INTEGER PRIMARY KEY,"
	" epoch TEXT NOT NULL,"
	" first INTEGER NOT NULL,"
	" last INTEGER NOT NULL,"
	" reason TEXT NOT NULL,"
	" carrier_epoch TEXT,"
	" carrier_seq INTEGER);"
	"CREATE TABLE memory ("
	" instance TEXT PRIMARY KEY,"
	" bytes BLOB NOT NULL) WITHOUT ROWID;",
};

static const char *const texts[SQL_STMT_COUNT] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_STATE_PUT] = "INSERT INTO state (one, epoch, fingerprint, next_seq, dropped)"
			  " VALUES (1, $1, $2, $3, $4)",
	[SQL_STATE_GET] = "SELECT epoch, fingerprint, next_seq, dropped FROM state",
	[SQL_STATE_SET] = "UPDATE state SET epoch = $1, fingerprint = $2, next_seq = $3,"
			  " dropped = $4",
	[SQL_PACK_PUT] =
	    "INSERT INTO pack (id, epoch, seq, boot, session, mono_ns, wall_ms,"
	    " format, payload) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
	[SQL_PACK_SUM] = "SELECT count(*), coalesce(sum(length(payload)), 0),"
			 " coalesce(max(id), 0) FROM pack",
	[SQL_PACK_OLDEST] =
	    "SELECT id, epoch, seq, boot, mono_ns, wall_ms, length(payload)"
	    " FROM pack ORDER BY id LIMIT 1",
	[SQL_PACK_DROP] = "DELETE FROM pack WHERE id = $1",
	[SQL_PACK_FETCH] =
	    "SELECT id, epoch, seq, boot, session, mono_ns, wall_ms, format,"
	    " payload FROM pack WHERE id > $1 AND id < $2 ORDER BY id LIMIT $3",
	[SQL_PACK_ACK] = "DELETE FROM pack WHERE epoch = $1 AND seq BETWEEN $2 AND $3"
			 " RETURNING length(payload)",
	[SQL_GAP_EXTEND] = "UPDATE gap SET last = $1 WHERE epoch = $2 AND last = $3"
			   " AND reason = $4 AND carrier_seq IS NULL",
	[SQL_GAP_PUT] =
	    "INSERT INTO gap (epoch, first, last, reason) VALUES ($1, $2, $3, $4)",
	[SQL_GAP_CARRY] =
	    "UPDATE gap SET carrier_epoch = $1, carrier_seq = $2 WHERE id = $3"
	    " AND last = $4",
	[SQL_GAP_UNCARRY] = "UPDATE gap SET carrier_epoch = NULL, carrier_seq = NULL"
			    " WHERE carrier_epoch = $1 AND carrier_seq = $2",
	[SQL_GAP_FORGET] = "DELETE FROM gap WHERE carrier_epoch = $1"
			   " AND carrier_seq BETWEEN $2 AND $3",
	[SQL_GAP_WAITING] = "SELECT id, epoch, first, last, reason FROM gap"
			    " WHERE carrier_seq IS NULL ORDER BY id LIMIT $1",
	[SQL_GAP_COUNT] = "SELECT count(*), count(carrier_seq) FROM gap",
	[SQL_MEMORY_PUT] = "INSERT INTO memory (instance, bytes) VALUES ($1, $2)"
			   " ON CONFLICT (instance) DO UPDATE SET bytes = excluded.bytes",
	[SQL_MEMORY_FORGET] = "DELETE FROM memory WHERE instance = $1",
	[SQL_MEMORY_ALL] = "SELECT instance, bytes FROM memory",
};

ht_err sql_err(int code)
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
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return HT_CORRUPT;
	case SQLITE_CONSTRAINT:
		return HT_CONFLICT;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return HT_AGAIN;
	case SQLITE_TOOBIG:
		return HT_TOOLARGE;
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_AUTH:
		return HT_DENIED;
	default:
		return HT_IO;
	}
}

static ht_err exec(struct sql *s, const char *text)
{
	return sql_err(sqlite3_exec(s->db, text, NULL, NULL, NULL));
}

ht_err sql_limit_pages(struct sql *s, int64_t pages)
{
	char text[64];

	/* A pragma takes no parameters. */
	snprintf(text, sizeof(text), "PRAGMA max_page_count = %" PRId64, pages);
	return exec(s, text);
}

ht_err sql_sync(struct sql *s, bool full)
{
	return exec(
	    s, full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
}

ht_err sql_shrink(struct sql *s)
{
	return exec(s, "PRAGMA incremental_vacuum(64)");
}

static ht_err pragma_int(struct sql *s, const char *text, int64_t *out)
{
	sqlite3_stmt *st = NULL;
	int code = sqlite3_prepare_v2(s->db, text, -1, &st, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(st);
	if (code == SQLITE_ROW)
		*out = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return code == SQLITE_ROW ? HT_OK : sql_err(code);
}

/* A page that is broken shows here, not in the middle of an outage. */
ht_err sql_check(struct sql *s)
{
	sqlite3_stmt *st = NULL;
	int code = sqlite3_prepare_v2(s->db, "PRAGMA quick_check(1)", -1, &st, NULL);
	ht_err err = HT_CORRUPT;

	if (code == SQLITE_OK)
		code = sqlite3_step(st);
	if (code == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(st, 0);
		if (text && strcmp(text, "ok") == 0)
			err = HT_OK;
	} else {
		err = sql_err(code);
	}
	sqlite3_finalize(st);
	return err;
}

static ht_err migrate(struct sql *s)
{
	static const char *const version[] = { NULL, "PRAGMA user_version = 1" };
	int64_t have = 0;
	ht_err err = pragma_int(s, "PRAGMA user_version", &have);

	if (err)
		return err;
	if (have > (int64_t)HT_COUNT(migrations))
		return HT_UNSUPPORTED;
	for (size_t i = (size_t)have; i < HT_COUNT(migrations); i++) {
		err = exec(s, "BEGIN IMMEDIATE");
		if (!err)
			err = exec(s, migrations[i]);
		if (!err)
			err = exec(s, version[i + 1]);
		if (!err)
			err = exec(s, "COMMIT");
		if (err) {
			sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
			return err;
		}
	}
	return HT_OK;
}

static ht_err prepare(struct sql *s)
{
	for (int i = 0; i < SQL_STMT_COUNT; i++) {
		int code = sqlite3_prepare_v3(
		    s->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, &s->stmt[i], NULL);
		if (code != SQLITE_OK)
			return sql_err(code);
	}
	return HT_OK;
}

/* Durable at each commit; small cache, no mmap: the agent lives in 4 MB. */
static const char *const pragmas[] = {
	"PRAGMA auto_vacuum = INCREMENTAL",
	"PRAGMA journal_mode = WAL",
	"PRAGMA synchronous = FULL",
	"PRAGMA mmap_size = 0",
	"PRAGMA cache_size = -192",
	"PRAGMA temp_store = MEMORY",
	"PRAGMA wal_autocheckpoint = 128",
	"PRAGMA journal_size_limit = 1048576",
};

ht_err sql_open(struct sql *s, const char *path, bool read_only, struct ht_fault *fault)
{
	int flags =
	    read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;

	memset(s, 0, sizeof(*s));
	ht_err err =
	    sql_err(sqlite3_open_v2(path, &s->db, flags | SQLITE_OPEN_NOMUTEX, NULL));
	if (!err)
		sqlite3_busy_timeout(s->db, 2000);
	for (size_t i = 0; !err && !read_only && i < HT_COUNT(pragmas); i++)
		err = exec(s, pragmas[i]);
	if (!err && !read_only)
		err = sql_check(s);
	if (!err && !read_only)
		err = migrate(s);
	if (!err)
		err = prepare(s);
	if (err) {
		ht_fault_set(fault, err, "%s: %s", path,
		    s->db ? sqlite3_errmsg(s->db) : ht_err_name(err));
		sql_close(s);
	}
	return err;
}

static bool ranges(sqlite3 *db, const char *text, sql_range_fn range, void *arg)
{
	sqlite3_stmt *st = NULL;
	int code = sqlite3_prepare_v2(db, text, -1, &st, NULL);

	while (code == SQLITE_OK || code == SQLITE_ROW) {
		code = sqlite3_step(st);
		if (code != SQLITE_ROW)
			break;
		const char *epoch = (const char *)sqlite3_column_text(st, 0);
		range(arg, epoch ? epoch : "", sqlite3_column_int64(st, 1),
		    sqlite3_column_int64(st, 2),
		    (const char *)sqlite3_column_text(st, 3));
	}
	sqlite3_finalize(st);
	return code == SQLITE_DONE;
}

static bool state_of(sqlite3 *db, char *epoch, size_t cap, int64_t *next_seq)
{
	sqlite3_stmt *st = NULL;
	int code =
	    sqlite3_prepare_v2(db, "SELECT epoch, next_seq FROM state", -1, &st, NULL);
	const char *text = NULL;

	if (code == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
		text = (const char *)sqlite3_column_text(st, 0);
	if (text && strlen(text) < cap) {
		snprintf(epoch, cap, "%s", text);
		*next_seq = sqlite3_column_int64(st, 1);
	} else {
		text = NULL;
	}
	sqlite3_finalize(st);
	return text != NULL;
}

static sqlite3 *open_broken(const char *path)
{
	sqlite3 *db = NULL;

	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
		NULL) == SQLITE_OK)
		return db;
	sqlite3_close(db);
	return NULL;
}

ht_err sql_state_of(const char *path, char *epoch, size_t cap, int64_t *out_next_seq)
{
	sqlite3 *db = open_broken(path);
	bool known = db && state_of(db, epoch, cap, out_next_seq);

	sqlite3_close(db);
	return known ? HT_OK : HT_CORRUPT;
}

bool sql_ranges_of(const char *path, sql_range_fn range, void *arg)
{
	sqlite3 *db = open_broken(path);
	bool all =
	    db &&
	    ranges(db, "SELECT epoch, min(seq), max(seq), NULL FROM pack GROUP BY epoch",
		range, arg);

	/* Those that cannot be read are lost with the rest. */
	if (db)
		(void)ranges(
		    db, "SELECT epoch, first, last, reason FROM gap", range, arg);
	sqlite3_close(db);
	return all;
}

void sql_close(struct sql *s)
{
	for (int i = 0; i < SQL_STMT_COUNT; i++)
		sqlite3_finalize(s->stmt[i]);
	sqlite3_close(s->db);
	memset(s, 0, sizeof(*s));
}

sqlite3_stmt *sql_get(struct sql *s, enum sql_stmt which)
{
	sqlite3_reset(s->stmt[which]);
	sqlite3_clear_bindings(s->stmt[which]);
	return s->stmt[which];
}

ht_err sql_run(sqlite3_stmt *stmt)
{
	int code = sqlite3_step(stmt);

	sqlite3_reset(stmt);
	return sql_err(code);
}

ht_err sql_step(sqlite3_stmt *stmt, bool *out_row)
{
	int code = sqlite3_step(stmt);

	*out_row = code == SQLITE_ROW;
	if (code != SQLITE_ROW)
		sqlite3_reset(stmt);
	return sql_err(code);
}
