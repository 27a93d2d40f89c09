/* The spool: packs that wait for the server's acknowledgement, on disk (SQLite, WAL,
 * synchronous=FULL) before they are published. It also keeps the small memories of
 * probes, which commit together with the pack that carries the same run's readings.
 *
 * Not thread safe and blocking: it belongs to the worker thread (agent/worker.h), which
 * alone calls it. Bounded in bytes and age; what is given up, oldest first, becomes a
 * gap, which is forgotten only when the pack that reported it is acknowledged. A spool
 * that fails its check is moved aside and a new one, with a new epoch, begins; what lay
 * in it is a gap "corrupt" with its numbers, or, when these cannot be read any more, a
 * gap "corrupt-extent-unknown" at the new epoch's first number. */
#ifndef HT_AGENT_SPOOL_H
#define HT_AGENT_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "mqtt/props.h"

#define SPOOL_FINGERPRINT_MAX 65
#define SPOOL_REASON_MAX      24
#define SPOOL_PACK_OVERHEAD   256 /* bytes on disk beside the payload, about */
#define SPOOL_MEMORY_MAX      (128 * 1024)
#define SPOOL_GAP_TEXT        96

struct spool;

struct spool_config {
	const char *path;
	const char *fingerprint; /* of this machine; another one begins a new epoch */
	int64_t max_bytes;       /* payloads and overhead together */
	int64_t max_age_ns;
	int64_t
	    max_pages; /* hard ceiling of the file in SQLite pages; 0: from max_bytes */
};

/* The moment, as the loop saw it. */
struct spool_now {
	int64_t mono_ns;
	int64_t wall_ms;
	bool synchronised; /* wall_ms may be believed */
	const char *boot;
};

struct spool_memory {
	const char *instance;
	const void *bytes;
	size_t len; /* ≤ SPOOL_MEMORY_MAX; 0: it is forgotten */
};

/* A gap as it was when it was read. It may grow until a pack carries it: then that pack
 * does not tell all of it, and it goes on waiting. */
struct spool_gap {
	int64_t id, last;
	char text[SPOOL_GAP_TEXT]; /* "<epoch>:<first>-<last> <reason>" */
};

/* What one transaction brings. Without payload only the memories are kept. */
struct spool_entry {
	const char *session;
	int format; /* enum senml_format */
	const void *payload;
	size_t len;
	const struct spool_memory *memories;
	size_t n_memories;
	const struct spool_gap *gaps; /* of spool_gaps(), that this pack reports */
	size_t n_gaps;
	bool overrun; /* readings before this pack had to be given up in memory */
};

struct spool_pack {
	int64_t id; /* order over all epochs */
	char epoch[PROPS_HEX_LEN + 1];
	int64_t seq;
	char boot[HT_BOOT_ID_LEN + 1];
	char session[PROPS_HEX_LEN + 1];
	int64_t mono_ns;
	int format;
	const void *payload; /* borrowed until the callback returns */
	size_t len;
};

struct spool_stats {
	char epoch[PROPS_HEX_LEN + 1];
	int64_t next_seq, next_id;
	int64_t packs, bytes;  /* waiting, with overhead */
	int64_t oldest_age_ns; /* 0 when empty or when no clock can tell */
	int64_t dropped;       /* packs given up since the epoch began */
	int64_t gaps_waiting;  /* gaps that no pack reports yet */
	int64_t gaps;          /* all gaps that the server has not acknowledged */
	int64_t failed;        /* transactions that failed since start */
	char corrupt[96];      /* file name of the last spool moved aside, or "" */
};

/* Open or make it. A corrupt file is moved to `<path>.corrupt-<unix ms>` and stats tell.
 * HT_IO, HT_DENIED, HT_FULL, HT_NOMEM, HT_UNSUPPORTED with a fault. */
HT_MUST_CHECK ht_err spool_open(const struct spool_config *config,
    const struct spool_now *now, struct spool **out, struct ht_fault *fault);
/* Look at a spool that may be in use, without changing it: only spool_fetch, spool_gaps,
 * spool_memories and spool_stats may be called. `check` reads every page: HT_CORRUPT. */
HT_MUST_CHECK ht_err spool_look(
    const char *path, bool check, struct spool **out, struct ht_fault *fault);
void spool_close(struct spool *s); /* accepts NULL */

/* Put one entry durably: after HT_OK it survives kill and power loss. On HT_FULL, HT_IO
 * and HT_NOMEM the entry is given up: its sequence number becomes a gap, kept in memory
 * until the disk takes it; the memories are not kept. After HT_CORRUPT the spool began
 * anew and the entry is in it, unless the error is another one. */
HT_MUST_CHECK ht_err spool_append(
    struct spool *s, const struct spool_entry *entry, const struct spool_now *now);

/* Delete what the server has committed. HT_RANGE when the range of our present epoch
 * names a number we never gave (another machine uses our epoch): nothing is deleted and
 * the caller begins a new epoch. Not synced: an ack that is lost is asked for again. */
HT_MUST_CHECK ht_err spool_ack(
    struct spool *s, const char *epoch, int64_t first, int64_t last);

/* Begin a new epoch at 1. Packs of the old one stay, under their own. */
HT_MUST_CHECK ht_err spool_new_epoch(struct spool *s);

/* Drop what is too old or too much. Called about once a minute. */
HT_MUST_CHECK ht_err spool_trim(struct spool *s, const struct spool_now *now);

/* Call `each` for packs with after < id < before in order, until `max` packs or
 * `max_bytes` of payload (but one always), or until it returns false. */
HT_MUST_CHECK ht_err spool_fetch(struct spool *s, int64_t after, int64_t before, int max,
    size_t max_bytes, bool (*each)(void *arg, const struct spool_pack *pack), void *arg);

/* Gaps that no pack reports yet, oldest first, at most `cap`. */
HT_MUST_CHECK ht_err spool_gaps(
    struct spool *s, struct spool_gap *out, size_t cap, size_t *out_n);

/* All committed memories. */
HT_MUST_CHECK ht_err spool_memories(struct spool *s,
    void (*each)(void *arg, const struct spool_memory *memory), void *arg);

void spool_stats(struct spool *s, const struct spool_now *now, struct spool_stats *out);

#endif
