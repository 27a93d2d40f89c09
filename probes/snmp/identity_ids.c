/* Ids for the interfaces that are new. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/name.h"
#include "probes/snmp/identity.h"
#include "probes/snmp/identity_ids.h"

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void base_id(
    const struct identity_row *r, size_t id_max, char out[static IDENTITY_ID_MAX + 1])
{
	const char *name = r->texts[IDENTITY_NAME];

	if (name && name[0])
		ht_id_from(name, out, id_max + 1);
	else
		snprintf(out, id_max + 1, "if%u", r->index);
}

/* The base, cut so that the index (and a number) fit behind it. */
static void longer_id(char id[static IDENTITY_ID_MAX + 1], const char *base,
    size_t id_max, uint32_t index, unsigned again)
{
	char tail[IDENTITY_ID_MIN];
	int n = again ? snprintf(tail, sizeof(tail), ".%u-%u", index, again + 1)
		      : snprintf(tail, sizeof(tail), ".%u", index);
	size_t room = id_max - (size_t)n;

	size_t kept = strnlen(base, room);

	memcpy(id, base, kept);
	memcpy(id + kept, tail, (size_t)n + 1);
}

/* Names in use, in order; new ones are put in their place. */
struct names {
	const char **at;
	size_t n;
};

static size_t name_place(const struct names *s, const char *id, bool *out_there)
{
	size_t low = 0, high = s->n;

	*out_there = false;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = strcmp(s->at[mid], id);

		if (order == 0) {
			*out_there = true;
			return mid;
		}
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool name_put(struct names *s, const char *id)
{
	bool there;
	size_t at = name_place(s, id, &there);

	if (there)
		return false;
	memmove(&s->at[at + 1], &s->at[at], (s->n - at) * sizeof(s->at[0]));
	s->at[at] = id;
	s->n++;
	return true;
}

/* How many of the new rows would have the same id. */
static bool sought_by_several(const char *const *bases, size_t n, const char *base)
{
	struct names s = { (const char **)bases, n };
	bool there;
	size_t at = name_place(&s, base, &there);

	return (at > 0 && strcmp(bases[at - 1], base) == 0) ||
	       (at + 1 < n && strcmp(bases[at + 1], base) == 0);
}

struct naming {
	char (*bases)[IDENTITY_ID_MAX + 1]; /* of the new rows */
	const char **sorted;
	size_t n;
	struct names used;
};

static void name_row(struct naming *g, const char *base, const struct identity_row *r,
    size_t id_max, struct identity_match *out)
{
	bool alone = !sought_by_several(g->sorted, g->n, base);

	snprintf(out->id, sizeof(out->id), "%s", base);
	if (alone && name_put(&g->used, out->id))
		return;
	for (unsigned again = 0;; again++) {
		longer_id(out->id, base, id_max, r->index, again);
		if (name_put(&g->used, out->id))
			return;
	}
}

ht_err identity_ids(const struct identity *k, const struct identity_row *rows, size_t n,
    size_t id_max, struct identity_match *out)
{
	size_t new = 0;

	for (size_t i = 0; i < n; i++)
		new += !out[i].id[0];
	if (!new)
		return HT_OK;
	struct naming g = { .bases = calloc(n + 1, sizeof(g.bases[0])),
		.sorted = calloc(n + 1, sizeof(char *)),
		.used.at = calloc(k->n + n + 1, sizeof(char *)) };
	ht_err err = g.bases && g.sorted && g.used.at ? HT_OK : HT_NOMEM;

	for (size_t i = 0; i < n && !err; i++) {
		if (out[i].id[0])
			continue;
		base_id(&rows[i], id_max, g.bases[i]);
		g.sorted[g.n++] = g.bases[i];
	}
	if (!err) {
		qsort(g.sorted, g.n, sizeof(char *), by_text);
		for (size_t i = 0; i < k->n; i++)
			g.used.at[g.used.n++] = k->known[i].id;
		qsort(g.used.at, g.used.n, sizeof(char *), by_text);
	}
	for (size_t i = 0; i < n && !err; i++) {
		if (g.bases[i][0])
			name_row(&g, g.bases[i], &rows[i], id_max, &out[i]);
	}
	free(g.bases);
	free(g.sorted);
	free(g.used.at);
	return err;
}
