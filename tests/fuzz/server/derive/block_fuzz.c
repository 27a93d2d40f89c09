/* What decodes encodes to the same bytes: a block has one encoding. */
#include <stdlib.h>
#include <string.h>

#include "server/derive/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct block b = { 0 };
	struct ht_buf out;

	if (block_decode(0, data, size, &b))
		return 0;
	ht_buf_init(&out, BLOCK_BYTES_MAX);
	if (block_encode(&b, &out) || out.len != size ||
	    memcmp(out.data, data, size) != 0)
		abort();
	for (size_t i = 1; i < b.n; i++) {
		if (b.points[i - 1].at_ms >= b.points[i].at_ms)
			abort();
	}
	ht_buf_fini(&out);
	block_fini(&b);
	return 0;
}
