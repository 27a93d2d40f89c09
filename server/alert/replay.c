#include "server/alert/replay.h"

#include <json-c/json.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "server/alert/incident.h"
#include "server/alert/incident_sql.h"
#include "server/alert/scripted.h"
#include "server/derive/folds.h"
#include "server/derive/problem.h"
#include "server/derive/run.h"
#include "server/derive/share.h"
#include "server/registry/operator.h"
#include "server/store/migrate.h"

enum { EVENTS_MAX = 20000, HISTORY_MAX = 200000, MESSAGES_MAX = 4000 };

#define BEAT_MS        10000
#define MINUTE_MS      60000
#define HISTORY_MS_MAX (INT64_C(92) * 86400 * 1000)
#define DAY_NS         (86400 * HT_NS_PER_S)
#define SLICE_NS       HT_NS_PER_S

/* ── the script ──────────────────────────────────────────────────────────────────── */

struct script_agency {
	char *id, *name, *level, *parent;
};
struct script_link {
	char *id, *agency, *provider, *parents;
	int role, kind;
};
struct script_agent {
	char *id, *agency;
	bool vantage;
};
struct script_channel {
	char *name;
	bool edit;
};
struct script_maintenance {
	char *id, *scope, *subject;
	int64_t for_ns;
};
struct script_event {
	int64_t at_ns;
	char *open, *update, *close; /* a kind of problem */
	struct ht_strings subjects;
	char *root;       /* subject of the open problem that explains them */
	int64_t began_ns; /* so long before */
	char *ack, *by;
	int server;
	struct ht_strings down, up; /* links that a vantage sees so */
	int64_t lost_ns, answered_ns;
	char *agent, *blind, *sighted;
	int presence;
	struct ht_list maintenance;
	struct ht_node *node;
};
struct script_expect {
	int64_t at_ns, within_ns;
	char *channel, *subject, *title;
	int kind;
	int64_t n_affected;
	struct ht_strings affected;
};
struct script {
	char *name, *about;
	struct ht_list agencies, links, agents, channels, events, expect;
	struct ht_node *rules;
	char *start;
	int64_t end_ns;
};

static const char *const roles[] = { "primary", "backup", NULL };
static const char *const link_kinds[] = { "province-wan", "government-wan", "internet",
	NULL };
static const char *const kinds[] = { "announce", "update", "digest", "escalate",
	"resolve", NULL };
enum { SERVER_NOTHING, SERVER_STOP, SERVER_START };
static const char *const presences[] = { "-", "online", "offline", "lost", NULL };
static const char *const server_words[] = { "-", "stop", "start", NULL };

