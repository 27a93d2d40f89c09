/* Asks an SNMPv3 device for its engine id, from the loop: own socket, own timer, own
 * retries. A silent device costs a timer. */
#ifndef HT_PROBES_SNMP_DISCOVER_H
#define HT_PROBES_SNMP_DISCOVER_H

#include <sys/socket.h>
#include <uv.h>

#include "base/err.h"
#include "probes/snmp/engine.h"

struct discover;

/* The answer comes once, from the loop: id is NULL when no one answered `tries` requests;
 * `sent` counts them. The discovery is over then: do not cancel it.
 *   errors  HT_NOMEM, HT_IO; then no answer comes */
HT_MUST_CHECK ht_err discover_start(uv_loop_t *loop, const struct sockaddr *to,
    int64_t wait_ns, int tries,
    void (*answer)(void *arg, const struct engine_id *id, unsigned sent), void *arg,
    struct discover **out);

/* No answer comes any more. NULL is fine. Frees itself when the loop has closed it. */
void discover_cancel(struct discover *d);

#endif
