#include "server/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/alert/health.h"
#include "server/alert/heartbeat.h"
#include "server/alert/rules.h"
#include "server/alert/sender.h"
#include "server/ingest/ingest.h"
#include "server/registry/broker_sync.h"
#include "server/registry/dynsec.h"
#include "server/registry/enroll.h"
#include "server/registry/push.h"
#include "server/registry/renew.h"
#include "server/score/score.h"
#include "server/setup.h"
#include "server/store/keep.h"
#include "server/store/migrate.h"
#include "server/store/writer.h"
#include "server/throughput/desk.h"
#include "server/web/web.h"

#define GIVE_UP_MS   9000 /* a stop takes no longer */
#define KEEP_SOON_MS 1000 /* between two slices of retention while there is more */
#define KEEP_IDLE_MS 60000
#define RENEWAL_NS   (60 * HT_NS_PER_S) /* for the agent's word that it has it */
#define RENEWALS_MAX 64

struct server {
	const char *config_file;
	struct options *o;
	uv_loop_t loop;
	uv_signal_t term, interrupt, hup;
	uv_timer_t keep_timer, health_timer, give_up;
	struct health_seen health;
	bool measuring;
	struct writer *writer;
	struct ca *ca;            /* NULL: certificates come from elsewhere */
	struct broker_sync *sync; /* NULL without a CA */
	struct enroll_context enroll;
	struct ingest *ingest;
	struct push *push;         /* NULL: reach.push is off */
	struct endpoint *endpoint; /* NULL: throughput.port is 0 */
	char endpoint_url[300];
	struct desk *desk;
	const struct channels *channels;
	struct rules *rules; /* in force; the writer thread folds by them */
	bool swapping;
	struct sender *sender;
	struct heartbeat *heartbeat;
	struct web *web;
	struct keep_result kept;
	bool keeping, stopping;
	int renewals; /* with the writer */
	int exit_code;
};

