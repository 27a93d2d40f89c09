#include "unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/memories.h"
#include "probes/snmp/fleet_options.h"

static void assert_has(struct memories *m, const char *name, const char *text)
{
	size_t len;
	const void *bytes = memories_get(m, name, &len);

	assert_int_equal(len, strlen(text));
	assert_memory_equal(bytes, text, len);
}

static void put(struct memories *m, const char *name, const char *text, bool now)
{
	assert_ok(memories_put(m, name, text, strlen(text), now));
}

static void test_staged_until_the_run_ends(void **state)
{
	struct memories m;
	struct memories_flight f;

	assert_ok(memories_init(&m, 8, 1000));
	assert_has(&m, "a", "");
	put(&m, "a", "1", false);
	put(&m, "a/x", "2", true);
	assert_has(&m, "a", "1");
	assert_int_equal(m.staged, 1);
	assert_ok(memories_take(&m, &f));
	assert_int_equal(f.n, 1);
	assert_string_equal(f.entries[0].instance, "a/x");
	assert_memory_equal(f.entries[0].bytes, "2", 1);
	memories_landed(&m, &f, true);
	assert_true(memories_end(&m, "a"));
	assert_false(memories_end(&m, "a"));
	assert_int_equal(m.ready, 1);
	memories_fini(&m);
}

/* What did not land goes again, but never over what is newer. */
static void test_a_lost_flight_goes_again(void **state)
{
	struct memories m;
	struct memories_flight old, new;

	assert_ok(memories_init(&m, 8, 1000));
	put(&m, "a/x", "old", true);
	put(&m, "a/y", "y", true);
	assert_ok(memories_take(&m, &old));
	assert_int_equal(m.ready, 0);
	put(&m, "a/x", "new", true);
	assert_ok(memories_take(&m, &new));
	assert_int_equal(new.n, 1);
	memories_landed(&m, &old, false);
	memories_landed(&m, &new, true);
	assert_ok(memories_take(&m, &old));
	for (size_t i = 0; i < old.n; i++) {
		if (strcmp(old.entries[i].instance, "a/x") == 0)
			assert_memory_equal(old.entries[i].bytes, "new", 3);
	}
	assert_int_equal(old.n, 2);
	memories_landed(&m, &old, true);
	assert_int_equal(m.ready, 0);
	memories_fini(&m);
}

static int64_t now_ns;

static int64_t fake_now(void)
{
	return now_ns;
}

static void land(struct memories *m)
{
	struct memories_flight f;

	assert_ok(memories_take(m, &f));
	memories_landed(m, &f, true);
}

static void test_the_unused_is_forgotten(void **state)
{
	struct memories m;
	struct memories_flight f;
	char name[16];

	now_ns = 0;
	assert_ok(memories_init(&m, 4, 1000));
	m.now_ns = fake_now;
	put(&m, "own", "o", true);
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "a/%d", i);
		put(&m, name, "x", true);
	}
	now_ns = MEMORIES_UNUSED_NS + 1;
	/* all are still on their way: nothing can be given up */
	assert_int_equal(memories_put(&m, "a/9", "x", 1, true), HT_FULL);
	assert_ok(memories_take(&m, &f));
	assert_int_equal(memories_put(&m, "a/9", "x", 1, true), HT_FULL);
	memories_landed(&m, &f, true);
	assert_has(
	    &m, "a/0", "x"); /* used: a/1 is the oldest now; "own" is no keyed one */
	put(&m, "a/9", "x", true);
	assert_has(&m, "a/1", "");
	assert_has(&m, "a/0", "x");
	assert_has(&m, "own", "o");
	assert_ok(memories_take(&m, &f));
	assert_int_equal(f.n, 2);
	assert_string_equal(f.entries[0].instance, "a/1");
	assert_int_equal(f.entries[0].len, 0); /* the spool forgets it too */
	memories_landed(&m, &f, true);
	assert_int_equal(m.n, 4);
	assert_has(&m, "a/2", "x"); /* all are in use now */
	assert_int_equal(memories_put(&m, "a/8", "x", 1, true), HT_FULL);
	now_ns += MEMORIES_UNUSED_NS;
	assert_int_equal(memories_put(&m, "a/8", "x", 1, true), HT_FULL);
	memories_fini(&m);
}

