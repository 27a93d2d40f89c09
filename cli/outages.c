/* hatang outages list | show | note | dispute | availability */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/verb.h"
#include "cli/verbs.h"

#define USAGE                                                                          \
	"outages list [--link ID] [--agency ID] [--provider NAME] [--open]\n"          \
	"                      [--from TIME] [--to TIME]\n"                            \
	"       hatang outages show ID\n"                                              \
	"       hatang outages note ID [--ticket T] [--note TEXT]\n"                   \
	"       hatang outages dispute ID [--html FILE]\n"                             \
	"       hatang outages availability [--month 2026-11] [--by "                  \
	"link|agency|district|provider]\n"                                             \
	"                      [--link ID | --agency ID | --district ID | --provider " \
	"NAME]"

static const struct table_column list_columns[] = {
	{ "OUTAGE", "id", TABLE_PLAIN },
	{ "AGENCY", "agency", TABLE_PLAIN },
	{ "CARRIER", "provider", TABLE_PLAIN },
	{ "STATE", "state", TABLE_PLAIN },
	{ "START", "start", TABLE_PLAIN },
	{ "END", "end", TABLE_PLAIN },
	{ "SECONDS", "duration_s", TABLE_PLAIN },
	{ "CAUSE", "cause", TABLE_PLAIN },
	{ "TICKET", "ticket", TABLE_PLAIN },
};
static const struct table_column figure_columns[] = {
	{ "OF", "id", TABLE_PLAIN },
	{ "AVAILABLE", "availability", TABLE_SHARE },
	{ "OUTAGES", "outages", TABLE_PLAIN },
	{ "MINUTES", "outage_minutes", TABLE_PLAIN },
	{ "MTTR s", "mttr_s", TABLE_PLAIN },
	{ "MTBF s", "mtbf_s", TABLE_PLAIN },
	{ "UNREACHABLE s", "unreachable_s", TABLE_PLAIN },
	{ "UNKNOWN s", "unknown_s", TABLE_PLAIN },
	{ "MAINTENANCE s", "maintenance_s", TABLE_PLAIN },
	{ "MEASURED", "coverage", TABLE_SHARE },
};

struct wish {
	const char *link, *agency, *district, *provider, *from, *to, *month, *by;
	const char *ticket, *note, *html;
	bool open;
};

/* Append "?key=value" or "&key=value". False: it does not fit. */
static bool query(char *path, size_t cap, const char *key, const char *value)
{
	char escaped[768];
	size_t len = strlen(path);

	if (!value)
		return true;
	if (verb_escape(value, escaped, sizeof(escaped)))
		return false;
	int n = snprintf(path + len, cap - len, "%c%s=%s", strchr(path, '?') ? '&' : '?',
	    key, escaped);
	return n > 0 && (size_t)n < cap - len;
}

static bool path_of(char *path, size_t cap, const char *id, const char *tail)
{
	char escaped[256];

	if (verb_escape(id, escaped, sizeof(escaped)))
		return false;
	int n = snprintf(path, cap, "/api/v1/outages/%s%s", escaped, tail);
	return n > 0 && (size_t)n < cap;
}

static int list(const struct wish *w, bool json)
{
	char path[2048] = "/api/v1/outages";
	const char *const filters[][2] = { { "link", w->link }, { "agency", w->agency },
		{ "provider", w->provider }, { "from", w->from }, { "to", w->to },
		{ "open", w->open ? "true" : NULL } };

	for (size_t i = 0; i < HT_COUNT(filters); i++) {
		if (!query(path, sizeof(path), filters[i][0], filters[i][1]))
			return verb_usage(USAGE);
	}
	return verb_list(path, list_columns, HT_COUNT(list_columns), json);
}

static int show(const char *id)
{
	char path[512];

	if (!path_of(path, sizeof(path), id, ""))
		return verb_usage(USAGE);
	return verb_send(
	    &(struct client_request){ .method = "GET", .path = path }, true, NULL);
}

static int note(const struct wish *w, const char *id, bool json)
{
	struct json_object *body = json_object_new_object();
	struct client_request rq = { .method = "PUT" };
	char path[512];

	if (w->ticket && w->ticket[0])
		json_object_object_add(body, "ticket", json_object_new_string(w->ticket));
	if (w->note && w->note[0])
		json_object_object_add(body, "note", json_object_new_string(w->note));
	rq.path = path;
	rq.body = json_object_to_json_string(body);
	rq.len = strlen(rq.body);
	int code = path_of(path, sizeof(path), id, "/note") ? verb_send(&rq, json, NULL)
							    : verb_usage(USAGE);
	json_object_put(body);
	return code;
}

