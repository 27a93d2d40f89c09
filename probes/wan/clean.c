#include "probes/wan/clean.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"

void clean_copy(const void *bytes, size_t len, char *out, size_t cap)
{
	const uint8_t *p = bytes;
	size_t at = 0, i = 0;

	while (i < len) {
		size_t n = ht_utf8_letter(p + i, len - i);

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
