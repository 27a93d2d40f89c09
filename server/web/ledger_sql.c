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
	    " AND (w.scope = 'all' OR w.scope = 'link' AND w.subject = l.id"
	    " OR w.scope = 'provider' AND w.subject = l.provider"
	    " OR w.scope = 'agency' AND l.agency IN (WITH RECURSIVE below (id) AS"
	    " (SELECT w.subject UNION SELECT a.id FROM agency a JOIN below b"
	    "  ON a.parent = b.id) SELECT id FROM below))"
	    " ORDER BY w.from_ms, w.id LIMIT $4",
	[LEDGER_SQL_AGENCY_NAME] = "SELECT name FROM agency WHERE id = $1",
};

const struct db_sql ledger_sql = {
	.room = "web.ledger", .sql = statements, .n = LEDGER_SQL_STATEMENTS
};
