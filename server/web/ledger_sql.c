#include "server/web/ledger_sql.h"

#include "server/web/scope.h"

/* A window is seen by who sees its link or agency; one of a provider or of all is
 * everybody's. */
#define MAINTENANCE                                                                  \
	"SELECT m.id, m.scope, m.subject, m.from_ms, m.to_ms, m.reason, m.actor,"    \
	" m.entered_ms, m.removed_ms, m.journal_id,"                                 \
	" CASE m.scope WHEN 'agency' THEN m.subject WHEN 'link' THEN l.agency END, " \
	"a.name"                                                                     \
	" FROM maintenance m"                                                        \
	" LEFT JOIN link l ON m.scope = 'link' AND l.id = m.subject"                 \
	" LEFT JOIN agency a ON a.id = CASE m.scope WHEN 'agency' THEN m.subject"    \
	"  WHEN 'link' THEN l.agency END"
#define MAINTENANCE_SEEN                                \
	"(m.scope IN ('provider', 'all') OR " IN_SCOPE( \
	    "CASE m.scope WHEN 'agency' THEN m.subject ELSE l.agency END", "$6") ")"

/* Whether window w is about link l. */
#define WINDOW_COVERS                                                          \
	"(w.scope = 'all' OR w.scope = 'link' AND w.subject = l.id"            \
	" OR w.scope = 'provider' AND w.subject = l.provider"                  \
	" OR w.scope = 'agency' AND l.agency IN (WITH RECURSIVE below (id) AS" \
	" (SELECT w.subject UNION SELECT a.id FROM agency a JOIN below b"      \
	"  ON a.parent = b.id) SELECT id FROM below))"

