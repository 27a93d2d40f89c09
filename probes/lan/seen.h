/* Which cards were told of already in this window, so that each is told once, and again
 * only when it shows something new. Bounded: at most `max` cards and SEEN_IPS_MAX
 * addresses a card (a router that answers for a whole subnet is no crowd); what does not
 * fit is counted, and so is a card that is news again and again (a flood). Pure; owner's
 * storage with one allocation. */
#ifndef HT_PROBES_LAN_SEEN_H
#define HT_PROBES_LAN_SEEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/err.h"

#define SEEN_IPS_MAX  4
#define SEEN_NEWS_MAX 8 /* times that one card is news */

struct seen_row;

struct seen {
	struct seen_row *rows; /* in the order of their coming */
	uint16_t *index;       /* open addressing: row number + 1, 0 is free */
	uint32_t n, max, index_len;
	uint64_t refused; /* cards or addresses that did not fit */
};

/* 1..16384 cards. HT_NOMEM, HT_RANGE. */
HT_MUST_CHECK ht_err seen_init(struct seen *s, uint32_t max);
void seen_fini(struct seen *s); /* accepts a zeroed one */

/* Note a card with an address (0 for none) and a digest of what else it said (0 for
 * nothing). True when any of the three is news. */
bool seen_put(struct seen *s, const struct ht_mac *mac, uint32_t ipv4, uint32_t digest);

/* FNV-1a over bytes, to be chained: start with SEEN_DIGEST. Never 0. */
#define SEEN_DIGEST UINT32_C(2166136261)
uint32_t seen_digest(uint32_t digest, const void *bytes, size_t len);

#endif
