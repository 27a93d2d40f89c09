#include "server/alert/incident_sql.h"

/* What a reset may remove: results of rows that are still there to be folded again. */
#define OLDEST_ID "coalesce((SELECT min(id) FROM journal WHERE source <> 'operator'), 0)"

#define OUTAGE_KINDS "('link-down', 'link-unreachable', 'link-unstable')"

/* An agency and those above it, nearest first. */
#define ABOVE                                                                       \
	"WITH RECURSIVE up (id, level, parent, depth) AS ("                         \
	"SELECT id, level, parent, 0 FROM agency WHERE id = $1"                     \
	" UNION ALL SELECT a.id, a.level, a.parent, up.depth + 1 FROM agency a, up" \
	" WHERE a.id = up.parent AND up.depth < 16)"

static const char *const sql[INCIDENT_SQL_COUNT] = {
	[INCIDENT_SQL_LIVE] = "SELECT journal_id, at_ms, refold FROM alert_live",
	[INCIDENT_SQL_LIVE_PUT] =
	    "INSERT INTO alert_live (one, journal_id, at_ms, refold)"
	    " VALUES (1, $1, $2, $3) ON CONFLICT (one) DO UPDATE SET"
	    " journal_id = excluded.journal_id, at_ms = excluded.at_ms,"
	    " refold = excluded.refold",
	[INCIDENT_SQL_JOURNAL_END] =
	    "SELECT id, received_ms FROM journal ORDER BY id DESC LIMIT 1",
	[INCIDENT_SQL_CURSOR] =
	    "SELECT change_id, problem, journal_id, at_ms FROM alert_cursor",
	[INCIDENT_SQL_CURSOR_PUT] =
	    "INSERT INTO alert_cursor (one, change_id, problem, journal_id, at_ms)"
	    " VALUES (1, $1, $2, $3, $4) ON CONFLICT (one) DO UPDATE SET"
	    " change_id = excluded.change_id, problem = excluded.problem,"
	    " journal_id = excluded.journal_id, at_ms = excluded.at_ms",
	[INCIDENT_SQL_CURSOR_SEED] =
	    "INSERT INTO alert_cursor (one, change_id, problem, journal_id, at_ms)"
	    " SELECT 1, id, problem, journal_id, at_ms FROM problem_change"
	    " WHERE journal_id < " OLDEST_ID " ORDER BY id DESC LIMIT 1",
	[INCIDENT_SQL_CHANGE_AT] =
	    "SELECT problem, journal_id FROM problem_change WHERE id = $1",
	[INCIDENT_SQL_CHANGES] =
	    "SELECT c.id, c.problem, c.change, c.at_ms, c.journal_id, j.received_ms"
	    " FROM problem_change c LEFT JOIN journal j ON j.id = c.journal_id"
	    " WHERE c.id > $1 ORDER BY c.id LIMIT 512",
	[INCIDENT_SQL_PROBLEM] =
	    "SELECT p.kind, p.subject, coalesce(p.agency, l.agency), p.provider, p.root,"
	    " p.opened_ms, p.closed_ms, l.role, l.kind FROM problem p"
	    " LEFT JOIN link l ON l.id = p.subject WHERE p.id = $1",
	[INCIDENT_SQL_ABOVE] = ABOVE " SELECT id, level FROM up ORDER BY depth",
	[INCIDENT_SQL_MAINTENANCE] =
	    "SELECT max(to_ms), reason FROM maintenance WHERE removed_ms IS NULL"
	    " AND from_ms <= $1 AND to_ms > $1 AND (scope = 'all'"
	    " OR (scope = 'link' AND subject = $2) OR (scope = 'agency' AND subject = $3)"
	    " OR (scope = 'provider' AND subject = $4))",
	[INCIDENT_SQL_WAITING_PUT] =
	    "INSERT INTO alert_waiting (problem, due_ms) VALUES ($1, $2)"
	    " ON CONFLICT (problem) DO UPDATE SET due_ms = excluded.due_ms",
	[INCIDENT_SQL_WAITING_REMOVE] = "DELETE FROM alert_waiting WHERE problem = $1",
	[INCIDENT_SQL_WAITING_DUE] = "SELECT problem, due_ms FROM alert_waiting"
				     " ORDER BY due_ms, problem LIMIT 1",
	[INCIDENT_SQL_GET] =
	    "SELECT id, rule, severity, group_by, subject, opened_ms, closed_ms,"
	    " announce_ms, announced_ms, acked_ms, acked_by, level, escalate_ms,"
	    " journal_id, kind, root, agency, district, provider, merged, update_ms,"
	    " digest_ms, n_told, due_ms, rules_hash FROM incident WHERE id = $1",
	[INCIDENT_SQL_PUT] =
	    "INSERT INTO incident (id, rule, severity, group_by, subject, opened_ms,"
	    " closed_ms, announce_ms, announced_ms, acked_ms, acked_by, level, "
	    "escalate_ms,"
	    " journal_id, kind, root, agency, district, provider, merged, update_ms,"
	    " digest_ms, n_told, due_ms, rules_hash) VALUES ($1, $2, $3, $4, $5, $6, $7,"
	    " $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,"
	    " $23, $24, $25) ON CONFLICT (id) DO UPDATE SET group_by = excluded.group_by,"
	    " subject = excluded.subject, opened_ms = excluded.opened_ms,"
	    " closed_ms = excluded.closed_ms, announce_ms = excluded.announce_ms,"
	    " announced_ms = excluded.announced_ms, acked_ms = excluded.acked_ms,"
	    " acked_by = excluded.acked_by, level = excluded.level,"
	    " escalate_ms = excluded.escalate_ms, kind = excluded.kind,"
	    " root = excluded.root, agency = excluded.agency,"
	    " district = excluded.district, provider = excluded.provider,"
	    " merged = excluded.merged, update_ms = excluded.update_ms,"
	    " digest_ms = excluded.digest_ms, n_told = excluded.n_told,"
	    " due_ms = excluded.due_ms",
	[INCIDENT_SQL_COUNT_ROW] = "SELECT count(*) FROM incident WHERE journal_id = $1",
	[INCIDENT_SQL_OF_PROBLEM] =
	    "SELECT m.incident FROM incident_member m JOIN incident i ON i.id = "
	    "m.incident"
	    " WHERE m.problem = $1 AND i.closed_ms IS NULL AND i.merged IS NULL LIMIT 1",
	[INCIDENT_SQL_OF_SUBJECT] =
	    "SELECT i.id FROM problem q JOIN incident_member m ON m.problem = q.id"
	    " JOIN incident i ON i.id = m.incident WHERE q.subject = $1"
	    " AND (q.closed_journal IS NULL OR q.closed_journal >= $2) AND q.kind "
	    "IN " OUTAGE_KINDS " AND i.closed_ms IS NULL AND i.merged IS NULL"
	    " AND q.id <> $3 ORDER BY i.opened_ms, i.id LIMIT 1",
	[INCIDENT_SQL_OF_EPISODE] =
	    "SELECT i.id FROM problem p JOIN problem q ON q.subject = p.subject"
	    " JOIN incident_member m ON m.problem = q.id"
	    " JOIN incident i ON i.id = m.incident WHERE p.id = $1 AND q.id <> p.id"
	    " AND (q.closed_journal IS NULL OR q.closed_journal >= $2)"
	    " AND p.kind IN " OUTAGE_KINDS " AND q.kind IN " OUTAGE_KINDS
	    " AND i.closed_ms IS NULL AND i.merged IS NULL"
	    " ORDER BY i.opened_ms, i.id LIMIT 1",
	[INCIDENT_SQL_OF_AGENCY] =
	    "SELECT i.id FROM problem q JOIN incident_member m ON m.problem = q.id"
	    " JOIN incident i ON i.id = m.incident WHERE q.agency = $1"
	    " AND (q.closed_journal IS NULL OR q.closed_journal >= $2)"
	    " AND q.kind IN ('link-down', 'link-unreachable') AND m.left_ms IS NULL"
	    " AND i.closed_ms IS NULL AND i.merged IS NULL"
	    " ORDER BY i.opened_ms, i.id LIMIT 1",
	[INCIDENT_SQL_OF_GROUP] =
	    "SELECT id FROM incident WHERE subject = $1 AND group_by = $2 AND rule = $3"
	    " AND closed_ms IS NULL AND merged IS NULL ORDER BY opened_ms, id LIMIT 1",
	[INCIDENT_SQL_NEAR_PROVIDER] =
	    "SELECT id, announced_ms, opened_ms FROM incident WHERE provider = $1"
	    " AND rule = $2 AND closed_ms IS NULL AND merged IS NULL"
	    " AND group_by IN ('problem', 'parent') AND opened_ms BETWEEN $3 AND $4",
	[INCIDENT_SQL_NEAR_DISTRICT] =
	    "SELECT id, announced_ms, opened_ms FROM incident WHERE district = $1"
	    " AND rule = $2 AND closed_ms IS NULL AND merged IS NULL"
	    " AND group_by IN ('problem', 'parent') AND opened_ms BETWEEN $3 AND $4",
	[INCIDENT_SQL_LINKS_PROVIDER] = "SELECT count(*) FROM link WHERE provider = $1",
	[INCIDENT_SQL_LINKS_DISTRICT] =
	    "WITH RECURSIVE down (id, depth) AS (SELECT $1, 0 UNION ALL"
	    " SELECT a.id, down.depth + 1 FROM agency a, down WHERE a.parent = down.id"
	    " AND down.depth < 16) SELECT count(*) FROM link WHERE agency IN"
	    " (SELECT id FROM down)",
	[INCIDENT_SQL_ORPHANS] =
	    "SELECT p.id FROM problem p WHERE p.root = $1 AND p.opened_journal <= $2"
	    " AND (p.closed_journal IS NULL OR p.closed_journal > $2)"
	    " AND NOT EXISTS (SELECT 1 FROM incident_member m WHERE m.problem = p.id"
	    " AND m.incident = $3) ORDER BY p.id LIMIT 1",
	[INCIDENT_SQL_MEMBER_PUT] =
	    "INSERT INTO incident_member (incident, problem, joined_ms) VALUES ($1, $2, "
	    "$3) ON CONFLICT (incident, problem) DO UPDATE SET left_ms = NULL",
	[INCIDENT_SQL_MEMBER_LEAVE] =
	    "UPDATE incident_member SET left_ms = $1 WHERE problem = $2"
	    " AND left_ms IS NULL",
	[INCIDENT_SQL_MEMBERS_MOVE] =
	    "INSERT INTO incident_member (incident, problem, joined_ms, left_ms)"
	    " SELECT $1, problem, joined_ms, left_ms FROM incident_member"
	    " WHERE incident = $2 ON CONFLICT (incident, problem) DO NOTHING",
	[INCIDENT_SQL_MEMBERS_LEAVE] =
	    "UPDATE incident_member SET left_ms = $1 WHERE incident = $2"
	    " AND left_ms IS NULL",
	[INCIDENT_SQL_MEMBERS_OPEN] =
	    "SELECT count(*) FROM incident_member WHERE incident = $1"
	    " AND left_ms IS NULL",
	[INCIDENT_SQL_MEMBERS_EVER] =
	    "SELECT count(*) FROM incident_member WHERE incident = $1",
	[INCIDENT_SQL_ROOT_LEFT] =
	    "SELECT p.id FROM incident_member m JOIN problem p ON p.id = m.problem"
	    " WHERE m.incident = $1 AND m.left_ms IS NULL"
	    " ORDER BY p.root IS NOT NULL, p.kind NOT IN " OUTAGE_KINDS
	    ", p.opened_ms, p.id LIMIT 1",
	[INCIDENT_SQL_CLOSE_MERGED] =
	    "UPDATE incident SET closed_ms = $1, due_ms = CASE WHEN announced_ms IS NULL"
	    " THEN NULL ELSE $1 END WHERE merged = $2 AND closed_ms IS NULL",
	[INCIDENT_SQL_REMERGE] = "UPDATE incident SET merged = $1 WHERE merged = $2",
	[INCIDENT_SQL_DECIDE] =
	    "INSERT INTO alert_decision (incident, problem, at_ms, decision, reason)"
	    " VALUES ($1, $2, $3, $4, $5)",
	[INCIDENT_SQL_ACK_PUT] =
	    "INSERT INTO incident_ack (incident, at_ms, by, note, journal_id)"
	    " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (incident) DO NOTHING",
	[INCIDENT_SQL_ACK_GET] =
	    "SELECT at_ms, by, note FROM incident_ack WHERE incident = $1",
	[INCIDENT_SQL_ACK_PENDING] =
	    "SELECT a.incident, a.at_ms, a.by, a.note FROM incident_ack a JOIN incident i"
	    " ON i.id = a.incident WHERE a.journal_id > $1 AND i.acked_ms IS NULL"
	    " ORDER BY a.journal_id LIMIT 1",
	[INCIDENT_SQL_RESET_INCIDENT] =
	    "DELETE FROM incident WHERE journal_id >= " OLDEST_ID,
	[INCIDENT_SQL_RESET_MEMBER] = "DELETE FROM incident_member WHERE incident NOT IN"
				      " (SELECT id FROM incident)",
	[INCIDENT_SQL_RESET_DECISION] =
	    "DELETE FROM alert_decision WHERE incident IS NULL"
	    " OR incident NOT IN (SELECT id FROM incident)",
	[INCIDENT_SQL_RESET_WAITING] = "DELETE FROM alert_waiting",
	[INCIDENT_SQL_RESET_CURSOR] = "DELETE FROM alert_cursor",
	[INCIDENT_SQL_RESET_ACK] = "DELETE FROM incident_ack WHERE journal_id >= 0",
	[INCIDENT_SQL_MEMBERS_RESET_OPEN] =
	    "UPDATE incident_member SET left_ms = NULL WHERE incident IN"
	    " (SELECT id FROM incident WHERE closed_ms IS NULL)",
};

