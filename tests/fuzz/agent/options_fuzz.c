/* The agent's configuration from any bytes: accepted or refused with a sentence, never
 * more. Also the approved configuration, which comes over the network. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct options *o = NULL;
	struct ht_fault fault = { 0 };

	if (size > 64 * 1024)
		return 0;
	ht_err err = options_parse("fuzz.yaml", data, size, &o, &fault);
	assert(!err == (o != NULL));
	assert(err != HT_CONFIG || fault.text[0] != '\0');
	for (size_t i = 0; o && i < o->n_probes; i++)
		assert(o->probes[i].every_ns > 0 && o->probes[i].timeout_ns > 0);
	options_free(o);
	return 0;
}
