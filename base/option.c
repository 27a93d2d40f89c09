#include "base/option.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { KEY_EDITS_MAX = 2, KEY_LEN_MAX = 40 };

struct unit {
	const char *suffix;
	int64_t factor;
};

static const struct unit duration_units[] = {
	{ "ns", 1 },
	{ "us", HT_NS_PER_US },
	{ "ms", HT_NS_PER_MS },
	{ "s", HT_NS_PER_S },
	{ "m", 60 * HT_NS_PER_S },
	{ "h", 3600 * HT_NS_PER_S },
	{ "d", 86400 * HT_NS_PER_S },
	{ 0 },
};
static const struct unit byte_units[] = {
	{ "", 1 },
	{ "K", 1 << 10 },
	{ "M", 1 << 20 },
	{ "G", 1 << 30 },
	{ "T", INT64_C(1) << 40 },
	{ 0 },
};
static const struct unit rate_units[] = {
	{ "", 1 },
	{ "k", 1000 },
	{ "M", 1000000 },
	{ "G", 1000000000 },
	{ 0 },
};
static const struct unit plain_units[] = { { "", 1 }, { 0 } };

/* What a type is called, and what a value of it looks like. */
static const struct {
	const char *name, *example;
	const struct unit *units;
} types[] = {
	[HT_OPT_BOOL] = { "yes/no", "yes or no", NULL },
	[HT_OPT_INT] = { "integer", "a whole number such as 5, without leading zeros",
	    plain_units },
	[HT_OPT_NUMBER] = { "number", "a number such as 0.5", NULL },
	[HT_OPT_DURATION] = { "duration",
	    "a number with its unit, such as 200ms, 30s, 5m, 1h or 7d", duration_units },
	[HT_OPT_BYTES] = { "bytes", "a size such as 512, 64K, 10M or 2G", byte_units },
	[HT_OPT_RATE] = { "bit/s", "a rate in bit/s such as 64k, 10M or 1G", rate_units },
	[HT_OPT_STRING] = { "text", "one text", NULL },
	[HT_OPT_ENUM] = { "choice", "one of the words allowed", NULL },
	[HT_OPT_STRINGS] = { "list of texts", "a list such as [a, b]", NULL },
	[HT_OPT_SECTION] = { "section", "a section: keys below it, indented", NULL },
	[HT_OPT_LIST] = { "list", "a list: items below it, each beginning with '- '",
	    NULL },
	[HT_OPT_NODE] = { "any", "a value", NULL },
};

/* Digits without leading zeros, an optional sign, a unit of the table. */
static ht_err scaled_parse(const char *text, const struct unit *units, int64_t *out)
{
	const char *digits = text + (*text == '-');
	char *end;

	if (*digits < '0' || *digits > '9' ||
	    (digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9'))
		return HT_MALFORMED;
	errno = 0;
	intmax_t v = strtoimax(text, &end, 10);
	if (errno)
		return HT_RANGE;
	for (; units->suffix; units++) {
		if (strcmp(end, units->suffix) != 0)
			continue;
		if (__builtin_mul_overflow((int64_t)v, units->factor, out))
			return HT_RANGE;
		return HT_OK;
	}
	return HT_MALFORMED;
}

ht_err ht_duration_parse(const char *text, int64_t *out_ns)
{
	return scaled_parse(text, duration_units, out_ns);
}

ht_err ht_int_parse(const char *text, int64_t *out)
{
	return scaled_parse(text, plain_units, out);
}

ht_err ht_bytes_parse(const char *text, int64_t *out)
{
	return scaled_parse(text, byte_units, out);
}

ht_err ht_rate_parse(const char *text, int64_t *out_bit_s)
{
	return scaled_parse(text, rate_units, out_bit_s);
}

/* Levenshtein distance of two short keys. */
static int distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b);
	int row[KEY_LEN_MAX + 1];

	if (la > KEY_LEN_MAX || lb > KEY_LEN_MAX)
		return KEY_LEN_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = (int)j;
	for (size_t i = 1; i <= la; i++) {
		int diagonal = row[0];

		row[0] = (int)i;
		for (size_t j = 1; j <= lb; j++) {
			int above = row[j], best = diagonal + (a[i - 1] != b[j - 1]);

			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			diagonal = above;
			row[j] = best;
		}
	}
	return row[lb];
}

const char *ht_options_nearest(const struct ht_options *options, const char *key)
{
	const char *best = NULL;
	int least = KEY_EDITS_MAX + 1;

	for (size_t i = 0; i < options->n; i++) {
		int d = distance(key, options->rows[i].key);

		if (d < least) {
			least = d;
			best = options->rows[i].key;
		}
	}
	return best;
}

