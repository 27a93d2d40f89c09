/* hatang alert list | show | ack | explain | replay | test */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/verb.h"
#include "cli/verbs.h"

#define USAGE                                                                            \
	"alert [list] [--all] [--agency ID] | show ID | ack ID [--note TEXT] | explain " \
	"ID"                                                                             \
	" | replay FILE | replay --from TIME [--to TIME] [--rules FILE]"                 \
	" | test [CHANNEL]"

enum { FILE_MAX = 1 << 20, TEST_WAIT_S = 40 };

static const struct table_column columns[] = {
	{ "INCIDENT", "id", TABLE_PLAIN },
	{ "SEVERITY", "severity", TABLE_PLAIN },
	{ "WHAT", "problem.kind", TABLE_PLAIN },
	{ "SUBJECT", "subject", TABLE_PLAIN },
	{ "SINCE", "opened", TABLE_PLAIN },
	{ "OVER", "closed", TABLE_PLAIN },
	{ "OFFICES", "n_affected", TABLE_PLAIN },
	{ "CAUSE", "problem.cause", TABLE_PLAIN },
	{ "ACKNOWLEDGED BY", "acked_by", TABLE_PLAIN },
};
static const struct table_column affected_columns[] = {
	{ "AGENCY", "id", TABLE_PLAIN },
	{ "NAME", "name", TABLE_PLAIN },
	{ "SINCE", "since", TABLE_PLAIN },
	{ "STILL OPEN", "open", TABLE_PLAIN },
};
static const struct table_column message_columns[] = {
	{ "CHANNEL", "channel", TABLE_PLAIN },
	{ "MESSAGE", "kind", TABLE_PLAIN },
	{ "STATE", "state", TABLE_PLAIN },
	{ "CREATED", "created", TABLE_PLAIN },
	{ "SENT", "sent", TABLE_PLAIN },
	{ "TRIES", "attempts", TABLE_PLAIN },
	{ "ERROR", "last_error", TABLE_PLAIN },
};
static const struct table_column told_columns[] = {
	{ "AT", "at", TABLE_PLAIN },
	{ "CHANNEL", "channel", TABLE_PLAIN },
	{ "MESSAGE", "kind", TABLE_PLAIN },
	{ "SUBJECT", "subject", TABLE_PLAIN },
	{ "AFFECTED", "n_affected", TABLE_PLAIN },
	{ "TITLE", "title", TABLE_PLAIN },
};
static const struct table_column decision_columns[] = {
	{ "AT", "at", TABLE_PLAIN },
	{ "DECISION", "decision", TABLE_PLAIN },
	{ "WHY", "reason", TABLE_PLAIN },
};

static const char *text_at(struct json_object *o, const char *path)
{
	struct json_object *v = table_at(o, path);

	return v ? json_object_get_string(v) : "–";
}

static void section(struct json_object *o, const char *key, const char *title,
    const struct table_column *table, size_t n)
{
	struct json_object *list = table_at(o, key);

	if (!list || json_object_array_length(list) == 0)
		return;
	printf("\n%s\n", title);
	table_print(list, table, n);
}

static void show_incident(struct json_object *i)
{
	static const struct {
		const char *title, *path;
	} rows[] = {
		{ "incident", "id" },
		{ "what", "problem.kind" },
		{ "subject", "subject" },
		{ "severity", "severity" },
		{ "since", "opened" },
		{ "over", "closed" },
		{ "reason", "problem.reason" },
		{ "cause", "problem.cause" },
		{ "because", "problem.cause_reason" },
		{ "told", "announced" },
		{ "acknowledged", "acked" },
		{ "by", "acked_by" },
		{ "escalates", "escalate" },
		{ "rule", "rule" },
	};

	for (size_t k = 0; k < HT_COUNT(rows); k++)
		printf("%-13s %s\n", rows[k].title, text_at(i, rows[k].path));
	section(i, "affected", "AFFECTED", affected_columns, HT_COUNT(affected_columns));
	section(i, "messages", "MESSAGES", message_columns, HT_COUNT(message_columns));
	section(i, "decisions", "WHY", decision_columns, HT_COUNT(decision_columns));
}

static void show_explanation(struct json_object *answer)
{
	struct json_object *incident = table_at(answer, "incident"),
			   *problems = table_at(answer, "problems");
	size_t n = problems ? json_object_array_length(problems) : 0;

	if (incident) {
		show_incident(incident);
		return;
	}
	for (size_t k = 0; k < n; k++) {
		struct json_object *p = json_object_array_get_idx(problems, k);

		printf("%s%s %s since %s, over %s: %s\n", k ? "\n" : "",
		    text_at(p, "kind"), text_at(p, "subject"), text_at(p, "opened"),
		    text_at(p, "closed"), text_at(p, "reason"));
		printf("  incident %s\n", text_at(p, "incident"));
		section(p, "decisions", "", decision_columns, HT_COUNT(decision_columns));
	}
}

