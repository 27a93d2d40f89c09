#include "agent/collect.h"

#include <stdlib.h>
#include <string.h>

#include "agent/memories.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/name.h"

#define ITEM_BYTES   40  /* of one record beside its texts, generously */
#define ITEMS_KEEP   128 /* of the array, between packs */
#define TEXTS_MAX    (2 * SENML_PACK_MAX)
#define GAPS_AT_ONCE 16
#define STAGED_SLACK (12 * 1024)

/* A reading that waits for its pack: times become relative to the sealing only then. */
struct item {
	enum ht_metric metric;
	int64_t at_ns;
	size_t instance, string; /* offsets into texts */
	union {
		double number;
		uint64_t counter;
		bool boolean;
	};
};

struct batch {
	struct item *items;
	size_t n, cap;
	size_t bytes; /* about, when encoded */
	struct ht_buf texts;
	int64_t since_ns;
};

struct collect {
	struct worker *worker;
	struct collect_config config;
	char base_name[HT_ID_MAX + 2];
	struct senml_encoder *encoder;
	struct batch open;
	struct memories memories;
	size_t pending;
	bool seal_soon; /* when the commit under way is done */
	bool ended;     /* a run, and its readings are open */
	bool urgent;    /* something open must not wait */
	int64_t sealed_ns;
	bool overrun;
	struct collect_counters counters;
};

struct commit {
	struct worker_job job; /* first */
	struct collect *collect;
	struct spool_entry entry;
	struct ht_buf payload;
	struct memories_flight memories;
	struct spool_gap gaps[GAPS_AT_ONCE];
	char boot[HT_BOOT_ID_LEN + 1];
	ht_err err;
};

/* ── Commits ──────────────────────────────────────────────────────────────────────── */

static void commit_free(struct commit *k)
{
	if (!k)
		return;
	ht_buf_fini(&k->payload);
	if (k->memories.n) /* it never left */
		memories_landed(&k->collect->memories, &k->memories, false);
	free(k);
}

static void commit_work(struct worker_job *job, struct spool *spool)
{
	struct commit *k = (struct commit *)job;

	k->err = spool_append(spool, &k->entry, &job->now);
}

static void seal(struct collect *c);

static void commit_done(struct worker_job *job)
{
	struct commit *k = (struct commit *)job;
	struct collect *c = k->collect;

	c->pending--;
	bool kept = !k->err || k->err == HT_CORRUPT;

	c->counters.failed += !kept;
	memories_landed(&c->memories, &k->memories, kept);
	if (c->config.committed)
		c->config.committed(c->config.arg, k->err, &job->stats);
	commit_free(k);
	if ((c->seal_soon && c->pending == 0) ||
	    (c->urgent && c->pending < COLLECT_URGENT_MAX))
		seal(c);
}

static struct commit *commit_new(struct collect *c)
{
	struct commit *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->collect = c;
	k->job.work = commit_work;
	k->job.done = commit_done;
	ht_buf_init(&k->payload, SENML_PACK_MAX);
	c->config.clock(c->config.arg, &k->job.now);
	memcpy(k->boot, k->job.now.boot, sizeof(k->boot));
	k->job.now.boot = k->boot;
	k->entry.session = c->config.session;
	k->entry.format = (int)c->config.format;
	return k;
}

static ht_err commit_submit(struct commit *k)
{
	struct collect *c = k->collect;

	k->entry.payload = k->payload.len ? k->payload.data : NULL;
	k->entry.len = k->payload.len;
	k->entry.overrun = c->overrun && k->entry.payload;
	ht_err err = worker_submit(c->worker, &k->job);
	if (err)
		return err;
	if (k->entry.overrun)
		c->overrun = false;
	c->pending++;
	c->counters.packs += k->entry.payload != NULL;
	return HT_OK;
}

/* ── Batches ──────────────────────────────────────────────────────────────────────── */

static ht_err batch_put(struct batch *b, const struct ht_reading *r)
{
	const struct ht_metric_info *info = ht_metric_info(r->metric);

	if (b->n == b->cap) {
		size_t cap = b->cap ? b->cap * 2 : 32;
		struct item *grown = realloc(b->items, cap * sizeof(*grown));
		if (!grown)
			return HT_NOMEM;
		b->items = grown;
		b->cap = cap;
	}
	struct item *it = &b->items[b->n];
	*it = (struct item){ .metric = r->metric, .at_ns = r->at_ns };
	it->instance = b->texts.len;
	ht_buf_put(&b->texts, r->instance, strlen(r->instance) + 1);
	it->string = b->texts.len;
	switch (info->kind) {
	case HT_NUMBER:
		it->number = r->number;
		break;
	case HT_COUNTER:
		it->counter = r->counter;
		break;
	case HT_BOOL:
		it->boolean = r->boolean;
		break;
	case HT_STRING:
		ht_buf_put(&b->texts, r->string, strlen(r->string) + 1);
		break;
	}
	ht_err err = ht_buf_err(&b->texts);
	if (err) {
		b->texts.err = HT_OK;
		b->texts.len = it->instance;
		return err;
	}
	if (b->n == 0)
		b->since_ns = r->at_ns;
	b->bytes += ITEM_BYTES + (b->texts.len - it->instance) + strlen(info->quantity);
	b->n++;
	return HT_OK;
}

