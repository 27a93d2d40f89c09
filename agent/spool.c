#include "agent/spool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "agent/sql.h"

#define PAGE_BYTES       4096
#define GAP_TRIM_CEILING 64 /* packs dropped in one transaction */
#define REST_MAX         64 /* ranges told of a broken file */

/* Numbers that lay in a broken file. */
struct rest {
	struct {
		char epoch[PROPS_HEX_LEN + 1], reason[SPOOL_REASON_MAX];
		int64_t first, last;
	} at[REST_MAX];
	size_t n;
	char epoch[PROPS_HEX_LEN + 1]; /* the present one, "": unknown */
	int64_t next_seq;
	bool has_present; /* packs of the present epoch are among them */
};

struct spool {
	struct sql sql;
	char *path;
	char fingerprint[SPOOL_FINGERPRINT_MAX];
	int64_t max_bytes, max_age_ns, max_pages;

	char epoch[PROPS_HEX_LEN + 1];
	int64_t next_seq, next_id, dropped;
	int64_t packs, bytes;

	/* Given up while the disk took nothing: one range of the present epoch, since
	 * numbers are given in order and the disk takes nothing in between. */
	int64_t lost_first, lost_last; /* 0 when there is none */
	char lost_reason[SPOOL_REASON_MAX];

	struct rest rest; /* of a broken file; not yet on record */
	bool rest_due;

	int64_t low_seq; /* lowest number of the present epoch that may still be here */
	int64_t failed;
	char corrupt[96];
};

/* State that a transaction changes and a rollback must give back. */
struct saved {
	char epoch[PROPS_HEX_LEN + 1];
	int64_t next_seq, next_id, dropped, packs, bytes, lost_first, lost_last;
};

static struct saved save(const struct spool *s)
{
	struct saved v = {
		.next_seq = s->next_seq,
		.next_id = s->next_id,
		.dropped = s->dropped,
		.packs = s->packs,
		.bytes = s->bytes,
		.lost_first = s->lost_first,
		.lost_last = s->lost_last,
	};

	memcpy(v.epoch, s->epoch, sizeof(v.epoch));
	return v;
}

static void restore(struct spool *s, const struct saved *v)
{
	memcpy(s->epoch, v->epoch, sizeof(s->epoch));
	s->next_seq = v->next_seq;
	s->next_id = v->next_id;
	s->dropped = v->dropped;
	s->packs = v->packs;
	s->bytes = v->bytes;
	s->lost_first = v->lost_first;
	s->lost_last = v->lost_last;
}

static ht_err make_epoch(char out[static PROPS_HEX_LEN + 1])
{
	uint64_t bits;

	if (getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits))
		return HT_IO;
	snprintf(out, PROPS_HEX_LEN + 1, "%016" PRIx64, bits);
	return HT_OK;
}

static int64_t cost(int64_t payload_len)
{
	return payload_len + SPOOL_PACK_OVERHEAD;
}

static void bind_text(sqlite3_stmt *st, int at, const char *text)
{
	sqlite3_bind_text(st, at, text, -1, SQLITE_STATIC);
}

static void column_text(sqlite3_stmt *st, int at, char *out, size_t cap)
{
	const char *text = (const char *)sqlite3_column_text(st, at);

	snprintf(out, cap, "%s", text ? text : "");
}

static ht_err run(struct spool *s, enum sql_stmt which)
{
	return sql_run(sql_get(&s->sql, which));
}

static void rollback(struct spool *s)
{
	/* SQLite may have rolled back by itself (disk full): that is no error then. */
	if (!sqlite3_get_autocommit(s->sql.db)) {
		ht_err err = run(s, SQL_ROLLBACK);
		(void)err;
	}
}

static ht_err state_write(struct spool *s, enum sql_stmt which)
{
	sqlite3_stmt *st = sql_get(&s->sql, which);

	bind_text(st, 1, s->epoch);
	bind_text(st, 2, s->fingerprint);
	sqlite3_bind_int64(st, 3, s->next_seq);
	sqlite3_bind_int64(st, 4, s->dropped);
	return sql_run(st);
}

/* ── Gaps ─────────────────────────────────────────────────────────────────────────── */

