#include "server/store/sql.h"

/* The order that journal_read expects. */
#define JOURNAL_COLUMNS                                                       \
	"id, source, kind, agent, lane, epoch, seq, boot, session, mono_ns, " \
	"sent_mono_ns,"                                                       \
	" content_type, received_ms, actor, payload"

/* Rows old enough to go ($1) that every fold has seen ($2). People's rows never go. */
#define KEEP_OLD                                                                  \
	"(SELECT id FROM journal WHERE source <> 'operator' AND received_ms < $1" \
	" AND id <= $2 ORDER BY id LIMIT 500)"

/* What a finding, a link, a machine, a score, an outage, a test of a link or its path
 * cites. */
#define CITED                                                                           \
	"(SELECT json_each.value FROM link_fact, json_each(link_fact.evidence)"         \
	" UNION SELECT json_each.value FROM machine, json_each(machine.evidence)"       \
	" UNION SELECT json_each.value FROM index_value, "                              \
	"json_each(index_value.evidence)"                                               \
	" UNION SELECT journal_id FROM finding"                                         \
	" UNION SELECT opened_journal FROM outage"                                      \
	" UNION SELECT closed_journal FROM outage"                                      \
	" UNION SELECT journal_id FROM outage_evidence"                                 \
	" UNION SELECT journal_id FROM bandwidth_test" /* only the newest of each       \
							  network: an answer cites what \
							  else it stands on */          \
	" UNION SELECT journal_id FROM (SELECT journal_id, max(from_ms)"                \
	" FROM link_path GROUP BY link, agent, network)"                                \
	" UNION SELECT json_each.value FROM outage, json_each(outage.evidence))"

static const char *const sql[STORE_STATEMENTS] = {
	[STORE_USER_VERSION] = "PRAGMA user_version",
	[STORE_JOURNAL_PUT] =
	    "INSERT INTO journal (source, kind, agent, lane, epoch, seq, boot, session, "
	    "mono_ns,"
	    " sent_mono_ns, content_type, received_ms, actor, payload)"
	    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
	    " ON CONFLICT (agent, epoch, seq) WHERE epoch IS NOT NULL DO NOTHING",
	[STORE_JOURNAL_BY_KEY] = "SELECT id, payload FROM journal WHERE agent = $1 AND "
				 "epoch = $2 AND seq = $3",
	[STORE_JOURNAL_SCAN] =
	    "SELECT " JOURNAL_COLUMNS " FROM journal WHERE id > $1 ORDER BY id LIMIT $2",
	[STORE_OWNER] = /* also when the registry's fold has not come so far */
	"SELECT coalesce((SELECT json_extract(CAST(payload AS TEXT), "
	"'$.data.fingerprint')"
	" FROM journal WHERE agent = $1 AND source = 'operator'"
	" AND kind IN ('agent.claim', 'agent.enroll') AND id > coalesce((SELECT "
	"journal_id"
	" FROM fold_cursor WHERE fold = 'registry'), 0) ORDER BY id DESC LIMIT 1),"
	" (SELECT fingerprint FROM agent WHERE id = $1))",
	[STORE_ASIDE_PUT] =
	    "INSERT INTO journal_aside (reason, agent, fingerprint, lane, epoch, seq, "
	    "boot, session,"
	    " mono_ns, sent_mono_ns, content_type, received_ms, payload, payload_hash)"
	    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)"
	    " ON CONFLICT (agent, epoch, seq, reason, payload_hash) DO NOTHING",
	[STORE_GARBAGE_PUT] = "INSERT INTO garbage (received_ms, topic, agent, epoch, "
			      "seq, reason, len, sample)"
			      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
	[STORE_GARBAGE_THIN] = "DELETE FROM garbage WHERE id <= $1 - 1000",
	[STORE_GARBAGE_COUNT] =
	    "INSERT INTO garbage_count (agent, reason, n, last_ms) VALUES ($1, $2, 1, $3)"
	    " ON CONFLICT (agent, reason) DO UPDATE SET n = n + 1, last_ms = "
	    "excluded.last_ms",
	[STORE_GARBAGE_TOTAL] = "SELECT coalesce(sum(n), 0) FROM garbage_count",
	[STORE_KEEP_LAST] = "SELECT coalesce(min(journal_id), 0) FROM fold_cursor",
	[STORE_KEEP_CITED] =
	    "SELECT id, agent, received_ms, content_type, payload FROM journal"
	    " WHERE id IN " KEEP_OLD " AND id IN " CITED,
	[STORE_KEEP_DELETE] = "DELETE FROM journal WHERE id IN " KEEP_OLD,
	[STORE_EVIDENCE_PUT] =
	    "INSERT INTO evidence (hash, journal_id, agent, received_ms, content_type, "
	    "payload)"
	    " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (hash) DO NOTHING",
	[STORE_BYTES] =
	    "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count,"
	    " pragma_freelist_count, pragma_page_size",
	[STORE_CHECK_INTEGRITY] = "PRAGMA integrity_check",
	[STORE_CHECK_FOREIGN] = "PRAGMA foreign_key_check",
	[STORE_CHECK_CURSORS] = "SELECT fold, journal_id, (SELECT coalesce(max(id), 0) "
				"FROM journal) FROM fold_cursor"
				" ORDER BY fold",
	[STORE_CHECK_COUNTS] =
	    "SELECT (SELECT count(*) FROM journal), (SELECT count(*) FROM journal_aside"
	    " WHERE reason = 'conflict'), (SELECT count(*) FROM journal_aside WHERE "
	    "reason = 'clone'),"
	    " (SELECT coalesce(sum(n), 0) FROM garbage_count), (SELECT count(*) FROM "
	    "gap)",
	/* Numbers of an epoch that neither a row, a thing put aside, garbage nor a gap
	   explains. */
	[STORE_CHECK_HOLES] =
	    "SELECT agent, epoch, before + 1, first - 1 FROM (SELECT agent, epoch, first,"
	    " max(last) OVER (PARTITION BY agent, epoch ORDER BY first, last"
	    " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM ("
	    "SELECT agent, epoch, seq AS first, seq AS last FROM journal WHERE epoch IS "
	    "NOT NULL"
	    " UNION ALL SELECT agent, epoch, seq, seq FROM journal_aside WHERE epoch IS "
	    "NOT NULL"
	    " UNION ALL SELECT agent, epoch, seq, seq FROM garbage WHERE epoch IS NOT "
	    "NULL"
	    " AND agent IS NOT NULL"
	    " UNION ALL SELECT agent, epoch, first_seq, last_seq FROM gap)) WHERE first "
	    "> before + 1",
	[STORE_VACUUM_INTO] = "VACUUM INTO $1",
};

const struct db_sql store_sql = { "store", sql, STORE_STATEMENTS };
