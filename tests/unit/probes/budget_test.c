#include "unit/test.h"

#include "probes/wan/throughput/budget.h"

#include <string.h>

#define BOOT  "01234567-89ab-cdef-0123-456789abcdef"
#define OTHER "fedcba98-89ab-cdef-0123-456789abcdef"
#define S     HT_NS_PER_S
#define DAY   INT64_C(86400000)

static int64_t at(const char *text)
{
	int64_t ms;

	assert_ok(ht_rfc3339_parse(text, &ms));
	return ms;
}

static void fresh(struct budget *b)
{
	budget_load(b, "", 0);
	assert_int_equal(budget_left(b, 100, 1000), 100);
	assert_int_equal(budget_since_ms(b), INT64_MAX);
}

/* As between two runs: through its bytes. */
static void again(struct budget *b)
{
	uint8_t bytes[BUDGET_BYTES];
	struct budget read;
	size_t len = budget_save(b, bytes);

	assert_true(len <= sizeof(bytes));
	budget_load(&read, bytes, len);
	assert_memory_equal(&read, b, sizeof(read));
	*b = read;
}

static void test_day_and_month(void **state)
{
	struct budget b;

	fresh(&b);
	budget_clock(&b, at("2018-02-27T23:59:00Z"), BOOT, 1 * S);
	budget_spend(&b, 80);
	again(&b);
	assert_int_equal(budget_left(&b, 100, 250), 20);
	budget_clock(&b, at("2018-02-28T00:01:00Z"), BOOT, 121 * S);
	assert_int_equal(budget_left(&b, 100, 250), 100);
	budget_spend(&b, 90);
	again(&b);
	budget_clock(&b, at("2018-02-28T23:59:59Z"), BOOT, 200 * S);
	assert_int_equal(budget_left(&b, 100, 250), 10);
	assert_int_equal(budget_left(&b, 1000, 175), 5);
	assert_int_equal(budget_left(&b, 1000, 100), 0); /* less than was spent */
	budget_clock(&b, at("2018-03-01T00:00:00Z"), BOOT, 201 * S);
	assert_int_equal(budget_left(&b, 1000, 250), 250);
}

/* Months end where the calendar says. */
static void test_calendar(void **state)
{
	static const struct {
		const char *before, *after;
		bool new_month;
	} cases[] = {
		{ "2016-02-28T12:00:00Z", "2016-02-29T12:00:00Z", false },
		{ "2016-02-29T12:00:00Z", "2016-03-01T12:00:00Z", true },
		{ "2018-02-28T12:00:00Z", "2018-03-01T12:00:00Z", true },
		{ "2018-12-31T23:59:59Z", "2019-01-01T00:00:00Z", true },
		{ "2018-07-30T00:00:00Z", "2018-07-31T00:00:00Z", false },
		{ "2018-07-31T00:00:00Z", "2018-08-01T00:00:00Z", true },
		{ "2018-03-01T00:00:00Z", "2019-03-01T00:00:00Z", true },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct budget b;

		fresh(&b);
		budget_clock(&b, at(cases[i].before), BOOT, S);
		budget_spend(&b, 7);
		budget_clock(&b, at(cases[i].after), BOOT, 2 * S);
		assert_int_equal(budget_left(&b, 100, 10), cases[i].new_month ? 10 : 3);
	}
}

