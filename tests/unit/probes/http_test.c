/* The probe against servers that misbehave, on a real loop, in a network of its own. */
#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/yaml.h"
#include "probes/wan/service/http_options.h"
#include "unit/probes/runner.h"
#include "unit/probes/sandbox.h"
#include "unit/probes/stub_certs.h"
#include "unit/probes/stub_server.h"
#include "unit/probes/witness.h"

extern const struct probe_ops probe_http;

#define ID       "portal"
#define DEADLINE (20 * HT_NS_PER_S)

/* What a server says, and what it was asked. */
struct script {
	const char *answer, *then; /* `then` follows a moment later */
	char request[4096];
};

static void serve_script(struct stub *s, int fd, void *arg)
{
	struct script *script = arg;

	stub_request(s, script->request, sizeof(script->request));
	stub_say(s, script->answer);
	if (script->then && stub_wait(s, 30))
		stub_say(s, script->then);
}

static void run_at(struct runner *r, const char *scheme, const char *host, uint16_t port,
    const char *path, const char *more)
{
	char yaml[1024];

	snprintf(yaml, sizeof(yaml), "{url: '%s://%s:%u%s'%s}", scheme, host, port, path,
	    more);
	assert_true(runner_run(r, &probe_http, ID, yaml, DEADLINE));
	assert_true(r->done);
}

/* One run against one server of plain HTTP. */
static void run_plain(struct runner *r, stub_serve serve, void *arg, const char *more)
{
	struct stub *s = stub_start("127.0.0.1", NULL, serve, arg);

	run_at(r, "http", "127.0.0.1", stub_port(s), "/path?secret=42", more);
	stub_free(s);
}

static void assert_status(const struct runner *r, const char *status)
{
	const struct runner_reading *why = runner_find(r, HT_M_HTTP_REASON, ID);

	if (strcmp(runner_string(r, HT_M_HTTP_STATUS, ID), status) != 0)
		print_error("reason: %s\n", why ? why->string : "none");
	assert_string_equal(runner_string(r, HT_M_HTTP_STATUS, ID), status);
	assert_true((why != NULL) == (strcmp(status, "ok") != 0)); /* each has a reason */
}

static const char *reason(const struct runner *r)
{
	return runner_string(r, HT_M_HTTP_REASON, ID);
}

static bool told(const struct runner *r, const char *secret)
{
	for (size_t i = 0; i < r->n_readings; i++) {
		if (r->readings[i].string && strstr(r->readings[i].string, secret))
			return true;
	}
	return false;
}

/* ── good and wrong answers ──────────────────────────────────────────────────────── */

static void test_a_good_answer(void **state)
{
	struct runner *r = runner_new();
	struct script s = { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n"
				      "the portal is he",
		.then = "re for all" };

	run_plain(r, serve_script, &s, ", expect_text: is here for");
	assert_status(r, "ok");
	assert_true(runner_number(r, HT_M_HTTP_CODE, ID) == 200);
	assert_true(runner_number(r, HT_M_HTTP_BYTES, ID) == 26);
	assert_true(runner_find(r, HT_M_HTTP_MATCHED, ID)->boolean);
	assert_true(runner_number(r, HT_M_HTTP_CONNECT, ID) > 0);
	assert_true(runner_number(r, HT_M_HTTP_FIRST_BYTE, ID) > 0);
	assert_true(runner_number(r, HT_M_HTTP_TOTAL, ID) > 0);
	assert_string_equal(runner_string(r, HT_M_HTTP_ADDRESS, ID), "127.0.0.1");
	assert_null(runner_find(r, HT_M_HTTP_TLS, NULL));
	assert_null(runner_find(r, HT_M_HTTP_RESOLVE, NULL)); /* nothing to resolve */
	assert_null(runner_find(r, HT_M_HTTP_CERT_VERIFIED, NULL));
	assert_false(told(r, "secret"));
	assert_non_null(strstr(s.request, "GET /path?secret=42 HTTP/1.1\r\n"));
	assert_null(strstr(s.request, "Accept-Encoding"));
	runner_free(r);
}

