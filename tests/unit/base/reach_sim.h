/* A network in simulated time for the reachability core: targets with a round trip, loss
 * and cuts; answers come as the core's pings deserve. Everything is decided by one seed.
 */
#ifndef HT_TESTS_UNIT_BASE_REACH_SIM_H
#define HT_TESTS_UNIT_BASE_REACH_SIM_H

#include "base/clock.h"
#include "base/reach.h"

enum { SIM_TARGETS = 2048, SIM_PARENTS = 4, SIM_CHANGES = 8192, SIM_FLIGHTS = 1 << 15 };

struct sim_target {
	int64_t rtt_ns, jitter_ns;   /* rtt .. rtt + jitter, evenly */
	double loss;                 /* of a round trip */
	int64_t cut_ns, restored_ns; /* nothing passes between; 0: never */
	int behind[SIM_PARENTS];     /* cut too when one of these is; -1 ends */
	double cut_at; /* share of the round trip before the place of the cut, 0..1 */
	bool unsendable, twice; /* sending fails; answers come twice */
	bool unroutable;        /* sending fails: there is no way to it */
	uint32_t parents[SIM_PARENTS];
	size_t n_parents;
	bool self;
	/* What the core said and did. */
	int64_t rtt_least_ns, rtt_most_ns; /* of the answers that came, or will */
	uint64_t sent, minutes, minute_sent, minute_received, hist;
};

struct sim_change {
	uint32_t target;
	struct ht_reach_change change;
};

struct sim_flight {
	int64_t at_ns;
	uint32_t target;
	uint16_t seq;
};

struct sim {
	struct ht_reach *reach;
	struct sim_target targets[SIM_TARGETS];
	size_t n;
	int64_t now_ns, burst_rate;
	uint64_t random;
	struct sim_flight flights[SIM_FLIGHTS]; /* a heap */
	size_t n_flights;
	struct sim_flight unsent[64]; /* of this turn */
	size_t n_unsent;
	double
	    deaf; /* share of the answers that are lost on our side, which is noticed */
	int64_t step_ns; /* receipts seem to be so much earlier: the clock was set */
	struct sim_change changes[SIM_CHANGES];
	size_t n_changes;
	enum ht_reach_sight sight;
	size_t n_sights;            /* times that it was told */
	int64_t busiest, second_ns; /* most pings in one second */
	int64_t in_second;
};

/* Begin with n targets of 20 ms at time `now_ns`; change them, then sim_start. */
struct sim *sim_new(size_t n, uint64_t seed);
void sim_start(struct sim *s);
void sim_free(struct sim *s);

/* Another list: `targets` holds it already; what was under way comes no more. */
void sim_again(struct sim *s, size_t n, const uint32_t *was);

double sim_random(struct sim *s); /* [0, 1) */

/* Let time pass. `stopped` true: the process stands still, and nothing is received. */
void sim_run(struct sim *s, int64_t until_ns);
void sim_stop(struct sim *s, int64_t until_ns);

/* The first change of a target to a state at or after a time; NULL: none. */
const struct sim_change *sim_find(
    const struct sim *s, uint32_t target, enum ht_reach_state state, int64_t from_ns);
size_t sim_count(const struct sim *s, enum ht_reach_state state);

#endif
