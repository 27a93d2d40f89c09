/* The next certificate for an agent that asks with its present one (mqtt/PROTOCOL.md,
 * section 6). The caller knows who asks: by the topic, which the broker fences. */
#ifndef HT_SERVER_REGISTRY_RENEW_H
#define HT_SERVER_REGISTRY_RENEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/registry/ca.h"
#include "server/store/db.h"

/* The request of a message on `reply`, malloc'ed, or NULL when it is another message. */
char *renew_request(const void *json, size_t len);

/* In the writer thread, inside its transaction. `*out_pem` is malloc'ed: a new
 * certificate, or the newest again before half of its life is over. The old one stays
 * good until its end.
 *   HT_DENIED (the agent is unknown or revoked, or the request is for another key than
 *   its newest certificate), and errors of ca_sign */
HT_MUST_CHECK ht_err renew_certificate(struct db *db, const struct ca *ca,
    const char *agent, const char *csr, int64_t now_ms, char **out_pem, bool *out_made,
    struct ht_fault *fault);

#endif
