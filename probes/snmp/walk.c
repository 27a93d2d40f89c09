#include "probes/snmp/walk.h"

#include <stdlib.h>
#include <string.h>

enum {
	SUBIDS_MAX = 128,
	CELLS_FIRST = 40, /* cells asked for at first: about 1,200 bytes of answer */
	CELLS_MOST = 200,
	WIDTH_FIRST = 10, /* columns a request */
};

struct column {
	session_subid base[SUBIDS_MAX],
	    at[SUBIDS_MAX]; /* its name, and where we are in it */
	size_t base_len, at_len;
	size_t rows;
	bool ended;
};

struct walk {
	struct session *session;
	const struct walk_ops *ops;
	void *arg;
	size_t n, width;                /* columns in all, columns a request */
	size_t cells, most;             /* asked for in a request, and its ceiling */
	size_t asked[WALK_COLUMNS_MAX]; /* columns of the request under way */
	size_t n_asked;
	bool partial, any;
	struct column columns[];
};

static void finish(struct walk *w, enum walk_outcome outcome)
{
	if (w->any && outcome != WALK_WHOLE)
		outcome = WALK_PARTIAL;
	w->ops->done(
	    w->arg, outcome == WALK_WHOLE && w->partial ? WALK_PARTIAL : outcome);
}

/* <0, 0, >0 as the names follow each other in the tree. */
static int compare(
    const session_subid *a, size_t a_len, const session_subid *b, size_t b_len)
{
	for (size_t i = 0; i < a_len && i < b_len; i++) {
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	}
	return a_len < b_len ? -1 : a_len > b_len;
}

static bool below(const struct column *c, const struct session_oid *name)
{
	return name->n > c->base_len && name->n <= SUBIDS_MAX &&
	       memcmp(name->at, c->base, c->base_len * sizeof(c->base[0])) == 0;
}

/* One variable of an answer, in the column it was asked for. */
static void take(struct walk *w, size_t column, const struct session_value *v)
{
	struct column *c = &w->columns[column];

	if (c->ended)
		return;
	if (v->type == SESSION_END || !below(c, &v->name)) {
		c->ended = true;
		return;
	}
	if (compare(v->name.at, v->name.n, c->at, c->at_len) <= 0 ||
	    c->rows >= WALK_ROWS_MAX) {
		c->ended = true; /* counts backwards, or has no end */
		w->partial = true;
		return;
	}
	memcpy(c->at, v->name.at, v->name.n * sizeof(c->at[0]));
	c->at_len = v->name.n;
	c->rows++;
	w->any = true;
	if (v->type == SESSION_NOTHING || v->type == SESSION_OTHER)
		return;
	const struct session_oid index = { v->name.at + c->base_len,
		v->name.n - c->base_len };

	w->ops->cell(w->arg, column, &index, v);
}

static void step(struct walk *w);

/* Ask for less; false when it is the least already. */
static bool shrink(struct walk *w)
{
	if (w->cells > w->n_asked) {
		w->cells = w->cells / 2 > w->n_asked ? w->cells / 2 : w->n_asked;
		w->most = w->cells; /* no second try at what was too much */
		return true;
	}
	if (w->n_asked > 1) {
		w->width = w->n_asked / 2;
		w->cells = w->most = w->width;
		return true;
	}
	return false;
}

/* A lost or refused answer: less, or, of a single cell, without that column. */
static void after_trouble(struct walk *w, bool lost)
{
	if (shrink(w)) {
		step(w);
		return;
	}
	if (lost) {
		finish(w, WALK_TIMEOUT);
		return;
	}
	w->columns[w->asked[0]].ended = true;
	w->partial = true;
	step(w);
}

static void on_answer(void *arg, const struct session_answer *a)
{
	struct walk *w = arg;

	if (a->outcome == SESSION_AUTH_FAILED ||
	    a->error_status == SESSION_AUTHORIZATION_ERROR) {
		finish(w, WALK_AUTH_FAILED);
		return;
	}
	if (a->outcome == SESSION_FAILED) {
		finish(w, WALK_FAILED);
		return;
	}
	if (a->outcome == SESSION_TIMEOUT || a->error_status || a->n == 0) {
		after_trouble(w, a->outcome == SESSION_TIMEOUT);
		return;
	}
	for (size_t i = 0; i < a->n; i++)
		take(w, w->asked[i % w->n_asked], &a->values[i]);
	/* columns that a cut answer did not reach are simply asked for again */
	if (a->n >= w->cells && w->cells + w->n_asked <= w->most)
		w->cells += w->n_asked;
	step(w);
}

/* Ask the first `width` columns that have not ended, each from where it is. */
static void step(struct walk *w)
{
	struct session_oid oids[WALK_COLUMNS_MAX];

	w->n_asked = 0;
	for (size_t i = 0; i < w->n && w->n_asked < w->width; i++) {
		if (w->columns[i].ended)
			continue;
		oids[w->n_asked] =
		    (struct session_oid){ w->columns[i].at, w->columns[i].at_len };
		w->asked[w->n_asked++] = i;
	}
	if (w->n_asked == 0) {
		finish(w, WALK_WHOLE);
		return;
	}
	size_t rows = w->cells / w->n_asked;

	if (session_ask(w->session, SESSION_GETBULK, oids, w->n_asked,
		rows ? (int)rows : 1, on_answer, w))
		finish(w, WALK_FAILED);
}

ht_err walk_start(struct session *s, const struct session_oid *columns, size_t n,
    const struct walk_ops *ops, void *arg, struct walk **out)
{
	if (n == 0 || n > WALK_COLUMNS_MAX)
		return HT_TOOLARGE;
	struct walk *w = calloc(1, sizeof(*w) + n * sizeof(w->columns[0]));

	if (!w)
		return HT_NOMEM;
	*w = (struct walk){ .session = s,
		.ops = ops,
		.arg = arg,
		.n = n,
		.width = WIDTH_FIRST,
		.cells = CELLS_FIRST,
		.most = CELLS_MOST };
	for (size_t i = 0; i < n; i++) {
		struct column *c = &w->columns[i];

		if (columns[i].n >= SUBIDS_MAX) {
			free(w);
			return HT_TOOLARGE;
		}
		memcpy(c->base, columns[i].at, columns[i].n * sizeof(c->base[0]));
		memcpy(c->at, columns[i].at, columns[i].n * sizeof(c->at[0]));
		c->base_len = c->at_len = columns[i].n;
	}
	*out = w; /* before the first ask, whose failure calls done */
	step(w);
	return HT_OK;
}

void walk_free(struct walk *w)
{
	free(w);
}
