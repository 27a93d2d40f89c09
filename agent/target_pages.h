/* The pages of a list of targets as they come over `cmd`, put together in order. Pure. A
 * page of another list begins anew; one that is not next changes nothing, so that the
 * server may begin anywhere and is told where to go on. */
#ifndef HT_AGENT_TARGET_PAGES_H
#define HT_AGENT_TARGET_PAGES_H

#include <stdint.h>

#include "base/buf.h"
#include "mqtt/control.h"

struct target_pages {
	char hash[CONTROL_HASH_LEN + 1]; /* "": none under way */
	int64_t pages, next;
	struct ht_buf text;
};

void target_pages_init(struct target_pages *p);
void target_pages_fini(struct target_pages *p);

/* Forget what is under way. */
void target_pages_drop(struct target_pages *p);

/* `c` is a decoded CONTROL_TARGETS. `*out_next`: the page that is wanted next; when it is
 * c->pages the text is whole, its hash unchecked. HT_NOMEM, HT_TOOLARGE: all is dropped.
 */
HT_MUST_CHECK ht_err target_pages_take(
    struct target_pages *p, const struct control_cmd *c, int64_t *out_next);

#endif
