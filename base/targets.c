#include "base/targets.h"

#include <stdlib.h>
#include <string.h>

#include "base/name.h"

/* ── one address ──────────────────────────────────────────────────────────────────── */

static const char *const words[] = {
	[HT_PLACE_ADDRESS] = "",
	[HT_PLACE_GATEWAY] = "gateway",
	[HT_PLACE_RESOLVER] = "resolver",
	[HT_PLACE_SERVER] = "server",
};

/* RFC 1122 3.2.1.3, RFC 1112 section 4 (multicast, 240/4 and broadcast); RFC 4291. */
static bool may_be_pinged(const struct ht_addr *a)
{
	static const uint8_t none[16];

	if (a->family == AF_INET)
		return a->bytes[0] != 0 && a->bytes[0] < 224;
	return a->bytes[0] != 0xff && memcmp(a->bytes, none, sizeof(none)) != 0;
}

ht_err ht_where_parse(const char *text, struct ht_where *out)
{
	struct ht_where w = { 0 };

	for (size_t i = HT_PLACE_GATEWAY; i < HT_COUNT(words); i++) {
		if (strcmp(text, words[i]) == 0) {
			*out = (struct ht_where){ .place = (enum ht_place)i };
			return HT_OK;
		}
	}
	if (strchr(text, '/') || ht_addr_parse(text, &w.addr))
		return HT_MALFORMED;
	if (!may_be_pinged(&w.addr))
		return HT_RANGE;
	*out = w;
	return HT_OK;
}

void ht_where_format(const struct ht_where *w, char out[static HT_ADDR_TEXT])
{
	if (w->place == HT_PLACE_ADDRESS)
		ht_addr_format(&w->addr, out);
	else
		memcpy(out, words[w->place], strlen(words[w->place]) + 1);
}

/* Of all ways to write an address the list knows one. */
static ht_err read_where(const char *text, struct ht_where *out)
{
	char again[HT_ADDR_TEXT];
	ht_err err = ht_where_parse(text, out);

	if (!err) {
		ht_where_format(out, again);
		err = strcmp(again, text) == 0 ? HT_OK : HT_MALFORMED;
	}
	return err;
}

/* ── reading ──────────────────────────────────────────────────────────────────────── */

struct scan {
	struct ht_targets *t;
	char *at, *end; /* of the copy; lines and fields are cut in place */
	int line;
	size_t n_parents;
	const char **names; /* parents as written, until all ids are known */
	struct ht_fault *fault;
};

static ht_err bad(const struct scan *s, ht_err err, const char *what)
{
	return ht_fault_set(s->fault, err, "line %d: %s", s->line, what);
}

static size_t count(const char *text, size_t len, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += text[i] == c;
	return n;
}

/* The next field of the line, or NULL at its end. An empty one is "". */
static char *field(char **rest)
{
	char *begin = *rest;

	if (!begin)
		return NULL;
	char *blank = strchr(begin, ' ');
	if (blank)
		*blank++ = '\0';
	*rest = blank;
	return begin;
}

static ht_err read_self(struct scan *s, char *rest)
{
	struct ht_targets *t = s->t;
	const char *address = field(&rest);

	if (t->n > 0)
		return bad(s, HT_MALFORMED, "\"self\" stands behind a target");
	if (t->n_self == HT_TARGETS_SELF_MAX)
		return bad(s, HT_TOOLARGE, "too many lines \"self\"");
	if (!address || rest || read_where(address, &t->self[t->n_self]))
		return bad(s, HT_MALFORMED, "no address that may be pinged");
	t->n_self++;
	return HT_OK;
}

static ht_err read_parents(struct scan *s, struct ht_target *target, char *rest)
{
	const char *before = "", *parent;

	target->parents = s->t->parents + s->n_parents;
	while ((parent = field(&rest))) {
		if (!ht_id_valid(parent, HT_INSTANCE_MAX) || strcmp(before, parent) >= 0)
			return bad(s, HT_MALFORMED, "parents are ids in ascending order");
		if (target->n_parents == HT_TARGET_PARENTS_MAX)
			return bad(s, HT_TOOLARGE, "too many parents");
		s->names[s->n_parents++] = before = parent;
		target->n_parents++;
	}
	return HT_OK;
}

static ht_err read_target(struct scan *s, char *rest)
{
	struct ht_targets *t = s->t;
	const char *id = field(&rest), *address = field(&rest);

	if (t->n == HT_TARGETS_MAX)
		return bad(s, HT_TOOLARGE, "too many targets");
	struct ht_target *target = &t->at[t->n];
	*target = (struct ht_target){ .id = id };
	if (!id || !ht_id_valid(id, HT_INSTANCE_MAX) ||
	    (t->n > 0 && strcmp(t->at[t->n - 1].id, id) >= 0))
		return bad(s, HT_MALFORMED, "targets are ids in ascending order");
	if (!address || read_where(address, &target->where))
		return bad(s, HT_MALFORMED, "no address that may be pinged");
	ht_err err = read_parents(s, target, rest);
	if (!err)
		t->n++;
	return err;
}

