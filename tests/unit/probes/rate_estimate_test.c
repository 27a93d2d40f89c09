#include "unit/test.h"

#include "probes/wan/throughput/rate_estimate.h"

#include <math.h>

#define MS INT64_C(1000000)
#define S  INT64_C(1000000000)

/* A synthetic transfer: rate by time, sampled every 50 ms, with noise. */
struct wire {
	struct rate_trace trace;
	int64_t now_ns;
	double bytes;
	uint64_t seed;
};

static double noise(struct wire *w) /* -1 … 1, the same each time */
{
	w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
	return (double)(int64_t)(w->seed >> 11) / (double)(1ull << 52) - 1;
}

static void flow(struct wire *w, int64_t for_ns, double bps, double scatter)
{
	for (int64_t at = 0; at < for_ns; at += 50 * MS) {
		w->now_ns += 50 * MS;
		w->bytes += bps / 8 * 0.05 * (1 + scatter * noise(w));
		rate_put(&w->trace, w->now_ns, (uint64_t)w->bytes);
	}
}

static void begin(struct wire *w)
{
	*w = (struct wire){ .now_ns = 77 * S, .seed = 1 };
	rate_put(&w->trace, w->now_ns, 0);
}

static void near(double got, double want, double share)
{
	if (fabs(got - want) > share * want)
		fail_msg("%g is not within %g %% of %g", got, share * 100, want);
}

static void test_steady(void **state)
{
	static const double rates[] = { 2e6, 1e8, 1e9, 9.4e10 };

	for (size_t i = 0; i < HT_COUNT(rates); i++) {
		struct wire w;
		struct rate_estimate e;

		begin(&w);
		flow(&w, 4 * S, rates[i], 0.05);
		assert_true(rate_estimate(&w.trace, &e));
		near(e.bps, rates[i], 0.01);
		assert_true(e.low < rates[i] && rates[i] < e.high);
		assert_true(e.settled && rate_enough(&e, 0.02));
	}
}

/* Slow start: 1.2 s that doubles every 100 ms. */
static void test_ramp_up(void **state)
{
	struct wire w;
	struct rate_estimate e;

	begin(&w);
	for (int i = 12; i > 0; i--)
		flow(&w, 100 * MS, 1e8 / pow(2, i), 0);
	flow(&w, 4 * S, 1e8, 0.05);
	assert_true(rate_estimate(&w.trace, &e));
	near(e.bps, 1e8, 0.01);
	assert_true(e.discarded_ns >= 800 * MS && e.discarded_ns <= 1600 * MS);
}

/* A token bucket lets its fill through first: 0.3 s at ten times the rate. */
static void test_bucket_burst(void **state)
{
	struct wire w;
	struct rate_estimate e;

	begin(&w);
	flow(&w, 300 * MS, 2e7, 0.05);
	flow(&w, 5 * S, 2e6, 0.05);
	assert_true(rate_estimate(&w.trace, &e));
	near(e.bps, 2e6, 0.01);
	assert_true(e.low < 2e6 && 2e6 < e.high);
	/* And one whose burst lasts nearly half of it. */
	begin(&w);
	flow(&w, 4 * S, 2e7, 0.05);
	flow(&w, 5 * S, 2e6, 0.05);
	assert_true(rate_estimate(&w.trace, &e));
	near(e.bps, 2e6, 0.01);
}

/* As long as it still climbs it is not settled, however narrow the interval. */
static void test_still_climbing(void **state)
{
	struct wire w;
	struct rate_estimate e;

	begin(&w);
	for (int i = 0; i < 50; i++)
		flow(&w, 100 * MS, 1e6 * (1 + i), 0);
	assert_true(rate_estimate(&w.trace, &e));
	assert_false(e.settled);
	assert_false(rate_enough(&e, 10));
}

/* Chance alone must not say that a steady rate has not settled. */
static void test_chance_is_no_climb(void **state)
{
	for (uint64_t seed = 1; seed <= 200; seed++) {
		struct wire w;
		struct rate_estimate e;

		begin(&w);
		w.seed = seed * 31337;
		flow(&w, 3 * S, 5e7, 0.3);
		assert_true(rate_estimate(&w.trace, &e));
		assert_true(e.settled);
	}
}

/* A second of silence in ten belongs to the answer, and widens it. */
static void test_stall(void **state)
{
	struct wire w;
	struct rate_estimate e;

	begin(&w);
	flow(&w, 6 * S, 1e7, 0.05);
	flow(&w, 1 * S, 0, 0);
	flow(&w, 3 * S, 1e7, 0.05);
	assert_true(rate_estimate(&w.trace, &e));
	assert_true(e.low < 0.9e7 && 0.9e7 < e.high);
	assert_false(rate_enough(&e, 0.05));
	assert_int_equal(rate_quiet_ns(&w.trace), 0);
	flow(&w, 2 * S, 0, 0);
	assert_int_equal(rate_quiet_ns(&w.trace), 2 * S);
}

