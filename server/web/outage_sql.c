#include "server/web/outage_sql.h"

#include "server/web/scope.h"

#define OUTAGE_COLUMNS                                                           \
	"SELECT o.id, o.link, o.agency, a.name, o.provider, o.state, o.root, "   \
	"o.start_ms,"                                                            \
	" o.start_uncertainty_ms, o.end_ms, o.end_uncertainty_ms, o.edge_agent," \
	" o.edge_start_ms, o.edge_start_uncertainty_ms, o.edge_end_ms,"          \
	" o.edge_end_uncertainty_ms, o.cause, o.cause_reason, o.evidence,"       \
	" o.opened_journal, o.closed_journal, n.ticket, n.note, n.journal_id,"   \
	" (SELECT count(*) FROM outage b WHERE b.root = o.id)"                   \
	" FROM outage o LEFT JOIN agency a ON a.id = o.agency"                   \
	" LEFT JOIN outage_note n ON n.outage = o.id"

#define INCIDENT_COLUMNS                                                                \
	"SELECT i.id, i.rule, i.severity, i.group_by, i.subject, i.opened_ms,"          \
	" i.closed_ms, i.announce_ms, i.announced_ms, i.acked_ms, i.acked_by, i.level," \
	" i.escalate_ms, i.journal_id, i.rules_hash FROM incident i"

/* An incident is seen by who sees one of its members. */
#define INCIDENT_SEEN(arg)                                                           \
	"(" arg " IS NULL OR EXISTS (SELECT 1 FROM incident_member m JOIN problem p" \
	" ON p.id = m.problem WHERE m.incident = i.id AND " IN_SCOPE(                \
	    "p.agency", arg) "))"

/* The outage behind a problem of a link: the newest that was there while it was. */
#define PROBLEM_OUTAGE                                                          \
	"(SELECT o.id FROM outage o WHERE o.link = p.subject AND o.start_ms <=" \
	" coalesce(p.closed_ms, 9223372036854775807) AND (o.end_ms IS NULL OR"  \
	" o.end_ms >= p.opened_ms) ORDER BY o.start_ms DESC LIMIT 1)"

#define MEMBER_COLUMNS                                                          \
	"SELECT p.id, p.kind, p.subject, p.agency, a.name, p.provider, p.root," \
	" p.opened_ms, p.closed_ms, p.reason, p.facts, m.joined_ms, m.left_ms," \
	" o.id, o.cause, o.cause_reason, p.opened_journal, p.closed_journal"    \
	" FROM incident_member m JOIN problem p ON p.id = m.problem"            \
	" LEFT JOIN agency a ON a.id = p.agency"                                \
	" LEFT JOIN outage o ON o.id = " PROBLEM_OUTAGE

