#include "server/score/inputs.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/clock.h"
#include "server/derive/bandwidth.h"
#include "server/score/sql.h"

enum { LINKS_MAX = 256, SOLUTIONS_MAX = 64, LISTED_MAX = 500 };

#define HOUR_MS INT64_C(3600000)

struct json_object *inputs_number(double v)
{
	char text[40];

	if (isnan(v))
		return NULL;
	if (v == floor(v) && fabs(v) < 9e15)
		return json_object_new_int64((int64_t)v);
	snprintf(text, sizeof(text), "%.12g", v);
	return json_object_new_double_s(v, text);
}

void inputs_fini(struct inputs_value *v)
{
	json_object_put(v->inputs);
	json_object_put(v->scrap);
	json_object_put(v->wan_links);
	*v = (struct inputs_value){ .inputs = NULL };
}

/* ── telling ─────────────────────────────────────────────────────────────────────── */

static void cite(struct inputs_value *v, int64_t journal_id)
{
	if (journal_id <= 0)
		return;
	for (size_t i = 0; i < v->n_evidence; i++) {
		if (v->evidence[i] == journal_id)
			return;
	}
	if (v->n_evidence < INPUTS_EVIDENCE_MAX)
		v->evidence[v->n_evidence++] = journal_id;
	else
		v->evidence_cut++;
}

/* One input: {"what":…}; more is put to it by the caller. One too many is made all the
 * same, and thrown away. */
static struct json_object *input(
    struct inputs_value *v, const char *what, int64_t journal_id)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "what", json_object_new_string(what));
	if (journal_id > 0) {
		struct json_object *ids = json_object_new_array();
		json_object_array_add(ids, json_object_new_int64(journal_id));
		json_object_object_add(o, "evidence", ids);
	}
	cite(v, journal_id);
	if (json_object_array_length(v->inputs) < INPUTS_LISTED_MAX) {
		json_object_array_add(v->inputs, o);
	} else {
		json_object_put(v->scrap);
		v->scrap = o;
		v->inputs_cut++;
	}
	return o;
}

static void put_text(struct json_object *o, const char *key, const char *text)
{
	if (text && text[0])
		json_object_object_add(o, key, json_object_new_string(text));
}

static void put_number(struct json_object *o, const char *key, double v)
{
	json_object_object_add(o, key, inputs_number(v));
}

static void put_time(struct json_object *o, const char *key, int64_t ms)
{
	char text[HT_RFC3339_LEN + 1];

	ht_rfc3339(ms, text);
	put_text(o, key, text);
}

static void copy(char *out, size_t cap, const char *text)
{
	snprintf(out, cap, "%s", text ? text : "");
}

