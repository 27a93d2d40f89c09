/* What is to be reached by ping: targets with their addresses and parents, and addresses
 * by which the prober checks itself. The server writes the list as text, the agent reads,
 * checks and keeps it; the hash that both speak of is SHA-256 of that text:
 *
 *     hatang-targets 1
 *     self <address>
 *     target <id> <address> [<parent> …]
 *
 * Each line ends with a line feed, fields are one blank apart. All `self` before all
 * `target`. Targets ascend by id (bytewise), so no id is there twice; so do the parents
 * of a target, each the id of another target. An address is IPv4 or IPv6 in its shortest
 * form, or a word for what only the agent knows (enum ht_place). There is one way to
 * write a list: whatever is read is written again byte for byte. Pure. */
#ifndef HT_BASE_TARGETS_H
#define HT_BASE_TARGETS_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/err.h"

#define HT_TARGETS_MAX        32768
#define HT_TARGETS_SELF_MAX   16
#define HT_TARGET_PARENTS_MAX 16
#define HT_TARGETS_BYTES_MAX  (8 << 20)
#define HT_TARGETS_HEAD       "hatang-targets 1\n"

enum ht_place {
	HT_PLACE_ADDRESS,
	HT_PLACE_GATEWAY,  /* "gateway": the default router of the agent's machine */
	HT_PLACE_RESOLVER, /* "resolver": the first of its /etc/resolv.conf */
	HT_PLACE_SERVER,   /* "server": where its broker answered last */
};

struct ht_where {
	enum ht_place place;
	struct ht_addr addr; /* HT_PLACE_ADDRESS: a host */
};

struct ht_target {
	const char *id; /* HT_INSTANCE_MAX bytes at most */
	struct ht_where where;
	const uint32_t *parents; /* indexes into the list */
	size_t n_parents;
};

struct ht_targets {
	struct ht_target *at;
	size_t n;
	struct ht_where self[HT_TARGETS_SELF_MAX];
	size_t n_self;
	char *text;        /* private: where ids lie */
	uint32_t *parents; /* private */
};

/* Untrusted bytes. HT_MALFORMED, HT_TOOLARGE (a ceiling above) with "line N: what" in the
 * fault; HT_NOMEM. Free with ht_targets_fini. */
HT_MUST_CHECK ht_err ht_targets_parse(
    const char *text, size_t len, struct ht_targets *out, struct ht_fault *fault);
void ht_targets_fini(struct ht_targets *t); /* accepts a zeroed one */

/* Append the text. */
void ht_targets_format(const struct ht_targets *t, struct ht_buf *out);

/* The target's index, or t->n. */
size_t ht_targets_find(const struct ht_targets *t, const char *id);

/* One address as it stands in a list: a word, or a host that may be pinged (no multicast,
 * broadcast, unspecified or reserved one). HT_MALFORMED, HT_RANGE (not to be pinged). */
HT_MUST_CHECK ht_err ht_where_parse(const char *text, struct ht_where *out);
void ht_where_format(const struct ht_where *w, char out[static HT_ADDR_TEXT]);

#endif
