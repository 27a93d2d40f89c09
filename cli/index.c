/* hatang index show [SCOPE] | explain SCOPE INDICATOR */
#include <stdio.h>
#include <string.h>

#include "cli/verb.h"
#include "cli/verbs.h"

#define USAGE "index show [SCOPE] [--own] | explain SCOPE INDICATOR [--own]"

static const struct table_column columns[] = {
	{ "SCOPE", "scope", TABLE_PLAIN },
	{ "INDICATOR", "indicator", TABLE_PLAIN },
	{ "VALUE", "value", TABLE_PLAIN },
	{ "UNIT", "unit", TABLE_PLAIN },
	{ "STATUS", "status", TABLE_PLAIN },
	{ "COVERAGE", "coverage", TABLE_SHARE },
	{ "CONFIDENCE", "confidence", TABLE_SHARE },
	{ "SOURCE", "source", TABLE_PLAIN },
	{ "NUMERATOR", "numerator.value", TABLE_PLAIN },
	{ "DENOMINATOR", "denominator.value", TABLE_PLAIN },
	{ "WHY", "reason", TABLE_PLAIN },
	{ "CURE", "cure", TABLE_PLAIN },
};

int index_main(int argc, char **argv)
{
	bool own = false;
	const struct verb_option options[] = {
		{ "own", NULL, &own, "the agency alone, without those below it" },
	};
	const char *alone;
	struct verb_args a;
	char path[768], scope[256] = "", indicator[256];
	int code;

	if (!verb_args(argc, argv, USAGE, options, HT_COUNT(options), &a, &code))
		return code;
	alone = own ? "true" : "false";
	const char *what = a.n_words ? a.words[0] : "show";
	if (a.n_words > 1 && verb_escape(a.words[1], scope, sizeof(scope)))
		return verb_usage(USAGE);
	if (strcmp(what, "show") == 0 && a.n_words <= 2) {
		snprintf(path, sizeof(path), "/api/v1/index?own=%s%s%s", alone,
		    *scope ? "&scope=" : "", scope);
		return verb_list(path, columns, HT_COUNT(columns), a.json);
	}
	if (strcmp(what, "explain") == 0 && a.n_words == 3 &&
	    !verb_escape(a.words[2], indicator, sizeof(indicator))) {
		snprintf(path, sizeof(path), "/api/v1/index/%s/%s?own=%s", scope,
		    indicator, alone);
		return verb_send(
		    &(struct client_request){ .method = "GET", .path = path }, true,
		    NULL);
	}
	return verb_usage(USAGE);
}
