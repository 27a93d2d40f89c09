/* What a link hangs on: every id that is told is one. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/name.h"
#include "server/registry/parents.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static ht_err each(void *arg, const char *id)
{
	assert(ht_id_valid(id, HT_ID_MAX));
	return HT_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char text[1024];
	struct ht_fault fault;

	if (len >= sizeof(text))
		return 0;
	memcpy(text, bytes, len);
	text[len] = '\0';
	ht_err err = parents_walk(text, each, NULL, &fault);
	assert(err == HT_OK || err == HT_MALFORMED);
	return 0;
}
