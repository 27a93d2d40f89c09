#include "server/alert/sender.h"

#include <assert.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/name.h"
#include "mqtt/jtext.h"
#include "server/alert/command.h"
#include "server/alert/message.h"
#include "server/alert/outbox.h"
#include "server/alert/preset.h"
#include "server/alert/smtp.h"
#include "server/alert/template.h"
#include "server/alert/transfer.h"

#define BUSY_MAX      512   /* on the way at the same time, all channels */
#define LOOK_AGAIN_MS 60000 /* at the latest: clocks may jump */
#define MARK_AGAIN_MS 1000  /* when the store refused */
#define RETRY_AFTER_S 3600  /* more than that nobody makes us wait */
#define ERROR_MAX     512

/* What is kept of a channel, by its id: it lives on when the file is read anew. */
struct lane {
	char id[HT_ID_MAX + 1];
	size_t busy;
	double tokens; /* messages that may leave now; at most a minute's */
	int64_t filled_ms, pause_until_ms;
	bool failing;
};

/* One message on the way, or waiting for its mark. */
struct delivery {
	struct sender *sender;
	struct delivery *next, **self;
	struct outbox_row row;
	const struct channels *channels; /* held: row.channel is in there */
	struct command_run *command;
	bool ok, ended;
	int64_t retry_after_s;
	char error[ERROR_MAX];
	struct outbox_mark mark;
};

struct claim_call {
	struct sender *sender;
	struct outbox_claim claim;
	const struct channels *channels; /* held */
	int64_t busy[BUSY_MAX];
};

struct sender {
	struct sender_config config;
	uv_mutex_t lock;                 /* guards `channels`: API threads read it */
	const struct channels *channels; /* held */
	struct transfers *transfers;
	uv_async_t wake; /* from the writer's thread: rows were committed */
	uv_timer_t timer;
	struct lane lanes[2 * CHANNELS_MAX]; /* loops over when ids change for ever */
	size_t n_lanes;
	struct delivery *first;
	size_t n_busy;
	bool claiming, again, hurry;
	/* the end */
	bool stopping, unwatched;
	int waits; /* calls to the writer, handles and transfers that still end */
	void (*done)(void *arg);
	void *done_arg;
};

static void look(struct sender *s);
static void on_time(uv_timer_t *timer);
static void delivery_free(struct delivery *d);

static int64_t loop_ms(const struct sender *s)
{
	return (int64_t)uv_now(s->config.loop);
}

/* ── the end ─────────────────────────────────────────────────────────────────────── */

static void sender_waited(struct sender *s)
{
	assert(s->waits > 0);
	if (--s->waits || !s->stopping)
		return;
	void (*done)(void *arg) = s->done;
	void *arg = s->done_arg;
	while (s->first) /* whose mark was refused: they stay pending */
		delivery_free(s->first);
	channels_release(s->channels);
	uv_mutex_destroy(&s->lock);
	free(s);
	done(arg);
}

/* ── lanes ───────────────────────────────────────────────────────────────────────── */

static struct lane *lane_of(struct sender *s, const struct channel *c)
{
	struct lane *l = NULL;

	for (size_t i = 0; i < s->n_lanes; i++) {
		if (strcmp(s->lanes[i].id, c->id) == 0)
			return &s->lanes[i];
	}
	if (s->n_lanes < HT_COUNT(s->lanes))
		l = &s->lanes[s->n_lanes++];
	for (size_t i = 0; !l; i++) { /* of a channel that is gone */
		if (!channels_find(s->channels, s->lanes[i].id) && !s->lanes[i].busy)
			l = &s->lanes[i];
		else if (i + 1 == s->n_lanes)
			l = &s->lanes[0];
	}
	*l = (struct lane){ .tokens = (double)c->per_minute, .filled_ms = loop_ms(s) };
	snprintf(l->id, sizeof(l->id), "%s", c->id);
	return l;
}

