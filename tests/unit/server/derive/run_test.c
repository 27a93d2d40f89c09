#include "unit/test.h"

#include "base/clock.h"
#include "base/log.h"
#include "server/derive/folds.h"
#include "server/derive/run.h"
#include "unit/server/store/store_test.h"

#define BOOT_1 "11111111-2222-3333-4444-555555555555"
#define BOOT_2 "22222222-2222-3333-4444-555555555555"
#define BOOT_3 "33333333-2222-3333-4444-555555555555"
#define EPOCH  "00112233445566ff"
#define T0     INT64_C(1700000000000)
#define HOUR   INT64_C(3600000)

enum { LATEST, CURSORS, CURSOR_OF, N };
static const char *const texts[N] = {
	[LATEST] = "SELECT at_ms, uncertainty_ms, rebased, journal_id FROM latest WHERE "
		   "name = $1",
	[CURSOR_OF] = "SELECT journal_id FROM fold_cursor WHERE fold = $1",
	[CURSORS] = "SELECT min(journal_id), max(journal_id) FROM fold_cursor",
};
static const struct db_sql table = { "test", texts, N };

/* A fold of the test's own: remembers what it saw, refuses what it is told to. */
static struct {
	int64_t ids[64];
	size_t n;
	int resets, settles, work_left;
	int64_t now_ms;
	int64_t bad_row;
	ht_err bad_err;
	int64_t due_ms;
	int follower_resets;
	int64_t bulk[64];
	size_t n_bulk;
	int64_t ahead; /* rows the watcher had seen when bulk saw its newest */
} seen;

static ht_err see(struct db *db, const struct fold_input *in)
{
	if (in->row->id == seen.bad_row && seen.bad_err)
		return seen.bad_err;
	seen.ids[seen.n++] = in->row->id;
	return HT_OK;
}

static ht_err see_reset(struct db *db)
{
	seen.resets++;
	seen.n = 0;
	return HT_OK;
}

static ht_err see_settle(struct db *db, struct fold_settle *s)
{
	seen.settles++;
	seen.now_ms = s->now_ms;
	s->more = seen.work_left > 0 && --seen.work_left > 0;
	if (seen.due_ms)
		s->due_ms = seen.due_ms;
	return HT_OK;
}

static ht_err see_bulk(struct db *db, const struct fold_input *in)
{
	seen.bulk[seen.n_bulk++] = in->row->id;
	seen.ahead = (int64_t)seen.n;
	return HT_OK;
}

static ht_err forget_bulk(struct db *db)
{
	seen.n_bulk = 0;
	return HT_OK;
}

static ht_err nothing(struct db *db, const struct fold_input *in)
{
	return HT_OK;
}

static ht_err follower_reset(struct db *db)
{
	seen.follower_resets++;
	return HT_OK;
}

static struct fold watcher = { .name = "watcher",
	.version = 1,
	.sources = 1 << JOURNAL_AGENT,
	.apply = see,
	.reset = see_reset,
	.settle = see_settle };
static struct fold bulk = { .name = "bulk",
	.version = 1,
	.sources = 1 << JOURNAL_AGENT | 1 << JOURNAL_OPERATOR,
	.apply = see_bulk,
	.reset = forget_bulk,
	.bulk = true };
static const struct fold follower = { .name = "follower",
	.version = 1,
	.apply = nothing,
	.reset = follower_reset,
	.follows = "watcher" };
static const struct fold *const ours[] = { &fold_anchor, &fold_latest, &watcher, &bulk,
	&follower };

struct fixture {
	struct test_store store;
	struct db *db;
	int64_t seq;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	ht_log_init("test", HT_LOG_ERROR, false);
	memset(&seen, 0, sizeof(seen));
	watcher.version = bulk.version = 1;
	watcher.alone = false;
	test_store_init(&f->store);
	f->db = test_store_open(&f->store);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	db_close(f->db);
	test_store_fini(&f->store);
	free(f);
	return 0;
}

