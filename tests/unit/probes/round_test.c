/* What a round makes of replies: good ones, and all the others. */
#include "unit/test.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "probes/wan/ping/round.h"

#define MS     HT_NS_PER_MS
#define COOKIE UINT64_C(0x0123456789abcdef)
#define WALL   (INT64_C(1700000000) * HT_NS_PER_S) /* the wall clock at our clock's 0 */

struct fixture {
	struct round round;
	struct round_ping pings[ROUND_PINGS_MAX];
};

static void begin(struct fixture *f, size_t n)
{
	memset(f, 0, sizeof(*f));
	f->round = (struct round){
		.cookie = COOKIE, .wait_ns = 100 * MS, .payload = 56, .pings = f->pings
	};
	for (size_t i = 0; i < n; i++)
		assert_int_equal(round_send(&f->round, (int64_t)i * 10 * MS,
				     WALL + (int64_t)i * 10 * MS),
		    i);
}

static bool reply(struct fixture *f, uint16_t seq, int64_t rtt_ns)
{
	const struct icmp_echo e = { .seq = seq, .cookie = COOKIE, .payload = 56 };
	int64_t at = seq * 10 * MS + rtt_ns;

	return round_take(&f->round, &e, WALL + at, at + MS / 10);
}

static const char *reason(const struct fixture *f)
{
	static char text[ROUND_REASON_MAX];

	round_reason(&f->round, text);
	return text;
}

static void test_figures(void **state)
{
	static const int64_t rtts[] = { 20, 10, 40, 30, 95, 50, 60, 70, 80, 90 };
	struct round_times t;
	struct fixture f;
	double jitter = 0;

	begin(&f, 10);
	for (uint16_t i = 0; i < 10; i++) {
		assert_true(reply(&f, i, rtts[i] * MS));
		if (i) /* RFC 3550, 6.4.1 */
			jitter += (fabs((double)(rtts[i] - rtts[i - 1])) - jitter) / 16;
	}
	round_times(&f.round, &t);
	assert_int_equal(t.min_ns, 10 * MS);
	assert_int_equal(t.max_ns, 95 * MS);
	assert_int_equal(t.avg_ns, 545 * MS / 10);
	assert_int_equal(t.p50_ns, 50 * MS); /* nearest rank: the 5th of 10 */
	assert_int_equal(t.p95_ns, 95 * MS); /* the 10th */
	assert_int_equal(ht_hist_count(&t.hist), 10);
	assert_true(fabs(f.round.jitter_ns / MS - jitter) < 1e-9);
	assert_string_equal(reason(&f), "");
	assert_int_equal(round_decided(&f.round, 0, false), 10);
}

/* Jitter follows the order of arrival, whatever the order of sending was. */
static void test_reordered(void **state)
{
	struct fixture f;

	begin(&f, 3);
	assert_true(reply(&f, 2, 5 * MS));
	assert_true(reply(&f, 0, 60 * MS));
	assert_true(reply(&f, 1, 60 * MS));
	double first = 55.0 * MS / 16;
	assert_true(fabs(f.round.jitter_ns - (first - first / 16)) < 1);
}

static void test_one(void **state)
{
	struct round_times t;
	struct fixture f;

	begin(&f, 2);
	assert_true(reply(&f, 1, 7 * MS));
	round_times(&f.round, &t);
	assert_true(t.min_ns == 7 * MS && t.p50_ns == 7 * MS && t.p95_ns == 7 * MS);
}

static void test_late_and_twice(void **state)
{
	struct fixture f;

	begin(&f, 3);
	assert_true(reply(&f, 0, 100 * MS));
	assert_false(reply(&f, 1, 101 * MS)); /* its wait is over: it was lost */
	assert_false(reply(&f, 0, 50 * MS));
	assert_false(reply(&f, 0, 500 * MS));
	assert_int_equal(f.round.n_answered, 1);
	assert_string_equal(reason(&f), "2 replies that came twice, 1 late replies");
}

static void test_forged(void **state)
{
	struct icmp_echo e = { .seq = 0, .cookie = COOKIE ^ 1, .payload = 56 };
	struct fixture f;

	begin(&f, 2);
	assert_false(round_take(&f.round, &e, 0, MS));
	e.cookie = COOKIE;
	e.seq = 2; /* never sent */
	assert_false(round_take(&f.round, &e, 0, MS));
	e.seq = 65535;
	assert_false(round_take(&f.round, &e, 0, MS));
	round_malformed(&f.round);
	assert_int_equal(f.round.n_answered, 0);
	assert_string_equal(reason(&f), "3 forged replies, 1 "
					"truncated or malformed replies");
}

/* Some devices send back less than they got: an answer all the same, and it is said. */
static void test_short(void **state)
{
	const struct icmp_echo e = { .seq = 0, .cookie = COOKIE, .payload = 40 };
	struct fixture f;

	begin(&f, 1);
	assert_true(round_take(&f.round, &e, WALL + MS, MS));
	assert_string_equal(reason(&f), "1 replies that bring less than was sent");
}

/* The kernel's stamp counts, unless somebody has moved the wall clock. */
static void test_clocks(void **state)
{
	const struct icmp_echo e = { .seq = 0, .cookie = COOKIE, .payload = 56 };
	static const struct {
		int64_t kernel_ns, rtt_ns;
	} cases[] = {
		{ WALL + 20 * MS, 20 * MS }, /* read late, received in time */
		{ 0, 30 * MS },
		{ WALL - 1, 30 * MS },
		{ WALL + 40 * MS, 30 * MS },
		{ WALL + 3600 * HT_NS_PER_S, 30 * MS },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct fixture f;

		begin(&f, 1);
		assert_true(round_take(&f.round, &e, cases[i].kernel_ns, 30 * MS));
		assert_int_equal(f.pings[0].rtt_ns, cases[i].rtt_ns);
	}
}

static void test_undecided(void **state)
{
	struct fixture f;

	begin(&f, 3); /* sent at 0, 10, 20 ms; the wait is 100 ms */
	assert_true(reply(&f, 2, 5 * MS));
	assert_int_equal(round_decided(&f.round, 49 * MS, false), 1);
	assert_int_equal(round_decided(&f.round, 50 * MS, false), 2);
	assert_int_equal(round_decided(&f.round, 0, true), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_figures),
		cmocka_unit_test(test_reordered),
		cmocka_unit_test(test_one),
		cmocka_unit_test(test_late_and_twice),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_clocks),
		cmocka_unit_test(test_undecided),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
