#include "server/ingest/ingest.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "base/clock.h"
#include "base/log.h"
#include "mqtt/control.h"
#include "server/ingest/accept.h"
#include "server/ingest/acks.h"
#include "server/ingest/sql.h"

#define BUCKETS         4096
#define AGENTS_MAX      65536
#define SESSIONS        4 /* an agent's newest, with the machine of each */
#define ACK_WAIT_MS     50
#define OWNER_NS        (HT_NS_PER_S) /* how long the registry's word is kept */
#define CONFIG_EVERY_MS 2000
#define CONFIG_AGAIN_NS (30 * HT_NS_PER_S)
#define BEAT_MS         10000
#define STOP_MS         3000
#define COMMANDS_MAX    1024
#define COMMAND_MAX     (256 * 1024)
#define ID_BYTES        8

/* Who published under an agent's name. */
struct session {
	char session[PROPS_HEX_LEN + 1], epoch[PROPS_HEX_LEN + 1];
	char fingerprint[PRESENCE_HASH_HEX + 1];
};

struct agent {
	struct agent *next;     /* of its bucket */
	struct agent *next_ack; /* of those with something to tell */
	bool on_ack_list;
	char id[HT_ID_MAX + 1];
	struct session sessions[SESSIONS];
	size_t n_sessions, newest;
	bool has_owner; /* the registry knows the machine */
	char owner[PRESENCE_HASH_HEX + 1];
	int64_t owner_read_ns; /* 0: never */
	char pushed_hash[PRESENCE_HASH_HEX + 1];
	int64_t pushed_ns;
	bool refused;      /* what was pushed, by the present session */
	struct acks *acks; /* NULL: nothing */
};

/* A message on its way through the writer. */
struct passing {
	struct ingest *in;
	struct agent *agent;
	bool keyed;
	char epoch[PROPS_HEX_LEN + 1];
	int64_t seq;
};

struct command {
	struct command *next;
	char agent[HT_ID_MAX + 1];
	char id[2 * ID_BYTES + 1];
	char *json;
	int64_t timeout_ns, deadline_ns;
	ingest_reply_fn reply;
	void *arg;
};

#define SURE_MAX 64

/* A message whose PUBACK somebody waits for. */
struct sure {
	int mid;
	void (*taken)(void *arg, ht_err err);
	void *arg;
};

struct ingest {
	uv_loop_t *loop;
	struct writer *writer;
	struct client *client;
	struct db *db;
	uv_timer_t ack_timer, beat_timer, config_timer, stop_timer;
	uv_async_t async;
	struct agent *buckets[BUCKETS];
	struct agent *ack_list;
	uint64_t told_ms;        /* loop time of the last acknowledgements */
	struct command *waiting; /* published, no reply yet; loop's alone */
	char session[PROPS_HEX_LEN + 1];
	bool stopping, closed;
	bool goodbye_due; /* stopping, and waiting for the last commits */
	int goodbye_mid;
	int handles;      /* open ones, while closing */
	size_t n_passing; /* messages that the writer has not told of yet */
	bool gone;        /* all is closed; the last of them frees */
	void (*done)(void *arg);
	void *done_arg;
	uv_mutex_t lock;                           /* guards what follows */
	struct command *commands, **commands_last; /* to be published */
	size_t n_commands;                         /* in both lists */
	struct ingest_stats stats;
	struct ingest_listener listener; /* topic NULL: none */
	void (*request)(void *arg, const char *agent, const void *json, size_t len);
	void *request_arg;
	struct sure sure[SURE_MAX]; /* loop's alone */
	size_t n_sure;
};

static void random_hex(char *out, size_t bytes)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t raw[16];

	assert(bytes <= sizeof(raw));
	if (uv_random(NULL, NULL, raw, bytes, 0, NULL))
		abort(); /* no randomness: nothing here can be trusted */
	for (size_t i = 0; i < bytes; i++) {
		out[2 * i] = digits[raw[i] >> 4];
		out[2 * i + 1] = digits[raw[i] & 15];
	}
	out[2 * bytes] = '\0';
}

#define COUNT(in, field)                      \
	do {                                  \
		uv_mutex_lock(&(in)->lock);   \
		(in)->stats.field++;          \
		uv_mutex_unlock(&(in)->lock); \
	} while (0)

/* ── agents ──────────────────────────────────────────────────────────────────────── */

