#include "server/registry/broker_sync.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/name.h"
#include "mqtt/topic.h"
#include "server/registry/broker.h"
#include "server/registry/dynsec.h"
#include "server/registry/import_plan.h"
#include "server/registry/sql.h"

enum {
	LOOK_MS = 600000, /* without a poke, look this often */
	RETRY_MS = 5000,
	AGAIN_MS = 500,         /* the broker is starting */
	LIST_AGE_MS = 86400000, /* the revocation list is written anew each day */
	BATCH = 25,             /* agents a message: 16 KiB of JSON */
	MESSAGE_MAX = 131072,
};

struct client {
	char name[HT_ID_MAX + 1];
	char textname[DYNSEC_TEXTNAME_MAX];
};

struct clients {
	struct client *at;
	size_t n;
};

/* What the writer thread reads for us, and the list that it writes. */
struct look {
	struct broker_sync *sync;
	struct clients wanted;
	int64_t now_ms;
	int64_t list_ms;    /* in: when the list was written last; out: now, if it was */
	uint64_t list_mark; /* what the list holds, to know when it changes */
	bool list_written;
};

struct broker_sync {
	uv_loop_t *loop;
	struct writer *writer;
	struct broker_sync_config config;
	char *dir, *pid_file;
	uv_async_t poke;
	uv_timer_t timer;
	bool online, listed; /* the broker has told all its clients */
	bool looking, again; /* the writer is at it; look once more then */
	bool reload;         /* the broker has yet to read the list */
	bool stopping;
	int n_handles;
	struct clients there, paging;
	int n_paged; /* with the server's own client */
	int64_t list_ms;
	uint64_t list_mark;
	struct broker_sync_stats stats;
	void (*done)(void *arg);
	void *done_arg;
};

/* ── clients in order ─────────────────────────────────────────────────────────────── */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct client *)a)->name, ((const struct client *)b)->name);
}

static bool add(struct clients *list, const char *name, const char *textname)
{
	void *more = import_grow(list->at, list->n, sizeof(*list->at));

	if (!more)
		return false;
	list->at = more;
	struct client *c = &list->at[list->n++];
	snprintf(c->name, sizeof(c->name), "%s", name);
	snprintf(c->textname, sizeof(c->textname), "%s", textname);
	return true;
}

static void empty(struct clients *list)
{
	free(list->at);
	*list = (struct clients){ 0 };
}

/* ── in the writer thread ─────────────────────────────────────────────────────────── */

static ht_err read_wanted(struct db *db, struct look *look)
{
	struct db_rows *rows =
	    db_start(db, &registry_sql, SQL_CERT_WANTED, "i", look->now_ms);
	ht_err err;

	while ((err = db_next(rows)) == HT_OK) {
		char textname[DYNSEC_TEXTNAME_MAX];
		dynsec_textname(db_text(rows, 1), textname);
		if (!add(&look->wanted, db_text(rows, 0), textname)) {
			err = HT_NOMEM;
			break;
		}
	}
	db_done(rows);
	return err == HT_NOTFOUND ? HT_OK : err;
}

static ht_err read_revoked(
    struct db *db, int64_t now_ms, struct ca_revoked **out, size_t *out_n)
{
	struct db_rows *rows = db_start(db, &registry_sql, SQL_CERT_REVOKED, "i", now_ms);
	struct ca_revoked *list = NULL;
	size_t n = 0;
	ht_err err;

	while ((err = db_next(rows)) == HT_OK) {
		void *more = import_grow(list, n, sizeof(*list));
		if (!more) {
			err = HT_NOMEM;
			break;
		}
		list = more;
		snprintf(list[n].serial, sizeof(list[n].serial), "%s", db_text(rows, 0));
		list[n++].at_ms = db_int(rows, 1);
	}
	db_done(rows);
	if (err == HT_NOTFOUND) {
		*out = list;
		*out_n = n;
		return HT_OK;
	}
	free(list);
	return err;
}

static uint64_t mark_of(const struct ca_revoked *list, size_t n)
{
	uint64_t mark = UINT64_C(14695981039346656037) + n; /* FNV-1a */

	for (size_t i = 0; i < n; i++)
		for (const char *p = list[i].serial; *p; p++)
			mark = (mark ^ (uint8_t)*p) * UINT64_C(1099511628211);
	return mark;
}

static ht_err write_list(struct db *db, struct look *look)
{
	const struct broker_sync *s = look->sync;
	struct ca_revoked *list;
	struct ht_fault fault = { 0 };
	char file[PATH_MAX];
	size_t n;
	ht_err err = read_revoked(db, look->now_ms, &list, &n);

	if (err)
		return err;
	uint64_t mark = mark_of(list, n);
	if (mark != look->list_mark || look->now_ms - look->list_ms >= LIST_AGE_MS) {
		snprintf(file, sizeof(file), "%s/crl.pem", s->dir);
		err = ca_write_crl(s->config.ca, list, n, look->now_ms, file, &fault);
		if (err)
			ht_log_error(
			    "broker.list_not_written", "fault=\"%s\"", fault.text);
		look->list_written = !err;
		look->list_mark = mark;
		look->list_ms = look->now_ms;
	}
	free(list);
	return err;
}

