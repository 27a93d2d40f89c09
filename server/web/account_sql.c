#include "server/web/account_sql.h"

static const char *const statements[ACCOUNT_SQL_STATEMENTS] = {
	[ACCOUNT_SQL_FIND] = "SELECT name, password_hash, role, agency, disabled_ms FROM "
			     "account WHERE name = $1",
	[ACCOUNT_SQL_COUNT] = "SELECT count(*) FROM account",
	[ACCOUNT_SQL_ADMINS] = "SELECT count(*) FROM account"
			       " WHERE role = 'admin' AND agency IS NULL AND disabled_ms "
			       "IS NULL AND name <> $1",
	[ACCOUNT_SQL_LIST] =
	    "SELECT name, role, agency, created_ms, disabled_ms FROM account"
	    " WHERE name > $1 ORDER BY name LIMIT $2",
	[ACCOUNT_SQL_PUT] =
	    "INSERT INTO account (name, password_hash, role, agency, created_ms)"
	    " VALUES ($1, $2, $3, $4, $5)",
	[ACCOUNT_SQL_SET_PASSWORD] = "UPDATE account SET password_hash = $1 WHERE name = "
				     "$2 AND disabled_ms IS NULL",
	[ACCOUNT_SQL_DISABLE] =
	    "UPDATE account SET disabled_ms = $1 WHERE name = $2 AND disabled_ms IS NULL",
	[ACCOUNT_SQL_TOKEN_FIND] =
	    "SELECT s.account, a.role, a.agency, s.csrf, s.expires_ms, s.last_used_ms"
	    " FROM account_session s JOIN account a ON a.name = s.account"
	    " WHERE s.token_hash = $1 AND s.kind = $2 AND a.disabled_ms IS NULL"
	    " AND (s.expires_ms IS NULL OR s.expires_ms > $3)",
	[ACCOUNT_SQL_TOKEN_PUT] = "INSERT INTO account_session"
				  " (token_hash, account, kind, label, csrf, created_ms, "
				  "expires_ms, last_used_ms)"
				  " VALUES ($1, $2, $3, $4, $5, $6, $7, $6)",
	[ACCOUNT_SQL_TOKEN_END] = "DELETE FROM account_session WHERE token_hash = $1",
	[ACCOUNT_SQL_TOKENS_END_OF] = "DELETE FROM account_session WHERE account = $1",
	[ACCOUNT_SQL_TOKENS_EXPIRE] =
	    "DELETE FROM account_session WHERE expires_ms <= $1",
	[ACCOUNT_SQL_TOKEN_LIST] =
	    "SELECT token_hash, account, label, created_ms, expires_ms, last_used_ms"
	    " FROM account_session WHERE kind = 'api' AND ($1 IS NULL OR account = $1)"
	    " ORDER BY created_ms DESC LIMIT $2",
	[ACCOUNT_SQL_TOKEN_TOUCH] =
	    "UPDATE account_session SET last_used_ms = $1 WHERE token_hash = $2",
	[ACCOUNT_SQL_TOKENS_OF] =
	    "SELECT count(*) FROM account_session WHERE account = $1",
};

const struct db_sql account_sql = { "account", statements, ACCOUNT_SQL_STATEMENTS };
