#include "agent/publish.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/name.h"
#include "base/state.h"
#include "mqtt/control.h"
#include "mqtt/senml.h"
#include "mqtt/topic.h"

#define TICK_MS         1000
#define PRESENCE_MAX    2048
#define GOODBYE_TICKS   2 /* to wait for the broker's answer to `offline` */
#define HIST_FETCH      8 /* at a time, so that a live commit never waits long behind it */
#define RESEND_AT_ONCE  4
#define PRESENCE_GAP_NS HT_NS_PER_S /* between answers to a stale will */

enum lane { LIVE, HIST, LANE_COUNT };

static const size_t lane_bytes[LANE_COUNT] = { PUBLISH_LIVE_BYTES, PUBLISH_HIST_BYTES };
static const enum topic_leaf lane_leaf[LANE_COUNT] = { TOPIC_DATA, TOPIC_HIST };

/* A pack on its way. */
struct flight {
	int64_t id, seq, resend_ns;
	size_t len;
	char epoch[PROPS_HEX_LEN + 1];
};

struct window {
	struct flight at[PUBLISH_WINDOW];
	size_t n, bytes;
	int64_t cursor; /* id of the last pack sent */
	bool more;      /* the spool may hold packs behind the cursor */
	bool fetching;
};

struct publish {
	uv_loop_t *loop;
	uv_timer_t timer;
	struct worker *worker;
	struct client *client;
	struct publish_config config;
	char agent[HT_ID_MAX + 1];
	struct spool_stats stats;
	enum publish_state state;
	struct window lanes[LANE_COUNT];
	int64_t live_from;   /* id: packs below it are backlog */
	unsigned generation; /* of SENDING: what was fetched before is not for us */
	size_t jobs;         /* on the worker */
	char config_hash[65], targets_hash[65];
	char server_session[PROPS_HEX_LEN + 1];
	int64_t presence_ns; /* when it was said last */
	int goodbye_mid;
	int goodbye_ticks;
	bool client_closed, timer_closed;
	uint64_t random;
	struct publish_counters counters;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* clang-format off */
static const struct ht_state states[] = {
	[PUBLISH_OFFLINE] = { "offline", HT_TO(PUBLISH_WAITING) | HT_TO(PUBLISH_CLOSING) },
	[PUBLISH_WAITING] = { "waiting", HT_TO(PUBLISH_SENDING) | HT_TO(PUBLISH_OFFLINE) |
				HT_TO(PUBLISH_CLOSING) },
	[PUBLISH_SENDING] = { "sending", HT_TO(PUBLISH_WAITING) | HT_TO(PUBLISH_OFFLINE) |
				HT_TO(PUBLISH_CLOSING) },
	[PUBLISH_CLOSING] = { "closing", 0 },
};
/* clang-format on */

static void pump(struct publish *p);

static void enter(struct publish *p, enum publish_state next)
{
	assert(states[p->state].next & HT_TO(next));
	ht_log_info("publish.state", "from=%s to=%s queued=%lld", states[p->state].name,
	    states[next].name, (long long)p->stats.packs);
	p->state = next;
	if (p->config.state_changed)
		p->config.state_changed(p->config.arg, next);
}

static void now_get(struct publish *p, struct spool_now *out)
{
	p->config.clock(p->config.arg, out);
}

/* xorshift64: jitter, not secrecy. */
static int64_t jitter_ns(struct publish *p)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return (int64_t)(p->random % (uint64_t)PUBLISH_JITTER_NS);
}

/* ── Presence ─────────────────────────────────────────────────────────────────────── */

static ht_err presence_text(
    struct publish *p, enum control_state state, struct ht_buf *out)
{
	struct control_presence c = { .state = state };
	struct spool_now now;

