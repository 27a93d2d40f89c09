#include "server/derive/bandwidth_sql.h"

/* A refold begins at the oldest row that is kept; results of older ones stay. */
#define OLDEST_ID "coalesce((SELECT min(id) FROM journal WHERE source <> 'operator'), 0)"
#define OLDEST_MS                                                                        \
	"coalesce((SELECT received_ms FROM journal WHERE source <> 'operator' ORDER BY " \
	"id LIMIT 1), 0)"

/* What was measured of a line that had the link's id before is not the link's. */
#define BORN(table)                                                            \
	"coalesce((SELECT born_ms FROM bandwidth_link b WHERE b.link = " table \
	".link), 0)"

#define GONE "(SELECT link FROM bandwidth_link WHERE removed_ms < $1)"

#define POLL_PUT                                                                     \
	"INSERT INTO bandwidth_poll (link, agent, lane, interface, why, confidence," \
	" at_ms, in_octets, out_octets, bits, uptime_s, discontinuity_s, speed_bps," \
	" journal_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,"    \
	" $13, $14) ON CONFLICT (link, agent, lane) DO UPDATE SET"                   \
	" interface = excluded.interface, why = excluded.why,"                       \
	" confidence = excluded.confidence, at_ms = excluded.at_ms,"                 \
	" in_octets = excluded.in_octets, out_octets = excluded.out_octets,"         \
	" bits = excluded.bits, uptime_s = excluded.uptime_s,"                       \
	" discontinuity_s = excluded.discontinuity_s,"                               \
	" speed_bps = excluded.speed_bps, journal_id = excluded.journal_id"

