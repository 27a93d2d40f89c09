/* Folds of the test's own ask for a row at a time: the writer brings it. */
#include "unit/test.h"

#include <stdatomic.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/store/writer.h"
#include "unit/server/store/store_test.h"

#define DEADLINE_NS (20 * HT_NS_PER_S)

enum { BEATS, N };
static const char *const texts[N] = {
	[BEATS] = "SELECT count(*), min(received_ms), max(received_ms) FROM journal"
		  " WHERE source = 'server' AND kind = 'beat'",
};
static const struct db_sql table = { "test", texts, N };

static struct {
	_Atomic int64_t due_ms; /* what the folds ask for; beyond the last beat: 0 */
	_Atomic int64_t beats, first_ms, last_ms;
	_Atomic bool insatiable;
} folds_of_test;

static ht_err look(struct db *db, int64_t budget_ns, struct writer_fold_state *out)
{
	struct db_rows *r = db_start(db, &table, BEATS, "");
	ht_err err = db_next(r);

	*out = (struct writer_fold_state){ 0 };
	if (!err) {
		folds_of_test.beats = db_int(r, 0);
		folds_of_test.first_ms = db_int(r, 1);
		folds_of_test.last_ms = db_int(r, 2);
		if (folds_of_test.insatiable ||
		    folds_of_test.last_ms < folds_of_test.due_ms)
			out->due_ms = folds_of_test.due_ms;
	}
	db_done(r);
	return err;
}

const struct writer_folds writer_folds = { .slice = look };

static ht_err nothing(struct db *db, void *arg)
{
	return HT_OK;
}

static void wait_for_beats(int64_t n)
{
	int64_t until = ht_mono_ns() + DEADLINE_NS;

	while (folds_of_test.beats < n && ht_mono_ns() < until)
		uv_sleep(1);
	assert_true(folds_of_test.beats >= n);
}

static void a_row_comes_when_it_is_due(void **state)
{
	struct test_store store;
	struct ht_fault fault = { 0 };
	struct writer *w;
	uv_loop_t loop;

	ht_log_init("test", HT_LOG_ERROR, false);
	test_store_init(&store);
	db_close(test_store_open(&store));
	uv_loop_init(&loop);
	assert_ok(writer_start(&loop, store.file, &w, &fault));
	folds_of_test.due_ms = ht_wall_ms() + 300;
	assert_ok(writer_call(w, nothing, NULL)); /* a slice, which asks */
	assert_int_equal(folds_of_test.beats, 0);
	wait_for_beats(1);
	assert_true(folds_of_test.first_ms >= folds_of_test.due_ms);
	assert_int_equal(folds_of_test.beats, 1); /* and they are content */

	/* Folds that are never content get ten a second at most. */
	folds_of_test.insatiable = true;
	assert_ok(writer_call(w, nothing, NULL));
	int64_t before = folds_of_test.beats, from_ms = folds_of_test.last_ms;
	wait_for_beats(before + 4);
	assert_true(folds_of_test.last_ms - from_ms >= 3 * 100 - 1);

	writer_stop(w);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	test_store_fini(&store);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(
	    a_row_comes_when_it_is_due) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