static const char *const statements[OUTAGE_SQL_STATEMENTS] = {
	[OUTAGE_SQL_LIST] = OUTAGE_COLUMNS
	" WHERE (o.start_ms, o.id) < ($1, $2) AND ($3 IS NULL OR o.link = $3)"
	" AND " IN_SCOPE("o.agency",
	    "$4") " AND ($5 IS NULL OR o.provider = $5)"
		  " AND ($6 IS NULL OR o.cause = $6) AND ($7 < 0 OR (o.end_ms IS NULL) = "
		  "$7)"
		  " AND (o.end_ms IS NULL OR o.end_ms > $8) AND o.start_ms < $9"
		  " AND " IN_SCOPE(
		      "o.agency", "$10") " ORDER BY o.start_ms DESC, o.id DESC LIMIT $11",
	[OUTAGE_SQL_ONE] =
	    OUTAGE_COLUMNS " WHERE o.id = $1 AND " IN_SCOPE("o.agency", "$2"),
	[OUTAGE_SQL_OF_LINK] = OUTAGE_COLUMNS
	" WHERE o.link = $1 AND (o.end_ms IS NULL OR o.end_ms > $2) AND o.start_ms < $3"
	" ORDER BY o.start_ms LIMIT $4",
	[OUTAGE_SQL_BEHIND] =
	    "SELECT b.id, b.link, b.agency, a.name, b.start_ms, b.end_ms FROM outage b"
	    " LEFT JOIN agency a ON a.id = b.agency WHERE b.root = $1"
	    " AND " IN_SCOPE("b.agency", "$2") " ORDER BY b.id LIMIT 2000",
	[OUTAGE_SQL_SPANS] =
	    "SELECT s.from_ms, s.to_ms, s.state, s.why, s.reason, s.agent, s.journal_id"
	    " FROM link_span s WHERE s.link = $1 AND (s.to_ms IS NULL OR s.to_ms > $2)"
	    " AND s.from_ms < $3 ORDER BY s.from_ms LIMIT $4",
	[OUTAGE_SQL_LINKS] =
	    "SELECT l.id, l.agency, a.name, l.role, l.provider, a.parent FROM link l"
	    " LEFT JOIN agency a ON a.id = l.agency WHERE l.id > $1"
	    " AND " IN_SCOPE("l.agency",
		"$2") " AND ($3 IS NULL OR l.provider = $3)"
		      " AND ($4 = 0 OR EXISTS (SELECT 1 FROM link_span s WHERE s.link = "
		      "l.id"
		      " AND s.state <> 'UP' AND (s.to_ms IS NULL OR s.to_ms > $5) AND "
		      "s.from_ms < $6)"
		      " OR EXISTS (SELECT 1 FROM outage o WHERE o.link = l.id"
		      " AND (o.end_ms IS NULL OR o.end_ms > $5) AND o.start_ms < $6))"
		      " AND " IN_SCOPE("l.agency", "$7") " ORDER BY l.id LIMIT $8",
	/* Of one link: what was entered for it, its agency or one above, its provider,
	   all. */
	[OUTAGE_SQL_MAINTENANCE] =
	    "SELECT w.id, w.scope, w.from_ms, w.to_ms, w.reason, w.actor, w.entered_ms"
	    " FROM maintenance w, link l WHERE l.id = $1 AND w.removed_ms IS NULL"
	    " AND w.to_ms > $2 AND w.from_ms < $3 AND (w.scope = 'all'"
	    " OR w.scope = 'link' AND w.subject = l.id"
	    " OR w.scope = 'provider' AND w.subject = l.provider"
	    " OR w.scope = 'agency' AND l.agency IN (WITH RECURSIVE below (id) AS (SELECT"
	    " w.subject UNION SELECT a.id FROM agency a JOIN below b ON a.parent = b.id)"
	    " SELECT id FROM below)) ORDER BY w.from_ms LIMIT 200",

	[INCIDENT_SQL_LIST] = INCIDENT_COLUMNS
	" WHERE (i.opened_ms, i.id) < ($1, $2) AND ($3 < 0 OR (i.closed_ms IS NULL) = $3)"
	" AND ($4 < 0 OR (i.acked_ms IS NOT NULL) = $4)"
	" AND ($5 IS NULL OR i.severity = $5) AND ($6 IS NULL OR i.rule = $6)"
	" AND (i.closed_ms IS NULL OR i.closed_ms > $7) AND i.opened_ms < $8"
	" AND i.merged IS NULL"
	" AND " INCIDENT_SEEN("$9") " AND " INCIDENT_SEEN(
	    "$10") " ORDER BY i.opened_ms DESC, i.id DESC LIMIT $11",
	[INCIDENT_SQL_ONE] = INCIDENT_COLUMNS " WHERE i.id = $1 AND " INCIDENT_SEEN("$2"),
	/* What explains the others stands first. */
	[INCIDENT_SQL_ROOT] = MEMBER_COLUMNS " WHERE m.incident = $1 AND " IN_SCOPE(
	    "p.agency", "$2") " ORDER BY m.left_ms IS NOT NULL, p.root IS NOT NULL, "
			      "p.kind = 'link-unreachable',"
			      " m.joined_ms, p.id LIMIT 1",
	[INCIDENT_SQL_AGENCIES] =
	    "SELECT p.agency, a.name, min(m.joined_ms), count(*), sum(p.closed_ms IS "
	    "NULL)"
	    " FROM incident_member m JOIN problem p ON p.id = m.problem"
	    " LEFT JOIN agency a ON a.id = p.agency WHERE m.incident = $1"
	    " AND p.agency IS NOT NULL AND " IN_SCOPE("p.agency",
		"$2") " GROUP BY p.agency ORDER BY min(m.joined_ms), p.agency",
	[INCIDENT_SQL_MEMBERS] =
	    MEMBER_COLUMNS " WHERE m.incident = $1 AND " IN_SCOPE("p.agency",
		"$2") " ORDER BY p.root IS NOT NULL, m.joined_ms, p.id LIMIT 2000",
	[INCIDENT_SQL_MESSAGES] =
	    "SELECT channel, kind, state, created_ms, due_ms, attempts, sent_ms, "
	    "last_error"
	    " FROM outbox WHERE incident = $1 ORDER BY id LIMIT 1000",
	/* Of what is inside the scope, and what was decided for the whole. */
	[INCIDENT_SQL_DECISIONS] =
	    "SELECT d.at_ms, d.decision, d.reason, d.problem FROM alert_decision d"
	    " LEFT JOIN problem p ON p.id = d.problem WHERE d.incident = $1"
	    " AND (d.problem IS NULL OR " IN_SCOPE(
		"p.agency", "$2") ")"
				  " ORDER BY d.id LIMIT 2000",
	[INCIDENT_SQL_OUTSIDE] =
	    "SELECT count(*) FROM incident_member m JOIN problem p ON p.id = m.problem"
	    " WHERE m.incident = $1 AND NOT coalesce(" IN_SCOPE("p.agency", "$2") ", 0)",
	[INCIDENT_SQL_TITLE] =
	    "SELECT json_extract(facts, '$.title_vi'), json_extract(facts, '$.title_en')"
	    " FROM outbox WHERE incident = $1 AND json_valid(facts) ORDER BY id DESC "
	    "LIMIT 1",

	/* Of a link, an agent or an agency, or of one incident. */
	[EXPLAIN_SQL_PROBLEMS] =
	    "SELECT p.id, p.kind, p.subject, p.agency, p.opened_ms, p.closed_ms, "
	    "p.reason,"
	    " (SELECT m.incident FROM incident_member m WHERE m.problem = p.id"
	    "  ORDER BY m.joined_ms DESC LIMIT 1) FROM problem p"
	    " WHERE (p.subject = $1 OR p.agency = $1 OR p.id IN (SELECT problem FROM"
	    " incident_member WHERE incident = $1))"
	    " AND p.opened_ms <= $2 AND (p.closed_ms IS NULL OR p.closed_ms >= $3)"
	    " AND " IN_SCOPE(
		"p.agency", "$4") " ORDER BY p.opened_ms DESC, p.id LIMIT $5",
	[EXPLAIN_SQL_DECISIONS] =
	    "SELECT at_ms, decision, reason, incident FROM alert_decision"
	    " WHERE problem = $1 ORDER BY id LIMIT 100",
	[MESSAGE_SQL_LIST] =
	    "SELECT id, key, incident, channel, kind, state, created_ms, due_ms, "
	    "attempts,"
	    " sent_ms, last_error FROM outbox WHERE id < $1 AND ($2 IS NULL OR key = $2)"
	    " AND ($3 IS NULL OR channel = $3) AND ($4 IS NULL OR state = $4)"
	    " AND ($5 IS NULL OR incident = $5) ORDER BY id DESC LIMIT $6",
};

const struct db_sql web_outage_sql = { "web_outage", statements, OUTAGE_SQL_STATEMENTS };
