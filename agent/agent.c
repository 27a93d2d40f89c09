#include "agent/agent.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/command.h"
#include "agent/frugal.h"
#include "agent/health.h"
#include "agent/notify.h"
#include "agent/owner.h"
#include "agent/propose.h"
#include "agent/renew.h"
#include "agent/rights.h"
#include "agent/status.h"
#include "base/file.h"
#include "base/log.h"
#include "base/secret.h"

#define TICK_MS       1000
#define STOP_TICK_MS  50
#define DRAIN_NS      (3 * HT_NS_PER_S) /* for acknowledgements, when ending */
#define STOP_LIMIT_NS (9 * HT_NS_PER_S)
#define TRIM_EVERY_NS (60 * HT_NS_PER_S)
#define GAPS_EVERY_NS (5 * HT_NS_PER_S)
#define PROPOSE_NS    (24 * 3600 * HT_NS_PER_S)
#define GAPS_AT_ONCE  16
#define LOOK_EVERY_NS (60 * HT_NS_PER_S) /* at gateway and resolver, which may change */

void agent_clock(void *agent, struct spool_now *out)
{
	struct agent *a = agent;

	*out = (struct spool_now){
		.mono_ns = ht_mono_ns(),
		.wall_ms = ht_wall_ms(),
		.synchronised = ht_clock_synchronised(),
		.boot = a->boot,
	};
}

void agent_say(struct agent *a, enum ht_metric m, const char *text)
{
	struct ht_reading r = {
		.metric = m, .instance = "self", .at_ns = ht_mono_ns(), .string = text
	};

	collect_put(a->collect, &r);
}

void agent_propose(struct agent *a)
{
	struct ht_buf b;

	ht_buf_init(&b, PROPOSE_BYTES_MAX);
	if (!propose_build(&b)) {
		struct ht_reading r = {
			.metric = HT_M_AGENT_PROPOSAL,
			.instance = "config",
			.at_ns = ht_mono_ns(),
			.string = ht_buf_text(&b),
		};
		collect_put(a->collect, &r);
	}
	ht_buf_fini(&b);
}

/* ── What modules tell each other ─────────────────────────────────────────────────── */

/* A broken spool file was moved aside; say it once for each. */
static void spool_watch(struct agent *a, const struct spool_stats *stats)
{
	if (stats->corrupt[0] && strcmp(a->stats.corrupt, stats->corrupt) != 0) {
		char text[160];
		ht_log_error("spool.corrupt", "moved_to=%s epoch=%s", stats->corrupt,
		    stats->epoch);
		snprintf(text, sizeof(text), "corrupt, moved to %s", stats->corrupt);
		memcpy(a->stats.corrupt, stats->corrupt, sizeof(a->stats.corrupt));
		agent_say(a, HT_M_AGENT_SPOOL, text);
	}
}

static void on_committed(void *arg, ht_err err, const struct spool_stats *stats)
{
	struct agent *a = arg;

	if (err)
		ht_log_error("spool.append", "error=%s failed=%" PRId64, ht_err_name(err),
		    stats->failed);
	spool_watch(a, stats);
	a->stats = *stats;
	if (a->publish && !a->stopping)
		publish_spooled(a->publish, stats);
	else if (a->publish && publish_state(a->publish) == PUBLISH_SENDING)
		publish_spooled(a->publish, stats);
}

static void on_urgent(uv_timer_t *timer)
{
	struct agent *a = timer->data;

	collect_urgent(a->collect);
}

/* What is urgent goes when the emitter has said all of this turn: in one pack. */
static void sink_emit(void *arg, const struct ht_reading *r)
{
	struct agent *a = arg;

	collect_put(a->collect, r);
	if (r->urgent && !uv_is_active((uv_handle_t *)&a->urgent))
		uv_timer_start(&a->urgent, on_urgent, 0, 0);
}

static const void *sink_recall(void *arg, const char *instance, size_t *out_len)
{
	return collect_recall(((struct agent *)arg)->collect, instance, out_len);
}

static ht_err sink_remember(
    void *arg, const char *instance, const void *bytes, size_t len)
{
	return collect_remember(((struct agent *)arg)->collect, instance, bytes, len);
}

