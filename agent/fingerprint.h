/* The fingerprint of the machine that the agent runs on: SHA-256 over what a restored
 * disk image or a clone would not share. Not secret, not reversible. */
#ifndef HT_AGENT_FINGERPRINT_H
#define HT_AGENT_FINGERPRINT_H

#include "base/err.h"

#define FINGERPRINT_LEN 64 /* lower-case hex digits */

/* From /etc/machine-id, the DMI product UUID and the MACs of physical interfaces, as far
 * as they can be read; the environment variable HATANG_FINGERPRINT replaces all of it
 * (several agents of a lab share one machine). HT_NOTFOUND when there is nothing at all
 * to tell this machine by. */
HT_MUST_CHECK ht_err fingerprint_read(char out[static FINGERPRINT_LEN + 1]);

/* SHA-256 of bytes as lower-case hex. */
HT_MUST_CHECK ht_err fingerprint_sha256(
    const void *bytes, size_t len, char out[static FINGERPRINT_LEN + 1]);

#endif
