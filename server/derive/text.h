/* Text that was cut off at a number of bytes, made whole again: a letter of UTF-8 of
 * which a part is left at the end goes with it. */
#ifndef HT_SERVER_DERIVE_TEXT_H
#define HT_SERVER_DERIVE_TEXT_H

#include <string.h>

static inline void text_whole(char *text)
{
	size_t n = strlen(text), k = n;

	while (k > 0 && ((unsigned char)text[k - 1] & 0xc0) == 0x80)
		k--;
	if (k == 0 || (unsigned char)text[k - 1] < 0xc0)
		return; /* ASCII, or no UTF-8 at all */
	unsigned char lead = (unsigned char)text[k - 1];
	size_t want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
	if (n - (k - 1) < want)
		text[k - 1] = '\0';
}

#endif
