#include "server/registry/clone.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "server/registry/sql.h"
#include "server/store/journal.h"

ht_err clone_list(
    struct db *db, void (*each)(void *arg, const struct clone_group *g), void *arg)
{
	struct db_rows *rows = db_start(db, &registry_sql, SQL_CLONE_LIST, "");
	ht_err err;

	while ((err = db_next(rows)) == HT_OK) {
		const char *fingerprint = db_text(rows, 1);
		struct clone_group g = {
			.agent = db_text(rows, 0),
			.fingerprint = fingerprint ? fingerprint : "",
			.n_packs = db_int(rows, 2),
			.first_ms = db_int(rows, 3),
			.last_ms = db_int(rows, 4),
			.owner = db_text(rows, 5),
		};
		each(arg, &g);
	}
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static void text_prop(const struct db_rows *rows, int column, struct props *p,
    unsigned bit, char *out, size_t cap)
{
	const char *text = db_text(rows, column);

	if (!text)
		return;
	snprintf(out, cap, "%s", text);
	p->has |= bit;
}

static int64_t int_prop(
    const struct db_rows *rows, int column, struct props *p, unsigned bit)
{
	if (!db_is_null(rows, column))
		p->has |= bit;
	return db_int(rows, column);
}

/* What lay aside, as it came: a pack, or (in no lane) what its machine said of itself. */
static void read_row(
    const struct db_rows *rows, const char *agent, struct journal_row *out)
{
	const char *lane = db_text(rows, 0);
	struct props *p = &out->props;

	*out = (struct journal_row){
		.source = lane ? JOURNAL_AGENT : JOURNAL_SERVER,
		.kind = lane ? "data" : "presence",
		.agent = agent,
	};
	out->lane = !lane                       ? JOURNAL_NO_LANE
		    : strcmp(lane, "hist") == 0 ? JOURNAL_HIST
						: JOURNAL_DATA;
	text_prop(rows, 1, p, PROPS_EPOCH, p->epoch, sizeof(p->epoch));
	p->seq = int_prop(rows, 2, p, PROPS_SEQ);
	text_prop(rows, 3, p, PROPS_BOOT, p->boot, sizeof(p->boot));
	text_prop(rows, 4, p, PROPS_SESSION, p->session, sizeof(p->session));
	p->mono_ns = int_prop(rows, 5, p, PROPS_MONO);
	p->sent_mono_ns = int_prop(rows, 6, p, PROPS_SENT_MONO);
	out->content_type = db_text(rows, 7);
	out->received_ms = db_int(rows, 8);
	out->payload = db_blob(rows, 9, &out->len);
}

/* Take the rows of the new owner into the journal. A resend or a conflict there is no
 * failure: journal_append has dealt with it. */
static ht_err adopt_rows(struct db *db, const char *agent, const char *fingerprint)
{
	struct db_rows *rows =
	    db_start(db, &registry_sql, SQL_CLONE_ROWS, "ss", agent, fingerprint);
	ht_err err;

	while ((err = db_next(rows)) == HT_OK) {
		struct journal_row row;

		read_row(rows, agent, &row);
		err = journal_append(db, &row);
		if (err && err != HT_EXISTS && err != HT_CONFLICT)
			break;
	}
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

struct search {
	const char *agent, *fingerprint;
	bool found;
};

static void match(void *arg, const struct clone_group *g)
{
	struct search *s = arg;

	if (strcmp(g->agent, s->agent) == 0 &&
	    strcmp(g->fingerprint, s->fingerprint) == 0)
		s->found = true;
}

static ht_err check_choice(
    struct db *db, const char *agent, const char *fingerprint, struct ht_fault *fault)
{
	struct search s = { agent, fingerprint, false };
	struct db_rows *rows = db_start(db, &registry_sql, SQL_AGENT_GET, "s", agent);
	ht_err err = db_next(rows);

	if (!err && db_text(rows, 1))
		s.found = strcmp(db_text(rows, 1), fingerprint) == 0;
	db_done(rows);
	if (err == HT_NOTFOUND)
		return ht_fault_set(fault, err, "there is no agent \"%s\"", agent);
	if (!err && !s.found)
		err = clone_list(db, match, &s);
	if (!err && !s.found)
		err = ht_fault_set(fault, HT_INVALID,
		    "no machine with this fingerprint has spoken as \"%s\": choose one "
		    "of the list",
		    agent);
	return err;
}

ht_err clone_decide(struct db *db, const struct operator_by *by, const char *agent,
    const char *fingerprint, struct ht_fault *fault)
{
	struct verb_claim claim = { agent, fingerprint };
	ht_err err = verb_check(VERB_AGENT_CLAIM, &claim, fault);

	if (!err)
		err = check_choice(db, agent, fingerprint, fault);
	if (!err)
		err = operator_append(db, by, VERB_AGENT_CLAIM, &claim, agent, fault);
	if (!err)
		err = adopt_rows(db, agent, fingerprint);
	if (!err)
		err =
		    db_exec(db, &registry_sql, SQL_CLONE_DECIDE, "is", by->now_ms, agent);
	return err;
}
