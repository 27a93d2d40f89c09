/* fold_smoke: the histograms of round trips that the probes reach and icmp send, merged
 * by quarters of an hour. Bulk: nobody waits for it. */
#include "server/derive/smoke.h"

#include <math.h>
#include <string.h>

#include "base/hist.h"
#include "base/log.h"
#include "server/derive/facts_sql.h"
#include "server/derive/folds.h"
#include "server/derive/path_sql.h"

enum { NEAR_MAX = 64 }; /* records of one round stand together */

struct round {
	const char *link;
	int64_t at_ms;
	double sent, received;
	struct ht_hist hist;
};

static ht_err may_measure(
    struct db *db, const struct fold_input *in, const char *link, bool *out)
{
	struct db_rows *r =
	    db_start(db, &facts_sql, FACTS_LINK_MAY_MEASURE, "ss", in->row->agent, link);
	ht_err err = db_next(r);

	*out = !err;
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* How many were sent and answered: of the same probe, link and time. */
static void take_counts(const struct fold_input *in, size_t i, struct round *r)
{
	const struct fold_record *rec = &in->records[i];
	bool reach = rec->metric == HT_M_REACH_RTT_HISTOGRAM;
	enum ht_metric sent = reach ? HT_M_REACH_SENT : HT_M_ICMP_SENT,
		       received = reach ? HT_M_REACH_RECEIVED : HT_M_ICMP_RECEIVED;

	r->sent = r->received = (double)ht_hist_count(&r->hist);
	for (size_t k = i > NEAR_MAX ? i - NEAR_MAX : 0;
	     k < in->n_records && k < i + NEAR_MAX; k++) {
		const struct fold_record *other = &in->records[k];
		double v;

		if (!other->known || other->at_ms != rec->at_ms ||
		    (other->metric != sent && other->metric != received) ||
		    strcmp(other->instance, rec->instance) != 0 ||
		    !senml_number(other->senml, &v) || !(v >= 0 && v < 1e9))
			continue;
		if (other->metric == sent)
			r->sent = v;
		else
			r->received = v;
	}
}

/* HT_NOTFOUND: there is none yet. */
static ht_err part_merge(struct db *db, const struct fold_input *in, int64_t from_ms,
    struct round *r, bool *out_held)
{
	struct db_rows *rows = db_start(
	    db, &path_sql, PATH_SQL_PART_GET, "sis", r->link, from_ms, in->row->agent);
	ht_err err = db_next(rows);

	*out_held = !err && db_int(rows, 3) >= in->row->id;
	if (!err && !*out_held) {
		struct ht_hist before;
		const char *text = db_text(rows, 2);

		r->sent += (double)db_int(rows, 0);
		r->received += (double)db_int(rows, 1);
		if (!ht_hist_decode(text, strlen(text), &before))
			ht_hist_merge(&r->hist, &before);
		else
			ht_log_error("smoke.corrupt",
			    "link=%s cure=\"the quarter begins "
			    "anew\"",
			    r->link);
	}
	db_done(rows);
	return err;
}

static ht_err part_add(struct db *db, const struct fold_input *in, struct round *r)
{
	int64_t from_ms = r->at_ms - r->at_ms % SMOKE_PART_MS;
	char text[HT_HIST_TEXT];
	bool held;

	if (r->at_ms < in->row->received_ms - SMOKE_KEEP_MS)
		return HT_OK;
	ht_err err = part_merge(db, in, from_ms, r, &held);
	if (err == HT_NOTFOUND) /* once a quarter */
		err = db_exec(db, &path_sql, PATH_SQL_PARTS_PRUNE, "si", r->link,
		    in->row->received_ms - SMOKE_KEEP_MS);
	if (err || held)
		return err;
	ht_hist_encode(&r->hist, text);
	return db_exec(db, &path_sql, PATH_SQL_PART_PUT, "sisiisi", r->link, from_ms,
	    in->row->agent, (int64_t)llround(r->sent), (int64_t)llround(r->received),
	    text, in->row->id);
}

static ht_err fold_round(struct db *db, const struct fold_input *in, size_t i)
{
	const struct fold_record *rec = &in->records[i];
	const char *text = rec->senml->string;
	int64_t received_ms = in->row->received_ms;
	struct round r = { .link = rec->instance,
		.at_ms = rec->at_ms > received_ms ? received_ms : rec->at_ms };
	bool may;
	ht_err err = may_measure(db, in, rec->instance, &may);

	if (err || !may || ht_hist_decode(text, strlen(text), &r.hist))
		return err;
	take_counts(in, i, &r);
	return part_add(db, in, &r);
}

static ht_err apply(struct db *db, const struct fold_input *in)
{
	ht_err err = HT_OK;

	for (size_t i = 0; i < in->n_records && !err; i++) {
		const struct fold_record *rec = &in->records[i];

		if (rec->known && (rec->metric == HT_M_REACH_RTT_HISTOGRAM ||
				      rec->metric == HT_M_ICMP_RTT_HISTOGRAM))
			err = fold_round(db, in, i);
	}
	return err;
}

/* A part whose first rows are gone stays as it is, and takes only what it lacks. */
static ht_err reset(struct db *db)
{
	ht_err err = db_exec(db, &path_sql, PATH_SQL_PARTS_RESET, "");

	return err ? err : db_exec(db, &path_sql, PATH_SQL_PARTS_HOLD, "");
}

const struct fold fold_smoke = {
	.name = "smoke",
	.version = 1,
	.sources = 1u << JOURNAL_AGENT,
	.apply = apply,
	.reset = reset,
	.bulk = true,
	.alone = true,
};
