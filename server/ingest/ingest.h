/* MQTT in and out of the server, on the loop: takes what agents publish, has it
 * journaled, acknowledges what is committed (within 50 ms after the commit), tells
 * clones from owners, publishes the server's own presence, and carries commands and
 * their replies. A message that cannot be taken now is dropped: it is not acknowledged,
 * so the agent sends it again. */
#ifndef HT_SERVER_INGEST_INGEST_H
#define HT_SERVER_INGEST_INGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "mqtt/client.h"
#include "server/store/writer.h"

struct ingest;

/* `config`: host, ports, names of certificate files; client id and will are ingest's own
 * to set. `db_file` is opened read-only for questions to the registry. Borrows `writer`,
 * which must outlive it. */
HT_MUST_CHECK ht_err ingest_start(uv_loop_t *loop, struct writer *writer,
    const char *db_file, const struct client_config *config, struct ingest **out,
    struct ht_fault *fault);

/* Say goodbye (presence "offline"), tell what is committed, disconnect; at most 3 s. Then
 * `done` from the loop, after which it is freed. */
void ingest_stop(struct ingest *in, void (*done)(void *arg), void *arg);

/* One more topic of the broker, for whoever looks after it (its own control topic). All
 * on the loop. `topic` lives as long as ingest. Set before the loop runs. */
struct ingest_listener {
	void *arg;
	const char *topic;
	void (*online)(void *arg); /* subscribed */
	void (*offline)(void *arg);
	void (*message)(void *arg, const void *payload, size_t len);
};
void ingest_listen(struct ingest *in, const struct ingest_listener *listener);

/* What an agent says on `reply` unasked; on the loop, borrowed until return. Set before
 * the loop runs. */
void ingest_on_request(struct ingest *in,
    void (*request)(void *arg, const char *agent, const void *json, size_t len),
    void *arg);

/* Publish at QoS 1, not retained, from the loop. HT_AGAIN while offline. */
HT_MUST_CHECK ht_err ingest_publish(
    struct ingest *in, const char *topic, const void *payload, size_t len);

/* The same, and `taken` is called once, from the loop, never before this returns: HT_OK
 * when the broker has it (PUBACK), HT_AGAIN when the connection ended before, HT_CLOSED
 * when we stop. HT_AGAIN while offline, HT_FULL when 64 wait: then never. */
HT_MUST_CHECK ht_err ingest_publish_sure(struct ingest *in, const char *topic,
    const void *payload, size_t len, void (*taken)(void *arg, ht_err err), void *arg);

/* Read the certificates anew; the present connection lives on. */
HT_MUST_CHECK ht_err ingest_reload_tls(struct ingest *in, struct ht_fault *fault);

/* What became of a command. `json` is the agent's reply; NULL with HT_TIMEOUT, HT_AGAIN
 * (the broker is away) or HT_CLOSED. Called once, on the loop. */
typedef void (*ingest_reply_fn)(void *arg, ht_err err, const char *json, size_t len);

/* Publish {"id":<made here>, …} to an agent: `json` is an object with at least "verb",
 * without "id". Any thread. `reply` NULL: nobody waits for it. HT_MALFORMED, HT_INVALID
 * (agent's id), HT_FULL (1,024 wait), HT_NOMEM: then `reply` is never called. */
HT_MUST_CHECK ht_err ingest_command(struct ingest *in, const char *agent,
    const char *json, int64_t timeout_ns, ingest_reply_fn reply, void *arg);

struct ingest_stats {
	bool online;
	uint64_t messages, packs, presences, replies, garbage, ignored, dropped, acks,
	    clones;
	size_t agents;
};
/* Any thread. */
void ingest_stats(struct ingest *in, struct ingest_stats *out);

#endif