static void test_a_name_stays_in_the_request(void **state)
{
	struct runner *r = runner_new();
	struct script s = { .answer = "HTTP/1.1 204 No\r\n\r\n" };
	struct stub *server = stub_start("127.0.0.1", NULL, serve_script, &s);

	setenv("http_proxy", "http://127.0.0.1:1/", 1); /* must not be used */
	run_at(r, "http", "portal.test", stub_port(server), "/", "");
	unsetenv("http_proxy");
	stub_free(server);
	assert_status(r, "ok");
	assert_non_null(strstr(s.request, "\r\nHost: portal.test:"));
	assert_true(runner_number(r, HT_M_HTTP_RESOLVE, ID) >= 0);
	runner_free(r);
}

static void test_wrong_code_and_text(void **state)
{
	struct runner *r = runner_new();
	struct script s = { .answer = "HTTP/1.1 500 Oh\r\nContent-Length: 3\r\n\r\nno!" };

	run_plain(r, serve_script, &s, ", expect_text: yes");
	assert_status(r, "wrong-code");
	assert_string_equal(reason(r), "it answered 500");
	assert_false(runner_find(r, HT_M_HTTP_MATCHED, ID)->boolean);
	run_plain(r, serve_script, &s, ", expect_text: yes, expect_codes: [404, 5xx]");
	assert_status(r, "wrong-text");
	run_plain(r, serve_script, &s, ", expect_codes: 500");
	assert_status(r, "ok");
	assert_null(runner_find(r, HT_M_HTTP_MATCHED, ID));
	s.answer = "HTTP/1.1 302 Found\r\nLocation: /else\r\n\r\n";
	run_plain(r, serve_script, &s, "");
	assert_status(r, "wrong-code");
	assert_non_null(strstr(reason(r), "redirect"));
	runner_free(r);
}

/* ── servers that misbehave ──────────────────────────────────────────────────────── */

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

