/* A certificate authority made for one test, and server certificates, good and bad. */
#ifndef HT_TESTS_UNIT_PROBES_STUB_CERTS_H
#define HT_TESTS_UNIT_PROBES_STUB_CERTS_H

#include <openssl/ssl.h>

enum stub_cert {
	STUB_CERT_GOOD, /* for 127.0.0.1, portal.test, localhost; valid for 30 days */
	STUB_CERT_EXPIRED,
	STUB_CERT_NOT_YET,
	STUB_CERT_WRONG_NAME,
	STUB_CERT_SELF_SIGNED,
	STUB_CERT_STRANGER,  /* of an authority that nobody trusts */
	STUB_CERT_ODD_NAMES, /* good, but its subject holds what no text should */
};

struct stub_certs;

struct stub_certs *stub_certs_new(void);
void stub_certs_free(struct stub_certs *c);
const char *stub_certs_ca_file(const struct stub_certs *c);
/* A server's context with a new key; free it with SSL_CTX_free. */
SSL_CTX *stub_certs_server(struct stub_certs *c, enum stub_cert kind);

#endif
