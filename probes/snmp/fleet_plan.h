/* Which device of a fleet is polled next, and when: pure, takes `now`. Each device has
 * its own grid of times, spread over the interval. One that was silent or slow stands
 * aside: it is asked ever more rarely (silent), and all such devices together never take
 * more than their few places, so that they delay nobody. */
#ifndef HT_PROBES_SNMP_FLEET_PLAN_H
#define HT_PROBES_SNMP_FLEET_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct fleet_plan_config {
	int64_t every_ns;        /* of each device */
	int64_t spread_ns;       /* the first polls are spread over so much */
	int64_t back_off_max_ns; /* between two tries of a silent device */
	size_t at_once;          /* polls under way */
	size_t aside_at_once;    /* of those that stand aside; at most at_once */
	uint64_t seed;           /* of the jitter */
};

enum fleet_end {
	FLEET_ANSWERED,
	FLEET_SILENT,     /* or refused us */
	FLEET_UNFINISHED, /* goes on where it stopped */
};

#define FLEET_NEW UINT32_MAX

struct fleet_plan;

HT_MUST_CHECK ht_err fleet_plan_new(const struct fleet_plan_config *config, size_t n,
    int64_t now, struct fleet_plan **out);
void fleet_plan_free(struct fleet_plan *p); /* accepts NULL */

/* Go on with what is known: was[i] is device i's number in `old`, or FLEET_NEW. Right
 * after new. A poll under way of a device that is gone is no concern of the plan. */
void fleet_plan_inherit(
    struct fleet_plan *p, const struct fleet_plan *old, const uint32_t *was);

/* The device to poll now, if any; it counts as under way. */
bool fleet_plan_take(struct fleet_plan *p, int64_t now, size_t *out);

/* When take may have something; INT64_MAX: not before a poll has ended. */
int64_t fleet_plan_next_ns(const struct fleet_plan *p);

void fleet_plan_ended(
    struct fleet_plan *p, size_t device, enum fleet_end end, int64_t now);

unsigned fleet_plan_silences(const struct fleet_plan *p, size_t device); /* in a row */
int64_t fleet_plan_due_ns(const struct fleet_plan *p, size_t device);

/* By how much the latest poll of a device that does not stand aside began late. */
int64_t fleet_plan_latest_ns(const struct fleet_plan *p);
size_t fleet_plan_running(const struct fleet_plan *p);

#endif
