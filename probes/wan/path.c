/* path: the way to an inside address, hop by hop, and whose network it runs over. Sockets
 * and readings around the pure cores of trace.h and path_rules.h. */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "probes/probe.h"
#include "probes/wan/path_networks.h"
#include "probes/wan/resolve.h"
#include "probes/wan/trace_socket.h"

enum { WINDOW = 6, PORT_UDP = 33434, PORT_TCP = 443, REASON_MAX = 1024 };

#define DEADLINE_MARGIN_NS (100 * HT_NS_PER_MS) /* to report before we are cancelled */
#define GAP_NS             (20 * HT_NS_PER_MS)  /* 50 packets a second at most */

struct path_options {
	char *target;
	int method, family;
	int64_t port, max_hops, per_hop, max_silent, wait_ns;
	struct ht_list networks; /* struct path_network_item */
};

static const char *const method_names[] = {
	[TRACE_ICMP] = "icmp", [TRACE_UDP] = "udp", [TRACE_TCP] = "tcp", NULL
};
enum { FAMILY_ANY, FAMILY_4, FAMILY_6 };
static const char *const family_names[] = { "any", "ipv4", "ipv6", NULL };

#define OPT(f) offsetof(struct path_options, f)
static const struct ht_option option_rows[] = {
	{ "target", HT_OPT_STRING, OPT(target), .min = 1, .max = 253, .required = true,
	    .help = "an inside address of the network, or a name" },
	{ "method", HT_OPT_ENUM, OPT(method), .def = "icmp", .names = method_names,
	    .help = "what is sent; udp and tcp need no rights" },
	{ "port", HT_OPT_INT, OPT(port), .min = 0, .max = 65535, .def = "0",
	    .help = "of udp and tcp; 0: 33434 for udp, 443 for tcp" },
	{ "family", HT_OPT_ENUM, OPT(family), .def = "any", .names = family_names,
	    .help = "which addresses of a name to use" },
	{ "max_hops", HT_OPT_INT, OPT(max_hops), .min = 1, .max = TRACE_TTL_MAX,
	    .def = "30", .help = "how far to look for the target" },
	{ "per_hop", HT_OPT_INT, OPT(per_hop), .min = 1, .max = TRACE_PER_HOP_MAX,
	    .def = "2", .help = "packets for each hop" },
	{ "max_silent", HT_OPT_INT, OPT(max_silent), .min = 1, .max = TRACE_TTL_MAX,
	    .def = "5", .help = "give up after so many silent hops in a row" },
	{ "wait", HT_OPT_DURATION, OPT(wait_ns), .min = 10 * HT_NS_PER_MS,
	    .max = 10 * HT_NS_PER_S, .def = "1s",
	    .help = "how long an answer is waited for" },
	{ "networks", HT_OPT_LIST, OPT(networks), .max = PATH_NETWORKS_MAX,
	    .sub = &path_network_table,
	    .help = "rules, in order: which hops belong to which network" },
};
static const struct ht_options path_option_table =
    HT_OPTIONS(struct path_options, option_rows);

static const enum ht_metric path_metrics[] = { HT_M_PATH_STATUS, HT_M_PATH_TARGET,
	HT_M_PATH_METHOD, HT_M_PATH_HOPS, HT_M_PATH_TRACE, HT_M_PATH_NETWORK,
	HT_M_PATH_REASON };

struct path_run {
	const struct path_options *o;
	const struct probe_host *host;
	struct resolve *resolve;
	struct sockaddr_storage to;
	struct path_rule *rules;
	struct trace_socket socket;
	struct trace trace;
	uv_timer_t timer;
	bool opened, finished;
	size_t n_closing;
	void (*closed)(void *arg);
	void *closed_arg;
	int64_t started_ns;
	char target[HT_ADDR_TEXT];
};

/* ---- readings ---- */

