#include "probes/snmp/identity.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "probes/snmp/identity_ids.h"
#include "probes/snmp/iftype.h"

/* More bearers of one text than this, and it tells them apart no more: as a way to find
 * candidates it would only make every row one of every other. */
enum { CROWD = 16 };
#define NONE    SIZE_MAX
#define BLOCKED UINT32_MAX

struct weight {
	int alone, shared, differs;
};

static const struct weight weights[IDENTITY_TEXTS] = {
	[IDENTITY_NAME] = { 40, 20, -20 },
	[IDENTITY_ALIAS] = { 40, 10, -10 },
	[IDENTITY_PHYS] = { 38, 8, -18 },
	[IDENTITY_DESCR] = { 5, 2, -2 },
};
static const struct weight nameless_descr = { 35, 12, -20 };
enum { PHYS_OF_ANOTHER = -25 };
enum { INDEX_SAME = 10, INDEX_ALONE = 30, TYPE_SAME = 5, TYPE_DIFFERS = -10, GONE = -1 };

/* One side of the match, described alike. */
struct face {
	uint32_t index, type;
	uint32_t marks[IDENTITY_TEXTS];
	bool shared[IDENTITY_TEXTS]; /* others of its side bear the same */
	bool gone;
	bool phys_known; /* of a row: its address is that of a known one */
	bool taken;      /* matched, or left unmatched for good */
	bool there;      /* a known one that is matched */
	uint32_t degree; /* open pairs of the score at hand, or BLOCKED */
};

struct pair {
	int score;
	uint32_t row, known;
};

/* A way to find candidates: the known ones by one of their marks, in order. */
struct lookup {
	uint32_t mark, known;
};

struct matching {
	struct face *rows, *known;
	size_t n_rows, n_known;
	struct lookup *by[IDENTITY_TEXTS + 1]; /* the last: by ifIndex */
	size_t n_by[IDENTITY_TEXTS + 1];
	struct pair *pairs;
	size_t n_pairs, cap_pairs;
	size_t *partner; /* of each row: a known one, or NONE */
	bool *ambiguous; /* rows */
};

/* ── Describing ───────────────────────────────────────────────────────────────────── */

/* FNV-1a; 0 is kept for "no text". */
static uint32_t hash(const char *text)
{
	uint32_t h = UINT32_C(2166136261);

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * UINT32_C(16777619);
	return h ? h : 1;
}

/* An alias that repeats the name is the agent's default, an address of zeros is none. */
static uint32_t mark_of(const struct identity_row *r, enum identity_text t)
{
	const char *text = r->texts[t], *name = r->texts[IDENTITY_NAME];

	if (!text || !text[0])
		return 0;
	if (t == IDENTITY_ALIAS && name && strcmp(text, name) == 0)
		return 0;
	if (t == IDENTITY_PHYS && strspn(text, "0:") == strlen(text))
		return 0;
	return hash(text);
}

static void describe_row(struct face *f, const struct identity_row *r)
{
	*f = (struct face){ .index = r->index, .type = iftype_class(r->type) };
	for (size_t t = 0; t < IDENTITY_TEXTS; t++)
		f->marks[t] = mark_of(r, (enum identity_text)t);
}

static void describe_known(struct face *f, const struct identity_known *k)
{
	*f = (struct face){
		.index = k->index, .type = iftype_class(k->type), .gone = k->gone
	};
	memcpy(f->marks, k->marks, sizeof(f->marks));
}

static int by_mark(const void *a, const void *b)
{
	const struct lookup *x = a, *y = b;

	if (x->mark != y->mark)
		return x->mark < y->mark ? -1 : 1;
	return (x->known > y->known) - (x->known < y->known);
}

/* The faces that have the mark `t` (or, beyond the texts, an index), in its order. */
static size_t sort_by(const struct face *faces, size_t n, size_t t, struct lookup *out)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		const struct face *f = &faces[i];
		bool has = t < IDENTITY_TEXTS ? f->marks[t] != 0 : !f->gone;

		if (has)
			out[found++] =
			    (struct lookup){ t < IDENTITY_TEXTS ? f->marks[t] : f->index,
				    (uint32_t)i };
	}
	qsort(out, found, sizeof(*out), by_mark);
	return found;
}

static void find_shared(struct face *faces, size_t n, struct lookup *scratch)
{
	for (size_t t = 0; t < IDENTITY_TEXTS; t++) {
		size_t found = sort_by(faces, n, t, scratch);

		for (size_t i = 1; i < found; i++) {
			struct face *a = &faces[scratch[i - 1].known];
			struct face *b = &faces[scratch[i].known];

			/* what is gone may have come back under a new id */
			if (scratch[i - 1].mark == scratch[i].mark && a->gone == b->gone)
				a->shared[t] = b->shared[t] = true;
		}
	}
}

