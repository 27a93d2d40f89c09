/* hatang-agent: measures an office's network and tells the server. */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/enroll.h"
#include "agent/options.h"
#include "agent/propose.h"
#include "agent/status.h"
#include "agent/verb.h"
#include "base/err.h"

struct verb {
	const char *name;
	int (*main)(int argc, char **argv);
	const char *help;
};

static const struct verb verbs[] = {
	{ "run", verb_run, "measure, spool and publish until TERM" },
	{ "check-config", verb_check_config,
	    "read the configuration and say what is wrong" },
	{ "enroll", enroll_main,
	    "get a certificate from the server with a one-time token" },
	{ "probe", verb_probe, "run one probe now and print its readings" },
	{ "propose", propose_main,
	    "print a configuration for this place, from what is seen" },
	{ "metrics", verb_metrics, "list the readings there are, and the probes" },
	{ "queue", verb_queue, "show or verify what waits for the server" },
	{ "status", verb_status, "ask the running agent how it is" },
};

static void usage(FILE *to)
{
	fputs("usage: hatang-agent VERB [--config FILE] [--json] [--help] …\n\n", to);
	for (size_t i = 0; i < HT_COUNT(verbs); i++)
		fprintf(to, "  %-14s %s\n", verbs[i].name, verbs[i].help);
	fprintf(to, "\nConfiguration: %s, drop-ins in agent.d/*.yaml.\n", OPTIONS_FILE);
	fputs("Exit codes: 0 ok, 1 failure, 2 usage, 78 bad configuration.\n", to);
}

/* What most verbs take. */
struct common_args {
	const char *file;
	bool json;
	int rest; /* index of the first argument that is no option */
};

static void verb_usage(FILE *to, const char *name, const char *more)
{
	fprintf(to, "usage: hatang-agent %s [--config FILE] [--json]%s%s\n", name,
	    more[0] ? " " : "", more);
}

/* -1: go on; else the exit code. */
static int parse(int argc, char **argv, const char *more, struct common_args *out)
{
	static const struct option table[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	*out = (struct common_args){ .file = OPTIONS_FILE };
	optind = 1;
	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		switch (c) {
		case 'c':
			out->file = optarg;
			break;
		case 'j':
			out->json = true;
			break;
		case 'h':
			verb_usage(stdout, argv[0], more);
			return HT_EXIT_OK;
		default:
			verb_usage(stderr, argv[0], more);
			return HT_EXIT_USAGE;
		}
	}
	out->rest = optind;
	return -1;
}

int verb_run(int argc, char **argv)
{
	struct common_args args;
	int code = parse(argc, argv, "", &args);

	if (code >= 0)
		return code;
	if (args.rest < argc) {
		verb_usage(stderr, argv[0], "");
		return HT_EXIT_USAGE;
	}
	return agent_run(args.file);
}

int verb_check_config(int argc, char **argv)
{
	struct common_args args;
	struct options *o = NULL;
	struct ht_fault fault = { 0 };

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			verb_usage(stdout, argv[0], "");
			puts("\nKeys of the configuration:");
			options_print(stdout);
			return HT_EXIT_OK;
		}
	}
	int code = parse(argc, argv, "", &args);
	if (code >= 0)
		return code;
	ht_err err = options_load(args.file, NULL, 0, &o, &fault);
	if (err) {
		fprintf(stderr, "%s\n", fault.text[0] ? fault.text : ht_err_name(err));
		return HT_EXIT_CONFIG;
	}
	if (args.json)
		printf("{\"ok\":true,\"agent\":\"%s\",\"probes\":%zu}\n", o->agent.id,
		    o->n_probes);
	else
		printf("%s: ok: agent %s, %zu probes\n", args.file, o->agent.id,
		    o->n_probes);
	options_free(o);
	return HT_EXIT_OK;
}

int verb_status(int argc, char **argv)
{
	struct common_args args;
	struct options *o = NULL;
	struct ht_fault fault = { 0 };
	int code = parse(argc, argv, "", &args);

	if (code >= 0)
		return code;
	if (options_load(args.file, NULL, 0, &o, &fault)) {
		fprintf(stderr, "%s\n", fault.text);
		return HT_EXIT_CONFIG;
	}
	code = status_print(o->agent.state_dir, args.json);
	options_free(o);
	return code;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return HT_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
		usage(stdout);
		return HT_EXIT_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("hatang-agent " HATANG_VERSION);
		return HT_EXIT_OK;
	}
	for (size_t i = 0; i < HT_COUNT(verbs); i++) {
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].main(argc - 1, argv + 1);
	}
	fprintf(stderr, "hatang-agent: no verb \"%s\"\n\n", argv[1]);
	usage(stderr);
	return HT_EXIT_USAGE;
}
