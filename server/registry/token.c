#include "server/registry/token.h"

#include <json-c/json.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "server/registry/ca.h"
#include "server/registry/sql.h"

enum { HASHED_LEN = TOKEN_ID_HEX + 1 + TOKEN_SECRET_HEX, HASH_BYTES = 32 };

static void token_hash(const char *text, unsigned char out[static HASH_BYTES])
{
	crypto_generichash(
	    out, HASH_BYTES, (const unsigned char *)text, HASHED_LEN, NULL, 0);
}

static void random_hex(char *out, size_t digits)
{
	unsigned char bytes[TOKEN_SECRET_HEX / 2];

	randombytes_buf(bytes, digits / 2);
	sodium_bin2hex(out, digits + 1, bytes, digits / 2);
	sodium_memzero(bytes, sizeof(bytes));
}

/* HT_OK when the agency is there and the agent, if it exists, belongs to it. */
static ht_err check_request(
    struct db *db, const struct token_request *r, struct ht_fault *fault)
{
	ht_err err;

	if (!ht_id_valid(r->agency, HT_ID_MAX) ||
	    (r->agent && !ht_id_valid(r->agent, HT_ID_MAX)))
		return ht_fault_set(fault, HT_INVALID,
		    "agency and agent must be ids of A-Z a-z 0-9 . _ : -");
	if (r->ttl_s < 1 || r->ttl_s > TOKEN_TTL_MAX_S)
		return ht_fault_set(
		    fault, HT_INVALID, "a token may live from 1 second to 30 days");
	struct db_rows *rows =
	    db_start(db, &registry_sql, SQL_AGENCY_GET, "s", r->agency);
	err = db_next(rows);
	db_done(rows);
	if (err)
		return err == HT_NOTFOUND
			   ? ht_fault_set(fault, HT_INVALID,
				 "there is no agency \"%s\": enter it first", r->agency)
			   : err;
	if (!r->agent)
		return HT_OK;
	rows = db_start(db, &registry_sql, SQL_AGENT_GET, "s", r->agent);
	err = db_next(rows);
	if (!err && strcmp(db_text(rows, 0), r->agency) != 0)
		err = ht_fault_set(fault, HT_INVALID,
		    "agent \"%s\" belongs to agency \"%s\": move it first", r->agent,
		    db_text(rows, 0));
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err audit(struct db *db, const struct operator_by *by, const char *id,
    const struct token_request *r)
{
	struct json_object *data = json_object_new_object();
	ht_err err = HT_NOMEM;

	if (data) {
		json_object_object_add(data, "id", json_object_new_string(id));
		json_object_object_add(data, "agency", json_object_new_string(r->agency));
		if (r->agent)
			json_object_object_add(
			    data, "agent", json_object_new_string(r->agent));
		json_object_object_add(data, "ttl_s", json_object_new_int64(r->ttl_s));
		err = operator_audit(db, by, "token.create",
		    json_object_to_json_string_ext(data, JSON_C_TO_STRING_PLAIN));
	}
	json_object_put(data);
	return err;
}

ht_err token_create(struct db *db, const struct operator_by *by,
    const struct token_request *request, const char *ca_hash,
    char out[static TOKEN_LEN + 1], struct ht_fault *fault)
{
	char text[TOKEN_LEN + 1], id[TOKEN_ID_HEX + 1];
	unsigned char hash[HASH_BYTES];
	ht_err err = check_request(db, request, fault);

	if (err)
		return err;
	if (sodium_init() < 0)
		return HT_IO;
	random_hex(id, TOKEN_ID_HEX);
	memcpy(text, id, TOKEN_ID_HEX);
	text[TOKEN_ID_HEX] = '.';
	random_hex(text + TOKEN_ID_HEX + 1, TOKEN_SECRET_HEX);
	snprintf(
	    text + HASHED_LEN, sizeof(text) - HASHED_LEN, ".%.*s", TOKEN_CA_HEX, ca_hash);
	token_hash(text, hash);
	err = db_exec(db, &registry_sql, SQL_TOKEN_PUT, "bssssii", hash, sizeof(hash), id,
	    request->agency, request->agent, by->actor, by->now_ms,
	    by->now_ms + request->ttl_s * 1000);
	if (!err)
		err = audit(db, by, id, request);
	if (!err)
		memcpy(out, text, sizeof(text));
	sodium_memzero(text, sizeof(text));
	return err;
}

static bool is_token(const char *text)
{
	static const size_t parts[] = { TOKEN_ID_HEX, TOKEN_SECRET_HEX, TOKEN_CA_HEX };

	for (size_t i = 0; i < HT_COUNT(parts); i++) {
		if (strspn(text, "0123456789abcdef") != parts[i])
			return false;
		text += parts[i];
		if (*text++ != (i + 1 < HT_COUNT(parts) ? '.' : '\0'))
			return false;
	}
	return true;
}

/* What the row says of the token whose hash is `hash`. */
static ht_err judge(struct db_rows *rows, const unsigned char *hash, int64_t now_ms,
    struct token_use *out)
{
	size_t len;
	const void *stored = db_blob(rows, 0, &len);
	const char *agent = db_text(rows, 2);

	if (len != HASH_BYTES || sodium_memcmp(stored, hash, HASH_BYTES) != 0)
		return HT_DENIED;
	if (!db_is_null(rows, 5))
		return HT_CLOSED;
	if (db_int(rows, 4) <= now_ms)
		return HT_TIMEOUT;
	snprintf(out->agency, sizeof(out->agency), "%s", db_text(rows, 1));
	snprintf(out->agent, sizeof(out->agent), "%s", agent ? agent : "");
	snprintf(out->created_by, sizeof(out->created_by), "%s", db_text(rows, 3));
	return HT_OK;
}

ht_err token_use(struct db *db, const char *text, int64_t now_ms, struct token_use *out)
{
	struct token_use use = { 0 };
	unsigned char hash[HASH_BYTES];

	if (sodium_init() < 0)
		return HT_IO;
	if (!is_token(text))
		return HT_MALFORMED;
	memcpy(use.id, text, TOKEN_ID_HEX);
	token_hash(text, hash);
	struct db_rows *rows = db_start(db, &registry_sql, SQL_TOKEN_GET, "s", use.id);
	ht_err err = db_next(rows);
	err = err == HT_NOTFOUND ? HT_DENIED
	      : err              ? err
				 : judge(rows, hash, now_ms, &use);
	db_done(rows);
	if (!err)
		err = db_exec(db, &registry_sql, SQL_TOKEN_USE, "is", now_ms, use.id);
	if (!err && db_changes(db) != 1)
		err = HT_CLOSED;
	if (!err)
		*out = use;
	return err;
}