static void serve_drip(struct stub *s, int fd, void *arg)
{
	char request[2048];

	stub_request(s, request, sizeof(request));
	stub_say(s, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
	while (stub_wait(s, 20) && stub_say(s, "."))
		;
}

static void serve_header_drip(struct stub *s, int fd, void *arg)
{
	char request[2048];

	stub_request(s, request, sizeof(request));
	stub_say(s, "HTTP/1.1 200 OK\r\nX-Slow: ");
	while (stub_wait(s, 20) && stub_say(s, "."))
		;
}

static void serve_after_thought(struct stub *s, int fd, void *arg)
{
	char request[2048];

	stub_request(s, request, sizeof(request));
	if (stub_wait(s, 1300))
		stub_say(s, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
}

static void serve_tls_drip(struct stub *s, int fd, void *arg)
{
	stub_send(s, "\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb", 9); /* of a ServerHello */
	while (stub_wait(s, 20) && stub_say(s, "."))
		;
}

static void serve_silence(struct stub *s, int fd, void *arg)
{
	stub_hold(s);
}

static void serve_reset(struct stub *s, int fd, void *arg)
{
	char request[2048];

	stub_request(s, request, sizeof(request));
	stub_say(s, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this");
	stub_wait(s, 20);
	stub_reset(s);
}

/* Each ends by its rule, says why, and leaves the loop to others meanwhile. */
static void test_hostile_servers_disturb_nobody(void **state)
{
	static const struct {
		const char *scheme, *more, *status;
		stub_serve serve;
		size_t ticks; /* of somebody else, at least */
	} cases[] = {
		{ "http", ", wait: 300ms", "timeout", serve_drip, 3 },
		{ "http", ", slow_for: 1s", "too-slow", serve_drip, 10 },
		{ "http", ", wait: 300ms", "timeout", serve_header_drip, 3 },
		{ "http", ", wait: 200ms", "timeout", serve_silence, 3 },
		{ "https", ", wait: 300ms", "timeout", serve_tls_drip, 3 },
		{ "https", ", wait: 200ms", "timeout", serve_silence, 3 },
		{ "http", ", max_bytes: 64K", "too-large", serve_endless_body, 0 },
		{ "http", "", "too-large", serve_endless_header, 0 },
		{ "http", "", "closed", serve_reset, 0 },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct runner *r = runner_new();
		struct stub *s = stub_start("127.0.0.1", NULL, cases[i].serve, NULL);
		struct witness w;

		witness_start(&w, &r->loop);
		run_at(r, cases[i].scheme, "127.0.0.1", stub_port(s), "/", cases[i].more);
		stub_free(s);
		assert_status(r, cases[i].status);
		witness_end(&w, &r->loop, cases[i].ticks);
		assert_null(runner_find(r, HT_M_HTTP_TOTAL, NULL));
		runner_free(r);
	}
}

static void test_who_thinks_is_not_slow(void **state)
{
	struct runner *r = runner_new();

	run_plain(r, serve_after_thought, NULL, ", slow_for: 1s");
	assert_status(r, "ok");
	assert_true(runner_number(r, HT_M_HTTP_FIRST_BYTE, ID) > 1);
	runner_free(r);
}

static void test_what_was_read_of_a_cut_body_counts(void **state)
{
	struct runner *r = runner_new();

	run_plain(r, serve_endless_body, NULL, ", max_bytes: 64K, expect_text: x");
	assert_status(r, "too-large");
	assert_true(runner_number(r, HT_M_HTTP_BYTES, ID) == 65536);
	/* it may come later: unknown is not "no" */
	assert_null(runner_find(r, HT_M_HTTP_MATCHED, NULL));
	run_plain(r, serve_reset, NULL, ", expect_text: only");
	assert_status(r, "closed");
	assert_true(runner_find(r, HT_M_HTTP_MATCHED, ID)->boolean);
	runner_free(r);
}

static void test_answers_that_lie(void **state)
{
	static const struct {
		const char *answer, *status;
	} cases[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort", "closed" },
		{ "", "closed" },
		{ "this is no HTTP at all\r\n", "malformed" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		    "malformed" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "malformed" },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct runner *r = runner_new();
		struct script s = { .answer = cases[i].answer };

		run_plain(r, serve_script, &s, "");
		assert_status(r, cases[i].status);
		runner_free(r);
	}
}

static void test_a_coded_body_is_not_undone(void **state)
{
	struct runner *r = runner_new();
	struct script s = { .answer = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
				      "Content-Length: 12\r\n\r\n\x1f\x8b bomb....." };

	run_plain(r, serve_script, &s, "");
	assert_status(r, "ok");
	assert_true(runner_number(r, HT_M_HTTP_BYTES, ID) == 12);
	runner_free(r);
}

static void test_no_server_and_no_name(void **state)
{
	struct runner *r = runner_new();

	run_at(r, "http", "127.0.0.1", 9, "/", "");
	assert_status(r, "refused");
	run_at(r, "http", "192.0.2.1", 9, "/", "");
	assert_status(r, "unreachable");
	run_at(r, "http", "[::1]", 9, "/", "");
	assert_status(r, "refused");
	run_at(r, "http", "nowhere.invalid", 80, "/", ", wait: 300ms");
	assert_status(r, "unresolved");
	assert_null(runner_find(r, HT_M_HTTP_CODE, NULL));
	runner_free(r);
}

/* ── redirects ───────────────────────────────────────────────────────────────────── */

/* PORT in the answer is the server's own. */
static void serve_redirect(struct stub *s, int fd, void *arg)
{
	struct script *script = arg;
	const char *port = strstr(script->answer, "PORT");
	char text[512];

	stub_request(s, script->request, sizeof(script->request));
	if (strstr(script->request, "GET /end"))
		snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\n\r\n");
	else if (port)
		snprintf(text, sizeof(text), "%.*s%u%s", (int)(port - script->answer),
		    script->answer, stub_port(s), port + 4);
	else
		snprintf(text, sizeof(text), "%s", script->answer);
	stub_say(s, text);
}
#define TO(url) "HTTP/1.1 302 Found\r\nLocation: " url "\r\nContent-Length: 0\r\n\r\n"

static void test_redirects_stay_where_they_are_allowed(void **state)
{
	static const struct {
		const char *answer, *more, *status;
		unsigned served; /* requests */
	} cases[] = {
		{ TO("/end"), ", redirects: 1", "ok", 2 },
		{ TO("http://127.0.0.1:PORT/end"), ", redirects: 1", "ok", 2 },
		{ TO("http://localhost:PORT/end"), ", redirects: 1", "redirect", 1 },
		{ TO("http://localhost:PORT/end"),
		    ", redirects: 1, redirect_hosts: [localhost]", "ok", 2 },
		{ TO("/again"), ", redirects: 3", "redirect", 4 },
		{ TO("file:///etc/passwd"), ", redirects: 3", "redirect", 1 },
		{ TO("ftp://127.0.0.1/"), ", redirects: 3", "redirect", 1 },
		{ TO("http://me:pw@127.0.0.1:PORT/end"), ", redirects: 3", "redirect",
		    1 },
		{ TO("https://127.0.0.1:1/"), ", redirects: 1", "refused", 1 },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct runner *r = runner_new();
		struct script script = { .answer = cases[i].answer };
		struct stub *s = stub_start("127.0.0.1", NULL, serve_redirect, &script);

		run_at(r, "http", "127.0.0.1", stub_port(s), "/", cases[i].more);
		assert_status(r, cases[i].status);
		assert_int_equal(stub_served(s), cases[i].served);
		assert_false(told(r, "pw"));
		stub_free(s);
		runner_free(r);
	}
}

/* ── TLS ─────────────────────────────────────────────────────────────────────────── */

static struct stub_certs *certs;

static int make_certs(void **state)
{
	certs = stub_certs_new();
	return 0;
}

static int end_certs(void **state)
{
	stub_certs_free(certs);
	return 0;
}

static void run_tls(struct runner *r, enum stub_cert kind, const char *host,
    const char *more, struct script *script)
{
	SSL_CTX *ctx = stub_certs_server(certs, kind);
	struct stub *s = stub_start("127.0.0.1", ctx, serve_script, script);
	char options[512];

	snprintf(
	    options, sizeof(options), ", ca_file: %s%s", stub_certs_ca_file(certs), more);
	run_at(r, "https", host, stub_port(s), "/", options);
	stub_free(s);
	SSL_CTX_free(ctx);
}

static void test_a_good_certificate(void **state)
{
	struct runner *r = runner_new();
	struct script s = { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" };

	run_tls(r, STUB_CERT_GOOD, "portal.test", "", &s);
	assert_status(r, "ok");
	assert_string_equal(runner_string(r, HT_M_HTTP_CERT_VERIFIED, ID), "ok");
	assert_string_equal(
	    runner_string(r, HT_M_HTTP_CERT_SUBJECT, ID), "O=Lào Cai,CN=Cổng thông tin");
	assert_string_equal(
	    runner_string(r, HT_M_HTTP_CERT_ISSUER, ID), "CN=Test Authority");
	assert_string_equal(runner_string(r, HT_M_HTTP_TLS_VERSION, ID), "TLSv1.3");
	assert_non_null(runner_string(r, HT_M_HTTP_TLS_CIPHER, ID));
	double days = runner_number(r, HT_M_HTTP_CERT_EXPIRES_IN, ID) / 86400;

	assert_true(days > 29 && days <= 30);
	assert_true(runner_number(r, HT_M_HTTP_TLS, ID) > 0);
	assert_non_null(strstr(s.request, "\r\nHost: portal.test:"));
	run_tls(r, STUB_CERT_GOOD, "127.0.0.1", "", &s);
	assert_status(r, "ok");
	run_tls(r, STUB_CERT_GOOD, "Portal.test.", "", &s);
	assert_status(r, "ok");
	runner_free(r);
}

/* Told in both cases; trusted by neither; only who insists ends there. */
static void test_bad_certificates_are_readings(void **state)
{
	static const struct {
		enum stub_cert kind;
		const char *why;
	} cases[] = {
		{ STUB_CERT_EXPIRED, "certificate has expired" },
		{ STUB_CERT_NOT_YET, "certificate is not yet valid" },
		{ STUB_CERT_WRONG_NAME, "hostname mismatch" },
		{ STUB_CERT_SELF_SIGNED, "self-signed certificate" },
		{ STUB_CERT_STRANGER, "unable to get local issuer certificate" },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct runner *r = runner_new();
		struct script s = { .answer =
					"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" };

		run_tls(r, cases[i].kind, "portal.test", "", &s);
		assert_status(r, "tls");
		assert_string_equal(
		    runner_string(r, HT_M_HTTP_CERT_VERIFIED, ID), cases[i].why);
		assert_non_null(runner_find(r, HT_M_HTTP_CERT_SUBJECT, ID));
		assert_null(runner_find(r, HT_M_HTTP_CODE, NULL));
		assert_string_equal(s.request, ""); /* it was told nothing */
		run_tls(r, cases[i].kind, "portal.test", ", verify: no", &s);
		assert_status(r, "ok");
		assert_string_equal(
		    runner_string(r, HT_M_HTTP_CERT_VERIFIED, ID), cases[i].why);
		assert_true((runner_number(r, HT_M_HTTP_CERT_EXPIRES_IN, ID) < 0) ==
			    (cases[i].kind == STUB_CERT_EXPIRED));
		runner_free(r);
	}
}

static void test_a_wrong_address_is_a_wrong_name(void **state)
{
	struct runner *r = runner_new();
	struct script s = { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" };

	run_tls(r, STUB_CERT_WRONG_NAME, "127.0.0.1", "", &s);
	assert_status(r, "tls");
	assert_string_equal(
	    runner_string(r, HT_M_HTTP_CERT_VERIFIED, ID), "IP address mismatch");
	runner_free(r);
}

static void test_odd_names_become_text(void **state)
{
	struct runner *r = runner_new();
	struct script s = { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" };

	run_tls(r, STUB_CERT_ODD_NAMES, "portal.test", "", &s);
	assert_status(r, "ok");
	for (const char *p = runner_string(r, HT_M_HTTP_CERT_SUBJECT, ID); *p; p++)
		assert_true((unsigned char)*p >= 0x20);
	runner_free(r);
}

static void serve_greeting(struct stub *s, int fd, void *arg)
{
	stub_say(s, "220 hello, this is no TLS\r\n");
	stub_hold(s);
}

static void test_no_tls_there(void **state)
{
	struct runner *r = runner_new();
	struct stub *server = stub_start("127.0.0.1", NULL, serve_greeting, NULL);

	run_at(r, "https", "127.0.0.1", stub_port(server), "/", ", wait: 2s");
	stub_free(server);
	assert_status(r, "tls");
	assert_null(runner_find(r, HT_M_HTTP_CERT_VERIFIED, NULL));
	runner_free(r);
}

/* ── secrets ─────────────────────────────────────────────────────────────────────── */

static void make_secret(char file[static 32], mode_t mode, const char *text)
{
	snprintf(file, 32, "/tmp/hatang-secret-XXXXXX");
	int fd = mkstemp(file);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void test_secrets_go_to_their_server_alone(void **state)
{
	struct runner *r = runner_new();
	struct script s = { .answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" };
	char file[32], more[256], to_other[256];

	make_secret(file, 0600, "admin:hunter2\n");
	snprintf(more, sizeof(more), ", basic_file: %s", file);
	run_tls(r, STUB_CERT_GOOD, "portal.test", more, &s);
	assert_status(r, "ok");
	assert_non_null(
	    strstr(s.request, "Authorization: Basic YWRtaW46aHVudGVyMg==\r\n"));
	assert_false(told(r, "hunter2") || told(r, "YWRtaW4"));
	/* a certificate that is not to be trusted sees none of it */
	s.request[0] = '\0';
	run_tls(r, STUB_CERT_STRANGER, "portal.test", more, &s);
	assert_string_equal(s.request, "");
	unlink(file);

	make_secret(file, 0600, "t0ken");
	snprintf(more, sizeof(more), ", bearer_file: %s", file);
	run_tls(r, STUB_CERT_GOOD, "portal.test", more, &s);
	assert_non_null(strstr(s.request, "Authorization: Bearer t0ken\r\n"));
	/* nor does another host that a redirect leads to */
	struct script other = { .answer =
				    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" };
	SSL_CTX *ctx = stub_certs_server(certs, STUB_CERT_GOOD);
	struct stub *there = stub_start("127.0.0.1", ctx, serve_script, &other);

	snprintf(
	    to_other, sizeof(to_other), TO("https://localhost:%u/"), stub_port(there));
	s.answer = to_other;
	snprintf(more, sizeof(more),
	    ", bearer_file: %s, redirects: 1, redirect_hosts: localhost", file);
	run_tls(r, STUB_CERT_GOOD, "portal.test", more, &s);
	stub_free(there);
	SSL_CTX_free(ctx);
	assert_status(r, "ok");
	assert_non_null(strstr(other.request, "\r\nHost: localhost"));
	assert_null(strstr(other.request, "Authorization"));
	unlink(file);
	runner_free(r);
}

/* ── configuration ───────────────────────────────────────────────────────────────── */

static ht_err check(const char *text, struct ht_fault *fault)
{
	struct http_options o;
	struct ht_yaml yaml = { 0 };

	*fault = (struct ht_fault){ 0 };
	assert_ok(ht_yaml_parse("test", text, strlen(text), &yaml, fault));
	ht_err err = ht_options_load(&http_option_table, NULL, yaml.root, &o, fault);

	if (!err) {
		err = http_options_check(&o, yaml.root, fault);
		ht_options_fini(&http_option_table, &o);
	}
	ht_yaml_fini(&yaml);
	return err;
}

static void test_configuration_names_its_mistakes(void **state)
{
	static const struct {
		const char *yaml, *says;
	} cases[] = {
		{ "url: ftp://host/", "only http:// and https://" },
		{ "url: 'http://'", "no address" },
		{ "url: http://me:pw@host/", "basic_file" },
		{ "{url: http://host/, expect_codes: [2xx, 20]}", "status code" },
		{ "{url: https://host/, ca_file: /nonexistent}", "cannot be read" },
		{ "{url: http://host/, basic_file: /dev/null}", "verified server" },
		{ "{url: https://host/, verify: no, bearer_file: /x}",
		    "verified server" },
		{ "{url: https://host/, bearer_file: /nonexistent}", "cannot be read" },
		{ "{url: http://host/, method: HEAD, expect_text: x}", "no body" },
	};
	struct ht_fault fault;
	char file[32], text[256];

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		assert_int_equal(check(cases[i].yaml, &fault), HT_CONFIG);
		if (!strstr(fault.text, cases[i].says))
			print_error("%s\n", fault.text);
		assert_non_null(strstr(fault.text, cases[i].says));
	}
	make_secret(file, 0644, "x");
	snprintf(text, sizeof(text), "{url: https://host/, bearer_file: %s}", file);
	assert_int_equal(check(text, &fault), HT_CONFIG);
	assert_non_null(strstr(fault.text, "chmod 600"));
	unlink(file);
}

static void test_cancel_under_way(void **state)
{
	struct runner *r = runner_new();
	struct stub *s = stub_start("127.0.0.1", NULL, serve_silence, NULL);
	char yaml[64];

	snprintf(yaml, sizeof(yaml), "url: http://127.0.0.1:%u/", stub_port(s));
	assert_true(runner_start(r, &probe_http, ID, yaml, DEADLINE));
	while (!stub_served(s))
		uv_run(&r->loop, UV_RUN_NOWAIT);
	runner_cancel(r);
	assert_false(r->done);
	stub_free(s);
	runner_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_good_answer),
		cmocka_unit_test(test_a_name_stays_in_the_request),
		cmocka_unit_test(test_wrong_code_and_text),
		cmocka_unit_test(test_hostile_servers_disturb_nobody),
		cmocka_unit_test(test_who_thinks_is_not_slow),
		cmocka_unit_test(test_what_was_read_of_a_cut_body_counts),
		cmocka_unit_test(test_answers_that_lie),
		cmocka_unit_test(test_a_coded_body_is_not_undone),
		cmocka_unit_test(test_no_server_and_no_name),
		cmocka_unit_test(test_redirects_stay_where_they_are_allowed),
		cmocka_unit_test(test_a_good_certificate),
		cmocka_unit_test(test_bad_certificates_are_readings),
		cmocka_unit_test(test_a_wrong_address_is_a_wrong_name),
		cmocka_unit_test(test_odd_names_become_text),
		cmocka_unit_test(test_no_tls_there),
		cmocka_unit_test(test_secrets_go_to_their_server_alone),
		cmocka_unit_test(test_configuration_names_its_mistakes),
		cmocka_unit_test(test_cancel_under_way),
	};

	if (!sandbox_enter() ||
	    !sandbox_cover("/etc/hosts",
		"127.0.0.1 localhost\n127.0.0.1 portal.test portal.test.\n") ||
	    !sandbox_cover("/etc/resolv.conf", "nameserver 127.0.0.1\n"))
		return SANDBOX_NONE;
	return cmocka_run_group_tests(tests, make_certs, end_certs);
}
