#include "unit/test.h"

#include <string.h>

#include "probes/snmp/engine.h"

/* A Report (usmStatsUnknownEngineIDs) as net-snmp sends it; msgID 0x01020304, engine id
 * 80001f8804 "test". */
static const uint8_t report[] = { 0x30, 0x61, 0x02, 0x01, 0x03, 0x30, 0x11, 0x02, 0x04,
	0x01, 0x02, 0x03, 0x04, 0x02, 0x03, 0x00, 0xff, 0xe3, 0x04, 0x01, 0x00, 0x02,
	0x01, 0x03, 0x04, 0x19, 0x30, 0x17, 0x04, 0x09, 0x80, 0x00, 0x1f, 0x88, 0x04,
	0x74, 0x65, 0x73, 0x74, 0x02, 0x01, 0x05, 0x02, 0x01, 0x63, 0x04, 0x00, 0x04,
	0x00, 0x04, 0x00, 0x30, 0x2e, 0x04, 0x09, 0x80, 0x00, 0x1f, 0x88, 0x04, 0x74,
	0x65, 0x73, 0x74, 0x04, 0x00, 0xa8, 0x1f, 0x02, 0x04, 0x01, 0x02, 0x03, 0x04,
	0x02, 0x01, 0x00, 0x02, 0x01, 0x00, 0x30, 0x11, 0x30, 0x0f, 0x06, 0x0a, 0x2b,
	0x06, 0x01, 0x06, 0x03, 0x0f, 0x01, 0x01, 0x04, 0x00, 0x41, 0x01, 0x01 };

enum { ID = 0x01020304 };

static void test_report_gives_the_engine(void **state)
{
	struct engine_id e = { .len = 0 };

	assert_ok(engine_report_parse(report, sizeof(report), ID, &e));
	assert_int_equal(e.len, 9);
	assert_memory_equal(e.at, "\x80\x00\x1f\x88\x04test", 9);
}

static void test_cuts_and_strangers_are_refused(void **state)
{
	uint8_t bytes[sizeof(report)];
	struct engine_id e;

	for (size_t len = 0; len < 64; len++)
		assert_int_equal(engine_report_parse(report, len, ID, &e), HT_MALFORMED);
	assert_int_equal(
	    engine_report_parse(report, sizeof(report), ID + 1, &e), HT_CONFLICT);
	memcpy(bytes, report, sizeof(bytes));
	bytes[66] = 0xa2; /* a response */
	assert_int_equal(
	    engine_report_parse(bytes, sizeof(bytes), ID, &e), HT_UNSUPPORTED);
	memcpy(bytes, report, sizeof(bytes));
	bytes[4] = 1;
	assert_int_equal(engine_report_parse(bytes, sizeof(bytes), ID, &e), HT_MALFORMED);
	memcpy(bytes, report, sizeof(bytes));
	bytes[29] = 0x7f; /* an engine id longer than its frame */
	assert_int_equal(engine_report_parse(bytes, sizeof(bytes), ID, &e), HT_MALFORMED);
	bytes[29] = 0x84; /* a length of four bytes */
	assert_int_equal(engine_report_parse(bytes, sizeof(bytes), ID, &e), HT_MALFORMED);
}

/* Every length in the request covers exactly what follows. */
static void test_request_is_well_formed(void **state)
{
	uint8_t out[ENGINE_REQUEST_LEN];
	struct engine_id e;

	engine_request_write(ID, out);
	assert_int_equal(out[1], ENGINE_REQUEST_LEN - 2);
	assert_memory_equal(out + 9, "\x01\x02\x03\x04", 4);
	assert_memory_equal(out + 52, "\x01\x02\x03\x04", 4);
	assert_int_equal(out[48], 0xa0);
	assert_int_equal(out[49], ENGINE_REQUEST_LEN - 50);
	/* it has no engine, so it is no report */
	assert_int_equal(engine_report_parse(out, sizeof(out), ID, &e), HT_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report_gives_the_engine),
		cmocka_unit_test(test_cuts_and_strangers_are_refused),
		cmocka_unit_test(test_request_is_well_formed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
