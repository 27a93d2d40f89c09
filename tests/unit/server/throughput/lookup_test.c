#include "unit/test.h"

#include "server/throughput/lookup.h"

#include <math.h>

#include "server/throughput/sql.h"
#include "unit/server/store/store_test.h"

#define NOW INT64_C(1519862400000) /* 2018-03-01 00:00 UTC */
#define MIN INT64_C(60000)

static struct test_store store;
static struct db *db;
static struct lookup *l;

static const char *const registry =
    "INSERT INTO link (id, agency, role, kind, contracted_down_bps, contracted_up_bps,"
    " router_address, parents, journal_id) VALUES"
    " ('y-wan', 'y', 'primary', 'province-wan', 20000000, NULL, '10.1.0.1', 'hub OR "
    "ring', 1),"
    " ('a-wan', 'a', 'primary', 'province-wan', NULL, NULL, NULL, 'hub', 1),"
    " ('hub', 'h', 'primary', 'province-wan', NULL, NULL, NULL, 'core AND (ring)', 1),"
    " ('ring', 'h', 'primary', 'province-wan', NULL, NULL, NULL, 'hub', 1),"
    " ('core', 'c', 'primary', 'province-wan', NULL, NULL, NULL, NULL, 1);"
    "INSERT INTO agent (id, agency, vantage, revoked_ms, journal_id) VALUES"
    " ('y-1', 'y', 0, NULL, 1), ('a-1', 'a', 0, NULL, 1), ('eye', 'c', 1, NULL, 1),"
    " ('gone', 'y', 0, 5, 1);";

static int setup(void **state)
{
	test_store_init(&store);
	db = test_store_open(&store);
	l = calloc(1, sizeof(*l));
	return !l || db_script(db, registry);
}

static int teardown(void **state)
{
	free(l);
	db_close(db);
	test_store_fini(&store);
	return 0;
}

static void look(const char *agent, const char *link)
{
	struct ask ask = {
		.kind = ASK_SLOT, .endpoint = true, .seconds = 30, .bytes = 100
	};

	snprintf(ask.link, sizeof(ask.link), "%s", link);
	*l = (struct lookup){ 0 };
	assert_ok(lookup(db, &ask, agent, NULL, 0, 420, NOW, l));
}

static void test_the_link(void **state)
{
	look("y-1", "y-wan");
	assert_string_equal(l->refused, "");
	assert_string_equal(l->ask.link.agency, "y");
	assert_string_equal(l->ask.link.router, "10.1.0.1");
	assert_int_equal(l->ask.link.down_bps, 20000000);
	assert_int_equal(l->ask.link.up_bps, 0);
	assert_null(l->ask.state);
	assert_true(l->ask.used_ms == INT64_MAX && isnan(l->ask.used_down));
	/* All that it hangs on, each once, although hub and ring hang on one another. */
	assert_int_equal(l->ask.link.n_ancestors, 3);
	assert_string_equal(l->ask.link.ancestors[0], "hub");
	assert_string_equal(l->ask.link.ancestors[1], "ring");
	assert_string_equal(l->ask.link.ancestors[2], "core");
}

static void test_who_may(void **state)
{
	look("eye", "y-wan");
	assert_string_equal(l->refused, "");
	look("a-1", "y-wan");
	assert_non_null(strstr(l->refused, "another agency's"));
	look("gone", "y-wan");
	assert_non_null(strstr(l->refused, "may not test"));
	look("nobody", "y-wan");
	assert_non_null(strstr(l->refused, "may not test"));
	look("y-1", "moon");
	assert_non_null(strstr(l->refused, "no link moon"));
}

static void test_facts(void **state)
{
	assert_ok(db_script(db,
	    "INSERT INTO link_fact (link, state, reason, negotiated_up_bps, evidence)"
	    " VALUES ('y-wan', 'DOWN', 'cut', 7000000, '[]');"
	    "INSERT INTO link_view (link, agent, counter_ms, used_down_bps, used_up_bps)"
	    " VALUES ('y-wan', 'eye', 1519862340000, 5e6, NULL),"
	    " ('y-wan', 'y-1', 1519862280000, 9e6, 1e6), ('y-wan', 'z', 1519862390000, "
	    "NULL,"
	    " NULL);"));
	look("y-1", "y-wan");
	assert_string_equal(l->ask.state, "DOWN");
	assert_int_equal(
	    l->ask.link.up_bps, 7000000); /* not contracted, but negotiated */
	/* The newest that says anything. */
	assert_int_equal(l->ask.used_ms, MIN);
	assert_true(l->ask.used_down == 5e6 && isnan(l->ask.used_up));
}

