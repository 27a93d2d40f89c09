/* Link states, outages and problems: scripted journals go through the real folds into a
 * real store. A scenario is a list of lines; "+N" before a line lets N ms go by.
 *
 *   agency ID | agent ID AGENCY [vantage] | link ID AGENCY [primary|backup] [PARENTS…]
 *   unlink ID
 *   down AGENT LINK LOST ANSWERED   (seconds ago)     up AGENT LINK | suspect AGENT LINK
 *   minute AGENT LINK SENT RECEIVED | ping AGENT LINK RECEIVED | poll AGENT LINK OPER
 *   blind AGENT 0|1 | data AGENT | online|lost|offline AGENT SESSION | beat | start |
 * stop maintain ID SCOPE SUBJECT FROM TO (seconds from now) | unmaintain ID = LINK STATE
 * [WHY]    the newest span        fact LINK STATE open KIND SUBJECT [ROOT-KIND/SUBJECT]
 * shut KIND SUBJECT told KIND SUBJECT N   opened so often        outages LINK N outage
 * LINK STATE START-UNCERTAINTY [ended]  of the newest one agency= ID STATE ON-BACKUP */
#include "unit/test.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "server/derive/run.h"
#include "server/store/journal.h"
#include "unit/server/store/store_test.h"

#define T0 INT64_C(1519862400000)

enum { SPAN, FACT, OPEN, TOLD, OUTAGES, OUTAGE, AGENCY, DUMP, N };
static const char *const texts[N] = {
	[SPAN] = "SELECT state, why FROM link_span WHERE link = $1 AND to_ms IS NULL",
	[FACT] = "SELECT state, reason FROM link_fact WHERE link = $1",
	[OPEN] = "SELECT coalesce(root, '') FROM problem WHERE kind = $1 AND subject = $2"
		 " AND closed_ms IS NULL",
	[TOLD] = "SELECT count(*) FROM problem WHERE kind = $1 AND subject = $2",
	[OUTAGES] = "SELECT count(*) FROM outage WHERE link = $1",
	[OUTAGE] =
	    "SELECT state, start_uncertainty_ms, end_ms IS NOT NULL, root FROM outage"
	    " WHERE link = $1 ORDER BY start_ms DESC LIMIT 1",
	[AGENCY] = "SELECT state, on_backup FROM agency_state WHERE agency = $1",
	[DUMP] =
	    "SELECT group_concat(x, char(10)) FROM (SELECT 's' || link || from_ms ||"
	    " coalesce(to_ms, '') || state || why || reason || journal_id AS x FROM"
	    " link_span UNION ALL SELECT 'o' || id || state || coalesce(root, '') ||"
	    " start_ms || coalesce(end_ms, '') || opened_journal FROM outage"
	    " UNION ALL SELECT 'p' || id || coalesce(root, '') || opened_ms ||"
	    " coalesce(closed_ms, '') || facts FROM problem"
	    " UNION ALL SELECT 'c' || id || problem || change || at_ms || journal_id FROM"
	    " problem_change UNION ALL SELECT 'a' || agency || state || on_backup ||"
	    " since_ms FROM agency_state UNION ALL SELECT 'f' || link || state || reason"
	    " || coalesce(since_ms, '') || evidence FROM link_fact)",
};
static const struct db_sql table = { "test", texts, N };

struct world {
	struct test_store store;
	struct db *db;
	int64_t now_ms;
	const char *at; /* of which line */
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	test_store_init(&w->store);
	w->db = test_store_open(&w->store);
	w->now_ms = T0;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	db_close(w->db);
	test_store_fini(&w->store);
	free(w);
	return 0;
}

static void append(struct world *w, struct journal_row *row)
{
	row->received_ms = w->now_ms;
	assert_ok(db_begin(w->db));
	assert_ok(journal_append(w->db, row));
	assert_ok(db_commit(w->db));
}

static void edit(struct world *w, const char *verb, const char *data)
{
	char at[HT_RFC3339_LEN + 1], payload[2048];

	ht_rfc3339(w->now_ms, at);
	int n = snprintf(payload, sizeof(payload),
	    "{\"effective_from\":\"%s\",\"data\":%s}", at, data);
	struct journal_row row = { .source = JOURNAL_OPERATOR,
		.kind = verb,
		.actor = "an",
		.payload = payload,
		.len = (size_t)n };
	append(w, &row);
}

