#include "server/derive/bandwidth_hour.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "server/derive/bandwidth_sql.h"
#include "server/derive/link_view.h"

static int64_t min64(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* A refold comes by rows that the hour holds already. */
static bool has_it(const struct bandwidth_hour *t)
{
	return t->last_id >= t->row_id;
}

ht_err bandwidth_hour_save(struct bandwidth_hour *t)
{
	uint8_t bytes[USAGE_BYTES_MAX];

	if (t->hour_ms == INT64_MIN || has_it(t))
		return HT_OK;
	size_t len = usage_encode(&t->h, bytes);
	return db_exec(t->db, &bandwidth_sql, BANDWIDTH_SQL_HOUR_PUT, "sisbii", t->link,
	    t->hour_ms, t->agent, bytes, len, t->first_id, t->row_id);
}

static void take_bytes(struct bandwidth_hour *t, const struct db_rows *r)
{
	size_t len;
	const void *bytes = db_blob(r, 0, &len);

	t->first_id = db_int(r, 1);
	t->last_id = db_int(r, 2);
	if (usage_decode(bytes, len, &t->h))
		ht_log_error("bandwidth.corrupt",
		    "link=%s hour_ms=%" PRId64 " cure=\"the hour begins anew; "
		    "`hatang-server refold bandwidth` derives it again\"",
		    t->link, t->hour_ms);
}

static ht_err load(struct bandwidth_hour *t, int64_t hour_ms)
{
	if (t->hour_ms == hour_ms) {
		t->first_id = min64(t->first_id, t->from_id);
		return HT_OK;
	}
	ht_err err = bandwidth_hour_save(t);
	if (err)
		return err;
	memset(&t->h, 0, sizeof(t->h));
	t->hour_ms = hour_ms;
	t->first_id = t->row_id;
	t->last_id = 0;
	struct db_rows *r = db_start(t->db, &bandwidth_sql, BANDWIDTH_SQL_HOUR_GET, "sis",
	    t->link, hour_ms, t->agent);
	err = db_next(r);
	if (!err)
		take_bytes(t, r);
	db_done(r);
	t->first_id = min64(t->first_id, t->from_id);
	return err == HT_NOTFOUND ? HT_OK : err;
}

ht_err bandwidth_hour_gap(struct bandwidth_hour *t, int64_t at_ms, int gap)
{
	if (at_ms < t->closed_ms)
		return HT_OK;
	ht_err err = load(t, usage_hour_of(at_ms));
	if (!err && t->h.gaps[gap] < UINT32_MAX)
		t->h.gaps[gap]++;
	return err;
}

ht_err bandwidth_hour_spread(struct bandwidth_hour *t, int64_t from_ms, int64_t to_ms,
    const double down_up_bps[static 2])
{
	ht_err err = HT_OK;

	if (from_ms < t->closed_ms)
		from_ms = t->closed_ms;
	for (int64_t at = usage_hour_of(from_ms); at < to_ms && !err;
	     at += USAGE_HOUR_MS) {
		err = load(t, at);
		if (!err)
			usage_add(
			    &t->h, at, from_ms, to_ms, down_up_bps[0], down_up_bps[1]);
	}
	return err;
}

ht_err bandwidth_hour_init(struct bandwidth_hour *t, struct db *db, const char *link,
    const struct journal_row *row)
{
	struct db_rows *r =
	    db_start(db, &bandwidth_sql, BANDWIDTH_SQL_MONTH_END, "s", link);
	ht_err err = db_next(r);

	*t = (struct bandwidth_hour){ .db = db,
		.link = link,
		.agent = row->agent,
		.row_id = row->id,
		.from_id = row->id,
		.hour_ms = INT64_MIN,
		.closed_ms = err ? INT64_MIN : int_or(r, 0, INT64_MIN) };
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}