static size_t bucket_of(const char *id)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (; *id; id++)
		h = (h ^ (uint8_t)*id) * 16777619u;
	return h % BUCKETS;
}

static struct agent *agent_get(struct ingest *in, const char *id)
{
	struct agent **bucket = &in->buckets[bucket_of(id)];

	for (struct agent *a = *bucket; a; a = a->next) {
		if (strcmp(a->id, id) == 0)
			return a;
	}
	if (in->stats.agents >= AGENTS_MAX)
		return NULL;
	struct agent *a = calloc(1, sizeof(*a));
	if (!a)
		return NULL;
	memcpy(a->id, id, strlen(id) + 1);
	a->next = *bucket;
	*bucket = a;
	COUNT(in, agents);
	return a;
}

/* The machine that owns the id, as the registry says; kept for a second. */
static void read_owner(struct ingest *in, struct agent *a)
{
	int64_t now = ht_mono_ns();

	if (a->owner_read_ns && now - a->owner_read_ns < OWNER_NS)
		return;
	struct db_rows *r = db_start(in->db, &ingest_sql, INGEST_OWNER, "s", a->id);
	ht_err err = db_next(r);
	const char *owner = err ? NULL : db_text(r, 0);
	a->has_owner = owner && strlen(owner) == PRESENCE_HASH_HEX;
	if (a->has_owner)
		memcpy(a->owner, owner, PRESENCE_HASH_HEX + 1);
	db_done(r);
	a->owner_read_ns = now;
}

static struct session *session_of(struct agent *a, const struct props *p)
{
	for (size_t i = 0; i < a->n_sessions; i++) {
		struct session *s = &a->sessions[i];

		if ((p->has & PROPS_SESSION && strcmp(s->session, p->session) == 0) ||
		    (p->has & PROPS_EPOCH && s->epoch[0] &&
			strcmp(s->epoch, p->epoch) == 0))
			return s;
	}
	return NULL;
}

/* The fingerprint of the other machine when this pack comes from a clone, else NULL. */
static const char *clone_of(struct ingest *in, struct agent *a, const struct props *p)
{
	struct session *s = session_of(a, p);

	if (!s)
		return NULL;
	read_owner(in, a);
	return a->has_owner && strcmp(a->owner, s->fingerprint) != 0 ? s->fingerprint
								     : NULL;
}

static bool is_newest(const struct agent *a, const char *session)
{
	return a->n_sessions && strcmp(a->sessions[a->newest].session, session) == 0;
}

static void remember(struct agent *a, const struct presence *p)
{
	size_t i = 0;

	while (i < a->n_sessions && strcmp(a->sessions[i].session, p->session) != 0)
		i++;
	if (i == a->n_sessions && i < SESSIONS)
		a->n_sessions++;
	else if (i == a->n_sessions)
		i = (a->newest + 1) % SESSIONS;
	if (strcmp(a->sessions[i].session, p->session) != 0)
		a->refused = false; /* a new start may think otherwise */
	memcpy(a->sessions[i].session, p->session, sizeof(p->session));
	memcpy(a->sessions[i].epoch, p->epoch, sizeof(p->epoch));
	memcpy(a->sessions[i].fingerprint, p->fingerprint, sizeof(p->fingerprint));
	a->newest = i;
}

/* ── acknowledging ───────────────────────────────────────────────────────────────── */

static void send_acks(struct ingest *in, struct agent *a)
{
	char topic[TOPIC_MAX];
	struct ht_buf json;

	ht_buf_init(&json, 64 * 1024);
	topic_format(a->id, TOPIC_ACK, topic);
	if (!acks_encode(a->acks, &json) &&
	    !client_publish(in->client, topic, json.data, json.len, false,
		"application/json", NULL, NULL))
		COUNT(in, acks);
	/* What could not be told is asked for again: the agent resends, we find it there.
	 */
	ht_buf_fini(&json);
	free(a->acks);
	a->acks = NULL;
}

static void flush_acks(struct ingest *in)
{
	struct agent *a = in->ack_list;

	in->told_ms = uv_now(in->loop);
	in->ack_list = NULL;
	while (a) {
		struct agent *next = a->next_ack;

		a->on_ack_list = false;
		a->next_ack = NULL;
		if (a->acks)
			send_acks(in, a);
		a = next;
	}
}

static void on_ack_timer(uv_timer_t *timer)
{
	flush_acks(timer->data);
}

