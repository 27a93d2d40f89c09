/* What the probe does when the device says nothing or garbage; real answers are tested
 * with snmpd and recordings in tests/e2e/test_snmp.py. */
#include "unit/test.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/yaml.h"
#include "unit/probes/runner.h"

extern const struct probe_ops probe_snmp_interfaces;

#define ID       "router"
#define DEADLINE (20 * HT_NS_PER_S)

/* A device on the loopback that never answers, or answers with noise. */
struct deaf {
	uv_poll_t poll;
	int fd;
	unsigned port, requests, seed;
};

static void answer_noise(uv_poll_t *poll, int status, int events)
{
	struct deaf *d = poll->data;
	uint8_t bytes[1500];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(
	    d->fd, bytes, sizeof(bytes), MSG_DONTWAIT, (struct sockaddr *)&from, &len);

	d->requests++;
	if (n <= 0 || !d->seed)
		return;
	for (int i = 0; i < 8; i++) { /* the request itself, bent here and there */
		bytes[rand_r(&d->seed) % (unsigned)n] = (uint8_t)rand_r(&d->seed);
		sendto(d->fd, bytes, (size_t)(i % 2 ? n : n / 2), 0,
		    (struct sockaddr *)&from, len);
	}
}

static void deaf_open(struct deaf *d, uv_loop_t *loop, unsigned seed)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	*d = (struct deaf){ .fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
		.seed = seed };
	assert_int_equal(bind(d->fd, (struct sockaddr *)&at, len), 0);
	getsockname(d->fd, (struct sockaddr *)&at, &len);
	d->port = ntohs(at.sin_port);
	uv_poll_init(loop, &d->poll, d->fd);
	d->poll.data = d;
	uv_poll_start(&d->poll, UV_READABLE, answer_noise);
}

static void deaf_close(struct deaf *d)
{
	uv_close((uv_handle_t *)&d->poll, NULL);
	uv_run(d->poll.loop, UV_RUN_NOWAIT);
	close(d->fd);
}

/* A file of one secret; returns its name, static. */
static const char *secret(const char *text, mode_t mode)
{
	static char names[4][32];
	static size_t next;
	char *name = names[next++ % 4];

	snprintf(name, sizeof(names[0]), "/tmp/hatang-secret-XXXXXX");
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
	return name;
}

struct ticker {
	uv_timer_t timer;
	uint64_t last_ns, longest_ns, n;
};

static void on_tick(uv_timer_t *timer)
{
	struct ticker *t = timer->data;
	uint64_t now = uv_hrtime();

	if (t->last_ns && now - t->last_ns > t->longest_ns)
		t->longest_ns = now - t->last_ns;
	t->last_ns = now;
	t->n++;
}

/* A 10 ms timer beside the probe; returns its longest gap. */
static uint64_t run_beside_ticker(struct runner *r, const char *yaml, uint64_t *out_ticks)
{
	struct ticker t = { 0 };

	uv_timer_init(&r->loop, &t.timer);
	t.timer.data = &t;
	uv_timer_start(&t.timer, on_tick, 0, 10);
	assert_true(runner_run(r, &probe_snmp_interfaces, ID, yaml, DEADLINE));
	uv_close((uv_handle_t *)&t.timer, NULL);
	uv_run(&r->loop, UV_RUN_NOWAIT);
	*out_ticks = t.n;
	return t.longest_ns;
}

/* net-snmp by itself would sit in its discovery for the whole wait. */
static void test_silent_v3_device_blocks_nothing(void **state)
{
	struct runner *r = runner_new();
	struct deaf d;
	char yaml[256];
	uint64_t ticks;
	const char *auth = secret("authpass123\n", 0600),
		   *priv = secret("privpass123\n", 0600);

	deaf_open(&d, &r->loop, 0);
	snprintf(yaml, sizeof(yaml),
	    "{target: 127.0.0.1, port: %u, version: '3', user: u, auth_file: %s, "
	    "priv_file: %s,"
	    " wait: 700ms, retries: 1}",
	    d.port, auth, priv);
	uint64_t longest = run_beside_ticker(r, yaml, &ticks);

	deaf_close(&d);
	assert_true(r->done);
	assert_string_equal(runner_string(r, HT_M_SNMP_STATUS, ID), "timeout");
	assert_true(runner_number(r, HT_M_SNMP_ROUND_TRIPS, ID) == 2);
	assert_int_equal(d.requests, 2);
	assert_null(runner_find(r, HT_M_SNMP_INTERFACES, NULL));
	assert_true(ticks > 30);          /* 140 when nothing else runs here */
	assert_true(longest < 350000000); /* half of one wait */
	unlink(auth);
	unlink(priv);
	runner_free(r);
}

