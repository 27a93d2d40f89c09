/* Statements about outages, timelines, incidents and what was told of them. Each takes
 * the account's scope, as those of sql.h. */
#ifndef HT_SERVER_WEB_OUTAGE_SQL_H
#define HT_SERVER_WEB_OUTAGE_SQL_H

#include "server/store/db.h"

enum web_outage_stmt {
	OUTAGE_SQL_LIST,
	OUTAGE_SQL_ONE,
	OUTAGE_SQL_OF_LINK,
	OUTAGE_SQL_BEHIND,
	OUTAGE_SQL_SPANS,
	OUTAGE_SQL_LINKS,
	OUTAGE_SQL_MAINTENANCE,
	INCIDENT_SQL_LIST,
	INCIDENT_SQL_ONE,
	INCIDENT_SQL_ROOT,
	INCIDENT_SQL_AGENCIES,
	INCIDENT_SQL_MEMBERS,
	INCIDENT_SQL_MESSAGES,
	INCIDENT_SQL_DECISIONS,
	INCIDENT_SQL_OUTSIDE,
	INCIDENT_SQL_TITLE,
	OUTAGE_SQL_STATEMENTS
};

extern const struct db_sql web_outage_sql;

#endif
