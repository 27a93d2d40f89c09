/* The list of targets that the server sent (`cmd` verb `targets`): taken page by page,
 * checked whole against this agent's own ceilings, kept in `<state_dir>/targets`, put in
 * force, and its hash told in presence. It is what a `reach` probe pings that lists no
 * targets itself; without any in the configuration there is one with its defaults. A
 * `reach` probe that lists `targets:` in the configuration wins: then the server's list
 * is refused, and the server shows why. On the loop. */
#ifndef HT_AGENT_TARGETS_H
#define HT_AGENT_TARGETS_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/options.h"
#include "agent/target_pages.h"
#include "base/targets.h"

#define TARGETS_FILE "targets"

struct targets {
	struct target_pages pages;
	struct ht_targets list;         /* as kept, or empty */
	char hash[FINGERPRINT_LEN + 1]; /* of the kept text, or "" */
	bool in_force;                  /* the options allow it */
	struct ht_buf found; /* text of what is pinged: words replaced by addresses */
};

/* What of the list may be pinged here? HT_DENIED with a sentence for the server. Pure. */
HT_MUST_CHECK ht_err targets_allowed(
    const struct options *o, const struct ht_targets *list, struct ht_fault *fault);

/* What words stand for; family AF_UNSPEC: not known. */
struct targets_places {
	struct ht_addr at[HT_PLACE_SERVER + 1]; /* by enum ht_place */
};

/* Write the list with addresses instead of words; what is not known is left out, also as
 * a parent. Pure. */
void targets_find(const struct ht_targets *list, const struct targets_places *places,
    struct ht_buf *out);

/* `*out_next`: the page wanted next; c->pages when the list is in force. `*out_changed`:
 * another list is. Errors with a sentence for the server. */
HT_MUST_CHECK ht_err targets_take(struct targets *t, const struct options *o,
    const struct control_cmd *c, int64_t *out_next, bool *out_changed,
    struct ht_fault *fault);

/* Read the kept list; one that cannot be used is left for the server to replace. */
void targets_open(struct targets *t, const struct options *o);
void targets_close(struct targets *t);

/* The options have changed. */
void targets_reconsider(struct targets *t, const struct options *o);

/* Look at this machine's gateway and resolver and at the broker's address anew: whether
 * what is to be pinged is another list now. */
bool targets_look(struct targets *t, const struct options *o);

/* What presence says: "" when nothing of the server's is pinged. */
const char *targets_hash(const struct targets *t);

#endif
