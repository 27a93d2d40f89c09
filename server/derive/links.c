/* fold_links: readings icmp/<link>, snmp/<link> and if/<link>:<interface>, from an agent
 * of the link's agency or from a vantage, become link_view (what each says), link_hour
 * (rounds by hour) and link_fact (the state). Time comes from rows: a row first brings
 * the link's state to its own time, so that slices of any size give the same. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/derive/facts_sql.h"
#include "server/derive/folds.h"
#include "server/derive/linkstate.h"
#include "server/derive/payload.h"
#include "server/derive/rate.h"

enum { WORD_MAX = 40, VIEWS_MAX = 64 };

#define HOUR_MS       INT64_C(3600000)
#define KEEP_HOURS_MS (8 * 24 * HOUR_MS)
#define SAME_POLL_MS  INT64_C(2000) /* readings of one poll may differ by so much */

/* One round of pings or one poll, as far as its readings were in the pack. */
struct moment {
	int64_t at_ms;
	bool ping;
	char status[WORD_MAX];
	double sent, received, loss, rtt_s;
	char interface[HT_INSTANCE_MAX + 1], oper[WORD_MAX];
	double uptime_s, discontinuity_s, speed_bps;
	bool has_in, has_out;
	uint64_t in_octets, out_octets;
	int bits;
};

/* A row of link_view. */
struct view {
	int64_t ping_ms;
	char ping_status[WORD_MAX];
	double sent, received, loss, rtt_s;
	int failed;
	int64_t answered_ms, ping_interval_ms, ping_journal, ping_received_ms;
	int64_t poll_ms;
	char poll_status[WORD_MAX];
	int64_t poll_interval_ms, poll_journal, poll_received_ms;
	char interface[HT_INSTANCE_MAX + 1], oper[WORD_MAX];
	int64_t counter_ms;
	uint64_t in_octets, out_octets;
	int bits;
	double uptime_s, discontinuity_s, speed_bps;
	double used_down_bps, used_up_bps;
	char used_gap[80];
};

/* A link that the pack speaks of. */
struct subject {
	char link[HT_INSTANCE_MAX + 1], agency[HT_ID_MAX + 1];
	bool allowed; /* the agent may measure it */
	struct view view;
	struct moment *moments;
	size_t n, cap;
};

struct pack {
	struct db *db;
	const struct fold_input *in;
	struct subject *subjects;
	size_t n, cap;
};

static void copy(char *out, size_t cap, const char *text)
{
	snprintf(out, cap, "%s", text ? text : "");
}

static const char *or_null(const char *text)
{
	return text[0] ? text : NULL;
}

/* ── rows ────────────────────────────────────────────────────────────────────────── */

static int64_t int_or(const struct db_rows *r, int column, int64_t none)
{
	return db_is_null(r, column) ? none : db_int(r, column);
}

static ht_err view_get(struct db *db, const char *link, const char *agent, struct view *v)
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
		copy(v->ping_status, sizeof(v->ping_status), db_text(r, 1));
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
		copy(v->poll_status, sizeof(v->poll_status), db_text(r, 12));
		v->poll_interval_ms = db_int(r, 13);
		v->poll_journal = db_int(r, 14);
		v->poll_received_ms = db_int(r, 15);
		copy(v->interface, sizeof(v->interface), db_text(r, 16));
		copy(v->oper, sizeof(v->oper), db_text(r, 17));
		v->counter_ms = int_or(r, 18, LINKSTATE_NEVER);
		v->in_octets = db_text(r, 19) ? strtoull(db_text(r, 19), NULL, 10) : 0;
		v->out_octets = db_text(r, 20) ? strtoull(db_text(r, 20), NULL, 10) : 0;
		v->bits = (int)db_int(r, 21);
		v->uptime_s = db_double(r, 22);
		v->discontinuity_s = db_double(r, 23);
		v->speed_bps = db_double(r, 24);
		v->used_down_bps = db_double(r, 25);
		v->used_up_bps = db_double(r, 26);
		copy(v->used_gap, sizeof(v->used_gap), db_text(r, 27));
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err view_put(
    struct db *db, const char *link, const char *agent, const struct view *v)
{
	char in[24], out[24];
	bool counted = v->counter_ms != LINKSTATE_NEVER;

