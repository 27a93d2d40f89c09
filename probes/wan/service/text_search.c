#include "probes/wan/service/text_search.h"

#include <assert.h>

void text_search_init(struct text_search *s, const void *text, size_t len)
{
	assert(len >= 1 && len <= TEXT_SEARCH_MAX);
	s->text = text;
	s->len = len;
	s->at = 0;
	s->found = false;
	s->back[0] = 0;
	for (size_t i = 1, k = 0; i < len; i++) {
		while (k && s->text[i] != s->text[k])
			k = s->back[k - 1];
		k += s->text[i] == s->text[k];
		s->back[i] = (uint16_t)k;
	}
}

void text_search_feed(struct text_search *s, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len && !s->found; i++) {
		while (s->at && p[i] != s->text[s->at])
			s->at = s->back[s->at - 1];
		s->at += p[i] == s->text[s->at];
		s->found = s->at == s->len;
	}
}