int serve_lock(const struct options *o, struct ht_fault *fault)
{
	int fd = open(o->lock_file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0) {
		(void)ht_fault_set(fault, ht_err_errno(errno),
		    "%s: cannot be opened (%s); does the folder exist? `hatang-server "
		    "init` makes it",
		    o->lock_file, strerror(errno));
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return fd;
	(void)ht_fault_set(fault, HT_EXISTS,
	    "%s is in use: a hatang-server runs on this folder", o->server.state_dir);
	close(fd);
	return -1;
}

/* ── retention ───────────────────────────────────────────────────────────────────── */

static ht_err keep_fn(struct db *db, void *arg)
{
	struct server *s = arg;

	return keep_slice(db, ht_wall_ms(), s->o->journal.keep_ns / HT_NS_PER_MS,
	    s->o->journal.keep_bytes, &s->kept);
}

static void on_keep(uv_timer_t *timer);

static void keep_done(void *arg, ht_err err)
{
	struct server *s = arg;

	s->keeping = false;
	if (err)
		ht_log_warn("keep.failed", "err=%s", ht_err_name(err));
	else if (s->kept.deleted)
		ht_log_info("keep.deleted", "rows=%lld evidence=%lld",
		    (long long)s->kept.deleted, (long long)s->kept.copied);
	if (!s->stopping)
		uv_timer_start(&s->keep_timer, on_keep,
		    !err && s->kept.more ? KEEP_SOON_MS : KEEP_IDLE_MS, 0);
}

static void on_keep(uv_timer_t *timer)
{
	struct server *s = timer->data;
	ht_err err = writer_post(s->writer, keep_fn, keep_done, s);

	s->keeping = !err;
	if (err)
		uv_timer_start(&s->keep_timer, on_keep, KEEP_IDLE_MS, 0);
}

/* ── our own health ──────────────────────────────────────────────────────────────── */

static ht_err health_fn(struct db *db, void *arg)
{
	struct server *s = arg;

	return health_append(db, &s->health, ht_wall_ms());
}

static void health_done(void *arg, ht_err err)
{
	struct server *s = arg;

	s->measuring = false;
	if (err)
		ht_log_warn("health.failed", "err=%s", ht_err_name(err));
}

static void on_health(uv_timer_t *timer)
{
	struct server *s = timer->data;
	struct writer_stats w;
	struct statvfs disk;

	if (s->measuring)
		return;
	writer_stats(s->writer, &w);
	s->health.queue_rows = (int64_t)w.queued + w.fold_lag_rows;
	s->health.disk_free = NAN;
	if (statvfs(s->o->server.state_dir, &disk) == 0 && disk.f_blocks)
		s->health.disk_free = (double)disk.f_bavail / (double)disk.f_blocks;
	s->measuring = writer_post(s->writer, health_fn, health_done, s) == HT_OK;
}

/* ── signals ─────────────────────────────────────────────────────────────────────── */

static void close_all(struct server *s)
{
	uv_handle_t *handles[] = { (uv_handle_t *)&s->term, (uv_handle_t *)&s->interrupt,
		(uv_handle_t *)&s->hup, (uv_handle_t *)&s->keep_timer,
		(uv_handle_t *)&s->health_timer, (uv_handle_t *)&s->give_up };

	writer_stop(s->writer);
	s->writer = NULL;
	ca_close(s->ca);
	s->ca = NULL;
	for (size_t i = 0; i < HT_COUNT(handles); i++)
		uv_close(handles[i], NULL);
}

static void on_sender_stopped(void *arg)
{
	struct server *s = arg;

	s->sender = NULL;
	channels_release(s->channels);
	s->channels = NULL;
	close_all(s);
}

static void on_heartbeat_stopped(void *arg)
{
	struct server *s = arg;

	s->heartbeat = NULL;
	if (s->sender)
		sender_stop(s->sender, on_sender_stopped, s);
	else
		on_sender_stopped(s);
}

static void on_desk_stopped(void *arg)
{
	struct server *s = arg;

	s->desk = NULL;
	endpoint_stop(s->endpoint);
	s->endpoint = NULL;
	if (s->heartbeat)
		heartbeat_stop(s->heartbeat, on_heartbeat_stopped, s);
	else
		on_heartbeat_stopped(s);
}

static void on_push_stopped(void *arg)
{
	struct server *s = arg;

	s->push = NULL;
	if (s->desk)
		desk_stop(s->desk, on_desk_stopped, s);
	else
		on_desk_stopped(s);
}

/* No reply comes any more. */
static void on_ingest_stopped(void *arg)
{
	struct server *s = arg;

	s->ingest = NULL;
	if (s->push)
		push_stop(s->push, on_push_stopped, s);
	else
		on_push_stopped(s);
}

static void on_sync_stopped(void *arg)
{
	struct server *s = arg;

	s->sync = NULL;
	if (s->ingest)
		ingest_stop(s->ingest, on_ingest_stopped, s);
	else
		on_ingest_stopped(s);
}

static void on_give_up(uv_timer_t *timer)
{
	ht_log_error("server.stop", "why=\"took too long\"");
	_exit(HT_EXIT_FAILURE); /* nothing acknowledged is lost by it */
}

static void stop(struct server *s)
{
	if (s->stopping)
		return;
	s->stopping = true;
	ht_log_info("server.stopping", "version=%s", HATANG_VERSION);
	sd_notify(0, "STOPPING=1");
	uv_timer_start(&s->give_up, on_give_up, GIVE_UP_MS, 0);
	uv_timer_stop(&s->keep_timer);
	uv_timer_stop(&s->health_timer);
	web_stop(s->web);
	s->web = NULL;
	if (s->sync)
		broker_sync_stop(s->sync, on_sync_stopped, s);
	else
		on_sync_stopped(s);
}

static void on_stop_signal(uv_signal_t *signal, int number)
{
	stop(signal->data);
}

static void set_log(const struct options *o)
{
	ht_log_init("hatang-server", (enum ht_log_level)o->log.level, o->log.json);
}

static ht_err load_channels(
    const struct options *o, const struct channels **out, struct ht_fault *fault)
{
	if (o->alerts.channels)
		return channels_load(o->alerts.channels, out, fault);
	*out = channels_none();
	return HT_OK;
}

/* Bad channels are refused; those that run go on. */
static void reload_channels(struct server *s, const struct options *fresh)
{
	const struct channels *channels;
	struct ht_fault fault = { 0 };

	if (load_channels(fresh, &channels, &fault)) {
		ht_log_error("server.reload", "channels=old text=\"%s\"", fault.text);
		if (s->sender)
			sender_reload(s->sender, s->channels);
		return;
	}
	channels_release(s->channels);
	s->channels = channels;
	if (s->sender)
		sender_reload(s->sender, channels);
	if (s->heartbeat)
		heartbeat_reload(s->heartbeat, channels);
}

struct swap {
	struct server *server;
	struct rules *fresh;
};

static ht_err swap_fn(struct db *db, void *arg)
{
	rules_use(((struct swap *)arg)->fresh);
	return HT_OK;
}

static void swap_done(void *arg, ht_err err)
{
	struct swap *w = arg;
	struct server *s = w->server;

	s->swapping = false;
	if (err) {
		rules_use(s->rules);
		rules_free(w->fresh);
	} else {
		rules_free(s->rules);
		s->rules = w->fresh;
		ht_log_info("rules.reloaded", "file=%s hash=%.12s", s->rules->file,
		    s->rules->hash);
	}
	free(w);
}

/* Bad rules are refused; those that run go on. */
static void reload_rules(struct server *s, const struct options *fresh)
{
	struct swap *w = calloc(1, sizeof(*w));
	struct ht_fault fault = { 0 };
	ht_err err = w && !s->swapping ? HT_OK : HT_AGAIN;

	if (!err)
		err = rules_open(fresh->alerts.rules, s->channels, &w->fresh, &fault);
	if (!err) {
		w->server = s;
		err = writer_post(s->writer, swap_fn, swap_done, w);
	}
	if (!err) {
		s->swapping = true;
		return;
	}
	ht_log_error("server.reload", "rules=old err=%s text=\"%s\"", ht_err_name(err),
	    fault.text);
	if (w)
		rules_free(w->fresh);
	free(w);
}

/* What can change while we run: the log, retention, certificates, channels, rules. */
static void on_hup(uv_signal_t *signal, int number)
{
	struct server *s = signal->data;
	struct options fresh = { 0 };
	struct ht_fault fault = { 0 };

	if (options_load(s->config_file, &fresh, &fault)) {
		ht_log_error("server.reload", "kept=old text=\"%s\"", fault.text);
		return;
	}
	if (s->ingest && ingest_reload_tls(s->ingest, &fault))
		ht_log_error("server.reload", "certificates=old text=\"%s\"", fault.text);
	s->o->journal = fresh.journal;
	s->o->log = fresh.log;
	if (!s->stopping) {
		reload_channels(s, &fresh);
		reload_rules(s, &fresh);
	}
	options_fini(&fresh);
	set_log(s->o);
	ht_log_info("server.reloaded", "file=%s", s->config_file);
}

/* ── start ───────────────────────────────────────────────────────────────────────── */

static ht_err open_store(const struct options *o, struct ht_fault *fault)
{
	struct db *db = NULL;
	ht_err err = db_open(o->db_file, false, &db, fault);
	int from = 0;

	if (!err)
		err = migrate(db, &from, fault);
	db_close(db);
	if (!err && (size_t)from < migrations_len)
		ht_log_info("server.migrated", "from=%d to=%zu", from, migrations_len);
	return err;
}

static ht_err start_ingest(struct server *s, struct ht_fault *fault)
{
	const struct options_mqtt *m = &s->o->mqtt;
	struct client_config config = {
		.host = m->host,
		.tls_name = m->tls_name,
		.ports = { (uint16_t)m->port },
		.ca_file = m->ca,
		.cert_file = m->cert,
		.key_file = m->key,
		.keepalive_s = 30,
	};

	return ingest_start(
	    &s->loop, s->writer, s->o->db_file, &config, &s->ingest, fault);
}

/* ── the agents' next certificates ───────────────────────────────────────────────── */

struct renewal {
	struct server *server;
	char agent[HT_ID_MAX + 1];
	char *csr, *pem;
	bool made;
	struct ht_fault fault;
};

static ht_err renewal_fn(struct db *db, void *arg)
{
	struct renewal *r = arg;

	return renew_certificate(db, r->server->ca, r->agent, r->csr, ht_wall_ms(),
	    &r->pem, &r->made, &r->fault);
}

static ht_err renewal_send(const struct renewal *r)
{
	struct json_object *o = json_object_new_object();

	if (!o)
		return HT_NOMEM;
	json_object_object_add(o, "verb", json_object_new_string("certificate"));
	json_object_object_add(o, "certificate", json_object_new_string(r->pem));
	ht_err err = ingest_command(r->server->ingest, r->agent,
	    json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN), RENEWAL_NS, NULL,
	    NULL);
	json_object_put(o);
	return err;
}

