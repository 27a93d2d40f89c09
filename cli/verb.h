/* What the verbs share: reading the command line by a table, asking the server, and the
 * exit code. */
#ifndef HT_CLI_VERB_H
#define HT_CLI_VERB_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "cli/client.h"
#include "cli/table.h"

struct verb_option {
	const char *name;   /* "agency": --agency VALUE */
	const char **value; /* or NULL when it is a flag */
	bool *flag;
	const char *help;
};

/* Every verb also knows --json and --help. */
struct verb_args {
	bool json;
	const char *words[4]; /* what is no option, in order */
	size_t n_words;
};

/* Read argv[1…]. Returns true to go on; else the exit code is in *out_code (--help was
 * printed, or the usage was wrong and said so). `usage` is one line: "agency show ID". */
bool verb_args(int argc, char **argv, const char *usage,
    const struct verb_option *options, size_t n_options, struct verb_args *out,
    int *out_code);

/* "hatang: <what>" to stderr, and the exit code for it. */
int verb_fail(ht_err err, const struct ht_fault *fault);
int verb_usage(const char *usage);

/* Escape one path segment or query value; HT_TOOLARGE when it does not fit. */
HT_MUST_CHECK ht_err verb_escape(const char *text, char *out, size_t cap);

/* GET a list and print it as a table, or as JSON. */
int verb_list(const char *path, const struct table_column *columns, size_t n, bool json);

/* Send a request; print the answer as JSON when `json`, else call show (may be NULL). */
int verb_send(
    const struct client_request *rq, bool json, void (*show)(struct json_object *answer));

void verb_print_json(struct json_object *o);

#endif