static const struct ht_option *find(const struct ht_options *options, const char *key)
{
	for (size_t i = 0; options && i < options->n; i++) {
		if (strcmp(options->rows[i].key, key) == 0)
			return &options->rows[i];
	}
	return NULL;
}

/* A value in base units, written as a person would. */
static void show(const struct ht_option *o, int64_t v, char *out, size_t cap)
{
	const struct unit *units = types[o->type].units, *use = units;

	if (!units) {
		snprintf(out, cap, "%" PRId64, v);
		return;
	}
	for (const struct unit *u = units; u->suffix; u++) {
		if (v && v % u->factor == 0)
			use = u;
	}
	if (!v && o->type == HT_OPT_DURATION)
		use = &duration_units[3];
	snprintf(out, cap, "%" PRId64 "%s", v / use->factor, use->suffix);
}

/* Where the sentence of a fault goes: a file's place, or a command line's key. */
struct place {
	const struct ht_node *node; /* NULL for the command line */
	const struct ht_option *option;
	struct ht_fault *fault;
};

static ht_err complain(const struct place *p, const char *fmt, ...) HT_PRINTF(2, 3);

static ht_err complain(const struct place *p, const char *fmt, ...)
{
	char what[360];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (p->node)
		return ht_node_fault(p->node, p->fault, "'%s' %s", p->option->key, what);
	return ht_fault_set(p->fault, HT_CONFIG, "%s: %s", p->option->key, what);
}

static ht_err check_range(const struct place *p, int64_t v)
{
	const struct ht_option *o = p->option;
	char lo[32], hi[32], got[32];

	if ((o->min == 0 && o->max == 0) || (v >= o->min && v <= o->max))
		return HT_OK;
	show(o, o->min, lo, sizeof(lo));
	show(o, o->max, hi, sizeof(hi));
	show(o, v, got, sizeof(got));
	if (o->type == HT_OPT_LIST || o->type == HT_OPT_STRINGS)
		return complain(p, "has %s items, but must have %s to %s", got, lo, hi);
	return complain(p, "is %s, but must be between %s and %s", got, lo, hi);
}

static ht_err set_scaled(const struct place *p, const char *text, void *at)
{
	int64_t v;
	ht_err err = scaled_parse(text, types[p->option->type].units, &v);

	if (err == HT_RANGE)
		return complain(p, "is too large a number: '%.60s'", text);
	if (err)
		return complain(
		    p, "must be %s, not '%.60s'", types[p->option->type].example, text);
	err = check_range(p, v);
	if (!err)
		*(int64_t *)at = v;
	return err;
}

static ht_err set_number(const struct place *p, const char *text, void *at)
{
	const struct ht_option *o = p->option;
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !isfinite(v) || !strchr("-.0123456789", text[0]) ||
	    strpbrk(text, "xX"))
		return complain(
		    p, "must be %s, not '%.60s'", types[HT_OPT_NUMBER].example, text);
	if ((o->min || o->max) && (v < (double)o->min || v > (double)o->max))
		return complain(p, "is %g, but must be between %" PRId64 " and %" PRId64,
		    v, o->min, o->max);
	*(double *)at = v;
	return HT_OK;
}

static ht_err set_bool(const struct place *p, const char *text, void *at)
{
	static const char *const words[][2] = { { "no", "yes" }, { "false", "true" },
		{ "off", "on" } };

	for (size_t i = 0; i < HT_COUNT(words); i++) {
		for (int v = 0; v < 2; v++) {
			if (strcmp(text, words[i][v]) == 0) {
				*(bool *)at = v;
				return HT_OK;
			}
		}
	}
	return complain(p, "must be yes or no, not '%.60s'", text);
}

static ht_err set_enum(const struct place *p, const char *text, void *at)
{
	char all[200] = "";
	size_t n = 0;

	for (int i = 0; p->option->names[i]; i++) {
		if (strcmp(text, p->option->names[i]) == 0) {
			*(int *)at = i;
			return HT_OK;
		}
		if (n < sizeof(all))
			n += (size_t)snprintf(all + n, sizeof(all) - n, "%s%s",
			    i ? ", " : "", p->option->names[i]);
	}
	return complain(p, "must be one of %s, not '%.60s'", all, text);
}

static ht_err set_string(const struct place *p, const char *text, void *at)
{
	int64_t len = (int64_t)strlen(text);
	const struct ht_option *o = p->option;

	if ((o->min || o->max) && (len < o->min || len > o->max))
		return complain(p,
		    "has %" PRId64 " bytes, but must have %" PRId64 " to %" PRId64, len,
		    o->min, o->max);
	char *copy = strdup(text);
	if (!copy)
		return HT_NOMEM;
	free(*(char **)at);
	*(char **)at = copy;
	return HT_OK;
}

