/* Which interface of a device carries the link that it is polled for. In this order:
 *
 *   1. what the configuration names (`link_interface`): a person has confirmed it
 *   2. what was learned before, as long as the device has it and nothing strong and
 *      lasting speaks for another: while the line is down the default route may well
 * leave by the backup
 *   3. evidence, put together as independent chances of being right:
 *        the default route leaves by it 0.80 · it has the address by which the device is
 *        polled, from outside 0.60 · its alias says WAN 0.60 · so does its name 0.30 ·
 *        it is the only one that could be 0.40
 *      Words for the other side (LAN, guests, cameras) take its chance down to a quarter,
 *      being down to a half.
 *
 * One candidate must stand out (odds twice those of the next), else there is none, and
 * the sentence says what a person should confirm. Pure; the memory is the caller's. */
#ifndef HT_PROBES_SNMP_UPLINK_H
#define HT_PROBES_SNMP_UPLINK_H

#include "base/addr.h"
#include "base/buf.h"
#include "base/reader.h"
#include "probes/snmp/table.h"

enum {
	UPLINK_WHY_MAX = 256,
	UPLINK_CONTRARY_POLLS = 30, /* in a row, until what was learned is given up */
	UPLINK_ID_MAX = 31,
};

/* What is remembered of a device, by interface id (identity.h). Zeroed at first. */
struct uplink_memory {
	char id[UPLINK_ID_MAX + 1]; /* learned or configured; "": none */
	uint8_t confidence;         /* hundredths, when it was learned */
	uint8_t contrary;           /* polls in a row that spoke for another */
	uint32_t configured; /* hash of the name that the configuration had; 0: none */
};

struct uplink_hints {
	const char *configured;       /* ifName, ifAlias or ifDescr; NULL: not named */
	const struct ht_addr *target; /* where it was polled; NULL: not known */
	bool inside; /* `target` lies in the office's own subnets: the other side */
};

struct uplink {
	const struct table_row *row; /* NULL: none can be named */
	double confidence;           /* 0..1 */
	char why[UPLINK_WHY_MAX];    /* one sentence; "" when there is nothing to say */
};

/* `ids` are the interfaces' own, in the order of t->rows; t is settled. */
void uplink_choose(const struct table *t, const char *const *ids,
    const struct uplink_hints *hints, struct uplink_memory *memory, struct uplink *out);

/* Whether a text speaks for the WAN side (1), the other side (-1) or neither (0). In
 * Vietnamese or English, with or without marks. */
int uplink_words(const char *text);

void uplink_encode(const struct uplink_memory *m, struct ht_buf *out);
HT_MUST_CHECK ht_err uplink_decode(struct uplink_memory *m, struct ht_reader *r);

#endif
