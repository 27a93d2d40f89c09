/* The fields of a grant, as lines "key=value": what is taken keeps to its limits. */
#include <stdlib.h>
#include <string.h>

#include "probes/wan/throughput/grant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *line, *rest = text;
	struct probe_field fields[16];
	struct probe_answer a = { .why = "", .fields = fields };
	struct grant g;

	memcpy(text, data, size);
	text[size] = '\0';
	while ((line = strsep(&rest, "\n")) && a.n_fields < 16) {
		char *value = strchr(line, '=');

		if (!value)
			continue;
		*value++ = '\0';
		fields[a.n_fields++] = (struct probe_field){ line, value };
	}
	if (!grant_read(&a, &g) &&
	    (!g.slot[0] || g.bytes < 1 || g.seconds < 1 ||
		(g.token[0] && (!grant_url_fits(g.url) || strpbrk(g.url, "\r\n ?#")))))
		abort();
	if (grant_wait_s(&a) < 0 ||
	    (grant_now_ms(&a) < 0 && grant_now_ms(&a) != INT64_MIN))
		abort();
	free(text);
	return 0;
}
