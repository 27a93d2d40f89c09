/* A scripted journal for tests of folds: what people entered and what agents sent goes
 * through the real folds into a real store, and tables are read back. */
#ifndef HT_TESTS_UNIT_SERVER_DERIVE_WORLD_H
#define HT_TESTS_UNIT_SERVER_DERIVE_WORLD_H

#include "unit/test.h"

#include <inttypes.h>
#include <math.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/derive/run.h"
#include "server/store/journal.h"
#include "unit/server/store/store_test.h"

#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

struct world {
	struct test_store store;
	struct db *db;
	int64_t now_ms;
	enum journal_lane lane; /* of the packs that follow */
	int64_t at_ms;          /* of their records; 0: now */
	bool open;              /* rows are appended that are not committed yet */
};

/* Rows of one fold come in one transaction: tests are not about the disk. */
static inline void world_flush(struct world *w)
{
	if (w->open)
		assert_ok(db_commit(w->db));
	w->open = false;
}

static inline int64_t world_append(struct world *w, struct journal_row *row)
{
	row->received_ms = w->now_ms;
	if (!w->open)
		assert_ok(db_begin(w->db));
	w->open = true;
	assert_ok(journal_append(w->db, row));
	return row->id;
}

static inline struct world *world_new(int64_t now_ms)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	test_store_init(&w->store);
	w->db = test_store_open(&w->store);
	w->now_ms = now_ms;
	w->lane = JOURNAL_DATA;
	return w;
}

static inline void world_free(struct world *w)
{
	world_flush(w);
	db_close(w->db);
	test_store_fini(&w->store);
	free(w);
}

/* A person's edit; `data` is the JSON object of its fields. */
static inline int64_t world_edit(struct world *w, const char *verb, const char *data)
{
	char at[HT_RFC3339_LEN + 1], payload[2048];

	ht_rfc3339(w->now_ms, at);
	int n = snprintf(payload, sizeof(payload),
	    "{\"effective_from\":\"%s\",\"data\":%s}", at, data);
	struct journal_row row = { .source = JOURNAL_OPERATOR,
		.kind = verb,
		.actor = "an",
		.payload = payload,
		.len = (size_t)n };
	return world_append(w, &row);
}

/* An agent's pack; `records` are SenML objects, comma separated, the first without its
 * brace taken for the base record. */
static inline int64_t world_pack(struct world *w, const char *agent, const char *records)
{
	static char payload[65536];
	int64_t at_ms = w->at_ms ? w->at_ms : w->now_ms;
	int n = snprintf(payload, sizeof(payload),
	    "[{\"bn\":\"%s/\",\"bt\":%" PRId64 ".%03d,%s]", agent, at_ms / 1000,
	    (int)(at_ms % 1000), records + 1);

	assert_true(n > 0 && (size_t)n < sizeof(payload));
	struct journal_row row = { .source = JOURNAL_AGENT,
		.kind = "data",
		.agent = agent,
		.lane = w->lane,
		.content_type = SENML_JSON_TYPE,
		.payload = payload,
		.len = (size_t)n };
	return world_append(w, &row);
}

static inline int64_t world_say(struct world *w, const char *agent, const char *fmt, ...)
    HT_PRINTF(3, 4);
static inline int64_t world_say(struct world *w, const char *agent, const char *fmt, ...)
{
	static char records[32768];
	va_list args;

	va_start(args, fmt);
	int n = vsnprintf(records, sizeof(records), fmt, args);
	va_end(args);
	assert_true(n > 0 && (size_t)n < sizeof(records));
	return world_pack(w, agent, records);
}

static inline void world_beat(struct world *w)
{
	struct journal_row row = {
		.source = JOURNAL_SERVER, .kind = "beat", .payload = "{}", .len = 2
	};

	world_append(w, &row);
}

static inline void world_fold(struct world *w)
{
	world_flush(w);
	assert_ok(run_to_end(w->db));
}

/* The first column of the first row of a query as text, owned by the caller; "" for no
 * row, "NULL" for null. */
static inline char *world_ask(struct world *w, const char *sql)
{
	sqlite3 *raw;
	sqlite3_stmt *s;
	char *text = NULL;

	assert_int_equal(sqlite3_open(w->store.file, &raw), SQLITE_OK);
	if (sqlite3_prepare_v2(raw, sql, -1, &s, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(raw));
	if (sqlite3_step(s) == SQLITE_ROW)
		text = strdup(sqlite3_column_text(s, 0)
				  ? (const char *)sqlite3_column_text(s, 0)
				  : "NULL");
	else
		text = strdup("");
	sqlite3_finalize(s);
	sqlite3_close(raw);
	assert_non_null(text);
	return text;
}

static inline void world_is(struct world *w, const char *sql, const char *want)
{
	char *got = world_ask(w, sql);

	if (strcmp(got, want) != 0)
		fail_msg("%s\n got  %s\n want %s", sql, got, want);
	free(got);
}

static inline void world_says(struct world *w, const char *sql, const char *part)
{
	char *got = world_ask(w, sql);

	if (!strstr(got, part))
		fail_msg("%s\n got %s\n without %s", sql, got, part);
	free(got);
}

static inline double world_number(struct world *w, const char *sql)
{
	char *got = world_ask(w, sql);
	double v = strcmp(got, "NULL") == 0 || !got[0] ? NAN : strtod(got, NULL);

	free(got);
	return v;
}

static inline void world_near(struct world *w, const char *sql, double want)
{
	double got = world_number(w, sql);

	if (isnan(want) ? !isnan(got) : !(fabs(got - want) <= 1e-3 * fmax(1, fabs(want))))
		fail_msg("%s\n got %.9g, want %.9g", sql, got, want);
}

/* These tables as one text. */
static inline char *world_dump(struct world *w, const char *const *tables, size_t n)
{
	struct ht_buf b;
	sqlite3 *raw;

	ht_buf_init(&b, 64 << 20);
	assert_int_equal(sqlite3_open(w->store.file, &raw), SQLITE_OK);
	for (size_t t = 0; t < n; t++) {
		char sql[80];
		sqlite3_stmt *s;

		snprintf(
		    sql, sizeof(sql), "SELECT * FROM %s ORDER BY 1, 2, 3", tables[t]);
		assert_int_equal(sqlite3_prepare_v2(raw, sql, -1, &s, NULL), SQLITE_OK);
		while (sqlite3_step(s) == SQLITE_ROW) {
			ht_buf_printf(&b, "%s", tables[t]);
			for (int c = 0; c < sqlite3_column_count(s); c++) {
				const uint8_t *p = sqlite3_column_blob(s, c);
				bool blob = sqlite3_column_type(s, c) == SQLITE_BLOB;

				ht_buf_printf(&b, "|%s=", sqlite3_column_name(s, c));
				for (int k = 0; blob && k < sqlite3_column_bytes(s, c);
				     k++)
					ht_buf_printf(&b, "%02x", p[k]);
				if (!blob)
					ht_buf_printf(&b, "%s",
					    p ? (const char *)sqlite3_column_text(s, c)
					      : "NULL");
			}
			ht_buf_puts(&b, "\n");
		}
		sqlite3_finalize(s);
	}
	sqlite3_close(raw);
	char *text = ht_buf_steal(&b);
	assert_non_null(text);
	return text;
}

static inline void world_same(const char *a, const char *b)
{
	size_t at = 0, line = 0;

	for (; a[at] && a[at] == b[at]; at++) {
		if (a[at] == '\n')
			line = at + 1;
	}
	if (a[at] != b[at])
		fail_msg("first difference:\n%.1500s\n--\n%.1500s", a + line, b + line);
}

#endif