const struct db_sql incident_sql = { "incident", sql, INCIDENT_SQL_COUNT };

static const char *const tell[TELL_SQL_COUNT] = {
	[TELL_SQL_DUE] = "SELECT id FROM incident WHERE due_ms <= $1"
			 " ORDER BY due_ms, id LIMIT 1",
	[TELL_SQL_NEXT_DUE] = "SELECT min(t) FROM (SELECT min(due_ms) AS t FROM incident"
			      " WHERE due_ms IS NOT NULL UNION ALL"
			      " SELECT min(due_ms) FROM alert_waiting)",
	[TELL_SQL_ANNOUNCED_AT] = "SELECT min(created_ms) FROM outbox"
				  " WHERE incident = $1 AND kind = 'announce'",
	[TELL_SQL_CHANNELS] = "SELECT DISTINCT channel FROM outbox WHERE incident = $1"
			      " AND kind IN ('announce', 'escalate') ORDER BY channel",
	[TELL_SQL_LEVELS] =
	    "SELECT count(DISTINCT created_ms), max(created_ms) FROM outbox"
	    " WHERE incident = $1 AND kind = 'escalate'",
	[TELL_SQL_TOLD_OPEN] =
	    "SELECT id FROM incident WHERE closed_ms IS NULL AND announced_ms IS NOT NULL"
	    " AND merged IS NULL AND id > $1 ORDER BY id LIMIT 1",
	[TELL_SQL_COUNT_KIND] = "SELECT count(*) FROM outbox WHERE incident = $1"
				" AND channel = $2 AND kind = $3",
	[TELL_SQL_OUTBOX_PUT] =
	    "INSERT INTO outbox (key, incident, channel, kind, facts, created_ms, due_ms)"
	    " VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (key) DO NOTHING",
	[TELL_SQL_RECENT] = "SELECT count(*), min(announced_ms) FROM incident"
			    " WHERE rule = $1 AND announced_ms > $2",
	/* Every thing once, though its problems were several. */
	[TELL_SQL_AFFECTED] =
	    "SELECT p.subject, min(p.opened_ms), max(a.name), max(a.level),"
	    " max(p.agency), max(l.id), "
	    " max(p.root IS NOT NULL AND p.subject <> i.subject), max(p.reason)"
	    " FROM incident_member m JOIN incident i ON i.id = m.incident"
	    " JOIN problem p ON p.id = m.problem"
	    " LEFT JOIN link l ON l.id = p.subject"
	    " LEFT JOIN agency a ON a.id = coalesce(p.agency, l.agency)"
	    " WHERE m.incident = $1 AND (m.left_ms IS NULL OR $2)"
	    " GROUP BY p.subject ORDER BY 7, min(p.opened_ms),"
	    " p.subject",
	[TELL_SQL_AGENCY_NAME] = "SELECT name, level FROM agency WHERE id = $1",
	[TELL_SQL_CAUSE] = "SELECT cause FROM outage WHERE link = $1"
			   " ORDER BY start_ms DESC LIMIT 1",
	[TELL_SQL_SECRET] = "SELECT key FROM alert_secret",
	[TELL_SQL_SECRET_PUT] = "INSERT INTO alert_secret (one, key) VALUES (1, $1)",
	[TELL_SQL_ROOT] =
	    "SELECT subject, reason, facts, agency FROM problem WHERE id = $1",
	[TELL_SQL_REPLAY_TOLD] = "SELECT coalesce(max(id), 0) FROM outbox",
	[TELL_SQL_REPLAY_OUTBOX] =
	    "SELECT id, created_ms, channel, kind, incident, facts FROM outbox"
	    " WHERE id > $1 ORDER BY id LIMIT 1",
	[TELL_SQL_REPLAY_INCIDENT] =
	    "SELECT i.id FROM incident i WHERE i.closed_ms IS NULL AND i.merged IS NULL"
	    " AND (i.subject = $1 OR EXISTS (SELECT 1 FROM incident_member m"
	    " JOIN problem p ON p.id = m.problem WHERE m.incident = i.id"
	    " AND p.subject = $1)) ORDER BY i.id LIMIT 1",
	[TELL_SQL_REPLAY_AGENCIES] = "SELECT id, name, level, parent FROM agency",
	[TELL_SQL_REPLAY_LINKS] =
	    "SELECT id, agency, role, kind, provider, parents FROM link",
	[TELL_SQL_REPLAY_HISTORY] =
	    "SELECT c.change, c.at_ms, coalesce(j.received_ms, c.at_ms), p.kind,"
	    " p.subject, p.agency, p.provider, p.root, p.reason, c.problem"
	    " FROM problem_change c JOIN problem p ON p.id = c.problem"
	    " LEFT JOIN journal j ON j.id = c.journal_id"
	    " WHERE coalesce(j.received_ms, c.at_ms) BETWEEN $1 AND $2 ORDER BY c.id",
};

const struct db_sql tell_sql = { "tell", tell, TELL_SQL_COUNT };
