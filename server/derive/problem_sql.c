#include "server/derive/problem_sql.h"

/* A refold begins at the oldest row that is kept; results of older ones stay. */
#define OLDEST_ID "coalesce((SELECT min(id) FROM journal WHERE source <> 'operator'), 0)"

static const char *const sql[PROBLEM_STATEMENTS] = {
	[PROBLEM_FIND] = "SELECT id, agency, provider, root, reason, facts FROM problem"
			 " WHERE kind = $1 AND subject = $2 AND closed_ms IS NULL",
	[PROBLEM_COUNT_ID] =
	    "SELECT count(*) FROM problem WHERE kind = $1 AND subject = $2"
	    " AND opened_journal = $3",
	[PROBLEM_PUT] =
	    "INSERT INTO problem (id, kind, subject, agency, provider, root, opened_ms,"
	    " reason, facts, opened_journal) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,"
	    " $10)",
	[PROBLEM_UPDATE] =
	    "UPDATE problem SET agency = $1, provider = $2, root = $3, reason = $4,"
	    " facts = $5 WHERE id = $6",
	[PROBLEM_CLOSE] =
	    "UPDATE problem SET closed_ms = max($1, opened_ms), closed_journal = $2,"
	    " reason = coalesce($3, reason) WHERE id = $4",
	[PROBLEM_CHANGE] =
	    "INSERT INTO problem_change (problem, change, at_ms, journal_id)"
	    " VALUES ($1, $2, $3, $4)",
	[PROBLEM_RESET_CHANGES] =
	    "DELETE FROM problem_change WHERE problem IN (SELECT id FROM problem"
	    " WHERE kind = $1 AND opened_journal >= " OLDEST_ID ")",
	[PROBLEM_RESET] =
	    "DELETE FROM problem WHERE kind = $1 AND opened_journal >= " OLDEST_ID,
};

const struct db_sql problem_sql = { "problem", sql, PROBLEM_STATEMENTS };
