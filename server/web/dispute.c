#include "server/web/dispute.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/derive/block.h"
#include "server/web/ledger_sql.h"
#include "server/web/sql.h"
#include "server/web/value.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   INT64_C(3600000)

enum { GRAPH_MAX = 240, GRAPH_LEAST = 10 };

static const char *keep(struct dispute *d, const struct db_rows *rows, int column)
{
	return arena_text(&d->arena, db_text(rows, column));
}

/* ── the outage itself ── */

/* Columns of LEDGER_SQL_DISPUTE. */
enum {
	D_LINK,
	D_AGENCY,
	D_AGENCY_NAME,
	D_PROVIDER,
	D_STATE,
	D_ROOT,
	D_CAUSE,
	D_REASON,
	D_START,
	D_START_U,
	D_END,
	D_END_U,
	D_EDGE_AGENT,
	D_EDGE_START,
	D_EDGE_START_U,
	D_EDGE_END,
	D_EDGE_END_U,
	D_TICKET,
	D_NOTE,
	D_ROLE,
	D_KIND,
	D_LINE,
	D_ROUTER,
	D_DOWN,
	D_UP
};

static void outage_read(struct dispute *d, const struct db_rows *rows)
{
	const struct {
		const char **to;
		int column;
	} texts[] = {
		{ &d->link, D_LINK },
		{ &d->agency, D_AGENCY },
		{ &d->agency_name, D_AGENCY_NAME },
		{ &d->provider, D_PROVIDER },
		{ &d->state, D_STATE },
		{ &d->root, D_ROOT },
		{ &d->cause, D_CAUSE },
		{ &d->cause_reason, D_REASON },
		{ &d->edge.agent, D_EDGE_AGENT },
		{ &d->ticket, D_TICKET },
		{ &d->note, D_NOTE },
		{ &d->role, D_ROLE },
		{ &d->kind, D_KIND },
		{ &d->line_type, D_LINE },
		{ &d->router, D_ROUTER },
	};
	const struct {
		int64_t *to;
		int column;
	} numbers[] = {
		{ &d->estimate.start_ms, D_START },
		{ &d->estimate.start_u_ms, D_START_U },
		{ &d->estimate.end_ms, D_END },
		{ &d->estimate.end_u_ms, D_END_U },
		{ &d->edge.start_ms, D_EDGE_START },
		{ &d->edge.start_u_ms, D_EDGE_START_U },
		{ &d->edge.end_ms, D_EDGE_END },
		{ &d->edge.end_u_ms, D_EDGE_END_U },
		{ &d->down_bps, D_DOWN },
		{ &d->up_bps, D_UP },
	};

	for (size_t i = 0; i < HT_COUNT(texts); i++)
		*texts[i].to = keep(d, rows, texts[i].column);
	for (size_t i = 0; i < HT_COUNT(numbers); i++)
		*numbers[i].to = value_time(rows, numbers[i].column);
	d->start_ms =
	    d->edge.start_ms == DISPUTE_NONE ? d->estimate.start_ms : d->edge.start_ms;
	d->end_ms = d->estimate.end_ms == DISPUTE_NONE || d->edge.end_ms == DISPUTE_NONE
			? d->estimate.end_ms
			: d->edge.end_ms;
}

static ht_err outage_get(struct request *rq, struct dispute *d)
{
	struct db_rows *rows = db_start(
	    rq->db, &ledger_sql, LEDGER_SQL_DISPUTE, "ss", d->id, http_scope(rq));
	ht_err err = db_next(rows);

	if (!err)
		outage_read(d, rows);
	db_done(rows);
	return err;
}

/* ── maintenance ── */