/* At once when the last were told long ago, after what this turn of the loop brings. */
static uint64_t ack_wait_ms(const struct ingest *in)
{
	uint64_t since = uv_now(in->loop) - in->told_ms;

	return since >= ACK_WAIT_MS ? 0 : ACK_WAIT_MS - since;
}

static struct acks *acks_of(struct ingest *in, struct agent *a, const char *epoch)
{
	if (a->acks && strcmp(a->acks->epoch, epoch) != 0)
		send_acks(in, a);
	if (!a->acks) {
		a->acks = malloc(sizeof(*a->acks));
		if (!a->acks)
			return NULL;
		acks_init(a->acks, epoch);
	}
	if (!a->on_ack_list) {
		a->on_ack_list = true;
		a->next_ack = in->ack_list;
		in->ack_list = a;
	}
	if (!uv_is_active((uv_handle_t *)&in->ack_timer))
		uv_timer_start(&in->ack_timer, on_ack_timer, ack_wait_ms(in), 0);
	return a->acks;
}

static void acknowledge(
    struct ingest *in, struct agent *a, const char *epoch, int64_t seq, bool conflict)
{
	struct acks *acks = acks_of(in, a, epoch);

	if (acks && acks_add(acks, seq) == HT_FULL) {
		send_acks(in, a);
		acks = acks_of(in, a, epoch);
		if (acks && acks_add(acks, seq))
			return;
	}
	if (acks && conflict)
		acks->new_epoch = true;
}

static void ingest_free(struct ingest *in);
static void goodbye(struct ingest *in);

static void passing_free(struct passing *p)
{
	if (!p)
		return;
	p->in->n_passing--;
	free(p);
}

static void on_written(void *arg, const struct writer_result *result)
{
	struct passing *p = arg;
	struct ingest *in = p->in;
	bool committed =
	    !result->err || result->err == HT_EXISTS || result->err == HT_CONFLICT;

	if (!committed)
		ht_log_warn("ingest.refused", "agent=%s err=%s", p->agent->id,
		    ht_err_name(result->err));
	else if (p->keyed && !in->closed)
		acknowledge(in, p->agent, p->epoch, p->seq, result->err == HT_CONFLICT);
	passing_free(p);
	if (in->gone && in->n_passing == 0)
		ingest_free(in);
	else if (in->goodbye_due && in->n_passing == 0)
		goodbye(in);
}

/* ── messages ────────────────────────────────────────────────────────────────────── */

static struct passing *passing_of(
    struct ingest *in, struct agent *a, const struct props *props)
{
	struct passing *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	in->n_passing++;
	p->in = in;
	p->agent = a;
	p->keyed = (props->has & (PROPS_EPOCH | PROPS_SEQ)) == (PROPS_EPOCH | PROPS_SEQ);
	memcpy(p->epoch, props->epoch, sizeof(p->epoch));
	p->seq = props->seq;
	return p;
}

/* `err` of a submit: nothing of it will be told any more. */
static void submitted(struct ingest *in, struct passing *p, ht_err err)
{
	if (!err)
		return;
	passing_free(p);
	COUNT(in, dropped);
}

static void take_data(struct ingest *in, struct agent *a, const struct accept *m)
{
	const char *fingerprint = clone_of(in, a, &m->row.props);
	struct passing *p = passing_of(in, a, &m->row.props);

	if (!p)
		return;
	if (fingerprint) {
		COUNT(in, clones);
		submitted(in, p,
		    writer_submit_aside(in->writer, &m->row, fingerprint, on_written, p));
		return;
	}
	COUNT(in, packs);
	submitted(in, p, writer_submit(in->writer, &m->row, on_written, p));
}

static void take_garbage(struct ingest *in, const struct accept *m)
{
	struct agent *a = m->has_topic ? agent_get(in, m->topic.id) : NULL;
	struct passing *p = a ? passing_of(in, a, &m->garbage.props) : NULL;

	/* Only a pack's number may be acknowledged: the same properties on another topic
	 * would have the agent delete a pack that never came. */
	if (p && m->topic.leaf != TOPIC_DATA && m->topic.leaf != TOPIC_HIST)
		p->keyed = false;
	COUNT(in, garbage);
	ht_err err =
	    writer_submit_garbage(in->writer, &m->garbage, p ? on_written : NULL, p);
	if (err)
		submitted(in, p, err);
}

