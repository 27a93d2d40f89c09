/* bandwidth_bench NAME=VALUE…: what the use of links costs, on a database of its own.
 *
 * `links` links are polled each minute by a vantage for `hours` hours, all of a minute in
 * one pack; the pack goes through all folds, then through those without `bandwidth`. One
 * line of key=value: CPU of the fold by poll, bytes by link and hour, and what three
 * years of so many links would take. Times are CPU of this machine: compare, do not
 * quote. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "server/derive/folds.h"
#include "server/derive/run.h"
#include "server/store/db.h"
#include "server/store/journal.h"
#include "server/store/migrate.h"

#define T0     INT64_C(1763942400000)
#define MINUTE INT64_C(60000)

static struct {
	const char *name;
	int64_t value;
} options[] = { { "links", 50 }, { "hours", 48 } };
enum { LINKS, HOURS };

static struct db *db;

static void must(ht_err err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "bandwidth_bench: %s: %s (%s)\n", what, ht_err_name(err),
	    db ? db_error(db) : "");
	exit(1);
}

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void append(struct journal_row *row, const char *payload, int64_t now_ms)
{
	row->payload = payload;
	row->len = strlen(payload);
	row->received_ms = now_ms;
	must(journal_append(db, row), "append");
}

static void edit(const char *verb, const char *data)
{
	char payload[1024];
	struct journal_row row = {
		.source = JOURNAL_OPERATOR, .kind = verb, .actor = "bench"
	};

	snprintf(payload, sizeof(payload),
	    "{\"effective_from\":\"2025-01-01T00:00:00.000Z\",\"data\":%s}", data);
	append(&row, payload, T0 - MINUTE);
}

static void registry(void)
{
	char data[400];

	edit("agency.put", "{\"id\":\"core\",\"name\":\"C\",\"level\":\"province\"}");
	edit("agent.put", "{\"id\":\"v\",\"agency\":\"core\",\"vantage\":true}");
	for (int64_t i = 0; i < options[LINKS].value; i++) {
		snprintf(data, sizeof(data),
		    "{\"id\":\"xa-%03" PRId64
		    "\",\"name\":\"X\",\"level\":\"commune\",\"parent\":\"core\"}",
		    i);
		edit("agency.put", data);
		snprintf(data, sizeof(data),
		    "{\"id\":\"xa-%03" PRId64 "-wan\",\"agency\":\"xa-%03" PRId64
		    "\",\"role\":\"primary\",\"kind\":\"province-wan\","
		    "\"contracted_down_bps\":50000000,\"contracted_up_bps\":20000000}",
		    i, i);
		edit("link.put", data);
	}
}

/* Rates move as people work: no two slots alike. */
static uint64_t rate(int64_t link, int64_t minute)
{
	uint64_t x = (uint64_t)(link * 7919 + minute * 104729) * UINT64_C(2654435761);

	return 200000 + (x >> 16) % 40000000;
}

static void packs(void)
{
	size_t n = (size_t)options[LINKS].value;
	uint64_t *octets = calloc(n, sizeof(*octets));
	struct ht_buf b;

	if (!octets)
		must(HT_NOMEM, "counters");
	for (int64_t m = 0; m < options[HOURS].value * 60; m++) {
		struct journal_row row = { .source = JOURNAL_AGENT,
			.kind = "data",
			.agent = "v",
			.lane = JOURNAL_DATA,
			.content_type = SENML_JSON_TYPE };

		ht_buf_init(&b, 8 << 20);
		ht_buf_printf(
		    &b, "[{\"bn\":\"v/\",\"bt\":%" PRId64, (T0 + m * MINUTE) / 1000);
		for (size_t i = 0; i < n; i++) {
			octets[i] += rate((int64_t)i, m) * 60 / 8;
			ht_buf_printf(&b,
			    "%s\"n\":\"snmp/xa-%03zu-wan/link_interface\",\"vs\":"
			    "\"xa-%03zu-wan:e0\"},{\"n\":\"snmp/xa-%03zu-wan/"
			    "uptime\",\"u\":\"s\",\"v\":%" PRId64
			    "},{\"n\":\"if/xa-%03zu-wan:e0/in_octets\",\"u\":"
			    "\"count\",\"v\":%" PRIu64
			    "},{\"n\":\"if/xa-%03zu-wan:e0/out_octets\",\"u\":"
			    "\"count\",\"v\":%" PRIu64
			    "},{\"n\":\"if/xa-%03zu-wan:e0/speed\",\"u\":\"bit/"
			    "s\",\"v\":100000000}",
			    i ? ",{" : ",", i, i, i, 100000 + m * 60, i, octets[i], i,
			    octets[i] / 7, i);
		}
		ht_buf_puts(&b, "]");
		append(&row, ht_buf_text(&b), T0 + m * MINUTE);
		ht_buf_fini(&b);
	}
	free(octets);
}