static void batch_clear(struct batch *b)
{
	if (b->cap > ITEMS_KEEP) {
		free(b->items);
		b->items = NULL;
		b->cap = 0;
	}
	if (b->texts.cap > SENML_PACK_MAX / 8) {
		ht_buf_fini(&b->texts);
		ht_buf_init(&b->texts, TEXTS_MAX);
	}
	ht_buf_reset(&b->texts);
	b->n = b->bytes = 0;
}

/* Absolute time only when the clock may be believed; else seconds before the sealing,
 * which the server dates by `mono` and `boot`. */
static double record_time(const struct item *it, const struct spool_now *now)
{
	double age = (double)(now->mono_ns - it->at_ns) / HT_NS_PER_S;

	if (age < 0)
		age = 0;
	return now->synchronised ? (double)now->wall_ms / HT_MS_PER_S - age : -age;
}

static ht_err encode_item(struct collect *c, const struct batch *b, const struct item *it,
    const struct spool_now *now)
{
	const struct ht_metric_info *info = ht_metric_info(it->metric);
	char name[HT_NAME_MAX];
	ht_err err = ht_name_format(
	    it->metric, (const char *)b->texts.data + it->instance, name, sizeof(name));

	if (err)
		return err;
	struct senml_record r = {
		.name = name,
		.unit = info->unit,
		.kind = info->kind,
		.time_s = record_time(it, now),
	};
	switch (info->kind) {
	case HT_NUMBER:
		r.number = it->number;
		break;
	case HT_COUNTER:
		r.counter = it->counter;
		break;
	case HT_BOOL:
		r.boolean = it->boolean;
		break;
	case HT_STRING:
		r.string = (const char *)b->texts.data + it->string;
		break;
	}
	return senml_encoder_put(c->encoder, &r);
}

/* Encode from *at on, as much as one pack takes. */
static ht_err encode(
    struct collect *c, const struct batch *b, size_t *at, struct commit *k)
{
	for (; *at < b->n; (*at)++) {
		ht_err err = encode_item(c, b, &b->items[*at], &k->job.now);
		if (err == HT_FULL && senml_encoder_count(c->encoder) > 0)
			break;
		if (err) {
			c->counters.refused++;
			ht_log_warn("collect.refused", "metric=%s error=%s",
			    ht_metric_info(b->items[*at].metric)->quantity,
			    ht_err_name(err));
		}
	}
	if (senml_encoder_count(c->encoder) == 0)
		return HT_OK; /* all were refused: a commit without payload */
	return senml_encoder_end(c->encoder, &k->payload);
}

/* ── Memories ─────────────────────────────────────────────────────────────────────── */

ht_err collect_load(struct collect *c, const struct spool_memory *m)
{
	return memories_load(&c->memories, m->instance, m->bytes, m->len);
}

const void *collect_recall(struct collect *c, const char *instance, size_t *out_len)
{
	return memories_get(&c->memories, instance, out_len);
}

ht_err collect_remember(
    struct collect *c, const char *instance, const void *bytes, size_t len)
{
	return memories_put(&c->memories, instance, bytes, len, false);
}

ht_err collect_keep(struct collect *c, const char *name, const void *bytes, size_t len)
{
	return memories_put(&c->memories, name, bytes, len, true);
}

/* ── Sealing ──────────────────────────────────────────────────────────────────────── */

/* One pack of the batch, from *at on; the last one brings the memories. */
static ht_err seal_pack(struct collect *c, size_t *at)
{
	struct commit *k = commit_new(c);
	ht_err err = k ? encode(c, &c->open, at, k) : HT_NOMEM;

	if (k)
		c->sealed_ns = k->job.now.mono_ns;
	if (!err && *at == c->open.n && c->memories.ready) {
		err = memories_take(&c->memories, &k->memories);
		k->entry.memories = k->memories.entries;
		k->entry.n_memories = k->memories.n;
	}
	if (!err && k->payload.len == 0 && k->entry.n_memories == 0) {
		commit_free(k);
		return HT_OK;
	}
	if (!err)
		err = commit_submit(k);
	if (err)
		commit_free(k);
	return err;
}