static void take_presence(struct ingest *in, struct agent *a, const struct accept *m)
{
	const struct presence *p = &m->presence;

	COUNT(in, presences);
	/* The will of a session that another has followed says nothing of the agent. */
	if (p->state == PRESENCE_LOST && a->n_sessions && !is_newest(a, p->session)) {
		COUNT(in, ignored);
		return;
	}
	remember(a, p);
	a->owner_read_ns = 0;
	read_owner(in, a);
	bool clone = a->has_owner && strcmp(a->owner, p->fingerprint) != 0;
	if (clone)
		ht_log_warn(
		    "ingest.clone", "agent=%s fingerprint=%.16s", a->id, p->fingerprint);
	ht_err err =
	    clone ? writer_submit_aside(in->writer, &m->row, p->fingerprint, NULL, NULL)
		  : writer_submit(in->writer, &m->row, NULL, NULL);
	submitted(in, NULL, err);
}

static void take_reply(struct ingest *in, struct agent *a, const struct accept *m);

static void on_message(void *arg, const struct client_message *m)
{
	struct ingest *in = arg;
	struct accept *what = malloc(sizeof(*what));
	struct agent *a;

	COUNT(in, messages);
	if (in->listener.topic && strcmp(m->topic, in->listener.topic) == 0) {
		in->listener.message(in->listener.arg, m->payload, m->len);
		free(what);
		return;
	}
	if (in->stopping || !what || accept_message(m, ht_wall_ms(), what)) {
		COUNT(in, dropped);
		free(what);
		return;
	}
	if (what->kind == ACCEPT_GARBAGE) {
		take_garbage(in, what);
	} else if (what->kind == ACCEPT_IGNORE) {
		COUNT(in, ignored);
	} else if (!(a = agent_get(in, what->topic.id))) {
		COUNT(in, dropped);
	} else if (what->kind == ACCEPT_DATA) {
		take_data(in, a, what);
	} else if (what->kind == ACCEPT_PRESENCE) {
		take_presence(in, a, what);
	} else {
		take_reply(in, a, what);
	}
	free(what);
}

/* ── the server's own presence ───────────────────────────────────────────────────── */

static void own_presence(
    const struct ingest *in, enum control_state state, struct ht_buf *out)
{
	struct control_presence p = {
		.state = state,
		.mono_ns = ht_mono_ns(),
		.wall_ms = ht_wall_ms(),
		.synchronised = ht_clock_synchronised(),
		.version = HATANG_VERSION,
	};

	snprintf(p.session, sizeof(p.session), "%s", in->session);
	ht_err err = ht_boot_id(p.boot);
	if (!err)
		err = control_presence_encode(&p, out);
	if (err)
		ht_log_warn("ingest.presence", "err=%s", ht_err_name(err));
}

static void publish_presence(struct ingest *in, enum control_state state, int *out_mid)
{
	char topic[TOPIC_MAX];
	struct ht_buf json;

	ht_buf_init(&json, 1024);
	own_presence(in, state, &json);
	topic_format(TOPIC_SERVER_ID, TOPIC_PRESENCE, topic);
	ht_err err = ht_buf_err(&json);
	if (!err)
		err = client_publish(in->client, topic, json.data, json.len, true,
		    "application/json", NULL, out_mid);
	if (err)
		ht_log_warn("ingest.presence", "err=%s", ht_err_name(err));
	ht_buf_fini(&json);
}

static void on_online(void *arg)
{
	static const enum topic_leaf leaves[] = { TOPIC_PRESENCE, TOPIC_DATA, TOPIC_HIST,
		TOPIC_REPLY };
	struct ingest *in = arg;

	for (size_t i = 0; i < HT_COUNT(leaves); i++) {
		char filter[64];

		snprintf(
		    filter, sizeof(filter), "hatang/v1/+/%s", topic_leaf_name(leaves[i]));
		ht_err err = client_subscribe(in->client, filter, 1);
		if (err) {
			ht_log_error("ingest.subscribe", "filter=%s err=%s", filter,
			    ht_err_name(err));
			client_reconnect(in->client);
			return;
		}
	}
	publish_presence(in, CONTROL_ONLINE, NULL);
	if (in->listener.topic && !client_subscribe(in->client, in->listener.topic, 1))
		in->listener.online(in->listener.arg);
	uv_mutex_lock(&in->lock);
	in->stats.online = true;
	uv_mutex_unlock(&in->lock);
	ht_log_info("ingest.online", "session=%s", in->session);
}