/* ── Scoring ──────────────────────────────────────────────────────────────────────── */

static bool anonymous(const struct face *f)
{
	for (size_t t = 0; t < IDENTITY_TEXTS; t++) {
		if (f->marks[t])
			return false;
	}
	return true;
}

static int score_text(const struct face *a, const struct face *b, size_t t)
{
	const struct weight *w = &weights[t];

	if (!a->marks[t] || !b->marks[t])
		return 0;
	if (t == IDENTITY_DESCR && (!a->marks[IDENTITY_NAME] || !b->marks[IDENTITY_NAME]))
		w = &nameless_descr;
	if (a->marks[t] != b->marks[t])
		return t == IDENTITY_PHYS && a->phys_known ? PHYS_OF_ANOTHER : w->differs;
	return a->shared[t] || b->shared[t] ? w->shared : w->alone;
}

static int score(const struct face *row, const struct face *known)
{
	bool at_home = row->index == known->index && !known->gone;
	int sum = known->gone ? GONE : 0;

	if (anonymous(row) || anonymous(known))
		sum += at_home ? INDEX_ALONE : 0;
	else if (at_home)
		sum += INDEX_SAME;
	for (size_t t = 0; t < IDENTITY_TEXTS; t++)
		sum += score_text(row, known, t);
	if (row->type && known->type)
		sum += row->type == known->type ? TYPE_SAME : TYPE_DIFFERS;
	return sum;
}

/* ── Pairs ────────────────────────────────────────────────────────────────────────── */

static ht_err pair_put(struct matching *m, size_t row, size_t known)
{
	int s = score(&m->rows[row], &m->known[known]);

	if (s < IDENTITY_FLOOR)
		return HT_OK;
	if (m->n_pairs == m->cap_pairs) {
		size_t cap = m->cap_pairs ? m->cap_pairs * 2 : 64;
		struct pair *more = realloc(m->pairs, cap * sizeof(*more));

		if (!more)
			return HT_NOMEM;
		m->pairs = more;
		m->cap_pairs = cap;
	}
	m->pairs[m->n_pairs++] = (struct pair){ s, (uint32_t)row, (uint32_t)known };
	return HT_OK;
}

static size_t first_of(const struct lookup *l, size_t n, uint32_t mark)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (l[mid].mark < mark)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Pairs of a row with all that bear its mark `t`, unless they are a crowd. */
static ht_err pairs_by(struct matching *m, size_t row, size_t t)
{
	const struct face *f = &m->rows[row];
	uint32_t mark = t < IDENTITY_TEXTS ? f->marks[t] : f->index;
	size_t first = first_of(m->by[t], m->n_by[t], mark), end = first;
	ht_err err = HT_OK;

	if (t < IDENTITY_TEXTS && !mark)
		return HT_OK;
	while (end < m->n_by[t] && m->by[t][end].mark == mark && end - first <= CROWD)
		end++;
	if (end - first > CROWD)
		return HT_OK;
	for (size_t i = first; i < end && !err; i++) {
		if (!m->known[m->by[t][i].known].taken)
			err = pair_put(m, row, m->by[t][i].known);
	}
	return err;
}

static void join(struct matching *m, size_t row, size_t known)
{
	m->partner[row] = known;
	m->rows[row].taken = m->known[known].taken = m->known[known].there = true;
}

/* Most rows of most polls are what they were in every respect. No other pair of either
 * can score more, so they need no scoring. True when all are. */
static bool join_unchanged(struct matching *m)
{
	size_t joined = 0;

	const struct lookup *l = m->by[IDENTITY_TEXTS];
	size_t n = m->n_by[IDENTITY_TEXTS];

	for (size_t i = 0; i < m->n_rows; i++) {
		const struct face *f = &m->rows[i];
		size_t at = first_of(l, n, f->index);

		if (at == n || l[at].mark != f->index)
			continue;
		const struct face *k = &m->known[l[at].known];

		if (!k->taken && k->type == f->type &&
		    memcmp(k->marks, f->marks, sizeof(f->marks)) == 0) {
			join(m, i, l[at].known);
			joined++;
		}
	}
	return joined == m->n_rows;
}

static int best_first(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	if (x->row != y->row)
		return x->row < y->row ? -1 : 1;
	return (x->known > y->known) - (x->known < y->known);
}

static bool open_pair(const struct matching *m, const struct pair *p)
{
	return !m->rows[p->row].taken && !m->known[p->known].taken;
}

static void count_degree(struct matching *m, const struct pair *p)
{
	if (open_pair(m, p)) {
		m->rows[p->row].degree++;
		m->known[p->known].degree++;
	}
}

/* All pairs of one score, among those that are still free: who has one partner that has
 * no other either, is joined; the others cannot be told apart, and stay alone. */
