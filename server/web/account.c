#include "server/web/account.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/store/journal.h"
#include "server/web/account_sql.h"

#define ACCOUNT_TOKENS_MAX 200 /* sessions and tokens of one account */

static const char *const account_roles[] = {
	[ROUTE_VIEWER] = "viewer",
	[ROUTE_OPERATOR] = "operator",
	[ROUTE_ADMIN] = "admin",
};

static const char *const account_kinds[] = {
	[ACCOUNT_SESSION] = "session",
	[ACCOUNT_API] = "api",
};

/* What an unknown name is checked against, so that it costs the same as a known one. */
static char account_nobody_hash[crypto_pwhash_STRBYTES];

static ht_err account_hash(const char *password, char out[static crypto_pwhash_STRBYTES])
{
	if (crypto_pwhash_str_alg(out, password, strlen(password),
		crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE,
		crypto_pwhash_ALG_ARGON2ID13) != 0)
		return HT_NOMEM;
	return HT_OK;
}

ht_err account_start(void)
{
	if (sodium_init() < 0)
		return HT_IO;
	return account_nobody_hash[0]
		   ? HT_OK
		   : account_hash("nobody has this", account_nobody_hash);
}

static enum route_role account_role(const char *text)
{
	for (size_t i = ROUTE_VIEWER; i < HT_COUNT(account_roles); i++)
		if (text && strcmp(account_roles[i], text) == 0)
			return (enum route_role)i;
	return ROUTE_PUBLIC;
}

static void account_fill(
    struct account_who *who, const char *name, const char *role, const char *agency)
{
	snprintf(who->name, sizeof(who->name), "%s", name);
	snprintf(who->agency, sizeof(who->agency), "%s", agency ? agency : "");
	who->role = account_role(role);
}

ht_err account_check(
    struct db *db, const char *name, const char *password, struct account_who *out)
{
	struct account_who who = { .expires_ms = INT64_MIN };
	char hash[crypto_pwhash_STRBYTES];
	struct db_rows *rows = db_start(db, &account_sql, ACCOUNT_SQL_FIND, "s", name);
	ht_err err = db_next(rows);
	bool known = !err && db_is_null(rows, 4);

	memcpy(hash, account_nobody_hash, sizeof(hash));
	if (known) {
		snprintf(hash, sizeof(hash), "%s", db_text(rows, 1));
		account_fill(&who, db_text(rows, 0), db_text(rows, 2), db_text(rows, 3));
	}
	db_done(rows);
	if (err && err != HT_NOTFOUND)
		return err;
	bool fits = crypto_pwhash_str_verify(hash, password, strlen(password)) == 0;
	if (!known || !fits)
		return HT_DENIED;
	*out = who;
	return HT_OK;
}

static void account_token_hash(const char *token, uint8_t out[static 32])
{
	crypto_generichash(out, 32, (const uint8_t *)token, strlen(token), NULL, 0);
}

ht_err account_of_token(struct db *db, const char *token, enum account_kind kind,
    int64_t now_ms, struct account_who *out)
{
	struct account_who who = { .kind = kind };

	/* The look-up goes by the hash: its time tells nothing about the token. */
	account_token_hash(token, who.token_hash);
	struct db_rows *rows = db_start(db, &account_sql, ACCOUNT_SQL_TOKEN_FIND, "bsi",
	    who.token_hash, sizeof(who.token_hash), account_kinds[kind], now_ms);
	ht_err err = db_next(rows);

	if (!err) {
		account_fill(&who, db_text(rows, 0), db_text(rows, 1), db_text(rows, 2));
		snprintf(who.csrf, sizeof(who.csrf), "%s",
		    db_text(rows, 3) ? db_text(rows, 3) : "");
		who.expires_ms = db_is_null(rows, 4) ? INT64_MIN : db_int(rows, 4);
		who.last_used_ms = db_int(rows, 5);
		*out = who;
	}
	db_done(rows);
	return err == HT_NOTFOUND ? HT_DENIED : err;
}

bool account_csrf_fits(const struct account_who *who, const char *header)
{
	size_t len = strlen(who->csrf);

	return header && len > 0 && strlen(header) == len &&
	       sodium_memcmp(who->csrf, header, len) == 0;
}

static ht_err account_audit(struct db *db, const char *actor, const char *kind,
    struct json_object *what, int64_t now_ms)
{
	const char *text = json_object_to_json_string_ext(what, JSON_C_TO_STRING_PLAIN);
	struct journal_row row = {
		.source = JOURNAL_OPERATOR,
		.kind = kind,
		.content_type = "application/json",
		.received_ms = now_ms,
		.actor = actor,
		.payload = text,
		.len = strlen(text),
	};
	ht_err err = journal_append(db, &row);