static ht_err sink_keep(void *arg, const char *name, const void *bytes, size_t len)
{
	return collect_keep(((struct agent *)arg)->collect, name, bytes, len);
}

static void sink_ended(void *arg, const char *instance, bool ok)
{
	collect_ended(((struct agent *)arg)->collect, instance);
}

static void on_command(void *arg, const void *bytes, size_t len)
{
	command_run(arg, bytes, len);
}

/* ── Housekeeping on the worker ───────────────────────────────────────────────────── */

struct chore {
	struct worker_job job; /* first */
	struct agent *agent;
	struct spool_gap gaps[GAPS_AT_ONCE];
	size_t n_gaps;
	ht_err err;
};

static ht_err chore_start(struct agent *a,
    void (*work)(struct worker_job *, struct spool *), void (*done)(struct worker_job *))
{
	struct chore *c = calloc(1, sizeof(*c));

	if (!c)
		return HT_NOMEM;
	c->agent = a;
	c->job.work = work;
	c->job.done = done;
	agent_clock(a, &c->job.now);
	ht_err err = worker_submit(a->worker, &c->job);
	if (err)
		free(c);
	return err;
}

static void trim_work(struct worker_job *job, struct spool *spool)
{
	struct chore *c = (struct chore *)job;

	c->err = spool_trim(spool, &job->now);
}

static void trim_done(struct worker_job *job)
{
	struct chore *c = (struct chore *)job;
	struct agent *a = c->agent;

	a->trimming = false;
	spool_watch(a, &job->stats);
	a->stats = job->stats;
	free(c);
}

static void gaps_work(struct worker_job *job, struct spool *spool)
{
	struct chore *c = (struct chore *)job;

	c->err = spool_gaps(spool, c->gaps, GAPS_AT_ONCE, &c->n_gaps);
}

static void gaps_done(struct worker_job *job)
{
	struct chore *c = (struct chore *)job;
	struct agent *a = c->agent;

	a->listing_gaps = false;
	if (!c->err && c->n_gaps > 0) {
		for (size_t i = 0; i < c->n_gaps; i++)
			ht_log_warn("spool.gap", "gap=\"%s\"", c->gaps[i].text);
		collect_gaps(a->collect, c->gaps, c->n_gaps);
	}
	free(c);
}

/* While there is no server, gaps only grow together in the spool. */
static void report_gaps(struct agent *a, int64_t now)
{
	if (a->listing_gaps || a->stats.gaps_waiting == 0 || now < a->gaps_ns ||
	    !a->publish || publish_state(a->publish) != PUBLISH_SENDING)
		return;
	a->gaps_ns = now + GAPS_EVERY_NS;
	a->listing_gaps = !chore_start(a, gaps_work, gaps_done);
}

/* ── Ending ───────────────────────────────────────────────────────────────────────── */

enum { STOP_RUNNER = 1, STOP_COMMIT, STOP_DRAIN, STOP_PUBLISH, STOP_WORKER };

static void handle_close(uv_handle_t *h)
{
	if (!uv_is_closing(h))
		uv_close(h, NULL);
}

static void worker_ended(void *arg)
{
	struct agent *a = arg;

	a->worker = NULL;
	monitor_stop(a->monitor);
	a->monitor = NULL;
	handle_close((uv_handle_t *)&a->timer);
	handle_close((uv_handle_t *)&a->urgent);
	handle_close((uv_handle_t *)&a->hup);
	handle_close((uv_handle_t *)&a->term);
	handle_close((uv_handle_t *)&a->intr);
}

static void publish_ended(void *arg)
{
	struct agent *a = arg;

	a->publish = NULL;
	a->stop_phase = STOP_WORKER;
	worker_close(a->worker, worker_ended, a);
}

static void runner_ended(void *arg)
{
	struct agent *a = arg;

	a->runner = NULL;
	reach_close(&a->reach); /* goes on in reach_ended */
}

static void probes_ended(struct agent *a)
{
	collect_flush(a->collect);
	a->stop_phase = STOP_COMMIT;
}

