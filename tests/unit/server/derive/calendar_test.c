/* The office calendar as shipped, and what is refused in one. */
#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/derive/calendar.h"

#define FILE_NAME "../server/derive/rules/calendar-vn.yaml"
#define HOUR      INT64_C(3600000)

static struct calendar *load(void)
{
	struct calendar *c = NULL;
	struct ht_fault fault = { 0 };

	if (calendar_load(FILE_NAME, &c, &fault))
		fail_msg("%s", fault.text);
	return c;
}

/* Local time of Viet Nam. */
static int64_t at(const char *text)
{
	char zoned[40];
	int64_t ms;

	snprintf(zoned, sizeof(zoned), "%s:00+07:00", text);
	assert_ok(ht_rfc3339_parse(zoned, &ms));
	return ms;
}

static void test_days(void **state)
{
	static const struct {
		const char *at;
		enum calendar_kind kind;
		bool works, provisional;
		const char *vi;
	} cases[] = {
		{ "2024-01-01T09:00", CALENDAR_HOLIDAY, false, false, "Tết Dương lịch" },
		{ "2024-02-07T09:00", CALENDAR_WORKDAY, true, false, NULL },
		{ "2024-02-08T00:00", CALENDAR_HOLIDAY, false, false, "Tết Giáp Thìn" },
		{ "2024-02-14T23:59", CALENDAR_HOLIDAY, false, false, "Tết Giáp Thìn" },
		{ "2024-02-15T00:00", CALENDAR_WORKDAY, true, false, NULL },
		{ "2024-04-18T09:00", CALENDAR_HOLIDAY, false, false,
		    "Giỗ Tổ Hùng Vương" },
		{ "2024-04-29T09:00", CALENDAR_COMPENSATED, false, false,
		    "Nghỉ hoán đổi" },
		{ "2024-05-04T09:00", CALENDAR_WORKING, true, false, "Làm bù ngày 29/4" },
		{ "2024-05-11T09:00", CALENDAR_WEEKEND, false, false, NULL },
		{ "2025-01-29T09:00", CALENDAR_HOLIDAY, false, false, "Tết Ất Tỵ" },
		{ "2025-05-02T09:00", CALENDAR_COMPENSATED, false, false,
		    "Nghỉ hoán đổi" },
		{ "2026-02-17T09:00", CALENDAR_HOLIDAY, false, false, "Tết Bính Ngọ" },
		{ "2026-04-27T09:00", CALENDAR_COMPENSATED, false, false,
		    "Nghỉ bù Giỗ Tổ" },
		{ "2026-09-02T09:00", CALENDAR_HOLIDAY, false, false, "Quốc khánh" },
		{ "2025-11-24T09:00", CALENDAR_WORKDAY, true, false, NULL },
		{ "2026-11-24T09:00", CALENDAR_HOLIDAY, false, true,
		    "Ngày Văn hóa Việt Nam" },
		{ "2027-02-05T09:00", CALENDAR_HOLIDAY, false, true, "Tết Đinh Mùi" },
		{ "2027-03-01T09:00", CALENDAR_WORKDAY, true, false, NULL },
		/* no decisions listed: a weekday may be a holiday, a Sunday is one */
		{ "2028-03-01T09:00", CALENDAR_WORKDAY, true, true, NULL },
		{ "2028-03-05T09:00", CALENDAR_WEEKEND, false, false, NULL },
		{ "2018-03-01T09:00", CALENDAR_WORKDAY, true, true, NULL },
		{ "2018-09-02T09:00", CALENDAR_HOLIDAY, false, false, "Quốc khánh" },
	};
	struct calendar *c = load();

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct calendar_day d;

		calendar_day_of(c, at(cases[i].at), &d);
		if (d.kind != cases[i].kind || d.works != cases[i].works ||
		    d.provisional != cases[i].provisional ||
		    strcmp(d.vi ? d.vi : "", cases[i].vi ? cases[i].vi : "") != 0)
			fail_msg("%s: %s%s %s", cases[i].at, calendar_kind_name(d.kind),
			    d.provisional ? " provisional" : "", d.vi ? d.vi : "");
		assert_true(d.from_ms <= at(cases[i].at) && at(cases[i].at) < d.to_ms);
		assert_int_equal(d.to_ms - d.from_ms, 24 * HOUR);
	}
	calendar_free(c);
}

