/* A scripted journal (what people entered, what agents sent) goes through the real folds
 * into a real store; the index values are read back. */
#include "unit/test.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>

#include "base/clock.h"
#include "server/derive/run.h"
#include "server/score/score.h"
#include "server/store/journal.h"
#include "unit/server/store/store_test.h"

#define T0                                                                             \
	INT64_C(1519862400000) /* 2018-03-01T00:00:00Z, a Thursday; 07:00 in Hà Nội \
				*/
#define MINUTE INT64_C(60000)
#define HOUR   (60 * MINUTE)

struct world {
	struct test_store store;
	struct db *db;
	int64_t now_ms;
};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	test_store_init(&w->store);
	w->db = test_store_open(&w->store);
	w->now_ms = T0;
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	db_close(w->db);
	test_store_fini(&w->store);
	free(w);
	return 0;
}

static int64_t append(struct world *w, struct journal_row *row)
{
	row->received_ms = w->now_ms;
	assert_ok(db_begin(w->db));
	assert_ok(journal_append(w->db, row));
	assert_ok(db_commit(w->db));
	return row->id;
}

/* A person's edit. `data` is the JSON object of its fields. */
static int64_t edit(struct world *w, const char *verb, const char *data)
{
	char at[HT_RFC3339_LEN + 1], payload[2048];

	ht_rfc3339(w->now_ms, at);
	int n = snprintf(payload, sizeof(payload),
	    "{\"effective_from\":\"%s\",\"data\":%s}", at, data);
	struct journal_row row = { .source = JOURNAL_OPERATOR,
		.kind = verb,
		.actor = "an",
		.payload = payload,
		.len = (size_t)n };
	return append(w, &row);
}

/* A pack of an agent: `records` is what stands between the brackets after the base
 * record. */
static int64_t pack(struct world *w, const char *agent, const char *records)
{
	static char payload[65536];
	int n = snprintf(payload, sizeof(payload),
	    "[{\"bn\":\"%s/\",\"bt\":%" PRId64 ".%03d,%s]", agent, w->now_ms / 1000,
	    (int)(w->now_ms % 1000), records + 1);

	assert_true(n > 0 && (size_t)n < sizeof(payload));
	struct journal_row row = { .source = JOURNAL_AGENT,
		.kind = "data",
		.agent = agent,
		.lane = JOURNAL_DATA,
		.content_type = SENML_JSON_TYPE,
		.payload = payload,
		.len = (size_t)n };
	return append(w, &row);
}

static void beat(struct world *w)
{
	struct journal_row row = {
		.source = JOURNAL_SERVER, .kind = "beat", .payload = "{}", .len = 2
	};

	append(w, &row);
}

static void presence(struct world *w, const char *agent, const char *what)
{
	char payload[512];
	int n = snprintf(payload, sizeof(payload),
	    "{\"state\":\"%s\",\"session\":\"00112233445566aa\","
	    "\"boot\":\"11111111-2222-3333-4444-555555555555\",\"mono\":1000.5,\"wall\":"
	    "%" PRId64 ".0,\"synchronised\":true,\"fingerprint\":"
	    "\"0000000000000000000000000000000000000000000000000000000000000000\","
	    "\"version\":\"0.1.0\",\"epoch\":\"00112233445566bb\",\"config\":\"\"}",
	    what, w->now_ms / 1000);
	struct journal_row row = { .source = JOURNAL_SERVER,
		.kind = "presence",
		.agent = agent,
		.payload = payload,
		.len = (size_t)n };

	append(w, &row);
}

static void ping(struct world *w, const char *agent, const char *link, int received)
{
	char r[600];

	snprintf(r, sizeof(r),
	    "{\"n\":\"icmp/%s/status\",\"vs\":\"%s\"},{\"n\":\"icmp/%s/"
	    "sent\",\"u\":\"count\",\"v\":5},"
	    "{\"n\":\"icmp/%s/received\",\"u\":\"count\",\"v\":%d},{\"n\":\"icmp/%s/"
	    "loss\",\"u\":\"/\",\"v\":%g}",
	    link, received ? "ok" : "timeout", link, link, received, link,
	    (5 - received) / 5.0);
	pack(w, agent, r);
}