static void stop_step(struct agent *a)
{
	int64_t now = ht_mono_ns();

	if (now - a->stop_ns > STOP_LIMIT_NS) {
		/* What is durable is sent after the next start. */
		ht_log_error("agent.stop", "error=timeout phase=%d", a->stop_phase);
		_exit(HT_EXIT_FAILURE);
	}
	if (a->stop_phase == STOP_COMMIT && collect_idle(a->collect)) {
		a->stop_phase = STOP_DRAIN;
		a->drain_ns = now + DRAIN_NS;
	}
	if (a->stop_phase == STOP_DRAIN &&
	    (!a->publish || publish_drained(a->publish) || now > a->drain_ns)) {
		a->stop_phase = STOP_PUBLISH;
		publish_close(a->publish, publish_ended, a);
	}
}

static void retarget(struct agent *a);

static void agent_look(struct agent *a)
{
	if (targets_look(&a->targets, a->options))
		retarget(a);
}

static void on_tick(uv_timer_t *timer)
{
	struct agent *a = timer->data;
	int64_t now = ht_mono_ns();

	if (a->stopping) {
		stop_step(a);
		return;
	}
	health_clock(a);
	renew_tick(a, now);
	inquire_tick(&a->inquiries, now);
	collect_tick(a->collect);
	report_gaps(a, now);
	if (now >= a->health_ns) {
		a->health_ns = now + HEALTH_EVERY_NS;
		health_report(a);
		frugal_trim();
	}
	if (now >= a->propose_ns) {
		a->propose_ns = now + PROPOSE_NS;
		agent_propose(a);
	}
	if (now >= a->look_ns) {
		a->look_ns = now + LOOK_EVERY_NS;
		agent_look(a);
	}
	if (now >= a->trim_ns && !a->trimming) {
		a->trim_ns = now + TRIM_EVERY_NS;
		a->trimming = !chore_start(a, trim_work, trim_done);
	}
}

static void agent_stop(struct agent *a, const char *why)
{
	if (a->stopping)
		return;
	ht_log_info("agent.stop", "why=%s", why);
	notify("STOPPING=1");
	a->stopping = true;
	a->stop_ns = ht_mono_ns();
	a->stop_phase = STOP_RUNNER;
	status_close(a->status);
	a->status = NULL;
	command_cancel(a);
	uv_timer_start(&a->timer, on_tick, STOP_TICK_MS, STOP_TICK_MS);
	if (!a->next_options) /* else a reload is ending it already */
		runner_close(a->runner, runner_ended, a);
}

static void on_term(uv_signal_t *s, int signum)
{
	agent_stop(s->data, signum == SIGTERM ? "TERM" : "INT");
}

static void on_monitor_died(void *arg)
{
	struct agent *a = arg;

	if (a->stopping)
		return;
	/* Without it nothing privileged works any more; the service manager starts us
	 * anew. */
	ht_log_error("monitor.died", "cure=restart");
	a->exit_code = HT_EXIT_FAILURE;
	agent_stop(a, "monitor");
}

/* ── Reloading ────────────────────────────────────────────────────────────────────── */

static const struct runner_sink sink_of_agent = {
	.emit = sink_emit,
	.recall = sink_recall,
	.remember = sink_remember,
	.keep = sink_keep,
	.ended = sink_ended,
};

/* All but those that follow the server's list: they are in a->reach. */
static ht_err runner_make(struct agent *a)
{
	const struct options *o = a->options;
	struct runner_probe *probes = calloc(o->n_probes + 1, sizeof(*probes));
	struct runner_config config = {
		.agent = o->agent.id,
		.probes = probes,
		.site = &o->probe_site,
		.monitor = a->monitor,
		.inquiries = a->publish ? &a->inquiries : NULL,
	};
	struct runner_sink sink = sink_of_agent;

	if (!probes)
		return HT_NOMEM;
	for (size_t i = 0; i < o->n_probes; i++) {
		const struct runner_probe *p = &o->probes[i];

		if (p != o->reach_probe && p != o->fleet_probe && p != o->path_probe)
			probes[config.n_probes++] = o->probes[i];
	}
	sink.arg = a;
	ht_err err = runner_new(&a->loop, &config, &sink, &a->runner);
	free(probes); /* copied */
	if (!err)
		runner_start(a->runner);
	return err;
}