static void test_short(void **state)
{
	struct wire w;
	struct rate_estimate e = { .bps = 7 };

	begin(&w);
	assert_false(rate_estimate(&w.trace, &e));
	assert_int_equal(rate_quiet_ns(&w.trace), 0);
	flow(&w, 900 * MS, 1e9, 0.01);
	assert_false(rate_estimate(&w.trace, &e));
	/* A ramp that leaves less than a second. */
	begin(&w);
	flow(&w, 700 * MS, 1e6, 0.01);
	flow(&w, 900 * MS, 1e9, 0.01);
	assert_false(rate_estimate(&w.trace, &e));
	assert_true(e.bps == 7);
	flow(&w, 500 * MS, 1e9, 0.01);
	assert_true(rate_estimate(&w.trace, &e));
	assert_false(rate_enough(&e, 1)); /* known, but for too short a time */
	/* Nothing at all came: zero, and never enough. */
	begin(&w);
	flow(&w, 5 * S, 0, 0);
	assert_true(rate_estimate(&w.trace, &e));
	assert_true(e.bps == 0 && e.low == 0 && !rate_enough(&e, 1));
}

/* Bytes that slide over a batch's edge and back (a hole in the stream that is filled
 * late) must not widen the interval as if the rate changed. */
static void test_sliding_bytes(void **state)
{
	struct wire w;
	struct rate_estimate e;

	begin(&w);
	for (int i = 0; i < 20; i++) {
		flow(&w, 350 * MS, 1e6, 0);
		flow(&w, 250 * MS, 1e7, 0.01);
	}
	assert_true(rate_estimate(&w.trace, &e));
	near(e.bps, (0.35e6 + 2.5e6) / 0.6, 0.05);
	assert_true(e.high - e.low < 0.3 * e.bps);
}

/* The true rate lies in the interval about as often as it says. */
static void test_coverage(void **state)
{
	int inside = 0;

	for (uint64_t seed = 1; seed <= 400; seed++) {
		struct wire w;
		struct rate_estimate e;

		begin(&w);
		w.seed = seed * 77777;
		flow(&w, 5 * S, 5e7, 0.5);
		assert_true(rate_estimate(&w.trace, &e));
		inside += e.low <= 5e7 && 5e7 <= e.high;
	}
	assert_in_range(inside, 360, 396); /* 90 % to 99 % */
}

static void test_long_trace(void **state)
{
	struct wire w;
	struct rate_estimate e;

	begin(&w);
	flow(&w, 300 * S, 3e7, 0.1);
	assert_true(w.trace.n <= RATE_SAMPLES_MAX);
	assert_int_equal(w.trace.at[0].at_ns, 77 * S);
	assert_true(w.trace.at[w.trace.n - 1].at_ns >= 376 * S);
	assert_true(rate_estimate(&w.trace, &e));
	near(e.bps, 3e7, 0.01);
}

static void test_bad_samples(void **state)
{
	struct rate_trace t = { 0 };

	rate_put(&t, 5, 100);
	rate_put(&t, 5, 200); /* no time has passed */
	rate_put(&t, 4, 300); /* the past */
	rate_put(&t, 9, 99);  /* fewer bytes */
	assert_int_equal(t.n, 1);
	rate_put(&t, 9, 100);
	assert_int_equal(t.n, 2);
}

static void test_streams(void **state)
{
	/* 4 at 100 Mbit/s over 30 ms carry 64 segments each: try 8; that brought nothing.
	 */
	assert_int_equal(rate_streams(4, 16, 1e8, 0, 0.03), 8);
	assert_int_equal(rate_streams(8, 16, 1.05e8, 1e8, 0.03), 8);
	assert_int_equal(rate_streams(8, 16, 1.8e8, 1e8, 0.03), 16);
	assert_int_equal(rate_streams(16, 16, 3.6e8, 1.8e8, 0.03), 16);
	assert_int_equal(rate_streams(4, 6, 1e8, 0, 0.03), 6);
	/* A slow line, and a near one: another stream has no room. */
	assert_int_equal(rate_streams(4, 16, 2e6, 0, 0.03), 4);
	assert_int_equal(rate_streams(4, 16, 1e8, 0, 0.0002), 4);
	/* A satellite's 2 Mbit/s have. */
	assert_int_equal(rate_streams(4, 16, 2e6, 0, 0.6), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steady),
		cmocka_unit_test(test_ramp_up),
		cmocka_unit_test(test_bucket_burst),
		cmocka_unit_test(test_still_climbing),
		cmocka_unit_test(test_chance_is_no_climb),
		cmocka_unit_test(test_stall),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_sliding_bytes),
		cmocka_unit_test(test_coverage),
		cmocka_unit_test(test_long_trace),
		cmocka_unit_test(test_bad_samples),
		cmocka_unit_test(test_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
