/* One link: its four figures, what contradicts what, and what follows. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/derive/bandwidth.h"
#include "server/derive/bandwidth_sql.h"
#include "server/derive/facts_sql.h"
#include "server/derive/link_view.h"
#include "server/derive/problem.h"

#define YOUNG_SLOTS 288 /* a link that is watched for less than a day is news */

static ht_err ended(ht_err err)
{
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* ── what is known ───────────────────────────────────────────────────────────────── */

static ht_err read_registry(struct db *db, struct bandwidth_link *l)
{
	struct db_rows *r =
	    db_start(db, &bandwidth_sql, BANDWIDTH_SQL_LINK, "s", l->link);
	ht_err err = db_next(r);

	if (!err) {
		text_copy(l->agency, sizeof(l->agency), db_text(r, 0));
		l->facts.way[BANDWIDTH_DOWN].contracted = db_double(r, 1);
		l->facts.way[BANDWIDTH_UP].contracted = db_double(r, 2);
		text_copy(l->provider, sizeof(l->provider), db_text(r, 3));
		l->has_router = db_int(r, 4) != 0;
		l->registry_journal = db_int(r, 5);
	}
	db_done(r);
	return err;
}

static ht_err read_negotiated(struct db *db, struct bandwidth_link *l)
{
	struct db_rows *r =
	    db_start(db, &bandwidth_sql, BANDWIDTH_SQL_POLL_NEWEST, "s", l->link);
	ht_err err = db_next(r);

	if (!err) {
		double bps = db_double(r, 5);
		struct bandwidth_source *s = &l->negotiated;

		l->facts.polled = true;
		*s = (struct bandwidth_source){ .known = bps > 0,
			.at_ms = db_int(r, 4),
			.journal_id = db_int(r, 6) };
		text_copy(s->agent, sizeof(s->agent), db_text(r, 0));
		l->used_by = *s;
		text_copy(l->interface, sizeof(l->interface), db_text(r, 1));
		text_copy(l->interface_why, sizeof(l->interface_why), db_text(r, 2));
		l->interface_confidence = db_double(r, 3);
		for (int w = 0; w < BANDWIDTH_WAYS && s->known; w++)
			l->facts.way[w].negotiated = bps;
	}
	db_done(r);
	return ended(err);
}

static ht_err read_measured(
    struct db *db, struct bandwidth_link *l, enum bandwidth_way way)
{
	struct db_rows *r = db_start(db, &bandwidth_sql, BANDWIDTH_SQL_TEST_NEWEST, "ss",
	    l->link, bandwidth_way_name(way));
	ht_err err = db_next(r);

	if (!err) {
		struct bandwidth_source *s = &l->measured[way];
		struct bandwidth_four *f = &l->facts.way[way];

		*s = (struct bandwidth_source){
			.known = true, .at_ms = db_int(r, 1), .journal_id = db_int(r, 7)
		};
		text_copy(s->agent, sizeof(s->agent), db_text(r, 0));
		text_copy(l->endpoint, sizeof(l->endpoint), db_text(r, 3));
		f->measured = db_double(r, 4);
		f->measured_low = db_double(r, 5);
		f->measured_high = db_double(r, 6);
		if (!l->facts.tested || s->at_ms > l->facts.tested_ms)
			l->facts.tested_ms = s->at_ms;
		l->facts.tested = true;
	}
	db_done(r);
	return ended(err);
}

static ht_err read_attempt(struct db *db, struct bandwidth_link *l)
{
	struct db_rows *r =
	    db_start(db, &bandwidth_sql, BANDWIDTH_SQL_TEST_NEWEST, "ss", l->link, "any");
	ht_err err = db_next(r);

	if (!err) {
		l->attempted = true;
		l->attempted_ms = db_int(r, 1);
		text_copy(
		    l->attempted_status, sizeof(l->attempted_status), db_text(r, 2));
		l->attempted_journal = db_int(r, 7);
	}
	db_done(r);
	return ended(err);
}

/* ── what is used ────────────────────────────────────────────────────────────────── */

ht_err bandwidth_figures(struct db *db, const char *link, int64_t from_ms, int64_t to_ms,
    struct usage_figures *out)
{
	struct usage_window *w = NULL;
	ht_err err = usage_window_new(bandwidth_calendar(), from_ms, to_ms, &w);

	if (err)
		return err;
	struct db_rows *r = db_start(db, &bandwidth_sql, BANDWIDTH_SQL_HOURS, "sii", link,
	    usage_hour_of(from_ms), to_ms);
	while (!err && !(err = db_next(r))) {
		struct usage_hour h;
		size_t len;
		const void *bytes = db_blob(r, 1, &len);

		if (!usage_decode(bytes, len, &h))
			err = usage_window_hour(w, db_int(r, 0), &h);
	}
	db_done(r);
	err = ended(err);
	if (!err)
		usage_window_figures(w, out);
	usage_window_free(w);
	return err;
}

static ht_err first_hour(struct db *db, const char *link, int64_t *out_ms)
{
	struct db_rows *r =
	    db_start(db, &bandwidth_sql, BANDWIDTH_SQL_HOUR_FIRST, "s", link);
	ht_err err = db_next(r);

	*out_ms = err ? INT64_MIN : int_or(r, 0, INT64_MIN);
	db_done(r);
	return ended(err);
}

/* Most links of an import were never polled: nothing is counted for them. */
static ht_err read_used(struct db *db, struct bandwidth_link *l)
{
	const struct usage_way none = { NAN, NAN, NAN, NAN, NAN, NAN, -1 };
	int64_t window_ms = bandwidth_rules()->used_window_ns / HT_NS_PER_MS;
	int64_t to_ms = l->now_ms - l->now_ms % USAGE_SLOT_MS, first_ms;
	ht_err err = first_hour(db, l->link, &first_ms);

	l->used = (struct usage_figures){ .from_ms = to_ms - window_ms,
		.to_ms = to_ms,
		.declared = window_ms / USAGE_SLOT_MS,
		.down = none,
		.up = none };
	if (!err && first_ms != INT64_MIN)
		err = bandwidth_figures(db, l->link, to_ms - window_ms, to_ms, &l->used);
	if (err)
		return err;
	l->facts.used_coverage =
	    l->used.declared ? (double)l->used.observed / (double)l->used.declared : 0;
	l->facts.way[BANDWIDTH_DOWN].used_p95 = l->used.down.p95;
	l->facts.way[BANDWIDTH_DOWN].used_busy = l->used.down.busy;
	l->facts.way[BANDWIDTH_UP].used_p95 = l->used.up.p95;
	l->facts.way[BANDWIDTH_UP].used_busy = l->used.up.busy;
	return HT_OK;
}

/* ── months that are over ────────────────────────────────────────────────────────── */

static ht_err month_close(
    struct db *db, const char *link, int64_t from_ms, int64_t to_ms, int64_t row_id)
{
	struct usage_figures f;
	ht_err err = bandwidth_figures(db, link, from_ms, to_ms, &f);

	if (err)
		return err;
	const struct usage_way *d = &f.down, *u = &f.up;
	err = db_exec(db, &bandwidth_sql, BANDWIDTH_SQL_MONTH_PUT,
	    "siiiiiiDDDDDDIDDDDDDIi", link, from_ms, to_ms, f.declared, f.observed,
	    f.office_declared, f.office_observed, d->p95, d->mean, d->peak, d->office_p95,
	    d->office_mean, d->busy, d->busy_hour < 0 ? INT64_MIN : (int64_t)d->busy_hour,
	    u->p95, u->mean, u->peak, u->office_p95, u->office_mean, u->busy,
	    u->busy_hour < 0 ? INT64_MIN : (int64_t)u->busy_hour, row_id);
	return err ? err
		   : db_exec(db, &bandwidth_sql, BANDWIDTH_SQL_HOURS_DROP, "si", link,
			 usage_hour_of(to_ms));
}

static ht_err close_months(
    struct db *db, const char *link, int64_t now_ms, int64_t row_id)
{
	int64_t keep_ms = bandwidth_rules()->keep_after_ns / HT_NS_PER_MS;

	for (int n = 0; n < 120; n++) { /* ten years at one look */
		int64_t first_ms, from_ms, to_ms;
		ht_err err = first_hour(db, link, &first_ms);

		if (err || first_ms == INT64_MIN)
			return err;

		calendar_month_of(bandwidth_calendar(), first_ms, &from_ms, &to_ms);
		if (to_ms + keep_ms > now_ms)
			return HT_OK;
		err = month_close(db, link, from_ms, to_ms, row_id);
		if (err)
			return err;
	}
	return HT_OK;
}

/* ── what follows ────────────────────────────────────────────────────────────────── */

/* All findings that are one problem, in one sentence each. */
static bool sentence(const struct bandwidth_link *l, const char *problem,
    char out[static PROBLEM_REASON_MAX])
{
	size_t len = 0;

	for (size_t i = 0; i < l->verdict.n; i++) {
		const struct bandwidth_finding *f = &l->verdict.findings[i];
		const char *mine = bandwidth_finding_problem(f->kind);

		if (!mine || strcmp(mine, problem) != 0 || len >= PROBLEM_REASON_MAX)
			continue;
		len += (size_t)snprintf(out + len, PROBLEM_REASON_MAX - len, "%s%s",
		    len ? "; " : "", f->text);
	}
	return len > 0;
}

static ht_err problems(struct db *db, const struct bandwidth_link *l, int64_t row_id)
{
	static const char *const kinds[] = { "link-below-contract", "link-saturated",
		"link-contradiction" };
	ht_err err = HT_OK;

	for (size_t i = 0; i < HT_COUNT(kinds) && !err; i++) {
		char reason[PROBLEM_REASON_MAX], was[PROBLEM_ID_MAX + 1];

		if (!sentence(l, kinds[i], reason)) {
			err =
			    problem_close(db, kinds[i], l->link, l->now_ms, row_id, NULL);
			continue;
		}
		struct problem p = { .kind = kinds[i],
			.subject = l->link,
			.agency = l->agency,
			.provider = text_or_null(l->provider),
			.at_ms = l->now_ms,
			.reason = reason };
		/* Figures move every hour: what is open is not told anew for that. */
		err = problem_find(db, kinds[i], l->link, was);
		if (err == HT_NOTFOUND)
			err = problem_open(db, &p, row_id, NULL);
	}
	return err;
}

static bool differs(double a, double b)
{
	return isnan(a) != isnan(b) || (!isnan(a) && a != b);
}

/* Whether what the index reads has changed. */
static ht_err index_reads(struct db *db, const struct bandwidth_link *l, int64_t bits,
    const char *findings, bool *out_changed, char out_agency[static HT_ID_MAX + 1])
{
	struct db_rows *r = db_start(db, &bandwidth_sql, BANDWIDTH_SQL_GET, "s", l->link);
	const struct bandwidth_four *d = &l->facts.way[BANDWIDTH_DOWN],
				    *u = &l->facts.way[BANDWIDTH_UP];
	ht_err err = db_next(r);

	*out_changed = true;
	out_agency[0] = '\0';
	if (!err) {
		*out_changed = db_int(r, 0) != bits ||
			       differs(db_double(r, 1), d->negotiated) ||
			       db_int(r, 2) != l->negotiated.journal_id ||
			       differs(db_double(r, 3), d->measured) ||
			       db_int(r, 4) != l->measured[BANDWIDTH_DOWN].journal_id ||
			       differs(db_double(r, 5), u->measured) ||
			       db_int(r, 6) != l->measured[BANDWIDTH_UP].journal_id ||
			       differs(db_double(r, 7), d->used_p95) ||
			       differs(db_double(r, 8), u->used_p95) ||
			       differs(db_double(r, 9), l->facts.used_coverage) ||
			       strcmp(db_text(r, 10), findings) != 0;
		text_copy(out_agency, HT_ID_MAX + 1, db_text(r, 11));
	}
	db_done(r);
	return ended(err);
}

/* Links are looked at each at its own minute of the hour; new ones more often, and those
 * of which nothing is measured when something comes. */
static int64_t next_look(const struct bandwidth_link *l)
{
	uint32_t h = 2166136261u;

	if (!l->facts.polled && !l->attempted)
		return INT64_MIN;
	if (l->facts.polled && l->used.observed < YOUNG_SLOTS &&
	    l->now_ms - l->negotiated.at_ms < USAGE_HOUR_MS)
		return l->now_ms - l->now_ms % USAGE_SLOT_MS + USAGE_SLOT_MS;
	for (const char *at = l->link; *at; at++)
		h = (h ^ (uint8_t)*at) * 16777619u;
	int64_t phase = h % USAGE_HOUR_MS, since = l->now_ms - phase;
	return phase + since - since % USAGE_HOUR_MS + USAGE_HOUR_MS;
}

static ht_err store(struct db *db, const struct bandwidth_link *l, const char *findings,
    const char *document)
{
	const struct bandwidth_four *d = &l->facts.way[BANDWIDTH_DOWN],
				    *u = &l->facts.way[BANDWIDTH_UP];
	int64_t bits = l->verdict.contradicted[BANDWIDTH_DOWN] |
		       l->verdict.contradicted[BANDWIDTH_UP] << 1;
	char before[HT_ID_MAX + 1];
	bool changed;
	ht_err err = index_reads(db, l, bits, findings, &changed, before);

	if (!err)
		err = db_exec(db, &bandwidth_sql, BANDWIDTH_SQL_PUT,
		    "ssiIiDiDDDiDDDiDDdssI", l->link, l->agency, l->now_ms, next_look(l),
		    bits, d->negotiated, l->negotiated.journal_id, d->measured,
		    d->measured_low, d->measured_high,
		    l->measured[BANDWIDTH_DOWN].journal_id, u->measured, u->measured_low,
		    u->measured_high, l->measured[BANDWIDTH_UP].journal_id, d->used_p95,
		    u->used_p95, l->facts.used_coverage, findings, document,
		    l->measured[BANDWIDTH_DOWN].at_ms);
	if (!err && changed)
		err = facts_index_dirty(db, l->agency, l->now_ms);
	if (!err && before[0] && strcmp(before, l->agency) != 0)
		err = facts_index_dirty(db, before, l->now_ms);
	return err;
}

static ht_err conclude(struct db *db, struct bandwidth_link *l, int64_t row_id)
{
	char *document = NULL, *findings = NULL;

	l->facts.now_ms = l->now_ms;
	bandwidth_check(bandwidth_rules(), &l->facts, &l->verdict);
	ht_err err = bandwidth_document(l, &document, &findings);
	if (!err)
		err = store(db, l, findings, document);
	if (!err)
		err = problems(db, l, row_id);
	free(document);
	free(findings);
	return err;
}

static ht_err end(struct db *db, struct bandwidth_link *l, int64_t row_id)
{
	ht_err err =
	    db_exec(db, &bandwidth_sql, BANDWIDTH_SQL_POLLS_REMOVE, "s", l->link);

	if (!err)
		err = db_exec(db, &bandwidth_sql, BANDWIDTH_SQL_REMOVE, "s", l->link);
	return err ? err : problems(db, l, row_id); /* no findings: all end */
}

ht_err bandwidth_evaluate(struct db *db, const char *link, int64_t now_ms, int64_t row_id)
{
	const struct bandwidth_four none = { NAN, NAN, NAN, NAN, NAN, NAN, NAN };
	struct bandwidth_link l = { .link = link,
		.facts = { .way = { none, none } },
		.negotiated = { .at_ms = INT64_MIN },
		.measured = { { .at_ms = INT64_MIN }, { .at_ms = INT64_MIN } },
		.used_by = { .at_ms = INT64_MIN },
		.interface_confidence = NAN,
		.now_ms = now_ms };
	ht_err err = read_registry(db, &l);

	if (err == HT_NOTFOUND)
		return end(db, &l, row_id);
	if (!err)
		err = read_negotiated(db, &l);
	for (int w = 0; w < BANDWIDTH_WAYS && !err; w++)
		err = read_measured(db, &l, (enum bandwidth_way)w);
	if (!err)
		err = read_attempt(db, &l);
	if (!err)
		err = read_used(db, &l);
	if (!err)
		err = close_months(db, link, now_ms, row_id);
	return err ? err : conclude(db, &l, row_id);
}
