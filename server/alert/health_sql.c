#include "server/alert/health_sql.h"

static const char *const sql[HEALTH_SQL_COUNT] = {
	/* The newest of each agent that may still come. */
	[HEALTH_SQL_CERTIFICATES] =
	    "SELECT c.agent, max(c.not_after_ms), max(a.agency) FROM certificate c"
	    " LEFT JOIN agent a ON a.id = c.agent WHERE c.revoked_ms IS NULL"
	    " AND a.revoked_ms IS NULL GROUP BY c.agent HAVING max(c.not_after_ms) < $1"
	    " ORDER BY 2, 1 LIMIT 200",
	[HEALTH_SQL_OPEN] =
	    "SELECT subject FROM problem WHERE kind = 'certificate-expiry'"
	    " AND closed_ms IS NULL AND subject > $1 ORDER BY subject"
	    " LIMIT 1",
};

const struct db_sql health_sql = { "health", sql, HEALTH_SQL_COUNT };
