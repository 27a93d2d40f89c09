#include "server/throughput/desk.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mqtt/control.h"
#include "server/throughput/lookup.h"
#include "server/throughput/sql.h"

#define TICK_MS    1000
#define ANSWER_NS  (15 * HT_NS_PER_S) /* for the agent's word that it has it */
#define SLACK_MS   3000 /* beyond the seconds asked for: the answer's way and the end's */
#define JOBS_MAX   64
#define PASS_SLACK (4 << 20)
#define KEEP_MS    (INT64_C(400) * 86400 * 1000) /* of the account */
#define REFUSED_NO "the server cannot decide now: ask again"

/* A pass that is out, so that what it carried is known when nobody says it. */
struct held {
	int64_t slot, until_ns;
	char agent[HT_ID_MAX + 1];
};

struct desk {
	struct writer *writer;
	struct desk_config config;
	uv_timer_t timer;
	struct held held[ENDPOINT_PASSES_MAX];
	size_t n_held;
	struct lookup_waiting waiting[LOOKUP_WAITING_MAX]; /* the writer thread's */
	size_t n_waiting;
	size_t n_jobs;
	bool stopping, timer_closed;
	void (*done)(void *arg);
	void *done_arg;
};

/* A question, from the loop to the writer and back. */
struct job {
	struct desk *desk;
	char agent[HT_ID_MAX + 1];
	struct ask ask;
	int64_t now_ms;
	/* what became of it */
	struct slots_verdict verdict;
	int64_t slot, expires_ms;
	int64_t replaced[LOOKUP_LIVE_MAX];
	size_t n_replaced;
};

static void desk_free(struct desk *d)
{
	if (!d->stopping || d->n_jobs || !d->timer_closed)
		return;
	void (*done)(void *arg) = d->done;
	void *arg = d->done_arg;

	free(d);
	done(arg);
}

static void job_end(struct job *j)
{
	struct desk *d = j->desk;

	free(j);
	d->n_jobs--;
	desk_free(d);
}

static struct job *job_new(struct desk *d, const char *agent)
{
	struct job *j = d->n_jobs < JOBS_MAX ? calloc(1, sizeof(*j)) : NULL;

	if (!j)
		return NULL;
	j->desk = d;
	j->now_ms = ht_wall_ms();
	snprintf(j->agent, sizeof(j->agent), "%s", agent);
	d->n_jobs++;
	return j;
}

/* ── the end of a slot ────────────────────────────────────────────────────────────── */

static void held_drop(struct desk *d, int64_t slot)
{
	for (size_t i = 0; i < d->n_held; i++) {
		if (d->held[i].slot == slot)
			d->held[i] = d->held[--d->n_held];
	}
}

static bool holds(const struct desk *d, int64_t slot, const char *agent)
{
	for (size_t i = 0; i < d->n_held; i++) {
		if (d->held[i].slot == slot)
			return strcmp(d->held[i].agent, agent) == 0;
	}
	return false;
}

static ht_err end_fn(struct db *db, void *arg)
{
	const struct job *j = arg;

	return db_exec(db, &slot_sql, SLOT_SQL_END, "iIsis", j->now_ms, j->ask.bytes,
	    j->ask.outcome, j->ask.slot, j->agent);
}

static void end_done(void *arg, ht_err err)
{
	struct job *j = arg;

	if (err)
		ht_log_warn(
		    "slot.end", "slot=%" PRId64 " err=%s", j->ask.slot, ht_err_name(err));
	else
		ht_log_info("slot.ended",
		    "slot=%" PRId64 " agent=%s bytes=%" PRId64 " outcome=\"%s\"",
		    j->ask.slot, j->agent, j->ask.bytes, j->ask.outcome);
	job_end(j);
}

