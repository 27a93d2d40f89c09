#include "cli/verb.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "base/option.h"

static void help(const char *usage, const struct verb_option *options, size_t n)
{
	printf("usage: hatang %s\n\n", usage);
	for (size_t i = 0; i < n; i++)
		printf("  --%s%s\n      %s\n", options[i].name,
		    options[i].value ? " …" : "", options[i].help);
	puts("  --json\n      print data as JSON");
}

int verb_usage(const char *usage)
{
	fprintf(stderr, "usage: hatang %s\n", usage);
	return HT_EXIT_USAGE;
}

static const struct verb_option *find(
    const struct verb_option *options, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(options[i].name, name) == 0)
			return &options[i];
	}
	return NULL;
}

bool verb_args(int argc, char **argv, const char *usage,
    const struct verb_option *options, size_t n_options, struct verb_args *out,
    int *out_code)
{
	*out = (struct verb_args){ 0 };
	*out_code = HT_EXIT_USAGE;
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];
		const struct verb_option *o;

		if (strcmp(word, "--help") == 0) {
			help(usage, options, n_options);
			*out_code = HT_EXIT_OK;
			return false;
		}
		if (strcmp(word, "--json") == 0) {
			out->json = true;
			continue;
		}
		if (strncmp(word, "--", 2) != 0) {
			if (out->n_words == HT_COUNT(out->words)) {
				verb_usage(usage);
				return false;
			}
			out->words[out->n_words++] = word;
			continue;
		}
		o = find(options, n_options, word + 2);
		if (!o || (o->value && i + 1 == argc)) {
			fprintf(stderr,
			    o ? "hatang: %s wants a value\n"
			      : "hatang: unknown option %s\n",
			    word);
			verb_usage(usage);
			return false;
		}
		if (o->value)
			*o->value = argv[++i];
		else
			*o->flag = true;
	}
	return true;
}

int verb_fail(ht_err err, const struct ht_fault *fault)
{
	fprintf(stderr, "hatang: %s\n", fault->text[0] ? fault->text : ht_err_name(err));
	return err == HT_CONFIG ? HT_EXIT_CONFIG : HT_EXIT_FAILURE;
}

ht_err verb_escape(const char *text, char *out, size_t cap)
{
	char *escaped = curl_easy_escape(NULL, text, 0);
	int n = escaped ? snprintf(out, cap, "%s", escaped) : -1;

	curl_free(escaped);
	return n < 0 || (size_t)n >= cap ? HT_TOOLARGE : HT_OK;
}

void verb_print_json(struct json_object *o)
{
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
						   JSON_C_TO_STRING_SPACED |
						   JSON_C_TO_STRING_NOSLASHESCAPE));
}

int verb_list(const char *path, const struct table_column *columns, size_t n, bool json)
{
	struct client_settings s = { 0 };
	struct ht_fault fault = { 0 };
	struct json_object *items = NULL;
	ht_err err = client_settings_load(&s, &fault);

	if (!err)
		err = client_list(&s, path, &items, &fault);
	if (!err && json)
		verb_print_json(items);
	else if (!err)
		table_print(items, columns, n);
	json_object_put(items);
	client_settings_fini(&s);
	return err ? verb_fail(err, &fault) : HT_EXIT_OK;
}

int verb_send(
    const struct client_request *rq, bool json, void (*show)(struct json_object *answer))
{
	struct client_settings s = { 0 };
	struct client_answer a = { 0 };
	struct ht_fault fault = { 0 };
	ht_err err = client_settings_load(&s, &fault);

	if (!err)
		err = client_send(&s, rq, &a, &fault);
	if (json && a.json)
		verb_print_json(a.json);
	else if (show && a.json)
		show(a.json);
	client_answer_fini(&a);
	client_settings_fini(&s);
	return err ? verb_fail(err, &fault) : HT_EXIT_OK;
}