static bool same(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static void warn_restart(const struct options *was, const struct options *is)
{
	if (!same(was->agent.id, is->agent.id) || !same(was->mqtt.host, is->mqtt.host) ||
	    !same(was->agent.state_dir, is->agent.state_dir) ||
	    memcmp(was->ports, is->ports, sizeof(was->ports)) != 0 ||
	    was->spool.max_bytes != is->spool.max_bytes)
		ht_log_warn(
		    "agent.reload", "note=\"agent, mqtt and spool change at a restart\"");
}

static void reload_runner_ended(void *arg)
{
	struct agent *a = arg;

	a->runner = NULL;
	reach_close(&a->reach); /* goes on in reach_ended */
}

static void reload_swap(struct agent *a)
{
	warn_restart(a->options, a->next_options);
	options_free(a->options);
	a->options = a->next_options;
	a->next_options = NULL;
	if (a->stopping) {
		probes_ended(a);
		return;
	}
	ht_log_init("hatang-agent", (enum ht_log_level)a->options->log.level,
	    a->options->log.json);
	if (a->monitor && monitor_fence(a->monitor, a->options->probe_site.interfaces,
			      a->options->probe_site.n_interfaces))
		ht_log_warn("agent.reload",
		    "note=\"other interfaces are captured on only after a restart\"");
	if (runner_make(a)) {
		a->exit_code = HT_EXIT_FAILURE;
		agent_stop(a, "no-memory");
		return;
	}
	targets_reconsider(&a->targets, a->options);
	agent_targets(a);
	if (a->publish)
		publish_config_hash(a->publish, a->options->approved_hash);
	agent_say(a, HT_M_AGENT_CONFIG_HASH, a->options->approved_hash);
	ht_log_info("agent.reloaded", "probes=%zu approved=%.12s", a->options->n_probes,
	    a->options->approved_hash);
}

/* The server's list, or what its words stand for, has changed. */
static void retarget(struct agent *a)
{
	/* A reload under way begins it anew by itself. */
	if (!a->stopping && !a->next_options)
		reach_begin(&a->reach, a->options, &a->targets);
}

void agent_targets(struct agent *a)
{
	bool changed = targets_look(&a->targets, a->options);

	if (changed || !a->reach.runner)
		retarget(a);
	if (a->publish)
		publish_targets_hash(a->publish, targets_hash(&a->targets));
}

static void reach_ended(void *arg)
{
	struct agent *a = arg;

	if (a->next_options && !a->runner)
		reload_swap(a);
	else if (a->stopping && !a->runner)
		probes_ended(a);
}

ht_err agent_reload(
    struct agent *a, const void *approved, size_t len, struct ht_fault *fault)
{
	struct options *next = NULL;
	char path[4096];

	if (a->stopping)
		return ht_fault_set(fault, HT_CLOSED, "the agent is ending");
	ht_err err = options_load(a->file, approved, len, &next, fault);
	if (!err && approved) {
		snprintf(path, sizeof(path), "%s/%s", a->options->agent.state_dir,
		    OPTIONS_APPROVED);
		err = ht_file_write(path, approved, len, 0600, fault);
	}
	if (err) {
		options_free(next);
		return err;
	}
	if (a->next_options) {
		options_free(a->next_options); /* the newest wins; the runner is ending */
		a->next_options = next;
		return HT_OK;
	}
	a->next_options = next;
	runner_close(a->runner, reload_runner_ended, a);
	return HT_OK;
}

static void on_hup(uv_signal_t *s, int signum)
{
	struct agent *a = s->data;
	struct ht_fault fault = { 0 };

	if (agent_reload(a, NULL, 0, &fault))
		ht_log_error("agent.reload", "kept=old fault=\"%s\"", fault.text);
	if (a->publish && publish_reload_tls(a->publish, &fault))
		ht_log_error(
		    "agent.reload", "kept=old-certificates fault=\"%s\"", fault.text);
}

/* ── Beginning ────────────────────────────────────────────────────────────────────── */

static void remember_loaded(void *arg, const struct spool_memory *m)
{
	struct agent *a = arg;

	if (collect_load(a->collect, m))
		ht_log_warn("agent.memory", "instance=%s lost=yes", m->instance);
}

static ht_err start_spool(struct agent *a, struct spool **out, struct ht_fault *fault)
{
	char path[4096];
	struct spool_now now;
	const struct spool_config config = {
		.path = path,
		.fingerprint = a->fingerprint,
		.max_bytes = a->options->spool.max_bytes,
		.max_age_ns = a->options->spool.max_age_ns,
	};

	snprintf(path, sizeof(path), "%s/spool.db", a->options->agent.state_dir);
	agent_clock(a, &now);
	ht_err err = spool_open(&config, &now, out, fault);
	if (!err)
		spool_stats(*out, &now, &a->stats);
	return err;
}

static ht_err start_collect(struct agent *a, struct ht_fault *fault)
{
	struct spool *spool = NULL;
	struct spool_stats opened;
	const struct collect_config config = {
		.agent = a->options->agent.id,
		.session = a->session,
		.format = (enum senml_format)a->options->mqtt.format,
		.clock = agent_clock,
		.committed = on_committed,
		.arg = a,
	};
	ht_err err = start_spool(a, &spool, fault);

	if (!err)
		err = collect_new(&config, &a->collect);
	if (!err)
		err = spool_memories(spool, remember_loaded, a);
	if (err) {
		spool_close(spool);
		return err;
	}
	err = worker_new_take(&a->loop, spool, &a->worker);
	collect_worker(a->collect, a->worker);
	opened = a->stats;
	a->stats.corrupt[0] = '\0';
	spool_watch(a, &opened);
	return err;
}

/* Nothing waits while the server is away: the probe says so and tries in its next run. */
static ht_err send_inquiry(void *arg, const char *json, size_t len)
{
	struct agent *a = arg;

	return a->publish && publish_state(a->publish) == PUBLISH_SENDING
		   ? publish_reply(a->publish, json, len)
		   : HT_AGAIN;
}

static ht_err start_publish(struct agent *a, struct ht_fault *fault)
{
	const struct options_mqtt *m = &a->options->mqtt;
	char address_file[4096];

	a->inquiries.send = send_inquiry;
	a->inquiries.arg = a;
	if (!m->host) {
		ht_log_warn(
		    "agent.start", "note=\"no mqtt.host: readings stay in the spool\"");
		return HT_OK;
	}
	snprintf(address_file, sizeof(address_file), "%s/broker.address",
	    a->options->agent.state_dir);
	struct publish_config config = {
		.agent = a->options->agent.id,
		.session = a->session,
		.fingerprint = a->fingerprint,
		.client = {
			.host = m->host,
			.tls_name = m->tls_name,
			.ca_file = m->ca,
			.cert_file = m->cert,
			.key_file = m->key,
			.address_file = address_file,
			.keepalive_s = (int)(m->keepalive_ns / HT_NS_PER_S),
		},
		.stats = a->stats,
		.clock = agent_clock,
		.command = on_command,
		.arg = a,
	};
	memcpy(config.client.ports, a->options->ports, sizeof(config.client.ports));
	ht_err err = publish_new(&a->loop, a->worker, &config, &a->publish, fault);
	if (err)
		return err;
	publish_config_hash(a->publish, a->options->approved_hash);
	publish_targets_hash(a->publish, targets_hash(&a->targets));
	publish_start(a->publish);
	return HT_OK;
}

static ht_err start_identity(struct agent *a, struct ht_fault *fault)
{
	uint64_t bits;

	if (getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits))
		return ht_fault_set(fault, HT_IO, "no random numbers");
	snprintf(a->session, sizeof(a->session), "%016" PRIx64, bits);
	ht_err err = ht_boot_id(a->boot);
	if (err)
		return ht_fault_set(fault, err, "the kernel's boot id cannot be read");
	err = fingerprint_read(a->fingerprint);
	if (err)
		return ht_fault_set(fault, err,
		    "nothing tells this machine from another: make /etc/machine-id");
	return HT_OK;
}

