/* A list of targets that is read is written again byte for byte. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/targets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(what)               \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ht_targets t;
	struct ht_buf b;

	if (ht_targets_parse((const char *)data, size, &t, NULL))
		return 0;
	ht_buf_init(&b, HT_TARGETS_BYTES_MAX);
	ht_targets_format(&t, &b);
	MUST(!ht_buf_err(&b) && b.len == size && memcmp(b.data, data, size) == 0);
	for (size_t i = 0; i < t.n; i++) {
		MUST(ht_targets_find(&t, t.at[i].id) == i);
		for (size_t k = 0; k < t.at[i].n_parents; k++)
			MUST(t.at[i].parents[k] < t.n && t.at[i].parents[k] != i);
	}
	ht_buf_fini(&b);
	ht_targets_fini(&t);
	return 0;
}
