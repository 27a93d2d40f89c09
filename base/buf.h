/* A growable byte buffer with a compulsory ceiling, for text and packets we make.
 * Errors are sticky: after one failed put every later put is a no-op and ht_buf_err()
 * tells once, at the end. The text is always NUL-terminated behind `len`. */
#ifndef HT_BASE_BUF_H
#define HT_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct ht_buf {
	uint8_t *data;        /* NULL until the first put */
	size_t len, cap, max; /* bytes */
	ht_err err;
};

/* `max` is the most bytes it may ever hold; nothing is allocated yet. */
void ht_buf_init(struct ht_buf *b, size_t max);
void ht_buf_fini(
    struct ht_buf *b); /* accepts a zeroed one; the buffer is reusable after init */
void ht_buf_reset(struct ht_buf *b); /* empty, keeps the memory, clears the error */

void ht_buf_put(struct ht_buf *b, const void *bytes, size_t len);
void ht_buf_puts(struct ht_buf *b, const char *text);
void ht_buf_printf(struct ht_buf *b, const char *fmt, ...) HT_PRINTF(2, 3);

/* HT_OK, HT_NOMEM or HT_TOOLARGE. */
HT_MUST_CHECK ht_err ht_buf_err(const struct ht_buf *b);

/* The text, "" when empty. Valid until the next put. */
const char *ht_buf_text(const struct ht_buf *b);

/* The bytes as a malloc'ed, NUL-terminated block that the caller frees; the buffer is
 * left empty. NULL when the buffer is in error or memory is out. */
char *ht_buf_steal(struct ht_buf *b);

#endif