static void lane_fill(struct lane *l, const struct channel *c, int64_t now)
{
	double per_ms = (double)c->per_minute / 60000.0;

	l->tokens += (double)(now - l->filled_ms) * per_ms;
	if (l->tokens > (double)c->per_minute)
		l->tokens = (double)c->per_minute;
	l->filled_ms = now;
}

/* How many more may leave now. While it fails, one alone finds out whether it still does.
 */
static size_t lane_room(struct lane *l, const struct channel *c, int64_t now)
{
	size_t most = l->failing ? 1 : (size_t)c->concurrency, room;

	lane_fill(l, c, now);
	if (l->pause_until_ms > now || l->busy >= most)
		return 0;
	room = most - l->busy;
	return (double)room < l->tokens ? room : (size_t)l->tokens;
}

/* ── the end of one message ──────────────────────────────────────────────────────── */

static void delivery_free(struct delivery *d)
{
	*d->self = d->next;
	if (d->next)
		d->next->self = d->self;
	d->sender->n_busy--;
	outbox_row_fini(&d->row);
	channels_release(d->channels);
	free(d);
}

static ht_err mark_fn(struct db *db, void *arg)
{
	struct delivery *d = arg;

	return outbox_mark(db, &d->mark);
}

static void mark_done(void *arg, ht_err err);

/* A row whose mark the store refuses stays with us, so that it is not sent again. */
static void mark(struct delivery *d)
{
	struct sender *s = d->sender;

	d->mark.id = d->row.id;
	if (!writer_post(s->config.writer, mark_fn, mark_done, d)) {
		s->waits++;
		return;
	}
	d->mark.id = 0; /* marked again at the timer */
	if (!s->stopping)
		uv_timer_start(&s->timer, on_time, MARK_AGAIN_MS, 0);
}

static void mark_done(void *arg, ht_err err)
{
	struct delivery *d = arg;
	struct sender *s = d->sender;

	if (err) {
		ht_log_warn("alert.mark", "key=%s err=%s", d->row.key, ht_err_name(err));
		d->mark.id = 0;
		if (!s->stopping)
			uv_timer_start(&s->timer, on_time, MARK_AGAIN_MS, 0);
	} else {
		struct lane *l = lane_of(s, d->row.channel);
		l->busy -= l->busy > 0;
		delivery_free(d);
		look(s);
	}
	sender_waited(s);
}

static void mark_leftovers(struct sender *s)
{
	for (struct delivery *d = s->first, *next; d; d = next) {
		next = d->next;
		if (d->ended && d->mark.id == 0)
			mark(d);
	}
}

static void log_end(const struct delivery *d)
{
	const char *state = d->mark.state;

	if (d->ok)
		ht_log_info("alert.sent", "key=%s channel=%s kind=%s attempts=%d",
		    d->row.key, d->row.channel->id, d->row.kind, d->row.attempts + 1);
	else
		ht_log_warn("alert.not-sent",
		    "key=%s channel=%s state=%s attempts=%d why=\"%s\"", d->row.key,
		    d->row.channel->id, state, d->row.attempts + 1, d->error);
}

static void decide(struct delivery *d, struct lane *l)
{
	int64_t now = ht_wall_ms(), wait;
	uint32_t random = 0;

	d->mark = (struct outbox_mark){ .id = d->row.id, .now_ms = now, .due_ms = now };
	if (d->ok) {
		d->mark.state = "sent";
		d->mark.channel = l->failing ? d->row.channel->id : NULL;
		return;
	}
	d->mark.error = d->error;
	if (now - d->row.created_ms >= outbox_patience_ms(d->row.kind)) {
		d->mark.state = "failed";
		return;
	}
	(void)!getrandom(&random, sizeof(random), 0);
	wait = outbox_backoff_ms(d->row.attempts + 1, random);
	if (d->retry_after_s * 1000 > wait)
		wait = d->retry_after_s * 1000;
	d->mark.state = "pending";
	d->mark.due_ms = now + wait;
}

