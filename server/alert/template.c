#include "server/alert/template.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define OPS_MAX   1024
#define NAME_MAX_ 64
#define NO_LIMIT  SIZE_MAX

enum op_kind { OP_TEXT, OP_FIELD, OP_PARAM, OP_BEGIN, OP_END };

struct op {
	enum op_kind kind;
	size_t at, len;       /* OP_TEXT: bytes of the text */
	size_t index;         /* field or parameter; OP_END: its beginning */
	size_t limit;         /* letters or items */
	size_t end;           /* OP_BEGIN: its end */
	bool inverted, param; /* OP_BEGIN */
};

struct template
{
	char *text;
	enum template_escape escape;
	struct op *ops;
	size_t n;
};

/* ── reading ─────────────────────────────────────────────────────────────────────── */

struct parser {
	const char *text;
	size_t len, at;
	const struct channel_pair *params;
	size_t n_params;
	struct template *t;
	size_t open[TEMPLATE_DEPTH_MAX]; /* the sections we are in */
	size_t depth;
	struct ht_fault *fault;
};

static ht_err fault_at(const struct parser *p, size_t at, const char *what,
    const char *name, const char *cure)
{
	size_t line = 1, column = 1;

	for (size_t i = 0; i < at && i < p->len; i++) {
		column++;
		if (p->text[i] == '\n') {
			line++;
			column = 1;
		}
	}
	return ht_fault_set(p->fault, HT_CONFIG,
	    "template line %zu, column %zu: %s%s%s%s; %s", line, column, what,
	    name ? " `" : "", name ? name : "", name ? "`" : "", cure);
}

static struct op *op_put(struct parser *p, enum op_kind kind)
{
	struct op *op = p->t->n < OPS_MAX ? &p->t->ops[p->t->n++] : NULL;

	if (op)
		*op = (struct op){ .kind = kind, .limit = NO_LIMIT };
	return op;
}

static bool in_items(const struct parser *p)
{
	for (size_t i = 0; i < p->depth; i++) {
		const struct op *op = &p->t->ops[p->open[i]];
		if (!op->param && !op->inverted &&
		    message_fields[op->index].type == MESSAGE_LIST)
			return true;
	}
	return false;
}

static bool find_field(const char *name, size_t *out)
{
	for (size_t i = 0; i < message_fields_len; i++) {
		if (strcmp(message_fields[i].name, name) == 0) {
			*out = i;
			return true;
		}
	}
	return false;
}

static bool find_param(const struct parser *p, const char *name, size_t *out)
{
	for (size_t i = 0; i < p->n_params; i++) {
		if (strcmp(p->params[i].name, name) == 0) {
			*out = i;
			return true;
		}
	}
	return false;
}

/* The name of a tag to an index: a field, or a parameter. */
static ht_err resolve(
    struct parser *p, size_t at, const char *name, bool *param, size_t *index)
{
	*param = strncmp(name, "param.", 6) == 0;
	if (*param)
		return find_param(p, name + 6, index)
			   ? HT_OK
			   : fault_at(p, at, "the channel has no parameter", name + 6,
				 "write it under `params`");
	if (!find_field(name, index))
		return fault_at(
		    p, at, "there is no field", name, "docs/alerts.md lists them all");
	if (message_fields[*index].of_item && !in_items(p))
		return fault_at(p, at, "only the affected have", name,
		    "write it between {{#affected}} and {{/affected}}");
	return HT_OK;
}

/* "name:20" into name and limit. */
static ht_err split_limit(struct parser *p, size_t at, char *name, size_t *limit)
{
	char *colon = strchr(name, ':');
	size_t value = 0;

	*limit = NO_LIMIT;
	if (!colon)
		return HT_OK;
	*colon = '\0';
	for (const char *c = colon + 1; *c; c++) {
		if (*c < '0' || *c > '9' || value > 100000)
			return fault_at(p, at, "no number stands behind the colon of",
			    name, "write it as {{name:140}}");
		value = value * 10 + (size_t)(*c - '0');
	}
	if (value == 0)
		return fault_at(p, at, "a limit of nothing at", name, "write 1 or more");
	*limit = value;
	return HT_OK;
}

