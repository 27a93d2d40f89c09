#include "agent/memories.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum { BUCKETS_FIRST = 64, DROPPED_MAX = 1024 };

enum state {
	KEPT,   /* in the spool, or on its way there */
	STAGED, /* of a run that goes on */
	READY,  /* goes with the next pack */
};

struct memory {
	char *name;
	void *bytes;
	size_t len;
	enum state state;
	unsigned flights; /* that carry it, or an older self of it */
	int64_t used_ns;
	bool listed;                            /* by its use */
	struct memory *older, *newer;           /* while listed */
	struct memory *next;                    /* in its bucket */
	struct memory *ready_next, *ready_prev; /* while READY */
};

ht_err memories_init(struct memories *m, size_t max, size_t max_bytes)
{
	*m = (struct memories){ .n_buckets = BUCKETS_FIRST,
		.max = max,
		.max_bytes = max_bytes,
		.now_ns = ht_mono_ns };
	m->buckets = calloc(m->n_buckets, sizeof(struct memory *));
	return m->buckets ? HT_OK : HT_NOMEM;
}

static void memory_free(struct memory *e)
{
	free(e->name);
	free(e->bytes);
	free(e);
}

void memories_fini(struct memories *m)
{
	for (size_t i = 0; m->buckets && i < m->n_buckets; i++) {
		for (struct memory *e = m->buckets[i], *next; e; e = next) {
			next = e->next;
			memory_free(e);
		}
	}
	free(m->buckets);
	*m = (struct memories){ 0 };
}

/* ── Finding ──────────────────────────────────────────────────────────────────────── */

static size_t bucket_of(const struct memories *m, const char *name)
{
	uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * UINT64_C(1099511628211);
	return (size_t)(h ^ h >> 32) & (m->n_buckets - 1);
}

static struct memory *find(const struct memories *m, const char *name)
{
	struct memory *e = m->buckets[bucket_of(m, name)];

	while (e && strcmp(e->name, name) != 0)
		e = e->next;
	return e;
}

/* Longer chains are slower, not wrong: that memory lacks for more buckets is no error. */
static void grow(struct memories *m)
{
	size_t before = m->n_buckets;
	struct memory **more = calloc(before * 2, sizeof(*more)), **old = m->buckets;

	if (!more)
		return;
	m->buckets = more;
	m->n_buckets = before * 2;
	for (size_t i = 0; i < before; i++) {
		for (struct memory *e = old[i], *next; e; e = next) {
			size_t at = bucket_of(m, e->name);

			next = e->next;
			e->next = more[at];
			more[at] = e;
		}
	}
	free(old);
}

static struct memory *add(struct memories *m, const char *name)
{
	struct memory *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->name = strdup(name);
	if (!e->name) {
		free(e);
		return NULL;
	}
	if (m->n >= m->n_buckets)
		grow(m);
	size_t at = bucket_of(m, name);
	e->next = m->buckets[at];
	m->buckets[at] = e;
	m->n++;
	return e;
}

/* ── Use ──────────────────────────────────────────────────────────────────────────── */

static void unlist(struct memories *m, struct memory *e)
{
	if (!e->listed)
		return;
	if (e->older)
		e->older->newer = e->newer;
	else
		m->oldest = e->newer;
	if (e->newer)
		e->newer->older = e->older;
	else
		m->newest = e->older;
	e->listed = false;
}

/* Only keyed ones that hold something are listed: no others are ever given up. */
static void touch(struct memories *m, struct memory *e)
{
	unlist(m, e);
	if (!e->len || !strchr(e->name, '/'))
		return;
	e->used_ns = m->now_ns();
	e->older = m->newest;
	e->newer = NULL;
	if (m->newest)
		m->newest->newer = e;
	else
		m->oldest = e;
	m->newest = e;
	e->listed = true;
}

static void drop(struct memories *m, struct memory *e)
{
	struct memory **at = &m->buckets[bucket_of(m, e->name)];

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	unlist(m, e);
	m->n--;
	m->bytes -= e->len;
	memory_free(e);
}

/* ── States ───────────────────────────────────────────────────────────────────────── */

static void ready_add(struct memories *m, struct memory *e)
{
	e->ready_prev = m->ready_end;
	e->ready_next = NULL;
	if (m->ready_end)
		m->ready_end->ready_next = e;
	else
		m->ready_at = e;
	m->ready_end = e;
	m->ready++;
}

static void ready_remove(struct memories *m, struct memory *e)
{
	if (e->ready_prev)
		e->ready_prev->ready_next = e->ready_next;
	else
		m->ready_at = e->ready_next;
	if (e->ready_next)
		e->ready_next->ready_prev = e->ready_prev;
	else
		m->ready_end = e->ready_prev;
	m->ready--;
}

static void enter(struct memories *m, struct memory *e, enum state next)
{
	if (e->state == next)
		return;
	if (e->state == READY)
		ready_remove(m, e);
	m->staged -= e->state == STAGED;
	m->staged += next == STAGED;
	e->state = next;
	if (next == READY)
		ready_add(m, e);
}

/* ── Keeping within bounds ────────────────────────────────────────────────────────── */

/* The oldest of the unused that is not on its way to the spool. */
static struct memory *unused(const struct memories *m, const struct memory *but)
{
	int64_t since = m->now_ns() - MEMORIES_UNUSED_NS;
	struct memory *e = m->oldest;

	while (e && e->used_ns < since && (e == but || e->state != KEPT || e->flights))
		e = e->newer;
	return e && e->used_ns < since ? e : NULL;
}

