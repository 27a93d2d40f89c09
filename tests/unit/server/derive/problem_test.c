#include "unit/test.h"

#include "server/derive/problem.h"
#include "unit/server/store/store_test.h"

#define T0 INT64_C(1700000000000)

enum { TEXT, N };
static const char *const texts[N] = {
	[TEXT] =
	    "SELECT coalesce(group_concat(line, '|'), '') FROM (SELECT problem || ' ' ||"
	    " change || ' ' || (at_ms - 1700000000000) || ' ' || journal_id AS line"
	    " FROM problem_change ORDER BY id)",
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

static void changes_are(struct fixture *f, const char *want)
{
	struct db_rows *r = db_start(f->db, &table, TEXT, "");

	assert_ok(db_next(r));
	assert_string_equal(db_text(r, 0), want);
	db_done(r);
}

static struct problem down(int64_t at_ms, const char *reason)
{
	return (struct problem){ .kind = "link-down",
		.subject = "a-wan",
		.agency = "xa-a",
		.at_ms = at_ms,
		.reason = reason };
}

static void one_is_open_at_a_time(void **state)
{
	struct fixture *f = *state;
	struct problem p = down(T0, "no reply");
	char id[PROBLEM_ID_MAX + 1], again[PROBLEM_ID_MAX + 1];

	assert_int_equal(problem_find(f->db, p.kind, p.subject, id), HT_NOTFOUND);
	assert_int_equal(problem_update(f->db, &p, 6), HT_NOTFOUND);
	assert_ok(problem_close(f->db, p.kind, p.subject, T0, 6, NULL));
	assert_ok(problem_open(f->db, &p, 7, id));
	assert_string_equal(id, "link-down/a-wan/7");
	p.at_ms = T0 + 1;
	assert_ok(problem_open(f->db, &p, 8, again)); /* nothing new: no change */
	assert_string_equal(again, id);
	p.root = "link-down/core/5";
	assert_ok(problem_open(f->db, &p, 9, NULL));
	assert_ok(problem_update(f->db, &p, 10)); /* nothing new */
	assert_ok(problem_close(f->db, p.kind, p.subject, T0 + 9, 11, "it answers"));
	changes_are(f, "link-down/a-wan/7 open 0 7|link-down/a-wan/7 update 1 9|"
		       "link-down/a-wan/7 close 9 11");
	assert_int_equal(problem_find(f->db, p.kind, p.subject, id), HT_NOTFOUND);
}

static void a_row_may_open_twice(void **state)
{
	struct fixture *f = *state;
	struct problem p = down(T0, "no reply");
	char id[PROBLEM_ID_MAX + 1];

	assert_ok(problem_open(f->db, &p, 7, id));
	assert_ok(problem_close(f->db, p.kind, p.subject, T0 + 1, 7, NULL));
	p.at_ms = T0 + 2;
	assert_ok(problem_open(f->db, &p, 7, id));
	assert_string_equal(id, "link-down/a-wan/7.2");
}

static void a_reset_takes_its_own_kinds(void **state)
{
	static const char *const kinds[] = { "link-down", "link-unreachable" };
	struct fixture *f = *state;
	struct problem p = down(T0, "no reply"), other = p;

	other.kind = "agent-silent";
	other.subject = "a";
	assert_ok(problem_open(f->db, &other, 6, NULL));
	assert_ok(problem_open(f->db, &p, 7, NULL));
	assert_ok(problem_close(f->db, p.kind, p.subject, T0 + 1, 8, NULL));
	assert_ok(problem_reset(f->db, kinds, HT_COUNT(kinds)));
	changes_are(f, "agent-silent/a/6 open 0 6");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_is_open_at_a_time, setup, teardown),
		cmocka_unit_test_setup_teardown(a_row_may_open_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_reset_takes_its_own_kinds, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
