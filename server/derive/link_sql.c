#include "server/derive/link_sql.h"

/* A refold begins at the oldest row that is kept; results of older ones stay. */
#define OLDEST_ID "coalesce((SELECT min(id) FROM journal WHERE source <> 'operator'), 0)"

/* Which links a window of maintenance is about: m of maintenance, l of link_memory. */
#define COVERS                                                           \
	" (m.scope = 'all' OR (m.scope = 'link' AND m.subject = l.link)" \
	" OR (m.scope = 'agency' AND m.subject = l.agency)"              \
	" OR (m.scope = 'provider' AND m.subject = l.provider))"
#define MARK "UPDATE link_memory SET due_ms = $1 WHERE coalesce(due_ms > $1, true)"

static const char *const sql[LINK_STATEMENTS] = {
	[LINK_SQL_LINK] =
	    "SELECT agency, provider, role, parents FROM link WHERE id = $1",
	[LINK_SQL_REACH_GET] =
	    "SELECT state, at_ms, lost_ms, answered_ms, in_doubt, heard_ms, sent, "
	    "received,"
	    " rtt_s, lossy, minutes FROM link_reach WHERE link = $1 AND agent = $2",
	[LINK_SQL_REACH_PUT] =
	    "INSERT INTO link_reach (link, agent, state, at_ms, lost_ms, answered_ms,"
	    " in_doubt, heard_ms, received_ms, sent, received, rtt_s, lossy, minutes,"
	    " journal_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,"
	    " $14, $15) ON CONFLICT (link, agent) DO UPDATE SET state = excluded.state,"
	    " at_ms = excluded.at_ms, lost_ms = excluded.lost_ms,"
	    " answered_ms = excluded.answered_ms, in_doubt = excluded.in_doubt,"
	    " heard_ms = excluded.heard_ms, received_ms = excluded.received_ms,"
	    " sent = excluded.sent, received = excluded.received, rtt_s = excluded.rtt_s,"
	    " lossy = excluded.lossy, minutes = excluded.minutes,"
	    " journal_id = excluded.journal_id",
	[LINK_SQL_VIEWS] =
	    "SELECT k.agent, p.state, p.since_ms, v.ping_ms, v.ping_status, v.sent,"
	    " v.received, v.loss, v.rtt_s, v.failed, v.answered_ms, v.ping_interval_ms,"
	    " v.ping_journal, v.ping_received_ms, v.poll_ms, v.poll_status,"
	    " v.poll_interval_ms, v.poll_journal, v.poll_received_ms, v.oper, "
	    "v.speed_bps,"
	    " v.used_down_bps, v.used_up_bps, r.state, r.at_ms, r.lost_ms, r.answered_ms,"
	    " r.in_doubt, r.heard_ms, r.received_ms, r.sent, r.received, r.rtt_s, "
	    "r.lossy,"
	    " r.journal_id, coalesce(a.vantage, 0), coalesce(b.blind, 0), b.since_ms"
	    " FROM (SELECT agent FROM link_view WHERE link = $1"
	    "  UNION SELECT agent FROM link_reach WHERE link = $1) k"
	    " LEFT JOIN link_view v ON v.link = $1 AND v.agent = k.agent"
	    " LEFT JOIN link_reach r ON r.link = $1 AND r.agent = k.agent"
	    " LEFT JOIN agent_live p ON p.agent = k.agent"
	    " LEFT JOIN agent a ON a.id = k.agent"
	    " LEFT JOIN vantage_state b ON b.agent = k.agent ORDER BY k.agent",
	[LINK_SQL_MEMORY_GET] =
	    "SELECT agency, provider, role, own, state, muted, root, root_problem, "
	    "down_ms,"
	    " hold_ms, flap, flap_ms, unstable, problems, due_ms FROM link_memory"
	    " WHERE link = $1",
	[LINK_SQL_MEMORY_PUT] =
	    "INSERT INTO link_memory (link, agency, provider, role, own, state, muted, "
	    "root,"
	    " root_problem, down_ms, hold_ms, flap, flap_ms, unstable, problems, due_ms)"
	    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,"
	    " $16) ON CONFLICT (link) DO UPDATE SET agency = excluded.agency,"
	    " provider = excluded.provider, role = excluded.role, own = excluded.own,"
	    " state = excluded.state, muted = excluded.muted, root = excluded.root,"
	    " root_problem = excluded.root_problem, down_ms = excluded.down_ms,"
	    " hold_ms = excluded.hold_ms, flap = excluded.flap,"
	    " flap_ms = excluded.flap_ms, unstable = excluded.unstable,"
	    " problems = excluded.problems, due_ms = excluded.due_ms",
	[LINK_SQL_DUE] = "SELECT link FROM link_memory WHERE due_ms <= $1"
			 " ORDER BY due_ms, link LIMIT 1",
	[LINK_SQL_NEXT_DUE] =
	    "SELECT min(due_ms) FROM (SELECT min(due_ms) AS due_ms FROM link_memory WHERE"
	    " due_ms IS NOT NULL UNION ALL SELECT min(due_ms) FROM agent_live WHERE "
	    "due_ms"
	    " IS NOT NULL)",
	/* What answers does not care for what it hangs on. */
	[LINK_SQL_MARK_CHILDREN] =
	    MARK " AND own NOT IN ('UP', 'DEGRADED')"
		 " AND link IN (SELECT child FROM link_parent WHERE parent = $2)",
	[LINK_SQL_MARK_AGENT] =
	    MARK " AND link IN (SELECT link FROM link_view WHERE agent = $2"
		 " UNION SELECT link FROM link_reach WHERE agent = $2)",
	[LINK_SQL_MARK_AGENCY_DOWN] = MARK " AND agency = $2 AND own = 'DOWN'",
	[LINK_SQL_MARK_MAINTENANCE] =
	    "UPDATE link_memory AS l SET due_ms = $1 WHERE coalesce(l.due_ms > $1, true)"
	    " AND EXISTS (SELECT 1 FROM maintenance m WHERE m.id = $2 AND" COVERS ")",
	[LINK_SQL_MARK_HEARD] = MARK " AND state <> 'UNKNOWN'",
	[LINK_SQL_PARENTS_CLEAR] = "DELETE FROM link_parent WHERE child = $1",
	[LINK_SQL_PARENT_PUT] = "INSERT INTO link_parent (parent, child) VALUES ($1, $2)"
				" ON CONFLICT DO NOTHING",
	/* Data of an office says something of its link when it has no other that lives.
	 */
	[LINK_SQL_FLOW] =
	    "SELECT max(a.heard_ms) FROM agent_live a WHERE a.agency = $1 AND NOT EXISTS"
	    " (SELECT 1 FROM link_memory o WHERE o.agency = $1 AND o.link <> $2"
	    " AND o.own <> 'DOWN') AND NOT EXISTS (SELECT 1 FROM agent v WHERE v.id ="
	    " a.agent AND v.vantage = 1)",
	[LINK_SQL_SPAN_OPEN] =
	    "SELECT from_ms, state, why FROM link_span WHERE link = $1 AND to_ms IS NULL",
	[LINK_SQL_SPAN_CLOSE] =
	    "UPDATE link_span SET to_ms = $1 WHERE link = $2 AND to_ms IS NULL",
	[LINK_SQL_SPAN_PUT] =
	    "INSERT INTO link_span (link, from_ms, state, why, reason, agent, journal_id)"
	    " VALUES ($1, $2, $3, $4, $5, $6, $7)",
	[LINK_SQL_SPAN_SAY] = "UPDATE link_span SET why = $1, reason = $2, agent = $3"
			      " WHERE link = $4 AND to_ms IS NULL",
	[LINK_SQL_OUTAGE_OPEN] =
	    "SELECT id, state, root, start_ms, opened_journal FROM outage"
	    " WHERE link = $1 AND end_ms IS NULL",
	[LINK_SQL_OUTAGE_EXISTS] = "SELECT 1 FROM outage WHERE id = $1",
	[LINK_SQL_OUTAGE_PUT] =
	    "INSERT INTO outage (id, link, agency, provider, state, root, start_ms,"
	    " start_uncertainty_ms, cause, cause_reason, evidence, opened_journal)"
	    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
	[LINK_SQL_OUTAGE_TURN] =
	    "UPDATE outage SET state = $1, root = $2,"
	    " cause = CASE WHEN cause IN ('unknown', 'parent') THEN $3 ELSE cause END,"
	    " cause_reason = CASE WHEN cause IN ('unknown', 'parent') THEN $4 ELSE"
	    " cause_reason END WHERE id = $5",
	[LINK_SQL_OUTAGE_CLOSE] =
	    "UPDATE outage SET end_ms = max($1, start_ms), end_uncertainty_ms = $2,"
	    " closed_journal = $3 WHERE id = $4",
	[LINK_SQL_OUTAGE_REMOVE] = "DELETE FROM outage WHERE id = $1",
	/* As it was known then, so that a refold finds the same. */
	[LINK_SQL_WINDOW] = "SELECT m.to_ms, m.reason FROM maintenance m, (SELECT $1 AS "
			    "link, $2 AS agency,"
			    " $3 AS provider) l WHERE m.to_ms > $4 AND m.from_ms <= $4 "
			    "AND m.entered_ms <= $4"
			    " AND coalesce(m.removed_ms > $4, true) AND" COVERS
			    " ORDER BY m.to_ms DESC, m.id LIMIT 1",
	[LINK_SQL_WINDOW_NEXT] =
	    "SELECT min(m.from_ms) FROM maintenance m, (SELECT $1 AS link, $2 AS agency,"
	    " $3 AS provider) l WHERE m.from_ms > $4 AND m.entered_ms <= $4"
	    " AND coalesce(m.removed_ms > $4, true) AND" COVERS,
	[LINK_SQL_AGENCY_LINKS] =
	    "SELECT link, role, state, muted, problems FROM link_memory WHERE agency = $1"
	    " ORDER BY link",
	[LINK_SQL_AGENCY_GET] =
	    "SELECT state, on_backup, since_ms FROM agency_state WHERE agency = $1",
	[LINK_SQL_AGENCY_PUT] =
	    "INSERT INTO agency_state (agency, state, on_backup, since_ms, reason,"
	    " journal_id) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (agency) DO UPDATE "
	    "SET"
	    " state = excluded.state, on_backup = excluded.on_backup,"
	    " since_ms = excluded.since_ms, reason = excluded.reason,"
	    " journal_id = excluded.journal_id",
	[LINK_SQL_VANTAGE_GET] =
	    "SELECT blind, since_ms, reason FROM vantage_state WHERE agent = $1",
	[LINK_SQL_VANTAGE_PUT] =
	    "INSERT INTO vantage_state (agent, blind, since_ms, reason, journal_id)"
	    " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (agent) DO UPDATE SET"
	    " blind = excluded.blind, since_ms = excluded.since_ms,"
	    " reason = excluded.reason, journal_id = excluded.journal_id",
	[LINK_SQL_IS_VANTAGE] = "SELECT vantage FROM agent WHERE id = $1",
	[LINK_SQL_AGENT_GET] =
	    "SELECT agency, state, session, since_ms, heard_ms, interval_ms, due_ms"
	    " FROM agent_live WHERE agent = $1",
	[LINK_SQL_AGENT_PUT] =
	    "INSERT INTO agent_live (agent, agency, state, session, since_ms, heard_ms,"
	    " interval_ms, due_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
	    " ON CONFLICT (agent) DO UPDATE SET agency = excluded.agency,"
	    " state = excluded.state, session = excluded.session,"
	    " since_ms = excluded.since_ms, heard_ms = excluded.heard_ms,"
	    " interval_ms = excluded.interval_ms, due_ms = excluded.due_ms",
	[LINK_SQL_AGENT_DUE] = "SELECT agent FROM agent_live WHERE due_ms <= $1"
			       " ORDER BY due_ms, agent LIMIT 1",
	[LINK_SQL_AGENT_REMOVE] = "DELETE FROM agent_live WHERE agent = $1",
	[LINK_SQL_AGENTS_SPARE] =
	    "UPDATE agent_live SET due_ms = max(due_ms, $1) WHERE due_ms IS NOT NULL",
	[LINK_SQL_AWAKE_GET] = "SELECT since_ms, last_ms FROM server_awake",
	[LINK_SQL_AWAKE_PUT] =
	    "INSERT INTO server_awake (one, since_ms, last_ms) VALUES (1, $1, $2)"
	    " ON CONFLICT (one) DO UPDATE SET since_ms = excluded.since_ms,"
	    " last_ms = excluded.last_ms",
	[LINK_SQL_MEMORY_REMOVE] = "DELETE FROM link_memory WHERE link = $1",
	[LINK_SQL_REACHES_REMOVE] = "DELETE FROM link_reach WHERE link = $1",
	[LINK_SQL_RESET_FIRST] = "DELETE FROM link_reach",
	"DELETE FROM link_memory",
	"DELETE FROM link_parent",
	"DELETE FROM agent_live",
	"DELETE FROM server_awake",
	"DELETE FROM vantage_state",
	"DELETE FROM agency_state",
	"DELETE FROM link_span WHERE journal_id >= " OLDEST_ID,
	"UPDATE link_span SET to_ms = NULL WHERE to_ms = (SELECT max(s.to_ms) FROM "
	"link_span s"
	" WHERE s.link = link_span.link) AND NOT EXISTS (SELECT 1 FROM link_span s WHERE"
	" s.link = link_span.link AND s.to_ms IS NULL)",
	"DELETE FROM outage WHERE opened_journal >= " OLDEST_ID,
};

const struct db_sql link_sql = { "link", sql, LINK_STATEMENTS };
