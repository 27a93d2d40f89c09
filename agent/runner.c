#include "agent/runner.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum { KEYED_MAX = 2 * HT_INSTANCE_MAX + 2 };

struct slot {
	struct runner *runner;
	size_t index;
	struct probe_host host;
	void *run;     /* NULL while waiting */
	bool starting; /* inside ops->start */
	bool done;     /* the probe said so */
	bool closing;  /* ops->cancel was called */
	bool ok;
};

struct runner {
	uv_loop_t *loop;
	uv_timer_t timer;
	struct schedule schedule;
	struct schedule_job *jobs;
	struct slot *slots;
	struct runner_probe *probes;
	size_t n;
	struct runner_sink sink;
	struct monitor *monitor;
	struct inquiries *inquiries;
	char *agent;
	bool stopping, timer_closed;
	bool leaving; /* the timer is taken by runner_close_soon */
	void (*closed)(void *arg);
	void *closed_arg;
};

static void turn(uv_timer_t *timer);

static void arm(struct runner *r, int64_t at_ns)
{
	int64_t now = ht_mono_ns();
	uint64_t ms = 0;

	if (r->stopping || r->leaving)
		return;
	if (at_ns == INT64_MAX)
		return;
	if (at_ns > now)
		ms = (uint64_t)((at_ns - now + HT_NS_PER_MS - 1) / HT_NS_PER_MS);
	uv_update_time(r->loop);
	uv_timer_start(&r->timer, turn, ms, 0);
}

static void arm_next(struct runner *r)
{
	bool soon = false;

	for (size_t i = 0; i < r->n; i++)
		soon |= r->slots[i].run && r->slots[i].done && !r->slots[i].closing;
	arm(r, soon ? 0 : schedule_next_ns(&r->schedule));
}

static void say_status(struct slot *s, const char *text)
{
	struct runner *r = s->runner;
	struct ht_reading reading = {
		.metric = HT_M_AGENT_PROBE_STATUS,
		.instance = r->probes[s->index].key,
		.at_ns = ht_mono_ns(),
		.string = text,
	};

	r->sink.emit(r->sink.arg, &reading);
}

/* ── The host that probes see ─────────────────────────────────────────────────────── */

static bool declared(const struct probe_ops *ops, enum ht_metric m)
{
	for (size_t i = 0; i < ops->n_metrics; i++) {
		if (ops->metrics[i] == m)
			return true;
	}
	return false;
}

static void host_emit(const struct probe_host *host, const struct ht_reading *reading)
{
	struct slot *s = host->owner;

	assert(declared(s->runner->probes[s->index].ops, reading->metric));
	s->runner->sink.emit(s->runner->sink.arg, reading);
}

static void host_done(const struct probe_host *host)
{
	struct slot *s = host->owner;

	assert(!s->done);
	s->done = true;
	s->ok = true;
	/* The probe is still on the stack: it is closed in the next turn. */
	if (!s->starting && !s->closing)
		arm(s->runner, 0);
}

static ht_err host_ask(const struct probe_host *host, enum probe_privilege what,
    const char *name, void (*answer)(void *arg, const struct probe_grant *grant),
    void *arg)
{
	struct slot *s = host->owner;

	if (!s->runner->monitor)
		return HT_DENIED;
	return monitor_ask(s->runner->monitor, what, name, answer, arg);
}

static void host_forget(const struct probe_host *host, void *arg)
{
	struct slot *s = host->owner;

	if (s->runner->monitor)
		monitor_forget(s->runner->monitor, arg);
	if (s->runner->inquiries)
		inquire_forget(s->runner->inquiries, arg);
}

static ht_err host_ask_server(const struct probe_host *host, const char *request,
    const struct probe_field *fields, size_t n,
    void (*answer)(void *arg, const struct probe_answer *answer), void *arg)
{
	struct slot *s = host->owner;

	if (!s->runner->inquiries)
		return HT_UNSUPPORTED;
	return inquire(
	    s->runner->inquiries, request, fields, n, ht_mono_ns(), answer, arg);
}

static const char *key_of(const struct slot *s)
{
	return s->runner->probes[s->index].key;
}

static const void *host_recall(const struct probe_host *host, size_t *out_len)
{
	struct slot *s = host->owner;

	return s->runner->sink.recall(s->runner->sink.arg, key_of(s), out_len);
}

