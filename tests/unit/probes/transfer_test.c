/* probes/wan/transfer on a real loop, against servers that misbehave. */
#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "base/clock.h"
#include "probes/wan/transfer.h"
#include "unit/probes/stub_server.h"

#define LONG_MS 20000

struct seen {
	bool done;
	struct transfer_result result;
	char location[256];
	size_t body, headers;
	bool refuse_body;
	int64_t to_send;
};

struct bed {
	uv_loop_t loop;
	struct transfers *all;
	bool closed;
};

static bool on_header(void *arg, const char *line, size_t len)
{
	struct seen *s = arg;

	s->headers++;
	return true;
}

static bool on_body(void *arg, const void *bytes, size_t len)
{
	struct seen *s = arg;

	s->body += len;
	return !s->refuse_body;
}

static size_t on_send(void *arg, void *out, size_t cap)
{
	struct seen *s = arg;
	size_t n = (size_t)s->to_send < cap ? (size_t)s->to_send : cap;

	memset(out, 'x', n);
	s->to_send -= (int64_t)n;
	return n;
}

static void on_done(void *arg, const struct transfer_result *r)
{
	struct seen *s = arg;

	assert_false(s->done);
	s->done = true;
	s->result = *r;
	snprintf(s->location, sizeof(s->location), "%s", r->location ? r->location : "");
}

static void on_closed(void *arg)
{
	struct bed *b = arg;

	b->closed = true;
}

static int set_up(void **state)
{
	struct bed *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	uv_loop_init(&b->loop);
	assert_ok(transfers_new(&b->loop, &b->all));
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bed *b = *state;

	transfers_close(b->all, on_closed, b);
	uv_run(&b->loop, UV_RUN_DEFAULT);
	assert_true(b->closed);
	assert_int_equal(uv_loop_close(&b->loop), 0); /* no handle is left */
	free(b);
	return 0;
}

static struct transfer *start(struct bed *b, struct transfer_request *r, uint16_t port,
    const char *path, struct seen *s, bool sends)
{
	const struct transfer_events on = { .header = on_header,
		.body = on_body,
		.send = sends ? on_send : NULL,
		.done = on_done,
		.arg = s };
	struct transfer *x = NULL;
	char url[128];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", port, path);
	r->url = url;
	if (!r->timeout_ms)
		r->timeout_ms = LONG_MS;
	assert_ok(transfer_start(b->all, r, &on, &x));
	assert_false(s->done); /* never from inside */
	return x;
}

static void wait_for(struct bed *b, struct seen *s)
{
	while (!s->done)
		assert_true(uv_run(&b->loop, UV_RUN_ONCE) || s->done);
}

static void get(struct bed *b, struct transfer_request r, uint16_t port, struct seen *s)
{
	start(b, &r, port, "/", s, false);
	wait_for(b, s);
}

/* ── servers ─────────────────────────────────────────────────────────────────────── */

static void serve_text(struct stub *s, int fd, void *arg)
{
	char request[2048];

	stub_request(s, request, sizeof(request));
	stub_say(s, arg);
}

