/* What TLS said of the other side, kept while a handshake runs: also of one that fails,
 * and also when nobody insists on a good certificate. The one file of the probes that
 * names OpenSSL. The certificate is judged by OpenSSL alone (RFC 5280 path, RFC 6125
 * name): for this machine's clock, and against one file of authorities or the system's.
 */
#ifndef HT_PROBES_WAN_TLS_FACTS_H
#define HT_PROBES_WAN_TLS_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct tls_facts {
	bool seen;        /* a certificate came */
	char version[16]; /* "TLSv1.3"; "" until the handshake is through */
	char cipher[64];
	char subject[256], issuer[256]; /* RFC 2253 with UTF-8; cut between letters */
	int64_t expires_in_s;           /* negative: that long ago */
	bool dated;                     /* expires_in_s is known */
	bool trusted;
	char why[128]; /* "ok", or why it is not to be trusted */
};

struct tls_watch {
	struct tls_facts *facts; /* filled as things become known */
	const char *host;        /* the name or address that the certificate must have */
	const char *ca_file;     /* NULL: the system's authorities */
	bool trust_anyone;       /* the handshake goes on whatever was found */
};

/* Have a handshake watched; `ssl_ctx` is an OpenSSL SSL_CTX *, of one connection only.
 * `watch` and what it points to must outlive it. HT_NOMEM; HT_CONFIG when the file of
 * authorities cannot be read (facts->why tells). */
HT_MUST_CHECK ht_err tls_facts_watch(void *ssl_ctx, struct tls_watch *watch);

#endif
