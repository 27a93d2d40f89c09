#include "server/throughput/sql.h"

static const char *const text[SLOT_SQL_COUNT] = {
	[SLOT_SQL_AGENT] =
	    "SELECT agency, vantage FROM agent WHERE id = $1 AND revoked_ms IS NULL",
	[SLOT_SQL_LINK] =
	    "SELECT l.agency, l.router_address, l.parents,"
	    " coalesce(l.contracted_down_bps, f.negotiated_down_bps, 0),"
	    " coalesce(l.contracted_up_bps, f.negotiated_up_bps, 0),"
	    " CASE WHEN EXISTS (SELECT 1 FROM maintenance m WHERE m.from_ms <= $1"
	    " AND m.to_ms > $1 AND m.removed_ms IS NULL AND (m.scope = 'all'"
	    " OR (m.scope = 'link' AND m.subject = l.id)"
	    " OR (m.scope = 'agency' AND m.subject = l.agency)"
	    " OR (m.scope = 'provider' AND m.subject = l.provider)))"
	    " THEN 'MAINTENANCE' ELSE f.state END"
	    " FROM link l LEFT JOIN link_fact f ON f.link = l.id WHERE l.id = $2",
	[SLOT_SQL_USED] = "SELECT counter_ms, used_down_bps, used_up_bps FROM link_view"
			  " WHERE link = $1 AND counter_ms IS NOT NULL"
			  " AND coalesce(used_down_bps, used_up_bps) IS NOT NULL"
			  " ORDER BY counter_ms DESC LIMIT 1",
	[SLOT_SQL_SPENT] = "SELECT coalesce(sum(CASE WHEN granted_ms >= $1 THEN"
			   " coalesce(bytes, bytes_max) ELSE 0 END), 0),"
			   " coalesce(sum(coalesce(bytes, bytes_max)), 0),"
			   " coalesce(sum(granted_ms >= $1), 0)"
			   " FROM throughput_slot WHERE link = $2 AND granted_ms >= $3",
	/* One that was granted in the future is of a clock that was set back since: it
	 * must not keep its neighbours waiting until that time comes again. `+id`: the
	 * few that run are sorted, the table is not read in its order. */
	[SLOT_SQL_LIVE] =
	    "SELECT id, agent, link, endpoint, expires_ms"
	    " FROM throughput_slot WHERE ended_ms IS NULL"
	    " AND expires_ms > $1 AND granted_ms < $1 + 60000 ORDER BY +id LIMIT $2",
	[SLOT_SQL_ASKED] =
	    "SELECT id, endpoint, granted_ms, expires_ms, bytes_max, ended_ms"
	    " FROM throughput_slot WHERE agent = $1 AND request = $2"
	    " ORDER BY id DESC LIMIT 1",
	[SLOT_SQL_PUT] =
	    "INSERT INTO throughput_slot"
	    " (agent, request, link, endpoint, granted_ms, expires_ms, bytes_max)"
	    " VALUES ($1, $2, $3, $4, $5, $6, $7)",
	[SLOT_SQL_END] = "UPDATE throughput_slot SET ended_ms = $1, bytes = $2,"
			 " outcome = $3 WHERE id = $4 AND agent = $5"
			 " AND ended_ms IS NULL",
	/* A few with each grant: as many as come, and never a long transaction. */
	[SLOT_SQL_FORGET] =
	    ("DELETE FROM throughput_slot WHERE id IN (SELECT id FROM throughput_slot"
	     " WHERE granted_ms < $1 LIMIT 100)"),
};

const struct db_sql slot_sql = { .room = "throughput", .sql = text, .n = SLOT_SQL_COUNT };
