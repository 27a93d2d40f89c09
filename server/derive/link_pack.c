/* An agent's pack: readings icmp/<link>, snmp/<link>, if/<link>:<interface> and
 * reach/<link>, from an agent of the link's agency or from a vantage, become what it says
 * of the link. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/derive/facts_sql.h"
#include "server/derive/link_sql.h"
#include "server/derive/links.h"
#include "server/derive/rate.h"

#define HOUR_MS       INT64_C(3600000)
#define MINUTE_MS     INT64_C(60000)
#define SAME_POLL_MS  INT64_C(2000) /* readings of one poll may differ by so much */
#define UP_PINGS_MS   INT64_C(5000) /* an up is told so soon after its first reply */
#define LOSSY_MINUTES 2
#define LOSSY_UNTIL   0.1
#define TRIES_MAX     16

enum moment_kind { PING, POLL, REACH };

/* One round of pings or one poll, as far as its readings were in the pack. */
struct moment {
	int64_t at_ms;
	enum moment_kind kind;
	char status[WORD_MAX];
	double sent, received, loss, rtt_s;
	char interface[HT_INSTANCE_MAX + 1], oper[WORD_MAX];
	double uptime_s, discontinuity_s, speed_bps;
	bool has_in, has_out;
	uint64_t in_octets, out_octets;
	int bits;
	char state[WORD_MAX];
	double unanswered_for_s, answered_ago_s, reach_sent, reach_received;
};

/* A link that the pack speaks of, and that its agent may measure. */
struct subject {
	char link[HT_INSTANCE_MAX + 1], agency[HT_ID_MAX + 1];
	bool judged; /* as it is now */
	struct view view;
	struct reach reach;
	struct moment *moments;
	size_t n, cap;
};

struct pack {
	struct db *db;
	const struct link_turn *turn;
	const struct fold_input *in;
	struct subject *subjects;
	size_t n, cap;
};

/* ── reading a pack ──────────────────────────────────────────────────────────────── */

static ht_err allowed(
    struct db *db, const char *agent, const char *link, struct subject *s, bool *out)
{
	struct db_rows *r =
	    db_start(db, &facts_sql, FACTS_LINK_MAY_MEASURE, "ss", agent, link);
	ht_err err = db_next(r);

	*out = err == HT_OK;
	if (!err)
		text_copy(s->agency, sizeof(s->agency), db_text(r, 0));
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err subject_add(struct pack *p, const struct subject *new)
{
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 8;
		struct subject *more = realloc(p->subjects, cap * sizeof(*more));
		if (!more)
			return HT_NOMEM;
		p->subjects = more;
		p->cap = cap;
	}
	p->subjects[p->n++] = *new;
	return HT_OK;
}

/* NULL: no link that the agent may measure. Those are not kept: a pack could name tens of
 * thousands. */
static ht_err subject_get(struct pack *p, const char *link, struct subject **out)
{
	const char *agent = p->in->row->agent;
	struct subject s = { 0 };
	bool may;

	for (size_t i = p->n; i-- > 0;) {
		if (strcmp(p->subjects[i].link, link) == 0) {
			*out = &p->subjects[i];
			return HT_OK;
		}
	}
	*out = NULL;
	ht_err err = allowed(p->db, agent, link, &s, &may);
	if (err || !may)
		return err;
	text_copy(s.link, sizeof(s.link), link);
	err = view_get(p->db, link, agent, &s.view);
	if (!err)
		err = reach_get(p->db, link, agent, &s.reach);
	if (!err)
		err = subject_add(p, &s);
	if (!err)
		*out = &p->subjects[p->n - 1];
	return err;
}

static ht_err moment_get(
    struct subject *s, int64_t at_ms, enum moment_kind kind, struct moment **out)
{
	for (size_t i = s->n; i-- > 0;) {
		struct moment *m = &s->moments[i];
		int64_t apart = llabs((long long)(m->at_ms - at_ms));
		if (m->kind == kind && apart <= (kind == POLL ? SAME_POLL_MS : 0)) {
			*out = m;
			return HT_OK;
		}
	}
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 4;
		struct moment *more = realloc(s->moments, cap * sizeof(*more));
		if (!more)
			return HT_NOMEM;
		s->moments = more;
		s->cap = cap;
	}
	*out = &s->moments[s->n++];
	**out = (struct moment){ .at_ms = at_ms,
		.kind = kind,
		.sent = NAN,
		.received = NAN,
		.loss = NAN,
		.rtt_s = NAN,
		.uptime_s = NAN,
		.discontinuity_s = NAN,
		.speed_bps = NAN,
		.unanswered_for_s = NAN,
		.answered_ago_s = NAN,
		.reach_sent = NAN,
		.reach_received = NAN };
	return HT_OK;
}

