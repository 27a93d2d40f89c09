#include "unit/test.h"

#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/store/writer.h"
#include "unit/server/store/store_test.h"

#define DEADLINE_NS (20 * HT_NS_PER_S)

enum { COUNT, SET_MAX, SHRINK, PAGES, N };
static const char *const texts[N] = {
	[COUNT] = "SELECT count(*) FROM journal",
	[SET_MAX] = "PRAGMA max_page_count = 100000",
	[SHRINK] = "PRAGMA max_page_count = 1", /* the present size: nothing may grow */
};
static const struct db_sql table = { "test", texts, N };

struct fixture {
	struct test_store store;
	uv_loop_t loop;
	struct writer *writer;
	int done, ok, exists, conflict, failed;
	char payload[2000];
	bool posted;
	ht_err post_err;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct ht_fault fault = { 0 };

	ht_log_init("test", HT_LOG_ERROR, false);
	test_store_init(&f->store);
	db_close(test_store_open(&f->store));
	uv_loop_init(&f->loop);
	assert_ok(writer_start(&f->loop, f->store.file, &f->writer, &fault));
	memset(f->payload, 'x', sizeof(f->payload));
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	writer_stop(f->writer);
	uv_run(&f->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&f->loop), 0);
	test_store_fini(&f->store);
	free(f);
	return 0;
}

static void on_done(void *arg, const struct writer_result *result)
{
	struct fixture *f = arg;

	f->done++;
	f->ok += result->err == HT_OK;
	f->exists += result->err == HT_EXISTS;
	f->conflict += result->err == HT_CONFLICT;
	f->failed += result->err != HT_OK && result->err != HT_EXISTS &&
		     result->err != HT_CONFLICT;
	if (result->row)
		assert_null(result->row->payload);
}

static ht_err submit(struct fixture *f, int64_t seq, size_t len)
{
	struct journal_row row = {
		.source = JOURNAL_AGENT,
		.kind = "data",
		.agent = "office-1",
		.lane = JOURNAL_DATA,
		.received_ms = 1,
		.payload = f->payload,
		.len = len,
	};

	row.props.has = PROPS_EPOCH | PROPS_SEQ;
	memcpy(row.props.epoch, "0011223344556677", 17);
	row.props.seq = seq;
	return writer_submit(f->writer, &row, on_done, f);
}

static void run_until(struct fixture *f, int done)
{
	int64_t until = ht_mono_ns() + DEADLINE_NS;

	while (f->done < done && ht_mono_ns() < until)
		uv_run(&f->loop, UV_RUN_NOWAIT);
	assert_int_equal(f->done, done);
}

static ht_err count_rows(struct db *db, void *arg)
{
	struct db_rows *r = db_start(db, &table, COUNT, "");
	ht_err err = db_next(r);

	*(int64_t *)arg = err ? -1 : db_int(r, 0);
	db_done(r);
	return err;
}

static int64_t rows(struct fixture *f)
{
	int64_t n = -1;

	assert_ok(writer_call(f->writer, count_rows, &n));
	return n;
}

static void rows_are_committed_in_groups(void **state)
{
	struct fixture *f = *state;
	struct writer_stats stats;

	for (int i = 1; i <= 1000; i++)
		assert_ok(submit(f, i, 10));
	run_until(f, 1000);
	assert_int_equal(f->ok, 1000);
	assert_int_equal(rows(f), 1000);
	writer_stats(f->writer, &stats);
	assert_int_equal(stats.committed, 1000);
	assert_int_equal(stats.queued, 0);
	assert_true(stats.transactions >= 4 && stats.transactions < 100);
	assert_true(stats.last_commit_ms > 0);
}

static void resends_and_conflicts_are_told(void **state)
{
	struct fixture *f = *state;

	assert_ok(submit(f, 1, 10));
	assert_ok(submit(f, 1, 10));
	assert_ok(submit(f, 1, 11));
	run_until(f, 3);
	assert_int_equal(f->ok, 1);
	assert_int_equal(f->exists, 1);
	assert_int_equal(f->conflict, 1);
}

static void asides_and_garbage_are_told(void **state)
{
	struct fixture *f = *state;
	struct writer_stats stats;
	struct journal_row row = { .source = JOURNAL_AGENT,
		.kind = "data",
		.agent = "a",
		.received_ms = 1,
		.payload = "x",
		.len = 1 };
	struct journal_garbage g = { .topic = "t",
		.reason = "size",
		.bytes = f->payload,
		.len = sizeof(f->payload) };

	assert_ok(writer_submit_aside(f->writer, &row, "f00d", on_done, f));
	assert_ok(writer_submit_garbage(f->writer, &g, on_done, f));
	run_until(f, 2);
	assert_int_equal(f->ok, 2);
	assert_int_equal(rows(f), 0);
	writer_stats(f->writer, &stats);
	assert_int_equal(stats.aside, 1);
	assert_int_equal(stats.garbage, 1);
}