static const char *const sql[BANDWIDTH_STATEMENTS] = {
	[BANDWIDTH_SQL_LINK] =
	    "SELECT agency, contracted_down_bps, contracted_up_bps, provider, has_router,"
	    " journal_id FROM bandwidth_link WHERE link = $1 AND removed_ms IS NULL",
	/* An id that is used again is another line, born then. */
	[BANDWIDTH_SQL_LINK_PUT] =
	    "INSERT INTO bandwidth_link (link, agency, contracted_down_bps,"
	    " contracted_up_bps, provider, has_router, journal_id, born_ms)"
	    " VALUES ($1, $2, $3, $4, $5, $6, $7, 0)"
	    " ON CONFLICT (link) DO UPDATE SET agency = excluded.agency,"
	    " contracted_down_bps = excluded.contracted_down_bps,"
	    " contracted_up_bps = excluded.contracted_up_bps,"
	    " provider = excluded.provider, has_router = excluded.has_router,"
	    " journal_id = excluded.journal_id,"
	    " born_ms = CASE WHEN removed_ms IS NULL THEN born_ms ELSE $8 END,"
	    " removed_ms = NULL",
	[BANDWIDTH_SQL_LINK_END] =
	    "UPDATE bandwidth_link SET removed_ms = $1 WHERE link = $2",
	[BANDWIDTH_SQL_HOURS_EXPIRE] = "DELETE FROM bandwidth_hour WHERE link IN " GONE,
	[BANDWIDTH_SQL_TESTS_EXPIRE] = "DELETE FROM bandwidth_test WHERE link IN " GONE,
	[BANDWIDTH_SQL_POLL_GET] =
	    "SELECT interface, why, confidence, at_ms, in_octets, out_octets, bits,"
	    " uptime_s, discontinuity_s, speed_bps, journal_id FROM bandwidth_poll"
	    " WHERE link = $1 AND agent = $2 AND lane = $3",
	[BANDWIDTH_SQL_POLL_PUT] = POLL_PUT,
	/* where a hole begins, unless its backlog came first */
	[BANDWIDTH_SQL_POLL_SEED] =
	    POLL_PUT " WHERE excluded.at_ms >= bandwidth_poll.at_ms",
	[BANDWIDTH_SQL_POLL_NEWEST] =
	    "SELECT agent, interface, why, confidence, at_ms, speed_bps, journal_id"
	    " FROM bandwidth_poll WHERE link = $1 ORDER BY at_ms DESC, agent, lane"
	    " LIMIT 1",
	[BANDWIDTH_SQL_HOUR_GET] =
	    "SELECT slots, first_journal, last_journal FROM bandwidth_hour"
	    " WHERE link = $1 AND hour_ms = $2 AND agent = $3",
	[BANDWIDTH_SQL_HOUR_PUT] =
	    "INSERT INTO bandwidth_hour (link, hour_ms, agent, slots, first_journal,"
	    " last_journal) VALUES ($1, $2, $3, $4, $5, $6)"
	    " ON CONFLICT (link, hour_ms, agent) DO UPDATE SET slots = excluded.slots,"
	    " first_journal = excluded.first_journal,"
	    " last_journal = excluded.last_journal",
	[BANDWIDTH_SQL_HOURS] =
	    "SELECT hour_ms, slots FROM bandwidth_hour WHERE link = $1"
	    " AND hour_ms >= $2 AND hour_ms < $3 AND hour_ms >= " BORN(
		"bandwidth_hour") " ORDER BY hour_ms, agent",
	[BANDWIDTH_SQL_HOUR_FIRST] =
	    "SELECT min(hour_ms) FROM bandwidth_hour WHERE link = $1",
	[BANDWIDTH_SQL_HOURS_DROP] =
	    "DELETE FROM bandwidth_hour WHERE link = $1 AND hour_ms < $2",
	[BANDWIDTH_SQL_MONTH_END] =
	    "SELECT max(to_ms) FROM bandwidth_month WHERE link = $1",
	[BANDWIDTH_SQL_MONTH_PUT] =
	    "INSERT INTO bandwidth_month (link, from_ms, to_ms, declared, observed,"
	    " office_declared, office_observed, down_p95, down_mean, down_peak,"
	    " down_office_p95, down_office_mean, down_busy, down_busy_hour, up_p95,"
	    " up_mean, up_peak, up_office_p95, up_office_mean, up_busy, up_busy_hour,"
	    " journal_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,"
	    " $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)"
	    " ON CONFLICT (link, from_ms) DO NOTHING",
	[BANDWIDTH_SQL_TEST_PUT] =
	    "INSERT INTO bandwidth_test (link, agent, way, at_ms, status, endpoint, bps,"
	    " low_bps, high_bps, journal_id)"
	    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
	    " ON CONFLICT (link, agent, way) DO UPDATE SET at_ms = excluded.at_ms,"
	    " status = excluded.status, endpoint = excluded.endpoint,"
	    " bps = excluded.bps, low_bps = excluded.low_bps,"
	    " high_bps = excluded.high_bps, journal_id = excluded.journal_id"
	    " WHERE excluded.at_ms >= bandwidth_test.at_ms",
	[BANDWIDTH_SQL_TEST_NEWEST] =
	    "SELECT agent, at_ms, status, endpoint, bps, low_bps, high_bps, journal_id"
	    " FROM bandwidth_test WHERE link = $1 AND way = $2"
	    " AND at_ms >= " BORN("bandwidth_test") " ORDER BY at_ms DESC, agent LIMIT 1",
	[BANDWIDTH_SQL_GET] =
	    "SELECT contradicted, negotiated_bps, negotiated_journal, measured_down_bps,"
	    " measured_down_journal, measured_up_bps, measured_up_journal,"
	    " used_down_p95, used_up_p95, used_coverage, findings, agency"
	    " FROM link_bandwidth WHERE link = $1",
	[BANDWIDTH_SQL_PUT] =
	    "INSERT INTO link_bandwidth (link, agency, computed_ms, due_ms, contradicted,"
	    " negotiated_bps, negotiated_journal, measured_down_bps, measured_down_low,"
	    " measured_down_high, measured_down_journal, measured_up_bps,"
	    " measured_up_low, measured_up_high, measured_up_journal, used_down_p95,"
	    " used_up_p95, used_coverage, findings, document, measured_down_ms)"
	    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,"
	    " $16, $17, $18, $19, $20, $21)"
	    " ON CONFLICT (link) DO UPDATE SET agency = excluded.agency,"
	    " computed_ms = excluded.computed_ms, due_ms = excluded.due_ms,"
	    " contradicted = excluded.contradicted,"
	    " negotiated_bps = excluded.negotiated_bps,"
	    " negotiated_journal = excluded.negotiated_journal,"
	    " measured_down_bps = excluded.measured_down_bps,"
	    " measured_down_low = excluded.measured_down_low,"
	    " measured_down_high = excluded.measured_down_high,"
	    " measured_down_journal = excluded.measured_down_journal,"
	    " measured_up_bps = excluded.measured_up_bps,"
	    " measured_up_low = excluded.measured_up_low,"
	    " measured_up_high = excluded.measured_up_high,"
	    " measured_up_journal = excluded.measured_up_journal,"
	    " used_down_p95 = excluded.used_down_p95,"
	    " used_up_p95 = excluded.used_up_p95,"
	    " used_coverage = excluded.used_coverage, findings = excluded.findings,"
	    " document = excluded.document,"
	    " measured_down_ms = excluded.measured_down_ms",
	[BANDWIDTH_SQL_DUE] = "SELECT link FROM link_bandwidth WHERE due_ms <= $1"
			      " ORDER BY due_ms, link LIMIT 1",
	[BANDWIDTH_SQL_NEXT_DUE] =
	    "SELECT min(due_ms) FROM link_bandwidth WHERE due_ms IS NOT NULL",
	[BANDWIDTH_SQL_POLLS_REMOVE] = "DELETE FROM bandwidth_poll WHERE link = $1",
	[BANDWIDTH_SQL_REMOVE] = "DELETE FROM link_bandwidth WHERE link = $1",
	/* Months and hours from before the oldest row cannot be made again. */
	[BANDWIDTH_SQL_RESET_FIRST] =
	    "DELETE FROM bandwidth_hour WHERE first_journal >= " OLDEST_ID,
	"DELETE FROM bandwidth_month WHERE journal_id >= " OLDEST_ID
	" AND from_ms >= " OLDEST_MS " + 3600000",
	"DELETE FROM bandwidth_poll",
	"DELETE FROM bandwidth_test WHERE journal_id >= " OLDEST_ID,
	"DELETE FROM link_bandwidth",
	"DELETE FROM bandwidth_link",
};

const struct db_sql bandwidth_sql = { "bandwidth", sql, BANDWIDTH_STATEMENTS };
