/* fold_bench NAME=VALUE…: how fast the folds are, on a database of its own in `dir`.
 *
 * It appends what an import of `agencies` agencies writes (agency, headcount, link,
 * agent) and folds it in the writer's slices, then `packs` packs of 10 records from those
 * agents in turn, then lets `hours` hours pass and settles what moved with the windows.
 * One line of key=value for each part; times in seconds of this machine: compare, do not
 * quote. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/derive/run.h"
#include "server/store/db.h"
#include "server/store/journal.h"
#include "server/store/migrate.h"

#define SLICE_NS (20 * HT_NS_PER_MS) /* as the writer's */
#define T0       INT64_C(1519862400000)

static struct {
	const char *name;
	int64_t value;
} options[] = { { "agencies", 2000 }, { "fanout", 320 }, { "packs", 4000 },
	{ "hours", 2 } };
enum { AGENCIES, FANOUT, PACKS, HOURS };

static struct db *db;
static int64_t now_ms = T0;

static void must(ht_err err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "fold_bench: %s: %s (%s)\n", what, ht_err_name(err),
	    db ? db_error(db) : "");
	exit(1);
}

static double seconds_since(int64_t from_ns)
{
	return (double)(ht_mono_ns() - from_ns) / 1e9;
}

/* ── rows ────────────────────────────────────────────────────────────────────────── */

static void append(struct journal_row *row, const char *payload)
{
	row->payload = payload;
	row->len = strlen(payload);
	row->received_ms = now_ms;
	must(journal_append(db, row), "append");
}

static void edit(const char *verb, const char *data)
{
	char at[HT_RFC3339_LEN + 1], payload[1024];
	struct journal_row row = {
		.source = JOURNAL_OPERATOR, .kind = verb, .actor = "bench"
	};

	ht_rfc3339(now_ms, at);
	snprintf(payload, sizeof(payload), "{\"effective_from\":\"%s\",\"data\":%s}", at,
	    data);
	append(&row, payload);
}

/* The parent of agency i: a tree with `fanout` below each node. */
static void put_agency(int64_t i)
{
	char data[512], parent[64] = "";
	static const char *const levels[] = { "commune", "province" };

	if (i)
		snprintf(parent, sizeof(parent), ",\"parent\":\"a%" PRId64 "\"",
		    (i - 1) / options[FANOUT].value);
	snprintf(data, sizeof(data),
	    "{\"id\":\"a%" PRId64 "\",\"name\":\"Cơ quan %" PRId64
	    "\",\"level\":\"%s\"%s}",
	    i, i, levels[i == 0], parent);
	edit("agency.put", data);
}

static void put_rest(int64_t i)
{
	char data[512];

	snprintf(data, sizeof(data),
	    "{\"agency\":\"a%" PRId64
	    "\",\"as_of\":\"2018-01-01T00:00:00.000Z\",\"servants\":%" PRId64 "}",
	    i, 10 + i % 50);
	edit("headcount.put", data);
	snprintf(data, sizeof(data),
	    "{\"id\":\"l%" PRId64 "\",\"agency\":\"a%" PRId64
	    "\",\"role\":\"primary\",\"kind\":\"province-wan\",\"line_type\":\"ftth\","
	    "\"contracted_down_bps\":20000000,\"contracted_up_bps\":10000000}",
	    i, i);
	edit("link.put", data);
	snprintf(data, sizeof(data),
	    "{\"id\":\"g%" PRId64 "\",\"agency\":\"a%" PRId64 "\",\"vantage\":false}", i,
	    i);
	edit("agent.put", data);
}

static int64_t append_import(void)
{
	must(db_begin(db), "begin");
	for (int64_t i = 0; i < options[AGENCIES].value; i++)
		put_agency(i);
	for (int64_t i = 0; i < options[AGENCIES].value; i++)
		put_rest(i);
	must(db_commit(db), "commit");
	return 4 * options[AGENCIES].value;
}

