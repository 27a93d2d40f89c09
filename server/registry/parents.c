#include "server/registry/parents.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/name.h"

struct walk {
	const char *at;
	char token[HT_ID_MAX + 2]; /* "" at the end; one more byte shows a long one */
	ht_err (*each)(void *arg, const char *id);
	bool (*alive)(void *arg, const char *id);
	void *arg;
	struct ht_fault *fault;
	int depth;
};

static void next_token(struct walk *w)
{
	size_t n = 0;

	while (isspace((unsigned char)*w->at))
		w->at++;
	if (*w->at == '(' || *w->at == ')') {
		w->token[n++] = *w->at++;
	} else {
		while (*w->at && !isspace((unsigned char)*w->at) && *w->at != '(' &&
		       *w->at != ')') {
			if (n < sizeof(w->token) - 1)
				w->token[n++] = *w->at;
			w->at++;
		}
	}
	w->token[n] = '\0';
}

static bool is_word(const struct walk *w, const char *word)
{
	return strcasecmp(w->token, word) == 0;
}

static ht_err any_of(struct walk *w, bool *out);

static ht_err factor(struct walk *w, bool *out)
{
	if (is_word(w, "(")) {
		if (++w->depth > PARENTS_DEPTH_MAX)
			return ht_fault_set(w->fault, HT_MALFORMED,
			    "more than %d nested parentheses", PARENTS_DEPTH_MAX);
		next_token(w);
		ht_err err = any_of(w, out);
		if (err)
			return err;
		if (!is_word(w, ")"))
			return ht_fault_set(w->fault, HT_MALFORMED, "a ')' is missing");
		w->depth--;
	} else if (!ht_id_valid(w->token, HT_ID_MAX) || is_word(w, "and") ||
		   is_word(w, "or")) {
		return ht_fault_set(w->fault, HT_MALFORMED,
		    w->token[0] ? "\"%s\" stands where a link's id must stand: join ids "
				  "with AND or OR"
				: "a link's id is missing%s at the end",
		    w->token);
	} else {
		ht_err err = w->each ? w->each(w->arg, w->token) : HT_OK;
		if (err)
			return err;
		*out = w->alive ? w->alive(w->arg, w->token) : true;
	}
	next_token(w);
	return HT_OK;
}

static ht_err all_of(struct walk *w, bool *out)
{
	ht_err err = factor(w, out);

	while (!err && is_word(w, "and")) {
		bool next = true;

		next_token(w);
		err = factor(w, &next);
		*out = *out && next;
	}
	return err;
}

static ht_err any_of(struct walk *w, bool *out)
{
	ht_err err = all_of(w, out);

	while (!err && is_word(w, "or")) {
		bool next = true;

		next_token(w);
		err = all_of(w, &next);
		*out = *out || next;
	}
	return err;
}

static ht_err walk_all(struct walk *w, const char *text, bool *out)
{
	w->at = text;
	if (strlen(text) > PARENTS_MAX)
		return ht_fault_set(
		    w->fault, HT_MALFORMED, "longer than %d bytes", PARENTS_MAX);
	next_token(w);
	ht_err err = any_of(w, out);
	if (!err && w->token[0])
		err = ht_fault_set(w->fault, HT_MALFORMED,
		    "\"%s\" is too much: join ids with AND or OR", w->token);
	return err;
}

ht_err parents_walk(const char *text, ht_err (*each)(void *arg, const char *id),
    void *arg, struct ht_fault *fault)
{
	struct walk w = { .each = each, .arg = arg, .fault = fault };
	bool alive;

	return walk_all(&w, text, &alive);
}

ht_err parents_alive(
    const char *text, bool (*alive)(void *arg, const char *id), void *arg, bool *out)
{
	struct ht_fault fault = { 0 };
	struct walk w = { .alive = alive, .arg = arg, .fault = &fault };
	bool value = true;
	ht_err err = walk_all(&w, text, &value);

	if (!err)
		*out = value;
	return err;
}
