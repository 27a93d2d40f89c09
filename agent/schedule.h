/* When probes run: pure, takes `now`, so that a test replays hours in no time. Each job
 * has its own grid (start + a phase from its id, then every `every_ns`); a run that has
 * not ended at its deadline is cancelled; a job never runs twice at once: the slots it
 * misses are counted as skipped. The runner (agent/runner.h) does what it says. */
#ifndef HT_AGENT_SCHEDULE_H
#define HT_AGENT_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHEDULE_RUNNING_MAX 32        /* runs at a time */
#define SCHEDULE_ENDLESS     INT64_MAX /* a timeout: the run lasts until it ends itself */

enum schedule_state {
	SCHEDULE_WAITING,
	SCHEDULE_RUNNING,
	SCHEDULE_ENDING, /* cancelled, not yet closed */
};

struct schedule_job {
	/* Set by the caller before schedule_start. */
	const char *id;
	int64_t every_ns, timeout_ns; /* both above 0 */
	int64_t retries; /* attempts after one that failed or ran out of time */
	bool continuous; /* its runs fill the interval: the next begins at its end */
	/* The schedule's. */
	enum schedule_state state;
	int64_t next_ns; /* of the grid */
	int64_t
	    attempt_ns; /* when the next attempt may begin; ≥ next_ns unless a retry */
	int64_t deadline_ns; /* of the present run */
	int64_t retried;
	uint64_t runs, skipped, timeouts;
};

struct schedule {
	struct schedule_job *jobs; /* borrowed */
	size_t n;
	size_t running;
};

enum schedule_act { SCHEDULE_NONE, SCHEDULE_RUN, SCHEDULE_CANCEL };

/* `salt` (the agent's id) spreads the same job of many agents. */
void schedule_start(struct schedule *s, struct schedule_job *jobs, size_t n,
    const char *salt, int64_t now);

/* The next thing to do at `now`, and for which job; call until SCHEDULE_NONE. A RUN
 * counts as begun (the deadline is set), a CANCEL as asked. */
enum schedule_act schedule_step(struct schedule *s, int64_t now, size_t *out_job);

/* A run is over and closed. `ok` false: it could not start or was cancelled. */
void schedule_ended(struct schedule *s, size_t job, int64_t now, bool ok);

/* Bring the job's next run forward to now (a command asked for it). */
void schedule_soon(struct schedule *s, size_t job, int64_t now);

/* When step has something to do next; INT64_MAX: never. */
int64_t schedule_next_ns(const struct schedule *s);

#endif
