#include "unit/test.h"

#include "unit/probes/runner.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/yaml.h"

enum { ASKS_MAX = 8, KEYS_MAX = 16, READINGS_STEP = 256 };

struct grant {
	bool set, raw;
	ht_err err;
	char *bytes;
	int (*open)(void *arg, const char *name);
	void *arg;
};

struct ask {
	bool used;
	enum probe_privilege what;
	char name[32];
	bool named;
	void (*answer)(void *arg, const struct probe_grant *grant);
	void *arg;
};

struct runner_fake {
	struct grant grants[PROBE_PRIVILEGE_COUNT];
	struct ask asks[ASKS_MAX];
	uv_idle_t answering;
	runner_serve serve;
	void *serve_arg;
	void (*answer)(void *arg, const struct probe_answer *answer); /* waits, or NULL */
	void *answer_arg;
	struct probe_answer server_answer;
	uv_timer_t deadline;
	void *run, *options;
	struct ht_yaml yaml;
	char instance[HT_INSTANCE_MAX + 1];
	struct memory {
		char key[HT_INSTANCE_MAX + 1]; /* "": the run's own, the first */
		uint8_t *bytes;
		size_t len;
	} memories[KEYS_MAX];
	bool closed, running;
};

static struct runner *owner(const struct probe_host *host)
{
	return host->owner;
}

static bool declared(const struct probe_ops *ops, enum ht_metric m)
{
	for (size_t i = 0; i < ops->n_metrics; i++) {
		if (ops->metrics[i] == m)
			return true;
	}
	return false;
}

static void host_emit(const struct probe_host *host, const struct ht_reading *in)
{
	struct runner *r = owner(host);

	assert_true(r->fake->running && !r->cancelled);
	assert_true(declared(r->ops, in->metric));
	if (r->n_readings % READINGS_STEP == 0) {
		r->readings = realloc(
		    r->readings, (r->n_readings + READINGS_STEP) * sizeof(*r->readings));
		assert_non_null(r->readings);
	}
	struct runner_reading *out = &r->readings[r->n_readings++];
	*out = (struct runner_reading){ .metric = in->metric, .at_ns = in->at_ns };
	assert_true(strlen(in->instance) <= HT_INSTANCE_MAX);
	out->instance = strdup(in->instance);
	switch (ht_metric_info(in->metric)->kind) {
	case HT_NUMBER:
		out->number = in->number;
		break;
	case HT_COUNTER:
		out->counter = in->counter;
		break;
	case HT_STRING:
		assert_true(strlen(in->string) <= HT_STRING_MAX);
		out->string = strdup(in->string);
		break;
	case HT_BOOL:
		out->boolean = in->boolean;
		break;
	}
}

static void host_done(const struct probe_host *host)
{
	struct runner *r = owner(host);

	assert_true(r->fake->running && !r->cancelled && !r->done);
	r->done = true;
	uv_stop(&r->loop);
}

static int open_icmp(enum probe_privilege what, bool *out_raw)
{
	int family = what == PROBE_ICMP4_SOCKET ? AF_INET : AF_INET6;
	int protocol = what == PROBE_ICMP4_SOCKET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);

	*out_raw = fd < 0;
	if (fd < 0)
		fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	return fd < 0 ? -errno : fd;
}

static void answer_one(struct runner *r, const struct ask *a)
{
	const struct grant *g = &r->fake->grants[a->what];
	struct probe_grant out = { .err = HT_OK, .fd = -1 };

	if (g->set && g->err) {
		out.err = g->err;
	} else if (g->set && g->bytes) {
		out.bytes = g->bytes;
		out.len = strlen(g->bytes);
	} else if (g->set && g->open) {
		out.fd = g->open(g->arg, a->named ? a->name : NULL);
		out.raw = g->raw;
	} else if (a->what == PROBE_ICMP4_SOCKET || a->what == PROBE_ICMP6_SOCKET) {
		out.fd = open_icmp(a->what, &out.raw);
	} else {
		out.err = HT_DENIED;
	}
	if (out.fd < -1) {
		out.err = ht_err_errno(-out.fd);
		out.fd = -1;
	}
	r->raw = out.raw;
	a->answer(a->arg, &out);
}

