/* Which interface of a device is which: those known before against the rows read now, by
 * a scored match, so that what is remembered of an interface stays with it although
 * ifIndex is dealt anew (RFC 2863 section 3.1.5 allows that at every restart), a firmware
 * renames, a module goes, or two interfaces swap.
 *
 * A row and a known interface speak for each other by what they share, and against each
 * other by what they do not:
 *
 *                     the same   the same, but not alone in it   differs
 *   ifName               40                  20                    -20
 *   ifAlias              40                  10                    -10
 *   ifPhysAddress        38                   8                    -18
 *   … and it is that of another known one                          -25
 *   ifDescr               5                   2                     -2
 *   ifDescr, no ifName   35                  12                    -20
 *   ifIndex              10                                          0
 *   ifType                5                                        -10
 *   ifIndex, and nothing else is told of either: 30
 *   not there last time: -1, and its ifIndex says nothing
 *
 * A text that one side lacks says nothing. Pairs are taken by score, best first; below
 * IDENTITY_FLOOR nothing is the same, and when several fit equally well none is: a new
 * interface loses a history, a wrong one lies about it.
 *
 * Pure and bounded: no clock, no I/O. The owner keeps a struct identity a device. */
#ifndef HT_PROBES_SNMP_IDENTITY_H
#define HT_PROBES_SNMP_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/reader.h"

enum {
	IDENTITY_FLOOR = 26,
	IDENTITY_MAX = 2048,    /* interfaces that are remembered of a device */
	IDENTITY_GONE_MAX = 64, /* … besides, of those that are there no more */
	IDENTITY_ID_MAX = 31,
	IDENTITY_ID_MIN = 24, /* least that an id may be allowed: an index fits in */
	IDENTITY_WHY_MAX = 192,
};

enum identity_text {
	IDENTITY_NAME,
	IDENTITY_ALIAS,
	IDENTITY_PHYS,
	IDENTITY_DESCR,
	IDENTITY_TEXTS
};

/* One row as it was read; texts are borrowed, NULL or "" when there is none. */
struct identity_row {
	uint32_t index;
	uint32_t type; /* 0: not known */
	const char *texts[IDENTITY_TEXTS];
};

struct identity_known {
	char id[IDENTITY_ID_MAX + 1];
	uint32_t index, type;
	uint32_t marks[IDENTITY_TEXTS]; /* hashes of the texts; 0: none */
	bool gone;                      /* not among the rows last time */
};

struct identity {
	struct identity_known *known; /* as the rows came, then the gone, newest first */
	size_t n;
	bool beyond; /* there were more rows last time than are remembered */
};

enum identity_verdict {
	IDENTITY_SAME,      /* in every respect */
	IDENTITY_CHANGED,   /* the same one, with another index or other texts */
	IDENTITY_NEW,       /* like none that is known */
	IDENTITY_AMBIGUOUS, /* like several: a new one */
	IDENTITY_BEYOND,    /* one of too many: not remembered, so nobody can say */
};

#define IDENTITY_BIT(t) (1u << (t))
#define IDENTITY_INDEX  IDENTITY_BIT(IDENTITY_TEXTS)

struct identity_match {
	char id[IDENTITY_ID_MAX + 1];
	enum identity_verdict verdict;
	unsigned same, other; /* IDENTITY_BIT()s of what agreed and what did not */
	uint32_t index_before;
};

/* Match `n` rows (in a stable order, by index) and take them for the known ones of next
 * time. Each gets an id that is its alone on this device and stays. Rows beyond
 * IDENTITY_MAX are named by their texts and not remembered. `k` begins zeroed.
 *   whole   the table was read to its end: what is missing is gone
 *   id_max  IDENTITY_ID_MIN..IDENTITY_ID_MAX
 *   errors  HT_NOMEM: `k` and `out` as before */
HT_MUST_CHECK ht_err identity_match(struct identity *k, const struct identity_row *rows,
    size_t n, bool whole, size_t id_max, struct identity_match *out);

/* One sentence for people. False when there is nothing to say: it is the same. */
bool identity_why(const struct identity_match *m, char out[static IDENTITY_WHY_MAX]);

void identity_fini(struct identity *k); /* accepts a zeroed one */

/* The memory between two polls. Decoding takes bytes of any origin: what is malformed is
 * HT_MALFORMED and leaves `k` empty. */
void identity_encode(const struct identity *k, struct ht_buf *out);
HT_MUST_CHECK ht_err identity_decode(struct identity *k, struct ht_reader *r);

#endif
