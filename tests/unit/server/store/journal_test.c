#include "unit/test.h"

#include "server/store/journal.h"
#include "unit/server/store/store_test.h"

enum { ASIDES, GARBAGE, COUNTS, N };
static const char *const texts[N] = {
	[ASIDES] = "SELECT count(*), min(reason), max(fingerprint) FROM journal_aside",
	[GARBAGE] = "SELECT count(*), max(length(sample)), max(len) FROM garbage",
	[COUNTS] =
	    "SELECT n, last_ms FROM garbage_count WHERE agent = $1 AND reason = $2",
};
static const struct db_sql table = { "test", texts, N };

struct fixture {
	struct test_store store;
	struct db *db;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

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

static struct journal_row pack(int64_t seq, const char *payload)
{
	struct journal_row row = {
		.source = JOURNAL_AGENT,
		.kind = "data",
		.agent = "office-1",
		.lane = JOURNAL_DATA,
		.content_type = "application/senml+json",
		.received_ms = 1519887600000,
		.payload = payload,
		.len = strlen(payload),
	};

	row.props.has = PROPS_EPOCH | PROPS_SEQ | PROPS_BOOT | PROPS_SESSION |
			PROPS_MONO | PROPS_SENT_MONO;
	memcpy(row.props.epoch, "00112233445566ff", sizeof(row.props.epoch));
	memcpy(row.props.session, "aaaabbbbccccdddd", sizeof(row.props.session));
	memcpy(row.props.boot, "11111111-2222-3333-4444-555555555555",
	    sizeof(row.props.boot));
	row.props.seq = seq;
	row.props.mono_ns = 5;
	row.props.sent_mono_ns = 7;
	return row;
}

static int64_t asides(struct db *db)
{
	struct db_rows *r = db_start(db, &table, ASIDES, "");

	assert_ok(db_next(r));
	int64_t n = db_int(r, 0);
	db_done(r);
	return n;
}

static void a_row_comes_back_whole(void **state)
{
	struct fixture *f = *state;
	struct journal_row row = pack(1, "[1]"), back;
	struct journal_row server = { .source = JOURNAL_SERVER,
		.kind = "start",
		.received_ms = 5,
		.payload = "{}",
		.len = 2 };

	assert_ok(journal_append(f->db, &row));
	assert_int_equal(row.id, 1);
	assert_ok(journal_append(f->db, &server));
	struct db_rows *r = journal_scan(f->db, 0, 10);
	assert_ok(db_next(r));
	journal_read(r, &back);
	assert_int_equal(back.source, JOURNAL_AGENT);
	assert_int_equal(back.lane, JOURNAL_DATA);
	assert_string_equal(back.kind, "data");
	assert_string_equal(back.agent, "office-1");
	assert_int_equal(back.props.has, row.props.has);
	assert_string_equal(back.props.epoch, row.props.epoch);
	assert_string_equal(back.props.boot, row.props.boot);
	assert_string_equal(back.props.session, row.props.session);
	assert_int_equal(back.props.seq, 1);
	assert_int_equal(back.props.mono_ns, 5);
	assert_int_equal(back.props.sent_mono_ns, 7);
	assert_int_equal(back.len, 3);
	assert_memory_equal(back.payload, "[1]", 3);
	assert_ok(db_next(r));
	journal_read(r, &back);
	assert_int_equal(back.source, JOURNAL_SERVER);
	assert_int_equal(back.props.has, 0);
	assert_null(back.agent);
	assert_int_equal(back.lane, JOURNAL_NO_LANE);
	assert_int_equal(db_next(r), HT_NOTFOUND);
	db_done(r);
}

static void resends_and_conflicts(void **state)
{
	struct fixture *f = *state;
	struct journal_row first = pack(1, "[1]"), again = pack(1, "[1]"),
			   other = pack(1, "[2]");

	assert_ok(journal_append(f->db, &first));
	assert_int_equal(journal_append(f->db, &again), HT_EXISTS);
	assert_int_equal(again.id, first.id);
	assert_int_equal(asides(f->db), 0);
	assert_int_equal(journal_append(f->db, &other), HT_CONFLICT);
	assert_int_equal(journal_append(f->db, &other), HT_CONFLICT);
	assert_int_equal(asides(f->db), 1); /* the same one once */
	other = pack(1, "[3]");
	assert_int_equal(journal_append(f->db, &other), HT_CONFLICT);
	assert_int_equal(asides(f->db), 2);
	other = pack(1, "[2]");
	other.agent = "office-2";
	assert_ok(journal_append(f->db, &other));
}

static void without_a_key_all_are_kept(void **state)
{
	struct fixture *f = *state;
	struct journal_row row = pack(1, "[1]");

	row.props.has &= ~(unsigned)PROPS_EPOCH;
	assert_ok(journal_append(f->db, &row));
	assert_ok(journal_append(f->db, &row));
	assert_int_equal(row.id, 2);
}

static void clones_go_aside(void **state)
{
	struct fixture *f = *state;
	struct journal_row row = pack(9, "[9]");

	assert_ok(journal_aside(f->db, &row, "other-machine"));
	assert_int_equal(journal_aside(f->db, &row, "other-machine"), HT_EXISTS);
	assert_int_equal(asides(f->db), 1);
	assert_ok(journal_append(f->db, &row)); /* the owner's key is free */
}

static void garbage_is_counted_and_sampled(void **state)
{
	struct fixture *f = *state;
	static const char big[1000];
	struct journal_garbage g = { .topic = "hatang/v1/office-1/data",
		.agent = "office-1",
		.reason = "senml",
		.received_ms = 77,
		.bytes = big,
		.len = sizeof(big) };

	for (int i = 0; i < 1005; i++)
		assert_ok(journal_garbage(f->db, &g));
	struct db_rows *r = db_start(f->db, &table, GARBAGE, "");
	assert_ok(db_next(r));
	assert_int_equal(db_int(r, 0), 1000);
	assert_int_equal(db_int(r, 1), JOURNAL_SAMPLE_MAX);
	assert_int_equal(db_int(r, 2), 1000);
	db_done(r);
	r = db_start(f->db, &table, COUNTS, "ss", "office-1", "senml");
	assert_ok(db_next(r));
	assert_int_equal(db_int(r, 0), 1005);
	assert_int_equal(db_int(r, 1), 77);
	db_done(r);
}

static void a_row_that_breaks_the_schema_is_invalid(void **state)
{
	struct fixture *f = *state;
	struct journal_row row = pack(1, "[1]");

	row.kind = NULL;
	assert_int_equal(journal_append(f->db, &row), HT_INVALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_row_comes_back_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(resends_and_conflicts, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    without_a_key_all_are_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(clones_go_aside, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    garbage_is_counted_and_sampled, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_row_that_breaks_the_schema_is_invalid, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
