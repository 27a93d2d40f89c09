/* Over which network links run, and what follows for the WAN. */
#include "unit/server/derive/world.h"

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
		T(test_refold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
