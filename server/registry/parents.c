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

static ht_err any_of(struct walk *w);

static ht_err factor(struct walk *w)
{
	if (is_word(w, "(")) {
		if (++w->depth > PARENTS_DEPTH_MAX)
			return ht_fault_set(w->fault, HT_MALFORMED,
			    "more than %d nested parentheses", PARENTS_DEPTH_MAX);
		next_token(w);
		ht_err err = any_of(w);
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
	} else if (w->each) {
		ht_err err = w->each(w->arg, w->token);
		if (err)
			return err;
	}
	next_token(w);
	return HT_OK;
}

static ht_err all_of(struct walk *w)
{
	ht_err err = factor(w);

	while (!err && is_word(w, "and")) {
		next_token(w);
		err = factor(w);
	}
	return err;
}

static ht_err any_of(struct walk *w)
{
	ht_err err = all_of(w);

	while (!err && is_word(w, "or")) {
		next_token(w);
		err = all_of(w);
	}
	return err;
}

ht_err parents_walk(const char *text, ht_err (*each)(void *arg, const char *id),
    void *arg, struct ht_fault *fault)
{
	struct walk w = { .at = text, .each = each, .arg = arg, .fault = fault };

	if (strlen(text) > PARENTS_MAX)
		return ht_fault_set(
		    fault, HT_MALFORMED, "longer than %d bytes", PARENTS_MAX);
	next_token(&w);
	ht_err err = any_of(&w);
	if (!err && w.token[0])
		err = ht_fault_set(fault, HT_MALFORMED,
		    "\"%s\" is too much: join ids with AND or OR", w.token);
	return err;
}