static void answer_all(uv_idle_t *idle)
{
	struct runner *r = idle->data;

	uv_idle_stop(idle);
	for (size_t i = 0; i < ASKS_MAX; i++) {
		if (!r->fake->asks[i].used)
			continue;
		struct ask a = r->fake->asks[i];

		r->fake->asks[i].used = false;
		answer_one(r, &a);
	}
	if (r->fake->answer) {
		void (*answer)(void *arg, const struct probe_answer *answer) =
		    r->fake->answer;

		r->fake->answer = NULL;
		answer(r->fake->answer_arg, &r->fake->server_answer);
	}
}

static ht_err host_ask(const struct probe_host *host, enum probe_privilege what,
    const char *name, void (*answer)(void *arg, const struct probe_grant *grant),
    void *arg)
{
	struct runner *r = owner(host);

	r->asked[what]++;
	for (size_t i = 0; i < ASKS_MAX; i++) {
		struct ask *a = &r->fake->asks[i];

		if (a->used)
			continue;
		*a = (struct ask){ true, what, "", name != NULL, answer, arg };
		if (name)
			snprintf(a->name, sizeof(a->name), "%s", name);
		uv_idle_start(&r->fake->answering, answer_all);
		return HT_OK;
	}
	return HT_FULL;
}

static void host_forget(const struct probe_host *host, void *arg)
{
	struct runner *r = owner(host);

	for (size_t i = 0; i < ASKS_MAX; i++) {
		if (r->fake->asks[i].arg == arg)
			r->fake->asks[i].used = false;
	}
	if (r->fake->answer_arg == arg)
		r->fake->answer = NULL;
}

static const void *host_recall_of(
    const struct probe_host *host, const char *key, size_t *out_len)
{
	struct memory *list = owner(host)->fake->memories;

	*out_len = 0;
	for (size_t i = 0; i < KEYS_MAX; i++) {
		if (list[i].bytes && strcmp(list[i].key, key) == 0) {
			*out_len = list[i].len;
			return list[i].bytes;
		}
	}
	return "";
}

static ht_err host_remember_of(
    const struct probe_host *host, const char *key, const void *bytes, size_t len)
{
	struct memory *list = owner(host)->fake->memories;
	size_t at = 0;

	if (len > PROBE_MEMORY_MAX)
		return HT_TOOLARGE;
	while (at < KEYS_MAX && list[at].bytes && strcmp(list[at].key, key) != 0)
		at++;
	if (at == KEYS_MAX)
		return HT_FULL;
	free(list[at].bytes);
	list[at].bytes = malloc(len + 1);
	assert_non_null(list[at].bytes);
	if (len)
		memcpy(list[at].bytes, bytes, len);
	list[at].len = len;
	snprintf(list[at].key, sizeof(list[at].key), "%s", key);
	owner(host)->remembered++;
	return HT_OK;
}

static const void *host_recall(const struct probe_host *host, size_t *out_len)
{
	return host_recall_of(host, "", out_len);
}

static ht_err host_remember(const struct probe_host *host, const void *bytes, size_t len)
{
	return host_remember_of(host, "", bytes, len);
}

static ht_err host_ask_server(const struct probe_host *host, const char *request,
    const struct probe_field *fields, size_t n,
    void (*answer)(void *arg, const struct probe_answer *answer), void *arg)
{
	struct runner *r = owner(host);
	struct runner_fake *f = r->fake;
	struct probe_answer out = { .why = "" };

	if (!f->serve)
		return HT_UNSUPPORTED;
	f->serve(f->serve_arg, request, fields, n, &out);
	if (out.err == HT_AGAIN)
		return HT_AGAIN;
	if (!answer || (out.err == HT_TIMEOUT && !out.why))
		return HT_OK;
	assert_null(f->answer);
	f->answer = answer;
	f->answer_arg = arg;
	f->server_answer = out;
	uv_idle_start(&f->answering, answer_all);
	return HT_OK;
}

