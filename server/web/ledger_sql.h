/* Statements of maintenance windows, outages' dispute packs and availability. As in
 * sql.h each takes the account's scope. */
#ifndef HT_SERVER_WEB_LEDGER_SQL_H
#define HT_SERVER_WEB_LEDGER_SQL_H

#include "server/store/db.h"

enum ledger_statement {
	LEDGER_SQL_MAINTENANCE_LIST,
	LEDGER_SQL_MAINTENANCE_ONE,
	LEDGER_SQL_LINKS,
	LEDGER_SQL_SPANS,
	LEDGER_SQL_OUTAGES,
	LEDGER_SQL_WINDOWS,
	LEDGER_SQL_AGENCY_NAME,
	LEDGER_SQL_DISPUTE,
	LEDGER_SQL_DISPUTE_WINDOWS,
	LEDGER_SQL_DISPUTE_ROWS,
	LEDGER_SQL_DISPUTE_CHANGES,
	LEDGER_SQL_DISPUTE_SERIES,
	LEDGER_SQL_OUTAGE_SEEN,
	LEDGER_SQL_STATEMENTS
};

extern const struct db_sql ledger_sql;

#endif
