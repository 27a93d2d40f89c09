/* The store's own statements. */
#ifndef HT_SERVER_STORE_SQL_H
#define HT_SERVER_STORE_SQL_H

#include "server/store/db.h"

enum store_statement {
	STORE_USER_VERSION,
	STORE_JOURNAL_PUT,
	STORE_JOURNAL_BY_KEY,
	STORE_JOURNAL_SCAN,
	STORE_ASIDE_PUT,
	STORE_GARBAGE_PUT,
	STORE_GARBAGE_THIN,
	STORE_GARBAGE_COUNT,
	STORE_GARBAGE_TOTAL,
	STORE_STATEMENTS
};

extern const struct db_sql store_sql;

#endif