static ht_err look_now(struct db *db, void *arg)
{
	struct look *look = arg;
	ht_err err = read_wanted(db, look);

	return err ? err : write_list(db, look);
}

/* ── on the loop ──────────────────────────────────────────────────────────────────── */

static void look(struct broker_sync *s);
static void try_stop(struct broker_sync *s);

static void on_timer(uv_timer_t *timer)
{
	struct broker_sync *s = timer->data;

	if (s->online && !s->listed)
		broker_sync_online(s); /* the broker has not answered: ask anew */
	else
		look(s);
}

static void again_in(struct broker_sync *s, uint64_t ms)
{
	if (!s->stopping)
		uv_timer_start(&s->timer, on_timer, ms, LOOK_MS);
}

static ht_err publish(struct broker_sync *s, struct ht_buf *message)
{
	ht_err err = ht_buf_err(message);

	if (!err)
		err = s->config.publish(
		    s->config.arg, DYNSEC_TOPIC, ht_buf_text(message), message->len);
	return err;
}

static void ask_page(struct broker_sync *s, int offset)
{
	struct ht_buf message;

	ht_buf_init(&message, MESSAGE_MAX);
	dynsec_begin(&message);
	dynsec_list(&message, offset);
	dynsec_end(&message);
	(void)!publish(s, &message); /* without an answer the timer asks again */
	ht_buf_fini(&message);
}

/* One message of commands on its way. */
struct batch {
	struct broker_sync *sync;
	struct ht_buf text;
	int n;
	ht_err err;
};

static void send_batch(struct batch *b)
{
	if (b->n && !b->err) {
		dynsec_end(&b->text);
		b->err = publish(b->sync, &b->text);
	}
	ht_buf_reset(&b->text);
	dynsec_begin(&b->text);
	b->n = 0;
}

/* Both lists are in order: walk them side by side. */
static ht_err send_differences(struct broker_sync *s, const struct clients *wanted)
{
	struct batch b = { .sync = s };
	size_t w = 0, t = 0;

	ht_buf_init(&b.text, MESSAGE_MAX);
	send_batch(&b);
	while (!b.err && (w < wanted->n || t < s->there.n)) {
		const struct client *want = w < wanted->n ? &wanted->at[w] : NULL;
		const struct client *have = t < s->there.n ? &s->there.at[t] : NULL;
		int order = !want ? 1 : !have ? -1 : strcmp(want->name, have->name);
		bool other = order == 0 && strcmp(want->textname, have->textname) != 0;

		if (order > 0 || other) {
			dynsec_delete_agent(&b.text, have->name);
			s->stats.removed++;
			b.n++;
		}
		if (order < 0 || other) {
			dynsec_put_agent(
			    &b.text, want->name, strchr(want->textname, ' ') + 1);
			s->stats.added++;
			b.n++;
		}
		w += order <= 0;
		t += order >= 0;
		if (b.n >= BATCH)
			send_batch(&b);
	}
	send_batch(&b);
	ht_buf_fini(&b.text);
	return b.err;
}

static void reload_broker(struct broker_sync *s)
{
	struct ht_fault fault = { 0 };
	ht_err err = broker_reload(s->pid_file, &fault);

	if (err == HT_OK || err == HT_NOTFOUND)
		s->reload = false;
	else if (err == HT_AGAIN)
		again_in(s, AGAIN_MS);
	else
		ht_log_error("broker.not_reloaded", "fault=\"%s\"", fault.text);
}

static void on_looked(void *arg, ht_err err)
{
	struct look *l = arg;
	struct broker_sync *s = l->sync;

	s->looking = false;
	if (!err) {
		s->list_ms = l->list_ms;
		s->list_mark = l->list_mark;
		s->reload |= l->list_written;
		s->stats.lists_written += l->list_written;
	}
	if (!err && s->reload)
		reload_broker(s);
	if (!err && s->listed && !s->stopping) {
		err = send_differences(s, &l->wanted);
		if (!err) {
			empty(&s->there);
			s->there = l->wanted;
			l->wanted = (struct clients){ 0 };
			s->stats.n_clients = s->there.n;
		} else {
			s->listed = false; /* part of it was sent: ask the broker */
		}
	}
	if (err)
		again_in(s, RETRY_MS);
	empty(&l->wanted);
	free(l);
	if (s->stopping)
		try_stop(s);
	else if (s->again)
		look(s);
}