static void ended(struct delivery *d, bool ok)
{
	struct sender *s = d->sender;
	struct lane *l = lane_of(s, d->row.channel);

	if (d->retry_after_s > RETRY_AFTER_S)
		d->retry_after_s = RETRY_AFTER_S;
	d->ok = ok;
	d->ended = true;
	decide(d, l);
	log_end(d);
	l->failing = !ok;
	if (!ok && d->retry_after_s > 0)
		l->pause_until_ms = loop_ms(s) + d->retry_after_s * 1000;
	mark(d);
}

static void failed(struct delivery *d, const char *why)
{
	snprintf(d->error, sizeof(d->error), "%s", why);
	ended(d, false);
}

/* ── HTTP ────────────────────────────────────────────────────────────────────────── */

/* Whether the answer's JSON says what the channel wants to hear. */
static bool reply_good(const struct channel *c, const struct transfer_result *r)
{
	struct json_object *o = NULL, *v = NULL;
	bool good = false;

	if (!c->reply_field)
		return true;
	if (!jtext_parse(r->body, r->len, 16, &o, NULL) &&
	    json_object_is_type(o, json_type_object) &&
	    json_object_object_get_ex(o, c->reply_field, &v)) {
		const char *text =
		    json_object_is_type(v, json_type_string)
			? json_object_get_string(v)
			: json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN);
		good = text && strcmp(text, c->reply_value) == 0;
	}
	json_object_put(o);
	return good;
}

/* Whether a text from outside holds something that only the channels file may know. */
static bool answer_tells(const struct channel *c, const char *text)
{
	if (secret_is_set(&c->secret) && secret_shows(&c->secret, false, text))
		return true;
	if (secret_is_set(&c->url) && secret_shows(&c->url, true, text))
		return true;
	for (size_t i = 0; i < c->n_headers; i++) {
		const struct channel_pair *h = &c->headers[i];

		if (h->text ? h->text[0] && strstr(text, h->text)
			    : secret_shows(&h->secret, false, text))
			return true;
	}
	return false;
}

/* The beginning of an answer, for a person; never when a secret shows in it. */
static void quote_answer(
    const struct channel *c, const struct transfer_result *r, char out[static 200])
{
	bool shows = answer_tells(c, r->body);
	size_t n = 0;

	for (const char *p = r->body; !shows && *p && n < 160; p++)
		out[n++] = (unsigned char)*p < ' ' || *p == 0x7f ? ' ' : *p;
	while (n && n == 160 && ((unsigned char)out[n - 1] & 0x80))
		n--; /* no letter is cut */
	out[n] = '\0';
}

static void on_http(void *arg, const struct transfer_result *r)
{
	struct delivery *d = arg;
	const struct channel *c = d->row.channel;
	bool ok = r->ok && reply_good(c, r);
	char quote[200] = "";

	d->retry_after_s = r->retry_after_s;
	if (!ok) {
		if (r->len)
			quote_answer(c, r, quote);
		snprintf(d->error, sizeof(d->error), "%s%s%s",
		    r->ok ? "it answered, but not what `reply_field` wants" : r->error,
		    quote[0] ? ": " : "", quote);
	}
	ended(d, ok);
}

static ht_err put_header(
    struct transfer_request *r, char *made[], const char *name, const char *text)
{
	if (r->n_headers == TRANSFER_HEADERS_MAX)
		return HT_FULL;
	if (asprintf(&made[r->n_headers], "%s: %s", name, text) < 0)
		return HT_NOMEM;
	r->headers[r->n_headers] = made[r->n_headers];
	r->n_headers++;
	return HT_OK;
}

/* Keys hold ids of rules and channels alone, but a header takes no chance. */
static void header_safe(const char *key, char out[static OUTBOX_KEY_MAX])
{
	size_t n = 0;

	for (; *key && n + 1 < OUTBOX_KEY_MAX; key++)
		out[n++] = (unsigned char)*key <= ' ' || (unsigned char)*key >= 0x7f
			       ? '_'
			       : *key;
	out[n] = '\0';
}