/* clang-format off */
#define AGY(f) offsetof(struct script_agency, f)
static const struct ht_option agency_rows[] = {
	{ "id", HT_OPT_STRING, AGY(id), .min = 1, .max = HT_ID_MAX, .required = true, .help = "id" },
	{ "name", HT_OPT_STRING, AGY(name), .min = 1, .max = 200, .required = true, .help = "its name" },
	{ "level", HT_OPT_STRING, AGY(level), .def = "commune", .help = "province, district or commune" },
	{ "parent", HT_OPT_STRING, AGY(parent), .help = "the agency above" },
};
static const struct ht_options agency_table = HT_OPTIONS(struct script_agency, agency_rows);
#define LNK(f) offsetof(struct script_link, f)
static const struct ht_option link_rows[] = {
	{ "id", HT_OPT_STRING, LNK(id), .min = 1, .max = HT_ID_MAX, .required = true, .help = "id" },
	{ "agency", HT_OPT_STRING, LNK(agency), .required = true, .help = "whose" },
	{ "provider", HT_OPT_STRING, LNK(provider), .help = "carrier" },
	{ "parents", HT_OPT_STRING, LNK(parents), .help = "links it hangs on, with AND and OR" },
	{ "role", HT_OPT_ENUM, LNK(role), .names = roles, .def = "primary", .help = "primary or backup" },
	{ "kind", HT_OPT_ENUM, LNK(kind), .names = link_kinds, .def = "province-wan", .help = "of the link" },
};
static const struct ht_options link_table = HT_OPTIONS(struct script_link, link_rows);
#define AGT(f) offsetof(struct script_agent, f)
static const struct ht_option agent_rows[] = {
	{ "id", HT_OPT_STRING, AGT(id), .min = 1, .max = HT_ID_MAX, .required = true, .help = "id" },
	{ "agency", HT_OPT_STRING, AGT(agency), .required = true, .help = "where it stands" },
	{ "vantage", HT_OPT_BOOL, AGT(vantage), .def = "no", .help = "it measures from the core" },
};
static const struct ht_options agent_table = HT_OPTIONS(struct script_agent, agent_rows);
#define CHN(f) offsetof(struct script_channel, f)
static const struct ht_option channel_rows[] = {
	{ "name", HT_OPT_STRING, CHN(name), .min = 1, .max = 60, .required = true, .help = "its id" },
	{ "edit", HT_OPT_BOOL, CHN(edit), .def = "no", .help = "a later message can replace an earlier one" },
};
static const struct ht_options channel_table = HT_OPTIONS(struct script_channel, channel_rows);
#define MNT(f) offsetof(struct script_maintenance, f)
static const struct ht_option maintenance_rows[] = {
	{ "id", HT_OPT_STRING, MNT(id), .required = true, .help = "id" },
	{ "scope", HT_OPT_STRING, MNT(scope), .def = "link", .help = "link, agency, provider or all" },
	{ "subject", HT_OPT_STRING, MNT(subject), .def = "", .help = "which" },
	{ "for", HT_OPT_DURATION, MNT(for_ns), .min = HT_NS_PER_S, .max = 30 * DAY_NS, .required = true, .help = "how long" },
};
static const struct ht_options maintenance_table = HT_OPTIONS(struct script_maintenance, maintenance_rows);
#define EVT(f) offsetof(struct script_event, f)
static const struct ht_option event_rows[] = {
	{ "at", HT_OPT_DURATION, EVT(at_ns), .max = 400 * DAY_NS, .required = true, .help = "since the start" },
	{ "open", HT_OPT_STRING, EVT(open), .min = 1, .max = PROBLEM_KIND_MAX, .help = "a problem of this kind begins" },
	{ "update", HT_OPT_STRING, EVT(update), .min = 1, .max = PROBLEM_KIND_MAX, .help = "what explains it becomes known" },
	{ "close", HT_OPT_STRING, EVT(close), .min = 1, .max = PROBLEM_KIND_MAX, .help = "it ends" },
	{ "subjects", HT_OPT_STRINGS, EVT(subjects), .max = 10000, .help = "links, agencies or agents" },
	{ "root", HT_OPT_STRING, EVT(root), .help = "the subject whose problem explains these" },
	{ "began", HT_OPT_DURATION, EVT(began_ns), .max = 400 * DAY_NS, .def = "0s", .help = "it began so long before it was known" },
	{ "ack", HT_OPT_STRING, EVT(ack), .help = "somebody acknowledges the incident of this subject" },
	{ "by", HT_OPT_STRING, EVT(by), .def = "admin", .help = "who" },
	{ "server", HT_OPT_ENUM, EVT(server), .names = server_words, .def = "-", .help = "stop or start: rows wait meanwhile" },
	{ "down", HT_OPT_STRINGS, EVT(down), .max = 10000, .help = "links that answer no more, parents first" },
	{ "up", HT_OPT_STRINGS, EVT(up), .max = 10000, .help = "links that answer again" },
	{ "lost", HT_OPT_DURATION, EVT(lost_ns), .max = DAY_NS, .def = "3s", .help = "down: pings are lost for so long" },
	{ "answered", HT_OPT_DURATION, EVT(answered_ns), .max = DAY_NS, .def = "4s", .help = "down: the last answered one was so long before" },
	{ "agent", HT_OPT_STRING, EVT(agent), .help = "who sees it; default: the first agent" },
	{ "blind", HT_OPT_STRING, EVT(blind), .help = "this agent sees nothing any more" },
	{ "sighted", HT_OPT_STRING, EVT(sighted), .help = "this agent sees again" },
	{ "presence", HT_OPT_ENUM, EVT(presence), .names = presences, .def = "-", .help = "online, offline or lost: what the broker says of the agent" },
	{ "maintenance", HT_OPT_LIST, EVT(maintenance), .max = 16, .sub = &maintenance_table, .help = "windows entered now" },
};
static const struct ht_options event_table = HT_OPTIONS(struct script_event, event_rows);
#define EXP(f) offsetof(struct script_expect, f)
static const struct ht_option expect_rows[] = {
	{ "at", HT_OPT_DURATION, EXP(at_ns), .max = 400 * DAY_NS, .required = true, .help = "since the start; not earlier" },
	{ "within", HT_OPT_DURATION, EXP(within_ns), .max = DAY_NS, .def = "2s", .help = "nor so much later" },
	{ "channel", HT_OPT_STRING, EXP(channel), .required = true, .help = "to whom" },
	{ "kind", HT_OPT_ENUM, EXP(kind), .names = kinds, .required = true, .help = "announce, update, digest, escalate or resolve" },
	{ "subject", HT_OPT_STRING, EXP(subject), .required = true, .help = "what it is about" },
	{ "title", HT_OPT_STRING, EXP(title), .help = "words of its Vietnamese title" },
	{ "affected", HT_OPT_STRINGS, EXP(affected), .max = 100, .help = "exactly these" },
	{ "n_affected", HT_OPT_INT, EXP(n_affected), .min = 0, .max = 1000000, .def = "0", .help = "so many; 0: not asked" },
};
static const struct ht_options expect_table = HT_OPTIONS(struct script_expect, expect_rows);
#define SCR(f) offsetof(struct script, f)
static const struct ht_option script_rows[] = {
	{ "scenario", HT_OPT_STRING, SCR(name), .min = 1, .max = 200, .required = true, .help = "one line" },
	{ "about", HT_OPT_STRING, SCR(about), .max = 4000, .help = "what it shows" },
	{ "start", HT_OPT_STRING, SCR(start), .def = "2026-03-02T02:00:00Z", .help = "when it begins" },
	{ "end", HT_OPT_DURATION, SCR(end_ns), .max = 400 * DAY_NS, .def = "0s", .help = "how long it lasts; default: a minute after the last event or message" },
	{ "agencies", HT_OPT_LIST, SCR(agencies), .max = 20000, .sub = &agency_table, .help = "the registry" },
	{ "links", HT_OPT_LIST, SCR(links), .max = 20000, .sub = &link_table, .help = "its links" },
	{ "agents", HT_OPT_LIST, SCR(agents), .max = 64, .sub = &agent_table, .help = "who measures; the first sees all links up at the start" },
	{ "channels", HT_OPT_LIST, SCR(channels), .min = 1, .max = RULES_CHANNELS_MAX, .sub = &channel_table, .required = true, .help = "who can be told" },
	{ "rules", HT_OPT_NODE, SCR(rules), .help = "rules, as a block of text; default: those that are shipped" },
	{ "events", HT_OPT_LIST, SCR(events), .min = 1, .max = EVENTS_MAX, .sub = &event_table, .required = true, .help = "what happens" },
	{ "expect", HT_OPT_LIST, SCR(expect), .max = EVENTS_MAX, .sub = &expect_table, .help = "the messages, all of them" },
};
static const struct ht_options script_table = HT_OPTIONS(struct script, script_rows);
/* clang-format on */

