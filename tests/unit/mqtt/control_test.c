#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt/control.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct ht_buf out;

static int setup(void **state)
{
	ht_buf_init(&out, CONTROL_MESSAGE_MAX);
	return 0;
}

static int teardown(void **state)
{
	ht_buf_fini(&out);
	return 0;
}

/* --- presence --- */

static const struct control_presence an_agent = {
	.state = CONTROL_ONLINE,
	.session = "00112233445566ff",
	.boot = "01234567-89ab-cdef-0123-456789abcdef",
	.mono_ns = INT64_C(12345678000000),
	.wall_ms = INT64_C(1519887600123),
	.synchronised = true,
	.version = "0.1.0",
	.fingerprint = HASH,
	.epoch = "fedcba9876543210",
	.targets = HASH,
};

static void test_presence_is_as_documented(void **state)
{
	assert_ok(control_presence_encode(&an_agent, &out));
	assert_string_equal(ht_buf_text(&out),
	    "{\"state\":\"online\",\"session\":\"00112233445566ff\","
	    "\"boot\":\"01234567-89ab-cdef-0123-456789abcdef\",\"mono\":12345.678,"
	    "\"wall\":1519887600.123,\"synchronised\":true,\"version\":\"0.1.0\","
	    "\"fingerprint\":\"" HASH "\",\"epoch\":\"fedcba9876543210\",\"config\":\"\","
	    "\"targets\":\"" HASH "\"}");
}

static void test_presence_round_trips(void **state)
{
	struct control_presence p;

	assert_ok(control_presence_encode(&an_agent, &out));
	assert_ok(control_presence_decode(out.data, out.len, &p));
	assert_memory_equal(&p, &an_agent, sizeof(p));
}

static void test_presence_of_a_server_is_short(void **state)
{
	static const char text[] =
	    "{\"state\":\"offline\",\"session\":\"00112233445566ff\","
	    "\"boot\":\"01234567-89ab-cdef-0123-456789abcdef\",\"mono\":1,"
	    "\"wall\":2,\"synchronised\":false,\"version\":\"x\",\"later\":[1]}";
	struct control_presence p;

	assert_ok(control_presence_decode(text, sizeof(text) - 1, &p));
	assert_int_equal(p.state, CONTROL_OFFLINE);
	assert_int_equal(p.mono_ns, HT_NS_PER_S);
	assert_string_equal(p.epoch, "");
}

static void replace(char *text, size_t cap, const char *from, const char *to)
{
	char *at = strstr(text, from);
	size_t tail;

	assert_non_null(at);
	tail = strlen(at + strlen(from));
	assert_true(strlen(text) - strlen(from) + strlen(to) < cap);
	memmove(at + strlen(to), at + strlen(from), tail + 1);
	memcpy(at, to, strlen(to));
}

static void test_bad_presences_are_refused(void **state)
{
	static const char *const changes[][2] = {
		{ "\"online\"", "\"on\"" },
		{ "\"online\"", "1" },
		{ "\"state\"", "\"stat\"" },
		{ "\"00112233445566ff\"", "\"00112233445566FF\"" },
		{ "\"00112233445566ff\"", "\"00112233445566f\"" },
		{ "01234567-89ab", "01234567089ab" },
		{ "12345.678", "-1" },
		{ "12345.678", "1e10" },
		{ "12345.678", "\"1\"" },
		{ "1519887600.123", "NaN" },
		{ "true", "1" },
		{ "0.1.0", "0 1" },
		{ "0.1.0", "" },
		{ "fedcba9876543210", "fedc" },
		{ "0.1.0", "0123456789012345678901234567890123456789" },
		{ "}", "" },
		{ "}", "}}" },
		{ "{", "[{" },
		{ "\"config\":\"\"", "\"config\":0" },
		{ "\"targets\":\"", "\"targets\":\"0" },
		{ "0.1.0", "0\\u0000" },
	};

	assert_ok(control_presence_encode(&an_agent, &out));
	for (size_t i = 0; i < HT_COUNT(changes); i++) {
		struct control_presence p = { .version = "untouched" };
		char text[2048];

		snprintf(text, sizeof(text), "%s", ht_buf_text(&out));
		replace(text, sizeof(text), changes[i][0], changes[i][1]);
		if (control_presence_decode(text, strlen(text), &p) != HT_MALFORMED)
			fail_msg("accepted: %s", text);
		assert_string_equal(p.version, "untouched");
	}
}

