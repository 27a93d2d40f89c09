/* What a big failure costs the folds of links and of incidents: `links` links behind
 * `parents` parents, each of another district and carrier; `failing` links and all
 * parents die at once and come back. Prints CPU seconds of each part, and the incidents.
 * outage_bench [links=N] [parents=N] [failing=N] */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "server/alert/rules.h"
#include "server/derive/folds.h"
#include "server/derive/run.h"
#include "server/derive/share.h"
#include "server/store/db.h"
#include "server/store/journal.h"
#include "server/store/migrate.h"

#define T0 INT64_C(1519862400000)

static struct {
	const char *name;
	int64_t value;
} options[] = { { "links", 20000 }, { "parents", 40 }, { "failing", 2000 } };
enum { LINKS, PARENTS, FAILING };

static const struct fold *const list[] = { &fold_registry, &fold_anchor, &fold_presence,
	&fold_links, &fold_alert };
static struct db *db;
static int64_t now_ms = T0;
static char payload[65536];
static size_t len;

enum { DOWN, OUTAGES, INCIDENTS, STATEMENTS };
static const char *const texts[STATEMENTS] = {
	[DOWN] = "SELECT count(*) FILTER (WHERE state = 'DOWN'),"
		 " count(*) FILTER (WHERE state = 'UNREACHABLE') FROM link_memory",
	[OUTAGES] = "SELECT count(*), count(*) FILTER (WHERE closed_ms IS NULL),"
		    " count(*) FILTER (WHERE kind = 'link-unreachable' AND root IS NULL)"
		    " FROM problem",
	[INCIDENTS] = "SELECT (SELECT count(*) FROM incident WHERE closed_ms IS NULL),"
		      " (SELECT count(*) FROM incident_member WHERE left_ms IS NULL),"
		      " (SELECT count(*) FROM outbox)",
};
static const struct db_sql table = { "bench", texts, STATEMENTS };

static void must(ht_err err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "outage_bench: %s: %s %s\n", what, ht_err_name(err),
	    db ? db_error(db) : "");
	exit(1);
}

static void append(enum journal_source source, const char *kind, const char *agent,
    const void *bytes, size_t n)
{
	struct journal_row row = { .source = source,
		.kind = kind,
		.agent = agent,
		.actor = source == JOURNAL_OPERATOR ? "bench" : NULL,
		.lane = source == JOURNAL_AGENT ? JOURNAL_DATA : JOURNAL_NO_LANE,
		.content_type = source == JOURNAL_AGENT ? SENML_JSON_TYPE : NULL,
		.received_ms = now_ms,
		.payload = bytes,
		.len = n };

	must(journal_append(db, &row), "append");
}

static void edit(const char *kind, const char *data)
{
	char json[700];
	int n = snprintf(json, sizeof(json),
	    "{\"effective_from\":\"2018-03-01T00:00:00.000Z\",\"data\":%s}", data);

	append(JOURNAL_OPERATOR, kind, NULL, json, (size_t)n);
}

static void registry(void)
{
	char data[500];

	edit("agency.put", "{\"id\":\"tinh\",\"name\":\"tinh\",\"level\":\"province\"}");
	edit("agent.put", "{\"id\":\"core\",\"agency\":\"tinh\",\"vantage\":true}");
	for (int64_t i = 0; i < options[PARENTS].value; i++) {
		snprintf(data, sizeof(data),
		    "{\"id\":\"d%" PRId64 "\",\"name\":\"d\",\"level\":\"district\","
		    "\"parent\":\"tinh\"}",
		    i);
		edit("agency.put", data);
		snprintf(data, sizeof(data),
		    "{\"id\":\"p%" PRId64 "\",\"agency\":\"d%" PRId64
		    "\",\"role\":\"primary\","
		    "\"kind\":\"province-wan\",\"provider\":\"c%" PRId64 "\"}",
		    i, i, i);
		edit("link.put", data);
	}
	for (int64_t i = 0; i < options[LINKS].value; i++) {
		snprintf(data, sizeof(data),
		    "{\"id\":\"x%" PRId64
		    "\",\"name\":\"x\",\"level\":\"commune\",\"parent\":\"d%" PRId64
		    "\"}",
		    i, i % options[PARENTS].value);
		edit("agency.put", data);
		snprintf(data, sizeof(data),
		    "{\"id\":\"l%" PRId64 "\",\"agency\":\"x%" PRId64
		    "\",\"role\":\"primary\",\"kind\":\"province-wan\",\"provider\":"
		    "\"c%" PRId64 "\",\"parents\":\"p%" PRId64 "\"}",
		    i, i, i % options[PARENTS].value, i % options[PARENTS].value);
		edit("link.put", data);
	}
}

static void flush(void)
{
	if (!len)
		return;
	payload[len++] = ']';
	append(JOURNAL_AGENT, "data", "core", payload, len);
	len = 0;
}

