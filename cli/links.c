/* hatang links [--agency ID] | links show ID | links explain ID */
#include <stdio.h>
#include <string.h>

#include "cli/verb.h"
#include "cli/verbs.h"

#define USAGE                                             \
	"links [list] [--agency ID]\n"                    \
	"       hatang links show ID [--month 2026-11]\n" \
	"       hatang links explain ID"

enum { TEXT_MAX = 512 };

static const struct table_column columns[] = {
	{ "LINK", "id", TABLE_PLAIN },
	{ "AGENCY", "agency", TABLE_PLAIN },
	{ "STATE", "state", TABLE_PLAIN },
	{ "KIND", "kind", TABLE_PLAIN },
	{ "CONTRACTED", "contracted.down", TABLE_RATE },
	{ "NEGOTIATED", "negotiated.down", TABLE_RATE },
	{ "MEASURED", "throughput.down", TABLE_RATE },
	{ "USED P95", "used_p95.down", TABLE_RATE },
	{ "FINDINGS", "findings", TABLE_COUNT },
	{ "LOSS", "loss", TABLE_SHARE },
	{ "RTT s", "rtt_s", TABLE_PLAIN },
	{ "WHY", "reason", TABLE_PLAIN },
};
static const struct table_column figures[] = {
	{ "", "what", TABLE_PLAIN },
	{ "DOWN", "down.value", TABLE_RATE },
	{ "UP", "up.value", TABLE_RATE },
	{ "SURE", "down.confidence", TABLE_SHARE },
	{ "COVERAGE", "down.coverage", TABLE_SHARE },
	{ "FROM", "down.source", TABLE_PLAIN },
	{ "BY", "down.agent", TABLE_PLAIN },
	{ "AT", "down.at", TABLE_PLAIN },
	{ "WHY NOT", "down.reason", TABLE_PLAIN },
	{ "WHAT HELPS", "down.cure", TABLE_PLAIN },
};
static const struct table_column months[] = {
	{ "MONTH", "month", TABLE_PLAIN },
	{ "P95 DOWN", "down.p95", TABLE_RATE },
	{ "P95 UP", "up.p95", TABLE_RATE },
	{ "BUSY HOUR", "down.busy_hour", TABLE_PLAIN },
	{ "ITS MEAN", "down.busy_hour_mean", TABLE_RATE },
	{ "OFFICE MEAN", "down.office_mean", TABLE_RATE },
	{ "PEAK", "down.peak", TABLE_RATE },
	{ "COVERAGE", "coverage", TABLE_SHARE },
};

/* ── one link ── */

static void line(const char *label, struct json_object *o, const char *path)
{
	char text[TEXT_MAX];
	struct json_object *v = table_at(o, path);

	if (!v)
		return;
	table_text(v, TABLE_PLAIN, text, sizeof(text));
	if (text[0])
		printf("%-12s%s\n", label, text);
}

static void put_side(
    struct json_object *row, struct json_object *doc, const char *way, const char *what)
{
	char path[64];

	snprintf(path, sizeof(path), "%s.%s", way, what);
	json_object_object_add(row, way, json_object_get(table_at(doc, path)));
}

static void show_figures(struct json_object *doc)
{
	static const char *const four[] = { "contracted", "negotiated", "measured",
		"used" };
	struct json_object *rows = json_object_new_array();

	for (size_t i = 0; i < HT_COUNT(four); i++) {
		struct json_object *row = json_object_new_object();

		json_object_object_add(row, "what", json_object_new_string(four[i]));
		put_side(row, doc, "down", four[i]);
		put_side(row, doc, "up", four[i]);
		json_object_array_add(rows, row);
	}
	putchar('\n');
	table_print(rows, figures, HT_COUNT(figures));
	json_object_put(rows);
}

static void show_findings(struct json_object *list)
{
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *f = json_object_array_get_idx(list, i);

		if (i == 0)
			putchar('\n');
		line("finding", f, "text");
		line("", f, "cure");
	}
}

static void show_wan(struct json_object *wan)
{
	if (!wan)
		return;
	putchar('\n');
	line("WAN", wan, "answer");
	line("", wan, "reason");
	line("", wan, "cure");
	line("path", wan, "path.trace");
}

static void show(struct json_object *link, struct json_object *bandwidth)
{
	struct json_object *doc = table_at(bandwidth, "figures"),
			   *list = table_at(bandwidth, "months");

	line("link", link, "id");
	line("agency", link, "agency");
	line("kind", link, "kind");
	line("provider", link, "provider");
	line("state", link, "state");
	line("", link, "reason");
	if (doc) {
		show_figures(doc);
		show_findings(table_at(doc, "findings"));
	}
	show_wan(table_at(link, "wan"));
	if (list && json_object_array_length(list)) {
		putchar('\n');
		table_print(list, months, HT_COUNT(months));
	}
}

static ht_err fetch(const struct client_settings *s, const char *id, const char *tail,
    struct client_answer *out, struct ht_fault *fault)
{
	char path[512], escaped[256];

	if (verb_escape(id, escaped, sizeof(escaped)))
		return ht_fault_set(fault, HT_TOOLARGE, "no link has so long an id");
	snprintf(path, sizeof(path), "/api/v1/links/%s%s", escaped, tail);
	return client_send(
	    s, &(struct client_request){ .method = "GET", .path = path }, out, fault);
}

static int one(const char *id, const char *month, bool json)
{
	struct client_settings s = { 0 };
	struct client_answer link = { 0 }, bandwidth = { 0 };
	struct ht_fault fault = { 0 };
	char tail[64] = "/bandwidth", escaped[32];

	if (month && verb_escape(month, escaped, sizeof(escaped)))
		return verb_usage(USAGE);
	if (month)
		snprintf(tail, sizeof(tail), "/bandwidth?month=%s", escaped);
	ht_err err = client_settings_load(&s, &fault);
	if (!err)
		err = fetch(&s, id, "", &link, &fault);
	if (!err)
		err = fetch(&s, id, tail, &bandwidth, &fault);
	if (!err && json) {
		json_object_object_add(
		    link.json, "bandwidth", json_object_get(bandwidth.json));
		verb_print_json(link.json);
	} else if (!err) {
		show(link.json, bandwidth.json);
	}
	client_answer_fini(&bandwidth);
	client_answer_fini(&link);
	client_settings_fini(&s);
	return err ? verb_fail(err, &fault) : HT_EXIT_OK;
}

static int list(const char *agency, bool json)
{
	char path[512] = "/api/v1/links", escaped[256];

	if (agency) {
		if (verb_escape(agency, escaped, sizeof(escaped)))
			return verb_usage(USAGE);
		snprintf(path, sizeof(path), "/api/v1/links?agency=%s", escaped);
	}
	return verb_list(path, columns, HT_COUNT(columns), json);
}

int links_main(int argc, char **argv)
{
	const char *agency = NULL, *month = NULL;
	const struct verb_option options[] = {
		{ "agency", &agency, NULL, "list: only of this one" },
		{ "month", &month, NULL, "show: with --json, its days" },
	};
	struct verb_args a;
	int code;

	if (!verb_args(argc, argv, USAGE, options, HT_COUNT(options), &a, &code))
		return code;
	const char *what = a.n_words ? a.words[0] : "list";
	if (strcmp(what, "list") == 0 && a.n_words <= 1)
		return list(agency, a.json);
	if (a.n_words == 2 && strcmp(what, "show") == 0)
		return one(a.words[1], month, a.json);
	if (a.n_words == 2 && strcmp(what, "explain") == 0)
		return one(a.words[1], month, true);
	return verb_usage(USAGE);
}
