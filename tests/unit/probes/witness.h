/* Somebody else on the same loop: a tick every few milliseconds. What blocks the loop
 * makes the ticks few. */
#ifndef HT_TESTS_UNIT_PROBES_WITNESS_H
#define HT_TESTS_UNIT_PROBES_WITNESS_H

#include <stddef.h>
#include <uv.h>

#include "unit/test.h"

#define WITNESS_EVERY_MS 5

struct witness {
	uv_timer_t timer;
	size_t ticks;
};

static inline void witness_tick(uv_timer_t *timer)
{
	struct witness *w = timer->data;

	w->ticks++;
}

static inline void witness_start(struct witness *w, uv_loop_t *loop)
{
	w->ticks = 0;
	uv_timer_init(loop, &w->timer);
	w->timer.data = w;
	uv_timer_start(&w->timer, witness_tick, WITNESS_EVERY_MS, WITNESS_EVERY_MS);
}

/* At least `least` ticks came meanwhile. Its memory is free after the loop's next turn.
 */
static inline void witness_end(struct witness *w, uv_loop_t *loop, size_t least)
{
	uv_close((uv_handle_t *)&w->timer, NULL);
	uv_run(loop, UV_RUN_NOWAIT);
	assert_true(w->ticks >= least);
}

#endif
