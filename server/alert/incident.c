#include "server/alert/incident.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/alert/group.h"
#include "server/alert/incident_sql.h"
#include "server/alert/tell.h"
#include "server/derive/folds.h"
#include "server/store/journal.h"

enum { CHAIN_MAX = 16, ABOVE_MAX = 16, NEAR_MAX = 4096 };

#define CROWD_MS     10000 /* "just now", for `gather` */
#define LIVE_STEP_MS 60000 /* the mark moves at least so often */

static const char *const group_names[] = { "problem", "parent", "provider", "district" };

static void copy(char *out, size_t cap, const char *text)
{
	snprintf(out, cap, "%s", text ? text : "");
}

static const char *or_null(const char *text)
{
	return text[0] ? text : NULL;
}

static int64_t int_or(const struct db_rows *r, int column)
{
	return db_is_null(r, column) ? INCIDENT_NONE_MS : db_int(r, column);
}

/* ── rows ────────────────────────────────────────────────────────────────────────── */

static enum incident_group group_of(const char *text)
{
	for (size_t i = 0; i < HT_COUNT(group_names); i++) {
		if (strcmp(group_names[i], text) == 0)
			return (enum incident_group)i;
	}
	return INCIDENT_PROBLEM;
}

ht_err incident_get(struct db *db, const char *id, struct incident *out)
{
	struct db_rows *r = db_start(db, &incident_sql, INCIDENT_SQL_GET, "s", id);
	ht_err err = db_next(r);

	if (!err) {
		struct incident i = { .group_by = group_of(db_text(r, 3)) };

		copy(i.id, sizeof(i.id), db_text(r, 0));
		copy(i.rule, sizeof(i.rule), db_text(r, 1));
		copy(i.severity, sizeof(i.severity), db_text(r, 2));
		copy(i.subject, sizeof(i.subject), db_text(r, 4));
		i.opened_ms = db_int(r, 5);
		i.closed_ms = int_or(r, 6);
		i.announce_ms = int_or(r, 7);
		i.announced_ms = int_or(r, 8);
		i.acked_ms = int_or(r, 9);
		copy(i.acked_by, sizeof(i.acked_by), db_text(r, 10));
		i.level = db_int(r, 11);
		i.escalate_ms = int_or(r, 12);
		i.journal_id = db_int(r, 13);
		copy(i.kind, sizeof(i.kind), db_text(r, 14));
		copy(i.root, sizeof(i.root), db_text(r, 15));
		copy(i.agency, sizeof(i.agency), db_text(r, 16));
		copy(i.district, sizeof(i.district), db_text(r, 17));
		copy(i.provider, sizeof(i.provider), db_text(r, 18));
		copy(i.merged, sizeof(i.merged), db_text(r, 19));
		i.update_ms = int_or(r, 20);
		i.digest_ms = int_or(r, 21);
		i.n_told = db_int(r, 22);
		i.due_ms = int_or(r, 23);
		copy(i.rules_hash, sizeof(i.rules_hash), db_text(r, 24));
		*out = i;
	}
	db_done(r);
	return err;
}

static void earlier(int64_t *least, int64_t at_ms)
{
	if (at_ms != INCIDENT_NONE_MS && (*least == INCIDENT_NONE_MS || at_ms < *least))
		*least = at_ms;
}

static void set_due(struct incident *i)
{
	if (i->closed_ms != INCIDENT_NONE_MS)
		return; /* set when it closed */
	i->due_ms = INCIDENT_NONE_MS;
	if (i->announced_ms == INCIDENT_NONE_MS)
		earlier(&i->due_ms, i->announce_ms);
	earlier(&i->due_ms, i->escalate_ms);
	earlier(&i->due_ms, i->update_ms);
	earlier(&i->due_ms, i->digest_ms);
}

ht_err incident_put(struct db *db, struct incident *i)
{
	set_due(i);
	return db_exec(db, &incident_sql, INCIDENT_SQL_PUT, "sssssiIIIIsiIissssssIIiIs",
	    i->id, i->rule, i->severity, group_names[i->group_by], i->subject,
	    i->opened_ms, i->closed_ms, i->announce_ms, i->announced_ms, i->acked_ms,
	    or_null(i->acked_by), i->level, i->escalate_ms, i->journal_id, i->kind,
	    or_null(i->root), or_null(i->agency), or_null(i->district),
	    or_null(i->provider), or_null(i->merged), i->update_ms, i->digest_ms,
	    i->n_told, i->due_ms, i->rules_hash);
}

