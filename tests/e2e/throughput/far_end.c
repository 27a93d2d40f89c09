/* far_end ADDRESS BYTES SECONDS [CERT KEY]: the endpoint alone with one pass; prints
 * "PORT TOKEN" and serves until its stdin ends. Then prints what the pass carried, and
 * the CPU seconds that it took. FAR_END_GRACE_MS: what a connection without a pass has.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "server/throughput/endpoint.h"

int main(int argc, char **argv)
{
	struct endpoint *e = NULL;
	struct ht_fault fault = { 0 };
	struct rusage used;
	char token[ENDPOINT_TOKEN_HEX + 1];

	const char *grace_ms = getenv("FAR_END_GRACE_MS");

	if (argc < 4)
		return HT_EXIT_USAGE;
	const struct endpoint_options o = {
		.address = argv[1],
		.cert_file = argc > 5 ? argv[4] : NULL,
		.key_file = argc > 5 ? argv[5] : NULL,
		.grace_ns = grace_ms ? strtoll(grace_ms, NULL, 10) * HT_NS_PER_MS : 0,
	};
	int64_t bytes = strtoll(argv[2], NULL, 10), seconds = strtoll(argv[3], NULL, 10);
	if (endpoint_start(&o, &e, &fault) ||
	    endpoint_allow(e, 1, bytes, ht_mono_ns() + seconds * HT_NS_PER_S, token)) {
		fprintf(stderr, "%s\n", fault.text);
		return HT_EXIT_FAILURE;
	}
	printf("%u %s\n", (unsigned)endpoint_port(e), token);
	fflush(stdout);
	while (getchar() != EOF)
		;
	getrusage(RUSAGE_SELF, &used);
	printf("%lld %.3f\n", (long long)endpoint_end(e, 1),
	    (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
		(double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
	endpoint_stop(e);
	return HT_EXIT_OK;
}
