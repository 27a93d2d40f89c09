#include "probes/snmp/fleet_plan.h"

#include <stdlib.h>

#include "base/clock.h"

enum { DOUBLINGS_MAX = 30, ASIDE_PARTS = 8 };

struct item {
	int64_t grid_ns; /* its own time, of the poll under way or to come */
	int64_t due_ns;  /* when it is polled; its grid unless it stands aside */
	unsigned silences;
	bool aside, running;
};

/* Devices that wait, the earliest first. */
struct heap {
	uint32_t *at;
	size_t n, running, most;
};

struct fleet_plan {
	struct fleet_plan_config c;
	struct item *items;
	size_t n;
	struct heap live, aside;
	int64_t latest_ns;
};

/* ---- heaps ---- */

static bool before(const struct fleet_plan *p, uint32_t a, uint32_t b)
{
	const struct item *x = &p->items[a], *y = &p->items[b];

	return x->due_ns != y->due_ns ? x->due_ns < y->due_ns : a < b;
}

static void swap(struct heap *h, size_t a, size_t b)
{
	uint32_t t = h->at[a];

	h->at[a] = h->at[b];
	h->at[b] = t;
}

static void push(struct fleet_plan *p, uint32_t device)
{
	struct heap *h = p->items[device].aside ? &p->aside : &p->live;
	size_t i = h->n++;

	h->at[i] = device;
	for (; i && before(p, h->at[i], h->at[(i - 1) / 2]); i = (i - 1) / 2)
		swap(h, i, (i - 1) / 2);
}

static uint32_t pop(struct fleet_plan *p, struct heap *h)
{
	uint32_t first = h->at[0];

	h->at[0] = h->at[--h->n];
	for (size_t i = 0;;) {
		size_t least = i;

		for (size_t k = 2 * i + 1; k <= 2 * i + 2 && k < h->n; k++) {
			if (before(p, h->at[k], h->at[least]))
				least = k;
		}
		if (least == i)
			return first;
		swap(h, i, least);
		i = least;
	}
}

/* ---- the plan ---- */

ht_err fleet_plan_new(const struct fleet_plan_config *config, size_t n, int64_t now,
    struct fleet_plan **out)
{
	struct fleet_plan *p = calloc(1, sizeof(*p));

	if (!p)
		return HT_NOMEM;
	p->c = *config;
	p->n = n;
	p->items = calloc(n + 1, sizeof(*p->items));
	p->live.at = calloc(n + 1, sizeof(*p->live.at));
	p->aside.at = calloc(n + 1, sizeof(*p->aside.at));
	p->live.most = config->at_once;
	p->aside.most = config->aside_at_once;
	if (!p->items || !p->live.at || !p->aside.at) {
		fleet_plan_free(p);
		return HT_NOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		int64_t phase =
		    (int64_t)((double)config->spread_ns * (double)i / (double)n);

		p->items[i].grid_ns = p->items[i].due_ns = now + phase;
		push(p, (uint32_t)i);
	}
	*out = p;
	return HT_OK;
}

void fleet_plan_free(struct fleet_plan *p)
{
	if (!p)
		return;
	free(p->items);
	free(p->live.at);
	free(p->aside.at);
	free(p);
}

void fleet_plan_inherit(
    struct fleet_plan *p, const struct fleet_plan *old, const uint32_t *was)
{
	p->live.n = p->aside.n = p->live.running = p->aside.running = 0;
	p->latest_ns = old->latest_ns;
	for (size_t i = 0; i < p->n; i++) {
		struct item *it = &p->items[i];

		if (was[i] != FLEET_NEW)
			*it = old->items[was[i]];
		if (!it->running)
			push(p, (uint32_t)i);
		else
			(it->aside ? &p->aside : &p->live)->running++;
	}
}

static bool room(const struct fleet_plan *p, const struct heap *h)
{
	return h->n && h->running < h->most &&
	       p->live.running + p->aside.running < p->c.at_once;
}

bool fleet_plan_take(struct fleet_plan *p, int64_t now, size_t *out)
{
	struct heap *heaps[] = { &p->live, &p->aside };

	for (size_t i = 0; i < HT_COUNT(heaps); i++) {
		struct heap *h = heaps[i];

		if (!room(p, h) || p->items[h->at[0]].due_ns > now)
			continue;
		*out = pop(p, h);
		struct item *it = &p->items[*out];

		it->running = true;
		h->running++;
		if (!it->aside && now - it->due_ns > p->latest_ns)
			p->latest_ns = now - it->due_ns;
		return true;
	}
	return false;
}

int64_t fleet_plan_next_ns(const struct fleet_plan *p)
{
	const struct heap *heaps[] = { &p->live, &p->aside };
	int64_t next = INT64_MAX;

	for (size_t i = 0; i < HT_COUNT(heaps); i++) {
		if (room(p, heaps[i]) && p->items[heaps[i]->at[0]].due_ns < next)
			next = p->items[heaps[i]->at[0]].due_ns;
	}
	return next;
}

/* SplitMix64: the same device is not always early. */
static uint64_t mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* Twice as long after each silence, an eighth more or less. */
static int64_t back_off(const struct fleet_plan *p, size_t device, unsigned silences)
{
	unsigned doublings = silences - 1 < DOUBLINGS_MAX ? silences - 1 : DOUBLINGS_MAX;
	int64_t wait = p->c.every_ns;

	while (doublings-- && wait < p->c.back_off_max_ns)
		wait *= 2;
	if (wait > p->c.back_off_max_ns && p->c.back_off_max_ns > p->c.every_ns)
		wait = p->c.back_off_max_ns;
	int64_t jitter = (int64_t)(mix(p->c.seed ^ (device << 8) ^ silences) %
				   (uint64_t)(wait / 4 + 1));

	return wait - wait / 8 + jitter;
}

/* The next time of its grid; those that were missed are not made up for. */
static int64_t next_on_grid(const struct fleet_plan *p, int64_t grid, int64_t now)
{
	int64_t next = grid + p->c.every_ns;

	if (next <= now)
		next += (now - next) / p->c.every_ns * p->c.every_ns + p->c.every_ns;
	return next;
}

void fleet_plan_ended(
    struct fleet_plan *p, size_t device, enum fleet_end end, int64_t now)
{
	struct item *it = &p->items[device];

	(it->aside ? &p->aside : &p->live)->running--;
	it->running = false;
	it->silences = end == FLEET_SILENT ? it->silences + 1 : 0;
	it->aside = end != FLEET_ANSWERED;
	it->grid_ns = next_on_grid(p, it->grid_ns, now);
	it->due_ns = end == FLEET_SILENT       ? now + back_off(p, device, it->silences)
		     : end == FLEET_UNFINISHED ? now + p->c.every_ns / ASIDE_PARTS
					       : it->grid_ns;
	push(p, (uint32_t)device);
}

unsigned fleet_plan_silences(const struct fleet_plan *p, size_t device)
{
	return p->items[device].silences;
}

int64_t fleet_plan_due_ns(const struct fleet_plan *p, size_t device)
{
	return p->items[device].due_ns;
}

int64_t fleet_plan_latest_ns(const struct fleet_plan *p)
{
	return p->latest_ns;
}

size_t fleet_plan_running(const struct fleet_plan *p)
{
	return p->live.running + p->aside.running;
}