static ht_err gap_add(
    struct spool *s, const char *epoch, int64_t first, int64_t last, const char *reason)
{
	sqlite3_stmt *st = sql_get(&s->sql, SQL_GAP_EXTEND);

	sqlite3_bind_int64(st, 1, last);
	bind_text(st, 2, epoch);
	sqlite3_bind_int64(st, 3, first - 1);
	bind_text(st, 4, reason);
	ht_err err = sql_run(st);
	if (err || sqlite3_changes(s->sql.db) > 0)
		return err;

	st = sql_get(&s->sql, SQL_GAP_PUT);
	bind_text(st, 1, epoch);
	sqlite3_bind_int64(st, 2, first);
	sqlite3_bind_int64(st, 3, last);
	bind_text(st, 4, reason);
	return sql_run(st);
}

static ht_err gap_flush_lost(struct spool *s)
{
	if (!s->lost_first)
		return HT_OK;
	ht_err err = gap_add(s, s->epoch, s->lost_first, s->lost_last, s->lost_reason);
	if (!err)
		s->lost_first = s->lost_last = 0;
	return err;
}

/* Give the next number up; its pack never came to the disk. */
static void lose(struct spool *s, const char *reason)
{
	if (!s->lost_first) {
		s->lost_first = s->next_seq;
		snprintf(s->lost_reason, sizeof(s->lost_reason), "%s", reason);
	}
	s->lost_last = s->next_seq++;
	s->dropped++;
}

ht_err spool_gaps(struct spool *s, struct spool_gap *out, size_t cap, size_t *out_n)
{
	sqlite3_stmt *st = sql_get(&s->sql, SQL_GAP_WAITING);
	size_t n = 0;
	bool row = true;
	ht_err err = HT_OK;

	sqlite3_bind_int64(st, 1, (int64_t)cap);
	while (!(err = sql_step(st, &row)) && row) {
		out[n].id = sqlite3_column_int64(st, 0);
		out[n].last = sqlite3_column_int64(st, 3);
		snprintf(out[n].text, sizeof(out[n].text),
		    "%s:%" PRId64 "-%" PRId64 " %s",
		    (const char *)sqlite3_column_text(st, 1),
		    (int64_t)sqlite3_column_int64(st, 2),
		    (int64_t)sqlite3_column_int64(st, 3),
		    (const char *)sqlite3_column_text(st, 4));
		n++;
	}
	if (!err)
		*out_n = n;
	return err;
}

static ht_err gaps_carry(struct spool *s, const struct spool_entry *e, int64_t seq)
{
	for (size_t i = 0; i < e->n_gaps; i++) {
		sqlite3_stmt *st = sql_get(&s->sql, SQL_GAP_CARRY);
		bind_text(st, 1, s->epoch);
		sqlite3_bind_int64(st, 2, seq);
		sqlite3_bind_int64(st, 3, e->gaps[i].id);
		sqlite3_bind_int64(st, 4, e->gaps[i].last);
		ht_err err = sql_run(st);
		if (err)
			return err;
	}
	return HT_OK;
}

/* ── Bounds ───────────────────────────────────────────────────────────────────────── */

struct oldest {
	int64_t id, seq, mono_ns, wall_ms, len; /* wall_ms -1: the clock was free */
	char epoch[PROPS_HEX_LEN + 1];
	char boot[HT_BOOT_ID_LEN + 1];
};

static ht_err oldest_get(struct spool *s, struct oldest *out, bool *out_found)
{
	sqlite3_stmt *st = sql_get(&s->sql, SQL_PACK_OLDEST);
	ht_err err = sql_step(st, out_found);

	if (err || !*out_found)
		return err;
	out->id = sqlite3_column_int64(st, 0);
	column_text(st, 1, out->epoch, sizeof(out->epoch));
	out->seq = sqlite3_column_int64(st, 2);
	column_text(st, 3, out->boot, sizeof(out->boot));
	out->mono_ns = sqlite3_column_int64(st, 4);
	out->wall_ms = sqlite3_column_type(st, 5) == SQLITE_NULL
			   ? -1
			   : (int64_t)sqlite3_column_int64(st, 5);
	out->len = sqlite3_column_int64(st, 6);
	sqlite3_reset(st);
	return HT_OK;
}