/* The agent asks again in an hour when the answer does not reach it. */
static void renewal_done(void *arg, ht_err err)
{
	struct renewal *r = arg;
	struct server *s = r->server;

	s->renewals--;
	if (!err && s->ingest && !s->stopping)
		err = renewal_send(r);
	if (err)
		ht_log_warn("renewal.refused", "agent=%s err=%s why=\"%s\"", r->agent,
		    ht_err_name(err), r->fault.text);
	else
		ht_log_info("renewal.sent", "agent=%s made=%s", r->agent,
		    r->made ? "yes" : "before");
	free(r->csr);
	free(r->pem);
	free(r);
}

static void on_renewal(struct server *s, const char *agent, const void *json, size_t len)
{
	char *csr = s->ca && s->renewals < RENEWALS_MAX ? renew_request(json, len) : NULL;
	struct renewal *r = csr ? calloc(1, sizeof(*r)) : NULL;

	if (!r) {
		free(csr);
		return;
	}
	r->server = s;
	r->csr = csr;
	snprintf(r->agent, sizeof(r->agent), "%s", agent);
	if (writer_post(s->writer, renewal_fn, renewal_done, r)) {
		free(csr);
		free(r);
		return;
	}
	s->renewals++;
}

/* What an agent asks unasked for: each part takes what is its own. */
static void on_request(void *arg, const char *agent, const void *json, size_t len)
{
	struct server *s = arg;

	if (!s->stopping && s->desk && desk_request(s->desk, agent, json, len))
		return;
	on_renewal(s, agent, json, len);
}

