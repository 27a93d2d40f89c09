/* Text of strangers made fit for a reading: valid UTF-8 (RFC 3629) without control
 * characters. Pure. */
#ifndef HT_PROBES_WAN_CLEAN_H
#define HT_PROBES_WAN_CLEAN_H

#include <stddef.h>

/* Copies what fits, cut between letters, NUL-terminated; `cap` ≥ 1. A byte that belongs
 * to no letter, and a control character, becomes '?'. */
void clean_copy(const void *bytes, size_t len, char *out, size_t cap);

#endif
