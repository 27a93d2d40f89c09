#include "server/alert/command.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ERROR_MAX 512
#define PIPES     3 /* in, out, error */

struct command_run {
	uv_process_t process;
	uv_pipe_t pipes[PIPES];
	uv_timer_t timer;
	uv_write_t write;
	char *body;
	char text[ERROR_MAX + 1]; /* what it wrote to standard error */
	size_t text_len;
	char trash[4096];
	int open; /* handles that are not closed */
	bool exited, timed_out, told;
	int64_t status;
	int signal;
	command_done done;
	void *arg;
};

static void on_closed(uv_handle_t *handle)
{
	struct command_run *c = handle->data;

	if (--c->open == 0) {
		free(c->body);
		free(c);
	}
}

static void close_all(struct command_run *c)
{
	uv_handle_t *handles[] = { (uv_handle_t *)&c->process, (uv_handle_t *)&c->timer,
		(uv_handle_t *)&c->pipes[0], (uv_handle_t *)&c->pipes[1],
		(uv_handle_t *)&c->pipes[2] };

	for (size_t i = 0; i < HT_COUNT(handles); i++) {
		if (handles[i]->data && !uv_is_closing(handles[i]))
			uv_close(handles[i], on_closed);
	}
}

static void kill_group(const struct command_run *c)
{
	if (c->process.pid > 0)
		(void)kill(-c->process.pid, SIGKILL);
}

static void tell(struct command_run *c)
{
	char error[ERROR_MAX + 100];
	bool ok = !c->timed_out && c->status == 0 && c->signal == 0;

	if (c->told)
		return;
	c->told = true;
	kill_group(c); /* what it left behind */
	for (size_t i = 0; i < c->text_len; i++) {
		if ((unsigned char)c->text[i] < ' ')
			c->text[i] = ' ';
	}
	c->text[c->text_len] = '\0';
	if (c->timed_out)
		snprintf(error, sizeof(error), "the command did not end in time: killed");
	else if (c->signal)
		snprintf(
		    error, sizeof(error), "the command died of signal %d", c->signal);
	else
		snprintf(error, sizeof(error), "the command ended with code %d%s%s",
		    (int)c->status, c->text_len ? ": " : "", c->text);
	c->done(c->arg, ok, ok ? NULL : error);
	close_all(c);
}

/* What it wrote last may not have been read yet. */
static void read_rest(struct command_run *c)
{
	uv_os_fd_t fd;
	ssize_t n = 0;

	if (uv_fileno((uv_handle_t *)&c->pipes[2], &fd) == 0)
		n = read(fd, c->text + c->text_len, ERROR_MAX - c->text_len);
	if (n > 0)
		c->text_len += (size_t)n;
}

static void on_exit_(uv_process_t *process, int64_t status, int signal_)
{
	struct command_run *c = process->data;

	c->status = status;
	c->signal = signal_;
	read_rest(c);
	tell(c);
}

static void on_timer(uv_timer_t *timer)
{
	struct command_run *c = timer->data;

	c->timed_out = true;
	kill_group(c); /* on_exit_ follows */
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *out)
{
	struct command_run *c = handle->data;

	*out = uv_buf_init(c->trash, sizeof(c->trash));
}

/* Standard output is read and forgotten, of standard error the first bytes are kept. */
static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct command_run *c = stream->data;
	size_t room = ERROR_MAX - c->text_len;

	if (n < 0) {
		uv_read_stop(stream);
		return;
	}
	if (stream != (uv_stream_t *)&c->pipes[2])
		return;
	if ((size_t)n < room)
		room = (size_t)n;
	memcpy(c->text + c->text_len, buf->base, room);
	c->text_len += room;
}

static void on_written(uv_write_t *write, int status)
{
	struct command_run *c = write->data;

	if (!uv_is_closing((uv_handle_t *)&c->pipes[0]))
		uv_close((uv_handle_t *)&c->pipes[0], on_closed);
}

static int spawn(uv_loop_t *loop, struct command_run *c, const struct command_request *r)
{
	char key[400], incident[400], kind[64];
	char *env[] = { "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", key,
		incident, kind, NULL };
	uv_stdio_container_t stdio[PIPES];
	uv_process_options_t options = {
		.exit_cb = on_exit_,
		.file = r->argv->at[0],
		.args = r->argv->at,
		.env = env,
		.cwd = "/",
		.flags = UV_PROCESS_DETACHED,
		.stdio = stdio,
		.stdio_count = PIPES,
	};

	snprintf(key, sizeof(key), "HATANG_KEY=%s", r->key);
	snprintf(incident, sizeof(incident), "HATANG_INCIDENT=%s", r->incident);
	snprintf(kind, sizeof(kind), "HATANG_KIND=%s", r->kind);
	for (int i = 0; i < PIPES; i++) {
		stdio[i].flags =
		    UV_CREATE_PIPE | (i == 0 ? UV_READABLE_PIPE : UV_WRITABLE_PIPE);
		stdio[i].data.stream = (uv_stream_t *)&c->pipes[i];
	}
	return uv_spawn(loop, &c->process, &options);
}

ht_err command_start(uv_loop_t *loop, const struct command_request *r, command_done done,
    void *arg, struct command_run **out, struct ht_fault *fault)
{
	struct command_run *c = calloc(1, sizeof(*c));

	if (c)
		c->body = malloc(r->len + 1);
	if (!c || !c->body) {
		free(c);
		return ht_fault_set(fault, HT_NOMEM, "out of memory");
	}
	memcpy(c->body, r->body, r->len);
	c->done = done;
	c->arg = arg;
	for (int i = 0; i < PIPES; i++) {
		uv_pipe_init(loop, &c->pipes[i], 0);
		c->pipes[i].data = c;
	}
	uv_timer_init(loop, &c->timer);
	c->timer.data = c;
	c->process.data = c;
	c->write.data = c;
	c->open = PIPES + 2;
	int code = spawn(loop, c, r);
	if (code) {
		c->told = true;
		close_all(c);
		return ht_fault_set(
		    fault, HT_IO, "the command cannot be started: %s", uv_strerror(code));
	}
	uv_timer_start(&c->timer, on_timer, (uint64_t)r->timeout_ms, 0);
	uv_read_start((uv_stream_t *)&c->pipes[1], on_alloc, on_read);
	uv_read_start((uv_stream_t *)&c->pipes[2], on_alloc, on_read);
	uv_buf_t buf = uv_buf_init(c->body, (unsigned)r->len);
	if (uv_write(&c->write, (uv_stream_t *)&c->pipes[0], &buf, 1, on_written))
		uv_close((uv_handle_t *)&c->pipes[0], on_closed);
	*out = c;
	return HT_OK;
}

void command_cancel(struct command_run *c)
{
	c->told = true;
	kill_group(c);
	close_all(c);
}