static ht_err set_text(const struct place *p, const char *text, void *at)
{
	switch (p->option->type) {
	case HT_OPT_BOOL:
		return set_bool(p, text, at);
	case HT_OPT_NUMBER:
		return set_number(p, text, at);
	case HT_OPT_ENUM:
		return set_enum(p, text, at);
	case HT_OPT_STRING:
		return set_string(p, text, at);
	default:
		return set_scaled(p, text, at);
	}
}

static void strings_fini(struct ht_strings *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->at[i]);
	free(s->at);
	*s = (struct ht_strings){ 0 };
}

static ht_err strings_append(struct ht_strings *s, const char *text)
{
	char **at = realloc(s->at, (s->n + 1) * sizeof(*at));

	if (!at)
		return HT_NOMEM;
	s->at = at;
	s->at[s->n] = strdup(text);
	return s->at[s->n] ? (s->n++, HT_OK) : HT_NOMEM;
}

static ht_err load_strings(const struct place *p, struct ht_strings *out)
{
	const struct ht_node *node = p->node;
	ht_err err = HT_OK;

	if (node->kind == HT_NODE_SCALAR)
		err = strings_append(out, node->text);
	else if (node->kind != HT_NODE_LIST)
		return complain(p, "must be %s", types[HT_OPT_STRINGS].example);
	for (size_t i = 0; !err && node->kind == HT_NODE_LIST && i < node->n; i++) {
		if (node->items[i]->kind != HT_NODE_SCALAR)
			return ht_node_fault(node->items[i], p->fault,
			    "item of '%s' must be one text", p->option->key);
		err = strings_append(out, node->items[i]->text);
	}
	return err ? err : check_range(p, (int64_t)out->n);
}

static ht_err load_list(const struct place *p, struct ht_list *out)
{
	const struct ht_node *node = p->node;
	const struct ht_options *sub = p->option->sub;
	ht_err err = HT_OK;

	if (node->kind != HT_NODE_LIST)
		return complain(p, "must be %s", types[HT_OPT_LIST].example);
	if (node->n) {
		out->at = calloc(node->n, sub->size);
		out->nodes = calloc(node->n, sizeof(struct ht_node *));
		if (!out->at || !out->nodes)
			return HT_NOMEM;
	}
	for (; !err && out->n < node->n; out->n += !err) {
		out->nodes[out->n] = node->items[out->n];
		err = ht_options_load(sub, NULL, node->items[out->n],
		    (char *)out->at + out->n * sub->size, p->fault);
		if (err == HT_CONFIG && node->items[out->n]->kind == HT_NODE_NULL)
			err = ht_node_fault(node->items[out->n], p->fault,
			    "an entry is empty; fill it, or take its '-' away");
	}
	return err ? err : check_range(p, (int64_t)out->n);
}

static ht_err load_value(const struct place *p, void *at)
{
	switch (p->option->type) {
	case HT_OPT_NODE:
		*(const struct ht_node **)at = p->node;
		return HT_OK;
	case HT_OPT_SECTION:
		return ht_options_load(p->option->sub, NULL, p->node, at, p->fault);
	case HT_OPT_LIST:
		return load_list(p, at);
	case HT_OPT_STRINGS:
		return load_strings(p, at);
	default:
		if (p->node->kind != HT_NODE_SCALAR)
			return complain(p, "must be %s", types[p->option->type].example);
		return set_text(p, p->node->text, at);
	}
}

/* Its defaults; when it cannot be absent, say where it should be. */
static ht_err absent_section(const struct ht_option *o, void *at,
    const struct ht_node *map, struct ht_fault *fault)
{
	struct ht_fault why = { 0 };
	ht_err err = ht_options_load(o->sub, NULL, NULL, at, &why);

	if (err == HT_CONFIG && map)
		return ht_node_fault(
		    map, fault, "section '%s': %.300s", o->key, why.text);
	return err ? ht_fault_set(fault, err, "section '%s': %.300s", o->key, why.text)
		   : HT_OK;
}

static ht_err set_default(const struct ht_option *o, void *at, const struct ht_node *map,
    struct ht_fault *fault)
{
	struct place p = { NULL, o, fault };

	if (o->required) {
		if (map)
			return ht_node_fault(
			    map, fault, "'%s' is missing here (%s)", o->key, o->help);
		return ht_fault_set(
		    fault, HT_CONFIG, "'%s' is missing (%s)", o->key, o->help);
	}
	if (o->type == HT_OPT_SECTION)
		return absent_section(o, at, map, fault);
	if (!o->def)
		return HT_OK;
	if (o->type == HT_OPT_STRINGS)
		return strings_append(at, o->def);
	return set_text(&p, o->def, at);
}

