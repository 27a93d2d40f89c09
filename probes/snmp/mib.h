/* What is read of a device: the tables of MIBs, one row each, with a pure handler that
 * puts a cell into a struct table. Adding a table is adding its columns, its handler, an
 * enumerator and a row. */
#ifndef HT_PROBES_SNMP_MIB_H
#define HT_PROBES_SNMP_MIB_H

#include "probes/snmp/session.h"
#include "probes/snmp/table.h"

enum { MIB_ENTRY_MAX = 16 };

/* In the order in which they are read. */
enum mib {
	MIB_IF_X,          /* ifXTable: names, 64-bit counters */
	MIB_IF,            /* ifTable */
	MIB_IF_32,         /* ifTable: what a device without the 64-bit counters has */
	MIB_NEIGHBOURS,    /* ipNetToPhysicalTable: ARP and ND */
	MIB_NEIGHBOURS_V4, /* ipNetToMediaTable: ARP, of a device that lacks the other */
	MIB_COUNT
};
#define MIB_BIT(m)     (UINT32_C(1) << (m))
#define MIB_INTERFACES (MIB_BIT(MIB_IF_X) | MIB_BIT(MIB_IF) | MIB_BIT(MIB_IF_32))
#define MIB_SIGHTINGS  (MIB_BIT(MIB_NEIGHBOURS) | MIB_BIT(MIB_NEIGHBOURS_V4))

struct mib_column {
	session_subid number; /* below the entry */
	int what;             /* the handler's: enum table_text, enum table_number … */
	bool text;
};

struct mib_table {
	const char *name; /* as the MIB calls it; several rows may share one */
	session_subid entry[MIB_ENTRY_MAX];
	size_t entry_len;
	const struct mib_column *columns;
	size_t n_columns; /* at most WALK_COLUMNS_MAX */
	/* Whether a column is needed, after what was read so far. NULL: all are. */
	bool (*wanted)(const struct table *t, const struct mib_column *c);
	/* One cell; `index` is what follows the column in its name. False: it is of a
	 * wrong type or could not be kept; the table is partial then. */
	bool (*cell)(struct table *t, const struct mib_column *c,
	    const struct session_oid *index, const struct session_value *v,
	    int64_t at_ns);
};

extern const struct mib_table mib_tables[MIB_COUNT];

/* The system group (SNMPv2-MIB): the names to GET, and what became of one of them. */
enum { MIB_SYSTEM_COUNT = 4, MIB_SYSTEM_LEN = 9 };
extern const session_subid mib_system[MIB_SYSTEM_COUNT][MIB_SYSTEM_LEN];
void mib_take_system(struct table *t, const struct session_value *v, int64_t at_ns);

#endif