static ht_err windows_get(struct request *rq, struct dispute *d)
{
	int64_t end = d->end_ms == DISPUTE_NONE ? d->generated_ms : d->end_ms;
	int64_t counted_to = d->start_ms; /* windows come by their begin */
	struct db_rows *rows = db_start(rq->db, &ledger_sql, LEDGER_SQL_DISPUTE_WINDOWS,
	    "siii", d->link, d->start_ms, end, (int64_t)DISPUTE_WINDOWS);
	ht_err err = HT_OK;

	while (d->n_windows < DISPUTE_WINDOWS && !(err = db_next(rows))) {
		struct dispute_window *w = &d->windows[d->n_windows++];

		*w = (struct dispute_window){ keep(d, rows, 0), keep(d, rows, 1),
			keep(d, rows, 4), keep(d, rows, 5), db_int(rows, 2),
			db_int(rows, 3), db_int(rows, 6), 0 };
		int64_t from = w->from_ms > d->start_ms ? w->from_ms : d->start_ms;
		int64_t to = w->to_ms < end ? w->to_ms : end;
		w->overlap_ms = to > from ? to - from : 0;
		from = from > counted_to ? from : counted_to;
		if (to > from) {
			d->maintenance_ms += to - from;
			counted_to = to;
		}
	}
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* ── evidence ── */

static ht_err rows_get(struct request *rq, struct dispute *d)
{
	struct db_rows *rows = db_start(rq->db, &ledger_sql, LEDGER_SQL_DISPUTE_ROWS,
	    "si", d->id, (int64_t)DISPUTE_ROWS);
	ht_err err = HT_OK;

	while (d->n_rows < DISPUTE_ROWS && !(err = db_next(rows))) {
		struct dispute_row *r = &d->rows[d->n_rows++];
		const void *payload = db_blob(rows, 4, &r->bytes);

		r->journal_id = db_int(rows, 0);
		r->agent = keep(d, rows, 1);
		r->kind = keep(d, rows, 2);
		r->received_ms = db_int(rows, 3);
		crypto_hash_sha256(r->hash, payload ? payload : "", r->bytes);
	}
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err changes_get(struct request *rq, struct dispute *d)
{
	struct db_rows *rows = db_start(rq->db, &ledger_sql, LEDGER_SQL_DISPUTE_CHANGES,
	    "ssiii", d->link, d->agency, d->from_ms, d->to_ms, (int64_t)DISPUTE_CHANGES);
	ht_err err = HT_OK;

	while (d->n_changes < DISPUTE_CHANGES && !(err = db_next(rows)))
		d->changes[d->n_changes++] =
		    (struct dispute_change){ keep(d, rows, 0), keep(d, rows, 1),
			    db_int(rows, 2), db_int(rows, 3), db_int(rows, 4) };
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* ── graphs ── */

/* As much before and after as shows how it was, at least ten minutes, at most six hours.
 */
static void range_set(struct dispute *d)
{
	int64_t end = d->end_ms == DISPUTE_NONE ? d->generated_ms : d->end_ms;
	int64_t around = (end - d->start_ms) / 2;

	around = around < 10 * MINUTE_MS ? 10 * MINUTE_MS : around;
	around = around > 6 * HOUR_MS ? 6 * HOUR_MS : around;
	d->from_ms = (d->start_ms - around) / MINUTE_MS * MINUTE_MS;
	d->to_ms = (end + around) / MINUTE_MS * MINUTE_MS;
	if (d->to_ms > d->generated_ms)
		d->to_ms = d->generated_ms;
	if (d->to_ms <= d->from_ms)
		d->to_ms = d->from_ms + MINUTE_MS;
}

static ht_err buckets_fill(
    struct request *rq, int64_t series, const struct dispute *d, struct buckets *b)
{
	struct db_rows *rows = db_start(rq->db, &web_sql, WEB_SQL_BLOCKS, "iii", series,
	    block_hour(d->from_ms), d->to_ms);
	ht_err err;

	while (!(err = db_next(rows))) {
		struct block block = { 0 };
		size_t len;
		const void *bytes = db_blob(rows, 5, &len);

		/* A block that cannot be read leaves a gap. */
		if (!block_decode(db_int(rows, 0), bytes, len, &block)) {
			for (size_t i = 0; i < block.n; i++)
				buckets_put(
				    b, block.points[i].at_ms, block_number(&block, i));
		}
		block_fini(&block);
	}
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err buckets_new(const struct dispute *d, struct buckets **out)
{
	int64_t minutes = (d->to_ms - d->from_ms) / MINUTE_MS;
	size_t n = minutes > GRAPH_MAX     ? GRAPH_MAX
		   : minutes < GRAPH_LEAST ? GRAPH_LEAST
					   : (size_t)minutes;
	struct buckets *b = malloc(sizeof(*b));
	ht_err err = b ? buckets_init(b, d->from_ms, d->to_ms, n) : HT_NOMEM;

	if (err)
		free(b);
	else
		*out = b;
	return err;
}

static ht_err series_read(
    struct request *rq, const struct dispute *d, int64_t series, struct buckets **out)
{
	struct buckets *b = NULL;
	ht_err err = buckets_new(d, &b);

	if (!err)
		err = buckets_fill(rq, series, d, b);
	if (err)
		free(b);
	else
		*out = b;
	return err;
}

/* sent becomes the share of sent that was not received. */
static void to_loss(struct buckets *sent, const struct buckets *received)
{
	for (size_t i = 0; i < sent->n && i < received->n; i++) {
		struct bucket *s = &sent->at[i];
		double got = received->at[i].n ? received->at[i].sum : 0;

		if (!s->n || s->sum <= 0) {
			s->n = 0;
			continue;
		}
		double loss = got < s->sum ? 1 - got / s->sum : 0;
		*s = (struct bucket){ loss, loss, loss, 1 };
	}
}

static ht_err graph_put(struct request *rq, struct dispute *d, const struct db_rows *rows)
{
	bool counted = !db_is_null(rows, 4);
	struct dispute_graph g = { .agent = keep(d, rows, 1),
		.name = keep(d, rows, 2),
		.edge = db_int(rows, 3) == 0,
		.loss = counted || db_int(rows, 5) != 0 };
	struct buckets *received = NULL;
	ht_err err = series_read(rq, d, db_int(rows, 0), &g.buckets);

	if (!err && counted)
		err = series_read(rq, d, db_int(rows, 4), &received);
	if (!err && counted)
		to_loss(g.buckets, received);
	free(received);
	size_t filled = 0;
	for (size_t i = 0; !err && i < g.buckets->n; i++)
		filled += g.buckets->at[i].n > 0;
	if (filled)
		d->graphs[d->n_graphs++] = g;
	else
		free(g.buckets);
	return err;
}

static ht_err graphs_get(struct request *rq, struct dispute *d)
{
	struct db_rows *rows = db_start(
	    rq->db, &ledger_sql, LEDGER_SQL_DISPUTE_SERIES, "ss", d->link, d->agency);
	ht_err err = HT_OK;

	while (d->n_graphs < DISPUTE_GRAPHS && !(err = db_next(rows))) {
		err = graph_put(rq, d, rows);
		if (err)
			break;
	}
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* ── the whole ── */

ht_err dispute_gather(
    struct request *rq, const char *id, int offset_min, struct dispute **out)
{
	static ht_err (*const parts[])(struct request * rq,
	    struct dispute * d) = { windows_get, rows_get, changes_get, graphs_get };
	struct dispute *d = calloc(1, sizeof(*d));

	if (!d)
		return HT_NOMEM;
	d->generated_ms = rq->now_ms;
	d->offset_min = offset_min;
	d->id = arena_text(&d->arena, id);
	ht_err err = d->id ? outage_get(rq, d) : HT_NOMEM;
	if (!err)
		range_set(d);
	for (size_t i = 0; i < HT_COUNT(parts) && !err; i++)
		err = parts[i](rq, d);
	if (err)
		dispute_free(d);
	else
		*out = d;
	return err;
}

void dispute_free(struct dispute *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n_graphs; i++)
		free(d->graphs[i].buckets);
	arena_fini(&d->arena);
	free(d);
}
