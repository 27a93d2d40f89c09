/* Bytes that tests of a link may cost, by day and by month (UTC), and when one last
 * measured anything. Pure: clocks are arguments, the state is bytes that a probe
 * remembers.
 *
 * A clock that is not synchronised is not believed, so one that begins in 1970, or jumps,
 * gives no bytes back. What is known then: the latest time that could be believed (a
 * synchronised clock's, or the server's word), and within the same boot what has passed
 * since. Without either, days and months stand still. */
#ifndef HT_PROBES_WAN_BUDGET_H
#define HT_PROBES_WAN_BUDGET_H

#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

#define BUDGET_UNKNOWN INT64_MIN

enum { BUDGET_BYTES = 96 }; /* of the remembered state, at most */

struct budget {
	int64_t known_ms; /* Unix: no earlier than this; BUDGET_UNKNOWN at first */
	int64_t mono_ns;  /* the boot's clock then */
	char boot[HT_BOOT_ID_LEN + 1];
	int64_t day, month; /* in which the bytes were spent: days since 1970, and
			     * 12 × year + month */
	int64_t day_bytes, month_bytes;
	int64_t done_ms; /* the last test that measured; BUDGET_UNKNOWN: none */
};

/* What was remembered; anything that is not of budget_save gives an empty one. */
void budget_load(struct budget *b, const void *bytes, size_t len);
size_t budget_save(const struct budget *b, uint8_t out[static BUDGET_BYTES]);

/* Take in what time it is. `wall_ms`: a believable clock's, else BUDGET_UNKNOWN. A new
 * day or month begins with no bytes spent. A believable clock that says an earlier month
 * (a wrong one was believed before) keeps the bytes. */
void budget_clock(struct budget *b, int64_t wall_ms, const char *boot, int64_t mono_ns);

/* What may be spent yet; ≥ 0. */
int64_t budget_left(const struct budget *b, int64_t day_max, int64_t month_max);

void budget_spend(struct budget *b, int64_t bytes);
void budget_done(struct budget *b); /* a test measured something, at known_ms */

/* Time since the last success; INT64_MAX when there was none, or nothing is known. */
int64_t budget_since_ms(const struct budget *b);

#endif
