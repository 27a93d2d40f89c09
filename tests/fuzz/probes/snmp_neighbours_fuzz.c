/* Indexes and cells as a hostile router would name them: first byte the kind of cell,
 * then the number of parts, two bytes a part, then the value. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/reader.h"
#include "probes/snmp/neighbours.h"

enum { PARTS_MAX = 64, CELLS_MAX = 200 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one(struct neighbours *n, struct ht_reader *r)
{
	session_subid parts[PARTS_MAX];
	uint8_t kind = ht_reader_u8(r), count = ht_reader_u8(r) % PARTS_MAX;

	for (size_t i = 0; i < count; i++)
		parts[i] = ht_reader_u16(r);
	size_t len = ht_reader_u8(r) % 9;

	if (r->bad || ht_reader_left(r) < len)
		return;
	const struct session_oid index = { parts, count };
	const struct session_value v = {
		.type = kind & 8 ? SESSION_OCTETS : SESSION_INTEGER,
		.integer = (int64_t)len,
		.bytes = r->at,
		.len = len,
	};
	enum neighbours_what what = kind % 3;

	ht_reader_skip(r, len);

	if (kind & 4)
		(void)neighbours_media_cell(n, what, &index, &v, 1);
	else
		(void)neighbours_physical_cell(n, what, &index, &v, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ht_reader r = ht_reader_of(data, size);
	struct neighbours n = { 0 };

	for (size_t i = 0; i < CELLS_MAX && !r.bad && ht_reader_left(&r); i++)
		one(&n, &r);
	for (size_t i = 0; i < n.n; i++) {
		char text[HT_ADDR_TEXT];

		if (neighbour_is_card(&n.at[i]))
			ht_addr_format(&n.at[i].addr, text);
		/* rows ascend: a second cell finds its row */
		if (i && n.at[i - 1].interface > n.at[i].interface)
			abort();
	}
	neighbours_fini(&n);
	return 0;
}
