#include "server/derive/correct_sql.h"

/* A refold begins at the oldest row that is kept; results of older ones stay. */
#define OLDEST_ID "coalesce((SELECT min(id) FROM journal WHERE source <> 'operator'), 0)"

/* Outages of one link do not overlap: of those that began before, only the newest can
 * reach into the time asked for. */
#define TOUCHES(link)                                                         \
	" o.start_ms >= coalesce((SELECT max(p.start_ms) FROM outage p WHERE" \
	" p.link = " link " AND p.start_ms <= $2), 0) AND o.start_ms <= $3"   \
	" AND (o.end_ms IS NULL OR o.end_ms >= $2) ORDER BY o.id LIMIT 1000"

static const char *const sql[CORRECT_STATEMENTS] = {
	[CORRECT_IS_VANTAGE] = "SELECT vantage FROM agent WHERE id = $1",
	[CORRECT_EVENT_LAST] =
	    "SELECT value, at_ms FROM edge_event WHERE agent = $1 AND subject = $2"
	    " AND kind = $3 AND at_ms <= $4 ORDER BY at_ms DESC LIMIT 1",
	[CORRECT_EVENT_PUT] =
	    "INSERT INTO edge_event (agent, subject, kind, at_ms, value, lost_ms,"
	    " answered_ms, uncertainty_ms, journal_id)"
	    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
	    " ON CONFLICT (agent, subject, kind, at_ms) DO UPDATE SET"
	    " value = excluded.value, lost_ms = excluded.lost_ms,"
	    " answered_ms = excluded.answered_ms,"
	    " uncertainty_ms = excluded.uncertainty_ms, journal_id = excluded.journal_id",
	[CORRECT_ROUTER_TOLD] =
	    "UPDATE edge_event SET answered_ms = max(answered_ms, $1) WHERE agent = $2"
	    " AND subject = $3 AND kind = 'router' AND at_ms = $4",
	[CORRECT_RUN_PUT] =
	    "INSERT INTO edge_run (agent, boot, session, first_ms, last_ms, journal_id)"
	    " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (agent, boot, session) DO "
	    "UPDATE"
	    " SET first_ms = min(first_ms, excluded.first_ms),"
	    " last_ms = max(last_ms, excluded.last_ms), journal_id = excluded.journal_id",
	[CORRECT_RUN_LAST] = "SELECT last_ms FROM edge_run WHERE agent = $1"
			     " ORDER BY last_ms DESC LIMIT 1",

	[CORRECT_OUTAGES_OF_AGENCY] =
	    "SELECT o.id FROM link l JOIN outage o ON o.link = l.id WHERE l.agency = $1"
	    " AND" TOUCHES("l.id"),
	[CORRECT_OUTAGES_OF_LINK] =
	    "SELECT o.id FROM outage o WHERE o.link = $1 AND" TOUCHES("$1"),
	[CORRECT_OUTAGES_AROUND] =
	    "SELECT id FROM outage WHERE start_ms >= $1 AND start_ms <= $2 AND id > $3"
	    " ORDER BY id LIMIT 1000",
	[CORRECT_OUTAGES_OF_ROW] =
	    "SELECT id FROM outage WHERE opened_journal = $1"
	    " UNION SELECT id FROM outage WHERE closed_journal = $1 ORDER BY id",
	[CORRECT_OUTAGE] =
	    "SELECT o.link, o.agency, o.state, o.start_ms, o.start_uncertainty_ms,"
	    " o.end_ms, o.cause, o.cause_reason, o.edge_start_ms,"
	    " o.edge_start_uncertainty_ms, o.edge_end_ms, o.edge_end_uncertainty_ms,"
	    " o.edge_agent, (SELECT count(*) FROM link l WHERE l.agency = o.agency)"
	    " FROM outage o WHERE o.id = $1",

	/* One agent of the agency: one that pings this link from inside before others,
	   one that was there meanwhile before others. */
	[CORRECT_EDGE_AGENT] =
	    "SELECT a.id FROM agent a WHERE a.agency = $1 AND a.vantage = 0"
	    " AND EXISTS (SELECT 1 FROM edge_run r WHERE r.agent = a.id)"
	    " ORDER BY EXISTS (SELECT 1 FROM edge_event e WHERE e.agent = a.id"
	    "  AND e.subject = $2 AND e.kind = 'reach') DESC,"
	    " EXISTS (SELECT 1 FROM edge_run r WHERE r.agent = a.id AND r.last_ms >= $3)"
	    " DESC, a.id LIMIT 1",
	[CORRECT_CHANGES] =
	    "SELECT substr(subject, length($1) + 1), value, at_ms, lost_ms, answered_ms,"
	    " uncertainty_ms, journal_id FROM edge_event WHERE agent = $2"
	    " AND subject IN ($1, $1 || ':gateway', $1 || ':dns', $1 || ':internet')"
	    " AND kind = 'reach' AND at_ms <= $3 ORDER BY at_ms DESC, subject LIMIT $4",
	[CORRECT_RUNS] =
	    "SELECT boot, session, first_ms, last_ms, journal_id FROM edge_run"
	    " WHERE agent = $1 AND first_ms <= $2 ORDER BY first_ms DESC, boot, session"
	    " LIMIT $3",
	[CORRECT_ROUTER] =
	    "SELECT at_ms, answered_ms FROM edge_event WHERE subject = $1"
	    " AND kind = 'router' AND at_ms <= $2 ORDER BY at_ms DESC, agent LIMIT 1",
	[CORRECT_OPER_DOWN] =
	    "SELECT e.value FROM link_view v JOIN edge_event e ON e.subject = v.interface"
	    " AND e.kind = 'oper' AND e.agent = v.agent"
	    " WHERE v.link = $1 AND e.at_ms >= $2 AND e.at_ms <= $3"
	    " AND e.value IN ('down', 'lowerLayerDown', 'notPresent') LIMIT 1",
	[CORRECT_BLIND] =
	    "SELECT e.agent FROM edge_event e WHERE e.subject = '@blind'"
	    " AND e.kind = 'blind' AND e.value = 'down' AND e.at_ms <= $1"
	    " AND NOT EXISTS (SELECT 1 FROM edge_event f WHERE f.agent = e.agent"
	    "  AND f.subject = '@blind' AND f.kind = 'blind' AND f.at_ms > e.at_ms"
	    "  AND f.at_ms <= $2) LIMIT 1",
	[CORRECT_STOPPED] =
	    "SELECT at_ms FROM edge_event WHERE agent = '@server' AND subject = ''"
	    " AND kind = 'stopped' AND lost_ms <= $1 AND at_ms >= $2 LIMIT 1",

	[CORRECT_SET] =
	    "UPDATE outage SET cause = $1, cause_reason = $2, edge_agent = $3,"
	    " edge_start_ms = $4, edge_start_uncertainty_ms = $5, edge_end_ms = $6,"
	    " edge_end_uncertainty_ms = $7 WHERE id = $8",
	[CORRECT_EVIDENCE_CLEAR] = "DELETE FROM outage_evidence WHERE outage = $1",
	[CORRECT_EVIDENCE_PUT] =
	    "INSERT INTO outage_evidence (outage, journal_id) VALUES ($1, $2)"
	    " ON CONFLICT DO NOTHING",
	/* What is old goes, but not the last word on anything. */
	[CORRECT_PRUNE_EVENTS] =
	    "DELETE FROM edge_event WHERE at_ms < $1 AND EXISTS (SELECT 1 FROM"
	    " edge_event n WHERE n.agent = edge_event.agent"
	    " AND n.subject = edge_event.subject AND n.kind = edge_event.kind"
	    " AND n.at_ms > edge_event.at_ms)",
	[CORRECT_PRUNE_RUNS] =
	    "DELETE FROM edge_run WHERE last_ms < $1 AND EXISTS (SELECT 1 FROM edge_run n"
	    " WHERE n.agent = edge_run.agent AND n.last_ms > edge_run.last_ms)",
	[CORRECT_RESET_EVENTS] = "DELETE FROM edge_event WHERE journal_id >= " OLDEST_ID,
	[CORRECT_RESET_RUNS] = "DELETE FROM edge_run WHERE journal_id >= " OLDEST_ID,
	[CORRECT_RESET_EVIDENCE] =
	    "DELETE FROM outage_evidence WHERE journal_id >= " OLDEST_ID,
};

const struct db_sql correct_sql = { "correct", sql, CORRECT_STATEMENTS };
