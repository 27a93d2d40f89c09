#include "tests/fuzz/mqtt/senml_round.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return senml_fuzz(SENML_CBOR, data, size);
}
