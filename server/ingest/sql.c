#include "server/ingest/sql.h"

static const char *const sql[INGEST_STATEMENTS] = {
	[INGEST_OWNER] = "SELECT fingerprint, revoked_ms FROM agent WHERE id = $1",
	[INGEST_STALE_CONFIGS] =
	    "SELECT a.id, a.approved_config, a.approved_hash FROM agent a"
	    " JOIN presence p ON p.agent = a.id"
	    " WHERE p.state = 'online' AND a.approved_config IS NOT NULL AND "
	    "a.revoked_ms IS NULL"
	    " AND (a.fingerprint IS NULL OR a.fingerprint = p.fingerprint)"
	    " AND coalesce(p.config_hash, '') <> a.approved_hash",
};

const struct db_sql ingest_sql = { "ingest", sql, INGEST_STATEMENTS };
