/* fold_bandwidth: what goes over links, by the hour; the newest throughput tests; and
 * what follows of both (bandwidth.h). Not bulk: it tells problems by what the registry
 * says is contracted, and both must be of the same row. Time comes from rows: a row first
 * lets happen what time alone does, so that slices of any size give the same. */
#include "server/derive/bandwidth.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/derive/bandwidth_hour.h"
#include "server/derive/bandwidth_sql.h"
#include "server/derive/folds.h"
#include "server/derive/link_view.h"
#include "server/derive/problem.h"
#include "server/derive/share.h"
#include "server/registry/verb.h"

enum { TICKS_MAX = 4 }; /* links that one row makes us look at by time alone */

#define PLAUSIBLE_BPS 1e13
#define GONE_MS       (INT64_C(400) * 24 * USAGE_HOUR_MS)

/* ── rules ───────────────────────────────────────────────────────────────────────── */

static struct bandwidth_rules *rules;
static struct calendar *calendar;

static ht_err beside(const char *name, char out[static PATH_MAX])
{
	char relative[256];

	snprintf(relative, sizeof(relative), SHARE_RULES "/%s", name);
	return share_path(relative, out);
}

ht_err bandwidth_start(struct ht_fault *fault)
{
	struct bandwidth_rules *r = NULL;
	struct calendar *c = NULL;
	char path[PATH_MAX];
	ht_err err = beside("bandwidth.yaml", path);

	if (!err)
		err = bandwidth_rules_load(path, &r, fault);
	if (!err)
		err = beside(r->calendar, path);
	if (!err)
		err = calendar_load(path, &c, fault);
	if (err) {
		bandwidth_rules_free(r);
		return err;
	}
	bandwidth_rules_free(rules);
	calendar_free(calendar);
	rules = r;
	calendar = c;
	return HT_OK;
}

/* Threads that read (the API's) may come before anybody started us. */
static pthread_mutex_t loading = PTHREAD_MUTEX_INITIALIZER;

static ht_err ready(void)
{
	struct ht_fault fault = { 0 };
	ht_err err = HT_OK;

	pthread_mutex_lock(&loading);
	if (!rules)
		err = bandwidth_start(&fault);
	pthread_mutex_unlock(&loading);
	if (err)
		ht_log_error("bandwidth.rules", "fault=\"%s\"", fault.text);
	return err;
}

const struct bandwidth_rules *bandwidth_rules(void)
{
	return ready() ? NULL : rules;
}

const struct calendar *bandwidth_calendar(void)
{
	return ready() ? NULL : calendar;
}

/* ── polls ───────────────────────────────────────────────────────────────────────── */

static struct rate_poll rate_poll_of(const struct bandwidth_poll *p, uint64_t octets)
{
	return (struct rate_poll){ p->at_ms, octets, p->bits ? p->bits : 64, p->uptime_s,
		p->discontinuity_s, p->speed_bps, -1 };
}

/* The rate of both directions, or -1; else the gap. */
static int rates(const struct bandwidth_poll *a, const struct bandwidth_poll *b,
    double out_bps[static 2])
{
	struct rate_poll x = rate_poll_of(a, a->in_octets),
			 y = rate_poll_of(b, b->in_octets);
	enum rate_verdict in, out;

	if (strcmp(a->interface, b->interface) != 0)
		return USAGE_GAP_INTERFACE;
	if (b->at_ms - a->at_ms > USAGE_APART_MS)
		return USAGE_GAP_APART;
	in = rate_between(&x, &y, &out_bps[0]);
	x.octets = a->out_octets;
	y.octets = b->out_octets;
	out = rate_between(&x, &y, &out_bps[1]);
	if (in > RATE_WRAPPED || out > RATE_WRAPPED)
		return in > RATE_WRAPPED ? (int)in : (int)out;
	return out_bps[0] > PLAUSIBLE_BPS || out_bps[1] > PLAUSIBLE_BPS ? RATE_OVERSPEED
									: -1;
}

static ht_err poll_put(struct db *db, int statement, const char *link,
    const struct fold_input *in, enum journal_lane lane, const struct bandwidth_poll *p)
{
	char octets[2][24];

	snprintf(octets[0], sizeof(octets[0]), "%" PRIu64, p->in_octets);
	snprintf(octets[1], sizeof(octets[1]), "%" PRIu64, p->out_octets);
	return db_exec(db, &bandwidth_sql, statement, "ssissDissiDDDi", link,
	    in->row->agent, (int64_t)lane, p->interface, text_or_null(p->why),
	    p->confidence, p->at_ms, octets[0], octets[1],
	    (int64_t)(p->bits ? p->bits : 64), p->uptime_s, p->discontinuity_s,
	    p->speed_bps, p->journal_id);
}

/* What a poll does not tell, the one before it did. */
static void inherit(struct bandwidth_poll *p, const struct bandwidth_poll *before)
{
	if (!p->interface[0])
		text_copy(p->interface, sizeof(p->interface), before->interface);
	if (strcmp(p->interface, before->interface) != 0)
		return;
	if (!p->why[0])
		text_copy(p->why, sizeof(p->why), before->why);
	if (isnan(p->confidence))
		p->confidence = before->confidence;
	if (isnan(p->speed_bps))
		p->speed_bps = before->speed_bps;
	if (!p->bits)
		p->bits = before->bits;
	if (isnan(p->discontinuity_s))
		p->discontinuity_s = before->discontinuity_s;
}