static void test_hours(void **state)
{
	static const struct {
		const char *at;
		bool office, hour;
	} cases[] = {
		{ "2026-11-25T06:00", false, false },
		{ "2026-11-25T07:00", false, true }, /* half of that hour */
		{ "2026-11-25T07:30", true, true }, { "2026-11-25T16:00", true, true },
		{ "2026-11-25T17:00", false, false },
		{ "2026-11-28T09:00", false, false }, /* a Saturday */
		{ "2026-02-17T09:00", false, false }, /* Tet */
	};
	struct calendar *c = load();

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		if (calendar_office_at(c, at(cases[i].at)) != cases[i].office ||
		    calendar_office_hour(c, at(cases[i].at)) != cases[i].hour)
			fail_msg("%s", cases[i].at);
	}
	calendar_free(c);
}

static void test_months(void **state)
{
	struct calendar *c = load();
	int64_t from, to;

	calendar_month_of(c, at("2026-12-31T23:59"), &from, &to);
	assert_int_equal(from, at("2026-12-01T00:00"));
	assert_int_equal(to, at("2027-01-01T00:00"));
	calendar_month_of(c, at("2024-02-01T00:00"), &from, &to);
	assert_int_equal(to - from, 29 * 24 * HOUR);
	calendar_free(c);
}

static char *slurp(void)
{
	FILE *f = fopen(FILE_NAME, "r");
	char *text = malloc(65536);

	assert_non_null(f);
	assert_non_null(text);
	text[fread(text, 1, 65535, f)] = '\0';
	fclose(f);
	return text;
}

/* The shipped file with one thing wrong is refused at the place where it is wrong. */
static void test_refused(void **state)
{
	static const struct {
		const char *from, *to, *says;
	} cases[] = {
		{ "from: 2024-04-18", "from: 2024-04-31", "no date" },
		{ "from: 2024-04-18", "from: 2024-02-10", "overlaps" },
		{ "to: 2024-02-14", "to: 2024-02-01", "before 'from'" },
		{ "kind: working", "kind: worked", "worked" },
		{ "from: \"07:30\"", "from: \"7:30\"", "no time of day" },
		{ "from: \"07:30\"", "from: \"18:30\"", "swap them" },
		{ "[mon, tue", "[monday, tue", "no day" },
		{ "month: 4, day: 30", "month: 4, day: 31", "no day 31" },
		{ "years_to: 2027", "years_to: 2026", "outside" },
		{ "years_to: 2027", "years_to: 2020", "before years_from" },
		{ "dates:", "date:", "dates" },
	};
	char *good = slurp();

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		size_t cap = strlen(good) + 200;
		char *bad = malloc(cap);
		const char *place = strstr(good, cases[i].from);
		struct ht_fault fault = { 0 };
		struct calendar *c = NULL;

		assert_non_null(bad);
		assert_non_null(place);
		int n = snprintf(bad, cap, "%.*s%s%s", (int)(place - good), good,
		    cases[i].to, place + strlen(cases[i].from));
		assert_int_equal(
		    calendar_parse("c.yaml", bad, (size_t)n, &c, &fault), HT_CONFIG);
		if (!strstr(fault.text, cases[i].says) ||
		    strncmp(fault.text, "c.yaml:", 7) != 0)
			fail_msg("case %zu: %s", i, fault.text);
		free(bad);
	}
	free(good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_days),
		cmocka_unit_test(test_hours),
		cmocka_unit_test(test_months),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