static void test_presence_that_cannot_be_read_is_not_written(void **state)
{
	struct control_presence p = an_agent;

	p.session[3] = 'x';
	assert_int_equal(control_presence_encode(&p, &out), HT_INVALID);
	p = an_agent;
	p.wall_ms = -1;
	assert_int_equal(control_presence_encode(&p, &out), HT_INVALID);
	p = an_agent;
	p.state = (enum control_state)7;
	assert_int_equal(control_presence_encode(&p, &out), HT_INVALID);
	assert_int_equal(out.len, 0);
}

/* --- ack --- */

static void test_ack_round_trips(void **state)
{
	struct control_range ranges[] = { { 1, 40 }, { 42, 42 }, { 44, INT64_MAX } };
	struct control_ack a = {
		.epoch = "0123456789abcdef", .new_epoch = true, .ranges = ranges, .n = 3
	};
	struct control_ack b;

	assert_ok(control_ack_encode(&a, &out));
	assert_string_equal(ht_buf_text(&out),
	    "{\"epoch\":\"0123456789abcdef\",\"ranges\":[[1,40],[42,42],[44,"
	    "9223372036854775807]],"
	    "\"new_epoch\":true}");
	assert_ok(control_ack_decode(out.data, out.len, &b));
	assert_int_equal(b.n, 3);
	assert_memory_equal(b.ranges, ranges, sizeof(ranges));
	assert_true(b.new_epoch);
	assert_true(control_ack_covers(&b, 1) && control_ack_covers(&b, 40) &&
		    control_ack_covers(&b, 42) && control_ack_covers(&b, INT64_MAX));
	assert_false(control_ack_covers(&b, 0) || control_ack_covers(&b, 41) ||
		     control_ack_covers(&b, 43));
	control_ack_fini(&b);
	control_ack_fini(&b);
}

static void test_ack_has_a_ceiling(void **state)
{
	struct control_range *ranges = calloc(CONTROL_RANGES_MAX + 1, sizeof(*ranges));
	struct control_ack a = {
		.epoch = "0123456789abcdef", .ranges = ranges, .n = CONTROL_RANGES_MAX
	};
	struct control_ack b;

	for (int i = 0; i <= CONTROL_RANGES_MAX; i++)
		ranges[i] = (struct control_range){ i + 1, i + 1 };
	assert_ok(control_ack_encode(&a, &out));
	assert_ok(control_ack_decode(out.data, out.len, &b));
	assert_int_equal(b.n, CONTROL_RANGES_MAX);
	control_ack_fini(&b);
	a.n++;
	assert_int_equal(control_ack_encode(&a, &out), HT_TOOLARGE);
	/* One more, written by somebody else. */
	out.len -= 2;
	ht_buf_puts(&out, ",[1,1]]}");
	assert_int_equal(control_ack_decode(out.data, out.len, &b), HT_TOOLARGE);
	free(ranges);
}

static void test_bad_acks_are_refused(void **state)
{
	static const char *const ranges[] = { "[[0,1]]", "[[2,1]]", "[[1]]", "[[1,2,3]]",
		"[1,2]", "{}", "[[1,9223372036854775808]]", "[[1.0,2]]", "[[-1,2]]",
		"[[\"1\",2]]", "[null]" };
	struct control_ack a;
	char text[200];

	for (size_t i = 0; i < HT_COUNT(ranges); i++) {
		int n = snprintf(text, sizeof(text),
		    "{\"epoch\":\"0123456789abcdef\",\"ranges\":%s}", ranges[i]);

		assert_int_equal(control_ack_decode(text, (size_t)n, &a), HT_MALFORMED);
	}
	assert_int_equal(control_ack_decode("{\"ranges\":[]}", 13, &a), HT_MALFORMED);
	assert_int_equal(control_ack_decode("", 0, &a), HT_MALFORMED);
}

/* --- cmd --- */

