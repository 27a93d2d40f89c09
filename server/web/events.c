#include "server/web/events.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "server/store/db.h"
#include "server/web/sql.h"

#define EVENTS_BEAT_NS (15 * HT_NS_PER_S)
#define EVENTS_LOOK_NS (200 * HT_NS_PER_MS) /* at the store's version: one small read */
#define EVENTS_TELL_NS HT_NS_PER_S          /* between two looks at what changed */
#define EVENTS_BACKLOG \
	2048 /* bytes waiting for one stream; more is dropped and told as "reset" */

enum {
	EVENTS_LINKS,
	EVENTS_OUTAGES,
	EVENTS_INCIDENTS,
	EVENTS_MAINTENANCE,
	EVENTS_PRESENCE,
	EVENTS_INDEX,
	EVENTS_TOPICS
};

static const struct {
	const char *name;
	int statement; /* yields one text that differs when the topic changed */
} topics[EVENTS_TOPICS] = {
	[EVENTS_LINKS] = { "links", WEB_SQL_MARK_LINKS },
	[EVENTS_OUTAGES] = { "outages", WEB_SQL_MARK_OUTAGES },
	[EVENTS_INCIDENTS] = { "incidents", WEB_SQL_MARK_INCIDENTS },
	[EVENTS_MAINTENANCE] = { "maintenance", WEB_SQL_MARK_MAINTENANCE },
	[EVENTS_PRESENCE] = { "presence", WEB_SQL_MARK_PRESENCE },
	[EVENTS_INDEX] = { "index", WEB_SQL_MARK_INDEX },
};

struct stream {
	struct events *events;
	struct stream *next;
	struct MHD_Connection *connection;
	bool suspended;
	size_t len;
	char waiting[EVENTS_BACKLOG];
};

struct events {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool running, stopping;
	struct stream *streams; /* under lock */
	size_t n;
	struct db *db; /* the thread's */
	char marks[EVENTS_TOPICS][160];
	uint64_t serial;
};

/* Under lock: put text before a stream and let it run. */
static void events_put(struct stream *s, const char *text)
{
	size_t len = strlen(text);

	if (s->len + len > sizeof(s->waiting)) {
		/* It does not read: let it read everything anew once it does. */
		text = "event: reset\ndata: {}\n\n";
		len = strlen(text);
		s->len = 0;
	}
	memcpy(s->waiting + s->len, text, len);
	s->len += len;
	if (s->suspended) {
		s->suspended = false;
		MHD_resume_connection(s->connection);
	}
}

static void events_put_all(struct events *e, const char *text)
{
	pthread_mutex_lock(&e->lock);
	for (struct stream *s = e->streams; s; s = s->next)
		events_put(s, text);
	pthread_mutex_unlock(&e->lock);
}

static bool events_changed(struct events *e, int topic)
{
	char *mark = e->marks[topic];
	bool changed = false;
	struct db_rows *rows = db_start(e->db, &web_sql, topics[topic].statement, "");

	if (db_next(rows) == HT_OK && db_text(rows, 0) &&
	    strncmp(mark, db_text(rows, 0), sizeof(e->marks[0]) - 1) != 0) {
		snprintf(mark, sizeof(e->marks[0]), "%s", db_text(rows, 0));
		changed = true;
	}
	db_done(rows);
	return changed;
}

static void events_look(struct events *e, bool tell)
{
	char text[256];
	int n = 0;

	text[0] = '\0';
	for (int t = 0; t < EVENTS_TOPICS; t++)
		if (events_changed(e, t))
			n += snprintf(text + n, sizeof(text) - (size_t)n, "%s\"%s\"",
			    n ? "," : "", topics[t].name);
	if (n == 0 || !tell)
		return;
	char event[400];
	snprintf(event, sizeof(event),
	    "event: change\nid: %llu\ndata: {\"changed\":[%s]}\n\n",
	    (unsigned long long)++e->serial, text);
	events_put_all(e, event);
}

static int64_t events_version(struct events *e)
{
	int64_t version = -1;
	struct db_rows *rows = db_start(e->db, &web_sql, WEB_SQL_DATA_VERSION, "");

	if (db_next(rows) == HT_OK)
		version = db_int(rows, 0);
	db_done(rows);
	return version;
}

static bool events_pause(struct events *e)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += EVENTS_LOOK_NS;
	if (until.tv_nsec >= HT_NS_PER_S) {
		until.tv_nsec -= HT_NS_PER_S;
		until.tv_sec++;
	}
	pthread_mutex_lock(&e->lock);
	while (!e->stopping && pthread_cond_timedwait(&e->wake, &e->lock, &until) == 0)
		;
	bool stop = e->stopping;
	pthread_mutex_unlock(&e->lock);
	return !stop;
}

