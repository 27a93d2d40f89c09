/* The probe against servers that misbehave, on a real loop, in a network of its own. */
#include "unit/test.h"

#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/yaml.h"
#include "probes/wan/service/dns_options.h"
#include "probes/wan/service/dns_packet.h"
#include "unit/probes/dns_world.h"
#include "unit/probes/runner.h"
#include "unit/probes/sandbox.h"
#include "unit/probes/stall.h"
#include "unit/probes/stub_dns.h"
#include "unit/probes/witness.h"

extern const struct probe_ops probe_dns;

#define ID       "resolver"
#define DEADLINE (20 * HT_NS_PER_S)
enum { NOERROR = 0, SERVFAIL = 2, NXDOMAIN = 3 };

static void run_at(struct runner *r, uint16_t port, const char *more)
{
	char yaml[1024];

	snprintf(yaml, sizeof(yaml), "{name: www.example, server: '127.0.0.1:%u'%s}",
	    port, more);
	assert_true(runner_run(r, &probe_dns, ID, yaml, DEADLINE));
	assert_true(r->done);
}

static void run(struct runner *r, stub_dns_answer answer, void *arg, const char *more)
{
	struct stub_dns *s = stub_dns_start(answer, arg);

	run_at(r, stub_dns_port(s), more);
	stub_dns_free(s);
}

static void assert_status(const struct runner *r, const char *status)
{
	const struct runner_reading *why = runner_find(r, HT_M_DNS_REASON, ID);

	if (strcmp(runner_string(r, HT_M_DNS_STATUS, ID), status) != 0)
		print_error("reason: %s\n", why ? why->string : "none");
	assert_string_equal(runner_string(r, HT_M_DNS_STATUS, ID), status);
}

static void assert_no_answer(const struct runner *r)
{
	assert_null(runner_find(r, HT_M_DNS_RCODE, NULL));
	assert_null(runner_find(r, HT_M_DNS_TIME, NULL));
	assert_null(runner_find(r, HT_M_DNS_CORRECT, NULL));
	assert_null(runner_find(r, HT_M_DNS_ANSWERS, NULL));
}

/* ── good answers ────────────────────────────────────────────────────────────────── */

static size_t two_addresses(struct stub_dns *s, const struct stub_dns_question *q,
    uint8_t out[static STUB_DNS_MAX], void *arg)
{
	return stub_dns_plain(q, out, NOERROR, 2);
}

static void test_an_answer(void **state)
{
	struct runner *r = runner_new();

	run(r, two_addresses, NULL, "");
	assert_status(r, "ok");
	assert_string_equal(runner_string(r, HT_M_DNS_RCODE, ID), "NOERROR");
	assert_string_equal(
	    runner_string(r, HT_M_DNS_ANSWERS, ID), "192.0.2.1, 192.0.2.2");
	assert_string_equal(runner_string(r, HT_M_DNS_NAME, ID), "www.example A");
	assert_true(runner_find(r, HT_M_DNS_CORRECT, ID)->boolean);
	assert_true(runner_number(r, HT_M_DNS_TIME, ID) > 0);
	assert_null(runner_find(r, HT_M_DNS_REASON, NULL));
	assert_null(runner_find(r, HT_M_DNS_DNSSEC, NULL));
	runner_free(r);
}

static void test_what_is_expected(void **state)
{
	static const struct {
		const char *more;
		bool good;
	} cases[] = {
		{ ", expect: 192.0.2.1", true },
		{ ", expect: [192.0.2.2, 192.0.2.1]", true },
		{ ", expect: [192.0.2.1, 192.0.2.3]", false },
		{ ", expect: [192.0.2.1, 192.0.2.3], expect_mode: any", true },
		{ ", expect: 192.0.2.3, expect_mode: any", false },
		{ ", expect: 192.0.2.1, expect_mode: exactly", false },
		{ ", expect: [192.0.2.1, 192.0.2.2], expect_mode: exactly", true },
		{ ", expect_rcode: nxdomain", false },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		struct runner *r = runner_new();

		run(r, two_addresses, NULL, cases[i].more);
		assert_status(r, cases[i].good ? "ok" : "wrong-answer");
		assert_true(
		    runner_find(r, HT_M_DNS_CORRECT, ID)->boolean == cases[i].good);
		assert_true(
		    (runner_find(r, HT_M_DNS_REASON, NULL) != NULL) != cases[i].good);
		runner_free(r);
	}
}

