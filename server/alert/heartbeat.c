#include "server/alert/heartbeat.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/alert/transfer.h"
#include "server/store/journal.h"

#define TIMEOUT_MS  10000
#define FOLD_LAG_MS 120000 /* folds that are further behind are not well */

struct peer {
	struct heartbeat *all;
	uv_timer_t timer;
	size_t index;
	int64_t answered_ms; /* loop's time of the last answer, or when we began */
	bool silent, told, asking;
	bool telling; /* `row` is at the writer */
	char reason[200];
	char row[400];
	struct journal_row put;
};

struct heartbeat {
	uv_loop_t *loop;
	struct writer *writer;
	struct transfers *transfers;
	const struct channels *channels; /* held */
	uv_timer_t timer;
	bool beating, ill;
	struct peer peers[CHANNEL_PEERS_MAX];
	bool stopping;
	int waits, in_flight; /* in_flight: transfers, counted in waits too */
	void (*done)(void *arg);
	void *done_arg;
};

static void heartbeat_waited(struct heartbeat *h)
{
	assert(h->waits > 0);
	if (--h->waits || !h->stopping)
		return;
	void (*done)(void *arg) = h->done;
	void *arg = h->done_arg;
	channels_release(h->channels);
	free(h);
	done(arg);
}

/* ── outwards ────────────────────────────────────────────────────────────────────── */

/* NULL: all is well. */
static const char *illness(struct heartbeat *h)
{
	struct writer_stats s;

	writer_stats(h->writer, &s);
	if (s.failing_since_ms)
		return "the store cannot be written";
	if (s.fold_lag_rows && s.fold_lag_ms > FOLD_LAG_MS)
		return "the folds are more than two minutes behind";
	return NULL;
}

static void on_beaten(void *arg, const struct transfer_result *r)
{
	struct heartbeat *h = arg;

	if (!r->ok)
		ht_log_warn("heartbeat.not-sent", "why=\"%s\"", r->error);
	h->beating = false;
	h->in_flight--;
	heartbeat_waited(h);
}

static void beat(struct heartbeat *h)
{
	const struct channel_heartbeat *c = &h->channels->heartbeat;
	char url[SECRET_MAX] = "";
	struct ht_fault fault = { 0 };
	static const char body[] =
	    "{\"service\":\"hatang\",\"version\":\"" HATANG_VERSION "\",\"ok\":true}";
	struct transfer_request r = { .url = url,
		.method = c->post ? "POST" : NULL,
		.headers = { "Content-Type: application/json" },
		.n_headers = c->post ? 1 : 0,
		.body = body,
		.len = c->post ? sizeof(body) - 1 : 0,
		.ca = c->ca,
		.timeout_ms = TIMEOUT_MS };

	ht_err err = secret_url(&c->url, false, url, &fault);
	if (!err)
		err = transfer_start(h->transfers, &r, on_beaten, h);
	explicit_bzero(url, sizeof(url));
	if (err) {
		ht_log_warn("heartbeat.not-sent", "err=%s why=\"%s\"", ht_err_name(err),
		    fault.text);
		h->beating = false;
	} else {
		h->waits++;
		h->in_flight++;
	}
}

static ht_err nothing(struct db *db, void *arg)
{
	return HT_OK;
}

/* The writer has answered us: its thread lives. */
static void on_writer(void *arg, ht_err err)
{
	struct heartbeat *h = arg;
	const char *why = err ? ht_err_name(err) : illness(h);

	if (why && !h->ill)
		ht_log_error("heartbeat.withheld", "why=\"%s\"", why);
	h->ill = why;
	if (!why && !h->stopping && secret_is_set(&h->channels->heartbeat.url))
		beat(h);
	else
		h->beating = false;
	heartbeat_waited(h);
}

static void on_beat(uv_timer_t *timer)
{
	struct heartbeat *h = timer->data;

	if (h->beating || writer_post(h->writer, nothing, on_writer, h))
		return;
	h->beating = true;
	h->waits++;
}

/* ── sideways ────────────────────────────────────────────────────────────────────── */

static void on_told(void *arg, const struct writer_result *result)
{
	struct peer *p = arg;

	p->telling = false;
	if (result->err)
		p->told = false; /* said again at the next answer or silence */
	heartbeat_waited(p->all);
}

/* The words are ours, but curl's sentence may quote. */
static void json_text(const char *text, char *out, size_t cap)
{
	size_t n = 0;

	for (; *text && n + 1 < cap; text++)
		out[n++] = (unsigned char)*text < ' ' || *text == '"' || *text == '\\'
			       ? ' '
			       : *text;
	while (n && ((unsigned char)out[n - 1] & 0x80))
		n--; /* no letter is cut */
	out[n] = '\0';
}