static void pack(struct world *w, const char *agent, const char *records)
{
	char payload[4096];
	int n = snprintf(payload, sizeof(payload),
	    "[{\"bn\":\"%s/\",\"bt\":%" PRId64 ".%03d,%s]", agent, w->now_ms / 1000,
	    (int)(w->now_ms % 1000), records + 1);

	assert_true(n > 0 && (size_t)n < sizeof(payload));
	struct journal_row row = { .source = JOURNAL_AGENT,
		.kind = "data",
		.agent = agent,
		.lane = JOURNAL_DATA,
		.content_type = SENML_JSON_TYPE,
		.payload = payload,
		.len = (size_t)n };
	append(w, &row);
}

static void server_row(struct world *w, const char *kind)
{
	struct journal_row row = {
		.source = JOURNAL_SERVER, .kind = kind, .payload = "{}", .len = 2
	};

	append(w, &row);
}

static void presence(
    struct world *w, const char *what, const char *agent, const char *session)
{
	char payload[512];
	int n = snprintf(payload, sizeof(payload),
	    "{\"state\":\"%s\",\"session\":\"00112233445566%s\","
	    "\"boot\":\"11111111-2222-3333-4444-555555555555\",\"mono\":1000.5,\"wall\":"
	    "%" PRId64 ".0,\"synchronised\":true,\"fingerprint\":"
	    "\"0000000000000000000000000000000000000000000000000000000000000000\","
	    "\"version\":\"0.1.0\",\"epoch\":\"00112233445566bb\",\"config\":\"\"}",
	    what, session, w->now_ms / 1000);
	struct journal_row row = { .source = JOURNAL_SERVER,
		.kind = "presence",
		.agent = agent,
		.payload = payload,
		.len = (size_t)n };

	append(w, &row);
}

static void fold(struct world *w)
{
	assert_ok(run_to_end(w->db));
}

/* ── the lines ───────────────────────────────────────────────────────────────────── */

#define WORDS 12

static struct db_rows *ask(struct world *w, int statement, char (*a)[80], int n)
{
	struct db_rows *r = n == 1 ? db_start(w->db, &table, statement, "s", a[1])
				   : db_start(w->db, &table, statement, "ss", a[1], a[2]);

	return r;
}

static void do_registry(struct world *w, char (*a)[80], int n)
{
	char json[600], parents[300] = "";

	if (strcmp(a[0], "agency") == 0) {
		snprintf(json, sizeof(json),
		    "{\"id\":\"%s\",\"name\":\"%s\",\"level\":\"commune\"}", a[1], a[1]);
		edit(w, "agency.put", json);
	} else if (strcmp(a[0], "agent") == 0) {
		snprintf(json, sizeof(json),
		    "{\"id\":\"%s\",\"agency\":\"%s\",\"vantage\":%s}", a[1], a[2],
		    n > 3 ? "true" : "false");
		edit(w, "agent.put", json);
	} else if (strcmp(a[0], "unlink") == 0) {
		snprintf(json, sizeof(json), "{\"id\":\"%s\"}", a[1]);
		edit(w, "link.remove", json);
	} else {
		for (int i = 4; i < n; i++)
			snprintf(parents + strlen(parents),
			    sizeof(parents) - strlen(parents), "%s%s", i > 4 ? " " : "",
			    a[i]);
		snprintf(json, sizeof(json),
		    "{\"id\":\"%s\",\"agency\":\"%s\",\"role\":\"%s\",\"kind\":"
		    "\"province-wan\",\"provider\":\"VNPT\"%s%s%s}",
		    a[1], a[2], n > 3 ? a[3] : "primary",
		    parents[0] ? ",\"parents\":\"" : "", parents, parents[0] ? "\"" : "");
		edit(w, "link.put", json);
	}
}

