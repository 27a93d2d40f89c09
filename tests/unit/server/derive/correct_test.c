/* fold_correct over rows as agents send them: late, of free clocks, of several lives. The
 * outage itself is put into the table as fold_links would. */
#include "unit/test.h"

#include <math.h>

#include "base/log.h"
#include "server/derive/correct.h"
#include "server/derive/folds.h"
#include "server/derive/run.h"
#include "unit/server/store/store_test.h"

#define T0     INT64_C(1795000000000)
#define BOOT_1 "11111111-2222-3333-4444-555555555555"
#define BOOT_2 "22222222-2222-3333-4444-555555555555"

enum { AGENCY, LINK, AGENT, OUTAGE, GET, EVIDENCE, EVENTS, FORGET, N };
static const char *const texts[N] = {
	[AGENCY] = "INSERT INTO agency (id, name, level, journal_id) VALUES ('y-ty', "
		   "'Y Tý', 'commune', 1)",
	[LINK] = "INSERT INTO link (id, agency, role, kind, journal_id)"
		 " VALUES ('y-ty-wan', 'y-ty', 'primary', 'province-wan', 1)",
	[AGENT] = "INSERT INTO agent (id, agency, vantage, journal_id) VALUES ($1, $2, "
		  "$3, 1)",
	[OUTAGE] =
	    "INSERT INTO outage (id, link, agency, state, start_ms, start_uncertainty_ms,"
	    " end_ms, end_uncertainty_ms, cause, cause_reason, evidence, opened_journal)"
	    " VALUES ('o', 'y-ty-wan', 'y-ty', 'DOWN', $1, 1000, $2, 1000, 'unknown',"
	    " '', '[]', 0)",
	[GET] = "SELECT cause, cause_reason, edge_start_ms, edge_start_uncertainty_ms,"
		" edge_end_ms, edge_end_uncertainty_ms, edge_agent, start_ms, end_ms"
		" FROM outage",
	[EVIDENCE] = "SELECT group_concat(journal_id) FROM (SELECT journal_id FROM"
		     " outage_evidence ORDER BY journal_id)",
	[EVENTS] = "SELECT count(*) FROM edge_event",
	[FORGET] = "DELETE FROM fold_cursor",
};
static const struct db_sql table = { "test", texts, N };
static const struct fold *const ours[] = { &fold_anchor, &fold_correct };

struct fixture {
	struct test_store store;
	struct db *db;
	int64_t seq;
};

