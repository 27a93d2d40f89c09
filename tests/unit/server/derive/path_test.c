/* Over which network links run, and what follows for the WAN. */
#include "unit/server/derive/world.h"

#include <sys/stat.h>
#include <unistd.h>

#include "server/derive/share.h"
#include "server/score/score.h"

#define T0 INT64_C(1764032400000) /* 2025-11-25T01:00:00Z */

static int setup(void **state)
{
	struct world *w = world_new(T0);

	*state = w;
	world_edit(
	    w, "agency.put", "{\"id\":\"tinh\",\"name\":\"T\",\"level\":\"province\"}");
	world_edit(w, "agency.put",
	    "{\"id\":\"xa\",\"name\":\"X\",\"level\":\"commune\",\"parent\":\"tinh\"}");
	world_edit(w, "link.put",
	    "{\"id\":\"xa-wan\",\"agency\":\"xa\",\"role\":\"primary\",\"kind\":"
	    "\"province-wan\"}");
	world_edit(
	    w, "agent.put", "{\"id\":\"own\",\"agency\":\"xa\",\"vantage\":false}");
	world_edit(
	    w, "agent.put", "{\"id\":\"core\",\"agency\":\"tinh\",\"vantage\":true}");
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

static void ping(struct world *w, int received)
{
	world_say(w, "core",
	    "{\"n\":\"icmp/xa-wan/status\",\"vs\":\"%s\"},"
	    "{\"n\":\"icmp/xa-wan/sent\",\"u\":\"count\",\"v\":5},"
	    "{\"n\":\"icmp/xa-wan/received\",\"u\":\"count\",\"v\":%d}",
	    received ? "ok" : "timeout", received);
}

static void trace(struct world *w, const char *agent, const char *status,
    const char *network, const char *reason)
{
	world_say(w, agent,
	    "{\"n\":\"path/xa-wan/status\",\"vs\":\"%s\"},"
	    "{\"n\":\"path/xa-wan/target\",\"vs\":\"10.9.9.9\"},"
	    "{\"n\":\"path/xa-wan/network\",\"vs\":\"%s\"},"
	    "{\"n\":\"path/xa-wan/reason\",\"vs\":\"%s\"},"
	    "{\"n\":\"path/xa-wan/trace\",\"vs\":\"192.168.1.1 10.9.0.1 10.9.9.9\"}",
	    status, network, reason);
}

#define WAN(column) "SELECT " column " FROM wan_connected WHERE agency = 'xa'"
#define VALUE(column)                                                     \
	"SELECT " column                                                  \
	" FROM index_value WHERE indicator = 'wan' AND scope = 'xa' AND " \
	"own = 1"

static void pings(struct world *w, int n, int received)
{
	for (int i = 0; i < n; i++) {
		w->now_ms += MINUTE;
		ping(w, received);
	}
	world_fold(w);
}

static void test_path_decides(void **state)
{
	struct world *w = *state;

	world_fold(w);
	world_is(w, WAN("answer"), "unknown");
	world_says(w, WAN("cure"), "ping");
	pings(w, 3, 5);
	world_is(w, WAN("answer"), "yes");
	world_near(w, VALUE("confidence"), 0.7);
	world_says(w, WAN("reason"), "its path was never traced");

	trace(w, "own", "ok", "province-wan", "hop 2, 10.9.0.1, is of the WAN");
	world_fold(w);
	world_is(w, WAN("answer"), "yes");
	world_near(w, VALUE("value"), 1);
	world_near(w, VALUE("confidence"), 0.9);
	world_says(w, WAN("reason"), "hop 2, 10.9.0.1, is of the WAN");
	world_is(w, WAN("cure"), "");
	world_is(w, WAN("json_extract(links, '$[0].path.trace')"),
	    "192.168.1.1 10.9.0.1 10.9.9.9");
	world_is(w, WAN("json_array_length(links, '$[0].evidence')"), "3");

	/* Reachable all the same, but over the Internet: not connected. */
	w->now_ms += MINUTE;
	trace(w, "own", "ok", "internet", "hop 3, 203.0.113.1, is no inside prefix");
	ping(w, 5);
	world_fold(w);
	world_is(w, WAN("answer"), "no");
	world_near(w, VALUE("value"), 0);
	world_says(w, WAN("reason"), "runs over internet");

	/* A trace that knows nothing does not outweigh what another saw. */
	w->now_ms += MINUTE;
	trace(w, "core", "incomplete", "unknown", "all hops were silent");
	world_fold(w);
	world_is(w, WAN("answer"), "no");
}

/* A path grows old while pings go on. */
static void test_path_grows_old(void **state)
{
	struct world *w = *state;

	trace(w, "own", "ok", "internet", "hop 3");
	pings(w, 3, 5);
	world_is(w, WAN("answer"), "no");
	w->now_ms += 8 * DAY;
	pings(w, 3, 5);
	w->now_ms += HOUR;
	pings(w, 1, 5);
	world_is(w, WAN("answer"), "yes");
	world_says(w, WAN("reason"), "not traced lately");
}

/* The link's router filters pings, but an inside address answers over it. */
static void test_inside_address(void **state)
{
	struct world *w = *state;

	pings(w, 5, 0);
	world_is(w, WAN("answer"), "no");
	world_say(w, "own",
	    "{\"n\":\"tcp/xa-wan/status\",\"vs\":\"ok\"},"
	    "{\"n\":\"tcp/xa-wan/target\",\"vs\":\"10.9.9.9:443\"}");
	world_fold(w);
	world_is(w, WAN("answer"), "yes");
	world_is(w, WAN("json_extract(links, '$[0].inside.target')"), "10.9.9.9:443");
	/* Not for ever. */
	w->now_ms += 3 * HOUR;
	pings(w, 1, 0);
	world_is(w, WAN("answer"), "no");
}

static void test_history_of_paths(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 10; i++) {
		w->now_ms += HOUR;
		trace(w, "own", "ok", i == 4 ? "internet" : "province-wan", "hop");
	}
	world_fold(w);
	world_is(w, "SELECT group_concat(network) FROM link_path",
	    "province-wan,internet,province-wan");
	/* The backlog of a time that is known adds nothing. */
	w->lane = JOURNAL_HIST;
	w->at_ms = w->now_ms - 2 * HOUR + MINUTE;
	trace(w, "own", "ok", "province-wan", "hop");
	world_fold(w);
	world_is(w, "SELECT count(*) FROM link_path", "3");
	/* A trace that fails now and then breaks no span. */
	w->lane = JOURNAL_DATA;
	w->at_ms = 0;
	for (int i = 0; i < 8; i++) {
		w->now_ms += 10 * MINUTE;
		if (i % 2)
			trace(w, "own", "ok", "province-wan", "hop");
		else
			trace(w, "own", "timeout", "unknown", "all silent");
	}
	world_fold(w);
	world_is(w, "SELECT count(*) FROM link_path", "4");
}