static void test_maintenance(void **state)
{
	static const char *const scopes[] = { "('m1', 'link', 'y-wan',",
		"('m1', 'agency', 'y',", "('m1', 'all', ''," };

	for (size_t i = 0; i < HT_COUNT(scopes); i++) {
		char sql[512];

		snprintf(sql, sizeof(sql),
		    "DELETE FROM maintenance; INSERT INTO maintenance (id, scope, "
		    "subject, from_ms, to_ms, reason, actor, entered_ms, journal_id)"
		    " VALUES %s %lld, %lld, 'r', 'a', 1, 1)",
		    scopes[i], (long long)NOW, (long long)(NOW + 1));
		assert_ok(db_script(db, sql));
		look("y-1", "y-wan");
		assert_string_equal(l->ask.state, "MAINTENANCE");
		look("a-1", "a-wan");
		assert_true(!!l->ask.state == (i == 2));
	}
	assert_ok(db_script(db, "UPDATE maintenance SET removed_ms = 5"));
	look("y-1", "y-wan");
	assert_null(l->ask.state);
}

static void test_spent(void **state)
{
	/* Lào Cai's day began at 17:00 UTC of the last of February, its month too. */
	assert_int_equal(lookup_day_ms(NOW, 420, false), NOW - 7 * 60 * MIN);
	assert_int_equal(lookup_day_ms(NOW, 420, true), NOW - 7 * 60 * MIN);
	assert_int_equal(lookup_day_ms(NOW + 86400000, 0, true), NOW);
	assert_ok(db_script(db,
	    "INSERT INTO throughput_slot (agent, link, endpoint, granted_ms, expires_ms,"
	    " bytes_max, ended_ms, bytes, outcome) VALUES"
	    " ('y-1', 'y-wan', 1, 1519837199999, 1519837200000, 1000, 1, 1, 'ok'),"
	    " ('y-1', 'y-wan', 1, 1519837200000, 1519837201000, 1000, 2, 10, 'ok'),"
	    " ('y-1', 'y-wan', 1, 1519862000000, 1519862001000, 500, NULL, NULL, NULL),"
	    " ('a-1', 'a-wan', 1, 1519862000000, 1519862001000, 9999, 2, 9999, 'ok')"));
	look("y-1", "y-wan");
	assert_int_equal(l->ask.day_spent, 510);
	assert_int_equal(l->ask.month_spent, 510);
	assert_int_equal(l->ask.day_tests, 2);
	assert_int_equal(l->n_live, 0); /* they have expired, or ended */
}

static void test_live(void **state)
{
	struct lookup_waiting w[] = {
		{ "eye", "core", NOW - 3000, NOW - 1000 },
		{ "h-1", "hub", NOW - 9000, NOW - LOOKUP_WAITS_MS - 1 }, /* went away */
		{ "a-1", "a-wan", NOW - 2000, NOW - 1000 },
	};
	struct ask ask = {
		.kind = ASK_SLOT, .seconds = 30, .bytes = 100, .link = "a-wan"
	};

	assert_ok(db_script(db,
	    "INSERT INTO throughput_slot (agent, link, endpoint, granted_ms, expires_ms,"
	    " bytes_max) VALUES ('y-1', 'y-wan', 1, 1519862390000, 1519862490000, 1000),"
	    " ('z-1', 'taken-out', 0, 1519862390000, 1519862490000, 1000),"
	    /* granted by a clock that was an hour ahead */
	    " ('a-1', 'hub', 0, 1519866000000, 1519866090000, 1000)"));
	look("y-1", "y-wan");
	assert_int_equal(l->n_replaced, 1);
	assert_int_equal(l->n_live, 1);
	assert_string_equal(l->live[0].link.id, "taken-out");
	*l = (struct lookup){ 0 };
	assert_ok(lookup(db, &ask, "a-1", w, HT_COUNT(w), 420, NOW, l));
	assert_int_equal(l->n_live, 3);
	assert_string_equal(l->live[0].link.id, "y-wan");
	assert_int_equal(l->live[0].link.n_ancestors, 3);
	assert_true(l->live[0].endpoint && !l->live[0].waiting);
	/* The vantage has asked before it did, and asks yet. */
	assert_string_equal(l->live[2].agent, "eye");
	assert_true(l->live[2].waiting);
	*l = (struct lookup){ 0 };
	w[2].since_ms = NOW - 4000;
	assert_ok(lookup(db, &ask, "a-1", w, HT_COUNT(w), 420, NOW, l));
	assert_int_equal(l->n_live, 2);
}