static void serve_sink(struct stub *s, int fd, void *arg)
{
	char request[65536];
	size_t *total = arg;
	size_t want = *total;

	stub_request(s, request, 1024);
	*total = 0;
	const char *body = strstr(request, "\r\n\r\n");
	size_t got = body ? strlen(body + 4) : 0;
	ssize_t n;

	while (got < want && (n = recv(fd, request, sizeof(request), 0)) > 0)
		got += (size_t)n;
	*total = got;
	stub_say(s, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

static void serve_endless_body(struct stub *s, int fd, void *arg)
{
	static const char piece[16384] = { 0 };
	char request[2048];

	stub_request(s, request, sizeof(request));
	stub_say(s, "HTTP/1.1 200 OK\r\n\r\n");
	while (stub_send(s, piece, sizeof(piece)))
		;
}

static void serve_endless_header(struct stub *s, int fd, void *arg)
{
	char request[2048];

	stub_request(s, request, sizeof(request));
	stub_say(s, "HTTP/1.1 200 OK\r\n");
	while (stub_say(s, "X-More: and more and more and more and more\r\n"))
		;
}

static void serve_reset(struct stub *s, int fd, void *arg)
{
	char request[2048];

	stub_request(s, request, sizeof(request));
	stub_say(s, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this");
	stub_wait(s, 20);
	stub_reset(s);
}

static void serve_drip(struct stub *s, int fd, void *arg)
{
	char request[2048];

	stub_request(s, request, sizeof(request));
	stub_say(s, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
	while (stub_wait(s, 50) && stub_say(s, "."))
		;
}

static void serve_silence(struct stub *s, int fd, void *arg)
{
	stub_hold(s);
}

/* ── tests ───────────────────────────────────────────────────────────────────────── */

static void test_an_answer_has_phases_code_and_bytes(void **state)
{
	struct seen s = { 0 };
	struct stub *server = stub_start("127.0.0.1", NULL, serve_text,
	    "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello");

	get(*state, (struct transfer_request){ 0 }, stub_port(server), &s);
	stub_free(server);
	assert_int_equal(s.result.end, TRANSFER_OK);
	assert_int_equal(s.result.code, 404);
	assert_int_equal(s.result.received, 5);
	assert_int_equal(s.body, 5);
	assert_string_equal(s.result.address, "127.0.0.1");
	assert_true(s.result.connect_s > 0 && s.result.tls_s < 0);
	assert_true(s.result.first_byte_s >= s.result.connect_s);
	assert_true(s.result.total_s >= s.result.first_byte_s);
	assert_false(s.result.tls.seen);
}

static void test_a_redirect_is_told_not_followed(void **state)
{
	struct seen s = { 0 };
	struct stub *server = stub_start("127.0.0.1", NULL, serve_text,
	    "HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n");
	char want[64];

	get(*state, (struct transfer_request){ 0 }, stub_port(server), &s);
	snprintf(want, sizeof(want), "http://127.0.0.1:%u/there", stub_port(server));
	assert_int_equal(stub_served(server), 1);
	stub_free(server);
	assert_int_equal(s.result.code, 302);
	assert_string_equal(s.location, want);
}

static void test_a_name_is_where_the_caller_says(void **state)
{
	struct bed *b = *state;
	struct seen s = { 0 };
	const struct transfer_events on = { .done = on_done, .arg = &s };
	struct stub *server =
	    stub_start("127.0.0.1", NULL, serve_text, "HTTP/1.1 204 No Content\r\n\r\n");
	char url[64], resolved[64];

	snprintf(url, sizeof(url), "http://portal.invalid:%u/", stub_port(server));
	snprintf(
	    resolved, sizeof(resolved), "portal.invalid:%u:127.0.0.1", stub_port(server));
	assert_ok(transfer_start(b->all,
	    &(struct transfer_request){
		.url = url, .resolved = resolved, .timeout_ms = LONG_MS },
	    &on, NULL));
	wait_for(b, &s);
	stub_free(server);
	assert_int_equal(s.result.end, TRANSFER_OK);
	assert_int_equal(s.result.code, 204);
}

static void test_a_body_is_sent(void **state)
{
	struct bed *b = *state;
	struct seen s = { .to_send = 1 << 20 };
	size_t total = 1 << 20;
	struct stub *server = stub_start("127.0.0.1", NULL, serve_sink, &total);
	struct transfer_request r = { .send_bytes = 1 << 20 };

	start(b, &r, stub_port(server), "/", &s, true);
	wait_for(b, &s);
	stub_free(server);
	assert_int_equal(s.result.end, TRANSFER_OK);
	assert_int_equal(s.result.sent, 1 << 20);
	assert_int_equal(total, 1 << 20);
}

static void test_what_never_ends_is_cut(void **state)
{
	struct seen body = { 0 }, header = { 0 };
	struct stub *server = stub_start("127.0.0.1", NULL, serve_endless_body, NULL);

	get(*state, (struct transfer_request){ .max_bytes = 100000 }, stub_port(server),
	    &body);
	stub_free(server);
	assert_int_equal(body.result.end, TRANSFER_TOO_LARGE);
	assert_int_equal(body.result.received, 100000);
	assert_int_equal(body.body, 100000);
	assert_int_equal(body.result.code, 200);
	server = stub_start("127.0.0.1", NULL, serve_endless_header, NULL);
	get(*state, (struct transfer_request){ 0 }, stub_port(server), &header);
	stub_free(server);
	assert_int_equal(header.result.end, TRANSFER_TOO_LARGE);
	assert_string_equal(header.result.error, "the header is longer than allowed");
}

static void test_the_caller_can_stop_it(void **state)
{
	struct seen s = { .refuse_body = true };
	struct stub *server = stub_start("127.0.0.1", NULL, serve_endless_body, NULL);

	get(*state, (struct transfer_request){ 0 }, stub_port(server), &s);
	stub_free(server);
	assert_int_equal(s.result.end, TRANSFER_STOPPED);
}

static void test_a_reset_is_no_whole_answer(void **state)
{
	struct seen s = { 0 };
	struct stub *server = stub_start("127.0.0.1", NULL, serve_reset, NULL);

	get(*state, (struct transfer_request){ 0 }, stub_port(server), &s);
	stub_free(server);
	assert_int_equal(s.result.end, TRANSFER_CLOSED);
	assert_int_equal(s.result.received, 9);
}

static void test_nobody_listens(void **state)
{
	struct seen s = { 0 };
	struct stub *server = stub_start("127.0.0.1", NULL, serve_silence, NULL);
	uint16_t port = stub_port(server);

	stub_free(server);
	get(*state, (struct transfer_request){ 0 }, port, &s);
	assert_int_equal(s.result.end, TRANSFER_REFUSED);
	assert_true(s.result.connect_s < 0 && s.result.first_byte_s < 0);
}

static void test_drip_and_silence_end_by_their_rules(void **state)
{
	struct seen drip = { 0 }, late = { 0 }, silent = { 0 };
	struct stub *server = stub_start("127.0.0.1", NULL, serve_drip, NULL);

	get(*state, (struct transfer_request){ .low_speed = 1000, .low_speed_s = 1 },
	    stub_port(server), &drip);
	assert_int_equal(drip.result.end, TRANSFER_TOO_SLOW);
	get(*state, (struct transfer_request){ .timeout_ms = 500 }, stub_port(server),
	    &late);
	stub_free(server);
	assert_int_equal(late.result.end, TRANSFER_TIMEOUT);
	assert_true(late.result.received > 0);
	server = stub_start("127.0.0.1", NULL, serve_silence, NULL);
	get(*state, (struct transfer_request){ .timeout_ms = 200 }, stub_port(server),
	    &silent);
	stub_free(server);
	assert_int_equal(silent.result.end, TRANSFER_TIMEOUT);
	assert_true(silent.result.first_byte_s < 0);
}

static void test_several_run_at_once_and_can_be_cancelled(void **state)
{
	struct bed *b = *state;
	struct seen s[3] = { 0 };
	struct stub *server[3];
	struct transfer *x[3];

	for (size_t i = 0; i < 3; i++) {
		struct transfer_request r = { 0 };

		server[i] = stub_start("127.0.0.1", NULL,
		    i == 2 ? serve_text : serve_silence, "HTTP/1.1 200 OK\r\n\r\n");
		x[i] = start(b, &r, stub_port(server[i]), "/", &s[i], false);
	}
	wait_for(b, &s[2]);
	transfer_cancel(x[0]);
	assert_false(s[0].done || s[1].done);
	/* x[1] is dropped with all the rest, by tear_down */
	for (size_t i = 0; i < 3; i += 2)
		stub_free(server[i]);
	transfers_close(b->all, on_closed, b);
	stub_free(server[1]);
	uv_run(&b->loop, UV_RUN_DEFAULT);
	assert_true(b->closed);
	b->closed = false;
	assert_false(s[0].done || s[1].done);
	assert_ok(transfers_new(&b->loop, &b->all));
}

struct closer {
	struct bed *bed;
	bool done;
};

static void close_inside(void *arg, const struct transfer_result *r)
{
	struct closer *c = arg;

	c->done = true;
	transfers_close(c->bed->all, on_closed, c->bed);
}

static void test_done_may_close_all(void **state)
{
	struct bed *b = *state;
	struct closer c = { b, false };
	const struct transfer_events on = { .done = close_inside, .arg = &c };

	assert_ok(transfer_start(b->all,
	    &(struct transfer_request){ .url = "http://127.0.0.1:1/", .timeout_ms = 500 },
	    &on, NULL));
	uv_run(&b->loop, UV_RUN_DEFAULT);
	assert_true(c.done && b->closed);
	b->closed = false;
	assert_ok(transfers_new(&b->loop, &b->all));
}

static void test_only_http(void **state)
{
	struct bed *b = *state;
	static const char *const urls[] = { "not a url", "ftp://127.0.0.1/",
		"file:///etc/passwd", "" };
	struct seen s = { 0 };
	const struct transfer_events on = { .done = on_done, .arg = &s };

	for (size_t i = 0; i < HT_COUNT(urls); i++)
		assert_int_equal(
		    transfer_start(b->all,
			&(struct transfer_request){ .url = urls[i], .timeout_ms = 500 },
			&on, NULL),
		    HT_INVALID);
	struct stub *server =
	    stub_start("127.0.0.1", NULL, serve_text, "hello, this is HTTP/0.9\n");

	get(b, (struct transfer_request){ 0 }, stub_port(server), &s);
	stub_free(server);
	assert_int_equal(s.result.end, TRANSFER_MALFORMED);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_an_answer_has_phases_code_and_bytes),
		T(test_a_redirect_is_told_not_followed),
		T(test_a_name_is_where_the_caller_says),
		T(test_a_body_is_sent),
		T(test_what_never_ends_is_cut),
		T(test_the_caller_can_stop_it),
		T(test_a_reset_is_no_whole_answer),
		T(test_nobody_listens),
		T(test_drip_and_silence_end_by_their_rules),
		T(test_several_run_at_once_and_can_be_cancelled),
		T(test_done_may_close_all),
		T(test_only_http),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
