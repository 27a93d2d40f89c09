#include "server/throughput/desk.h"

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mqtt/control.h"
#include "server/throughput/answer.h"
#include "server/throughput/decide.h"
#include "server/throughput/sql.h"

#define TICK_MS    1000
#define ANSWER_NS  (15 * HT_NS_PER_S) /* for the agent's word that it has it */
#define JOBS_MAX   1024 /* of all agents: a province's that ask in one minute */
#define AGENT_MAX  2    /* questions of one agent in hand: one that it gave up, and one */
#define ENDS_MAX   8    /* and ends of slots that it tells */
#define REPEAT_MAX 128  /* refusals that are remembered */
#define PASS_SLACK (4 << 20)
#define AGAIN_S    5
#define REFUSED_NO "the server cannot decide now: ask again"

/* A pass that is out, so that what it carried is known when nobody says it, and a
 * question that comes twice has the same answer. */
struct held {
	int64_t slot, until_ns;
	char agent[HT_ID_MAX + 1];
	char token[ENDPOINT_TOKEN_HEX + 1];
};

/* A question that was refused. */
struct refused {
	char agent[HT_ID_MAX + 1], id[CONTROL_ID_MAX + 1];
};

struct desk {
	struct writer *writer;
	struct desk_config config;
	uv_timer_t timer;
	struct held held[ENDPOINT_PASSES_MAX];
	size_t n_held;
	struct refused refused[REPEAT_MAX]; /* a ring */
	size_t next_refused;
	struct decide_waiting waiting; /* the writer thread's */
	struct job *jobs;
	size_t n_jobs;
	bool stopping, timer_closed;
	void (*done)(void *arg);
	void *done_arg;
};

/* A question, from the loop to the writer and back, and when it is granted until the
 * agent says that it has the answer; or a slot's end (kind ASK_OTHER: one that no agent
 * told). */
struct job {
	struct job *next;
	struct desk *desk;
	struct decision x;
};

static void desk_free(struct desk *d)
{
	if (!d->stopping || d->n_jobs || !d->timer_closed)
		return;
	void (*done)(void *arg) = d->done;
	void *arg = d->done_arg;

	explicit_bzero(d->held, sizeof(d->held));
	free(d);
	done(arg);
}

static void job_end(struct job *j)
{
	struct desk *d = j->desk;

	for (struct job **at = &d->jobs; *at; at = &(*at)->next) {
		if (*at == j) {
			*at = j->next;
			break;
		}
	}
	free(j);
	d->n_jobs--;
	desk_free(d);
}

static struct job *job_new(struct desk *d, const char *agent, const struct ask *ask)
{
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->desk = d;
	j->x.ask = *ask;
	j->x.now_ms = ht_wall_ms();
	snprintf(j->x.agent, sizeof(j->x.agent), "%s", agent);
	j->next = d->jobs;
	d->jobs = j;
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

/* NULL: it has no pass, or is another's. */
static const struct held *held_find(const struct desk *d, int64_t slot, const char *agent)
{
	for (size_t i = 0; i < d->n_held; i++) {
		if (d->held[i].slot == slot)
			return strcmp(d->held[i].agent, agent) == 0 ? &d->held[i] : NULL;
	}
	return NULL;
}

static ht_err end_fn(struct db *db, void *arg)
{
	const struct job *j = arg;

	return db_exec(db, &slot_sql, SLOT_SQL_END, "iIsis", j->x.now_ms, j->x.ask.bytes,
	    j->x.ask.outcome, j->x.ask.slot, j->x.agent);
}

static void end_done(void *arg, ht_err err)
{
	struct job *j = arg;

	if (err)
		ht_log_warn("slot.end", "slot=%" PRId64 " err=%s", j->x.ask.slot,
		    ht_err_name(err));
	else
		ht_log_info("slot.ended",
		    "slot=%" PRId64 " agent=%s bytes=%" PRId64 " outcome=\"%s\"",
		    j->x.ask.slot, j->x.agent, j->x.ask.bytes, j->x.ask.outcome);
	job_end(j);
}

/* The larger of what the agent says and what the endpoint saw counts. */
static void slot_end(struct job *j)
{
	struct desk *d = j->desk;
	int64_t seen = -1;

	/* Nobody ends another's. */
	if (held_find(d, j->x.ask.slot, j->x.agent)) {
		seen = endpoint_end(d->config.endpoint, j->x.ask.slot);
		held_drop(d, j->x.ask.slot);
	}
	if (seen >= 0 && seen > j->x.ask.bytes)
		j->x.ask.bytes = seen;
	ht_err err = writer_post(d->writer, end_fn, end_done, j);
	if (err)
		end_done(j, err);
}

/* Of a slot whose agent will not say. `bytes` -1: unknown, all that it might have cost
 * is counted. */
static void slot_close(
    struct desk *d, const char *agent, int64_t slot, int64_t bytes, const char *outcome)
{
	struct ask ask = {
		.kind = ASK_OTHER, .slot = slot, .bytes = bytes < 0 ? INT64_MIN : bytes
	};

