/* The reachability core of a vantage: one ping a second and target, and what follows from
 * the answers and their absence. Pure: no clock, no socket; the owner says what happened
 * and when (tick, answer, send failed), the core says what to do (struct ht_reach_host).
 * Allocated once, for tens of thousands of targets.
 *
 *              an answer        2 overdue             20 of a burst unanswered
 *   UNKNOWN ─────────────► UP ────────────► SUSPECT ────────────────────────────► DOWN
 *    │ ▲ ▲                 ▲ │                │ ▲                                   │
 *    │ │ │                 │ └─ silent in ────┼─┼─ a child's burst ────────────────►│
 *    │ │ │                 └──── an answer ───┘ │                                   │
 *    │ │ │                 ▲                    │                                   │
 *    │ │ │                 └──── 3 answers in a row ────────────────────────────────┤
 *    └─┼─┼────────── 2 overdue ─────────────────┘                                   │
 *      │ └── the vantage is blind, or cannot send to it ◄── UP, SUSPECT, DOWN ──────┘
 *
 * A suspicion asks for a burst to the target, to all its parents, and to the self-check
 * targets; a burst that runs is shared, one that is answered ends. The target is down
 * when its burst is over without an answer, each parent has answered since or is down
 * itself (and said so first), and a self-check target has answered since. When all
 * self-check targets are silent, the vantage is blind: every state is unknown, nothing is
 * told until sight comes back, and then all is learned, and told, anew.
 *
 * What is ours proves nothing of others: a ping that could not be sent is no lost ping
 * (unless only the way to its target is missing), and when the process itself stood still
 * (suspended, stopped) or the kernel dropped answers before they were read, what was
 * under way is void. */
#ifndef HT_BASE_REACH_H
#define HT_BASE_REACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/hist.h"

#define HT_REACH_EVERY_NS    HT_NS_PER_S
#define HT_REACH_BURST       20                    /* pings */
#define HT_REACH_BURST_NS    (1400 * HT_NS_PER_MS) /* from the first to the verdict */
#define HT_REACH_RISE        3  /* answers in a row that make a dead target UP */
#define HT_REACH_PARENTS_MAX 16 /* of one target */
#define HT_REACH_NEVER       INT64_MIN
#define HT_REACH_STEP        64 /* targets of a tick, of which each sends ... */
#define HT_REACH_STEP_PINGS  3  /* ... so many pings at most */

enum ht_reach_state {
	HT_REACH_UNKNOWN,
	HT_REACH_UP,
	HT_REACH_SUSPECT,
	HT_REACH_DOWN,
};

/* What a change of state rests on; times are the clock's of `now_ns`, or NEVER. */
struct ht_reach_change {
	enum ht_reach_state state; /* UP, SUSPECT or DOWN */
	bool urgent;               /* not a suspicion, nor one that was refuted */
	int64_t at_ns;
	int64_t lost_ns;     /* when the first ping was sent that nobody answered */
	int64_t answered_ns; /* SUSPECT, DOWN: when the last answered ping was sent;
				UP: when the first was sent that was answered again */
};

/* The pings of a minute whose fate became known in it. */
struct ht_reach_minute {
	int64_t at_ns;
	uint32_t sent, received; /* sent is not 0 */
	int64_t rtt_sum_ns;
	const struct ht_hist *rtt; /* borrowed until return */
};

enum ht_reach_sight {
	HT_REACH_SIGHT_UNKNOWN,
	HT_REACH_SIGHTED,
	HT_REACH_UNCHECKED,   /* no self-check targets: believed to be sighted */
	HT_REACH_SELF_SILENT, /* blind: no self-check target answers */
	HT_REACH_UNSENDABLE,  /* blind: nothing can be sent at all */
};

/* What the core asks of its owner. None may call back into the core. */
struct ht_reach_host {
	void *arg;
	/* Send a ping with the number's last 16 bits. If it cannot leave:
	 * ht_reach_unsent, later. */
	void (*send)(void *arg, uint32_t target, uint16_t seq);
	/* Parents are told before their children. */
	void (*change)(void *arg, uint32_t target, const struct ht_reach_change *c);
	void (*minute)(void *arg, uint32_t target, const struct ht_reach_minute *m);
	/* At each change, and every minute. */
	void (*sight)(void *arg, enum ht_reach_sight sight, int64_t at_ns);
};

struct ht_reach_target {
	const uint32_t
	    *parents; /* indices; what AND and OR mean is the server's to say */
	size_t n_parents;
	bool self; /* of the self-check: pinged, but never told */
};

struct ht_reach_counters {
	uint64_t sent, answered, unsent;
	uint64_t ignored; /* answers that nothing waited for: duplicates, late ones */
	uint64_t burst;   /* of those sent, the pings of bursts */
	uint64_t leaps;   /* times that the process stood still */
	uint64_t deaf;    /* times that answers were lost on our side */
};

struct ht_reach;

/* `targets` are copied. `burst_rate`: pings of all bursts a second, at most; bursts wait
 * for it, but those to parents and self-check targets do not.
 *   errors  HT_NOMEM; HT_INVALID: a parent that is none, too many, or a cycle */
HT_MUST_CHECK ht_err ht_reach_new(const struct ht_reach_target *targets, size_t n,
    int64_t burst_rate, const struct ht_reach_host *host, int64_t now_ns,
    struct ht_reach **out);
void ht_reach_free(struct ht_reach *r); /* accepts NULL */

/* Another list takes the place of the one of `from`: what is known of the targets that
 * stay goes on, and is not told again; pings under way are void. `was`: for each target
 * its index in `from`, or HT_REACH_NEW. Once, right after ht_reach_new. */
#define HT_REACH_NEW UINT32_MAX
void ht_reach_inherit(
    struct ht_reach *r, const struct ht_reach *from, const uint32_t *was, int64_t now_ns);

/* Do what is due, for HT_REACH_STEP targets at most; true when more is due. Give it all
 * answers that have arrived first. Late by more than a second: the process stood still.
 */
bool ht_reach_tick(struct ht_reach *r, int64_t now_ns);

/* When tick has something to do next. */
int64_t ht_reach_next_ns(const struct ht_reach *r);

/* An answer, received at `at_ns` (not after now_ns): the owner has verified that it is
 * from this target. Anything else about it may be wrong. */
void ht_reach_answer(
    struct ht_reach *r, uint32_t target, uint16_t seq, int64_t at_ns, int64_t now_ns);

/* When it really left, at or after the tick that asked for it. */
void ht_reach_sent(struct ht_reach *r, uint32_t target, uint16_t seq, int64_t at_ns);

/* Answers were lost on our side, nobody knows whose: pings under way prove nothing. */
void ht_reach_deaf(struct ht_reach *r, int64_t now_ns);

/* That ping could not be sent: our own trouble. */
void ht_reach_unsent(struct ht_reach *r, uint32_t target, uint16_t seq, int64_t now_ns);

/* No way leads to the target by now. While others answer, or as far as self-check targets
 * can say, that is the target's: its ping is as lost as any. When nobody answers it is
 * our own trouble, as above. */
void ht_reach_unroutable(
    struct ht_reach *r, uint32_t target, uint16_t seq, int64_t now_ns);

/* Tell the minute so far of every target (the run ends). */
void ht_reach_flush(struct ht_reach *r, int64_t now_ns);

enum ht_reach_state ht_reach_state(const struct ht_reach *r, uint32_t target);
const char *ht_reach_state_name(enum ht_reach_state state);
bool ht_reach_blind(const struct ht_reach *r);
const struct ht_reach_counters *ht_reach_counters(const struct ht_reach *r);

#endif
