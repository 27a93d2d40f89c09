#include <stdlib.h>

#include "server/score/definition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct catalogue *c = NULL;
	struct ht_fault fault = { 0 };

	if (catalogue_parse("f", data, size, &c, &fault) && !fault.text[0])
		abort(); /* a refusal says why */
	catalogue_free(c);
	return 0;
}