/* Who waits for a PUBACK that will not come is told. */
static void end_sure(struct ingest *in, ht_err err)
{
	while (in->n_sure) {
		struct sure last = in->sure[--in->n_sure];
		last.taken(last.arg, err);
	}
}

static void on_offline(void *arg, const char *why)
{
	struct ingest *in = arg;

	end_sure(in, HT_AGAIN);

	uv_mutex_lock(&in->lock);
	in->stats.online = false;
	uv_mutex_unlock(&in->lock);
	if (in->listener.topic)
		in->listener.offline(in->listener.arg);
	ht_log_warn("ingest.offline", "why=\"%s\"", why);
}

/* ── the server's own rows ───────────────────────────────────────────────────────── */

static void own_row(struct ingest *in, const char *kind)
{
	struct ingest_stats s;
	struct writer_stats w;
	char json[256];

	ingest_stats(in, &s);
	writer_stats(in->writer, &w);
	int len = snprintf(json, sizeof(json),
	    "{\"version\":\"%s\",\"session\":\"%s\",\"broker\":%s,\"messages\":%" PRIu64
	    ",\"queued\":%zu}",
	    HATANG_VERSION, in->session, s.online ? "true" : "false", s.messages,
	    w.queued);
	struct journal_row row = {
		.source = JOURNAL_SERVER,
		.kind = kind,
		.content_type = "application/json",
		.received_ms = ht_wall_ms(),
		.payload = json,
		.len = (size_t)len,
	};
	ht_err err = writer_submit(in->writer, &row, NULL, NULL);
	if (err)
		ht_log_warn("ingest.row", "kind=%s err=%s", kind, ht_err_name(err));
}

static void on_beat(uv_timer_t *timer)
{
	own_row(timer->data, "beat");
}

/* ── commands ────────────────────────────────────────────────────────────────────── */

static void command_end(
    struct ingest *in, struct command *c, ht_err err, const char *json, size_t len)
{
	if (c->reply)
		c->reply(c->arg, err, json, len);
	uv_mutex_lock(&in->lock);
	in->n_commands--;
	uv_mutex_unlock(&in->lock);
	free(c->json);
	free(c);
}

static void command_publish(struct ingest *in, struct command *c)
{
	char topic[TOPIC_MAX];

	topic_format(c->agent, TOPIC_CMD, topic);
	ht_err err = client_publish(in->client, topic, c->json, strlen(c->json), false,
	    "application/json", NULL, NULL);
	if (err || !c->reply) {
		command_end(in, c, err, NULL, 0);
		return;
	}
	c->deadline_ns = ht_mono_ns() + c->timeout_ns;
	c->next = in->waiting;
	in->waiting = c;
}

static void on_async(uv_async_t *async)
{
	struct ingest *in = async->data;

	uv_mutex_lock(&in->lock);
	struct command *c = in->commands;
	in->commands = NULL;
	in->commands_last = &in->commands;
	uv_mutex_unlock(&in->lock);
	while (c) {
		struct command *next = c->next;

		command_publish(in, c);
		c = next;
	}
}

static void expire_commands(struct ingest *in, int64_t now, ht_err why)
{
	struct command **at = &in->waiting;

	while (*at) {
		struct command *c = *at;

		if (c->deadline_ns > now) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		command_end(in, c, why, NULL, 0);
	}
}

/* The object's "id" as text, or "". */
static void reply_id(const void *bytes, size_t len, char *out, size_t cap)
{
	struct json_tokener *tok = json_tokener_new_ex(16);
	struct json_object *o, *id;

	out[0] = '\0';
	if (!tok)
		return;
	o = json_tokener_parse_ex(tok, bytes, (int)len);
	if (o && json_object_is_type(o, json_type_object) &&
	    json_object_object_get_ex(o, "id", &id) &&
	    json_object_is_type(id, json_type_string) &&
	    (size_t)json_object_get_string_len(id) < cap)
		memcpy(out, json_object_get_string(id),
		    (size_t)json_object_get_string_len(id) + 1);
	json_object_put(o);
	json_tokener_free(tok);
}

