/* Whom the probe `reach` pings: from its options, or, when they name nobody, from the
 * server's list. Targets of the configuration come first, then more addresses, the
 * server's targets, and last of all the self-check. A list owns all it holds. */
#ifndef HT_PROBES_WAN_REACH_LIST_H
#define HT_PROBES_WAN_REACH_LIST_H

#include "base/option.h"
#include "base/reach.h"
#include "base/targets.h"
#include "probes/probe.h"
#include "probes/wan/ping/echo.h"

enum { REACH_TARGETS_MAX = HT_TARGETS_MAX, REACH_SELF_MAX = HT_TARGETS_SELF_MAX };

struct reach_options {
	struct ht_list targets; /* struct reach_item */
	struct ht_strings target, self;
	int64_t burst_rate;
};

extern const struct ht_options reach_option_table;

/* What the table cannot say: addresses, ids, cycles. */
ht_err reach_options_check(
    const void *options, const struct ht_node *node, struct ht_fault *fault);

struct reach_target {
	union echo_address address;
	uint64_t cookie; /* its index, and a secret */
	enum icmp_family family;
	const char *id; /* "" for the self-check */
};

struct reach_list {
	struct reach_target *at;
	size_t n, n_self; /* all; the last ones */
	char *text;       /* private: where ids lie */
};

/* The server's list, when the options name nobody to ping; else an empty one. */
const struct ht_targets *reach_list_server(
    const struct reach_options *o, const struct probe_site *site);

/* The list and the core that is to watch it. HT_NOMEM, HT_INVALID, HT_AGAIN (no
 * randomness yet); on failure nothing is left to free. */
HT_MUST_CHECK ht_err reach_list_new(const struct reach_options *o,
    const struct ht_targets *server, const struct ht_reach_host *host, int64_t now_ns,
    struct reach_list *out, struct ht_reach **out_core);
void reach_list_fini(struct reach_list *l); /* accepts a zeroed one */

/* The target that a cookie belongs to, when it is whole; NULL for a stranger's. */
const struct reach_target *reach_list_find(const struct reach_list *l, uint64_t cookie);

bool reach_same_address(const union echo_address *a, const union echo_address *b);

/* For each target of `l` its place in `old`, or HT_REACH_NEW. Both are of the server:
 * their targets ascend by id; the self-check is known by its addresses. */
void reach_list_match(
    const struct reach_list *l, const struct reach_list *old, uint32_t *was);

#endif