/* ── problems by script: rows that a fold of the replay alone reads ──────────────── */

#define ROW_KIND "replay.problem"

static const char *text_of(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_string(v) : NULL;
}

static void put(struct json_object *o, const char *key, const char *text)
{
	if (text)
		json_object_object_add(o, key, json_object_new_string(text));
}

static ht_err apply_script(struct db *db, const struct fold_input *in)
{
	const struct journal_row *row = in->row;
	struct json_object *list, *v;
	ht_err err = HT_OK;

	if (strcmp(row->kind, ROW_KIND) != 0)
		return HT_OK;
	list = json_tokener_parse(row->payload);
	for (size_t i = 0; !err && i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		const char *what = text_of(o, "what");
		int64_t at_ms = json_object_object_get_ex(o, "at_ms", &v)
				    ? json_object_get_int64(v)
				    : row->received_ms;
		struct problem p = { text_of(o, "kind"), text_of(o, "subject"),
			text_of(o, "agency"), text_of(o, "provider"), text_of(o, "root"),
			at_ms, text_of(o, "reason"), NULL };

		if (strcmp(what, "open") == 0)
			err = problem_open(db, &p, row->id, NULL);
		else if (strcmp(what, "update") == 0)
			err = problem_update(db, &p, row->id);
		else
			err = problem_close(db, p.kind, p.subject, at_ms, row->id, NULL);
		if (err == HT_NOTFOUND)
			err = HT_OK;
	}
	json_object_put(list);
	return err;
}

static ht_err reset_script(struct db *db)
{
	return HT_OK;
}

static const struct fold fold_script = {
	.name = "replay",
	.version = 1,
	.sources = 1u << JOURNAL_SERVER,
	.apply = apply_script,
	.reset = reset_script,
};

static const struct fold *const told_folds[] = { &fold_registry, &fold_script,
	&fold_alert };
static const struct fold *const measured_folds[] = { &fold_registry, &fold_anchor,
	&fold_presence, &fold_links, &fold_script, &fold_alert };

/* ── running ─────────────────────────────────────────────────────────────────────── */

struct message {
	int64_t at_ms;
	char channel[80], kind[16], subject[HT_INSTANCE_MAX + 1], title[400];
	struct json_object *facts;
	bool expected;
};

struct replay {
	struct db *db;
	struct ht_fault *fault;
	const struct script *script;
	int64_t now_ms, start_ms, due_ms;
	bool stopped;
	struct scripted *agents; /* as script.agents */
	struct scripted_link *links;
	int64_t minute_ms;
	struct json_object *waiting; /* rows of agents, while the server is away */
	struct message *messages;
	size_t n_messages;
};

static ht_err memory_db(struct db **out, struct ht_fault *fault)
{
	ht_err err = db_open(":memory:", false, out, fault);

	return err ? err : migrate(*out, NULL, fault);
}

/* Rules that remind each second could go on for a year, in memory. */
static ht_err few_enough(struct replay *r)
{
	struct db_rows *rows = db_start(r->db, &tell_sql, TELL_SQL_REPLAY_TOLD, "");
	ht_err err = db_next(rows);
	int64_t most = r->script->events.n ? MESSAGES_MAX : HISTORY_MAX;
	bool few = err || db_int(rows, 0) <= most;

	db_done(rows);
	return few ? err
		   : ht_fault_set(r->fault, HT_TOOLARGE,
			 "more than %lld messages: let it last shorter, or tell less",
			 (long long)most);
}

static ht_err fold(struct replay *r)
{
	struct writer_fold_state state = { .more = true };
	const struct fold *const *list = r->agents ? measured_folds : told_folds;
	size_t n = r->agents ? HT_COUNT(measured_folds) : HT_COUNT(told_folds);
	ht_err err = HT_OK;

	while (!err && state.more) {
		err = db_begin(r->db);
		if (!err)
			err = run_slice_of(r->db, list, n, SLICE_NS, &state);
		if (!err)
			err = db_commit(r->db);
		if (err)
			db_rollback(r->db);
		if (!err)
			err = few_enough(r);
	}
	r->due_ms = state.due_ms;
	return err;
}

static ht_err append(struct replay *r, const char *kind, const char *payload)
{
	struct journal_row row = {
		.source = JOURNAL_SERVER,
		.kind = kind,
		.content_type = "application/json",
		.received_ms = r->now_ms,
		.payload = payload,
		.len = strlen(payload) + 1,
	};

	return journal_append(r->db, &row);
}

