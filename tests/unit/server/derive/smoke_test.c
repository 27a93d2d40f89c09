/* Round trips by quarters of an hour. */
#include "unit/server/derive/world.h"

#include "base/hist.h"
#include "server/derive/smoke.h"

#define T0 INT64_C(1764032400000) /* 2025-11-25T01:00:00Z */

static int setup(void **state)
{
	struct world *w = world_new(T0);

	*state = w;
	world_edit(
	    w, "agency.put", "{\"id\":\"xa\",\"name\":\"X\",\"level\":\"commune\"}");
	world_edit(
	    w, "agency.put", "{\"id\":\"yb\",\"name\":\"Y\",\"level\":\"commune\"}");
	world_edit(w, "link.put",
	    "{\"id\":\"xa-wan\",\"agency\":\"xa\",\"role\":\"primary\",\"kind\":"
	    "\"province-wan\"}");
	world_edit(
	    w, "agent.put", "{\"id\":\"own\",\"agency\":\"xa\",\"vantage\":false}");
	world_edit(
	    w, "agent.put", "{\"id\":\"alien\",\"agency\":\"yb\",\"vantage\":false}");
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

static void minute(struct world *w, const char *agent, int received, int ms)
{
	char text[HT_HIST_TEXT];
	struct ht_hist h = { { 0 } };

	for (int i = 0; i < received; i++)
		ht_hist_add(&h, ms * HT_NS_PER_MS);
	ht_hist_encode(&h, text);
	world_say(w, agent,
	    "{\"n\":\"reach/xa-wan/sent\",\"u\":\"count\",\"v\":60},"
	    "{\"n\":\"reach/xa-wan/received\",\"u\":\"count\",\"v\":%d},"
	    "{\"n\":\"reach/xa-wan/rtt-histogram\",\"vs\":\"%s\"}",
	    received, text);
}

static void test_merged(void **state)
{
	struct world *w = *state;
	struct ht_hist h;

	for (int i = 0; i < 30; i++) {
		minute(w, "own", i == 3 ? 50 : 60, i < 15 ? 10 : 40);
		w->now_ms += MINUTE;
	}
	minute(w, "alien", 60, 900);
	world_fold(w);
	world_is(w, "SELECT count(*) FROM rtt_part", "2");
	world_is(w, "SELECT sent || ' ' || received FROM rtt_part ORDER BY from_ms",
	    "900 890");
	char *text = world_ask(w, "SELECT hist FROM rtt_part ORDER BY from_ms DESC");
	assert_ok(ht_hist_decode(text, strlen(text), &h));
	free(text);
	assert_int_equal(ht_hist_count(&h), 900);
	assert_in_range(
	    ht_hist_quantile_ns(&h, 0.5), 35 * HT_NS_PER_MS, 45 * HT_NS_PER_MS);

	static const char *const tables[] = { "rtt_part" };
	char *live = world_dump(w, tables, 1);
	assert_ok(run_forget(w->db, NULL));
	world_fold(w);
	char *again = world_dump(w, tables, 1);
	world_same(live, again);
	free(live);
	free(again);
}

/* Eight days are kept; what comes later than that is left out; a text that is none, too.
 */
static void test_kept(void **state)
{
	struct world *w = *state;

	minute(w, "own", 60, 10);
	w->now_ms += SMOKE_KEEP_MS + HOUR;
	minute(w, "own", 60, 10);
	w->at_ms = T0 + MINUTE;
	w->lane = JOURNAL_HIST;
	minute(w, "own", 60, 10);
	w->at_ms = 0;
	world_say(w, "own", "{\"n\":\"icmp/xa-wan/rtt_histogram\",\"vs\":\"l8,9:1;x\"}");
	world_fold(w);
	world_is(w, "SELECT count(*) || ' ' || sum(sent) FROM rtt_part", "1 60");
}

/* Rows before the edge are gone: folded again and again, nothing is lost or doubled. */
static void test_refold_over_the_edge(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 60; i++) {
		minute(w, "own", 60, 10 + i);
		w->now_ms += MINUTE;
	}
	world_fold(w);
	world_is(w, "SELECT sum(sent) FROM rtt_part", "3600");
	assert_ok(db_script(w->db, "DELETE FROM journal WHERE source = 'agent' AND id < "
				   "(SELECT max(id) FROM journal) - 40"));
	for (int i = 0; i < 3; i++) {
		assert_ok(run_forget(w->db, "smoke"));
		world_fold(w);
		world_is(w, "SELECT sum(sent) FROM rtt_part", "3600");
		world_is(w, "SELECT sum(received) FROM rtt_part", "3600");
		world_is(w, "SELECT count(*) FROM rtt_part", "4");
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_merged),
		T(test_refold_over_the_edge),
		T(test_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
