/* Which of n things is due next: a hashed timing wheel, so that any thing's time can be
 * changed in a few instructions, however many there are. Allocated once; things are
 * 0..n-1 and begin at "never". Things of one slot (about a millisecond) come in no
 * particular order. */
#ifndef HT_BASE_AGENDA_H
#define HT_BASE_AGENDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define HT_AGENDA_NEVER INT64_MAX
#define HT_AGENDA_SLOTS 2048 /* a turn of the wheel is 2.1 s */
#define HT_AGENDA_NONE  UINT32_MAX

struct ht_agenda {
	int64_t *at_ns;                  /* by thing */
	struct ht_agenda_links *links;   /* by thing: its neighbours in its slot */
	uint32_t first[HT_AGENDA_SLOTS]; /* of each slot, or NONE */
	uint64_t used[HT_AGENDA_SLOTS / 64];
	int64_t cursor; /* no thing has its time in a slot before this one */
	size_t n;
};

HT_MUST_CHECK ht_err ht_agenda_init(struct ht_agenda *a, size_t n);
void ht_agenda_fini(struct ht_agenda *a); /* accepts a zeroed one */

/* Times are not negative. */
void ht_agenda_set(struct ht_agenda *a, size_t thing, int64_t at_ns);

/* The earliest time; NEVER when there is none. */
int64_t ht_agenda_first_ns(const struct ht_agenda *a);

/* A thing whose time has come; false when there is none. It stays due until it is set.
 * `out_after`: the thing that probably comes next, or NONE. */
bool ht_agenda_due(
    struct ht_agenda *a, int64_t now_ns, uint32_t *out, uint32_t *out_after);

#endif
