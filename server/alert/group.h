/* What belongs together: the decisions of grouping alone, pure. */
#ifndef HT_SERVER_ALERT_GROUP_H
#define HT_SERVER_ALERT_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/alert/rules.h"

/* A link that carries nothing, or cannot be relied on: one episode, whatever its kind. */
bool group_is_outage(const char *kind);
/* Follows from an outage of the same agency, also when nobody said so. */
bool group_is_consequence(const char *kind);

/* Whether `n` failures at once are a common one, of something with `total` links. */
bool group_is_common(const struct rules_group *g, int64_t n, int64_t total);

/* One of several incidents that turn out to be one. */
struct group_candidate {
	const char *id;
	int64_t opened_ms;
	bool announced;
};
/* Whether `a` is to go on rather than `b`: what people were told of, then the oldest. */
bool group_is_better(const struct group_candidate *a, const struct group_candidate *b);

/* When an incident may be told. `known_ms`: when its row came; `crowd`: others of its
 * group began just now. News that comes late (of a backlog) waits a little: its end may
 * be on the way. */
#define GROUP_LATE_MS   30000
#define GROUP_SETTLE_MS 5000
int64_t group_announce_ms(const struct rules *r, const struct rules_rule *rule,
    int64_t opened_ms, int64_t known_ms, bool crowd);

#endif