static void the_queue_is_bounded(void **state)
{
	struct fixture *f = *state;
	struct writer_stats stats;
	int accepted = 0;
	ht_err err = HT_OK;

	/* A call that takes its time keeps the thread busy meanwhile. */
	for (int i = 1; i <= 20000 && !err; i++) {
		err = submit(f, i, 2000);
		accepted += err == HT_OK;
	}
	if (err) { /* a fast disk may keep up */
		assert_int_equal(err, HT_FULL);
		assert_true(accepted >= 4096);
		writer_stats(f->writer, &stats);
		assert_int_equal(stats.refused, 1);
	}
	run_until(f, accepted);
	assert_int_equal(f->ok, accepted);
	assert_int_equal(rows(f), accepted);
}

static ht_err limit(struct db *db, void *arg)
{
	return db_exec(db, &table, *(int *)arg, "");
}

static void a_full_disk_acknowledges_nothing_and_recovers(void **state)
{
	struct fixture *f = *state;
	struct writer_stats stats;
	int statement = SHRINK;
	int64_t until = ht_mono_ns() + DEADLINE_NS;

	assert_ok(writer_call(f->writer, limit, &statement));
	for (int i = 1; i <= 500; i++)
		assert_ok(submit(f, i, sizeof(f->payload)));
	do {
		uv_run(&f->loop, UV_RUN_NOWAIT);
		writer_stats(f->writer, &stats);
	} while (stats.failures < 2 && ht_mono_ns() < until);
	assert_true(stats.failures >= 2);
	assert_int_equal(stats.last_err, HT_FULL);
	assert_true(stats.failing_since_ms > 0);
	assert_true(strlen(stats.last_error) > 0);
	assert_int_equal(stats.queued, 500);
	assert_int_equal(f->done, 0);

	statement = SET_MAX;
	assert_ok(writer_call(f->writer, limit, &statement));
	run_until(f, 500);
	assert_int_equal(f->ok, 500);
	writer_stats(f->writer, &stats);
	assert_int_equal(stats.failing_since_ms, 0);
	assert_int_equal(stats.last_err, HT_OK);
	assert_int_equal(rows(f), 500);
}

static ht_err write_then_fail(struct db *db, void *arg)
{
	struct journal_row row = { .source = JOURNAL_OPERATOR,
		.kind = "agency.put",
		.received_ms = 1,
		.payload = "{}",
		.len = 2 };
	ht_err err = journal_append(db, &row);

	return err ? err : *(ht_err *)arg;
}

static void a_call_that_fails_is_undone(void **state)
{
	struct fixture *f = *state;
	ht_err want = HT_DENIED;

	assert_int_equal(writer_call(f->writer, write_then_fail, &want), HT_DENIED);
	assert_int_equal(rows(f), 0);
	want = HT_OK;
	assert_ok(writer_call(f->writer, write_then_fail, &want));
	assert_int_equal(rows(f), 1);
}

struct post {
	struct fixture *f;
	ht_err want;
};

static ht_err post_fn(struct db *db, void *arg)
{
	return write_then_fail(db, &((struct post *)arg)->want);
}

static void post_done(void *arg, ht_err err)
{
	struct post *p = arg;

	p->f->posted = true;
	p->f->post_err = err;
}

static void a_post_is_told_on_the_loop(void **state)
{
	struct fixture *f = *state;
	struct post post = { f, HT_OK };
	int64_t until = ht_mono_ns() + DEADLINE_NS;

	assert_ok(writer_post(f->writer, post_fn, post_done, &post));
	while (!f->posted && ht_mono_ns() < until)
		uv_run(&f->loop, UV_RUN_NOWAIT);
	assert_true(f->posted);
	assert_ok(f->post_err);
	assert_int_equal(rows(f), 1);
}

static void stop_commits_what_waits(void **state)
{
	struct fixture *f = *state;
	struct ht_fault fault = { 0 };

	for (int i = 1; i <= 300; i++)
		assert_ok(submit(f, i, 10));
	writer_stop(f->writer);
	f->writer = NULL;
	assert_int_equal(f->done, 300);
	assert_int_equal(f->ok, 300);
	assert_ok(writer_start(&f->loop, f->store.file, &f->writer, &fault));
	assert_int_equal(rows(f), 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    rows_are_committed_in_groups, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    resends_and_conflicts_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    asides_and_garbage_are_told, setup, teardown),
		cmocka_unit_test_setup_teardown(the_queue_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_full_disk_acknowledges_nothing_and_recovers, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_call_that_fails_is_undone, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_post_is_told_on_the_loop, setup, teardown),
		cmocka_unit_test_setup_teardown(stop_commits_what_waits, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