static void take(struct moment *m, const struct fold_record *rec)
{
	const struct senml_record *s = rec->senml;
	double number = NAN;

	senml_number(s, &number);
	switch (rec->metric) {
	case HT_M_ICMP_STATUS:
	case HT_M_SNMP_STATUS:
		text_copy(m->status, sizeof(m->status), s->string);
		break;
	case HT_M_ICMP_SENT:
		m->sent = number;
		break;
	case HT_M_ICMP_RECEIVED:
		m->received = number;
		break;
	case HT_M_ICMP_LOSS:
		m->loss = number;
		break;
	case HT_M_ICMP_RTT_AVG:
		m->rtt_s = number;
		break;
	case HT_M_SNMP_UPTIME:
		m->uptime_s = number;
		break;
	case HT_M_SNMP_LINK_INTERFACE:
		text_copy(m->interface, sizeof(m->interface), s->string);
		break;
	case HT_M_IF_OPER_STATUS:
		text_copy(m->oper, sizeof(m->oper), s->string);
		break;
	case HT_M_IF_SPEED:
		m->speed_bps = number;
		break;
	case HT_M_IF_DISCONTINUITY:
		m->discontinuity_s = number;
		break;
	case HT_M_IF_COUNTER_BITS:
		m->bits = number == 32 ? 32 : 64;
		break;
	case HT_M_IF_IN_OCTETS:
		m->in_octets = s->counter;
		m->has_in = true;
		break;
	case HT_M_IF_OUT_OCTETS:
		m->out_octets = s->counter;
		m->has_out = true;
		break;
	case HT_M_REACH_STATE:
		text_copy(m->state, sizeof(m->state), s->string);
		break;
	case HT_M_REACH_UNANSWERED_FOR:
		m->unanswered_for_s = number;
		break;
	case HT_M_REACH_ANSWERED_AGO:
		m->answered_ago_s = number;
		break;
	case HT_M_REACH_SENT:
		m->reach_sent = number;
		break;
	case HT_M_REACH_RECEIVED:
		m->reach_received = number;
		break;
	case HT_M_REACH_RTT_AVG:
		m->rtt_s = number;
		break;
	default:
		break;
	}
}

/* An edge's clock may be ahead: nothing is newer than its arrival. */
static int64_t time_of(const struct fold_input *in, const struct fold_record *rec)
{
	return rec->at_ms > in->row->received_ms ? in->row->received_ms : rec->at_ms;
}

static bool is_icmp(enum ht_metric m)
{
	return m >= HT_M_ICMP_STATUS && m <= HT_M_ICMP_JITTER;
}

static bool is_snmp(enum ht_metric m)
{
	return m >= HT_M_SNMP_STATUS && m <= HT_M_SNMP_LINK_INTERFACE;
}

static bool is_reach(enum ht_metric m)
{
	return m >= HT_M_REACH_STATE && m <= HT_M_REACH_RTT_HISTOGRAM;
}

static bool is_interface(enum ht_metric m)
{
	return m >= HT_M_IF_INDEX && m <= HT_M_IF_DISCONTINUITY;
}

static enum moment_kind kind_of(enum ht_metric m)
{
	return is_icmp(m) ? PING : is_reach(m) ? REACH : POLL;
}

static ht_err read_direct(struct pack *p)
{
	for (size_t i = 0; i < p->in->n_records; i++) {
		const struct fold_record *rec = &p->in->records[i];
		struct subject *s;
		struct moment *m;
		if (!rec->known || (!is_icmp(rec->metric) && !is_snmp(rec->metric) &&
				       !is_reach(rec->metric)))
			continue;
		ht_err err = subject_get(p, rec->instance, &s);
		if (err)
			return err;
		if (!s)
			continue;
		err = moment_get(s, time_of(p->in, rec), kind_of(rec->metric), &m);
		if (err)
			return err;
		take(m, rec);
	}
	return HT_OK;
}

/* The interface that carried the link at a time: said in the same poll, or before. */
static const char *interface_at(const struct subject *s, int64_t at_ms)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct moment *m = &s->moments[i];
		if (m->kind == POLL && m->interface[0] &&
		    llabs((long long)(m->at_ms - at_ms)) <= SAME_POLL_MS)
			return m->interface;
	}
	return s->view.interface;
}

