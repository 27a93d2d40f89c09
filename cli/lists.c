/* hatang machines, posture, gaps: lists that differ in path and columns only. */
#include <stdio.h>
#include <string.h>

#include "cli/verb.h"
#include "cli/verbs.h"

static const struct table_column machine_columns[] = {
	{ "MACHINE", "id", TABLE_PLAIN },
	{ "CLASS", "class", TABLE_PLAIN },
	{ "SURE", "confidence", TABLE_SHARE },
	{ "HOST NAME", "hostname", TABLE_PLAIN },
	{ "VENDOR", "vendor", TABLE_PLAIN },
	{ "NICS", "nics", TABLE_COUNT },
	{ "LAST SEEN", "last", TABLE_PLAIN },
	{ "WHY", "why", TABLE_PLAIN },
};
static const struct table_column gap_columns[] = {
	{ "AGENT", "agent", TABLE_PLAIN },
	{ "EPOCH", "epoch", TABLE_PLAIN },
	{ "FIRST", "first_seq", TABLE_PLAIN },
	{ "LAST", "last_seq", TABLE_PLAIN },
	{ "REASON", "reason", TABLE_PLAIN },
	{ "REPORTED", "reported", TABLE_PLAIN },
};

static const struct {
	const char *verb, *path, *filter;
	bool required;
	const struct table_column *columns;
	size_t n;
} lists[] = {
	{ "machines", "/api/v1/machines", "agency", true, machine_columns,
	    HT_COUNT(machine_columns) },
	{ "gaps", "/api/v1/gaps", "agent", false, gap_columns, HT_COUNT(gap_columns) },
};

int lists_main(int argc, char **argv)
{
	const char *filter = NULL;
	char path[512], usage[96], escaped[256];
	struct verb_args a;
	size_t i = 0;
	int code;

	while (strcmp(lists[i].verb, argv[0]) != 0)
		i++;
	snprintf(usage, sizeof(usage), lists[i].required ? "%s --%s ID" : "%s [--%s ID]",
	    lists[i].verb, lists[i].filter);
	const struct verb_option options[] = {
		{ lists[i].filter, &filter, NULL, "only of this one" },
	};
	if (!verb_args(argc, argv, usage, options, HT_COUNT(options), &a, &code))
		return code;
	if (a.n_words || (lists[i].required && !filter) ||
	    (filter && verb_escape(filter, escaped, sizeof(escaped))))
		return verb_usage(usage);
	snprintf(path, sizeof(path), "%s", lists[i].path);
	if (filter)
		snprintf(path, sizeof(path), "%s?%s=%s", lists[i].path, lists[i].filter,
		    escaped);
	return verb_list(path, lists[i].columns, lists[i].n, a.json);
}

/* ── posture: findings and declarations side by side ─────────────────────────────── */

static void show_posture(struct json_object *answer)
{
	static const struct table_column findings[] = {
		{ "CHECK", "check", TABLE_PLAIN },
		{ "ANSWER", "answer", TABLE_PLAIN },
		{ "SEEN", "seen", TABLE_PLAIN },
		{ "AGENT", "agent", TABLE_PLAIN },
		{ "AT", "at", TABLE_PLAIN },
		{ "ROW", "evidence", TABLE_PLAIN },
	};
	static const struct table_column declarations[] = {
		{ "DECLARED", "solution", TABLE_PLAIN },
		{ "ANSWER", "answer", TABLE_PLAIN },
		{ "DOCUMENT", "document", TABLE_PLAIN },
		{ "SIGNER", "signer", TABLE_PLAIN },
		{ "EXPIRES", "expires", TABLE_PLAIN },
	};
	struct json_object *f = table_at(answer, "findings"),
			   *d = table_at(answer, "declarations");

	if (f)
		table_print(f, findings, HT_COUNT(findings));
	if (d && json_object_array_length(d)) {
		putchar('\n');
		table_print(d, declarations, HT_COUNT(declarations));
	}
}

int posture_main(int argc, char **argv)
{
	static const char usage[] = "posture --agency ID";
	const char *agency = NULL;
	const struct verb_option options[] = { { "agency", &agency, NULL, "whose" } };
	char path[512], escaped[256];
	struct verb_args a;
	int code;

	if (!verb_args(argc, argv, usage, options, HT_COUNT(options), &a, &code))
		return code;
	if (a.n_words || !agency || verb_escape(agency, escaped, sizeof(escaped)))
		return verb_usage(usage);
	snprintf(path, sizeof(path), "/api/v1/posture?agency=%s", escaped);
	return verb_send(&(struct client_request){ .method = "GET", .path = path },
	    a.json, show_posture);
}
