#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "server/derive/run.h"
#include "server/registry/clone.h"
#include "server/registry/fold.h"
#include "server/registry/import.h"
#include "server/store/journal.h"
#include "server/store/migrate.h"

#define NOW_MS INT64_C(1519887600000) /* 2018-03-01T07:00:00Z */
#define FP_A   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define FP_B   "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

enum {
	Q_DUMP_AGENCY,
	Q_DUMP_HEADCOUNT,
	Q_DUMP_LINK,
	Q_DUMP_AGENT,
	Q_DUMP_DECLARATION,
	Q_DUMP_CORRECTION,
	Q_DUMP_MAINTENANCE,
	Q_JOURNAL,
	Q_ASIDE_OPEN,
	Q_AGENT_FP
};
static const char *const queries[] = {
	[Q_DUMP_AGENCY] = "SELECT * FROM agency ORDER BY 1",
	[Q_DUMP_HEADCOUNT] = "SELECT * FROM headcount ORDER BY 1, 2",
	[Q_DUMP_LINK] = "SELECT * FROM link ORDER BY 1",
	[Q_DUMP_AGENT] = "SELECT * FROM agent ORDER BY 1",
	[Q_DUMP_DECLARATION] = "SELECT * FROM declaration ORDER BY 1, 2",
	[Q_DUMP_CORRECTION] = "SELECT * FROM machine_correction ORDER BY 1, 2",
	[Q_DUMP_MAINTENANCE] = "SELECT * FROM maintenance ORDER BY 1",
	[Q_JOURNAL] = "SELECT count(*) FROM journal",
	[Q_ASIDE_OPEN] = "SELECT count(*) FROM journal_aside WHERE decided_ms IS NULL",
	[Q_AGENT_FP] = "SELECT fingerprint FROM agent WHERE id = $1",
};
static const struct db_sql query = { "test", queries, HT_COUNT(queries) };

static const struct operator_by by = { "anh.nguyen", NOW_MS, VERB_UNSET };
static char file[64];

static int open_db(void **state)
{
	struct db *db;

	snprintf(file, sizeof(file), "/tmp/hatang-registry-%d.db", (int)getpid());
	if (db_open(file, false, &db, NULL) || migrate(db, NULL, NULL))
		return -1;
	*state = db;
	return 0;
}

static int close_db(void **state)
{
	char beside[80];

	db_close(*state);
	unlink(file);
	snprintf(beside, sizeof(beside), "%s-wal", file);
	unlink(beside);
	snprintf(beside, sizeof(beside), "%s-shm", file);
	unlink(beside);
	return 0;
}

static int64_t number(struct db *db, int id)
{
	struct db_rows *rows = db_start(db, &query, id, "");

	assert_ok(db_next(rows));
	int64_t n = db_int(rows, 0);
	db_done(rows);
	return n;
}

/* Every table of the registry as one text. */
static char *dump(struct db *db)
{
	struct ht_buf text;

	ht_buf_init(&text, 1 << 20);
	for (int id = Q_DUMP_AGENCY; id <= Q_DUMP_MAINTENANCE; id++) {
		struct db_rows *rows = db_start(db, &query, id, "");
		while (db_next(rows) == HT_OK) {
			for (int i = 0; i < db_columns(rows); i++)
				ht_buf_printf(&text, "%s|",
				    db_is_null(rows, i) ? "-" : db_text(rows, i));
			ht_buf_puts(&text, "\n");
		}
		db_done(rows);
	}
	return ht_buf_steal(&text);
}

static ht_err import_bytes(struct db *db, const char *bytes, size_t len,
    struct import_options options, struct import_report *report)
{
	assert_ok(db_begin(db));
	ht_err err = import_csv(db, &by, &options, bytes, len, report);
	if (err) {
		db_rollback(db);
		return err;
	}
	assert_ok(db_commit(db));
	assert_ok(run_to_end(db));
	return HT_OK;
}

static ht_err import_file(struct db *db, const char *name, struct import_options options,
    struct import_report *report)
{
	char path[128];
	char *bytes;
	size_t len;

