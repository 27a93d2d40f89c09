/* One poll of one scripted device at a time: what is remembered between polls, and how an
 * interrupted one goes on. */
#include "unit/test.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "probes/snmp/device.h"
#include "unit/probes/snmp_field.h"

#define IF_X "1.3.6.1.2.1.31.1.1.1"
#define ALL  ((MIB_INTERFACES | MIB_SIGHTINGS) & ~MIB_BIT(MIB_TOPOLOGY))

enum { WAIT_MS = 20 };

struct scene {
	uv_loop_t loop;
	struct field_device device;
	struct table table;
	struct device_memory memory;
	struct device *poll;
	struct device_place *place;
	bool over, closed;
	enum device_status status;
	char reason[DEVICE_REASON_MAX];
	unsigned requests;
	uint64_t interrupt_after; /* requests to the device, in all */
};

static void on_closed(void *arg)
{
	((struct scene *)arg)->closed = true;
}

static void end(struct scene *s)
{
	s->over = true;
	s->requests = device_requests(s->poll);
	snprintf(s->reason, sizeof(s->reason), "%s", device_reason(s->poll));
	device_close(s->poll, on_closed, s);
}

static void on_done(void *arg, enum device_status status)
{
	struct scene *s = arg;

	assert_false(s->over); /* once */
	s->status = status;
	end(s);
}

static void on_asked(struct field_device *d)
{
	struct scene *s = d->arg;

	if (s->over || d->peer.requests != s->interrupt_after || !s->interrupt_after)
		return;
	s->place = device_interrupt(s->poll);
	end(s);
}

static void setup(struct scene *s, enum peer_fault fault, const char *where, size_t limit)
{
	memset(s, 0, sizeof(*s));
	uv_loop_init(&s->loop);
	field_open(&s->device, &s->loop, fault, where, limit);
	s->device.asked = on_asked;
	s->device.arg = s;
	table_init(&s->table, 1000);
}

static void teardown(struct scene *s)
{
	field_close(&s->device);
	table_fini(&s->table);
	device_place_free(s->place);
	uv_run(&s->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&s->loop), 0);
}

static void poll_device(struct scene *s)
{
	const struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)s->device.port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct credentials c = { .community = "public" };
	const struct device_config config = { .to = (const struct sockaddr *)&to,
		.credentials = &c,
		.wait_ns = WAIT_MS * HT_NS_PER_MS,
		.tables = ALL,
		.memory = &s->memory };
	struct device_place *place = s->place;

	s->over = s->closed = false;
	s->place = NULL;
	assert_ok(
	    device_open_take(&s->loop, &config, place, &s->table, on_done, s, &s->poll));
	while (!s->closed)
		uv_run(&s->loop, UV_RUN_ONCE);
}

static void again(struct scene *s)
{
	table_fini(&s->table);
	poll_device(s);
}

static void test_a_known_device_is_asked_less(void **state)
{
	struct scene s;

	setup(&s, PEER_GOOD, NULL, 0);
	poll_device(&s);
	assert_int_equal(s.status, DEVICE_OK);
	assert_string_equal(s.reason, "");
	assert_int_equal(s.table.n, 6);
	assert_int_equal(s.table.neighbours.n, 5);
	assert_string_equal(s.table.rows[2].texts[TABLE_NAME], "Gi0/0/3");
	uint64_t first = s.device.peer.told;

	again(&s);
	assert_int_equal(s.table.n, 6);
	/* its rows are known: nothing beyond the one that tells the end */
	assert_true(s.device.peer.told - first < first);
	assert_true(s.device.peer.told - first <= 4 + 7 * (6 + 9 + 1) + 2 * 6 + 3);
	teardown(&s);
}

/* A table that kills the agent is given up after three polls, said, and tried again. */
static void test_a_deadly_table_is_left_out(void **state)
{
	struct scene s;
	int polls = 0;

	setup(&s, PEER_HANGS, IF_X, 0);
	for (; polls < DEVICE_FAILURES_MAX; polls++) {
		again(&s);
		assert_int_equal(s.status, DEVICE_PARTIAL);
		assert_string_equal(s.reason, "ifXTable: no answer");
		assert_int_equal(s.table.n, 6); /* ifTable came all the same */
		assert_true(
		    table_has(&s.table.rows[0], TABLE_IN_OCTETS)); /* and its own */
	}
	for (; polls < DEVICE_FAILURES_MAX + DEVICE_LEFT_OUT_POLLS - 1; polls++) {
		again(&s);
		assert_int_equal(s.status, DEVICE_PARTIAL);
		assert_string_equal(
		    s.reason, "ifXTable: left out after 3 failures (no answer)");
		assert_true(s.requests < 10);
	}
	again(&s); /* one more chance, in vain */
	assert_string_equal(s.reason, "ifXTable: no answer");
	again(&s);
	assert_non_null(strstr(s.reason, "left out"));
	s.device.peer.fault = PEER_GOOD;
	s.memory.left_out[MIB_IF_X] = 1; /* its time is over */
	again(&s);
	assert_int_equal(s.status, DEVICE_OK);
	assert_int_equal(s.memory.failures[MIB_IF_X], 0);
	teardown(&s);
}

/* Interrupted at each of its requests, again and again, a poll still becomes whole, and
 * what was answered is not asked for twice. */
