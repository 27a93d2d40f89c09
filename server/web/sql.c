#include "server/web/sql.h"

#include "server/web/scope.h"

/* What the fold of links says of an agency; before it has spoken: as reachable as its
 * best link, down only when every link is known down. */
#define AGENCY_STATE                                                                     \
	"(SELECT CASE min(CASE coalesce(f.state, 'UNKNOWN') WHEN 'UP' THEN 0 WHEN "      \
	"'DEGRADED'"                                                                     \
	" THEN 1 WHEN 'MAINTENANCE' THEN 2 WHEN 'UNKNOWN' THEN 3 WHEN 'UNREACHABLE' "    \
	"THEN 4"                                                                         \
	" ELSE 5 END) WHEN 0 THEN 'UP' WHEN 1 THEN 'DEGRADED' WHEN 2 THEN 'MAINTENANCE'" \
	" WHEN 4 THEN 'UNREACHABLE' WHEN 5 THEN 'DOWN' ELSE 'UNKNOWN' END"               \
	" FROM link l LEFT JOIN link_fact f ON f.link = l.id WHERE l.agency = a.id)"

#define AGENCY_COLUMNS                                                              \
	"SELECT a.id, a.name, a.level, a.kind, a.parent, a.latitude, a.longitude,"  \
	" a.journal_id, h.servants, h.as_of_ms, h.journal_id, "                     \
	"coalesce(s.state, " AGENCY_STATE "),"                                      \
	" (SELECT count(*) FROM link l WHERE l.agency = a.id),"                     \
	" (SELECT count(*) FROM link l JOIN link_fact f ON f.link = l.id"           \
	"  WHERE l.agency = a.id AND f.state IN ('UP', 'DEGRADED')),"               \
	" (SELECT count(*) FROM agent g WHERE g.agency = a.id AND g.revoked_ms IS " \
	"NULL),"                                                                    \
	" (SELECT count(*) FROM agent g JOIN presence p ON p.agent = g.id"          \
	"  WHERE g.agency = a.id AND g.revoked_ms IS NULL AND p.state = 'online')," \
	" (SELECT count(*) FROM agency c WHERE c.parent = a.id),"                   \
	" s.on_backup, s.since_ms, s.reason"                                        \
	" FROM agency a LEFT JOIN agency_state s ON s.agency = a.id"                \
	" LEFT JOIN headcount h ON h.agency = a.id AND h.as_of_ms ="                \
	"  (SELECT max(as_of_ms) FROM headcount WHERE agency = a.id)"

#define INDEX_COLUMNS                                                                    \
	"SELECT definition, indicator, scope, own, status, value, unit, low, high, "     \
	"numerator,"                                                                     \
	" numerator_unit, denominator, denominator_unit, coverage, confidence, source, " \
	"reason,"                                                                        \
	" cure, evidence, explain, computed_ms FROM index_value v"

