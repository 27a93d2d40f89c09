/* One direction of a test: several transfers in parallel, watched until the rate is known
 * well enough or a ceiling is reached. What is counted is what TCP has delivered, by the
 * kernel's own account (tcpi_bytes_received down, tcpi_bytes_acked up), so neither the
 * local socket buffer nor the loop's delays are in it; TLS records and HTTP heads are.
 *
 * Life: load_start, then `done` once from the loop, unless load_close comes before;
 * load_close in every case. */
#ifndef HT_PROBES_WAN_LOAD_H
#define HT_PROBES_WAN_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "probes/wan/throughput/rate_estimate.h"

enum { LOAD_STREAMS_MAX = 16, LOAD_URL_MAX = 300, LOAD_WHY_MAX = 160 };

struct load;

/* All copied. */
struct load_config {
	const char *url;
	bool up;           /* PUT what we make up; else GET */
	bool sized;        /* the URL takes ?bytes=N: the server's endpoint */
	const char *token; /* NULL: none */
	const char *ca_file;
	int streams, streams_most;
	int64_t bytes; /* that it may cost */
	int64_t until_ns;
	double precision; /* a share of the rate */
};

struct load_result {
	bool known; /* there is an estimate */
	struct rate_estimate rate;
	int64_t bytes;
	int streams;
	char why[LOAD_WHY_MAX]; /* "": it went well; one sentence without a dot */
};

HT_MUST_CHECK ht_err load_start(uv_loop_t *loop, const struct load_config *config,
    void (*done)(void *arg, const struct load_result *result), void *arg,
    struct load **out);

/* What it has cost so far. */
int64_t load_bytes(const struct load *l);

/* End it; `closed` from the loop, after which it is freed. */
void load_close(struct load *l, void (*closed)(void *arg), void *arg);

#endif
