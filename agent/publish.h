/* Spooled packs to the server: presence, two lanes, acknowledgements. The client is its
 * own; the worker and the loop are borrowed.
 *
 *   OFFLINE ──connected──► WAITING ──server is there──► SENDING
 *      ▲                     │  ▲                          │
 *      └─────────────────────┴──┼──────── connection lost ─┤
 *                               └───────── server is away ─┘
 *
 * What was sealed before SENDING began is backlog and goes to `hist`; what comes after
 * goes to `data`. A pack leaves the spool only when the server says that it committed
 * it; one that stays unacknowledged for 30 s is sent again. */
#ifndef HT_AGENT_PUBLISH_H
#define HT_AGENT_PUBLISH_H

#include <stdbool.h>

#include "agent/worker.h"
#include "base/err.h"
#include "mqtt/client.h"

#define PUBLISH_WINDOW     32           /* unacknowledged packs a lane */
#define PUBLISH_LIVE_BYTES (256 * 1024) /* and their bytes: a slow line must not */
#define PUBLISH_HIST_BYTES (64 * 1024)  /* be filled with backlog before live data */
#define PUBLISH_RESEND_NS  (30 * HT_NS_PER_S)
#define PUBLISH_JITTER_NS  (10 * HT_NS_PER_S)

struct publish;

enum publish_state { PUBLISH_OFFLINE, PUBLISH_WAITING, PUBLISH_SENDING, PUBLISH_CLOSING };

struct publish_config {
	const char *agent, *session, *fingerprint; /* the last two borrowed for life */
	struct client_config client;               /* id and will are set here */
	struct spool_stats stats;                  /* as the spool was opened */
	void (*clock)(void *arg, struct spool_now *out);
	void (*state_changed)(void *arg, enum publish_state state);
	/* A message on `cmd`; borrowed until return. */
	void (*command)(void *arg, const void *bytes, size_t len);
	void *arg;
};

struct publish_counters {
	uint64_t sent[2], resent, acked; /* packs; sent by lane: data, hist */
	uint64_t bad_messages;           /* on our own topics */
	uint64_t connects, disconnects;
};

HT_MUST_CHECK ht_err publish_new(uv_loop_t *loop, struct worker *worker,
    const struct publish_config *config, struct publish **out, struct ht_fault *fault);

void publish_start(struct publish *p);

/* The spool has changed (a pack was committed): send what is new. */
void publish_spooled(struct publish *p, const struct spool_stats *stats);

/* Set what presence says of the approved configuration, and say it. Copied. */
void publish_config_hash(struct publish *p, const char *hash);

/* The same for the list of targets in force. */
void publish_targets_hash(struct publish *p, const char *hash);

/* Say presence anew (the clock was set). Nothing while offline. */
void publish_presence(struct publish *p);

/* HT_AGAIN while offline: replies are not spooled. */
HT_MUST_CHECK ht_err publish_reply(struct publish *p, const char *json, size_t len);

HT_MUST_CHECK ht_err publish_reload_tls(struct publish *p, struct ht_fault *fault);

/* Connect anew, at once: with certificates that were reloaded. */
void publish_reconnect(struct publish *p);

enum publish_state publish_state(const struct publish *p);
const char *publish_state_name(enum publish_state state);
const struct publish_counters *publish_counters(const struct publish *p);
const struct spool_stats *publish_stats(const struct publish *p); /* the latest seen */

/* No live pack waits for being sent or acknowledged; true while not SENDING. */
bool publish_drained(const struct publish *p);

/* Say goodbye (presence `offline`), disconnect, call `closed(arg)`; `p` is freed. The
 * worker must still run. NULL is allowed. */
void publish_close(struct publish *p, void (*closed)(void *arg), void *arg);

#endif
