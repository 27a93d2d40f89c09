#include "server/alert/outbox.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/alert/outbox_sql.h"

#define BACKOFF_MIN_MS 1000
#define BACKOFF_MAX_MS (300 * 1000)
#define HOUR_MS        (3600 * HT_MS_PER_S)
#define NAMES_MAX      256 /* channels that one claim drops */

void outbox_row_fini(struct outbox_row *row)
{
	free(row->key);
	free(row->incident);
	free(row->kind);
	free(row->facts);
	free(row->announce_key);
	*row = (struct outbox_row){ 0 };
}

int64_t outbox_backoff_ms(int attempts, uint32_t random)
{
	int64_t whole = BACKOFF_MAX_MS;

	if (attempts < 1)
		attempts = 1;
	if (attempts < 9)
		whole = (int64_t)BACKOFF_MIN_MS << (attempts - 1);
	if (whole > BACKOFF_MAX_MS)
		whole = BACKOFF_MAX_MS;
	return whole / 2 + (int64_t)(random % (uint32_t)(whole / 2 + 1));
}

int64_t outbox_patience_ms(const char *kind)
{
	if (strcmp(kind, "test") == 0)
		return 0;
	if (strcmp(kind, "update") == 0 || strcmp(kind, "digest") == 0)
		return HOUR_MS;
	return 24 * HOUR_MS;
}

/* ── claiming ────────────────────────────────────────────────────────────────────── */

/* Rows of a channel that the file no longer has. */
static ht_err drop_homeless(struct db *db, struct outbox_claim *c)
{
	char *names[NAMES_MAX];
	char reason[160];
	size_t n = 0;
	struct db_rows *rows = db_start(db, &outbox_sql, OUTBOX_CHANNELS, "");
	ht_err err;

	while (!(err = db_next(rows)) && n < NAMES_MAX) {
		const char *name = db_text(rows, 0);

		if (channels_find(c->channels, name))
			continue;
		names[n] = strdup(name);
		if (!names[n++]) {
			n--;
			break;
		}
	}
	db_done(rows);
	err = err == HT_NOTFOUND || !err ? HT_OK : err;
	for (size_t i = 0; i < n; i++) {
		snprintf(reason, sizeof(reason),
		    "the channels file has no channel `%.64s`", names[i]);
		if (!err)
			err =
			    db_exec(db, &outbox_sql, OUTBOX_DROP, "ss", reason, names[i]);
		if (!err)
			c->dropped += db_changes(db);
		free(names[i]);
	}
	return err;
}

static bool is_busy(const struct outbox_claim *c, int64_t id)
{
	for (size_t i = 0; i < c->n_busy; i++) {
		if (c->busy[i] == id)
			return true;
	}
	return false;
}

static char *copy(const char *text, bool *nomem)
{
	char *made = text ? strdup(text) : NULL;

	*nomem |= text && !made;
	return made;
}

static ht_err read_row(struct outbox_claim *c, const struct db_rows *rows, size_t channel)
{
	struct outbox_row *row = &c->rows[c->n];
	bool nomem = false;

	*row = (struct outbox_row){
		.id = db_int(rows, 0),
		.key = copy(db_text(rows, 1), &nomem),
		.incident = copy(db_text(rows, 2), &nomem),
		.kind = copy(db_text(rows, 3), &nomem),
		.facts = copy(db_text(rows, 4), &nomem),
		.created_ms = db_int(rows, 5),
		.attempts = (int)db_int(rows, 6),
		.announce_key = copy(db_text(rows, 7), &nomem),
		.channel = &c->channels->at[channel],
	};
	c->n++;
	return nomem ? HT_NOMEM : HT_OK;
}

static ht_err claim_channel(struct db *db, struct outbox_claim *c, size_t channel)
{
	const char *id = c->channels->at[channel].id;
	ht_err err = db_exec(db, &outbox_sql, OUTBOX_OVERTAKEN, "ssi",
	    "a newer message of the incident says it too", id, c->now_ms);

	if (err || c->want[channel] == 0)
		return err;
	c->dropped += db_changes(db);
	struct db_rows *rows = db_start(
	    db, &outbox_sql, OUTBOX_DUE, "sii", id, c->now_ms, (int64_t)c->want[channel]);
	while (c->n < OUTBOX_CLAIM_MAX && !(err = db_next(rows))) {
		if (is_busy(c, db_int(rows, 0)))
			continue;
		err = read_row(c, rows, channel);
		if (err)
			break;
	}
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err read_next(struct db *db, struct outbox_claim *c)
{
	struct db_rows *rows = db_start(db, &outbox_sql, OUTBOX_NEXT, "i", c->now_ms);
	ht_err err = db_next(rows);

	if (!err)
		c->next_ms = db_int(rows, 0);
	db_done(rows);
	return err;
}

ht_err outbox_claim(struct db *db, struct outbox_claim *c)
{
	ht_err err = drop_homeless(db, c);

	if (!err && c->hurry)
		err = db_exec(db, &outbox_sql, OUTBOX_HURRY, "is", c->now_ms, NULL);
	for (size_t i = 0; i < c->channels->n && !err; i++)
		err = claim_channel(db, c, i);
	if (!err)
		err = read_next(db, c);
	while (err && c->n)
		outbox_row_fini(&c->rows[--c->n]);
	return err;
}

/* ── marking ─────────────────────────────────────────────────────────────────────── */

ht_err outbox_mark(struct db *db, const struct outbox_mark *m)
{
	bool sent = strcmp(m->state, "sent") == 0;
	ht_err err = db_exec(db, &outbox_sql, OUTBOX_MARK, "sisIi", m->state, m->due_ms,
	    m->error, sent ? m->now_ms : INT64_MIN, m->id);

	if (!err && m->channel)
		err = db_exec(db, &outbox_sql, OUTBOX_HURRY, "is", m->now_ms, m->channel);
	return err;
}

ht_err outbox_put_test(struct db *db, const char *channel, int64_t now_ms,
    uint64_t random, char key[static OUTBOX_KEY_MAX])
{
	static const char facts[] =
	    "{\"severity\":\"info\",\"title_vi\":\"Thử kênh báo tin của hatang\","
	    "\"title_en\":\"Test of a hatang channel\",\"text_vi\":\"Nếu bạn đọc được "
	    "tin này thì kênh hoạt động. Không có sự cố nào.\",\"text_en\":\"If you can "
	    "read this, the channel works. Nothing is wrong.\"}";

	snprintf(key, OUTBOX_KEY_MAX, "test/%s/test/%" PRId64 "-%08" PRIx64, channel,
	    now_ms, random & 0xffffffff);
	return db_exec(
	    db, &outbox_sql, OUTBOX_TEST_PUT, "sssi", key, channel, facts, now_ms);
}