	snprintf(path, sizeof(path), "data/registry/%s", name);
	assert_ok(ht_file_read(path, 1 << 20, &bytes, &len, NULL));
	ht_err err = import_bytes(db, bytes, len, options, report);
	free(bytes);
	return err;
}

static void import_good(struct db *db, const char *name)
{
	struct import_report report;

	assert_ok(import_file(db, name, (struct import_options){ 0 }, &report));
	assert_int_equal(report.n_problems, 0);
	import_report_fini(&report);
}

#define assert_count(c, a, ch, u, nif)                  \
	do {                                            \
		assert_int_equal((c).added, a);         \
		assert_int_equal((c).changed, ch);      \
		assert_int_equal((c).unchanged, u);     \
		assert_int_equal((c).not_in_file, nif); \
	} while (0)

static void a_district_is_imported_and_again_changes_nothing(void **state)
{
	struct db *db = *state;
	struct import_report report;

	assert_ok(import_file(
	    db, "district.csv", (struct import_options){ .dry_run = true }, &report));
	assert_count(report.agencies, 6, 0, 0, 0);
	assert_count(report.headcounts, 6, 0, 0, 0);
	assert_count(report.links, 6, 0, 0, 0);
	assert_false(report.applied);
	import_report_fini(&report);
	assert_int_equal(number(db, Q_JOURNAL), 0);

	import_good(db, "district.csv");
	assert_int_equal(number(db, Q_JOURNAL), 18);
	assert_ok(import_file(db, "district.csv", (struct import_options){ 0 }, &report));
	assert_count(report.agencies, 0, 0, 6, 0);
	assert_count(report.links, 0, 0, 6, 0);
	assert_false(report.applied);
	import_report_fini(&report);
	assert_int_equal(number(db, Q_JOURNAL), 18);

	assert_ok(import_file(db, "links.csv", (struct import_options){ 0 }, &report));
	assert_count(report.agencies, 0, 0, 0, 0);
	assert_count(report.links, 2, 0, 0, 6);
	import_report_fini(&report);
}

static void an_import_waits_for_the_one_before(void **state)
{
	static const char text[] = "id,name,level\na,A,province\n";
	struct db *db = *state;
	struct import_report report;
	struct import_options options = { 0 };

	assert_ok(db_begin(db));
	assert_ok(import_csv(db, &by, &options, text, sizeof(text) - 1, &report));
	import_report_fini(&report);
	assert_int_equal(
	    import_csv(db, &by, &options, text, sizeof(text) - 1, &report), HT_INVALID);
	assert_non_null(strstr(report.problems[0].text, "try again"));
	import_report_fini(&report);
	assert_ok(db_commit(db));
	assert_ok(run_to_end(db));
	assert_ok(import_bytes(db, text, sizeof(text) - 1, options, &report));
	assert_int_equal(report.agencies.unchanged, 1);
	import_report_fini(&report);
}

static void a_vietnamese_spreadsheet_says_the_same(void **state)
{
	struct db *db = *state;
	struct import_report report;

	import_good(db, "district.csv");
	assert_ok(
	    import_file(db, "district.vi.csv", (struct import_options){ 0 }, &report));
	assert_int_equal(report.rows, 3);
	assert_count(report.agencies, 0, 0, 3, 3);
	assert_count(report.headcounts, 0, 0, 3, 0);
	assert_count(report.links, 0, 0, 3, 3);
	import_report_fini(&report);
}

static const struct import_problem *problem_at(
    const struct import_report *r, int line, const char *column)
{
	for (size_t i = 0; i < r->n_problems; i++)
		if (r->problems[i].line == line &&
		    strcmp(r->problems[i].column, column) == 0)
			return &r->problems[i];
	fail_msg("no problem on line %d column \"%s\"", line, column);
	return NULL;
}