static void tell(struct peer *p, bool silent)
{
	struct heartbeat *h = p->all;
	char since[HT_RFC3339_LEN + 1], reason[150];
	int64_t now = ht_wall_ms();

	if (p->telling || (p->told && p->silent == silent))
		return; /* at the next answer, then */
	ht_rfc3339(
	    silent ? now - ((int64_t)uv_now(h->loop) - p->answered_ms) : now, since);
	json_text(p->reason, reason, sizeof(reason));
	int len = snprintf(p->row, sizeof(p->row),
	    "{\"peer\":\"%s\",\"state\":\"%s\",\"since\":\"%s\",\"reason\":\"%s\"}",
	    h->channels->peers[p->index].id, silent ? "silent" : "answering", since,
	    reason);
	p->put = (struct journal_row){ .source = JOURNAL_SERVER,
		.kind = "peer",
		.received_ms = now,
		.content_type = "application/json",
		.payload = p->row,
		.len = (size_t)len };
	if (writer_submit(h->writer, &p->put, on_told, p))
		return;
	h->waits++;
	p->telling = true;
	p->silent = silent;
	p->told = true;
	ht_log_warn("peer.state", "peer=%s state=%s why=\"%s\"",
	    h->channels->peers[p->index].id, silent ? "silent" : "answering", p->reason);
}

static void on_answer(void *arg, const struct transfer_result *r)
{
	struct peer *p = arg;
	struct heartbeat *h = p->all;
	int64_t now = (int64_t)uv_now(h->loop);

	p->asking = false;
	h->in_flight--;
	if (r->ok)
		p->answered_ms = now;
	snprintf(p->reason, sizeof(p->reason), "%.190s", r->ok ? "" : r->error);
	if (!h->stopping && p->index < h->channels->n_peers) {
		if (r->ok)
			tell(p, false);
		else if (now - p->answered_ms >= h->channels->peers[p->index].silent_ms)
			tell(p, true);
	}
	heartbeat_waited(h);
}

static void on_ask(uv_timer_t *timer)
{
	struct peer *p = timer->data;
	struct heartbeat *h = p->all;
	const struct channel_peer *c = &h->channels->peers[p->index];
	char url[SECRET_MAX];
	struct transfer_request r = { .url = url, .ca = c->ca, .timeout_ms = TIMEOUT_MS };

	if (p->asking || secret_url(&c->url, true, url, NULL))
		return;
	if (!transfer_start(h->transfers, &r, on_answer, p)) {
		p->asking = true;
		h->waits++;
		h->in_flight++;
	}
}

/* ── life ────────────────────────────────────────────────────────────────────────── */

static void start_timers(struct heartbeat *h)
{
	uv_timer_stop(&h->timer);
	if (secret_is_set(&h->channels->heartbeat.url))
		uv_timer_start(
		    &h->timer, on_beat, 0, (uint64_t)h->channels->heartbeat.every_ms);
	for (size_t i = 0; i < CHANNEL_PEERS_MAX; i++) {
		struct peer *p = &h->peers[i];

		uv_timer_stop(&p->timer);
		if (i >= h->channels->n_peers)
			continue;
		p->told = false;
		p->answered_ms = (int64_t)uv_now(h->loop);
		uv_timer_start(
		    &p->timer, on_ask, 0, (uint64_t)h->channels->peers[i].every_ms);
	}
}

ht_err heartbeat_start(uv_loop_t *loop, struct writer *writer,
    const struct channels *channels, struct heartbeat **out)
{
	struct heartbeat *h = calloc(1, sizeof(*h));

	if (!h || transfers_new(loop, &h->transfers)) {
		free(h);
		return HT_NOMEM;
	}
	h->loop = loop;
	h->writer = writer;
	h->channels = channels_hold(channels);
	uv_timer_init(loop, &h->timer);
	h->timer.data = h;
	for (size_t i = 0; i < CHANNEL_PEERS_MAX; i++) {
		h->peers[i].all = h;
		h->peers[i].index = i;
		uv_timer_init(loop, &h->peers[i].timer);
		h->peers[i].timer.data = &h->peers[i];
	}
	start_timers(h);
	*out = h;
	return HT_OK;
}

void heartbeat_reload(struct heartbeat *h, const struct channels *channels)
{
	const struct channels *old = h->channels;

	h->channels = channels_hold(channels);
	channels_release(old);
	start_timers(h);
}

static void on_closed(uv_handle_t *handle)
{
	struct heartbeat *h = handle->data;

	heartbeat_waited(h);
}

static void on_transfers_closed(void *arg)
{
	heartbeat_waited(arg);
}

static void on_peer_closed(uv_handle_t *handle)
{
	struct peer *p = handle->data;

	heartbeat_waited(p->all);
}

void heartbeat_stop(struct heartbeat *h, void (*done)(void *arg), void *arg)
{
	h->stopping = true;
	h->done = done;
	h->done_arg = arg;
	/* What is under way is dropped, and tells nobody. */
	h->waits += 2 + CHANNEL_PEERS_MAX - h->in_flight;
	transfers_close(h->transfers, on_transfers_closed, h);
	uv_close((uv_handle_t *)&h->timer, on_closed);
	for (size_t i = 0; i < CHANNEL_PEERS_MAX; i++)
		uv_close((uv_handle_t *)&h->peers[i].timer, on_peer_closed);
}