static const char *const statements[LEDGER_SQL_STATEMENTS] = {
	[LEDGER_SQL_MAINTENANCE_LIST] = MAINTENANCE
	" WHERE (m.from_ms, m.id) < ($1, $2)"
	" AND ($3 IS NULL OR m.to_ms > $3) AND ($4 IS NULL OR m.from_ms < $4)"
	" AND ($5 OR m.removed_ms IS NULL) AND " MAINTENANCE_SEEN
	" ORDER BY m.from_ms DESC, m.id DESC LIMIT $7",
	[LEDGER_SQL_MAINTENANCE_ONE] =
	    "SELECT m.scope, CASE m.scope WHEN 'agency' THEN m.subject ELSE l.agency END"
	    " FROM maintenance m LEFT JOIN link l ON m.scope = 'link' AND l.id = "
	    "m.subject"
	    " WHERE m.id = $1",

	/* Links in order of id, with the district they stand in. */
	[LEDGER_SQL_LINKS] =
	    "SELECT l.id, l.agency, l.provider, (WITH RECURSIVE up (id, parent, level) AS"
	    " (SELECT id, parent, level FROM agency WHERE id = l.agency UNION"
	    "  SELECT a.id, a.parent, a.level FROM agency a JOIN up u ON a.id = u.parent)"
	    " SELECT id FROM up WHERE level = 'district' LIMIT 1)"
	    " FROM link l WHERE ($1 IS NULL OR l.id = $1)"
	    " AND ($2 IS NULL OR l.provider = $2) AND " IN_SCOPE("l.agency",
		"$3") " AND " IN_SCOPE("l.agency", "$4") " ORDER BY l.id LIMIT $5",
	/* The span that reaches into the period, and those that begin in it. */
	[LEDGER_SQL_SPANS] =
	    "SELECT from_ms, to_ms, state FROM link_span WHERE link = $1"
	    " AND from_ms >= coalesce((SELECT max(from_ms) FROM link_span"
	    "  WHERE link = $1 AND from_ms <= $2), 0) AND from_ms < $3"
	    " ORDER BY from_ms LIMIT $4",
	[LEDGER_SQL_OUTAGES] =
	    "SELECT id, start_ms, end_ms, coalesce(edge_start_ms, start_ms),"
	    " CASE WHEN end_ms IS NULL THEN NULL ELSE coalesce(edge_end_ms, end_ms) END,"
	    " state, cause, cause_reason, edge_start_ms, edge_end_ms FROM outage"
	    " WHERE link = $1 AND start_ms >= coalesce((SELECT max(start_ms) FROM outage"
	    "  WHERE link = $1 AND start_ms <= $2 - 86400000), 0)"
	    " AND start_ms < $3 + 86400000 ORDER BY 4, id LIMIT $4",
	[LEDGER_SQL_WINDOWS] =
	    "SELECT w.from_ms, w.to_ms FROM maintenance w JOIN link l ON l.id = $1"
	    " WHERE w.removed_ms IS NULL AND w.to_ms > $2 AND w.from_ms < $3"
	    " AND " WINDOW_COVERS " ORDER BY w.from_ms, w.id LIMIT $4",
	[LEDGER_SQL_DISPUTE] =
	    "SELECT o.link, o.agency, a.name, coalesce(o.provider, l.provider), o.state,"
	    " o.root, o.cause, o.cause_reason, o.start_ms, o.start_uncertainty_ms,"
	    " o.end_ms, o.end_uncertainty_ms, o.edge_agent, o.edge_start_ms,"
	    " o.edge_start_uncertainty_ms, o.edge_end_ms, o.edge_end_uncertainty_ms,"
	    " n.ticket, n.note, l.role, l.kind, l.line_type, l.router_address,"
	    " l.contracted_down_bps, l.contracted_up_bps FROM outage o"
	    " LEFT JOIN agency a ON a.id = o.agency LEFT JOIN link l ON l.id = o.link"
	    " LEFT JOIN outage_note n ON n.outage = o.id WHERE o.id = $1"
	    " AND " IN_SCOPE("o.agency", "$2"),
	[LEDGER_SQL_DISPUTE_WINDOWS] =
	    "SELECT w.id, w.scope, w.from_ms, w.to_ms, w.reason, w.actor, w.entered_ms"
	    " FROM maintenance w JOIN link l ON l.id = $1"
	    " WHERE w.removed_ms IS NULL AND w.to_ms > $2 AND w.from_ms < $3"
	    " AND " WINDOW_COVERS " ORDER BY w.from_ms, w.id LIMIT $4",
	/* From the journal, or from what was kept of it. */
	[LEDGER_SQL_DISPUTE_ROWS] =
	    "SELECT x.id, coalesce(j.agent, v.agent), coalesce(j.kind, 'data'),"
	    " coalesce(j.received_ms, v.received_ms), coalesce(j.payload, v.payload)"
	    " FROM (SELECT opened_journal AS id FROM outage WHERE id = $1"
	    "  UNION SELECT closed_journal FROM outage WHERE id = $1"
	    "  UNION SELECT e.value FROM outage o, json_each(o.evidence) e WHERE o.id = "
	    "$1"
	    "  UNION SELECT journal_id FROM outage_evidence WHERE outage = $1) x"
	    " LEFT JOIN journal j ON j.id = x.id"
	    " LEFT JOIN evidence v ON v.journal_id = x.id AND j.id IS NULL"
	    " WHERE coalesce(j.payload, v.payload) IS NOT NULL ORDER BY x.id LIMIT $2",
	[LEDGER_SQL_DISPUTE_CHANGES] =
	    "SELECT e.subject, e.value, e.at_ms, e.uncertainty_ms, e.journal_id"
	    " FROM edge_event e JOIN agent a ON a.id = e.agent AND a.vantage = 0"
	    " WHERE e.subject IN ($1, $1 || ':gateway', $1 || ':dns', $1 || ':internet')"
	    " AND e.kind = 'reach' AND a.agency = $2 AND e.at_ms >= $3 AND e.at_ms <= $4"
	    " ORDER BY e.at_ms, e.subject LIMIT $5",
	/* What draws the link: the core's view first. */
	[LEDGER_SQL_DISPUTE_SERIES] =
	    "WITH q (name, pair, loss, place) AS (VALUES"
	    " ('reach/' || $1 || '/rtt-avg', NULL, 0, 1),"
	    " ('reach/' || $1 || '/sent', 'reach/' || $1 || '/received', 1, 2),"
	    " ('icmp/' || $1 || '/rtt_avg', NULL, 0, 3),"
	    " ('icmp/' || $1 || '/loss', NULL, 1, 4),"
	    " ('reach/' || $1 || ':gateway/rtt-avg', NULL, 0, 5))"
	    " SELECT s.id, s.agent, s.name, a.vantage,"
	    " (SELECT p.id FROM series p WHERE p.agent = s.agent AND p.name = q.pair),"
	    " q.loss FROM agent a JOIN q JOIN series s ON s.agent = a.id"
	    " AND s.name = q.name WHERE a.agency = $2 OR a.vantage = 1"
	    " ORDER BY a.vantage DESC, q.place, a.id LIMIT 24",
	[LEDGER_SQL_OUTAGE_SEEN] = "SELECT 1 FROM outage WHERE id = $1"
				   " AND " IN_SCOPE("agency", "$2"),
	[LEDGER_SQL_AGENCY_NAME] = "SELECT name FROM agency WHERE id = $1",
};

const struct db_sql ledger_sql = {
	.room = "web.ledger", .sql = statements, .n = LEDGER_SQL_STATEMENTS
};