static void take_reply(struct ingest *in, struct agent *a, const struct accept *m)
{
	char id[2 * ID_BYTES + 1];

	COUNT(in, replies);
	submitted(in, NULL, writer_submit(in->writer, &m->row, NULL, NULL));
	reply_id(m->row.payload, m->row.len, id, sizeof(id));
	for (struct command **at = &in->waiting; *at; at = &(*at)->next) {
		struct command *c = *at;

		if (strcmp(c->id, id) == 0 && strcmp(c->agent, a->id) == 0) {
			*at = c->next;
			command_end(in, c, HT_OK, m->row.payload, m->row.len);
			return;
		}
	}
	if (in->request)
		in->request(in->request_arg, a->id, m->row.payload, m->row.len);
}

/* `json` with the id put in; NULL when it is no object with a verb. */
static char *with_id(const char *json, const char *id)
{
	struct json_object *o = json_tokener_parse(json), *verb;
	char *out = NULL;

	if (o && json_object_is_type(o, json_type_object) &&
	    json_object_object_get_ex(o, "verb", &verb) &&
	    json_object_is_type(verb, json_type_string) &&
	    json_object_object_add(o, "id", json_object_new_string(id)) == 0)
		out = strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
	return out;
}

ht_err ingest_command(struct ingest *in, const char *agent, const char *json,
    int64_t timeout_ns, ingest_reply_fn reply, void *arg)
{
	struct command *c;
	ht_err err = HT_OK;

	if (!ht_id_valid(agent, HT_ID_MAX))
		return HT_INVALID;
	if (strlen(json) > COMMAND_MAX)
		return HT_TOOLARGE;
	c = calloc(1, sizeof(*c));
	if (!c)
		return HT_NOMEM;
	memcpy(c->agent, agent, strlen(agent) + 1);
	random_hex(c->id, ID_BYTES);
	c->timeout_ns = timeout_ns;
	c->reply = reply;
	c->arg = arg;
	c->json = with_id(json, c->id);
	uv_mutex_lock(&in->lock);
	if (!c->json)
		err = HT_MALFORMED;
	else if (in->stopping)
		err = HT_CLOSED;
	else if (in->n_commands >= COMMANDS_MAX)
		err = HT_FULL;
	if (!err) {
		*in->commands_last = c;
		in->commands_last = &c->next;
		in->n_commands++;
		uv_async_send(&in->async);
	}
	uv_mutex_unlock(&in->lock);
	if (err) {
		free(c->json);
		free(c);
	}
	return err;
}

/* A configuration on its way to an agent. */
struct pushed {
	struct ingest *in;
	struct agent *agent;
	char hash[PRESENCE_HASH_HEX + 1];
};

/* The agent does not take what a person approved: that person must see why. */
static void config_refused(struct pushed *p, const char *error)
{
	struct json_object *o = json_object_new_object();
	int64_t now_ms = ht_wall_ms();

	ht_log_warn("ingest.config_refused", "agent=%s hash=%.16s error=\"%s\"",
	    p->agent->id, p->hash, error);
	if (!o)
		return;
	json_object_object_add(o, "hash", json_object_new_string(p->hash));
	json_object_object_add(o, "error", json_object_new_string(error));
	const char *json = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	struct journal_row row = {
		.source = JOURNAL_SERVER,
		.kind = "config-refused",
		.agent = p->agent->id,
		.content_type = "application/json",
		.received_ms = now_ms,
		.payload = json,
		.len = strlen(json),
	};
	ht_err err = writer_submit(p->in->writer, &row, NULL, NULL);
	if (err)
		ht_log_warn("ingest.row", "kind=%s err=%s", row.kind, ht_err_name(err));
	json_object_put(o);
}

static void config_replied(void *arg, ht_err err, const char *json, size_t len)
{
	struct pushed *p = arg;
	struct control_reply reply = { 0 };

	if (!err && !control_reply_decode(json, len, &reply) && !reply.ok &&
	    strcmp(p->agent->pushed_hash, p->hash) == 0) {
		if (!p->agent->refused)
			config_refused(p, reply.error);
		p->agent->refused = true;
	}
	control_reply_fini(&reply);
	free(p);
}

static ht_err send_config(
    struct ingest *in, struct agent *a, const char *yaml, const char *hash)
{
	struct pushed *p = calloc(1, sizeof(*p));
	struct json_object *o = json_object_new_object();
	ht_err err = p && o ? HT_OK : HT_NOMEM;

