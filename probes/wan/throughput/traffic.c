#include "probes/wan/throughput/traffic.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* "  eth0: 123 1 0 0 0 0 0 0 456 …": bytes in are the first figure, out the ninth. */
static int read_line(
    const char *line, char name[TRAFFIC_NAME], uint64_t *in, uint64_t *out)
{
	return sscanf(line, " %15[^: ]: %" SCNu64 " %*u %*u %*u %*u %*u %*u %*u %" SCNu64,
		   name, in, out) == 3;
}

void traffic_read(const char *text, struct traffic *out)
{
	out->n = 0;
	while (*text && out->n < TRAFFIC_INTERFACES_MAX) {
		char name[TRAFFIC_NAME];
		uint64_t in, sent;

		if (read_line(text, name, &in, &sent) && strcmp(name, "lo") != 0) {
			memcpy(out->at[out->n].name, name, sizeof(name));
			out->at[out->n].in = in;
			out->at[out->n++].out = sent;
		}
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
}

static uint64_t grown(uint64_t before, uint64_t after)
{
	return after > before ? after - before : 0;
}

double traffic_between(
    const struct traffic *before, const struct traffic *after, int64_t ns)
{
	uint64_t most = 0;

	for (size_t i = 0; i < after->n; i++) {
		for (size_t k = 0; k < before->n; k++) {
			if (strcmp(after->at[i].name, before->at[k].name) != 0)
				continue;
			uint64_t in = grown(before->at[k].in, after->at[i].in);
			uint64_t out = grown(before->at[k].out, after->at[i].out);

			most = in > most ? in : most;
			most = out > most ? out : most;
		}
	}
	return ns > 0 ? (double)most * 8 * 1e9 / (double)ns : 0;
}
