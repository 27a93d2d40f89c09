/* What a whole table says that no single cell does. */
#include <stdlib.h>
#include <string.h>

#include "probes/snmp/iftype.h"
#include "probes/snmp/table.h"

enum {
	DEPTH_MAX = 4
}; /* from a sub-interface by way of its LAG to a line, and one more */

struct named {
	const char *name;
	uint32_t index;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

/* "Gi0/1.100", "eth0:1": the port before the last '.' or ':' that a number follows. */
static bool port_of(const char *name, char *out, size_t cap)
{
	const char *dot = strrchr(name, '.'), *colon = strrchr(name, ':');
	const char *at = dot > colon ? dot : colon;
	size_t len = at ? (size_t)(at - name) : 0;

	if (!len || len >= cap || !at[1] || at[1 + strspn(at + 1, "0123456789")])
		return false;
	memcpy(out, name, len);
	out[len] = '\0';
	return true;
}

static void stack_by_name(
    struct table *t, const bool *told, const struct named *names, size_t n)
{
	char port[256];

	for (size_t i = 0; i < t->n; i++) {
		const struct table_row *r = &t->rows[i];
		const struct named key = { port, 0 }, *found;

		if (!r->texts[TABLE_NAME] || told[i] ||
		    !port_of(r->texts[TABLE_NAME], port, sizeof(port)))
			continue;
		found = bsearch(&key, names, n, sizeof(*names), by_name);
		if (found)
			topology_put_stack(
			    &t->topology, (uint32_t)r->index, found->index);
	}
}

static bool begins(const char *text, const char *with)
{
	return text && strncmp(text, with, strlen(with)) == 0;
}

static bool is_bond(const struct table_row *r)
{
	return begins(r->texts[TABLE_NAME], "bond") || table_type(r) == IFTYPE_LAG;
}

/* Linux gives a bond's address to its ports and tells nobody which those are. */
static bool is_port(const struct table_row *r)
{
	const char *name = r->texts[TABLE_NAME];

	return (begins(name, "eth") || begins(name, "en") || begins(name, "em")) &&
	       !strpbrk(name, ".:") && table_type(r) == IFTYPE_ETHERNET;
}

struct port {
	const char *mac;
	uint32_t index;
};

static int by_mac(const void *a, const void *b)
{
	const struct port *x = a, *y = b;
	int order = strcmp(x->mac, y->mac);

	return order ? order : (x->index > y->index) - (x->index < y->index);
}

/* The first port of an address, or where it would be. */
static size_t first_of(const struct port *ports, size_t n, const char *mac)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(ports[mid].mac, mac) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static size_t list_ports(const struct table *t, struct port *out)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++) {
		const struct table_row *r = &t->rows[i];

		if (r->texts[TABLE_PHYS] && is_port(r))
			out[n++] =
			    (struct port){ r->texts[TABLE_PHYS], (uint32_t)r->index };
	}
	qsort(out, n, sizeof(*out), by_mac);
	return n;
}

/* False when no more is told of what runs on what. */
static bool stack_ports(
    struct table *t, const struct table_row *bond, const struct port *ports, size_t n)
{
	const char *mac = bond->texts[TABLE_PHYS];

	for (size_t i = first_of(ports, n, mac); i < n && !strcmp(ports[i].mac, mac);
	     i++) {
		if (!topology_put_stack(
			&t->topology, (uint32_t)bond->index, ports[i].index))
			return false;
	}
	return true;
}

static void stack_by_address(
    struct table *t, const bool *told, const struct port *ports, size_t n)
{
	bool room = true;

	for (size_t i = 0; i < t->n && room; i++) {
		const struct table_row *r = &t->rows[i];

		if (r->texts[TABLE_PHYS] && is_bond(r) && !told[i])
			room = stack_ports(t, r, ports, n);
	}
}

static size_t list_names(const struct table *t, struct named *out)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (t->rows[i].texts[TABLE_NAME])
			out[n++] = (struct named){ t->rows[i].texts[TABLE_NAME],
				(uint32_t)t->rows[i].index };
	}
	qsort(out, n, sizeof(*out), by_name);
	return n;
}