/* "if/<link>:<interface id>": ids may hold ':' themselves, so each is tried, within
 * reason. */
static ht_err read_interface(struct pack *p, const struct fold_record *rec)
{
	char link[HT_INSTANCE_MAX + 1];
	int tries = 0;

	for (const char *colon = strchr(rec->instance, ':'); colon && tries < TRIES_MAX;
	     colon = strchr(colon + 1, ':'), tries++) {
		struct subject *s;
		struct moment *m;
		size_t len = (size_t)(colon - rec->instance);
		memcpy(link, rec->instance, len);
		link[len] = '\0';
		if (!len)
			continue;
		ht_err err = subject_get(p, link, &s);
		if (err)
			return err;
		if (!s ||
		    strcmp(interface_at(s, time_of(p->in, rec)), rec->instance) != 0)
			continue;
		err = moment_get(s, time_of(p->in, rec), POLL, &m);
		if (!err)
			take(m, rec);
		return err;
	}
	return HT_OK;
}

static ht_err read_interfaces(struct pack *p)
{
	ht_err err = HT_OK;

	for (size_t i = 0; i < p->in->n_records && !err; i++) {
		if (p->in->records[i].known && is_interface(p->in->records[i].metric))
			err = read_interface(p, &p->in->records[i]);
	}
	return err;
}

/* ── from moments to the view ────────────────────────────────────────────────────── */

static bool ping_answered(const struct moment *m)
{
	return isnan(m->received) ? strcmp(m->status, "ok") == 0 : m->received > 0;
}

static bool ping_measured(const struct moment *m)
{
	return m->status[0] ? link_ping_measured(m->status) : !isnan(m->received);
}

static void later_double(double *into, double value)
{
	if (!isnan(value))
		*into = value;
}

static ht_err apply_ping(struct pack *p, struct subject *s, const struct moment *m)
{
	struct view *v = &s->view;
	int64_t hour_ms = m->at_ms - m->at_ms % HOUR_MS;
	int64_t hour_now = p->in->row->received_ms - p->in->row->received_ms % HOUR_MS;
	ht_err err = HT_OK;

	if (ping_measured(m)) {
		err = db_exec(p->db, &facts_sql, FACTS_LINK_HOUR_ADD, "ssii", s->link,
		    p->in->row->agent, hour_ms, (int64_t)ping_answered(m));
		if (!err && hour_ms < hour_now)
			err =
			    facts_index_dirty(p->db, s->agency, p->in->row->received_ms);
	}
	if (err || m->at_ms < v->ping_ms)
		return err;
	if (m->at_ms > v->ping_ms) {
		v->ping_interval_ms =
		    linkstate_interval(v->ping_interval_ms, v->ping_ms, m->at_ms);
		v->sent = v->received = v->loss = v->rtt_s = NAN;
		if (ping_answered(m))
			v->failed = 0;
		else if (ping_measured(m))
			v->failed++;
	}
	v->ping_ms = m->at_ms;
	v->ping_journal = p->in->row->id;
	v->ping_received_ms = p->in->row->received_ms;
	text_copy(
	    v->ping_status, sizeof(v->ping_status), m->status[0] ? m->status : "ok");
	later_double(&v->sent, m->sent);
	later_double(&v->received, isnan(m->received) ? ping_answered(m) : m->received);
	later_double(&v->loss,
	    isnan(m->loss) && m->sent > 0 ? 1 - v->received / m->sent : m->loss);
	later_double(&v->rtt_s, m->rtt_s);
	if (ping_answered(m))
		v->answered_ms = m->at_ms;
	return HT_OK;
}

static struct rate_poll poll_of(int64_t at_ms, uint64_t octets, int bits, double uptime_s,
    double discontinuity_s, double speed_bps)
{
	return (struct rate_poll){ at_ms, octets, bits ? bits : 64, uptime_s,
		discontinuity_s, speed_bps, -1 };
}

