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
};

const struct db_sql ledger_sql = {
	.room = "web.ledger", .sql = statements, .n = LEDGER_SQL_STATEMENTS
};
