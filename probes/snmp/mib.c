#include "probes/snmp/mib.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "probes/snmp/mib_topology.h"

/* ---- IF-MIB (RFC 2863) ---- */

static const struct mib_column if_x_columns[] = {
	{ .number = 1, .what = TABLE_NAME, .text = true },
	{ .number = 6, .what = TABLE_HC_IN_OCTETS },
	{ .number = 10, .what = TABLE_HC_OUT_OCTETS },
	{ .number = 15, .what = TABLE_HIGH_SPEED },
	{ .number = 18, .what = TABLE_ALIAS, .text = true },
	{ .number = 19, .what = TABLE_DISCONTINUITY },
};

static const struct mib_column if_columns[] = {
	{ .number = 2, .what = TABLE_DESCR, .text = true },
	{ .number = 3, .what = TABLE_TYPE },
	{ .number = 6, .what = TABLE_PHYS, .text = true },
	{ .number = 7, .what = TABLE_ADMIN },
	{ .number = 8, .what = TABLE_OPER },
	{ .number = 13, .what = TABLE_IN_DISCARDS },
	{ .number = 14, .what = TABLE_IN_ERRORS },
	{ .number = 19, .what = TABLE_OUT_DISCARDS },
	{ .number = 20, .what = TABLE_OUT_ERRORS },
};

static const struct mib_column if_32_columns[] = {
	{ .number = 5, .what = TABLE_SPEED },
	{ .number = 10, .what = TABLE_IN_OCTETS },
	{ .number = 16, .what = TABLE_OUT_OCTETS },
};

/* ifSpeed always: 0 Mbit/s of ifHighSpeed may be 256 kbit/s. */
static bool if_32_wanted(const struct table *t, const struct mib_column *c)
{
	if (c->what == TABLE_IN_OCTETS)
		return table_lacks(t, TABLE_HC_IN_OCTETS);
	if (c->what == TABLE_OUT_OCTETS)
		return table_lacks(t, TABLE_HC_OUT_OCTETS);
	return true;
}

static bool is_count(int what)
{
	return what != TABLE_TYPE && what != TABLE_ADMIN && what != TABLE_OPER;
}

/* Agents of C programmers send counters as INTEGER, which turns those above 2^31
 * negative; -1 is what they say when they know nothing. */
static bool number_of(int what, const struct session_value *v, uint64_t *out)
{
	if (v->type == SESSION_UNSIGNED || v->type == SESSION_TICKS)
		*out = v->number;
	else if (v->type == SESSION_INTEGER && v->integer >= 0)
		*out = (uint64_t)v->integer;
	else if (v->type == SESSION_INTEGER && is_count(what) &&
		 v->integer >= INT32_MIN && v->integer != -1)
		*out = (uint32_t)v->integer;
	else
		return false;
	return true;
}

/* A column for 64 bits that is filled with Counter32 is the one of 32 bits. */
static int column_of(int what, const struct session_value *v)
{
	if (v->type == SESSION_UNSIGNED && v->bits == 64)
		return what;
	return what == TABLE_HC_IN_OCTETS    ? TABLE_IN_OCTETS
	       : what == TABLE_HC_OUT_OCTETS ? TABLE_OUT_OCTETS
					     : what;
}

static bool is_octets(int what)
{
	return what == TABLE_IN_OCTETS || what == TABLE_OUT_OCTETS ||
	       what == TABLE_HC_IN_OCTETS || what == TABLE_HC_OUT_OCTETS;
}

static bool interface_cell(struct table *t, const struct mib_column *c,
    const struct session_oid *index, const struct session_value *v, int64_t at_ns)
{
	uint64_t number;

	if (index->n != 1 || index->at[0] > UINT32_MAX)
		return false;
	struct table_row *row = table_row(t, index->at[0]);

	if (!row)
		return false;
	if (!row->at_ns || (!c->text && is_octets(c->what)))
		row->at_ns = at_ns;
	if (c->text && v->type == SESSION_OCTETS)
		return table_take_text(t, row, c->what, v->bytes, v->len) == HT_OK;
	if (c->text || !number_of(c->what, v, &number))
		return false;
	table_put_number(row, (enum table_number)column_of(c->what, v), number);
	return true;
}

/* ---- who it knows ---- */

static const struct mib_column neighbours_columns[] = {
	{ 4, NEIGHBOURS_MAC, false },
	{ 6, NEIGHBOURS_TYPE, false },
	{ 7, NEIGHBOURS_STATE, false },
};