	now_get(p, &now);
	snprintf(c.session, sizeof(c.session), "%s", p->config.session);
	snprintf(c.boot, sizeof(c.boot), "%s", now.boot);
	snprintf(c.fingerprint, sizeof(c.fingerprint), "%s", p->config.fingerprint);
	snprintf(c.version, sizeof(c.version), "%s", HATANG_VERSION);
	snprintf(c.epoch, sizeof(c.epoch), "%s", p->stats.epoch);
	snprintf(c.config, sizeof(c.config), "%s", p->config_hash);
	snprintf(c.targets, sizeof(c.targets), "%s", p->targets_hash);
	c.mono_ns = now.mono_ns;
	c.wall_ms = now.wall_ms;
	c.synchronised = now.synchronised;
	return control_presence_encode(&c, out);
}

static ht_err presence_say(struct publish *p, enum control_state state, int *out_mid)
{
	struct ht_buf b;
	char topic[TOPIC_MAX];
	struct spool_now now;

	ht_buf_init(&b, PRESENCE_MAX);
	ht_err err = presence_text(p, state, &b);
	topic_format(p->config.agent, TOPIC_PRESENCE, topic);
	if (!err)
		err = client_publish(p->client, topic, b.data, b.len, true,
		    CONTROL_JSON_TYPE, NULL, out_mid);
	ht_buf_fini(&b);
	now_get(p, &now);
	p->presence_ns = now.mono_ns;
	if (err)
		ht_log_warn("publish.presence", "error=%s", ht_err_name(err));
	return err;
}

/* The will is what the broker says for us if we vanish. */
static void will_renew(struct publish *p)
{
	struct ht_buf b;

	ht_buf_init(&b, PRESENCE_MAX);
	ht_err err = presence_text(p, CONTROL_LOST, &b);
	if (!err)
		err = client_set_will(p->client, b.data, b.len);
	ht_buf_fini(&b);
	if (err)
		ht_log_warn("publish.will", "error=%s", ht_err_name(err));
}

void publish_presence(struct publish *p)
{
	if (p->state == PUBLISH_OFFLINE || p->state == PUBLISH_CLOSING)
		return;
	if (presence_say(p, CONTROL_ONLINE, NULL))
		return; /* logged; the next connection says it anyway */
}

void publish_config_hash(struct publish *p, const char *hash)
{
	snprintf(p->config_hash, sizeof(p->config_hash), "%s", hash);
	publish_presence(p);
}

void publish_targets_hash(struct publish *p, const char *hash)
{
	snprintf(p->targets_hash, sizeof(p->targets_hash), "%s", hash);
	publish_presence(p);
}

/* A will of an earlier session, or of a connection of ours that the broker thought dead,
 * came late: it must not stand. What another machine says under our name is left alone:
 * the server sorts clones out. */
static void on_own_presence(struct publish *p, const struct control_presence *c)
{
	struct spool_now now;

	if (c->state == CONTROL_ONLINE ||
	    strcmp(c->fingerprint, p->config.fingerprint) != 0)
		return;
	now_get(p, &now);
	if (now.mono_ns - p->presence_ns >= PRESENCE_GAP_NS)
		publish_presence(p);
	else
		p->presence_ns = 0; /* the next tick does it */
}

/* ── Sending ──────────────────────────────────────────────────────────────────────── */

struct copy {
	struct spool_pack pack;
	struct copy *next;
	uint8_t bytes[];
};

/* Read packs from the spool: the next ones of a lane, or one to send again. */
struct fetch {
	struct worker_job job; /* first */
	struct publish *publish;
	enum lane lane;
	unsigned generation;
	bool again;
	int64_t after, before;
	int max;
	size_t max_bytes;
	struct copy *head, **tail;
	int n;
	bool short_of_memory;
	char boot[HT_BOOT_ID_LEN + 1];
	ht_err err;
};