static ht_err append_fold(struct replay *r, const char *kind, const char *payload)
{
	ht_err err = append(r, kind, payload);

	return err || r->stopped ? err : fold(r);
}

/* ── rows of agents ──────────────────────────────────────────────────────────────── */

static ht_err append_agent(
    struct replay *r, const char *agent, const char *kind, const char *text, size_t len)
{
	bool data = strcmp(kind, "data") == 0;
	struct journal_row row = {
		.source = data ? JOURNAL_AGENT : JOURNAL_SERVER,
		.kind = kind,
		.agent = agent,
		.lane = data ? JOURNAL_DATA : JOURNAL_NO_LANE,
		.content_type = data ? SENML_JSON_TYPE : NULL,
		.received_ms = r->now_ms,
		.payload = text,
		.len = len,
	};

	return journal_append(r->db, &row);
}

/* While the server is away its agents keep what they have to say. */
static ht_err say_row(
    void *arg, const char *agent, const char *kind, const char *text, size_t len)
{
	struct replay *r = arg;
	struct json_object *o;

	if (!r->stopped)
		return append_agent(r, agent, kind, text, len);
	if (!r->waiting)
		r->waiting = json_object_new_array();
	if (json_object_array_length(r->waiting) >= EVENTS_MAX)
		return HT_TOOLARGE;
	o = json_object_new_object();
	put(o, "agent", agent);
	put(o, "kind", kind);
	json_object_object_add(o, "text", json_object_new_string_len(text, (int)len));
	json_object_array_add(r->waiting, o);
	return HT_OK;
}

static ht_err say_waiting(struct replay *r)
{
	size_t n = r->waiting ? json_object_array_length(r->waiting) : 0;
	ht_err err = HT_OK;

	for (size_t i = 0; i < n && !err; i++) {
		struct json_object *o = json_object_array_get_idx(r->waiting, i);
		const char *text = text_of(o, "text");

		err = append_agent(
		    r, text_of(o, "agent"), text_of(o, "kind"), text, strlen(text));
	}
	json_object_put(r->waiting);
	r->waiting = NULL;
	return err;
}

static ht_err say_minute(struct replay *r)
{
	ht_err err = HT_OK;

	if (!r->agents || r->now_ms < r->minute_ms + MINUTE_MS)
		return HT_OK;
	r->minute_ms = r->now_ms;
	for (size_t i = 0; i < r->script->agents.n && !err; i++)
		err = scripted_minute(
		    &r->agents[i], r->links, r->script->links.n, r->now_ms, say_row, r);
	return err;
}

/* Beats each ten seconds, and whenever a fold asked for one, up to a time. */
static ht_err pass_until(struct replay *r, int64_t to_ms)
{
	ht_err err = HT_OK;

	while (!err && r->now_ms < to_ms) {
		int64_t next = r->script->events.n ? r->now_ms + BEAT_MS : to_ms;

		if (r->due_ms > r->now_ms && r->due_ms < next)
			next = r->due_ms;
		if (next >= to_ms)
			break;
		r->now_ms = next;
		err = say_minute(r);
		if (!err && !r->stopped)
			err = append_fold(r, "beat", "{}");
	}
	r->now_ms = to_ms;
	return err;
}

/* ── events ──────────────────────────────────────────────────────────────────────── */

static const struct script_link *link_of(const struct script *s, const char *id)
{
	const struct script_link *l = s->links.at;

	for (size_t i = 0; i < s->links.n; i++) {
		if (strcmp(l[i].id, id) == 0)
			return &l[i];
	}
	return NULL;
}

static ht_err root_of(struct replay *r, const char *subject, char *out)
{
	static const char *const of[] = { "link-down", "link-unreachable",
		"link-unstable", "vantage-blind" };

	for (size_t i = 0; i < HT_COUNT(of); i++) {
		if (!problem_find(r->db, of[i], subject, out))
			return HT_OK;
	}
	return HT_NOTFOUND;
}

static ht_err say_problems(struct replay *r, const struct script_event *e)
{
	const char *what = e->open ? "open" : e->update ? "update" : "close";
	const char *kind = e->open ? e->open : e->update ? e->update : e->close;
	struct json_object *list = json_object_new_array();
	char root[PROBLEM_ID_MAX + 1] = "";
	ht_err err = e->root ? root_of(r, e->root, root) : HT_OK;

	if (err)
		err = ht_fault_set(r->fault, HT_CONFIG,
		    "no problem of `%s` is open then: open it first", e->root);
	for (size_t i = 0; i < e->subjects.n && !err; i++) {
		const struct script_link *l = link_of(r->script, e->subjects.at[i]);
		struct json_object *o = json_object_new_object();

		put(o, "what", what);
		put(o, "kind", kind);
		put(o, "subject", e->subjects.at[i]);
		put(o, "agency", l ? l->agency : NULL);
		put(o, "provider", l ? l->provider : NULL);
		put(o, "root", root[0] ? root : NULL);
		put(o, "reason", "the script says so");
		json_object_object_add(o, "at_ms",
		    json_object_new_int64(r->now_ms - e->began_ns / HT_NS_PER_MS));
		json_object_array_add(list, o);
	}
	if (!err)
		err = append_fold(r, ROW_KIND, json_object_to_json_string(list));
	json_object_put(list);
	return err;
}