static size_t with_rcode(struct stub_dns *s, const struct stub_dns_question *q,
    uint8_t out[static STUB_DNS_MAX], void *arg)
{
	return stub_dns_plain(q, out, *(unsigned *)arg, 0);
}

static void test_response_codes(void **state)
{
	struct runner *r = runner_new();
	unsigned rcode = NXDOMAIN;

	run(r, with_rcode, &rcode, "");
	assert_status(r, "wrong-answer");
	assert_string_equal(runner_string(r, HT_M_DNS_RCODE, ID), "NXDOMAIN");
	assert_string_equal(
	    runner_string(r, HT_M_DNS_REASON, ID), "it answered NXDOMAIN, not NOERROR");
	run(r, with_rcode, &rcode, ", expect_rcode: NXDOMAIN");
	assert_status(r, "ok");
	rcode = SERVFAIL;
	run(r, with_rcode, &rcode, "");
	assert_status(r, "wrong-answer");
	assert_string_equal(runner_string(r, HT_M_DNS_RCODE, ID), "SERVFAIL");
	rcode = 5;
	run(r, with_rcode, &rcode, ", expect_rcode: REFUSED");
	assert_status(r, "ok");
	runner_free(r);
}

/* ── we stand still ──────────────────────────────────────────────────────────────── */

struct held {
	atomic_bool asked;
	sem_t go;
	bool tcp; /* truncated by UDP; it is the answer by TCP that is held */
};

static size_t held_answer(struct stub_dns *s, const struct stub_dns_question *q,
    uint8_t out[static STUB_DNS_MAX], void *arg)
{
	struct held *h = arg;
	size_t len = stub_dns_plain(q, out, NOERROR, 1);

	if (q->tcp == h->tcp) {
		h->asked = true;
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += 5; /* whatever became of who asked */
		(void)sem_timedwait(&h->go, &until);
	} else {
		out[2] |= 2; /* TC */
	}
	return len;
}

static bool question_held(void *arg)
{
	struct held *h = arg;

	if (h->asked)
		sem_post(&h->go);
	return h->asked;
}

/* The answer comes while we stand still for longer than it is waited for. */
static void test_a_stall_is_no_timeout(void **state)
{
	skip_when_emulated("too slow beside the thread that answers");
	for (int tcp = 0; tcp < 2; tcp++) {
		struct runner *r = runner_new();
		struct held h = { .tcp = tcp };
		struct stall s;

		sem_init(&h.go, 0, 0);
		stall_start(&s, &r->loop, 900, question_held, &h);
		run(r, held_answer, &h, ", wait: 600ms, tries: 1");
		stall_end(&s, &r->loop);
		assert_status(r, "ok");
		assert_string_equal(runner_string(r, HT_M_DNS_ANSWERS, ID), "192.0.2.1");
		runner_free(r);
		sem_destroy(&h.go);
	}
}

/* ── answers that are none ───────────────────────────────────────────────────────── */

enum stray {
	STRAY_ID,
	STRAY_NAME,
	STRAY_TYPE,
	STRAY_QUERY,
	STRAY_SHORT,
	STRAY_GARBAGE,
	STRAY_NO_QUESTION,
	STRAY_SPOOFED,
	STRAYS
};

/* One that is not to be believed, saying NXDOMAIN; then the right one if `right`. */
struct stray_script {
	enum stray stray;
	bool right;
};

static size_t spoil(enum stray stray, uint8_t *bytes, size_t len)
{
	switch (stray) {
	case STRAY_ID:
		bytes[0] ^= 0x5a;
		break;
	case STRAY_NAME:
		bytes[13] = 'x';
		break;
	case STRAY_TYPE:
		bytes[len - 3] = 28;
		break;
	case STRAY_QUERY:
		bytes[2] &= 0x7f;
		break;
	case STRAY_SHORT:
		return 11;
	case STRAY_GARBAGE:
		memset(bytes + 2, 0xff, len - 2);
		break;
	case STRAY_NO_QUESTION:
		bytes[5] = 0;
		return 12;
	default:
		break;
	}
	return len;
}

static size_t stray_first(struct stub_dns *s, const struct stub_dns_question *q,
    uint8_t out[static STUB_DNS_MAX], void *arg)
{
	const struct stray_script *script = arg;
	uint8_t bytes[512];
	size_t len = spoil(script->stray, bytes, stub_dns_plain(q, bytes, NXDOMAIN, 0));

	if (script->stray == STRAY_SPOOFED)
		stub_dns_spoof(s, bytes, len);
	else
		stub_dns_also(s, bytes, len);
	return script->right ? stub_dns_plain(q, out, NOERROR, 1) : 0;
}

