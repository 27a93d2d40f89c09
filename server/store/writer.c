#include "server/store/writer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

#define QUEUE_MAX        4096 /* rows that may wait */
#define QUEUE_BYTES_MAX  (64 * 1024 * 1024)
#define POSTS_MAX        1024                /* calls that may wait */
#define BATCH_MAX        256                 /* rows in one transaction */
#define BATCH_WAIT_NS    (50 * HT_NS_PER_MS) /* the first of them waits at most so long */
#define SLICE_NS         (20 * HT_NS_PER_MS) /* folding between two commits */
#define BACKOFF_MIN_NS   (100 * HT_NS_PER_MS)
#define BACKOFF_MAX_NS   (5 * HT_NS_PER_S)
#define BEAT_NS          (100 * HT_NS_PER_MS) /* between two rows that folds asked for */
#define BEAT_WAIT_MAX_MS 10000                /* then the wall clock is asked again */
#define CALL_FOLD_NS     (10 * HT_NS_PER_S) /* a call waits at most so long for its folds */

enum item_kind { ITEM_ROW, ITEM_ASIDE, ITEM_GARBAGE };

/* A submitted row, in one block with copies of all it points to. */
struct item {
	struct item *next;
	enum item_kind kind;
	struct journal_row row;
	struct journal_garbage garbage;
	const char *fingerprint;
	void (*done)(void *arg, const struct writer_result *result);
	void *arg;
	int64_t queued_ns;
	size_t bytes;
	ht_err result;
};

/* A call: waited for (on `waiting`) or told on the loop (`done`). */
struct call {
	struct call *next;
	ht_err (*fn)(struct db *db, void *arg);
	void *fn_arg;
	void (*done)(void *arg, ht_err err); /* NULL: somebody waits */
	bool finished;
	ht_err err;
};

struct queue {
	struct item *first, **last;
	size_t n, bytes;
};

struct calls {
	struct call *first, **last;
	size_t n;
};

struct writer {
	struct db *db; /* the thread's alone */
	uv_thread_t thread;
	uv_async_t async;      /* tells the loop that `finished` or `called` has some */
	uv_mutex_t lock;       /* guards all below */
	uv_cond_t wake;        /* the thread: there is work */
	uv_cond_t answered;    /* waiting callers: a call has finished */
	struct queue queue;    /* waits for its commit */
	struct queue finished; /* to be told on the loop */
	struct calls calls, called;
	bool stopping, fold_more;
	struct writer_stats stats;
	int64_t fold_oldest_ms;
	int64_t fold_due_ms;             /* folds ask for a row at that time; 0: never */
	int64_t beat_ns;                 /* when they got the last one */
	int64_t retry_at_ns, backoff_ns; /* the thread's alone: commits failed */
	int64_t fold_retry_at_ns, fold_backoff_ns;
};

static void queue_init(struct queue *q)
{
	*q = (struct queue){ .last = &q->first };
}

static void queue_put(struct queue *q, struct item *it)
{
	it->next = NULL;
	*q->last = it;
	q->last = &it->next;
	q->n++;
	q->bytes += it->bytes;
}

static struct item *queue_take(struct queue *q)
{
	struct item *it = q->first;

	if (!it)
		return NULL;
	q->first = it->next;
	if (!q->first)
		q->last = &q->first;
	q->n--;
	q->bytes -= it->bytes;
	return it;
}

/* Back to the front, in the old order. */
static void queue_unshift(struct queue *q, struct queue *batch)
{
	if (!batch->first)
		return;
	*batch->last = q->first;
	if (!q->first)
		q->last = batch->last;
	q->first = batch->first;
	q->n += batch->n;
	q->bytes += batch->bytes;
	queue_init(batch);
}

static void calls_init(struct calls *c)
{
	*c = (struct calls){ .last = &c->first };
}

static void calls_put(struct calls *c, struct call *call)
{
	call->next = NULL;
	*c->last = call;
	c->last = &call->next;
	c->n++;
}

