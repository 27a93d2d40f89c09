/* What a link hangs on, as written in the registry: ids joined by AND and OR, AND
 * binding tighter, with parentheses: "core-1 AND (bx-hub OR bx-radio)". Pure. */
#ifndef HT_SERVER_REGISTRY_PARENTS_H
#define HT_SERVER_REGISTRY_PARENTS_H

#include <stdbool.h>

#include "base/err.h"

#define PARENTS_MAX       512 /* bytes of the text */
#define PARENTS_DEPTH_MAX 16  /* nested parentheses */

/* Check the text and call `each` (may be NULL) with every id; one that does not answer
 * HT_OK ends the walk with its error. HT_MALFORMED: the fault says what and the cure. */
HT_MUST_CHECK ht_err parents_walk(const char *text,
    ht_err (*each)(void *arg, const char *id), void *arg, struct ht_fault *fault);

/* Whether the way through its parents is open: `alive` is asked of every id, in the order
 * of the text, also where it no longer matters. HT_MALFORMED: `out` is untouched. */
HT_MUST_CHECK ht_err parents_alive(
    const char *text, bool (*alive)(void *arg, const char *id), void *arg, bool *out);

#endif