/* Live traces before and after a hole shorter than an interval bridge it; what comes late
 * and says otherwise stands in it, as one span. */
static void test_late_traces(void **state)
{
	struct world *w = *state;
	int64_t cut = T0 + HOUR;

	w->now_ms = cut;
	trace(w, "own", "ok", "province-wan", "hop");
	w->now_ms += HOUR;
	trace(w, "own", "ok", "province-wan", "hop");
	w->lane = JOURNAL_HIST;
	for (int i = 0; i < 3; i++) {
		w->at_ms = cut + (20 + 10 * i) * MINUTE;
		trace(w, "own", "ok", "internet", "hop 3");
	}
	world_fold(w);
	world_is(w, "SELECT group_concat(network) FROM link_path",
	    "province-wan,internet,province-wan");
	world_is(w, "SELECT group_concat((last_ms - from_ms) / 60000) FROM link_path",
	    "19,20,19");
	/* A longer hole is none of anybody's; late ones that agree close it. */
	w->lane = JOURNAL_DATA;
	w->at_ms = 0;
	w->now_ms += 3 * HOUR;
	trace(w, "own", "ok", "province-wan", "hop");
	world_fold(w);
	world_is(w, "SELECT count(*) FROM link_path", "4");
	w->lane = JOURNAL_HIST;
	for (int i = 0; i < 2; i++) {
		w->at_ms = cut + (2 + i) * HOUR;
		trace(w, "own", "ok", "province-wan", "hop");
	}
	world_fold(w);
	world_is(w, "SELECT count(*) FROM link_path", "3");
}

