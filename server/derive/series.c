/* Every number that was measured, in blocks of one series and one hour. */
#include <inttypes.h>
#include <math.h>

#include "base/log.h"
#include "server/derive/block.h"
#include "server/derive/folds.h"
#include "server/derive/sql.h"

static ht_err series_id(
    struct db *db, const char *agent, const struct fold_record *rec, int64_t *out)
{
	struct db_rows *r =
	    db_start(db, &derive_sql, DERIVE_SERIES_GET, "ss", agent, rec->name.family);
	ht_err err = db_next(r);

	if (!err)
		*out = db_int(r, 0);
	db_done(r);
	if (err != HT_NOTFOUND)
		return err;
	err = db_exec(db, &derive_sql, DERIVE_SERIES_PUT, "sss", agent, rec->name.family,
	    rec->senml->unit);
	if (!err)
		*out = db_last_id(db);
	return err;
}

static ht_err load(
    struct db *db, int64_t series, enum block_kind kind, int64_t at_ms, struct block *out)
{
	struct db_rows *r =
	    db_start(db, &derive_sql, DERIVE_BLOCK_GET, "ii", series, block_hour(at_ms));
	ht_err err = db_next(r);

	if (!err) {
		size_t len;
		const void *bytes = db_blob(r, 0, &len);

		err = block_decode(block_hour(at_ms), bytes, len, out);
		if (err == HT_MALFORMED)
			ht_log_error("series.corrupt",
			    "series=%" PRId64 " hour_ms=%" PRId64
			    " cure=\"the hour begins anew; `hatang-server refold series` "
			    "derives it from the journal again\"",
			    series, block_hour(at_ms));
	}
	if (err == HT_NOTFOUND || err == HT_MALFORMED) {
		block_init(out, kind, at_ms);
		err = HT_OK;
	}
	db_done(r);
	return err;
}

static ht_err save(struct db *db, int64_t series, const struct block *b)
{
	double min = NAN, max = NAN, sum = 0;
	struct ht_buf bytes;

	ht_buf_init(&bytes, BLOCK_BYTES_MAX);
	for (size_t i = 0; i < b->n; i++) {
		double v = block_number(b, i);

		min = fmin(min, v);
		max = fmax(max, v);
		sum += v;
	}
	ht_err err = block_encode(b, &bytes);
	if (!err)
		err = db_exec(db, &derive_sql, DERIVE_BLOCK_PUT, "iiidddb", series,
		    b->hour_ms, (int64_t)b->n, min, max, sum, bytes.data, bytes.len);
	ht_buf_fini(&bytes);
	return err;
}

static enum block_kind kind_of(const struct fold_record *rec)
{
	enum ht_kind kind =
	    rec->known ? ht_metric_info(rec->metric)->kind : rec->senml->kind;

	return kind == HT_COUNTER ? BLOCK_COUNTERS : BLOCK_DOUBLES;
}

static ht_err put(struct db *db, const char *agent, const struct fold_record *rec)
{
	enum block_kind kind = kind_of(rec);
	struct block_point p = { .at_ms = rec->at_ms, .rebased = rec->rebased };
	struct block b = { 0 };
	int64_t series;
	double number;

	if (!senml_number(rec->senml, &number))
		return HT_OK;
	ht_err err = series_id(db, agent, rec, &series);
	if (!err)
		err = load(db, series, kind, p.at_ms, &b);
	if (err)
		return err;
	if (b.kind != kind)
		block_to_doubles(&b);
	if (b.kind == BLOCK_COUNTERS)
		p.counter = rec->senml->counter;
	else
		p.number = number;
	err = block_put(&b, &p);
	if (!err)
		err = save(db, series, &b);
	else if (err == HT_FULL)
		err = HT_OK; /* more than two a second: the journal has them, the series
				not */
	block_fini(&b);
	return err;
}

static ht_err apply(struct db *db, const struct fold_input *in)
{
	ht_err err = HT_OK;

	for (size_t i = 0; i < in->n_records && !err; i++)
		err = put(db, in->row->agent, &in->records[i]);
	return err;
}

/* Series keep their ids: a bookmark on one survives a refold. */
static ht_err reset(struct db *db)
{
	return db_exec(db, &derive_sql, DERIVE_BLOCK_RESET, "");
}

const struct fold fold_series = {
	.name = "series",
	.version = 1,
	.sources = 1 << JOURNAL_AGENT,
	.apply = apply,
	.reset = reset,
	.bulk = true,
};
