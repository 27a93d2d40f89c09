#include "agent/status.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"

#define LINE_MAX_BYTES (1 << 20)
#define CLIENTS_MAX    8

struct status_server {
	struct agent *agent;
	uv_pipe_t pipe;
	char path[108];
};

/* Answers under way; they may outlive the server by a turn of the loop. */
static size_t n_answers;

struct answer {
	uv_pipe_t pipe;
	uv_write_t write;
	char *text;
};

/* ── What it says ─────────────────────────────────────────────────────────────────── */

static void add_int(struct json_object *o, const char *key, int64_t v)
{
	json_object_object_add(o, key, json_object_new_int64(v));
}

static void add_text(struct json_object *o, const char *key, const char *v)
{
	json_object_object_add(o, key, json_object_new_string(v));
}

static void add_seconds(struct json_object *o, const char *key, int64_t ns)
{
	add_int(o, key, ns / HT_NS_PER_S);
}

static struct json_object *spool_json(const struct spool_stats *s)
{
	struct json_object *o = json_object_new_object();

	add_text(o, "epoch", s->epoch);
	add_int(o, "next_seq", s->next_seq);
	add_int(o, "packs", s->packs);
	add_int(o, "bytes", s->bytes);
	add_seconds(o, "oldest_s", s->oldest_age_ns);
	add_int(o, "dropped", s->dropped);
	add_int(o, "gaps", s->gaps);
	add_int(o, "failed", s->failed);
	add_text(o, "moved_aside", s->corrupt);
	return o;
}

static struct json_object *publish_json(const struct publish *p)
{
	struct json_object *o = json_object_new_object();

	if (!p) {
		add_text(o, "state", "none");
		return o;
	}
	const struct publish_counters *c = publish_counters(p);
	add_text(o, "state", publish_state_name(publish_state(p)));
	add_int(o, "sent_live", (int64_t)c->sent[0]);
	add_int(o, "sent_backlog", (int64_t)c->sent[1]);
	add_int(o, "sent_again", (int64_t)c->resent);
	add_int(o, "acknowledged", (int64_t)c->acked);
	add_int(o, "connects", (int64_t)c->connects);
	add_int(o, "disconnects", (int64_t)c->disconnects);
	add_int(o, "bad_messages", (int64_t)c->bad_messages);
	return o;
}

static struct json_object *collect_json(const struct collect *c)
{
	const struct collect_counters *n = collect_counters(c);
	struct json_object *o = json_object_new_object();

	add_int(o, "readings", (int64_t)n->readings);
	add_int(o, "packs", (int64_t)n->packs);
	add_int(o, "refused", (int64_t)n->refused);
	add_int(o, "overrun", (int64_t)n->overrun);
	add_int(o, "failed", (int64_t)n->failed);
	return o;
}

static struct json_object *probes_json(const struct agent *a, int64_t now_ns)
{
	static const char *const names[] = { "waiting", "running", "ending" };
	struct json_object *list = json_object_new_array();
	const struct schedule_job *job;

	for (size_t i = 0; a->runner && (job = runner_job(a->runner, i)); i++) {
		struct json_object *o = json_object_new_object();
		add_text(o, "probe", runner_probe_of(a->runner, i)->ops->name);
		add_text(o, "id", runner_probe_of(a->runner, i)->id);
		add_text(o, "state", names[job->state]);
		add_seconds(o, "every_s", job->every_ns);
		add_seconds(o, "next_in_s", job->attempt_ns - now_ns);
		add_int(o, "runs", (int64_t)job->runs);
		add_int(o, "skipped", (int64_t)job->skipped);
		add_int(o, "timeouts", (int64_t)job->timeouts);
		json_object_array_add(list, o);
	}
	return list;
}

static struct json_object *targets_json(const struct agent *a)
{
	struct json_object *o = json_object_new_object();

	add_text(o, "hash", targets_hash(&a->targets));
	add_int(o, "kept", (int64_t)a->targets.list.n);
	add_int(o, "pages", a->targets.pages.next);
	add_int(o, "pinged", a->reach.runner ? (int64_t)a->reach.list.n : 0);
	return o;
}

static char *status_text(const struct agent *a)
{
	struct json_object *o = json_object_new_object();
	struct spool_now now;

	agent_clock((void *)a, &now);
	add_text(o, "agent", a->options->agent.id);
	add_text(o, "version", HATANG_VERSION);
	add_int(o, "pid", getpid());
	add_int(o, "monitor_pid", a->monitor ? monitor_pid(a->monitor) : 0);
	add_text(o, "session", a->session);
	add_text(o, "fingerprint", a->fingerprint);
	add_seconds(o, "up_s", now.mono_ns - a->started_ns);
	add_text(o, "clock", now.synchronised ? "synchronised" : "free");
	add_text(o, "approved", a->options->approved_hash);
	json_object_object_add(o, "publish", publish_json(a->publish));
	json_object_object_add(o, "spool", spool_json(&a->stats));
	json_object_object_add(o, "collect", collect_json(a->collect));
	json_object_object_add(o, "targets", targets_json(a));
	json_object_object_add(o, "probes", probes_json(a, now.mono_ns));
	const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	char *line = NULL;
	if (text && asprintf(&line, "%s\n", text) < 0)
		line = NULL;
	json_object_put(o);
	return line;
}

/* ── The socket ───────────────────────────────────────────────────────────────────── */

static void answer_closed(uv_handle_t *handle)
{
	struct answer *w = handle->data;

	n_answers--;
	free(w->text);
	free(w);
}

