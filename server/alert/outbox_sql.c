#include "server/alert/outbox_sql.h"

static const char *const sql[OUTBOX_STATEMENTS] = {
	[OUTBOX_CHANNELS] = "SELECT DISTINCT channel FROM outbox WHERE state = 'pending'",
	[OUTBOX_DROP] = "UPDATE outbox SET state = 'dropped', last_error = $1"
			" WHERE state = 'pending' AND channel = $2",
	/* An update is whole in itself: the newest says all that older ones would. */
	[OUTBOX_OVERTAKEN] =
	    "UPDATE outbox SET state = 'dropped', last_error = $1"
	    " WHERE state = 'pending' AND channel = $2 AND kind IN ('update', 'digest')"
	    " AND due_ms <= $3 AND EXISTS (SELECT 1 FROM outbox AS n"
	    " WHERE n.incident = outbox.incident AND n.channel = outbox.channel"
	    " AND n.id > outbox.id AND n.state = 'pending' AND n.due_ms <= $3"
	    " AND n.kind IN ('update', 'digest', 'resolve'))",
	/* One incident's messages leave a channel in their order. */
	[OUTBOX_DUE] =
	    "SELECT id, key, incident, kind, facts, created_ms, attempts,"
	    " (SELECT a.key FROM outbox AS a WHERE a.incident = o.incident"
	    " AND a.channel = o.channel AND a.kind = 'announce' ORDER BY a.id LIMIT 1)"
	    " FROM outbox AS o WHERE state = 'pending' AND channel = $1 AND due_ms <= $2"
	    " AND NOT EXISTS (SELECT 1 FROM outbox AS p WHERE p.incident = o.incident"
	    " AND p.channel = o.channel AND p.state = 'pending' AND p.id < o.id"
	    " AND p.kind <> 'test') ORDER BY id LIMIT $3",
	[OUTBOX_NEXT] = "SELECT min(due_ms) FROM outbox WHERE state = 'pending'"
			" AND due_ms > $1",
	/* One that was dropped while it was on the way may have arrived after all. */
	[OUTBOX_MARK] = "UPDATE outbox SET state = CASE WHEN state = 'dropped'"
			" AND $1 <> 'sent' THEN state ELSE $1 END, due_ms = $2,"
			" last_error = $3, sent_ms = $4, attempts = attempts + 1"
			" WHERE id = $5 AND state IN ('pending', 'dropped')",
	[OUTBOX_HURRY] = "UPDATE outbox SET due_ms = $1 WHERE state = 'pending'"
			 " AND attempts > 0 AND due_ms > $1"
			 " AND ($2 IS NULL OR channel = $2)",
	[OUTBOX_TEST_PUT] =
	    "INSERT INTO outbox (key, incident, channel, kind, facts, created_ms, due_ms)"
	    " VALUES ($1, 'test', $2, 'test', $3, $4, $4)",
};

const struct db_sql outbox_sql = { "outbox", sql, OUTBOX_STATEMENTS };
