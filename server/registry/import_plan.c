/* What the registry says now, and whether file and registry together would hold. The
 * whole is loaded at once and looked up by hash, so that 20,000 agencies take a moment.
 */
#include "server/registry/import_plan.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/registry/parents.h"
#include "server/registry/sql.h"

enum { DEPTH_MAX = 64, PASSES_MAX = 64 };

/* ── tools ────────────────────────────────────────────────────────────────────────── */

void *import_grow(void *array, size_t n, size_t size)
{
	if (n && (n < 16 || (n & (n - 1))))
		return array;
	return realloc(array, (n < 16 ? 16 : 2 * n) * size);
}

bool import_index_make(struct import_index *index, size_t n)
{
	index->made = hcreate_r(2 * n + 16, &index->table) != 0;
	return index->made;
}

bool import_index_put(struct import_index *index, const char *key, size_t at)
{
	ENTRY *there, entry = { .key = (char *)key, .data = (void *)at };

	return hsearch_r(entry, ENTER, &there, &index->table) != 0;
}

bool import_index_find(struct import_index *index, const char *key, size_t *out)
{
	ENTRY *there, entry = { .key = (char *)key };

	if (!index->made || !hsearch_r(entry, FIND, &there, &index->table))
		return false;
	*out = (size_t)there->data;
	return true;
}

void import_index_fini(struct import_index *index)
{
	if (index->made)
		hdestroy_r(&index->table);
	index->made = false;
}

static const char *keep(struct import *im, const struct db_rows *rows, int column)
{
	const char *text = db_text(rows, column);
	const char *copy = arena_text(&im->arena, text);

	im->nomem |= text && !copy;
	return copy;
}

static int64_t keep_int(const struct db_rows *rows, int column)
{
	return db_is_null(rows, column) ? VERB_UNSET : db_int(rows, column);
}

/* ── the registry now ─────────────────────────────────────────────────────────────── */

static bool load_agency(struct import *im, const struct db_rows *rows)
{
	void *more =
	    import_grow(im->old_agencies, im->n_old_agencies, sizeof(*im->old_agencies));

	if (!more)
		return false;
	im->old_agencies = more;
	im->old_agencies[im->n_old_agencies++] =
	    (struct import_agency){ .data = {
					.id = keep(im, rows, 0),
					.name = keep(im, rows, 1),
					.level = keep(im, rows, 2),
					.kind = keep(im, rows, 3),
					.parent = keep(im, rows, 4),
					.latitude = db_double(rows, 5),
					.longitude = db_double(rows, 6),
				    } };
	return !im->nomem;
}

static bool load_headcount(struct import *im, const struct db_rows *rows)
{
	void *more = import_grow(
	    im->old_headcounts, im->n_old_headcounts, sizeof(*im->old_headcounts));

	if (!more)
		return false;
	im->old_headcounts = more;
	im->old_headcounts[im->n_old_headcounts++] = (struct verb_headcount){
		.agency = keep(im, rows, 0),
		.as_of_ms = db_int(rows, 1),
		.servants = db_int(rows, 2),
	};
	return !im->nomem;
}

static bool load_link(struct import *im, const struct db_rows *rows)
{
	void *more = import_grow(im->old_links, im->n_old_links, sizeof(*im->old_links));

	if (!more)
		return false;
	im->old_links = more;
	im->old_links[im->n_old_links++] =
	    (struct import_link){ .data = {
				      .id = keep(im, rows, 0),
				      .agency = keep(im, rows, 1),
				      .role = keep(im, rows, 2),
				      .kind = keep(im, rows, 3),
				      .line_type = keep(im, rows, 4),
				      .provider = keep(im, rows, 5),
				      .contracted_down_bps = keep_int(rows, 6),
				      .contracted_up_bps = keep_int(rows, 7),
				      .router_address = keep(im, rows, 8),
				      .parents = keep(im, rows, 9),
				  } };
	return !im->nomem;
}

