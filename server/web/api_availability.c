/* Availability of a month: links are counted one by one (server/derive/availability.h)
 * and summed up into the whole and its parts. Memory is bounded by one link's spans and
 * one small row a link. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/derive/availability.h"
#include "server/web/api.h"
#include "server/web/context.h"
#include "server/web/ledger_sql.h"
#include "server/web/value.h"

#define VIETNAM_MIN 420

enum { SPANS_MAX = 20000, OUTAGES_MAX = 10000, WINDOWS_MAX = 1000, LINKS_MAX = 100000 };

/* What one link is counted from; reused. */
struct ledger {
	struct availability_span *spans;
	struct availability_outage *outages;
	struct availability_window *windows;
	size_t n_spans, n_outages, n_windows;
	int64_t from_ms, to_ms, now_ms;
	bool truncated;
};

struct part {
	char *key; /* owned; "" for none */
	struct availability_sums sums;
};

struct parts {
	struct part *at;
	size_t n, cap;
};

static ht_err ledger_init(struct ledger *l)
{
	l->spans = malloc(SPANS_MAX * sizeof(*l->spans));
	l->outages = malloc(OUTAGES_MAX * sizeof(*l->outages));
	l->windows = malloc(WINDOWS_MAX * sizeof(*l->windows));
	return l->spans && l->outages && l->windows ? HT_OK : HT_NOMEM;
}

static void ledger_fini(struct ledger *l)
{
	free(l->spans);
	free(l->outages);
	free(l->windows);
}

static int64_t end_of(const struct db_rows *rows, int column)
{
	return db_is_null(rows, column) ? AVAILABILITY_OPEN : db_int(rows, column);
}

static ht_err spans_get(struct db *db, const char *link, struct ledger *l)
{
	struct db_rows *rows = db_start(db, &ledger_sql, LEDGER_SQL_SPANS, "siii", link,
	    l->from_ms, l->to_ms, (int64_t)SPANS_MAX);
	ht_err err = HT_OK;

	l->n_spans = 0;
	while (l->n_spans < SPANS_MAX && !(err = db_next(rows))) {
		struct availability_span *s = &l->spans[l->n_spans++];

		*s = (struct availability_span){ db_int(rows, 0), end_of(rows, 1),
			LINK_UNKNOWN };
		(void)link_state_find(db_text(rows, 2), &s->state);
	}
	l->truncated = l->truncated || l->n_spans == SPANS_MAX;
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err outages_get(struct db *db, const char *link, struct ledger *l)
{
	struct db_rows *rows = db_start(db, &ledger_sql, LEDGER_SQL_OUTAGES, "siii", link,
	    l->from_ms, l->to_ms, (int64_t)OUTAGES_MAX);
	ht_err err = HT_OK;

	l->n_outages = 0;
	while (l->n_outages < OUTAGES_MAX && !(err = db_next(rows))) {
		const char *cause = db_text(rows, 6);

		l->outages[l->n_outages++] = (struct availability_outage){
			.estimate_start_ms = db_int(rows, 1),
			.estimate_end_ms = end_of(rows, 2),
			.start_ms = db_int(rows, 3),
			.end_ms = end_of(rows, 4),
			.unreachable = strcmp(db_text(rows, 5), "UNREACHABLE") == 0,
			.not_the_link =
			    strcmp(cause, "server") == 0 || strcmp(cause, "agent") == 0,
		};
	}
	l->truncated = l->truncated || l->n_outages == OUTAGES_MAX;
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* Also those before the period that an outage reaching into it lay in. */
static ht_err windows_get(struct db *db, const char *link, struct ledger *l)
{
	int64_t from_ms = l->from_ms;

	if (l->n_outages && l->outages[0].start_ms < from_ms)
		from_ms = l->outages[0].start_ms;
	struct db_rows *rows = db_start(db, &ledger_sql, LEDGER_SQL_WINDOWS, "siii", link,
	    from_ms, l->to_ms, (int64_t)WINDOWS_MAX);
	ht_err err = HT_OK;
	l->n_windows = 0;
	while (l->n_windows < WINDOWS_MAX && !(err = db_next(rows)))
		l->windows[l->n_windows++] =
		    (struct availability_window){ db_int(rows, 0), db_int(rows, 1) };
	l->truncated = l->truncated || l->n_windows == WINDOWS_MAX;
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err link_count(
    struct db *db, const char *link, struct ledger *l, struct availability_sums *sums)
{
	ht_err err = spans_get(db, link, l);

	if (!err)
		err = outages_get(db, link, l);
	if (!err)
		err = windows_get(db, link, l);
	return err ? err
		   : availability_count(l->spans, l->n_spans, l->outages, l->n_outages,
			 l->windows, l->n_windows, l->from_ms, l->to_ms, l->now_ms, sums);
}

/* ── parts ── */

static ht_err part_put(
    struct parts *p, const char *key, const struct availability_sums *sums)
{
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 64;
		struct part *at = realloc(p->at, cap * sizeof(*at));
		if (!at)
			return HT_NOMEM;
		p->at = at;
		p->cap = cap;
	}
	char *copy = strdup(key ? key : "");
	if (!copy)
		return HT_NOMEM;
	p->at[p->n++] = (struct part){ copy, *sums };
	return HT_OK;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct part *)a)->key, ((const struct part *)b)->key);
}

