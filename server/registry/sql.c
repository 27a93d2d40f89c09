#include "server/registry/sql.h"

static const char *const text[SQL_COUNT] = {
	[SQL_AGENCY_PUT] =
	    "INSERT INTO agency (id, name, level, kind, parent, latitude, longitude, "
	    "journal_id)"
	    " VALUES ($1, $2, $3, coalesce($4, 'agency'), $5, $6, $7, $8)"
	    " ON CONFLICT (id) DO UPDATE SET name = excluded.name, level = "
	    "excluded.level,"
	    " kind = excluded.kind, parent = excluded.parent, latitude = "
	    "excluded.latitude,"
	    " longitude = excluded.longitude, journal_id = excluded.journal_id",
	[SQL_AGENCY_REMOVE] = "DELETE FROM agency WHERE id = $1",
	[SQL_AGENCY_GET] = "SELECT level, parent FROM agency WHERE id = $1",
	[SQL_AGENCY_ALL] = "SELECT id, name, level, kind, parent, latitude, longitude "
			   "FROM agency ORDER BY id",
	[SQL_AGENCY_IN_USE] =
	    "SELECT CASE"
	    " WHEN EXISTS (SELECT 1 FROM agency WHERE parent = $1) THEN 'an agency below "
	    "it'"
	    " WHEN EXISTS (SELECT 1 FROM link WHERE agency = $1) THEN 'a link'"
	    " WHEN EXISTS (SELECT 1 FROM agent WHERE agency = $1 AND revoked_ms IS NULL)"
	    " THEN 'an agent' END",

	[SQL_HEADCOUNT_PUT] =
	    "INSERT INTO headcount (agency, as_of_ms, servants, journal_id)"
	    " VALUES ($1, $2, $3, $4) ON CONFLICT (agency, as_of_ms)"
	    " DO UPDATE SET servants = excluded.servants, journal_id = "
	    "excluded.journal_id",
	[SQL_HEADCOUNT_REMOVE] = "DELETE FROM headcount WHERE agency = $1",
	[SQL_HEADCOUNT_ALL] = "SELECT agency, as_of_ms, servants FROM headcount",

	[SQL_LINK_PUT] =
	    "INSERT INTO link (id, agency, role, kind, line_type, provider, "
	    "contracted_down_bps,"
	    " contracted_up_bps, router_address, parents, journal_id)"
	    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
	    " ON CONFLICT (id) DO UPDATE SET agency = excluded.agency, role = "
	    "excluded.role,"
	    " kind = excluded.kind, line_type = excluded.line_type, provider = "
	    "excluded.provider,"
	    " contracted_down_bps = excluded.contracted_down_bps,"
	    " contracted_up_bps = excluded.contracted_up_bps,"
	    " router_address = excluded.router_address, parents = excluded.parents,"
	    " journal_id = excluded.journal_id",
	[SQL_LINK_REMOVE] = "DELETE FROM link WHERE id = $1",
	[SQL_LINK_EXISTS] = "SELECT 1 FROM link WHERE id = $1",
	[SQL_LINK_ALL] =
	    "SELECT id, agency, role, kind, line_type, provider, contracted_down_bps,"
	    " contracted_up_bps, router_address, parents FROM link ORDER BY id",

	[SQL_AGENT_PUT] =
	    "INSERT INTO agent (id, agency, vantage, journal_id) VALUES ($1, $2, $3, $4)"
	    " ON CONFLICT (id) DO UPDATE SET agency = excluded.agency,"
	    " vantage = excluded.vantage, journal_id = excluded.journal_id",
	[SQL_AGENT_ENROLL] =
	    "INSERT INTO agent (id, agency, enrolled_ms, fingerprint, journal_id)"
	    " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET agency = "
	    "excluded.agency,"
	    " enrolled_ms = excluded.enrolled_ms, fingerprint = excluded.fingerprint,"
	    " revoked_ms = NULL, journal_id = excluded.journal_id",
	[SQL_AGENT_CONFIG] = "UPDATE agent SET approved_config = $1, approved_hash = $2, "
			     "journal_id = $3 WHERE id = $4",
	[SQL_AGENT_REVOKE] =
	    "UPDATE agent SET revoked_ms = $1, journal_id = $2 WHERE id = $3",
	[SQL_AGENT_CLAIM] =
	    "UPDATE agent SET fingerprint = $1, journal_id = $2 WHERE id = $3",
	[SQL_AGENT_GET] =
	    "SELECT agency, fingerprint, revoked_ms FROM agent WHERE id = $1",
	[SQL_AGENT_BY_FINGERPRINT] = "SELECT id FROM agent WHERE fingerprint = $1 AND "
				     "agency = $2 ORDER BY enrolled_ms DESC LIMIT 1",

	[SQL_DECLARATION_PUT] =
	    "INSERT INTO declaration (agency, solution, answer, document, signer, "
	    "declared_ms,"
	    " expires_ms, journal_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
	    " ON CONFLICT (agency, solution) DO UPDATE SET answer = excluded.answer,"
	    " document = excluded.document, signer = excluded.signer,"
	    " declared_ms = excluded.declared_ms, expires_ms = excluded.expires_ms,"
	    " journal_id = excluded.journal_id",
	[SQL_DECLARATION_REMOVE] =
	    "DELETE FROM declaration WHERE agency = $1 AND solution = $2",
	[SQL_CORRECTION_PUT] =
	    "INSERT INTO machine_correction (agency, machine, class, same_as, journal_id)"
	    " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (agency, machine)"
	    " DO UPDATE SET class = excluded.class, same_as = excluded.same_as,"
	    " journal_id = excluded.journal_id",

	/* A window changed by its id is another window: who and when are the last one's;
	 * the journal has those before. */
	[SQL_MAINTENANCE_PUT] =
	    "INSERT INTO maintenance (id, scope, subject, from_ms, to_ms, reason, actor,"
	    " entered_ms, journal_id)"
	    " VALUES ($1, $2, coalesce($3, ''), $4, $5, $6, coalesce($7, ''), $8, $9)"
	    " ON CONFLICT (id) DO UPDATE SET scope = excluded.scope,"
	    " subject = excluded.subject, from_ms = excluded.from_ms,"
	    " to_ms = excluded.to_ms, reason = excluded.reason, actor = excluded.actor,"
	    " entered_ms = excluded.entered_ms, removed_ms = NULL,"
	    " journal_id = excluded.journal_id",
	[SQL_MAINTENANCE_REMOVE] =
	    "UPDATE maintenance SET removed_ms = $1,"
	    " journal_id = $2 WHERE id = $3 AND removed_ms IS NULL",
	[SQL_MAINTENANCE_GET] = "SELECT removed_ms FROM maintenance WHERE id = $1",
	[SQL_PROVIDER_EXISTS] = "SELECT 1 FROM link WHERE provider = $1 LIMIT 1",
	[SQL_NOTE_PUT] = "INSERT INTO outage_note (outage, ticket, note, journal_id)"
			 " VALUES ($1, $2, $3, $4) ON CONFLICT (outage) DO UPDATE SET"
			 " ticket = excluded.ticket, note = excluded.note,"
			 " journal_id = excluded.journal_id",
	[SQL_OUTAGE_EXISTS] = "SELECT 1 FROM outage WHERE id = $1",

	[SQL_RESET_AGENCY] = "DELETE FROM agency",
	[SQL_RESET_HEADCOUNT] = "DELETE FROM headcount",
	[SQL_RESET_LINK] = "DELETE FROM link",
	[SQL_RESET_AGENT] = "DELETE FROM agent",
	[SQL_RESET_DECLARATION] = "DELETE FROM declaration",
	[SQL_RESET_CORRECTION] = "DELETE FROM machine_correction",
	[SQL_RESET_MAINTENANCE] = "DELETE FROM maintenance",
	[SQL_RESET_NOTE] = "DELETE FROM outage_note",

	[SQL_TOKEN_PUT] = "INSERT INTO enroll_token (token_hash, id, agency, agent, "
			  "created_by, created_ms,"
			  " expires_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)",
	[SQL_TOKEN_GET] =
	    "SELECT token_hash, agency, agent, created_by, expires_ms, used_ms"
	    " FROM enroll_token WHERE id = $1",
	[SQL_TOKEN_USE] =
	    "UPDATE enroll_token SET used_ms = $1 WHERE id = $2 AND used_ms IS NULL",

	[SQL_CERT_PUT] = "INSERT INTO certificate (serial, agent, not_before_ms, "
			 "not_after_ms, issued_ms, pem)"
			 " VALUES ($1, $2, $3, $4, $5, $6)",
	[SQL_CERT_NEWEST] =
	    "SELECT not_before_ms, not_after_ms, pem FROM certificate WHERE agent = $1"
	    " AND revoked_ms IS NULL ORDER BY issued_ms DESC, serial DESC LIMIT 1",
	[SQL_CERT_REVOKE] = "UPDATE certificate SET revoked_ms = $1, revoke_reason = $2"
			    " WHERE agent = $3 AND revoked_ms IS NULL",
	[SQL_CERT_REVOKED] =
	    "SELECT serial, revoked_ms FROM certificate"
	    " WHERE revoked_ms IS NOT NULL AND not_after_ms > $1 ORDER BY serial",
	[SQL_CERT_WANTED] = "SELECT agent, serial FROM certificate AS c WHERE revoked_ms "
			    "IS NULL AND not_after_ms > $1"
			    " AND NOT EXISTS (SELECT 1 FROM certificate AS newer WHERE "
			    "newer.agent = c.agent"
			    " AND newer.revoked_ms IS NULL AND (newer.issued_ms, "
			    "newer.serial) > (c.issued_ms, c.serial))"
			    " ORDER BY agent",

	[SQL_TARGETS_LINKS] = "SELECT id, agency, role, kind, router_address, parents "
			      "FROM link ORDER BY id",
	[SQL_TARGETS_AGENTS] = "SELECT id, agency, vantage FROM agent WHERE revoked_ms "
			       "IS NULL ORDER BY id",
	/* What any edit changes. */
	[SQL_TARGETS_MARK] =
	    "SELECT (SELECT count(*) FROM link), (SELECT max(journal_id) FROM link),"
	    " (SELECT count(*) FROM agent), (SELECT max(journal_id) FROM agent)",
	[SQL_TARGETS_STALE] =
	    "SELECT p.agent, p.session FROM presence p"
	    " JOIN agent_targets t ON t.agent = p.agent JOIN agent a ON a.id = p.agent"
	    " WHERE p.state = 'online' AND a.revoked_ms IS NULL"
	    " AND (a.fingerprint IS NULL OR a.fingerprint = p.fingerprint)"
	    " AND coalesce(p.targets_hash, '') <> t.hash ORDER BY p.agent LIMIT $1",
	[SQL_TARGETS_PUT] =
	    "INSERT INTO agent_targets (agent, hash, targets, composed_ms)"
	    " VALUES ($1, $2, $3, $4) ON CONFLICT (agent) DO UPDATE SET"
	    " hash = excluded.hash, targets = excluded.targets,"
	    " composed_ms = excluded.composed_ms, refused = NULL, refused_ms = NULL"
	    " WHERE hash <> excluded.hash",
	[SQL_TARGETS_REFUSED] = "UPDATE agent_targets SET refused = $1, refused_ms = $2"
				" WHERE agent = $3 AND hash = $4",

	[SQL_UNFOLDED] =
	    "SELECT 1 FROM journal WHERE source = 'operator' AND id > coalesce("
	    "(SELECT journal_id FROM fold_cursor WHERE fold = 'registry'), 0) LIMIT 1",

	[SQL_CLONE_LIST] =
	    "SELECT a.agent, a.fingerprint, count(*), min(a.received_ms), "
	    "max(a.received_ms),"
	    " agent.fingerprint FROM journal_aside AS a LEFT JOIN agent ON agent.id = "
	    "a.agent"
	    " WHERE a.reason = 'clone' AND a.decided_ms IS NULL"
	    " GROUP BY a.agent, a.fingerprint ORDER BY a.agent, a.fingerprint",
	[SQL_CLONE_ROWS] =
	    "SELECT lane, epoch, seq, boot, session, mono_ns, sent_mono_ns, content_type,"
	    " received_ms, payload FROM journal_aside WHERE reason = 'clone' AND "
	    "decided_ms IS NULL"
	    " AND agent = $1 AND fingerprint = $2 ORDER BY id",
	[SQL_CLONE_DECIDE] =
	    "UPDATE journal_aside SET decided_ms = $1"
	    " WHERE reason = 'clone' AND decided_ms IS NULL AND agent = $2",
};

const struct db_sql registry_sql = { .room = "registry", .sql = text, .n = SQL_COUNT };
