#include "probes/snmp/evidence.h"

#include <string.h>

/* FNV-1a, 64 bits. */
static uint64_t hash(uint64_t h, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < len; i++)
		h = (h ^ at[i]) * UINT64_C(0x100000001b3);
	return h;
}

static uint64_t hash_texts(uint64_t h, char *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = hash(
		    h, texts[i] ? texts[i] : "", texts[i] ? strlen(texts[i]) + 1 : 1);
	return h;
}

uint64_t evidence_hash(const struct table *t)
{
	uint64_t h =
	    hash_texts(UINT64_C(0xcbf29ce484222325), t->system.texts, TABLE_SYSTEM_TEXTS);

	for (size_t i = 0; i < t->n; i++) {
		const struct table_row *row = &t->rows[i];
		const uint64_t numbers[] = { row->index, row->numbers[TABLE_ADMIN],
			row->numbers[TABLE_TYPE],
			topology_default_route(&t->topology, (uint32_t)row->index) };

		h = hash(h, numbers, sizeof(numbers));
		h = hash_texts(h, row->texts, TABLE_TEXTS);
	}
	for (size_t i = 0; i < t->topology.n_addresses; i++) {
		const struct topology_address *a = &t->topology.addresses[i];

		h = hash(h, &a->index, sizeof(a->index));
		h = hash(h, &a->addr.prefix, sizeof(a->addr.prefix));
		h = hash(h, a->addr.bytes, sizeof(a->addr.bytes));
	}
	for (size_t i = 0; i < t->topology.n_stacks; i++) {
		h = hash(h, &t->topology.stacks[i].upper, sizeof(uint32_t));
		h = hash(h, &t->topology.stacks[i].lower, sizeof(uint32_t));
	}
	return h;
}