static void *events_run(void *arg)
{
	struct events *e = arg;
	int64_t version = events_version(e), beat_ns = ht_mono_ns(), told_ns = beat_ns;

	events_look(e, false);
	while (events_pause(e)) {
		int64_t now_version = events_version(e), now_ns = ht_mono_ns();

		/* A quiet store is told of at once, a busy one each second. */
		if (now_version != version && now_ns - told_ns >= EVENTS_TELL_NS) {
			events_look(e, true);
			version = now_version;
			told_ns = now_ns;
		}
		if (now_ns - beat_ns >= EVENTS_BEAT_NS) {
			events_put_all(e, ": beat\n\n");
			beat_ns = now_ns;
		}
	}
	return NULL;
}

ht_err events_start(const char *db_file, struct events **out, struct ht_fault *fault)
{
	struct events *e = calloc(1, sizeof(*e));
	pthread_condattr_t attr;

	if (!e)
		return HT_NOMEM;
	pthread_mutex_init(&e->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&e->wake, &attr);
	pthread_condattr_destroy(&attr);
	ht_err err = db_open(db_file, true, &e->db, fault);
	if (!err && pthread_create(&e->thread, NULL, events_run, e) != 0)
		err =
		    ht_fault_set(fault, HT_NOMEM, "the events' thread cannot be started");
	if (err) {
		events_free(e);
		return err;
	}
	e->running = true;
	*out = e;
	return HT_OK;
}

void events_stop(struct events *e)
{
	if (!e || !e->running)
		return;
	pthread_mutex_lock(&e->lock);
	e->stopping = true;
	pthread_cond_signal(&e->wake);
	for (struct stream *s = e->streams; s; s = s->next) {
		if (s->suspended) {
			s->suspended = false;
			MHD_resume_connection(s->connection);
		}
	}
	pthread_mutex_unlock(&e->lock);
	pthread_join(e->thread, NULL);
	e->running = false;
}

void events_free(struct events *e)
{
	if (!e)
		return;
	db_close(e->db);
	pthread_cond_destroy(&e->wake);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

static ssize_t events_read(void *arg, uint64_t pos, char *out, size_t max)
{
	struct stream *s = arg;
	ssize_t n = 0;

	(void)pos;
	pthread_mutex_lock(&s->events->lock);
	if (s->events->stopping) {
		n = MHD_CONTENT_READER_END_OF_STREAM;
	} else if (s->len > 0) {
		n = (ssize_t)(s->len < max ? s->len : max);
		memcpy(out, s->waiting, (size_t)n);
		s->len -= (size_t)n;
		memmove(s->waiting, s->waiting + n, s->len);
	} else {
		/* Nothing to say: sleep until events_put() wakes it. */
		s->suspended = true;
		MHD_suspend_connection(s->connection);
	}
	pthread_mutex_unlock(&s->events->lock);
	return n;
}

static void events_detach(void *arg)
{
	struct stream *s = arg;
	struct events *e = s->events;

	pthread_mutex_lock(&e->lock);
	for (struct stream **at = &e->streams; *at; at = &(*at)->next) {
		if (*at == s) {
			*at = s->next;
			e->n--;
			break;
		}
	}
	pthread_mutex_unlock(&e->lock);
	free(s);
}

static bool events_join(struct events *e, struct stream *s)
{
	pthread_mutex_lock(&e->lock);
	bool room = e->n < EVENTS_STREAMS_MAX && !e->stopping;
	if (room) {
		s->next = e->streams;
		e->streams = s;
		e->n++;
		events_put(s, "retry: 3000\nevent: hello\ndata: {}\n\n");
	}
	pthread_mutex_unlock(&e->lock);
	return room;
}

ht_err events_attach(struct events *e, struct MHD_Connection *connection)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return HT_NOMEM;
	s->events = e;
	s->connection = connection;
	if (!events_join(e, s)) {
		free(s);
		return HT_FULL;
	}
	struct MHD_Response *response = MHD_create_response_from_callback(
	    MHD_SIZE_UNKNOWN, 1024, events_read, s, events_detach);
	if (!response) {
		events_detach(s);
		return HT_NOMEM;
	}
	MHD_add_response_header(response, "Content-Type", "text/event-stream");
	MHD_add_response_header(response, "Cache-Control", "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	enum MHD_Result queued = MHD_queue_response(connection, 200, response);
	MHD_destroy_response(response);
	return queued == MHD_YES ? HT_OK : HT_CLOSED;
}

size_t events_count(struct events *e)
{
	pthread_mutex_lock(&e->lock);
	size_t n = e->n;
	pthread_mutex_unlock(&e->lock);
	return n;
}