static struct call *calls_take(struct calls *c)
{
	struct call *call = c->first;

	if (!call)
		return NULL;
	c->first = call->next;
	if (!c->first)
		c->last = &c->first;
	c->n--;
	return call;
}

/* ── submitting ──────────────────────────────────────────────────────────────────── */

static size_t text_len(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static const void *copy(char **at, const void *from, size_t len)
{
	if (!from)
		return NULL;
	memcpy(*at, from, len);
	const void *to = *at;
	*at += len;
	return to;
}

static const char *copy_text(char **at, const char *text)
{
	return copy(at, text, text_len(text));
}

static struct item *item_of_row(
    enum item_kind kind, const struct journal_row *row, const char *fingerprint)
{
	size_t bytes = sizeof(struct item) + text_len(row->kind) + text_len(row->agent) +
		       text_len(row->content_type) + text_len(row->actor) +
		       text_len(fingerprint) + row->len;
	struct item *it = calloc(1, bytes);

	if (!it)
		return NULL;
	char *at = (char *)(it + 1);
	it->kind = kind;
	it->bytes = bytes;
	it->row = *row;
	it->row.kind = copy_text(&at, row->kind);
	it->row.agent = copy_text(&at, row->agent);
	it->row.content_type = copy_text(&at, row->content_type);
	it->row.actor = copy_text(&at, row->actor);
	it->fingerprint = copy_text(&at, fingerprint);
	it->row.payload = copy(&at, row->payload, row->len);
	return it;
}

static struct item *item_of_garbage(const struct journal_garbage *g)
{
	size_t kept = g->len < JOURNAL_SAMPLE_MAX ? g->len : JOURNAL_SAMPLE_MAX;
	size_t bytes = sizeof(struct item) + text_len(g->topic) + text_len(g->agent) +
		       text_len(g->reason) + kept;
	struct item *it = calloc(1, bytes);

	if (!it)
		return NULL;
	char *at = (char *)(it + 1);
	it->kind = ITEM_GARBAGE;
	it->bytes = bytes;
	it->garbage = *g;
	it->garbage.topic = copy_text(&at, g->topic);
	it->garbage.agent = copy_text(&at, g->agent);
	it->garbage.reason = copy_text(&at, g->reason);
	it->garbage.bytes = copy(&at, kept ? g->bytes : NULL, kept);
	return it;
}

static ht_err submit(struct writer *w, struct item *it,
    void (*done)(void *arg, const struct writer_result *result), void *arg)
{
	ht_err err = HT_OK;

	if (!it)
		return HT_NOMEM;
	it->done = done;
	it->arg = arg;
	it->queued_ns = ht_mono_ns();
	uv_mutex_lock(&w->lock);
	if (w->stopping)
		err = HT_CLOSED;
	else if (w->queue.n >= QUEUE_MAX || w->queue.bytes + it->bytes > QUEUE_BYTES_MAX)
		err = HT_FULL;
	if (err) {
		w->stats.refused++;
	} else {
		queue_put(&w->queue, it);
		/* The first starts the clock, a full batch ends it. */
		if (w->queue.n == 1 || w->queue.n == BATCH_MAX)
			uv_cond_signal(&w->wake);
	}
	uv_mutex_unlock(&w->lock);
	if (err)
		free(it);
	return err;
}

ht_err writer_submit(struct writer *w, const struct journal_row *row,
    void (*done)(void *arg, const struct writer_result *result), void *arg)
{
	return submit(w, item_of_row(ITEM_ROW, row, NULL), done, arg);
}

ht_err writer_submit_aside(struct writer *w, const struct journal_row *row,
    const char *fingerprint, void (*done)(void *arg, const struct writer_result *result),
    void *arg)
{
	return submit(w, item_of_row(ITEM_ASIDE, row, fingerprint), done, arg);
}

ht_err writer_submit_garbage(struct writer *w, const struct journal_garbage *g,
    void (*done)(void *arg, const struct writer_result *result), void *arg)
{
	return submit(w, item_of_garbage(g), done, arg);
}

ht_err writer_call(struct writer *w, ht_err (*fn)(struct db *db, void *arg), void *arg)
{
	struct call call = { .fn = fn, .fn_arg = arg };
	ht_err err = HT_OK;

	uv_mutex_lock(&w->lock);
	if (w->stopping)
		err = HT_CLOSED;
	else if (w->calls.n >= POSTS_MAX)
		err = HT_FULL;
	if (!err) {
		calls_put(&w->calls, &call);
		uv_cond_signal(&w->wake);
		while (!call.finished)
			uv_cond_wait(&w->answered, &w->lock);
		err = call.err;
	}
	uv_mutex_unlock(&w->lock);
	return err;
}

ht_err writer_post(struct writer *w, ht_err (*fn)(struct db *db, void *arg),
    void (*done)(void *arg, ht_err err), void *arg)
{
	struct call *call = calloc(1, sizeof(*call));
	ht_err err = HT_OK;

	assert(done);
	if (!call)
		return HT_NOMEM;
	*call = (struct call){ .fn = fn, .fn_arg = arg, .done = done };
	uv_mutex_lock(&w->lock);
	if (w->stopping)
		err = HT_CLOSED;
	else if (w->calls.n >= POSTS_MAX)
		err = HT_FULL;
	if (!err) {
		calls_put(&w->calls, call);
		uv_cond_signal(&w->wake);
	}
	uv_mutex_unlock(&w->lock);
	if (err)
		free(call);
	return err;
}

/* ── telling the loop ────────────────────────────────────────────────────────────── */

static void tell(struct writer *w)
{
	struct queue finished;
	struct calls called;
	struct item *it;
	struct call *call;

	queue_init(&finished);
	calls_init(&called);
	uv_mutex_lock(&w->lock);
	queue_unshift(&finished, &w->finished);
	while ((call = calls_take(&w->called)))
		calls_put(&called, call);
	uv_mutex_unlock(&w->lock);
	while ((it = queue_take(&finished))) {
		struct writer_result result = {
			.err = it->result,
			.row = it->kind == ITEM_GARBAGE ? NULL : &it->row,
		};
		it->row.payload = NULL;
		if (it->done)
			it->done(it->arg, &result);
		free(it);
	}
	while ((call = calls_take(&called))) {
		call->done(call->fn_arg, call->err);
		free(call);
	}
}

static void on_async(uv_async_t *async)
{
	tell(async->data);
}

/* ── the thread ──────────────────────────────────────────────────────────────────── */

/* Errors of the machine, not of a row: the batch goes back and is tried again. */
static bool environmental(ht_err err)
{
	switch (err) {
	case HT_NOMEM:
	case HT_FULL:
	case HT_IO:
	case HT_CORRUPT:
	case HT_AGAIN:
	case HT_DENIED:
	case HT_TIMEOUT:
		return true;
	default:
		return false;
	}
}

static ht_err put_item(struct db *db, struct item *it)
{
	switch (it->kind) {
	case ITEM_ROW:
		return journal_append(db, &it->row);
	case ITEM_ASIDE:
		return journal_aside(db, &it->row, it->fingerprint);
	case ITEM_GARBAGE:
		return journal_garbage(db, &it->garbage);
	}
	return HT_INVALID;
}

static ht_err commit_batch(struct writer *w, struct queue *batch)
{
	ht_err err = db_begin(w->db);

	if (err)
		return err;
	for (struct item *it = batch->first; it && !err; it = it->next) {
		it->result = put_item(w->db, it);
		if (environmental(it->result))
			err = it->result;
	}
	if (!err)
		err = db_commit(w->db);
	if (err)
		db_rollback(w->db);
	return err;
}

static void count_results(struct writer *w, const struct queue *batch)
{
	for (const struct item *it = batch->first; it; it = it->next) {
		w->stats.committed++;
		w->stats.resent += it->result == HT_EXISTS;
		w->stats.conflicts += it->result == HT_CONFLICT;
		w->stats.aside += it->kind == ITEM_ASIDE;
		w->stats.garbage += it->kind == ITEM_GARBAGE;
	}
}

static void backoff(int64_t now, int64_t *wait_ns, int64_t *at_ns)
{
	*wait_ns = *wait_ns ? *wait_ns * 2 : BACKOFF_MIN_NS;
	if (*wait_ns > BACKOFF_MAX_NS)
		*wait_ns = BACKOFF_MAX_NS;
	*at_ns = now + *wait_ns;
}

/* Under the lock. */
static void commit_failed(struct writer *w, ht_err err)
{
	struct writer_stats *s = &w->stats;

	if (!s->failing_since_ms) {
		s->failing_since_ms = ht_wall_ms();
		ht_log_error("writer.failing", "err=%s text=\"%s\" queued=%zu",
		    ht_err_name(err), db_error(w->db), w->queue.n);
	}
	s->failures++;
	s->last_err = err;
	snprintf(s->last_error, sizeof(s->last_error), "%s", db_error(w->db));
	backoff(ht_mono_ns(), &w->backoff_ns, &w->retry_at_ns);
}

static void commit_worked(struct writer *w, int64_t took_ns)
{
	struct writer_stats *s = &w->stats;

	if (s->failing_since_ms)
		ht_log_info("writer.recovered", "failing_ms=%lld",
		    (long long)(ht_wall_ms() - s->failing_since_ms));
	s->failing_since_ms = 0;
	s->last_err = HT_OK;
	s->last_error[0] = '\0';
	s->transactions++;
	s->last_commit_ms = ht_wall_ms();
	s->last_commit_took_us = took_ns / HT_NS_PER_US;
	w->backoff_ns = w->retry_at_ns = 0;
}

/* Commit up to BATCH_MAX rows. Called with the lock held; releases it meanwhile. */
static void do_batch(struct writer *w)
{
	struct queue batch;
	int64_t from = ht_mono_ns();

	queue_init(&batch);
	while (batch.n < BATCH_MAX && w->queue.n)
		queue_put(&batch, queue_take(&w->queue));
	uv_mutex_unlock(&w->lock);
	ht_err err = commit_batch(w, &batch);
	uv_mutex_lock(&w->lock);
	if (err) {
		queue_unshift(&w->queue, &batch);
		commit_failed(w, err);
		return;
	}
	commit_worked(w, ht_mono_ns() - from);
	count_results(w, &batch);
	w->fold_more = true;
	struct item *it;
	while ((it = queue_take(&batch)))
		queue_put(&w->finished, it);
	uv_async_send(&w->async);
}

static ht_err fold_slice(struct writer *w, struct writer_fold_state *state)
{
	ht_err err = db_begin(w->db);

	if (err)
		return err;
	err = writer_folds.slice(w->db, SLICE_NS, state);
	if (!err)
		err = db_commit(w->db);
	if (err)
		db_rollback(w->db);
	return err;
}

/* One slice; with the lock held, which is released meanwhile. */
static void do_slice(struct writer *w)
{
	struct writer_fold_state state = { 0 };

	uv_mutex_unlock(&w->lock);
	ht_err err = fold_slice(w, &state);
	if (err) {
		ht_log_warn("fold.failed", "err=%s text=\"%s\"", ht_err_name(err),
		    db_error(w->db));
		backoff(ht_mono_ns(), &w->fold_backoff_ns, &w->fold_retry_at_ns);
	}
	uv_mutex_lock(&w->lock);
	if (err) {
		w->stats.fold_failures++;
		return;
	}
	w->fold_backoff_ns = w->fold_retry_at_ns = 0;
	w->fold_more = state.more;
	w->stats.fold_lag_rows = state.lag_rows;
	w->fold_oldest_ms = state.oldest_ms;
	w->fold_due_ms = state.due_ms;
}

static ht_err append_beat(struct db *db)
{
	struct journal_row row = {
		.source = JOURNAL_SERVER,
		.kind = "beat",
		.content_type = "application/json",
		.received_ms = ht_wall_ms(),
		.payload = "{}",
		.len = 2,
	};
	ht_err err = db_begin(db);

	if (err)
		return err;
	err = journal_append(db, &row);
	if (!err)
		err = db_commit(db);
	if (err)
		db_rollback(db);
	return err;
}

/* Time has come to what waited for it. With the lock held, which is released meanwhile.
 */
static void do_beat(struct writer *w)
{
	w->beat_ns = ht_mono_ns();
	uv_mutex_unlock(&w->lock);
	ht_err err = append_beat(w->db);
	uv_mutex_lock(&w->lock);
	if (err)
		commit_failed(w, err);
	else
		w->fold_more = true;
}

static ht_err run_call(struct writer *w, struct call *call)
{
	ht_err err = db_begin(w->db);

	if (err)
		return err;
	err = call->fn(w->db, call->fn_arg);
	if (!err)
		err = db_commit(w->db);
	if (err)
		db_rollback(w->db);
	return err;
}

/* When the rows that wait must be committed; INT64_MAX: none do. */
static int64_t batch_due_ns(const struct writer *w)
{
	if (!w->queue.first)
		return INT64_MAX;
	if (w->retry_at_ns)
		return w->retry_at_ns;
	if (w->queue.n >= BATCH_MAX || w->stopping)
		return 0;
	return w->queue.first->queued_ns + BATCH_WAIT_NS;
}

/* Whoever waits reads what it wrote: fold on, within reason. What agents send is
 * committed meanwhile: a long backlog of folds must not fill the queue. */
static void fold_for_call(struct writer *w)
{
	int64_t until = ht_mono_ns() + CALL_FOLD_NS;

	do {
		do_slice(w);
		if (batch_due_ns(w) <= ht_mono_ns())
			do_batch(w);
	} while (w->fold_more && !w->fold_retry_at_ns && ht_mono_ns() < until);
}

static void do_call(struct writer *w)
{
	struct call *call = calls_take(&w->calls);

	uv_mutex_unlock(&w->lock);
	call->err = run_call(w, call);
	uv_mutex_lock(&w->lock);
	if (!call->err && !call->done && !w->stopping)
		fold_for_call(w);
	else if (!call->err)
		w->fold_more = true;
	if (call->done) {
		calls_put(&w->called, call);
		uv_async_send(&w->async);
	} else {
		call->finished = true;
		uv_cond_broadcast(&w->answered);
	}
}

static int64_t fold_due_ns(const struct writer *w)
{
	return w->fold_more ? w->fold_retry_at_ns : INT64_MAX;
}

/* Rows that wait bring their own time. The wall clock is asked anew each time. */
static int64_t beat_due_ns(const struct writer *w, int64_t now)
{
	if (!w->fold_due_ms || w->fold_more)
		return INT64_MAX;
	int64_t wait_ms = w->fold_due_ms - ht_wall_ms();
	if (wait_ms > BEAT_WAIT_MAX_MS)
		wait_ms = BEAT_WAIT_MAX_MS;
	int64_t due = now + (wait_ms > 0 ? wait_ms * HT_NS_PER_MS : 0);
	int64_t soonest = w->beat_ns ? w->beat_ns + BEAT_NS : 0;
	if (w->retry_at_ns > soonest)
		soonest = w->retry_at_ns;
	return due > soonest ? due : soonest;
}

static void wait_until(struct writer *w, int64_t due_ns, int64_t now)
{
	if (due_ns == INT64_MAX)
		uv_cond_wait(&w->wake, &w->lock);
	else if (due_ns > now)
		uv_cond_timedwait(&w->wake, &w->lock, (uint64_t)(due_ns - now));
}

static void last_commits(struct writer *w)
{
	uint64_t failures = w->stats.failures;

	while (w->calls.n)
		do_call(w);
	while (w->queue.n && w->stats.failures == failures)
		do_batch(w);
}

static int64_t soonest(int64_t a, int64_t b, int64_t c)
{
	int64_t least = a < b ? a : b;

	return least < c ? least : c;
}

static void writer_main(void *arg)
{
	struct writer *w = arg;

	uv_mutex_lock(&w->lock);
	while (!w->stopping) {
		int64_t now = ht_mono_ns(), batch = batch_due_ns(w),
			fold = fold_due_ns(w), beat = beat_due_ns(w, now);

		if (batch <= now)
			do_batch(w);
		if (w->calls.n)
			do_call(w);
		else if (fold <= now)
			do_slice(w);
		else if (beat <= now)
			do_beat(w);
		else if (batch > now && !w->stopping)
			wait_until(w, soonest(batch, fold, beat), now);
	}
	last_commits(w);
	uv_mutex_unlock(&w->lock);
}

/* ── life ────────────────────────────────────────────────────────────────────────── */

static ht_err start_thread(struct writer *w, uv_loop_t *loop)
{
	if (uv_mutex_init(&w->lock))
		return HT_NOMEM;
	if (uv_cond_init(&w->wake))
		goto no_wake;
	if (uv_cond_init(&w->answered))
		goto no_answered;
	if (uv_async_init(loop, &w->async, on_async))
		goto no_async;
	w->async.data = w;
	if (uv_thread_create(&w->thread, writer_main, w) == 0)
		return HT_OK;
	/* The handle is the loop's until it is closed: leave the block to it. */
	uv_close((uv_handle_t *)&w->async, NULL);
	return HT_AGAIN;
no_async:
	uv_cond_destroy(&w->answered);
no_answered:
	uv_cond_destroy(&w->wake);
no_wake:
	uv_mutex_destroy(&w->lock);
	return HT_NOMEM;
}

ht_err writer_start(
    uv_loop_t *loop, const char *file, struct writer **out, struct ht_fault *fault)
{
	struct writer *w = calloc(1, sizeof(*w));

	if (!w)
		return ht_fault_set(fault, HT_NOMEM, "writer: out of memory");
	queue_init(&w->queue);
	queue_init(&w->finished);
	calls_init(&w->calls);
	calls_init(&w->called);
	w->fold_more = true;
	ht_err err = db_open(file, false, &w->db, fault);
	if (err) {
		free(w);
		return err;
	}
	err = start_thread(w, loop);
	if (err) {
		db_close(w->db);
		if (err != HT_AGAIN)
			free(w);
		return ht_fault_set(fault, HT_NOMEM, "writer: cannot start its thread");
	}
	*out = w;
	return HT_OK;
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void writer_stop(struct writer *w)
{
	struct item *it;

	if (!w)
		return;
	uv_mutex_lock(&w->lock);
	w->stopping = true;
	uv_cond_signal(&w->wake);
	uv_mutex_unlock(&w->lock);
	uv_thread_join(&w->thread);
	tell(w);
	while ((it = queue_take(&w->queue))) {
		it->result = HT_CLOSED;
		queue_put(&w->finished, it);
	}
	tell(w);
	db_close(w->db);
	uv_cond_destroy(&w->answered);
	uv_cond_destroy(&w->wake);
	uv_mutex_destroy(&w->lock);
	uv_close((uv_handle_t *)&w->async, on_closed);
}

void writer_stats(struct writer *w, struct writer_stats *out)
{
	uv_mutex_lock(&w->lock);
	struct writer_stats s = w->stats;
	s.queued = w->queue.n;
	s.queued_bytes = w->queue.bytes;
	int64_t oldest = w->fold_oldest_ms;
	uv_mutex_unlock(&w->lock);
	s.fold_lag_ms = oldest ? ht_wall_ms() - oldest : 0;
	*out = s;
}
