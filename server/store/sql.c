#include "server/store/sql.h"

/* The order that journal_read expects. */
#define JOURNAL_COLUMNS                                                       \
	"id, source, kind, agent, lane, epoch, seq, boot, session, mono_ns, " \
	"sent_mono_ns,"                                                       \
	" content_type, received_ms, actor, payload"

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
};

const struct db_sql store_sql = { "store", sql, STORE_STATEMENTS };
