/* Who may test throughput now: pure, with `now` as an argument. One test at a time on
 * what links share, never beside office traffic, outages or maintenance, within hours,
 * budgets and what the endpoint carries. */
#ifndef HT_SERVER_THROUGHPUT_SLOTS_H
#define HT_SERVER_THROUGHPUT_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { SLOTS_ANCESTORS_MAX = 64, SLOTS_HOURS_MAX = 8, SLOTS_WHY_MAX = 240 };
#define SLOTS_USED_MS INT64_C(180000) /* an older rate says nothing of now */

/* Times of day when tests are allowed: from … to, minutes, to < from over midnight. */
struct slots_hours {
	struct {
		int from, to;
	} at[SLOTS_HOURS_MAX];
	size_t n; /* 0: always */
};

/* "17:30-07:00"; HT_MALFORMED, HT_FULL. "00:00-24:00" is the whole day. */
HT_MUST_CHECK ht_err slots_hours_add(struct slots_hours *h, const char *text);

/* Minutes until they begin; 0: now is within. `local_ms`: Unix plus the zone's offset. */
int slots_hours_wait(const struct slots_hours *h, int64_t local_ms);

/* A link with all that it hangs on: its parents, theirs … Texts are borrowed. */
struct slots_link {
	const char *id, *agency;
	const char *router; /* address; NULL: none */
	const char *const *ancestors;
	size_t n_ancestors;
	int64_t down_bps, up_bps; /* contracted, else negotiated; 0: not known */
};

/* Whether a test of one would disturb one of the other, and why, as the end of "it
 * shares …". Links share an uplink when one hangs on the other, when both hang on a
 * third, when they have one router or one agency. `wide`: links that many tests fit
 * through; they are no reason. */
bool slots_shared(const struct slots_link *a, const struct slots_link *b,
    const char *const *wide, size_t n_wide, char out_why[static SLOTS_WHY_MAX]);

struct slots_live {
	struct slots_link link;
	const char *agent;
	int64_t expires_ms;
	bool endpoint; /* against the server's own */
	bool waiting;  /* it has asked earlier than the one that is judged */
};

struct slots_rules {
	bool endpoint; /* there is one */
	int64_t max_concurrent, endpoint_bps;
	double busy_share; /* of the link's rate that others may use meanwhile */
	int64_t day_bytes, month_bytes; /* a link may cost */
	int64_t day_tests;              /* so that nobody holds an uplink all day */
	struct slots_hours hours;
	int64_t utc_offset_min;
	const char *const *wide;
	size_t n_wide;
};

struct slots_ask {
	struct slots_link link;
	bool endpoint;
	bool crowded; /* more tests may be under way than are in `live` */
	int64_t bytes, now_ms;
	const char *state;         /* of link_fact; NULL: none */
	int64_t used_ms;           /* age of the rates; INT64_MAX: none */
	double used_down, used_up; /* bit/s; NaN: unknown */
	int64_t day_spent, month_spent, day_tests;
};

struct slots_verdict {
	bool granted;
	int64_t bytes;           /* that it may cost, at most those asked for */
	int64_t wait_s;          /* not granted: worth asking again then; 0: not today */
	char why[SLOTS_WHY_MAX]; /* not granted: one sentence */
};

void slots_judge(const struct slots_rules *rules, const struct slots_ask *ask,
    const struct slots_live *live, size_t n_live, struct slots_verdict *out);

#endif
