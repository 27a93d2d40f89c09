/* Cells that a device may send for its stacks, addresses and routes: one after the other,
 * column, length of the index, type, value length, the index, the value. Then all that is
 * made of them. */
#include <stdlib.h>
#include <string.h>

#include "base/reader.h"
#include "probes/snmp/mib_topology.h"
#include "probes/snmp/uplink.h"

enum { PARTS = 64, ROWS = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static bool cell(struct table *t, struct ht_reader *r)
{
	const struct mib_column *c =
	    &mib_topology_columns[ht_reader_u8(r) % MIB_TOPOLOGY_COLUMNS];
	size_t n = ht_reader_u8(r) % PARTS;
	struct session_value v = { .type = ht_reader_u8(r) % (SESSION_OTHER + 1) };
	session_subid index[PARTS], oid[PARTS];

	v.len = ht_reader_u8(r) % PARTS;
	for (size_t i = 0; i < n; i++) {
		uint8_t b = ht_reader_u8(r);

		index[i] = b == 255 ? ht_reader_u32(r) : b;
	}
	v.bytes = ht_reader_bytes(r, v.len);
	if (r->bad)
		return false;
	for (size_t i = 0; i < v.len; i++) {
		oid[i] = v.bytes[i];
		v.number = v.number << 8 | v.bytes[i];
	}
	v.integer = (int64_t)v.number;
	v.oid = (struct session_oid){ oid, v.len };
	const struct session_oid rest = { index, n };

	return mib_topology_cell(t, c, &rest, &v, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const char *const ids[ROWS] = { "a", "b", "c", "d" };
	static const char *const names[ROWS] = { "Gi1", "Gi1.7", "bond0", "eth1" };
	struct ht_reader r = ht_reader_of(bytes, len);
	struct uplink_memory m = { 0 };
	struct uplink u;
	struct table t;

	table_init(&t, ROWS);
	for (uint32_t i = 0; i < ROWS; i++) {
		struct table_row *row = table_row(&t, i + 1);

		if (!row || table_put_text(row, TABLE_NAME, (const uint8_t *)names[i],
				strlen(names[i])))
			abort();
		table_put_number(row, TABLE_TYPE, i == 2 ? 161 : 6);
	}
	while (cell(&t, &r))
		;
	table_settle(&t);
	for (size_t i = 0; i < t.n; i++) {
		if (!(t.rows[i].speed >= 0))
			abort();
	}
	uplink_choose(&t, ids, &(struct uplink_hints){ 0 }, &m, &u);
	if (u.row && (u.confidence <= 0 || u.confidence > 1))
		abort();
	table_fini(&t);
	return 0;
}
