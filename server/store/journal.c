#include "server/store/journal.h"

#include <string.h>

#include <openssl/sha.h>

#include "server/store/sql.h"

static const char *const sources[] = {
	[JOURNAL_AGENT] = "agent",
	[JOURNAL_OPERATOR] = "operator",
	[JOURNAL_SERVER] = "server",
};

static const char *const lanes[] = {
	[JOURNAL_NO_LANE] = NULL, [JOURNAL_DATA] = "data", [JOURNAL_HIST] = "hist"
};

const char *journal_source_name(enum journal_source source)
{
	return sources[source];
}

const char *journal_lane_name(enum journal_lane lane)
{
	return lanes[lane];
}

static bool has(const struct props *p, unsigned bits)
{
	return (p->has & bits) == bits;
}

static const char *text_if(const struct props *p, unsigned bit, const char *text)
{
	return has(p, bit) ? text : NULL;
}

static int64_t int_if(const struct props *p, unsigned bit, int64_t v)
{
	return has(p, bit) ? v : INT64_MIN;
}

/* A key needs both: seq without epoch says nothing. */
static bool keyed(const struct journal_row *row)
{
	return row->agent && has(&row->props, PROPS_EPOCH | PROPS_SEQ);
}

static ht_err put(struct db *db, const struct journal_row *row)
{
	const struct props *p = &row->props;
	bool key = keyed(row);

	return db_exec(db, &store_sql, STORE_JOURNAL_PUT, "sssssIssIIsisb",
	    sources[row->source], row->kind, row->agent, lanes[row->lane],
	    key ? p->epoch : NULL, key ? p->seq : INT64_MIN,
	    text_if(p, PROPS_BOOT, p->boot), text_if(p, PROPS_SESSION, p->session),
	    int_if(p, PROPS_MONO, p->mono_ns),
	    int_if(p, PROPS_SENT_MONO, p->sent_mono_ns), row->content_type,
	    row->received_ms, row->actor, row->payload, row->len);
}

static ht_err aside(struct db *db, const struct journal_row *row, const char *reason,
    const char *fingerprint)
{
	const struct props *p = &row->props;
	bool key = keyed(row);
	uint8_t hash[SHA256_DIGEST_LENGTH];

	SHA256(row->payload ? row->payload : "", row->len, hash);
	ht_err err = db_exec(db, &store_sql, STORE_ASIDE_PUT, "sssssIssIIsibb", reason,
	    row->agent, fingerprint, lanes[row->lane], key ? p->epoch : NULL,
	    key ? p->seq : INT64_MIN, text_if(p, PROPS_BOOT, p->boot),
	    text_if(p, PROPS_SESSION, p->session), int_if(p, PROPS_MONO, p->mono_ns),
	    int_if(p, PROPS_SENT_MONO, p->sent_mono_ns), row->content_type,
	    row->received_ms, row->payload, row->len, hash, sizeof(hash));
	if (err)
		return err;
	return db_changes(db) ? HT_OK : HT_EXISTS;
}

/* Nothing was inserted: is what lies there the same? */
static ht_err compare(struct db *db, struct journal_row *row)
{
	struct db_rows *r = db_start(db, &store_sql, STORE_JOURNAL_BY_KEY, "ssi",
	    row->agent, row->props.epoch, row->props.seq);
	ht_err err = db_next(r);

	if (!err) {
		size_t len;
		const void *there = db_blob(r, 1, &len);

		row->id = db_int(r, 0);
		err =
		    len == row->len && (len == 0 || memcmp(there, row->payload, len) == 0)
			? HT_EXISTS
			: HT_CONFLICT;
	}
	db_done(r);
	return err;
}

ht_err journal_append(struct db *db, struct journal_row *row)
{
	ht_err err = put(db, row);

	if (err) /* a constraint other than the key: no conflict of packs */
		return err == HT_CONFLICT ? HT_INVALID : err;
	if (db_changes(db)) {
		row->id = db_last_id(db);
		return HT_OK;
	}
	err = compare(db, row);
	if (err != HT_CONFLICT)
		return err;
	err = aside(db, row, "conflict", NULL);
	return err && err != HT_EXISTS ? err : HT_CONFLICT;
}

