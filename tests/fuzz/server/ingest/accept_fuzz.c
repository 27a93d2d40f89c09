/* topic NUL content-type NUL flags payload */
#include <stdlib.h>
#include <string.h>

#include "server/ingest/accept.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul, *type, *flags;
	static struct accept out;

	if (!size || !(nul = memchr(data, 0, size)))
		return 0;
	type = nul + 1;
	nul = memchr(type, 0, size - (size_t)(type - data));
	if (!nul || nul + 1 == data + size)
		return 0;
	flags = nul + 1;
	struct client_message m = {
		.topic = (const char *)data,
		.content_type = (const char *)type,
		.payload = flags + 1,
		.len = size - (size_t)(flags + 1 - data),
		.retained = *flags & 1,
		.props_bad = *flags & 2,
	};
	if (accept_message(&m, 1, &out))
		return 0;
	if (out.kind == ACCEPT_GARBAGE && !out.garbage.reason)
		abort();
	if (out.kind == ACCEPT_DATA && strcmp(out.row.agent, out.topic.id) != 0)
		abort();
	return 0;
}