static void test_bytes_are_bounded(void **state)
{
	struct memories m;
	char big[600] = { 0 };

	now_ns = 0;
	assert_ok(memories_init(&m, 100, 1000));
	m.now_ns = fake_now;
	assert_ok(memories_put(&m, "a/1", big, 600, true));
	land(&m);
	assert_int_equal(memories_put(&m, "a/2", big, 600, true), HT_FULL);
	now_ns = MEMORIES_UNUSED_NS + 1;
	assert_ok(memories_put(&m, "a/2", big, 600, true));
	assert_has(&m, "a/1", "");
	assert_int_equal(m.bytes, 600);
	assert_int_equal(
	    memories_put(&m, "a/2", big, SPOOL_MEMORY_MAX + 1, true), HT_TOOLARGE);
	assert_ok(memories_put(&m, "a/2", big, 599, true)); /* itself, shorter */
	assert_ok(memories_put(&m, "a/2", NULL, 0, true));
	assert_int_equal(m.bytes, 0);
	land(&m);
	assert_int_equal(m.n, 0);
	assert_null(m.oldest);
	memories_fini(&m);
}

/* As a fleet uses them, in turn: recalled each time, written when it was not there. */
static size_t poll_in_turn(struct memories *m, int devices)
{
	size_t known = 0, len;
	char name[32];

	for (int i = 0; i < devices; i++) {
		snprintf(name, sizeof(name), "snmp.fleet.core/d%d", i);
		(void)memories_get(m, name, &len);
		known += len > 0;
		if (!len && memories_put(m, name, name, strlen(name), true))
			continue;
		if (m->ready >= 100)
			land(m);
	}
	while (m->ready)
		land(m);
	return known;
}

/* One device too many costs that one its memory, not all theirs, each time. */
static void test_more_in_turn_than_fit(void **state)
{
	enum { FIT = 20000, MORE = 500 };
	struct memories m;

	assert_ok(memories_init(&m, FIT, MEMORIES_BYTES_MAX));
	assert_int_equal(poll_in_turn(&m, FIT + MORE), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(poll_in_turn(&m, FIT + MORE), FIT);
		assert_int_equal(m.n, FIT); /* nothing came or went */
	}
	assert_true(m.full);
	memories_fini(&m);
}

/* The largest fleet of usual routers fits, whoever else remembers something. */
static void test_a_fleet_fits(void **state)
{
	enum { USUAL = 2000 }; /* bytes of a device with 50 interfaces */

	assert_true(MEMORIES_MAX > FLEET_DEVICES_MAX);
	assert_true(MEMORIES_BYTES_MAX >= FLEET_DEVICES_MAX * USUAL * 3 / 2);
}

/* A fleet: many, in flights of bounded size, each once. */
static void test_many(void **state)
{
	enum { MANY = 5000, LEN = 1500 };
	struct memories m;
	size_t flown = 0, flights = 0;
	char name[32], bytes[LEN];

	assert_ok(memories_init(&m, MEMORIES_MAX, MEMORIES_BYTES_MAX));
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "snmp.fleet.core/d%d", i);
		memset(bytes, i & 0xff, sizeof(bytes));
		assert_ok(memories_put(&m, name, bytes, sizeof(bytes), true));
	}
	while (m.ready) {
		struct memories_flight f;

		assert_ok(memories_take(&m, &f));
		assert_true(f.n > 0 && f.texts.len <= MEMORIES_FLIGHT_MAX);
		flown += f.n;
		flights++;
		memories_landed(&m, &f, true);
	}
	assert_int_equal(flown, MANY);
	assert_true(flights >= 7);
	for (int i = 0; i < MANY; i++) {
		size_t len;

		snprintf(name, sizeof(name), "snmp.fleet.core/d%d", i);
		const uint8_t *got = memories_get(&m, name, &len);
		assert_int_equal(len, LEN);
		assert_int_equal(got[LEN - 1], i & 0xff);
	}
	memories_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_staged_until_the_run_ends),
		cmocka_unit_test(test_a_lost_flight_goes_again),
		cmocka_unit_test(test_the_unused_is_forgotten),
		cmocka_unit_test(test_bytes_are_bounded),
		cmocka_unit_test(test_more_in_turn_than_fit),
		cmocka_unit_test(test_a_fleet_fits),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