static void test_config_command(void **state)
{
	struct control_cmd c = { .id = "1f",
		.verb = CONTROL_CONFIG,
		.hash = HASH,
		.yaml = (char *)"site:\n  subnets: [\"10.0.0.0/8\"]\n" };
	struct control_cmd d;

	assert_ok(control_cmd_encode(&c, &out));
	assert_ok(control_cmd_decode(out.data, out.len, &d));
	assert_int_equal(d.verb, CONTROL_CONFIG);
	assert_string_equal(d.yaml, c.yaml);
	assert_string_equal(d.hash, HASH);
	control_cmd_fini(&d);
}

static void test_certificate_command(void **state)
{
	struct control_cmd c = { .id = "22",
		.verb = CONTROL_CERTIFICATE,
		.certificate = (char *)"-----BEGIN CERTIFICATE-----\nAA==\n" };
	static const char without[] = "{\"id\":\"22\",\"verb\":\"certificate\"}";
	struct control_cmd d;

	assert_ok(control_cmd_encode(&c, &out));
	assert_ok(control_cmd_decode(out.data, out.len, &d));
	assert_int_equal(d.verb, CONTROL_CERTIFICATE);
	assert_string_equal(d.certificate, c.certificate);
	control_cmd_fini(&d);
	assert_int_equal(
	    control_cmd_decode(without, sizeof(without) - 1, &d), HT_MALFORMED);
}

static void test_probe_command(void **state)
{
	struct control_cmd c = { .id = "a0",
		.verb = CONTROL_PROBE,
		.name = "icmp",
		.n_set = 2,
		.set = { { "target", "10.0.0.1" }, { "count", "20" } } };
	struct control_cmd d;

	assert_ok(control_cmd_encode(&c, &out));
	assert_string_equal(ht_buf_text(&out),
	    "{\"id\":\"a0\",\"verb\":\"probe\",\"name\":\"icmp\","
	    "\"set\":{\"target\":\"10.0.0.1\",\"count\":\"20\"}}");
	assert_ok(control_cmd_decode(out.data, out.len, &d));
	assert_int_equal(d.n_set, 2);
	assert_string_equal(d.set[1].value, "20");
	control_cmd_fini(&d);
	c.set[1] = c.set[0];
	assert_int_equal(control_cmd_encode(&c, &out), HT_INVALID);
}

static void test_pages_of_targets_round_trip(void **state)
{
	static const char *const bad[] = {
		"\"page\":3,\"pages\":3,\"text\":\"a\"",
		"\"page\":-1,\"pages\":3,\"text\":\"a\"",
		"\"page\":0.0,\"pages\":3,\"text\":\"a\"",
		"\"page\":0,\"pages\":0,\"text\":\"a\"",
		"\"page\":0,\"pages\":257,\"text\":\"a\"",
		"\"page\":0,\"pages\":3,\"text\":\"\"",
		"\"page\":0,\"pages\":3",
		"\"pages\":3,\"text\":\"a\"",
		"\"page\":\"0\",\"pages\":3,\"text\":\"a\"",
	};
	struct control_cmd d, c = { .id = "7",
		.verb = CONTROL_TARGETS,
		.hash = HASH,
		.page = 2,
		.pages = 3,
		.text = (char *)"target a 10.0.0.1\n" };
	char text[512], *large = malloc(CONTROL_PAGE_BYTES + 2);

	assert_ok(control_cmd_encode(&c, &out));
	assert_string_equal(ht_buf_text(&out),
	    "{\"id\":\"7\",\"verb\":\"targets\",\"hash\":\"" HASH
	    "\",\"page\":2,\"pages\":3,\"text\":\"target a 10.0.0.1\\n\"}");
	assert_ok(control_cmd_decode(out.data, out.len, &d));
	assert_int_equal(d.verb, CONTROL_TARGETS);
	assert_int_equal(d.page, 2);
	assert_int_equal(d.pages, 3);
	assert_string_equal(d.text, c.text);
	assert_string_equal(d.hash, HASH);
	control_cmd_fini(&d);
	for (size_t i = 0; i < HT_COUNT(bad); i++) {
		snprintf(text, sizeof(text),
		    "{\"id\":\"1\",\"verb\":\"targets\",\"hash\":\"" HASH "\",%s}",
		    bad[i]);
		assert_int_equal(
		    control_cmd_decode(text, strlen(text), &d), HT_MALFORMED);
	}
	memset(large, 'x', CONTROL_PAGE_BYTES + 1);
	large[CONTROL_PAGE_BYTES + 1] = '\0';
	c.text = large;
	ht_buf_reset(&out);
	assert_int_equal(control_cmd_encode(&c, &out), HT_INVALID);
	large[CONTROL_PAGE_BYTES] = '\0';
	ht_buf_reset(&out);
	assert_ok(control_cmd_encode(&c, &out));
	assert_ok(control_cmd_decode(out.data, out.len, &d));
	control_cmd_fini(&d);
	free(large);
}

