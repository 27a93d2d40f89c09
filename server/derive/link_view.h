/* What each agent says of a link: rows of link_view (rounds of pings, SNMP polls) and of
 * link_reach (transitions and minutes of the probe reach), read and written. */
#ifndef HT_SERVER_DERIVE_LINK_VIEW_H
#define HT_SERVER_DERIVE_LINK_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/name.h"
#include "server/derive/linkstate.h"
#include "server/store/db.h"

enum { WORD_MAX = 40, VIEWS_MAX = 64 };

/* A row of link_view. */
struct view {
	int64_t ping_ms;
	char ping_status[WORD_MAX];
	double sent, received, loss, rtt_s;
	int failed;
	int64_t answered_ms, ping_interval_ms, ping_journal, ping_received_ms;
	int64_t poll_ms;
	char poll_status[WORD_MAX];
	int64_t poll_interval_ms, poll_journal, poll_received_ms;
	char interface[HT_INSTANCE_MAX + 1], oper[WORD_MAX];
	int64_t counter_ms;
	uint64_t in_octets, out_octets;
	int bits;
	double uptime_s, discontinuity_s, speed_bps;
	double used_down_bps, used_up_bps;
	char used_gap[80];
};

/* A row of link_reach. */
struct reach {
	enum link_reach state;
	int64_t at_ms, lost_ms, answered_ms; /* LINKSTATE_NEVER: not told */
	bool in_doubt, lossy;
	int64_t heard_ms; /* LINKSTATE_NEVER: there is no row */
	double sent, received, rtt_s;
	int minutes;
};

/* Views of one link with the texts that their link_view borrows. */
struct views {
	struct link_view at[VIEWS_MAX];
	struct view_text {
		char agent[HT_ID_MAX + 1], ping[WORD_MAX], poll[WORD_MAX], oper[WORD_MAX];
		int64_t journal;
		double reach_loss, reach_rtt_s;
		double speed_bps, used_down_bps, used_up_bps;
	} text[VIEWS_MAX];
	size_t n;
};

/* Views are as of a time when the server was awake since awake_ms; away_ms: the hole
 * before it. */
struct view_time {
	struct db *db;
	int64_t awake_ms, away_ms;
};

HT_MUST_CHECK ht_err view_get(
    struct db *db, const char *link, const char *agent, struct view *v);
HT_MUST_CHECK ht_err view_put(
    struct db *db, const char *link, const char *agent, const struct view *v);
HT_MUST_CHECK ht_err reach_get(
    struct db *db, const char *link, const char *agent, struct reach *out);
HT_MUST_CHECK ht_err reach_put(struct db *db, const char *link, const char *agent,
    const struct reach *r, int64_t received_ms, int64_t journal_id);
/* In the order of agents; at most VIEWS_MAX. */
HT_MUST_CHECK ht_err views_get(
    const struct view_time *when, const char *link, struct views *out);

/* Text into an array of `cap` bytes, cut off; NULL is "". And back: "" is NULL. */
void text_copy(char *out, size_t cap, const char *text);
const char *text_or_null(const char *text);
int64_t int_or(const struct db_rows *r, int column, int64_t none);

#endif
