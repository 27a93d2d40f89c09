/* hatang-agent enroll: makes a key that never leaves this machine, has the server sign
 * its request with a one-time token, and writes what `run` needs. The token says whose
 * word to trust: it ends in the beginning of the SHA-256 of the server's CA. The CA is
 * fetched and compared first; only over a connection that this CA vouches for is the
 * token sent. Plain http is allowed to this very machine alone. */
#ifndef HT_AGENT_ENROLL_H
#define HT_AGENT_ENROLL_H

#include <stddef.h>

#include "base/err.h"

#define ENROLL_TOKEN_LEN (8 + 1 + 32 + 1 + 32)

/* The verb: argv[0] is "enroll". An exit code of base/err.h. Blocks. */
int enroll_main(int argc, char **argv);

/* The parts of it that judge what comes from outside; pure, for tests. */

/* HT_MALFORMED when the text is no token; `out_ca` gets the 32 digits of the CA's hash.
 */
HT_MUST_CHECK ht_err enroll_token_ca(const char *token, char out_ca[static 33]);

/* HT_OK for https, and for http to a loopback address; with the trailing '/' cut into
 * `out`. HT_DENIED, HT_MALFORMED with a fault. */
HT_MUST_CHECK ht_err enroll_url(
    const char *url, char *out, size_t cap, struct ht_fault *fault);

/* Whether the PEM certificate is the one that the token means. HT_MALFORMED, HT_DENIED.
 */
HT_MUST_CHECK ht_err enroll_ca_check(
    const char *pem, const char *ca_hex, struct ht_fault *fault);

#endif
