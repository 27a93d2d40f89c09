#include "unit/test.h"

#include "probes/wan/throughput/grant.h"

#include <string.h>

#define TOKEN "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct probe_field fields[] = { { "now", "1519862400000" }, { "slot", "7" },
	{ "bytes", "1000" }, { "seconds", "34" },
	{ "url", "https://hatang.example:8443" }, { "token", TOKEN } };
enum { NOW, SLOT, BYTES, SECONDS, URL, PASS };
static struct probe_answer answer = { .why = "", .fields = fields };

static int setup(void **state)
{
	answer.n_fields = HT_COUNT(fields);
	fields[SLOT].value = "7";
	fields[BYTES].value = "1000";
	fields[SECONDS].value = "34";
	fields[URL].value = "https://hatang.example:8443";
	fields[PASS].value = TOKEN;
	return 0;
}

static void test_grant(void **state)
{
	struct grant g;

	assert_ok(grant_read(&answer, &g));
	assert_string_equal(g.slot, "7");
	assert_string_equal(g.token, TOKEN);
	assert_string_equal(g.url, "https://hatang.example:8443");
	assert_true(g.bytes == 1000 && g.seconds == 34);
	assert_true(grant_now_ms(&answer) == INT64_C(1519862400000));
	assert_int_equal(grant_wait_s(&answer), 0);
	/* A test against another place has no pass. */
	answer.n_fields = URL;
	assert_ok(grant_read(&answer, &g));
	assert_string_equal(g.token, "");
	assert_string_equal(g.url, "");
}

static void bad(int i, const char *value)
{
	struct grant g = { .bytes = 5 };

	setup(NULL);
	fields[i].value = value;
	if (grant_read(&answer, &g) != HT_MALFORMED)
		fail_msg("accepted: %s %s", fields[i].key, value);
	assert_int_equal(g.bytes, 5);
	setup(NULL);
}

static void test_bad_grants(void **state)
{
	char long_url[300];

	memset(long_url, 'x', sizeof(long_url));
	memcpy(long_url, "https://", 8);
	long_url[sizeof(long_url) - 1] = '\0';
	bad(SLOT, "");
	bad(SLOT, "-7");
	bad(SLOT, "7 ");
	bad(SLOT, "1234567890123456789012345");
	bad(BYTES, "0");
	bad(BYTES, "1e9");
	bad(BYTES, "9223372036854775807");
	bad(SECONDS, "0");
	bad(SECONDS, "99999");
	bad(URL, "");
	bad(URL, "gopher://x");
	bad(URL, "https://x/?a");
	bad(URL, "https://x\r\nHost: y");
	bad(URL, long_url);
	bad(PASS, "not hexadecimal");
	bad(PASS, TOKEN TOKEN "0");
}

static void test_waits(void **state)
{
	struct probe_field wait[] = { { "wait", "30" } };
	struct probe_answer no = { .why = "", .fields = wait, .n_fields = 1 };

	assert_int_equal(grant_wait_s(&no), 30);
	assert_true(grant_now_ms(&no) == INT64_MIN);
	wait[0].value = "-1";
	assert_int_equal(grant_wait_s(&no), 0);
	wait[0].value = "99999999";
	assert_int_equal(grant_wait_s(&no), 0);
}

static void test_urls(void **state)
{
	static const char *const good[] = { "http://x", "https://10.0.0.1:1/a?b",
		"https://[::1]:8443/file" };
	static const char *const wrong[] = { "", "x", "http://", "https:///path",
		"http://?q", "ftp://x", "HTTP:/x", "http://a b", "http://u:p@x/",
		"http://x/\t", "http://x/\x80" };

	for (size_t i = 0; i < HT_COUNT(good); i++)
		assert_true(grant_url_fits(good[i]));
	for (size_t i = 0; i < HT_COUNT(wrong); i++)
		assert_false(grant_url_fits(wrong[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_grant, setup),
		cmocka_unit_test(test_bad_grants),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