static void do_reach(struct world *w, char (*a)[80], int n)
{
	char r[600];
	int len = snprintf(
	    r, sizeof(r), "{\"n\":\"reach/%s/state\",\"vs\":\"%s\"}", a[2], a[0]);

	if (n > 3)
		snprintf(r + len, sizeof(r) - (size_t)len,
		    ",{\"n\":\"reach/%s/unanswered-for\",\"u\":\"s\",\"v\":%s},"
		    "{\"n\":\"reach/%s/answered-ago\",\"u\":\"s\",\"v\":%s}",
		    a[2], a[3], a[2], a[4]);
	pack(w, a[1], r);
}

static void do_measure(struct world *w, char (*a)[80], int n)
{
	char r[600];

	if (strcmp(a[0], "minute") == 0)
		snprintf(r, sizeof(r),
		    "{\"n\":\"reach/%s/sent\",\"u\":\"count\",\"v\":%s},"
		    "{\"n\":\"reach/%s/received\",\"u\":\"count\",\"v\":%s}",
		    a[2], a[3], a[2], a[4]);
	else if (strcmp(a[0], "ping") == 0)
		snprintf(r, sizeof(r),
		    "{\"n\":\"icmp/%s/status\",\"vs\":\"%s\"},"
		    "{\"n\":\"icmp/%s/sent\",\"u\":\"count\",\"v\":5},"
		    "{\"n\":\"icmp/%s/received\",\"u\":\"count\",\"v\":%s}",
		    a[2], a[3][0] == '0' ? "timeout" : "ok", a[2], a[2], a[3]);
	else if (strcmp(a[0], "poll") == 0)
		snprintf(r, sizeof(r),
		    "{\"n\":\"snmp/%s/status\",\"vs\":\"ok\"},"
		    "{\"n\":\"snmp/%s/link_interface\",\"vs\":\"%s:1\"},"
		    "{\"n\":\"if/%s:1/oper_status\",\"vs\":\"%s\"}",
		    a[2], a[2], a[2], a[2], a[3]);
	else if (strcmp(a[0], "blind") == 0)
		snprintf(r, sizeof(r), "{\"n\":\"reach/core/blind\",\"vb\":%s}",
		    a[2][0] == '1' ? "true" : "false");
	else
		snprintf(
		    r, sizeof(r), "{\"n\":\"selftest/x/count\",\"u\":\"count\",\"v\":1}");
	pack(w, a[1], r);
}

static void do_maintenance(struct world *w, char (*a)[80], int n)
{
	char json[400];

	if (strcmp(a[0], "unmaintain") == 0)
		snprintf(json, sizeof(json), "{\"id\":\"%s\"}", a[1]);
	else
		snprintf(json, sizeof(json),
		    "{\"id\":\"%s\",\"scope\":\"%s\",\"subject\":\"%s\",\"from_ms\":"
		    "%" PRId64 ",\"to_ms\":%" PRId64 ",\"reason\":\"new fibre\"}",
		    a[1], a[2], strcmp(a[3], "-") == 0 ? "" : a[3],
		    w->now_ms + (int64_t)strtoll(a[4], NULL, 10) * 1000,
		    w->now_ms + (int64_t)strtoll(a[5], NULL, 10) * 1000);
	edit(w, a[0][0] == 'u' ? "maintenance.remove" : "maintenance.put", json);
}

static void do_presence(struct world *w, char (*a)[80], int n)
{
	presence(w, a[0], a[1], a[2]);
}

static void do_server(struct world *w, char (*a)[80], int n)
{
	server_row(w, a[0]);
}

static void is_state(struct world *w, char (*a)[80], int n)
{
	struct db_rows *r = ask(w, a[0][0] == '=' ? SPAN : FACT, a, 1);

	if (db_next(r))
		fail_msg("%s: %s has no state", w->at, a[1]);
	if (strcmp(db_text(r, 0), a[2]) != 0 ||
	    (n > 3 && strcmp(db_text(r, 1), a[3]) != 0))
		fail_msg("%s: it is %s %s", w->at, db_text(r, 0), db_text(r, 1));
	db_done(r);
}

