#include "server/store/keep.h"

#include <openssl/sha.h>

#include "server/store/sql.h"

static ht_err one(struct db *db, int statement, int64_t *out)
{
	struct db_rows *r = db_start(db, &store_sql, statement, "");
	ht_err err = db_next(r);

	if (!err)
		*out = db_int(r, 0);
	db_done(r);
	return err;
}

static ht_err copy_row(struct db *db, struct db_rows *r)
{
	uint8_t hash[SHA256_DIGEST_LENGTH];
	size_t len;
	const void *payload = db_blob(r, 4, &len);

	SHA256(payload ? payload : "", len, hash);
	return db_exec(db, &store_sql, STORE_EVIDENCE_PUT, "bisisb", hash, sizeof(hash),
	    db_int(r, 0), db_text(r, 1), db_int(r, 2), db_text(r, 3), payload, len);
}

static ht_err copy_cited(
    struct db *db, int64_t before_ms, int64_t last, int64_t *out_copied)
{
	struct db_rows *r =
	    db_start(db, &store_sql, STORE_KEEP_CITED, "ii", before_ms, last);
	ht_err err;

	while (!(err = db_next(r))) {
		err = copy_row(db, r);
		if (err)
			break;
		++*out_copied;
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

ht_err keep_slice(struct db *db, int64_t now_ms, int64_t keep_ms, int64_t keep_bytes,
    struct keep_result *out)
{
	int64_t before_ms = now_ms - keep_ms, last = 0, bytes = 0;
	struct keep_result result = { 0 };
	ht_err err = one(db, STORE_BYTES, &bytes);

	if (!err && bytes > keep_bytes && now_ms - KEEP_LEAST_MS > before_ms)
		before_ms = now_ms - KEEP_LEAST_MS;
	if (!err)
		err = one(db, STORE_KEEP_LAST, &last);
	if (!err)
		err = copy_cited(db, before_ms, last, &result.copied);
	if (!err)
		err = db_exec(db, &store_sql, STORE_KEEP_DELETE, "ii", before_ms, last);
	if (err)
		return err;
	result.deleted = db_changes(db);
	result.more = result.deleted == KEEP_SLICE;
	*out = result;
	return HT_OK;
}