static void test_answers_round_trip(void **state)
{
	struct control_cmd c = { .id = "9",
		.verb = CONTROL_ANSWER,
		.request = "00112233445566ff",
		.ok = true,
		.set = { { "slot", "7" }, { "url", "https://a:1" } },
		.n_set = 2 };
	struct control_cmd d;

	assert_ok(control_cmd_encode(&c, &out));
	assert_string_equal(ht_buf_text(&out),
	    "{\"id\":\"9\",\"verb\":\"answer\",\"request\":\"00112233445566ff\","
	    "\"ok\":true,\"fields\":{\"slot\":\"7\",\"url\":\"https://a:1\"}}");
	assert_ok(control_cmd_decode(out.data, out.len, &d));
	assert_true(d.ok && d.n_set == 2);
	assert_string_equal(d.request, c.request);
	assert_string_equal(d.set[1].value, "https://a:1");
	control_cmd_fini(&d);

	c.ok = false;
	c.n_set = 0;
	memcpy(c.error, "the link is busy", sizeof("the link is busy"));
	ht_buf_reset(&out);
	assert_ok(control_cmd_encode(&c, &out));
	assert_ok(control_cmd_decode(out.data, out.len, &d));
	assert_false(d.ok);
	assert_string_equal(d.error, "the link is busy");
	control_cmd_fini(&d);
	c.request[0] = '\0';
	ht_buf_reset(&out);
	assert_int_equal(control_cmd_encode(&c, &out), HT_INVALID);
}

static void test_other_verbs_can_be_answered(void **state)
{
	static const char text[] = "{\"id\":\"0c\",\"verb\":\"dance\",\"tempo\":7}";
	struct control_cmd c;

	assert_ok(control_cmd_decode(text, sizeof(text) - 1, &c));
	assert_int_equal(c.verb, CONTROL_OTHER);
	assert_string_equal(c.verb_text, "dance");
	assert_string_equal(c.id, "0c");
	control_cmd_fini(&c);
}

static void test_bad_commands_are_refused(void **state)
{
	static const char *const texts[] = {
		"{\"verb\":\"propose\"}",
		"{\"id\":\"\",\"verb\":\"propose\"}",
		"{\"id\":\"xyz\",\"verb\":\"propose\"}",
		"{\"id\":\"1\"}",
		"{\"id\":\"000000000000000000000000000000000\",\"verb\":\"propose\"}",
		"{\"id\":\"1\",\"verb\":\"config\",\"yaml\":\"a: 1\"}",
		"{\"id\":\"1\",\"verb\":\"config\",\"hash\":\"" HASH "\"}",
		"{\"id\":\"1\",\"verb\":\"config\",\"yaml\":7,\"hash\":\"" HASH "\"}",
		"{\"id\":\"1\",\"verb\":\"config\",\"yaml\":\"a\\u0000\",\"hash\":\"" HASH
		"\"}",
		"{\"id\":\"1\",\"verb\":\"answer\",\"ok\":true}",
		"{\"id\":\"1\",\"verb\":\"answer\",\"request\":\"a\"}",
		"{\"id\":\"1\",\"verb\":\"answer\",\"request\":\"a\",\"ok\":false}",
		"{\"id\":\"1\",\"verb\":\"answer\",\"request\":\"x\",\"ok\":true}",
		"{\"id\":\"1\",\"verb\":\"probe\"}",
		"{\"id\":\"1\",\"verb\":\"probe\",\"name\":\"a b\"}",
		"{\"id\":\"1\",\"verb\":\"probe\",\"name\":\"icmp\",\"set\":[]}",
		"{\"id\":\"1\",\"verb\":\"probe\",\"name\":\"icmp\",\"set\":{\"count\":"
		"20}}",
		"{\"id\":\"1\",\"verb\":\"probe\",\"name\":\"icmp\",\"set\":{\"\":\"20\"}"
		"}",
	};
	struct control_cmd c = { .id = "untouched" };

	for (size_t i = 0; i < HT_COUNT(texts); i++) {
		if (control_cmd_decode(texts[i], strlen(texts[i]), &c) != HT_MALFORMED)
			fail_msg("accepted: %s", texts[i]);
		assert_string_equal(c.id, "untouched");
	}
}

