/* The one worker thread of the agent: it owns the spool and does every disk write and
 * sync, so that the loop never waits for a disk. Jobs run in the order submitted; each
 * job's `done` is called on the loop, in the same order. */
#ifndef HT_AGENT_WORKER_H
#define HT_AGENT_WORKER_H

#include <uv.h>

#include "agent/spool.h"
#include "base/err.h"

#define WORKER_QUEUE_MAX 256 /* jobs that may wait */

struct worker;

/* The caller embeds it and owns it until `done` is called. */
struct worker_job {
	/* On the worker's thread. */
	void (*work)(struct worker_job *job, struct spool *spool);
	/* On the loop; `job` is the caller's again. */
	void (*done)(struct worker_job *job);
	/* Set before submitting: the moment, as the loop saw it. */
	struct spool_now now;
	/* Filled after `work`: what the spool holds now. */
	struct spool_stats stats;
	struct worker_job *next; /* private */
};

/* Takes the spool: it is closed on the worker's thread at the end. */
HT_MUST_CHECK ht_err worker_new_take(
    uv_loop_t *loop, struct spool *spool, struct worker **out);

/* HT_FULL when too many wait already: `done` is not called then. */
HT_MUST_CHECK ht_err worker_submit(struct worker *w, struct worker_job *job);

/* End after the jobs that wait, then call `closed(arg)` from the loop; `w` is freed. */
void worker_close(struct worker *w, void (*closed)(void *arg), void *arg);

#endif