	if (!err) {
		*p = (struct pushed){ .in = in, .agent = a };
		memcpy(p->hash, hash, PRESENCE_HASH_HEX + 1);
		json_object_object_add(o, "verb", json_object_new_string("config"));
		json_object_object_add(o, "yaml", json_object_new_string(yaml));
		json_object_object_add(o, "hash", json_object_new_string(hash));
		err = ingest_command(in, a->id,
		    json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
		    CONFIG_AGAIN_NS, config_replied, p);
	}
	if (err)
		free(p);
	json_object_put(o);
	return err;
}

/* Approved configurations that an agent does not have yet. */
static void push_config(
    struct ingest *in, const char *id, const char *yaml, const char *hash)
{
	struct agent *a = agent_get(in, id);
	int64_t now = ht_mono_ns();

	if (!a || strlen(hash) != PRESENCE_HASH_HEX)
		return;
	bool again = strcmp(a->pushed_hash, hash) == 0;
	if (again && (a->refused || now - a->pushed_ns < CONFIG_AGAIN_NS))
		return;
	if (!again)
		a->refused = false;
	if (send_config(in, a, yaml, hash))
		return;
	memcpy(a->pushed_hash, hash, PRESENCE_HASH_HEX + 1);
	a->pushed_ns = now;
	ht_log_info("ingest.config", "agent=%s hash=%.16s", id, hash);
}

static void on_config(uv_timer_t *timer)
{
	struct ingest *in = timer->data;

	expire_commands(in, ht_mono_ns(), HT_TIMEOUT);
	if (!client_is_online(in->client))
		return;
	struct db_rows *r = db_start(in->db, &ingest_sql, INGEST_STALE_CONFIGS, "");
	while (!db_next(r))
		push_config(in, db_text(r, 0), db_text(r, 1), db_text(r, 2));
	db_done(r);
}

/* ── life ────────────────────────────────────────────────────────────────────────── */

static void ingest_free(struct ingest *in)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		struct agent *a = in->buckets[i];

		while (a) {
			struct agent *next = a->next;

			free(a->acks);
			free(a);
			a = next;
		}
	}
	db_close(in->db);
	uv_mutex_destroy(&in->lock);
	free(in);
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct ingest *in = handle->data;

	if (--in->handles > 0)
		return;
	void (*done)(void *arg) = in->done;
	void *arg = in->done_arg;
	in->gone = true;
	if (in->n_passing == 0)
		ingest_free(in);
	if (done)
		done(arg);
}

static void close_handles(struct ingest *in)
{
	uv_handle_t *handles[] = { (uv_handle_t *)&in->ack_timer,
		(uv_handle_t *)&in->beat_timer, (uv_handle_t *)&in->config_timer,
		(uv_handle_t *)&in->stop_timer, (uv_handle_t *)&in->async };

	in->handles = (int)HT_COUNT(handles);
	for (size_t i = 0; i < HT_COUNT(handles); i++)
		uv_close(handles[i], on_handle_closed);
}

static void on_client_closed(void *arg)
{
	struct ingest *in = arg;

	expire_commands(in, INT64_MAX, HT_CLOSED);
	close_handles(in);
}

/* The goodbye is out, or has taken too long. */
static void disconnect(struct ingest *in)
{
	if (in->closed)
		return;
	in->closed = true;
	end_sure(in, HT_CLOSED);
	client_close(in->client, on_client_closed, in);
}

/* What was taken is committed and told: the last word. */
static void goodbye(struct ingest *in)
{
	in->goodbye_due = false;
	if (in->closed)
		return;
	flush_acks(in);
	publish_presence(in, CONTROL_OFFLINE, &in->goodbye_mid);
}

static void on_stop_timer(uv_timer_t *timer)
{
	disconnect(timer->data);
}

static void on_published(void *arg, int mid)
{
	struct ingest *in = arg;

	for (size_t i = 0; i < in->n_sure; i++) {
		struct sure s = in->sure[i];

		if (s.mid != mid)
			continue;
		in->sure[i] = in->sure[--in->n_sure];
		s.taken(s.arg, HT_OK);
		break;
	}
	if (in->stopping && mid == in->goodbye_mid)
		disconnect(in);
}

static ht_err init_handles(struct ingest *in, uv_loop_t *loop)
{
	uv_timer_t *timers[] = { &in->ack_timer, &in->beat_timer, &in->config_timer,
		&in->stop_timer };

	if (uv_mutex_init(&in->lock))
		return HT_NOMEM;
	if (uv_async_init(loop, &in->async, on_async)) {
		uv_mutex_destroy(&in->lock);
		return HT_NOMEM;
	}
	in->async.data = in;
	for (size_t i = 0; i < HT_COUNT(timers); i++) {
		uv_timer_init(loop, timers[i]);
		timers[i]->data = in;
	}
	return HT_OK;
}