	snprintf(ask.outcome, sizeof(ask.outcome), "%s", outcome);
	struct job *j = job_new(d, agent, &ask);
	if (j)
		slot_end(j);
	else
		ht_log_warn("slot.end", "slot=%" PRId64 " err=nomem", slot);
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

/* An agent that does not wait any more gives its slot back. One that says nothing may
 * have it all the same: that slot ends by itself. */
static void on_answered(void *arg, ht_err err, const char *json, size_t len)
{
	struct job *j = arg;
	struct control_reply r;

	if (!err && !control_reply_decode(json, len, &r)) {
		if (!r.ok)
			slot_close(j->desk, j->x.agent, j->x.slot, 0, "not taken");
		control_reply_fini(&r);
	}
	job_end(j);
}

/* `reply` NULL: nobody waits for the agent's word. */
static ht_err tell(
    struct desk *d, const char *agent, struct answer a, desk_reply_fn reply, void *arg)
{
	a.now_ms = ht_wall_ms();
	a.url = d->config.url;
	struct json_object *o = d->stopping ? NULL : answer_json(&a);
	if (!o)
		return d->stopping ? HT_CLOSED : HT_NOMEM;
	ht_err err = d->config.command(d->config.arg, agent,
	    json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN), ANSWER_NS, reply,
	    arg);
	json_object_put(o);
	return err;
}

/* Told once and not waited for: a refusal holds nothing. */
static ht_err refuse(struct desk *d, const char *agent, const struct ask *ask,
    const char *why, int64_t wait_s)
{
	const struct answer a = { .request = ask->id, .why = why, .wait_s = wait_s };
	ht_err err = tell(d, agent, a, NULL, NULL);

	ht_log_info("slot.refused", "agent=%s link=%s why=\"%s\"%s%s", agent, ask->link,
	    why, err ? " answer=" : "", err ? ht_err_name(err) : "");
	return err;
}

/* ── the decision ─────────────────────────────────────────────────────────────────── */

static ht_err decide_fn(struct db *db, void *arg)
{
	struct job *j = arg;

	return decide(db, &j->desk->config.rules, &j->desk->waiting, &j->x);
}

static ht_err give_pass(struct job *j)
{
	struct desk *d = j->desk;
	int64_t until_ns = ht_mono_ns() + (j->x.expires_ms - ht_wall_ms()) * HT_NS_PER_MS;

	if (!d->config.endpoint || d->n_held == ENDPOINT_PASSES_MAX)
		return HT_FULL;
	struct held *h = &d->held[d->n_held];
	*h = (struct held){ .slot = j->x.slot, .until_ns = until_ns };
	memcpy(h->agent, j->x.agent, sizeof(h->agent));
	/* The endpoint counts what it gave the kernel, the agent what came: let the agent
	 * be the first to see the end. */
	int64_t bytes = j->x.verdict.bytes + j->x.verdict.bytes / 8 + PASS_SLACK;
	ht_err err =
	    endpoint_allow(d->config.endpoint, j->x.slot, bytes, until_ns, h->token);
	d->n_held += !err;
	return err;
}

static struct answer grant_of(const struct job *j)
{
	const struct held *h = held_find(j->desk, j->x.slot, j->x.agent);

