#include "unit/test.h"

#include "server/derive/gap.h"

static void good_texts(void **state)
{
	struct gap g;

	assert_ok(gap_parse("00112233445566ff:7-9223372036854775807 spool full", &g));
	assert_string_equal(g.epoch, "00112233445566ff");
	assert_int_equal(g.first_seq, 7);
	assert_true(g.last_seq == INT64_MAX);
	assert_string_equal(g.reason, "spool full");
	assert_ok(gap_parse("00112233445566ff:7-7 x", &g));
}

static void bad_texts(void **state)
{
	static const char *const bad[] = { "", "00112233445566ff", "00112233445566ff:7-8",
		"00112233445566ff:7-8 ", "00112233445566FF:7-8 x",
		"0112233445566ff:7-8 x", "00112233445566fff:7-8 x",
		"00112233445566ff:0-8 x", "00112233445566ff:9-8 x",
		"00112233445566ff:-7-8 x", "00112233445566ff:7-9223372036854775808 x",
		"00112233445566ff:07-8 x", "00112233445566ff:7-8 a\nb",
		"00112233445566ff:7 -8 x",
		("00112233445566ff:7-8 "
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa") };

	for (size_t i = 0; i < HT_COUNT(bad); i++) {
		struct gap g = { .first_seq = 77 };

		assert_int_equal(gap_parse(bad[i], &g), HT_MALFORMED);
		assert_int_equal(g.first_seq, 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_texts),
		cmocka_unit_test(bad_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
