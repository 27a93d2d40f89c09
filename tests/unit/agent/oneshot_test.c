/* One run of a probe: with the agent's memories, and without any. */
#include "unit/test.h"

#include <stdio.h>
#include <string.h>

#include "agent/oneshot.h"
#include "base/clock.h"

struct agent_side {
	char memory[32], key[HT_INSTANCE_MAX + 1];
	int ended;
};

static void emit(void *arg, const struct ht_reading *r)
{
	fail(); /* its readings are the asker's */
}

static const void *recall(void *arg, const char *instance, size_t *out_len)
{
	struct agent_side *a = arg;

	*out_len = strlen(a->memory);
	return a->memory;
}

static ht_err remember(void *arg, const char *instance, const void *bytes, size_t len)
{
	struct agent_side *a = arg;

	snprintf(a->memory, sizeof(a->memory), "%.*s", (int)len, (const char *)bytes);
	snprintf(a->key, sizeof(a->key), "%s", instance);
	return HT_OK;
}

static void ended(void *arg, const char *instance, bool ok)
{
	struct agent_side *a = arg;

	assert_string_equal(instance, a->key);
	assert_true(ok);
	a->ended++;
}

static void run(const struct runner_sink *memories, uint64_t first)
{
	struct options *o = NULL;
	struct runner_probe probe;
	struct oneshot once;
	char count[] = "count=2", *sets[] = { count };
	uv_loop_t loop;

	assert_ok(options_none(&o, NULL));
	assert_ok(options_probe(o, "selftest", sets, 1, &probe, NULL));
	assert_int_equal(uv_loop_init(&loop), 0);
	assert_ok(oneshot_start(
	    &once, &loop, &probe, &o->probe_site, NULL, NULL, memories, NULL, NULL));
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_int_equal(once.n, 2);
	assert_int_equal(once.readings[0].reading.counter, first);
	oneshot_fini(&once);
	options_free(o);
}

static void test_memories(void **state)
{
	struct agent_side a = { .memory = "40" };
	const struct runner_sink sink = { &a, emit, recall, remember, remember, ended };

	run(&sink, 41);
	assert_string_equal(a.memory, "42");
	assert_string_equal(a.key, "selftest.selftest");
	assert_int_equal(a.ended, 1);
	run(NULL, 1);
	assert_string_equal(a.memory, "42");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_memories) };

	return cmocka_run_group_tests_name("agent/oneshot", tests, NULL, NULL);
}
