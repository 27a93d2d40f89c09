#include "base/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { DEPTH_MAX = 32, NODES_MAX = 200000, KEYS_MAX = 10000, FILE_MAX = 4 << 20 };

#define NO_ANCHORS "anchors and tags are not allowed; write the value out"

struct builder {
	yaml_parser_t parser;
	const char *file;
	struct ht_fault *fault;
	size_t nodes;
};

static void node_free(struct ht_node *node)
{
	if (!node)
		return;
	for (size_t i = 0; i < node->n; i++) {
		if (node->keys)
			node_free(node->keys[i]);
		node_free(node->items[i]);
	}
	free(node->keys);
	free(node->items);
	free(node->text);
	free(node);
}

static ht_err fault_at(const char *file, int line, int column, struct ht_fault *fault,
    const char *fmt, va_list ap) HT_PRINTF(5, 0);

static ht_err fault_at(const char *file, int line, int column, struct ht_fault *fault,
    const char *fmt, va_list ap)
{
	char what[400];

	vsnprintf(what, sizeof(what), fmt, ap);
	return ht_fault_set(
	    fault, HT_CONFIG, "%.90s:%d:%d: %s", file, line, column, what);
}

ht_err ht_node_fault(
    const struct ht_node *node, struct ht_fault *fault, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fault_at(node->file, node->line, node->column, fault, fmt, ap);
	va_end(ap);
	return HT_CONFIG;
}

static ht_err mark_fault(struct builder *b, const yaml_mark_t *mark, const char *fmt, ...)
    HT_PRINTF(3, 4);

static ht_err mark_fault(struct builder *b, const yaml_mark_t *mark, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fault_at(b->file, (int)mark->line + 1, (int)mark->column + 1, b->fault, fmt, ap);
	va_end(ap);
	return HT_CONFIG;
}

static ht_err next_event(struct builder *b, yaml_event_t *ev)
{
	if (yaml_parser_parse(&b->parser, ev))
		return HT_OK;
	if (b->parser.error == YAML_MEMORY_ERROR)
		return ht_fault_set(b->fault, HT_NOMEM, "%s: out of memory", b->file);
	yaml_mark_t mark = b->parser.problem_mark;
	if (b->parser.error == YAML_READER_ERROR)
		mark = b->parser.mark;
	return mark_fault(b, &mark,
	    "not valid YAML: %s; check indentation, quotes and tabs",
	    b->parser.problem ? b->parser.problem : "unknown problem");
}

static ht_err append(struct ht_node *node, struct ht_node *key, struct ht_node *value)
{
	if ((node->n & (node->n - 1)) == 0) {
		size_t cap = node->n ? node->n * 2 : 1;
		struct ht_node **items = realloc(node->items, cap * sizeof(*items));

		if (!items)
			return HT_NOMEM;
		node->items = items;
		if (node->kind == HT_NODE_MAP) {
			struct ht_node **keys = realloc(node->keys, cap * sizeof(*keys));

			if (!keys)
				return HT_NOMEM;
			node->keys = keys;
		}
	}
	if (node->kind == HT_NODE_MAP)
		node->keys[node->n] = key;
	node->items[node->n++] = value;
	return HT_OK;
}

static struct ht_node *node_new(
    struct builder *b, enum ht_node_kind kind, const yaml_event_t *ev)
{
	struct ht_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->kind = kind;
	node->file = b->file;
	node->line = (int)ev->start_mark.line + 1;
	node->column = (int)ev->start_mark.column + 1;
	return node;
}

