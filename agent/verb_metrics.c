/* hatang-agent metrics: the table of readings, and which probe emits them. */
#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "agent/verb.h"
#include "base/err.h"
#include "base/metric.h"
#include "probes/probe.h"

static const char *const kinds[] = {
	[HT_NUMBER] = "number",
	[HT_COUNTER] = "counter",
	[HT_STRING] = "string",
	[HT_BOOL] = "boolean",
};

/* "agent" for what the agent says of itself. */
static const char *emitter(enum ht_metric m)
{
	for (size_t i = 0; i < probe_registry_len; i++) {
		for (size_t k = 0; k < probe_registry[i]->n_metrics; k++) {
			if (probe_registry[i]->metrics[k] == m)
				return probe_registry[i]->name;
		}
	}
	return strcmp(ht_metric_info(m)->family, "agent") == 0 ? "agent" : "";
}

static void print_json(void)
{
	struct json_object *list = json_object_new_array();

	for (int m = 0; m < HT_METRIC_COUNT; m++) {
		const struct ht_metric_info *info = ht_metric_info((enum ht_metric)m);
		struct json_object *o = json_object_new_object();
		json_object_object_add(o, "family", json_object_new_string(info->family));
		json_object_object_add(
		    o, "quantity", json_object_new_string(info->quantity));
		json_object_object_add(
		    o, "kind", json_object_new_string(kinds[info->kind]));
		json_object_object_add(
		    o, "unit", info->unit ? json_object_new_string(info->unit) : NULL);
		json_object_object_add(
		    o, "probe", json_object_new_string(emitter((enum ht_metric)m)));
		json_object_object_add(o, "help", json_object_new_string(info->help));
		json_object_array_add(list, o);
	}
	puts(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PRETTY));
	json_object_put(list);
}

static void print_table(void)
{
	printf("%-28s %-8s %-6s %-16s %s\n", "READING", "KIND", "UNIT", "FROM",
	    "WHAT IT IS");
	for (int m = 0; m < HT_METRIC_COUNT; m++) {
		const struct ht_metric_info *info = ht_metric_info((enum ht_metric)m);
		char name[64];
		snprintf(name, sizeof(name), "%s/…/%s", info->family, info->quantity);
		/* The ellipsis is three bytes and one column wide. */
		printf("%-30s %-8s %-6s %-16s %s\n", name, kinds[info->kind],
		    info->unit ? info->unit : "", emitter((enum ht_metric)m), info->help);
	}
	puts("\nProbes:");
	for (size_t i = 0; i < probe_registry_len; i++)
		printf("  %-18s %s\n", probe_registry[i]->name, probe_registry[i]->help);
}

int verb_metrics(int argc, char **argv)
{
	bool json = argc == 2 && strcmp(argv[1], "--json") == 0;

	if (argc > 1 && !json) {
		bool help = strcmp(argv[1], "--help") == 0;
		fputs("usage: hatang-agent metrics [--json]\n", help ? stdout : stderr);
		return help ? HT_EXIT_OK : HT_EXIT_USAGE;
	}
	if (json)
		print_json();
	else
		print_table();
	return HT_EXIT_OK;
}
