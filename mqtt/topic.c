#include "mqtt/topic.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define PREFIX     "hatang/v1/"
#define PREFIX_LEN (sizeof(PREFIX) - 1)

static const char *const leaves[TOPIC_LEAF_COUNT] = {
	[TOPIC_PRESENCE] = "presence",
	[TOPIC_DATA] = "data",
	[TOPIC_HIST] = "hist",
	[TOPIC_ACK] = "ack",
	[TOPIC_CMD] = "cmd",
	[TOPIC_REPLY] = "reply",
};

const char *topic_leaf_name(enum topic_leaf leaf)
{
	assert(leaf < TOPIC_LEAF_COUNT);
	return leaves[leaf];
}

void topic_format(const char *id, enum topic_leaf leaf, char out[static TOPIC_MAX])
{
	assert(strlen(id) <= HT_ID_MAX);
	snprintf(out, TOPIC_MAX, PREFIX "%s/%s", id, topic_leaf_name(leaf));
}

static bool leaf_find(const char *text, size_t len, enum topic_leaf *out)
{
	for (size_t i = 0; i < TOPIC_LEAF_COUNT; i++) {
		if (strlen(leaves[i]) == len && memcmp(leaves[i], text, len) == 0) {
			*out = (enum topic_leaf)i;
			return true;
		}
	}
	return false;
}

ht_err topic_parse(const char *text, size_t len, struct topic *out)
{
	struct topic t = { 0 };

	if (len < PREFIX_LEN || memcmp(text, PREFIX, PREFIX_LEN) != 0)
		return HT_MALFORMED;
	const char *id = text + PREFIX_LEN;
	size_t left = len - PREFIX_LEN;
	const char *slash = memchr(id, '/', left);
	if (!slash || slash == id || (size_t)(slash - id) > HT_ID_MAX)
		return HT_MALFORMED;
	size_t id_len = (size_t)(slash - id);
	memcpy(t.id, id, id_len);
	if (strlen(t.id) != id_len || !leaf_find(slash + 1, left - id_len - 1, &t.leaf))
		return HT_MALFORMED;
	if (strcmp(t.id, TOPIC_SERVER_ID) == 0 ? t.leaf != TOPIC_PRESENCE
					       : !ht_id_valid(t.id, HT_ID_MAX))
		return HT_MALFORMED;
	*out = t;
	return HT_OK;
}