static bool fetch_copy(void *arg, const struct spool_pack *pack)
{
	struct fetch *f = arg;
	struct copy *c = malloc(sizeof(*c) + pack->len);

	if (!c) {
		f->short_of_memory = true;
		return false;
	}
	c->pack = *pack;
	memcpy(c->bytes, pack->payload, pack->len);
	c->pack.payload = c->bytes;
	c->next = NULL;
	*f->tail = c;
	f->tail = &c->next;
	f->n++;
	return true;
}

static void fetch_work(struct worker_job *job, struct spool *spool)
{
	struct fetch *f = (struct fetch *)job;

	f->err =
	    spool_fetch(spool, f->after, f->before, f->max, f->max_bytes, fetch_copy, f);
	/* Nothing read is not nothing there. */
	if (!f->err && f->n == 0 && f->short_of_memory)
		f->err = HT_NOMEM;
}

static void job_prepare(struct publish *p, struct worker_job *job, char *boot)
{
	now_get(p, &job->now);
	memcpy(boot, job->now.boot, HT_BOOT_ID_LEN + 1);
	job->now.boot = boot;
}

static ht_err send_pack(struct publish *p, enum lane lane, const struct spool_pack *pack)
{
	char topic[TOPIC_MAX];
	struct spool_now now;
	struct props props = {
		.has = PROPS_EPOCH | PROPS_SEQ | PROPS_BOOT | PROPS_SESSION | PROPS_MONO,
		.seq = pack->seq,
		.mono_ns = pack->mono_ns,
	};

	now_get(p, &now);
	memcpy(props.epoch, pack->epoch, sizeof(props.epoch));
	memcpy(props.boot, pack->boot, sizeof(props.boot));
	memcpy(props.session, pack->session, sizeof(props.session));
	/* After a reboot our clock is another one than the pack's. */
	if (strcmp(pack->boot, now.boot) == 0) {
		props.has |= PROPS_SENT_MONO;
		props.sent_mono_ns = now.mono_ns;
	}
	topic_format(p->config.agent, lane_leaf[lane], topic);
	return client_publish(p->client, topic, pack->payload, pack->len, false,
	    senml_content_type((enum senml_format)pack->format), &props, NULL);
}

static struct flight *flight_find(struct window *w, int64_t id)
{
	for (size_t i = 0; i < w->n; i++) {
		if (w->at[i].id == id)
			return &w->at[i];
	}
	return NULL;
}

static void flight_end(struct window *w, struct flight *f)
{
	w->bytes -= f->len;
	*f = w->at[--w->n];
}

static void send_first(struct fetch *f, const struct copy *c)
{
	struct publish *p = f->publish;
	struct window *w = &p->lanes[f->lane];
	struct spool_now now;

	ht_err err = w->n >= PUBLISH_WINDOW ? HT_AGAIN : send_pack(p, f->lane, &c->pack);
	if (err == HT_TOOLARGE) {
		/* More than this broker takes: it waits in the spool for the next
		 * connection, and those behind it do not wait for it. */
		ht_log_warn("publish.too_large", "epoch=%s seq=%lld bytes=%zu",
		    c->pack.epoch, (long long)c->pack.seq, c->pack.len);
		w->cursor = c->pack.id;
		return;
	}
	if (err) {
		w->more =
		    true; /* it comes again when there is room, or at the next tick */
		return;
	}
	now_get(p, &now);
	w->at[w->n] = (struct flight){
		.id = c->pack.id,
		.seq = c->pack.seq,
		.len = c->pack.len,
		.resend_ns = now.mono_ns + PUBLISH_RESEND_NS + jitter_ns(p),
	};
	memcpy(w->at[w->n].epoch, c->pack.epoch, sizeof(c->pack.epoch));
	w->n++;
	w->bytes += c->pack.len;
	w->cursor = c->pack.id;
	p->counters.sent[f->lane]++;
}

static void send_again(struct fetch *f)
{
	struct publish *p = f->publish;
	struct window *w = &p->lanes[f->lane];
	struct flight *flight = flight_find(w, f->after + 1);

	if (!flight)
		return; /* acknowledged meanwhile */
	if (!f->head) {
		if (!f->err)
			flight_end(w, flight); /* dropped from the spool: a gap tells */
	} else if (!send_pack(p, f->lane, &f->head->pack)) {
		p->counters.resent++;
	}
}