static ht_err http_headers(struct delivery *d, struct transfer_request *r, char *made[],
    const char *token, struct ht_fault *fault)
{
	const struct channel *c = d->row.channel;
	const struct preset *p = preset_find(c->kind);
	char text[SECRET_MAX + 64], key[OUTBOX_KEY_MAX];

	header_safe(d->row.key, key);
	ht_err err = put_header(r, made, "Content-Type", c->content_type);
	if (!err)
		err = put_header(r, made, "Idempotency-Key", key);
	if (!err && p && p->header && token[0]) {
		snprintf(text, sizeof(text), "%s%s", p->prefix, token);
		err = put_header(r, made, p->header, text);
	}
	for (size_t i = 0; !err && i < c->n_headers; i++) {
		const struct channel_pair *h = &c->headers[i];

		if (h->text)
			snprintf(text, sizeof(text), "%s", h->text);
		else
			err = secret_read(&h->secret, text, fault);
		if (!err)
			err = put_header(r, made, h->name, text);
	}
	explicit_bzero(text, sizeof(text));
	return err;
}

/* The address; a preset's own has the token in the place of its "%s". */
static ht_err http_url(const struct channel *c, const char *token, char *out, size_t cap,
    struct ht_fault *fault)
{
	char url[SECRET_MAX];
	ht_err err = secret_url(&c->url, c->plain_http, url, fault);
	const char *mark_ = err ? NULL : strstr(url, "%s");

	if (err)
		return err;
	if (mark_ && preset_find(c->kind) && token[0])
		snprintf(out, cap, "%.*s%s%s", (int)(mark_ - url), url, token, mark_ + 2);
	else
		snprintf(out, cap, "%s", url);
	explicit_bzero(url, sizeof(url));
	return HT_OK;
}

static ht_err start_http(
    struct delivery *d, const struct message *m, struct ht_fault *fault)
{
	const struct channel *c = d->row.channel;
	char token[SECRET_MAX] = "", url[2 * SECRET_MAX] = "";
	char *made[TRANSFER_HEADERS_MAX] = { 0 };
	struct transfer_request r = {
		.url = url, .method = c->method, .ca = c->ca, .timeout_ms = c->timeout_ms
	};
	struct ht_buf body;
	ht_err err = HT_OK;

	ht_buf_init(&body, TEMPLATE_OUTPUT_MAX);
	if (secret_is_set(&c->secret))
		err = secret_read(&c->secret, token, fault);
	if (!err)
		err = http_url(c, token, url, sizeof(url), fault);
	if (!err)
		err = http_headers(d, &r, made, token, fault);
	if (!err)
		err = template_render(c->body, m, &body);
	r.body = body.data;
	r.len = body.len;
	if (!err)
		err = transfer_start(d->sender->transfers, &r, on_http, d);
	for (size_t i = 0; i < r.n_headers; i++) {
		explicit_bzero(made[i], strlen(made[i]));
		free(made[i]);
	}
	explicit_bzero(token, sizeof(token));
	explicit_bzero(url, sizeof(url));
	ht_buf_fini(&body);
	return err;
}

/* ── e-mail ──────────────────────────────────────────────────────────────────────── */

static void on_smtp(void *arg, const struct transfer_result *r)
{
	struct delivery *d = arg;

	if (!r->ok)
		snprintf(d->error, sizeof(d->error), "the mail server: %s", r->error);
	ended(d, r->ok);
}

static ht_err compose(struct delivery *d, const struct message *m, struct ht_buf *out)
{
	const struct channel *c = d->row.channel;
	struct ht_buf subject, text, html;

	ht_buf_init(&subject, 4096);
	ht_buf_init(&text, TEMPLATE_OUTPUT_MAX);
	ht_buf_init(&html, TEMPLATE_OUTPUT_MAX);
	ht_err err = template_render(c->subject, m, &subject);
	if (!err)
		err = template_render(c->body, m, &text);
	if (!err)
		err = template_render(c->html, m, &html);
	struct smtp_mail mail = {
		.from = c->from,
		.to = &c->to,
		.key = d->row.key,
		.announce_key = d->row.announce_key,
		.subject = ht_buf_text(&subject),
		.text = ht_buf_text(&text),
		.html = html.len ? ht_buf_text(&html) : NULL,
		.now_ms = ht_wall_ms(),
	};
	if (!err)
		err = smtp_compose(&mail, out);
	ht_buf_fini(&subject);
	ht_buf_fini(&text);
	ht_buf_fini(&html);
	return err;
}

