/* The statements of the server's health. */
#ifndef HT_SERVER_ALERT_HEALTH_SQL_H
#define HT_SERVER_ALERT_HEALTH_SQL_H

#include "server/store/db.h"

enum health_statement { HEALTH_SQL_CERTIFICATES, HEALTH_SQL_OPEN, HEALTH_SQL_COUNT };
extern const struct db_sql health_sql;

#endif