/* One scan of the subnet that sees `n` Windows PCs. */
static void scan(struct world *w, const char *agent, int n, int probed)
{
	char r[32768];
	int len = snprintf(r, sizeof(r),
	    "{\"n\":\"lan/lan/status\",\"vs\":\"ok\"},{\"n\":\"lan/lan/"
	    "subnet\",\"vs\":\"10.1.0.0/24\"},"
	    "{\"n\":\"lan/lan/targets\",\"u\":\"count\",\"v\":254},{\"n\":\"lan/lan/"
	    "probed\",\"u\":\"count\",\"v\":%d}",
	    probed);

	for (int i = 0; i < n; i++)
		len += snprintf(r + len, sizeof(r) - (size_t)len,
		    ",{\"n\":\"mac/f8:b1:56:00:00:%02x/seen_by\",\"vs\":\"arp-scan\"},"
		    "{\"n\":\"mac/f8:b1:56:00:00:%02x/dhcp_class\",\"vs\":\"MSFT 5.0\"}",
		    i, i);
	pack(w, agent, r);
}

static void fold(struct world *w)
{
	assert_ok(run_to_end(w->db));
}

/* One row of index_value. */
struct got {
	char status[16], source[16], reason[400], cure[400];
	double value, low, high, numerator, denominator, coverage;
	char *explain;
	int64_t evidence;
};

static struct got get(struct world *w, const char *indicator, const char *scope, int own)
{
	static const char *const sql[] = {
		"SELECT status, source, reason, cure, value, low, high, numerator, "
		"denominator, coverage,"
		" explain, json_array_length(evidence) FROM index_value"
		" WHERE indicator = $1 AND scope = $2 AND own = $3"
	};
	static const struct db_sql table = { "test", sql, 1 };
	struct db_rows *r =
	    db_start(w->db, &table, 0, "ssi", indicator, scope, (int64_t)own);
	struct got g;

	if (db_next(r))
		fail_msg("no value of %s for %s", indicator, scope);
	snprintf(g.status, sizeof(g.status), "%s", db_text(r, 0));
	snprintf(g.source, sizeof(g.source), "%s", db_text(r, 1));
	snprintf(g.reason, sizeof(g.reason), "%s", db_text(r, 2));
	snprintf(g.cure, sizeof(g.cure), "%s", db_text(r, 3));
	g.value = db_double(r, 4);
	g.low = db_double(r, 5);
	g.high = db_double(r, 6);
	g.numerator = db_double(r, 7);
	g.denominator = db_double(r, 8);
	g.coverage = db_double(r, 9);
	g.evidence = db_int(r, 11);
	db_done(r);
	return g;
}

static void near(double got, double want)
{
	if (!(fabs(got - want) <= 1e-9 * fmax(1, fabs(want))))
		fail_msg("got %.12g, want %.12g", got, want);
}

static void is(const struct got *g, const char *status, double numerator,
    double denominator, double coverage)
{
	assert_string_equal(g->status, status);
	near(g->numerator, numerator);
	near(g->denominator, denominator);
	near(g->value, numerator / denominator);
	near(g->coverage, coverage);
	assert_true(strcmp(status, "known") == 0 ? !g->reason[0] : g->reason[0] != '\0');
}

static void is_unknown(const struct got *g, const char *reason)
{
	assert_string_equal(g->status, "unknown");
	assert_true(isnan(g->value));
	if (!strstr(g->reason, reason))
		fail_msg("reason '%s' does not say '%s'", g->reason, reason);
	assert_true(g->cure[0] != '\0');
}

/* A district that only groups, a commune with an agent, one that the core's vantage
 * measures, one of which nothing is known. */
