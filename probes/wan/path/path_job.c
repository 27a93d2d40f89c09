#include "probes/wan/path/path_job.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "probes/wan/path/path_report.h"

const char *const path_method_names[] = {
	[TRACE_ICMP] = "icmp", [TRACE_UDP] = "udp", [TRACE_TCP] = "tcp", NULL
};

/* ---- the end ---- */

static void closed_one(void *arg)
{
	struct path_job *j = arg;

	if (--j->n_closing)
		return;
	j->active = false;
	j->ended(j);
}

static void on_timer_closed(uv_handle_t *handle)
{
	closed_one(handle->data);
}

static void close_all(struct path_job *j)
{
	j->finished = true;
	j->host->forget(j->host, j);
	resolve_cancel(j->resolve);
	j->resolve = NULL;
	j->n_closing = j->opened ? 2 : 1;
	uv_close((uv_handle_t *)&j->timer, on_timer_closed);
	if (j->opened)
		trace_socket_close(&j->socket, closed_one);
}

void path_job_cancel(struct path_job *j)
{
	if (!j->finished)
		close_all(j);
}

/* ---- readings ---- */

static void emit_string(const struct path_job *j, enum ht_metric m, const char *v)
{
	j->host->emit(j->host, &(struct ht_reading){ .metric = m,
				   .instance = j->instance,
				   .at_ns = j->started_ns,
				   .string = v });
}

static void emit_head(const struct path_job *j)
{
	char method[32];
	const char *name = path_method_names[j->settings->method];

	if (j->target[0])
		emit_string(j, HT_M_PATH_TARGET, j->target);
	if (j->settings->port)
		snprintf(method, sizeof(method), "%s/%u", name, j->settings->port);
	else
		snprintf(method, sizeof(method), "%s", name);
	emit_string(j, HT_M_PATH_METHOD, method);
}

static void emit_trace(const struct path_job *j)
{
	char text[TRACE_TEXT], reason[PATH_REASON_MAX];
	size_t hops = trace_reach(&j->trace);

	if (hops)
		j->host->emit(j->host, &(struct ht_reading){ .metric = HT_M_PATH_HOPS,
					   .instance = j->instance,
					   .at_ns = j->started_ns,
					   .number = (double)hops });
	trace_text(&j->trace, text);
	if (text[0])
		emit_string(j, HT_M_PATH_TRACE, text);
	enum path_network network =
	    path_report_network(&j->trace, &j->settings->rules, reason);

	emit_string(j, HT_M_PATH_NETWORK, path_network_name(network));
	emit_string(j, HT_M_PATH_REASON, reason);
	emit_string(j, HT_M_PATH_STATUS, path_report_status(&j->trace));
}

static void finish(struct path_job *j)
{
	j->cut = j->trace.end == TRACE_DEADLINE;
	if (!j->cut || !j->keep_cut) {
		emit_head(j);
		emit_trace(j);
	}
	close_all(j);
}

/* It ended before the first packet. */
static void finish_with(struct path_job *j, const char *status, const char *why)
{
	emit_head(j);
	emit_string(j, HT_M_PATH_NETWORK, path_network_name(PATH_UNKNOWN));
	emit_string(j, HT_M_PATH_REASON, why);
	emit_string(j, HT_M_PATH_STATUS, status);
	close_all(j);
}

/* ---- the trace ---- */

static void on_timer(uv_timer_t *timer);

static void pump(struct path_job *j)
{
	int64_t now = ht_mono_ns();
	struct trace_probe p;

	if (j->finished)
		return;
	while (trace_next(&j->trace, now, &p)) {
		int err_no = trace_socket_send(&j->socket, &p);

		if (err_no)
			trace_unsent(&j->trace, p.no, err_no);
		now = ht_mono_ns();
	}
	if (j->trace.end != TRACE_RUNNING) {
		finish(j);
		return;
	}
	int64_t left = trace_wake_ns(&j->trace) - now;

	uv_update_time(j->host->loop);
	uv_timer_start(&j->timer, on_timer,
	    left > 0 ? (uint64_t)((left + HT_NS_PER_MS - 1) / HT_NS_PER_MS) : 0, 0);
}

