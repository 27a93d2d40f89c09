/* When the probe tests and when it rests, with a fake host. What it measures is
 * tests/e2e/test_throughput.py's. */
#include "unit/test.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "probes/wan/throughput/budget.h"
#include "unit/probes/runner.h"
#include "unit/probes/stub_server.h"

extern const struct probe_ops probe_throughput;

#define ID       "office-wan"
#define DEADLINE (60 * HT_NS_PER_S)
#define BOOT_A   "aaaaaaaa-0000-4000-8000-000000000000"
#define BOOT_B   "bbbbbbbb-0000-4000-8000-000000000000"
#define LAST_MS  INT64_C(1700000000000)

static void run(struct runner *r, const char *once_in)
{
	char yaml[128];

	snprintf(yaml, sizeof(yaml), "{watch: 0s, duration: 2s, once_in: %s}", once_in);
	assert_true(runner_run(r, &probe_throughput, ID, yaml, DEADLINE));
	assert_true(r->done);
}

static bool says(const struct runner *r, const char *what)
{
	const struct runner_reading *x = runner_find(r, HT_M_THROUGHPUT_STATUS, ID);

	return x && strstr(x->string, what);
}

/* A test has just ended, in boot A. */
static void tested(struct runner *r, int64_t at_ms)
{
	struct budget b = { .known_ms = at_ms,
		.done_ms = at_ms,
		.mono_ns = ht_mono_ns(),
		.boot = BOOT_A,
		.day_bytes = 1000,
		.month_bytes = 1000 };
	uint8_t bytes[BUDGET_BYTES];
	size_t len = budget_save(&b, bytes);

	assert_ok(r->host.remember(&r->host, bytes, len));
}

/* Nobody knows how long the machine was off; but the rest must end some time. */
static void test_a_restart_without_a_clock(void **state)
{
	struct runner *r = runner_new();
	int64_t until_ns = ht_mono_ns() + 5 * HT_NS_PER_S;

	setenv("HATANG_CLOCK", "free", 1);
	setenv("HATANG_BOOT_ID", BOOT_B, 1);
	tested(r, LAST_MS);
	run(r, "1h");
	assert_true(says(r, "its clock is not synchronised"));
	run(r, "1h"); /* said once */
	assert_int_equal(r->n_readings, 0);
	do
		run(r, "1ms");
	while (!says(r, "no server to ask") && ht_mono_ns() < until_ns);
	assert_true(says(r, "no server to ask"));
	runner_free(r);
}

/* The clock loses its source only after the restart: the rest goes on by this boot's. */
static void test_a_clock_that_is_lost(void **state)
{
	struct runner *r = runner_new();
	struct budget b;
	size_t len;

	setenv("HATANG_CLOCK", "synchronised", 1);
	setenv("HATANG_BOOT_ID", BOOT_B, 1);
	tested(r, ht_wall_ms());
	run(r, "1h");
	assert_int_equal(r->n_readings, 0);
	const void *bytes = r->host.recall(&r->host, &len);
	budget_load(&b, bytes, len);
	assert_string_equal(b.boot, BOOT_B);
	assert_int_equal(b.day_bytes, 1000);
	setenv("HATANG_CLOCK", "free", 1);
	run(r, "1h");
	assert_int_equal(r->n_readings, 0);
	runner_free(r);
}

static void other_run(uv_timer_t *timer)
{
	struct runner *r = timer->data;
	struct budget b;
	uint8_t bytes[BUDGET_BYTES];
	size_t len;
	const void *was = r->host.recall(&r->host, &len);

	budget_load(&b, was, len);
	budget_spend(&b, 500);
	assert_ok(r->host.remember(&r->host, bytes, budget_save(&b, bytes)));
}