static void every_bad_row_is_told_at_once_and_nothing_is_done(void **state)
{
	static const struct {
		int line;
		const char *column, *says;
	} want[] = {
		{ 3, "id", "is no id" },
		{ 4, "parent", "no agency \"lao-cay\"" },
		{ 5, "level", "province, district, commune" },
		{ 5, "servants", "negative" },
		{ 6, "servants_as_of", "is no day" },
		{ 6, "latitude", "swapped" },
		{ 6, "kind", "government-wan" },
		{ 6, "contracted_down", "10M" },
		{ 7, "id", "on line 6 already" },
		{ 8, "parent", "below itself" },
		{ 9, "parent", "(line 10) is bad" },
		{ 10, "servants_as_of", "future" },
		{ 12, "", "closing quote" },
	};
	struct db *db = *state;
	struct import_report report;
	struct ht_buf json;

	assert_int_equal(
	    import_file(db, "bad.csv", (struct import_options){ 0 }, &report),
	    HT_INVALID);
	for (size_t i = 0; i < HT_COUNT(want); i++) {
		const struct import_problem *p =
		    problem_at(&report, want[i].line, want[i].column);
		if (!strstr(p->text, want[i].says))
			fail_msg("line %d %s: \"%s\"", p->line, p->column, p->text);
	}
	assert_int_equal(report.bad_rows, 9);
	assert_int_equal(report.rows, 11);
	assert_false(report.applied);
	assert_int_equal(number(db, Q_JOURNAL), 0);
	ht_buf_init(&json, 65536);
	assert_ok(import_report_json(&report, &json));
	assert_non_null(strstr(ht_buf_text(&json),
	    "{\"line\":7,\"column\":\"id\",\"problem\":\"\\\"bac-ha\\\" "));
	ht_buf_fini(&json);
	import_report_fini(&report);
}

static void bad_rows_can_be_skipped(void **state)
{
	struct db *db = *state;
	struct import_report report;

	assert_ok(import_file(
	    db, "bad.csv", (struct import_options){ .skip_bad = true }, &report));
	assert_count(report.agencies, 2, 0, 0, 0);
	assert_count(report.links, 1, 0, 0, 0);
	assert_true(report.applied);
	import_report_fini(&report);
}

static void a_bad_header_takes_nothing_even_when_skipping(void **state)
{
	static const char text[] = "id,name,level,servnts\na,A,province,3\n";
	struct db *db = *state;
	struct import_report report;

	assert_int_equal(import_bytes(db, text, sizeof(text) - 1,
			     (struct import_options){ .skip_bad = true }, &report),
	    HT_INVALID);
	assert_non_null(
	    strstr(problem_at(&report, 1, "")->text, "\"servnts\" is not known"));
	import_report_fini(&report);
	assert_int_equal(
	    import_bytes(db, "", 0, (struct import_options){ .skip_bad = true }, &report),
	    HT_INVALID);
	import_report_fini(&report);
}

static void an_absent_column_leaves_and_an_empty_cell_empties(void **state)
{
	static const char absent[] =
	    "id,name,level,parent\nbat-xat,UBND Bát Xát,district,lao-cai\n";
	static const char empty[] = "id,name,level,parent,latitude,longitude\n"
				    "bat-xat,UBND Bát Xát,district,lao-cai,,\n";
	struct db *db = *state;
	struct import_report report;

	import_good(db, "district.csv");
	assert_ok(import_bytes(
	    db, absent, sizeof(absent) - 1, (struct import_options){ 0 }, &report));
	assert_count(report.agencies, 0, 1, 0, 5);
	import_report_fini(&report);
	char *text = dump(db);
	assert_non_null(strstr(
	    text, "bat-xat|UBND Bát Xát|district|agency|lao-cai|22.5372|103.8923|"));
	free(text);
	assert_ok(import_bytes(
	    db, empty, sizeof(empty) - 1, (struct import_options){ 0 }, &report));
	import_report_fini(&report);
	text = dump(db);
	assert_non_null(
	    strstr(text, "bat-xat|UBND Bát Xát|district|agency|lao-cai|-|-|"));
	free(text);
}