static void build(struct world *w)
{
	edit(w, "agency.put",
	    "{\"id\":\"tinh\",\"name\":\"Tỉnh\",\"level\":\"province\"}");
	edit(w, "agency.put",
	    "{\"id\":\"huyen\",\"name\":\"Huyện\",\"level\":\"district\",\"parent\":"
	    "\"tinh\"}");
	edit(w, "agency.put",
	    "{\"id\":\"xa-a\",\"name\":\"Xã "
	    "A\",\"level\":\"commune\",\"parent\":\"huyen\"}");
	edit(w, "agency.put",
	    "{\"id\":\"xa-b\",\"name\":\"Xã "
	    "B\",\"level\":\"commune\",\"parent\":\"huyen\"}");
	edit(w, "agency.put",
	    "{\"id\":\"xa-c\",\"name\":\"Xã "
	    "C\",\"level\":\"commune\",\"parent\":\"huyen\"}");
	edit(w, "headcount.put",
	    "{\"agency\":\"xa-a\",\"as_of\":\"2018-01-01T00:00:00.000Z\",\"servants\":"
	    "20}");
	edit(w, "headcount.put",
	    "{\"agency\":\"xa-b\",\"as_of\":\"2018-01-01T00:00:00.000Z\",\"servants\":"
	    "10}");
	edit(w, "link.put",
	    "{\"id\":\"a-wan\",\"agency\":\"xa-a\",\"role\":\"primary\",\"kind\":"
	    "\"province-wan\","
	    "\"line_type\":\"ftth\",\"contracted_down_bps\":20000000,\"contracted_up_"
	    "bps\":10000000}");
	edit(w, "link.put",
	    "{\"id\":\"b-wan\",\"agency\":\"xa-b\",\"role\":\"primary\",\"kind\":"
	    "\"province-wan\","
	    "\"line_type\":\"xdsl\",\"contracted_down_bps\":10000000,\"contracted_up_"
	    "bps\":5000000}");
	edit(
	    w, "agent.put", "{\"id\":\"agent-a\",\"agency\":\"xa-a\",\"vantage\":false}");
	edit(w, "agent.put", "{\"id\":\"core\",\"agency\":\"tinh\",\"vantage\":true}");
}

/* Nothing measured: everything is unknown, with a reason and a cure, and nothing is 0. */
static void test_nothing_measured(void **state)
{
	struct world *w = *state;

	build(w);
	fold(w);
	struct got g = get(w, "computers", "xa-a", 1);
	is_unknown(&g, "scanned no subnet");
	g = get(w, "computers", "xa-b", 1);
	is_unknown(&g, "no agent measures");
	g = get(w, "wan", "xa-a", 1);
	is_unknown(&g, "nothing has measured");
	g = get(w, "wan", "xa-c", 1);
	is_unknown(&g, "no link");
	g = get(w, "security", "xa-a", 1);
	is_unknown(&g, "no solution");
	g = get(w, "bandwidth", "xa-a", 1);
	is(&g, "known", 20e6, 20, 1);
	assert_string_equal(g.source, "declared");
	g = get(w, "computers", "huyen", 0);
	is_unknown(&g, "0 of 3 agencies");
	g = get(w, "wan", "huyen", 1);
	is_unknown(&g, "only groups");
}

static void measure(struct world *w)
{
	for (int i = 0; i < 3; i++) {
		w->now_ms += MINUTE;
		ping(w, "agent-a", "a-wan", 5);
		ping(w, "core", "b-wan", 5);
	}
	scan(w, "agent-a", 12, 254);
	pack(w, "agent-a",
	    "{\"n\":\"posture/packet-filter/answer\",\"vs\":\"yes\"},"
	    "{\"n\":\"posture/packet-filter/evidence\",\"vs\":\"policy drop\"},"
	    "{\"n\":\"posture/security-updates/answer\",\"vs\":\"no\"}");
	fold(w);
}

static void test_measured_and_summed(void **state)
{
	struct world *w = *state;

	build(w);
	measure(w);
	struct got g = get(w, "computers", "xa-a", 1);
	is(&g, "known", 12, 20, 1);
	near(g.low, 0.6);
	near(g.high, 0.6);
	assert_string_equal(g.source, "measured");
	assert_true(g.evidence > 0);

	/* The agentless commune: its link is measured from the core, its PCs are not. */
	g = get(w, "wan", "xa-b", 1);
	is(&g, "known", 1, 1, 1);
	assert_string_equal(g.source, "measured");
	g = get(w, "computers", "xa-b", 1);
	is_unknown(&g, "no agent measures");

	/* Two of eleven solutions are measured: one yes, one no; the rest is not "no". */
	g = get(w, "security", "xa-a", 1);
	is(&g, "partial", 1, 2, 2.0 / 11);

	/* The district knows one commune of three; B counts by its servants, C, without a
	 * headcount, as many as they have on average. The province's own office, too. */
	g = get(w, "computers", "huyen", 0);
	is(&g, "partial", 12, 20, 20.0 / 30 * 2 / 3);
	assert_non_null(strstr(g.reason, "1 of 3"));
	g = get(w, "computers", "tinh", 0);
	is(&g, "partial", 12, 20, 20.0 / 30 * 2 / 4);
	g = get(w, "wan", "huyen", 0);
	is(&g, "partial", 2, 2, 2.0 / 3);
	near(g.low, 2.0 / 3);
	near(g.high, 1);
	g = get(w, "bandwidth", "huyen", 0);
	is(&g, "partial", 30e6, 30, 2.0 / 3);
}

