/* An agency by its links: what carries it, and whether that is a backup. */
#include <stdio.h>
#include <string.h>

#include "server/derive/link_sql.h"
#include "server/derive/links.h"

enum { AGENCY_LINKS_MAX = 64 };

struct side {
	size_t n;
	int count[LINK_MAINTENANCE + 1];
	char dead[HT_INSTANCE_MAX + 1], living[HT_INSTANCE_MAX + 1];
	bool muted; /* all that is dead is under maintenance */
};

/* The best there is; nobody knows weighs more than dead. */
static enum link_state best(const struct side *s)
{
	static const enum link_state order[] = { LINK_UP, LINK_DEGRADED, LINK_UNKNOWN,
		LINK_DOWN, LINK_UNREACHABLE };

	for (size_t i = 0; i < HT_COUNT(order); i++) {
		if (s->count[order[i]])
			return order[i];
	}
	return LINK_UNKNOWN;
}

static bool side_dead(const struct side *s)
{
	return s->n > 0 && link_dead(best(s));
}

static bool side_lives(const struct side *s)
{
	return best(s) == LINK_UP || best(s) == LINK_DEGRADED;
}

static void count(const struct db_rows *r, struct side *s)
{
	enum link_state state = LINK_UNKNOWN;
	bool muted = db_int(r, 3) != 0;

	(void)link_state_find(db_text(r, 2), &state);
	s->n++;
	s->count[state]++;
	if (link_dead(state)) {
		s->muted = (!s->dead[0] || s->muted) && muted;
		if (!s->dead[0])
			text_copy(s->dead, sizeof(s->dead), db_text(r, 0));
	} else if (!s->living[0]) {
		text_copy(s->living, sizeof(s->living), db_text(r, 0));
	}
}

static ht_err sides(struct db *db, const char *agency, struct side out[static 2])
{
	struct db_rows *r = db_start(db, &link_sql, LINK_SQL_AGENCY_LINKS, "s", agency);
	ht_err err;

	memset(out, 0, 2 * sizeof(*out));
	for (int i = 0; !(err = db_next(r)) && i < AGENCY_LINKS_MAX; i++)
		count(r, &out[strcmp(db_text(r, 1), "backup") == 0]);
	db_done(r);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err put(const struct link_turn *t, const char *agency, enum link_state state,
    bool on_backup, const char *reason)
{
	struct db_rows *r = db_start(t->db, &link_sql, LINK_SQL_AGENCY_GET, "s", agency);
	ht_err err = db_next(r);
	bool same = !err && strcmp(db_text(r, 0), link_state_name(state)) == 0 &&
		    (db_int(r, 1) != 0) == on_backup;

	db_done(r);
	if (err && err != HT_NOTFOUND)
		return err;
	return same ? HT_OK
		    : db_exec(t->db, &link_sql, LINK_SQL_AGENCY_PUT, "ssiisi", agency,
			  link_state_name(state), (int64_t)on_backup, t->now_ms, reason,
			  t->row_id);
}

static ht_err tell(const struct link_turn *t, const char *agency,
    const struct side *primary, const struct side *backup, bool on_backup)
{
	char root[PROBLEM_ID_MAX + 1] = "", facts[2 * HT_INSTANCE_MAX + 60];
	ht_err err = HT_NOTFOUND;

	if (!on_backup || primary->muted)
		return problem_close(t->db, "on-backup", agency, t->now_ms, t->row_id,
		    on_backup ? "its primary link is under maintenance" : NULL);
	for (size_t i = 0; i < link_problem_kinds_len && err == HT_NOTFOUND; i++)
		err = problem_find(t->db, link_problem_kinds[i], primary->dead, root);
	if (err && err != HT_NOTFOUND)
		return err;
	snprintf(facts, sizeof(facts), "{\"primary\":\"%s\",\"backup\":\"%s\"}",
	    primary->dead, backup->living);
	struct problem p = { .kind = "on-backup",
		.subject = agency,
		.agency = agency,
		.root = text_or_null(root),
		.at_ms = t->now_ms,
		.reason = "its primary link is dead, and a backup carries it",
		.facts = facts };
	return problem_open(t->db, &p, t->row_id, NULL);
}

ht_err agency_evaluate(const struct link_turn *t, const char *agency)
{
	struct side side[2], *primary = &side[0], *backup = &side[1];
	ht_err err = sides(t->db, agency, side);

	if (err)
		return err;
	if (!primary->n)
		*primary = *backup;
	bool on_backup = primary->n && side_dead(primary) && side_lives(backup);
	enum link_state state = on_backup ? best(backup) : best(primary);
	if (side_dead(primary) && primary->muted && !on_backup)
		state = LINK_MAINTENANCE;
	char reason[80 + HT_INSTANCE_MAX];
	snprintf(reason, sizeof(reason),
	    on_backup ? "backup %s carries it" : "by its links%s",
	    on_backup ? backup->living : "");
	err = put(t, agency, state, on_backup, reason);
	return err ? err : tell(t, agency, primary, backup, on_backup);
}