static ht_err slice(struct fixture *f, int64_t budget_ns, struct writer_fold_state *out)
{
	assert_ok(db_begin(f->db));
	ht_err err = run_slice_of(f->db, ours, HT_COUNT(ours), budget_ns, out);
	if (err)
		db_rollback(f->db);
	else
		assert_ok(db_commit(f->db));
	return err;
}

static void fold_all(struct fixture *f)
{
	struct writer_fold_state s = { .more = true };

	while (s.more)
		assert_ok(slice(f, HT_NS_PER_S, &s));
}

static int64_t append(struct fixture *f, struct journal_row *row)
{
	assert_ok(journal_append(f->db, row));
	return row->id;
}

/* A pack of one relative record, `name`, measured a second before its sealing. */
static int64_t pack(struct fixture *f, const char *name, const char *boot, int64_t mono_s,
    int64_t received_ms, enum journal_lane lane)
{
	char text[200];
	struct journal_row row = { .source = JOURNAL_AGENT,
		.kind = "data",
		.agent = "a",
		.lane = lane,
		.content_type = SENML_JSON_TYPE,
		.received_ms = received_ms };

	row.payload = text;
	row.len = (size_t)snprintf(text, sizeof(text),
	    "[{\"bn\":\"a/\",\"n\":\"selftest/%s/"
	    "count\",\"u\":\"count\",\"v\":1,\"t\":-1}]",
	    name);
	row.props.has =
	    PROPS_EPOCH | PROPS_SEQ | PROPS_BOOT | PROPS_MONO | PROPS_SENT_MONO;
	memcpy(row.props.epoch, EPOCH, sizeof(EPOCH));
	memcpy(row.props.boot, boot, sizeof(BOOT_1));
	row.props.seq = ++f->seq;
	row.props.mono_ns = mono_s * HT_NS_PER_S;
	/* Sent by the clock of the boot that runs now, whatever the pack's own was. */
	row.props.sent_mono_ns = row.props.mono_ns;
	return append(f, &row);
}

static int64_t presence(
    struct fixture *f, const char *boot, int64_t mono_s, int64_t received_ms)
{
	struct journal_row row = { .source = JOURNAL_SERVER,
		.kind = "presence",
		.agent = "a",
		.received_ms = received_ms,
		.payload = "{}",
		.len = 2 };

	row.props.has = PROPS_BOOT | PROPS_MONO | PROPS_SENT_MONO;
	memcpy(row.props.boot, boot, sizeof(BOOT_1));
	row.props.mono_ns = row.props.sent_mono_ns = mono_s * HT_NS_PER_S;
	return append(f, &row);
}

struct dated {
	int64_t at_ms, uncertainty_ms;
	bool rebased;
};

static struct dated latest(struct fixture *f, const char *name)
{
	char text[100];

	snprintf(text, sizeof(text), "selftest/%s/count", name);
	struct db_rows *r = db_start(f->db, &table, LATEST, "s", text);
	assert_ok(db_next(r));
	struct dated d = { db_int(r, 0), db_int(r, 1), db_int(r, 2) != 0 };
	db_done(r);
	return d;
}

static void every_row_once_in_order(void **state)
{
	struct fixture *f = *state;
	struct writer_fold_state s;

	for (int i = 0; i < 5; i++)
		pack(f, "x", BOOT_1, 100 + i, T0 + i * 1000, JOURNAL_DATA);
	assert_ok(slice(f, 0, &s)); /* no time: one row all the same */
	assert_int_equal(seen.n, 1);
	assert_true(s.more);
	assert_int_equal(s.lag_rows, 4);
	assert_int_equal(s.oldest_ms, T0 + 1000);
	fold_all(f);
	assert_int_equal(seen.n, 5);
	for (size_t i = 0; i < seen.n; i++)
		assert_int_equal(seen.ids[i], i + 1);
	assert_ok(slice(f, HT_NS_PER_S, &s));
	assert_false(s.more);
	assert_int_equal(seen.n, 5);
	assert_int_equal(seen.now_ms, T0 + 4000);
}

