#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "cli/verbs.h"

static const struct {
	const char *name, *help;
	int (*run)(int argc, char **argv);
} verbs[] = {
	{ "login", "turn a password into an API token", login_main },
	{ "agency", "import, list and show agencies", agency_main },
	{ "token", "make and list enrolment tokens", token_main },
	{ "agents", "list, approve and revoke agents; decide clones", agents_main },
	{ "links", "links: contracted, negotiated, measured, used; the WAN", links_main },
	{ "machines", "machines of an agency", lists_main },
	{ "posture", "security findings and declarations of an agency", posture_main },
	{ "index", "the four values, and what they rest on", index_main },
	{ "outages", "outages, dispute packs, availability of a month", outages_main },
	{ "maintenance", "windows of work on links, also entered afterwards",
	    maintenance_main },
	{ "alert", "incidents: who was told, why, and acknowledging", alert_main },
	{ "gaps", "packs that edges gave up", lists_main },
	{ "decode", "print a SenML pack", decode_main },
};

static void usage(FILE *to)
{
	fputs("hatang " HATANG_VERSION
	      ": measure and manage a government's infrastructure\n\n"
	      "usage: hatang VERB [--help] …\n\n",
	    to);
	for (size_t i = 0; i < HT_COUNT(verbs); i++)
		fprintf(to, "  %-16s %s\n", verbs[i].name, verbs[i].help);
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
		puts("hatang " HATANG_VERSION);
		return HT_EXIT_OK;
	}
	for (size_t i = 0; i < HT_COUNT(verbs); i++) {
		if (strcmp(verbs[i].name, argv[1]) == 0)
			return verbs[i].run(argc - 1, argv + 1);
	}
	fprintf(
	    stderr, "hatang: there is no verb '%s'; hatang --help lists them\n", argv[1]);
	return HT_EXIT_USAGE;
}
