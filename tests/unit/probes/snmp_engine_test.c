#include "unit/test.h"

#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "probes/snmp/discover.h"

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

struct found {
	struct engine_id id;
	unsigned sent;
};

static void on_found(void *arg, const struct engine_id *id, unsigned sent)
{
	struct found *f = arg;

	if (id)
		f->id = *id;
	f->sent = sent;
}

/* An answer that lies in the socket is in time, however late we come to read it. */
static void test_a_busy_loop_finds_the_engine(void **state)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr *sa = (struct sockaddr *)&at;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint8_t request[ENGINE_REQUEST_LEN], answer[sizeof(report)];
	struct found found = { .sent = 0 };
	struct discover *d;
	socklen_t len = sizeof(at);
	uv_loop_t loop;

	uv_loop_init(&loop);
	assert_int_equal(bind(fd, sa, len), 0);
	getsockname(fd, sa, &len);
	assert_ok(discover_start(&loop, sa, 20 * HT_NS_PER_MS, 3, on_found, &found, &d));
	assert_int_equal(
	    recvfrom(fd, request, sizeof(request), 0, sa, &len), sizeof(request));
	memcpy(answer, report, sizeof(report));
	memcpy(answer + 9, request + 9, 4);
	assert_int_equal(sendto(fd, "stranger", 8, 0, sa, len), 8);
	assert_int_equal(sendto(fd, answer, sizeof(answer), 0, sa, len), sizeof(answer));
	(void)poll(NULL, 0, 40); /* busy with something else */
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(found.id.len, 9);
	assert_int_equal(found.sent, 1);
	assert_int_equal(uv_loop_close(&loop), 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_report_gives_the_engine),
		cmocka_unit_test(test_cuts_and_strangers_are_refused),
		cmocka_unit_test(test_request_is_well_formed),
		cmocka_unit_test(test_a_busy_loop_finds_the_engine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