static void emit_string(const struct path_run *r, enum ht_metric m, const char *v)
{
	r->host->emit(r->host, &(struct ht_reading){ .metric = m,
				   .instance = r->host->instance,
				   .at_ns = r->started_ns,
				   .string = v });
}

static void judge(const struct path_run *r, struct path_verdict *out)
{
	static const struct probe_site nowhere;
	const struct probe_site *site = r->host->site ? r->host->site : &nowhere;
	const struct path_rules rules = { .at = r->rules,
		.n = r->o->networks.n,
		.own = site->subnets,
		.n_own = site->n_subnets };
	struct path_hop hops[TRACE_TTL_MAX];
	const struct path_way way = { .hops = hops,
		.n = trace_n_hops(&r->trace),
		.target = &r->trace.plan.target };

	for (size_t i = 0; i < way.n; i++)
		hops[i] = (struct path_hop){ r->trace.hops[i].from, r->trace.hops[i].n };
	path_rules_judge(&rules, &way, out);
}

/* The verdict's sentence, then what else a reader must know of the trace. */
static void emit_network(const struct path_run *r)
{
	char reason[REASON_MAX], words[256];
	struct path_verdict v;
	uint32_t forged = r->trace.ignored.forged;

	judge(r, &v);
	int len = snprintf(reason, sizeof(reason), "%s", v.reason);

	if (r->trace.end != TRACE_REACHED) {
		trace_end_words(&r->trace, words, sizeof(words));
		len += snprintf(
		    reason + len, sizeof(reason) - (size_t)len, "; the trace %s", words);
	}
	if (forged)
		snprintf(reason + len, sizeof(reason) - (size_t)len,
		    "; %u forged answer%s ignored", forged,
		    forged == 1 ? " was" : "s were");
	emit_string(r, HT_M_PATH_NETWORK, path_network_name(v.network));
	emit_string(r, HT_M_PATH_REASON, reason);
}

/* What an errno of opening or sending means as a status. */
static const char *status_of(int err_no)
{
	switch (err_no) {
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EADDRNOTAVAIL:
		return "unreachable";
	case EPERM:
	case EACCES:
		return "denied";
	default:
		return "error";
	}
}

static const char *status_of_trace(const struct trace *t)
{
	switch (t->end) {
	case TRACE_REACHED:
		return "ok";
	case TRACE_UNREACHABLE:
		return "unreachable";
	case TRACE_UNSENDABLE:
		return status_of(t->err_no);
	default:
		return trace_reach(t) ? "incomplete" : "timeout";
	}
}

static void emit_trace(const struct path_run *r)
{
	char text[TRACE_TEXT];
	size_t hops = trace_reach(&r->trace);

	if (hops)
		r->host->emit(r->host, &(struct ht_reading){ .metric = HT_M_PATH_HOPS,
					   .instance = r->host->instance,
					   .at_ns = r->started_ns,
					   .number = (double)hops });
	trace_text(&r->trace, text);
	if (text[0])
		emit_string(r, HT_M_PATH_TRACE, text);
	emit_network(r);
}

static void begin_report(struct path_run *r)
{
	char method[32];
	int64_t port = r->o->port;

	r->finished = true;
	uv_timer_stop(&r->timer);
	if (r->target[0])
		emit_string(r, HT_M_PATH_TARGET, r->target);
	if (r->o->method == TRACE_ICMP)
		snprintf(method, sizeof(method), "icmp");
	else
		snprintf(method, sizeof(method), "%s/%d", method_names[r->o->method],
		    port                        ? (int)port
		    : r->o->method == TRACE_UDP ? PORT_UDP
						: PORT_TCP);
	emit_string(r, HT_M_PATH_METHOD, method);
}

static void finish(struct path_run *r)
{
	begin_report(r);
	emit_trace(r);
	emit_string(r, HT_M_PATH_STATUS, status_of_trace(&r->trace));
	r->host->done(r->host);
}