static void test_no_headcount(void **state)
{
	struct world *w = *state;

	build(w);
	edit(
	    w, "agent.put", "{\"id\":\"agent-c\",\"agency\":\"xa-c\",\"vantage\":false}");
	w->now_ms += MINUTE;
	scan(w, "agent-c", 7, 254);
	fold(w);
	struct got g = get(w, "computers", "xa-c", 1);
	is_unknown(&g, "number of civil servants is not known");
	near(g.numerator, 7); /* the count itself is known */

	/* A headcount for tomorrow does not hold yet; yesterday's does. */
	edit(w, "headcount.put",
	    "{\"agency\":\"xa-c\",\"as_of\":\"2018-03-02T00:00:00.000Z\",\"servants\":"
	    "9}");
	fold(w);
	g = get(w, "computers", "xa-c", 1);
	is_unknown(&g, "not known");
	edit(w, "headcount.put",
	    "{\"agency\":\"xa-c\",\"as_of\":\"2018-02-28T00:00:00.000Z\",\"servants\":"
	    "14}");
	fold(w);
	g = get(w, "computers", "xa-c", 1);
	is(&g, "known", 7, 14, 1);
}

/* Random MACs: many in sight, none counted as a computer; the interval tells. */
static void test_random_macs(void **state)
{
	struct world *w = *state;
	char r[4096];
	int len = 0;

	build(w);
	w->now_ms += MINUTE;
	scan(w, "agent-a", 12, 254);
	for (int i = 0; i < 5; i++)
		len += snprintf(r + len, sizeof(r) - (size_t)len,
		    "%s{\"n\":\"mac/da:a1:19:00:00:%02x/seen_by\","
		    "\"vs\":\"arp-scan\"}",
		    i ? "," : "", i);
	pack(w, "agent-a", r);
	fold(w);
	struct got g = get(w, "computers", "xa-a", 1);
	is(&g, "known", 12, 20, 1);
	near(g.low, 12.0 / 20);
	near(g.high, 17.0 / 20);

	/* Two days later they are other MACs: yesterday's are not added. */
	w->now_ms += 48 * HOUR;
	len = 0;
	for (int i = 0; i < 4; i++)
		len += snprintf(r + len, sizeof(r) - (size_t)len,
		    "%s{\"n\":\"mac/da:a1:19:00:01:%02x/seen_by\","
		    "\"vs\":\"arp-scan\"}",
		    i ? "," : "", i);
	pack(w, "agent-a", r);
	fold(w);
	g = get(w, "computers", "xa-a", 1);
	near(g.numerator, 12);
	near(g.high, 16.0 / 20);
	assert_string_equal(g.status, "partial"); /* two days went by without a scan */
}

static void test_partial_coverage(void **state)
{
	struct world *w = *state;

	build(w);
	w->now_ms += MINUTE;
	scan(w, "agent-a", 12, 127);
	fold(w);
	struct got g = get(w, "computers", "xa-a", 1);
	is(&g, "partial", 12, 20, 0.5);
	assert_non_null(strstr(g.reason, "50 %"));
}

/* A correction sticks. */
static void test_correction(void **state)
{
	struct world *w = *state;

	build(w);
	w->now_ms += MINUTE;
	scan(w, "agent-a", 12, 254);
	edit(w, "machine.correct",
	    "{\"agency\":\"xa-a\",\"machine\":\"f8:b1:56:00:00:00\",\"class\":"
	    "\"server\"}");
	fold(w);
	struct got g = get(w, "computers", "xa-a", 1);
	near(g.numerator, 11);
	w->now_ms += 10 * MINUTE;
	scan(w, "agent-a", 12, 254);
	fold(w);
	g = get(w, "computers", "xa-a", 1);
	near(g.numerator, 11);
}

