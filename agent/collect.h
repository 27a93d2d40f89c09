/* Readings become SenML packs, and packs go to the spool. A pack is sealed at
 * COLLECT_SEAL_BYTES or COLLECT_SEAL_NS after its first reading; sooner when a run has
 * ended: at the next tick, unless the last pack was sealed within COLLECT_SEAL_NS (so
 * fast probes share packs); at once, or as soon as the commit before it is done, when the
 * run remembered something (so a fast probe groups its runs instead of queueing syncs);
 * at once, however busy, when something is urgent, but never more than two packs on top
 * of each other (so a storm of transitions shares packs).
 *
 * It keeps the probes' memories (memories.h): what a run remembers is seen by the next
 * run at once, and is committed with the pack that holds the last reading of the run, or
 * not at all. Loop thread only; the worker is borrowed. */
#ifndef HT_AGENT_COLLECT_H
#define HT_AGENT_COLLECT_H

#include "agent/worker.h"
#include "base/reading.h"
#include "mqtt/senml.h"

#define COLLECT_SEAL_BYTES (48 * 1024)
#define COLLECT_SEAL_NS    (5 * HT_NS_PER_S)
/* Packs on their way to the disk: room for what a vantage of 20,000 targets has to say
 * when all of them change at once, on a disk that syncs thirty times a second. */
#define COLLECT_PENDING_MAX 128
#define COLLECT_URGENT_MAX  2

struct collect;

struct collect_config {
	const char *agent;   /* id: base name of every pack */
	const char *session; /* borrowed for life */
	enum senml_format format;
	/* Fills the present moment; one place reads clocks. */
	void (*clock)(void *arg, struct spool_now *out);
	/* A transaction ended. `err` HT_OK: durable. NULL is allowed. */
	void (*committed)(void *arg, ht_err err, const struct spool_stats *stats);
	void *arg;
};

struct collect_counters {
	uint64_t readings, packs; /* taken; handed to the worker */
	uint64_t refused; /* readings that no pack can hold (not finite, too long) */
	uint64_t overrun; /* given up because the disk is slower than the probes */
	uint64_t failed;  /* packs that the spool could not take */
};

HT_MUST_CHECK ht_err collect_new(
    const struct collect_config *config, struct collect **out);

/* Before the first collect_put: memories are loaded while the spool is still ours. */
void collect_worker(struct collect *c, struct worker *worker);

/* All packs must be committed (collect_idle) or the loop must not run any more. */
void collect_free(struct collect *c); /* accepts NULL */

/* At start: what the spool holds of a probe. */
HT_MUST_CHECK ht_err collect_load(struct collect *c, const struct spool_memory *m);

void collect_put(struct collect *c, const struct ht_reading *r);

/* What the instance remembered last, committed or not yet. Borrowed until the next
 * call for the same instance. */
const void *collect_recall(struct collect *c, const char *instance, size_t *out_len);

/* Goes with the run's readings, when it has ended. HT_TOOLARGE, HT_FULL, HT_NOMEM. */
HT_MUST_CHECK ht_err collect_remember(
    struct collect *c, const char *instance, const void *bytes, size_t len);

/* For one of many things that a run watches, "<instance>/<key>": goes with the next pack,
 * not before what was put before. The same errors. */
HT_MUST_CHECK ht_err collect_keep(
    struct collect *c, const char *name, const void *bytes, size_t len);

/* The run is over: its readings and its memory belong together now, and go soon. */
void collect_ended(struct collect *c, const char *instance);

/* Report gaps, in a pack of their own. */
void collect_gaps(struct collect *c, const struct spool_gap *gaps, size_t n);

/* Seal what is old enough; called about once a second. */
void collect_tick(struct collect *c);

/* Seal now; when COLLECT_URGENT_MAX packs are on their way, as soon as one is durable. */
void collect_urgent(struct collect *c);

/* Seal whatever is there, now. */
void collect_flush(struct collect *c);

/* Nothing is open and nothing is on its way to the disk. */
bool collect_idle(const struct collect *c);

const struct collect_counters *collect_counters(const struct collect *c);

#endif
