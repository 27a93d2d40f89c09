/* What became of a link: spans, outages, problems. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "server/derive/facts_sql.h"
#include "server/derive/link_sql.h"
#include "server/derive/links.h"

#define NEVER INT64_MIN

enum { OUTAGE_ID_MAX = HT_INSTANCE_MAX + 32, FACTS_MAX = 2 * HT_INSTANCE_MAX + 400 };

/* A vantage tells losses, then finds that it was blind: those were none. */
#define WITHDRAW_MS INT64_C(60000)

/* ── spans ───────────────────────────────────────────────────────────────────────── */

static bool lives(enum link_state s)
{
	return s == LINK_UP || s == LINK_DEGRADED;
}

/* When the state that is shown began, as far as anybody can tell. */
static int64_t began(const struct link_turn *t, const struct link_news *n)
{
	const struct link_verdict *v = n->verdict;
	bool judged = n->shown == v->state && n->now->state == v->state;
	int64_t at = t->now_ms;

	if (judged && v->at_ms != NEVER &&
	    (!link_dead(n->shown) || !link_dead(n->old->state)))
		at = v->at_ms;
	else if (n->shown == LINK_UNREACHABLE && v->state == LINK_DOWN &&
		 lives(n->old->state))
		at = v->at_ms;
	return at < t->now_ms ? at : t->now_ms;
}

static ht_err span_put(
    const struct link_turn *t, struct link_news *n, int64_t from_ms, bool is_open)
{
	ht_err err = HT_OK;

	n->at_ms = began(t, n);
	if (is_open &&
	    n->at_ms <= from_ms) /* known since before: it holds from the reading on */
		n->at_ms = n->verdict->measured_ms > from_ms &&
				   n->verdict->measured_ms <= t->now_ms
			       ? n->verdict->measured_ms
			       : t->now_ms;
	if (is_open && n->at_ms <= from_ms)
		n->at_ms = from_ms + 1;
	if (is_open)
		err = db_exec(
		    t->db, &link_sql, LINK_SQL_SPAN_CLOSE, "is", n->at_ms, n->link);
	return err ? err
		   : db_exec(t->db, &link_sql, LINK_SQL_SPAN_PUT, "sissssi", n->link,
			 n->at_ms, link_state_name(n->shown), n->why, n->reason, n->agent,
			 t->row_id);
}

static ht_err span(const struct link_turn *t, struct link_news *n)
{
	struct db_rows *r = db_start(t->db, &link_sql, LINK_SQL_SPAN_OPEN, "s", n->link);
	ht_err err = db_next(r);
	bool is_open = !err;
	int64_t from_ms = is_open ? db_int(r, 0) : NEVER;
	bool same = is_open && strcmp(db_text(r, 1), link_state_name(n->shown)) == 0;
	bool same_why = same && strcmp(db_text(r, 2), n->why) == 0;

	db_done(r);
	if (err && err != HT_NOTFOUND)
		return err;
	n->at_ms = from_ms;
	if (!same)
		return span_put(t, n, from_ms, is_open);
	if (same_why)
		return HT_OK;
	return db_exec(t->db, &link_sql, LINK_SQL_SPAN_SAY, "ssss", n->why, n->reason,
	    n->agent, n->link);
}

/* ── outages ─────────────────────────────────────────────────────────────────────── */

struct outage {
	bool there;
	char id[OUTAGE_ID_MAX], state[16], root[OUTAGE_ID_MAX];
	int64_t start_ms;
};

