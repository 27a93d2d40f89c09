#include "unit/test.h"

#include "server/store/journal.h"
#include "server/store/keep.h"
#include "unit/server/store/store_test.h"

#define NOW INT64_C(1700000000000)
#define DAY INT64_C(86400000)

enum { COUNT, CURSOR, CITE, PATH, EVIDENCE, N };
static const char *const texts[N] = {
	[COUNT] = "SELECT count(*) FROM journal WHERE source = $1",
	[CURSOR] = "INSERT INTO fold_cursor VALUES ('f', 1, $1)"
		   " ON CONFLICT (fold) DO UPDATE SET journal_id = excluded.journal_id",
	[CITE] = "INSERT INTO index_value VALUES ('d', 'i', 's', 1, 'known', 1, '/', 1, "
		 "1, 1, '', 1, '',"
		 " 1, 1, 'measured', '', '', $1, '{}', 0)",
	[PATH] = "INSERT INTO link_path VALUES ('l', 'a', $1, $1, $2, 1, NULL, '', "
		 "NULL, $3)",
	[EVIDENCE] = "SELECT journal_id, agent, payload FROM evidence",
};
static const struct db_sql table = { "test", texts, N };

static struct test_store store;
static struct db *db;

static int setup(void **state)
{
	test_store_init(&store);
	db = test_store_open(&store);
	return 0;
}

static int teardown(void **state)
{
	db_close(db);
	test_store_fini(&store);
	return 0;
}

static int64_t put(enum journal_source source, int64_t received_ms)
{
	struct journal_row row = { .source = source,
		.kind = "x",
		.agent = "a",
		.received_ms = received_ms,
		.payload = "text",
		.len = 4 };

	assert_ok(journal_append(db, &row));
	return row.id;
}

static int64_t count(enum journal_source source)
{
	struct db_rows *r = db_start(db, &table, COUNT, "s", journal_source_name(source));

	assert_ok(db_next(r));
	int64_t n = db_int(r, 0);
	db_done(r);
	return n;
}

static struct keep_result slice(int64_t keep_bytes)
{
	struct keep_result result;

	assert_ok(db_begin(db));
	assert_ok(keep_slice(db, NOW, 30 * DAY, keep_bytes, &result));
	assert_ok(db_commit(db));
	return result;
}

static void old_rows_go_but_not_peoples(void **state)
{
	put(JOURNAL_OPERATOR, NOW - 90 * DAY);
	for (int i = 0; i < 3; i++)
		put(JOURNAL_AGENT, NOW - 31 * DAY);
	put(JOURNAL_SERVER, NOW - 31 * DAY);
	put(JOURNAL_AGENT, NOW - 29 * DAY);
	assert_ok(db_exec(db, &table, CURSOR, "i", (int64_t)100));
	struct keep_result r = slice(INT64_MAX);
	assert_int_equal(r.deleted, 4);
	assert_false(r.more);
	assert_int_equal(count(JOURNAL_OPERATOR), 1);
	assert_int_equal(count(JOURNAL_AGENT), 1);
	assert_int_equal(count(JOURNAL_SERVER), 0);
}

static void what_no_fold_has_seen_stays(void **state)
{
	put(JOURNAL_AGENT, NOW - 31 * DAY);
	put(JOURNAL_AGENT, NOW - 31 * DAY);
	assert_int_equal(slice(INT64_MAX).deleted, 0); /* no fold has begun */
	assert_ok(db_exec(db, &table, CURSOR, "i", (int64_t)1));
	assert_int_equal(slice(INT64_MAX).deleted, 1);
	assert_int_equal(count(JOURNAL_AGENT), 1);
}

static void cited_rows_are_copied_first(void **state)
{
	put(JOURNAL_AGENT, NOW - 31 * DAY);
	int64_t cited = put(JOURNAL_AGENT, NOW - 31 * DAY);
	char list[32];

	snprintf(list, sizeof(list), "[%lld]", (long long)cited);
	assert_ok(db_exec(db, &table, CITE, "s", list));
	assert_ok(db_exec(db, &table, CURSOR, "i", (int64_t)100));
	struct keep_result r = slice(INT64_MAX);
	assert_int_equal(r.deleted, 2);
	assert_int_equal(r.copied, 1);
	struct db_rows *rows = db_start(db, &table, EVIDENCE, "");
	assert_ok(db_next(rows));
	assert_int_equal(db_int(rows, 0), cited);
	assert_string_equal(db_text(rows, 1), "a");
	assert_int_equal(db_next(rows), HT_NOTFOUND);
	db_done(rows);
}

/* However often an agent changes its mind about a link's network. */
static void of_paths_only_the_newest_are_kept(void **state)
{
	for (int i = 0; i < 20; i++) {
		int64_t id = put(JOURNAL_AGENT, NOW - 31 * DAY);

		assert_ok(db_exec(db, &table, PATH, "isi", id,
		    i % 2 ? "internet" : "province-wan", id));
	}
	assert_ok(db_exec(db, &table, CURSOR, "i", (int64_t)100));
	struct keep_result r = slice(INT64_MAX);
	assert_int_equal(r.deleted, 20);
	assert_int_equal(r.copied, 2);
}

static void it_goes_in_slices(void **state)
{
	assert_ok(db_begin(db));
	for (int i = 0; i < KEEP_SLICE + 1; i++)
		put(JOURNAL_AGENT, NOW - 31 * DAY);
	assert_ok(db_commit(db));
	assert_ok(db_exec(db, &table, CURSOR, "i", (int64_t)100000));
	assert_true(slice(INT64_MAX).more);
	struct keep_result r = slice(INT64_MAX);
	assert_int_equal(r.deleted, 1);
	assert_false(r.more);
}

static void a_full_store_keeps_less(void **state)
{
	put(JOURNAL_AGENT, NOW - DAY);
	put(JOURNAL_AGENT, NOW - KEEP_LEAST_MS / 2);
	assert_ok(db_exec(db, &table, CURSOR, "i", (int64_t)100));
	assert_int_equal(slice(INT64_MAX).deleted, 0);
	assert_int_equal(slice(1).deleted, 1);
	assert_int_equal(count(JOURNAL_AGENT), 1); /* the last hour stays */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    old_rows_go_but_not_peoples, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    what_no_fold_has_seen_stays, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    of_paths_only_the_newest_are_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    cited_rows_are_copied_first, setup, teardown),
		cmocka_unit_test_setup_teardown(it_goes_in_slices, setup, teardown),
		cmocka_unit_test_setup_teardown(a_full_store_keeps_less, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