static void send_fetched(struct fetch *f)
{
	struct window *w = &f->publish->lanes[f->lane];
	int sent = 0;

	w->fetching = false;
	if (f->err)
		return; /* the next tick tries again */
	if (f->n == 0)
		w->more = false; /* until publish_spooled */
	for (struct copy *c = f->head; c; c = c->next) {
		int64_t before = w->cursor;
		send_first(f, c);
		if (w->cursor == before)
			break; /* the connection takes no more just now */
		sent++;
	}
	if (sent == f->n)
		pump(f->publish);
}

static void fetch_free(struct fetch *f)
{
	while (f->head) {
		struct copy *c = f->head;
		f->head = c->next;
		free(c);
	}
	free(f);
}

static void maybe_closed(struct publish *p);

static void fetch_done(struct worker_job *job)
{
	struct fetch *f = (struct fetch *)job;
	struct publish *p = f->publish;

	p->jobs--;
	p->stats = job->stats;
	if (p->state == PUBLISH_SENDING && f->generation == p->generation) {
		if (f->again)
			send_again(f);
		else
			send_fetched(f);
	}
	fetch_free(f);
	maybe_closed(p);
}

static ht_err fetch_start(struct publish *p, enum lane lane, int64_t after,
    int64_t before, int max, size_t max_bytes, bool again)
{
	struct fetch *f = calloc(1, sizeof(*f));

	if (!f)
		return HT_NOMEM;
	f->job.work = fetch_work;
	f->job.done = fetch_done;
	f->publish = p;
	f->lane = lane;
	f->generation = p->generation;
	f->again = again;
	f->after = after;
	f->before = before;
	f->max = max;
	f->max_bytes = max_bytes;
	f->tail = &f->head;
	job_prepare(p, &f->job, f->boot);
	ht_err err = worker_submit(p->worker, &f->job);
	if (err)
		free(f);
	else
		p->jobs++;
	return err;
}

static void pump_lane(struct publish *p, enum lane lane)
{
	struct window *w = &p->lanes[lane];
	size_t room = PUBLISH_WINDOW - w->n;
	int64_t before = lane == LIVE ? INT64_MAX : p->live_from;

	if (!w->more || w->fetching || room == 0 || w->bytes >= lane_bytes[lane])
		return;
	if (lane == HIST && room > HIST_FETCH)
		room = HIST_FETCH;
	if (!fetch_start(p, lane, w->cursor, before, (int)room,
		lane_bytes[lane] - w->bytes, false))
		w->fetching = true;
}

static void pump(struct publish *p)
{
	if (p->state != PUBLISH_SENDING)
		return;
	pump_lane(p, LIVE);
	pump_lane(p, HIST);
}

static void resend_old(struct publish *p, int64_t now_ns)
{
	int n = 0;

	for (int lane = 0; lane < LANE_COUNT; lane++) {
		struct window *w = &p->lanes[lane];
		for (size_t i = 0; i < w->n && n < RESEND_AT_ONCE; i++) {
			struct flight *f = &w->at[i];
			if (f->resend_ns > now_ns)
				continue;
			f->resend_ns = now_ns + PUBLISH_RESEND_NS + jitter_ns(p);
			if (fetch_start(p, (enum lane)lane, f->id - 1, f->id + 1, 1,
				SENML_PACK_MAX, true))
				return;
			n++;
		}
	}
}

static void begin_sending(struct publish *p)
{
	p->generation++;
	p->live_from = p->stats.next_id;
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		p->lanes[lane].n = p->lanes[lane].bytes = 0;
		p->lanes[lane].more = true;
		p->lanes[lane].cursor = lane == LIVE ? p->live_from - 1 : 0;
		p->lanes[lane].fetching =
		    false; /* one of an older generation counts not */
	}
	enter(p, PUBLISH_SENDING);
	pump(p);
}