/* Age by the clock that can tell it, else 0: then only the bytes bound it. */
static int64_t oldest_age_ns(const struct oldest *o, const struct spool_now *now)
{
	int64_t age = 0;

	if (strcmp(o->boot, now->boot) == 0)
		age = now->mono_ns - o->mono_ns;
	else if (now->synchronised && o->wall_ms >= 0)
		age = (now->wall_ms - o->wall_ms) * HT_NS_PER_MS;
	return age > 0 ? age : 0;
}

static ht_err drop(struct spool *s, const struct oldest *o, const char *reason)
{
	sqlite3_stmt *st = sql_get(&s->sql, SQL_PACK_DROP);

	sqlite3_bind_int64(st, 1, o->id);
	ht_err err = sql_run(st);
	if (err)
		return err;
	/* The gaps it would have reported must find another carrier. */
	st = sql_get(&s->sql, SQL_GAP_UNCARRY);
	bind_text(st, 1, o->epoch);
	sqlite3_bind_int64(st, 2, o->seq);
	err = sql_run(st);
	if (!err)
		err = gap_add(s, o->epoch, o->seq, o->seq, reason);
	if (!err) {
		s->packs--;
		s->bytes -= cost(o->len);
		s->dropped++;
	}
	return err;
}

/* Inside a transaction. */
static ht_err enforce(struct spool *s, const struct spool_now *now, int *out_dropped)
{
	int n = 0;
	ht_err err = HT_OK;

	while (!err && s->packs > 0 && n < GAP_TRIM_CEILING) {
		struct oldest o;
		bool found = false;
		err = oldest_get(s, &o, &found);
		if (err || !found)
			break;
		if (s->bytes > s->max_bytes && s->packs > 1)
			err = drop(s, &o, "spool-full");
		else if (oldest_age_ns(&o, now) > s->max_age_ns)
			err = drop(s, &o, "too-old");
		else
			break;
		n++;
	}
	*out_dropped = n;
	return err;
}

ht_err spool_trim(struct spool *s, const struct spool_now *now)
{
	struct saved before = save(s);
	int n = 0;
	ht_err err = run(s, SQL_BEGIN);

	if (!err)
		err = gap_flush_lost(s);
	if (!err)
		err = enforce(s, now, &n);
	if (!err)
		err = state_write(s, SQL_STATE_SET);
	if (!err)
		err = run(s, SQL_COMMIT);
	if (err) {
		s->failed++;
		rollback(s);
		restore(s, &before);
	}
	return err;
}

/* ── Opening ──────────────────────────────────────────────────────────────────────── */

/* `fingerprint` may be NULL. */
static ht_err state_row(struct spool *s, char *fingerprint, bool *out_found)
{
	sqlite3_stmt *st = sql_get(&s->sql, SQL_STATE_GET);
	ht_err err = sql_step(st, out_found);

	if (err || !*out_found)
		return err;
	column_text(st, 0, s->epoch, sizeof(s->epoch));
	if (fingerprint)
		column_text(st, 1, fingerprint, SPOOL_FINGERPRINT_MAX);
	s->next_seq = sqlite3_column_int64(st, 2);
	s->dropped = sqlite3_column_int64(st, 3);
	sqlite3_reset(st);
	return strlen(s->epoch) == PROPS_HEX_LEN && s->next_seq >= 1 ? HT_OK : HT_CORRUPT;
}

static ht_err state_read(struct spool *s, bool *out_found)
{
	char fingerprint[SPOOL_FINGERPRINT_MAX];
	ht_err err = state_row(s, fingerprint, out_found);

	/* A restored snapshot or a clone: its numbers may be in use elsewhere. */
	if (!err && *out_found && strcmp(fingerprint, s->fingerprint) != 0)
		err = spool_new_epoch(s);
	return err;
}

static ht_err state_begin(struct spool *s)
{
	ht_err err = make_epoch(s->epoch);

	s->next_seq = 1;
	s->dropped = 0;
	return err ? err : state_write(s, SQL_STATE_PUT);
}

