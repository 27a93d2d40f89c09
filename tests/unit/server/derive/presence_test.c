#include "unit/test.h"

#include <stdio.h>
#include <string.h>

#include "server/derive/presence.h"

#define SESSION "\"session\":\"0123456789abcdef\""
#define BOOT    "\"boot\":\"11111111-2222-3333-4444-555555555555\""
#define PRINT              \
	"\"fingerprint\":" \
	"\"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\""
#define BASE SESSION "," BOOT "," PRINT

static ht_err parse(const char *text, struct presence *out)
{
	return presence_parse(text, strlen(text), out);
}

static void a_whole_one(void **state)
{
	struct presence p;

	assert_ok(parse(
	    "{\"state\":\"online\"," BASE ",\"mono\":12345.678,\"wall\":1519887600.123,"
	    "\"synchronised\":true,\"version\":\"0.1.0\",\"epoch\":\"00000000000000aa\","
	    "\"config\":\"\",\"later\":[1,{}]}",
	    &p));
	assert_int_equal(p.state, PRESENCE_ONLINE);
	assert_string_equal(p.session, "0123456789abcdef");
	assert_int_equal(p.mono_ns / 1000000, 12345678);
	assert_int_equal(p.wall_ms, 1519887600123);
	assert_true(p.synchronised);
	assert_string_equal(p.version, "0.1.0");
	assert_string_equal(p.epoch, "00000000000000aa");
	assert_string_equal(p.config, "");
}

static void the_least_one(void **state)
{
	struct presence p;

	assert_ok(parse("{\"state\":\"lost\"," BASE ",\"mono\":1}", &p));
	assert_int_equal(p.state, PRESENCE_LOST);
	assert_false(p.has_wall || p.synchronised);
}

static void bad_ones(void **state)
{
	static const char *const bad[] = { "", "{}", "[]", "null",
		"{\"state\":\"online\"}", "{\"state\":\"asleep\"," BASE ",\"mono\":1}",
		"{\"state\":\"online\"," BASE "}",
		"{\"state\":\"online\"," BASE ",\"mono\":-1}",
		"{\"state\":\"online\"," BASE ",\"mono\":\"1\"}",
		"{\"state\":\"online\"," BASE ",\"mono\":1e300}",
		"{\"state\":\"online\"," BASE ",\"mono\":1} x",
		"{\"state\":\"online\"," BASE ",\"mono\":1,\"epoch\":\"xyz\"}",
		"{\"state\":\"online\"," BASE ",\"mono\":1,\"config\":7}",
		"{\"state\":\"online\",\"session\":\"0123456789ABCDEF\"," BOOT "," PRINT
		",\"mono\":1}",
		"{\"state\":\"online\"," SESSION "," BOOT
		",\"fingerprint\":\"ff\",\"mono\":1}",
		"{\"state\":\"online\"," BASE ",\"mono\":1,\"x\":[[[[[[1]]]]]]}" };

	for (size_t i = 0; i < HT_COUNT(bad); i++) {
		struct presence p;

		if (parse(bad[i], &p) != HT_MALFORMED)
			fail_msg("accepted: %s", bad[i]);
	}
	static char big[PRESENCE_BYTES_MAX + 1];
	struct presence p;
	assert_int_equal(presence_parse(big, sizeof(big), &p), HT_TOOLARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_one),
		cmocka_unit_test(the_least_one),
		cmocka_unit_test(bad_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