static ht_err say_ack(struct replay *r, const struct script_event *e)
{
	char id[INCIDENT_ID_MAX + 1] = "";
	struct db_rows *rows =
	    db_start(r->db, &tell_sql, TELL_SQL_REPLAY_INCIDENT, "s", e->ack);

	if (!db_next(rows))
		snprintf(id, sizeof(id), "%s", db_text(rows, 0));
	db_done(rows);
	if (!id[0])
		return ht_fault_set(r->fault, HT_CONFIG,
		    "no incident of `%s` is open then: nothing to acknowledge", e->ack);
	ht_err err = incident_ack(r->db, id, e->by, NULL, r->now_ms, r->fault);
	return err || r->stopped ? err : fold(r);
}

static ht_err say_maintenance(struct replay *r, const struct script_event *e)
{
	const struct script_maintenance *m = e->maintenance.at;
	struct operator_by by = { "admin", r->now_ms, VERB_UNSET };
	ht_err err = HT_OK;

	for (size_t i = 0; i < e->maintenance.n && !err; i++) {
		struct verb_maintenance v = { .id = m[i].id,
			.scope = m[i].scope,
			.subject = m[i].subject,
			.from_ms = r->now_ms,
			.to_ms = r->now_ms + m[i].for_ns / HT_NS_PER_MS,
			.reason = "the script says so" };

		err =
		    operator_append(r->db, &by, VERB_MAINTENANCE_PUT, &v, NULL, r->fault);
	}
	return err || r->stopped ? err : fold(r);
}

/* What happens to links and agents, as the agents tell it. */

static struct scripted *agent_of(struct replay *r, const char *id)
{
	for (size_t i = 0; i < r->script->agents.n; i++) {
		if (!id || strcmp(r->agents[i].agent, id) == 0)
			return &r->agents[i];
	}
	(void)ht_fault_set(r->fault, HT_CONFIG,
	    "no agent `%s` is in the list: write it below `agents`", id ? id : "");
	return NULL;
}

static ht_err say_reach(struct replay *r, const struct script_event *e)
{
	const struct ht_strings *ids = e->down.n ? &e->down : &e->up;
	struct scripted *v = agent_of(r, e->agent);
	struct scripted_link *seen = v ? calloc(ids->n, sizeof(*seen)) : NULL;
	ht_err err = !v ? HT_CONFIG : seen ? HT_OK : HT_NOMEM;

	for (size_t i = 0; i < ids->n && !err; i++) {
		const struct script_link *l = link_of(r->script, ids->at[i]);

		if (l) {
			size_t at =
			    (size_t)(l - (struct script_link *)r->script->links.at);
			seen[i] = (struct scripted_link){ at, l->id };
		} else {
			err = ht_fault_set(r->fault, HT_CONFIG,
			    "no link `%s` is in the list: write it below `links`",
			    ids->at[i]);
		}
	}
	if (!err)
		err = scripted_reach(v, seen, ids->n, e->down.n > 0,
		    (double)e->lost_ns / HT_NS_PER_S,
		    (double)e->answered_ns / HT_NS_PER_S, r->now_ms, say_row, r);
	free(seen);
	return err || r->stopped ? err : fold(r);
}

static ht_err say_agent(struct replay *r, const struct script_event *e)
{
	const char *id = e->blind ? e->blind : e->sighted ? e->sighted : e->agent;
	struct scripted *v = agent_of(r, id);
	ht_err err;

	if (!v)
		return HT_CONFIG;
	if (e->presence)
		err = scripted_presence(v, presences[e->presence], r->now_ms, say_row, r);
	else
		err = scripted_blind(v, e->blind != NULL, r->now_ms, say_row, r);
	return err || r->stopped ? err : fold(r);
}

static ht_err start(struct replay *r)
{
	r->stopped = false;
	ht_err err = append(r, "start", "{}");
	if (!err)
		err = say_waiting(r);
	return err ? err : fold(r);
}

static ht_err happen(struct replay *r, const struct script_event *e)
{
	if (e->server == SERVER_STOP) {
		r->stopped = true;
		return HT_OK;
	}
	if (e->server == SERVER_START)
		return start(r);
	if (e->ack)
		return say_ack(r, e);
	if (e->maintenance.n)
		return say_maintenance(r, e);
	if (e->down.n || e->up.n)
		return say_reach(r, e);
	if (e->blind || e->sighted || e->presence)
		return say_agent(r, e);
	return say_problems(r, e);
}

/* ── the registry ────────────────────────────────────────────────────────────────── */