static void test_strays_are_passed_over(void **state)
{
	for (enum stray stray = 0; stray < STRAYS; stray++) {
		struct stray_script script = { stray, true };
		struct runner *r = runner_new();
		struct witness w;

		run(r, stray_first, &script, "");
		assert_status(r, "ok");
		assert_string_equal(runner_string(r, HT_M_DNS_ANSWERS, ID), "192.0.2.1");
		script.right = false;
		witness_start(&w, &r->loop);
		run(r, stray_first, &script, ", wait: 150ms");
		witness_end(&w, &r->loop, 3);
		assert_status(r, "timeout");
		assert_no_answer(r);
		/* the kernel keeps other addresses' messages from us */
		if (stray == STRAY_SPOOFED)
			assert_null(runner_find(r, HT_M_DNS_REASON, NULL));
		else
			assert_non_null(strstr(
			    runner_string(r, HT_M_DNS_REASON, ID), "another question"));
		runner_free(r);
	}
}

static size_t silent(struct stub_dns *s, const struct stub_dns_question *q,
    uint8_t out[static STUB_DNS_MAX], void *arg)
{
	return 0;
}

static size_t second_time(struct stub_dns *s, const struct stub_dns_question *q,
    uint8_t out[static STUB_DNS_MAX], void *arg)
{
	return q->number ? stub_dns_plain(q, out, NOERROR, 1) : 0;
}

static void test_silence_and_a_lost_question(void **state)
{
	struct runner *r = runner_new();
	struct stub_dns *s = stub_dns_start(silent, NULL);
	struct witness w;

	witness_start(&w, &r->loop);
	run_at(r, stub_dns_port(s), ", wait: 200ms, tries: 3");
	witness_end(&w, &r->loop, 3);
	while (stub_dns_asked(s) < 3) /* they lie in its socket */
		sched_yield();
	stub_dns_free(s);
	assert_status(r, "timeout");
	assert_no_answer(r);
	run(r, second_time, NULL, ", wait: 800ms, tries: 4");
	assert_status(r, "ok");
	assert_true(runner_number(r, HT_M_DNS_TIME, ID) >= 0.199); /* a quarter of it */
	runner_free(r);
}

static void test_no_server(void **state)
{
	struct runner *r = runner_new();
	char yaml[128];

	run_at(r, 9, "");
	assert_status(r, "refused");
	assert_no_answer(r);
	snprintf(yaml, sizeof(yaml), "{name: www.example, server: 192.0.2.1}");
	assert_true(runner_run(r, &probe_dns, ID, yaml, DEADLINE));
	assert_status(r, "unreachable");
	assert_string_equal(runner_string(r, HT_M_DNS_SERVER, ID), "192.0.2.1:53");
	runner_free(r);
}

static void test_cancel_under_way(void **state)
{
	struct runner *r = runner_new();
	struct stub_dns *s = stub_dns_start(silent, NULL);
	char yaml[128];

	snprintf(yaml, sizeof(yaml), "{name: a.example, server: '127.0.0.1:%u'}",
	    stub_dns_port(s));
	assert_true(runner_start(r, &probe_dns, ID, yaml, DEADLINE));
	while (!stub_dns_asked(s))
		uv_run(&r->loop, UV_RUN_NOWAIT);
	runner_cancel(r);
	assert_false(r->done);
	stub_dns_free(s);
	runner_free(r);
}

/* ── answers that cannot be read ─────────────────────────────────────────────────── */

enum broken { BROKEN_LOOP, BROKEN_POINTER, BROKEN_COUNT, BROKEN_LENGTH, BROKENS };

static size_t broken(struct stub_dns *s, const struct stub_dns_question *q,
    uint8_t out[static STUB_DNS_MAX], void *arg)
{
	size_t len = stub_dns_plain(q, out, NOERROR, 1), record = len - 16;

	switch (*(enum broken *)arg) {
	case BROKEN_LOOP: /* a name that is itself */
		out[record] = 0xc0;
		out[record + 1] = (uint8_t)record;
		break;
	case BROKEN_POINTER:
		out[record] = 0xff;
		out[record + 1] = 0xff;
		break;
	case BROKEN_COUNT:
		out[7] = 200;
		break;
	default:
		out[record + 10] = 0xff; /* data longer than the message */
		break;
	}
	return len;
}