static bool stands_still(
    const struct bandwidth_poll *known, const struct bandwidth_poll *p)
{
	return strcmp(known->interface, p->interface) == 0 &&
	       rate_stands_still(p->at_ms - known->at_ms, known->in_octets, p->in_octets,
		   known->out_octets, p->out_octets);
}

/* One poll after the newest known one. */
static ht_err apply_poll(struct bandwidth_hour *t, const struct fold_input *in,
    struct bandwidth_subject *s, struct bandwidth_poll *p)
{
	struct bandwidth_poll *known = &s->known;
	bool live = in->row->lane == JOURNAL_DATA, first = known->at_ms == INT64_MIN;
	ht_err err = HT_OK;
	double bps[2];

	inherit(p, known);
	t->from_id = first ? in->row->id : known->journal_id;
	if (!first && stands_still(known, p))
		return HT_OK; /* the next one counts from the known one */
	int gap = first ? -1 : rates(known, p, bps);
	if (!first && gap < 0)
		err = bandwidth_hour_spread(t, known->at_ms, p->at_ms, bps);
	/* The live lane tells the hole; the backlog, which begins where the hole does,
	 * only fills it. */
	if (!first && gap >= 0 && (live || gap != USAGE_GAP_APART))
		err = bandwidth_hour_gap(t, p->at_ms, gap);
	if (!err && live && gap == USAGE_GAP_APART)
		err = poll_put(
		    t->db, BANDWIDTH_SQL_POLL_SEED, s->link, in, JOURNAL_HIST, known);
	*known = *p;
	return err;
}

static ht_err apply_polls(
    struct db *db, const struct fold_input *in, struct bandwidth_subject *s)
{
	struct bandwidth_hour t;
	struct bandwidth_poll *known = &s->known;
	ht_err err = bandwidth_hour_init(&t, db, s->link, in->row);

	for (size_t i = 0; i < s->n_polls && !err; i++) {
		struct bandwidth_poll *p = &s->polls[i];

		if (!p->has_in || !p->has_out)
			continue;
		/* Another hole's polls: the live ones of the next hole came first. */
		if (in->row->lane == JOURNAL_HIST && p->at_ms < known->at_ms)
			known->at_ms = INT64_MIN;
		if (known->at_ms == INT64_MIN || p->at_ms > known->at_ms)
			err = apply_poll(&t, in, s, p);
	}
	if (!err)
		err = bandwidth_hour_save(&t);
	if (!err && known->at_ms != INT64_MIN)
		err = poll_put(
		    db, BANDWIDTH_SQL_POLL_PUT, s->link, in, in->row->lane, known);
	return err;
}

/* ── tests ───────────────────────────────────────────────────────────────────────── */

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static ht_err apply_test(struct db *db, const struct fold_input *in, const char *link,
    const struct bandwidth_test *t)
{
	bool good = strcmp(t->status, "ok") == 0 || begins(t->status, "partial");
	const char *endpoint = text_or_null(t->endpoint);
	ht_err err = db_exec(db, &bandwidth_sql, BANDWIDTH_SQL_TEST_PUT, "sssissDDDi",
	    link, in->row->agent, "any", t->at_ms, t->status, endpoint, NAN, NAN, NAN,
	    in->row->id);

	for (int w = 0; w < BANDWIDTH_WAYS && good && !err; w++) {
		if (!isnan(t->bps[w]))
			err = db_exec(db, &bandwidth_sql, BANDWIDTH_SQL_TEST_PUT,
			    "sssissDDDi", link, in->row->agent,
			    bandwidth_way_name((enum bandwidth_way)w), t->at_ms,
			    t->status, endpoint, t->bps[w], t->low_bps[w], t->high_bps[w],
			    in->row->id);
	}
	return err;
}

/* ── rows ────────────────────────────────────────────────────────────────────────── */

