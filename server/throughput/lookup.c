#include "server/throughput/lookup.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "server/registry/parents.h"
#include "server/throughput/sql.h"

#define PARENTS_BYTES (PARENTS_MAX + 1)

static void copy(char *out, size_t cap, const char *text)
{
	snprintf(out, cap, "%s", text ? text : "");
}

int64_t lookup_day_ms(int64_t now_ms, int64_t utc_offset_min, bool month)
{
	int64_t offset_ms = utc_offset_min * 60000;
	time_t local_s = (time_t)((now_ms + offset_ms) / 1000);
	struct tm tm;

	gmtime_r(&local_s, &tm);
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	if (month)
		tm.tm_mday = 1;
	return (int64_t)timegm(&tm) * 1000 - offset_ms;
}

/* ── a link and what it hangs on ──────────────────────────────────────────────────── */

/* Another ancestor, once. More than there is room for are left out: they are too far up
 * to be what two offices share first. */
static ht_err add_ancestor(void *arg, const char *id)
{
	struct lookup_link *l = arg;
	size_t n = l->link.n_ancestors;

	if (n == SLOTS_ANCESTORS_MAX || strcmp(id, l->id) == 0 || strlen(id) > HT_ID_MAX)
		return HT_OK;
	for (size_t i = 0; i < n; i++) {
		if (strcmp(l->ancestor[i], id) == 0)
			return HT_OK;
	}
	copy(l->ancestor[n], sizeof(l->ancestor[n]), id);
	l->ancestors[n] = l->ancestor[n];
	l->link.n_ancestors = n + 1;
	return HT_OK;
}

static ht_err read_parents(
    struct db *db, const char *id, int64_t now_ms, char parents[static PARENTS_BYTES])
{
	struct db_rows *r = db_start(db, &slot_sql, SLOT_SQL_LINK, "is", now_ms, id);
	ht_err err = db_next(r);

	if (!err)
		copy(parents, PARENTS_BYTES, db_text(r, 2));
	db_done(r);
	return err;
}

/* The nearest first: what is added is looked at in its turn. */
static ht_err read_ancestors(struct db *db, struct lookup_link *l, int64_t now_ms,
    char parents[static PARENTS_BYTES])
{
	ht_err err = HT_OK;

	for (size_t i = 0; !err || err == HT_NOTFOUND; i++) {
		if (!err && parents[0] && parents_walk(parents, add_ancestor, l, NULL))
			return HT_CORRUPT;
		if (i == l->link.n_ancestors)
			return HT_OK;
		err = read_parents(db, l->ancestor[i], now_ms, parents);
	}
	return err;
}

static ht_err read_link(
    struct db *db, const char *id, int64_t now_ms, struct lookup_link *l)
{
	char parents[PARENTS_BYTES] = "";
	struct db_rows *r = db_start(db, &slot_sql, SLOT_SQL_LINK, "is", now_ms, id);
	ht_err err = db_next(r);

	if (!err) {
		copy(l->id, sizeof(l->id), id);
		copy(l->agency, sizeof(l->agency), db_text(r, 0));
		copy(l->router, sizeof(l->router), db_text(r, 1));
		copy(parents, sizeof(parents), db_text(r, 2));
		copy(l->state, sizeof(l->state), db_text(r, 5));
		l->link = (struct slots_link){ .id = l->id,
			.agency = l->agency,
			.router = l->router[0] ? l->router : NULL,
			.ancestors = l->ancestors,
			.down_bps = db_int(r, 3),
			.up_bps = db_int(r, 4) };
	}
	db_done(r);
	return err ? err : read_ancestors(db, l, now_ms, parents);
}

/* ── who asks ─────────────────────────────────────────────────────────────────────── */

