/* A scripted vantage: the rows that its agent would send. A scenario (replay.h) says when
 * links cease to answer; this writes the packs of the probe `reach` that tell of it, and
 * those of each minute, as fold_links reads them. Pure: what it writes goes to `say`. */
#ifndef HT_SERVER_ALERT_SCRIPTED_H
#define HT_SERVER_ALERT_SCRIPTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define SCRIPTED_PACK_MAX (64 * 1024)

enum scripted_state { SCRIPTED_UNSEEN, SCRIPTED_UP, SCRIPTED_DOWN };

struct scripted {
	const char *agent;
	bool blind;
	unsigned sessions; /* how often it came online */
	uint8_t *states;   /* enum scripted_state of each link, by its place */
};

struct scripted_link {
	size_t at; /* its place in `states` */
	const char *id;
};

/* A row: "data" with a pack of SenML, or "presence". */
typedef ht_err (*scripted_say)(
    void *arg, const char *agent, const char *kind, const char *text, size_t len);

/* Transitions of links at one time, in the order of the list (parents first, as the probe
 * has them). `lost_s`, `answered_s`: since when pings are lost, and the last answered. */
HT_MUST_CHECK ht_err scripted_reach(struct scripted *v, const struct scripted_link *links,
    size_t n, bool down, double lost_s, double answered_s, int64_t now_ms,
    scripted_say say, void *arg);

/* What a minute brings: 60 pings to each link that it has seen, all answered or none. */
HT_MUST_CHECK ht_err scripted_minute(struct scripted *v,
    const struct scripted_link *links, size_t n, int64_t now_ms, scripted_say say,
    void *arg);

HT_MUST_CHECK ht_err scripted_blind(
    struct scripted *v, bool blind, int64_t now_ms, scripted_say say, void *arg);

/* `state`: online, offline or lost. */
HT_MUST_CHECK ht_err scripted_presence(
    struct scripted *v, const char *state, int64_t now_ms, scripted_say say, void *arg);

#endif