/* One part a key. */
static void parts_merge(struct parts *p)
{
	size_t n = 0;

	if (p->n)
		qsort(p->at, p->n, sizeof(*p->at), by_key);
	for (size_t i = 0; i < p->n; i++) {
		if (n && strcmp(p->at[n - 1].key, p->at[i].key) == 0) {
			availability_add(&p->at[n - 1].sums, &p->at[i].sums);
			free(p->at[i].key);
		} else {
			p->at[n++] = p->at[i];
		}
	}
	p->n = n;
}

static void parts_fini(struct parts *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->at[i].key);
	free(p->at);
}

/* ── the request ── */

struct asked {
	const char *scope, *id, *by;
	char month[8];
	int offset_min;
};

static bool asked_read(
    struct request *rq, struct reply *re, struct asked *a, struct ledger *l)
{
	const int64_t *offset = web_context(rq->web)->options.utc_offset_min;
	const char *month = param_text(&rq->query, "month");

	a->scope = param_text(&rq->query, "scope");
	a->scope = a->scope ? a->scope : "all";
	a->id = param_text(&rq->query, "id");
	a->by = param_text(&rq->query, "by");
	a->by = a->by ? a->by : "link";
	a->offset_min = offset ? (int)*offset : VIETNAM_MIN;
	availability_month_of(rq->now_ms, a->offset_min, a->month);
	if (month)
		snprintf(a->month, sizeof(a->month), "%s", month);
	if (availability_month(a->month, a->offset_min, &l->from_ms, &l->to_ms)) {
		http_invalid(re, "parameter \"month\" must be a month such as 2026-11");
		return false;
	}
	if ((strcmp(a->scope, "all") == 0) == (a->id != NULL)) {
		http_invalid(re, a->id ? "scope all takes no id: leave it out"
				       : "parameter \"id\" is missing: say which");
		return false;
	}
	l->now_ms = rq->now_ms;
	return true;
}

static struct db_rows *links_start(struct request *rq, const struct asked *a)
{
	bool agency =
	    strcmp(a->scope, "agency") == 0 || strcmp(a->scope, "district") == 0;

	return db_start(rq->db, &ledger_sql, LEDGER_SQL_LINKS, "ssssi",
	    strcmp(a->scope, "link") == 0 ? a->id : NULL,
	    strcmp(a->scope, "provider") == 0 ? a->id : NULL, agency ? a->id : NULL,
	    http_scope(rq), (int64_t)LINKS_MAX);
}

static ht_err links_count(struct request *rq, const struct asked *a, struct ledger *l,
    struct availability_sums *total, struct parts *parts)
{
	static const char *const keys[] = { "link", "agency", "provider", "district" };
	struct db_rows *rows = links_start(rq, a);
	int column = 0;
	ht_err err;

	while (strcmp(keys[column], a->by) != 0)
		column++;
	while (!(err = db_next(rows))) {
		struct availability_sums sums = { 0 };

		err = link_count(rq->db, db_text(rows, 0), l, &sums);
		if (!err)
			err = part_put(parts, db_text(rows, column), &sums);
		if (err)
			break;
		availability_add(total, &sums);
	}
	db_done(rows);
	parts_merge(parts);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* ── the reply ── */

static void figures_put(struct emit *e, const struct availability_sums *s)
{
	const struct {
		const char *key;
		int64_t ms;
	} times[] = {
		{ "up_s", s->up_ms },
		{ "degraded_s", s->degraded_ms },
		{ "down_s", s->down_ms },
		{ "unreachable_s", s->unreachable_ms },
		{ "unknown_s", s->unknown_ms },
		{ "maintenance_s", s->maintenance_ms },
	};

	emit_int(e, "links", s->links);
	for (size_t i = 0; i < HT_COUNT(times); i++)
		emit_double(e, times[i].key, (double)times[i].ms / 1000);
	emit_int(e, "outages", s->outages);
	emit_double(e, "outage_minutes", (double)s->down_ms / 60000);
	emit_double(e, "availability", availability_share(s));
	emit_double(e, "service_availability", availability_service(s));
	emit_double(e, "coverage", availability_coverage(s));
	emit_double(e, "mttr_s", availability_mttr_s(s));
	emit_double(e, "mtbf_s", availability_mtbf_s(s));
}

static void part_name(struct request *rq, struct emit *e, const char *key)
{
	struct db_rows *rows =
	    db_start(rq->db, &ledger_sql, LEDGER_SQL_AGENCY_NAME, "s", key);

	emit_text(e, "name", db_next(rows) ? NULL : db_text(rows, 0));
	db_done(rows);
}

static void parts_emit(
    struct request *rq, struct page *p, const struct asked *a, const struct parts *parts)
{
	bool named = strcmp(a->by, "agency") == 0 || strcmp(a->by, "district") == 0;