/* ── the broker's lists ──────────────────────────────────────────────────────────── */

static ht_err sync_publish(void *arg, const char *topic, const void *payload, size_t len)
{
	struct server *s = arg;

	return s->ingest ? ingest_publish(s->ingest, topic, payload, len) : HT_AGAIN;
}

static void sync_online(void *arg)
{
	struct server *s = arg;

	if (s->sync)
		broker_sync_online(s->sync);
}

static void sync_offline(void *arg)
{
	struct server *s = arg;

	if (s->sync)
		broker_sync_offline(s->sync);
}

static void sync_message(void *arg, const void *payload, size_t len)
{
	struct server *s = arg;

	if (s->sync)
		broker_sync_message(s->sync, payload, len);
}

static ht_err start_sync(struct server *s)
{
	struct broker_sync_config config = {
		.ca = s->ca,
		.dir = s->o->broker.config_dir,
		.pid_file = s->o->broker.pid_file,
		.publish = sync_publish,
		.arg = s,
	};
	struct ingest_listener listener = { s, DYNSEC_RESPONSE_TOPIC, sync_online,
		sync_offline, sync_message };

	if (!s->ca)
		return HT_OK;
	ht_err err = broker_sync_start(&s->loop, s->writer, &config, &s->sync);
	if (!err)
		ingest_listen(s->ingest, &listener);
	return err;
}

/* ── what agents are to ping ─────────────────────────────────────────────────────── */

static ht_err agent_command(void *arg, const char *agent, const char *json,
    int64_t timeout_ns, push_reply_fn reply, void *reply_arg)
{
	struct server *s = arg;

	return s->ingest
		   ? ingest_command(s->ingest, agent, json, timeout_ns, reply, reply_arg)
		   : HT_CLOSED;
}

static ht_err start_push(struct server *s, struct ht_fault *fault)
{
	const struct options_reach *r = &s->o->reach;
	struct push_config config = {
		.db_file = s->o->db_file,
		.places = {
			.far_end = r->far_end,
			.gateway = r->gateway,
			.dns = r->dns,
			.internet = r->internet,
			.self = (const char *const *)r->self.at,
			.n_self = r->self.n,
		},
		.command = agent_command,
		.arg = s,
	};

	return r->push ? push_start(&s->loop, s->writer, &config, &s->push, fault)
		       : HT_OK;
}

