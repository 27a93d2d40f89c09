#include "server/registry/push.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/name.h"
#include "base/option.h"
#include "mqtt/control.h"
#include "server/registry/push_compose.h"
#include "server/registry/sql.h"

#define LOOK_MS     500
#define GATHER_NS   (10 * HT_NS_PER_S) /* an endless import is looked at all the same */
#define REPLY_NS    (15 * HT_NS_PER_S)
#define SOON_NS     (2 * HT_NS_PER_S) /* nobody answered, or presence is on its way */
#define REFUSED_NS  (600 * HT_NS_PER_S)
#define SENDING_MAX 32 /* lists under way at a time */
#define STALE_MAX   1024
#define STALLS_MAX  5 /* replies in a row that ask for no later page */

/* The registry as last seen. */
struct mark {
	int64_t links, newest_link, agents, newest_agent;
};

/* An agent that needs a list it does not say to have. */
struct stale {
	char agent[HT_ID_MAX + 1], session[PROPS_HEX_LEN + 1];
};

/* How far we are with an agent; beside lists.at. */
struct sending {
	bool under_way;
	int64_t not_before_ns;
	char session[PROPS_HEX_LEN + 1]; /* to which it was sent last */
};

/* One look, made in the pool. */
struct look {
	uv_work_t work; /* first */
	struct push *push;
	ht_err err;
	bool unfolded;
	struct mark mark;
	bool made; /* lists are */
	struct push_lists lists;
	struct stale *stale;
	size_t n_stale;
};

struct push {
	uv_loop_t *loop;
	struct writer *writer;
	struct push_config config;
	struct db *db; /* the look's alone while one is under way */
	uv_timer_t timer;
	struct look look;
	bool looking, stopping, timer_closed;
	struct mark seen, composed;
	bool ever;        /* composed */
	int64_t dirty_ns; /* since when the registry is another; 0: it is not */
	struct push_lists lists;
	struct sending *sending;
	size_t n_sending;
	size_t n_waiting; /* for the writer and for replies */
	void (*done)(void *arg);
	void *done_arg;
};

static void push_free(struct push *p)
{
	if (!p->stopping || p->looking || p->n_waiting || !p->timer_closed)
		return;
	void (*done)(void *arg) = p->done;
	void *arg = p->done_arg;

	push_lists_fini(&p->lists);
	free(p->sending);
	free(p->look.stale);
	db_close(p->db);
	free(p);
	done(arg);
}

/* ── looking, in the pool ─────────────────────────────────────────────────────────── */

static ht_err look_mark(struct look *l)
{
	struct db *db = l->push->db;
	struct db_rows *rows = db_start(db, &registry_sql, SQL_UNFOLDED, "");
	ht_err err = db_next(rows);

	l->unfolded = !err;
	db_done(rows);
	if (err && err != HT_NOTFOUND)
		return err;
	rows = db_start(db, &registry_sql, SQL_TARGETS_MARK, "");
	err = db_next(rows);
	if (!err)
		l->mark = (struct mark){ db_int(rows, 0), db_int(rows, 1),
			db_int(rows, 2), db_int(rows, 3) };
	db_done(rows);
	return err;
}