static ht_err enter(struct replay *r)
{
	const struct script *s = r->script;
	const struct script_agency *a = s->agencies.at;
	const struct script_link *l = s->links.at;
	struct operator_by by = { "admin", r->now_ms, VERB_UNSET };
	ht_err err = HT_OK;

	for (size_t i = 0; i < s->agencies.n && !err; i++) {
		struct verb_agency v = { .id = a[i].id,
			.name = a[i].name,
			.level = a[i].level,
			.parent = a[i].parent,
			.latitude = NAN,
			.longitude = NAN };

		err = operator_append(r->db, &by, VERB_AGENCY_PUT, &v, NULL, r->fault);
	}
	for (size_t i = 0; i < s->links.n && !err; i++) {
		struct verb_link v = { .id = l[i].id,
			.agency = l[i].agency,
			.role = roles[l[i].role],
			.kind = link_kinds[l[i].kind],
			.provider = l[i].provider,
			.parents = l[i].parents,
			.contracted_down_bps = VERB_UNSET,
			.contracted_up_bps = VERB_UNSET };

		err = operator_append(r->db, &by, VERB_LINK_PUT, &v, NULL, r->fault);
	}
	for (size_t i = 0; i < s->agents.n && !err; i++) {
		const struct script_agent *g = s->agents.at;
		struct verb_agent v = { g[i].id, g[i].agency, g[i].vantage };

		err = operator_append(r->db, &by, VERB_AGENT_PUT, &v, NULL, r->fault);
	}
	return err ? err : fold(r);
}

/* The agents and what they see: the first of them sees all links up. */
static ht_err meet(struct replay *r)
{
	const struct script *s = r->script;
	const struct script_agent *g = s->agents.at;
	const struct script_link *l = s->links.at;
	ht_err err;

	if (!s->agents.n)
		return HT_OK;
	for (size_t i = 0; i < s->agents.n; i++) {
		r->agents[i].agent = g[i].id;
		r->agents[i].states = calloc(s->links.n + 1, 1);
		if (!r->agents[i].states)
			return HT_NOMEM;
	}
	for (size_t i = 0; i < s->links.n; i++)
		r->links[i] = (struct scripted_link){ i, l[i].id };
	r->minute_ms = r->now_ms;
	err = scripted_reach(
	    &r->agents[0], r->links, s->links.n, false, 0, 0, r->now_ms, say_row, r);
	return err ? err : fold(r);
}

static void free_agents(struct replay *r)
{
	for (size_t i = 0; r->agents && i < r->script->agents.n; i++)
		free(r->agents[i].states);
	free(r->agents);
	free(r->links);
	json_object_put(r->waiting);
}

/* ── messages ────────────────────────────────────────────────────────────────────── */

static ht_err read_messages(struct replay *r)
{
	struct db_rows *rows;
	int64_t after = 0;
	size_t cap = 0;
	ht_err err = HT_OK;

	while (!err) {
		rows = db_start(r->db, &tell_sql, TELL_SQL_REPLAY_OUTBOX, "i", after);
		err = db_next(rows);
		if (!err && r->n_messages == cap) {
			size_t more = cap ? 2 * cap : 64;
			void *grown = realloc(r->messages, more * sizeof(*r->messages));

			if (!grown)
				err = HT_NOMEM;
			else
				r->messages = grown;
			cap = more;
		}
		if (!err) {
			struct message *m = &r->messages[r->n_messages++];
			const char *text;

			*m = (struct message){ .at_ms = db_int(rows, 1) };
			after = db_int(rows, 0);
			snprintf(m->channel, sizeof(m->channel), "%s", db_text(rows, 2));
			snprintf(m->kind, sizeof(m->kind), "%s", db_text(rows, 3));
			m->facts = json_tokener_parse(db_text(rows, 5));
			text = text_of(m->facts, "subject");
			snprintf(m->subject, sizeof(m->subject), "%s", text ? text : "");
			text = text_of(m->facts, "title_vi");
			snprintf(m->title, sizeof(m->title), "%s", text ? text : "");
		}
		db_done(rows);
	}
	return err == HT_NOTFOUND ? HT_OK : err;
}

static void free_messages(struct replay *r)
{
	for (size_t i = 0; i < r->n_messages; i++)
		json_object_put(r->messages[i].facts);
	free(r->messages);
}

static bool is_affected(const struct message *m, const char *id)
{
	struct json_object *list;

	if (!json_object_object_get_ex(m->facts, "affected", &list))
		return false;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *have = text_of(json_object_array_get_idx(list, i), "id");

		if (have && strcmp(have, id) == 0)
			return true;
	}
	return false;
}

static int64_t n_affected(const struct message *m)
{
	struct json_object *v;

	return json_object_object_get_ex(m->facts, "n_affected", &v)
		   ? json_object_get_int64(v)
		   : -1;
}

static bool fits(
    const struct replay *r, const struct script_expect *e, const struct message *m)
{
	int64_t at_ms = r->start_ms + e->at_ns / HT_NS_PER_MS;

	if (m->expected || strcmp(m->channel, e->channel) != 0 ||
	    strcmp(m->kind, kinds[e->kind]) != 0 || strcmp(m->subject, e->subject) != 0 ||
	    m->at_ms < at_ms || m->at_ms > at_ms + e->within_ns / HT_NS_PER_MS ||
	    (e->title && !strstr(m->title, e->title)))
		return false;
	if (e->n_affected && n_affected(m) != e->n_affected)
		return false;
	for (size_t i = 0; i < e->affected.n; i++) {
		if (!is_affected(m, e->affected.at[i]))
			return false;
	}
	return !e->affected.n || n_affected(m) == (int64_t)e->affected.n;
}

static void say_message(
    const struct replay *r, const struct message *m, const char *mark, struct ht_buf *out)
{
	ht_buf_printf(out, "%s %+9.3fs  %-10s %-9s %s (%lld): %s\n", mark,
	    (double)(m->at_ms - r->start_ms) / 1000.0, m->channel, m->kind, m->subject,
	    (long long)n_affected(m), m->title);
}

