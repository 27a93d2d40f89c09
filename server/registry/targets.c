#include "server/registry/targets.h"

#include <stdlib.h>
#include <string.h>

#include "base/name.h"
#include "base/targets.h"
#include "server/registry/parents.h"

/* ── a vantage ────────────────────────────────────────────────────────────────────── */

struct graph {
	const struct targets_link *links;
	size_t n;
	bool *pinged; /* by link: has an address that may be pinged */
	size_t *seen; /* by link: the child + 1 that looked at it last */
	size_t *todo; /* stack of links without address whose parents count */
	size_t n_todo;
	size_t child;
	size_t parents[HT_TARGET_PARENTS_MAX];
	size_t n_parents;
	struct targets_count *count;
};

static void graph_fini(struct graph *g)
{
	free(g->pinged);
	free(g->seen);
	free(g->todo);
}

static bool address(const char *text, char out[static HT_ADDR_TEXT])
{
	struct ht_where w;

	if (!text || ht_where_parse(text, &w) || w.place != HT_PLACE_ADDRESS)
		return false;
	ht_where_format(&w, out);
	return true;
}

static ht_err graph_init(struct graph *g, const struct targets_link *links, size_t n,
    struct targets_count *count)
{
	char text[HT_ADDR_TEXT];

	*g = (struct graph){ .links = links, .n = n, .count = count };
	g->pinged = calloc(n + 1, sizeof(*g->pinged));
	g->seen = calloc(n + 1, sizeof(*g->seen));
	g->todo = calloc(n + 1, sizeof(*g->todo));
	if (!g->pinged || !g->seen || !g->todo)
		return HT_NOMEM;
	for (size_t i = 0; i < n; i++) {
		g->pinged[i] = address(links[i].router_address, text);
		count->unusable += links[i].router_address && !g->pinged[i];
	}
	return HT_OK;
}

static size_t find(const struct graph *g, const char *id)
{
	size_t low = 0, high = g->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(g->links[mid].id, id);

		if (order == 0)
			return mid;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return g->n;
}

static ht_err on_parent(void *arg, const char *id)
{
	struct graph *g = arg;
	size_t i = find(g, id);

	if (i == g->n || g->seen[i] == g->child + 1)
		return HT_OK;
	g->seen[i] = g->child + 1;
	if (!g->pinged[i])
		g->todo[g->n_todo++] = i;
	else if (g->n_parents < HT_TARGET_PARENTS_MAX)
		g->parents[g->n_parents++] = i;
	else
		g->count->parents++;
	return HT_OK;
}

static int by_index(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	return x < y ? -1 : x > y;
}

static void collect_parents(struct graph *g, size_t child)
{
	g->child = child;
	g->seen[child] = child + 1;
	g->n_parents = 0;
	g->todo[g->n_todo++] = child;
	while (g->n_todo > 0) {
		const char *text = g->links[g->todo[--g->n_todo]].parents;
		/* What the registry took can be read; else its first ids count. */
		if (text && parents_walk(text, on_parent, g, NULL))
			continue;
	}
	qsort(g->parents, g->n_parents, sizeof(g->parents[0]), by_index);
}

static void put_link(struct graph *g, size_t i, struct ht_buf *out)
{
	char text[HT_ADDR_TEXT];

	if (!address(g->links[i].router_address, text))
		return;
	collect_parents(g, i);
	ht_buf_printf(out, "target %s %s", g->links[i].id, text);
	for (size_t k = 0; k < g->n_parents; k++)
		ht_buf_printf(out, " %s", g->links[g->parents[k]].id);
	ht_buf_puts(out, "\n");
	g->count->targets++;
}

/* One form of each address, and none twice. */
static void put_self(const struct targets_places *places, struct ht_buf *out)
{
	char texts[HT_TARGETS_SELF_MAX][HT_ADDR_TEXT];
	struct ht_where w;
	size_t n = 0;

	for (size_t i = 0; i < places->n_self && n < HT_TARGETS_SELF_MAX; i++) {
		bool twice = false;

		if (ht_where_parse(places->self[i], &w))
			continue;
		ht_where_format(&w, texts[n]);
		for (size_t k = 0; k < n; k++)
			twice |= strcmp(texts[k], texts[n]) == 0;
		if (!twice)
			ht_buf_printf(out, "self %s\n", texts[n++]);
	}
}

ht_err targets_vantage(const struct targets_link *links, size_t n,
    const struct targets_places *places, struct ht_buf *out, struct targets_count *count)
{
	struct graph g;

	*count = (struct targets_count){ 0 };
	ht_err err = graph_init(&g, links, n, count);
	ht_buf_puts(out, HT_TARGETS_HEAD);
	for (size_t i = 0; !err && i < n; i++) {
		/* Nothing to reach: no need to check oneself either. */
		if (g.pinged[i] && count->targets == 0)
			put_self(places, out);
		put_link(&g, i, out);
	}
	graph_fini(&g);
	if (!err && count->targets > HT_TARGETS_MAX)
		err = HT_TOOLARGE;
	return err ? err : ht_buf_err(out);
}

/* ── an office ────────────────────────────────────────────────────────────────────── */

static int rank(const struct targets_link *l)
{
	static const char *const kinds[] = { "province-wan", "government-wan" };
	int kind = 0;

	while (kind < (int)HT_COUNT(kinds) && strcmp(l->kind, kinds[kind]) != 0)
		kind++;
	return (strcmp(l->role, "primary") == 0 ? 0 : 10) + kind;
}

const struct targets_link *targets_office_link(
    const struct targets_link *links, size_t n, const char *agency)
{
	const struct targets_link *best = NULL;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(links[i].agency, agency) == 0 &&
		    (!best || rank(&links[i]) < rank(best)))
			best = &links[i];
	}
	return best;
}

ht_err targets_office(const struct targets_link *link,
    const struct targets_places *places, struct ht_buf *out, struct targets_count *count)
{
	/* In ascending order of the ids they make. */
	const struct {
		const char *suffix, *place;
		bool behind_gateway;
	} roles[] = {
		{ "", places->far_end, true },
		{ ":dns", places->dns, false },
		{ ":gateway", places->gateway, false },
		{ ":internet", places->internet, true },
	};
	char text[HT_ADDR_TEXT];
	struct ht_where w;
	bool gateway = places->gateway && !ht_where_parse(places->gateway, &w);

	*count = (struct targets_count){ 0 };
	ht_buf_puts(out, HT_TARGETS_HEAD);
	for (size_t i = 0; link && i < HT_COUNT(roles); i++) {
		if (!roles[i].place || !roles[i].place[0] ||
		    ht_where_parse(roles[i].place, &w))
			continue;
		ht_where_format(&w, text);
		ht_buf_printf(out, "target %s%s %s", link->id, roles[i].suffix, text);
		if (gateway && roles[i].behind_gateway)
			ht_buf_printf(out, " %s:gateway", link->id);
		ht_buf_puts(out, "\n");
		count->targets++;
	}
	return ht_buf_err(out);
}