static void is_open(struct world *w, char (*a)[80], int n)
{
	struct db_rows *r = ask(w, OPEN, a, 2);
	bool open = db_next(r) == HT_OK;

	if (open != (a[0][0] == 'o'))
		fail_msg("%s: it is %s", w->at, open ? "open" : "not");
	if (n > 3 && strncmp(db_text(r, 0), a[3], strlen(a[3])) != 0)
		fail_msg("%s: its root is '%s'", w->at, db_text(r, 0));
	if (open && n == 3 && db_text(r, 0)[0])
		fail_msg("%s: its root is '%s'", w->at, db_text(r, 0));
	db_done(r);
}

static void counts(struct world *w, char (*a)[80], int n)
{
	bool told = strcmp(a[0], "told") == 0;
	struct db_rows *r = told ? ask(w, TOLD, a, 2) : ask(w, OUTAGES, a, 1);

	assert_ok(db_next(r));
	if (db_int(r, 0) != strtoll(a[told ? 3 : 2], NULL, 10))
		fail_msg("%s: there are %" PRId64, w->at, db_int(r, 0));
	db_done(r);
}

static void is_outage(struct world *w, char (*a)[80], int n)
{
	struct db_rows *r = ask(w, OUTAGE, a, 1);

	if (db_next(r))
		fail_msg("%s: there is none", w->at);
	if (strcmp(db_text(r, 0), a[2]) != 0 || db_int(r, 1) != strtoll(a[3], NULL, 10) ||
	    (db_int(r, 2) != 0) != (n > 4) ||
	    (db_text(r, 3) != NULL) != (strcmp(a[2], "UNREACHABLE") == 0))
		fail_msg("%s: it is %s ± %" PRId64 " ms, %s, root %s", w->at,
		    db_text(r, 0), db_int(r, 1), db_int(r, 2) ? "ended" : "open",
		    db_text(r, 3) ? db_text(r, 3) : "none");
	db_done(r);
}

static void is_agency(struct world *w, char (*a)[80], int n)
{
	struct db_rows *r = ask(w, AGENCY, a, 1);

	if (db_next(r))
		fail_msg("%s: no such agency", w->at);
	if (strcmp(db_text(r, 0), a[2]) != 0 || db_int(r, 1) != strtoll(a[3], NULL, 10))
		fail_msg("%s: it is %s %" PRId64, w->at, db_text(r, 0), db_int(r, 1));
	db_done(r);
}

static const struct word {
	const char *word;
	void (*call)(struct world *w, char (*a)[80], int n);
	int least;
	bool looks; /* at what was folded */
} words[] = {
	{ "agency", do_registry, 2 },
	{ "agent", do_registry, 3 },
	{ "link", do_registry, 3 },
	{ "unlink", do_registry, 2 },
	{ "down", do_reach, 3 },
	{ "up", do_reach, 3 },
	{ "suspect", do_reach, 3 },
	{ "minute", do_measure, 5 },
	{ "ping", do_measure, 4 },
	{ "poll", do_measure, 4 },
	{ "blind", do_measure, 3 },
	{ "data", do_measure, 2 },
	{ "online", do_presence, 3 },
	{ "lost", do_presence, 3 },
	{ "offline", do_presence, 3 },
	{ "beat", do_server, 1 },
	{ "start", do_server, 1 },
	{ "stop", do_server, 1 },
	{ "maintain", do_maintenance, 6 },
	{ "unmaintain", do_maintenance, 2 },
	{ "=", is_state, 3, true },
	{ "fact", is_state, 3, true },
	{ "open", is_open, 3, true },
	{ "shut", is_open, 3, true },
	{ "told", counts, 4, true },
	{ "outages", counts, 3, true },
	{ "outage", is_outage, 4, true },
	{ "agency=", is_agency, 4, true },
};

static int split(const char *line, char (*a)[80])
{
	int n = 0, used;

	while (n < WORDS && sscanf(line, "%79s%n", a[n], &used) == 1) {
		line += used;
		n++;
	}
	return n;
}

