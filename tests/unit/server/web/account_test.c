#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/store/db.h"
#include "server/store/migrate.h"
#include "server/web/account.h"

static char dir[] = "/tmp/hatang-account-XXXXXX";
static struct db *db;

static int setup(void **state)
{
	char file[64];
	struct ht_fault fault = { 0 };

	(void)state;
	if (!mkdtemp(dir) || account_start())
		return -1;
	snprintf(file, sizeof(file), "%s/store.db", dir);
	if (db_open(file, false, &db, &fault) || migrate(db, NULL, &fault)) {
		print_error("%s\n", fault.text);
		return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = { "store.db", "store.db-wal", "store.db-shm",
		"first-password" };
	char file[64];

	(void)state;
	db_close(db);
	for (size_t i = 0; i < HT_COUNT(names); i++) {
		snprintf(file, sizeof(file), "%s/%s", dir, names[i]);
		unlink(file);
	}
	return rmdir(dir);
}

static void test_first_account(void **state)
{
	char password[ACCOUNT_FIRST_PASSWORD], again[ACCOUNT_FIRST_PASSWORD], file[64],
	    line[128] = "";
	struct ht_fault fault = { 0 };
	struct account_who who;
	struct stat st;

	(void)state;
	assert_ok(accounts_init(db, dir, 1000, password, &fault));
	assert_int_equal(accounts_init(db, dir, 1000, again, &fault), HT_EXISTS);
	snprintf(file, sizeof(file), "%s/first-password", dir);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	FILE *f = fopen(file, "r");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	fclose(f);
	assert_non_null(strstr(line, password));
	assert_ok(account_check(db, "admin", password, &who));
	assert_int_equal(who.role, ROUTE_ADMIN);
	assert_string_equal(who.agency, "");
	assert_int_equal(account_check(db, "admin", "wrong password", &who), HT_DENIED);
	assert_int_equal(account_check(db, "nobody", password, &who), HT_DENIED);
}

static void test_tokens(void **state)
{
	struct account_new viewer = { "xem", "a long enough one", "viewer", "bat-xat" };
	char token[ACCOUNT_TOKEN_TEXT], csrf[ACCOUNT_TOKEN_TEXT];
	struct ht_fault fault = { 0 };
	struct account_who who, found;

	(void)state;
	assert_ok(account_put(db, "admin", &viewer, 1000, &fault));
	assert_int_equal(account_put(db, "admin", &viewer, 1000, &fault), HT_EXISTS);
	assert_ok(account_check(db, "xem", viewer.password, &who));
	assert_string_equal(who.agency, "bat-xat");
	assert_ok(
	    account_token_new(db, &who, ACCOUNT_SESSION, NULL, 5000, 1000, token, csrf));
	assert_ok(account_of_token(db, token, ACCOUNT_SESSION, 4999, &found));
	assert_string_equal(found.name, "xem");
	assert_int_equal(found.role, ROUTE_VIEWER);
	assert_true(account_csrf_fits(&found, csrf));
	assert_false(account_csrf_fits(&found, token));
	assert_false(account_csrf_fits(&found, NULL));
	assert_int_equal(
	    account_of_token(db, token, ACCOUNT_SESSION, 5000, &found), HT_DENIED);
	/* A cookie is no API token. */
	assert_int_equal(
	    account_of_token(db, token, ACCOUNT_API, 1000, &found), HT_DENIED);
	token[8] ^= 1;
	assert_int_equal(
	    account_of_token(db, token, ACCOUNT_SESSION, 1000, &found), HT_DENIED);
}

static void test_password_ends_sessions(void **state)
{
	char token[ACCOUNT_TOKEN_TEXT], csrf[ACCOUNT_TOKEN_TEXT];
	struct ht_fault fault = { 0 };
	struct account_who who, found;

	(void)state;
	assert_ok(account_check(db, "xem", "a long enough one", &who));
	assert_ok(
	    account_token_new(db, &who, ACCOUNT_SESSION, NULL, 5000, 1000, token, csrf));
	assert_int_equal(
	    account_set_password(db, "admin", "xem", "short", 1000, &fault), HT_INVALID);
	assert_ok(account_of_token(db, token, ACCOUNT_SESSION, 1000, &found));
	assert_ok(
	    account_set_password(db, "admin", "xem", "another long one", 1000, &fault));
	assert_int_equal(
	    account_of_token(db, token, ACCOUNT_SESSION, 1000, &found), HT_DENIED);
	assert_ok(account_disable(db, "admin", "xem", 1000, &fault));
	assert_int_equal(account_check(db, "xem", "another long one", &who), HT_DENIED);
	assert_int_equal(
	    account_disable(db, "admin", "admin", 1000, &fault), HT_CONFLICT);
}

static void test_bad_accounts(void **state)
{
	static const struct account_new bad[] = {
		{ "x", "short", "viewer", NULL },
		{ "has space", "a long enough one", "viewer", NULL },
		{ "y", "a long enough one", "root", NULL },
	};
	struct ht_fault fault;

	(void)state;
	for (size_t i = 0; i < HT_COUNT(bad); i++)
		assert_int_equal(
		    account_put(db, "admin", &bad[i], 1, &fault), HT_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_account),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_password_ends_sessions),
		cmocka_unit_test(test_bad_accounts),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
