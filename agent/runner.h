/* Runs probes as the schedule says: it is their struct probe_host. One slot a configured
 * probe; the loop is borrowed. What probes emit and remember goes to the sink. */
#ifndef HT_AGENT_RUNNER_H
#define HT_AGENT_RUNNER_H

#include <uv.h>

#include "agent/inquire.h"
#include "agent/monitor.h"
#include "agent/schedule.h"
#include "base/err.h"
#include "probes/probe.h"

struct runner;

struct runner_sink {
	void *arg;
	void (*emit)(void *arg, const struct ht_reading *r);
	const void *(*recall)(void *arg, const char *instance, size_t *out_len);
	ht_err (*remember)(
	    void *arg, const char *instance, const void *bytes, size_t len);
	/* The same for one of many things that a run watches: `name` is
	 * "<instance>/<key>"; may be committed at once. recall takes that name too. */
	ht_err (*keep)(void *arg, const char *name, const void *bytes, size_t len);
	/* The run of `instance` is over; `ok` false when it could not start or ran out
	 * of time. What it remembered may be committed now. */
	void (*ended)(void *arg, const char *instance, bool ok);
};

/* One configured probe; all borrowed for the runner's life. */
struct runner_probe {
	const struct probe_ops *ops;
	const char
	    *id; /* what is measured; an icmp and an snmp probe of one link share it */
	char key[HT_INSTANCE_MAX + 1]; /* "<probe>.<id>", unique in a configuration */
	const void *options;
	int64_t every_ns, timeout_ns, retries;
};

struct runner_config {
	const char *agent; /* id, spreads the phases */
	const struct runner_probe *probes;
	size_t n_probes;
	const struct probe_site *site; /* borrowed */
	struct monitor *monitor;       /* NULL: every ask is refused with HT_DENIED */
	struct inquiries *inquiries;   /* NULL: no server to ask, HT_UNSUPPORTED */
};

HT_MUST_CHECK ht_err runner_new(uv_loop_t *loop, const struct runner_config *config,
    const struct runner_sink *sink, struct runner **out);

/* Begin the schedule. */
void runner_start(struct runner *r);

/* Run one probe now if it is not running. HT_NOTFOUND. */
HT_MUST_CHECK ht_err runner_soon(struct runner *r, const char *id);

/* The site's list of targets is another: runs that can, go on with that one (probe_ops
 * retarget). False when one that runs could not: then it must be closed and made anew. */
HT_MUST_CHECK bool runner_retarget(struct runner *r);

/* Cancel all runs and end; then `closed(arg)` from the loop, and `r` is freed. */
void runner_close(struct runner *r, void (*closed)(void *arg), void *arg);

/* The same, allowed from inside the sink's callbacks: begins with the next turn. */
void runner_close_soon(struct runner *r, void (*closed)(void *arg), void *arg);

/* Per-probe figures for status; NULL beyond the last. */
const struct schedule_job *runner_job(const struct runner *r, size_t i);
/* The probe behind job i; i must be one that runner_job knows. */
const struct runner_probe *runner_probe_of(const struct runner *r, size_t i);

#endif
