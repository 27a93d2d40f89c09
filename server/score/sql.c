#include "server/score/sql.h"

#define SUM_COLUMNS                                                                     \
	"n, n_known, n_partial, n_no_headcount, n_not_measured, n_headcount, servants," \
	" servants_covered, numerator, denominator, low, high, coverage, confidence, "  \
	"weight,"                                                                       \
	" sources, computed_ms"

static const char *const sql[SCORE_STATEMENTS] = {
	[SCORE_DIRTY_NEXT] = "SELECT agency, at_ms FROM index_dirty WHERE agency > $1"
			     " ORDER BY agency LIMIT 1",
	[SCORE_DIRTY_CLEAR] = "DELETE FROM index_dirty WHERE agency = $1",
	[SCORE_DIRTY_ALL] =
	    "INSERT INTO index_dirty (agency, at_ms) SELECT id, 0 FROM agency WHERE true"
	    " ON CONFLICT (agency) DO NOTHING",
	[SCORE_DUE_NEXT] =
	    "SELECT agency FROM index_scope WHERE due_ms <= $1 ORDER BY due_ms LIMIT 1",
	[SCORE_AGENT_AGENCY] = "SELECT agency FROM agent WHERE id = $1",
	[SCORE_AGENCY] = "SELECT a.level, a.kind, a.parent, a.journal_id,"
			 " EXISTS (SELECT 1 FROM agency b WHERE b.parent = a.id),"
			 " EXISTS (SELECT 1 FROM agent g WHERE g.agency = a.id AND "
			 "g.revoked_ms IS NULL),"
			 " EXISTS (SELECT 1 FROM link l WHERE l.agency = a.id),"
			 " EXISTS (SELECT 1 FROM declaration d WHERE d.agency = a.id),"
			 " EXISTS (SELECT 1 FROM headcount h WHERE h.agency = a.id)"
			 " FROM agency a WHERE a.id = $1",
	[SCORE_PARENT] = "SELECT parent FROM agency WHERE id = $1",
	[SCORE_HEADCOUNT] =
	    "SELECT servants, as_of_ms, journal_id FROM headcount"
	    " WHERE agency = $1 AND as_of_ms <= $2 ORDER BY as_of_ms DESC LIMIT 1",
	[SCORE_MACHINES] =
	    "SELECT id, class, confidence, random_mac, identified, last_ms, evidence, "
	    "hostname"
	    " FROM machine WHERE agency = $1 AND last_ms >= $2 ORDER BY id",
	[SCORE_COVERAGE] =
	    "SELECT subnet, hour_ms, targets, probed, journal_id FROM lan_coverage"
	    " WHERE agency = $1 AND hour_ms >= $2 ORDER BY subnet, hour_ms",
	/* The row of the bandwidth document, when it told the speed of the state. */
	[SCORE_LINKS] =
	    "SELECT l.id, l.kind, l.role, l.line_type, "
	    "l.contracted_down_bps, l.journal_id, f.state,"
	    " f.since_ms, f.since_journal, f.negotiated_down_bps,"
	    " b.contradicted, b.measured_down_bps, b.measured_down_low,"
	    " b.measured_down_high, b.measured_down_journal, b.measured_down_ms,"
	    " CASE WHEN b.negotiated_bps = f.negotiated_down_bps THEN "
	    "b.negotiated_journal END, b.used_down_p95, "
	    "b.used_coverage,"
	    " b.findings"
	    " FROM link l LEFT JOIN link_fact f ON f.link = l.id"
	    " LEFT JOIN link_bandwidth b ON b.link = l.id WHERE "
	    "l.agency = $1 ORDER BY l.id",
	[SCORE_LINK_HOURS] = "SELECT sum(rounds), sum(answered), "
			     "count(DISTINCT hour_ms) FROM link_hour"
			     " WHERE link = $1 AND hour_ms >= $2 AND hour_ms <= $3",
	[SCORE_SPANS] = "SELECT from_ms, to_ms, state, journal_id FROM link_span"
			" WHERE link = $1 AND from_ms < $2"
			" AND coalesce(to_ms, 9223372036854775807) > $3 ORDER BY from_ms",
	[SCORE_PATHS] =
	    "SELECT agent, min(last_ms, $1), network, reached, target, reason, trace,"
	    " journal_id FROM link_path WHERE link = $2 AND from_ms <= $1"
	    " ORDER BY min(last_ms, $1) DESC, agent LIMIT 16",
	[SCORE_INSIDE] = "SELECT agent, probe, ok_ms, target, journal_id FROM link_inside"
			 " WHERE link = $1 AND ok_ms >= $2 AND ok_ms <= $3"
			 " ORDER BY ok_ms DESC, agent, probe LIMIT 1",
	[SCORE_WAN_PUT] =
	    "INSERT INTO wan_connected (definition, agency, answer, confidence, reason,"
	    " cure, as_of_ms, links, computed_ms)"
	    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
	    " ON CONFLICT (agency, definition) DO UPDATE SET answer = excluded.answer,"
	    " confidence = excluded.confidence, reason = excluded.reason,"
	    " cure = excluded.cure, as_of_ms = excluded.as_of_ms,"
	    " links = excluded.links, computed_ms = excluded.computed_ms",
	[SCORE_WAN_DELETE] = "DELETE FROM wan_connected WHERE agency = $1",
	[SCORE_RESET_WAN] = "DELETE FROM wan_connected",
	[SCORE_FINDINGS] = "SELECT agent, check_id, answer, evidence_text, at_ms, "
			   "journal_id FROM finding"
			   " WHERE agency = $1 ORDER BY check_id, agent",
	[SCORE_DECLARATIONS] = "SELECT solution, answer, document, signer, declared_ms, "
			       "expires_ms, journal_id"
			       " FROM declaration WHERE agency = $1 ORDER BY solution",
	[SCORE_SCOPE_GET] =
	    "SELECT parent, computed_ms FROM index_scope WHERE agency = $1",
	[SCORE_SCOPE_PUT] =
	    "INSERT INTO index_scope (agency, parent, computed_ms, due_ms) VALUES ($1, "
	    "$2, $3, $4)"
	    " ON CONFLICT (agency) DO UPDATE SET parent = excluded.parent,"
	    " computed_ms = excluded.computed_ms, due_ms = excluded.due_ms",
	[SCORE_SCOPE_MOVE] =
	    "INSERT INTO index_scope (agency, parent, computed_ms, due_ms)"
	    " VALUES ($1, $2, 0, 9223372036854775807)"
	    " ON CONFLICT (agency) DO UPDATE SET parent = excluded.parent",
	[SCORE_SCOPE_DELETE] = "DELETE FROM index_scope WHERE agency = $1",
	[SCORE_SUM_PUT] =
	    "INSERT INTO index_sum (definition, agency, indicator, own, " SUM_COLUMNS ")"
	    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, "
	    "$16, $17,"
	    " $18, $19, $20, $21)"
	    " ON CONFLICT (definition, agency, indicator, own) DO UPDATE SET n = "
	    "excluded.n,"
	    " n_known = excluded.n_known, n_partial = excluded.n_partial,"
	    " n_no_headcount = excluded.n_no_headcount,"
	    " n_not_measured = excluded.n_not_measured, n_headcount = "
	    "excluded.n_headcount,"
	    " servants = excluded.servants, servants_covered = excluded.servants_covered,"
	    " numerator = excluded.numerator, denominator = excluded.denominator,"
	    " low = excluded.low, high = excluded.high, coverage = excluded.coverage,"
	    " confidence = excluded.confidence, weight = excluded.weight,"
	    " sources = excluded.sources, computed_ms = excluded.computed_ms",
	/* What an agency is alone, and what those below it are with all below them. CROSS
	   keeps SQLite from reading all sums first. */
	[SCORE_SUMS_OWN] = "SELECT " SUM_COLUMNS ", agency, indicator FROM index_sum"
			   " WHERE definition = $1 AND agency = $2 AND own = 1",
	[SCORE_SUMS_BELOW] =
	    "SELECT " SUM_COLUMNS ", s.agency, s.indicator"
	    " FROM agency a CROSS JOIN index_sum s WHERE s.definition = $1"
	    " AND s.agency = a.id AND s.own = 0 AND a.parent = $2 ORDER BY a.id",
	[SCORE_OWN_REASON] = "SELECT reason, cure FROM index_value WHERE definition = $1"
			     " AND indicator = $2 AND scope = $3 AND own = 1",
	[SCORE_TOTAL_MARK] = "INSERT INTO index_total_dirty (agency) VALUES ($1)"
			     " ON CONFLICT (agency) DO NOTHING",
	[SCORE_TOTAL_MARKED] = "SELECT t.agency, a.parent FROM index_total_dirty t"
			       " JOIN agency a ON a.id = t.agency ORDER BY t.agency",
	[SCORE_TOTAL_UNMARK] = "DELETE FROM index_total_dirty WHERE agency = $1",
	[SCORE_TOTAL_CLEAR] = "DELETE FROM index_total_dirty",
	[SCORE_SUMS_DELETE] =
	    "DELETE FROM index_sum WHERE definition = $1 AND agency = $2",
	[SCORE_VALUE_PUT] =
	    "INSERT INTO index_value (definition, indicator, scope, own, status, value, "
	    "unit, low,"
	    " high, numerator, numerator_unit, denominator, denominator_unit, coverage, "
	    "confidence,"
	    " source, reason, cure, evidence, explain, computed_ms)"
	    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, "
	    "$16, $17,"
	    " $18, $19, $20, $21)"
	    " ON CONFLICT (definition, indicator, scope, own) DO UPDATE SET"
	    " status = excluded.status, value = excluded.value, unit = excluded.unit,"
	    " low = excluded.low, high = excluded.high, numerator = excluded.numerator,"
	    " numerator_unit = excluded.numerator_unit, denominator = "
	    "excluded.denominator,"
	    " denominator_unit = excluded.denominator_unit, coverage = excluded.coverage,"
	    " confidence = excluded.confidence, source = excluded.source,"
	    " reason = excluded.reason, cure = excluded.cure, evidence = "
	    "excluded.evidence,"
	    " explain = excluded.explain, computed_ms = excluded.computed_ms",
	[SCORE_VALUES_DELETE] =
	    "DELETE FROM index_value WHERE definition = $1 AND scope = $2",
	[SCORE_BELOW] = "SELECT id FROM agency WHERE parent = $1 ORDER BY id",
	[SCORE_RESET_VALUES] = "DELETE FROM index_value",
	[SCORE_RESET_SUMS] = "DELETE FROM index_sum",
	[SCORE_RESET_SCOPES] = "DELETE FROM index_scope",
	[SCORE_EXPLAIN] =
	    "SELECT own, status, value, unit, low, high, numerator, numerator_unit, "
	    "denominator,"
	    " denominator_unit, coverage, confidence, source, reason, cure, evidence, "
	    "explain,"
	    " computed_ms FROM index_value"
	    " WHERE definition = $1 AND indicator = $2 AND scope = $3 ORDER BY own DESC",
};

const struct db_sql score_sql = { "score", sql, SCORE_STATEMENTS };
