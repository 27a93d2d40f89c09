#include "agent/worker.h"

#include <stdbool.h>
#include <stdlib.h>

#define STACK_BYTES (256 * 1024) /* SQLite needs a tenth of it */

struct fifo {
	struct worker_job *head, **tail;
};

struct worker {
	uv_thread_t thread;
	uv_mutex_t lock; /* guards todo, ready, n_todo, ending */
	uv_cond_t wake;
	uv_async_t async;
	struct spool *spool;
	struct fifo todo, ready;
	size_t n_todo;
	bool ending, ended;
	void (*closed)(void *arg);
	void *closed_arg;
};

static void fifo_put(struct fifo *f, struct worker_job *job)
{
	job->next = NULL;
	*f->tail = job;
	f->tail = &job->next;
}

static struct worker_job *fifo_get(struct fifo *f)
{
	struct worker_job *job = f->head;

	if (job) {
		f->head = job->next;
		if (!f->head)
			f->tail = &f->head;
	}
	return job;
}

static struct worker_job *wait_for_job(struct worker *w)
{
	uv_mutex_lock(&w->lock);
	while (!w->todo.head && !w->ending)
		uv_cond_wait(&w->wake, &w->lock);
	struct worker_job *job = fifo_get(&w->todo);
	if (job)
		w->n_todo--;
	uv_mutex_unlock(&w->lock);
	return job;
}

static void worker_main(void *arg)
{
	struct worker *w = arg;
	struct worker_job *job;

	while ((job = wait_for_job(w))) {
		job->work(job, w->spool);
		spool_stats(w->spool, &job->now, &job->stats);
		uv_mutex_lock(&w->lock);
		fifo_put(&w->ready, job);
		uv_mutex_unlock(&w->lock);
		uv_async_send(&w->async);
	}
	spool_close(w->spool);
	uv_mutex_lock(&w->lock);
	w->ended = true;
	uv_mutex_unlock(&w->lock);
	uv_async_send(&w->async);
}

static void async_closed(uv_handle_t *handle)
{
	struct worker *w = handle->data;

	uv_mutex_destroy(&w->lock);
	uv_cond_destroy(&w->wake);
	w->closed(w->closed_arg);
	free(w);
}

static void on_async(uv_async_t *async)
{
	struct worker *w = async->data;
	struct worker_job *job;

	for (;;) {
		uv_mutex_lock(&w->lock);
		job = fifo_get(&w->ready);
		bool ended = !job && w->ended;
		uv_mutex_unlock(&w->lock);
		if (job) {
			job->done(job);
			continue;
		}
		if (ended && !uv_is_closing((uv_handle_t *)async)) {
			uv_thread_join(&w->thread);
			uv_close((uv_handle_t *)async, async_closed);
		}
		return;
	}
}

ht_err worker_new_take(uv_loop_t *loop, struct spool *spool, struct worker **out)
{
	static const uv_thread_options_t options = {
		.flags = UV_THREAD_HAS_STACK_SIZE,
		.stack_size = STACK_BYTES,
	};
	struct worker *w = calloc(1, sizeof(*w));

	if (!w || uv_async_init(loop, &w->async, on_async) != 0) {
		free(w);
		spool_close(spool);
		return HT_NOMEM;
	}
	w->async.data = w;
	w->spool = spool;
	w->todo.tail = &w->todo.head;
	w->ready.tail = &w->ready.head;
	/* These fail only when memory is out before the first measurement. */
	if (uv_mutex_init(&w->lock) != 0 || uv_cond_init(&w->wake) != 0 ||
	    uv_thread_create_ex(&w->thread, &options, worker_main, w) != 0)
		abort();
	*out = w;
	return HT_OK;
}

ht_err worker_submit(struct worker *w, struct worker_job *job)
{
	ht_err err = HT_OK;

	uv_mutex_lock(&w->lock);
	if (w->ending)
		err = HT_CLOSED;
	else if (w->n_todo >= WORKER_QUEUE_MAX)
		err = HT_FULL;
	if (!err) {
		fifo_put(&w->todo, job);
		w->n_todo++;
		uv_cond_signal(&w->wake);
	}
	uv_mutex_unlock(&w->lock);
	return err;
}

void worker_close(struct worker *w, void (*closed)(void *arg), void *arg)
{
	if (!w) {
		closed(arg);
		return;
	}
	w->closed = closed;
	w->closed_arg = arg;
	uv_mutex_lock(&w->lock);
	w->ending = true;
	uv_cond_signal(&w->wake);
	uv_mutex_unlock(&w->lock);
}
