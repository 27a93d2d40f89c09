/* A database of its own for a test, migrated, in a folder that goes with it. */
#ifndef HT_TESTS_UNIT_SERVER_STORE_STORE_TEST_H
#define HT_TESTS_UNIT_SERVER_STORE_STORE_TEST_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/store/db.h"
#include "server/store/migrate.h"

struct test_store {
	char dir[64], file[96];
};

static inline void test_store_init(struct test_store *s)
{
	snprintf(s->dir, sizeof(s->dir), "/tmp/hatang-test-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->file, sizeof(s->file), "%s/server.db", s->dir);
}

static inline struct db *test_store_open(const struct test_store *s)
{
	struct ht_fault fault = { 0 };
	struct db *db = NULL;

	if (db_open(s->file, false, &db, &fault))
		fail_msg("%s", fault.text);
	if (migrate(db, NULL, &fault))
		fail_msg("%s", fault.text);
	return db;
}

static inline void test_store_fini(struct test_store *s)
{
	static const char *const tails[] = { "", "-wal", "-shm" };

	for (size_t i = 0; i < HT_COUNT(tails); i++) {
		char file[128];

		snprintf(file, sizeof(file), "%s%s", s->file, tails[i]);
		unlink(file);
	}
	rmdir(s->dir);
}

#endif