static void look(struct broker_sync *s)
{
	s->again = s->looking;
	if (s->looking || s->stopping)
		return;
	struct look *l = calloc(1, sizeof(*l));
	if (!l) {
		again_in(s, RETRY_MS);
		return;
	}
	l->sync = s;
	l->now_ms = ht_wall_ms();
	l->list_ms = s->list_ms;
	l->list_mark = s->list_mark;
	s->looking = true;
	if (writer_post(s->writer, look_now, on_looked, l)) {
		s->looking = false;
		free(l);
		again_in(s, RETRY_MS);
	}
}

static void on_poke(uv_async_t *async)
{
	look(async->data);
}

void broker_sync_poke(struct broker_sync *s)
{
	if (s)
		uv_async_send(&s->poke);
}

void broker_sync_online(struct broker_sync *s)
{
	s->online = true;
	s->listed = false;
	empty(&s->paging);
	s->n_paged = 0;
	ask_page(s, 0);
	again_in(s, RETRY_MS);
}

void broker_sync_offline(struct broker_sync *s)
{
	s->online = s->listed = false;
}

/* ── what the broker says ─────────────────────────────────────────────────────────── */

static void on_client(void *arg, const char *name, const char *textname)
{
	struct broker_sync *s = arg;

	if (strcmp(name, TOPIC_SERVER_ID) != 0)
		(void)add(&s->paging, name, textname);
}

/* In order, each once: an answer that came late was asked for again. */
static void put_in_order(struct clients *list)
{
	size_t n = 0;

	if (list->n)
		qsort(list->at, list->n, sizeof(*list->at), by_name);
	for (size_t i = 0; i < list->n; i++)
		if (i == 0 || by_name(&list->at[n - 1], &list->at[i]) != 0)
			list->at[n++] = list->at[i];
	list->n = n;
}

static void on_listed(void *arg, int total, int n)
{
	struct broker_sync *s = arg;

	if (s->listed)
		return; /* an answer that came late */
	s->n_paged += n;
	if (s->n_paged < total && n > 0) {
		ask_page(s, s->n_paged);
		return;
	}
	put_in_order(&s->paging);
	empty(&s->there);
	s->there = s->paging;
	s->paging = (struct clients){ 0 };
	s->listed = true;
	again_in(s, LOOK_MS);
	look(s);
}

/* "Role already exists" and the like are left from what was lost half way; the listing
 * after it tells how things stand. */
static void on_failed(void *arg, const char *command, const char *what)
{
	struct broker_sync *s = arg;

	ht_log_warn("broker.refused", "command=%s what=\"%s\"", command, what);
	s->stats.failed++;
	s->listed = false;
	again_in(s, RETRY_MS);
}

void broker_sync_message(struct broker_sync *s, const void *payload, size_t len)
{
	const struct dynsec_events events = { s, on_client, on_listed, on_failed };

	if (dynsec_read(payload, len, &events))
		ht_log_warn("broker.bad_response", "len=%zu", len);
}

void broker_sync_stats(const struct broker_sync *s, struct broker_sync_stats *out)
{
	*out = s->stats;
	out->in_step = s->listed && !s->looking && !s->reload;
}

/* ── life ─────────────────────────────────────────────────────────────────────────── */

static void on_closed(uv_handle_t *handle)
{
	struct broker_sync *s = handle->data;

	if (--s->n_handles > 0)
		return;
	void (*done)(void *arg) = s->done;
	void *arg = s->done_arg;
	empty(&s->there);
	empty(&s->paging);
	free(s->dir);
	free(s->pid_file);
	free(s);
	if (done)
		done(arg);
}

static void try_stop(struct broker_sync *s)
{
	if (s->looking)
		return; /* on_looked comes here again */
	uv_close((uv_handle_t *)&s->poke, on_closed);
	uv_close((uv_handle_t *)&s->timer, on_closed);
}

ht_err broker_sync_start(uv_loop_t *loop, struct writer *writer,
    const struct broker_sync_config *config, struct broker_sync **out)
{
	struct broker_sync *s = calloc(1, sizeof(*s));

	if (!s)
		return HT_NOMEM;
	s->loop = loop;
	s->writer = writer;
	s->config = *config;
	s->dir = strdup(config->dir);
	s->pid_file = strdup(config->pid_file);
	if (!s->dir || !s->pid_file || uv_async_init(loop, &s->poke, on_poke)) {
		free(s->dir);
		free(s->pid_file);
		free(s);
		return HT_NOMEM;
	}
	uv_timer_init(loop, &s->timer);
	s->poke.data = s->timer.data = s;
	s->n_handles = 2;
	look(s); /* the revocation list, even while the broker is away */
	*out = s;
	return HT_OK;
}

void broker_sync_stop(struct broker_sync *s, void (*done)(void *arg), void *arg)
{
	if (!s) {
		if (done)
			done(arg);
		return;
	}
	s->done = done;
	s->done_arg = arg;
	s->stopping = true;
	uv_timer_stop(&s->timer);
	try_stop(s);
}