static ht_err too_many(struct parser *p, size_t at)
{
	return fault_at(p, at, "too many tags", NULL, "1,024 parts are the most");
}

static ht_err put_value(struct parser *p, size_t at, char *name)
{
	size_t limit, index;
	bool param;
	ht_err err = split_limit(p, at, name, &limit);

	if (!err)
		err = resolve(p, at, name, &param, &index);
	if (err)
		return err;
	if (!param && message_fields[index].type == MESSAGE_LIST)
		return fault_at(p, at, "a list is no text:", name,
		    "write {{#affected}}{{name}}{{/affected}}");
	struct op *op = op_put(p, param ? OP_PARAM : OP_FIELD);
	if (!op)
		return too_many(p, at);
	op->index = index;
	op->limit = limit;
	return HT_OK;
}

static ht_err put_begin(struct parser *p, size_t at, char *name, bool inverted)
{
	size_t limit, index;
	bool param;
	ht_err err = split_limit(p, at, name, &limit);

	if (!err)
		err = resolve(p, at, name, &param, &index);
	if (err)
		return err;
	if (p->depth == TEMPLATE_DEPTH_MAX)
		return fault_at(p, at, "sections are nested too deep at", name,
		    "6 levels are the most");
	if (!param && message_fields[index].type == MESSAGE_LIST && in_items(p))
		return fault_at(p, at, "a list inside itself:", name, "close it before");
	struct op *op = op_put(p, OP_BEGIN);
	if (!op)
		return too_many(p, at);
	op->index = index;
	op->limit = limit;
	op->inverted = inverted;
	op->param = param;
	p->open[p->depth++] = p->t->n - 1;
	return HT_OK;
}

static ht_err put_end(struct parser *p, size_t at, const char *name)
{
	size_t index = 0;
	bool param = strncmp(name, "param.", 6) == 0;
	bool known = param ? find_param(p, name + 6, &index) : find_field(name, &index);
	struct op *begin = p->depth ? &p->t->ops[p->open[p->depth - 1]] : NULL;

	if (!known || !begin || begin->param != param || begin->index != index)
		return fault_at(p, at, "this closes what is not open:", name,
		    "open it by {{#…}} or {{^…}}, and close the innermost first");
	struct op *op = op_put(p, OP_END);
	if (!op)
		return too_many(p, at);
	op->index = p->open[--p->depth];
	p->t->ops[op->index].end = p->t->n - 1;
	return HT_OK;
}

static ht_err put_tag(struct parser *p, size_t at, const char *tag, size_t len)
{
	char name[NAME_MAX_ + 1];
	char mark = len ? tag[0] : '\0';

	if (mark == '#' || mark == '^' || mark == '/') {
		tag++;
		len--;
	}
	if (len == 0 || len > NAME_MAX_)
		return fault_at(p, at, "a tag has no name, or too long a one", NULL,
		    "write it as {{title_vi}}");
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)tag[i] <= ' ' || (unsigned char)tag[i] >= 0x7f)
			return fault_at(p, at, "a name with a space or a strange letter",
			    NULL, "write it as {{title_vi}}");
	}
	memcpy(name, tag, len);
	name[len] = '\0';
	switch (mark) {
	case '#':
		return put_begin(p, at, name, false);
	case '^':
		return put_begin(p, at, name, true);
	case '/':
		return put_end(p, at, name);
	default:
		return put_value(p, at, name);
	}
}

static ht_err put_text(struct parser *p, size_t at, size_t len)
{
	if (len == 0)
		return HT_OK;
	struct op *op = op_put(p, OP_TEXT);
	if (!op)
		return too_many(p, at);
	op->at = at;
	op->len = len;
	return HT_OK;
}

static const char *find(const struct parser *p, size_t from, const char *what)
{
	return memmem(p->text + from, p->len - from, what, 2);
}