	json_object_put(what);
	return err;
}

static struct json_object *account_about(const char *name)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "account", json_object_new_string(name));
	return o;
}

static ht_err account_password_ok(const char *password, struct ht_fault *fault)
{
	size_t len = strlen(password);

	if (len < ACCOUNT_PASSWORD_MIN || len > ACCOUNT_PASSWORD_MAX)
		return ht_fault_set(fault, HT_INVALID,
		    "the password has %zu bytes: use %d to %d", len, ACCOUNT_PASSWORD_MIN,
		    ACCOUNT_PASSWORD_MAX);
	return HT_OK;
}

ht_err account_put(struct db *db, const char *actor, const struct account_new *a,
    int64_t now_ms, struct ht_fault *fault)
{
	char hash[crypto_pwhash_STRBYTES];
	ht_err err = account_password_ok(a->password, fault);

	if (!err && !ht_id_valid(a->name, HT_ID_MAX))
		err = ht_fault_set(fault, HT_INVALID,
		    "the account's name \"%.70s\" is no id: use letters, digits and . _ "
		    ": -",
		    a->name);
	if (!err && account_role(a->role) == ROUTE_PUBLIC)
		err = ht_fault_set(fault, HT_INVALID,
		    "role \"%.20s\" is unknown: use admin, operator or viewer", a->role);
	if (!err)
		err = account_hash(a->password, hash);
	if (err)
		return err;
	err = db_exec(db, &account_sql, ACCOUNT_SQL_PUT, "ssssi", a->name, hash, a->role,
	    a->agency, now_ms);
	if (err == HT_CONFLICT)
		return ht_fault_set(fault, HT_EXISTS,
		    "account \"%s\" is there already: choose another name", a->name);
	if (err)
		return err;
	struct json_object *what = account_about(a->name);
	json_object_object_add(what, "role", json_object_new_string(a->role));
	json_object_object_add(
	    what, "agency", a->agency ? json_object_new_string(a->agency) : NULL);
	return account_audit(db, actor, "account.put", what, now_ms);
}

ht_err account_set_password(struct db *db, const char *actor, const char *name,
    const char *password, int64_t now_ms, struct ht_fault *fault)
{
	char hash[crypto_pwhash_STRBYTES];
	ht_err err = account_password_ok(password, fault);

	if (!err)
		err = account_hash(password, hash);
	if (!err)
		err =
		    db_exec(db, &account_sql, ACCOUNT_SQL_SET_PASSWORD, "ss", hash, name);
	if (!err && db_changes(db) == 0)
		return ht_fault_set(fault, HT_NOTFOUND,
		    "there is no account \"%.64s\" that may log in", name);
	if (!err)
		err = db_exec(db, &account_sql, ACCOUNT_SQL_TOKENS_END_OF, "s", name);
	if (!err)
		err = account_audit(
		    db, actor, "account.set_password", account_about(name), now_ms);
	return err;
}

static ht_err account_count(
    struct db *db, int statement, const char *types, const char *arg, int64_t *out)
{
	struct db_rows *rows = db_start(db, &account_sql, statement, types, arg);
	ht_err err = db_next(rows);

	if (!err)
		*out = db_int(rows, 0);
	db_done(rows);
	return err;
}

ht_err account_disable(struct db *db, const char *actor, const char *name, int64_t now_ms,
    struct ht_fault *fault)
{
	int64_t admins = 0;
	ht_err err = account_count(db, ACCOUNT_SQL_ADMINS, "s", name, &admins);

	if (!err && admins == 0)
		return ht_fault_set(fault, HT_CONFLICT,
		    "\"%.64s\" is the last admin: make another admin first", name);
	if (!err)
		err = db_exec(db, &account_sql, ACCOUNT_SQL_DISABLE, "is", now_ms, name);
	if (!err && db_changes(db) == 0)
		return ht_fault_set(fault, HT_NOTFOUND,
		    "there is no account \"%.64s\" that may log in", name);
	if (!err)
		err = db_exec(db, &account_sql, ACCOUNT_SQL_TOKENS_END_OF, "s", name);
	if (!err)
		err = account_audit(
		    db, actor, "account.disable", account_about(name), now_ms);
	return err;
}