static void test_silent_v2c_device(void **state)
{
	struct runner *r = runner_new();
	struct deaf d;
	char yaml[128];
	uint64_t ticks;

	deaf_open(&d, &r->loop, 0);
	snprintf(yaml, sizeof(yaml),
	    "{target: 127.0.0.1, port: %u, wait: 300ms, retries: 2}", d.port);
	assert_true(run_beside_ticker(r, yaml, &ticks) < 250000000);
	deaf_close(&d);
	assert_string_equal(runner_string(r, HT_M_SNMP_STATUS, ID), "timeout");
	assert_int_equal(d.requests, 3);
	assert_true(runner_number(r, HT_M_SNMP_ROUND_TRIPS, ID) == 3);
	runner_free(r);
}

static void test_noise_is_silence(void **state)
{
	struct runner *r = runner_new();
	struct deaf d;
	char yaml[256];
	const char *auth = secret("authpass123\n", 0600),
		   *priv = secret("privpass123\n", 0600);

	for (unsigned seed = 1; seed <= 12; seed++) {
		deaf_open(&d, &r->loop, seed);
		snprintf(yaml, sizeof(yaml),
		    "{target: 127.0.0.1, port: %u, wait: 60ms, retries: 1%s%s%s%s}",
		    d.port, seed % 2 ? "" : ", version: '3', user: u, auth_file: ",
		    seed % 2 ? "" : auth,
		    seed % 2 ? "" : ", priv_file: ", seed % 2 ? "" : priv);
		assert_true(runner_run(r, &probe_snmp_interfaces, ID, yaml, DEADLINE));
		deaf_close(&d);
		assert_true(r->done);
		assert_string_not_equal(runner_string(r, HT_M_SNMP_STATUS, ID), "ok");
	}
	unlink(auth);
	unlink(priv);
	runner_free(r);
}

static void test_deadline_and_cancel(void **state)
{
	struct runner *r = runner_new();
	struct deaf d;
	char yaml[128];

	deaf_open(&d, &r->loop, 0);
	snprintf(yaml, sizeof(yaml), "{target: 127.0.0.1, port: %u, wait: 30s}", d.port);
	assert_true(runner_run(r, &probe_snmp_interfaces, ID, yaml, 500 * HT_NS_PER_MS));
	assert_true(r->done); /* reported before the scheduler cancels */
	assert_string_equal(runner_string(r, HT_M_SNMP_STATUS, ID), "timeout");
	for (int turns = 0; turns < 3; turns++) {
		assert_true(runner_start(r, &probe_snmp_interfaces, ID, yaml, DEADLINE));
		for (int i = 0; i < turns; i++)
			uv_run(&r->loop, UV_RUN_NOWAIT);
		runner_cancel(r);
	}
	deaf_close(&d);
	runner_free(r);
}

/* What check says to a configuration; "" when it is good. */
static const char *check(const char *yaml)
{
	static struct ht_fault fault;
	const struct ht_options *table = probe_snmp_interfaces.options;
	struct ht_yaml y = { 0 };
	void *options = calloc(1, table->size);

	fault.text[0] = '\0';
	assert_ok(ht_yaml_parse("agent.yaml", yaml, strlen(yaml), &y, &fault));
	if (ht_options_load(table, NULL, y.root, options, &fault) == HT_OK) {
		(void)!probe_snmp_interfaces.check(options, y.root, &fault);
		ht_options_fini(table, options);
	}
	free(options);
	ht_yaml_fini(&y);
	return fault.text;
}

static void test_secrets_are_kept(void **state)
{
	const char *open_to_all = secret("s\n", 0644), *closed = secret("s\n", 0600);
	char yaml[256];

	snprintf(yaml, sizeof(yaml), "{target: a, community_file: %s}", open_to_all);
	assert_non_null(strstr(check(yaml), "chmod 600"));
	assert_non_null(strstr(check(yaml), "agent.yaml:1:"));
	snprintf(yaml, sizeof(yaml), "{target: a, community_file: %s}", closed);
	assert_string_equal(check(yaml), "");
	assert_non_null(
	    strstr(check("{target: a, community_file: /no/such/file}"), "/no/such/file"));
	assert_string_not_equal(check("{target: a, community: public}"), "");
	assert_non_null(strstr(check("{target: a, version: '3'}"), "user"));
	assert_non_null(strstr(check("{target: a, version: '3', user: u}"), "auth_file"));
	assert_non_null(
	    strstr(check("{target: a, version: '3', user: u, auth: none}"), "priv"));
	assert_string_equal(
	    check("{target: a, version: '3', user: u, auth: none, priv: none}"), "");
	unlink(open_to_all);
	unlink(closed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silent_v3_device_blocks_nothing),
		cmocka_unit_test(test_silent_v2c_device),
		cmocka_unit_test(test_noise_is_silence),
		cmocka_unit_test(test_deadline_and_cancel),
		cmocka_unit_test(test_secrets_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