/* Work that settling left is gone on with, though no row comes. */
static void settles_until_nothing_is_left(void **state)
{
	struct fixture *f = *state;
	struct writer_fold_state s;

	pack(f, "x", BOOT_1, 100, T0, JOURNAL_DATA);
	fold_all(f);
	int before = seen.settles;
	seen.work_left = 3;
	for (int i = 0; i < 2; i++) {
		assert_ok(slice(f, 0, &s));
		assert_true(s.more);
		assert_int_equal(s.lag_rows, 0);
		assert_int_equal(seen.now_ms, T0);
	}
	assert_ok(slice(f, 0, &s));
	assert_false(s.more);
	assert_int_equal(seen.settles, before + 3);
}

static void a_new_version_folds_anew_alone(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 3; i++)
		pack(f, "x", BOOT_1, 100 + i, T0, JOURNAL_DATA);
	fold_all(f);
	struct dated before = latest(f, "x");
	assert_int_equal(seen.resets, 1);
	watcher.version = 2;
	fold_all(f);
	assert_int_equal(seen.resets, 2);
	assert_int_equal(seen.n, 3);
	assert_int_equal(latest(f, "x").at_ms, before.at_ms);
}

static void who_follows_is_folded_anew_with_it(void **state)
{
	struct fixture *f = *state;

	pack(f, "x", BOOT_1, 100, T0, JOURNAL_DATA);
	fold_all(f);
	assert_int_equal(seen.follower_resets, 1);
	bulk.version = 2; /* not of its business */
	fold_all(f);
	assert_int_equal(seen.follower_resets, 1);
	watcher.version = 2;
	fold_all(f);
	assert_int_equal(seen.follower_resets, 2);
}

static void edit(struct fixture *f, const char *kind)
{
	struct journal_row row = { .source = JOURNAL_OPERATOR,
		.kind = kind,
		.received_ms = T0,
		.payload = "{}",
		.len = 2 };

	append(f, &row);
}

/* Each slice is one row of bulk; the others run ahead of it, but not over what changes
 * the registry. */
static void bulk_comes_after_but_under_the_same_registry(void **state)
{
	struct fixture *f = *state;
	struct writer_fold_state s = { .more = true };

	for (int i = 0; i < 4; i++)
		pack(f, "x", BOOT_1, 100 + i, T0, JOURNAL_DATA);
	edit(f, "maintenance.put");
	pack(f, "x", BOOT_1, 200, T0, JOURNAL_DATA);
	edit(f, "link.put"); /* row 7 */
	pack(f, "x", BOOT_1, 300, T0, JOURNAL_DATA);
	watcher.version = bulk.version = 3;
	for (int i = 0; i < 6; i++) { /* no time at all: a row each */
		assert_ok(slice(f, 0, &s));
		assert_int_equal(seen.n_bulk, i + 1);
	}
	assert_int_equal(seen.n, 5);
	fold_all(f);
	assert_int_equal(seen.n, 6);
	assert_int_equal(seen.n_bulk, 8);

	/* With time: all that may run ahead has, before bulk begins. */
	watcher.version = bulk.version = 4;
	fold_all(f);
	assert_int_equal(seen.n_bulk, 8);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(seen.bulk[i], i + 1);
	watcher.version = bulk.version = 5;
	seen.ahead = 0;
	assert_ok(slice(f, HT_NS_PER_S, &s));
	assert_int_equal(seen.n_bulk, 6); /* row 7 waits for it */
	assert_int_equal(seen.ahead, 5);
	fold_all(f);

	/* Bulk alone is made anew: nobody waits for it. */
	bulk.version = 6;
	edit(f, "link.put");
	pack(f, "x", BOOT_1, 400, T0, JOURNAL_DATA);
	size_t before = seen.n;
	assert_ok(slice(f, 0, &s));
	assert_ok(slice(f, 0, &s));
	assert_int_equal(seen.n_bulk, 2);
	assert_int_equal(seen.n, before + 1);
}

