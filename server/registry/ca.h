/* The server's own small certificate authority: an EC P-256 root in <dir>, certificates
 * for the server's parts and for agents, and a revocation list. The root's key never
 * leaves <dir>/ca.key (0600). Serials are 128 random bits, lower-case hexadecimal here.
 *
 * struct ca is read-only after ca_open() and may be shared between threads. */
#ifndef HT_SERVER_REGISTRY_CA_H
#define HT_SERVER_REGISTRY_CA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define CA_SERIAL_HEX 32    /* digits */
#define CA_HASH_HEX   64    /* SHA-256 of the root's DER, as in tokens */
#define CA_PEM_MAX    16384 /* bytes of a certificate or request we read or make */
#define CA_ROOT_DAYS  7300
#define CA_AGENT_DAYS 365
#define CA_PART_DAYS  397 /* the server's own parts; browsers allow no more */
#define CA_CRL_DAYS   7
#define CA_BACKDATE_S 300 /* not before = now - this: clocks differ a little */

struct ca;

enum ca_profile {
	CA_AGENT,  /* TLS client, CN = agent id */
	CA_CLIENT, /* TLS client of the server itself, CN = @server */
	CA_SERVER, /* TLS server with names and addresses */
};

struct ca_cert {
	char serial[CA_SERIAL_HEX + 1];
	int64_t not_before_ms, not_after_ms;
	char *pem; /* malloc'ed, owned by the struct */
};

/* Open the root in `dir`; make both when the folder holds none. `now_ms` is the time of
 * a new root. The fault names the file. */
HT_MUST_CHECK ht_err ca_open(
    const char *dir, int64_t now_ms, struct ca **out, struct ht_fault *fault);
void ca_close(struct ca *ca); /* accepts NULL */

const char *ca_pem(const struct ca *ca);
const char *ca_hash(const struct ca *ca); /* CA_HASH_HEX digits */

/* Sign an agent's request. Of the request only the public key is taken: the subject is
 * CN=`agent` whatever it asks for. Accepted are EC keys on P-256 or P-384, RSA of 2,048
 * to 8,192 bits and Ed25519; the request must prove that its key is held.
 *   HT_MALFORMED, HT_UNSUPPORTED (key), HT_DENIED (proof of the key is wrong) */
HT_MUST_CHECK ht_err ca_sign(const struct ca *ca, const char *csr, size_t len,
    const char *agent, int64_t now_ms, struct ca_cert *out, struct ht_fault *fault);
/* Whether a request (PEM) is for the key of a certificate (PEM). */
bool ca_same_key(const char *csr, const char *cert);
void ca_cert_fini(struct ca_cert *cert); /* accepts a zeroed one */

/* Keep a part's key and certificate in `cert_file` and `key_file` (0600): made when they
 * are missing, when two thirds of their life are over, when the root is another one, or
 * when `names` (n of them, host names and addresses; none for clients) have changed.
 * `*out_made` tells. */
HT_MUST_CHECK ht_err ca_keep_part(const struct ca *ca, enum ca_profile profile,
    const char *common_name, const char *const *names, size_t n_names,
    const char *cert_file, const char *key_file, int64_t now_ms, bool *out_made,
    struct ht_fault *fault);

/* One revoked certificate. */
struct ca_revoked {
	char serial[CA_SERIAL_HEX + 1];
	int64_t at_ms;
};

/* Write a revocation list (PEM) that holds for CA_CRL_DAYS, atomically. Its number is
 * made of `now_ms`, so it grows. */
HT_MUST_CHECK ht_err ca_write_crl(const struct ca *ca, const struct ca_revoked *revoked,
    size_t n, int64_t now_ms, const char *file, struct ht_fault *fault);

#endif