/* `looking`: the lines that look, too; else only what happens. */
static void run_line(struct world *w, const char *line, bool looking)
{
	char a[WORDS + 1][80] = { { 0 } };
	int n = split(line, a);

	w->at = line;
	if (a[0][0] == '+') {
		w->now_ms += strtoll(a[0] + 1, NULL, 10);
		memmove(a[0], a[1], sizeof(a) - sizeof(a[0]));
		if (--n == 0)
			return;
	}
	for (size_t i = 0; i < HT_COUNT(words); i++) {
		if (strcmp(words[i].word, a[0]) != 0 || n < words[i].least)
			continue;
		if (words[i].looks && !looking)
			return;
		if (words[i].looks)
			fold(w);
		words[i].call(w, a, n);
		return;
	}
	fail_msg("'%s' is no line", line);
}

static char *dump(struct world *w)
{
	fold(w);
	struct db_rows *r = db_start(w->db, &table, DUMP, "");
	assert_ok(db_next(r));
	char *text = strdup(db_text(r, 0) ? db_text(r, 0) : "");
	db_done(r);
	return text;
}

/* Folded row by row or at once, and again from the beginning: the same bytes. */
static void play(struct world *w, const char *const *lines)
{
	bool moved = false; /* the registry of then is not that of now */

	for (; *lines; lines++) {
		run_line(w, *lines, true);
		moved |= strstr(*lines, "unlink") != NULL;
	}
	char *first = dump(w);
	assert_true(strlen(first) > 0);
	assert_ok(run_forget(w->db, NULL));
	char *again = dump(w);
	assert_string_equal(first, again);
	free(again);
	if (!moved) {
		assert_ok(run_forget(w->db, "links"));
		again = dump(w);
		assert_string_equal(first, again);
		free(again);
	}
	free(first);
}

/* Two communes behind a district's hub; one vantage. */
#define PROVINCE                                                                      \
	"agency tinh", "agency xa-a", "agency xa-b", "agent core tinh vantage",       \
	    "agent agent-a xa-a", "link hub tinh primary", "link a xa-a primary hub", \
	    "link b xa-b primary hub", "online core aa", "up core hub", "up core a",  \
	    "up core b", "= a UP answers"

#define SCENARIO(name, ...)                                               \
	static void name(void **state)                                    \
	{                                                                 \
		static const char *const lines[] = { __VA_ARGS__, NULL }; \
                                                                          \
		play(*state, lines);                                      \
	}

SCENARIO(down_and_up, PROVINCE, "+60000 minute core a 60 60", "+10000 suspect core a",
    "= a UP", "outages a 0", "+1500 down core a 2.5 3.5", "= a DOWN no-reply",
    "fact a DOWN", "open link-down a", "outages a 1", "outage a DOWN 500",
    "agency= xa-a DOWN 0", "told link-down a 1", "+30000 minute core a 30 0",
    "told link-down a 1", "+500 up core a", "= a UP", "shut link-down a",
    "outage a DOWN 500 ended", "agency= xa-a UP 0", "outages a 1")

SCENARIO(parent_first, PROVINCE, "+1000 down core hub 2.5 3.5", "open link-down hub",
    "+1 down core a 2.5 3.5", "= a UNREACHABLE parent-dead",
    "open link-unreachable a link-down/hub", "shut link-down a",
    "outage a UNREACHABLE 500", "told link-down a 0", "+20000 up core hub",
    "= a UNREACHABLE parent-back", "+300 up core a", "= a UP", "shut link-unreachable a",
    "told link-down a 0", "outage a UNREACHABLE 500 ended")

SCENARIO(child_first, PROVINCE, "+1000 down core a 2.5 3.5", "= a DOWN",
    "open link-down a", "+1500 down core hub 2.5 3.5", "= a UNREACHABLE",
    "shut link-down a", "open link-unreachable a link-down/hub", "outages a 1",
    "outage a UNREACHABLE 500", "+60000 minute core a 60 0", "minute core hub 60 0",
    "+60000 minute core a 60 0",
    /* only the parent recovers */
    "+1000 up core hub", "= a UNREACHABLE parent-back", "told link-down a 1",
    "+10000 beat", "= a DOWN", "open link-down a", "shut link-unreachable a",
    "outages a 1", "outage a DOWN 500")

SCENARIO(parent_long_after, PROVINCE, "+1000 down core a 2.5 3.5",
    "+60000 minute core a 60 0", "+60000 minute core a 60 0",
    "+1000 down core hub 2.5 3.5", "= a DOWN", "open link-down a",
    "shut link-unreachable a")

