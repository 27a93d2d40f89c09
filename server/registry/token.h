/* One-time, expiring enrolment tokens, "<id>.<secret>.<ca>": 8, 32 and 32 hexadecimal
 * digits. The id is public; of id and secret only a BLAKE2b hash is stored; <ca> begins
 * the SHA-256 of the authority's certificate, so that who holds a token knows whom to
 * trust before anything secret is sent. */
#ifndef HT_SERVER_REGISTRY_TOKEN_H
#define HT_SERVER_REGISTRY_TOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/name.h"
#include "server/registry/operator.h"
#include "server/store/db.h"

#define TOKEN_ID_HEX     8
#define TOKEN_SECRET_HEX 32
#define TOKEN_CA_HEX     32
#define TOKEN_LEN        (TOKEN_ID_HEX + 1 + TOKEN_SECRET_HEX + 1 + TOKEN_CA_HEX)
#define TOKEN_TTL_MAX_S  (30 * 86400)

struct token_request {
	const char *agency;
	const char
	    *agent; /* the id that the enrolled agent gets; NULL: made of the agency's */
	int64_t ttl_s; /* 1..TOKEN_TTL_MAX_S */
};

/* Make a token and journal it (without its secret). For writer_call. The text is shown
 * once and stored nowhere: wipe it. HT_INVALID with a fault. */
HT_MUST_CHECK ht_err token_create(struct db *db, const struct operator_by *by,
    const struct token_request *request, const char *ca_hash,
    char out[static TOKEN_LEN + 1], struct ht_fault *fault);

struct token_use {
	char id[TOKEN_ID_HEX + 1];
	char agency[HT_ID_MAX + 1];
	char agent[HT_ID_MAX + 1]; /* "" when none was asked for */
	char created_by[HT_ID_MAX + 1];
};

/* Use a token up, inside the writer's transaction: of two uses one gets HT_OK.
 *   HT_MALFORMED  it is no token
 *   HT_DENIED     unknown, or its secret is wrong (one answer for both)
 *   HT_CLOSED     used already
 *   HT_TIMEOUT    expired */
HT_MUST_CHECK ht_err token_use(
    struct db *db, const char *text, int64_t now_ms, struct token_use *out);

#endif