/* An office's agent tests its own agency's links, a vantage those of all. */
static ht_err check_agent(struct db *db, const char *agent, struct lookup *l)
{
	struct db_rows *r = db_start(db, &slot_sql, SLOT_SQL_AGENT, "s", agent);
	ht_err err = db_next(r);
	bool may = !err && (db_int(r, 1) || strcmp(db_text(r, 0), l->asked.agency) == 0);

	db_done(r);
	if (!may)
		snprintf(l->refused, sizeof(l->refused),
		    "the agent %.64s may not test the link %.64s, which is another "
		    "agency's",
		    agent, l->asked.id);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* ── now ──────────────────────────────────────────────────────────────────────────── */

static ht_err read_used(struct db *db, struct slots_ask *a)
{
	struct db_rows *r = db_start(db, &slot_sql, SLOT_SQL_USED, "s", a->link.id);
	ht_err err = db_next(r);

	a->used_ms = INT64_MAX;
	a->used_down = a->used_up = NAN;
	if (!err) {
		a->used_ms = a->now_ms - db_int(r, 0);
		a->used_down = db_double(r, 1);
		a->used_up = db_double(r, 2);
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err read_spent(struct db *db, int64_t utc_offset_min, struct slots_ask *a)
{
	struct db_rows *r = db_start(db, &slot_sql, SLOT_SQL_SPENT, "isi",
	    lookup_day_ms(a->now_ms, utc_offset_min, false), a->link.id,
	    lookup_day_ms(a->now_ms, utc_offset_min, true));
	ht_err err = db_next(r);

	if (!err) {
		a->day_spent = db_int(r, 0);
		a->month_spent = db_int(r, 1);
		a->day_tests = db_int(r, 2);
	}
	db_done(r);
	return err;
}

static ht_err read_live(struct db *db, const char *agent, struct lookup *l)
{
	struct db_rows *r = db_start(
	    db, &slot_sql, SLOT_SQL_LIVE, "ii", l->ask.now_ms, (int64_t)LOOKUP_LIVE_MAX);
	ht_err err;

	while (!(err = db_next(r))) {
		size_t n = l->n_live;

		if (strcmp(db_text(r, 1), agent) == 0 &&
		    strcmp(db_text(r, 2), l->asked.id) == 0) {
			l->replaced[l->n_replaced++] = db_int(r, 0);
			continue;
		}
		copy(l->agents[n], sizeof(l->agents[n]), db_text(r, 1));
		copy(l->links[n].id, sizeof(l->links[n].id), db_text(r, 2));
		l->live[n] = (struct slots_live){ .agent = l->agents[n],
			.endpoint = db_int(r, 3) != 0,
			.expires_ms = db_int(r, 4) };
		l->n_live++;
	}
	l->ask.crowded = l->n_live + l->n_replaced == LOOKUP_LIVE_MAX;
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static bool same(const struct lookup_waiting *w, const char *agent, const char *link)
{
	return strcmp(w->agent, agent) == 0 && strcmp(w->link, link) == 0;
}

/* Those that began to ask before this one did. Who asks anew comes last, also who has
 * a slot: else it would overtake all others with each slot, all night. */
static void add_waiting(
    const struct lookup_waiting *w, size_t n, const char *agent, struct lookup *l)
{
	int64_t mine_ms = INT64_MAX;

	for (size_t i = 0; i < n; i++) {
		if (same(&w[i], agent, l->asked.id))
			mine_ms = w[i].since_ms;
	}
	for (size_t i = 0; i < n; i++) {
		size_t at = l->n_live;

		if (same(&w[i], agent, l->asked.id) || w[i].since_ms >= mine_ms ||
		    l->ask.now_ms - w[i].last_ms > LOOKUP_WAITS_MS)
			continue;
		copy(l->agents[at], sizeof(l->agents[at]), w[i].agent);
		copy(l->links[at].id, sizeof(l->links[at].id), w[i].link);
		l->live[at] = (struct slots_live){
			.agent = l->agents[at], .waiting = true, .expires_ms = INT64_MAX
		};
		l->n_live++;
	}
}

/* A link that was taken out of the registry meanwhile shares only its own id. */
static ht_err read_live_links(struct db *db, struct lookup *l)
{
	ht_err err = HT_OK;

	for (size_t i = 0; !err && i < l->n_live; i++) {
		char id[HT_ID_MAX + 1];

		copy(id, sizeof(id), l->links[i].id);
		l->links[i].link = (struct slots_link){ .id = l->links[i].id,
			.agency = "",
			.ancestors = l->links[i].ancestors };
		err = read_link(db, id, l->ask.now_ms, &l->links[i]);
		err = err == HT_NOTFOUND ? HT_OK : err;
		l->live[i].link = l->links[i].link;
	}
	return err;
}

ht_err lookup(struct db *db, const struct ask *ask, const char *agent,
    const struct lookup_waiting *waiting, size_t n_waiting, int64_t utc_offset_min,
    int64_t now_ms, struct lookup *l)
{
	ht_err err = read_link(db, ask->link, now_ms, &l->asked);

	if (err == HT_NOTFOUND) {
		snprintf(l->refused, sizeof(l->refused),
		    "there is no link %.64s in the registry: name the probe by a link's "
		    "id",
		    ask->link);
		return HT_OK;
	}
	if (!err)
		err = check_agent(db, agent, l);
	if (err || l->refused[0])
		return err;
	l->ask = (struct slots_ask){ .link = l->asked.link,
		.endpoint = ask->endpoint,
		.bytes = ask->bytes,
		.now_ms = now_ms,
		.state = l->asked.state[0] ? l->asked.state : NULL };
	err = read_used(db, &l->ask);
	if (!err)
		err = read_spent(db, utc_offset_min, &l->ask);
	if (!err)
		err = read_live(db, agent, l);
	if (!err)
		add_waiting(waiting, n_waiting, agent, l);
	if (!err)
		err = read_live_links(db, l);
	return err;
}
