#include "base/agenda.h"

#include <stdlib.h>

#define SLOT_BITS 20 /* 2^20 ns = 1.05 ms */

struct ht_agenda_links {
	uint32_t before, after;
};

ht_err ht_agenda_init(struct ht_agenda *a, size_t n)
{
	*a = (struct ht_agenda){ .n = n };
	for (size_t i = 0; i < HT_AGENDA_SLOTS; i++)
		a->first[i] = HT_AGENDA_NONE;
	if (n > UINT32_MAX / 2)
		return HT_TOOLARGE;
	a->at_ns = calloc(n ? n : 1, sizeof(*a->at_ns));
	a->links = calloc(n ? n : 1, sizeof(*a->links));
	if (!a->at_ns || !a->links) {
		ht_agenda_fini(a);
		return HT_NOMEM;
	}
	for (size_t i = 0; i < n; i++)
		a->at_ns[i] = HT_AGENDA_NEVER;
	return HT_OK;
}

void ht_agenda_fini(struct ht_agenda *a)
{
	free(a->at_ns);
	free(a->links);
	*a = (struct ht_agenda){ 0 };
}

static size_t place(int64_t slot)
{
	return (size_t)slot % HT_AGENDA_SLOTS;
}

static void unlink_thing(struct ht_agenda *a, uint32_t thing)
{
	const struct ht_agenda_links l = a->links[thing];
	size_t at = place(a->at_ns[thing] >> SLOT_BITS);

	if (l.after != HT_AGENDA_NONE)
		a->links[l.after].before = l.before;
	if (l.before != HT_AGENDA_NONE)
		a->links[l.before].after = l.after;
	else
		a->first[at] = l.after;
	if (a->first[at] == HT_AGENDA_NONE)
		a->used[at / 64] &= ~(UINT64_C(1) << at % 64);
}

static void link_thing(struct ht_agenda *a, uint32_t thing)
{
	int64_t slot = a->at_ns[thing] >> SLOT_BITS;
	size_t at = place(slot);
	uint32_t next = a->first[at];

	a->links[thing] = (struct ht_agenda_links){ HT_AGENDA_NONE, next };
	if (next != HT_AGENDA_NONE)
		a->links[next].before = thing;
	a->first[at] = thing;
	a->used[at / 64] |= UINT64_C(1) << at % 64;
	if (slot < a->cursor)
		a->cursor = slot;
}

void ht_agenda_set(struct ht_agenda *a, size_t thing, int64_t at_ns)
{
	if (a->at_ns[thing] == at_ns)
		return;
	if (a->at_ns[thing] != HT_AGENDA_NEVER)
		unlink_thing(a, (uint32_t)thing);
	a->at_ns[thing] = at_ns;
	if (at_ns != HT_AGENDA_NEVER)
		link_thing(a, (uint32_t)thing);
}

/* The first slot from `from` on, within a turn, whose place is not empty; `from` plus a
 * whole turn when all are. */
static int64_t next_used(const struct ht_agenda *a, int64_t from)
{
	for (int64_t slot = from; slot < from + HT_AGENDA_SLOTS;) {
		size_t at = place(slot);
		uint64_t bits = a->used[at / 64] >> at % 64;

		if (bits) {
			slot += __builtin_ctzll(bits);
			return slot < from + HT_AGENDA_SLOTS ? slot
							     : from + HT_AGENDA_SLOTS;
		}
		slot += 64 - (int64_t)(at % 64);
	}
	return from + HT_AGENDA_SLOTS;
}

/* The earliest time in a slot that belongs to this turn of the wheel. */
static int64_t earliest_of(const struct ht_agenda *a, int64_t slot)
{
	int64_t least = HT_AGENDA_NEVER;

	for (uint32_t i = a->first[place(slot)]; i != HT_AGENDA_NONE;
	     i = a->links[i].after) {
		if (a->at_ns[i] >> SLOT_BITS == slot && a->at_ns[i] < least)
			least = a->at_ns[i];
	}
	return least;
}

/* Everything is more than a turn away. */
static int64_t earliest_of_all(const struct ht_agenda *a)
{
	int64_t least = HT_AGENDA_NEVER;

	for (size_t i = 0; i < a->n; i++) {
		if (a->at_ns[i] < least)
			least = a->at_ns[i];
	}
	return least;
}

int64_t ht_agenda_first_ns(const struct ht_agenda *a)
{
	int64_t end = a->cursor + HT_AGENDA_SLOTS;

	for (int64_t slot = next_used(a, a->cursor); slot < end;
	     slot = next_used(a, slot + 1)) {
		int64_t at_ns = earliest_of(a, slot);

		if (at_ns != HT_AGENDA_NEVER)
			return at_ns;
	}
	return earliest_of_all(a);
}

bool ht_agenda_due(
    struct ht_agenda *a, int64_t now_ns, uint32_t *out, uint32_t *out_after)
{
	int64_t last = now_ns >> SLOT_BITS;

	/* A turn shows every place: what is older than that is found on the way. */
	if (a->cursor <= last - HT_AGENDA_SLOTS)
		a->cursor = last - HT_AGENDA_SLOTS + 1;
	for (;; a->cursor = next_used(a, a->cursor + 1)) {
		if (a->cursor > last) {
			a->cursor = last;
			return false;
		}
		for (uint32_t i = a->first[place(a->cursor)]; i != HT_AGENDA_NONE;
		     i = a->links[i].after) {
			if (a->at_ns[i] > now_ns)
				continue;
			*out = i;
			*out_after = a->links[i].after;
			return true;
		}
		if (a->cursor == last)
			return false;
	}
}