	for (size_t i = 0; i < parts->n; i++) {
		const struct part *part = &parts->at[i];

		if (page_after(rq)[0] && strcmp(part->key, page_after(rq)) <= 0)
			continue;
		if (!page_item(p, part->key))
			return;
		emit_object(&p->e, NULL);
		emit_text(&p->e, "id", part->key[0] ? part->key : NULL);
		if (named)
			part_name(rq, &p->e, part->key);
		figures_put(&p->e, &part->sums);
		emit_end_object(&p->e);
	}
}

static void rules_emit(struct emit *e)
{
	emit_list(e, "rules");
	for (size_t i = 0; i < AVAILABILITY_RULES; i++) {
		emit_object(e, NULL);
		emit_text(e, "vi", availability_rules[i].vi);
		emit_text(e, "en", availability_rules[i].en);
		emit_end_object(e);
	}
	emit_end_list(e);
}

/* Of one link: each outage of the period by both clocks. */
static void outages_emit(
    struct request *rq, struct emit *e, const char *link, const struct ledger *l)
{
	struct db_rows *rows = db_start(rq->db, &ledger_sql, LEDGER_SQL_OUTAGES, "siii",
	    link, l->from_ms, l->to_ms, (int64_t)HTTP_PAGE_MAX);

	emit_list(e, "outages");
	while (!db_next(rows)) {
		int64_t start = db_int(rows, 3), end = end_of(rows, 4);

		if (end <= l->from_ms || start >= l->to_ms)
			continue;
		emit_object(e, NULL);
		emit_text(e, "id", db_text(rows, 0));
		emit_text(e, "state", db_text(rows, 5));
		emit_text(e, "cause", db_text(rows, 6));
		emit_text(e, "cause_reason", db_text(rows, 7));
		emit_time(e, "start", start);
		emit_time(e, "end", end == AVAILABILITY_OPEN ? INT64_MIN : end);
		emit_time(e, "estimate_start", db_int(rows, 1));
		emit_time(e, "estimate_end", value_time(rows, 2));
		emit_time(e, "edge_start", value_time(rows, 8));
		emit_time(e, "edge_end", value_time(rows, 9));
		emit_end_object(e);
	}
	emit_end_list(e);
	db_done(rows);
}

static void availability_emit(struct request *rq, struct reply *re, const struct asked *a,
    const struct ledger *l, const struct availability_sums *total,
    const struct parts *parts)
{
	struct page p;

	page_begin(&p, rq, re);
	parts_emit(rq, &p, a, parts);
	page_end(&p);
	emit_text(&p.e, "scope", a->scope);
	emit_text(&p.e, "id", a->id);
	emit_text(&p.e, "month", a->month);
	emit_time(&p.e, "from", l->from_ms);
	emit_time(&p.e, "to", l->to_ms);
	emit_time(&p.e, "counted_to", l->now_ms < l->to_ms ? l->now_ms : l->to_ms);
	emit_int(&p.e, "utc_offset_minutes", a->offset_min);
	emit_bool(&p.e, "truncated", l->truncated);
	emit_text(&p.e, "by", a->by);
	emit_object(&p.e, "total");
	figures_put(&p.e, total);
	emit_end_object(&p.e);
	if (strcmp(a->scope, "link") == 0)
		outages_emit(rq, &p.e, a->id, l);
	rules_emit(&p.e);
	page_finish(&p);
}

void availability_show(struct request *rq, struct reply *re)
{
	struct availability_sums total = { 0 };
	struct parts parts = { 0 };
	struct ledger l = { 0 };
	struct asked a;

	if (!asked_read(rq, re, &a, &l))
		return;
	ht_err err = ledger_init(&l);
	if (!err)
		err = links_count(rq, &a, &l, &total, &parts);
	if (err)
		http_failed(re, err, "counting availability");
	else if (!total.links && a.id)
		http_not_found(re, a.scope, a.id);
	else
		availability_emit(rq, re, &a, &l, &total, &parts);
	parts_fini(&parts);
	ledger_fini(&l);
}