static ht_err look_stale(struct look *l)
{
	struct db_rows *rows = db_start(
	    l->push->db, &registry_sql, SQL_TARGETS_STALE, "i", (int64_t)STALE_MAX);
	ht_err err;

	l->n_stale = 0;
	while (!(err = db_next(rows)) && l->n_stale < STALE_MAX) {
		struct stale *s = &l->stale[l->n_stale++];
		const char *session = db_text(rows, 1);

		snprintf(s->agent, sizeof(s->agent), "%s", db_text(rows, 0));
		snprintf(s->session, sizeof(s->session), "%s", session ? session : "");
	}
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static bool same_mark(const struct mark *a, const struct mark *b)
{
	return a->links == b->links && a->newest_link == b->newest_link &&
	       a->agents == b->agents && a->newest_agent == b->newest_agent;
}

/* The registry stands still, or has not for too long. What is read of p is not written
 * while a look is under way. */
static bool compose_due(const struct push *p, const struct look *l)
{
	if (p->ever && same_mark(&l->mark, &p->composed))
		return false;
	if (p->dirty_ns && ht_mono_ns() - p->dirty_ns > GATHER_NS)
		return true;
	return !l->unfolded && (!p->ever || same_mark(&l->mark, &p->seen));
}

static void look_work(uv_work_t *work)
{
	struct look *l = (struct look *)work;
	struct push *p = l->push;

	l->made = false;
	l->err = db_begin_read(p->db);
	if (l->err)
		return;
	l->err = look_mark(l);
	if (!l->err && compose_due(p, l)) {
		l->err = push_compose(p->db, &p->config.places, &l->lists);
		l->made = !l->err;
	}
	if (!l->err)
		l->err = look_stale(l);
	db_rollback(p->db);
}

/* ── what is to be remembered ─────────────────────────────────────────────────────── */

struct remember {
	struct push *push;
	struct push_lists lists; /* without texts */
	/* or one refusal: */
	char agent[HT_ID_MAX + 1], said[PUSH_HASH_LEN + 1];
	char refused[CONTROL_ERROR_MAX + 1];
};

static ht_err remember_fn(struct db *db, void *arg)
{
	struct remember *r = arg;
	int64_t now_ms = ht_wall_ms();
	ht_err err = HT_OK;

	if (r->agent[0])
		return db_exec(db, &registry_sql, SQL_TARGETS_REFUSED, "siss", r->refused,
		    now_ms, r->agent, r->said);
	for (size_t i = 0; !err && i < r->lists.n; i++) {
		const struct push_list *l = &r->lists.at[i];
		err = db_exec(db, &registry_sql, SQL_TARGETS_PUT, "ssii", l->agent,
		    l->said, (int64_t)l->targets, now_ms);
	}
	return err;
}

static void remember_done(void *arg, ht_err err)
{
	struct remember *r = arg;
	struct push *p = r->push;

	if (err)
		ht_log_warn("targets.remember", "err=%s", ht_err_name(err));
	push_lists_fini(&r->lists);
	free(r);
	p->n_waiting--;
	push_free(p);
}

static void remember_post(struct remember *r)
{
	struct push *p = r->push;
	ht_err err = writer_post(p->writer, remember_fn, remember_done, r);

	p->n_waiting++;
	if (err)
		remember_done(r, err);
}

/* Those of the new lists that are others than before. */
static ht_err remember_lists(struct push *p, const struct push_lists *new)
{
	struct remember *r = calloc(1, sizeof(*r));

	if (!r)
		return HT_NOMEM;
	r->push = p;
	r->lists.at = calloc(new->n + 1, sizeof(*r->lists.at));
	bool ok = r->lists.at;
	for (size_t i = 0; ok && i < new->n; i++) {
		const struct push_list *l = &new->at[i];
		const struct push_list *was = push_lists_find(&p->lists, l->agent);

		if (was && strcmp(was->hash, l->hash) == 0)
			continue;
		struct push_list *copy = &r->lists.at[r->lists.n];
		*copy = *l;
		copy->text = NULL;
		copy->agent = strdup(l->agent);
		ok = copy->agent;
		r->lists.n += ok;
	}
	if (!ok || r->lists.n == 0) {
		push_lists_fini(&r->lists);
		free(r);
		return ok ? HT_OK : HT_NOMEM;
	}
	remember_post(r);
	return HT_OK;
}

static void remember_refused(
    struct push *p, const struct push_list *l, const char *refused)
{
	struct remember *r = calloc(1, sizeof(*r));

	ht_log_warn("targets.refused", "agent=%s hash=%.12s targets=%zu error=\"%s\"",
	    l->agent, l->hash, l->targets, refused);
	if (!r)
		return;
	r->push = p;
	snprintf(r->agent, sizeof(r->agent), "%s", l->agent);
	snprintf(r->said, sizeof(r->said), "%s", l->said);
	snprintf(r->refused, sizeof(r->refused), "%s", refused);
	remember_post(r);
}

/* ── pages ────────────────────────────────────────────────────────────────────────── */

struct page {
	struct push *push;
	char agent[HT_ID_MAX + 1], hash[PUSH_HASH_LEN + 1];
	char session[PROPS_HEX_LEN + 1];
	int64_t page, pages;
	int stalls;
};

static struct sending *sending_of(struct push *p, const struct push_list *l)
{
	return &p->sending[l - p->lists.at];
}

static void page_send(struct push *p, const struct push_list *l, int64_t n, int stalls);

static void sending_end(struct push *p, const struct push_list *l, int64_t wait_ns)
{
	struct sending *s = sending_of(p, l);

	s->under_way = false;
	s->not_before_ns = ht_mono_ns() + wait_ns;
	p->n_sending--;
}

/* The page that the agent wants next; -1: its reply says none. */
static int64_t page_next(const struct control_reply *r)
{
	for (size_t i = 0; i < r->n_fields; i++) {
		int64_t n;

		if (strcmp(r->fields[i].key, "next") == 0 &&
		    !ht_int_parse(r->fields[i].value, &n) && n >= 0)
			return n;
	}
	return -1;
}

static void page_answered(struct push *p, struct push_list *l, const struct page *page,
    const char *json, size_t len)
{
	struct control_reply r = { 0 };

	if (control_reply_decode(json, len, &r)) {
		sending_end(p, l, REFUSED_NS);
		return;
	}
	int64_t next = page_next(&r);
	int stalls = next > page->page ? 0 : page->stalls + 1;
	if (!r.ok) {
		sending_end(p, l, REFUSED_NS);
		remember_refused(p, l, r.error);
	} else if (next < 0 || next > page->pages || stalls > STALLS_MAX) {
		sending_end(p, l, REFUSED_NS);
		remember_refused(p, l, "the agent's reply asks for no page there is");
	} else if (next == page->pages) {
		ht_log_info("targets.sent", "agent=%s hash=%.12s targets=%zu pages=%lld",
		    l->agent, l->hash, l->targets, (long long)page->pages);
		sending_end(p, l, SOON_NS);
	} else {
		page_send(p, l, next, stalls);
	}
	control_reply_fini(&r);
}

static void page_replied(void *arg, ht_err err, const char *json, size_t len)
{
	struct page *page = arg;
	struct push *p = page->push;
	struct push_list *l = push_lists_find(&p->lists, page->agent);

	p->n_waiting--;
	/* What an earlier start of the agent was sent is not waited for any more. */
	if (l && sending_of(p, l)->under_way &&
	    strcmp(sending_of(p, l)->session, page->session) == 0) {
		if (p->stopping || err)
			sending_end(p, l, SOON_NS);
		else if (strcmp(l->hash, page->hash) != 0)
			sending_end(p, l, 0); /* another list since: begin anew */
		else
			page_answered(p, l, page, json, len);
	}
	free(page);
	push_free(p);
}

/* A list is cut into pages wherever it is; it is one text again at the agent. */
static char *page_json(const struct push_list *l, int64_t n, int64_t pages)
{
	struct json_object *o = json_object_new_object();
	size_t from = (size_t)n * CONTROL_PAGE_BYTES, len = l->len - from;
	char *json = NULL;

	if (!o)
		return NULL;
	if (len > CONTROL_PAGE_BYTES)
		len = CONTROL_PAGE_BYTES;
	json_object_object_add(o, "verb", json_object_new_string("targets"));
	json_object_object_add(o, "hash", json_object_new_string(l->hash));
	json_object_object_add(o, "page", json_object_new_int64(n));
	json_object_object_add(o, "pages", json_object_new_int64(pages));
	json_object_object_add(
	    o, "text", json_object_new_string_len(l->text + from, (int)len));
	json = strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
	return json;
}

static void page_send(struct push *p, const struct push_list *l, int64_t n, int stalls)
{
	struct page *page = calloc(1, sizeof(*page));
	int64_t pages = (int64_t)((l->len + CONTROL_PAGE_BYTES - 1) / CONTROL_PAGE_BYTES);
	char *json = page_json(l, n, pages);
	ht_err err = page && json ? HT_OK : HT_NOMEM;

	if (!err) {
		*page = (struct page){
			.push = p, .page = n, .pages = pages, .stalls = stalls
		};
		snprintf(page->agent, sizeof(page->agent), "%s", l->agent);
		memcpy(page->hash, l->hash, sizeof(page->hash));
		memcpy(page->session, sending_of(p, l)->session, sizeof(page->session));
		err = p->config.command(
		    p->config.arg, l->agent, json, REPLY_NS, page_replied, page);
	}
	free(json);
	if (!err) {
		p->n_waiting++;
		return;
	}
	free(page);
	sending_end(p, l, SOON_NS);
}

static void send_stale(struct push *p, const struct stale *stale)
{
	const struct push_list *l = push_lists_find(&p->lists, stale->agent);
	struct sending *s = l ? sending_of(p, l) : NULL;

	/* One that has started anew knows nothing of pages, and may think otherwise. */
	bool fresh = s && strcmp(s->session, stale->session) != 0;
	if (!s || (!fresh && (s->under_way || ht_mono_ns() < s->not_before_ns)) ||
	    (!s->under_way && p->n_sending >= SENDING_MAX))
		return;
	memcpy(s->session, stale->session, sizeof(s->session));
	p->n_sending += !s->under_way;
	s->under_way = true;
	page_send(p, l, 0, 0);
}

/* ── after a look, on the loop ────────────────────────────────────────────────────── */

/* The new lists in the place of the old; what was under way for one that is the same
 * goes on. */
static void swap(struct push *p, struct look *l)
{
	struct sending *sending = calloc(l->lists.n + 1, sizeof(*sending));
	ht_err err = sending ? remember_lists(p, &l->lists) : HT_NOMEM;

	if (err) {
		free(sending);
		push_lists_fini(&l->lists);
		ht_log_warn("targets.compose", "err=%s", ht_err_name(err));
		return;
	}
	p->n_sending = 0;
	for (size_t i = 0; i < l->lists.n; i++) {
		const struct push_list *was =
		    push_lists_find(&p->lists, l->lists.at[i].agent);
		if (!was)
			continue;
		sending[i] = *sending_of(p, was);
		if (strcmp(was->hash, l->lists.at[i].hash) != 0)
			sending[i].not_before_ns = 0;
		p->n_sending += sending[i].under_way;
	}
	free(p->sending);
	push_lists_fini(&p->lists);
	p->sending = sending;
	p->lists = l->lists;
	p->composed = l->mark;
	p->ever = true;
	ht_log_info("targets.composed",
	    "agents=%zu vantage=%zu unusable=%zu parents_cut=%zu", p->lists.n,
	    p->lists.vantage.targets, p->lists.vantage.unusable,
	    p->lists.vantage.parents);
}

static void look_done(uv_work_t *work, int status)
{
	struct look *l = (struct look *)work;
	struct push *p = l->push;

	p->looking = false;
	if (l->err)
		ht_log_warn("targets.look", "err=%s", ht_err_name(l->err));
	if (p->stopping) {
		if (l->made)
			push_lists_fini(&l->lists);
		push_free(p);
		return;
	}
	if (l->made)
		swap(p, l);
	p->seen = l->mark;
	if (p->ever && same_mark(&p->seen, &p->composed))
		p->dirty_ns = 0;
	else if (!p->dirty_ns)
		p->dirty_ns = ht_mono_ns();
	for (size_t i = 0; !l->err && i < l->n_stale; i++)
		send_stale(p, &l->stale[i]);
}

static void on_timer(uv_timer_t *timer)
{
	struct push *p = timer->data;

	if (p->looking)
		return;
	p->looking = uv_queue_work(p->loop, &p->look.work, look_work, look_done) == 0;
}

/* ── life ─────────────────────────────────────────────────────────────────────────── */

ht_err push_start(uv_loop_t *loop, struct writer *writer,
    const struct push_config *config, struct push **out, struct ht_fault *fault)
{
	struct push *p = calloc(1, sizeof(*p));

	if (!p)
		return HT_NOMEM;
	p->loop = loop;
	p->writer = writer;
	p->config = *config;
	p->look.push = p;
	p->look.stale = calloc(STALE_MAX, sizeof(*p->look.stale));
	ht_err err = p->look.stale ? HT_OK : HT_NOMEM;
	if (!err)
		err = db_open(config->db_file, true, &p->db, fault);
	if (err) {
		free(p->look.stale);
		free(p);
		return err;
	}
	uv_timer_init(loop, &p->timer);
	p->timer.data = p;
	uv_timer_start(&p->timer, on_timer, 0, LOOK_MS);
	*out = p;
	return HT_OK;
}

static void timer_closed(uv_handle_t *handle)
{
	struct push *p = handle->data;

	p->timer_closed = true;
	push_free(p);
}

void push_stop(struct push *p, void (*done)(void *arg), void *arg)
{
	p->stopping = true;
	p->done = done;
	p->done_arg = arg;
	uv_close((uv_handle_t *)&p->timer, timer_closed);
}
