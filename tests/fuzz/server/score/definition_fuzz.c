#include <stdlib.h>
#include <string.h>

#include "server/score/definition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct definition *d = NULL;
	struct ht_fault fault = { 0 };

	if (definition_parse("f", data, size, &d, &fault)) {
		if (!fault.text[0])
			abort(); /* a refusal says why */
		return 0;
	}
	if (!definition_find(d, "computers") || !definition_find(d, "security"))
		abort();
	definition_factor(d, "ftth");
	definition_free(d);
	return 0;
}
