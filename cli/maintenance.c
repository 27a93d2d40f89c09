/* hatang maintenance add | list | remove */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/option.h"
#include "cli/verb.h"
#include "cli/verbs.h"

#define USAGE                                                                        \
	"maintenance add --link ID | --agency ID | --provider NAME | --everything\n" \
	"           --from TIME (--to TIME | --for 2h) --reason TEXT [--id ID]\n"    \
	"       hatang maintenance list [--from TIME] [--to TIME] [--removed]\n"     \
	"       hatang maintenance remove ID"

static const struct table_column columns[] = {
	{ "ID", "id", TABLE_PLAIN },
	{ "STATE", "state", TABLE_PLAIN },
	{ "SCOPE", "scope", TABLE_PLAIN },
	{ "OF", "subject", TABLE_PLAIN },
	{ "FROM", "from", TABLE_PLAIN },
	{ "TO", "to", TABLE_PLAIN },
	{ "BY", "actor", TABLE_PLAIN },
	{ "ENTERED", "entered", TABLE_PLAIN },
	{ "REASON", "reason", TABLE_PLAIN },
};

struct window {
	const char *id, *link, *agency, *provider, *from, *to, *lasting, *reason;
	bool everything, removed;
};

static void show_id(struct json_object *answer)
{
	if (table_at(answer, "id"))
		puts(json_object_get_string(table_at(answer, "id")));
}

/* Scope and subject; NULL when not exactly one was said. */
static const char *scope_of(const struct window *w, const char **out_subject)
{
	const struct {
		const char *scope, *subject;
	} said[] = {
		{ "link", w->link },
		{ "agency", w->agency },
		{ "provider", w->provider },
		{ "all", w->everything ? "" : NULL },
	};
	const char *scope = NULL;
	int n = 0;

	for (size_t i = 0; i < HT_COUNT(said); i++) {
		if (!said[i].subject)
			continue;
		n++;
		scope = said[i].scope;
		*out_subject = said[i].subject[0] ? said[i].subject : NULL;
	}
	return n == 1 ? scope : NULL;
}

/* From when to when; false with the reason on stderr. */
static bool times_of(const struct window *w, char from[static HT_RFC3339_LEN + 1],
    char to[static HT_RFC3339_LEN + 1])
{
	int64_t from_ms = ht_wall_ms(), to_ms = 0, lasting_ns = 0;
	bool ok = !w->from || strcmp(w->from, "now") == 0 ||
		  !ht_rfc3339_parse(w->from, &from_ms);

	if (ok && w->to)
		ok = !ht_rfc3339_parse(w->to, &to_ms);
	else if (ok)
		ok = !ht_duration_parse(w->lasting, &lasting_ns);
	if (!ok) {
		fputs("hatang: a time is written 2026-11-23T22:00:00+07:00 (or now), a "
		      "duration 90m or 2h\n",
		    stderr);
		return false;
	}
	ht_rfc3339(from_ms, from);
	ht_rfc3339(w->to ? to_ms : from_ms + lasting_ns / HT_NS_PER_MS, to);
	return true;
}

static int add(const struct window *w, bool json)
{
	const char *subject = NULL, *scope = scope_of(w, &subject);
	char from[HT_RFC3339_LEN + 1], to[HT_RFC3339_LEN + 1];
	struct client_request rq = { .method = "POST", .path = "/api/v1/maintenance" };

	if (!scope || !w->reason || !w->to == !w->lasting)
		return verb_usage(USAGE);
	if (!times_of(w, from, to))
		return HT_EXIT_USAGE;
	const char *fields[][2] = { { "id", w->id }, { "scope", scope },
		{ "subject", subject }, { "from", from }, { "to", to },
		{ "reason", w->reason } };
	struct json_object *body = json_object_new_object();
	for (size_t i = 0; i < HT_COUNT(fields); i++) {
		if (fields[i][1])
			json_object_object_add(
			    body, fields[i][0], json_object_new_string(fields[i][1]));
	}
	rq.body = json_object_to_json_string(body);
	rq.len = strlen(rq.body);
	int code = verb_send(&rq, json, show_id);
	json_object_put(body);
	return code;
}

static int list(const struct window *w, bool json)
{
	char path[512], from[128] = "", to[128] = "";

	if ((w->from && verb_escape(w->from, from, sizeof(from))) ||
	    (w->to && verb_escape(w->to, to, sizeof(to))))
		return verb_usage(USAGE);
	snprintf(path, sizeof(path), "/api/v1/maintenance?removed=%s%s%s%s%s",
	    w->removed ? "true" : "false", w->from ? "&from=" : "", from,
	    w->to ? "&to=" : "", to);
	return verb_list(path, columns, HT_COUNT(columns), json);
}

static int end(const char *id, bool json)
{
	char path[512], escaped[256];

	if (verb_escape(id, escaped, sizeof(escaped)))
		return verb_usage(USAGE);
	snprintf(path, sizeof(path), "/api/v1/maintenance/%s", escaped);
	return verb_send(
	    &(struct client_request){ .method = "DELETE", .path = path }, json, NULL);
}

int maintenance_main(int argc, char **argv)
{
	struct window w = { 0 };
	const struct verb_option options[] = {
		{ "link", &w.link, NULL, "add: this link" },
		{ "agency", &w.agency, NULL, "add: all links of this agency" },
		{ "provider", &w.provider, NULL, "add: all links of this carrier" },
		{ "everything", NULL, &w.everything, "add: every link" },
		{ "from", &w.from, NULL,
		    "add: its begin, also in the past; now when left out" },
		{ "to", &w.to, NULL, "add: its end" },
		{ "for", &w.lasting, NULL, "add: how long, instead of --to" },
		{ "reason", &w.reason, NULL, "add: what is done; printed in reports" },
		{ "id", &w.id, NULL, "add: change the window with this id" },
		{ "removed", NULL, &w.removed, "list: also what was removed" },
	};
	struct verb_args a;
	int code;

	if (!verb_args(argc, argv, USAGE, options, HT_COUNT(options), &a, &code))
		return code;
	const char *what = a.n_words ? a.words[0] : "list";
	if (strcmp(what, "add") == 0 && a.n_words == 1)
		return add(&w, a.json);
	if (strcmp(what, "list") == 0 && a.n_words <= 1)
		return list(&w, a.json);
	if (strcmp(what, "remove") == 0 && a.n_words == 2)
		return end(a.words[1], a.json);
	return verb_usage(USAGE);
}