void publish_spooled(struct publish *p, const struct spool_stats *stats)
{
	if (!p)
		return;
	bool epoch_changed = strcmp(p->stats.epoch, stats->epoch) != 0;
	p->stats = *stats;
	p->lanes[LIVE].more = true;
	if (epoch_changed)
		publish_presence(p);
	pump(p);
}

/* ── Acknowledgements ─────────────────────────────────────────────────────────────── */

struct ack {
	struct worker_job job; /* first */
	struct publish *publish;
	struct control_ack ack;
	bool foreign, renewed;
	char boot[HT_BOOT_ID_LEN + 1];
	ht_err err;
};

static void ack_work(struct worker_job *job, struct spool *spool)
{
	struct ack *a = (struct ack *)job;
	struct spool_stats before;

	spool_stats(spool, &job->now, &before);
	for (size_t i = 0; i < a->ack.n && !a->err; i++)
		a->err = spool_ack(
		    spool, a->ack.epoch, a->ack.ranges[i].first, a->ack.ranges[i].last);
	/* A number above ours: this disk was copied or put back, and its numbers are in
	 * use elsewhere. A conflict of ours: likewise. */
	a->foreign = a->err == HT_RANGE;
	if (a->foreign || (a->ack.new_epoch && strcmp(a->ack.epoch, before.epoch) == 0)) {
		a->err = spool_new_epoch(spool);
		a->renewed = !a->err;
	}
}

static void ack_windows(struct publish *p, const struct control_ack *ack)
{
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		struct window *w = &p->lanes[lane];
		for (size_t i = w->n; i-- > 0;) {
			struct flight *f = &w->at[i];
			if (strcmp(f->epoch, ack->epoch) == 0 &&
			    control_ack_covers(ack, f->seq)) {
				flight_end(w, f);
				p->counters.acked++;
			}
		}
	}
}

static void ack_done(struct worker_job *job)
{
	struct ack *a = (struct ack *)job;
	struct publish *p = a->publish;

	p->jobs--;
	p->stats = job->stats;
	if (a->renewed)
		ht_log_warn("publish.new_epoch", "epoch=%s old=%s why=%s", p->stats.epoch,
		    a->ack.epoch, a->foreign ? "number-above-ours" : "conflict");
	else if (a->err)
		ht_log_warn("publish.ack", "error=%s", ht_err_name(a->err));
	if (!a->foreign && !a->err)
		ack_windows(p, &a->ack);
	if (a->renewed)
		publish_presence(p);
	control_ack_fini(&a->ack);
	free(a);
	pump(p);
	maybe_closed(p);
}

static void on_ack(struct publish *p, const struct client_message *m)
{
	struct ack *a = calloc(1, sizeof(*a));

	if (!a)
		return;
	ht_err err = control_ack_decode(m->payload, m->len, &a->ack);
	if (err) {
		p->counters.bad_messages++;
		free(a);
		return;
	}
	a->job.work = ack_work;
	a->job.done = ack_done;
	a->publish = p;
	job_prepare(p, &a->job, a->boot);
	if (worker_submit(p->worker, &a->job)) {
		control_ack_fini(&a->ack); /* it is sent again and acknowledged again */
		free(a);
		return;
	}
	p->jobs++;
}

/* ── The connection ───────────────────────────────────────────────────────────────── */

static void on_server_presence(struct publish *p, const struct control_presence *c)
{
	bool there = c->state == CONTROL_ONLINE;
	bool same = strcmp(p->server_session, c->session) == 0;

	if (p->state == PUBLISH_SENDING && (!there || !same))
		enter(p, PUBLISH_WAITING);
	memcpy(p->server_session, c->session, sizeof(p->server_session));
	if (p->state == PUBLISH_WAITING && there)
		begin_sending(p);
}

