#include "probes/wan/clean.h"

#include <stdint.h>
#include <string.h>

/* Bytes of the letter at `p`, 0 when there is none. */
static size_t letter(const uint8_t *p, size_t left)
{
	/* first byte from, to; second byte from, to; RFC 3629 section 4 */
	static const struct {
		uint8_t from, to, low, high, len;
	} rows[] = {
		{ 0x20, 0x7e, 0x00, 0x00, 1 },
		{ 0xc2, 0xc2, 0xa0, 0xbf, 2 }, /* without C1 controls */
		{ 0xc3, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = rows[i].len;

		if (p[0] < rows[i].from || p[0] > rows[i].to || n > left)
			continue;
		if (n > 1 && (p[1] < rows[i].low || p[1] > rows[i].high))
			continue;
		for (size_t k = 2; k < n; k++) {
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		}
		return n;
	}
	return 0;
}

void clean_copy(const void *bytes, size_t len, char *out, size_t cap)
{
	const uint8_t *p = bytes;
	size_t at = 0, i = 0;

	while (i < len) {
		size_t n = letter(p + i, len - i);

		if (at + (n ? n : 1) >= cap)
			break;
		if (n)
			memcpy(out + at, p + i, n);
		else
			out[at] = '?';
		at += n ? n : 1;
		i += n ? n : 1;
	}
	out[at] = '\0';
}