static ht_err outage_get(struct db *db, const char *link, struct outage *out)
{
	struct db_rows *r = db_start(db, &link_sql, LINK_SQL_OUTAGE_OPEN, "s", link);
	ht_err err = db_next(r);

	*out = (struct outage){ 0 };
	if (!err) {
		out->there = true;
		text_copy(out->id, sizeof(out->id), db_text(r, 0));
		text_copy(out->state, sizeof(out->state), db_text(r, 1));
		text_copy(out->root, sizeof(out->root), db_text(r, 2));
		out->start_ms = db_int(r, 3);
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err outage_id(
    struct db *db, const char *link, int64_t start_ms, char out[static OUTAGE_ID_MAX])
{
	time_t s = (time_t)(start_ms / 1000);
	struct tm tm;
	char at[24];
	ht_err err = HT_OK;

	gmtime_r(&s, &tm);
	strftime(at, sizeof(at), "%Y%m%dT%H%M%SZ", &tm);
	for (int n = 1; !err; n++) {
		if (n == 1)
			snprintf(out, OUTAGE_ID_MAX, "%s-%s", link, at);
		else
			snprintf(out, OUTAGE_ID_MAX, "%s-%s-%d", link, at, n);
		struct db_rows *r =
		    db_start(db, &link_sql, LINK_SQL_OUTAGE_EXISTS, "s", out);
		err = db_next(r);
		db_done(r);
	}
	return err == HT_NOTFOUND ? HT_OK : err;
}

static const char *cause_of(const struct link_news *n)
{
	return n->now->state == LINK_UNREACHABLE ? "parent" : "unknown";
}

static const char *cause_reason(const struct link_news *n)
{
	return n->now->state == LINK_UNREACHABLE ? "what it hangs on was dead"
						 : "not known yet";
}

static ht_err outage_begin(const struct link_turn *t, const struct link_news *n,
    const char *root, struct outage *out)
{
	const struct link_verdict *v = n->verdict;
	bool estimated =
	    v->state == LINK_DOWN && v->at_ms != NEVER && v->at_ms <= t->now_ms;
	int64_t start_ms = estimated ? v->at_ms : t->now_ms;
	char evidence[32];
	ht_err err = outage_id(t->db, n->link, start_ms, out->id);

	snprintf(evidence, sizeof(evidence), "[%" PRId64 "]", t->row_id);
	if (err)
		return err;
	out->there = true;
	out->start_ms = start_ms;
	return db_exec(t->db, &link_sql, LINK_SQL_OUTAGE_PUT, "ssssssiisssi", out->id,
	    n->link, n->now->agency, text_or_null(n->now->provider),
	    link_state_name(n->now->state), root, start_ms,
	    estimated ? v->uncertainty_ms : 60000, cause_of(n), cause_reason(n), evidence,
	    t->row_id);
}

static ht_err outage_end(
    const struct link_turn *t, const struct link_news *n, const struct outage *o)
{
	const struct link_verdict *v = n->verdict;
	bool estimated = lives(v->state) && v->at_ms != NEVER && v->at_ms <= t->now_ms &&
			 v->at_ms > o->start_ms;

	return db_exec(t->db, &link_sql, LINK_SQL_OUTAGE_CLOSE, "iiis",
	    estimated ? v->at_ms : t->now_ms, estimated ? v->uncertainty_ms : 1000,
	    t->row_id, o->id);
}

static bool withdrawn(const struct link_news *n, const struct outage *o)
{
	return n->now->state == LINK_UNKNOWN && n->blind_ms != NEVER &&
	       o->start_ms >= n->blind_ms - WITHDRAW_MS;
}

/* Not known is neither: an outage that lasts goes on until the link is seen to live. */
static ht_err outage(const struct link_turn *t, struct link_news *n, struct outage *o)
{
	struct outage root = { 0 };
	ht_err err = HT_OK;

	if (!link_dead(n->now->state) && !link_dead(n->old->state) && !n->old->problems &&
	    n->old->there && n->now->state == n->old->state)
		return HT_OK; /* nearly always */
	err = outage_get(t->db, n->link, o);
	if (!err && n->now->root[0])
		err = outage_get(t->db, n->now->root, &root);
	if (!root.there && n->now->state == LINK_UNREACHABLE)
		text_copy(root.id, sizeof(root.id), o->root); /* it ended a moment ago */
	if (err)
		return err;
	if (link_dead(n->now->state) && !o->there)
		return outage_begin(t, n, text_or_null(root.id), o);
	if (link_dead(n->now->state) &&
	    (strcmp(o->state, link_state_name(n->now->state)) != 0 ||
		strcmp(o->root, root.id) != 0))
		return db_exec(t->db, &link_sql, LINK_SQL_OUTAGE_TURN, "sssss",
		    link_state_name(n->now->state), text_or_null(root.id), cause_of(n),
		    cause_reason(n), o->id);
	if (o->there && lives(n->now->state))
		return outage_end(t, n, o);
	if (o->there && withdrawn(n, o))
		return db_exec(t->db, &link_sql, LINK_SQL_OUTAGE_REMOVE, "s", o->id);
	return HT_OK;
}

/* ── problems ────────────────────────────────────────────────────────────────────── */

static bool wants_down(const struct link_news *n)
{
	return n->now->state == LINK_DOWN && !n->now->flap.unstable;
}

static bool wants_unreachable(const struct link_news *n)
{
	return n->now->state == LINK_UNREACHABLE;
}

static bool wants_degraded(const struct link_news *n)
{
	return n->now->state == LINK_DEGRADED && strcmp(n->verdict->why, "lossy") == 0 &&
	       !n->now->flap.unstable;
}

static bool wants_unstable(const struct link_news *n)
{
	return n->now->flap.unstable;
}

static bool wants_unpingable(const struct link_news *n)
{
	return strcmp(n->why, "data-flows") == 0;
}

static const struct kind {
	int bit;
	bool (*wants)(const struct link_news *n);
	const char *reason; /* NULL: the link's own */
} kinds[] = {
	{ LINK_PROBLEM_UNSTABLE, wants_unstable,
	    "it goes down and comes back again and again" },
	{ LINK_PROBLEM_DOWN, wants_down, NULL },
	{ LINK_PROBLEM_UNREACHABLE, wants_unreachable, NULL },
	{ LINK_PROBLEM_DEGRADED, wants_degraded, NULL },
	{ LINK_PROBLEM_UNPINGABLE, wants_unpingable, NULL },
};

const char *const link_problem_kinds[] = { "link-unstable", "link-down",
	"link-unreachable", "link-degraded", "link-unpingable" };
const size_t link_problem_kinds_len = HT_COUNT(link_problem_kinds);

/* The problem of the link that explains this one; as before when it has ended, "" when
 * there is none. */
static ht_err root_problem(struct db *db, const char *root, char out[PROBLEM_ID_MAX + 1])
{
	char found[PROBLEM_ID_MAX + 1] = "";
	ht_err err = HT_NOTFOUND;

	if (root[0])
		err = problem_find(db, "link-down", root, found);
	if (root[0] && err == HT_NOTFOUND)
		err = problem_find(db, "link-unstable", root, found);
	if (!err || !root[0])
		memcpy(out, found, sizeof(found));
	return err == HT_NOTFOUND ? HT_OK : err;
}

static void facts_of(const struct link_news *n, const struct outage *o, int64_t at_ms,
    char out[static FACTS_MAX])
{
	char since[HT_RFC3339_LEN + 1];
	int len;

	ht_rfc3339(at_ms, since);
	len =
	    snprintf(out, FACTS_MAX, "{\"link\":\"%s\",\"role\":\"%s\",\"since\":\"%s\"",
		n->link, n->now->role, since);
	if (o->there)
		len += snprintf(
		    out + len, FACTS_MAX - (size_t)len, ",\"outage\":\"%s\"", o->id);
	if (n->now->root[0])
		len += snprintf(
		    out + len, FACTS_MAX - (size_t)len, ",\"root\":\"%s\"", n->now->root);
	snprintf(out + len, FACTS_MAX - (size_t)len, "}");
}

static ht_err open_problem(const struct link_turn *t, const struct link_news *n, size_t i,
    const struct outage *o)
{
	bool dead = kinds[i].bit & (LINK_PROBLEM_DOWN | LINK_PROBLEM_UNREACHABLE);
	int64_t at_ms = dead && o->there && o->start_ms > n->at_ms - WITHDRAW_MS &&
				!link_dead(n->old->state)
			    ? o->start_ms
			    : t->now_ms;
	char facts[FACTS_MAX];
	struct problem p = { .kind = link_problem_kinds[i],
		.subject = n->link,
		.agency = n->now->agency,
		.provider = text_or_null(n->now->provider),
		.root = kinds[i].bit == LINK_PROBLEM_UNREACHABLE
			    ? text_or_null(n->now->root_problem)
			    : NULL,
		.at_ms = at_ms < t->now_ms ? at_ms : t->now_ms,
		.reason = kinds[i].reason ? kinds[i].reason : n->reason,
		.facts = facts };

	facts_of(n, o, p.at_ms, facts);
	return problem_open(t->db, &p, t->row_id, NULL);
}

static ht_err close_problem(
    const struct link_turn *t, const struct link_news *n, size_t i, const char *reason)
{
	int64_t at_ms = lives(n->now->state) && n->at_ms <= t->now_ms &&
				!lives(n->old->state) && !n->now->muted
			    ? n->at_ms
			    : t->now_ms;

	return problem_close(
	    t->db, link_problem_kinds[i], n->link, at_ms, t->row_id, reason);
}

static ht_err problem(const struct link_turn *t, struct link_news *n, size_t i,
    const struct outage *o, bool is_withdrawn)
{
	int bit = kinds[i].bit;
	bool wanted = !n->now->muted && kinds[i].wants(n),
	     is_open = n->old->problems & bit;
	bool other_root = bit == LINK_PROBLEM_UNREACHABLE &&
			  strcmp(n->old->root_problem, n->now->root_problem) != 0;
	/* What is not known closes nothing, but for what was never true. */
	bool keep = n->now->state == LINK_UNKNOWN && !n->now->muted && !is_withdrawn &&
		    bit != LINK_PROBLEM_UNSTABLE;

	if (wanted) {
		n->now->problems |= bit;
		return is_open && !other_root ? HT_OK : open_problem(t, n, i, o);
	}
	if (!is_open || keep)
		return HT_OK;
	n->now->problems &= ~bit;
	return close_problem(t, n, i,
	    n->now->muted  ? "it is under maintenance"
	    : is_withdrawn ? "the vantage saw nothing at all then: it was no outage"
			   : NULL);
}

static ht_err problems(
    const struct link_turn *t, struct link_news *n, const struct outage *o)
{
	bool is_withdrawn = (o->there || n->old->problems) && withdrawn(n, o) &&
			    n->old->state != LINK_UNKNOWN;
	if (strcmp(n->old->root, n->now->root) != 0)
		n->now->root_problem[0] = '\0';
	ht_err err = root_problem(t->db, n->now->root, n->now->root_problem);

	for (size_t i = 0; i < HT_COUNT(kinds) && !err; i++)
		err = problem(t, n, i, o, is_withdrawn);
	return err;
}

ht_err link_record(const struct link_turn *t, struct link_news *n)
{
	struct outage o = { 0 };
	ht_err err = span(t, n);

	if (!err)
		err = outage(t, n, &o);
	return err ? err : problems(t, n, &o);
}

/* ── the end ─────────────────────────────────────────────────────────────────────── */

ht_err link_end(const struct link_turn *t, const char *link)
{
	static const enum facts_statement gone[] = { FACTS_LINKS_REMOVE,
		FACTS_LINK_VIEWS_REMOVE, FACTS_LINK_HOURS_REMOVE };
	static const enum link_statement gone_too[] = { LINK_SQL_MEMORY_REMOVE,
		LINK_SQL_REACHES_REMOVE, LINK_SQL_PARENTS_CLEAR };
	struct link_memory old;
	struct outage o;
	ht_err err = link_memory_get(t->db, link, &old);

	if (!err && old.there)
		err = facts_index_dirty(t->db, old.agency, t->now_ms);
	if (!err)
		err = outage_get(t->db, link, &o);
	if (!err && o.there)
		err = db_exec(t->db, &link_sql, LINK_SQL_OUTAGE_CLOSE, "iiis", t->now_ms,
		    (int64_t)0, t->row_id, o.id);
	if (!err)
		err =
		    db_exec(t->db, &link_sql, LINK_SQL_SPAN_CLOSE, "is", t->now_ms, link);
	for (size_t i = 0; i < link_problem_kinds_len && !err; i++)
		err = problem_close(t->db, link_problem_kinds[i], link, t->now_ms,
		    t->row_id, "the link left the registry");
	for (size_t i = 0; i < HT_COUNT(gone) && !err; i++)
		err = db_exec(t->db, &facts_sql, gone[i], "s", link);
	for (size_t i = 0; i < HT_COUNT(gone_too) && !err; i++)
		err = db_exec(t->db, &link_sql, gone_too[i], "s", link);
	if (!err)
		err = db_exec(
		    t->db, &link_sql, LINK_SQL_MARK_CHILDREN, "is", t->now_ms, link);
	return err || !old.there ? err : agency_evaluate(t, old.agency);
}
