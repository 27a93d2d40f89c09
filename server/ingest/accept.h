/* What to do with a message from the broker: pure, bytes in, decision out. Topic, size,
 * content type, properties and the pack itself are untrusted. Whatever is no message of
 * ours is garbage with a reason; it is counted and never reaches a fold. */
#ifndef HT_SERVER_INGEST_ACCEPT_H
#define HT_SERVER_INGEST_ACCEPT_H

#include "mqtt/client.h"
#include "mqtt/topic.h"
#include "server/derive/presence.h"
#include "server/store/journal.h"

#define ACCEPT_REPLY_MAX                                              \
	(512 * 1024) /* CONTROL_MESSAGE_MAX: 256 KiB of text, escaped \
		      */

enum accept_kind {
	ACCEPT_IGNORE,   /* our own presence; a presence that was deleted */
	ACCEPT_DATA,     /* row */
	ACCEPT_REPLY,    /* row */
	ACCEPT_PRESENCE, /* row and presence */
	ACCEPT_GARBAGE,  /* garbage */
};

/* Pointers are borrowed from the message, ids from `topic` in here: do not copy it. */
struct accept {
	enum accept_kind kind;
	struct topic topic;
	bool has_topic;
	struct journal_row row;
	struct presence presence;
	struct journal_garbage garbage;
};

/* Reasons of garbage: topic, size, content-type, props, senml, name, presence, reply,
 * retained. HT_NOMEM is the only error: then nothing was decided, drop the message. */
HT_MUST_CHECK ht_err accept_message(
    const struct client_message *m, int64_t now_ms, struct accept *out);

#endif
