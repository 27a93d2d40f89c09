/* The outbox's statements. */
#ifndef HT_SERVER_ALERT_OUTBOX_SQL_H
#define HT_SERVER_ALERT_OUTBOX_SQL_H

#include "server/store/db.h"

enum outbox_statement {
	OUTBOX_CHANNELS,  /* that pending rows name */
	OUTBOX_DROP,      /* channel, reason */
	OUTBOX_OVERTAKEN, /* channel, now, reason */
	OUTBOX_DUE,       /* channel, now, at most */
	OUTBOX_NEXT,      /* now */
	OUTBOX_MARK,      /* id, state, due, error, sent */
	OUTBOX_HURRY,     /* channel or NULL for all, now */
	OUTBOX_TEST_PUT,  /* key, channel, facts, now */
	OUTBOX_STATEMENTS
};
extern const struct db_sql outbox_sql;

#endif