static void join_group(struct matching *m, const struct pair *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (open_pair(m, &p[i])) {
			m->rows[p[i].row].degree = 0;
			m->known[p[i].known].degree = 0;
		}
	}
	for (size_t i = 0; i < n; i++)
		count_degree(m, &p[i]);
	for (size_t i = 0; i < n; i++) {
		if (open_pair(m, &p[i]) && m->rows[p[i].row].degree == 1 &&
		    m->known[p[i].known].degree == 1)
			join(m, p[i].row, p[i].known);
	}
	/* what is still open now, has a rival */
	for (size_t i = 0; i < n; i++) {
		if (open_pair(m, &p[i])) {
			m->rows[p[i].row].degree = m->known[p[i].known].degree = BLOCKED;
			m->ambiguous[p[i].row] = true;
		}
	}
	for (size_t i = 0; i < n; i++) {
		m->rows[p[i].row].taken |= m->rows[p[i].row].degree == BLOCKED;
		m->known[p[i].known].taken |= m->known[p[i].known].degree == BLOCKED;
	}
}

static ht_err pairs_find(struct matching *m)
{
	ht_err err = HT_OK;

	for (size_t i = 0; i < m->n_rows && !err; i++) {
		for (size_t t = 0; t <= IDENTITY_TEXTS && !err && !m->rows[i].taken; t++)
			err = pairs_by(m, i, t);
	}
	if (err || !m->n_pairs)
		return err;
	qsort(m->pairs, m->n_pairs, sizeof(*m->pairs), best_first);
	size_t kept = 1; /* what two marks found is there twice */

	for (size_t i = 1; i < m->n_pairs; i++) {
		if (best_first(&m->pairs[i], &m->pairs[kept - 1]) != 0)
			m->pairs[kept++] = m->pairs[i];
	}
	m->n_pairs = kept;
	return HT_OK;
}

static void pairs_join(struct matching *m)
{
	for (size_t i = 0, end; i < m->n_pairs; i = end) {
		for (end = i + 1;
		     end < m->n_pairs && m->pairs[end].score == m->pairs[i].score; end++)
			;
		join_group(m, &m->pairs[i], end - i);
	}
}

/* ── The whole ────────────────────────────────────────────────────────────────────── */

static void matching_fini(struct matching *m)
{
	free(m->rows);
	free(m->known);
	for (size_t t = 0; t <= IDENTITY_TEXTS; t++)
		free(m->by[t]);
	free(m->pairs);
	free(m->partner);
	free(m->ambiguous);
}

static ht_err matching_init(struct matching *m, const struct identity *k,
    const struct identity_row *rows, size_t n)
{
	*m = (struct matching){ .n_rows = n,
		.n_known = k->n,
		.rows = calloc(n + 1, sizeof(*m->rows)),
		.known = calloc(k->n + 1, sizeof(*m->known)),
		.partner = calloc(n + 1, sizeof(*m->partner)),
		.ambiguous = calloc(n + 1, sizeof(*m->ambiguous)) };
	m->by[IDENTITY_TEXTS] = calloc(k->n + 1, sizeof(**m->by));
	if (!m->rows || !m->known || !m->partner || !m->ambiguous ||
	    !m->by[IDENTITY_TEXTS])
		return HT_NOMEM;
	for (size_t i = 0; i < n; i++) {
		describe_row(&m->rows[i], &rows[i]);
		m->partner[i] = NONE;
	}
	for (size_t i = 0; i < k->n; i++)
		describe_known(&m->known[i], &k->known[i]);
	m->n_by[IDENTITY_TEXTS] =
	    sort_by(m->known, k->n, IDENTITY_TEXTS, m->by[IDENTITY_TEXTS]);
	return HT_OK;
}

/* What the scores need, of those that are not what they were in every respect. */
static ht_err matching_prepare(struct matching *m)
{
	size_t most = m->n_rows > m->n_known ? m->n_rows : m->n_known;
	struct lookup *scratch = calloc(most + 1, sizeof(*scratch));
	bool ok = scratch != NULL;

	for (size_t t = 0; t < IDENTITY_TEXTS; t++) {
		m->by[t] = calloc(m->n_known + 1, sizeof(**m->by));
		ok = ok && m->by[t];
	}
	if (ok) {
		find_shared(m->rows, m->n_rows, scratch);
		find_shared(m->known, m->n_known, scratch);
	}
	for (size_t t = 0; t < IDENTITY_TEXTS && ok; t++)
		m->n_by[t] = sort_by(m->known, m->n_known, t, m->by[t]);
	for (size_t i = 0; i < m->n_rows && ok; i++) {
		struct face *f = &m->rows[i];
		size_t at = first_of(m->by[IDENTITY_PHYS], m->n_by[IDENTITY_PHYS],
		    f->marks[IDENTITY_PHYS]);

		f->phys_known = at < m->n_by[IDENTITY_PHYS] &&
				m->by[IDENTITY_PHYS][at].mark == f->marks[IDENTITY_PHYS];
	}
	free(scratch);
	return ok ? HT_OK : HT_NOMEM;
}

