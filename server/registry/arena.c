#include "server/registry/arena.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 65536 };

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, cap;
	char bytes[];
};

static struct arena_chunk *chunk_for(struct arena *a, size_t len)
{
	size_t cap = len > CHUNK_BYTES ? len : CHUNK_BYTES;

	if (a->chunks && a->chunks->cap - a->chunks->used >= len)
		return a->chunks;
	struct arena_chunk *c = malloc(sizeof(*c) + cap);
	if (!c)
		return NULL;
	*c = (struct arena_chunk){ .next = a->chunks, .cap = cap };
	a->chunks = c;
	return c;
}

const char *arena_text(struct arena *a, const char *text)
{
	if (!text)
		return NULL;
	size_t len = strlen(text) + 1;
	struct arena_chunk *c = chunk_for(a, len);
	if (!c)
		return NULL;
	char *copy = memcpy(c->bytes + c->used, text, len);
	c->used += len;
	return copy;
}

void arena_fini(struct arena *a)
{
	while (a->chunks) {
		struct arena_chunk *next = a->chunks->next;
		free(a->chunks);
		a->chunks = next;
	}
}