static void test_wan_window(void **state)
{
	struct world *w = *state;

	build(w);
	for (int i = 0; i < 900; i++) { /* fifteen hours up */
		w->now_ms += MINUTE;
		ping(w, "agent-a", "a-wan", 5);
	}
	for (int i = 0; i < 3; i++) { /* down right now, but up most of the day */
		w->now_ms += MINUTE;
		ping(w, "agent-a", "a-wan", 0);
	}
	fold(w);
	struct got g = get(w, "wan", "xa-a", 1);
	is(&g, "known", 1, 1, 1);
	for (int i = 0; i < 30 * 60; i++) { /* thirty hours down */
		w->now_ms += MINUTE;
		ping(w, "agent-a", "a-wan", 0);
	}
	fold(w);
	g = get(w, "wan", "xa-a", 1);
	is(&g, "known", 0, 1, 1);
	assert_string_equal(g.source, "measured");

	/* Nobody measures any more: after the window it is unknown, not "no". */
	for (int i = 0; i < 30; i++) {
		w->now_ms += HOUR;
		beat(w);
	}
	fold(w);
	g = get(w, "wan", "xa-a", 1);
	is_unknown(&g, "nothing has measured");
}

static void link_is(
    struct world *w, const char *link, const char *state, const char *reason)
{
	static const char *const sql[] = {
		"SELECT state, reason FROM link_fact WHERE link = $1"
	};
	static const struct db_sql table = { "test", sql, 1 };
	struct db_rows *r = db_start(w->db, &table, 0, "s", link);

	assert_ok(db_next(r));
	assert_string_equal(db_text(r, 0), state);
	if (!strstr(db_text(r, 1), reason))
		fail_msg("reason '%s' does not say '%s'", db_text(r, 1), reason);
	db_done(r);
}

/* An agent that is cut off says nothing about its link; a vantage does. */
static void test_agent_cut_off(void **state)
{
	struct world *w = *state;

	build(w);
	presence(w, "agent-a", "online");
	for (int i = 0; i < 3; i++) {
		w->now_ms += MINUTE;
		ping(w, "agent-a", "a-wan", 5);
	}
	fold(w);
	link_is(w, "a-wan", "UP", "answered");
	w->now_ms += MINUTE;
	presence(w, "agent-a", "lost");
	fold(w);
	link_is(w, "a-wan", "UNKNOWN", "cut off");
	for (int i = 0; i < 3; i++) {
		w->now_ms += MINUTE;
		ping(w, "core", "a-wan", 0);
	}
	fold(w);
	link_is(w, "a-wan", "DOWN", "3 rounds");
	w->now_ms += HOUR;
	beat(w);
	fold(w);
	link_is(w, "a-wan", "UNKNOWN", "");
}

static void test_stranger_says_nothing(void **state)
{
	struct world *w = *state;

	build(w);
	edit(
	    w, "agent.put", "{\"id\":\"agent-b\",\"agency\":\"xa-b\",\"vantage\":false}");
	for (int i = 0; i < 3; i++) {
		w->now_ms += MINUTE;
		ping(w, "agent-b", "a-wan", 5); /* not its link, and it is no vantage */
	}
	fold(w);
	link_is(w, "a-wan", "UNKNOWN", "never measured");
}

static void test_declarations(void **state)
{
	struct world *w = *state;

	build(w);
	measure(w);
	edit(w, "declaration.put",
	    "{\"agency\":\"xa-a\",\"solution\":\"backup\",\"answer\":\"yes\","
	    "\"document\":\"12/QĐ-UBND\",\"signer\":\"Giàng A "
	    "Sử\",\"declared\":\"2018-03-01T00:00:00.000Z\","
	    "\"expires\":\"2018-03-02T00:00:00.000Z\"}");
	edit(w, "declaration.put",
	    "{\"agency\":\"xa-a\",\"solution\":\"security-updates\",\"answer\":\"yes\","
	    "\"document\":\"13/QĐ-UBND\",\"signer\":\"Giàng A "
	    "Sử\",\"declared\":\"2018-03-01T00:00:00.000Z\"}");
	fold(w);
	struct got g = get(w, "security", "xa-a", 1);
	is(&g, "partial", 2, 3, 3.0 / 11); /* measured "no" beats declared "yes" */
	assert_string_equal(g.source, "mixed");
	struct ht_buf b;
	ht_buf_init(&b, 1 << 20);
	assert_ok(score_explain_json(w->db, SCORE_DEFINITION_ID, "security", "xa-a", &b));
	assert_non_null(strstr(ht_buf_text(&b), "\"contradiction\":true"));
	assert_non_null(strstr(ht_buf_text(&b), "12/QĐ-UBND"));
	ht_buf_fini(&b);

	/* It expires. */
	w->now_ms = T0 + 26 * HOUR;
	beat(w);
	fold(w);
	g = get(w, "security", "xa-a", 1);
	is(&g, "partial", 1, 2, 2.0 / 11);
	assert_non_null(strstr(g.reason, "expired"));
}

