/* Checked state machines. Write them in this order: diagram in a comment, enum,
 * table, `enter`, one function a state. `enter` asserts that the move is in the table:
 *     assert(table[m->state].next & HT_TO(next)); */
#ifndef HT_BASE_STATE_H
#define HT_BASE_STATE_H

#include <stdint.h>

#define HT_TO(state) (UINT32_C(1) << (state))

struct ht_state {
	const char *name; /* for logs and JSON */
	uint32_t next;    /* HT_TO() of every permitted successor */
};

#endif