SCENARIO(and_or, PROVINCE, "agency xa-c", "link spare tinh primary",
    "link c xa-c primary hub OR spare", "link d xa-c backup hub AND spare",
    "up core spare", "up core c", "up core d", "+1000 down core hub 2.5 3.5",
    "down core c 2.5 3.5", "down core d 2.5 3.5", "= c DOWN", "= d UNREACHABLE",
    "+2000 down core spare 2.5 3.5", "= c UNREACHABLE",
    "open link-unreachable c link-down/hub")

SCENARIO(grandchildren, PROVINCE, "link aa xa-a backup a", "up core aa",
    "+1000 down core aa 2.5 3.5", "= aa DOWN", "+500 down core a 2.5 3.5",
    "= aa UNREACHABLE", "open link-unreachable aa link-down/a",
    "+500 down core hub 2.5 3.5", "= a UNREACHABLE",
    "open link-unreachable aa link-down/hub", "open link-unreachable a link-down/hub")

SCENARIO(circle, "agency tinh", "agent core tinh vantage", "online core aa",
    "link x tinh primary z", "link y tinh primary x", "link z tinh primary y",
    "up core x", "up core y", "up core z", "+1000 down core x 2.5 3.5",
    "down core y 2.5 3.5", "down core z 2.5 3.5", "fact x DOWN", "fact y UNREACHABLE",
    "+1000 up core x", "= x UP")

SCENARIO(blind, PROVINCE, "+1000 blind core 1", "= a UNKNOWN vantage-blind",
    "open vantage-blind core", "+1000 down core a 2.5 3.5", "= a UNKNOWN", "outages a 0",
    "shut link-down a", "+5000 blind core 0", "shut vantage-blind core", "= a UNKNOWN",
    "outages a 0", "+300 up core a", "= a UP",
    /* one that was cut meanwhile is found out */
    "+1000 blind core 1", "+1000 down core b 2.5 3.5", "+1000 blind core 0",
    "= b UNKNOWN", "+62000 minute core b 60 0", "= b DOWN", "open link-down b")

SCENARIO(blind_noticed_late, PROVINCE, "+1000 down core a 2.5 3.5", "down core b 2.5 3.5",
    "open link-down a", "+1500 blind core 1", "= a UNKNOWN", "outages a 0",
    "shut link-down a", "shut link-down b")

SCENARIO(blind_in_an_outage, PROVINCE, "+1000 down core a 2.5 3.5",
    "+100000 minute core a 60 0", "+1000 blind core 1", "= a UNKNOWN", "open link-down a",
    "outage a DOWN 500", "+5000 blind core 0", "+1000 up core a", "= a UP",
    "shut link-down a", "told link-down a 1", "outages a 1", "outage a DOWN 500 ended")

SCENARIO(second_vantage, PROVINCE, "agent core2 tinh vantage", "online core2 aa",
    "up core2 a", "+1000 down core a 2.5 3.5", "= a UP", "outages a 0",
    "+1000 down core2 a 2.5 3.5", "= a DOWN", "+1000 up core2 a", "= a UP",
    "+1000 blind core2 1", "= a DOWN", "+1000 blind core 1", "= a UNKNOWN")

SCENARIO(lossy_is_not_down, PROVINCE, "agent core2 tinh vantage", "online core2 aa",
    "up core2 a", "+60000 minute core a 60 40", "+60000 minute core a 60 40",
    "+1000 down core2 a 2.5 3.5", "= a DEGRADED lossy", "outages a 0")

SCENARIO(vantage_gone, PROVINCE, "+60000 data core", "+1000 lost core aa",
    "= a UNKNOWN agent-away", "open agent-silent core", "outages a 0",
    "+1000 online core ab", "shut agent-silent core", "lost core aa",
    "shut agent-silent core")

SCENARIO(vantage_silent, PROVINCE, "+60000 minute core a 60 60",
    "+60000 minute core a 60 60", "+170000 beat", "= a UP", "+12000 beat",
    "= a UNKNOWN stale", "outages a 0", "open agent-silent core",
    "+1000 minute core a 60 60", "= a UP", "shut agent-silent core")

