/* Incidents: what is told live is told once, also after a refold; what is old when alerts
 * begin is not told; acknowledging by a signed link. */
#include "tests/unit/test.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

#include "server/alert/acklink.h"
#include "server/alert/health.h"
#include "server/alert/incident_sql.h"
#include "server/alert/tell.h"
#include "server/derive/folds.h"
#include "server/derive/run.h"
#include "server/store/migrate.h"

static const struct fold *const list[] = { &fold_health, &fold_alert };
static const struct rules_channel channels[] = { { "sms", false } };
static struct rules *rules;

static void slice(struct db *db)
{
	struct writer_fold_state out = { .more = true };

	while (out.more) {
		assert_ok(db_begin(db));
		assert_ok(run_slice_of(db, list, 2, INT64_C(1000000000), &out));
		assert_ok(db_commit(db));
	}
}

static void see(struct db *db, double disk_free, int64_t now_ms)
{
	struct health_seen seen = { disk_free, 0 };

	assert_ok(health_append(db, &seen, now_ms));
}

static int told(struct db *db, char incident[static INCIDENT_ID_MAX + 1])
{
	int n = 0;
	int64_t after = 0;

	for (;; n++) {
		struct db_rows *r =
		    db_start(db, &tell_sql, TELL_SQL_REPLAY_OUTBOX, "i", after);
		bool there = db_next(r) == HT_OK;

		if (there) {
			after = db_int(r, 0);
			snprintf(incident, INCIDENT_ID_MAX + 1, "%s", db_text(r, 4));
		}
		db_done(r);
		if (!there)
			return n;
	}
}

static struct db *open_db(void)
{
	struct db *db = NULL;

	assert_ok(db_open(":memory:", false, &db, NULL));
	assert_ok(migrate(db, NULL, NULL));
	return db;
}

static void test_refold(void **state)
{
	char id[INCIDENT_ID_MAX + 1], again[INCIDENT_ID_MAX + 1];
	struct db *db = open_db();
	struct incident i;

	slice(db);
	see(db, 0.05, 1000);
	slice(db);
	assert_int_equal(told(db, id), 1);
	assert_ok(fold_alert.reset(db));
	see(db, 0.05, 2000);
	slice(db);
	assert_int_equal(told(db, again), 1);
	assert_string_equal(id, again);
	assert_ok(incident_get(db, id, &i));
	assert_int_equal(i.announced_ms, 1000);
	see(db, 0.50, 3000);
	slice(db);
	assert_int_equal(told(db, id), 2); /* and its end is told, once */
	see(db, 0.50, 4000);
	slice(db);
	assert_int_equal(told(db, id), 2);
	db_close(db);
}

static void test_history(void **state)
{
	char id[INCIDENT_ID_MAX + 1];
	struct db *db = open_db();

	see(db, 0.05, 1000); /* before alerts were ever folded */
	slice(db);
	assert_int_equal(told(db, id), 0);
	see(db, 0.50, 2000);
	slice(db);
	assert_int_equal(told(db, id), 0);
	db_close(db);
}

static void test_ack(void **state)
{
	char id[INCIDENT_ID_MAX + 1], whose[INCIDENT_ID_MAX + 1], path[ACKLINK_PATH_MAX];
	struct ht_fault fault = { 0 };
	struct db *db = open_db();
	struct incident i;

	slice(db);
	see(db, 0.05, 1000);
	slice(db);
	assert_int_equal(told(db, id), 1);
	assert_ok(acklink_path(db, id, 1000, path));
	char *token = path + strlen("/ack/");

	assert_ok(acklink_check(db, token, 2000, whose));
	assert_string_equal(whose, id);
	assert_int_equal(
	    acklink_check(db, token, 1001 + ACKLINK_TTL_MS, whose), HT_TIMEOUT);
	token[0] = token[0] == 'i' ? 'j' : 'i'; /* another incident's id */
	assert_int_equal(acklink_check(db, token, 2000, whose), HT_DENIED);
	assert_int_equal(acklink_check(db, "i1~x", 2000, whose), HT_MALFORMED);
	assert_ok(incident_ack(db, id, "lan", "on my way", 3000, &fault));
	slice(db);
	assert_ok(incident_get(db, id, &i));
	assert_int_equal(i.acked_ms, 3000);
	assert_string_equal(i.acked_by, "lan");
	assert_int_equal(i.escalate_ms, INCIDENT_NONE_MS);
	assert_int_equal(incident_ack(db, id, "lan", NULL, 4000, &fault), HT_EXISTS);
	assert_int_equal(
	    incident_ack(db, "nope", "lan", NULL, 4000, &fault), HT_NOTFOUND);
	db_close(db);
}

/* A message that is no JSON would never be sent: what is cut to fit is cut between
 * letters, wherever the cut falls. */
static void test_long_names(void **state)
{
	struct db *db = open_db();

	for (int n = 1; n <= 70; n++) {
		struct incident i = { .id = "i1-wan",
			.rule = "wan",
			.severity = "critical",
			.kind = "link-down",
			.agency = "a",
			.announced_ms = 1,
			.closed_ms = INCIDENT_NONE_MS };
		char sql[600], name[300] = "";

		memset(name, 'x', (size_t)(n % 3 + 1));

		for (int k = 0; k < n; k++)
			strcat(name, "ế");
		memset(i.subject, 's', HT_INSTANCE_MAX);
		snprintf(sql, sizeof(sql),
		    "INSERT OR REPLACE INTO agency (id, name, level, journal_id)"
		    " VALUES ('a', '%s', 'commune', 1)",
		    name);
		assert_ok(db_script(db, sql));
		struct json_object *o = tell_facts(db, rules, &i, "announce", 1000), *v;
		struct json_object_iter at;

		assert_non_null(o);
		json_object_object_foreachC(o, at)
		{
			v = at.val;
			if (json_object_is_type(v, json_type_string))
				assert_true(ht_utf8_valid(json_object_get_string(v),
				    (size_t)json_object_get_string_len(v)));
		}
		assert_true(json_object_object_get_ex(o, "title_vi", &v));
		assert_non_null(strstr(json_object_get_string(v), "xế"));
		json_object_put(o);
	}
	db_close(db);
}

int main(void)
{
	static const char text[] =
	    "version: 1\nrules:\n"
	    "  - { id: disk, kinds: [disk-ceiling], escalate: [{ after: 5m }] }\n";
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refold),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_ack),
		cmocka_unit_test(test_long_names),
	};

	if (rules_parse("r.yaml", text, strlen(text), channels, 1, &rules, NULL))
		return 1;
	rules_use(rules);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	rules_use(NULL);
	rules_free(rules);
	return failed;
}
