/* An SNMP 2c agent for tests and benchmarks, pure: request bytes in, answer bytes out,
 * from a table of encoded cells; well or badly, as it is told. */
#ifndef HT_TESTS_UNIT_PROBES_SNMP_PEER_H
#define HT_TESTS_UNIT_PROBES_SNMP_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PEER_OID_MAX = 64, PEER_CELL_MAX = 200 };

enum peer_fault {
	PEER_GOOD,
	PEER_SILENT,
	PEER_BACKWARDS,  /* the second name of each column again and again */
	PEER_ENDLESS,    /* in the column `where` there is always one more row */
	PEER_WRONG_TYPE, /* a string for each number below `where` */
	PEER_CUT,        /* whole answers of `limit` cells at most (agents do so) */
	PEER_TOO_BIG,    /* error tooBig above `limit` cells */
	PEER_TRUNCATED,  /* above `limit` cells the datagram lacks its second half */
	PEER_LOSSY,      /* above `limit` cells the answer is lost */
	PEER_HANGS,      /* no answer to a request that begins below `where` */
	PEER_GEN_ERR,    /* genErr to such a request */
};

struct peer_oid {
	uint32_t id[PEER_OID_MAX];
	size_t n;
};

struct peer_cell {
	struct peer_oid name;
	uint8_t bytes[PEER_CELL_MAX]; /* the whole variable binding */
	size_t len;
};

struct peer {
	struct peer_cell *cells; /* sorted by peer_sort */
	size_t n, cap;
	const char *community;
	size_t max_bytes; /* of an answer's cells; longer ones are cut */
	enum peer_fault fault;
	size_t limit;
	struct peer_oid where;
	uint64_t requests, answers, told; /* told: cells of all answers */
};

void peer_init(struct peer *p);
void peer_fini(struct peer *p);

/* Add one cell; `oid` is dotted. Tags are SNMP's: 2 integer, 0x41 counter, 0x42 gauge,
 * 0x43 ticks, 0x46 counter64. Then sort before answering. */
void peer_add_number(struct peer *p, const char *oid, uint8_t tag, uint64_t value);
void peer_add_octets(struct peer *p, const char *oid, const void *bytes, size_t len);
void peer_add_oid(struct peer *p, const char *oid, const char *value);
void peer_sort(struct peer *p);

/* A router: system group, whole ifTable and ifXTable, ipNetToMediaTable. With 50
 * interfaces and 250 neighbours 3,058 cells. */
void peer_add_router(struct peer *p, unsigned interfaces, unsigned neighbours);

void peer_oid_set(struct peer_oid *o, const char *dotted);

/* Bytes of the answer in `out`, 0: none. */
size_t peer_answer(
    struct peer *p, const uint8_t *in, size_t len, uint8_t *out, size_t cap);

#endif