static const char *const statements[WEB_SQL_STATEMENTS] = {
	[WEB_SQL_DATA_VERSION] = "PRAGMA data_version",
	[WEB_SQL_MARK_LINKS] =
	    "SELECT (SELECT count(*) || ' ' || coalesce(max(journal_id), 0) FROM"
	    " bandwidth_test) || ' ' || count(*) || ' ' ||"
	    " coalesce(sum(since_ms % 1000003), 0) || ' ' ||"
	    " coalesce(max(measured_ms), 0) || ' ' || group_concat(substr(state, 1, 3), "
	    "'')"
	    " FROM link_fact",
	[WEB_SQL_MARK_PRESENCE] =
	    "SELECT count(*) || ' ' || coalesce(sum(since_ms % 1000003), 0) || ' ' ||"
	    " coalesce(max(since_ms), 0) || ' ' || sum(state = 'online') FROM presence",
	[WEB_SQL_MARK_INDEX] =
	    "SELECT count(*) || ' ' || coalesce(max(computed_ms), 0) || ' ' ||"
	    " coalesce(sum(value), 0) || ' ' || coalesce(sum(coverage), 0) FROM "
	    "index_value",
	/* Few rows each: what is open, by its partial index, and the newest by time. */
	[WEB_SQL_MARK_OUTAGES] =
	    "SELECT (SELECT count(*) || ' ' || coalesce(sum(start_ms % 1000003), 0) FROM"
	    " outage WHERE end_ms IS NULL) || ' ' || (SELECT count(*) || ' ' ||"
	    " coalesce(sum((coalesce(end_ms, 0) + coalesce(edge_start_ms, 0) +"
	    " coalesce(edge_end_ms, 0)) % 1000003), 0) || ' ' || "
	    "coalesce(sum(length(cause)),"
	    " 0) || ' ' || coalesce(max(start_ms), 0) FROM (SELECT * FROM outage ORDER BY"
	    " start_ms DESC LIMIT 200)) || ' ' || (SELECT count(*) || ' ' ||"
	    " coalesce(max(journal_id), 0) FROM outage_note)",
	[WEB_SQL_MARK_INCIDENTS] =
	    "SELECT (SELECT count(*) || ' ' || count(acked_ms) || ' ' || "
	    "count(announced_ms)"
	    " || ' ' || coalesce(sum(level), 0) || ' ' || coalesce(sum(opened_ms % "
	    "1000003),"
	    " 0) || ' ' || coalesce(sum((SELECT count(*) + count(m.left_ms) FROM"
	    " incident_member m WHERE m.incident = i.id)), 0) FROM incident i WHERE"
	    " closed_ms IS NULL) || ' ' || (SELECT coalesce(max(opened_ms), 0) FROM "
	    "incident)",
	[WEB_SQL_MARK_MAINTENANCE] = "SELECT count(*) || ' ' || count(removed_ms) || ' ' "
				     "|| coalesce(max(journal_id),"
				     " 0) FROM maintenance",
	[WEB_SQL_READY] = "SELECT max(id) FROM journal",

	[WEB_SQL_AGENCY_BELOW] =
	    "WITH RECURSIVE below (id) AS (SELECT $1"
	    " UNION SELECT a.id FROM agency a JOIN below b ON a.parent = b.id)"
	    " SELECT 1 FROM below WHERE id = $2",
	[WEB_SQL_AGENCIES] = AGENCY_COLUMNS
	" WHERE a.id > $1 AND ($2 IS NULL OR a.parent = $2)"
	" AND ($3 IS NULL OR a.level = $3)"
	" AND ($4 IS NULL OR instr(lower(a.name), lower($4)) > 0 OR instr(a.id, $4) > 0)"
	" AND " IN_SCOPE("a.id", "$5") " ORDER BY a.id LIMIT $6",
	[WEB_SQL_AGENCY] = AGENCY_COLUMNS " WHERE a.id = $1 AND " IN_SCOPE("a.id", "$2"),
	[WEB_SQL_HEADCOUNTS] =
	    "SELECT as_of_ms, servants, journal_id FROM headcount WHERE agency = $1"
	    " ORDER BY as_of_ms DESC LIMIT 20",

	[WEB_SQL_AGENCY_INDEX] = INDEX_COLUMNS
	" WHERE scope = $1 AND own = $2 AND definition = $3 ORDER BY indicator",
	[WEB_SQL_INDEX_LIST] = INDEX_COLUMNS
	" WHERE definition = $1 AND ($2 IS NULL OR scope = $2)"
	" AND ($3 IS NULL OR indicator = $3) AND own = $4 AND scope > $5"
	" AND " IN_SCOPE("scope", "$6") " ORDER BY scope, indicator LIMIT $7",
	[WEB_SQL_INDEX_ONE] = INDEX_COLUMNS
	" WHERE definition = $1 AND scope = $2 AND indicator = $3 AND own = $4"
	" AND " IN_SCOPE("scope", "$5"),
	[WEB_SQL_DEFINITIONS] =
	    "SELECT DISTINCT definition FROM index_value ORDER BY definition",

	[WEB_SQL_EVIDENCE_ROWS] = "SELECT j.id, j.source, j.kind, j.agent, "
				  "j.received_ms, j.actor, length(j.payload)"
				  " FROM json_each($1) e JOIN journal j ON j.id = "
				  "e.value ORDER BY j.id DESC LIMIT $2",
	[WEB_SQL_JOURNAL_ROW] = "SELECT id, source, kind, agent, lane, epoch, seq, boot, "
				"session, mono_ns, sent_mono_ns,"
				" content_type, received_ms, actor, rules_hash, payload "
				"FROM journal WHERE id = $1",
	[WEB_SQL_EVIDENCE_COPY] = "SELECT journal_id, 'agent', 'data', agent, NULL, "
				  "NULL, NULL, NULL, NULL, NULL, NULL,"
				  " content_type, received_ms, NULL, NULL, payload FROM "
				  "evidence WHERE journal_id = $1",
	/* May a scoped account see this operator row? When the registry has it from
	   there. */
	[WEB_SQL_JOURNAL_IN_REGISTRY] =
	    "SELECT agency FROM headcount WHERE journal_id = $1"
	    " UNION SELECT id FROM agency WHERE journal_id = $1"
	    " UNION SELECT agency FROM link WHERE journal_id = $1"
	    " UNION SELECT agency FROM declaration WHERE journal_id = $1"
	    " UNION SELECT agency FROM machine_correction WHERE journal_id = $1"
	    " UNION SELECT agency FROM agent WHERE journal_id = $1",
	[WEB_SQL_LINK_AGENCY] = "SELECT agency FROM link WHERE id = $1",

	[WEB_SQL_LINKS] =
	    "SELECT l.id, l.agency, l.role, l.kind, l.line_type, l.provider, "
	    "l.contracted_down_bps,"
	    " l.contracted_up_bps, l.router_address, l.parents, l.journal_id, f.state, "
	    "f.reason,"
	    " f.since_ms, f.measured_ms, f.loss, f.rtt_s, f.negotiated_down_bps,"
	    " f.negotiated_up_bps, f.used_down_bps, f.used_up_bps, f.agent, f.evidence, "
	    "a.name, s.why, b.measured_down_bps, b.measured_up_bps, b.used_down_p95,"
	    " b.used_up_p95, b.findings"
	    " FROM link l LEFT JOIN link_fact f ON f.link = l.id"
	    " LEFT JOIN link_bandwidth b ON b.link = l.id"
	    " LEFT JOIN agency a ON a.id = l.agency"
	    " LEFT JOIN link_span s ON s.link = l.id AND s.to_ms IS NULL"
	    " WHERE l.id > $1 AND ($2 IS NULL OR l.id = $2) AND ($3 IS NULL OR l.agency "
	    "= $3)"
	    " AND ($4 IS NULL OR coalesce(f.state, 'UNKNOWN') = $4)"
	    " AND " IN_SCOPE("l.agency", "$5") " ORDER BY l.id LIMIT $6",

	[WEB_SQL_LINK_WAN] =
	    "SELECT e.value, w.as_of_ms FROM link l JOIN wan_connected w"
	    " ON w.agency = l.agency, json_each(w.links) e WHERE l.id = $1"
	    " AND w.definition = $2 AND json_extract(e.value, '$.link') = l.id",
	[WEB_SQL_AGENCY_WAN] =
	    "SELECT answer, confidence, reason, cure, as_of_ms, links, computed_ms"
	    " FROM wan_connected WHERE agency = $1 AND definition = $2",
	[WEB_SQL_BANDWIDTH] =
	    "SELECT l.agency, b.document FROM link l LEFT JOIN link_bandwidth b"
	    " ON b.link = l.id WHERE l.id = $1 AND " IN_SCOPE("l.agency", "$2"),
	[WEB_SQL_BANDWIDTH_MONTHS] =
	    "SELECT from_ms, to_ms, declared, observed, office_declared, office_observed,"
	    " down_p95, down_mean, down_peak, down_office_p95, down_office_mean, "
	    "down_busy,"
	    " down_busy_hour, up_p95, up_mean, up_peak, up_office_p95, up_office_mean,"
	    " up_busy, up_busy_hour FROM bandwidth_month WHERE link = $1 ORDER BY "
	    "from_ms",
	[WEB_SQL_BANDWIDTH_FIRST] =
	    "SELECT min(hour_ms) FROM bandwidth_hour WHERE link = $1",

	[WEB_SQL_SMOKE_AGENTS] =
	    "SELECT agent FROM rtt_part WHERE link = $1 AND from_ms >= $2 AND from_ms < "
	    "$3"
	    " GROUP BY agent ORDER BY sum(sent) DESC, agent LIMIT 64",
	[WEB_SQL_SMOKE] =
	    "SELECT from_ms, sent, received, hist FROM rtt_part WHERE link = $1"
	    " AND agent = $2 AND from_ms >= $3 AND from_ms < $4 ORDER BY from_ms",

	[WEB_SQL_MACHINES] =
	    "SELECT m.id, m.class, m.confidence, m.random_mac, m.hostname, m.vendor, "
	    "m.first_ms,"
	    " m.last_ms, m.why, m.evidence, c.class, c.same_as, c.journal_id"
	    " FROM machine m LEFT JOIN machine_correction c"
	    " ON c.agency = m.agency AND c.machine = m.id"
	    " WHERE m.agency = $1 AND m.id > $2 AND ($3 IS NULL OR m.class = $3)"
	    " AND m.last_ms >= $4 ORDER BY m.id LIMIT $5",
	[WEB_SQL_MACHINE_NICS] =
	    "SELECT mac, ipv4, seen_by, first_ms, last_ms FROM machine_nic"
	    " WHERE agency = $1 AND machine = $2 ORDER BY mac LIMIT 64",
	[WEB_SQL_MACHINE_CLASSES] = "SELECT class, count(*), sum(random_mac) FROM "
				    "machine WHERE agency = $1 AND last_ms >= $2"
				    " GROUP BY class ORDER BY count(*) DESC, class",
	[WEB_SQL_MACHINE_FIND] = "SELECT 1 FROM machine WHERE agency = $1 AND id = $2",
	[WEB_SQL_LAN_COVERAGE] =
	    "SELECT subnet, max(targets), max(probed), max(hour_ms), count(*) FROM "
	    "lan_coverage"
	    " WHERE agency = $1 AND hour_ms >= $2 GROUP BY subnet ORDER BY subnet",

	[WEB_SQL_FINDINGS] = "SELECT agent, check_id, answer, evidence_text, count, "
			     "at_ms, journal_id FROM finding"
			     " WHERE agency = $1 ORDER BY check_id, agent LIMIT 2000",
	[WEB_SQL_DECLARATIONS] =
	    "SELECT solution, answer, document, signer, declared_ms, expires_ms, "
	    "journal_id"
	    " FROM declaration WHERE agency = $1 ORDER BY solution LIMIT 500",

	[WEB_SQL_AGENTS] =
	    "SELECT g.id, g.agency, g.vantage, g.enrolled_ms, g.fingerprint, "
	    "g.revoked_ms,"
	    " g.approved_hash, g.approved_config, p.state, p.session, p.boot, "
	    "p.fingerprint,"
	    " p.version, p.clock, p.config_hash, p.since_ms, p.last_ms, a.name,"
	    " (SELECT count(*) FROM gap WHERE gap.agent = g.id),"
	    " (SELECT coalesce(sum(last_seq - first_seq + 1), 0) FROM gap WHERE "
	    "gap.agent = g.id),"
	    " (SELECT count(*) FROM journal_aside s WHERE s.agent = g.id AND "
	    "s.decided_ms IS NULL),"
	    " (SELECT max(number) FROM latest q WHERE q.agent = g.id"
	    "  AND q.name LIKE 'agent/%/queued'),"
	    " (SELECT max(not_after_ms) FROM certificate c WHERE c.agent = g.id"
	    "  AND c.revoked_ms IS NULL),"
	    " (SELECT group_concat(DISTINCT string) FROM latest q WHERE q.agent = g.id"
	    "  AND q.name LIKE 'host/%/os'),"
	    " t.targets, t.hash, coalesce(p.targets_hash, ''), t.refused, t.refused_ms"
	    " FROM agent g LEFT JOIN presence p ON p.agent = g.id"
	    " LEFT JOIN agency a ON a.id = g.agency"
	    " LEFT JOIN agent_targets t ON t.agent = g.id"
	    " WHERE g.id > $1 AND ($2 IS NULL OR g.id = $2) AND ($3 IS NULL OR g.agency "
	    "= $3)"
	    " AND " IN_SCOPE("g.agency", "$4") " ORDER BY g.id LIMIT $5",
	[WEB_SQL_AGENT_AGENCY] = "SELECT agency FROM agent WHERE id = $1",
	[WEB_SQL_AGENT_PROPOSALS] = "SELECT string, at_ms, journal_id FROM latest"
				    " WHERE agent = $1 AND name LIKE 'agent/%/proposal' "
				    "ORDER BY at_ms DESC LIMIT 1",
	[WEB_SQL_AGENT_REFUSAL] =
	    "SELECT json_extract(CAST(payload AS TEXT), '$.error'), received_ms, id"
	    " FROM journal WHERE agent = $1 AND source = 'server' AND kind = "
	    "'config-refused'"
	    " AND id > (SELECT journal_id FROM agent WHERE id = $1)"
	    " AND json_extract(CAST(payload AS TEXT), '$.hash') = $2"
	    " ORDER BY id DESC LIMIT 1",
	[WEB_SQL_CLONES] =
	    "SELECT s.agent, s.fingerprint, s.reason, count(*), min(s.received_ms),"
	    " max(s.received_ms), g.agency, g.fingerprint"
	    " FROM journal_aside s LEFT JOIN agent g ON g.id = s.agent"
	    " WHERE s.decided_ms IS NULL AND ($1 IS NULL OR s.agent = $1)"
	    " AND " IN_SCOPE("g.agency", "$2") " GROUP BY s.agent, s.fingerprint, "
					       "s.reason ORDER BY s.agent LIMIT $3",

	[WEB_SQL_LATEST] =
	    "SELECT name, kind, number, counter, string, boolean, unit, at_ms, "
	    "uncertainty_ms,"
	    " rebased, journal_id FROM latest WHERE agent = $1 AND name > $2"
	    " AND ($3 IS NULL OR substr(name, 1, length($3)) = $3) ORDER BY name LIMIT "
	    "$4",
	[WEB_SQL_GAPS] = "SELECT p.agent, p.epoch, p.first_seq, p.last_seq, p.reason, "
			 "p.reported_ms, p.journal_id"
			 " FROM gap p LEFT JOIN agent g ON g.id = p.agent"
			 " WHERE (p.agent, p.epoch, p.first_seq) > ($1, $2, $3) AND ($4 "
			 "IS NULL OR p.agent = $4)"
			 " AND " IN_SCOPE("g.agency",
			     "$5") " ORDER BY p.agent, p.epoch, p.first_seq LIMIT $6",
	[WEB_SQL_GARBAGE_COUNTS] = "SELECT agent, reason, n, last_ms FROM garbage_count "
				   "ORDER BY last_ms DESC LIMIT 1000",
	[WEB_SQL_GARBAGE] =
	    "SELECT id, received_ms, topic, agent, reason, len, sample FROM garbage"
	    " WHERE id < $1 ORDER BY id DESC LIMIT $2",

	[WEB_SQL_ENROLL_TOKENS] =
	    "SELECT id, agency, agent, created_by, created_ms, expires_ms, used_ms FROM "
	    "enroll_token"
	    " WHERE id > $1 AND " IN_SCOPE("agency", "$2") " ORDER BY id LIMIT $3",

	[WEB_SQL_SERIES] = "SELECT id, unit FROM series WHERE agent = $1 AND name = $2",
	[WEB_SQL_BLOCKS] =
	    "SELECT hour_ms, n, min, max, sum, points FROM series_block"
	    " WHERE series = $1 AND hour_ms >= $2 AND hour_ms < $3 ORDER BY hour_ms",

	[WEB_SQL_METRICS_LINKS] =
	    "SELECT l.agency, l.id, l.role, l.kind, coalesce(f.state, 'UNKNOWN'), "
	    "f.loss, f.rtt_s,"
	    " f.measured_ms FROM link l LEFT JOIN link_fact f ON f.link = l.id"
	    " WHERE " IN_SCOPE("l.agency", "$1") " ORDER BY l.id LIMIT 50000",
	[WEB_SQL_METRICS_BANDWIDTH] =
	    "SELECT l.agency, l.id, k.column1, k.column2, CASE k.column1 || k.column2"
	    " WHEN 'contracteddown' THEN l.contracted_down_bps"
	    " WHEN 'contractedup' THEN l.contracted_up_bps"
	    " WHEN 'negotiateddown' THEN b.negotiated_bps"
	    " WHEN 'negotiatedup' THEN b.negotiated_bps"
	    " WHEN 'measureddown' THEN b.measured_down_bps"
	    " WHEN 'measuredup' THEN b.measured_up_bps"
	    " WHEN 'useddown' THEN b.used_down_p95 ELSE b.used_up_p95 END AS bps"
	    " FROM link l LEFT JOIN link_bandwidth b ON b.link = l.id, (VALUES"
	    " ('contracted', 'down'), ('contracted', 'up'), ('negotiated', 'down'),"
	    " ('negotiated', 'up'), ('measured', 'down'), ('measured', 'up'),"
	    " ('used', 'down'), ('used', 'up')) k WHERE bps IS NOT NULL AND " IN_SCOPE(
		"l.agency", "$1") " ORDER BY l.id, k.column1, k.column2 LIMIT 400000",
	[WEB_SQL_METRICS_AGENTS] =
	    "SELECT g.id, g.agency, coalesce(p.state, 'never'), p.last_ms FROM agent g"
	    " LEFT JOIN presence p ON p.agent = g.id WHERE g.revoked_ms IS NULL"
	    " AND " IN_SCOPE("g.agency", "$1") " ORDER BY g.id LIMIT 50000",
	[WEB_SQL_METRICS_TOTALS] =
	    "SELECT (SELECT coalesce(max(id), 0) FROM journal), (SELECT count(*) FROM "
	    "agency),"
	    " (SELECT count(*) FROM machine), (SELECT count(*) FROM gap),"
	    " (SELECT count(*) FROM journal_aside WHERE decided_ms IS NULL)",
	[WEB_SQL_METRICS_GARBAGE] =
	    "SELECT reason, sum(n) FROM garbage_count GROUP BY reason ORDER BY reason",
	[WEB_SQL_METRICS_OUTBOX] =
	    "SELECT channel, state, count(*), sum(max(attempts - (state = 'sent'), 0)),"
	    " min(created_ms) FROM outbox GROUP BY channel, state",
	[WEB_SQL_METRICS_INDEX] =
	    "SELECT definition, indicator, scope, own, value, coverage, confidence FROM "
	    "index_value"
	    " WHERE " IN_SCOPE("scope", "$1") " ORDER BY scope, indicator LIMIT 50000",
	[WEB_SQL_METRICS_FOLDS] =
	    "SELECT fold, journal_id FROM fold_cursor ORDER BY fold",
};

const struct db_sql web_sql = { "web", statements, WEB_SQL_STATEMENTS };
