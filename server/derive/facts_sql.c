#include "server/derive/facts_sql.h"

/* A refold begins at the oldest row that is kept; results of older ones stay. */
#define OLDEST_ID "coalesce((SELECT min(id) FROM journal WHERE source <> 'operator'), 0)"

static const char *const sql[FACTS_STATEMENTS] = {
	[FACTS_INDEX_DIRTY] = "INSERT INTO index_dirty (agency, at_ms) VALUES ($1, $2)"
			      " ON CONFLICT (agency) DO UPDATE SET at_ms = excluded.at_ms"
			      " WHERE excluded.at_ms > index_dirty.at_ms",

	/* links */
	[FACTS_LINK_MAY_MEASURE] =
	    "SELECT l.agency FROM link l JOIN agent a ON a.id = $1"
	    " WHERE l.id = $2 AND (a.agency = l.agency OR a.vantage = 1)",
	[FACTS_LINK_VIEW_GET] =
	    "SELECT ping_ms, ping_status, sent, received, loss, rtt_s, failed, "
	    "answered_ms,"
	    " ping_interval_ms, ping_journal, ping_received_ms, poll_ms, poll_status,"
	    " poll_interval_ms, poll_journal, poll_received_ms, interface, oper, "
	    "counter_ms,"
	    " in_octets, out_octets, bits, uptime_s, discontinuity_s, speed_bps, "
	    "used_down_bps,"
	    " used_up_bps, used_gap"
	    " FROM link_view WHERE link = $1 AND agent = $2",
	[FACTS_LINK_VIEW_PUT] =
	    "INSERT INTO link_view (link, agent, ping_ms, ping_status, sent, received, "
	    "loss, "
	    "rtt_s,"
	    " failed, answered_ms, ping_interval_ms, ping_journal, ping_received_ms, "
	    "poll_ms,"
	    " poll_status, poll_interval_ms, poll_journal, poll_received_ms, interface, "
	    "oper,"
	    " counter_ms, in_octets, out_octets, bits, uptime_s, discontinuity_s, "
	    "speed_bps,"
	    " used_down_bps, used_up_bps, used_gap)"
	    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, "
	    "$16, "
	    "$17,"
	    " $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30)"
	    " ON CONFLICT (link, agent) DO UPDATE SET ping_ms = excluded.ping_ms,"
	    " ping_status = excluded.ping_status, sent = excluded.sent,"
	    " received = excluded.received, loss = excluded.loss, rtt_s = excluded.rtt_s,"
	    " failed = excluded.failed, answered_ms = excluded.answered_ms,"
	    " ping_interval_ms = excluded.ping_interval_ms, ping_journal = "
	    "excluded.ping_journal,"
	    " ping_received_ms = excluded.ping_received_ms, poll_ms = excluded.poll_ms,"
	    " poll_status = excluded.poll_status, poll_interval_ms = "
	    "excluded.poll_interval_ms,"
	    " poll_journal = excluded.poll_journal, poll_received_ms = "
	    "excluded.poll_received_ms,"
	    " interface = excluded.interface, oper = excluded.oper,"
	    " counter_ms = excluded.counter_ms, in_octets = excluded.in_octets,"
	    " out_octets = excluded.out_octets, bits = excluded.bits,"
	    " uptime_s = excluded.uptime_s, discontinuity_s = excluded.discontinuity_s,"
	    " speed_bps = excluded.speed_bps, used_down_bps = excluded.used_down_bps,"
	    " used_up_bps = excluded.used_up_bps, used_gap = excluded.used_gap",
	[FACTS_LINK_FACT_GET] =
	    "SELECT state, since_ms, since_journal, negotiated_down_bps, "
	    "negotiated_up_bps, agency,"
	    " reason, due_ms"
	    " FROM link_fact WHERE link = $1",
	[FACTS_LINK_FACT_PUT] =
	    "INSERT INTO link_fact (link, state, reason, since_ms, measured_ms, loss, "
	    "rtt_s,"
	    " negotiated_down_bps, negotiated_up_bps, used_down_bps, used_up_bps, agent, "
	    "evidence,"
	    " agency, since_journal, due_ms)"
	    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, "
	    "$16)"
	    " ON CONFLICT (link) DO UPDATE SET state = excluded.state, reason = "
	    "excluded.reason,"
	    " since_ms = excluded.since_ms, measured_ms = excluded.measured_ms,"
	    " loss = excluded.loss, rtt_s = excluded.rtt_s,"
	    " negotiated_down_bps = excluded.negotiated_down_bps,"
	    " negotiated_up_bps = excluded.negotiated_up_bps,"
	    " used_down_bps = excluded.used_down_bps, used_up_bps = excluded.used_up_bps,"
	    " agent = excluded.agent, evidence = excluded.evidence, agency = "
	    "excluded.agency,"
	    " since_journal = excluded.since_journal, due_ms = excluded.due_ms",
	[FACTS_LINK_HOUR_ADD] = "INSERT INTO link_hour (link, agent, hour_ms, rounds, "
				"answered) VALUES ($1, $2, "
				"$3, 1, $4)"
				" ON CONFLICT (link, hour_ms, agent) DO UPDATE SET "
				"rounds = link_hour.rounds + 1,"
				" answered = link_hour.answered + excluded.answered",
	[FACTS_LINKS_REMOVE] = "DELETE FROM link_fact WHERE link = $1",
	[FACTS_LINK_VIEWS_REMOVE] = "DELETE FROM link_view WHERE link = $1",
	[FACTS_LINK_HOURS_REMOVE] = "DELETE FROM link_hour WHERE link = $1",
	[FACTS_LINK_HOURS_PRUNE] = "DELETE FROM link_hour WHERE hour_ms < $1",
	[FACTS_LINK_FACT_RESET] = "DELETE FROM link_fact",
	[FACTS_LINK_VIEW_RESET] = "DELETE FROM link_view",
	[FACTS_LINK_HOUR_RESET] = "DELETE FROM link_hour",

	/* machines */
	[FACTS_NIC_GET] =
	    "SELECT machine, ipv4, seen_by, first_ms, last_ms, hostname, dhcp_class,"
	    " dhcp_parameters, dhcp_client_id, gateway, journal_id"
	    " FROM machine_nic WHERE agency = $1 AND mac = $2",
	[FACTS_NIC_PUT] =
	    "INSERT INTO machine_nic (agency, mac, machine, ipv4, seen_by, first_ms, "
	    "last_ms,"
	    " hostname, dhcp_class, dhcp_parameters, dhcp_client_id, gateway, journal_id)"
	    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
	    " ON CONFLICT (agency, mac) DO UPDATE SET machine = excluded.machine,"
	    " ipv4 = excluded.ipv4, seen_by = excluded.seen_by, first_ms = "
	    "excluded.first_ms,"
	    " last_ms = excluded.last_ms, hostname = excluded.hostname,"
	    " dhcp_class = excluded.dhcp_class, dhcp_parameters = "
	    "excluded.dhcp_parameters,"
	    " dhcp_client_id = excluded.dhcp_client_id, gateway = excluded.gateway,"
	    " journal_id = excluded.journal_id",
	[FACTS_NIC_MACHINE] =
	    "UPDATE machine_nic SET machine = $1 WHERE agency = $2 AND mac "
	    "= $3 AND machine <> $1",
	[FACTS_NICS] =
	    "SELECT mac, first_ms, last_ms, hostname, dhcp_class, dhcp_parameters, "
	    "dhcp_client_id,"
	    " gateway, journal_id, machine FROM machine_nic WHERE agency = $1 ORDER BY "
	    "mac",
	[FACTS_MACHINE_TOUCH] = "UPDATE machine SET last_ms = $1 WHERE agency = $2 AND "
				"id = $3 AND last_ms < $1",
	[FACTS_MACHINES] = "SELECT id FROM machine WHERE agency = $1 ORDER BY id",
	[FACTS_MACHINE_PUT] =
	    "INSERT INTO machine (agency, id, class, confidence, random_mac, identified, "
	    "hostname,"
	    " vendor, first_ms, last_ms, why, evidence)"
	    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
	    " ON CONFLICT (agency, id) DO UPDATE SET class = excluded.class,"
	    " confidence = excluded.confidence, random_mac = excluded.random_mac,"
	    " identified = excluded.identified, hostname = excluded.hostname,"
	    " vendor = excluded.vendor, first_ms = excluded.first_ms, last_ms = "
	    "excluded.last_ms,"
	    " why = excluded.why, evidence = excluded.evidence",
	[FACTS_MACHINE_DELETE] = "DELETE FROM machine WHERE agency = $1 AND id = $2",
	[FACTS_HOST_GET] =
	    "SELECT hostname, os, macs, server, first_ms, last_ms, journal_id"
	    " FROM machine_host WHERE agency = $1 AND id = $2",
	[FACTS_HOST_PUT] =
	    "INSERT INTO machine_host (agency, id, hostname, os, macs, server, first_ms, "
	    "last_ms,"
	    " journal_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
	    " ON CONFLICT (agency, id) DO UPDATE SET hostname = excluded.hostname,"
	    " os = excluded.os, macs = excluded.macs, server = excluded.server,"
	    " first_ms = excluded.first_ms, last_ms = excluded.last_ms,"
	    " journal_id = excluded.journal_id",
	[FACTS_HOSTS] = "SELECT id, hostname, macs, server, first_ms, last_ms, journal_id"
			" FROM machine_host WHERE agency = $1 ORDER BY id",
	[FACTS_CORRECTIONS] =
	    "SELECT machine, class, same_as FROM machine_correction WHERE agency = $1"
	    " ORDER BY journal_id",
	[FACTS_MACHINE_DIRTY] =
	    "INSERT INTO machine_dirty (agency, at_ms) VALUES ($1, $2)"
	    " ON CONFLICT (agency) DO UPDATE SET at_ms = excluded.at_ms"
	    " WHERE excluded.at_ms > machine_dirty.at_ms",
	[FACTS_MACHINE_DIRTY_LIST] =
	    "SELECT agency, at_ms FROM machine_dirty ORDER BY agency LIMIT 1",
	[FACTS_MACHINE_DIRTY_CLEAR] = "DELETE FROM machine_dirty WHERE agency = $1",
	[FACTS_COVERAGE_GET] = "SELECT targets, probed FROM lan_coverage"
			       " WHERE agency = $1 AND subnet = $2 AND hour_ms = $3",
	[FACTS_COVERAGE_PUT] =
	    "INSERT INTO lan_coverage (agency, subnet, hour_ms, targets, probed, "
	    "journal_id)"
	    " VALUES ($1, $2, $3, $4, $5, $6)"
	    " ON CONFLICT (agency, subnet, hour_ms) DO UPDATE SET targets = "
	    "excluded.targets,"
	    " probed = excluded.probed, journal_id = excluded.journal_id",
	[FACTS_COVERAGE_PRUNE] = "DELETE FROM lan_coverage WHERE hour_ms < $1",
	[FACTS_MACHINE_RESET] = "DELETE FROM machine",
	[FACTS_MACHINE_DIRTY_ALL] =
	    "INSERT INTO machine_dirty (agency, at_ms)"
	    " SELECT DISTINCT agency, 0 FROM machine_nic WHERE true"
	    " ON CONFLICT (agency) DO NOTHING",
	[FACTS_NIC_RESET] = "DELETE FROM machine_nic WHERE journal_id >= " OLDEST_ID,
	[FACTS_HOST_RESET] = "DELETE FROM machine_host WHERE journal_id >= " OLDEST_ID,
	[FACTS_COVERAGE_RESET] =
	    "DELETE FROM lan_coverage WHERE journal_id >= " OLDEST_ID,

	/* posture */
	[FACTS_FINDING_GET] = "SELECT at_ms FROM finding WHERE agency = $1 AND agent = "
			      "$2 AND check_id = $3",
	[FACTS_FINDING_PUT] =
	    "INSERT INTO finding (agency, agent, check_id, answer, evidence_text, count, "
	    "at_ms,"
	    " journal_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
	    " ON CONFLICT (agency, agent, check_id) DO UPDATE SET answer = "
	    "excluded.answer,"
	    " evidence_text = excluded.evidence_text, count = excluded.count,"
	    " at_ms = excluded.at_ms, journal_id = excluded.journal_id",
	[FACTS_FINDING_RESET] = "DELETE FROM finding WHERE journal_id >= " OLDEST_ID,
};

const struct db_sql facts_sql = { "facts", sql, FACTS_STATEMENTS };

ht_err facts_index_dirty(struct db *db, const char *agency, int64_t at_ms)
{
	if (!agency)
		return HT_OK;
	return db_exec(db, &facts_sql, FACTS_INDEX_DIRTY, "si", agency, at_ms);
}
