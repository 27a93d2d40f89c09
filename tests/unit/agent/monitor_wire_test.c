#include "unit/test.h"

#include <string.h>

#include "agent/monitor_wire.h"

static void test_request_round_trip(void **state)
{
	struct monitor_request q = {
		.verb = MONITOR_ASK, .id = 0xdeadbeef, .what = PROBE_CAPTURE
	};
	struct monitor_request back = { 0 };
	uint8_t bytes[MONITOR_REQUEST_MAX];

	assert_ok(monitor_names_put(&q.names, "eth0.100"));
	size_t len = monitor_request_write(&q, bytes);
	assert_ok(monitor_request_parse(bytes, len, &back));
	assert_int_equal(back.id, q.id);
	assert_int_equal(back.what, PROBE_CAPTURE);
	assert_string_equal(back.names.at[0], "eth0.100");
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(monitor_request_parse(bytes, cut, &back), HT_MALFORMED);
	bytes[len] = 0;
	assert_int_equal(monitor_request_parse(bytes, len + 1, &back), HT_MALFORMED);
}

static void test_unknown_commands_are_unsupported(void **state)
{
	struct monitor_request q = {
		.verb = MONITOR_ASK, .id = 7, .what = PROBE_LISTENERS
	};
	struct monitor_request back = { 0 };
	uint8_t bytes[MONITOR_REQUEST_MAX];
	size_t len = monitor_request_write(&q, bytes);

	bytes[3] = PROBE_PRIVILEGE_COUNT;
	assert_int_equal(monitor_request_parse(bytes, len, &back), HT_UNSUPPORTED);
	assert_int_equal(back.id, 7);
	bytes[3] = PROBE_LISTENERS;
	bytes[2] = 99;
	assert_int_equal(monitor_request_parse(bytes, len, &back), HT_UNSUPPORTED);
}

static void test_names(void **state)
{
	struct monitor_names n = { 0 };
	char name[IFNAMSIZ];

	assert_int_equal(monitor_names_put(&n, ""), HT_INVALID);
	assert_int_equal(monitor_names_put(&n, "../etc"), HT_INVALID);
	assert_int_equal(monitor_names_put(&n, "eth0 x"), HT_INVALID);
	assert_int_equal(monitor_names_put(&n, "sixteen-bytes-xx"), HT_INVALID);
	assert_ok(monitor_names_put(&n, "fifteen-bytes-x"));
	assert_ok(monitor_names_put(&n, "fifteen-bytes-x"));
	assert_int_equal(n.n, 1);
	for (size_t i = 1; i < MONITOR_INTERFACES_MAX; i++) {
		snprintf(name, sizeof(name), "v%zu", i);
		assert_ok(monitor_names_put(&n, name));
	}
	assert_int_equal(monitor_names_put(&n, "one-more"), HT_FULL);
}

static void test_capture_needs_one_name_and_others_none(void **state)
{
	struct monitor_request q = { .verb = MONITOR_ASK, .what = PROBE_CAPTURE }, back;
	uint8_t bytes[MONITOR_REQUEST_MAX];

	assert_int_equal(
	    monitor_request_parse(bytes, monitor_request_write(&q, bytes), &back),
	    HT_MALFORMED);
	q.what = PROBE_PACKET_FILTER;
	assert_ok(monitor_names_put(&q.names, "lo"));
	assert_int_equal(
	    monitor_request_parse(bytes, monitor_request_write(&q, bytes), &back),
	    HT_MALFORMED);
}

static void test_answer_round_trip(void **state)
{
	uint8_t bytes[MONITOR_ANSWER_HEAD + 3];
	struct monitor_answer a = {
		.kind = MONITOR_END, .id = 3, .err = HT_TIMEOUT, .raw = true
	};
	struct monitor_answer back = { 0 };

	monitor_answer_write(&a, bytes);
	assert_ok(monitor_answer_parse(bytes, MONITOR_ANSWER_HEAD, &back));
	assert_int_equal(back.err, HT_TIMEOUT);
	assert_true(back.raw);
	/* an end carries no bytes; data does */
	assert_int_equal(monitor_answer_parse(bytes, sizeof(bytes), &back), HT_MALFORMED);
	a = (struct monitor_answer){ .kind = MONITOR_DATA, .id = 3 };
	monitor_answer_write(&a, bytes);
	memcpy(bytes + MONITOR_ANSWER_HEAD, "abc", 3);
	assert_ok(monitor_answer_parse(bytes, sizeof(bytes), &back));
	assert_int_equal(back.len, 3);
	assert_memory_equal(back.bytes, "abc", 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_round_trip),
		cmocka_unit_test(test_unknown_commands_are_unsupported),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_capture_needs_one_name_and_others_none),
		cmocka_unit_test(test_answer_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