/* A clock that is not believed: 1970 after a power cut, then days of the same boot. */
static void test_no_clock(void **state)
{
	struct budget b;

	fresh(&b);
	budget_clock(&b, at("2018-03-10T08:00:00Z"), BOOT, 1000 * S);
	budget_spend(&b, 100);
	again(&b);
	/* Another boot says nothing of the time that passed. */
	budget_clock(&b, BUDGET_UNKNOWN, OTHER, 90000 * S);
	assert_int_equal(budget_left(&b, 100, 1000), 0);
	again(&b);
	/* But from here on it does. */
	budget_clock(&b, BUDGET_UNKNOWN, OTHER, 90000 * S + 15 * 3600 * S);
	assert_int_equal(budget_left(&b, 100, 1000), 0); /* 23:00 */
	budget_clock(&b, BUDGET_UNKNOWN, OTHER, 90000 * S + 17 * 3600 * S);
	assert_int_equal(budget_left(&b, 100, 1000), 100);
	assert_int_equal(budget_left(&b, 1000, 1000), 900);
	/* A boot's clock does not go back. */
	budget_clock(&b, BUDGET_UNKNOWN, OTHER, 5 * S);
	assert_int_equal(b.known_ms, at("2018-03-11T01:00:00Z"));
}

/* Never a clock: it counts all the same, and the first that comes gives nothing back. */
static void test_clock_comes_late(void **state)
{
	struct budget b;

	fresh(&b);
	budget_clock(&b, BUDGET_UNKNOWN, BOOT, 1 * S);
	budget_spend(&b, 60);
	again(&b);
	budget_clock(&b, BUDGET_UNKNOWN, BOOT, 40 * 86400 * S);
	assert_int_equal(budget_left(&b, 100, 1000), 40);
	budget_clock(&b, at("2018-03-10T08:00:00Z"), BOOT, 40 * 86400 * S);
	assert_int_equal(budget_left(&b, 100, 1000), 40);
	budget_clock(&b, at("2018-03-11T08:00:00Z"), BOOT, 41 * 86400 * S);
	assert_int_equal(budget_left(&b, 100, 1000), 100);
}

/* A wrong future that was believed once does not stand still until then. */
static void test_wrong_future(void **state)
{
	struct budget b;

	fresh(&b);
	budget_clock(&b, at("2038-01-01T00:00:00Z"), BOOT, 1 * S);
	budget_spend(&b, 60);
	budget_done(&b);
	budget_clock(&b, at("2018-03-10T08:00:00Z"), BOOT, 2 * S);
	assert_int_equal(budget_left(&b, 100, 1000), 40); /* nothing given back */
	assert_int_equal(budget_since_ms(&b), 0);
	budget_clock(&b, at("2018-04-10T08:00:00Z"), BOOT, 3 * S);
	assert_int_equal(budget_left(&b, 100, 1000), 100);
}

static void test_success(void **state)
{
	struct budget b;

	fresh(&b);
	budget_done(&b); /* at an unknown time */
	assert_int_equal(budget_since_ms(&b), INT64_MAX);
	budget_clock(&b, at("2018-03-10T08:00:00Z"), BOOT, 1 * S);
	budget_done(&b);
	again(&b);
	budget_clock(&b, BUDGET_UNKNOWN, BOOT, 3601 * S);
	assert_int_equal(budget_since_ms(&b), 3600000);
}

static void test_spoilt_memory(void **state)
{
	struct budget b;
	uint8_t bytes[BUDGET_BYTES + 8] = { 0 };

	fresh(&b);
	budget_clock(&b, at("2018-03-10T08:00:00Z"), BOOT, 1 * S);
	budget_spend(&b, INT64_MAX);
	budget_spend(&b, 5); /* no overflow */
	assert_int_equal(budget_left(&b, 100, INT64_MAX), 0);
	size_t len = budget_save(&b, bytes);
	for (size_t cut = 0; cut < 41; cut++) {
		budget_load(&b, bytes, cut);
		assert_int_equal(b.month_bytes, 0);
	}
	budget_load(&b, bytes, len + 1);
	assert_int_equal(b.month_bytes, 0);
	bytes[0] = 9;
	budget_load(&b, bytes, len);
	assert_int_equal(b.known_ms, BUDGET_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_day_and_month),
		cmocka_unit_test(test_calendar),
		cmocka_unit_test(test_no_clock),
		cmocka_unit_test(test_clock_comes_late),
		cmocka_unit_test(test_wrong_future),
		cmocka_unit_test(test_success),
		cmocka_unit_test(test_spoilt_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
