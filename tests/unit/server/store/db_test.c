#include "unit/test.h"

#include <math.h>

#include "unit/server/store/store_test.h"

enum { MAKE, PUT, ALL, BAD_ORDER, TWO, NO_TABLE, LIMIT, FILL, COUNT, CHECKED, N };

static const char *const texts[N] = {
	[MAKE] = "CREATE TABLE IF NOT EXISTS thing (id INTEGER PRIMARY KEY, i INTEGER, d "
		 "REAL, s TEXT UNIQUE,"
		 " b BLOB CHECK (b IS NULL OR length(b) < 100000))",
	[PUT] = "INSERT INTO thing (i, d, s, b) VALUES ($1, $2, $3, $4)",
	[ALL] = "SELECT i, d, s, b FROM thing ORDER BY id",
	[BAD_ORDER] = "SELECT $2, $1",
	[TWO] = "SELECT 1; SELECT 2",
	[NO_TABLE] = "SELECT * FROM nothing",
	[LIMIT] = "PRAGMA max_page_count = 40",
	[FILL] = "INSERT INTO thing (b) VALUES ($1)",
	[COUNT] = "SELECT count(*) FROM thing",
	[CHECKED] = "PRAGMA max_page_count = 100000",
};
static const struct db_sql table = { "test", texts, N };

struct fixture {
	struct test_store store;
	struct db *db;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	test_store_init(&f->store);
	assert_ok(db_open(f->store.file, false, &f->db, NULL));
	assert_ok(db_exec(f->db, &table, MAKE, ""));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	db_close(f->db);
	test_store_fini(&f->store);
	free(f);
	return 0;
}

static int64_t count(struct db *db)
{
	struct db_rows *r = db_start(db, &table, COUNT, "");

	assert_ok(db_next(r));
	int64_t n = db_int(r, 0);
	db_done(r);
	return n;
}

static void values_come_back(void **state)
{
	struct fixture *f = *state;
	size_t len;

	assert_ok(db_exec(
	    f->db, &table, PUT, "idsb", INT64_MAX, 0.1, "chữ", "a\0b", (size_t)3));
	assert_ok(db_exec(f->db, &table, PUT, "IDsn", INT64_MIN, (double)NAN, NULL));
	assert_int_equal(db_changes(f->db), 1);
	assert_int_equal(db_last_id(f->db), 2);
	struct db_rows *r = db_start(f->db, &table, ALL, "");
	assert_ok(db_next(r));
	assert_int_equal(db_columns(r), 4);
	assert_true(db_int(r, 0) == INT64_MAX);
	assert_true(db_double(r, 1) == 0.1);
	assert_string_equal(db_text(r, 2), "chữ");
	const void *bytes = db_blob(r, 3, &len);
	assert_int_equal(len, 3);
	assert_memory_equal(bytes, "a\0b", 3);
	assert_ok(db_next(r));
	assert_true(db_is_null(r, 0));
	assert_int_equal(db_int(r, 0), 0);
	assert_true(isnan(db_double(r, 1)));
	assert_null(db_text(r, 2));
	assert_null(db_blob(r, 3, &len));
	assert_int_equal(db_next(r), HT_NOTFOUND);
	assert_int_equal(db_next(r), HT_NOTFOUND);
	db_done(r);
	db_done(NULL);
}

static void empty_blob_is_not_null(void **state)
{
	struct fixture *f = *state;
	size_t len = 9;

	assert_ok(db_exec(f->db, &table, PUT, "nnnb", NULL, (size_t)0));
	struct db_rows *r = db_start(f->db, &table, ALL, "");
	assert_ok(db_next(r));
	assert_false(db_is_null(r, 3));
	assert_non_null(db_blob(r, 3, &len));
	assert_int_equal(len, 0);
	db_done(r);
}

static void mistakes_in_statements_show(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
	    db_exec(f->db, &table, BAD_ORDER, "ii", (int64_t)1, (int64_t)2), HT_INVALID);
	assert_non_null(strstr(db_error(f->db), "placeholder 1"));
	assert_int_equal(db_exec(f->db, &table, TWO, ""), HT_INVALID);
	assert_int_equal(db_exec(f->db, &table, NO_TABLE, ""), HT_INVALID);
	assert_non_null(strstr(db_error(f->db), "nothing"));
	assert_int_equal(db_exec(f->db, &table, PUT, "i", (int64_t)1), HT_INVALID);
}