/* ── tests of throughput ─────────────────────────────────────────────────────────── */

static ht_err start_endpoint(struct server *s, struct ht_fault *fault)
{
	const struct options_throughput *t = &s->o->throughput;
	const char *host = setup_endpoint_host(s->o);
	struct setup_https tls;

	if (!t->port)
		return HT_OK;
	ht_err err = setup_endpoint(s->o, &tls, fault);
	if (err)
		return err;
	const struct endpoint_options options = {
		.address = t->listen,
		.port = (uint16_t)t->port,
		.cert_file = tls.cert[0] ? tls.cert : NULL,
		.key_file = tls.key[0] ? tls.key : NULL,
	};
	err = endpoint_start(&options, &s->endpoint, fault);
	if (err)
		return err;
	bool v6 = strchr(host, ':') != NULL;
	snprintf(s->endpoint_url, sizeof(s->endpoint_url), "%s://%s%.200s%s:%u",
	    t->tls ? "https" : "http", v6 ? "[" : "", host, v6 ? "]" : "",
	    (unsigned)endpoint_port(s->endpoint));
	ht_log_info("server.throughput", "url=%s", s->endpoint_url);
	return HT_OK;
}

static ht_err start_desk(struct server *s, struct ht_fault *fault)
{
	const struct options_throughput *t = &s->o->throughput;
	ht_err err = start_endpoint(s, fault);
	struct desk_config config = {
		.rules = {
			.endpoint = s->endpoint != NULL,
			.max_concurrent = t->max_concurrent,
			.endpoint_bps = t->rate_bps,
			.busy_share = (double)t->busy_percent / 100,
			.day_bytes = t->day_bytes,
			.month_bytes = t->month_bytes,
			.day_tests = t->day_tests,
			.utc_offset_min = s->o->server.utc_offset,
			.wide = (const char *const *)t->wide.at,
			.n_wide = t->wide.n,
		},
		.endpoint = s->endpoint,
		.url = s->endpoint_url,
		.command = agent_command,
		.arg = s,
	};

	for (size_t i = 0; !err && i < t->hours.n; i++)
		err = slots_hours_add(&config.rules.hours, t->hours.at[i]);
	return err ? err : desk_start(&s->loop, s->writer, &config, &s->desk);
}

/* ── telling people ─────────────────────────────────────────────────────────────── */

static ht_err alert_publish(void *arg, const char *topic, const void *payload, size_t len,
    void (*taken)(void *arg, ht_err err), void *taken_arg)
{
	struct server *s = arg;

	return s->ingest
		   ? ingest_publish_sure(s->ingest, topic, payload, len, taken, taken_arg)
		   : HT_AGAIN;
}

static ht_err start_sender(struct server *s, struct ht_fault *fault)
{
	struct sender_config config = {
		.loop = &s->loop,
		.writer = s->writer,
		.publish = alert_publish,
		.publish_arg = s,
	};
	ht_err err = HT_OK;

	if (!err)
		err = sender_start(&config, s->channels, &s->sender);
	if (!err)
		err = heartbeat_start(&s->loop, s->writer, s->channels, &s->heartbeat);
	return err;
}

/* ── the web ─────────────────────────────────────────────────────────────────────── */

/* From an API thread: certificates or configurations may have changed. */
static void on_changed(void *arg)
{
	struct server *s = arg;

	broker_sync_poke(s->sync);
}

static void fill_enroll(struct server *s)
{
	const struct options_mqtt *m = &s->o->mqtt;
	size_t n = 0;

	s->enroll = (struct enroll_context){
		.ca = s->ca,
		.mqtt_host = m->public_host ? m->public_host : m->host,
		.mqtt_tls_name = m->tls_name      ? m->tls_name
				 : m->public_host ? m->public_host
						  : m->host,
	};
	for (size_t i = 0; i < m->public_ports.n && n < 3; i++) {
		int64_t port;

		if (!ht_int_parse(m->public_ports.at[i], &port) && port > 0 &&
		    port < 65536)
			s->enroll.mqtt_ports[n++] = (uint16_t)port;
	}
	if (n == 0)
		s->enroll.mqtt_ports[0] = (uint16_t)m->port;
}