static ht_err sums_read(struct spool *s)
{
	sqlite3_stmt *st = sql_get(&s->sql, SQL_PACK_SUM);
	bool row = false;
	ht_err err = sql_step(st, &row);

	if (err || !row)
		return err ? err : HT_CORRUPT;
	s->packs = sqlite3_column_int64(st, 0);
	s->bytes = sqlite3_column_int64(st, 1) + s->packs * SPOOL_PACK_OVERHEAD;
	int64_t max_id = sqlite3_column_int64(st, 2);
	if (s->next_id <= max_id)
		s->next_id = max_id + 1;
	sqlite3_reset(st);
	return HT_OK;
}

static ht_err limit_pages(struct spool *s)
{
	int64_t pages = s->max_pages;

	/* The bound in bytes is ours; this one holds even if our sums were wrong. */
	if (!pages)
		pages = s->max_bytes / PAGE_BYTES * 2 + 4096;
	return sql_limit_pages(&s->sql, pages);
}

static ht_err attach(struct spool *s, struct ht_fault *fault)
{
	bool found = false;
	ht_err err = sql_open(&s->sql, s->path, false, fault);

	if (err)
		return err;
	err = limit_pages(s);
	if (!err)
		err = state_read(s, &found);
	if (!err && !found)
		err = state_begin(s);
	if (!err)
		err = sums_read(s);
	if (err) {
		ht_fault_set(fault, err, "%s: %s", s->path, sqlite3_errmsg(s->sql.db));
		sql_close(&s->sql);
	}
	return err;
}

static void rename_suffixed(const char *path, const char *aside, const char *suffix)
{
	char from[4096], to[4096];

	snprintf(from, sizeof(from), "%s%s", path, suffix);
	snprintf(to, sizeof(to), "%s%s", aside, suffix);
	/* The log files may well be missing; the caller sees whether a new spool opens.
	 */
	int r = rename(from, to);
	(void)r;
}

static bool is_epoch(const char *text)
{
	return strlen(text) == PROPS_HEX_LEN &&
	       strspn(text, "0123456789abcdef") == PROPS_HEX_LEN;
}

static void rest_put(
    void *arg, const char *epoch, int64_t first, int64_t last, const char *reason)
{
	struct rest *r = arg;
	bool present = strcmp(epoch, r->epoch) == 0;

	if (present && !reason) {
		r->has_present = true;
		last = r->next_seq - 1;
	}
	if (r->n == REST_MAX || !is_epoch(epoch) || first < 1 || last < first)
		return;
	memcpy(r->at[r->n].epoch, epoch, PROPS_HEX_LEN + 1);
	snprintf(r->at[r->n].reason, SPOOL_REASON_MAX, "%s",
	    reason && strspn(reason, "abcdefghijklmnopqrstuvwxyz-") == strlen(reason)
		? reason
		: "corrupt");
	r->at[r->n].first = first;
	r->at[r->n++].last = last;
}

/* What we remember is newer than what the file says; a file that we never opened well is
 * all there is. */
static void rest_read(struct spool *s, struct rest *r)
{
	char epoch[PROPS_HEX_LEN + 1] = "";
	int64_t next_seq = 0;
	bool all = false;
	bool open_before = s->low_seq > 0;

	memset(r, 0, sizeof(*r));
	if (open_before) {
		memcpy(r->epoch, s->epoch, sizeof(r->epoch));
		r->next_seq = s->next_seq;
	} else if (!sql_state_of(s->path, epoch, sizeof(epoch), &next_seq) &&
		   is_epoch(epoch) && next_seq >= 1) {
		memcpy(r->epoch, epoch, sizeof(r->epoch));
		r->next_seq = next_seq;
	}
	if (!r->epoch[0])
		return;
	all = sql_ranges_of(s->path, rest_put, r);
	/* Some of it may have been acknowledged: rather too much than too little. */
	if (!all && !r->has_present)
		rest_put(
		    r, r->epoch, open_before ? s->low_seq : 1, r->next_seq - 1, NULL);
}