static void on_presence(
    struct publish *p, const struct topic *t, const struct client_message *m)
{
	struct control_presence c;

	if (m->len == 0)
		return; /* a retained message that was cleared */
	if (control_presence_decode(m->payload, m->len, &c)) {
		p->counters.bad_messages++;
		return;
	}
	if (strcmp(t->id, TOPIC_SERVER_ID) == 0)
		on_server_presence(p, &c);
	else
		on_own_presence(p, &c);
}

static void on_message(void *arg, const struct client_message *m)
{
	struct publish *p = arg;
	struct topic t;

	if (p->state == PUBLISH_CLOSING)
		return;
	if (topic_parse(m->topic, strlen(m->topic), &t)) {
		p->counters.bad_messages++;
		return;
	}
	switch (t.leaf) {
	case TOPIC_PRESENCE:
		on_presence(p, &t, m);
		break;
	case TOPIC_ACK:
		on_ack(p, m);
		break;
	case TOPIC_CMD:
		if (p->config.command)
			p->config.command(p->config.arg, m->payload, m->len);
		break;
	default:
		p->counters.bad_messages++;
	}
}

static void on_online(void *arg)
{
	static const enum topic_leaf leaves[] = { TOPIC_ACK, TOPIC_CMD, TOPIC_PRESENCE };
	struct publish *p = arg;
	char topic[TOPIC_MAX];
	ht_err err;

	if (p->state != PUBLISH_OFFLINE)
		return;
	p->counters.connects++;
	p->server_session[0] = '\0';
	err = presence_say(p, CONTROL_ONLINE, NULL);
	for (size_t i = 0; !err && i < HT_COUNT(leaves); i++) {
		topic_format(p->config.agent, leaves[i], topic);
		err = client_subscribe(p->client, topic, 1);
	}
	topic_format(TOPIC_SERVER_ID, TOPIC_PRESENCE, topic);
	if (!err)
		err = client_subscribe(p->client, topic, 1);
	enter(p, PUBLISH_WAITING);
	if (err) {
		ht_log_warn("publish.subscribe", "error=%s", ht_err_name(err));
		client_reconnect(p->client);
	}
}

static void on_offline(void *arg, const char *why)
{
	struct publish *p = arg;

	p->counters.disconnects++;
	ht_log_info("publish.offline", "why=\"%s\"", why);
	if (p->state == PUBLISH_WAITING || p->state == PUBLISH_SENDING)
		enter(p, PUBLISH_OFFLINE);
	if (p->state != PUBLISH_CLOSING)
		will_renew(p);
}

static void on_tick(uv_timer_t *timer);
static void goodbye(struct publish *p);

static void on_published(void *arg, int mid)
{
	struct publish *p = arg;

	if (p->state == PUBLISH_CLOSING && p->goodbye_mid && mid == p->goodbye_mid) {
		p->goodbye_mid = 0;
		p->goodbye_ticks = 0;
		uv_timer_start(&p->timer, on_tick, 0, 0);
	}
}

static void on_tick(uv_timer_t *timer)
{
	struct publish *p = timer->data;
	struct spool_now now;

	if (p->state == PUBLISH_CLOSING) {
		if (--p->goodbye_ticks <= 0)
			goodbye(p);
		return;
	}
	now_get(p, &now);
	if (p->presence_ns == 0)
		publish_presence(p);
	if (p->state != PUBLISH_SENDING)
		return;
	resend_old(p, now.mono_ns);
	pump(p);
}

/* ── Life ─────────────────────────────────────────────────────────────────────────── */

