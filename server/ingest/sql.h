/* What ingest asks the registry, on the loop's own read-only connection. */
#ifndef HT_SERVER_INGEST_SQL_H
#define HT_SERVER_INGEST_SQL_H

#include "server/store/db.h"

enum ingest_statement { INGEST_OWNER, INGEST_STALE_CONFIGS, INGEST_STATEMENTS };

extern const struct db_sql ingest_sql;

#endif