static void account_random_text(const char *prefix, char out[static ACCOUNT_TOKEN_TEXT])
{
	uint8_t bytes[32];
	size_t n = strlen(prefix);

	randombytes_buf(bytes, sizeof(bytes));
	memcpy(out, prefix, n);
	sodium_bin2base64(out + n, ACCOUNT_TOKEN_TEXT - n, bytes, sizeof(bytes),
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	sodium_memzero(bytes, sizeof(bytes));
}

ht_err account_token_new(struct db *db, const struct account_who *who,
    enum account_kind kind, const char *label, int64_t expires_ms, int64_t now_ms,
    char out_token[static ACCOUNT_TOKEN_TEXT], char out_csrf[static ACCOUNT_TOKEN_TEXT])
{
	uint8_t hash[32];
	int64_t n = 0;
	ht_err err = db_exec(db, &account_sql, ACCOUNT_SQL_TOKENS_EXPIRE, "i", now_ms);

	if (!err)
		err = account_count(db, ACCOUNT_SQL_TOKENS_OF, "s", who->name, &n);
	if (!err && n >= ACCOUNT_TOKENS_MAX)
		return HT_FULL;
	if (err)
		return err;
	account_random_text(kind == ACCOUNT_API ? "hta_" : "hts_", out_token);
	account_random_text("", out_csrf);
	account_token_hash(out_token, hash);
	err = db_exec(db, &account_sql, ACCOUNT_SQL_TOKEN_PUT, "bssssiI", hash,
	    sizeof(hash), who->name, account_kinds[kind], label,
	    kind == ACCOUNT_SESSION ? out_csrf : NULL, now_ms, expires_ms);
	if (err || kind == ACCOUNT_SESSION)
		return err;
	struct json_object *what = account_about(who->name);
	json_object_object_add(
	    what, "label", label ? json_object_new_string(label) : NULL);
	return account_audit(db, who->name, "account.token", what, now_ms);
}

ht_err account_token_touch(struct db *db, const uint8_t hash[static 32], int64_t now_ms)
{
	return db_exec(
	    db, &account_sql, ACCOUNT_SQL_TOKEN_TOUCH, "ib", now_ms, hash, (size_t)32);
}

ht_err account_token_end(struct db *db, const uint8_t hash[static 32])
{
	return db_exec(db, &account_sql, ACCOUNT_SQL_TOKEN_END, "b", hash, (size_t)32);
}

/* Twenty letters that people do not mix up, in groups: about 99 bits. */
static void account_random_password(char out[static ACCOUNT_FIRST_PASSWORD])
{
	static const char letters[] = "abcdefghjkmnpqrstuvwxyz23456789";
	size_t n = 0;

	for (int i = 0; i < 20; i++) {
		if (i && i % 5 == 0)
			out[n++] = '-';
		out[n++] = letters[randombytes_uniform(sizeof(letters) - 1)];
	}
	out[n] = '\0';
}

static ht_err account_write_password(
    const char *state_dir, const char *password, struct ht_fault *fault)
{
	char file[4096], line[128];
	int n = snprintf(file, sizeof(file), "%s/first-password", state_dir);

	if (n < 0 || (size_t)n >= sizeof(file))
		return ht_fault_set(
		    fault, HT_TOOLARGE, "the state folder's name is too long");
	(void)unlink(file);
	int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return ht_fault_set(fault, ht_err_errno(errno),
		    "%s: %s: make the folder writable", file, strerror(errno));
	n = snprintf(line, sizeof(line), "admin %s\n", password);
	bool written = write(fd, line, (size_t)n) == n && fsync(fd) == 0;
	int why = errno;
	close(fd);
	sodium_memzero(line, sizeof(line));
	return written ? HT_OK
		       : ht_fault_set(
			     fault, ht_err_errno(why), "%s: %s", file, strerror(why));
}

ht_err accounts_init(struct db *db, const char *state_dir, int64_t now_ms,
    char out[static ACCOUNT_FIRST_PASSWORD], struct ht_fault *fault)
{
	int64_t n = 0;
	char password[ACCOUNT_FIRST_PASSWORD];
	ht_err err = account_start();

	if (err)
		return ht_fault_set(
		    fault, err, "libsodium does not start, or memory is out");
	err = account_count(db, ACCOUNT_SQL_COUNT, "", NULL, &n);
	if (err)
		return ht_fault_set(
		    fault, err, "accounts cannot be read: %s", db_error(db));
	if (n > 0)
		return HT_EXISTS;
	account_random_password(password);
	struct account_new admin = { "admin", password, "admin", NULL };
	err = account_put(db, "hatang-server", &admin, now_ms, fault);
	if (!err)
		err = account_write_password(state_dir, password, fault);
	if (!err)
		memcpy(out, password, sizeof(password));
	sodium_memzero(password, sizeof(password));
	return err;
}