static void answer_written(uv_write_t *write, int status)
{
	struct answer *w = write->data;

	uv_close((uv_handle_t *)&w->pipe, answer_closed);
}

static void on_connection(uv_stream_t *stream, int status)
{
	struct status_server *s = stream->data;
	struct answer *w = status == 0 ? calloc(1, sizeof(*w)) : NULL;

	if (!w)
		return;
	uv_pipe_init(&s->agent->loop, &w->pipe, 0);
	w->pipe.data = w;
	w->write.data = w;
	n_answers++;
	if (uv_accept(stream, (uv_stream_t *)&w->pipe) == 0 && n_answers <= CLIENTS_MAX)
		w->text = status_text(s->agent);
	uv_buf_t buf = uv_buf_init(w->text, w->text ? (unsigned)strlen(w->text) : 0);
	if (!w->text ||
	    uv_write(&w->write, (uv_stream_t *)&w->pipe, &buf, 1, answer_written) != 0)
		uv_close((uv_handle_t *)&w->pipe, answer_closed);
}

static void server_closed(uv_handle_t *handle)
{
	free(handle->data);
}

ht_err status_open(struct agent *a, struct status_server **out, struct ht_fault *fault)
{
	struct status_server *s = calloc(1, sizeof(*s));

	if (!s)
		return HT_NOMEM;
	s->agent = a;
	int n = snprintf(s->path, sizeof(s->path), "%s/%s", a->options->agent.state_dir,
	    STATUS_SOCKET);
	if (n < 0 || (size_t)n >= sizeof(s->path)) {
		free(s);
		return ht_fault_set(fault, HT_TOOLARGE,
		    "state_dir is too long for a socket; `status` will not work");
	}
	unlink(s->path); /* of a run that was killed */
	uv_pipe_init(&a->loop, &s->pipe, 0);
	s->pipe.data = s;
	int code = uv_pipe_bind(&s->pipe, s->path);
	if (code == 0)
		code = uv_listen((uv_stream_t *)&s->pipe, CLIENTS_MAX, on_connection);
	if (code != 0) {
		ht_fault_set(fault, HT_IO, "%s: %s", s->path, uv_strerror(code));
		uv_close((uv_handle_t *)&s->pipe, server_closed);
		return HT_IO;
	}
	chmod(s->path, 0600);
	*out = s;
	return HT_OK;
}

void status_close(struct status_server *s)
{
	if (!s)
		return;
	unlink(s->path);
	uv_close((uv_handle_t *)&s->pipe, server_closed);
}

/* ── The verb ─────────────────────────────────────────────────────────────────────── */

static ht_err ask(const char *path, struct ht_buf *out)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char chunk[4096];
	ssize_t n;

	if (strlen(path) >= sizeof(addr.sun_path))
		return HT_TOOLARGE;
	memcpy(addr.sun_path, path, strlen(path) + 1);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return HT_IO;
	struct timeval limit = { .tv_sec = 5 };
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
		int e = errno;
		close(fd);
		errno = e;
		return ht_err_errno(e);
	}
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		ht_buf_put(out, chunk, (size_t)n);
	close(fd);
	if (n < 0)
		return HT_TIMEOUT;
	return out->len ? ht_buf_err(out) : HT_CLOSED;
}

static void print_object(struct json_object *o, int indent)
{
	json_object_object_foreach(o, key, value)
	{
		if (json_object_is_type(value, json_type_object)) {
			printf("%*s%s\n", indent, "", key);
			print_object(value, indent + 2);
		} else if (!json_object_is_type(value, json_type_array)) {
			printf("%*s%-*s  %s\n", indent, "", 14 - indent, key,
			    json_object_get_string(value));
		}
	}
}

static const char *field(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	return json_object_object_get_ex(o, key, &v) ? json_object_get_string(v) : "";
}

static void print_probes(struct json_object *list)
{
	printf("%-16s %-32s %-8s %8s %8s %8s %8s %8s\n", "PROBE", "ID", "STATE",
	    "EVERY s", "NEXT s", "RUNS", "SKIPPED", "TIMEOUTS");
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *o = json_object_array_get_idx(list, i);
		printf("%-16s %-32s %-8s %8s %8s %8s %8s %8s\n", field(o, "probe"),
		    field(o, "id"), field(o, "state"), field(o, "every_s"),
		    field(o, "next_in_s"), field(o, "runs"), field(o, "skipped"),
		    field(o, "timeouts"));
	}
}

int status_print(const char *state_dir, bool json)
{
	char path[4096];
	struct ht_buf b;

	snprintf(path, sizeof(path), "%s/%s", state_dir, STATUS_SOCKET);
	ht_buf_init(&b, LINE_MAX_BYTES);
	ht_err err = ask(path, &b);
	if (err) {
		fprintf(stderr, "hatang-agent: no agent answers on %s: %s\n", path,
		    err == HT_IO || err == HT_NOTFOUND ? strerror(errno)
						       : ht_err_name(err));
		ht_buf_fini(&b);
		return HT_EXIT_FAILURE;
	}
	if (json) {
		fputs(ht_buf_text(&b), stdout);
		ht_buf_fini(&b);
		return HT_EXIT_OK;
	}
	struct json_object *o = json_tokener_parse(ht_buf_text(&b)), *probes = NULL;
	ht_buf_fini(&b);
	if (!o)
		return HT_EXIT_FAILURE;
	print_object(o, 0);
	if (json_object_object_get_ex(o, "probes", &probes) &&
	    json_object_array_length(probes) > 0) {
		putchar('\n');
		print_probes(probes);
	}
	json_object_put(o);
	return HT_EXIT_OK;
}
