/* Incidents, for the handlers that tell of them. */
#ifndef HT_SERVER_WEB_INCIDENT_H
#define HT_SERVER_WEB_INCIDENT_H

#include "server/web/http.h"

/* Put the incident with its messages and decisions under `key`, or null when there is
 * none that the account may see. */
HT_MUST_CHECK ht_err incident_explain(
    struct request *rq, struct emit *e, const char *key, const char *id, bool *out_there);

#endif