static ht_err start_web(struct server *s, struct ht_fault *fault)
{
	struct setup_https https;
	ht_err err = setup_https(s->o, &https, fault);

	if (err)
		return err;
	fill_enroll(s);
	struct web_options options = {
		.address = s->o->http.listen,
		.port = (uint16_t)s->o->http.port,
		.cert_file = https.cert[0] ? https.cert : NULL,
		.key_file = https.key[0] ? https.key : NULL,
		.db_file = s->o->db_file,
		.share_dir = s->o->server.share_dir,
		.enroll = s->ca ? &s->enroll : NULL,
		.changed = on_changed,
		.changed_arg = s,
		.definition = s->o->index.definition,
		.utc_offset_min = &s->o->server.utc_offset,
		.writer = s->writer,
		.sender = s->sender,
	};
	err = web_start(&options, &s->web, fault);
	if (!err)
		ht_log_info("server.web", "url=%s://%s:%d",
		    https.cert[0] ? "https" : "http", s->o->http.listen,
		    web_port(s->web));
	return err;
}

static void watch(struct server *s, uv_signal_t *handle, int number, uv_signal_cb cb)
{
	uv_signal_init(&s->loop, handle);
	handle->data = s;
	uv_signal_start(handle, cb, number);
}

static void watch_all(struct server *s)
{
	watch(s, &s->term, SIGTERM, on_stop_signal);
	watch(s, &s->interrupt, SIGINT, on_stop_signal);
	watch(s, &s->hup, SIGHUP, on_hup);
	uv_timer_init(&s->loop, &s->keep_timer);
	s->keep_timer.data = s;
	uv_timer_start(&s->keep_timer, on_keep, KEEP_SOON_MS, 0);
	uv_timer_init(&s->loop, &s->health_timer);
	s->health_timer.data = s;
	uv_timer_start(&s->health_timer, on_health, HEALTH_EVERY_MS, HEALTH_EVERY_MS);
	uv_timer_init(&s->loop, &s->give_up);
	s->give_up.data = s;
}

static ht_err start(struct server *s, struct ht_fault *fault)
{
	ht_err err = score_start(fault);

	if (!err)
		err = open_store(s->o, fault);
	if (!err)
		err = client_library_init();
	if (!err)
		err = setup_parts(s->o, &s->ca, fault);
	if (!err)
		err = load_channels(s->o, &s->channels, fault);
	if (!err)
		err = rules_open(s->o->alerts.rules, s->channels, &s->rules, fault);
	if (!err) {
		rules_use(s->rules);
		err = writer_start(&s->loop, s->o->db_file, &s->writer, fault);
	}
	if (err)
		return err;
	watch_all(s);
	err = start_ingest(s, fault);
	if (!err) {
		ingest_on_request(s->ingest, on_request, s);
		err = start_sync(s);
	}
	if (!err)
		err = start_push(s, fault);
	if (!err)
		err = start_desk(s, fault);
	if (!err)
		err = start_sender(s, fault);
	if (!err)
		err = start_web(s, fault);
	return err;
}

int serve(const char *config_file, struct options *options)
{
	struct server s = { .config_file = config_file, .o = options };
	struct ht_fault fault = { 0 };

	set_log(options);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN); /* "read the files again" while we read them first */
	if (serve_lock(options, &fault) < 0) {
		ht_log_error("server.start", "text=\"%s\"", fault.text);
		return HT_EXIT_FAILURE;
	}
	uv_loop_init(&s.loop);
	ht_err err = start(&s, &fault);
	if (err) {
		ht_log_error(
		    "server.start", "err=%s text=\"%s\"", ht_err_name(err), fault.text);
		s.exit_code = err == HT_CONFIG ? HT_EXIT_CONFIG : HT_EXIT_FAILURE;
		if (s.writer)
			stop(&s);
	} else {
		ht_log_info("server.started", "version=%s state_dir=%s broker=%s:%lld",
		    HATANG_VERSION, options->server.state_dir, options->mqtt.host,
		    (long long)options->mqtt.port);
		sd_notify(0, "READY=1");
	}
	uv_run(&s.loop, UV_RUN_DEFAULT);
	uv_loop_close(&s.loop);
	rules_use(NULL);
	rules_free(s.rules);
	client_library_fini();
	ht_log_info("server.stopped", "code=%d", s.exit_code);
	return s.exit_code;
}
