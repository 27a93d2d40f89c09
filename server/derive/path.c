/* fold_path: over which network each link was seen to run, from when to when, and whether
 * inside addresses answer over it (tcp, http and dns probes whose id is the link's). */
#include <string.h>

#include "server/derive/facts_sql.h"
#include "server/derive/folds.h"
#include "server/derive/link_view.h"
#include "server/derive/path_span.h"
#include "server/derive/path_sql.h"

enum { SEEN_MAX = 256 };

static int64_t time_of(const struct fold_input *in, const struct fold_record *rec)
{
	return rec->at_ms > in->row->received_ms ? in->row->received_ms : rec->at_ms;
}

static ht_err may_measure(struct db *db, const struct fold_input *in, const char *link,
    char agency[static HT_ID_MAX + 1])
{
	struct db_rows *r =
	    db_start(db, &facts_sql, FACTS_LINK_MAY_MEASURE, "ss", in->row->agent, link);
	ht_err err = db_next(r);

	if (!err)
		text_copy(agency, HT_ID_MAX + 1, db_text(r, 0));
	db_done(r);
	return err;
}

/* ── paths ───────────────────────────────────────────────────────────────────────── */

static const char *network_of(const char *said)
{
	static const char *const known[] = { "province-wan", "government-wan",
		"internet" };

	for (size_t i = 0; i < HT_COUNT(known); i++) {
		if (strcmp(said, known[i]) == 0)
			return known[i];
	}
	return "unknown";
}

static void take(struct path_trace *t, const struct fold_record *rec)
{
	const char *text = rec->senml->string;

	switch (rec->metric) {
	case HT_M_PATH_STATUS:
		t->reached = strcmp(text, "ok") == 0;
		break;
	case HT_M_PATH_TARGET:
		text_copy(t->target, sizeof(t->target), text);
		break;
	case HT_M_PATH_TRACE:
		text_copy(t->hops, sizeof(t->hops), text);
		break;
	case HT_M_PATH_NETWORK:
		text_copy(t->network, sizeof(t->network), network_of(text));
		break;
	case HT_M_PATH_REASON:
		text_copy(t->reason, sizeof(t->reason), text);
		break;
	default:
		break;
	}
}

static bool is_path(const struct fold_record *rec)
{
	return rec->known && rec->metric >= HT_M_PATH_STATUS &&
	       rec->metric <= HT_M_PATH_REASON;
}

static ht_err fold_trace(
    struct db *db, const struct fold_input *in, const struct path_trace *t)
{
	char agency[HT_ID_MAX + 1];
	ht_err err = may_measure(db, in, t->link, agency);

	if (err)
		return err == HT_NOTFOUND ? HT_OK : err;
	err = path_span_put(db, in, t);
	return err ? err : facts_index_dirty(db, agency, in->row->received_ms);
}

/* All records of one trace have its link and its time; each is folded at its first. */
static ht_err fold_traces(struct db *db, const struct fold_input *in)
{
	ht_err err = HT_OK;

	for (size_t i = 0; i < in->n_records && !err; i++) {
		const struct fold_record *rec = &in->records[i];

		if (!is_path(rec) || rec->metric != HT_M_PATH_STATUS)
			continue;
		struct path_trace t = { .link = rec->instance,
			.at_ms = time_of(in, rec),
			.network = "unknown" };
		size_t from = i > SEEN_MAX ? i - SEEN_MAX : 0;
		for (size_t k = from; k < in->n_records && k < i + SEEN_MAX; k++) {
			const struct fold_record *other = &in->records[k];

			if (is_path(other) && other->at_ms == rec->at_ms &&
			    strcmp(other->instance, rec->instance) == 0)
				take(&t, other);
		}
		err = fold_trace(db, in, &t);
	}
	return err;
}

/* ── inside addresses ────────────────────────────────────────────────────────────── */

static const struct {
	const char *probe;
	enum ht_metric status, target;
} inside[] = {
	{ "tcp", HT_M_TCP_STATUS, HT_M_TCP_TARGET },
	{ "http", HT_M_HTTP_STATUS, HT_M_HTTP_URL },
	{ "dns", HT_M_DNS_STATUS, HT_M_DNS_SERVER },
};

static const char *target_of(
    const struct fold_input *in, const struct fold_record *rec, enum ht_metric target)
{
	for (size_t i = 0; i < in->n_records; i++) {
		const struct fold_record *other = &in->records[i];

		if (other->known && other->metric == target &&
		    other->at_ms == rec->at_ms &&
		    strcmp(other->instance, rec->instance) == 0)
			return other->senml->string;
	}
	return NULL;
}

static ht_err fold_answer(struct db *db, const struct fold_input *in,
    const struct fold_record *rec, size_t which)
{
	char agency[HT_ID_MAX + 1];
	int64_t at_ms = time_of(in, rec);
	bool ok = strcmp(rec->senml->string, "ok") == 0;
	ht_err err = may_measure(db, in, rec->instance, agency);

	if (err)
		return err == HT_NOTFOUND ? HT_OK : err; /* a probe of another name */
	err = db_exec(db, &path_sql, PATH_SQL_INSIDE_PUT, "sssiIssi", rec->instance,
	    in->row->agent, inside[which].probe, at_ms, ok ? at_ms : INT64_MIN,
	    rec->senml->string, target_of(in, rec, inside[which].target), in->row->id);
	return err ? err : facts_index_dirty(db, agency, in->row->received_ms);
}

static ht_err fold_answers(struct db *db, const struct fold_input *in)
{
	ht_err err = HT_OK;

	for (size_t i = 0; i < in->n_records && !err; i++) {
		for (size_t k = 0; k < HT_COUNT(inside) && !err; k++) {
			if (in->records[i].known &&
			    in->records[i].metric == inside[k].status)
				err = fold_answer(db, in, &in->records[i], k);
		}
	}
	return err;
}

static ht_err apply(struct db *db, const struct fold_input *in)
{
	ht_err err = fold_traces(db, in);

	return err ? err : fold_answers(db, in);
}

static ht_err reset(struct db *db)
{
	ht_err err = db_exec(db, &path_sql, PATH_SQL_CUT, "");

	if (!err)
		err = db_exec(db, &path_sql, PATH_SQL_RESET, "");
	return err ? err : db_exec(db, &path_sql, PATH_SQL_INSIDE_RESET, "");
}

const struct fold fold_path = {
	.name = "path",
	.version = 1,
	.sources = 1u << JOURNAL_AGENT,
	.apply = apply,
	.reset = reset,
	.bulk = true,
	.alone = true,
};