static double fold(const struct fold *const *list, size_t n)
{
	struct writer_fold_state s = { .more = true };
	double from = cpu_s();

	while (s.more) {
		must(db_begin(db), "begin");
		must(run_slice_of(db, list, n, HT_NS_PER_S, &s), "fold");
		must(db_commit(db), "commit");
	}
	return cpu_s() - from;
}

enum { ROWS, BYTES, ASKED };
static const char *const texts[ASKED] = {
	[ROWS] = "SELECT count(*) FROM bandwidth_hour",
	[BYTES] = "SELECT sum(length(link) + length(agent) + length(slots) + 12)"
		  " FROM bandwidth_hour",
};
static const struct db_sql table = { "bench", texts, ASKED };

static int64_t one(int statement)
{
	struct db_rows *r = db_start(db, &table, statement, "");
	ht_err err = db_next(r);
	int64_t v = err ? 0 : db_int(r, 0);

	db_done(r);
	must(err, texts[statement]);
	return v;
}

int main(int argc, char **argv)
{
	static const struct fold *list[2] = { &fold_registry, &fold_bandwidth };
	char file[] = "/tmp/bandwidth_bench.XXXXXX";
	struct ht_fault fault = { 0 };

	for (int i = 1; i < argc; i++) {
		for (size_t k = 0; k < HT_COUNT(options); k++) {
			size_t len = strlen(options[k].name);

			if (strncmp(argv[i], options[k].name, len) == 0 &&
			    argv[i][len] == '=')
				options[k].value = strtoll(argv[i] + len + 1, NULL, 10);
		}
	}
	int fd = mkstemp(file);
	if (fd < 0)
		must(HT_IO, file);
	close(fd);
	must(db_open(file, false, &db, &fault), fault.text);
	must(migrate(db, NULL, &fault), fault.text);
	must(db_begin(db), "begin");
	registry();
	packs();
	must(db_commit(db), "commit");
	int64_t polls = options[LINKS].value * options[HOURS].value * 60;
	double base = fold(list, 1), with = fold(list, 2);
	int64_t rows = one(ROWS);
	int64_t bytes = one(BYTES);
	double hour = rows ? (double)bytes / (double)rows : 0;
	/* Hours are kept 66 days at most, then a row of about 250 bytes a month. */
	double three_years = hour * 24 * 66 + 36.0 * 250;
	printf("links=%" PRId64 " hours=%" PRId64 " polls=%" PRId64
	       " cpu_us_per_poll=%.1f decode_us_per_poll=%.1f rows=%" PRId64
	       " bytes_per_link_hour=%.0f three_years_mb_500_links=%.0f "
	       "three_years_mb_20000_links=%.0f\n",
	    options[LINKS].value, options[HOURS].value, polls,
	    (with - base) * 1e6 / (double)polls, base * 1e6 / (double)polls, rows, hour,
	    three_years * 500 / 1e6, three_years * 20000 / 1e6);
	db_close(db);
	unlink(file);
	return 0;
}
