/* The statements of fold_path and fold_smoke. */
#ifndef HT_SERVER_DERIVE_PATH_SQL_H
#define HT_SERVER_DERIVE_PATH_SQL_H

#include "server/store/db.h"

enum path_statement {
	PATH_SQL_BEFORE,
	PATH_SQL_AFTER,
	PATH_SQL_COUNT,
	PATH_SQL_REMOVE,
	PATH_SQL_PRUNE,
	PATH_SQL_PUT,
	PATH_SQL_INSIDE_PUT,
	PATH_SQL_CUT,
	PATH_SQL_RESET,
	PATH_SQL_INSIDE_RESET,
	PATH_SQL_PART_GET,
	PATH_SQL_PART_PUT,
	PATH_SQL_PARTS_PRUNE,
	PATH_SQL_PARTS_RESET,
	PATH_STATEMENTS
};

extern const struct db_sql path_sql;

#endif