/* The larger of what the agent says and what the endpoint saw counts. */
static void slot_end(struct job *j)
{
	struct desk *d = j->desk;
	int64_t seen = -1;

	/* Nobody ends another's. */
	if (holds(d, j->ask.slot, j->agent)) {
		seen = endpoint_end(d->config.endpoint, j->ask.slot);
		held_drop(d, j->ask.slot);
	}
	if (seen >= 0 && seen > j->ask.bytes)
		j->ask.bytes = seen;
	ht_err err = writer_post(d->writer, end_fn, end_done, j);
	if (err)
		end_done(j, err);
}

/* Of a slot whose agent will not say. `bytes` -1: unknown, all that it might have cost
 * is counted. */
static void slot_close(
    struct desk *d, const char *agent, int64_t slot, int64_t bytes, const char *outcome)
{
	struct job *j = job_new(d, agent);

	if (!j)
		return; /* it has expired all the same */
	j->ask.slot = slot;
	j->ask.bytes = bytes < 0 ? INT64_MIN : bytes;
	snprintf(j->ask.outcome, sizeof(j->ask.outcome), "%s", outcome);
	slot_end(j);
}

static void on_tick(uv_timer_t *timer)
{
	struct desk *d = timer->data;
	int64_t now_ns = ht_mono_ns();

	for (size_t i = d->n_held; i-- > 0;) {
		if (now_ns < d->held[i].until_ns)
			continue;
		struct held h = d->held[i];
		slot_close(d, h.agent, h.slot, -1, "expired");
	}
}

/* ── answers ──────────────────────────────────────────────────────────────────────── */

struct sent {
	struct desk *desk;
	char agent[HT_ID_MAX + 1];
	int64_t slot; /* 0: a refusal */
};

/* An agent that does not wait any more gives its slot back. One that says nothing may
 * have it all the same: that slot ends by itself. */
static void on_answered(void *arg, ht_err err, const char *json, size_t len)
{
	struct sent *s = arg;
	struct desk *d = s->desk;
	struct control_reply r;

	if (!err && s->slot && !control_reply_decode(json, len, &r)) {
		if (!r.ok)
			slot_close(d, s->agent, s->slot, 0, "not taken");
		control_reply_fini(&r);
	}
	free(s);
	d->n_jobs--;
	desk_free(d);
}

static void put(struct json_object *o, const char *key, const char *text)
{
	json_object_object_add(o, key, json_object_new_string(text));
}

static void put_number(struct json_object *o, const char *key, int64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, n);
	put(o, key, text);
}

static ht_err command(struct job *j, struct json_object *o)
{
	struct desk *d = j->desk;
	struct sent *s = calloc(1, sizeof(*s));

	if (!s)
		return HT_NOMEM;
	s->desk = d;
	s->slot = j->slot;
	memcpy(s->agent, j->agent, sizeof(s->agent));
	d->n_jobs++;
	ht_err err = d->config.command(d->config.arg, j->agent,
	    json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN), ANSWER_NS,
	    on_answered, s);
	if (err) {
		d->n_jobs--;
		free(s);
	}
	return err;
}

static ht_err answer(struct job *j, const char *why, const char *token)
{
	struct json_object *o = json_object_new_object();
	struct json_object *fields = json_object_new_object();

	if (!o || !fields) {
		json_object_put(o);
		json_object_put(fields);
		return HT_NOMEM;
	}
	put(o, "verb", "answer");
	put(o, "request", j->ask.id);
	json_object_object_add(o, "ok", json_object_new_boolean(!why));
	if (why)
		put(o, "error", why);
	json_object_object_add(o, "fields", fields);
	put_number(fields, "now", ht_wall_ms());
	if (why && j->verdict.wait_s > 0)
		put_number(fields, "wait", j->verdict.wait_s);
	if (!why) {
		put_number(fields, "slot", j->slot);
		put_number(fields, "bytes", j->verdict.bytes);
		put_number(fields, "seconds", j->ask.seconds);
	}
	if (token) {
		put(fields, "url", j->desk->config.url);
		put(fields, "token", token);
	}
	ht_err err = command(j, o);
	json_object_put(o);
	return err;
}

