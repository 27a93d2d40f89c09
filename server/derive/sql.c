#include "server/derive/sql.h"

/* What a reset may remove: results of rows that are still there to be folded again. */
#define OLDEST_ID "coalesce((SELECT min(id) FROM journal WHERE source <> 'operator'), 0)"
#define OLDEST_MS                                                                        \
	"coalesce((SELECT received_ms FROM journal WHERE source <> 'operator' ORDER BY " \
	"id LIMIT 1), 0)"

static const char *const sql[DERIVE_STATEMENTS] = {
	[DERIVE_CURSORS] = "SELECT fold, version, journal_id FROM fold_cursor",
	[DERIVE_CURSOR_PUT] =
	    "INSERT INTO fold_cursor (fold, version, journal_id) VALUES ($1, $2, $3)"
	    " ON CONFLICT (fold) DO UPDATE SET version = excluded.version,"
	    " journal_id = excluded.journal_id",
	[DERIVE_JOURNAL_END] = "SELECT coalesce(max(id), 0) FROM journal",
	[DERIVE_JOURNAL_AFTER] =
	    "SELECT received_ms FROM journal WHERE id > $1 ORDER BY id LIMIT 1",
	[DERIVE_JOURNAL_AT] =
	    "SELECT received_ms FROM journal WHERE id <= $1 ORDER BY id DESC LIMIT 1",
	[DERIVE_EDITS_BETWEEN] =
	    "SELECT EXISTS (SELECT 1 FROM journal WHERE id > $1 AND id <= $2"
	    " AND source = 'operator' AND kind NOT LIKE 'maintenance.%'"
	    " AND kind NOT LIKE 'incident.%' AND kind NOT LIKE 'outage.%')",
	[DERIVE_AGENCY] = "SELECT agency FROM agent WHERE id = $1",
	[DERIVE_HORIZON] = "SELECT " OLDEST_MS,
	[DERIVE_ANCHOR_OF_BOOT] =
	    "SELECT offset_ms, at_ms, mono_ns, floor_ms FROM boot_anchor"
	    " WHERE agent = $1 AND boot = $2 AND journal_id <= $3 ORDER BY journal_id "
	    "DESC LIMIT 1",
	[DERIVE_ANCHOR_PUT] =
	    "INSERT INTO boot_anchor (agent, boot, journal_id, offset_ms, at_ms, "
	    "mono_ns, floor_ms,"
	    " source, epoch, seq) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
	    " ON CONFLICT (agent, boot, journal_id) DO NOTHING",
	[DERIVE_ANCHOR_RESET] = "DELETE FROM boot_anchor WHERE journal_id >= " OLDEST_ID,
	[DERIVE_BOOT_NOW] =
	    "SELECT boot FROM boot_anchor WHERE agent = $1 AND source = 'presence'"
	    " AND journal_id <= $2 ORDER BY journal_id DESC LIMIT 1",
	[DERIVE_BOOT_NEXT_BY_SEQ] =
	    "SELECT a.boot, a.offset_ms, a.journal_id FROM journal j JOIN boot_anchor a"
	    " ON a.agent = j.agent AND a.boot = j.boot WHERE j.agent = $1 AND j.boot <> "
	    "$2"
	    " AND j.epoch = $3 AND j.seq > $4 AND j.id <= $5 AND a.journal_id <= $5"
	    " ORDER BY j.seq, a.journal_id DESC LIMIT 1",
	[DERIVE_BOOT_LAST] = "SELECT boot, offset_ms, journal_id FROM boot_anchor WHERE "
			     "agent = $1 AND boot <> $2"
			     " AND journal_id <= $3 ORDER BY journal_id DESC LIMIT 1",
	[DERIVE_SEEN_BEFORE] =
	    "SELECT received_ms FROM journal WHERE agent = $1 AND id < (SELECT "
	    "min(journal_id)"
	    " FROM boot_anchor WHERE agent = $1 AND boot = $2) AND source = 'agent'"
	    " ORDER BY id DESC LIMIT 1",
	[DERIVE_LATEST_PUT] =
	    "INSERT INTO latest (agent, name, kind, number, counter, string, boolean, "
	    "unit, at_ms,"
	    " uncertainty_ms, rebased, journal_id)"
	    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
	    " ON CONFLICT (agent, name) DO UPDATE SET kind = excluded.kind,"
	    " number = excluded.number, counter = excluded.counter, string = "
	    "excluded.string,"
	    " boolean = excluded.boolean, unit = excluded.unit, at_ms = excluded.at_ms,"
	    " uncertainty_ms = excluded.uncertainty_ms, rebased = excluded.rebased,"
	    " journal_id = excluded.journal_id WHERE excluded.at_ms >= latest.at_ms",
	[DERIVE_LATEST_RESET] = "DELETE FROM latest WHERE journal_id >= " OLDEST_ID,
	[DERIVE_SERIES_GET] = "SELECT id FROM series WHERE agent = $1 AND name = $2",
	[DERIVE_SERIES_PUT] =
	    "INSERT INTO series (agent, name, unit) VALUES ($1, $2, $3)",
	[DERIVE_BLOCK_GET] =
	    "SELECT points FROM series_block WHERE series = $1 AND hour_ms = $2",
	[DERIVE_BLOCK_PUT] =
	    "INSERT INTO series_block (series, hour_ms, n, min, max, sum, points)"
	    " VALUES ($1, $2, $3, $4, $5, $6, $7)"
	    " ON CONFLICT (series, hour_ms) DO UPDATE SET n = excluded.n, min = "
	    "excluded.min,"
	    " max = excluded.max, sum = excluded.sum, points = excluded.points",
	[DERIVE_BLOCK_RESET] = "DELETE FROM series_block WHERE hour_ms >= " OLDEST_MS,
	[DERIVE_GAP_PUT] =
	    "INSERT INTO gap (agent, epoch, first_seq, last_seq, reason, reported_ms, "
	    "journal_id)"
	    " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (agent, epoch, first_seq)"
	    " DO UPDATE SET last_seq = excluded.last_seq, reason = excluded.reason,"
	    " reported_ms = excluded.reported_ms, journal_id = excluded.journal_id"
	    " WHERE excluded.last_seq > gap.last_seq",
	[DERIVE_GAP_RESET] = "DELETE FROM gap WHERE journal_id >= " OLDEST_ID,
	[DERIVE_PRESENCE_GET] =
	    "SELECT state, session, since_ms FROM presence WHERE agent = $1",
	[DERIVE_PRESENCE_PUT] =
	    "INSERT INTO presence (agent, state, session, boot, fingerprint, version, "
	    "clock,"
	    " config_hash, since_ms, last_ms, journal_id, targets_hash)"
	    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
	    " ON CONFLICT (agent) DO UPDATE SET state = excluded.state, session = "
	    "excluded.session,"
	    " boot = excluded.boot, fingerprint = excluded.fingerprint, version = "
	    "excluded.version,"
	    " clock = excluded.clock, config_hash = excluded.config_hash,"
	    " since_ms = excluded.since_ms, last_ms = excluded.last_ms,"
	    " journal_id = excluded.journal_id, targets_hash = excluded.targets_hash",
	[DERIVE_PRESENCE_RESET] = "DELETE FROM presence WHERE journal_id >= " OLDEST_ID,
};

const struct db_sql derive_sql = { "derive", sql, DERIVE_STATEMENTS };