static void say(const char *prefix, int64_t i, const char *what)
{
	if (!len)
		len = (size_t)snprintf(payload, sizeof(payload),
		    "[{\"bn\":\"core/\",\"bt\":%" PRId64 "}", now_ms / 1000);
	len += (size_t)snprintf(payload + len, sizeof(payload) - len,
	    ",{\"n\":\"reach/%s%" PRId64 "/state\",\"vs\":\"%s\"},"
	    "{\"n\":\"reach/%s%" PRId64 "/unanswered-for\",\"u\":\"s\",\"v\":2.5},"
	    "{\"n\":\"reach/%s%" PRId64 "/answered-ago\",\"u\":\"s\",\"v\":3.5}",
	    prefix, i, what, prefix, i, prefix, i);
	if (len > sizeof(payload) - 1000)
		flush();
}

static void say_all(const char *what, int64_t links)
{
	now_ms += 60000;
	for (int64_t i = 0; i < options[PARENTS].value; i++)
		say("p", i, what);
	for (int64_t i = 0; i < links; i++)
		say("l", i, what);
	flush();
}

static void fold(const char *part)
{
	struct writer_fold_state s = { .more = true };
	clock_t from = clock();
	int64_t longest_ns = 0;

	for (; s.more;) {
		int64_t slice_ns = ht_mono_ns();
		must(db_begin(db), "begin");
		must(run_slice_of(db, list, HT_COUNT(list), 20 * HT_NS_PER_MS, &s),
		    "fold");
		must(db_commit(db), "commit");
		slice_ns = ht_mono_ns() - slice_ns;
		if (slice_ns > longest_ns)
			longest_ns = slice_ns;
	}
	double cpu_s = (double)(clock() - from) / CLOCKS_PER_SEC;
	struct db_rows *r = db_start(db, &table, DOWN, "");
	must(db_next(r), "count");
	printf("part=%s cpu_s=%.3f longest_slice_ms=%.1f down=%" PRId64
	       " unreachable=%" PRId64,
	    part, cpu_s, (double)longest_ns / 1e6, db_int(r, 0), db_int(r, 1));
	db_done(r);
	r = db_start(db, &table, OUTAGES, "");
	must(db_next(r), "count");
	printf(" problems=%" PRId64 " open=%" PRId64 " rootless=%" PRId64, db_int(r, 0),
	    db_int(r, 1), db_int(r, 2));
	db_done(r);
	r = db_start(db, &table, INCIDENTS, "");
	must(db_next(r), "count");
	printf(" incidents=%" PRId64 " members=%" PRId64 " messages=%" PRId64 "\n",
	    db_int(r, 0), db_int(r, 1), db_int(r, 2));
	db_done(r);
	fflush(stdout);
}

static void measure(const char *part, const char *what, int64_t links)
{
	must(db_begin(db), "begin");
	if (what)
		say_all(what, links);
	else
		registry();
	must(db_commit(db), "commit");
	fold(part);
}

/* Ten seconds later: who gathers before he tells has told. */
static void beat(const char *part)
{
	now_ms += 10000;
	must(db_begin(db), "begin");
	append(JOURNAL_SERVER, "beat", NULL, "{}", 2);
	must(db_commit(db), "commit");
	fold(part);
}

static void take_options(int n, char **words)
{
	for (int i = 0; i < n; i++) {
		for (size_t k = 0; k < HT_COUNT(options); k++) {
			size_t name = strlen(options[k].name);

			if (strncmp(words[i], options[k].name, name) == 0 &&
			    words[i][name] == '=')
				options[k].value = strtoll(words[i] + name + 1, NULL, 10);
		}
	}
}

int main(int argc, char **argv)
{
	static const char *const tails[] = { "", "-wal", "-shm" };
	char dir[] = "/tmp/hatang-bench-XXXXXX", file[64];
	struct ht_fault fault = { 0 };

	struct rules *rules = NULL;
	const struct rules_channel channel = { "chat", true };
	char path[PATH_MAX];

	take_options(argc - 1, argv + 1);
	must(share_path(RULES_SHIPPED, path), "share");
	must(rules_load(path, &channel, 1, &rules, &fault), fault.text);
	rules_use_here(rules);
	if (!mkdtemp(dir))
		must(HT_IO, "mkdtemp");
	snprintf(file, sizeof(file), "%s/server.db", dir);
	if (db_open(file, false, &db, &fault) || migrate(db, NULL, &fault)) {
		fprintf(stderr, "outage_bench: %s\n", fault.text);
		return 1;
	}
	fold("empty"); /* what comes after this is told */
	measure("registry", NULL, 0);
	measure("up", "up", options[LINKS].value);
	measure("down", "down", options[FAILING].value);
	beat("told");
	measure("back", "up", options[FAILING].value);
	db_close(db);
	for (size_t i = 0; i < HT_COUNT(tails); i++) {
		snprintf(file, sizeof(file), "%s/server.db%s", dir, tails[i]);
		unlink(file);
	}
	rmdir(dir);
	rules_use_here(NULL);
	rules_free(rules);
	return 0;
}