static ht_err read_line(struct scan *s)
{
	char *lf = memchr(s->at, '\n', (size_t)(s->end - s->at)), *rest = s->at;

	s->line++;
	if (!lf)
		return bad(s, HT_MALFORMED, "the line has no end");
	*lf = '\0';
	s->at = lf + 1;
	const char *what = field(&rest);
	if (strcmp(what, "self") == 0)
		return read_self(s, rest);
	if (strcmp(what, "target") == 0)
		return read_target(s, rest);
	return bad(s, HT_MALFORMED, "neither \"self\" nor \"target\"");
}

/* Names to indexes, now that all are there. */
static ht_err find_parents(struct scan *s)
{
	struct ht_targets *t = s->t;

	for (size_t i = 0; i < s->n_parents; i++) {
		size_t k = ht_targets_find(t, s->names[i]);
		if (k == t->n)
			return ht_fault_set(s->fault, HT_MALFORMED,
			    "the parent \"%s\" is no target", s->names[i]);
		t->parents[i] = (uint32_t)k;
	}
	for (size_t i = 0; i < t->n; i++) {
		for (size_t k = 0; k < t->at[i].n_parents; k++) {
			if (t->at[i].parents[k] == i)
				return ht_fault_set(s->fault, HT_MALFORMED,
				    "\"%s\" is its own parent", t->at[i].id);
		}
	}
	return HT_OK;
}

static ht_err read_all(struct scan *s)
{
	ht_err err = HT_OK;

	while (!err && s->at < s->end)
		err = read_line(s);
	return err ? err : find_parents(s);
}

/* A target has at least two blanks, and one more for each parent. */
static ht_err allocate(struct scan *s, const char *text, size_t len)
{
	struct ht_targets *t = s->t;
	size_t lines = count(text, len, '\n'), blanks = count(text, len, ' ');

	t->text = malloc(len + 1);
	t->at =
	    calloc(lines < HT_TARGETS_MAX ? lines + 1 : HT_TARGETS_MAX, sizeof(*t->at));
	t->parents = calloc(blanks + 1, sizeof(*t->parents));
	s->names = calloc(blanks + 1, sizeof(*s->names));
	if (!t->text || !t->at || !t->parents || !s->names)
		return HT_NOMEM;
	memcpy(t->text, text, len);
	t->text[len] = '\0';
	return HT_OK;
}

ht_err ht_targets_parse(
    const char *text, size_t len, struct ht_targets *out, struct ht_fault *fault)
{
	static const size_t head = sizeof(HT_TARGETS_HEAD) - 1;
	struct ht_targets t = { 0 };
	struct scan s = { .t = &t, .line = 1, .fault = fault };

	if (len > HT_TARGETS_BYTES_MAX)
		return ht_fault_set(
		    fault, HT_TOOLARGE, "more than %d bytes", HT_TARGETS_BYTES_MAX);
	if (len < head || memcmp(text, HT_TARGETS_HEAD, head) != 0 ||
	    memchr(text, '\0', len))
		return bad(&s, HT_MALFORMED, "no list of targets, version 1");
	ht_err err = allocate(&s, text, len);
	if (!err) {
		s.at = t.text + head;
		s.end = t.text + len;
		err = read_all(&s);
	}
	free(s.names);
	if (err)
		ht_targets_fini(&t);
	else
		*out = t;
	return err;
}

void ht_targets_fini(struct ht_targets *t)
{
	free(t->at);
	free(t->text);
	free(t->parents);
	*t = (struct ht_targets){ 0 };
}

/* ── writing and finding ──────────────────────────────────────────────────────────── */

void ht_targets_format(const struct ht_targets *t, struct ht_buf *out)
{
	char address[HT_ADDR_TEXT];

	ht_buf_puts(out, HT_TARGETS_HEAD);
	for (size_t i = 0; i < t->n_self; i++) {
		ht_where_format(&t->self[i], address);
		ht_buf_printf(out, "self %s\n", address);
	}
	for (size_t i = 0; i < t->n; i++) {
		ht_where_format(&t->at[i].where, address);
		ht_buf_printf(out, "target %s %s", t->at[i].id, address);
		for (size_t k = 0; k < t->at[i].n_parents; k++)
			ht_buf_printf(out, " %s", t->at[t->at[i].parents[k]].id);
		ht_buf_puts(out, "\n");
	}
}

size_t ht_targets_find(const struct ht_targets *t, const char *id)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(t->at[mid].id, id);

		if (order == 0)
			return mid;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return t->n;
}
