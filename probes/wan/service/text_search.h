/* Whether a text comes by in a stream of pieces, wherever they are cut: Knuth, Morris and
 * Pratt's automaton. Pure; its memory does not grow with the stream. */
#ifndef HT_PROBES_WAN_TEXT_SEARCH_H
#define HT_PROBES_WAN_TEXT_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_SEARCH_MAX 1024 /* bytes of the text that is looked for */

struct text_search {
	const uint8_t *text; /* borrowed */
	size_t len, at;      /* of it, `at` bytes are seen */
	bool found;
	uint16_t back[TEXT_SEARCH_MAX]; /* where to go on after a mismatch */
};

/* `len` is 1..TEXT_SEARCH_MAX. */
void text_search_init(struct text_search *s, const void *text, size_t len);
void text_search_feed(struct text_search *s, const void *bytes, size_t len);

#endif
