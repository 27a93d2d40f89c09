#include "server/alert/acklink.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "base/option.h"
#include "server/alert/incident_sql.h"

enum { KEY_LEN = 32, MAC_HEX = 64 };

static ht_err read_key(struct db *db, unsigned char key[static KEY_LEN])
{
	struct db_rows *r = db_start(db, &tell_sql, TELL_SQL_SECRET, "");
	ht_err err = db_next(r);
	size_t len = 0;
	const void *bytes = err ? NULL : db_blob(r, 0, &len);

	if (!err && len == KEY_LEN)
		memcpy(key, bytes, KEY_LEN);
	else if (!err)
		err = HT_CORRUPT;
	db_done(r);
	return err;
}

static ht_err need_key(struct db *db, unsigned char key[static KEY_LEN])
{
	ht_err err = read_key(db, key);

	if (err != HT_NOTFOUND)
		return err;
	if (RAND_bytes(key, KEY_LEN) != 1)
		return HT_IO;
	return db_exec(
	    db, &tell_sql, TELL_SQL_SECRET_PUT, "b", (const void *)key, (size_t)KEY_LEN);
}

static ht_err sign(const unsigned char key[static KEY_LEN], const char *text,
    char out[static MAC_HEX + 1])
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (!HMAC(EVP_sha256(), key, KEY_LEN, (const unsigned char *)text, strlen(text),
		mac, &len) ||
	    len != MAC_HEX / 2)
		return HT_NOMEM;
	for (unsigned i = 0; i < len; i++)
		snprintf(out + (size_t)2 * i, 3, "%02x", mac[i]);
	return HT_OK;
}

ht_err acklink_path(struct db *db, const char *incident, int64_t now_ms,
    char out[static ACKLINK_PATH_MAX])
{
	unsigned char key[KEY_LEN];
	char text[INCIDENT_ID_MAX + 32], mac[MAC_HEX + 1];
	ht_err err = need_key(db, key);

	snprintf(text, sizeof(text), "%s~%lld", incident,
	    (long long)(now_ms + ACKLINK_TTL_MS));
	if (!err)
		err = sign(key, text, mac);
	OPENSSL_cleanse(key, sizeof(key));
	if (!err)
		snprintf(out, ACKLINK_PATH_MAX, "/ack/%s~%s", text, mac);
	return err;
}

ht_err acklink_check(struct db *db, const char *token, int64_t now_ms,
    char out_incident[static INCIDENT_ID_MAX + 1])
{
	unsigned char key[KEY_LEN];
	char text[INCIDENT_ID_MAX + 32], mac[MAC_HEX + 1];
	const char *second = strrchr(token, '~');
	size_t len = second ? (size_t)(second - token) : 0;
	int64_t expires_ms = 0;

	if (!second || len >= sizeof(text) || strlen(second + 1) != MAC_HEX)
		return HT_MALFORMED;
	memcpy(text, token, len);
	text[len] = '\0';
	char *first = strrchr(text, '~');

	if (!first || first == text || first - text > INCIDENT_ID_MAX ||
	    ht_int_parse(first + 1, &expires_ms))
		return HT_MALFORMED;
	ht_err err = read_key(db, key);
	if (!err)
		err = sign(key, text, mac);
	OPENSSL_cleanse(key, sizeof(key));
	if (err)
		return err == HT_NOTFOUND ? HT_DENIED : err;
	if (CRYPTO_memcmp(mac, second + 1, MAC_HEX) != 0)
		return HT_DENIED;
	if (now_ms > expires_ms)
		return HT_TIMEOUT;
	memcpy(out_incident, text, (size_t)(first - text));
	out_incident[first - text] = '\0';
	return HT_OK;
}