static const struct fold *const with_one_alone[] = { &fold_anchor, &watcher, &bulk };

static ht_err slice_alone(struct fixture *f, int64_t budget_ns)
{
	struct writer_fold_state s;

	assert_ok(db_begin(f->db));
	ht_err err =
	    run_slice_of(f->db, with_one_alone, HT_COUNT(with_one_alone), budget_ns, &s);
	assert_ok(db_commit(f->db));
	if (!err)
		assert_int_equal(s.due_ms, seen.due_ms && !s.more ? seen.due_ms : 0);
	return err ? err : s.more ? HT_AGAIN : HT_OK;
}

static int64_t cursor_of(struct fixture *f, const char *fold)
{
	struct db_rows *r = db_start(f->db, &table, CURSOR_OF, "s", fold);
	assert_ok(db_next(r));
	int64_t id = db_int(r, 0);
	db_done(r);
	return id;
}

/* A new fold reads the journal from its beginning; what comes meanwhile is folded by the
 * others at once, and in the end it has seen what they have. */
static void who_is_alone_catches_up_while_others_go_on(void **state)
{
	struct fixture *f = *state;
	ht_err err = HT_AGAIN;
	int slices = 0;

	watcher.alone = true;
	edit(f, "agency.put");
	for (int i = 0; i < 20; i++)
		pack(f, "x", BOOT_1, 100 + i, T0, JOURNAL_DATA);
	while ((err = slice_alone(f, HT_NS_PER_S)) == HT_AGAIN)
		continue;
	assert_ok(err);
	watcher.version = 2;
	seen.due_ms = T0 + 5;
	int64_t id = pack(f, "x", BOOT_1, 200, T0, JOURNAL_DATA);
	assert_int_equal(slice_alone(f, 0), HT_AGAIN);
	assert_int_equal(cursor_of(f, "anchor"), id);
	assert_int_equal(cursor_of(f, "bulk"), id);
	assert_int_equal(cursor_of(f, "watcher"), 1);
	while (cursor_of(f, "watcher") < 10)
		assert_int_equal(slice_alone(f, 0), HT_AGAIN);
	/* No edit lies between: one that comes waits for it, so that it is met by the
	 * same registry as the first time. */
	edit(f, "link.put");
	assert_int_equal(slice_alone(f, 0), HT_AGAIN);
	assert_int_equal(cursor_of(f, "anchor"), id);
	while ((err = slice_alone(f, 0)) == HT_AGAIN)
		assert_true(++slices < 30);
	assert_ok(err);
	assert_int_equal(cursor_of(f, "anchor"), id + 1);
	assert_int_equal(cursor_of(f, "watcher"), id + 1);
	assert_int_equal(seen.n, 21);
	for (size_t i = 0; i < seen.n; i++)
		assert_int_equal(seen.ids[i], i + 2);
}

static void the_least_due_time_is_told(void **state)
{
	struct fixture *f = *state;
	struct writer_fold_state s;

	pack(f, "x", BOOT_1, 100, T0, JOURNAL_DATA);
	assert_ok(slice(f, HT_NS_PER_S, &s));
	assert_int_equal(s.due_ms, 0);
	seen.due_ms = T0 + 5;
	assert_ok(slice(f, HT_NS_PER_S, &s));
	assert_int_equal(s.due_ms, T0 + 5);
}

static void a_bad_row_is_skipped_by_its_fold_alone(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 3; i++)
		pack(f, i == 1 ? "bad" : "x", BOOT_1, 100 + i, T0, JOURNAL_DATA);
	seen.bad_row = 2;
	seen.bad_err = HT_CONFLICT;
	fold_all(f);
	assert_int_equal(seen.n, 2);
	assert_int_equal(latest(f, "bad").rebased, true); /* others did fold it */
}

