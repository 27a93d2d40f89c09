#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "server/derive/run.h"
#include "server/store/journal.h"
#include "server/store/migrate.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define T0 INT64_C(1764032400000)

static struct db *db;
static char dir[] = "/tmp/hatang-fuzz-XXXXXX";

static void must(ht_err err)
{
	if (err)
		abort();
}

static void edit(const char *verb, const char *data)
{
	char payload[600];
	int n = snprintf(payload, sizeof(payload),
	    "{\"effective_from\":\"2025-11-25T01:00:00.000Z\",\"data\":%s}", data);
	struct journal_row row = { .source = JOURNAL_OPERATOR,
		.kind = verb,
		.actor = "an",
		.received_ms = T0,
		.payload = payload,
		.len = (size_t)n };

	must(journal_append(db, &row));
}

static void clean(void)
{
	static const char *const tails[] = { "", "-wal", "-shm" };

	db_close(db);
	for (size_t i = 0; i < HT_COUNT(tails); i++) {
		char file[80];

		snprintf(file, sizeof(file), "%s/db%s", dir, tails[i]);
		unlink(file);
	}
	rmdir(dir);
}

/* One link and the agent that may measure it. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct ht_fault fault = { 0 };
	char file[80];

	ht_log_init("fuzz", HT_LOG_ERROR, false);
	if (!mkdtemp(dir))
		abort();
	atexit(clean);
	snprintf(file, sizeof(file), "%s/db", dir);
	must(db_open(file, false, &db, &fault));
	must(migrate(db, NULL, &fault));
	must(db_begin(db));
	edit("agency.put", "{\"id\":\"a\",\"name\":\"A\",\"level\":\"commune\"}");
	edit("link.put", "{\"id\":\"w\",\"agency\":\"a\",\"kind\":\"province-wan\","
			 "\"role\":\"primary\",\"contracted_down_bps\":50000000}");
	edit("agent.put", "{\"id\":\"o\",\"agency\":\"a\",\"vantage\":false}");
	must(db_commit(db));
	must(run_to_end(db));
	return 0;
}

static void pack(const void *payload, size_t len, enum journal_lane lane, int64_t at_ms)
{
	struct journal_row row = { .source = JOURNAL_AGENT,
		.kind = "data",
		.agent = "o",
		.lane = lane,
		.received_ms = at_ms,
		.content_type = SENML_JSON_TYPE,
		.payload = payload,
		.len = len };

	must(journal_append(db, &row));
}

/* A pack of agent "o" in both lanes, then an hour passes: whatever times, counters and
 * rates it tells, the folds go on, and nothing is dated before there were agents. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct writer_fold_state s = { .more = true };
	struct journal_row beat = { .source = JOURNAL_SERVER,
		.kind = "beat",
		.received_ms = T0 + INT64_C(7200000),
		.payload = "{}",
		.len = 2 };

	must(db_begin(db));
	pack(data, size, JOURNAL_DATA, T0 + 60000);
	pack(data, size, JOURNAL_HIST, T0 + 120000);
	must(journal_append(db, &beat));
	while (s.more)
		must(run_slice(db, INT64_C(1000000000), &s));
	db_rollback(db);
	return 0;
}
