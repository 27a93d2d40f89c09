/* What goes over links and what follows of it: polls and throughput tests as agents send
 * them, through the real folds. */
#include "unit/server/derive/world.h"

#define T0 INT64_C(1764032400000) /* 2025-11-25T01:00:00Z, a Tuesday; 08:00 in Hà Nội */

static int setup(void **state)
{
	struct world *w = world_new(T0);

	*state = w;
	world_edit(
	    w, "agency.put", "{\"id\":\"tinh\",\"name\":\"T\",\"level\":\"province\"}");
	world_edit(w, "agency.put",
	    "{\"id\":\"xa\",\"name\":\"X\",\"level\":\"commune\",\"parent\":\"tinh\"}");
	world_edit(w, "headcount.put",
	    "{\"agency\":\"xa\",\"as_of\":\"2025-01-01T00:00:00.000Z\",\"servants\":10}");
	world_edit(w, "link.put",
	    "{\"id\":\"xa-wan\",\"agency\":\"xa\",\"role\":\"primary\",\"kind\":"
	    "\"province-wan\",\"provider\":\"VNPT\",\"line_type\":\"ftth\","
	    "\"contracted_down_bps\":50000000,\"contracted_up_bps\":20000000}");
	world_edit(
	    w, "agent.put", "{\"id\":\"own\",\"agency\":\"xa\",\"vantage\":false}");
	world_edit(
	    w, "agent.put", "{\"id\":\"core\",\"agency\":\"tinh\",\"vantage\":true}");
	world_edit(
	    w, "agency.put", "{\"id\":\"yb\",\"name\":\"Y\",\"level\":\"commune\"}");
	world_edit(
	    w, "agent.put", "{\"id\":\"alien\",\"agency\":\"yb\",\"vantage\":false}");
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

/* One device whose counters run on; octets are what has gone through so far. */
struct device {
	const char *agent, *interface;
	uint64_t in, out;
	double uptime_s, speed_bps;
	int bits;
};

static struct device router(const char *agent)
{
	return (struct device){ agent, "xa-wan:eth0", 1000, 2000, 5000, 100e6, 64 };
}

static void poll_now(struct world *w, const struct device *d)
{
	world_say(w, d->agent,
	    "{\"n\":\"snmp/xa-wan/status\",\"vs\":\"ok\"},"
	    "{\"n\":\"snmp/xa-wan/uptime\",\"u\":\"s\",\"v\":%.2f},"
	    "{\"n\":\"snmp/xa-wan/link_interface\",\"vs\":\"%s\"},"
	    "{\"n\":\"snmp/xa-wan/link_interface_why\",\"vs\":\"the default route\"},"
	    "{\"n\":\"snmp/xa-wan/link_interface_confidence\",\"u\":\"/\",\"v\":0.95},"
	    "{\"n\":\"if/%s/speed\",\"u\":\"bit/s\",\"v\":%.0f},"
	    "{\"n\":\"if/%s/in_octets\",\"u\":\"count\",\"v\":%" PRIu64 "},"
	    "{\"n\":\"if/%s/out_octets\",\"u\":\"count\",\"v\":%" PRIu64 "},"
	    "{\"n\":\"if/%s/counter_bits\",\"u\":\"count\",\"v\":%d},"
	    "{\"n\":\"if/xa-wan:lan0/in_octets\",\"u\":\"count\",\"v\":99999999999}",
	    d->uptime_s, d->interface, d->interface, d->speed_bps, d->interface, d->in,
	    d->interface, d->out, d->interface, d->bits);
}

/* `s` seconds go by at these rates. */
static void run(struct device *d, int64_t s, double down_bps, double up_bps)
{
	d->in += (uint64_t)(down_bps * (double)s / 8);
	d->out += (uint64_t)(up_bps * (double)s / 8);
	d->uptime_s += (double)s;
}

static void minutes(
    struct world *w, struct device *d, int n, double down_bps, double up_bps)
{
	for (int i = 0; i < n; i++) {
		w->now_ms += MINUTE;
		run(d, 60, down_bps, up_bps);
		poll_now(w, d);
	}
}

#define DOC(path)                                \
	"SELECT json_extract(document, '$." path \
	"') FROM link_bandwidth WHERE link = 'xa-wan'"

/* Before anything is measured: each says why not and what would help; nothing is 0. */
static void test_nothing_measured(void **state)
{
	struct world *w = *state;

	world_fold(w);
	world_near(w, DOC("down.contracted.value"), 50e6);
	world_is(w, DOC("down.contracted.source"), "declared");
	world_is(w, DOC("down.used.value"), "NULL");
	world_is(w, DOC("down.used.status"), "unknown");
	world_says(w, DOC("down.negotiated.reason"), "no address");
	world_says(w, DOC("up.measured.cure"), "enrol an agent");
	world_says(w, DOC("up.used.cure"), "SNMP");
	world_is(w, "SELECT findings FROM link_bandwidth", "[]");
}

static void test_used(void **state)
{
	struct world *w = *state;
	struct device d = router("own");

	poll_now(w, &d);
	minutes(w, &d, 120, 10e6, 1e6);
	minutes(w, &d, 60, 30e6, 3e6);
	minutes(w, &d, 6, 0, 0);
	world_fold(w);
	/* 37 slots: the busy hour's are a third of them. */
	world_near(w, DOC("down.used.p95"), 30e6);
	world_near(w, DOC("up.used.p95"), 3e6);
	world_near(w, DOC("down.used.busy_hour"), 10);
	world_near(w, DOC("down.used.busy_hour_mean"), 30e6);
	world_is(w, DOC("used_window.observed"), "37");
	world_is(w, DOC("used_window.declared"), "8640");
	world_near(w, DOC("down.used.coverage"), 37 / 8640.0);
	world_is(w, DOC("down.used.agent"), "own");
	world_near(w, DOC("down.negotiated.value"), 100e6);
	world_is(w, DOC("down.negotiated.interface"), "xa-wan:eth0");
	world_is(w, DOC("down.negotiated.interface_why"), "the default route");
	world_near(w, DOC("down.negotiated.confidence"), 0.95);
	world_says(w, DOC("down.negotiated.evidence"), "[");
	world_is(w, "SELECT count(*) FROM bandwidth_hour", "4");
	world_near(w, "SELECT max(length(slots)) FROM bandwidth_hour", 100);
}

/* A reset, a swap of interfaces, a rate above line speed, a hole: gaps, never a rate. */
static void test_gaps(void **state)
{
	struct world *w = *state;
	struct device d = router("own");

	poll_now(w, &d);
	minutes(w, &d, 10, 8e6, 1e6);
	w->now_ms += MINUTE;
	d.in = 5;
	d.out = 5;
	d.uptime_s = 20; /* it restarted */
	poll_now(w, &d);
	minutes(w, &d, 5, 8e6, 1e6);
	w->now_ms += MINUTE;
	run(&d, 60, 900e6, 1e6); /* nine times what the line can carry */
	poll_now(w, &d);
	w->now_ms += MINUTE;
	d.interface = "xa-wan:eth1";
	run(&d, 60, 8e6, 1e6);
	poll_now(w, &d);
	minutes(w, &d, 5, 8e6, 1e6);
	w->now_ms += 30 * MINUTE;
	run(&d, 1800, 8e6, 1e6);
	poll_now(w, &d);
	minutes(w, &d, 6, 8e6, 1e6);
	world_fold(w);
	world_near(w, DOC("down.used.peak"), 8e6);
	world_near(w, DOC("down.used.mean"), 8e6);
	world_is(w, DOC("used_window.gaps"),
	    "[{\"reason\":\"the device restarted between the polls\",\"times\":1},"
	    "{\"reason\":\"the difference is more than the line can carry\",\"times\":1},"
	    "{\"reason\":\"the polls are more than 16 minutes apart\",\"times\":1},"
	    "{\"reason\":\"another interface carries the link now\",\"times\":1}]");
}

/* An agent is cut off; its spool comes after the live polls and lands in its own hours.
 */
static void test_backlog(void **state)
{
	struct world *w = *state;
	struct device d = router("own");
	int64_t cut;

	poll_now(w, &d);
	minutes(w, &d, 30, 4e6, 1e6);
	cut = w->now_ms;
	struct device away = d;
	run(&d, 2 * 3600, 6e6, 1e6);
	w->now_ms += 2 * HOUR;
	poll_now(w, &d);
	minutes(w, &d, 10, 2e6, 1e6);
	w->now_ms += 5 * MINUTE;
	world_beat(w);
	world_fold(w);
	world_is(w, DOC("used_window.observed"), "8");
	w->lane = JOURNAL_HIST;
	for (int i = 0; i < 120; i++) {
		w->at_ms = cut + (i + 1) * MINUTE;
		run(&away, 60, 6e6, 1e6);
		poll_now(w, &away);
	}
	w->lane = JOURNAL_DATA;
	w->at_ms = 0;
	w->now_ms += HOUR;
	world_beat(w);
	world_fold(w);
	world_is(w, DOC("used_window.observed"), "32");
	world_near(w, DOC("down.used.peak"), 6e6);
	world_is(w, "SELECT count(*) FROM bandwidth_hour", "3");
	/* Not a minute is missing where the backlog begins. */
	world_is(w, "SELECT count(*) FROM bandwidth_hour WHERE hex(slots) LIKE '01FF0F%'",
	    "2");
}

/* Cut off twice before the first backlog comes: both holes are filled. */
static void test_two_holes(void **state)
{
	struct world *w = *state;
	struct device d = router("own"), away[2];
	int64_t cut[2];

	poll_now(w, &d);
	for (int hole = 0; hole < 2; hole++) {
		minutes(w, &d, 30, 4e6, 1e6);
		cut[hole] = w->now_ms;
		away[hole] = d;
		run(&d, 3600, 6e6, 1e6);
		w->now_ms += HOUR;
		poll_now(w, &d);
	}
	minutes(w, &d, 30, 4e6, 1e6);
	w->lane = JOURNAL_HIST;
	for (int hole = 0; hole < 2; hole++) {
		for (int i = 0; i < 60; i++) {
			w->at_ms = cut[hole] + (i + 1) * MINUTE;
			run(&away[hole], 60, 6e6, 1e6);
			poll_now(w, &away[hole]);
		}
	}
	w->lane = JOURNAL_DATA;
	w->at_ms = 0;
	w->now_ms += HOUR;
	world_beat(w);
	world_fold(w);
	world_is(w, DOC("used_window.observed"), "42"); /* 3.5 h, all of them */
	world_near(w, DOC("down.used.peak"), 6e6);
	world_near(w, DOC("down.used.mean"), (18 * 4e6 + 24 * 6e6) / 42);
}

/* Old rows go; what came late stays in the journal for longer than what it fills. Folded
 * again and again, hours hold what they held. */
static void test_refold_over_the_edge(void **state)
{
	static const char *const hours[] = { "bandwidth_hour" };
	struct world *w = *state;
	struct device d = router("own"), away;
	int64_t cut, edge;

	poll_now(w, &d);
	minutes(w, &d, 90, 4e6, 1e6);
	cut = w->now_ms;
	away = d;
	run(&d, 2 * 3600, 6e6, 1e6);
	w->now_ms += 2 * HOUR;
	poll_now(w, &d);
	minutes(w, &d, 100, 4e6, 1e6);
	w->lane = JOURNAL_HIST;
	for (int i = 0; i < 119; i++) { /* of each slot half, and a restart */
		w->at_ms = cut + (i + 1) * MINUTE;
		run(&away, 60, 6e6, 1e6);
		if (i == 40)
			away.uptime_s = 10;
		if (i % 5 < 3)
			poll_now(w, &away);
	}
	w->lane = JOURNAL_DATA;
	w->at_ms = 0;
	minutes(w, &d, 200, 5e6, 1e6);
	world_fold(w);
	char *live = world_dump(w, hours, 1);
	assert_true(strlen(live) > 500);
	edge = (int64_t)world_number(w, "SELECT max(id) - 250 FROM journal");
	for (int i = 0; i < 3; i++, edge += 40) {
		char sql[100];

		snprintf(sql, sizeof(sql),
		    "DELETE FROM journal WHERE source = 'agent' AND id < %" PRId64, edge);
		assert_ok(db_script(w->db, sql));
		assert_ok(run_forget(w->db, "bandwidth"));
		world_fold(w);
		char *again = world_dump(w, hours, 1);
		world_same(live, again);
		free(again);
	}
	free(live);
}

/* A device that answers from a cache for a minute: neither nothing nor twice as much. */
static void test_cached_counters(void **state)
{
	struct world *w = *state;
	struct device d = router("own"), shown = d;

	for (int i = 0; i < 20 * 6; i++) {
		if (i % 6 == 0)
			shown = d;
		else
			shown.uptime_s = d.uptime_s;
		poll_now(w, &shown);
		w->now_ms += MINUTE / 6;
		run(&d, 10, 6e6, 1e6);
	}
	w->now_ms += HOUR;
	world_beat(w);
	world_fold(w);
	world_near(w, DOC("down.used.peak"), 6e6);
	world_near(w, DOC("down.used.mean"), 6e6);
}

static void poll_briefly(struct world *w, const struct device *d)
{
	world_say(w, d->agent,
	    "{\"n\":\"snmp/xa-wan/uptime\",\"u\":\"s\",\"v\":%.2f},"
	    "{\"n\":\"if/%s/in_octets\",\"u\":\"count\",\"v\":%" PRIu64 "},"
	    "{\"n\":\"if/%s/out_octets\",\"u\":\"count\",\"v\":%" PRIu64 "}",
	    d->uptime_s, d->interface, d->in, d->interface, d->out);
}

/* Names, speed and width are told when they change; what is told later, and what comes
 * as a backlog, stands on them. */
static void test_told_once(void **state)
{
	struct world *w = *state;
	struct device d = router("own");

	d.bits = 32;
	d.in = UINT32_MAX - 10000000;
	poll_now(w, &d);
	for (int i = 0; i < 30; i++) {
		w->now_ms += MINUTE;
		run(&d, 60, 4e6, 1e6);
		d.in &= UINT32_MAX; /* passes zero once */
		poll_briefly(w, &d);
	}
	w->now_ms += HOUR;
	w->lane = JOURNAL_HIST;
	for (int i = 0; i < 20; i++) {
		w->at_ms = w->now_ms - HOUR + (i + 1) * MINUTE;
		run(&d, 60, 4e6, 1e6);
		d.in &= UINT32_MAX;
		poll_briefly(w, &d);
	}
	w->lane = JOURNAL_DATA;
	w->at_ms = 0;
	w->now_ms += 2 * HOUR;
	world_beat(w);
	world_fold(w);
	world_near(w, DOC("down.used.peak"), 4e6);
	world_near(w, DOC("down.used.mean"), 4e6);
	world_is(w, DOC("used_window.observed"), "10");
	world_is(w, DOC("used_window.gaps"), "[]");
	world_near(w, DOC("down.negotiated.value"), 100e6);
}

static void throughput(
    struct world *w, const char *agent, const char *status, double down, double up)
{
	world_say(w, agent,
	    "{\"n\":\"throughput/xa-wan/status\",\"vs\":\"%s\"},"
	    "{\"n\":\"throughput/xa-wan/endpoint\",\"vs\":\"https://core/speed\"},"
	    "{\"n\":\"throughput/xa-wan/down\",\"u\":\"bit/s\",\"v\":%.0f},"
	    "{\"n\":\"throughput/xa-wan/down_low\",\"u\":\"bit/s\",\"v\":%.0f},"
	    "{\"n\":\"throughput/xa-wan/down_high\",\"u\":\"bit/s\",\"v\":%.0f},"
	    "{\"n\":\"throughput/xa-wan/up\",\"u\":\"bit/s\",\"v\":%.0f}",
	    status, down, down * 0.98, down * 1.02, up);
}

#define OPEN(kind)                                                         \
	"SELECT group_concat(reason) FROM problem WHERE kind = '" kind "'" \
	" AND subject = 'xa-wan' AND closed_ms IS NULL"
#define VALUE(column)                                                                   \
	"SELECT " column " FROM index_value WHERE indicator = 'bandwidth' AND scope = " \
	"'xa' AND own = 1"

#define RATE_OF(field) "json_extract(e.value, '$." field "')"
#define RATE_FROM                                                                    \
	" FROM index_value v, json_each(v.explain, '$.inputs') e WHERE indicator = " \
	"'bandwidth' AND scope = 'xa' AND own = 1 AND " RATE_OF(                     \
	    "what") " = "                                                            \
		    "'negotiated-rate'"
#define RATE(field) "SELECT " RATE_OF(field) RATE_FROM

/* A test finds less than paid for: a finding, a problem, less confidence; all end when
 * the contract is corrected. A skipped test takes nothing away. */
static void test_throughput(void **state)
{
	struct world *w = *state;

	world_fold(w);
	world_near(w, VALUE("value"), 5e6);
	world_near(w, VALUE("confidence"), 0.5);
	w->now_ms += MINUTE;
	throughput(w, "own", "ok", 21e6, 18.5e6);
	world_fold(w);
	world_near(w, DOC("down.measured.value"), 21e6);
	world_near(w, DOC("down.measured.low"), 20.58e6);
	world_is(w, DOC("down.measured.endpoint"), "https://core/speed");
	world_is(w, DOC("findings[0].kind"), "measured-below-contract");
	world_is(w, OPEN("link-below-contract"),
	    "down: 21 Mbit/s were measured of the 50 Mbit/s contracted");
	world_is(w, VALUE("source"), "mixed");
	world_near(w, VALUE("value"), 5e6);
	world_near(w, VALUE("low"), 2.1e6);
	world_near(w, VALUE("confidence"), 0.3);
	world_says(w, VALUE("explain"), "\"what\":\"measured-rate\"");
	world_says(w, VALUE("explain"), "measured-below-contract");
	w->now_ms += HOUR;
	throughput(w, "own", "skipped: the link carries office traffic", 0, 0);
	world_fold(w);
	world_near(w, DOC("down.measured.value"), 21e6);
	world_is(
	    w, DOC("newest_test.status"), "skipped: the link carries office traffic");
	w->now_ms += MINUTE;
	world_edit(w, "link.put",
	    "{\"id\":\"xa-wan\",\"agency\":\"xa\",\"role\":\"primary\",\"kind\":"
	    "\"province-wan\",\"line_type\":\"ftth\",\"contracted_down_bps\":22000000,"
	    "\"contracted_up_bps\":20000000}");
	world_fold(w);
	world_is(w, OPEN("link-below-contract"), "NULL");
	world_is(w, DOC("findings"), "[]");
	world_near(w, VALUE("value"), 2.2e6);
	world_near(w, VALUE("confidence"), 0.9);
}

/* The index reads the speed that the link's state tells, and cites no row that
 * told another. */
static void test_cites_what_told_the_speed(void **state)
{
	struct world *w = *state;
	struct device d = router("own");

	poll_now(w, &d);
	world_fold(w);
	w->now_ms += MINUTE;
	run(&d, 60, 1e6, 1e6);
	d.speed_bps = 10e6; /* the bandwidth document is of five minutes ago still */
	poll_now(w, &d);
	world_fold(w);
	world_near(w, "SELECT negotiated_bps FROM link_bandwidth", 100e6);
	world_near(w, "SELECT negotiated_down_bps FROM link_fact", 10e6);
	world_near(w, RATE("bps"), 10e6);
	world_is(w, RATE("evidence"), "NULL");
	minutes(w, &d, 10, 1e6, 1e6);
	world_fold(w);
	world_near(w, RATE("bps"), 10e6);
	world_says(w, RATE("evidence"), "[");
}

/* Time alone makes a test old, and brings a link without packs to be looked at again. */
static void test_old_test(void **state)
{
	struct world *w = *state;

	throughput(w, "own", "ok", 47e6, 19e6);
	for (int i = 0; i < 36; i++) {
		w->now_ms += DAY;
		world_beat(w);
	}
	world_fold(w);
	world_is(w, DOC("findings[0].kind"), "test-old");
	world_near(w, VALUE("confidence"), 0.9);
	world_says(w, DOC("findings[0].text"), "for 3");
	world_is(w, "SELECT count(*) FROM problem WHERE kind LIKE 'link-below%'", "0");
	/* For longer than measured_max_age: it agrees with nothing any more. */
	for (int i = 0; i < 60; i++) {
		w->now_ms += DAY;
		world_beat(w);
	}
	world_fold(w);
	world_near(w, VALUE("confidence"), 0.5);
	world_says(w, VALUE("explain"), "\"too_old\":true");
	world_near(w, DOC("down.measured.value"), 47e6);
}

static void test_strangers(void **state)
{
	struct world *w = *state;
	struct device d = router("alien");

	throughput(w, "alien", "ok", 1e6, 1e6);
	poll_now(w, &d);
	minutes(w, &d, 12, 8e6, 1e6);
	world_fold(w);
	world_is(w, "SELECT count(*) FROM bandwidth_hour", "0");
	world_is(w, DOC("down.measured.value"), "NULL");
	struct device v = router("core"); /* a vantage may */
	poll_now(w, &v);
	minutes(w, &v, 12, 8e6, 1e6);
	world_fold(w);
	world_is(w, "SELECT count(*) FROM bandwidth_hour", "1");
}

/* A month that is over gives its five-minute means up for one row. */
static void test_month(void **state)
{
	struct world *w = *state;
	struct device d = router("own");

	poll_now(w, &d);
	minutes(w, &d, 150, 10e6, 1e6);
	w->now_ms += 30 * DAY; /* 25 December: November is over, but may still be told */
	world_beat(w);
	world_fold(w);
	world_is(w, "SELECT count(*) FROM bandwidth_month", "0");
	w->now_ms += 15 * DAY;
	world_beat(w);
	world_fold(w);
	world_is(w, "SELECT count(*) FROM bandwidth_hour", "0");
	world_is(w, "SELECT observed FROM bandwidth_month", "30");
	world_is(w, "SELECT declared FROM bandwidth_month", "8640");
	world_near(w, "SELECT down_p95 FROM bandwidth_month", 10e6);
	world_near(w, "SELECT up_busy FROM bandwidth_month", 1e6);
	world_is(w, "SELECT from_ms FROM bandwidth_month", "1761930000000");
	/* What comes later than late is not counted any more. */
	w->at_ms = T0 + 5 * HOUR;
	w->lane = JOURNAL_HIST;
	poll_now(w, &d);
	w->at_ms += MINUTE;
	run(&d, 60, 5e6, 1e6);
	poll_now(w, &d);
	world_fold(w);
	world_is(w, "SELECT count(*) FROM bandwidth_hour WHERE length(slots) > 4", "0");
}

/* An agent that counts centuries back: nothing lands before there were agents, and the
 * window's arithmetic holds. */
static void test_centuries_back(void **state)
{
	struct world *w = *state;
	struct device d = router("own");

	poll_now(w, &d);
	minutes(w, &d, 12, 8e6, 1e6);
	w->now_ms += MINUTE;
	for (int i = 0; i < 12; i++) {
		int64_t t = -INT64_C(3530000000) + i * 60; /* with the base: in 1969 */

		world_say(w, "own",
		    "{\"n\":\"snmp/xa-wan/link_interface\",\"vs\":\"xa-wan:eth0\","
		    "\"t\":%" PRId64 "},"
		    "{\"n\":\"if/xa-wan:eth0/in_octets\",\"u\":\"count\",\"v\":%d,"
		    "\"t\":%" PRId64 "},"
		    "{\"n\":\"if/xa-wan:eth0/out_octets\",\"u\":\"count\",\"v\":%d,"
		    "\"t\":%" PRId64 "},"
		    "{\"n\":\"throughput/xa-wan/status\",\"vs\":\"ok\",\"t\":-1e10},"
		    "{\"n\":\"throughput/xa-wan/down\",\"u\":\"bit/s\",\"v\":1e6,"
		    "\"t\":-1e10}",
		    t, 1000000 * i, t, 1000000 * i, t);
		w->now_ms += 1000;
	}
	w->now_ms += HOUR;
	world_beat(w);
	world_fold(w);
	world_is(
	    w, "SELECT count(*) FROM bandwidth_hour WHERE hour_ms < 1577836800000", "0");
	world_is(
	    w, "SELECT count(*) FROM bandwidth_test WHERE at_ms < 1577836800000", "0");
	world_near(w, DOC("down.used.peak"), 8e6);
}

static const char *const tables[] = { "bandwidth_hour", "bandwidth_month",
	"bandwidth_poll", "bandwidth_test", "link_bandwidth", "index_value", "problem" };

/* In slices of any size, and again from the beginning: the same bytes. */
static void test_refold(void **state)
{
	struct world *w = *state;
	struct device d = router("own"), v = router("core");

	v.in += 77;
	for (int i = 0; i < 200; i++) {
		w->now_ms += 3 * MINUTE + (i % 7) * 1000;
		run(&d, 180 + i % 7, 1e6 * (i % 40), 1e5 * (i % 30));
		run(&v, 180 + i % 7, 1e6 * (i % 40), 1e5 * (i % 30));
		if (i % 50 < 45)
			poll_now(w, &d);
		if (i % 3)
			poll_now(w, &v);
		if (i % 60 == 10)
			throughput(w, "own", i % 120 == 10 ? "ok" : "failed: refused",
			    30e6 + i * 1e5, 15e6);
		if (i % 90 == 20)
			world_edit(w, "link.put",
			    i > 100 ? "{\"id\":\"xa-wan\",\"agency\":\"xa\",\"role\":"
				      "\"primary\",\"kind\":\"province-wan\","
				      "\"contracted_down_bps\":45000000}"
				    : "{\"id\":\"xa-wan\",\"agency\":\"xa\",\"role\":"
				      "\"backup\",\"kind\":\"internet\","
				      "\"contracted_down_bps\":40000000}");
		if (i % 5 == 0) {
			struct writer_fold_state s;

			world_flush(w);
			assert_ok(db_begin(w->db));
			assert_ok(run_slice(w->db, i % 2 ? 0 : 20 * HT_NS_PER_MS, &s));
			assert_ok(db_commit(w->db));
		}
		if (i % 11 == 0)
			world_beat(w);
	}
	world_fold(w);
	char *live = world_dump(w, tables, HT_COUNT(tables));
	assert_ok(run_forget(w->db, NULL));
	world_fold(w);
	char *again = world_dump(w, tables, HT_COUNT(tables));
	assert_true(strlen(live) > 4000);
	world_same(live, again);
	free(again);
	assert_ok(run_forget(w->db, "bandwidth"));
	world_fold(w);
	again = world_dump(w, tables, HT_COUNT(tables)); /* each contract in its time */
	world_same(live, again);
	free(again);
	free(live);
}

/* A link leaves the registry: its conclusion goes, what was measured stays. */
static void test_removed(void **state)
{
	struct world *w = *state;
	struct device d = router("own");

	poll_now(w, &d);
	minutes(w, &d, 12, 10e6, 1e6);
	throughput(w, "own", "ok", 21e6, 18.5e6);
	world_fold(w);
	w->now_ms += MINUTE;
	world_edit(w, "link.remove", "{\"id\":\"xa-wan\"}");
	world_fold(w);
	world_is(w, "SELECT count(*) FROM link_bandwidth", "0");
	world_is(w, "SELECT count(*) FROM problem WHERE closed_ms IS NULL", "0");
	world_is(w, "SELECT count(*) FROM bandwidth_hour", "1");
	/* Another line gets its id: what was measured is not its. */
	w->now_ms += DAY;
	world_edit(w, "link.put",
	    "{\"id\":\"xa-wan\",\"agency\":\"xa\",\"role\":\"primary\",\"kind\":"
	    "\"internet\",\"contracted_down_bps\":90000000}");
	world_fold(w);
	world_is(w, DOC("down.measured.value"), "NULL");
	world_is(w, DOC("down.used.value"), "NULL");
	world_is(w, DOC("used_window.observed"), "0");
	world_is(w, DOC("newest_test"), "NULL");
	world_is(w, "SELECT findings FROM link_bandwidth", "[]");
	minutes(w, &d, 70, 10e6, 1e6);
	world_fold(w);
	world_near(w, DOC("down.used.peak"), 10e6);
	/* What is left of a line that is long gone goes. */
	w->now_ms += MINUTE;
	world_edit(w, "link.remove", "{\"id\":\"xa-wan\"}");
	w->now_ms += 401 * DAY;
	world_edit(w, "link.put",
	    "{\"id\":\"xa-2\",\"agency\":\"xa\",\"role\":\"backup\",\"kind\":"
	    "\"internet\"}");
	world_fold(w);
	world_is(w, "SELECT count(*) FROM bandwidth_hour", "0");
	world_is(w, "SELECT count(*) FROM bandwidth_test", "0");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_nothing_measured),
		T(test_used),
		T(test_gaps),
		T(test_backlog),
		T(test_two_holes),
		T(test_refold_over_the_edge),
		T(test_cached_counters),
		T(test_told_once),
		T(test_throughput),
		T(test_cites_what_told_the_speed),
		T(test_old_test),
		T(test_strangers),
		T(test_month),
		T(test_centuries_back),
		T(test_refold),
		T(test_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
