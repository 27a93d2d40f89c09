/* Vietnamese words as plain ASCII, so that "Mã cơ quan", "MÃ CƠ QUAN" (in either
 * Unicode form) and "ma_co_quan" are the same column. Pure. */
#ifndef HT_SERVER_REGISTRY_VIET_H
#define HT_SERVER_REGISTRY_VIET_H

#include <stddef.h>

/* Lower-case letters without diacritics, digits, and one '_' for each run of anything
 * else between them. `text` is UTF-8; what does not fit `cap` is cut. */
void viet_plain(const char *text, char *out, size_t cap);

#endif