static ht_err parse(struct parser *p)
{
	ht_err err = HT_OK;

	while (!err && p->at < p->len) {
		const char *tag = find(p, p->at, "{{");
		size_t begin = tag ? (size_t)(tag - p->text) : p->len;

		err = put_text(p, p->at, begin - p->at);
		p->at = begin;
		if (err || !tag)
			break;
		const char *end = find(p, begin + 2, "}}");
		if (!end)
			return fault_at(
			    p, begin, "a tag has no end", NULL, "close it by }}");
		err = put_tag(p, begin, tag + 2, (size_t)(end - tag) - 2);
		p->at = (size_t)(end - p->text) + 2;
	}
	if (!err && p->depth) {
		const struct op *op = &p->t->ops[p->open[p->depth - 1]];
		err = fault_at(p, p->len, "a section is not closed:",
		    op->param ? p->params[op->index].name
			      : message_fields[op->index].name,
		    "close it by {{/…}}");
	}
	return err;
}

ht_err template_parse(const char *text, size_t len, enum template_escape escape,
    const struct channel_pair *params, size_t n_params, struct template **out,
    struct ht_fault *fault)
{
	struct template *t = calloc(1, sizeof(*t));
	struct parser p = { .text = text,
		.len = len,
		.params = params,
		.n_params = n_params,
		.t = t,
		.fault = fault };
	ht_err err = HT_NOMEM;

	if (len > TEMPLATE_TEXT_MAX) {
		free(t);
		return ht_fault_set(fault, HT_CONFIG,
		    "template line 1, column 1: it is longer than 32 KiB; shorten it");
	}
	if (t) {
		t->escape = escape;
		t->text = malloc(len + 1);
		t->ops = calloc(OPS_MAX, sizeof(*t->ops));
	}
	if (t && t->text && t->ops) {
		if (len)
			memcpy(t->text, text, len);
		t->text[len] = '\0';
		err = parse(&p);
	}
	if (err)
		template_free(t);
	else
		*out = t;
	return err;
}

void template_free(struct template *t)
{
	if (!t)
		return;
	free(t->text);
	free(t->ops);
	free(t);
}

/* ── writing ─────────────────────────────────────────────────────────────────────── */

enum template_escape template_escape_of(const char *content_type)
{
	if (strcasestr(content_type, "json"))
		return TEMPLATE_JSON;
	if (strcasestr(content_type, "html"))
		return TEMPLATE_HTML;
	if (strcasestr(content_type, "x-www-form-urlencoded"))
		return TEMPLATE_URL;
	return TEMPLATE_PLAIN;
}

static void put_json(struct ht_buf *b, unsigned char c)
{
	if (c == '"' || c == '\\')
		ht_buf_printf(b, "\\%c", c);
	else if (c == '\n')
		ht_buf_puts(b, "\\n");
	else if (c < 0x20 || c == 0x7f)
		ht_buf_printf(b, "\\u%04x", c);
	else
		ht_buf_put(b, &c, 1);
}

static void put_html(struct ht_buf *b, unsigned char c)
{
	switch (c) {
	case '&':
		ht_buf_puts(b, "&amp;");
		break;
	case '<':
		ht_buf_puts(b, "&lt;");
		break;
	case '>':
		ht_buf_puts(b, "&gt;");
		break;
	case '"':
		ht_buf_puts(b, "&quot;");
		break;
	case '\'':
		ht_buf_puts(b, "&#39;");
		break;
	default:
		if (c >= 0x20 || c == '\n' || c == '\t')
			ht_buf_put(b, &c, 1);
	}
}

static void put_url(struct ht_buf *b, unsigned char c)
{
	if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    c == '-' || c == '.' || c == '_' || c == '~')
		ht_buf_put(b, &c, 1);
	else
		ht_buf_printf(b, "%%%02X", c);
}