	return (struct answer){ .request = j->x.ask.id,
		.slot = j->x.slot,
		.bytes = j->x.verdict.bytes,
		.seconds = j->x.ask.seconds,
		.token = h ? h->token : NULL };
}

/* Nobody is asked whether it has that: who has had it says no, and goes on using it. */
static void answer_again(struct job *j)
{
	struct answer a = grant_of(j);

	if (!j->x.verdict.granted || (j->x.ask.endpoint && !a.token)) {
		refuse(j->desk, j->x.agent, &j->x.ask,
		    "this question was answered, and its slot is over: ask under another "
		    "id",
		    AGAIN_S);
	} else {
		ht_err err = tell(j->desk, j->x.agent, a, NULL, NULL);
		ht_log_info("slot.again", "slot=%" PRId64 " agent=%s error=%s", j->x.slot,
		    j->x.agent, err ? ht_err_name(err) : "none");
	}
	job_end(j);
}

static void answer_granted(struct job *j)
{
	struct desk *d = j->desk;
	ht_err err = HT_OK;

	for (size_t i = 0; d->config.endpoint && i < j->x.n_replaced; i++) {
		endpoint_end(d->config.endpoint, j->x.replaced[i]);
		held_drop(d, j->x.replaced[i]);
	}
	if (j->x.ask.endpoint)
		err = give_pass(j);
	if (!err)
		err = tell(d, j->x.agent, grant_of(j), on_answered, j);
	ht_log_info("slot.granted",
	    "slot=%" PRId64 " agent=%s link=%s bytes=%" PRId64 " seconds=%" PRId64
	    " error=%s",
	    j->x.slot, j->x.agent, j->x.ask.link, j->x.verdict.bytes, j->x.ask.seconds,
	    err ? ht_err_name(err) : "none");
	if (!err)
		return; /* on_answered */
	if (!d->stopping)
		slot_close(d, j->x.agent, j->x.slot, 0, "not taken");
	job_end(j);
}

static void remember_refused(struct desk *d, const struct job *j)
{
	struct refused *r = &d->refused[d->next_refused++ % REPEAT_MAX];

	memcpy(r->agent, j->x.agent, sizeof(r->agent));
	memcpy(r->id, j->x.ask.id, sizeof(r->id));
}

static void decided(void *arg, ht_err err)
{
	struct job *j = arg;

	if (err) {
		ht_log_warn("slot.decide", "agent=%s link=%s err=%s", j->x.agent,
		    j->x.ask.link, ht_err_name(err));
		refuse(j->desk, j->x.agent, &j->x.ask, REFUSED_NO, AGAIN_S);
		job_end(j);
	} else if (j->x.repeated) {
		answer_again(j);
	} else if (j->x.verdict.granted) {
		answer_granted(j);
	} else {
		if (!refuse(j->desk, j->x.agent, &j->x.ask, j->x.verdict.why,
			j->x.verdict.wait_s))
			remember_refused(j->desk, j);
		job_end(j);
	}
}

/* ── questions ────────────────────────────────────────────────────────────────────── */

static size_t in_hand(const struct desk *d, const char *agent, enum ask_kind kind)
{
	size_t n = 0;

	for (const struct job *j = d->jobs; j; j = j->next)
		n += j->x.ask.kind == kind && strcmp(j->x.agent, agent) == 0;
	return n;
}

/* Its answer is on its way, or it has it. */
static bool asked_already(const struct desk *d, const char *agent, const char *id)
{
	for (const struct job *j = d->jobs; j; j = j->next) {
		if (j->x.ask.kind == ASK_SLOT && strcmp(j->x.agent, agent) == 0 &&
		    strcmp(j->x.ask.id, id) == 0)
			return true;
	}
	for (size_t i = 0; i < REPEAT_MAX; i++) {
		if (strcmp(d->refused[i].agent, agent) == 0 &&
		    strcmp(d->refused[i].id, id) == 0)
			return true;
	}
	return false;
}

static void question(struct desk *d, const char *agent, const struct ask *ask)
{
	if (asked_already(d, agent, ask->id)) {
		ht_log_debug("slot.twice", "agent=%s request=%s", agent, ask->id);
		return;
	}
	if (in_hand(d, agent, ASK_SLOT) >= AGENT_MAX) {
		refuse(d, agent, ask,
		    "questions of this agent are open: take their answers first",
		    AGAIN_S);
		return;
	}
	struct job *j = d->n_jobs < JOBS_MAX ? job_new(d, agent, ask) : NULL;
	if (!j) {
		refuse(d, agent, ask, REFUSED_NO, AGAIN_S);
		return;
	}
	ht_err err = writer_post(d->writer, decide_fn, decided, j);
	if (err)
		decided(j, err);
}

static void told_end(struct desk *d, const char *agent, const struct ask *ask)
{
	bool room = d->n_jobs < JOBS_MAX && in_hand(d, agent, ASK_SLOT_END) < ENDS_MAX;
	struct job *j = room ? job_new(d, agent, ask) : NULL;

	if (j)
		slot_end(j);
	else
		ht_log_warn("slot.end",
		    "slot=%" PRId64 " agent=%s jobs=%zu dropped: it ends by itself",
		    ask->slot, agent, d->n_jobs);
}

bool desk_request(struct desk *d, const char *agent, const void *json, size_t len)
{
	struct ask ask;
	ht_err err = ask_read(json, len, &ask);

	if (ask.kind == ASK_OTHER)
		return false;
	if (d->stopping)
		ht_log_info("slot.stopping", "agent=%s", agent); /* it asks again */
	else if (err && ask.kind == ASK_SLOT)
		refuse(d, agent, &ask,
		    "the question is not as the protocol says: another version?", 0);
	else if (err)
		ht_log_warn("slot.end", "agent=%s err=%s", agent, ht_err_name(err));
	else if (ask.kind == ASK_SLOT)
		question(d, agent, &ask);
	else
		told_end(d, agent, &ask);
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