static void test_broken_answers(void **state)
{
	for (enum broken b = 0; b < BROKENS; b++) {
		struct runner *r = runner_new();

		run(r, broken, &b, "");
		assert_status(r, "malformed");
		assert_no_answer(r);
		runner_free(r);
	}
}

/* ── TCP ─────────────────────────────────────────────────────────────────────────── */

enum tcp_way { TCP_GOOD, TCP_CLOSED, TCP_PART, TCP_HUGE, TCP_STRAY, TCP_HOLD };

static size_t cut_then_tcp(struct stub_dns *s, const struct stub_dns_question *q,
    uint8_t out[static STUB_DNS_MAX], void *arg)
{
	static const uint8_t part[] = { 0x01, 0x00, 1, 2, 3 };
	size_t len = stub_dns_plain(q, out, NOERROR, q->tcp ? 300 : 1);

	if (!q->tcp) {
		out[2] |= 2; /* TC */
		return len;
	}
	switch (*(enum tcp_way *)arg) {
	case TCP_CLOSED:
		return 0;
	case TCP_PART:
		stub_dns_raw(s, part, sizeof(part));
		return 0;
	case TCP_HUGE:
		return 65535;
	case TCP_STRAY:
		out[0] ^= 0x5a;
		return len;
	default:
		return len;
	}
}

static void test_a_cut_answer_comes_by_tcp(void **state)
{
	static const struct {
		enum tcp_way way;
		const char *status, *says;
	} cases[] = {
		{ TCP_GOOD, "ok", NULL },
		{ TCP_CLOSED, "closed", "by TCP" },
		{ TCP_PART, "closed", "by TCP" },
		{ TCP_HUGE, "malformed", "too large" },
		{ TCP_STRAY, "closed", "another question" },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		enum tcp_way way = cases[i].way;
		struct runner *r = runner_new();

		run(r, cut_then_tcp, &way, ", wait: 2s");
		assert_status(r, cases[i].status);
		if (cases[i].says) {
			assert_non_null(
			    strstr(runner_string(r, HT_M_DNS_REASON, ID), cases[i].says));
			assert_no_answer(r);
		} else { /* 300 addresses, more than any datagram holds */
			assert_non_null(strstr(runner_string(r, HT_M_DNS_ANSWERS, ID),
			    "192.0.2.255, 192.0.2.26"));
		}
		runner_free(r);
	}
}

/* ── where to ask ────────────────────────────────────────────────────────────────── */

static void resolv_conf(const char *text)
{
	(void)umount2("/etc/resolv.conf", MNT_DETACH); /* the one before */
	assert_true(sandbox_cover("/etc/resolv.conf", text));
}

static void test_the_resolver_is_read_in_each_run(void **state)
{
	struct runner *r = runner_new();

	resolv_conf("# one\nnameserver 127.0.0.77\nnameserver 127.0.0.1\n");
	assert_true(runner_run(r, &probe_dns, ID, "name: a.example", DEADLINE));
	assert_string_equal(runner_string(r, HT_M_DNS_SERVER, ID), "127.0.0.77:53");
	assert_status(r, "refused");
	resolv_conf("nameserver ::1\n");
	assert_true(runner_run(r, &probe_dns, ID, "name: a.example", DEADLINE));
	assert_string_equal(runner_string(r, HT_M_DNS_SERVER, ID), "[::1]:53");
	resolv_conf("search example\n");
	assert_true(runner_run(r, &probe_dns, ID, "name: a.example", DEADLINE));
	assert_string_equal(runner_string(r, HT_M_DNS_SERVER, ID), "127.0.0.1:53");
	runner_free(r);
}

/* ── DNSSEC ──────────────────────────────────────────────────────────────────────── */

enum ad_way { AD_SET, AD_CLEAR, AD_BOGUS, AD_BROKEN };

static size_t validating(struct stub_dns *s, const struct stub_dns_question *q,
    uint8_t out[static STUB_DNS_MAX], void *arg)
{
	enum ad_way way = *(enum ad_way *)arg;
	bool unchecked = q->bytes[3] & 0x10; /* CD */
	bool fails = way == AD_BROKEN || (way == AD_BOGUS && !unchecked);
	size_t len = stub_dns_plain(q, out, fails ? SERVFAIL : NOERROR, !fails);

	if (way == AD_SET)
		out[3] |= 0x20;
	return len;
}