static int list(bool all, const char *agency, bool json)
{
	char path[512], escaped[256] = "";

	if (agency && verb_escape(agency, escaped, sizeof(escaped)))
		return verb_usage(USAGE);
	snprintf(path, sizeof(path), "/api/v1/incidents%s%s%s%s", all ? "" : "?open=true",
	    agency ? (all ? "?" : "&") : "", agency ? "agency=" : "", escaped);
	return verb_list(path, columns, HT_COUNT(columns), json);
}

/* POST a body that is put afterwards. */
static int post(const char *path, struct json_object *body, bool json,
    void (*show)(struct json_object *answer))
{
	const char *text = json_object_to_json_string(body);
	int code = verb_send(
	    &(struct client_request){
		.method = "POST", .path = path, .body = text, .len = strlen(text) },
	    json, show);

	json_object_put(body);
	return code;
}

static int ack(const char *id, const char *note)
{
	struct json_object *body = json_object_new_object();
	char path[512];

	if (note)
		json_object_object_add(body, "note", json_object_new_string(note));
	snprintf(path, sizeof(path), "/api/v1/incidents/%s/ack", id);
	int code = post(path, body, false, NULL);
	if (code == HT_EXIT_OK)
		puts("acknowledged");
	return code;
}

/* ── replay ── */

/* A whole text file, NUL-terminated; the caller frees. NULL with a fault. */
static char *read_file(const char *file, struct ht_fault *fault)
{
	FILE *f = fopen(file, "re");
	char *text = f ? calloc(1, FILE_MAX + 2) : NULL;
	size_t n = text ? fread(text, 1, FILE_MAX + 1, f) : 0;

	if (!f || !text || n > FILE_MAX) {
		ht_fault_set(fault, HT_IO, "%s: %s", file,
		    n > FILE_MAX ? "larger than 1 MiB" : strerror(errno));
		free(text);
		text = NULL;
	}
	if (f)
		fclose(f);
	return text;
}

/* POST a body, which is put; `show` prints the answer and gives the exit code. */
static int ask(const char *path, struct json_object *body, bool json,
    int (*show)(const struct client_settings *s, struct json_object *answer, bool json))
{
	const char *text = json_object_to_json_string(body);
	struct client_settings s = { 0 };
	struct client_answer a = { 0 };
	struct ht_fault fault = { 0 };
	ht_err err = client_settings_load(&s, &fault);

	if (!err)
		err = client_send(&s,
		    &(struct client_request){ .method = "POST",
			.path = path,
			.body = text,
			.len = strlen(text) },
		    &a, &fault);
	int code = err ? verb_fail(err, &fault) : show(&s, a.json, json);
	json_object_put(body);
	client_answer_fini(&a);
	client_settings_fini(&s);
	return code;
}

static int show_scenario(
    const struct client_settings *s, struct json_object *answer, bool json)
{
	struct json_object *passed = table_at(answer, "passed");

	(void)s;
	if (json)
		verb_print_json(answer);
	else
		fputs(text_at(answer, "report"), stdout);
	return passed && json_object_get_boolean(passed) ? HT_EXIT_OK : HT_EXIT_FAILURE;
}

static int show_history(
    const struct client_settings *s, struct json_object *answer, bool json)
{
	struct json_object *messages = table_at(answer, "messages"),
			   *channels = table_at(answer, "channels");
	size_t n = messages ? json_object_array_length(messages) : 0;

	(void)s;
	if (json) {
		verb_print_json(answer);
		return HT_EXIT_OK;
	}
	if (n)
		table_print(messages, told_columns, HT_COUNT(told_columns));
	printf("%zu messages by %s; none was sent\n", n, text_at(answer, "rules"));
	if (channels && json_object_get_int(channels) == 0)
		puts("the server has no channels, so nobody can be told");
	return HT_EXIT_OK;
}

/* Add a file's text to a body; exit code of what went wrong, else HT_EXIT_OK. */
static int add_file(struct json_object *body, const char *key, const char *file)
{
	struct ht_fault fault = { 0 };
	char *text = read_file(file, &fault);

	if (!text)
		return verb_fail(HT_IO, &fault);
	json_object_object_add(body, key, json_object_new_string(text));
	free(text);
	return HT_EXIT_OK;
}

struct history {
	const char *from, *to, *rules;
};

/* A scenario (what happens, and the messages expected), or, without one, the history that
 * the server keeps. Nothing is ever sent. */
