/* mosquitto's dynamic-security plugin as hatang uses it: one client and one role an
 * agent, which fence it to its own topics and directions. Pure: builders and a parser of
 * the JSON of `$CONTROL/dynamic-security/v1`; broker_sync.h sends it.
 *
 * A client's textname is "<rules> <serial>": the version of the rules below and the
 * certificate's serial. When either is another, the client is deleted (which kicks it)
 * and made anew. */
#ifndef HT_SERVER_REGISTRY_DYNSEC_H
#define HT_SERVER_REGISTRY_DYNSEC_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

#define DYNSEC_TOPIC          "$CONTROL/dynamic-security/v1"
#define DYNSEC_RESPONSE_TOPIC "$CONTROL/dynamic-security/v1/response"
#define DYNSEC_RULES          "1" /* a new number makes every client anew */
#define DYNSEC_PAGE           200 /* clients a listing */
#define DYNSEC_TEXTNAME_MAX   64

/* The file that a new broker begins with: the server's own client, and nothing else is
 * allowed anything. */
void dynsec_initial(struct ht_buf *out);

/* A message of commands: begin, any of the others, end. */
void dynsec_begin(struct ht_buf *out);
void dynsec_put_agent(struct ht_buf *out, const char *agent, const char *serial);
void dynsec_delete_agent(struct ht_buf *out, const char *agent);
void dynsec_list(struct ht_buf *out, int offset);
void dynsec_end(struct ht_buf *out);

void dynsec_textname(const char *serial, char out[static DYNSEC_TEXTNAME_MAX]);

struct dynsec_events {
	void *arg;
	/* One client of a listing, and the listing's end: `total` clients, of which `n`
	 * were in this page. */
	void (*client)(void *arg, const char *name, const char *textname);
	void (*listed)(void *arg, int total, int n);
	/* A command failed; `what` is the broker's word. */
	void (*failed)(void *arg, const char *command, const char *what);
};

/* Read a response of the broker. HT_MALFORMED. */
HT_MUST_CHECK ht_err dynsec_read(
    const void *bytes, size_t len, const struct dynsec_events *events);

#endif
