#include "unit/test.h"

#include "server/throughput/ask.h"

#include <stdio.h>
#include <string.h>

static ht_err read_fields(const char *fields, struct ask *out)
{
	char text[512];

	snprintf(
	    text, sizeof(text), "{\"id\":\"0a\",\"ok\":true,\"fields\":{%s}}", fields);
	return ask_read(text, strlen(text), out);
}

#define SLOT                                                                            \
	"\"request\":\"slot\",\"link\":\"bat-xat-wan\",\"bytes\":\"1000\",\"seconds\":" \
	"\"34\","

static void test_slot(void **state)
{
	struct ask a;

	assert_ok(read_fields(SLOT "\"against\":\"endpoint\"", &a));
	assert_int_equal(a.kind, ASK_SLOT);
	assert_string_equal(a.id, "0a");
	assert_string_equal(a.link, "bat-xat-wan");
	assert_true(a.endpoint && a.bytes == 1000 && a.seconds == 34);
	assert_ok(read_fields(SLOT "\"against\":\"url\",\"later\":\"field\"", &a));
	assert_false(a.endpoint);
}

static void test_slot_end(void **state)
{
	struct ask a;

	assert_ok(read_fields("\"request\":\"slot-end\",\"slot\":\"7\",\"bytes\":\"0\","
			      "\"outcome\":\"ok\"",
	    &a));
	assert_int_equal(a.kind, ASK_SLOT_END);
	assert_true(a.slot == 7 && a.bytes == 0);
	assert_string_equal(a.outcome, "ok");
}

static void test_others(void **state)
{
	static const char *const texts[] = { "{}", "", "[1]",
		"{\"id\":\"0a\",\"ok\":true}",
		"{\"id\":\"0a\",\"ok\":true,\"fields\":{\"request\":\"certificate\"}}" };
	struct ask a;

	for (size_t i = 0; i < HT_COUNT(texts); i++) {
		assert_ok(ask_read(texts[i], strlen(texts[i]), &a));
		assert_int_equal(a.kind, ASK_OTHER);
	}
}

static void test_malformed(void **state)
{
	static const char *const fields[] = {
		SLOT "\"against\":\"moon\"",
		"\"request\":\"slot\"",
		"\"request\":\"slot\",\"link\":\"a b\",\"bytes\":\"1\",\"seconds\":\"1\","
		"\"against\":\"url\"",
		"\"request\":\"slot\",\"link\":\"a\",\"bytes\":\"0\",\"seconds\":\"1\","
		"\"against\":\"url\"",
		"\"request\":\"slot\",\"link\":\"a\",\"bytes\":\"1\",\"seconds\":\"301\","
		"\"against\":\"url\"",
		"\"request\":\"slot\",\"link\":\"a\",\"bytes\":\"99999999999999\","
		"\"seconds\":\"1\",\"against\":\"url\"",
		"\"request\":\"slot-end\",\"slot\":\"0\",\"bytes\":\"1\"",
		"\"request\":\"slot-end\",\"slot\":\"1\",\"bytes\":\"-1\"",
		"\"request\":\"slot-end\",\"slot\":\"1\"",
	};
	struct ask a;

	for (size_t i = 0; i < HT_COUNT(fields); i++) {
		if (read_fields(fields[i], &a) != HT_MALFORMED)
			fail_msg("accepted: %s", fields[i]);
		assert_string_equal(a.id, "0a"); /* so that it can be answered */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slot),
		cmocka_unit_test(test_slot_end),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
