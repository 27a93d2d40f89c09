/* The pings of one target that are under way, and how long its answers take. Pure: takes
 * times as arguments. A ping is
 *
 *   open ──answered──► gone
 *    │ ▲                 ▲
 *    │ └── overdue ──────┤ answered late (it still counts)
 *    └──── lost ─────────┘ after HT_PINGS_LOST_NS
 *
 * The wait after which a ping is overdue follows the target's own round trip as RFC 6298
 * says (SRTT + 4 RTTVAR), but never so long that two overdue pings, one second apart,
 * tell of a cut later than 2.5 s after it: two seconds less half a round trip may have
 * passed when the second is sent, so the wait stays below half a second and half a round
 * trip. Only a round trip of more than 0.7 s makes it longer. */
#ifndef HT_BASE_PINGS_H
#define HT_BASE_PINGS_H

#include <stdbool.h>
#include <stdint.h>

#define HT_PINGS_WINDOW     64 /* under way at a time; an older one is forgotten */
#define HT_PINGS_LOST_NS    (3 * HT_NS_PER_S)
#define HT_PINGS_WAIT_FIRST HT_NS_PER_S /* before anything was measured */
#define HT_PINGS_WAIT_MIN   (200 * HT_NS_PER_MS)
#define HT_PINGS_WAIT_MAX   (2500 * HT_NS_PER_MS)

struct ht_pings {
	uint64_t open;              /* neither answered, lost nor void */
	uint64_t steady;            /* of the one a second, not of a burst */
	int64_t srtt_ns, rttvar_ns; /* RFC 6298; srtt_ns 0: nothing measured yet */
	uint32_t next;              /* number of the next ping; numbers wrap */
	uint32_t overdue;           /* first that was not looked at for being overdue */
	uint32_t lost;              /* first that was not looked at for being lost */
	int64_t sent_ns[HT_PINGS_WINDOW]; /* by seq % HT_PINGS_WINDOW, like the bits */
};

struct ht_ping {
	uint32_t seq;
	int64_t sent_ns;
	bool steady;
};

/* A ping leaves now; returns its number. */
uint32_t ht_pings_send(struct ht_pings *p, int64_t now_ns, bool steady);

/* It really left at `at_ns`. Nothing happens when it is not under way any more. */
void ht_pings_sent(struct ht_pings *p, uint16_t seq, int64_t at_ns);

/* How long an answer is waited for before it is overdue. */
int64_t ht_pings_wait_ns(const struct ht_pings *p);

/* An answer to the ping whose number ends in these 16 bits, received at `at_ns`. False
 * when no such ping waits: a duplicate, too late, or never sent. Measures. */
bool ht_pings_answer(
    struct ht_pings *p, uint16_t seq, int64_t at_ns, struct ht_ping *out);

/* The next ping that has become overdue, in order of sending; false when none has. */
bool ht_pings_take_overdue(struct ht_pings *p, int64_t now_ns, struct ht_ping *out);

/* The same for lost ones, which no answer can save any more. */
bool ht_pings_take_lost(struct ht_pings *p, int64_t now_ns);

/* When one of the two has something to say; INT64_MAX: never. */
int64_t ht_pings_next_ns(const struct ht_pings *p);

/* Overdue, open and steady pings sent after number `seq`, and when the first overdue one
 * of any kind was sent (unset when none was). */
unsigned ht_pings_overdue_after(
    const struct ht_pings *p, uint32_t seq, int64_t *out_first_ns);

/* It never left, or must not count: neither answered nor lost. */
bool ht_pings_void(struct ht_pings *p, uint16_t seq, struct ht_ping *out);
void ht_pings_void_all(struct ht_pings *p);

#endif