static ht_err start_smtp(
    struct delivery *d, const struct message *m, struct ht_fault *fault)
{
	const struct channel *c = d->row.channel;
	char password[SECRET_MAX] = "", url[400];
	struct ht_buf mail;
	ht_err err = HT_OK;

	ht_buf_init(&mail, SMTP_MAIL_MAX);
	snprintf(url, sizeof(url), "%s://%s:%d/hatang",
	    c->tls == CHANNEL_IMPLICIT ? "smtps" : "smtp", c->server, (int)c->port);
	if (c->user)
		err = secret_read(&c->secret, password, fault);
	if (!err)
		err = compose(d, m, &mail);
	struct transfer_request r = { .url = url,
		.ca = c->ca,
		.timeout_ms = c->timeout_ms,
		.starttls = c->tls == CHANNEL_STARTTLS,
		.user = c->user,
		.password = password,
		.from = c->from,
		.to = &c->to,
		.body = mail.data,
		.len = mail.len };
	if (!err)
		err = transfer_start(d->sender->transfers, &r, on_smtp, d);
	explicit_bzero(password, sizeof(password));
	ht_buf_fini(&mail);
	return err;
}

/* ── MQTT and commands ───────────────────────────────────────────────────────────── */

static void on_mqtt(void *arg, ht_err err)
{
	struct delivery *d = arg;

	if (err)
		failed(d, "the connection to the broker ended before it had it");
	else
		ended(d, true);
}

static ht_err start_mqtt(
    struct delivery *d, const struct message *m, struct ht_fault *fault)
{
	struct sender *s = d->sender;
	struct ht_buf body;

	ht_buf_init(&body, TEMPLATE_OUTPUT_MAX);
	ht_err err = template_render(d->row.channel->body, m, &body);
	if (!err) {
		err = s->config.publish(s->config.publish_arg, d->row.channel->topic,
		    body.data, body.len, on_mqtt, d);
		if (err)
			(void)ht_fault_set(fault, err, "the broker is away");
	}
	ht_buf_fini(&body);
	return err;
}

static void on_command(void *arg, bool ok, const char *error)
{
	struct delivery *d = arg;

	d->command = NULL;
	if (!ok)
		snprintf(d->error, sizeof(d->error), "%s", error);
	ended(d, ok);
}

static ht_err start_command(
    struct delivery *d, const struct message *m, struct ht_fault *fault)
{
	const struct channel *c = d->row.channel;
	struct ht_buf body;

	ht_buf_init(&body, TEMPLATE_OUTPUT_MAX);
	ht_err err = template_render(c->body, m, &body);
	struct command_request r = { .argv = &c->command,
		.key = d->row.key,
		.incident = d->row.incident,
		.kind = d->row.kind,
		.body = body.data,
		.len = body.len,
		.timeout_ms = c->timeout_ms };
	if (!err)
		err = command_start(
		    d->sender->config.loop, &r, on_command, d, &d->command, fault);
	ht_buf_fini(&body);
	return err;
}

/* ── claiming ────────────────────────────────────────────────────────────────────── */

static ht_err (*const starts[])(
    struct delivery *d, const struct message *m, struct ht_fault *fault) = {
	[CHANNEL_EMAIL] = start_smtp,
	[CHANNEL_HTTP] = start_http,
	[CHANNEL_MQTT] = start_mqtt,
	[CHANNEL_COMMAND] = start_command,
};

static void deliver(struct delivery *d)
{
	struct ht_fault fault = { 0 };
	struct message m;
	struct message_row row = { d->row.key, d->row.incident, d->row.kind, d->row.facts,
		strlen(d->row.facts), ht_wall_ms() };
	ht_err err = message_init(&m, &row, d->row.channel, d->channels->public_url);

	if (!err) {
		err = starts[d->row.channel->transport](d, &m, &fault);
		message_fini(&m);
	}
	if (err)
		failed(d, fault.text[0] ? fault.text
			  : err == HT_TOOLARGE
			      ? "the message became too long: shorten the "
				"template"
			      : ht_err_name(err));
}