/* It ended before the first packet. */
static void finish_with(struct path_run *r, const char *status, const char *why)
{
	r->host->forget(r->host, r);
	resolve_cancel(r->resolve);
	r->resolve = NULL;
	begin_report(r);
	emit_string(r, HT_M_PATH_NETWORK, path_network_name(PATH_UNKNOWN));
	emit_string(r, HT_M_PATH_REASON, why);
	emit_string(r, HT_M_PATH_STATUS, status);
	r->host->done(r->host);
}

/* ---- the trace ---- */

static void on_timer(uv_timer_t *timer);

static void pump(struct path_run *r)
{
	int64_t now = ht_mono_ns();
	struct trace_probe p;

	if (r->finished)
		return;
	while (trace_next(&r->trace, now, &p)) {
		int err_no = trace_socket_send(&r->socket, &p);

		if (err_no)
			trace_unsent(&r->trace, p.no, err_no);
		now = ht_mono_ns();
	}
	if (r->trace.end != TRACE_RUNNING) {
		finish(r);
		return;
	}
	int64_t left = trace_wake_ns(&r->trace) - now;

	uv_update_time(r->host->loop);
	uv_timer_start(&r->timer, on_timer,
	    left > 0 ? (uint64_t)((left + HT_NS_PER_MS - 1) / HT_NS_PER_MS) : 0, 0);
}

/* What has arrived is read before anything is given up: a late loop loses no hop. */
static void on_timer(uv_timer_t *timer)
{
	struct path_run *r = timer->data;

	trace_socket_drain(&r->socket);
	pump(r);
}

static void on_answer(void *arg, const struct trace_answer *a)
{
	struct path_run *r = arg;

	trace_answer(&r->trace, a);
}

static void on_forged(void *arg)
{
	struct path_run *r = arg;

	r->trace.ignored.forged++;
}

static void on_turn(void *arg)
{
	pump(arg);
}

/* ---- the way to it: address, socket ---- */

static void begin(struct path_run *r, int fd, bool raw)
{
	const struct trace_events events = { r, on_answer, on_forged, on_turn };

	r->opened = true;
	ht_err err = trace_socket_open_take(&r->socket, r->host->loop,
	    (enum trace_method)r->o->method, (const struct sockaddr *)&r->to, fd, raw,
	    &events);
	if (err) {
		char why[128];
		int err_no = errno;

		snprintf(why, sizeof(why), "nothing can be sent to %s: %s", r->target,
		    strerror(err_no));
		finish_with(r, status_of(err_no), why);
		return;
	}
	const struct trace_plan plan = { .target = r->socket.target,
		.self = r->socket.source,
		.ttl_max = (uint8_t)r->o->max_hops,
		.per_hop = (uint8_t)r->o->per_hop,
		.window = r->o->method == TRACE_ICMP ? WINDOW : 1,
		.silent_max = (uint8_t)r->o->max_silent,
		.wait_ns = r->o->wait_ns,
		.gap_ns = GAP_NS,
		.deadline_ns = r->host->deadline_ns - DEADLINE_MARGIN_NS };

	r->started_ns = ht_mono_ns();
	trace_init(&r->trace, &plan, r->started_ns);
	pump(r);
}

static void on_socket(void *arg, const struct probe_grant *grant)
{
	struct path_run *r = arg;

	if (!grant->err)
		begin(r, grant->fd, grant->raw);
	else if (grant->err == HT_DENIED)
		finish_with(r, "denied",
		    "the agent may open no ICMP socket; method udp and tcp need no "
		    "rights");
	else
		finish_with(r, "error", "no ICMP socket could be opened");
}

static void set_port(struct path_run *r)
{
	int64_t port = r->o->port                  ? r->o->port
		       : r->o->method == TRACE_UDP ? PORT_UDP
						   : PORT_TCP;
	uint16_t wire = r->o->method == TRACE_ICMP ? 0 : htons((uint16_t)port);

	if (r->to.ss_family == AF_INET)
		((struct sockaddr_in *)&r->to)->sin_port = wire;
	else
		((struct sockaddr_in6 *)&r->to)->sin6_port = wire;
}

