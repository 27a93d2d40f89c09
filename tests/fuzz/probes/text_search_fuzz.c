#include <stdlib.h>
#include <string.h>

#include "probes/wan/service/text_search.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Length of the text, size of the pieces, the text, the stream: as memmem sees it. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct text_search s;

	if (len < 2 || !bytes[0] || (size_t)bytes[0] + 2 > len)
		return 0;
	const uint8_t *text = bytes + 2, *stream = text + bytes[0];
	size_t left = len - 2 - bytes[0], piece = bytes[1] ? bytes[1] : 1;

	text_search_init(&s, text, bytes[0]);
	for (size_t at = 0; at < left; at += piece)
		text_search_feed(&s, stream + at, left - at < piece ? left - at : piece);
	if (s.found != (left && memmem(stream, left, text, bytes[0])))
		abort();
	return 0;
}