static ht_err ended(ht_err err)
{
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* ── the agency ──────────────────────────────────────────────────────────────────── */

ht_err inputs_agency(struct db *db, const struct definition *d, const char *agency,
    const struct inputs_time *t, struct inputs_agency *out)
{
	struct inputs_agency a = { .there = false };
	struct db_rows *r = db_start(db, &score_sql, SCORE_AGENCY, "s", agency);
	ht_err err = db_next(r);

	copy(a.id, sizeof(a.id), agency);
	if (!err) {
		bool anything =
		    db_int(r, 5) || db_int(r, 6) || db_int(r, 7) || db_int(r, 8);
		a.there = true;
		a.in_scope = definition_counts(d, db_text(r, 0), db_text(r, 1));
		copy(a.parent, sizeof(a.parent), db_text(r, 2));
		a.grouping = db_int(r, 4) && !anything;
		a.has_agent = db_int(r, 5) != 0;
	}
	db_done(r);
	if (err && err != HT_NOTFOUND)
		return err;
	r = db_start(db, &score_sql, SCORE_HEADCOUNT, "si", agency, t->now_ms);
	err = db_next(r);
	if (!err)
		a.headcount = (struct headcount_input){ true, db_int(r, 0) };
	db_done(r);
	*out = a;
	return ended(err);
}

static ht_err tell_headcount(struct db *db, const struct inputs_agency *a,
    const struct inputs_time *t, struct inputs_value *v)
{
	struct db_rows *r =
	    db_start(db, &score_sql, SCORE_HEADCOUNT, "si", a->id, t->now_ms);
	ht_err err = db_next(r);

	if (!err) {
		struct json_object *o = input(v, "headcount", db_int(r, 2));
		json_object_object_add(
		    o, "servants", json_object_new_int64(db_int(r, 0)));
		put_time(o, "as_of", db_int(r, 1));
		put_text(o, "source", "declared");
	}
	db_done(r);
	return ended(err);
}

/* ── computers ───────────────────────────────────────────────────────────────────── */

struct counting {
	struct computers_input in;
	double confidence;
	size_t listed;
};

/* How the machine counts: "" when it is surely no computer. */
static const char *counts_as(
    const struct definition_computers *d, const struct db_rows *r, int64_t window_ms)
{
	const char *class = db_text(r, 1);

	if (strcmp(class, "computer") == 0)
		return db_double(r, 2) >= d->sure_confidence ? "sure" : "likely";
	if (strcmp(class, "unknown") != 0)
		return "";
	if (db_int(r, 3) && !db_int(r, 4) &&
	    db_int(r, 5) < window_ms - d->random_window_ns / HT_NS_PER_MS)
		return ""; /* a random MAC of an earlier day: likely counted under another
			      one */
	return "maybe";
}

static void count_machine(struct counting *c, const struct definition_computers *d,
    const struct db_rows *r, int64_t window_ms, struct inputs_value *v)
{
	const char *as = counts_as(d, r, window_ms);
	bool sure = strcmp(as, "sure") == 0, likely = sure || strcmp(as, "likely") == 0;

	c->in.sure += sure;
	c->in.likely += likely;
	c->in.maybe += strcmp(as, "maybe") == 0;
	if (likely)
		c->confidence += db_double(r, 2);
	if (!as[0] || c->listed++ >= LISTED_MAX)
		return;
	int64_t journal_id = strtoll(db_text(r, 6) + 1, NULL, 10);
	struct json_object *o = input(v, "machine", journal_id);
	put_text(o, "machine", db_text(r, 0));
	put_text(o, "hostname", db_text(r, 7));
	put_text(o, "class", db_text(r, 1));
	put_number(o, "confidence", db_double(r, 2));
	put_text(o, "counts", as);
	if (db_int(r, 3))
		json_object_object_add(o, "random_mac", json_object_new_boolean(true));
}

static ht_err read_machines(struct db *db, const struct definition *d,
    const struct inputs_agency *a, const struct inputs_time *t, struct counting *c,
    struct inputs_value *v)
{
	int64_t from_ms = t->window_ms - d->computers.window_ns / HT_NS_PER_MS;
	struct db_rows *r =
	    db_start(db, &score_sql, SCORE_MACHINES, "si", a->id, from_ms);
	ht_err err;

	while (!(err = db_next(r)))
		count_machine(c, &d->computers, r, t->window_ms, v);
	db_done(r);
	if (c->listed > LISTED_MAX) {
		struct json_object *o = input(v, "machines-not-listed", 0);
		json_object_object_add(
		    o, "n", json_object_new_int64((int64_t)c->listed - LISTED_MAX));
	}
	c->in.class_confidence = c->in.likely ? c->confidence / (double)c->in.likely : 0;
	return ended(err);
}

/* Address × hours of one subnet: from its first scan in the window on, every whole hour
 * counts as declared, whether it was scanned or not. */
struct subnet {
	char name[HT_ADDR_TEXT];
	int64_t next_ms; /* the hour after the last one counted */
	double targets, declared[2], observed[2]; /* [0] all hours, [1] office hours */
	int64_t journal_id;
};

static void count_hour(struct subnet *s, int64_t hour_ms, double probed)
{
	bool office = calendar_office_hour(bandwidth_calendar(), hour_ms);

	s->declared[0] += s->targets;
	s->observed[0] += probed;
	if (office) {
		s->declared[1] += s->targets;
		s->observed[1] += probed;
	}
}

static void subnet_until(struct subnet *s, int64_t end_ms)
{
	for (; s->next_ms < end_ms; s->next_ms += HOUR_MS)
		count_hour(s, s->next_ms, 0);
}

static void subnet_end(struct subnet *s, const struct inputs_time *t,
    double total[static 4], struct inputs_value *v)
{
	if (!s->name[0])
		return;
	subnet_until(s, t->window_ms - t->window_ms % HOUR_MS);
	struct json_object *o = input(v, "scan-coverage", s->journal_id);
	int office = s->declared[1] > 0;
	put_text(o, "subnet", s->name);
	put_number(o, "declared", s->declared[office]);
	put_number(o, "observed", s->observed[office]);
	put_text(o, "unit", office ? "address × office hour" : "address × hour");
	for (int k = 0; k < 2; k++) {
		total[k] += s->declared[k];
		total[2 + k] += s->observed[k];
	}
}

static ht_err read_coverage(struct db *db, const struct definition *d,
    const struct inputs_agency *a, const struct inputs_time *t,
    struct computers_input *in, struct inputs_value *v)
{
	const struct definition_computers *c = &d->computers;
	struct subnet s = { .name = "" };
	double total[4] = { 0 }; /* declared all, office; observed all, office */
	struct db_rows *r = db_start(db, &score_sql, SCORE_COVERAGE, "si", a->id,
	    t->window_ms - c->window_ns / HT_NS_PER_MS);
	ht_err err;

	while (!(err = db_next(r))) {
		if (strcmp(s.name, db_text(r, 0)) != 0) {
			subnet_end(&s, t, total, v);
			s = (struct subnet){ .next_ms = db_int(r, 1) };
			copy(s.name, sizeof(s.name), db_text(r, 0));
		}
		subnet_until(&s, db_int(r, 1));
		s.targets = (double)db_int(r, 2);
		s.journal_id = db_int(r, 4);
		count_hour(&s, db_int(r, 1), (double)db_int(r, 3));
		s.next_ms = db_int(r, 1) + HOUR_MS;
	}
	db_done(r);
	subnet_end(&s, t, total, v);
	int office = total[1] > 0;
	in->declared = total[office];
	in->observed = total[2 + office];
	return ended(err);
}

static ht_err computers(struct db *db, const struct definition *d,
    const struct inputs_agency *a, const struct inputs_time *t, struct inputs_value *v)
{
	struct counting c = { .in = { .headcount = a->headcount,
				  .has_agent = a->has_agent } };
	ht_err err = tell_headcount(db, a, t, v);

	if (!err)
		err = read_coverage(db, d, a, t, &c.in, v);
	if (!err)
		err = read_machines(db, d, a, t, &c, v);
	if (!err)
		indicator_computers(d, &c.in, &v->v);
	return err;
}

/* ── links ───────────────────────────────────────────────────────────────────────── */

struct link_row {
	char id[HT_INSTANCE_MAX + 1], kind[24], role[16], line_type[24], state[16];
	double contracted_bps, negotiated_bps;
	int64_t journal_id, since_ms, since_journal;
	bool has_since, contradicted;
	double measured_bps, measured_low, measured_high, used_p95, used_coverage;
	int64_t measured_ms, measured_journal, negotiated_journal;
	char *findings; /* JSON, owned; or NULL */
};

static ht_err read_links(struct db *db, const char *agency,
    struct link_row rows[static LINKS_MAX], size_t *out_n, int64_t *out_cut)
{
	struct db_rows *r = db_start(db, &score_sql, SCORE_LINKS, "s", agency);
	size_t n = 0;
	ht_err err = HT_OK;

	*out_cut = 0;
	while (!(err = db_next(r))) {
		if (n == LINKS_MAX) {
			++*out_cut;
			continue;
		}
		struct link_row *l = &rows[n++];
		*l = (struct link_row){ .contracted_bps = db_double(r, 4),
			.journal_id = db_int(r, 5),
			.has_since = !db_is_null(r, 7),
			.since_ms = db_int(r, 7),
			.since_journal = db_int(r, 8),
			.negotiated_bps = db_double(r, 9),
			.contradicted = db_int(r, 10) & 1,
			.measured_bps = db_double(r, 11),
			.measured_low = db_double(r, 12),
			.measured_high = db_double(r, 13),
			.measured_journal = db_int(r, 14),
			.measured_ms = db_int(r, 15),
			.negotiated_journal = db_int(r, 16),
			.used_p95 = db_double(r, 17),
			.used_coverage = db_double(r, 18),
			.findings = db_is_null(r, 19) ? NULL : strdup(db_text(r, 19)) };
		copy(l->id, sizeof(l->id), db_text(r, 0));
		copy(l->kind, sizeof(l->kind), db_text(r, 1));
		copy(l->role, sizeof(l->role), db_text(r, 2));
		copy(l->line_type, sizeof(l->line_type), db_text(r, 3));
		copy(l->state, sizeof(l->state), db_text(r, 6));
	}
	db_done(r);
	*out_n = n;
	return ended(err);
}

/* A test of long ago neither agrees with the contract of today nor limits it. */
static bool is_fresh(
    const struct definition *d, const struct inputs_time *t, const struct link_row *l)
{
	int64_t age_ms = d->bandwidth.measured_max_age_ns / HT_NS_PER_MS;

	return !isnan(l->measured_bps) && l->measured_ms >= t->window_ms - age_ms;
}

/* The four figures of one link, side by side. */
static void tell_rates(const struct definition *d, const struct inputs_time *t,
    struct inputs_value *v, const struct link_row *l, double factor)
{
	struct json_object *o = input(v, "contracted-rate", l->journal_id);

	put_text(o, "link", l->id);
	put_text(o, "line_type", l->line_type);
	put_number(o, "bps", l->contracted_bps);
	put_number(o, "factor", factor);
	put_text(o, "source", "declared");
	if (!isnan(l->negotiated_bps)) {
		o = input(v, "negotiated-rate", l->negotiated_journal);
		put_text(o, "link", l->id);
		put_number(o, "bps", l->negotiated_bps);
		put_text(o, "source", "measured");
		json_object_object_add(o, "contradicts",
		    json_object_new_boolean(l->negotiated_bps < l->contracted_bps));
	}
	if (!isnan(l->measured_bps)) {
		o = input(v, "measured-rate", l->measured_journal);
		put_text(o, "link", l->id);
		put_number(o, "bps", l->measured_bps);
		put_number(o, "low", l->measured_low);
		put_number(o, "high", l->measured_high);
		put_text(o, "source", "measured");
		put_time(o, "at", l->measured_ms);
		if (!is_fresh(d, t, l))
			json_object_object_add(
			    o, "too_old", json_object_new_boolean(true));
	}
	if (!isnan(l->used_p95)) {
		o = input(v, "used-rate", 0);
		put_text(o, "link", l->id);
		put_number(o, "p95_bps", l->used_p95);
		put_number(o, "coverage", l->used_coverage);
		put_text(o, "source", "measured");
	}
	if (l->findings && strcmp(l->findings, "[]") != 0) {
		o = input(v, "bandwidth-findings", 0);
		put_text(o, "link", l->id);
		json_object_object_add(o, "findings", json_tokener_parse(l->findings));
	}
}

static ht_err bandwidth(struct db *db, const struct definition *d,
    const struct inputs_agency *a, const struct inputs_time *t,
    const struct link_row *rows, size_t n_rows, struct inputs_value *v)
{
	struct bandwidth_link_input links[LINKS_MAX];
	struct bandwidth_input in = { .headcount = a->headcount, .links = links };
	ht_err err = tell_headcount(db, a, t, v);

	for (size_t i = 0; i < n_rows && !err; i++) {
		const struct link_row *l = &rows[i];
		if (!definition_lists(&d->bandwidth.kinds, l->kind) ||
		    !definition_lists(&d->bandwidth.roles, l->role))
			continue;
		double factor = definition_factor(d, l->line_type);
		links[in.n++] = (struct bandwidth_link_input){ l->id, l->contracted_bps,
			l->negotiated_bps, factor, is_fresh(d, t, l), l->measured_bps,
			l->contradicted };
		tell_rates(d, t, v, l, factor);
	}
	if (!err)
		indicator_bandwidth(d, &in, &v->v);
	return err;
}

/* ── the WAN ─────────────────────────────────────────────────────────────────────── */

/* As of when, and since when a period counts. */
struct wan_time {
	bool past; /* the reference date is over: what is asked is how it was then */
	int64_t as_of_ms, from_ms;
	int64_t until_ms; /* newer facts do not count */
};

#define DAY_MS (24 * HOUR_MS)

static struct wan_time wan_time_of(
    const struct definition *d, const struct inputs_time *t)
{
	/* Now: the newest facts there are; their age is counted from the window's end, so
	 * that it does not matter when a slice ended. */
	struct wan_time w = { .as_of_ms = t->window_ms, .until_ms = INT64_MAX };
	int64_t day_ms;

	if (d->wan.reference_date && !ht_rfc3339_parse(d->wan.reference_date, &day_ms)) {
		/* the end of that day where the office is */
		int64_t end_ms =
		    day_ms + DAY_MS - calendar_offset_ms(bandwidth_calendar());
		w.past = end_ms <= t->window_ms;
		if (w.past)
			w.as_of_ms = w.until_ms = end_ms;
	}
	w.from_ms = w.as_of_ms - d->wan.window_ns / HT_NS_PER_MS;
	return w;
}

static enum wan_now now_of(const char *state)
{
	if (strcmp(state, "UP") == 0 || strcmp(state, "DEGRADED") == 0)
		return WAN_UP;
	return strcmp(state, "DOWN") == 0 ? WAN_DOWN : WAN_NOT_MEASURED;
}

/* Rounds of pings in the whole hours of the window. */
static ht_err read_hours(struct db *db, const struct definition *d,
    const struct inputs_time *t, struct wan_link *l)
{
	struct db_rows *r = db_start(db, &score_sql, SCORE_LINK_HOURS, "sii", l->id,
	    t->window_ms - d->wan.window_ns / HT_NS_PER_MS, t->window_ms - HOUR_MS);
	ht_err err = db_next(r);

	if (!err) {
		l->rounds = db_int(r, 0);
		l->answered = db_int(r, 1);
		l->known_share = (double)(db_int(r, 2) * HOUR_MS) /
				 (double)(d->wan.window_ns / HT_NS_PER_MS);
	}
	db_done(r);
	return ended(err);
}

/* One link as it is told and judged. */
struct wan_row {
	const struct link_row *row;
	struct wan_link l;
	char state[16];
	int64_t since_ms, since_journal;
	bool has_since;
	char network[24], reason[WAN_TEXT_MAX];
	struct json_object *path, *inside;
	int64_t path_journal, inside_journal;
};

/* How it was at the reference date, by the spans of its states. */
static ht_err read_spans(struct db *db, const struct wan_time *w, struct wan_row *x)
{
	struct db_rows *r = db_start(
	    db, &score_sql, SCORE_SPANS, "sii", x->l.id, w->as_of_ms, w->from_ms);
	int64_t up = 0, down = 0;
	ht_err err;

	copy(x->state, sizeof(x->state), "UNKNOWN");
	x->has_since = false;
	while (!(err = db_next(r))) {
		int64_t from = db_int(r, 0),
			to = db_is_null(r, 1) ? INT64_MAX : db_int(r, 1);
		enum wan_now now = now_of(db_text(r, 2));
		int64_t ms = (to < w->as_of_ms ? to : w->as_of_ms) -
			     (from > w->from_ms ? from : w->from_ms);

		up += now == WAN_UP ? ms : 0;
		/* UNREACHABLE is not measured: what lies before it is to blame */
		down += now == WAN_DOWN ? ms : 0;
		if (to < w->as_of_ms)
			continue;
		copy(x->state, sizeof(x->state), db_text(r, 2));
		x->since_ms = from;
		x->since_journal = db_int(r, 3);
		x->has_since = true;
	}
	db_done(r);
	x->l.has_share = up + down > 0;
	x->l.known_share = (double)(up + down) / (double)(w->as_of_ms - w->from_ms);
	x->l.up_share = x->l.has_share ? (double)up / (double)(up + down) : 0;
	return ended(err);
}

static ht_err read_state(struct db *db, const struct definition *d,
    const struct inputs_time *t, const struct wan_time *w, struct wan_row *x)
{
	ht_err err;

	if (w->past) {
		err = read_spans(db, w, x);
	} else {
		copy(x->state, sizeof(x->state),
		    x->row->state[0] ? x->row->state : "UNKNOWN");
		x->since_ms = x->row->since_ms;
		x->since_journal = x->row->since_journal;
		x->has_since = x->row->has_since;
		err = read_hours(db, d, t, &x->l);
	}
	x->l.now = now_of(x->state);
	return err;
}

static enum wan_path path_of(
    const struct definition *d, const char *kind, const char *network)
{
	if (strcmp(network, "unknown") == 0)
		return WAN_PATH_UNKNOWN;
	if (strcmp(network, kind) == 0)
		return WAN_PATH_RIGHT;
	return definition_lists(&d->wan.kinds, network) ? WAN_PATH_OTHER : WAN_PATH_WRONG;
}

static void take_path(const struct definition *d, const struct wan_time *w,
    const struct db_rows *r, struct wan_row *x)
{
	int64_t at_ms = db_int(r, 1);
	bool old = at_ms < w->as_of_ms - d->wan.path_max_age_ns / HT_NS_PER_MS;

	x->l.path = old ? WAN_PATH_OLD : path_of(d, x->row->kind, db_text(r, 2));
	copy(x->network, sizeof(x->network), db_text(r, 2));
	copy(x->reason, sizeof(x->reason), db_text(r, 5));
	x->l.network = x->network;
	x->l.path_reason = x->reason;
	x->path_journal = db_int(r, 7);
	if (db_int(r, 3) &&
	    at_ms >= w->as_of_ms - d->wan.inside_max_age_ns / HT_NS_PER_MS)
		x->l.inside = true;
	json_object_put(x->path);
	x->path = json_object_new_object();
	put_text(x->path, "network", db_text(r, 2));
	put_text(x->path, "answer", wan_path_name(x->l.path));
	put_text(x->path, "reason", db_text(r, 5));
	put_time(x->path, "at", at_ms);
	put_text(x->path, "agent", db_text(r, 0));
	put_text(x->path, "target", db_text(r, 4));
	put_text(x->path, "trace", db_text(r, 6));
}

/* The newest trace that knows the network; else the newest. */
static ht_err read_path(struct db *db, const struct definition *d,
    const struct wan_time *w, struct wan_row *x)
{
	struct db_rows *r =
	    db_start(db, &score_sql, SCORE_PATHS, "is", w->until_ms, x->l.id);
	ht_err err;

	while (!(err = db_next(r)) &&
	       (x->l.path == WAN_PATH_NONE || x->l.path == WAN_PATH_UNKNOWN)) {
		int64_t oldest = w->as_of_ms - d->wan.path_max_age_ns / HT_NS_PER_MS;

		if (x->l.path == WAN_PATH_NONE ||
		    (db_int(r, 1) >= oldest && strcmp(db_text(r, 2), "unknown") != 0))
			take_path(d, w, r, x);
	}
	db_done(r);
	return ended(err);
}

static ht_err read_inside(struct db *db, const struct definition *d,
    const struct wan_time *w, struct wan_row *x)
{
	struct db_rows *r = db_start(db, &score_sql, SCORE_INSIDE, "sii", x->l.id,
	    w->as_of_ms - d->wan.inside_max_age_ns / HT_NS_PER_MS, w->until_ms);
	ht_err err = db_next(r);

	if (!err) {
		x->l.inside = true;
		x->inside_journal = db_int(r, 4);
		x->inside = json_object_new_object();
		put_text(x->inside, "probe", db_text(r, 1));
		put_text(x->inside, "agent", db_text(r, 0));
		put_time(x->inside, "at", db_int(r, 2));
		put_text(x->inside, "target", db_text(r, 3));
	}
	db_done(r);
	return ended(err);
}

static void evidence_of(struct json_object *o, const struct wan_row *x)
{
	struct json_object *ids = json_object_new_array();
	const int64_t all[] = { x->row->journal_id, x->since_journal, x->path_journal,
		x->inside_journal };

	for (size_t i = 0; i < HT_COUNT(all); i++) {
		if (all[i] > 0)
			json_object_array_add(ids, json_object_new_int64(all[i]));
	}
	json_object_object_add(o, "evidence", ids);
}

/* As an input of the value, and in the conclusion's own list. */
static void tell_wan(
    const struct definition *d, struct wan_row *x, struct inputs_value *v)
{
	struct wan_rules rules = indicator_wan_rules(d);
	struct json_object *o = input(v, "link-state", x->since_journal),
			   *c = json_object_new_object();
	struct wan_conclusion said;

	wan_connected_link(&rules, &x->l, &said);
	put_text(o, "link", x->l.id);
	put_text(o, "state", x->state);
	if (x->has_since)
		put_time(o, "since", x->since_ms);
	json_object_object_add(o, "rounds", json_object_new_int64(x->l.rounds));
	json_object_object_add(o, "answered", json_object_new_int64(x->l.answered));
	if (x->l.has_share)
		put_number(o, "up_share", x->l.up_share);
	put_number(o, "known_share", x->l.known_share);
	put_text(o, "path", wan_path_name(x->l.path));
	put_text(o, "answer", wan_answer_name(said.answer));
	cite(v, x->path_journal);
	cite(v, x->inside_journal);

	put_text(c, "link", x->l.id);
	put_text(c, "kind", x->row->kind);
	put_text(c, "answer", wan_answer_name(said.answer));
	put_number(c, "confidence", said.confidence);
	put_text(c, "reason", said.reason);
	put_text(c, "cure", said.cure);
	put_text(c, "state", x->state);
	if (x->has_since)
		put_time(c, "since", x->since_ms);
	json_object_object_add(c, "rounds", json_object_new_int64(x->l.rounds));
	json_object_object_add(c, "answered", json_object_new_int64(x->l.answered));
	json_object_object_add(
	    c, "up_share", x->l.has_share ? inputs_number(x->l.up_share) : NULL);
	put_number(c, "known_share", x->l.known_share);
	json_object_object_add(c, "path", json_object_get(x->path));
	json_object_object_add(c, "inside", json_object_get(x->inside));
	evidence_of(c, x);
	json_object_array_add(v->wan_links, c);
}

static ht_err wan_link_read(struct db *db, const struct definition *d,
    const struct inputs_time *t, const struct wan_time *w, struct wan_row *x)
{
	ht_err err = read_state(db, d, t, w, x);

	if (!err)
		err = read_path(db, d, w, x);
	return err ? err : read_inside(db, d, w, x);
}

static ht_err wan(struct db *db, const struct definition *d, const struct inputs_time *t,
    const struct link_row *rows, size_t n_rows, struct inputs_value *v)
{
	struct wan_row *x = calloc(n_rows ? n_rows : 1, sizeof(*x));
	struct wan_link *links = calloc(n_rows ? n_rows : 1, sizeof(*links));
	struct wan_input in = { .links = links, .n_registered = n_rows };
	struct wan_time w = wan_time_of(d, t);
	struct wan_rules rules = indicator_wan_rules(d);
	ht_err err = x && links ? HT_OK : HT_NOMEM;

	v->wan_links = json_object_new_array();
	v->wan_as_of_ms = w.past ? w.as_of_ms : t->now_ms;
	for (size_t i = 0; i < n_rows && !err; i++) {
		const struct link_row *row = &rows[i];
		bool counts = definition_lists(&d->wan.kinds, row->kind);
		struct json_object *o = input(v, "link", row->journal_id);

		put_text(o, "link", row->id);
		put_text(o, "kind", row->kind);
		json_object_object_add(o, "counts", json_object_new_boolean(counts));
		if (!counts)
			continue;
		x[in.n].row = row;
		x[in.n].l = (struct wan_link){ .id = row->id, .kind = row->kind };
		err = wan_link_read(db, d, t, &w, &x[in.n]);
		if (!err)
			tell_wan(d, &x[in.n], v);
		links[in.n] = x[in.n].l;
		in.n++;
	}
	if (!err) {
		indicator_wan(d, &in, &v->v);
		wan_connected_agency(&rules, links, in.n, n_rows, &v->wan);
	}
	for (size_t i = 0; x && i < n_rows; i++) {
		json_object_put(x[i].path);
		json_object_put(x[i].inside);
	}
	free(links);
	free(x);
	return err;
}

/* ── security ────────────────────────────────────────────────────────────────────── */

struct posture {
	struct security_solution rows[SOLUTIONS_MAX];
	enum answer found[SOLUTIONS_MAX][LINKS_MAX];
	size_t n_found[SOLUTIONS_MAX];
	size_t n;
};

static const char *answer_name(enum answer a)
{
	static const char *const names[] = { "unknown", "no", "yes" };

	return names[a];
}

static const struct catalogue_check *check_of(
    const struct catalogue_solution *s, const char *id)
{
	const struct catalogue_check *checks = s->checks.at;

	for (size_t i = 0; i < s->checks.n; i++) {
		if (strcmp(checks[i].id, id) == 0)
			return &checks[i];
	}
	return NULL;
}

static void take_finding(const struct catalogue_solution *s, size_t i,
    const struct db_rows *r, const struct inputs_time *t, struct posture *p,
    struct inputs_value *v)
{
	const struct catalogue_check *check = check_of(s, db_text(r, 1));
	const char *answer = db_text(r, 2);

	if (!check)
		return;
	bool old = db_int(r, 4) + check->max_age_ns / HT_NS_PER_MS < t->window_ms;
	struct json_object *o = input(v, "finding", db_int(r, 5));
	put_text(o, "solution", s->id);
	put_text(o, "check", check->id);
	put_text(o, "agent", db_text(r, 0));
	put_text(o, "answer", answer);
	put_text(o, "text", db_text(r, 3));
	put_time(o, "at", db_int(r, 4));
	if (old)
		json_object_object_add(o, "too_old", json_object_new_boolean(true));
	else if (strcmp(answer, "not-observable") != 0 && p->n_found[i] < LINKS_MAX)
		p->found[i][p->n_found[i]++] =
		    strcmp(answer, "yes") == 0 ? ANSWER_YES : ANSWER_NO;
}

static ht_err read_findings(struct db *db, const struct catalogue *c,
    const struct inputs_agency *a, const struct inputs_time *t, struct posture *p,
    struct inputs_value *v)
{
	const struct catalogue_solution *solutions = c->solutions.at;
	struct db_rows *r = db_start(db, &score_sql, SCORE_FINDINGS, "s", a->id);
	ht_err err;

	while (!(err = db_next(r))) {
		for (size_t i = 0; i < p->n; i++)
			take_finding(&solutions[i], i, r, t, p, v);
	}
	db_done(r);
	for (size_t i = 0; i < p->n; i++)
		p->rows[i].measured =
		    indicator_combine((enum definition_combine)solutions[i].combine,
			p->found[i], p->n_found[i]);
	return ended(err);
}

static ht_err read_declarations(struct db *db, const struct inputs_agency *a,
    const struct inputs_time *t, struct posture *p, struct inputs_value *v)
{
	struct db_rows *r = db_start(db, &score_sql, SCORE_DECLARATIONS, "s", a->id);
	ht_err err;

	while (!(err = db_next(r))) {
		for (size_t i = 0; i < p->n; i++) {
			if (strcmp(p->rows[i].id, db_text(r, 0)) != 0)
				continue;
			bool expired = !db_is_null(r, 5) && db_int(r, 5) <= t->now_ms;
			enum answer said =
			    strcmp(db_text(r, 1), "yes") == 0 ? ANSWER_YES : ANSWER_NO;
			p->rows[i].expired = expired;
			p->rows[i].declared = expired ? ANSWER_NONE : said;
			struct json_object *o = input(v, "declaration", db_int(r, 6));
			put_text(o, "solution", p->rows[i].id);
			put_text(o, "answer", answer_name(said));
			put_text(o, "document", db_text(r, 2));
			put_text(o, "signer", db_text(r, 3));
			put_time(o, "declared", db_int(r, 4));
			if (!db_is_null(r, 5))
				put_time(o, "expires", db_int(r, 5));
			if (expired)
				json_object_object_add(
				    o, "expired", json_object_new_boolean(true));
		}
	}
	db_done(r);
	return ended(err);
}

static ht_err security(struct db *db, const struct definition *d,
    const struct catalogue *c, const struct inputs_agency *a, const struct inputs_time *t,
    struct inputs_value *v)
{
	const struct catalogue_solution *solutions = c->solutions.at;
	struct posture *p = calloc(1, sizeof(*p));

	if (!p)
		return HT_NOMEM;
	for (; p->n < c->solutions.n && p->n < SOLUTIONS_MAX; p->n++)
		p->rows[p->n] = (struct security_solution){ .id = solutions[p->n].id,
			.weight = solutions[p->n].weight };
	ht_err err = read_findings(db, c, a, t, p, v);
	if (!err)
		err = read_declarations(db, a, t, p, v);
	for (size_t i = 0; i < p->n && !err; i++) {
		const struct security_solution *s = &p->rows[i];
		struct json_object *o = input(v, "solution", 0);
		put_text(o, "solution", s->id);
		put_text(o, "answer", answer_name(indicator_answer(s)));
		put_text(o, "source",
		    s->measured   ? "measured"
		    : s->declared ? "declared"
				  : "none");
		if (s->measured && s->declared && s->measured != s->declared)
			json_object_object_add(
			    o, "contradiction", json_object_new_boolean(true));
	}
	if (!err) {
		struct security_input in = { p->rows, p->n, a->has_agent };
		indicator_security(d, &in, &v->v);
	}
	free(p);
	return err;
}

/* Said with the value, and so that it is not taken for the whole. */
static void links_cut(int64_t cut, struct inputs_value *v)
{
	struct json_object *o = input(v, "links-not-counted", 0);

	json_object_object_add(o, "n", json_object_new_int64(cut));
	if (v->v.status != VALUE_KNOWN)
		return;
	v->v.status = VALUE_PARTIAL;
	snprintf(v->v.reason, sizeof(v->v.reason),
	    "it has more links than can be counted: %" PRId64 " are left out", cut);
	snprintf(v->v.cure, sizeof(v->v.cure),
	    "enter the agencies below it with their own links");
}

/* ── all four ────────────────────────────────────────────────────────────────────── */

ht_err inputs_compute(struct db *db, const struct definition *d,
    const struct catalogue *c, const struct inputs_agency *a, const struct inputs_time *t,
    struct inputs_value out[static IND_COUNT])
{
	struct link_row *links = calloc(LINKS_MAX, sizeof(*links));
	size_t n_links = 0;
	int64_t cut = 0;
	ht_err err = links ? HT_OK : HT_NOMEM;

	for (int i = 0; i < IND_COUNT; i++) {
		out[i] = (struct inputs_value){ .inputs = json_object_new_array() };
		if (!out[i].inputs)
			err = HT_NOMEM;
	}
	if (!err && a->grouping) {
		for (int i = 0; i < IND_COUNT; i++)
			indicator_grouping(&out[i].v);
		free(links);
		return HT_OK;
	}
	if (!err)
		err = read_links(db, a->id, links, &n_links, &cut);
	if (!err)
		err = computers(db, d, a, t, &out[IND_COMPUTERS]);
	if (!err)
		err = bandwidth(db, d, a, t, links, n_links, &out[IND_BANDWIDTH]);
	if (!err)
		err = wan(db, d, t, links, n_links, &out[IND_WAN]);
	if (!err)
		err = security(db, d, c, a, t, &out[IND_SECURITY]);
	if (!err && cut) {
		links_cut(cut, &out[IND_BANDWIDTH]);
		links_cut(cut, &out[IND_WAN]);
	}
	for (size_t i = 0; i < n_links; i++)
		free(links[i].findings);
	free(links);
	return err;
}
