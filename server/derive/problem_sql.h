/* The statements of problem.c. */
#ifndef HT_SERVER_DERIVE_PROBLEM_SQL_H
#define HT_SERVER_DERIVE_PROBLEM_SQL_H

#include "server/store/db.h"

enum problem_statement {
	PROBLEM_FIND,
	PROBLEM_COUNT_ID,
	PROBLEM_PUT,
	PROBLEM_UPDATE,
	PROBLEM_CLOSE,
	PROBLEM_CHANGE,
	PROBLEM_RESET_CHANGES,
	PROBLEM_RESET,
	PROBLEM_STATEMENTS
};

extern const struct db_sql problem_sql;

#endif
