/* The state of a link: pure, with `now` as an argument. Three steps:
 *
 *   judge    Each agent that measures the link has one view (its reach probe, its newest
 *            round of pings, its newest SNMP poll); a table of rules turns each view into
 *            a statement, and the strongest wins. An agent that is cut off or blind says
 *            nothing about the link.
 *   settle   With what it hangs on (dead parents), and whether data flows all the same.
 *   flap     Changes, weighted by their age, say when a link is unstable.
 *
 * Maintenance covers the result; it does not change it. */
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
	int64_t race_ms, hold_ms;        /* parents: see linkstate_settle */
	int64_t flow_margin_ms, flow_ms; /* data that flows; for so long it says so */
	double flap_high, flap_low;      /* score: unstable from, and until */
	int64_t flap_half_ms;
};
extern const struct linkstate_rules linkstate_defaults;

enum link_reach { LINK_REACH_NONE, LINK_REACH_UP, LINK_REACH_DOWN };

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

	/* The probe `reach`, a ping a second. */
	enum link_reach reach;
	bool vantage;     /* it measures from the core; else from the link's own office */
	bool blind;       /* it sees nothing at all now */
	bool in_doubt;    /* its `down` is of a time when it was blind */
	int64_t blind_ms; /* since when */
	bool unheard;     /* nothing came of it since the server was away */
	int64_t away_ms;  /* since when that was */
	bool lossy;       /* loss that lasts */
	int64_t reach_ms; /* of the transition */
	int64_t heard_ms; /* newest reading of it, or LINKSTATE_NEVER */
	int64_t lost_ms;  /* first lost ping, last answered one; or LINKSTATE_NEVER */
	int64_t reach_answered_ms;
};

struct link_verdict {
	enum link_state state;
	const struct link_view
	    *by;             /* whose statement it is; NULL when there is no view */
	int64_t measured_ms; /* newest measurement of that view, or LINKSTATE_NEVER */
	int64_t due_ms;      /* may change by time alone then; INT64_MAX: never */
	int64_t since_ms;    /* LINK_UNKNOWN by silence or cut-off: since when; else
			      * LINKSTATE_NEVER (the caller knows the transition) */
	const char *why;     /* a word of the rule, fixed text */
	/* When the state began, as exactly as that view can tell: at ± uncertainty. */
	int64_t at_ms, uncertainty_ms;
	char reason[LINKSTATE_REASON_MAX]; /* one sentence */
};

void linkstate_judge(const struct link_view *views, size_t n, int64_t now_ms,
    const struct linkstate_rules *rules, struct link_verdict *out);

/* ── what it hangs on ────────────────────────────────────────────────────────────── */

struct link_case {
	enum link_state own;  /* as judged */
	const char *why;      /* of that */
	int64_t down_ms;      /* own is LINK_DOWN: since when */
	bool parents_dead;    /* no way through what it hangs on */
	int64_t root_down_ms; /* then: since when the root is dead */
	bool was_unreachable; /* its state until now */
	int64_t hold_ms;      /* until when it stays so without dead parents; or NEVER */
	int64_t flow_ms;      /* newest sign of data that came over it; or NEVER */
	int64_t now_ms;
};

struct link_settled {
	enum link_state state;
	const char *why;    /* NULL: as judged */
	const char *reason; /* NULL: as judged; may hold one %s, the root */
	int64_t hold_ms;    /* to be remembered */
	int64_t due_ms;     /* to be settled again; INT64_MAX: not by time */
};

/* Rules: a child that dies no more than `race` before its root is UNREACHABLE; when the
 * root is back, the child has `hold` to answer before it is DOWN by itself. Data that
 * flows `flow_margin` after the first lost ping says that it is not DOWN at all. */
void linkstate_settle(const struct link_case *c, const struct linkstate_rules *rules,
    struct link_settled *out);

/* ── flaps ───────────────────────────────────────────────────────────────────────── */

struct link_flap {
	double score; /* changes, each halved in every half-life, as of at_ms */
	int64_t at_ms;
	bool unstable;
};

/* A change to or from DOWN at `now_ms`; and time alone, of which `due_ms` says when it
 * ends an unstable link's state (INT64_MAX: it is not unstable). */
void linkstate_flap(struct link_flap *f, int64_t now_ms, const struct linkstate_rules *r);
int64_t linkstate_calm(
    struct link_flap *f, int64_t now_ms, const struct linkstate_rules *r);

/* The interval to expect after a round at `next_ms`, given the one before and what was
 * expected so far: a single hole at most doubles it. */
int64_t linkstate_interval(int64_t known_ms, int64_t previous_ms, int64_t next_ms);

const char *link_state_name(enum link_state s); /* as in SQL: "UP" */
bool link_state_find(const char *name, enum link_state *out);

/* Whether a round of this icmp status measured the way at all ("denied" did not). */
bool link_ping_measured(const char *status);

#endif