/* Fork the monitor and give up root, in that order, before any thread or library. */
static ht_err start_rights(struct agent *a, struct ht_fault *fault)
{
	const struct options *o = a->options;
	const struct monitor_config config = {
		.user = o->agent.user,
		.interfaces = o->probe_site.interfaces,
		.n_interfaces = o->probe_site.n_interfaces,
	};
	ht_err err = ht_folder_make(o->agent.state_dir, 0700, fault);

	if (!err)
		err = owner_give(o->agent.state_dir, o->agent.user, fault);
	if (!err)
		err = monitor_start(&config, &a->monitor, fault);
	ht_secret_hold();
	if (!err)
		err = rights_drop(o->agent.user, NULL, 0, fault);
	return err;
}

static ht_err start_loop(struct agent *a, struct ht_fault *fault)
{
	if (uv_loop_init(&a->loop) != 0)
		return HT_NOMEM;
	a->timer.data = a->urgent.data = a->hup.data = a->term.data = a->intr.data = a;
	uv_timer_init(&a->loop, &a->timer);
	uv_timer_init(&a->loop, &a->urgent);
	uv_signal_init(&a->loop, &a->hup);
	uv_signal_init(&a->loop, &a->term);
	uv_signal_init(&a->loop, &a->intr);
	uv_signal_start(&a->hup, on_hup, SIGHUP);
	uv_signal_start(&a->term, on_term, SIGTERM);
	uv_signal_start(&a->intr, on_term, SIGINT);
	uv_timer_start(&a->timer, on_tick, TICK_MS, TICK_MS);
	return monitor_attach(a->monitor, &a->loop, on_monitor_died, a);
}