static int write_file(const char *name, const struct client_answer *a)
{
	FILE *f = strcmp(name, "-") == 0 ? stdout : fopen(name, "we");
	bool ok = f && fwrite(a->text, 1, a->len, f) == a->len;

	if (f && f != stdout)
		ok = fclose(f) == 0 && ok;
	if (!ok)
		fprintf(stderr, "hatang: %s: %s\n", name, strerror(errno));
	return ok ? HT_EXIT_OK : HT_EXIT_FAILURE;
}

/* The page goes into a file, as the server made it. */
static int dispute_page(const char *path, const char *file)
{
	struct client_settings s = { 0 };
	struct client_answer a = { 0 };
	struct ht_fault fault = { 0 };
	ht_err err = client_settings_load(&s, &fault);

	if (!err)
		err = client_send(&s,
		    &(struct client_request){ .method = "GET", .path = path }, &a,
		    &fault);
	int code = err ? verb_fail(err, &fault) : write_file(file, &a);
	client_answer_fini(&a);
	client_settings_fini(&s);
	return code;
}

static int dispute(const struct wish *w, const char *id)
{
	char path[512];

	if (!path_of(
		path, sizeof(path), id, w->html ? "/dispute?format=html" : "/dispute"))
		return verb_usage(USAGE);
	if (w->html)
		return dispute_page(path, w->html);
	return verb_send(
	    &(struct client_request){ .method = "GET", .path = path }, true, NULL);
}

/* ── availability ── */

static void show_figures(struct json_object *answer)
{
	struct json_object *items = table_at(answer, "items"),
			   *total = table_at(answer, "total"),
			   *rules = table_at(answer, "rules");

	if (!items || !total || !rules)
		return;
	printf("%s, %s to %s\n\n", json_object_get_string(table_at(answer, "month")),
	    json_object_get_string(table_at(answer, "from")),
	    json_object_get_string(table_at(answer, "counted_to")));
	json_object_object_add(total, "id", json_object_new_string("all of it"));
	json_object_array_add(items, json_object_get(total));
	table_print(items, figure_columns, HT_COUNT(figure_columns));
	puts("");
	for (size_t i = 0; i < json_object_array_length(rules); i++)
		printf("%zu. %s\n", i + 1,
		    json_object_get_string(
			table_at(json_object_array_get_idx(rules, i), "en")));
	if (table_at(answer, "next"))
		fputs("hatang: more parts than one page: narrow the scope, or use --by\n",
		    stderr);
}

static int availability(const struct wish *w, bool json)
{
	const char *const scopes[][2] = { { "link", w->link }, { "agency", w->agency },
		{ "district", w->district }, { "provider", w->provider } };
	char path[2048] = "/api/v1/availability?limit=1000";
	int n = 0;
	bool ok = query(path, sizeof(path), "month", w->month) &&
		  query(path, sizeof(path), "by", w->by);

	for (size_t i = 0; i < HT_COUNT(scopes); i++) {
		if (!scopes[i][1])
			continue;
		n++;
		ok = ok && query(path, sizeof(path), "scope", scopes[i][0]) &&
		     query(path, sizeof(path), "id", scopes[i][1]);
	}
	if (!ok || n > 1)
		return verb_usage(USAGE);
	return verb_send(&(struct client_request){ .method = "GET", .path = path }, json,
	    show_figures);
}

int outages_main(int argc, char **argv)
{
	struct wish w = { 0 };
	const struct verb_option options[] = {
		{ "link", &w.link, NULL, "of this link" },
		{ "agency", &w.agency, NULL, "of this agency and all below it" },
		{ "district", &w.district, NULL, "availability: of this district" },
		{ "provider", &w.provider, NULL, "of this carrier's links" },
		{ "open", NULL, &w.open, "list: only those that last" },
		{ "from", &w.from, NULL, "list: that touch the time from here" },
		{ "to", &w.to, NULL, "list: to here" },
		{ "month", &w.month, NULL,
		    "availability: the present one when left out" },
		{ "by", &w.by, NULL, "availability: parts; link when left out" },
		{ "ticket", &w.ticket, NULL, "note: the carrier's ticket number" },
		{ "note", &w.note, NULL, "note: a remark" },
		{ "html", &w.html, NULL,
		    "dispute: write the page to this file, - for stdout" },
	};
	struct verb_args a;
	int code;

	if (!verb_args(argc, argv, USAGE, options, HT_COUNT(options), &a, &code))
		return code;
	const char *what = a.n_words ? a.words[0] : "list";
	if (strcmp(what, "list") == 0 && a.n_words <= 1)
		return list(&w, a.json);
	if (strcmp(what, "availability") == 0 && a.n_words == 1)
		return availability(&w, a.json);
	if (a.n_words != 2)
		return verb_usage(USAGE);
	if (strcmp(what, "show") == 0)
		return show(a.words[1]);
	if (strcmp(what, "note") == 0)
		return note(&w, a.words[1], a.json);
	if (strcmp(what, "dispute") == 0)
		return dispute(&w, a.words[1]);
	return verb_usage(USAGE);
}