/* Two stories in turn all day long: the newest is told, and no more than so many. */
static void test_changes_its_mind(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 300; i++) {
		w->now_ms += MINUTE;
		trace(w, "own", "ok", i % 2 ? "internet" : "province-wan", "hop");
	}
	world_fold(w);
	world_is(w, "SELECT count(*) FROM link_path", "48");
	world_is(
	    w, "SELECT network FROM link_path ORDER BY from_ms DESC LIMIT 1", "internet");
}

/* Rows before the edge are gone: the span that began before it is as long as it was. */
static void test_refold_over_the_edge(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 20; i++) {
		w->now_ms += HOUR;
		trace(w, "own", "ok", i < 3 ? "internet" : "province-wan", "hop");
	}
	world_fold(w);
	char *live = world_dump(w, (const char *const[]){ "link_path" }, 1);
	assert_ok(db_script(w->db, "DELETE FROM journal WHERE source = 'agent' AND id < "
				   "(SELECT max(id) FROM journal) - 10"));
	for (int i = 0; i < 2; i++) {
		assert_ok(run_forget(w->db, "path"));
		world_fold(w);
		char *again = world_dump(w, (const char *const[]){ "link_path" }, 1);
		world_same(live, again);
		free(again);
	}
	free(live);
}

/* ── as of a reference date ───────────────────────────────────────────────────────────
 */