static void test_commands_have_ceilings(void **state)
{
	struct control_cmd c = { .id = "1", .verb = CONTROL_CONFIG, .hash = HASH }, d;

	c.yaml = malloc(CONTROL_TEXT_MAX + 2);
	memset(c.yaml, 'y', CONTROL_TEXT_MAX + 1);
	c.yaml[CONTROL_TEXT_MAX + 1] = '\0';
	assert_int_equal(control_cmd_encode(&c, &out), HT_TOOLARGE);
	c.yaml[CONTROL_TEXT_MAX] = '\0';
	ht_buf_reset(&out);
	assert_ok(control_cmd_encode(&c, &out));
	assert_ok(control_cmd_decode(out.data, out.len, &d));
	assert_int_equal(strlen(d.yaml), CONTROL_TEXT_MAX);
	control_cmd_fini(&d);
	free(c.yaml);
	ht_buf_reset(&out);
	ht_buf_puts(&out,
	    "{\"id\":\"1\",\"verb\":\"probe\",\"name\":\"icmp\",\"set\":{\"k\":\"v\"");
	for (int i = 0; i < CONTROL_PAIRS_MAX; i++)
		ht_buf_printf(&out, ",\"k%d\":\"v\"", i);
	ht_buf_puts(&out, "}}");
	assert_int_equal(control_cmd_decode(out.data, out.len, &d), HT_TOOLARGE);
}

/* --- reply --- */

static void test_reply_round_trips(void **state)
{
	struct control_reply r = { .id = "1f",
		.ok = true,
		.text = (char *)"line 1\nline \"2\" – 3\n",
		.n_fields = 1,
		.fields = { { "hash", HASH } } };
	struct control_reply s;

	assert_ok(control_reply_encode(&r, &out));
	assert_ok(control_reply_decode(out.data, out.len, &s));
	assert_true(s.ok);
	assert_string_equal(s.text, r.text);
	assert_string_equal(s.fields[0].key, "hash");
	control_reply_fini(&s);
}

static void test_reply_with_an_error(void **state)
{
	struct control_reply r = { .id = "1f", .error = "cut in a letter: \xe2\x80" }, s;

	assert_ok(control_reply_encode(&r, &out));
	assert_string_equal(ht_buf_text(&out),
	    "{\"id\":\"1f\",\"ok\":false,\"error\":\"cut in a letter: ??\"}");
	assert_ok(control_reply_decode(out.data, out.len, &s));
	assert_false(s.ok);
	assert_null(s.text);
	control_reply_fini(&s);
	assert_int_equal(
	    control_reply_decode("{\"id\":\"1\",\"ok\":false}", 21, &s), HT_MALFORMED);
	assert_int_equal(control_reply_decode("{\"id\":\"1\"}", 10, &s), HT_MALFORMED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_presence_is_as_documented),
		TEST(test_presence_round_trips),
		TEST(test_presence_of_a_server_is_short),
		TEST(test_bad_presences_are_refused),
		TEST(test_presence_that_cannot_be_read_is_not_written),
		TEST(test_ack_round_trips),
		TEST(test_ack_has_a_ceiling),
		TEST(test_bad_acks_are_refused),
		TEST(test_config_command),
		TEST(test_certificate_command),
		TEST(test_probe_command),
		TEST(test_pages_of_targets_round_trip),
		TEST(test_answers_round_trip),
		TEST(test_other_verbs_can_be_answered),
		TEST(test_bad_commands_are_refused),
		TEST(test_commands_have_ceilings),
		TEST(test_reply_round_trips),
		TEST(test_reply_with_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
