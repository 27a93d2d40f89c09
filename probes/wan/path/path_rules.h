/* Whose network a path runs over, by the hops that answered and the rules that an admin
 * wrote; pure.
 *
 * A hop *belongs* to the rule that names its address under `hops`, else to the first
 * whose prefixes contain it. The target itself is no evidence: a tunnel reaches it too.
 * Nor is a prefix for the office's own routers (in the declared subnets; the first hop,
 * where none of its family are declared), for they stand before every line.
 *   - Internet, when a hop belongs to an internet rule, or is a public address that
 *     belongs to no rule, whatever other hops say: a path that comes back inside by a
 *     tunnel ran over the Internet all the same. Only a rule with `tunnel` still stands
 *     then, by a hop behind the last one of the Internet.
 *   - Else the first rule in the list that a hop belongs to. A named hop decides alone; a
 *     prefix only when no silent hop stands before it (but the first).
 *   - A rule with one of its not_hops on the path is void.
 *   - Else unknown, and the reason says what would make it known. A private address alone
 *     proves nothing. */
#ifndef HT_PROBES_WAN_RULES_H
#define HT_PROBES_WAN_RULES_H

#include "base/addr.h"

enum path_network { PATH_UNKNOWN, PATH_PROVINCE_WAN, PATH_GOVERNMENT_WAN, PATH_INTERNET };

/* NULL-terminated; of `enum path_network` but PATH_UNKNOWN, which is no rule's. */
extern const char *const path_network_names[];
const char *path_network_name(enum path_network n);

struct path_addrs {
	struct ht_addr *at;
	size_t n;
};

struct path_rule {
	enum path_network network;
	struct path_addrs prefixes, hops, not_hops;
	bool tunnel; /* stands although the path touched the Internet before */
};

struct path_rules {
	const struct path_rule *at; /* in order */
	size_t n;
	const struct ht_addr *own; /* declared subnets of the office */
	size_t n_own;
};

struct path_hop {
	const struct ht_addr *from; /* who answered; several with balanced load */
	size_t n;                   /* 0: silent */
};

struct path_way {
	const struct path_hop *hops; /* [ttl - 1] */
	size_t n;
	const struct ht_addr *target;
};

struct path_verdict {
	enum path_network network;
	char reason[320]; /* one sentence, naming rule and hop */
};

void path_rules_judge(
    const struct path_rules *rules, const struct path_way *way, struct path_verdict *out);

/* A unicast address of the public Internet: none that RFC 6890 sets aside. */
bool path_addr_public(const struct ht_addr *a);

#endif
