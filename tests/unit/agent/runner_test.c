/* The runner with selftest on a real loop: numbers, memory, an orderly end. */
#include "unit/test.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/options.h"
#include "agent/runner.h"
#include "base/clock.h"

static uint64_t numbers[64];
static size_t n_numbers;
static char memory[32];
static int ended;

static void emit(void *arg, const struct ht_reading *r)
{
	assert_int_equal(r->metric, HT_M_SELFTEST_COUNT);
	if (n_numbers < HT_COUNT(numbers))
		numbers[n_numbers++] = r->counter;
}

static const void *recall(void *arg, const char *instance, size_t *out_len)
{
	*out_len = strlen(memory);
	return memory;
}

static ht_err keep(void *arg, const char *instance, const void *bytes, size_t len)
{
	assert_true(len < sizeof(memory));
	memcpy(memory, bytes, len);
	memory[len] = '\0';
	return HT_OK;
}

static void over(void *arg, const char *instance, bool ok)
{
	assert_true(ok);
	ended++;
}

static void closed(void *arg)
{
	*(bool *)arg = true;
}

static void test_selftest(void **state)
{
	static const char text[] =
	    "agent: { id: a }\n"
	    "probes: [{ probe: selftest, every: 50ms, count: 2 }]\n";
	struct options *o = NULL;
	struct runner *r = NULL;
	uv_loop_t loop;
	bool done = false;
	const struct runner_sink sink = { NULL, emit, recall, keep, keep, over };

	assert_ok(options_parse("t", text, strlen(text), &o, NULL));
	assert_int_equal(uv_loop_init(&loop), 0);
	const struct runner_config config = { .agent = "a",
		.probes = o->probes,
		.n_probes = o->n_probes,
		.site = &o->probe_site };
	assert_ok(runner_new(&loop, &config, &sink, &r));
	snprintf(memory, sizeof(memory), "40");
	runner_start(r);
	while (n_numbers < 10)
		uv_run(&loop, UV_RUN_ONCE);
	assert_int_equal(runner_soon(r, "nobody"), HT_NOTFOUND);
	assert_true(runner_job(r, 0)->runs >= 5);
	assert_null(runner_job(r, 1));
	runner_close(r, closed, &done);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(done);
	for (size_t i = 0; i < 10; i++)
		assert_int_equal(numbers[i], 41 + i);
	assert_int_equal(strtoll(memory, NULL, 10), 40 + (long long)n_numbers);
	assert_int_equal(uv_loop_close(&loop), 0);
	options_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_selftest) };

	return cmocka_run_group_tests_name("agent/runner", tests, NULL, NULL);
}
