/* Runs a probe in a test: a real loop, a fake host, a fake monitor, and every reading
 * kept. Not thread-safe; asserts (cmocka) on misuse and on broken promises (`done`
 * twice, a metric that the probe did not declare, a call after cancel).
 *
 *     struct runner *r = runner_new();
 *     runner_run(r, &probe_icmp, "bat-xat-wan", "target: 127.0.0.1", 5 * HT_NS_PER_S);
 *     assert_string_equal(runner_string(r, HT_M_ICMP_STATUS, "bat-xat-wan"), "ok");
 *     runner_free(r); */
#ifndef HT_TESTS_UNIT_PROBES_RUNNER_H
#define HT_TESTS_UNIT_PROBES_RUNNER_H

#include <stdbool.h>
#include <uv.h>

#include "probes/probe.h"

struct runner_reading {
	enum ht_metric metric;
	char *instance;
	int64_t at_ns;
	double number;    /* HT_NUMBER */
	uint64_t counter; /* HT_COUNTER */
	char *string;     /* HT_STRING, else NULL */
	bool boolean;     /* HT_BOOL */
};

struct runner {
	uv_loop_t loop;
	struct probe_host host;
	struct probe_site site; /* set it before the run; empty at first */
	const struct probe_ops *ops;
	struct runner_reading *readings;
	size_t n_readings;
	bool done, cancelled;     /* of the last run */
	size_t asked[16];         /* by enum probe_privilege */
	bool raw;                 /* the socket that was granted last is a raw one */
	size_t remembered;        /* how often, since runner_new */
	struct runner_fake *fake; /* the runner's own */
};

struct runner *runner_new(void);
void runner_free(struct runner *r);

/* What the fake monitor answers from now on: an error, or bytes (copied), or what `open`
 * returns (a descriptor or -errno; called for each ask). Before that: ICMP sockets are
 * opened for real, all else is HT_DENIED. */
void runner_grant_err(struct runner *r, enum probe_privilege what, ht_err err);
void runner_grant_bytes(struct runner *r, enum probe_privilege what, const char *bytes);
void runner_grant_fd(struct runner *r, enum probe_privilege what,
    int (*open)(void *arg, const char *name), void *arg, bool raw);

/* The server that answers questions from now on (before that: HT_UNSUPPORTED). `serve`
 * fills `out`, whose texts live until the next question; its `err` HT_AGAIN refuses the
 * question itself; HT_TIMEOUT without `why` never answers. */
typedef void (*runner_serve)(void *arg, const char *request,
    const struct probe_field *fields, size_t n, struct probe_answer *out);
void runner_server(struct runner *r, runner_serve serve, void *arg);

/* One run: reads the options from YAML text ("" for none), starts, runs the loop until
 * `done` or until `timeout_ns` is over (then cancels, as the scheduler does), cancels,
 * and waits until it is closed. Readings of earlier runs are dropped; what the probe
 * remembered stays. False when start failed. */
bool runner_run(struct runner *r, const struct probe_ops *ops, const char *instance,
    const char *yaml, int64_t timeout_ns);

/* The same in steps, for tests that do things meanwhile on r->loop. */
bool runner_start(struct runner *r, const struct probe_ops *ops, const char *instance,
    const char *yaml, int64_t timeout_ns);
void runner_cancel(struct runner *r); /* and wait until it is closed */

/* site.targets is another list: tell the run that is under way. */
ht_err runner_relist(struct runner *r);

/* Readings by metric and instance (NULL: any); find returns NULL when there is none, the
 * others assert that there is one of that kind. */
const struct runner_reading *runner_find(
    const struct runner *r, enum ht_metric m, const char *instance);
size_t runner_count(const struct runner *r, enum ht_metric m);
double runner_number(const struct runner *r, enum ht_metric m, const char *instance);
uint64_t runner_counter(const struct runner *r, enum ht_metric m, const char *instance);
const char *runner_string(const struct runner *r, enum ht_metric m, const char *instance);

#endif