static void refuse(struct job *j, const char *why)
{
	ht_err err = j->desk->stopping ? HT_CLOSED : answer(j, why, NULL);

	ht_log_info("slot.refused", "agent=%s link=%s why=\"%s\"%s%s", j->agent,
	    j->ask.link, why, err ? " answer=" : "", err ? ht_err_name(err) : "");
	job_end(j);
}

/* ── the decision, on the writer's thread ─────────────────────────────────────────── */

static ht_err replace(struct db *db, struct job *j, const struct lookup *l)
{
	ht_err err = HT_OK;

	for (size_t i = 0; !err && i < l->n_replaced; i++) {
		err = db_exec(db, &slot_sql, SLOT_SQL_END, "iIsis", j->now_ms, INT64_MIN,
		    "replaced", l->replaced[i], j->agent);
		j->replaced[i] = l->replaced[i];
	}
	j->n_replaced = l->n_replaced;
	return err;
}

static ht_err grant(struct db *db, struct job *j, const struct lookup *l)
{
	ht_err err = replace(db, j, l);

	if (!err)
		err = db_exec(db, &slot_sql, SLOT_SQL_FORGET, "i", j->now_ms - KEEP_MS);
	j->expires_ms = j->now_ms + j->ask.seconds * 1000 + SLACK_MS;
	if (!err)
		err = db_exec(db, &slot_sql, SLOT_SQL_PUT, "ssiiii", j->agent,
		    j->ask.link, (int64_t)j->ask.endpoint, j->now_ms, j->expires_ms,
		    j->verdict.bytes);
	if (!err)
		j->slot = db_last_id(db);
	return err;
}

/* Told to ask again: it keeps its place; anything else ends that. */
static void wait_note(struct desk *d, const struct job *j)
{
	size_t n = 0;
	int64_t since_ms = j->now_ms;

	for (size_t i = 0; i < d->n_waiting; i++) {
		struct lookup_waiting *w = &d->waiting[i];
		bool mine =
		    strcmp(w->agent, j->agent) == 0 && strcmp(w->link, j->ask.link) == 0;

		if (mine)
			since_ms = w->since_ms;
		else if (j->now_ms - w->last_ms <= LOOKUP_WAITS_MS)
			d->waiting[n++] = *w;
	}
	d->n_waiting = n;
	if (j->verdict.granted || !j->verdict.wait_s || n == LOOKUP_WAITING_MAX)
		return;
	struct lookup_waiting *w = &d->waiting[d->n_waiting++];
	*w = (struct lookup_waiting){ .since_ms = since_ms, .last_ms = j->now_ms };
	memcpy(w->agent, j->agent, sizeof(w->agent));
	memcpy(w->link, j->ask.link, sizeof(w->link));
}

static ht_err decide_fn(struct db *db, void *arg)
{
	struct job *j = arg;
	const struct slots_rules *rules = &j->desk->config.rules;
	struct lookup *l = calloc(1, sizeof(*l));
	ht_err err = l ? lookup(db, &j->ask, j->agent, j->desk->waiting,
			     j->desk->n_waiting, rules->utc_offset_min, j->now_ms, l)
		       : HT_NOMEM;

	if (!err && l->refused[0])
		memcpy(j->verdict.why, l->refused, sizeof(j->verdict.why));
	else if (!err)
		slots_judge(rules, &l->ask, l->live, l->n_live, &j->verdict);
	if (!err)
		wait_note(j->desk, j);
	if (!err && !l->refused[0] && j->verdict.granted)
		err = grant(db, j, l);
	free(l);
	return err;
}