static ht_err check_keys(const struct ht_options *options, const struct ht_options *also,
    const struct ht_node *map, struct ht_fault *fault)
{
	for (size_t i = 0; i < map->n; i++) {
		const char *key = map->keys[i]->text, *near;

		if (find(options, key) || find(also, key))
			continue;
		near = ht_options_nearest(options, key);
		if (!near && also)
			near = ht_options_nearest(also, key);
		if (near)
			return ht_node_fault(map->keys[i], fault,
			    "unknown key '%.60s'; did you mean '%s'?", key, near);
		return ht_node_fault(
		    map->keys[i], fault, "unknown key '%.60s'; remove it", key);
	}
	return HT_OK;
}

ht_err ht_options_load(const struct ht_options *options, const struct ht_options *also,
    const struct ht_node *map, void *out, struct ht_fault *fault)
{
	ht_err err = HT_OK;

	memset(out, 0, options->size);
	if (map && map->kind == HT_NODE_NULL)
		map = NULL;
	if (map && map->kind != HT_NODE_MAP)
		return ht_node_fault(
		    map, fault, "keys are expected here; write `key: value`");
	if (map)
		err = check_keys(options, also, map, fault);
	for (size_t i = 0; !err && i < options->n; i++) {
		const struct ht_option *o = &options->rows[i];
		const struct ht_node *node = ht_node_get(map, o->key);
		struct place p = { node, o, fault };
		char *at = (char *)out + o->offset;

		if (node && node->kind != HT_NODE_NULL)
			err = load_value(&p, at);
		else
			err = set_default(o, at, map, fault);
	}
	if (err == HT_NOMEM)
		ht_fault_set(fault, HT_NOMEM, "out of memory");
	if (err)
		ht_options_fini(options, out);
	return err;
}

void ht_options_fini(const struct ht_options *options, void *out)
{
	for (size_t i = 0; i < options->n; i++) {
		const struct ht_option *o = &options->rows[i];
		void *at = (char *)out + o->offset;

		if (o->type == HT_OPT_STRING) {
			free(*(char **)at);
		} else if (o->type == HT_OPT_STRINGS) {
			strings_fini(at);
		} else if (o->type == HT_OPT_SECTION) {
			ht_options_fini(o->sub, at);
		} else if (o->type == HT_OPT_LIST) {
			struct ht_list *list = at;

			for (size_t k = 0; k < list->n; k++)
				ht_options_fini(
				    o->sub, (char *)list->at + k * o->sub->size);
			free(list->at);
			free(list->nodes);
		}
	}
	memset(out, 0, options->size);
}

ht_err ht_options_set(const struct ht_options *options, void *out, const char *key,
    const char *text, struct ht_fault *fault)
{
	const struct ht_option *o = find(options, key);
	struct place p = { NULL, o, fault };
	const char *near;

	if (!o) {
		near = ht_options_nearest(options, key);
		return ht_fault_set(fault, HT_CONFIG,
		    near ? "unknown key '%s'; did you mean '%s'?" : "unknown key '%s'",
		    key, near);
	}
	if (o->type == HT_OPT_STRINGS) {
		strings_fini((struct ht_strings *)((char *)out + o->offset));
		return strings_append(
		    (struct ht_strings *)((char *)out + o->offset), text);
	}
	if (o->type == HT_OPT_SECTION || o->type == HT_OPT_LIST || o->type == HT_OPT_NODE)
		return ht_fault_set(
		    fault, HT_CONFIG, "'%s' can be set in a file only", key);
	return set_text(&p, text, (char *)out + o->offset);
}

static void print_row(const struct ht_option *o, int indent, FILE *to)
{
	char lo[32], hi[32];

	fprintf(to, "%*s%-*s %s", indent, "", 22 - indent, o->key, types[o->type].name);
	if (o->type == HT_OPT_ENUM) {
		fputs(" (", to);
		for (int i = 0; o->names[i]; i++)
			fprintf(to, "%s%s", i ? "|" : "", o->names[i]);
		fputs(")", to);
	} else if (o->min || o->max) {
		show(o, o->min, lo, sizeof(lo));
		show(o, o->max, hi, sizeof(hi));
		fprintf(to, " %s..%s", lo, hi);
	}
	if (o->required)
		fputs(", required", to);
	else if (o->def)
		fprintf(to, ", default %s", o->def);
	fprintf(to, "\n%*s%s\n", indent + 4, "", o->help ? o->help : "");
}

static void print_table(const struct ht_options *options, int indent, FILE *to)
{
	for (size_t i = 0; i < options->n; i++) {
		print_row(&options->rows[i], indent, to);
		if (options->rows[i].sub)
			print_table(options->rows[i].sub, indent + 2, to);
	}
}

void ht_options_print(const struct ht_options *options, FILE *to)
{
	print_table(options, 2, to);
}
