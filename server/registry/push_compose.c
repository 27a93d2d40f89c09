#include "server/registry/push_compose.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/targets.h"
#include "server/registry/sql.h"

enum { AGENTS_MAX = 65536, LINKS_MAX = 1 << 20 };

struct registry {
	struct targets_link *links; /* ascending by id */
	size_t n;
	struct targets_link *by_agency;
};

static char *copy(const struct db_rows *rows, int column)
{
	const char *text = db_text(rows, column);

	return text ? strdup(text) : NULL;
}

static void registry_fini(struct registry *r)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct targets_link *l = &r->links[i];
		const char *texts[] = { l->id, l->agency, l->role, l->kind,
			l->router_address, l->parents };
		for (size_t k = 0; k < HT_COUNT(texts); k++)
			free((void *)texts[k]);
	}
	free(r->links);
	free(r->by_agency);
}

static void *grow(void *at, size_t n, size_t size)
{
	/* At powers of two. */
	return n & (n - 1) || (n && n < 16) ? at
					    : realloc(at, (n < 16 ? 16 : 2 * n) * size);
}

static int by_agency(const void *a, const void *b)
{
	const struct targets_link *x = a, *y = b;
	int order = strcmp(x->agency, y->agency);

	return order ? order : strcmp(x->id, y->id);
}

static ht_err registry_read(struct db *db, struct registry *r)
{
	struct db_rows *rows = db_start(db, &registry_sql, SQL_TARGETS_LINKS, "");
	ht_err err;

	while (!(err = db_next(rows))) {
		if (r->n == LINKS_MAX) {
			err = HT_TOOLARGE;
			break;
		}
		void *at = grow(r->links, r->n, sizeof(*r->links));
		if (!at) {
			err = HT_NOMEM;
			break;
		}
		r->links = at;
		struct targets_link *l = &r->links[r->n++];
		*l = (struct targets_link){ copy(rows, 0), copy(rows, 1), copy(rows, 2),
			copy(rows, 3), copy(rows, 4), copy(rows, 5) };
		if (!l->id || !l->agency || !l->role || !l->kind) {
			err = HT_NOMEM;
			break;
		}
	}
	db_done(rows);
	if (err != HT_NOTFOUND)
		return err;
	r->by_agency = malloc((r->n + 1) * sizeof(*r->links));
	if (!r->by_agency)
		return HT_NOMEM;
	if (r->n)
		memcpy(r->by_agency, r->links, r->n * sizeof(*r->links));
	qsort(r->by_agency, r->n, sizeof(*r->links), by_agency);
	return HT_OK;
}

/* The agency's links are a range of by_agency. */
static const struct targets_link *office_link(
    const struct registry *r, const char *agency)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(r->by_agency[mid].agency, agency) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	size_t end = low;
	while (end < r->n && strcmp(r->by_agency[end].agency, agency) == 0)
		end++;
	return targets_office_link(r->by_agency + low, end - low, agency);
}

static void list_hash(struct push_list *l)
{
	unsigned char digest[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(digest, (const unsigned char *)l->text, l->len);
	sodium_bin2hex(l->hash, sizeof(l->hash), digest, sizeof(digest));
	if (l->targets)
		memcpy(l->said, l->hash, sizeof(l->said));
}

static ht_err list_make(const struct registry *r, const struct targets_places *places,
    const struct db_rows *agent, struct push_list *l, struct push_lists *lists)
{
	struct targets_count count;
	struct ht_buf text;

	ht_buf_init(&text, HT_TARGETS_BYTES_MAX);
	bool vantage = db_int(agent, 2);
	ht_err err = vantage ? targets_vantage(r->links, r->n, places, &text, &count)
			     : targets_office(office_link(r, db_text(agent, 1)), places,
				   &text, &count);
	if (vantage)
		lists->vantage = count;
	l->targets = count.targets;
	l->len = text.len;
	l->agent = copy(agent, 0);
	l->text = err ? NULL : ht_buf_steal(&text);
	ht_buf_fini(&text);
	if (!err && (!l->agent || !l->text))
		err = HT_NOMEM;
	if (!err)
		list_hash(l);
	return err;
}

static ht_err lists_make(struct db *db, const struct registry *r,
    const struct targets_places *places, struct push_lists *l)
{
	struct db_rows *rows = db_start(db, &registry_sql, SQL_TARGETS_AGENTS, "");
	ht_err err;

	while (!(err = db_next(rows)) && l->n < AGENTS_MAX) {
		void *at = grow(l->at, l->n, sizeof(*l->at));
		if (!at) {
			err = HT_NOMEM;
			break;
		}
		l->at = at;
		l->at[l->n] = (struct push_list){ 0 };
		err = list_make(r, places, rows, &l->at[l->n++], l);
		if (err)
			break;
	}
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

ht_err push_compose(
    struct db *db, const struct targets_places *places, struct push_lists *out)
{
	struct registry r = { 0 };
	struct push_lists lists = { 0 };
	ht_err err = registry_read(db, &r);

	if (!err)
		err = lists_make(db, &r, places, &lists);
	registry_fini(&r);
	if (err)
		push_lists_fini(&lists);
	else
		*out = lists;
	return err;
}

void push_lists_fini(struct push_lists *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->at[i].agent);
		free(l->at[i].text);
	}
	free(l->at);
	*l = (struct push_lists){ 0 };
}

static int by_agent(const void *key, const void *list)
{
	return strcmp(key, ((const struct push_list *)list)->agent);
}

struct push_list *push_lists_find(const struct push_lists *l, const char *agent)
{
	return l->n ? bsearch(agent, l->at, l->n, sizeof(*l->at), by_agent) : NULL;
}