static bool is_null(const yaml_event_t *ev)
{
	const char *text = (const char *)ev->data.scalar.value;

	return ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

static ht_err scalar(struct builder *b, const yaml_event_t *ev, struct ht_node **out)
{
	if (ev->data.scalar.anchor || ev->data.scalar.tag)
		return mark_fault(b, &ev->start_mark, NO_ANCHORS);
	if (memchr(ev->data.scalar.value, '\0', ev->data.scalar.length))
		return mark_fault(
		    b, &ev->start_mark, "a NUL byte is not allowed in text");
	struct ht_node *node =
	    node_new(b, is_null(ev) ? HT_NODE_NULL : HT_NODE_SCALAR, ev);
	if (node)
		node->text = strdup((const char *)ev->data.scalar.value);
	if (!node || !node->text) {
		node_free(node);
		return ht_fault_set(b->fault, HT_NOMEM, "%s: out of memory", b->file);
	}
	node->quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	*out = node;
	return HT_OK;
}

static ht_err build(struct builder *b, yaml_event_t *ev, int depth, struct ht_node **out);

static ht_err build_next(struct builder *b, int depth, bool *end, struct ht_node **out)
{
	yaml_event_t ev;
	ht_err err = next_event(b, &ev);

	if (err)
		return err;
	*end = ev.type == YAML_SEQUENCE_END_EVENT || ev.type == YAML_MAPPING_END_EVENT;
	if (!*end)
		err = build(b, &ev, depth, out);
	yaml_event_delete(&ev);
	return err;
}

static ht_err check_key(struct builder *b, const struct ht_node *map, struct ht_node *key)
{
	if (key->kind == HT_NODE_NULL && key->text)
		key->kind = HT_NODE_SCALAR;
	if (key->kind != HT_NODE_SCALAR)
		return ht_node_fault(
		    key, b->fault, "a key must be a word; write `key: value`");
	/* Each key is compared with all before it. */
	if (map->n == KEYS_MAX)
		return ht_node_fault(
		    key, b->fault, "more than %d keys in one map", KEYS_MAX);
	for (size_t i = 0; i < map->n; i++) {
		if (strcmp(map->keys[i]->text, key->text) == 0)
			return ht_node_fault(key, b->fault,
			    "key '%.80s' is here twice (first on line %d); keep one",
			    key->text, map->keys[i]->line);
	}
	return HT_OK;
}

static ht_err fill(struct builder *b, struct ht_node *node, int depth)
{
	for (;;) {
		struct ht_node *key = NULL, *value = NULL;
		bool end;
		ht_err err = HT_OK;

		if (node->kind == HT_NODE_MAP) {
			err = build_next(b, depth, &end, &key);
			if (err || end)
				return err;
			err = check_key(b, node, key);
		}
		if (!err)
			err = build_next(b, depth, &end, &value);
		if (!err && node->kind == HT_NODE_LIST && end)
			return HT_OK;
		if (!err)
			err = append(node, key, value);
		if (err) {
			node_free(key);
			node_free(value);
			return err;
		}
	}
}

static ht_err build(struct builder *b, yaml_event_t *ev, int depth, struct ht_node **out)
{
	struct ht_node *node;
	ht_err err;

	if (depth > DEPTH_MAX)
		return mark_fault(
		    b, &ev->start_mark, "nested deeper than %d levels", DEPTH_MAX);
	if (++b->nodes > NODES_MAX)
		return mark_fault(
		    b, &ev->start_mark, "more than %d values in one file", NODES_MAX);
	switch (ev->type) {
	case YAML_SCALAR_EVENT:
		return scalar(b, ev, out);
	case YAML_SEQUENCE_START_EVENT:
		if (ev->data.sequence_start.anchor || ev->data.sequence_start.tag)
			return mark_fault(b, &ev->start_mark, NO_ANCHORS);
		node = node_new(b, HT_NODE_LIST, ev);
		break;
	case YAML_MAPPING_START_EVENT:
		if (ev->data.mapping_start.anchor || ev->data.mapping_start.tag)
			return mark_fault(b, &ev->start_mark, NO_ANCHORS);
		node = node_new(b, HT_NODE_MAP, ev);
		break;
	default:
		return mark_fault(b, &ev->start_mark,
		    "anchors and aliases are not allowed; write the value out");
	}
	if (!node)
		return ht_fault_set(b->fault, HT_NOMEM, "%s: out of memory", b->file);
	err = fill(b, node, depth + 1);
	if (err)
		node_free(node);
	else
		*out = node;
	return err;
}

/* stream start, document start, root, document end, stream end */
static ht_err document(struct builder *b, struct ht_node **out)
{
	struct ht_node *root = NULL;
	yaml_event_t ev;
	ht_err err = HT_OK;

	for (bool done = false; !err && !done;) {
		err = next_event(b, &ev);
		if (err)
			break;
		switch (ev.type) {
		case YAML_STREAM_END_EVENT:
			done = true;
			break;
		case YAML_STREAM_START_EVENT:
		case YAML_DOCUMENT_END_EVENT:
			break;
		case YAML_DOCUMENT_START_EVENT:
			if (root)
				err = mark_fault(b, &ev.start_mark,
				    "a second document begins here; use one file for "
				    "each");
			break;
		default:
			err = build(b, &ev, 1, &root);
		}
		if (!root && done) {
			root = node_new(b, HT_NODE_NULL, &ev);
			if (!root)
				err = HT_NOMEM;
		}
		yaml_event_delete(&ev);
	}
	if (err)
		node_free(root);
	else
		*out = root;
	return err;
}

ht_err ht_yaml_parse(const char *file, const void *bytes, size_t len, struct ht_yaml *out,
    struct ht_fault *fault)
{
	struct builder b = { .fault = fault };
	struct ht_yaml y = { .file = strdup(file) };
	ht_err err;

	if (!y.file)
		return ht_fault_set(fault, HT_NOMEM, "%s: out of memory", file);
	b.file = y.file;
	if (len > FILE_MAX) {
		free(y.file);
		return ht_fault_set(
		    fault, HT_CONFIG, "%s: larger than %d MiB", file, FILE_MAX >> 20);
	}
	if (!yaml_parser_initialize(&b.parser)) {
		free(y.file);
		return ht_fault_set(fault, HT_NOMEM, "%s: out of memory", file);
	}
	yaml_parser_set_input_string(&b.parser, bytes, len);
	err = document(&b, &y.root);
	yaml_parser_delete(&b.parser);
	if (err)
		free(y.file);
	else
		*out = y;
	return err;
}

ht_err ht_yaml_load(const char *file, struct ht_yaml *out, struct ht_fault *fault)
{
	FILE *f = fopen(file, "re");
	char *bytes = NULL;
	ht_err err;

	if (!f) {
		int saved = errno;

		return ht_fault_set(fault, ht_err_errno(saved), "%s: cannot open: %s",
		    file, strerror(saved));
	}
	bytes = malloc(FILE_MAX + 1);
	if (!bytes) {
		err = ht_fault_set(fault, HT_NOMEM, "%s: out of memory", file);
	} else {
		size_t len = fread(bytes, 1, FILE_MAX + 1, f);

		err = ferror(f) ? ht_fault_set(fault, HT_IO, "%s: cannot read: %s", file,
				      strerror(errno))
				: ht_yaml_parse(file, bytes, len, out, fault);
	}
	free(bytes);
	fclose(f);
	return err;
}

void ht_yaml_fini(struct ht_yaml *y)
{
	node_free(y->root);
	free(y->file);
	*y = (struct ht_yaml){ 0 };
}

static size_t find(const struct ht_node *map, const char *key)
{
	size_t i = 0;

	while (i < map->n && strcmp(map->keys[i]->text, key) != 0)
		i++;
	return i;
}

struct ht_node *ht_node_get(const struct ht_node *map, const char *key)
{
	if (!map || map->kind != HT_NODE_MAP)
		return NULL;
	size_t i = find(map, key);
	return i < map->n ? map->items[i] : NULL;
}

static ht_err overlay(struct ht_node **base, struct ht_node **over)
{
	struct ht_node *b = *base, *o = *over;

	if (b->kind != HT_NODE_MAP || o->kind != HT_NODE_MAP) {
		node_free(b);
		*base = o;
		*over = NULL;
		return HT_OK;
	}
	for (size_t i = 0; i < o->n; i++) {
		size_t at = find(b, o->keys[i]->text);
		ht_err err;

		if (at < b->n) {
			err = overlay(&b->items[at], &o->items[i]);
		} else {
			err = append(b, o->keys[i], o->items[i]);
			if (!err)
				o->keys[i] = o->items[i] = NULL;
		}
		if (err)
			return err;
	}
	return HT_OK;
}

ht_err ht_yaml_overlay(struct ht_yaml *base, struct ht_yaml *over)
{
	ht_err err = HT_OK;

	if (over->root && over->root->kind != HT_NODE_NULL)
		err = overlay(&base->root, &over->root);
	node_free(over->root);
	over->root = NULL;
	return err;
}
