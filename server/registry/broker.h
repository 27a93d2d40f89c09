/* The broker's files in a folder of its own: mosquitto.conf (TLS with client certificates
 * alone, the certificate's CN is the user name, the dynamic-security plugin decides), its
 * certificate, the revocation list and the plugin's first file. Start it with
 * `mosquitto -c <dir>/mosquitto.conf`; made for mosquitto 2.0. */
#ifndef HT_SERVER_REGISTRY_BROKER_H
#define HT_SERVER_REGISTRY_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "server/registry/ca.h"

#define BROKER_NAMES_MAX 16

struct broker_config {
	const char *dir;
	const char *pid_file;
	const char *listen;       /* address to bind to; NULL: all */
	uint16_t ports[4];        /* 0-terminated */
	const char *const *names; /* names and addresses that agents use for it */
	size_t n_names;
	const char *plugin; /* mosquitto_dynamic_security.so; NULL: look for it */
};

/* Write what is missing or has changed; the plugin's file only when there is none, for
 * the broker changes it itself. localhost, 127.0.0.1, ::1 and this machine's name are
 * added to the names. `*out_changed`: the broker must read its files again, or start
 * anew. HT_CONFIG when the plugin is not installed. */
HT_MUST_CHECK ht_err broker_write(const struct broker_config *config, const struct ca *ca,
    int64_t now_ms, bool *out_changed, struct ht_fault *fault);

/* Have the broker read certificates and lists again: SIGHUP to the mosquitto that
 * `pid_file` names. HT_NOTFOUND: it does not run (it will read them when it starts).
 * HT_AGAIN: it is starting. HT_DENIED: it belongs to another user. */
HT_MUST_CHECK ht_err broker_reload(const char *pid_file, struct ht_fault *fault);

#endif