static ht_err host_remember(const struct probe_host *host, const void *bytes, size_t len)
{
	struct slot *s = host->owner;

	return s->runner->sink.remember(s->runner->sink.arg, key_of(s), bytes, len);
}

/* "<probe>.<id>/<key>"; ids have no '/'. */
static bool keyed_name(
    const struct probe_host *host, const char *key, char out[static KEYED_MAX])
{
	int n = snprintf(out, KEYED_MAX, "%s/%s", key_of(host->owner), key);

	return n > 0 && n < KEYED_MAX;
}

static const void *host_recall_of(
    const struct probe_host *host, const char *key, size_t *out_len)
{
	struct slot *s = host->owner;
	char name[KEYED_MAX];

	*out_len = 0;
	return keyed_name(host, key, name)
		   ? s->runner->sink.recall(s->runner->sink.arg, name, out_len)
		   : "";
}

static ht_err host_remember_of(
    const struct probe_host *host, const char *key, const void *bytes, size_t len)
{
	struct slot *s = host->owner;
	char name[KEYED_MAX];

	if (!keyed_name(host, key, name))
		return HT_TOOLARGE;
	return s->runner->sink.keep(s->runner->sink.arg, name, bytes, len);
}

/* ── Runs ─────────────────────────────────────────────────────────────────────────── */

static void finish(struct runner *r)
{
	void (*closed)(void *arg) = r->closed;
	void *arg = r->closed_arg;

	if (!r->stopping || !r->timer_closed)
		return;
	for (size_t i = 0; i < r->n; i++) {
		if (r->slots[i].run)
			return;
	}
	free(r->jobs);
	free(r->slots);
	free(r->probes);
	free(r->agent);
	free(r);
	closed(arg);
}

static void run_closed(void *arg)
{
	struct slot *s = arg;
	struct runner *r = s->runner;

	free(s->run);
	s->run = NULL;
	schedule_ended(&r->schedule, s->index, ht_mono_ns(), s->ok);
	r->sink.ended(r->sink.arg, key_of(s), s->ok);
	if (r->stopping)
		finish(r);
	else
		arm_next(r);
}

static void run_close(struct slot *s)
{
	if (!s->run || s->closing)
		return;
	s->closing = true;
	s->runner->probes[s->index].ops->cancel(s->run, run_closed, s);
}

static void run_begin(struct slot *s)
{
	struct runner *r = s->runner;
	const struct runner_probe *p = &r->probes[s->index];

	s->done = s->closing = s->ok = false;
	s->host.deadline_ns = r->jobs[s->index].deadline_ns;
	s->run = calloc(1, p->ops->run_size ? p->ops->run_size : 1);
	ht_err err = HT_NOMEM;
	if (s->run) {
		s->starting = true;
		err = p->ops->start(s->run, p->options, &s->host);
		s->starting = false;
	}
	if (!err)
		return;
	ht_log_warn("probe.start", "probe=%s id=%s error=%s", p->ops->name, p->id,
	    ht_err_name(err));
	say_status(s, ht_err_name(err));
	free(s->run);
	s->run = NULL;
	schedule_ended(&r->schedule, s->index, ht_mono_ns(), false);
	r->sink.ended(r->sink.arg, p->key, false);
}

static void turn(uv_timer_t *timer)
{
	struct runner *r = timer->data;
	enum schedule_act act;
	size_t i = 0;

	for (size_t k = 0; k < r->n; k++) {
		if (r->slots[k].done)
			run_close(&r->slots[k]);
	}
	int64_t now = ht_mono_ns();
	while (!r->stopping &&
	       (act = schedule_step(&r->schedule, now, &i)) != SCHEDULE_NONE) {
		if (act == SCHEDULE_RUN) {
			run_begin(&r->slots[i]);
		} else if (!r->slots[i].closing) {
			/* One that listens has used its time; any other ran out of it. */
			r->slots[i].ok = r->probes[i].ops->continuous;
			if (!r->slots[i].ok)
				say_status(&r->slots[i], "timeout");
			run_close(&r->slots[i]);
		}
	}
	if (!r->stopping)
		arm_next(r);
}

