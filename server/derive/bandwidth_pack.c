/* An agent's pack: polls of the interfaces that carry links, and throughput tests. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/derive/bandwidth.h"
#include "server/derive/bandwidth_sql.h"
#include "server/derive/dating.h"
#include "server/derive/facts_sql.h"
#include "server/derive/link_view.h"

#define SAME_POLL_MS INT64_C(2000) /* readings of one poll may differ by so much */
enum { COLONS_MAX = 16, OF_ONE_LINK_MAX = 4096 };

struct reader {
	struct db *db;
	const struct fold_input *in;
	struct bandwidth_pack *pack;
	char stranger[HT_INSTANCE_MAX + 1]; /* the last that it may not measure */
};

/* ── subjects ────────────────────────────────────────────────────────────────────── */

static ht_err may_measure(struct reader *r, const char *link, bool *out)
{
	struct db_rows *rows = db_start(
	    r->db, &facts_sql, FACTS_LINK_MAY_MEASURE, "ss", r->in->row->agent, link);
	ht_err err = db_next(rows);

	*out = !err;
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static uint64_t counter(const char *text)
{
	return text ? strtoull(text, NULL, 10) : 0;
}

static ht_err lane_get(struct reader *r, const char *link, enum journal_lane lane,
    struct bandwidth_poll *out)
{
	struct db_rows *rows = db_start(r->db, &bandwidth_sql, BANDWIDTH_SQL_POLL_GET,
	    "ssi", link, r->in->row->agent, (int64_t)lane);
	ht_err err = db_next(rows);

	*out = (struct bandwidth_poll){ .at_ms = INT64_MIN, .confidence = NAN };
	if (!err) {
		text_copy(out->interface, sizeof(out->interface), db_text(rows, 0));
		text_copy(out->why, sizeof(out->why), db_text(rows, 1));
		out->confidence = db_double(rows, 2);
		out->at_ms = db_int(rows, 3);
		out->in_octets = counter(db_text(rows, 4));
		out->out_octets = counter(db_text(rows, 5));
		out->bits = (int)db_int(rows, 6);
		out->uptime_s = db_double(rows, 7);
		out->discontinuity_s = db_double(rows, 8);
		out->speed_bps = db_double(rows, 9);
		out->journal_id = db_int(rows, 10);
	}
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* An agent tells the names of things when they change: a backlog that tells none has the
 * interface of the live polls. */
static ht_err known_get(struct reader *r, const char *link, struct bandwidth_poll *out)
{
	struct bandwidth_poll live;
	ht_err err = lane_get(r, link, r->in->row->lane, out);

	if (err || out->at_ms != INT64_MIN || r->in->row->lane != JOURNAL_HIST)
		return err;
	err = lane_get(r, link, JOURNAL_DATA, &live);
	if (!err && live.at_ms != INT64_MIN) {
		*out = live;
		out->at_ms = INT64_MIN;
	}
	return err;
}

static ht_err subject_new(
    struct reader *r, const char *link, struct bandwidth_subject **out)
{
	struct bandwidth_pack *p = r->pack;
	struct bandwidth_subject s = { .n_polls = 0 };
	ht_err err = known_get(r, link, &s.known);

	if (!err && p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 4;
		struct bandwidth_subject *more = realloc(p->at, cap * sizeof(*more));
		if (!more)
			return HT_NOMEM;
		p->at = more;
		p->cap = cap;
	}
	if (err)
		return err;
	text_copy(s.link, sizeof(s.link), link);
	p->at[p->n++] = s;
	*out = &p->at[p->n - 1];
	return HT_OK;
}

/* NULL: no link that the agent may measure. */
static ht_err subject_get(
    struct reader *r, const char *link, struct bandwidth_subject **out)
{
	bool may;

	for (size_t i = r->pack->n; i-- > 0;) {
		if (strcmp(r->pack->at[i].link, link) == 0) {
			*out = &r->pack->at[i];
			return HT_OK;
		}
	}
	*out = NULL;
	if (strcmp(r->stranger, link) == 0)
		return HT_OK;
	ht_err err = may_measure(r, link, &may);
	if (!err && !may)
		text_copy(r->stranger, sizeof(r->stranger), link);
	return err || !may ? err : subject_new(r, link, out);
}

/* ── polls ───────────────────────────────────────────────────────────────────────── */

/* The poll at that time, or a new one; NULL when there are too many. */
static ht_err poll_get(
    struct bandwidth_subject *s, int64_t at_ms, struct bandwidth_poll **out)
{
	*out = NULL;
	for (size_t i = s->n_polls; i-- > 0;) {
		if (llabs((long long)(s->polls[i].at_ms - at_ms)) <= SAME_POLL_MS) {
			*out = &s->polls[i];
			return HT_OK;
		}
	}
	if (s->n_polls == OF_ONE_LINK_MAX)
		return HT_OK;
	if (s->n_polls == s->cap_polls) {
		size_t cap = s->cap_polls ? s->cap_polls * 2 : 4;
		struct bandwidth_poll *more = realloc(s->polls, cap * sizeof(*more));
		if (!more)
			return HT_NOMEM;
		s->polls = more;
		s->cap_polls = cap;
	}
	*out = &s->polls[s->n_polls++];
	**out = (struct bandwidth_poll){ .at_ms = at_ms,
		.confidence = NAN,
		.uptime_s = NAN,
		.discontinuity_s = NAN,
		.speed_bps = NAN };
	return HT_OK;
}

/* An edge's clock may be ahead: nothing is newer than its arrival. */
static int64_t time_of(const struct reader *r, const struct fold_record *rec)
{
	int64_t received = r->in->row->received_ms;

	return rec->at_ms > received ? received : rec->at_ms;
}

/* What is dated before 2020 is no time of a measurement. */
static bool is_dated(const struct reader *r, const struct fold_record *rec)
{
	return time_of(r, rec) >= DATING_YEAR_2020_MS;
}

static void take_poll(struct bandwidth_poll *p, const struct fold_record *rec)
{
	const struct senml_record *s = rec->senml;
	double number = NAN;

	senml_number(s, &number);
	switch (rec->metric) {
	case HT_M_SNMP_UPTIME:
		p->uptime_s = number;
		break;
	case HT_M_SNMP_LINK_INTERFACE:
		text_copy(p->interface, sizeof(p->interface), s->string);
		break;
	case HT_M_SNMP_LINK_INTERFACE_WHY:
		text_copy(p->why, sizeof(p->why), s->string);
		break;
	case HT_M_SNMP_LINK_INTERFACE_CONFIDENCE:
		p->confidence = number;
		break;
	case HT_M_IF_SPEED:
		p->speed_bps = number;
		break;
	case HT_M_IF_DISCONTINUITY:
		p->discontinuity_s = number;
		break;
	case HT_M_IF_COUNTER_BITS:
		p->bits = number == 32 ? 32 : 64;
		break;
	case HT_M_IF_IN_OCTETS:
		p->in_octets = s->counter;
		p->has_in = true;
		break;
	case HT_M_IF_OUT_OCTETS:
		p->out_octets = s->counter;
		p->has_out = true;
		break;
	default:
		break;
	}
}

static bool is_of_device(enum ht_metric m)
{
	return m == HT_M_SNMP_UPTIME || m == HT_M_SNMP_LINK_INTERFACE ||
	       m == HT_M_SNMP_LINK_INTERFACE_WHY ||
	       m == HT_M_SNMP_LINK_INTERFACE_CONFIDENCE;
}

static bool is_of_interface(enum ht_metric m)
{
	return m == HT_M_IF_SPEED || m == HT_M_IF_DISCONTINUITY ||
	       m == HT_M_IF_COUNTER_BITS || m == HT_M_IF_IN_OCTETS ||
	       m == HT_M_IF_OUT_OCTETS;
}

/* The interface that carried the link at a time: said in the same poll, or before. */
static const char *interface_at(const struct bandwidth_subject *s, int64_t at_ms)
{
	for (size_t i = 0; i < s->n_polls; i++) {
		const struct bandwidth_poll *p = &s->polls[i];

		if (p->interface[0] &&
		    llabs((long long)(p->at_ms - at_ms)) <= SAME_POLL_MS)
			return p->interface;
	}
	return s->known.interface;
}

static ht_err read_device(struct reader *r, const struct fold_record *rec)
{
	struct bandwidth_subject *s;
	struct bandwidth_poll *p;
	ht_err err = subject_get(r, rec->instance, &s);

	if (err || !s)
		return err;
	err = poll_get(s, time_of(r, rec), &p);
	if (!err && p)
		take_poll(p, rec);
	return err;
}

/* "if/<link>:<interface id>": ids may hold ':' themselves, so each is tried. */
static ht_err read_interface(struct reader *r, const struct fold_record *rec)
{
	char link[HT_INSTANCE_MAX + 1];
	int tries = 0;

	for (const char *colon = strchr(rec->instance, ':'); colon && tries < COLONS_MAX;
	     colon = strchr(colon + 1, ':'), tries++) {
		struct bandwidth_subject *s;
		struct bandwidth_poll *p;
		size_t len = (size_t)(colon - rec->instance);

		memcpy(link, rec->instance, len);
		link[len] = '\0';
		ht_err err = len ? subject_get(r, link, &s) : HT_OK;
		if (err)
			return err;
		if (!len || !s ||
		    strcmp(interface_at(s, time_of(r, rec)), rec->instance) != 0)
			continue;
		err = poll_get(s, time_of(r, rec), &p);
		if (!err && p)
			take_poll(p, rec);
		return err;
	}
	return HT_OK;
}

/* ── tests ───────────────────────────────────────────────────────────────────────── */

static ht_err test_get(
    struct bandwidth_subject *s, int64_t at_ms, struct bandwidth_test **out)
{
	*out = NULL;
	for (size_t i = s->n_tests; i-- > 0;) {
		if (s->tests[i].at_ms == at_ms) {
			*out = &s->tests[i];
			return HT_OK;
		}
	}
	if (s->n_tests == OF_ONE_LINK_MAX)
		return HT_OK;
	if (s->n_tests == s->cap_tests) {
		size_t cap = s->cap_tests ? s->cap_tests * 2 : 1;
		struct bandwidth_test *more = realloc(s->tests, cap * sizeof(*more));
		if (!more)
			return HT_NOMEM;
		s->tests = more;
		s->cap_tests = cap;
	}
	*out = &s->tests[s->n_tests++];
	**out = (struct bandwidth_test){ .at_ms = at_ms,
		.bps = { NAN, NAN },
		.low_bps = { NAN, NAN },
		.high_bps = { NAN, NAN } };
	return HT_OK;
}

static double *number_of(struct bandwidth_test *t, enum ht_metric m)
{
	switch (m) {
	case HT_M_THROUGHPUT_DOWN:
		return &t->bps[BANDWIDTH_DOWN];
	case HT_M_THROUGHPUT_DOWN_LOW:
		return &t->low_bps[BANDWIDTH_DOWN];
	case HT_M_THROUGHPUT_DOWN_HIGH:
		return &t->high_bps[BANDWIDTH_DOWN];
	case HT_M_THROUGHPUT_UP:
		return &t->bps[BANDWIDTH_UP];
	case HT_M_THROUGHPUT_UP_LOW:
		return &t->low_bps[BANDWIDTH_UP];
	case HT_M_THROUGHPUT_UP_HIGH:
		return &t->high_bps[BANDWIDTH_UP];
	default:
		return NULL;
	}
}

static bool is_test(enum ht_metric m)
{
	return m >= HT_M_THROUGHPUT_STATUS && m <= HT_M_THROUGHPUT_BYTES;
}

static ht_err read_test(struct reader *r, const struct fold_record *rec)
{
	struct bandwidth_subject *s;
	struct bandwidth_test *t;
	double *into, number;
	ht_err err = subject_get(r, rec->instance, &s);

	if (err || !s)
		return err;
	err = test_get(s, time_of(r, rec), &t);
	if (err || !t)
		return err;
	into = number_of(t, rec->metric);
	if (rec->metric == HT_M_THROUGHPUT_STATUS)
		text_copy(t->status, sizeof(t->status), rec->senml->string);
	else if (rec->metric == HT_M_THROUGHPUT_ENDPOINT)
		text_copy(t->endpoint, sizeof(t->endpoint), rec->senml->string);
	else if (into && senml_number(rec->senml, &number) && number >= 0 &&
		 number < 1e13)
		*into = number;
	return HT_OK;
}

/* ── all of it ───────────────────────────────────────────────────────────────────── */

static int by_time(const void *a, const void *b)
{
	const struct bandwidth_poll *x = a, *y = b;

	return (x->at_ms > y->at_ms) - (x->at_ms < y->at_ms);
}

static ht_err read_all(struct reader *r)
{
	const struct fold_input *in = r->in;
	ht_err err = HT_OK;

	for (size_t i = 0; i < in->n_records && !err; i++) {
		const struct fold_record *rec = &in->records[i];

		if (!rec->known || !is_dated(r, rec))
			continue;
		if (is_of_device(rec->metric))
			err = read_device(r, rec);
		else if (is_test(rec->metric))
			err = read_test(r, rec);
	}
	for (size_t i = 0; i < in->n_records && !err; i++) {
		const struct fold_record *rec = &in->records[i];

		if (rec->known && is_of_interface(rec->metric) && is_dated(r, rec))
			err = read_interface(r, rec);
	}
	return err;
}

ht_err bandwidth_pack_read(
    struct db *db, const struct fold_input *in, struct bandwidth_pack *out)
{
	struct reader r = { .db = db, .in = in, .pack = out };

	*out = (struct bandwidth_pack){ .n = 0 };
	ht_err err = read_all(&r);
	for (size_t i = 0; i < out->n; i++) {
		struct bandwidth_subject *s = &out->at[i];

		if (s->n_polls)
			qsort(s->polls, s->n_polls, sizeof(*s->polls), by_time);
		for (size_t k = 0; k < s->n_polls; k++)
			s->polls[k].journal_id = in->row->id;
	}
	return err;
}

void bandwidth_pack_fini(struct bandwidth_pack *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->at[i].polls);
		free(p->at[i].tests);
	}
	free(p->at);
	*p = (struct bandwidth_pack){ .n = 0 };
}
