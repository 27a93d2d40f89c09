/* hatang-agent probe NAME: one run now. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/oneshot.h"
#include "agent/options.h"
#include "agent/rights.h"
#include "agent/verb.h"
#include "base/secret.h"
#include "base/name.h"

#define SETS_MAX 64

/* The answers that monitoring plugins give. */
enum { NAGIOS_OK, NAGIOS_WARNING, NAGIOS_CRITICAL, NAGIOS_UNKNOWN };

struct args {
	const char *file, *name;
	bool json, nagios, file_given;
	char *sets[SETS_MAX];
	size_t n_sets;
	char target[512];
};

static void usage(FILE *to)
{
	fputs("usage: hatang-agent probe NAME [--target T] [--set key=value]… [--json] "
	      "[--nagios]"
	      " [--config FILE]\n\n"
	      "NAME is a probe, or the id of one in the configuration.\n",
	    to);
	for (size_t i = 0; i < probe_registry_len; i++)
		fprintf(
		    to, "  %-18s %s\n", probe_registry[i]->name, probe_registry[i]->help);
}

static int parse(int argc, char **argv, struct args *a)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "nagios", no_argument, NULL, 'n' },
		{ "target", required_argument, NULL, 't' },
		{ "set", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	*a = (struct args){ .file = OPTIONS_FILE };
	optind = 1;
	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (c) {
		case 'c':
			a->file = optarg;
			a->file_given = true;
			break;
		case 'j':
			a->json = true;
			break;
		case 'n':
			a->nagios = true;
			break;
		case 't':
			snprintf(a->target, sizeof(a->target), "target=%s", optarg);
			if (a->n_sets < SETS_MAX)
				a->sets[a->n_sets++] = a->target;
			break;
		case 's':
			if (a->n_sets < SETS_MAX)
				a->sets[a->n_sets++] = optarg;
			break;
		case 'h':
			usage(stdout);
			return HT_EXIT_OK;
		default:
			usage(stderr);
			return HT_EXIT_USAGE;
		}
	}
	if (optind != argc - 1) {
		usage(stderr);
		return HT_EXIT_USAGE;
	}
	a->name = argv[optind];
	return -1;
}

/* The configuration when there is one; a fresh machine has none and needs none. */
static ht_err load(const struct args *a, struct options **out, struct ht_fault *fault)
{
	FILE *f = a->file_given ? NULL : fopen(a->file, "r");

	if (f)
		fclose(f);
	if (a->file_given || f)
		return options_load(a->file, NULL, 0, out, fault);
	return options_none(out, fault);
}

/* ── Output ───────────────────────────────────────────────────────────────────────── */

/* One line a hop, numbered, so that a rule's `hops` can be picked from it. */
static void print_trace(const char *name, const char *trace)
{
	size_t hop = 0;

	puts(name);
	while (*trace) {
		size_t len = strcspn(trace, " ");

		printf("  %2zu  %.*s\n", ++hop, (int)len, trace);
		trace += len + strspn(trace + len, " ");
	}
}

static void print_table(const struct oneshot *o)
{
	char name[HT_NAME_MAX], value[2048];
	int width = 4;

	for (size_t i = 0; i < o->n; i++) {
		const struct ht_reading *r = &o->readings[i].reading;
		if (!ht_name_format(r->metric, r->instance, name, sizeof(name)) &&
		    (int)strlen(name) > width)
			width = (int)strlen(name);
	}
	for (size_t i = 0; i < o->n; i++) {
		const struct ht_reading *r = &o->readings[i].reading;
		const struct ht_metric_info *info = ht_metric_info(r->metric);
		if (ht_name_format(r->metric, r->instance, name, sizeof(name)))
			continue;
		if (r->metric == HT_M_PATH_TRACE) {
			print_trace(name, r->string);
			continue;
		}
		oneshot_value(&o->readings[i], value, sizeof(value));
		printf("%-*s  %s%s%s\n", width, name, value, info->unit ? " " : "",
		    !info->unit                    ? ""
		    : strcmp(info->unit, "/") == 0 ? "(ratio)"
						   : info->unit);
	}
	if (o->n == 0)
		puts("no readings");
}

/* A status is a word, and behind a colon why. */
static bool says(const char *status, const char *word)
{
	size_t len = strcspn(status, ":");

	return strlen(word) == len && strncmp(status, word, len) == 0;
}

/* Answers, all of them, that a service is not what it should be; of what else is not
 * "ok" we only know that we could not see it. */
static bool is_critical(const char *status)
{
	static const char *const words[] = { "timeout", "unreachable", "refused",
		"closed", "tls", "redirect", "wrong-code", "wrong-text", "wrong-answer",
		"bogus", "too-slow", "too-large", "malformed" };

	for (size_t i = 0; i < HT_COUNT(words); i++) {
		if (strcmp(status, words[i]) == 0)
			return true;
	}
	return false;
}

