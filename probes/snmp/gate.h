/* How many packets a second leave, of all sessions that share it: who finds it closed
 * waits in line. On the loop; owned by a probe, outlives its sessions.
 *
 *     gate_pass → go now, or `go` comes later; gate_leave when no longer wanted */
#ifndef HT_PROBES_SNMP_GATE_H
#define HT_PROBES_SNMP_GATE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct gate_turn {
	struct gate_turn *next, *prev; /* in line; NULL: is not */
	void (*go)(struct gate_turn *turn);
};

struct gate {
	uv_timer_t timer;
	struct gate_turn line; /* a ring */
	int64_t step_ns;       /* between two packets, in the long run */
	int64_t next_ns;       /* when the next one is due */
	uint64_t waited;       /* turns that had to */
};

void gate_init(struct gate *g, uv_loop_t *loop, int64_t packets_per_s);
void gate_close(struct gate *g, uv_close_cb closed); /* timer.data is the owner's */

/* Whether a packet may leave now; else turn->go comes, once, from the loop. */
bool gate_pass(struct gate *g, struct gate_turn *turn);
void gate_leave(struct gate_turn *turn); /* also when it is not in line */

#endif