static void test_interrupted_polls_go_on(void **state)
{
	struct scene s;
	int rounds = 0;

	setup(&s, PEER_CUT, NULL, 5);
	do {
		s.interrupt_after = s.device.peer.requests + 8;
		poll_device(&s);
		assert_true(++rounds < 40);
	} while (s.place);
	assert_true(rounds > 3);
	assert_int_equal(s.status, DEVICE_OK);
	assert_int_equal(s.table.n, 6);
	for (size_t i = 0; i < s.table.n; i++) {
		assert_non_null(s.table.rows[i].texts[TABLE_NAME]);
		assert_true(table_has(&s.table.rows[i], TABLE_HC_OUT_OCTETS));
		assert_true(table_has(&s.table.rows[i], TABLE_OUT_ERRORS));
	}
	/* in one go */
	uint64_t told = s.device.peer.told;
	struct scene whole;

	setup(&whole, PEER_CUT, NULL, 5);
	poll_device(&whole);
	assert_int_equal(whole.status, DEVICE_OK);
	/* each round asks for the system group, and loses one answer */
	assert_true(told <= whole.device.peer.told + (uint64_t)rounds * (4 + 5));
	teardown(&whole);
	teardown(&s);
}

static void test_an_interrupted_device_that_restarts_begins_anew(void **state)
{
	struct scene s;

	setup(&s, PEER_CUT, NULL, 5);
	s.interrupt_after = 12;
	poll_device(&s);
	assert_non_null(s.place);
	assert_true(s.table.n > 0);
	s.interrupt_after = 0;
	for (size_t i = 0; i < s.device.peer.n; i++) {
		struct peer_cell *c = &s.device.peer.cells[i];
		static const uint32_t uptime[] = { 1, 3, 6, 1, 2, 1, 1, 3, 0 };

		if (c->name.n == 9 && memcmp(c->name.id, uptime, sizeof(uptime)) == 0)
			c->bytes[c->len - 3] = 0; /* of 8640000 */
	}
	table_row(&s.table, 4711); /* what was read of its other life */
	poll_device(&s);
	assert_int_equal(s.status, DEVICE_OK);
	assert_int_equal(s.table.n, 6);
	teardown(&s);
}

/* When all tables together hold too much, a large one is read no further; a small one
 * is. What one held is free again. */
static void test_a_large_table_finds_no_room(void **state)
{
	struct table_budget budget = { .used = 5 << 20, .max = 4 << 20 };
	struct scene s;

	setup(&s, PEER_ENDLESS, "1.3.6.1.2.1.2.2.1.2", 0);
	s.table.budget = &budget;
	poll_device(&s);
	assert_int_equal(s.status, DEVICE_PARTIAL);
	assert_non_null(strstr(s.reason, "no room: interrupted after"));
	assert_non_null(strstr(s.reason, "has reached 4 MiB"));
	assert_true(s.table.n > 50 && s.table.n < 500); /* of 1,000 that it may have */
	assert_true(budget.used > (5 << 20) + TABLE_SMALL);
	table_fini(&s.table);
	assert_int_equal(budget.used, 5 << 20);
	s.device.peer.fault = PEER_GOOD;
	poll_device(&s);
	assert_int_equal(s.status, DEVICE_OK);
	assert_int_equal(s.table.n, 6);
	table_fini(&s.table);
	assert_int_equal(budget.used, 5 << 20);
	teardown(&s);
}

/* Busy with something else, in the same turn of the loop, for longer than the wait. */
static void on_answered(struct field_device *d)
{
	(void)d;
	(void)poll(NULL, 0, 2 * WAIT_MS);
}

/* An answer that lies in the socket is in time, however late we come to read it. */
static void test_a_busy_loop_is_no_silent_device(void **state)
{
	struct scene s;

	setup(&s, PEER_GOOD, NULL, 0);
	s.device.answered = on_answered;
	poll_device(&s);
	assert_int_equal(s.status, DEVICE_OK);
	assert_string_equal(s.reason, "");
	assert_int_equal(s.table.n, 6);
	assert_int_equal(s.requests, s.device.peer.answers);
	teardown(&s);
}

static void test_death_in_the_midst(void **state)
{
	struct scene s;

	setup(&s, PEER_CUT, NULL, 5);
	s.device.after = 10;
	s.device.then = PEER_SILENT;
	poll_device(&s);
	assert_int_equal(s.status, DEVICE_PARTIAL); /* it did answer */
	assert_true(s.table.n > 0);
	assert_non_null(strstr(s.reason, "no answer"));
	again(&s);
	assert_int_equal(s.status, DEVICE_TIMEOUT);
	assert_int_equal(s.table.n, 0);
	assert_string_equal(s.reason, "no answer to 1 requests of 0.0 s each");
	teardown(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_known_device_is_asked_less),
		cmocka_unit_test(test_a_deadly_table_is_left_out),
		cmocka_unit_test(test_interrupted_polls_go_on),
		cmocka_unit_test(test_an_interrupted_device_that_restarts_begins_anew),
		cmocka_unit_test(test_a_large_table_finds_no_room),
		cmocka_unit_test(test_a_busy_loop_is_no_silent_device),
		cmocka_unit_test(test_death_in_the_midst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
