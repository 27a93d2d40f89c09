#include "probes/snmp/neighbours.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST = 32, MAC_LEN = 6 };
enum { TYPE_INVALID = 2, TYPE_LOCAL = 5 };
enum { STATE_INVALID = 5, STATE_INCOMPLETE = 7 };
enum { INET_IPV4 = 1, INET_IPV6 = 2, INET_IPV4Z = 3, INET_IPV6Z = 4, ZONE_LEN = 4 };

void neighbours_fini(struct neighbours *n)
{
	free(n->at);
	*n = (struct neighbours){ 0 };
}

/* As the tables' indexes follow each other. */
static int compare(
    const struct neighbour *e, uint32_t interface, const struct ht_addr *addr)
{
	if (e->interface != interface)
		return e->interface < interface ? -1 : 1;
	if (e->addr.family != addr->family)
		return e->addr.family < addr->family ? -1 : 1;
	return memcmp(e->addr.bytes, addr->bytes, sizeof(addr->bytes));
}

/* Where it is, or belongs. Columns are read side by side: mostly it is the last one, or
 * the one after that. */
static size_t find(
    const struct neighbours *n, uint32_t interface, const struct ht_addr *addr)
{
	size_t low = 0, high = n->n;

	for (size_t i = n->last; i < n->n && i <= n->last + 1; i++) {
		int order = compare(&n->at[i], interface, addr);

		if (order == 0)
			return i;
		if (order > 0)
			break;
		low = i + 1;
	}
	if (low <= n->last)
		low = 0;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (compare(&n->at[mid], interface, addr) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool grow(struct neighbours *n)
{
	size_t cap = n->cap ? n->cap * 2 : FIRST;
	struct neighbour *more =
	    n->n < NEIGHBOURS_MAX ? realloc(n->at, cap * sizeof(*more)) : NULL;

	if (!more)
		return false;
	n->at = more;
	n->cap = cap;
	return true;
}

static struct neighbour *entry(
    struct neighbours *n, uint32_t interface, const struct ht_addr *addr)
{
	size_t i = find(n, interface, addr);

	if (i == n->n || compare(&n->at[i], interface, addr) != 0) {
		if (n->n == n->cap && !grow(n))
			return NULL;
		memmove(&n->at[i + 1], &n->at[i], (n->n - i) * sizeof(n->at[0]));
		n->at[i] = (struct neighbour){ .interface = interface, .addr = *addr };
		n->n++;
	}
	n->last = i;
	return &n->at[i];
}

static bool take(struct neighbour *e, enum neighbours_what what,
    const struct session_value *v, int64_t at_ns)
{
	if (what == NEIGHBOURS_MAC) {
		if (v->type != SESSION_OCTETS)
			return false;
		e->has_mac = v->len == MAC_LEN;
		if (e->has_mac)
			memcpy(e->mac.b, v->bytes, MAC_LEN);
		e->at_ns = at_ns;
		return true;
	}
	if (v->type != SESSION_INTEGER)
		return false;
	if (what == NEIGHBOURS_TYPE)
		e->invalid |= v->integer == TYPE_INVALID || v->integer == TYPE_LOCAL;
	else
		e->invalid |=
		    v->integer == STATE_INVALID || v->integer == STATE_INCOMPLETE;
	return true;
}

static bool cell(struct neighbours *n, enum neighbours_what what, session_subid interface,
    const struct ht_addr *addr, const struct session_value *v, int64_t at_ns)
{
	if (interface > UINT32_MAX)
		return false;
	struct neighbour *e = entry(n, (uint32_t)interface, addr);

	return e && take(e, what, v, at_ns);
}

static bool address(
    const session_subid *parts, size_t n, uint8_t family, struct ht_addr *out)
{
	struct ht_addr a = { .family = family, .prefix = (uint8_t)(n * 8) };

	for (size_t i = 0; i < n; i++) {
		if (parts[i] > UINT8_MAX)
			return false;
		a.bytes[i] = (uint8_t)parts[i];
	}
	*out = a;
	return true;
}

bool neighbours_media_cell(struct neighbours *n, enum neighbours_what what,
    const struct session_oid *index, const struct session_value *v, int64_t at_ns)
{
	struct ht_addr addr;

	return index->n == 5 && address(index->at + 1, 4, AF_INET, &addr) &&
	       cell(n, what, index->at[0], &addr, v, at_ns);
}

bool neighbours_physical_cell(struct neighbours *n, enum neighbours_what what,
    const struct session_oid *index, const struct session_value *v, int64_t at_ns)
{
	struct ht_addr addr;

	if (index->n < 3 || index->at[2] != index->n - 3)
		return false;
	session_subid type = index->at[1];
	bool v4 = type == INET_IPV4 || type == INET_IPV4Z;
	bool zone = type == INET_IPV4Z || type == INET_IPV6Z;
	size_t len = v4 ? 4 : 16;

	if (type < INET_IPV4 || type > INET_IPV6Z ||
	    index->at[2] != len + (zone ? ZONE_LEN : 0))
		return false;
	return address(index->at + 3, len, v4 ? AF_INET : AF_INET6, &addr) &&
	       cell(n, what, index->at[0], &addr, v, at_ns);
}

bool neighbour_is_card(const struct neighbour *n)
{
	return n->has_mac && !n->invalid && !ht_mac_is_zero(&n->mac) &&
	       !ht_mac_is_group(&n->mac);
}