static bool compare(struct replay *r, const char *file, struct ht_buf *out)
{
	const struct script_expect *e = r->script->expect.at;
	size_t n = r->script->expect.n, wrong = 0;

	for (size_t i = 0; i < n; i++) {
		struct message *found = NULL;

		for (size_t k = 0; k < r->n_messages && !found; k++) {
			if (fits(r, &e[i], &r->messages[k]))
				found = &r->messages[k];
		}
		if (found) {
			found->expected = true;
			continue;
		}
		wrong++;
		ht_buf_printf(out,
		    "%s:%d: expected and not told: at %.3fs %s to %s about %s\n", file,
		    r->script->expect.nodes[i]->line, (double)e[i].at_ns / 1e9,
		    kinds[e[i].kind], e[i].channel, e[i].subject);
	}
	for (size_t k = 0; k < r->n_messages; k++) {
		wrong += !r->messages[k].expected;
		say_message(
		    r, &r->messages[k], r->messages[k].expected ? "  " : "+ ", out);
	}
	ht_buf_printf(out, "%s: %s: %zu messages, %zu expected, %zu wrong\n", file,
	    wrong ? "FAILED" : "passed", r->n_messages, n, wrong);
	return wrong == 0;
}

/* ── a scenario ──────────────────────────────────────────────────────────────────── */

static ht_err script_rules(const struct script *s, const char *file,
    const char *rules_file, struct rules **out, struct ht_fault *fault)
{
	struct rules_channel channels[RULES_CHANNELS_MAX];
	const struct script_channel *c = s->channels.at;
	char path[PATH_MAX];

	for (size_t i = 0; i < s->channels.n; i++)
		channels[i] = (struct rules_channel){ c[i].name, c[i].edit };
	if (s->rules && s->rules->kind == HT_NODE_SCALAR)
		return rules_parse(file, s->rules->text, strlen(s->rules->text), channels,
		    s->channels.n, out, fault);
	if (s->rules)
		return ht_node_fault(s->rules, fault,
		    "`rules` is a block of text: write `rules: |` and the rules below");
	ht_err err = share_path(RULES_SHIPPED, path);
	return err ? err
		   : rules_load(rules_file ? rules_file : path, channels, s->channels.n,
			 out, fault);
}

static ht_err play(struct replay *r)
{
	const struct script_event *e = r->script->events.at;
	const struct script_expect *x = r->script->expect.at;
	int64_t end_ns = r->script->end_ns;
	ht_err err = fold(r); /* nothing is there yet: what comes is told */

	if (!err)
		err = enter(r);
	if (!err)
		err = meet(r);
	for (size_t i = 0; i < r->script->events.n && !err; i++) {
		if (i && e[i].at_ns < e[i - 1].at_ns)
			return ht_node_fault(r->script->events.nodes[i], r->fault,
			    "it happens before the event above it: put them in order");
		err = pass_until(r, r->start_ms + e[i].at_ns / HT_NS_PER_MS);
		if (!err)
			err = happen(r, &e[i]);
		if (!end_ns || e[i].at_ns + 60 * HT_NS_PER_S > end_ns)
			end_ns = e[i].at_ns + 60 * HT_NS_PER_S;
	}
	for (size_t i = 0; i < r->script->expect.n; i++) {
		int64_t least = x[i].at_ns + x[i].within_ns + 10 * HT_NS_PER_S;

		if (least > end_ns)
			end_ns = least;
	}
	return err ? err : pass_until(r, r->start_ms + end_ns / HT_NS_PER_MS);
}

ht_err replay_scenario(const char *file, const void *bytes, size_t len,
    const char *rules_file, struct ht_buf *report, bool *out_passed,
    struct ht_fault *fault)
{
	struct script s = { 0 };
	struct ht_yaml yaml = { 0 };
	struct rules *rules = NULL;
	struct replay r = { .script = &s, .fault = fault };
	ht_err err = ht_yaml_parse(file, bytes, len, &yaml, fault);

	if (!err)
		err = ht_options_load(&script_table, NULL, yaml.root, &s, fault);
	if (!err && ht_rfc3339_parse(s.start, &r.start_ms))
		err = ht_fault_set(fault, HT_CONFIG,
		    "%s: `start` is no time: write it as 2026-03-02T02:00:00Z", file);
	if (!err)
		err = script_rules(&s, file, rules_file, &rules, fault);
	if (!err)
		err = memory_db(&r.db, fault);
	if (!err && s.agents.n) {
		r.agents = calloc(s.agents.n, sizeof(*r.agents));
		r.links = calloc(s.links.n + 1, sizeof(*r.links));
		err = r.agents && r.links ? HT_OK : HT_NOMEM;
	}
	if (!err) {
		r.now_ms = r.start_ms;
		rules_use_here(rules);
		err = play(&r);
		rules_use_here(NULL);
	}
	if (!err)
		err = read_messages(&r);
	if (!err) {
		ht_buf_printf(report, "%s\n", s.name);
		*out_passed = compare(&r, file, report);
		err = ht_buf_err(report);
	} else if (fault && !fault->text[0]) {
		(void)ht_fault_set(fault, err, "%s: %s (%s)", file, ht_err_name(err),
		    r.db ? db_error(r.db) : "");
	}
	free_messages(&r);
	free_agents(&r);
	db_close(r.db);
	rules_free(rules);
	ht_options_fini(&script_table, &s);
	ht_yaml_fini(&yaml);
	return err;
}

