#include "server/derive/path_sql.h"

/* A refold begins at the oldest row that is kept; results of older ones stay. */
#define OLDEST_ID "coalesce((SELECT min(id) FROM journal WHERE source <> 'operator'), 0)"

#define OLDEST_MS                                                                        \
	"coalesce((SELECT received_ms FROM journal WHERE source <> 'operator' ORDER BY " \
	"id LIMIT 1), 0)"

#define SPAN "from_ms, last_ms, network, reached, target, reason, trace, journal_id"

static const char *const sql[PATH_STATEMENTS] = {
	/* $3: of spans that know no network, or of the others */
	[PATH_SQL_BEFORE] =
	    "SELECT " SPAN " FROM link_path WHERE link = $1 AND agent = $2"
	    " AND (network = 'unknown') = $3 AND from_ms <= $4"
	    " ORDER BY from_ms DESC LIMIT 1",
	[PATH_SQL_AFTER] = "SELECT " SPAN " FROM link_path WHERE link = $1 AND agent = $2"
			   " AND (network = 'unknown') = $3 AND from_ms > $4"
			   " ORDER BY from_ms LIMIT 1",
	[PATH_SQL_COUNT] = "SELECT count(*) FROM link_path WHERE link = $1"
			   " AND agent = $2 AND from_ms >= $3 AND from_ms < $4",
	[PATH_SQL_REMOVE] = "DELETE FROM link_path WHERE link = $1 AND agent = $2"
			    " AND from_ms = $3",
	[PATH_SQL_PRUNE] =
	    "DELETE FROM link_path WHERE link = $1 AND agent = $2 AND last_ms < $3",
	[PATH_SQL_PUT] =
	    "INSERT INTO link_path (link, agent, from_ms, last_ms, network, reached,"
	    " target, reason, trace, journal_id)"
	    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
	    " ON CONFLICT (link, agent, from_ms) DO UPDATE SET last_ms ="
	    " excluded.last_ms, network = excluded.network, reached = excluded.reached,"
	    " target = excluded.target, reason = excluded.reason,"
	    " trace = excluded.trace, journal_id = excluded.journal_id",
	[PATH_SQL_INSIDE_PUT] =
	    "INSERT INTO link_inside (link, agent, probe, at_ms, ok_ms, status, target,"
	    " journal_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
	    " ON CONFLICT (link, agent, probe) DO UPDATE SET at_ms = excluded.at_ms,"
	    " ok_ms = coalesce(excluded.ok_ms, link_inside.ok_ms),"
	    " status = excluded.status, target = excluded.target,"
	    " journal_id = excluded.journal_id"
	    " WHERE excluded.at_ms >= link_inside.at_ms",
	/* A span that began before the oldest row ends there, and goes on from there. */
	[PATH_SQL_CUT] = "UPDATE link_path SET last_ms = " OLDEST_MS " - 1"
			 " WHERE from_ms < " OLDEST_MS " AND last_ms >= " OLDEST_MS,
	[PATH_SQL_RESET] = "DELETE FROM link_path WHERE journal_id >= " OLDEST_ID
			   " AND from_ms >= " OLDEST_MS,
	[PATH_SQL_PART_GET] = "SELECT sent, received, hist, held_journal FROM rtt_part"
			      " WHERE link = $1 AND from_ms = $2 AND agent = $3",
	[PATH_SQL_PART_PUT] =
	    "INSERT INTO rtt_part (link, from_ms, agent, sent, received, hist,"
	    " first_journal, last_journal, held_journal)"
	    " VALUES ($1, $2, $3, $4, $5, $6, $7, $7, 0)"
	    " ON CONFLICT (link, from_ms, agent) DO UPDATE SET sent = excluded.sent,"
	    " received = excluded.received, hist = excluded.hist,"
	    " last_journal = excluded.last_journal",
	[PATH_SQL_PARTS_PRUNE] = "DELETE FROM rtt_part WHERE link = $1 AND from_ms < $2",
	[PATH_SQL_PARTS_RESET] = "DELETE FROM rtt_part WHERE first_journal >= " OLDEST_ID,
	[PATH_SQL_PARTS_HOLD] = "UPDATE rtt_part SET held_journal = last_journal",
	[PATH_SQL_INSIDE_RESET] =
	    "DELETE FROM link_inside WHERE journal_id >= " OLDEST_ID,
};

const struct db_sql path_sql = { "path", sql, PATH_STATEMENTS };
