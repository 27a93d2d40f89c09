#include "unit/test.h"

#include "unit/server/store/store_test.h"

static const struct migration steps[] = {
	{ 1, "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1)",
	    "PRAGMA user_version = 1" },
	{ 2, "ALTER TABLE a ADD COLUMN y TEXT; UPDATE a SET y = 'two'",
	    "PRAGMA user_version = 2" },
	{ 3, "CREATE TABLE b (z); INSERT INTO missing VALUES (1)",
	    "PRAGMA user_version = 3" },
};

static void each_step_once(void **state)
{
	struct test_store store;
	struct ht_fault fault = { 0 };
	struct db *db = NULL;
	int version = -1, from = -1;

	test_store_init(&store);
	assert_ok(db_open(store.file, false, &db, &fault));
	assert_ok(migrate_list(db, steps, 1, &from, &fault));
	assert_int_equal(from, 0);
	assert_ok(migrate_list(db, steps, 2, &from, &fault));
	assert_int_equal(from, 1);
	assert_ok(migrate_list(db, steps, 2, &from, &fault));
	assert_int_equal(from, 2);
	/* A step that fails leaves nothing behind, not even its first half. */
	assert_int_equal(migrate_list(db, steps, 3, &from, &fault), HT_INVALID);
	assert_non_null(strstr(fault.text, "0003"));
	assert_ok(migrate_version(db, &version));
	assert_int_equal(version, 2);
	assert_int_equal(db_script(db, "SELECT * FROM b"), HT_INVALID);
	assert_ok(db_script(db, "SELECT y FROM a"));
	/* A newer database is refused and left as it is. */
	assert_int_equal(migrate_list(db, steps, 1, &from, &fault), HT_UNSUPPORTED);
	assert_non_null(strstr(fault.text, "newer"));
	assert_ok(migrate_version(db, &version));
	assert_int_equal(version, 2);
	db_close(db);
	test_store_fini(&store);
}

static void ours_are_numbered_and_run(void **state)
{
	struct test_store store;
	int version = 0;

	test_store_init(&store);
	struct db *db = test_store_open(&store);
	assert_ok(migrate_version(db, &version));
	assert_int_equal(version, migrations_len);
	for (size_t i = 0; i < migrations_len; i++)
		assert_int_equal(migrations[i].version, i + 1);
	assert_ok(db_script(db, "SELECT id FROM journal"));
	db_close(db);
	test_store_fini(&store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_step_once),
		cmocka_unit_test(ours_are_numbered_and_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
