#include "base/agenda.h"

#include <stdlib.h>

ht_err ht_agenda_init(struct ht_agenda *a, size_t n)
{
	*a = (struct ht_agenda){ .n = n };
	if (n > UINT32_MAX / 2)
		return HT_TOOLARGE;
	a->at_ns = calloc(n ? n : 1, sizeof(*a->at_ns));
	a->heap = calloc(n ? n : 1, sizeof(*a->heap));
	a->place = calloc(n ? n : 1, sizeof(*a->place));
	if (!a->at_ns || !a->heap || !a->place) {
		ht_agenda_fini(a);
		return HT_NOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		a->at_ns[i] = HT_AGENDA_NEVER;
		a->heap[i] = a->place[i] = (uint32_t)i;
	}
	return HT_OK;
}

void ht_agenda_fini(struct ht_agenda *a)
{
	free(a->at_ns);
	free(a->heap);
	free(a->place);
	*a = (struct ht_agenda){ 0 };
}

static int64_t time_at(const struct ht_agenda *a, size_t place)
{
	return a->at_ns[a->heap[place]];
}

static void swap(struct ht_agenda *a, size_t i, size_t j)
{
	uint32_t thing = a->heap[i];

	a->heap[i] = a->heap[j];
	a->heap[j] = thing;
	a->place[a->heap[i]] = (uint32_t)i;
	a->place[a->heap[j]] = (uint32_t)j;
}

static void rise(struct ht_agenda *a, size_t i)
{
	for (; i > 0 && time_at(a, i) < time_at(a, (i - 1) / 2); i = (i - 1) / 2)
		swap(a, i, (i - 1) / 2);
}

static void sink(struct ht_agenda *a, size_t i)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < a->n && time_at(a, child + 1) < time_at(a, child))
			child++;
		if (child >= a->n || time_at(a, i) <= time_at(a, child))
			return;
		swap(a, i, child);
		i = child;
	}
}

void ht_agenda_set(struct ht_agenda *a, size_t thing, int64_t at_ns)
{
	int64_t before = a->at_ns[thing];

	a->at_ns[thing] = at_ns;
	if (at_ns < before)
		rise(a, a->place[thing]);
	else
		sink(a, a->place[thing]);
}

int64_t ht_agenda_first(const struct ht_agenda *a, size_t *out_thing)
{
	if (a->n == 0)
		return HT_AGENDA_NEVER;
	if (out_thing)
		*out_thing = a->heap[0];
	return time_at(a, 0);
}