/* Takes over the row. */
static void begin(
    struct sender *s, const struct channels *channels, struct outbox_row *row)
{
	struct delivery *d = calloc(1, sizeof(*d));

	if (!d) {
		outbox_row_fini(row); /* stays pending: claimed again */
		return;
	}
	d->sender = s;
	d->row = *row;
	d->channels = channels_hold(channels);
	d->next = s->first;
	d->self = &s->first;
	if (d->next)
		d->next->self = &d->next;
	s->first = d;
	s->n_busy++;
	struct lane *l = lane_of(s, d->row.channel);
	l->busy++;
	l->tokens -= 1;
	deliver(d);
}

static ht_err claim_fn(struct db *db, void *arg)
{
	struct claim_call *call = arg;

	return outbox_claim(db, &call->claim);
}

static void on_time(uv_timer_t *timer)
{
	struct sender *s = timer->data;

	mark_leftovers(s);
	look(s);
}

/* Sleep until the next row is due, or a lane has room again. */
static void set_timer(struct sender *s, const struct outbox_claim *c)
{
	int64_t wait = LOOK_AGAIN_MS, now = loop_ms(s), until;

	if (c->next_ms) {
		until = c->next_ms - ht_wall_ms();
		wait = until < wait ? until : wait;
	}
	for (size_t i = 0; i < c->channels->n; i++) {
		const struct channel *ch = &c->channels->at[i];
		struct lane *l = lane_of(s, ch);

		if (l->pause_until_ms > now && l->pause_until_ms - now < wait)
			wait = l->pause_until_ms - now;
		if (l->tokens < 1 && 60000 / ch->per_minute + 1 < wait)
			wait = 60000 / ch->per_minute + 1;
	}
	uv_timer_start(&s->timer, on_time, (uint64_t)(wait > 1 ? wait : 1), 0);
}

static void claim_done(void *arg, ht_err err)
{
	struct claim_call *call = arg;
	struct sender *s = call->sender;
	struct outbox_claim *c = &call->claim;
	size_t n = err ? 0 : c->n; /* on failure outbox_claim left none */

	s->claiming = false;
	if (err && !s->stopping)
		ht_log_warn("alert.claim", "err=%s", ht_err_name(err));
	if (!err && c->dropped)
		ht_log_info("alert.dropped", "rows=%d", c->dropped);
	for (size_t i = 0; i < n; i++) {
		if (s->stopping)
			outbox_row_fini(&c->rows[i]);
		else
			begin(s, call->channels, &c->rows[i]);
	}
	if (!s->stopping) {
		set_timer(s, c);
		if (err)
			uv_timer_start(&s->timer, on_time, MARK_AGAIN_MS, 0);
		else if (s->again || n == OUTBOX_CLAIM_MAX)
			look(s);
	}
	channels_release(call->channels);
	free(call);
	sender_waited(s);
}

/* Ask the writer for what is due, unless it is asked already. */
static void look(struct sender *s)
{
	if (s->stopping)
		return;
	if (s->claiming) {
		s->again = true;
		return;
	}
	struct claim_call *call = calloc(1, sizeof(*call));
	if (!call) {
		uv_timer_start(&s->timer, on_time, MARK_AGAIN_MS, 0);
		return;
	}
	call->sender = s;
	call->channels = channels_hold(s->channels);
	call->claim = (struct outbox_claim){ .channels = call->channels,
		.now_ms = ht_wall_ms(),
		.hurry = s->hurry,
		.busy = call->busy };
	for (struct delivery *d = s->first; d && call->claim.n_busy < BUSY_MAX;
	     d = d->next)
		call->busy[call->claim.n_busy++] = d->row.id;
	for (size_t i = 0; i < s->channels->n && s->n_busy < BUSY_MAX; i++) {
		struct lane *l = lane_of(s, &s->channels->at[i]);
		size_t room = lane_room(l, &s->channels->at[i], loop_ms(s));
		call->claim.want[i] = room ? room + l->busy : 0;
	}
	s->again = false;
	if (writer_post(s->config.writer, claim_fn, claim_done, call)) {
		channels_release(call->channels);
		free(call);
		uv_timer_start(&s->timer, on_time, MARK_AGAIN_MS, 0);
		return;
	}
	s->claiming = true;
	s->hurry = false;
	s->waits++;
}