static void start_reach(struct agent *a)
{
	a->sink = sink_of_agent;
	a->sink.arg = a;
	a->reach = (struct reach){
		.loop = &a->loop,
		.monitor = a->monitor,
		.sink = &a->sink,
		.closed = reach_ended,
		.arg = a,
	};
	a->look_ns = ht_mono_ns() + LOOK_EVERY_NS;
	agent_targets(a);
}

static ht_err start_all(struct agent *a, struct ht_fault *fault)
{
	ht_err err = options_load(a->file, NULL, 0, &a->options, fault);

	if (err)
		return err;
	ht_log_init("hatang-agent", (enum ht_log_level)a->options->log.level,
	    a->options->log.json);
	err = start_identity(a, fault);
	if (!err)
		err = start_rights(a, fault);
	if (!err)
		err = client_library_init();
	if (!err)
		err = start_loop(a, fault);
	if (!err)
		err = start_collect(a, fault);
	if (!err)
		targets_open(&a->targets, a->options);
	if (!err)
		err = start_publish(a, fault);
	if (!err)
		err = runner_make(a);
	if (!err)
		start_reach(a);
	if (!err && status_open(a, &a->status, fault)) {
		ht_log_warn("status.open", "fault=\"%s\"", fault->text);
		fault->text[0] = '\0';
	}
	return err;
}

int agent_run(const char *file)
{
	struct ht_fault fault = { 0 };
	struct agent *a = calloc(1, sizeof(*a));

	if (!a)
		return HT_EXIT_FAILURE;
	frugal_start();
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN); /* "read it again" while we read it first */
	a->file = file;
	a->started_ns = ht_mono_ns();
	ht_err err = start_all(a, &fault);
	if (err) {
		/* The process ends at once, and the monitor with it. */
		ht_log_error(
		    "agent.start", "error=%s fault=\"%s\"", ht_err_name(err), fault.text);
		return err == HT_CONFIG ? HT_EXIT_CONFIG : HT_EXIT_FAILURE;
	}
	ht_log_info("agent.start",
	    "id=%s version=%s session=%s epoch=%s queued=%" PRId64 " probes=%zu",
	    a->options->agent.id, HATANG_VERSION, a->session, a->stats.epoch,
	    a->stats.packs, a->options->n_probes);
	notify("READY=1");
	uv_run(&a->loop, UV_RUN_DEFAULT);

	int code = a->exit_code;
	collect_free(a->collect);
	targets_close(&a->targets);
	options_free(a->options);
	if (uv_loop_close(&a->loop) != 0)
		ht_log_warn("agent.stop", "note=\"handles are left\"");
	client_library_fini();
	free(a);
	ht_log_info("agent.stopped", "code=%d", code);
	return code;
}