static void file_and_registry_must_hold_together(void **state)
{
	static const char circle[] = "id,name,level,parent\nbat-xat,X,district,a-lu\n";
	static const char raised[] = "id,name,level,parent\nbat-xat,X,commune,lao-cai\n";
	static const char stolen[] = "link_id,agency,kind\na-lu-net,y-ty,internet\n";
	static const char knot[] = "link_id,agency,kind,parents\nlao-cai-wan,lao-cai,"
				   "province-wan,muong-vi-wan\n";
	struct db *db = *state;
	struct import_report report;

	import_good(db, "district.csv");
	assert_int_equal(import_bytes(db, circle, sizeof(circle) - 1,
			     (struct import_options){ 0 }, &report),
	    HT_INVALID);
	assert_non_null(strstr(problem_at(&report, 2, "parent")->text, "below itself"));
	import_report_fini(&report);
	assert_int_equal(import_bytes(db, raised, sizeof(raised) - 1,
			     (struct import_options){ 0 }, &report),
	    HT_INVALID);
	assert_non_null(strstr(problem_at(&report, 2, "level")->text, "stands below it"));
	import_report_fini(&report);
	assert_int_equal(import_bytes(db, stolen, sizeof(stolen) - 1,
			     (struct import_options){ 0 }, &report),
	    HT_INVALID);
	assert_non_null(strstr(
	    problem_at(&report, 2, "link_id")->text, "belongs to agency \"a-lu\""));
	import_report_fini(&report);
	assert_int_equal(import_bytes(db, knot, sizeof(knot) - 1,
			     (struct import_options){ 0 }, &report),
	    HT_INVALID);
	assert_non_null(
	    strstr(problem_at(&report, 2, "parents")->text, "hang on itself"));
	import_report_fini(&report);
}

/* ── operators ────────────────────────────────────────────────────────────────────── */

static ht_err say(
    struct db *db, enum verb_id verb, const char *json, struct ht_fault *fault)
{
	assert_ok(db_begin(db));
	ht_err err = operator_json(db, &by, verb, json, strlen(json), fault);
	if (err) {
		db_rollback(db);
		return err;
	}
	assert_ok(db_commit(db));
	assert_ok(run_to_end(db));
	return HT_OK;
}

