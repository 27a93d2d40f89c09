/* Many small texts that live and die together. */
#ifndef HT_SERVER_REGISTRY_ARENA_H
#define HT_SERVER_REGISTRY_ARENA_H

#include <stddef.h>

struct arena {
	struct arena_chunk *chunks;
};

/* A copy that lives until arena_fini; NULL for NULL, or when memory is out. */
const char *arena_text(struct arena *a, const char *text);
void arena_fini(struct arena *a); /* accepts a zeroed one */

#endif