/* What is not read could share an uplink with what is asked for: it is said. */
static void test_crowded(void **state)
{
	look("y-1", "y-wan");
	assert_false(l->ask.crowded);
	assert_ok(db_script(db,
	    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
	    "64)"
	    "INSERT INTO throughput_slot (agent, link, endpoint, granted_ms, expires_ms,"
	    " bytes_max) SELECT 'z-' || i, 'z-' || i, 0, 1519862390000, 1519862490000, 9"
	    " FROM n"));
	look("y-1", "y-wan");
	assert_int_equal(l->n_live, LOOKUP_LIVE_MAX);
	assert_true(l->ask.crowded);
	assert_ok(db_script(db, "DELETE FROM throughput_slot WHERE agent = 'z-1'"));
	look("y-1", "y-wan");
	assert_false(l->ask.crowded);
}

/* One NULL for each placeholder. */
static const char *nulls(const char *sql)
{
	static const char all[] = "nnnnnnnnn";
	size_t n = 0;

	for (const char *at = sql; (at = strchr(at, '$')); at++)
		n = (size_t)(at[1] - '0') > n ? (size_t)(at[1] - '0') : n;
	return all + sizeof(all) - 1 - n;
}

/* The account grows for 400 days and is searched on the writer, with each question. */
static void test_the_account_is_never_scanned(void **state)
{
	char text[SLOT_SQL_COUNT][1024];
	const char *plans[SLOT_SQL_COUNT];
	const struct db_sql table = { "plan", plans, SLOT_SQL_COUNT };

	assert_ok(db_script(db,
	    "INSERT INTO throughput_slot (agent, link, endpoint, granted_ms, expires_ms,"
	    " bytes_max, ended_ms) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + "
	    "1"
	    " FROM n WHERE i < 2000) SELECT 'y-1', 'l' || i % 20, 1, i, i, 1, i FROM n"));
	for (int analyzed = 0; analyzed < 2; analyzed++) {
		for (int i = 0; i < SLOT_SQL_COUNT; i++) {
			snprintf(text[i], sizeof(text[i]), "EXPLAIN QUERY PLAN %s",
			    slot_sql.sql[i]);
			plans[i] = text[i];
			struct db_rows *r = db_start(db, &table, i, nulls(text[i]));
			ht_err err;

			while (!(err = db_next(r))) {
				const char *step = db_text(r, 3);

				if (strstr(step, "SCAN throughput_slot"))
					fail_msg("%s: %s", slot_sql.sql[i], step);
			}
			assert_int_equal(err, HT_NOTFOUND);
			db_done(r);
		}
		assert_ok(db_script(db, "ANALYZE"));
	}
}

static void test_what_is_old_is_forgotten(void **state)
{
	int64_t left = -1;
	static const char *const count[] = { "SELECT count(*) FROM throughput_slot" };
	static const struct db_sql table = { "count", count, 1 };

	assert_ok(db_script(db,
	    "INSERT INTO throughput_slot (agent, link, endpoint, granted_ms, expires_ms,"
	    " bytes_max) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1"
	    " FROM n WHERE i < 150) SELECT 'y-1', 'l', 1, i, i, 1 FROM n"));
	for (int i = 0; i < 2; i++)
		assert_ok(db_exec(db, &slot_sql, SLOT_SQL_FORGET, "i", INT64_C(141)));
	struct db_rows *r = db_start(db, &table, 0, "");
	assert_ok(db_next(r));
	left = db_int(r, 0);
	db_done(r);
	assert_int_equal(left, 10);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_the_link),
		TEST(test_who_may),
		TEST(test_facts),
		TEST(test_maintenance),
		TEST(test_spent),
		TEST(test_live),
		TEST(test_crowded),
		TEST(test_the_account_is_never_scanned),
		TEST(test_what_is_old_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