static void test_move_and_remove(void **state)
{
	struct world *w = *state;

	build(w);
	measure(w);
	edit(w, "agency.put",
	    "{\"id\":\"huyen-2\",\"name\":\"Huyện "
	    "2\",\"level\":\"district\",\"parent\":\"tinh\"}");
	edit(w, "agency.put",
	    "{\"id\":\"xa-a\",\"name\":\"Xã "
	    "A\",\"level\":\"commune\",\"parent\":\"huyen-2\"}");
	fold(w);
	struct got g = get(w, "computers", "huyen", 0);
	is_unknown(&g, "0 of 2");
	g = get(w, "computers", "huyen-2", 0);
	is(&g, "known", 12, 20, 1);
	g = get(w, "computers", "tinh", 0);
	is(&g, "partial", 12, 20, 20.0 / 30 * 2 / 4);
	edit(w, "agency.remove", "{\"id\":\"xa-c\"}");
	fold(w);
	g = get(w, "computers", "huyen", 0);
	is_unknown(&g, "0 of 1");
}

/* ── the same again ──────────────────────────────────────────────────────────────── */

/* All derived tables of ours as one text. */
static char *dump(struct world *w)
{
	static const char *const tables[] = { "link_view", "link_hour", "link_fact",
		"machine", "machine_nic", "machine_host", "lan_coverage", "finding",
		"link_bandwidth", "bandwidth_hour", "bandwidth_test", "wan_connected",
		"index_value", "index_sum", "index_scope" };
	struct ht_buf b;
	sqlite3 *raw;

	ht_buf_init(&b, 16 << 20);
	assert_int_equal(sqlite3_open(w->store.file, &raw), SQLITE_OK);
	for (size_t t = 0; t < HT_COUNT(tables); t++) {
		char sql[80];
		sqlite3_stmt *s;
		snprintf(
		    sql, sizeof(sql), "SELECT * FROM %s ORDER BY 1, 2, 3, 4", tables[t]);
		if (sqlite3_prepare_v2(raw, sql, -1, &s, NULL) != SQLITE_OK) {
			snprintf(sql, sizeof(sql), "SELECT * FROM %s ORDER BY 1, 2, 3",
			    tables[t]);
			assert_int_equal(
			    sqlite3_prepare_v2(raw, sql, -1, &s, NULL), SQLITE_OK);
		}
		while (sqlite3_step(s) == SQLITE_ROW) {
			ht_buf_printf(&b, "%s", tables[t]);
			for (int c = 0; c < sqlite3_column_count(s); c++)
				ht_buf_printf(&b, "|%s=%s", sqlite3_column_name(s, c),
				    sqlite3_column_text(s, c)
					? (const char *)sqlite3_column_text(s, c)
					: "NULL");
			ht_buf_puts(&b, "\n");
		}
		sqlite3_finalize(s);
	}
	sqlite3_close(raw);
	char *text = ht_buf_steal(&b);
	assert_non_null(text);
	return text;
}

static void same(const char *a, const char *b)
{
	size_t at = 0, line = 0;

	for (; a[at] && a[at] == b[at]; at++) {
		if (a[at] == '\n')
			line = at + 1;
	}
	if (a[at] != b[at])
		fail_msg("first difference:\n%.900s\n--\n%.900s", a + line, b + line);
}

/* Row by row as it came, and all at once: the same to the byte. */
static void test_refold_is_identical(void **state)
{
	struct world *w = *state;

	build(w);
	fold(w);
	presence(w, "agent-a", "online");
	for (int i = 0; i < 300; i++) {
		w->now_ms += MINUTE;
		if (i % 10 == 0) {
			scan(w, "agent-a", 10 + i / 100, 254 - i / 4);
			fold(w);
		}
		if (i < 100 || i > 160)
			ping(w, "agent-a", "a-wan", i % 7 ? 5 : 0);
		if (i == 120)
			presence(w, "agent-a", "lost");
		if (i == 150)
			presence(w, "agent-a", "online");
		ping(w, "core", "b-wan", i > 200 ? 0 : 5);
		if (i % 13 == 0)
			beat(w);
		if (i % 3 == 0)
			fold(w);
	}
	fold(w);
	char *live = dump(w);
	assert_ok(run_forget(w->db, NULL));
	fold(w);
	char *again = dump(w);
	assert_true(strlen(live) > 5000);
	same(live, again);
	free(live);
	free(again);
}

