/* What the registry, the facts and earlier slots say of a link whose test is asked for:
 * everything that slots_judge wants. On the writer's thread, inside its transaction. */
#ifndef HT_SERVER_THROUGHPUT_LOOKUP_H
#define HT_SERVER_THROUGHPUT_LOOKUP_H

#include "base/name.h"
#include "server/store/db.h"
#include "server/throughput/ask.h"
#include "server/throughput/slots.h"

enum { LOOKUP_LIVE_MAX = 64, LOOKUP_WAITING_MAX = 64 };
#define LOOKUP_WAITS_MS INT64_C(12000) /* who asks again asks within that */

/* Who was told to ask again, and since when: so that nobody is overtaken for ever. No two
 * have one since_ms. */
struct lookup_waiting {
	char agent[HT_ID_MAX + 1], link[HT_ID_MAX + 1];
	int64_t since_ms, last_ms;
};

/* A link with the texts that its slots_link borrows. */
struct lookup_link {
	char id[HT_ID_MAX + 1], agency[HT_ID_MAX + 1], router[64], state[16];
	char ancestor[SLOTS_ANCESTORS_MAX][HT_ID_MAX + 1];
	const char *ancestors[SLOTS_ANCESTORS_MAX];
	struct slots_link link;
};

struct lookup {
	struct lookup_link asked;
	struct slots_ask ask;
	/* Under way, then those that wait. */
	struct lookup_link links[LOOKUP_LIVE_MAX + LOOKUP_WAITING_MAX];
	char agents[LOOKUP_LIVE_MAX + LOOKUP_WAITING_MAX][HT_ID_MAX + 1];
	struct slots_live live[LOOKUP_LIVE_MAX + LOOKUP_WAITING_MAX];
	size_t n_live;
	/* Slots of the same agent for the same link that it cannot be using any more. */
	int64_t replaced[LOOKUP_LIVE_MAX];
	size_t n_replaced;
	char refused[SLOTS_WHY_MAX]; /* "": slots_judge decides */
};

/* `l` is zeroed and stays where it is. HT_OK also when l->refused says no. */
HT_MUST_CHECK ht_err lookup(struct db *db, const struct ask *ask, const char *agent,
    const struct lookup_waiting *waiting, size_t n_waiting, int64_t utc_offset_min,
    int64_t now_ms, struct lookup *l);

/* The Unix time in milliseconds at which the local day (or month) of now_ms began. */
int64_t lookup_day_ms(int64_t now_ms, int64_t utc_offset_min, bool month);

#endif
