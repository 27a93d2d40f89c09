/* hatang agency import | list | show */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/verb.h"
#include "cli/verbs.h"

#define USAGE "agency import FILE [--dry-run] [--skip-bad] | list [--parent ID] | show ID"
enum { IMPORT_MAX = 8 << 20 };

static const struct table_column columns[] = {
	{ "ID", "id", TABLE_PLAIN },
	{ "LEVEL", "level", TABLE_PLAIN },
	{ "STATE", "state", TABLE_PLAIN },
	{ "SERVANTS", "servants", TABLE_PLAIN },
	{ "PARENT", "parent", TABLE_PLAIN },
	{ "NAME", "name", TABLE_PLAIN },
};

static char *read_whole(const char *file, size_t *len, struct ht_fault *fault)
{
	FILE *f = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
	char *bytes = f ? malloc(IMPORT_MAX + 1) : NULL;

	if (!f) {
		ht_fault_set(fault, HT_IO, "%s: %s", file, strerror(errno));
		return NULL;
	}
	*len = bytes ? fread(bytes, 1, IMPORT_MAX + 1, f) : 0;
	if (!bytes || ferror(f) || *len > IMPORT_MAX) {
		ht_fault_set(
		    fault, HT_IO, "%s: cannot be read, or is larger than 8 MiB", file);
		free(bytes);
		bytes = NULL;
	}
	if (f != stdin)
		fclose(f);
	return bytes;
}

static void show_counts(struct json_object *report, const char *what)
{
	struct json_object *counts = table_at(report, what);

	if (!counts)
		return;
	printf("%-12s", what);
	json_object_object_foreach(counts, key, v)
	{
		printf("  %s %s", json_object_get_string(v), key);
	}
	putchar('\n');
}

static void show_report(struct json_object *report)
{
	struct json_object *problems = table_at(report, "problems");
	static const char *const parts[] = { "agencies", "headcounts", "links" };

	for (size_t i = 0; problems && i < json_object_array_length(problems); i++) {
		struct json_object *p = json_object_array_get_idx(problems, i);

		fprintf(stderr, "line %s, %s: %s\n",
		    json_object_get_string(table_at(p, "line")),
		    json_object_get_string(table_at(p, "column")),
		    json_object_get_string(table_at(p, "problem")));
	}
	for (size_t i = 0; i < HT_COUNT(parts); i++)
		show_counts(report, parts[i]);
	if (table_at(report, "applied"))
		puts(json_object_get_boolean(table_at(report, "applied"))
			 ? "imported"
			 : "nothing was changed");
}

static int import(const char *file, bool dry_run, bool skip_bad, bool json)
{
	struct ht_fault fault = { 0 };
	struct client_request rq = { .method = "POST", .content_type = "text/csv" };
	char path[128];
	char *bytes = read_whole(file, &rq.len, &fault);

	if (!bytes)
		return verb_fail(HT_IO, &fault);
	snprintf(path, sizeof(path), "/api/v1/agencies/import?dry_run=%s&skip_bad=%s",
	    dry_run ? "true" : "false", skip_bad ? "true" : "false");
	rq.path = path;
	rq.body = bytes;
	int code = verb_send(&rq, json, show_report);
	free(bytes);
	return code;
}

int agency_main(int argc, char **argv)
{
	bool dry_run = false, skip_bad = false;
	const char *parent = NULL;
	const struct verb_option options[] = {
		{ "dry-run", NULL, &dry_run,
		    "import: say what would change, change nothing" },
		{ "skip-bad", NULL, &skip_bad,
		    "import: leave out the rows that are wrong" },
		{ "parent", &parent, NULL,
		    "list: only what stands directly under this agency" },
	};
	struct verb_args a;
	char path[512], id[256] = "";
	int code;

	if (!verb_args(argc, argv, USAGE, options, HT_COUNT(options), &a, &code))
		return code;
	const char *what = a.n_words ? a.words[0] : "list";
	if (strcmp(what, "import") == 0 && a.n_words == 2)
		return import(a.words[1], dry_run, skip_bad, a.json);
	if (strcmp(what, "list") == 0 && a.n_words <= 1) {
		if (parent && verb_escape(parent, id, sizeof(id)))
			return verb_usage(USAGE);
		snprintf(path, sizeof(path), "/api/v1/agencies%s%s",
		    parent ? "?parent=" : "", id);
		return verb_list(path, columns, HT_COUNT(columns), a.json);
	}
	if (strcmp(what, "show") == 0 && a.n_words == 2 &&
	    !verb_escape(a.words[1], id, sizeof(id))) {
		snprintf(path, sizeof(path), "/api/v1/agencies/%s", id);
		return verb_send(
		    &(struct client_request){ .method = "GET", .path = path }, true,
		    NULL);
	}
	return verb_usage(USAGE);
}
