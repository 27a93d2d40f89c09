/* Runs the probe snmp.fleet over devices of the loopback (tests/bench/snmp_responder.c)
 * and counts what it makes. For tests/bench/snmp.
 *
 *   snmp_fleet_bench DEVICES SECONDS PORT [YAML]
 *
 * DEVICES is their number, or a file with their addresses. SECONDS 0: until each was
 * polled once. YAML: options of the probe beside `devices`; without credentials the
 * community is public. Prints one JSON object. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <uv.h>

#include "agent/memories.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/yaml.h"
#include "probes/probe.h"

enum { DEVICES_A_NET = 250, TEXT_MAX = 256, DEVICES_MAX = 20000, ONCE_S = 20 };

struct seen { /* of one device */
	int64_t first_ns, last_ns, gap_ns;
	unsigned whole, polls;
	double round_trips;
};

static struct seen *seen;
static size_t n_devices, n_polled;
static char (*addresses)[HT_ADDR_TEXT]; /* NULL: 127.1.x.y */
static bool once;
static uint64_t readings, whole_polls;
static int64_t started_ns, all_ns;
static size_t n_whole;
static uv_timer_t end, pulse;
static double round_trips;

static void on_emit(const struct probe_host *host, const struct ht_reading *r)
{
	readings++;
	if (r->metric == HT_M_SNMP_ROUND_TRIPS)
		round_trips += r->number;
	if (r->metric != HT_M_SNMP_STATUS)
		return;
	size_t i = strtoul(r->instance + 1, NULL, 10);
	struct seen *s = &seen[i < n_devices ? i : 0];
	int64_t now = ht_mono_ns();

	n_polled += s->polls++ == 0;
	if (once && n_polled == n_devices)
		uv_stop(host->loop);
	if (strcmp(r->string, "ok") != 0)
		return;
	whole_polls++;
	if (s->whole++ == 0) {
		s->first_ns = now;
		n_whole++;
		all_ns = now;
	} else if (now - s->last_ns > s->gap_ns) {
		s->gap_ns = now - s->last_ns;
	}
	s->last_ns = now;
}

static void on_done(const struct probe_host *host)
{
	(void)host;
}

static const void *on_recall(const struct probe_host *host, size_t *out_len)
{
	(void)host;
	*out_len = 0;
	return NULL;
}

/* The agent's own store, without its spool. */
static struct memories memories;

static const void *on_recall_of(
    const struct probe_host *host, const char *key, size_t *out_len)
{
	(void)host;
	return memories_get(&memories, key, out_len);
}

static ht_err on_remember_of(
    const struct probe_host *host, const char *key, const void *bytes, size_t len)
{
	(void)host;
	return memories_put(&memories, key, bytes, len, true);
}

static void on_closed(void *arg)
{
	(void)arg;
}

static double cpu_s(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static long memory_kib(const char *key)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[TEXT_MAX];
	long kib = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, strlen(key)) == 0)
			kib = strtol(line + strlen(key), NULL, 10);
	}
	if (f)
		fclose(f);
	return kib;
}

static void on_end(uv_timer_t *timer)
{
	uv_stop(timer->loop);
}

/* Memory over time, on stderr. */
static void on_pulse(uv_timer_t *timer)
{
	(void)timer;
	fprintf(stderr, "%5.0f s  cpu %.2f s  rss %ld KiB  whole polls %" PRIu64 "\n",
	    (double)(ht_mono_ns() - started_ns) / HT_NS_PER_S, cpu_s(),
	    memory_kib("VmRSS:"), whole_polls);
}

static void put_devices(struct ht_buf *b, const char *port, const char *more)
{
	bool own = more && strstr(more, "credentials:");

	ht_buf_printf(b, "{port: %s%s%s%s, devices: [", port,
	    own ? "" : ", credentials: [{name: all}]", more ? ", " : "",
	    more ? more : "");
	for (size_t i = 0; i < n_devices; i++) {
		ht_buf_printf(b, "%s{id: d%05zu, address: ", i ? ", " : "", i);
		if (addresses)
			ht_buf_printf(b, "%s}", addresses[i]);
		else
			ht_buf_printf(b, "127.1.%zu.%zu}", i / DEVICES_A_NET,
			    i % DEVICES_A_NET + 1);
	}
	ht_buf_printf(b, "]}");
}

