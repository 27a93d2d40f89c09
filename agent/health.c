#include "agent/health.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

/* NTP slews by at most 0.05 %: a second in a second is a jump. */
#define JUMP_MS 1000

int64_t health_private_dirty(pid_t pid)
{
	char path[64], line[128];
	int64_t kib = 0;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	FILE *f = fopen(path, "r");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, "Private_Dirty:", 14) == 0)
			kib = strtoll(line + 14, NULL, 10);
	}
	fclose(f);
	return kib * 1024;
}

static void say_number(struct agent *a, enum ht_metric m, double number)
{
	struct ht_reading r = {
		.metric = m, .instance = "self", .at_ns = ht_mono_ns(), .number = number
	};

	collect_put(a->collect, &r);
}

static void say_counter(
    struct agent *a, enum ht_metric m, const char *instance, uint64_t n)
{
	struct ht_reading r = {
		.metric = m, .instance = instance, .at_ns = ht_mono_ns(), .counter = n
	};

	collect_put(a->collect, &r);
}

static void report_probes(struct agent *a)
{
	const struct schedule_job *job;

	for (size_t i = 0; (job = runner_job(a->runner, i)); i++) {
		if (job->skipped)
			say_counter(a, HT_M_AGENT_PROBE_SKIPPED, job->id, job->skipped);
	}
}

void health_report(struct agent *a)
{
	int64_t memory = health_private_dirty(getpid());

	if (a->monitor)
		memory += health_private_dirty(monitor_pid(a->monitor));
	agent_say(a, HT_M_AGENT_VERSION, HATANG_VERSION);
	agent_say(a, HT_M_AGENT_CONFIG_HASH, a->options->approved_hash);
	agent_say(a, HT_M_AGENT_CLOCK, a->clock_synchronised ? "synchronised" : "free");
	say_number(a, HT_M_AGENT_QUEUED, (double)a->stats.packs);
	say_number(a, HT_M_AGENT_OLDEST, (double)a->stats.oldest_age_ns / HT_NS_PER_S);
	say_counter(a, HT_M_AGENT_DROPPED, "self", (uint64_t)a->stats.dropped);
	if (memory > 0)
		say_number(a, HT_M_AGENT_MEMORY, (double)memory);
	report_probes(a);
}

static void clock_jumped(struct agent *a, int64_t by_ms)
{
	char text[64];

	snprintf(text, sizeof(text), "jumped %+" PRId64 ".%03d", by_ms / 1000,
	    (int)(llabs(by_ms) % 1000));
	ht_log_warn("clock.jump", "seconds=%" PRId64, by_ms / 1000);
	agent_say(a, HT_M_AGENT_CLOCK, text);
}

void health_clock(struct agent *a)
{
	struct spool_now now;

	agent_clock(a, &now);
	int64_t offset = now.wall_ms - now.mono_ns / HT_NS_PER_MS;
	int64_t by = offset - a->clock_offset_ms;
	bool jumped = a->clock_known && llabs(by) > JUMP_MS;
	bool changed = a->clock_known && a->clock_synchronised != now.synchronised;

	if (jumped)
		clock_jumped(a, by);
	a->clock_offset_ms = offset;
	a->clock_synchronised = now.synchronised;
	a->clock_known = true;
	if (changed)
		agent_say(
		    a, HT_M_AGENT_CLOCK, now.synchronised ? "synchronised" : "free");
	/* The server dates relative times by our presence. */
	if ((changed || jumped) && a->publish)
		publish_presence(a->publish);
}