/* What the outage says. */
struct said {
	char cause[16], agent[32], evidence[64];
	int64_t start_ms, start_u, end_ms, end_u, estimate_start_ms, estimate_end_ms;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	ht_log_init("test", HT_LOG_ERROR, false);
	test_store_init(&f->store);
	f->db = test_store_open(&f->store);
	assert_ok(db_exec(f->db, &table, AGENCY, ""));
	assert_ok(db_exec(f->db, &table, LINK, ""));
	assert_ok(db_exec(f->db, &table, AGENT, "ssi", "e", "y-ty", (int64_t)0));
	assert_ok(db_exec(f->db, &table, AGENT, "ssi", "core", "so-tttt", (int64_t)1));
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

static int64_t at(double s)
{
	return T0 + (int64_t)llround(s * 1000);
}

static void outage(struct fixture *f, double start_s, double end_s)
{
	assert_ok(db_exec(f->db, &table, OUTAGE, "ii", at(start_s), at(end_s)));
}

static void fold_by(struct fixture *f, const struct fold *const *list, size_t n)
{
	struct writer_fold_state s = { .more = true };

	while (s.more) {
		assert_ok(db_begin(f->db));
		assert_ok(run_slice_of(f->db, list, n, 1000000000, &s));
		assert_ok(db_commit(f->db));
	}
}

static void fold_all(struct fixture *f)
{
	fold_by(f, ours, HT_COUNT(ours));
}

/* A pack of `agent`, its records told as JSON with absolute times. */
static int64_t pack(struct fixture *f, const char *agent, const char *boot,
    const char *session, double received_s, const char *records)
{
	char text[1000];
	struct journal_row row = { .source = JOURNAL_AGENT,
		.kind = "data",
		.agent = agent,
		.lane = JOURNAL_HIST,
		.content_type = SENML_JSON_TYPE,
		.received_ms = at(received_s),
		.payload = text };

	row.len =
	    (size_t)snprintf(text, sizeof(text), "[{\"bn\":\"%s/\",%s]", agent, records);
	row.props.has = PROPS_BOOT | PROPS_SESSION | PROPS_EPOCH | PROPS_SEQ;
	snprintf(row.props.boot, sizeof(row.props.boot), "%s", boot);
	snprintf(row.props.session, sizeof(row.props.session), "%s", session);
	snprintf(row.props.epoch, sizeof(row.props.epoch), "00112233445566ff");
	row.props.seq = ++f->seq;
	assert_ok(journal_append(f->db, &row));
	return row.id;
}

/* The three records of a transition; "ago" of those that do not matter is 0.01. */
static const char *change(const char *where, const char *state, double told_s,
    double lost_for, double answered_ago, const char *after)
{
	static char text[4][600];
	static int turn;
	char *out = text[turn++ % 4];

	snprintf(out, 600,
	    "\"n\":\"reach/%s/state\",\"vs\":\"%s\",\"t\":%.3f},"
	    "{\"n\":\"reach/%s/unanswered-for\",\"u\":\"s\",\"v\":%.3f,\"t\":%.3f},"
	    "{\"n\":\"reach/%s/answered-ago\",\"u\":\"s\",\"v\":%.3f,\"t\":%.3f}%s",
	    where, state, (double)at(told_s) / 1000, where, lost_for,
	    (double)at(told_s) / 1000, where, answered_ago, (double)at(told_s) / 1000,
	    after);
	return out;
}

static void get(struct fixture *f, struct said *out)
{
	struct db_rows *r = db_start(f->db, &table, GET, "");

	assert_ok(db_next(r));
	memset(out, 0, sizeof(*out));
	snprintf(out->cause, sizeof(out->cause), "%s", db_text(r, 0));
	out->start_ms = db_is_null(r, 2) ? -1 : db_int(r, 2);
	out->start_u = db_int(r, 3);
	out->end_ms = db_is_null(r, 4) ? -1 : db_int(r, 4);
	out->end_u = db_int(r, 5);
	snprintf(
	    out->agent, sizeof(out->agent), "%s", db_text(r, 6) ? db_text(r, 6) : "");
	out->estimate_start_ms = db_int(r, 7);
	out->estimate_end_ms = db_int(r, 8);
	db_done(r);
	r = db_start(f->db, &table, EVIDENCE, "");
	assert_ok(db_next(r));
	snprintf(out->evidence, sizeof(out->evidence), "%s",
	    db_text(r, 0) ? db_text(r, 0) : "");
	db_done(r);
}

/* Known before, cut at 100.2 and mended at 400.7 seconds. */
static void tell_cut(struct fixture *f, double received_s)
{
	pack(f, "e", BOOT_1, "aa", 2, change("y-ty-wan:gateway", "up", 1, 0, 0.01, ""));
	pack(f, "e", BOOT_1, "aa", 2, change("y-ty-wan", "up", 1, 0, 0.01, ""));
	pack(f, "e", BOOT_1, "aa", received_s,
	    change("y-ty-wan", "suspect", 103, 2, 3, ""));
	pack(f, "e", BOOT_1, "aa", received_s,
	    change("y-ty-wan", "down", 104.5, 3.5, 4.5, ""));
	pack(f, "e", BOOT_1, "aa", received_s,
	    change("y-ty-wan", "up", 403.1, 302.1, 2.1, ""));
}

static void late_record_corrects_both_ends(void **state)
{
	struct fixture *f = *state;
	struct said s;

	outage(f, 101, 404);
	fold_all(f);
	tell_cut(f, 7 * 86400);
	fold_all(f);
	get(f, &s);
	assert_string_equal(s.cause, "wan-link");
	assert_string_equal(s.agent, "e");
	/* From the last answered to the first lost ping: 100 to 101 s. */
	assert_int_equal(s.start_ms, at(100.5));
	assert_true(s.start_ms - s.start_u <= at(100.2) &&
		    at(100.2) <= s.start_ms + s.start_u && s.start_u <= 501);
	assert_true(s.end_ms - s.end_u <= at(400.7) && at(400.7) <= s.end_ms + s.end_u);
	assert_string_equal(s.evidence, "4,5");
	/* The estimate is left as it was. */
	assert_int_equal(s.estimate_start_ms, at(101));
	assert_int_equal(s.estimate_end_ms, at(404));
}

static void more_rows_correct_again(void **state)
{
	struct fixture *f = *state;
	struct said s;

	outage(f, 101, 404);
	tell_cut(f, 500);
	fold_all(f);
	pack(f, "e", BOOT_1, "aa", 501,
	    change("y-ty-wan:gateway", "down", 104.5, 3.5, 4.5, ""));
	pack(f, "e", BOOT_1, "aa", 501,
	    change("y-ty-wan:gateway", "up", 390.1, 289, 0.1, ""));
	fold_all(f);
	get(f, &s);
	assert_string_equal(s.cause, "router");
	/* The vantage polls the router: it ran all the time. */
	pack(f, "core", BOOT_2, "cc", 600,
	    "\"n\":\"snmp/y-ty-wan/uptime\",\"u\":\"s\",\"v\":90000,\"t\":1795000600}");
	fold_all(f);
	get(f, &s);
	assert_string_equal(s.cause, "lan");
}

static void a_free_clock_tells_its_doubt(void **state)
{
	struct fixture *f = *state;
	/* The boot began at T0 - 50 s; nobody told it what time it is. */
	static const struct {
		double mono_s, state_ago, lost_for, answered_ago;
		const char *where, *what;
	} told[] = {
		{ 60, 5, 0, 0.01, "y-ty-wan:gateway", "up" },
		{ 60, 5, 0, 0.01, "y-ty-wan", "up" },
		{ 155, 0.5, 3.5, 4.5, "y-ty-wan", "down" },
		{ 460, 6.9, 302.1, 2.1, "y-ty-wan", "up" },
	};
	struct said s;

	outage(f, 101, 404);
	for (size_t i = 0; i < HT_COUNT(told); i++) {
		char text[600];
		struct journal_row row = { .source = JOURNAL_AGENT,
			.kind = "data",
			.agent = "e",
			.lane = JOURNAL_HIST,
			.content_type = SENML_JSON_TYPE,
			.received_ms = at(420) + 40,
			.payload = text };
		row.len = (size_t)snprintf(text, sizeof(text),
		    "[{\"bn\":\"e/\",\"n\":\"reach/%s/state\",\"vs\":\"%s\",\"t\":%.3f},"
		    "{\"n\":\"reach/%s/"
		    "unanswered-for\",\"u\":\"s\",\"v\":%.3f,\"t\":%.3f},"
		    "{\"n\":\"reach/%s/"
		    "answered-ago\",\"u\":\"s\",\"v\":%.3f,\"t\":%.3f}]",
		    told[i].where, told[i].what, -told[i].state_ago, told[i].where,
		    told[i].lost_for, -told[i].state_ago, told[i].where,
		    told[i].answered_ago, -told[i].state_ago);
		row.props.has = PROPS_BOOT | PROPS_SESSION | PROPS_EPOCH | PROPS_SEQ |
				PROPS_MONO | PROPS_SENT_MONO;
		snprintf(row.props.boot, sizeof(row.props.boot), BOOT_1);
		snprintf(row.props.session, sizeof(row.props.session), "aa");
		snprintf(row.props.epoch, sizeof(row.props.epoch), "00112233445566ff");
		row.props.seq = ++f->seq;
		row.props.mono_ns = (int64_t)(told[i].mono_s * 1e9);
		row.props.sent_mono_ns = INT64_C(470) * 1000000000;
		assert_ok(journal_append(f->db, &row));
	}
	fold_all(f);
	get(f, &s);
	assert_string_equal(s.cause, "wan-link");
	assert_true(s.start_u >= 500);
	assert_true(
	    s.start_ms - s.start_u <= at(100.2) && at(100.2) <= s.start_ms + s.start_u);
	assert_true(s.end_ms - s.end_u <= at(400.7) && at(400.7) <= s.end_ms + s.end_u);
	assert_true(llabs(s.start_ms - at(100.2)) <= 2000);
}

static void another_boot_is_power(void **state)
{
	struct fixture *f = *state;
	struct said s;

	outage(f, 101, 404);
	pack(f, "e", BOOT_1, "aa", 2, change("y-ty-wan:gateway", "up", 1, 0, 0.01, ""));
	pack(f, "e", BOOT_1, "aa", 97, change("y-ty-wan", "up", 96, 0, 0.01, ""));
	fold_all(f);
	get(f, &s);
	assert_string_equal(s.cause, "unknown");
	pack(f, "e", BOOT_2, "bb", 405, change("y-ty-wan", "up", 404.5, 0, 0.1, ""));
	fold_all(f);
	get(f, &s);
	assert_string_equal(s.cause, "power");
	assert_int_equal(s.start_ms, -1);
	assert_string_equal(s.agent, "");
}

static int64_t server(struct fixture *f, const char *kind, double s)
{
	struct journal_row row = { .source = JOURNAL_SERVER,
		.kind = kind,
		.received_ms = at(s),
		.payload = "{}",
		.len = 2 };

	assert_ok(journal_append(f->db, &row));
	return row.id;
}

static void the_server_stood_still(void **state)
{
	struct fixture *f = *state;
	struct said s;

	outage(f, 101, 404);
	server(f, "beat", 90);
	server(f, "start", 160);
	/* Something that makes the outage be looked at. */
	pack(f, "e", BOOT_1, "aa", 500, change("y-ty-wan", "up", 1, 0, 0.01, ""));
	fold_all(f);
	get(f, &s);
	assert_string_equal(s.cause, "server");
}

static void blindness_is_the_servers(void **state)
{
	struct fixture *f = *state;
	struct said s;

	outage(f, 101, 404);
	pack(f, "core", BOOT_2, "cc", 99,
	    "\"n\":\"reach/core/blind\",\"vb\":true,\"t\":1795000095}");
	fold_all(f);
	get(f, &s);
	assert_string_equal(s.cause, "server");
}

static void refolding_gives_the_same(void **state)
{
	struct fixture *f = *state;
	struct said before, after;

	outage(f, 101, 404);
	tell_cut(f, 500);
	fold_all(f);
	get(f, &before);
	assert_ok(fold_correct.reset(f->db));
	assert_ok(db_exec(f->db, &table, FORGET, ""));
	fold_all(f);
	get(f, &after);
	assert_memory_equal(&before, &after, sizeof(before));
	/* A vantage's own view of the link is no edge's. */
	pack(f, "core", BOOT_2, "cc", 600, change("y-ty-wan", "down", 200, 3, 4, ""));
	fold_all(f);
	get(f, &after);
	assert_memory_equal(&before, &after, sizeof(before));
}

/* Behind the real fold of the links: it opens and closes, this one corrects. */
static void what_the_links_open_is_corrected(void **state)
{
	static const struct fold *const both[] = { &fold_anchor, &fold_presence,
		&fold_links, &fold_correct };
	struct fixture *f = *state;
	struct said s;

	pack(f, "core", BOOT_2, "cc", 2, change("y-ty-wan", "up", 1, 0, 0.01, ""));
	pack(f, "core", BOOT_2, "cc", 105,
	    change("y-ty-wan", "down", 104.6, 3.9, 4.9, ""));
	fold_by(f, both, HT_COUNT(both));
	get(f, &s);
	assert_string_equal(s.cause, "unknown");
	pack(f, "core", BOOT_2, "cc", 404, change("y-ty-wan", "up", 403.8, 303, 2.5, ""));
	fold_by(f, both, HT_COUNT(both));
	get(f, &s);
	int64_t start_ms = s.estimate_start_ms, end_ms = s.estimate_end_ms;
	assert_true(llabs(start_ms - at(100.2)) <= 2000);
	assert_true(llabs(end_ms - at(400.7)) <= 4000);
	tell_cut(f, 410);
	fold_by(f, both, HT_COUNT(both));
	get(f, &s);
	assert_string_equal(s.cause, "wan-link");
	assert_true(llabs(s.start_ms - at(100.2)) <= 1000);
	assert_true(llabs(s.end_ms - at(400.7)) <= 1000);
	assert_int_equal(s.estimate_start_ms, start_ms);
	assert_int_equal(s.estimate_end_ms, end_ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    late_record_corrects_both_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(more_rows_correct_again, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_free_clock_tells_its_doubt, setup, teardown),
		cmocka_unit_test_setup_teardown(another_boot_is_power, setup, teardown),
		cmocka_unit_test_setup_teardown(the_server_stood_still, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    blindness_is_the_servers, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    refolding_gives_the_same, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    what_the_links_open_is_corrected, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
