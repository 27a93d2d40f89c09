/* hatang agents list | show | approve | revoke | claim | clones | vantage */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/verb.h"
#include "cli/verbs.h"

#define USAGE                                                                            \
	"agents [list] | show ID | approve ID [--file CONFIG] | revoke ID --reason TEXT" \
	" | clones | claim ID --fingerprint F | vantage ID [--off]"
enum { CONFIG_MAX = 60000 };

static const struct table_column columns[] = {
	{ "ID", "id", TABLE_PLAIN },
	{ "AGENCY", "agency", TABLE_PLAIN },
	{ "STATE", "presence.state", TABLE_PLAIN },
	{ "SINCE", "presence.since", TABLE_PLAIN },
	{ "CLOCK", "presence.clock", TABLE_PLAIN },
	{ "VERSION", "presence.version", TABLE_PLAIN },
	{ "PINGS", "targets.count", TABLE_PLAIN },
	{ "LIST", "targets.state", TABLE_PLAIN },
	{ "REVOKED", "revoked", TABLE_PLAIN },
};
static const struct table_column clone_columns[] = {
	{ "AGENT", "agent", TABLE_PLAIN },
	{ "REASON", "reason", TABLE_PLAIN },
	{ "FINGERPRINT", "fingerprint", TABLE_PLAIN },
	{ "PACKS", "packs", TABLE_PLAIN },
	{ "LAST", "last", TABLE_PLAIN },
};

static int done(const struct client_request *rq)
{
	int code = verb_send(rq, false, NULL);

	if (code == HT_EXIT_OK)
		puts("done");
	return code;
}

static int vantage(const char *id, bool off)
{
	char path[512];
	const char *body = off ? "{\"vantage\":false}" : "{\"vantage\":true}";

	snprintf(path, sizeof(path), "/api/v1/agents/%s", id);
	return done(&(struct client_request){
	    .method = "PUT", .path = path, .body = body, .len = strlen(body) });
}

/* POST {key: value} to /api/v1/agents/<id>/<what>. */
static int post(const char *id, const char *what, const char *key, const char *value)
{
	struct json_object *body = json_object_new_object();
	char path[512];
	struct client_request rq = { .method = "POST", .path = path };

	snprintf(path, sizeof(path), "/api/v1/agents/%s/%s", id, what);
	json_object_object_add(body, key, json_object_new_string(value));
	rq.body = json_object_to_json_string(body);
	rq.len = strlen(rq.body);
	int code = done(&rq);
	json_object_put(body);
	return code;
}

/* The configuration to approve: a file's, or what the agent proposes. Caller frees. */
static char *config_of(const char *id, const char *file, struct ht_fault *fault)
{
	struct client_settings s = { 0 };
	struct client_answer a = { 0 };
	char path[512], *text = NULL;

	if (file) {
		FILE *f = fopen(file, "re");
		size_t n;

		text = f ? calloc(1, CONFIG_MAX + 2) : NULL;
		n = text ? fread(text, 1, CONFIG_MAX + 1, f) : 0;
		if (!f || n > CONFIG_MAX)
			ht_fault_set(fault, HT_IO, "%s: %s", file,
			    f ? "larger than 60,000 bytes" : strerror(errno));
		if (f)
			fclose(f);
		if (n > CONFIG_MAX) {
			free(text);
			text = NULL;
		}
		return text;
	}
	snprintf(path, sizeof(path), "/api/v1/agents/%s", id);
	struct client_request rq = { .method = "GET", .path = path };
	ht_err err = client_settings_load(&s, fault);
	if (!err)
		err = client_send(&s, &rq, &a, fault);
	struct json_object *proposal = err ? NULL : table_at(a.json, "proposal.config");
	if (proposal)
		text = strdup(json_object_get_string(proposal));
	else if (!err)
		ht_fault_set(fault, HT_NOTFOUND,
		    "%s has proposed nothing yet; give a configuration with --file", id);
	client_answer_fini(&a);
	client_settings_fini(&s);
	return text;
}

static int approve(const char *id, const char *file)
{
	struct ht_fault fault = { 0 };
	char *config = config_of(id, file, &fault);

	if (!config)
		return verb_fail(HT_NOTFOUND, &fault);
	int code = post(id, "approve", "config", config);
	free(config);
	return code;
}

int agents_main(int argc, char **argv)
{
	const char *file = NULL, *reason = NULL, *fingerprint = NULL;
	bool off = false;
	const struct verb_option options[] = {
		{ "file", &file, NULL,
		    "approve: this configuration instead of the proposal" },
		{ "reason", &reason, NULL, "revoke: why, for the record" },
		{ "fingerprint", &fingerprint, NULL,
		    "claim: the machine that owns the id" },
		{ "off", NULL, &off, "vantage: it measures no other agencies' links" },
	};
	struct verb_args a;
	char path[512], id[256] = "";
	int code;

	if (!verb_args(argc, argv, USAGE, options, HT_COUNT(options), &a, &code))
		return code;
	const char *what = a.n_words ? a.words[0] : "list";
	if (a.n_words <= 1 && strcmp(what, "list") == 0)
		return verb_list("/api/v1/agents", columns, HT_COUNT(columns), a.json);
	if (a.n_words == 1 && strcmp(what, "clones") == 0)
		return verb_list(
		    "/api/v1/clones", clone_columns, HT_COUNT(clone_columns), a.json);
	if (a.n_words != 2 || verb_escape(a.words[1], id, sizeof(id)))
		return verb_usage(USAGE);
	if (strcmp(what, "show") == 0) {
		snprintf(path, sizeof(path), "/api/v1/agents/%s", id);
		return verb_send(
		    &(struct client_request){ .method = "GET", .path = path }, true,
		    NULL);
	}
	if (strcmp(what, "vantage") == 0)
		return vantage(id, off);
	if (strcmp(what, "approve") == 0)
		return approve(id, file);
	if (strcmp(what, "revoke") == 0 && reason)
		return post(id, "revoke", "reason", reason);
	if (strcmp(what, "claim") == 0 && fingerprint)
		return post(id, "claim", "fingerprint", fingerprint);
	return verb_usage(USAGE);
}
