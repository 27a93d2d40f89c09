#include "unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "probes/lan/sweep.h"

static struct ht_addr net_of(const char *text)
{
	struct ht_addr a;

	assert_ok(ht_addr_parse(text, &a));
	return a;
}

/* Runs a sweep to its end; counts how often each host of the /16 at most was asked. */
static uint32_t drain(struct sweep *s, uint8_t *asked, uint32_t max)
{
	int64_t now = HT_NS_PER_S;
	uint32_t n = 0, ip;

	while (n < max) {
		enum sweep_step step = sweep_next(s, now, &ip);

		if (step == SWEEP_END)
			break;
		if (step == SWEEP_WAIT) {
			assert_true(s->hold_ns > now);
			now = s->hold_ns;
			continue;
		}
		struct ht_addr a = ht_addr_from_v4(ip);
		assert_true(ht_addr_within(&s->net, &a));
		asked[ip & 0xffff]++;
		n++;
		now += HT_NS_PER_MS;
	}
	return n;
}

static void test_every_host_twice_and_none_else(void **state)
{
	static const struct {
		const char *net;
		uint32_t hosts, first, last;
	} rows[] = {
		{ "192.168.10.0/24", 254, 1, 254 },
		{ "192.168.10.128/25", 126, 129, 254 },
		{ "192.168.10.4/30", 2, 5, 6 },
		{ "192.168.10.4/31", 2, 4, 5 },
		{ "192.168.10.4/32", 1, 4, 4 },
	};

	for (size_t i = 0; i < HT_COUNT(rows); i++) {
		struct ht_addr net = net_of(rows[i].net);
		uint8_t asked[65536] = { 0 };
		struct sweep s;

		/* A remembered place far beyond: it must wrap, not leave the subnet. */
		assert_ok(sweep_init(&s, &net, 1000003, 100, 2));
		assert_int_equal(drain(&s, asked, UINT32_MAX), 2 * rows[i].hosts);
		for (uint32_t h = 0; h < 256; h++)
			assert_int_equal(asked[10 << 8 | h],
			    h >= rows[i].first && h <= rows[i].last ? 2 : 0);
		assert_int_equal(s.asked, rows[i].hosts);
		assert_int_equal(s.answered, 0);
		assert_int_equal(sweep_resume(&s), 0);
		sweep_fini(&s);
	}
}

static void test_who_answered_is_left_alone(void **state)
{
	struct ht_addr net = net_of("10.0.0.0/29");
	uint32_t ip, own = ht_addr_v4_host(&net, 5), n = 0;
	struct sweep s;

	assert_ok(sweep_init(&s, &net, 0, 256, 3));
	assert_true(sweep_answer(&s, own));
	assert_false(sweep_answer(&s, ht_addr_v4_host(&net, 0) - 1));
	assert_false(sweep_answer(&s, ht_addr_v4_host(&net, 5) + 1));
	for (int64_t now = 1; n < 100; now += SWEEP_RETRY_NS) {
		enum sweep_step step = sweep_next(&s, now, &ip);

		if (step == SWEEP_END)
			break;
		if (step != SWEEP_ASK)
			continue;
		assert_int_not_equal(ip, own);
		assert_true(sweep_answer(&s, ip));
		n++;
	}
	assert_int_equal(n, 5);
	assert_int_equal(s.asked, 6);
	assert_int_equal(s.answered, 6);
	sweep_fini(&s);
}

/* Runs cut short go on where whole chunks ended, and together ask all. */
static void test_large_subnets_are_spread_over_runs(void **state)
{
	struct ht_addr net = net_of("10.1.0.0/16");
	static uint8_t asked[65536];
	uint32_t at = 0, runs = 0;

	do {
		struct sweep s;

		assert_ok(sweep_init(&s, &net, at, 256, 2));
		drain(&s, asked, 1300); /* two and a half chunks, each twice */
		at = sweep_resume(&s);
		sweep_fini(&s);
		assert_true(++runs < 200);
	} while (runs < 2 || at > 512); /* around once */
	for (uint32_t h = 1; h < 65535; h++)
		assert_true(asked[h] >= 2);
	assert_int_equal(asked[0], 0);
	assert_int_equal(asked[65535], 0);
	assert_in_range(runs, 65534 / 650, 65534 / 512 + 2);
}

static void test_refusals(void **state)
{
	struct ht_addr wide = net_of("10.0.0.0/15"), six = net_of("fd00::/120");
	struct sweep s;

	assert_int_equal(sweep_init(&s, &wide, 0, 256, 2), HT_TOOLARGE);
	assert_int_equal(sweep_init(&s, &six, 0, 256, 2), HT_UNSUPPORTED);
}

static void test_pace_keeps_the_budget(void **state)
{
	static const int64_t rates[] = { 1, 3, 50, 999, 5000 };

	for (size_t i = 0; i < HT_COUNT(rates); i++) {
		struct pace p = { 0 };
		int64_t sent = 0, begin = 77 * HT_NS_PER_S;
		int64_t burst = rates[i] / 100 > 1 ? rates[i] / 100 : 1;

		/* A loop that looks once a millisecond, and sleeps long in between once.
		 */
		for (int64_t ms = 0; ms < 3000; ms++) {
			if (ms > 1000 && ms < 2000)
				continue;
			while (pace_take(&p, begin + ms * HT_NS_PER_MS, rates[i]))
				sent++;
		}
		/* Two seconds awake: a whole budget each, no more; the sleep is not made
		 * up for. */
		assert_true(sent <= 2 * rates[i] + 2 * burst);
		assert_true(sent >= 2 * rates[i] * 9 / 10 - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_host_twice_and_none_else),
		cmocka_unit_test(test_who_answered_is_left_alone),
		cmocka_unit_test(test_large_subnets_are_spread_over_runs),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_pace_keeps_the_budget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