static const struct mib_column neighbours_v4_columns[] = {
	{ 2, NEIGHBOURS_MAC, false },
	{ 4, NEIGHBOURS_TYPE, false },
};

static bool neighbours_cell(struct table *t, const struct mib_column *c,
    const struct session_oid *index, const struct session_value *v, int64_t at_ns)
{
	return neighbours_physical_cell(&t->neighbours, c->what, index, v, at_ns);
}

static bool neighbours_v4_cell(struct table *t, const struct mib_column *c,
    const struct session_oid *index, const struct session_value *v, int64_t at_ns)
{
	return neighbours_media_cell(&t->neighbours, c->what, index, v, at_ns);
}

static bool neighbours_v4_wanted(const struct table *t, const struct mib_column *c)
{
	(void)c;
	return t->neighbours.n == 0;
}

/* ---- all tables ---- */

#define COLUMNS(c) .columns = (c), .n_columns = HT_COUNT(c)

const struct mib_table mib_tables[MIB_COUNT] = {
	[MIB_IF_X] = { "ifXTable", { 1, 3, 6, 1, 2, 1, 31, 1, 1, 1 }, 10,
	    COLUMNS(if_x_columns), .cell = interface_cell },
	[MIB_IF] = { "ifTable", { 1, 3, 6, 1, 2, 1, 2, 2, 1 }, 9, COLUMNS(if_columns),
	    .cell = interface_cell },
	[MIB_IF_32] = { "ifTable", { 1, 3, 6, 1, 2, 1, 2, 2, 1 }, 9,
	    COLUMNS(if_32_columns), .wanted = if_32_wanted, .cell = interface_cell },
	[MIB_TOPOLOGY] = { .name = "topology",
	    .columns = mib_topology_columns,
	    .n_columns = MIB_TOPOLOGY_COLUMNS,
	    .cell = mib_topology_cell },
	[MIB_NEIGHBOURS] = { "ipNetToPhysicalTable", { 1, 3, 6, 1, 2, 1, 4, 35, 1 }, 9,
	    COLUMNS(neighbours_columns), .cell = neighbours_cell },
	[MIB_NEIGHBOURS_V4] = { "ipNetToMediaTable", { 1, 3, 6, 1, 2, 1, 4, 22, 1 }, 9,
	    COLUMNS(neighbours_v4_columns), .wanted = neighbours_v4_wanted,
	    .cell = neighbours_v4_cell },
};

/* ---- the system group ---- */

enum { SYS_DESCR = 1, SYS_OBJECT_ID = 2, SYS_UPTIME = 3, SYS_NAME = 5, SYS_AT = 7 };

const session_subid mib_system[MIB_SYSTEM_COUNT][MIB_SYSTEM_LEN] = {
	{ 1, 3, 6, 1, 2, 1, 1, SYS_DESCR, 0 },
	{ 1, 3, 6, 1, 2, 1, 1, SYS_OBJECT_ID, 0 },
	{ 1, 3, 6, 1, 2, 1, 1, SYS_UPTIME, 0 },
	{ 1, 3, 6, 1, 2, 1, 1, SYS_NAME, 0 },
};

static void take_oid(struct table_system *s, const struct session_oid *oid)
{
	char text[512] = "";
	size_t at = 0;

	for (size_t i = 0; i < oid->n && at + 24 < sizeof(text); i++)
		at += (size_t)snprintf(
		    text + at, sizeof(text) - at, i ? ".%lu" : "%lu", oid->at[i]);
	table_put_system(s, TABLE_SYS_OBJECT_ID, (const uint8_t *)text, at);
}

void mib_take_system(struct table *t, const struct session_value *v, int64_t at_ns)
{
	struct table_system *s = &t->system;

	if (v->name.n != MIB_SYSTEM_LEN ||
	    memcmp(v->name.at, mib_system[0], SYS_AT * sizeof(session_subid)) != 0)
		return;
	session_subid which = v->name.at[SYS_AT];

	s->at_ns = at_ns;
	if (which == SYS_DESCR && v->type == SESSION_OCTETS)
		table_put_system(s, TABLE_SYS_DESCR, v->bytes, v->len);
	else if (which == SYS_OBJECT_ID && v->type == SESSION_OID)
		take_oid(s, &v->oid);
	else if (which == SYS_NAME && v->type == SESSION_OCTETS)
		table_put_system(s, TABLE_SYS_NAME, v->bytes, v->len);
	else if (which == SYS_UPTIME && v->type == SESSION_TICKS) {
		s->has_uptime = true;
		s->uptime_ticks = v->number;
	}
}