static void a_full_disk_stops_and_is_retried(void **state)
{
	struct fixture *f = *state;
	struct writer_fold_state s;

	for (int i = 0; i < 3; i++)
		pack(f, "x", BOOT_1, 100 + i, T0, JOURNAL_DATA);
	seen.bad_row = 2;
	seen.bad_err = HT_FULL;
	assert_int_equal(slice(f, HT_NS_PER_S, &s), HT_FULL);
	struct db_rows *r = db_start(f->db, &table, CURSORS, "");
	assert_ok(db_next(r));
	assert_true(db_is_null(r, 0)); /* rolled back, cursors too */
	db_done(r);
	seen.bad_err = HT_OK;
	seen.n = 0;
	fold_all(f);
	assert_int_equal(seen.n, 3);
}

static void a_boot_is_dated_by_its_anchor(void **state)
{
	struct fixture *f = *state;

	presence(f, BOOT_1, 100, T0);
	pack(f, "x", BOOT_1, 110, T0 + 10500, JOURNAL_DATA);
	fold_all(f);
	assert_int_equal(latest(f, "x").at_ms, T0 + 10000 - 1000);
	assert_true(latest(f, "x").rebased);
}

/* Boot 1 was online; boot 2 never was; boot 3 sends what boot 2 left. */
static void a_boot_never_online_gets_an_interval(void **state)
{
	struct fixture *f = *state;

	presence(f, BOOT_1, 100, T0);
	pack(f, "one", BOOT_1, 200, T0 + 100000, JOURNAL_DATA);
	presence(f, BOOT_3, 60, T0 + 10 * HOUR);
	pack(f, "two", BOOT_2, 500, T0 + 10 * HOUR + 1000, JOURNAL_HIST);
	pack(f, "two-later", BOOT_2, 900, T0 + 10 * HOUR + 2000, JOURNAL_HIST);
	pack(f, "three", BOOT_3, 62, T0 + 10 * HOUR + 2500, JOURNAL_DATA);
	fold_all(f);
	struct dated two = latest(f, "two"), later = latest(f, "two-later");
	int64_t low = T0 + 100000, high = T0 + 10 * HOUR - 60000;
	assert_true(two.rebased);
	assert_true(two.at_ms - two.uncertainty_ms >= low);
	assert_true(two.at_ms + two.uncertainty_ms <= high + 1000);
	assert_true(two.uncertainty_ms > 4 * HOUR);
	assert_true(later.at_ms > two.at_ms);
	assert_int_equal(latest(f, "three").at_ms, T0 + 10 * HOUR + 2000 - 1000);
}

/* Later, better anchors must not date earlier rows differently when they are folded
 * again. */
static void a_refold_dates_as_the_first_time(void **state)
{
	struct fixture *f = *state;

	pack(f, "slow", BOOT_1, 100, T0 + 9000, JOURNAL_DATA);
	fold_all(f);
	struct dated first = latest(f, "slow");
	pack(f, "quick", BOOT_1, 120, T0 + 20000, JOURNAL_DATA);
	fold_all(f);
	assert_ok(db_begin(f->db));
	assert_ok(fold_latest.reset(f->db));
	assert_ok(db_commit(f->db));
	watcher.version = 2;
	assert_ok(db_script(
	    f->db, "UPDATE fold_cursor SET journal_id = 0 WHERE fold = 'latest'"));
	fold_all(f);
	assert_int_equal(latest(f, "slow").at_ms, first.at_ms);
	assert_true(latest(f, "quick").at_ms < first.at_ms + 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_row_once_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    settles_until_nothing_is_left, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_new_version_folds_anew_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    who_follows_is_folded_anew_with_it, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    bulk_comes_after_but_under_the_same_registry, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    who_is_alone_catches_up_while_others_go_on, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    the_least_due_time_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_bad_row_is_skipped_by_its_fold_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_full_disk_stops_and_is_retried, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_boot_is_dated_by_its_anchor, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_boot_never_online_gets_an_interval, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_refold_dates_as_the_first_time, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