/* ── life ────────────────────────────────────────────────────────────────────────── */

static void on_wake(uv_async_t *wake)
{
	look(wake->data);
}

/* On the writer's thread, after a commit. */
static void on_committed(void *arg)
{
	uv_async_send(arg);
}

static ht_err watch_fn(struct db *db, void *arg)
{
	struct sender *s = arg;

	if (s->unwatched)
		db_watch(db, NULL, NULL, NULL);
	else
		db_watch(db, "outbox", on_committed, &s->wake);
	return HT_OK;
}

static void watch_done(void *arg, ht_err err)
{
	struct sender *s = arg;

	if (!err)
		look(s); /* rows may have come before the watch */
	else
		ht_log_error("alert.watch", "err=%s", ht_err_name(err));
	sender_waited(s);
}

ht_err sender_start(const struct sender_config *config, const struct channels *channels,
    struct sender **out)
{
	struct sender *s = calloc(1, sizeof(*s));

	if (!s)
		return HT_NOMEM;
	s->config = *config;
	if (uv_mutex_init(&s->lock)) {
		free(s);
		return HT_NOMEM;
	}
	ht_err err = transfers_new(config->loop, &s->transfers);
	if (err) {
		uv_mutex_destroy(&s->lock);
		free(s);
		return err;
	}
	s->channels = channels_hold(channels);
	uv_async_init(config->loop, &s->wake, on_wake);
	s->wake.data = s;
	uv_timer_init(config->loop, &s->timer);
	s->timer.data = s;
	s->waits = 1;
	err = writer_post(config->writer, watch_fn, watch_done, s);
	assert(!err); /* the writer has just been started */
	*out = s;
	return err;
}

void sender_reload(struct sender *s, const struct channels *channels)
{
	uv_mutex_lock(&s->lock);
	const struct channels *old = s->channels;
	s->channels = channels_hold(channels);
	uv_mutex_unlock(&s->lock);
	channels_release(old);
	for (size_t i = 0; i < s->n_lanes; i++)
		s->lanes[i].pause_until_ms = 0;
	s->hurry = true;
	look(s);
}

static void on_closed(uv_handle_t *handle)
{
	sender_waited(handle->data);
}

static void on_transfers_closed(void *arg)
{
	sender_waited(arg);
}

static void unwatch_done(void *arg, ht_err err)
{
	struct sender *s = arg;

	s->waits += 3;
	uv_close((uv_handle_t *)&s->wake, on_closed);
	uv_close((uv_handle_t *)&s->timer, on_closed);
	transfers_close(s->transfers, on_transfers_closed, s);
	for (struct delivery *d = s->first, *next; d; d = next) {
		next = d->next;
		if (d->command)
			command_cancel(d->command);
		if (!d->ended || d->mark.id == 0) /* else mark_done frees it */
			delivery_free(d);
	}
	sender_waited(s);
}

void sender_stop(struct sender *s, void (*done)(void *arg), void *arg)
{
	s->stopping = true;
	s->unwatched = true;
	s->done = done;
	s->done_arg = arg;
	uv_timer_stop(&s->timer);
	s->waits++;
	/* Behind all marks and claims that were asked for: it ends them too. */
	if (writer_post(s->config.writer, watch_fn, unwatch_done, s))
		unwatch_done(s, HT_OK);
}

const struct channels *sender_channels(struct sender *s)
{
	uv_mutex_lock(&s->lock);
	const struct channels *c = channels_hold(s->channels);
	uv_mutex_unlock(&s->lock);
	return c;
}
