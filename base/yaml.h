/* YAML read into a tree that keeps the place of every node, for configuration, rules,
 * catalogues, definitions and lab topologies. Bounded: 4 MiB, 32 levels, 200,000 nodes,
 * 10,000 keys in one map.
 * Refused, with the place: duplicate keys, aliases, anchors, tags, non-scalar keys,
 * several documents. */
#ifndef HT_BASE_YAML_H
#define HT_BASE_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum ht_node_kind { HT_NODE_NULL, HT_NODE_SCALAR, HT_NODE_LIST, HT_NODE_MAP };

struct ht_node {
	enum ht_node_kind kind;
	const char *file;       /* owned by the tree's owner (see ht_yaml) */
	int line, column;       /* from 1 */
	char *text;             /* HT_NODE_SCALAR: NUL-terminated UTF-8 */
	bool quoted;            /* the scalar was quoted or a block */
	struct ht_node **items; /* HT_NODE_LIST: n items; HT_NODE_MAP: n values */
	struct ht_node **keys;  /* HT_NODE_MAP: n scalar keys */
	size_t n;
};

struct ht_yaml {
	char *file;           /* name used in messages */
	struct ht_node *root; /* never NULL; HT_NODE_NULL for an empty document */
};

/* Parse a file, or bytes under the name `file`. On HT_CONFIG the fault reads
 * "file:line:column: what, and the cure". Free with ht_yaml_fini, which accepts a
 * zeroed struct. `out` is untouched on failure. */
HT_MUST_CHECK ht_err ht_yaml_load(
    const char *file, struct ht_yaml *out, struct ht_fault *fault);
HT_MUST_CHECK ht_err ht_yaml_parse(const char *file, const void *bytes, size_t len,
    struct ht_yaml *out, struct ht_fault *fault);
void ht_yaml_fini(struct ht_yaml *y);

/* The value of a key in a map, or NULL (also when `map` is NULL or no map). */
struct ht_node *ht_node_get(const struct ht_node *map, const char *key);

/* Lay `over` on `base`: maps are merged key by key, anything else is replaced. Moves
 * nodes out of `over`, whose file name must outlive `base`. HT_NOMEM. */
HT_MUST_CHECK ht_err ht_yaml_overlay(struct ht_yaml *base, struct ht_yaml *over);

/* Set the fault to "file:line:column: <sentence>" and return HT_CONFIG. */
ht_err ht_node_fault(const struct ht_node *node, struct ht_fault *fault, const char *fmt,
    ...) HT_PRINTF(3, 4);

#endif
