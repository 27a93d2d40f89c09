/* The newest value of each name of each agent, by the time when it was measured. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "server/derive/folds.h"
#include "server/derive/sql.h"

static const char *const kinds[] = {
	[HT_NUMBER] = "number",
	[HT_COUNTER] = "counter",
	[HT_STRING] = "string",
	[HT_BOOL] = "boolean",
};

/* A number that came as a whole one is still a number when the table says so. */
static enum ht_kind kind_of(const struct fold_record *rec)
{
	return rec->known ? ht_metric_info(rec->metric)->kind : rec->senml->kind;
}

static ht_err put(
    struct db *db, const struct journal_row *row, const struct fold_record *rec)
{
	const struct senml_record *s = rec->senml;
	enum ht_kind kind = kind_of(rec);
	double number = NAN;
	char counter[24];

	if (kind == HT_NUMBER && !senml_number(s, &number))
		return HT_OK;
	if (kind == HT_COUNTER)
		snprintf(counter, sizeof(counter), "%" PRIu64, s->counter);
	return db_exec(db, &derive_sql, DERIVE_LATEST_PUT, "sssDssIsiiii", row->agent,
	    rec->name.family, kinds[kind], number, kind == HT_COUNTER ? counter : NULL,
	    kind == HT_STRING ? s->string : NULL,
	    kind == HT_BOOL ? (int64_t)s->boolean : INT64_MIN, s->unit, rec->at_ms,
	    rec->uncertainty_ms, (int64_t)rec->rebased, row->id);
}

static ht_err apply(struct db *db, const struct fold_input *in)
{
	ht_err err = HT_OK;

	for (size_t i = 0; i < in->n_records && !err; i++)
		err = put(db, in->row, &in->records[i]);
	return err;
}

static ht_err reset(struct db *db)
{
	return db_exec(db, &derive_sql, DERIVE_LATEST_RESET, "");
}

const struct fold fold_latest = {
	.name = "latest",
	.version = 1,
	.sources = 1 << JOURNAL_AGENT,
	.apply = apply,
	.reset = reset,
	.bulk = true,
};
