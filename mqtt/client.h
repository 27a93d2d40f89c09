/* One MQTT 5 connection over TLS on the caller's libuv loop; agent and server use the
 * same. Nothing here blocks: names are resolved by uv_getaddrinfo, the connection is
 * made by address (libmosquitto's own connect blocks on DNS for 20 s), TLS uses an
 * SSL_CTX of ours and checks the certificate against `host`. It reconnects by itself,
 * 1 s doubling to 60 s with full jitter, and falls back to the last address that worked
 * when the resolver is dead. A connection that is not up after 10 s is given up.
 *
 * The broker is a pipe: what is not acknowledged by the application is not delivered.
 * So there is no queue here: publish fails with HT_AGAIN while offline. */
#ifndef HT_MQTT_CLIENT_H
#define HT_MQTT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "mqtt/props.h"

struct client;

struct client_config {
	const char *host;     /* name or address; also what the certificate must say */
	const char *tls_name; /* other name to check, or NULL */
	uint16_t ports[4];    /* tried in turn, 0-terminated: 8883, 443 */
	const char *client_id;
	const char *ca_file, *cert_file, *key_file;
	const char *address_file; /* where the last good address is kept, or NULL */
	const char *will_topic;   /* NULL for none; retained, QoS 1 */
	const void *will;
	size_t will_len;
	int keepalive_s; /* 10..600 */
};

struct client_message {
	const char *topic;
	const void *payload; /* borrowed until the callback returns */
	size_t len;
	const char *content_type; /* "" when not given */
	bool retained;
	struct props props;
	bool props_bad; /* a property could not be read: props.has tells what could */
};

struct client_events {
	void *arg;
	/* Subscriptions are the callee's to make, each time. */
	void (*online)(void *arg);
	/* The connection ended, or a round of attempts failed (also when it was never
	 * online). `why` is one phrase for a person ("the broker's certificate is
	 * refused: …"). */
	void (*offline)(void *arg, const char *why);
	void (*message)(void *arg, const struct client_message *m);
	/* The broker has taken (QoS 1: PUBACK) message `mid`. May be NULL. */
	void (*published)(void *arg, int mid);
};

/* Once a process, before any client and after the last one. */
HT_MUST_CHECK ht_err client_library_init(void);
void client_library_fini(void);

/* Copies the configuration; reads certificates now: HT_CONFIG with a fault that names
 * the file. Does not connect yet. */
HT_MUST_CHECK ht_err client_new(uv_loop_t *loop, const struct client_config *config,
    const struct client_events *events, struct client **out, struct ht_fault *fault);

/* Begin connecting, and go on until client_close(). */
void client_start(struct client *c);

/* Replace the will before the next connect (a new presence). Copied. */
HT_MUST_CHECK ht_err client_set_will(struct client *c, const void *will, size_t len);

/* Read certificates anew, for the next connection; the present one lives on. On HT_CONFIG
 * the old ones stay. */
HT_MUST_CHECK ht_err client_reload_tls(struct client *c, struct ht_fault *fault);

/* HT_AGAIN while offline. A broker that refuses it ends the connection: `offline` tells.
 */
HT_MUST_CHECK ht_err client_subscribe(struct client *c, const char *filter, int qos);

/* Publish at QoS 1. HT_AGAIN while offline or while libmosquitto holds too much;
 * `props` and `content_type` may be NULL; `out_mid` may be NULL. Copies. */
HT_MUST_CHECK ht_err client_publish(struct client *c, const char *topic,
    const void *payload, size_t len, bool retain, const char *content_type,
    const struct props *props, int *out_mid);

bool client_is_online(const struct client *c);

/* Drop the connection and connect again with a fresh back-off. */
void client_reconnect(struct client *c);

/* Disconnect (politely: no will is sent), then call `done(arg)` from the loop, after
 * which the client is freed. No other callback comes after this returns. NULL `c` is
 * allowed: `done` is then called at once. A look-up that is still under way cannot be
 * taken back: it keeps the loop alive (and exit() waiting) until the resolver gives up,
 * 4 s a name server with the RES_OPTIONS that client_library_init() sets. */
void client_close(struct client *c, void (*done)(void *arg), void *arg);

#endif