SCENARIO(edge_behind, PROVINCE, "online agent-a aa", "up agent-a a",
    "+30000 data agent-a", "+1000 down core a 2.5 3.5", "= a DOWN",
    "+60000 minute core a 60 0", "+1 lost agent-a aa", "= a DOWN",
    "open agent-silent agent-a link-down/a", "+1000 up core a", "= a UP",
    "open agent-silent agent-a link-down/a", "+1000 online agent-a ab",
    "shut agent-silent agent-a")

SCENARIO(agent_dead_link_alive, PROVINCE, "online agent-a aa", "+30000 data agent-a",
    "+45000 lost agent-a aa", "minute core a 60 60", "= a UP",
    "open agent-silent agent-a", "+10000 offline agent-a ab", "shut agent-silent agent-a")

SCENARIO(data_flows, PROVINCE, "online agent-a aa", "data agent-a",
    "+5000 down core a 2.5 3.5", "= a DOWN", "+5000 data agent-a", "= a DOWN",
    "+10000 data agent-a", "= a UP data-flows", "open link-unpingable a",
    "shut link-down a", "+60000 minute core a 60 0", "data agent-a", "= a UP data-flows",
    "told link-down a 1",
    /* and stops */
    "+150000 minute core a 60 0", "+60000 minute core a 60 0", "= a DOWN",
    "shut link-unpingable a", "open link-down a")

SCENARIO(data_by_the_backup, PROVINCE, "link a2 xa-a backup", "up core a2",
    "online agent-a aa", "data agent-a", "+5000 down core a 2.5 3.5", "= a DOWN",
    "open on-backup xa-a link-down/a", "agency= xa-a UP 1", "+20000 data agent-a",
    "= a DOWN", "+1000 down core a2 2.5 3.5", "shut on-backup xa-a",
    "agency= xa-a DOWN 0", "+1000 up core a", "agency= xa-a UP 0")

SCENARIO(loss, PROVINCE, "+60000 minute core a 60 40", "= a UP",
    "+60000 minute core a 60 59", "+60000 minute core a 60 40", "= a UP",
    "+60000 minute core a 60 40", "= a DEGRADED lossy", "open link-degraded a",
    "+60000 minute core a 60 52", "+60000 minute core a 60 52", "= a DEGRADED",
    "+60000 minute core a 60 60", "+60000 minute core a 60 60", "= a UP",
    "shut link-degraded a", "told link-degraded a 1", "outages a 0")

SCENARIO(flaps, PROVINCE, "+10000 down core a 2.5 3.5", "+10000 up core a",
    "told link-down a 1", "+10000 down core a 2.5 3.5", "+10000 up core a",
    "+10000 down core a 2.5 3.5", "shut link-unstable a", "+10000 up core a",
    "open link-unstable a", "shut link-down a", "told link-down a 3",
    "+10000 down core a 2.5 3.5", "= a DOWN", "told link-down a 3", "outages a 4",
    "+10000 up core a", "+180000 minute core a 60 60", "open link-unstable a",
    "+180000 minute core a 60 60", "+180000 minute core a 60 60",
    "+180000 minute core a 60 60", "shut link-unstable a", "told link-unstable a 1",
    "told link-down a 3")

SCENARIO(flaps_and_stays_down, PROVINCE, "+10000 down core a 2.5 3.5", "+10000 up core a",
    "+10000 down core a 2.5 3.5", "+10000 up core a", "+10000 down core a 2.5 3.5",
    "+10000 up core a", "+10000 down core a 2.5 3.5", "open link-unstable a",
    "shut link-down a", "+150000 minute core a 60 0", "+150000 minute core a 60 0",
    "+150000 minute core a 60 0", "+150000 minute core a 60 0",
    "+60000 minute core a 60 0", "shut link-unstable a", "open link-down a",
    "told link-down a 4")

SCENARIO(maintenance, PROVINCE, "maintain m1 link a 10 100", "= a UP", "+10000 beat",
    "= a MAINTENANCE", "+1000 down core a 2.5 3.5", "= a MAINTENANCE", "shut link-down a",
    "outages a 1", "+60000 minute core a 60 0", "+29000 beat", "= a DOWN",
    "open link-down a", "+1 maintain m2 provider VNPT -10 1000", "= a MAINTENANCE",
    "= b MAINTENANCE", "shut link-down a", "+1 unmaintain m2", "= a DOWN", "= b UP",
    "open link-down a", "+1000 up core a", "= a UP", "outages a 1")