/* A status of "ok" is fine, none at all too when there are readings; loss is partial. */
static int nagios_state(const struct oneshot *o, const char **out_status)
{
	int state = o->n > 0 ? NAGIOS_OK : NAGIOS_UNKNOWN;

	*out_status = o->n > 0 ? "ok" : "no readings";
	for (size_t i = 0; i < o->n; i++) {
		const struct ht_reading *r = &o->readings[i].reading;
		const struct ht_metric_info *info = ht_metric_info(r->metric);
		if (strcmp(info->quantity, "status") == 0 && info->kind == HT_STRING) {
			*out_status = r->string;
			if (strcmp(r->string, "ok") == 0)
				continue;
			if (says(r->string, "partial") || says(r->string, "incomplete"))
				state = state == NAGIOS_OK ? NAGIOS_WARNING : state;
			else if (is_critical(r->string))
				state = NAGIOS_CRITICAL;
			else if (state != NAGIOS_CRITICAL)
				state = NAGIOS_UNKNOWN;
		}
		if (r->metric == HT_M_ICMP_LOSS && r->number > 0 && state == NAGIOS_OK)
			state = NAGIOS_WARNING;
	}
	return state;
}

static int print_nagios(const struct oneshot *o)
{
	static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };
	char value[512];
	const char *status;
	int state = nagios_state(o, &status);

	printf("%s %s - %s |", o->probe.ops->name, words[state], status);
	for (size_t i = 0; i < o->n; i++) {
		const struct ht_metric_info *info =
		    ht_metric_info(o->readings[i].reading.metric);
		if (info->kind != HT_NUMBER && info->kind != HT_COUNTER)
			continue;
		oneshot_value(&o->readings[i], value, sizeof(value));
		printf(" '%s.%s'=%s%s", o->readings[i].reading.instance, info->quantity,
		    value, info->unit && strcmp(info->unit, "s") == 0 ? "s" : "");
	}
	putchar('\n');
	return state;
}

static int print_json(const struct oneshot *o, const char *agent)
{
	struct ht_buf b;

	ht_buf_init(&b, 4 << 20);
	ht_err err = oneshot_encode(o, SENML_JSON, agent, &b);
	if (err)
		fprintf(stderr, "hatang-agent: %s\n", ht_err_name(err));
	else
		puts(b.len ? ht_buf_text(&b) : "[]");
	ht_buf_fini(&b);
	return err ? HT_EXIT_FAILURE : HT_EXIT_OK;
}

static int print(const struct args *a, const struct oneshot *o, const char *agent)
{
	if (a->nagios)
		return print_nagios(o);
	if (a->json) {
		int code = print_json(o, agent);
		return code ? code : o->ok ? HT_EXIT_OK : HT_EXIT_FAILURE;
	}
	print_table(o);
	if (o->dropped)
		fprintf(stderr, "%zu more readings were left out\n", o->dropped);
	return o->ok ? HT_EXIT_OK : HT_EXIT_FAILURE;
}

/* ── Running ──────────────────────────────────────────────────────────────────────── */

static void stop_monitor(struct oneshot *o, void *arg)
{
	monitor_stop(arg);
}

static int run(const struct args *a, struct options *o, const struct runner_probe *p)
{
	const struct monitor_config config = { .user = o->agent.user,
		.interfaces = o->probe_site.interfaces,
		.n_interfaces = o->probe_site.n_interfaces };
	struct monitor *monitor = NULL;
	struct oneshot once = { 0 };
	struct ht_fault fault = { 0 };
	uv_loop_t loop;

	ht_err err = monitor_start(&config, &monitor, &fault);
	ht_secret_hold();
	if (!err)
		err = rights_drop(o->agent.user, NULL, 0, &fault);
	if (!err && uv_loop_init(&loop) != 0)
		err = HT_NOMEM;
	if (!err)
		err = monitor_attach(monitor, &loop, NULL, NULL);
	if (!err)
		err = oneshot_start(&once, &loop, p, &o->probe_site, monitor, NULL, NULL,
		    stop_monitor, monitor);
	if (err) {
		fprintf(stderr, "hatang-agent: %s\n",
		    fault.text[0] ? fault.text : ht_err_name(err));
		return a->nagios ? NAGIOS_UNKNOWN : HT_EXIT_FAILURE;
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	int code = print(a, &once, o->agent.id);
	if (p->ops->spends)
		fprintf(stderr,
		    "%s: run by hand: no budget protected this run, and none counts it\n",
		    p->id);
	oneshot_fini(&once);
	uv_loop_close(&loop);
	return code;
}

int verb_probe(int argc, char **argv)
{
	struct args a;
	struct options *o = NULL;
	struct runner_probe p;
	struct ht_fault fault = { 0 };
	int code = parse(argc, argv, &a);

	if (code >= 0)
		return code;
	ht_err err = load(&a, &o, &fault);
	if (!err)
		err = options_probe(o, a.name, a.sets, a.n_sets, &p, &fault);
	if (err) {
		fprintf(stderr, "%s\n", fault.text[0] ? fault.text : ht_err_name(err));
		options_free(o);
		return a.nagios ? NAGIOS_UNKNOWN : HT_EXIT_CONFIG;
	}
	/* One that listens for its whole interval would keep a person waiting. */
	if (p.ops->continuous && p.timeout_ns > 10 * INT64_C(1000000000))
		p.timeout_ns = 10 * INT64_C(1000000000);
	code = run(&a, o, &p);
	options_free(o);
	return code;
}
