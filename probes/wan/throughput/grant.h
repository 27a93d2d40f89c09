/* A slot as the server grants it (mqtt/PROTOCOL.md, section 6), read from the fields of
 * its answer: pure. */
#ifndef HT_PROBES_WAN_GRANT_H
#define HT_PROBES_WAN_GRANT_H

#include <stdint.h>

#include "probes/probe.h"

enum { GRANT_SLOT_MAX = 24, GRANT_TOKEN_MAX = 128, GRANT_URL_MAX = 255 };

struct grant {
	char slot[GRANT_SLOT_MAX + 1];   /* its number, decimal */
	char token[GRANT_TOKEN_MAX + 1]; /* "": the test goes elsewhere */
	char url[GRANT_URL_MAX + 1];     /* of the server's endpoint; "" without token */
	int64_t bytes, seconds;          /* that it may cost and last */
};

/* HT_MALFORMED. */
HT_MUST_CHECK ht_err grant_read(const struct probe_answer *a, struct grant *out);

/* Seconds after which asking again is worth while; 0: it is not now. */
int64_t grant_wait_s(const struct probe_answer *a);

/* The server's clock, Unix milliseconds; INT64_MIN when it does not say. */
int64_t grant_now_ms(const struct probe_answer *a);

/* "http://" or "https://" and a host; no blanks, no user, at most GRANT_URL_MAX bytes. */
bool grant_url_fits(const char *url);

#endif
