/* Readings through collect, the worker thread and the spool, and back by the decoder. */
#include "unit/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/collect.h"

static char dir[64], path[96];
static uv_loop_t loop;
static struct worker *worker;
static struct collect *collect;
static struct spool_now moment;
static int commits, failures;

static void clock_of(void *arg, struct spool_now *out)
{
	*out = moment;
}

static void committed(void *arg, ht_err err, const struct spool_stats *stats)
{
	commits++;
	failures += err != HT_OK;
}

static void begin(enum senml_format format, int64_t max_pages)
{
	struct spool_config sc = { .path = path,
		.fingerprint = "f",
		.max_bytes = 1 << 24,
		.max_age_ns = 3600 * HT_NS_PER_S,
		.max_pages = max_pages };
	struct collect_config cc = { .agent = "office",
		.session = "0123456789abcdef",
		.format = format,
		.clock = clock_of,
		.committed = committed };
	struct spool *spool = NULL;

	commits = failures = 0;
	assert_ok(spool_open(&sc, &moment, &spool, NULL));
	assert_ok(worker_new_take(&loop, spool, &worker));
	assert_ok(collect_new(&cc, &collect));
	collect_worker(collect, worker);
}

static void closed(void *arg)
{
	*(bool *)arg = true;
}

static void end(void)
{
	bool done = false;

	worker_close(worker, closed, &done);
	while (!done)
		uv_run(&loop, UV_RUN_ONCE);
	collect_free(collect);
}

static void settle(void)
{
	while (!collect_idle(collect))
		uv_run(&loop, UV_RUN_ONCE);
}

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/hatang-collect-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/spool.db", dir);
	assert_int_equal(uv_loop_init(&loop), 0);
	moment = (struct spool_now){ .mono_ns = 100 * HT_NS_PER_S,
		.wall_ms = INT64_C(1519887600000),
		.synchronised = true,
		.boot = "00000000-0000-4000-8000-000000000001" };
	return 0;
}

static int teardown(void **state)
{
	char cmd[128];

	assert_int_equal(uv_loop_close(&loop), 0);
	snprintf(cmd, sizeof(cmd), "rm -r %s", dir);
	return system(cmd);
}

static void put_count(const char *instance, uint64_t n, int64_t at_ns)
{
	struct ht_reading r = { .metric = HT_M_SELFTEST_COUNT,
		.instance = instance,
		.at_ns = at_ns,
		.counter = n };

	collect_put(collect, &r);
}

/* Everything in the spool, decoded one after the other. */
struct seen {
	int packs;
	size_t records;
	uint64_t counts[8192];
	double times[8192];
	char strings[4][128];
	int n_strings;
	char memory[64];
};
static struct seen seen;

static bool see(void *arg, const struct spool_pack *p)
{
	struct senml_pack pack;
	struct ht_fault fault = { 0 };

	assert_ok(senml_decode(
	    (enum senml_format)p->format, p->payload, p->len, &pack, &fault));
	for (size_t i = 0; i < pack.n; i++) {
		assert_memory_equal(pack.records[i].name, "office/", 7);
		if (pack.records[i].kind == HT_STRING && seen.n_strings < 4)
			snprintf(seen.strings[seen.n_strings++], 128, "%s %s",
			    pack.records[i].name, pack.records[i].string);
		seen.times[seen.records] = pack.records[i].time_s;
		seen.counts[seen.records++] =
		    pack.records[i].kind == HT_COUNTER ? pack.records[i].counter : 0;
	}
	senml_pack_fini(&pack);
	seen.packs++;
	return true;
}

static void see_memory(void *arg, const struct spool_memory *m)
{
	snprintf(seen.memory, sizeof(seen.memory), "%s=%.*s", m->instance, (int)m->len,
	    (const char *)m->bytes);
}

static void look(void)
{
	struct spool_config sc = { .path = path,
		.fingerprint = "f",
		.max_bytes = 1 << 24,
		.max_age_ns = 3600 * HT_NS_PER_S };
	struct spool *spool = NULL;

	memset(&seen, 0, sizeof(seen));
	assert_ok(spool_open(&sc, &moment, &spool, NULL));
	assert_ok(spool_fetch(spool, 0, INT64_MAX, 1000, 1 << 30, see, NULL));
	assert_ok(spool_memories(spool, see_memory, NULL));
	spool_close(spool);
}