static void edits_are_checked(void **state)
{
	static const struct {
		enum verb_id verb;
		const char *json;
		ht_err err;
		const char *says;
	} cases[] = {
		{ VERB_AGENCY_PUT,
		    "{\"data\":{\"id\":\"x\",\"name\":\"X\",\"level\":\"commune\","
		    "\"parent\":\"a-lu\"}}",
		    HT_INVALID, "cannot stand below" },
		{ VERB_AGENCY_PUT,
		    "{\"data\":{\"id\":\"bat-xat\",\"name\":\"X\",\"level\":\"district\","
		    "\"parent\":\"bat-xat\"}}",
		    HT_INVALID, "below \"bat-xat\" itself" },
		{ VERB_AGENCY_PUT,
		    "{\"data\":{\"id\":\"x\",\"name\":\"X\",\"level\":\"commune\","
		    "\"colour\":1}}",
		    HT_INVALID, "no field \"colour\"" },
		{ VERB_AGENCY_PUT,
		    "{\"data\":{\"id\":\"x\",\"name\":7,\"level\":\"commune\"}}",
		    HT_MALFORMED, "name" },
		{ VERB_AGENCY_PUT, "[]", HT_MALFORMED, "data" },
		{ VERB_AGENCY_PUT, "{\"data\":", HT_MALFORMED, "not JSON" },
		{ VERB_AGENCY_PUT,
		    "{\"effective_from\":\"2030-01-01\",\"data\":{\"id\":\"x\",\"name\":"
		    "\"X\","
		    "\"level\":\"province\"}}",
		    HT_INVALID, "future" },
		{ VERB_AGENCY_REMOVE, "{\"data\":{\"id\":\"bat-xat\"}}", HT_INVALID,
		    "an agency below it" },
		{ VERB_AGENCY_REMOVE, "{\"data\":{\"id\":\"nowhere\"}}", HT_NOTFOUND,
		    "no agency" },
		{ VERB_HEADCOUNT_PUT,
		    "{\"data\":{\"agency\":\"a-lu\",\"as_of\":\"2018-01-01\","
		    "\"servants\":-1}}",
		    HT_INVALID, "servants must be from 0" },
		{ VERB_LINK_PUT,
		    "{\"data\":{\"id\":\"l\",\"agency\":\"a-lu\",\"role\":\"primary\","
		    "\"kind\":"
		    "\"internet\",\"parents\":\"nothing\"}}",
		    HT_INVALID, "no link \"nothing\"" },
		{ VERB_LINK_PUT,
		    "{\"data\":{\"id\":\"l\",\"agency\":\"a-lu\",\"role\":\"primary\","
		    "\"kind\":"
		    "\"wan\"}}",
		    HT_INVALID, "province-wan, government-wan, internet" },
		{ VERB_AGENT_APPROVE_CONFIG,
		    "{\"data\":{\"id\":\"none\",\"config\":\"probes: []\"}}", HT_NOTFOUND,
		    "no agent" },
		{ VERB_AGENT_APPROVE_CONFIG,
		    "{\"data\":{\"id\":\"none\",\"config\":\"mqtt: {host: evil}\"}}",
		    HT_INVALID, "only site and probes" },
		{ VERB_AGENT_ENROLL, "{\"data\":{}}", HT_DENIED, "directly" },
		{ VERB_MAINTENANCE_PUT,
		    "{\"data\":{\"id\":\"m1\",\"scope\":\"link\",\"subject\":\"bat-xat-"
		    "wan\",\"from_ms\":2000,\"to_ms\":2000,\"reason\":\"x\"}}",
		    HT_INVALID, "ends before it begins" },
		{ VERB_MAINTENANCE_PUT,
		    "{\"data\":{\"id\":\"m1\",\"scope\":\"link\",\"subject\":\"nowhere\","
		    "\"from_ms\":1000,\"to_ms\":2000,\"reason\":\"x\"}}",
		    HT_INVALID, "no link \"nowhere\"" },
		{ VERB_MAINTENANCE_PUT,
		    "{\"data\":{\"id\":\"m1\",\"scope\":\"provider\",\"subject\":"
		    "\"VNPTT\""
		    ",\"from_ms\":1000,\"to_ms\":2000,\"reason\":\"x\"}}",
		    HT_INVALID, "no provider \"VNPTT\"" },
		{ VERB_MAINTENANCE_PUT,
		    "{\"data\":{\"id\":\"m1\",\"scope\":\"agency\",\"from_ms\":1000,"
		    "\"to_ms\":2000,\"reason\":\"x\"}}",
		    HT_INVALID, "subject is missing: say which agency" },
		{ VERB_MAINTENANCE_PUT,
		    "{\"data\":{\"id\":\"m1\",\"scope\":\"all\",\"subject\":\"x\",\"from_"
		    "ms\":1000,\"to_ms\":2000,\"reason\":\"x\"}}",
		    HT_INVALID, "takes no subject" },
		{ VERB_MAINTENANCE_PUT,
		    "{\"data\":{\"id\":\"m1\",\"scope\":\"all\",\"from_ms\":1000,\"to_"
		    "ms\":"
		    "99999999999,\"reason\":\"x\"}}",
		    HT_INVALID, "longer than a year" },
		{ VERB_MAINTENANCE_PUT,
		    "{\"data\":{\"id\":\"m1\",\"scope\":\"all\",\"from_ms\":1000,\"to_"
		    "ms\":"
		    "2000}}",
		    HT_INVALID, "reason is missing" },
		{ VERB_MAINTENANCE_REMOVE, "{\"data\":{\"id\":\"m1\"}}", HT_NOTFOUND,
		    "no maintenance \"m1\"" },
		{ VERB_OUTAGE_NOTE,
		    "{\"data\":{\"id\":\"l-20260101T000000Z\",\"ticket\":\"T\"}}",
		    HT_NOTFOUND, "no outage" },
	};
	struct db *db = *state;

	import_good(db, "district.csv");
	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct ht_fault fault = { 0 };
		assert_int_equal(
		    say(db, cases[i].verb, cases[i].json, &fault), cases[i].err);
		if (!strstr(fault.text, cases[i].says))
			fail_msg("case %zu: \"%s\"", i, fault.text);
	}
	assert_int_equal(number(db, Q_JOURNAL), 18);
}