static void test_the_resolver_is_believed(void **state)
{
	static const struct {
		enum ad_way way;
		const char *dnssec, *status;
	} cases[] = {
		{ AD_SET, "secure", "ok" },
		{ AD_CLEAR, "indeterminate", "ok" },
		{ AD_BOGUS, "bogus", "bogus" },
		{ AD_BROKEN, "indeterminate", "wrong-answer" },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		enum ad_way way = cases[i].way;
		struct runner *r = runner_new();

		run(r, validating, &way, ", dnssec: ad");
		assert_status(r, cases[i].status);
		assert_string_equal(
		    runner_string(r, HT_M_DNS_DNSSEC, ID), cases[i].dnssec);
		assert_true(
		    (runner_find(r, HT_M_DNS_REASON, NULL) == NULL) == (way == AD_SET));
		runner_free(r);
	}
}

static const struct dns_world_zone zones[] = {
	{ "plain.", "www.plain. 300 IN A 192.0.2.9", WORLD_UNSIGNED },
	{ "example.", "www.example. 300 IN A 192.0.2.1", WORLD_NSEC3 },
	{ ".", "", WORLD_NSEC },
};

static size_t from_world(struct stub_dns *s, const struct stub_dns_question *q,
    uint8_t out[static STUB_DNS_MAX], void *arg)
{
	size_t len = dns_world_reply(arg, q->bytes, q->len, out, STUB_DNS_MAX);

	if (len <= DNS_UDP_MAX || q->tcp)
		return len;
	len = stub_dns_plain(q, out, NOERROR, 0);
	out[2] |= 2; /* TC */
	return len;
}

static void run_validating(
    struct runner *r, struct dns_world *w, const char *name, const char *more)
{
	struct stub_dns *s = stub_dns_start(from_world, w);
	char *anchor = dns_world_anchor(w, "."), file[] = "/tmp/hatang-anchor-XXXXXX";
	char yaml[512];
	int fd = mkstemp(file);

	assert_int_equal(write(fd, anchor, strlen(anchor)), strlen(anchor));
	close(fd);
	snprintf(yaml, sizeof(yaml),
	    "{name: %s, server: '127.0.0.1:%u', dnssec: validate, anchors: %s%s}", name,
	    stub_dns_port(s), file, more);
	assert_true(runner_run(r, &probe_dns, ID, yaml, DEADLINE));
	assert_true(r->done);
	unlink(file);
	free(anchor);
	stub_dns_free(s);
}

static void test_the_chain_is_checked_here(void **state)
{
	struct dns_world *w = dns_world_new(zones, HT_COUNT(zones), ht_wall_ms() / 1000);
	struct runner *r = runner_new();

	run_validating(r, w, "www.example", "");
	assert_status(r, "ok");
	assert_string_equal(runner_string(r, HT_M_DNS_DNSSEC, ID), "secure");
	assert_null(runner_find(r, HT_M_DNS_REASON, NULL));
	run_validating(r, w, "no.example", ", expect_rcode: NXDOMAIN");
	assert_status(r, "ok");
	assert_string_equal(runner_string(r, HT_M_DNS_DNSSEC, ID), "secure");
	run_validating(r, w, "www.plain", "");
	assert_status(r, "ok");
	assert_string_equal(runner_string(r, HT_M_DNS_DNSSEC, ID), "insecure");
	assert_string_equal(
	    runner_string(r, HT_M_DNS_REASON, ID), "plain. is delegated without keys");
	dns_world_add(w, "www.example. 300 IN A 203.0.113.66");
	run_validating(r, w, "www.example", ", expect: 192.0.2.1");
	assert_status(r, "bogus");
	assert_string_equal(runner_string(r, HT_M_DNS_DNSSEC, ID), "bogus");
	assert_true(runner_find(r, HT_M_DNS_CORRECT, ID)->boolean);
	assert_string_equal(runner_string(r, HT_M_DNS_REASON, ID),
	    "www.example.: its signature does not hold");
	runner_free(r);
	dns_world_free(w);
}

/* The answer comes, its keys do not: what is known is told. */
static size_t no_keys(struct stub_dns *s, const struct stub_dns_question *q,
    uint8_t out[static STUB_DNS_MAX], void *arg)
{
	return q->number ? 0 : from_world(s, q, out, arg);
}