ht_err publish_new(uv_loop_t *loop, struct worker *worker,
    const struct publish_config *config, struct publish **out, struct ht_fault *fault)
{
	struct publish *p = calloc(1, sizeof(*p));
	char id[HT_ID_MAX + 16], topic[TOPIC_MAX];
	struct ht_buf will;

	if (!p)
		return HT_NOMEM;
	p->loop = loop;
	p->worker = worker;
	p->config = *config;
	snprintf(p->agent, sizeof(p->agent), "%s", config->agent);
	p->config.agent = p->agent; /* a reload frees the options it came from */
	p->stats = config->stats;
	p->random = strtoull(config->session, NULL, 16) | 1;
	snprintf(id, sizeof(id), "%s.%.8s", config->agent, config->fingerprint);
	topic_format(config->agent, TOPIC_PRESENCE, topic);
	ht_buf_init(&will, PRESENCE_MAX);
	ht_err err = presence_text(p, CONTROL_LOST, &will);
	if (!err) {
		struct client_config c = config->client;
		const struct client_events events = { p, on_online, on_offline,
			on_message, on_published };
		c.client_id = id;
		c.will_topic = topic;
		c.will = will.data;
		c.will_len = will.len;
		err = client_new(loop, &c, &events, &p->client, fault);
	}
	ht_buf_fini(&will);
	if (!err && uv_timer_init(loop, &p->timer) != 0)
		err = HT_NOMEM;
	if (err) {
		free(p);
		return err;
	}
	p->timer.data = p;
	*out = p;
	return HT_OK;
}

void publish_start(struct publish *p)
{
	uv_timer_start(&p->timer, on_tick, TICK_MS, TICK_MS);
	client_start(p->client);
}

ht_err publish_reply(struct publish *p, const char *json, size_t len)
{
	char topic[TOPIC_MAX];

	topic_format(p->config.agent, TOPIC_REPLY, topic);
	return client_publish(
	    p->client, topic, json, len, false, CONTROL_JSON_TYPE, NULL, NULL);
}

ht_err publish_reload_tls(struct publish *p, struct ht_fault *fault)
{
	return client_reload_tls(p->client, fault);
}

void publish_reconnect(struct publish *p)
{
	client_reconnect(p->client);
}

enum publish_state publish_state(const struct publish *p)
{
	return p->state;
}

const char *publish_state_name(enum publish_state state)
{
	return states[state].name;
}

const struct publish_counters *publish_counters(const struct publish *p)
{
	return &p->counters;
}

const struct spool_stats *publish_stats(const struct publish *p)
{
	return &p->stats;
}

bool publish_drained(const struct publish *p)
{
	const struct window *live = &p->lanes[LIVE];

	return p->state != PUBLISH_SENDING ||
	       (!live->more && !live->fetching && live->n == 0);
}

static void maybe_closed(struct publish *p)
{
	if (!p->client_closed || !p->timer_closed || p->jobs > 0)
		return;
	void (*closed)(void *arg) = p->closed;
	void *arg = p->closed_arg;
	free(p);
	closed(arg);
}

static void on_client_closed(void *arg)
{
	struct publish *p = arg;

	p->client_closed = true;
	maybe_closed(p);
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct publish *p = handle->data;

	p->timer_closed = true;
	maybe_closed(p);
}

static void goodbye(struct publish *p)
{
	if (uv_is_closing((uv_handle_t *)&p->timer))
		return;
	uv_close((uv_handle_t *)&p->timer, on_timer_closed);
	client_close(p->client, on_client_closed, p);
}

void publish_close(struct publish *p, void (*closed)(void *arg), void *arg)
{
	if (!p) {
		closed(arg);
		return;
	}
	bool online = p->state == PUBLISH_WAITING || p->state == PUBLISH_SENDING;

	p->closed = closed;
	p->closed_arg = arg;
	enter(p, PUBLISH_CLOSING);
	p->goodbye_ticks = 0;
	if (online && !presence_say(p, CONTROL_OFFLINE, &p->goodbye_mid))
		p->goodbye_ticks = GOODBYE_TICKS;
	uv_timer_start(&p->timer, on_tick, p->goodbye_ticks ? TICK_MS : 0, TICK_MS);
}
