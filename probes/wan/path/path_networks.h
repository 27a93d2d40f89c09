/* The configuration of path_rules.h: the list `networks` of the probe `path`. */
#ifndef HT_PROBES_WAN_NETWORKS_H
#define HT_PROBES_WAN_NETWORKS_H

#include "base/option.h"
#include "probes/wan/path/path_rules.h"

enum { PATH_NETWORKS_MAX = 32, PATH_ADDRS_MAX = 1024 };

struct path_network_item {
	int network; /* index into path_network_names */
	struct ht_strings prefixes, hops, not_hops;
	bool tunnel;
};

extern const struct ht_options path_network_table; /* of struct path_network_item */

/* Checks what the table cannot say: addresses, and rules that can never decide anything
 * or contradict each other. `networks` is a list of struct path_network_item. */
HT_MUST_CHECK ht_err path_networks_check(
    const struct ht_list *networks, struct ht_fault *fault);

/* The rules of a checked list, on the heap; free with path_networks_free (NULL is fine).
 * Nothing is borrowed from the list. HT_NOMEM, HT_INVALID. */
HT_MUST_CHECK ht_err path_networks_build(
    const struct ht_list *networks, struct path_rule **out);
void path_networks_free(struct path_rule *rules, size_t n);

#endif