/* What agreed between a row and its partner, and what did not. */
static void compare(const struct matching *m, size_t row, struct identity_match *out)
{
	const struct face *a = &m->rows[row], *b = &m->known[m->partner[row]];

	for (size_t t = 0; t < IDENTITY_TEXTS; t++) {
		if (a->marks[t] && a->marks[t] == b->marks[t])
			out->same |= IDENTITY_BIT(t);
		else if (a->marks[t] && b->marks[t])
			out->other |= IDENTITY_BIT(t);
	}
	if (a->index == b->index)
		out->same |= IDENTITY_INDEX;
	else
		out->other |= IDENTITY_INDEX;
	out->index_before = b->index;
	out->verdict = out->other || b->gone ? IDENTITY_CHANGED : IDENTITY_SAME;
}

static void conclude(const struct matching *m, const struct identity *k, size_t n,
    struct identity_match *out)
{
	for (size_t i = 0; i < n; i++) {
		out[i] =
		    (struct identity_match){ .verdict = i < m->n_rows ? IDENTITY_NEW
								      : IDENTITY_BEYOND };
		if (i < m->n_rows && m->partner[i] != NONE) {
			compare(m, i, &out[i]);
			memcpy(out[i].id, k->known[m->partner[i]].id, sizeof(out[i].id));
		} else if (i < m->n_rows && m->ambiguous[i]) {
			out[i].verdict = IDENTITY_AMBIGUOUS;
		}
	}
}

/* A text that was not read this time is still what it was. */
static void remember_row(struct identity_known *next, const struct matching *m,
    const struct identity *k, size_t row, const struct identity_row *r,
    const struct identity_match *out)
{
	const struct identity_known *before =
	    m->partner[row] == NONE ? NULL : &k->known[m->partner[row]];

	*next = (struct identity_known){ .index = r->index, .type = r->type };
	memcpy(next->id, out->id, sizeof(next->id));
	for (size_t t = 0; t < IDENTITY_TEXTS; t++) {
		next->marks[t] = m->rows[row].marks[t];
		if (before && !next->marks[t])
			next->marks[t] = before->marks[t];
	}
	if (before && !next->type)
		next->type = before->type;
}

/* Those that are missing from a whole table are gone; of a part nobody can say so. */
static size_t remember_missing(struct identity_known *next, size_t n,
    const struct matching *m, const struct identity *k, bool whole)
{
	size_t gone = 0;

	for (size_t i = 0; i < k->n && n < IDENTITY_MAX + IDENTITY_GONE_MAX; i++) {
		bool is_gone = whole || k->known[i].gone;

		if (m->known[i].there || (is_gone && gone == IDENTITY_GONE_MAX))
			continue;
		gone += is_gone;
		next[n] = k->known[i];
		next[n++].gone = is_gone;
	}
	return n;
}

static void remember(struct identity *k, const struct matching *m,
    const struct identity_row *rows, const struct identity_match *out, bool whole,
    struct identity_known *next)
{
	size_t n = m->n_rows;

	for (size_t i = 0; i < n; i++)
		remember_row(&next[i], m, k, i, &rows[i], &out[i]);
	n = remember_missing(next, n, m, k, whole);
	free(k->known);
	k->known = next;
	k->n = n;
}

ht_err identity_match(struct identity *k, const struct identity_row *rows, size_t n,
    bool whole, size_t id_max, struct identity_match *out)
{
	assert(id_max >= IDENTITY_ID_MIN && id_max <= IDENTITY_ID_MAX);
	size_t kept = n < IDENTITY_MAX ? n : IDENTITY_MAX;
	struct identity_known *next = calloc(kept + k->n + 1, sizeof(*next));
	struct identity_match *found = calloc(n + 1, sizeof(*found));
	struct matching m = { 0 };
	ht_err err = next && found ? matching_init(&m, k, rows, kept) : HT_NOMEM;

	if (!err && !join_unchanged(&m)) {
		err = matching_prepare(&m);
		if (!err)
			err = pairs_find(&m);
		if (!err)
			pairs_join(&m);
	}
	if (!err) {
		conclude(&m, k, n, found);
		err = identity_ids(k, rows, n, id_max, found);
	}
	if (!err) {
		remember(k, &m, rows, found, whole, next);
		if (whole || n > kept)
			k->beyond = n > kept;
		memcpy(out, found, n * sizeof(*found));
	} else {
		free(next);
	}
	free(found);
	matching_fini(&m);
	return err;
}

void identity_fini(struct identity *k)
{
	free(k->known);
	*k = (struct identity){ 0 };
}
