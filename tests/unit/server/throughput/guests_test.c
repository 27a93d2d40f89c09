#include "unit/test.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <unistd.h>

#include "server/throughput/guests.h"

#define GRACE 1000

struct peer {
	int ours, theirs;
	struct guest *guest;
};

static struct guests *g;

static int setup(void **state)
{
	return guests_start(GRACE, false, &g);
}

static int teardown(void **state)
{
	guests_stop(g);
	return 0;
}

static struct peer enter(const char *address, int64_t now_ns)
{
	struct peer p;
	int pair[2];
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;

	assert_true(is_v4 || inet_pton(AF_INET6, address, &v6.sin6_addr) == 1);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	p.ours = pair[0];
	p.theirs = pair[1];
	p.guest = guests_enter(g, p.ours,
	    is_v4 ? (const struct sockaddr *)&v4 : (const struct sockaddr *)&v6, now_ns);
	assert_non_null(p.guest);
	return p;
}

/* Whether the other side sees an end. */
static bool is_shut(const struct peer *p)
{
	char byte;

	return recv(p->theirs, &byte, 1, 0) == 0;
}

static void leave(struct peer *p)
{
	guests_leave(g, p->guest);
	close(p->ours);
	close(p->theirs);
}

static void test_a_guest_has_its_time(void **state)
{
	struct peer guest = enter("10.0.0.1", 0), passed = enter("10.0.0.1", 0);

	guests_passed(g, passed.guest, 50 * GRACE);
	guests_sweep(g, GRACE - 1);
	assert_false(is_shut(&guest));
	guests_sweep(g, GRACE);
	assert_true(is_shut(&guest));
	assert_false(is_shut(&passed));
	/* Between two requests it is a guest. */
	guests_again(g, passed.guest, 2 * GRACE);
	guests_sweep(g, 3 * GRACE - 1);
	assert_false(is_shut(&passed));
	guests_passed(g, passed.guest, 50 * GRACE);
	guests_sweep(g, 50 * GRACE - 1);
	assert_false(is_shut(&passed));
	/* A reader that takes its time does not outlast its pass. */
	guests_sweep(g, 50 * GRACE);
	assert_true(is_shut(&passed));
	leave(&passed);
	leave(&guest);
}

static void test_an_address_has_its_room(void **state)
{
	static const char *const address[] = { "10.0.0.1", "::ffff:10.0.0.1",
		"2001:db8::1", "2001:db8::2:1" };

	for (size_t k = 0; k < HT_COUNT(address); k += 2) {
		struct peer p[GUESTS_OF_ADDRESS + 3];
		struct peer passed = enter(address[k], 0), other = enter("10.9.9.9", 0);

		guests_passed(g, passed.guest, 50 * GRACE);
		for (size_t i = 0; i < HT_COUNT(p); i++)
			p[i] = enter(address[k + i % 2], (int64_t)i);
		for (size_t i = 0; i < HT_COUNT(p); i++)
			assert_int_equal(is_shut(&p[i]), i < 3);
		assert_false(is_shut(&passed) || is_shut(&other));
		for (size_t i = 0; i < HT_COUNT(p); i++)
			leave(&p[i]);
		leave(&passed);
		leave(&other);
	}
}

static void test_all_have_theirs(void **state)
{
	struct peer p[GUESTS_MAX + 5];

	for (size_t i = 0; i < HT_COUNT(p); i++) {
		char address[16];

		snprintf(address, sizeof(address), "10.0.1.%zu", i);
		p[i] = enter(address, (int64_t)i);
	}
	for (size_t i = 0; i < HT_COUNT(p); i++)
		assert_int_equal(is_shut(&p[i]), i < 5);
	/* Who leaves makes room, the last and the first alike. */
	leave(&p[HT_COUNT(p) - 1]);
	leave(&p[5]);
	struct peer more[2] = { enter("10.0.2.1", 0), enter("10.0.2.2", 0) };
	assert_false(is_shut(&p[6]) || is_shut(&more[0]) || is_shut(&more[1]));
	struct peer last = enter("10.0.2.3", 0);
	assert_true(is_shut(&p[6]) && !is_shut(&last));
	for (size_t i = 0; i + 1 < HT_COUNT(p); i++) {
		if (i != 5)
			leave(&p[i]);
	}
	leave(&more[0]);
	leave(&more[1]);
	leave(&last);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_guest_has_its_time),
		TEST(test_an_address_has_its_room),
		TEST(test_all_have_theirs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
