/* UTF-8 as RFC 3629 section 4 has it: the shortest form, no surrogates, nothing above
 * U+10FFFF. Pure; for bytes that nobody vouches for. */
#ifndef HT_BASE_UTF8_H
#define HT_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the well-formed sequence at `p`, 1 to 4; 0 when there is none within `left`.
 */
size_t ht_utf8_len(const uint8_t *p, size_t left);

/* The same for what a person can read: control characters (C0, DEL, C1) are none. */
size_t ht_utf8_letter(const uint8_t *p, size_t left);

bool ht_utf8_valid(const void *bytes, size_t len);

#endif
