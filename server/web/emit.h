/* A streaming writer of JSON (RFC 8259) over an ht_buf: for replies, which may be long
 * lists. Commas are its business; nesting is the caller's (begin and end must pair, at
 * most EMIT_DEPTH deep). Text that is no UTF-8 gets U+FFFD where it is not. Errors are
 * the buffer's, told once by ht_buf_err(). */
#ifndef HT_SERVER_WEB_EMIT_H
#define HT_SERVER_WEB_EMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define EMIT_DEPTH 32

struct emit {
	struct ht_buf *out; /* borrowed */
	uint32_t more;      /* bit per depth: a value is there already */
	int depth;
};

void emit_init(struct emit *e, struct ht_buf *out);

/* A NULL key is for items of lists and for the top. */
void emit_object(struct emit *e, const char *key);
void emit_list(struct emit *e, const char *key);
void emit_end_object(struct emit *e);
void emit_end_list(struct emit *e);

void emit_text(struct emit *e, const char *key, const char *text); /* NULL: null */
void emit_text_n(struct emit *e, const char *key, const char *text, size_t len);
void emit_int(struct emit *e, const char *key, int64_t value);
void emit_int_or_null(struct emit *e, const char *key, bool is_null, int64_t value);
void emit_uint(struct emit *e, const char *key, uint64_t value);
void emit_double(struct emit *e, const char *key, double value); /* not finite: null */
void emit_bool(struct emit *e, const char *key, bool value);
void emit_null(struct emit *e, const char *key);
void emit_hex(struct emit *e, const char *key, const void *bytes, size_t len);

/* RFC 3339 UTC; INT64_MIN is null. */
void emit_time(struct emit *e, const char *key, int64_t unix_ms);

/* JSON text of our own store, checked; null when it is none. */
void emit_stored(struct emit *e, const char *key, const char *json);

#endif