static void seal(struct collect *c)
{
	size_t at = 0;
	ht_err err = HT_OK;

	c->seal_soon = c->ended = c->urgent = false;
	if (c->open.n == 0 && c->memories.ready == 0)
		return;
	do {
		err = seal_pack(c, &at);
	} while (!err && (at < c->open.n || c->memories.ready > 0));
	if (err) {
		c->counters.overrun += c->open.n - at;
		c->overrun = true;
		ht_log_error("collect.seal", "error=%s readings=%zu", ht_err_name(err),
		    c->open.n - at);
	}
	batch_clear(&c->open);
}

void collect_put(struct collect *c, const struct ht_reading *r)
{
	/* A run that has remembered something is kept whole, as far as a pack allows. */
	size_t limit = COLLECT_SEAL_BYTES + (c->memories.staged ? STAGED_SLACK : 0);

	if (c->open.bytes >= limit) {
		if (c->pending >= COLLECT_PENDING_MAX) {
			/* The disk does not follow: the newest go, and it is said. */
			c->counters.overrun++;
			c->overrun = true;
			return;
		}
		seal(c);
	}
	ht_err err = batch_put(&c->open, r);
	if (err) {
		c->counters.overrun++;
		c->overrun = true;
		return;
	}
	c->counters.readings++;
}

void collect_ended(struct collect *c, const char *instance)
{
	c->ended = c->open.n > 0;
	if (!memories_end(&c->memories, instance))
		return;
	if (c->pending == 0)
		seal(c);
	else
		c->seal_soon = true;
}

void collect_gaps(struct collect *c, const struct spool_gap *gaps, size_t n)
{
	struct batch b = { 0 };
	struct commit *k = commit_new(c);
	ht_err err = k ? HT_OK : HT_NOMEM;
	size_t at = 0;

	if (n > GAPS_AT_ONCE)
		n = GAPS_AT_ONCE;
	ht_buf_init(&b.texts, TEXTS_MAX);
	for (size_t i = 0; !err && i < n; i++) {
		struct ht_reading r = {
			.metric = HT_M_AGENT_GAP,
			.instance = "spool",
			.at_ns = k->job.now.mono_ns,
			.string = gaps[i].text,
		};
		k->gaps[i] = gaps[i];
		err = batch_put(&b, &r);
	}
	if (!err)
		err = encode(c, &b, &at, k);
	if (!err) {
		k->entry.gaps = k->gaps;
		k->entry.n_gaps = n;
		err = commit_submit(k);
	}
	if (err)
		commit_free(k); /* they wait in the spool: the next call brings them */
	free(b.items);
	ht_buf_fini(&b.texts);
}

/* A run that has ended need not wait for others, unless packs come too often. */
static int64_t due_ns(const struct collect *c)
{
	int64_t from_ns = c->open.since_ns;

	if (c->ended && c->sealed_ns < from_ns)
		from_ns = c->sealed_ns;
	return from_ns + COLLECT_SEAL_NS;
}

void collect_tick(struct collect *c)
{
	struct spool_now now;

	if (c->open.n == 0 && c->memories.ready == 0)
		return;
	c->config.clock(c->config.arg, &now);
	if (c->open.n > 0 && now.mono_ns < due_ns(c))
		return;
	if (c->pending < COLLECT_PENDING_MAX)
		seal(c);
}

void collect_urgent(struct collect *c)
{
	if (c->pending < COLLECT_URGENT_MAX)
		seal(c);
	else
		c->urgent = true;
}

void collect_flush(struct collect *c)
{
	seal(c);
}

bool collect_idle(const struct collect *c)
{
	return c->pending == 0 && c->open.n == 0 && c->memories.ready == 0;
}

/* ── Life ─────────────────────────────────────────────────────────────────────────── */

void collect_worker(struct collect *c, struct worker *worker)
{
	c->worker = worker;
}

ht_err collect_new(const struct collect_config *config, struct collect **out)
{
	struct collect *c = calloc(1, sizeof(*c));

	if (!c)
		return HT_NOMEM;
	c->config = *config;
	ht_buf_init(&c->open.texts, TEXTS_MAX);
	size_t len = strlen(config->agent);
	if (len > HT_ID_MAX) {
		free(c);
		return HT_INVALID;
	}
	memcpy(c->base_name, config->agent, len);
	memcpy(c->base_name + len, "/", 2);
	ht_err err = memories_init(&c->memories, MEMORIES_MAX, MEMORIES_BYTES_MAX);
	if (!err)
		err = senml_encoder_new(config->format, c->base_name, &c->encoder);
	if (err) {
		collect_free(c);
		return err;
	}
	*out = c;
	return HT_OK;
}

void collect_free(struct collect *c)
{
	if (!c)
		return;
	memories_fini(&c->memories);
	free(c->open.items);
	ht_buf_fini(&c->open.texts);
	senml_encoder_free(c->encoder);
	free(c);
}

const struct collect_counters *collect_counters(const struct collect *c)
{
	return &c->counters;
}
