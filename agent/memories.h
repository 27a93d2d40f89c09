/* The probes' memories while the agent runs: what each remembered last, and how far that
 * is on its way to the spool. Two kinds: a run's own, committed with the run's readings
 * (staged until the run ends), and keyed ones "<run>/<key>", one for each of many things
 * that a run watches, ready at once.
 *
 * Bounded in number and bytes. When it is full, a keyed one that nobody used for more
 * than a day is forgotten, in the spool too; when there is none such, a new one finds no
 * room: those that are in use stay, for of many that are used in turn the one to be
 * forgotten would always be the one that is used next. Loop thread only; plain memory, as
 * much as there is to remember. */
#ifndef HT_AGENT_MEMORIES_H
#define HT_AGENT_MEMORIES_H

#include "agent/spool.h"
#include "base/buf.h"

/* A fleet of 20,000 devices, and others. Of a device with 50 interfaces 1,700 to 2,000
 * bytes are kept, so a fleet of such routers fills 60 % of it. */
#define MEMORIES_MAX        24576
#define MEMORIES_BYTES_MAX  (64 << 20)
#define MEMORIES_UNUSED_NS  (26 * 3600 * INT64_C(1000000000))
#define MEMORIES_FLIGHT_MAX (1 << 20) /* bytes that one commit brings, but one always */
#define MEMORIES_NAME_MAX   200

struct memory;

struct memories {
	struct memory **buckets;
	size_t n_buckets, n;
	size_t bytes;
	size_t staged, ready;    /* how many */
	struct memory *ready_at; /* list of the ready, oldest first */
	struct memory *ready_end;
	struct memory *oldest, *newest; /* list of the keyed, by their last use */
	size_t max, max_bytes;
	int64_t (*now_ns)(void);
	bool full; /* said already */
};

/* Copies on their way to the spool, in the form it takes them. */
struct memories_flight {
	struct spool_memory *entries; /* into `texts` */
	size_t n;
	struct memory **of;
	struct ht_buf texts;
};

HT_MUST_CHECK ht_err memories_init(struct memories *m, size_t max, size_t max_bytes);
void memories_fini(struct memories *m); /* no flight may be under way */

/* What the spool holds already. */
HT_MUST_CHECK ht_err memories_load(
    struct memories *m, const char *name, const void *bytes, size_t len);

/* Remember; `len` 0 forgets. Staged until memories_end, unless `now`.
 *   errors  HT_TOOLARGE (SPOOL_MEMORY_MAX), HT_INVALID (name too long), HT_FULL,
 *           HT_NOMEM; the one before stays then */
HT_MUST_CHECK ht_err memories_put(
    struct memories *m, const char *name, const void *bytes, size_t len, bool now);

/* Borrowed until the next put or end of the same name; "" and 0 when there is none. */
const void *memories_get(struct memories *m, const char *name, size_t *out_len);

/* The run is over: what it staged is ready. False when it staged nothing. */
bool memories_end(struct memories *m, const char *name);

/* Take off with what is ready, as much as a flight holds. On error nothing left. */
HT_MUST_CHECK ht_err memories_take(struct memories *m, struct memories_flight *out);
/* The flight landed (or did not, then what it carried is ready again). Ends it. */
void memories_landed(struct memories *m, struct memories_flight *f, bool kept);

#endif
