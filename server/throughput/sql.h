/* The statements of slots; their text is in sql.c and nowhere else. */
#ifndef HT_SERVER_THROUGHPUT_SQL_H
#define HT_SERVER_THROUGHPUT_SQL_H

#include "server/store/db.h"

enum {
	SLOT_SQL_AGENT,
	SLOT_SQL_LINK,
	SLOT_SQL_USED,
	SLOT_SQL_SPENT,
	SLOT_SQL_LIVE,
	SLOT_SQL_ASKED,
	SLOT_SQL_PUT,
	SLOT_SQL_END,
	SLOT_SQL_FORGET,
	SLOT_SQL_COUNT
};

extern const struct db_sql slot_sql;

#endif
