/* The run of snmp.fleet, shared by its two files alone: fleet.c (who is in it, start and
 * end) and fleet_poll.c (polls, and what is told of them). */
#ifndef HT_PROBES_SNMP_FLEET_H
#define HT_PROBES_SNMP_FLEET_H

#include "probes/probe.h"
#include "probes/snmp/device.h"
#include "probes/snmp/fleet_options.h"
#include "probes/snmp/fleet_plan.h"
#include "probes/snmp/report.h"

struct fleet_run;
struct fleet_poll;

struct fleet_device {
	char id[HT_INSTANCE_MAX + 1];
	struct fleet_target target; /* its id is ours */
	size_t index;               /* in the plan */
	struct device_memory memory;
	struct fleet_poll *poll; /* under way, or NULL */
	bool gone;               /* from the list; freed when its poll is closed */
	/* An interrupted poll, to go on with. */
	struct device_place *place;
	struct table *table;
	int interruptions;
	struct report_memory told;
	/* What was said last in the log. */
	const char *said;
	uint32_t said_left_out;
};

struct fleet_poll {
	struct fleet_run *run;
	struct fleet_device *of;
	struct device *device;
	struct table *table;
	uv_timer_t deadline;
	enum fleet_end end;
	bool ending;
	struct fleet_poll *next_free;
};

struct fleet_key { /* credentials, or why there are none */
	struct credentials c;
	struct ht_fault why;
	bool usable;
};

struct fleet_run {
	const struct fleet_options *o;
	const struct probe_host *host;
	struct fleet_device **devices; /* sorted by id */
	size_t n;
	struct fleet_plan *plan;
	struct fleet_key *keys;
	struct fleet_poll *polls, *free_polls;
	size_t n_kept;
	struct table_budget budget; /* of all tables, under way or kept */
	struct gate gate;
	uv_timer_t timer;
	bool over;
	size_t n_closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* Begin what is due, as long as there is room; then the timer is armed for the next. */
void fleet_pump(struct fleet_run *r);
void fleet_on_timer(uv_timer_t *timer); /* data is the run */

/* End a poll that is under way and not ending. With the run closing it counts itself in
 * n_closing, and calls fleet_closed_one. */
void fleet_end_poll(struct fleet_poll *p, enum fleet_end end);

/* One that is not under way. */
void fleet_free_device(struct fleet_run *r, struct fleet_device *d);

/* One of n_closing is closed. */
void fleet_closed_one(struct fleet_run *r);

#endif