void runner_server(struct runner *r, runner_serve serve, void *arg)
{
	r->fake->serve = serve;
	r->fake->serve_arg = arg;
}

struct runner *runner_new(void)
{
	struct runner *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->fake = calloc(1, sizeof(*r->fake));
	assert_non_null(r->fake);
	assert_int_equal(uv_loop_init(&r->loop), 0);
	uv_idle_init(&r->loop, &r->fake->answering);
	uv_timer_init(&r->loop, &r->fake->deadline);
	r->fake->answering.data = r->fake->deadline.data = r;
	r->site.packets_per_s = 1000;
	r->host = (struct probe_host){ .loop = &r->loop,
		.emit = host_emit,
		.done = host_done,
		.ask = host_ask,
		.forget = host_forget,
		.ask_server = host_ask_server,
		.recall = host_recall,
		.remember = host_remember,
		.recall_of = host_recall_of,
		.remember_of = host_remember_of,
		.site = &r->site,
		.owner = r };
	return r;
}

static void drop_readings(struct runner *r)
{
	for (size_t i = 0; i < r->n_readings; i++) {
		free(r->readings[i].instance);
		free(r->readings[i].string);
	}
	free(r->readings);
	r->readings = NULL;
	r->n_readings = 0;
}

void runner_free(struct runner *r)
{
	assert_false(r->fake->running);
	uv_close((uv_handle_t *)&r->fake->answering, NULL);
	uv_close((uv_handle_t *)&r->fake->deadline, NULL);
	uv_run(&r->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&r->loop), 0); /* nothing left open */
	drop_readings(r);
	for (size_t i = 0; i < PROBE_PRIVILEGE_COUNT; i++)
		free(r->fake->grants[i].bytes);
	for (size_t i = 0; i < KEYS_MAX; i++)
		free(r->fake->memories[i].bytes);
	free(r->fake);
	free(r);
}

static struct grant *regrant(struct runner *r, enum probe_privilege what)
{
	struct grant *g = &r->fake->grants[what];

	free(g->bytes);
	*g = (struct grant){ .set = true };
	return g;
}

void runner_grant_err(struct runner *r, enum probe_privilege what, ht_err err)
{
	regrant(r, what)->err = err;
}

void runner_grant_bytes(struct runner *r, enum probe_privilege what, const char *bytes)
{
	regrant(r, what)->bytes = strdup(bytes);
}

void runner_grant_fd(struct runner *r, enum probe_privilege what,
    int (*open)(void *arg, const char *name), void *arg, bool raw)
{
	struct grant *g = regrant(r, what);

	g->open = open;
	g->arg = arg;
	g->raw = raw;
}

static void on_deadline(uv_timer_t *timer)
{
	struct runner *r = timer->data;

	uv_stop(&r->loop);
}

static void load_options(struct runner *r, const char *yaml)
{
	struct runner_fake *f = r->fake;
	struct ht_fault fault = { 0 };

	assert_ok(ht_yaml_parse("test", yaml, strlen(yaml), &f->yaml, &fault));
	if (!r->ops->options)
		return;
	f->options = calloc(1, r->ops->options->size);
	assert_non_null(f->options);
	ht_err err =
	    ht_options_load(r->ops->options, NULL, f->yaml.root, f->options, &fault);
	if (!err && r->ops->check)
		err = r->ops->check(f->options, f->yaml.root, &fault);
	if (err)
		print_error("%s\n", fault.text);
	assert_ok(err);
}

