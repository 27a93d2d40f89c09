/* When a link was really dead, and why: pure. Given what was seen from the core (the
 * estimate) and what the cut-off edge wrote down meanwhile, dated by the server, a table
 * of rules names the cause; the first that holds wins. The edge's own start and end of
 * the silence are the correction: it pings the far end from inside, so a cut lies between
 * its last answered and its first lost ping. */
#ifndef HT_SERVER_DERIVE_CAUSE_H
#define HT_SERVER_DERIVE_CAUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAUSE_NEVER      INT64_MIN
#define CAUSE_OPEN       INT64_MAX /* an end that has not come */
#define CAUSE_REASON_MAX 300

enum cause {
	CAUSE_UNKNOWN,
	CAUSE_WAN_LINK,
	CAUSE_ROUTER,
	CAUSE_POWER,
	CAUSE_LAN,
	CAUSE_AGENT,
	CAUSE_FAR_END,
	CAUSE_SERVER,
	CAUSE_PARENT,
};

/* What the edge pings from inside. */
enum cause_place { CAUSE_FAR, CAUSE_GATEWAY, CAUSE_DNS, CAUSE_INTERNET, CAUSE_PLACES };

/* A transition of probe `reach` at the edge. */
struct cause_change {
	enum cause_place place;
	bool down; /* else up; suspicions are no transitions here */
	int64_t at_ms;
	int64_t lost_ms; /* down: the first lost ping was sent then; or NEVER */
	/* down: the last answered ping was sent then; up: the first one that was answered
	 * again; or NEVER */
	int64_t answered_ms;
	int64_t uncertainty_ms; /* of all three */
	int64_t journal_id;
};

/* One life of the agent's process, as its packs tell. */
struct cause_run {
	const char *boot, *session;
	int64_t first_ms, last_ms; /* its earliest and newest record */
	int64_t journal_id;
};

struct cause_facts {
	int64_t start_ms, start_uncertainty_ms, end_ms; /* the estimate; CAUSE_OPEN */
	bool unreachable;                               /* a parent explains it */
	bool other_way; /* the agency has another link: what answers beyond proves
			 * nothing of this one */
	const struct cause_change *changes; /* by time, also from long before */
	size_t n_changes;
	const struct cause_run *runs; /* by first_ms */
	size_t n_runs;
	int64_t router_start_ms; /* by sysUpTime, the newest told; or NEVER */
	int64_t router_told_ms;  /* when it was last told */
	bool oper_down;          /* the link's interface was down meanwhile */
	bool blind;              /* the vantage was, at the start */
	bool server_gap;         /* the server did not run, at the start */
};

struct cause_verdict {
	enum cause cause;
	char reason[CAUSE_REASON_MAX];          /* one sentence, English */
	int64_t start_ms, start_uncertainty_ms; /* the edge's; NEVER: it has none */
	int64_t end_ms, end_uncertainty_ms;
	int64_t journal[4]; /* rows that the correction rests on */
	size_t n_journal;
};

void cause_judge(const struct cause_facts *f, struct cause_verdict *out);

const char *cause_name(enum cause c); /* as in SQL: "wan-link" */

#endif