/* Forget another one; the spool must forget it too, so its name stays for a while. */
static ht_err forget_one(struct memories *m, const struct memory *but)
{
	struct memory *e = unused(m, but);

	if (!e)
		return HT_FULL;
	m->bytes -= e->len;
	e->len = 0;
	unlist(m, e);
	enter(m, e, READY);
	return HT_OK;
}

/* For `e` to become `len` bytes long, or for a new one when it is NULL. */
static ht_err make_room(struct memories *m, const struct memory *e, size_t len)
{
	ht_err err = HT_OK;

	if (!e && m->n >= m->max)
		err = m->n < m->max + DROPPED_MAX ? forget_one(m, e) : HT_FULL;
	while (!err && m->bytes - (e ? e->len : 0) + len > m->max_bytes)
		err = forget_one(m, e);
	return err;
}

/* Once, until there is clearly room again. */
static void say_full(struct memories *m, const char *name, ht_err err)
{
	if (err == HT_FULL && !m->full)
		ht_log_warn("agent.memories",
		    "full=yes entries=%zu bytes=%zu refused=%s: what is new is not "
		    "remembered; what is in use is. Divide the devices among agents",
		    m->n, m->bytes, name);
	if (err == HT_FULL)
		m->full = true;
	else if (m->n < m->max - m->max / 10 &&
		 m->bytes < m->max_bytes - m->max_bytes / 10)
		m->full = false;
}

/* ── The four verbs ───────────────────────────────────────────────────────────────── */

static ht_err set(
    struct memories *m, const char *name, const void *bytes, size_t len, enum state state)
{
	struct memory *e = find(m, name);
	void *copy = malloc(len ? len : 1);
	ht_err err = copy ? HT_OK : HT_NOMEM;

	if (strlen(name) > MEMORIES_NAME_MAX)
		err = HT_INVALID;
	if (!err)
		err = make_room(m, e, len);
	say_full(m, name, err);
	if (!err && !e)
		err = (e = add(m, name)) ? HT_OK : HT_NOMEM;
	if (err) {
		free(copy);
		return err;
	}
	if (len)
		memcpy(copy, bytes, len);
	free(e->bytes);
	m->bytes += len - e->len;
	e->bytes = copy;
	e->len = len;
	touch(m, e);
	enter(m, e, state);
	return HT_OK;
}

ht_err memories_load(struct memories *m, const char *name, const void *bytes, size_t len)
{
	return set(m, name, bytes, len, KEPT);
}

ht_err memories_put(
    struct memories *m, const char *name, const void *bytes, size_t len, bool now)
{
	if (len > SPOOL_MEMORY_MAX)
		return HT_TOOLARGE;
	if (!len && !find(m, name))
		return HT_OK; /* nothing to forget */
	return set(m, name, bytes, len, now ? READY : STAGED);
}

const void *memories_get(struct memories *m, const char *name, size_t *out_len)
{
	struct memory *e = find(m, name);

	*out_len = e ? e->len : 0;
	if (e)
		touch(m, e);
	return e ? e->bytes : "";
}

bool memories_end(struct memories *m, const char *name)
{
	struct memory *e = find(m, name);

	if (!e || e->state != STAGED)
		return false;
	enter(m, e, READY);
	return true;
}

/* ── Flights ──────────────────────────────────────────────────────────────────────── */

static void flight_fini(struct memories_flight *f)
{
	free(f->entries);
	free(f->of);
	ht_buf_fini(&f->texts);
	*f = (struct memories_flight){ 0 };
}

/* How many of the ready fit. */
static size_t passengers(const struct memories *m)
{
	size_t n = 0, bytes = 0;

	for (const struct memory *e = m->ready_at; e; e = e->ready_next, n++) {
		bytes += e->len + strlen(e->name) + 1;
		if (n && bytes > MEMORIES_FLIGHT_MAX)
			break;
	}
	return n;
}

ht_err memories_take(struct memories *m, struct memories_flight *out)
{
	size_t n = passengers(m);
	struct memories_flight f = { .entries = calloc(n + 1, sizeof(*f.entries)),
		.of = calloc(n + 1, sizeof(struct memory *)) };
	const struct memory *e = m->ready_at;

	ht_buf_init(&f.texts, MEMORIES_FLIGHT_MAX + SPOOL_MEMORY_MAX + MEMORIES_NAME_MAX);
	for (size_t i = 0; i < n; i++, e = e->ready_next) {
		ht_buf_put(&f.texts, e->name, strlen(e->name) + 1);
		ht_buf_put(&f.texts, e->bytes, e->len);
	}
	ht_err err = f.entries && f.of ? ht_buf_err(&f.texts) : HT_NOMEM;
	if (err) {
		flight_fini(&f);
		return err;
	}
	const char *text = (const char *)f.texts.data; /* it does not move any more */
	for (size_t i = 0; i < n; i++) {
		struct memory *of = m->ready_at;

		f.of[i] = of;
		f.entries[i] = (struct spool_memory){
			.instance = text, .bytes = text + strlen(text) + 1, .len = of->len
		};
		text += strlen(text) + 1 + of->len;
		of->flights++;
		enter(m, of, KEPT);
	}
	f.n = n;
	*out = f;
	return HT_OK;
}

void memories_landed(struct memories *m, struct memories_flight *f, bool kept)
{
	for (size_t i = 0; i < f->n; i++) {
		struct memory *e = f->of[i];

		e->flights--;
		if (!kept && e->state == KEPT)
			enter(m, e, READY); /* a newer self goes in any case */
		else if (!e->len && e->state == KEPT && !e->flights)
			drop(m, e);
	}
	flight_fini(f);
}
