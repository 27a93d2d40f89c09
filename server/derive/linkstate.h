/* The state of a link from what agents say of it: pure, with `now` as an argument. Each
 * agent that measures it has one view (its newest round of pings, its newest SNMP poll);
 * a table of rules turns each view into a statement, and the strongest statement wins.
 * An agent that is cut off says nothing about the link. Outages (start, end, cause) are
 * another matter and come later. */
#ifndef HT_SERVER_DERIVE_LINKSTATE_H
#define HT_SERVER_DERIVE_LINKSTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINKSTATE_NEVER      INT64_MIN
#define LINKSTATE_REASON_MAX 240

enum link_state {
	LINK_UP,
	LINK_DEGRADED,
	LINK_DOWN,
	LINK_UNREACHABLE,
	LINK_UNKNOWN,
	LINK_MAINTENANCE,
};

enum link_presence { LINK_AGENT_HERE, LINK_AGENT_OFFLINE, LINK_AGENT_LOST };

/* What may be tuned; linkstate_defaults has the values in use. */
struct linkstate_rules {
	double degraded_loss;        /* this share of lost pings, or more */
	int down_rounds;             /* rounds in a row without a reply */
	int stale_intervals;         /* silent for so many intervals: unknown */
	int64_t default_interval_ms; /* until two rounds were seen */
	int64_t stale_least_ms, stale_most_ms;
};
extern const struct linkstate_rules linkstate_defaults;

struct link_view {
	const char *agent;
	enum link_presence presence;
	int64_t presence_ms; /* since when, if it is not here */

	int64_t ping_ms;                    /* newest round, or LINKSTATE_NEVER */
	const char *ping_status;            /* icmp status word */
	double sent, received, loss, rtt_s; /* NaN: not known */
	int failed;               /* rounds in a row without a reply, with the newest */
	int64_t answered_ms;      /* newest round with a reply, or LINKSTATE_NEVER */
	int64_t ping_interval_ms; /* 0: not known */

	int64_t poll_ms;         /* newest SNMP poll, or LINKSTATE_NEVER */
	const char *poll_status; /* snmp status word */
	const char *oper;        /* ifOperStatus of the link's interface, or NULL */
	int64_t poll_interval_ms;
};

struct link_verdict {
	enum link_state state;
	const struct link_view
	    *by;             /* whose statement it is; NULL when there is no view */
	int64_t measured_ms; /* newest measurement of that view, or LINKSTATE_NEVER */
	int64_t due_ms;      /* may change by time alone then; INT64_MAX: never */
	int64_t since_ms;    /* LINK_UNKNOWN by silence or cut-off: since when; else
			      * LINKSTATE_NEVER (the caller knows the transition) */
	char reason[LINKSTATE_REASON_MAX]; /* one sentence */
};

void linkstate_judge(const struct link_view *views, size_t n, int64_t now_ms,
    const struct linkstate_rules *rules, struct link_verdict *out);

/* The interval to expect after a round at `next_ms`, given the one before and what was
 * expected so far: a single hole at most doubles it. */
int64_t linkstate_interval(int64_t known_ms, int64_t previous_ms, int64_t next_ms);

const char *link_state_name(enum link_state s); /* as in SQL: "UP" */
bool link_state_find(const char *name, enum link_state *out);

/* Whether a round of this icmp status measured the way at all ("denied" did not). */
bool link_ping_measured(const char *status);

#endif