static ht_err load(struct import *im, struct db *db, int statement,
    bool (*row)(struct import *im, const struct db_rows *rows))
{
	struct db_rows *rows = db_start(db, &registry_sql, statement, "");
	ht_err err;

	while ((err = db_next(rows)) == HT_OK) {
		if (!row(im, rows)) {
			err = HT_NOMEM;
			break;
		}
	}
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static void headcount_key(const char *agency, int64_t as_of_ms, char *out, size_t cap)
{
	snprintf(out, cap, "%s %lld", agency, (long long)as_of_ms);
}

static bool index_old(struct import *im)
{
	bool ok = import_index_make(&im->old_agency_at, im->n_old_agencies) &&
		  import_index_make(&im->old_link_at, im->n_old_links) &&
		  import_index_make(&im->old_headcount_at, im->n_old_headcounts);

	for (size_t i = 0; ok && i < im->n_old_agencies; i++)
		ok = import_index_put(&im->old_agency_at, im->old_agencies[i].data.id, i);
	for (size_t i = 0; ok && i < im->n_old_links; i++)
		ok = import_index_put(&im->old_link_at, im->old_links[i].data.id, i);
	for (size_t i = 0; ok && i < im->n_old_headcounts; i++) {
		const struct verb_headcount *h = &im->old_headcounts[i];
		char key[128];
		headcount_key(h->agency, h->as_of_ms, key, sizeof(key));
		const char *kept = arena_text(&im->arena, key);
		ok = kept && import_index_put(&im->old_headcount_at, kept, i);
	}
	return ok;
}

static ht_err load_all(struct import *im, struct db *db)
{
	ht_err err = load(im, db, SQL_AGENCY_ALL, load_agency);

	if (!err)
		err = load(im, db, SQL_HEADCOUNT_ALL, load_headcount);
	if (!err)
		err = load(im, db, SQL_LINK_ALL, load_link);
	if (!err && !index_old(im))
		err = HT_NOMEM;
	return err;
}

/* ── file and registry together ───────────────────────────────────────────────────── */

/* The agency as it would be: of the file, else of the registry. NULL: none. */
static const struct import_agency *agency_now(struct import *im, const char *id)
{
	size_t at;

	if (import_index_find(&im->agency_at, id, &at) && !im->agencies[at].bad)
		return &im->agencies[at];
	return import_index_find(&im->old_agency_at, id, &at) ? &im->old_agencies[at]
							      : NULL;
}

static struct import_link *link_now(struct import *im, const char *id)
{
	size_t at;

	if (import_index_find(&im->link_at, id, &at) && !im->links[at].bad)
		return &im->links[at];
	return import_index_find(&im->old_link_at, id, &at) ? &im->old_links[at] : NULL;
}

static bool index_file(struct import *im)
{
	bool ok = import_index_make(&im->agency_at, im->n_agencies) &&
		  import_index_make(&im->link_at, im->n_links);
	size_t first;

	for (size_t i = 0; ok && i < im->n_agencies; i++) {
		struct import_agency *a = &im->agencies[i];
		if (!a->data.id)
			continue;
		if (import_index_find(&im->agency_at, a->data.id, &first)) {
			a->bad = true;
			import_problem(im, a->line, COL_ID,
			    "\"%s\" stands on line %d already: keep one (further links "
			    "go on rows "
			    "without name and level)",
			    a->data.id, im->agencies[first].line);
			continue;
		}
		ok = import_index_put(&im->agency_at, a->data.id, i);
	}
	for (size_t i = 0; ok && i < im->n_links; i++) {
		struct import_link *l = &im->links[i];
		if (!l->data.id)
			continue;
		if (import_index_find(&im->link_at, l->data.id, &first)) {
			l->bad = true;
			import_problem(im, l->line, COL_LINK_ID,
			    "\"%s\" stands on line %d already: keep one", l->data.id,
			    im->links[first].line);
			continue;
		}
		ok = import_index_put(&im->link_at, l->data.id, i);
	}
	return ok;
}

/* What absent columns leave alone. */
static void fill_agency(struct import *im, struct import_agency *a)
{
	size_t at;

	if (!a->data.id || !import_index_find(&im->old_agency_at, a->data.id, &at))
		return;
	const struct verb_agency *old = &im->old_agencies[at].data;
	if (!im->headers[COL_AGENCY_KIND])
		a->data.kind = old->kind;
	if (!im->headers[COL_PARENT])
		a->data.parent = old->parent;
	if (!im->headers[COL_LATITUDE])
		a->data.latitude = old->latitude;
	if (!im->headers[COL_LONGITUDE])
		a->data.longitude = old->longitude;
}

static void fill_link(struct import *im, struct import_link *l)
{
	size_t at;

	if (!l->data.id || !import_index_find(&im->old_link_at, l->data.id, &at))
		return;
	const struct verb_link *old = &im->old_links[at].data;
	if (!im->headers[COL_ROLE])
		l->data.role = old->role;
	if (!im->headers[COL_LINE_TYPE])
		l->data.line_type = old->line_type;
	if (!im->headers[COL_PROVIDER])
		l->data.provider = old->provider;
	if (!im->headers[COL_DOWN])
		l->data.contracted_down_bps = old->contracted_down_bps;
	if (!im->headers[COL_UP])
		l->data.contracted_up_bps = old->contracted_up_bps;
	if (!im->headers[COL_ROUTER])
		l->data.router_address = old->router_address;
	if (!im->headers[COL_PARENTS])
		l->data.parents = old->parents;
}

#define refuse(im, row, column, ...)                                  \
	do {                                                          \
		(row)->bad = true;                                    \
		import_problem(im, (row)->line, column, __VA_ARGS__); \
	} while (0)

/* Why an id of the file is not there: its own row may be bad. */
static int bad_line(struct import *im, struct import_index *index, const char *id)
{
	size_t at;

	if (!import_index_find(index, id, &at))
		return 0;
	return index == &im->agency_at ? im->agencies[at].line : im->links[at].line;
}

static bool above_itself(struct import *im, const struct import_agency *a)
{
	const struct import_agency *up = a;

	for (int depth = 0; up && up->data.parent; depth++) {
		if (depth > DEPTH_MAX || strcmp(up->data.parent, a->data.id) == 0)
			return true;
		up = agency_now(im, up->data.parent);
	}
	return false;
}

static void check_agency(struct import *im, struct import_agency *a)
{
	if (!a->data.parent)
		return;
	const struct import_agency *parent = agency_now(im, a->data.parent);
	int line = parent ? 0 : bad_line(im, &im->agency_at, a->data.parent);

	if (line)
		refuse(im, a, COL_PARENT,
		    "the row of \"%s\" (line %d) is bad: mend that first", a->data.parent,
		    line);
	else if (!parent)
		refuse(im, a, COL_PARENT,
		    "there is no agency \"%s\", in the file or in the registry: add it, "
		    "or correct the id",
		    a->data.parent);
	else if (above_itself(im, a))
		refuse(im, a, COL_PARENT,
		    "\"%s\" would stand below itself: break the circle", a->data.id);
	else if (!operator_level_below(a->data.level, parent->data.level))
		refuse(im, a, COL_PARENT,
		    "a %s cannot stand below the %s \"%s\": correct level or parent",
		    a->data.level, parent->data.level, a->data.parent);
}

/* An agency of the registry that the file leaves alone, below one that it changes. */
static void check_old_agency(struct import *im, const struct import_agency *old)
{
	size_t at;

	if (!old->data.parent || agency_now(im, old->data.id) != old ||
	    !import_index_find(&im->agency_at, old->data.parent, &at) ||
	    im->agencies[at].bad)
		return;
	struct import_agency *parent = &im->agencies[at];
	if (!operator_level_below(old->data.level, parent->data.level))
		refuse(im, parent, COL_LEVEL,
		    "the %s \"%s\" in the registry stands below it: move that first",
		    old->data.level, old->data.id);
}

struct link_walk {
	struct import *im;
	struct import_link *from, *at;
	int depth, steps;
	bool told;
};

static ht_err step_up(void *arg, const char *id)
{
	struct link_walk *w = arg;
	struct import_link *at = w->at, *up = link_now(w->im, id);

	if (w->told)
		return HT_OK;
	if (!up && at == w->from) {
		int line = bad_line(w->im, &w->im->link_at, id);
		if (line)
			refuse(w->im, w->from, COL_PARENTS,
			    "the row of \"%s\" (line %d) is bad: mend that first", id,
			    line);
		else
			refuse(w->im, w->from, COL_PARENTS,
			    "there is no link \"%s\", in the file or in the registry: "
			    "add it, or correct "
			    "the id",
			    id);
		w->told = true;
	} else if (up && (up == w->from || w->depth > DEPTH_MAX || ++w->steps > 10000)) {
		refuse(w->im, w->from, COL_PARENTS,
		    "\"%s\" would hang on itself: break the circle", w->from->data.id);
		w->told = true;
	}
	if (w->told || !up || !up->data.parents)
		return HT_OK;
	w->depth++;
	w->at = up;
	ht_err err = parents_walk(up->data.parents, step_up, w, NULL);
	w->at = at;
	w->depth--;
	return err == HT_MALFORMED ? HT_OK : err;
}

static void check_link(struct import *im, struct import_link *l)
{
	struct link_walk walk = { .im = im, .from = l, .at = l };
	size_t at;

	if (!agency_now(im, l->data.agency)) {
		int line = bad_line(im, &im->agency_at, l->data.agency);
		int column =
		    im->headers[COL_AGENCY] && im->links_only ? COL_AGENCY : COL_ID;
		if (line)
			refuse(im, l, column,
			    "the row of \"%s\" (line %d) is bad: mend that first",
			    l->data.agency, line);
		else
			refuse(im, l, column,
			    "there is no agency \"%s\": add it, or correct the id",
			    l->data.agency);
		return;
	}
	if (import_index_find(&im->old_link_at, l->data.id, &at) &&
	    strcmp(im->old_links[at].data.agency, l->data.agency) != 0) {
		refuse(im, l, COL_LINK_ID,
		    "link \"%s\" belongs to agency \"%s\": choose another id, or remove "
		    "it there first",
		    l->data.id, im->old_links[at].data.agency);
		return;
	}
	/* The text was parsed when it was read, or came from the registry. */
	if (l->data.parents && parents_walk(l->data.parents, step_up, &walk, NULL))
		refuse(im, l, COL_PARENTS, "cannot be read: correct the text");
}

/* A link that falls takes the agency of its own row along: a bad row is bad as a whole.
 */
static bool fell_with_link(struct import *im, const struct import_link *l)
{
	size_t at;

	if (!l->bad || !l->data.agency ||
	    !import_index_find(&im->agency_at, l->data.agency, &at) ||
	    im->agencies[at].line != l->line || im->agencies[at].bad)
		return false;
	im->agencies[at].bad = true;
	return true;
}

/* A row that falls can take others with it: until nothing falls any more. */
static void check_together(struct import *im)
{
	size_t before;
	int passes = 0;
	bool fell;

	do {
		before = im->report->n_problems;
		fell = false;
		for (size_t i = 0; i < im->n_agencies; i++)
			if (!im->agencies[i].bad)
				check_agency(im, &im->agencies[i]);
		for (size_t i = 0; i < im->n_old_agencies; i++)
			check_old_agency(im, &im->old_agencies[i]);
		for (size_t i = 0; i < im->n_links; i++)
			if (!im->links[i].bad)
				check_link(im, &im->links[i]);
		for (size_t i = 0; i < im->n_links; i++)
			fell |= fell_with_link(im, &im->links[i]);
	} while ((fell || im->report->n_problems > before) && ++passes < PASSES_MAX);
	im->fatal |=
	    passes == PASSES_MAX || im->report->n_problems >= IMPORT_PROBLEMS_MAX;
}

/* A large import before this one may still be folded: what the registry says now would
 * not be what was said. */
static ht_err check_folded(struct import *im, struct db *db)
{
	struct db_rows *rows = db_start(db, &registry_sql, SQL_UNFOLDED, "");
	ht_err err = db_next(rows);

	db_done(rows);
	if (err)
		return err == HT_NOTFOUND ? HT_OK : err;
	im->fatal = true;
	import_problem(im, 0, -1,
	    "the registry is still taking in earlier edits: try again in a minute");
	return HT_OK;
}

ht_err import_check(struct import *im, struct db *db)
{
	ht_err err = check_folded(im, db);

	if (!err)
		err = load_all(im, db);
	if (err)
		return err;
	if (!index_file(im))
		return HT_NOMEM;
	for (size_t i = 0; i < im->n_agencies; i++)
		fill_agency(im, &im->agencies[i]);
	for (size_t i = 0; i < im->n_links; i++)
		fill_link(im, &im->links[i]);
	check_together(im);
	return im->nomem ? HT_NOMEM : HT_OK;
}

/* ── what differs ─────────────────────────────────────────────────────────────────── */

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_degrees(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

static bool same_agency(const struct verb_agency *a, const struct verb_agency *old)
{
	return same_text(a->name, old->name) && same_text(a->level, old->level) &&
	       same_text(a->kind ? a->kind : "agency", old->kind) &&
	       same_text(a->parent, old->parent) &&
	       same_degrees(a->latitude, old->latitude) &&
	       same_degrees(a->longitude, old->longitude);
}

static bool same_link(const struct verb_link *l, const struct verb_link *old)
{
	return same_text(l->agency, old->agency) && same_text(l->role, old->role) &&
	       same_text(l->kind, old->kind) && same_text(l->line_type, old->line_type) &&
	       same_text(l->provider, old->provider) &&
	       l->contracted_down_bps == old->contracted_down_bps &&
	       l->contracted_up_bps == old->contracted_up_bps &&
	       same_text(l->router_address, old->router_address) &&
	       same_text(l->parents, old->parents);
}

/* Count one thing, and append it when it is new or another. */
static ht_err apply_one(struct import *im, struct db *db, bool append,
    struct import_count *count, bool known, bool same, enum verb_id verb,
    const void *data)
{
	struct ht_fault fault = { 0 };

	if (known && same) {
		count->unchanged++;
		return HT_OK;
	}
	if (known)
		count->changed++;
	else
		count->added++;
	if (!append)
		return HT_OK;
	im->report->applied = true;
	return operator_append(db, im->by, verb, data, NULL, &fault);
}

static ht_err apply_agency(
    struct import *im, struct db *db, bool append, const struct import_agency *a)
{
	size_t at = 0;
	bool known = import_index_find(&im->old_agency_at, a->data.id, &at);
	ht_err err = apply_one(im, db, append, &im->report->agencies, known,
	    known && same_agency(&a->data, &im->old_agencies[at].data), VERB_AGENCY_PUT,
	    &a->data);

	if (err || a->servants == VERB_UNSET)
		return err;
	char key[128];
	struct verb_headcount h = { a->data.id, a->as_of_ms, a->servants };
	headcount_key(h.agency, h.as_of_ms, key, sizeof(key));
	known = import_index_find(&im->old_headcount_at, key, &at);
	return apply_one(im, db, append, &im->report->headcounts, known,
	    known && im->old_headcounts[at].servants == h.servants, VERB_HEADCOUNT_PUT,
	    &h);
}

static ht_err apply_link(
    struct import *im, struct db *db, bool append, const struct import_link *l)
{
	size_t at = 0;
	bool known = import_index_find(&im->old_link_at, l->data.id, &at);

	return apply_one(im, db, append, &im->report->links, known,
	    known && same_link(&l->data, &im->old_links[at].data), VERB_LINK_PUT,
	    &l->data);
}

static void count_absent(struct import *im)
{
	size_t at;

	for (size_t i = 0; !im->links_only && i < im->n_old_agencies; i++)
		if (!import_index_find(&im->agency_at, im->old_agencies[i].data.id, &at))
			im->report->agencies.not_in_file++;
	for (size_t i = 0; im->headers[COL_LINK_ID] && i < im->n_old_links; i++)
		if (!import_index_find(&im->link_at, im->old_links[i].data.id, &at))
			im->report->links.not_in_file++;
}

ht_err import_apply(struct import *im, struct db *db, bool append)
{
	ht_err err = HT_OK;

	for (size_t i = 0; !err && i < im->n_agencies; i++)
		if (!im->agencies[i].bad)
			err = apply_agency(im, db, append, &im->agencies[i]);
	for (size_t i = 0; !err && i < im->n_links; i++)
		if (!im->links[i].bad)
			err = apply_link(im, db, append, &im->links[i]);
	count_absent(im);
	return err;
}