/* Whoever sent the row to us aside may have read the registry a moment too early. */
static ht_err is_owner(
    struct db *db, const char *agent, const char *fingerprint, bool *out)
{
	struct db_rows *r = db_start(db, &store_sql, STORE_OWNER, "s", agent);
	ht_err err = db_next(r);
	const char *owner = err ? NULL : db_text(r, 0);

	*out = owner && strcmp(owner, fingerprint) == 0;
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

ht_err journal_aside(
    struct db *db, const struct journal_row *row, const char *fingerprint)
{
	struct journal_row own = *row;
	bool owner;
	ht_err err = is_owner(db, row->agent, fingerprint, &owner);

	if (err)
		return err;
	return owner ? journal_append(db, &own) : aside(db, row, "clone", fingerprint);
}

ht_err journal_garbage(struct db *db, const struct journal_garbage *g)
{
	size_t kept = g->len < JOURNAL_SAMPLE_MAX ? g->len : JOURNAL_SAMPLE_MAX;
	bool key = has(&g->props, PROPS_EPOCH | PROPS_SEQ);
	ht_err err = db_exec(db, &store_sql, STORE_GARBAGE_PUT, "isssIsib",
	    g->received_ms, g->topic, g->agent, key ? g->props.epoch : NULL,
	    key ? g->props.seq : INT64_MIN, g->reason, (int64_t)g->len, g->bytes, kept);

	if (!err)
		err = db_exec(db, &store_sql, STORE_GARBAGE_THIN, "i", db_last_id(db));
	if (!err)
		err = db_exec(db, &store_sql, STORE_GARBAGE_COUNT, "ssi",
		    g->agent ? g->agent : "", g->reason, g->received_ms);
	return err;
}

struct db_rows *journal_scan(struct db *db, int64_t after, int64_t limit)
{
	return db_start(db, &store_sql, STORE_JOURNAL_SCAN, "ii", after, limit);
}

static int word(const char *const *words, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++) {
		if (words[i] && text && strcmp(words[i], text) == 0)
			return (int)i;
	}
	return 0;
}

static void text_into(
    struct db_rows *rows, int column, unsigned bit, char *to, size_t cap, unsigned *bits)
{
	const char *text = db_text(rows, column);
	size_t len = text ? strlen(text) : 0;

	if (!text || len >= cap)
		return;
	memcpy(to, text, len + 1);
	*bits |= bit;
}

static void int_into(
    struct db_rows *rows, int column, unsigned bit, int64_t *to, unsigned *bits)
{
	if (db_is_null(rows, column))
		return;
	*to = db_int(rows, column);
	*bits |= bit;
}

void journal_read(struct db_rows *rows, struct journal_row *out)
{
	struct journal_row row = {
		.id = db_int(rows, 0),
		.source = (enum journal_source)word(
		    sources, HT_COUNT(sources), db_text(rows, 1)),
		.kind = db_text(rows, 2),
		.agent = db_text(rows, 3),
		.lane = (enum journal_lane)word(lanes, HT_COUNT(lanes), db_text(rows, 4)),
		.content_type = db_text(rows, 11),
		.received_ms = db_int(rows, 12),
		.actor = db_text(rows, 13),
	};
	struct props *p = &row.props;

	text_into(rows, 5, PROPS_EPOCH, p->epoch, sizeof(p->epoch), &p->has);
	int_into(rows, 6, PROPS_SEQ, &p->seq, &p->has);
	text_into(rows, 7, PROPS_BOOT, p->boot, sizeof(p->boot), &p->has);
	text_into(rows, 8, PROPS_SESSION, p->session, sizeof(p->session), &p->has);
	int_into(rows, 9, PROPS_MONO, &p->mono_ns, &p->has);
	int_into(rows, 10, PROPS_SENT_MONO, &p->sent_mono_ns, &p->has);
	row.payload = db_blob(rows, 14, &row.len);
	*out = row;
}