static void on_address(void *arg, ht_err err, const struct sockaddr *addr)
{
	struct path_run *r = arg;
	bool v4 = addr && addr->sa_family == AF_INET;

	r->resolve = NULL;
	if (err) {
		finish_with(r, "unresolved", "the target's name has no address");
		return;
	}
	memcpy(
	    &r->to, addr, v4 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
	resolve_format(addr, r->target);
	set_port(r);
	if (r->o->method != TRACE_ICMP) {
		begin(r, -1, false);
		return;
	}
	err = r->host->ask(
	    r->host, v4 ? PROBE_ICMP4_SOCKET : PROBE_ICMP6_SOCKET, NULL, on_socket, r);
	if (err)
		finish_with(r, "error", "the agent's monitor takes no more requests");
}

/* The name server is silent, or the monitor is. */
static void on_unready(uv_timer_t *timer)
{
	struct path_run *r = timer->data;

	if (r->resolve)
		finish_with(r, "unresolved", "no name server answered in time");
	else
		finish_with(r, "error", "the agent's monitor did not answer in time");
}

static ht_err path_start(void *run, const void *options, const struct probe_host *host)
{
	static const int families[] = {
		[FAMILY_ANY] = AF_UNSPEC, [FAMILY_4] = AF_INET, [FAMILY_6] = AF_INET6
	};
	struct path_run *r = run;

	r->o = options;
	r->host = host;
	r->started_ns = ht_mono_ns();
	ht_err err = path_networks_build(&r->o->networks, &r->rules);
	if (err)
		return err;
	uv_timer_init(host->loop, &r->timer);
	r->timer.data = r;
	int64_t left = host->deadline_ns - DEADLINE_MARGIN_NS - r->started_ns;
	uv_timer_start(
	    &r->timer, on_unready, left > 0 ? (uint64_t)(left / HT_NS_PER_MS) : 0, 0);
	err = resolve_start(
	    host->loop, r->o->target, families[r->o->family], on_address, r, &r->resolve);
	if (err)
		finish_with(r, "error", "the target's name could not be looked up");
	return HT_OK;
}

static ht_err path_check(
    const void *options, const struct ht_node *node, struct ht_fault *fault)
{
	const struct path_options *o = options;

	if (o->port && o->method == TRACE_ICMP)
		return ht_node_fault(ht_node_get(node, "port"), fault,
		    "icmp has no ports; leave `port` out, or choose `method: udp` or "
		    "tcp");
	return path_networks_check(&o->networks, fault);
}

/* ---- the end ---- */

static void closed_one(void *arg)
{
	struct path_run *r = arg;

	if (--r->n_closing)
		return;
	path_networks_free(r->rules, r->o->networks.n);
	r->rules = NULL;
	r->closed(r->closed_arg);
}

static void on_timer_closed(uv_handle_t *handle)
{
	closed_one(handle->data);
}

static void path_cancel(void *run, void (*closed)(void *arg), void *arg)
{
	struct path_run *r = run;

	if (r->closed)
		return;
	r->finished = true;
	r->closed = closed;
	r->closed_arg = arg;
	r->host->forget(r->host, r);
	resolve_cancel(r->resolve);
	r->resolve = NULL;
	r->n_closing = r->opened ? 2 : 1;
	uv_close((uv_handle_t *)&r->timer, on_timer_closed);
	if (r->opened)
		trace_socket_close(&r->socket, closed_one);
}

const struct probe_ops probe_path = {
	.name = "path",
	.help =
	    "the way to an inside address, hop by hop, and whose network it runs over",
	.metrics = path_metrics,
	.n_metrics = HT_COUNT(path_metrics),
	.options = &path_option_table,
	.run_size = sizeof(struct path_run),
	.start = path_start,
	.cancel = path_cancel,
	.check = path_check,
};