/* The rate of both directions, or for both the reason why there is none. */
static void apply_counters(struct view *v, const struct moment *m)
{
	enum rate_verdict in = RATE_OK, out = RATE_OK;

	if (v->counter_ms != LINKSTATE_NEVER &&
	    rate_stands_still(m->at_ms - v->counter_ms, v->in_octets, m->in_octets,
		v->out_octets, m->out_octets))
		return; /* what was said last still is what is known */
	v->used_down_bps = v->used_up_bps = NAN;
	v->used_gap[0] = '\0';
	if (v->counter_ms != LINKSTATE_NEVER) {
		struct rate_poll a = poll_of(v->counter_ms, v->in_octets, v->bits,
		    v->uptime_s, v->discontinuity_s, v->speed_bps);
		struct rate_poll b = poll_of(m->at_ms, m->in_octets, m->bits, m->uptime_s,
		    m->discontinuity_s, m->speed_bps);
		in = rate_between(&a, &b, &v->used_down_bps);
		a.octets = v->out_octets;
		b.octets = m->out_octets;
		out = rate_between(&a, &b, &v->used_up_bps);
		if (in > RATE_WRAPPED || out > RATE_WRAPPED)
			text_copy(v->used_gap, sizeof(v->used_gap),
			    rate_reason(in > RATE_WRAPPED ? in : out));
	}
	v->counter_ms = m->at_ms;
	v->in_octets = m->in_octets;
	v->out_octets = m->out_octets;
	v->bits = m->bits ? m->bits : 64;
	v->uptime_s = m->uptime_s;
	v->discontinuity_s = m->discontinuity_s;
}

static void apply_poll(struct pack *p, struct subject *s, const struct moment *m)
{
	struct view *v = &s->view;

	if (m->at_ms < v->poll_ms)
		return;
	if (m->at_ms > v->poll_ms + SAME_POLL_MS || v->poll_ms == LINKSTATE_NEVER) {
		v->poll_interval_ms =
		    linkstate_interval(v->poll_interval_ms, v->poll_ms, m->at_ms);
		v->oper[0] = '\0';
	}
	v->poll_ms = m->at_ms;
	v->poll_journal = p->in->row->id;
	v->poll_received_ms = p->in->row->received_ms;
	if (m->status[0])
		text_copy(v->poll_status, sizeof(v->poll_status), m->status);
	if (m->interface[0] && strcmp(m->interface, v->interface) != 0) {
		text_copy(v->interface, sizeof(v->interface), m->interface);
		v->counter_ms = LINKSTATE_NEVER; /* another interface's counters */
		v->speed_bps = NAN;
	}
	if (m->oper[0])
		text_copy(v->oper, sizeof(v->oper), m->oper);
	if (m->has_in && m->has_out && m->at_ms > v->counter_ms)
		apply_counters(v, m);
	later_double(&v->speed_bps, m->speed_bps);
}

/* ── the probe reach ─────────────────────────────────────────────────────────────── */

static int64_t ago(int64_t at_ms, double s)
{
	return s >= 0 && s < 1e9 ? at_ms - (int64_t)llround(s * 1000) : LINKSTATE_NEVER;
}

