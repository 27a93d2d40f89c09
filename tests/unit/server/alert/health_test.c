/* The server's health: opened past one threshold, closed past the other. */
#include "tests/unit/test.h"

#include <math.h>
#include <string.h>

#include "server/alert/health.h"
#include "server/derive/folds.h"
#include "server/derive/problem.h"
#include "server/derive/run.h"
#include "server/store/migrate.h"

static const struct fold *const list[] = { &fold_health };

static void see(struct db *db, double disk_free, int64_t queue, int64_t now_ms)
{
	struct health_seen seen = { disk_free, queue };
	struct writer_fold_state out;

	assert_ok(db_begin(db));
	assert_ok(health_append(db, &seen, now_ms));
	assert_ok(run_slice_of(db, list, 1, INT64_C(1000000000), &out));
	assert_ok(db_commit(db));
}

static bool open_is(struct db *db, const char *kind, const char *subject)
{
	char id[PROBLEM_ID_MAX + 1];

	return problem_find(db, kind, subject, id) == HT_OK;
}

static void test_thresholds(void **state)
{
	static const struct {
		double free;
		int64_t queue;
		bool disk, long_queue;
	} steps[] = {
		{ 0.50, 0, false, false },
		{ 0.12, 50000, false, false },
		{ 0.09, 200000, true, true },
		{ 0.12, 50000, true, true },
		{ NAN, 50000, true, true },
		{ 0.16, 1000, false, false },
	};
	struct db *db = NULL;

	assert_ok(db_open(":memory:", false, &db, NULL));
	assert_ok(migrate(db, NULL, NULL));
	for (size_t i = 0; i < HT_COUNT(steps); i++) {
		see(db, steps[i].free, steps[i].queue, 1000 * (int64_t)(i + 1));
		assert_int_equal(open_is(db, "disk-ceiling", "@server"), steps[i].disk);
		assert_int_equal(
		    open_is(db, "queue-growing", "@server"), steps[i].long_queue);
	}
	db_close(db);
}

static void test_certificates(void **state)
{
	struct db *db = NULL;

	assert_ok(db_open(":memory:", false, &db, NULL));
	assert_ok(migrate(db, NULL, NULL));
	assert_ok(db_script(db,
	    "INSERT INTO certificate (serial, agent, not_before_ms, not_after_ms,"
	    " issued_ms, pem) VALUES ('01', 'soon', 0, 86400000, 0, ''),"
	    " ('02', 'later', 0, 86400000000, 0, '')"));
	see(db, NAN, 0, 1000);
	assert_true(open_is(db, "certificate-expiry", "soon"));
	assert_false(open_is(db, "certificate-expiry", "later"));
	assert_ok(db_script(db,
	    "INSERT INTO certificate (serial, agent, not_before_ms, not_after_ms,"
	    " issued_ms, pem) VALUES ('03', 'soon', 0, 86400000000, 0, '')"));
	see(db, NAN, 0, 2000);
	assert_false(open_is(db, "certificate-expiry", "soon"));
	db_close(db);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_thresholds),
		cmocka_unit_test(test_certificates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