static void fill(struct db *db)
{
	static const struct {
		enum verb_id verb;
		const char *json;
	} edits[] = {
		{ VERB_HEADCOUNT_PUT, "{\"data\":{\"agency\":\"a-lu\",\"as_of\":\"2017-"
				      "12-31\",\"servants\":0}}" },
		{ VERB_LINK_PUT, "{\"data\":{\"id\":\"a-lu-sat\",\"agency\":\"a-lu\","
				 "\"role\":\"backup\",\"kind\":"
				 "\"internet\",\"parents\":\"(a-lu-net OR y-ty-net) and "
				 "bat-xat-wan\"}}" },
		{ VERB_LINK_REMOVE, "{\"data\":{\"id\":\"y-ty-net\"}}" },
		{ VERB_AGENT_PUT, "{\"data\":{\"id\":\"core-1\",\"agency\":\"lao-cai\","
				  "\"vantage\":true}}" },
		{ VERB_AGENT_APPROVE_CONFIG,
		    "{\"data\":{\"id\":\"core-1\",\"config\":\"probes: []\\n\"}}" },
		{ VERB_DECLARATION_PUT, "{\"effective_from\":\"2018-02-01\",\"data\":{"
					"\"agency\":\"a-lu\",\"solution\":"
					"\"firewall\",\"answer\":\"yes\",\"document\":"
					"\"12/QĐ\",\"expires\":\"2019-02-01\"}}" },
		{ VERB_MACHINE_CORRECT, "{\"data\":{\"agency\":\"a-lu\",\"machine\":"
					"\"m1\",\"class\":\"printer\"}}" },
		{ VERB_AGENT_REVOKE,
		    "{\"data\":{\"id\":\"core-1\",\"reason\":\"stolen\"}}" },
		{ VERB_MAINTENANCE_PUT,
		    "{\"data\":{\"id\":\"m1\",\"scope\":\"link\",\"subject\":\"bat-xat-"
		    "wan\",\"from_ms\":1000,\"to_ms\":2000,\"reason\":\"thay cáp\"}}" },
		{ VERB_MAINTENANCE_PUT,
		    "{\"data\":{\"id\":\"m1\",\"scope\":\"link\",\"subject\":\"bat-xat-"
		    "wan\",\"from_ms\":1000,\"to_ms\":3000,\"reason\":\"thay cáp\"}}" },
		{ VERB_MAINTENANCE_PUT, "{\"data\":{\"id\":\"m2\",\"scope\":\"all\","
					"\"from_ms\":1,\"to_ms\":2,"
					"\"reason\":\"x\"}}" },
		{ VERB_MAINTENANCE_REMOVE, "{\"data\":{\"id\":\"m2\"}}" },
	};

	import_good(db, "district.csv");
	for (size_t i = 0; i < HT_COUNT(edits); i++) {
		struct ht_fault fault = { 0 };
		if (say(db, edits[i].verb, edits[i].json, &fault))
			fail_msg("edit %zu: %s", i, fault.text);
	}
}

static void refolding_gives_the_same_tables(void **state)
{
	struct db *db = *state;

	fill(db);
	char *before = dump(db);
	assert_non_null(
	    strstr(before, "a-lu|firewall|yes|12/QĐ|-|1517443200000|1548979200000|"));
	assert_non_null(strstr(before,
	    "core-1|lao-cai|1|-|-|1519887600000|probes: []\n|"
	    "dba782f536dd251496257cb7a60f2f3b9ed11c2555a43838d12e55e51040655d|"));
	assert_null(strstr(before, "y-ty-net|y-ty|"));
	/* The last word counts; what was removed is kept, with who and when. */
	assert_non_null(
	    strstr(before, "m1|link|bat-xat-wan|1000|3000|thay cáp|anh.nguyen|"
			   "1519887600000|-|"));
	assert_non_null(
	    strstr(before, "m2|all||1|2|x|anh.nguyen|1519887600000|1519887600000|"));
	assert_ok(run_forget(db, "registry"));
	char *empty = dump(db);
	assert_string_equal(empty ? empty : "", "");
	assert_ok(run_to_end(db));
	char *after = dump(db);
	assert_string_equal(before, after);
	free(before);
	free(empty);
	free(after);
}

