/* The TLS side of a client: builds the SSL_CTX that libmosquitto is given, and tells what
 * a handshake waits for. TLS 1.2 at least, the broker's certificate checked against our
 * CA and a name or address. Private to mqtt/. */
#ifndef HT_MQTT_CLIENT_TLS_H
#define HT_MQTT_CLIENT_TLS_H

#include <stdbool.h>
#include <time.h>

#include "base/err.h"

struct ssl_ctx_st;

struct client_tls_files {
	const char *name; /* name or address that the certificate must say */
	const char *ca_file, *cert_file, *key_file;
};

/* What TLS itself said last, for a person. Outlives every context made with it. */
struct client_tls_notes {
	char why[160];     /* "" when it had nothing to say */
	time_t not_before; /* of our own certificate */
};

/* HT_CONFIG with a fault that names the file. End with client_tls_close. */
HT_MUST_CHECK ht_err client_tls_open(const struct client_tls_files *files,
    struct client_tls_notes *notes, struct ssl_ctx_st **out, struct ht_fault *fault);
void client_tls_close(struct ssl_ctx_st *ctx); /* accepts NULL */

/* Of a connection (an SSL, or NULL when there is none yet): */
bool client_tls_shaking(void *ssl);       /* the handshake is not over */
bool client_tls_shaking_reads(void *ssl); /* … and waits for the broker's bytes */
bool client_tls_has_bytes(void *ssl);     /* decrypted bytes wait that no poll shows */

#endif
