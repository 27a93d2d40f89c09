/* What was read of one device: its system group, and its interfaces: rows by ifIndex,
 * each cell present or not. Plain memory, no I/O. */
#ifndef HT_PROBES_SNMP_TABLE_H
#define HT_PROBES_SNMP_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/reading.h"
#include "probes/snmp/neighbours.h"
#include "probes/snmp/topology.h"

enum table_text { TABLE_NAME, TABLE_ALIAS, TABLE_DESCR, TABLE_PHYS, TABLE_TEXTS };

enum table_number {
	TABLE_TYPE,
	TABLE_SPEED,
	TABLE_HIGH_SPEED,
	TABLE_ADMIN,
	TABLE_OPER,
	TABLE_IN_OCTETS,
	TABLE_OUT_OCTETS,
	TABLE_HC_IN_OCTETS,
	TABLE_HC_OUT_OCTETS,
	TABLE_IN_ERRORS,
	TABLE_OUT_ERRORS,
	TABLE_IN_DISCARDS,
	TABLE_OUT_DISCARDS,
	TABLE_DISCONTINUITY,
	TABLE_NUMBERS
};

struct table_row {
	uint64_t index; /* ifIndex */
	uint32_t has;   /* bits of enum table_number */
	uint64_t numbers[TABLE_NUMBERS];
	char *texts[TABLE_TEXTS]; /* NULL: not there */
	double speed;             /* table_settle: bits a second; 0: not known */
	int64_t at_ns;            /* when its octets arrived, else its last cell */
	char instance[HT_INSTANCE_MAX + 1];
};

enum table_system_text {
	TABLE_SYS_DESCR,
	TABLE_SYS_OBJECT_ID, /* dotted */
	TABLE_SYS_NAME,
	TABLE_SYSTEM_TEXTS
};

struct table_system {
	char *texts[TABLE_SYSTEM_TEXTS]; /* NULL: not there */
	bool has_uptime;
	uint64_t uptime_ticks; /* hundredths of a second */
	int64_t at_ns;         /* when it arrived */
};

/* What several tables may hold together, beyond TABLE_SMALL each. */
struct table_budget {
	size_t used, max; /* bytes */
};
enum { TABLE_SMALL = 64 * 1024 }; /* 200 interfaces, about */

struct table {
	struct table_system system;
	struct table_row *rows; /* by ascending index */
	size_t n, cap, max;
	struct neighbours neighbours;
	struct topology topology;
	size_t text_bytes;           /* of table_take_text */
	struct table_budget *budget; /* shared; NULL: none */
	size_t charged;              /* to the budget */
};

void table_init(struct table *t, size_t max_rows);
void table_fini(struct table *t); /* accepts a zeroed one */

/* The row of an index, made when it is new. NULL when full or out of memory. Pointers to
 * rows hold until the next new row. */
struct table_row *table_row(struct table *t, uint64_t index);

/* NULL when there is none of that index. */
const struct table_row *table_find(const struct table *t, uint64_t index);

void table_put_number(struct table_row *r, enum table_number n, uint64_t v);
bool table_has(const struct table_row *r, enum table_number n);

/* Its ifType, all kinds of Ethernet as one (iftype.h); 0: not known. */
uint32_t table_type(const struct table_row *r);

/* Text of a device: made UTF-8 and printable, cut at 255 bytes, end trimmed; empty text
 * is none. TABLE_PHYS is written in hexadecimal with colons. */
HT_MUST_CHECK ht_err table_put_text(
    struct table_row *r, enum table_text n, const uint8_t *bytes, size_t len);

/* The same for a row of this table, counted among its bytes. */
HT_MUST_CHECK ht_err table_take_text(struct table *t, struct table_row *r,
    enum table_text n, const uint8_t *bytes, size_t len);

/* Charge its budget with what it has become. False when all together hold too much and
 * this one is not small: it should be read no further. table_fini gives all back. */
bool table_charge(struct table *t);

/* The same for the device; a text that memory lacks for is not there. */
void table_put_system(
    struct table_system *s, enum table_system_text n, const uint8_t *bytes, size_t len);

/* Whether any row lacks the number (for asking for a fallback column). */
bool table_lacks(const struct table *t, enum table_number n);

/* When all is read: the topology is settled, and what devices leave out of it is added by
 * the names: Gi0/1.100 runs on Gi0/1, eth0 with bond0's address is of bond0. Then each
 * row's `speed`, what its line can carry: what has no line of its own (a tunnel, a
 * sub-interface that says nothing) has that of the port below, or the sum of a LAG's
 * members that are up. */
void table_settle(struct table *t);

#endif