/* Without its numbers, one of the new epoch stands for all that was lost. */
static void rest_record(struct spool *s)
{
	const struct rest *r = &s->rest;
	struct saved before = save(s);
	ht_err err = run(s, SQL_BEGIN);

	if (!err && !r->epoch[0])
		lose(s, "corrupt-extent-unknown");
	if (!err)
		err = gap_flush_lost(s);
	for (size_t i = 0; i < r->n && !err; i++)
		err = gap_add(
		    s, r->at[i].epoch, r->at[i].first, r->at[i].last, r->at[i].reason);
	if (!err)
		err = state_write(s, SQL_STATE_SET);
	if (!err)
		err = run(s, SQL_COMMIT);
	if (err) {
		rollback(s);
		restore(s, &before);
	}
	s->rest_due = err != HT_OK; /* the next append tries again */
}

/* Keep the broken file for a person, and begin anew. */
static ht_err start_over(struct spool *s, int64_t wall_ms, struct ht_fault *fault)
{
	char aside[4096];

	sql_close(&s->sql);
	if (!s->rest_due)
		rest_read(s, &s->rest);
	s->rest_due = true;
	snprintf(aside, sizeof(aside), "%s.corrupt-%" PRId64, s->path, wall_ms);
	rename_suffixed(s->path, aside, "-wal");
	rename_suffixed(s->path, aside, "-shm");
	rename_suffixed(s->path, aside, "");
	const char *base = strrchr(aside, '/');
	snprintf(s->corrupt, sizeof(s->corrupt), "%.95s", base ? base + 1 : aside);
	s->lost_first = s->lost_last = 0;
	s->packs = s->bytes = s->low_seq = 0;
	ht_err err = attach(s, fault);
	if (!err)
		rest_record(s);
	return err;
}

ht_err spool_open(const struct spool_config *config, const struct spool_now *now,
    struct spool **out, struct ht_fault *fault)
{
	struct spool *s = calloc(1, sizeof(*s));
	ht_err err = HT_NOMEM;

	if (s)
		s->path = strdup(config->path);
	if (!s || !s->path)
		goto fail;
	snprintf(s->fingerprint, sizeof(s->fingerprint), "%s", config->fingerprint);
	s->max_bytes = config->max_bytes;
	s->max_age_ns = config->max_age_ns;
	s->max_pages = config->max_pages;
	s->next_id = 1;
	err = attach(s, fault);
	if (err == HT_CORRUPT)
		err = start_over(s, now->wall_ms, fault);
	if (!err) {
		*out = s;
		return HT_OK;
	}
fail:
	spool_close(s);
	return err;
}

ht_err spool_look(
    const char *path, bool check, struct spool **out, struct ht_fault *fault)
{
	struct spool *s = calloc(1, sizeof(*s));
	bool found = false;
	ht_err err = s ? sql_open(&s->sql, path, true, fault) : HT_NOMEM;

	if (!err && check)
		err = sql_check(&s->sql);
	if (!err)
		err = state_row(s, NULL, &found);
	if (!err)
		err = sums_read(s);
	if (err) {
		if (fault && !fault->text[0])
			ht_fault_set(fault, err, "%s: %s", path, ht_err_name(err));
		spool_close(s);
	} else {
		*out = s;
	}
	return err;
}

void spool_close(struct spool *s)
{
	if (!s)
		return;
	sql_close(&s->sql);
	free(s->path);
	free(s);
}

/* ── Appending ────────────────────────────────────────────────────────────────────── */

static ht_err pack_put(
    struct spool *s, const struct spool_entry *e, const struct spool_now *now)
{
	sqlite3_stmt *st = sql_get(&s->sql, SQL_PACK_PUT);

	sqlite3_bind_int64(st, 1, s->next_id);
	bind_text(st, 2, s->epoch);
	sqlite3_bind_int64(st, 3, s->next_seq);
	bind_text(st, 4, now->boot);
	bind_text(st, 5, e->session);
	sqlite3_bind_int64(st, 6, now->mono_ns);
	if (now->synchronised)
		sqlite3_bind_int64(st, 7, now->wall_ms);
	sqlite3_bind_int(st, 8, e->format);
	sqlite3_bind_blob64(st, 9, e->payload, e->len, SQLITE_STATIC);
	ht_err err = sql_run(st);
	if (!err)
		err = gaps_carry(s, e, s->next_seq);
	if (!err) {
		s->next_id++;
		s->next_seq++;
		s->packs++;
		s->bytes += cost((int64_t)e->len);
	}
	return err;
}

