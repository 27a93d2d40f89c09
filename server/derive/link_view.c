#include "server/derive/link_view.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/derive/facts_sql.h"
#include "server/derive/link_sql.h"
#include "server/derive/text.h"

void text_copy(char *out, size_t cap, const char *text)
{
	int n = snprintf(out, cap, "%s", text ? text : "");

	if (n >= 0 && (size_t)n >= cap)
		text_whole(out);
}

const char *text_or_null(const char *text)
{
	return text[0] ? text : NULL;
}

/* ── rows ────────────────────────────────────────────────────────────────────────── */

int64_t int_or(const struct db_rows *r, int column, int64_t none)
{
	return db_is_null(r, column) ? none : db_int(r, column);
}

ht_err view_get(struct db *db, const char *link, const char *agent, struct view *v)
{
	struct db_rows *r =
	    db_start(db, &facts_sql, FACTS_LINK_VIEW_GET, "ss", link, agent);
	ht_err err = db_next(r);

	*v = (struct view){ .ping_ms = LINKSTATE_NEVER,
		.answered_ms = LINKSTATE_NEVER,
		.poll_ms = LINKSTATE_NEVER,
		.counter_ms = LINKSTATE_NEVER,
		.sent = NAN,
		.received = NAN,
		.loss = NAN,
		.rtt_s = NAN,
		.uptime_s = NAN,
		.discontinuity_s = NAN,
		.speed_bps = NAN,
		.used_down_bps = NAN,
		.used_up_bps = NAN };
	if (!err) {
		v->ping_ms = int_or(r, 0, LINKSTATE_NEVER);
		text_copy(v->ping_status, sizeof(v->ping_status), db_text(r, 1));
		v->sent = db_double(r, 2);
		v->received = db_double(r, 3);
		v->loss = db_double(r, 4);
		v->rtt_s = db_double(r, 5);
		v->failed = (int)db_int(r, 6);
		v->answered_ms = int_or(r, 7, LINKSTATE_NEVER);
		v->ping_interval_ms = db_int(r, 8);
		v->ping_journal = db_int(r, 9);
		v->ping_received_ms = db_int(r, 10);
		v->poll_ms = int_or(r, 11, LINKSTATE_NEVER);
		text_copy(v->poll_status, sizeof(v->poll_status), db_text(r, 12));
		v->poll_interval_ms = db_int(r, 13);
		v->poll_journal = db_int(r, 14);
		v->poll_received_ms = db_int(r, 15);
		text_copy(v->interface, sizeof(v->interface), db_text(r, 16));
		text_copy(v->oper, sizeof(v->oper), db_text(r, 17));
		v->counter_ms = int_or(r, 18, LINKSTATE_NEVER);
		v->in_octets = db_text(r, 19) ? strtoull(db_text(r, 19), NULL, 10) : 0;
		v->out_octets = db_text(r, 20) ? strtoull(db_text(r, 20), NULL, 10) : 0;
		v->bits = (int)db_int(r, 21);
		v->uptime_s = db_double(r, 22);
		v->discontinuity_s = db_double(r, 23);
		v->speed_bps = db_double(r, 24);
		v->used_down_bps = db_double(r, 25);
		v->used_up_bps = db_double(r, 26);
		text_copy(v->used_gap, sizeof(v->used_gap), db_text(r, 27));
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

ht_err view_put(struct db *db, const char *link, const char *agent, const struct view *v)
{
	char in[24], out[24];
	bool counted = v->counter_ms != LINKSTATE_NEVER;

	snprintf(in, sizeof(in), "%" PRIu64, v->in_octets);
	snprintf(out, sizeof(out), "%" PRIu64, v->out_octets);
	return db_exec(db, &facts_sql, FACTS_LINK_VIEW_PUT,
	    "ssIsDDDDiIiiiIsiiissIssiDDDDDs", link, agent, v->ping_ms,
	    text_or_null(v->ping_status), v->sent, v->received, v->loss, v->rtt_s,
	    (int64_t)v->failed, v->answered_ms, v->ping_interval_ms, v->ping_journal,
	    v->ping_received_ms, v->poll_ms, text_or_null(v->poll_status),
	    v->poll_interval_ms, v->poll_journal, v->poll_received_ms,
	    text_or_null(v->interface), text_or_null(v->oper), v->counter_ms,
	    counted ? in : NULL, counted ? out : NULL, (int64_t)v->bits, v->uptime_s,
	    v->discontinuity_s, v->speed_bps, v->used_down_bps, v->used_up_bps,
	    text_or_null(v->used_gap));
}

static const char *const reach_words[] = { NULL, "up", "down" };

static int64_t max3(int64_t a, int64_t b, int64_t c)
{
	int64_t most = a > b ? a : b;

	return most > c ? most : c;
}

static enum link_reach reach_word(const char *word)
{
	if (!word)
		return LINK_REACH_NONE;
	return strcmp(word, "up") == 0 ? LINK_REACH_UP : LINK_REACH_DOWN;
}

static void reach_read(const struct db_rows *r, struct link_view *v, struct view_text *t)
{
	double sent = db_double(r, 30), received = db_double(r, 31);

	v->reach = reach_word(db_text(r, 23));
	v->reach_ms = int_or(r, 24, LINKSTATE_NEVER);
	v->lost_ms = int_or(r, 25, LINKSTATE_NEVER);
	v->reach_answered_ms = int_or(r, 26, LINKSTATE_NEVER);
	v->in_doubt = db_int(r, 27) != 0;
	v->heard_ms = int_or(r, 28, LINKSTATE_NEVER);
	t->reach_loss = sent > 0 ? 1 - received / sent : NAN;
	t->reach_rtt_s = db_double(r, 32);
	v->lossy = db_int(r, 33) != 0;
	v->vantage = db_int(r, 35) != 0;
	v->blind = db_int(r, 36) != 0;
	v->blind_ms = db_int(r, 37);
}

ht_err reach_get(struct db *db, const char *link, const char *agent, struct reach *out)
{
	struct db_rows *r =
	    db_start(db, &link_sql, LINK_SQL_REACH_GET, "ss", link, agent);
	ht_err err = db_next(r);

	*out = (struct reach){ .at_ms = LINKSTATE_NEVER,
		.lost_ms = LINKSTATE_NEVER,
		.answered_ms = LINKSTATE_NEVER,
		.heard_ms = LINKSTATE_NEVER,
		.sent = NAN,
		.received = NAN,
		.rtt_s = NAN };
	if (!err) {
		out->state = reach_word(db_text(r, 0));
		out->at_ms = int_or(r, 1, LINKSTATE_NEVER);
		out->lost_ms = int_or(r, 2, LINKSTATE_NEVER);
		out->answered_ms = int_or(r, 3, LINKSTATE_NEVER);
		out->in_doubt = db_int(r, 4) != 0;
		out->heard_ms = db_int(r, 5);
		out->sent = db_double(r, 6);
		out->received = db_double(r, 7);
		out->rtt_s = db_double(r, 8);
		out->lossy = db_int(r, 9) != 0;
		out->minutes = (int)db_int(r, 10);
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

ht_err reach_put(struct db *db, const char *link, const char *agent,
    const struct reach *r, int64_t received_ms, int64_t journal_id)
{
	return db_exec(db, &link_sql, LINK_SQL_REACH_PUT, "sssIIIiiiDDDiii", link, agent,
	    reach_words[r->state], r->at_ms, r->lost_ms, r->answered_ms,
	    (int64_t)r->in_doubt, r->heard_ms, received_ms, r->sent, r->received,
	    r->rtt_s, (int64_t)r->lossy, (int64_t)r->minutes, journal_id);
}

static void view_read(const struct db_rows *r, const struct view_time *when,
    struct link_view *v, struct view_text *t)
{
	int64_t ping_received = db_int(r, 13), poll_received = db_int(r, 18);
	int64_t heard_ms = max3(ping_received, poll_received, db_int(r, 29));
	const char *presence = db_text(r, 1);

	text_copy(t->agent, sizeof(t->agent), db_text(r, 0));
	text_copy(t->ping, sizeof(t->ping), db_text(r, 4));
	text_copy(t->poll, sizeof(t->poll), db_text(r, 15));
	text_copy(t->oper, sizeof(t->oper), db_text(r, 19));
	t->speed_bps = db_double(r, 20);
	t->used_down_bps = db_double(r, 21);
	t->used_up_bps = db_double(r, 22);
	*v = (struct link_view){
		.agent = t->agent,
		.presence_ms = db_int(r, 2),
		.ping_ms = int_or(r, 3, LINKSTATE_NEVER),
		.ping_status = text_or_null(t->ping),
		.sent = db_double(r, 5),
		.received = db_double(r, 6),
		.loss = db_double(r, 7),
		.rtt_s = db_double(r, 8),
		.failed = (int)db_int(r, 9),
		.answered_ms = int_or(r, 10, LINKSTATE_NEVER),
		.ping_interval_ms = db_int(r, 11),
		.poll_ms = int_or(r, 14, LINKSTATE_NEVER),
		.poll_status = text_or_null(t->poll),
		.poll_interval_ms = db_int(r, 16),
		.oper = text_or_null(t->oper),
	};
	reach_read(r, v, t);
	v->unheard = heard_ms < when->awake_ms;
	v->away_ms = when->away_ms;
	t->journal = v->ping_ms >= v->poll_ms ? db_int(r, 12) : db_int(r, 17);
	if (v->heard_ms != LINKSTATE_NEVER && v->heard_ms >= v->ping_ms &&
	    v->heard_ms >= v->poll_ms)
		t->journal = db_int(r, 34);
	/* Data that came after the farewell: that farewell was an old session's. */
	if (presence && strcmp(presence, "online") != 0 &&
	    strcmp(presence, "none") != 0 && heard_ms <= v->presence_ms)
		v->presence =
		    strcmp(presence, "lost") == 0 ? LINK_AGENT_LOST : LINK_AGENT_OFFLINE;
}

ht_err views_get(const struct view_time *when, const char *link, struct views *out)
{
	struct db_rows *r = db_start(when->db, &link_sql, LINK_SQL_VIEWS, "s", link);
	ht_err err = HT_OK;

	out->n = 0;
	while (out->n < VIEWS_MAX && !(err = db_next(r))) {
		view_read(r, when, &out->at[out->n], &out->text[out->n]);
		out->n++;
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}