static int explains(struct world *w, const char *indicator, const char *scope, int own,
    const char *what, int *out_len)
{
	static const char *const sql[] = {
		"SELECT explain FROM index_value WHERE indicator = $1 AND scope = $2 AND "
		"own = $3"
	};
	static const struct db_sql table = { "explains", sql, 1 };
	struct db_rows *r =
	    db_start(w->db, &table, 0, "ssi", indicator, scope, (int64_t)own);

	assert_ok(db_next(r));
	const char *at = strstr(db_text(r, 0), what);
	int found = at ? (int)strtol(at + strlen(what), NULL, 10) : -1;
	*out_len = (int)strlen(db_text(r, 0));
	db_done(r);
	return found;
}

/* What is told of a node stays bounded, and says what it leaves out. */
static void test_lists_are_bounded(void **state)
{
	struct world *w = *state;
	char data[300];
	int len;

	edit(w, "agency.put", "{\"id\":\"t\",\"name\":\"T\",\"level\":\"province\"}");
	for (int i = 0; i < 200; i++) {
		snprintf(data, sizeof(data),
		    "{\"id\":\"x%d\",\"name\":\"X\",\"level\":\"commune\",\"parent\":"
		    "\"t\"}",
		    i);
		edit(w, "agency.put", data);
	}
	for (int i = 0; i < 300; i++) {
		snprintf(data, sizeof(data),
		    "{\"id\":\"l%d\",\"agency\":\"x7\",\"role\":\"primary\",\"kind\":"
		    "\"province-wan\",\"line_type\":\"ftth\",\"contracted_down_bps\":"
		    "1000000,\"contracted_up_bps\":1000000}",
		    i);
		edit(w, "link.put", data);
	}
	edit(w, "headcount.put",
	    "{\"agency\":\"x7\",\"as_of\":\"2018-01-01T00:00:00.000Z\",\"servants\":4}");
	fold(w);
	assert_int_equal(explains(w, "wan", "t", 0, "\"not_listed\":", &len), 200 - 64);
	assert_true(len < 32768);
	assert_int_equal(
	    explains(w, "bandwidth", "x7", 1, "\"links-not-counted\",\"n\":", &len),
	    300 - 256);
	assert_true(
	    explains(w, "bandwidth", "x7", 1, "\"evidence_not_listed\":", &len) > 0);
	struct got g = get(w, "bandwidth", "x7", 1);
	assert_string_equal(g.status, "partial");
	near(g.numerator, 256e6);
}

/* ── any order of changes, in slices of any size ─────────────────────────────────── */

/* All that is computed but when. */
static char *computed(struct world *w)
{
	static const char *const sql[] = {
		"SELECT indicator, scope, own, status, value, low, high, numerator, "
		"denominator, coverage, confidence, source, reason, cure, evidence, "
		"explain FROM index_value ORDER BY 1, 2, 3",
		"SELECT indicator, agency, own, n, n_known, n_partial, n_no_headcount, "
		"n_not_measured, n_headcount, servants, servants_covered, numerator, "
		"denominator, coverage, confidence, weight, sources FROM index_sum"
		" ORDER BY 1, 2, 3",
		"SELECT agency, parent FROM index_scope ORDER BY 1",
	};
	static const struct db_sql table = { "computed", sql, HT_COUNT(sql) };
	struct ht_buf b;

	ht_buf_init(&b, 16 << 20);
	for (size_t i = 0; i < HT_COUNT(sql); i++) {
		struct db_rows *r = db_start(w->db, &table, (int)i, "");
		while (!db_next(r)) {
			for (int c = 0; c < db_columns(r); c++)
				ht_buf_printf(
				    &b, "%s|", db_text(r, c) ? db_text(r, c) : "NULL");
			ht_buf_puts(&b, "\n");
		}
		db_done(r);
	}
	char *text = ht_buf_steal(&b);
	assert_non_null(text);
	return text;
}

static uint32_t dice; /* xorshift: the same sequence on every machine */

static int roll(int n)
{
	dice ^= dice << 13;
	dice ^= dice >> 17;
	dice ^= dice << 5;
	return (int)(dice % (uint32_t)n);
}

enum { RANDOM_AGENCIES = 12 };

