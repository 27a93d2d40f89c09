#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt/topic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What parses, formats to the very same text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[TOPIC_MAX];
	struct topic t;

	if (topic_parse((const char *)data, size, &t))
		return 0;
	topic_format(t.id, t.leaf, text);
	if (strlen(text) != size || memcmp(text, data, size) != 0)
		abort();
	return 0;
}
