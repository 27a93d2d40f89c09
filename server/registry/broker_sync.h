/* Keeps the broker's clients and its revocation list as the certificates say, over the
 * server's own MQTT connection. It compares instead of remembering orders: who should be
 * there (certificates that hold) against who is (the broker's own listing), so that a
 * lost command heals at the next look: at each connect, after each poke, and every ten
 * minutes. Lives on the loop; only broker_sync_poke() may come from elsewhere.
 *
 * Revoking: the certificate is marked (operator_revoke), then a poke writes the
 * revocation list, has the broker read it, and deletes the client, which kicks it. */
#ifndef HT_SERVER_REGISTRY_BROKER_SYNC_H
#define HT_SERVER_REGISTRY_BROKER_SYNC_H

#include <stddef.h>
#include <uv.h>

#include "base/err.h"
#include "server/registry/ca.h"
#include "server/store/writer.h"

struct broker_sync;

struct broker_sync_config {
	const struct ca *ca; /* borrowed, as the writer */
	const char *dir;     /* the broker's folder: crl.pem is written there */
	const char *pid_file;
	/* Publish to the broker (QoS 1, not retained); HT_AGAIN while offline. */
	ht_err (*publish)(void *arg, const char *topic, const void *payload, size_t len);
	void *arg;
};

HT_MUST_CHECK ht_err broker_sync_start(uv_loop_t *loop, struct writer *writer,
    const struct broker_sync_config *config, struct broker_sync **out);

/* The MQTT connection is up (subscribe to DYNSEC_RESPONSE_TOPIC first), or down. */
void broker_sync_online(struct broker_sync *s);
void broker_sync_offline(struct broker_sync *s);

/* A message on DYNSEC_RESPONSE_TOPIC. */
void broker_sync_message(struct broker_sync *s, const void *payload, size_t len);

/* Certificates have changed and are committed. Any thread; NULL is allowed. */
void broker_sync_poke(struct broker_sync *s);

struct broker_sync_stats {
	uint64_t added, removed, failed, lists_written;
	size_t n_clients; /* agents' clients that the broker has now */
	bool in_step;     /* nothing is under way or outstanding */
};
void broker_sync_stats(const struct broker_sync *s, struct broker_sync_stats *out);

/* Then `done` from the loop, after which it is freed. Before writer_stop(). */
void broker_sync_stop(struct broker_sync *s, void (*done)(void *arg), void *arg);

#endif
