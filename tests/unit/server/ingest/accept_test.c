#include "unit/test.h"

#include <string.h>

#include "mqtt/senml.h"
#include "server/ingest/accept.h"

#define GOOD "[{\"bn\":\"a/\",\"n\":\"selftest/x/count\",\"v\":1}]"
#define ONLINE                                                          \
	"{\"state\":\"online\",\"session\":\"0123456789abcdef\","       \
	"\"boot\":\"11111111-2222-3333-4444-555555555555\",\"mono\":5," \
	"\"fingerprint\":"                                              \
	"\"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\"}"

static struct accept out;

static struct client_message message(const char *topic, const char *payload)
{
	return (struct client_message){ .topic = topic,
		.payload = payload,
		.len = strlen(payload),
		.content_type = SENML_JSON_TYPE };
}

static void accepted(const struct client_message *m, enum accept_kind kind)
{
	assert_ok(accept_message(m, 77, &out));
	assert_int_equal(out.kind, kind);
}

static void refused(const struct client_message *m, const char *reason)
{
	accepted(m, ACCEPT_GARBAGE);
	assert_string_equal(out.garbage.reason, reason);
	assert_int_equal(out.garbage.len, m->len);
}

static void both_lanes(void **state)
{
	struct client_message m = message("hatang/v1/a/data", GOOD);

	accepted(&m, ACCEPT_DATA);
	assert_int_equal(out.row.lane, JOURNAL_DATA);
	assert_string_equal(out.row.agent, "a");
	assert_string_equal(out.row.kind, "data");
	assert_int_equal(out.row.received_ms, 77);
	m.topic = "hatang/v1/a/hist";
	accepted(&m, ACCEPT_DATA);
	assert_int_equal(out.row.lane, JOURNAL_HIST);
}

static void garbage_has_a_reason(void **state)
{
	static char big[SENML_PACK_MAX + 2];
	struct client_message m = message("hatang/v1/a/data", GOOD);

	m.props_bad = true;
	refused(&m, "props");
	m = message("hatang/v1/a/data", GOOD);
	m.content_type = "";
	refused(&m, "content-type");
	m.content_type = NULL;
	refused(&m, "content-type");
	m = message("hatang/v1/a/data", GOOD);
	m.retained = true;
	refused(&m, "retained");
	memset(big, ' ', sizeof(big) - 1);
	m = message("hatang/v1/a/data", big);
	refused(&m, "size");
	m = message("hatang/v1/a/data", "[{]");
	refused(&m, "senml");
	m = message("hatang/v1/b/data", GOOD);
	refused(&m, "name");
	assert_string_equal(out.garbage.agent, "b");
	m = message("hatang/v1/a/data", "[{\"bn\":\"a/\",\"n\":\"only/two\",\"v\":1}]");
	refused(&m, "name");
	m = message("hatang/v1/ab/data", GOOD); /* a prefix of the id is not the id */
	refused(&m, "name");
	m = message("hatang/v2/a/data", GOOD);
	refused(&m, "topic");
	assert_null(out.garbage.agent);
	m = message("hatang/v1/a/ack", GOOD);
	refused(&m, "topic");
	m = message("hatang/v1/a/presence", "{}");
	refused(&m, "presence");
	m = message("hatang/v1/a/reply", "no");
	refused(&m, "reply");
	m = message("hatang/v1/a/reply", "{\"ok\":true}");
	refused(&m, "reply");
}

static void keys_of_garbage_are_kept(void **state)
{
	struct client_message m = message("hatang/v1/a/data", "[{]");

	m.props.has = PROPS_EPOCH | PROPS_SEQ;
	m.props.seq = 9;
	refused(&m, "senml");
	assert_int_equal(out.garbage.props.seq, 9);
}

static void only_a_fresh_presence_anchors(void **state)
{
	struct client_message m = message("hatang/v1/a/presence", ONLINE);

	accepted(&m, ACCEPT_PRESENCE);
	assert_true(out.row.props.has & PROPS_SENT_MONO);
	assert_int_equal(out.row.props.sent_mono_ns, INT64_C(5000000000));
	assert_int_equal(out.row.source, JOURNAL_SERVER);
	m.retained = true;
	accepted(&m, ACCEPT_PRESENCE);
	assert_false(out.row.props.has & PROPS_SENT_MONO);
	assert_true(out.row.props.has & PROPS_BOOT);
}

static void ours_and_deletions_are_ignored(void **state)
{
	struct client_message m = message("hatang/v1/@server/presence", ONLINE);

	accepted(&m, ACCEPT_IGNORE);
	m = message("hatang/v1/a/presence", "");
	accepted(&m, ACCEPT_IGNORE);
}

static void a_reply_has_no_key(void **state)
{
	struct client_message m =
	    message("hatang/v1/a/reply", "{\"id\":\"1\",\"ok\":true}");

	m.props.has = PROPS_EPOCH | PROPS_SEQ;
	accepted(&m, ACCEPT_REPLY);
	assert_int_equal(out.row.props.has, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_lanes),
		cmocka_unit_test(garbage_has_a_reason),
		cmocka_unit_test(keys_of_garbage_are_kept),
		cmocka_unit_test(only_a_fresh_presence_anchors),
		cmocka_unit_test(ours_and_deletions_are_ignored),
		cmocka_unit_test(a_reply_has_no_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
