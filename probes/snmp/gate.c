#include "probes/snmp/gate.h"

#include "base/clock.h"

#define BURST_NS (20 * HT_NS_PER_MS) /* what was not used is kept for so long */

void gate_init(struct gate *g, uv_loop_t *loop, int64_t packets_per_s)
{
	*g = (struct gate){ .step_ns = HT_NS_PER_S / packets_per_s };
	g->line.next = g->line.prev = &g->line;
	uv_timer_init(loop, &g->timer);
}

void gate_close(struct gate *g, uv_close_cb closed)
{
	uv_close((uv_handle_t *)&g->timer, closed);
}

static bool take(struct gate *g, int64_t now)
{
	if (g->next_ns > now)
		return false;
	if (g->next_ns < now - BURST_NS)
		g->next_ns = now - BURST_NS;
	g->next_ns += g->step_ns;
	return true;
}

static void on_timer(uv_timer_t *timer);

static void arm(struct gate *g, int64_t now)
{
	int64_t left = g->next_ns > now ? g->next_ns - now : 0;

	uv_timer_start(
	    &g->timer, on_timer, (uint64_t)((left + HT_NS_PER_MS - 1) / HT_NS_PER_MS), 0);
}

static struct gate *gate_of(uv_timer_t *timer)
{
	return (struct gate *)((char *)timer - offsetof(struct gate, timer));
}

static void on_timer(uv_timer_t *timer)
{
	struct gate *g = gate_of(timer);
	int64_t now = ht_mono_ns();

	while (g->line.next != &g->line && take(g, now)) {
		struct gate_turn *turn = g->line.next;

		gate_leave(turn);
		turn->go(turn);
	}
	if (g->line.next != &g->line)
		arm(g, now);
}

bool gate_pass(struct gate *g, struct gate_turn *turn)
{
	int64_t now = ht_mono_ns();

	if (g->line.next == &g->line && take(g, now))
		return true;
	if (g->line.next == &g->line)
		arm(g, now);
	g->waited++;
	turn->prev = g->line.prev;
	turn->next = &g->line;
	g->line.prev->next = turn;
	g->line.prev = turn;
	return false;
}

void gate_leave(struct gate_turn *turn)
{
	if (!turn->next)
		return;
	turn->prev->next = turn->next;
	turn->next->prev = turn->prev;
	turn->next = turn->prev = NULL;
}
