/* A histogram's text: what is read is written again byte by byte, and merges. */
#include <stdlib.h>
#include <string.h>

#include "base/hist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[HT_HIST_TEXT];
	struct ht_hist h, twice;

	if (ht_hist_decode((const char *)data, size, &h))
		return 0;
	if (ht_hist_encode(&h, text) != size || memcmp(text, data, size) != 0)
		abort();
	if ((ht_hist_count(&h) == 0) != (ht_hist_quantile_ns(&h, 0.5) < 0))
		abort();
	twice = h;
	ht_hist_merge(&twice, &h);
	if (ht_hist_count(&twice) < ht_hist_count(&h))
		abort();
	return 0;
}
