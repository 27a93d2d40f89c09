#include "base/utf8.h"

#include "base/err.h"

enum { DEL = 0x7f, C1_LEAD = 0xc2, C1_END = 0x9f };

/* Where the first byte decides how many follow, and what the second may be. */
static const struct {
	uint8_t from, to, second_from, second_to, len;
} forms[] = {
	{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
	{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
	{ 0xe1, 0xec, 0x80, 0xbf, 3 },
	{ 0xed, 0xed, 0x80, 0x9f, 3 },
	{ 0xee, 0xef, 0x80, 0xbf, 3 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
	{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
	{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

size_t ht_utf8_len(const uint8_t *p, size_t left)
{
	if (left == 0)
		return 0;
	if (p[0] < 0x80)
		return 1;
	for (size_t i = 0; i < HT_COUNT(forms); i++) {
		if (p[0] < forms[i].from || p[0] > forms[i].to)
			continue;
		if (forms[i].len > left || p[1] < forms[i].second_from ||
		    p[1] > forms[i].second_to)
			return 0;
		for (size_t k = 2; k < forms[i].len; k++) {
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		}
		return forms[i].len;
	}
	return 0;
}

size_t ht_utf8_letter(const uint8_t *p, size_t left)
{
	size_t n = ht_utf8_len(p, left);

	if (n == 1)
		return p[0] >= ' ' && p[0] != DEL;
	return n == 2 && p[0] == C1_LEAD && p[1] <= C1_END ? 0 : n;
}

bool ht_utf8_valid(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len;) {
		size_t n = ht_utf8_len(p + i, len - i);

		if (n == 0)
			return false;
		i += n;
	}
	return true;
}