/* ── clones ───────────────────────────────────────────────────────────────────────── */

static void put_agent(struct db *db)
{
	struct verb_enroll e = { "bat-xat-1", "bat-xat", FP_A, "00", "t" };

	import_good(db, "district.csv");
	assert_ok(db_begin(db));
	assert_ok(operator_append(db, &by, VERB_AGENT_ENROLL, &e, "bat-xat-1", NULL));
	assert_ok(db_commit(db));
	assert_ok(run_to_end(db));
}

static void put_aside(struct db *db, const char *fingerprint, int64_t seq)
{
	struct journal_row row = { .source = JOURNAL_AGENT,
		.kind = "data",
		.agent = "bat-xat-1",
		.lane = JOURNAL_HIST,
		.content_type = "application/senml+json",
		.received_ms = NOW_MS + seq,
		.payload = "[]",
		.len = 2,
		.props = { .has = PROPS_EPOCH | PROPS_SEQ,
		    .epoch = "0123456789abcdef",
		    .seq = seq } };

	assert_ok(db_begin(db));
	assert_ok(journal_aside(db, &row, fingerprint));
	assert_ok(db_commit(db));
}

static void count_group(void *arg, const struct clone_group *g)
{
	int *packs = arg;

	assert_string_equal(g->agent, "bat-xat-1");
	assert_string_equal(g->owner, FP_A);
	*packs += (int)g->n_packs;
}

static void the_chosen_clone_owns_the_id_and_its_rows_count(void **state)
{
	struct db *db = *state;
	struct ht_fault fault;
	int packs = 0;

	put_agent(db);
	put_aside(db, FP_B, 1);
	put_aside(db, FP_B, 2);
	assert_ok(clone_list(db, count_group, &packs));
	assert_int_equal(packs, 2);
	assert_ok(db_begin(db));
	assert_int_equal(clone_decide(db, &by, "bat-xat-1", "cc", &fault), HT_INVALID);
	assert_int_equal(clone_decide(db, &by, "nobody", FP_B, &fault), HT_NOTFOUND);
	db_rollback(db);

	int64_t before = number(db, Q_JOURNAL);
	assert_ok(db_begin(db));
	assert_ok(clone_decide(db, &by, "bat-xat-1", FP_B, &fault));
	assert_ok(db_commit(db));
	assert_ok(run_to_end(db));
	assert_int_equal(number(db, Q_JOURNAL), before + 3); /* the claim and two packs */
	assert_int_equal(number(db, Q_ASIDE_OPEN), 0);
	struct db_rows *rows = db_start(db, &query, Q_AGENT_FP, "s", "bat-xat-1");
	assert_ok(db_next(rows));
	assert_string_equal(db_text(rows, 0), FP_B);
	db_done(rows);
}

static void when_the_owner_stays_the_rows_stay_aside(void **state)
{
	struct db *db = *state;

	put_agent(db);
	put_aside(db, FP_B, 1);
	int64_t before = number(db, Q_JOURNAL);
	assert_ok(db_begin(db));
	assert_ok(clone_decide(db, &by, "bat-xat-1", FP_A, NULL));
	assert_ok(db_commit(db));
	assert_int_equal(number(db, Q_JOURNAL), before + 1);
	assert_int_equal(number(db, Q_ASIDE_OPEN), 0);
}

#define test(f) cmocka_unit_test_setup_teardown(f, open_db, close_db)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(a_district_is_imported_and_again_changes_nothing),
		test(an_import_waits_for_the_one_before),
		test(a_vietnamese_spreadsheet_says_the_same),
		test(every_bad_row_is_told_at_once_and_nothing_is_done),
		test(bad_rows_can_be_skipped),
		test(a_bad_header_takes_nothing_even_when_skipping),
		test(an_absent_column_leaves_and_an_empty_cell_empties),
		test(file_and_registry_must_hold_together),
		test(edits_are_checked),
		test(refolding_gives_the_same_tables),
		test(the_chosen_clone_owns_the_id_and_its_rows_count),
		test(when_the_owner_stays_the_rows_stay_aside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
