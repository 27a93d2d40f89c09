#include "probes/snmp/topology.h"

#include <stdlib.h>
#include <string.h>

void topology_fini(struct topology *t)
{
	free(t->stacks);
	free(t->addresses);
	*t = (struct topology){ 0 };
}

/* Room for one more of `size` bytes. */
static bool room(void *list, size_t n, size_t *cap, size_t max, size_t size)
{
	void **at = list;
	size_t more = *cap ? *cap * 2 : 16;

	if (n < *cap)
		return true;
	if (n >= max)
		return false;
	void *grown = realloc(*at, more * size);
	if (!grown)
		return false;
	*at = grown;
	*cap = more;
	return true;
}

bool topology_put_stack(struct topology *t, uint32_t upper, uint32_t lower)
{
	if (!upper || !lower || upper == lower)
		return true;
	if (!room(&t->stacks, t->n_stacks, &t->cap_stacks, TOPOLOGY_STACKS_MAX,
		sizeof(*t->stacks)))
		return false;
	t->stacks[t->n_stacks++] = (struct topology_stack){ upper, lower };
	return true;
}

/* Cells of one row come soon after each other: the newest are looked at first. */
struct topology_address *topology_address(struct topology *t, const struct ht_addr *addr)
{
	size_t len = addr->family == AF_INET ? 4 : 16;

	for (size_t i = t->n_addresses; i-- > 0;) {
		if (t->addresses[i].addr.family == addr->family &&
		    memcmp(t->addresses[i].addr.bytes, addr->bytes, len) == 0)
			return &t->addresses[i];
	}
	if (!room(&t->addresses, t->n_addresses, &t->cap_addresses,
		TOPOLOGY_ADDRESSES_MAX, sizeof(*t->addresses)))
		return NULL;
	struct topology_address *a = &t->addresses[t->n_addresses++];
	*a = (struct topology_address){ .addr = *addr };
	a->addr.prefix = (uint8_t)(len * 8);
	return a;
}

struct topology_route *topology_route(struct topology *t, uint64_t row)
{
	for (size_t i = 0; i < t->n_routes; i++) {
		if (t->routes[i].row == row)
			return &t->routes[i];
	}
	if (t->n_routes == TOPOLOGY_ROUTES_MAX)
		return NULL;
	struct topology_route *r = &t->routes[t->n_routes++];
	*r = (struct topology_route){ .row = row, .metric = -1 };
	return r;
}

/* ── Settling ─────────────────────────────────────────────────────────────────────── */

static int by_upper(const void *a, const void *b)
{
	const struct topology_stack *x = a, *y = b;

	if (x->upper != y->upper)
		return x->upper < y->upper ? -1 : 1;
	return (x->lower > y->lower) - (x->lower < y->lower);
}

static void settle_stacks(struct topology *t)
{
	size_t kept = 0;

	if (t->n_stacks)
		qsort(t->stacks, t->n_stacks, sizeof(*t->stacks), by_upper);
	for (size_t i = 0; i < t->n_stacks; i++) {
		if (!kept || by_upper(&t->stacks[kept - 1], &t->stacks[i]) != 0)
			t->stacks[kept++] = t->stacks[i];
	}
	t->n_stacks = kept;
}

/* The interface on whose network a gateway lies, the narrowest network; 0 when none. */
static uint32_t attached(const struct topology *t, const struct ht_addr *gateway)
{
	const struct topology_address *best = NULL;

	for (size_t i = 0; i < t->n_addresses; i++) {
		const struct topology_address *a = &t->addresses[i];

		if (a->index && ht_addr_within(&a->addr, gateway) &&
		    (!best || a->addr.prefix > best->addr.prefix))
			best = a;
	}
	return best ? best->index : 0;
}

static bool better(const struct topology_route *a, const struct topology_route *b)
{
	return a->gateway.family == b->gateway.family && a->metric >= 0 &&
	       a->metric < b->metric;
}

static void settle_routes(struct topology *t)
{
	size_t kept = 0;

	for (size_t i = 0; i < t->n_routes; i++) {
		struct topology_route *r = &t->routes[i];

		if (!r->index && r->gateway.family != AF_UNSPEC)
			r->index = attached(t, &r->gateway);
		if (r->index && !r->refused)
			t->routes[kept++] = *r;
	}
	t->n_routes = kept;
	kept = 0;
	for (size_t i = 0; i < t->n_routes; i++) {
		bool beaten = false;

		for (size_t k = 0; k < t->n_routes; k++)
			beaten |= better(&t->routes[k], &t->routes[i]);
		t->routes[i].refused = beaten;
	}
	for (size_t i = 0; i < t->n_routes; i++) {
		if (!t->routes[i].refused)
			t->routes[kept++] = t->routes[i];
	}
	t->n_routes = kept;
}

void topology_settle(struct topology *t)
{
	settle_stacks(t);
	settle_routes(t);
}

const struct topology_stack *topology_lowers(
    const struct topology *t, uint32_t upper, size_t *out_n)
{
	size_t low = 0, high = t->n_stacks;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (t->stacks[mid].upper < upper)
			low = mid + 1;
		else
			high = mid;
	}
	for (high = low; high < t->n_stacks && t->stacks[high].upper == upper;)
		high++;
	*out_n = high - low;
	return high > low ? &t->stacks[low] : NULL;
}

bool topology_is_lower(const struct topology *t, uint32_t index)
{
	for (size_t i = 0; i < t->n_stacks; i++) {
		if (t->stacks[i].lower == index)
			return true;
	}
	return false;
}

bool topology_default_route(const struct topology *t, uint32_t index)
{
	for (size_t i = 0; i < t->n_routes; i++) {
		if (t->routes[i].index == index)
			return true;
	}
	return false;
}
