/* The loop stands still once, as when the machine had no time for us: from right after
 * `ready` says so until after a wait that then is over, and its timers come first. */
#ifndef HT_TESTS_UNIT_PROBES_STALL_H
#define HT_TESTS_UNIT_PROBES_STALL_H

#include <poll.h>
#include <stdbool.h>
#include <uv.h>

#include "unit/test.h"

struct stall {
	uv_prepare_t each_turn;
	uv_timer_t timer;
	bool (*ready)(void *arg);
	void *arg;
	int ms;
	bool stood;
};

static inline void stall_now(uv_timer_t *timer)
{
	struct stall *s = timer->data;

	if (s->stood || !s->ready(s->arg))
		return;
	s->stood = true;
	poll(NULL, 0, s->ms);
	uv_update_time(timer->loop);
}

/* Due in the next turn after all timers that are due already. */
static inline void stall_each_turn(uv_prepare_t *prepare)
{
	struct stall *s = prepare->data;

	if (!s->stood)
		uv_timer_start(&s->timer, stall_now, 0, 0);
}

static inline void stall_start(
    struct stall *s, uv_loop_t *loop, int ms, bool (*ready)(void *arg), void *arg)
{
	*s = (struct stall){ .ready = ready, .arg = arg, .ms = ms };
	uv_prepare_init(loop, &s->each_turn);
	uv_timer_init(loop, &s->timer);
	s->each_turn.data = s->timer.data = s;
	uv_prepare_start(&s->each_turn, stall_each_turn);
	uv_timer_start(&s->timer, stall_now, 0, 0); /* what starts before the loop */
}

/* It stood still. Its memory is free after that. */
static inline void stall_end(struct stall *s, uv_loop_t *loop)
{
	uv_close((uv_handle_t *)&s->each_turn, NULL);
	uv_close((uv_handle_t *)&s->timer, NULL);
	uv_run(loop, UV_RUN_NOWAIT);
	assert_true(s->stood);
}

#endif