/* What has arrived is read before anything is given up: a late loop loses no hop. */
static void on_timer(uv_timer_t *timer)
{
	struct path_job *j = timer->data;

	trace_socket_drain(&j->socket);
	pump(j);
}

static void on_answer(void *arg, const struct trace_answer *a)
{
	struct path_job *j = arg;

	trace_answer(&j->trace, a);
}

static void on_forged(void *arg)
{
	struct path_job *j = arg;

	j->trace.ignored.forged++;
}

static void on_turn(void *arg)
{
	pump(arg);
}

/* ---- the way to it: address, socket ---- */

static void begin(struct path_job *j, int fd, bool raw)
{
	const struct path_settings *s = j->settings;
	const struct trace_events events = { j, on_answer, on_forged, on_turn };

	j->opened = true;
	ht_err err = trace_socket_open_take(&j->socket, j->host->loop, s->method,
	    (const struct sockaddr *)&j->to, fd, raw, &events);
	if (err) {
		char why[128];
		int err_no = errno;

		snprintf(why, sizeof(why), "nothing can be sent to %s: %s", j->target,
		    strerror(err_no));
		finish_with(j, path_report_errno(err_no), why);
		return;
	}
	const struct trace_plan plan = { .target = j->socket.target,
		.self = j->socket.source,
		.ttl_max = s->ttl_max,
		.per_hop = s->per_hop,
		.window = s->window,
		.silent_max = s->silent_max,
		.wait_ns = s->wait_ns,
		.gap_ns = s->gap_ns,
		.begin_ns = j->trace.next_ns, /* the gap to the trace before */
		.deadline_ns = s->deadline_ns };

	j->started_ns = ht_mono_ns();
	trace_init(&j->trace, &plan, j->started_ns);
	pump(j);
}

static void on_socket(void *arg, const struct probe_grant *grant)
{
	struct path_job *j = arg;

	if (!grant->err)
		begin(j, grant->fd, grant->raw);
	else if (grant->err == HT_DENIED)
		finish_with(j, "denied",
		    "the agent may open no ICMP socket; method udp and tcp need no "
		    "rights");
	else
		finish_with(j, "error", "no ICMP socket could be opened");
}

static void set_port(struct path_job *j)
{
	uint16_t port = htons(j->settings->port);

	if (j->to.ss_family == AF_INET)
		((struct sockaddr_in *)&j->to)->sin_port = port;
	else
		((struct sockaddr_in6 *)&j->to)->sin6_port = port;
}

static void on_address(void *arg, ht_err err, const struct sockaddr *addr)
{
	struct path_job *j = arg;
	bool v4 = addr && addr->sa_family == AF_INET;

	j->resolve = NULL;
	if (err) {
		finish_with(j, "unresolved", "the target's name has no address");
		return;
	}
	memcpy(
	    &j->to, addr, v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
	resolve_format(addr, j->target);
	set_port(j);
	if (j->settings->method != TRACE_ICMP) {
		begin(j, -1, false);
		return;
	}
	err = j->host->ask(
	    j->host, v4 ? PROBE_ICMP4_SOCKET : PROBE_ICMP6_SOCKET, NULL, on_socket, j);
	if (err)
		finish_with(j, "error", "the agent's monitor takes no more requests");
}

/* The name server is silent, or the monitor is. */
static void on_unready(uv_timer_t *timer)
{
	struct path_job *j = timer->data;

	if (j->resolve)
		finish_with(j, "unresolved", "no name server answered in time");
	else
		finish_with(j, "error", "the agent's monitor did not answer in time");
}

void path_job_start(struct path_job *j, const char *instance, const char *target)
{
	uv_loop_t *loop = j->host->loop;

	j->instance = instance;
	j->started_ns = ht_mono_ns();
	j->active = true;
	j->opened = j->finished = j->cut = false;
	j->target[0] = '\0';
	memset(&j->to, 0, sizeof(j->to));
	uv_timer_init(loop, &j->timer);
	j->timer.data = j;
	int64_t left = j->settings->deadline_ns - j->started_ns;

	uv_update_time(loop);
	uv_timer_start(
	    &j->timer, on_unready, left > 0 ? (uint64_t)(left / HT_NS_PER_MS) : 0, 0);
	if (resolve_start(loop, target, j->settings->family, on_address, j, &j->resolve))
		finish_with(j, "error", "the target's name could not be looked up");
}
