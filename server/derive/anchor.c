#include "server/derive/anchor.h"

#include <string.h>

#include "server/derive/folds.h"
#include "server/derive/sql.h"

static bool has(const struct journal_row *row, unsigned bits)
{
	return (row->props.has & bits) == bits;
}

static ht_err of_boot(
    struct db *db, const struct journal_row *row, struct dating_anchor *out)
{
	struct db_rows *r = db_start(db, &derive_sql, DERIVE_ANCHOR_OF_BOOT, "ssi",
	    row->agent, row->props.boot, row->id);
	ht_err err = db_next(r);

	*out = (struct dating_anchor){ 0 };
	if (!err)
		*out = (struct dating_anchor){ true, db_int(r, 0), db_int(r, 1),
			db_int(r, 2), db_int(r, 3) };
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* Is the pack's boot the one the agent runs in? Only then does sent_mono belong to it:
 * a pack left over from an earlier boot is sent by another clock. */
static ht_err sent_by_boot(struct db *db, const struct journal_row *row, bool *out)
{
	*out = row->props.sent_mono_ns >= row->props.mono_ns || !has(row, PROPS_MONO);
	if (!*out)
		return HT_OK;
	struct db_rows *r =
	    db_start(db, &derive_sql, DERIVE_BOOT_NOW, "si", row->agent, row->id);
	ht_err err = db_next(r);
	if (!err)
		*out = strcmp(db_text(r, 0), row->props.boot) == 0;
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* A row that shows what a boot's clock was when it was sent: presence, or a pack. */
static ht_err sighting(struct db *db, const struct journal_row *row,
    const struct dating_anchor *have, bool *out_new, struct dating_anchor *out)
{
	bool ours = true;

	*out_new = false;
	if (!has(row, PROPS_BOOT | PROPS_SENT_MONO))
		return HT_OK;
	if (row->source == JOURNAL_AGENT) {
		ht_err err = sent_by_boot(db, row, &ours);
		if (err)
			return err;
	}
	if (ours)
		*out_new =
		    dating_sight(have, row->props.sent_mono_ns, row->received_ms, out);
	return HT_OK;
}

/* The boot after this one: the first that sent a later pack of the epoch, else the
 * newest. */
static ht_err next_boot(struct db *db, const struct journal_row *row, char *boot,
    size_t cap, int64_t *out_start_ms)
{
	ht_err err = HT_NOTFOUND;
	struct db_rows *r = NULL;

	if (has(row, PROPS_EPOCH | PROPS_SEQ)) {
		r = db_start(db, &derive_sql, DERIVE_BOOT_NEXT_BY_SEQ, "sssii",
		    row->agent, row->props.boot, row->props.epoch, row->props.seq,
		    row->id);
		err = db_next(r);
	}
	if (err == HT_NOTFOUND) {
		db_done(r);
		r = db_start(db, &derive_sql, DERIVE_BOOT_LAST, "ssi", row->agent,
		    row->props.boot, row->id);
		err = db_next(r);
	}
	if (!err) {
		const char *text = db_text(r, 0);

		if (strlen(text) >= cap)
			err = HT_CORRUPT;
		else
			memcpy(boot, text, strlen(text) + 1);
		*out_start_ms = db_int(r, 1);
	}
	db_done(r);
	return err;
}

static ht_err bounds(struct db *db, const struct journal_row *row, struct dating_pack *p)
{
	char boot[HT_BOOT_ID_LEN + 1];
	int64_t start_ms;
	ht_err err = next_boot(db, row, boot, sizeof(boot), &start_ms);

	if (err)
		return err == HT_NOTFOUND ? HT_OK : err;
	p->bounded = true;
	p->high_ms = start_ms;
	p->low_ms = start_ms - DATING_SPOOL_MS;
	struct db_rows *r =
	    db_start(db, &derive_sql, DERIVE_SEEN_BEFORE, "ss", row->agent, boot);
	err = db_next(r);
	if (!err && db_int(r, 0) > p->low_ms)
		p->low_ms = db_int(r, 0);
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

ht_err anchor_pack(struct db *db, const struct journal_row *row, struct dating_pack *out)
{
	struct dating_pack p = {
		.received_ms = row->received_ms,
		.live = row->lane != JOURNAL_HIST,
		.has_mono = has(row, PROPS_MONO | PROPS_BOOT),
		.mono_ns = row->props.mono_ns,
	};
	ht_err err = HT_OK;

	if (has(row, PROPS_BOOT)) {
		struct dating_anchor newer;
		bool is_new = false;

		err = of_boot(db, row, &p.anchor);
		if (!err)
			err = sighting(db, row, &p.anchor, &is_new, &newer);
		if (!err && is_new)
			p.anchor = newer;
		if (!err && !p.anchor.known && p.has_mono)
			err = bounds(db, row, &p);
	}
	if (!err)
		*out = p;
	return err;
}

static ht_err apply(struct db *db, const struct fold_input *in)
{
	const struct journal_row *row = in->row;
	struct dating_anchor have, next;
	bool is_new;

	if (!row->agent || !has(row, PROPS_BOOT | PROPS_SENT_MONO))
		return HT_OK;
	ht_err err = of_boot(db, row, &have);
	if (!err)
		err = sighting(db, row, &have, &is_new, &next);
	if (err || !is_new)
		return err;
	bool key = has(row, PROPS_EPOCH | PROPS_SEQ) && row->source == JOURNAL_AGENT;
	return db_exec(db, &derive_sql, DERIVE_ANCHOR_PUT, "ssiiiiissI", row->agent,
	    row->props.boot, row->id, next.offset_ms, next.at_ms, next.mono_ns,
	    next.floor_ms, row->source == JOURNAL_SERVER ? "presence" : "pack",
	    key ? row->props.epoch : NULL, key ? row->props.seq : INT64_MIN);
}

static ht_err reset(struct db *db)
{
	return db_exec(db, &derive_sql, DERIVE_ANCHOR_RESET, "");
}

const struct fold fold_anchor = {
	.name = "anchor",
	.version = 1,
	.sources = 1 << JOURNAL_AGENT | 1 << JOURNAL_SERVER,
	.apply = apply,
	.reset = reset,
};