static ht_err give_pass(struct job *j, char token[static ENDPOINT_TOKEN_HEX + 1])
{
	struct desk *d = j->desk;
	int64_t until_ns = ht_mono_ns() + (j->expires_ms - ht_wall_ms()) * HT_NS_PER_MS;

	if (!d->config.endpoint || d->n_held == ENDPOINT_PASSES_MAX)
		return HT_FULL;
	/* The endpoint counts what it gave the kernel, the agent what came: let the agent
	 * be the first to see the end. */
	int64_t bytes = j->verdict.bytes + j->verdict.bytes / 8 + PASS_SLACK;
	ht_err err = endpoint_allow(d->config.endpoint, j->slot, bytes, until_ns, token);
	if (err)
		return err;
	struct held *h = &d->held[d->n_held++];
	*h = (struct held){ .slot = j->slot, .until_ns = until_ns };
	memcpy(h->agent, j->agent, sizeof(h->agent));
	return HT_OK;
}

static void decided(void *arg, ht_err err)
{
	struct job *j = arg;
	struct desk *d = j->desk;
	char token[ENDPOINT_TOKEN_HEX + 1] = "";

	if (err)
		ht_log_warn("slot.decide", "agent=%s link=%s err=%s", j->agent,
		    j->ask.link, ht_err_name(err));
	if (err || !j->verdict.granted) {
		refuse(j, err ? REFUSED_NO : j->verdict.why);
		return;
	}
	for (size_t i = 0; d->config.endpoint && i < j->n_replaced; i++) {
		endpoint_end(d->config.endpoint, j->replaced[i]);
		held_drop(d, j->replaced[i]);
	}
	if (j->ask.endpoint)
		err = give_pass(j, token);
	if (!err && !d->stopping)
		err = answer(j, NULL, token[0] ? token : NULL);
	explicit_bzero(token, sizeof(token));
	ht_log_info("slot.granted",
	    "slot=%" PRId64 " agent=%s link=%s bytes=%" PRId64 " seconds=%" PRId64
	    " error=%s",
	    j->slot, j->agent, j->ask.link, j->verdict.bytes, j->ask.seconds,
	    err ? ht_err_name(err) : "none");
	if (err && !d->stopping)
		slot_close(d, j->agent, j->slot, 0, "not taken");
	job_end(j);
}

/* ── questions ────────────────────────────────────────────────────────────────────── */

bool desk_request(struct desk *d, const char *agent, const void *json, size_t len)
{
	struct ask ask;
	ht_err err = ask_read(json, len, &ask);

	if (ask.kind == ASK_OTHER)
		return false;
	struct job *j = d->stopping ? NULL : job_new(d, agent);
	if (!j) {
		ht_log_warn("slot.dropped", "agent=%s jobs=%zu", agent, d->n_jobs);
		return true; /* it asks again */
	}
	j->ask = ask;
	if (err && ask.kind == ASK_SLOT)
		refuse(j, "the question is not as the protocol says: another version?");
	else if (err)
		job_end(j);
	else if (ask.kind == ASK_SLOT_END)
		slot_end(j);
	else if ((err = writer_post(d->writer, decide_fn, decided, j)))
		decided(j, err);
	return true;
}

/* ── life ─────────────────────────────────────────────────────────────────────────── */

ht_err desk_start(uv_loop_t *loop, struct writer *writer,
    const struct desk_config *config, struct desk **out)
{
	struct desk *d = calloc(1, sizeof(*d));

	if (!d)
		return HT_NOMEM;
	d->writer = writer;
	d->config = *config;
	uv_timer_init(loop, &d->timer);
	d->timer.data = d;
	uv_timer_start(&d->timer, on_tick, TICK_MS, TICK_MS);
	*out = d;
	return HT_OK;
}

static void timer_closed(uv_handle_t *handle)
{
	struct desk *d = handle->data;

	d->timer_closed = true;
	desk_free(d);
}

void desk_stop(struct desk *d, void (*done)(void *arg), void *arg)
{
	d->stopping = true;
	d->done = done;
	d->done_arg = arg;
	uv_close((uv_handle_t *)&d->timer, timer_closed);
}