static ht_err memories_put(struct spool *s, const struct spool_entry *e)
{
	for (size_t i = 0; i < e->n_memories; i++) {
		const struct spool_memory *m = &e->memories[i];
		sqlite3_stmt *st =
		    sql_get(&s->sql, m->len ? SQL_MEMORY_PUT : SQL_MEMORY_FORGET);
		bind_text(st, 1, m->instance);
		if (m->len)
			sqlite3_bind_blob64(st, 2, m->bytes, m->len, SQLITE_STATIC);
		ht_err err = sql_run(st);
		if (err)
			return err;
	}
	return HT_OK;
}

static ht_err append_once(
    struct spool *s, const struct spool_entry *e, const struct spool_now *now)
{
	struct saved before = save(s);
	int n = 0;
	ht_err err = run(s, SQL_BEGIN);

	if (!err && e->overrun && e->payload)
		lose(s, "overrun");
	if (!err)
		err = gap_flush_lost(s);
	if (!err && e->payload)
		err = pack_put(s, e, now);
	if (!err)
		err = memories_put(s, e);
	if (!err)
		err = enforce(s, now, &n);
	if (!err)
		err = state_write(s, SQL_STATE_SET);
	if (!err)
		err = run(s, SQL_COMMIT);
	if (err) {
		rollback(s);
		restore(s, &before);
	}
	return err;
}

static const char *reason_of(ht_err err)
{
	return err == HT_FULL ? "disk-full" : err == HT_NOMEM ? "no-memory" : "io-error";
}

ht_err spool_append(
    struct spool *s, const struct spool_entry *e, const struct spool_now *now)
{
	if (!s->sql.db) {
		/* Starting over failed before (no space for a new file): try again. */
		ht_err err = attach(s, NULL);
		if (err)
			return err;
	}
	if (s->rest_due)
		rest_record(s);
	ht_err err = append_once(s, e, now);