static ht_err known_link(struct db *db, const char *link, bool *out)
{
	struct db_rows *r = db_start(db, &bandwidth_sql, BANDWIDTH_SQL_GET, "s", link);
	ht_err err = db_next(r);

	*out = !err;
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* The first poll, and the first after a silence: from now on it is looked at often. */
static bool is_back(const struct fold_input *in, int64_t before_ms, int64_t now_ms)
{
	if (now_ms == before_ms || in->row->lane == JOURNAL_HIST)
		return false;
	return before_ms == INT64_MIN || now_ms - before_ms > USAGE_HOUR_MS;
}

static ht_err apply_subject(
    struct db *db, const struct fold_input *in, struct bandwidth_subject *s)
{
	int64_t before_ms = s->known.at_ms;
	bool tested = false, known = false;
	ht_err err = s->n_polls ? apply_polls(db, in, s) : HT_OK;

	for (size_t i = 0; i < s->n_tests && !err; i++) {
		if (!s->tests[i].status[0])
			continue;
		tested = true;
		err = apply_test(db, in, s->link, &s->tests[i]);
	}
	if (!err)
		err = known_link(db, s->link, &known);
	/* These are news; the rest waits for its time. */
	bool news = tested || !known || is_back(in, before_ms, s->known.at_ms);
	return err || !news
		   ? err
		   : bandwidth_evaluate(db, s->link, in->row->received_ms, in->row->id);
}

static ht_err apply_pack(struct db *db, const struct fold_input *in)
{
	struct bandwidth_pack p;
	ht_err err = bandwidth_pack_read(db, in, &p);

	for (size_t i = 0; i < p.n && !err; i++) {
		if (p.at[i].n_polls || p.at[i].n_tests)
			err = apply_subject(db, in, &p.at[i]);
	}
	bandwidth_pack_fini(&p);
	return err;
}

/* The registry as of this row, whatever it says by now: folded again alone, the past
 * comes out as it was. */
static ht_err link_is_put(
    struct db *db, const struct journal_row *row, const struct verb_link *l)
{
	return db_exec(db, &bandwidth_sql, BANDWIDTH_SQL_LINK_PUT, "ssIIsiii", l->id,
	    l->agency, l->contracted_down_bps, l->contracted_up_bps, l->provider,
	    (int64_t)(l->router_address != NULL), row->id, row->received_ms);
}

static ht_err link_is_removed(
    struct db *db, const struct journal_row *row, const char *id)
{
	return db_exec(
	    db, &bandwidth_sql, BANDWIDTH_SQL_LINK_END, "is", row->received_ms, id);
}

/* What is left of links that are long gone. */
static ht_err expire(struct db *db, int64_t now_ms)
{
	int64_t before_ms = now_ms - GONE_MS;
	ht_err err =
	    db_exec(db, &bandwidth_sql, BANDWIDTH_SQL_HOURS_EXPIRE, "i", before_ms);

	return err ? err
		   : db_exec(
			 db, &bandwidth_sql, BANDWIDTH_SQL_TESTS_EXPIRE, "i", before_ms);
}

static ht_err apply_operator(struct db *db, const struct journal_row *row)
{
	struct verb_parsed parsed = { 0 };
	enum verb_id verb;
	const char *id;

	if (!begins(row->kind, "link.") || verb_find(row->kind, &verb))
		return HT_OK;
	ht_err err = verb_decode(verb, row->payload, row->len, &parsed, NULL);
	if (err)
		return err == HT_NOMEM ? err : HT_OK; /* the registry did not take it */
	id = verb == VERB_LINK_PUT ? parsed.data.link.id : parsed.data.thing.id;
	err = verb == VERB_LINK_PUT ? link_is_put(db, row, &parsed.data.link)
				    : link_is_removed(db, row, id);
	if (!err)
		err = expire(db, row->received_ms);
	if (!err)
		err = bandwidth_evaluate(db, id, row->received_ms, row->id);
	verb_parsed_fini(&parsed);
	return err;
}

static ht_err tick(struct db *db, const struct journal_row *row)
{
	ht_err err = HT_OK;

	for (int n = 0; n < TICKS_MAX && !err; n++) {
		char link[HT_INSTANCE_MAX + 1] = "";
		struct db_rows *r = db_start(
		    db, &bandwidth_sql, BANDWIDTH_SQL_DUE, "i", row->received_ms);

		err = db_next(r);
		if (!err)
			text_copy(link, sizeof(link), db_text(r, 0));
		db_done(r);
		if (!err)
			err = bandwidth_evaluate(db, link, row->received_ms, row->id);
	}
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err apply(struct db *db, const struct fold_input *in)
{
	ht_err err = ready();

	if (!err)
		err = tick(db, in->row);
	if (err)
		return err;
	if (in->row->source == JOURNAL_OPERATOR)
		return apply_operator(db, in->row);
	return in->n_records ? apply_pack(db, in) : HT_OK;
}

static ht_err reset(struct db *db)
{
	static const char *const kinds[] = { "link-below-contract", "link-saturated",
		"link-contradiction" };
	ht_err err = HT_OK;

	for (int i = BANDWIDTH_SQL_RESET_FIRST; i <= BANDWIDTH_SQL_RESET_LAST && !err;
	     i++)
		err = db_exec(db, &bandwidth_sql, i, "");
	return err ? err : problem_reset(db, kinds, HT_COUNT(kinds));
}

/* Nothing is decided here; only when the next row is needed. */
static ht_err settle(struct db *db, struct fold_settle *s)
{
	struct db_rows *r = db_start(db, &bandwidth_sql, BANDWIDTH_SQL_NEXT_DUE, "");
	ht_err err = db_next(r);

	if (!err && !db_is_null(r, 0))
		s->due_ms = db_int(r, 0);
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

const struct fold fold_bandwidth = {
	.name = "bandwidth",
	.version = 1,
	.sources = 1u << JOURNAL_AGENT | 1u << JOURNAL_OPERATOR | 1u << JOURNAL_SERVER,
	.apply = apply,
	.reset = reset,
	.settle = settle,
	.alone = true,
};
