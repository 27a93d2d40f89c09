/* The probes that follow the server's list: a runner of their own, so that another list
 * touches them and no other. `reach` always does: what the configuration says of a
 * `reach` probe without targets holds for it; without one it has the defaults.
 * `snmp.fleet` does when the configuration has one without devices, and `path` without a
 * target. All on the loop. */
#ifndef HT_AGENT_REACH_H
#define HT_AGENT_REACH_H

#include "agent/runner.h"
#include "agent/targets.h"

enum { REACH_PROBES_MAX = 3 };

struct reach {
	/* Set by the owner; borrowed. */
	uv_loop_t *loop;
	struct monitor *monitor;
	const struct runner_sink *sink;
	/* Called when reach_close has ended. */
	void (*closed)(void *arg);
	void *arg;
	/* Its own. */
	struct runner *runner; /* NULL: nothing is pinged */
	bool closing;          /* the runner is */
	bool again;            /* and begins anew then */
	struct ht_targets list;
	struct probe_site site;
	struct runner_probe probes[REACH_PROBES_MAX];
	void *defaults; /* options of a probe that nobody configured */
	const struct options *options;
	const struct targets *targets;
	const struct options *waits; /* of which it was said that probes wait */
};

/* Ping what `targets` says from now on. What runs goes on with another list and keeps
 * what it knows of targets that stay; with other options it ends and begins anew. Both
 * are borrowed until the next call or reach_close. */
void reach_begin(
    struct reach *r, const struct options *options, const struct targets *targets);

/* End; then `closed(arg)`, at once when nothing runs. */
void reach_close(struct reach *r);

#endif