	snprintf(in, sizeof(in), "%" PRIu64, v->in_octets);
	snprintf(out, sizeof(out), "%" PRIu64, v->out_octets);
	return db_exec(db, &facts_sql, FACTS_LINK_VIEW_PUT,
	    "ssIsDDDDiIiiiIsiiissIssiDDDDDs", link, agent, v->ping_ms,
	    or_null(v->ping_status), v->sent, v->received, v->loss, v->rtt_s,
	    (int64_t)v->failed, v->answered_ms, v->ping_interval_ms, v->ping_journal,
	    v->ping_received_ms, v->poll_ms, or_null(v->poll_status), v->poll_interval_ms,
	    v->poll_journal, v->poll_received_ms, or_null(v->interface), or_null(v->oper),
	    v->counter_ms, counted ? in : NULL, counted ? out : NULL, (int64_t)v->bits,
	    v->uptime_s, v->discontinuity_s, v->speed_bps, v->used_down_bps,
	    v->used_up_bps, or_null(v->used_gap));
}

/* ── the state ───────────────────────────────────────────────────────────────────── */

/* Views of one link with the texts that their link_view borrows. */
struct views {
	struct link_view at[VIEWS_MAX];
	struct view_text {
		char agent[HT_ID_MAX + 1], ping[WORD_MAX], poll[WORD_MAX], oper[WORD_MAX];
		int64_t journal;
		double speed_bps, used_down_bps, used_up_bps;
	} text[VIEWS_MAX];
	size_t n;
};

static void view_read(const struct db_rows *r, struct link_view *v, struct view_text *t)
{
	int64_t ping_received = db_int(r, 13), poll_received = db_int(r, 18);
	int64_t heard_ms = ping_received > poll_received ? ping_received : poll_received;
	const char *presence = db_text(r, 1);

	copy(t->agent, sizeof(t->agent), db_text(r, 0));
	copy(t->ping, sizeof(t->ping), db_text(r, 4));
	copy(t->poll, sizeof(t->poll), db_text(r, 15));
	copy(t->oper, sizeof(t->oper), db_text(r, 19));
	t->speed_bps = db_double(r, 20);
	t->used_down_bps = db_double(r, 21);
	t->used_up_bps = db_double(r, 22);
	*v = (struct link_view){
		.agent = t->agent,
		.presence_ms = db_int(r, 2),
		.ping_ms = int_or(r, 3, LINKSTATE_NEVER),
		.ping_status = or_null(t->ping),
		.sent = db_double(r, 5),
		.received = db_double(r, 6),
		.loss = db_double(r, 7),
		.rtt_s = db_double(r, 8),
		.failed = (int)db_int(r, 9),
		.answered_ms = int_or(r, 10, LINKSTATE_NEVER),
		.ping_interval_ms = db_int(r, 11),
		.poll_ms = int_or(r, 14, LINKSTATE_NEVER),
		.poll_status = or_null(t->poll),
		.poll_interval_ms = db_int(r, 16),
		.oper = or_null(t->oper),
	};
	t->journal = v->ping_ms >= v->poll_ms ? db_int(r, 12) : db_int(r, 17);
	/* Data that came after the farewell: that farewell was an old session's. */
	if (presence && strcmp(presence, "online") != 0 && heard_ms <= v->presence_ms)
		v->presence =
		    strcmp(presence, "lost") == 0 ? LINK_AGENT_LOST : LINK_AGENT_OFFLINE;
}

