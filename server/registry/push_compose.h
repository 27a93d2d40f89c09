/* All lists of all agents, made from one snapshot of the registry. Private to push. */
#ifndef HT_SERVER_REGISTRY_PUSH_COMPOSE_H
#define HT_SERVER_REGISTRY_PUSH_COMPOSE_H

#include "server/registry/targets.h"
#include "server/store/db.h"

enum { PUSH_HASH_LEN = 64 };

struct push_list {
	char *agent;
	char *text; /* the list */
	size_t len, targets;
	char hash[PUSH_HASH_LEN + 1]; /* of the text, for `cmd` */
	char said[PUSH_HASH_LEN + 1]; /* what presence says of it: "" for an empty one */
};

struct push_lists {
	struct push_list *at; /* ascending by agent */
	size_t n;
	struct targets_count vantage;
};

/* Any thread that owns the connection. HT_NOMEM, HT_IO, HT_TOOLARGE. */
HT_MUST_CHECK ht_err push_compose(
    struct db *db, const struct targets_places *places, struct push_lists *out);
void push_lists_fini(struct push_lists *l); /* accepts a zeroed one */

/* NULL: no such agent. */
struct push_list *push_lists_find(const struct push_lists *l, const char *agent);

#endif