/* Two runs side by side, the scheduled one and one that was asked for: both count. */
static void test_two_runs_spend(void **state)
{
	struct runner *r = runner_new();
	struct budget b;
	uv_timer_t timer;
	size_t len;

	setenv("HATANG_CLOCK", "free", 1);
	setenv("HATANG_BOOT_ID", BOOT_A, 1);
	tested(r, LAST_MS);
	uv_timer_init(&r->loop, &timer);
	timer.data = r;
	uv_timer_start(&timer, other_run, 20, 0);
	assert_true(runner_run(r, &probe_throughput, ID,
	    "{watch: 100ms, duration: 2s, once_in: 0s}", DEADLINE));
	assert_true(says(r, "no server to ask"));
	const void *bytes = r->host.recall(&r->host, &len);
	budget_load(&b, bytes, len);
	assert_int_equal(b.day_bytes, 1500);
	assert_int_equal(b.month_bytes, 1500);
	uv_close((uv_handle_t *)&timer, NULL);
	runner_free(r);
}

/* ── slots ────────────────────────────────────────────────────────────────────────── */

struct desk {
	const char *seconds; /* that are granted */
	int64_t late_ns;     /* the answer */
	char outcome[256];
	struct probe_field fields[3];
};

static void serve(void *arg, const char *request, const struct probe_field *fields,
    size_t n, struct probe_answer *out)
{
	struct desk *d = arg;

	if (strcmp(request, "slot-end") == 0) {
		snprintf(d->outcome, sizeof(d->outcome), "%s", fields[2].value);
		return;
	}
	d->fields[0] = (struct probe_field){ "slot", "7" };
	d->fields[1] = (struct probe_field){ "bytes", "1000000000" };
	d->fields[2] = (struct probe_field){ "seconds", d->seconds };
	out->fields = d->fields;
	out->n_fields = 3;
	poll(NULL, 0, (int)(d->late_ns / HT_NS_PER_MS));
}

static void pour(struct stub *s, int fd, void *arg)
{
	static char bytes[65536];

	stub_request(s, bytes, sizeof(bytes));
	stub_say(s, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n");
	while (stub_send(s, bytes, 4096) && stub_wait(s, 1))
		;
}

static void run_at(struct runner *r, uint16_t port)
{
	char yaml[256];

	snprintf(yaml, sizeof(yaml),
	    "{url: 'http://127.0.0.1:%u/x', watch: 0s, once_in: 0s, duration: 20s, "
	    "precision: 1, streams: 1, max_streams: 1, busy: 400G}",
	    port);
	assert_true(runner_run(r, &probe_throughput, ID, yaml, DEADLINE));
	assert_true(r->done);
}

/* The test ends with its slot, however long it would like to be. */
static void test_a_slot_ends(void **state)
{
	skip_when_emulated("no TCP_INFO");
	struct runner *r = runner_new();
	struct desk d = { .seconds = "2" };
	struct stub *s = stub_start("127.0.0.1", NULL, pour, NULL);
	int64_t began_ns = ht_mono_ns();

	runner_server(r, serve, &d);
	run_at(r, stub_port(s));
	assert_true(ht_mono_ns() - began_ns < 5 * HT_NS_PER_S);
	assert_true(runner_number(r, HT_M_THROUGHPUT_BYTES, ID) > 0);
	assert_true(d.outcome[0] != '\0');
	stub_free(s);
	runner_free(r);
}

/* When the answer comes the slot is over, and may be another's. */
static void test_a_late_grant(void **state)
{
	struct runner *r = runner_new();
	struct desk d = { .seconds = "1", .late_ns = 20 * HT_NS_PER_MS };
	struct stub *s = stub_start("127.0.0.1", NULL, pour, NULL);

	runner_server(r, serve, &d);
	run_at(r, stub_port(s));
	assert_true(says(r, "skipped: the server's grant came too late"));
	assert_null(runner_find(r, HT_M_THROUGHPUT_BYTES, ID));
	assert_string_equal(d.outcome, "too late");
	assert_int_equal(stub_served(s), 0);
	stub_free(s);
	runner_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_restart_without_a_clock),
		cmocka_unit_test(test_a_clock_that_is_lost),
		cmocka_unit_test(test_two_runs_spend),
		cmocka_unit_test(test_a_slot_ends),
		cmocka_unit_test(test_a_late_grant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