static int replay(const char *scenario, const struct history *h, bool json)
{
	struct json_object *body = json_object_new_object();
	int code = HT_EXIT_OK;

	if (scenario)
		code = add_file(body, "scenario", scenario);
	if (h->from)
		json_object_object_add(body, "from", json_object_new_string(h->from));
	if (h->to)
		json_object_object_add(body, "to", json_object_new_string(h->to));
	if (h->rules) {
		json_object_object_add(body, "file", json_object_new_string(h->rules));
		code = add_file(body, "rules", h->rules);
	}
	if (code != HT_EXIT_OK) {
		json_object_put(body);
		return code;
	}
	return ask(
	    "/api/v1/alerts/replay", body, json, scenario ? show_scenario : show_history);
}

/* ── test ── */

/* What became of one test message; NULL: nobody knows yet. The caller puts it. */
static struct json_object *test_state(
    const struct client_settings *s, const char *key, struct ht_fault *fault)
{
	struct json_object *items = NULL, *one = NULL;
	char path[768], escaped[512];

	if (verb_escape(key, escaped, sizeof(escaped)))
		return NULL;
	snprintf(path, sizeof(path), "/api/v1/alerts/messages?key=%s", escaped);
	if (!client_list(s, path, &items, fault) && json_object_array_length(items) > 0)
		one = json_object_get(json_object_array_get_idx(items, 0));
	json_object_put(items);
	return one;
}

/* Ask twice a second until it is sent or given up, 40 s at most. */
static struct json_object *test_wait(
    const struct client_settings *s, const char *key, struct ht_fault *fault)
{
	int64_t until_ns = ht_mono_ns() + TEST_WAIT_S * HT_NS_PER_S;
	struct json_object *m;

	while ((m = test_state(s, key, fault)) &&
	       strcmp(text_at(m, "state"), "pending") == 0 && ht_mono_ns() < until_ns) {
		json_object_put(m);
		(void)poll(NULL, 0, 500);
	}
	return m;
}

/* The messages of an answer, as they ended. */
static int test_report(
    const struct client_settings *s, struct json_object *answer, bool json)
{
	struct json_object *made = table_at(answer, "messages"),
			   *out = json_object_new_array();
	size_t n = made ? json_object_array_length(made) : 0;
	struct ht_fault fault = { 0 };
	bool failed = false;

	for (size_t i = 0; i < n; i++) {
		struct json_object *m = test_wait(
		    s, text_at(json_object_array_get_idx(made, i), "key"), &fault);

		failed |= !m || strcmp(text_at(m, "state"), "sent") != 0;
		if (m)
			json_object_array_add(out, m);
	}
	if (json)
		verb_print_json(out);
	else
		table_print(out, message_columns, HT_COUNT(message_columns));
	json_object_put(out);
	return failed ? HT_EXIT_FAILURE : HT_EXIT_OK;
}

/* Send a message by one channel, or by each, and tell what came of it. */
static int test(const char *channel, bool json)
{
	struct json_object *body = json_object_new_object();

	if (channel)
		json_object_object_add(body, "channel", json_object_new_string(channel));
	return ask("/api/v1/alerts/test", body, json, test_report);
}

int alert_main(int argc, char **argv)
{
	const char *agency = NULL, *note = NULL;
	struct history history = { 0 };
	bool all = false;
	const struct verb_option options[] = {
		{ "all", NULL, &all, "list: also those that are over" },
		{ "agency", &agency, NULL, "list: that touch it or one below it" },
		{ "from", &history.from, NULL, "replay: the stored history since then" },
		{ "to", &history.to, NULL, "replay: until then; default: now" },
		{ "rules", &history.rules, NULL,
		    "replay: a file of rules; default: in force" },
		{ "note", &note, NULL, "ack: who takes it, who was called" },
	};
	struct verb_args a;
	char path[512], id[300] = "";
	int code;

	if (!verb_args(argc, argv, USAGE, options, HT_COUNT(options), &a, &code))
		return code;
	const char *what = a.n_words ? a.words[0] : "list",
		   *arg = a.n_words > 1 ? a.words[1] : NULL;
	if (a.n_words > 2 || (arg && verb_escape(arg, id, sizeof(id))))
		return verb_usage(USAGE);
	if (strcmp(what, "list") == 0 && !arg)
		return list(all, agency, a.json);
	if (strcmp(what, "test") == 0)
		return test(arg, a.json);
	if (strcmp(what, "replay") == 0 && !arg != !history.from &&
	    (history.from || (!history.to && !history.rules)))
		return replay(arg ? a.words[1] : NULL, &history, a.json);
	if (strcmp(what, "ack") == 0 && arg)
		return ack(id, note);
	bool show = strcmp(what, "show") == 0;
	if ((!show && strcmp(what, "explain") != 0) || !arg)
		return verb_usage(USAGE);
	snprintf(path, sizeof(path), "/api/v1/%s/%s",
	    show ? "incidents" : "alerts/explain", id);
	return verb_send(&(struct client_request){ .method = "GET", .path = path },
	    a.json, show ? show_incident : show_explanation);
}