static void test_seal_by_age(void **state)
{
	begin(SENML_CBOR, 0);
	put_count("a", 1, moment.mono_ns);
	collect_tick(collect);
	moment.mono_ns += 4 * HT_NS_PER_S;
	put_count("a", UINT64_MAX, moment.mono_ns);
	collect_tick(collect);
	assert_int_equal(collect_counters(collect)->packs, 0);
	moment.mono_ns += HT_NS_PER_S;
	moment.wall_ms += 5000;
	collect_tick(collect);
	assert_int_equal(collect_counters(collect)->packs, 1);
	settle();
	end();
	look();
	assert_int_equal(seen.packs, 1);
	assert_int_equal(seen.records, 2);
	assert_true(seen.counts[1] == UINT64_MAX);
	assert_float_equal(seen.times[0], 1519887600.0, 0.001);
	assert_float_equal(seen.times[1], 1519887604.0, 0.001);
}

/* A run that has ended goes with the next tick; packs come no faster for that. */
static void test_ended_run_goes_soon(void **state)
{
	begin(SENML_CBOR, 0);
	put_count("a", 1, moment.mono_ns);
	collect_tick(collect);
	assert_int_equal(collect_counters(collect)->packs, 0);
	collect_ended(collect, "a");
	collect_tick(collect);
	assert_int_equal(collect_counters(collect)->packs, 1);
	for (uint64_t n = 1; n <= 20; n++) {
		moment.mono_ns += HT_NS_PER_S;
		put_count("a", n + 1, moment.mono_ns);
		collect_ended(collect, "a");
		collect_tick(collect);
	}
	assert_int_equal(collect_counters(collect)->packs, 1 + 20 / 5);
	settle();
	end();
	look();
	assert_int_equal(seen.records, 21);
}

static void test_free_clock(void **state)
{
	begin(SENML_JSON, 0);
	moment.synchronised = false;
	moment.wall_ms = 12345; /* 1970 */
	put_count("a", 1, moment.mono_ns);
	moment.mono_ns += 7 * HT_NS_PER_S;
	put_count("a", 2, moment.mono_ns);
	collect_flush(collect);
	settle();
	end();
	look();
	assert_float_equal(seen.times[0], -7.0, 0.001);
	assert_float_equal(seen.times[1], 0.0, 0.001);
}

static void test_seal_by_size(void **state)
{
	begin(SENML_JSON, 0);
	for (uint64_t n = 1; n <= 5000; n++) {
		put_count("some-instance-with-a-name", n, moment.mono_ns);
		while ((uint64_t)commits < collect_counters(collect)->packs)
			uv_run(&loop, UV_RUN_ONCE); /* the disk keeps up */
	}
	collect_flush(collect);
	settle();
	end();
	look();
	assert_int_equal(seen.records, 5000);
	for (size_t i = 0; i < seen.records; i++)
		assert_int_equal(seen.counts[i], i + 1);
	assert_true(seen.packs >= 5 && seen.packs <= 20);
}

static void test_memory_goes_with_its_run(void **state)
{
	size_t len;

	begin(SENML_CBOR, 0);
	put_count("a", 1, moment.mono_ns);
	assert_ok(collect_remember(collect, "a", "1", 1));
	assert_memory_equal(collect_recall(collect, "a", &len), "1", 1);
	assert_int_equal(len, 1);
	collect_flush(collect); /* in the middle of the run: the memory must wait */
	while (commits < 1)
		uv_run(&loop, UV_RUN_ONCE);
	look();
	assert_string_equal(seen.memory, "");
	collect_ended(collect, "a");
	settle();
	end();
	look();
	assert_string_equal(seen.memory, "a=1");
	assert_int_equal(seen.packs, 1);
}

/* Of a run that never ends: it must not wait for that; and can be forgotten. */
static void test_keyed_memory_goes_at_once(void **state)
{
	char big[100 * 1024] = { 'x' };

	begin(SENML_CBOR, 0);
	assert_ok(collect_remember(collect, "a", "1", 1)); /* stays staged */
	assert_ok(collect_keep(collect, "a/x", big, sizeof(big)));
	assert_false(collect_idle(collect));
	collect_flush(collect);
	settle();
	end();
	look();
	assert_true(strncmp(seen.memory, "a/x=x", 5) == 0);
	begin(SENML_CBOR, 0);
	assert_ok(collect_keep(collect, "a/x", "y", 1));
	collect_flush(collect);
	settle();
	assert_ok(collect_keep(collect, "a/x", NULL, 0));
	collect_flush(collect);
	settle();
	end();
	look();
	assert_string_equal(seen.memory, "");
}