ht_err incident_decide(struct db *db, const char *incident, const char *problem,
    int64_t at_ms, const char *decision, const char *fmt, ...)
{
	char reason[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(reason, sizeof(reason), fmt, args);
	va_end(args);
	return db_exec(db, &incident_sql, INCIDENT_SQL_DECIDE, "ssiss", incident, problem,
	    at_ms, decision, reason);
}

/* ── one unit: the changes of one row of the journal ─────────────────────────────── */

struct unit {
	struct db *db;
	const struct rules *rules;
	int64_t journal_id, at_ms; /* at_ms: when it was known */
	int64_t n_opened;          /* incidents of this row; -1: not counted yet */
	bool refold;
	char (
	    *touched)[INCIDENT_ID_MAX + 1]; /* a member left, or more is to be seen to */
	size_t n_touched, cap_touched;
};

/* A problem as its row says. */
struct seen {
	char id[PROBLEM_ID_MAX + 1], kind[PROBLEM_KIND_MAX + 1];
	char subject[HT_INSTANCE_MAX + 1], agency[HT_ID_MAX + 1], provider[128];
	char root[PROBLEM_ID_MAX + 1], role[16], link_kind[24], district[HT_ID_MAX + 1];
	char above[ABOVE_MAX][HT_ID_MAX + 1];
	size_t n_above;
	int64_t opened_ms;
};

static ht_err touch(struct unit *u, const char *id)
{
	for (size_t i = u->n_touched; i-- > 0 && i + 64 > u->n_touched;) {
		if (strcmp(u->touched[i], id) == 0)
			return HT_OK;
	}
	if (u->n_touched == u->cap_touched) {
		size_t cap = u->cap_touched ? 2 * u->cap_touched : 32;
		void *more = realloc(u->touched, cap * sizeof(*u->touched));

		if (!more)
			return HT_NOMEM;
		u->touched = more;
		u->cap_touched = cap;
	}
	copy(u->touched[u->n_touched++], sizeof(*u->touched), id);
	return HT_OK;
}

static ht_err read_above(struct db *db, struct seen *p)
{
	struct db_rows *r;
	ht_err err;

	if (!p->agency[0])
		return HT_OK;
	r = db_start(db, &incident_sql, INCIDENT_SQL_ABOVE, "s", p->agency);
	while (!(err = db_next(r)) && p->n_above < ABOVE_MAX) {
		const char *level = db_text(r, 1);

		copy(p->above[p->n_above], sizeof(p->above[0]), db_text(r, 0));
		if (!p->district[0] && level && strcmp(level, "district") == 0)
			copy(p->district, sizeof(p->district), p->above[p->n_above]);
		p->n_above++;
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err read_problem(struct db *db, const char *id, struct seen *out)
{
	struct db_rows *r = db_start(db, &incident_sql, INCIDENT_SQL_PROBLEM, "s", id);
	ht_err err = db_next(r);

	*out = (struct seen){ 0 };
	if (!err) {
		copy(out->id, sizeof(out->id), id);
		copy(out->kind, sizeof(out->kind), db_text(r, 0));
		copy(out->subject, sizeof(out->subject), db_text(r, 1));
		copy(out->agency, sizeof(out->agency), db_text(r, 2));
		copy(out->provider, sizeof(out->provider), db_text(r, 3));
		copy(out->root, sizeof(out->root), db_text(r, 4));
		out->opened_ms = db_int(r, 5);
		copy(out->role, sizeof(out->role), db_text(r, 7));
		copy(out->link_kind, sizeof(out->link_kind), db_text(r, 8));
	}
	db_done(r);
	return err ? err : read_above(db, out);
}

/* The first column of one row; "" when there is none. */
static ht_err one_text(struct db_rows *r, char *out, size_t cap)
{
	ht_err err = db_next(r);

	copy(out, cap, err ? "" : db_text(r, 0));
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err one_int(struct db_rows *r, int64_t *out)
{
	ht_err err = db_next(r);

	*out = err ? 0 : db_int(r, 0);
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err of_problem(struct unit *u, const char *problem, char *out)
{
	return one_text(
	    db_start(u->db, &incident_sql, INCIDENT_SQL_OF_PROBLEM, "s", problem), out,
	    INCIDENT_ID_MAX + 1);
}

static bool was_announced(const struct unit *u, int64_t announced_ms)
{
	return announced_ms != INCIDENT_NONE_MS && announced_ms <= u->at_ms;
}

/* ── joining and merging ─────────────────────────────────────────────────────────── */

/* Those who were told hear of it: soon where a message can be edited, else together. */
static void more_to_tell(const struct unit *u, struct incident *i)
{
	const struct rules_rule *rule = rules_by_id(u->rules, i->rule);

	if (!rule || !was_announced(u, i->announced_ms))
		return;
	int64_t digest = i->announced_ms + rule->digest_ns / HT_NS_PER_MS;

	if (i->update_ms == INCIDENT_NONE_MS)
		i->update_ms = u->at_ms + rule->update_ns / HT_NS_PER_MS;
	if (i->digest_ms == INCIDENT_NONE_MS)
		i->digest_ms = u->at_ms < digest
				   ? digest
				   : u->at_ms + rule->digest_ns / HT_NS_PER_MS;
}

static ht_err merge(
    struct unit *u, const char *one, const char *other, char *out_survivor)
{
	struct incident a, b;
	ht_err err = incident_get(u->db, one, &a);

	if (!err)
		err = incident_get(u->db, other, &b);
	if (err)
		return err;
	struct group_candidate ca = { a.id, a.opened_ms,
		was_announced(u, a.announced_ms) };
	struct group_candidate cb = { b.id, b.opened_ms,
		was_announced(u, b.announced_ms) };
	struct incident *to = group_is_better(&ca, &cb) ? &a : &b;
	struct incident *from = to == &a ? &b : &a;

	err = db_exec(
	    u->db, &incident_sql, INCIDENT_SQL_MEMBERS_MOVE, "ss", to->id, from->id);
	if (!err)
		err = db_exec(u->db, &incident_sql, INCIDENT_SQL_MEMBERS_LEAVE, "is",
		    u->at_ms, from->id);
	if (!err)
		err = db_exec(
		    u->db, &incident_sql, INCIDENT_SQL_REMERGE, "ss", to->id, from->id);
	if (err)
		return err;
	bool told = was_announced(u, from->announced_ms);

	if (from->group_by > to->group_by) {
		to->group_by = from->group_by;
		copy(to->subject, sizeof(to->subject), from->subject);
		copy(to->root, sizeof(to->root), from->root);
		copy(to->kind, sizeof(to->kind), from->kind);
		copy(to->agency, sizeof(to->agency), from->agency);
		copy(to->district, sizeof(to->district), from->district);
		copy(to->provider, sizeof(to->provider), from->provider);
	}
	if (from->opened_ms < to->opened_ms)
		to->opened_ms = from->opened_ms;
	if (to->announced_ms == INCIDENT_NONE_MS && from->announce_ms != INCIDENT_NONE_MS)
		earlier(&to->announce_ms, from->announce_ms);
	more_to_tell(u, to);
	copy(from->merged, sizeof(from->merged), to->id);
	from->announce_ms = from->escalate_ms = from->digest_ms = INCIDENT_NONE_MS;
	from->update_ms = told ? u->at_ms : INCIDENT_NONE_MS;
	if (!told) {
		from->announced_ms = INCIDENT_NONE_MS;
		from->closed_ms = u->at_ms;
		from->due_ms = INCIDENT_NONE_MS;
	}
	err = incident_put(u->db, from);
	if (!err)
		err = incident_put(u->db, to);
	if (!err)
		err = incident_decide(u->db, from->id, NULL, u->at_ms, "merged",
		    "it is part of %s", to->id);
	if (!err)
		err = incident_decide(u->db, to->id, NULL, u->at_ms, "took-in",
		    "%s is part of it%s", from->id, told ? ", which was told of" : "");
	if (!err)
		err = touch(u, to->id);
	copy(out_survivor, INCIDENT_ID_MAX + 1, to->id);
	return err;
}

static ht_err join_one(
    struct unit *u, const char *incident, const char *problem, const char *why)
{
	struct incident i;
	ht_err err = incident_get(u->db, incident, &i);

	if (!err)
		err = db_exec(u->db, &incident_sql, INCIDENT_SQL_MEMBER_PUT, "ssi",
		    incident, problem, u->at_ms);
	if (err)
		return err;
	if (i.group_by == INCIDENT_PROBLEM && strcmp(i.root, problem) != 0)
		i.group_by = INCIDENT_PARENT;
	int64_t update = i.update_ms, digest = i.digest_ms;
	enum incident_group group = i.group_by;

	more_to_tell(u, &i);
	if (update != i.update_ms || digest != i.digest_ms || group != INCIDENT_PROBLEM)
		err = incident_put(u->db, &i);
	return err ? err
		   : incident_decide(
			 u->db, incident, problem, u->at_ms, "joined", "%s", why);
}

/* The problem, and those that it explains. `incident` becomes the one it ends up in. */
static ht_err join(struct unit *u, char *incident, const char *problem, const char *why)
{
	ht_err err = join_one(u, incident, problem, why);

	for (int n = 0; !err && n < NEAR_MAX; n++) {
		char child[PROBLEM_ID_MAX + 1], its[INCIDENT_ID_MAX + 1];

		err = one_text(db_start(u->db, &incident_sql, INCIDENT_SQL_ORPHANS, "sis",
				   problem, u->journal_id, incident),
		    child, sizeof(child));
		if (err || !child[0])
			return err;
		err = of_problem(u, child, its);
		/* What was told of its link until now is no other story. */
		if (!err && !its[0])
			err = one_text(
			    db_start(u->db, &incident_sql, INCIDENT_SQL_OF_EPISODE, "si",
				child, u->journal_id),
			    its, sizeof(its));
		if (!err && its[0] && strcmp(its, incident) != 0)
			err = merge(u, incident, its, incident);
		else if (!err)
			err = join_one(u, incident, child, "it hangs on a member");
	}
	return err;
}

/* ── opening ─────────────────────────────────────────────────────────────────────── */

/* After a refold what was told is known from the outbox alone. */
static ht_err restore(struct unit *u, struct incident *i)
{
	struct db_rows *r = db_start(u->db, &tell_sql, TELL_SQL_ANNOUNCED_AT, "s", i->id);
	ht_err err = db_next(r);

	if (!err)
		i->announced_ms = int_or(r, 0);
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err name_it(struct unit *u, const char *rule, char *out)
{
	ht_err err = HT_OK;

	if (u->n_opened < 0)
		err = one_int(db_start(u->db, &incident_sql, INCIDENT_SQL_COUNT_ROW, "i",
				  u->journal_id),
		    &u->n_opened);
	if (err)
		return err;
	int64_t n = ++u->n_opened;

	if (n == 1)
		snprintf(
		    out, INCIDENT_ID_MAX + 1, "i%lld-%s", (long long)u->journal_id, rule);
	else
		snprintf(out, INCIDENT_ID_MAX + 1, "i%lld-%s-%lld",
		    (long long)u->journal_id, rule, (long long)n);
	return HT_OK;
}

static ht_err open_new(
    struct unit *u, const struct rules_rule *rule, const struct seen *p, bool crowd)
{
	struct incident i = {
		.group_by = INCIDENT_PROBLEM,
		.opened_ms = p->opened_ms,
		.closed_ms = INCIDENT_NONE_MS,
		.announced_ms = INCIDENT_NONE_MS,
		.acked_ms = INCIDENT_NONE_MS,
		.escalate_ms = INCIDENT_NONE_MS,
		.update_ms = INCIDENT_NONE_MS,
		.digest_ms = INCIDENT_NONE_MS,
		.due_ms = INCIDENT_NONE_MS,
		.journal_id = u->journal_id,
	};
	ht_err err = name_it(u, rule->id, i.id);

	copy(i.rule, sizeof(i.rule), rule->id);
	copy(i.severity, sizeof(i.severity),
	    rules_severity_name((enum rules_severity)rule->severity));
	copy(i.subject, sizeof(i.subject), p->subject);
	copy(i.kind, sizeof(i.kind), p->kind);
	copy(i.root, sizeof(i.root), p->id);
	copy(i.agency, sizeof(i.agency), p->agency);
	copy(i.district, sizeof(i.district), p->district);
	copy(i.provider, sizeof(i.provider), p->provider);
	copy(i.rules_hash, sizeof(i.rules_hash), u->rules->hash);
	i.announce_ms = group_announce_ms(u->rules, rule, p->opened_ms, u->at_ms, crowd);
	if (!err && u->refold)
		err = restore(u, &i);
	if (!err)
		err = incident_put(u->db, &i);
	if (!err)
		err = incident_decide(u->db, i.id, p->id, u->at_ms, "opened",
		    "rule %s matches %s of %s", rule->id, p->kind, p->subject);
	if (!err && i.announce_ms > u->at_ms) {
		char at[HT_RFC3339_LEN + 1];

		ht_rfc3339(i.announce_ms, at);
		err = incident_decide(u->db, i.id, p->id, u->at_ms, "held",
		    "to be told at %s if it lasts: hold time, hours, or others that "
		    "begin with it",
		    at);
	}
	return err ? err : join(u, i.id, p->id, "it began it");
}

struct near {
	struct group_candidate best;
	char best_id[INCIDENT_ID_MAX + 1];
	char (*ids)[INCIDENT_ID_MAX + 1];
	int64_t n, newest_ms;
};

static ht_err read_near(struct unit *u, int statement, const char *key, const char *rule,
    const struct rules_group *g, const struct seen *p, struct near *out)
{
	int64_t window_ms = g->window_ns / HT_NS_PER_MS;
	size_t cap = 0;
	struct db_rows *r = db_start(u->db, &incident_sql, statement, "ssii", key, rule,
	    p->opened_ms - window_ms, p->opened_ms + window_ms);
	ht_err err;

	*out = (struct near){ .newest_ms = INCIDENT_NONE_MS };
	while (!(err = db_next(r))) {
		if ((size_t)out->n == cap) {
			size_t more = cap ? 2 * cap : 16;
			void *grown = realloc(out->ids, more * sizeof(*out->ids));

			if (!grown || more > NEAR_MAX) {
				if (grown)
					out->ids = grown;
				err = grown ? HT_NOTFOUND : HT_NOMEM;
				break;
			}
			out->ids = grown;
			cap = more;
		}
		copy(out->ids[out->n++], sizeof(*out->ids), db_text(r, 0));
		if (db_int(r, 2) > out->newest_ms)
			out->newest_ms = db_int(r, 2);
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* They are one: the best of them goes on as the group's, the others become part of it. */
static ht_err form(struct unit *u, const struct near *near, enum incident_group by,
    const char *key, const struct seen *p)
{
	char to[INCIDENT_ID_MAX + 1];
	struct incident i;
	ht_err err = HT_OK;

	copy(to, sizeof(to), near->ids[0]);
	for (int64_t k = 1; k < near->n && !err; k++)
		err = merge(u, to, near->ids[k], to);
	if (!err)
		err = incident_get(u->db, to, &i);
	if (err)
		return err;
	i.group_by = by;
	copy(i.subject, sizeof(i.subject), key);
	i.root[0] = '\0';
	err = incident_put(u->db, &i);
	if (!err)
		err = incident_decide(u->db, i.id, p->id, u->at_ms, "grouped",
		    "%lld failures of %s %s began together: one incident",
		    (long long)near->n + 1, group_names[by], key);
	return err ? err : join(u, i.id, p->id, "it failed with the others");
}

static ht_err links_of(
    struct unit *u, enum incident_group by, const char *key, int64_t *out)
{
	return one_int(db_start(u->db, &incident_sql,
			   by == INCIDENT_PROVIDER ? INCIDENT_SQL_LINKS_PROVIDER
						   : INCIDENT_SQL_LINKS_DISTRICT,
			   "s", key),
	    out);
}

/* Into a group's incident; *out_done stays false when it belongs to none. */
static ht_err try_group(struct unit *u, const struct rules_rule *rule,
    const struct rules_group *g, const struct seen *p, bool *out_done, bool *out_crowd)
{
	enum incident_group by =
	    g->by == RULES_BY_PROVIDER ? INCIDENT_PROVIDER : INCIDENT_DISTRICT;
	const char *key = by == INCIDENT_PROVIDER ? p->provider : p->district;
	char have[INCIDENT_ID_MAX + 1];
	struct near near;
	int64_t total = 0;

	if (g->by == RULES_BY_PARENT || !key[0])
		return HT_OK;
	ht_err err = one_text(db_start(u->db, &incident_sql, INCIDENT_SQL_OF_GROUP, "sss",
				  key, group_names[by], rule->id),
	    have, sizeof(have));
	if (!err && have[0]) {
		*out_done = true;
		return join(u, have, p->id, "its group has failed");
	}
	if (!err)
		err = read_near(u,
		    by == INCIDENT_PROVIDER ? INCIDENT_SQL_NEAR_PROVIDER
					    : INCIDENT_SQL_NEAR_DISTRICT,
		    key, rule->id, g, p, &near);
	if (err)
		return err;
	*out_crowd |= near.n > 0 && near.newest_ms > p->opened_ms - CROWD_MS;
	if (near.n + 1 >= g->members)
		err = links_of(u, by, key, &total);
	if (!err && near.n > 0 && group_is_common(g, near.n + 1, total)) {
		*out_done = true;
		err = form(u, &near, by, key, p);
	}
	free(near.ids);
	return err;
}

static ht_err open_by_rule(struct unit *u, const struct seen *p)
{
	const char *above[ABOVE_MAX];
	bool done = false, crowd = false;
	ht_err err = HT_OK;

	for (size_t i = 0; i < p->n_above; i++)
		above[i] = p->above[i];
	struct rules_subject subject = { p->kind, above, p->n_above, or_null(p->district),
		or_null(p->provider), or_null(p->role), or_null(p->link_kind) };
	const struct rules_rule *rule = rules_find(u->rules, &subject);

	if (!rule)
		return incident_decide(u->db, NULL, p->id, u->at_ms, "not-told",
		    "no rule matches %s of %s", p->kind, p->subject);
	const struct rules_group *g = rule->groups.at;

	for (size_t i = 0; i < rule->groups.n && !err && !done; i++)
		err = try_group(u, rule, &g[i], p, &done, &crowd);
	return err || done ? err : open_new(u, rule, p, crowd);
}

/* ── what belongs where ──────────────────────────────────────────────────────────── */

/* The incident of the problem that explains this one, or "". */
static ht_err of_root(struct unit *u, const struct seen *p, char *out)
{
	struct seen *at = malloc(sizeof(*at));
	ht_err err = at ? HT_OK : HT_NOMEM;

	out[0] = '\0';
	if (at)
		*at = *p;
	for (int depth = 0; !err && at->root[0] && depth < CHAIN_MAX && !out[0];
	     depth++) {
		char root[PROBLEM_ID_MAX + 1];

		copy(root, sizeof(root), at->root);
		err = of_problem(u, root, out);
		if (!err && !out[0])
			err = read_problem(u->db, root, at);
	}
	free(at);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err of_relatives(struct unit *u, const struct seen *p, char *out)
{
	char subject[INCIDENT_ID_MAX + 1] = "";
	ht_err err = of_root(u, p, out);

	if (!err && group_is_outage(p->kind))
		err = one_text(db_start(u->db, &incident_sql, INCIDENT_SQL_OF_SUBJECT,
				   "sis", p->subject, u->journal_id, p->id),
		    subject, sizeof(subject));
	if (!err && subject[0] && out[0] && strcmp(subject, out) != 0)
		return merge(u, subject, out, out);
	if (!err && subject[0])
		copy(out, INCIDENT_ID_MAX + 1, subject);
	if (!err && !out[0] && group_is_consequence(p->kind) && p->agency[0])
		err = one_text(db_start(u->db, &incident_sql, INCIDENT_SQL_OF_AGENCY,
				   "si", p->agency, u->journal_id),
		    out, INCIDENT_ID_MAX + 1);
	return err;
}

/* Until when maintenance covers it; INCIDENT_NONE_MS: it does not. */
static ht_err maintenance(struct unit *u, const struct seen *p, int64_t *out_to_ms)
{
	struct db_rows *r = db_start(u->db, &incident_sql, INCIDENT_SQL_MAINTENANCE,
	    "isss", u->at_ms, p->subject, or_null(p->agency), or_null(p->provider));
	ht_err err = db_next(r);

	*out_to_ms = err ? INCIDENT_NONE_MS : int_or(r, 0);
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err wait_for(struct unit *u, const struct seen *p, int64_t to_ms)
{
	char at[HT_RFC3339_LEN + 1];
	ht_err err =
	    db_exec(u->db, &incident_sql, INCIDENT_SQL_WAITING_PUT, "si", p->id, to_ms);

	ht_rfc3339(to_ms, at);
	return err ? err
		   : incident_decide(u->db, NULL, p->id, u->at_ms, "suppressed",
			 "maintenance until %s; looked at again then", at);
}

static ht_err on_open(struct unit *u, const char *problem)
{
	char have[INCIDENT_ID_MAX + 1];
	int64_t to_ms;
	struct seen *p = malloc(sizeof(*p));
	ht_err err = p ? read_problem(u->db, problem, p) : HT_NOMEM;

	if (!err)
		err = of_problem(u, problem, have);
	if (err || have[0])
		goto out;
	err = maintenance(u, p, &to_ms);
	if (!err && to_ms != INCIDENT_NONE_MS) {
		err = wait_for(u, p, to_ms);
		goto out;
	}
	if (!err)
		err = of_relatives(u, p, have);
	if (err)
		goto out;
	if (have[0])
		err = join(u, have, problem,
		    p->root[0] ? "what explains it is a member"
			       : "it is of the same episode or agency");
	else if (strcmp(p->kind, "link-unreachable") == 0)
		err = incident_decide(u->db, NULL, problem, u->at_ms, "not-told",
		    "what it hangs on is dead; that is in no incident");
	else
		err = open_by_rule(u, p);
	if (!err && have[0])
		err = touch(u, have);
out:
	free(p);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* What explains it may have become known: then it belongs to that incident. */
static ht_err on_update(struct unit *u, const char *problem)
{
	char mine[INCIDENT_ID_MAX + 1], root[INCIDENT_ID_MAX + 1];
	struct seen *p = malloc(sizeof(*p));
	ht_err err = p ? read_problem(u->db, problem, p) : HT_NOMEM;

	if (!err)
		err = of_problem(u, problem, mine);
	if (!err)
		err = of_root(u, p, root);
	if (!err && mine[0] && root[0] && strcmp(mine, root) != 0)
		err = merge(u, mine, root, root);
	free(p);
	if (!err && !mine[0])
		return on_open(u, problem);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err on_close(struct unit *u, const char *problem)
{
	char mine[INCIDENT_ID_MAX + 1];
	ht_err err = of_problem(u, problem, mine);

	if (!err)
		err = db_exec(u->db, &incident_sql, INCIDENT_SQL_MEMBER_LEAVE, "is",
		    u->at_ms, problem);
	if (!err)
		err = db_exec(
		    u->db, &incident_sql, INCIDENT_SQL_WAITING_REMOVE, "s", problem);
	if (!err && mine[0])
		err = touch(u, mine);
	return err;
}

/* ── the end of a unit ───────────────────────────────────────────────────────────── */

static ht_err close_it(struct unit *u, struct incident *i)
{
	bool told = was_announced(u, i->announced_ms);

	i->closed_ms = u->at_ms;
	i->due_ms = told ? u->at_ms : INCIDENT_NONE_MS;
	if (!told)
		i->announced_ms = INCIDENT_NONE_MS;
	i->announce_ms = i->escalate_ms = INCIDENT_NONE_MS;
	i->update_ms = i->digest_ms = INCIDENT_NONE_MS;
	ht_err err = incident_put(u->db, i);
	if (!err)
		err = db_exec(u->db, &incident_sql, INCIDENT_SQL_CLOSE_MERGED, "is",
		    u->at_ms, i->id);
	if (!err)
		err = incident_decide(
		    u->db, i->id, NULL, u->at_ms, "closed", "all its problems are over");
	if (!err && !told)
		err = incident_decide(u->db, i->id, NULL, u->at_ms, "not-told",
		    "it was over before it was to be told");
	return err;
}

/* What it is about may be over while others last. */
static ht_err see_root(struct unit *u, struct incident *i)
{
	char root[PROBLEM_ID_MAX + 1];
	struct seen *p;
	ht_err err =
	    one_text(db_start(u->db, &incident_sql, INCIDENT_SQL_ROOT_LEFT, "s", i->id),
		root, sizeof(root));

	if (err || i->group_by > INCIDENT_PARENT || !root[0] ||
	    strcmp(root, i->root) == 0)
		return err;
	p = malloc(sizeof(*p));
	err = p ? read_problem(u->db, root, p) : HT_NOMEM;
	/* One that only hangs on what was dead is about to be looked at again. */
	if (!err && strcmp(p->kind, "link-unreachable") != 0) {
		bool same = strcmp(i->subject, p->subject) == 0;

		copy(i->root, sizeof(i->root), root);
		copy(i->subject, sizeof(i->subject), p->subject);
		copy(i->kind, sizeof(i->kind), p->kind);
		copy(i->agency, sizeof(i->agency), p->agency);
		copy(i->district, sizeof(i->district), p->district);
		copy(i->provider, sizeof(i->provider), p->provider);
		if (!same)
			more_to_tell(u, i);
		err = incident_put(u->db, i);
	}
	free(p);
	return err;
}

static ht_err finish(struct unit *u)
{
	ht_err err = HT_OK;

	for (size_t k = 0; k < u->n_touched && !err; k++) {
		struct incident i;
		int64_t n = 0;

		err = incident_get(u->db, u->touched[k], &i);
		if (err || i.closed_ms != INCIDENT_NONE_MS || i.merged[0]) {
			err = err == HT_NOTFOUND ? HT_OK : err;
			continue;
		}
		err = one_int(
		    db_start(u->db, &incident_sql, INCIDENT_SQL_MEMBERS_OPEN, "s", i.id),
		    &n);
		if (!err)
			err = n ? see_root(u, &i) : close_it(u, &i);
	}
	u->n_touched = 0;
	u->n_opened = -1;
	return err;
}

/* ── the fold ────────────────────────────────────────────────────────────────────── */

struct live {
	bool there, refold;
	int64_t journal_id, at_ms;
};

static ht_err live_get(struct db *db, struct live *out)
{
	struct db_rows *r = db_start(db, &incident_sql, INCIDENT_SQL_LIVE, "");
	ht_err err = db_next(r);

	*out = (struct live){ 0 };
	if (!err)
		*out =
		    (struct live){ true, db_int(r, 2) != 0, db_int(r, 0), db_int(r, 1) };
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err live_put(struct db *db, const struct live *l)
{
	return db_exec(db, &incident_sql, INCIDENT_SQL_LIVE_PUT, "iii", l->journal_id,
	    l->at_ms, (int64_t)l->refold);
}

static ht_err journal_end(struct db *db, int64_t *out_id, int64_t *out_ms)
{
	struct db_rows *r = db_start(db, &incident_sql, INCIDENT_SQL_JOURNAL_END, "");
	ht_err err = db_next(r);

	*out_id = err ? 0 : db_int(r, 0);
	*out_ms = err ? 0 : db_int(r, 1);
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err forget(struct db *db)
{
	static const int all[] = { INCIDENT_SQL_RESET_INCIDENT, INCIDENT_SQL_RESET_MEMBER,
		INCIDENT_SQL_RESET_DECISION, INCIDENT_SQL_RESET_WAITING,
		INCIDENT_SQL_RESET_CURSOR, INCIDENT_SQL_CURSOR_SEED };
	struct live live;
	ht_err err = live_get(db, &live);

	/* Nothing was ever told: history is not told now. */
	if (!err && !live.there)
		err = journal_end(db, &live.journal_id, &live.at_ms);
	live.refold = true;
	if (!err)
		err = live_put(db, &live);
	for (size_t i = 0; i < HT_COUNT(all) && !err; i++)
		err = db_exec(db, &incident_sql, all[i], "");
	return err;
}

static ht_err reset(struct db *db)
{
	ht_err err = forget(db);

	return err ? err : db_exec(db, &incident_sql, INCIDENT_SQL_RESET_ACK, "");
}

struct cursor {
	int64_t change_id, journal_id, at_ms;
	char problem[PROBLEM_ID_MAX + 1];
};

static ht_err cursor_get(struct db *db, struct cursor *out)
{
	struct db_rows *r = db_start(db, &incident_sql, INCIDENT_SQL_CURSOR, "");
	ht_err err = db_next(r);

	*out = (struct cursor){ 0 };
	if (!err) {
		out->change_id = db_int(r, 0);
		copy(out->problem, sizeof(out->problem), db_text(r, 1));
		out->journal_id = db_int(r, 2);
		out->at_ms = db_int(r, 3);
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

/* Whether the changes before the cursor are those that were folded: a fold that writes
 * problems may have been refolded without us. */
static ht_err cursor_holds(struct db *db, const struct cursor *c, bool *out)
{
	struct db_rows *r;
	ht_err err;

	*out = true;
	if (!c->change_id)
		return HT_OK;
	r = db_start(db, &incident_sql, INCIDENT_SQL_CHANGE_AT, "i", c->change_id);
	err = db_next(r);
	*out = !err && strcmp(db_text(r, 0), c->problem) == 0 &&
	       db_int(r, 1) == c->journal_id;
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err cursor_put(struct db *db, const struct cursor *c)
{
	return db_exec(db, &incident_sql, INCIDENT_SQL_CURSOR_PUT, "isii", c->change_id,
	    c->problem, c->journal_id, c->at_ms);
}

/* Problems whose maintenance is over by `to_ms`. */
static ht_err end_waiting(struct unit *u, int64_t to_ms)
{
	ht_err err = HT_OK;

	while (!err) {
		char problem[PROBLEM_ID_MAX + 1] = "";
		struct db_rows *r =
		    db_start(u->db, &incident_sql, INCIDENT_SQL_WAITING_DUE, "");

		err = db_next(r);
		int64_t due_ms = err ? 0 : db_int(r, 1);

		if (!err)
			copy(problem, sizeof(problem), db_text(r, 0));
		db_done(r);
		if (err || due_ms > to_ms)
			break;
		if (due_ms > u->at_ms)
			u->at_ms = due_ms;
		err = db_exec(
		    u->db, &incident_sql, INCIDENT_SQL_WAITING_REMOVE, "s", problem);
		if (!err)
			err = on_open(u, problem);
		if (!err)
			err = finish(u);
	}
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err apply_change(struct unit *u, const char *change, const char *problem)
{
	switch (change[0]) {
	case 'o':
		return on_open(u, problem);
	case 'u':
		return on_update(u, problem);
	default:
		return on_close(u, problem);
	}
}

/* Up to 512 changes, ended only where a row of the journal ends. */
static ht_err fold_batch(
    struct unit *u, struct cursor *c, int64_t until_ns, int *out_n, bool *out_late)
{
	struct db_rows *r =
	    db_start(u->db, &incident_sql, INCIDENT_SQL_CHANGES, "i", c->change_id);
	ht_err err;

	*out_n = 0;
	while (!(err = db_next(r))) {
		int64_t journal_id = db_int(r, 4);
		int64_t at_ms = db_is_null(r, 5) ? db_int(r, 3) : db_int(r, 5);

		if (journal_id != u->journal_id) {
			err = finish(u);
			*out_late = ht_mono_ns() > until_ns && *out_n > 0;
			if (err || *out_late)
				break;
			err = end_waiting(u, at_ms);
			if (err)
				break;
			u->journal_id = journal_id;
		}
		if (at_ms > u->at_ms)
			u->at_ms = at_ms;
		err = apply_change(u, db_text(r, 2), db_text(r, 1));
		if (err)
			break;
		c->change_id = db_int(r, 0);
		copy(c->problem, sizeof(c->problem), db_text(r, 1));
		c->journal_id = journal_id;
		c->at_ms = u->at_ms;
		++*out_n;
	}
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err fold_changes(struct unit *u, struct fold_settle *s)
{
	struct cursor c;
	bool holds = true, late = false;
	int n = 0, sum = 0;
	ht_err err = cursor_get(u->db, &c);

	if (!err)
		err = cursor_holds(u->db, &c, &holds);
	if (!err && !holds) {
		err = forget(u->db);
		u->refold = true;
		if (!err)
			err = cursor_get(u->db, &c);
	}
	u->journal_id = c.journal_id;
	u->at_ms = c.at_ms;
	do {
		if (!err)
			err = fold_batch(u, &c, s->until_ns, &n, &late);
		sum += n;
	} while (!err && n > 0 && !late);
	if (!err)
		err = finish(u);
	if (!err && sum > 0)
		err = cursor_put(u->db, &c);
	s->more |= late;
	return err;
}

static ht_err pending_acks(struct unit *u, int64_t now_ms)
{
	ht_err err = HT_OK;

	while (!err) {
		struct incident i;
		char id[INCIDENT_ID_MAX + 1] = "", by[HT_ID_MAX + 1] = "";
		int64_t at_ms = 0;
		struct db_rows *r = db_start(
		    u->db, &incident_sql, INCIDENT_SQL_ACK_PENDING, "i", INT64_C(0));

		err = db_next(r);
		if (!err) {
			copy(id, sizeof(id), db_text(r, 0));
			at_ms = db_int(r, 1);
			copy(by, sizeof(by), db_text(r, 2));
		}
		db_done(r);
		if (!err)
			err = incident_get(u->db, id, &i);
		if (err)
			break;
		i.acked_ms = at_ms;
		copy(i.acked_by, sizeof(i.acked_by), by);
		i.escalate_ms = INCIDENT_NONE_MS;
		if (i.announced_ms != INCIDENT_NONE_MS &&
		    i.closed_ms == INCIDENT_NONE_MS && i.update_ms == INCIDENT_NONE_MS)
			i.update_ms = now_ms;
		err = incident_put(u->db, &i);
		if (!err)
			err = incident_decide(u->db, id, NULL, at_ms, "acknowledged",
			    "by %s; no further escalation", by);
	}
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err settle(struct db *db, struct fold_settle *s)
{
	struct unit u = { .db = db, .rules = rules_in_force(), .n_opened = -1 };
	struct live live;

	if (!u.rules)
		return HT_OK;
	ht_err err = live_get(db, &live);
	u.refold = live.refold;
	if (!err)
		err = fold_changes(&u, s);
	if (!err && !s->more)
		err = end_waiting(&u, s->now_ms);
	if (!err && !s->more)
		err = pending_acks(&u, s->now_ms);
	free(u.touched);
	if (err || s->behind || s->more)
		return err;
	bool told = false;

	err = live_get(db, &live);
	if (!err && live.refold && s->now_ms < live.at_ms)
		return HT_OK; /* still in what was told */
	if (!err && live.refold) {
		err = tell_nothing(db, u.rules, live.at_ms);
		told = true;
	}
	if (!err)
		err = tell_due(db, u.rules, s->now_ms, &told);
	if (!err && (told || s->now_ms > live.at_ms + LIVE_STEP_MS)) {
		live = (struct live){ true, false, 0, s->now_ms };
		int64_t ms;

		err = journal_end(db, &live.journal_id, &ms);
		if (!err)
			err = live_put(db, &live);
	}
	return err ? err : tell_next(db, &s->due_ms);
}

/* ── acknowledging ───────────────────────────────────────────────────────────────── */

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) &&
		       json_object_is_type(v, json_type_string)
		   ? json_object_get_string(v)
		   : NULL;
}

static ht_err apply_ack(struct db *db, const struct journal_row *row)
{
	struct json_tokener *tok = json_tokener_new_ex(4);
	struct json_object *o, *data;
	ht_err err = HT_OK;

	if (!tok)
		return HT_NOMEM;
	o = row->len && row->len < 65536
		? json_tokener_parse_ex(tok, row->payload, (int)row->len)
		: NULL;
	if (o && json_object_object_get_ex(o, "data", &data)) {
		const char *id = text_of(data, "id"), *by = text_of(data, "by");

		if (!by)
			by = row->actor;
		if (id && by && strlen(id) <= INCIDENT_ID_MAX && strlen(by) <= HT_ID_MAX)
			err = db_exec(db, &incident_sql, INCIDENT_SQL_ACK_PUT, "sissi",
			    id, row->received_ms, by, text_of(data, "note"), row->id);
	}
	json_object_put(o);
	json_tokener_free(tok);
	return err;
}

static ht_err apply(struct db *db, const struct fold_input *in)
{
	if (strcmp(in->row->kind, "incident.ack") != 0)
		return HT_OK;
	return apply_ack(db, in->row);
}

static ht_err append_ack(
    struct db *db, const char *id, const char *actor, const char *note, int64_t now_ms)
{
	struct json_object *o = json_object_new_object();
	struct json_object *data = json_object_new_object();

	if (!o || !data) {
		json_object_put(o);
		json_object_put(data);
		return HT_NOMEM;
	}
	json_object_object_add(data, "id", json_object_new_string(id));
	json_object_object_add(data, "by", json_object_new_string(actor));
	if (note && note[0])
		json_object_object_add(data, "note", json_object_new_string(note));
	json_object_object_add(o, "data", data);
	const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	struct journal_row row = {
		.source = JOURNAL_OPERATOR,
		.kind = "incident.ack",
		.content_type = "application/json",
		.received_ms = now_ms,
		.actor = actor,
		.payload = text,
		.len = strlen(text),
	};
	ht_err err = journal_append(db, &row);

	json_object_put(o);
	return err;
}

ht_err incident_ack(struct db *db, const char *id, const char *actor, const char *note,
    int64_t now_ms, struct ht_fault *fault)
{
	struct incident i;
	ht_err err = incident_get(db, id, &i);

	if (err == HT_NOTFOUND)
		return ht_fault_set(fault, err, "there is no incident \"%s\"", id);
	if (!err && i.merged[0]) /* it lives on in the other */
		return incident_ack(db, i.merged, actor, note, now_ms, fault);
	if (!err && i.acked_ms != INCIDENT_NONE_MS)
		return ht_fault_set(fault, HT_EXISTS, "acknowledged already, by %s",
		    i.acked_by[0] ? i.acked_by : "somebody");
	if (!err && i.closed_ms != INCIDENT_NONE_MS)
		return ht_fault_set(
		    fault, HT_CLOSED, "it is over: there is nothing to acknowledge");
	if (!err && (!actor[0] || strlen(actor) > HT_ID_MAX ||
			(note && strlen(note) > INCIDENT_NOTE_MAX)))
		return ht_fault_set(fault, HT_INVALID,
		    "say who (1 to %d bytes), and no more than %d bytes of note",
		    HT_ID_MAX, INCIDENT_NOTE_MAX);
	return err ? err : append_ack(db, id, actor, note, now_ms);
}

const struct fold fold_alert = {
	.name = "alert",
	.version = 1,
	.sources = 1u << JOURNAL_OPERATOR,
	.apply = apply,
	.reset = reset,
	.settle = settle,
	.follows = "links", /* whose problems it reads */
};