/* x0 is the top; a parent has a lower number, so there is no circle. */
static void random_change(struct world *w)
{
	int i = roll(RANDOM_AGENCIES), up = i ? roll(i) : 0;
	char data[400], name[16], link[16];

	snprintf(name, sizeof(name), "g%d", i);
	snprintf(link, sizeof(link), "l%d", i);
	switch (roll(8)) {
	case 0:
	case 1:
		snprintf(data, sizeof(data),
		    "{\"id\":\"x%d\",\"name\":\"X\",\"level\":\"%s\"%s%s%d%s}", i,
		    i ? "commune" : "province", i ? ",\"parent\":\"" : "", i ? "x" : " ",
		    up, i ? "\"" : "");
		if (!i)
			snprintf(data, sizeof(data),
			    "{\"id\":\"x0\",\"name\":\"X\",\"level\":\"province\"}");
		edit(w, "agency.put", data);
		break;
	case 2:
		snprintf(data, sizeof(data), "{\"id\":\"x%d\"}", i);
		if (roll(3) == 0)
			edit(w, "agency.remove", data);
		break;
	case 3:
		snprintf(data, sizeof(data),
		    "{\"agency\":\"x%d\",\"as_of\":\"2018-01-01T00:00:00.000Z\","
		    "\"servants\":%d}",
		    i, 1 + roll(50));
		edit(w, "headcount.put", data);
		break;
	case 4:
		snprintf(data, sizeof(data),
		    "{\"id\":\"l%d\",\"agency\":\"x%d\",\"role\":\"primary\",\"kind\":"
		    "\"province-wan\",\"line_type\":\"xdsl\",\"contracted_down_bps\":%d,"
		    "\"contracted_up_bps\":1000000}",
		    i, i, 1000000 + roll(100) * 33333);
		edit(w, "link.put", data);
		snprintf(data, sizeof(data),
		    "{\"id\":\"g%d\",\"agency\":\"x%d\",\"vantage\":false}", i, i);
		edit(w, "agent.put", data);
		break;
	case 5:
		ping(w, name, link, roll(2) * 5);
		break;
	case 6:
		scan(w, name, 1 + roll(9), 254);
		break;
	default:
		w->now_ms += roll(40) * MINUTE;
		beat(w);
	}
}

/* Whatever changed in whatever order, and wherever slices ended: what is there is what is
 * computed from nothing. */
static void test_random_changes(void **state)
{
	struct world *w = *state;

	for (uint32_t seed = 1; seed <= 6; seed++) {
		dice = seed * 2654435761u;
		for (int i = 0; i < 120; i++) {
			struct writer_fold_state s;
			w->now_ms += 1000;
			random_change(w);
			if (roll(3))
				continue;
			assert_ok(db_begin(w->db));
			assert_ok(run_slice(w->db, roll(2) * 1000000, &s));
			assert_ok(db_commit(w->db));
		}
		fold(w);
		char *live = computed(w);
		assert_ok(run_forget(w->db, "score"));
		fold(w);
		char *anew = computed(w);
		assert_true(strlen(live) > 2000);
		same(live, anew);
		free(live);
		free(anew);
	}
}

/* Retention took the agents' old rows: what they told stays through a refold. */
static void test_refold_after_retention(void **state)
{
	struct world *w = *state;
	sqlite3 *raw;

	build(w);
	measure(w);
	w->now_ms += HOUR;
	beat(w);
	fold(w);
	assert_int_equal(sqlite3_open(w->store.file, &raw), SQLITE_OK);
	assert_int_equal(sqlite3_exec(raw, "DELETE FROM journal WHERE source = 'agent'",
			     NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(raw);
	assert_ok(run_forget(w->db, NULL));
	fold(w);
	struct got g = get(w, "computers", "xa-a", 1);
	near(g.numerator, 12);
	near(g.denominator, 20);
	g = get(w, "security", "xa-a", 1);
	near(g.value, 0.5);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_nothing_measured),
		T(test_measured_and_summed),
		T(test_no_headcount),
		T(test_random_macs),
		T(test_partial_coverage),
		T(test_correction),
		T(test_wan_window),
		T(test_agent_cut_off),
		T(test_stranger_says_nothing),
		T(test_declarations),
		T(test_move_and_remove),
		T(test_refold_is_identical),
		T(test_lists_are_bounded),
		T(test_random_changes),
		T(test_refold_after_retention),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