static ht_err view_is_blind(struct pack *p, bool *out)
{
	struct db_rows *r =
	    db_start(p->db, &link_sql, LINK_SQL_VANTAGE_GET, "s", p->in->row->agent);
	ht_err err = db_next(r);

	*out = !err && db_int(r, 0) != 0;
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* "suspect" alone changes nothing: the burst decides. */
static ht_err apply_transition(struct pack *p, struct reach *r, const struct moment *m)
{
	bool up = strcmp(m->state, "up") == 0;
	ht_err err = HT_OK;

	if ((!up && strcmp(m->state, "down") != 0) || m->at_ms < r->at_ms)
		return HT_OK;
	r->state = up ? LINK_REACH_UP : LINK_REACH_DOWN;
	r->at_ms = m->at_ms;
	r->lost_ms = up ? LINKSTATE_NEVER : ago(m->at_ms, m->unanswered_for_s);
	r->answered_ms = up ? LINKSTATE_NEVER : ago(m->at_ms, m->answered_ago_s);
	r->in_doubt = false;
	if (up) {
		int64_t answered = ago(m->at_ms, m->answered_ago_s);

		if (answered != LINKSTATE_NEVER && answered > m->at_ms - UP_PINGS_MS)
			r->at_ms = answered;
	} else {
		err = view_is_blind(p, &r->in_doubt);
	}
	return err;
}

/* Loss that lasts two minutes, until it is gone for two. */
static void judge_loss(struct reach *r)
{
	double loss = r->sent > 0 ? 1 - r->received / r->sent : NAN;
	bool other = r->lossy ? loss < LOSSY_UNTIL
			      : loss >= linkstate_defaults.degraded_loss - 1e-9;

	if (r->received <= 0 || isnan(loss))
		return; /* silence is another matter */
	r->minutes = other ? r->minutes + 1 : 0;
	if (r->minutes >= LOSSY_MINUTES) {
		r->lossy = !r->lossy;
		r->minutes = 0;
	}
}

static ht_err apply_minute(struct pack *p, struct subject *s, const struct moment *m)
{
	struct reach *r = &s->reach;
	int64_t hour_ms = m->at_ms - m->at_ms % HOUR_MS;
	bool blind = false;
	ht_err err;

	if (!(m->reach_sent > 0) || isnan(m->reach_received))
		return HT_OK;
	err = view_is_blind(p, &blind);
	if (err || blind)
		return err; /* its silence says nothing of the link */
	err = db_exec(p->db, &facts_sql, FACTS_LINK_HOUR_ADD, "ssii", s->link,
	    p->in->row->agent, hour_ms, (int64_t)(m->reach_received > 0));
	if (!err && hour_ms < p->turn->now_ms - p->turn->now_ms % HOUR_MS)
		err = facts_index_dirty(p->db, s->agency, p->turn->now_ms);
	if (err || (r->heard_ms != LINKSTATE_NEVER && m->at_ms < r->heard_ms))
		return err;
	r->sent = m->reach_sent;
	r->received = m->reach_received;
	r->rtt_s = m->rtt_s;
	judge_loss(r);
	/* A whole minute without a reply, seen by who sees: no doubt is left. */
	if (r->in_doubt && m->reach_received <= 0 && m->at_ms >= r->at_ms + MINUTE_MS)
		r->in_doubt = false;
	if (r->state == LINK_REACH_NONE && m->reach_received > 0) {
		r->state = LINK_REACH_UP;
		r->at_ms = m->at_ms;
	}
	return HT_OK;
}

static ht_err apply_reach(struct pack *p, struct subject *s, const struct moment *m)
{
	struct reach *r = &s->reach;
	enum link_reach before = r->state;
	int64_t at_ms = r->at_ms;
	ht_err err = apply_transition(p, r, m);

	if (!err)
		err = apply_minute(p, s, m);
	if (!err && m->at_ms > r->heard_ms)
		r->heard_ms = m->at_ms;
	if (!err)
		err = reach_put(p->db, s->link, p->in->row->agent, r, p->turn->now_ms,
		    p->in->row->id);
	/* Each transition counts, also when a pack brings several. */
	s->judged = !err && (r->state != before || r->at_ms != at_ms);
	return s->judged ? link_evaluate(p->turn, s->link) : err;
}

static int by_time(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;

	return x->at_ms < y->at_ms ? -1 : x->at_ms > y->at_ms;
}

static ht_err apply_subject(struct pack *p, struct subject *s)
{
	bool view = false;
	ht_err err = HT_OK;

	qsort(s->moments, s->n, sizeof(*s->moments), by_time);
	for (size_t i = 0; i < s->n && !err; i++) {
		const struct moment *m = &s->moments[i];

		view |= m->kind != REACH;
		s->judged = false;
		if (m->kind == PING)
			err = apply_ping(p, s, m);
		else if (m->kind == POLL)
			apply_poll(p, s, m);
		else
			err = apply_reach(p, s, m);
	}
	if (!err && view)
		err = view_put(p->db, s->link, p->in->row->agent, &s->view);
	return err || s->judged ? err : link_evaluate(p->turn, s->link);
}

/* What the agent says of its own eyes. */
static ht_err apply_blindness(struct pack *p)
{
	const struct fold_input *in = p->in;
	ht_err err = HT_OK;

	for (size_t i = 0; i < in->n_records && !err; i++) {
		const struct fold_record *rec = &in->records[i];
		const char *reason = NULL;

		if (!rec->known || rec->metric != HT_M_REACH_BLIND)
			continue;
		for (size_t k = 0; k < in->n_records; k++) {
			const struct fold_record *other = &in->records[k];

			if (other->known && other->metric == HT_M_REACH_BLIND_REASON &&
			    other->at_ms == rec->at_ms &&
			    strcmp(other->instance, rec->instance) == 0)
				reason = other->senml->string;
		}
		err = agent_blind(
		    p->turn, in, rec->senml->boolean, time_of(in, rec), reason);
	}
	return err;
}

ht_err link_pack_apply(const struct link_turn *t, const struct fold_input *in)
{
	struct pack p = { .turn = t, .db = t->db, .in = in };
	ht_err err = apply_blindness(&p);

	if (!err)
		err = read_direct(&p);
	if (!err)
		err = read_interfaces(&p);
	for (size_t i = 0; i < p.n && !err; i++) {
		if (p.subjects[i].n)
			err = apply_subject(&p, &p.subjects[i]);
	}
	for (size_t i = 0; i < p.n; i++)
		free(p.subjects[i].moments);
	free(p.subjects);
	return err;
}
