#include <stdlib.h>
#include <string.h>

#include "server/derive/gap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct gap g;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (!gap_parse(text, &g) &&
	    (g.first_seq < 1 || g.first_seq > g.last_seq || !g.reason[0]))
		abort();
	free(text);
	return 0;
}