static void constraints_are_conflicts(void **state)
{
	struct fixture *f = *state;

	assert_ok(db_exec(f->db, &table, PUT, "nnsn", "one"));
	assert_int_equal(db_exec(f->db, &table, PUT, "nnsn", "one"), HT_CONFLICT);
	assert_ok(db_exec(f->db, &table, PUT, "nnsn", "two"));
	assert_int_equal(count(f->db), 2);
}

static void transactions_and_savepoints(void **state)
{
	struct fixture *f = *state;

	assert_ok(db_begin(f->db));
	assert_ok(db_exec(f->db, &table, PUT, "nnsn", "kept"));
	assert_ok(db_savepoint(f->db));
	assert_ok(db_exec(f->db, &table, PUT, "nnsn", "outer"));
	assert_ok(db_savepoint(f->db));
	assert_ok(db_exec(f->db, &table, PUT, "nnsn", "inner"));
	db_rollback_to(f->db);
	assert_int_equal(count(f->db), 2);
	assert_ok(db_release(f->db));
	assert_ok(db_savepoint(f->db));
	assert_ok(db_exec(f->db, &table, PUT, "nnsn", "gone"));
	db_rollback_to(f->db);
	assert_ok(db_commit(f->db));
	assert_int_equal(count(f->db), 2);
	assert_ok(db_begin(f->db));
	assert_ok(db_exec(f->db, &table, PUT, "nnsn", "never"));
	db_rollback(f->db);
	db_rollback(f->db); /* harmless outside */
	assert_int_equal(count(f->db), 2);
}

static void full_disk_is_full_and_heals(void **state)
{
	struct fixture *f = *state;
	static const char big[60000];
	ht_err err = HT_OK;

	assert_ok(db_exec(f->db, &table, LIMIT, ""));
	assert_ok(db_begin(f->db));
	for (int i = 0; i < 100 && !err; i++)
		err = db_exec(f->db, &table, FILL, "b", big, sizeof(big));
	assert_int_equal(err, HT_FULL);
	db_rollback(f->db);
	assert_int_equal(count(f->db), 0);
	assert_ok(db_exec(f->db, &table, CHECKED, ""));
	assert_ok(db_begin(f->db));
	assert_ok(db_exec(f->db, &table, FILL, "b", big, sizeof(big)));
	assert_ok(db_commit(f->db));
	assert_int_equal(count(f->db), 1);
}

static void read_only_reads_only(void **state)
{
	struct fixture *f = *state;
	struct db *reader = NULL;

	assert_ok(db_exec(f->db, &table, PUT, "nnsn", "one"));
	assert_ok(db_open(f->store.file, true, &reader, NULL));
	assert_ok(db_begin_read(reader));
	assert_int_equal(count(reader), 1);
	assert_ok(db_exec(f->db, &table, PUT, "nnsn", "two"));
	assert_int_equal(count(reader), 1); /* its snapshot */
	assert_ok(db_commit(reader));
	assert_int_equal(count(reader), 2);
	assert_int_equal(db_exec(reader, &table, PUT, "nnsn", "three"), HT_DENIED);
	db_close(reader);
}

static void what_cannot_be_opened_is_named(void **state)
{
	struct ht_fault fault = { 0 };
	struct db *db = NULL;

	assert_int_not_equal(
	    db_open("/nonexistent/folder/x.db", false, &db, &fault), HT_OK);
	assert_null(db);
	assert_non_null(strstr(fault.text, "/nonexistent/folder/x.db"));
}

static void no_database_is_corrupt(void **state)
{
	struct fixture *f = *state;
	struct ht_fault fault = { 0 };
	struct db *db = NULL;
	char file[128];

	snprintf(file, sizeof(file), "%s/text", f->store.dir);
	FILE *out = fopen(file, "w");
	for (int i = 0; i < 1000; i++)
		fputs("this is no database\n", out);
	fclose(out);
	assert_int_equal(db_open(file, false, &db, &fault), HT_CORRUPT);
	unlink(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(values_come_back, setup, teardown),
		cmocka_unit_test_setup_teardown(empty_blob_is_not_null, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    mistakes_in_statements_show, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    constraints_are_conflicts, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    transactions_and_savepoints, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    full_disk_is_full_and_heals, setup, teardown),
		cmocka_unit_test_setup_teardown(read_only_reads_only, setup, teardown),
		cmocka_unit_test(what_cannot_be_opened_is_named),
		cmocka_unit_test_setup_teardown(no_database_is_corrupt, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
