/* selftest: 1, 2, 3 … one more each run, remembered durably together with the reading.
 * Whatever is killed and whatever link is cut, the server's journal and the reported
 * gaps must together hold the whole sequence: this is how that is proven, in tests and
 * in the field. It measures nothing and sends nothing. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "probes/probe.h"

struct selftest_options {
	int64_t count;
};

struct selftest_run {
	char unused;
};

static const struct ht_option rows[] = {
	{ "count", HT_OPT_INT, offsetof(struct selftest_options, count), .min = 1,
	    .max = 100, .def = "1", .help = "numbers given in one run" },
};
static const struct ht_options options = HT_OPTIONS(struct selftest_options, rows);

/* The last number given, as decimal text; 0 when there was none. */
static uint64_t last_number(const struct probe_host *host)
{
	size_t len = 0;
	const char *bytes = host->recall(host, &len);
	uint64_t n = 0;

	for (size_t i = 0; i < len && bytes[i] >= '0' && bytes[i] <= '9'; i++)
		n = n * 10 + (uint64_t)(bytes[i] - '0');
	return n;
}

static ht_err start(void *run, const void *opts, const struct probe_host *host)
{
	const struct selftest_options *o = opts;
	uint64_t n = last_number(host);
	char text[24];

	/* Remember first: a number whose memory is refused must not be given. */
	int len = snprintf(text, sizeof(text), "%" PRIu64, n + (uint64_t)o->count);
	ht_err err = host->remember(host, text, (size_t)len);
	if (err)
		return err;
	for (int64_t i = 0; i < o->count; i++) {
		struct ht_reading r = {
			.metric = HT_M_SELFTEST_COUNT,
			.instance = host->instance,
			.at_ns = ht_mono_ns(),
			.counter = ++n,
		};
		host->emit(host, &r);
	}
	host->done(host);
	return HT_OK;
}

static void cancel(void *run, void (*closed)(void *arg), void *arg)
{
	closed(arg);
}

static const enum ht_metric metrics[] = { HT_M_SELFTEST_COUNT };

extern const struct probe_ops probe_selftest;
const struct probe_ops probe_selftest = {
	.name = "selftest",
	.help = "counts 1, 2, 3 … durably: proves that nothing is lost on the way",
	.metrics = metrics,
	.n_metrics = HT_COUNT(metrics),
	.options = &options,
	.run_size = sizeof(struct selftest_run),
	.start = start,
	.cancel = cancel,
};
