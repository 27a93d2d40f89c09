/* Which of n things is due next: an indexed binary heap, so that any thing's time can be
 * changed in O(log n). Allocated once; things are 0..n-1 and begin at "never". */
#ifndef HT_BASE_AGENDA_H
#define HT_BASE_AGENDA_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define HT_AGENDA_NEVER INT64_MAX

struct ht_agenda {
	int64_t *at_ns;  /* by thing */
	uint32_t *heap;  /* things, the earliest first */
	uint32_t *place; /* of a thing in the heap */
	size_t n;
};

HT_MUST_CHECK ht_err ht_agenda_init(struct ht_agenda *a, size_t n);
void ht_agenda_fini(struct ht_agenda *a); /* accepts a zeroed one */

void ht_agenda_set(struct ht_agenda *a, size_t thing, int64_t at_ns);

/* The earliest time, and whose it is (may be NULL). NEVER when n is 0. */
int64_t ht_agenda_first(const struct ht_agenda *a, size_t *out_thing);

#endif
