/* Bring a database to the schema of this program: numbered SQL files, each in one
 * transaction with its version bump (PRAGMA user_version). They are the only description
 * of the schema; one that has shipped is never edited. */
#ifndef HT_SERVER_STORE_MIGRATE_H
#define HT_SERVER_STORE_MIGRATE_H

#include <stddef.h>

#include "base/err.h"
#include "server/store/db.h"

struct migration {
	int version; /* 1, 2, 3 … without holes */
	const char *sql;
	const char *bump; /* sets user_version */
};

/* Made at build time from migrations/NNNN.sql. */
extern const struct migration migrations[];
extern const size_t migrations_len;

/* Run what is missing. HT_UNSUPPORTED with a fault when the database is newer than this
 * program; then nothing was changed. `out_from` (may be NULL) gets the version before. */
HT_MUST_CHECK ht_err migrate(struct db *db, int *out_from, struct ht_fault *fault);

/* The same with another list, for tests. */
HT_MUST_CHECK ht_err migrate_list(struct db *db, const struct migration *list, size_t n,
    int *out_from, struct ht_fault *fault);

/* The schema version of a database; 0 for an empty one. */
HT_MUST_CHECK ht_err migrate_version(struct db *db, int *out);

#endif