static void test_keys_that_do_not_come(void **state)
{
	struct dns_world *w = dns_world_new(zones, HT_COUNT(zones), ht_wall_ms() / 1000);
	struct runner *r = runner_new();
	struct stub_dns *s = stub_dns_start(no_keys, w);

	run_at(r, stub_dns_port(s), ", dnssec: validate, wait: 600ms, tries: 1");
	stub_dns_free(s);
	assert_status(r, "ok");
	assert_string_equal(runner_string(r, HT_M_DNS_ANSWERS, ID), "192.0.2.1");
	assert_string_equal(runner_string(r, HT_M_DNS_DNSSEC, ID), "indeterminate");
	assert_non_null(strstr(runner_string(r, HT_M_DNS_REASON, ID), "timeout"));
	runner_free(r);
	dns_world_free(w);
}

/* ── configuration, and the pure parts ───────────────────────────────────────────── */

static ht_err check(const char *text, struct ht_fault *fault)
{
	struct dns_options o;
	struct ht_yaml yaml = { 0 };

	*fault = (struct ht_fault){ 0 };
	assert_ok(ht_yaml_parse("test", text, strlen(text), &yaml, fault));
	ht_err err = ht_options_load(&dns_option_table, NULL, yaml.root, &o, fault);

	if (!err) {
		err = dns_options_check(&o, yaml.root, fault);
		ht_options_fini(&dns_option_table, &o);
	}
	ht_yaml_fini(&yaml);
	return err;
}

static void test_configuration_names_its_mistakes(void **state)
{
	static const struct {
		const char *yaml, *says;
	} cases[] = {
		{ "name: a..b", "no domain name" },
		{ "{name: a.b, server: ns.example}", "server: write" },
		{ "{name: a.b, server: '10.0.0.1:0'}", "server: write" },
		{ "{name: a.b, expect: 10.0.0.256}", "no data of type A" },
		{ "{name: a.b, type: MX, expect: mail.b.}", "no data of type MX" },
		{ "{name: a.b, expect_rcode: FINE}", "NXDOMAIN" },
		{ "{name: a.b, dnssec: validate, anchors: /nonexistent}",
		    "dns-root-data" },
	};
	struct ht_fault fault;

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		assert_int_equal(check(cases[i].yaml, &fault), HT_CONFIG);
		if (!strstr(fault.text, cases[i].says))
			print_error("%s\n", fault.text);
		assert_non_null(strstr(fault.text, cases[i].says));
	}
	assert_ok(check("{name: laocai.gov.vn, type: MX, expect: 10 Mail.laocai.gov.vn,"
			" server: '[2001:db8::1]:53'}",
	    &fault));
}

static void test_data_is_compared_in_one_form(void **state)
{
	static const struct {
		const char *type, *text, *normal;
	} cases[] = {
		{ "A", "192.0.2.1", "192.0.2.1" },
		{ "AAAA", "2001:DB8:0::1", "2001:db8::1" },
		{ "MX", "10  Mail.Example", "10 mail.example." },
		{ "CNAME", "WWW.example.", "www.example." },
		{ "TXT", "\"v=spf1 -all\"", "\"v=spf1 -all\"" },
		{ "A", "x", NULL },
		{ "A", "192.0.2.1\nx. IN A 192.0.2.2", NULL },
		{ "MX", "ten mail.", NULL },
	};

	for (size_t i = 0; i < HT_COUNT(cases); i++) {
		char *data = dns_data_normal(dns_type_of(cases[i].type), cases[i].text);

		if (cases[i].normal)
			assert_string_equal(data, cases[i].normal);
		else
			assert_null(data);
		free(data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_stall_is_no_timeout),
		cmocka_unit_test(test_an_answer),
		cmocka_unit_test(test_what_is_expected),
		cmocka_unit_test(test_response_codes),
		cmocka_unit_test(test_strays_are_passed_over),
		cmocka_unit_test(test_silence_and_a_lost_question),
		cmocka_unit_test(test_no_server),
		cmocka_unit_test(test_cancel_under_way),
		cmocka_unit_test(test_broken_answers),
		cmocka_unit_test(test_a_cut_answer_comes_by_tcp),
		cmocka_unit_test(test_the_resolver_is_read_in_each_run),
		cmocka_unit_test(test_the_resolver_is_believed),
		cmocka_unit_test(test_the_chain_is_checked_here),
		cmocka_unit_test(test_keys_that_do_not_come),
		cmocka_unit_test(test_configuration_names_its_mistakes),
		cmocka_unit_test(test_data_is_compared_in_one_form),
	};

	if (!sandbox_enter())
		return SANDBOX_NONE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