	if (err == HT_FULL) {
		/* What the log holds goes into pages that exist already: that may be the
		 * space we need. */
		(void)sqlite3_wal_checkpoint_v2(
		    s->sql.db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
		err = append_once(s, e, now);
	}
	if (!err)
		return HT_OK;
	s->failed++;
	if (err == HT_CORRUPT) {
		err = start_over(s, now->wall_ms, NULL);
		if (!err)
			err = append_once(s, e, now);
		return err ? err : HT_CORRUPT;
	}
	if (e->payload)
		lose(s, reason_of(err));
	return err;
}

/* ── Acknowledging ────────────────────────────────────────────────────────────────── */

static ht_err ack_once(struct spool *s, const char *epoch, int64_t first, int64_t last)
{
	sqlite3_stmt *st = sql_get(&s->sql, SQL_PACK_ACK);
	bool row = false;
	ht_err err;

	bind_text(st, 1, epoch);
	sqlite3_bind_int64(st, 2, first);
	sqlite3_bind_int64(st, 3, last);
	while (!(err = sql_step(st, &row)) && row) {
		s->packs--;
		s->bytes -= cost(sqlite3_column_int64(st, 0));
	}
	if (err)
		return err;
	st = sql_get(&s->sql, SQL_GAP_FORGET);
	bind_text(st, 1, epoch);
	sqlite3_bind_int64(st, 2, first);
	sqlite3_bind_int64(st, 3, last);
	return sql_run(st);
}

static ht_err vacuum(struct spool *s)
{
	/* Rarely: when the spool has run empty after an outage. */
	if (s->packs > 0)
		return HT_OK;
	return sql_shrink(&s->sql);
}

ht_err spool_ack(struct spool *s, const char *epoch, int64_t first, int64_t last)
{
	struct saved before = save(s);

	if (!s->sql.db)
		return HT_CLOSED;
	if (strcmp(epoch, s->epoch) == 0 && last >= s->next_seq)
		return HT_RANGE;
	ht_err err = sql_sync(&s->sql, false);
	if (!err)
		err = run(s, SQL_BEGIN);
	if (!err)
		err = ack_once(s, epoch, first, last);
	if (!err)
		err = run(s, SQL_COMMIT);
	if (err) {
		s->failed++;
		rollback(s);
		restore(s, &before);
	} else {
		err = vacuum(s);
	}
	ht_err again = sql_sync(&s->sql, true);
	return err ? err : again;
}

ht_err spool_new_epoch(struct spool *s)
{
	struct saved before = save(s);
	char epoch[PROPS_HEX_LEN + 1];
	ht_err err = make_epoch(epoch);

	if (err)
		return err;
	err = run(s, SQL_BEGIN);
	if (!err)
		err = gap_flush_lost(s);
	if (!err) {
		memcpy(s->epoch, epoch, sizeof(s->epoch));
		s->next_seq = 1;
		s->dropped = 0;
		err = state_write(s, SQL_STATE_SET);
	}
	if (!err)
		err = run(s, SQL_COMMIT);
	if (err) {
		s->failed++;
		rollback(s);
		restore(s, &before);
	}
	return err;
}

/* ── Reading ──────────────────────────────────────────────────────────────────────── */

ht_err spool_fetch(struct spool *s, int64_t after, int64_t before, int max,
    size_t max_bytes, bool (*each)(void *arg, const struct spool_pack *pack), void *arg)
{
	if (!s->sql.db)
		return HT_CLOSED;
	sqlite3_stmt *st = sql_get(&s->sql, SQL_PACK_FETCH);
	size_t bytes = 0;
	bool row = false;
	ht_err err;

	sqlite3_bind_int64(st, 1, after);
	sqlite3_bind_int64(st, 2, before);
	sqlite3_bind_int(st, 3, max);
	while (!(err = sql_step(st, &row)) && row) {
		struct spool_pack p = { .id = sqlite3_column_int64(st, 0) };
		column_text(st, 1, p.epoch, sizeof(p.epoch));
		p.seq = sqlite3_column_int64(st, 2);
		column_text(st, 3, p.boot, sizeof(p.boot));
		column_text(st, 4, p.session, sizeof(p.session));
		p.mono_ns = sqlite3_column_int64(st, 5);
		p.format = sqlite3_column_int(st, 7);
		p.payload = sqlite3_column_blob(st, 8);
		p.len = (size_t)sqlite3_column_bytes(st, 8);
		bytes += p.len;
		if (bytes > max_bytes && bytes > p.len)
			break;
		if (!each(arg, &p))
			break;
	}
	sqlite3_reset(st);
	return err;
}

ht_err spool_memories(struct spool *s,
    void (*each)(void *arg, const struct spool_memory *memory), void *arg)
{
	sqlite3_stmt *st = sql_get(&s->sql, SQL_MEMORY_ALL);
	bool row = false;
	ht_err err;

	while (!(err = sql_step(st, &row)) && row) {
		struct spool_memory m = {
			.instance = (const char *)sqlite3_column_text(st, 0),
			.bytes = sqlite3_column_blob(st, 1),
			.len = (size_t)sqlite3_column_bytes(st, 1),
		};
		if (m.instance && m.len <= SPOOL_MEMORY_MAX)
			each(arg, &m);
	}
	return err;
}

static void gap_counts(struct spool *s, struct spool_stats *out)
{
	sqlite3_stmt *st = sql_get(&s->sql, SQL_GAP_COUNT);
	bool row = false;

	if (sql_step(st, &row) || !row)
		return;
	out->gaps = sqlite3_column_int64(st, 0);
	out->gaps_waiting = out->gaps - sqlite3_column_int64(st, 1);
	sqlite3_reset(st);
}

void spool_stats(struct spool *s, const struct spool_now *now, struct spool_stats *out)
{
	struct oldest o;
	bool found = false;

	memset(out, 0, sizeof(*out));
	memcpy(out->epoch, s->epoch, sizeof(out->epoch));
	memcpy(out->corrupt, s->corrupt, sizeof(out->corrupt));
	out->next_seq = s->next_seq;
	out->next_id = s->next_id;
	out->packs = s->packs;
	out->bytes = s->bytes;
	out->dropped = s->dropped;
	out->failed = s->failed;
	if (!s->sql.db)
		return;
	gap_counts(s, out);
	s->low_seq = s->next_seq;
	if (!oldest_get(s, &o, &found) && found) {
		out->oldest_age_ns = oldest_age_ns(&o, now);
		s->low_seq = strcmp(o.epoch, s->epoch) == 0 ? o.seq : 1;
	}
}
