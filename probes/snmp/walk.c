#include "probes/snmp/walk.h"

#include <stdlib.h>
#include <string.h>

enum {
	CELLS_FIRST = 40, /* cells asked for at first: about 1,200 bytes of answer */
	CELLS_MOST = 240,
	WIDTH_FIRST = 10, /* columns a request */
};

struct column {
	session_subid at[WALK_OID_MAX]; /* where we are; begins with the column's name */
	size_t base_len, at_len;
	size_t rows;
	bool ended;
};

struct walk {
	struct session *session;
	const struct walk_ops *ops;
	void *arg;
	struct walk_pace *pace;
	size_t n;
	size_t expect; /* rows that the table is thought to have, or unknown */
	/* The request under way: its columns, their names, and how many rows. */
	size_t asked[WALK_COLUMNS_MAX];
	struct session_oid names[WALK_COLUMNS_MAX];
	size_t n_asked, n_rows;
	bool any;
	enum walk_trouble trouble;
	struct column columns[];
};

const char *walk_trouble_text(enum walk_trouble t)
{
	static const char *const texts[] = { [WALK_FINE] = "whole",
		[WALK_BACKWARDS] = "names do not increase",
		[WALK_ENDLESS] = "no end after 10000 rows",
		[WALK_LONG_NAME] = "a name is too long",
		[WALK_REFUSED] = "a single cell is refused",
		[WALK_SILENT] = "no answer" };

	return texts[t];
}

static void note(struct walk *w, enum walk_trouble t)
{
	if (w->trouble == WALK_FINE)
		w->trouble = t;
}

static void finish(struct walk *w, enum walk_outcome outcome)
{
	if (outcome == WALK_WHOLE && w->trouble != WALK_FINE)
		outcome = WALK_PARTIAL;
	w->ops->done(w->arg, outcome);
}

/* <0, 0, >0 as the indexes follow each other in the tree. */
static int compare(
    const session_subid *a, size_t a_len, const session_subid *b, size_t b_len)
{
	for (size_t i = 0; i < a_len && i < b_len; i++) {
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	}
	return a_len < b_len ? -1 : a_len > b_len;
}

/* The column's own names stay in front of `at`. Told apart from behind: neighbours in
 * the tree differ in their last parts. */
static bool below(const struct column *c, const struct session_oid *name)
{
	if (name->n <= c->base_len)
		return false;
	for (size_t i = c->base_len; i-- > 0;) {
		if (name->at[i] != c->at[i])
			return false;
	}
	return true;
}

static void end_column(struct walk *w, struct column *c)
{
	c->ended = true;
	if (w->expect == WALK_ROWS_UNKNOWN && c->rows)
		w->expect = c->rows; /* the others of its table have as many */
}

/* One variable of an answer, in the column it was asked for. */
static void take(
    struct walk *w, size_t column, const struct session_value *v, int64_t at_ns)
{
	struct column *c = &w->columns[column];

	if (c->ended)
		return;
	if (v->type == SESSION_END || !below(c, &v->name)) {
		end_column(w, c);
		return;
	}
	const struct session_oid index = { v->name.at + c->base_len,
		v->name.n - c->base_len };
	enum walk_trouble t = v->name.n > WALK_OID_MAX ? WALK_LONG_NAME
			      : compare(index.at, index.n, c->at + c->base_len,
				    c->at_len - c->base_len) <= 0
				  ? WALK_BACKWARDS
			      : c->rows >= WALK_ROWS_MAX ? WALK_ENDLESS
							 : WALK_FINE;

	if (t != WALK_FINE) {
		c->ended = true;
		note(w, t);
		return;
	}
	memcpy(c->at + c->base_len, index.at, index.n * sizeof(c->at[0]));
	c->at_len = v->name.n;
	if (++c->rows > w->expect)
		w->expect = WALK_ROWS_UNKNOWN; /* it has grown */
	w->any = true;
	if (v->type != SESSION_NOTHING && v->type != SESSION_OTHER)
		w->ops->cell(w->arg, column, &index, v, at_ns);
}

static void step(struct walk *w);

/* Ask for less; false when it is the least already. After silence one row shows at once
 * whether it was the size; then it grows again, below what was too much. */
static bool shrink(struct walk *w, bool lost)
{
	struct walk_pace *p = w->pace;
	size_t had = w->n_asked * w->n_rows, half = had / 2;

	if (had > w->n_asked) {
		p->most = (uint16_t)(half > w->n_asked ? half : w->n_asked);
		p->cells = lost ? (uint16_t)w->n_asked : p->most;
		return true;
	}
	if (w->n_asked > 1) {
		size_t width = w->n_asked / (lost ? 4 : 2);

		p->width = (uint16_t)(width ? width : 1);
		p->cells = p->most = p->width;
		return true;
	}
	return false;
}