SCENARIO(maintenance_of_the_root, PROVINCE, "+1 maintain m1 link hub 0 1000",
    "+1000 down core hub 2.5 3.5", "down core a 2.5 3.5", "= a UNREACHABLE",
    "shut link-unreachable a", "shut link-down hub", "told link-down a 0",
    "+1000 unmaintain m1", "open link-down hub", "open link-unreachable a link-down/hub")

SCENARIO(server_away, PROVINCE, "+30000 minute core a 60 60", "+1000 down core b 2.5 3.5",
    "+1000 beat", "stop", "+600000 start", "= a UNKNOWN server-away", "outages a 0",
    "= b UNKNOWN", "open link-down b", "shut agent-silent core", "+3000 online core aa",
    "+20000 minute core a 60 60", "= a UP", "+1000 minute core b 60 0", "= b DOWN",
    "outages b 1", "told link-down b 1", "shut agent-silent core", "+1000 up core b",
    "outages b 1", "shut link-down b",
    /* a short one hides nothing */
    "+1000 stop", "+8000 start", "= a UP", "outages a 0")

SCENARIO(rounds_of_pings, PROVINCE, "link e xa-a backup", "ping core e 5", "= e UP",
    "+60000 ping core e 0", "= e DEGRADED first-silence", "shut link-degraded e",
    "+60000 ping core e 0", "= e DOWN", "open link-down e", "outage e DOWN 30000",
    "+60000 ping core e 5", "= e UP", "outage e DOWN 30000 ended")

SCENARIO(interface_says_down, PROVINCE, "poll core a up", "+30000 poll core a down",
    "= a DOWN interface-down", "open link-down a", "+1000 up core a", "= a UP",
    "shut link-down a")

/* Ids may hold ':'; who may not measure a link is not heard of it, in a pack of several.
 */
SCENARIO(interface_of_whose_link, PROVINCE, "link a:x:y xa-a backup",
    "poll core a:x:y up", "= a:x:y UP", "+30000 poll core a:x:y down",
    "= a:x:y DOWN interface-down", "= a UP", "poll agent-a b down", "= b UP",
    "poll agent-a a down", "= a DOWN interface-down", "= b UP")

SCENARIO(link_leaves, PROVINCE, "+1000 down core a 2.5 3.5", "open link-down a",
    "unlink a", "shut link-down a", "outage a DOWN 500 ended")

/* Silence by time alone is told by the fold before it comes. */
static void time_is_asked_for(void **state)
{
	static const char *const lines[] = { PROVINCE, "maintain m1 link a 10 100",
		NULL };
	struct world *w = *state;
	struct writer_fold_state s;

	for (size_t i = 0; lines[i]; i++)
		run_line(w, lines[i], true);
	fold(w);
	assert_ok(db_begin(w->db));
	assert_ok(run_slice(w->db, HT_NS_PER_S, &s));
	assert_ok(db_commit(w->db));
	assert_int_equal(s.due_ms, T0 + 10000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(down_and_up),
		TEST(parent_first),
		TEST(child_first),
		TEST(parent_long_after),
		TEST(and_or),
		TEST(grandchildren),
		TEST(circle),
		TEST(blind),
		TEST(blind_noticed_late),
		TEST(blind_in_an_outage),
		TEST(second_vantage),
		TEST(lossy_is_not_down),
		TEST(vantage_gone),
		TEST(vantage_silent),
		TEST(edge_behind),
		TEST(agent_dead_link_alive),
		TEST(data_flows),
		TEST(data_by_the_backup),
		TEST(loss),
		TEST(flaps),
		TEST(flaps_and_stays_down),
		TEST(maintenance),
		TEST(maintenance_of_the_root),
		TEST(server_away),
		TEST(rounds_of_pings),
		TEST(interface_says_down),
		TEST(interface_of_whose_link),
		TEST(link_leaves),
		TEST(time_is_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