ht_err runner_soon(struct runner *r, const char *id)
{
	for (size_t i = 0; i < r->n; i++) {
		if (strcmp(r->probes[i].id, id) != 0)
			continue;
		schedule_soon(&r->schedule, i, ht_mono_ns());
		arm_next(r);
		return HT_OK;
	}
	return HT_NOTFOUND;
}

bool runner_retarget(struct runner *r)
{
	bool all = true;

	for (size_t i = 0; i < r->n; i++) {
		struct slot *s = &r->slots[i];
		const struct probe_ops *ops = r->probes[i].ops;

		if (!s->run || s->done || s->closing)
			continue; /* the next run begins with it */
		all &= ops->retarget && !ops->retarget(s->run, r->probes[i].options);
	}
	return all;
}

/* ── Life ─────────────────────────────────────────────────────────────────────────── */

static void slot_init(struct runner *r, size_t i, const struct runner_config *config)
{
	r->slots[i] = (struct slot){
		.runner = r,
		.index = i,
		.host = {
			.loop = r->loop,
			.instance = r->probes[i].id,
			.emit = host_emit,
			.done = host_done,
			.ask = host_ask,
			.forget = host_forget,
			.ask_server = host_ask_server,
			.recall = host_recall,
			.remember = host_remember,
			.recall_of = host_recall_of,
			.remember_of = host_remember_of,
			.site = config->site,
			.owner = &r->slots[i],
		},
	};
	r->jobs[i] = (struct schedule_job){
		.id = r->probes[i].key,
		.every_ns = r->probes[i].every_ns,
		.timeout_ns = r->probes[i].timeout_ns,
		.retries = r->probes[i].retries,
		.continuous = r->probes[i].ops->continuous,
	};
}

ht_err runner_new(uv_loop_t *loop, const struct runner_config *config,
    const struct runner_sink *sink, struct runner **out)
{
	struct runner *r = calloc(1, sizeof(*r));
	size_t n = config->n_probes;

	if (!r)
		return HT_NOMEM;
	r->loop = loop;
	r->n = n;
	r->sink = *sink;
	r->monitor = config->monitor;
	r->inquiries = config->inquiries;
	r->agent = strdup(config->agent);
	r->jobs = calloc(n ? n : 1, sizeof(*r->jobs));
	r->slots = calloc(n ? n : 1, sizeof(*r->slots));
	r->probes = calloc(n ? n : 1, sizeof(*r->probes));
	if (!r->agent || !r->jobs || !r->slots || !r->probes ||
	    uv_timer_init(loop, &r->timer) != 0) {
		free(r->agent);
		free(r->jobs);
		free(r->slots);
		free(r->probes);
		free(r);
		return HT_NOMEM;
	}
	r->timer.data = r;
	for (size_t i = 0; i < n; i++) {
		r->probes[i] = config->probes[i];
		slot_init(r, i, config);
	}
	*out = r;
	return HT_OK;
}

void runner_start(struct runner *r)
{
	schedule_start(&r->schedule, r->jobs, r->n, r->agent, ht_mono_ns());
	arm_next(r);
}

static void close_now(uv_timer_t *timer)
{
	struct runner *r = timer->data;

	runner_close(r, r->closed, r->closed_arg);
}

void runner_close_soon(struct runner *r, void (*closed)(void *arg), void *arg)
{
	r->leaving = true;
	r->closed = closed;
	r->closed_arg = arg;
	uv_timer_start(&r->timer, close_now, 0, 0);
}

static void timer_closed(uv_handle_t *handle)
{
	struct runner *r = handle->data;

	r->timer_closed = true;
	finish(r);
}

void runner_close(struct runner *r, void (*closed)(void *arg), void *arg)
{
	if (!r) {
		closed(arg);
		return;
	}
	r->stopping = true;
	r->closed = closed;
	r->closed_arg = arg;
	for (size_t i = 0; i < r->n; i++)
		run_close(&r->slots[i]);
	uv_close((uv_handle_t *)&r->timer, timer_closed);
}

const struct schedule_job *runner_job(const struct runner *r, size_t i)
{
	return i < r->n ? &r->jobs[i] : NULL;
}

const struct runner_probe *runner_probe_of(const struct runner *r, size_t i)
{
	return &r->probes[i];
}