static ht_err views_get(struct db *db, const char *link, struct views *out)
{
	struct db_rows *r = db_start(db, &facts_sql, FACTS_LINK_VIEWS, "s", link);
	ht_err err = HT_OK;

	out->n = 0;
	while (out->n < VIEWS_MAX && !(err = db_next(r))) {
		view_read(r, &out->at[out->n], &out->text[out->n]);
		out->n++;
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

struct fact {
	bool there;
	enum link_state state;
	int64_t since_ms, since_journal, down_bps, up_bps, due_ms;
	char agency[HT_ID_MAX + 1], reason[LINKSTATE_REASON_MAX];
};

static ht_err fact_get(struct db *db, const char *link, struct fact *out)
{
	struct db_rows *r = db_start(db, &facts_sql, FACTS_LINK_FACT_GET, "s", link);
	ht_err err = db_next(r);

	*out = (struct fact){ .since_ms = INT64_MIN,
		.down_bps = INT64_MIN,
		.up_bps = INT64_MIN,
		.due_ms = INT64_MIN };
	if (!err && link_state_find(db_text(r, 0), &out->state)) {
		out->there = true;
		out->since_ms = int_or(r, 1, INT64_MIN);
		out->since_journal = db_int(r, 2);
		out->down_bps = int_or(r, 3, INT64_MIN);
		out->up_bps = int_or(r, 4, INT64_MIN);
		copy(out->agency, sizeof(out->agency), db_text(r, 5));
		copy(out->reason, sizeof(out->reason), db_text(r, 6));
		out->due_ms = int_or(r, 7, INT64_MIN);
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err owner_get(
    struct db *db, const char *link, char agency[static HT_ID_MAX + 1])
{
	struct db_rows *r = db_start(db, &facts_sql, FACTS_LINK_OWNER, "s", link);
	ht_err err = db_next(r);

	copy(agency, HT_ID_MAX + 1, err ? NULL : db_text(r, 0));
	db_done(r);
	return err;
}

/* The newest view that knows the interface's speed, and the newest that knows a rate. */
static void rates_of(
    const struct views *v, int64_t *speed_bps, double *down_bps, double *up_bps)
{
	int64_t at = LINKSTATE_NEVER;

	*speed_bps = INT64_MIN;
	*down_bps = *up_bps = NAN;
	for (size_t i = 0; i < v->n; i++) {
		if (v->at[i].poll_ms == LINKSTATE_NEVER || v->at[i].poll_ms <= at)
			continue;
		at = v->at[i].poll_ms;
		double bps = v->text[i].speed_bps;
		*speed_bps = bps > 0 && bps < 1e15 ? (int64_t)bps : INT64_MIN;
		*down_bps = v->text[i].used_down_bps;
		*up_bps = v->text[i].used_up_bps;
	}
}

/* Judge the link as of `now_ms` and write its fact; `row_id` is the row that made us
 * look. */
static ht_err evaluate(struct db *db, const char *link, int64_t now_ms, int64_t row_id)
{
	struct views v;
	struct fact old;
	struct link_verdict verdict;
	char agency[HT_ID_MAX + 1], evidence[64];
	int64_t speed_bps;
	double down_bps, up_bps;
	ht_err err = owner_get(db, link, agency);

	if (err == HT_NOTFOUND) /* no longer in the registry */
		return db_exec(db, &facts_sql, FACTS_LINKS_REMOVE, "s", link);
	if (err)
		return err;
	err = views_get(db, link, &v);
	if (!err)
		err = fact_get(db, link, &old);
	if (err)
		return err;
	linkstate_judge(v.at, v.n, now_ms, &linkstate_defaults, &verdict);
	rates_of(&v, &speed_bps, &down_bps, &up_bps);

	const struct view_text *by = verdict.by ? &v.text[verdict.by - v.at] : NULL;
	bool same = old.there && old.state == verdict.state;
	int64_t since_ms = old.since_ms, since_journal = old.since_journal;
	if (!same) {
		since_ms = verdict.since_ms != LINKSTATE_NEVER ? verdict.since_ms
							       : verdict.measured_ms;
		since_journal =
		    by && verdict.by->presence == LINK_AGENT_HERE ? by->journal : row_id;
	}
	if (by && by->journal && by->journal != since_journal)
		snprintf(evidence, sizeof(evidence), "[%" PRId64 ",%" PRId64 "]",
		    since_journal, by->journal);
	else
		snprintf(evidence, sizeof(evidence), "[%" PRId64 "]", since_journal);
	bool known = verdict.by && verdict.state != LINK_UNKNOWN;
	err = db_exec(db, &facts_sql, FACTS_LINK_FACT_PUT, "sssIIDDIIDDsssiI", link,
	    link_state_name(verdict.state), verdict.reason, since_ms, verdict.measured_ms,
	    known ? verdict.by->loss : NAN, known ? verdict.by->rtt_s : NAN, speed_bps,
	    speed_bps, known ? down_bps : NAN, known ? up_bps : NAN,
	    by ? by->agent : NULL, evidence, agency, since_journal,
	    verdict.due_ms == INT64_MAX ? INT64_MIN : verdict.due_ms);
	if (!err &&
	    (!same || old.down_bps != speed_bps || strcmp(old.agency, agency) != 0)) {
		int64_t at_ms = !same && verdict.state == LINK_UNKNOWN &&
					verdict.since_ms != LINKSTATE_NEVER
				    ? verdict.since_ms
				    : now_ms;
		err = facts_index_dirty(db, agency, at_ms);
		if (!err && old.agency[0] && strcmp(old.agency, agency) != 0)
			err = facts_index_dirty(db, old.agency, at_ms);
	}
	return err;
}

/* Let what time alone does happen first. */
static ht_err catch_up(struct db *db, const char *link, int64_t now_ms, int64_t row_id)
{
	struct fact old;
	ht_err err = fact_get(db, link, &old);

	if (err || old.due_ms == INT64_MIN || old.due_ms > now_ms)
		return err;
	return evaluate(db, link, now_ms, row_id);
}

/* ── reading a pack ──────────────────────────────────────────────────────────────── */

static ht_err allowed(struct db *db, const char *agent, struct subject *s)
{
	struct db_rows *r =
	    db_start(db, &facts_sql, FACTS_LINK_MAY_MEASURE, "ss", agent, s->link);
	ht_err err = db_next(r);

	s->allowed = err == HT_OK;
	copy(s->agency, sizeof(s->agency), err ? NULL : db_text(r, 0));
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err subject_get(struct pack *p, const char *link, struct subject **out)
{
	ht_err err;

	for (size_t i = p->n; i-- > 0;) {
		if (strcmp(p->subjects[i].link, link) == 0) {
			*out = &p->subjects[i];
			return HT_OK;
		}
	}
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 8;
		struct subject *more = realloc(p->subjects, cap * sizeof(*more));
		if (!more)
			return HT_NOMEM;
		p->subjects = more;
		p->cap = cap;
	}
	struct subject *s = &p->subjects[p->n];
	*s = (struct subject){ .allowed = false };
	copy(s->link, sizeof(s->link), link);
	err = allowed(p->db, p->in->row->agent, s);
	if (!err && s->allowed)
		err = view_get(p->db, link, p->in->row->agent, &s->view);
	if (err)
		return err;
	p->n++;
	*out = s;
	return HT_OK;
}

static ht_err moment_get(struct subject *s, int64_t at_ms, bool ping, struct moment **out)
{
	for (size_t i = s->n; i-- > 0;) {
		struct moment *m = &s->moments[i];
		int64_t apart = llabs((long long)(m->at_ms - at_ms));
		if (m->ping == ping && apart <= (ping ? 0 : SAME_POLL_MS)) {
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
		.ping = ping,
		.sent = NAN,
		.received = NAN,
		.loss = NAN,
		.rtt_s = NAN,
		.uptime_s = NAN,
		.discontinuity_s = NAN,
		.speed_bps = NAN };
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
		copy(m->status, sizeof(m->status), s->string);
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
		copy(m->interface, sizeof(m->interface), s->string);
		break;
	case HT_M_IF_OPER_STATUS:
		copy(m->oper, sizeof(m->oper), s->string);
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

static bool is_interface(enum ht_metric m)
{
	return m >= HT_M_IF_INDEX && m <= HT_M_IF_DISCONTINUITY;
}

static ht_err read_direct(struct pack *p)
{
	for (size_t i = 0; i < p->in->n_records; i++) {
		const struct fold_record *rec = &p->in->records[i];
		struct subject *s;
		struct moment *m;
		if (!rec->known || (!is_icmp(rec->metric) && !is_snmp(rec->metric)))
			continue;
		ht_err err = subject_get(p, rec->instance, &s);
		if (err)
			return err;
		if (!s->allowed)
			continue;
		err = moment_get(s, time_of(p->in, rec), is_icmp(rec->metric), &m);
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
		if (!m->ping && m->interface[0] &&
		    llabs((long long)(m->at_ms - at_ms)) <= SAME_POLL_MS)
			return m->interface;
	}
	return s->view.interface;
}

/* "if/<link>:<interface id>": ids may hold ':' themselves, so each is tried. */
static ht_err read_interface(struct pack *p, const struct fold_record *rec)
{
	char link[HT_INSTANCE_MAX + 1];

	for (const char *colon = strchr(rec->instance, ':'); colon;
	     colon = strchr(colon + 1, ':')) {
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
		if (!s->allowed ||
		    strcmp(interface_at(s, time_of(p->in, rec)), rec->instance) != 0)
			continue;
		err = moment_get(s, time_of(p->in, rec), false, &m);
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
	copy(v->ping_status, sizeof(v->ping_status), m->status[0] ? m->status : "ok");
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
			copy(v->used_gap, sizeof(v->used_gap),
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
		copy(v->poll_status, sizeof(v->poll_status), m->status);
	if (m->interface[0] && strcmp(m->interface, v->interface) != 0) {
		copy(v->interface, sizeof(v->interface), m->interface);
		v->counter_ms = LINKSTATE_NEVER; /* another interface's counters */
		v->speed_bps = NAN;
	}
	if (m->oper[0])
		copy(v->oper, sizeof(v->oper), m->oper);
	if (m->has_in && m->has_out && m->at_ms > v->counter_ms)
		apply_counters(v, m);
	later_double(&v->speed_bps, m->speed_bps);
}

static int by_time(const void *a, const void *b)
{
	const struct moment *x = a, *y = b;

	return x->at_ms < y->at_ms ? -1 : x->at_ms > y->at_ms;
}

static ht_err apply_subject(struct pack *p, struct subject *s)
{
	const struct journal_row *row = p->in->row;
	ht_err err = catch_up(p->db, s->link, row->received_ms, row->id);

	qsort(s->moments, s->n, sizeof(*s->moments), by_time);
	for (size_t i = 0; i < s->n && !err; i++) {
		if (s->moments[i].ping)
			err = apply_ping(p, s, &s->moments[i]);
		else
			apply_poll(p, s, &s->moments[i]);
	}
	if (!err)
		err = view_put(p->db, s->link, row->agent, &s->view);
	if (!err)
		err = evaluate(p->db, s->link, row->received_ms, row->id);
	return err;
}

static ht_err apply_pack(struct db *db, const struct fold_input *in)
{
	struct pack p = { .db = db, .in = in };
	ht_err err = read_direct(&p);

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

/* ── other rows ──────────────────────────────────────────────────────────────────── */

/* The agent came or went: every link it measures may look different. */
static ht_err apply_presence(struct db *db, const struct journal_row *row)
{
	char link[HT_INSTANCE_MAX + 1] = "";
	ht_err err = HT_OK;

	while (!err) {
		struct db_rows *r = db_start(
		    db, &facts_sql, FACTS_LINKS_OF_AGENT, "ss", row->agent, link);
		err = db_next(r);
		if (!err)
			copy(link, sizeof(link), db_text(r, 0));
		db_done(r);
		if (!err)
			err = catch_up(db, link, row->received_ms, row->id);
		if (!err)
			err = evaluate(db, link, row->received_ms, row->id);
	}
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err apply_operator(struct db *db, const struct journal_row *row)
{
	char link[HT_INSTANCE_MAX + 1];
	static const enum facts_statement gone[] = { FACTS_LINKS_REMOVE,
		FACTS_LINK_VIEWS_REMOVE, FACTS_LINK_HOURS_REMOVE };

	if (strncmp(row->kind, "link.", 5) != 0 ||
	    !payload_text(row, "id", link, sizeof(link)))
		return HT_OK;
	if (strcmp(row->kind, "link.remove") != 0)
		return evaluate(db, link, row->received_ms, row->id);
	struct fact old;
	ht_err err = fact_get(db, link, &old);
	if (!err && old.there)
		err = facts_index_dirty(db, or_null(old.agency), row->received_ms);
	for (size_t i = 0; i < HT_COUNT(gone) && !err; i++)
		err = db_exec(db, &facts_sql, gone[i], "s", link);
	return err;
}

static ht_err links_apply(struct db *db, const struct fold_input *in)
{
	if (in->row->source == JOURNAL_OPERATOR)
		return apply_operator(db, in->row);
	if (in->row->agent && strcmp(in->row->kind, "presence") == 0)
		return apply_presence(db, in->row);
	return in->n_records ? apply_pack(db, in) : HT_OK;
}

static ht_err links_reset(struct db *db)
{
	static const enum facts_statement all[] = { FACTS_LINK_FACT_RESET,
		FACTS_LINK_VIEW_RESET, FACTS_LINK_HOUR_RESET };
	ht_err err = HT_OK;

	for (size_t i = 0; i < HT_COUNT(all) && !err; i++)
		err = db_exec(db, &facts_sql, all[i], "");
	return err;
}

/* Silence has no row of its own: the newest row's time brings it. */
static ht_err links_settle(struct db *db, struct fold_settle *s)
{
	int64_t now_ms = s->now_ms;
	ht_err err = HT_OK;

	while (!err) {
		char link[HT_INSTANCE_MAX + 1] = "";
		struct db_rows *r =
		    db_start(db, &facts_sql, FACTS_LINKS_DUE, "i", now_ms);
		err = db_next(r);
		if (!err)
			copy(link, sizeof(link), db_text(r, 0));
		db_done(r);
		if (!err)
			err = evaluate(db, link, now_ms, 0);
	}
	if (err == HT_NOTFOUND)
		err = db_exec(
		    db, &facts_sql, FACTS_LINK_HOURS_PRUNE, "i", now_ms - KEEP_HOURS_MS);
	return err;
}

const struct fold fold_links = {
	.name = "links",
	.version = 1,
	.sources = 1u << JOURNAL_AGENT | 1u << JOURNAL_OPERATOR | 1u << JOURNAL_SERVER,
	.apply = links_apply,
	.reset = links_reset,
	.settle = links_settle,
};