static void put_byte(struct ht_buf *b, enum template_escape escape, unsigned char c)
{
	bool control = c < 0x20 || c == 0x7f;

	switch (escape) {
	case TEMPLATE_JSON:
		put_json(b, c);
		break;
	case TEMPLATE_HTML:
		put_html(b, c);
		break;
	case TEMPLATE_URL:
		put_url(b, c);
		break;
	case TEMPLATE_LINE:
		ht_buf_put(b, control ? (const void *)" " : &c, 1);
		break;
	case TEMPLATE_PLAIN:
		if (!control || c == '\n' || c == '\t')
			ht_buf_put(b, &c, 1);
		break;
	}
}

/* Cut between letters of UTF-8, never inside one. */
static void put_escaped(
    struct ht_buf *b, enum template_escape escape, const char *text, size_t limit)
{
	size_t letters = 0;

	for (; *text; text++) {
		if (((unsigned char)*text & 0xc0) != 0x80 && letters++ == limit) {
			for (const char *more = "…"; *more; more++)
				put_byte(b, escape, (unsigned char)*more);
			return;
		}
		put_byte(b, escape, (unsigned char)*text);
	}
}

static void put_field(struct ht_buf *b, const struct template *t, const struct op *op,
    const struct message_value *v)
{
	switch (message_fields[op->index].type) {
	case MESSAGE_TEXT:
		if (v->set)
			put_escaped(b, t->escape, v->text, op->limit);
		break;
	case MESSAGE_NUMBER:
		if (v->set)
			ht_buf_printf(b, "%" PRId64, v->number);
		else if (t->escape == TEMPLATE_JSON)
			ht_buf_puts(b, "null");
		break;
	case MESSAGE_BOOL:
		ht_buf_puts(b, v->number ? "true" : "false");
		break;
	case MESSAGE_LIST:
		break;
	}
}

/* Where we are: the list's item, its section and how many of them to come. */
struct cursor {
	size_t item, items, begin;
};

static bool is_true(
    const struct op *op, const struct message *m, size_t item, char scratch[static 32])
{
	if (op->param)
		return m->params[op->index].text && m->params[op->index].text[0];
	struct message_value v = message_get(m, op->index, item, scratch);
	switch (message_fields[op->index].type) {
	case MESSAGE_TEXT:
	case MESSAGE_LIST:
		return v.set;
	default:
		return v.set && v.number != 0;
	}
}

/* The next op after the beginning of a section. */
static size_t begin(
    const struct template *t, size_t i, const struct message *m, struct cursor *c)
{
	const struct op *op = &t->ops[i];
	char scratch[32];

	if (is_true(op, m, c->item, scratch) == op->inverted)
		return op->end + 1;
	if (!op->param && !op->inverted &&
	    message_fields[op->index].type == MESSAGE_LIST) {
		c->item = 0;
		c->items = m->n_items < op->limit ? m->n_items : op->limit;
		c->begin = i;
	}
	return i + 1;
}

static size_t end(const struct template *t, size_t i, struct cursor *c)
{
	if (c->items == 0 || t->ops[i].index != c->begin)
		return i + 1;
	if (++c->item < c->items)
		return c->begin + 1;
	*c = (struct cursor){ 0 };
	return i + 1;
}

ht_err template_render(
    const struct template *t, const struct message *m, struct ht_buf *out)
{
	struct cursor c = { 0 };
	size_t from = out->len, i = 0;
	char scratch[32];

	while (i < t->n && !ht_buf_err(out)) {
		const struct op *op = &t->ops[i];
		struct message_value v;

		if (out->len - from > TEMPLATE_OUTPUT_MAX)
			return HT_TOOLARGE;
		switch (op->kind) {
		case OP_TEXT:
			ht_buf_put(out, t->text + op->at, op->len);
			i++;
			break;
		case OP_FIELD:
			v = message_get(m, op->index, c.item, scratch);
			put_field(out, t, op, &v);
			i++;
			break;
		case OP_PARAM:
			put_escaped(out, t->escape, m->params[op->index].text, op->limit);
			i++;
			break;
		case OP_BEGIN:
			i = begin(t, i, m, &c);
			break;
		case OP_END:
			i = end(t, i, &c);
			break;
		}
	}
	return ht_buf_err(out);
}
