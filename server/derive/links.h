/* What the files of the fold links share: link_pack.c reads a pack into views
 * (link_view.h), link_evaluate.c judges a link from its views, link_record.c writes what
 * became of it (spans, outages, problems), agency_state.c sums up an agency's links,
 * agent_live.c knows who is heard of, links.c is the fold. */
#ifndef HT_SERVER_DERIVE_LINKS_H
#define HT_SERVER_DERIVE_LINKS_H

#include <stdbool.h>

#include "base/name.h"
#include "server/derive/fold.h"
#include "server/derive/link_view.h"
#include "server/derive/problem.h"

/* The row that made us look. */
struct link_turn {
	struct db *db;
	int64_t now_ms, row_id;
	int64_t awake_ms; /* rows come without a hole since */
	int64_t away_ms;  /* when the hole before it began */
};

/* Bits of link_memory.problems. */
enum link_problem {
	LINK_PROBLEM_DOWN = 1,
	LINK_PROBLEM_UNREACHABLE = 2,
	LINK_PROBLEM_DEGRADED = 4,
	LINK_PROBLEM_UNSTABLE = 8,
	LINK_PROBLEM_UNPINGABLE = 16,
};

/* A row of link_memory. */
struct link_memory {
	bool there;
	char agency[HT_ID_MAX + 1], provider[256], role[16];
	enum link_state own, state;
	bool muted;
	char root[HT_INSTANCE_MAX + 1], root_problem[PROBLEM_ID_MAX + 1];
	int64_t down_ms, hold_ms, due_ms; /* INT64_MIN: none */
	struct link_flap flap;
	int problems;
};

/* What a link became, to be written down. */
struct link_news {
	const char *link;
	const struct link_memory *old;
	struct link_memory *now;  /* its `problems` and `root_problem` are filled */
	enum link_state shown;    /* what is shown: the state, or maintenance over it */
	const char *why, *reason; /* of what is shown */
	const char *agent;        /* whose statement, or NULL */
	const struct link_verdict *verdict;
	int64_t blind_ms; /* the verdict's agent is blind since then; else INT64_MIN */
	int64_t at_ms;    /* out: when what is shown began */
};

HT_MUST_CHECK ht_err link_memory_get(
    struct db *db, const char *link, struct link_memory *out);
HT_MUST_CHECK ht_err link_evaluate(const struct link_turn *t, const char *link);
HT_MUST_CHECK ht_err link_record(const struct link_turn *t, struct link_news *n);
/* The link left the registry: nothing of it lasts. */
HT_MUST_CHECK ht_err link_end(const struct link_turn *t, const char *link);
HT_MUST_CHECK ht_err link_pack_apply(
    const struct link_turn *t, const struct fold_input *in);
HT_MUST_CHECK ht_err agency_evaluate(const struct link_turn *t, const char *agency);

HT_MUST_CHECK ht_err agent_heard(const struct link_turn *t, const struct fold_input *in);
HT_MUST_CHECK ht_err agent_presence(
    const struct link_turn *t, const struct fold_input *in);
HT_MUST_CHECK ht_err agent_due(const struct link_turn *t);
HT_MUST_CHECK ht_err agent_end(const struct link_turn *t, const char *agent);
HT_MUST_CHECK ht_err agent_blind(const struct link_turn *t, const struct fold_input *in,
    bool is_blind, int64_t at_ms, const char *reason);

extern const char *const link_problem_kinds[];
extern const size_t link_problem_kinds_len;

static inline bool link_dead(enum link_state s)
{
	return s == LINK_DOWN || s == LINK_UNREACHABLE;
}

#endif
