/* YAML and options: whatever the text, either a fault that names a place, or values
 * within their ranges. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/option.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(what)               \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

struct item {
	char *name;
	int64_t every_ns;
};

struct all {
	bool flag;
	int64_t count, wait_ns, size, rate;
	double share;
	char *text;
	int choice;
	struct ht_strings words;
	struct item inner;
	struct ht_list items;
	struct ht_node *node;
};

static const struct ht_option item_rows[] = {
	{ "name", HT_OPT_STRING, offsetof(struct item, name), .min = 1, .max = 8,
	    .required = true, .help = "h" },
	{ "every", HT_OPT_DURATION, offsetof(struct item, every_ns), .min = HT_NS_PER_S,
	    .max = 60 * HT_NS_PER_S, .def = "30s", .help = "h" },
};
static const struct ht_options items = HT_OPTIONS(struct item, item_rows);

static const char *const choices[] = { "red", "green", NULL };

#define AT(f) offsetof(struct all, f)
static const struct ht_option rows[] = {
	{ "flag", HT_OPT_BOOL, AT(flag), .def = "no", .help = "h" },
	{ "count", HT_OPT_INT, AT(count), .min = 1, .max = 100, .def = "5", .help = "h" },
	{ "wait", HT_OPT_DURATION, AT(wait_ns), .help = "h" },
	{ "size", HT_OPT_BYTES, AT(size), .min = 0, .max = INT64_C(1) << 40, .def = "64K",
	    .help = "h" },
	{ "rate", HT_OPT_RATE, AT(rate), .def = "10M", .help = "h" },
	{ "share", HT_OPT_NUMBER, AT(share), .min = 0, .max = 1, .def = "0.5",
	    .help = "h" },
	{ "text", HT_OPT_STRING, AT(text), .help = "h" },
	{ "choice", HT_OPT_ENUM, AT(choice), .names = choices, .def = "red",
	    .help = "h" },
	{ "words", HT_OPT_STRINGS, AT(words), .max = 4, .help = "h" },
	{ "inner", HT_OPT_SECTION, AT(inner), .sub = &items, .help = "h" },
	{ "items", HT_OPT_LIST, AT(items), .max = 4, .sub = &items, .help = "h" },
	{ "node", HT_OPT_NODE, AT(node), .help = "h" },
};
static const struct ht_options options = HT_OPTIONS(struct all, rows);

static void check(const struct all *a)
{
	MUST(a->count >= 1 && a->count <= 100);
	MUST(a->size >= 0 && a->size <= INT64_C(1) << 40);
	MUST(isfinite(a->share) && a->share >= 0 && a->share <= 1);
	MUST(a->choice == 0 || a->choice == 1);
	MUST(a->items.n <= 4 && a->words.n <= 4);
	for (size_t i = 0; i < a->items.n; i++) {
		const struct item *it = (const struct item *)a->items.at + i;

		MUST(strlen(it->name) >= 1 && strlen(it->name) <= 8);
		MUST(it->every_ns >= HT_NS_PER_S && it->every_ns <= 60 * HT_NS_PER_S);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ht_fault fault = { 0 };
	struct ht_yaml y = { 0 }, over = { 0 };
	struct all a;

	if (ht_yaml_parse("f.yaml", data, size, &y, &fault)) {
		MUST(strncmp(fault.text, "f.yaml:", 7) == 0);
		return 0;
	}
	if (ht_options_load(&options, NULL, y.root, &a, &fault))
		MUST(strncmp(fault.text, "f.yaml:", 7) == 0 ||
		     strstr(fault.text, "missing"));
	else
		check(&a);
	ht_options_fini(&options, &a);
	/* A file laid over itself is itself. */
	MUST(ht_yaml_parse("o.yaml", data, size, &over, NULL) == HT_OK);
	MUST(ht_yaml_overlay(&y, &over) == HT_OK);
	ht_yaml_fini(&y);
	ht_yaml_fini(&over);
	return 0;
}
