/* What the server needs around it: folder, database, its CA with the certificates of its
 * own parts, the broker's files, the first account. Everything is made when it is missing
 * and left alone when it is there, so that it may run at every start. */
#ifndef HT_SERVER_SETUP_H
#define HT_SERVER_SETUP_H

#include "base/err.h"
#include "server/options.h"
#include "server/registry/ca.h"

#define SETUP_TOKEN_FILE "admin.token"

/* Open the CA (made when missing), keep the certificates of our parts and the broker's
 * files up to date. `out` stays NULL when another CA's certificate is configured. */
HT_MUST_CHECK ht_err setup_parts(
    const struct options *o, struct ca **out, struct ht_fault *fault);

/* Of a new installation, with the lock held: folder, database, setup_parts, and the
 * account "admin" with its password in <state_dir>/first-password and an API token for
 * this machine's own use in <state_dir>/admin.token (both 0600). `*out_first` tells
 * whether the account was made now. */
HT_MUST_CHECK ht_err setup_init(
    const struct options *o, bool *out_first, struct ht_fault *fault);

/* Certificate and key for HTTPS, when it is on: the configured ones or ours. */
struct setup_https {
	char cert[4096], key[4096];
};
HT_MUST_CHECK ht_err setup_https(
    const struct options *o, struct setup_https *out, struct ht_fault *fault);

/* The same for the endpoint of tests; both "" for plain HTTP. */
HT_MUST_CHECK ht_err setup_endpoint(
    const struct options *o, struct setup_https *out, struct ht_fault *fault);

/* The name by which agents reach that endpoint. */
const char *setup_endpoint_host(const struct options *o);

#endif
