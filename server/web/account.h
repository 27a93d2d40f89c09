/* Accounts, sessions and API tokens. Passwords are kept as argon2id strings, tokens as
 * BLAKE2b-256 hashes. A change of an account is state and, in the same transaction, an
 * operator row of the journal (the audit log). */
#ifndef HT_SERVER_WEB_ACCOUNT_H
#define HT_SERVER_WEB_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/name.h"
#include "server/store/db.h"
#include "server/web/route.h"

#define ACCOUNT_SESSION_MS   (INT64_C(12) * 3600 * 1000)
#define ACCOUNT_TOKEN_TEXT   64 /* "hts_" or "hta_", 43 letters, NUL */
#define ACCOUNT_PASSWORD_MIN 12
#define ACCOUNT_PASSWORD_MAX 256

enum account_kind { ACCOUNT_NOBODY, ACCOUNT_SESSION, ACCOUNT_API };

struct account_who {
	enum account_kind kind;
	enum route_role role;
	char name[HT_ID_MAX + 1];
	char agency[HT_ID_MAX + 1];    /* scope; "" is everything */
	char csrf[ACCOUNT_TOKEN_TEXT]; /* sessions only */
	uint8_t token_hash[32];
	int64_t expires_ms; /* INT64_MIN: never */
	int64_t last_used_ms;
};

/* Must run before anything else here, once a process. HT_IO. */
HT_MUST_CHECK ht_err account_start(void);

/* Name and password. HT_DENIED for a wrong one, an unknown name or a disabled account,
 * all after the same work. Blocks for the hash (about 0.1 s, 64 MiB). */
HT_MUST_CHECK ht_err account_check(
    struct db *db, const char *name, const char *password, struct account_who *out);

/* Who holds this cookie or API token? HT_DENIED when nobody (any more). */
HT_MUST_CHECK ht_err account_of_token(struct db *db, const char *token,
    enum account_kind kind, int64_t now_ms, struct account_who *out);

/* Whether the CSRF header fits the session; constant time. */
bool account_csrf_fits(const struct account_who *who, const char *header);

/* ── on the writer's connection, inside its transaction ── */

struct account_new {
	const char *name, *password, *role, *agency; /* agency NULL: everything */
};
/* HT_EXISTS, HT_INVALID (the fault says what and the cure). */
HT_MUST_CHECK ht_err account_put(struct db *db, const char *actor,
    const struct account_new *a, int64_t now_ms, struct ht_fault *fault);
HT_MUST_CHECK ht_err account_set_password(struct db *db, const char *actor,
    const char *name, const char *password, int64_t now_ms, struct ht_fault *fault);
/* Also ends its sessions. The last admin cannot be disabled: HT_CONFLICT. */
HT_MUST_CHECK ht_err account_disable(struct db *db, const char *actor, const char *name,
    int64_t now_ms, struct ht_fault *fault);

/* A new session or API token; the text goes to the caller once, only its hash is kept. */
HT_MUST_CHECK ht_err account_token_new(struct db *db, const struct account_who *who,
    enum account_kind kind, const char *label, int64_t expires_ms, int64_t now_ms,
    char out_token[static ACCOUNT_TOKEN_TEXT], char out_csrf[static ACCOUNT_TOKEN_TEXT]);
/* Note that it was used; the caller does so at most every ACCOUNT_TOUCH_MS. */
#define ACCOUNT_TOUCH_MS (INT64_C(10) * 60 * 1000)
HT_MUST_CHECK ht_err account_token_touch(
    struct db *db, const uint8_t hash[static 32], int64_t now_ms);
HT_MUST_CHECK ht_err account_token_end(struct db *db, const uint8_t hash[static 32]);

/* Make the account "admin" with a random password when there is no account at all. The
 * password is written to `out` (NUL-terminated) and to <state_dir>/first-password (0600),
 * never to the log. HT_EXISTS: there are accounts already, nothing was done. `db` is a
 * writing connection inside a transaction. */
#define ACCOUNT_FIRST_PASSWORD 32
HT_MUST_CHECK ht_err accounts_init(struct db *db, const char *state_dir, int64_t now_ms,
    char out[static ACCOUNT_FIRST_PASSWORD], struct ht_fault *fault);

#endif
