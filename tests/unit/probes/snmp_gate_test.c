/* Turns in line, and never more of them than the rate allows. */
#include "unit/test.h"

#include <stdlib.h>

#include "base/clock.h"
#include "probes/snmp/gate.h"

enum { N = 40, RATE = 200, BURST = 5 /* 20 ms of it, and the first */ };

struct waiter {
	struct gate_turn turn;
	int number;
	int64_t at_ns;
};

static struct waiter waiters[N];
static int gone[N], n_gone;
static uv_loop_t loop;

static void note(struct waiter *w)
{
	w->at_ns = ht_mono_ns();
	gone[n_gone++] = w->number;
}

static void on_go(struct gate_turn *turn)
{
	note((struct waiter *)((char *)turn - offsetof(struct waiter, turn)));
}

static void start(struct gate *g)
{
	n_gone = 0;
	uv_loop_init(&loop);
	gate_init(g, &loop, RATE);
	for (int i = 0; i < N; i++) {
		waiters[i] = (struct waiter){ .turn.go = on_go, .number = i };
		if (gate_pass(g, &waiters[i].turn))
			note(&waiters[i]);
	}
}

static void end(struct gate *g)
{
	gate_close(g, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static void test_in_order_and_not_too_fast(void **state)
{
	struct gate g;

	start(&g);
	assert_true(n_gone >= 1 && n_gone <= BURST);
	while (n_gone < N)
		uv_run(&loop, UV_RUN_ONCE);
	for (int i = 0; i < N; i++) {
		int64_t since = waiters[i].at_ns - waiters[0].at_ns;

		assert_int_equal(gone[i], i);
		assert_true(i <= BURST + since * RATE / HT_NS_PER_S);
	}
	assert_true(g.waited >= N - BURST);
	end(&g);
}

static void test_who_leaves_is_not_called(void **state)
{
	struct gate g;

	start(&g);
	for (int i = 0; i < N; i += 2)
		gate_leave(&waiters[i].turn); /* in line or long gone */
	gate_leave(&waiters[0].turn);
	int had = n_gone;

	while (waiters[N - 1].turn.next)
		uv_run(&loop, UV_RUN_ONCE);
	for (int i = had; i < n_gone; i++)
		assert_int_equal(gone[i] % 2, 1);
	assert_true(n_gone >= N / 2);
	end(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order_and_not_too_fast),
		cmocka_unit_test(test_who_leaves_is_not_called),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
