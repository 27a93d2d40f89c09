/* Topics: hatang/v1/<agent>/<leaf>, one fenced tree an agent, and
 * hatang/v1/@server/presence. Pure. Topic names from the network are untrusted. */
#ifndef HT_MQTT_TOPIC_H
#define HT_MQTT_TOPIC_H

#include <stddef.h>

#include "base/err.h"
#include "base/name.h"

#define TOPIC_MAX       (HT_ID_MAX + 32)
#define TOPIC_SERVER_ID "@server" /* no agent id can begin with '@' */

enum topic_leaf {
	TOPIC_PRESENCE,
	TOPIC_DATA,
	TOPIC_HIST,
	TOPIC_ACK,
	TOPIC_CMD,
	TOPIC_REPLY,
	TOPIC_LEAF_COUNT
};

struct topic {
	char id[HT_ID_MAX + 1]; /* agent id, or TOPIC_SERVER_ID */
	enum topic_leaf leaf;
};

const char *topic_leaf_name(enum topic_leaf leaf);

/* Write the topic of an agent (or TOPIC_SERVER_ID). `id` must be valid. */
void topic_format(const char *id, enum topic_leaf leaf, char out[static TOPIC_MAX]);

/* HT_MALFORMED when it is none of ours (also for a foreign version or a bad id). */
HT_MUST_CHECK ht_err topic_parse(const char *text, size_t len, struct topic *out);

#endif