static char *slurp(const char *file)
{
	FILE *f = fopen(file, "r");
	char *text = malloc(65536);

	assert_non_null(f);
	assert_non_null(text);
	text[fread(text, 1, 65535, f)] = '\0';
	fclose(f);
	return text;
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static const char *const shared[] = { "derive/rules/device-classes.yaml",
	"derive/rules/calendar-vn.yaml", "derive/rules/bandwidth.yaml",
	"score/catalogues/posture-v1.yaml", SHARE_DEFINITION };
static const char *const folders[] = { "", "/derive", "/derive/rules", "/score",
	"/score/catalogues", "/score/definitions" };

/* A share folder like the source tree's, whose definition names a reference date. */
static void use_reference_date(struct world *w, const char *date, char dir[static 500])
{
	struct ht_fault fault = { 0 };
	char path[600], *text;

	snprintf(dir, 500, "%.400s.share", w->store.file);
	for (size_t i = 0; i < HT_COUNT(folders); i++) {
		snprintf(path, sizeof(path), "%s%s", dir, folders[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	for (size_t i = 0; i < HT_COUNT(shared); i++) {
		snprintf(path, sizeof(path), "../server/%s", shared[i]);
		text = slurp(path);
		write_file(dir, shared[i], text);
		free(text);
	}
	text = slurp("../server/" SHARE_DEFINITION);
	char *at = strstr(text, "  require_path: no");
	assert_non_null(at);
	char *with = malloc(strlen(text) + 100);
	assert_non_null(with);
	snprintf(with, strlen(text) + 100, "%.*s  reference_date: %s\n%s",
	    (int)(at - text), text, date, at);
	write_file(dir, SHARE_DEFINITION, with);
	free(text);
	free(with);
	assert_ok(share_set(dir));
	if (score_start(&fault))
		fail_msg("%s", fault.text);
}

static void use_source_tree(const char *dir)
{
	struct ht_fault fault = { 0 };
	char path[600];

	assert_ok(share_set(NULL));
	assert_ok(score_start(&fault));
	for (size_t i = 0; i < HT_COUNT(shared); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, shared[i]);
		assert_int_equal(unlink(path), 0);
	}
	for (size_t i = HT_COUNT(folders); i-- > 0;) {
		snprintf(path, sizeof(path), "%s%s", dir, folders[i]);
		assert_int_equal(rmdir(path), 0);
	}
}

/* Until the day is over the answer is of now; then it stands, whatever comes. */
static void test_reference_date(void **state)
{
	struct world *w = *state;
	char dir[500];

	use_reference_date(w, "2025-11-25", dir);
	trace(w, "own", "ok", "province-wan", "hop 2");
	pings(w, 3, 5);
	world_is(w, WAN("answer"), "yes");
	world_says(w, WAN("reason"), "link xa-wan answers");
	for (int i = 0; i < 6 * 18;
	     i++) { /* past the end of that day in Viet Nam, 17:00Z */
		w->now_ms += 10 * MINUTE;
		ping(w, 5);
	}
	world_fold(w);
	world_is(w, WAN("as_of_ms"), "1764090000000");
	world_is(w, WAN("answer"), "yes");
	for (int i = 0; i < 12; i++) { /* it dies, and leaves by another way */
		w->now_ms += 10 * MINUTE;
		ping(w, 0);
	}
	trace(w, "core", "ok", "internet", "hop 3");
	pings(w, 3, 0);
	world_is(w, "SELECT state FROM link_fact", "DOWN");
	world_is(w, WAN("as_of_ms"), "1764090000000");
	world_is(w, WAN("answer"), "yes");
	world_near(w, WAN("confidence"), 0.9);
	world_near(w, VALUE("value"), 1);
	world_near(w, WAN("json_extract(links, '$[0].up_share')"), 1);
	world_is(w, WAN("json_extract(links, '$[0].path.network')"), "province-wan");
	use_source_tree(dir);
}

/* Dead at the reference date; the next day one trace goes through: it does not speak of
 * the day before. */
static void test_dead_at_the_reference_date(void **state)
{
	struct world *w = *state;
	char dir[500];

	use_reference_date(w, "2025-11-25", dir);
	trace(w, "own", "ok", "province-wan", "hop 2");
	pings(w, 3, 5);
	for (int i = 0; i < 6 * 18; i++) {
		w->now_ms += 10 * MINUTE;
		ping(w, 0);
	}
	world_fold(w);
	world_is(w, WAN("as_of_ms"), "1764090000000");
	world_is(w, WAN("answer"), "no");
	w->now_ms += 12 * HOUR;
	trace(w, "own", "ok", "province-wan", "hop 2");
	pings(w, 3, 5);
	world_is(w, "SELECT state FROM link_fact", "UP");
	world_is(w, WAN("answer"), "no");
	use_source_tree(dir);
}

/* Three pings and then silence are not "100 % of the period", nor are a few minutes of
 * an outage "0 %": too little is known of it. */
static void test_little_is_known(void **state)
{
	struct world *w = *state;
	char dir[500];

	use_reference_date(w, "2025-11-25", dir);
	pings(w, 3, 5);
	pings(w, 5, 0);
	for (int i = 0; i < 20; i++) { /* nobody asks any more */
		w->now_ms += HOUR;
		world_beat(w);
	}
	w->now_ms += MINUTE;
	trace(w, "own", "ok", "province-wan", "hop 2");
	world_fold(w);
	world_is(w, WAN("as_of_ms"), "1764090000000");
	world_is(w, WAN("answer"), "unknown");
	world_says(w, WAN("reason"), "of the period is known of link xa-wan");
	assert_true(
	    world_number(w, WAN("json_extract(links, '$[0].known_share')")) < 0.2);
	use_source_tree(dir);
}

static const char *const tables[] = { "link_path", "link_inside", "wan_connected",
	"index_value" };

static void test_refold(void **state)
{
	struct world *w = *state;
	static const char *const networks[] = { "province-wan", "internet", "unknown",
		"martian" };

	for (int i = 0; i < 120; i++) {
		w->now_ms += 17 * MINUTE;
		ping(w, i % 9 ? 5 : 0);
		if (i % 4 == 0)
			trace(w, i % 8 ? "own" : "core", i % 3 ? "ok" : "incomplete",
			    networks[i / 7 % 4], "hop");
		if (i % 13 == 0)
			world_say(w, "own",
			    "{\"n\":\"http/xa-wan/status\",\"vs\":\"%s\"}",
			    i % 2 ? "ok" : "timeout");
		if (i % 5 == 0)
			world_fold(w);
	}
	world_fold(w);
	char *live = world_dump(w, tables, HT_COUNT(tables));
	assert_ok(run_forget(w->db, NULL));
	world_fold(w);
	char *again = world_dump(w, tables, HT_COUNT(tables));
	assert_true(strlen(live) > 3000);
	world_same(live, again);
	free(live);
	free(again);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_path_decides),
		T(test_path_grows_old),
		T(test_inside_address),
		T(test_history_of_paths),
		T(test_late_traces),
		T(test_changes_its_mind),
		T(test_refold_over_the_edge),
		T(test_reference_date),
		T(test_dead_at_the_reference_date),
		T(test_little_is_known),
		T(test_refold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
