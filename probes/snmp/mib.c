#include "probes/snmp/mib.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"

/* ---- IF-MIB (RFC 2863) ---- */

static const struct mib_column if_x_columns[] = {
	{ 1, TABLE_NAME, true },
	{ 6, TABLE_HC_IN_OCTETS, false },
	{ 10, TABLE_HC_OUT_OCTETS, false },
	{ 15, TABLE_HIGH_SPEED, false },
	{ 18, TABLE_ALIAS, true },
	{ 19, TABLE_DISCONTINUITY, false },
};

static const struct mib_column if_columns[] = {
	{ 2, TABLE_DESCR, true },
	{ 3, TABLE_TYPE, false },
	{ 6, TABLE_PHYS, true },
	{ 7, TABLE_ADMIN, false },
	{ 8, TABLE_OPER, false },
	{ 13, TABLE_IN_DISCARDS, false },
	{ 14, TABLE_IN_ERRORS, false },
	{ 19, TABLE_OUT_DISCARDS, false },
	{ 20, TABLE_OUT_ERRORS, false },
};

static const struct mib_column if_32_columns[] = {
	{ 5, TABLE_SPEED, false },
	{ 10, TABLE_IN_OCTETS, false },
	{ 16, TABLE_OUT_OCTETS, false },
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

static bool number_of(const struct session_value *v, uint64_t *out)
{
	if (v->type == SESSION_UNSIGNED || v->type == SESSION_TICKS)
		*out = v->number;
	else if (v->type == SESSION_INTEGER && v->integer >= 0)
		*out = (uint64_t)v->integer;
	else
		return false;
	return true;
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
		return table_put_text(row, c->what, v->bytes, v->len) == HT_OK;
	if (c->text || !number_of(v, &number))
		return false;
	table_put_number(row, c->what, number);
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
