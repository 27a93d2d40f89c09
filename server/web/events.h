/* Server-sent events: one stream a browser, shared by its tabs. A thread of its own looks
 * five times a second whether the store changed; when links, outages, incidents,
 * maintenance, presence or index values did, every stream gets an event that names what
 * to read again, one a second at most. A heartbeat every 15 s keeps proxies from closing
 * and finds those who are gone. */
#ifndef HT_SERVER_WEB_EVENTS_H
#define HT_SERVER_WEB_EVENTS_H

#include <microhttpd.h>

#include "base/err.h"

#define EVENTS_STREAMS_MAX 128

struct events;

HT_MUST_CHECK ht_err events_start(
    const char *db_file, struct events **out, struct ht_fault *fault);

/* Ends the thread and lets every suspended connection go: before MHD_stop_daemon. */
void events_stop(struct events *e); /* accepts NULL */
void events_free(struct events *e); /* after MHD_stop_daemon; accepts NULL */

/* Answer this connection with a stream. HT_FULL: too many. */
HT_MUST_CHECK ht_err events_attach(struct events *e, struct MHD_Connection *connection);

size_t events_count(struct events *e);

#endif