static void unload(struct runner *r)
{
	struct runner_fake *f = r->fake;

	uv_timer_stop(&f->deadline);
	if (r->ops->options)
		ht_options_fini(r->ops->options, f->options);
	free(f->options);
	ht_yaml_fini(&f->yaml);
	free(f->run);
	f->options = f->run = NULL;
	f->yaml = (struct ht_yaml){ 0 };
	f->running = false;
}

bool runner_start(struct runner *r, const struct probe_ops *ops, const char *instance,
    const char *yaml, int64_t timeout_ns)
{
	struct runner_fake *f = r->fake;

	assert_false(f->running);
	drop_readings(r);
	r->ops = ops;
	r->done = r->cancelled = f->closed = false;
	f->running = true;
	snprintf(f->instance, sizeof(f->instance), "%s", instance);
	r->host.instance = f->instance;
	r->host.deadline_ns = ht_mono_ns() + timeout_ns;
	load_options(r, yaml);
	f->run = calloc(1, ops->run_size ? ops->run_size : 1);
	assert_non_null(f->run);
	uv_update_time(&r->loop);
	uv_timer_start(
	    &f->deadline, on_deadline, (uint64_t)(timeout_ns / HT_NS_PER_MS), 0);
	ht_err err = ops->start(f->run, f->options, &r->host);
	if (err)
		unload(r);
	return !err;
}

static void on_closed(void *arg)
{
	struct runner *r = arg;

	assert_false(r->fake->closed);
	r->fake->closed = true;
	uv_stop(&r->loop);
}

void runner_cancel(struct runner *r)
{
	uv_timer_stop(&r->fake->deadline);
	r->ops->cancel(r->fake->run, on_closed, r);
	r->cancelled = true;
	while (!r->fake->closed)
		uv_run(&r->loop, UV_RUN_ONCE);
	/* A probe that closes at once leaves an uv_stop() behind: this turn uses it up.
	 */
	uv_run(&r->loop, UV_RUN_NOWAIT);
	unload(r);
}

bool runner_run(struct runner *r, const struct probe_ops *ops, const char *instance,
    const char *yaml, int64_t timeout_ns)
{
	if (!runner_start(r, ops, instance, yaml, timeout_ns))
		return false;
	if (!r->done)
		uv_run(&r->loop, UV_RUN_DEFAULT);
	runner_cancel(r);
	return true;
}

ht_err runner_relist(struct runner *r)
{
	assert_true(r->fake->running && !r->cancelled);
	return r->ops->retarget(r->fake->run, r->fake->options);
}

const struct runner_reading *runner_find(
    const struct runner *r, enum ht_metric m, const char *instance)
{
	for (size_t i = 0; i < r->n_readings; i++) {
		if (r->readings[i].metric == m &&
		    (!instance || strcmp(r->readings[i].instance, instance) == 0))
			return &r->readings[i];
	}
	return NULL;
}

size_t runner_count(const struct runner *r, enum ht_metric m)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_readings; i++)
		n += r->readings[i].metric == m;
	return n;
}

static const struct runner_reading *must_find(
    const struct runner *r, enum ht_metric m, const char *instance, enum ht_kind kind)
{
	const struct runner_reading *found = runner_find(r, m, instance);

	if (!found)
		print_error("no reading %s/%s/%s\n", ht_metric_info(m)->family,
		    instance ? instance : "*", ht_metric_info(m)->quantity);
	assert_non_null(found);
	assert_int_equal(ht_metric_info(m)->kind, kind);
	return found;
}

double runner_number(const struct runner *r, enum ht_metric m, const char *instance)
{
	return must_find(r, m, instance, HT_NUMBER)->number;
}

uint64_t runner_counter(const struct runner *r, enum ht_metric m, const char *instance)
{
	return must_find(r, m, instance, HT_COUNTER)->counter;
}

const char *runner_string(const struct runner *r, enum ht_metric m, const char *instance)
{
	return must_find(r, m, instance, HT_STRING)->string;
}