/* ── Speed ────────────────────────────────────────────────────────────────────────── */

#define TERABIT 1e12
#define OPEN    (-1.0) /* not settled yet */

/* ifHighSpeed counts in Mbit/s and rounds, ifSpeed ends at 2^32-1, which means more.
 * Some agents put bits a second into ifHighSpeed, or Mbit/s into ifSpeed. */
static double own_speed(const struct table_row *r)
{
	double high =
	    table_has(r, TABLE_HIGH_SPEED) ? (double)r->numbers[TABLE_HIGH_SPEED] : 0;
	double low = table_has(r, TABLE_SPEED) && r->numbers[TABLE_SPEED] < UINT32_MAX
			 ? (double)r->numbers[TABLE_SPEED]
			 : 0;

	if (table_type(r) == IFTYPE_TUNNEL)
		return 0; /* the agent's default, of no line */
	if (table_type(r) == IFTYPE_ETHERNET && low < 1e6)
		low = 0;
	if (low && high * 1e6 <= low + 1e6 && high * 1e6 >= low - 1e6)
		return low;
	if (high > 0 && high * 1e6 <= 100 * TERABIT)
		return high * 1e6;
	return low;
}

/* The sum of the lines below a row. False as long as one of them is not settled. */
static bool sum_lowers(
    const struct table *t, const struct topology_stack *s, size_t n, double *out)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++) {
		const struct table_row *lower = table_find(t, s[i].lower);

		if (!lower || (n > 1 && (!table_has(lower, TABLE_OPER) ||
					    lower->numbers[TABLE_OPER] != IFOPER_UP)))
			continue;
		if (lower->speed < 0)
			return false;
		sum += lower->speed;
	}
	*out = sum;
	return true;
}

/* From the lines upward, a storey at a time: each edge is looked at once in a storey, of
 * which there are few, whatever a device says of what runs on what. What runs on itself,
 * or on too many storeys, has no speed. */
static void settle_speeds(struct table *t)
{
	double *found = calloc(t->n + 1, sizeof(*found));

	for (size_t i = 0; i < t->n; i++) {
		struct table_row *r = &t->rows[i];
		size_t n;

		r->speed = own_speed(r);
		(void)topology_lowers(&t->topology, (uint32_t)r->index, &n);
		/* a bridge has no one line below it */
		if (r->speed <= 0 && n && (n == 1 || table_type(r) == IFTYPE_LAG))
			r->speed = OPEN;
	}
	for (int depth = 0; depth < DEPTH_MAX && found; depth++) {
		for (size_t i = 0; i < t->n; i++) {
			struct table_row *r = &t->rows[i];
			size_t n;

			found[i] = r->speed;
			if (r->speed >= 0)
				continue;
			const struct topology_stack *s =
			    topology_lowers(&t->topology, (uint32_t)r->index, &n);
			(void)sum_lowers(t, s, n, &found[i]);
		}
		for (size_t i = 0; i < t->n; i++)
			t->rows[i].speed = found[i];
	}
	for (size_t i = 0; i < t->n; i++) {
		if (t->rows[i].speed < 0)
			t->rows[i].speed = 0;
	}
	free(found);
}

/* ── The whole ────────────────────────────────────────────────────────────────────── */

/* Without memory nothing is added to what the device told. */
void table_settle(struct table *t)
{
	struct named *names = calloc(t->n + 1, sizeof(*names));
	struct port *ports = calloc(t->n + 1, sizeof(*ports));
	bool *told = calloc(t->n + 1, sizeof(*told));
	size_t lowers;

	topology_settle(&t->topology);
	for (size_t i = 0; i < t->n && told; i++)
		told[i] = topology_lowers(
			      &t->topology, (uint32_t)t->rows[i].index, &lowers) != NULL;
	if (names && ports && told) {
		stack_by_name(t, told, names, list_names(t, names));
		stack_by_address(t, told, ports, list_ports(t, ports));
	}
	free(names);
	free(ports);
	free(told);
	topology_settle(&t->topology);
	settle_speeds(t);
}