/* Ten records: a round of pings, what a scan says, an answer, a card. */
static void put_pack(int64_t i)
{
	char payload[2048], agent[32];
	int64_t which = i % options[AGENCIES].value;
	struct journal_row row = { .source = JOURNAL_AGENT,
		.kind = "data",
		.agent = agent,
		.lane = JOURNAL_DATA,
		.content_type = SENML_JSON_TYPE };

	snprintf(agent, sizeof(agent), "g%" PRId64, which);
	snprintf(payload, sizeof(payload),
	    "[{\"bn\":\"g%1$" PRId64 "/\",\"bt\":%2$" PRId64 ",\"n\":\"icmp/l%1$" PRId64
	    "/status\",\"vs\":\"ok\"},"
	    "{\"n\":\"icmp/l%1$" PRId64 "/sent\",\"u\":\"count\",\"v\":5},"
	    "{\"n\":\"icmp/l%1$" PRId64 "/received\",\"u\":\"count\",\"v\":5},"
	    "{\"n\":\"icmp/l%1$" PRId64 "/loss\",\"u\":\"/\",\"v\":0},"
	    "{\"n\":\"icmp/l%1$" PRId64 "/rtt_avg\",\"u\":\"s\",\"v\":0.0%3$" PRId64 "},"
	    "{\"n\":\"lan/lan/subnet\",\"vs\":\"10.1.0.0/24\"},"
	    "{\"n\":\"lan/lan/targets\",\"u\":\"count\",\"v\":254},"
	    "{\"n\":\"lan/lan/probed\",\"u\":\"count\",\"v\":254},"
	    "{\"n\":\"mac/f8:b1:56:00:00:%4$02x/seen_by\",\"vs\":\"arp-scan\"},"
	    "{\"n\":\"posture/packet-filter/answer\",\"vs\":\"yes\"}]",
	    which, now_ms / 1000, 10 + i % 80,
	    (unsigned)(i / options[AGENCIES].value) % 40u);
	append(&row, payload);
}

static int64_t append_packs(void)
{
	int64_t n = options[PACKS].value;

	must(db_begin(db), "begin");
	for (int64_t i = 0; i < n; i++) {
		now_ms += i % options[AGENCIES].value == 0 ? 60000 : 0;
		put_pack(i);
	}
	must(db_commit(db), "commit");
	return n;
}

static int64_t append_beats(void)
{
	struct journal_row row = { .source = JOURNAL_SERVER, .kind = "beat" };

	must(db_begin(db), "begin");
	for (int64_t h = 0; h < options[HOURS].value; h++) {
		now_ms += INT64_C(3600000);
		append(&row, "{}");
	}
	must(db_commit(db), "commit");
	return options[HOURS].value;
}

/* ── folding ─────────────────────────────────────────────────────────────────────── */

static void fold(const char *part, int64_t rows, double append_s)
{
	struct writer_fold_state state = { .more = true };
	int64_t from = ht_mono_ns(), n = 0, longest = 0;

	while (state.more) {
		int64_t began = ht_mono_ns();
		must(db_begin(db), "begin");
		must(run_slice(db, SLICE_NS, &state), "slice");
		must(db_commit(db), "commit");
		int64_t took = ht_mono_ns() - began;
		longest = took > longest ? took : longest;
		n++;
	}
	double s = seconds_since(from);
	printf("part=%s rows=%" PRId64 " append_s=%.3f fold_s=%.3f rows_per_s=%.0f"
	       " slices=%" PRId64 " longest_slice_ms=%.1f\n",
	    part, rows, append_s, s, s > 0 ? (double)rows / s : 0, n,
	    (double)longest / 1e6);
	fflush(stdout);
}

static void measure(const char *part, int64_t (*rows)(void))
{
	int64_t from = ht_mono_ns(), n = rows();

	fold(part, n, seconds_since(from));
}

static void take_options(int n, char **words)
{
	for (int i = 0; i < n; i++) {
		bool known = false;
		char *eq = strchr(words[i], '=');

		for (size_t k = 0; eq && k < HT_COUNT(options); k++) {
			if (strncmp(words[i], options[k].name, (size_t)(eq - words[i])) ||
			    options[k].name[eq - words[i]])
				continue;
			options[k].value = strtoll(eq + 1, NULL, 10);
			known = true;
		}
		if (!known || options[FANOUT].value < 1 || options[AGENCIES].value < 1) {
			fprintf(stderr, "usage: fold_bench [agencies=N] [fanout=N] "
					"[packs=N] [hours=N]\n");
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	static const char *const tails[] = { "", "-wal", "-shm" };
	char dir[] = "/tmp/hatang-bench-XXXXXX", file[64];
	struct ht_fault fault = { 0 };

	take_options(argc - 1, argv + 1);
	if (!mkdtemp(dir))
		must(HT_IO, "mkdtemp");
	snprintf(file, sizeof(file), "%s/server.db", dir);
	if (db_open(file, false, &db, &fault) || migrate(db, NULL, &fault)) {
		fprintf(stderr, "fold_bench: %s\n", fault.text);
		return 1;
	}
	measure("import", append_import);
	measure("packs", append_packs);
	measure("packs-again", append_packs);
	measure("hours", append_beats);
	db_close(db);
	for (size_t i = 0; i < HT_COUNT(tails); i++) {
		snprintf(file, sizeof(file), "%s/server.db%s", dir, tails[i]);
		unlink(file);
	}
	rmdir(dir);
	return 0;
}