static void test_runs_group_while_a_commit_is_under_way(void **state)
{
	begin(SENML_CBOR, 0);
	for (uint64_t n = 1; n <= 50; n++) {
		char text[8];
		int len = snprintf(text, sizeof(text), "%d", (int)n);
		put_count("a", n, moment.mono_ns);
		assert_ok(collect_remember(collect, "a", text, (size_t)len));
		collect_ended(collect, "a");
	}
	settle();
	end();
	look();
	assert_int_equal(seen.records, 50);
	assert_int_equal(seen.packs, 2); /* the first at once, 49 behind it */
	assert_string_equal(seen.memory, "a=50");
}

static void test_gaps_have_their_own_pack(void **state)
{
	struct spool_gap gaps[2] = { { 1, 2, "00ff:1-2 spool-full" },
		{ 2, 5, "00ff:5-5 too-old" } };

	begin(SENML_CBOR, 0);
	put_count("a", 1, moment.mono_ns);
	collect_gaps(collect, gaps, 2);
	collect_flush(collect);
	settle();
	end();
	look();
	assert_int_equal(seen.packs, 2);
	assert_string_equal(
	    seen.strings[0], "office/agent/spool/gap 00ff:1-2 spool-full");
	assert_int_equal(seen.n_strings, 2);
}

static void test_not_finite_is_refused(void **state)
{
	struct ht_reading r = { .metric = HT_M_ICMP_LOSS,
		.instance = "a",
		.at_ns = moment.mono_ns,
		.number = NAN };

	begin(SENML_CBOR, 0);
	collect_put(collect, &r);
	put_count("a", 1, moment.mono_ns);
	collect_flush(collect);
	settle();
	assert_int_equal(collect_counters(collect)->refused, 1);
	end();
	look();
	assert_int_equal(seen.records, 1);
}

/* The disk is full: nothing crashes, and what the failed pack would have remembered is
 * committed once there is space. */
static void test_full_disk(void **state)
{
	char big[4000];

	begin(SENML_CBOR, 40);
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	for (uint64_t n = 1; failures < 3; n++) {
		char text[8];
		int len = snprintf(text, sizeof(text), "%d", (int)n);
		struct ht_reading r = { .metric = HT_M_AGENT_PROPOSAL,
			.instance = "self",
			.at_ns = moment.mono_ns,
			.string = big };
		collect_put(collect, &r);
		assert_ok(collect_remember(collect, "a", text, (size_t)len));
		collect_ended(collect, "a");
		while (commits < (int)n)
			uv_run(&loop, UV_RUN_ONCE);
		assert_true(n < 200);
	}
	assert_true(collect_counters(collect)->failed >= 3);
	end();
	look();
	assert_true(seen.packs > 3);
	assert_true(strncmp(seen.memory, "a=", 2) == 0);
}

/* What is urgent is sealed at once; a storm of it shares packs. */
static void test_urgent_goes_at_once(void **state)
{
	begin(SENML_CBOR, 0);
	put_count("a", 1, moment.mono_ns);
	collect_urgent(collect);
	assert_int_equal(collect_counters(collect)->packs, 1);
	for (uint64_t n = 2; n <= 100; n++) {
		put_count("a", n, moment.mono_ns);
		collect_urgent(collect);
	}
	assert_int_equal(collect_counters(collect)->packs, COLLECT_URGENT_MAX);
	settle();
	end();
	look();
	assert_int_equal(seen.packs, COLLECT_URGENT_MAX + 1);
	assert_int_equal(seen.records, 100);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_seal_by_age),
		T(test_ended_run_goes_soon),
		T(test_free_clock),
		T(test_seal_by_size),
		T(test_urgent_goes_at_once),
		T(test_memory_goes_with_its_run),
		T(test_keyed_memory_goes_at_once),
		T(test_runs_group_while_a_commit_is_under_way),
		T(test_gaps_have_their_own_pack),
		T(test_not_finite_is_refused),
		T(test_full_disk),
	};

	return cmocka_run_group_tests_name("agent/collect", tests, NULL, NULL);
}