/* ── history ─────────────────────────────────────────────────────────────────────── */

/* Agencies and links as the registry has them now. */
static ht_err copy_registry(struct replay *r, struct db *from)
{
	struct operator_by by = { "replay", r->now_ms, VERB_UNSET };
	struct db_rows *rows = db_start(from, &tell_sql, TELL_SQL_REPLAY_AGENCIES, "");
	ht_err err;

	while (!(err = db_next(rows))) {
		struct verb_agency v = { .id = db_text(rows, 0),
			.name = db_text(rows, 1),
			.level = db_text(rows, 2),
			.parent = db_text(rows, 3),
			.latitude = NAN,
			.longitude = NAN };

		err = operator_append(r->db, &by, VERB_AGENCY_PUT, &v, NULL, r->fault);
		if (err)
			break;
	}
	db_done(rows);
	if (err != HT_NOTFOUND)
		return err;
	rows = db_start(from, &tell_sql, TELL_SQL_REPLAY_LINKS, "");
	while (!(err = db_next(rows))) {
		struct verb_link v = { .id = db_text(rows, 0),
			.agency = db_text(rows, 1),
			.role = db_text(rows, 2),
			.kind = db_text(rows, 3),
			.provider = db_text(rows, 4),
			.parents = db_text(rows, 5),
			.contracted_down_bps = VERB_UNSET,
			.contracted_up_bps = VERB_UNSET };

		err = operator_append(r->db, &by, VERB_LINK_PUT, &v, NULL, r->fault);
		if (err)
			break;
	}
	db_done(rows);
	return err == HT_NOTFOUND ? fold(r) : err;
}

/* A root is named by its id there; here the same problem has another. */
static void root_here(struct replay *r, const char *there, char *out)
{
	char subject[HT_INSTANCE_MAX + 1];
	const char *first = strchr(there, '/');
	const char *last = strrchr(there, '/');

	out[0] = '\0';
	if (!first || last <= first || (size_t)(last - first) > sizeof(subject))
		return;
	snprintf(subject, sizeof(subject), "%.*s", (int)(last - first - 1), first + 1);
	if (root_of(r, subject, out))
		out[0] = '\0';
}

static ht_err copy_change(struct replay *r, const struct db_rows *rows)
{
	struct json_object *list = json_object_new_array(), *o = json_object_new_object();
	char root[PROBLEM_ID_MAX + 1] = "";

	if (db_text(rows, 7))
		root_here(r, db_text(rows, 7), root);
	put(o, "what", db_text(rows, 0));
	put(o, "kind", db_text(rows, 3));
	put(o, "subject", db_text(rows, 4));
	put(o, "agency", db_text(rows, 5));
	put(o, "provider", db_text(rows, 6));
	put(o, "root", root[0] ? root : NULL);
	put(o, "reason", db_text(rows, 8));
	json_object_object_add(o, "at_ms", json_object_new_int64(db_int(rows, 1)));
	json_object_array_add(list, o);
	ht_err err = append_fold(r, ROW_KIND, json_object_to_json_string(list));

	json_object_put(list);
	return err;
}

static ht_err copy_history(
    struct replay *r, struct db *from, int64_t from_ms, int64_t to_ms)
{
	struct db_rows *rows =
	    db_start(from, &tell_sql, TELL_SQL_REPLAY_HISTORY, "ii", from_ms, to_ms);
	ht_err err;

	for (int n = 0; !(err = db_next(rows)); n++) {
		if (n >= HISTORY_MAX) {
			err = ht_fault_set(r->fault, HT_TOOLARGE,
			    "more than %d changes in that time: ask for less of it",
			    HISTORY_MAX);
			break;
		}
		if (db_int(rows, 2) > r->now_ms)
			err = pass_until(r, db_int(rows, 2));
		if (!err)
			err = copy_change(r, rows);
		if (err)
			break;
	}
	db_done(rows);
	return err == HT_NOTFOUND ? pass_until(r, to_ms) : err;
}

ht_err replay_history(struct db *from, const struct rules *rules, int64_t from_ms,
    int64_t to_ms, void (*told)(void *arg, const struct replay_told *message), void *arg,
    struct ht_fault *fault)
{
	static const struct script none;
	struct replay r = { .script = &none, .fault = fault, .now_ms = from_ms };
	ht_err err = to_ms > from_ms && to_ms - from_ms <= HISTORY_MS_MAX
			 ? HT_OK
			 : ht_fault_set(fault, HT_INVALID,
			       "`to` must be after `from`, by at most 92 days");

	if (!err)
		err = memory_db(&r.db, fault);
	rules_use_here(rules);
	if (!err)
		err = fold(&r);
	if (!err)
		err = copy_registry(&r, from);
	if (!err)
		err = copy_history(&r, from, from_ms, to_ms);
	rules_use_here(NULL);
	if (!err)
		err = read_messages(&r);
	for (size_t k = 0; k < r.n_messages && !err; k++) {
		const struct message *m = &r.messages[k];

		told(arg, &(struct replay_told){ m->at_ms, m->channel, m->kind,
			      m->subject, m->title, n_affected(m) });
	}
	free_messages(&r);
	db_close(r.db);
	return err;
}
