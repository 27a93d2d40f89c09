#include "server/throughput/decide.h"

#include <stdlib.h>
#include <string.h>

#include "server/throughput/sql.h"

#define KEEP_MS (INT64_C(400) * 86400 * 1000) /* of the account */

static ht_err replace(struct db *db, struct decision *x, const struct lookup *l)
{
	ht_err err = HT_OK;

	for (size_t i = 0; !err && i < l->n_replaced; i++) {
		err = db_exec(db, &slot_sql, SLOT_SQL_END, "iIsis", x->now_ms, INT64_MIN,
		    "replaced", l->replaced[i], x->agent);
		x->replaced[i] = l->replaced[i];
	}
	x->n_replaced = l->n_replaced;
	return err;
}

static ht_err grant(struct db *db, struct decision *x, const struct lookup *l)
{
	ht_err err = replace(db, x, l);

	if (!err)
		err = db_exec(db, &slot_sql, SLOT_SQL_FORGET, "i", x->now_ms - KEEP_MS);
	x->expires_ms = x->now_ms + x->ask.seconds * 1000 + DECIDE_SLACK_MS;
	if (!err)
		err = db_exec(db, &slot_sql, SLOT_SQL_PUT, "sssiiii", x->agent, x->ask.id,
		    x->ask.link, (int64_t)x->ask.endpoint, x->now_ms, x->expires_ms,
		    x->verdict.bytes);
	if (!err)
		x->slot = db_last_id(db);
	return err;
}

/* Told to ask again: it keeps its place; anything else ends that. */
static void wait_note(struct decide_waiting *all, const struct decision *x)
{
	size_t n = 0;
	int64_t mine_ms = INT64_MIN, last_ms = x->now_ms - 1;

	for (size_t i = 0; i < all->n; i++) {
		struct lookup_waiting *w = &all->at[i];
		bool mine =
		    strcmp(w->agent, x->agent) == 0 && strcmp(w->link, x->ask.link) == 0;

		last_ms = w->since_ms > last_ms ? w->since_ms : last_ms;
		if (mine)
			mine_ms = w->since_ms;
		else if (x->now_ms - w->last_ms <= LOOKUP_WAITS_MS)
			all->at[n++] = *w;
	}
	all->n = n;
	if (x->verdict.granted || !x->verdict.wait_s || n == LOOKUP_WAITING_MAX)
		return;
	struct lookup_waiting *w = &all->at[all->n++];
	*w = (struct lookup_waiting){ .since_ms = mine_ms, .last_ms = x->now_ms };
	if (mine_ms == INT64_MIN)
		w->since_ms = last_ms + 1;
	memcpy(w->agent, x->agent, sizeof(w->agent));
	memcpy(w->link, x->ask.link, sizeof(w->link));
}

/* A question that was granted comes again when the network lost the word that it had
 * come (QoS 1): that is the same slot, not another. HT_NOTFOUND: it is new. */
static ht_err read_repeated(struct db *db, struct decision *x)
{
	struct db_rows *r =
	    db_start(db, &slot_sql, SLOT_SQL_ASKED, "ss", x->agent, x->ask.id);
	ht_err err = db_next(r);

	if (!err) {
		x->repeated = true;
		x->slot = db_int(r, 0);
		x->ask.endpoint = db_int(r, 1) != 0;
		x->expires_ms = db_int(r, 3);
		x->ask.seconds = (x->expires_ms - db_int(r, 2) - DECIDE_SLACK_MS) / 1000;
		x->verdict.bytes = db_int(r, 4);
		x->verdict.granted = db_is_null(r, 5) && x->expires_ms > x->now_ms;
	}
	db_done(r);
	return err;
}

static ht_err judge(struct db *db, const struct slots_rules *rules,
    struct decide_waiting *waiting, struct decision *x)
{
	struct lookup *l = calloc(1, sizeof(*l));
	ht_err err = l ? lookup(db, &x->ask, x->agent, waiting->at, waiting->n,
			     rules->utc_offset_min, x->now_ms, l)
		       : HT_NOMEM;

	if (!err && l->refused[0])
		memcpy(x->verdict.why, l->refused, sizeof(x->verdict.why));
	else if (!err)
		slots_judge(rules, &l->ask, l->live, l->n_live, &x->verdict);
	if (!err)
		wait_note(waiting, x);
	if (!err && !l->refused[0] && x->verdict.granted)
		err = grant(db, x, l);
	free(l);
	return err;
}

ht_err decide(struct db *db, const struct slots_rules *rules,
    struct decide_waiting *waiting, struct decision *x)
{
	ht_err err = read_repeated(db, x);

	return err == HT_NOTFOUND ? judge(db, rules, waiting, x) : err;
}
