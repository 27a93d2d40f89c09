#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ht_buf_init(struct ht_buf *b, size_t max)
{
	*b = (struct ht_buf){ .max = max };
}

void ht_buf_fini(struct ht_buf *b)
{
	free(b->data);
	*b = (struct ht_buf){ .max = b->max };
}

void ht_buf_reset(struct ht_buf *b)
{
	b->len = 0;
	b->err = HT_OK;
	if (b->data)
		b->data[0] = '\0';
}

/* Room for `more` bytes and a NUL. */
static int reserve(struct ht_buf *b, size_t more)
{
	if (b->err)
		return 0;
	if (more > b->max - b->len) {
		b->err = HT_TOOLARGE;
		return 0;
	}
	size_t need = b->len + more + 1;
	if (need <= b->cap)
		return 1;
	size_t cap = b->cap ? b->cap : 64;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	uint8_t *data = realloc(b->data, cap);
	if (!data) {
		b->err = HT_NOMEM;
		return 0;
	}
	b->data = data;
	b->cap = cap;
	return 1;
}

void ht_buf_put(struct ht_buf *b, const void *bytes, size_t len)
{
	if (!reserve(b, len))
		return;
	if (len)
		memcpy(b->data + b->len, bytes, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void ht_buf_puts(struct ht_buf *b, const char *text)
{
	ht_buf_put(b, text, strlen(text));
}

void ht_buf_printf(struct ht_buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || !reserve(b, (size_t)n))
		return;
	va_start(ap, fmt);
	vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

ht_err ht_buf_err(const struct ht_buf *b)
{
	return b->err;
}

const char *ht_buf_text(const struct ht_buf *b)
{
	return b->data && b->len ? (const char *)b->data : "";
}

char *ht_buf_steal(struct ht_buf *b)
{
	if (!reserve(b, 0))
		return NULL;
	char *out = (char *)b->data;
	out[b->len] = '\0';
	*b = (struct ht_buf){ .max = b->max };
	return out;
}