/* A lost or refused answer: less, or, of a single cell, without that column. */
static void after_trouble(struct walk *w, bool lost)
{
	if (shrink(w, lost)) {
		step(w);
		return;
	}
	note(w, lost ? WALK_SILENT : WALK_REFUSED);
	if (lost) {
		finish(w, WALK_LOST);
		return;
	}
	w->columns[w->asked[0]].ended = true;
	step(w);
}

/* At the end of the tree answers are short by right. */
static bool any_ended(const struct walk *w)
{
	for (size_t i = 0; i < w->n_asked; i++) {
		if (w->columns[w->asked[i]].ended)
			return true;
	}
	return false;
}

/* Whole answers: ask for twice as much. Cut ones: about as much as came. */
static void adapt(struct walk *w, size_t got)
{
	struct walk_pace *p = w->pace;
	size_t asked = w->n_asked * w->n_rows;
	size_t next = p->cells;

	if (got >= asked && asked + w->n_asked > p->cells)
		next = 2 * (size_t)p->cells;
	else if (got < asked && !any_ended(w))
		next = got + w->n_asked;
	p->cells = (uint16_t)(next < p->most ? next : p->most);
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
	for (size_t i = 0, k = 0; i < a->n; i++) {
		take(w, w->asked[k], &a->values[i], a->at_ns);
		k = k + 1 < w->n_asked ? k + 1 : 0;
	}
	/* columns that a cut answer did not reach are simply asked for again */
	adapt(w, a->n);
	step(w);
}

/* Rows worth asking for: one beyond those that are thought to be left tells the end. */
static size_t rows_left(const struct walk *w)
{
	size_t most = 0;

	if (w->expect == WALK_ROWS_UNKNOWN)
		return SIZE_MAX;
	for (size_t i = 0; i < w->n_asked; i++) {
		size_t rows = w->columns[w->asked[i]].rows;
		size_t left = w->expect > rows ? w->expect - rows : 0;

		if (left > most)
			most = left;
	}
	return most + 1;
}

/* Ask the first `width` columns that have not ended, each from where it is. */
static void step(struct walk *w)
{
	w->n_asked = 0;
	for (size_t i = 0; i < w->n && w->n_asked < w->pace->width; i++) {
		struct column *c = &w->columns[i];

		if (c->ended)
			continue;
		w->names[w->n_asked] = (struct session_oid){ c->at, c->at_len };
		w->asked[w->n_asked++] = i;
	}
	if (w->n_asked == 0) {
		finish(w, WALK_WHOLE);
		return;
	}
	size_t rows = w->pace->cells / w->n_asked, left = rows_left(w);

	if (rows > left)
		rows = left;
	w->n_rows = rows ? rows : 1;
	if (session_ask(w->session, SESSION_GETBULK, w->names, w->n_asked, (int)w->n_rows,
		on_answer, w))
		finish(w, WALK_FAILED);
}

/* What earlier trouble forbade is tried again, a little more each time. */
static void begin_pace(struct walk_pace *p)
{
	if (p->cells == 0) {
		*p = (struct walk_pace){ CELLS_FIRST, CELLS_MOST, WIDTH_FIRST };
		return;
	}
	size_t most = p->most + p->most / 4 + 1;

	p->most = (uint16_t)(most < CELLS_MOST ? most : CELLS_MOST);
	if (p->width < WIDTH_FIRST)
		p->width++;
}

ht_err walk_start(struct session *s, const struct walk_config *config, struct walk **out)
{
	size_t n = config->n;

	if (n == 0 || n > WALK_COLUMNS_MAX)
		return HT_TOOLARGE;
	struct walk *w = calloc(1, sizeof(*w) + n * sizeof(w->columns[0]));

	if (!w)
		return HT_NOMEM;
	w->ops = config->ops;
	w->pace = config->pace;
	w->n = n;
	w->expect = config->rows;
	begin_pace(w->pace);
	for (size_t i = 0; i < n; i++) {
		const struct session_oid *name = &config->columns[i];
		struct column *c = &w->columns[i];

		if (name->n >= WALK_OID_MAX) {
			free(w);
			return HT_TOOLARGE;
		}
		memcpy(c->at, name->at, name->n * sizeof(c->at[0]));
		c->base_len = c->at_len = name->n;
	}
	*out = w; /* before the first ask, whose failure calls done */
	walk_resume(w, s, config->arg);
	return HT_OK;
}

void walk_resume(struct walk *w, struct session *s, void *arg)
{
	w->session = s;
	w->arg = arg;
	step(w);
}

enum walk_trouble walk_trouble(const struct walk *w)
{
	return w->trouble;
}

size_t walk_rows(const struct walk *w)
{
	size_t most = 0;

	for (size_t i = 0; i < w->n; i++) {
		if (w->columns[i].rows > most)
			most = w->columns[i].rows;
	}
	return most;
}

void walk_free(struct walk *w)
{
	free(w);
}
