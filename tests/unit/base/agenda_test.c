/* The timing wheel against the plain way: look at all. */
#include "unit/test.h"

#include "base/agenda.h"
#include "base/clock.h"

enum { THINGS = 300, STEPS = 60000 };

static uint64_t seed;

static uint64_t draw(uint64_t below)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (seed >> 33) % below;
}

static int64_t least(const int64_t *at_ns)
{
	int64_t first = HT_AGENDA_NEVER;

	for (size_t i = 0; i < THINGS; i++)
		first = at_ns[i] < first ? at_ns[i] : first;
	return first;
}

/* Near, far (more than a turn), never; now and then the clock leaps. */
static int64_t some_time(int64_t now)
{
	switch (draw(8)) {
	case 0:
		return HT_AGENDA_NEVER;
	case 1:
		return now + (int64_t)draw(100 * HT_NS_PER_S);
	case 2:
		return now - (int64_t)draw(10 * HT_NS_PER_S);
	default:
		return now + (int64_t)draw(HT_NS_PER_S);
	}
}

static void take_due(struct ht_agenda *a, int64_t *at_ns, int64_t now)
{
	uint32_t thing, after;
	size_t n = 0;

	while (ht_agenda_due(a, now, &thing, &after)) {
		assert_true(at_ns[thing] <= now);
		assert_true(n++ < 4 * THINGS);
		at_ns[thing] = now + 1 + (int64_t)draw(3 * HT_NS_PER_S);
		ht_agenda_set(a, thing, at_ns[thing]);
	}
	assert_true(least(at_ns) > now);
}

static void test_like_looking_at_all(void **state)
{
	struct ht_agenda a;
	int64_t at_ns[THINGS], now = 1000 * HT_NS_PER_S;

	assert_ok(ht_agenda_init(&a, THINGS));
	for (size_t i = 0; i < THINGS; i++)
		at_ns[i] = HT_AGENDA_NEVER;
	assert_true(ht_agenda_first_ns(&a) == HT_AGENDA_NEVER);
	for (size_t step = 0; step < STEPS; step++) {
		size_t thing = draw(THINGS);

		at_ns[thing] = some_time(now);
		ht_agenda_set(&a, thing, at_ns[thing]);
		assert_true(ht_agenda_first_ns(&a) == least(at_ns));
		if (draw(4) == 0) {
			now += (int64_t)draw(
			    draw(500) ? 20 * HT_NS_PER_MS : 3600 * HT_NS_PER_S);
			take_due(&a, at_ns, now);
		}
	}
	ht_agenda_fini(&a);
}

static void test_none(void **state)
{
	struct ht_agenda a;
	uint32_t thing, after;

	assert_ok(ht_agenda_init(&a, 0));
	assert_true(ht_agenda_first_ns(&a) == HT_AGENDA_NEVER);
	assert_false(ht_agenda_due(&a, HT_NS_PER_S, &thing, &after));
	ht_agenda_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_like_looking_at_all),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