static ht_err new_client(
    struct ingest *in, const struct client_config *config, struct ht_fault *fault)
{
	struct client_config c = *config;
	char will_topic[TOPIC_MAX], client_id[64];
	struct client_events events = {
		.arg = in,
		.online = on_online,
		.offline = on_offline,
		.message = on_message,
		.published = on_published,
	};
	struct ht_buf will;

	ht_buf_init(&will, 1024);
	own_presence(in, CONTROL_LOST, &will);
	topic_format(TOPIC_SERVER_ID, TOPIC_PRESENCE, will_topic);
	snprintf(client_id, sizeof(client_id), "%s-%s", TOPIC_SERVER_ID, in->session);
	c.client_id = client_id;
	c.will_topic = will_topic;
	c.will = will.data;
	c.will_len = will.len;
	ht_err err = ht_buf_err(&will);
	if (!err)
		err = client_new(in->loop, &c, &events, &in->client, fault);
	ht_buf_fini(&will);
	return err;
}

ht_err ingest_start(uv_loop_t *loop, struct writer *writer, const char *db_file,
    const struct client_config *config, struct ingest **out, struct ht_fault *fault)
{
	struct ingest *in = calloc(1, sizeof(*in));

	if (!in)
		return ht_fault_set(fault, HT_NOMEM, "ingest: out of memory");
	in->loop = loop;
	in->writer = writer;
	in->commands_last = &in->commands;
	in->goodbye_mid = -1;
	random_hex(in->session, PROPS_HEX_LEN / 2);
	ht_err err = db_open(db_file, true, &in->db, fault);
	if (!err)
		err = init_handles(in, loop);
	if (err) {
		db_close(in->db);
		free(in);
		return err;
	}
	err = new_client(in, config, fault);
	if (err) {
		close_handles(in);
		return err;
	}
	own_row(in, "start");
	uv_timer_start(&in->beat_timer, on_beat, BEAT_MS, BEAT_MS);
	uv_timer_start(&in->config_timer, on_config, CONFIG_EVERY_MS, CONFIG_EVERY_MS);
	client_start(in->client);
	*out = in;
	return HT_OK;
}

void ingest_stop(struct ingest *in, void (*done)(void *arg), void *arg)
{
	uv_mutex_lock(&in->lock);
	in->stopping = true;
	uv_mutex_unlock(&in->lock);
	in->done = done;
	in->done_arg = arg;
	own_row(in, "stop");
	uv_timer_stop(&in->beat_timer);
	uv_timer_stop(&in->config_timer);
	if (!client_is_online(in->client)) {
		disconnect(in);
		return;
	}
	uv_timer_start(&in->stop_timer, on_stop_timer, STOP_MS, 0);
	in->goodbye_due = true;
	if (in->n_passing == 0)
		goodbye(in);
}

void ingest_listen(struct ingest *in, const struct ingest_listener *listener)
{
	in->listener = *listener;
}

void ingest_on_request(struct ingest *in,
    void (*request)(void *arg, const char *agent, const void *json, size_t len),
    void *arg)
{
	in->request = request;
	in->request_arg = arg;
}

ht_err ingest_publish(
    struct ingest *in, const char *topic, const void *payload, size_t len)
{
	return client_publish(in->client, topic, payload, len, false, NULL, NULL, NULL);
}

ht_err ingest_publish_sure(struct ingest *in, const char *topic, const void *payload,
    size_t len, void (*taken)(void *arg, ht_err err), void *arg)
{
	int mid;

	if (in->n_sure == SURE_MAX)
		return HT_FULL;
	if (in->stopping)
		return HT_CLOSED;
	ht_err err = client_publish(
	    in->client, topic, payload, len, false, "application/json", NULL, &mid);
	if (!err)
		in->sure[in->n_sure++] = (struct sure){ mid, taken, arg };
	return err;
}

ht_err ingest_reload_tls(struct ingest *in, struct ht_fault *fault)
{
	return client_reload_tls(in->client, fault);
}

void ingest_stats(struct ingest *in, struct ingest_stats *out)
{
	uv_mutex_lock(&in->lock);
	*out = in->stats;
	uv_mutex_unlock(&in->lock);
}