static void read_devices(const char *arg)
{
	FILE *f = fopen(arg, "r");

	if (!f) {
		n_devices = strtoul(arg, NULL, 10);
		return;
	}
	addresses = calloc(DEVICES_MAX, sizeof(*addresses));
	while (n_devices < DEVICES_MAX && fscanf(f, "%63s", addresses[n_devices]) == 1)
		n_devices++;
	fclose(f);
}

static void report(double cpu)
{
	int64_t gap = 0;
	size_t never = 0;

	for (size_t i = 0; i < n_devices; i++) {
		if (seen[i].gap_ns > gap)
			gap = seen[i].gap_ns;
		never += seen[i].whole == 0;
	}
	printf("{\"devices\": %zu, \"whole\": %zu, \"never_whole\": %zu, \"polls\": "
	       "%" PRIu64 ", \"readings\": %" PRIu64 ", \"requests\": %.0f, "
	       "\"cpu_s\": %.3f, \"all_whole_after_s\": %.2f, \"longest_gap_s\": %.2f, "
	       "\"peak_kib\": %ld, \"end_kib\": %ld}\n",
	    n_devices, n_whole, never, whole_polls, readings, round_trips, cpu,
	    (double)(all_ns - started_ns) / HT_NS_PER_S, (double)gap / HT_NS_PER_S,
	    memory_kib("VmHWM:"), memory_kib("VmRSS:"));
}

int main(int argc, char **argv)
{
	const struct probe_ops *ops = probe_find("snmp.fleet");
	struct ht_fault fault = { 0 };
	struct ht_yaml y = { 0 };
	struct ht_buf text;
	struct probe_site site = { 0 };
	uv_loop_t loop;

	if (argc < 4)
		return 2;
	read_devices(argv[1]);
	once = strtod(argv[2], NULL) <= 0;
	seen = calloc(n_devices, sizeof(*seen));
	void *run = calloc(1, ops->run_size), *options = calloc(1, ops->options->size);

	ht_buf_init(&text, 16 << 20);
	put_devices(&text, argv[3], argc > 4 ? argv[4] : NULL);
	if (ht_yaml_parse("bench", ht_buf_text(&text), text.len, &y, &fault) ||
	    ht_options_load(ops->options, NULL, y.root, options, &fault) ||
	    ops->check(options, y.root, &fault)) {
		fprintf(stderr, "%s\n", fault.text);
		return 1;
	}
	uv_loop_init(&loop);
	if (memories_init(&memories, MEMORIES_MAX, MEMORIES_BYTES_MAX))
		return 1;
	const struct probe_host host = { .loop = &loop,
		.deadline_ns = once ? ht_mono_ns() + ONCE_S * HT_NS_PER_S : INT64_MAX,
		.instance = "bench",
		.emit = on_emit,
		.done = on_done,
		.recall = on_recall,
		.recall_of = on_recall_of,
		.remember_of = on_remember_of,
		.site = &site };
	double before = cpu_s();

	started_ns = ht_mono_ns();
	if (ops->start(run, options, &host))
		return 1;
	uv_timer_init(&loop, &end);
	uv_timer_init(&loop, &pulse);
	uv_timer_start(
	    &end, on_end, (uint64_t)((once ? ONCE_S : strtod(argv[2], NULL)) * 1000), 0);
	uv_timer_start(&pulse, on_pulse, 10000, 10000);
	uv_run(&loop, UV_RUN_DEFAULT);
	report(cpu_s() - before);
	uv_close((uv_handle_t *)&end, NULL);
	uv_close((uv_handle_t *)&pulse, NULL);
	ops->cancel(run, on_closed, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_loop_close(&loop);
	ht_options_fini(ops->options, options);
	ht_yaml_fini(&y);
	ht_buf_fini(&text);
	free(run);
	free(options);
	free(seen);
	free(addresses);
	memories_fini(&memories);
	return 0;
}
